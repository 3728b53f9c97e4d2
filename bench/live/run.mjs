// What a watch costs: a real process on a machine with 16 zones' worth of files, at an interval of 5 s, with metrics that are asked for every 15 s.
//   node bench/live/run.mjs [seconds=60]
// The files are 6.1's fixtures with their zones repeated on eight nodes; uptime and some counters move. CPU is the process's own time after the start
// (/proc/PID/stat), memory its peak (VmHWM). Aims: below 1 % of one CPU, below 120 MB.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { inTemporaryFolder, result } from "../harness.mjs";

const seconds = Number(process.argv[2] ?? 60);
const root = join(import.meta.dirname, "../..");
const fixture = (name) => readFileSync(join(root, "fixtures/proc", name), "utf8");
const nodes = 8;

/** The text once for each node. */
const onNodes = (text) =>
  Array.from({ length: nodes }, (_, node) => text.replace(/Node( +)0,/g, (_all, gap) => `Node${gap}${node},`)).join("");

function writeFiles(proc, step) {
  const counted = (text) =>
    text.replace(/(allocstall_normal|compact_fail) (\d+)/g, (_, n, v) => `${n} ${Number(v) + step}`);
  const files = {
    zoneinfo: onNodes(fixture("zoneinfo-6.1")).replace(
      /(nr_free_pages) (\d+)/g,
      (_, n, v) => `${n} ${Math.max(0, Number(v) - step)}`,
    ),
    buddyinfo: onNodes(fixture("buddyinfo-6.1")),
    pagetypeinfo: fixture("pagetypeinfo-6.1").replace(/^Node +0.*\n/gm, (line) => onNodes(line)),
    vmstat: counted(fixture("vmstat-6.1")),
    slabinfo: fixture("slabinfo-6.1"),
    "net/dev": fixture("net_dev-6.1"),
    "net/snmp": fixture("snmp-6.1"),
    "net/sockstat": fixture("sockstat-6.1"),
    version: "Linux version 6.1.192 (x) #1 SMP\n",
    uptime: `${1000 + step * 5}.00 5.00\n`,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(proc, name), text);
  return files;
}

const cpuOf = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
};

/** A watch at an interval for some seconds: its share of one CPU after the start, and its peak of memory in MB. */
async function watched(folder, interval, lasts) {
  const proc = join(folder, "proc");
  mkdirSync(join(proc, "net"), { recursive: true });
  const files = writeFiles(proc, 0);
  writeFileSync(join(folder, "kmsg"), "");
  const zones = (files.zoneinfo.match(/^ {8}managed +[1-9]/gm) ?? []).length;
  const port = 20_000 + (process.pid % 20_000);
  const words = `--interval ${interval} --proc ${proc} --kmsg ${join(folder, "kmsg")} --state ${join(folder, "state")} --metrics 127.0.0.1:${port}`;
  const child = spawn(process.execPath, [join(root, "dist/cli/main.js"), "watch", ...words.split(" ")], {
    stdio: "ignore",
  });
  try {
    await sleep(5000);
    const before = cpuOf(child.pid);
    const started = performance.now();
    let bytes = 0;
    for (let step = 1; performance.now() - started < lasts * 1000; step++) {
      writeFiles(proc, step);
      if (step % 3 === 0) bytes = (await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).length;
      await sleep(interval * 1000);
    }
    const cpu = cpuOf(child.pid) - before;
    const peak = Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024;
    const share = (cpu / ((performance.now() - started) / 1000)) * 100;
    const size = Buffer.byteLength(Object.values(files).join(""));
    console.log(
      `interval ${interval} s: ${zones} zones, ${size} bytes of files, ${bytes} bytes of metrics every third sample: ` +
        `${share.toFixed(2)} % of one CPU, ${peak.toFixed(0)} MB at most`,
    );
    return { share, peak };
  } finally {
    child.kill("SIGTERM");
    if (child.exitCode === null && child.signalCode === null)
      await new Promise((resolve) => child.once("exit", resolve));
  }
}

await inTemporaryFolder(async (folder) => {
  const usual = await watched(join(folder, "usual"), 5, seconds);
  // An hour of history, taken in a minute and a half: what a series costs when it is long, and how much memory all of them take. A sample costs what it
  // costs at 5 s, so the share at 5 s is that of this run by the ratio of the intervals.
  const hour = await watched(join(folder, "hour"), 0.125, seconds * 1.5);
  console.log(
    `with an hour of history, at 5 s: ${((hour.share * 0.125) / 5).toFixed(2)} % and what the process costs at rest`,
  );
  result("watch: % of one CPU at an interval of 5 s", usual.share, { aim: 1 });
  result("watch: MB of memory at most, an hour of history", Math.max(usual.peak, hour.peak), { aim: 120 });
});
