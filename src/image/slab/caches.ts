// Slab caches of SLUB: geometry, slabs, and which object is free. Free objects stand on the slab's own list, on a CPU's list, or (since
// 6.18) in sheaves of CPUs and nodes; every other object is allocated. Pointers of free lists may be scrambled (mm/slub.c, SLAB_FREELIST_HARDENED).
import { Absent, ifThere } from "../address_space.ts";
import type { Findings } from "../findings.ts";
import { frameAddress, type Kernel, perCpu, pfnOfPage } from "../kernel.ts";
import { walkRing } from "../lists.ts";
import type { MemMap } from "../mm/mem_map.ts";
import type { Field, Struct } from "../types.ts";
import { objectsAwaitingRcu } from "./awaiting_rcu.ts";
import type { CpuState, NodeState, SlabCache } from "./cache.ts";
import { checkOwners } from "./cache_checks.ts";
import { fencedFrames } from "./fenced.ts";
import { firstWritten, isPoisoned, poisonBit } from "./poison.ts";

/** One slab with the state of its objects. */
export interface SlabView {
  readonly pfn: number;
  readonly objects: number;
  readonly inuse: number;
  /** 1 for an object that is free, wherever that is kept. */
  readonly isFree: Uint8Array;
  readonly free: number;
}

const mostCaches = 1 << 14;
const mostObjects = 1 << 15;
const mostSheafObjects = 1 << 20;

interface Layouts {
  readonly cache: Struct;
  readonly slab: Struct;
  readonly node: Struct;
  readonly inuse: Field;
  readonly objects: Field;
}

function layoutsOf(kernel: Kernel): Layouts {
  const { types } = kernel;
  const slab = types.struct("slab");
  return {
    cache: types.struct("kmem_cache"),
    slab,
    node: types.struct("kmem_cache_node"),
    inuse: slab.field("inuse"),
    objects: slab.field("objects"),
  };
}

/** A number at a member's place, bit-field or not, in a copy of the struct. */
export function numberIn(view: DataView, field: Field): number {
  const { bitField } = field;
  if (bitField !== undefined) {
    const word = view.getUint32((bitField.firstBit >> 5) * 4, true);
    const shift = bitField.firstBit & 31;
    return Math.floor(word / 2 ** shift) % 2 ** bitField.bits;
  }
  if (field.sizeBytes === 1) return view.getUint8(field.off);
  if (field.sizeBytes === 2) return view.getUint16(field.off, true);
  return view.getUint32(field.off, true);
}

/** All caches of the kernel, in its order. Throws LayoutUnknown. */
export function readCaches(kernel: Kernel, map: MemMap, findings: Findings): readonly SlabCache[] {
  const head = kernel.symbols.address("slab_caches");
  if (head === undefined) return [];
  const layouts = layoutsOf(kernel);
  const { entries, problem, isCut } = walkRing(kernel, head, mostCaches);
  if (problem !== undefined && isCut !== true)
    findings.add({ kind: "slab", text: `the list of slab caches ${problem}` });
  const listAt = layouts.cache.at("list");
  const slabsOf = new Map<bigint, number[]>();
  const fenced = fencedFrames(kernel, map);
  const slabs = fenced.size === 0 ? map.slabs : map.slabs.filter((s) => !fenced.has(s.pfn));
  for (const { pfn, cache } of slabs) {
    const own = slabsOf.get(cache);
    if (own === undefined) slabsOf.set(cache, [pfn]);
    else own.push(pfn);
  }
  const awaiting = objectsAwaitingRcu(kernel);
  const caches = entries.flatMap((entry) => {
    const address = entry - listAt;
    const own = { slabs: slabsOf.get(address) ?? [], awaitingRcu: awaiting?.get(address) ?? [] };
    return ifThere(() => [{ ...readCache(kernel, layouts, address), ...own }]) ?? [];
  });
  const foreign =
    problem === undefined
      ? checkOwners(kernel, map, slabs, new Set(entries.map((e) => e - listAt)), caches, findings)
      : new Set<number>();
  return foreign.size === 0 ? caches : caches.map((c) => ({ ...c, slabs: c.slabs.filter((pfn) => !foreign.has(pfn)) }));
}

function readCache(kernel: Kernel, l: Layouts, address: bigint): Omit<SlabCache, "slabs" | "awaitingRcu"> {
  const { space } = kernel;
  const bytes = space.bytes(address, l.cache.sizeBytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const number = (...names: string[]): number => numberIn(view, l.cache.field(...names));
  const oo = number("oo.x", "oo");
  const pad = l.cache.find("red_left_pad");
  const random = l.cache.find("random");
  const offset = number("offset");
  const randomValue = random === undefined ? undefined : view.getBigUint64(random.off, true);
  return {
    name: ifThere(() => space.text(view.getBigUint64(l.cache.off("name"), true), 64)) ?? "?",
    address,
    size: number("size"),
    objectSize: number("object_size"),
    offset,
    align: number("align"),
    flags: number("flags"),
    objectsPerSlab: oo & 0xffff,
    order: oo >>> 16,
    refcount: number("refcount") | 0,
    redLeftPad: pad === undefined ? 0 : numberIn(view, pad),
    random: randomValue,
    nodes: nodesOf(kernel, l, view),
    ...cpusOf(kernel, l, view, offset, 4096 * 2 ** Math.min(oo >>> 16, 10), randomValue),
  };
}

/** Node structures: an array of pointers at the end of the cache (in 6.18 and 6.19 a node names its barn), since 7.0 of pairs of node and barn. */
function nodePointers(kernel: Kernel, l: Layouts, view: DataView): readonly { node: bigint; barn: bigint }[] {
  const pairs = l.cache.find("per_node");
  const plain = pairs ?? l.cache.field("node");
  const pair = pairs === undefined ? undefined : kernel.types.find(pairs.struct);
  const stride = pair?.sizeBytes ?? 8;
  const count = Math.min(1024, plain.elements <= 1 ? nodeCount(kernel) : Math.min(plain.elements, nodeCount(kernel)));
  const out: { node: bigint; barn: bigint }[] = [];
  for (let i = 0; i < count; i++) {
    const at = plain.off + i * stride;
    if (at + stride > view.byteLength) break;
    const node = view.getBigUint64(at + (pair?.off("node") ?? 0), true);
    if (node === 0n) continue;
    const inPair = pair?.find("barn");
    const inNode = l.node.find("barn");
    const barn =
      inPair !== undefined
        ? view.getBigUint64(at + inPair.off, true)
        : inNode !== undefined
          ? (ifThere(() => kernel.space.u64(node + inNode.at)) ?? 0n)
          : 0n;
    out.push({ node, barn });
  }
  return out;
}

const nodeCount = (kernel: Kernel): number => {
  const at = kernel.symbols.address("nr_node_ids");
  return at === undefined ? 1 : Math.max(1, Math.min(1024, ifThere(() => kernel.space.u32(at)) ?? 1));
};

function nodesOf(kernel: Kernel, l: Layouts, view: DataView): readonly NodeState[] {
  const { space } = kernel;
  const listAt = l.slab.at("slab_list");
  const counted = l.node.has("nr_slabs");
  return nodePointers(kernel, l, view).flatMap(({ node }) => {
    const state = ifThere((): NodeState => {
      const { entries, problem, isCut = false } = walkRing(kernel, node + l.node.at("partial"));
      let partialFree = 0;
      const partial: number[] = [];
      for (const entry of entries) {
        const pfn = pfnOfPage(kernel, entry - listAt);
        if (pfn === undefined) continue;
        const counts = countsOf(kernel, l, entry - listAt);
        partial.push(pfn);
        partialFree += counts.objects - counts.inuse;
      }
      return {
        nrPartial: Number(space.u64(node + l.node.at("nr_partial"))),
        partial,
        partialFree,
        problem,
        isCut,
        nrSlabs: counted ? Number(space.u64(node + l.node.at("nr_slabs"))) : 0,
        totalObjects: counted ? Number(space.u64(node + l.node.at("total_objects"))) : 0,
      };
    });
    return state === undefined ? [] : [state];
  });
}

function countsOf(kernel: Kernel, l: Layouts, slabAt: bigint): { inuse: number; objects: number } {
  const bytes = kernel.space.bytes(slabAt, l.slab.sizeBytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return { inuse: numberIn(view, l.inuse), objects: numberIn(view, l.objects) };
}

function cpusOf(
  kernel: Kernel,
  l: Layouts,
  view: DataView,
  offset: number,
  slabBytes: number,
  random: bigint | undefined,
): Pick<SlabCache, "cpus" | "sheafObjects"> {
  const perCpuSlab = l.cache.find("cpu_slab");
  const sheaves = l.cache.find("cpu_sheaves");
  const inSheaves = sheaves === undefined ? undefined : sheavesOf(kernel, l, view, sheaves);
  // 6.18 and 6.19 have both: every cache has slabs of CPUs, some have sheaves too.
  if (perCpuSlab === undefined) return inSheaves ?? { cpus: [], sheafObjects: undefined };
  const cpuStruct = kernel.types.struct("kmem_cache_cpu");
  const { space } = kernel;
  const base = view.getBigUint64(perCpuSlab.off, true);
  const next = l.slab.find("next");
  const cpus = kernel.possibleCpus.flatMap((cpu): CpuState[] => {
    const state = ifThere((): CpuState => {
      const at = perCpu(kernel, base, cpu);
      const slab = space.u64(at + cpuStruct.at("slab", "page"));
      const partial = cpuStruct.find("partial");
      return {
        kind: "slab",
        cpu,
        slab: slab === 0n ? -1 : (pfnOfPage(kernel, slab) ?? -1),
        ...freePointers(
          kernel,
          space.u64(at + cpuStruct.at("freelist")),
          slab,
          BigInt(slabBytes),
          BigInt(offset),
          random,
        ),
        partialSlabs:
          partial === undefined || next === undefined ? 0 : chainLength(kernel, space.u64(at + partial.at), next.at),
      };
    });
    return state === undefined ? [] : [state];
  });
  return { cpus, sheafObjects: inSheaves?.sheafObjects };
}

function chainLength(kernel: Kernel, first: bigint, nextAt: bigint): number {
  let n = 0;
  for (let at = first; at !== 0n && n < 65536; n++) {
    const from = at;
    const next = ifThere(() => kernel.space.u64(from + nextAt));
    if (next === undefined) return n + 1;
    at = next;
  }
  return n;
}

/** Objects of a CPU's free list, all of which lie in its slab. Throws Absent. */
function freePointers(
  kernel: Kernel,
  first: bigint,
  slab: bigint,
  bytes: bigint,
  offset: bigint,
  random: bigint | undefined,
): { readonly free: readonly bigint[]; readonly astray: bigint | undefined } {
  const free: bigint[] = [];
  const pfn = slab === 0n ? undefined : pfnOfPage(kernel, slab);
  const base = pfn === undefined ? 0n : frameAddress(kernel, pfn);
  for (let at = first; at !== 0n && free.length < mostObjects; ) {
    if (pfn !== undefined && (at < base || at >= base + bytes)) return { free, astray: at };
    const stored = kernel.space.u64(at + offset);
    free.push(at);
    at = random === undefined ? stored : stored ^ random ^ swapBytes(at + offset);
  }
  return { free, astray: undefined };
}

function swapBytes(value: bigint): bigint {
  scratch.setBigUint64(0, value);
  return scratch.getBigUint64(0, true);
}

const scratch = new DataView(new ArrayBuffer(8));

function sheavesOf(kernel: Kernel, l: Layouts, view: DataView, field: Field): Pick<SlabCache, "cpus" | "sheafObjects"> {
  const { types, space } = kernel;
  const cpuStruct = types.struct("slub_percpu_sheaves");
  const sheaf = types.struct("slab_sheaf");
  const objects = new Set<bigint>();
  const take = (at: bigint): number => {
    if (at === 0n) return -1;
    const size = Math.min(space.u32(at + sheaf.at("size")), 4096);
    for (let i = 0; i < size && objects.size < mostSheafObjects; i++)
      objects.add(space.u64(at + sheaf.at("objects") + BigInt(i * 8)));
    return size;
  };
  const base = view.getBigUint64(field.off, true);
  const cpus = kernel.possibleCpus.flatMap((cpu): CpuState[] => {
    if (base === 0n) return [];
    const state = ifThere((): CpuState => {
      const at = perCpu(kernel, base, cpu);
      const of = (name: string): number => take(space.u64(at + cpuStruct.at(name)));
      return { kind: "sheaves", cpu, main: of("main"), spare: of("spare"), rcuFree: of("rcu_free") };
    });
    return state === undefined ? [] : [state];
  });
  const barnStruct = types.find("node_barn");
  if (barnStruct !== undefined)
    for (const { barn } of nodePointers(kernel, l, view)) {
      if (barn === 0n) continue;
      const { entries } = walkRing(kernel, barn + barnStruct.at("sheaves_full"), 65536);
      for (const entry of entries) ifThere(() => take(entry - sheaf.at("barn_list")));
    }
  return { cpus, sheafObjects: objects };
}

/** Reads the slabs of caches one by one; the layouts are looked up once. */
export class SlabReader {
  private readonly kernel: Kernel;
  private known: Layouts | undefined;
  private readonly findings: Findings | undefined;
  private readonly poison: number;

  /** With `findings` each slab is checked as it is read. */
  constructor(kernel: Kernel, findings?: Findings) {
    this.kernel = kernel;
    this.findings = findings;
    this.poison = poisonBit(kernel);
  }

  /** Throws LayoutUnknown. */
  private get layouts(): Layouts {
    this.known ??= layoutsOf(this.kernel);
    return this.known;
  }

  /** All slabs of a cache in order of frames; slabs that are not in the image are left out and counted in `unseen`. */
  *slabs(cache: SlabCache): Generator<SlabView> {
    const cpuFree = new Map<number, bigint[]>();
    for (const c of cache.cpus)
      if (c.kind === "slab" && c.slab >= 0) cpuFree.set(c.slab, [...(cpuFree.get(c.slab) ?? []), ...c.free]);
    const bySlab = this.sheafObjectsBySlab(cache);
    for (const pfn of cache.slabs) {
      const view = this.slab(cache, pfn, cpuFree.get(pfn) ?? [], bySlab?.get(pfn) ?? []);
      if (view === undefined) this.unseen++;
      else yield view;
    }
  }

  /** Slabs whose memory the image does not hold. */
  unseen = 0;

  private sheafObjectsBySlab(cache: SlabCache): Map<number, bigint[]> | undefined {
    if (cache.sheafObjects === undefined || cache.sheafObjects.size === 0) return undefined;
    const out = new Map<number, bigint[]>();
    const step = BigInt(4096 * 2 ** Math.min(cache.order, 10));
    const starts = new Set(cache.slabs);
    for (const object of cache.sheafObjects) {
      // A slab is aligned to its size; a fallback slab is smaller: then its page is looked up itself.
      const inside = object - this.kernel.pageOffset;
      let pfn = Number((inside - (inside % step)) >> 12n);
      for (let p = Number(inside >> 12n); p >= pfn; p--)
        if (starts.has(p)) {
          pfn = p;
          break;
        }
      const own = out.get(pfn);
      if (own === undefined) out.set(pfn, [object]);
      else own.push(object);
    }
    return out;
  }

  private slab(
    cache: SlabCache,
    pfn: number,
    cpuFree: readonly bigint[],
    sheafFree: readonly bigint[],
  ): SlabView | undefined {
    const { kernel, layouts } = this;
    const slabAt = kernel.vmemmap + BigInt(pfn) * BigInt(kernel.pageStructBytes);
    try {
      const { inuse, objects: said } = countsOf(kernel, layouts, slabAt);
      const objects = Math.min(said, mostObjects);
      if (cache.size === 0 || objects * cache.size > 1 << 23) return undefined;
      const isFree = new Uint8Array(objects);
      const first = kernel.space.u64(slabAt + layouts.slab.at("freelist"));
      const listed = this.freeList(cache, pfn, objects, first, isFree, inuse);
      const base = frameAddress(kernel, pfn);
      for (const object of [...cpuFree, ...sheafFree]) {
        const index = (Number(object - base) - cache.redLeftPad) / cache.size;
        if (!Number.isInteger(index) || index < 0 || index >= objects) continue;
        if (isFree[index] === 1 && listed)
          this.findings?.add({
            kind: "slab",
            text: `slab pfn ${pfn} of cache ${cache.name}: object ${object.toString(16)} is free twice`,
            cache: cache.name,
            pfn,
            address: object,
          });
        isFree[index] = 1;
      }
      let free = 0;
      for (let i = 0; i < objects; i++) free += isFree[i] as number;
      if (listed && isPoisoned(cache.flags, this.poison)) this.checkPoison(cache, pfn, isFree);
      return { pfn, objects, inuse, isFree, free };
    } catch (error) {
      if (error instanceof Absent) return undefined;
      throw error;
    }
  }

  private checkPoison(cache: SlabCache, pfn: number, isFree: Uint8Array): void {
    if (this.findings === undefined) return;
    const base = frameAddress(this.kernel, pfn);
    const bytes = this.kernel.space.bytes(base, isFree.length * cache.size);
    for (const [i, free] of isFree.entries()) {
      const at = i * cache.size + cache.redLeftPad;
      const written = free === 1 ? firstWritten(bytes.subarray(at, at + cache.objectSize)) : undefined;
      if (written === undefined) continue;
      const address = base + BigInt(at);
      const value = (bytes[at + written] as number).toString(16).padStart(2, "0");
      this.findings.add({
        kind: "slab",
        text: `slab pfn ${pfn} of cache ${cache.name}: free object ${address.toString(16)} was written to: byte ${written} is 0x${value}, not poison`,
        cache: cache.name,
        pfn,
        address,
      });
    }
  }

  /** Marks the objects of the slab's own list; false when the list is damaged (one finding). */
  private freeList(
    cache: SlabCache,
    pfn: number,
    objects: number,
    first: bigint,
    isFree: Uint8Array,
    inuse: number,
  ): boolean {
    const { kernel } = this;
    const where = { kind: "slab", cache: cache.name, pfn } as const;
    const name = `slab pfn ${pfn} of cache ${cache.name}`;
    const base = frameAddress(kernel, pfn);
    const baseLow = Number(base & 0xffffffffn);
    const baseHigh = Number(base >> 32n);
    const randomLow = Number((cache.random ?? 0n) & 0xffffffffn);
    const randomHigh = Number((cache.random ?? 0n) >> 32n);
    const length = objects * cache.size;
    let count = 0;
    let bytes: DataView | undefined;
    let low = Number(first & 0xffffffffn);
    let high = Number(first >> 32n);
    while (low !== 0 || high !== 0) {
      // Slabs are aligned to their size: within one only the low half of an address changes.
      const at = low - baseLow;
      const index = (at - cache.redLeftPad) / cache.size;
      const which = count === 0 ? "the free list begins" : `the free pointer of ${ordinal(count)} free object leads`;
      if (high !== baseHigh || at < 0 || at >= length || !Number.isInteger(index)) {
        this.findings?.add({ ...where, text: `${name}: ${which} out of the slab` });
        return false;
      }
      if (isFree[index] === 1) {
        this.findings?.add({ ...where, text: `${name}: ${which} back to an object that is on the list already` });
        return false;
      }
      isFree[index] = 1;
      count++;
      bytes ??= viewOf(kernel.space.bytes(base, length));
      const place = at + cache.offset;
      if (place + 8 > length) return false;
      const fromLow = (baseLow + place) >>> 0;
      const storedLow = bytes.getUint32(place, true);
      const storedHigh = bytes.getUint32(place + 4, true);
      if (cache.random === undefined) {
        low = storedLow;
        high = storedHigh;
      } else {
        low = (storedLow ^ randomLow ^ swap32(baseHigh)) >>> 0;
        high = (storedHigh ^ randomHigh ^ swap32(fromLow)) >>> 0;
      }
    }
    if (inuse !== objects - count) {
      this.findings?.add({
        ...where,
        text: `${name}: inuse says ${inuse}, ${objects - count} of ${objects} objects are in use by the free list`,
      });
      return false;
    }
    return true;
  }
}

const ordinal = (n: number): string => (n === 1 ? "the first" : `the ${n}th`);
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const swap32 = (n: number): number =>
  (((n & 0xff) << 24) | ((n & 0xff00) << 8) | ((n >>> 8) & 0xff00) | (n >>> 24)) >>> 0;

/** Addresses of the allocated objects of a cache, by frame and place. */
export function* allocatedObjects(kernel: Kernel, cache: SlabCache, reader: SlabReader): Generator<bigint> {
  for (const slab of reader.slabs(cache)) {
    const base = frameAddress(kernel, slab.pfn) + BigInt(cache.redLeftPad);
    for (let i = 0; i < slab.objects; i++) if (slab.isFree[i] === 0) yield base + BigInt(i * cache.size);
  }
}

/** Exact sums over the slabs of a cache. */
export interface CacheTotals {
  readonly slabs: number;
  readonly objects: number;
  readonly allocated: number;
  readonly unseen: number;
}

export function totalsOf(cache: SlabCache, reader: SlabReader): CacheTotals {
  const before = reader.unseen;
  let slabs = 0;
  let objects = 0;
  let free = 0;
  for (const s of reader.slabs(cache)) {
    slabs++;
    objects += s.objects;
    free += s.free;
  }
  return { slabs, objects, allocated: objects - free, unseen: reader.unseen - before };
}
