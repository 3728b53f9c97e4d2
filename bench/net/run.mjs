// Simulated packets per second of host time: a stream over a wire into a driver, through GRO, consumed; beside a C twin of the same stations
// (twin.c says what it leaves out) for ringnic. Interleaved, medians of 5 rounds, CPU time, equal checksums.
//   node bench/net/run.mjs             the table
//   node bench/net/run.mjs --long      100 million packets through ringnic: memory at the beginning and at the end
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const here = import.meta.dirname;
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const result = (text) => /result (\d+) (\S+) (\d+)(?: (\d+) (\d+) (\d+))?/.exec(text).slice(1).map(Number);
const js = (...args) =>
  result(execFileSync(process.execPath, [join(here, "worker.mjs"), ...args.map(String)]).toString());

if (process.argv.includes("--long")) {
  const [count, nanos, , before, after] = js("ringnic", 1500, 100_000_000, "udp");
  process.stdout.write(
    `${count} packets, ${nanos} ns each; resident ${before} MiB after 200,000 packets, ${after} MiB at the end\n`,
  );
} else {
  const build = mkdtempSync(join(tmpdir(), "skblab-net-"));
  const twin = join(build, "twin");
  execFileSync("cc", ["-O2", "-o", twin, join(here, "twin.c")]);
  const cases = [
    ["ringnic", 1500, "udp"],
    ["ringnic", 9000, "udp"],
    ["ringnic", 1500, "tcp"],
    ["virtio_net", 1500, "tcp"],
    ["e1000e", 1500, "tcp"],
    ["e1000e", 9000, "tcp"],
    ["tg3", 1500, "tcp"],
    ["mvneta", 1500, "tcp"],
  ];
  const count = 1_000_000;
  try {
    process.stdout.write("driver       MTU kind    ns/packet  packets/s   ratio to C   GRO  checksum\n");
    for (const [driver, mtu, kind] of cases) {
      const own = [];
      const ratios = [];
      let line = [];
      for (let round = 0; round < 5; round++) {
        line = js(driver, mtu, count, kind);
        own.push(line[1]);
        if (driver !== "ringnic" || kind !== "udp") continue;
        const [, c, sum] = result(execFileSync(twin, [String(mtu), String(count), kind]).toString());
        if (sum !== line[2]) throw new Error(`checksums differ: C ${sum}, JS ${line[2]}`);
        ratios.push(line[1] / c);
      }
      const nanos = median(own);
      const ratio = ratios.length > 0 ? median(ratios).toFixed(1) : "-";
      process.stdout.write(
        `${driver.padEnd(11)} ${String(mtu).padStart(4)} ${kind}   ${nanos.toFixed(0).padStart(10)} ${(1e9 / nanos / 1e6).toFixed(2).padStart(9)} M ${ratio.padStart(10)} ${line[5] > 0 ? "  yes" : "   no"}  ${line[2]}\n`,
      );
    }
  } finally {
    rmSync(build, { recursive: true });
  }
}
