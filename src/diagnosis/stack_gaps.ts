// Where a printed stack lacks lines: its beginning, its end, or frames between two that cannot have called each other.
import { bareName, modulesOf } from "../kernel/facts/drivers/index.ts";
import { functionIndex } from "../kernel/facts/functions/index.ts";
import { handingOnFrames, outermostFrames } from "../kernel/facts/functions/known.ts";
import type { CallTrace } from "../kernel/readings/call_trace.ts";
import { framesOf } from "../kernel/readings/call_trace.ts";
import type { Part } from "../kernel/readings/part.ts";
import { cut, lost, whole } from "../kernel/readings/part.ts";
import type { StackFrame } from "./stack_frames.ts";
import { allocating } from "./stack_frames.ts";
import {
  has,
  innerFrames,
  pageAllocator,
  paths,
  printers,
  reporters,
  skbHead,
  slabBuffers,
  slabEntries,
} from "./stack_names.ts";

/** Where lines are missing between the frames: above all, between the allocators and who asked, below; `marks`: between two contexts. */
type Gap = "start" | "inside" | "end" | "marks" | undefined;

/** Where frames are missing; undefined: nowhere, as far as the form tells. `above`: where a fault stood, and its link register. */
export function gapOf(
  trace: CallTrace | undefined,
  frames: readonly StackFrame[],
  names: readonly string[],
  caller: number,
  above: readonly string[],
): Gap {
  if (trace === undefined || frames.length === 0) return "start";
  if (!contextsFit(trace, names) || stacksJump(frames)) return "marks";
  // Only the unwinder of 32-bit ARM prints a stack without a heading (arch/arm/kernel/unwind.c, 5.10 and 6.1; 6.12 prints one).
  const begins = trace.heading !== "" || names.some((n) => allocating(n)) || (above.length > 0 && trace.form === "arm");
  // Entry code called something that stopped or reported: alone it has lost what stood above it.
  const alone = above.length === 0 && has(outermostFrames, names[0] ?? "") !== undefined;
  if (!begins || alone) return "start";
  const printed = framesOf(trace);
  const onlyLast = frames.length === printed.length - 1 && frames.at(-1)?.function === printed.at(-2)?.function;
  if (onlyLast && trace.torn !== "inside") return "end";
  if (trace.torn === "inside" || frames.length < printed.length) return "inside";
  if (
    arrowsBreak(trace) ||
    askerIsMissing(frames, names, caller) ||
    stepsOver(frames, names) ||
    bufferWithoutSlab(frames, names) ||
    !dispatched(frames) ||
    hookIsOrphan(frames, above[0]) ||
    faultIsNotFirst(trace, names[0] ?? "", above[0])
  )
    return "inside";
  return trace.torn === undefined && endsWhole(names) ? undefined : "end";
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

/** No kernel stack is larger (THREAD_SHIFT is at most 15, arch/powerpc/Kconfig of 6.1, and one more with KASAN). */
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
  const called = calledNames(frames, names);
  if (called.some((n, i) => calledByChecks.test(n) && handsOnOnly(called[i + 1] ?? ""))) return true;
  // Between arm64's break and what it stopped stand only its own entries.
  const stopped = called.filter((n) => !/^(?:do_debug_exception$|el1)/.test(n));
  if (stopped.some((n, i) => breaks.test(n) && handsOnOnly(stopped[i + 1] ?? ""))) return true;
  // The check of a page that is given back: nobody asked, but somebody gave it.
  if (names.includes("bad_page"))
    return names.some((n, i) => has(handingOnFrames, n) !== undefined && pageWork.test(names[i - 1] ?? ""));
  if (who === undefined || caller === 0) return false;
  const guesses = !frames.some((f) => f.reliable);
  const below = frames.findLastIndex((f, i) => i < caller && (guesses || f.reliable || allocating(names[i] ?? "")));
  const last = names[below] ?? "";
  if (!allocating(last) || (has(reporters, last) !== undefined && has(printers, who) !== undefined)) return false;
  // Its helpers are inlined (kernel/module.c load_module(), 5.10; kernel/module/main.c, 6.1).
  if (last === "module_alloc" && who === "load_module") return false;
  if (/^_*kmalloc_(?:node_)?track_caller/.test(last) && !trackedCallers.test(who)) return true;
  if (has(paths, last) === "page_frag" && asksForPackets(frames[caller] as StackFrame)) return true;
  const direct = has(pageAllocator, last) ?? has(slabEntries, last) ?? has(paths, last);
  if (direct !== undefined && direct !== "page_frag" && asksThroughSocket.test(who)) return true;
  return has(handingOnFrames, who) !== undefined || has(innerFrames, last) !== undefined;
}

/**
 * Behind these stands the check that failed, or the entry of its exception: kernel/panic.c (5.10, 6.1, 7.3), lib/bug.c (6.1, 7.3),
 * arch/x86/kernel/traps.c (6.1), arch/powerpc/kernel/{traps.c,exceptions-64s.S} (5.10, 6.1), arch/riscv/kernel/traps.c (6.1).
 */
const calledByChecks =
  /^(?:v?panic|nmi_panic|check_panic_on_warn|_{0,2}report_bug|handle_bug|do_error_trap|do_invalid_op|exc_invalid_op|(?:asm_exc_)?invalid_op|do_program_check|program_check_(?:exception|common)\w{0,8}|do_trap_break)$/;

/** arm64's way from its break instruction to lib/bug.c (arch/arm64/kernel/{traps,debug-monitors,entry-common}.c, 5.10, 6.1, 7.3). */
const breaks = /^(?:bug_handler|call_break_hook|brk_handler|do_el1_brk64)$/;

/**
 * What only hands on makes no such check, but for the boot code (kernel_init() panics where it finds no init: init/main.c, 6.1) and the
 * entries of exceptions, which stand before what they stopped.
 */
const handsOnOnly = (name: string): boolean =>
  has(handingOnFrames, name) !== undefined && !/^(?:start_kernel|kernel_init|error_code|handle_exception)/.test(name);

/** Senders that get their memory from net/core alone: sk_page_frag_refill(), skb_copy(), sk_stream_alloc_skb(), sock_alloc_send_skb(). */
const asksThroughSocket =
  /^(?:tcp_sendmsg_locked|(?:tcp|udp|udpv6|raw|unix_stream|unix_dgram|packet)_sendmsg|do_tcp_sendpages|packet_snd|sock_alloc_send_p?skb|(?:__)?ip6?_append_data|ip6?_finish_output2|__?tcp_transmit_skb|dev_hard_start_xmit|(?:__)?dev_queue_xmit)$/;

/** The page allocator at work on a page (mm/page_alloc.c); what only hands on never calls it. */
const pageWork =
  /^(?:bad_page|check_new_page|prep_new_page|post_alloc|rmqueue|get_page_from_freelist|_{0,2}free_(?:p|one_page|unref|hot|tail)|release_pages|_{0,2}drain_(?:all_|local_|zone_)?pages)/;

/** A driver's function that asks for whole packets and for no fragments: between it and a cache of fragments stood what makes a packet. */
function asksForPackets(who: StackFrame): boolean {
  const found = (functionIndex()?.find(bareName(who.function)) ?? []).filter((f) =>
    modulesOf(who).includes(f.place.name),
  );
  return found.length > 0 && found.every((f) => f.memory.has("rxSkb") && !f.memory.has("frag"));
}

/**
 * Who calls kmalloc_track_caller() and is no allocator itself (mm/util.c, mm/slab_common.c up to 5.6, lib/kasprintf.c, drivers/base/devres.c,
 * kernel/bpf/cgroup.c; 5.10, 6.1, 7.3): helpers that copy, print, grow, or keep memory for a device.
 */
const trackedCallers = /dup|printf|realloc|copy|filter_sysctl|devres_alloc|devm_k[mz]alloc/;

/** Steps of sending that call the next step alone, never a module's function: behind one of those, steps are missing. */
const sendingSteps =
  /^(?:(?:__)?ip_queue_xmit|tcp_write_xmit|__tcp_push_pending_frames|tcp_push|tcp_sendmsg(?:_locked)?)$/;

const stepsOver = (frames: readonly StackFrame[], names: readonly string[]): boolean =>
  frames.some((f, i) => f.module !== undefined && f.reliable && sendingSteps.test(names[i + 1] ?? ""));

/** The functions that make a packet's buffer call a slab or a cache of fragments, never the page allocator itself (net/core/skbuff.c). */
function bufferWithoutSlab(frames: readonly StackFrame[], names: readonly string[]): boolean {
  const called = calledNames(frames, names);
  return called.some(
    (name, i) => (has(slabBuffers, name) ?? has(skbHead, name)) !== undefined && isPageAllocator(called[i - 1] ?? ""),
  );
}

/** The names without guesses, but where every frame is one. */
function calledNames(frames: readonly StackFrame[], names: readonly string[]): readonly string[] {
  const guesses = !frames.some((f) => f.reliable);
  return names.filter((_, i) => guesses || frames[i]?.reliable === true);
}

/** Names of caches of fragments begin as the allocator's do. */
const isPageAllocator = (name: string): boolean =>
  has(pageAllocator, name) !== undefined && has(paths, name) === undefined;

const marksOf = (trace: CallTrace): readonly string[] =>
  trace.items.flatMap((i) => (i.kind === "marker" ? [i.name] : i.kind === "frame" ? (i.marks ?? []) : []));

const closing = (mark: string | undefined): boolean =>
  mark !== undefined && (mark.startsWith("/") || mark === "EOI" || mark === "EOE");

/** The context that the first frames ran in was opened above them: lines are missing there. */
export const closesUnopened = (trace: CallTrace): boolean => closing(marksOf(trace)[0]);

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
const endsWhole = (names: readonly string[]): boolean =>
  names.slice(-3).some((n) => has(outermostFrames, n) !== undefined);

/** The dispatchers of system calls and softirqs call functions of one kind: what else stands before them has lost its caller's line. */
const dispatchers: readonly (readonly [dispatcher: RegExp, calls: RegExp])[] = [
  [
    /^(do_syscall|do_fast_syscall|entry_SYSCALL|entry_SYSENTER|entry_INT80|system_call|tracesys|cstar_dispatch|ia32_sys|sysenter_|syscall_|ret_from_syscall|ret_fast_syscall|el0_svc|el0t_|x64_sys_call|invoke_syscall)/,
    /sys_|SyS_|SYSC_|syscall|^do_SYSENTER|^do_int80|^el0|^ia32_|^stub_|^ptregs|^trace_hardirqs|^prepare_exit|^exit_to_user/,
  ],
  // It calls the work's own function, never a warning's printer, nor does it give memory back (kernel/workqueue.c, 6.1).
  [/^process_one_work$/, /^(?!(?:__warn|kfree|kvfree|vfree|kmem_cache_free)$)/],
  [/^worker_thread$/, /^process_|^rescuer|^schedule|^_raw_|^wq_|^create_worker|^manage_workers/],
  [/^kthread$/, /^(?!__warn|(?:asm_exc_|exc_|do_)?(?:page_fault|general_protection|int3))/],
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

/**
 * Functions that one kind of function calls and no other: the hooks of security modules only security/security.c (by the hook's own name), those
 * of sockets only net/socket.c, net/core/sock.c and net/ipv4/ip_sockglue.c (all calls in 6.1).
 */
const hooks: readonly (readonly [hook: RegExp, callers: RegExp])[] = [
  [
    /^(?:selinux|smack|apparmor|tomoyo|bpf_lsm|hook)_(?:socket|inode|file|sb)_/,
    /^(?:security|selinux|smack|apparmor|tomoyo|bpf|hook)_/,
  ],
  [
    /^security_socket_/,
    /^_*(?:sock_|sk_|do_sock|do_accept|io_|kernel_(?:send|recv)msg|ip_cmsg|(?:\w{1,10}_)?(?:sys|SyS|SYSC)_)/,
  ],
];

/** The line of the function that called a hook is missing; a stack may begin with the function that the fault stood in, or behind it. */
function hookIsOrphan(frames: readonly StackFrame[], at: string | undefined): boolean {
  const sure = [...(at === undefined ? [] : [at]), ...frames.filter((f) => f.reliable).map((f) => f.function)].map(
    bareName,
  );
  return sure.some((name, i) => {
    const next = sure[i + 1] ?? name;
    return next !== name && hooks.some(([hook, callers]) => hook.test(name) && !callers.test(next));
  });
}

/** arm64 begins the stack of a fault with the function that it stood in (dump_backtrace(), arch/arm64/kernel/{traps,stacktrace}.c, 5.10, 6.1). */
const faultIsNotFirst = (trace: CallTrace, first: string, at: string | undefined): boolean =>
  at !== undefined && trace.heading.trim() === "Call trace:" && first !== bareName(at) && !allocating(first);

export function partOf(
  frames: readonly StackFrame[],
  gap: Gap,
  trace: CallTrace | undefined,
): Part<readonly StackFrame[]> {
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
