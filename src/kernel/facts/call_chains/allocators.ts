// What stands on a stack between the printer of a failure report and whoever asked for memory: the page allocator, slabs, fragments, skbs.
// Only functions that the compilers of their time left standing: a static function that is always inlined is on no trace. Innermost first.
import type { Architecture, Fact } from "../../release.ts";

/** "a < b": a was called by b. */
export type Chain = readonly Fact<string>[];

/** dump_stack() and what prints the report; x86, where the stack unwinder shows them. */
export const x86Reporters: Chain = [
  { since: [2, 6], value: "", source: "a tg3 report of 2.6.24, virtio_net of 2.6.34" },
  { since: [3, 0], value: "warn_alloc_failed", source: "mm/page_alloc.c 3.0; a report of 3.8" },
  { since: [3, 10], value: "dump_stack < warn_alloc_failed", source: "reports of 3.10 and 4.4" },
  { since: [4, 9], value: "dump_stack < warn_alloc", source: "mm/page_alloc.c 4.9" },
  {
    since: [5, 14],
    value: "dump_stack_lvl < dump_stack < warn_alloc",
    source: "lib/dump_stack.c 5.15; reports of 5.13.14, without, and of 6.1.192",
  },
];
export const reportersOf: Partial<Record<Architecture, Chain>> = {
  ppc32: [
    { since: [2, 6], value: "show_stack", source: "a report of a 405EX, 2.6.29" },
    { since: [3, 0], value: "show_stack < dump_stack < warn_alloc_failed", source: "mm/page_alloc.c 3.0" },
    { since: [4, 9], value: "dump_stack < warn_alloc", source: "mm/page_alloc.c 4.9" },
    { since: [5, 14], value: "dump_stack_lvl < warn_alloc", source: "lib/dump_stack.c 5.15" },
  ],
  arm: [
    { since: [2, 6], value: "dump_backtrace < dump_stack", source: "a report of a CNS3xxx board, 2.6.31" },
    { since: [3, 0], value: "unwind_backtrace < warn_alloc_failed", source: "a report of a Raspberry Pi, 3.2" },
    { since: [3, 12], value: "unwind_backtrace < show_stack < warn_alloc_failed", source: "a report of 4.3" },
    { since: [4, 9], value: "unwind_backtrace < show_stack < dump_stack < warn_alloc", source: "a report of 5.4" },
    {
      since: [5, 14],
      value: "unwind_backtrace < show_stack < dump_stack_lvl < warn_alloc",
      source: "lib/dump_stack.c 5.15",
    },
  ],
  arm64: [
    { since: [3, 7], value: "dump_backtrace < show_stack < dump_stack < warn_alloc_failed", source: "arch/arm64 3.10" },
    { since: [4, 9], value: "dump_backtrace < show_stack < dump_stack < warn_alloc", source: "mm/page_alloc.c 4.9" },
    {
      since: [5, 14],
      value: "dump_backtrace < show_stack < dump_stack_lvl < dump_stack < warn_alloc",
      source: "lib/dump_stack.c 5.15",
    },
  ],
  mips: [
    { since: [2, 6], value: "dump_stack", source: "arch/mips/kernel/traps.c 2.6.24" },
    { since: [3, 0], value: "show_stack < dump_stack < warn_alloc_failed", source: "mm/page_alloc.c 3.0" },
    { since: [4, 9], value: "show_stack < dump_stack < warn_alloc", source: "a report of an MT7621, 4.14" },
  ],
};

export const pageAllocator: Chain = [
  { since: [2, 6], value: "__alloc_pages", source: "mm/page_alloc.c 2.6.24" },
  { since: [2, 6, 27], value: "__alloc_pages_internal", source: "mm/page_alloc.c 2.6.29" },
  { since: [2, 6, 31], value: "__alloc_pages_nodemask", source: "reports of 2.6.34, 3.2, 4.4" },
  { since: [4, 9], value: "__alloc_pages_slowpath < __alloc_pages_nodemask", source: "mm/page_alloc.c 4.9" },
  {
    since: [5, 13],
    value: "__alloc_pages_slowpath.constprop.0 < __alloc_pages",
    source: "mm/page_alloc.c 5.13; a report of 6.1.192",
  },
  {
    since: [6, 10],
    value: "__alloc_pages_slowpath.constprop.0 < __alloc_pages_noprof",
    source: "mm/page_alloc.c 6.10; syzbot reports of 6.10",
  },
  {
    since: [6, 14],
    value: "__alloc_pages_slowpath.constprop.0 < __alloc_frozen_pages_noprof",
    source: "mm/mempolicy.c 6.14; a report of 7.2",
  },
];

/** Where memory has a policy (NUMA), who asks without naming a node comes through here; x86_64 as distributions build it. */
export const policy: Chain = [
  { since: [2, 6], value: "", source: "a tg3 report of 2.6.24" },
  { since: [2, 6, 31], value: "alloc_pages_current", source: "reports of 2.6.34, 3.8 and 4.5" },
  { since: [5, 13], value: "", source: "mm/mempolicy.c 5.13: alloc_pages() itself; a report of 6.1.192" },
  { since: [6, 7], value: "alloc_pages_mpol", source: "mm/mempolicy.c 6.7" },
  { since: [6, 10], value: "alloc_pages_mpol_noprof < alloc_pages_noprof", source: "syzbot reports of 6.10" },
  { since: [6, 14], value: "alloc_pages_mpol < alloc_pages_noprof", source: "mm/mempolicy.c 6.14; a report of 7.2" },
];

/** The functions of the model that pass a failure on, and what stands for each of them on the stacks of a release. */
export const passed: Readonly<Record<string, Chain>> = {
  new_slab: [
    { since: [2, 6, 22], value: "new_slab < __slab_alloc", source: "a tg3 report of 2.6.24" },
    { since: [4, 4], value: "new_slab < ___slab_alloc < __slab_alloc", source: "mm/slub.c 4.4; a report of 4.5" },
    { since: [5, 18], value: "allocate_slab < ___slab_alloc", source: "a report of 6.1.192" },
  ],
  cache_grow: [
    {
      since: [2, 6],
      value: "__get_free_pages < kmem_getpages < cache_grow < cache_alloc_refill",
      source: "e1000 reports of 2.6.10",
    },
    { since: [2, 6, 18], value: "cache_grow < cache_alloc_refill", source: "an e1000 report of 2.6.18" },
    { since: [2, 6, 24], value: "kmem_getpages < cache_grow < cache_alloc_refill", source: "mm/slab.c 2.6.24" },
    {
      since: [4, 8],
      value: "kmem_getpages < cache_grow_begin < cache_alloc_refill",
      source: "mm/slab.c 4.8",
    },
  ],
  // Without NUMA, kmalloc() asks for pages itself.
  "kmalloc_large without nodes": [
    { since: [2, 6, 22], value: "__get_free_pages", source: "include/linux/slub_def.h 2.6.24 and 2.6.29" },
    { since: [3, 15], value: "kmalloc_order", source: "mm/slab_common.c 4.19" },
    { since: [5, 19], value: "__kmalloc_large_node", source: "mm/slab_common.c 6.1, mm/slub.c 6.10" },
    {
      since: [6, 11],
      value: "___kmalloc_large_node < __kmalloc_large_node_noprof",
      source: "mm/slub.c 6.13 and 6.14: not in 6.10",
    },
  ],
  kmalloc_large: [
    { since: [2, 6, 22], value: "__get_free_pages", source: "include/linux/slub_def.h 2.6.24" },
    { since: [2, 6, 28], value: "kmalloc_large_node", source: "mm/slub.c 2.6.29 and 4.19" },
    { since: [5, 19], value: "__kmalloc_large_node", source: "mm/slab_common.c 6.1, mm/slub.c 6.10" },
    {
      since: [6, 11],
      value: "___kmalloc_large_node < __kmalloc_large_node_noprof",
      source: "mm/slub.c 6.13 and 6.14: not in 6.10",
    },
  ],
  kmalloc: [
    { since: [2, 6], value: "__kmalloc", source: "mm/slab.c 2.6.9, mm/slub.c 4.19" },
    { since: [6, 1], value: "__kmem_cache_alloc_node < __kmalloc", source: "mm/slab_common.c 6.1 and 6.7" },
    { since: [6, 8], value: "__kmalloc", source: "mm/slub.c 6.8" },
    { since: [6, 10], value: "__kmalloc_noprof", source: "mm/slub.c 6.10" },
  ],
  // kmalloc() on behalf of the caller of the caller: what heads of packets are made with.
  "kmalloc for an skb": [
    { since: [2, 6], value: "__kmalloc", source: "e1000 reports of 2.6.10" },
    { since: [2, 6, 22], value: "__kmalloc_track_caller", source: "net/core/skbuff.c 2.6.24" },
    { since: [3, 6], value: "__kmalloc_track_caller < __kmalloc_reserve", source: "net/core/skbuff.c 3.13" },
    { since: [5, 14], value: "__kmalloc_track_caller < kmalloc_reserve", source: "net/core/skbuff.c 6.1" },
    {
      since: [6, 1],
      value: "__kmem_cache_alloc_node < __kmalloc_node_track_caller < kmalloc_reserve",
      source: "mm/slab_common.c and net/core/skbuff.c 6.1",
    },
    { since: [6, 8], value: "__kmalloc_node_track_caller < kmalloc_reserve", source: "mm/slub.c 6.8" },
    { since: [6, 10], value: "kmalloc_node_track_caller_noprof < kmalloc_reserve", source: "mm/slub.c 6.10" },
    {
      since: [6, 11],
      value: "__kmalloc_node_track_caller_noprof < kmalloc_reserve",
      source: "mm/slub.c 6.13 and 6.14: not in 6.10",
    },
  ],
  kmem_cache_alloc: [
    { since: [2, 6], value: "kmem_cache_alloc", source: "mm/slab.c 2.6.9, mm/slub.c 6.1" },
    { since: [6, 10], value: "kmem_cache_alloc_noprof", source: "mm/slub.c 6.10" },
  ],
  "kmem_cache_alloc for an skb": [
    { since: [2, 6], value: "kmem_cache_alloc", source: "net/core/skbuff.c 2.6.9" },
    { since: [2, 6, 22], value: "kmem_cache_alloc_node", source: "net/core/skbuff.c 2.6.24 and 6.1" },
    { since: [6, 10], value: "kmem_cache_alloc_node_noprof", source: "mm/slub.c 6.10" },
  ],
  kmem_cache_alloc_bulk: [{ since: [4, 3], value: "kmem_cache_alloc_bulk", source: "mm/slub.c 6.1" }],
  page_frag_alloc: [
    { since: [3, 5], value: "__netdev_alloc_frag", source: "a report of 3.10" },
    { since: [4, 0], value: "__alloc_page_frag", source: "a report of 4.3" },
    { since: [4, 10], value: "page_frag_alloc", source: "a report of 4.14" },
    { since: [5, 13], value: "page_frag_alloc_align", source: "mm/page_alloc.c 5.13 and 6.1" },
    { since: [6, 9], value: "__page_frag_alloc_align", source: "mm/page_alloc.c; first release from history" },
  ],
  netdev_alloc_frag: [
    { since: [3, 5], value: "", source: "net/core/skbuff.c 3.10: the same function as above" },
    { since: [4, 0], value: "netdev_alloc_frag", source: "net/core/skbuff.c 4.19" },
    { since: [5, 13], value: "__netdev_alloc_frag_align", source: "net/core/skbuff.c 6.1" },
  ],
  __alloc_skb: [
    { since: [2, 6], value: "alloc_skb", source: "e1000 reports of 2.6.10" },
    { since: [2, 6, 14], value: "__alloc_skb", source: "net/core/skbuff.c 2.6.18" },
  ],
  __netdev_alloc_skb: [
    { since: [2, 6], value: "", source: "drivers call alloc_skb() in 2.6.10" },
    { since: [2, 6, 18], value: "__netdev_alloc_skb", source: "an e1000 report of 2.6.18; 6.1" },
  ],
  __napi_alloc_skb: [
    { since: [2, 6], value: "", source: "drivers call alloc_skb() in 2.6.10" },
    { since: [2, 6, 18], value: "__netdev_alloc_skb", source: "net/core/skbuff.c 3.13" },
    { since: [3, 19], value: "__napi_alloc_skb", source: "net/core/skbuff.c 4.19 and 6.1" },
    { since: [6, 10], value: "napi_alloc_skb", source: "net/core/skbuff.c 6.10" },
  ],
  build_skb: [
    { since: [3, 2], value: "build_skb", source: "net/core/skbuff.c 3.13" },
    { since: [4, 0], value: "__build_skb < build_skb", source: "net/core/skbuff.c 4.19 and 6.1" },
  ],
  napi_build_skb: [
    { since: [3, 2], value: "build_skb", source: "net/core/skbuff.c 3.13" },
    { since: [4, 0], value: "__build_skb < build_skb", source: "net/core/skbuff.c 4.19" },
    { since: [5, 12], value: "napi_skb_cache_get < napi_build_skb", source: "net/core/skbuff.c 6.1" },
  ],
  vzalloc: [
    { since: [2, 6], value: "__vmalloc", source: "mm/vmalloc.c 2.6.24" },
    { since: [2, 6, 37], value: "__vmalloc_node_range < vzalloc", source: "mm/vmalloc.c 6.1" },
  ],
  dma_alloc_coherent: [
    { since: [2, 6], value: "dma_alloc_coherent", source: "arch/x86/kernel/pci-dma_64.c 2.6.24" },
    { since: [2, 6, 27], value: "dma_generic_alloc_coherent", source: "arch/x86/kernel/pci-dma.c 2.6.29 and 3.8" },
    {
      since: [4, 17],
      value: "dma_direct_alloc",
      source: "kernel/dma/direct.c 4.19: dma_generic_alloc_coherent() is gone; first release from history",
    },
    {
      since: [4, 21],
      value: "__dma_direct_alloc_pages < dma_direct_alloc < dma_alloc_attrs",
      source: "kernel/dma 5.0 and 6.1",
    },
  ],
  sk_stream_alloc_skb: [
    { since: [2, 6], value: "tcp_sendmsg", source: "net/ipv4/tcp.c 2.6.18: inlined" },
    { since: [2, 6, 25], value: "sk_stream_alloc_skb < tcp_sendmsg", source: "net/ipv4/tcp.c 2.6.29" },
    { since: [4, 14], value: "sk_stream_alloc_skb < tcp_sendmsg_locked < tcp_sendmsg", source: "net/ipv4/tcp.c 4.14" },
    { since: [5, 16], value: "tcp_stream_alloc_skb < tcp_sendmsg_locked < tcp_sendmsg", source: "net/ipv4/tcp.c 6.1" },
  ],
  sk_page_frag_refill: [
    { since: [2, 6], value: "tcp_sendmsg", source: "net/ipv4/tcp.c 2.6.24: alloc_pages()" },
    { since: [3, 7], value: "sk_page_frag_refill < tcp_sendmsg", source: "net/core/sock.c 3.10; commit 5640f7685831" },
    {
      since: [3, 13],
      value: "skb_page_frag_refill < sk_page_frag_refill < tcp_sendmsg",
      source: "net/core/sock.c 3.13",
    },
    {
      since: [4, 14],
      value: "skb_page_frag_refill < sk_page_frag_refill < tcp_sendmsg_locked < tcp_sendmsg",
      source: "net/ipv4/tcp.c 4.14, net/core/sock.c 4.19 and 6.1",
    },
  ],
  tcp_transmit_skb: [
    { since: [2, 6], value: "tcp_transmit_skb < tcp_write_xmit", source: "net/ipv4/tcp_output.c 2.6.24" },
    {
      since: [4, 18],
      value: "__tcp_transmit_skb < tcp_write_xmit",
      source: "net/ipv4/tcp_output.c 4.19 and 6.1; first release from history",
    },
  ],
  skb_segment: [
    {
      since: [2, 6, 18],
      value: "skb_segment < tcp_tso_segment < inet_gso_segment < skb_gso_segment < dev_hard_start_xmit",
      source: "net/core/dev.c 2.6.24",
    },
    {
      since: [3, 10],
      value:
        "skb_segment < tcp_tso_segment < inet_gso_segment < skb_mac_gso_segment < __skb_gso_segment < dev_hard_start_xmit",
      source: "net/core/dev.c and net/ipv4/tcp.c 3.10",
    },
    {
      since: [3, 11],
      value:
        "skb_segment < tcp_gso_segment < inet_gso_segment < skb_mac_gso_segment < __skb_gso_segment < dev_hard_start_xmit",
      source: "net/ipv4/tcp_offload.c 3.13; first release from history",
    },
    {
      since: [3, 18],
      value:
        "skb_segment < tcp_gso_segment < tcp4_gso_segment < inet_gso_segment < skb_mac_gso_segment < __skb_gso_segment < validate_xmit_skb < __dev_queue_xmit",
      source: "net/core/dev.c 4.19 and 6.1",
    },
  ],
};
