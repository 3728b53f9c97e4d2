// Many hosts' logs: `skblab fleet` beside `grep -c` over the same files, and over the same files packed beside `zstd -dc`; memory, one thread and
// all, a central log, Ctrl-C and going on.  node bench/fleet/run.mjs [hosts] [rounds] [folder]   (npm run build first)
// 100,000 hosts of 100 KB are 10 GB: name a folder with room for 13; it is kept when it was named, and used again.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { median, result } from "../harness.mjs";

const hosts = Number(process.argv[2] ?? 100_000);
const rounds = Number(process.argv[3] ?? 3);
const named = process.argv[4];
const folder = named ?? mkdtempSync(join(tmpdir(), "skblab-fleet-bench-"));
const main = join(import.meta.dirname, "../../dist/cli/main.js");
const fixture = (name) => readFileSync(join(import.meta.dirname, "../../fixtures/logs", name), "utf8").trimEnd();

/** One host in fifty has a report; the rest is what any machine's log has. */
const sparse = 50;
const logBytes = 100_000;

function generate(directory, suffix, pack) {
  mkdirSync(directory, { recursive: true });
  const reports = ["e1000_refill_6.1.txt", "bad_pages_6.1.txt", "slub_debug_6.1.txt"].map((n) =>
    fixture(n).split("\n"),
  );
  const quiet = [
    "usb 1-1: new high-speed USB device number 4 using xhci_hcd",
    'audit: type=1400 audit(1700000000.123:42): apparmor="STATUS" operation="profile_load" name="snap"',
    "e1000e 0000:00:1f.6 eth0: NIC Link is Up 1000 Mbps Full Duplex, Flow Control: Rx/Tx",
    "EXT4-fs (sda1): mounted filesystem with ordered data mode. Quota mode: none.",
    "systemd[1]: Started Daily apt download activities.",
    "docker0: port 2(veth1a2b3c4) entered forwarding state",
  ];
  const stamp = (host, i) =>
    `Nov ${String(1 + (i % 28)).padStart(2)} ${String(i % 24).padStart(2, "0")}:${String(i % 60).padStart(2, "0")}:07 ${host} kernel: [${String(1000 + i).padStart(5)}.${String(i % 1e6).padStart(6, "0")}] `;
  for (let h = 0; h < hosts; h++) {
    const host = `node${h}`;
    const lines = [
      `${stamp(host, 0)}Linux version 6.1.${80 + (h % 14)}-amd64 (builder@host) (gcc-12) #1 SMP PREEMPT_DYNAMIC`,
    ];
    let bytes = 0;
    for (let i = 1; bytes < logBytes; i++) {
      const line = stamp(host, i) + quiet[(i * 7 + h) % quiet.length];
      lines.push(line);
      bytes += line.length + 1;
    }
    if (h % sparse === 0) {
      const report = reports[(h / sparse) % reports.length];
      lines.splice(
        lines.length >> 1,
        report.length,
        ...report.map((l) => `${stamp(host, 500)}${l.replace(/^\[[ \d.]+\] /, "")}`),
      );
    }
    const text = `${lines.join("\n")}\n`;
    writeFileSync(join(directory, `${host}.log${suffix}`), pack === undefined ? text : pack(text));
  }
}

const seconds = (work) => {
  const began = process.hrtime.bigint();
  const value = work();
  return { seconds: Number(process.hrtime.bigint() - began) / 1e9, value };
};

/** `skblab fleet` with its peak memory, its threads' included (VmHWM of /proc, looked at while it runs). */
async function skblab(paths, ...more) {
  const began = process.hrtime.bigint();
  const child = spawn(process.execPath, [main, "fleet", ...paths, "--format", "json", "--year", "2026", ...more], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const out = [];
  let said = "";
  let kilobytes = 0;
  child.stdout.on("data", (chunk) => out.push(chunk));
  child.stderr.on("data", (text) => {
    said = `${said}${text}`.slice(-2000);
  });
  const watch = setInterval(() => {
    try {
      const high = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1];
      kilobytes = Math.max(kilobytes, Number(high ?? 0));
    } catch {
      // It has ended between two looks.
    }
  }, 50);
  const code = await new Promise((resolve) => child.on("close", resolve));
  clearInterval(watch);
  if (code !== 0) throw new Error(said);
  return {
    seconds: Number(process.hrtime.bigint() - began) / 1e9,
    megabytes: kilobytes / 1024,
    answer: Buffer.concat(out).toString(),
  };
}

/** All files of a directory through a tool, as a shell would do it. */
const through = (directory, jobs, ...tool) =>
  seconds(() =>
    spawnSync(
      "sh",
      ["-c", `find '${directory}' -type f -print0 | xargs -0 -n 500 -P ${jobs} ${tool.join(" ")} > /dev/null`],
      { stdio: "inherit" },
    ),
  ).seconds;

const gb = (hosts * (logBytes + 150)) / 1e9;
const print = (what, s, more = "") =>
  console.log(
    `${what.padEnd(46)} ${s.toFixed(2).padStart(8)} s  ${((gb * 1000) / s).toFixed(0).padStart(6)} MB/s  ${more}`,
  );

try {
  const plain = join(folder, `plain-${hosts}`);
  const packed = join(folder, `packed-${hosts}`);
  if (!existsSync(plain)) {
    console.log(`writing ${hosts} logs of 100 KB (${gb.toFixed(1)} GB) to ${folder}`);
    generate(plain, "");
    execFileSync("sh", [
      "-c",
      `mkdir -p '${packed}' && find '${plain}' -type f -print0 | xargs -0 -n 200 -P ${availableParallelism()} zstd -q --output-dir-flat='${packed}'`,
    ]);
  }
  const few = join(folder, `few-${hosts}`);
  if (!existsSync(few))
    execFileSync("sh", [
      "-c",
      `mkdir -p '${few}' && ls '${plain}' | head -n ${Math.ceil(hosts / 10)} | while read f; do ln '${plain}'/$f '${few}'/$f; done`,
    ]);
  const cores = availableParallelism();
  const rows = { grep: [], fleet: [], zstd: [], fleetZstd: [] };
  let memory = 0;
  let answer;
  for (let round = 0; round < rounds; round++) {
    rows.grep.push(through(plain, cores, "grep", "-c", "'page allocation failure'"));
    const run = await skblab([plain]);
    rows.fleet.push(run.seconds);
    if (answer !== undefined && answer !== run.answer) throw new Error("two runs differ");
    answer = run.answer;
    rows.zstd.push(through(packed, cores, "zstd", "-dcq"));
    const zipped = await skblab([packed]);
    rows.fleetZstd.push(zipped.seconds);
    if (causes(zipped.answer) !== causes(answer)) throw new Error("packed logs say something else");
    memory = Math.max(memory, run.megabytes, zipped.megabytes);
  }
  const told = JSON.parse(answer);
  console.log(
    `${told.hosts} hosts, ${told.hostsWithTrouble} with trouble, ${told.causes.length} causes; ${cores} cores`,
  );
  print("grep -c", median(rows.grep));
  print("skblab fleet", median(rows.fleet), `${memory.toFixed(0)} MB at most`);
  print("zstd -dc", median(rows.zstd));
  print("skblab fleet, packed", median(rows.fleetZstd));
  const one = await skblab([few], "--jobs", "1");
  const oneRate = (gb * 100) / one.seconds;
  console.log(`one thread, a tenth of the files: ${oneRate.toFixed(0)} MB/s a core, ${one.megabytes.toFixed(0)} MB`);
  result("fleet / grep -c", median(rows.fleet.map((s, i) => s / rows.grep[i])));
  result("fleet of .zst / zstd -dc", median(rows.fleetZstd.map((s, i) => s / rows.zstd[i])));
  result("MB/s a core, sparse", oneRate, { aim: 400, over: true });
  result("peak memory, MB", memory, { aim: 500 });
  const parts = join(folder, "parts");
  const stopped = await interrupted(plain, parts, median(rows.fleet) / 2);
  const whole = await skblab([plain], "--out", parts);
  console.log(
    `Ctrl-C after ${stopped} of ${hosts}; the rest took ${whole.seconds.toFixed(1)} s; the answer is ${whole.answer === answer ? "the same" : "ANOTHER"}`,
  );
  rmSync(parts, { recursive: true });
  if (whole.answer !== answer) process.exitCode = 1;
} finally {
  if (named === undefined) rmSync(folder, { recursive: true, force: true });
}

function causes(json) {
  const { causes } = JSON.parse(json);
  return createHash("sha256")
    .update(JSON.stringify(causes.map(({ example: _, ...c }) => c)))
    .digest("hex");
}

/** A run that Ctrl-C ends; how many files it had read. */
async function interrupted(directory, out, after) {
  const child = spawn(process.execPath, [main, "fleet", directory, "--year", "2026", "--out", out], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (text) => {
    said += text;
  });
  await wait(after * 1000);
  child.kill("SIGINT");
  const code = await new Promise((resolve) => child.on("exit", resolve));
  if (code !== 130) throw new Error(`Ctrl-C: left with ${code}: ${said}`);
  return /Stopped after (\d+)/.exec(said)?.[1];
}
