// What must hold of a machine's memory after every operation, checked by walking all of it. For tests and for the sanitizer; O(pages).
import type { MachineMemory } from "./machine_memory.ts";
import type { Memory } from "./memory.ts";
import { ordersMax, pcpField, pcpStride, record, typesMax, word, zoneField, zoneStride } from "./memory.ts";
import { globalList } from "./placement_2005.ts";

/** A copy of all columns, to go back to. */
export interface MemorySnapshot {
  readonly page: Int32Array;
  readonly blockType: Uint8Array;
  readonly zone: Int32Array;
  readonly nrFree: Int32Array;
  readonly pcp: Int32Array;
}

export function snapshotMemory(memory: Memory): MemorySnapshot {
  const { page, blockType, zone, nrFree, pcp } = memory;
  return {
    page: page.slice(),
    blockType: blockType.slice(),
    zone: zone.slice(),
    nrFree: nrFree.slice(),
    pcp: pcp.slice(),
  };
}

export function restoreMemory(memory: Memory, from: MemorySnapshot): void {
  memory.page.set(from.page);
  memory.blockType.set(from.blockType);
  memory.zone.set(from.zone);
  memory.nrFree.set(from.nrFree);
  memory.pcp.set(from.pcp);
}

/** Everything that is wrong, in words with numbers; empty when all holds. */
export function memoryProblems(machine: MachineMemory): string[] {
  const { memory } = machine;
  const { spec, page } = memory;
  const problems: string[] = [];
  const owner = new Int32Array(memory.pages).fill(-1);
  const claim = (pfn: number, order: number, what: string): void => {
    for (let p = pfn; p < pfn + (1 << order); p++) {
      if (owner[p] !== -1) problems.push(`pfn ${p}: ${what} at ${pfn} overlaps the block at ${owner[p]}`);
      owner[p] = pfn;
    }
  };
  for (let row = 0; row < spec.zones.length; row++) checkZone(machine, row, problems, claim);
  for (let pfn = 0; pfn < memory.pages; pfn++) {
    const w = page[pfn * 4 + record.word] as number;
    if ((w & word.stateMask) === word.taken && (page[pfn * 4 + record.references] as number) > 0)
      claim(pfn, w & word.orderMask, "taken block");
  }
  return problems;
}

function checkZone(
  machine: MachineMemory,
  row: number,
  problems: string[],
  claim: (pfn: number, order: number, what: string) => void,
): void {
  const { memory, area } = machine;
  const { spec, page, zone } = memory;
  let freePages = 0;
  for (let order = 0; order < spec.orders; order++) {
    let blocks = 0;
    for (let type = 0; type < typesMax; type++) {
      for (const pfn of ring(memory, area.listOf(row, order, type), problems)) {
        blocks++;
        freePages += 1 << order;
        claim(pfn, order, "free block");
        if ((page[pfn * 4 + record.word] as number) !== ((row << word.zoneShift) | word.buddy | order))
          problems.push(`pfn ${pfn}: word ${page[pfn * 4 + record.word]} on the list of zone ${row} order ${order}`);
        checkType(machine, pfn, order, type, problems);
        checkBuddy(machine, row, pfn, order, problems);
      }
    }
    if (blocks !== memory.nrFree[row * ordersMax + order])
      problems.push(`zone ${row} order ${order}: ${blocks} blocks, nr_free ${memory.nrFree[row * ordersMax + order]}`);
  }
  let counted = zone[row * zoneStride + zoneField.free] as number;
  for (let cpu = 0; cpu < spec.cpus; cpu++) {
    counted += memory.pcp[(row * spec.cpus + cpu) * pcpStride + pcpField.freeDiff] as number;
    let kept = 0;
    for (let list = 0; list < memory.pcpLists; list++) {
      const order = machine.pcp.orderOfList[list] as number;
      for (const pfn of ring(memory, memory.pcpListBase + (row * spec.cpus + cpu) * memory.pcpLists + list, problems)) {
        kept += 1 << order;
        claim(pfn, order, "per-CPU block");
      }
    }
    const count = memory.pcp[(row * spec.cpus + cpu) * pcpStride + pcpField.count] as number;
    if (kept !== count) problems.push(`zone ${row} CPU ${cpu}: lists hold ${kept} pages, count ${count}`);
  }
  if (counted !== freePages)
    problems.push(`zone ${row}: counters say ${counted} free pages, the lists hold ${freePages}`);
}

function checkType({ rules, area }: MachineMemory, pfn: number, order: number, type: number, problems: string[]): void {
  if (rules.policy === "classic" && type !== 0) problems.push(`pfn ${pfn}: list ${type} under the classic policy`);
  if (rules.policy !== "placement-2005") return;
  const whole = area.isWholeOrder(order);
  if (whole !== (type === globalList))
    problems.push(`pfn ${pfn}: order ${order} on list ${type}, whole blocks go to the global list`);
}

/** Two free buddies of one order must have merged, unless their pageblocks' types forbid it. */
function checkBuddy(
  { memory, area, rules }: MachineMemory,
  row: number,
  pfn: number,
  order: number,
  problems: string[],
): void {
  const { spec } = memory;
  const buddy = pfn ^ (1 << order);
  if (order >= spec.orders - 1 || buddy < pfn || buddy >= memory.pages || !area.isFreeBlock(buddy, row, order)) return;
  const limit = rules.types.highatomic >= 0 ? rules.types.highatomic : typesMax;
  const apart = order >= spec.pageblockOrder && area.blockTypeOf(pfn) !== area.blockTypeOf(buddy);
  if (apart && (area.blockTypeOf(pfn) >= limit || area.blockTypeOf(buddy) >= limit)) return;
  problems.push(`pfn ${pfn} and ${buddy}: both free at order ${order} and not merged`);
}

function ring(memory: Memory, sentinel: number, problems: string[]): number[] {
  const { page } = memory;
  const out: number[] = [];
  let prev = sentinel;
  for (
    let at = page[sentinel * 4 + record.next] as number;
    at !== sentinel;
    at = page[at * 4 + record.next] as number
  ) {
    if (page[at * 4 + record.prev] !== prev)
      problems.push(`pfn ${at}: prev ${page[at * 4 + record.prev]}, came from ${prev}`);
    if (out.length > memory.pages) {
      problems.push(`list ${sentinel} does not end`);
      break;
    }
    out.push(at);
    prev = at;
  }
  return out;
}
