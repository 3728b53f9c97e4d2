// Intel PRO/1000 PCI Express (e1000e): linear buffers at the standard MTU, packet split (a small header and up to three pages) above it.
import { block, type DriverFacts, ethChecksum, ethDataLen, ethHeader, type RxRule, vlanTag } from "./driver.ts";

const standardFrame = 1518 + vlanTag;

function rings(vlanCounted: boolean): RxRule {
  return {
    buffers: (mtu, at) => {
      const frame = mtu + ethHeader + ethChecksum + (vlanCounted ? vlanTag : 0);
      const fits = frame === 1518 || frame === standardFrame || (vlanCounted && frame < standardFrame);
      const linear = fits ? standardFrame : frame <= 2048 ? 2048 : 4096;
      const pages = Math.ceil(mtu / at.pageSize);
      if (mtu > ethDataLen && pages <= 3)
        return [
          { call: "netdev_alloc_skb", bytes: 128 + at.netIpAlign, holds: "packet-split header" },
          block("alloc_pages", 0, at, "packet-split page", pages),
        ];
      if (mtu > 1518)
        return [
          { call: "netdev_alloc_skb", bytes: 256 + at.netIpAlign, holds: "jumbo header" },
          block("alloc_pages", 0, at, "jumbo page", pages),
        ];
      return [{ call: "netdev_alloc_skb", bytes: linear + at.netIpAlign, holds: "standard buffer" }];
    },
    unless: "chips that cannot receive jumbo frames refuse an MTU above 1500",
  };
}

export const e1000e: DriverFacts = {
  name: "e1000e",
  modules: ["e1000e"],
  what: "Intel PRO/1000 PCI Express",
  symbols: [
    { name: "e1000_alloc_rx_buffers_ps", role: "rx refill" },
    { name: "e1000_alloc_rx_buffers", role: "rx refill" },
    { name: "e1000_alloc_jumbo_rx_buffers", role: "rx refill" },
    { name: "e1000_clean_rx_irq", prefix: true, role: "rx poll" },
    { name: "e1000_clean_jumbo_rx_irq", role: "rx poll" },
    { name: "e1000_clean_tx_irq", role: "tx completion" },
    { name: "e1000e_poll", role: "rx poll" },
    { name: "e1000_xmit_frame", role: "tx" },
    { name: "e1000e_up", role: "setup" },
    { name: "e1000e_open", role: "setup" },
    { name: "e1000_configure", role: "setup" },
    { name: "e1000_change_mtu", role: "setup" },
    { name: "e1000e_", prefix: true },
    { name: "e1000_", prefix: true },
  ],
  rx: [
    { since: [2, 6, 24], value: rings(false), source: "drivers/net/e1000e/netdev.c, 2.6.24, 2.6.32 and 3.10" },
    { since: [4, 2], value: rings(true), source: "drivers/net/ethernet/intel/e1000e/netdev.c, 4.19 and 6.1" },
  ],
  failure: [
    {
      since: [2, 6, 24],
      value: {
        packet: "kept",
        slot: "stays empty and is retried",
        sentence:
          "e1000e stops refilling at the first failure and tries again at the next poll; packets are lost only when the ring runs empty.",
        counter: "alloc_rx_buff_failed",
      },
      source: "e1000_alloc_rx_buffers, 3.10 and 6.1",
    },
  ],
  refillGfp: "GFP_ATOMIC (GFP_KERNEL while the interface is brought up, since 3.x)",
  mtuMax: 9216,
};
