// The pages that can be had back: single pages of user space and the page cache, by zone, most recently used first. A model of effect: one
// list a zone instead of active and inactive, anonymous and file; recency is exact, the kernel's sampling of it is not modelled.
// Links are the page records' own, which a taken page does not need otherwise.
import { eventKind } from "../../kernel/events.ts";
import type { MachineMemory } from "./machine_memory.ts";
import { record, word, zoneField, zoneStride } from "./memory.ts";

/** Who owns reclaimable pages: asked to give one up, told that one moved. */
export interface LruOwner {
  /** Writes back and unmaps the page; false when it is pinned, locked or just used again. */
  evict(pfn: number): boolean;
  /** The contents now live at `to`; false when the page cannot move (pinned, under I/O). */
  migrate(from: number, to: number): boolean;
}

export interface Lru {
  setOwner(to: LruOwner): void;
  add: (pfn: number) => void;
  remove: (pfn: number) => void;
  /** mark_page_accessed(): most recently used from now on. */
  touch: (pfn: number) => void;
  /** Takes a page off the list and gives it back to the allocator. */
  release: (pfn: number) => void;
  /** Evicts one page if its owner lets it go. */
  evict: (pfn: number) => boolean;
  /** shrink_zone(), in effect: looks at up to `scan` pages from the cold end, frees up to `want`; what cannot go is rotated to the front. */
  shrink: (z: number, scan: number, want: number) => number;
  isLru: (pfn: number) => boolean;
  /** Pages on a zone's list. */
  count: (z: number) => number;
  /** Hands a page's place on the list over to another page, as migration does; false when the owner says it cannot move. */
  replace(from: number, to: number): boolean;
  /** Coldest page of a zone, or -1. */
  coldest(z: number): number;
  /** Next page towards the hot end, or -1. */
  warmer(pfn: number): number;
  /** Hottest page of a zone, or -1. */
  hottest(z: number): number;
}

export function createLru(machine: MachineMemory): Lru {
  const { memory, pages, area, journal } = machine;
  const { page, zone, lruLists } = memory;
  const { next: NEXT, prev: PREV, word: WORD } = record;
  let owner: LruOwner = { evict: () => true, migrate: () => true };

  const zoneOfTaken = (pfn: number): number => (page[(pfn << 2) | WORD]! & word.zoneMask) >> word.zoneShift;
  const countAt = (z: number): number => z * zoneStride + zoneField.lruPages;
  const isLru = (pfn: number): boolean => (page[(pfn << 2) | WORD]! & word.lru) !== 0;

  const add = (pfn: number): void => {
    const z = zoneOfTaken(pfn);
    area.insertAfter(lruLists + z, pfn);
    page[(pfn << 2) | WORD] = page[(pfn << 2) | WORD]! | word.lru;
    zone[countAt(z)] = zone[countAt(z)]! + 1;
  };

  const remove = (pfn: number): void => {
    const z = zoneOfTaken(pfn);
    area.unlink(pfn);
    page[(pfn << 2) | WORD] = page[(pfn << 2) | WORD]! & ~word.lru;
    zone[countAt(z)] = zone[countAt(z)]! - 1;
  };

  const touch = (pfn: number): void => {
    area.unlink(pfn);
    area.insertAfter(lruLists + zoneOfTaken(pfn), pfn);
  };

  const release = (pfn: number): void => {
    remove(pfn);
    pages.freePages(pfn, 0);
  };

  const evict = (pfn: number): boolean => {
    if (page[(pfn << 2) | record.references] !== 1 || !owner.evict(pfn)) return false;
    release(pfn);
    return true;
  };

  const shrink = (z: number, scan: number, want: number): number => {
    let freed = 0;
    for (let i = 0; i < scan && freed < want; i++) {
      const pfn = page[((lruLists + z) << 2) | PREV]!;
      if (pfn === lruLists + z) break;
      if (evict(pfn)) freed++;
      else touch(pfn);
    }
    return freed;
  };

  return {
    setOwner(to: LruOwner): void {
      owner = to;
    },
    add,
    remove,
    touch,
    release,
    evict,
    shrink,
    isLru,
    count: (z: number): number => zone[countAt(z)]!,
    replace(from: number, to: number): boolean {
      if (page[(from << 2) | record.references] !== 1 || !owner.migrate(from, to)) return false;
      const before = page[(from << 2) | PREV]!;
      remove(from);
      const z = zoneOfTaken(to);
      area.insertAfter(zoneOfTaken(from) === z ? before : lruLists + z, to);
      page[(to << 2) | WORD] = page[(to << 2) | WORD]! | word.lru;
      zone[countAt(z)] = zone[countAt(z)]! + 1;
      if (journal.heard) journal.emit(eventKind.page_migrated, from, to);
      return true;
    },
    coldest(z: number): number {
      const pfn = page[((lruLists + z) << 2) | PREV]!;
      return pfn === lruLists + z ? -1 : pfn;
    },
    warmer(pfn: number): number {
      const prev = page[(pfn << 2) | PREV]!;
      return prev >= memory.pages ? -1 : prev;
    },
    hottest(z: number): number {
      const pfn = page[((lruLists + z) << 2) | NEXT]!;
      return pfn === lruLists + z ? -1 : pfn;
    },
  };
}
