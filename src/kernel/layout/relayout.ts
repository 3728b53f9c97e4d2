// From a layout back to a declaration: fields that, laid out again, stand where they stood. So a struct out of BTF can be changed too.
// BTF says no alignment; it is inferred from sizes and offsets, and what cannot be reproduced is refused by the caller (reproduces()).
import type { Abi } from "./abi.ts";
import type { Declarations } from "./engine.ts";
import { layoutOf } from "./engine.ts";
import type { Member, StructLayout, StructSource } from "./layout.ts";
import type { FieldDecl, TypeDecl } from "./notation.ts";

interface Inferred {
  readonly fields: readonly FieldDecl[];
  readonly align: number;
}

/** Declarations inferred from a source's layouts, one struct at a time as they are asked for. */
export function declarationsOf(source: StructSource, abi: Abi): Declarations {
  const known = new Map<string, Inferred | undefined>();
  const infer = (name: string): Inferred | undefined => {
    if (!known.has(name)) {
      known.set(name, undefined);
      const layout = source.layout(name);
      if (layout !== undefined) known.set(name, inferStruct(layout, { abi, alignOf: (n) => infer(n)?.align }));
    }
    return known.get(name);
  };
  return {
    fields: (name) => infer(name)?.fields,
    alias: (name) => source.layout(name)?.name || name,
    option: () => true,
  };
}

/** True when the inferred declaration of `name` gives back its layout, member by member. */
export function reproduces(name: string, source: StructSource, declarations: Declarations, abi: Abi): boolean {
  const original = source.layout(name);
  const again = layoutOf(name, declarations, abi);
  if (original === undefined || again === undefined || original.sizeBytes !== again.sizeBytes) return false;
  // A union comes back as a struct with one anonymous union in it.
  const members = original.kind === "union" ? (again.members[0]?.members ?? []) : again.members;
  return (
    members.length === original.members.length &&
    members.every((m, i) => {
      const o = original.members[i] as Member;
      return m.name === o.name && m.offsetBits === o.offsetBits && m.sizeBytes === o.sizeBytes && m.bits === o.bits;
    })
  );
}

interface Context {
  readonly abi: Abi;
  /** Inferred alignment of a named struct. */
  alignOf(name: string): number | undefined;
}

interface Piece {
  readonly type: TypeDecl;
  readonly align: number;
}

function inferStruct(layout: StructLayout, context: Context): Inferred {
  const inner = inferFields(layout.kind, layout.members, 0, layout.sizeBytes, context);
  if (layout.kind === "struct") return inner;
  const block: FieldDecl = { name: "", type: { kind: "block", block: "union", fields: inner.fields }, when: [] };
  return { fields: [block], align: inner.align };
}

const up = (n: number, to: number): number => Math.ceil(n / to) * to;

function inferFields(
  kind: "struct" | "union",
  members: readonly Member[],
  startBits: number,
  sizeBytes: number,
  context: Context,
): Inferred {
  const fields: FieldDecl[] = [];
  let cursor = 0;
  let align = 1;
  for (const m of members) {
    const at = m.offsetBits - startBits;
    const piece = inferType(m, context);
    const from = kind === "union" ? 0 : cursor;
    const explicit = m.bits === undefined ? explicitAlign(from, at, piece.align) : undefined;
    align = Math.max(align, piece.align, explicit ?? 1);
    fields.push({
      name: m.name,
      type: piece.type,
      when: [],
      ...(m.bits === undefined ? {} : { bits: m.bits }),
      ...(explicit === undefined ? {} : { align: explicit }),
    });
    cursor = Math.max(cursor, at + (m.bits ?? m.sizeBytes * 8));
  }
  // A struct that is larger than its members need was aligned as a whole: its first member carries that here.
  const end = Math.ceil(cursor / 8);
  let whole = align;
  while (whole < 4096 && up(end, whole) < sizeBytes) whole *= 2;
  const [first] = fields;
  if (whole > align && up(end, whole) === sizeBytes && first !== undefined && first.bits === undefined) {
    fields[0] = { ...first, align: whole };
    align = whole;
  }
  return { fields, align };
}

/** The smallest alignment above the natural one that explains an offset; undefined when the natural one does. */
function explicitAlign(cursor: number, at: number, natural: number): number | undefined {
  if (up(cursor, natural * 8) === at) return undefined;
  for (let a = natural * 2; a <= 4096; a *= 2) if (up(cursor, a * 8) === at) return a;
  return undefined;
}

function inferType(m: Member, context: Context): Piece {
  const text = m.type.replace(/^(?:const |volatile )+/, "");
  const lengths = [...(/(?:\[\d{1,10}\]){1,8}$/.exec(text)?.[0] ?? "").matchAll(/\d+/g)].map(Number);
  const count = lengths.reduce((n, l) => n * l, 1);
  const base = text.replace(/(?:\[\d{1,10}\]){1,8}$/, "");
  const each = count === 0 ? 0 : m.sizeBytes / count;
  const one = m.members === undefined ? scalarPiece(base, each, context) : structPiece(m, base, each, context);
  return {
    type: lengths.reduceRight<TypeDecl>((of, length) => ({ kind: "array", of, length }), one.type),
    align: one.align,
  };
}

function scalarPiece(text: string, sizeBytes: number, { abi }: Context): Piece {
  const power = sizeBytes === 0 ? 1 : sizeBytes & -sizeBytes;
  const align = Math.min(power, power === 8 ? abi.longLongAlign : 8);
  return { type: { kind: "blob", text, sizeBytes, alignBytes: align }, align };
}

function structPiece(m: Member, base: string, each: number, context: Context): Piece {
  const unnamed = base === "struct" || base === "union";
  const name = base.replace(/^(?:struct|union) /, "");
  const known = unnamed ? undefined : context.alignOf(name);
  if (known !== undefined) return { type: { kind: "name", name }, align: known };
  const block = base === "union" || m.kind === "union" ? "union" : "struct";
  const { fields, align } = inferFields(block, m.members ?? [], m.offsetBits, each, context);
  return { type: { kind: "block", block, fields }, align };
}
