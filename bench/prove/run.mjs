// How soon `skblab diagnose --prove` has an answer: for bundled logs the time until every cause that can be run has a first ranked answer, the time
// until the last, and the processor time of it all, with one thread and with all cores; then an experiment with one thread and with all cores.
//   node bench/prove/run.mjs [runs=3]       (npm run build first)
// Clock times are of this machine as busy as it is; processor time divided by the cores is what they would be on an idle one, at best.
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { runPool } from "../../dist/cli/parallel/pool.js";
import { openPool, proveAllWith } from "../../dist/cli/parallel/prove_all.js";
import { explain } from "../../dist/diagnosis/explain.js";
import { planExperiment, unitOf, unitsOf } from "../../dist/scenario/experiment.js";
import { kindNamed } from "../../dist/scenario/kinds.js";
import { median, result } from "../harness.mjs";

const runs = Number(process.argv[2] ?? 3);
const root = join(import.meta.dirname, "../..");
const cores = availableParallelism();
/** A first answer of a bundled log, seconds; both seed logs whole, seconds; an experiment on all cores against one. */
const aims = { first: 3, seeds: 6, scale: 0.9 };

/** Seconds of the clock and of all processors while `work` runs, and what it made. */
async function timed(work) {
  const [clock, cpu] = [performance.now(), process.cpuUsage()];
  const made = await work(() => (performance.now() - clock) / 1000);
  const { user, system } = process.cpuUsage(cpu);
  return { made, clock: (performance.now() - clock) / 1000, cpu: (user + system) / 1e6 };
}

async function proofs(name, threads) {
  const { incidents } = await explain({ [name]: readFileSync(join(root, name), "utf8") });
  const pool = openPool(threads);
  const { made, ...spent } = await timed(async (since) => {
    let first;
    await proveAllWith(incidents, async (proof) => (await pool.run([{ proof }]))[0], {
      progress: () => {},
      soFar: (known) => {
        if (known.every((p) => p !== undefined)) first ??= since();
      },
    });
    return first;
  });
  await pool.close();
  return { ...spent, first: made };
}

const figure = (seconds) => seconds.toFixed(2).padStart(7);
console.log(`seconds, medians of ${runs}; ${cores} cores\n`);
console.log(`${"log".padEnd(34)} threads   first   whole     cpu  cpu/cores`);
for (const log of ["ppc405ex_emac_2009", "tg3_gentoo_2009", "failures_6.1", "e1000_refill_6.1"]) {
  for (const threads of [1, cores]) {
    const all = [];
    for (let i = 0; i < runs; i++) all.push(await proofs(`fixtures/logs/${log}.txt`, threads));
    const of = (what) => median(all.map((r) => r[what]));
    console.log(
      `${log.padEnd(34)} ${String(threads).padStart(7)} ${figure(of("first"))} ${figure(of("clock"))} ${figure(of("cpu"))}    ${figure(of("cpu") / threads)}`,
    );
    if (threads > 1) {
      result(`--prove ${log}: first answer, s`, of("first"), { aim: aims.first });
      if (/2009/.test(log)) result(`--prove ${log}: whole, s`, of("clock"), { aim: aims.seeds });
    }
  }
}

const experiment = {
  question: "",
  base: { kind: "machine", memoryMb: 64, nics: [{ driver: "tg3", mtu: 9000 }], load: { kilopages: 40 }, millis: 40 },
  seeds: 6,
  firstSeed: 1,
  metrics: ["failureShare"],
  sweep: [{ path: "nics.0.mtu", values: [1500, 4000, 9000] }],
};
const plan = planExperiment(experiment, "bench", () => undefined);
const units = Array.from({ length: unitsOf(plan) }, (_, u) => unitOf(plan, u));
const sweep = async (jobs) => {
  const all = [];
  for (let i = 0; i < runs; i++)
    all.push(
      await timed(() =>
        runPool(
          units.map(({ variant, seed }) => ({ kind: kindNamed(plan.kind).kind, settings: variant.settings, seed })),
          { jobs },
        ),
      ),
    );
  return { clock: median(all.map((r) => r.clock)), cpu: median(all.map((r) => r.cpu)) };
};
const [one, many] = [await sweep(1), await sweep(cores)];
const scale = one.clock / many.clock;
console.log(
  `\nsweep of ${units.length} machines: one thread ${one.clock.toFixed(2)} s (cpu ${one.cpu.toFixed(2)}), ${cores} threads ${many.clock.toFixed(2)} s (cpu ${many.cpu.toFixed(2)}): ${scale.toFixed(2)} times as fast; at best ${((cores * one.cpu) / many.cpu).toFixed(2)} by processor time`,
);
result(`sweep on ${cores} cores, times as fast, per core`, scale / cores, { aim: aims.scale, over: true });
