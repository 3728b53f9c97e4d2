// What drivers print themselves when a buffer for a packet could not be had, letter for letter as their source has it behind the device's name.
// Read in the trees of 5.10, 6.1 and 6.12 (drivers/net of each; most are the same in all three). `{n}` stands for a number, `{s}` for a word.

/** What becomes of the packet or the ring, where the text or the source around it says so. */
export type AfterRefusal =
  /** the packet in hand is dropped, the ring stays full */
  | "packet dropped"
  /** the slot stays empty and is tried again */
  | "tried again"
  /** the device stops receiving */
  | "receiving stops"
  /** the interface does not come up */
  | "not opened"
  | "not read";

export interface RefillMessage {
  /** Name of the driver. */
  readonly driver: string;
  readonly text: string;
  readonly after: AfterRefusal;
  /** File below drivers/net. */
  readonly source: string;
}

const m = (driver: string, text: string, source: string, after: AfterRefusal = "not read"): RefillMessage => ({
  driver,
  text,
  after,
  source,
});

export const refillMessages: readonly RefillMessage[] = [
  m("8390", "Couldn't allocate a sk_buff of size {n}", "ethernet/8390/lib8390.c ei_receive()", "packet dropped"),
  m("greth", "Could not allocate SKB, dropping packet", "ethernet/aeroflex/greth.c", "packet dropped"),
  m("ena", "Refilled rx qid {n} with only {n} buffers (from {n})", "ethernet/amazon/ena/ena_netdev.c", "tried again"),
  m("pcnet32", "{s} netdev_alloc_skb failed", "ethernet/amd/pcnet32.c"),
  m("arc_emac", "cannot allocate skb", "ethernet/arc/emac_main.c"),
  m("alx", "Allocation of rx buffer failed!", "ethernet/atheros/alx/main.c"),
  m("atl1c", "alloc rx buffer failed", "ethernet/atheros/atl1c/atl1c_main.c"),
  m("bcm4908_enet", "Failed to alloc RX buffer: {n}", "ethernet/broadcom/bcm4908_enet.c"),
  m("bcm63xx_enet", "unable to refill rx ring", "ethernet/broadcom/bcm63xx_enet.c"),
  m("bcmsysport", "SKB alloc failed", "ethernet/broadcom/bcmsysport.c"),
  m(
    "bcmgenet",
    "{s}: Rx skb allocation failed",
    "ethernet/broadcom/genet/bcmgenet.c bcmgenet_rx_refill()",
    "packet dropped",
  ),
  m("macb", "Unable to allocate sk_buff", "ethernet/cadence/macb_main.c gem_rx_refill()", "tried again"),
  m("enic", "Unable to alloc receive buffers", "ethernet/cisco/enic/enic_main.c enic_open()", "not opened"),
  m("dl2k", "Unable to re-allocate Rx skbuff.#{n}", "ethernet/dlink/dl2k.c"),
  m("ec_bhf", "Couldn't allocate a skb_buff for a packet of size {n}", "ethernet/ec_bhf.c"),
  m("ftgmac100", "failed to allocate rx skb", "ethernet/faraday/ftgmac100.c"),
  m("ftmac100", "failed to allocate rx page", "ethernet/faraday/ftmac100.c"),
  m("ucc_geth", "Could not allocate rx_skbuff", "ethernet/freescale/ucc_geth.c", "not opened"),
  m("ibmvnic", "Couldn't replenish rx buff", "ethernet/ibm/ibmvnic.c"),
  m("ibmvnic", "rx: replenish packet buffer failed", "ethernet/ibm/ibmvnic.c"),
  m("jme", "Allocating resources for RX error, Device STOPPED!", "ethernet/jme.c", "receiving stops"),
  m("lantiq_etop", "failed to allocate new rx buffer, stopping DMA", "ethernet/lantiq_etop.c", "receiving stops"),
  m("lantiq_xrx200", "failed to allocate new rx buffer", "ethernet/lantiq_xrx200.c"),
  m("mvneta", "Can't refill queue {n}", "ethernet/marvell/mvneta.c mvneta_rx_refill_queue()", "tried again"),
  m("mvneta", "Linux processing - Can't refill", "ethernet/marvell/mvneta.c mvneta_rx(), 3.8 to 4.18"),
  m("mvpp2", "failed to refill BM pools", "ethernet/marvell/mvpp2/mvpp2_main.c mvpp2_rx()", "packet dropped"),
  m("octeon_ep", "refill: rx buffer alloc failed", "ethernet/marvell/octeon_ep/octep_rx.c"),
  m(
    "mlx4_en",
    "Failed to allocate enough rx buffers",
    "ethernet/mellanox/mlx4/en_rx.c mlx4_en_fill_rx_buffers()",
    "not opened",
  ),
  m("mlxsw_pci", "Failed to alloc skb for RDQ", "ethernet/mellanox/mlxsw/pci.c"),
  m("enc28j60", "out of memory for Rx'd frame", "ethernet/microchip/enc28j60.c", "packet dropped"),
  m("lan966x", "Unable to allocate sk_buff", "ethernet/microchip/lan966x/lan966x_main.c"),
  m("ocelot", "Unable to allocate sk_buff", "ethernet/mscc/ocelot.c"),
  m("sonic", "{s}: couldn't allocate receive buffers", "ethernet/natsemi/sonic.c", "not opened"),
  m("ionic", "{s}: SKB alloc failed on {s}!", "ethernet/pensando/ionic/ionic_txrx.c"),
  m("qede", "Failed to allocate RX buffer for tpa start", "ethernet/qlogic/qede/qede_fp.c"),
  m("qede", "Rx buffers allocation failed at index {n}", "ethernet/qlogic/qede/qede_main.c", "not opened"),
  m("qla3xxx", "Failed netdev_alloc_skb()", "ethernet/qlogic/qla3xxx.c"),
  m("qcaspi", "Failed to allocate RX sk_buff.", "ethernet/qualcomm/qca_spi.c"),
  m("sc92031", "Couldn't allocate a skb_buff for a packet of size {n}", "ethernet/silan/sc92031.c"),
  m("smsc9420", "failed to allocate rx skb {n}", "ethernet/smsc/smsc9420.c"),
  m("ave", "can't allocate skb for Rx", "ethernet/socionext/sni_ave.c"),
  m("davinci_emac", "failed rx buffer alloc", "ethernet/ti/davinci_emac.c"),
  m("netcp", "Primary RX buffer alloc failed", "ethernet/ti/netcp_core.c"),
  m("spidernet", "Not enough memory to allocate rx buffer", "ethernet/toshiba/spider_net.c"),
  m("tsi108_eth", "Could only allocate {n} receive skb(s).", "ethernet/tundra/tsi108_eth.c"),
  m("ll_temac", "skb alloc failed", "ethernet/xilinx/ll_temac_main.c"),
  m("xilinx_emaclite", "Could not allocate receive buffer", "ethernet/xilinx/xilinx_emaclite.c"),
  m("ipheth", "ipheth_rcvbulk_callback: dev_alloc_skb: -ENOMEM", "usb/ipheth.c"),
  m("smsc95xx", "Error allocating skb", "usb/smsc95xx.c smsc95xx_rx_fixup()", "packet dropped"),
  m("ath10k", "failed to refill htt rx ring: {n}", "wireless/ath/ath10k/core.c", "not opened"),
  m("ath9k_htc", "RX memory allocation error", "wireless/ath/ath9k/hif_usb.c"),
  m("ath9k", "skbuff alloc of size {n} failed", "wireless/ath/main.c ath_rxbuf_alloc()"),
  m("b43", "RX DMA buffer allocation failed", "wireless/broadcom/b43/dma.c"),
  m("brcmfmac", "dev_alloc_skb failed: len {n}", "wireless/broadcom/brcm80211/brcmfmac/bcmsdh.c"),
  m("ipw2200", "Can not allocate SKB buffers.", "wireless/intel/ipw2x00/ipw2200.c"),
  m(
    "ipw2100",
    "Unable to allocate SKB onto RBD ring - disabling ",
    "wireless/intel/ipw2x00/ipw2100.c",
    "receiving stops",
  ),
  m("iwlmvm", "alloc_skb failed", "wireless/intel/iwlwifi/mvm/rx.c", "packet dropped"),
  m("iwlwifi", "Failed to alloc_pages", "wireless/intel/iwlwifi/pcie/rx.c iwl_pcie_rx_alloc_page()", "tried again"),
  m("hostap", "RX failed to allocate skb", "wireless/intersil/hostap/hostap_hw.c"),
  m("orinoco", "Can't allocate skb for Rx", "wireless/intersil/orinoco/main.c"),
  m("qtnfmac", "failed to allocate new rx_skb[{n}]", "wireless/quantenna/qtnfmac/pcie/pearl_pcie.c"),
  m("rtl818x_pci", "Cannot allocate RX skb", "wireless/realtek/rtl818x/rtl8180/dev.c", "not opened"),
  m("rtlwifi", "Can't allocate skb for bulk IN!", "wireless/realtek/rtlwifi/usb.c"),
];

/** A line of the message, with numbers and words in it; without the device's name before it. */
export const exampleOf = (message: RefillMessage): string =>
  message.text.replaceAll("{n}", "12").replaceAll("{s}", "eth0");
