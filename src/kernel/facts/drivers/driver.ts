// What is known of a network driver without running it: how to recognise it in a stack, how it makes a receive buffer for an MTU,
// and what it does when it gets none. Pure data and small pure functions; no driver behaves here (that is model/drivers).
import type { Fact } from "../../release.ts";

/** The call a driver makes for a buffer; rx_path.ts says what each call asks of the allocators on a release. */
export type BufferCall =
  /** netdev_alloc_skb(): linear buffer behind NET_SKB_PAD bytes. */
  | "netdev_alloc_skb"
  /** netdev_alloc_skb() with a mask that may sleep: never cut from a page fragment. */
  | "netdev_alloc_skb sleeping"
  /** napi_alloc_skb(): as above with NET_IP_ALIGN, from the NAPI cache. */
  | "napi_alloc_skb"
  /** alloc_skb() or dev_alloc_skb(): linear buffer from kmalloc, no pad of its own. */
  | "alloc_skb"
  /** kmalloc() of the driver's own bytes; shared_info is already in them or not wanted. */
  | "kmalloc"
  /** netdev_alloc_frag(): cut from a per-CPU page, `bytes` include shared_info. */
  | "netdev_alloc_frag"
  /** skb_page_frag_refill(): cut from the queue's own page, order 3 if it can be had, else order 0. */
  | "skb_page_frag_refill"
  /** alloc_pages() of a whole block. */
  | "alloc_pages"
  /** page_pool of whole blocks. */
  | "page_pool";

/** One piece of memory for one receive buffer. */
export interface BufferRequest {
  readonly call: BufferCall;
  /** Bytes the driver asks that call for; for alloc_pages and page_pool the block's bytes. */
  readonly bytes: number;
  /** Page order, for alloc_pages and page_pool. */
  readonly order?: number;
  /** What it holds: "standard ring", "packet-split header", … */
  readonly holds: string;
  /** How many per packet buffer, when more than one. */
  readonly count?: number;
}

/** The numbers of a machine that drivers compute with. All bytes. */
export interface RxMachine {
  readonly pageSize: number;
  readonly cacheLine: number;
  readonly netSkbPad: number;
  readonly netIpAlign: number;
  /** sizeof(struct skb_shared_info), rounded up to cache lines where the release does so. */
  readonly sharedInfo: number;
}

/** How a driver sizes receive buffers from some release on. */
export interface RxRule {
  /** The buffers of one ring slot at an MTU (bytes of network-layer payload). */
  readonly buffers: (mtu: number, at: RxMachine) => readonly BufferRequest[];
  /** A switch of the card or driver that changes the answer. */
  readonly unless?: string;
  /** What other chips of the same driver ask for instead; `holds` names them. */
  readonly others?: (at: RxMachine) => readonly BufferRequest[];
  /** A setting that makes the buffers smaller: what to set, and what it costs. */
  readonly cure?: {
    readonly action: string;
    readonly changes: string;
    readonly costs: string;
    readonly command: string;
    /** What one slot then asks for, where it was read. */
    readonly buffers?: (mtu: number, at: RxMachine) => readonly BufferRequest[];
  };
  /** Nobody has read these releases: no buffer is computed, and the answer says so. */
  readonly notRead?: true;
  /** It hands on packets that others have made and has no receive buffer of its own. */
  readonly noBuffers?: true;
}

/** Between two releases that were read and differ: what holds in between is not known. */
export const notRead: RxRule = { buffers: () => [], notRead: true };

/** What happens to the packet and to the ring slot when the buffer cannot be had. */
export interface RefillFailure {
  readonly packet: "dropped" | "kept";
  readonly slot: "keeps its old buffer" | "stays empty and is retried" | "no ring slot: copied per packet";
  /** What a user sees, and what would make it worse. */
  readonly sentence: string;
  /** The counter that shows it, as `ethtool -S` or `ip -s link` names it. */
  readonly counter?: string;
  /** How the counter is read, where neither of the two shows it. */
  readonly counterCommand?: string;
}

export type FrameRole = "rx refill" | "rx poll" | "tx" | "tx completion" | "setup";

/** A function of the driver: the whole name, or its beginning when `prefix` is set. */
export interface DriverSymbol {
  readonly name: string;
  readonly prefix?: true;
  readonly role?: FrameRole;
}

export interface DriverFacts {
  readonly name: string;
  /** Module names, as `[tg3]` behind a frame. */
  readonly modules: readonly string[];
  readonly what: string;
  readonly symbols: readonly DriverSymbol[];
  readonly rx: readonly Fact<RxRule>[];
  readonly failure: readonly Fact<RefillFailure>[];
  /** The first release that has the driver, where that tells it from another with the same functions. */
  readonly since?: readonly number[];
  /** The mask of the refill path, by name. */
  readonly refillGfp: string;
  readonly mtuMax: number;
  /** Drivers that share every telling name with this one: when a stack fits them all, this one stands for them. */
  readonly family?: readonly DriverFacts[];
  /** Hard limits of the hardware or its DMA engine. */
  readonly limits?: readonly { readonly name: string; readonly bytes: number; readonly source: string }[];
}

/** `bytes` rounded up to a multiple of `to` (a power of two). */
export const alignUp = (bytes: number, to: number): number => Math.ceil(bytes / to) * to;
/** get_order(): the smallest order whose block holds `bytes`. */
export const orderOfBytes = (bytes: number, pageSize: number): number =>
  Math.max(0, Math.ceil(Math.log2(bytes / pageSize)));
/** A whole block of pages from alloc_pages or page_pool. */
export const block = (
  call: "alloc_pages" | "page_pool",
  order: number,
  at: RxMachine,
  holds: string,
  count?: number,
): BufferRequest => ({
  call,
  bytes: at.pageSize << order,
  order,
  holds,
  ...(count === undefined || count === 1 ? {} : { count }),
});

/** Ethernet header, VLAN tag and checksum: what a frame adds to its MTU. */
export const ethHeader = 14;
export const vlanTag = 4;
export const ethChecksum = 4;
/** The MTU of a standard Ethernet frame. */
export const ethDataLen = 1500;
