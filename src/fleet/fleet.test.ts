import { describe, expect, test } from "vitest";
import { prng } from "../base/prng.ts";
import { dateOf as dateIn, dayOf } from "../kernel/readings/date.ts";
import { fixture, recordsOf, syslog } from "./fleet.testkit.ts";
import { createFleet } from "./fleet.ts";
import type { HostIncident, HostRecord } from "./host_record.ts";
import type { Sides } from "./separate.ts";
import { fisher, separatorsOf } from "./separate.ts";

describe("a generated fleet, through its logs", () => {
  const templates = ["e1000_refill_6.1.txt", "tg3_gentoo_2009.txt"].map(fixture);
  test("two faults on 40 hosts, noise on 20: two groups of causes, each with its hosts and dates; the order of the files changes nothing", async () => {
    const seed = 3;
    const random = prng(seed);
    const all: HostRecord[] = [];
    const truth = templates.map(() => new Set<string>());
    for (let h = 0; h < 60; h++) {
      const host = `node${h}`;
      const which = h < 40 ? h % 2 : -1;
      truth[which]?.add(host);
      const log = which < 0 ? "[    1.000000] eth0: link is up" : (templates[which] as string);
      all.push(...(await recordsOf({ [`${host}.log`]: syslog(log, host, 1 + random.below(28)) }, host)));
    }
    const answer = (records: readonly HostRecord[]) => {
      const fleet = createFleet();
      for (const r of records) fleet.add(r);
      return fleet.answer();
    };
    const a = answer(all);
    expect(a.hosts).toBe(60);
    expect(a.hostsWithTrouble).toBe(40);
    const byDriver = (driver: string) => a.causes.filter((c) => c.drivers[0]?.name === driver);
    for (const [driver, hosts] of [
      ["e1000", truth[0]],
      ["tg3", truth[1]],
    ] as const) {
      expect(byDriver(driver).length, driver).toBeGreaterThan(0);
      for (const c of byDriver(driver)) {
        expect([c.hosts, hosts!.has(c.example.host)]).toEqual([20, true]);
        expect(c.first! >= "2026-03-01" && c.last! <= "2026-03-29").toBe(true);
      }
    }
    expect(answer([...all].reverse())).toEqual(a);
  });

  test("a central log of two hosts gives each host its own, and no setting of the file to either", async () => {
    const mixed = [
      "vm.min_free_kbytes = 12345",
      syslog(templates[0]!, "web1", 3),
      syslog(templates[0]!, "web2", 3),
    ].join("\n");
    const records = await recordsOf({ "central.log": mixed }, "central");
    const troubled = records.filter((r) => r.incidents.length > 0);
    expect(records.map((r) => r.host).sort(), "and no host that is called as the file").toEqual(["web1", "web2"]);
    expect(troubled.map((r) => r.host).sort()).toEqual(["web1", "web2"]);
    for (const r of troubled)
      expect([r.incidents[0]!.driver, r.facts["min_free_kbytes"]]).toEqual(["e1000", undefined]);
  });
});

describe("what makes the trouble of two hosts one", () => {
  const killed =
    "Out of memory: Killed process 4711 (java) total-vm:8392344kB, anon-rss:4012340kB, file-rss:0kB, shmem-rss:0kB";
  const partsOf = async (host: string, text: string) =>
    (await recordsOf({ [`${host}.log`]: text }, host)).flatMap((r) => r.incidents.map((i) => [i.print[1], i.title]));
  test("the scope of the OOM killer, where the report says it; its victim and its host are not part of it", async () => {
    const scope = (constraint: string) =>
      `[    1.000000] oom-kill:constraint=${constraint},nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=java,pid=4711,uid=0\n`;
    const line = (host: string, comm: string, before = "") =>
      partsOf(host, `${before}[    1.000000] ${killed.replace("java", comm)}`.replace("task=java", `task=${comm}`));
    expect(await line("a", "java", scope("CONSTRAINT_NONE"))).toEqual([["machine", "Out of memory"]]);
    expect(await line("b", "nginx", scope("CONSTRAINT_NONE"))).toEqual([["machine", "Out of memory"]]);
    expect(await line("c", "java", scope("CONSTRAINT_CPUSET"))).toEqual([["cpuset", "Out of memory"]]);
  });
  test("the field of a bad page, not its number; a page whose reason is cut away fits any", async () => {
    const report = fixture("bad_pages_6.1.txt");
    const all = await partsOf("a", report);
    expect(all.length).toBeGreaterThan(0);
    for (const [which, title] of all) {
      expect(which).not.toMatch(/0x|\d{3}/);
      expect(title).not.toMatch(/0x/);
    }
    const cut = report.split("\n").filter((l) => !/page dumped because/.test(l));
    expect((await partsOf("a", cut.join("\n"))).filter(([which]) => which === null).length).toBeGreaterThan(0);
  });
});

const incident = (what: string, first: string | null, more: Partial<HostIncident> = {}): HostIncident => ({
  print: ["alloc_failure", what, "order 0", "", "", "", null],
  title: what,
  severity: "act",
  count: 1,
  first,
  last: first,
  days: first === null ? [] : [[dayOf(first), 1]],
  release: null,
  stated: false,
  driver: null,
  input: "x",
  line: 1,
  ...more,
});
const record = (host: string, facts: HostRecord["facts"], incidents: readonly HostIncident[]): HostRecord => ({
  schema: "skblab.fleet-host/2",
  host,
  facts,
  incidents,
  inputs: 1,
  unread: false,
  notes: [],
});
const sides = (having: ReadonlySet<string>): Sides => ({ having, within: [], leftOut: () => false });

describe("what separates", () => {
  test("2,000 hosts: the release that has the fault and the MTU above 1500 are found, memory and driver are not", () => {
    const seed = 17;
    const random = prng(seed);
    const fleet = createFleet();
    for (let h = 0; h < 2000; h++) {
      const release = `6.1.${80 + random.below(14)}`;
      const mtu = random.chance(0.5) ? 9000 : 1500;
      const facts = {
        release: [release],
        mtu,
        memory_mb: 1024 << random.below(6),
        driver: [random.pick(["e1000", "igb", "tg3", "mlx5_core"])],
      };
      const has = release === "6.1.90" ? random.chance(0.8) : random.chance(0.02);
      const jumbo = mtu === 9000 && random.chance(0.3);
      fleet.add(
        record(`h${h}`, facts, [
          ...(has ? [incident("release fault", null)] : []),
          ...(jumbo ? [incident("jumbo fault", null)] : []),
        ]),
      );
    }
    const found = new Map(fleet.answer().causes.map((c) => [c.title, c.separators]));
    expect(
      found.get("release fault")?.map((s) => s.split),
      `seed ${seed}`,
    ).toEqual(["release 6.1.90"]);
    expect(
      found.get("jumbo fault")?.map((s) => s.split),
      `seed ${seed}`,
    ).toEqual(["mtu above 1500"]);
  });
  test("no separator is named where there is none: at 1 % for a whole answer, at most 4 of 200 random fleets", () => {
    const seed = 23;
    const random = prng(seed);
    let named = 0;
    for (let round = 0; round < 200; round++) {
      const facts = new Map(
        Array.from(
          { length: 60 },
          (_, h) =>
            [
              `h${h}`,
              { release: [`6.${random.below(4)}`], memory_mb: random.below(64), mtu: random.pick([1500, 9000]) },
            ] as const,
        ),
      );
      const having = new Set([...facts.keys()].filter(() => random.chance(0.3)));
      const other = new Set([...facts.keys()].filter(() => random.chance(0.3)));
      if (separatorsOf([sides(having), sides(other)], facts).flat().length > 0) named++;
    }
    // 1 % of 200 is two; five or more happen once in twenty tries at that level, and Fisher's test is below it.
    expect(named, `seed ${seed}`).toBeLessThanOrEqual(4);
  });
  test("Fisher's test gives the values of its tables", () => {
    // The lady tasting tea: 3 of 4 right; and a table with all on one side.
    expect(fisher(3, 1, 1, 3)).toBeCloseTo(0.4857, 4);
    expect(fisher(8, 2, 1, 5)).toBeCloseTo(0.03497, 4);
    expect(fisher(0, 5, 5, 0)).toBeCloseTo(0.00794, 4);
  });
  test("a fact that is known of two hosts on a side says nothing; of three it may", () => {
    const facts = (n: number) =>
      new Map(
        Array.from({ length: 40 }, (_, h) => [`h${h}`, h < n ? { mtu: 9000 } : h >= 20 ? { mtu: 1500 } : {}] as const),
      );
    const having = new Set(Array.from({ length: 20 }, (_, h) => `h${h}`));
    expect(separatorsOf([sides(having)], facts(2))).toEqual([[]]);
    expect(separatorsOf([sides(having)], facts(3))[0]?.map((s) => s.split)).toEqual(["mtu above 1500"]);
  });
});

describe("time", () => {
  test("a fault that becomes more frequent is rising, one at an even rate is steady, nine reports say nothing", () => {
    const trendOf = (days: readonly number[]) => {
      const fleet = createFleet();
      for (const [i, day] of days.entries())
        fleet.add(record(`h${i}`, {}, [incident("x", `2026-03-${String(day).padStart(2, "0")}T00:00:00Z`)]));
      return fleet.answer().causes[0]?.trend;
    };
    expect(trendOf([1, 5, ...Array.from({ length: 20 }, (_, i) => 15 + (i % 14))])).toBe("rising");
    expect(trendOf([28, 27, ...Array.from({ length: 20 }, (_, i) => 1 + (i % 12))])).toBe("falling");
    expect(trendOf(Array.from({ length: 28 }, (_, i) => 1 + i))).toBe("steady");
    expect(trendOf([1, 2, 3, 4, 5, 6, 7, 8, 9])).toBe("unknown");
  });
  test("a host that reports a hundred times on one day counts as one: a burst is no trend", () => {
    const fleet = createFleet();
    for (let day = 1; day <= 28; day++) {
      const first = `2026-03-${String(day).padStart(2, "0")}T00:00:00Z`;
      const count = day === 27 ? 500 : 1;
      fleet.add(record(`h${day}`, {}, [incident("x", first, { count, days: [[dayOf(first), count]] })]));
    }
    expect(fleet.answer().causes[0]).toMatchObject({ trend: "steady", incidents: 527 });
  });
  test("a clock that says 2038 or 1970 sets no date of a cause, and is told", () => {
    const fleet = createFleet();
    for (let h = 0; h < 30; h++) fleet.add(record(`h${h}`, {}, [incident("x", `2026-03-${10 + (h % 10)}T00:00:00Z`)]));
    fleet.add(record("late", {}, [incident("x", "2038-01-19T03:14:07Z")]));
    fleet.add(record("early", {}, [incident("x", dateIn("Jan  1 00:00:07 1970", { year: 2026 }))]));
    const { causes, notes } = fleet.answer();
    expect([causes[0]?.hosts, causes[0]?.first, causes[0]?.last]).toEqual([
      32,
      "2026-03-10T00:00:00Z",
      "2026-03-19T00:00:00Z",
    ]);
    expect(notes.join()).toMatch(/^late: its clock/);
  });
  test("a date without a year that would lie in the future is of last year", () => {
    const january = { year: 2027, latest: "2027-01-03" };
    expect(dateIn("Dec 31 23:59:58", january)).toBe("2026-12-31T23:59:58Z");
    expect(dateIn("Jan  2 00:00:00", january)).toBe("2027-01-02T00:00:00Z");
  });
  test("dates of logs: ISO with and without a zone, syslog without a year, dmesg -T; an uptime or a wrong day is none", () => {
    const dateOf = (text: string, year: number) => dateIn(text, { year });
    expect(dateOf("2026-03-04T05:06:07.123456+01:00", 2020)).toBe("2026-03-04T04:06:07Z");
    expect(dateOf("2026-03-04 05:06:07", 2020)).toBe("2026-03-04T05:06:07Z");
    expect(dateOf("Jun  5 03:14:07", 2026)).toBe("2026-06-05T03:14:07Z");
    expect(dateOf("Fri Nov 20 20:35:16 2026", 2020)).toBe("2026-11-20T20:35:16Z");
    expect(dateOf("Jun 45 03:14:07", 2026)).toBeNull();
    expect(dateOf("5140.9", 2026)).toBeNull();
  });
});

describe("what a report does not say", () => {
  const print = (driver: string | null, family: string | null) => [
    "alloc_failure",
    "",
    "order 1",
    driver,
    "rx refill",
    "short",
    family,
  ];
  const causesOf = (rows: readonly (readonly [host: string, print: HostIncident["print"]])[]) => {
    const fleet = createFleet();
    for (const [host, p] of rows) fleet.add(record(host, {}, [incident("x", null, { print: p })]));
    return fleet.answer().causes.map((c) => [c.id, c.hosts, c.incidents]);
  };
  test("a cut report joins the only cause that it fits; where two fit it stands alone, unless its host has one of them", () => {
    expect(
      causesOf([
        ["a", print("tg3", "6.1")],
        ["b", print(null, "6.1")],
        ["c", print("tg3", null)],
      ]),
    ).toEqual([["alloc_failure|order 1|tg3|rx refill|short|6.1", 3, 3]]);
    const two = [
      ["a", print("tg3", "6.1")],
      ["b", print("e1000e", "6.1")],
    ] as const;
    expect(causesOf([...two, ["c", print(null, "6.1")]]).map(([, hosts]) => hosts)).toEqual([1, 1, 1]);
    expect(causesOf([...two, ["b", print(null, "6.1")]])).toEqual([
      ["alloc_failure|order 1|e1000e|rx refill|short|6.1", 1, 2],
      ["alloc_failure|order 1|tg3|rx refill|short|6.1", 1, 1],
    ]);
  });
  test("release families stay apart: what 6.1 has is not what 5.10 has", () => {
    expect(
      causesOf([
        ["a", print("tg3", "6.1")],
        ["b", print("tg3", "5.10")],
      ]).length,
    ).toBe(2);
  });
  test("a host of which nothing could be read is neither well nor ill", () => {
    const fleet = createFleet();
    fleet.add(record("a", {}, [incident("x", null)]));
    fleet.add({ ...record("b", {}, []), unread: true, notes: ["b.gz: It cannot be opened."] });
    expect(fleet.answer()).toMatchObject({ hosts: 2, hostsWithTrouble: 1, hostsUnread: 1 });
  });
  test("web1 of syslog is web1.example.com of its bundle; of two with that name nobody knows which", () => {
    const one = createFleet();
    one.add(record("web1", {}, [incident("x", null)]));
    one.add(record("web1.example.com", { mtu: 9000 }, []));
    expect(one.answer()).toMatchObject({ hosts: 1, causes: [{ example: { host: "web1.example.com" } }] });
    one.add(record("web1.example.org", {}, []));
    expect(one.answer().hosts).toBe(3);
  });
});
