// Intel PRO/1000 PCI and PCI-X (e1000).
import {
  alignUp,
  block,
  type DriverFacts,
  ethChecksum,
  ethDataLen,
  ethHeader,
  type RxMachine,
  type RxRule,
  vlanTag,
} from "./driver.ts";

const standardFrame = 1518 + vlanTag;
const maxFrame = (mtu: number): number => mtu + ethHeader + ethChecksum;

/** Until 2.6.26: the buffer grows in powers of two with the MTU and is one linear skb, up to 16 KiB. */
const powersOfTwo: RxRule = {
  buffers: (mtu, at) => {
    const frame = maxFrame(mtu);
    const sizes = [256, 512, 1024, 2048, 4096, 8192, 16384];
    const bytes = frame === 1518 || frame === standardFrame ? standardFrame : (sizes.find((s) => frame <= s) ?? 16384);
    return [
      {
        call: "netdev_alloc_skb",
        bytes: bytes + at.netIpAlign,
        holds: bytes > 2048 ? "jumbo buffer" : "standard buffer",
      },
    ];
  },
  unless: "packet split (off by default) takes a small header and whole pages instead",
};

/** Later: a linear buffer up to MTU 1500, and single pages above that. */
const standardBytes = (mtu: number): number => (maxFrame(mtu) === 1518 ? standardFrame : 2048);
const pagesAboveStandard = (standard: (bytes: number, at: RxMachine) => ReturnType<RxRule["buffers"]>): RxRule => ({
  buffers: (mtu, at) =>
    mtu <= ethDataLen
      ? standard(standardBytes(mtu), at)
      : [block("alloc_pages", 0, at, "jumbo page", Math.ceil(maxFrame(mtu) / at.pageSize))],
});

export const e1000: DriverFacts = {
  name: "e1000",
  modules: ["e1000"],
  what: "Intel PRO/1000 (PCI, PCI-X, and what virtual machines imitate)",
  symbols: [
    { name: "e1000_alloc_rx_buffers", prefix: true, role: "rx refill" },
    { name: "e1000_alloc_jumbo_rx_buffers", role: "rx refill" },
    { name: "e1000_alloc_frag", prefix: true, role: "rx refill" },
    { name: "e1000_clean_rx_irq", prefix: true, role: "rx poll" },
    { name: "e1000_clean_jumbo_rx_irq", role: "rx poll" },
    { name: "e1000_clean_tx_irq", role: "tx completion" },
    { name: "e1000_clean", role: "rx poll" },
    { name: "e1000_xmit_frame", role: "tx" },
    { name: "e1000_up", role: "setup" },
    { name: "e1000_open", role: "setup" },
    { name: "e1000_configure", role: "setup" },
    { name: "e1000_change_mtu", role: "setup" },
    { name: "e1000_", prefix: true },
  ],
  rx: [
    { since: [2, 6], value: powersOfTwo, source: "drivers/net/e1000/e1000_main.c e1000_change_mtu, 2.6.24" },
    {
      since: [2, 6, 32],
      value: pagesAboveStandard((bytes, at) => [
        { call: "netdev_alloc_skb", bytes: bytes + at.netIpAlign, holds: "standard buffer" },
      ]),
      source: "drivers/net/e1000/e1000_main.c e1000_change_mtu, 2.6.32 and 3.10",
    },
    {
      since: [3, 18],
      value: pagesAboveStandard((bytes, at) => [
        {
          call: "netdev_alloc_frag",
          bytes: alignUp(bytes + at.netSkbPad + at.netIpAlign, at.cacheLine) + at.sharedInfo,
          holds: "standard buffer",
        },
      ]),
      source: "drivers/net/ethernet/intel/e1000/e1000_main.c e1000_alloc_frag, 4.19 and 6.1",
    },
  ],
  failure: [
    {
      since: [2, 6],
      value: {
        packet: "kept",
        slot: "stays empty and is retried",
        sentence:
          "e1000 stops refilling at the first failure and tries again at the next poll; packets are lost only when the ring runs empty, and every two seconds the watchdog triggers a receive interrupt, so that an empty ring is refilled.",
        counter: "alloc_rx_buff_failed",
      },
      source: "e1000_alloc_rx_buffers and e1000_watchdog, 2.6.24, 4.19 and 6.1",
    },
  ],
  refillGfp: "GFP_ATOMIC",
  mtuMax: 16110,
};
