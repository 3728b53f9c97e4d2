// What the cards of model/drivers/cards do differently from release to release. Read in the trees of 5.10.223, 6.1.192, 6.12.117, 7.2.12 and
// 7.3.4; where a change lies between two of them, its first release is from the project's history (`read: "history"`).
import type { Fact } from "../../release.ts";

const until = (since: readonly number[], source: string): Fact<boolean> => ({
  since,
  value: false,
  source,
  read: "tree",
});
const from = (since: readonly number[], source: string, read: "tree" | "history" = "history"): Fact<boolean> => ({
  since,
  value: true,
  source,
  read,
});

export const cardFacts = {
  /** ice and i40e: an XDP program may have a frame in several buffers; and a frame that gets no sk_buff is dropped, where it had stayed in the ring. */
  intelSeveralBuffers: [
    until([3, 12], "ice_clean_rx_irq, i40e_clean_rx_irq, 5.10.223 and 6.1.192"),
    from([6, 3], "ice_clean_rx_irq, i40e_clean_rx_irq, 6.12.117 (i40e 6.4)"),
  ],
  /** i40e: buffers of 3 KiB at every MTU, where a standard frame had had half a page. */
  i40eAlwaysLarge: [
    until([3, 12], "i40e_vsi_configure_rx, 5.10.223; i40e_calculate_vsi_rx_buf_len, 6.1.192"),
    from([6, 4], "i40e_calculate_vsi_rx_buf_len, 6.12.117, 7.2.12 and 7.3.4"),
  ],
  /** ice: buffers of a page_pool by way of libeth, headers apart on demand; until then halves of pages. */
  iceLibeth: [
    until([4, 17], "ice_alloc_mapped_page, ice_txrx.c 5.10.223, 6.1.192, 6.12.117"),
    from([6, 19], "ice_rxq_pp_create, ice_base.c 7.2.12 and 7.3.4"),
  ],
  /** ena: a page goes on in use until 2 KiB of it are left, packets are built round it; until then a page a frame, as a fragment. */
  enaReusesPages: [
    until([4, 9], "ena_alloc_rx_page, ena_rx_skb, ena_netdev.c 5.10.223"),
    from([6, 1], "ena_try_rx_buf_page_reuse, ena_netdev.c 6.1.192 (a later addition to that branch), 6.12.117"),
  ],
  /**
   * virtio_net: buffers of a page_pool (not with mode big), and without memory the poll runs again; until then a page of its own and a worker that
   * refills. The worker went somewhere between 6.12 and 7.2, told here with the pool.
   */
  virtioPool: [
    until([2, 6, 24], "virtnet_rq_alloc, refill_work, virtio_net.c 6.12.117; add_recvbuf_mergeable, 6.1.192"),
    from([7, 1], "virtnet_create_page_pools, virtnet_receive, virtio_net.c 7.2.12 and 7.3.4"),
  ],
  /** gve: addresses of the driver's choice beside queue page lists, frames in several buffers, and the DQO format. */
  gveRaw: [
    until([5, 3], "gve_rx, gve_rx.c 5.10.223"),
    from([5, 14], "gve_rx_raw_addressing, gve_rx.c, and gve_rx_dqo.c 6.1.192"),
  ],
  /** gve: what finds no free half of a registered page is copied into pages kept for that; until then into one linear packet. */
  gveCopyPool: [
    until([5, 3], "gve_rx_copy, 5.10.223 and 6.1.192"),
    from([6, 2], "gve_rx_copy_to_pool, gve_rx.c 6.12.117"),
  ],
  /** gve, DQO: a GSO packet in more pieces than the card takes is cut by the stack; until then the driver copied it into one head of up to 64 KiB. */
  gveCutsBefore: [
    until([5, 3], "gve_try_tx_skb, gve_tx_dqo.c 6.1.192"),
    from([6, 7], "gve_features_check_dqo, gve_tx_dqo.c 6.12.117, 7.2.12 and 7.3.4; posted in November 2023"),
  ],
  /** gve: rules of flow steering. */
  gveSteers: [
    until([5, 3], "gve_set_rxnfc, gve_ethtool.c: not there in 5.10.223 and 6.1.192"),
    from([6, 11], "gve_set_rxnfc, gve_ethtool.c, gve_flow_rule.c 6.12.117, 7.2.12 and 7.3.4"),
  ],
  /** gve, DQO: page lists too. */
  gveListedDqo: [
    until([5, 3], "gve_alloc_page_dqo, gve_rx_dqo.c 6.1.192"),
    from([6, 6], "gve_alloc_page_dqo, gve_rx_dqo.c 6.12.117"),
  ],
  /** gve, DQO: headers into buffers of their own on demand (`ethtool -G tcp-data-split`). */
  gveHeaderSplit: [
    until([5, 3], "gve_rx_dqo, gve_rx_dqo.c 6.1.192"),
    from([6, 9], "gve_rx_alloc_hdr_bufs, gve_rx_dqo.c 6.12.117"),
  ],
  /** gve, DQO: buffers of a page_pool where no page list is; until then pages of the driver, looked at before they are used again. */
  gvePool: [
    until([5, 3], "gve_alloc_page_dqo, gve_rx_dqo.c 6.1.192, 6.12.117"),
    from([6, 13], "gve_alloc_from_page_pool, gve_buffer_mgmt_dqo.c 7.2.12 and 7.3.4"),
  ],
  /** mlx5: a page of the striding queue is cut up for the pool, and packets are marked; pages of a used WQE go home as it is posted anew. */
  mlx5CutsPages: [
    until([4, 18], "mlx5e_page_alloc_pool, mlx5e_rx_cache_get, en_rx.c 5.10.223 and 6.1.192"),
    from([6, 4], "mlx5e_page_alloc_fragmented, mlx5e_post_rx_mpwqes, en_rx.c 6.12.117"),
  ],
  /** mlx5: without memory for a WQE the other used ones are given up and it is tried once more; of a long frame the headers are copied, no more. */
  mlx5Reclaims: [
    until([4, 18], "mlx5e_post_rx_mpwqes, mlx5e_skb_from_cqe_mpwrq_nonlinear, en_rx.c 6.1.192, 6.12.117"),
    from([6, 18], "mlx5e_reclaim_mpwqe_pages, en_rx.c 7.2.12 and 7.3.4"),
  ],
  /** mt76: pieces come from a page_pool. */
  mt76Pool: [
    until([4, 16], "mt76_dma_rx_fill, dma.c 5.10.223 and 6.1.192"),
    from([6, 3], "mt76_create_page_pool, mac80211.c 6.12.117, 7.2.12 and 7.3.4"),
  ],
  /** r8152: the whole packet is a fragment, a poll ends with its budget, and a refused block is not printed. */
  r8152WholePackets: [
    until([3, 10], "rx_bottom, alloc_rx_agg, r8152.c 5.10.223 and 6.1.192"),
    from([6, 12], "rx_bottom, alloc_rx_agg, r8152.c 6.12.117, 7.2.12 and 7.3.4", "tree"),
  ],
} as const satisfies Record<string, readonly Fact<boolean>[]>;
