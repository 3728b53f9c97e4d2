// The experiment as a process: interrupted by Ctrl-C, and in shards that GNU parallel or a shell runs. Against the built package.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const cli = join(process.env["SKBLAB_DIST"] ?? join(root, "dist"), "cli/main.js");
const directory = mkdtempSync(join(tmpdir(), "skblab-experiment-"));
const file = join(directory, "sweep.yaml");
writeFileSync(
  file,
  `kind: experiment
seeds: 4
metrics: [failureShare, goodputMbit]
base:
  kind: machine
  release: 2.6.24-x86_64
  memoryMb: 64
  nics: [{ driver: ringnic, settings: { rx_ring: 32, refill: after } }]
  traffic: [{ framesPerSecond: 20000, burst: 16 }]
  reader: { everyMicros: 10000, rcvbufKb: 8192 }
  load: { kilopages: 40, jobs: 4, pagesPerMilli: 200 }
  millis: 40
sweep: [{ path: nics.0.mtu, values: [1500, 4000, 9000] }]
`,
);
afterAll(() => rmSync(directory, { recursive: true }));

const table = (...args: readonly string[]): string => {
  const run = spawnSync(process.execPath, [cli, "experiment", file, ...args], { encoding: "utf8" });
  expect(run.stderr.replace(/^npm warn.*\n/gm, "")).not.toMatch(/skblab:/);
  expect(run.status).toBe(0);
  return run.stdout;
};
const linesIn = (path: string): number => readFileSync(path, "utf8").split("\n").length - 2;

describe("an experiment", () => {
  const whole = table("--jobs", "2");

  test("that Ctrl-C ended goes on where it stopped, and prints the table of one that was left alone, byte for byte", async () => {
    const out = join(directory, "interrupted");
    const shard = join(out, "shard-1-of-1.ndjson");
    const child = spawn(process.execPath, [cli, "experiment", file, "--jobs", "1", "--out", out], { stdio: "ignore" });
    const ended = new Promise<NodeJS.Signals | null>((resolve) => child.on("exit", (_code, signal) => resolve(signal)));
    const done = (): number => {
      try {
        return linesIn(shard);
      } catch {
        return 0;
      }
    };
    while (done() < 3 && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill("SIGINT");
    expect(await ended).toBe("SIGINT");
    const before = done();
    expect(before).toBeGreaterThanOrEqual(3);
    expect(before).toBeLessThan(12);
    const again = spawnSync(process.execPath, [cli, "experiment", file, "--out", out], { encoding: "utf8" });
    expect(again.stderr).toMatch(`${before} of 12 runs were done before`);
    expect(again.stdout).toBe(whole);
  });

  test("in shards that run at the same time, and are merged, is the same table", () => {
    const out = join(directory, "shards");
    const line = `"${process.execPath}" "${cli}" experiment "${file}" --jobs 1 --shard {}/3 --out "${out}"`;
    execFileSync("sh", ["-c", `seq 1 3 | xargs -P 2 -I{} sh -c '${line}'`], { stdio: "pipe" });
    expect(readdirSync(out).sort()).toEqual(["shard-1-of-3.ndjson", "shard-2-of-3.ndjson", "shard-3-of-3.ndjson"]);
    const merged = execFileSync(process.execPath, [cli, "merge", out], { encoding: "utf8" });
    expect(merged).toBe(whole);
  });
});
