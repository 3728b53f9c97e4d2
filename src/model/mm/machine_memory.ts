// A machine's memory, put together in boot order: columns, free lists, placement, per-CPU lists, watermarks, allocator, slow path.
// One instance is one machine, all zones, nodes and CPUs of it; where speed matters, keep one machine to a process.
import type { AllocatorGfp, MigrateTypes } from "../../kernel/facts/mm_types.ts";
import { gfp61, migrateTypesOf } from "../../kernel/facts/mm_types.ts";
import type { WatermarkGeneration } from "../../kernel/facts/mm_watermark.ts";
import type { Journal } from "../journal.ts";
import { createTrouble } from "./bad_page.ts";
import { createFreeArea } from "./free_area.ts";
import type { MemorySpec } from "./memory.ts";
import { createMemory, typesMax } from "./memory.ts";
import { createPageAlloc } from "./page_alloc.ts";
import { createPcp } from "./pcp.ts";
import { createMobility } from "./placement_mobility.ts";
import type { TaskContext } from "./rights.ts";
import { plainTask } from "./rights.ts";
import type { Rescue } from "./slow_path.ts";
import { createSlowPath } from "./slow_path.ts";
import { createWatermarkTest } from "./zone_watermark.ts";

/** Everything that a release or a setting changes about the allocator, named. */
export interface MmRules {
  readonly types: MigrateTypes;
  readonly gfp: AllocatorGfp;
  readonly generation: WatermarkGeneration;
  readonly fallbacks: readonly (readonly [number, number])[];
  /** vm.watermark_boost_factor; 0 is off. */
  readonly boostFactor: number;
  readonly groupingDisabled: boolean;
  /** ALLOC_NOFRAGMENT exists (since 5.0) and the configuration has ZONE_DMA32. */
  readonly avoidFragmenting: boolean;
  readonly mergeLikelyToTail: boolean;
  /** PCP_BATCH_SCALE_MAX, or -1. */
  readonly pcpScaleMax: number;
}

/** The rules of 6.1.192 as Debian and the oracle kernels build it; `cma` adds CONFIG_CMA. */
export function rules61(cma = false): MmRules {
  const types = migrateTypesOf("4.4", cma);
  const fallbacks: [number, number][] = [];
  fallbacks[types.unmovable] = [types.reclaimable, types.movable];
  fallbacks[types.movable] = [types.reclaimable, types.unmovable];
  fallbacks[types.reclaimable] = [types.unmovable, types.movable];
  return {
    types,
    gfp: gfp61,
    generation: 3,
    fallbacks,
    boostFactor: 15000,
    groupingDisabled: false,
    avoidFragmenting: true,
    mergeLikelyToTail: true,
    pcpScaleMax: 5,
  };
}

export interface MachineMemoryOptions {
  readonly spec: MemorySpec;
  readonly journal: Journal;
  readonly rules: MmRules;
  /** Node of each CPU; all on node 0 when left out. */
  readonly nodeOfCpu?: readonly number[];
  readonly task?: TaskContext;
  readonly rescue?: Rescue;
}

export type MachineMemory = ReturnType<typeof createMachineMemory>;

export function createMachineMemory(options: MachineMemoryOptions) {
  const { spec, journal, rules } = options;
  const { types } = rules;
  const memory = createMemory(spec);
  const trouble = createTrouble(memory, journal);
  const area = createFreeArea(memory, journal, {
    wholeBlocksTo: -1,
    mergeLikelyToTail: rules.mergeLikelyToTail,
    unmergeableFrom: types.highatomic >= 0 ? types.highatomic : typesMax,
    cma: types.cma,
    isolate: types.isolate,
  });
  const placement = createMobility(memory, area, journal, rules);
  const pcp = createPcp(memory, area, placement, journal, trouble, {
    scaleMax: rules.pcpScaleMax,
    movable: types.movable,
    cma: types.cma,
  });
  const watermarks = createWatermarkTest(memory, area, rules.generation, types);
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
      noFragmentType:
        rules.avoidFragmenting && spec.zoneTypes.includes("DMA32") ? spec.zoneTypes.indexOf("Normal") : -1,
    },
    nodeOfCpu: Int32Array.from(options.nodeOfCpu ?? Array.from({ length: spec.cpus }, () => 0)),
  });
  const task = options.task ?? plainTask();
  alloc.setSlowPath(createSlowPath(alloc, journal, rules.gfp, types, rules.generation, task, options.rescue));
  return { memory, area, placement, pcp, watermarks, alloc, pages: alloc.pages, task, rules, journal };
}
