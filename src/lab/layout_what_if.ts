// What moves when a struct changes: declared layouts with an edit applied, and what the model's slab allocator makes of the new sizes.
import { BadInput } from "../base/bad_input.ts";
import { cacheLineBytes } from "../kernel/facts/slab.ts";
import { declarationsAt, sharedInfoAligned, structDeclarations } from "../kernel/facts/structs.ts";
import type { Abi } from "../kernel/layout/abi.ts";
import { abiOf, scalarOf } from "../kernel/layout/abi.ts";
import type { Declarations } from "../kernel/layout/engine.ts";
import { layoutOf } from "../kernel/layout/engine.ts";
import type { StructLayout, StructSource } from "../kernel/layout/layout.ts";
import { nearestNames } from "../kernel/layout/layout.ts";
import type { FieldDecl, TypeDecl } from "../kernel/layout/notation.ts";
import { declarationsOf, reproduces } from "../kernel/layout/relayout.ts";
import type { Release } from "../kernel/release.ts";
import { atLeast, factAt, formatRelease } from "../kernel/release.ts";
import type { KmallocAnswer, KmallocGeometry, SlabMachine } from "../model/slab/geometry.ts";
import { defaultAllocator, kmallocGeometry } from "../model/slab/geometry.ts";

/** One change: a field added (at the end, or behind `after`, or first), or taken away. */
export interface LayoutEdit {
  readonly text: string;
  readonly struct: string;
  readonly add?: FieldDecl;
  readonly remove?: string;
  /** Field behind which the new one goes; "" is the very start; the end when left out. */
  readonly after?: string;
}

const usage = "Write it like 'skb_frag_struct:+void *destructor', 'sk_buff:+u32 mark2 after mark' or 'page:-private'.";

/** Reads `STRUCT:+TYPE NAME[N] [after FIELD | first]` or `STRUCT:-FIELD`. */
export function parseEdit(text: string): LayoutEdit {
  const match = /^(?:struct\s+)?(\w+)\s*:\s*([+-])\s*(\S.{0,300})$/.exec(text.trim().replace(/;$/, "").trim());
  if (match === null) throw new BadInput(`"${text}" is not a change that can be made to a struct.`, undefined, usage);
  const [, struct = "", sign, rest = ""] = match;
  if (sign === "-") return { text, struct, remove: rest };
  const place = /^(.{0,300}?)\s{1,9}(?:after\s+(\w+)|(first))$/.exec(rest);
  const add = parseMember(place?.[1] ?? rest, text);
  if (place === null) return { text, struct, add };
  return { text, struct, add, after: place[2] ?? "" };
}

const cTypes: Readonly<Record<string, string>> = {
  "unsigned int": "uint",
  unsigned: "uint",
  "unsigned long": "ulong",
  "unsigned short": "ushort",
  "unsigned char": "uchar",
  "long long": "s64",
  "unsigned long long": "u64",
  atomic_t: "atomic",
  refcount_t: "refcount",
  ktime_t: "ktime",
  dma_addr_t: "dma_addr",
  gfp_t: "gfp",
  sk_buff_data_t: "sk_buff_data",
  pgoff_t: "pgoff",
  __u8: "u8",
  __u16: "u16",
  __u32: "u32",
  __u64: "u64",
  __be16: "be16",
  __be32: "be32",
  __wsum: "wsum",
};

/** A member as C declares it: `void *destructor`, `u32 hash[2]`, `u8 flag:1`, `struct list_head list`. */
function parseMember(text: string, edit: string): FieldDecl {
  const match =
    /^(?:struct\s+)?([\w ]{1,64}?)(\s{0,9}\*{1,9}\s{0,9}|\s{1,9})(\w+)((?:\[\d+\])*)(?:\s*:\s*(\d+))?$/.exec(
      text.trim(),
    );
  if (match === null) throw new BadInput(`"${text}" in "${edit}" is not a member that can be read.`, undefined, usage);
  const [, typeText = "", stars = "", name = "", arrays = "", bits] = match;
  const known = typeText.trim().replace(/\s+/g, " ");
  let type: TypeDecl = stars.includes("*")
    ? { kind: "pointer", to: known }
    : { kind: "name", name: Object.hasOwn(cTypes, known) ? (cTypes[known] as string) : known };
  for (const [, length] of [...arrays.matchAll(/\[(\d+)\]/g)].reverse())
    type = { kind: "array", of: type, length: Number(length) };
  return { name, type, when: [], ...(bits === undefined ? {} : { bits: Number(bits) }) };
}

/** The declarations with the edits applied in their order. Throws BadInput: no such struct, field or type, or a name taken. */
export function applyEdits(
  declarations: Declarations,
  edits: readonly LayoutEdit[],
  release: Release,
  source?: StructSource,
): Declarations {
  const changed = new Map<string, readonly FieldDecl[]>();
  const present = (name: string): readonly FieldDecl[] | undefined => changed.get(name) ?? declarations.fields(name);
  for (const edit of edits) {
    const struct = declarations.alias(edit.struct);
    const fields = present(struct);
    if (fields === undefined)
      throw unknownStruct(
        edit.struct,
        source?.names() ?? Object.keys(structDeclarations),
        source?.name ?? formatRelease(release),
      );
    const at = (name: string): number => {
      const index = fields.findIndex((f) => holds(f, name));
      if (index < 0) throw unknownField(edit.struct, name, fields);
      return index;
    };
    if (edit.remove !== undefined) {
      const index = at(edit.remove);
      if (fields[index]?.name !== edit.remove)
        throw new BadInput(
          `${edit.remove} lies in an anonymous member of ${edit.struct} and cannot be taken out alone.`,
        );
      changed.set(struct, fields.toSpliced(index, 1));
      continue;
    }
    const add = edit.add as FieldDecl;
    if (fields.some((f) => holds(f, add.name)))
      throw new BadInput(
        `${edit.struct} has a member ${add.name} already.`,
        undefined,
        "Give the new one another name.",
      );
    checkType(add.type, declarations, release, edit.text);
    const index = edit.after === undefined ? fields.length : edit.after === "" ? 0 : at(edit.after) + 1;
    changed.set(struct, fields.toSpliced(index, 0, add));
  }
  return { ...declarations, fields: present };
}

const holds = (field: FieldDecl, name: string): boolean =>
  field.name === name ||
  (field.name === "" && field.type.kind === "block" && field.type.fields.some((f) => holds(f, name)));

function checkType(type: TypeDecl, declarations: Declarations, release: Release, edit: string): void {
  if (type.kind === "array") checkType(type.of, declarations, release, edit);
  if (type.kind !== "name") return;
  if (scalarOf(type.name, abiOf(release.arch)) !== undefined) return;
  if (declarations.fields(declarations.alias(type.name)) !== undefined) return;
  throw new BadInput(
    `The type ${type.name} in "${edit}" is not known.`,
    undefined,
    "Known are C's own types, u8 to u64, pointers to anything, and the declared structs.",
  );
}

export function unknownStruct(name: string, names: Iterable<string>, where: string): BadInput {
  const near = nearestNames(name, names);
  return new BadInput(
    `There is no struct ${name} in ${where}.`,
    undefined,
    near.length === 0 ? "skblab layout without a name lists those there are." : `Did you mean ${near.join(", ")}?`,
  );
}

function unknownField(struct: string, name: string, fields: readonly FieldDecl[]): BadInput {
  const all = (list: readonly FieldDecl[]): string[] =>
    list.flatMap((f) => (f.name !== "" ? [f.name] : f.type.kind === "block" ? all(f.type.fields) : []));
  const near = nearestNames(name, all(fields));
  return new BadInput(
    `struct ${struct} has no member ${name}.`,
    undefined,
    near.length === 0 ? `Its members are ${all(fields).slice(0, 8).join(", ")} …` : `Did you mean ${near.join(", ")}?`,
  );
}

/** One size before and after. */
export interface SizeChange {
  readonly struct: string;
  readonly before: StructLayout;
  readonly after: StructLayout;
}

/** Where the head of a packet goes. */
export interface HeadPlace {
  /** Bytes that alloc_skb asks kmalloc for. */
  readonly asked: number;
  readonly answer: KmallocAnswer;
  /** Usable bytes that nobody asked for. */
  readonly wasted: number;
  readonly objectsPerPage: number;
}

export interface HeadRow {
  readonly frame: number;
  readonly before: HeadPlace;
  readonly after: HeadPlace;
}

/** Frames whose head falls into another bucket: from..to bytes of linear data, both included. */
export interface Moved {
  readonly from: number;
  readonly to: number;
  readonly before: string;
  readonly after: string;
}

export interface WhatIf {
  readonly release: Release;
  /** Where the structs come from. */
  readonly from: string;
  readonly allocator: SlabMachine["allocator"];
  readonly cpus: number;
  readonly edits: readonly LayoutEdit[];
  readonly changes: readonly SizeChange[];
  /** Structs that were looked at and keep their size. */
  readonly unchanged: readonly SizeChange[];
  /** What is left for linear data beside the bare shared info in the smallest bucket where at least an Ethernet header fits too. */
  readonly room: { readonly before: Room; readonly after: Room } | undefined;
  readonly heads: readonly HeadRow[];
  readonly moved: readonly Moved[];
}

export interface Room {
  readonly bucketBytes: number;
  readonly bucket: string;
  readonly left: number;
}

export interface WhatIfOptions {
  readonly edits: readonly LayoutEdit[];
  readonly options?: ReadonlyMap<string, boolean>;
  readonly cpus?: number;
  readonly allocator?: SlabMachine["allocator"];
  readonly frames?: readonly number[];
  /** Structs of a real kernel instead of the declared ones; the release still says the rules of the slab allocator. */
  readonly source?: StructSource;
}

/** skbuff_small_head: since 6.3 (net/core/skbuff.c) small heads have a cache of their own, which no table here shows. */
export const hasSmallHeadCache = (release: Release): boolean => atLeast(release, [6, 3]);

export const usualFrames: readonly number[] = [64, 128, 256, 512, 1024, 1500, 2048, 4096, 9000];

/** Runs the question: the edited layouts and what they cost in slabs. */
export function whatIf(release: Release, o: WhatIfOptions): WhatIf {
  const declarations =
    o.source === undefined ? declarationsAt(release, o.options) : declarationsOf(o.source, abiFor(release, o.source));
  const edited = new Set(o.edits.map((e) => declarations.alias(e.struct)));
  const names = o.source === undefined ? Object.keys(structDeclarations) : [...new Set([...edited, ...packetStructs])];
  const sizes = sizesOf(release, declarations, applyEdits(declarations, o.edits, release, o.source), names, o.source);
  const differs = ({ struct, before: b, after: a }: SizeChange): boolean =>
    b.sizeBytes !== a.sizeBytes || edited.has(struct);
  const allocator = o.allocator ?? defaultAllocator(release);
  const cpus = o.cpus ?? 4;
  const kmalloc = kmallocGeometry(release, { allocator, cpus });
  const info = sizes.find((s) => s.struct === "skb_shared_info");
  const heads = info === undefined ? undefined : headPlaces(release, kmalloc, info);
  return {
    release,
    from: o.source === undefined ? "declared structs" : `structs of ${o.source.name}`,
    allocator,
    cpus,
    edits: o.edits,
    changes: sizes.filter(differs),
    unchanged: sizes.filter(
      (s) => !differs(s) && ["sk_buff", "skb_shared_info", "skb_frag_struct", "skb_frag", "bio_vec"].includes(s.struct),
    ),
    room:
      info === undefined
        ? undefined
        : { before: roomFor(kmalloc, info.before.sizeBytes), after: roomFor(kmalloc, info.after.sizeBytes) },
    heads: heads === undefined ? [] : (o.frames ?? usualFrames).map(heads),
    moved: heads === undefined ? [] : movedFrames(heads, 9000),
  };
}

/** The shortest linear data that makes sense: an Ethernet header. It rules out kmalloc-192 for the 188 bytes of a 32-bit shared info. */
export const leastLinearBytes = 14;

/** Structs of packet memory that are looked at when the source is a real kernel. */
const packetStructs = [
  "skb_frag_t",
  "skb_shared_info",
  "sk_buff",
  "sk_buff_fclones",
  "page",
  "page_pool",
  "napi_struct",
  "sock",
];

const abiFor = (release: Release, source: StructSource): Abi => ({
  ...abiOf(release.arch),
  pointerBytes: source.pointerBytes,
});

function sizesOf(
  release: Release,
  declared: Declarations,
  edited: Declarations,
  names: readonly string[],
  source: StructSource | undefined,
): SizeChange[] {
  const abi = source === undefined ? abiOf(release.arch) : abiFor(release, source);
  const seen = new Set<string>();
  return names.flatMap((struct): SizeChange[] => {
    const before = source === undefined ? layoutOf(struct, declared, abi) : source.layout(struct);
    // A typedef and its struct are one.
    if (before === undefined || seen.has(before.name)) return [];
    seen.add(before.name);
    if (source !== undefined && !reproduces(struct, source, declared, abi))
      throw new BadInput(
        `struct ${struct} has an alignment that its BTF does not say, so it cannot be laid out again.`,
        { file: source.name },
        "Ask for a declared release with --kernel alone.",
      );
    const after = layoutOf(struct, edited, abi);
    return after === undefined ? [] : [{ struct: before.name, before, after }];
  });
}

function roomFor(kmalloc: KmallocGeometry, infoBytes: number): Room {
  const { usable, bucket } = kmalloc.forSize(infoBytes + leastLinearBytes);
  return { bucketBytes: usable, bucket, left: usable - infoBytes };
}

/** What alloc_skb(frame) asks for and gets, with either shared info. */
function headPlaces(release: Release, kmalloc: KmallocGeometry, info: SizeChange): (frame: number) => HeadRow {
  const line = cacheLineBytes[release.arch];
  const up = (n: number): number => Math.ceil(n / line) * line;
  const aligned = factAt(sharedInfoAligned, release.version)?.value === true;
  const place = (frame: number, infoBytes: number): HeadPlace => {
    const asked = up(frame) + (aligned ? up(infoBytes) : infoBytes);
    const answer = kmalloc.forSize(asked);
    return { asked, answer, wasted: answer.usable - asked, objectsPerPage: answer.objects / 2 ** answer.order };
  };
  return (frame) => ({
    frame,
    before: place(frame, info.before.sizeBytes),
    after: place(frame, info.after.sizeBytes),
  });
}

/** A head's place in a few words. */
const placeName = ({ answer }: HeadPlace): string =>
  answer.kind === "slab" ? answer.bucket : `page allocator, order ${answer.order}`;

function movedFrames(heads: (frame: number) => HeadRow, largest: number): Moved[] {
  const moved: { from: number; to: number; before: string; after: string }[] = [];
  for (let frame = 1; frame <= largest; frame++) {
    const row = heads(frame);
    const before = placeName(row.before);
    const after = placeName(row.after);
    if (before === after) continue;
    const last = moved.at(-1);
    if (last !== undefined && last.to === frame - 1 && last.before === before && last.after === after) last.to = frame;
    else moved.push({ from: frame, to: frame, before, after });
  }
  return moved;
}
