// The Intel server family whose rings hold half pages: igb, ixgbe, i40e. Since build_skb (4.11 and on) they use whole order-1 blocks
// as soon as a frame does not fit in half a page together with its padding.
import {
  block,
  type DriverFacts,
  ethChecksum,
  ethDataLen,
  ethHeader,
  type RefillFailure,
  type RxMachine,
  type RxRule,
  vlanTag,
} from "./driver.ts";

const standardVlanFrame = 1522;

/** SKB_WITH_OVERHEAD(): what a block of `bytes` leaves for data. */
const withoutSharedInfo = (bytes: number, at: RxMachine): number => bytes - at.sharedInfo;
/** A standard frame with its pads does not fit half of a 4 KiB page next to shared_info. */
const halfPageTooSmall = (pad: number, at: RxMachine): boolean => pad + 1536 > withoutSharedInfo(2048, at);
const pagesOf = (order: number, at: RxMachine, holds: string) => [block("alloc_pages", order, at, holds)];
const halfPages: RxRule = { buffers: (_mtu, at) => pagesOf(0, at, "half page") };

const igbBuildSkb = (limit: (at: RxMachine) => number): RxRule => ({
  buffers: (mtu, at) => {
    const frame = mtu + ethHeader + ethChecksum + vlanTag;
    return at.pageSize < 8192 && frame > limit(at) ? pagesOf(1, at, "3 KiB buffer") : pagesOf(0, at, "half page");
  },
  unless: "the private flag legacy-rx on (ethtool --set-priv-flags) keeps order 0 at every MTU",
});
/** ixgbe: receive side coalescing (LRO) alone asks for the large buffer too. */
const ixgbeBuildSkb: RxRule = {
  buffers: (mtu, at) => {
    const frame = mtu + ethHeader + ethChecksum;
    return at.pageSize < 8192 && (halfPageTooSmall(at.netSkbPad, at) || frame > 1518)
      ? pagesOf(1, at, "3 KiB buffer")
      : pagesOf(0, at, "half page");
  },
  unless:
    "large receive offload on (ethtool -K lro on) asks for order 1 at every MTU; the private flag legacy-rx on keeps order 0",
};
const i40eBuildSkb: RxRule = {
  buffers: (mtu, at) =>
    at.pageSize < 8192 && (halfPageTooSmall(at.netSkbPad, at) || mtu > ethDataLen)
      ? pagesOf(1, at, "3 KiB buffer")
      : pagesOf(0, at, "half page"),
  unless: "the private flag legacy-rx on (ethtool --set-priv-flags, until 6.8) keeps order 0 at every MTU",
};
const skbThenPages = (aboveStandard: (mtu: number, at: RxMachine) => ReturnType<RxRule["buffers"]>): RxRule => ({
  buffers: (mtu, at) =>
    mtu <= ethDataLen
      ? [{ call: "netdev_alloc_skb", bytes: standardVlanFrame + at.netIpAlign, holds: "standard buffer" }]
      : aboveStandard(mtu, at),
});

const retried = (driver: string, counter: string): RefillFailure => ({
  packet: "kept",
  slot: "stays empty and is retried",
  sentence: `${driver} leaves the slot empty and tries again at the next poll; packets are lost only when the whole ring has run empty.`,
  counter,
});

export const igb: DriverFacts = {
  name: "igb",
  modules: ["igb"],
  what: "Intel gigabit server Ethernet (82575 to I350, I210)",
  symbols: [
    { name: "igb_alloc_rx_buffers", prefix: true, role: "rx refill" },
    { name: "igb_alloc_mapped_page", role: "rx refill" },
    { name: "igb_clean_rx", prefix: true, role: "rx poll" },
    { name: "igb_poll", role: "rx poll" },
    { name: "igb_clean_tx_irq", role: "tx completion" },
    { name: "igb_xmit", prefix: true, role: "tx" },
    { name: "igb_up", role: "setup" },
    { name: "igb_configure", prefix: true, role: "setup" },
    { name: "igb_", prefix: true },
  ],
  rx: [
    {
      since: [2, 6, 25],
      value: skbThenPages((_mtu, at) => [
        { call: "netdev_alloc_skb", bytes: 128 + at.netIpAlign, holds: "packet-split header" },
        block("alloc_pages", 0, at, "half page"),
      ]),
      source: "drivers/net/igb/igb_main.c igb_alloc_rx_buffers_adv, 2.6.32",
    },
    {
      since: [3, 4],
      value: halfPages,
      source: "drivers/net/ethernet/intel/igb/igb_main.c igb_alloc_mapped_page, 3.10",
    },
    {
      since: [4, 12],
      value: igbBuildSkb((at) => withoutSharedInfo(2048, at) - at.netSkbPad - at.netIpAlign - 16),
      source: "drivers/net/ethernet/intel/igb/igb.h IGB_MAX_FRAME_BUILD_SKB, 4.14 and 4.19",
    },
    {
      since: [5, 10],
      value: igbBuildSkb((at) => 1536 - at.netIpAlign),
      source: "drivers/net/ethernet/intel/igb/igb.h IGB_MAX_FRAME_BUILD_SKB, 6.1",
    },
  ],
  failure: [
    {
      since: [2, 6, 25],
      value: retried("igb", "rx_queue_N_alloc_failed"),
      source: "igb_alloc_rx_buffers, 2.6.32 and 6.1",
    },
  ],
  refillGfp: "GFP_ATOMIC",
  mtuMax: 9216,
};

export const ixgbe: DriverFacts = {
  name: "ixgbe",
  modules: ["ixgbe"],
  what: "Intel 10 gigabit Ethernet (82598 to X550)",
  symbols: [
    { name: "ixgbe_alloc_rx_buffers", prefix: true, role: "rx refill" },
    { name: "ixgbe_alloc_mapped_page", role: "rx refill" },
    { name: "ixgbe_clean_rx", prefix: true, role: "rx poll" },
    { name: "ixgbe_poll", role: "rx poll" },
    { name: "ixgbe_clean_tx_irq", role: "tx completion" },
    { name: "ixgbe_xmit", prefix: true, role: "tx" },
    { name: "ixgbe_up", prefix: true, role: "setup" },
    { name: "ixgbe_configure", prefix: true, role: "setup" },
    { name: "ixgbe_", prefix: true },
  ],
  rx: [
    {
      since: [2, 6, 24],
      // 82599 turns packet split off (erratum 45), so jumbo frames there are linear.
      value: {
        ...skbThenPages((mtu, at) => [
          {
            call: "netdev_alloc_skb",
            bytes: Math.ceil((mtu + ethHeader + ethChecksum) / 1024) * 1024 + at.netIpAlign,
            holds: "linear jumbo buffer",
          },
        ]),
        unless: "82598 splits packets: a 256-byte header and half pages, order 0 at every MTU",
      },
      source: "drivers/net/ixgbe/ixgbe_main.c ixgbe_configure_rx, 2.6.32",
    },
    {
      since: [3, 4],
      value: halfPages,
      source: "drivers/net/ethernet/intel/ixgbe/ixgbe.h ixgbe_rx_pg_order, 3.10 (FCoE queues: order 1)",
    },
    {
      since: [4, 11],
      value: ixgbeBuildSkb,
      source: "drivers/net/ethernet/intel/ixgbe/ixgbe_main.c ixgbe_set_rx_buffer_len, 4.14, 4.19 and 6.1",
    },
  ],
  failure: [
    {
      since: [2, 6, 24],
      value: retried("ixgbe", "alloc_rx_page_failed, alloc_rx_buff_failed"),
      source: "ixgbe_alloc_rx_buffers, 2.6.32 and 6.1",
    },
  ],
  refillGfp: "GFP_ATOMIC",
  mtuMax: 9710,
};

export const i40e: DriverFacts = {
  name: "i40e",
  modules: ["i40e"],
  what: "Intel 40 gigabit Ethernet (X710, XL710)",
  symbols: [
    { name: "i40e_alloc_rx_buffers", prefix: true, role: "rx refill" },
    { name: "i40e_alloc_mapped_page", role: "rx refill" },
    { name: "i40e_clean_rx", prefix: true, role: "rx poll" },
    { name: "i40e_napi_poll", role: "rx poll" },
    { name: "i40e_clean_tx_irq", role: "tx completion" },
    { name: "i40e_lan_xmit_frame", role: "tx" },
    { name: "i40e_xmit", prefix: true, role: "tx" },
    { name: "i40e_vsi_", prefix: true, role: "setup" },
    { name: "i40e_configure", prefix: true, role: "setup" },
    { name: "i40e_", prefix: true },
  ],
  rx: [
    { since: [3, 12], value: halfPages, source: "drivers/net/ethernet/intel/i40e, before build_skb: half pages" },
    {
      since: [4, 12],
      value: i40eBuildSkb,
      source:
        "drivers/net/ethernet/intel/i40e/i40e_main.c i40e_vsi_configure_rx, 4.19; i40e_calculate_vsi_rx_buf_len, 6.1",
    },
    {
      since: [6, 4],
      value: {
        buffers: (_mtu, at) => pagesOf(at.pageSize < 8192 ? 1 : 0, at, "3 KiB buffer"),
        unless: "the private flag legacy-rx on (ethtool --set-priv-flags, until 6.8) keeps order 0 at every MTU",
      },
      source:
        "drivers/net/ethernet/intel/i40e/i40e_main.c i40e_calculate_vsi_rx_buf_len, 6.12; first release from history",
    },
  ],
  failure: [
    {
      since: [3, 12],
      value: retried("i40e", "rx_alloc_fail, rx_pg_alloc_fail"),
      source: "i40e_alloc_rx_buffers, 4.19 and 6.1",
    },
  ],
  refillGfp: "GFP_ATOMIC | __GFP_NOWARN | __GFP_COMP | __GFP_MEMALLOC (dev_alloc_pages)",
  mtuMax: 9702,
};
