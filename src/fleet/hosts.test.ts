// Whose a report is: logs of several machines line by line, one machine in several texts, lines that name nobody.
import { describe, expect, test } from "vitest";
import { prng } from "../base/prng.ts";
import { fixture, recordsOf, syslog } from "./fleet.testkit.ts";
import { createFleet } from "./fleet.ts";
import type { HostRecord } from "./host_record.ts";

const templates = [
  "e1000_refill_6.1.txt",
  "failures_6.1.txt",
  "bad_pages_6.1.txt",
  "slub_debug_6.1.txt",
  "slab_oom_6.1.txt",
].map(fixture);

/** Without what depends on where a report stands. */
const said = (records: readonly HostRecord[]) =>
  records
    .map(({ host, facts, incidents }) => ({
      host,
      facts,
      incidents: incidents
        .map(({ print, title, severity, count, release, driver, first, last }) => ({
          print,
          title,
          severity,
          count,
          release,
          driver,
          first,
          last,
        }))
        .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
    }))
    .sort((a, b) => (a.host < b.host ? -1 : 1));

function interleaved(logs: readonly string[], random: ReturnType<typeof prng>): string {
  const lines = logs.map((l) => l.split("\n"));
  const out: string[] = [];
  while (lines.some((l) => l.length > 0)) {
    const left = lines.filter((l) => l.length > 0);
    // A few lines at a time, as a collector's buffers write them.
    out.push(...(left[random.below(left.length)] as string[]).splice(0, 1 + random.below(4)));
  }
  return out.join("\n");
}

describe("a central log", () => {
  test.each([1, 2, 3])(
    "of five machines, line by line in any order, says of each what its own log says (seed %i)",
    async (seed) => {
      const random = prng(seed);
      const logs = templates.map((t, h) => syslog(t, `web${h}`, 1 + random.below(28)));
      const alone = [];
      for (const [h, log] of logs.entries()) alone.push(...(await recordsOf({ "central.log": log }, `web${h}`)));
      const together = await recordsOf({ "central.log": interleaved(logs, random) }, "central");
      expect(said(together), `seed ${seed}`).toEqual(said(alone));
    },
  );

  test("of forty machines that fail at once, thousands of lines long: each is told whole", async () => {
    const random = prng(7);
    const one = templates[0] as string;
    const logs = Array.from({ length: 40 }, (_, h) => syslog(one, `node${h}`, 3));
    const [own] = await recordsOf({ "central.log": logs[0] as string }, "node0");
    const together = await recordsOf({ "central.log": interleaved(logs, random) }, "central");
    const fleet = createFleet();
    for (const r of together) fleet.add(r);
    const { causes, hosts } = fleet.answer();
    expect([hosts, causes.map((c) => [c.hosts, c.incidents])]).toEqual([
      40,
      own?.incidents.map((i) => [40, 40 * i.count]),
    ]);
  });

  test("the node that a collector in Kubernetes writes beside the message is the host", async () => {
    const json = (node: string) =>
      (templates[0] as string).split("\n").map((log, i) =>
        JSON.stringify({
          time: `2026-03-04T03:14:${String(i % 60).padStart(2, "0")}Z`,
          log,
          kubernetes: { host: node, pod_name: "kmsg-x2b" },
        }),
      );
    const mixed = json("worker-1").flatMap((l, i) => [l, json("worker-2")[i] as string]);
    const records = await recordsOf({ "kernel.ndjson": mixed.join("\n") }, "kernel");
    expect(records.map((r) => [r.host, r.incidents.length > 0])).toEqual([
      ["worker-1", true],
      ["worker-2", true],
    ]);
  });

  test("localhost names nobody: such a log is its file's", async () => {
    const records = await recordsOf({ "web7.log": syslog(templates[0] as string, "localhost", 3) }, "web7");
    expect(records.map((r) => r.host)).toEqual(["web7"]);
  });
});

describe("one machine in several texts", () => {
  const log = templates[1] as string;
  const journal = syslog(log.replaceAll(/^\[[ \d.]+\] /gm, ""), "web1", 3);
  test("dmesg and the journal are one: each report counts once, with the journal's dates", async () => {
    const [alone] = await recordsOf({ "dmesg.txt": log }, "web1");
    const [both, ...others] = await recordsOf({ "dmesg.txt": log, "journal.txt": journal }, "web1");
    expect(others).toEqual([]);
    expect(both?.incidents.map((i) => [i.print, i.count])).toEqual(alone?.incidents.map((i) => [i.print, i.count]));
    expect(
      both?.incidents.every((i) => i.first?.startsWith("2026-03-03")),
      "dates",
    ).toBe(true);
  });
  test("the same words on another day are another report", async () => {
    const later = syslog(log.replaceAll(/^\[[ \d.]+\] /gm, ""), "web1", 9);
    const [both] = await recordsOf({ "messages.1": journal, messages: later }, "web1");
    const [alone] = await recordsOf({ messages: journal }, "web1");
    const sum = (r: HostRecord | undefined) => r?.incidents.reduce((n, i) => n + i.count, 0) ?? 0;
    expect(sum(both)).toBe(2 * sum(alone));
  });
  test("settings in a file beside the log are the machine's that the log names; of a log that names another they are not", async () => {
    const texts = { "sysctl.txt": "vm.min_free_kbytes = 12345\n", "messages.txt": journal };
    const same = await recordsOf(texts, "web1.example.com");
    expect(same.map((r) => [r.host, r.facts["min_free_kbytes"], r.incidents.length > 0])).toEqual([
      ["web1.example.com", 12345, true],
    ]);
    const other = await recordsOf(texts, "rack3");
    expect(other.map((r) => [r.host, r.facts["min_free_kbytes"]]).sort()).toEqual([
      ["rack3", 12345],
      ["web1", undefined],
    ]);
  });
});

describe("facts of machines without a report", () => {
  test("a boot log says release and drivers, ip link and ethtool the rest", async () => {
    const boot = [
      "[    0.000000] Linux version 6.1.90-amd64 (builder@host) (gcc-12) #1 SMP",
      "[    1.200000] e1000e 0000:00:1f.6 enp0s31f6: renamed from eth0",
      "[    1.300000] mlx5_core 0000:3b:00.0 enp59s0f0np0: renamed from eth1",
    ].join("\n");
    const link =
      "2: enp0s31f6: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 9000 qdisc mq state UP mode DEFAULT group default qlen 1000";
    const [record] = await recordsOf({ "dmesg.txt": boot, "ip.txt": link }, "web1");
    expect(record).toMatchObject({
      incidents: [],
      facts: { release: ["6.1.90-amd64"], driver: ["e1000e", "mlx5_core"], mtu: 9000 },
    });
  });
});
