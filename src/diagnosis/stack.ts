// What a kernel stack says about an allocation: who really allocated, for whom, on which side of the network, in which context.
// Only names are looked at, so an unknown driver still gets what its generic frames say.
import type { DriverSeen } from "../kernel/facts/drivers/index.ts";
import { bareName, driverOfStack, foreignModule, transmits } from "../kernel/facts/drivers/index.ts";
import type { CallTrace } from "../kernel/readings/call_trace.ts";
import { framesOf } from "../kernel/readings/call_trace.ts";
import type { Part } from "../kernel/readings/part.ts";
import type { Joints } from "./stack_direction.ts";
import { directionOf, isSetup, notOlderThan } from "./stack_direction.ts";
import type { StackFrame } from "./stack_frames.ts";
import { allocating, firstIn, indexOf } from "./stack_frames.ts";
import { closesUnopened, gapOf, partOf } from "./stack_gaps.ts";
import type { AllocatorPath, Direction, Row } from "./stack_names.ts";
import {
  has,
  interruptNames,
  noSleepNames,
  pageAllocator,
  paths,
  reclaimNames,
  reporters,
  skbData,
  skbHead,
  slabEntries,
  softirqNames,
  taskNames,
} from "./stack_names.ts";

export type { Direction } from "./stack_names.ts";

export interface StackView {
  readonly frames: readonly StackFrame[];
  /** The same frames with what is known of the missing ones: whole from the function that asked to the frame the stack ends with. */
  readonly trace: Part<readonly StackFrame[]>;
  /** The same frames: whole where none is missing between those that are there, whatever called the last of them. */
  readonly joined: Part<readonly StackFrame[]>;
  readonly path: AllocatorPath;
  /** Index of the frame that decided `path`. */
  readonly pathFrame?: number;
  readonly driver?: DriverSeen;
  /** A module on a network path that is no driver of the facts or the index: somebody's own. */
  readonly module?: { readonly name: string; readonly frame: number };
  readonly direction: Direction | undefined;
  readonly directionFrame?: number;
  /** `skb head`: the struct sk_buff itself; `skb data`: its buffer; `skb`: one of the two. `other`: no packet as far as the frames tell. */
  readonly object: "skb data" | "skb head" | "skb" | "other" | "unknown";
  readonly objectFrame?: number;
  /** Where the allocation ran: in softirq or interrupt nobody may sleep. */
  readonly context: "interrupt" | "softirq" | "process" | "unknown";
  readonly contextFrame?: number;
  /** A frame above the caller that forbids sleeping although a task runs: bottom halves or preemption are off there. */
  readonly noSleepFrame?: number;
  /** A frame of reclaim or compaction above the caller: the task frees memory itself (PF_MEMALLOC). */
  readonly reclaimFrame?: number;
  /** The first frame above the allocators: who asked. */
  readonly caller?: number;
  /** No frame is known to be missing between the reporter and the caller: it did ask. */
  readonly asked: boolean;
}

const leftover = { function: "", reliable: false };

/**
 * Reads a stack; no trace gives a view that knows nothing. `above`: functions that a fault names above the first frame (where it stood,
 * and the link register); a driver seen there has a negative frame index. `request`: the report is of memory that was asked for.
 */
export function viewStack(trace: CallTrace | undefined, above: readonly string[] = [], request = false): StackView {
  const frames = trace === undefined ? [] : wholeNames(trace);
  const names = frames.map((f) => bareName(f.function));
  // Somebody asked for memory: where no frame of an allocator is, the frames that asked are not there either.
  const lost = request && frames.length > 0 && !names.some((n) => allocating(n));
  const caller = lost ? -1 : callerOf(frames, names);
  // Among guesses what stands between two frames of the allocator is what an earlier call left there.
  const named = frames.map((f, i) => (!f.reliable && i < caller && !allocating(names[i] ?? "") ? leftover : f));
  const seen = driverOfStack(
    [...above.map((name) => ({ function: name, reliable: true })), ...named],
    notOlderThan(names),
  );
  const driver = seen === undefined ? undefined : { ...seen, frame: seen.frame - above.length };
  const path = pathOf(frames, names);
  const gap = lost ? "start" : gapOf(trace, frames, names, caller, above);
  const at = caller < 0 ? 0 : caller;
  const forbids = [
    firstIn(frames, noSleepNames, at),
    indexOf(frames, (f, i) => i >= at && f.reliable && transmits(f)),
  ].filter((i) => i !== undefined);
  const connected = gap !== "inside" && gap !== "marks";
  const reclaims = caller < 0 || !connected ? undefined : firstIn(frames, reclaimNames, at);
  // What an interrupt stopped did not ask.
  const reclaim = names.slice(0, reclaims).some((n) => entries.test(n)) ? undefined : reclaims;
  const joints: Joints = {
    asker: at,
    asked: caller > 0 && connected,
    fault: above.length > 0 && connected && !(trace !== undefined && closesUnopened(trace)),
    linked: trace?.form === "arm" && connected,
    whole: gap === undefined && caller > 0 && has(beginnings, names[0] ?? "") !== undefined,
  };
  const side = gap === "marks" ? { direction: undefined } : directionOf(frames, driver, joints);
  const foreign =
    driver === undefined && joints.asked && side.direction !== undefined && side.direction !== "neither"
      ? foreignModule(frames, at)
      : undefined;
  return {
    frames,
    trace: partOf(frames, gap, trace),
    joined: partOf(frames, gap === "end" ? undefined : gap, trace),
    ...path,
    ...(driver === undefined ? {} : { driver }),
    ...(foreign !== undefined && (foreign.frame === at || joints.linked) ? { module: foreign } : {}),
    ...side,
    ...objectOf(frames, names),
    ...contextOf(frames, joints),
    asked: joints.asked,
    ...(forbids.length === 0 ? {} : { noSleepFrame: Math.min(...forbids) }),
    ...(reclaim === undefined ? {} : { reclaimFrame: reclaim }),
    ...(caller < 0 ? {} : { caller }),
  };
}

/** Frames whose name is whole: where the others have offsets, and where addresses are printed always, one without was cut in its name. */
function wholeNames(trace: CallTrace): readonly StackFrame[] {
  const frames = framesOf(trace);
  return trace.form === "powerpc" ||
    trace.form === "bracketed" ||
    (trace.form !== "arm" && frames.some((f) => f.offset !== undefined))
    ? frames.filter((f) => f.offset !== undefined || /^0x/.test(f.function))
    : frames;
}

/** What the stack of a refused request begins with. */
const beginnings: readonly Row<true>[] = [...reporters, ...pageAllocator];

/** So many leftovers may stand between two allocator frames of a stack that is all guesses. */
const mostLeftovers = 4;

/**
 * Who asked: the first frame behind the allocators. What lies between two of their frames cannot have called them, so leftovers of a guessed
 * stack are passed over; so are clones without a name (`T.874`).
 */
function callerOf(frames: readonly StackFrame[], names: readonly string[]): number {
  // Kernels without unwinding data mark every frame as a guess.
  const guesses = !frames.some((f) => f.reliable);
  const usable = (i: number): boolean => guesses || frames[i]?.reliable === true;
  // Up to 2.6.24 x86 printed every address that it found, and marked none.
  const marked = !guesses && frames.some((f) => !f.reliable);
  let last = -1;
  let gap = 0;
  for (const [i, name] of names.entries()) {
    if (allocating(name)) {
      last = i;
      gap = 0;
    } else if (usable(i) && ++gap > (marked ? 0 : mostLeftovers)) break;
  }
  const named = (n: string, i: number): boolean =>
    usable(i) && !/^T(\.\d+)?$/.test(n) && !/^0x[0-9a-f]+$/.test(n) && !(guesses && givesBack.test(n));
  const caller = names.findIndex((n, i) => i > last && named(n, i));
  // An interrupt's entry asks for no memory: who did is missing between it and the allocator.
  return entries.test(names[caller] ?? "") ? -1 : caller;
}

/** Gives memory back, and asks for none: among guesses it is what an earlier call left on the stack. */
const givesBack = /^_*(?:kfree|kvfree|vfree|kmem_cache_free|free_pages|put_page)$/;

/** Where an interrupt or a fault came in: what stands below was stopped by it and did nothing of what stands above (arch/arm/kernel/entry-armv.S). */
const entries = /^__(?:irq|dabt|pabt|und|fiq)_svc$/;

function pathOf(frames: readonly StackFrame[], names: readonly string[]): { path: AllocatorPath; pathFrame?: number } {
  if (frames.length === 0) return { path: "unknown" };
  for (const wanted of ["kmalloc_large", "slab", "page_frag", "page_pool", "dma", "vmalloc"] as const) {
    const rows = paths.filter(([, value]) => value === wanted);
    const at = firstIn(frames, rows);
    if (at !== undefined) return { path: wanted, pathFrame: at };
  }
  const pages = firstIn(frames, pageAllocator);
  if (pages === undefined) return { path: "unknown" };
  // Inlined helpers: kmalloc straight above the page allocator is a request above the largest cache; a cache has its slab.
  const entry = firstIn(frames, slabEntries, pages);
  return entry !== undefined && names.slice(pages, entry).every((n) => has(pageAllocator, n) !== undefined)
    ? { path: /cache_alloc|^slab_alloc/.test(names[entry] ?? "") ? "slab" : "kmalloc_large", pathFrame: entry }
    : { path: "pages", pathFrame: pages };
}

/** The driver by name, or the module that stands where a driver does. */
export const driverNameOf = (view: StackView): string | undefined => view.driver?.driver.name ?? view.module?.name;

/** True when the stack fills a ring because an interface is opened or changed. */
export const ringIsBeingMade = (view: StackView): boolean => view.frames.some((f) => isSetup(bareName(f.function)));

function objectOf(
  frames: readonly StackFrame[],
  names: readonly string[],
): { object: StackView["object"]; objectFrame?: number } {
  if (frames.length === 0) return { object: "unknown" };
  const at = firstIn(frames, [...skbData, ...skbHead]);
  if (at === undefined) return { object: "other" };
  if (has(skbHead, names[at] ?? "") !== undefined) return { object: "skb head", objectFrame: at };
  // kmem_cache_alloc below __alloc_skb is the struct; kmalloc, a fragment or pages its data.
  const below = names.slice(0, at);
  const bytes = below.some((n) => /kmalloc|page_frag|alloc_frag/.test(n));
  const struct = below.some((n) => /^(__)?kmem_cache_alloc/.test(n));
  return { object: bytes ? "skb data" : struct ? "skb head" : "skb", objectFrame: at };
}

function contextOf(
  frames: readonly StackFrame[],
  joints: Joints,
): { context: StackView["context"]; contextFrame?: number } {
  const soft = firstIn(frames, softirqNames);
  if (soft !== undefined) return { context: "softirq", contextFrame: soft };
  const hard =
    firstIn(frames, interruptNames) ??
    indexOf(frames, (f) => f.context === "irq" || f.context === "nmi" || f.function === "__irq_svc");
  if (hard !== undefined) return { context: "interrupt", contextFrame: hard };
  const task = joints.asked ? firstIn(frames, taskNames) : undefined;
  return task === undefined ? { context: "unknown" } : { context: "process", contextFrame: task };
}
