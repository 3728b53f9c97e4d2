// What proves that nothing of a part is missing, on both sides: with it, and with one line less.
import { describe, expect, test } from "vitest";
import { ordersPart } from "./buddyinfo.ts";
import type { MemInfo, MemZone } from "./mem_info.ts";
import { cpusPart, nodesPart, zonesGone } from "./mem_info_extent.ts";
import type { PageTypeInfo } from "./pagetypeinfo.ts";
import { rowsPart } from "./pagetypeinfo.ts";
import type { Part } from "./part.ts";
import { every, none, nothingMissing, whole } from "./part.ts";
import { taintPart } from "./process_line.ts";
import type { SlabCorruption } from "./slab_corruption.ts";
import { redzonePart } from "./slab_corruption.ts";
import type { SlabFailure } from "./slab_failure.ts";
import { cgroupsPart, slabNodesPart } from "./slab_failure.ts";
import { zoneCountersPart } from "./vmstat.ts";

const lacks = (part: Part<unknown>): string | undefined =>
  part.state === "cut" || part.state === "lost" ? part.lacks : undefined;

const zone = (node: number, name: string, reserve: readonly number[]): MemZone => ({
  node,
  name,
  kb: { free: 400, min: 40 },
  lowmemReserve: reserve,
});
const memInfo = (of: Partial<MemInfo>): MemInfo => ({
  namesNodes: true,
  perCpu: [],
  totals: {},
  nodes: [],
  zones: [],
  hugePages: [],
  tail: {},
  ...of,
});

describe("Mem-Info", () => {
  test("reserves that rise tell of a zone above; a node's line of zones that are gone", () => {
    const [dma, normal] = [zone(0, "DMA", [0, 900, 900]), zone(0, "Normal", [0, 0, 0])];
    expect(zonesGone(memInfo({ zones: [dma, normal] }))).toBeUndefined();
    expect(zonesGone(memInfo({ zones: [dma] }))).toMatch(/a zone above DMA/);
    expect(zonesGone(memInfo({ zones: [] }))).toBe("the zone lines");
    const nodes = [0, 1].map((node) => ({ node, kb: {} }));
    expect(zonesGone(memInfo({ zones: [dma, normal], nodes }))).toBe("the zones of node 1");
  });

  test("lines of nodes are whole with one for each node that has a zone", () => {
    const zones = [zone(0, "Normal", [0, 0]), zone(1, "Normal", [0, 0])];
    const nodes = [0, 1].map((node) => ({ node, kb: { anon_thp: 4 } }));
    expect(nothingMissing(nodesPart(memInfo({ zones, nodes })))).toBeDefined();
    expect(lacks(nodesPart(memInfo({ zones, nodes: nodes.slice(1) })))).toBe("the line of node 0");
    expect(lacks(nodesPart(memInfo({ zones })))).toBe("the lines of the nodes");
  });

  test("CPUs are known where two zones name the same", () => {
    const list = { high: 0, batch: 1 };
    const of = (...cpus: number[]) => ({ node: 0, zone: "", cpus: cpus.map((cpu) => ({ cpu, hot: list })) });
    const cpus = (...perCpu: MemInfo["perCpu"]) => cpusPart(memInfo({ perCpu }));
    expect(cpus(of(0, 1), of(0, 1))).toMatchObject({ state: "whole", value: [0, 1] });
    for (const cut of [[of(0, 1), of(0)], [of(0, 1)], [of(1, 2), of(1, 2)]])
      expect(lacks(cpus(...cut))).toBe("lines of the per-CPU lists");
  });
});

describe("the slab allocators' lines", () => {
  const failure: SlabFailure = { allocator: "SLUB", node: -1, gfp: { mask: 0x20 }, form: "comma", nodes: [] };
  test("a cache of which the line is there has a cgroup or has none", () => {
    expect(none(cgroupsPart({ ...failure, cache: "kmalloc-1k" }), () => true)).toBeDefined();
    expect(none(cgroupsPart({ ...failure, cache: "kmalloc-1k", memcg: "7:a" }), () => true)).toBeUndefined();
    expect(lacks(cgroupsPart(failure))).toBe("the line of the cache");
  });

  test("nodes are all there where each node of the zones has its line", () => {
    const nodes = [0, 1].map((node) => ({ node, slabs: 4, objects: 8, free: 0 }));
    const two = whole([0, 1], "the zones are whole");
    const full = (s: SlabFailure) => every(slabNodesPart(s, two), (n) => n.free === 0);
    expect(full({ ...failure, nodes })).toBeDefined();
    expect(full({ ...failure, nodes: nodes.slice(0, 1) })).toBeUndefined();
    expect(lacks(slabNodesPart({ ...failure, nodes: nodes.slice(0, 1) }, two))).toBe("the line of node 1");
  });

  test("a guard zone is whole with the rows of every byte that changed", () => {
    const row = (address: string, length: number) => ({ area: "Redzone", address, bytes: Array(length).fill(0xbb) });
    const report = (...dump: SlabCorruption["dump"]): SlabCorruption => ({
      cache: "kmalloc-64",
      problem: "Right Redzone overwritten",
      overwritten: { from: "0xffff888003c41018", to: "0xffff888003c41037", found: 0xbb, expected: 0xcc },
      dump,
      fixes: [],
    });
    const [first, second] = [row("ffff888003c41018", 16), row("ffff888003c41028", 16)];
    expect(nothingMissing(redzonePart(report(first, second)))).toBeDefined();
    expect(lacks(redzonePart(report(first)))).toBe("rows of the dump of the guard zone");
    expect(lacks(redzonePart(report(second)))).toBe("rows of the dump of the guard zone");
    expect(lacks(redzonePart(report(first, row("ffff888003c41028", 15))))).toBe("rows of the dump of the guard zone");
    expect(lacks(redzonePart(report()))).toBe("the dump of the guard zone");
  });
});

test("taint letters that are there are all there", () => {
  const hurt = (letter: string): boolean => letter === "B";
  expect(none(taintPart({ taint: "Tainted: G        W  O      " }), hurt)).toBeDefined();
  expect(none(taintPart({ taint: "Not tainted" }), hurt)).toBeDefined();
  expect(none(taintPart({ taint: "Tainted: G    B             " }), hurt)).toBeUndefined();
  expect(lacks(taintPart({}))).toBe("the taint letters");
});

describe("/proc", () => {
  test("counters by zone are whole where their neighbors name the same zones", () => {
    const of = (family: string, ...zones: string[]) => zones.map((z) => [`${family}_${z}`, 0] as const);
    const part = (...counters: (readonly [string, number])[]) =>
      zoneCountersPart({ kind: "vmstat", counters }, "allocstall");
    const all = ["dma32", "normal", "movable"];
    expect(part(...of("pgalloc", ...all), ...of("allocstall", ...all)).state).toBe("whole");
    expect(part(["allocstall", 0]).state).toBe("whole");
    expect(part(...of("pgalloc", ...all), ...of("allocstall", "dma32", "normal")).state).toBe("cut");
    expect(part(...of("allocstall", ...all)).state).toBe("cut");
    expect(part(...of("pgalloc", ...all)).state).toBe("lost");
  });

  test("a line of buddyinfo is whole with all orders, or with the pages that the zone has free", () => {
    const line = (...free: number[]) => ({ node: 0, zone: "Normal", free });
    expect(ordersPart(line(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), undefined).state).toBe("whole");
    expect(ordersPart(line(100, 50, 25), undefined).state).toBe("cut");
    expect(ordersPart(line(100, 50, 25), 300).state).toBe("whole");
    expect(ordersPart(line(100, 50, 25), 365).state).toBe("cut");
  });

  test("rows of pagetypeinfo are whole with one for each type that the second section names", () => {
    const row = (type: string) => ({ node: 0, zone: "Normal", type, free: [{ blocks: 1, more: false }] });
    const info: PageTypeInfo = {
      kind: "pagetypeinfo",
      orders: 1,
      free: [row("Unmovable"), row("Movable")],
      types: ["Unmovable", "Movable"],
      blocks: [{ node: 0, zone: "Normal", blocks: [1, 1] }],
    };
    expect(rowsPart(info).state).toBe("whole");
    expect(lacks(rowsPart({ ...info, free: info.free.slice(1) }))).toBe("rows of zone Normal of node 0");
    expect(rowsPart({ ...info, orders: 2 }).state).toBe("cut");
    expect(rowsPart({ ...info, types: [], blocks: [] }).state).toBe("cut");
  });
});
