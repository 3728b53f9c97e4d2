// kdump-compressed files (makedumpfile, qemu's kdump-zlib/-lzo/-snappy), header versions 1 to 6: a header block, a sub header, two
// bitmaps (memory that exists; pages that are in the file), one descriptor a page in the file, the pages. diskdump_mod.h of makedumpfile 1.7.2.
import { BadInput } from "../../base/bad_input.ts";
import { findNote } from "./elf_core.ts";
import type { PhysicalMemory } from "./physical.ts";
import { pageBytes } from "./physical.ts";
import { BlockCache, type RandomBytes, readExactly } from "./random_bytes.ts";
import { type Packing, unpackPage } from "./unpack_page.ts";

const flagZlib = 1;
const flagLzo = 2;
const flagSnappy = 4;
const flagIncomplete = 8;
const flagZstd = 32;
const descriptorBytes = 24;
const mostVmcoreinfo = 1 << 20;
/** 16 TiB: what a 32-bit frame number holds. */
const mostFrames = 2 ** 32;
/** Unpacked pages that are kept: 64 MiB. */
const mostKept = 16384;

export function isKdump(head: Uint8Array): boolean {
  return new TextDecoder("latin1").decode(head.subarray(0, 8)) === "KDUMP   ";
}

interface Header {
  readonly version: number;
  readonly status: number;
  readonly blockBytes: number;
  readonly bitmapAt: number;
  readonly bitmapBytes: number;
  readonly descriptorsAt: number;
  readonly endPfn: number;
  readonly physBase: bigint;
  readonly dumpLevel: number;
  /** A part of a split dump holds the pages from `start` up to `end`. */
  readonly split: { readonly start: number; readonly end: number } | undefined;
  readonly vmcoreinfo: string | undefined;
}

/** Reads one kdump-compressed file, or the parts of a split one, in any order. Throws BadInput: another format, damaged headers, parts of different dumps. */
export function openKdump(sources: readonly RandomBytes[]): PhysicalMemory {
  const parts = sources.map(openPart).sort((a, b) => a.start - b.start);
  const [first] = parts;
  if (first === undefined) throw new BadInput("No file is given.");
  for (const [i, part] of parts.entries()) {
    const before = parts[i - 1];
    if (before === undefined) continue;
    if (
      part.header.vmcoreinfo !== undefined &&
      first.header.vmcoreinfo !== undefined &&
      part.header.vmcoreinfo !== first.header.vmcoreinfo
    )
      throw new BadInput("It is a part of another dump.", { file: part.name }, "Give the parts of one dump.");
    if (part.start < before.end)
      throw new BadInput(
        `It holds pages from frame ${part.start} on, which ${before.name} holds too.`,
        { file: part.name },
        "Give each part of a split dump once.",
      );
  }
  const endPfn = Math.max(...parts.map((p) => p.header.endPfn));
  const notes: string[] = [];
  const gap = parts.find((p, i) => p.start !== (i === 0 ? 0 : (parts[i - 1] as Part).end));
  if (first.header.split !== undefined && (gap !== undefined || (parts.at(-1) as Part).end < endPfn))
    notes.push("This is a split dump and not all of its parts are given: their pages are absent.");
  let hit = first;
  const partOf = (pfn: number): Part | undefined => {
    if (pfn >= hit.start && pfn < hit.end) return hit;
    const found = parts.find((p) => pfn >= p.start && pfn < p.end);
    if (found !== undefined) hit = found;
    return found;
  };
  return {
    name: first.name,
    facts: {
      kind: `kdump-compressed (${packingName(first.header.status)})`,
      dumpLevel: first.header.version >= 2 ? first.header.dumpLevel : undefined,
      incomplete: parts.some((p) => (p.header.status & flagIncomplete) !== 0),
      notes,
    },
    endPfn,
    vmcoreinfo: parts.find((p) => p.header.vmcoreinfo !== undefined)?.header.vmcoreinfo,
    physBase: first.header.physBase,
    live: false,
    page: (pfn) => partOf(pfn)?.page(pfn),
    has: (pfn) => partOf(pfn)?.has(pfn) === true,
  };
}

const packingName = (status: number): string =>
  (status & flagZlib) !== 0
    ? "zlib"
    : (status & flagLzo) !== 0
      ? "lzo"
      : (status & flagSnappy) !== 0
        ? "snappy"
        : (status & flagZstd) !== 0
          ? "zstd"
          : "pages as they are";

function headerOf(source: RandomBytes): Header {
  const block = readExactly(source, 0, 464, "kdump header");
  const h = new DataView(block.buffer);
  const version = h.getInt32(8, true);
  const blockBytes = h.getInt32(428, true);
  if (blockBytes !== pageBytes || version < 1 || version > 6)
    throw new BadInput(
      `Its header says version ${version} and blocks of ${blockBytes} bytes.`,
      { file: source.name },
      "Only images of x86-64 machines with 4 KiB pages, header versions 1 to 6, are read.",
    );
  const subBlocks = h.getUint32(432, true);
  const bitmapBlocks = h.getUint32(436, true);
  const sub = subHeaderOf(source, version, blockBytes);
  const bitmapAt = (1 + subBlocks) * blockBytes;
  const endPfn = Math.min(
    version >= 6 && sub.endOfMap !== 0 ? sub.endOfMap : h.getUint32(440, true),
    Math.floor(bitmapBlocks / 2) * blockBytes * 8,
  );
  if (!(endPfn <= mostFrames))
    throw new BadInput(`Its header says ${endPfn} page frames.`, { file: source.name }, "The file is damaged.");
  return {
    version,
    status: h.getUint32(424, true),
    blockBytes,
    bitmapAt,
    bitmapBytes: Math.floor(bitmapBlocks / 2) * blockBytes,
    descriptorsAt: bitmapAt + bitmapBlocks * blockBytes,
    endPfn,
    physBase: sub.physBase,
    dumpLevel: sub.dumpLevel,
    split: sub.split,
    vmcoreinfo: sub.vmcoreinfo,
  };
}

function subHeaderOf(source: RandomBytes, version: number, at: number) {
  const s = new DataView(readExactly(source, at, 104, "kdump sub header").buffer);
  const u64 = (offset: number): number => Number(s.getBigUint64(offset, true));
  const isSplit = version >= 2 && s.getInt32(12, true) !== 0;
  const infoAt = version >= 3 ? u64(32) : 0;
  const infoBytes = version >= 3 ? u64(40) : 0;
  let vmcoreinfo =
    infoAt > 0 && infoBytes > 0 && infoBytes <= mostVmcoreinfo && infoAt + infoBytes <= source.size
      ? new TextDecoder().decode(readExactly(source, infoAt, infoBytes, "vmcoreinfo"))
      : undefined;
  const notesAt = version >= 4 ? u64(48) : 0;
  const notesBytes = version >= 4 ? u64(56) : 0;
  if (
    vmcoreinfo === undefined &&
    notesBytes > 0 &&
    notesBytes <= mostVmcoreinfo &&
    notesAt + notesBytes <= source.size
  ) {
    const note = findNote(readExactly(source, notesAt, notesBytes, "notes"), "VMCOREINFO");
    if (note !== undefined) vmcoreinfo = new TextDecoder().decode(note);
  }
  return {
    physBase: s.getBigUint64(0, true),
    dumpLevel: s.getInt32(8, true),
    endOfMap: version >= 6 ? u64(96) : 0,
    split: isSplit ? { start: u64(version >= 6 ? 80 : 16), end: u64(version >= 6 ? 88 : 24) } : undefined,
    vmcoreinfo,
  };
}

interface Part {
  readonly name: string;
  readonly header: Header;
  readonly start: number;
  readonly end: number;
  page(pfn: number): Uint8Array | undefined;
  has(pfn: number): boolean;
}

const bitsOf = Uint8Array.from({ length: 256 }, (_, i) => i.toString(2).replaceAll("0", "").length);
/** Frames between two remembered ranks. */
const rankStep = 4096;

function openPart(source: RandomBytes): Part {
  const header = headerOf(source);
  const bitmap = readExactly(
    source,
    header.bitmapAt + header.bitmapBytes,
    Math.ceil(header.endPfn / 8),
    "bitmap of the pages in the file",
  );
  const start = header.split?.start ?? 0;
  const end = Math.min(header.split?.end ?? header.endPfn, header.endPfn);
  const ranks = new Float64Array(Math.ceil(header.endPfn / rankStep) + 1);
  for (let i = 0, sum = 0; i < bitmap.length; i++) {
    if ((i * 8) % rankStep === 0) ranks[(i * 8) / rankStep] = sum;
    sum += bitsOf[bitmap[i] as number] as number;
  }
  const has = (pfn: number): boolean =>
    pfn >= start && pfn < end && ((bitmap[pfn >>> 3] as number) & (1 << (pfn & 7))) !== 0;
  /** Pages in the file before this frame. */
  const rank = (pfn: number): number => {
    const from = Math.floor(pfn / rankStep);
    let sum = ranks[from] as number;
    const byte = pfn >>> 3;
    for (let i = (from * rankStep) >>> 3; i < byte; i++) sum += bitsOf[bitmap[i] as number] as number;
    return sum + (bitsOf[(bitmap[byte] as number) & ((1 << (pfn & 7)) - 1)] as number);
  };
  const skipped = start < header.endPfn ? rank(Math.max(0, start)) : 0;
  const cache = new BlockCache(source);
  const kept = new Map<number, Uint8Array | undefined>();
  const load = (pfn: number): Uint8Array | undefined => {
    const d = cache.part(header.descriptorsAt + (rank(pfn) - skipped) * descriptorBytes, descriptorBytes);
    if (d === undefined) return undefined;
    const view = new DataView(d.buffer, d.byteOffset, descriptorBytes);
    const at = Number(view.getBigUint64(0, true));
    const size = view.getUint32(8, true);
    const flags = view.getUint32(12, true);
    // A packed page is never larger than a page: then it is stored as it is.
    if (size > pageBytes || size === 0) return undefined;
    const bytes = cache.part(at, size);
    if (bytes === undefined) return undefined;
    const packing = packingOf(flags);
    if (packing === undefined) return size === pageBytes ? bytes : undefined;
    const page = new Uint8Array(pageBytes);
    return unpackPage(packing, bytes, page) ? page : undefined;
  };
  return {
    name: source.name,
    header,
    start,
    end,
    has,
    page(pfn) {
      if (!has(pfn)) return undefined;
      const found = kept.get(pfn);
      if (found !== undefined) return found;
      const page = load(pfn);
      if (kept.size >= mostKept) kept.delete(kept.keys().next().value as number);
      kept.set(pfn, page);
      return page;
    },
  };
}

const packingOf = (flags: number): Packing | undefined =>
  (flags & flagZlib) !== 0
    ? "zlib"
    : (flags & flagLzo) !== 0
      ? "lzo"
      : (flags & flagSnappy) !== 0
        ? "snappy"
        : (flags & flagZstd) !== 0
          ? "zstd"
          : undefined;
