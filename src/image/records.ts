// What was found, as NDJSON: one JSON object a line, in record types that others can compare with a kernel's own answer. Addresses are
// hexadecimal without 0x, frame numbers decimal.

import { hex } from "./address_space.ts";
import type { Image } from "./image.ts";
import { kpageflagsReader } from "./mm/kpageflags.ts";
import { flagsOf } from "./mm/mem_map.ts";
import { pageKind } from "./mm/page_kinds.ts";
import type { ZoneState } from "./mm/zones.ts";
import { allocatedObjects, type CpuState, type NodeState, SlabReader } from "./slab/caches.ts";

type Json = string | number | readonly Json[] | { readonly [key: string]: Json };
export interface ImageRecord {
  readonly t: string;
  readonly [key: string]: Json;
}

/** All records, in the order of the kernel's structures. */
export function* imageRecords(image: Image): Generator<ImageRecord> {
  yield metaRecord(image);
  for (const z of image.zones.zones) yield* zoneRecords(z);
  yield* pageRuns(image);
  yield* cacheRecords(image);
}

/** Caches whose objects are listed one by one. */
const listed = new Set(["vmc_obj", "TCP", "UDP", "sock_inode_cache", "skbuff_head_cache", "skbuff_fclone_cache"]);

function* cacheRecords(image: Image): Generator<ImageRecord> {
  const reader = new SlabReader(image.kernel);
  for (const c of image.caches) {
    const totals = image.totals.get(c.address);
    const sum = (of: (n: NodeState) => number): number => c.nodes.reduce((s, n) => s + of(n), 0);
    yield {
      t: "cache",
      name: c.name,
      a: hex(c.address),
      size: c.size,
      object_size: c.objectSize,
      offset: c.offset,
      align: c.align,
      flags: c.flags.toString(16),
      objs_per_slab: c.objectsPerSlab,
      order: c.order,
      refcount: c.refcount,
      slabs: totals?.slabs ?? 0,
      objects: totals?.objects ?? 0,
      allocated: totals?.allocated ?? 0,
      nr_slabs: sum((n) => n.nrSlabs),
      total_objects: sum((n) => n.totalObjects),
      nr_partial: sum((n) => n.nrPartial),
      partial_walked: sum((n) => n.partial.length),
      partial_free: sum((n) => n.partialFree),
      slabinfo_active: sum((n) => n.totalObjects - n.partialFree),
      cpus: c.cpus.filter((s) => image.kernel.onlineCpus.includes(s.cpu)).map(cpuJson),
    };
    if (listed.has(c.name) || image.fcloneCache === c.address)
      yield { t: "objs", cache: c.name, a: Array.from(allocatedObjects(image.kernel, c, reader), hex) };
  }
}

const cpuJson = (c: CpuState): Json =>
  c.kind === "slab"
    ? { slab: c.slab, free: c.free.length, partial_slabs: c.partialSlabs }
    : { main: c.main, spare: c.spare, rcu_free: c.rcuFree };

function metaRecord(image: Image): ImageRecord {
  const { kernel, zones } = image;
  return {
    t: "meta",
    release: kernel.info.release,
    cpus: kernel.onlineCpus.length,
    page_offset: hex(kernel.pageOffset),
    vmemmap: hex(kernel.vmemmap),
    phys_base: hex(BigInt.asUintN(64, kernel.space.physBase)),
    stext: hex(kernel.symbols.address("_stext") ?? 0n),
    init_task: hex(kernel.symbols.address("init_task") ?? 0n),
    max_pfn: zones.endPfn,
    pageblock_order: zones.pageblockOrder,
    max_order: zones.orders,
    sizeof_page: kernel.pageStructBytes,
  };
}

function* zoneRecords(z: ZoneState): Generator<ImageRecord> {
  yield {
    t: "zone",
    i: z.index,
    name: z.name,
    a: hex(z.address),
    start: z.start,
    spanned: z.spanned,
    present: z.present,
    managed: z.managed,
    free: z.free,
    wm: z.watermarks,
    boost: z.boost,
    highatomic: z.highatomic,
    nr_free: z.nrFree,
    vm_stat: z.vmStat,
    diff_free: z.diffFree,
  };
  for (const l of z.lists)
    yield { t: "free", zone: z.name, order: l.order, mt: l.migrateType, pfns: l.pfns, n: l.pfns.length };
  for (const p of z.pcp)
    for (const [list, pfns] of p.lists.entries())
      yield { t: "pcp", zone: z.name, cpu: p.cpu, list, count: p.count, high: p.high, batch: p.batch, pfns };
  if (z.blocks !== undefined)
    yield {
      t: "blocks",
      zone: z.name,
      first: z.blocks.first,
      mt: Array.from(z.blocks.types, (mt) => mt.toString(16)).join(""),
    };
}

/** Runs of frames whose /proc/kpageflags, raw flags, refcount and raw mapcount are equal. */
function* pageRuns(image: Image): Generator<ImageRecord> {
  const { map, zeroPfn } = image;
  const isKsmExact = image.kernel.types.struct("page").has("flags.f");
  const kpageflags = kpageflagsReader(map, { zeroPfn, isKsmExact });
  const isThere = (pfn: number): boolean => map.kind[pfn] !== pageKind.none && map.kind[pfn] !== pageKind.unseen;
  const mapcountOf = (pfn: number): number => (map.kind[pfn] === pageKind.slab ? -1 : (map.mapcount[pfn] as number));
  for (let start = 0; start < map.endPfn; ) {
    if (!isThere(start)) {
      start++;
      continue;
    }
    const k = kpageflags(start);
    const f = flagsOf(map, start);
    const r = map.refcount[start] as number;
    const m = mapcountOf(start);
    let end = start + 1;
    while (
      end < map.endPfn &&
      isThere(end) &&
      map.refcount[end] === r &&
      map.flags[end] === map.flags[start] &&
      map.high[end] === map.high[start] &&
      mapcountOf(end) === m &&
      kpageflags(end) === k
    )
      end++;
    yield { t: "pg", p: start, n: end - start, k: hex(k), f: hex(f), r, m };
    start = end;
  }
}
