// The experiment as a process: interrupted by Ctrl-C, and in shards that GNU parallel or a shell runs. Against the built package.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { isLong } from "../../base/size.testkit.ts";
import { main as cli, smallSweep, startProgram, until } from "../process.testkit.ts";

const directory = mkdtempSync(join(tmpdir(), "skblab-experiment-"));
const file = join(directory, "sweep.yaml");
writeFileSync(file, smallSweep);
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
    const running = startProgram(process.execPath, [cli, "experiment", file, "--jobs", "1", "--out", out]);
    const done = (): number => (existsSync(shard) ? linesIn(shard) : 0);
    await until("two runs are done", () => done() >= 2);
    expect(await running.stop("SIGINT")).toBe("SIGINT");
    const before = done();
    expect(before).toBeGreaterThanOrEqual(2);
    expect(before).toBeLessThan(6);
    const again = spawnSync(process.execPath, [cli, "experiment", file, "--out", out], { encoding: "utf8" });
    expect(again.stderr).toMatch(`${before} of 6 runs were done before`);
    expect(again.stdout).toBe(whole);
  });

  // The parts and their joining without processes: src/cli/parallel/shard_file.test.ts.
  test.runIf(isLong)("in shards that run at the same time, and are merged, is the same table", () => {
    const out = join(directory, "shards");
    const line = `"${process.execPath}" "${cli}" experiment "${file}" --jobs 1 --shard {}/3 --out "${out}"`;
    // Debian has two programs of this name: only GNU's takes ::: (moreutils' has no --version).
    const gnu = /GNU/.test(spawnSync("parallel", ["--version"], { encoding: "utf8" }).stdout ?? "");
    const run = gnu ? `parallel -j 2 '${line}' ::: 1 2 3` : `seq 1 3 | xargs -P 2 -I{} sh -c '${line}'`;
    execFileSync("sh", ["-c", run], { stdio: "pipe" });
    expect(readdirSync(out).sort()).toEqual(["shard-1-of-3.ndjson", "shard-2-of-3.ndjson", "shard-3-of-3.ndjson"]);
    const merged = execFileSync(process.execPath, [cli, "merge", out], { encoding: "utf8" });
    expect(merged).toBe(whole);
  });
});
