// The states that SLUB transcripts print after every operation, as named lines of text: so they compare, and differences read.
// Caches whose CPUs work on a slab (ora_slub/0, /1 and /2 before 7.0) and caches with sheaves (ora_slub/2 of 7.2) have each their own shape.
import { BadInput } from "../base/bad_input.ts";
import type { CpuSlabs, CpuView, NodeView, SheafView, Sheaves, SlabView } from "../model/slab/slub/shape.ts";
import type { TranscriptInput } from "./replayer.ts";
import { requireSame } from "./said_twice.ts";

export type Row = Readonly<Record<string, unknown>>;
/** A line of a state: its name and what it says. */
export type StateLine = readonly [field: string, text: string];
export type Wrong = readonly [field: string, kernel: string, model: string];

interface RecordedSlab {
  readonly pfn: number;
  readonly inuse: number;
  readonly objects: number;
  readonly frozen: number;
  /** Length of the chain from here: in slabs since 5.16; before, in objects (`pobjects`). */
  readonly slabs?: number;
  readonly pobjects?: number;
  readonly pages?: number;
  readonly freelist: readonly number[];
}

interface RecordedNode {
  readonly nr_partial: number;
  readonly nr_slabs: number;
  readonly partial: readonly RecordedSlab[];
}

interface RecordedCpu {
  readonly slab: RecordedSlab | null;
  readonly freelist: readonly number[];
  readonly partial: readonly RecordedSlab[];
}

type RecordedObject = readonly [pfn: number, index: number];

/** `objs` is printed only when it differs from what was printed for this sheaf last. */
interface RecordedSheaf {
  readonly id: number;
  readonly size: number;
  readonly objs?: readonly RecordedObject[];
}

interface RecordedSheaves {
  readonly main: RecordedSheaf;
  readonly spare: RecordedSheaf | null;
  readonly rcu_free: RecordedSheaf | null;
}

interface RecordedBarn {
  readonly full: readonly RecordedSheaf[];
  readonly empty: readonly RecordedSheaf[];
  readonly nr_full?: number;
  readonly nr_empty?: number;
}

/** What an operation left behind, by the record. */
export interface Recorded {
  readonly lines: readonly StateLine[];
  readonly node: RecordedNode;
  /** The slab that CPU `cpu` works on, with its own freelist. */
  active(
    cpu: number,
  ): { readonly pfn: number; readonly objects: number; readonly freelist: readonly number[] } | undefined;
  /** Objects of the sheaves of CPU `cpu`, main first, bottom first. */
  ready(cpu: number): readonly RecordedObject[];
  /** Numbers of all sheaves, in the order of sheavesOf(). */
  readonly sheaves: readonly number[];
}

/** Reads states of one transcript in their order. */
export interface StateReader {
  read(row: Row, line: number): Recorded;
  readonly cpus: number;
}

const slabText = (s: RecordedSlab, chain: boolean): string => {
  const length = chain ? ` chain ${s.slabs ?? s.pobjects}` : "";
  return `${s.pfn}[${s.inuse}/${s.objects}${s.frozen ? " frozen" : ""}${length}: ${s.freelist.join(" ")}]`;
};

const nodeLines = (node: RecordedNode): StateLine[] => [
  ["node nr_slabs", `${node.nr_slabs}`],
  ["node nr_partial", `${node.nr_partial}`],
  ["node partial", node.partial.map((s) => slabText(s, false)).join(" -> ")],
];

const cpuLines = (c: RecordedCpu, i: number): StateLine[] => [
  [`cpu${i} slab`, c.slab === null ? "none" : slabText(c.slab, false)],
  [`cpu${i} freelist`, c.freelist.join(" ")],
  [`cpu${i} partial`, c.partial.map((s) => slabText(s, true)).join(" -> ")],
];

const objectsText = (objects: readonly RecordedObject[]): string => objects.map(([pfn, i]) => `${pfn}.${i}`).join(" ");

const recordedSlab = (s: SlabView & { readonly slabs?: number }): RecordedSlab => ({
  pfn: s.pfn,
  inuse: s.inuse,
  objects: s.objects,
  frozen: s.frozen ? 1 : 0,
  ...(s.slabs === undefined ? {} : { slabs: s.slabs }),
  freelist: s.freelist,
});

const recordedNode = (node: NodeView | undefined): RecordedNode => {
  const partial = node?.partial ?? [];
  return { nr_partial: partial.length, nr_slabs: node?.nrSlabs ?? 0, partial: partial.map(recordedSlab) };
};

/** The present state of a model cache, in the lines of the record. */
export function modelLines(slub: CpuSlabs | Sheaves, cache: number): readonly StateLine[] {
  if (slub.kind === "cpu slabs") {
    const { cpus, nodes } = slub.view(cache);
    const recorded = (c: CpuView): RecordedCpu => ({
      slab: c.slab === undefined ? null : recordedSlab(c.slab),
      freelist: c.freelist,
      partial: c.partial.map(recordedSlab),
    });
    return [...cpus.flatMap((c, i) => cpuLines(recorded(c), i)), ...nodeLines(recordedNode(nodes[0]))];
  }
  const { cpus, barns, nodes } = slub.view(cache);
  const text = (sheaf: SheafView): string =>
    objectsText(sheaf.objects.map((a) => [slub.slabAt(a)?.pfn ?? -1, slub.indexOf(a)] as const));
  return [
    ...cpus.flatMap((c, i): StateLine[] => [
      [`cpu${i} main`, text(c.main)],
      [`cpu${i} spare`, c.spare === undefined ? "none" : `[${text(c.spare)}]`],
    ]),
    ["barn full", (barns[0]?.full ?? []).map((s) => `[${text(s)}]`).join(" ")],
    ["barn empty", `${barns[0]?.empty.length ?? 0}`],
    ...nodeLines(recordedNode(nodes[0])),
  ];
}

/** What a line says twice of its lists. */
function requireCounts(input: TranscriptInput, line: number, row: Row): void {
  const same = (what: string, said: unknown, otherwise: unknown): void =>
    requireSame(input, line, `"${what}"`, said, otherwise);
  const frozen = (s: RecordedSlab): void => same("frozen", s.frozen === 0 || s.frozen === 1, true);
  for (const s of (row.node as RecordedNode).partial) frozen(s);
  for (const { slab, partial } of row.cpus as readonly Partial<RecordedCpu>[]) {
    if (slab) frozen(slab);
    for (const [i, s] of (partial ?? []).entries()) {
      frozen(s);
      // Slabs in the chain from here, where the recorder shows the objects (`pobjects`) too.
      if (s.pages !== undefined) same("pages", s.pages, (partial ?? []).length - i);
    }
  }
  const barn = row.barn as RecordedBarn | undefined;
  if (barn === undefined) return;
  if (barn.nr_full !== undefined) same("nr_full", barn.nr_full, barn.full.length);
  if (barn.nr_empty !== undefined) same("nr_empty", barn.nr_empty, barn.empty.length);
}

/** The model's sheaves: of each CPU main and spare, then the barn's full and empty ones. */
export function sheavesOf(slub: CpuSlabs | Sheaves, cache: number): readonly number[] {
  if (slub.kind === "cpu slabs") return [];
  const { cpus, barns } = slub.view(cache);
  return [
    ...cpus.flatMap(({ main, spare }) => (spare === undefined ? [main.id] : [main.id, spare.id])),
    ...[...(barns[0]?.full ?? []), ...(barns[0]?.empty ?? [])].map((sheaf) => sheaf.id),
  ];
}

function nodeOf(row: Row, input: TranscriptInput, line: number): RecordedNode {
  const { cpus, node } = row;
  if (!Array.isArray(cpus) || typeof node !== "object" || node === null)
    throw new BadInput('This line has no "cpus" and "node".', { file: input.path, line }, "Is this a SLUB transcript?");
  requireCounts(input, line, row);
  return node as RecordedNode;
}

/** States of a cache whose CPUs work on a slab each. */
export function cpuSlabStates(input: TranscriptInput, header: Row): StateReader {
  nodeOf(header, input, 1);
  return {
    cpus: (header.cpus as unknown[]).length,
    read(row, line) {
      const node = nodeOf(row, input, line);
      const cpus = row.cpus as readonly RecordedCpu[];
      return {
        node,
        lines: [...cpus.flatMap(cpuLines), ...nodeLines(node)],
        active(cpu) {
          const at = cpus[cpu];
          return at?.slab ? { pfn: at.slab.pfn, objects: at.slab.objects, freelist: at.freelist } : undefined;
        },
        ready: () => [],
        sheaves: [],
      };
    },
  };
}

/** States of a cache with sheaves; remembers what each sheaf held, as the record does. */
export function sheafStates(input: TranscriptInput, header: Row): StateReader {
  nodeOf(header, input, 1);
  const held = new Map<number, readonly RecordedObject[]>();
  const objectsOf = (sheaf: RecordedSheaf, line: number): readonly RecordedObject[] => {
    if (sheaf.objs !== undefined) held.set(sheaf.id, sheaf.objs);
    const objects = held.get(sheaf.id) ?? [];
    if (objects.length !== sheaf.size)
      throw new BadInput(
        `Sheaf ${sheaf.id} has ${sheaf.size} objects, and the lines up to here name ${objects.length}.`,
        { file: input.path, line },
        "A line is missing: copy the transcript again, whole.",
      );
    return objects;
  };
  return {
    cpus: (header.cpus as unknown[]).length,
    read(row, line) {
      const node = nodeOf(row, input, line);
      const cpus = (row.cpus as readonly RecordedSheaves[]).map(({ main, spare, rcu_free }) => ({
        main: objectsOf(main, line),
        spare: spare === null ? undefined : objectsOf(spare, line),
        rcuFree: rcu_free === null ? undefined : objectsOf(rcu_free, line),
      }));
      const barn = row.barn as RecordedBarn | undefined;
      if (barn === undefined)
        throw new BadInput('This line has no "barn".', { file: input.path, line }, "Copy the transcript again, whole.");
      const full = barn.full.map((sheaf) => objectsOf(sheaf, line));
      for (const sheaf of barn.empty) objectsOf(sheaf, line);
      return {
        node,
        lines: [
          ...cpus.flatMap((c, i): StateLine[] => [
            [`cpu${i} main`, objectsText(c.main)],
            [`cpu${i} spare`, c.spare === undefined ? "none" : `[${objectsText(c.spare)}]`],
            // The model has no sheaf for kfree_rcu(): none of the recorded operations may use it.
            ...(c.rcuFree === undefined ? [] : [[`cpu${i} rcu_free`, objectsText(c.rcuFree)] as const]),
          ]),
          ["barn full", full.map((objects) => `[${objectsText(objects)}]`).join(" ")],
          ["barn empty", `${barn.empty.length}`],
          ...nodeLines(node),
        ],
        active: () => undefined,
        sheaves: [
          ...(row.cpus as readonly RecordedSheaves[]).flatMap(({ main, spare }) =>
            spare === null ? [main.id] : [main.id, spare.id],
          ),
          ...[...barn.full, ...barn.empty].map((sheaf) => sheaf.id),
        ],
        ready: (cpu) => [...(cpus[cpu]?.main ?? []), ...(cpus[cpu]?.spare ?? [])],
      };
    },
  };
}
