// Holds the packed index of network functions against a kernel's packages as the mirror has them today: each function of its network modules
// must be in the index, marked as of that kernel, with its role, and with no entry or memory that the index lacks. A function whose role changed
// has that of one kernel in the index: such rows are listed, and are no error.
//   npm run build && node scripts/function-index/check.mjs [KERNEL=6.1] [--keep DIRECTORY]
// Needs what scripts/function-index.mjs needs; fetches one kernel (about 200 MB). Ends with 1 where a row is not right.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { aptRoot, kernels } from "./packages.mjs";
import { nameOnStacks, readKernel } from "./read_kernel.mjs";

const root = join(import.meta.dirname, "../..");
const { readFunctionIndex } = await import(join(root, "dist/kernel/facts/functions/packed.js"));
const { deeds, entryKinds, memoryKinds } = await import(join(root, "dist/kernel/facts/functions/roles.js"));

const wanted = /^\d/.test(process.argv[2] ?? "") ? process.argv[2] : "6.1";
const at = kernels.findIndex((k) => k.name === wanted);
if (at < 0) {
  console.error(`"${wanted}" is not a kernel of the index. Those are: ${kernels.map((k) => k.name).join(", ")}.`);
  process.exit(2);
}
const keep = process.argv.includes("--keep") ? process.argv[process.argv.indexOf("--keep") + 1] : undefined;
const work = keep ?? mkdtempSync(join(tmpdir(), "function-index-"));
mkdirSync(work, { recursive: true });
const apt = existsSync(join(work, "kernels", wanted)) ? undefined : aptRoot(work);

const index = readFunctionIndex(gunzipSync(readFileSync(join(root, "src/kernel/facts/functions/network.idx.gz"))));
const rowOf = (name, module) => index.find(name).find((f) => f.place.name === module);
const setOf = (names, bits) => names.filter((_, i) => ((bits >> i) & 1) === 1);

// A role that an older kernel's modules do not tell comes from a newer one: the index has it.
const { nodes } = await readKernel(
  work,
  apt,
  { ...kernels[at], source: undefined },
  (module, name) => rowOf(name, module)?.role,
);
const wrong = new Map();
const changed = [];
const note = (kind, what) => wrong.set(kind, [...(wrong.get(kind) ?? []), what]);
let rows = 0;
for (const node of nodes) {
  const name = nameOnStacks(node.name);
  if (name === undefined) continue;
  rows++;
  const row = rowOf(name, node.module);
  const of = `${node.module}:${name}`;
  if (row === undefined) note("is not in the index", of);
  else if (!row.kernels.includes(wanted)) note("is not marked as of this kernel", of);
  else {
    if (node.role !== undefined && row.role === undefined) note("has no role in the index", `${of} ${node.role}`);
    else if (node.role !== undefined && row.role !== node.role)
      changed.push(`${of} (${node.role}; ${row.role} in the index)`);
    for (const [kind, own, told] of [
      ["entry", setOf(entryKinds, node.reach), row.from],
      ["memory", setOf(memoryKinds, node.memory), row.memory],
      ["deed", setOf(deeds, node.does), row.does],
    ])
      for (const one of own) if (!told.has(one)) note(`lacks ${kind} in the index`, `${of} ${one}`);
  }
}
const bad = [...wrong.values()].reduce((n, list) => n + list.length, 0);
console.log(
  `${wanted}: ${rows} functions in ${new Set(nodes.map((n) => n.module)).size} modules, ${bad} rows not right.`,
);
for (const [kind, list] of wrong) console.log(`  ${list.length} × ${kind}: ${list.slice(0, 8).join(", ")}`);
if (changed.length > 0)
  console.log(`  ${changed.length} with the role of another kernel: ${changed.slice(0, 8).join(", ")}`);
if (keep === undefined) rmSync(work, { recursive: true, force: true });
if (bad > 0) process.exitCode = 1;
