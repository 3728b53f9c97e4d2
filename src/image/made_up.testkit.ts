// Structs laid out by a seed as no kernel ever had them, their BTF, and memory to put them into. For tests only.
import type { Prng } from "../base/prng.ts";

export type FieldType =
  | { readonly kind: "int"; readonly bytes: 1 | 2 | 4 | 8 }
  | { readonly kind: "array"; readonly of: FieldType; readonly n: number }
  | { readonly kind: "struct"; readonly name: string };
export const int = (bytes: 1 | 2 | 4 | 8): FieldType => ({ kind: "int", bytes });
export const array = (of: FieldType, n: number): FieldType => ({ kind: "array", of, n });
export const struct = (name: string): FieldType => ({ kind: "struct", name });

export const word = int(8);

/** Members that are shuffled; `fixed` ones stand first, in their order. */
export interface Shape {
  readonly fixed?: readonly (readonly [string, FieldType])[];
  readonly free?: readonly (readonly [string, FieldType])[];
  /** Members behind all others, as an array whose length is not known must stand. */
  readonly ends?: readonly (readonly [string, FieldType])[];
  readonly size?: number;
  readonly start?: number;
}

export type Shapes = Readonly<Record<string, Shape>>;
export type Enums = readonly (readonly [string, Readonly<Record<string, number>>])[];

interface Laid {
  readonly size: number;
  readonly at: ReadonlyMap<string, number>;
  readonly members: readonly (readonly [string, FieldType, number])[];
}

export class Layouts {
  readonly laid = new Map<string, Laid>();

  private readonly enums: Enums;

  constructor(random: Prng, shapes: Shapes, enums: Enums) {
    this.enums = enums;
    for (const [name, shape] of Object.entries(shapes)) {
      const free = [...(shape.free ?? [])];
      for (let i = free.length - 1; i > 0; i--) {
        const j = random.below(i + 1);
        [free[i], free[j]] = [free[j] as (typeof free)[0], free[i] as (typeof free)[0]];
      }
      const members: [string, FieldType, number][] = [];
      let at = shape.start ?? 0;
      for (const [field, type] of [...(shape.fixed ?? []), ...free]) {
        if (field === "compound_head") {
          members.push([field, type, members.find(([n]) => n === "lru")?.[2] ?? at]);
          continue;
        }
        at += shape.fixed === undefined ? random.below(2) * 8 * (shape.size === undefined ? 1 : 0) : 0;
        const align = Math.min(8, this.sizeOf(type));
        at = Math.ceil(at / align) * align;
        members.push([field, type, at]);
        at += this.sizeOf(type);
      }
      for (const [field, type] of shape.ends ?? []) {
        at = Math.ceil(at / 8) * 8;
        members.push([field, type, at]);
        at += this.sizeOf(type);
      }
      const head = members.find(([n]) => n === "compound_head");
      const lru = members.find(([n]) => n === "lru");
      if (head !== undefined && lru !== undefined) head[2] = lru[2];
      const size = shape.size ?? Math.ceil(at / 8) * 8;
      this.laid.set(name, { size, members, at: new Map(members.map(([n, , o]) => [n, o])) });
    }
  }

  sizeOf(type: FieldType): number {
    if (type.kind === "int") return type.bytes;
    if (type.kind === "array") return type.n * this.sizeOf(type.of);
    return this.of(type.name).size;
  }

  of(name: string): Laid {
    return this.laid.get(name) as Laid;
  }

  off(name: string, field: string): number {
    return this.of(name).at.get(field) as number;
  }

  /** Raw BTF of all structs and a few enums. */
  btf(): Uint8Array {
    const strings = ["\0"];
    let length = 1;
    const text = (s: string): number => {
      const at = length;
      strings.push(`${s}\0`);
      length += s.length + 1;
      return at;
    };
    const types: number[] = [];
    let count = 0;
    const ints = new Map<number, number>();
    for (const bytes of [1, 2, 4, 8]) {
      types.push(text(bytes === 8 ? "unsigned long" : `u${bytes * 8}`), 1 << 24, bytes, bytes * 8);
      ints.set(bytes, ++count);
    }
    const ids = new Map<string, number>();
    const idOf = (type: FieldType): number => {
      if (type.kind === "int") return ints.get(type.bytes) as number;
      if (type.kind === "struct") return ids.get(type.name) as number;
      const of = idOf(type.of);
      types.push(0, 3 << 24, 0, of, ints.get(4) as number, type.n);
      return ++count;
    };
    for (const [name, laid] of this.laid) {
      const members = laid.members.map(([field, type, at]) => [text(field), idOf(type), at * 8]);
      types.push(text(name), ((4 << 24) | members.length) >>> 0, laid.size, ...members.flat());
      ids.set(name, ++count);
    }
    for (const [name, values] of this.enums) {
      const entries = Object.entries(values).flatMap(([n, v]) => [text(n), v]);
      types.push(text(name), ((6 << 24) | (entries.length / 2)) >>> 0, 4, ...entries);
      count++;
    }
    const names = new TextEncoder().encode(strings.join(""));
    const out = new Uint8Array(24 + types.length * 4 + names.length);
    const view = new DataView(out.buffer);
    view.setUint16(0, 0xeb9f, true);
    out[2] = 1;
    for (const [i, v] of [24, 0, types.length * 4, types.length * 4, names.length].entries())
      view.setUint32(4 + i * 4, v, true);
    for (const [i, v] of types.entries()) view.setUint32(24 + i * 4, v, true);
    out.set(names, 24 + types.length * 4);
    return out;
  }
}
