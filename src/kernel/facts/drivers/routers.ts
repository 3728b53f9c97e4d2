// Ethernet inside router chips: MediaTek's mtk_eth_soc and Marvell's mvpp2. Read in the trees of 5.10, 6.1, 6.12 and 7.2.
import { alignUp, block, type DriverFacts, type RxMachine, type RxRule } from "./driver.ts";
import { failed, ofTree, packetPays, rule, unread } from "./read_tree.ts";

/** mtk_max_frag_size(): room for `length` bytes behind the pads, and shared_info; no MTU changes it. */
const mtkFragment = (length: number, hard: number, at: RxMachine): number =>
  alignUp(at.netSkbPad + hard + at.netIpAlign + (length - hard), at.cacheLine) + at.sharedInfo;
/** MTK_MAX_LRO_RX_LENGTH: 12 KiB, asked silently. */
const mtkLro = (at: RxMachine) => [
  block("alloc_pages", at.pageSize < 8192 ? 2 : 0, at, "buffer of a queue that merges in hardware (LRO)"),
];
const mtkRule = (length: number, hard: number, pools: boolean): RxRule => ({
  buffers: (_mtu, at) => [
    { call: "netdev_alloc_frag", bytes: mtkFragment(length, hard, at), holds: "buffer of one packet" },
  ],
  others: (at) => [
    ...mtkLro(at),
    ...(pools ? [block("page_pool", 0, at, "page (chips of the second generation, MT7986 and later)")] : []),
  ],
});

export const mtkEthSoc = ofTree("mtk_eth_soc", "MediaTek SoC Ethernet", {
  rx: [
    rule(
      [5, 10],
      "drivers/net/ethernet/mediatek/mtk_eth_soc.c mtk_max_frag_size, mtk_max_lro_buf_alloc, 5.10",
      mtkRule(1536, 26, false),
    ),
    unread([5, 11], "5.10 and 6.1"),
    rule(
      [6, 1],
      "drivers/net/ethernet/mediatek/mtk_eth_soc.c mtk_max_frag_size, mtk_page_pool_enabled, 6.1, 6.12 and 7.2",
      mtkRule(2048, 18, true),
    ),
  ],
  failure: [failed([5, 10], "mtk_poll_rx, 5.10, 6.1, 6.12 and 7.2", packetPays("mtk_eth_soc", "rx_dropped"))],
  refillGfp: "GFP_ATOMIC",
  mtuMax: 2030,
});

/** MVPP2_BM_LONG_FRAME_SIZE and MVPP2_BM_JUMBO_FRAME_SIZE, what a buffer of each pool is with headroom and shared_info. */
const longFrame = 2240;
const jumboFrame = 10_432;
const mvppHeadroom = 224;
const longPacket = (at: RxMachine): number => longFrame - mvppHeadroom - at.sharedInfo;

export const mvpp2 = ofTree("mvpp2", "Marvell Armada 375/7K/8K Ethernet (PPv2)", {
  rx: [
    rule(
      [5, 10],
      "drivers/net/ethernet/marvell/mvpp2/mvpp2_main.c mvpp2_frag_alloc, mvpp2.h MVPP2_RX_PKT_SIZE, 5.10, 6.1, 6.12 and 7.2",
      {
        // Marvell header, VLAN tag, Ethernet header and checksum.
        buffers: (mtu, at) => {
          const long = { call: "netdev_alloc_frag" as const, bytes: longFrame, holds: "buffer of the long pool" };
          return alignUp(mtu + 24, at.cacheLine) > longPacket(at)
            ? [long, { call: "kmalloc", bytes: jumboFrame, holds: "buffer of the jumbo pool" }]
            : [long];
        },
        others: (at) => [block("page_pool", 0, at, "page (pools of each CPU, at MTUs without the jumbo pool)")],
        unless: "with pools of each CPU, which a jumbo MTU switches off, buffers are pages of a page_pool",
      },
    ),
  ],
  failure: [
    failed([5, 10], "mvpp2_rx and mvpp2_rx_refill, 5.10, 6.1, 6.12 and 7.2", {
      packet: "dropped",
      slot: "keeps its old buffer",
      sentence:
        'mvpp2 says "failed to refill BM pools", gives the buffer back to its pool and drops the one packet it held; the pool never shrinks.',
      counter: "rx_errors",
    }),
  ],
  refillGfp: "GFP_ATOMIC",
  mtuMax: 9888,
});

/** All of this file. */
export const routers: readonly DriverFacts[] = [mtkEthSoc, mvpp2];
