// The experiments of the 2018 notes, run: their bug appears where they had it, and the table tells the three solutions apart.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BadInput } from "../base/bad_input.ts";
import { pagePoolKinds } from "../scenario/page_pool_kinds.ts";
import { readScenario } from "../scenario/read.ts";
import type { DesignResult } from "./page_pool_run.ts";
import { designNames, runCopy, runMulticast, runTcp } from "./page_pool_run.ts";

const root = join(import.meta.dirname, "../..");
const common = { packets: 600, frameBytes: 1514, ringSize: 128, designs: designNames };
const byName = (results: readonly DesignResult[]): Record<string, DesignResult> =>
  Object.fromEntries(results.map((r) => [r.design, r]));
const clean = { leaked: 0, corrupted: 0, dmaFaults: 0, inFlightAtEnd: 0, said: [] };

describe("a copy of every packet", () => {
  const found = byName(runCopy({ ...common, copy: "both" }));

  test("mem_info in the header region: every copy puts foreign memory into the pool, and the count goes below zero by as many", () => {
    const r = found["in-header"];
    expect(r?.corrupted).toBeGreaterThanOrEqual(600);
    expect(r?.wrong[0]).toMatch(/slab page .*\(600 times\)/);
    expect(r?.inFlightAtEnd).toBe(-600);
    expect(r?.said.some((s) => s.startsWith("Negative(-600)"))).toBe(true);
  });

  test("after head_frag, and with the pp_recycle bit: nothing is wrong", () => {
    for (const name of designNames.filter((n) => n !== "in-header"))
      expect(found[name]).toMatchObject({ ...clean, recycled: 600 });
  });
});

test("multicast: clones do no harm in any design, and every page comes home once", () => {
  for (const r of runMulticast({ ...common, sockets: 5, slowest: 8 }))
    expect(r).toMatchObject({ ...clean, recycled: 600, released: 0 });
});

describe("TCP both ways", () => {
  const found = byName(runTcp({ ...common, readEvery: 16, ackEvery: 2 }));

  test("coalescing that knows nothing of pools loses each head it takes, and the pool waits for ever", () => {
    const r = found["after-head-frag"];
    expect(r?.leaked).toBeGreaterThan(100);
    expect(r?.inFlightAtEnd).toBe(r?.leaked);
    expect(r?.said[0]).toMatch(/stalled pool shutdown \d+ inflight 60 sec/);
  });

  test("release gives the same pages up, frag_list and refuse keep them all: they cost memory instead", () => {
    const { "coalesce-release": release, "coalesce-frag-list": list, "coalesce-refuse": refuse } = found;
    for (const r of [release, list, refuse]) expect(r).toMatchObject(clean);
    expect(release?.released).toBe(found["after-head-frag"]?.leaked);
    expect([list?.released, refuse?.released, refuse?.coalesced]).toEqual([0, 0, 0]);
    expect(list?.memoryPerPacket).toBeGreaterThan(release?.memoryPerPacket as number);
    expect(refuse?.memoryPerPacket).toBeGreaterThan(list?.memoryPerPacket as number);
  });

  test("6.1 coalesces as much as `release` and recycles every page", () => {
    const r = found["pp-recycle"];
    expect(r).toMatchObject({
      ...clean,
      coalesced: found["coalesce-release"]?.coalesced,
      released: 0,
      recycled: r?.packets,
    });
  });

  test("a run is a function of its settings", () => {
    expect(runTcp({ ...common, readEvery: 16, ackEvery: 2 })).toEqual(Object.values(found));
  });
});

test("jumbo frames: fragments leave by unmapping in 2018, and stay the pool's in 6.1", () => {
  const found = byName(runMulticast({ ...common, frameBytes: 9000, packets: 100, sockets: 2, slowest: 4 }));
  expect(found["after-head-frag"]).toMatchObject({ ...clean, recycled: 100, released: 200 });
  expect(found["pp-recycle"]).toMatchObject({ ...clean, recycled: 300, released: 0 });
});

describe("scenario files", () => {
  const complaint = (text: string): string => {
    try {
      readScenario("x.yaml", text);
    } catch (error) {
      if (error instanceof BadInput) return error.sentence();
      throw error;
    }
    return "none";
  };

  test.each(readdirSync(join(root, "scenarios")).filter((f) => f.startsWith("page-pool-")))("%s can run", (file) => {
    const { kind, settings } = readScenario(file, readFileSync(join(root, "scenarios", file), "utf8"));
    expect(kind.run({ ...(settings as object), packets: 50 })).toBeInstanceOf(Array);
  });

  test("a wrong key, kind, choice or number is named with its place and the nearest right one", () => {
    expect(complaint("kind: page-pool-tpc\n")).toBe(
      'x.yaml:1:7: There is no kind of scenario "page-pool-tpc". Did you mean "page-pool-tcp"?',
    );
    expect(complaint("kind: page-pool-tcp\npackts: 5\n")).toBe(
      'x.yaml:2:1: A scenario of kind page-pool-tcp has no "packts". Did you mean "packets"?',
    );
    expect(complaint("kind: page-pool-tcp\ndesigns:\n  - pp-recycle\n  - in-heder\n")).toMatch(
      /^x\.yaml:4:5: "designs\.1" cannot be "in-heder"\./,
    );
    expect(complaint("kind: page-pool-tcp\npackets: -1\n")).toMatch(/^x\.yaml:2:10: "packets": /);
    expect(complaint("kind: [a\n")).toMatch(/^x\.yaml:\d+:\d+: This is not YAML/);
    expect(complaint("- a\n")).toMatch(/Begin with `kind/);
    expect(complaint("packets: 5\n")).toMatch(/has no `kind`/);
  });
});

test("pool size: what the slowest socket holds back comes home only if the pool's ring has room for it", () => {
  const kind = pagePoolKinds.find((k) => k.kind === "page-pool-multicast");
  const measured = [16, 128, 512].map((poolSize) =>
    kind?.measure?.(
      kind.run(kind.schema.parse({ designs: ["pp-recycle"], packets: 1500, ringSize: 64, slowest: 400, poolSize })),
    ),
  );
  const [small, middle, large] = measured.map((m) => m?.["released"] ?? Number.NaN);
  expect(small).toBeGreaterThan(middle as number);
  expect(middle).toBeGreaterThan(large as number);
  expect(large).toBe(0);
  for (const m of measured) expect([m?.["leaked"], m?.["corrupted"]]).toEqual([0, 0]);
});
