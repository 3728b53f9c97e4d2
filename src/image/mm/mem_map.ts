// The memory map: every struct page of the image, read once in order of frames into columns. What a page is follows from its own words;
// what only lists can tell (per-CPU pages, blocks of free pages) is added by those who walk them.
import { Absent, ifThere } from "../address_space.ts";
import { pageBytes } from "../container/physical.ts";
import type { Kernel } from "../kernel.ts";
import { isType, type PageMarks, pageKind } from "./page_kinds.ts";

/** Columns by frame number, each `endPfn` long: 20 bytes a page. */
export interface MemMap {
  readonly endPfn: number;
  readonly marks: PageMarks;
  /** One of `pageKind`. */
  readonly kind: Uint8Array;
  /** Low half of page->flags. */
  readonly flags: Uint32Array;
  /** High half, as an index into `highFlags`. */
  readonly high: Uint16Array;
  readonly highFlags: readonly number[];
  readonly refcount: Int32Array;
  /** The word of _mapcount, which page types share. */
  readonly mapcount: Int32Array;
  /** Tails of compound pages: the head's frame + 1, 0 when it is no struct page. Others: the order of a free block or compound page. */
  readonly link: Uint32Array;
  /** `isTail`, `isHead`, and what page->mapping says: `mappingAnon`, `mappingMovable`, `mappingSet`. */
  readonly shape: Uint8Array;
  /** Heads of slabs with the address of the cache they name. */
  readonly slabs: readonly SlabHead[];
  /** Frames that carry the page_pool mark. */
  readonly poolPages: readonly number[];
  /** Pages on LRU lists, without the tails of folios. */
  readonly lruPages: number;
  /** Struct pages that are not in the image. */
  readonly unseen: number;
  /** Struct pages read. */
  readonly seen: number;
}

export interface SlabHead {
  readonly pfn: number;
  readonly cache: bigint;
}

/** Bits of `shape`. */
export const isTail = 1;
export const isHead = 2;
export const mappingAnon = 4;
export const mappingMovable = 8;
export const mappingSet = 16;

/** Order of a free block or compound page, at its head. */
export const orderOf = (map: MemMap, pfn: number): number =>
  ((map.shape[pfn] as number) & isTail) === 0 ? (map.link[pfn] as number) : 0;

/** More frames than a 64 GiB machine by far. */
const mostFrames = 1 << 28;
/** Struct pages that are there together or not at all: at 64 bytes each they are one page of memory. */
const group = 64;
/** Struct pages read at once, where the memory gives more than a page at a time. */
const chunk = 8192;
const mostMarked = 1 << 26;

/** Where there are struct pages: [first, end) in order, from the memory sections (mm/sparse.c), up to `endPfn`. */
export function framesWithPages(kernel: Kernel, endPfn: number): readonly (readonly [number, number])[] {
  const { info, space, types } = kernel;
  const roots = info.symbol("mem_section");
  const section = types.find("mem_section");
  const usage = types.find("mem_section_usage");
  if (roots === undefined || section === undefined || section.sizeBytes === 0) return [[0, endPfn]];
  const sectionFrames = 2 ** (Number(info.number("SECTION_SIZE_BITS") ?? 27n) - 12);
  const perRoot = Math.floor(pageBytes / section.sizeBytes);
  const rootCount = Math.min(info.length("mem_section") ?? 0, Math.ceil(endPfn / sectionFrames / perRoot));
  const out: [number, number][] = [];
  const add = (first: number, end: number): void => {
    const last = out.at(-1);
    const stop = Math.min(end, endPfn);
    if (first >= stop) return;
    if (last !== undefined && last[1] === first) last[1] = stop;
    else out.push([first, stop]);
  };
  for (let r = 0; r < rootCount; r++) {
    const root = ifThere(() => space.u64(roots + BigInt(r * 8)));
    if (root === 0n) continue;
    for (let i = 0; i < perRoot; i++) {
      const first = (r * perRoot + i) * sectionFrames;
      if (first >= endPfn) break;
      const at = (root ?? 0n) + BigInt(i * section.sizeBytes);
      const word = root === undefined ? undefined : ifThere(() => space.u64(at + section.at("section_mem_map")));
      // A section that nothing is known of is looked into: its struct pages are there, or they are counted as unseen.
      if (word === undefined) {
        add(first, first + sectionFrames);
        continue;
      }
      const map = Number(word & 31n);
      if ((map & sectionHasMap) === 0) continue;
      if ((map & sectionIsEarly) !== 0 || usage === undefined) add(first, first + sectionFrames);
      else addSubsections(kernel, at, first, sectionFrames, add);
    }
  }
  return out;
}

/** SECTION_HAS_MEM_MAP and SECTION_IS_EARLY, include/linux/mmzone.h of 6.1 to 7.2. */
const sectionHasMap = 2;
const sectionIsEarly = 8;
/** Sections that were added while running are valid by parts of 2 MiB (SUBSECTION_SHIFT). */
const subsectionFrames = 512;

function addSubsections(
  kernel: Kernel,
  sectionAt: bigint,
  first: number,
  frames: number,
  add: (first: number, end: number) => void,
): void {
  const { space, types } = kernel;
  const usage = ifThere(() => space.u64(sectionAt + types.struct("mem_section").at("usage")));
  if (usage === undefined) {
    add(first, first + frames);
    return;
  }
  const bits = usage + types.struct("mem_section_usage").at("subsection_map");
  for (let s = 0; s * subsectionFrames < frames; s++) {
    const word = ifThere(() => space.u8(bits + BigInt(s >> 3)));
    if (word !== undefined && (word & (1 << (s & 7))) !== 0)
      add(first + s * subsectionFrames, first + (s + 1) * subsectionFrames);
  }
}

/** Reads the map of frames below `endPfn`. Throws LayoutUnknown. */
export function scanMemMap(
  kernel: Kernel,
  endPfn: number,
  marks: PageMarks,
  progress: (done: number) => void = () => undefined,
): MemMap {
  const end = Math.min(endPfn, mostFrames);
  const scan = new MapScan(kernel, marks, end);
  for (const [first, stop] of framesWithPages(kernel, end)) {
    for (let pfn = first - (first % group); pfn < stop; pfn += chunk) {
      scan.frames(pfn, Math.max(first, pfn), Math.min(stop, pfn + chunk));
      progress(pfn / end);
    }
  }
  return scan.done();
}

class MapScan {
  private readonly kernel: Kernel;
  private readonly marks: PageMarks;
  private readonly end: number;
  private readonly columns;
  private readonly highIndex = new Map<number, number>();
  private readonly highFlags: number[] = [];
  private readonly slabs: SlabHead[] = [];
  private readonly poolPages: number[] = [];
  private lruPages = 0;
  private unseen = 0;
  private seen = 0;
  private readonly buffer: Int32Array;
  private readonly bytes: Uint8Array;
  private runStart = 0n;
  private runEnd = 0n;
  private runDelta = 0n;

  constructor(kernel: Kernel, marks: PageMarks, end: number) {
    this.kernel = kernel;
    this.marks = marks;
    this.end = end;
    this.columns = {
      kind: new Uint8Array(end),
      flags: new Uint32Array(end),
      high: new Uint16Array(end),
      refcount: new Int32Array(end),
      mapcount: new Int32Array(end),
      link: new Uint32Array(end),
      shape: new Uint8Array(end),
    };
    this.buffer = new Int32Array((chunk * kernel.pageStructBytes) / 4);
    this.bytes = new Uint8Array(this.buffer.buffer);
  }

  done(): MemMap {
    return {
      endPfn: this.end,
      marks: this.marks,
      ...this.columns,
      highFlags: this.highFlags,
      slabs: this.slabs,
      poolPages: this.poolPages,
      lruPages: this.lruPages,
      unseen: this.unseen,
      seen: this.seen,
    };
  }

  /** Frames [from, to), no more than a chunk, of which `first` begins a group. */
  frames(first: number, from: number, to: number): void {
    if (this.loadAtOnce(first, to)) {
      this.take(first, from, to);
      this.seen += to - from;
      return;
    }
    for (let at = first; at < to; at += group) {
      const [start, end] = [Math.max(at, from), Math.min(at + group, to)];
      if (this.load(at)) {
        this.take(at, start, end);
        this.seen += end - start;
      } else {
        this.columns.kind.fill(pageKind.unseen, start, end);
        this.unseen += end - start;
      }
    }
  }

  /** Fills the buffer with the struct pages [first, to) in one read; false when the memory does not give that. */
  private loadAtOnce(first: number, to: number): boolean {
    const { space, vmemmap, pageStructBytes, memory } = this.kernel;
    if (memory.copy === undefined) return false;
    const start = vmemmap + BigInt(first) * BigInt(pageStructBytes);
    const length = (to - first) * pageStructBytes;
    for (let done = 0; done < length; ) {
      const run = space.run(start + BigInt(done));
      if (run === undefined) return false;
      const piece = Math.min(run.bytes, length - done);
      if (!memory.copy(run.physical, this.bytes.subarray(done, done + piece))) return false;
      done += piece;
    }
    return true;
  }

  /** Fills the buffer with 64 struct pages; false when not all of them are in the image. */
  private load(first: number): boolean {
    const { space, vmemmap, pageStructBytes, memory } = this.kernel;
    const start = vmemmap + BigInt(first) * BigInt(pageStructBytes);
    const length = group * pageStructBytes;
    for (let done = 0; done < length; ) {
      const at = start + BigInt(done);
      if (at >= this.runEnd || at < this.runStart || this.runEnd === 0n) {
        const run = space.run(at);
        if (run === undefined) {
          this.runEnd = 0n;
          return false;
        }
        this.runStart = at;
        this.runEnd = at + BigInt(run.bytes);
        this.runDelta = at - BigInt(run.physical);
      }
      const physical = Number(at - this.runDelta);
      const page = memory.page(Math.floor(physical / pageBytes));
      if (page === undefined) return false;
      // A struct page whose size is no power of two lies across pages: groups do not begin at their borders then.
      const from = physical % pageBytes;
      const piece = page.subarray(from, from + length - done);
      this.bytes.set(piece, done);
      done += piece.length;
    }
    return true;
  }

  private take(first: number, from: number, to: number): void {
    const { words: at, types } = this.marks;
    const { kind: kinds, flags: flagWords, high: highs, refcount, mapcount, link, shape } = this.columns;
    const { buffer } = this;
    const bit = (name: string): number => 1 << (this.marks.flag.get(name) ?? 31);
    const slabFlag = this.marks.flag.has("slab") ? bit("slab") : 0;
    const lruFlag = bit("lru");
    const reservedFlag = bit("reserved");
    const headFlag = bit("head");
    const stride = at.words;
    const atFlags = at.flags;
    const atMap = at.mapcount;
    const atRefs = at.refcount;
    const atMapping = at.mapping;
    const atCompound = at.compound;
    const poolMagic = at.poolMagic ?? -1;
    let lastHigh = 0;
    let lastHighIndex = -1;
    let lruPages = 0;
    for (let pfn = from, w = (from - first) * stride; pfn < to; pfn++, w += stride) {
      const flags = buffer[w + atFlags] as number;
      const high = buffer[w + atFlags + 1] as number;
      if (high !== lastHigh || lastHighIndex < 0) {
        lastHigh = high;
        lastHighIndex = this.indexOfHigh(high >>> 0);
      }
      const map = buffer[w + atMap] as number;
      flagWords[pfn] = flags;
      highs[pfn] = lastHighIndex;
      refcount[pfn] = buffer[w + atRefs] as number;
      mapcount[pfn] = map;
      const word = buffer[w + atMapping] as number;
      const mapping = ((word & 3) << 2) | ((word | (buffer[w + atMapping + 1] as number)) !== 0 ? mappingSet : 0);
      const low = buffer[w + atCompound] as number;
      if ((low & 1) !== 0) {
        const head = this.headOf(pfn, low >>> 0, (buffer[w + atCompound + 1] as number) >>> 0);
        shape[pfn] = isTail | mapping;
        link[pfn] = head + 1;
        if (head === pfn - 1 && ((shape[head] as number) & isTail) === 0)
          link[head] = this.bytes[w * 4 + at.orderByte] as number;
        // A tail is what its head is; a tail before its head is no tail.
        kinds[pfn] = head >= 0 && head < pfn ? (kinds[head] as number) : pageKind.unknown;
        continue;
      }
      shape[pfn] = (flags & headFlag) !== 0 ? isHead | mapping : mapping;
      let kind: number = pageKind.unknown;
      if (map === -1 && slabFlag === 0) {
        // The commonest word: no page type, not mapped.
        if ((flags & (lruFlag | reservedFlag)) !== 0) kind = (flags & lruFlag) !== 0 ? pageKind.lru : pageKind.reserved;
        else if (poolMagic >= 0 && this.isPool(w + poolMagic)) kind = this.pool(pfn);
        else if ((flags & headFlag) !== 0) kind = pageKind.compound;
      } else if (isType(types, map, types.buddy)) {
        kind = pageKind.buddy;
        link[pfn] = buffer[w + at.private] as number;
      } else if (slabFlag !== 0 ? (flags & slabFlag) !== 0 : isType(types, map, types.slab)) {
        kind = pageKind.slab;
        this.addSlab(pfn, (buffer[w + at.slabCache] as number) >>> 0, (buffer[w + at.slabCache + 1] as number) >>> 0);
      } else if (isType(types, map, types.table)) kind = pageKind.pageTable;
      else if (poolMagic >= 0 && this.isPool(w + poolMagic)) kind = this.pool(pfn);
      else if ((flags & lruFlag) !== 0) kind = pageKind.lru;
      else if ((flags & reservedFlag) !== 0) kind = pageKind.reserved;
      else if (types.isTopByte && map >>> 24 >= 0xf0 && map >>> 24 < 0xff) kind = pageKind.typed;
      else if ((flags & headFlag) !== 0) kind = pageKind.compound;
      if (kind === pageKind.lru) lruPages++;
      kinds[pfn] = kind;
    }
    this.lruPages += lruPages;
  }

  private pool(pfn: number): number {
    if (this.poolPages.length < mostMarked) this.poolPages.push(pfn);
    return pageKind.pagePool;
  }

  /**
   * The mark of a page_pool's page: PP_SIGNATURE over POISON_POINTER_DELTA (0xdead000000000040) but for its two low bits, and since
   * 6.15 for bits 7 to 38, which hold the number of the DMA mapping (include/linux/poison.h, include/net/page_pool/types.h).
   */
  private isPool(word: number): boolean {
    return (
      ((this.buffer[word] as number) & 0x7c) === 0x40 &&
      ((this.buffer[word + 1] as number) & 0xffffff80) >>> 0 === 0xdead0000
    );
  }

  private addSlab(pfn: number, low: number, high: number): void {
    if (this.slabs.length < mostMarked) this.slabs.push({ pfn, cache: (BigInt(high) << 32n) | BigInt(low) });
  }

  /** Frame of a tail's head; -1 when it points to no struct page of the map. Since 7.0 it may be a mask over the page's own place. */
  private headOf(pfn: number, low: number, high: number): number {
    const structBytes = this.kernel.pageStructBytes;
    if (high === 0xffffffff && structBytes === 64) {
      const mask = (low & ~1) >> 6;
      return (pfn & mask) >>> 0;
    }
    const bytes =
      (high - Number(this.kernel.vmemmap >> 32n)) * 2 ** 32 + (low - 1 - Number(this.kernel.vmemmap & 0xffffffffn));
    const head = bytes / structBytes;
    return Number.isInteger(head) && head >= 0 && head < this.end ? head : -1;
  }

  private indexOfHigh(high: number): number {
    const known = this.highIndex.get(high);
    if (known !== undefined) return known;
    // A damaged map may hold any number of them: the last one stands for the rest.
    if (this.highFlags.length >= 0xffff) return 0xfffe;
    this.highFlags.push(high);
    this.highIndex.set(high, this.highFlags.length - 1);
    return this.highFlags.length - 1;
  }
}

/** page->flags of a frame, whole. */
export const flagsOf = (map: MemMap, pfn: number): bigint =>
  (BigInt(map.highFlags[map.high[pfn] as number] ?? 0) << 32n) | BigInt(map.flags[pfn] as number);

/** A 64-bit word of a struct page that the columns do not hold; undefined when it is absent. */
export function pageWord(kernel: Kernel, pfn: number, offset: number): bigint | undefined {
  try {
    return kernel.space.u64(kernel.vmemmap + BigInt(pfn) * BigInt(kernel.pageStructBytes) + BigInt(offset));
  } catch (error) {
    if (error instanceof Absent) return undefined;
    throw error;
  }
}
