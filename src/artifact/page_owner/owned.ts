// A page_owner dump as runs of pages in use and pages that it does not list: what a machine is laid out from.
import type { OwnedPages } from "../../kernel/readings/owned_pages.ts";
import { ownedBlockPages, ownedPagesMost } from "../../kernel/readings/owned_pages.ts";
import { createPageOwnerScanner, feed } from "./scan.ts";

/** Letters by what the scanner gives, the first of the type's name: U, M, R(eclaimable), H(ighAtomic), C(MA), I(solate). */
const letterOf = (code: number): string => {
  const name = String.fromCharCode(code);
  return name === "R" ? "E" : name;
};
const unlisted = ".".charCodeAt(0);

/** Takes the bytes of a dump, and tells what they list. */
export function createOwnedPages(): { push(bytes: Uint8Array): void; finish(): OwnedPages } {
  let pages = new Uint8Array(1 << 14).fill(unlisted);
  let blocks = new Uint8Array(pages.length / ownedBlockPages).fill(unlisted);
  let first = -1;
  let end = 0;
  let listed = 0;
  let fits = true;
  const scanner = createPageOwnerScanner((batch) => {
    for (let i = 0; i < batch.count; i++) {
      const pfn = batch.pfn[i] as number;
      const order = batch.order[i] as number;
      const [type, block] = [(batch.types[i] as number) & 0xff, ((batch.types[i] as number) >> 8) & 0xff];
      if (pfn < 0 || order < 0 || order > 20) continue;
      listed += 1 << order;
      if (first < 0) first = pfn - (pfn % ownedBlockPages);
      fits &&= type !== 0 && pfn >= first && pfn + (1 << order) - first <= ownedPagesMost;
      if (!fits) continue;
      end = Math.max(end, pfn + (1 << order) - first);
      while (end > pages.length) {
        pages = widened(pages);
        blocks = widened(blocks);
      }
      const code = letterOf(type).charCodeAt(0);
      pages.fill(code, pfn - first, pfn - first + (1 << order));
      blocks[(pfn - first - ((pfn - first) % ownedBlockPages)) / ownedBlockPages] = letterOf(block).charCodeAt(0);
    }
  });
  return {
    push: (bytes) => feed(scanner, bytes),
    finish() {
      scanner.end(true);
      return {
        firstPfn: Math.max(0, first),
        runs: fits && listed > 0 ? runsOf(pages.subarray(0, end)) : null,
        blocks: fits ? String.fromCharCode(...blocks.subarray(0, Math.ceil(end / ownedBlockPages))) : "",
        listed,
      };
    },
  };
}

function widened(all: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const more = new Uint8Array(all.length * 2).fill(unlisted);
  more.set(all);
  return more;
}

function runsOf(pages: Uint8Array): string {
  const runs: string[] = [];
  for (let at = 0; at < pages.length; ) {
    let to = at + 1;
    while (to < pages.length && pages[to] === pages[at]) to++;
    runs.push(`${to - at}${String.fromCharCode(pages[at] as number)}`);
    at = to;
  }
  return runs.join("");
}
