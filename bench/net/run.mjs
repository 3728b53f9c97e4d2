// Simulated packets per second of host time: a stream over a wire into a driver, through GRO, consumed; beside a C twin of the same stations
// (twin.c says what it leaves out) for ringnic. Interleaved, medians of 5 rounds, CPU time, equal checksums.
// Below it TCP streams with a remote host, both ends and the acknowledgements included (stream.mjs); these have no twin.
//   node bench/net/run.mjs [rounds] [driver …]    the tables; of these drivers only the first
//   node bench/net/run.mjs --long      100 million packets through ringnic, 10 million of a TCP stream each way: memory at the beginning and at the end
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { median, race, result, withTwin, workerOf } from "../harness.mjs";

const here = import.meta.dirname;
const { run } = workerOf(here);
const rounds = Number(process.argv.slice(2).find((a) => /^\d+$/.test(a)) ?? 5);
const only = process.argv.slice(2).filter((a) => /^[a-z]/.test(a));
const count = 1_000_000;
const cases = [
  ["ringnic", 1500, "udp"],
  ["ringnic", 9000, "udp"],
  ["ringnic", 1500, "tcp"],
  ["virtio_net", 1500, "tcp"],
  ["e1000e", 1500, "tcp"],
  ["e1000e", 9000, "tcp"],
  ["tg3", 1500, "tcp"],
  ["mvneta", 1500, "tcp"],
  ["ice", 1500, "tcp"],
  ["i40e", 1500, "tcp"],
  ["ena", 1500, "tcp"],
  ["ena", 1500, "tcp", "5.10.223"],
  ["ice", 1500, "tcp", "7.2.12"],
  ["ice", 9000, "tcp", "7.2.12", { header_split: true }],
  ["gve", 1500, "tcp"],
  ["gve", 1500, "tcp", "6.12.117", { format: "DQO" }],
  ["gve", 1500, "tcp", "7.2.12", { format: "DQO" }],
  ["gve", 9000, "tcp", "6.12.117", { format: "DQO", header_split: true }],
  ["mlx5_core", 1500, "tcp"],
  ["mlx5_core", 9000, "tcp"],
  ["mlx5_core", 9000, "tcp", "7.2.12"],
  ["mt76", 1500, "tcp"],
  ["usbnet", 1500, "tcp"],
  ["r8152", 1500, "tcp"],
];

const streams = [
  ["ringnic", 1500, "in"],
  ["e1000e", 1500, "in"],
  ["e1000e", 9000, "in"],
  ["e1000e", 1500, "out"],
  ["e1000e", 9000, "out"],
  ["virtio_net", 1500, "in"],
  ["mvneta", 1500, "in"],
  ["tg3", 9000, "in"],
];

/** stream.mjs says what a packet is. */
function stream(driver, mtu, packets, direction) {
  const args = ["--expose-gc", join(here, "stream.mjs"), driver, mtu, packets, direction].map(String);
  const [nanos, checksum, frames, merged, again, collections, before, after] = execFileSync(process.execPath, args, {
    encoding: "utf8",
  })
    .trim()
    .split(" ")
    .map(Number);
  return { nanos, checksum, frames, merged, again, collections, before, after };
}

function streamTable() {
  console.log("\nTCP stream        MTU  ns/packet  packets/s   frames a packet   GRO  sent again  GCs  bytes");
  for (const [driver, mtu, direction] of streams) {
    const runs = Array.from({ length: rounds }, () => stream(driver, mtu, count, direction));
    const nanos = median(runs.map((r) => r.nanos));
    const { frames, merged, again, collections, checksum } = runs[0];
    if (runs.some((r) => r.checksum !== checksum)) throw new Error(`${driver} ${mtu} ${direction}: runs differ`);
    console.log(
      `${`${driver} ${direction}`.padEnd(15)} ${String(mtu).padStart(5)} ${nanos.toFixed(0).padStart(10)} ${(1e9 / nanos / 1e6).toFixed(2).padStart(9)} M ${(frames / count).toFixed(2).padStart(15)} ${merged > count / 100 ? "  yes" : "   no"} ${String(again).padStart(11)} ${String(collections).padStart(4)}  ${checksum}`,
    );
  }
}

function long() {
  const packets = 100_000_000;
  const { nanos, rest } = run(["ringnic", 1500, packets, "udp"]);
  const [before, after] = rest;
  console.log(
    `${packets} packets, ${nanos} ns each; resident ${before} MiB after 200,000 packets, ${after} MiB at the end`,
  );
}

/** The twin is of ringnic's stations only; the other drivers run alone. */
function measure(twin, [driver, mtu, kind, release = "6.1.192", settings = {}]) {
  const model = () => run([driver, mtu, count, kind, release, JSON.stringify(settings)]);
  if (driver === "ringnic" && kind === "udp") {
    const raced = race(`${driver} ${mtu}`, rounds, () => twin([mtu, count, kind]), model);
    result(`${driver} ${mtu} ${kind}, a packet`, raced.ratio);
    return { ...raced, ratio: raced.ratio.toFixed(1), merged: raced.rest[0][2] };
  }
  const alone = Array.from({ length: rounds }, model);
  return { js: alone.map((r) => r.nanos), ratio: "-", checksum: alone[0].checksum, merged: alone[0].rest[2] };
}

function table(twin) {
  console.log("driver       MTU kind    ns/packet  packets/s   ratio to C   GRO  checksum");
  for (const row of cases.filter(([driver]) => only.length === 0 || only.includes(driver))) {
    const [driver, mtu, kind, release, settings] = row;
    const { js, ratio, checksum, merged } = measure(twin, row);
    const nanos = median(js);
    console.log(
      `${driver.padEnd(11)} ${String(mtu).padStart(4)} ${kind}   ${nanos.toFixed(0).padStart(10)} ${(1e9 / nanos / 1e6).toFixed(2).padStart(9)} M ${ratio.padStart(10)} ${merged > 0 ? "  yes" : "   no"}  ${checksum}${release === undefined ? "" : `  ${release}`}${settings === undefined ? "" : ` ${JSON.stringify(settings)}`}`,
    );
  }
}

function longStreams() {
  const packets = 10_000_000;
  for (const direction of ["in", "out"]) {
    const { nanos, before, after } = stream("e1000e", 1500, packets, direction);
    console.log(
      `${packets} packets of TCP ${direction}, ${nanos} ns each; resident ${before} MiB after 200,000 packets, ${after} MiB at the end`,
    );
  }
}

if (process.argv.includes("--long")) {
  long();
  longStreams();
} else {
  await withTwin(here, table);
  if (only.length === 0) streamTable();
}
