// A machine's memory, put together in boot order: columns, free lists, placement, per-CPU lists, watermarks, allocator, slow path.
// One instance is one machine, all zones, nodes and CPUs of it; where speed matters, keep one machine to a process.
import { assert, assertNever } from "../../base/assert.ts";
import type { Journal } from "../journal.ts";
import { createTrouble } from "./bad_page.ts";
import type { FreeArea } from "./free_area.ts";
import { createFreeArea } from "./free_area.ts";
import type { Memory, MemorySpec } from "./memory.ts";
import { createMemory, typesMax } from "./memory.ts";
import type { PageAlloc } from "./page_alloc.ts";
import { createPageAlloc } from "./page_alloc.ts";
import type { PageAllocator } from "./pages.ts";
import type { MmParts } from "./parts.ts";
import type { PcpLists } from "./pcp/pcp.ts";
import type { Placement } from "./placement.ts";
import { createPlacement2005, globalList } from "./placement_2005.ts";
import { createClassic } from "./placement_classic.ts";
import { createMobility } from "./placement_mobility.ts";
import type { TaskContext } from "./rights.ts";
import { plainTask } from "./rights.ts";
import type { MmRules } from "./rules.ts";
import type { Rescue } from "./slow_path.ts";
import { createSlowPath } from "./slow_path.ts";
import type { WatermarkTest } from "./zone_watermark.ts";
import { createWatermarkTest } from "./zone_watermark.ts";

export interface MachineMemoryOptions {
  readonly spec: MemorySpec;
  readonly journal: Journal;
  /** A kernel's list (model/kernels/). */
  readonly parts: MmParts;
  /** Left out: the kernel's own, as a stock configuration has them. */
  readonly rules?: MmRules;
  /** Node of each CPU; all on node 0 when left out. */
  readonly nodeOfCpu?: readonly number[];
  readonly task?: TaskContext;
}

export interface MachineMemory {
  /** Reclaim and compaction for those who may sleep; reclaim.ts sets it. */
  setRescue(to: Rescue): void;
  readonly memory: Memory;
  readonly area: FreeArea;
  readonly placement: Placement;
  readonly pcp: PcpLists;
  readonly watermarks: WatermarkTest;
  readonly alloc: PageAlloc;
  readonly pages: PageAllocator;
  /** Who runs: what a request is charged to. */
  readonly task: TaskContext;
  readonly rules: MmRules;
  readonly parts: MmParts;
  readonly journal: Journal;
}

export function createMachineMemory(options: MachineMemoryOptions): MachineMemory {
  const { spec, journal, parts, rules = parts.rules() } = options;
  const { types } = rules;
  const memory = createMemory(spec);
  const trouble = createTrouble(memory, journal);
  const account = parts.account.make(memory, journal, types);
  const area = createFreeArea(memory, journal, account, {
    wholeBlocksTo: rules.policy === "placement-2005" ? globalList : -1,
    mergeLikelyToTail: rules.mergeLikelyToTail,
    unmergeableFrom: unmergeableFrom(rules),
    isolate: types.isolate,
    blocksFollowLists: rules.blocksFollowLists,
    lockedNamesRequest: rules.lockedNamesRequest,
  });
  const placement = createPlacement(memory, area, journal, rules, parts);
  const watermarks = createWatermarkTest(memory, area, rules);
  const pcp = parts.pcp.make({
    memory,
    area,
    placement,
    watermarks,
    journal,
    trouble,
    rules: { movable: types.movable, cma: types.cma, drainsByBlock: rules.blocksFollowLists },
  });
  const alloc = createPageAlloc({
    memory,
    area,
    placement,
    pcp,
    watermarks,
    trouble,
    journal,
    rules: {
      types,
      gfp: rules.gfp,
      groupingDisabled: rules.groupingDisabled,
      defragMode: rules.defragMode,
      lastResort: rules.lastResort && types.highatomic >= 0,
      reservesFromFreeLists: parts.highatomic.fromFreeListsOnly,
      boostSeenBy: rules.boostSeenBy,
      atomicFromTheStart: rules.atomicFromTheStart && types.highatomic >= 0,
      pcpOnlyType: rules.pcpOnlyType,
      noFragmentType:
        rules.avoidFragmenting && spec.zoneTypes.includes("DMA32") ? spec.zoneTypes.indexOf("Normal") : -1,
    },
    nodeOfCpu: Int32Array.from(options.nodeOfCpu ?? Array.from({ length: spec.cpus }, () => 0)),
  });
  const task = options.task ?? plainTask();
  const slow = createSlowPath(alloc, journal, rules, task);
  alloc.setSlowPath(slow.path);
  return {
    setRescue: slow.setRescue,
    memory,
    area,
    placement,
    pcp,
    watermarks,
    alloc,
    pages: alloc.pages,
    task,
    rules,
    parts,
    journal,
  };
}

/** The first type that does not merge with others at pageblock order and above. */
function unmergeableFrom({ unmergeable, types }: MmRules): number {
  if (unmergeable === "none") return typesMax;
  return unmergeable === "isolate" ? types.isolate : types.highatomic;
}

function createPlacement(memory: Memory, area: FreeArea, journal: Journal, rules: MmRules, parts: MmParts): Placement {
  switch (rules.policy) {
    case "classic":
      return createClassic(area);
    case "placement-2005": {
      const top = memory.spec.orders - 1;
      assert(
        memory.spec.pageblockOrder === top,
        () => `placement-2005 has blocks of order ${top}, not ${memory.spec.pageblockOrder}`,
      );
      return createPlacement2005(area, top, rules.fallbacks);
    }
    case "mobility":
      return createMobility(
        memory,
        area,
        rules,
        parts.fallback.make(memory, area, journal, rules),
        parts.highatomic.make(memory, area, rules),
      );
    default:
      return assertNever(rules.policy, "policy");
  }
}
