// Finds any of a fixed list of byte patterns in a stream while counting its newlines, at a good part of memory bandwidth.
// Each pattern is represented by its rarest three bytes (its fingerprint); a filter finds fingerprints, then the pattern is compared.
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
  /** Index of the fingerprint's third byte in the pattern. */
  readonly end: number;
  readonly bytes: Uint8Array;
}

/** Which filter to use; `auto` takes SIMD where it exists. */
export type Filter = "auto" | "simd" | "table";

/** Patterns must have 3 to 64 bytes and no newline. Room for `capacity` bytes. Throws ModelBug where `simd` is demanded and missing. */
export function byteSearch(patterns: readonly Uint8Array[], capacity: number, filter: Filter = "auto"): ByteSearch {
  for (const p of patterns) {
    assert(p.length >= 3 && p.length <= 64 && !p.includes(NEWLINE), () => `unusable pattern of ${p.length} bytes`);
  }
  const prints = patterns.map((bytes, pattern) => fingerprint(bytes, pattern));
  const simd = filter === "table" ? undefined : simdScan(nibbleTables(prints), capacity);
  assert(filter !== "simd" || simd !== undefined, "this engine has no WebAssembly SIMD");
  const memory = simd?.memory ?? new Uint8Array(SIMD_DATA + capacity + 64);
  const byKey = new Map<number, Fingerprint[]>();
  for (const f of prints) {
    const key = keyAt(f.bytes, f.end);
    byKey.set(key, [...(byKey.get(key) ?? []), f]);
  }
  let newlines = 0;
  /** Verifies the candidate whose third fingerprint byte is at `at`; `counted` newlines stand before `end`. */
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
  (bytes[end - 2]! << 16) | (bytes[end - 1]! << 8) | bytes[end]!;

/** How common a byte is in kernel logs, in parts of 256; rough on purpose: it only ranks fingerprints. */
function commonness(byte: number): number {
  const c = String.fromCharCode(byte);
  if (c === " " || c === "0") return 24;
  if (/[1-9]/.test(c)) return 9;
  if ("etaionrs".includes(c)) return 8;
  if (/[a-z.[\]:_]/.test(c)) return 4;
  if ("xfcd,=()-/".includes(c)) return 4;
  if (/[A-Z]/.test(c)) return 1.5;
  return 0.5;
}

function fingerprint(bytes: Uint8Array, pattern: number): Fingerprint {
  let end = 2;
  const cost = (e: number): number => commonness(bytes[e - 2]!) * commonness(bytes[e - 1]!) * commonness(bytes[e]!);
  for (let e = 3; e < bytes.length; e++) if (cost(e) < cost(end)) end = e;
  return { pattern, end, bytes };
}

/** Six tables of 16 bytes; bit k of an entry: bucket k holds a fingerprint with that nibble there. Buckets are filled greedily,
 *  each fingerprint where it raises the expected number of false candidates least. */
function nibbleTables(prints: readonly Fingerprint[]): Uint8Array {
  const weight = Array.from({ length: 256 }, (_, b) => commonness(b) / 256);
  const buckets = Array.from({ length: 8 }, () => new Uint16Array(6));
  const rate = (sets: Uint16Array): number => {
    let product = 1;
    for (let t = 0; t < 3; t++) {
      let sum = 0;
      for (let b = 0; b < 256; b++) {
        if ((sets[2 * t]! >> (b & 15)) & 1 && (sets[2 * t + 1]! >> (b >> 4)) & 1) sum += weight[b]!;
      }
      product *= sum;
    }
    return product;
  };
  for (const f of prints) {
    const grown = buckets.map((sets) => {
      const copy = sets.slice();
      for (let t = 0; t < 3; t++) {
        const b = f.bytes[f.end - 2 + t]!;
        copy[2 * t] = copy[2 * t]! | (1 << (b & 15));
        copy[2 * t + 1] = copy[2 * t + 1]! | (1 << (b >> 4));
      }
      return copy;
    });
    const costs = grown.map((sets, k) => rate(sets) - rate(buckets[k]!));
    const best = costs.indexOf(Math.min(...costs));
    buckets[best] = grown[best]!;
  }
  const tables = new Uint8Array(96);
  for (let t = 0; t < 6; t++) {
    for (let n = 0; n < 16; n++) {
      for (let k = 0; k < 8; k++) if ((buckets[k]![t]! >> n) & 1) tables[16 * t + n]! |= 1 << k;
    }
  }
  return tables;
}

const IS_NEWLINE = 1;

/** [0, 256): 1 a newline, 2 the third byte of a fingerprint; [256, 512): 2 the second byte of one. */
function byteKinds(prints: readonly Fingerprint[]): Uint8Array {
  const kinds = new Uint8Array(512);
  kinds[NEWLINE] = IS_NEWLINE;
  for (const f of prints) {
    kinds[f.bytes[f.end]!] = 2;
    kinds[256 + f.bytes[f.end - 1]!] = 2;
  }
  return kinds;
}
