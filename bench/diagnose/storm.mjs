// A storm: a log of nothing but reports, as a machine writes it that fails again and again. Reports of the bundled logs, repeated; each with
// its own stamps, process, heap addresses and amounts, as the kernel would print them. Code addresses stay: a kernel does not move.
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

/** Which logs a storm is made of, and what stands before the kernel's stamp. */
export const storms = {
  failures: { logs: ["failures_6.1.txt", "e1000_refill_6.1.txt"], syslog: false },
  "failures of 2009, syslog": { logs: ["tg3_gentoo_2009.txt"], syslog: true },
  faults: { logs: ["bad_pages_6.1.txt", "warning_6.1.txt", "slub_debug_6.1.txt"], syslog: false },
  "everything, syslog": {
    logs: ["failures_6.1.txt", "slab_oom_6.1.txt", "bad_pages_6.1.txt", "slub_debug_6.1.txt", "warning_6.1.txt"],
    syslog: true,
  },
};

const head = /page allocation failure|Bad page state in process|invoked oom-killer|^=============|cut here/;

/** The reports of a log, without what stands above the first; lines without their stamps. */
function reportsOf(file) {
  const lines = readFileSync(join(root, "fixtures/logs", file), "utf8")
    .split("\n")
    .filter((l) => l !== "" && !l.startsWith("ORACLE"))
    // The page that the log of 2009 comes from made times signs of some x, and went on behind its last line.
    .map((l) =>
      l
        .replace(/^\[ *\d+\.\d+\] ?/, "")
        .replaceAll("\u00d7", "x")
        .replace(/To summarize.*/, ""),
    );
  const reports = [];
  for (const line of lines) {
    if (head.test(line)) reports.push([]);
    reports.at(-1)?.push(line);
  }
  return reports;
}

/** Writes about `bytes` of a storm to `path`; the same seed gives the same bytes. */
export function writeStorm(path, kind, bytes, seed = 20261130) {
  const { logs, syslog } = storms[kind];
  const reports = logs.flatMap(reportsOf);
  let state = seed;
  const random = (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 4294967296) * below);
  };
  let micros = 4_262_686_822_339;
  const stamped = (line, wall) => {
    micros += random(40);
    const s = String(Math.floor(micros / 1e6)).padStart(5);
    const own = `[${s}.${String(micros % 1e6).padStart(6, "0")}] ${line}\n`;
    return syslog ? `Nov 20 ${wall} web1 kernel: ${own}` : own;
  };
  const fd = openSync(path, "w");
  let written = 0;
  let kept = "";
  while (written < bytes) {
    micros += random(20_000);
    const second = Math.floor(micros / 1e6) % 86_400;
    const wall = [second / 3600, (second / 60) % 60, second % 60]
      .map((n) => String(Math.floor(n)).padStart(2, "0"))
      .join(":");
    const pid = 2 + random(32_000);
    const heap = random(0x7fffffff).toString(16).padStart(8, "0");
    const pfn = random(0xfffff).toString(16).padStart(5, "0");
    for (const line of reports[random(reports.length)]) {
      const varied = line
        .replace(/\b(PID: |[Pp]id: |pid[ =])\d+/g, (_, p) => `${p}${pid}`)
        .replace(/\bffff[89a-f][0-9a-f]{3}[0-9a-f]{5}([0-9a-f]{3})\b/g, (_, low) => `ffff8880${heap.slice(0, 5)}${low}`)
        .replace(/\bpfn:(0x)?[0-9a-f]+/g, (_, x = "") => `pfn:${x}${pfn}`)
        .replace(
          /\b(free|free_pcp|local_pcp|active_anon|inactive_anon|slab_unreclaimable|mapped|dirty):\d+/g,
          (_, n) => `${n}:${random(9000)}`,
        )
        .replace(/\b\d+(?=\*(?:4|8|16)kB)/g, () => random(2000));
      kept += stamped(varied, wall);
    }
    if (kept.length > 1 << 20) {
      written += writeSync(fd, kept);
      kept = "";
    }
  }
  writeSync(fd, kept);
  closeSync(fd);
}
