// Finds any of a fixed list of byte patterns in a stream while counting its newlines, at a good part of memory bandwidth.
// Each pattern is represented by its rarest four bytes (its fingerprint); a filter finds fingerprints, then the pattern is compared.
// The filter is a WebAssembly SIMD kernel where there is one, else a loop over a table of bytes: the two answer alike.
import { assert } from "./assert.ts";
import { countByte, matchesAt, NEWLINE } from "./bytes.ts";
import { SIMD_DATA, simdScan } from "./bytes_simd.ts";

/** Pattern `pattern` (index in the list) begins at `at` in the memory, on the line with `newlines` newlines before it. */
export type OnHit = (pattern: number, at: number, newlines: number) => void;

/** A search with its own working memory: fill the memory, then scan it piece by piece. */
export interface ByteSearch {
  /** The caller's bytes; indexes below `base` are not his. */
  readonly memory: Uint8Array;
  readonly base: number;
  /** Bytes that fit from `base` on. */
  readonly capacity: number;
  /** Length of the longest pattern, bytes. A hit may begin this many bytes before the scanned piece. */
  readonly longest: number;
  /** Newlines in everything scanned so far. */
  readonly newlines: () => number;
  /** Starts another stream: newline count 0. */
  reset(): void;
  /** Scans whole blocks of 32 bytes of memory[from, to) and returns where it stopped (more than to-32). Bytes up to `longest`
   *  before `from` and after the last block must be valid. Every pattern whose fingerprint ends inside a scanned block is reported once. */
  scan(from: number, to: number, onHit: OnHit): number;
}

interface Fingerprint {
  readonly pattern: number;
  /** Index of the fingerprint's last byte in the pattern. */
  readonly end: number;
  readonly bytes: Uint8Array;
}

/** Which filter to use; `auto` takes SIMD where it exists. */
export type Filter = "auto" | "simd" | "table";

/** Patterns must have 4 to 64 bytes and no newline. Room for `capacity` bytes. Throws ModelBug where `simd` is demanded and missing. */
export function byteSearch(patterns: readonly Uint8Array[], capacity: number, filter: Filter = "auto"): ByteSearch {
  for (const p of patterns) {
    assert(p.length >= 4 && p.length <= 64 && !p.includes(NEWLINE), () => `unusable pattern of ${p.length} bytes`);
  }
  const { prints, tables } = choosePrints(patterns);
  const simd = filter === "table" ? undefined : simdScan(tables, capacity);
  assert(filter !== "simd" || simd !== undefined, "this engine has no WebAssembly SIMD");
  const memory = simd?.memory ?? new Uint8Array(SIMD_DATA + capacity + 64);
  const byKey = new Map<number, Fingerprint[]>();
  for (const f of prints) {
    const key = keyAt(f.bytes, f.end);
    byKey.set(key, [...(byKey.get(key) ?? []), f]);
  }
  let newlines = 0;
  /** Verifies the candidate whose last fingerprint byte is at `at`; `counted` newlines stand before `end`. */
  const verify = (at: number, end: number, counted: number, onHit: OnHit): void => {
    const found = byKey.get(keyAt(memory, at));
    if (found === undefined) return;
    for (const f of found) {
      const start = at - f.end;
      if (start >= SIMD_DATA && matchesAt(memory, start, f.bytes)) {
        onHit(f.pattern, start, counted - countByte(memory, NEWLINE, start, end));
      }
    }
  };
  const verifyMask = (mask: number, base: number, end: number, onHit: OnHit): void => {
    for (let m = mask; m !== 0; m &= m - 1) verify(base + 31 - Math.clz32(m & -m), end, newlines, onHit);
  };
  const scanSimd = (from: number, to: number, onHit: OnHit): number => {
    let p = from;
    while (p + 32 <= to) {
      const at = simd!.scan(p, to);
      newlines += simd!.words[0]!;
      if ((at - p) % 32 === 1) return at - 1;
      const [m0, m1] = [simd!.words[1]!, simd!.words[2]!];
      p = at + 32;
      verifyMask(m0, at, p, onHit);
      verifyMask(m1, at + 16, p, onHit);
    }
    return p;
  };
  const kinds = byteKinds(prints);
  const scanTable = (from: number, to: number, onHit: OnHit): number => {
    const end = from + Math.floor((to - from) / 32) * 32;
    for (let i = from; i < end; i++) {
      const kind = kinds[memory[i]!]!;
      if (kind === 0) continue;
      if (kind === IS_NEWLINE) newlines++;
      else if (kinds[256 + memory[i - 1]!]! !== 0) verify(i, i, newlines, onHit);
    }
    return end;
  };
  return {
    memory,
    base: SIMD_DATA,
    capacity,
    longest: Math.max(...patterns.map((p) => p.length)),
    newlines: () => newlines,
    reset() {
      newlines = 0;
      memory.fill(0, SIMD_DATA - 32, SIMD_DATA);
    },
    scan: (from, to, onHit) => (to - from < 32 ? from : (simd === undefined ? scanTable : scanSimd)(from, to, onHit)),
  };
}

const keyAt = (bytes: Uint8Array, end: number): number =>
  (bytes[end - 3]! << 24) | (bytes[end - 2]! << 16) | (bytes[end - 1]! << 8) | bytes[end]!;

/** How common the bytes 32..126 are in kernel logs: a digit d stands for a share of about 2^(1.5 d - 17). Counted over console logs
 *  and mails about them; it only ranks fingerprints. */
const shares = "91430004554556758776677676634653256555443535454553555424436626070877787677477777747786666642120";

function commonness(byte: number): number {
  return 2 ** (1.5 * Number(shares[byte - 32] ?? "2") - 17);
}

/** The cheapest places for a pattern's fingerprint, rarest first. */
function places(bytes: Uint8Array): Fingerprint["end"][] {
  const cost = (e: number): number => [0, 1, 2, 3].reduce((product, k) => product * commonness(bytes[e - k]!), 1);
  return Array.from({ length: bytes.length - 3 }, (_, i) => i + 3)
    .sort((a, b) => cost(a) - cost(b))
    .slice(0, 4);
}

/** A bucket: the nibbles that it lets through at each of the four places (low, high, low, high, ...), and how often it will. */
interface Bucket {
  readonly sets: Uint16Array;
  readonly rate: number;
}

const weights = Array.from({ length: 256 }, (_, b) => commonness(b));

function grow(bucket: Bucket, bytes: Uint8Array, end: number): Bucket {
  const sets = bucket.sets.slice();
  let rate = 1;
  for (let t = 0; t < 4; t++) {
    const byte = bytes[end - 3 + t]!;
    const low = sets[2 * t]! | (1 << (byte & 15));
    const high = sets[2 * t + 1]! | (1 << (byte >> 4));
    sets[2 * t] = low;
    sets[2 * t + 1] = high;
    let sum = 0;
    for (let b = 0; b < 256; b++) if ((low >> (b & 15)) & (high >> (b >> 4)) & 1) sum += weights[b]!;
    rate *= sum;
  }
  return { sets, rate };
}

/** Puts each pattern, by one of its rarest places, into the bucket where it raises the expected number of false candidates least.
 *  Tables: eight of 16 bytes; bit k of an entry: bucket k lets that nibble through there. */
function choosePrints(patterns: readonly Uint8Array[]): { prints: Fingerprint[]; tables: Uint8Array } {
  const buckets: Bucket[] = Array.from({ length: 8 }, () => ({ sets: new Uint16Array(8), rate: 0 }));
  const prints = patterns.map((bytes, pattern): Fingerprint => {
    let best = { cost: Number.POSITIVE_INFINITY, end: 3, k: 0, grown: buckets[0]! };
    for (const end of places(bytes)) {
      buckets.forEach((bucket, k) => {
        const grown = grow(bucket, bytes, end);
        const cost = grown.rate - bucket.rate;
        if (cost < best.cost) best = { cost, end, k, grown };
      });
    }
    buckets[best.k] = best.grown;
    return { pattern, end: best.end, bytes };
  });
  const tables = new Uint8Array(128);
  for (let t = 0; t < 8; t++) {
    for (let n = 0; n < 16; n++) {
      for (let k = 0; k < 8; k++) if ((buckets[k]!.sets[t]! >> n) & 1) tables[16 * t + n]! |= 1 << k;
    }
  }
  return { prints, tables };
}

const IS_NEWLINE = 1;

/** [0, 256): 1 a newline, 2 the last byte of a fingerprint; [256, 512): 2 the byte before it. */
function byteKinds(prints: readonly Fingerprint[]): Uint8Array {
  const kinds = new Uint8Array(512);
  kinds[NEWLINE] = IS_NEWLINE;
  for (const f of prints) {
    kinds[f.bytes[f.end]!] = 2;
    kinds[256 + f.bytes[f.end - 1]!] = 2;
  }
  return kinds;
}
