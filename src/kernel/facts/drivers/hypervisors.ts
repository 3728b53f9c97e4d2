// The paravirtual cards that copy: xen-netfront and hv_netvsc. Neither's receive order depends on the MTU.
import { block, type DriverFacts, ethChecksum, ethHeader, vlanTag } from "./driver.ts";

export const xenNetfront: DriverFacts = {
  name: "xen-netfront",
  modules: ["xen_netfront"],
  what: "Xen paravirtual network front end",
  symbols: [
    { name: "xennet_alloc_rx_buffers", role: "rx refill" },
    { name: "xennet_alloc_one_rx_buffer", role: "rx refill" },
    { name: "xennet_poll", role: "rx poll" },
    { name: "xennet_start_xmit", role: "tx" },
    { name: "xennet_tx_buf_gc", role: "tx completion" },
    { name: "xennet_", prefix: true },
    { name: "netfront_", prefix: true },
  ],
  rx: [
    {
      since: [2, 6, 23],
      value: {
        buffers: (_mtu, at) => [
          { call: "netdev_alloc_skb", bytes: 256 + at.netIpAlign, holds: "header to copy into" },
          block("alloc_pages", 0, at, "page granted to the host"),
        ],
      },
      source: "drivers/net/xen-netfront.c xennet_alloc_rx_buffers, 2.6.32 to 4.19",
    },
    {
      since: [5, 9],
      value: {
        buffers: (_mtu, at) => [
          { call: "netdev_alloc_skb", bytes: 256 + at.netIpAlign, holds: "header to copy into" },
          block("page_pool", 0, at, "page granted to the host"),
        ],
      },
      source: "drivers/net/xen-netfront.c xennet_alloc_one_rx_buffer, 6.1",
    },
  ],
  failure: [
    {
      since: [2, 6, 23],
      value: {
        packet: "kept",
        slot: "stays empty and is retried",
        sentence:
          "xen-netfront leaves the slot empty and a timer tries again 100 ms later. Its receive path prints no failure report (__GFP_NOWARN), so a report that names it comes from another of its paths.",
      },
      source: "xennet_alloc_rx_buffers, 2.6.32, 4.19 and 6.1",
    },
  ],
  refillGfp: "GFP_ATOMIC | __GFP_NOWARN",
  mtuMax: 65517,
};

export const hvNetvsc: DriverFacts = {
  name: "hv_netvsc",
  modules: ["hv_netvsc"],
  what: "Hyper-V and Azure network device",
  symbols: [
    { name: "netvsc_alloc_recv_skb", role: "rx poll" },
    { name: "netvsc_recv_callback", role: "rx poll" },
    { name: "netvsc_receive", prefix: true, role: "rx poll" },
    { name: "rndis_filter_receive", prefix: true, role: "rx poll" },
    { name: "netvsc_poll", role: "rx poll" },
    { name: "netvsc_start_xmit", prefix: true, role: "tx" },
    { name: "netvsc_xmit", role: "tx" },
    { name: "netvsc_send", prefix: true, role: "tx" },
    { name: "netvsc_", prefix: true },
    { name: "rndis_filter_", prefix: true },
  ],
  rx: [
    {
      since: [3, 2],
      value: {
        buffers: (mtu) => [
          { call: "netdev_alloc_skb", bytes: mtu + ethHeader + vlanTag + ethChecksum, holds: "copy of one packet" },
        ],
        unless: "receive coalescing (RSC, 5.x hosts) hands over up to 64 KiB at once, copied into one linear skb",
      },
      source: "drivers/net/hyperv/netvsc_drv.c netvsc_recv_callback, 3.10",
    },
    {
      since: [4, 15],
      value: {
        buffers: (mtu) => [
          { call: "napi_alloc_skb", bytes: mtu + ethHeader + vlanTag + ethChecksum, holds: "copy of one packet" },
        ],
        unless: "receive coalescing (RSC, 5.x hosts) hands over up to 64 KiB at once, copied into one linear skb",
      },
      source: "drivers/net/hyperv/netvsc_drv.c netvsc_alloc_recv_skb, 4.19 and 6.1",
    },
  ],
  failure: [
    {
      since: [3, 2],
      value: {
        packet: "dropped",
        slot: "no ring slot: copied per packet",
        sentence:
          "hv_netvsc receives into memory the host already has and copies each packet into a new skb: a failure drops that one packet and nothing else.",
        counter: "rx_no_memory / rx_dropped",
      },
      source: "netvsc_recv_callback, 3.10, 4.19 and 6.1",
    },
  ],
  refillGfp: "GFP_ATOMIC",
  mtuMax: 65521,
};
