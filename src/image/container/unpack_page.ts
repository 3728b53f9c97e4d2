// The four ways in which a page of a kdump-compressed file may be packed. Each decoder writes exactly one page and gives false for
// anything that does not come out at its length: damaged bytes are an absent page, never a wrong one.
import { decompress as unzstd } from "fzstd";
import { inflateZlib } from "./inflate.ts";

export type Packing = "zlib" | "lzo" | "snappy" | "zstd";

/** Unpacks `packed` into all of `page`; false when it cannot be. */
export function unpackPage(packing: Packing, packed: Uint8Array, page: Uint8Array): boolean {
  switch (packing) {
    case "zlib":
      return inflateZlib(packed, page);
    case "lzo":
      return unlzo(packed, page);
    case "snappy":
      return unsnappy(packed, page);
    case "zstd":
      return unzstdPage(packed, page);
  }
}

function unzstdPage(packed: Uint8Array, page: Uint8Array): boolean {
  try {
    const out = unzstd(packed);
    if (out.length !== page.length) return false;
    page.set(out);
    return true;
  } catch {
    return false;
  }
}

/** Copies `length` bytes that were written `distance` before; runs may overlap themselves. */
function copyBack(page: Uint8Array, at: number, distance: number, length: number): boolean {
  if (distance <= 0 || distance > at || at + length > page.length) return false;
  for (let i = 0; i < length; i++) page[at + i] = page[at + i - distance] as number;
  return true;
}

/** Snappy's raw format: a length, then literals and copies (format_description.txt of snappy 1.1). */
function unsnappy(src: Uint8Array, page: Uint8Array): boolean {
  let at = 0;
  let length = 0;
  for (let shift = 0; shift <= 28; shift += 7) {
    const byte = src[at++];
    if (byte === undefined) return false;
    length |= (byte & 127) << shift;
    if (byte < 128) break;
  }
  if (length !== page.length) return false;
  let out = 0;
  while (at < src.length) {
    const tag = src[at++] as number;
    if ((tag & 3) === 0) {
      let n = (tag >> 2) + 1;
      if (n > 60) {
        const bytes = n - 60;
        n = 1;
        for (let i = 0; i < bytes; i++) n += (src[at + i] ?? 0) * 2 ** (8 * i);
        at += bytes;
      }
      if (at + n > src.length || out + n > page.length) return false;
      page.set(src.subarray(at, at + n), out);
      at += n;
      out += n;
      continue;
    }
    const wide = tag & 3;
    const n = wide === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
    let distance = 0;
    if (wide === 1) distance = ((tag >> 5) << 8) | (src[at] ?? 0);
    else if (wide === 2) distance = (src[at] ?? 0) | ((src[at + 1] ?? 0) << 8);
    else
      distance = (src[at] ?? 0) + (src[at + 1] ?? 0) * 256 + (src[at + 2] ?? 0) * 65536 + (src[at + 3] ?? 0) * 2 ** 24;
    at += wide === 1 ? 1 : wide === 2 ? 2 : 4;
    if (!copyBack(page, out, distance, n)) return false;
    out += n;
  }
  return out === page.length;
}

/** LZO1X as lzo1x_1_compress writes it (Documentation/staging/lzo.rst of Linux 6.1, bitstream version 0). */
function unlzo(src: Uint8Array, page: Uint8Array): boolean {
  let at = 0;
  let out = 0;
  /** Literals since the last match: 0, 1 to 3, or 4 for "4 or more". */
  let state = 0;
  const literals = (n: number): boolean => {
    if (at + n > src.length || out + n > page.length) return false;
    page.set(src.subarray(at, at + n), out);
    at += n;
    out += n;
    return true;
  };
  /** A length that did not fit its bits: zero bytes count 255 each. */
  const longer = (base: number): number => {
    let n = base;
    while (src[at] === 0) {
      n += 255;
      at++;
      if (n > page.length + 255) return n;
    }
    return n + (src[at++] ?? 0);
  };
  const first = src[0] ?? 0;
  if (first > 17) {
    at = 1;
    const n = first - 17;
    if (!literals(n)) return false;
    state = n < 4 ? n : 4;
  }
  while (at < src.length) {
    const code = src[at++] as number;
    let distance: number;
    let length: number;
    let trailing: number;
    if (code < 16 && state === 0) {
      const n = code === 0 ? longer(15) + 3 : code + 3;
      if (!literals(n)) return false;
      state = 4;
      continue;
    }
    if (code < 16) {
      distance = (code >> 2) + ((src[at++] ?? 0) << 2) + (state === 4 ? 2049 : 1);
      length = state === 4 ? 3 : 2;
      trailing = code & 3;
    } else if (code < 64) {
      const isFar = code < 32;
      const mask = isFar ? 7 : 31;
      length = (code & mask) === 0 ? longer(mask) + 2 : (code & mask) + 2;
      const word = (src[at] ?? 0) | ((src[at + 1] ?? 0) << 8);
      at += 2;
      distance = (word >> 2) + 1;
      trailing = word & 3;
      if (isFar) {
        distance = 16384 + ((code & 8) << 11) + (word >> 2);
        if (distance === 16384) return out === page.length;
      }
    } else {
      length = code < 128 ? 3 + ((code >> 5) & 1) : 5 + ((code >> 5) & 3);
      distance = ((src[at++] ?? 0) << 3) + ((code >> 2) & 7) + 1;
      trailing = code & 3;
    }
    if (!copyBack(page, out, distance, length)) return false;
    out += length;
    if (!literals(trailing)) return false;
    state = trailing;
  }
  return false;
}
