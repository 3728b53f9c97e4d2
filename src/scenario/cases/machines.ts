// Cases that run whole machines with the real drivers' allocations.
import { mean } from "../../analysis/statistics.ts";
import type { MachineResult } from "../machine_run.ts";
import { runMachine } from "../machine_run.ts";
import { machineSchema } from "../machine_settings.ts";
import type { Case } from "./case.ts";
import { judge, judgeIf, percent } from "./case.ts";

/** Runs the same machine with several seeds. */
function runs(
  given: object,
  seeds: number,
  done: (i: number) => void,
): { readonly all: readonly MachineResult[]; of(pick: (r: MachineResult) => number): number } {
  const all = Array.from({ length: seeds }, (_, i) => {
    done(i);
    return runMachine(machineSchema.parse({ ...given, seed: i + 1, reports: 0 }));
  });
  return { all, of: (pick) => mean(all.map(pick)) };
}

const printed = (r: MachineResult, order?: number): number =>
  r.printed.reduce((n, p) => n + (order === undefined || p.order === order ? p.count : 0), 0);
const asked = (r: MachineResult): number => r.orders.reduce((n, o) => n + o.asked, 0);
const driverDrops = (r: MachineResult): number =>
  r.devices.reduce((n, d) => n + d.stats.rxDropped + d.stats.rxMissed, 0);
const lost = (r: MachineResult): number => driverDrops(r) / Math.max(1, r.sent);
const highest = (r: MachineResult, least: number): number =>
  r.orders.reduce((n, o) => (o.asked >= least ? Math.max(n, o.order) : n), 0);
/** The smallest order above 0 that packet buffers were content with: SLUB's first try may ask for more than it needs. */
const smallestLarge = (r: MachineResult): number =>
  r.orders.reduce((n, o) => (o.order > 0 && o.asked > o.failed ? Math.min(n, o.order) : n), 99);

const emacBase = (mtu: number): object => ({
  release: "2.6.31-ppc32",
  memoryMb: 128,
  nics: [{ driver: "ibm_emac", mtu }],
  traffic: [{ framesPerSecond: 15000, burst: 16 }],
  load: { kilopages: 80, jobs: 10, pagesPerMilli: 600 },
  reader: { everyMicros: 20000, rcvbufKb: 16384 },
  millis: 60,
});

export const emacJumbo: Case = {
  id: "emac-jumbo",
  seed: "000",
  question:
    "Does an MTU of 4000 keep a packet in one page on the 405EX's EMAC, and is it enough to stop the failures of 9000?",
  run: "ibm_emac as 2.6.31 has it, 128 MB fragmented by a compile-like load that goes on, bursts of 16 full frames; MTU 1500, 4000 and 9000, 3 seeds each.",
  wouldChange:
    "A driver that sizes its buffers by the descriptor (4080 bytes with the shared info inside), or one that receives into single pages.",
  answer(progress) {
    const mtus = [1500, 4000, 9000];
    const results = mtus.map((mtu, k) =>
      runs(emacBase(mtu), 3, (i) => progress((k * 3 + i) / 9, `MTU ${mtu}, seed ${i + 1}`)),
    );
    const [small, middle, large] = results as [(typeof results)[0], (typeof results)[0], (typeof results)[0]];
    const needs = results.map((r) => Math.min(...r.all.map(smallestLarge)));
    const quiet = machineSchema.parse({ ...emacBase(4000), load: undefined, millis: 5, seed: 1 });
    const calm = runMachine(quiet);
    const failures = results.map((r) => r.of((x) => printed(x)));
    const losses = results.map((r) => r.of(lost));
    return {
      id: "emac-jumbo",
      answer:
        `${highest(calm, 3) === 0 ? "Yes" : "No"}: at MTU 4000 a receive buffer is served by blocks of order ${needs[1]} and up. It loses ${percent(losses[1] ?? 0)} of the frames here, ` +
        `MTU 9000 ${percent(losses[2] ?? 0)}, MTU 1500 ${percent(losses[0] ?? 0)}.`,
      claims: [
        {
          id: "4000-one-page",
          claim: "An MTU of 4000 keeps a receive buffer inside one page.",
          answer: judge(highest(calm, 3) === 0),
          measured: { smallestOrderThatServed: needs[1] ?? -1, highestOrderAsked: highest(calm, 3) },
        },
        {
          id: "4000-better-than-9000",
          claim: "An MTU of 4000 loses fewer frames than 9000 on the same fragmented memory.",
          answer: judgeIf((losses[2] ?? 0) > 0, (losses[1] ?? 0) < (losses[2] ?? 0)),
          measured: { lostShare4000: losses[1] ?? 0, lostShare9000: losses[2] ?? 0 },
        },
        {
          id: "9000-order-2",
          claim: "At MTU 9000 every buffer is a block of order 2, and those requests fail in the log.",
          answer: judge(large.of((r) => printed(r, 2)) > 0),
          measured: { printedFailuresOfOrder2: large.of((r) => printed(r, 2)), pageRequests: large.of(asked) },
        },
        {
          id: "1500-safe",
          claim: "At MTU 1500 nothing is lost for want of a large block.",
          answer: judge(small.of((r) => printed(r)) === 0 && small.of(driverDrops) === 0),
          measured: { printedFailures: failures[0] ?? 0, framesLost: small.of(driverDrops) },
        },
        {
          id: "throughput",
          claim: "MTU 9000 carries more payload per second than MTU 4000 on this machine.",
          answer: judge(large.of((r) => r.goodputMbit) > middle.of((r) => r.goodputMbit)),
          measured: {
            goodputMbit4000: middle.of((r) => r.goodputMbit),
            goodputMbit9000: large.of((r) => r.goodputMbit),
          },
        },
      ],
      picture: {
        title: "frames lost in the driver",
        unit: "%",
        bars: mtus.map((mtu, i) => ({ label: `MTU ${mtu}`, value: Number((100 * (losses[i] ?? 0)).toFixed(2)) })),
      },
    };
  },
};

const tg3Base = {
  release: "2.6.24-x86_64",
  memoryMb: 128,
  nics: [{ driver: "tg3", tso: true }],
  traffic: [{ framesPerSecond: 60000, burst: 128 }],
  sends: [{ writesPerSecond: 1000 }],
  reader: { everyMicros: 20000, rcvbufKb: 16384 },
  load: { kilopages: 150, jobs: 10, pagesPerMilli: 600 },
  millis: 60,
};

export const tg3Order1: Case = {
  id: "tg3-order1",
  seed: "001",
  question:
    "tg3 reports `page allocation failure. order:1, mode:0x4020`: is TSO the cause, and which change makes it stop?",
  run: "tg3 of 2.6.24 on amd64 with SLUB, 128 MB under a compile-like load, bursts received while 1000 writes of 32 KB a second are sent; TSO on and off, min_free_kbytes as computed and 16384, MTU 1500 and 9000; 3 seeds each.",
  wouldChange:
    "A kernel whose slabs fall back to a smaller order (2.6.26 and later), or whose receive buffers are single pages.",
  answer(progress) {
    const variants = [
      { name: "as it was", set: {} },
      { name: "TSO off", set: { nics: [{ driver: "tg3", tso: false }] } },
      { name: "min_free_kbytes 16384", set: { sysctl: { min_free_kbytes: 16384 } } },
      {
        name: "MTU 9000",
        set: { nics: [{ driver: "tg3", tso: true, mtu: 9000 }], traffic: [{ framesPerSecond: 10000, burst: 21 }] },
      },
    ];
    const results = variants.map((v, k) =>
      runs({ ...tg3Base, ...v.set }, 3, (i) => progress((k * 3 + i) / 12, `${v.name}, seed ${i + 1}`)),
    );
    const failures = results.map((r) => r.of((x) => printed(x)));
    const [base = 0, noTso = 0, minFree = 0, jumbo = 0] = failures;
    const order1 = results[0]?.of((r) => printed(r, 1)) ?? 0;
    const receiveOnly = runs({ ...tg3Base, sends: [] }, 3, () => progress(1, "nothing sent"));
    const alone = receiveOnly.of((r) => printed(r, 1));
    return {
      id: "tg3-order1",
      answer:
        `TSO is ${base > 0 && noTso < base / 4 ? "" : "not "}the cause: ${base.toFixed(0)} failures with it, ${noTso.toFixed(0)} without, and ${alone.toFixed(0)} when nothing is sent at all. ` +
        `${order1.toFixed(0)} of them are of order 1. Raising vm.min_free_kbytes to 16384 leaves ${minFree.toFixed(0)}.`,
      claims: [
        {
          id: "tso-cause",
          claim: "Turning TSO off makes the failures stop.",
          answer: judgeIf(base > 0, noTso < base / 4),
          measured: { failuresWithTso: base, failuresWithoutTso: noTso, failuresWithNothingSent: alone },
        },
        {
          id: "receive-order-1",
          claim: "A receive buffer at the standard MTU asks for a block of order 1.",
          answer: judge(order1 > 0 && alone > 0),
          measured: { printedFailuresOfOrder1: order1, ofThemAtMtu: 1500 },
        },
        {
          id: "min-free",
          claim: "Raising vm.min_free_kbytes makes the failures stop.",
          answer: judgeIf(base > 0, minFree < base / 4),
          measured: {
            failuresBefore: base,
            failuresAfter: minFree,
            minFreeKbBefore: results[0]?.all[0]?.minFreeKb ?? 0,
            minFreeKbAfter: results[2]?.all[0]?.minFreeKb ?? 0,
          },
        },
        {
          id: "jumbo-worse",
          claim: "With MTU 9000 the printed order is 2, not 1: the report of order 1 shows the standard MTU.",
          answer: judgeIf(jumbo > 0, (results[3]?.of((r) => printed(r, 2)) ?? 0) > 0),
          measured: {
            printedOfOrder2: results[3]?.of((r) => printed(r, 2)) ?? 0,
            printedOfOrder1: results[3]?.of((r) => printed(r, 1)) ?? 0,
          },
        },
      ],
      picture: {
        title: "printed failures in 60 ms",
        unit: "",
        bars: [
          ...variants.map((v, i) => ({ label: v.name, value: failures[i] ?? 0 })),
          { label: "nothing sent", value: alone },
        ],
      },
    };
  },
};
