// The main job on the logs of the project: real kernels' own words (fixtures/logs), and the bigger captures where they lie beside the clone.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { gather } from "../artifact/gather.ts";
import { repairText } from "../artifact/log/lines.ts";
import { sourceOf } from "../base/byte_source.ts";
import { createCollector } from "./collect.ts";
import { diagnose, isNotJudged } from "./diagnose.ts";
import { explain } from "./explain.ts";
import type { DiagnosedIncident, Finding } from "./finding.ts";

const root = new URL("../../", import.meta.url);
const fixture = (name: string): string => readFileSync(new URL(`fixtures/logs/${name}`, root), "utf8");

const finding = (i: DiagnosedIncident | undefined, id: string): Finding => {
  const found = i?.findings.find((f) => f.id === id);
  expect(found, id).toBeDefined();
  return found as Finding;
};

describe("an order-1 failure of tg3 on 2.6.24", async () => {
  const d = await explain({
    "tg3.log": readFileSync(new URL("fixtures/diagnosis/tg3_with_settings.txt", root), "utf8"),
  });
  const [i] = d.incidents;
  test("is one report: order 1 = 8 KiB, GFP_ATOMIC|__GFP_COMP in the layout of 2.6.24, stated", () => {
    expect(d.incidents).toHaveLength(1);
    expect(i).toMatchObject({
      kind: "alloc_failure",
      order: 1,
      bytes: 8192,
      gfp: { mask: "0x4020", names: ["GFP_ATOMIC", "__GFP_COMP"] },
      kernel: { release: "2.6.24-gentoo-r8_64-08.19.08", certainty: "stated" },
      driver: "tg3",
      direction: "rx refill",
      count: 1,
      severity: "harmless",
    });
  });
  test("wanted 1976 bytes for the standard MTU from kmalloc-2048, whose order-1 slab cannot fall back in that release", () => {
    expect(i?.wanted).toMatch(/standard MTU/);
    expect(i?.wanted).toMatch(/1976 bytes come from kmalloc-2048; its slab is 4 objects in one block of order 1/);
    expect(i?.wanted).toMatch(/before 2\.6\.26 has no fall-back/);
    expect(finding(i, "wanted.object").claim).toMatch(/Not possible with this stack and order: jumbo ring/);
  });
  test("TSO is answered no, with the reason and the line that sets it", () => {
    const tso = finding(i, "offload.tso");
    expect(tso.answer).toBe("no");
    expect(tso.claim).toMatch(/packets that are sent.*tg3_alloc_rx_skb/);
    expect(tso.evidence.map((q) => q.text).join()).toMatch(/tcp segmentation offload: on/);
  });
  test("min_free_kbytes 11495 is the kernel's choice for 7.88 GiB, though nobody tells of this machine's; raising it is the first advice", () => {
    const f = finding(i, "min_free.default");
    expect([f.answer, f.claim]).toEqual([
      "yes",
      expect.stringMatching(/11495 .*7\.88 GiB.*not a round number.*does not say how much/),
    ]);
    expect(f.evidence[0]?.text).toMatch(/vm\.min_free_kbytes = 11495/);
    expect(f.advice[0]?.command).toBe("sysctl -w vm.min_free_kbytes=45980");
  });
  test.each([
    [11_495, "yes"],
    [11_499, "yes"],
    [11_500, "unknown"],
    [11_456, "unknown"],
  ])(
    "of %i alone, where the machine's memory is not told, the default is %s: people type round numbers",
    async (kb, answer) => {
      const told = await explain({
        "tg3.log": fixture("tg3_gentoo_2009.txt"),
        "sysctl.txt": `vm.min_free_kbytes = ${kb}\n`,
      });
      expect(finding(told.incidents[0], "min_free.default").answer).toBe(answer);
    },
  );
  test("why it could not be had is unknown: the report has no Mem-Info, and says so with the command that gets it", () => {
    const f = finding(i, "why.refused");
    expect(f.answer).toBe("unknown");
    expect(f.advice[0]?.command).toMatch(/buddyinfo/);
  });
});

describe("a bad page and an oops of one machine with an EMAC", async () => {
  const d = await explain({ "ppc.log": fixture("ppc405ex_emac_2009.txt") });
  const bad = d.incidents.find((i) => i.kind === "bad_page");
  const oops = d.incidents.find((i) => i.kind === "oops");
  test("are two incidents of an inferred 2.6.29, with reasons", () => {
    expect(d.incidents).toHaveLength(2);
    for (const i of [bad, oops]) {
      expect(i?.kernel).toMatchObject({ release: "2.6.29", certainty: "inferred" });
      expect(i?.kernel.because.length).toBeGreaterThan(1);
    }
  });
  test("the page is tail|buddy, ends the block 0x80d8..0x80db, was freed twice; fragmentation is answered no", () => {
    expect(finding(bad, "bad_page.flags").claim).toMatch(/tail\|buddy/);
    expect(finding(bad, "bad_page.double_free")).toMatchObject({
      answer: "yes",
      claim: expect.stringMatching(/3 mod 4.*0x80d8\.\.0x80db.*double free.*overlapping free/),
    });
    expect(finding(bad, "fragmentation").answer).toBe("no");
    expect(finding(bad, "bad_page.struct_page").claim).toMatch(/32 bytes/);
    expect(bad?.severity).toBe("corruption");
  });
  test("modules that 2.6.29 could not mark as foreign are named, not accused; the page's report lists none", () => {
    expect(finding(oops, "taint.foreign")).toMatchObject({
      answer: "unknown",
      claim: expect.stringMatching(/ds3b3, dma and ds3b2/),
    });
    expect(bad?.findings.some((f) => f.id === "taint.foreign")).toBe(false);
  });
  test("the oops is in kfree_skb under emac_poll_tx, on a pointer of one bit", () => {
    expect(oops?.driver).toBe("ibm_emac");
    expect(finding(oops, "oops.where").claim).toMatch(/kfree_skb, called from emac_poll_tx/);
    expect(finding(oops, "oops.pointer").claim).toMatch(/GPR03 held 0x00040000.*single bit \(bit 18\).*"buddy"/);
  });
  test("the EMAC's MTU table: order 0 only up to 1500, order 1 up to about 7800, order 2 above", () => {
    const table = oops?.mtuTable;
    expect(table?.orderZeroUpTo).toBe(1500);
    expect(table?.rows.map((r) => [r.from, r.order])).toEqual([
      [68, 0],
      [1501, 1],
      [expect.any(Number), 2],
    ]);
    expect(table?.rows[2]?.from).toBeGreaterThan(7700);
    expect(table?.rows[2]?.from).toBeLessThan(7900);
  });
});

describe("failures of a running 6.1.192 with Mem-Info", async () => {
  const d = await explain({ "fail.log": fixture("failures_6.1.txt") });
  const failures = d.incidents.filter((i) => i.kind === "alloc_failure");
  test("each report is found, dated and grouped", () => {
    expect(failures.length).toBeGreaterThan(2);
    for (const i of d.incidents) expect(i.occurrences[0]?.seconds).toBeGreaterThan(1);
    expect(d.incidents.reduce((n, i) => n + i.count, 0)).toBe(
      (fixture("failures_6.1.txt").match(/page allocation failure: order|invoked oom-killer/g) ?? []).length,
    );
  });
  test("the rebuilt zones refuse, asked by the model; the print that is two pages off is said to be so", () => {
    for (const i of failures)
      expect(finding(i, "why.refused"), i.title).toMatchObject({
        answer: "yes",
        claim: expect.stringMatching(/^Rebuilt from the report, every zone/),
      });
    const off = failures.filter((i) => /own error is allowed for/.test(finding(i, "why.refused").claim));
    expect(off.map((i) => finding(i, "why.refused").claim)).toEqual([
      expect.stringMatching(/24 ms after.* difference of 44 KiB.* 8 KiB more .*no free block of order 1 or above/),
    ]);
  });
  test("an order above 0 with single pages free is fragmentation, order 0 is not", () => {
    for (const i of failures)
      expect([i.order, finding(i, "fragmentation").answer]).toEqual([i.order, i.order === 0 ? "no" : "yes"]);
  });
});

describe("a real driver refilling its ring (e1000 on 6.1.192)", async () => {
  const d = await explain({ "e1000.log": fixture("e1000_refill_6.1.txt") });
  const i = d.incidents.find((x) => x.kind === "alloc_failure");
  test("the marks refuse at the very edge: free equals what it must exceed", () => {
    expect(i).toMatchObject({ driver: "e1000", direction: "rx refill", order: 0 });
    expect(finding(i, "why.refused").claim).toMatch(/free 66 - 0 = 66 must exceed .* = 66/);
  });
  test("it asked atomically from process context, which is said, and the ring keeps its slots", () => {
    expect(finding(i, "context.atomic_needlessly").answer).toBe("yes");
    expect(finding(i, "ring.slot_lost").answer).toBe("no");
    expect(finding(i, "offload.tso").answer).toBe("no");
  });
});

describe("corruption of packet memory under SLUB debugging", async () => {
  const d = await explain({ "slub.log": fixture("slub_debug_6.1.txt") });
  const of = (kind: string) => d.incidents.filter((i) => i.kind === kind);
  test("a second kfree_skb() shows as one byte that is one less", () => {
    const head = of("slab_corruption").find((i) => /skbuff/.test(i.title));
    expect(finding(head, "slab.use_after_free").answer).toBe("yes");
    expect(finding(head, "slab.reference_dropped").claim).toMatch(/kfree_skb\(\) ran a second time/);
  });
  test("every kind of corruption says no to fragmentation", () => {
    for (const kind of ["slab_corruption", "oops", "skb_panic"])
      for (const i of of(kind)) expect(finding(i, "fragmentation").answer, i.title).toBe("no");
  });
});

test("a stalled pool that reports twice is one cause, counted twice", async () => {
  const d = await explain({ "pool.log": fixture("page_pool_stall_6.1.txt") });
  expect(d.incidents).toMatchObject([
    { kind: "driver_line", title: "A page_pool could not be made" },
    { kind: "page_pool_stall", count: 2 },
  ]);
});

test("the same boot in two files is counted once, with both places; settings in another file are evidence", async () => {
  const log = fixture("e1000_refill_6.1.txt");
  const d = await explain({ "console.log": log, "dmesg.txt": log, "sysctl.txt": "vm.min_free_kbytes = 1000\n" });
  const i = d.incidents.find((x) => x.kind === "alloc_failure");
  expect(i?.count).toBe(1);
  expect(i?.occurrences.map((o) => o.input)).toEqual(["console.log", "dmesg.txt"]);
  expect(finding(i, "min_free.default").evidence[0]).toMatchObject({ input: "sysctl.txt", line: 1 });
});

describe("a sysctl beside a report is of a moment of its own", () => {
  const log = fixture("e1000_refill_6.1.txt");
  const minFree = async (kb: number) =>
    (await explain({ "dmesg.txt": log, "sysctl.txt": `vm.min_free_kbytes = ${kb}\n` })).incidents.find(
      (x) => x.kind === "alloc_failure",
    );
  test("the value that the printed marks add up to is the one that held", async () => {
    const marks = /add up to (\d+) kB/.exec(
      finding(
        (await explain({ "dmesg.txt": log })).incidents.find((x) => x.kind === "alloc_failure"),
        "min_free.default",
      ).claim,
    );
    const i = await minFree(Number(marks?.[1]));
    expect(i?.findings.some((f) => f.id === "min_free.changed")).toBe(false);
    expect(finding(i, "min_free.default").evidence[0]).toMatchObject({ input: "sysctl.txt", line: 1 });
  });
  test("another value was set before or after: the marks say what the request met, and nothing is advised from two moments", async () => {
    const i = await minFree(200_000);
    expect(finding(i, "min_free.changed").claim).toMatch(/says 200000, which was read at another moment.*raised since/);
    const then = finding(i, "min_free.default");
    expect(then.evidence[0]).toMatchObject({ input: "dmesg.txt" });
    expect(then.claim).not.toContain("200000");
    expect(i?.advice.some((a) => /min_free_kbytes/.test(a.command ?? ""))).toBe(false);
    expect(i?.machine.minFreeKb?.value).not.toBe(200_000);
  });
});

test("a report that does not tell its release takes that of its own machine, where its lines may be of it", async () => {
  const of = (host: string, text: string): string => text.replace(/^(?=.)/gm, `Nov 29 03:14:07 ${host} kernel: `);
  const failure = (release: string): string =>
    `sh: page allocation failure: order:1, mode:0x20\nCPU: 0 PID: 38 Comm: sh Not tainted ${release} #1\nCall Trace:\n own+0x1/0x2\n`;
  const silent = "TCP: out of memory -- consider tuning tcp_mem\n";
  const kernel = async (log: string) =>
    (await explain({ log })).incidents.find((i) => i.kind === "driver_line")?.kernel.release;
  expect(await kernel(of("web1", failure("6.1.192")) + of("web1", silent))).toBe("6.1.192");
  const alone = await kernel(of("web1", silent));
  expect(await kernel(of("web2", failure("6.1.192")) + of("web1", silent))).toBe(alone);
  // A piece of dmesg beside the syslog of the one machine there is.
  expect(await kernel(of("web1", failure("6.1.192")) + silent)).toBe("6.1.192");
  // 2.4's words, and a report of another machine's age.
  const old = "__alloc_pages: 0-order allocation failed (gfp=0x20/0)\n";
  const beside = async (release: string) =>
    (await explain({ log: failure(release) + old })).incidents.find((i) => i.order === 0)?.kernel.release;
  expect(await beside("2.4.20")).toBe("2.4.20");
  expect(await beside("6.1.192")).not.toBe("6.1.192");
});

test("an order that is none has no number of bytes", async () => {
  const bytes = async (order: number) =>
    (await explain({ log: `sh: page allocation failure: order:${order}, mode:0x20\n` })).incidents[0]?.bytes;
  expect([await bytes(1), await bytes(1100)]).toEqual([8192, null]);
});

test("suppressed reports count", async () => {
  const lines = fixture("e1000_refill_6.1.txt").split("\n");
  const at = lines.findIndex((l) => l.includes("page allocation failure"));
  lines.splice(at, 0, "[   24.676000] warn_alloc: 41 callbacks suppressed");
  const d = await explain({ log: lines.join("\n") });
  expect(d.incidents.find((x) => x.kind === "alloc_failure")).toMatchObject({ count: 42, suppressed: 41 });
  expect(d.incidents.some((x) => x.kind === "suppressed")).toBe(false);
});

test("an empty input, and one without incidents, have none", async () => {
  const d = await explain({ empty: "", quiet: "[    1.0] hello\n[    2.0] world\n" });
  expect(d.incidents).toEqual([]);
  expect(d.inputs.map((i) => i.name)).toEqual(["empty", "quiet"]);
});

test("every quoted line stands in its input, at that line", async () => {
  for (const name of [
    "failures_6.1.txt",
    "tg3_gentoo_2009.txt",
    "ppc405ex_emac_2009.txt",
    "slub_debug_6.1.txt",
    "bad_pages_6.1.txt",
  ]) {
    const text = fixture(name);
    const lines = text.split("\n").map((l) => l.replace(/\r$/, ""));
    const d = await explain({ [name]: text });
    for (const i of d.incidents)
      for (const f of i.findings)
        for (const q of f.evidence) expect(lines[q.line - 1], `${name}:${q.line} ${f.id}`).toBe(q.text);
  }
  expect(repairText("").length).toBe(0);
});

const captures = new URL("../shared/captures/", root);
describe.skipIf(!existsSync(captures))("the captures beside the clone", () => {
  const logs = [
    "dmesg/badpage/console.log",
    "dmesg/badpage/dmesg.txt",
    "dmesg/drvfail_e1000/console.log",
    "dmesg/drvfail_e1000/dmesg.txt",
    "dmesg/drvfail_e1000e/console.log",
    "dmesg/drvfail_e1000e/console_slab_inode_oom.log",
    "dmesg/fail64/console.log",
    "dmesg/fail64/dmesg.txt",
    "dmesg/slubdbg/console.log",
    "dmesg/slubdbg/dmesg.txt",
    "debian-stock/console.log",
    "debian-stock/dmesg.txt",
    "text/text64/console.log",
    "text/text64/dmesg.txt",
    "page_pool/console_stall_dmesg.log",
  ];
  test.each(logs)(
    "%s: each incident is found, dated and explained, and no rebuilt zone contradicts the kernel",
    async (name) => {
      const text = readFileSync(new URL(name, captures), "utf8");
      const d = await explain({ [name]: text });
      const heads =
        text.match(
          /page allocation failure: order|invoked oom-killer|BUG: Bad page state|^.*\] BUG [\w-]+ \(|general protection fault, probably|skb_(?:over|under)_panic: text|stalled pool shutdown|gave up with errno|SLUB: Unable to allocate(?!.*gfp=0xcc0\(GFP_KERNEL\)\s*\n.*cache: \w*inode)/gm,
        ) ?? [];
      const counted = d.incidents.reduce((n, i) => n + i.count, 0);
      // SLUB's lines behind a report belong to it and are no incident of their own.
      const slub = heads.filter((h) => h.startsWith("SLUB")).length;
      expect(counted).toBe(heads.length - slub);
      for (const i of d.incidents) {
        expect(i.occurrences[0]?.seconds, i.title).toBeGreaterThan(0);
        expect(i.cause.length).toBeGreaterThan(20);
        expect(i.findings.length, i.title).toBeGreaterThan(1);
        const why = i.findings.find((f) => f.id === "why.refused");
        if (why !== undefined) expect(why.answer, i.title).toBe("yes");
      }
    },
  );
});

test("a thousand alike reports are one cause with a true count, a first and a last time", async () => {
  const one = fixture("e1000_refill_6.1.txt").split("\n");
  const from = one.findIndex((l) => l.includes("page allocation failure"));
  const report = one.slice(from).map((l) => l.replace(/^\[ *\d+\.\d+\]/, "[@]"));
  const text = Array.from({ length: 1000 }, (_, k) =>
    report.map((l) => l.replace("[@]", `[${(100 + k).toFixed(6).padStart(12)}]`)).join("\n"),
  ).join("\n");
  const d = await explain({ log: text });
  const i = d.incidents.find((x) => x.kind === "alloc_failure");
  expect(i?.count).toBe(1000);
  expect([i?.occurrences[0]?.seconds, i?.occurrences.at(-1)?.seconds]).toEqual([100, 1099]);
  expect(i?.occurrences.length).toBeLessThan(50);
});

test("Debian's 6.1.0-56 is computed with as the 6.1.192 that its package says it is", async () => {
  const text = fixture("e1000_refill_6.1.txt").replace(/6\.1\.192-oracle #1/g, "6.1.0-56-amd64 #1  Debian 6.1.192-2");
  const i = (await explain({ log: text })).incidents.find((x) => x.kind === "alloc_failure");
  expect(i?.kernel.release).toBe("6.1.0-56-amd64");
  expect(finding(i, "why.refused").claim).toMatch(/late 6\.1\.y/);
});

/** A report put together from real lines of that era's form, so that the four generations of the test are asked. */
const el6 = (order: number, blocks: string): string => `swapper: page allocation failure. order:${order}, mode:0x20
Pid: 0, comm: swapper Not tainted 2.6.32-431.el6.x86_64 #1
Call Trace:
 <IRQ>  [<ffffffff8112f64a>] ? __alloc_pages_nodemask+0x74a/0x8d0
 [<ffffffff8116e082>] ? kmem_getpages+0x62/0x170
 [<ffffffff8116ec9a>] ? fallback_alloc+0x1ba/0x270
 [<ffffffff8116fbad>] ? __kmalloc_node+0x4d/0x60
 [<ffffffff8144a64a>] ? __alloc_skb+0x7a/0x180
 [<ffffffff814a1aa2>] ? tcp_collapse+0x1e2/0x440
 [<ffffffff8145b8ba>] ? net_rx_action+0xda/0x2f0
Mem-Info:
active_anon:1000 inactive_anon:200 isolated_anon:0
 active_file:300000 inactive_file:300000 isolated_file:0
 unevictable:0 dirty:30 writeback:0 unstable:0
 free:7000 slab_reclaimable:4000 slab_unreclaimable:9000
 mapped:2000 shmem:30 pagetables:700 bounce:0
Node 0 Normal free:28000kB min:29012kB low:36264kB high:43516kB active_anon:4000kB inactive_anon:800kB active_file:1200000kB inactive_file:1200000kB unevictable:0kB isolated(anon):0kB isolated(file):0kB present:5171200kB mlocked:0kB dirty:120kB writeback:0kB mapped:8000kB shmem:120kB slab_reclaimable:16000kB slab_unreclaimable:36000kB kernel_stack:0kB pagetables:2800kB unstable:0kB bounce:0kB writeback_tmp:0kB pages_scanned:0 all_unreclaimable? no
lowmem_reserve[]: 0 0 0 0
Node 0 Normal: ${blocks} = 28000kB
600300 total pagecache pages
`;

test("2.6.32 refuses an order-1 request although 95 larger blocks are there: their memory alone must exceed a part of the mark", async () => {
  const blocks = "6800*4kB 90*8kB 5*16kB 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB 0*2048kB 0*4096kB";
  const i = (await explain({ log: el6(1, blocks) })).incidents[0];
  expect(finding(i, "why.refused")).toMatchObject({
    answer: "yes",
    claim: expect.stringMatching(/2\.6\.11 to 4\.3.*without the 6800 blocks of order 0: 199 must exceed 1360/),
  });
  expect(finding(i, "why.free_unusable").claim).toMatch(/95 blocks of order 1 or more in Normal were there/);
  expect(finding(i, "fragmentation").answer).toBe("yes");
  expect(i?.wanted).toMatch(/SLAB of this release that is size-8192/);
});

test("the same numbers pass the test of 6.1, and the answer is unknown instead of an excuse", async () => {
  const blocks =
    "6800*4kB (UM) 90*8kB (UM) 5*16kB (M) 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB 0*2048kB 0*4096kB";
  const text = el6(1, blocks)
    .replace("mode:0x20", "mode:0xa20(GFP_ATOMIC), nodemask=(null)")
    .replace("failure. order", "failure: order")
    .replace("2.6.32-431.el6.x86_64", "6.1.192-x86_64");
  const i = (await explain({ log: text })).incidents[0];
  expect(finding(i, "why.refused").answer).toBe("unknown");
});

test("blocks that lie in CMA only are free and not usable for a packet", async () => {
  const blocks =
    "6192*4kB (UME) 10*8kB (C) 5*16kB (C) 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 3*1024kB (C) 0*2048kB 0*4096kB";
  const text = el6(1, blocks)
    .replace("mode:0x20", "mode:0x1080020(GFP_ATOMIC), nodemask=(null)")
    .replace("failure. order", "failure: order")
    .replace("2.6.32-431.el6.x86_64", "4.14.98-x86_64")
    .replace("min:29012kB", "min:9012kB")
    .replace("pages_scanned:0 all_unreclaimable? no", "free_pcp:0kB local_pcp:0kB free_cma:3300kB");
  const i = (await explain({ log: text })).incidents[0];
  expect(finding(i, "why.refused").claim).toMatch(/4\.4 to 6\.2.*none on a list of UMEH/);
  expect(finding(i, "why.free_unusable")).toMatchObject({
    answer: "yes",
    claim: expect.stringMatching(/belong to CMA.*lists that this request may not use \(C\)/),
  });
  expect(i?.cause).toMatch(/lists this request may not use/);
});

test("a cgroup's cache and a cgroup's OOM are the container's limit, not the machine's", async () => {
  const d = await explain({
    log: `[  500.100000] SLUB: Unable to allocate memory on node -1 (gfp=0x2080020)
[  500.100000]   cache: kmalloc-1024(1793:docker-abc), object size: 1024, buffer size: 1024, default order: 3, min order: 0
[  500.100000]   node 0: slabs: 3, objs: 96, free: 0
[  501.000000] java invoked oom-killer: gfp_mask=0x24000c0, order=0, oom_score_adj=0
[  501.000000] java cpuset=docker-abc mems_allowed=0
[  501.000000] CPU: 1 PID: 4242 Comm: java Not tainted 4.4.0-31-generic #50-Ubuntu
[  501.000000] Task in /docker/abc killed as a result of limit of /docker/abc
[  501.000000] memory: usage 524288kB, limit 524288kB, failcnt 3312
[  501.000000] Killed process 4242 (java) total-vm:2000000kB, anon-rss:510000kB, file-rss:1000kB
`,
  });
  const slub = d.incidents.find((i) => i.kind === "slab_failure");
  const oom = d.incidents.find((i) => i.kind === "oom");
  expect(finding(slub, "container.limit")).toMatchObject({ answer: "yes", claim: expect.stringMatching(/docker-abc/) });
  expect(finding(oom, "oom.scope")).toMatchObject({
    answer: "no",
    claim: expect.stringMatching(/512 MiB of 512 MiB, limit hit 3,312 times/),
  });
});

test("a stalled pool whose number falls is draining; one whose number stays is not", async () => {
  const log = (second: number): string =>
    `[   62.809163] page_pool_release_retry() stalled pool shutdown 7 inflight 60 sec\n[  123.224753] page_pool_release_retry() stalled pool shutdown ${second} inflight 120 sec\n`;
  for (const [second, answer] of [
    [7, "no"],
    [3, "yes"],
  ] as const) {
    const d = await explain({ log: log(second) });
    expect(d.incidents).toHaveLength(1);
    expect(finding(d.incidents[0], "page_pool.draining").answer).toBe(answer);
  }
});

test("a central log of two machines is two causes, each with its machine", async () => {
  const report = fixture("e1000_refill_6.1.txt")
    .split("\n")
    .filter((l) => l.startsWith("["));
  const of = (host: string): string => report.map((l) => `Jul  3 04:02:11 ${host} kernel: ${l}`).join("\n");
  const d = await explain({ log: `${of("alpha")}\n${of("beta")}\n` });
  expect(d.incidents.map((i) => [i.count, i.title.replace(/.* on /, "")])).toEqual([
    [1, "alpha"],
    [1, "beta"],
  ]);
});

const seeds = new URL("../shared/seeds/", root);
describe.skipIf(!existsSync(seeds))("the five documents beside the clone", () => {
  const read = (prefix: string): string => {
    const name = readdirSync(seeds).find((n) => n.startsWith(prefix)) as string;
    return readFileSync(new URL(name, seeds), "utf8");
  };
  test("two of them hold kernel reports, three only talk about kernels", async () => {
    const counts: number[] = [];
    for (const prefix of ["000", "001", "002", "003", "004"])
      counts.push((await explain({ [prefix]: read(prefix) })).incidents.length);
    expect(counts).toEqual([2, 1, 0, 0, 0]);
  });
  test("the blog's sysctl and ethtool lines count although prose runs into them", async () => {
    const [i] = (await explain({ blog: read("001") })).incidents;
    expect(finding(i, "min_free.default")).toMatchObject({ answer: "yes", claim: expect.stringMatching(/7\.88 GiB/) });
    expect(finding(i, "offload.tso").evidence.map((q) => q.text)).toContain("tcp segmentation offload: on");
  });
});

describe("a kernel of 2.4", () => {
  const asks = async (line: string): Promise<boolean> => {
    const [i] = (await explain({ log: line })).incidents;
    return (i as DiagnosedIncident).findings.some(
      (f) => f.id.startsWith("min_free") || f.advice.some((a) => a.action.includes("min_free_kbytes")),
    );
  };
  test("is told nothing of vm.min_free_kbytes, which it does not have (kernel/sysctl.c of 2.4.32); 2.6 is", async () => {
    expect(await asks("__alloc_pages: 0-order allocation failed (gfp=0x20/0)")).toBe(false);
    expect(await asks("swapper: page allocation failure. order:0, mode:0x20")).toBe(true);
  });
});

test("a fault of ours costs the report that it happened in, and is said in a note of its input", async () => {
  const collector = createCollector();
  const gathered = await gather(
    ["a", "b"].map((name, order) => ({
      source: sourceOf(name, `sh: page allocation failure: order:${order}, mode:0x20\n`),
      named: true,
    })),
    { onWindow: collector.onWindow },
  );
  const inputs = collector.finish(gathered).map((input) => ({
    ...input,
    incidents: input.incidents.map((i) =>
      input.name === "a"
        ? {
            ...i,
            incident: Object.defineProperty({ ...i.incident }, "missing", {
              get: () => {
                throw new Error("a fault");
              },
            }),
          }
        : i,
    ),
  }));
  const d = diagnose(inputs);
  expect(d.incidents.map((i) => i.occurrences.map((o) => o.input))).toEqual([["b"]]);
  expect(
    d.inputs.map((i) => i.notes.map((n) => [n.line, isNotJudged(n.sentence), n.sentence.includes("a fault")])),
  ).toEqual([[[1, true, true]], []]);
});
