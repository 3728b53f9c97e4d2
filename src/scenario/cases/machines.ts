// Cases that run whole machines with the real drivers' allocations.
import { mean } from "../../analysis/statistics.ts";
import type { MachineResult } from "../machine_run.ts";
import { runMachine } from "../machine_run.ts";
import { machineSchema } from "../machine_settings.ts";
import type { Several } from "./case.ts";
import { claimOf, judge, judgeIf, percent, several, withKnobs } from "./case.ts";
import type { ValuesOf } from "./knobs.ts";
import { choiceKnob, numberKnob } from "./knobs.ts";

/** Runs the same machine with several seeds. */
function runs(
  given: object,
  seeds: number,
  done: (i: number) => void,
): {
  readonly all: readonly MachineResult[];
  of(pick: (r: MachineResult) => number): number;
  over(pick: (r: MachineResult) => number): Several;
} {
  const all = Array.from({ length: seeds }, (_, i) => {
    done(i);
    return runMachine(machineSchema.parse({ ...given, seed: i + 1, reports: 0 }));
  });
  return { all, of: (pick) => mean(all.map(pick)), over: (pick) => several(all.map(pick)) };
}

const barOf = (label: string, { mean: value, least, most }: Several) => ({
  label,
  value,
  range: [least, most] as const,
});

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

const emacKnobs = {
  mtu: numberKnob("MTU to compare with 1500 and 9000", "bytes", 4000, 1600, 8900),
  memoryMb: numberKnob("memory", "MB", 128, 64, 512),
  framesPerSecond: numberKnob("arriving frames", "per second", 15000, 1000, 100_000),
  burst: numberKnob("frames per burst", "", 16, 1, 256),
  pagesPerMilli: numberKnob("page requests of the load", "per ms", 600, 0, 3000),
  millis: numberKnob("simulated time of traffic", "ms", 60, 10, 500),
  seeds: numberKnob("runs per MTU", "", 3, 1, 20),
};
type EmacKnobs = ValuesOf<typeof emacKnobs>;

const emacBase = (mtu: number, set: EmacKnobs): object => ({
  release: "2.6.31-ppc32",
  memoryMb: set.memoryMb,
  nics: [{ driver: "ibm_emac", mtu }],
  traffic: [{ framesPerSecond: set.framesPerSecond, burst: set.burst }],
  load: { kilopages: 80, jobs: 10, pagesPerMilli: set.pagesPerMilli },
  reader: { everyMicros: 20000, rcvbufKb: 16384 },
  millis: set.millis,
});

export const emacJumbo = withKnobs(emacKnobs, {
  id: "emac-jumbo",
  seed: "000",
  story:
    "Two teams build boards on the PPC405EX and collect data over its EMAC with 9 KB jumbo frames. After some days one board prints a bad page state while TCP frees an acknowledged buffer; the other team's boards run out of blocks of four contiguous pages. One team hopes that an MTU of 4 KB, which should fit a page, solves it.",
  question:
    "Does an MTU of 4000 keep a packet in one page on the 405EX's EMAC, and is it enough to stop the failures of 9000?",
  run: "ibm_emac of 2.6.31, 128 MB fragmented by a compile-like load that keeps running, bursts of 16 full frames; MTU 1500, 4000 and 9000, 3 seeds each.",
  wouldChange:
    "A driver that sizes its buffers by the descriptor (4080 bytes with the shared info inside), or one that receives into single pages.",
  answer(progress, set) {
    const { mtu: tried, seeds } = set;
    const mtus = [1500, tried, 9000];
    const results = mtus.map((mtu, k) =>
      runs(emacBase(mtu, set), seeds, (i) => progress((k + i / seeds) / 3, `MTU ${mtu}, seed ${i + 1}`)),
    );
    const [small, middle, large] = results as [(typeof results)[0], (typeof results)[0], (typeof results)[0]];
    const needs = results.map((r) => Math.min(...r.all.map(smallestLarge)));
    const quiet = machineSchema.parse({ ...emacBase(tried, set), load: undefined, millis: 5, seed: 1 });
    const calm = runMachine(quiet);
    const losses = results.map((r) => r.of(lost));
    return {
      id: "emac-jumbo",
      answer:
        `${highest(calm, 3) === 0 ? "Yes" : "No"}: at MTU ${tried} a receive buffer takes a block of order ${needs[1]} or higher. MTU ${tried} loses ${percent(losses[1] ?? 0)} of the frames here, ` +
        `MTU 9000 ${percent(losses[2] ?? 0)}, MTU 1500 ${percent(losses[0] ?? 0)}.`,
      claims: [
        {
          id: `${tried}-one-page`,
          claim: `An MTU of ${tried} keeps a receive buffer inside one page.`,
          answer: judge(highest(calm, 3) === 0),
          measured: { smallestOrderThatServed: needs[1] ?? -1, highestOrderAsked: highest(calm, 3) },
        },
        {
          id: `${tried}-better-than-9000`,
          claim: `An MTU of ${tried} loses fewer frames than 9000 on the same fragmented memory.`,
          answer: judgeIf((losses[2] ?? 0) > 0, (losses[1] ?? 0) < (losses[2] ?? 0)),
          measured: { [`lostShare${tried}`]: middle.over(lost), lostShare9000: large.over(lost) },
        },
        {
          id: "9000-order-2",
          claim: "At MTU 9000 every buffer is a block of order 2, and those requests fail in the log.",
          answer: judge(large.of((r) => printed(r, 2)) > 0),
          measured: { printedFailuresOfOrder2: large.over((r) => printed(r, 2)), pageRequests: large.over(asked) },
        },
        {
          id: "1500-safe",
          claim: "At MTU 1500 nothing is lost for lack of a large block.",
          answer: judge(small.of((r) => printed(r)) === 0 && small.of(driverDrops) === 0),
          measured: { printedFailures: small.over((r) => printed(r)), framesLost: small.over(driverDrops) },
        },
        {
          id: "throughput",
          claim: `MTU 9000 carries more payload per second than MTU ${tried} on this machine.`,
          answer: judge(large.of((r) => r.goodputMbit) > middle.of((r) => r.goodputMbit)),
          measured: {
            [`goodputMbit${tried}`]: middle.over((r) => r.goodputMbit),
            goodputMbit9000: large.over((r) => r.goodputMbit),
          },
        },
      ].map(claimOf),
      picture: {
        title: "frames lost in the driver",
        unit: "%",
        bars: mtus.map((mtu, i) => {
          const share = (results[i] ?? small).over((r) => 100 * lost(r));
          return {
            label: `MTU ${mtu}`,
            value: Number(share.mean.toFixed(2)),
            range: [Number(share.least.toFixed(2)), Number(share.most.toFixed(2))] as const,
          };
        }),
      },
    };
  },
});

const tg3Knobs = {
  release: choiceKnob("kernel", "2.6.24-x86_64", ["2.6.22-x86_64", "2.6.24-x86_64", "2.6.26-x86_64", "2.6.31-x86_64"]),
  minFreeKb: numberKnob("vm.min_free_kbytes in the runs that raise it", "KB", 16384, 1024, 65536),
  memoryMb: numberKnob("memory", "MB", 128, 96, 512),
  framesPerSecond: numberKnob("arriving frames", "per second", 60000, 1000, 200_000),
  burst: numberKnob("frames per burst", "", 128, 1, 512),
  writesPerSecond: numberKnob("32 KB writes that are sent", "per second", 1000, 1, 10_000),
  pagesPerMilli: numberKnob("page requests of the load", "per ms", 600, 0, 3000),
  millis: numberKnob("simulated time of traffic", "ms", 60, 10, 500),
  seeds: numberKnob("runs per change", "", 3, 1, 20),
};

const tg3Base = (set: ValuesOf<typeof tg3Knobs>): object => ({
  release: set.release,
  memoryMb: set.memoryMb,
  nics: [{ driver: "tg3", tso: true }],
  traffic: [{ framesPerSecond: set.framesPerSecond, burst: set.burst }],
  sends: [{ writesPerSecond: set.writesPerSecond }],
  reader: { everyMicros: 20000, rcvbufKb: 16384 },
  load: { kilopages: 150, jobs: 10, pagesPerMilli: set.pagesPerMilli },
  millis: set.millis,
});

export const tg3Order1 = withKnobs(tg3Knobs, {
  id: "tg3-order1",
  seed: "001",
  story:
    "In 2009 an administrator finds the same failure in the logs of several servers over a week: an order-1 allocation failed in the idle task while tg3 refilled its receive ring. Two settings look suspicious, TCP segmentation offload and a small vm.min_free_kbytes. Both are changed and the message does not come back; which of the two it was is never found out.",
  question:
    "tg3 reports `page allocation failure. order:1, mode:0x4020`: is TSO the cause, and which change makes it stop?",
  run: "tg3 of 2.6.24 on amd64 with SLUB, 128 MB under a compile-like load, bursts received while 1000 writes of 32 KB are sent per second; TSO on and off, min_free_kbytes as computed and 16384, both together, slub_max_order=0, MTU 1500 and 9000; 3 seeds each.",
  wouldChange:
    "A kernel whose slabs fall back to a smaller order (2.6.26 and later), or whose receive buffers are single pages.",
  answer(progress, set) {
    const { seeds, minFreeKb, millis } = set;
    const asItWas = tg3Base(set);
    const variants = [
      { name: "as it was", set: {} },
      { name: "TSO off", set: { nics: [{ driver: "tg3", tso: false }] } },
      { name: `min_free_kbytes ${minFreeKb}`, set: { sysctl: { min_free_kbytes: minFreeKb } } },
      {
        name: "MTU 9000",
        // As many bytes a second, in frames six times as long.
        set: {
          nics: [{ driver: "tg3", tso: true, mtu: 9000 }],
          traffic: [
            {
              framesPerSecond: Math.max(1, Math.floor(set.framesPerSecond / 6)),
              burst: Math.max(1, Math.floor(set.burst / 6)),
            },
          ],
        },
      },
      { name: "slub_max_order=0", set: { slubMaxOrder: 0 } },
      {
        name: "both changes together",
        set: { nics: [{ driver: "tg3", tso: false }], sysctl: { min_free_kbytes: minFreeKb } },
      },
    ];
    const steps = variants.length + 1;
    const results = variants.map((v, k) =>
      runs({ ...asItWas, ...v.set }, seeds, (i) => progress((k + i / seeds) / steps, `${v.name}, seed ${i + 1}`)),
    );
    const ofOrder1 = (r: MachineResult): number => printed(r, 1);
    const failures = results.map((r) => r.over((x) => printed(x)));
    const [was, off, reserve, jumbos, slabs, both] = failures as [Several, Several, Several, Several, Several, Several];
    const [base, noTso, minFree, jumbo, smallSlabs] = [was.mean, off.mean, reserve.mean, jumbos.mean, slabs.mean];
    const order1 = results[0]?.of(ofOrder1) ?? 0;
    const receiveOnly = runs({ ...asItWas, sends: [] }, seeds, (i) =>
      progress((steps - 1 + i / seeds) / steps, `nothing sent, seed ${i + 1}`),
    );
    const alone = receiveOnly.of(ofOrder1);
    return {
      id: "tg3-order1",
      answer:
        base === 0
          ? `Such a machine does not fail, so this run shows nothing about what stops the failures: ${noTso.toFixed(0)} failures without TSO, ${jumbo.toFixed(0)} with MTU 9000.`
          : `TSO is ${noTso < base / 4 ? "" : "not "}the cause: ${base.toFixed(0)} failures with it, ${noTso.toFixed(0)} without, and ${alone.toFixed(0)} when nothing is sent at all. ` +
            `${order1.toFixed(0)} of them are of order 1. Raising vm.min_free_kbytes to ${minFreeKb} leaves ${minFree.toFixed(0)}, slabs of one page (slub_max_order=0) ${smallSlabs.toFixed(0)}.`,
      claims: [
        {
          id: "tso-cause",
          claim: "Turning TSO off makes the failures stop.",
          answer: judgeIf(base > 0, noTso < base / 4),
          measured: {
            failuresWithTso: was,
            failuresWithoutTso: off,
            failuresWithNothingSent: receiveOnly.over(ofOrder1),
          },
        },
        {
          id: "receive-order-1",
          claim: "A receive buffer at the standard MTU asks for a block of order 1.",
          answer: judge(order1 > 0 && alone > 0),
          measured: { printedFailuresOfOrder1: results[0]?.over(ofOrder1) ?? 0, ofThemAtMtu: 1500 },
        },
        {
          id: "min-free",
          claim: "Raising vm.min_free_kbytes makes the failures stop.",
          answer: judgeIf(base > 0, minFree < base / 4),
          measured: {
            failuresBefore: was,
            failuresAfter: reserve,
            minFreeKbBefore: results[0]?.all[0]?.minFreeKb ?? 0,
            minFreeKbAfter: results[2]?.all[0]?.minFreeKb ?? 0,
          },
        },
        {
          id: "theory",
          claim:
            "The administrator's theory holds: TSO together with a small reserve causes the failures, and either change helps.",
          answer: judgeIf(base > 0, noTso < base / 4 && minFree < base / 4),
          measured: {
            failuresBefore: was,
            withoutTso: off,
            withMoreReserve: reserve,
            withBothChanges: both,
            nothingSent: receiveOnly.over(ofOrder1),
          },
        },
        {
          id: "slab-order",
          claim:
            "With slabs of one page (slub_max_order=0) a buffer for the standard MTU needs no block, and the failures of order 1 stop.",
          answer: judgeIf(order1 > 0, (results[4]?.of((r) => printed(r, 1)) ?? 0) < order1 / 4),
          measured: {
            order1Before: results[0]?.over(ofOrder1) ?? 0,
            order1After: results[4]?.over(ofOrder1) ?? 0,
            failuresAfterOfAnyOrder: slabs,
            highestOrderAskedBefore: Math.max(...(results[0]?.all.map((r) => highest(r, 1)) ?? [0])),
            highestOrderAskedAfter: Math.max(...(results[4]?.all.map((r) => highest(r, 1)) ?? [0])),
          },
        },
        {
          id: "jumbo-worse",
          claim: "With MTU 9000 the printed order is 2, not 1: the report of order 1 shows the standard MTU.",
          answer: judgeIf(jumbo > 0, (results[3]?.of((r) => printed(r, 2)) ?? 0) > 0),
          measured: {
            printedOfOrder2: results[3]?.over((r) => printed(r, 2)) ?? 0,
            printedOfOrder1: results[3]?.over(ofOrder1) ?? 0,
          },
        },
      ].map(claimOf),
      picture: {
        title: `printed failures in ${millis} ms`,
        unit: "",
        bars: [
          ...variants.map((v, i) => barOf(v.name, failures[i] as Several)),
          barOf("nothing sent", receiveOnly.over(ofOrder1)),
        ],
      },
    };
  },
});
