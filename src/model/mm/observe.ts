// The model seen as the kernel shows itself: the same Readings that the readers of /proc make from text. Only what the model knows is said;
// counters of parts that are not there (bounce buffers, mlock) are left out, not zeroed.
import type { BuddyInfo } from "../../kernel/readings/buddyinfo.ts";
import type { Extfrag } from "../../kernel/readings/extfrag.ts";
import type { BlockCounts, FreeCount, PageTypeInfo, PageTypeRow } from "../../kernel/readings/pagetypeinfo.ts";
import type { ZoneField, ZoneInfo } from "../../kernel/readings/zoneinfo.ts";
import { fragmentationIndex, unusableIndex } from "./fragmentation.ts";
import type { MachineMemory } from "./machine_memory.ts";
import { zoneField as field, ordersMax, pcpField, pcpStride, record, zoneStride } from "./memory.ts";

/** Blocks of each order on a zone's lists. */
export function freeBlocks({ memory }: MachineMemory, row: number): number[] {
  return Array.from(memory.nrFree.subarray(row * ordersMax, row * ordersMax + memory.spec.orders));
}

export function observeBuddyinfo(machine: MachineMemory): BuddyInfo {
  const { zones } = machine.memory.spec;
  return {
    kind: "buddyinfo",
    zones: zones.map((z, row) => ({ node: z.node, zone: z.name, free: freeBlocks(machine, row) })),
  };
}

export function observeExtfrag(machine: MachineMemory, which: "index" | "unusable"): Extfrag {
  const index = which === "index" ? fragmentationIndex : unusableIndex;
  return {
    kind: "extfrag",
    which,
    zones: machine.memory.spec.zones.map((z, row) => {
      const free = freeBlocks(machine, row);
      return { node: z.node, zone: z.name, thousandths: free.map((_, order) => index(free, order)) };
    }),
  };
}

/** Blocks on one list, counted by walking it, as the kernel does. */
function blocksOn({ memory, area }: MachineMemory, row: number, order: number, type: number): number {
  const list = area.listOf(row, order, type);
  let n = 0;
  for (
    let at = memory.page[list * 4 + record.next] as number;
    at !== list;
    at = memory.page[at * 4 + record.next] as number
  )
    n++;
  return n;
}

/** pagetypeinfo_show(). `countAtMost`: since 5.5 the kernel stops counting a list at 100000. */
export function observePagetypeinfo(machine: MachineMemory, countAtMost = 100_000): PageTypeInfo {
  const { spec, blockType } = machine.memory;
  const { names } = machine.rules.types;
  const free: PageTypeRow[] = [];
  const blocks: BlockCounts[] = [];
  const blockPages = 1 << spec.pageblockOrder;
  spec.zones.forEach((z, row) => {
    names.forEach((type, number) => {
      const counts = Array.from({ length: spec.orders }, (_, order): FreeCount => {
        const n = blocksOn(machine, row, order, number);
        return { blocks: Math.min(n, countAtMost), more: n > countAtMost };
      });
      free.push({ node: z.node, zone: z.name, type, free: counts });
    });
    const perType = names.map(() => 0);
    for (let pfn = z.startPfn; pfn < z.startPfn + z.spannedPages; pfn += blockPages) {
      const type = (blockType[pfn >> spec.pageblockOrder] as number) & 7;
      if (type < perType.length) perType[type] = (perType[type] as number) + 1;
    }
    blocks.push({ node: z.node, zone: z.name, blocks: perType });
  });
  return {
    kind: "pagetypeinfo",
    pageBlockOrder: spec.pageblockOrder,
    pagesPerBlock: blockPages,
    orders: spec.orders,
    free,
    types: names,
    blocks,
  };
}

/** A zone row's field by name of zoneField. */
const at = (machine: MachineMemory, row: number, which: number): number =>
  machine.memory.zone[row * zoneStride + which] as number;

/** zoneinfo_show_print(), 6.1 form. Watermarks are printed with the boost in them. */
export function observeZoneinfo(machine: MachineMemory): ZoneInfo {
  const { spec, pcp } = machine.memory;
  return {
    kind: "zoneinfo",
    statIndent: 6,
    zones: spec.zones.map((z, row) => {
      const f = (which: number): number => at(machine, row, which);
      const boost = f(field.boost);
      const pages = (name: string, value: number): ZoneField => ({ group: "pages", name, value });
      const fields: ZoneField[] = [
        pages("free", f(field.free)),
        pages("boost", boost),
        pages("min", f(field.min) + boost),
        pages("low", f(field.low) + boost),
        pages("high", f(field.high) + boost),
        pages("spanned", z.spannedPages),
        pages("present", z.presentPages),
        pages("managed", f(field.managed)),
        pages("cma", 0),
        { group: "protection", pages: spec.zoneTypes.map((_, type) => f(field.lowmemReserve + type)) },
        { group: "stat", name: "nr_free_pages", value: f(field.free) },
        { group: "stat", name: "nr_zone_inactive_file", value: f(field.lruPages) },
        { group: "stat", name: "nr_free_cma", value: f(field.freeCma) },
        { group: "heading", name: "pagesets" },
      ];
      for (let cpu = 0; cpu < spec.cpus; cpu++) {
        const p = (which: number): number => pcp[(row * spec.cpus + cpu) * pcpStride + which] as number;
        fields.push(
          { group: "cpu", cpu },
          { group: "pageset", name: "count", value: p(pcpField.count) },
          { group: "pageset", name: "high", value: p(pcpField.high) },
          { group: "pageset", name: "batch", value: p(pcpField.batch) },
          { group: "zone", name: "vm stats threshold", value: p(pcpField.statThreshold) },
        );
      }
      fields.push(
        { group: "zone", name: "node_unreclaimable", value: 0 },
        { group: "zone", name: "start_pfn", value: z.startPfn },
      );
      return { node: z.node, zone: z.name, fields };
    }),
  };
}
