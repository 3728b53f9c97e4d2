// Printers and readers side by side: a state of the model, printed in the form of a release, reads back equal, and the form alone dates it.
import { describe, expect, test } from "vitest";
import type { Prng } from "../../../base/prng.ts";
import { prng } from "../../../base/prng.ts";
import { gfpCombination, gfpEraAt, gfpMask } from "../../../kernel/facts/gfp.ts";
import { failureLineForms, slabFailureForms } from "../../../kernel/facts/report_formats.ts";
import type { AllocFailure } from "../../../kernel/readings/alloc_failure.ts";
import type { BadPage } from "../../../kernel/readings/bad_page.ts";
import type { CallTrace, Frame } from "../../../kernel/readings/call_trace.ts";
import type { MemInfo, MemZone } from "../../../kernel/readings/mem_info.ts";
import type { Oom } from "../../../kernel/readings/oom.ts";
import type { ProcessLine } from "../../../kernel/readings/process_line.ts";
import type { SlabFailure } from "../../../kernel/readings/slab_failure.ts";
import { compareVersions, factAt } from "../../../kernel/release.ts";
import { printAllocFailure, printGfp } from "./alloc_failure_print.ts";
import { printBadPage } from "./bad_page.ts";
import { completeMemInfo } from "./complete_mem_info.ts";
import { inferRelease } from "./infer_release.ts";
import { printOom } from "./oom_print.ts";
import { plainLines } from "./plain_lines.ts";
import { readIncidents } from "./read_incidents.ts";

const releases: readonly (readonly [string, readonly number[]])[] = [
  ["2.6.9", [2, 6, 9]],
  ["2.6.18", [2, 6, 18]],
  ["2.6.24", [2, 6, 24]],
  ["2.6.29", [2, 6, 29]],
  ["2.6.32", [2, 6, 32]],
  ["3.0", [3, 0]],
  ["3.13", [3, 13]],
  ["4.4", [4, 4]],
  ["4.9", [4, 9]],
  ["4.14", [4, 14]],
  ["4.19", [4, 19]],
  ["5.4", [5, 4]],
  ["5.10", [5, 10]],
  ["5.15", [5, 15]],
  ["6.1", [6, 1]],
  ["6.6", [6, 6]],
  ["6.8", [6, 8]],
  ["6.12", [6, 12]],
  ["6.14", [6, 14]],
  ["6.18", [6, 18]],
  ["6.19", [6, 19]],
  ["7.2", [7, 2]],
];

const since = (version: readonly number[], date: readonly number[]): boolean => compareVersions(version, date) >= 0;

function randomZone(p: Prng, version: readonly number[], node: number, name: string): MemZone {
  const letters = ["U", "M", "E", "UM", "UME", "C", ...(since(version, [4, 4]) ? ["H", "UMEH"] : ["R", "UMER"])];
  const blocks = Array.from({ length: 11 }, (_, order) => {
    const count = p.chance(0.4) ? 0 : p.below(5000);
    return { order, count, ...(count === 0 ? {} : { types: p.pick(letters) }) };
  });
  const kb = {
    free: p.below(1 << 24),
    min: p.below(70_000),
    low: p.below(90_000),
    high: p.below(110_000),
    present: p.below(1 << 26),
    managed: p.below(1 << 26),
    reserved_highatomic: 4 * p.below(4096),
    boost: p.below(9999),
  };
  return {
    node,
    name,
    kb,
    pagesScanned: p.below(99),
    allUnreclaimable: p.chance(0.2),
    lowmemReserve: [0, p.below(9999), p.below(9999), p.below(9999)],
    freeLists: { blocks },
  };
}

function randomState(p: Prng, version: readonly number[]): MemInfo {
  const nodes = p.chance(0.5) ? 1 : 2;
  const zones = Array.from({ length: nodes }, (_, node) =>
    ["DMA", "DMA32", "Normal"].map((name) => randomZone(p, version, node, name)),
  ).flat();
  const list = (): { low: number; high: number; batch: number; used: number } => ({
    low: p.below(9),
    high: p.below(400),
    batch: p.below(64),
    used: p.below(400),
  });
  return {
    namesNodes: nodes > 1 || p.chance(0.5),
    perCpu: zones.map((z) => ({
      node: z.node,
      zone: z.name,
      cpus: [0, 1, 2, 3].map((cpu) => ({ cpu, hot: list(), cold: list() })),
    })),
    totals: {
      active_anon: p.below(99_999),
      free: p.below(99_999),
      slab_unreclaimable: p.below(99_999),
      free_pcp: p.below(999),
      pagetables: p.below(999),
    },
    freePagesKb: { free: p.below(1 << 22), highMem: 0 },
    nodes: [
      {
        node: 0,
        kb: { mapped: p.below(9999), Balloon: p.below(9999), gpu_active: p.below(9999), gpu_reclaim: p.below(9999) },
        allUnreclaimable: p.chance(0.5),
      },
    ],
    zones,
    hugePages: [{ node: 0, total: 0, free: 0, surplus: 0, sizeKb: 2048 }],
    tail: {
      "total pagecache pages": p.below(99_999),
      "pages in swap cache": p.below(99),
      "pages RAM": p.below(1 << 22),
      "pages reserved": p.below(1 << 16),
    },
    swapCache: {
      add: p.below(99),
      delete: p.below(99),
      find: p.below(99),
      findTotal: p.below(99),
      race: [p.below(9), p.below(9)],
    },
    freeSwapKb: p.below(1 << 20),
    totalSwapKb: p.below(1 << 20),
    protectedKb: { min: p.below(9999), low: p.below(9999) },
    ...(since(version, [6, 10]) && p.chance(0.3)
      ? {
          allocations: [{ size: "12.5 MiB", calls: p.below(9999), place: "mm/slub.c:2425 func:alloc_slab_page" }],
          ...(since(version, [7, 2]) ? { allocationProfiling: p.pick(["on", "off"]) } : {}),
        }
      : {}),
  };
}

function randomTrace(p: Prng, version: readonly number[]): CallTrace {
  const form = since(version, [4, 10]) ? "plain" : since(version, [2, 6, 18]) ? "bracketed" : "braced";
  const names = [
    "__kmalloc_node_track_caller",
    "__alloc_skb",
    "__netdev_alloc_skb",
    "e1000_alloc_rx_buffers",
    "net_rx_action",
    "do_softirq",
  ];
  const items = names.map((name): Frame => {
    const size = 1 + p.below(0x4000);
    return {
      kind: "frame",
      function: name,
      offset: p.below(size),
      ...(form === "braced" ? {} : { size }),
      ...(name.startsWith("e1000") ? { module: "e1000" } : {}),
      reliable: form === "braced" || p.chance(0.8),
      ...(form === "plain" ? {} : { address: `ffffffff8${p.below(0xfffffff).toString(16).padStart(7, "0")}` }),
    };
  });
  return { form, heading: "Call Trace:", items };
}

const names = [
  "swapper",
  "swapper/3",
  "kworker/u16:3",
  "AwsEventLoop 4",
  "z_wr_iss/0",
  "ksoftirqd/1",
  "a: b",
  "Web Content",
];

function randomProcess(p: Prng, version: readonly number[], comm: string): ProcessLine {
  const named = since(version, [6, 11]);
  return {
    ...(since(version, [3, 10]) ? { cpu: p.below(64) } : {}),
    ...(since(version, [6, 11]) ? { uid: p.below(1000) } : {}),
    pid: p.below(32768),
    comm,
    ...p.pick([
      { taint: "Not tainted" },
      { taint: "Tainted: G           O      ", ...(named ? { taintNames: "[O]=OOT_MODULE" } : {}) },
      { taint: "Tainted: P      D W        ", ...(named ? { taintNames: "[P]=PROPRIETARY_MODULE, [D]=DIE" } : {}) },
    ]),
    release: `${version.join(".")}-17-generic`,
    build: "#1",
  };
}

function randomSlab(p: Prng, version: readonly number[]): SlabFailure {
  const mask = gfpCombination("GFP_ATOMIC", version) ?? 0x20;
  const form = factAt(slabFailureForms, version)?.value ?? "parentheses";
  return {
    allocator: "SLUB",
    node: -1,
    gfp: { mask, ...(form === "comma" ? { names: "GFP_ATOMIC" } : {}) },
    form,
    cache: "kmalloc-2048",
    ...(p.chance(0.3) ? { memcg: "1793:docker-0a" } : {}),
    objectSize: 2048,
    bufferSize: 2048,
    defaultOrder: 3,
    minOrder: 0,
    nodes: [{ node: 0, slabs: p.below(999), objects: p.below(9999), free: p.below(99) }],
  };
}

function randomFailure(p: Prng, version: readonly number[]): AllocFailure {
  const era = gfpEraAt(version);
  const mask =
    ((gfpCombination("GFP_ATOMIC", version) ?? 0x20) | (era === undefined ? 0 : (gfpMask("COMP", era) ?? 0))) >>> 0;
  const form = factAt(failureLineForms, version)?.value;
  const named = form === "names" || form === "nodemask" || form === "one line";
  const comm = p.pick(names);
  const cpuset = since(version, [4, 11]) && p.chance(0.5);
  return {
    variant: "page",
    comm,
    separator: form === "full stop" ? "." : ":",
    order: p.below(11),
    gfp: { mask, ...(named ? { names: printGfp({ mask }, version).replace(/^.*\(|\)$/g, "") } : {}) },
    ...(since(version, [4, 11]) ? { nodemask: "(null)" } : {}),
    ...(cpuset
      ? { cpuset: "/", memsAllowed: "0-1", ...(since(version, [5, 0]) ? {} : { cpusetOnOwnLine: true }) }
      : {}),
    process: randomProcess(p, version, comm),
    trace: randomTrace(p, version),
    memInfo: completeMemInfo(randomState(p, version), version),
    ...(since(version, [2, 6, 31]) && p.chance(0.5) ? { slab: randomSlab(p, version) } : {}),
  };
}

describe.each(releases)("a failure in the form of %s", (_name, version) => {
  test("reads back equal (seeds 1 to 20), every line of it is used", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const failure = randomFailure(prng(seed), version);
      const text = printAllocFailure(failure, version).join("\n");
      const { incidents, notes } = readIncidents(plainLines(text));
      expect(
        incidents.map((i) => i.kind),
        `seed ${seed}`,
      ).toEqual(["alloc_failure"]);
      expect(incidents[0]?.reading, `seed ${seed}\n${text}`).toEqual(failure);
      expect(notes, `seed ${seed}`).toEqual([]);
      expect(incidents[0]?.lastLine).toBe(text.split("\n").length);
    }
  });

  test("is dated by its form alone: the release lies within the inferred bounds (seeds 21 to 30)", () => {
    for (let seed = 21; seed <= 30; seed++) {
      const failure = randomFailure(prng(seed), version);
      const { release: _release, build: _build, ...process } = failure.process ?? {};
      const text = printAllocFailure({ ...failure, process }, version).join("\n");
      const verdict = inferRelease(readIncidents(plainLines(text)).incidents);
      expect(verdict.certainty).toBe("inferred");
      expect(verdict.backport?.sentence, text).toBeUndefined();
      if (verdict.since !== undefined)
        expect(compareVersions(version, verdict.since), verdict.release).toBeGreaterThanOrEqual(0);
      if (verdict.until !== undefined)
        expect(
          compareVersions(version.slice(0, verdict.until.length), verdict.until),
          verdict.release,
        ).toBeLessThanOrEqual(0);
    }
  });

  test("two reports without a blank line between them stay two", () => {
    const [a, b] = [randomFailure(prng(31), version), randomFailure(prng(32), version)];
    const text = [...printAllocFailure(a, version), ...printAllocFailure(b, version)].join("\n");
    expect(readIncidents(plainLines(text)).incidents.map((i) => i.reading)).toEqual([a, b]);
  });
});

function randomOom(p: Prng, version: readonly number[]): Oom {
  const mask = gfpCombination("GFP_KERNEL", version) ?? 0xd0;
  const named = since(version, [4, 6]);
  const comm = p.pick(["dd", "my java", "kworker/0:1"]);
  const modern = since(version, [4, 19]);
  const columns = modern
    ? ["pid", "uid", "tgid", "total_vm", "rss", "pgtables_bytes", "swapents", "oom_score_adj", "name"]
    : since(version, [2, 6, 36])
      ? ["pid", "uid", "tgid", "total_vm", "rss", "nr_ptes", "swapents", "oom_score_adj", "name"]
      : ["pid", "uid", "tgid", "total_vm", "rss", "cpu", "oom_adj", "name"];
  const tasks = Array.from({ length: p.below(6) }, (_, i) => ({
    pid: 100 + i,
    name: p.pick(["sshd", "Web Content", "a [b]"]),
    columns: Object.fromEntries(columns.slice(1, -1).map((c) => [c, p.below(100_000)])),
  }));
  const kb = { "total-vm": p.below(1 << 22), "anon-rss": p.below(1 << 22), "file-rss": p.below(99) };
  const sizes = Object.entries(kb)
    .map(([k, v]) => `${k}:${v}kB`)
    .join(", ");
  return {
    comm,
    gfp: { mask, ...(named ? { names: "GFP_KERNEL" } : {}) },
    order: p.below(3),
    scoreAdj: p.below(1000),
    ...(since(version, [4, 11]) && !since(version, [5, 0]) ? { nodemask: "(null)" } : {}),
    ...(since(version, [5, 0]) ? {} : { cpuset: "/", memsAllowed: "0" }),
    process: randomProcess(p, version, comm),
    trace: randomTrace(p, version),
    memInfo: completeMemInfo(randomState(p, version), version),
    taskColumns: columns,
    tasks,
    ...(since(version, [5, 0])
      ? { summary: { constraint: "CONSTRAINT_NONE", nodemask: "(null)", task: "dd", pid: "5", uid: "0" } }
      : {}),
    scope: "machine",
    victim: { pid: 5, comm: "dd", kb, text: `Out of memory: Killed process 5 (dd) ${sizes}` },
    outcome: "killed",
  };
}

describe.each(releases.filter(([, v]) => since(v, [2, 6, 31])))("an OOM report in the form of %s", (_name, version) => {
  test("reads back equal, every line of it is used (seeds 41 to 50)", () => {
    for (let seed = 41; seed <= 50; seed++) {
      const oom = randomOom(prng(seed), version);
      const text = printOom(oom, version).join("\n");
      const { incidents, notes } = readIncidents(plainLines(text));
      expect(
        incidents.map((i) => i.reading),
        `seed ${seed}\n${text}`,
      ).toEqual([oom]);
      expect(notes).toEqual([]);
    }
  });
});

describe("other shapes", () => {
  test("2.4's line", () => {
    const failure: AllocFailure = { variant: "2.4", order: 3, gfp: { mask: 0x20 }, memalloc: 0 };
    const text = printAllocFailure(failure, [2, 4, 20]).join("\n");
    expect(text).toBe("__alloc_pages: 3-order allocation failed (gfp=0x20/0)");
    expect(readIncidents(plainLines(text)).incidents[0]?.reading).toEqual(failure);
  });

  test("bad pages: the page line of 2.6.24, 2.6.29, 3.13, 5.4 and 6.1 reads back", () => {
    const page: BadPage = {
      comm: "dcb",
      pfn: 0x80db,
      page: "c03d2b60",
      flags: "00044000",
      refcount: 0,
      mapcount: 0,
      mapping: "(null)",
      raw: [],
      trace: {
        form: "plain",
        heading: "Call Trace:",
        items: [{ kind: "frame", function: "bad_page", offset: 1, size: 2, reliable: true }],
      },
    };
    const { pfn: _pfn, ...old } = page;
    const cases: readonly (readonly [readonly number[], BadPage])[] = [
      [
        [2, 6, 24],
        {
          ...old,
          flagsOnPageLine: true,
          triesToFix: true,
          trace: { form: "plain", heading: "Backtrace:", items: page.trace?.items ?? [] },
        },
      ],
      [[2, 6, 29], { ...page, index: "3718", flagsOnPageLine: true }],
      [[3, 13], { ...page, index: "0x3718", flagNames: "tail|reclaim" }],
      [
        [5, 4],
        {
          ...page,
          index: "0x0",
          flagNames: "zone=1",
          raw: ["01", "02", "03", "04"].map((x) => x.padStart(16, "0")),
          reason: "nonzero mapcount",
        },
      ],
      [
        [6, 1],
        {
          ...page,
          index: "0x0",
          flagNames: "head|node=0|zone=1",
          reason: "page_pool leak",
          compound: { head: "(____ptrval____)", order: 2, text: "compound_mapcount:0 compound_pincount:0" },
        },
      ],
    ];
    for (const [version, reading] of cases) {
      const printed = printBadPage(
        version[1] === 6 && version[2] === 24
          ? { ...reading, trace: { ...(reading.trace ?? { form: "plain", items: [] }), heading: "" } }
          : reading,
        version,
      ).join("\n");
      expect(readIncidents(plainLines(printed)).incidents[0]?.reading, printed).toEqual(reading);
    }
  });
});
