// The names of functions that a stack is read by: who reports, who allocates, who asks for packet memory, which side of the network a function
// stands on, in which context it runs. Each row is a name, or its beginning.
import type { MemoryKind } from "../kernel/facts/functions/roles.ts";

export type Direction = "rx refill" | "rx" | "tx" | "tx completion" | "setup" | "neither";

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

export type Row<T> = readonly [name: string, value: T, prefix?: true];

export const reporters: readonly Row<true>[] = [
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
];
/** Functions that print their own stack when nobody asked for memory (kernel/panic.c, arch/*). */
export const printers: readonly Row<true>[] = [
  ["panic", true],
  ["vpanic", true],
  ["nmi_panic", true],
  ["__warn", true],
  ["sysrq_handle_", true, true],
];
/** A check that any function may make of itself, and that reports a stack. */
export const sleepChecks: readonly Row<true>[] = [
  ["__might_sleep", true],
  ["__might_resched", true],
  ["___might_sleep", true],
  ["might_sleep", true, true],
];
export const pageAllocator: readonly Row<true>[] = [
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
export const paths: readonly Row<AllocatorPath>[] = [
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
  ["vzalloc", "vmalloc", true],
  ["module_alloc", "vmalloc"],
];
export const slabEntries: readonly Row<true>[] = [
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
  ["kvmalloc", true, true],
  ["kvzalloc", true, true],
  ["__kvmalloc", true, true],
  ["krealloc", true, true],
  ["kmemdup", true, true],
  ["kstrdup", true, true],
];
export const skbData: readonly Row<true>[] = [
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
/** Those that make a buffer out of a slab's object or a fragment of a cache in mm/. */
export const slabBuffers: readonly Row<true>[] = [
  ["__alloc_skb", true],
  ["__napi_alloc_skb", true],
  ["napi_alloc_skb", true],
  ["pskb_expand_head", true],
  ["skb_copy", true],
  ["__pskb_copy", true, true],
];
export const skbHead: readonly Row<true>[] = [
  ["skb_clone", true],
  ["build_skb", true, true],
  ["__build_skb", true, true],
  ["napi_build_skb", true],
  ["skb_morph", true],
];
// Innermost wins: an acknowledgement sent while receiving is transmit.
export const directions: readonly Row<Direction>[] = [
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
  // A page that a sender's data is copied into.
  ["sk_page_frag_refill", "tx"],
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
  // A message of netlink, no packet.
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
  ["sk_clone", "rx"],
  ["inet_csk_clone", "rx"],
  ["sk_clone_lock", "rx"],
  ["inet_csk_clone_lock", "rx"],
  ["tcp_create_openreq_child", "rx"],
  ["tcp_conn_request", "rx"],
];
/** Calls that make buffers for packets that come in, whoever the driver is. */
export const receiveBuffers: readonly Row<true>[] = [
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
/** Names of functions that run much that is not their own. */
export const polling = /poll|napi|clean|tasklet|intr|irq|callback|work|thread/i;
export const refilling = /fill|alloc_?rx|rx_?alloc|alloc_rx|rx_?buf|new_rx|rx_submit|post_rx|rx_post/;
export const pollers: readonly Row<true>[] = [
  ["net_rx_action", true],
  ["__napi_poll", true],
  ["napi_poll", true],
  ["napi_busy_loop", true],
  ["napi_threaded_poll", true],
];
/** A bus hands a device to its driver, or a module is loaded. */
export const probers: readonly Row<true>[] = [
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
export const softirqNames: readonly Row<true>[] = [
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
export const interruptNames: readonly Row<true>[] = [
  ["handle_irq_event", true, true],
  ["handle_IRQ_event", true],
  ["__handle_irq_event_percpu", true],
];
export const taskNames: readonly Row<true>[] = [
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
  ["worker_thread", true],
  ["process_one_work", true],
];

export const noSleepNames: readonly Row<true>[] = [
  ["dev_hard_start_xmit", true],
  ["sch_direct_xmit", true],
  ["__dev_queue_xmit", true],
  ["dev_queue_xmit", true],
  // They hold rcu_read_lock() or rcu_read_lock_bh() while they call on (net/ipv4/ip_output.c, net/ipv6/ip6_output.c).
  ["__ip_queue_xmit", true],
  ["ip_queue_xmit", true],
  ["ip_finish_output2", true],
  ["ip6_finish_output2", true],
  ["ip6_xmit", true],
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
export const reclaimNames: readonly Row<true>[] = [
  ["try_to_free_pages", true],
  ["do_try_to_free_pages", true],
  ["shrink_", true],
  ["balance_pgdat", true],
  ["kswapd", true],
  ["__perform_reclaim", true],
  ["try_to_compact_pages", true],
  ["compact_zone", true, true],
];

/** The value of the first row that fits a name. */
export const has = <T>(rows: readonly Row<T>[], name: string): T | undefined =>
  rows.find(([n, , prefix]) => (prefix === true ? name.startsWith(n) : name === n))?.[1];

/**
 * Frames under which nothing but their own side is asked for, whatever else stands between: what builds a packet to send, what makes room in
 * one that is handled. Other frames of `directions` run much that is not theirs: a poll refills, receives, acknowledges and frees.
 */
export const closedFrames: readonly Row<true>[] = [
  ["sk_page_frag_refill", true],
  ["sk_stream_alloc_skb", true],
  ["tcp_stream_alloc_skb", true],
  ["tcp_fragment", true],
  ["tcp_make_synack", true],
  ["tcp_send_", true, true],
  ["__tcp_send_ack", true, true],
  ["tcp_write_xmit", true],
  ["__tcp_push_pending_frames", true],
  ["__tcp_transmit_skb", true],
  ["tcp_transmit_skb", true],
  ["tcp_retransmit_skb", true],
  ["__tcp_retransmit_skb", true],
  ["tcp_xmit_probe_skb", true],
  ["sock_alloc_send", true, true],
  ["__ip_append_data", true],
  ["ip_append_data", true],
  ["__ip6_append_data", true],
  ["ip_fragment", true, true],
  ["ip_queue_xmit", true],
  ["validate_xmit_skb", true, true],
  ["__skb_gso_segment", true],
  ["skb_segment", true, true],
  ["dev_hard_start_xmit", true, true],
  ["sch_direct_xmit", true],
  ["__dev_xmit_skb", true],
  ["dev_queue_xmit", true],
  ["__dev_queue_xmit", true],
  ["netlink_alloc_large_skb", true],
  ["tcp_clean_rtx_queue", true],
  ["skb_gro_receive", true],
  ["sk_clone", true],
  ["sk_clone_lock", true],
  ["inet_csk_clone", true],
  ["inet_csk_clone_lock", true],
  ["tcp_create_openreq_child", true],
];

/** What the allocators' outermost function asks for, in the words of the index of functions. */
export const memoryNames: readonly Row<readonly MemoryKind[]>[] = [
  ["__netdev_alloc_skb", ["rxSkb"], true],
  ["netdev_alloc_skb", ["rxSkb"], true],
  ["__napi_alloc_skb", ["rxSkb"], true],
  ["napi_alloc_skb", ["rxSkb"], true],
  ["dev_alloc_skb", ["rxSkb"]],
  ["__dev_alloc_skb", ["rxSkb"]],
  ["__alloc_skb", ["skb", "rxSkb"], true],
  ["alloc_skb", ["skb", "rxSkb"], true],
  ["build_skb", ["skb"], true],
  ["__alloc_pages", ["pages"], true],
  ["alloc_pages", ["pages"], true],
  ["__get_free_page", ["pages"], true],
  ["kmalloc", ["slab"], true],
  ["__kmalloc", ["slab"], true],
  ["kmem_cache_alloc", ["slab"], true],
  ["dma_", ["dma"], true],
  ["__dma_", ["dma"], true],
  ["pci_alloc_consistent", ["dma"]],
  ["vmalloc", ["vmalloc"], true],
  ["__vmalloc", ["vmalloc"], true],
  ["vzalloc", ["vmalloc"], true],
  ["__netdev_alloc_frag", ["frag"], true],
  ["netdev_alloc_frag", ["frag"]],
  ["__napi_alloc_frag", ["frag"], true],
  ["napi_alloc_frag", ["frag"], true],
];

/** Functions that only the allocators and the reporters themselves call: who asked stands further out. */
export const innerFrames: readonly Row<true>[] = [
  ...reporters,
  ["__alloc_pages_slowpath", true, true],
  ["__alloc_pages_may_oom", true, true],
  ["__alloc_pages_direct", true, true],
  ["get_page_from_freelist", true],
  ["__perform_reclaim", true],
  ["try_to_free_pages", true],
  ["new_slab", true, true],
  ["allocate_slab", true],
  ["alloc_slab_page", true],
  ["___slab_alloc", true],
  ["__slab_alloc", true],
  ["kmem_getpages", true],
  ["cache_grow", true, true],
  ["cache_alloc_refill", true],
  ["fallback_alloc", true],
  ["____cache_alloc", true, true],
  ["refill_objects", true, true],
  ["kmalloc_reserve", true, true],
  ["__kmalloc_reserve", true, true],
  ["___kmalloc_large", true, true],
  ["__page_frag_cache_refill", true],
  ["__page_frag_refill", true],
  ["__alloc_page_frag", true],
];

/** Functions with the release that they came with, for those that tell how old a kernel is at least. */
export const bornFrames: readonly Row<readonly number[]>[] = [
  ["__napi_poll", [5, 10]],
  ["handle_softirqs", [5, 10]],
  ["dump_stack_lvl", [5, 10]],
  ["page_frag_alloc_align", [5, 10], true],
  ["__page_frag_alloc_align", [5, 10], true],
  ["asm_common_interrupt", [5, 10]],
  ["asm_sysvec_", [5, 10], true],
  ["__alloc_frozen_pages", [5, 10], true],
  // Receive rings by pages and copies by napi_alloc_skb() came together; the rings that are filled by it are in the index.
  ["napi_alloc_skb", [5, 10], true],
  ["__napi_alloc_skb", [5, 10], true],
  ["page_frag_alloc", [4, 10]],
  ["netdev_alloc_frag", [3, 5]],
  ["__netdev_alloc_frag", [3, 5], true],
];
