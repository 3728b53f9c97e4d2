// Memory compaction: movable pages walk from the bottom of a zone to free pages at its top, so that blocks grow together below.
//
//   m.m.m.m. ........   →   ........ m.m.m.m.      migration scanner →     ← free scanner
//
// Follows mm/compaction.c of 6.1.192 in effect: which pageblocks are sources and targets, when it is worth starting, when it has won.
// Not modelled: cached scanner positions, skip marks, deferral after failures, capture of the finished block, lock contention.
import { eventKind } from "../../kernel/events.ts";
import type { Journal } from "../journal.ts";
import { allocFlag } from "./alloc_flags.ts";
import { fragmentationIndex } from "./fragmentation.ts";
import type { Lru } from "./lru.ts";
import type { MachineMemory } from "./machine_memory.ts";
import { record, word, zoneField, zoneStride } from "./memory.ts";
import { freeBlocks } from "./observe.ts";
import type { CompactResult } from "./slow_path.ts";

export interface Compaction {
  /** compaction_suitable(): no block yet, but enough single pages above the low mark to work with. */
  suitable: (z: number, order: number, allocFlags: number, highest: number) => "success" | "skipped" | "continue";
  /** compact_zone(). Returns how many pages moved through `moved`. `done`: when it is over, where that is not a block of the order. */
  compactZone: (
    z: number,
    order: number,
    migratetype: number,
    priority: number,
    done?: () => boolean,
  ) => {
    won: boolean;
    moved: number;
  };
  /** compact_zone_order() with its event. */
  compact(
    z: number,
    order: number,
    migratetype: number,
    allocFlags: number,
    highest: number,
    priority: number,
  ): CompactResult;
}

export function createCompaction(machine: MachineMemory, lru: Lru): Compaction {
  const { memory, area, watermarks, rules } = machine;
  const journal: Journal = machine.journal;
  const { page, zone } = memory;
  const { spec } = memory;
  const { types } = rules;
  const blockPages = 1 << spec.pageblockOrder;
  const wordOf = (pfn: number): number => page[(pfn << 2) | record.word]!;

  /** By the fragmentation index a failure would be for lack of memory: then nothing is compacted (vm.extfrag_threshold). */
  const isShort = (z: number, order: number): boolean => {
    const index = fragmentationIndex(freeBlocks(machine, z), order);
    return index >= 0 && index <= rules.extfragThreshold;
  };

  const suitable = (
    z: number,
    order: number,
    allocFlags: number,
    highest: number,
  ): "success" | "skipped" | "continue" => {
    const mark = watermarks.markOf(z, allocFlags);
    if (watermarks.ok(z, order, mark, highest, allocFlags, watermarks.globalFree(z))) return "success";
    const costly = order > 3;
    const base =
      zone[z * zoneStride + (costly ? zoneField.low : zoneField.min)]! + zone[z * zoneStride + zoneField.boost]!;
    const gap = base + (2 << order);
    if (!watermarks.ok(z, 0, gap, highest, allocFlag.cma, watermarks.globalFree(z))) return "skipped";
    return (costly || !rules.extfragCostlyOnly) && isShort(z, order) ? "skipped" : "continue";
  };

  /** suitable_migration_target(): movable pageblocks, or whole free ones. */
  const isTarget = (pfn: number): boolean => {
    const type = area.blockTypeOf(pfn);
    return type === types.movable || (types.cma >= 0 && type === types.cma);
  };

  /** Async compaction takes pages out of movable pageblocks only; a request for another type empties blocks of its own type too. */
  const isSource = (pfn: number, priority: number, migratetype: number): boolean => {
    if (priority < 2) return true;
    const type = area.blockTypeOf(pfn);
    return type === types.movable || type === migratetype;
  };

  /** Takes a free page for migration out of the pageblock at `block`: order-0 pages first, splitting what is larger. -1 when it has none. */
  const takeTarget = (block: number, z: number, from: number): number => {
    for (let pfn = block; pfn < block + blockPages; ) {
      const w = wordOf(pfn);
      if ((w & word.stateMask) !== word.buddy) {
        pfn++;
        continue;
      }
      const order = w & word.orderMask;
      // Only pages above the migration scanner help.
      if (pfn > from) {
        area.take(pfn, z, 0, order, area.blockTypeOf(pfn));
        area.account.handedOut(z, 0, area.blockTypeOf(pfn));
        return pfn;
      }
      pfn += 1 << order;
    }
    return -1;
  };

  const giveBack = (pfn: number, z: number): void => {
    page[(pfn << 2) | record.references] = 0;
    area.freeOnePage(pfn, z, 0, area.blockTypeOf(pfn), false);
  };

  const compactZone = (
    z: number,
    order: number,
    migratetype: number,
    priority: number,
    done: () => boolean = () => hasBlock(z, order, migratetype),
  ): { won: boolean; moved: number } => {
    const start = zone[z * zoneStride + zoneField.start]!;
    const end = zone[z * zoneStride + zoneField.end]!;
    let free = (end - 1) & -blockPages;
    let moved = 0;
    for (let block = Math.ceil(start / blockPages) * blockPages; block < free; block += blockPages) {
      if (!isSource(block, priority, migratetype)) continue;
      for (let pfn = block; pfn < block + blockPages; pfn++) {
        if (!lru.isLru(pfn)) continue;
        let target = -1;
        while (target < 0 && free > block) {
          if (isTarget(free)) target = takeTarget(free, z, pfn);
          if (target < 0) free -= blockPages;
        }
        if (target < 0) return { won: done(), moved };
        page[(target << 2) | record.references] = 1;
        if (lru.replace(pfn, target)) {
          moved++;
          giveBack(pfn, z);
        } else giveBack(target, z);
      }
      if (done()) return { won: true, moved };
    }
    return { won: done(), moved };
  };

  /** __compact_finished(): a block of the order on the request's list, or one that it may steal whole. */
  const hasBlock = (z: number, order: number, migratetype: number): boolean => {
    for (let o = order; o < spec.orders; o++) {
      if (!area.isEmpty(z, o, migratetype)) return true;
      if (o >= spec.pageblockOrder || migratetype !== types.movable)
        for (const other of rules.fallbacks[migratetype] ?? []) if (!area.isEmpty(z, o, other)) return true;
      if (migratetype === types.movable && types.cma >= 0 && !area.isEmpty(z, o, types.cma)) return true;
    }
    return false;
  };

  return {
    suitable,
    compactZone,
    compact(
      z: number,
      order: number,
      migratetype: number,
      allocFlags: number,
      highest: number,
      priority: number,
    ): CompactResult {
      const fit = suitable(z, order, allocFlags, highest);
      if (fit !== "continue") return fit;
      // Other CPUs keep theirs: lru_add_drain_cpu_zone() in compact_zone(), 6.1.192 and 7.2.12.
      machine.pcp.drainZone(z, journal.cpu);
      const { won, moved } = compactZone(z, order, migratetype, priority);
      if (journal.heard) journal.emit(eventKind.mm_compaction_end, order, won ? 1 : 0, moved);
      return won ? "success" : "complete";
    },
  };
}
