// A storm: a log of nothing but reports (storm.mjs), read and diagnosed; processor time of skblab beside that of grep -c on the same file, and
// what a start with a small log takes.
//   node bench/diagnose/dense.mjs [megabytes=123] [runs=3]
import { execFileSync, spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { inTemporaryFolder, median, result } from "../harness.mjs";
import { storms, writeStorm } from "./storm.mjs";

const megabytes = Number(process.argv[2] ?? 123);
const runs = Number(process.argv[3] ?? 3);
const root = join(import.meta.dirname, "../..");
const main = join(root, "dist/cli/main.js");

/** Seconds of processor time, user and system, of one run: other work on the machine must not count. */
function processorSeconds(command, args) {
  // grep stops at the first match where nobody reads what it writes.
  const script = '"$@" 2>/dev/null | cat >/dev/null; times';
  const text = execFileSync("bash", ["-c", script, "bash", command, ...args], { encoding: "utf8" });
  const [, children] = text.trim().split("\n");
  return children
    .match(/(\d+)m([\d.]+)s/g)
    .map((t) => /(\d+)m([\d.]+)s/.exec(t))
    .reduce((sum, [, minutes, seconds]) => sum + 60 * Number(minutes) + Number(seconds), 0);
}

await inTemporaryFolder((temp) => {
  for (const kind of Object.keys(storms)) {
    const log = join(temp, "storm.log");
    writeStorm(log, kind, megabytes * 1e6);
    const size = statSync(log).size / 1e6;
    const [grep, skblab] = [[], []];
    for (let i = 0; i < runs; i++) {
      grep.push(processorSeconds("grep", ["-c", "page allocation failure", log]));
      skblab.push(processorSeconds(process.execPath, [main, "diagnose", log, "--brief"]));
    }
    const rate = size / median(skblab);
    console.log(
      `${kind.padEnd(26)} ${size.toFixed(0)} MB: skblab ${median(skblab).toFixed(2)} s ${rate.toFixed(0)} MB/s, grep -c ${median(grep).toFixed(3)} s`,
    );
    result(`MB/s a core: ${kind}`, rate, { aim: 50, over: true });
  }
  const small = join(root, "fixtures/logs/tg3_gentoo_2009.txt");
  const [bare, start] = [[], []];
  for (let i = 0; i < 3 * runs; i++) {
    bare.push(processorSeconds(process.execPath, ["-e", "0"]));
    start.push(processorSeconds(process.execPath, [main, "diagnose", small]));
  }
  console.log(
    `a small log: ${median(start).toFixed(2)} s of processor time, of which Node ${median(bare).toFixed(2)} s`,
  );
  const wall = process.hrtime.bigint();
  spawnSync(process.execPath, [main, "diagnose", small]);
  console.log(`             ${(Number(process.hrtime.bigint() - wall) / 1e9).toFixed(2)} s on the clock, once`);
  result("processor seconds of a small log", median(start), { aim: 0.25 });
});
