// The census against the kernel's own page_owner_sort: same generated dump, same answer byte for byte, interleaved runs.
//   node bench/page_owner/run.mjs [megabytes=1000] [runs=3]
// page_owner_sort is compiled here from Debian's linux-source-6.1 (apt-get install linux-source-6.1); without it only our figures print.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, createReadStream, existsSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { inTemporaryFolder, median, result } from "../harness.mjs";

const megabytes = Number(process.argv[2] ?? 1000);
const runs = Number(process.argv[3] ?? 3);
const root = join(import.meta.dirname, "../..");

/** 3000 stacks (the real ones of a capture, then variants), Zipf-distributed, times and pids as a real kernel prints them. */
function generate(dump) {
  const text = gunzipSync(readFileSync(join(root, "fixtures/page_owner/6.1-loaded.txt.gz"))).toString("latin1");
  const real = [
    ...new Set(
      text
        .split("\n\n")
        .filter((b) => b.startsWith("Page allocated"))
        .map((b) => b.split("\n").slice(2).join("\n")),
    ),
  ];
  const stacks = Array.from({ length: 3000 }, (_, i) => {
    const lines = real[i % real.length].split("\n");
    if (i >= real.length) lines[lines.length - 1] = ` variant_${i}+0x1/0x2`;
    return lines.join("\n");
  });
  let state = 1234567;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
  const cumulative = [];
  let sum = 0;
  for (let i = 0; i < stacks.length; i++) {
    sum += 1 / (i + 1);
    cumulative.push(sum);
  }
  const pick = () => {
    const x = random() * sum;
    let lo = 0;
    let hi = stacks.length - 1;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (cumulative[mid] < x) lo = mid + 1;
      else hi = mid;
    }
    return stacks[lo];
  };
  const out = openSync(dump, "w");
  let written = 0;
  let records = 0;
  let ts = 1e9;
  for (let pfn = 4096; written < megabytes * 1e6; ) {
    const blocks = [];
    for (let i = 0; i < 4000; i++, pfn++) {
      ts += Math.floor(random() * 20000);
      const pid = 1 + Math.floor(random() * 500);
      const order = random() < 0.9 ? 0 : Math.floor(random() * 4);
      blocks.push(
        `Page allocated via order ${order}, mask 0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO), pid ${pid}, tgid ${pid} (proc${pid % 40}), ts ${ts} ns, free_ts ${ts - 5000} ns\n` +
          `PFN ${pfn} type Movable Block ${pfn >> 9} type Movable Flags 0x4000000000080036(referenced|uptodate|lru|active|swapbacked|zone=1)\n${pick()}\n\n`,
      );
    }
    records += blocks.length;
    written += writeSync(out, blocks.join(""), null, "latin1");
  }
  closeSync(out);
  return records;
}

function compileTool(temp) {
  const archive = "/usr/src/linux-source-6.1.tar.xz";
  if (!existsSync(archive)) return undefined;
  execFileSync("tar", ["-C", temp, "-xf", archive, "linux-source-6.1/tools/vm/page_owner_sort.c"]);
  const out = join(temp, "page_owner_sort");
  execFileSync("cc", ["-O2", "-w", "-o", out, join(temp, "linux-source-6.1/tools/vm/page_owner_sort.c")]);
  return out;
}

/** Wall seconds and peak MiB of one run. */
function timed(command, args, outPath) {
  const out = outPath === undefined ? "ignore" : openSync(outPath, "w");
  const started = process.hrtime.bigint();
  const r = spawnSync(command, args, { stdio: ["ignore", out, "ignore"] });
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  if (typeof out === "number") closeSync(out);
  if (r.status !== 0) throw new Error(`${command} left with ${r.status}`);
  return seconds;
}

function peakMiB(command, args, outPath) {
  if (!existsSync("/usr/bin/time")) return Number.NaN;
  const out = outPath === undefined ? "ignore" : openSync(outPath, "w");
  const r = spawnSync("/usr/bin/time", ["-f", "%M", command, ...args], { stdio: ["ignore", out, "pipe"] });
  if (typeof out === "number") closeSync(out);
  return Number(r.stderr.toString().trim().split("\n").pop()) / 1024;
}

async function sumOf(file) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest("hex").slice(0, 16);
}

await inTemporaryFolder(async (temp) => {
  const dump = join(temp, "page_owner.txt");
  const records = generate(dump);
  const bytes = statSync(dump).size;
  const tool = compileTool(temp);
  console.log(`${(bytes / 1e6).toFixed(0)} MB, ${records} records, 3000 stacks; ${runs} interleaved runs, medians`);
  if (tool === undefined)
    console.log("page_owner_sort: linux-source-6.1 is not installed, so there is no peer to compare with");
  const ours = [join(root, "dist/cli/main.js"), "page-owner", "--compat"];
  for (const [name, args] of [
    ["--cull=stacktrace", ["--cull=stacktrace"]],
    ["--pid=7 --cull=stacktrace,name", ["--pid=7", "--cull=stacktrace,name"]],
    ["default (whole texts)", []],
  ]) {
    const a = [];
    const b = [];
    for (let i = 0; i < runs; i++) {
      if (tool !== undefined) a.push(timed(tool, [...args, dump, join(temp, "a.txt")]));
      b.push(timed(process.execPath, [...ours, ...args, dump], join(temp, "b.txt")));
    }
    const same =
      tool === undefined
        ? "not compared"
        : (await sumOf(join(temp, "a.txt"))) === (await sumOf(join(temp, "b.txt")))
          ? "equal bytes"
          : "DIFFERENT";
    const memory = peakMiB(process.execPath, [...ours, ...args, dump], join(temp, "b.txt"));
    const ratio = tool === undefined ? "" : `, ${(median(a) / median(b)).toFixed(1)}x faster`;
    console.log(
      `${name.padEnd(32)} ${tool === undefined ? "" : `page_owner_sort ${median(a).toFixed(2)} s, `}skblab ${median(b).toFixed(2)} s (${(bytes / 1e6 / median(b)).toFixed(0)} MB/s, ${memory.toFixed(0)} MiB)${ratio}, ${same}`,
    );
    if (tool !== undefined)
      result(`${name}: speed, page_owner_sort = 1`, median(a) / median(b), { aim: 10, over: true });
    if (same === "DIFFERENT") process.exitCode = 1;
  }
});
