// Random machines with TCP, RPC, groups and workloads: none ends in our own assertion, none carries more than its wire, and each is the same twice.
import { expect, test } from "vitest";
import type { Prng } from "../base/prng.ts";
import { prng } from "../base/prng.ts";
import { runMachine } from "./machine_run.ts";
import { machineSchema } from "./machine_settings.ts";

const cards = [
  ["ringnic", "2.6.24-x86_64"],
  ["e1000", "2.6.24-x86_64"],
  ["e1000e", "6.1-x86_64"],
  ["virtio_net", "6.1-x86_64"],
  ["tg3", "3.2-x86_64"],
  ["ibm_emac", "2.6.29-ppc32"],
  ["mvneta", "4.14-arm"],
  ["mvneta", "6.1-arm64"],
] as const;

const stream = (r: Prng): object => {
  const direction = r.pick(["in", "out"]);
  return {
    direction,
    connections: 1 + r.below(6),
    bytes: r.pick([1, 200, 3000, 65_536]),
    rcvbufKb: r.pick([4, 16, 128, 2000]),
    readMicros: r.pick([0, 50, 5000]),
    windowKb: r.pick([2, 64, 1024]),
    ...(r.chance(0.5) ? { writesPerSecond: r.pick([100, 5000, 100_000]) } : {}),
    ...(r.chance(0.3) ? { sndbufKb: r.pick([5, 64, 1000]) } : {}),
    ...(direction === "out" ? { by: r.pick(["write", "sendfile"]), noDelay: r.chance(0.5) } : {}),
  };
};

const pressure = (r: Prng): object => ({
  workloads: [
    { kind: "page-cache", pagesPerMilli: r.below(300), dirtyShare: 0.1 + r.unit() / 2, dropShare: r.unit() },
    { kind: "writeback", pagesPerMilli: r.below(200) },
    { kind: "slab", objectsPerMilli: r.below(500), maxObjects: 20_000, freeShare: r.unit() / 2 },
    { kind: "processes", pagesPerMilli: r.below(200) },
    { kind: "pinned", pages: 1 + r.below(10_000), pagesPerMilli: 100 },
    { kind: "atomic", blocks: 1 + r.below(300), order: r.below(3) },
  ],
  // A machine that has run out of memory looks at every page for each request: much longer than this is slow and tells nothing new.
  warmMillis: r.below(20),
});

const machine = (r: Prng): object => {
  const [driver, release] = r.pick(cards);
  return {
    release,
    memoryMb: r.pick([64, 128]),
    cpus: r.pick([1, 1, 2]),
    nics: [
      {
        driver,
        mtu: r.pick([300, 1500, 1500, 4000, 9000]),
        loss: r.pick([0, 0, 0.001, 0.05]),
        delayMicros: r.pick([1, 100, 3000]),
        ...(r.chance(0.3) ? { tso: r.chance(0.5) } : {}),
        settings: r.chance(0.3) ? { rx_ring: 32 } : {},
      },
    ],
    tcp: Array.from({ length: 1 + r.below(3) }, () => stream(r)),
    rpc: r.chance(0.4)
      ? [{ pages: 1 + r.below(20), inFlight: 1 + r.below(8), timeoutMillis: r.pick([1, 10, 100]) }]
      : [],
    ...(r.chance(0.3) ? { traffic: [{ bytes: 100, burst: 1 + r.below(50), listeners: 1 + r.below(4) }] } : {}),
    ...(r.chance(0.6) ? pressure(r) : {}),
    millis: 10,
    eventsMax: 60_000,
    reports: 0,
  };
};

const seeds = Array.from({ length: 6 }, () => Math.floor(Math.random() * 2 ** 31));
test.each(seeds)("seed %i", (seed) => {
  const settings = { ...machine(prng(seed)), seed };
  const result = runMachine(machineSchema.parse(settings));
  const { tcp } = result;
  expect(result.goodputMbit).toBeLessThanOrEqual(1001);
  for (const s of tcp?.streams ?? []) expect(s.goodputMbit).toBeLessThanOrEqual(1001);
  for (const c of tcp?.rpc ?? []) expect(c.answered).toBeLessThanOrEqual(c.calls);
  const again = runMachine(machineSchema.parse(settings));
  expect(JSON.stringify(again) === JSON.stringify(result)).toBe(true);
});
