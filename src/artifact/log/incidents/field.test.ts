// Shapes that real reports have and our own printers do not make: excerpts of public reports, each with its place. Only the lines that show
// the shape are quoted.
import { describe, expect, test } from "vitest";
import { framesOf } from "../../../kernel/readings/call_trace.ts";
import type { Incident, IncidentKind, IncidentOf } from "../../../kernel/readings/incident.ts";
import { repairText } from "../lines.ts";
import { inferRelease } from "./infer_release.ts";
import { readIncidents } from "./read_incidents.ts";
import { printSlabFailure } from "./slab_failure.ts";

const read = (text: string): ReturnType<typeof readIncidents> => readIncidents(repairText(text.replace(/^\n/, "")));
const first = <K extends IncidentKind>(text: string, kind: K): IncidentOf<K> => {
  const incident = read(text).incidents.find((i: Incident) => i.kind === kind);
  if (incident === undefined) throw new Error(`no ${kind} in ${text}`);
  return incident as unknown as IncidentOf<K>;
};
const functions = (incident: IncidentOf<"alloc_failure">): string[] =>
  incident.reading.trace === undefined ? [] : framesOf(incident.reading.trace).map((f) => f.function);

describe("allocation failures", () => {
  test("raw stack words stand between the process line and the frames, journald before everything (coreos/bugs#1106, 4.9.24)", () => {
    const text = `
java: page allocation failure: order:0, mode:0x2084120(GFP_ATOMIC|__GFP_COLD|__GFP_COMP)
Jun 13 04:36:30 ip-172-19-13-114 kernel: CPU: 7 PID: 111104 Comm: java Not tainted 4.9.24-coreos #1
Jun 13 04:36:30 ip-172-19-13-114 kernel: Hardware name: Xen HVM domU, BIOS 4.2.amazon 02/16/2017
Jun 13 04:36:30 ip-172-19-13-114 kernel:  ffff8f7a177c3bb0 ffffffffab31c193 ffffffffab7c19e0 0000000000000000
Jun 13 04:36:30 ip-172-19-13-114 kernel:  ffff8f7a177c3c38 ffffffffab18a4f0 02084120177dc168 ffffffffab7c19e0
Jun 13 04:36:30 ip-172-19-13-114 kernel: Call Trace:
Jun 13 04:36:30 ip-172-19-13-114 kernel:  <IRQ>
Jun 13 04:36:30 ip-172-19-13-114 kernel:  [<ffffffffab31c193>] dump_stack+0x63/0x90
Jun 13 04:36:30 ip-172-19-13-114 kernel:  [<ffffffffab18a4f0>] warn_alloc+0x140/0x160
Jun 13 04:36:30 ip-172-19-13-114 kernel:  [<ffffffffab4c7f02>] ? __netif_receive_skb_core+0x222/0xad0
`;
    const incident = first(text, "alloc_failure");
    expect(incident.reading).toMatchObject({
      comm: "java",
      gfp: { mask: 0x2084120, names: "GFP_ATOMIC|__GFP_COLD|__GFP_COMP" },
      process: { cpu: 7, pid: 111104, release: "4.9.24-coreos", hardware: "Xen HVM domU, BIOS 4.2.amazon 02/16/2017" },
    });
    expect(functions(incident)).toEqual(["dump_stack", "warn_alloc", "__netif_receive_skb_core"]);
    expect(read(text).notes).toEqual([]);
    const verdict = inferRelease([incident]);
    expect(verdict.backport).toBeUndefined();
  });

  test("arm before 3.1x and after, with modules on either side (raspberrypi/linux#153, archlinuxarm/PKGBUILDs#1308)", () => {
    const old = first(
      `
sshd: page allocation failure: order:0, mode:0x20
[<c0013a7c>] (unwind_backtrace+0x0/0xf0) from [<c009274c>] (warn_alloc_failed+0xc4/0x11c)
[<c0094a5c>] (__alloc_pages_nodemask+0x3e0/0x63c) from [<c02e49ec>] (__netdev_alloc_frag+0x90/0x118)
[<c02e8b5c>] (__netdev_alloc_skb+0x40/0xd0) from [<c026aac0>] (rx_submit+0x1c/0x1f8)
`,
      "alloc_failure",
    );
    expect(old.reading.trace?.form).toBe("arm");
    expect(functions(old)).toEqual(["unwind_backtrace", "__alloc_pages_nodemask", "__netdev_alloc_skb", "rx_submit"]);
    expect(old.reading.trace?.items.at(-1)).toMatchObject({
      from: { function: "rx_submit", offset: 0x1c, size: 0x1f8 },
    });
    const later = first(
      `
systemd-cgroups: page allocation failure: order:0, mode:0x20
CPU: 0 PID: 1450 Comm: systemd-cgroups Tainted: G         C      4.3.0-1-ARCH #1
[<c009e194>] (__alloc_pages_nodemask) from [<c009ea7c>] (__alloc_page_frag+0x160/0x194)
[<c051aa84>] (__netdev_alloc_skb) from [<bf17c574>] (_rtl_rx_completed+0xac/0x1bc [rtl_usb])
[<bf17c574>] (_rtl_rx_completed [rtl_usb]) from [<c03f08c8>] (__usb_hcd_giveback_urb+0x70/0x108)
`,
      "alloc_failure",
    );
    expect(later.reading.trace?.items).toMatchObject([
      { function: "__alloc_pages_nodemask", from: { function: "__alloc_page_frag" } },
      { function: "__netdev_alloc_skb", from: { function: "_rtl_rx_completed", module: "rtl_usb" } },
      { function: "_rtl_rx_completed", module: "rtl_usb" },
    ]);
    expect(later.reading.process?.release).toBe("4.3.0-1-ARCH");
  });

  test("arm of 6.1 prints neither addresses nor parentheses (raspberrypi/linux#5395)", () => {
    const incident = first(
      `
ksoftirqd/0: page allocation failure: order:0, mode:0xa20(GFP_ATOMIC), nodemask=(null),cpuset=/,mems_allowed=0
CPU: 0 PID: 13 Comm: ksoftirqd/0 Tainted: P         C O       6.1.20-1-rpi-ARCH #1
Hardware name: BCM2711
 unwind_backtrace from show_stack+0x18/0x1c
 kmem_cache_alloc from __netdev_alloc_skb+0xe4/0x198
 __netdev_alloc_skb from bcmgenet_rx_refill+0x38/0x1ec
`,
      "alloc_failure",
    );
    expect(incident.reading).toMatchObject({ cpuset: "/", memsAllowed: "0", trace: { form: "arm" } });
    expect(functions(incident)).toEqual([
      "unwind_backtrace",
      "kmem_cache_alloc",
      "__netdev_alloc_skb",
      "bcmgenet_rx_refill",
    ]);
  });

  test("an old process line, and taint letters in a row (ntop/PF_RING#337, 3.8)", () => {
    const incident = first(
      `
tcpdump: page allocation failure: order:9, mode:0x20
Pid: 7812, comm: tcpdump Tainted: PF       W  O 3.8.0-29-generic #42~precise1-Ubuntu
Call Trace:
 [<ffffffff8113a6c6>] warn_alloc_failed+0xf6/0x150
 [<ffffffffa0104e3a>] alloc_dma_memory+0x8a/0xe0 [fbcapture]
`,
      "alloc_failure",
    );
    expect(incident.reading.process).toEqual({
      pid: 7812,
      comm: "tcpdump",
      taint: "Tainted: PF       W  O",
      release: "3.8.0-29-generic",
      build: "#42~precise1-Ubuntu",
    });
    expect(incident.reading.trace?.items.at(-1)).toMatchObject({ module: "fbcapture" });
  });

  test("behind the build stand a build id, or Debian's package with a blank of its own", () => {
    const build = (line: string): unknown =>
      first(`x: page allocation failure: order:0, mode:0x820(GFP_ATOMIC), nodemask=(null)\n${line}\n`, "alloc_failure")
        .reading.process;
    expect(
      build("CPU: 3 PID: 1 Comm: perf Not tainted 6.9.0-rc7 #1 47154153e3152498d7551147b11cdd2fdbee3ec5"),
    ).toMatchObject({ build: "#1", buildId: "47154153e3152498d7551147b11cdd2fdbee3ec5" });
    expect(build("CPU: 3 PID: 1 Comm: perf Not tainted 6.1.0-18-amd64 #1  Debian 6.1.76-1")).toMatchObject({
      release: "6.1.0-18-amd64",
      build: "#1",
      packageId: " Debian 6.1.76-1",
    });
  });

  test("a report without a name begins with the words themselves (QAT_Engine#84)", () => {
    const incident = first(
      "page allocation failure: order:6, mode:0x24000c0\nCPU: 1 PID: 2 Comm: nginx Not tainted 4.4.0-31-generic #50-Ubuntu\n",
      "alloc_failure",
    );
    expect(incident.reading).toMatchObject({ order: 6, gfp: { mask: 0x24000c0 } });
    expect(incident.missing).toContain("comm");
  });

  test("an issue tracker took the stars of the free lists for emphasis (openzfs/zfs#325)", () => {
    const incident = first(
      `
txg_sync: page allocation failure. order:0, mode:0x20
Mem-Info:
Node 0 Normal free:2264kB min:13224kB low:16528kB high:19836kB active_anon:2288172kB inactive_anon:229976kB active_file:1044952kB inactive_file:1822464kB unevictable:0kB isolated(anon):0kB isolated(file):0kB present:13445120kB mlocked:0kB dirty:228568kB writeback:31828kB mapped:18728kB shmem:896kB slab_reclaimable:48992kB slab_unreclaimable:130064kB kernel_stack:4912kB pagetables:14636kB unstable:0kB bounce:0kB writeback_tmp:0kB pages_scanned:142 all_unreclaimable? no
lowmem_reserve[]: 0 0 0 0
Node 0 Normal: 486_4kB 46_8kB 2_16kB 0_32kB 0_64kB 0_128kB 0_256kB 0_512kB 0_1024kB 0_2048kB 0_4096kB = 2344kB
927178 total pagecache pages
swapper: page allocation failure. order:0, mode:0x4020
Pid: 0, comm: swapper Tainted: P            2.6.38-10-server #46-Ubuntu
`,
      "alloc_failure",
    );
    const zone = incident.reading.memInfo?.zones[0];
    expect(zone?.freeLists?.blocks.slice(0, 3).map((b) => b.count)).toEqual([486, 46, 2]);
    expect(zone?.freeLists?.totalKb).toBe(2344);
    expect(inferRelease([incident])).toMatchObject({ since: [2, 6, 32], until: [2, 6, 39] });
  });

  test("one record holds the block of totals, newlines as #012 (awslabs/mountpoint-s3#1770)", () => {
    const incident = first(
      `
mount-s3: page allocation failure: order:4, mode:0x40cc0(GFP_KERNEL|__GFP_COMP), nodemask=(null),cpuset=/,mems_allowed=0
Feb  9 08:09:39 prod-server kernel: Mem-Info:
Feb  9 08:09:39 prod-server kernel: active_anon:656114 inactive_anon:679646 isolated_anon:0#012 active_file:1022595 inactive_file:1262020 isolated_file:0#012 unevictable:0 dirty:140 writeback:0#012 slab_reclaimable:119934 slab_unreclaimable:40229#012 mapped:62257 shmem:42828 pagetables:8912 bounce:0#012 free:114480 free_pcp:1688 free_cma:0
Feb  9 08:09:39 prod-server kernel: Node 0 DMA free:13312kB min:64kB low:80kB high:96kB active_anon:0kB inactive_anon:0kB active_file:0kB inactive_file:0kB unevictable:0kB writepending:0kB present:15992kB managed:15360kB mlocked:0kB bounce:0kB free_pcp:0kB local_pcp:0kB free_cma:0kB
Feb  9 08:09:39 prod-server kernel: lowmem_reserve[]: 0 2660 15392 15392 15392
`,
      "alloc_failure",
    );
    expect(incident.reading.memInfo?.totals).toMatchObject({
      active_anon: 656114,
      slab_unreclaimable: 40229,
      free: 114480,
    });
    expect(incident.reading.memInfo?.zones[0]).toMatchObject({
      name: "DMA",
      lowmemReserve: [0, 2660, 15392, 15392, 15392],
    });
  });

  test("KERN_CONT breakage around 4.9: every piece on a line of its own, the node broken off from its zone", () => {
    const stamp = (i: number): string => `[   10.${String(100000 + i)}] `;
    const text = [
      "a: page allocation failure: order:1, mode:0x2080020(GFP_ATOMIC)",
      "Mem-Info:",
      "Node 1 ",
      "DMA free:15884kB min:32kB low:44kB high:56kB active_anon:0kB",
      "lowmem_reserve[]:",
      " 0",
      " 2660",
      "Node 1 ",
      "DMA: ",
      "1*4kB ",
      "(U) ",
      "0*8kB ",
      "2*16kB ",
      "(UM) ",
      "= 36kB",
    ];
    const { incidents, notes } = read(text.map((t, i) => stamp(i) + t).join("\n"));
    expect(incidents[0]?.kind === "alloc_failure" ? incidents[0].reading.memInfo?.zones : undefined).toMatchObject([
      {
        node: 1,
        name: "DMA",
        lowmemReserve: [0, 2660],
        freeLists: {
          blocks: [
            { order: 0, count: 1, types: "U" },
            { order: 1, count: 0 },
            { order: 2, count: 2, types: "UM" },
          ],
          totalKb: 36,
        },
      },
    ]);
    expect(notes.filter((n) => n.sentence.includes("skipped"))).toEqual([]);
  });

  test("a terminal cut every line at column 80: what is there counts, what is not is named (openwrt#495)", () => {
    const whole = [
      "a: page allocation failure: order:0, mode:0x20",
      "Mem-Info:",
      "Normal free:720kB min:720kB low:900kB high:1080kB active_anon:1168kB inactive_anon:20kB present:32768kB",
      "lowmem_reserve[]: 0 0",
      "Normal: 94*4kB (UEM) 43*8kB (UEM) 0*16kB 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB = 720kB",
    ];
    const incident = first(whole.map((l) => l.slice(0, 80)).join("\n"), "alloc_failure");
    const zone = incident.reading.memInfo?.zones[0];
    expect(zone?.kb).toMatchObject({ free: 720, min: 720, low: 900, high: 1080 });
    expect(zone?.kb.inactive_anon).toBeUndefined();
    expect(zone?.freeLists?.totalKb).toBeUndefined();
    expect(incident.missing).toContain("free_lists:0:Normal");
  });

  test("SLUB alone, for a memory cgroup's clone of a cache (openzfs/zfs#1535, moby/moby#35545)", () => {
    const incident = first(
      `
SLUB: Unable to allocate memory on node -1 (gfp=0x20)
  cache: kmalloc-1024(1793:4f0a), object size: 1024, buffer size: 1024, default order: 3, min order: 0
  node 0: slabs: 27, objs: 856, free: 0
  node 1: slabs: 12, objs: 384, free: 0
`,
      "slab_failure",
    );
    expect(incident.reading).toMatchObject({
      cache: "kmalloc-1024",
      memcg: "1793:4f0a",
      form: "parentheses",
      gfp: { mask: 0x20 },
    });
    expect(incident.reading.nodes).toHaveLength(2);
    const slab = first(
      "SLAB: Unable to allocate memory on node 0 (gfp=0x20)\n  cache: kmalloc-2048, object size: 2048, order: 0\n  node 0: slabs: 5/5, objs: 10/10, free: 0\n",
      "slab_failure",
    );
    expect(slab.reading).toMatchObject({
      allocator: "SLAB",
      order: 0,
      nodes: [{ slabs: 5, slabsTotal: 5, objects: 10, objectsTotal: 10 }],
    });
  });

  test("SLUB of 6.12 also says where the caller ran", () => {
    const text =
      "SLUB: Unable to allocate memory on CPU 3 (of node 1) on node -1, gfp=0x820(GFP_ATOMIC)\n  cache: skbuff_small_head, object size: 640, buffer size: 704, default order: 2, min order: 0\n  node 0: slabs: 1, objs: 23, free: 0\n";
    const incident = first(text, "slab_failure");
    expect(incident.reading).toMatchObject({
      cpu: 3,
      cpuNode: 1,
      node: -1,
      gfp: { mask: 0x820, names: "GFP_ATOMIC" },
      cache: "skbuff_small_head",
    });
    expect(`${printSlabFailure(incident.reading, [6, 12]).join("\n")}\n`).toBe(text);
  });

  test("vmalloc: the caller's words on their own line up to 4.8, inside the first line later", () => {
    const old = first(
      "vmalloc: allocation failure: 4198400 bytes\nmodprobe: page allocation failure: order:0, mode:0xd2\nPid: 1, comm: modprobe Not tainted 3.2.0 #1\n",
      "alloc_failure",
    );
    expect(old.reading).toMatchObject({
      variant: "vmalloc",
      comm: "modprobe",
      bytes: 4198400,
      reason: "vmalloc: allocation failure: 4198400 bytes",
      reasonOnOwnLine: true,
      gfp: { mask: 0xd2 },
    });
    const later = first(
      "dd: vmalloc error: size 1048576, page order 0, failed to allocate pages, mode:0xdc0(GFP_KERNEL|__GFP_ZERO), nodemask=(null),cpuset=/,mems_allowed=0\n",
      "alloc_failure",
    );
    expect(later.reading).toMatchObject({
      variant: "vmalloc",
      comm: "dd",
      bytes: 1048576,
      order: 0,
      gfp: { mask: 0xdc0 },
    });
    const stall = first(
      "kworker/u8:2: page allocation stalls for 10012ms, order:1, mode:0x14000c0(GFP_KERNEL), nodemask=(null)\n",
      "alloc_failure",
    );
    expect(stall.reading).toMatchObject({ variant: "stall", stalledMs: 10012, order: 1 });
  });

  test("rate-limit lines count what was not printed, and are tied to the report that follows", () => {
    const { incidents } = read(
      "warn_alloc_failed: 54 callbacks suppressed\nswapper/0: page allocation failure: order:0, mode:0x20\n",
    );
    expect(incidents.map((i) => i.kind)).toEqual(["suppressed", "alloc_failure"]);
    expect(incidents[0]?.reading).toEqual({ addedTo: "alloc_failure", what: "warn_alloc_failed", count: 54 });
    expect(incidents[1]?.suppressedBefore).toBe(54);
  });
});

describe("bad pages", () => {
  test("a page that leaked from a page_pool: no pointer on the page line, the pool behind its signature (tempesta#2507, 6.12)", () => {
    const incident = first(
      `
BUG: Bad page state in process swapper/6  pfn:145c6b
page: refcount:0 mapcount:0 mapping:0000000000000000 index:0x145c6b000 pfn:0x145c6b
flags: 0x17ffffc0000000(node=0|zone=2|lastcpupid=0x1fffff)
raw: 0017ffffc0000000 dead000000000040 ffff9c802eb59000 0000000000000000
raw: 0000000145c6b000 0000000000000001 00000000ffffffff 0000000000000000
page dumped because: page_pool leak
Modules linked in: tempesta_fw(OE) tempesta_db(OE)
`,
      "bad_page",
    );
    expect(incident.reading).toMatchObject({
      comm: "swapper/6",
      pfn: 0x145c6b,
      refcount: 0,
      reason: "page_pool leak",
      modules: "tempesta_fw(OE) tempesta_db(OE)",
    });
    expect(incident.reading.page).toBeUndefined();
    expect(incident.reading.raw.slice(1, 3)).toEqual(["dead000000000040", "ffff9c802eb59000"]);
  });

  test("a free slab head under skb_release_data (dentOS#155, 5.15)", () => {
    const incident = first(
      `
[   26.301368] BUG: Bad page state in process swapper/0 pfn:104300
[   26.307505] page:00000000ce81ba6f refcount:0 mapcount:0 mapping:0000000000000000 index:0x0 pfn:0x104300
[   26.317045] head:00000000ce81ba6f order:8 compound_mapcount:0 compound_pincount:0
[   26.324622] flags: 0x2ffff00000010200(slab|head|node=0|zone=2|lastcpupid=0xffff)
[   26.347777] page dumped because: PAGE_FLAGS_CHECK_AT_FREE flag(s) set
[   26.357402] CPU: 0 PID: 0 Comm: swapper/0 Not tainted 5.15.0-75757-g09fce596f9cb #468
[   26.370825] Call trace:
[   26.394705] page_frag_free+0xcc/0xe0
[   26.398402] skb_free_head+0x44/0xa0
`,
      "bad_page",
    );
    expect(incident.reading).toMatchObject({
      pfn: 0x104300,
      flags: "2ffff00000010200",
      flagNames: "slab|head|node=0|zone=2|lastcpupid=0xffff",
      compound: { order: 8 },
    });
    expect(incident.reading.trace?.heading).toBe("Call trace:");
  });

  test("the compound line without a pointer, as kernels of 6.9 and later print it", () => {
    const incident = first(
      "BUG: Bad page state in process a  pfn:00010\npage: refcount:0 mapcount:0 mapping:0000000000000000 index:0x0 pfn:0x10\nhead: order:2 mapcount:0 entire_mapcount:0 nr_pages_mapped:0 pincount:0\nflags: 0x40(head|zone=1)\n",
      "bad_page",
    );
    expect(incident.reading.compound).toEqual({
      order: 2,
      text: "mapcount:0 entire_mapcount:0 nr_pages_mapped:0 pincount:0",
    });
  });

  test("blanks before (null), a negative count, names behind bad flags (mptcp#259, raspberrypi/firmware#865)", () => {
    const incident = first(
      `
BUG: Bad page state in process zabbix_agentd  pfn:46c479
page:ffffea000f7afa78 count:-2 mapcount:0 mapping:          (null) index:0x0
flags: 0x2ffff8000000000()
raw: 02ffff8000000000 0000000000000000 0000000000000000 fffffffeffffffff
page dumped because: nonzero _count
bad because of flags: 0x187878(uptodate|dirty|lru)
`,
      "bad_page",
    );
    expect(incident.reading).toMatchObject({
      refcount: -2,
      mapping: "(null)",
      index: "0x0",
      flagNames: "",
      reason: "nonzero _count",
      badFlags: { flags: "187878", names: "uptodate|dirty|lru" },
    });
  });

  test("2.6.9 and 2.6.18 name no page frame", () => {
    const incident = first(
      `
Bad page state in process 'swapper'
page:c1005fa0 flags:0x40000000 mapping:00000000 mapcount:0 count:-1
Trying to fix it up, but a reboot is needed
Backtrace:
 [<c0142c35>] bad_page+0x75/0xb0
`,
      "bad_page",
    );
    expect(incident.reading).toMatchObject({
      comm: "swapper",
      page: "c1005fa0",
      flags: "40000000",
      refcount: -1,
      triesToFix: true,
    });
    expect(inferRelease([incident]).until).toEqual([2, 6, 28]);
  });
});

describe("the OOM killer", () => {
  test("a container's limit, 4.14: nodemask with two blanks behind it (kata-containers/runtime#1310)", () => {
    const incident = first(
      `
[   13.957383] mem invoked oom-killer: gfp_mask=0x14200ca(GFP_HIGHUSER_MOVABLE), nodemask=(null),  order=0, oom_score_adj=0
[   13.957570] mem cpuset=609e7ec068ac mems_allowed=0
[   13.957877] CPU: 0 PID: 93 Comm: mem Not tainted 4.14.67+ #1
[   13.958013] Call Trace:
[   13.958013]  dump_stack+0x5c/0x78
[   13.958013]  mem_cgroup_out_of_memory+0x36/0x50
[   13.959000] Task in /docker/609e killed as a result of limit of /docker/609e
[   13.959001] memory: usage 524288kB, limit 524288kB, failcnt 12
[   13.959002] memory+swap: usage 524288kB, limit 1048576kB, failcnt 0
[   13.959003] Memory cgroup stats for /docker/609e: cache:4KB rss:523000KB inactive_anon:12KB
[   13.959004] [ pid ]   uid  tgid total_vm      rss nr_ptes nr_pmds swapents oom_score_adj name
[   13.959005] [   93]     0    93   131000   130000     265       3        0             0 my mem
[   13.959006] Memory cgroup out of memory: Kill process 93 (mem) score 990 or sacrifice child
[   13.959007] Killed process 93 (mem) total-vm:524000kB, anon-rss:520000kB, file-rss:0kB, shmem-rss:0kB
`,
      "oom",
    );
    expect(incident.reading).toMatchObject({
      comm: "mem",
      order: 0,
      nodemask: "(null)",
      cpuset: "609e7ec068ac",
      scope: "memcg",
      outcome: "killed",
      victim: { pid: 93, comm: "mem", kb: { "total-vm": 524000, "anon-rss": 520000 } },
      memcg: { task: "/docker/609e", limitOf: "/docker/609e", stats: { rss: 523000 } },
    });
    expect(incident.reading.memcg?.usage[0]).toEqual({ what: "memory", usageKb: 524288, limitKb: 524288, failcnt: 12 });
    expect(incident.reading.tasks).toEqual([
      {
        pid: 93,
        name: "my mem",
        columns: {
          uid: 0,
          tgid: 93,
          total_vm: 131000,
          rss: 130000,
          nr_ptes: 265,
          nr_pmds: 3,
          swapents: 0,
          oom_score_adj: 0,
        },
      },
    ]);
    expect(incident.missing).toEqual([]);
  });

  test("2.6.9 names no task before the report, and kills with a capital M", () => {
    const incident = first(
      "oom-killer: gfp_mask=0xd0\nMem-info:\nFree pages:        1320kB (0kB HighMem)\nOut of Memory: Killed process 2912 (httpd).\n",
      "oom",
    );
    expect(incident.reading).toMatchObject({
      gfp: { mask: 0xd0 },
      memInfo: { freePagesKb: { free: 1320, highMem: 0 } },
      victim: { pid: 2912, comm: "httpd" },
      scope: "machine",
    });
  });

  test("el7 puts dashes behind the taint letters (marathon#2874)", () => {
    const incident = first(
      "java invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=0\nCPU: 1 PID: 9949 Comm: java Tainted: P           OE  ------------   3.10.0-327.13.1.el7.x86_64 #1\n",
      "oom",
    );
    expect(incident.reading.process).toMatchObject({ release: "3.10.0-327.13.1.el7.x86_64", build: "#1" });
  });

  test("only the last line is left (apache/doris#3525)", () => {
    const { incidents } = read(
      "Memory cgroup out of memory: Kill process 24984 (palo_be) score 968 or sacrifice child\nKilled process 18177 (palo_be), UID 0, total-vm:70347780kB, anon-rss:45563572kB, file-rss:0kB, shmem-rss:0kB\n",
    );
    expect(incidents).toHaveLength(1);
    expect(incidents[0]?.reading).toMatchObject({
      scope: "memcg",
      outcome: "killed",
      victim: { pid: 18177, kb: { "anon-rss": 45563572 } },
    });
  });

  test("a cgroup is named in the summary line of 5.0 and later; commas inside a nodemask divide nothing", () => {
    const incident = first(
      "oom invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\noom-kill:constraint=CONSTRAINT_MEMCG,nodemask=0,2-3,cpuset=/,mems_allowed=0-3,oom_memcg=/a,task_memcg=/a/b,task=x,pid=5,uid=0\nMemory cgroup out of memory: Killed process 5 (x) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0\n",
      "oom",
    );
    expect(incident.reading.summary).toMatchObject({ nodemask: "0,2-3", cpuset: "/", oom_memcg: "/a", uid: "0" });
    expect(incident.reading.memcg).toMatchObject({ limitOf: "/a", task: "/a/b" });
  });
});

describe("other lines", () => {
  test("page_pool of 6.6 and later names the pool", () => {
    expect(
      first("page_pool_release_retry() stalled pool shutdown: id 949, 98 inflight 1449 sec\n", "page_pool_stall")
        .reading,
    ).toEqual({ function: "page_pool_release_retry", poolId: 949, inflight: 98, seconds: 1449 });
  });

  test("a wrapped stall, and a count that ran below zero", () => {
    expect(
      first("page_pool_release_retry() stalled pool shutdown -1783494730 inflight 1451031\n", "page_pool_stall")
        .reading,
    ).toEqual({ function: "page_pool_release_retry", inflight: -1783494730 });
  });

  test("drivers' complaints keep device and size", () => {
    expect(first("ath: skbuff alloc of size 1974 failed\n", "driver_line").reading).toMatchObject({
      source: "ath",
      bytes: 1974,
    });
    expect(first("usb0: kevent 2 may have been dropped\n", "driver_line").reading).toMatchObject({ source: "usb0" });
  });

  test("a body without a head is read, and says so", () => {
    const incident = first(
      "DMA32 free:8028kB min:520kB low:648kB high:776kB active_anon:0kB\nlowmem_reserve[]: 0 0 0 0\nDMA32: 1994*4kB (UM) 1*8kB (U) = 7984kB\n",
      "mem_info",
    );
    expect(incident.missing).toEqual(["headline"]);
    expect(incident.reading.memInfo.zones[0]).toMatchObject({
      name: "DMA32",
      kb: { free: 8028 },
      freeLists: { totalKb: 7984 },
    });
  });

  test("talk about reports is no report", () => {
    expect(
      read(
        "I saw an out of memory error and a page fault.\nThe allocation failed with -ENOMEM.\nnginx: out of memory\n",
      ).incidents,
    ).toEqual([]);
  });
});
