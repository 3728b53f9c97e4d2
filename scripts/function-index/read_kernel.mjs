// One kernel of the index, read from its packages: every function of its network modules with what the index tells of it.
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { readModule } from "./elf.mjs";
import { functionsOf } from "./graph.mjs";
import { filesBelow, moduleBytes, source, unpacked, unpackWithTools } from "./packages.mjs";
import { roleByPrototype, tablesOf } from "./roles.mjs";
import { definitions, options } from "./source.mjs";

const root = join(import.meta.dirname, "../..");
const { readKernelFile } = await import(join(root, "dist/artifact/btf/kernel_file.js"));
const { readBtf } = await import(join(root, "dist/artifact/btf/btf.js"));

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

/**
 * Functions of one kernel: of modules with their facts, and of its own text with files and roles. `work` keeps what is fetched; `roleElsewhere`
 * tells the role of a function in a kernel whose modules carry types.
 */
export async function readKernel(work, apt, kernel, roleElsewhere) {
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

/** Padding, tracing's own and what every module has: nobody looks for a driver by them. */
const notOnStacks =
  /^(init_module|cleanup_module|__(pfx|cfi|SCT|SCK|probestub|traceiter|bpf_trace|event)_.*|_sub_[ID]_.*|(trace|perf)_(event_raw_event|raw_output|trace)_.*|perf_trace_.*|trace_raw_output_.*|trace_event_raw_.*)$/;

/** A function's name as stacks have it; undefined for what nobody looks for. */
export function nameOnStacks(symbol) {
  const name = symbol.replace(/(\.(isra|constprop|part|cold|llvm|clone)(\.\d+)?)+$/, "");
  return notOnStacks.test(name) ? undefined : name;
}
