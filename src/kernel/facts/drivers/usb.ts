// USB network adapters: usbnet and the drivers on top of it (asix, ax88179, smsc95xx, cdc_ncm, …), and r8152 which stands alone.
// The receive buffer is one USB transfer, which carries several packets: it depends on the adapter and hardly on the MTU.
import {
  type BufferRequest,
  block,
  type DriverFacts,
  ethHeader,
  notRead,
  orderOfBytes,
  type RefillFailure,
  type RxMachine,
  type RxRule,
} from "./driver.ts";

const urb = (bytes: number, holds: string): BufferRequest => ({ call: "netdev_alloc_skb", bytes, holds });
/** Every minidriver's transfer, biggest common one first; the trace rarely says which adapter it is. */
const transfer = (bytes: (mtu: number) => number, holds: string): RxRule => ({
  buffers: (mtu) => [urb(bytes(mtu), holds)],
});
const deferred: RefillFailure = {
  packet: "kept",
  slot: "stays empty and is retried",
  sentence:
    'usbnet gives the transfer back unfilled and asks its worker (kevent) to try again with a mask that may sleep; "kevent … may have been dropped" in the log is the same event seen twice.',
  counter: "rx_errors",
};
const usbnetRefill = [
  { name: "rx_submit", role: "rx refill" },
  { name: "rx_alloc_submit", role: "rx refill" },
  { name: "rx_complete", role: "rx poll" },
  { name: "usbnet_bh", prefix: true, role: "rx refill" },
  { name: "usbnet_start_xmit", role: "tx" },
  { name: "tx_complete", role: "tx completion" },
  { name: "usbnet_open", role: "setup" },
] as const;

const core: DriverFacts = {
  name: "usbnet",
  modules: ["usbnet"],
  what: "USB network adapter on the usbnet core (the trace does not say which minidriver)",
  symbols: [...usbnetRefill, { name: "usbnet_", prefix: true }],
  rx: [
    {
      since: [2, 6, 12],
      value: transfer((mtu) => mtu + ethHeader, "one packet per transfer"),
      source: "drivers/net/usb/usbnet.c rx_submit and usbnet_probe, 2.6.32 to 6.1",
    },
  ],
  failure: [{ since: [2, 6, 12], value: deferred, source: "rx_submit and kevent, 2.6.32 and 6.1" }],
  refillGfp: "GFP_ATOMIC, then GFP_KERNEL from the worker",
  mtuMax: 16384,
};

const minidriver = (
  name: string,
  modules: readonly string[],
  what: string,
  prefixes: readonly string[],
  rx: DriverFacts["rx"],
): DriverFacts => ({
  ...core,
  name,
  modules,
  what,
  symbols: [...prefixes.map((p) => ({ name: p, prefix: true as const })), ...usbnetRefill],
  rx,
});

export const asix = minidriver(
  "asix",
  ["asix"],
  "ASIX AX88172/AX88772/AX88178 USB Ethernet",
  ["asix_", "ax88772_", "ax88178_", "ax88172_"],
  [
    {
      since: [2, 6, 12],
      value: {
        buffers: (mtu) => [
          urb(
            mtu + ethHeader < 2048 ? 2048 : mtu + ethHeader < 4096 ? 4096 : mtu + ethHeader < 8192 ? 8192 : 16384,
            "USB transfer",
          ),
        ],
        unless: "only the AX88178 takes an MTU above 1500",
      },
      source: "drivers/net/usb/asix_devices.c ax88178_set_mfb, 3.10 to 6.1",
    },
  ],
);

export const ax88179 = minidriver(
  "ax88179_178a",
  ["ax88179_178a"],
  "ASIX AX88179/AX88178A USB 3 Ethernet",
  ["ax88179_"],
  [
    {
      since: [3, 9],
      value: transfer(() => 20 * 1024, "20 KiB USB transfer"),
      source: "drivers/net/usb/ax88179_178a.c rx_urb_size, 3.10, 4.19 and 6.1 (the link speed may set up to 26 KiB)",
    },
  ],
);

/** Several packets in one transfer need a large buffer; one at a time needs a small one. */
const turboOff = (driver: string, bytes: number): NonNullable<RxRule["cure"]> => ({
  action: `Load ${driver} with turbo_mode=N, or give ${driver}.turbo_mode=N to the kernel where the driver is built in`,
  changes: `a receive transfer asks for ${bytes} bytes and carries one packet: the large blocks are no longer needed`,
  costs: "more transfers for the same data: somewhat more CPU load; the interface is gone while the module is reloaded",
  command: `echo 'options ${driver} turbo_mode=N' > /etc/modprobe.d/${driver}.conf; modprobe -r ${driver} && modprobe ${driver}`,
  buffers: transfer(() => bytes, "one packet per transfer").buffers,
});

export const smsc75xx = minidriver(
  "smsc75xx",
  ["smsc75xx"],
  "SMSC LAN75xx USB gigabit Ethernet",
  ["smsc75xx_"],
  [
    {
      since: [2, 6, 34],
      value: {
        ...transfer(() => 16 * 1024 + 5 * 512, "18.5 KiB USB transfer"),
        unless: "module parameter turbo_mode=0 makes it 9000 bytes, one packet per transfer",
        cure: turboOff("smsc75xx", 9000),
      },
      source: "drivers/net/usb/smsc75xx.c smsc75xx_reset, 5.10, 6.1 and 7.2; first release from history",
    },
  ],
);

export const dm9601 = minidriver(
  "dm9601",
  ["dm9601"],
  "Davicom DM9601 USB Ethernet",
  ["dm9601_"],
  [
    {
      since: [2, 6, 22],
      value: transfer((mtu) => mtu + ethHeader + 7 + 1, "one packet per transfer"),
      source: "drivers/net/usb/dm9601.c dm9601_bind, 5.10 and 6.1; first release from history",
    },
  ],
);

export const smsc95xx = minidriver(
  "smsc95xx",
  ["smsc95xx"],
  "SMSC LAN95xx USB Ethernet (Raspberry Pi)",
  ["smsc95xx_"],
  [
    {
      since: [2, 6, 28],
      value: {
        ...transfer(() => 16 * 1024 + 5 * 512, "18.5 KiB USB transfer"),
        unless: "module parameter turbo_mode=0 makes it 2 KiB, one packet per transfer",
        cure: turboOff("smsc95xx", 2048),
      },
      source: "drivers/net/usb/smsc95xx.c DEFAULT_HS_BURST_CAP_SIZE, 2.6.32 to 6.1",
    },
  ],
);

export const cdcNcm = minidriver(
  "cdc_ncm",
  ["cdc_ncm", "cdc_mbim"],
  "USB CDC-NCM and MBIM adapters (modems, docks)",
  ["cdc_ncm_", "cdc_mbim_"],
  [
    {
      since: [2, 6, 38],
      value: {
        ...transfer(() => 16384, "NTB"),
        unless: "the device and /sys/class/net/…/cdc_ncm/rx_max decide, up to 64 KiB",
      },
      source: "drivers/net/usb/cdc_ncm.c and include/linux/usb/cdc_ncm.h, 3.10 to 6.1",
    },
  ],
);

/** Stands alone, but its functions have the names of usbnet's: built into the kernel, a stack of the refill alone cannot tell them apart. */
export const lan78xx: DriverFacts = {
  name: "lan78xx",
  since: [4, 3],
  modules: ["lan78xx"],
  what: "Microchip LAN78xx USB Ethernet (Raspberry Pi 3B+)",
  symbols: [
    { name: "rx_submit", role: "rx refill" },
    { name: "rx_complete", role: "rx poll" },
    { name: "lan78xx_rx_bh", role: "rx refill" },
    { name: "lan78xx_start_xmit", role: "tx" },
    { name: "lan78xx_open", role: "setup" },
    { name: "lan78xx_", prefix: true },
  ],
  rx: [
    {
      since: [4, 3],
      value: transfer(() => 12288, "12 KiB USB transfer"),
      source: "drivers/net/usb/lan78xx.c rx_submit and lan78xx_reset, 5.10",
    },
    { since: [5, 11], value: notRead, source: "drivers/net/usb/lan78xx.c, 5.11 to 6.0: not read" },
    {
      since: [6, 1],
      value: {
        buffers: () => [{ call: "alloc_skb", bytes: 16384, holds: "USB transfer, made once when the card is probed" }],
        unless: "on USB 3 a transfer is 32 KiB, on USB 1 10 KiB",
      },
      source: "drivers/net/usb/lan78xx.c lan78xx_alloc_rx_resources, 6.1 and 7.2",
    },
  ],
  failure: [
    {
      since: [4, 3],
      value: {
        packet: "kept",
        slot: "stays empty and is retried",
        sentence:
          "lan78xx gives the transfer up and its bottom half tries again later; packets are lost only while no transfer is left at the card.",
      },
      source: "drivers/net/usb/lan78xx.c rx_submit and lan78xx_bh, 5.10",
    },
  ],
  refillGfp: "GFP_ATOMIC",
  mtuMax: 9000,
};

/** What is left when only the core's own functions are on the stack. */
export const usbnet: DriverFacts = { ...core, family: [asix, ax88179, smsc95xx, smsc75xx, cdcNcm, dm9601, lan78xx] };

/** One block of pages for several packets, whose size the chip decides. */
const aggregation = (kib: number, at: RxMachine, chip: string): BufferRequest =>
  block("alloc_pages", orderOfBytes(kib * 1024, at.pageSize), at, `aggregation buffer of ${kib} KiB (${chip})`);

export const r8152: DriverFacts = {
  name: "r8152",
  modules: ["r8152"],
  what: "Realtek RTL8152/8153/8156 USB Ethernet",
  symbols: [
    { name: "alloc_rx_agg", role: "rx refill" },
    { name: "rtl_get_free_rx", role: "rx refill" },
    { name: "alloc_all_mem", role: "setup" },
    { name: "r8152_poll", role: "rx poll" },
    { name: "rx_bottom", role: "rx poll" },
    { name: "rtl8152_start_xmit", role: "tx" },
    { name: "tx_bottom", role: "tx" },
    { name: "rtl8152_open", role: "setup" },
    { name: "rtl8152_", prefix: true },
    { name: "r8152", prefix: true },
    { name: "r8153", prefix: true },
  ],
  rx: [
    {
      since: [3, 12],
      value: { buffers: () => [{ call: "kmalloc", bytes: 16384, holds: "aggregation buffer" }] },
      source: "drivers/net/usb/r8152.c alloc_all_mem (agg_buf_sz), 4.19",
    },
    {
      since: [5, 4],
      value: {
        buffers: (_mtu, at) => [aggregation(32, at, "RTL8153")],
        others: (at) => [aggregation(16, at, "RTL8152, or a RTL8153 on USB 2"), aggregation(48, at, "RTL8156")],
        unless: "the RTL8152 has buffers of 16 KiB, the RTL8156 (driver since 5.13) of 48 KiB",
      },
      source:
        "drivers/net/usb/r8152.c alloc_rx_agg and rtl_ops_init (rx_buf_sz), 5.10, 6.1, 6.12 and 7.2; first release from history",
    },
  ],
  failure: [
    {
      since: [3, 12],
      value: {
        packet: "kept",
        slot: "keeps its old buffer",
        sentence:
          "r8152 copies out of the buffer it has when it cannot get a fresh one; only bringing the interface up needs the big blocks at once, and fails without them.",
        counter: "rx_dropped",
      },
      source: "rtl_get_free_rx and alloc_all_mem, 6.1",
    },
  ],
  refillGfp: "GFP_ATOMIC | __GFP_COMP (GFP_KERNEL when the interface is opened)",
  mtuMax: 15360,
};
