// Where the data of a packet stood to its buffer, out of the one line of skb_over_panic and skb_under_panic, as far as its numbers are real.
import type { SkbPanic } from "../kernel/readings/skb_panic.ts";
import { compareVersions } from "../kernel/release.ts";

/** All bytes; what the line does not give, or gives scrambled, is absent. */
export interface SkbGeometry {
  /** By how much the data leaves the buffer: behind its end, or before its start. */
  readonly beyond?: number;
  /** Of the whole linear buffer. */
  readonly room?: number;
  /** From the start of the buffer to that of the data, after the change. */
  readonly headroom?: number;
  /** head, data and text are hashes: printed with %p, which 4.15 hashes; %px since 5.8 (net/core/skbuff.c). */
  readonly hashed: boolean;
  /** `data` is where tail and len put it but for one bit, which no step from the buffer reaches: that bit was flipped. */
  readonly flipped?: { readonly bit: number; readonly expected: string };
}

const hex = (text: string | undefined): bigint | undefined => {
  const digits = /^(?:0x)?([0-9a-f]{1,16})$/i.exec(text ?? "")?.[1];
  return digits === undefined ? undefined : BigInt(`0x${digits}`);
};

/** A buffer is never this large: numbers further apart are not of one packet. */
const largest = 1n << 26n;

/** What the line says; `version` where the report tells its release. */
export function skbGeometry(p: SkbPanic, version: readonly number[] | undefined): SkbGeometry {
  const [head, data, tail, end] = [hex(p.head), hex(p.data), hex(p.tail), hex(p.end)];
  const hashing =
    version !== undefined && compareVersions(version, [4, 15]) >= 0 && compareVersions(version, [5, 8]) < 0;
  // On 64 bits a hash is 32 bits wide, and no pointer of the kernel begins with eight zeros.
  const looks = p.head !== undefined && /^0{8}[0-9a-f]{8}$/i.test(p.head) && !/^0+$/.test(p.head);
  const hashed = hashing || looks;
  // tail and end are offsets from head since 2.6.22 on 64 bits, pointers otherwise.
  const offsets = end !== undefined && end < largest;
  const real = !hashed && head !== undefined && head > 0n;
  const room = end === undefined ? undefined : offsets ? end : real ? end - head : undefined;
  const start =
    real && data !== undefined
      ? data - head
      : offsets && tail !== undefined && p.len !== undefined
        ? tail - BigInt(p.len)
        : undefined;
  const over = tail === undefined || end === undefined ? undefined : tail - end;
  const beyond = p.what === "skb_over_panic" ? over : start === undefined ? undefined : -start;
  const flipped =
    real && offsets && data !== undefined && tail !== undefined && p.len !== undefined
      ? flippedBit(data, head, tail - BigInt(p.len), end)
      : undefined;
  return {
    hashed,
    ...bytes("beyond", beyond),
    ...bytes("room", room),
    ...bytes("headroom", start),
    ...(flipped === undefined ? {} : { flipped }),
  };
}

/** The bit of `data` that differs from where the packet's own offsets say it begins; only one above every size of a buffer is told. */
function flippedBit(data: bigint, head: bigint, start: bigint, end: bigint): SkbGeometry["flipped"] {
  const expected = head + start;
  const differs = data ^ expected;
  if (start < 0n || start > end || differs < largest || (differs & (differs - 1n)) !== 0n) return undefined;
  return { bit: differs.toString(2).length - 1, expected: expected.toString(16) };
}

function bytes<K extends string>(name: K, value: bigint | undefined): { readonly [P in K]?: number } {
  const possible = value !== undefined && value < largest && value > -largest;
  return (possible ? { [name]: Number(value) } : {}) as { readonly [P in K]?: number };
}
