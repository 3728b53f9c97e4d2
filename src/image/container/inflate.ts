// Inflate (RFC 1951) in a zlib frame (RFC 1950), synchronous, into a page of known length: lists in an image are followed step by
// step, and the platform's own inflate can only be waited for. Gives false for anything that is not exactly one page.

const lengthBase = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const lengthExtra = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const distanceBase = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577,
];
const distanceExtra = [
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
];
const codeOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** Codes of up to 15 bits as one table over the next 15 bits: symbol << 4 | bits; 0 is no code. */
interface Codes {
  readonly table: Uint16Array;
  readonly bits: number;
}

/** undefined when more codes are given than the lengths have room for. */
function codesOf(lengths: Uint8Array, count: number): Codes | undefined {
  let bits = 0;
  const perLength = new Uint16Array(16);
  for (let i = 0; i < count; i++) {
    const n = lengths[i] as number;
    perLength[n] = (perLength[n] as number) + 1;
    if (n > bits) bits = n;
  }
  perLength[0] = 0;
  const next = new Uint16Array(17);
  let code = 0;
  for (let n = 1; n <= 15; n++) {
    code = (code + (perLength[n - 1] as number)) << 1;
    next[n] = code;
    if (code + (perLength[n] as number) > 1 << n) return undefined;
  }
  const table = new Uint16Array(1 << bits);
  for (let symbol = 0; symbol < count; symbol++) {
    const n = lengths[symbol] as number;
    if (n === 0) continue;
    let reversed = 0;
    const own = next[n] as number;
    next[n] = own + 1;
    for (let i = 0; i < n; i++) reversed |= ((own >> i) & 1) << (n - 1 - i);
    for (let at = reversed; at < table.length; at += 1 << n) table[at] = (symbol << 4) | n;
  }
  return { table, bits };
}

const fixedLengths = new Uint8Array(288).map((_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8));
const fixedLiterals = codesOf(fixedLengths, 288) as Codes;
const fixedDistances = codesOf(new Uint8Array(30).fill(5), 30) as Codes;

/** The bits of the source, lowest first. Beyond its end they are zeros, and `over` is true. */
class Bits {
  private readonly src: Uint8Array;
  private at: number;
  private held = 0;
  private count = 0;

  constructor(src: Uint8Array, at: number) {
    this.src = src;
    this.at = at;
  }

  get over(): boolean {
    return this.at - (this.count >> 3) > this.src.length;
  }

  private need(n: number): void {
    while (this.count < n) {
      this.held |= (this.src[this.at++] ?? 0) << this.count;
      this.count += 8;
    }
  }

  take(n: number): number {
    if (n === 0) return 0;
    this.need(n);
    const value = this.held & ((1 << n) - 1);
    this.held >>>= n;
    this.count -= n;
    return value;
  }

  symbol(codes: Codes): number {
    this.need(codes.bits);
    const entry = codes.table[this.held & ((1 << codes.bits) - 1)] as number;
    const n = entry & 15;
    if (n === 0) return -1;
    this.held >>>= n;
    this.count -= n;
    return entry >> 4;
  }

  /** The next whole byte's position; bits up to it are dropped. */
  align(): number {
    const at = this.at - (this.count >> 3);
    this.held = 0;
    this.count = 0;
    this.at = at;
    return at;
  }

  seek(at: number): void {
    this.at = at;
  }
}

function readCodes(bits: Bits): { literals: Codes; distances: Codes } | undefined {
  const literalCount = bits.take(5) + 257;
  const distanceCount = bits.take(5) + 1;
  const codeCount = bits.take(4) + 4;
  const codeLengths = new Uint8Array(19);
  for (let i = 0; i < codeCount; i++) codeLengths[codeOrder[i] as number] = bits.take(3);
  const codes = codesOf(codeLengths, 19);
  if (codes === undefined) return undefined;
  const lengths = new Uint8Array(literalCount + distanceCount);
  for (let i = 0; i < lengths.length; ) {
    const symbol = bits.symbol(codes);
    if (symbol < 0 || bits.over) return undefined;
    if (symbol < 16) {
      lengths[i++] = symbol;
      continue;
    }
    if (symbol === 16 && i === 0) return undefined;
    const value = symbol === 16 ? (lengths[i - 1] as number) : 0;
    const repeat = symbol === 16 ? 3 + bits.take(2) : symbol === 17 ? 3 + bits.take(3) : 11 + bits.take(7);
    if (i + repeat > lengths.length) return undefined;
    lengths.fill(value, i, i + repeat);
    i += repeat;
  }
  const literals = codesOf(lengths, literalCount);
  const distances = codesOf(lengths.subarray(literalCount), distanceCount);
  return literals === undefined || distances === undefined ? undefined : { literals, distances };
}

/** Where writing stands after a block of codes, -1 when it is damaged. */
function readBlock(bits: Bits, literals: Codes, distances: Codes, page: Uint8Array, from: number): number {
  let out = from;
  for (;;) {
    const symbol = bits.symbol(literals);
    if (symbol < 0 || bits.over) return -1;
    if (symbol < 256) {
      if (out >= page.length) return -1;
      page[out++] = symbol;
      continue;
    }
    if (symbol === 256) return out;
    const base = lengthBase[symbol - 257];
    if (base === undefined) return -1;
    const length = base + bits.take(lengthExtra[symbol - 257] as number);
    const code = bits.symbol(distances);
    const distanceFrom = distanceBase[code];
    if (distanceFrom === undefined) return -1;
    const distance = distanceFrom + bits.take(distanceExtra[code] as number);
    if (distance > out || out + length > page.length) return -1;
    for (let i = 0; i < length; i++) page[out + i] = page[out + i - distance] as number;
    out += length;
  }
}

/** Inflates one page from a zlib frame; false when the frame is damaged or is not exactly as long. */
export function inflateZlib(src: Uint8Array, page: Uint8Array): boolean {
  if (src.length < 6 || ((src[0] as number) & 15) !== 8) return false;
  if ((((src[0] as number) << 8) | (src[1] as number)) % 31 !== 0 || ((src[1] as number) & 32) !== 0) return false;
  const bits = new Bits(src, 2);
  let out = 0;
  for (let last = 0; last === 0; ) {
    last = bits.take(1);
    const kind = bits.take(2);
    if (kind === 0) {
      const at = bits.align();
      const length = (src[at] ?? 0) | ((src[at + 1] ?? 0) << 8);
      if (at + 4 + length > src.length || out + length > page.length) return false;
      page.set(src.subarray(at + 4, at + 4 + length), out);
      out += length;
      bits.seek(at + 4 + length);
      if (length === 0 && last === 0 && bits.over) return false;
      continue;
    }
    if (kind === 3) return false;
    const codes = kind === 1 ? { literals: fixedLiterals, distances: fixedDistances } : readCodes(bits);
    if (codes === undefined) return false;
    out = readBlock(bits, codes.literals, codes.distances, page, out);
    if (out < 0) return false;
  }
  return out === page.length && adler32(page) === bigEndian32(src, bits.align());
}

function bigEndian32(src: Uint8Array, at: number): number {
  if (at + 4 > src.length) return -1;
  return new DataView(src.buffer, src.byteOffset + at, 4).getUint32(0);
}

function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let i = 0; i < bytes.length; ) {
    // 3,800 bytes are the most before the sums could pass 2^32 (RFC 1950's 5,552 is for unsigned words).
    const stop = Math.min(bytes.length, i + 3800);
    for (; i < stop; i++) {
      a += bytes[i] as number;
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return b * 65536 + a;
}
