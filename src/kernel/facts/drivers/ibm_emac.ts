// IBM/AMCC EMAC of the PowerPC 4xx (ibm_newemac, later ibm_emac), which receives through the MAL descriptor engine.
// The MAL splits a packet into pieces of at most 4080 bytes, but the driver still makes each skb big enough for the whole MTU.
import { alignUp, type DriverFacts, ethDataLen, type RxMachine, type RxRule } from "./driver.ts";

const malMax = 4080;
/** Two addresses, type, a VLAN tag or checksum: what the driver adds to an MTU. */
const mtuOverhead = 18;

const frameBytes = (mtu: number): number =>
  mtu > ethDataLen ? Math.max(mtu + mtuOverhead, malMax) : ethDataLen + mtuOverhead;
const holdsOf = (mtu: number): string => (mtu > ethDataLen ? "jumbo buffer" : "standard buffer");

const plainSkb: RxRule = {
  buffers: (mtu, at: RxMachine) => [
    { call: "alloc_skb", bytes: alignUp(frameBytes(mtu) + 2, at.cacheLine), holds: holdsOf(mtu) },
  ],
  unless: "CONFIG_IBM_NEW_EMAC_RX_SKB_HEADROOM adds to each buffer (0 by default)",
};
const paddedSkb: RxRule = {
  buffers: (mtu, at: RxMachine) => [
    {
      call: "napi_alloc_skb",
      bytes: alignUp(frameBytes(mtu) + at.netIpAlign, at.cacheLine) + at.netSkbPad,
      holds: holdsOf(mtu),
    },
  ],
};

export const ibmEmac: DriverFacts = {
  name: "ibm_emac",
  modules: ["ibm_newemac", "ibm_emac"],
  what: "IBM/AMCC PowerPC 4xx Ethernet (EMAC behind the MAL)",
  symbols: [
    { name: "emac_alloc_rx_skb", prefix: true, role: "rx refill" },
    { name: "emac_poll_rx", role: "rx poll" },
    { name: "emac_peek_rx", prefix: true, role: "rx poll" },
    { name: "emac_poll_tx", role: "tx completion" },
    { name: "emac_start_xmit", prefix: true, role: "tx" },
    { name: "emac_resize_rx_ring", role: "setup" },
    { name: "emac_open", role: "setup" },
    { name: "mal_poll" },
    { name: "emac_", prefix: true },
  ],
  rx: [
    {
      since: [2, 6, 24],
      value: plainSkb,
      source: "drivers/net/ibm_newemac/core.h emac_rx_skb_size, 2.6.24, 2.6.29, 2.6.32; the same in 4.19",
    },
    { since: [4, 20], value: paddedSkb, source: "drivers/net/ethernet/ibm/emac/core.h, 6.1" },
  ],
  failure: [
    {
      since: [2, 6, 24],
      value: {
        packet: "dropped",
        slot: "keeps its old buffer",
        sentence:
          "The EMAC driver keeps the old buffer in its slot and drops the packet. Changing the MTU is worse: it asks for a whole ring of new buffers at once, atomically.",
        counter: "rx_dropped_oom",
      },
      source: "drivers/net/ibm_newemac/core.c emac_poll_rx and emac_resize_rx_ring, 2.6.29",
    },
  ],
  refillGfp: "GFP_ATOMIC",
  mtuMax: 9000,
  limits: [{ name: "MAL descriptor", bytes: malMax, source: "drivers/net/ibm_newemac/mal.h MAL_MAX_RX_SIZE, 2.6.29" }],
};
