// Getting memory back: kswapd in the background, direct reclaim by the one who waits, compaction, and the active freeing that the article
// of 2005 names as missing. Models of effect on the LRU (lru.ts); the decisions around them are mm/vmscan.c's and mm/page_alloc.c's of 6.1.192.
import { eventKind } from "../../kernel/events.ts";
import { allocFlag } from "./alloc_flags.ts";
import type { Compaction } from "./compaction.ts";
import { createCompaction } from "./compaction.ts";
import type { Lru } from "./lru.ts";
import type { MachineMemory } from "./machine_memory.ts";
import { record, word, zoneField, zoneStride } from "./memory.ts";
import { freeBlocks } from "./observe.ts";
import type { Request } from "./page_alloc.ts";
import type { CompactResult, Rescue } from "./slow_path.ts";

/** SWAP_CLUSTER_MAX: what one round of direct reclaim is content with. */
const cluster = 32;
const defaultPriority = 12;

export interface ReclaimChoices {
  /** Compaction exists since 2.6.35. */
  readonly compaction: boolean;
  /** A high-order request that fails frees the neighbours of a small free block. */
  readonly activeFreeing: boolean;
  /** What an OOM kill frees; true when it freed something. Left out: nothing is killed. */
  readonly killSomething?: () => boolean;
}

export interface Reclaim {
  readonly rescue: Rescue;
  /** kswapd of a node is to run, as after a request of that order. */
  wake: (node: number, order: number) => void;
  readonly compaction: Compaction | undefined;
  drainAll: () => void;
  /** compact_nodes(), mm/compaction.c, 6.1.192: 1 written to compact_memory. Every movable page, whatever block comes of it; CPUs keep their lists. */
  compactAll(): void;
  /** Nodes whose kswapd was woken since it last ran. */
  woken: () => readonly number[];
  /** Lets kswapd of every woken node run to its end; pages freed. */
  runKswapd(): number;
}

/** Connects reclaim to a machine: its slow path calls it, and kswapd waits to be run. */
export function createReclaim(machine: MachineMemory, lru: Lru, choices: ReclaimChoices): Reclaim {
  const { memory, watermarks, placement, journal, pcp } = machine;
  const { zone, zonelists, spec } = { ...memory, spec: memory.spec };
  const compaction: Compaction | undefined = choices.compaction ? createCompaction(machine, lru) : undefined;
  const wanted = new Map<number, number>();

  const zonesOf = (request: Request): number[] => {
    const rows: number[] = [];
    for (let k = request.zonelist; zonelists[k]! >= 0; k++) rows.push(zonelists[k]!);
    return rows;
  };

  const drainAll = (): void => {
    const cpu = journal.cpu;
    for (let at = 0; at < spec.cpus; at++) {
      journal.cpu = at;
      for (let z = 0; z < spec.zones.length; z++) pcp.drainZone(z, at);
    }
    journal.cpu = cpu;
  };

  /** do_try_to_free_pages(): ever larger parts of the lists until a cluster of pages came free. */
  const reclaimZones = (rows: readonly number[], want: number): number => {
    let freed = 0;
    for (let priority = defaultPriority; priority >= 0 && freed < want; priority--)
      for (const z of rows)
        freed += lru.shrink(z, Math.max(lru.count(z) >> priority, Math.min(cluster, lru.count(z))), want);
    return freed;
  };

  /** zone_balanced() at the high mark. */
  const balanced = (z: number, order: number): boolean =>
    watermarks.ok(
      z,
      order,
      zone[z * zoneStride + zoneField.high]!,
      zone[z * zoneStride + zoneField.type]!,
      allocFlag.wmarkHigh,
      watermarks.globalFree(z),
    );

  /** NR_FREE_PAGES_BLOCKS: free pages of a zone that lie in whole pageblocks. */
  const freeInBlocks = (z: number): number =>
    freeBlocks(machine, z).reduce((n, count, order) => n + (order >= spec.pageblockOrder ? count << order : 0), 0);

  /**
   * In defrag mode kswapd reclaims a compaction gap and leaves the rest to kcompactd, which goes on until the high mark is met in whole pageblocks:
   * pgdat_balanced(), mm/vmscan.c, and __compact_finished(), mm/compaction.c, 7.2.12.
   */
  const makeWholeBlocks = (z: number): number => {
    const high = zone[z * zoneStride + zoneField.high]!;
    if (freeInBlocks(z) >= high) return 0;
    const freed = reclaimZones([z], 2 << spec.pageblockOrder);
    compaction?.compactZone(z, spec.pageblockOrder, machine.rules.types.movable, 1, () => freeInBlocks(z) >= high);
    return freed;
  };

  /** balance_pgdat(): every zone of the node up to its high mark, boost worked off, then compaction for the order that woke it. */
  const balanceNode = (node: number, order: number): number => {
    let freed = 0;
    for (let z = 0; z < spec.zones.length; z++) {
      if (zone[z * zoneStride + zoneField.node] !== node) continue;
      let left = lru.count(z);
      while (left > 0 && !balanced(z, 0)) {
        const got = reclaimZones([z], cluster);
        freed += got;
        if (got === 0) break;
        left -= got;
      }
      const boost = zone[z * zoneStride + zoneField.boost]!;
      if (boost > 0) freed += lru.shrink(z, boost, boost);
      zone[z * zoneStride + zoneField.boost] = 0;
      if (machine.rules.defragMode && order > 0) freed += makeWholeBlocks(z);
      else if (order > 0 && compaction !== undefined && !balanced(z, order))
        compaction.compact(
          z,
          order,
          machine.rules.types.movable,
          allocFlag.wmarkHigh,
          zone[z * zoneStride + zoneField.type]!,
          1,
        );
    }
    return freed;
  };

  /** Frees every page of the aligned region around a free block, if all of them can go. */
  const freeRegion = (start: number, order: number): boolean => {
    const { page } = memory;
    const parts: number[] = [];
    for (let pfn = start; pfn < start + (1 << order); ) {
      const w = page[(pfn << 2) | record.word]!;
      if ((w & word.stateMask) === word.buddy) pfn += 1 << (w & word.orderMask);
      else if (lru.isLru(pfn) && page[(pfn << 2) | record.references] === 1) parts.push(pfn++);
      else return false;
    }
    return parts.every((pfn) => lru.evict(pfn));
  };

  /** Active freeing: the largest free blocks first, the request's region around each. */
  const freeActively = (request: Request): CompactResult => {
    const { page } = memory;
    drainAll();
    for (const z of zonesOf(request)) {
      const tried = new Set<number>();
      for (let order = request.order - 1; order >= 0; order--) {
        for (let list = 0; list < 8; list++) {
          const blocks: number[] = [];
          for (let pfn = machine.area.firstOf(z, order, list); pfn >= 0 && pfn < memory.pages; pfn = page[pfn << 2]!)
            blocks.push(pfn);
          for (const pfn of blocks) {
            const start = pfn & -(1 << request.order);
            if (tried.has(start) || start < zone[z * zoneStride + zoneField.start]!) continue;
            tried.add(start);
            if (
              start + (1 << request.order) > zone[z * zoneStride + zoneField.end]! ||
              !freeRegion(start, request.order)
            )
              continue;
            drainAll();
            return "success";
          }
        }
      }
    }
    return "complete";
  };

  const rescue: Rescue = {
    directReclaim(request) {
      const freed = reclaimZones(zonesOf(request), cluster);
      if (journal.heard) journal.emit(eventKind.mm_vmscan_direct_reclaim_end, freed, request.order);
      return freed;
    },
    directCompact(request, allocFlags, priority) {
      if (choices.activeFreeing && request.order > 0) return freeActively(request);
      if (compaction === undefined) return "skipped";
      let best: CompactResult = "skipped";
      // Who may not fall back needs a block of its own type, or a whole pageblock (__alloc_pages_direct_compact(), 7.2.12).
      const whole = machine.rules.defragMode && request.migratetype !== machine.rules.types.movable;
      const order =
        whole && (allocFlags & allocFlag.noFragment) !== 0
          ? Math.max(request.order, spec.pageblockOrder)
          : request.order;
      for (const z of zonesOf(request)) {
        const result = compaction.compact(z, order, request.migratetype, allocFlags, request.highest, priority);
        if (result === "success") return result;
        if (result !== "skipped") best = result;
      }
      return best;
    },
    reclaimWouldHelp: (request, allocFlags) =>
      zonesOf(request).some((z) =>
        watermarks.ok(
          z,
          request.order,
          zone[z * zoneStride + zoneField.min]! + zone[z * zoneStride + zoneField.boost]!,
          request.highest,
          allocFlags,
          watermarks.globalFree(z) + lru.count(z),
        ),
      ),
    compactionSuitable: (request, allocFlags) =>
      compaction !== undefined &&
      zonesOf(request).some((z) =>
        watermarks.ok(
          z,
          0,
          zone[z * zoneStride + zoneField.min]! + (2 << request.order),
          request.highest,
          allocFlags,
          watermarks.globalFree(z) + Math.floor(lru.count(z) / Math.max(1, request.order)),
        ),
      ),
    drainAll,
    unreserveHighatomic: (request, force) =>
      machine.rules.types.highatomic >= 0 &&
      zonesOf(request).some((z) => placement.unreserveHighatomic(z, request.migratetype, force)),
    outOfMemory: () => choices.killSomething?.() ?? false,
  };
  const wake = (node: number, order: number): void => {
    if (journal.heard && !wanted.has(node)) journal.emit(eventKind.mm_vmscan_kswapd_wake, node, order);
    wanted.set(node, Math.max(order, wanted.get(node) ?? 0));
  };
  machine.setRescue(rescue);
  machine.alloc.setWake((z, order) => wake(zone[z * zoneStride + zoneField.node]!, order));
  return {
    rescue,
    wake,
    compaction,
    drainAll,
    compactAll(): void {
      for (let z = 0; z < spec.zones.length; z++)
        compaction?.compactZone(z, spec.orders, machine.rules.types.movable, 0);
    },
    woken: (): readonly number[] => [...wanted.keys()],
    runKswapd(): number {
      let freed = 0;
      for (const [node, order] of wanted) freed += balanceNode(node, order);
      wanted.clear();
      return freed;
    },
  };
}
