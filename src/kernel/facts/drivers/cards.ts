// What the cards of model/drivers/cards do differently from release to release. Read in the trees of 6.1.192 and 6.12.117; where a change lies
// between them, its first release is from the project's history.
import type { Fact } from "../../release.ts";

/** ice and i40e: an XDP program may have a frame in several buffers; and a frame that gets no sk_buff is dropped, where it had stayed in the ring. */
export const intelSeveralBuffers: readonly Fact<boolean>[] = [
  { since: [3, 12], value: false, source: "ice_clean_rx_irq, i40e_clean_rx_irq, 6.1.192", read: "tree" },
  { since: [6, 3], value: true, source: "ice_clean_rx_irq, i40e_clean_rx_irq, 6.12.117 (i40e 6.4)", read: "history" },
];

/** i40e: buffers of 3 KiB at every MTU, where a standard frame had had half a page. */
export const i40eAlwaysLarge: readonly Fact<boolean>[] = [
  { since: [3, 12], value: false, source: "i40e_calculate_vsi_rx_buf_len, 6.1.192", read: "tree" },
  { since: [6, 4], value: true, source: "i40e_calculate_vsi_rx_buf_len, 6.12.117", read: "history" },
];

/** mlx5: a page of the striding queue is cut up for the pool, and packets are marked. */
export const mlx5CutsPages: readonly Fact<boolean>[] = [
  { since: [4, 18], value: false, source: "mlx5e_page_alloc_pool, mlx5e_rx_cache_get, en_rx.c 6.1.192", read: "tree" },
  { since: [6, 4], value: true, source: "mlx5e_page_alloc_fragmented, en_rx.c 6.12.117", read: "history" },
];

/** mt76: pieces come from a page_pool. */
export const mt76Pool: readonly Fact<boolean>[] = [
  { since: [4, 16], value: false, source: "mt76_dma_rx_fill, dma.c 6.1.192", read: "tree" },
  { since: [6, 3], value: true, source: "mt76_create_page_pool, mac80211.c 6.12.117", read: "history" },
];

/** r8152: the whole packet is a fragment, a poll ends with its budget, and a refused block is not printed. */
export const r8152WholePackets: readonly Fact<boolean>[] = [
  { since: [3, 10], value: false, source: "rx_bottom, alloc_rx_agg, r8152.c 6.1.192", read: "tree" },
  { since: [6, 12], value: true, source: "rx_bottom, alloc_rx_agg, r8152.c 6.12.117", read: "tree" },
];
