// What was found, as NDJSON: one JSON object a line, in record types that others can compare with a kernel's own answer. Addresses are
// hexadecimal without 0x, frame numbers decimal.

import { hex } from "./address_space.ts";
import type { Image } from "./image.ts";
import { syslogLines } from "./kernel_log.ts";
import { kpageflagsReader } from "./mm/kpageflags.ts";
import { nodeStatistics, readLru } from "./mm/lru.ts";
import { flagsOf } from "./mm/mem_map.ts";
import { pageKind } from "./mm/page_kinds.ts";
import type { ZoneState } from "./mm/zones.ts";
import { inflightOf, type PoolHolder } from "./net/page_pools.ts";
import { functionName } from "./net/skbs.ts";
import type { SocketQueue } from "./net/sockets.ts";
import type { CpuState, NodeState } from "./slab/cache.ts";
import { allocatedObjects, SlabReader } from "./slab/caches.ts";

type Json = string | number | readonly Json[] | { readonly [key: string]: Json };
export interface ImageRecord {
  readonly t: string;
  readonly [key: string]: Json;
}

/** All records, in the order of the kernel's structures. */
export function* imageRecords(image: Image): Generator<ImageRecord> {
  yield metaRecord(image);
  for (const z of image.zones.zones) yield* zoneRecords(z);
  const statistics = nodeStatistics(image.kernel);
  if (statistics.length > 0) yield { t: "vm_node_stat", v: statistics };
  yield* pageRuns(image);
  yield* lruRecords(image);
  yield* cacheRecords(image);
  yield* poolRecords(image);
  yield* socketRecords(image);
  yield* deviceRecords(image);
  yield* skbRecords(image);
  for (const record of image.log.records) yield { t: "k", l: syslogLines(record) };
}

function* socketRecords({ net }: Image): Generator<ImageRecord> {
  const queueJson = (q: SocketQueue): (readonly [string, Json])[] => [
    [q.name, q.skbs.map(hex)],
    ...(q.qlen === undefined ? [] : [[`${q.name}_qlen`, q.qlen] as const]),
  ];
  for (const s of net.sockets.sockets) {
    if (s.how === "kernel") continue;
    for (const owner of s.owners.length > 0 ? s.owners : [{ pid: 0, fd: -1 }])
      yield {
        t: "sock",
        a: hex(s.address),
        how: s.how,
        label: s.label,
        pid: owner.pid,
        fd: owner.fd,
        family: s.family,
        type: s.type,
        protocol: s.protocol,
        state: s.state,
        prot: s.prot,
        lport: s.localPort,
        dport: s.remotePort,
        rmem: s.rmem,
        wmem: s.wmem,
        fwd: s.forwardAlloc,
        rcvbuf: s.rcvbuf,
        sndbuf: s.sndbuf,
        owned: s.owned,
        ino: s.inode,
        // A dump in progress is no queue of the kernel's.
        ...Object.fromEntries(s.queues.filter((q) => q.name !== "dump").flatMap(queueJson)),
        ...(s.tcp === undefined
          ? {}
          : {
              snd_una: s.tcp.sndUna,
              snd_nxt: s.tcp.sndNxt,
              write_seq: s.tcp.writeSeq,
              rcv_nxt: s.tcp.rcvNxt,
              copied_seq: s.tcp.copiedSeq,
            }),
      };
  }
  for (const m of net.sockets.mini) yield { t: "minisock", a: hex(m.address), state: m.state };
}

function* deviceRecords({ net }: Image): Generator<ImageRecord> {
  for (const d of net.devices) {
    yield {
      t: "dev",
      name: d.name,
      a: hex(d.address),
      ifindex: d.ifindex,
      mtu: d.mtu,
      txq: d.txQueues,
      rxq: d.rxQueues,
      tx_stopped: d.txStopped ? 1 : 0,
      qdisc: d.qdisc,
    };
    for (const q of d.qdiscs)
      for (const txq of q.txqs)
        yield {
          t: "qdisc",
          dev: d.name,
          txq,
          a: hex(q.address),
          kind: q.kind,
          skbs: q.skbs.map(hex),
          qlen: q.qlen,
          ...(q.parent === undefined ? {} : { handle: q.handle, parent: q.parent }),
          ...(q.unread === 0 ? {} : { unread: q.unread }),
        };
  }
}

function* skbRecords({ net, kernel }: Image): Generator<ImageRecord> {
  for (const s of net.skbs.skbs)
    yield {
      t: "skb",
      a: hex(s.address),
      len: s.len,
      data_len: s.dataLen,
      truesize: s.truesize,
      head: hex(s.head),
      data: hex(s.data),
      tail: s.tail,
      end: s.end,
      cloned: s.cloned,
      fclone: s.fclone,
      head_frag: s.headFrag,
      pp_recycle: s.ppRecycle,
      users: s.users,
      dataref: s.dataref,
      sk: hex(s.sk),
      dev: s.dev > kernel.pageOffset ? "set" : "",
      destructor: functionName(kernel, s.destructor),
      nr_frags: s.frags.length,
      frags: s.frags.map((f) => [f.pfn ?? -1, f.offset, f.size]),
      frag_list: s.fragList.map(hex),
    };
  for (const [a, b] of net.skbs.halves) yield { t: "fclone_half", a: hex(a), skb2: hex(b) };
  for (const u of net.skbs.unused)
    yield {
      t: "skb_unused",
      a: hex(u.address),
      ...(u.inNapiCache ? { why: "freed, kept in the per-CPU napi cache" } : {}),
    };
  for (const a of net.skbs.odd) yield { t: "skb_odd", a: hex(a) };
  for (const a of net.skbs.others) yield { t: "not_skb", a: hex(a) };
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
      ...(c.awaitingRcu.length === 0 ? {} : { rcu_waiting: c.awaitingRcu.map(hex) }),
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
    version: kernel.version,
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

/** Lists of the root group on node 0 are named as the kernel's test names them; others say their node and group. */
function* lruRecords(image: Image): Generator<ImageRecord> {
  for (const { node, group, of, pfns } of image.lru ?? readLru(image.kernel)) {
    const common = {
      pfns,
      n: pfns.length,
      ...(node === 0 ? {} : { node }),
      ...(group === undefined ? {} : { memcg: hex(group.address), path: group.path }),
    };
    yield of.kind === "list"
      ? { t: "lru", list: of.list, ...common }
      : { t: "lrugen", gen: of.generation, file: of.file, zone: of.zone, ...common };
  }
}

function* poolRecords({ net }: Image): Generator<ImageRecord> {
  for (const [i, p] of net.pools.entries()) {
    yield {
      t: "pool",
      i,
      a: hex(p.address),
      destroyed: p.isDestroyed ? 1 : 0,
      flags: p.flags,
      order: p.order,
      pool_size: p.poolSize,
      hold: p.hold,
      release: p.release,
      inflight: inflightOf(p),
      cache_count: p.cacheCount,
      ring_size: p.ringSize,
      frag_users: p.fragUsers,
      frag_pfn: p.fragPfn,
      frag_offset: p.fragOffset,
      cache: p.cache,
      ring: p.ring,
      owned: p.owned.map((o) => [o.pfn, o.refcount, Number(o.users)]),
    };
    for (const { pfn, holders } of net.held.get(p.address) ?? [])
      for (const h of holders) yield { t: "pp", pfn, pool: i, ...holderJson(h) };
  }
}

/** `leaked` is what the kernel's own test calls it: here it means that no reference was found. */
function holderJson(h: PoolHolder): { readonly [key: string]: Json } {
  switch (h.kind) {
    case "cache":
      return { h: "returned_direct", skb: "0" };
    case "ring":
      return { h: "returned_ring", skb: "0" };
    case "fragment source":
      return { h: "frag_page", skb: "0" };
    case "skb":
      return { h: h.as === "head" ? "skb_head" : "skb_frag", skb: hex(h.skb) };
    case "pointer":
      return { h: "driver_array", skb: "0", at: hex(h.at), what: h.what };
    case "none found":
      return { h: "leaked", skb: "0" };
  }
}
