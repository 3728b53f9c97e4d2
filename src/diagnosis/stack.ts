// What a kernel stack says about an allocation: who really allocated, for whom, on which side of the network, in which context.
// Only names are looked at, so an unknown driver still gets what its generic frames say.
import type { FrameRole } from "../kernel/facts/drivers/driver.ts";
import type { DriverSeen } from "../kernel/facts/drivers/index.ts";
import { bareName, driverOfStack, foreignModule, networkFrame } from "../kernel/facts/drivers/index.ts";
import type { NetworkFrame } from "../kernel/facts/drivers/seen.ts";
import { handingOnFrames, isFrameIn, outermostFrames } from "../kernel/facts/trace_frames.ts";
import type { CallTrace, Frame, FrameContext } from "../kernel/readings/call_trace.ts";
import { framesOf } from "../kernel/readings/call_trace.ts";
import type { Part } from "../kernel/readings/part.ts";
import { cut, lost, whole } from "../kernel/readings/part.ts";

/** The way a page request took out of the caller's hands. */
export type AllocatorPath =
  /** a slab cache needed a new slab */
  | "slab"
  /** kmalloc of more than the largest cache: whole pages */
  | "kmalloc_large"
  /** a per-CPU page that small heads are cut from */
  | "page_frag"
  | "page_pool"
  /** coherent DMA memory */
  | "dma"
  | "vmalloc"
  /** alloc_pages by the caller itself */
  | "pages"
  | "unknown";

export type Direction = "rx refill" | "rx" | "tx" | "tx completion" | "setup" | "neither";

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
  /** `skb head`: the struct sk_buff itself; `skb data`: its buffer. */
  readonly object: "skb data" | "skb head" | "other" | "unknown";
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
}

type Row<T> = readonly [name: string, value: T, prefix?: true];

const reporters: readonly Row<true>[] = [
  ["dump_stack", true, true],
  ["show_stack", true, true],
  ["show_trace", true],
  ["unwind_backtrace", true],
  ["dump_backtrace", true],
  ["warn_alloc", true, true],
  ["dump_header", true],
  ["oom_kill_process", true],
  ["out_of_memory", true],
  ["__dump_stack", true],
  ["printk_stack", true, true],
  ["__might_sleep", true],
  ["__might_resched", true],
  ["___might_sleep", true],
  ["might_sleep", true, true],
];
const pageAllocator: readonly Row<true>[] = [
  ["__alloc_pages", true, true],
  ["alloc_pages", true, true],
  ["__get_free_page", true, true],
  ["get_free_page", true, true],
  ["get_zeroed_page", true, true],
  ["get_page_from_freelist", true],
  ["__alloc_frozen_pages", true, true],
  ["alloc_frozen_pages", true, true],
  ["__folio_alloc", true, true],
  ["folio_alloc", true, true],
  ["alloc_page_interleave", true],
  ["alloc_kmem_pages", true, true],
  ["alloc_pool_huge_page", true],
  ["vma_alloc_folio", true, true],
  ["__page_cache_alloc", true],
  ["__alloc_page", true, true],
  ["___alloc_page", true, true],
  ["__perform_reclaim", true],
  ["try_to_free_pages", true],
];
// Most telling first: a large kmalloc also passes through __kmalloc, a page_frag through alloc_pages.
const paths: readonly Row<AllocatorPath>[] = [
  ["kmalloc_large_node", "kmalloc_large"],
  ["__kmalloc_large", "kmalloc_large", true],
  ["kmalloc_large", "kmalloc_large", true],
  ["___kmalloc_large", "kmalloc_large", true],
  ["kmalloc_order", "kmalloc_large", true],
  ["new_slab", "slab", true],
  ["allocate_slab", "slab"],
  ["alloc_slab_page", "slab"],
  ["___slab_alloc", "slab"],
  ["__slab_alloc", "slab"],
  ["kmem_getpages", "slab"],
  ["cache_grow", "slab", true],
  ["cache_alloc_refill", "slab"],
  ["fallback_alloc", "slab"],
  ["refill_objects", "slab", true],
  ["__page_frag_cache_refill", "page_frag"],
  ["__page_frag_refill", "page_frag"],
  ["page_frag_alloc", "page_frag", true],
  ["__page_frag_alloc", "page_frag", true],
  ["__alloc_page_frag", "page_frag"],
  ["__netdev_alloc_frag", "page_frag", true],
  ["netdev_alloc_frag", "page_frag"],
  ["__napi_alloc_frag", "page_frag", true],
  ["napi_alloc_frag", "page_frag", true],
  ["skb_page_frag_refill", "page_frag"],
  ["sk_page_frag_refill", "page_frag"],
  ["page_pool_alloc", "page_pool", true],
  ["__page_pool_alloc", "page_pool", true],
  ["page_pool_dev_alloc", "page_pool", true],
  ["dma_alloc", "dma", true],
  ["__dma_alloc", "dma", true],
  ["dma_direct_alloc", "dma", true],
  ["__dma_direct_alloc", "dma", true],
  ["dma_generic_alloc_coherent", "dma"],
  ["swiotlb_alloc", "dma", true],
  ["x86_swiotlb_alloc_coherent", "dma"],
  ["x86_64_swiotlb_alloc_coherent", "dma"],
  ["iommu_dma_alloc", "dma", true],
  ["intel_alloc_coherent", "dma"],
  ["iommu_alloc_coherent", "dma"],
  ["dmam_alloc", "dma", true],
  ["__arm_dma_alloc", "dma", true],
  ["consistent_alloc", "dma"],
  ["arm_dma_alloc", "dma", true],
  ["pci_alloc_consistent", "dma"],
  ["vmalloc", "vmalloc", true],
  ["__vmalloc", "vmalloc", true],
  ["module_alloc", "vmalloc"],
];
const slabEntries: readonly Row<true>[] = [
  ["__kmalloc", true, true],
  ["kmalloc", true, true],
  ["__do_kmalloc", true, true],
  ["kmem_cache_alloc", true, true],
  ["cache_alloc", true, true],
  ["__cache_alloc", true, true],
  ["____cache_alloc", true, true],
  ["__kmem_cache_alloc", true, true],
  ["slab_alloc", true, true],
  ["kzalloc", true, true],
  ["krealloc", true, true],
  ["kmemdup", true, true],
  ["kstrdup", true, true],
];
const skbData: readonly Row<true>[] = [
  ["__alloc_skb", true, true],
  ["alloc_skb", true, true],
  ["dev_alloc_skb", true],
  ["__dev_alloc_skb", true],
  ["__netdev_alloc_skb", true, true],
  ["netdev_alloc_skb", true, true],
  ["__napi_alloc_skb", true, true],
  ["napi_alloc_skb", true, true],
  ["pskb_expand_head", true],
  ["skb_copy", true, true],
  ["__pskb_copy", true, true],
  ["skb_realloc_headroom", true],
  ["kmalloc_reserve", true, true],
  ["__kmalloc_reserve", true, true],
];
const skbHead: readonly Row<true>[] = [
  ["skb_clone", true],
  ["build_skb", true, true],
  ["__build_skb", true, true],
  ["napi_build_skb", true],
  ["skb_morph", true],
];
// Innermost wins: an acknowledgement sent while receiving is transmit.
const directions: readonly Row<Direction>[] = [
  ["dev_hard_start_xmit", "tx", true],
  ["sch_direct_xmit", "tx"],
  ["__dev_xmit_skb", "tx"],
  ["dev_queue_xmit", "tx"],
  ["__dev_queue_xmit", "tx"],
  ["__qdisc_run", "tx"],
  ["validate_xmit_skb", "tx", true],
  ["__skb_gso_segment", "tx"],
  ["skb_segment", "tx", true],
  ["skb_linearize", "tx"],
  ["__skb_linearize", "tx"],
  ["sk_stream_alloc_skb", "tx"],
  ["tcp_stream_alloc_skb", "tx"],
  ["tcp_sendmsg", "tx", true],
  ["do_tcp_sendpages", "tx"],
  ["tcp_write_xmit", "tx"],
  ["__tcp_push_pending_frames", "tx"],
  ["__tcp_transmit_skb", "tx"],
  ["tcp_transmit_skb", "tx"],
  ["tcp_send_", "tx", true],
  ["__tcp_send_ack", "tx", true],
  ["tcp_retransmit_skb", "tx"],
  ["__tcp_retransmit_skb", "tx"],
  ["tcp_fragment", "tx"],
  ["tcp_xmit_probe_skb", "tx"],
  ["tcp_make_synack", "tx"],
  ["sock_alloc_send", "tx", true],
  ["__ip_append_data", "tx"],
  ["ip_append_data", "tx"],
  ["__ip6_append_data", "tx"],
  ["ip_fragment", "tx", true],
  ["ip_queue_xmit", "tx"],
  ["udp_sendmsg", "tx"],
  ["unix_stream_sendmsg", "tx"],
  ["unix_dgram_sendmsg", "tx"],
  // An interface is opened or changed, a card is probed or wakes up; the system call at the outside only brought the order.
  ["__dev_open", "setup"],
  ["dev_open", "setup"],
  ["__dev_change_flags", "setup"],
  ["dev_change_flags", "setup"],
  ["netif_change_flags", "setup"],
  ["dev_set_mtu", "setup", true],
  ["netif_set_mtu", "setup", true],
  ["__dev_set_mtu", "setup"],
  ["register_netdev", "setup", true],
  ["netlink_sendmsg", "neither"],
  ["netlink_dump", "neither"],
  ["netlink_alloc_large_skb", "neither"],
  // Data that was sent is freed when its acknowledgement arrives.
  ["tcp_clean_rtx_queue", "tx completion"],
  ["tcp_ack", "tx completion"],
  ["napi_gro_receive", "rx"],
  ["napi_gro_frags", "rx"],
  ["netif_receive_skb", "rx", true],
  ["__netif_receive_skb", "rx", true],
  ["process_backlog", "rx"],
  ["ip_rcv", "rx", true],
  ["ip_local_deliver", "rx", true],
  ["ipv6_rcv", "rx", true],
  ["ip6_input", "rx", true],
  ["ip6_protocol_deliver_rcu", "rx"],
  ["icmp_rcv", "rx"],
  ["icmpv6_rcv", "rx"],
  ["tcp_v6_rcv", "rx"],
  ["udp_rcv", "rx"],
  ["__udp4_lib_rcv", "rx"],
  ["__udp6_lib_rcv", "rx"],
  ["tcp_v4_rcv", "rx"],
  ["tcp_rcv_established", "rx"],
  ["ip_defrag", "rx"],
  ["skb_gro_receive", "rx"],
  ["br_handle_frame", "rx", true],
  // A connection is born when the handshake's packet arrives.
  ["sk_clone_lock", "rx"],
  ["inet_csk_clone_lock", "rx"],
  ["tcp_create_openreq_child", "rx"],
  ["tcp_conn_request", "rx"],
];
/** Calls that make buffers for packets that come in, whoever the driver is. */
const receiveBuffers: readonly Row<true>[] = [
  ["netdev_alloc_skb", true, true],
  ["__netdev_alloc_skb", true, true],
  ["dev_alloc_skb", true],
  ["__dev_alloc_skb", true],
  ["napi_alloc_skb", true, true],
  ["__napi_alloc_skb", true, true],
  ["netdev_alloc_frag", true],
  ["__netdev_alloc_frag", true, true],
  ["napi_alloc_frag", true, true],
  ["__napi_alloc_frag", true, true],
];
const refilling = /fill|alloc_?rx|rx_?alloc|alloc_rx|rx_?buf|new_rx|rx_submit|post_rx|rx_post/;
const pollers: readonly Row<true>[] = [
  ["net_rx_action", true],
  ["__napi_poll", true],
  ["napi_poll", true],
  ["napi_busy_loop", true],
  ["napi_threaded_poll", true],
];
/** A bus hands a device to its driver, or a module is loaded. */
const probers: readonly Row<true>[] = [
  ["local_pci_probe", true],
  ["pci_device_probe", true],
  ["usb_probe_interface", true],
  ["platform_drv_probe", true],
  ["platform_probe", true],
  ["driver_probe_device", true],
  ["really_probe", true],
  ["do_init_module", true],
  ["do_one_initcall", true],
];
const softirqNames: readonly Row<true>[] = [
  ["__do_softirq", true],
  ["handle_softirqs", true],
  ["do_softirq", true],
  ["__local_bh_enable_ip", true],
  ["net_rx_action", true],
  ["net_tx_action", true],
  ["run_ksoftirqd", true],
  ["tasklet_action", true, true],
  ["run_timer_softirq", true],
  ["call_softirq", true],
  ["rcu_process_callbacks", true],
];
const interruptNames: readonly Row<true>[] = [
  ["handle_irq_event", true, true],
  ["handle_IRQ_event", true],
  ["__handle_irq_event_percpu", true],
];
const taskNames: readonly Row<true>[] = [
  ["sys_", true, true],
  ["__x64_sys_", true, true],
  ["__se_sys_", true, true],
  ["__arm64_sys_", true, true],
  ["SyS_", true, true],
  ["ksys_", true, true],
  ["do_syscall", true, true],
  ["system_call", true, true],
  ["syscall_call", true],
  ["ret_from_syscall", true],
  ["entry_SYSCALL", true, true],
  ["kthread", true],
  ["worker_thread", true],
  ["process_one_work", true],
  ["kernel_thread", true],
  ["ret_from_fork", true, true],
];

const noSleepNames: readonly Row<true>[] = [
  ["dev_hard_start_xmit", true],
  ["sch_direct_xmit", true],
  ["__dev_queue_xmit", true],
  ["dev_queue_xmit", true],
  ["napi_busy_loop", true],
  ["__napi_busy_loop", true],
  ["busy_poll_stop", true],
  ["kprobe_handler", true],
  ["kprobe_ftrace_handler", true],
  ["kprobe_int3_handler", true],
  ["trampoline_handler", true],
  ["__kretprobe_trampoline_handler", true],
  ["arch_rethook_trampoline_callback", true],
  ["optimized_callback", true],
  ["opt_pre_handler", true],
  ["aggr_pre_handler", true],
  ["pre_handler_kretprobe", true],
];
const reclaimNames: readonly Row<true>[] = [
  ["try_to_free_pages", true],
  ["do_try_to_free_pages", true],
  ["shrink_", true],
  ["balance_pgdat", true],
  ["kswapd", true],
  ["__perform_reclaim", true],
  ["try_to_compact_pages", true],
  ["compact_zone", true, true],
];

const has = <T>(rows: readonly Row<T>[], name: string): T | undefined =>
  rows.find(([n, , prefix]) => (prefix === true ? name.startsWith(n) : name === n))?.[1];

/** Index of the first frame whose name is in `rows`, reliable ones first. */
function firstIn<T>(frames: readonly StackFrame[], rows: readonly Row<T>[], from = 0): number {
  const at = (reliable: boolean): number =>
    frames.findIndex((f, i) => i >= from && f.reliable === reliable && has(rows, bareName(f.function)) !== undefined);
  const sure = at(true);
  return sure >= 0 ? sure : at(false);
}

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
  const seen = driverOfStack([...above.map((name) => ({ function: name, reliable: true })), ...frames]);
  const driver = seen === undefined ? undefined : { ...seen, frame: seen.frame - above.length };
  const path = pathOf(frames, names);
  // Somebody asked for memory: where no frame of an allocator is, the frames that asked are not there either.
  const lost = request && frames.length > 0 && !names.some((n) => allocating(n));
  const caller = lost ? -1 : callerOf(frames, names);
  const gap = lost ? "start" : gapOf(trace, frames, names, caller, above.length > 0);
  const at = caller < 0 ? 0 : caller;
  const noSleep = firstIn(frames, noSleepNames, at);
  const entry = names.findIndex((n) => entries.test(n));
  const reclaims = caller < 0 ? -1 : firstIn(frames, reclaimNames, at);
  const reclaim = entry >= 0 && reclaims > entry ? -1 : reclaims;
  const side =
    gap === undefined || gap === "end"
      ? directionOf(frames, driver, at, gap === undefined && caller >= 0)
      : { direction: undefined };
  const foreign =
    driver === undefined && side.direction !== undefined && side.direction !== "neither"
      ? foreignModule(frames, at)
      : undefined;
  return {
    frames,
    trace: partOf(frames, gap, trace),
    ...path,
    ...(driver === undefined ? {} : { driver }),
    ...(foreign === undefined ? {} : { module: foreign }),
    ...side,
    ...objectOf(frames, names),
    ...contextOf(frames, gap === undefined || gap === "end"),
    ...(noSleep < 0 ? {} : { noSleepFrame: noSleep }),
    ...(reclaim < 0 ? {} : { reclaimFrame: reclaim }),
    ...(caller < 0 ? {} : { caller }),
  };
}

/** Frames whose name is whole: where the others have offsets, one without was cut in its name. */
function wholeNames(trace: CallTrace): readonly StackFrame[] {
  const frames = framesOf(trace);
  return trace.form !== "arm" && frames.some((f) => f.offset !== undefined)
    ? frames.filter((f) => f.offset !== undefined || /^0x/.test(f.function))
    : frames;
}

const allocating = (name: string): boolean =>
  [reporters, pageAllocator, paths, slabEntries, skbData, skbHead].some(
    (rows) => has<unknown>(rows, name) !== undefined,
  );

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
  const caller = names.findIndex((n, i) => i > last && usable(i) && !/^T(\.\d+)?$/.test(n) && !/^0x[0-9a-f]+$/.test(n));
  // An interrupt's entry asks for no memory: who did is missing between it and the allocator.
  return entries.test(names[caller] ?? "") && last >= 0 ? -1 : caller;
}

/** Where an interrupt or a fault came in: what stands below was stopped by it and did nothing of what stands above (arch/arm/kernel/entry-armv.S). */
const entries = /^__(?:irq|dabt|pabt|und|fiq)_svc$/;

/** Where frames are missing: `start` between the allocator and the caller or above all of it, `inside`, `end` below; undefined: nowhere. */
function gapOf(
  trace: CallTrace | undefined,
  frames: readonly StackFrame[],
  names: readonly string[],
  caller: number,
  fault: boolean,
): "start" | "inside" | "end" | undefined {
  if (trace === undefined || frames.length === 0) return "start";
  const begins = trace.heading !== "" || names.some((n) => allocating(n)) || fault;
  if (!begins) return "start";
  const printed = framesOf(trace);
  const onlyLast = frames.length === printed.length - 1 && frames.at(-1)?.function === printed.at(-2)?.function;
  if (onlyLast && trace.torn !== true) return "end";
  if (trace.torn === true || frames.length < printed.length) return "inside";
  const arm = trace.items.filter((i) => i.kind === "frame");
  // ARM names the caller of a line again on the next one: where it does not, lines are missing.
  const breaks = (f: Frame, next: Frame | undefined): boolean =>
    f.from !== undefined &&
    next !== undefined &&
    next.function !== f.from.function &&
    // Behind an exception the stack of what it stopped begins anew.
    !/^__(irq|dabt|pabt|und|fiq)_/.test(f.from.function) &&
    !allocating(bareName(next.function));
  if (arm.some((f, i) => breaks(f, arm[i + 1]))) return "inside";
  const who = names[caller];
  if (who !== undefined && caller > 0 && allocating(names[caller - 1] ?? "") && isFrameIn(handingOnFrames, who))
    return "inside";
  return endsWhole(trace, names) ? undefined : "end";
}

/** A stack ends with entry or boot code; from 5.16 on the end of a task's stack is marked as well. */
function endsWhole(trace: CallTrace, names: readonly string[]): boolean {
  const last = trace.items.findLast((i) => i.kind !== "registers");
  if (last?.kind === "marker" && last.name === "/TASK") return true;
  return names.slice(-3).some((n) => isFrameIn(outermostFrames, n));
}

function partOf(
  frames: readonly StackFrame[],
  gap: "start" | "inside" | "end" | undefined,
  trace: CallTrace | undefined,
): StackView["trace"] {
  if (trace === undefined || frames.length === 0) return lost("the call trace");
  switch (gap) {
    case undefined:
      return whole(frames, `the call trace ends with ${frames.at(-1)?.function}`);
    case "start":
      return cut(frames, "the beginning of the call trace");
    case "inside":
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
 * Which side of the network this is: the innermost frame decides that tells one, whoever's it is: a function of the generic tables, of the
 * driver by hand, of any network module by the index. `from`: who asked; what lies below are allocators.
 */
function directionOf(
  frames: readonly StackFrame[],
  driver: DriverSeen | undefined,
  from: number,
  mayDeny: boolean,
): Side {
  if (frames.length === 0) return { direction: undefined };
  const guesses = !frames.some((f) => f.reliable);
  const told = frames.map((f, i) => (i >= from && (guesses || f.reliable) ? networkFrame(f) : undefined));
  const sides = [byTables(frames), byDriver(driver), byIndex(told), byReceiveBuffer(frames)].filter(
    (side) => side !== undefined,
  );
  let inner: (Side & { readonly directionFrame: number }) | undefined;
  for (const side of sides) if (inner === undefined || side.directionFrame < inner.directionFrame) inner = side;
  const made = inner?.direction === "setup" ? fillsRing(frames, inner.directionFrame) : undefined;
  if (made !== undefined) return made;
  if (inner !== undefined) return inner;
  const poll = firstSure(frames, pollers);
  if (poll >= 0) return { direction: "rx", directionFrame: poll };
  const asker = receiveAsker(frames);
  if (asker >= 0) return { direction: "rx", directionFrame: asker };
  // A driver that is probed by its bus, with no frame of its own that says so.
  const probing = firstIn(frames, probers);
  if (probing >= 0 && (driver !== undefined || told.some((f) => f !== undefined)))
    return { direction: "setup", directionFrame: probing };
  const network = driver !== undefined || told.some((f) => f !== undefined);
  return { direction: mayDeny && !network ? "neither" : undefined };
}

function byTables(frames: readonly StackFrame[]): (Side & { readonly directionFrame: number }) | undefined {
  const at = firstSure(frames, directions);
  const name = frames[at]?.function;
  return name === undefined ? undefined : { direction: has(directions, bareName(name)), directionFrame: at };
}

const byDriver = (driver: DriverSeen | undefined): (Side & { readonly directionFrame: number }) | undefined =>
  driver?.role === undefined ? undefined : { direction: directionOfRole(driver.role), directionFrame: driver.frame };

function byIndex(
  told: readonly (NetworkFrame | undefined)[],
): (Side & { readonly directionFrame: number }) | undefined {
  const at = told.findIndex((f) => f?.role !== undefined);
  const role = told[at]?.role;
  return role === undefined ? undefined : { direction: directionOfRole(role), directionFrame: at };
}

/** The function that asked for a buffer as only receivers do; -1 when none did. */
function receiveAsker(frames: readonly StackFrame[]): number {
  const buffer = firstIn(frames, receiveBuffers);
  return buffer < 0
    ? -1
    : frames.findIndex((f, i) => i > buffer && has(receiveBuffers, bareName(f.function)) === undefined);
}

/** An unknown driver's function that asked for a receive buffer and is called as those are that fill rings. */
function byReceiveBuffer(frames: readonly StackFrame[]): (Side & { readonly directionFrame: number }) | undefined {
  const asker = receiveAsker(frames);
  return asker >= 0 && refilling.test(frames[asker]?.function ?? "")
    ? { direction: "rx refill", directionFrame: asker }
    : undefined;
}

/** Buffers that are made while the interface is opened fill its ring. */
function fillsRing(frames: readonly StackFrame[], setup: number): Side | undefined {
  const asker = receiveAsker(frames);
  return asker >= 0 && asker <= setup && refilling.test(frames[asker]?.function ?? "")
    ? { direction: "rx refill", directionFrame: asker }
    : undefined;
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
    // kmem_cache_alloc below __alloc_skb is the struct, kmalloc its data.
    const below = names.slice(0, data);
    const struct = below.some((n) => /^(__)?kmem_cache_alloc/.test(n)) && !below.some((n) => /kmalloc/.test(n));
    return { object: struct ? "skb head" : "skb data", objectFrame: data };
  }
  if (head >= 0) return { object: "skb head", objectFrame: head };
  return { object: "other" };
}

function contextOf(
  frames: readonly StackFrame[],
  connected: boolean,
): { context: StackView["context"]; contextFrame?: number } {
  const first = (rows: readonly Row<true>[]): number => firstIn(frames, rows);
  const soft = first(softirqNames);
  if (soft >= 0) return { context: "softirq", contextFrame: soft };
  const hard = first(interruptNames);
  if (hard >= 0) return { context: "interrupt", contextFrame: hard };
  const inIrq = frames.findIndex((f) => f.context === "irq" || f.context === "nmi" || f.function === "__irq_svc");
  if (inIrq >= 0) return { context: "interrupt", contextFrame: inIrq };
  const task = connected ? first(taskNames) : -1;
  return task >= 0 ? { context: "process", contextFrame: task } : { context: "unknown" };
}
