// The main job on a large log: skblab diagnose beside grep -c on the same file, interleaved runs.
//   node bench/diagnose/run.mjs [megabytes=1000] [runs=5]
// The log is generated into a temporary directory and deleted: ordinary kernel lines with three real reports among them (fixtures/logs).
// grep counts one string; diagnose looks for every anchor, counts lines, and explains what it finds.
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { inTemporaryFolder, median, result } from "../harness.mjs";

const megabytes = Number(process.argv[2] ?? 1000);
const runs = Number(process.argv[3] ?? 5);
const root = join(import.meta.dirname, "../..");

let state = 20261120;
const random = (below) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 4294967296) * below);
};
const hex = (digits) => Array.from({ length: digits }, () => random(16).toString(16)).join("");

const ordinary = [
  () => `eth${random(4)}: NIC Link is ${random(2) ? "Up 1000 Mbps Full Duplex, Flow Control: RX/TX" : "Down"}`,
  () => `usb ${random(9)}-${random(9)}: new high-speed USB device number ${random(120)} using xhci_hcd`,
  () => `EXT4-fs (sda${random(9)}): mounted filesystem with ordered data mode. Opts: (null)`,
  () =>
    `audit: type=1400 audit(${random(1e9)}.${random(1000)}:${random(9999)}): apparmor="ALLOWED" operation="open" pid=${random(32768)} comm="ntpd"`,
  () => `TCP: request_sock_TCP: Possible SYN flooding on port ${random(65536)}. Sending cookies.  Check SNMP counters.`,
  () =>
    `[UFW BLOCK] IN=eth0 OUT= MAC=${hex(12)} SRC=10.${random(256)}.${random(256)}.${random(256)} DST=10.0.0.1 LEN=${random(1500)} TTL=64 ID=${random(65536)} DF PROTO=TCP`,
  () =>
    `perf: interrupt took too long (${random(9999)} > ${random(9999)}), lowering kernel.perf_event_max_sample_rate to ${random(99999)}`,
  () => `nf_conntrack: default automatic helper assignment has been turned off for security reasons`,
  () => `br-${hex(12)}: port ${random(9)}(veth${hex(7)}) entered ${random(2) ? "blocking" : "forwarding"} state`,
  () => `device veth${hex(7)} left promiscuous mode`,
  () => `pcieport 0000:00:1c.${random(8)}: AER: Corrected error received: 0000:00:1c.${random(8)}`,
  () => `systemd[1]: Started Session ${random(9999)} of user root.`,
];

/** About 8 MB of ordinary lines, repeated with three reports at a tenth, a half and nine tenths of the file. */
function generate(log) {
  const lines = [];
  let seconds = 1000;
  for (let bytes = 0; bytes < 8e6; ) {
    seconds += random(1000) / 1000;
    const line = `Nov 20 ${String(random(24)).padStart(2, "0")}:${10 + random(50)}:${10 + random(50)} host kernel: [${seconds.toFixed(6)}] ${ordinary[random(ordinary.length)]()}\n`;
    lines.push(line);
    bytes += line.length;
  }
  const block = Buffer.from(lines.join(""));
  const reports = ["tg3_gentoo_2009.txt", "bad_pages_6.1.txt", "e1000_refill_6.1.txt"].map((f) => firstReport(f));
  const blocks = Math.max(10, Math.ceil((megabytes * 1e6) / block.length));
  const at = [Math.floor(blocks / 10), Math.floor(blocks / 2), Math.floor(blocks * 0.9)];
  const fd = openSync(log, "w");
  for (let i = 0; i < blocks; i++) {
    writeSync(fd, block);
    const k = at.indexOf(i);
    if (k >= 0) writeSync(fd, reports[k]);
  }
  closeSync(fd);
}

/** The first report of a fixture: from its first line to the line before the next one's. */
function firstReport(file) {
  const lines = readFileSync(join(root, "fixtures/logs", file), "utf8").split("\n");
  const head = /page allocation failure|Bad page state in process/;
  const first = lines.findIndex((l) => head.test(l));
  const second = lines.findIndex((l, i) => i > first && head.test(l));
  return `${lines.slice(first, second < 0 ? lines.length : second).join("\n")}\n`;
}

function timed(command, args) {
  const start = process.hrtime.bigint();
  const { stdout, status, stderr } = spawnSync(command, args, { encoding: "utf8", maxBuffer: 1 << 28 });
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  if (status === null || status > 1) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
  return { seconds, stdout };
}

await inTemporaryFolder((temp) => {
  const log = join(temp, "kern.log");
  generate(log);
  const bytes = statSync(log).size;
  const main = join(root, "dist/cli/main.js");
  const times = { grep: [], skblab: [] };
  let [count, answer] = ["", {}];
  timed("wc", ["-l", log]); // into the page cache
  for (let i = 0; i < runs; i++) {
    const grep = timed("grep", ["-c", "page allocation failure", log]);
    const skblab = timed(process.execPath, [main, "diagnose", log, "--format", "json"]);
    times.grep.push(grep.seconds);
    times.skblab.push(skblab.seconds);
    count = grep.stdout.trim();
    answer = JSON.parse(skblab.stdout);
  }
  const rate = (seconds) => `${seconds.toFixed(3)} s  ${Math.round(bytes / 1e6 / seconds)} MB/s`;
  console.log(`${(bytes / 1e6).toFixed(0)} MB, ${runs} interleaved runs, medians`);
  console.log(`grep -c           ${rate(median(times.grep))}   counts ${count}`);
  console.log(
    `skblab diagnose   ${rate(median(times.skblab))}   ${answer.incidents.length} incidents: ${answer.incidents.map((i) => i.kind).join(", ")}`,
  );
  const ratio = median(times.grep.map((g, i) => times.skblab[i] / g));
  console.log(`ratio             ${ratio.toFixed(2)} (median of pairs)`);
  result("time of diagnose, grep -c = 1", ratio, { aim: 3 });
});
