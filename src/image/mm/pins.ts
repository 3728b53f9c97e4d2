// Which pages keep blocks of an order from being free, and whose they are: every aligned block of a zone is free, could be freed by moving
// pages, or is pinned by pages that stay.
import type { Image } from "../image.ts";
import { headFrame } from "../net/holders.ts";
import { isHead, isTail, mappingAnon, mappingSet } from "./mem_map.ts";
import { pageKind, pageKindNames } from "./page_kinds.ts";

export interface BlockPins {
  readonly order: number;
  /** Aligned blocks of the order that lie in zones with all their pages. */
  readonly blocks: number;
  readonly free: number;
  /** Not free, and every page in use could be moved elsewhere. */
  readonly movable: number;
  readonly pinned: number;
  /** Who pins, by the blocks that only they pin, most first. */
  readonly owners: readonly PinOwner[];
}

export interface PinOwner {
  readonly owner: string;
  /** Blocks in which this owner has a page that stays. */
  readonly blocks: number;
  /** Of them, those that nobody else pins. */
  readonly alone: number;
  /** Its pages that stay, in all pinned blocks. */
  readonly pages: number;
}

/**
 * A page that migration would move: on the LRU, single, and with no references but those of its mappings, its mapping and private data
 * (folio_expected_refs, mm/migrate.c).
 */
export function isMovable(image: Image, pfn: number): boolean {
  const { map } = image;
  if (map.kind[pfn] !== pageKind.lru || ((map.shape[pfn] as number) & (isTail | isHead)) !== 0) return false;
  const mapped = (map.mapcount[pfn] as number) + 1;
  const isFile = ((map.shape[pfn] as number) & (mappingAnon | mappingSet)) === mappingSet;
  const bit = (name: string): number => {
    const at = map.marks.flag.get(name);
    return at === undefined ? 0 : ((map.flags[pfn] as number) >>> at) & 1;
  };
  if (bit("unevictable") === 1 && bit("mlocked") === 0) return false;
  const swap = bit("swapbacked") & bit("swapcache");
  return (map.refcount[pfn] as number) <= mapped + (isFile ? 1 : 0) + swap + bit("private");
}

/** Looks at every block of 2^order pages. */
export function pinsOf(image: Image, order: number): BlockPins {
  const { map } = image;
  const size = 2 ** order;
  const nameOf = ownerNames(image);
  const owners = new Map<string, { blocks: number; alone: number; pages: number }>();
  let [blocks, free, movable, pinned] = [0, 0, 0, 0];
  for (const z of image.zones.zones) {
    const end = Math.min(z.start + z.spanned, map.endPfn);
    for (let start = Math.ceil(z.start / size) * size; start + size <= end; start += size) {
      const found = blockOf(image, start, size, nameOf);
      if (found === undefined) continue;
      blocks++;
      if (found === "free") free++;
      else if (found.size === 0) movable++;
      else {
        pinned++;
        for (const [owner, pages] of found) {
          const sum = owners.get(owner) ?? { blocks: 0, alone: 0, pages: 0 };
          sum.blocks++;
          sum.pages += pages;
          if (found.size === 1) sum.alone++;
          owners.set(owner, sum);
        }
      }
    }
  }
  return {
    order,
    blocks,
    free,
    movable,
    pinned,
    owners: [...owners]
      .map(([owner, sum]) => ({ owner, ...sum }))
      .sort((a, b) => b.alone - a.alone || b.blocks - a.blocks || (a.owner < b.owner ? -1 : 1)),
  };
}

/** Pages that stay, by owner; "free" when all pages are free; undefined for a block with holes. */
function blockOf(
  image: Image,
  start: number,
  size: number,
  nameOf: (pfn: number) => string,
): "free" | Map<string, number> | undefined {
  const { kind } = image.map;
  const stay = new Map<string, number>();
  let isFree = true;
  for (let pfn = start; pfn < start + size; pfn++) {
    const k = kind[pfn] as number;
    if (k === pageKind.none || k === pageKind.unseen) return undefined;
    if (k === pageKind.buddy || k === pageKind.freeTail) continue;
    isFree = false;
    if (k === pageKind.perCpu || isMovable(image, pfn)) continue;
    const owner = nameOf(pfn);
    stay.set(owner, (stay.get(owner) ?? 0) + 1);
  }
  return isFree ? "free" : stay;
}

/** Names the owner of a page that is in use, in plain words. */
export function ownerNames(image: Image): (pfn: number) => string {
  const { map } = image;
  const cacheOf = new Map<number, string>();
  for (const c of image.caches) for (const pfn of c.slabs) cacheOf.set(pfn, c.name);
  const pools = new Map<number, string>();
  for (const p of image.net.pools) for (const { pfn } of p.owned) pools.set(pfn, `page_pool ${p.address.toString(16)}`);
  return (pfn) => {
    const head = headFrame(map, pfn);
    const kind = map.kind[head] as number;
    if (kind === pageKind.slab) return `slab cache ${cacheOf.get(head) ?? "?"}`;
    if (kind === pageKind.pagePool) return pools.get(head) ?? "page_pool";
    if (kind === pageKind.lru) return "user or cache pages that are held";
    const packets = image.net.holders.skbsIn(head).length;
    if (packets > 0) return "data of sk_buffs";
    return `pages: ${pageKindNames[kind] ?? "?"}`;
  };
}
