// The kernel of an image, ready to be asked: memory, symbols, types, the places of its great tables. Made in the order in which each
// thing leads to the next: vmcoreinfo, page tables, kallsyms, BTF.
import { readBtf } from "../artifact/btf/btf.ts";
import { BadInput } from "../base/bad_input.ts";
import { Absent, AddressSpace, ifThere } from "./address_space.ts";
import type { PhysicalMemory } from "./container/physical.ts";
import { pageBytes } from "./container/physical.ts";
import { type Kallsyms, readKallsyms } from "./kallsyms.ts";
import { Types } from "./types.ts";
import { findVmcoreinfo, type Vmcoreinfo } from "./vmcoreinfo.ts";

export interface Kernel {
  readonly memory: PhysicalMemory;
  readonly space: AddressSpace;
  readonly info: Vmcoreinfo;
  readonly symbols: Kallsyms;
  readonly types: Types;
  /** `uname -v`; "" when it is not in the image. */
  readonly version: string;
  /** Start of the direct map of physical memory. */
  readonly pageOffset: bigint;
  /** Where the struct page of frame 0 would lie. */
  readonly vmemmap: bigint;
  readonly pageStructBytes: number;
  /** CPUs that are on line, in order. */
  readonly onlineCpus: readonly number[];
  readonly possibleCpus: readonly number[];
  /** What to add to a per-CPU address for a CPU. */
  readonly perCpuOffsets: readonly bigint[];
}

/** Direct map, vmemmap and vmalloc without randomisation, arch/x86/include/asm/pgtable_64_types.h of 6.1: for kernels without CONFIG_RANDOMIZE_MEMORY. */
const fixedBases = {
  4: { pageOffset: 0xffff888000000000n, vmemmap: 0xffffea0000000000n },
  5: { pageOffset: 0xff11000000000000n, vmemmap: 0xffd4000000000000n },
} as const;

const mostBtfBytes = 1 << 24;
const mostCpus = 8192;

/** Opens the kernel of an image. Throws BadInput when something that all else rests on is missing or contradicts itself. */
export function openKernel(memory: PhysicalMemory): Kernel {
  const info = findVmcoreinfo(memory);
  const space = new AddressSpace(memory, info);
  const symbols = readKallsyms(space, info);
  const fixed = fixedBases[space.levels];
  const variable = (name: string, otherwise: bigint): bigint => {
    const at = symbols.address(name);
    return at === undefined ? otherwise : (ifThere(() => space.u64(at)) ?? otherwise);
  };
  const pageOffset = variable("page_offset_base", fixed.pageOffset);
  const vmemmap = info.symbol("vmemmap") ?? variable("vmemmap_base", fixed.vmemmap);
  checkDirectMap(space, pageOffset);
  space.setDirectMap(pageOffset);
  const types = typesOf(space, symbols);
  const pageStructBytes = types.find("page")?.sizeBytes;
  if (pageStructBytes === undefined)
    throw new BadInput("Its BTF has no struct page.", { file: memory.name }, "The image is damaged.");
  const said = info.size("page");
  if (said !== undefined && said !== pageStructBytes)
    throw new BadInput(
      `BTF says that struct page has ${pageStructBytes} bytes, VMCOREINFO says ${said}.`,
      { file: memory.name },
      "The image is damaged.",
    );
  const online = cpusOf(space, symbols, types, "__cpu_online_mask");
  const possible = cpusOf(space, symbols, types, "__cpu_possible_mask");
  return {
    memory,
    space,
    info,
    symbols,
    types,
    version: versionOf(space, info, types),
    pageOffset,
    vmemmap,
    pageStructBytes,
    onlineCpus: online,
    possibleCpus: possible.length > 0 ? possible : online,
    perCpuOffsets: perCpuOf(space, symbols, Math.max(-1, ...online, ...possible) + 1),
  };
}

function versionOf(space: AddressSpace, info: Vmcoreinfo, types: Types): string {
  const at = info.symbol("init_uts_ns");
  const name = types.find("uts_namespace")?.find("name");
  const version = types.find("new_utsname")?.find("version");
  if (at === undefined || name === undefined || version === undefined) return "";
  return ifThere(() => space.text(at + name.at + version.at, 65)) ?? "";
}

/** The page tables must say the same as the direct map, at its first page that is in the image. */
function checkDirectMap(space: AddressSpace, pageOffset: bigint): void {
  for (let pfn = 256; pfn < Math.min(space.memory.endPfn, 1 << 16); pfn += 97) {
    if (!space.memory.has(pfn)) continue;
    const address = pageOffset + BigInt(pfn) * BigInt(pageBytes);
    const by = space.translate(address);
    if (by === pfn * pageBytes) return;
    if (by !== undefined)
      throw new BadInput(
        `Its page tables put ${address.toString(16)} at ${by.toString(16)}, its direct map at ${(pfn * pageBytes).toString(16)}.`,
        { file: space.memory.name },
        "The image is damaged.",
      );
  }
}

function typesOf(space: AddressSpace, symbols: Kallsyms): Types {
  const start = symbols.address("__start_BTF");
  const stop = symbols.address("__stop_BTF");
  const bytes = start === undefined || stop === undefined ? 0 : Number(stop - start);
  if (start === undefined || bytes <= 0 || bytes > mostBtfBytes)
    throw new BadInput(
      "Its kernel carries no BTF (CONFIG_DEBUG_INFO_BTF is off).",
      { file: space.memory.name },
      "Without it nothing says how its structs are laid out; use crash or drgn with the kernel's debug file.",
    );
  try {
    return new Types(readBtf(space.bytes(start, bytes), `${space.memory.name}: BTF`));
  } catch (error) {
    if (!(error instanceof Absent)) throw error;
    throw new BadInput(
      "The image does not hold all of the kernel's BTF.",
      { file: space.memory.name },
      "It is part of the kernel's own data: was the image cut off, or filtered with an erase configuration?",
    );
  }
}

function cpusOf(space: AddressSpace, symbols: Kallsyms, types: Types, mask: string): readonly number[] {
  const at = symbols.address(mask);
  if (at === undefined) return [];
  const bytes = Math.min(types.find("cpumask")?.sizeBytes ?? 8, mostCpus / 8);
  const bits = ifThere(() => space.bytes(at, bytes));
  if (bits === undefined) return [];
  const cpus: number[] = [];
  for (let i = 0; i < bytes * 8; i++) if (((bits[i >> 3] as number) & (1 << (i & 7))) !== 0) cpus.push(i);
  return cpus;
}

function perCpuOf(space: AddressSpace, symbols: Kallsyms, count: number): readonly bigint[] {
  const at = symbols.address("__per_cpu_offset");
  if (at === undefined) return [];
  return Array.from({ length: count }, (_, i) => ifThere(() => space.u64(at + BigInt(i * 8))) ?? 0n);
}

/** The address of a per-CPU object on a CPU. */
export const perCpu = (kernel: Kernel, pointer: bigint, cpu: number): bigint =>
  BigInt.asUintN(64, pointer + (kernel.perCpuOffsets[cpu] ?? 0n));

/** Frame number of a pointer to a struct page; undefined when it points to none. */
export function pfnOfPage(kernel: Kernel, pointer: bigint): number | undefined {
  const inside = pointer - kernel.vmemmap;
  if (inside < 0n || inside >= BigInt(kernel.pageStructBytes) << 40n) return undefined;
  const bytes = Number(inside);
  return bytes % kernel.pageStructBytes === 0 ? bytes / kernel.pageStructBytes : undefined;
}

/** Address of a frame's struct page. */
export const pageStructAt = (kernel: Kernel, pfn: number): bigint =>
  kernel.vmemmap + BigInt(pfn) * BigInt(kernel.pageStructBytes);

/** Direct-map address of a frame. */
export const frameAddress = (kernel: Kernel, pfn: number): bigint => kernel.pageOffset + BigInt(pfn) * 4096n;

/** Frame of a direct-map address; undefined for other addresses. */
export function pfnOfAddress(kernel: Kernel, address: bigint): number | undefined {
  const inside = address - kernel.pageOffset;
  return inside < 0n || inside >= 1n << 46n ? undefined : Number(inside >> 12n);
}

/** The same kernel over other memory (an image with a change in it): symbols and types are taken over, addresses are looked up anew. */
export function overMemory(kernel: Kernel, memory: PhysicalMemory): Kernel {
  const space = new AddressSpace(memory, kernel.info);
  space.setDirectMap(kernel.pageOffset);
  return { ...kernel, memory, space };
}
