// A fault or an assertion inside the kernel: oops, general protection fault, BUG, WARNING, panic, a lockup, a sanitizer's report.
import type { CallTrace, CodePlace, Frame, RegisterDump } from "./call_trace.ts";
import type { ProcessLine } from "./process_line.ts";

export interface Oops {
  readonly class:
    | "paging request"
    | "null dereference"
    | "general protection"
    | "bug"
    | "warning"
    | "invalid opcode"
    | "machine check"
    | "divide error"
    /** #AC on a locked instruction that spans two cache lines (x86, since 5.7). */
    | "split lock"
    | "stack segment"
    | "double fault"
    /** A function that may sleep was called where nobody may: nothing faulted. */
    | "sleep"
    /** A CPU that did not schedule: nothing faulted. */
    | "lockup"
    /** A CPU or a task that keeps RCU's grace period from ending: nothing faulted. */
    | "rcu stall"
    /** `Kernel panic - not syncing` without a fault before it. */
    | "panic"
    | "sanitizer"
    | "other";
  /** The line that opened it, as printed. */
  readonly headline: string;
  /**
   * What the check itself says: the text of a WARN(), `refcount_t: underflow; use-after-free.`, `list_del corruption. …`. x86, arm64 and their
   * like print it before the headline, arm and mips behind it (kernel/panic.c).
   */
  readonly message?: string;
  readonly sanitizer?: SanitizerReport;
  /** The address that faulted, hex digits. */
  readonly address?: string;
  /** `kernel BUG at net/core/skbuff.c:120!`, `WARNING: CPU: 1 PID: 44 at net/core/skbuff.c:5534`. */
  readonly source?: { readonly file: string; readonly line: number };
  /** `Oops: Kernel access of bad area, sig: 11 [#1]`, `invalid opcode: 0000 [#2] SMP`. */
  readonly oops?: string;
  /** The number in `[#1]`: above 1 the machine had already been hurt. */
  readonly dieCounter?: number;
  /** Where the instruction pointer stood: RIP, EIP, NIP, pc. */
  readonly at?: CodePlace;
  /** powerpc and arm: the link register, the caller of `at` when `at` is a leaf. */
  readonly link?: CodePlace;
  readonly registers?: RegisterDump;
  readonly modules?: string;
  readonly process?: ProcessLine;
  readonly trace?: CallTrace;
  /** `Code:` or `Instruction dump:`, as printed. */
  readonly code?: string;
  /** `---[ end trace 0000000000000000 ]---` was there; `Kernel panic - not syncing: …` as printed. */
  readonly endTrace?: string;
  /** A stall of RCU: jiffies since the grace period began, and the CPUs that it waits for. */
  readonly stalled?: { readonly jiffies?: number; readonly cpus: readonly number[] };
  readonly panic?: string;
}

/** Stands for the kind of a sanitizer's access where the headline that names it is lost. */
export const lostBug = "an access that its headline would name";

/** What KASAN, KFENCE or KMSAN found (mm/kasan/report.c, mm/kfence/report.c, mm/kmsan/report.c). */
export interface SanitizerReport {
  readonly tool: "KASAN" | "KFENCE" | "KMSAN";
  /** As printed: `slab-use-after-free`, `out-of-bounds read`, `uninit-value`. */
  readonly bug: string;
  readonly access?: "read" | "write" | "free";
  /** Bytes. */
  readonly size?: number;
  /** Hex digits. */
  readonly address?: string;
  /** The cache of the object, and the bytes of one. */
  readonly cache?: string;
  readonly objectSize?: number;
  /** `24 bytes inside of freed 232-byte region`, as printed. */
  readonly place?: string;
  /** Stacks of the object, innermost frame first; empty where none was printed. For KMSAN: where the value was made. */
  readonly allocatedBy: readonly Frame[];
  readonly freedBy: readonly Frame[];
}
