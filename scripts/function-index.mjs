// Makes the index of the kernel's network functions: each with its module, its role, the roles it can be reached from and the memory it
// reaches. Run it by hand when a kernel is added; the packed file is part of the repository.
//
//   npm run build && node scripts/function-index.mjs [--keep DIRECTORY]
//
// Needs apt-get, dpkg-deb, tar, xz, zstd and a network. It fetches kernel packages of Debian (about 1.2 GB) into a directory that it
// removes, or keeps with --keep so that the next run fetches nothing. What it takes from them are names, places, relocations and types:
// facts. No code is taken.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { readModule } from "./function-index/elf.mjs";
import { functionsOf } from "./function-index/graph.mjs";
import { pack } from "./function-index/pack.mjs";
import {
  aptRoot,
  filesBelow,
  kernels,
  moduleBytes,
  source,
  unpacked,
  unpackWithTools,
} from "./function-index/packages.mjs";
import { roleByPrototype, roleNames, tablesOf } from "./function-index/roles.mjs";
import { definitions, options } from "./function-index/source.mjs";

const root = join(import.meta.dirname, "..");
const { readKernelFile } = await import(join(root, "dist/artifact/btf/kernel_file.js"));
const { readBtf } = await import(join(root, "dist/artifact/btf/btf.js"));
const target = join(root, "src/kernel/facts/functions/network.idx.gz");

const keep = process.argv.includes("--keep") ? process.argv[process.argv.indexOf("--keep") + 1] : undefined;
const work = keep ?? mkdtempSync(join(tmpdir(), "function-index-"));
mkdirSync(work, { recursive: true });

const network =
  /^(net|drivers\/net|drivers\/usb\/gadget|drivers\/vhost|drivers\/infiniband\/ulp)\/|^drivers\/staging\/(rtl|vt66|wlan|wfx|wilc|qlge|ks7010)|^drivers\/scsi\/(\w+\/)*\w*iscsi/;

/** `drivers/net/ethernet/intel/igb/igb.ko.xz` to its name and directory. */
function placeOf(file) {
  const path = file.slice(file.indexOf("/kernel/") + 8);
  return {
    name: basename(path)
      .replace(/\.ko(\.xz|\.zst)?$/, "")
      .replaceAll("-", "_"),
    directory: dirname(path),
    file,
  };
}

function bootFile(files) {
  return files.find((f) => /\/vmlinuz[^/]*$/.test(f));
}

async function typesOf(files, kernel) {
  const boot = bootFile(files);
  return readKernelFile(new Uint8Array(readFileSync(boot)), kernel.name, unpackWithTools);
}

/** Functions of one kernel: rows of name, module, facts. */
async function readKernel(apt, kernel, roleElsewhere) {
  const files = filesBelow(unpacked(work, apt, kernel));
  const btf = await typesOf(files, kernel);
  const tree = source(work, apt, kernel);
  const places = files.filter((f) => /\.ko(\.xz|\.zst)?$/.test(f)).map(placeOf);
  const modules = [];
  for (const place of places) {
    if (!network.test(`${place.directory}/${place.name}`)) continue;
    const module = readModule(moduleBytes(place.file));
    let prototypes = new Map();
    if (module.btf !== undefined) prototypes = readBtf(module.btf, place.name, btf).functions();
    modules.push({ ...place, module, prototypes });
  }
  const nodes = functionsOf(modules, tablesOf(btf), roleElsewhere);
  const inText = new Map();
  if (tree !== undefined) {
    const defined = definitions(tree);
    for (const [name, prototype] of btf.functions()) {
      const file = defined.get(name);
      if (file !== undefined) inText.set(name, { file, role: roleByPrototype(prototype, name) });
    }
  }
  console.log(
    `${kernel.name}: ${places.length} modules, ${modules.length} of the network, ${nodes.length} functions in them, ${inText.size} in the kernel's text`,
  );
  return { kernel, places, nodes, inText, options: tree === undefined ? new Map() : options(tree) };
}

const apt = existsSync(join(work, "kernels", kernels.at(-1).name)) ? undefined : aptRoot(work);
const roles = new Map();
const read = [];
// Kernels whose modules carry types come first: their roles stand for those of older ones with the same name.
for (const kernel of [...kernels].reverse()) {
  const one = await readKernel(apt, kernel, (module, name) => roles.get(`${module}:${name}`));
  for (const n of one.nodes)
    if (n.role !== undefined && !roles.has(`${n.module}:${n.name}`)) roles.set(`${n.module}:${n.name}`, n.role);
  read.unshift(one);
}

/** Padding, tracing's own and what every module has: nobody looks for a driver by them. */
const notOnStacks =
  /^(init_module|cleanup_module|__(pfx|cfi|SCT|SCK|probestub|traceiter|bpf_trace|event)_.*|_sub_[ID]_.*|(trace|perf)_(event_raw_event|raw_output|trace)_.*|perf_trace_.*|trace_raw_output_.*|trace_event_raw_.*)$/;
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
    const name = n.name.replace(/(\.(isra|constprop|part|cold|llvm|clone)(\.\d+)?)+$/, "");
    if (notOnStacks.test(name)) continue;
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
