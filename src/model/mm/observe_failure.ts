// A failed allocation of the model as the Reading that a kernel's report of it would give: what show_mem prints, and the line before it.
// Only what the model knows; artifact/log completes and prints it in the form of a release.
import { decodeGfp } from "../../kernel/facts/gfp.ts";
import type { AllocFailure } from "../../kernel/readings/alloc_failure.ts";
import type { MemInfo, MemZone } from "../../kernel/readings/mem_info.ts";
import type { Release } from "../../kernel/release.ts";
import { atLeast } from "../../kernel/release.ts";
import type { MachineMemory } from "./machine_memory.ts";
import { zoneField as field, pcpField, pcpStride, zoneStride } from "./memory.ts";
import { freeBlocks } from "./observe.ts";

const at = (machine: MachineMemory, row: number, which: number): number =>
  machine.memory.zone[row * zoneStride + which] as number;

const pcpOf = (machine: MachineMemory, row: number, cpu: number, which: number): number =>
  machine.memory.pcp[(row * machine.memory.spec.cpus + cpu) * pcpStride + which] as number;

/** The zone lines, lowmem_reserve and buddy lines of a failure report (show_free_areas), 6.1 names, in kB as printed. */
export function observeMemZones(machine: MachineMemory): MemZone[] {
  const { spec } = machine.memory;
  const { letters } = machine.rules.types;
  const kb = (pages: number): number => pages << (spec.pageShift - 10);
  return spec.zones.map((z, row) => {
    const f = (which: number): number => at(machine, row, which);
    const boost = f(field.boost);
    const free = freeBlocks(machine, row);
    let freePcp = 0;
    for (let cpu = 0; cpu < spec.cpus; cpu++)
      freePcp += machine.memory.pcp[(row * spec.cpus + cpu) * pcpStride + pcpField.count] as number;
    return {
      node: z.node,
      name: z.name,
      kb: {
        free: kb(f(field.free)),
        boost: kb(boost),
        min: kb(f(field.min) + boost),
        low: kb(f(field.low) + boost),
        high: kb(f(field.high) + boost),
        reserved_highatomic: kb(f(field.reservedHighatomic)),
        inactive_file: kb(f(field.lruPages)),
        present: kb(z.presentPages),
        managed: kb(f(field.managed)),
        free_pcp: kb(freePcp),
        local_pcp: kb(
          machine.memory.pcp[(row * spec.cpus + machine.journal.cpu) * pcpStride + pcpField.count] as number,
        ),
        free_cma: kb(f(field.freeCma)),
      },
      lowmemReserve: spec.zoneTypes.map((_, type) => f(field.lowmemReserve + type)),
      freeLists: {
        blocks: free.map((count, order) => ({
          order,
          count,
          types: [...letters].filter((_, type) => count > 0 && !machine.area.isEmpty(row, order, type)).join(""),
        })),
        totalKb: kb(free.reduce((n, count, order) => n + count * 2 ** order, 0)),
      },
    };
  });
}

/** show_free_areas(): zones, totals that the model has, and the per-CPU lists that releases up to 4.0 print. `slabPages`: what is in slabs. */
export function observeMemInfo(machine: MachineMemory, slabPages = 0): MemInfo {
  const { spec } = machine.memory;
  const rows = spec.zones.map((_, row) => row);
  const sum = (of: (row: number) => number): number => rows.reduce((n, row) => n + of(row), 0);
  const cpus = Array.from({ length: spec.cpus }, (_, cpu) => cpu);
  return {
    namesNodes: true,
    perCpu: spec.zones.map((z, row) => ({
      node: z.node,
      zone: z.name,
      cpus: cpus.map((cpu) => ({
        cpu,
        hot: {
          high: pcpOf(machine, row, cpu, pcpField.high),
          batch: pcpOf(machine, row, cpu, pcpField.batch),
          used: pcpOf(machine, row, cpu, pcpField.count),
        },
      })),
    })),
    totals: {
      inactive_file: sum((row) => at(machine, row, field.lruPages)),
      free: sum((row) => at(machine, row, field.free)),
      // One number until 2.6.31, two since; the model's caches are all unreclaimable.
      slab: slabPages,
      slab_unreclaimable: slabPages,
      free_pcp: sum((row) => cpus.reduce((n, cpu) => n + pcpOf(machine, row, cpu, pcpField.count), 0)),
      free_cma: sum((row) => at(machine, row, field.freeCma)),
    },
    nodes: [],
    zones: observeMemZones(machine),
    hugePages: [],
    tail: {
      "pages RAM": spec.zones.reduce((n, z) => n + z.presentPages, 0),
      "pages reserved": spec.zones.reduce((n, z) => n + z.presentPages - z.managedPages, 0),
    },
  };
}

/** Who asked, for the report's first lines. */
export interface FailedRequest {
  readonly comm: string;
  readonly pid: number;
  readonly order: number;
  readonly gfp: number;
  readonly slabPages?: number;
}

/** warn_alloc(), at the moment of the failure: call it from a listener of page_allocation_failure. */
export function observeAllocFailure(machine: MachineMemory, release: Release, request: FailedRequest): AllocFailure {
  const { comm, pid, order } = request;
  const mask = request.gfp >>> 0;
  const named = atLeast(release, [4, 6]);
  const cpuset = atLeast(release, [4, 11]);
  return {
    variant: "page",
    comm,
    order,
    gfp: { mask, ...(named ? { names: decodeGfp(mask, release.version).text } : {}) },
    separator: atLeast(release, [3, 0]) ? ":" : ".",
    ...(cpuset
      ? { nodemask: "(null)", cpuset: "/", memsAllowed: "0", cpusetOnOwnLine: !atLeast(release, [5, 0]) }
      : {}),
    process: {
      cpu: machine.journal.cpu,
      ...(atLeast(release, [6, 11]) ? { uid: 0 } : {}),
      pid,
      comm,
      taint: "Not tainted",
      release: release.version.join("."),
      build: "#1",
    },
    memInfo: observeMemInfo(machine, request.slabPages),
  };
}
