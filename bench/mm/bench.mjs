// The page allocator against its C twin: same rules, same machine, same requests, same checksum of pfns; runs interleaved, medians of pair ratios.
// node bench/mm/bench.mjs [rounds]   (npm run build first; needs cc)
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const rounds = Number(process.argv[2] ?? 5);
const here = import.meta.dirname;
const dir = mkdtempSync(join(tmpdir(), "skblab-bench-"));
const twin = join(dir, "twin");
execFileSync("cc", ["-O2", "-o", twin, join(here, "twin.c")]);

const worker = (...args) =>
  execFileSync(process.execPath, [join(here, "worker.mjs"), ...args.map(String)], { encoding: "utf8" });
const median = (xs) => [...xs].sort((a, b) => a - b)[Math.floor(xs.length / 2)];

const cases = [
  {
    name: "mixed 70 % order 0, rest 1-5; 1M pages",
    kind: "mixed",
    mb: 4096,
    slotBits: 18,
    ops: 10_000_000,
    warm: 4_000_000,
    aim: 1.4,
  },
  {
    name: "mixed 70 % order 0, rest 1-5; 16M pages",
    kind: "mixed",
    mb: 65536,
    slotBits: 22,
    ops: 8_000_000,
    warm: 12_000_000,
    aim: 1.4,
  },
  {
    name: "order-0 free and alloc through per-CPU lists, 4096 live",
    kind: "pair",
    mb: 4096,
    slotBits: 12,
    ops: 20_000_000,
    warm: 4_000_000,
    aim: 1.3,
  },
];

let failed = false;
for (const c of cases) {
  const input = worker("machine", c.mb, 4);
  const ratios = [];
  const js = [];
  const native = [];
  for (let i = 0; i < rounds; i++) {
    const [jn, js1] = worker(c.kind, c.mb, 4, c.slotBits, c.ops, c.warm).split(" ");
    const [cn, cs1, fails] = execFileSync(twin, [c.kind, c.slotBits, c.ops, c.warm].map(String), {
      input,
      encoding: "utf8",
    }).split(" ");
    if (js1 !== cs1) throw new Error(`checksums differ: JS ${js1}, C ${cs1}`);
    ratios.push(jn / cn);
    js.push(Number(jn));
    native.push(Number(cn));
    if (i === 0) console.log(`${c.name}\n  checksum ${js1} on both sides, ${fails.trim()} failures`);
  }
  const ratio = median(ratios);
  failed ||= ratio > c.aim;
  console.log(
    `  JS ${median(js).toFixed(1)} ns, C ${median(native).toFixed(1)} ns, ratio ${ratio.toFixed(2)} (aim ${c.aim}), ${rounds} pairs`,
  );
}
const listening = [cases[0].kind, "owned"].map((kind) => {
  const c = cases[0];
  const runs = Array.from({ length: rounds }, () =>
    Number(worker(kind, c.mb, 4, c.slotBits, c.ops, c.warm).split(" ")[0]),
  );
  return median(runs);
});
console.log(
  `page_owner listening, 1M pages mixed: ${listening[1].toFixed(1)} ns beside ${listening[0].toFixed(1)} ns, 32 bytes a page more`,
);
const boot = JSON.parse(worker("boot", 65536, 4));
console.log(
  `boot of 64 GiB: ${boot.bootMillis.toFixed(0)} ms, peak ${(boot.peakKb / 1024).toFixed(0)} MB, columns ${boot.columnsMb.toFixed(0)} MB, ${boot.bytesPerPage.toFixed(2)} bytes a page`,
);
rmSync(dir, { recursive: true });
process.exitCode = failed ? 1 : 0;
