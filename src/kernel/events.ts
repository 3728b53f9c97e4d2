// The names of everything the model announces: the kernel's own tracepoint names and fields where one exists, plain nouns elsewhere.
// An event is (kind, simulated time, cpu, up to six numbers); the fields name those numbers in order.

export interface EventShape {
  readonly name: string;
  readonly fields: readonly string[];
}

/** All events; an event's kind is its index here. Append only: journals store the index together with this table. */
export const eventShapes = [
  { name: "mm_page_alloc", fields: ["pfn", "order", "gfp_flags", "migratetype"] },
  { name: "mm_page_free", fields: ["pfn", "order"] },
  { name: "mm_page_alloc_zone_locked", fields: ["pfn", "order", "migratetype", "percpu_refill"] },
  { name: "mm_page_pcpu_drain", fields: ["pfn", "order", "migratetype"] },
  {
    name: "mm_page_alloc_extfrag",
    fields: ["pfn", "alloc_order", "fallback_order", "alloc_migratetype", "fallback_migratetype", "change_ownership"],
  },
  { name: "page_allocation_failure", fields: ["order", "gfp_flags", "zone", "incident"] },
  { name: "bad_page", fields: ["pfn", "flags", "reason"] },
  { name: "kmalloc", fields: ["ptr", "bytes_req", "bytes_alloc", "gfp_flags", "call_site"] },
  { name: "kfree", fields: ["ptr", "call_site"] },
  { name: "kmem_cache_alloc", fields: ["ptr", "cache", "gfp_flags", "call_site"] },
  { name: "kmem_cache_free", fields: ["ptr", "cache", "call_site"] },
  { name: "consume_skb", fields: ["skb", "call_site"] },
  { name: "kfree_skb", fields: ["skb", "reason", "call_site"] },
  { name: "page_pool_state_hold", fields: ["pool", "pfn", "hold"] },
  { name: "page_pool_state_release", fields: ["pool", "pfn", "release"] },
  { name: "page_pool_release", fields: ["pool", "inflight", "hold", "release"] },
  { name: "net_dev_queue", fields: ["skb", "len", "dev"] },
  { name: "net_dev_xmit", fields: ["skb", "len", "rc", "dev"] },
  { name: "netif_receive_skb", fields: ["skb", "len", "dev"] },
  { name: "napi_poll", fields: ["napi", "work", "budget"] },
  { name: "mm_vmscan_kswapd_wake", fields: ["nid", "order"] },
  { name: "mm_vmscan_direct_reclaim_end", fields: ["nr_reclaimed", "order"] },
  { name: "mm_compaction_end", fields: ["order", "status", "migrated"] },
  { name: "not_modelled", fields: ["hole"] },
  { name: "warning", fields: ["text", "a", "b"] },
  { name: "oops", fields: ["text", "a", "b"] },
  { name: "page_migrated", fields: ["from", "to"] },
  { name: "allocation_refused", fields: ["call_site", "cache", "gfp_flags"] },
  { name: "tcp_retransmit_skb", fields: ["skb", "seq", "segments"] },
] as const satisfies readonly EventShape[];

export type EventName = (typeof eventShapes)[number]["name"];

/** name → kind */
export const eventKind: Readonly<Record<EventName, number>> = Object.fromEntries(
  eventShapes.map((shape, kind) => [shape.name, kind]),
) as Record<EventName, number>;
