// One-line messages of the kernel about memory for packets: limits that were reached, buffers that could not be had, references that were
// never given back. What such a line looks like and who prints it is here; what it means is said by diagnosis/messages.ts.

import { type AfterRefusal, exampleOf, refillMessages } from "./drivers/refill_messages.ts";

/** Names of the messages. */
export type MessageId =
  | "buffer"
  | "kevent"
  | "ring shortened"
  | "hash from vmalloc"
  | "tcp memory"
  | "tcp orphans"
  | "socket memory"
  | "fragment queue"
  | "conntrack full"
  | "neighbour overflow"
  | "dst overflow"
  | "swiotlb full"
  | "iommu full"
  | "dma debug"
  | "netdevice waiting"
  | "netdev watchdog"
  | "vm killing"
  | "kmemleak census"
  | "unreferenced object"
  | "percpu"
  | "cache not empty"
  | "pool negative"
  | "pool page in use"
  | "pool refused";

export interface MessageLine {
  readonly id: MessageId;
  /** Each line of this form holds one of these words, letter for letter. Four characters at least. */
  readonly words: readonly string[];
  /** Linear in the length of the line. */
  readonly form: RegExp;
  /** A line of the form, as printed. */
  readonly example: string;
  /** Who prints it, and since when or until when where that is known. */
  readonly source: string;
}

const line = (id: MessageId, words: readonly string[], form: RegExp, example: string, source: string): MessageLine => ({
  id,
  words,
  form,
  example,
  source,
});

/** A driver's own words for a buffer that it could not get: something failed, something was to be had, and it was a packet's. */
const refused =
  /^(?=.{0,160}\b(?:[Ff]ail(?:ed|ure|s)?|FAIL(?:ED)?|[Uu]nable|[Cc]an(?:not|'t| not)|[Cc]ould(?: not|n't)|[Nn]o memory|[Oo]ut of memory|[Ee]rror)\b)(?=.{0,160}(?:alloc|Alloc|refill|eplenish|memory|get ))(?=.{0,160}(?:\b[Ss][Kk]_?[Bb]uf|\b(?:(?:rx|tx|new|err)_)?(?:skb|SKB)s?\b|alloc_skb|\b[Rr][Xx] ?(?:buf|page|ring|desc)|[Rr]eceive (?:buf|ring)))/;

/** In the order in which they are tried: the particular before the general. */
const commonLines: readonly MessageLine[] = [
  line(
    "kevent",
    ["may have been dropped"],
    /kevent (\d{1,3}) may have been dropped/,
    "smsc95xx 1-1.1:1.0 eth0: kevent 2 may have been dropped",
    "drivers/net/usb/usbnet.c usbnet_defer_kevent(), drivers/net/usb/lan78xx.c lan78xx_defer_kevent()",
  ),
  line(
    "ring shortened",
    ["were allocated successfully", "reducing ring size", "refilled rx qid", "skbs only"],
    /Using a smaller RX \w{1,10} ring.{0,20}Only \d{1,6} out of \d{1,6} buffers|[Oo]nly allocated \d{1,6} buffers,? reducing ring size|refilled rx qid \d{1,4} with only \d{1,6} buffers|init'ed rx \w{0,4} ?ring \d{1,4} with \d{1,6}\/\d{1,6} skbs only|was only able to allocate \d{1,6} rx skbs/,
    "tg3 0000:02:00.0 eth0: Using a smaller RX standard ring. Only 113 out of 200 buffers were allocated successfully",
    "drivers/net: tg3, mlx4_en, ena, bnxt_en, bnx2x",
  ),
  line(
    "ring shortened",
    ["was only able to allocate"],
    /was only able to allocate \d{1,6} rx (?:skbs|sges)/,
    "bnx2x: [bnx2x_init_rx_rings:1301(eth4)]was only able to allocate 1017 rx sges",
    "drivers/net/ethernet/broadcom/bnx2x/bnx2x_cmn.c",
  ),
  line(
    "buffer",
    ["skbuff alloc of size"],
    /skbuff alloc of size (\d{1,9}) failed/,
    "ath: skbuff alloc of size 3912 failed",
    "drivers/net/wireless/ath/main.c ath_rxbuf_alloc()",
  ),
  line(
    "buffer",
    ["emory squeeze"],
    /[Mm]emory squeeze/,
    "eth0: Memory squeeze, dropping packet.",
    "drivers/net: fec, sis, 8390 and other drivers of that time",
  ),
  line(
    "buffer",
    ["failed to unshare skbuff"],
    /failed to unshare skbuff/,
    "vxlan: failed to unshare skbuff",
    "drivers/net: brcmfmac, vxlan of vendor kernels",
  ),
  line(
    "buffer",
    ["ow on memory", "ow memory, packet dropped"],
    /[Ll]ow (?:on )?memory(?: - |, )(?:packet|RX packet|dropping)/,
    "eth0: low on memory - packet dropped",
    "drivers/net: 8139too (8139cp), korina and others",
  ),
  line(
    "buffer",
    ["ailed to alloc_pages"],
    /Failed to alloc_pages\b/,
    "iwlwifi 0000:03:00.0: Failed to alloc_pages",
    "drivers/net/wireless/intel/iwlwifi/pcie/rx.c iwl_pcie_rx_alloc_page()",
  ),
  line(
    "buffer",
    [
      "skbuff",
      "sk_buff",
      "alloc_skb ",
      "alloc_skb(",
      "alloc_skb:",
      "alloc skb",
      "alloc rx skb",
      "alloc SKB",
      "allocate skb",
      "allocate rx skb",
      "allocate tx skb",
      "allocate new skb",
      "allocate rx_skb",
      "allocate new_skb",
      "allocate new rx_skb",
      "left for err_skb",
      "allocate a skb",
      "allocate an skb",
      "allocate SKB",
      "allocate RX SKB",
      "of RX skb failed",
      "of Rx skb failed",
      "skb alloc",
      "SKB alloc",
      "emory for skb",
      "emory for rx",
      "x buffer",
      "X buffer",
      "eceive buffer",
      "eplenish",
      "x ring refill",
    ],
    refused,
    "bcmgenet fd580000.ethernet eth0: Rx skb allocation failed",
    "drivers of many vendors",
  ),
  line(
    "hash from vmalloc",
    ["falling back to vmalloc"],
    /falling back to vmalloc/,
    "nf_conntrack: falling back to vmalloc.",
    "net/netfilter/nf_conntrack_core.c nf_ct_alloc_hashtable(), up to 4.19",
  ),
  line(
    "tcp memory",
    ["consider tuning tcp_mem"],
    /TCP: out of memory -- consider tuning tcp_mem/,
    "TCP: out of memory -- consider tuning tcp_mem",
    "net/ipv4/tcp.c tcp_check_oom(), since 3.3",
  ),
  line(
    "tcp orphans",
    ["orphaned sockets"],
    /too many (?:of )?orphaned sockets/,
    "TCP: too many orphaned sockets",
    "net/ipv4/tcp.c tcp_check_oom(), since 3.3; tcp_close() before",
  ),
  line(
    "socket memory",
    ["ut of socket memory"],
    /Out of socket memory/,
    "Out of socket memory",
    "net/ipv4/tcp_timer.c tcp_out_of_resources(), up to 3.2",
  ),
  line(
    "fragment queue",
    ["no memory for gluing queue"],
    /queue_glue: no memory for gluing queue/,
    "IPv4: queue_glue: no memory for gluing queue c7a3b2c0",
    "net/ipv4/ip_fragment.c ip_frag_reasm()",
  ),
  line(
    "conntrack full",
    ["table full, dropping packet"],
    /(?:nf|ip)_conntrack: (?:nf_conntrack: )?table full, dropping packet/,
    "nf_conntrack: nf_conntrack: table full, dropping packet",
    "net/netfilter/nf_conntrack_core.c __nf_conntrack_alloc()",
  ),
  line(
    "neighbour overflow",
    ["table overflow"],
    /[Nn]eighbou?r table overflow/,
    "neighbour: arp_cache: neighbor table overflow!",
    "net/core/neighbour.c neigh_alloc(), net/ipv4/route.c before",
  ),
  line(
    "dst overflow",
    ["dst cache overflow"],
    /dst cache overflow/,
    "ipv4: dst cache overflow",
    "net/ipv4/route.c, up to 3.5",
  ),
  line(
    "swiotlb full",
    ["swiotlb buffer is full", "Out of SW-IOMMU space"],
    /swiotlb buffer is full(?: \(sz: (\d{1,12}) bytes\))?(?:,? total (\d{1,12}) \(slots\), used (\d{1,12}) \(slots\))?|DMA: Out of SW-IOMMU space for (\d{1,12}) bytes/,
    "ixgbe 0000:01:00.0: swiotlb buffer is full (sz: 4096 bytes), total 32768 (slots), used 32764 (slots)",
    "kernel/dma/swiotlb.c swiotlb_tbl_map_single(), lib/swiotlb.c before 4.19",
  ),
  line(
    "iommu full",
    ["Out of IOMMU space", "iommu_alloc failed"],
    /Out of IOMMU space for \d{1,12} bytes|iommu_alloc failed, tbl \S{1,40} vaddr \S{1,40} npages (\d{1,9})/,
    "PCI-DMA: Out of IOMMU space for 65536 bytes at device 0000:01:00.0",
    "arch/x86/kernel/amd_gart_64.c iommu_full(); arch/powerpc/kernel/iommu.c iommu_map_page(), 5.10 to 7.3",
  ),
  line(
    "dma debug",
    ["DMA-API: "],
    /DMA-API: (?!preallocated|debugging (?:enabled|disabled)|driver filter)/,
    "e1000e 0000:00:19.0: DMA-API: device driver failed to check map error [device address=0x00000000ffe4b040] [size=90 bytes] [mapped as single]",
    "kernel/dma/debug.c",
  ),
  line(
    "netdevice waiting",
    ["unregister_netdevice: waiting for"],
    /unregister_netdevice: waiting for (\S{1,32}) to become free\. Usage count = (-?\d{1,9})/,
    "unregister_netdevice: waiting for lo to become free. Usage count = 1",
    "net/core/dev.c netdev_wait_allrefs()",
  ),
  line(
    "netdev watchdog",
    ["NETDEV WATCHDOG"],
    /NETDEV WATCHDOG:/,
    "NETDEV WATCHDOG: eth0 (e1000e): transmit queue 0 timed out",
    "net/sched/sch_generic.c dev_watchdog()",
  ),
  line(
    "vm killing",
    ["VM: killing process"],
    /VM: killing process (.{1,40})/,
    "VM: killing process Xorg",
    "arch/*/mm/fault.c, up to about 2.6.28",
  ),
  line(
    "kmemleak census",
    ["new suspected memory leaks"],
    /kmemleak: (\d{1,9}) new suspected memory leaks/,
    "kmemleak: 14 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
    "mm/kmemleak.c kmemleak_scan()",
  ),
  line(
    "unreferenced object",
    ["unreferenced object"],
    /^unreferenced (?:percpu )?object (?:\(percpu\) )?0x[0-9a-f]{1,16} \(size (\d{1,12})\)/,
    "unreferenced object 0xb5971f00 (size 176):",
    "mm/kmemleak.c print_unreferenced(), /sys/kernel/debug/kmemleak",
  ),
  line(
    "percpu",
    ["percpu: allocation failed", "PERCPU: allocation failed"],
    /(?:percpu|PERCPU): allocation failed, size=(\d{1,9})/,
    "percpu: allocation failed, size=32768 align=4096 atomic=0, alloc from reserved chunk failed",
    "mm/percpu.c pcpu_alloc()",
  ),
  line(
    "cache not empty",
    ["lab cache still has objects", "an't free all objects"],
    /kmem_cache_destroy (\S{1,40}):? (?:Slab cache still has objects|Can't free all objects)|cache `(\S{1,40})': Can't free all objects/,
    "kmem_cache_destroy nf_conntrack: Slab cache still has objects",
    "mm/slab_common.c kmem_cache_destroy()",
  ),
  line(
    "pool negative",
    ["inflight packet-pages"],
    /Negative\((-\d{1,12})\) inflight packet-pages/,
    "Negative(-3) inflight packet-pages",
    "net/core/page_pool.c page_pool_inflight()",
  ),
  line(
    "pool page in use",
    ["page_pool refcnt"],
    /page_pool refcnt (-?\d{1,9}) violation/,
    "page_pool_empty_ring() page_pool refcnt 2 violation",
    "net/core/page_pool.c page_pool_empty_ring()",
  ),
  line(
    "pool refused",
    ["gave up with errno"],
    /page_pool_create(?:_percpu)?\(\) gave up with errno (-?\d{1,5})/,
    "page_pool_create_percpu() gave up with errno -22",
    "net/core/page_pool.c page_pool_create()",
  ),
];

/** The longest piece of a driver's text without a number or a word of the moment: what a cheap search looks for. */
const wordOf = (text: string): string =>
  text.split(/\{[ns]\}/).reduce((longest, piece) => (piece.length > longest.length ? piece : longest), "");

/** A driver's text as a pattern; nothing in it repeats without an end. */
const formOf = (text: string): RegExp =>
  new RegExp(
    text
      .replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
      .replaceAll("\\{n\\}", "\\d{1,9}")
      .replaceAll("\\{s\\}", "[\\w.:-]{1,60}"),
  );

const told = refillMessages
  .filter((m) => m.after !== "not read")
  .map((m) => {
    const form = formOf(m.text);
    const alone = refillMessages.every((other) => other.driver === m.driver || !form.test(exampleOf(other)));
    return { ...m, form, alone };
  });

/**
 * What becomes of the ring behind a driver's own words, where its source was read. Several drivers share some words: then the driver must be
 * named on the line (`macb e000b000.ethernet eth0: …`), unless nobody else prints them.
 */
export const afterRefusal = (text: string): AfterRefusal | undefined =>
  told.find((m) => m.form.test(text) && (text.includes(m.driver) || m.alone))?.after;

/** Drivers' own words that none of the lines above finds. */
const driverLines: readonly MessageLine[] = refillMessages
  .filter((m) => !commonLines.some((l) => l.form.test(exampleOf(m)) && l.words.some((w) => exampleOf(m).includes(w))))
  .filter((m, i, all) => all.findIndex((other) => other.text === m.text) === i)
  .map((m) =>
    line("buffer", [wordOf(m.text)], formOf(m.text), `${m.driver} ${exampleOf(m)}`, `drivers/net/${m.source}`),
  );

/** Every form, in the order in which they are tried: a driver's own words before what many have in common. */
export const messageLines: readonly MessageLine[] = [...driverLines, ...commonLines];

/** The message that a line is, or undefined. */
export function messageOf(text: string): MessageLine | undefined {
  return messageLines.find((m) => m.words.some((w) => text.includes(w)) && m.form.test(text));
}
