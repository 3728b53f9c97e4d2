// Makes the index of the kernel's network functions: each with its module, its role, the roles it can be reached from and the memory it
// reaches. Run it by hand when a kernel is added; the packed file is part of the repository.
//
//   npm run build && node scripts/function-index.mjs [--keep DIRECTORY]
//
// Needs apt-get, dpkg-deb, tar, xz, zstd and a network. It fetches kernel packages of Debian (about 1.2 GB) into a directory that it
// removes, or keeps with --keep so that the next run fetches nothing. What it takes from them are names, places, relocations and types:
// facts. No code is taken.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pack } from "./function-index/pack.mjs";
import { aptRoot, kernels } from "./function-index/packages.mjs";
import { nameOnStacks, readKernel } from "./function-index/read_kernel.mjs";
import { roleNames } from "./function-index/roles.mjs";

const root = join(import.meta.dirname, "..");
const target = join(root, "src/kernel/facts/functions/network.idx.gz");

const keep = process.argv.includes("--keep") ? process.argv[process.argv.indexOf("--keep") + 1] : undefined;
const work = keep ?? mkdtempSync(join(tmpdir(), "function-index-"));
mkdirSync(work, { recursive: true });

const apt = existsSync(join(work, "kernels", kernels.at(-1).name)) ? undefined : aptRoot(work);
const roles = new Map();
const read = [];
// Kernels whose modules carry types come first: their roles stand for those of older ones with the same name.
for (const kernel of [...kernels].reverse()) {
  const one = await readKernel(work, apt, kernel, (module, name) => roles.get(`${module}:${name}`));
  for (const n of one.nodes)
    if (n.role !== undefined && !roles.has(`${n.module}:${n.name}`)) roles.set(`${n.module}:${n.name}`, n.role);
  read.unshift(one);
}

const modules = [];
const moduleIndex = new Map();
const rows = new Map();
const optionOf = (directory, name) =>
  read.map((r) => r.options.get(`${directory}/${name}`)).find((o) => o !== undefined) ?? "";
const indexOf = (name, directory) => {
  const known = moduleIndex.get(`${name}:${name === "" ? directory : ""}`);
  if (known !== undefined) return known;
  moduleIndex.set(`${name}:${name === "" ? directory : ""}`, modules.length);
  modules.push([name, directory, name === "" ? "" : optionOf(directory, name)]);
  return modules.length - 1;
};
const add = (name, module, facts, kernelBit) => {
  const places = rows.get(name) ?? new Map();
  rows.set(name, places);
  const known = places.get(module);
  if (known === undefined) places.set(module, { facts, kernels: kernelBit });
  else
    places.set(module, {
      facts: known.facts.map((v, i) => (i === 0 ? v || facts[0] : v | facts[i])),
      kernels: known.kernels | kernelBit,
    });
};
// The newest kernel's directories count.
for (const one of [...read].reverse()) for (const p of one.places) indexOf(p.name, p.directory);
read.forEach(({ nodes, inText, places }, k) => {
  const directories = new Map(places.map((p) => [p.name, p.directory]));
  for (const n of nodes) {
    const name = nameOnStacks(n.name);
    if (name === undefined) continue;
    add(
      name,
      indexOf(n.module, directories.get(n.module)),
      [roleNames.indexOf(n.role ?? ""), n.reach, n.memory, n.does],
      1 << k,
    );
  }
  for (const [name, { file, role }] of inText)
    add(name, indexOf("", file), [roleNames.indexOf(role ?? ""), 0, 0, 0], 1 << k);
});
for (const places of rows.values()) for (const place of places.values()) place.facts = place.facts.join(",");
const { packed, names, facts } = pack({ kernels: kernels.map((k) => k.name), roles: roleNames, modules, rows });
mkdirSync(dirname(target), { recursive: true });
writeFileSync(target, packed);
console.log(`${names} names, ${modules.length} modules and files, ${facts} kinds of facts: ${packed.length} bytes`);
if (keep === undefined) rmSync(work, { recursive: true, force: true });
