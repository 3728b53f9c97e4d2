// A BUG() or WARN() of the model's skb code as the Reading that the kernel's own words would give. Registers and code bytes are left out, and a
// source line that was not read in a report of that release is 0: both depend on the compiler.
import type { CallTrace, RegisterDump } from "../kernel/readings/call_trace.ts";
import type { Oops } from "../kernel/readings/oops.ts";
import type { ProcessLine } from "../kernel/readings/process_line.ts";
import type { SkbPanic } from "../kernel/readings/skb_panic.ts";
import type { Architecture, Release } from "../kernel/release.ts";
import { atLeast } from "../kernel/release.ts";
import type { Machine } from "../model/machine.ts";
import { skbField } from "../model/net/skb/skb_columns.ts";
import { codePlace } from "./call_trace.ts";

/** What is known when a fault is heard. */
export interface Fault {
  readonly process: ProcessLine;
  readonly trace: CallTrace;
  /** The how-manieth since boot. */
  readonly dieCounter: number;
  /** In an interrupt or the idle task nobody can be killed in the kernel's place. */
  readonly fatal: boolean;
}

/** Lines of net/core/skbuff.c that reports of 6.1.192 name (captured). */
const knownLines: Readonly<Record<string, number>> = { skb_panic: 120, skb_try_coalesce: 5534 };
const sourceLine = (release: Release, name: string): number =>
  release.version[0] === 6 && release.version[1] === 1 ? (knownLines[name] ?? 0) : 0;

/** Where the kernel maps memory: a heap address of the model becomes a pointer. x86_64 moved it in 2.6.25 (Documentation/x86). */
function pointer(release: Release, address: number): string {
  const bases: Readonly<Partial<Record<Architecture, bigint>>> = {
    x86_64: atLeast(release, [2, 6, 25]) ? 0xffff888000000000n : 0xffff810000000000n,
    arm64: 0xffff000000000000n,
  };
  const base = bases[release.arch] ?? 0xc0000000n;
  return (base + BigInt(address)).toString(16);
}

/** skb_over_panic() and skb_under_panic(): the skb after the put or push that went too far by `n` bytes. */
export function observeSkbPanic(
  machine: Machine,
  what: SkbPanic["what"],
  skb: number,
  n: number,
): Omit<SkbPanic, "oops"> {
  const { release, devices } = machine;
  const { S, headAddress } = machine.skbs.columns;
  const field = (name: keyof typeof skbField): number => S[skb + skbField[name]] as number;
  const head = headAddress[field("HEAD") >> 4] as number;
  const over = what === "skb_over_panic";
  const wide = release.arch === "x86_64" || release.arch === "arm64";
  // Offsets from the head on 64 bits since 2.6.22 (NET_SKBUFF_DATA_USES_OFFSET), pointers elsewhere.
  const end = (offset: number): string =>
    wide && atLeast(release, [2, 6, 22]) ? offset.toString(16) : pointer(release, head + offset);
  return {
    what,
    form: "2.6",
    len: field("LEN") + n,
    put: n,
    text: codePlace(release, over ? "skb_put" : "skb_push").address,
    head: pointer(release, head),
    data: pointer(release, head + field("DATA") - (over ? 0 : n)),
    tail: end(field("TAIL") + (over ? n : 0)),
    end: end(field("END")),
    dev: devices.length === 1 ? (devices[0]?.name ?? "<NULL>") : "<NULL>",
  };
}

/** BUG() in `name` of net/core/skbuff.c; with skb_over_panic in older kernels that function itself. */
export function observeBug(release: Release, name: string, fault: Fault): Oops {
  const line = sourceLine(release, name);
  const { arch } = release;
  const die = `[#${fault.dieCounter}]`;
  const x86 = arch === "x86_64" || arch === "i386";
  return {
    class: "bug",
    headline: `kernel BUG at net/core/skbuff.c:${line}!`,
    source: { file: "net/core/skbuff.c", line },
    oops: x86
      ? `invalid opcode: 0000 ${die} SMP`
      : arch === "ppc32" || arch === "ppc64"
        ? `Oops: Exception in kernel mode, sig: 5 ${die}`
        : `Internal error: Oops - BUG: 0 ${die}`,
    dieCounter: fault.dieCounter,
    registers: registersAt(release, name),
    process: fault.process,
    trace: fault.trace,
    ...(atLeast(release, [2, 6, 24]) ? { endTrace: "---[ end trace 0000000000000000 ]---" } : {}),
    ...(fault.fatal ? { panic: "Kernel panic - not syncing: Fatal exception in interrupt" } : {}),
  };
}

/** WARN_ON() in `name` of net/core/skbuff.c (lib/bug.c, kernel/panic.c). */
export function observeWarning(release: Release, name: string, fault: Fault): Oops {
  const line = sourceLine(release, name);
  const { offset, size } = codePlace(release, name);
  const place = `${name}+0x${offset.toString(16)}/0x${size.toString(16)}`;
  const { cpu = 0, pid = 0 } = fault.process;
  const at = `net/core/skbuff.c:${line} ${place}`;
  return {
    class: "warning",
    headline: atLeast(release, [3, 11]) ? `WARNING: CPU: ${cpu} PID: ${pid} at ${at}` : `WARNING: at ${at}()`,
    source: { file: "net/core/skbuff.c", line },
    process: fault.process,
    trace: fault.trace,
    endTrace: "---[ end trace 0000000000000000 ]---",
  };
}

function registersAt(release: Release, name: string): RegisterDump {
  const { offset, size, address } = codePlace(release, name);
  const place = `${name}+0x${offset.toString(16)}/0x${size.toString(16)}`;
  const text =
    release.arch === "x86_64"
      ? atLeast(release, [4, 10])
        ? `RIP: 0010:${place}`
        : `RIP: 0010:[<${address}>]  [<${address}>] ${place}`
      : release.arch === "i386"
        ? `EIP is at ${place}`
        : release.arch === "ppc32" || release.arch === "ppc64"
          ? `NIP [${address}] ${place}`
          : `PC is at ${place}`;
  return { kind: "registers", values: {}, at: { function: name, offset, size }, text: [text] };
}
