import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { gather } from "../artifact/gather.ts";
import { sourceOf } from "../base/byte_source.ts";
import { prng } from "../base/prng.ts";
import { createCollector } from "../diagnosis/collect.ts";
import { createFleet } from "./fleet.ts";
import type { HostIncident, HostRecord } from "./host_record.ts";
import { dateOf, hostRecords } from "./host_record.ts";
import { fisher, separatorsOf } from "./separate.ts";

const logs = join(import.meta.dirname, "../../fixtures/logs");
const text = (name: string): string => readFileSync(join(logs, name), "utf8").trimEnd();

async function recordsOf(name: string, log: string, host = "file"): Promise<HostRecord[]> {
  const collector = createCollector();
  const gathered = await gather([{ source: sourceOf(name, log), named: true }], { onWindow: collector.onWindow });
  return hostRecords(collector.finish(gathered), () => host, 2026);
}
/** A host's log as its syslog wrote it. */
const syslog = (log: string, host: string, day: number): string =>
  log
    .split("\n")
    .map((l) => `Mar ${String(day).padStart(2)} 03:14:07 ${host} kernel: ${l}`)
    .join("\n");

describe("a generated fleet, through its logs", () => {
  const templates = ["e1000_refill_6.1.txt", "tg3_gentoo_2009.txt"].map(text);
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
      all.push(...(await recordsOf(`${host}.log`, syslog(log, host, 1 + random.below(28)), host)));
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
    const records = await recordsOf("central.log", mixed);
    const troubled = records.filter((r) => r.incidents.length > 0);
    expect(troubled.map((r) => r.host).sort()).toEqual(["web1", "web2"]);
    for (const r of troubled)
      expect([r.incidents[0]!.driver, r.facts["min_free_kbytes"]]).toEqual(["e1000", undefined]);
  });
});

const incident = (cause: string, first: string | null): HostIncident => ({
  cause,
  title: cause,
  kind: "alloc_failure",
  severity: "act",
  count: 1,
  first,
  last: first,
  release: null,
  driver: null,
  input: "x",
  line: 1,
});
const record = (host: string, facts: HostRecord["facts"], incidents: readonly HostIncident[]): HostRecord => ({
  schema: "skblab.fleet-host/1",
  host,
  facts,
  incidents,
  inputs: 1,
  notes: [],
});

describe("what separates", () => {
  test("2,000 hosts: the release that has the fault and the MTU above 1500 are found, memory and driver are not", () => {
    const seed = 17;
    const random = prng(seed);
    const fleet = createFleet();
    for (let h = 0; h < 2000; h++) {
      const release = `6.1.${80 + random.below(14)}`;
      const mtu = random.chance(0.5) ? 9000 : 1500;
      const facts = {
        release,
        mtu,
        memory_mb: 1024 << random.below(6),
        driver: random.pick(["e1000", "igb", "tg3", "mlx5_core"]),
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
  test("no separator is named where there is none: at most 2 of 200 random fleets", () => {
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
              { release: `6.${random.below(4)}`, memory_mb: random.below(64), mtu: random.pick([1500, 9000]) },
            ] as const,
        ),
      );
      const having = new Set([...facts.keys()].filter(() => random.chance(0.3)));
      if (separatorsOf(having, facts).length > 0) named++;
    }
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
    expect(separatorsOf(having, facts(2))).toEqual([]);
    expect(separatorsOf(having, facts(3)).map((s) => s.split)).toEqual(["mtu above 1500"]);
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
  test("dates of logs: ISO with and without a zone, syslog without a year, dmesg -T; an uptime or a wrong day is none", () => {
    expect(dateOf("2026-03-04T05:06:07.123456+01:00", 2020)).toBe("2026-03-04T04:06:07Z");
    expect(dateOf("2026-03-04 05:06:07", 2020)).toBe("2026-03-04T05:06:07Z");
    expect(dateOf("Jun  5 03:14:07", 2026)).toBe("2026-06-05T03:14:07Z");
    expect(dateOf("Fri Nov 20 20:35:16 2026", 2020)).toBe("2026-11-20T20:35:16Z");
    expect(dateOf("Jun 45 03:14:07", 2026)).toBeNull();
    expect(dateOf("5140.9", 2026)).toBeNull();
  });
});
