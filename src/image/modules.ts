// The modules of the kernel: where their data lies, what their symbols are called, and their split BTF, which continues the kernel's own
// (kernel/module/, kernel/bpf/btf.c of 5.11 to 7.2). With them a word in a driver's memory gets the name of what it lies in.
import { type Btf, readBtf } from "../artifact/btf/btf.ts";
import { BadInput } from "../base/bad_input.ts";
import { ifThere } from "./address_space.ts";
import type { Kernel } from "./kernel.ts";
import { chainOrProblem, walkRing } from "./lists.ts";
import type { Struct, Types } from "./types.ts";

export interface KernelModule {
  readonly name: string;
  /** Data that can be written: variables, and what is constant after init. */
  readonly data: readonly { readonly from: bigint; readonly bytes: number }[];
  /** `dring`, `dring+0x8`; undefined where the module has no symbol between `from` and the address. */
  nameOf(address: bigint, from: bigint): string | undefined;
}

const mostModules = 4096;
const mostDataBytes = 1 << 22;
const mostSymbols = 1 << 17;

/** All modules that are loaded. A kernel without modules has none. */
export function readModules(kernel: Kernel): readonly KernelModule[] {
  const head = kernel.symbols.address("modules");
  const struct = kernel.types.find("module");
  if (head === undefined || struct === undefined) return [];
  const { entries } = chainOrProblem(() => walkRing(kernel, head, mostModules));
  return entries.flatMap((entry) => {
    const found = ifThere(() => moduleAt(kernel, struct, entry - struct.at("list")));
    return found === undefined ? [] : [found];
  });
}

function moduleAt(kernel: Kernel, struct: Struct, at: bigint): KernelModule {
  let table: readonly { readonly address: bigint; readonly name: string }[] | undefined;
  return {
    name: kernel.space.text(at + struct.at("name"), 56),
    data: dataOf(kernel, struct, at),
    nameOf(address, from) {
      table ??= ifThere(() => symbolsOf(kernel, struct, at)) ?? [];
      let low = 0;
      let high = table.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((table[middle] as { address: bigint }).address > address) high = middle;
        else low = middle + 1;
      }
      const found = table[low - 1];
      if (found === undefined || found.address < from) return undefined;
      const inside = address - found.address;
      return inside === 0n ? found.name : `${found.name}+0x${inside.toString(16)}`;
    },
  };
}

/** Parts of a module by kind since 6.4 (struct module_memory), before that one piece with the text first (struct module_layout). */
function dataOf(kernel: Kernel, struct: Struct, at: bigint): KernelModule["data"] {
  const { space, types } = kernel;
  const parts = struct.find("mem");
  const part = parts === undefined ? undefined : types.find("module_memory");
  const bounded = (from: bigint, bytes: number): KernelModule["data"] =>
    from === 0n || bytes <= 0 || bytes > mostDataBytes ? [] : [{ from, bytes }];
  if (parts !== undefined && part !== undefined)
    return ["MOD_DATA", "MOD_RO_AFTER_INIT"].flatMap((kind) => {
      const index = types.constant("mod_mem_type", kind);
      if (index === undefined || index >= parts.elements) return [];
      const own = at + parts.at + BigInt(index * part.sizeBytes);
      return bounded(space.u64(own + part.at("base")), space.u32(own + part.at("size")));
    });
  const core = struct.find("core_layout");
  const layout = types.find("module_layout");
  if (core === undefined || layout === undefined) return [];
  const word = (name: string): number => space.u32(at + core.at + layout.at(name));
  const text = word("ro_size");
  return bounded(space.u64(at + core.at + layout.at("base")) + BigInt(text), word("size") - text);
}

/** Names and places of a module's symbols, by place: Elf64_Sym, 24 bytes each. */
function symbolsOf(kernel: Kernel, struct: Struct, at: bigint): readonly { address: bigint; name: string }[] {
  const { space, types } = kernel;
  const table = types.find("mod_kallsyms");
  const pointer = struct.find("kallsyms");
  if (table === undefined || pointer === undefined) return [];
  const own = space.u64(at + pointer.at);
  const symbols = space.u64(own + table.at("symtab"));
  const strings = space.u64(own + table.at("strtab"));
  const count = Math.min(space.u32(own + table.at("num_symtab")), mostSymbols);
  const bytes = space.bytes(symbols, count * 24);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const out: { address: bigint; name: string }[] = [];
  for (let i = 1; i < count; i++) {
    const address = view.getBigUint64(i * 24 + 8, true);
    const name =
      address === 0n ? undefined : ifThere(() => space.text(strings + BigInt(view.getUint32(i * 24, true)), 128));
    if (name !== undefined && name !== "") out.push({ address, name });
  }
  return out.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
}

/** Gives the types of all modules to `types`; how many there were, and of how many the BTF is not in the image or not whole. */
export function addModuleTypes(kernel: Kernel, types: Types): { readonly read: number; readonly lost: number } {
  const head = kernel.symbols.address("btf_modules");
  const entryStruct = types.find("btf_module");
  const btfStruct = types.find("btf");
  if (head === undefined || entryStruct === undefined || btfStruct === undefined) return { read: 0, lost: 0 };
  let read = 0;
  let lost = 0;
  const { entries } = chainOrProblem(() => walkRing(kernel, head, mostModules));
  for (const entry of entries) {
    const own = ifThere(() => splitBtf(kernel, types.kernel, btfStruct, entryStruct, entry - entryStruct.at("list")));
    if (own === undefined) lost++;
    else {
      types.addModule(own.name, own.btf);
      read++;
    }
  }
  return { read, lost };
}

function splitBtf(
  kernel: Kernel,
  base: Btf,
  struct: Struct,
  entryStruct: Struct,
  at: bigint,
): { readonly name: string; readonly btf: Btf } | undefined {
  const { space } = kernel;
  const btf = space.u64(at + entryStruct.at("btf"));
  const name = space.text(btf + struct.at("name"), 56);
  const bytes = space.bytes(space.u64(btf + struct.at("data")), space.u32(btf + struct.at("data_size")));
  try {
    return { name, btf: readBtf(bytes.slice(), `${space.memory.name}: BTF of ${name}`, base) };
  } catch (error) {
    if (error instanceof BadInput) return undefined;
    throw error;
  }
}
