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

await inTemporaryFolder(async (folder) => {
  const proc = join(folder, "proc");
  mkdirSync(join(proc, "net"), { recursive: true });
  const files = writeFiles(proc, 0);
  writeFileSync(join(folder, "kmsg"), "");
  const zones = (files.zoneinfo.match(/^ {2}pages free/gm) ?? []).length;
  const port = 20_000 + (process.pid % 20_000);
  const words = ["--interval", "5", "--proc", proc, "--kmsg", join(folder, "kmsg"), "--state", join(folder, "state")];
  const child = spawn(
    process.execPath,
    [join(root, "dist/cli/main.js"), "watch", ...words, "--metrics", `127.0.0.1:${port}`],
    {
      stdio: "ignore",
    },
  );
  try {
    await sleep(5000);
    const before = cpuOf(child.pid);
    const started = performance.now();
    let bytes = 0;
    for (let step = 1; performance.now() - started < seconds * 1000; step++) {
      writeFiles(proc, step);
      if (step % 3 === 0) bytes = (await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).length;
      await sleep(5000);
    }
    const share = (cpuOf(child.pid) - before) / ((performance.now() - started) / 1000);
    const peak = Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024;
    console.log(
      `${zones} zones, ${Buffer.byteLength(Object.values(files).join(""))} bytes of files, ${bytes} bytes of metrics: ` +
        `${(share * 100).toFixed(2)} % of one CPU, ${peak.toFixed(0)} MB at most`,
    );
    result("watch: % of one CPU at an interval of 5 s", share * 100, { aim: 1 });
    result("watch: MB of memory at most", peak, { aim: 120 });
  } finally {
    child.kill("SIGTERM");
    await new Promise((resolve) => child.once("exit", resolve));
  }
});
