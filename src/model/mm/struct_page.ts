// Pages as a kernel of 2.6.29 keeps them: flags and a count in struct page, looked at when a page is freed and when it is handed out, and
// otherwise believed. The allocator itself (page_alloc.ts) refuses a wrong free and says so at once; here a wrong free happens, as in the
// real kernel, and what becomes of it shows later, if at all. For runs that reproduce a corruption; everybody above gets pages from here.
//
//   four pages as one block:   flags  [head][tail][tail][tail]    count [1][0][0][0]
//   the last one also free:    flags  [head][tail][tail][tail+buddy]      what free_pages_check() finds when the block is freed
//
// mm/page_alloc.c (bad_page, free_pages_check, __free_pages_ok, free_hot_cold_page, prep_new_page, destroy_compound_page), mm/swap.c
// (put_page), mm/slub.c (kfree), 2.6.29: pages of a new block are checked at its head alone, those of a freed block one by one.
// Not here: mapping, index, private; pages of a page cache.
import { ModelBug } from "../../base/assert.ts";
import type { Journal } from "../journal.ts";
import { running } from "../journal.ts";
import { createApartPages } from "./apart_pages.ts";
import type { BootedMemory } from "./booted.ts";
import { ordersMax, pcpField, pcpStride, record, word } from "./memory.ts";
import type { PageAllocator } from "./pages.ts";

/** Page flags of 2.6.29 with CONFIG_PAGEFLAGS_EXTENDED (include/linux/page-flags.h). */
export const pageFlag = { slab: 1 << 7, head: 1 << 13, tail: 1 << 14, buddy: 1 << 18 } as const;

/** PAGE_FLAGS_CHECK_AT_FREE of 2.6.29: locked, lru, active, slab, reserved, private, writeback, swapcache, buddy, unevictable, mlocked. */
const checkedAtFree =
  (1 << 0) | (1 << 5) | (1 << 6) | (1 << 7) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 15) | (1 << 18) | (3 << 20);

/** What bad_page() saw, before it takes the buddy mark away. */
export interface BadPageSeen {
  readonly pfn: number;
  readonly flags: number;
  readonly count: number;
  readonly mapcount: number;
  /** Innermost first, as far as the model knows: `__free_pages_ok < put_compound_page < kfree < …`. */
  readonly path: string;
  readonly task: string;
  readonly nanos: number;
}

export interface StructPages extends PageAllocator {
  /** page->flags as the kernel would print it. */
  flags(pfn: number): number;
  count(pfn: number): number;
  /** init_page_count(): one reference to a page by itself, whatever it belongs to. */
  initCount(pfn: number): void;
  /** A process maps the page, or lets it go again. */
  map(pfn: number, times: number): void;
  /** kfree() of what lies in no slab: the block of the page goes; false where the kernel stops with a BUG. */
  kfreeLarge(pfn: number): boolean;
  /** A stray write into struct page: the flags word becomes `flags`, or gets bits on top. */
  strike(pfn: number, flags: number, how: "store" | "or"): void;
  /** Pages that bad_page() took out of circulation, with the pages of their blocks. */
  lost(): number;
}

export interface StructPageOptions {
  readonly memory: BootedMemory;
  readonly pages: PageAllocator;
  readonly journal: Journal;
  readonly onBadPage: (seen: BadPageSeen) => void;
}

/** A list that runs in circles gives the same page for ever; the kernel would hang there. */
const badInARow = 64;
const { head: HEAD, tail: TAIL, buddy: BUDDY } = pageFlag;

export function createStructPages(options: StructPageOptions): StructPages {
  const { pages, journal } = options;
  const { page, pages: pageCount, nrFree, pcp } = options.memory.memory;
  const { zones, cpus } = options.memory.memory.spec;
  const { comp } = options.memory.rules.gfp;
  /** All flags; that of the buddy only where a stray write set it: else it is the allocator's record that tells. */
  const own = new Int32Array(pageCount);
  const counts = new Int32Array(pageCount);
  const mapped = new Int32Array(pageCount);
  /** compound_order at a head; first_page at a tail. */
  const orderOf = new Uint8Array(pageCount);
  const headOf = new Int32Array(pageCount);
  /** 1: on a free list without the buddy mark, which bad_page() took away. */
  const unmarked = new Uint8Array(pageCount);
  let lost = 0;

  const apart = createApartPages(
    () => zones.reduce((n, _, z) => n + (nrFree[z * ordersMax] as number), 0),
    () => zones.reduce((n, _, z) => n + (pcp[z * cpus * pcpStride + pcpField.count] as number), 0),
    (pfn) => {
      // __free_one_page(): a page that became a tail while it waited is found out here, and does not get onto the list.
      if (((own[pfn] as number) & (HEAD | TAIL)) === 0) return true;
      bad(pfn, "destroy_compound_page < __free_one_page < free_pages_bulk");
      return false;
    },
  );
  const onList = (pfn: number): boolean =>
    (unmarked[pfn] === 0 && apart.isFree(pfn)) ||
    (unmarked[pfn] === 0 && ((page[(pfn << 2) | record.word] as number) & word.stateMask) === word.buddy);
  const flags = (pfn: number): number => (own[pfn] as number) | (onList(pfn) ? BUDDY : 0);

  const bad = (pfn: number, inside: string): void => {
    options.onBadPage({
      pfn,
      flags: flags(pfn),
      count: counts[pfn] as number,
      mapcount: mapped[pfn] as number,
      path: [inside, journal.text(journal.caller)].filter((f) => f !== "").join(" < "),
      task: journal.task === 0 || (journal.level & running.interrupt) !== 0 ? "swapper" : journal.text(journal.task),
      nanos: journal.nanos,
    });
    if (onList(pfn)) unmarked[pfn] = 1;
    own[pfn] = (own[pfn] as number) & ~BUDDY;
    lost++;
  };

  /** free_pages_check(): true when the page may be freed; it then has no flags left. */
  const check = (pfn: number, inside: string): boolean => {
    if (mapped[pfn] !== 0 || counts[pfn] !== 0 || (flags(pfn) & checkedAtFree) !== 0) {
      bad(pfn, inside);
      return false;
    }
    own[pfn] = 0;
    return true;
  };

  /** The allocator takes it as a block that was handed out, whatever its record says. */
  const give = (pfn: number, order: number): void => {
    const state = (page[(pfn << 2) | record.word] as number) & word.stateMask;
    unmarked[pfn] = 0;
    if (order === 0 && state !== word.taken) {
      apart.add(pfn);
      return;
    }
    if (order === 0) apart.freed();
    const zone = zones.findIndex((z) => pfn >= z.startPfn && pfn < z.startPfn + z.spannedPages);
    page[(pfn << 2) | record.word] = (zone << word.zoneShift) | word.taken | order;
    page[(pfn << 2) | record.references] = 1;
    pages.freePages(pfn, order);
  };

  /** __free_pages_ok(): every page of the block is looked at; one bad page, and the whole block is kept. */
  const freeOk = (pfn: number, order: number, inside: string): void => {
    let good = true;
    for (let p = pfn; p < pfn + (1 << order); p++) good = check(p, `__free_pages_ok${inside}`) && good;
    if (good) give(pfn, order);
    else lost += (1 << order) - 1;
  };
  const freeHot = (pfn: number, inside: string): void => {
    if (check(pfn, `free_hot_cold_page${inside}`)) give(pfn, 0);
  };

  const prepCompound = (pfn: number, order: number): void => {
    own[pfn] = (own[pfn] as number) | HEAD;
    orderOf[pfn] = order;
    for (let p = pfn + 1; p < pfn + (1 << order); p++) {
      own[p] = (own[p] as number) | TAIL;
      headOf[p] = pfn;
    }
  };

  const allocPages = (gfp: number, order: number): number => {
    for (let tries = 0; ; tries++) {
      if (tries > badInARow) throw new ModelBug(`the free lists hand out bad pages only: ${tries} in a row`);
      const own0 = order === 0 ? apart.take() : -1;
      const pfn = own0 >= 0 ? own0 : pages.allocPages(gfp, order);
      if (pfn < 0) return -1;
      if (own0 < 0) apart.drop(pfn);
      // prep_new_page(): the head alone is looked at; what is bad is forgotten, and another one taken.
      if (mapped[pfn] !== 0 || counts[pfn] !== 0 || flags(pfn) !== 0) {
        bad(pfn, "get_page_from_freelist < __alloc_pages_internal");
        continue;
      }
      counts[pfn] = 1;
      unmarked[pfn] = 0;
      if (order > 0 && (gfp & comp) !== 0) prepCompound(pfn, order);
      return pfn;
    }
  };

  const headFor = (pfn: number): number => (((own[pfn] as number) & TAIL) !== 0 ? (headOf[pfn] as number) : pfn);
  const compound = (pfn: number): boolean => ((own[pfn] as number) & (HEAD | TAIL)) !== 0;

  const putPage = (pfn: number, inside = ""): void => {
    const at = headFor(pfn);
    counts[at] = (counts[at] as number) - 1;
    if (counts[at] !== 0) return;
    if (compound(pfn)) freeOk(at, orderOf[at] as number, ` < put_compound_page${inside}`);
    else freeHot(at, ` < put_page${inside}`);
  };

  journal.listen(() => apart.drain(), "mm_page_pcpu_drain");

  const view: StructPages = {
    allocPages,
    freePages(pfn, order) {
      counts[pfn] = (counts[pfn] as number) - 1;
      if (counts[pfn] !== 0) return;
      if (order === 0) freeHot(pfn, " < __free_pages");
      else freeOk(pfn, order, " < __free_pages");
    },
    getPage(pfn) {
      counts[headFor(pfn)] = (counts[headFor(pfn)] as number) + 1;
    },
    putPage,
    pageCount: (pfn) => counts[headFor(pfn)] as number,
    addPageRefs(pfn, n) {
      for (let i = 0; i < n; i++) view.getPage(pfn);
      for (let i = 0; i > n; i--) putPage(pfn);
    },
    compoundHead: headFor,
    compoundOrder: (pfn) => (compound(pfn) ? (orderOf[headFor(pfn)] as number) : 0),
    allocPagesBulk(gfp, want, into) {
      let got = 0;
      while (got < want) {
        const pfn = allocPages(gfp, 0);
        if (pfn < 0) break;
        into[got++] = pfn;
      }
      return got;
    },
    isPfmemalloc: (pfn) => pages.isPfmemalloc(pfn),
    nodeOf: (pfn) => pages.nodeOf(pfn),
    flags,
    count: (pfn) => counts[pfn] as number,
    initCount(pfn) {
      counts[pfn] = 1;
    },
    map(pfn, times) {
      mapped[pfn] = (mapped[pfn] as number) + times;
    },
    kfreeLarge(pfn) {
      if (!compound(pfn)) return false;
      putPage(pfn, " < kfree");
      return true;
    },
    strike(pfn, bits, how) {
      const now = how === "or" ? flags(pfn) | bits : bits;
      if (onList(pfn) && (now & BUDDY) === 0) unmarked[pfn] = 1;
      own[pfn] = onList(pfn) ? now & ~BUDDY : now;
    },
    lost: () => lost,
  };
  return view;
}
