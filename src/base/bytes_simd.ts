// A WebAssembly SIMD kernel, assembled here byte by byte, that looks at 32 bytes of text at once: it counts newlines and finds
// places where the fourth byte of a fingerprint may stand. It is not a full search: bytes_search.ts verifies each place.
//
// The filter: four tables of 16 bytes per nibble; a byte b passes table t for bucket k when bit k is set in both
// lo[t][b & 15] and hi[t][b >> 4]. A place passes when one bucket passes for the three bytes before it and for itself. (The
// shape of the "Teddy" filter of the Hyperscan paper, NSDI 2019, written for 128-bit lanes with i8x16.swizzle.) Of the places that pass, the
// four bytes are looked up in a set of 65,536 bits: in ordinary logs one place in a hundred bytes passes the nibbles, and one in a thousand
// the set, by words that share four letters with a pattern ("default" with "fault"). Those are looked up once more with the four bytes before
// them, where the pattern has as many; the caller sees next to none in vain.
//
// memory:  0 newlines counted · 4 mask of the first 16 places · 8 mask of the second 16 · 64.. eight tables lo0 hi0 .. lo3 hi3
//          256.. the set of fingerprints, that of fingerprints with less than four bytes before them, that of fingerprints with those four
//          DATA.. the bytes to look at

/** Where the caller's bytes begin; the 16 bytes before are read too. */
export const SIMD_DATA = 24896;
const TABLES = 64;
/** Bits of a set's numbers, and what four and eight bytes are multiplied by for theirs. */
const [SET_BITS, FACTOR, FACTOR_8] = [16, 0x1e3779b1, 0x1e3779b97f4a7c15n];
const SET_BYTES = 2 ** SET_BITS / 8;
const SET = 256;
const SHORT = SET + SET_BYTES;
const LONG = SHORT + SET_BYTES;

/** The kernel in its memory. */
export interface SimdScan {
  readonly memory: Uint8Array;
  readonly words: Int32Array;
  /** Looks at whole blocks of 32 bytes in [from, to) and stops after the first that has a candidate: returns where that block
   *  begins, or the end of the last whole block plus one when there was none. Newlines of all blocks seen go to words[0]. */
  scan(from: number, to: number): number;
}

interface WasmGlobal {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: Readonly<Record<string, unknown>> };
}

/** Sets the bit of the four bytes that end at `end`, and that of the eight, or of there being less. */
function addFingerprint(memory: Uint8Array, bytes: Uint8Array, end: number): void {
  const add = (set: number, bit: number): void => {
    memory[set + (bit >> 3)]! |= 1 << (bit & 7);
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const four = Math.imul(view.getInt32(end - 3, true), FACTOR) >>> (32 - SET_BITS);
  add(SET, four);
  if (end < 7) add(SHORT, four);
  else {
    const eight = BigInt.asUintN(64, view.getBigUint64(end - 7, true) * FACTOR_8);
    add(LONG, Number(eight >> BigInt(64 - SET_BITS)));
  }
}

/**
 * The kernel with the given nibble tables (8 × 16 bytes), patterns with the index of their fingerprint's last byte, and room for `capacity`
 * bytes; undefined where WebAssembly SIMD is missing.
 */
export function simdScan(
  tables: Uint8Array,
  prints: readonly { readonly bytes: Uint8Array; readonly end: number }[],
  capacity: number,
): SimdScan | undefined {
  const wasm = (globalThis as { readonly WebAssembly?: WasmGlobal }).WebAssembly;
  if (wasm === undefined) return undefined;
  try {
    const pages = Math.ceil((SIMD_DATA + capacity + 64) / 65536);
    const { exports } = new wasm.Instance(new wasm.Module(moduleBytes(pages)), {});
    const { buffer } = exports.memory as { readonly buffer: ArrayBuffer };
    const memory = new Uint8Array(buffer);
    memory.set(tables, TABLES);
    for (const { bytes, end } of prints) addFingerprint(memory, bytes, end);
    return { memory, words: new Int32Array(buffer, 0, 16), scan: exports.scan as SimdScan["scan"] };
  } catch {
    return undefined;
  }
}

const I32 = 0x7f;
const V128 = 0x7b;
const leb = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...leb(n >>> 7)]);
const section = (id: number, body: readonly number[]): number[] => [id, ...leb(body.length), ...body];
const vec = (items: readonly (readonly number[])[]): number[] => [...leb(items.length), ...items.flat()];
const name = (text: string): number[] => [...leb(text.length), ...[...text].map((c) => c.charCodeAt(0))];
const simd = (op: number, ...operands: number[]): number[] => [0xfd, ...leb(op), ...operands];

function i32Const(n: number): number[] {
  // signed LEB128 of a small non-negative number
  const out: number[] = [];
  let rest = n;
  for (;;) {
    const byte = rest & 127;
    rest >>= 7;
    if (rest === 0 && (byte & 64) === 0) return [0x41, ...out, byte];
    out.push(byte | 128);
  }
}
/** Signed LEB128. */
function i64Const(n: bigint): number[] {
  const out: number[] = [];
  let rest = n;
  for (;;) {
    const byte = Number(rest & 127n);
    rest >>= 7n;
    if ((rest === 0n && (byte & 64) === 0) || (rest === -1n && (byte & 64) !== 0)) return [0x42, ...out, byte];
    out.push(byte | 128);
  }
}
const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const load = (offset: number): number[] => simd(0x00, 0, ...leb(offset));
const store32 = (offset: number): number[] => [0x36, 2, ...leb(offset)];
const swizzle = simd(0x0e);
const and = simd(0x4e);
const or = simd(0x50);
const shuffleBack = (n: number): number[] => simd(0x0d, ...Array.from({ length: 16 }, (_, i) => 16 - n + i));
const splat = (byte: number): number[] => [...i32Const(byte), ...simd(0x0f)];

// locals: 0 p, 1 to, 2 limit (end of a run of at most 120 iterations); then vectors
const [P, TO, LIMIT, TOTAL, ACC, V, LO, HI, M0, M1, NIBBLE, LF] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] as const;
/** Buckets that pass for the first three bytes of a fingerprint: of this block and of the block before. */
const [NOW, PREV, T] = [12, 15, 18] as const;
const vectors = 23;
/** Places of a block that passed and were not looked up yet; the number of one in the set, and with the four bytes before it. */
const [LEFT, BIT, BIT_8] = [26, 27, 28] as const;

const nibbles = [
  ...get(V),
  ...get(NIBBLE),
  ...and,
  ...set(LO),
  ...get(V),
  ...i32Const(4),
  ...simd(0x8d),
  ...get(NIBBLE),
  ...and,
  ...set(HI),
];
/** Buckets that pass for byte `k` of a fingerprint, at each place of the block. */
const looked = (k: number): number[] => [
  ...get(T + 2 * k),
  ...get(LO),
  ...swizzle,
  ...get(T + 2 * k + 1),
  ...get(HI),
  ...swizzle,
  ...and,
];

const firstThree = [0, 1, 2] as const;

/** One block of 16 bytes at p + offset: newlines into ACC, surviving buckets of each place into `mask`. */
const block = (offset: number, mask: number): number[] => [
  ...[...get(P), ...load(offset), ...set(V)],
  ...[...get(ACC), ...get(V), ...get(LF), ...simd(0x23), ...simd(0x71), ...set(ACC)],
  ...nibbles,
  ...firstThree.flatMap((k) => [...looked(k), ...set(NOW + k)]),
  ...looked(3),
  ...firstThree.flatMap((k) => [...get(PREV + k), ...get(NOW + k), ...shuffleBack(3 - k), ...and]),
  ...set(mask),
  ...firstThree.flatMap((k) => [...get(NOW + k), ...set(PREV + k)]),
];
const bitmask = (mask: number): number[] => [...get(mask), ...splat(0), ...simd(0x24), ...simd(0x64)];
const lane = (i: number): number[] => [...get(TOTAL), ...simd(0x1b, i)];
const add = [0x6a];
/** Adds the 16 byte counters of ACC to the four words of TOTAL and clears them. */
const fold = [
  ...[...get(ACC), ...simd(0x7d), ...simd(0x7f), ...get(TOTAL), ...simd(0xae), ...set(TOTAL)],
  ...[...splat(0), ...set(ACC)],
];
const saveCount = [
  ...fold,
  ...[...i32Const(0), ...lane(0), ...lane(1), ...add, ...lane(2), ...add, ...lane(3), ...add, ...store32(0)],
];

const shiftRight = (n: number): number[] => [...i32Const(n), 0x76];

/** The address of the byte `back` bytes before the lowest place that is left. */
const placeBefore = (back: number): number[] => [...get(P), ...get(LEFT), 0x68, ...add, ...i32Const(back), 0x6b];
/** 1 where bit `number` of the set at `base` is there. */
const inSet = (base: number, number: number): number[] => [
  ...[...get(number), ...shiftRight(3), 0x2d, 0, ...leb(base), ...get(number), ...i32Const(7), 0x71, 0x76],
  ...[...i32Const(1), 0x71],
];

/** Looks up the places of the block that passed, and returns from the function where one of them is in the sets. */
const lookUp = [
  ...[...bitmask(M0), ...bitmask(M1), ...i32Const(16), 0x74, 0x72, ...set(LEFT)],
  ...[0x03, 0x40],
  ...[...placeBefore(3), 0x28, 0, 0, ...i32Const(FACTOR), 0x6c, ...shiftRight(32 - SET_BITS), ...set(BIT)],
  ...[...inSet(SET, BIT), 0x04, 0x40],
  ...[...placeBefore(7), 0x29, 0, 0, ...i64Const(FACTOR_8), 0x7e, ...i64Const(BigInt(64 - SET_BITS)), 0x88, 0xa7],
  ...[...set(BIT_8), ...inSet(SHORT, BIT), ...inSet(LONG, BIT_8), 0x72, 0x04, 0x40],
  ...[...saveCount, ...i32Const(0), ...bitmask(M0), ...store32(4), ...i32Const(0), ...bitmask(M1), ...store32(8)],
  ...[...get(P), 0x0f, 0x0b, 0x0b],
  ...[...get(LEFT), ...get(LEFT), ...i32Const(1), 0x6b, 0x71, 0x22, LEFT, 0x0d, 0],
  0x0b,
];

function body(): number[] {
  const constants = [
    ...Array.from({ length: 8 }, (_, i) => [...i32Const(0), ...load(TABLES + 16 * i), ...set(T + i)]).flat(),
    ...[...splat(15), ...set(NIBBLE), ...splat(10), ...set(LF)],
    // what the three bytes before `from` leave behind
    ...[...get(P), ...i32Const(16), 0x6b, ...load(0), ...set(V)],
    ...[...nibbles, ...firstThree.flatMap((k) => [...looked(k), ...set(PREV + k)])],
  ];
  const inner = [
    ...[...get(P), ...i32Const(32), ...add, ...get(LIMIT), 0x4b, 0x0d, 1], // p + 32 > limit: leave the inner block
    ...[...block(0, M0), ...block(16, M1)],
    ...[...get(M0), ...get(M1), ...or, ...simd(0x53), 0x04, 0x40, ...lookUp, 0x0b], // any candidate?
    ...[...get(P), ...i32Const(32), ...add, ...set(P), 0x0c, 0],
  ];
  const outer = [
    // limit = min(to, p + 32 * 120): a byte counter must not pass 255 (two blocks an iteration)
    ...[...get(P), ...i32Const(32 * 120), ...add, ...get(TO)],
    ...[...get(P), ...i32Const(32 * 120), ...add, ...get(TO), 0x49, 0x1b, ...set(LIMIT)],
    ...[0x02, 0x40, 0x03, 0x40, ...inner, 0x0b, 0x0b],
    ...fold,
    ...[...get(P), ...i32Const(32), ...add, ...get(TO), 0x4d, 0x0d, 0], // p + 32 <= to: again
  ];
  const code = [
    ...constants,
    ...[0x03, 0x40, ...outer, 0x0b],
    ...[...saveCount, ...get(P), ...i32Const(1), ...add, 0x0b],
  ];
  const locals = vec([
    [1, I32],
    [vectors, V128],
    [3, I32],
  ]);
  return [...locals, ...code];
}

function moduleBytes(pages: number): Uint8Array {
  const code = body();
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vec([[0x60, ...vec([[I32], [I32]]), ...vec([[I32]])]])),
    ...section(3, vec([[0]])),
    ...section(5, vec([[0x00, ...leb(pages)]])),
    ...section(
      7,
      vec([
        [...name("memory"), 0x02, 0],
        [...name("scan"), 0x00, 0],
      ]),
    ),
    ...section(10, vec([[...leb(code.length), ...code]])),
  ]);
}
