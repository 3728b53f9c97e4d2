// ELF cores: qemu's dump-guest-memory, virsh dump, /proc/vmcore, /proc/kcore, makedumpfile -E. Layout: System V gABI and
// include/uapi/linux/elf.h. Headers of qemu 7.2 say e_ehsize 8; sizes of headers are therefore never trusted.
import { BadInput } from "../../base/bad_input.ts";
import type { PhysicalMemory } from "./physical.ts";
import { pageBytes } from "./physical.ts";
import { BlockCache, type RandomBytes, readExactly } from "./random_bytes.ts";

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly virtual: bigint;
  readonly physical: number;
  readonly fileBytes: number;
}

const PT_LOAD = 1;
const PT_NOTE = 4;
/** e_phnum when there are more; the number stands in sh_info of section 0. */
const PN_XNUM = 0xffff;
const mostSegments = 1 << 20;
const mostNoteBytes = 1 << 24;
const machineX86_64 = 62;
/** Physical addresses above 2^52 do not exist on x86-64. */
const mostPhysical = 2 ** 52;

export function isElfCore(head: Uint8Array): boolean {
  return head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46;
}

/** Reads an ELF core. Throws BadInput: not 64-bit little-endian x86-64, cut off in its headers. */
export function openElfCore(source: RandomBytes, live = false): PhysicalMemory {
  const header = readExactly(source, 0, 64, "ELF header");
  const h = new DataView(header.buffer);
  if (header[4] !== 2 || header[5] !== 1 || h.getUint16(18, true) !== machineX86_64)
    throw new BadInput(
      "It is an ELF file, but not of a 64-bit x86 machine.",
      { file: source.name },
      "Only images of x86-64 machines are read.",
    );
  if (h.getUint16(16, true) !== 4)
    throw new BadInput(
      "It is an ELF file, but no core (e_type is not ET_CORE).",
      { file: source.name },
      "Give the memory image; a vmlinux is not needed.",
    );
  const segments = segmentsOf(source, h);
  const loads = segments.filter((s) => s.type === PT_LOAD && s.fileBytes > 0);
  const vmcoreinfo = vmcoreinfoOf(source, segments);
  // p_paddr is all ones where a segment has no physical place (vmalloc in /proc/kcore).
  const physical = loads.filter((s) => s.physical < mostPhysical);
  const notes =
    loads.length > physical.length && !live
      ? [`${loads.length - physical.length} of ${loads.length} segments have no physical address and are not used.`]
      : [];
  const cut = loads.filter((s) => s.offset + s.fileBytes > source.size).length;
  if (cut > 0 && !live) notes.push(`${cut} segments reach beyond the end of the file: the file is cut off.`);
  return {
    name: source.name,
    facts: { kind: live ? "/proc/kcore" : "ELF core", dumpLevel: undefined, incomplete: cut > 0, notes },
    vmcoreinfo,
    physBase: undefined,
    live,
    ...pagesOf(source, physical),
  };
}

function segmentsOf(source: RandomBytes, h: DataView): readonly Segment[] {
  const tableAt = Number(h.getBigUint64(32, true));
  const entry = h.getUint16(54, true);
  let count = h.getUint16(56, true);
  if (count === PN_XNUM) {
    const section = readExactly(source, Number(h.getBigUint64(40, true)), 64, "first section header");
    count = new DataView(section.buffer).getUint32(44, true);
  }
  if (entry < 56 || count > mostSegments)
    throw new BadInput(
      `Its program header says ${count} entries of ${entry} bytes.`,
      { file: source.name },
      "The file is damaged; copy it again.",
    );
  const table = readExactly(source, tableAt, entry * count, "table of segments");
  const t = new DataView(table.buffer);
  return Array.from({ length: count }, (_, i) => {
    const at = i * entry;
    return {
      type: t.getUint32(at, true),
      offset: Number(t.getBigUint64(at + 8, true)),
      virtual: t.getBigUint64(at + 16, true),
      physical: Number(t.getBigUint64(at + 24, true)),
      fileBytes: Number(t.getBigUint64(at + 32, true)),
    };
  });
}

function vmcoreinfoOf(source: RandomBytes, segments: readonly Segment[]): string | undefined {
  for (const s of segments) {
    if (s.type !== PT_NOTE || s.fileBytes > mostNoteBytes || s.offset + s.fileBytes > source.size) continue;
    const found = findNote(readExactly(source, s.offset, s.fileBytes, "notes"), "VMCOREINFO");
    if (found !== undefined) return new TextDecoder().decode(found);
  }
  return undefined;
}

/** The contents of the first note of a name. */
export function findNote(bytes: Uint8Array, name: string): Uint8Array | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 12 <= bytes.length; ) {
    const nameBytes = view.getUint32(at, true);
    const contentBytes = view.getUint32(at + 4, true);
    const nameAt = at + 12;
    const contentAt = nameAt + Math.ceil(nameBytes / 4) * 4;
    if (contentAt + contentBytes > bytes.length) return undefined;
    const own = new TextDecoder("latin1").decode(bytes.subarray(nameAt, nameAt + Math.min(nameBytes, 64)));
    if (own.split("\0")[0]! === name) return bytes.subarray(contentAt, contentAt + contentBytes);
    at = contentAt + Math.ceil(contentBytes / 4) * 4;
  }
  return undefined;
}

/** A stretch of physical memory with its place in the file; stretches of one list do not overlap. */
interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly offset: number;
}

/** Overlapping segments hold the same memory (text and direct map of /proc/kcore): the first one counts. */
function stretchesOf(loads: readonly Segment[]): readonly Stretch[] {
  const sorted = loads
    .map((s, i) => ({ start: s.physical, end: s.physical + s.fileBytes, offset: s.offset, i }))
    .sort((a, b) => a.start - b.start || a.i - b.i);
  const out: Stretch[] = [];
  let reached = 0;
  for (const s of sorted) {
    const start = Math.max(s.start, reached);
    if (start >= s.end) continue;
    out.push({ start, end: s.end, offset: s.offset + (start - s.start) });
    reached = s.end;
  }
  return out;
}

function pagesOf(
  source: RandomBytes,
  loads: readonly Segment[],
): Pick<PhysicalMemory, "endPfn" | "page" | "has" | "copy"> {
  const stretches = stretchesOf(loads);
  const cache = new BlockCache(source);
  let last = 0;
  const indexOf = (address: number): number => {
    const hit = stretches[last];
    if (hit !== undefined && address >= hit.start && address < hit.end) return last;
    let low = 0;
    let high = stretches.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const s = stretches[middle] as Stretch;
      if (address < s.start) high = middle - 1;
      else if (address >= s.end) low = middle + 1;
      else {
        last = middle;
        return middle;
      }
    }
    return -1;
  };
  /** Stretches that together hold all bytes of the page; undefined when some are missing. */
  const placesOf = (pfn: number): readonly Stretch[] | undefined => {
    const places: Stretch[] = [];
    const end = (pfn + 1) * pageBytes;
    for (let at = pfn * pageBytes; at < end; ) {
      const s = stretches[indexOf(at)];
      if (s === undefined) return undefined;
      const stop = Math.min(end, s.end);
      const offset = s.offset + (at - s.start);
      if (offset + (stop - at) > source.size) return undefined;
      places.push({ start: at, end: stop, offset });
      at = stop;
    }
    return places;
  };
  return {
    endPfn: Math.ceil((stretches.at(-1)?.end ?? 0) / pageBytes),
    has: (pfn) => placesOf(pfn) !== undefined,
    copy(physical, into) {
      const s = stretches[indexOf(physical)];
      if (s === undefined || physical + into.length > s.end) return false;
      const offset = s.offset + (physical - s.start);
      return offset + into.length <= source.size && source.read(offset, into) === into.length;
    },
    page(pfn) {
      const s = stretches[indexOf(pfn * pageBytes)];
      if (s !== undefined && (pfn + 1) * pageBytes <= s.end)
        return cache.part(s.offset + (pfn * pageBytes - s.start), pageBytes);
      const places = placesOf(pfn);
      if (places === undefined) return undefined;
      const whole = new Uint8Array(pageBytes);
      for (const p of places) {
        const part = cache.part(p.offset, p.end - p.start);
        if (part === undefined) return undefined;
        whole.set(part, p.start - pfn * pageBytes);
      }
      return whole;
    },
  };
}
