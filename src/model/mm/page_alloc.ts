// The page allocator: requests in, pages out. Zones are tried in zonelist order against the low watermark; what fails goes the slow path.
// Follows mm/page_alloc.c of 6.1.192; other releases and the policies before 2.6.24 change named rules, not this order of things.
//
//   allocPages ── fast: low mark ──▶ zone by zone: watermark · per-CPU list · free lists · fallback
//        └────── slow: wake kswapd · min mark with the request's rights · reclaim, compaction · no

import { BadInput } from "../../base/bad_input.ts";
import { eventKind } from "../../kernel/events.ts";
import type { AllocatorGfp } from "../../kernel/facts/allocator_gfp.ts";
import type { MigrateTypes } from "../../kernel/facts/mm_types.ts";
import type { Journal } from "../journal.ts";
import { allocFlag } from "./alloc_flags.ts";
import type { Trouble } from "./bad_page.ts";
import type { FreeArea } from "./free_area.ts";
import type { Memory } from "./memory.ts";
import { record, word, zoneField, zoneFlag, zoneStride } from "./memory.ts";
import type { PageAllocator } from "./pages.ts";
import type { PcpLists } from "./pcp/pcp.ts";
import type { Placement } from "./placement.ts";
import type { WatermarkTest } from "./zone_watermark.ts";

const NEXT = record.next;
const WORD = record.word;
const REFERENCES = record.references;
const STATE_MASK = word.stateMask;
const ORDER_MASK = word.orderMask;
const TAKEN = word.taken;
const ZONE_SHIFT = word.zoneShift;
const TYPE_SHIFT = word.typeShift;
const PFMEMALLOC = word.pfmemalloc;
const LRU = word.lru;
const COMPOUND = word.compound;
const KEEP_ON_FREE = word.zoneMask | word.stateMask | word.orderMask;
const ZONE_ROW = Math.log2(zoneStride);
const TYPE = zoneField.type;
const NODE = zoneField.node;
const FLAGS = zoneField.flags;
const FREE = zoneField.free;
const LOWMEM = zoneField.lowmemReserve;
const WMARK_LOW = allocFlag.wmarkLow;
const WMARK_MASK = allocFlag.wmarkMask;
const NO_WATERMARKS = allocFlag.noWatermarks;
const NO_FRAGMENT = allocFlag.noFragment;
const HIGHATOMIC_FLAG = allocFlag.highatomic;
const OOM_OR_NON_BLOCK = allocFlag.oom | allocFlag.nonBlock;
const CMA_FLAG = allocFlag.cma;
const KSWAPD_FLAG = allocFlag.kswapd;
const BOOSTED = zoneFlag.boostedWatermark;

/** What a release changes about requests. */
export interface RequestRules {
  readonly types: MigrateTypes;
  readonly gfp: AllocatorGfp;
  /** Grouping by mobility is off: every request counts as unmovable. */
  readonly groupingDisabled: boolean;
  /** The one type that is served from per-CPU lists, or -1 for all. */
  readonly pcpOnlyType: number;
  /** ALLOC_NOFRAGMENT (since 5.0): the zone type it applies to (Normal with a DMA32 below), or -1. */
  readonly noFragmentType: number;
  /** vm.defrag_mode: ALLOC_NOFRAGMENT for every request, and only the slow path may take it away. */
  readonly defragMode: boolean;
  /** A request that finds nothing else may take from the atomic reserve when it cannot wait or is an OOM victim (rmqueue_buddy(), since 5.19). */
  readonly lastResort: boolean;
  /** Only pages from the free lists make an atomic reserve. */
  readonly reservesFromFreeLists: boolean;
  /** The fast path, too, lets atomic high orders use the reserve (MmRules). */
  readonly atomicFromTheStart: boolean;
  /** Who takes ZONE_BOOSTED_WATERMARK away and wakes kswapd for it: whoever asks the zone, whoever also gets a page, whoever may wake kswapd. */
  readonly boostSeenBy: "anybody" | "who gets a page" | "who wakes kswapd";
}

/** A request as the slow path sees it. */
export interface Request {
  gfp: number;
  order: number;
  /** Highest zone type that will do. */
  highest: number;
  migratetype: number;
  /** Where its zonelist begins, an index into Memory.zonelists. */
  zonelist: number;
}

/** What happens when no zone is above its low watermark; slow_path.ts. Returns a pfn or -1. */
export type SlowPath = (request: Request) => number;

/** The parts that a machine put together; machine_memory.ts does it in boot order. */
export interface AllocatorParts {
  readonly memory: Memory;
  readonly area: FreeArea;
  readonly placement: Placement;
  readonly pcp: PcpLists;
  readonly watermarks: WatermarkTest;
  readonly trouble: Trouble;
  readonly journal: Journal;
  readonly rules: RequestRules;
  /** Node of each CPU. */
  readonly nodeOfCpu: Int32Array;
}

export interface PageAlloc {
  readonly pages: PageAllocator;
  /** get_page_from_freelist(): the zones of a zonelist, first without fragmenting when the flags say so. -1 when none may or can. */
  getPageFromFreelist: (
    gfp: number,
    order: number,
    flags: number,
    highest: number,
    type: number,
    zonelist: number,
  ) => number;
  /** gfp_migratetype(). */
  migratetypeOf: (gfp: number) => number;
  /** gfp_zone(): the highest zone type that will do. */
  highestZoneOf: (gfp: number) => number;
  /** wake_all_kswapds(): once for each node of the zonelist; in defrag mode for whole pageblocks. */
  wakeAllKswapds: (asked: Request) => void;
  setSlowPath(path: SlowPath): void;
  setWake(hear: (z: number, order: number) => void): void;
}

export function createPageAlloc(parts: AllocatorParts): PageAlloc {
  const { memory, journal, trouble, nodeOfCpu } = parts;
  const { page, zone, zonelists, zonelistStart, pcpListBase, pcpLists } = memory;
  const { orders, pageblockOrder, pcpMaxOrder, pcpHugeOrder, nodes, cpus, zoneTypes } = memory.spec;
  const { rmqueue, freeType, reserveHighatomic } = parts.placement;
  const { rmqueuePcp, takeFrom, takeHead, freePcp, byType: listsByType, lastWord } = parts.pcp;
  const { markOf, zoneOk, maySpend, firstMark, hasBlock, blocksDecide } = parts.watermarks;
  const { rmqueueSmallest, freeWhole, account } = parts.area;
  const { types, gfp: bits, groupingDisabled, pcpOnlyType, noFragmentType, defragMode } = parts.rules;
  const { lastResort, reservesFromFreeLists, boostSeenBy, atomicFromTheStart } = parts.rules;
  const { unmovable: UNMOVABLE, movable: MOVABLE, reclaimable: RECLAIMABLE, highatomic: HIGHATOMIC } = types;
  const { isolate: ISOLATE, cma } = types;
  const MOVABLE_BIT = bits.movable;
  const RECLAIMABLE_BIT = bits.reclaimable;
  const KSWAPD_BIT = bits.kswapdReclaim;
  const COMP_BIT = bits.comp;
  const THISNODE_BIT = bits.thisnode;
  /** Of these, a request that may use the atomic reserve has __GFP_HIGH only. */
  const HURRIED_BITS = bits.high | bits.directReclaim | bits.nomemalloc;
  const highestOf = zoneTable(zoneTypes, bits);
  const allocEvent = eventKind.mm_page_alloc;
  const freeEvent = eventKind.mm_page_free;
  const request: Request = { gfp: 0, order: 0, highest: 0, migratetype: 0, zonelist: 0 };
  let slowPath: SlowPath = () => -1;

  /** Highest order of the quick way: lists by type whose head may be popped, and a watermark test that one block satisfies. */
  const quickOrder =
    cma >= 0 || !listsByType || pcpOnlyType >= 0 ? -1 : blocksDecide ? pcpMaxOrder : Math.min(0, pcpMaxOrder);

  const throughPcp = (order: number): boolean => order <= pcpMaxOrder || order === pcpHugeOrder;

  const migratetypeOf = (gfp: number): number =>
    groupingDisabled || (gfp & (MOVABLE_BIT | RECLAIMABLE_BIT)) === 0
      ? UNMOVABLE
      : (gfp & MOVABLE_BIT) !== 0
        ? MOVABLE
        : RECLAIMABLE;

  const highestZoneOf = (gfp: number): number => highestOf[(gfp & 7) | ((gfp & MOVABLE_BIT) !== 0 ? 8 : 0)]!;

  /** rmqueue_buddy(): straight from the free lists, with the high-order atomic reserve before and after for those who may. */
  const rmqueueBuddy = (z: number, order: number, type: number, allocFlags: number): number => {
    for (;;) {
      let pfn = -1;
      if (HIGHATOMIC >= 0 && (allocFlags & HIGHATOMIC_FLAG) !== 0) pfn = rmqueueSmallest(z, order, HIGHATOMIC, type);
      if (pfn < 0) pfn = rmqueue(z, order, type, allocFlags);
      if (pfn < 0 && lastResort && (allocFlags & OOM_OR_NON_BLOCK) !== 0)
        pfn = rmqueueSmallest(z, order, HIGHATOMIC, type);
      if (pfn < 0) return -1;
      account.handedOut(z, order, (page[(pfn << 2) | WORD]! >> TYPE_SHIFT) & 7);
      if (page[(pfn << 2) | REFERENCES] !== 0) {
        trouble.badPage(pfn, "nonzero _refcount");
        continue;
      }
      // Who asks with this flag at the low mark has not come that far.
      if (reservesFromFreeLists && (allocFlags & (HIGHATOMIC_FLAG | WMARK_MASK)) === HIGHATOMIC_FLAG)
        reserveHighatomic(pfn, z, order);
      return pfn;
    }
  };

  /** Whether a request in a zone takes the mark that its watermarks were boosted away, and wakes kswapd for it. */
  const seesBoost: (order: number, got: boolean, allocFlags: number) => boolean =
    boostSeenBy === "anybody"
      ? () => true
      : boostSeenBy === "who wakes kswapd"
        ? (_order, _got, allocFlags) => (allocFlags & KSWAPD_FLAG) !== 0
        : (order, got) => got || order === 0;

  /** rmqueue(). */
  const takeFromZone = (z: number, order: number, type: number, allocFlags: number): number => {
    let pfn = -1;
    const fromLists =
      throughPcp(order) &&
      (pcpOnlyType < 0 || type === pcpOnlyType) &&
      (cma < 0 || (allocFlags & CMA_FLAG) !== 0 || type !== MOVABLE);
    if (fromLists) pfn = rmqueuePcp(z, order, type, allocFlags);
    if (pfn < 0 && !(fromLists && lastWord)) pfn = rmqueueBuddy(z, order, type, allocFlags);
    if ((zone[(z << ZONE_ROW) | FLAGS]! & BOOSTED) !== 0 && seesBoost(order, pfn >= 0, allocFlags)) {
      zone[(z << ZONE_ROW) | FLAGS] = zone[(z << ZONE_ROW) | FLAGS]! & ~BOOSTED;
      wakeKswapd(z, 0);
    }
    return pfn;
  };

  /** prep_new_page(): one reference, and what the page has to remember of its request. */
  const prepare = (pfn: number, order: number, gfp: number, allocFlags: number): void => {
    const at = pfn << 2;
    page[at | REFERENCES] = 1;
    const compound = order > 0 && (gfp & COMP_BIT) !== 0 ? COMPOUND : 0;
    const pfmemalloc = (allocFlags & NO_WATERMARKS) !== 0 ? PFMEMALLOC : 0;
    if ((compound | pfmemalloc) !== 0) page[at | WORD] = page[at | WORD]! | compound | pfmemalloc;
  };

  const getPageFromFreelist = (
    gfp: number,
    order: number,
    flags: number,
    highest: number,
    type: number,
    zonelist: number,
  ): number => {
    let allocFlags = flags;
    const noFallback = (flags & NO_FRAGMENT) !== 0 && !defragMode;
    const preferredNode = nodes > 1 ? zone[(zonelists[zonelist]! << ZONE_ROW) | NODE]! : 0;
    for (;;) {
      let leftNode = false;
      for (let k = zonelist; ; k++) {
        const z = zonelists[k]!;
        if (z < 0) break;
        if (nodes > 1 && zone[(z << ZONE_ROW) | NODE] !== preferredNode) {
          if ((gfp & THISNODE_BIT) !== 0) break;
          if (noFallback && (allocFlags & NO_FRAGMENT) !== 0) {
            leftNode = true;
            break;
          }
        }
        if (!maySpend(z, order, highest, allocFlags, gfp) && (allocFlags & NO_WATERMARKS) === 0) continue;
        const pfn = takeFromZone(z, order, type, allocFlags);
        if (pfn < 0) continue;
        prepare(pfn, order, gfp, allocFlags);
        if (HIGHATOMIC >= 0 && !reservesFromFreeLists && (allocFlags & HIGHATOMIC_FLAG) !== 0)
          reserveHighatomic(pfn, z, order);
        return pfn;
      }
      if (!leftNode && (!noFallback || (allocFlags & NO_FRAGMENT) === 0)) return -1;
      allocFlags &= ~NO_FRAGMENT;
    }
  };

  /** ALLOC_KSWAPD, ALLOC_CMA for movable requests, since 7.3 ALLOC_HIGHATOMIC: as the fast path sets them. */
  const fastFlags = (gfp: number, order: number, type: number, zonelist: number): number => {
    let flags = WMARK_LOW;
    if (KSWAPD_BIT === 0 || (gfp & KSWAPD_BIT) !== 0) flags |= KSWAPD_FLAG;
    if (cma >= 0 && type === MOVABLE) flags |= CMA_FLAG;
    if (atomicFromTheStart && order > 0 && (gfp & HURRIED_BITS) === bits.high) flags |= HIGHATOMIC_FLAG;
    if (defragMode || (noFragmentType >= 0 && zone[(zonelists[zonelist]! << ZONE_ROW) | TYPE] === noFragmentType))
      flags |= NO_FRAGMENT;
    return flags;
  };

  /**
   * The common case in one piece, to the same effect as the long way: a small block for a request whose preferred zone is above its low
   * watermark and whose list on this CPU is not empty. -1: take the long way.
   */
  const takeQuick = (gfp: number, order: number): number => {
    const highest = highestZoneOf(gfp);
    const cpu = journal.cpu;
    const z = zonelists[zonelistStart[(nodeOfCpu[cpu]! << 3) | highest]!]!;
    if (z < 0) return -1;
    const at = z << ZONE_ROW;
    const size = 1 << order;
    if (
      zone[at | FREE]! - (size - 1) <= firstMark(z) + zone[at + LOWMEM + highest]! ||
      (zone[at | FLAGS]! & BOOSTED) !== 0
    )
      return -1;
    const list = pcpListBase + (z * cpus + cpu) * pcpLists + 3 * order + migratetypeOf(gfp);
    if (page[(list << 2) | NEXT] === list || (order > 0 && !hasBlock(z, order, WMARK_LOW))) return -1;
    const pfn = takeHead(z, list, order);
    if (order > 0 && (gfp & COMP_BIT) !== 0) page[(pfn << 2) | WORD] = page[(pfn << 2) | WORD]! | COMPOUND;
    page[(pfn << 2) | REFERENCES] = 1;
    return pfn;
  };

  const allocPages = (gfp: number, order: number): number => {
    if (order >>> 0 !== order)
      throw new BadInput(`allocPages(): order is ${order}; it must be a whole number from 0 on.`);
    if (order <= quickOrder) {
      const pfn = takeQuick(gfp, order);
      if (pfn >= 0) {
        if (journal.heard) journal.emit(allocEvent, pfn, order, gfp, migratetypeOf(gfp));
        return pfn;
      }
    }
    return allocLongWay(gfp, order);
  };

  const allocLongWay = (gfp: number, order: number): number => {
    if (order >= orders) return -1;
    const highest = highestZoneOf(gfp);
    const type = migratetypeOf(gfp);
    const zonelist = zonelistStart[nodeOfCpu[journal.cpu]! * 8 + highest]!;
    if (zonelists[zonelist]! < 0) return -1;
    let pfn = getPageFromFreelist(gfp, order, fastFlags(gfp, order, type, zonelist), highest, type, zonelist);
    if (pfn < 0) {
      request.gfp = gfp;
      request.order = order;
      request.highest = highest;
      request.migratetype = type;
      request.zonelist = zonelist;
      pfn = slowPath(request);
    }
    if (journal.heard) journal.emit(allocEvent, pfn, order, gfp, type);
    return pfn;
  };

  /** alloc_pages_bulk_array(): order 0 from one zone's per-CPU list; what does not fit that picture is asked one by one. */
  const allocPagesBulk = (gfp: number, want: number, into: Int32Array): number => {
    if (want <= 0) return 0;
    const type = migratetypeOf(gfp);
    const zonelist = zonelistStart[nodeOfCpu[journal.cpu]! * 8 + highestZoneOf(gfp)]!;
    const z = want > 1 ? bulkZone(gfp, want, type, zonelist) : -1;
    let got = 0;
    if (z >= 0) {
      const allocFlags = WMARK_LOW | (cma >= 0 && type === MOVABLE ? CMA_FLAG : 0);
      for (; got < want; got++) {
        const pfn = takeFrom(z, 0, type, allocFlags);
        if (pfn < 0) break;
        prepare(pfn, 0, gfp, 0);
        into[got] = pfn;
        if (journal.heard) journal.emit(allocEvent, pfn, 0, gfp, type);
      }
      if (got > 0) return got;
    }
    const pfn = allocPages(gfp, 0);
    if (pfn < 0) return 0;
    into[0] = pfn;
    return 1;
  };

  /** The local zone that a bulk request may use: low watermark plus the pages wanted, reserves counted for the preferred zone. */
  const bulkZone = (gfp: number, want: number, type: number, zonelist: number): number => {
    const preferred = zonelists[zonelist]!;
    if (preferred < 0) return -1;
    const allocFlags = WMARK_LOW | (cma >= 0 && type === MOVABLE ? CMA_FLAG : 0);
    for (let k = zonelist; ; k++) {
      const z = zonelists[k]!;
      if (z < 0 || zone[(z << ZONE_ROW) | NODE] !== zone[(preferred << ZONE_ROW) | NODE]) return -1;
      const mark = markOf(z, allocFlags) + want;
      if (zoneOk(z, 0, mark, zone[(preferred << ZONE_ROW) | TYPE]!, allocFlags, gfp)) return z;
    }
  };

  /** free_the_page(): the last reference is gone. */
  const freeUnused = (pfn: number, order: number, w: number): void => {
    if (journal.heard) journal.emit(freeEvent, pfn, order);
    const type = freeType(pfn);
    if (type < 3 && (order <= pcpMaxOrder || order === pcpHugeOrder)) {
      page[(pfn << 2) | WORD] = (w & KEEP_ON_FREE) | (type << TYPE_SHIFT);
      freePcp(pfn, (w >> ZONE_SHIFT) & 0x3f, order, type);
    } else freeElsewhere(pfn, order, w, type);
  };

  /** Orders without per-CPU lists, isolated pageblocks, and the types that share the movable lists. */
  const freeElsewhere = (pfn: number, order: number, w: number, type: number): void => {
    const z = (w >> ZONE_SHIFT) & 0x3f;
    if (!throughPcp(order) || type === ISOLATE) freeWhole(pfn, z, order, type);
    else {
      page[(pfn << 2) | WORD] = (w & KEEP_ON_FREE) | (type << TYPE_SHIFT);
      freePcp(pfn, z, order, MOVABLE);
    }
  };

  /** A free that the model refuses: not a block's head, not in use, of another order, or still on an LRU list. The kernel may notice only later. */
  const refuseFree = (pfn: number, order: number): void => {
    const w = page[(pfn << 2) | WORD]!;
    if ((w & STATE_MASK) !== TAKEN) {
      trouble.warn("free of a page that is not in use", pfn, order);
      return;
    }
    if ((w & ORDER_MASK) !== order) {
      trouble.warn("free with another order than it was allocated with", pfn, order);
      return;
    }
    const references = page[(pfn << 2) | REFERENCES]!;
    if (references > 0) {
      // Still on an LRU list: the last reference finds PG_lru set, and the page is lost.
      if (references > 1) page[(pfn << 2) | REFERENCES] = references - 1;
      else trouble.badPage(pfn, "PAGE_FLAGS_CHECK_AT_FREE flag(s) set");
      return;
    }
    trouble.warn("double free", pfn, order);
    // The kernel's count goes below zero; it will say "nonzero _refcount" when the page leaves its list.
    page[(pfn << 2) | REFERENCES] = page[(pfn << 2) | REFERENCES]! - 1;
  };

  const freePages = (pfn: number, order: number): void => {
    const w = page[(pfn << 2) | WORD]!;
    const references = page[(pfn << 2) | REFERENCES]!;
    if ((w & (STATE_MASK | ORDER_MASK | LRU)) !== (TAKEN | order) || references <= 0) refuseFree(pfn, order);
    else {
      page[(pfn << 2) | REFERENCES] = references - 1;
      if (references === 1) freeUnused(pfn, order, w);
    }
  };

  /** The head of the taken block around a page; the page itself when nobody the model knows has it. */
  const compoundHead = (pfn: number): number => {
    if ((page[(pfn << 2) | WORD]! & STATE_MASK) === TAKEN) return pfn;
    for (let order = 1; order < orders; order++) {
      const head = pfn & -(1 << order);
      const w = page[(head << 2) | WORD]!;
      if ((w & STATE_MASK) === TAKEN && (w & ORDER_MASK) >= order) return head;
    }
    return pfn;
  };

  const addPageRefs = (pfn: number, n: number): void => {
    const head = compoundHead(pfn);
    const references = page[(head << 2) | REFERENCES]!;
    const w = page[(head << 2) | WORD]!;
    if ((w & STATE_MASK) !== TAKEN || references <= 0) {
      trouble.warn("reference to a free page", pfn, n);
      return;
    }
    if (references + n < 0) {
      trouble.warn("more references dropped than held", pfn, n);
      return;
    }
    page[(head << 2) | REFERENCES] = references + n;
    if (references + n === 0) freeUnused(head, w & ORDER_MASK, w);
  };

  /** wakeup_kswapd(); reclaim.ts listens. */
  let wake: (z: number, order: number) => void = () => {};
  const wakeKswapd = (z: number, order: number): void => wake(z, order);

  const wakeAllKswapds = (asked: Request): void => {
    let last = -1;
    for (let k = asked.zonelist; zonelists[k]! >= 0; k++) {
      const node = zone[(zonelists[k]! << ZONE_ROW) | NODE]!;
      if (node !== last) wakeKswapd(zonelists[k]!, defragMode ? Math.max(asked.order, pageblockOrder) : asked.order);
      last = node;
    }
  };

  const pages: PageAllocator = {
    allocPages,
    freePages,
    getPage: (pfn) => addPageRefs(pfn, 1),
    putPage(pfn) {
      const head = compoundHead(pfn);
      freePages(head, page[(head << 2) | WORD]! & ORDER_MASK);
    },
    pageCount: (pfn) => page[(compoundHead(pfn) << 2) | REFERENCES]!,
    addPageRefs,
    compoundHead,
    compoundOrder: (pfn) => page[(compoundHead(pfn) << 2) | WORD]! & ORDER_MASK,
    allocPagesBulk,
    isPfmemalloc: (pfn) => (page[(compoundHead(pfn) << 2) | WORD]! & PFMEMALLOC) !== 0,
    nodeOf: (pfn) => {
      const w = page[(compoundHead(pfn) << 2) | WORD]!;
      return zone[(((w >> ZONE_SHIFT) & 0x3f) << ZONE_ROW) | NODE]!;
    },
  };

  return {
    pages,
    getPageFromFreelist,
    migratetypeOf,
    highestZoneOf,
    wakeAllKswapds,
    setSlowPath(path: SlowPath): void {
      slowPath = path;
    },
    setWake(hear: (z: number, order: number) => void): void {
      wake = hear;
    },
  };
}

/** gfp_zone() for the 16 combinations of DMA, HIGHMEM, DMA32 and MOVABLE (bits 0 to 3). */
function zoneTable(zoneTypes: readonly string[], bits: AllocatorGfp): Uint8Array {
  const normal = zoneTypes.indexOf("Normal");
  const or = (name: string, otherwise: number): number => {
    const at = zoneTypes.indexOf(name);
    return at >= 0 ? at : otherwise;
  };
  return Uint8Array.from({ length: 16 }, (_, i) => {
    if ((i & bits.dma) !== 0) return or("DMA", normal);
    if (bits.dma32 !== 0 && (i & bits.dma32) !== 0) return or("DMA32", normal);
    if ((i & bits.highmem) === 0) return normal;
    return (i & 8) !== 0 ? or("Movable", or("HighMem", normal)) : or("HighMem", normal);
  });
}
