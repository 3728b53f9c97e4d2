// virtio_net: the network card of KVM and most clouds. Mergeable buffers are the usual case: small fragments cut from bigger pages, since 7.1 from
// single pages of a page_pool.
import {
  alignUp,
  block,
  type DriverFacts,
  ethDataLen,
  ethHeader,
  type RxMachine,
  type RxRule,
  vlanTag,
} from "./driver.ts";

const goodPacket = ethHeader + vlanTag + ethDataLen;
const unlessBig =
  "a host that offers neither mergeable buffers nor jumbo frames gets small linear buffers; one that offers big packets only gets chains of single pages";

/** Fragments for mergeable buffers: their length follows the average packet, never less than a standard frame. */
const mergeable: RxRule = {
  buffers: (mtu, at) => [
    {
      call: "skb_page_frag_refill",
      bytes: Math.min(
        at.pageSize,
        alignUp(12 + Math.max(goodPacket, Math.min(mtu + ethHeader + vlanTag, at.pageSize - 12)), at.cacheLine),
      ),
      holds: "mergeable buffer",
    },
  ],
  unless: unlessBig,
};
const pages = (holds: string): RxRule => ({
  buffers: (_mtu, at: RxMachine) => [block("alloc_pages", 0, at, holds)],
  unless: unlessBig,
});

/** virtnet_create_page_pools(): order 0, whatever the MTU. */
const pooled: RxRule = {
  buffers: (_mtu, at) => [block("page_pool", 0, at, "mergeable buffer, a part of a page or a page")],
  unless: unlessBig,
};

export const virtioNet: DriverFacts = {
  name: "virtio_net",
  modules: ["virtio_net"],
  what: "virtio network device (KVM and clouds)",
  symbols: [
    { name: "try_fill_recv", prefix: true, role: "rx refill" },
    { name: "add_recvbuf", prefix: true, role: "rx refill" },
    { name: "virtnet_rq_alloc", role: "rx refill" },
    { name: "refill_work", role: "rx refill" },
    { name: "virtnet_poll", prefix: true, role: "rx poll" },
    { name: "receive_mergeable", role: "rx poll" },
    { name: "virtnet_receive", role: "rx poll" },
    { name: "page_to_skb", role: "rx poll" },
    { name: "start_xmit", role: "tx" },
    { name: "free_old_xmit", prefix: true, role: "tx completion" },
    { name: "virtnet_open", role: "setup" },
    { name: "virtnet_", prefix: true },
  ],
  rx: [
    {
      since: [2, 6, 24],
      value: {
        buffers: () => [{ call: "netdev_alloc_skb", bytes: ethHeader + ethDataLen, holds: "small buffer" }],
      },
      source: "drivers/net/virtio_net.c try_fill_recv, 2.6.24",
    },
    { since: [2, 6, 29], value: pages("mergeable page"), source: "drivers/net/virtio_net.c, 2.6.32 and 3.10" },
    { since: [3, 12], value: mergeable, source: "drivers/net/virtio_net.c add_recvbuf_mergeable, 4.19 and 6.1" },
    {
      since: [7, 1],
      value: pooled,
      source:
        "drivers/net/virtio_net.c virtnet_create_page_pools, 7.2 and 7.3: not in 6.19; first release from history",
      read: "history",
    },
  ],
  failure: [
    {
      since: [2, 6, 29],
      value: {
        packet: "kept",
        slot: "stays empty and is retried",
        sentence:
          "virtio_net hands the refill to a worker that may sleep and reclaim; packets are lost only when the ring runs empty before it comes.",
        counter: "rx_queue_N_drops (rxN_drops since 6.10)",
      },
      source: "try_fill_recv and refill_work, 2.6.32, 4.19 and 6.1",
    },
    {
      since: [6, 19],
      value: {
        packet: "kept",
        slot: "stays empty and is retried",
        sentence:
          "virtio_net polls again at once until its ring is filled; packets are lost only when the ring runs empty before that.",
        counter: "rxN_drops",
      },
      source:
        "virtnet_receive, which answers its whole budget then, 6.19, 7.2 and 7.3; refill_work is in 6.14, not in 6.19",
      read: "history",
    },
  ],
  refillGfp: "GFP_ATOMIC (GFP_KERNEL in the refill worker)",
  mtuMax: 65535,
};
