// A fault or an assertion inside the kernel: oops, general protection fault, BUG, WARNING, panic.
import type { CallTrace, CodePlace, RegisterDump } from "./call_trace.ts";
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
    | "other";
  /** The line that opened it, as printed. */
  readonly headline: string;
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
  readonly panic?: string;
}
