// What pins one block: every owner with pages in the 2^order pages around a pfn, most pages first.
import type { Census } from "./census.ts";
import type { GroupKey, GroupOptions } from "./group_by.ts";
import { typeName } from "./group_by.ts";
import { isStackKey, ownerIds } from "./pins.ts";

export interface BlockOwner {
  readonly label: string;
  /** Migrate type of its pages, as the dump prints it; "" where it does not. */
  readonly type: string;
  readonly pages: number;
  /** Where its first page in the block lies. */
  readonly firstPfn: number;
  /** Functions of the stack that holds most of its pages here, innermost first. */
  readonly stack: readonly string[];
}

export interface BlockReport {
  readonly order: number;
  readonly firstPfn: number;
  /** Pages of the block that the dump does not list: free, or handed out before page_owner started. */
  readonly unlisted: number;
  readonly owners: readonly BlockOwner[];
  /** Migrate type of the pageblock; "" where the dump does not print it or lists nothing here. */
  readonly blockType: string;
}

interface Tally {
  readonly label: string;
  readonly type: number;
  readonly stacks: Map<number, number>;
  pages: number;
  firstPfn: number;
}

export function blockOwners(
  census: Census,
  pfn: number,
  order: number,
  by: GroupKey,
  options: Pick<GroupOptions, "depth" | "ignore">,
): BlockReport {
  const places = census.places;
  if (places === undefined) throw new RangeError("the census was taken without places");
  const size = 2 ** order;
  const from = Math.floor(pfn / size) * size;
  const { of, names } = ownerIds(census, isStackKey(by) ? by : "symbol", options);
  const found = new Map<string, Tally>();
  let listed = 0;
  let blockLetter = 0;
  for (let i = 0; i < places.count; i++) {
    const first = places.pfn[i]!;
    const end = first + 2 ** places.order[i]!;
    if (end <= from || first >= from + size) continue;
    const pages = Math.min(end, from + size) - Math.max(first, from);
    const stack = places.stack[i]!;
    const type = places.types[i]! & 0xff;
    blockLetter ||= places.types[i]! >> 8;
    const key = `${of[stack]} ${type}`;
    let tally = found.get(key);
    if (tally === undefined) {
      tally = { label: names[of[stack]!]!, type, stacks: new Map(), pages: 0, firstPfn: Math.max(first, from) };
      found.set(key, tally);
    }
    tally.pages += pages;
    tally.firstPfn = Math.min(tally.firstPfn, Math.max(first, from));
    tally.stacks.set(stack, (tally.stacks.get(stack) ?? 0) + pages);
    listed += pages;
  }
  const owners = [...found.values()].sort((a, b) => b.pages - a.pages || a.firstPfn - b.firstPfn);
  return {
    order,
    firstPfn: from,
    unlisted: Math.max(0, size - listed),
    blockType: letter(blockLetter),
    owners: owners.map((t) => ({
      label: t.label,
      type: letter(t.type),
      pages: t.pages,
      firstPfn: t.firstPfn,
      stack: stackOf(census, t.stacks),
    })),
  };
}

const letter = (code: number): string => (code === 0 ? "" : typeName(String.fromCharCode(code)));

function stackOf(census: Census, stacks: ReadonlyMap<number, number>): readonly string[] {
  const most = [...stacks].sort((a, b) => b[1] - a[1])[0]?.[0] ?? -1;
  return (
    census.stacks[most]?.frames.map((f) => (f.module === undefined ? f.symbol : `${f.symbol} [${f.module}]`)) ?? []
  );
}
