// Interfaces without a card of their own: what memory they ask for, and who loses what when they get none. Read in the trees of 5.10, 6.1, 6.12
// and 7.2. wireguard and veth hand on the packets they are given: they have no receive buffers, and no table of them is shown.
import { alignUp, type DriverFacts, ethHeader, type RefillFailure, type RxRule } from "./driver.ts";
import { failed, ofTree, packetPays, rule } from "./read_tree.ts";

const noBuffers: RxRule = { buffers: () => [], noBuffers: true };
const perPacket = (sentence: string, counter?: string): RefillFailure => ({
  packet: "dropped",
  slot: "no ring slot: copied per packet",
  sentence,
  ...(counter === undefined ? {} : { counter }),
});

export const wireguard = ofTree("wireguard", "WireGuard tunnel", {
  rx: [rule([5, 10], "drivers/net/wireguard/receive.c wg_packet_receive, 5.10, 6.1 and 7.2", noBuffers)],
  failure: [
    failed(
      [5, 10],
      "drivers/net/wireguard/receive.c decrypt_packet, send.c encrypt_packet (skb_cow_data), 5.10, 6.1, 6.12 and 7.2",
      perPacket(
        "wireguard has no receive ring: it encrypts and decrypts in place, copies a packet first where others use it too, and drops that one packet when it cannot; the inner protocol retransmits it.",
      ),
    ),
  ],
  refillGfp: "GFP_ATOMIC",
  mtuMax: 65_535,
});

export const veth = ofTree("veth", "virtual Ethernet pair", {
  rx: [rule([5, 10], "drivers/net/veth.c veth_xdp_rcv_skb, 5.10, 6.1 and 7.2", noBuffers)],
  failure: [
    failed(
      [5, 10],
      "drivers/net/veth.c veth_xdp_rcv_skb, veth_convert_skb_to_xdp_buff, 5.10 and 6.1; skb_pp_cow_data, 7.2",
      perPacket(
        "veth hands packets over as they are and needs memory for an XDP program only: it then copies into single pages, allocated with __GFP_NOWARN, and drops the one packet for which there is none.",
        "rx_queue_N_drops",
      ),
    ),
  ],
  refillGfp: "GFP_ATOMIC | __GFP_NOWARN",
  mtuMax: 65_535,
});

/** NET_SKB_PAD and NET_IP_ALIGN stand before the packet (TUN_RX_PAD). */
export const tun = ofTree("tun", "TUN/TAP device", {
  rx: [
    rule([5, 10], "drivers/net/tun.c tun_alloc_skb, tun_can_build_skb, 5.10, 6.1, 6.12 and 7.2", {
      buffers: (mtu, at) => {
        const bytes = mtu + ethHeader + at.netSkbPad + at.netIpAlign;
        return alignUp(bytes, at.cacheLine) + at.sharedInfo <= at.pageSize
          ? [
              {
                call: "skb_page_frag_refill",
                bytes: alignUp(bytes, at.cacheLine) + at.sharedInfo,
                holds: "packet that a program writes",
              },
            ]
          : [{ call: "alloc_skb", bytes, holds: "packet that a program writes" }];
      },
      unless:
        "a writer that gives a virtio header makes only the headers linear, and one whose socket has a send limit, or that may wait, never takes the fragment",
    }),
  ],
  failure: [
    failed([5, 10], "tun_get_user, 5.10, 6.1, 6.12 and 7.2", {
      packet: "kept",
      slot: "no ring slot: copied per packet",
      sentence:
        "tun has no receive ring: the program that writes a packet asks for its memory, and its write fails; what happens to the packet is up to the program.",
      counter: "rx_dropped",
    }),
  ],
  refillGfp: "GFP_KERNEL",
  mtuMax: 65_521,
});

export const vhostNet = ofTree("vhost_net", "vhost, the host's side of virtio_net", {
  rx: [
    rule(
      [5, 10],
      "drivers/vhost/net.c vhost_net_build_xdp, vhost_net_page_frag_refill, 5.10 and 6.1; page_frag_alloc_align, 6.12 and 7.2",
      {
        buffers: (mtu, at) => {
          // A virtio header of 12 bytes; larger packets go to the tap device by themselves, which asks for their memory.
          const pad = alignUp(at.netIpAlign + at.netSkbPad + 12, at.cacheLine);
          const bytes = alignUp(mtu + ethHeader + 12 + pad, at.cacheLine) + at.sharedInfo;
          return bytes <= at.pageSize
            ? [{ call: "skb_page_frag_refill", bytes, holds: "packet that the guest sends" }]
            : [
                {
                  call: "alloc_skb",
                  bytes: mtu + ethHeader + at.netSkbPad,
                  holds: "packet that the guest sends, by tun",
                },
              ];
        },
      },
    ),
  ],
  failure: [
    failed([5, 10], "handle_tx_copy, 5.10, 6.1, 6.12 and 7.2", {
      packet: "kept",
      slot: "stays empty and is retried",
      sentence:
        "vhost_net leaves the guest's packet in the guest's ring and looks again later: the guest sends more slowly, nothing is lost.",
    }),
  ],
  refillGfp: "GFP_KERNEL",
  mtuMax: 65_521,
});

/** IPOIB_UD_BUF_SIZE and IPOIB_HARD_LEN: the link's MTU (2048 or 4096), GRH, pseudo header. */
export const ipoib = ofTree(
  "ipoib",
  "IP over InfiniBand",
  {
    rx: [
      rule([5, 10], "drivers/infiniband/ulp/ipoib/ipoib_ib.c ipoib_alloc_rx_skb, ipoib.h, 5.10, 6.1, 6.12 and 7.2", {
        buffers: () => [
          { call: "netdev_alloc_skb", bytes: 4096 + 40 + 24, holds: "datagram buffer of a link with MTU 4096" },
        ],
        others: () => [
          { call: "netdev_alloc_skb", bytes: 2048 + 40 + 24, holds: "datagram buffer of a link with MTU 2048" },
          { call: "netdev_alloc_skb", bytes: 4112, holds: "connected mode: head, and up to 15 single pages behind it" },
        ],
        unless: "a link whose largest MTU is 2048 takes buffers of half the size",
      }),
    ],
    failure: [
      failed(
        [5, 10],
        "ipoib_ib_handle_rx_wc and ipoib_cm_handle_rx_wc, 5.10, 6.1, 6.12 and 7.2",
        packetPays("ipoib", "rx_dropped"),
      ),
    ],
    refillGfp: "GFP_ATOMIC",
    mtuMax: 65_520,
  },
  ["ib_ipoib"],
);

/** All of this file. */
export const software: readonly DriverFacts[] = [wireguard, veth, tun, vhostNet, ipoib];
