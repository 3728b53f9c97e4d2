// What the cards of model/drivers/cards do differently from release to release. Read in the trees of 5.10.223, 6.1.192, 6.12.117, 7.2.12 and
// 7.3.4, and for the dates of changes in those of 5.11, 5.14.2, 5.17, 6.2, 6.4, 6.5 (r8152 and virtio_net only), 6.6.9, 6.7.3, 6.8, 6.10, 6.13.2,
// 6.14 and 6.19. `read: "tree"`: no release lies between the last tree without and the first with it. Else the source says between which two the
// change lies, and the first release is the one that history tells, or the earliest that it can be.
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
    from([6, 3], "ice_add_xdp_frag, i40e_add_xdp_frag: not in 6.2, in 6.4 (i40e 6.4 by history)"),
  ],
  /** i40e: buffers of 3 KiB at every MTU, where a standard frame had had half a page. */
  i40eAlwaysLarge: [
    until([3, 12], "i40e_vsi_configure_rx, 5.10.223; i40e_calculate_vsi_rx_buf_len, 6.1.192"),
    from([6, 4], "i40e_calculate_vsi_rx_buf_len, 6.12.117, 7.2.12 and 7.3.4: not so in 6.2, so in 6.4"),
  ],
  /** ice: buffers of a page_pool by way of libeth, headers apart on demand; until then halves of pages. */
  iceLibeth: [
    until([4, 17], "ice_alloc_mapped_page, ice_txrx.c 5.10.223, 6.1.192, 6.12.117"),
    from([6, 19], "ice_rxq_pp_create, ice_base.c 7.2.12 and 7.3.4: not in 6.14, in 6.19"),
  ],
  /** ena: a page goes on in use until 2 KiB of it are left, packets are built round it; until then a page a frame, as a fragment. */
  enaReusesPages: [
    until([4, 9], "ena_alloc_rx_page, ena_rx_skb, ena_netdev.c 5.10.223"),
    {
      since: [6, 5],
      // It came to that branch later, nobody here knows with which point release: all of it is taken as 6.1.192 is.
      stable: { "6.1": 0 },
      value: true,
      source: "ena_try_rx_buf_page_reuse, ena_netdev.c 6.1.192, 6.12.117: not in 6.2 and 6.4, in 6.6.9",
      read: "history",
    },
  ],
  /** virtio_net: buffers of a page_pool (not with mode big); until then of a page of its own. */
  virtioPool: [
    until([2, 6, 24], "virtnet_rq_alloc, virtio_net.c 6.12.117; add_recvbuf_mergeable, 6.1.192"),
    from([7, 1], "virtnet_create_page_pools, virtio_net.c 7.2.12 and 7.3.4: not in 6.19"),
  ],
  /** virtio_net: without memory the poll runs again; until then a worker refills. */
  virtioPollsOn: [
    until([2, 6, 24], "refill_work, virtio_net.c 6.1.192 and 6.12.117"),
    from([6, 19], "virtnet_receive, virtio_net.c 7.2.12 and 7.3.4: refill_work is in 6.14, not in 6.19"),
  ],
  /** gve: addresses of the driver's choice beside queue page lists, frames in several buffers, and the DQO format. */
  gveRaw: [
    until([5, 3], "gve_rx, gve_rx.c 5.10.223"),
    from(
      [5, 14],
      "gve_rx_raw_addressing, gve_rx.c, and gve_rx_dqo.c 6.1.192: the first is in 5.11, the other is not, both are in 5.14.2",
    ),
  ],
  /** gve: what finds no free half of a registered page is copied into pages kept for that; until then into one linear packet. */
  gveCopyPool: [
    until([5, 3], "gve_rx_copy, 5.10.223 and 6.1.192"),
    from([6, 2], "gve_rx_copy_to_pool, gve_rx.c 6.12.117: not in 6.1, in 6.2", "tree"),
  ],
  /** gve, DQO: a GSO packet in more pieces than the card takes is cut by the stack; until then the driver copied it into one head of up to 64 KiB. */
  gveCutsBefore: [
    until([5, 3], "gve_try_tx_skb, gve_tx_dqo.c 6.1.192"),
    from([6, 8], "gve_features_check_dqo, gve_tx_dqo.c 6.12.117, 7.2.12 and 7.3.4: not in 6.7.3, in 6.8", "tree"),
  ],
  /** gve: rules of flow steering. */
  gveSteers: [
    until([5, 3], "gve_set_rxnfc, gve_ethtool.c: not there in 5.10.223 and 6.1.192"),
    from([6, 11], "gve_set_rxnfc, gve_ethtool.c, gve_flow_rule.c 6.12.117, 7.2.12 and 7.3.4: not in 6.10"),
  ],
  /** gve, DQO: page lists too. */
  gveListedDqo: [
    until([5, 3], "gve_alloc_page_dqo, gve_rx_dqo.c 6.1.192"),
    from([6, 6], "gve_alloc_page_dqo, gve_rx_dqo.c 6.12.117: no page lists in 6.4, some in 6.6.9"),
  ],
  /** gve, DQO: headers into buffers of their own on demand (`ethtool -G tcp-data-split`). */
  gveHeaderSplit: [
    until([5, 3], "gve_rx_dqo, gve_rx_dqo.c 6.1.192"),
    from([6, 9], "gve_rx_alloc_hdr_bufs, gve_rx_dqo.c 6.12.117: not in 6.8, in 6.10"),
  ],
  /** gve, DQO: buffers of a page_pool where no page list is; until then pages of the driver, looked at before they are used again. */
  gvePool: [
    until([5, 3], "gve_alloc_page_dqo, gve_rx_dqo.c 6.1.192, 6.12.117"),
    from(
      [6, 13],
      "gve_alloc_from_page_pool, gve_buffer_mgmt_dqo.c 7.2.12 and 7.3.4: not in 6.12.117, in 6.13.2",
      "tree",
    ),
  ],
  /** mlx5: a page of the striding queue is cut up for the pool, and packets are marked; pages of a used WQE go home as it is posted anew. */
  mlx5CutsPages: [
    until([4, 18], "mlx5e_page_alloc_pool, mlx5e_rx_cache_get, en_rx.c 5.10.223 and 6.1.192"),
    from([6, 4], "mlx5e_page_alloc_fragmented, mlx5e_post_rx_mpwqes, en_rx.c 6.12.117: not in 6.2, in 6.4"),
  ],
  /** mlx5: without memory for a WQE the other used ones are given up and it is tried once more; of a long frame the headers are copied, no more. */
  mlx5Reclaims: [
    until([4, 18], "mlx5e_post_rx_mpwqes, mlx5e_skb_from_cqe_mpwrq_nonlinear, en_rx.c 6.1.192, 6.12.117"),
    from([7, 0], "mlx5e_reclaim_mpwqe_pages, eth_get_headlen(), en_rx.c 7.2.12 and 7.3.4: not in 6.19"),
  ],
  /** mt76: pieces come from a page_pool. */
  mt76Pool: [
    until([4, 16], "mt76_dma_rx_fill, dma.c 5.10.223 and 6.1.192"),
    from([6, 3], "mt76_create_page_pool, mac80211.c 6.12.117, 7.2.12 and 7.3.4: not in 6.2, in 6.4"),
  ],
  /** r8152: a refused block is not printed. */
  r8152Quiet: [
    until([3, 10], "alloc_rx_agg, r8152.c 5.10.223 and 6.1.192"),
    from([6, 4], "alloc_rx_agg, r8152.c 6.12.117, 7.2.12 and 7.3.4: __GFP_NOWARN is not in 6.2, is in 6.4"),
  ],
  /** r8152: a poll ends with its budget. */
  r8152EndsWithBudget: [
    until([3, 10], "rx_bottom, r8152.c 5.10.223 and 6.1.192"),
    from([6, 6], "rx_bottom, r8152.c 6.12.117, 7.2.12 and 7.3.4: not so in 6.5, so in 6.6.9", "tree"),
  ],
  /** r8152: the whole packet is a fragment. */
  r8152WholePackets: [
    until([3, 10], "rx_bottom, r8152.c 5.10.223 and 6.1.192"),
    from([6, 7], "rx_bottom, napi_get_frags(), r8152.c 6.12.117, 7.2.12 and 7.3.4: not in 6.6.9, in 6.7.3", "tree"),
  ],
} as const satisfies Record<string, readonly Fact<boolean>[]>;
