import { describe, expect, test } from "vitest";
import { ndjsonLine } from "../report/exports/journal_lines.ts";
import { drawMachine } from "../report/scenario_machine.ts";
import { renderText } from "../report/text.ts";
import { machineKind } from "./machine_kind.ts";
import type { MachineResult } from "./machine_run.ts";
import { runMachine } from "./machine_run.ts";
import { machineSchema } from "./machine_settings.ts";
import { readScenario } from "./read.ts";

const run = (given: object): MachineResult => runMachine(machineSchema.parse({ memoryMb: 128, ...given }));
const lossy = { driver: "e1000e", loss: 0.003, delayMicros: 100 };
const everything = {
  nics: [lossy],
  tcp: [
    { direction: "in", connections: 3, rcvbufKb: 512 },
    { direction: "out", connections: 2, sndbufKb: 512 },
    { direction: "out", by: "sendfile" },
  ],
  rpc: [{ pages: 4, timeoutMillis: 30 }],
  millis: 80,
};
const parts = {
  workloads: [
    { kind: "page-cache", pagesPerMilli: 200, dirtyShare: 0.3, dropShare: 0.1 },
    { kind: "writeback", pagesPerMilli: 60 },
    { kind: "slab", objectsPerMilli: 200, maxObjects: 20_000, freeShare: 0.3 },
    { kind: "processes", jobs: 6, pagesPerMilli: 60, pagesMax: 500 },
    { kind: "pinned", pages: 700, pagesPerMilli: 10 },
    { kind: "atomic", blocks: 200, everyMillis: 3, holdMillis: 4 },
  ],
};

describe("TCP in a scenario", () => {
  test("loss is mended by both ends, what came joins up, and what waits takes more memory than it carries", () => {
    const { tcp, receivedBytes, goodputMbit, sent } = run(everything);
    const [into, out, file] = tcp?.streams ?? [];
    for (const stream of [into, out, file]) expect(stream?.bytes).toBeGreaterThan(200_000);
    expect([sent, receivedBytes]).toEqual([0, 0]);
    expect(goodputMbit).toBeCloseTo(into?.goodputMbit ?? 0, 6);
    expect(tcp?.counters.retransSegs).toBeGreaterThan(0);
    expect(tcp?.remote.retransmitted).toBeGreaterThan(0);
    expect(tcp?.counters.ofoQueue).toBeGreaterThan(0);
    expect(tcp?.counters.rcvCoalesce).toBeGreaterThan(10);
    expect(into?.truesizePerByte).toBeGreaterThan(1);
    expect(tcp?.rpc[0]?.answered).toBeGreaterThan(10);
  });

  test("hundreds of connections find room: a machine's sockets are thousands", () => {
    const { tcp } = run({ tcp: [{ connections: 300, bytes: 1000, writesPerSecond: 500 }], millis: 30 });
    expect(tcp?.streams[0]?.writes).toBeGreaterThan(2000);
    expect(tcp?.streams[0]?.bytes).toBeGreaterThan(1e6);
  });

  test("a call is written again when its reply is late; a reply gives pages back to the client that packets still hold", () => {
    const late = (timeoutMillis: number) =>
      run({
        nics: [{ driver: "e1000e", mbitPerSecond: 10, delayMicros: 1000 }],
        rpc: [{ pages: 8, inFlight: 4, timeoutMillis }],
        millis: 2000,
      }).tcp?.rpc[0];
    // Without a second copy too: a packet of 64 KiB holds the pages of several calls until all of it has left.
    expect(late(10_000)).toMatchObject({ sentAgain: 0 });
    const hasty = late(60);
    expect(hasty?.sentAgain).toBeGreaterThan(5);
    expect(hasty?.reusedWhileHeld).toBeGreaterThan(0);
  });

  test("a small receive buffer closes the window: less comes, and nothing is lost", () => {
    const bytes = (rcvbufKb: number) => {
      const { tcp, devices } = run({ tcp: [{ rcvbufKb, readMicros: 5000 }], millis: 100 });
      expect(devices[0]?.stats.rxMissed).toBe(0);
      return tcp?.streams[0]?.bytes ?? 0;
    };
    const [small, large] = [bytes(64), bytes(1024)];
    expect(small).toBeGreaterThan(100_000);
    expect(large).toBeGreaterThan(3 * small);
  });
});

test("listeners of a group each get every datagram, as clones but one; the pages are counted against each of them", () => {
  const one = run({ traffic: [{ bytes: 1000, framesPerSecond: 5000 }], millis: 50 });
  const group = run({ traffic: [{ bytes: 1000, framesPerSecond: 5000, listeners: 4 }], millis: 50 });
  expect(one.groups).toBeUndefined();
  expect(group.received).toBe(one.received);
  expect(group.groups?.delivered).toBeGreaterThanOrEqual(4 * group.received);
  const slow = run({
    traffic: [{ bytes: 1000, framesPerSecond: 20_000, listeners: 4 }],
    reader: { everyMicros: 20_000, rcvbufKb: 64 },
    millis: 50,
  });
  expect(slow.groups?.rcvbufErrors).toBe(slow.socketDrops);
  expect(slow.socketDrops).toBeGreaterThan(100);
});

test("more datagrams than the wire carries: what waits too long for it is not sent, and the run ends", () => {
  const r = run({
    nics: [{ driver: "ringnic", mbitPerSecond: 1 }],
    traffic: [{ framesPerSecond: 1e8, burst: 100_000 }],
    millis: 300,
  });
  expect(r.sent).toBeGreaterThan(20);
  expect(r.sent).toBeLessThan(40);
});

test("a writer without memory sleeps: writes that are due do not make it ask again", () => {
  const { orders } = run({
    memoryMb: 64,
    tcp: [{ connections: 5, direction: "out", bytes: 1, writesPerSecond: 1e6 }],
    workloads: [{ kind: "pinned", pages: 16_000, pagesPerMilli: 1000 }],
    warmMillis: 20,
    millis: 20,
    reports: 0,
  });
  const [single] = orders;
  expect(single?.failed).toBeGreaterThan(0);
  expect(single?.asked).toBeLessThan(2000);
});

describe("workloads in a scenario", () => {
  test("each says what it held and was refused; warm-up is before the samples begin, and its requests are not the network's", () => {
    const r = run({ ...parts, warmMillis: 150, millis: 50, reports: 0 });
    expect(r.pressure?.workloads.map((w) => w.kind)).toEqual(parts.workloads.map((w) => w.kind));
    for (const w of r.pressure?.workloads ?? [])
      expect(w.heldMost, w.kind).toBeGreaterThan(w.kind === "writeback" ? 10 : 150);
    expect(r.pressure?.evicted).toBeGreaterThan(1000);
    expect([r.samples[0]?.millis, r.samples.at(-1)?.millis, r.simulatedMillis]).toEqual([150.5, 200, 200]);
    expect(r.orders.reduce((n, o) => n + o.asked, 0)).toBeLessThan(5000);
  });

  test("without the page cache nothing fails: it is what leaves no memory free", () => {
    const failed = (without?: string): number =>
      run({
        release: "2.6.24-x86_64",
        nics: [{ driver: "ringnic", mtu: 9000, settings: { rx_ring: 64, refill: "after" } }],
        traffic: [{ framesPerSecond: 10_000, burst: 32 }],
        workloads: parts.workloads.filter(
          (w) => w.kind !== without && (without === undefined || w.kind !== "writeback"),
        ),
        warmMillis: 300,
        millis: 60,
        reports: 0,
      }).orders.reduce((n, o) => n + o.failed, 0);
    expect(failed()).toBeGreaterThan(10);
    expect(failed("page-cache")).toBe(0);
  });
});

test("two runs with TCP, RPC and workloads write the same journal, byte for byte; another seed another", () => {
  const journal = (seed: number): string => {
    const lines: string[] = [];
    const settings = { ...everything, ...parts, warmMillis: 30, millis: 6, memoryMb: 64, seed };
    runMachine(machineSchema.parse(settings), {
      begin: (j) =>
        void j.listen((kind, nanos, cpu, ...n) => void lines.push(ndjsonLine(kind, nanos, cpu, n, (id) => j.text(id)))),
    });
    return lines.join("\n");
  };
  const first = journal(1);
  expect(first.length).toBeGreaterThan(500_000);
  expect(first).toMatch(/"event":"tcp_retransmit_skb"/);
  expect(journal(1) === first).toBe(true);
  expect(journal(2) === first).toBe(false);
});

test("the page of a run shows streams, clients and workloads; an experiment can ask for their measures", () => {
  const result = run({ ...everything, ...parts, millis: 10 });
  const text = renderText(drawMachine(result), { colour: false, width: 120 });
  for (const part of [
    /^in eth0 +3 /m,
    /^out eth0 +1 /m,
    /^eth0 +\d+ +\d+ +\d/m,
    /slab \(objects\)/,
    /memory in TCP's queues/,
  ])
    expect(text).toMatch(part);
  const measures = machineKind.measure?.(result) ?? {};
  expect(measures.tcpInMbit).toBeGreaterThan(0);
  expect(measures.tcpReadTruesizePerByte).toBeGreaterThan(1);
});

describe("bad input", () => {
  test.each([
    ["workloads: [{ kind: slub }]", 'x.yaml:2:21: "workloads.0.kind" cannot be "slub". Did you mean "slab"?'],
    ["workloads: [{ kind: slab, byte: 3 }]", 'x.yaml:2:27: There is no "byte" in workloads. Did you mean "bytes"?'],
    ["workloads: [{ pages: 3 }]", /"workloads.0" has no `kind`. Write one of page-cache, writeback, slab/],
    ["load: {}\nworkloads: [{ kind: slab }]", /workloads and load both own the page cache/],
    ["workloads: [{ kind: writeback }]", /workloads\[0\] writes back pages that nothing dirties/],
    ["warmMillis: 5", /warmMillis without workloads warms nothing/],
    ["tcp: [{ nic: eth3 }]", /tcp\[0\].nic: there is no card eth3 here. Cards: eth0/],
    [
      "tcp: [{ connections: 200, rcvbufKb: 1000000 }]",
      /the windows let [\d,]+ frames be in flight at once; 900,000 can be simulated/,
    ],
    [
      "workloads: [{ kind: atomic, blocks: 100000, everyMillis: 0.01 }]",
      /workloads would request memory 2,000 million times: that takes hours/,
    ],
    ["tcp: [{ by: sendfile }]", /tcp\[0\].by is about writes of this machine/],
    ["rpc: [{ nic: eth1 }]", /rpc\[0\].nic: there is no card eth1 here/],
    [
      "tcp: [{ connections: 2000 }, { connections: 2000 }, { connections: 97 }]",
      /ask for 4097 sockets; a machine here has 4096/,
    ],
  ])("%j", (text, sentence) => {
    let said = "";
    try {
      readScenario("x.yaml", `kind: machine\n${text}\n`);
    } catch (error) {
      said = (error as { sentence(): string }).sentence();
    }
    expect(said).toMatch(sentence);
  });
});
