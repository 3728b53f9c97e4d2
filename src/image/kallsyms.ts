// The kernel's own symbol table, decoded where it lies (scripts/kallsyms.c, kernel/kallsyms.c). Names are packed with a table of 256
// tokens. How offsets become addresses has changed twice; which way holds is found by the symbols that VMCOREINFO names, not by version.
// VMCOREINFO says where the table lies in 6.1.192, 6.12.117 (kernel/crash_core.c, vmcore_info.c) and 7.2.13, not yet in 5.10.262.
import { BadInput } from "../base/bad_input.ts";
import type { AddressSpace } from "./address_space.ts";
import { Absent } from "./address_space.ts";
import type { Vmcoreinfo } from "./vmcoreinfo.ts";

export interface Kallsyms {
  readonly count: number;
  /** The first symbol of that name. */
  address(name: string): bigint | undefined;
  /** `name+0x12` for an address inside the kernel's text or data; undefined outside. */
  nameOf(address: bigint): string | undefined;
}

const mostSymbols = 1 << 21;

/** Decodes all names. Throws BadInput when the table is absent or does not fit what VMCOREINFO says. */
export function readKallsyms(space: AddressSpace, info: Vmcoreinfo): Kallsyms {
  const file = space.memory.name;
  const names = info.symbol("kallsyms_names");
  const countAt = info.symbol("kallsyms_num_syms");
  const tokenTable = info.symbol("kallsyms_token_table");
  const tokenIndex = info.symbol("kallsyms_token_index");
  const offsets = info.symbol("kallsyms_offsets");
  if (
    names === undefined ||
    countAt === undefined ||
    tokenTable === undefined ||
    tokenIndex === undefined ||
    offsets === undefined
  )
    throw new BadInput(
      `Its VMCOREINFO (${asPrintable(info.release)}) does not say where kallsyms lies; that of 6.1 and later kernels does.`,
      { file },
      "Without it nothing can be found in this image; use crash or drgn with the kernel's debug file.",
    );
  try {
    const count = space.u32(countAt);
    if (count === 0 || count > mostSymbols)
      throw new BadInput(`Its kallsyms says ${count} symbols.`, { file }, "The image is damaged.");
    const texts = namesOf(space, names, count, tokensOf(space, tokenTable, tokenIndex));
    const raw = space.bytes(offsets, count * 4);
    const words = new Int32Array(raw.slice().buffer);
    const base = info.symbol("kallsyms_relative_base");
    return tableOf(
      texts,
      addressesOf(words, offsets, base === undefined ? undefined : space.u64(base), texts, info, file),
    );
  } catch (error) {
    if (!(error instanceof Absent)) throw error;
    throw new BadInput(
      "The image does not hold the kernel's symbol table (kallsyms).",
      { file },
      "It is part of the kernel's own data: was the image cut off, or filtered with an erase configuration?",
    );
  }
}

const asPrintable = (text: string): string => text.replace(/[^\x20-\x7e]/g, "?").slice(0, 80);

function tokensOf(space: AddressSpace, table: bigint, index: bigint): readonly string[] {
  const at = space.bytes(index, 512);
  return Array.from({ length: 256 }, (_, i) =>
    space.text(table + BigInt((at[2 * i] as number) | ((at[2 * i + 1] as number) << 8)), 64),
  );
}

/** Names with their type letter in front. A length of 128 and more takes two bytes (scripts/kallsyms.c of 6.1 to 7.2; 5.10 had one byte). */
function namesOf(space: AddressSpace, at: bigint, count: number, tokens: readonly string[]): readonly string[] {
  const chunkBytes = 1 << 16;
  let chunk: Uint8Array = new Uint8Array(0);
  let chunkAt = at;
  let i = 0;
  const next = (): number => {
    if (i === chunk.length) {
      chunkAt += BigInt(chunk.length);
      // Up to a page border, so that the end of the mapping is no trouble.
      chunk = space.bytes(chunkAt, chunkBytes - Number(chunkAt & 0xfffn));
      i = 0;
    }
    return chunk[i++] as number;
  };
  const names: string[] = [];
  for (let n = 0; n < count; n++) {
    let length = next();
    if (length >= 128) length = (length & 127) | (next() << 7);
    let name = "";
    for (let k = 0; k < length; k++) name += tokens[next()] as string;
    names.push(name);
  }
  return names;
}

type Rule = (offset: number, index: number) => bigint;

/**
 * Three ways from offset to address: relative to a base; the same with absolute per-CPU symbols (offset from 0 on) and the others
 * negative (KALLSYMS_ABSOLUTE_PERCPU, in 6.1 and 6.12, gone in 7.2); relative to the place of the offset itself (prel32).
 */
function addressesOf(
  words: Int32Array,
  offsetsAt: bigint,
  base: bigint | undefined,
  names: readonly string[],
  info: Vmcoreinfo,
  file: string,
): BigUint64Array {
  const fromBase: readonly Rule[] =
    base === undefined ? [] : [(o) => (o >= 0 ? BigInt(o) : base - 1n - BigInt(o)), (o) => base + BigInt(o >>> 0)];
  const rules: readonly Rule[] = [...fromBase, (o, i) => offsetsAt + BigInt(i * 4) + BigInt(o)];
  const known = ["_stext", "init_uts_ns", "node_data", "kallsyms_num_syms", "prb", "node_online_map"];
  const wanted = known.flatMap((name) => {
    const address = info.symbol(name);
    const index = names.findIndex((n) => n.length === name.length + 1 && n.endsWith(name));
    return address === undefined || index < 0 ? [] : [{ address, index }];
  });
  const rule = rules.find(
    (r) =>
      wanted.length >= 2 && wanted.every((w) => BigInt.asUintN(64, r(words[w.index] as number, w.index)) === w.address),
  );
  if (rule === undefined)
    throw new BadInput(
      `Its symbol table does not agree with VMCOREINFO about ${wanted.length} symbols that both name.`,
      { file },
      "Is the image damaged, or skblab older than this kernel?",
    );
  return BigUint64Array.from(words, (o, i) => BigInt.asUintN(64, rule(o, i)));
}

function tableOf(texts: readonly string[], addresses: BigUint64Array): Kallsyms {
  const byName = new Map<string, number>();
  for (let i = 0; i < texts.length; i++) {
    const name = (texts[i] as string).slice(1);
    if (!byName.has(name)) byName.set(name, i);
  }
  let order: readonly number[] | undefined;
  const sorted = (): readonly number[] => {
    order ??= texts
      .map((_, i) => i)
      .filter((i) => (addresses[i] as bigint) >= 0xffffffff80000000n)
      .sort((a, b) => {
        const x = addresses[a] as bigint;
        const y = addresses[b] as bigint;
        return x < y ? -1 : x > y ? 1 : a - b;
      });
    return order;
  };
  return {
    count: texts.length,
    address(name) {
      const i = byName.get(name);
      return i === undefined ? undefined : (addresses[i] as bigint);
    },
    nameOf(address) {
      const list = sorted();
      let low = 0;
      let high = list.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((addresses[list[middle] as number] as bigint) > address) high = middle;
        else low = middle + 1;
      }
      const found = list[low - 1];
      if (found === undefined || low === list.length) return undefined;
      // Aliases of one address: the first of them, as kallsyms does.
      let first = low - 1;
      while (first > 0 && addresses[list[first - 1] as number] === addresses[found]) first--;
      const at = list[first] as number;
      const inside = address - (addresses[at] as bigint);
      const name = asPrintable((texts[at] as string).slice(1));
      return inside === 0n ? name : `${name}+0x${inside.toString(16)}`;
    },
  };
}
