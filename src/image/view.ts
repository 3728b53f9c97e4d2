// A copy of one struct, its members read by name.
import type { AddressSpace } from "./address_space.ts";
import { numberIn } from "./slab/caches.ts";
import type { Field, Struct } from "./types.ts";

export class StructView {
  readonly address: bigint;
  readonly struct: Struct;
  readonly data: DataView;

  /** Throws Absent when the struct is not in the image. */
  constructor(space: AddressSpace, struct: Struct, address: bigint) {
    const bytes = space.bytes(address, struct.sizeBytes);
    this.address = address;
    this.struct = struct;
    this.data = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** An unsigned number of up to 32 bits, bit-field or not. Throws LayoutUnknown. */
  number(...names: readonly string[]): number {
    return numberIn(this.data, this.struct.field(...names));
  }

  /** As number(), 0 when this kernel has no such member. */
  numberOr0(name: string): number {
    const field = this.struct.find(name);
    return field === undefined ? 0 : numberIn(this.data, field);
  }

  signed(...names: readonly string[]): number {
    return this.number(...names) | 0;
  }

  word(...names: readonly string[]): bigint {
    return this.data.getBigUint64(this.struct.off(...names), true);
  }

  wordOr0(name: string): bigint {
    const field = this.struct.find(name);
    return field === undefined ? 0n : this.data.getBigUint64(field.off, true);
  }

  /** Address of a member. */
  at(...names: readonly string[]): bigint {
    return this.address + this.struct.at(...names);
  }

  has(name: string): boolean {
    return this.struct.has(name);
  }

  field(name: string): Field | undefined {
    return this.struct.find(name);
  }

  /** Text of a char array. */
  text(name: string): string {
    const { off, sizeBytes } = this.struct.field(name);
    let out = "";
    for (let i = 0; i < sizeBytes; i++) {
      const byte = this.data.getUint8(off + i);
      if (byte === 0) break;
      out += byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
    }
    return out;
  }
}
