// The answer to files of /proc and of ethtool whose numbers stand at a threshold or on either side of it, one counter or one setting a text: what
// a running machine is told by a number that no recording has.
import { keptAnswers, type Texts } from "./answers_kept.testkit.ts";

const each = <T>(rows: readonly T[], name: (row: T) => string, texts: (row: T) => Texts[string]): Texts =>
  Object.fromEntries(rows.map((row) => [name(row), texts(row)]));

const text = (...lines: readonly string[]): string => `${lines.join("\n")}\n`;

/** Counters that were and were not refused, as drivers of every kind name them (drivers/net/ethernet, 6.1). */
const deviceCounters = [
  ..."alloc_rx_buff_failed rx_no_buffer_count rx_missed_errors rx_no_dma_resources rx_out_of_buffer rx_fifo_errors".split(
    " ",
  ),
  ..."rx_nodesc_drop_cnt rx_no_desc rx_discards rx_discards_phy rx_over_errors rx_ring_full no_rx_buffers rx_nombuf".split(
    " ",
  ),
  ..."rx_nomem_drops rx_no_mem rx_oom_discards oom rx_oom bloom_filter rx_skb_alloc_err rx_buf_alloc_fail rx_page_errors".split(
    " ",
  ),
  ..."rx_refill_failures skb_errors rx_alloc_csum_err rx_buf_length_errors rx_page_crc_errors rx_align_buf_errors".split(
    " ",
  ),
  ..."rx_buf_checksum_err rx_no_bufs rx_nobuf rx_missed rx_no_dma_res tx_fifo_errors rx_packets tx_restart_queue rx_pp_alloc_fail rx_pp_recycle_ring rx_pp_alloc_slow".split(
    " ",
  ),
  ..."q0.pp_alloc_err rx_queue_0_drops rx_pages_alloc rx_err tx_errors rx_overruns no_desc nodesc".split(" "),
];

const devices: Texts = {
  ...each(
    deviceCounters,
    (name) => `ethtool -S ${name}`,
    (name) => ({
      "ethtool-S-eth0": text("NIC statistics:", "     rx_bytes: 5", `     ${name}: 1`, "     tx_bytes: 0"),
    }),
  ),
  "ethtool -S nothing": { "ethtool-S-eth0": text("NIC statistics:", "     rx_bytes: 0", "     rx_missed_errors: 0") },
  "ethtool -S many": {
    "ethtool-S-eth0": text(
      "NIC statistics:",
      ...Array.from({ length: 8 }, (_, i) => `     rx${i}_alloc_fail: ${i + 1}`),
      ...Array.from({ length: 8 }, (_, i) => `     rx${i}_missed: ${i + 1}`),
    ),
  },
};

const netDev = (
  rows: readonly (readonly [name: string, rxDrop: number, rxFifo: number, txDrop: number, txFifo: number])[],
): string =>
  text(
    "Inter-|   Receive                                                |  Transmit",
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed",
    ...rows.map(
      ([name, rd, rf, td, tf]) => `${name.padStart(6)}: 100 10 3 ${rd} ${rf} 4 0 0 100 10 5 ${td} ${tf} 6 0 0`,
    ),
  );
const interfaces: Texts = {
  "net/dev nothing": { "proc/net/dev": netDev([["eth0", 0, 0, 0, 0]]) },
  "net/dev rx drop": { "proc/net/dev": netDev([["eth0", 1, 0, 0, 0]]) },
  "net/dev rx fifo": { "proc/net/dev": netDev([["eth0", 0, 1, 0, 0]]) },
  "net/dev tx drop": { "proc/net/dev": netDev([["eth0", 0, 0, 1, 0]]) },
  "net/dev tx fifo": {
    "proc/net/dev": netDev([
      ["eth0", 0, 0, 0, 1],
      ["lo", 0, 0, 0, 0],
    ]),
  },
  "net/dev seven": {
    "proc/net/dev": netDev(Array.from({ length: 7 }, (_, i) => [`eth${i}`, i + 1, 2, 3, 4] as const)),
  },
};

const vmstat = (...lines: readonly string[]): Texts[string] => ({
  "proc/vmstat": text("nr_free_pages 5000", ...lines, "pgfree 9", "pgactivate 1", "pgfault 3"),
});
const byZone = (dma: number, dma32: number, normal: number): readonly string[] => [
  "pgalloc_dma 100",
  "pgalloc_dma32 1000",
  "pgalloc_normal 20000",
  "pgalloc_movable 0",
  `allocstall_dma ${dma}`,
  `allocstall_dma32 ${dma32}`,
  `allocstall_normal ${normal}`,
  "allocstall_movable 0",
];
const reclaim: Texts = {
  "vmstat none": vmstat(),
  "vmstat allocstall 0": vmstat("pgalloc_dma 1", "pgalloc_normal 2", "allocstall 0"),
  "vmstat allocstall 1": vmstat("pgalloc_dma 1", "pgalloc_normal 2", "allocstall 1"),
  "vmstat allocstall 2 without pages": vmstat("allocstall 2"),
  "vmstat allocstall 3, pages 0": vmstat("pgalloc_normal 0", "allocstall 3"),
  "vmstat zones 0": vmstat(...byZone(0, 0, 0)),
  "vmstat zones of one": vmstat(...byZone(0, 4, 0)),
  "vmstat zones of all": vmstat(...byZone(1, 20, 300)),
  "vmstat zones cut": vmstat(...byZone(0, 0, 0).slice(0, 6)),
  "vmstat compaction half": vmstat("compact_stall 10", "compact_fail 5", "compact_success 5"),
  "vmstat compaction more than half": vmstat("compact_stall 10", "compact_fail 6", "compact_success 4"),
  "vmstat compaction never": vmstat("compact_stall 0", "compact_fail 0", "compact_success 0"),
  "vmstat compaction once": vmstat("compact_stall 1", "compact_fail 0", "compact_success 1"),
  "vmstat compaction without failures": vmstat("compact_stall 10", "compact_success 1"),
  "vmstat compaction without tries": vmstat("compact_fail 10", "compact_success 1"),
  "vmstat oom_kill 0": vmstat("oom_kill 0"),
  "vmstat oom_kill 1": vmstat("oom_kill 1"),
  "vmstat oom_kill 2": vmstat("oom_kill 2"),
};

const hex = (n: number): string => n.toString(16).padStart(8, "0");
const softnet = (rows: readonly (readonly [dropped: number, squeezed: number])[]): Texts[string] => ({
  "proc/net/softnet_stat": text(
    ...rows.map(([dropped, squeezed]) => [20, dropped, squeezed, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0].map(hex).join(" ")),
  ),
});
const backlog: Texts = {
  "softnet nothing": softnet([
    [0, 0],
    [0, 0],
  ]),
  "softnet squeezed": softnet([
    [0, 1],
    [0, 1],
  ]),
  "softnet dropped": softnet([
    [1, 0],
    [2, 3],
  ]),
  "softnet one dropped": softnet([[1, 0]]),
  "softnet five rows": softnet([
    [0, 0],
    [0, 0],
    [0, 0],
    [0, 0],
    [7, 0],
  ]),
};

const protocols: Texts = {
  "netstat two protocols": {
    "proc/net/netstat": text("TcpExt: SyncookiesSent PruneCalled", "TcpExt: 0 3", "IpExt: InOctets", "IpExt: 5"),
    "proc/net/snmp": text(
      "Ip: Forwarding DefaultTTL InDiscards",
      "Ip: 1 64 2",
      "Udp: InDatagrams MemErrors",
      "Udp: 5 7",
    ),
  },
  "netstat nothing": {
    "proc/net/netstat": text("TcpExt: SyncookiesSent PruneCalled", "TcpExt: 0 0", "IpExt: InOctets", "IpExt: 5"),
  },
  "netstat no counter of ours": {
    "proc/net/netstat": text("TcpExt: SyncookiesSent", "TcpExt: 4", "IpExt: InOctets", "IpExt: 5"),
  },
  nstat: {
    nstat: text(
      "#kernel",
      "IpInReceives                    5                  0.0",
      "UdpMemErrors                    2                  0.0",
      "Udp6MemErrors                   1                  0.0",
      "TcpExtPruneCalled               0                  0.0",
    ),
  },
};

const kernelTotal = 1_000_000;
const meminfo = (fields: Readonly<Record<string, number>>): string =>
  text(
    ...Object.entries({ MemTotal: kernelTotal, ...fields }).map(
      ([name, kb]) => `${`${name}:`.padEnd(15)} ${String(kb).padStart(8)} kB`,
    ),
  );
const totals: Texts = {
  "meminfo a quarter stuck": {
    "proc/meminfo": meminfo({ MemFree: 99_000, MemAvailable: 500_000, Buffers: 5, Cached: 9, SUnreclaim: 250_000 }),
  },
  "meminfo more than a quarter stuck": {
    "proc/meminfo": meminfo({ MemFree: 100_000, MemAvailable: 101_000, Buffers: 5, Cached: 9, SUnreclaim: 250_001 }),
  },
  "meminfo without what is available": { "proc/meminfo": meminfo({ MemFree: 100_000, Buffers: 5, Cached: 9 }) },
  "meminfo without what is free": { "proc/meminfo": meminfo({ Buffers: 5, Cached: 9, SUnreclaim: 900_000 }) },
  "meminfo of nothing": { "proc/meminfo": meminfo({ MemTotal: 0, MemFree: 0, Buffers: 5, Cached: 9 }) },
};

interface Cache {
  readonly name: string;
  readonly active?: number;
  readonly objects: number;
  readonly bytes: number;
  readonly perSlab: number;
  readonly slabs: number;
}
const slabinfo = (caches: readonly Cache[]): string =>
  text(
    "slabinfo - version: 2.1",
    "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>",
    ...caches.map(
      (c) =>
        `${c.name.padEnd(17)} ${c.active ?? c.objects} ${c.objects} ${c.bytes} ${c.perSlab} 1 : tunables 0 0 0 : slabdata ${c.slabs} ${c.slabs} 0`,
    ),
  );
/** A cache of so many KiB: objects of 1 KiB, four a slab. */
const cache = (name: string, kib: number): Cache => ({ name, objects: kib, bytes: 1024, perSlab: 4, slabs: kib / 4 });
const gib = 2 ** 20;
const cacheNames = [
  ..."skbuff_head_cache skbuff_fclone_cache skbuff_cache skbuff_small_head skbuff_ext_cache nf_conntrack nf_conntrack_expect".split(
    " ",
  ),
  ..."TCP TCPv6 UDP UDPv6 RAW RAWv6 PING PACKET UNIX MPTCP MPTCPv6 UDPLITE UDPLITEv6 sock_inode_cache request_sock_TCP".split(
    " ",
  ),
  ..."request_sock_TCPv6 tw_sock_TCP tw_sock_TCPv6 inet_peer_cache tcp_bind_bucket ip_dst_cache ip6_dst_cache fib_trie fib6_node".split(
    " ",
  ),
  ..."neighbour kmalloc-2k dentry skbuff_other xTCP TCP_x buffer_head".split(" "),
];
const beside = (caches: readonly Cache[]): Texts[string] => ({
  "proc/meminfo": meminfo({ MemFree: 500_000, Buffers: 5, Cached: 9 }),
  "proc/slabinfo": slabinfo(caches),
});
const caches: Texts = {
  ...each(
    cacheNames,
    (name) => `slabinfo ${name}`,
    (name) => ({ "proc/slabinfo": slabinfo([cache(name, gib), cache("filp", 4)]) }),
  ),
  ...each(
    cacheNames,
    (name) => `slabinfo much ${name}`,
    (name) => ({ "proc/slabinfo": slabinfo([cache(name, gib + 4), cache("filp", 4)]) }),
  ),
  "slabinfo a tenth": beside([cache("TCP", 100_000), cache("filp", 4)]),
  "slabinfo more than a tenth": beside([cache("TCP", 100_004), cache("filp", 4)]),
  "slabinfo a quarter of others": beside([cache("TCP", 8), cache("dentry", 250_000)]),
  "slabinfo more than a quarter of others": beside([cache("TCP", 8), cache("dentry", 250_004)]),
  "slabinfo more than a quarter of kmalloc": beside([cache("kmalloc-1k", 250_004), cache("dentry", 8)]),
  "slabinfo a little": beside([cache("TCP", 2000), cache("dentry", 8)]),
  "slabinfo empty caches": beside([{ name: "TCP", objects: 0, bytes: 1024, perSlab: 4, slabs: 0 }, cache("UDP", 4)]),
  "slabinfo six": beside(["TCP", "UDP", "RAW", "UNIX", "PING", "PACKET"].map((name, i) => cache(name, 4 * (i + 1)))),
  "slabinfo few in use": beside([{ ...cache("TCP", 200_000), active: 1 }]),
};

const sockets = (tcp: number, udp: number, settings: readonly string[]): Texts[string] => ({
  "proc/net/sockstat": text(
    "sockets: used 5",
    `TCP: inuse 1 orphan 0 tw 7 alloc 2 mem ${tcp}`,
    `UDP: inuse 1 mem ${udp}`,
  ),
  ...(settings.length === 0 ? {} : { "sysctl.txt": text(...settings) }),
});
const limits = ["net.ipv4.tcp_mem = 100\t200\t300", "net.ipv4.udp_mem = 1000\t2000\t3000"];
const ofSockets: Texts = {
  "sockstat, limits cut": sockets(201, 2001, ["net.ipv4.tcp_mem = 100", "net.ipv4.udp_mem = 1000\t2000"]),
  "sockstat, one limit there": sockets(201, 2001, ["net.ipv4.udp_mem = x\t2000\t3000"]),
  "sockstat below": sockets(100, 1000, limits),
  "sockstat at pressure": sockets(200, 2000, limits),
  "sockstat above pressure": sockets(201, 2001, limits),
  "sockstat at the most": sockets(300, 3000, limits),
  "sockstat above the most": sockets(301, 3001, limits),
  "sockstat one page": sockets(1, 0, limits),
  "sockstat without limits": sockets(5, 6, []),
  "sockstat limits of one": sockets(5, 2001, limits.slice(1)),
  "sockstat limits cut": sockets(500, 5, ["net.ipv4.tcp_mem = 100 200"]),
  "sockstat limits of other words": sockets(500, 5, ["net.ipv4.tcp_mem = 100 200 many"]),
  "sockstat limits twice": sockets(250, 5, ["net.ipv4.tcp_mem = 1 2 3", ...limits]),
  "sockstat without memory": {
    "proc/net/sockstat": text(
      "sockets: used 5",
      "TCP: inuse 1 orphan 0 tw 7 alloc 2",
      "UDP: inuse 1 mem 4",
      "RAW: inuse 0",
    ),
  },
};

const settingNames = [
  ..."vm.min_free_kbytes vm.watermark_scale_factor vm.watermark_boost_factor vm.lowmem_reserve_ratio vm.compaction_proactiveness".split(
    " ",
  ),
  ..."vm.zone_reclaim_mode vm.swappiness vm.min_free_kbytes_x net.core.rmem_max net.core.wmem_default net.core.netdev_max_backlog".split(
    " ",
  ),
  ..."net.core.netdev_budget net.core.netdev_budget_usecs net.core.optmem_max net.core.somaxconn net.ipv4.tcp_mem net.ipv4.udp_mem".split(
    " ",
  ),
  ..."net.ipv4.tcp_rmem net.ipv4.tcp_wmem net.ipv4.tcp_max_orphans net.ipv4.ipfrag_high_thresh net.ipv4.tcp_fin_timeout".split(
    " ",
  ),
  "net.netfilter.nf_conntrack_max",
];
const settings: Texts = {
  ...each(
    settingNames,
    (name) => `sysctl ${name}`,
    (name) => ({
      "sysctl.txt": text("kernel.ostype = Linux", `${name} = 4096\t87380`, "vm.overcommit_memory = 0"),
      ...vmstat("oom_kill 0"),
    }),
  ),
  "sysctl thirteen": {
    "sysctl.txt": text(...Array.from({ length: 13 }, (_, i) => `net.core.rmem_x${i} = ${i}`)),
    ...vmstat("oom_kill 0"),
  },
  "sysctl alone": { "sysctl.txt": text("vm.min_free_kbytes = 4096") },
};

const waiting = (avg60: string, total = 5, full = true): string =>
  text(
    `some avg10=1.00 avg60=${avg60} avg300=3.00 total=${total}`,
    ...(full ? [`full avg10=0.00 avg60=0.50 avg300=0.20 total=1`] : []),
  );
const pressure: Texts = {
  ...each(
    [
      "proc/pressure/memory",
      "memory.pressure",
      "x/memory.pressure",
      "pressure-memory",
      "pressure_memory",
      "a:memory.pressure",
      "proc/pressure/memory.old",
      "cpu.pressure",
    ],
    (name) => `pressure ${name}`,
    (name) => ({ [name]: waiting("9.99") }),
  ),
  "pressure 10": { "proc/pressure/memory": waiting("10.00") },
  "pressure 11": { "proc/pressure/memory": waiting("11.00", 1) },
  "pressure none": { "proc/pressure/memory": waiting("0.00", 0) },
  "pressure without full": { "proc/pressure/memory": waiting("0.10", 7, false) },
};

keptAnswers({
  "files of devices": { ...devices, ...interfaces, ...backlog, ...protocols },
  "files of memory": { ...totals, ...caches, ...ofSockets, ...reclaim },
  "files of settings": { ...settings, ...pressure },
});
