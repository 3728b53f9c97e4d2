// The answer to lines that stand alone, with their numbers from both sides of what is compared; to records of pages and packets; to reports that are one
// event, of several hosts, boots and inputs; to a report beside what tools print of its machine. Kept in fixtures/answers/events.txt.
//   ANSWERS=write npx vitest run src/diagnosis/kept_events.test.ts    writes it anew
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { answerLines } from "./answers.testkit.ts";
import { type Files, keptAnswers, logOf } from "./answers_kept.testkit.ts";
import { allocFailure, refilling, slubLines } from "./rules/report.testkit.ts";

const proc = (name: string): string => readFileSync(join(import.meta.dirname, "../../fixtures/proc", name), "utf8");

const lines = [
  ...["2", "1", "0", "-1"].map((n) => `unregister_netdevice: waiting for eth0 to become free. Usage count = ${n}`),
  ...[
    ...[
      "netdev_tracker_alloc",
      "netdev_hold",
      "netdev_get_by_index",
      "netdev_get_by_name",
      "netdev_put",
      "dev_hold",
      "__dev_hold",
    ],
    ...[
      "dev_get_by_index",
      "dev_get_by_name",
      "dev_hold_track",
      "dev_get_by_index_track",
      "ref_tracker_alloc",
      "dev_hold.part.0",
      "holds_nothing",
    ],
  ].map(
    (name) =>
      `unregister_netdevice: waiting for eth0 to become free. Usage count = 2\nref_tracker: eth0@ffff888012345680 has 1/1 users at\n     ${name}+0x12/0x340\n     my_own+0x12/0x340\n     my_caller+0x12/0x340\n`,
  ),
  "ixgbe 0000:01:00.0: swiotlb buffer is full",
  "ixgbe 0000:01:00.0: swiotlb buffer is full (sz: 4096 bytes)",
  ...["32764", "16384", "16383", "100", "32768"].map(
    (used) => `ixgbe 0000:01:00.0: swiotlb buffer is full (sz: 4096 bytes), total 32768 (slots), used ${used} (slots)`,
  ),
  "DMA: Out of SW-IOMMU space for 65536 bytes at device 0000:01:00.0",
  "PCI-DMA: Out of IOMMU space for 65536 bytes at device 0000:01:00.0",
  "ibmveth 30000002: iommu_alloc failed, tbl c0000000 vaddr c0001000 npages 1",
  "ibmveth 30000002: iommu_alloc failed, tbl c0000000 vaddr c0001000 npages 16",
  ...["-22", "-12", "-7", "-95"].map((n) => `page_pool_create_percpu() gave up with errno ${n}`),
  "Negative(-3) inflight packet-pages",
  "page_pool_empty_ring() page_pool refcnt 2 violation",
  "percpu: allocation failed, size=32768 align=4096 atomic=0, alloc from reserved chunk failed",
  "kmem_cache_destroy nf_conntrack: Slab cache still has objects",
  "slab error in kmem_cache_destroy(): cache `my_cache': Can't free all objects",
  "kmemleak: 14 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
  "VM: killing process Xorg",
  "NETDEV WATCHDOG: eth0 (e1000e): transmit queue 0 timed out",
  ...[
    ...[
      "out of memory - disabled",
      "tries to free DMA memory it has not allocated",
      "tries to free an invalid DMA memory address",
    ],
    ...[
      "frees DMA memory with different size",
      "frees DMA memory with different CPU address",
      "frees DMA memory with wrong function",
    ],
    ...[
      "frees DMA memory with different direction",
      "failed to check map error",
      "maps memory from stack",
      "maps memory from kernel text or rodata",
    ],
    ...[
      "exceeded 7 overlapping mappings of cacheline 0x1",
      "cpu touching an active dma mapped cacheline",
      "has pending DMA allocations while released from device",
    ],
    ...[
      "tries to sync DMA memory it has not allocated",
      "syncs DMA memory with different direction",
      "syncs device read-only DMA memory for cpu",
      "does odd things",
    ],
  ].map((words) => `e1000e 0000:00:19.0: DMA-API: device driver ${words} [device address=0x00000000ffe4b040]`),
  "DMA-API: debugging out of memory - disabling",
  "DMA-API: cacheline tracking ENOMEM, dma-debug disabled",
  ...["kmem_cache_alloc < my_own", "__kmalloc < skb_ext_add < my_own", "kmem_cache_alloc < __alloc_skb < my_own"].map(
    (stack) =>
      `unreferenced object 0xffff888012345680 (size 176):\n  comm "server", pid 77, jiffies 4294900000\n  backtrace:\n${stack
        .split(" < ")
        .map((n) => `    [<ffffffff81234567>] ${n}+0x12/0x340`)
        .join("\n")}`,
  ),
  "unreferenced object 0xb5971f00 (size 176):",
  ...[0, 1, 2, 5, 6, 12, 13].flatMap((n) => [
    `smsc95xx 1-1.1:1.0 eth0: kevent ${n} may have been dropped`,
    `lan78xx 1-1.1:1.0 eth0: kevent ${n} may have been dropped`,
  ]),
  "bcmgenet fd580000.ethernet eth0: Rx skb allocation failed",
  "my_driver 0000:01:00.0: failed to allocate rx skb",
  "warn_alloc: 12 callbacks suppressed",
  "__alloc_pages_slowpath: 3 callbacks suppressed",
  "slab_out_of_memory: 5 callbacks suppressed",
  "BUG: Bad page state: 4 messages suppressed",
];

const page = (counts: string, raw: readonly string[], reason: string, mapping = "0000000000000000"): string =>
  [
    "BUG: Bad page state in process server  pfn:1a2b3c",
    `page:ffffea00068acf00 ${counts} mapping:${mapping} index:0x0 pfn:0x1a2b3c`,
    "flags: 0x17ffffc0000000(node=0|zone=2|lastcpupid=0x1fffff)",
    ...(raw.length === 0 ? [] : [`raw: ${raw.slice(0, 4).join(" ")}`, `raw: ${raw.slice(4).join(" ")}`]),
    `page dumped because: ${reason}`,
    "CPU: 3 PID: 8810 Comm: server Not tainted 6.8.0 #1",
  ].join("\n");
const zero = "0000000000000000";
const rawWith = (at: number, word: string): readonly string[] =>
  ["0017ffffc0000000", zero, "dead000000000122", zero, zero, zero, "00000000ffffffff", zero].map((w, i) =>
    i === at ? word : w,
  );
const pages = [
  ...[-3, -1, 0, 1, 2, 255, 256, 0x5a5a5a5a].map((n) => page(`refcount:${n} mapcount:0`, [], "nonzero _refcount")),
  ...[-129, -127, -1, 1, 0x5a5a5a5b].map((n) => page(`refcount:0 mapcount:${n}`, [], "nonzero mapcount")),
  ...["dead000000000040", "dead000000000043", "dead000000000044", "5deadbeef0000041", zero].map((w) =>
    page("refcount:0 mapcount:0", rawWith(1, w), "page_pool leak"),
  ),
  page("refcount:0 mapcount:0", [], "page_pool leak"),
  ...[1, 3].flatMap((at) =>
    ["0000000000000002", "0000000000000004", "0000000000800000", "ffff88810d23c000"].map((w) =>
      page("refcount:0 mapcount:0", rawWith(at, w), "non-NULL mapping"),
    ),
  ),
  page("refcount:0 mapcount:0", rawWith(7, "0000000000800000"), "page still charged to cgroup"),
  page(
    "refcount:0 mapcount:0",
    rawWith(3, "5a5a5a5a5a5a5a5a").map((w, i) => (i === 5 ? "6b6b6b6b6b6b6b6b" : w)),
    "nonzero _refcount",
  ),
  page("refcount:0 mapcount:0", rawWith(3, "5a5a5a5a5a5a5a5a"), "nonzero _refcount"),
  ...[
    "HWPoisoned (hardware-corrupted)",
    "PAGE_FLAGS_CHECK_AT_FREE flag(s) set",
    "PAGE_FLAGS_CHECK_AT_PREP flag set",
    "corrupted mapping in tail page",
    "odd",
  ].map((r) => page("refcount:0 mapcount:0", rawWith(1, zero), r)),
  page("refcount:0 mapcount:0", [], "nonzero _refcount", "0000000000000010"),
  page("refcount:0 mapcount:0", [], "nonzero _refcount", "5a5a5a5a5a5a5a5a"),
];

const head = "ffff98d66e76e580";
const packets = [
  ...[
    ["under", 405, 13, head, "ffff98d66e76e57b", "0x140", "0x140"],
    ["under", 105, 13, head, "ffff98d66a76e57b", "0x64", "0x140"],
    ["under", 105, 13, head, "ffff98d66e76e57a", "0x64", "0x140"],
    ["over", 1832, 1832, head, "ffff98d66e76e5c0", "0x768", "0x6c0"],
    ["over", 1832, 1832, head, "ffff98d66e76e5c0", "0x6c1", "0x6c0"],
    ["over", 1832, 1832, "0000000049e6a8c2", "00000000b7e9d013", "0x768", "0x6c0"],
    ["over", 1832, 1832, zero, zero, "0x768", "0x6c0"],
    ["over", 60, 60, "c2a18000", "c2a18020", "0xc2a1805c", "0xc2a18058"],
    ["over", 60, 60, "c2a18000", "c2a18020", "0xcaa1805c", "0xc2a18058"],
    ["over", 60, 60, "c2a18000", "c2a18020", "<NULL>", "<NULL>"],
    ["under", 60, 14, "c2a18000", "c2a17ff8", "0xc2a18034", "0xc2a18620"],
  ].map(
    ([what, len, put, h, data, tail, end]) =>
      `skbuff: skb_${what}_panic: text:ffffffffc0b1a2f3 len:${len} put:${put} head:${h} data:${data} tail:${tail} end:${end} dev:eth0`,
  ),
];
const bySkbPanic = (line: string): string =>
  `${line}\n------------[ cut here ]------------\nkernel BUG at net/core/skbuff.c:110!\ninvalid opcode: 0000 [#1] SMP\nCPU: 1 PID: 77 Comm: server Not tainted 6.1.0-18-amd64 #1\nRIP: 0010:skb_panic+0x4a/0x4c\nCall Trace:\n skb_push+0x12/0x340\n my_own+0x12/0x340\n do_syscall_64+0x12/0x340\n entry_SYSCALL_64_after_hwframe+0x12/0x340`;

const byE1000 = refilling.map((f) => (f.startsWith("e1000") ? `${f} [e1000]` : f));
const failure = allocFailure({
  comm: "server",
  order: 1,
  mask: "0x40a20(GFP_ATOMIC|__GFP_COMP)",
  frames: byE1000,
  release: "6.1.0-18-amd64",
});
/** The same log so many seconds later, or as another host's syslog writes it. */
const later = (log: string, seconds: number): string =>
  log.replace(/^\[ +(\d+)\./gm, (_, s: string) => `[${String(Number(s) + seconds).padStart(5)}.`);
const syslog = (log: string, host: string, day = "Mar  3", at = "10:00"): string =>
  log.replace(
    /^\[.*?\] ?/gm,
    (stamp) => `${day} ${at}:${stamp.slice(1, 6).trim().padStart(2, "0").slice(-2)} ${host} kernel: ${stamp}`,
  );
const stall = (at: number, id: number | undefined, inflight: number, seconds: number): string =>
  `[${String(at).padStart(5)}.000000] page_pool_release_retry() stalled pool shutdown: ${id === undefined ? "" : `id ${id}, `}${inflight} inflight ${seconds} sec\n`;
const stamped = (at: string, line: string): string => `[${at.padStart(12)}] ${line}\n`;
const dropped = "bcmgenet fd580000.ethernet eth0: Rx skb allocation failed";
const boot = stamped("0.000000", "Linux version 6.1.0-18-amd64 (gcc)");
const slub = slubLines("kmalloc-2k", 40)
  .map((l, i) => stamped(`24.70000${i}`, l))
  .join("");

const unstamped = (log: string): string => log.replace(/^\[.*?\] ?/gm, "");
const events: Readonly<Record<string, Files>> = {
  "a line beside its failure": { log: failure + stamped("24.900000", dropped) },
  "a line two seconds behind a failure": { log: failure + stamped("27.900000", dropped) },
  "a line that is no refusal": {
    log:
      failure +
      stamped(
        "24.900000",
        "tg3 0000:02:00.0 eth0: Using a smaller RX standard ring. Only 113 out of 200 buffers were allocated successfully",
      ),
  },
  "a slab and a page in one moment": { log: failure + slub },
  "orders of one request": {
    log: [3, 2, 1, 0].map((order) => later(allocFailure({ comm: "server", order, frames: byE1000 }), 0)).join(""),
  },
  "two orders of one request": {
    log: [3, 1].map((order) => allocFailure({ comm: "server", order, frames: byE1000 })).join(""),
  },
  "pools of one restart": {
    log: stall(60, 3, 9, 60) + stall(60, 4, 9, 61) + stall(120, 3, 9, 120) + stall(121, 4, 9, 122),
  },
  "pools apart": { log: stall(60, 3, 9, 60) + stall(60, 4, 8, 60) + stall(64, 5, 9, 64) },
  "a pool that drains": { log: stall(60, 3, 9, 60) + stall(120, 3, 4, 120) },
  "a pool that does not drain": { log: stall(60, 3, 9, 60) + stall(120, 3, 9, 120) },
  "a pool without a name": { log: stall(60, undefined, 9, 60) + stall(120, undefined, 9, 120) },
  "two boots": { log: boot + failure + boot + later(failure, 100) },
  "a clock that falls back": { log: later(failure, 500) + failure },
  "a clock that falls back by less than a second": { log: later(failure, 1) + failure },
  "two hosts": { "a.log": syslog(failure, "web1"), "b.log": syslog(later(failure, 3), "web2") },
  "two hosts in one log, with settings": {
    log: syslog(failure, "web1") + syslog(later(failure, 3), "web2"),
    "sysctl.txt": "vm.min_free_kbytes = 16384\n",
  },
  "one host in two logs": { "dmesg.txt": failure, messages: syslog(failure, "web1") },
  "the same second of two logs without a host": { "a.txt": failure, "b.txt": failure },
  "another day": { "a.log": syslog(failure, "web1"), "b.log": syslog(failure, "web1", "Mar  4") },
  "within a minute": { "a.log": syslog(failure, "web1"), "b.log": syslog(failure, "web1", "Mar  3", "10:01") },
  "twenty alike": { log: Array.from({ length: 20 }, (_, i) => later(failure, i * 10)).join("") },
  "more than twenty alike": {
    log: Array.from({ length: 24 }, (_, i) =>
      syslog(later(failure, i * 10), "web1", i < 22 ? "Mar  3" : "Mar  4"),
    ).join(""),
  },
  "one more than twenty alike": { log: Array.from({ length: 21 }, (_, i) => later(failure, i * 10)).join("") },
  "pages, one more than twenty": {
    log: Array.from({ length: 21 }, (_, i) => later(allocFailure({ comm: "server", frames: byE1000 }), i * 10)).join(
      "",
    ),
  },
  "three lines apart, without stamps": { log: `${unstamped(failure)}x\nx\n${dropped}\n` },
  "four lines apart, without stamps": { log: `${unstamped(failure)}x\nx\nx\n${dropped}\n` },
  "suppressed before": { log: stamped("24.000000", "warn_alloc: 12 callbacks suppressed") + failure },
  "suppressed behind": { log: failure + stamped("26.000000", "warn_alloc: 12 callbacks suppressed") },
  "suppressed of another kind": { log: failure + stamped("26.000000", "slab_out_of_memory: 7 callbacks suppressed") },
  "a release from the report above": { log: failure + later(slub, 50) },
  "a driver by its renaming": { log: stamped("1.000000", "e1000 0000:00:03.0 enp0s3: renamed from eth0") + failure },
  "an MTU that is changed": {
    log: stamped("1.000000", "e1000 0000:00:03.0 eth0: changing MTU from 1500 to 9000") + failure,
  },
  "processors by SLUB": {
    log: stamped("0.100000", "SLUB: HWalign=64, Order=0-3, MinObjects=0, CPUs=4, Nodes=1") + failure,
  },
};

const ipLink = (mtu: number): string =>
  `2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu ${mtu} qdisc mq state UP mode DEFAULT group default qlen 1000\n    link/ether 52:54:00:12:34:56 brd ff:ff:ff:ff:ff:ff\n`;
const tools: Readonly<Record<string, Files>> = {
  "ethtool -i": { "ethtool-i.txt": "driver: e1000\nversion: 6.1.0\nfirmware-version: \nbus-info: 0000:00:03.0\n" },
  "ethtool -g": {
    "ethtool-g.txt":
      "Ring parameters for eth0:\nPre-set maximums:\nRX:\t\t4096\nRX Mini:\tn/a\nRX Jumbo:\tn/a\nTX:\t\t4096\nCurrent hardware settings:\nRX:\t\t256\nRX Mini:\tn/a\nRX Jumbo:\tn/a\nTX:\t\t256\n",
  },
  "ethtool -l": {
    "ethtool-l.txt":
      "Channel parameters for eth0:\nPre-set maximums:\nRX:\t\tn/a\nTX:\t\tn/a\nOther:\t\t1\nCombined:\t8\nCurrent hardware settings:\nRX:\t\t2\nTX:\t\tn/a\nOther:\t\t1\nCombined:\t4\n",
  },
  "ethtool -k": {
    "ethtool-k.txt":
      "Features for eth0:\nrx-checksumming: on\nscatter-gather: on\ntcp-segmentation-offload: off\ngeneric-segmentation-offload: on\ngeneric-receive-offload: on\nlarge-receive-offload: off [fixed]\n",
  },
  "ip link": { "ip-link.txt": ipLink(9000) },
  "two interfaces": { "ip-link.txt": ipLink(9000) + ipLink(1500).replace("2: eth0", "3: eth1") },
  meminfo: { meminfo: proc("meminfo-6.1") },
  "zones of files": { zoneinfo: proc("zoneinfo-6.1"), buddyinfo: proc("buddyinfo-6.1") },
  "zones of files by type": { zoneinfo: proc("zoneinfo-6.1"), pagetypeinfo: proc("pagetypeinfo-6.1") },
  "settings that were changed": {
    "sysctl.txt":
      "vm.min_free_kbytes = 67584\nvm.watermark_scale_factor = 200\nvm.lowmem_reserve_ratio = 256 256 32 0\n",
  },
  "settings that are none": { "sysctl.txt": "vm.min_free_kbytes = 0\nvm.watermark_scale_factor = x\n" },
};
const noMemory = slubLines("kmalloc-2k", 40, 0, 3)
  .map((l, i) => stamped(`24.70000${i}`, l))
  .join("");
const beside = Object.fromEntries(
  Object.entries(tools).flatMap(([name, texts]) => [
    [`a failure beside ${name}`, { log: failure, ...texts }],
    [`a slab beside ${name}`, { log: noMemory, ...texts }],
    [
      `a report alone beside ${name}`,
      { log: allocFailure({ comm: "server", frames: byE1000, memInfo: [] }), ...texts },
    ],
  ]),
);

const named = (texts: readonly string[]): Readonly<Record<string, Files>> =>
  Object.fromEntries(texts.map((text, i) => [`${i} ${text.split("\n")[0]?.slice(0, 150)}`, logOf([text])]));
const short = (all: readonly string[]): readonly string[] => all.map((l) => (l.length > 900 ? l.slice(0, 900) : l));

keptAnswers({ events: { ...named(lines), ...named(pages), ...named(packets.map(bySkbPanic)), ...events } }, (d) =>
  short(answerLines(d)),
);
keptAnswers({ beside_tools: beside }, (d) =>
  answerLines(d)
    .filter((l) => /^ (?:machine|memory|mtuTable|wanted|cause|severity|oom)|^ {2}|^input/.test(l))
    .map((l) => (/^ {2}(?:offload|min_free|memory|wanted)|^ m/.test(l) ? l : l.slice(0, 90))),
);
