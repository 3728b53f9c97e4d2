// Ethernet of boards and SoCs beside those with files of their own. Read in the trees of 5.10, 6.1, 6.12 and 7.2.
import { alignUp, block, type DriverFacts, ethChecksum, ethHeader, type RxRule } from "./driver.ts";
import { failed, ofTree, packetPays, rule, singlePage, triedAgain, unread } from "./read_tree.ts";

/** stmmac_set_bfsize(): a buffer holds a whole frame; BUF_SIZE_8KiB is 8188 bytes. */
const stmmacByMtu = (steps: readonly (readonly [above: number, order: number])[]): RxRule => ({
  buffers: (mtu, at) => {
    const order = at.pageSize > 4096 ? 0 : (steps.find(([above]) => mtu >= above)?.[1] ?? 0);
    return [block("page_pool", order, at, "buffer of a whole frame")];
  },
});

export const stmmac = ofTree(
  "stmmac",
  "Synopsys DesignWare Ethernet (STM32, Rockchip, Amlogic, Intel Elkhart Lake and others)",
  {
    rx: [
      rule(
        [5, 10],
        "drivers/net/ethernet/stmicro/stmmac/stmmac_main.c stmmac_set_bfsize and pp_params.order, 5.10, 6.1 and 6.12",
        stmmacByMtu([
          [8188, 2],
          [4096, 1],
        ]),
      ),
      unread([6, 13], "6.12 and 7.2"),
      rule(
        [7, 2],
        "drivers/net/ethernet/stmicro/stmmac/stmmac_main.c stmmac_set_bfsize, 7.2 (which counts the header as well)",
        stmmacByMtu([
          [8188, 2],
          [4096, 1],
        ]),
      ),
    ],
    failure: [failed([5, 10], "stmmac_rx_refill, 5.10, 6.1, 6.12 and 7.2", triedAgain("stmmac"))],
    refillGfp: "GFP_ATOMIC | __GFP_NOWARN",
    mtuMax: 9000,
  },
  ["stmmac"],
);

export const fec = ofTree("fec", "Freescale and NXP i.MX Ethernet", {
  rx: [
    rule([5, 10], "drivers/net/ethernet/freescale/fec_main.c fec_enet_rx_queue (FEC_ENET_RX_FRSIZE), 5.10", {
      buffers: () => [{ call: "netdev_alloc_skb", bytes: 2048, holds: "2 KiB buffer" }],
    }),
    unread([5, 11], "5.10 and 6.1"),
    rule(
      [6, 1],
      "drivers/net/ethernet/freescale/fec_main.c fec_enet_create_page_pool, 6.1 and 6.12",
      singlePage("page_pool", "page"),
    ),
    unread([6, 13], "6.12 and 7.2"),
  ],
  failure: [
    failed(
      [5, 10],
      "drivers/net/ethernet/freescale/fec_main.c fec_enet_rx_queue, 5.10.265, 6.1.192, 6.12.117 and 7.2.13",
      packetPays("fec", "rx_dropped"),
    ),
  ],
  refillGfp: "GFP_ATOMIC",
  mtuMax: 1966,
});

export const macb = ofTree("macb", "Cadence MACB and GEM Ethernet (Zynq, SAMA5, SiFive, Raspberry Pi 5)", {
  rx: [
    rule([5, 10], "drivers/net/ethernet/cadence/macb_main.c macb_open and gem_rx_refill, 5.10, 6.1, 6.12 and 7.2", {
      buffers: (mtu, at) => [
        {
          call: "netdev_alloc_skb",
          bytes: alignUp(mtu + ethHeader + ethChecksum + at.netIpAlign, 64),
          holds: "linear buffer",
        },
      ],
      unless: "the older MACB (not GEM) has one block of small buffers and copies each packet",
    }),
  ],
  failure: [
    failed([5, 10], "gem_rx_refill, 5.10, 6.1, 6.12 and 7.2", {
      ...triedAgain("macb"),
      sentence:
        'macb prints "Unable to allocate sk_buff", leaves the slot empty and tries again at the next poll; packets are lost only when the whole ring has run empty.',
    }),
  ],
  refillGfp: "GFP_ATOMIC",
  mtuMax: 10240,
});

export const dpaa2 = ofTree(
  "dpaa2-eth",
  "NXP Layerscape DPAA2 Ethernet",
  {
    rx: [
      rule(
        [5, 10],
        "drivers/net/ethernet/freescale/dpaa2/dpaa2-eth.c dpaa2_eth_add_bufs, 5.10, 6.12 and 7.2",
        singlePage("alloc_pages", "page of the buffer pool"),
      ),
    ],
    failure: [
      failed(
        [5, 10],
        "drivers/net/ethernet/freescale/dpaa2/dpaa2-eth.c dpaa2_eth_add_bufs, dpaa2_eth_refill_pool and dpaa2_eth_poll, 5.10.265, 6.1.192, 6.12.117 and 7.2.13",
        {
          packet: "kept",
          slot: "stays empty and is retried",
          sentence:
            "dpaa2-eth leaves its buffer pool short and fills it at the next poll; packets are lost only when the pool has run empty.",
          counter: "[hw] rx nobuffer discards",
        },
      ),
    ],
    refillGfp: "GFP_ATOMIC",
    mtuMax: 9000,
  },
  ["fsl_dpaa2_eth"],
);

export const nicvf = ofTree(
  "thunderx",
  "Cavium ThunderX Ethernet",
  {
    rx: [
      rule(
        [5, 10],
        "drivers/net/ethernet/cavium/thunder/nicvf_queues.c nicvf_alloc_page, 5.10, 6.12 and 7.2",
        singlePage("alloc_pages", "page of several buffers"),
      ),
    ],
    failure: [
      failed(
        [5, 10],
        "drivers/net/ethernet/cavium/thunder/nicvf_queues.c nicvf_refill_rbdr, nicvf_rbdr_task and nicvf_rbdr_work, 5.10.265, 6.1.192, 6.12.117 and 7.2.13",
        {
          packet: "kept",
          slot: "stays empty and is retried",
          sentence:
            "thunderx leaves the slots empty, and a worker asks again every 10 ms with a mask that may sleep until the ring is full; packets are lost only when it has run empty.",
          counter: "rcv_buffer_alloc_failures",
        },
      ),
    ],
    refillGfp: "GFP_ATOMIC | __GFP_COMP | __GFP_NOWARN",
    mtuMax: 9190,
  },
  ["nicvf"],
);

/** All of this file. */
export const boards: readonly DriverFacts[] = [stmmac, fec, macb, dpaa2, nicvf];
