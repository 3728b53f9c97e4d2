// What a kernel stack says about an allocation: who really allocated, for whom, on which side of the network, in which context.
// Only names are looked at, so an unknown driver still gets what its generic frames say.
import type { FrameRole } from "../kernel/facts/drivers/driver.ts";
import type { DriverSeen } from "../kernel/facts/drivers/index.ts";
import {
  bareName,
  driverOfStack,
  foreignModule,
  modulesOf,
  networkFrame,
  refillAsksFor,
  transmits,
} from "../kernel/facts/drivers/index.ts";
import type { NetworkFrame } from "../kernel/facts/drivers/seen.ts";
import { functionIndex } from "../kernel/facts/functions/index.ts";
import type { MemoryKind } from "../kernel/facts/functions/roles.ts";
import { handingOnFrames, isFrameIn, outermostFrames } from "../kernel/facts/trace_frames.ts";
import type { CallTrace, Frame, FrameContext } from "../kernel/readings/call_trace.ts";
import { framesOf } from "../kernel/readings/call_trace.ts";
import type { Part } from "../kernel/readings/part.ts";
import { cut, lost, whole } from "../kernel/readings/part.ts";
import { compareVersions } from "../kernel/release.ts";
import type { AllocatorPath, Direction, Row } from "./stack_names.ts";
import {
  bornFrames,
  closedFrames,
  directions,
  has,
  innerFrames,
  interruptNames,
  memoryNames,
  noSleepNames,
  pageAllocator,
  paths,
  pollers,
  polling,
  printers,
  probers,
  receiveBuffers,
  reclaimNames,
  refilling,
  reporters,
  skbData,
  skbHead,
  slabBuffers,
  slabEntries,
  sleepChecks,
  softirqNames,
  taskNames,
} from "./stack_names.ts";

export type { Direction } from "./stack_names.ts";

export type StackFrame = Frame & { readonly context: FrameContext };

export interface StackView {
  readonly frames: readonly StackFrame[];
  /** The same frames with what is known of the missing ones: whole from the function that asked to the frame the stack ends with. */
  readonly trace: Part<readonly StackFrame[]>;
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

/** Where lines are missing between the frames: above all, between the allocators and who asked, below; `marks`: between two contexts. */
type Gap = "start" | "inside" | "end" | "marks" | undefined;

/** What holds the frames of a stack together. */
interface Joints {
  /** Index of who asked; 0 where that is not known. */
  readonly asker: number;
  readonly asked: boolean;
  /** It is the stack of a fault: the first frame called the function that it stood in. */
  readonly fault: boolean;
  /** Each line names its caller, and the next line begins with it. */
  readonly linked: boolean;
  /** Nothing is known to be missing anywhere. */
  readonly whole: boolean;
}

/** Index of the first frame whose name is in `rows`, reliable ones first. */
function firstIn<T>(frames: readonly StackFrame[], rows: readonly Row<T>[], from = 0): number {
  const at = (reliable: boolean): number =>
    frames.findIndex((f, i) => i >= from && f.reliable === reliable && has(rows, bareName(f.function)) !== undefined);
  const sure = at(true);
  return sure >= 0 ? sure : at(false);
}

/** The smaller of two indexes; -1 is none. */
const firstOf = (a: number, b: number): number => (a < 0 ? b : b < 0 ? a : Math.min(a, b));

/** As `firstIn`, but guesses count only where every frame is one: between frames that are proven they are leftovers. */
const firstSure = <T>(frames: readonly StackFrame[], rows: readonly Row<T>[]): number =>
  frames.some((f) => f.reliable)
    ? frames.findIndex((f) => f.reliable && has(rows, bareName(f.function)) !== undefined)
    : firstIn(frames, rows);

/**
 * Reads a stack; no trace gives a view that knows nothing. `above`: functions that a fault names above the first frame (where it stood,
 * and the link register); a driver seen there has a negative frame index. `request`: the report is of memory that was asked for.
 */
export function viewStack(trace: CallTrace | undefined, above: readonly string[] = [], request = false): StackView {
  const frames = trace === undefined ? [] : wholeNames(trace);
  const names = frames.map((f) => bareName(f.function));
  const seen = driverOfStack(
    [...above.map((name) => ({ function: name, reliable: true })), ...frames],
    notOlderThan(names),
  );
  const driver = seen === undefined ? undefined : { ...seen, frame: seen.frame - above.length };
  const path = pathOf(frames, names);
  // Somebody asked for memory: where no frame of an allocator is, the frames that asked are not there either.
  const lost = request && frames.length > 0 && !names.some((n) => allocating(n));
  const caller = lost ? -1 : callerOf(frames, names);
  const gap = lost ? "start" : gapOf(trace, frames, names, caller, above.length > 0);
  const at = caller < 0 ? 0 : caller;
  const noSleep = firstOf(
    firstIn(frames, noSleepNames, at),
    frames.findIndex((f, i) => i >= at && f.reliable && transmits(f)),
  );
  const entry = names.findIndex((n) => entries.test(n));
  const reclaims = caller < 0 ? -1 : firstIn(frames, reclaimNames, at);
  const connected = gap !== "inside" && gap !== "marks";
  const reclaim = !connected || (entry >= 0 && reclaims > entry) ? -1 : reclaims;
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
    ...path,
    ...(driver === undefined ? {} : { driver }),
    ...(foreign !== undefined && (foreign.frame === at || joints.linked) ? { module: foreign } : {}),
    ...side,
    ...objectOf(frames, names),
    ...contextOf(frames, names, joints),
    asked: joints.asked,
    ...(noSleep < 0 ? {} : { noSleepFrame: noSleep }),
    ...(reclaim < 0 ? {} : { reclaimFrame: reclaim }),
    ...(caller < 0 ? {} : { caller }),
  };
}

/** The release that the youngest function of a stack came with. */
const notOlderThan = (names: readonly string[]): readonly number[] =>
  names
    .map((name): readonly number[] => has(bornFrames, name) ?? [2, 6])
    .reduce((a, b) => (compareVersions(a, b) >= 0 ? a : b), [2, 6]);

/** Frames whose name is whole: where the others have offsets, and where addresses are printed always, one without was cut in its name. */
function wholeNames(trace: CallTrace): readonly StackFrame[] {
  const frames = framesOf(trace);
  return trace.form === "powerpc" ||
    trace.form === "bracketed" ||
    (trace.form !== "arm" && frames.some((f) => f.offset !== undefined))
    ? frames.filter((f) => f.offset !== undefined || /^0x/.test(f.function))
    : frames;
}

const allocating = (name: string): boolean =>
  [reporters, sleepChecks, pageAllocator, paths, slabEntries, skbData, skbHead].some(
    (rows) => has<unknown>(rows, name) !== undefined,
  );

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
  for (let i = 0; i < names.length; i++) {
    if (allocating(names[i] ?? "")) {
      last = i;
      gap = 0;
    } else if (usable(i) && ++gap > (marked ? 0 : mostLeftovers)) break;
  }
  const named = (n: string, i: number): boolean =>
    usable(i) && !/^T(\.\d+)?$/.test(n) && !/^0x[0-9a-f]+$/.test(n) && !(guesses && givesBack.test(n));
  const caller = names.findIndex((n, i) => i > last && named(n, i));
  // An interrupt's entry asks for no memory: who did is missing between it and the allocator.
  return entries.test(names[caller] ?? "") && last >= 0 ? -1 : caller;
}

/** Gives memory back, and asks for none: among guesses it is what an earlier call left on the stack. */
const givesBack = /^_*(?:kfree|kvfree|vfree|kmem_cache_free|free_pages|put_page)$/;

/** Where an interrupt or a fault came in: what stands below was stopped by it and did nothing of what stands above (arch/arm/kernel/entry-armv.S). */
const entries = /^__(?:irq|dabt|pabt|und|fiq)_svc$/;

/** Where frames are missing; undefined: nowhere, as far as the form tells. */
function gapOf(
  trace: CallTrace | undefined,
  frames: readonly StackFrame[],
  names: readonly string[],
  caller: number,
  fault: boolean,
): Gap {
  if (trace === undefined || frames.length === 0) return "start";
  if (!contextsFit(trace, names) || stacksJump(frames)) return "marks";
  // Only the unwinder of 32-bit ARM prints a stack without a heading (arch/arm/kernel/unwind.c).
  const begins = trace.heading !== "" || names.some((n) => allocating(n)) || (fault && trace.form === "arm");
  if (!begins) return "start";
  const printed = framesOf(trace);
  const onlyLast = frames.length === printed.length - 1 && frames.at(-1)?.function === printed.at(-2)?.function;
  if (onlyLast && trace.torn !== true) return "end";
  if (trace.torn === true || frames.length < printed.length) return "inside";
  if (
    arrowsBreak(trace) ||
    askerIsMissing(frames, names, caller) ||
    stepsOver(frames, names) ||
    bufferWithoutSlab(frames, names) ||
    !dispatched(frames)
  )
    return "inside";
  return endsWhole(names) ? undefined : "end";
}

/** ARM names the caller of a line again on the next one: where it does not, lines are missing. */
function arrowsBreak(trace: CallTrace): boolean {
  const lines = trace.items.filter((i) => i.kind === "frame");
  return lines.some((f, i) => {
    const next = lines[i + 1];
    return (
      f.from !== undefined &&
      next !== undefined &&
      next.function !== f.from.function &&
      // Behind an exception the stack of what it stopped begins anew.
      !/^__(irq|dabt|pabt|und|fiq)_/.test(f.from.function) &&
      !allocating(bareName(next.function))
    );
  });
}

/** No kernel stack is larger (THREAD_SIZE of arch/powerpc with KASAN). */
const largestStack = 0x10000n;

/** powerpc prints where each frame lies: further out is higher, on the same stack, but where an interrupt's own stack ends. */
function stacksJump(frames: readonly StackFrame[]): boolean {
  return frames.some((f, i) => {
    const outer = frames[i + 1];
    if (f.stackPointer === undefined || outer?.stackPointer === undefined) return false;
    const step = BigInt(`0x${outer.stackPointer}`) - BigInt(`0x${f.stackPointer}`);
    return (step < 0n || step > largestStack) && !/irq|interrupt|exception/i.test(f.function + outer.function);
  });
}

/** Behind a function that only allocators call, or as an asker that never asks by itself. */
function askerIsMissing(frames: readonly StackFrame[], names: readonly string[], caller: number): boolean {
  const who = names[caller];
  // The check of a page that is given back: nobody asked.
  if (who === undefined || caller === 0 || names.includes("bad_page")) return false;
  const guesses = !frames.some((f) => f.reliable);
  const below = frames.findLastIndex((f, i) => i < caller && (guesses || f.reliable || allocating(names[i] ?? "")));
  const last = names[below] ?? "";
  if (!allocating(last) || (has(reporters, last) !== undefined && has(printers, who) !== undefined)) return false;
  if (/^_*kmalloc_(?:node_)?track_caller/.test(last) && !trackedCallers.test(who)) return true;
  const direct = has(pageAllocator, last) ?? has(slabEntries, last) ?? has(paths, last);
  if (direct !== undefined && direct !== "page_frag" && asksThroughSocket.test(who)) return true;
  return isFrameIn(handingOnFrames, who) || has(innerFrames, last) !== undefined;
}

/** Senders that get their memory from net/core alone: sk_page_frag_refill(), skb_copy(), sk_stream_alloc_skb(), sock_alloc_send_skb(). */
const asksThroughSocket =
  /^(?:tcp_sendmsg|tcp_sendmsg_locked|do_tcp_sendpages|udp_sendmsg|udpv6_sendmsg|raw_sendmsg|unix_stream_sendmsg|unix_dgram_sendmsg|packet_snd|packet_sendmsg|sock_alloc_send_p?skb|__ip6?_append_data|ip6?_append_data|ip6?_finish_output2|__?tcp_transmit_skb|dev_hard_start_xmit|__dev_queue_xmit|dev_queue_xmit)$/;

/** Who calls kmalloc_track_caller() (mm/util.c, lib/kasprintf.c, net/core/skbuff.c): helpers that copy, print, grow. */
const trackedCallers = /dup|printf|realloc|alloc_skb|reserve|expand|copy/;

/** Steps of sending that call the next step alone, never a module's function: behind one of those, steps are missing. */
const sendingSteps =
  /^(?:__?ip_queue_xmit|ip_queue_xmit|tcp_write_xmit|__tcp_push_pending_frames|tcp_push|tcp_sendmsg|tcp_sendmsg_locked)$/;

const stepsOver = (frames: readonly StackFrame[], names: readonly string[]): boolean =>
  frames.some((f, i) => f.module !== undefined && f.reliable && sendingSteps.test(names[i + 1] ?? ""));

/** The functions that make a packet's buffer call a slab or a cache of fragments, never the page allocator itself (net/core/skbuff.c). */
function bufferWithoutSlab(frames: readonly StackFrame[], names: readonly string[]): boolean {
  const usable = names.filter((_, i) => frames[i]?.reliable === true);
  return usable.some(
    (name, i) => has(slabBuffers, name) !== undefined && has(pageAllocator, usable[i - 1] ?? "") !== undefined,
  );
}

const marksOf = (trace: CallTrace): readonly string[] =>
  trace.items.flatMap((i) => (i.kind === "marker" ? [i.name] : i.kind === "frame" ? (i.marks ?? []) : []));

const closing = (mark: string | undefined): boolean =>
  mark !== undefined && (mark.startsWith("/") || mark === "EOI" || mark === "EOE");

/** The context that the first frames ran in was opened above them: lines are missing there. */
const closesUnopened = (trace: CallTrace): boolean => closing(marksOf(trace)[0]);

/**
 * x86 opens and closes the contexts that it prints; a stack that was cut at the start may close what it did not open. What an interrupt
 * stopped has a context of its own, so a task's last frames never stand in one that was opened and not closed.
 */
function contextsFit(trace: CallTrace, names: readonly string[]): boolean {
  let open: string | undefined;
  for (const [i, name] of marksOf(trace).entries()) {
    const closes = closing(name);
    if (!closes && open !== undefined) return false;
    if (
      closes &&
      ((open === undefined && i > 0) || (open !== undefined && name.startsWith("/") && name.slice(1) !== open))
    )
      return false;
    open = closes ? undefined : name;
  }
  return open === undefined || open === "TASK" || !endsWhole(names);
}

/** A stack ends with entry or boot code. */
const endsWhole = (names: readonly string[]): boolean => names.slice(-3).some((n) => isFrameIn(outermostFrames, n));

/** The dispatchers of system calls and softirqs call functions of one kind: what else stands before them has lost its caller's line. */
const dispatchers: readonly (readonly [dispatcher: RegExp, calls: RegExp])[] = [
  [
    /^(do_syscall|do_fast_syscall|entry_SYSCALL|entry_SYSENTER|entry_INT80|system_call|sysenter_|syscall_|ret_from_syscall|ret_fast_syscall|el0_svc|el0t_|x64_sys_call|invoke_syscall)/,
    /sys_|SyS_|SYSC_|syscall|sysenter|^do_SYSENTER|^do_int80|^el0|^ia32_|^stub_|^ptregs|^trace_hardirqs|^prepare_exit|^exit_to_user/,
  ],
  [/^worker_thread$/, /^process_|^rescuer|^schedule|^_raw_|^wq_|^create_worker|^manage_workers/],
  [
    /^kthread$/,
    /^(?!report_bug|handle_bug|__warn|(?:asm_exc_|exc_|do_)?(?:invalid_op|page_fault|general_protection|error_trap|int3))/,
  ],
  [/^(?:__do_sys_|__se_sys_|__x64_sys_|__arm64_sys_|sys_|SyS_)(?:clone3?|fork|vfork)$/, /clone|fork/],
  [/^(?:kernel_clone|_do_fork|do_fork)$/, /^copy_|wake_up|ptrace|dup_|alloc|wait_for/],
  [/^smpboot_thread_fn$/, /ksoftirqd|stopper|rcu|watchdog|migration|cpuhp|irq/],
  [/^kernel_init_freeable$/, /^do_one_initcall|^do_basic|^do_initcalls|^do_pre_smp|^smp_|^prepare_namespace/],
  [/^kernel_init$/, /^kernel_init_freeable|^run_init|^do_|^free_|async/],
  [/^ret_from_fork/, /thread|^kernel_init|^init$|helper|^ret_from_fork|^schedule_tail|sys/],
  [/^(asm_exc_|async_)?page_fault$/, /page_fault|irqentry_exit|exit_to_user/],
  [/^(__do_softirq|handle_softirqs)/, /_action|rcu_core|rcu_process|tasklet|run_timer|^asm_|irq/],
];

function dispatched(frames: readonly StackFrame[]): boolean {
  const sure = frames.filter((f) => f.reliable).map((f) => bareName(f.function));
  return sure.every((name, i) => {
    const before = sure[i - 1];
    const row = dispatchers.find(([d]) => d.test(name));
    return before === undefined || row === undefined || row[1].test(before);
  });
}

function partOf(frames: readonly StackFrame[], gap: Gap, trace: CallTrace | undefined): StackView["trace"] {
  if (trace === undefined || frames.length === 0) return lost("the call trace");
  switch (gap) {
    case undefined:
      return whole(frames, `the call trace ends with ${frames.at(-1)?.function}`);
    case "start":
      return cut(frames, "the beginning of the call trace");
    case "inside":
    case "marks":
      return cut(frames, "frames inside the call trace");
    case "end":
      return cut(frames, "the end of the call trace");
  }
}

function pathOf(frames: readonly StackFrame[], names: readonly string[]): { path: AllocatorPath; pathFrame?: number } {
  if (frames.length === 0) return { path: "unknown" };
  for (const wanted of ["kmalloc_large", "slab", "page_frag", "page_pool", "dma", "vmalloc"] as const) {
    const rows = paths.filter(([, value]) => value === wanted);
    const at = firstIn(frames, rows);
    if (at >= 0) return { path: wanted, pathFrame: at };
  }
  const entry = firstIn(frames, slabEntries);
  const pages = firstIn(frames, pageAllocator);
  // Inlined helpers: kmalloc straight above the page allocator is a request above the largest cache.
  if (entry >= 0 && pages >= 0 && entry > pages) {
    const between = names.slice(pages + 1, entry).filter((n) => has(pageAllocator, n) === undefined);
    if (between.length === 0) return { path: "kmalloc_large", pathFrame: entry };
  }
  return pages >= 0 ? { path: "pages", pathFrame: pages } : { path: "unknown" };
}

interface Side {
  readonly direction: Direction | undefined;
  readonly directionFrame?: number;
}

const directionOfRole = (role: FrameRole): Direction => (role === "rx poll" ? "rx" : role);

/**
 * Which side of the network this is: the innermost frame that tells one decides, whoever's it is: a function of the generic tables, of the
 * driver by hand, of any network module by the index. A frame under which much is done that is not its own (a poll, the ladder of the receive
 * path, the opening of an interface) decides only where nothing can be missing between it and who asked.
 */
function directionOf(frames: readonly StackFrame[], driver: DriverSeen | undefined, joints: Joints): Side {
  if (frames.length === 0) return { direction: undefined };
  const { asker: from } = joints;
  const guesses = !frames.some((f) => f.reliable);
  const told = frames.map((f, i) => (i >= from && (guesses || f.reliable) ? networkFrame(f) : undefined));
  const sides = [byTables(frames), byDriver(driver), byIndex(told), byReceiveBuffer(frames)].filter(
    (side) => side !== undefined,
  );
  let inner: TellingSide | undefined;
  for (const side of sides) if (inner === undefined || side.directionFrame < inner.directionFrame) inner = side;
  if (inner !== undefined) {
    const made = inner.direction === "setup" ? fillsRing(frames, inner.directionFrame) : undefined;
    if (made !== undefined) return made;
    return inner.closed || decides(frames, inner, joints)
      ? { direction: inner.direction, directionFrame: inner.directionFrame }
      : { direction: undefined };
  }
  const asker = receiveAsker(frames);
  const copies =
    asker < 0 &&
    /rx|recv/i.test(frames[from]?.function ?? "") &&
    has(skbData, bareName(frames[from - 1]?.function ?? "")) === true;
  if (joints.asked && (asker === from || copies) && (joints.linked || askedInPoll(frames, from)))
    return { direction: refilling.test(frames[from]?.function ?? "") ? "rx refill" : "rx", directionFrame: from };
  const network =
    driver !== undefined || told.some((f) => f !== undefined) || firstIn(frames, [...pollers, ...probers]) >= 0;
  return { direction: joints.whole && !network ? "neither" : undefined };
}

/** A function of a driver's own that polls nothing itself asked for a receive buffer, in a softirq. */
function askedInPoll(frames: readonly StackFrame[], asker: number): boolean {
  const who = frames[asker];
  return (
    who?.module !== undefined && !polling.test(who.function) && firstIn(frames, [...pollers, ...softirqNames]) >= 0
  );
}

/**
 * Whether a frame under which others do their own work decides all the same: nothing can be missing below it. It is the first frame of a
 * fault; or it asked itself, for what its driver's refill never asks for.
 */
function decides(frames: readonly StackFrame[], side: TellingSide, joints: Joints): boolean {
  const at = side.directionFrame;
  // Who gives a packet back handles it; but polls and TCP's receive side also free what was sent.
  if (
    (side.direction !== "rx" || !freesBoth(bareName(frames[at]?.function ?? ""))) &&
    /^(__)?(kfree_skb|consume_skb|napi_consume_skb|dev_kfree_skb|dev_consume_skb)/.test(
      bareName(frames[at - 1]?.function ?? ""),
    )
  )
    return true;
  if (joints.fault) return at < 0;
  if (!joints.asked) return false;
  if (joints.linked) return true;
  const { asker } = joints;
  const setup = side.direction === "setup";
  const who = frames[asker] as StackFrame;
  const teller = frames[at];
  // Between the two only the same module's frames: another's would tell its own side. What brings an interface up may call helpers.
  const own = setup ? teller?.module : who.module;
  if (
    frames.slice(asker, at).some((f) => f.module !== own && !(setup && (f.module === undefined || own === undefined)))
  )
    return false;
  const modules = modulesOf(setup && teller?.module !== undefined ? teller : who).filter((m) => m !== "");
  if (at < asker || modules.length === 0) return false;
  const request = bareName(frames[asker - 1]?.function ?? "");
  const kinds = has(memoryNames, request);
  if (kinds === undefined) return false;
  // Rings are made of other memory than what they are filled with; what a packet is handled with is no slab of the driver's own.
  if (!setup && (kinds.includes("slab") || kinds.includes("pages"))) return false;
  const since = notOlderThan(frames.map((f) => bareName(f.function)));
  const known = modules.filter((m) => functionIndex()?.module(m) !== undefined);
  if (known.length > 0) return !known.some((m) => refillAsksFor(m, kinds, since));
  return /napi_alloc_skb/.test(request) || (setup && kinds.every((k) => notForRings.includes(k)));
}

/** On the receive side only these free nothing but what arrived: under polls and the ladder to TCP runs what frees packets that were sent. */
const freesBoth = (name: string): boolean =>
  !/^(?:icmp_rcv|icmpv6_rcv|udp_rcv|__udp[46]_lib_rcv|ip_defrag|arp_rcv)$/.test(name);

/** Memory of which rings are made, not what they are filled with. */
const notForRings: readonly MemoryKind[] = ["slab", "dma", "vmalloc"];

/** A side with the frame that tells it. `closed`: so is all that runs under that frame. */
interface TellingSide extends Side {
  readonly directionFrame: number;
  readonly closed: boolean;
}

function byTables(frames: readonly StackFrame[]): TellingSide | undefined {
  const at = firstSure(frames, directions);
  const name = bareName(frames[at]?.function ?? "");
  return at < 0
    ? undefined
    : { direction: has(directions, name), directionFrame: at, closed: has(closedFrames, name) !== undefined };
}

const byRole = (role: FrameRole | undefined, frame: number): TellingSide | undefined =>
  role === undefined
    ? undefined
    : { direction: directionOfRole(role), directionFrame: frame, closed: role === "rx refill" || role === "tx" };

const byDriver = (driver: DriverSeen | undefined): TellingSide | undefined =>
  driver === undefined ? undefined : byRole(driver.role, driver.frame);

function byIndex(told: readonly (NetworkFrame | undefined)[]): TellingSide | undefined {
  const at = told.findIndex((f) => f?.role !== undefined);
  return byRole(told[at]?.role, at);
}

/** The function that asked for a buffer as only receivers do; -1 when none did. */
function receiveAsker(frames: readonly StackFrame[]): number {
  const buffer = firstIn(frames, receiveBuffers);
  return buffer < 0
    ? -1
    : frames.findIndex((f, i) => i > buffer && has(receiveBuffers, bareName(f.function)) === undefined);
}

/** An unknown driver's function that asked for a receive buffer and is called as those are that fill rings. */
function byReceiveBuffer(frames: readonly StackFrame[]): TellingSide | undefined {
  const asker = receiveAsker(frames);
  return asker >= 0 && refilling.test(frames[asker]?.function ?? "")
    ? { direction: "rx refill", directionFrame: asker, closed: true }
    : undefined;
}

/** Receive buffers that are made while the interface is opened fill its ring, whatever the function is called. */
function fillsRing(frames: readonly StackFrame[], setup: number): Side | undefined {
  const asker = receiveAsker(frames);
  return asker >= 0 && asker <= setup ? { direction: "rx refill", directionFrame: asker } : undefined;
}

/** The frames that bring an interface up or change it: the ring is filled in process context. */
const isSetup = (name: string): boolean => has(directions, name) === "setup";

/** The driver by name, or the module that stands where a driver does. */
export const driverNameOf = (view: StackView): string | undefined => view.driver?.driver.name ?? view.module?.name;

/** True when the stack fills a ring because an interface is opened or changed. */
export const ringIsBeingMade = (view: StackView): boolean => view.frames.some((f) => isSetup(bareName(f.function)));

function objectOf(
  frames: readonly StackFrame[],
  names: readonly string[],
): { object: StackView["object"]; objectFrame?: number } {
  if (frames.length === 0) return { object: "unknown" };
  const head = firstIn(frames, skbHead);
  const data = firstIn(frames, skbData);
  if (data >= 0 && (head < 0 || data < head)) {
    // kmem_cache_alloc below __alloc_skb is the struct; kmalloc, a fragment or pages its data.
    const below = names.slice(0, data);
    const bytes = below.some((n) => /kmalloc|page_frag|alloc_frag/.test(n));
    const struct = below.some((n) => /^(__)?kmem_cache_alloc/.test(n));
    const object = bytes ? "skb data" : struct ? "skb head" : "skb";
    return { object, objectFrame: data };
  }
  if (head >= 0) return { object: "skb head", objectFrame: head };
  return { object: "other" };
}

function contextOf(
  frames: readonly StackFrame[],
  names: readonly string[],
  joints: Joints,
): { context: StackView["context"]; contextFrame?: number } {
  const first = (rows: readonly Row<true>[]): number => firstIn(frames, rows);
  const soft = first(softirqNames);
  if (soft >= 0) return { context: "softirq", contextFrame: soft };
  const hard = first(interruptNames);
  if (hard >= 0) return { context: "interrupt", contextFrame: hard };
  const inIrq = frames.findIndex((f) => f.context === "irq" || f.context === "nmi" || f.function === "__irq_svc");
  if (inIrq >= 0) return { context: "interrupt", contextFrame: inIrq };
  const task = joints.asked && names.length > 0 ? first(taskNames) : -1;
  return task >= 0 ? { context: "process", contextFrame: task } : { context: "unknown" };
}
