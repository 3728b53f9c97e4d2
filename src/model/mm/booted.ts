// A booted machine's memory in one call: release, policy, size; with user pages, kswapd, reclaim and what the release has of compaction.

import { BadInput, numberGiven } from "../../base/bad_input.ts";
import type { Release } from "../../kernel/release.ts";
import type { Journal } from "../journal.ts";
import { createJournal } from "../journal.ts";
import type { BootLayout, ZoneGiven } from "./boot.ts";
import { bootMemory, pc32, pc64, zonesGiven } from "./boot.ts";
import type { Lru } from "./lru.ts";
import { createLru } from "./lru.ts";
import type { MachineMemory } from "./machine_memory.ts";
import { createMachineMemory } from "./machine_memory.ts";
import type { ZoneName } from "./memory.ts";
import type { MmParts } from "./parts.ts";
import type { Reclaim } from "./reclaim.ts";
import { createReclaim } from "./reclaim.ts";
import type { PolicyName } from "./rules.ts";
import type { MarkSettings } from "./watermark_setup.ts";

export interface BootedOptions {
  /** Its architecture decides the machine's layout; what the kernel does is in its parts. */
  readonly release: Release;
  readonly memoryMb: number;
  readonly cpus?: number;
  readonly nodes?: number;
  /** Zones of a report instead of a PC's, with the zone types of its kernel; `memoryMb` is not read then. */
  readonly zones?: { readonly types: readonly ZoneName[]; readonly given: readonly ZoneGiven[] };
  /** vm.watermark_boost_factor (since 5.0); left out: the release's own. */
  readonly boostFactor?: number;
  /** vm.defrag_mode (since 6.15); off when left out. */
  readonly defragMode?: boolean;
  /** vm.extfrag_threshold (since 2.6.35), thousandths; 500 when left out. */
  readonly extfragThreshold?: number;
  /** Left out: the release's own. */
  readonly policy?: PolicyName;
  readonly activeFreeing?: boolean;
  /** Left out: as the release has it (since 2.6.35, mobility only). */
  readonly compaction?: boolean;
  readonly cma?: boolean;
  readonly journal?: Journal;
  readonly marks?: MarkSettings;
  /** What an OOM kill frees. */
  readonly killSomething?: () => boolean;
}

export interface BootedMemory extends MachineMemory {
  readonly layout: BootLayout;
  readonly lru: Lru;
  readonly reclaim: Reclaim;
  readonly minFreeKb: number;
  /** Asks for a page of user space or page cache and puts it on the LRU; -1 when there is none. `gfp` must be movable where the policy has types. */
  allocUser(gfp: number): number;
  /** Gives such a page back. */
  freeUser(pfn: number): void;
}

/** More has no room in this program. */
const memoryMost = 65_536;

/** Boots a kernel on x86: i386 machines as pc32, all others as pc64. */
export function bootParts(parts: MmParts, options: BootedOptions): BootedMemory {
  const { release, memoryMb, cpus = 1 } = options;
  if (options.zones === undefined) numberGiven("memoryMb", memoryMb, 0, memoryMost);
  if (!(options.zones !== undefined || memoryMb >= 32))
    throw new BadInput(`${memoryMb} MB is less than the kernel image and its maps need here.`);
  const own = parts.rules({
    ...(options.policy === undefined ? {} : { policy: options.policy }),
    ...(options.cma === undefined ? {} : { cma: options.cma }),
  });
  const { boostFactor = own.boostFactor, defragMode = false, extfragThreshold = own.extfragThreshold } = options;
  const rules = { ...own, boostFactor, defragMode, extfragThreshold };
  const orders = 11;
  const shape = {
    memoryMb,
    cpus,
    orders,
    // i386 with PAE has 2 MB huge pages too; without, MAX_ORDER - 1.
    pageblockOrder: rules.policy === "placement-2005" || release.arch === "i386" ? orders - 1 : 9,
    pcpMaxOrder: parts.pcp.maxOrder,
    pcpHugeOrder: parts.pcp.huge && rules.policy === "mobility" && release.arch !== "i386" ? 9 : -1,
    ...(options.nodes === undefined ? {} : { nodes: options.nodes }),
  };
  const { zones } = options;
  const layout =
    zones !== undefined
      ? zonesGiven(zones.given, zones.types, shape)
      : release.arch === "i386"
        ? pc32(shape)
        : pc64(shape);
  const machine = createMachineMemory({ spec: layout.spec, journal: options.journal ?? createJournal(), parts, rules });
  const minFreeKb = bootMemory(machine, layout, options.marks);
  const lru = createLru(machine);
  const reclaim = createReclaim(machine, lru, {
    compaction: options.compaction ?? (rules.policy === "mobility" && rules.boot.compaction),
    activeFreeing: options.activeFreeing ?? false,
    ...(options.killSomething === undefined ? {} : { killSomething: options.killSomething }),
  });
  return {
    ...machine,
    layout,
    lru,
    reclaim,
    minFreeKb,
    allocUser(gfp) {
      const pfn = machine.pages.allocPages(gfp, 0);
      if (pfn >= 0) lru.add(pfn);
      return pfn;
    },
    freeUser: lru.release,
  };
}
