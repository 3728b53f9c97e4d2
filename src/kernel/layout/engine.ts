// Field by field to offsets: C's layout rules for the ABIs of abi.ts. Pure arithmetic.
import { assert } from "../../base/assert.ts";
import type { Abi } from "./abi.ts";
import { scalarOf } from "./abi.ts";
import type { Member, StructLayout } from "./layout.ts";
import type { FieldDecl, TypeDecl } from "./notation.ts";

/** Declared structs of one release: fields by struct name, and typedef names that mean a struct. */
export interface Declarations {
  fields(name: string): readonly FieldDecl[] | undefined;
  /** `skb_frag_t` → `skb_frag_struct` */
  alias(name: string): string;
  /** An option is on. */
  option(name: string): boolean;
}

interface Sized {
  readonly sizeBytes: number;
  readonly alignBytes: number;
  readonly text: string;
  readonly kind?: "struct" | "union";
  /** Members with offsets from the type's own start. */
  readonly members?: readonly Member[];
}

const up = (n: number, to: number): number => Math.ceil(n / to) * to;

/** The layout of a declared struct; undefined when it is not declared. */
export function layoutOf(name: string, declarations: Declarations, abi: Abi): StructLayout | undefined {
  const real = declarations.alias(name);
  const fields = declarations.fields(real);
  if (fields === undefined) return undefined;
  const { sizeBytes, alignBytes, members = [] } = place("struct", fields, declarations, abi, [real]);
  return { name: real, kind: "struct", sizeBytes, alignBytes, members };
}

/** Offsets of the fields of a struct or union, in its own coordinates. */
function place(
  kind: "struct" | "union",
  fields: readonly FieldDecl[],
  declarations: Declarations,
  abi: Abi,
  path: readonly string[],
): Sized {
  const members: Member[] = [];
  let bit = 0;
  let largest = 0;
  let align = 1;
  for (const field of fields) {
    if (!field.when.every((w) => (w.startsWith("!") ? !declarations.option(w.slice(1)) : declarations.option(w))))
      continue;
    const type = sized(field.type, declarations, abi, path);
    const fieldAlign = Math.max(type.alignBytes, field.align ?? 1);
    const unit = type.sizeBytes * 8;
    if (kind === "union") bit = 0;
    if (field.bits === undefined) bit = up(bit, fieldAlign * 8);
    else if (Math.floor(bit / unit) !== Math.floor((bit + field.bits - 1) / unit)) {
      // A bit-field may not cross a boundary of its own type.
      bit = up(bit, unit);
    }
    align = Math.max(align, fieldAlign);
    members.push({
      name: field.name,
      type: type.text,
      offsetBits: bit,
      sizeBytes: type.sizeBytes,
      ...(field.bits === undefined ? {} : { bits: field.bits }),
      ...(type.members === undefined || type.kind === undefined
        ? {}
        : { kind: type.kind, members: shifted(type.members, bit) }),
    });
    bit += field.bits ?? unit;
    largest = Math.max(largest, bit);
  }
  return { sizeBytes: up(Math.ceil(largest / 8), align), alignBytes: align, text: kind, kind, members };
}

const shifted = (members: readonly Member[], by: number): readonly Member[] =>
  by === 0
    ? members
    : members.map((m) => ({
        ...m,
        offsetBits: m.offsetBits + by,
        ...(m.members === undefined ? {} : { members: shifted(m.members, by) }),
      }));

function sized(type: TypeDecl, declarations: Declarations, abi: Abi, path: readonly string[]): Sized {
  if (type.kind === "pointer") {
    const to = type.to === "fn" ? "(*)()" : `${pointee(type.to, declarations)} *`;
    return { sizeBytes: abi.pointerBytes, alignBytes: abi.pointerBytes, text: to };
  }
  if (type.kind === "array") {
    const of = sized(type.of, declarations, abi, path);
    return { sizeBytes: of.sizeBytes * type.length, alignBytes: of.alignBytes, text: `${of.text}[${type.length}]` };
  }
  if (type.kind === "blob") return { sizeBytes: type.sizeBytes, alignBytes: type.alignBytes, text: type.text };
  if (type.kind === "block") return place(type.block, type.fields, declarations, abi, path);
  const scalar = scalarOf(type.name, abi);
  if (scalar !== undefined) return scalar;
  const real = declarations.alias(type.name);
  const fields = declarations.fields(real);
  assert(fields !== undefined, () => `struct ${real}, used in ${path.join(" in ")}, is not declared`);
  assert(!path.includes(real), () => `struct ${real} holds itself`);
  const inner = place("struct", fields, declarations, abi, [...path, real]);
  return { ...inner, text: real === type.name ? `struct ${real}` : type.name };
}

function pointee(name: string, declarations: Declarations): string {
  if (name === "void" || name === "char") return name;
  if (name === "uchar") return "unsigned char";
  return declarations.alias(name) === name ? `struct ${name}` : name;
}
