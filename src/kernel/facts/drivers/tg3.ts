// Broadcom Tigon3 (tg3): a standard ring of fixed 1536-byte buffers and, above MTU 1500, a jumbo ring of fixed 9046-byte buffers.
import { alignUp, type BufferRequest, type DriverFacts, ethDataLen, type RxMachine, type RxRule } from "./driver.ts";

const standardDma = 1536;
const jumboDma = 9046;
const byteEnable = 64;
/** tp->rx_offset: 2 keeps the IP header aligned (0 only for PCI-X chips that cannot do it). */
const rxOffset = 2;

// Until 3.2 each slot holds an skb that netdev_alloc_skb made.
const skbRings: RxRule = {
  buffers: (mtu) => {
    const standard: BufferRequest = {
      call: "netdev_alloc_skb",
      bytes: standardDma + rxOffset + byteEnable,
      holds: "standard ring",
    };
    if (mtu <= ethDataLen) return [standard];
    return [standard, { call: "netdev_alloc_skb", bytes: jumboDma + rxOffset + byteEnable, holds: "jumbo ring" }];
  },
  unless: "5780-class chips put jumbo buffers on the standard ring above MTU 1500",
};

// Since 3.3 a slot holds bare data and the skb is built around it; room for shared_info is part of the buffer.
function dataBuffer(bytes: number, holds: string, at: RxMachine, frags: boolean): BufferRequest {
  const whole = alignUp(bytes + byteEnable + at.netSkbPad + at.netIpAlign, at.cacheLine) + at.sharedInfo;
  return frags && whole <= at.pageSize
    ? { call: "netdev_alloc_frag", bytes: whole, holds }
    : { call: "kmalloc", bytes: whole, holds };
}
const dataRings = (frags: boolean): RxRule => ({
  buffers: (mtu, at) => {
    const standard = dataBuffer(standardDma, "standard ring", at, frags);
    return mtu <= ethDataLen ? [standard] : [standard, dataBuffer(jumboDma, "jumbo ring", at, frags)];
  },
  unless: "5780-class chips put jumbo buffers on the standard ring above MTU 1500",
});

export const tg3: DriverFacts = {
  name: "tg3",
  modules: ["tg3"],
  what: "Broadcom Tigon3 Ethernet",
  symbols: [
    { name: "tg3_alloc_rx_skb", role: "rx refill" },
    { name: "tg3_alloc_rx_data", role: "rx refill" },
    { name: "tg3_init_rings", role: "setup" },
    { name: "tg3_rx_prodring_alloc", role: "setup" },
    { name: "tg3_start_xmit", prefix: true, role: "tx" },
    { name: "tg3_tso_bug", role: "tx" },
    { name: "tigon3_dma_hwbug_workaround", role: "tx" },
    { name: "tg3_tx", role: "tx completion" },
    { name: "tg3_poll", prefix: true, role: "rx poll" },
    { name: "tg3_rx", role: "rx poll" },
    { name: "tg3_", prefix: true },
  ],
  rx: [
    { since: [2, 6], value: skbRings, source: "drivers/net/tg3.c tg3_alloc_rx_skb, 2.6.24 and 2.6.32" },
    { since: [3, 3], value: dataRings(false), source: "drivers/net/ethernet/broadcom/tg3.c; the year build_skb came" },
    {
      since: [3, 10],
      value: dataRings(true),
      source: "drivers/net/ethernet/broadcom/tg3.c tg3_alloc_rx_data, 3.10 to 6.1",
    },
  ],
  failure: [
    {
      since: [2, 6],
      value: {
        packet: "dropped",
        slot: "keeps its old buffer",
        sentence:
          "tg3 puts the old buffer back into the ring and drops the one packet it held: the ring never shrinks while the interface is up.",
        counter: "rx_dropped",
      },
      source: "tg3_rx and tg3_recycle_rx, 2.6.24 and 6.1",
    },
  ],
  refillGfp: "GFP_ATOMIC",
  mtuMax: 9000,
};
