// A call trace in the form that a release and its architecture print. Which functions it names is known (kernel/facts/call_chains); addresses,
// offsets and sizes are made up from the names, the same in every run: only names mean something.
import type { StackNames } from "../kernel/facts/call_chains/index.ts";
import type { CallTrace, Frame, FrameForm, TraceItem } from "../kernel/readings/call_trace.ts";
import type { Architecture, Release } from "../kernel/release.ts";
import { atLeast } from "../kernel/release.ts";

/** How frames look: a release's architecture and, on x86 and arm64, its age. */
function formOf(release: Release): FrameForm {
  switch (release.arch) {
    case "ppc32":
    case "ppc64":
      return "powerpc";
    case "arm":
      return "arm";
    case "x86_64":
      if (!atLeast(release, [2, 6, 18])) return "braced";
      return atLeast(release, [4, 10]) ? "plain" : "bracketed";
    case "i386":
      return atLeast(release, [4, 10]) ? "plain" : "bracketed";
    case "arm64":
      return atLeast(release, [4, 13]) ? "plain" : "bracketed";
    case "mips":
      return "bracketed";
    default:
      return "plain";
  }
}

/** Where the kernel's text begins; hex digits in front, a number behind. */
const textBase: Readonly<Record<Architecture, readonly [prefix: string, base: number]>> = {
  x86_64: ["ffffffff", 0x81000000],
  i386: ["", 0xc0100000],
  ppc32: ["", 0xc0000000],
  ppc64: ["c0000000", 0x00010000],
  arm: ["", 0xc0008000],
  arm64: ["ffffff80", 0x08080000],
  mips: ["", 0x80010000],
  s390x: ["00000000", 0x00100000],
  riscv64: ["ffffffe0", 0x00200000],
};

/** FNV-1a of a name. */
export function hash(name: string): number {
  let h = 2166136261;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 16777619);
  return h >>> 0;
}

/** A place in a function: made up from its name. */
export function codePlace(release: Release, name: string): { offset: number; size: number; address: string } {
  const h = hash(name);
  const [prefix, newest] = textBase[release.arch];
  // x86_64 kernels stood at 2 MiB until 2.6.30, at 16 MiB since (CONFIG_PHYSICAL_START).
  const base = release.arch === "x86_64" && !atLeast(release, [2, 6, 31]) ? 0x80200000 : newest;
  const size = 0x20 + (h & 0x7fc);
  const offset = 4 + (((h >>> 12) % (size - 4)) & ~1);
  const address = base + (((h >>> 8) % 0x600000) & ~0xf) + offset;
  return { offset, size, address: prefix + address.toString(16).padStart(8, "0") };
}

/** Markers of stacks stand on lines of their own since 4.10, the task's stack has some since 5.16 (arch/x86/kernel/dumpstack.c). */
export function callTrace(release: Release, stack: StackNames): CallTrace {
  const form = formOf(release);
  const x86 = release.arch === "x86_64" || release.arch === "i386";
  const heading = headingOf(release, stack);
  if (x86 && form === "plain") {
    const marked = atLeast(release, [5, 16]);
    const between = (name: string, frames: readonly TraceItem[]): TraceItem[] =>
      frames.length === 0 ? [] : [mark(name), ...frames, mark(`/${name}`)];
    const irq = between("IRQ", withLeftovers(release, stack.irq));
    const own = withLeftovers(release, stack.task, stack.irq.length === 0);
    return { form, heading, items: [...irq, ...(marked ? between("TASK", own) : own)] };
  }
  const all = [...withLeftovers(release, stack.irq), ...withLeftovers(release, stack.task, stack.irq.length === 0)];
  if (form === "powerpc") return { form, heading, items: onStack(all) };
  if (form === "arm") return { form, heading, items: paired(release, all) };
  if (release.arch !== "x86_64" || stack.irq.length === 0) return { form, heading, items: all };
  // The markers stand before the first frame of each stack.
  const below = all.length - stack.task.length;
  return {
    form,
    heading,
    items: all.map((f, i) => (i === 0 ? { ...f, marks: ["IRQ"] } : i === below ? { ...f, marks: ["EOI"] } : f)),
  };
}

const mark = (name: string): TraceItem => ({ kind: "marker", name });

function headingOf({ arch }: Release, { irq, task }: StackNames): string {
  if (arch === "arm") return [...irq, ...task][0] === "unwind_backtrace" ? "" : "Backtrace:";
  return arch === "arm64" ? "Call trace:" : "Call Trace:";
}

/** Frames; behind the page allocator x86 shows what it called and left on the stack, since it marks such finds (2.6.29). */
function withLeftovers(release: Release, names: readonly string[], innermost = true): Frame[] {
  const x86 = release.arch === "x86_64" || release.arch === "i386";
  const frames = names.map((name) => frame(release, name, true));
  const at = names.findIndex((name) => /^__alloc_pages/.test(name));
  if (!x86 || !innermost || at < 0 || !atLeast(release, [2, 6, 29])) return frames;
  return [...frames.slice(0, at + 1), frame(release, "get_page_from_freelist", false), ...frames.slice(at + 1)];
}

function frame(release: Release, name: string, reliable: boolean): Frame {
  return { kind: "frame", function: name, reliable, ...codePlace(release, name) };
}

/** powerpc prints each frame's stack pointer; the first one is where the backtrace itself stands. */
function onStack(frames: readonly Frame[]): Frame[] {
  let pointer = 0xc03d5a00;
  return frames.map((f, i) => {
    pointer += 0x10 + (hash(f.function) & 0x70);
    return { ...f, stackPointer: pointer.toString(16), reliable: i > 0 };
  });
}

/** arm prints each frame with its caller; since 3.12 the callee without its offset, since 5.14 both without addresses. */
function paired(release: Release, frames: readonly Frame[]): Frame[] {
  const bare = atLeast(release, [3, 12]);
  const noAddress = atLeast(release, [5, 14]);
  return frames.slice(0, -1).map((f, i) => {
    const { function: name, size, reliable } = f;
    const from = frames[i + 1] as Frame;
    const callerAddress = noAddress || from.address === undefined ? {} : { address: from.address };
    return {
      kind: "frame",
      function: name,
      reliable,
      ...(bare ? {} : { offset: 0, ...(size === undefined ? {} : { size }) }),
      ...(noAddress || f.address === undefined ? {} : { address: f.address }),
      from: {
        function: from.function,
        ...(from.offset === undefined ? {} : { offset: from.offset }),
        ...(from.size === undefined ? {} : { size: from.size }),
        ...callerAddress,
      },
    };
  });
}
