// Replays a recording of the page allocator: loads the zones as they were, performs every step, and compares each pfn, failure, counter,
// trace event and pageblock, then the whole final state. Stops comparing at the first difference: what follows hangs on it.
import { BadInput } from "../base/bad_input.ts";
import { eventKind } from "../kernel/events.ts";
import { createJournal } from "../model/journal.ts";
import type { MachineMemory } from "../model/mm/machine_memory.ts";
import { createMachineMemory } from "../model/mm/machine_memory.ts";
import type { ZoneName } from "../model/mm/memory.ts";
import { pcpField, pcpStride, record, word, zoneField, zoneStride } from "../model/mm/memory.ts";
import type { MmParts } from "../model/mm/parts.ts";
import { plainTask } from "../model/mm/rights.ts";
import { firstFinalDifference } from "./buddy_final.ts";
import type { BuddyStep, BuddyTranscript, BuddyZone } from "./buddy_transcript.ts";
import { readBuddyTranscript } from "./buddy_transcript.ts";
import { requireConsistent, requireMasks } from "./buddy_twice.ts";
import type { Difference, Replayed, Replayer, TranscriptInput } from "./replayer.ts";
import { objectAt } from "./replayer.ts";
import { numbering, requireSame, requireSameWhere } from "./said_twice.ts";
import { kernelOfTranscript } from "./transcript_kernel.ts";

export const buddyReplayer: Replayer = {
  kind: "buddy",
  formats: ["ora_buddy/0", "ora_buddy/1", "ora_buddy/2"],
  sniff: (firstLine) => firstLine.startsWith('{"t":"run"') && firstLine.includes('"format":"ora_buddy/'),
  replay: replayBuddy,
};

const zoneTypes: readonly ZoneName[] = ["DMA", "DMA32", "Normal", "Movable"];

/** Events of one step, flat: code (0 Z, 1 D, 2 X), then the fields in the transcript's order. */
interface Heard {
  readonly codes: number[];
  readonly values: number[][];
}

/** The transcript, consistent in itself. */
function readWhole(input: TranscriptInput): BuddyTranscript {
  const transcript = readBuddyTranscript(input);
  requireConsistent(input, objectAt(input, 0), transcript);
  return transcript;
}

function replayBuddy(input: TranscriptInput): Replayed {
  const transcript = readWhole(input);
  const kernel = kernelOfTranscript(input, transcript.header);
  // Under --as the masks are those of another kernel, which need not be known.
  if (input.as === undefined) requireMasks(input, objectAt(input, 0), transcript.header, kernel.release.version);
  return replayOn(input, transcript, kernel.parts.mm);
}

/** The replay on another list of parts than the recorded kernel's: how a rule is shown to be held by a recording (npm run mutate). */
export function replayBuddyOn(input: TranscriptInput, change: (own: MmParts) => MmParts): Replayed {
  const transcript = readWhole(input);
  return replayOn(input, transcript, change(kernelOfTranscript(input, transcript.header).parts.mm));
}

function replayOn(input: TranscriptInput, transcript: BuddyTranscript, parts: MmParts): Replayed {
  const machine = buildMachine(input, transcript, parts);
  const heard: Heard = { codes: [], values: [] };
  listen(machine, heard);
  const { step: stepper, requireTotals } = createStepper(input, transcript, machine, heard);
  const total = transcript.endStep - transcript.firstStep;
  for (let at = transcript.firstStep; at < transcript.endStep; at++) {
    const difference = stepper(at);
    if (difference !== undefined)
      return { operations: total, exact: difference.at - transcript.firstStep, firstDifference: difference.difference };
    const skipped = bulkPages(input, at);
    at += skipped;
  }
  const finalDifference = firstFinalDifference(machine, transcript);
  if (finalDifference === undefined) requireTotals();
  return { operations: total, exact: total, firstDifference: finalDifference };
}

/** Page lines that belong to a bulk step were compared with it. */
function bulkPages(input: TranscriptInput, at: number): number {
  let n = 0;
  if (input.lines[at]?.startsWith('{"t":"b"')) while (input.lines[at + 1 + n]?.startsWith('{"t":"bp"')) n++;
  return n;
}

/** A machine with the recorded zones, free lists, per-CPU lists and pageblocks. */
function buildMachine(input: TranscriptInput, transcript: BuddyTranscript, parts: MmParts): MachineMemory {
  const { header, before } = transcript;
  const place = (zone: BuddyZone): { file: string; line: number } => ({ file: input.path, line: zone.line });
  for (const zone of before)
    if (zoneTypes[zone.index] !== zone.name)
      throw new BadInput(
        `Zone ${zone.name} has index ${zone.index}, which x86_64 gives to ${zoneTypes[zone.index]}.`,
        place(zone),
      );
  const cpus = Math.max(...before.flatMap((z) => z.pcp.map((p) => p.cpu))) + 1;
  if (header.cpu < 0 || header.cpu >= cpus)
    throw new BadInput(`CPU ${header.cpu} ran the steps, but no zone has lists of it.`, { file: input.path, line: 1 });
  const journal = createJournal();
  const machine = createMachineMemory({
    journal,
    parts,
    task: { ...plainTask(), realtime: header.realtime },
    rules: {
      ...parts.rules({ cma: header.migrateTypes > 5 }),
      boostFactor: header.boostFactor,
      groupingDisabled: header.groupingDisabled,
    },
    spec: {
      zoneTypes,
      zones: before.map((z) => ({
        name: z.name as ZoneName,
        node: 0,
        startPfn: z.start,
        spannedPages: z.spanned,
        presentPages: z.present,
        managedPages: z.managed,
      })),
      nodes: 1,
      cpus,
      pageShift: header.pageShift,
      orders: header.orders,
      pageblockOrder: header.pageblockOrder,
      pcpMaxOrder: parts.pcp.maxOrder,
      pcpHugeOrder: parts.pcp.huge && header.pcpLists > 12 ? header.pageblockOrder : -1,
    },
  });
  if (machine.memory.pcpLists !== header.pcpLists)
    throw new BadInput(
      `The kernel had ${header.pcpLists} per-CPU lists per zone; that kernel as the model knows it has ${machine.memory.pcpLists}.`,
      { file: input.path, line: 1 },
    );
  for (const [row, zone] of before.entries()) loadZone(machine, zone, row, transcript);
  journal.cpu = header.cpu;
  return machine;
}

function loadZone(machine: MachineMemory, recorded: BuddyZone, row: number, { header }: BuddyTranscript): void {
  const { memory, area } = machine;
  const { page, zone, pcp } = memory;
  const at = row * zoneStride;
  zone[at + zoneField.free] = recorded.free;
  zone[at + zoneField.driftMark] = recorded.driftMark;
  recorded.watermark.forEach((mark, i) => {
    zone[at + zoneField.min + i] = mark;
  });
  zone[at + zoneField.boost] = recorded.boost;
  zone[at + zoneField.reservedHighatomic] = recorded.reservedHighatomic;
  zone[at + zoneField.freeHighatomic] = recorded.freeHighatomic;
  zone[at + zoneField.flags] = recorded.flags;
  recorded.lowmemReserve.forEach((pages, i) => {
    zone[at + zoneField.lowmemReserve + i] = pages;
  });
  const firstBlock = recorded.start >> header.pageblockOrder;
  recorded.pageblockFlags.forEach((flags, i) => {
    memory.blockType[firstBlock + i] = flags;
  });
  for (const [key, pfns] of recorded.lists) for (const pfn of pfns) area.addTail(pfn, row, key >> 3, key & 7);
  for (const p of recorded.pcp) {
    const base = (row * memory.spec.cpus + p.cpu) * pcpStride;
    for (const [name, field] of Object.entries(machine.pcp.fields)) pcp[base + field] = p.fields.get(name) as number;
    pcp[base + pcpField.statThreshold] = p.statThreshold;
    pcp[base + pcpField.freeDiff] = p.freeDiff;
    for (const [list, entries] of p.lists) {
      const sentinel = memory.pcpListBase + (row * memory.spec.cpus + p.cpu) * memory.pcpLists + list;
      const order = machine.pcp.orderOfList[list] as number;
      for (const [pfn, type] of entries) {
        area.insertAfter(page[sentinel * 4 + record.prev] as number, pfn);
        page[pfn * 4 + record.word] = (type << word.typeShift) | (row << word.zoneShift) | word.taken | order;
      }
    }
  }
  for (const [pfn, length] of recorded.lruRanges)
    for (let p = pfn; p < pfn + length; p++)
      page[p * 4 + record.word] = (page[p * 4 + record.word] as number) | word.lru;
}

function listen(machine: MachineMemory, heard: Heard): void {
  const { journal, area } = machine;
  const locked = eventKind.mm_page_alloc_zone_locked;
  const drain = eventKind.mm_page_pcpu_drain;
  journal.listen(
    (kind, _nanos, _cpu, a, b, c, d, e) => {
      heard.codes.push(kind === locked ? 0 : kind === drain ? 1 : 2);
      // The record names the pageblock's type after the steal where the tracepoint has a yes or no.
      heard.values.push(
        kind === locked ? [a, b, c, d] : kind === drain ? [a, b, c] : [a, b, c, d, e, area.blockTypeOf(a)],
      );
    },
    "mm_page_alloc_zone_locked",
    "mm_page_pcpu_drain",
    "mm_page_alloc_extfrag",
  );
}

type StateField = readonly [column: Int32Array, at: number];

/** Where the model keeps what a recorder's name means, of the sampled zone and CPU. */
function stateField(name: string, machine: MachineMemory, refZone: number, refPcp: number): StateField {
  const { zone, pcp } = machine.memory;
  const zones: Readonly<Record<string, number>> = {
    nr_free_pages: zoneField.free,
    watermark_boost: zoneField.boost,
    zone_flags: zoneField.flags,
    nr_free_highatomic: zoneField.freeHighatomic,
  };
  const ofZone = zones[name];
  if (ofZone !== undefined) return [zone, refZone + ofZone];
  if (name === "nr_free_diff") return [pcp, refPcp + pcpField.freeDiff];
  const ofList = machine.pcp.fields[name.replace(/^pcp_/, "")];
  if (ofList === undefined) throw new BadInput(`A step samples ${name}, which this kernel does not have.`);
  return [pcp, refPcp + ofList];
}

interface FoundDifference {
  /** Line index of the first step that differs. */
  readonly at: number;
  readonly difference: Difference;
}

interface Stepper {
  /** Performs the step on the line of that index and compares; the difference, if there is one. */
  step(at: number): FoundDifference | undefined;
  /** BadInput where the first line's totals are not those of all steps. */
  requireTotals(): void;
}

function createStepper(
  input: TranscriptInput,
  { header, before, firstStep, endStep }: BuddyTranscript,
  machine: MachineMemory,
  heard: Heard,
): Stepper {
  const { pages, memory } = machine;
  const ids = numbering(input);
  /** Trace events so far. */
  let events = 0;
  const held = new Map<number, { readonly pfn: number; readonly order: number }>();
  const into = new Int32Array(65536);
  const refRow = before.findIndex((z) => z.index === header.refzone);
  if (refRow < 0)
    throw new BadInput(`Zone ${header.refzone} is sampled after each step but not described.`, {
      file: input.path,
      line: 1,
    });
  const refZone = refRow * zoneStride;
  const refPcp = (refRow * memory.spec.cpus + header.cpu) * pcpStride;
  const bad = (at: number, sentence: string): BadInput => new BadInput(sentence, { file: input.path, line: at + 1 });

  /** What a step samples: [a column, an index of it] each. */
  const sampled = header.state.map((name) => stateField(name, machine, refZone, refPcp));

  const sample = (): number[] => sampled.map(([column, at]) => column[at] as number);

  const sampleDiffers = (s: readonly number[]): boolean => {
    for (let i = 0; i < sampled.length; i++) {
      const [column, at] = sampled[i] as StateField;
      if (s[i] !== column[at]) return true;
    }
    return s.length !== sampled.length;
  };

  const zoneIndexOf = (pfn: number): number =>
    before.find((z) => pfn >= z.start && pfn < z.start + z.spanned)?.index ?? -1;

  const gfpOf = (at: number, step: BuddyStep): number => {
    const gfp = header.gfps.get(step.g ?? "");
    if (gfp === undefined) throw bad(at, `"${step.g}" is not among the gfp masks of line 1.`);
    return gfp;
  };

  const hold = (at: number, step: BuddyStep, order: number): void => {
    if (step.id === undefined || typeof step.pfn !== "number") throw bad(at, "The step has no id or pfn.");
    ids.next(step.id, at + 1);
    held.set(step.id, { pfn: step.pfn, order });
  };

  const differ = (at: number, operation: string, kernel: string, model: string): FoundDifference => ({
    at,
    difference: {
      line: at + 1,
      operation,
      kernel,
      model,
      reasons: [
        `kernel's events: ${formatKernelEvents((objectAt(input, at).ev as BuddyStep["ev"]) ?? [])}`,
        `model's events: ${formatEvents(heard)}`,
        ...before.map((z, row) => zoneStory(machine, z, row)),
      ],
    },
  });

  const outcome = (pfn: number, s: readonly number[], pb: number | undefined): string =>
    `${pfn < 0 ? "fails" : `pfn ${pfn} in zone ${zoneTypes[zoneIndexOf(pfn)] ?? "?"}`}${pb === undefined ? "" : `, pageblock flags ${pb}`}, state [${s.join(", ")}]`;

  const alloc = (at: number, step: BuddyStep): FoundDifference | undefined => {
    const order = step.o ?? -1;
    if (order < 0 || order >= header.orders) throw bad(at, `Order ${step.o} is not one of this kernel's.`);
    const pfn = pages.allocPages(gfpOf(at, step), order);
    const wanted = step.pfn ?? -1;
    const flags = pfn < 0 ? undefined : memory.blockType[pfn >> header.pageblockOrder];
    if (wanted >= 0) hold(at, step, order);
    if (
      pfn === wanted &&
      !sampleDiffers(step.s ?? []) &&
      flags === step.pb &&
      (pfn < 0 || zoneIndexOf(pfn) === step.z) &&
      sameEvents(step.ev, heard)
    )
      return undefined;
    return differ(
      at,
      `step ${step.i}: alloc_pages(${step.g}, order ${order})`,
      outcome(wanted, step.s ?? [], step.pb),
      outcome(pfn, sample(), flags),
    );
  };

  const free = (at: number, step: BuddyStep): FoundDifference | undefined => {
    const block = held.get(step.id ?? -1);
    if (block === undefined) throw bad(at, `Id ${step.id} is freed but nobody holds it.`);
    if (block.pfn !== step.pfn || block.order !== step.o)
      throw bad(
        at,
        `Id ${step.id} is pfn ${block.pfn} of order ${block.order}, not pfn ${step.pfn} of order ${step.o}.`,
      );
    requireSame(input, at + 1, `The zone of pfn ${block.pfn}`, step.z, zoneIndexOf(block.pfn));
    held.delete(step.id ?? -1);
    const flags = memory.blockType[block.pfn >> header.pageblockOrder];
    pages.freePages(block.pfn, block.order);
    if (!sampleDiffers(step.s ?? []) && flags === step.pb && sameEvents(step.ev, heard)) return undefined;
    return differ(
      at,
      `step ${step.i}: __free_pages(pfn ${block.pfn}, order ${block.order})`,
      `pageblock flags ${step.pb}, state [${(step.s ?? []).join(", ")}]`,
      `pageblock flags ${flags}, state [${sample().join(", ")}]`,
    );
  };

  const bulk = (at: number, step: BuddyStep): FoundDifference | undefined => {
    const want = step.want ?? -1;
    if (want < 0 || want > into.length) throw bad(at, `A bulk request cannot be for ${step.want} pages.`);
    const got = pages.allocPagesBulk(gfpOf(at, step), want, into);
    const asked = `step ${step.i}: alloc_pages_bulk_array(${step.g}, ${want} pages)`;
    if (got !== step.got || sampleDiffers(step.s ?? []) || !sameEvents(step.ev, heard))
      return differ(
        at,
        asked,
        `${step.got} pages, state [${(step.s ?? []).join(", ")}]`,
        `${got} pages, state [${sample().join(", ")}]`,
      );
    for (let k = 0; k < got; k++) {
      const line = objectAt(input, at + 1 + k) as unknown as BuddyStep;
      if (line.t !== "bp") throw bad(at + 1 + k, `Page ${k} of ${got} of a bulk step is missing.`);
      hold(at + 1 + k, line, 0);
      if (line.pfn !== into[k] || zoneIndexOf(into[k] as number) !== line.z)
        return differ(at + 1 + k, `${asked}, page ${k}`, `pfn ${line.pfn}`, `pfn ${into[k]}`);
    }
    return undefined;
  };

  const step = (at: number): FoundDifference | undefined => {
    const step = objectAt(input, at) as unknown as BuddyStep;
    requireSame(input, at + 1, "The number of the step", step.i, at - firstStep);
    events += step.ev?.length ?? 0;
    heard.codes.length = 0;
    heard.values.length = 0;
    switch (step.t) {
      case "a":
        return alloc(at, step);
      case "f":
        return free(at, step);
      case "b":
        return bulk(at, step);
      case "bp":
        throw bad(at, "A page of a bulk step stands without its step.");
      default:
        throw bad(at, `"${String((step as { t?: unknown }).t)}" is not a kind of step that ${header.format} has.`);
    }
  };

  const requireTotals = (): void => {
    const line1 = objectAt(input, 0);
    requireSameWhere(input, line1, "nops", endStep - firstStep);
    requireSameWhere(input, line1, "events", events);
    requireSameWhere(input, line1, "held_at_end", held.size);
  };
  return { step, requireTotals };
}

const eventLetters = "ZDX";

function sameEvents(ev: BuddyStep["ev"], heard: Heard): boolean {
  const n = ev?.length ?? 0;
  if (n !== heard.codes.length) return false;
  for (let i = 0; i < n; i++) {
    const wanted = ev?.[i] as readonly (string | number)[];
    const values = heard.values[i] as number[];
    if (wanted[0] !== eventLetters[heard.codes[i] as number] || wanted.length !== values.length + 1) return false;
    for (let k = 0; k < values.length; k++) if (wanted[k + 1] !== values[k]) return false;
  }
  return true;
}

const eventWords: Readonly<Record<string, readonly string[]>> = {
  Z: ["taken pfn", "order", "type", "refill"],
  D: ["drained pfn", "order", "type"],
  X: ["stolen pfn", "for order", "from order", "for type", "from type", "block is now"],
};

function formatKernelEvents(events: readonly (readonly [string, ...number[]])[]): string {
  if (events.length === 0) return "none";
  return events
    .slice(0, 12)
    .map(([letter, ...values]) => values.map((v, i) => `${eventWords[letter]?.[i] ?? letter} ${v}`).join(" "))
    .join("; ");
}

function formatEvents(heard: Heard): string {
  return formatKernelEvents(
    heard.codes.map((code, i) => [eventLetters[code] as string, ...(heard.values[i] as number[])]),
  );
}

/** What the model knows of a zone that decides who may allocate there. */
function zoneStory(machine: MachineMemory, recorded: BuddyZone, row: number): string {
  const { zone, nrFree } = machine.memory;
  const at = row * zoneStride;
  const f = (field: number): number => zone[at + field] as number;
  return (
    `model's zone ${recorded.name}: free ${f(zoneField.free)}, min ${f(zoneField.min)} low ${f(zoneField.low)} high ${f(zoneField.high)} ` +
    `boost ${f(zoneField.boost)}, reserved for high-order atomic ${f(zoneField.reservedHighatomic)}, ` +
    `blocks by order ${Array.from(nrFree.subarray(row * 16, row * 16 + machine.memory.spec.orders)).join(" ")}`
  );
}
