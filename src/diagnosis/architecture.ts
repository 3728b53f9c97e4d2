// Which architecture a report comes from: sizes of structures and cache lines depend on it, and no line states it plainly.
import type { CallTrace } from "../kernel/readings/call_trace.ts";
import type { MemInfo } from "../kernel/readings/mem_info.ts";
import type { SlabFailure } from "../kernel/readings/slab_failure.ts";
import { type Architecture, architectures } from "../kernel/release.ts";

export interface ArchitectureSaid {
  readonly arch: Architecture;
  /** False when nothing pointed anywhere and x86_64 was taken as the commonest. */
  readonly known: boolean;
  readonly because: string;
}

const suffixes: readonly (readonly [RegExp, Architecture])[] = [
  [/(amd64|x86[-_]64|[^\d]_64\b|r\d+_64\b)/, "x86_64"],
  [/\b(i?[3-6]86|pae)\b/, "i386"],
  [/(arm64|aarch64|v8\+?$|-tegra)/, "arm64"],
  [/(armv[5-7]|armhf|armmp|v7l?\+?$)/, "arm"],
  [/(ppc64|powerpc64)/, "ppc64"],
  [/(s390)/, "s390x"],
  [/(riscv)/, "riscv64"],
];

/** Weighs the release's own name, the form of the stack, the registers and the zones. */
export function architectureOf(
  releaseText: string | undefined,
  trace: CallTrace | undefined,
  memInfo: MemInfo | undefined,
  pageAddress?: string,
): ArchitectureSaid {
  for (const [form, arch] of suffixes)
    if (releaseText !== undefined && form.test(releaseText))
      return { arch, known: true, because: `the release is called ${releaseText}` };
  const tail = releaseText?.split("-").pop();
  const named = architectures.find((a) => a === tail);
  if (named !== undefined) return { arch: named, known: true, because: `the release is called ${releaseText}` };
  const byTrace = trace === undefined ? undefined : fromTrace(trace);
  if (byTrace !== undefined) return byTrace;
  if (memInfo?.zones.some((z) => z.name === "DMA32"))
    return { arch: "x86_64", known: false, because: "the zone DMA32 exists on 64-bit machines, mostly x86_64" };
  if (memInfo?.zones.some((z) => z.name === "HighMem"))
    return { arch: "i386", known: false, because: "the zone HighMem exists on 32-bit machines only" };
  if (pageAddress !== undefined && /^[0-9a-f]{8}$/.test(pageAddress))
    return { arch: "i386", known: false, because: "addresses have 32 bits" };
  return { arch: "x86_64", known: false, because: "nothing in the report points to another one" };
}

function fromTrace(trace: CallTrace): ArchitectureSaid | undefined {
  const said = (arch: Architecture, because: string): ArchitectureSaid => ({ arch, known: true, because });
  const registers = trace.items.find((i) => i.kind === "registers");
  if (registers !== undefined) {
    const names = Object.keys(registers.values);
    if (names.includes("RAX") || names.includes("RIP")) return said("x86_64", "the registers are those of x86_64");
    if (names.includes("EAX") || names.includes("EIP")) return said("i386", "the registers are those of i386");
    if (names.includes("x29")) return said("arm64", "the registers are those of arm64");
    if (names.includes("NIP")) {
      const { NIP } = registers.values;
      const wide = (NIP ?? "").length > 8;
      return said(wide ? "ppc64" : "ppc32", `the registers are those of ${wide ? "64" : "32"}-bit PowerPC`);
    }
  }
  const frame = trace.items.find((i) => i.kind === "frame");
  if (frame === undefined) return undefined;
  if (trace.form === "powerpc") {
    const wide = (frame.address ?? "").length > 8;
    return said(wide ? "ppc64" : "ppc32", `the stack is printed as ${wide ? "64" : "32"}-bit PowerPC does`);
  }
  if (trace.form === "arm") return said("arm", "the stack is printed as 32-bit ARM does");
  const names = new Set(trace.items.flatMap((i) => (i.kind === "frame" ? [i.function] : [])));
  const has = (form: RegExp): boolean => [...names].some((n) => form.test(n));
  if (has(/^(__x64_sys_|x64_sys_call|entry_SYSCALL_64|ret_from_fork_asm|asm_common_interrupt)/))
    return said("x86_64", "the stack has entry functions of x86_64");
  if (has(/^(el0t?_|el1h?_|__arm64_sys_|gic_handle_irq)/))
    return said("arm64", "the stack has entry functions of arm64");
  if (has(/^(entry_SYSENTER_32|sysenter_past_esp|syscall_call|common_interrupt$)/) && frame.address?.length === 8)
    return said("i386", "the stack has entry functions of i386");
  if (trace.form === "bracketed" && frame.address !== undefined) {
    if (/^ffffffff[89a-f]/.test(frame.address)) return said("x86_64", "kernel text lies where x86_64 puts it");
    if (/^ffffff80|^ffff[08]00/.test(frame.address)) return said("arm64", "kernel text lies where arm64 puts it");
    if (/^c\w{7}$/.test(frame.address)) return said("i386", "kernel text lies where 32-bit x86 puts it");
    if (/^8\w{7}$/.test(frame.address)) return said("mips", "kernel text lies where MIPS puts it");
  }
  return undefined;
}

/**
 * Kernels that distributions build with pages of 64 KiB and name so: each ppc64le, Red Hat's 7 and 8 on aarch64, the flavours +64k and -64k of
 * later ones.
 */
const of64Kb = (release: string): boolean =>
  /ppc64le|powerpc64le|[+-]64k\b/.test(release) || (/\.el[78]/.test(release) && /\.aarch64/.test(release));

/** Pages of these have 4 KiB, whatever the configuration (arch/{x86,arm,s390}/include/asm/page.h). */
const always4: readonly Architecture[] = ["x86_64", "i386", "arm", "s390x"];

/** Flavours of Raspberry Pi's kernels (bcm2711_defconfig, bcm2712_defconfig). */
const ofName = (release: string): number | undefined => {
  if (of64Kb(release)) return 64;
  if (/[+-]16k\b/.test(release)) return 16;
  return /-v8\+?$|sparc64/.test(release) ? (release.includes("sparc64") ? 8 : 4) : undefined;
};

export interface PageSize {
  readonly kb: number;
  /** False where nothing tells it and 4 KiB were taken. */
  readonly shown: boolean;
}

/**
 * Page size: what a `free` total divides into; else the slab of a kmalloc cache of several pages, whose smallest order holds one object; else
 * the release's name or an architecture that has one size; 4 KiB when nothing tells.
 */
export function pageSizeOf(
  arch: ArchitectureSaid,
  memInfo: MemInfo | undefined,
  slab?: SlabFailure,
  release?: string,
): PageSize {
  const printed = printedKb(memInfo, slab) ?? (release === undefined ? undefined : ofName(release));
  return { kb: printed ?? 4, shown: printed !== undefined || (arch.known && always4.includes(arch.arch)) };
}

function printedKb(memInfo: MemInfo | undefined, slab?: SlabFailure): number | undefined {
  for (const zone of memInfo?.zones ?? []) {
    const pages = (zone.freeLists?.blocks ?? []).reduce((sum, b) => sum + b.count * 2 ** b.order, 0);
    const total = zone.freeLists?.totalKb;
    if (pages > 0 && total !== undefined && total % pages === 0 && [4, 8, 16, 64].includes(total / pages))
      return total / pages;
  }
  const ofSlab =
    slab?.minOrder !== undefined &&
    slab.bufferSize !== undefined &&
    slab.minOrder > 0 &&
    /^(?:dma-)?kmalloc-/.test(slab.cache ?? "")
      ? slab.bufferSize / 1024 / 2 ** slab.minOrder
      : undefined;
  return ofSlab !== undefined && [4, 8, 16, 64].includes(ofSlab) ? ofSlab : undefined;
}
