// What `ethtool -S` calls the counters of a driver, in the order it prints them, and since when. A counter that a driver does not print is
// not here: tg3's rx_dropped is in `ip -s link` only.
import type { Fact } from "../../release.ts";
import { poolCounterRows, printedPoolCounter } from "../pool_counters.ts";

/** A printed name, and where its number is: a counter of the model's driver, or of the device (`rxBytes`, `txBytes`, `rxMissed`, …). */
export type PrintedCounter = readonly [printed: string, counter: string];

const packetsAndBytes: readonly PrintedCounter[] = [
  ["rx_packets", "rx_packets"],
  ["tx_packets", "tx_packets"],
  ["rx_bytes", "rxBytes"],
  ["tx_bytes", "txBytes"],
];
const missed: readonly PrintedCounter[] = [
  ["rx_missed_errors", "rxMissed"],
  ["rx_long_length_errors", "rx_long_length_errors"],
];
const intel: readonly PrintedCounter[] = [...packetsAndBytes, ["rx_no_buffer_count", "rx_no_buffer_count"], ...missed];

/** What the MAC counts, read from its registers. */
const mvnetaRegisters: readonly PrintedCounter[] = [
  ["good_octets_received", "rxBytes"],
  ["good_frames_received", "rx_packets"],
  ["rx_discard", "rx_discard"],
  ["good_octets_sent", "txBytes"],
  ["good_frames_sent", "tx_packets"],
];

const mvnetaWithErrors: readonly PrintedCounter[] = [
  ...mvnetaRegisters,
  ["skb_alloc_errors", "skb_alloc_error"],
  ["refill_errors", "refill_error"],
];

/** The sums of a card's pools, behind the driver's own counters. */
const pools: readonly PrintedCounter[] = poolCounterRows.map(printedPoolCounter).map((name) => [name, name]);
const queue0 = (...counters: readonly PrintedCounter[]): readonly PrintedCounter[] =>
  counters.map(([printed, counter]) => [`queue_0_${printed}`, counter]);

/** What sw_stats_desc of mlx5 has of these in both trees. */
const mlx5Software: readonly PrintedCounter[] = [
  ["rx_packets", "rx_packets"],
  ["rx_bytes", "rxBytes"],
  ["tx_packets", "tx_packets"],
  ["tx_bytes", "txBytes"],
  ["rx_xdp_drop", "rx_xdp_drop"],
  ["rx_xdp_redirect", "rx_xdp_redirect"],
  ["rx_buff_alloc_err", "rx_buff_alloc_err"],
];

const mlx5Cache: readonly PrintedCounter[] = [
  ["rx_cache_reuse", "rx_cache_reuse"],
  ["rx_cache_full", "rx_cache_full"],
  ["rx_cache_empty", "rx_cache_empty"],
  ["rx_cache_busy", "rx_cache_busy"],
];
/** Its own name for one of them. */
const mlx5Pools: readonly PrintedCounter[] = pools.map(([printed, counter]) => [
  printed === "rx_pp_alloc_slow_ho" ? "rx_pp_alloc_slow_high_order" : printed,
  counter,
]);
const i40eBefore: readonly PrintedCounter[] = [
  ["rx_packets", "rx_packets"],
  ["tx_packets", "tx_packets"],
  ["rx_bytes", "rxBytes"],
  ["tx_bytes", "txBytes"],
  ["rx_dropped", "rxMissed"],
  ["rx_alloc_fail", "rx_alloc_fail"],
  ["rx_pg_alloc_fail", "rx_pg_alloc_fail"],
];
const enaBefore: readonly PrintedCounter[] = [
  ["rx_cnt", "rx_packets"],
  ["rx_bytes", "rxBytes"],
  ["rx_refil_partial", "rx_refil_partial"],
  ["rx_page_alloc_fail", "rx_refil_partial"],
  ["rx_skb_alloc_fail", "rx_skb_alloc_fail"],
  ["rx_xdp_drop", "rx_xdp_drop"],
  ["rx_xdp_tx", "rx_xdp_tx"],
];
const gveBefore: readonly PrintedCounter[] = [
  ["tx_packets", "tx_packets"],
  ["rx_bytes", "rxBytes"],
  ["tx_bytes", "txBytes"],
  ["rx_skb_alloc_fail", "rx_skb_alloc_fail"],
  ["rx_buf_alloc_fail", "rx_buf_alloc_fail"],
];
const gveCopies: readonly PrintedCounter[] = [
  ["rx_frag_flip_cnt[0]", "rx_frag_flip_cnt"],
  ["rx_frag_copy_cnt[0]", "rx_frag_copy_cnt"],
];

/** By driver; a driver or release without an entry prints none of what the model counts. */
export const ethtoolNames: Readonly<Record<string, readonly Fact<readonly PrintedCounter[]>[]>> = {
  e1000: [
    {
      since: [2, 6],
      value: [...packetsAndBytes, ...missed],
      source: "e1000_gstrings_stats, drivers/net/e1000/e1000_ethtool.c 2.6.9 and 2.6.11",
    },
    {
      since: [2, 6, 18],
      value: [...intel, ["alloc_rx_buff_failed", "alloc_rx_buff_failed"]],
      source: "e1000_gstrings_stats, 2.6.18, 2.6.24 and 6.1: not in 2.6.11",
    },
  ],
  e1000e: [
    {
      since: [2, 6, 24],
      value: [...intel, ["rx_header_split", "rx_hdr_split"], ["alloc_rx_buff_failed", "alloc_rx_buff_failed"]],
      source: "e1000_gstrings_stats, drivers/net/e1000e/ethtool.c 2.6.29",
    },
    {
      since: [2, 6, 36],
      value: [...intel, ["rx_hdr_split", "rx_hdr_split"], ["alloc_rx_buff_failed", "alloc_rx_buff_failed"]],
      source: "e1000_gstrings_stats, 3.13 and 6.1; first release from history",
    },
  ],
  tg3: [
    {
      since: [2, 6],
      value: [
        ["rx_octets", "rxBytes"],
        ["rx_ucast_packets", "rx_packets"],
        ["tx_octets", "txBytes"],
        ["tx_ucast_packets", "tx_packets"],
        ["rx_discards", "rx_discards"],
      ],
      source: "ethtool_stats_keys, drivers/net/tg3.c 2.6.24 and 6.1",
    },
  ],
  ibm_emac: [
    {
      since: [2, 6, 24],
      value: [
        ["rx_packets", "rx_packets"],
        ["rx_bytes", "rxBytes"],
        ["tx_packets", "tx_packets"],
        ["tx_bytes", "txBytes"],
        ["rx_dropped_stack", "rx_dropped_stack"],
        ["rx_dropped_oom", "rx_dropped_oom"],
        ["rx_dropped_mtu", "rx_dropped_mtu"],
        ["rx_stopped", "rx_stopped"],
      ],
      source: "emac_stats_keys, drivers/net/ibm_newemac/core.c 2.6.29",
    },
  ],
  mvneta: [
    {
      since: [4, 4],
      value: mvnetaRegisters,
      source: "mvneta_statistics, drivers/net/ethernet/marvell/mvneta.c 4.14; first release from history",
    },
    {
      since: [4, 19],
      value: mvnetaWithErrors,
      source: "mvneta_statistics, 4.19 and 5.15",
    },
    {
      since: [5, 19],
      value: [...mvnetaWithErrors, ...pools],
      source: "mvneta_ethtool_get_strings, 6.1; first release from history",
    },
  ],
  virtio_net: [
    {
      since: [4, 16],
      value: [
        ["rx_queue_0_packets", "rx_packets"],
        ["rx_queue_0_bytes", "rxBytes"],
        ["tx_queue_0_packets", "tx_packets"],
        ["tx_queue_0_bytes", "txBytes"],
      ],
      source: "virtnet_rq_stats_desc, drivers/net/virtio_net.c; first release from history",
    },
    {
      since: [4, 19],
      value: [
        ["rx_queue_0_packets", "rx_packets"],
        ["rx_queue_0_bytes", "rxBytes"],
        ["rx_queue_0_drops", "rx_drops"],
        ["tx_queue_0_packets", "tx_packets"],
        ["tx_queue_0_bytes", "txBytes"],
      ],
      source: "virtnet_rq_stats_desc, drivers/net/virtio_net.c 6.1 and 6.8",
    },
    {
      since: [6, 10],
      value: [
        ["rx0_packets", "rx_packets"],
        ["rx0_bytes", "rxBytes"],
        ["rx0_drops", "rx_drops"],
        ["tx0_packets", "tx_packets"],
        ["tx0_bytes", "txBytes"],
      ],
      source:
        "virtnet_get_stats_string, drivers/net/virtio_net.c 6.10 and 6.13: not in 6.8; first release from history",
    },
  ],
  ice: [
    {
      since: [5, 10],
      value: [
        ["rx_bytes", "rxBytes"],
        ["tx_bytes", "txBytes"],
        ["rx_dropped", "rxMissed"],
        ["rx_alloc_fail", "rx_alloc_fail"],
        ["rx_pg_alloc_fail", "rx_pg_alloc_fail"],
      ],
      source:
        "ice_gstrings_vsi_stats, drivers/net/ethernet/intel/ice/ice_ethtool.c 5.10.223, 6.1.192, 6.12.117, 7.2.12",
    },
  ],
  i40e: [
    {
      since: [5, 10],
      value: i40eBefore,
      source: "i40e_gstrings_misc_stats, drivers/net/ethernet/intel/i40e/i40e_ethtool.c 5.10.223",
    },
    {
      since: [6, 1],
      value: [
        ...i40eBefore,
        ["rx_cache_reuse", "rx_cache_reuse"],
        ["rx_cache_waive", "rx_cache_waive"],
        ["rx_cache_busy", "rx_cache_busy"],
      ],
      source: "i40e_gstrings_misc_stats, drivers/net/ethernet/intel/i40e/i40e_ethtool.c 6.1.192, 6.12.117, 7.2.12",
    },
  ],
  ena: [
    {
      since: [5, 10],
      value: queue0(...enaBefore),
      source: "ena_stats_rx_strings, drivers/net/ethernet/amazon/ena/ena_ethtool.c 5.10.223",
    },
    {
      since: [5, 11],
      value: queue0(...enaBefore, ["rx_xdp_redirect", "rx_xdp_redirect"]),
      source: "ena_stats_rx_strings, drivers/net/ethernet/amazon/ena/ena_ethtool.c 5.11, 6.1.192, 6.12.117, 7.2.12",
    },
  ],
  gve: [
    {
      since: [5, 10],
      value: [["rx_packets", "rx_packets"], ...gveBefore, ["rx_copied_pkt[0]", "rx_frag_copy_cnt"]],
      source: "gve_gstrings_main_stats, gve_gstrings_rx_stats, drivers/net/ethernet/google/gve/gve_ethtool.c 5.10.223",
    },
    {
      since: [5, 17],
      value: [["rx_packets", "rx_packets"], ...gveBefore, ...gveCopies],
      source: "gve_gstrings_main_stats, gve_gstrings_rx_stats, 6.1.192: not in 5.15, in 5.17",
    },
    {
      since: [6, 2],
      value: [["rx_packets", "rx_packets"], ...gveBefore, ...gveCopies, ["rx_frag_alloc_cnt[0]", "rx_frag_alloc_cnt"]],
      source: "gve_gstrings_rx_stats: not in 6.1.176, in 6.2",
    },
    {
      since: [6, 9],
      value: [
        ["rx_packets", "rx_packets"],
        ["rx_hsplit_pkt", "rx_hsplit_pkt"],
        ...gveBefore,
        ...gveCopies,
        ["rx_frag_alloc_cnt[0]", "rx_frag_alloc_cnt"],
      ],
      source: "gve_gstrings_main_stats, gve_gstrings_rx_stats, 6.12.117, 7.2.12; first release from history",
    },
  ],
  mlx5_core: [
    {
      since: [5, 10],
      value: [...mlx5Software, ...mlx5Cache],
      source: "sw_stats_desc, drivers/net/ethernet/mellanox/mlx5/core/en_stats.c 5.10.223",
    },
    {
      since: [6, 1],
      value: [...mlx5Software, ...mlx5Cache, ...mlx5Pools],
      source: "sw_stats_desc, drivers/net/ethernet/mellanox/mlx5/core/en_stats.c 6.1.192",
    },
    {
      since: [6, 4],
      value: [...mlx5Software, ...mlx5Pools],
      source: "sw_stats_desc, en_stats.c 6.12.117, 7.2.12; first release from history",
    },
  ],
  r8152: [
    {
      since: [5, 10],
      value: [
        ["tx_packets", "tx_packets"],
        ["rx_packets", "rx_packets"],
        ["rx_missed", "rxMissed"],
      ],
      source: "rtl8152_gstrings, drivers/net/usb/r8152.c 5.10.223, 6.1.192, 7.2.12",
    },
  ],
  ringnic: [
    {
      since: [2, 6],
      value: [
        ["rx_packets", "rx_packets"],
        ["rx_no_buffer", "rx_no_buffer"],
        ["rx_alloc_failed", "rx_alloc_failed"],
        ["rx_dropped", "rx_dropped"],
        ["tx_packets", "tx_packets"],
      ],
      source: "the model's own card",
    },
  ],
};

/** /proc/net/netstat: TcpExt's names for what the model counts, in the kernel's order (net/ipv4/proc.c snmp4_net_list). */
export const tcpExtNames: readonly (readonly [printed: string, counter: string, since: readonly number[]])[] = [
  ["RcvPruned", "rcvPruned", [2, 6]],
  ["OfoPruned", "ofoPruned", [2, 6]],
  ["DelayedACKs", "delayedAcks", [2, 6]],
  ["TCPRcvCollapsed", "rcvCollapsed", [2, 6]],
  ["TCPFastRetrans", "fastRetrans", [2, 6]],
  ["TCPTimeouts", "timeouts", [2, 6]],
  ["TCPRcvCoalesce", "rcvCoalesce", [3, 4]],
  ["TCPOFOQueue", "ofoQueue", [3, 6]],
  ["TCPOFODrop", "ofoDrop", [3, 6]],
  ["TCPOFOMerge", "ofoMerge", [3, 6]],
  ["TCPZeroWindowDrop", "zeroWindowDrop", [4, 17]],
  ["TCPRcvQDrop", "rcvQDrop", [4, 18]],
];
