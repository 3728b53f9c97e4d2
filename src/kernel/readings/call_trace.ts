// A kernel stack as printed: frames, the markers between them, and register blocks that stand inside (a user-mode entry).
// The shape is the same for every architecture; `form` says how the frames were written.

/** How a frame was written; each is read back and printed in its own form. */
export type FrameForm =
  /** ` fn+0x1/0x2` (x86 4.10+, arm64, riscv) */
  | "plain"
  /** ` [<ffffffff802555f9>] fn+0x1/0x2` (x86 up to 4.9, arm64 up to 4.12, mips) */
  | "bracketed"
  /** ` <ffffffff80266b5c>{fn+708}`, offsets in decimal (x86_64 up to 2.6.17) */
  | "braced"
  /** `[cd779b50] [c001220c] fn+0x1/0x2` (powerpc: stack pointer, then program counter) */
  | "powerpc"
  /** `[<c00..>] (fn+0x1/0x2) from [<c00..>] (fn+0x3/0x4)` (arm) */
  | "arm";

/** One frame. Offsets and sizes are bytes, addresses hex digits as printed without `0x`, or `(ptrval)` where the kernel hid them. */
export interface Frame {
  readonly kind: "frame";
  readonly function: string;
  readonly offset?: number;
  readonly size?: number;
  /** Name of the module between square brackets; absent for the kernel's own text. */
  readonly module?: string;
  /** False when the kernel put `?` before it or `(unreliable)` behind it: found on the stack, not proven to be a caller. */
  readonly reliable: boolean;
  readonly address?: string;
  /** powerpc only. */
  readonly stackPointer?: string;
  /** arm only: the caller half of the line. */
  readonly from?: {
    readonly function: string;
    readonly offset?: number;
    readonly size?: number;
    readonly module?: string;
    readonly address?: string;
  };
  /** Markers written on the same line before the frame, as x86 did until 4.9: `IRQ`, `EOI`. */
  readonly marks?: readonly string[];
}

/** `<IRQ>`, `</TASK>` … on a line of its own; `name` without the angle brackets: `IRQ`, `/IRQ`, `TASK`, `EOI`, `#DF`. */
export interface TraceMarker {
  readonly kind: "marker";
  readonly name: string;
}

/** Registers as the architecture lays them out. */
export interface RegisterDump {
  readonly kind: "registers";
  /** Name to hex digits as printed (`RAX`, `EFLAGS`, `GPR03`, `NIP`); the last one wins where a name repeats. */
  readonly values: Readonly<Record<string, string>>;
  /** The function in which the instruction pointer stands, where the kernel prints it. */
  readonly at?: CodePlace;
  /** The lines as printed: layouts differ per architecture and carry nothing more. */
  readonly text: readonly string[];
}

/** A place in code: `skb_panic+0x4a/0x4c [mod]`, or a bare address. */
export interface CodePlace {
  readonly function?: string;
  readonly offset?: number;
  readonly size?: number;
  readonly module?: string;
  readonly address?: string;
}

export type TraceItem = Frame | TraceMarker | RegisterDump;

export interface CallTrace {
  readonly form: FrameForm;
  /** `Call Trace:`, `Call trace:`, `Backtrace:` … as printed; empty when the line is missing. */
  readonly heading: string;
  readonly items: readonly TraceItem[];
  /** A line between the frames, or only the one behind the last, is a frame that was cut: its function is not known. */
  readonly torn?: "inside" | "end";
}

/** The context a frame ran in, as the markers before it say. */
export type FrameContext = "task" | "irq" | "softirq" | "nmi" | "exception";

/** The frames of a trace in printed order (innermost first), each with the context that the markers give it. */
export function framesOf(trace: CallTrace): (Frame & { readonly context: FrameContext })[] {
  const frames: (Frame & { readonly context: FrameContext })[] = [];
  let context: FrameContext = "task";
  const mark = (name: string): void => {
    if (name === "IRQ" || name === "HARDIRQ") context = "irq";
    else if (name === "SOFTIRQ") context = "softirq";
    else if (name === "NMI") context = "nmi";
    else if (name.startsWith("#") || name === "EXCEPTION" || name === "ENTRY_TRAMPOLINE") context = "exception";
    else if (name === "EOI" || name === "EOE" || name === "TASK" || name.startsWith("/") || name.startsWith("<"))
      context = "task";
  };
  for (const item of trace.items) {
    if (item.kind === "marker") mark(item.name);
    else if (item.kind === "frame") {
      for (const name of item.marks ?? []) mark(name);
      frames.push({ ...item, context });
    }
  }
  // ARM repeats the caller of a line as the callee of the next one; behind the last line there is no next one.
  const last = frames.at(-1);
  if (last?.from !== undefined)
    frames.push({ kind: "frame", ...last.from, reliable: last.reliable, context: last.context });
  return frames;
}
