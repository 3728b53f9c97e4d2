// What `skblab pools` says, on texts of a real 6.1.192 (fixtures/page_pool) and on the forms that newer kernels and drivers print.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isEmptyReading, readPools } from "../artifact/page_pool/read.ts";
import type { PoolVerdict } from "./pools.ts";
import { judgePools } from "./pools.ts";

const folder = join(import.meta.dirname, "../../fixtures/page_pool");
const judge = (...texts: string[]): PoolVerdict[] => judgePools(texts.map((text, i) => readPools(`in${i}`, text)));
const fixture = (name: string): string => readFileSync(join(folder, name), "utf8");
const patterns = (verdicts: readonly PoolVerdict[]): string[] => verdicts.map((v) => `${v.pattern}/${v.certainty}`);
const linesCited = (v: PoolVerdict | undefined): number[] =>
  v?.reasons.flatMap((r) => r.evidence.map((e) => e.line)) ?? [];

const counters = (values: Partial<Record<string, number>>, prefix = "rx"): string => {
  const names = [
    "alloc_fast",
    "alloc_slow",
    "alloc_slow_ho",
    "alloc_empty",
    "alloc_refill",
    "alloc_waive",
    "recycle_cached",
    "recycle_cache_full",
    "recycle_ring",
    "recycle_ring_full",
    "recycle_released_ref",
  ];
  return `NIC statistics:\n${names.map((n) => `     ${prefix}_pp_${n}: ${values[n] ?? 0}\n`).join("")}`;
};

describe("a stalled pool in a real log", () => {
  const [stall, bad] = judge(fixture("stall_dmesg.log"));

  test("the same seven pages after 60 s and after 120 s: held for good, with both lines as evidence", () => {
    expect(stall).toMatchObject({ pattern: "leak", certainty: "likely", inFlight: 7 });
    expect(linesCited(stall)).toEqual(expect.arrayContaining([215, 216]));
  });

  test("the log around the destroy names who destroyed it, and the log after it who brought pages back", () => {
    const texts = stall?.reasons.flatMap((r) => r.evidence.map((e) => e.text)) ?? [];
    expect(texts.some((t) => t.includes("page_pool_destroy() with 7 pages in flight"))).toBe(true);
    expect(texts.some((t) => t.includes("returning 7 pages to the destroyed pool"))).toBe(true);
  });

  test("the log does not say whether the pool ended: it ends before the next warning was due", () => {
    expect(stall?.reasons.some((r) => r.text.includes("does not say"))).toBe(true);
  });

  test("the model, asked, warns at the same seconds, and ends a second after the last page is back", () => {
    expect(stall?.reasons.map((r) => r.text)).toContain(
      "A model pool destroyed with these pages out prints the same warnings: 7 after 60 s, 7 after 120 s. It is freed 1 s after its last page comes back.",
    );
  });

  test("a warning missing from the log is noticed by asking the model", () => {
    const cut = fixture("stall_dmesg.log").replace(/.*inflight 60 sec\r?\n/, "");
    expect(judge(cut)[0]?.reasons.some((r) => r.text.includes("lines are missing"))).toBe(true);
  });

  test("bad parameters are a verdict of their own", () => {
    expect(bad).toMatchObject({ pattern: "bad parameters", certainty: "shown" });
    expect(linesCited(bad)).toEqual([213]);
  });
});

describe("stall warnings of other kernels and courses", () => {
  const warning = (at: number, id: number, pages: number, sec: number): string =>
    `[${at}.000000] page_pool_release_retry() stalled pool shutdown: id ${id}, ${pages} inflight ${sec} sec`;

  test("6.8 names the pool: two dying pools are told apart", () => {
    const verdicts = judge([warning(60, 3, 9, 60), warning(61, 4, 2, 60), warning(121, 3, 4, 121)].join("\n"));
    expect(verdicts.map((v) => [v.subject, v.pattern, v.inFlight])).toEqual([
      ["pool 3", "slow consumer", 4],
      ["pool 4", "does not say", 2],
    ]);
  });

  test("before 6.8 the pools of several queues have no name and warn in turns: told apart by their numbers and the moment of destroy", () => {
    const line = (at: number, pages: number, sec: number): string =>
      `[${at}.500000] page_pool_release_retry() stalled pool shutdown ${pages} inflight ${sec} sec`;
    const verdicts = judge(
      [line(63, 9, 60), line(63, 2, 60), line(123, 9, 120), line(123, 1, 120), line(300, 5, 60)].join("\n"),
    );
    expect(verdicts.map((v) => [v.subject, v.pattern, v.inFlight])).toEqual([
      ["stalled pool", "slow consumer", 0],
      ["stalled pool 2", "slow consumer", 0],
      ["stalled pool 3", "does not say", 5],
    ]);
    expect(verdicts[0]?.reasons[0]?.text).toContain("9, 9");
    expect(verdicts[1]?.reasons[0]?.text).toContain("2, 1");
  });

  test("no further warning in a log that goes on: the pages came back", () => {
    expect(patterns(judge(`${warning(60, 3, 9, 60)}\n[200.000000] something else`))).toEqual(["slow consumer/likely"]);
  });

  test("one warning has no direction", () => {
    expect(patterns(judge(warning(60, 3, 9, 60)))).toEqual(["does not say/possible"]);
  });

  test("a count below zero and a referenced page at home are kernel bugs", () => {
    expect(
      patterns(
        judge("[1.0] Negative(-1) inflight packet-pages\n[2.0] page_pool_empty_ring() page_pool refcnt 2 violation"),
      ),
    ).toEqual(["kernel bug/shown", "kernel bug/shown"]);
  });
});

describe("counters of real pools", () => {
  test.each([
    ["ethtool_small_ring.txt", "small ring/shown"],
    ["ethtool_shared.txt", "shared pages/shown"],
    ["ethtool_healthy.txt", "healthy/shown"],
    ["ethtool_slow.txt", "slow consumer/likely"],
  ])("%s is a %s", (name, expected) => {
    const [verdict, ...others] = judge(fixture(name));
    expect([patterns([verdict as PoolVerdict]), others]).toEqual([[expected], []]);
    expect(linesCited(verdict).length).toBeGreaterThan(0);
  });

  test("the pages that are out are those taken and not come back", () => {
    const [verdict] = judge(
      counters({ alloc_fast: 1000, alloc_refill: 10, alloc_slow: 5, recycle_cached: 900, recycle_ring: 60 }),
    );
    expect(verdict?.rates).toMatchObject({ allocations: 1015, returns: 960, out: 55, interval: false });
    // No page serves again that had not come back: 960 of 1,015.
    expect(verdict?.rates?.hit).toBeCloseTo(960 / 1015);
  });
});

test("one slow allocation takes 64 pages: what they serve as fast was never used again", () => {
  const rates = (values: Partial<Record<string, number>>) => judge(counters(values))[0]?.rates;
  const nothing = { alloc_fast: 63_000, alloc_slow: 1000, alloc_empty: 1000, recycle_released_ref: 64_000 };
  expect(rates(nothing)).toMatchObject({ hit: 0, fresh: 1 });
  const half = { ...nothing, recycle_released_ref: 32_000, recycle_ring: 32_000 };
  expect(rates(half)).toMatchObject({ hit: 0.5, fresh: 0.5 });
});

describe("patterns over time", () => {
  const at = (taken: number, back: number, more: Partial<Record<string, number>> = {}): string =>
    counters({ alloc_fast: taken - 10, alloc_slow: 10, recycle_cached: back - 5, recycle_ring: 5, ...more });

  test("out grows at every look: a leak; snapshots may lie in several files", () => {
    expect(patterns(judge(at(1000, 900), at(5000, 4700), at(9000, 8500)))).toEqual(["leak/likely"]);
  });

  test("two looks cannot tell a leak from a slow consumer, and it says so", () => {
    expect(patterns(judge(at(1000, 900), at(5000, 4700)))).toEqual(["does not say/possible"]);
  });

  test("out goes up and down: a slow consumer", () => {
    expect(patterns(judge(at(1000, 990), at(5000, 4600), at(9000, 8980)))).toEqual(["slow consumer/likely"]);
  });

  test("pages of another node", () => {
    expect(
      patterns(judge(counters({ alloc_fast: 100, alloc_refill: 10, alloc_waive: 10, recycle_ring: 100 }))),
    ).toEqual(["wrong node/shown"]);
  });

  test("a pool made anew in between is no negative rate", () => {
    const [verdict] = judge(at(9000, 8990), at(1000, 990));
    expect(verdict?.rates).toMatchObject({ interval: false, allocations: 1000 });
  });

  test("queues are judged apart, and a pool without traffic says nothing", () => {
    const verdicts = judge(
      counters({ alloc_fast: 500, recycle_cached: 500 }, "rx0") + counters({}, "rx1").replace("NIC statistics:\n", ""),
    );
    expect(verdicts.map((v) => [v.subject, v.pattern])).toEqual([
      ["rx0", "healthy"],
      ["rx1", "does not say"],
    ]);
  });
});

test("counters that a cut took are not zero: only all of them say that no page was taken", () => {
  const text = counters({});
  const summary = (t: string) => judge(t).map((v) => v.summary);
  expect(summary(text)).toEqual([expect.stringMatching(/^No page was taken/)]);
  expect(summary(text.replace(/.*alloc_fast.*\n/, ""))).toEqual([
    expect.stringMatching(/does not say whether pages were taken: it lacks alloc-fast/),
  ]);
});

describe("a cut text", () => {
  const busy = { alloc_fast: 1000, alloc_slow: 1, recycle_cached: 900, recycle_ring: 80, recycle_released_ref: 20 };
  const without = (...names: string[]): PoolVerdict[] =>
    judge(counters(busy).replace(new RegExp(`.*_pp_(?:${names.join("|")}):.*\n`, "g"), ""));

  test("is not healthy for lack of the counters that would show trouble", () => {
    expect(judge(counters(busy))).toMatchObject([{ pattern: "healthy" }]);
    for (const name of ["alloc_waive", "alloc_empty", "recycle_ring_full", "recycle_released_ref", "alloc_slow_ho"])
      expect(without(name), name).toMatchObject([
        {
          pattern: "does not say",
          summary: expect.stringMatching(/^The text does not say how well the pool serves: it lacks/),
        },
      ]);
  });

  test("has no share of what it does not count", () => {
    // Of the returns only those that were released are left: they are not all of them.
    const [verdict] = without("recycle_cached", "recycle_ring", "recycle_ring_full");
    expect(verdict).toMatchObject({ pattern: "does not say", rates: { allocations: 1001, returns: undefined } });
    expect(verdict?.rates?.released).toBeUndefined();
    const [waived] = judge(
      counters({ alloc_fast: 100, alloc_waive: 1, recycle_ring: 1 }).replace(/.*alloc_refill.*\n/, ""),
    );
    expect(waived?.pattern).toBe("does not say");
  });
});

describe("where a pattern begins", () => {
  const pattern = (values: Partial<Record<string, number>>): string => patterns(judge(counters(values)))[0] ?? "";
  /** Snapshots with so many pages out. */
  const outs = (...out: readonly number[]): string =>
    patterns(
      judge(...out.map((n, i) => counters({ alloc_fast: 1000 * (i + 1), recycle_cached: 1000 * (i + 1) - n }))),
    )[0] ?? "";

  test("one refill in a hundred that meets another node's page is none", () => {
    expect(pattern({ alloc_fast: 9, alloc_waive: 1, alloc_refill: 99, recycle_cached: 9 })).toBe("healthy/shown");
    expect(pattern({ alloc_fast: 9, alloc_waive: 2, alloc_refill: 98, recycle_cached: 9 })).toBe("wrong node/shown");
  });
  test("one return in twenty that is shared is none", () => {
    expect(pattern({ alloc_fast: 100, recycle_cached: 95, recycle_released_ref: 5 })).toBe("healthy/shown");
    expect(pattern({ alloc_fast: 100, recycle_cached: 94, recycle_released_ref: 6 })).toBe("shared pages/shown");
  });
  test("one return in a hundred that finds the ring full is none, nor are more while no page is taken anew", () => {
    const ring = (full: number, slow: number) =>
      pattern({ alloc_fast: 1000, alloc_slow: slow, recycle_ring: 100 - full, recycle_ring_full: full });
    expect([ring(1, 1), ring(2, 1), ring(2, 0)]).toEqual(["healthy/shown", "small ring/shown", "healthy/shown"]);
  });
  test("64 pages more, or up and down, are the least that counts", () => {
    expect([outs(0, 40, 63), outs(0, 40, 64)]).toEqual(["healthy/shown", "leak/likely"]);
    expect([outs(0, 63), outs(0, 64)]).toEqual(["healthy/shown", "does not say/possible"]);
    expect([outs(0, 63, 0), outs(0, 64, 0)]).toEqual(["healthy/shown", "slow consumer/likely"]);
    // As far up and down as up in all is growth.
    expect([outs(0, 100, 100), outs(0, 101, 100)]).toEqual(["does not say/possible", "slow consumer/likely"]);
    expect([outs(0, 70, 70), outs(100, 30, 30)]).toEqual(["does not say/possible", "healthy/shown"]);
  });
  test("one allocation in a hundred from the page allocator is none", () => {
    const slow = (n: number) =>
      pattern({ alloc_fast: 1000 - n, alloc_slow: n, alloc_empty: 1, recycle_cached: 900, recycle_ring: 90 });
    expect([slow(10), slow(11)]).toEqual(["healthy/shown", "does not say/possible"]);
  });
  test("a share is not rounded up to all of it, and a small one has two places", () => {
    const said = (fast: number, all: number): string =>
      judge(counters({ alloc_fast: fast, alloc_refill: all - fast, recycle_cached: fast }))[0]?.summary.split(
        " of",
      )[0] ?? "";
    expect([said(1998, 2000), said(1999, 2000), said(2000, 2000)]).toEqual(["99.9 %", "more than 99.9 %", "100.0 %"]);
    const slow = (n: number): string =>
      judge(counters({ alloc_fast: 2000 - n, alloc_slow: n, recycle_cached: 1900 }))[0]?.reasons[0]?.text.split(
        " of",
      )[0] ?? "";
    expect([slow(2), slow(18), slow(19), slow(20)]).toEqual(["0.10 %", "0.90 %", "0.9 %", "1.0 %"]);
  });
  test("a share needs both of its counters", () => {
    const rates = (without: string) =>
      judge(
        counters({ alloc_fast: 900, alloc_slow: 1, alloc_slow_ho: 2, recycle_cached: 800 }).replace(
          new RegExp(`.*_${without}:.*\n`),
          "",
        ),
      )[0]?.rates;
    expect(rates("alloc_refill")).toMatchObject({ allocations: undefined, fresh: undefined, out: undefined });
    expect(rates("recycle_ring")).toMatchObject({ returns: undefined, out: undefined, hit: (903 - 64 - 2) / 903 });
    expect(rates("alloc_waive")).toMatchObject({ allocations: 903, out: 103, fresh: 103 / 903 });
  });
  test("page-pool-get: 64 pages more over three looks", () => {
    const grown = (...inflight: readonly number[]): string =>
      patterns(judge(...inflight.map((n) => `[{"id": 5, "ifindex": 2, "inflight": ${n}}]\n`)))[0] ?? "";
    expect([grown(0, 10, 63), grown(0, 10, 64), grown(0, 64)]).toEqual([
      "does not say/possible",
      "leak/possible",
      "does not say/possible",
    ]);
  });
});

test("a log must go on for a second more than the next warning is due to say that it did not come", () => {
  const goesOn = (at: string): string[] =>
    patterns(
      judge(
        `[60.000000] page_pool_release_retry() stalled pool shutdown: id 3, 9 inflight 60 sec\n[${at}] something else`,
      ),
    );
  expect([goesOn("122.200000"), goesOn("122.300000")]).toEqual([["does not say/possible"], ["slow consumer/likely"]]);
});

test("warnings that no kernel prints: a model pool with these pages says nothing", () => {
  const [verdict] = judge(
    "[30.000000] page_pool_release_retry() stalled pool shutdown: id 3, 5 inflight 30 sec\n[60.000000] page_pool_release_retry() stalled pool shutdown: id 3, 0 inflight 60 sec\n",
  );
  expect(verdict?.reasons.map((r) => r.text)).toContainEqual(
    expect.stringMatching(/would print: nothing\. The log has 5 after 30 s, 0 after 60 s/),
  );
});

describe("netlink", () => {
  test("a pool that its driver let go of is done with its pages only where inflight says 0", () => {
    const pool = (inflight: string) => judge(`[{"id": 5, "detach-time": 100${inflight}}]\n`);
    expect(pool(', "inflight": 0')).toMatchObject([
      { pattern: "healthy", summary: expect.stringMatching(/every page is back/) },
    ]);
    expect(pool("")).toMatchObject([{ pattern: "does not say" }]);
  });

  test("a detached pool with the same pages at two looks", () => {
    expect(judge(fixture("netlink_stall.json"))).toMatchObject([
      { subject: "pool 5", pattern: "leak", certainty: "likely", inFlight: 7 },
    ]);
  });

  test("Python values as ynl prints them; counters tell home from out", () => {
    const verdicts = judge(fixture("netlink_leak.txt"));
    expect(verdicts.map((v) => [v.subject, v.pattern, v.inFlight])).toEqual([["pool 19", "leak", 672]]);
    expect(verdicts[0]?.certainty).toBe("possible");
    expect(verdicts[0]?.rates?.out).toBe(220);
    expect(
      verdicts[0]?.reasons.some((r) => r.text.startsWith("By the counters 220 were out when those were taken")),
    ).toBe(true);
  });

  test("an answer cut off is noted with its line, what came before is kept", () => {
    const reading = readPools("x", '[{"id": 1, "inflight": 5}]\n[{"id": 1,\n "inflight": ');
    expect(reading.states).toHaveLength(1);
    expect(reading.notes).toEqual([expect.stringMatching(/^x:3: .*cut off/)]);
  });
});

describe("tracepoints of a real kernel", () => {
  test("every page given up, the pool ended: nothing out", () => {
    expect(judge(fixture("trace.txt"))).toMatchObject([{ pattern: "healthy", certainty: "shown", inFlight: 0 }]);
  });

  test("cut before the end: the pages still the pool's, oldest first, with the task that took them", () => {
    const text = fixture("trace.txt").split("\n").slice(0, 45).join("\n");
    const [trace] = readPools("t", text).traces;
    expect(trace?.out.length).toBe((trace?.holds ?? 0) - (trace?.releases ?? 0));
    expect(trace?.out[0]).toMatchObject({ pfn: 0x3d08, line: 13, task: "sh-44" });
    expect(judge(text)).toMatchObject([{ pattern: "does not say" }]);
  });
});

test("a text without page pools is empty, and hostile text stays text", () => {
  expect(isEmptyReading(readPools("x", "hello\n\u001b[31m"))).toBe(true);
  expect(isEmptyReading(readPools("x", `${"[".repeat(10_000)}{"inflight": 1`))).toBe(true);
});
