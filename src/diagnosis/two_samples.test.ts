// Two samples of one machine: what rose, what began anew, what only one of them has; nothing is said of what a sample lacks.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { gather } from "../artifact/gather.ts";
import { sourceOf } from "../base/byte_source.ts";
import { diagnosisDocument } from "../report/diagnosis.ts";
import { diagnosisSchema } from "../report/diagnosis_schema.ts";
import { renderText } from "../report/text.ts";
import { createCollector } from "./collect.ts";
import { diagnose } from "./diagnose.ts";
import type { Diagnosis } from "./finding.ts";

const fixture = (name: string): string => readFileSync(join(import.meta.dirname, "../../fixtures/proc", name), "utf8");
const vmstat = (fail: number): string => fixture("vmstat-6.1").replace(/compact_fail \d+/, `compact_fail ${fail}`);
const netDev = (drop: number): string =>
  `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
  eth0: 1 1 0 ${drop} 0 0 0 0 1 1 0 0 0 0 0 0
`;
const times = (from: string, to: string): string =>
  `uptime and idle seconds of the processors at the start, at the first sample's end and at the end:\n90.00 10.00\n${from} 20.00\n${to} 30.00\n`;

async function diagnosed(files: Readonly<Record<string, string>>): Promise<Diagnosis> {
  const collector = createCollector();
  const items = Object.entries(files).map(([name, text]) => ({ source: sourceOf(name, text), named: true }));
  const diagnosis = diagnose(collector.finish(await gather(items, { onWindow: collector.onWindow })));
  diagnosisSchema.parse(JSON.parse(JSON.stringify(diagnosis)));
  return diagnosis;
}
/** What is said of the two samples; what each file says by itself (`states`) is another matter. */
const textOf = ({ states: _, ...compared }: Diagnosis): string =>
  renderText(diagnosisDocument(compared), { colour: false, width: 100 });

test("what rose is told by how much, in which time and how fast; what stood still is counted", async () => {
  const d = await diagnosed({
    "h.tar:web1/proc/vmstat": vmstat(4),
    "h.tar:web1/proc/net/dev": netDev(100),
    "h.tar:web1/sample2/proc/vmstat": vmstat(24),
    "h.tar:web1/sample2/proc/net/dev": netDev(400),
    "h.tar:web1/collect/samples.txt": times("100.00", "110.00"),
  });
  const [s, ...others] = d.samples!;
  expect(others).toEqual([]);
  expect(s).toMatchObject({ of: "h.tar:web1/", from: 100, to: 110, restarted: [], alone: [] });
  expect(s!.moved).toEqual([
    { counter: "eth0 rx drop", by: 300, input: "h.tar:web1/sample2/proc/net/dev" },
    { counter: "vmstat compact_fail", by: 20, input: "h.tar:web1/sample2/proc/vmstat" },
  ]);
  expect(s!.still).toBeGreaterThan(5);
  const text = textOf(d);
  expect(text).toMatch(/Counters of web1 from 100\.0 s to 110\.0 s after boot, two samples 10\.0 s apart/);
  expect(text).toMatch(/eth0 rx drop +\+300 +30/);
  expect(text).toMatch(/vmstat compact_fail +\+20 +2\.00/);
});

test("nothing is said of what a sample lacks, nor how fast when its time is not known", async () => {
  const d = await diagnosed({
    "a/proc/vmstat": vmstat(4),
    "a/sample2/proc/vmstat": vmstat(5),
    "a/proc/net/dev": netDev(1),
    "a/sample2/ethtool-S-eth0.txt": "NIC statistics:\n     rx_dropped: 9\n",
  });
  expect(d.samples).toMatchObject([
    {
      from: null,
      to: null,
      moved: [{ counter: "vmstat compact_fail", by: 1 }],
      alone: ["a/proc/net/dev", "a/sample2/ethtool-S-eth0.txt"],
    },
  ]);
  const text = textOf(d);
  expect(text).toMatch(/when they were taken is not in the archive/);
  expect(text).toMatch(/In one sample only, [^.]*a\/proc\/net\/dev,\s+a\/sample2\/ethtool-S-eth0\.txt/);
  expect(text).not.toMatch(/eth0 rx drop|rx_dropped|a second/);
});

test.each([
  ["one that fell began anew", 5000, 7, undefined],
  ["one of 32 bits went round", 2 ** 32 - 10, 20, 30],
  ["one that would have gone round by a quarter of its range began anew", 2 ** 31, 20, undefined],
  ["one that fell above 32 bits began anew", 2 ** 32 + 10, 20, undefined],
])("%s", async (_, before, after, by) => {
  const d = await diagnosed({
    "a/proc/net/dev": netDev(before),
    "a/sample2/proc/net/dev": netDev(after),
    "a/collect/samples.txt": times("1.00", "2.00"),
  });
  const counter = "eth0 rx drop";
  expect(d.samples![0]!.moved.map((m) => [m.counter, m.by])).toEqual(by === undefined ? [] : [[counter, by]]);
  expect(d.samples![0]!.restarted).toEqual(by === undefined ? [{ counter, before, after }] : []);
  if (by === undefined) expect(textOf(d)).toMatch(/started again, and what it counted in between is not\s+known/);
});

test("each machine is compared with itself; files without a second sample are compared with nothing", async () => {
  const d = await diagnosed({
    "d/web1.tar:web1/proc/vmstat": vmstat(10),
    "d/web1.tar:web1/sample2/proc/vmstat": vmstat(11),
    "d/web2.tar:web2/proc/vmstat": vmstat(900),
    "d/web2.tar:web2/sample2/proc/vmstat": vmstat(902),
    "d/web3.tar:web3/proc/vmstat": vmstat(3),
  });
  expect(d.samples!.map((s) => [s.of, s.moved.map((m) => m.by)])).toEqual([
    ["d/web1.tar:web1/", [1]],
    ["d/web2.tar:web2/", [2]],
  ]);
  expect((await diagnosed({ "proc/vmstat": vmstat(1), "vmstat.2": vmstat(5) })).samples).toBeUndefined();
});
