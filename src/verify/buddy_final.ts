// The state after the last step, in full: counters, free lists in order, pageblocks, per-CPU lists.
import type { MachineMemory } from "../model/mm/machine_memory.ts";
import { pcpField, pcpStride, record, word, zoneField, zoneStride } from "../model/mm/memory.ts";
import type { BuddyTranscript, BuddyZone } from "./buddy_transcript.ts";
import type { Difference } from "./replayer.ts";

/** The first thing in which the model's final state is not the kernel's, or undefined. */
export function firstFinalDifference(machine: MachineMemory, transcript: BuddyTranscript): Difference | undefined {
  for (const [row, zone] of transcript.after.entries()) {
    for (const [what, kernel, model] of comparisons(machine, zone, row, transcript)) {
      if (kernel !== model)
        return { line: zone.line, operation: `final state of zone ${zone.name}: ${what}`, kernel, model, reasons: [] };
    }
  }
  return undefined;
}

type Comparison = readonly [what: string, kernel: string, model: string];

function* comparisons(
  machine: MachineMemory,
  recorded: BuddyZone,
  row: number,
  { header }: BuddyTranscript,
): Generator<Comparison> {
  const { memory } = machine;
  const at = row * zoneStride;
  const f = (field: number): string => String(memory.zone[at + field]);
  yield ["vm_stat NR_FREE_PAGES", String(recorded.free), f(zoneField.free)];
  yield ["watermark_boost", String(recorded.boost), f(zoneField.boost)];
  yield ["nr_reserved_highatomic", String(recorded.reservedHighatomic), f(zoneField.reservedHighatomic)];
  if (header.freeHighatomic) yield ["nr_free_highatomic", String(recorded.freeHighatomic), f(zoneField.freeHighatomic)];
  yield ["flags", String(recorded.flags), f(zoneField.flags)];
  yield [
    "nr_free",
    recorded.nrFree.join(" "),
    Array.from(memory.nrFree.subarray(row * 16, row * 16 + header.orders)).join(" "),
  ];
  for (let order = 0; order < header.orders; order++) {
    for (let type = 0; type < header.migrateTypes; type++) {
      const kernel = recorded.lists.get(order * 8 + type) ?? [];
      const model = ring(memory.page, machine.area.listOf(row, order, type));
      yield [`free list of order ${order}, type ${type}`, kernel.join(" "), model.join(" ")];
    }
  }
  const firstBlock = recorded.start >> header.pageblockOrder;
  const blocks = memory.blockType.subarray(firstBlock, firstBlock + recorded.pageblockFlags.length);
  yield ["pageblock flags", recorded.pageblockFlags.join(" "), Array.from(blocks).join(" ")];
  for (const p of recorded.pcp) {
    const base = (row * memory.spec.cpus + p.cpu) * pcpStride;
    const own = Object.entries(machine.pcp.fields);
    yield [
      `CPU ${p.cpu}: ${own.map(([name]) => name).join(", ")}, nr_free_diff`,
      [...own.map(([name]) => p.fields.get(name)), p.freeDiff].join(" "),
      [...own.map(([, field]) => memory.pcp[base + field]), memory.pcp[base + pcpField.freeDiff]].join(" "),
    ];
    for (let list = 0; list < memory.pcpLists; list++) {
      const sentinel = memory.pcpListBase + (row * memory.spec.cpus + p.cpu) * memory.pcpLists + list;
      const pages = ring(memory.page, sentinel).map(
        (pfn) => `${pfn}/${header.typesCached ? cachedType(memory.page, pfn) : machine.area.blockTypeOf(pfn)}`,
      );
      const kernel = (p.lists.get(list) ?? []).map(([pfn, type]) => `${pfn}/${type}`);
      yield [`CPU ${p.cpu}: per-CPU list ${list} (pfn/type)`, kernel.join(" "), pages.join(" ")];
    }
  }
}

const cachedType = (page: Int32Array, pfn: number): number =>
  ((page[pfn * 4 + record.word] as number) & word.typeMask) >> word.typeShift;

function ring(page: Int32Array, sentinel: number): number[] {
  const out: number[] = [];
  for (
    let pfn = page[sentinel * 4 + record.next] as number;
    pfn !== sentinel;
    pfn = page[pfn * 4 + record.next] as number
  )
    out.push(pfn);
  return out;
}
