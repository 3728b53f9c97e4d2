// User pages and page cache of all workloads: who holds which, and what reclaim and compaction may do to them. One owner a machine.
//
//   clean ──write──▶ dirty ──flush──▶ writeback ──I/O done──▶ clean         clean: evicted when reclaim asks
//   anonymous: no swap here, so it stays         pinned: neither evicted nor moved (get_user_pages)
//
// mm/filemap.c, mm/page-writeback.c, mm/vmscan.c (pageout), mm/gup.c, 6.1, in effect. Columns by pfn; each holder's pages are a dense row.
import { assert } from "../../base/assert.ts";
import type { BootedMemory } from "../mm/booted.ts";

/** What a page is. */
export const pageUse = { none: 0, clean: 1, dirty: 2, writeback: 3, anonymous: 4 } as const;

/** Columns under names of their own: a compiler before TypeScript 5.7 does not know typed arrays with a parameter, as declarations would have them. */
export interface ByteColumn extends Uint8Array {}
export interface CountColumn extends Int32Array {}

/** Pages that workloads hold: each has one holder and one use. */
export interface UserPages {
  /** use[pfn]: a value of pageUse. */
  readonly use: ByteColumn;
  /** uses[use]: how many pages have it. */
  readonly uses: CountColumn;
  /** GFP_KERNEL without warnings, GFP_HIGHUSER_MOVABLE, and GFP_KERNEL | __GFP_RECLAIMABLE. */
  readonly gfpKernel: number;
  readonly gfpUser: number;
  readonly gfpReclaimable: number;
  /** A number for somebody who holds pages; at most 255. */
  holder(): number;
  /** Takes a page; -1 when there is none. */
  take(holder: number, as: number): number;
  /** Gives a page back; it must not be under I/O or pinned. */
  give(pfn: number): void;
  setUse(pfn: number, to: number): void;
  /** drop_caches: every clean page that nobody pins goes. */
  dropClean(): void;
  /** One more user of the page, who keeps it where it is. */
  pin(pfn: number): void;
  unpin(pfn: number): void;
  pinned(pfn: number): boolean;
  /** The page was used: reclaim finds it young. */
  touch(pfn: number): void;
  /** Pages of a holder, and the i-th of them, from 0; their order changes with what is given back. */
  held(holder: number): number;
  at(holder: number, i: number): number;
  /** Told when reclaim met a dirty page. */
  onDirty(hear: (pfn: number) => void): void;
  /** Pages that reclaim took, that compaction moved, and that reclaim left because they were dirty. */
  counters(): { readonly evicted: number; readonly moved: number; readonly refusedDirty: number };
}

/** Takes over the machine's LRU: reclaim asks here. */
export function createUserPages(memory: BootedMemory): UserPages {
  const { lru, pages, rules } = memory;
  const count = memory.memory.pages;
  const use: ByteColumn = new Uint8Array(count);
  const pins = new Uint8Array(count);
  const holderOf = new Uint8Array(count);
  const slotOf = new Int32Array(count);
  /** Rows of pfns, by holder; holder 0 is nobody. */
  const rows: Int32Array[] = [new Int32Array(0)];
  const sizes: number[] = [0];
  const uses: CountColumn = new Int32Array(5);
  let evicted = 0;
  let moved = 0;
  let refusedDirty = 0;
  let wantFlush: (pfn: number) => void = () => undefined;

  const append = (holder: number, pfn: number): void => {
    let row = rows[holder]!;
    const at = sizes[holder]!;
    if (at === row.length) {
      const wide = new Int32Array(Math.max(256, row.length * 2));
      wide.set(row);
      row = rows[holder] = wide;
    }
    row[at] = pfn;
    slotOf[pfn] = at;
    holderOf[pfn] = holder;
    sizes[holder] = at + 1;
  };

  const forget = (pfn: number): void => {
    const holder = holderOf[pfn]!;
    const row = rows[holder]!;
    const last = row[--sizes[holder]!]!;
    row[slotOf[pfn]!] = last;
    slotOf[last] = slotOf[pfn]!;
    uses[use[pfn]!]!--;
    use[pfn] = pageUse.none;
    holderOf[pfn] = 0;
  };

  const setUse = (pfn: number, to: number): void => {
    uses[use[pfn]!]!--;
    use[pfn] = to;
    uses[to]!++;
  };

  lru.setOwner({
    evict(pfn) {
      if (use[pfn] !== pageUse.clean || pins[pfn] !== 0) {
        if (use[pfn] === pageUse.dirty) {
          refusedDirty++;
          wantFlush(pfn);
        }
        return false;
      }
      forget(pfn);
      evicted++;
      return true;
    },
    migrate(from, to) {
      if (pins[from] !== 0 || use[from] === pageUse.none || use[from] === pageUse.writeback) return false;
      const holder = holderOf[from]!;
      const kind = use[from]!;
      rows[holder]![slotOf[from]!] = to;
      slotOf[to] = slotOf[from]!;
      holderOf[to] = holder;
      use[to] = kind;
      use[from] = pageUse.none;
      holderOf[from] = 0;
      moved++;
      return true;
    },
  });

  const { gfp } = rules;
  const kernel = gfp.directReclaim | gfp.kswapdReclaim | gfp.io | gfp.fs | gfp.nowarn;

  return {
    use,
    uses,
    /** GFP_KERNEL without warnings, and GFP_HIGHUSER_MOVABLE. */
    gfpKernel: kernel,
    gfpUser: kernel | gfp.highmem | gfp.movable,
    gfpReclaimable: kernel | gfp.reclaimable,
    /** A number for somebody who holds pages. */
    holder(): number {
      assert(rows.length < 256, "255 workloads hold pages already");
      sizes.push(0);
      return rows.push(new Int32Array(256)) - 1;
    },
    /** Takes a page; -1 when there is none. */
    take(holder: number, as: number): number {
      const pfn = memory.allocUser(kernel | gfp.highmem | gfp.movable);
      if (pfn < 0) return -1;
      use[pfn] = as;
      uses[as]!++;
      append(holder, pfn);
      return pfn;
    },
    /** Gives a page back; it must not be under I/O or pinned. */
    give(pfn: number): void {
      forget(pfn);
      memory.freeUser(pfn);
    },
    setUse,
    /** drop_caches: every clean page that nobody pins goes. */
    dropClean(): void {
      for (let pfn = 0; pfn < count; pfn++) {
        if (use[pfn] !== pageUse.clean || pins[pfn] !== 0) continue;
        forget(pfn);
        memory.freeUser(pfn);
      }
    },
    /** Pins: one more user of the page, who keeps it where it is. */
    pin(pfn: number): void {
      pins[pfn]!++;
      pages.getPage(pfn);
    },
    unpin(pfn: number): void {
      pins[pfn]!--;
      pages.putPage(pfn);
    },
    pinned: (pfn: number): boolean => pins[pfn] !== 0,
    touch: lru.touch,
    held: (holder: number): number => sizes[holder]!,
    at: (holder: number, i: number): number => rows[holder]![i]!,
    /** Told when reclaim met a dirty page. */
    onDirty(hear: (pfn: number) => void): void {
      wantFlush = hear;
    },
    counters: () => ({ evicted, moved, refusedDirty }),
  };
}
