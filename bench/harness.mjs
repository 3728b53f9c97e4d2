// What the benches share: compile the C twin beside a bench, run twin and model in turn in processes of their own, insist on equal
// checksums, take medians of the ratios; and, on the worker's side, the measured loop.
//
// Twin and worker both print one line: nanoseconds an operation, checksum, and what else the bench wants to know.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PerformanceObserver, performance } from "node:perf_hooks";
import { setTimeout as wait } from "node:timers/promises";
import { exactKernels } from "../dist/model/kernels/parts_for.js";

export const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** One ratio for the table of bench/run.mjs; `aim` is the goal, of which `over` means that more is better. */
export function result(what, ratio, { aim, over = false } = {}) {
  process.send?.({ what, ratio, aim, over });
}

/** Runs `use` with a folder that is gone afterwards. */
export async function inTemporaryFolder(use) {
  const folder = mkdtempSync(join(tmpdir(), "skblab-bench-"));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Compiles `here`/twin.c and gives `use` the twin, as a function of its arguments and its input; `path` is where it lies. */
export function withTwin(here, use) {
  return inTemporaryFolder((folder) => {
    const path = join(folder, "twin");
    execFileSync("cc", ["-O2", "-o", path, join(here, "twin.c")]);
    return use(twinAt(path), path);
  });
}

/** The compiled twin at a path. */
export function twinAt(path) {
  return (args, input) => line(execFileSync(path, args.map(String), { input, encoding: "utf8" }));
}

/** worker.mjs of `here`, in a Node of its own. */
export function workerOf(here) {
  const worker = join(here, "worker.mjs");
  const text = (args) =>
    execFileSync(process.execPath, ["--expose-gc", worker, ...args.map(String)], { encoding: "utf8" });
  return { text, run: (args) => line(text(args)) };
}

function line(text) {
  const [nanos, checksum, ...rest] = text.trim().split(" ");
  return { nanos: Number(nanos), checksum: Number(checksum), rest: rest.map(Number) };
}

/** Twin and model in turn, `rounds` times: nanoseconds of both, the median of their ratios, and the model's further numbers of each round. */
export function race(title, rounds, twin, model) {
  const c = [];
  const js = [];
  const rest = [];
  let checksum;
  let twinRest;
  for (let round = 0; round < rounds; round++) {
    const theirs = twin();
    const ours = model();
    if (ours.checksum !== theirs.checksum)
      throw new Error(`${title}: checksums differ, C ${theirs.checksum}, JS ${ours.checksum}`);
    checksum = ours.checksum;
    twinRest = theirs.rest;
    c.push(theirs.nanos);
    js.push(ours.nanos);
    rest.push(ours.rest);
  }
  return { c, js, rest, twinRest, checksum, ratio: median(js.map((nanos, i) => nanos / c[i])) };
}

/** A table of races over [work, operations, title], or [arguments, title]; the worker's third number is how many garbage collections fell into its loop. */
export function raceTable(here, cases, rounds, goal) {
  return withTwin(here, (twin) => {
    const worker = workerOf(here);
    console.log(
      `${"work".padEnd(36)} ${"C ns".padStart(8)} ${"JS ns".padStart(8)} ${"JS/C".padStart(6)}  GCs  checksum`,
    );
    for (const one of cases) {
      const title = one.at(-1);
      const args = Array.isArray(one[0]) ? one[0] : one.slice(0, -1);
      const { c, js, rest, checksum, ratio } = race(
        title,
        rounds,
        () => twin(args),
        () => worker.run(args),
      );
      const collections = rest.reduce((sum, [n]) => sum + n, 0);
      console.log(
        `${title.padEnd(36)} ${median(c).toFixed(1).padStart(8)} ${median(js).toFixed(1).padStart(8)} ${ratio.toFixed(2).padStart(6)}  ${String(collections).padStart(3)}  ${checksum}`,
      );
      result(title, ratio, goal);
    }
  });
}

/** The recorded kernel that SKBLAB_KERNEL names (5.10, 6.1, 6.12, 7.2, 7.3; 6.1 otherwise), with its branch as the twins take it. */
export function kernelAsked() {
  const branch = process.env.SKBLAB_KERNEL ?? "6.1";
  const kernel = exactKernels.find((k) => k.release.version.slice(0, 2).join(".") === branch);
  if (kernel === undefined) throw new Error(`SKBLAB_KERNEL=${branch} is no recorded kernel`);
  return { ...kernel, branch };
}

/** Processor time of the loop, V8's own threads included: other work on the machine must not count. Nanoseconds an operation. */
export function processorNanos(ops, loop) {
  const begin = process.cpuUsage();
  loop();
  const { user, system } = process.cpuUsage(begin);
  return ((user + system) * 1000) / ops;
}

/** processorNanos(), and how many garbage collections began in the loop; what start-up left behind is collected before (--expose-gc). */
export async function nanosAndCollections(ops, loop) {
  const collections = [];
  new PerformanceObserver((list) => collections.push(...list.getEntries())).observe({ entryTypes: ["gc"] });
  globalThis.gc?.();
  const from = performance.now();
  const nanos = processorNanos(ops, loop);
  const to = performance.now();
  await wait(20);
  return { nanos, collections: collections.filter((c) => c.startTime >= from && c.startTime <= to).length };
}

/** The worker's answer: its one line. */
export function answer(nanos, checksum, ...rest) {
  process.stdout.write(`${[nanos.toFixed(3), checksum >>> 0, ...rest].join(" ")}\n`);
}
