// Compares what `skblab image --records` found with what crash says of the same image: blocks on every free list (kmem -f), and objects
// and slabs of every cache (kmem -s).
//   skblab image IMAGE --records found.ndjson; crash -s VMLINUX IMAGE -i FILE_WITH(kmem -f, kmem -s, quit) > crash.txt
//   node scripts/compare-crash.mjs found.ndjson crash.txt
import { readFileSync } from "node:fs";

const [recordsFile, crashFile] = process.argv.slice(2);
if (recordsFile === undefined || crashFile === undefined) {
  console.error("usage: node scripts/compare-crash.mjs RECORDS CRASH_OUTPUT");
  process.exit(2);
}
const records = readFileSync(recordsFile, "utf8")
  .trim()
  .split("\n")
  .map((l) => JSON.parse(l));
const lines = readFileSync(crashFile, "utf8").split("\n");

// kmem -f: a line a list, in the order of orders and migrate types, zone by zone.
const zones = records.filter((r) => r.t === "zone");
const lists = new Map(records.filter((r) => r.t === "free").map((r) => [`${r.zone} ${r.order} ${r.mt}`, r.n]));
let zone;
let place = [-1, -1];
let compared = 0;
let blocks = 0;
const wrong = [];
for (const line of lines) {
  const head = /^\s{2}\d\s{3}(\S+)\s+\d+\s+(\d+)\s/.exec(line);
  if (head !== null) {
    zone = head[1];
    place = [-1, -1];
    const own = zones.find((z) => z.name === zone);
    const free = own?.free;
    if (free !== Number(head[2])) wrong.push(`zone ${zone}: crash says ${head[2]} free pages, skblab ${free}`);
    compared++;
  }
  const area = /^\s{1,3}(\d+)\s+\d+[kM]\s+[0-9a-f]{16}\s+(\d+)\s+\d+\s*$/.exec(line);
  if (area === null || zone === undefined) continue;
  const order = Number(area[1]);
  place = [order, place[0] === order ? place[1] + 1 : 0];
  const mine = lists.get(`${zone} ${order} ${place[1]}`) ?? 0;
  if (mine !== Number(area[2]))
    wrong.push(`${zone} order ${order} type ${place[1]}: crash ${area[2]} blocks, skblab ${mine}`);
  compared++;
  blocks += mine;
}
const ofLists = compared;

// kmem -s: CACHE OBJSIZE ALLOCATED TOTAL SLABS SSIZE NAME
let objects = 0;
for (const line of lines) {
  const row = /^([0-9a-f]{16})\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+\d+k\s+(\S+)/.exec(line);
  if (row === null) continue;
  const [, address, , allocated, total, slabs, name] = row;
  const mine = records.find((r) => r.t === "cache" && r.a === address);
  compared++;
  objects += Number(total);
  if (mine === undefined) wrong.push(`cache ${name}: not among the records`);
  else
    for (const [what, theirs, own] of [
      ["allocated", allocated, mine.allocated],
      ["objects", total, mine.total_objects],
      ["slabs", slabs, mine.nr_slabs],
    ])
      if (Number(theirs) !== own) wrong.push(`cache ${name}: crash says ${theirs} ${what}, skblab ${own}`);
}
console.log(
  `${ofLists} zones and free lists (${blocks} blocks), ${compared - ofLists} caches (${objects} objects): ${wrong.length === 0 ? "all equal" : `${wrong.length} differ`}`,
);
for (const w of wrong) console.log(`  ${w}`);
if (compared === 0 || wrong.length > 0) process.exitCode = 1;
