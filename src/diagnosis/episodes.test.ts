// One event, one story: a driver's line beside its failure, the pools of one restart, what happened in the same moment.
import { describe, expect, test } from "vitest";
import { explain } from "./explain.ts";
import type { DiagnosedIncident, Finding } from "./finding.ts";

const answer = (i: DiagnosedIncident | undefined, id: string): Finding["answer"] | undefined =>
  i?.findings.find((f) => f.id === id)?.answer;
const claim = (i: DiagnosedIncident | undefined, id: string): string =>
  i?.findings.find((f) => f.id === id)?.claim ?? "";

const failure = (at: string, order = 3): string => `[${at}] swapper: page allocation failure: order:${order}, mode:0x20
[${at}] CPU: 0 PID: 0 Comm: swapper Not tainted 3.18.21 #2
[${at}] Call Trace:
[${at}] [<800cd6c4>] warn_alloc_failed+0xe8/0x10c
[${at}] [<80235300>] __netdev_alloc_skb+0x5c/0x118
[${at}] [<83130090>] ath_rxbuf_alloc+0x30/0x98 [ath]
`;
const line = (at: string): string => `[${at}] ath: skbuff alloc of size 1926 failed\n`;

describe("a driver's line and a failure", () => {
  test.each([
    ["of one moment are one event", "   74.180000", "   74.900000", 1],
    ["of a second apart still are", "   74.000000", "   75.000000", 1],
    ["of more than a second apart are two", "   74.000000", "   75.100000", 2],
  ])("%s", async (_, a, b, count) => {
    const d = await explain({ log: failure(a) + line(b) });
    expect(d.incidents).toHaveLength(count);
    expect(answer(d.incidents[0], "driver_line.beside")).toBe(count === 1 ? "yes" : undefined);
  });
  test("the line alone asks for the kernel's own report", async () => {
    const d = await explain({ log: line("   74.570000") });
    expect(d.incidents[0]?.cause).toMatch(/own report is not in the text/);
    expect(answer(d.incidents[0], "driver_line.size")).toBe("unknown");
  });
});

describe("stalled pools", () => {
  const stall = (id: number, inflight: number, seconds: number): string =>
    `page_pool_release_retry() stalled pool shutdown: id ${id}, ${inflight} inflight ${seconds} sec\n`;
  test("of the same age with the same number of pages are one restart, and stay one", async () => {
    const d = await explain({
      log:
        [51, 52, 61].map((id) => stall(id, 4032, 60)).join("") +
        [51, 52, 61].map((id) => stall(id, 4032, 121)).join(""),
    });
    expect(d.incidents).toMatchObject([{ kind: "page_pool_stall", count: 6 }]);
    expect(claim(d.incidents[0], "page_pool.together")).toMatch(/^3 pools/);
    expect(answer(d.incidents[0], "page_pool.stalled")).toBe("yes");
    expect(answer(d.incidents[0], "page_pool.leak")).toBe("unknown");
    expect(d.incidents[0]?.findings.flatMap((f) => f.advice).map((a) => a.action)).not.toContain(
      "List the pools that still exist",
    );
  });
  test("of another number or another age are two stories", async () => {
    expect((await explain({ log: stall(19, 5, 25455) + stall(17, 7, 25456) })).incidents).toHaveLength(2);
    expect((await explain({ log: stall(19, 5, 25455) + stall(17, 5, 25457) })).incidents).toHaveLength(1);
    expect((await explain({ log: stall(19, 5, 25455) + stall(17, 5, 25458) })).incidents).toHaveLength(2);
  });
  test("another text has other pools by the same numbers: one line of each tells no trend", async () => {
    const [i] = (await explain({ a: stall(9, 7, 60), b: stall(9, 7, 121) })).incidents;
    expect([i?.count, answer(i, "page_pool.draining")]).toEqual([2, undefined]);
  });
  test("one pool alone drains or does not", async () => {
    expect(
      answer((await explain({ log: stall(9, 7, 60) + stall(9, 4, 121) })).incidents[0], "page_pool.draining"),
    ).toBe("yes");
    expect(
      answer((await explain({ log: stall(9, 7, 60) + stall(9, 7, 121) })).incidents[0], "page_pool.draining"),
    ).toBe("no");
  });
});

describe("two boots in one text", () => {
  const began = "[    0.000000] Linux version 3.18.21 (b@c) (gcc version 4.8.3) #2 Mon Nov 2 2015\n";
  const killed = (at: string): string => `[${at}] VM: killing process Xorg\n`;
  const stall = (at: string, inflight: number, seconds: number): string =>
    `[${at}] page_pool_release_retry() stalled pool shutdown: id 9, ${inflight} inflight ${seconds} sec\n`;

  test.each([
    ["one boot", failure("   74.180000") + line("   74.900000"), 1, [undefined]],
    ["the kernel's first line between them", failure("   74.180000") + began + line("   74.900000"), 2, [undefined, 2]],
    [
      "an uptime that falls between them",
      failure("   74.180000") + killed("  500.000000") + line("   74.900000"),
      3,
      [undefined, undefined, 2],
    ],
    [
      "a stamp a second older than the one above it",
      failure("   74.180000") + killed("   75.800000") + line("   74.900000"),
      2,
      [undefined, undefined],
    ],
  ])("%s: a driver's line belongs to a failure of its own boot", async (_, log, causes, boots) => {
    const d = await explain({ log });
    expect(d.incidents).toHaveLength(causes);
    const places = d.incidents.flatMap((i) => i.occurrences).sort((a, b) => a.firstLine - b.firstLine);
    expect(places.map((o) => o.boot)).toEqual(boots);
    const beside = d.incidents.map((i) => answer(i, "driver_line.beside")).filter((a) => a !== undefined);
    expect(beside).toEqual(boots.includes(2) ? [] : ["yes"]);
  });
  test("causes of two boots are not one event, and the time between two boots' reports is not told", async () => {
    const [one, two] = [failure("  100.000000"), killed("  100.500000")];
    const tied = (d: { readonly incidents: readonly DiagnosedIncident[] }) =>
      d.incidents.map((i) => answer(i, "episode.together"));
    expect(tied(await explain({ log: one + two }))).toEqual(["yes", "yes"]);
    expect(tied(await explain({ log: one + began + two }))).toEqual([undefined, undefined]);
    const often = (between: string): Promise<string> =>
      explain({ log: failure("  100.000000") + between + failure("  160.000000") }).then((d) =>
        claim(d.incidents[0], "judgement.harmless"),
      );
    expect(await often("")).toMatch(/2 times within/);
    expect(await often(began)).not.toMatch(/within/);
  });
  test("a pool of another boot is another pool", async () => {
    const d = await explain({ log: stall("  160.000000", 7, 60) + stall("  221.000000", 7, 121) });
    expect(d.incidents.map((i) => answer(i, "page_pool.draining"))).toEqual(["no"]);
    const two = await explain({ log: stall("  160.000000", 7, 60) + began + stall("  221.000000", 4, 121) });
    expect(two.incidents.map((i) => [i.count, answer(i, "page_pool.draining")])).toEqual([
      [1, undefined],
      [1, undefined],
    ]);
  });
});

test("two machines of one central log have nothing to do with each other, though their uptimes are equal", async () => {
  const of = (host: string, text: string): string => text.replace(/^(?=.)/gm, `Nov 29 03:14:07 ${host} kernel: `);
  const [a, b] = [failure("  100.000000"), line("  100.400000")];
  const one = await explain({ log: of("web1", a) + of("web1", b) });
  expect(one.incidents.map((i) => answer(i, "driver_line.beside"))).toEqual(["yes"]);
  const two = await explain({ log: of("web1", a) + of("web2", b) });
  expect(two.incidents.map((i) => i.occurrences[0]?.host)).toEqual(["web1", "web2"]);
  expect(two.incidents.flatMap((i) => [answer(i, "driver_line.beside"), answer(i, "episode.together")])).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

test("without uptimes a second of the clock on the wall is one moment, for so many lines", async () => {
  const at = (clock: string, text: string): string => text.replace(/^\[.*?\] /gm, `Nov 29 ${clock} web1 kernel: `);
  const filler = (n: number): string => "Nov 29 03:14:07 web1 systemd[1]: Started Session 2 of user root.\n".repeat(n);
  const killed = "[   74.900000] VM: killing process Xorg\n";
  const tied = async (clock: string, between: number) =>
    (
      await explain({ log: at("03:14:07", failure("   74.180000")) + filler(between) + at(clock, killed) })
    ).incidents.map((i) => answer(i, "episode.together"));
  const lines = failure("").split("\n").length - 1;
  expect(await tied("03:14:07", 0)).toEqual(["yes", "yes"]);
  expect(await tied("03:14:08", 0)).toEqual([undefined, undefined]);
  expect(await tied("03:14:07", 399 - lines)).toEqual(["yes", "yes"]);
  expect(await tied("03:14:07", 400 - lines)).toEqual([undefined, undefined]);
});

test("where one of two reports has no uptime the lines between them tell", async () => {
  const unstamped = line("").replace("[] ", "");
  const beside = async (between: string) =>
    (await explain({ log: failure("   74.180000") + between + unstamped })).incidents.flatMap((i) =>
      i.findings.filter((f) => f.id === "driver_line.beside"),
    ).length;
  const others = (n: number): string => "something else of the log\n".repeat(n);
  expect([await beside(""), await beside(others(2)), await beside(others(3))]).toEqual([1, 1, 0]);
});

test("eight causes of one moment are one story, a ninth is a flood's", async () => {
  const orders = (n: number): string =>
    Array.from({ length: n }, (_, i) => failure("  100.000000").replaceAll("ath", `ath${i}`)).join("");
  const episodes = async (n: number) => (await explain({ log: orders(n) })).incidents.map((i) => i.episode);
  expect(new Set(await episodes(8)).size).toBe(1);
  const nine = await episodes(9);
  expect([nine.length, new Set(nine).size, nine.at(-1)]).toEqual([9, 2, null]);
});

test("causes of one moment stand together, the worst first, and name each other", async () => {
  const d = await explain({
    log: `${failure("  100.000000", 0)}[  100.400000] BUG: Bad page state in process nginx  pfn:1a2b3c
[  100.400000] page:ffffea00068acf00 count:-1 mapcount:0 mapping:          (null) index:0x0
[  100.400000] flags: 0x17ffffc0000000()
[  100.400000] page dumped because: nonzero _count
[  900.000000] VM: killing process Xorg
`,
  });
  expect(d.incidents.map((i) => i.severity)).toEqual(["corruption", expect.not.stringMatching("corruption"), "act"]);
  expect(claim(d.incidents[0], "episode.together")).toMatch(/Page allocation failure/);
  expect(claim(d.incidents[1], "episode.together")).toMatch(/Bad page state/);
  expect(answer(d.incidents[2], "episode.together")).toBeUndefined();
});

describe("limits' lines belong to the report that follows", () => {
  test.each([
    ["__alloc_pages_slowpath: 5571 callbacks suppressed", 5572],
    ["warn_alloc_failed: 92 callbacks suppressed", 93],
    ["__ratelimit: 12 callbacks suppressed", 13],
    ["net_ratelimit: 650 callbacks suppressed", 1],
  ])("%s", async (limit, count) => {
    const d = await explain({ log: `[   99.900000] ${limit}\n${failure("  100.000000")}` });
    expect(d.incidents.find((i) => i.kind === "alloc_failure")).toMatchObject({ count, suppressed: count - 1 });
  });
});

test("messages that only a network's rate limit counted are not told as a failed allocation", async () => {
  const d = await explain({
    log: "[  970.660000] net_ratelimit: 650 callbacks suppressed\n[  970.70] eth0: link up\n",
  });
  const said = d.incidents.flatMap((i) => [i.cause, ...i.findings.map((f) => f.claim)]).join(" ");
  expect(d.incidents.map((i) => i.kind)).toEqual(["suppressed"]);
  expect(said).toContain("left out 650 messages");
  expect(said).not.toMatch(/allocation failed/);
});

test("one request that is tried with ever smaller blocks is one cause, told by the smallest", async () => {
  const tries = (orders: readonly number[]): string => orders.map((o, i) => failure(`  100.00000${i}`, o)).join("");
  const d = await explain({ log: tries([5, 4, 3, 2, 1, 0]) });
  expect(d.incidents).toMatchObject([{ kind: "alloc_failure", order: 0, count: 6 }]);
  expect(d.incidents[0]?.occurrences).toHaveLength(6);
  expect(claim(d.incidents[0], "episode.together")).toMatch(/orders 5, 4, 3, 2, 1, 0/);
  expect((await explain({ log: tries([3, 0]) })).incidents).toHaveLength(2);
  expect((await explain({ log: tries([3, 1, 0]) })).incidents).toMatchObject([{ order: 0, count: 3, suppressed: 0 }]);
  const limited = "[  100.000000] warn_alloc_failed: 7 callbacks suppressed\n";
  expect((await explain({ log: tries([3, 1]) + limited + failure("  100.000002", 0) })).incidents).toMatchObject([
    { order: 0, count: 10, suppressed: 7 },
  ]);
  expect(
    (await explain({ log: failure("  100.000000", 2) + failure("  200.000000", 1) + failure("  300.000000", 0) }))
      .incidents,
  ).toHaveLength(3);
});

test("a state of memory without its report, and a report just behind it, are of one moment; whether of one event is not said", async () => {
  const state = `[   74.100000] Mem-Info:
[   74.100000] active_anon:456 inactive_anon:67 isolated_anon:0
[   74.100000]  free:218 free_pcp:79 free_cma:0
[   74.100100] DMA free:392kB min:296kB low:368kB high:440kB active_anon:0kB present:15992kB managed:15360kB all_unreclaimable? no
[   74.100100] lowmem_reserve[]: 0 0 0 0
`;
  const tied = await explain({ log: state + failure("   74.300000") });
  expect(tied.incidents.map((i) => i.kind).sort()).toEqual(["alloc_failure", "mem_info"]);
  for (const i of tied.incidents)
    expect(claim(i, "episode.together")).toMatch(/^In the same moment: .* does not say whether it is one event/);
  const two = await explain({
    log: failure("   74.100000", 2) + failure("   74.300000").replace(/mode:0x20/, "mode:0x4020"),
  });
  for (const i of two.incidents) expect(claim(i, "episode.together")).toMatch(/Treat them as one event\.$/);
});
