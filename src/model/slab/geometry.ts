// From an object size to a slab: size with padding, pages a slab, objects a slab, and whether fewer pages may do. Pure arithmetic on dated
// facts (kernel/facts/slab.ts); nothing is allocated here. slub.ts, the layout experiments and the diagnosis ask it.
import { assert } from "../../base/assert.ts";
import { BadInput, wholeGiven } from "../../base/bad_input.ts";
import type { SlabAllocator } from "../../kernel/facts/slab.ts";
import {
  cacheLineBytes,
  kmallocAlignment,
  kmallocMinimum,
  kmallocNaming,
  slabLargestCache,
  slabManagement,
  slubCpuCount,
  slubCpuPartial,
  slubDebugRoom,
  slubLargestCacheShift,
  slubLinkPlace,
  slubMayFallBack,
  slubMinPartial,
  slubOrderRules,
  slubSheaves,
} from "../../kernel/facts/slab.ts";
import type { Fact, Release } from "../../kernel/release.ts";
import { atLeast, compareVersions, factAt, formatRelease } from "../../kernel/release.ts";

/** What decides slab geometry besides the release. */
export interface SlabMachine {
  readonly release: Release;
  readonly allocator: SlabAllocator;
  /** CPUs present. */
  readonly cpus: number;
  /** CPU ids that may ever exist (nr_cpu_ids); `cpus` when left out. */
  readonly cpuIds?: number;
  /** 4096 when left out. */
  readonly pageSize?: number;
  /** cache_line_size(); the architecture's commonest when left out. */
  readonly cacheLine?: number;
  /** Booted with slub_debug=FZPU: red zones, poison and owners make every object larger (SLUB, 64 bits). */
  readonly slubDebug?: boolean;
  /** slub_max_order= on the command line; the release's own when left out. */
  readonly slubMaxOrder?: number;
  /** Memory above 32 MiB lets SLAB take order 1; true when left out. */
  readonly moreThan32M?: boolean;
}

/** What a cache asks for. */
export interface CacheWish {
  readonly objectSize: number;
  /** Bytes; 0: the default of the architecture. */
  readonly align?: number;
  readonly hwcacheAlign?: boolean;
  /** It has a constructor or is freed by RCU: a free object's first words must survive. */
  readonly keepsContents?: boolean;
  readonly reclaimable?: boolean;
  /** It is one of kmalloc's. */
  readonly kmalloc?: boolean;
  /** What the owner says of its sheaves: at least so many objects; 0: none. */
  readonly sheafCapacity?: number;
}

/** The shape of a cache's slabs. */
export interface CacheGeometry {
  readonly objectSize: number;
  /** Bytes from one object to the next. */
  readonly size: number;
  readonly align: number;
  /** Where a free object keeps its link (SLUB). */
  readonly linkOffset: number;
  readonly inuse: number;
  readonly order: number;
  readonly objects: number;
  readonly minOrder: number;
  readonly minObjects: number;
  /** True when a slab may come at minOrder although `order` is larger. */
  readonly mayFallBack: boolean;
  /** Objects, and slabs, that a CPU's partial chain may hold; 0 and 0 when the release has none. */
  readonly cpuPartial: number;
  readonly cpuPartialSlabs: number;
  readonly minPartial: number;
  /** Objects that a CPU's sheaf holds; 0 when the release has none. */
  readonly sheafCapacity: number;
  /** SLAB keeps its bookkeeping outside the slab. */
  readonly offSlab: boolean;
}

/** What kmalloc does with one size. */
export interface KmallocAnswer {
  readonly kind: "slab" | "large";
  /** The cache's name, or "page allocator". */
  readonly bucket: string;
  /** Bytes that the caller really gets. */
  readonly usable: number;
  readonly objects: number;
  readonly order: number;
  readonly minOrder: number;
  readonly mayFallBack: boolean;
  /** One sentence that says by which rule. */
  readonly because: string;
  /** Where the rule was read. */
  readonly source: string;
}

const wordSize = (release: Release): number => (["i386", "ppc32", "arm", "mips"].includes(release.arch) ? 4 : 8);
const alignUp = (n: number, to: number): number => Math.ceil(n / to) * to;
const fls = (n: number): number => (n === 0 ? 0 : 32 - Math.clz32(n));
const log2Floor = (n: number): number => 31 - Math.clz32(n);

/** get_order(): the smallest order whose pages hold `bytes`. */
export function orderFor(bytes: number, pageSize: number): number {
  let order = 0;
  while (pageSize * 2 ** order < bytes) order++;
  return order;
}

function required<T>(facts: readonly Fact<T>[], release: Release, what: string): Fact<T> {
  const fact = factAt(facts, release.version);
  if (fact === undefined)
    throw new BadInput(
      `The model has no ${what} for ${formatRelease(release)}.`,
      undefined,
      facts[0] === undefined ? undefined : `Its first is that of ${facts[0].since.join(".")}.`,
    );
  return fact;
}

/** The allocator that a kernel of this release most likely has: SLUB since 2.6.23, when it became the default. */
export function defaultAllocator(release: Release): SlabAllocator {
  return atLeast(release, [2, 6, 23]) ? "slub" : "slab";
}

/** calculate_alignment() (mm/slab_common.c 6.1; mm/slub.c 2.6.24: the line only counts for objects above half of it). */
function alignment(machine: SlabMachine, wish: CacheWish): number {
  const word = wordSize(machine.release);
  const line = machine.cacheLine ?? cacheLineBytes[machine.release.arch];
  let align = wish.align ?? 0;
  if (wish.hwcacheAlign === true) {
    let share = line;
    const divides = machine.allocator === "slab" || compareVersions(machine.release.version, [2, 6, 25]) >= 0;
    if (divides) while (wish.objectSize <= share / 2) share /= 2;
    else if (wish.objectSize <= line / 2) share = 0;
    align = Math.max(align, share);
  }
  return alignUp(Math.max(align, word), word);
}

const noteworthyOrder = 10;

/** slab_order() / calc_slab_order(): the first order whose waste is at most 1/fraction; maxOrder + 1 when there is none. */
function firstOrder(size: number, from: number, maxOrder: number, fraction: number, pageSize: number): number {
  let order = from;
  for (; order <= maxOrder; order++) {
    const bytes = pageSize * 2 ** order;
    if (bytes % size <= Math.floor(bytes / fraction)) break;
  }
  return order;
}

/** calculate_order() (mm/slub.c): pages a slab for objects `size` bytes apart. */
function slubOrder(machine: SlabMachine, size: number): number {
  const pageSize = machine.pageSize ?? 4096;
  const rules = required(slubOrderRules, machine.release, "SLUB").value;
  // MAX_OBJS_PER_PAGE: the count has 15 bits (16 before the frozen bit); no slab of ours comes near, but an 8-byte cache on 64K pages does.
  if (Math.floor(pageSize / size) > 32767) return orderFor(size * 32767, pageSize) - 1;
  let wanted = rules.minObjects === "cpus" ? 4 * (fls(countedCpus(machine)) + 1) : rules.minObjects;
  const maxOrder = machine.slubMaxOrder ?? rules.maxOrder;
  if (rules.capped) wanted = Math.min(wanted, Math.max(Math.floor((pageSize * 2 ** maxOrder) / size), 1));
  if (rules.retreat === "never") {
    const from = orderFor(wanted * size, pageSize);
    for (const fraction of rules.fractions) {
      const order = firstOrder(size, from, maxOrder, fraction, pageSize);
      if (order <= maxOrder) return order;
    }
    return orderFor(size, pageSize);
  }
  while (wanted > 1) {
    for (const fraction of rules.fractions) {
      const order = firstOrder(size, orderFor(wanted * size, pageSize), maxOrder, fraction, pageSize);
      if (order <= maxOrder) return order;
    }
    wanted = rules.retreat === "halve" ? Math.floor(wanted / 2) : wanted - 1;
  }
  return firstOrder(size, orderFor(size, pageSize), noteworthyOrder, 1, pageSize);
}

function countedCpus(machine: SlabMachine): number {
  const rule = factAt(slubCpuCount, machine.release.version)?.value ?? "nr_cpu_ids";
  const ids = machine.cpuIds ?? machine.cpus;
  return rule === "present" && machine.cpus > 1 ? machine.cpus : ids;
}

/** How SLUB lays out one object. */
interface ObjectLayout {
  readonly inuse: number;
  readonly linkOffset: number;
  readonly size: number;
}

function plainLayout(machine: SlabMachine, wish: CacheWish, align: number): ObjectLayout {
  const word = wordSize(machine.release);
  const inuse = alignUp(wish.objectSize, word);
  const outside = wish.keepsContents === true;
  const middle = required(slubLinkPlace, machine.release, "SLUB").value === "middle";
  const linkOffset = outside ? inuse : middle ? Math.floor(Math.floor(wish.objectSize / 2) / word) * word : 0;
  return { inuse, linkOffset, size: alignUp(outside ? inuse + word : inuse, align) };
}

/**
 * The object under slub_debug=FZPU: a red zone behind it (its own padding where that is room enough), the link behind that because poison
 * fills the object, two owners, kmalloc's note of the size asked for, room for a second red zone, and an aligned red zone in front.
 */
function debugLayout(machine: SlabMachine, wish: CacheWish, align: number): ObjectLayout {
  const { track, askedFor } = required(slubDebugRoom, machine.release, "known slub_debug layout").value;
  const word = wordSize(machine.release);
  const padded = alignUp(wish.objectSize, word);
  const inuse = padded === wish.objectSize ? padded + word : padded;
  const behind = word + 2 * track + (wish.kmalloc === true ? askedFor : 0) + word;
  return { inuse, linkOffset: inuse, size: alignUp(inuse + behind + alignUp(word, align), align) };
}

/** calculate_sheaf_capacity() (mm/slub.c 7.2.12): so many that the sheaf fills its own kmalloc object. */
function sheafCapacity(machine: SlabMachine, size: number, asked: number | undefined): number {
  const rule = factAt(slubSheaves, machine.release.version)?.value;
  if (rule === undefined || asked === 0) return 0;
  const pageSize = machine.pageSize ?? 4096;
  const wished = rule.bySize.find(([from]) => size >= (from === 4096 ? pageSize : from))?.[1] ?? 0;
  const bytes = rule.headBytes + 8 * wished;
  const bucket = kmallocCaches(machine).find((c) => c.size >= bytes)?.size ?? bytes;
  return Math.max(Math.floor((bucket - rule.headBytes) / 8), asked ?? 0);
}

/** kmem_cache_open() / calculate_sizes() (mm/slub.c). */
function slubGeometry(machine: SlabMachine, wish: CacheWish): CacheGeometry {
  const { release } = machine;
  const pageSize = machine.pageSize ?? 4096;
  const align = alignment(machine, wish);
  const { inuse, linkOffset, size } =
    machine.slubDebug === true ? debugLayout(machine, wish, align) : plainLayout(machine, wish, align);
  const order = slubOrder(machine, size);
  const objects = Math.floor((pageSize * 2 ** order) / size);
  const mayFallBack = required(slubMayFallBack, release, "SLUB").value;
  const minOrder = mayFallBack ? orderFor(size, pageSize) : order;
  // A cache that is checked keeps no slabs on a CPU: every object passes the checks of its node.
  const rule = machine.slubDebug === true ? undefined : factAt(slubCpuPartial, release.version)?.value;
  const cpuPartial = rule?.bySize.find(([from]) => size >= (from === 4096 ? pageSize : from))?.[1] ?? 0;
  const log = log2Floor(size);
  const wantedPartial = { five: 5, log2: log, "half log2": Math.floor(log / 2) }[
    factAt(slubMinPartial, release.version)?.value ?? "five"
  ];
  return {
    objectSize: wish.objectSize,
    size,
    align,
    linkOffset,
    inuse,
    order,
    objects,
    minOrder,
    minObjects: Math.floor((pageSize * 2 ** minOrder) / size),
    mayFallBack: mayFallBack && minOrder < order,
    cpuPartial,
    cpuPartialSlabs: rule?.counted === "slabs" ? Math.ceil((cpuPartial * 2) / objects) : 0,
    minPartial: Math.max(5, Math.min(10, wantedPartial)),
    sheafCapacity: machine.slubDebug === true ? 0 : sheafCapacity(machine, size, wish.sheafCapacity),
    offSlab: false,
  };
}

/** One candidate of SLAB's search: objects and bytes left over in a slab of `order`. */
function slabEstimate(
  bytes: number,
  size: number,
  align: number,
  overhead: { readonly base: number; readonly each: number; readonly padded: boolean },
): { readonly objects: number; readonly left: number } {
  const used = (n: number): number => {
    const management = overhead.base + n * overhead.each;
    return (overhead.padded ? alignUp(management, align) : management) + n * size;
  };
  let objects = Math.floor(Math.max(0, bytes - overhead.base) / (size + overhead.each));
  while (objects > 0 && used(objects) > bytes) objects--;
  return { objects, left: bytes - used(objects) };
}

/** kmem_cache_create() / calculate_slab_order() (mm/slab.c 2.6.9, 2.6.24, 3.13, 4.19, 6.1). */
function slabGeometryOf(machine: SlabMachine, wish: CacheWish): CacheGeometry {
  const { release } = machine;
  if (atLeast(release, [6, 5]))
    throw new BadInput(`${formatRelease(release)} has no SLAB.`, undefined, "It was removed in 6.5; use SLUB.");
  const pageSize = machine.pageSize ?? 4096;
  const word = wordSize(release);
  const management = required(slabManagement, release, "SLAB").value;
  const align = alignment(machine, wish);
  let size = alignUp(alignUp(wish.objectSize, word), align);
  if (management.kind === "in a free object" && size < 16) size = alignUp(16, align);
  const structBytes = management.structBytes[word === 4 ? 0 : 1];
  const index = management.indexBytes;
  const maxOrder = machine.moreThan32M === false ? 0 : 1;
  const search = (
    overhead: { readonly base: number; readonly each: number; readonly padded: boolean },
    limit: (objects: number) => boolean,
  ): { order: number; objects: number; left: number } | undefined => {
    let best: { order: number; objects: number; left: number } | undefined;
    for (let order = 0; order <= noteworthyOrder; order++) {
      const bytes = pageSize * 2 ** order;
      const found = slabEstimate(bytes, size, align, overhead);
      if (found.objects === 0) continue;
      if (limit(found.objects)) break;
      best = { order, ...found };
      if (wish.reclaimable === true || order >= maxOrder || found.left * 8 <= bytes) break;
    }
    return best;
  };
  const outside = { base: 0, each: 0, padded: false };
  const inside = { base: structBytes, each: index, padded: management.kind !== "in a free object" };
  let offSlab = false;
  let chosen: ReturnType<typeof search>;
  if (management.kind === "in a free object") {
    // Three ways in the order in which they are tried: the list in a free object, off the slab, at the slab's end.
    const tooMany = (n: number): boolean => n > 256;
    const inFree = wish.keepsContents === true ? undefined : search(outside, tooMany);
    const off = search(outside, (n) => tooMany(n) || Math.max(32, 2 ** Math.ceil(Math.log2(n * index))) > size / 2);
    if (inFree !== undefined && inFree.objects * index <= wish.objectSize) chosen = inFree;
    else if (off !== undefined && off.left < off.objects * index) {
      chosen = off;
      offSlab = true;
    } else chosen = search({ ...inside, padded: false }, tooMany);
  } else {
    offSlab = size >= pageSize / 8;
    const limit = Math.floor((management.kind === "struct slab" ? size - structBytes : size) / index);
    chosen = search(offSlab ? outside : inside, (n) => offSlab && n > limit);
    if (chosen !== undefined && offSlab && chosen.left >= alignUp(structBytes + chosen.objects * index, align))
      offSlab = false;
  }
  if (chosen === undefined)
    throw new BadInput(
      `SLAB cannot make a cache of ${wish.objectSize} byte objects.`,
      undefined,
      "No order holds one.",
    );
  return {
    objectSize: wish.objectSize,
    size,
    align,
    linkOffset: 0,
    inuse: size,
    order: chosen.order,
    objects: chosen.objects,
    minOrder: chosen.order,
    minObjects: chosen.objects,
    mayFallBack: false,
    cpuPartial: 0,
    cpuPartialSlabs: 0,
    minPartial: 0,
    sheafCapacity: 0,
    offSlab,
  };
}

/** The shape of a cache's slabs on a machine. Throws BadInput when the release does not have that allocator. */
export function cacheGeometry(machine: SlabMachine, wish: CacheWish): CacheGeometry {
  assert(wish.objectSize > 0, () => `an object of ${wish.objectSize} bytes`);
  return machine.allocator === "slub" ? slubGeometry(machine, wish) : slabGeometryOf(machine, wish);
}

/** A kmalloc cache: its size and name. */
export interface KmallocCache {
  readonly size: number;
  readonly name: string;
}

/** The kmalloc caches of a machine, smallest first (96 and 192 among them where they exist). */
export function kmallocCaches(machine: SlabMachine): readonly KmallocCache[] {
  const { release, allocator } = machine;
  const pageSize = machine.pageSize ?? 4096;
  const line = machine.cacheLine ?? cacheLineBytes[release.arch];
  const raised = factAt(kmallocMinimum[release.arch] ?? [], release.version)?.value ?? 0;
  const smallest = Math.max(raised, allocator === "slub" ? 8 : 32);
  const largest =
    allocator === "slub"
      ? pageSize * 2 ** required(slubLargestCacheShift, release, "SLUB").value
      : required(slabLargestCache, release, "SLAB").value;
  const sizes: number[] = [];
  for (let size = smallest; size <= largest; size *= 2) sizes.push(size);
  // The two odd sizes need objects that are not aligned to a whole line: SLAB's old table asks the line, everybody else the minimum.
  const oldTable = allocator === "slab" && !atLeast(release, [3, 10]);
  if (oldTable ? line < 64 : smallest <= 32) sizes.push(96);
  if (oldTable ? line < 128 : smallest <= 64) sizes.push(192);
  const naming = required(kmallocNaming[allocator], release, allocator === "slub" ? "SLUB" : "SLAB").value;
  const nameOf = (size: number): string => {
    if (naming === "size") return `size-${size}`;
    if (naming === "bytes" || size < 1024) return `kmalloc-${size}`;
    return size < 1048576 ? `kmalloc-${size / 1024}k` : `kmalloc-${size / 1048576}M`;
  };
  return sizes.sort((a, b) => a - b).map((size) => ({ size, name: nameOf(size) }));
}

/** The geometry of one kmalloc cache. */
function kmallocCacheGeometry(machine: SlabMachine, size: number): CacheGeometry {
  const { release, allocator } = machine;
  const rule = factAt(kmallocAlignment, release.version)?.value ?? "minimum";
  const lowestBit = size & -size;
  const promised = rule === "largest power of two" || (rule === "powers of two" && lowestBit === size) ? lowestBit : 0;
  const raised = factAt(kmallocMinimum[release.arch] ?? [], release.version)?.value ?? 8;
  // SLAB asked for whole cache lines for kmalloc objects where the architecture asked for nothing.
  const hwcacheAlign = allocator === "slab" && !atLeast(release, [3, 10]);
  return cacheGeometry(machine, {
    objectSize: size,
    align: Math.max(promised, raised),
    hwcacheAlign,
    kmalloc: true,
  });
}

/** What kmalloc does with every size on this machine. */
export interface KmallocGeometry {
  readonly machine: SlabMachine;
  readonly caches: readonly (KmallocCache & { readonly geometry: CacheGeometry })[];
  /** Above this many bytes a request goes to the page allocator. */
  readonly largestCache: number;
  forSize(bytes: number): KmallocAnswer;
}

/** The kmalloc of a release: `kmallocGeometry(parseRelease("2.6.24"), { cpus: 2, allocator: "slub" }).forSize(1976)`. */
export function kmallocGeometry(release: Release, options: Omit<SlabMachine, "release">): KmallocGeometry {
  const machine: SlabMachine = { release, ...options };
  const pageSize = machine.pageSize ?? 4096;
  const caches = kmallocCaches(machine).map((c) => ({ ...c, geometry: kmallocCacheGeometry(machine, c.size) }));
  const largestCache = caches.at(-1)?.size ?? 0;
  const version = release.version.join(".");
  const kind = machine.allocator.toUpperCase();
  const largeSource =
    machine.allocator === "slub"
      ? required(slubLargestCacheShift, release, "SLUB").source
      : required(slabLargestCache, release, "SLAB").source;
  const large = (bytes: number): KmallocAnswer => {
    const order = orderFor(bytes, pageSize);
    return {
      kind: "large",
      bucket: "page allocator",
      usable: pageSize * 2 ** order,
      objects: 1,
      order,
      minOrder: order,
      mayFallBack: false,
      because: `${kind} of ${version} keeps kmalloc caches up to ${largestCache} bytes; ${bytes} bytes go to the page allocator as one block of order ${order}.`,
      source: largeSource,
    };
  };
  return {
    machine,
    caches,
    largestCache,
    forSize(bytes) {
      wholeGiven("forSize(): bytes", bytes, 0, Number.MAX_SAFE_INTEGER);
      const cache = caches.find((c) => c.size >= bytes);
      if (cache === undefined) return large(bytes);
      const { geometry: g, name } = cache;
      const slab = `${bytes} bytes come from ${name}; its slab is ${g.objects === 1 ? "1 object" : `${g.objects} objects`} in one block of order ${g.order}`;
      return {
        kind: "slab",
        bucket: name,
        usable: cache.size,
        objects: g.objects,
        order: g.order,
        minOrder: g.minOrder,
        mayFallBack: g.mayFallBack,
        because: `${slab}${fallBackClause(machine, g)}.`,
        source: orderSource(machine),
      };
    },
  };
}

function fallBackClause(machine: SlabMachine, g: CacheGeometry): string {
  if (g.mayFallBack) return `, and if that cannot be had, order ${g.minOrder} is tried`;
  if (g.order === 0) return "";
  if (machine.allocator === "slab") return ", and SLAB has no fall-back to fewer pages";
  return factAt(slubMayFallBack, machine.release.version)?.value === true
    ? ", the smallest order that holds one object"
    : ", and SLUB before 2.6.26 has no fall-back to fewer pages";
}

function orderSource(machine: SlabMachine): string {
  const { release, allocator } = machine;
  return allocator === "slub"
    ? required(slubOrderRules, release, "SLUB").source
    : required(slabManagement, release, "SLAB").source;
}
