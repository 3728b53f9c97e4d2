// Cards of servers and clouds beside those with files of their own: Intel E800 and VFs, 2.5 gigabit, Broadcom, Amazon, Google, VMware, Mellanox
// ConnectX-3, QLogic, Emulex, Solarflare, Chelsio. Read in the trees of 5.10, 6.1, 6.12 and 7.2.
import { block, type DriverFacts, ethDataLen, type RxMachine, type RxRule } from "./driver.ts";
import { failed, ofTree, packetPays, rule, singlePage, triedAgain, unread } from "./read_tree.ts";

/** ICE_2K_TOO_SMALL_WITH_PADDING and its like: a standard frame with its pads does not fit half of a 4 KiB page beside shared_info. */
const halfPageTooSmall = (at: RxMachine): boolean => at.netSkbPad + 1536 > 2048 - at.sharedInfo;
const halfOrPair: RxRule = {
  buffers: (mtu, at) =>
    at.pageSize < 8192 && (halfPageTooSmall(at) || mtu > ethDataLen)
      ? [block("alloc_pages", 1, at, "3 KiB buffer")]
      : [block("alloc_pages", 0, at, "half page")],
  unless: "the private flag legacy-rx on (ethtool --set-priv-flags) keeps order 0 at every MTU",
};

export const ice = ofTree("ice", "Intel E800 Ethernet", {
  rx: [
    rule(
      [5, 10],
      "drivers/net/ethernet/intel/ice/ice_lib.c ice_vsi_cfg_frame_size, 5.10 and 6.1; ice_base.c, 6.12",
      halfOrPair,
    ),
    unread([6, 13], "6.12 and 7.2"),
    rule(
      [7, 2],
      "drivers/net/ethernet/intel/ice/ice_base.c ice_rxq_pp_create, 7.2 (libeth)",
      singlePage("page_pool", "half page or page"),
    ),
  ],
  failure: [
    failed(
      [5, 10],
      "ice_alloc_rx_bufs and ice_clean_rx_irq, 5.10, 6.1 and 6.12",
      triedAgain("ice", "alloc_page_failed"),
    ),
  ],
  refillGfp: "GFP_ATOMIC | __GFP_NOWARN | __GFP_COMP | __GFP_MEMALLOC (dev_alloc_pages)",
  mtuMax: 9702,
});

export const iavf = ofTree("iavf", "Intel adaptive virtual function (XL710 and E800)", {
  rx: [
    rule([5, 10], "drivers/net/ethernet/intel/iavf/iavf_main.c iavf_configure_rx, 5.10 and 6.1", halfOrPair),
    unread([6, 2], "6.1 and 6.12"),
    rule(
      [6, 12],
      "drivers/net/ethernet/intel/iavf/iavf_txrx.c iavf_setup_rx_descriptors, 6.12 and 7.2 (libeth)",
      singlePage("page_pool", "half page or page"),
    ),
  ],
  failure: [failed([5, 10], "iavf_alloc_rx_buffers, 5.10, 6.1 and 6.12", triedAgain("iavf", "alloc_page_failed"))],
  refillGfp: "GFP_ATOMIC",
  mtuMax: 9702,
});

export const igc = ofTree("igc", "Intel 2.5 gigabit Ethernet (I225, I226)", {
  rx: [
    rule(
      [5, 10],
      "drivers/net/ethernet/intel/igc/igc.h igc_rx_pg_order, igc_main.c igc_configure_rx_ring, 5.10, 6.1, 6.12 and 7.2",
      singlePage("alloc_pages", "half page", {
        others: (at) => (at.pageSize < 8192 ? [block("alloc_pages", 1, at, "3 KiB buffer (with an XDP program)")] : []),
        unless: "an XDP program on the interface takes blocks of order 1",
      }),
    ),
  ],
  failure: [
    failed([5, 10], "igc_alloc_rx_buffers, 5.10, 6.1, 6.12 and 7.2", triedAgain("igc", "rx_queue_N_alloc_failed")),
  ],
  refillGfp: "GFP_ATOMIC",
  mtuMax: 9216,
});

export const ena = ofTree("ena", "Amazon Elastic Network Adapter", {
  rx: [
    rule(
      [5, 10],
      "drivers/net/ethernet/amazon/ena/ena_netdev.c ena_alloc_rx_page (ena_alloc_map_page since 6.1), 5.10, 6.1, 6.12 and 7.2",
      singlePage("alloc_pages", "page"),
    ),
  ],
  failure: [
    failed([5, 10], "ena_refill_rx_bufs and check_for_empty_rx_ring, 5.10; ena_refill_rx_bufs, 6.1, 6.12 and 7.2", {
      packet: "kept",
      slot: "stays empty and is retried",
      sentence:
        'ena warns "Refilled rx qid … with only … buffers", leaves the other slots empty and tries again at the next poll; a timer looks for rings that have run empty.',
      counter: "queue_N_rx_refil_partial, queue_N_rx_page_alloc_fail",
    }),
  ],
  refillGfp: "GFP_ATOMIC | __GFP_NOWARN | __GFP_COMP | __GFP_MEMALLOC (dev_alloc_pages)",
  mtuMax: 9216,
});

const vmxnet3Facts = ofTree("vmxnet3", "VMware paravirtual Ethernet", {
  rx: [
    rule(
      [5, 10],
      "drivers/net/vmxnet3/vmxnet3_drv.c vmxnet3_adjust_rx_ring_size, vmxnet3_rq_alloc_rx_buf, 5.10, 6.1, 6.12 and 7.2",
      {
        buffers: (mtu, at) => {
          // VMXNET3_MAX_ETH_HDR_SIZE, VMXNET3_MAX_SKB_BUF_SIZE and VMXNET3_MIN_T0_BUF_SIZE.
          const linear = Math.max(128, Math.min(mtu + 22, 3 * 1024));
          const rest = Math.max(0, mtu + 22 - 3 * 1024);
          const head = { call: "netdev_alloc_skb" as const, bytes: linear + at.netIpAlign, holds: "linear buffer" };
          return rest === 0 ? [head] : [head, block("alloc_pages", 0, at, "page", Math.ceil(rest / at.pageSize))];
        },
        unless: "with an XDP program (since 6.6) buffers are pages of a page_pool",
      },
    ),
  ],
  failure: [failed([5, 10], "vmxnet3_rq_rx_complete, 5.10, 6.1 and 6.12", packetPays("vmxnet3", "rx buf alloc fail"))],
  refillGfp: "GFP_ATOMIC (GFP_KERNEL when the interface is opened)",
  mtuMax: 9000,
});
// A packet is handed up only when the buffer that takes its place in the ring was had (vmxnet3_rq_rx_complete, 3.10 to 6.12).
export const vmxnet3: typeof vmxnet3Facts = {
  ...vmxnet3Facts,
  symbols: [{ name: "vmxnet3_rq_rx_complete", role: "rx refill" }],
};

export const mlx4 = ofTree(
  "mlx4",
  "Mellanox ConnectX-3 and older",
  {
    rx: [
      rule(
        [5, 10],
        "drivers/net/ethernet/mellanox/mlx4/en_rx.c mlx4_alloc_page, 5.10 and 6.12",
        singlePage("alloc_pages", "page"),
      ),
      unread([6, 13], "6.12 and 7.2"),
      rule(
        [7, 2],
        "drivers/net/ethernet/mellanox/mlx4/en_rx.c mlx4_en_alloc_frags, 7.2",
        singlePage("page_pool", "page"),
      ),
    ],
    failure: [
      failed(
        [5, 10],
        "drivers/net/ethernet/mellanox/mlx4/en_rx.c mlx4_en_refill_rx_buffers and mlx4_en_recover_from_oom, 5.10.265, 6.1.192, 6.12.117 and 7.2.13",
        {
          packet: "kept",
          slot: "stays empty and is retried",
          sentence:
            "mlx4 leaves the slots empty and tries again at the next poll; four times a second it looks for rings that have run empty and polls them.",
        },
      ),
    ],
    refillGfp: "GFP_ATOMIC | __GFP_MEMALLOC",
    mtuMax: 9000,
  },
  ["mlx4_en"],
);

export const qede = ofTree("qede", "QLogic FastLinQ 41000 and 45000", {
  rx: [
    rule(
      [5, 10],
      "drivers/net/ethernet/qlogic/qede/qede_fp.c qede_alloc_rx_buffer, 5.10, 6.12 and 7.2",
      singlePage("alloc_pages", "page"),
    ),
  ],
  failure: [
    failed(
      [5, 10],
      "drivers/net/ethernet/qlogic/qede/qede_fp.c qede_rx_int and qede_realloc_rx_buffer, 5.10.265, 6.1.192, 6.12.117 and 7.2.13",
      {
        packet: "kept",
        slot: "stays empty and is retried",
        sentence:
          "qede leaves the slots empty and tries again at the end of the next poll; with 12 buffers left or fewer it puts the old buffer back and drops the one packet it held.",
        counter: "rx_alloc_errors (of each queue)",
      },
    ),
  ],
  refillGfp: "GFP_ATOMIC",
  mtuMax: 9000,
});

export const be2net = ofTree("be2net", "Emulex OneConnect", {
  rx: [
    rule(
      [5, 10],
      "drivers/net/ethernet/emulex/benet/be_main.c be_alloc_pages (rx_frag_size is 2048), 5.10, 6.12 and 7.2",
      singlePage("alloc_pages", "page of two fragments", {
        unless: "the module parameter rx_frag_size of 8192 takes blocks of order 1",
      }),
    ),
  ],
  failure: [
    failed(
      [5, 10],
      "drivers/net/ethernet/emulex/benet/be_main.c be_post_rx_frags, be_process_rx and be_worker, 5.10.265, 6.1.192, 6.12.117 and 7.2.13",
      {
        packet: "kept",
        slot: "stays empty and is retried",
        sentence:
          "be2net leaves the slots empty and tries again at the next poll; once the ring has run empty, a worker asks every second with a mask that may sleep.",
        counter: "rx_post_fail, rx_drops_no_frags (of each queue)",
      },
    ),
  ],
  refillGfp: "GFP_ATOMIC (GFP_KERNEL from its worker)",
  mtuMax: 9000,
});

export const sfc = ofTree("sfc", "Solarflare SFN7000 and later", {
  rx: [
    rule(
      [5, 10],
      "drivers/net/ethernet/sfc/efx_common.c efx_start_datapath, rx_common.c efx_init_rx_buffers, 5.10 and 6.12",
      singlePage("alloc_pages", "page of one or two buffers", {
        others: (at) =>
          [1, 2].map((order) => block("alloc_pages", order, at, "block of a card that cannot scatter a packet")),
        unless: "cards that cannot scatter a packet take blocks by MTU",
      }),
    ),
  ],
  failure: [
    failed(
      [5, 10],
      "drivers/net/ethernet/sfc/rx_common.c efx_fast_push_rx_descriptors and efx_schedule_slow_fill, 5.10.265, 6.1.192, 6.12.117 and 7.2.13",
      {
        packet: "kept",
        slot: "stays empty and is retried",
        sentence:
          "sfc leaves the slots empty, and a timer has it try again 10 ms later; packets are lost only when the whole ring has run empty.",
        counter: "port_rx_nodesc_drops",
      },
    ),
  ],
  refillGfp: "GFP_ATOMIC",
  mtuMax: 9000,
});

export const cxgb4 = ofTree("cxgb4", "Chelsio T4 to T6", {
  rx: [
    rule(
      [5, 10],
      "drivers/net/ethernet/chelsio/cxgb4/sge.c refill_fl, 5.10 and 6.12",
      singlePage("alloc_pages", "page", {
        others: (at) =>
          at.pageSize < 65536 ? [block("alloc_pages", Math.log2(65536 / at.pageSize), at, "64 KiB buffer")] : [],
        unless: "blocks of 64 KiB are tried first",
      }),
    ),
  ],
  failure: [
    failed(
      [5, 10],
      "drivers/net/ethernet/chelsio/cxgb4/sge.c refill_fl and sge_rx_timer_cb, 5.10.265, 6.1.192, 6.12.117 and 7.2.13",
      {
        packet: "kept",
        slot: "stays empty and is retried",
        sentence:
          "cxgb4 takes single pages where it gets no large block; without a page it leaves the slot empty and tries again at the next poll, and a timer polls queues that run short twice per second.",
        counter: "FLAllocErr and FLStarving",
        counterCommand: "cat /sys/kernel/debug/cxgb4/*/sge_qinfo",
      },
    ),
  ],
  refillGfp: "GFP_ATOMIC",
  mtuMax: 9000,
});

export const bnxt = ofTree(
  "bnxt_en",
  "Broadcom NetXtreme-C and -E",
  {
    rx: [
      rule(
        [5, 10],
        "drivers/net/ethernet/broadcom/bnxt/bnxt.c __bnxt_alloc_rx_page, 5.10",
        singlePage("alloc_pages", "page of a large packet", {
          unless: "the head of a packet is a kmalloc of its own, an XDP program takes pages of a page_pool",
        }),
      ),
      unread([5, 11], "5.10, 6.1, 6.12 and 7.2"),
    ],
    failure: [
      failed(
        [5, 10],
        "drivers/net/ethernet/broadcom/bnxt/bnxt.c bnxt_rx_skb, bnxt_rx_pages and bnxt_reuse_rx_data, 5.10.265",
        packetPays("bnxt_en"),
      ),
      failed(
        [6, 1],
        "drivers/net/ethernet/broadcom/bnxt/bnxt.c bnxt_rx_skb, __bnxt_rx_agg_pages and bnxt_get_ring_stats, 6.1.192",
        packetPays("bnxt_en", "rx_dropped"),
      ),
      failed(
        [6, 12],
        "drivers/net/ethernet/broadcom/bnxt/bnxt.c bnxt_rx_skb, __bnxt_rx_agg_pages (7.2: __bnxt_rx_agg_netmems), bnxt_ethtool.c, 6.12.117 and 7.2.13",
        packetPays("bnxt_en", "rx_total_oom_discards"),
      ),
    ],
    refillGfp: "GFP_ATOMIC",
    mtuMax: 9500,
  },
  ["bnxt_en"],
);

/** All of this file. */
export const servers: readonly DriverFacts[] = [ice, iavf, igc, ena, vmxnet3, mlx4, qede, be2net, sfc, cxgb4, bnxt];
