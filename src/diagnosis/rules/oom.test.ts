// The kernel's own memory is the reason above 30 % of the machine (rules/oom.ts); the rest of an OOM report in numbers.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { findingOf } from "../asked.ts";
import { explain } from "../explain.ts";
import { diagnoseTexts } from "../field.testkit.ts";
import { size } from "../words.ts";
import { killed } from "./killed.testkit.ts";

const log = readFileSync(join(import.meta.dirname, "../../../fixtures/logs/slab_oom_6.1.txt"), "utf8");
const oomOf = async (text: string) => (await diagnoseTexts({ log: text })).incidents.find((i) => i.kind === "oom");

/** Without the kernel's own table of slabs, which answers by name (oom_slabs.ts). */
const untabled = log.replace(/^.*(?:Unreclaimable slab info|Name +Used +Total|KB +\d+KB)\s*\n/gm, "");

/** The report with so many pages of unreclaimable slab, of 10,000. */
const holding = (slab: number): string =>
  untabled
    .replace(/slab_unreclaimable:\d+/g, `slab_unreclaimable:${slab}`)
    .replace(/\d+ pages RAM/g, "10000 pages RAM");

test("unreclaimable slab is the reason above 30 %, not at 30 %", async () => {
  const at = async (slab: number) => findingOf((await oomOf(holding(slab)))?.findings ?? [], "oom.kernel_memory");
  expect(await at(3000)).toMatchObject({
    answer: "no",
    claim: expect.stringContaining("30 % of the machine: not the reason"),
  });
  expect(await at(3001)).toMatchObject({
    answer: "yes",
    claim: expect.stringContaining("30 % of the machine: look there"),
  });
  expect((await at(3001))?.advice).toMatchObject([{ command: "slabtop -o -s c | head -20" }]);
  expect((await at(3000))?.advice).toEqual([]);
});

test("a twentieth of the machine is where file cache is no longer few, and what was in use is listed largest first", async () => {
  /** Of 10,000 pages so many of file cache, one of them on the active list. */
  const full = (cache: number): string =>
    holding(100)
      .replace(/\bactive_file:\d+/g, "active_file:1")
      .replace(/\binactive_file:\d+/g, `inactive_file:${cache - 1}`)
      .replace(/\bactive_anon:\d+/g, "active_anon:1000")
      .replace(/\binactive_anon:\d+/g, "inactive_anon:536")
      .replace(/\bunevictable:\d+/g, "unevictable:0")
      .replace(/\bshmem:\d+/g, "shmem:256")
      .replace(/\bpagetables:\d+/g, "pagetables:64");
  const said = async (cache: number) => JSON.stringify((await oomOf(full(cache)))?.findings);
  expect(await said(499)).toContain(". Only 1.95 MiB of file cache was left to reclaim. In use were ");
  expect(await said(500)).toContain(". 1.95 MiB of file cache was there. In use were ");
  expect(await said(500)).toContain(
    "In use were 6 MiB anonymous memory, 1 MiB shared memory and 400 KiB unreclaimable slab. There is no swap.",
  );
});

test("without the machine's pages the share is not said", async () => {
  const text = log.replace(/^.*pages RAM\s*\n/gm, "");
  expect(findingOf((await oomOf(text))?.findings ?? [], "oom.kernel_memory")).toBeUndefined();
});

test("the scope is a yes only where a line says the machine", async () => {
  const incident = await oomOf(untabled);
  expect(findingOf(incident?.findings ?? [], "oom.scope")).toMatchObject({
    answer: "yes",
    claim: expect.stringContaining("The machine was really out of memory"),
    advice: [{ change: { kind: "memory" } }],
  });
  expect(incident?.severity).toBe("act");
});

test("the machine is told from a part of its nodes by the cpuset's line, by the constraint, or by having one node", async () => {
  const claim = async (...lines: readonly string[]): Promise<string | undefined> => {
    const stack = [
      "dump_header",
      "oom_kill_process",
      "out_of_memory",
      "__alloc_pages_slowpath",
      "__alloc_pages_nodemask",
    ];
    const log = [
      "nginx invoked oom-killer: gfp_mask=0x201da, order=0, oom_score_adj=0",
      ...lines.slice(0, 1),
      "CPU: 1 PID: 77 Comm: nginx Not tainted 4.4.0 #1",
      "Call Trace:",
      ...stack.map((f) => ` [<ffffffff81636431>] ${f}+0x10/0x200`),
      ...lines.slice(1),
    ];
    const text = log
      .filter((l) => l !== "")
      .map((l) => `[ 5420.1] ${l}\n`)
      .join("");
    return findingOf((await oomOf(text))?.findings ?? [], "oom.scope")?.claim;
  };
  expect(await claim("")).toMatch(/^It was not a cgroup's limit: the machine, or the nodes/);
  expect(await claim("nginx cpuset=/ mems_allowed=0-1")).toMatch(/^The machine was really out of memory/);
  const constraint =
    "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task=a,pid=9,uid=0";
  expect(await claim("", constraint)).toMatch(/^The machine was really out of memory/);
  const zone = (node: number): readonly string[] => [
    `Node ${node} Normal free:400kB min:440kB low:550kB high:660kB active_anon:0kB present:40000kB managed:39000kB pages_scanned:0 all_unreclaimable? yes`,
    "lowmem_reserve[]: 0 0",
  ];
  const lists = (node: number): string => `Node ${node} Normal: 100*4kB (U) = 400kB`;
  const head = ["", "Mem-Info:", "active_anon:1 inactive_anon:1", " free:100 free_pcp:0 free_cma:0"];
  const tail = ["10000 pages RAM"];
  expect(await claim(...head, ...zone(0), lists(0), ...tail)).toMatch(/^The machine was really out of memory/);
  expect(await claim(...head, ...zone(0), ...zone(1), lists(0), lists(1), "20000 pages RAM")).toMatch(
    /^It was not a cgroup's limit/,
  );
});

test("slab alone does not clear the kernel's own memory: pages that no counter has may be a driver's", async () => {
  const told = async (ram: number) =>
    findingOf(
      (await oomOf(untabled.replace(/\d+ pages RAM/g, `${ram} pages RAM`)))?.findings ?? [],
      "oom.kernel_memory",
    );
  const real = Number(/(\d+) pages RAM/.exec(log)?.[1]);
  const lost = await told(real * 8);
  expect(lost).toMatchObject({
    answer: "unknown",
    claim: expect.stringMatching(/[\d.]+ MiB, 9\d % of the machine, are in none of the counters/),
    advice: [{ command: expect.stringContaining("page_owner") }],
  });
  const uncounted = (await oomOf(untabled.replace(/^.*active_file:\d+ inactive_file.*\n/gm, "")))?.findings ?? [];
  expect(findingOf(uncounted, "oom.kernel_memory")?.answer).not.toBe("no");
});

const lowmem = (mask: string, highFree: number, zones = true): string =>
  `${[
    `[ 5420.1] rsync invoked oom-killer: gfp_mask=${mask}, order=0, oom_adj=0`,
    "[ 5420.1] Pid: 2211, comm: rsync Not tainted 2.6.32-5-686-bigmem #1",
    "[ 5420.1] Call Trace:",
    "[ 5420.1]  [<c10b1477>] ? out_of_memory+0x82/0xad",
    "[ 5420.1]  [<c10b3c5f>] ? __alloc_pages_nodemask+0x4ce/0x5d8",
    ...(zones
      ? [
          "[ 5420.1] Mem-Info:",
          "[ 5420.1] active_anon:12000 inactive_anon:3000 isolated_anon:0",
          "[ 5420.1]  active_file:100200 inactive_file:680223 isolated_file:0",
          "[ 5420.1]  unevictable:0 dirty:0 writeback:0 unstable:0",
          `[ 5420.1]  free:${(3540 + 3612 + highFree) / 4} slab_reclaimable:190000 slab_unreclaimable:12000`,
          "[ 5420.1]  mapped:3000 shmem:100 pagetables:400 bounce:0",
          "[ 5420.1] DMA free:3540kB min:64kB low:80kB high:96kB present:15804kB slab_reclaimable:8kB slab_unreclaimable:64kB all_unreclaimable? yes",
          "[ 5420.1] lowmem_reserve[]: 0 865 9000 9000",
          "[ 5420.1] Normal free:3612kB min:3728kB low:4660kB high:5592kB present:885944kB slab_reclaimable:759992kB slab_unreclaimable:47936kB all_unreclaimable? yes",
          "[ 5420.1] lowmem_reserve[]: 0 0 65000 65000",
          `[ 5420.1] HighMem free:${highFree}kB min:512kB low:9216kB high:17920kB present:8320000kB slab_reclaimable:0kB slab_unreclaimable:0kB all_unreclaimable? no`,
          "[ 5420.1] lowmem_reserve[]: 0 0 0 0",
          "[ 5420.1] 2359296 pages RAM",
          "[ 5420.1] 290000 pages reserved",
        ]
      : []),
    "[ 5420.1] Out of memory: kill process 1800 (apache2) score 2301 or a child",
    "[ 5420.1] Killed process 1800 (apache2)",
  ].join("\n")}\n`;

test("low memory can run out on a machine with plenty: the machine, its memory and its swap are not blamed", async () => {
  const i = await oomOf(lowmem("0xd0", 4_806_448));
  expect(findingOf(i?.findings ?? [], "oom.scope")).toMatchObject({
    answer: "no",
    claim: expect.stringMatching(
      /4\.58 GiB were free in HighMem.*DMA and Normal, low memory.*slab holds 789\.1 MiB there, 90 %/,
    ),
  });
  expect(i?.cause).toMatch(/^The zones that the request may use \(DMA and Normal, low memory\) ran out/);
  expect(findingOf(i?.findings ?? [], "oom.kernel_memory")).toBeUndefined();
  expect(JSON.stringify(i?.findings.map((f) => f.advice))).not.toMatch(/more memory or swap, or/);
});

test("where HighMem was short too, or the request may use it, it is the machine", async () => {
  for (const text of [lowmem("0xd0", 4_000), lowmem("0x200da", 4_000)])
    expect((await oomOf(text))?.cause).toMatch(/^The machine was really out of memory/);
});

test("where the first line is lost the machine was short only if nobody would have got a page", async () => {
  /** HighMem with so many pages free; its high mark are 150. Below it 120 pages are free, and 225 kept for others. */
  const text = (free: number): string =>
    killed({
      mask: "0xcc0(GFP_KERNEL)",
      constraint: "CONSTRAINT_NONE",
      zones: [
        { blocks: [120], high: 300, managed: 40_000, reserve: [0, 225] },
        { name: "HighMem", blocks: [free], managed: 900_000 },
      ],
    })["kern.log"] ?? "";
  const headless = (free: number): string => text(free).split("\n").slice(1).join("\n");
  const scope = async (log: string) => {
    const i = await oomOf(log);
    const open = /^The OOM killer ran; the report does not say/.test(i?.cause ?? "");
    return [findingOf(i?.findings ?? [], "oom.scope")?.answer, open];
  };
  expect(await scope(headless(150))).toEqual(["yes", false]);
  expect(await scope(headless(151))).toEqual(["unknown", true]);
  for (const lost of [
    /HighMem free:\d+kB/,
    /(?<=HighMem .*)high:\d+kB/,
    /^.*HighMem free.*\n/m,
    /(?<=Normal .*)high:\d+kB/,
  ])
    expect(await scope(headless(150).replace(lost, "HighMem")), String(lost)).toEqual(["unknown", true]);
  // 300 kB and 225 pages are 300 pages.
  expect(await scope(headless(150).replaceAll("free:480kB", "free:1200kB").replace("free:270", "free:450"))).toEqual([
    "yes",
    false,
  ]);
  expect(await scope(headless(150).replaceAll("free:480kB", "free:1204kB").replace("free:270", "free:451"))).toEqual([
    "unknown",
    true,
  ]);
  // The mask alone confines it; without one, and without an order for a request that any zone may serve, nothing is known.
  expect(await scope(text(200_000).replace(", order=0", ""))).toEqual(["no", false]);
  expect(await scope(text(200_000).replace(/gfp_mask=0x[^,]+, /, ""))).toEqual(["unknown", true]);
  const any = text(200_000).replace("0xcc0(GFP_KERNEL)", "0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP)");
  expect(await scope(any.replace(", order=0", ""))).toEqual(["unknown", true]);
});

test("what the zones beside had is told from all of their numbers", async () => {
  const said = async (highFree: number, lost: RegExp) => {
    const i = await oomOf(lowmem("0xd0", highFree).replace(lost, ""));
    return findingOf(i?.findings ?? [], "oom.scope")?.claim ?? "";
  };
  // At the high mark of HighMem it was short too.
  expect(await said(17_920, /never/)).toMatch(/^The machine was really out of memory/);
  expect(await said(17_924, /never/)).toMatch(/^The machine was not out of memory: 17\.5 MiB were free in HighMem/);
  expect(await said(17_924, /high:17920kB /)).toMatch(/the report does not say how much the others had/);
  const slab = / The kernel's own slab holds/;
  expect(await said(17_924, /never/)).toMatch(slab);
  for (const lost of [/slab_reclaimable:759992kB /, /slab_unreclaimable:47936kB /, /present:885944kB /])
    expect(await said(17_924, lost), String(lost)).not.toMatch(slab);
});

test("huge pages are counted beside the counters", async () => {
  const uncounted = async (huge: number) => {
    const i = await oomOf(
      killed({
        constraint: "CONSTRAINT_NONE",
        zones: [{ blocks: [20], managed: 40_000 }],
        more: { ram: 30_000, totals: { active_anon: 5000 } },
      })["kern.log"]?.replace(/hugepages_total=0/, `hugepages_total=${huge}`) ?? "",
    );
    return findingOf(i?.findings ?? [], "oom.kernel_memory");
  };
  const counted = 5000 + 600 + 10 + 20 + 575 + 700 + 15 + 20;
  const words = (pages: number): string => size(pages * 4096);
  expect((await uncounted(0))?.claim).toContain(words(30_000 - counted));
  // Of 2 MiB each.
  expect((await uncounted(10))?.claim).toContain(words(30_000 - counted - 10 * 512));
  expect(await uncounted(50)).toMatchObject({ answer: "no" });
});

test("a request for DMA memory alone says nothing of the machine", async () => {
  const i = await oomOf(lowmem("0xd1", 0, false));
  expect(findingOf(i?.findings ?? [], "oom.scope")).toMatchObject({ answer: "unknown" });
  expect(i?.cause).toMatch(/\(DMA\) ran out of memory; the report does not say how much the others had/);
});

test("the killer runs for blocks of several pages too: with single pages free the machine is not out of memory", async () => {
  const killed = (order: number, zones: boolean): string =>
    `${[
      `[ 5420.1] kthreadd invoked oom-killer: gfp_mask=0x24000c0, order=${order}, oom_score_adj=0`,
      "[ 5420.1] CPU: 1 PID: 2 Comm: kthreadd Not tainted 4.4.0-1-amd64 #1",
      "[ 5420.1] Call Trace:",
      "[ 5420.1]  [<ffffffff8117e8a1>] ? out_of_memory+0x141/0x4c0",
      "[ 5420.1]  [<ffffffff811836a9>] ? __alloc_pages_nodemask+0xb39/0xcd0",
      ...(zones
        ? [
            "[ 5420.1] Mem-Info:",
            "[ 5420.1] active_anon:12000 inactive_anon:3000 isolated_anon:0",
            "[ 5420.1]  active_file:300200 inactive_file:680223 isolated_file:0",
            "[ 5420.1]  unevictable:0 dirty:0 writeback:0 unstable:0",
            "[ 5420.1]  slab_reclaimable:190000 slab_unreclaimable:12000",
            "[ 5420.1]  mapped:3000 shmem:100 pagetables:400 bounce:0",
            "[ 5420.1]  free:100000 free_pcp:0 free_cma:0",
            "[ 5420.1] Node 0 Normal free:400000kB min:42000kB low:52000kB high:62000kB active_anon:24000kB inactive_anon:6000kB active_file:600800kB inactive_file:1420892kB unevictable:0kB isolated(anon):0kB isolated(file):0kB present:5120000kB managed:4915200kB mlocked:0kB dirty:0kB writeback:0kB mapped:12000kB shmem:400kB slab_reclaimable:380000kB slab_unreclaimable:24000kB kernel_stack:0kB pagetables:800kB unstable:0kB bounce:0kB free_pcp:0kB local_pcp:0kB free_cma:0kB writeback_tmp:0kB pages_scanned:0 all_unreclaimable? no",
            "[ 5420.1] lowmem_reserve[]: 0 0",
            "[ 5420.1] Node 0 Normal: 50000*4kB (UME) 25000*8kB (UME) 0*16kB 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB 0*2048kB 0*4096kB = 400000kB",
            "[ 5420.1] 1280000 pages RAM",
            "[ 5420.1] 63381 pages reserved",
          ]
        : []),
      "[ 5420.1] Out of memory: Kill process 1800 (firefox) score 23 or sacrifice child",
      "[ 5420.1] Killed process 1800 (firefox) total-vm:100kB, anon-rss:20kB, file-rss:0kB",
    ].join("\n")}\n`;
  const scope = async (order: number, zones: boolean) =>
    findingOf((await oomOf(killed(order, zones)))?.findings ?? [], "oom.scope")?.answer;
  expect(await scope(2, true)).toBe("no");
  expect(await scope(2, false)).toBe("unknown");
  expect(await scope(0, false)).toBe("yes");
  const i = await oomOf(killed(2, true));
  expect(i?.cause).toMatch(/^The OOM killer ran for a block of order 2 .*fragmented, not used up/);
  expect(JSON.stringify(i?.findings.map((f) => f.advice))).not.toMatch(/more memory or swap/);
});

describe("what a cgroup at its limit holds (mm/memcontrol.c of 6.1: memory.stat, bytes)", () => {
  const killed = (
    stat: string,
  ): string => `[ 3000.000001] nginx invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
[ 3000.000002] CPU: 0 PID: 99 Comm: nginx Not tainted 6.1.0 #1
[ 3000.000003] memory: usage 524288kB, limit 524288kB, failcnt 1234
[ 3000.000005] Memory cgroup stats for /docker/abc:
${stat}[ 3000.000010] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=abc,mems_allowed=0,oom_memcg=/docker/abc,task_memcg=/docker/abc,task=nginx,pid=99,uid=0
[ 3000.000011] Memory cgroup out of memory: Killed process 99 (nginx) total-vm:400760kB, anon-rss:100000kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:112kB oom_score_adj:0
`;
  const claims = async (stat: string): Promise<string[]> =>
    (await explain({ log: killed(stat) })).incidents.flatMap((i) =>
      i.findings.filter((f) => f.id === "oom.cgroup_use").map((f) => f.claim),
    );
  const line = (text: string): string => `[ 3000.000006] ${text}\n`;
  test("tmpfs is part of the file pages and counted once; packets in sockets are named", async () => {
    const stat = ["anon 104857600", "file 314572800", "kernel 10485760", "sock 104857600", "shmem 209715200"];
    expect(await claims(stat.map(line).join(""))).toEqual([
      expect.stringMatching(
        /200 MiB shared memory and tmpfs, 100 MiB anonymous.*100 MiB file cache without them, 100 MiB packets in sockets and 10 MiB the kernel's.*not read/,
      ),
    ]);
  });
  test("few packets are no matter; what is not printed is not told", async () => {
    const [said] = await claims(line("anon 524288000") + line("sock 4096"));
    expect(said).toBe(
      "The cgroup's own counters: 500 MiB anonymous memory of its programs and 4 KiB packets in sockets.",
    );
    expect(await claims("")).toEqual([]);
  });
});

test("on 32 bits a request for kernel memory says nothing of the machine, unless the zones do", async () => {
  const killed = (mask: string): string =>
    [
      `[  321.1] dhcpd invoked oom-killer: gfp_mask=${mask}, order=0, oom_score_adj=-900`,
      "[  321.1] CPU: 2 PID: 467 Comm: dhcpd Tainted: PO 4.1.10 #1",
      "[  321.1] Backtrace:",
      "[  321.1] [<c0139d08>] (out_of_memory) from [<c013f734>] (__alloc_pages_nodemask+0x960/0xa2c)",
      "[  321.1] [<c013edd4>] (__alloc_pages_nodemask) from [<c013f820>] (__get_free_pages+0x20/0x3c)",
      "",
    ].join("\n");
  const scope = async (mask: string) => findingOf((await oomOf(killed(mask)))?.findings ?? [], "oom.scope");
  expect(await scope("0x80d0")).toMatchObject({ answer: "unknown", claim: expect.stringContaining("(low memory)") });
  expect(await scope("0x200da")).toMatchObject({ answer: "yes" });
});

test.each([
  [
    "the limit's line",
    "memory: usage 1048576kB, limit 1048576kB, failcnt 153\nmemory+swap: usage 1048576kB, limit 9007199254740988kB, failcnt 0\n",
    "memcg",
  ],
  [
    "the counters of a cgroup",
    "Memory cgroup stats for /kubepods/pod200f55f9: cache:0KB rss:613460KB inactive_anon:0KB\n",
    "memcg",
  ],
  [
    "the table of tasks",
    "Tasks state (memory values in pages):\n[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name\n[   2786]     0  2786      326      224    16384        0             0 dropbear\n",
    "unknown",
  ],
])("a report of the OOM killer without its head is told by %s", async (_, text, scope) => {
  const { incidents } = await diagnoseTexts({ log: text });
  expect(incidents.map((i) => i.kind)).toEqual(["oom"]);
  expect(findingOf(incidents[0]?.findings ?? [], "oom.scope")?.answer).toBe(scope === "memcg" ? "no" : "unknown");
});
