// Containers written by hand, for tests only: ELF cores and kdump-compressed files around given pages, in every variant that is read.
import { deflateSync } from "node:zlib";

/** Pages by frame; a frame that is not there is not in the image. */
export type Pages = ReadonlyMap<number, Uint8Array>;

export interface ElfOptions {
  /** Number of segments in section 0 (PN_XNUM), the headers somewhere else. */
  readonly extended?: boolean;
  readonly note?: string;
}

/** A 64-bit x86 core with one segment a run of frames. e_ehsize says 8, as qemu 7.2 writes it. */
export function elfCore(pages: Pages, options: ElfOptions = {}): Uint8Array {
  const runs = runsOf(pages);
  const note = noteOf(options.note ?? "");
  const sectionAt = 64;
  const tableAt = 128 + 7;
  const count = runs.length + 1;
  const noteAt = tableAt + count * 56;
  let at = noteAt + note.length;
  const out = new Uint8Array(at + [...pages.values()].length * 4096);
  const v = new DataView(out.buffer);
  out.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  v.setUint16(16, 4, true);
  v.setUint16(18, 62, true);
  v.setBigUint64(32, BigInt(tableAt), true);
  v.setBigUint64(40, BigInt(sectionAt), true);
  v.setUint16(52, 8, true);
  v.setUint16(54, 56, true);
  v.setUint16(56, options.extended === true ? 0xffff : count, true);
  v.setUint32(sectionAt + 44, count, true);
  const segment = (i: number, type: number, offset: number, physical: number, bytes: number): void => {
    const p = tableAt + i * 56;
    v.setUint32(p, type, true);
    v.setBigUint64(p + 8, BigInt(offset), true);
    v.setBigUint64(p + 24, BigInt(physical), true);
    v.setBigUint64(p + 32, BigInt(bytes), true);
    v.setBigUint64(p + 40, BigInt(bytes), true);
  };
  segment(0, 4, noteAt, 0, note.length);
  out.set(note, noteAt);
  for (const [i, run] of runs.entries()) {
    segment(i + 1, 1, at, (run[0] as number) * 4096, run.length * 4096);
    for (const pfn of run) {
      out.set(pages.get(pfn) as Uint8Array, at);
      at += 4096;
    }
  }
  return out;
}

function noteOf(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  const out = new Uint8Array(12 + 12 + Math.ceil(bytes.length / 4) * 4);
  const v = new DataView(out.buffer);
  v.setUint32(0, 11, true);
  v.setUint32(4, bytes.length, true);
  out.set(new TextEncoder().encode("VMCOREINFO\0"), 12);
  out.set(bytes, 24);
  return out;
}

function runsOf(pages: Pages): number[][] {
  const runs: number[][] = [];
  for (const pfn of [...pages.keys()].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last !== undefined && (last.at(-1) as number) + 1 === pfn) last.push(pfn);
    else runs.push([pfn]);
  }
  return runs;
}

export type Method = "raw" | "zlib" | "snappy" | "lzo" | "zstd";
const flagOf: Readonly<Record<Method, number>> = { raw: 0, zlib: 1, lzo: 2, snappy: 4, zstd: 32 };

export interface KdumpOptions {
  readonly method: Method | "mixed";
  readonly endPfn: number;
  readonly note?: string;
  /** Frames [start, end) of a split dump. */
  readonly part?: readonly [number, number];
}

/** A kdump-compressed file of version 6. Pages of zeros share one descriptor's data, as makedumpfile writes them. */
export function kdumpFile(pages: Pages, options: KdumpOptions): Uint8Array {
  const { endPfn, part } = options;
  const half = Math.ceil(Math.ceil(endPfn / 8) / 4096) * 4096;
  const note = new TextEncoder().encode(options.note ?? "");
  const own = [...pages.keys()]
    .filter((p) => part === undefined || (p >= part[0] && p < part[1]))
    .sort((a, b) => a - b);
  const descriptorsAt = 8192 + 2 * half;
  const noteAt = descriptorsAt + own.length * 24;
  const bodies: Uint8Array[] = [];
  let at = noteAt + note.length;
  const descriptors = new Uint8Array(own.length * 24);
  const d = new DataView(descriptors.buffer);
  let zero: { at: number; size: number; flag: number } | undefined;
  for (const [i, pfn] of own.entries()) {
    const page = pages.get(pfn) as Uint8Array;
    const methods: readonly Method[] = ["zlib", "snappy", "raw", "lzo", "zstd"];
    const method = options.method === "mixed" ? (methods[i % 5] as Method) : options.method;
    const isZero = page.every((b) => b === 0);
    let entry = isZero ? zero : undefined;
    if (entry === undefined) {
      const packed = pack(page, method);
      const [body, flag] = packed.length >= 4096 ? [page, 0] : [packed, flagOf[method]];
      entry = { at, size: body.length, flag };
      bodies.push(body);
      at += body.length;
      if (isZero) zero = entry;
    }
    d.setBigUint64(i * 24, BigInt(entry.at), true);
    d.setUint32(i * 24 + 8, entry.size, true);
    d.setUint32(i * 24 + 12, entry.flag, true);
  }
  const out = new Uint8Array(at);
  const v = new DataView(out.buffer);
  out.set(new TextEncoder().encode("KDUMP   "));
  v.setInt32(8, 6, true);
  v.setUint32(424, options.method === "mixed" ? 1 : flagOf[options.method], true);
  v.setInt32(428, 4096, true);
  v.setUint32(432, 1, true);
  v.setUint32(436, (2 * half) / 4096, true);
  v.setUint32(440, endPfn, true);
  const sub = 4096;
  v.setInt32(sub + 8, 31, true);
  v.setInt32(sub + 12, part === undefined ? 0 : 1, true);
  v.setBigUint64(sub + 32, BigInt(note.length === 0 ? 0 : noteAt), true);
  v.setBigUint64(sub + 40, BigInt(note.length), true);
  v.setBigUint64(sub + 80, BigInt(part?.[0] ?? 0), true);
  v.setBigUint64(sub + 88, BigInt(part?.[1] ?? endPfn), true);
  v.setBigUint64(sub + 96, BigInt(endPfn), true);
  for (const pfn of pages.keys()) {
    const byte = 8192 + half + (pfn >> 3);
    out[byte] = (out[byte] as number) | (1 << (pfn & 7));
  }
  out.set(descriptors, descriptorsAt);
  out.set(note, noteAt);
  let body = noteAt + note.length;
  for (const b of bodies) {
    out.set(b, body);
    body += b.length;
  }
  return out;
}

function pack(page: Uint8Array, method: Method): Uint8Array {
  switch (method) {
    case "raw":
      return page;
    case "zlib":
      return new Uint8Array(deflateSync(page));
    case "snappy":
      return snappy(page);
    case "lzo":
      return lzo(page);
    case "zstd":
      return zstd(page);
  }
}

/** Literals, and copies of runs of one byte. */
function snappy(page: Uint8Array): Uint8Array {
  const out: number[] = [0x80, 0x20];
  for (let i = 0; i < page.length; ) {
    let j = i;
    while (j < page.length && page[j] === page[i] && j - i < 65) j++;
    if (j - i >= 6) {
      out.push(0, page[i] as number, ((j - i - 2) << 2) | 2, 1, 0);
      i = j;
      continue;
    }
    const n = Math.min(60, page.length - i);
    const stop = Math.min(i + n, i + Math.max(1, j - i));
    out.push((stop - i - 1) << 2, ...page.subarray(i, stop));
    i = stop;
  }
  return Uint8Array.from(out);
}

/** One run of literals, then one far copy of what repeats at the end, if the page's second half repeats its first. */
function lzo(page: Uint8Array): Uint8Array {
  const half = page.subarray(0, 2048);
  const repeats = half.every((b, i) => page[2048 + i] === b);
  const literals = repeats ? half : page;
  const out: number[] = [0];
  // A run of literals: code 0, then 255 for each zero byte, the rest; 18 and more.
  let left = literals.length - 18;
  while (left > 255) {
    out.push(0);
    left -= 255;
  }
  out.push(left, ...literals);
  if (repeats) {
    // Code 001LLLLL with L 0: length 33 and more, distance 2048.
    out.push(32);
    let more = 2048 - 33;
    while (more > 255) {
      out.push(0);
      more -= 255;
    }
    const distance = (2048 - 1) << 2;
    out.push(more, distance & 255, distance >> 8);
  }
  out.push(17, 0, 0);
  return Uint8Array.from(out);
}

/** A zstd frame with one block: raw, or one byte repeated. */
function zstd(page: Uint8Array): Uint8Array {
  const isRun = page.every((b) => b === page[0]);
  const head = [0x28, 0xb5, 0x2f, 0xfd, 0x60, 0x00, 0x0f];
  const block = (page.length << 3) | ((isRun ? 1 : 0) << 1) | 1;
  return Uint8Array.from([
    ...head,
    block & 255,
    (block >> 8) & 255,
    block >> 16,
    ...(isRun ? [page[0] as number] : page),
  ]);
}

/** The flattened form: records of the given size in the given order, then the end. Later records count. */
export function flattened(file: Uint8Array, records: readonly (readonly [at: number, length: number])[]): Uint8Array {
  const total = 4096 + records.reduce((n, [, length]) => n + 16 + length, 0) + 16;
  const out = new Uint8Array(total);
  const v = new DataView(out.buffer);
  out.set(new TextEncoder().encode("makedumpfile"));
  v.setBigInt64(16, 1n);
  v.setBigInt64(24, 1n);
  let at = 4096;
  for (const [from, length] of records) {
    v.setBigInt64(at, BigInt(from));
    v.setBigInt64(at + 8, BigInt(length));
    out.set(file.subarray(from, from + length), at + 16);
    at += 16 + length;
  }
  v.setBigInt64(at, -1n);
  v.setBigInt64(at + 8, -1n);
  return out;
}
