// Wi-Fi. A packet is never larger than a standard frame, but what a card writes at once is: aggregates of up to 11 KiB. Read in the trees of
// 5.10, 6.1, 6.12 and 7.2.
import { type BufferRequest, block, type DriverFacts, type RxRule } from "./driver.ts";
import { failed, ofTree, packetPays, rule, singlePage, unread } from "./read_tree.ts";

const linear = (bytes: number, holds: string): RxRule => ({
  buffers: (): readonly BufferRequest[] => [{ call: "netdev_alloc_skb", bytes, holds }],
});

export const iwlwifi = ofTree("iwlwifi", "Intel Wi-Fi", {
  rx: [
    rule(
      [5, 10],
      "drivers/net/wireless/intel/iwlwifi/pcie/rx.c iwl_pcie_rx_alloc_page, mvm/ops.c (IWL_AMSDU_DEF), 5.10, 6.1 and 6.12",
      singlePage("alloc_pages", "receive buffer of 4 KiB", {
        others: (at) => [
          block("alloc_pages", at.pageSize < 8192 ? 1 : 0, at, "receive buffer of 8 KiB (amsdu_size=2)"),
          block("alloc_pages", at.pageSize < 8192 ? 2 : 0, at, "receive buffer of 12 KiB (amsdu_size=3)"),
        ],
        unless: "the module parameter amsdu_size makes it 8 or 12 KiB",
        cure: {
          action: "Load iwlwifi with amsdu_size=1",
          changes: "a receive buffer is 4 KiB: a single page",
          costs: "a little throughput where the access point sends large aggregates",
          command: "echo 'options iwlwifi amsdu_size=1' > /etc/modprobe.d/iwlwifi.conf; then reload the module",
        },
      }),
    ),
  ],
  failure: [
    failed([5, 10], "iwl_pcie_rx_alloc_page, iwl_pcie_rx_allocator, 5.10, 6.1 and 6.12", {
      packet: "kept",
      slot: "stays empty and is retried",
      sentence:
        "iwlwifi does without the buffer, and its worker asks again with a mask that may sleep; packets are lost only when the queue of free buffers runs empty.",
    }),
  ],
  refillGfp: "GFP_ATOMIC (GFP_KERNEL from its worker)",
  mtuMax: 2304,
});

export const ath10k = ofTree(
  "ath10k",
  "Qualcomm 802.11ac",
  {
    rx: [
      rule(
        [5, 10],
        "drivers/net/wireless/ath/ath10k/htt_rx.c __ath10k_htt_rx_ring_fill_n, 5.10",
        linear(1920 + 8, "HTT buffer"),
      ),
      unread([5, 11], "5.10 and 6.1"),
      rule(
        [6, 1],
        "drivers/net/wireless/ath/ath10k/htt_rx.c __ath10k_htt_rx_ring_fill_n, 6.1, 6.12 and 7.2",
        linear(2048 + 8, "HTT buffer"),
      ),
    ],
    failure: [
      failed([5, 10], "ath10k_htt_rx_msdu_buff_replenish, 5.10", {
        packet: "kept",
        slot: "stays empty and is retried",
        sentence: "ath10k leaves the ring short and a timer tries again 50 ms later.",
      }),
    ],
    refillGfp: "GFP_ATOMIC",
    mtuMax: 2304,
  },
  ["ath10k_core"],
);

export const ath11k = ofTree("ath11k", "Qualcomm 802.11ax", {
  rx: [
    rule(
      [5, 10],
      "drivers/net/wireless/ath/ath11k/dp_rx.c ath11k_dp_rxbufs_replenish, 5.10, 6.1, 6.12 and 7.2",
      linear(2048 + 128, "DMA buffer"),
    ),
  ],
  failure: [],
  refillGfp: "GFP_ATOMIC",
  mtuMax: 2304,
});

export const rtw88 = ofTree(
  "rtw88",
  "Realtek 802.11ac",
  {
    rx: [
      rule(
        [5, 10],
        "drivers/net/wireless/realtek/rtw88/pci.c rtw_pci_init_rx_ring (RTK_PCI_RX_BUF_SIZE), 5.10, 6.1, 6.12 and 7.2",
        linear(11454 + 24, "ring buffer, made once when the card is probed"),
      ),
    ],
    failure: [
      failed(
        [5, 10],
        "drivers/net/wireless/realtek/rtw88/pci.c rtw_pci_rx_isr, 5.10.265; rtw_pci_rx_napi, 6.1.192, 6.12.117 and 7.2.13",
        {
          packet: "dropped",
          slot: "no ring slot: copied per packet",
          sentence:
            'rtw88 drops the one packet that it could not copy and warns "rx routine starvation", the first time only; the ring keeps its buffers.',
        },
      ),
    ],
    refillGfp: "GFP_ATOMIC; a received packet is copied into a buffer of its own",
    mtuMax: 2304,
  },
  ["rtw88_pci"],
);

export const rtw89 = ofTree(
  "rtw89",
  "Realtek 802.11ax",
  {
    rx: [
      rule(
        [6, 12],
        "drivers/net/wireless/realtek/rtw89/pci.c rtw89_pci_alloc_rx_ring (RTW89_PCI_RX_BUF_SIZE), 6.12",
        linear(11454 + 40, "ring buffer, made once when the card is probed"),
      ),
    ],
    failure: [
      failed(
        [6, 1],
        "drivers/net/wireless/realtek/rtw89/pci.c rtw89_pci_rxbd_deliver_skbs, 6.1.192, 6.12.117 and 7.2.13",
        {
          packet: "dropped",
          slot: "no ring slot: copied per packet",
          sentence: "rtw89 drops the one packet that it could not copy, without a message; the ring keeps its buffers.",
        },
      ),
    ],
    refillGfp: "GFP_ATOMIC; a received packet is copied into a buffer of its own",
    mtuMax: 2304,
  },
  ["rtw89_pci"],
);

/** IEEE80211_MAX_MPDU_LEN / 2 (ath9k.h), and a cache line less one to align by (ath_rxbuf_alloc). */
const ath9kBuffer = 3852 / 2;

export const ath9k = ofTree("ath9k", "Atheros 802.11n", {
  rx: [
    rule(
      [5, 10],
      "drivers/net/wireless/ath/ath9k/recv.c ath_rx_init, ath/main.c ath_rxbuf_alloc, 5.10, 6.1, 6.12 and 7.2",
      {
        buffers: (_mtu, at) => [
          { call: "netdev_alloc_skb", bytes: ath9kBuffer + at.cacheLine - 1, holds: "ring buffer" },
        ],
        unless: "chips of the AR9003 family add their receive status to the buffer",
      },
    ),
  ],
  failure: [
    failed([5, 10], "ath_rx_tasklet, 5.10, 6.1, 6.12 and 7.2; its counter: common-debug.c, 6.1.192", {
      ...packetPays("ath9k", "OOM-ERR"),
      counterCommand: "cat /sys/kernel/debug/ieee80211/phy*/ath9k/recv",
    }),
  ],
  refillGfp: "GFP_ATOMIC",
  mtuMax: 2304,
});

export const mt76 = ofTree("mt76", "MediaTek 802.11ac, ax and be", {
  rx: [
    rule(
      [5, 10],
      "drivers/net/wireless/mediatek/mt76/dma.c mt76_dma_rx_fill, mt76.h MT_RX_BUF_SIZE, usb.c, 5.10 and 6.1",
      {
        buffers: () => [{ call: "netdev_alloc_frag", bytes: 2048, holds: "DMA buffer" }],
        others: (at) => [{ call: "netdev_alloc_frag", bytes: at.pageSize, holds: "USB buffer" }],
      },
    ),
    unread([6, 2], "6.1 and 6.12"),
    rule(
      [6, 12],
      "drivers/net/wireless/mediatek/mt76/mac80211.c mt76_create_page_pool, 6.12 and 7.2",
      singlePage("page_pool", "part of a page"),
    ),
  ],
  failure: [
    failed([5, 10], "mt76_dma_rx_fill, 5.10, 6.1 and 6.12", {
      packet: "kept",
      slot: "stays empty and is retried",
      sentence:
        "mt76 leaves the ring short and fills it at the next poll; packets are lost only when it has run empty.",
    }),
  ],
  refillGfp: "GFP_ATOMIC",
  mtuMax: 2304,
});

export const brcmfmac = ofTree("brcmfmac", "Broadcom FullMAC Wi-Fi", {
  rx: [
    rule(
      [5, 10],
      "drivers/net/wireless/broadcom/brcm80211/brcmfmac/msgbuf.c brcmf_msgbuf_rxbuf_data_post, usb.c, 5.10, 6.1, 6.12 and 7.2",
      {
        buffers: () => [{ call: "netdev_alloc_skb", bytes: 2048, holds: "posted buffer (PCIe)" }],
        others: () => [{ call: "netdev_alloc_skb", bytes: 1600, holds: "USB buffer" }],
        unless: "on SDIO each packet gets a buffer of its own length",
      },
    ),
  ],
  failure: [
    failed([5, 10], "brcmf_msgbuf_rxbuf_data_post, 5.10, 6.1, 6.12 and 7.2", {
      packet: "kept",
      slot: "stays empty and is retried",
      sentence:
        'brcmfmac says "Failed to alloc SKB", posts fewer buffers and tries again when packets have come in; on SDIO the one packet is dropped.',
    }),
  ],
  refillGfp: "GFP_ATOMIC",
  mtuMax: 2304,
});

/** All of this file. */
export const wireless: readonly DriverFacts[] = [iwlwifi, ath10k, ath11k, rtw88, rtw89, ath9k, mt76, brcmfmac];
