// Reads the packed index of network functions. The form, after gunzip:
//   one line of JSON: { form: 1, kernels, roles, modules: [name, directory, option][], facts: [role, reach, memory, does, kernels][],
//                       blockNames, blocks, bytes }
//   `blocks` offsets of four bytes, little-endian: where each block of `blockNames` names begins
//   the blocks: names in order of their bytes, each as (shared with the name before, own length, own bytes, count, count × (module, fact)),
//   numbers in groups of seven bits, low ones first; the first name of a block shares nothing.
// A look-up is a binary search over the blocks' first names; nothing else is decoded.
import { BadInput } from "../../../base/bad_input.ts";
import {
  type Deed,
  deeds,
  type EntryKind,
  entryKinds,
  type FunctionIndex,
  type FunctionRole,
  type MemoryKind,
  type ModulePlace,
  memoryKinds,
  type NetworkFunction,
} from "./roles.ts";

interface Head {
  readonly form: number;
  readonly kernels: readonly string[];
  readonly roles: readonly string[];
  readonly modules: readonly (readonly [name: string, directory: string, option: string])[];
  readonly facts: readonly (readonly [role: number, reach: number, memory: number, does: number, kernels: number])[];
  readonly blockNames: number;
  readonly blocks: number;
  readonly bytes: number;
}

const latin = new TextDecoder();

const damaged = (): BadInput =>
  new BadInput(
    "These bytes are not the index of functions.",
    undefined,
    "Give those of network.idx.gz of this package, unpacked.",
  );

function headOf(line: string): Head {
  try {
    return JSON.parse(line) as Head;
  } catch {
    throw damaged();
  }
}

/** Reads the index from its unpacked bytes. Throws BadInput when they are not of this form. */
export function readFunctionIndex(bytes: Uint8Array): FunctionIndex {
  const line = bytes.indexOf(10);
  const head = headOf(latin.decode(bytes.subarray(0, line)));
  const start = line + 1 + head.blocks * 4;
  if (head.form !== 1 || bytes.length !== start + head.bytes) throw damaged();
  const offsets = new DataView(bytes.buffer, bytes.byteOffset + line + 1, head.blocks * 4);
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] as number;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const nameBehind = (previous: string): string => {
    const shared = number();
    const own = number();
    at += own;
    return previous.slice(0, shared) + latin.decode(bytes.subarray(at - own, at));
  };
  const toBlock = (block: number): void => {
    at = start + offsets.getUint32(block * 4, true);
  };
  const modules: readonly ModulePlace[] = head.modules.map(([name, directory, option]) => ({
    name,
    directory,
    option,
  }));
  let byName: Map<string, ModulePlace> | undefined;
  const blockOf = (wanted: string): number => {
    let low = 0;
    let high = head.blocks - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      toBlock(middle);
      if (nameBehind("") <= wanted) low = middle;
      else high = middle - 1;
    }
    return low;
  };
  const functionHere = (name: string): NetworkFunction => {
    const place = modules[number()] as ModulePlace;
    const [role, reach, memory, does, seen] = head.facts[number()] as Head["facts"][number];
    return {
      name,
      place,
      role: (head.roles[role] || undefined) as FunctionRole | undefined,
      from: setOf<EntryKind>(entryKinds, reach),
      memory: setOf<MemoryKind>(memoryKinds, memory),
      does: setOf<Deed>(deeds, does),
      kernels: head.kernels.filter((_, i) => ((seen >> i) & 1) === 1),
    };
  };
  const found = new Map<string, readonly NetworkFunction[]>();
  const search = (wanted: string): readonly NetworkFunction[] => {
    toBlock(blockOf(wanted));
    let name = "";
    for (let i = 0; i < head.blockNames && at < bytes.length; i++) {
      name = nameBehind(i === 0 ? "" : name);
      const count = number();
      if (name === wanted) return Array.from({ length: count }, () => functionHere(name));
      if (name > wanted) return [];
      for (let skip = 0; skip < count * 2; skip++) number();
    }
    return [];
  };
  const libraries = new Map<string, boolean>();
  let refills: Map<string, Set<MemoryKind>> | undefined;
  /** One walk through the whole file, for the first module that is asked for. */
  const allRefills = (): Map<string, Set<MemoryKind>> => {
    const all = new Map<string, Set<MemoryKind>>();
    const refilling = 1 << deeds.indexOf("refills");
    const kinds = head.facts.map(([, , memory, does]) =>
      (does & refilling) === 0 ? undefined : setOf<MemoryKind>(memoryKinds, memory),
    );
    for (let block = 0; block < head.blocks; block++) {
      toBlock(block);
      for (let i = 0; i < head.blockNames && at < bytes.length; i++) {
        number();
        const own = number();
        at += own;
        for (let left = number(); left > 0; left--) {
          const module = (modules[number()] as ModulePlace).name;
          const found = kinds[number()];
          if (found === undefined) continue;
          const known = all.get(module) ?? new Set();
          for (const kind of found) known.add(kind);
          all.set(module, known);
        }
      }
    }
    return all;
  };
  return {
    kernels: head.kernels,
    isLibrary(module) {
      const known = libraries.get(module);
      if (known !== undefined) return known;
      const own = modules.find((m) => m.name !== "" && m.name === module);
      const found =
        own !== undefined &&
        modules.some((m) => m.name.startsWith(own.name) && m.directory.startsWith(`${own.directory}/`));
      if (own !== undefined) libraries.set(module, found);
      return found;
    },
    refillMemory(module) {
      refills ??= allRefills();
      return refills.get(module.replaceAll("-", "_"));
    },
    find(wanted) {
      const known = found.get(wanted);
      if (known !== undefined) return known;
      // A hostile log may name anything: what was looked up is kept, but not without end.
      if (found.size > 5000) found.clear();
      const answer = search(wanted);
      found.set(wanted, answer);
      return answer;
    },
    module(wanted) {
      byName ??= new Map(modules.filter((m) => m.name !== "").map((m) => [m.name, m]));
      return byName.get(wanted.replaceAll("-", "_"));
    },
  };
}

const setOf = <T extends string>(names: readonly T[], bits: number): ReadonlySet<T> =>
  new Set(names.filter((_, i) => ((bits >> i) & 1) === 1));
