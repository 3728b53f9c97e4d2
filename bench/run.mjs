// Runs the benches one after another, each as its own program, and puts their ratios into one table at the end.
//   node bench/run.mjs [--quick] [name …]      (npm run build first)
// --quick: one round and small files, to see that all of them run; such ratios are not to be quoted, and no goal is judged.
// A bench whose tool is missing (cc, spin, Chromium, the kernel's page_owner_sort) is named in the table, and the rest still run.
import { fork } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const benches = [
  { name: "mm", file: "mm/bench.mjs", quick: [1] },
  { name: "slab", file: "slab/bench.mjs", quick: [1] },
  { name: "skb", file: "skb/bench.mjs", quick: [1] },
  { name: "page_pool", file: "page_pool/bench.mjs", quick: [3] },
  { name: "net", file: "net/run.mjs", quick: [1] },
  { name: "prove", file: "prove/run.mjs", quick: [1] },
  { name: "explore", file: "explore/spin.mjs", quick: [1] },
  { name: "live", file: "live/run.mjs", quick: [10] },
  { name: "diagnose", file: "diagnose/run.mjs", quick: [100, 1] },
  { name: "storm", file: "diagnose/dense.mjs", quick: [10, 1] },
  { name: "fleet", file: "fleet/run.mjs", quick: [200, 1] },
  { name: "page_owner", file: "page_owner/run.mjs", quick: [100, 1] },
  { name: "web", file: "web/run.mjs", quick: [20, 1] },
];

const asked = process.argv.slice(2).filter((a) => a !== "--quick");
const quick = process.argv.includes("--quick");
const unknown = asked.filter((a) => !benches.some((b) => b.name === a));
if (unknown.length > 0 || !existsSync(join(import.meta.dirname, "../dist/index.js"))) {
  console.error(
    unknown.length > 0
      ? `No bench is called ${unknown.join(", ")}; there are ${benches.map((b) => b.name).join(", ")}.`
      : "The benches read dist/: run `npm run build` first.",
  );
  process.exit(2);
}

/** The bench's ratios as it sends them, and how it ended. */
function run({ name, file, quick: few }) {
  console.log(`\n== ${name}`);
  return new Promise((resolve) => {
    const rows = [];
    const child = fork(join(import.meta.dirname, file), quick ? few.map(String) : []);
    child.on("message", (row) => rows.push(row));
    child.on("exit", (code) => resolve({ name, rows, code }));
  });
}

function goal({ ratio, aim, over }) {
  if (quick || aim === undefined) return "";
  const met = over ? ratio >= aim : ratio <= aim;
  return `${over ? "at least" : "at most"} ${aim}: ${met ? "met" : "NOT MET"}`;
}

const ended = [];
for (const bench of benches) if (asked.length === 0 || asked.includes(bench.name)) ended.push(await run(bench));

const titles = ended.flatMap(({ rows }) => rows.map((r) => r.what.length));
const width = Math.max(20, ...titles);
console.log(`\n${"bench".padEnd(11)} ${"what".padEnd(width)}  ratio  goal`);
for (const { name, rows, code } of ended) {
  for (const row of rows)
    console.log(
      `${name.padEnd(11)} ${row.what.padEnd(width)} ${row.ratio.toFixed(2).padStart(6)}  ${goal(row)}`.trimEnd(),
    );
  if (rows.length === 0) console.log(`${name.padEnd(11)} no ratio: it left with ${code}, see above`);
}
// A bench also leaves with 1 when it missed its goal; a ratio that never came, or a checksum that differed, is what fails here.
if (ended.some(({ rows, code }) => code !== 0 && rows.length === 0)) process.exitCode = 1;
