// Who owns the pages that keep blocks of a running machine from being whole: the live map says which pages, page_owner who asked for them.
import type { Census } from "../analysis/page_owner/census.ts";
import { ownerIds } from "../analysis/page_owner/pins.ts";
import type { LiveMap } from "./page_map.ts";

/** Owners with most blocks first. */
export interface PinOwners {
  readonly owners: readonly { readonly label: string; readonly blocks: number; readonly pages: number }[];
  /** Pinning pages that page_owner does not list. */
  readonly unlisted: number;
}

/** Owners (by the function that asked, `symbol`) of the pages of `map.fewPinned`. The census must have been taken with places. */
export function pinOwners(map: Pick<LiveMap, "fewPinned">, census: Census, most = 10): PinOwners {
  const { places } = census;
  if (places === undefined) throw new RangeError("the census was taken without places");
  const { of, names } = ownerIds(census, "symbol", { depth: 1 });
  const stackAt = new Map<number, number>();
  const wanted = new Set(map.fewPinned.flatMap((b) => b.pages));
  for (let i = 0; i < places.count; i++) {
    const [first, pages] = [places.pfn[i]!, 2 ** places.order[i]!];
    for (let pfn = first; pfn < first + pages; pfn++) if (wanted.has(pfn)) stackAt.set(pfn, places.stack[i]!);
  }
  const tally = new Map<string, { blocks: number; pages: number }>();
  for (const block of map.fewPinned) {
    const here = new Set<string>();
    for (const pfn of block.pages) {
      const stack = stackAt.get(pfn);
      if (stack === undefined) continue;
      const label = names[of[stack]!]!;
      const row = tally.get(label) ?? { blocks: 0, pages: 0 };
      row.pages++;
      if (!here.has(label)) row.blocks++;
      here.add(label);
      tally.set(label, row);
    }
  }
  const owners = [...tally].map(([label, row]) => ({ label, ...row }));
  owners.sort((a, b) => b.blocks - a.blocks || b.pages - a.pages || (a.label < b.label ? -1 : 1));
  return { owners: owners.slice(0, most), unlisted: wanted.size - stackAt.size };
}
