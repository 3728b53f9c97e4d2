// VMCOREINFO: what a kernel writes about itself for its dump (Documentation/admin-guide/kdump/vmcoreinfo.rst): a few symbols, sizes
// and numbers, in text. With kallsyms and BTF, which it leads to, no debug information is needed.
import { BadInput } from "../base/bad_input.ts";
import type { PhysicalMemory } from "./container/physical.ts";

export interface Vmcoreinfo {
  readonly text: string;
  readonly release: string;
  symbol(name: string): bigint | undefined;
  /** NUMBER(name); decimal, signed or hexadecimal. */
  number(name: string): bigint | undefined;
  size(name: string): number | undefined;
  offset(name: string): number | undefined;
  length(name: string): number | undefined;
}

/** Reads the text. Lines that are none of its kinds are left aside. */
export function readVmcoreinfo(text: string): Vmcoreinfo {
  const values = new Map<string, bigint>();
  let release = "";
  for (const line of text.split("\n")) {
    const eq = line.indexOf("=");
    if (eq < 0) continue;
    const key = line.slice(0, eq);
    const value = line.slice(eq + 1).trim();
    if (key === "OSRELEASE") release = value;
    const isAddress = key.startsWith("SYMBOL(") || key === "KERNELOFFSET";
    const digits = isAddress ? /^[0-9a-f]{1,16}$/i : /^(0x[0-9a-f]{1,16}|-?\d{1,20})$/i;
    if (!digits.test(value) || values.has(key)) continue;
    values.set(key, value.startsWith("-") ? -BigInt(value.slice(1)) : BigInt(isAddress ? `0x${value}` : value));
  }
  const small = (key: string): number | undefined => {
    const v = values.get(key);
    return v === undefined || v < 0n || v > 0xffffffffn ? undefined : Number(v);
  };
  return {
    text,
    release,
    symbol: (name) => values.get(`SYMBOL(${name})`),
    number: (name) => values.get(`NUMBER(${name})`),
    size: (name) => small(`SIZE(${name})`),
    offset: (name) => small(`OFFSET(${name})`),
    length: (name) => small(`LENGTH(${name})`),
  };
}

const mark = new TextEncoder().encode("OSRELEASE=");
const mostPagesLookedAt = 1 << 24;

/**
 * The vmcoreinfo of an image: its note, or, where the container has none (qemu without -device vmcoreinfo), the kernel's own copy,
 * which begins a page (kernel/vmcore_info.c of 6.12: get_zeroed_page). Throws BadInput when there is none.
 */
export function findVmcoreinfo(memory: PhysicalMemory): Vmcoreinfo {
  if (memory.vmcoreinfo?.includes("OSRELEASE=") === true) return readVmcoreinfo(memory.vmcoreinfo);
  const end = Math.min(memory.endPfn, mostPagesLookedAt);
  for (let pfn = 0; pfn < end; pfn++) {
    const page = memory.page(pfn);
    if (page === undefined || !mark.every((b, i) => page[i] === b)) continue;
    const stop = page.indexOf(0);
    const text = new TextDecoder().decode(page.subarray(0, stop < 0 ? page.length : stop));
    // The kernel clears the page when it dumps itself; a copy that breaks off early is of another time.
    if (text.includes("SYMBOL(swapper_pg_dir)=")) return readVmcoreinfo(text);
  }
  throw new BadInput(
    "It has no VMCOREINFO: nothing says which kernel it is and where its tables lie.",
    { file: memory.name },
    "Take the image again with qemu's `-device vmcoreinfo`, `virsh dump --memory-only`, or kdump.",
  );
}
