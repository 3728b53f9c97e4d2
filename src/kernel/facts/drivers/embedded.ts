// Cards of small boards and plain desktops: mvneta, bcmgenet, r8169.
import {
  alignUp,
  block,
  type DriverFacts,
  ethChecksum,
  ethHeader,
  notRead,
  orderOfBytes,
  type RxMachine,
  type RxRule,
  vlanTag,
} from "./driver.ts";

/** Marvell header (2), its tag (4), Ethernet header and checksum, to whole cache lines. */
const mvnetaPacket = (mtu: number, at: RxMachine): number =>
  alignUp(mtu + 2 + 4 + ethHeader + ethChecksum, at.cacheLine);

export const mvneta: DriverFacts = {
  name: "mvneta",
  modules: ["mvneta"],
  what: "Marvell Armada 370/38x/3700 Ethernet",
  symbols: [
    { name: "mvneta_rx_refill", prefix: true, role: "rx refill" },
    { name: "mvneta_frag_alloc", role: "rx refill" },
    { name: "hwbm_pool_refill", role: "rx refill" },
    { name: "mvneta_rx", prefix: true, role: "rx poll" },
    { name: "mvneta_poll", role: "rx poll" },
    { name: "mvneta_txq_done", role: "tx completion" },
    { name: "mvneta_tx", prefix: true, role: "tx" },
    { name: "mvneta_setup_rxqs", role: "setup" },
    { name: "mvneta_open", role: "setup" },
    { name: "mvneta_", prefix: true },
  ],
  rx: [
    {
      since: [3, 8],
      value: {
        buffers: (mtu, at) => [{ call: "netdev_alloc_skb", bytes: mvnetaPacket(mtu, at), holds: "linear buffer" }],
      },
      source: "drivers/net/ethernet/marvell/mvneta.c mvneta_rx_refill, 3.10",
    },
    {
      since: [3, 15],
      value: {
        buffers: (mtu, at) => {
          const bytes = alignUp(mvnetaPacket(mtu, at) + at.netSkbPad, at.cacheLine) + at.sharedInfo;
          return [{ call: bytes <= at.pageSize ? "netdev_alloc_frag" : "kmalloc", bytes, holds: "linear buffer" }];
        },
      },
      source: "drivers/net/ethernet/marvell/mvneta.c mvneta_frag_alloc, 4.14",
    },
    {
      since: [4, 19],
      value: {
        buffers: (_mtu, at) => [block("alloc_pages", 0, at, "one page per descriptor")],
        unless: "the hardware buffer manager (marvell,armada-380-neta-bm) keeps linear buffers of the whole MTU",
      },
      source: "drivers/net/ethernet/marvell/mvneta.c mvneta_rx_refill, 4.19",
    },
    {
      since: [5, 5],
      value: {
        buffers: (_mtu, at) => [block("page_pool", 0, at, "one page per descriptor")],
        unless: "the hardware buffer manager (marvell,armada-380-neta-bm) keeps linear buffers of the whole MTU",
      },
      source: "drivers/net/ethernet/marvell/mvneta.c mvneta_rx_refill, 6.1",
    },
  ],
  failure: [
    {
      since: [3, 8],
      value: {
        packet: "kept",
        slot: "keeps its old buffer",
        sentence:
          'mvneta prints "Linux processing - Can\'t refill", hands the packet up and leaves its buffer in the ring as well: the card may write into what the stack reads (fixed in 4.2 and in earlier stable releases).',
        counter: "rx_errors",
      },
      source: "drivers/net/ethernet/marvell/mvneta.c mvneta_rx, 3.10",
    },
    {
      since: [4, 2],
      value: {
        packet: "dropped",
        slot: "keeps its old buffer",
        sentence:
          'mvneta prints "Linux processing - Can\'t refill", drops the packet and leaves its buffer in the ring: the ring stays full.',
        counter: "rx_errors",
      },
      source: "drivers/net/ethernet/marvell/mvneta.c mvneta_rx_swbm, 4.14",
    },
    {
      since: [4, 19],
      value: {
        packet: "kept",
        slot: "stays empty and is retried",
        sentence:
          'mvneta marks the descriptor empty, prints "Can\'t refill queue", and tries again at the next poll: the ring is shorter until memory comes back.',
        counter: "refill_errors",
      },
      source: "drivers/net/ethernet/marvell/mvneta.c mvneta_rx_refill_queue, 6.1",
    },
  ],
  refillGfp: "GFP_ATOMIC (| __GFP_NOWARN since 5.5)",
  mtuMax: 9676,
};

export const bcmgenet: DriverFacts = {
  name: "bcmgenet",
  modules: ["genet", "bcmgenet"],
  what: "Broadcom GENET Ethernet (Raspberry Pi 4 and set-top boxes)",
  symbols: [
    { name: "bcmgenet_rx_refill", role: "rx refill" },
    { name: "bcmgenet_alloc_rx_buffers", role: "setup" },
    { name: "bcmgenet_rx_poll", role: "rx poll" },
    { name: "bcmgenet_desc_rx", role: "rx poll" },
    { name: "bcmgenet_xmit", role: "tx" },
    { name: "bcmgenet_tx_reclaim", role: "tx completion" },
    { name: "bcmgenet_open", role: "setup" },
    { name: "bcmgenet_", prefix: true },
  ],
  rx: [
    {
      since: [3, 15],
      value: { buffers: () => [{ call: "netdev_alloc_skb", bytes: 2048 + 32, holds: "2 KiB buffer" }] },
      source: "drivers/net/ethernet/broadcom/genet/bcmgenet.c bcmgenet_rx_refill, 4.19, 6.1 and 6.12",
    },
    { since: [6, 13], value: notRead, source: "not read between the trees of 6.12 and 7.2" },
    {
      since: [7, 2],
      value: { buffers: (_mtu, at) => [block("page_pool", 0, at, "page of two buffers")] },
      source: "drivers/net/ethernet/broadcom/genet/bcmgenet.c bcmgenet_rx_refill, 7.2",
    },
  ],
  failure: [
    {
      since: [3, 15],
      value: {
        packet: "dropped",
        slot: "keeps its old buffer",
        sentence: "bcmgenet puts the old buffer back and drops the one packet it held; the ring never shrinks.",
        counter: "alloc_rx_buff_failed",
      },
      source: "bcmgenet_rx_refill and bcmgenet_desc_rx, 4.19 and 6.1",
    },
  ],
  refillGfp: "GFP_ATOMIC (| __GFP_NOWARN in later releases)",
  mtuMax: 1500,
  limits: [{ name: "buffer of one packet", bytes: 2048, source: "bcmgenet.c RX_BUF_LENGTH, 4.19" }],
};

/** 16383: the chip wants one size for all, so MTU does not matter any more. */
const r8169Whole = 16383;
const linearByMtu: RxRule = {
  buffers: (mtu, at) => [
    {
      call: "netdev_alloc_skb",
      bytes: Math.max(1536, mtu + ethHeader + vlanTag + ethChecksum) + at.netIpAlign,
      holds: "ring buffer",
    },
  ],
  unless: "stable kernels with the fix for CVE-2009-4537 make every buffer 16383 bytes (order 3 with shared_info)",
};

export const r8169: DriverFacts = {
  name: "r8169",
  modules: ["r8169"],
  what: "Realtek RTL8169/8168/8125 Ethernet",
  symbols: [
    { name: "rtl8169_alloc_rx", prefix: true, role: "rx refill" },
    { name: "rtl8169_rx_fill", role: "setup" },
    { name: "rtl8169_try_rx_copy", role: "rx poll" },
    { name: "rtl8169_rx_interrupt", role: "rx poll" },
    { name: "rtl_rx", role: "rx poll" },
    { name: "rtl8169_poll", role: "rx poll" },
    { name: "rtl8169_start_xmit", role: "tx" },
    { name: "rtl_tx", role: "tx completion" },
    { name: "rtl_open", role: "setup" },
    { name: "rtl8169_", prefix: true },
  ],
  rx: [
    { since: [2, 6], value: linearByMtu, source: "drivers/net/r8169.c rtl8169_set_rxbufsize, 2.6.32" },
    {
      since: [2, 6, 37],
      value: {
        buffers: () => [
          { call: "kmalloc", bytes: r8169Whole, holds: "ring buffer, made once when the interface is opened" },
        ],
      },
      source: "drivers/net/ethernet/realtek/r8169.c rtl8169_alloc_rx_data, 3.10 and 4.19",
    },
    {
      since: [5, 5],
      value: {
        buffers: (_mtu, at) => [
          block(
            "alloc_pages",
            orderOfBytes(16384, at.pageSize),
            at,
            "ring buffer, made once when the interface is opened",
          ),
        ],
      },
      source: "drivers/net/ethernet/realtek/r8169_main.c rtl8169_alloc_rx_data, 6.1",
    },
  ],
  failure: [
    {
      since: [2, 6],
      value: {
        packet: "dropped",
        slot: "stays empty and is retried",
        sentence: "r8169 drops packets while slots are empty and tries to fill them at the next poll.",
        counter: "rx_dropped",
      },
      source: "rtl8169_rx_fill, 2.6.32",
    },
    {
      since: [2, 6, 37],
      value: {
        packet: "dropped",
        slot: "no ring slot: copied per packet",
        sentence:
          "r8169 copies each packet out of a ring that is never refilled: a failure drops that one packet. Only opening the interface needs the 16 KiB blocks.",
        counter: "rx_dropped",
      },
      source: "rtl8169_try_rx_copy, 3.10; rtl_rx, 6.1",
    },
  ],
  refillGfp: "GFP_ATOMIC for the copy; GFP_KERNEL for the ring when the interface is opened",
  mtuMax: 9194,
};
