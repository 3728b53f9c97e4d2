// Cards of clouds beside those of servers: Google's gve and Microsoft's MANA. Read in the trees of 5.10, 6.1, 6.12 and 7.2.
import { alignUp, block, type DriverFacts, ethHeader, orderOfBytes, type RxMachine } from "./driver.ts";
import { failed, ofTree, packetPays, rule, singlePage, triedAgain, unread } from "./read_tree.ts";

export const gve = ofTree("gve", "Google virtual Ethernet", {
  rx: [
    rule(
      [5, 10],
      "drivers/net/ethernet/google/gve/gve_main.c gve_alloc_page, 5.10; with gve_rx_dqo.c gve_alloc_page_dqo, 6.1 and 6.12",
      singlePage("alloc_pages", "page of the queue, halved where packets are small", {
        unless: "a device with a queue page list gets its pages once, when the queue is set up; packets are copied out",
      }),
    ),
    unread([6, 13], "6.12 and 7.2"),
    rule(
      [7, 2],
      "drivers/net/ethernet/google/gve/gve_buffer_mgmt_dqo.c gve_alloc_from_page_pool, 7.2",
      singlePage("page_pool", "page or part of one", {
        unless: "a device with a queue page list gets its pages once, when the queue is set up; packets are copied out",
      }),
    ),
  ],
  failure: [
    failed([5, 10], "gve_rx, 5.10", packetPays("gve", "rx_skb_alloc_fail")),
    failed(
      [6, 1],
      "gve_rx_refill_buffers and gve_rx_post_buffers_dqo, 6.1 and 6.12",
      triedAgain("gve", "rx_buf_alloc_fail"),
    ),
  ],
  refillGfp: "GFP_ATOMIC",
  mtuMax: 9216,
});

/** MANA_RXBUF_PAD and XDP_PACKET_HEADROOM (include/net/mana/mana.h, 6.1.192 and 6.12). */
const manaPad = (at: RxMachine): number => at.sharedInfo + ethHeader;
const xdpHeadroom = 256;

export const mana = ofTree("mana", "Microsoft Azure Network Adapter", {
  rx: [
    {
      since: [6, 12],
      stable: { "6.1": 192 },
      source: "drivers/net/ethernet/microsoft/mana/mana_en.c mana_get_rxbuf_cfg, 6.1.192 and 6.12.117",
      value: {
        buffers: (mtu, at) => {
          const headroom = mtu > at.pageSize - manaPad(at) - xdpHeadroom ? 0 : xdpHeadroom;
          const bytes = Math.max(at.pageSize, alignUp(mtu + manaPad(at) + headroom, at.cacheLine));
          return [block("page_pool", orderOfBytes(bytes, at.pageSize), at, "buffer of one packet")];
        },
      },
    },
    unread([6, 13], "6.12 and 7.2"),
    rule([7, 2], "drivers/net/ethernet/microsoft/mana/mana_en.c mana_get_rxbuf_cfg, 7.2", {
      buffers: (mtu, at) => {
        // LL_RESERVED_SPACE of Ethernet: 16 bytes. Two buffers that fit one page are cut from it.
        const bytes = alignUp(mtu + manaPad(at) + 16, at.cacheLine);
        return at.pageSize / bytes >= 2
          ? [block("page_pool", 0, at, "part of a page")]
          : [block("page_pool", orderOfBytes(bytes, at.pageSize), at, "buffer of one packet")];
      },
      unless: "with an XDP program, or the private flag for full pages, each packet has a block of its own",
    }),
  ],
  failure: [
    {
      since: [6, 12],
      stable: { "6.1": 192 },
      value: packetPays("mana", "rx_dropped"),
      source: "mana_refill_rx_oob and mana_rx_skb, 6.1.192 and 6.12.117",
    },
  ],
  refillGfp: "GFP_ATOMIC | __GFP_NOWARN (page_pool)",
  mtuMax: 9216,
});

/** All of this file. */
export const clouds: readonly DriverFacts[] = [gve, mana];
