// What a driver's call for a buffer asks of the allocators, by release: the pads that netdev_alloc_skb puts around it, when it cuts
// from a page fragment and when it goes to kmalloc. How kmalloc and the pages answer is the model's business, not this file's.
import type { Architecture, Fact, Release } from "../../release.ts";
import { factAt } from "../../release.ts";
import type { ReceiveHeads, ReceiveRooms } from "../skb_heads.ts";
import { receiveHeads, receiveRooms, sliceBytes, smallHeadObject, smallHeadRoom } from "../skb_heads.ts";
import type { BufferRequest, RxMachine } from "./driver.ts";
import { alignUp, orderOfBytes } from "./driver.ts";

/** What reaches an allocator in the end. Bytes include pads and shared_info. */
export type MemoryRequest =
  | {
      readonly allocator: "kmalloc";
      readonly bytes: number;
      readonly holds: string;
      /** Since 6.3 a head that fits is an object of skbuff_small_head and no bucket of kmalloc: bytes of that object. */
      readonly smallHead?: number;
    }
  /** Cut from a per-CPU page: a block of `triedOrder` is tried silently (0: not tried), a single page is what a failure reports. */
  | { readonly allocator: "page_frag"; readonly bytes: number; readonly triedOrder: number; readonly holds: string }
  | {
      readonly allocator: "pages" | "page_pool";
      readonly bytes: number;
      readonly order: number;
      readonly holds: string;
    };

type Pads = Pick<RxMachine, "netSkbPad" | "netIpAlign">;
interface PadRule {
  /** NET_SKB_PAD; "cache line" means at least 32 and at least one line. */
  readonly netSkbPad: number | "cache line";
  readonly netIpAlign: (arch: Architecture) => number;
}

const unalignedIsFree = (arch: Architecture): number => (arch === "ppc64" ? 0 : 2);
const padRules: readonly Fact<PadRule>[] = [
  {
    since: [2, 6],
    value: { netSkbPad: 16, netIpAlign: unalignedIsFree },
    source: "include/linux/skbuff.h, 2.6.24 and 2.6.29",
  },
  {
    since: [2, 6, 30],
    value: { netSkbPad: 32, netIpAlign: unalignedIsFree },
    source: "include/linux/skbuff.h, 2.6.32",
  },
  {
    since: [2, 6, 36],
    value: {
      netSkbPad: "cache line",
      netIpAlign: (arch) => (["i386", "x86_64", "ppc32", "ppc64", "arm64"].includes(arch) ? 0 : 2),
    },
    source: "include/linux/skbuff.h and arch/*/include/asm/processor.h, 3.10 and 4.19 (arm64 since 4.6)",
  },
];

/** L1_CACHE_BYTES of an architecture as distributions configure it. */
export function cacheLineOf(arch: Architecture): number {
  switch (arch) {
    case "ppc32":
    case "mips":
      return 32;
    case "ppc64":
      return 128;
    case "s390x":
      return 256;
    default:
      return 64;
  }
}

/** NET_SKB_PAD and NET_IP_ALIGN, bytes. */
export function padsOf(release: Release): Pads {
  const rule = (factAt(padRules, release.version) ?? padRules[0])?.value as PadRule;
  const line = cacheLineOf(release.arch);
  const netSkbPad =
    rule.netSkbPad === "cache line" ? Math.max(32, line) : release.arch === "ppc64" ? line : rule.netSkbPad;
  return { netSkbPad, netIpAlign: rule.netIpAlign(release.arch) };
}

/** Up to how many bytes of data a receive head is of which kind on this machine. */
function roomsOf(release: Release, at: RxMachine): ReceiveRooms {
  const known = rooms.get(at);
  if (known?.release === release) return known.rooms;
  const made = makeRooms(release, at);
  rooms.set(at, { release, rooms: made });
  return made;
}

/** By the machine that they were worked out for. */
const rooms = new WeakMap<RxMachine, { readonly release: Release; readonly rooms: ReceiveRooms }>();

function makeRooms(release: Release, at: RxMachine): ReceiveRooms {
  const heads = factAt(receiveHeads, release.version) ?? (receiveHeads[0] as Fact<ReceiveHeads>);
  return receiveRooms(heads.value, smallHeadOf(release, at), at.sharedInfo, at.pageSize);
}

/** Bytes of an object of skbuff_small_head; 0 before there was such a cache. */
function smallHeadOf(release: Release, at: RxMachine): number {
  const room = factAt(smallHeadRoom, release.version)?.value ?? 0;
  return smallHeadObject(room, at.sharedInfo, at.cacheLine);
}

/** kmalloc_reserve(), net/core/skbuff.c: what fits a small head is one (6.12.117 and 7.2.12, captured: up to 704 bytes on x86_64). */
function headFrom(whole: number, holds: string, release: Release, at: RxMachine): MemoryRequest {
  const small = smallHeadOf(release, at);
  return { allocator: "kmalloc", bytes: whole, holds, ...(whole <= small ? { smallHead: small } : {}) };
}

/**
 * The memory that `request` needs on a release. `sleeping` is a mask with direct reclaim (an interface being opened, a worker): such
 * skbs never come from a page fragment. Source: __alloc_skb, __netdev_alloc_skb, __napi_alloc_skb in net/core/skbuff.c of 2.6.24,
 * 2.6.32, 3.10, 4.14, 4.19, 5.10, 6.1, 6.12 and 7.2.
 */
export function memoryOf(request: BufferRequest, release: Release, at: RxMachine, sleeping: boolean): MemoryRequest {
  const { bytes, holds } = request;
  switch (request.call) {
    case "alloc_pages":
      return { allocator: "pages", bytes, order: request.order ?? 0, holds };
    case "page_pool":
      return { allocator: "page_pool", bytes, order: request.order ?? 0, holds };
    case "kmalloc":
      return { allocator: "kmalloc", bytes, holds };
    case "netdev_alloc_frag":
      return { allocator: "page_frag", bytes, triedOrder: largerFragment(release.version, at.pageSize), holds };
    case "skb_page_frag_refill":
      return { allocator: "page_frag", bytes, triedOrder: orderOfBytes(fragmentBlock, at.pageSize), holds };
    case "alloc_skb":
      return headFrom(headBytes(bytes, at), holds, release, at);
    case "netdev_alloc_skb":
    case "netdev_alloc_skb sleeping":
    case "napi_alloc_skb": {
      const padded = bytes + at.netSkbPad + (request.call === "napi_alloc_skb" ? at.netIpAlign : 0);
      const whole = headBytes(padded, at);
      const rooms = roomsOf(release, at);
      const mayCut = !sleeping && request.call !== "netdev_alloc_skb sleeping" && padded <= rooms.fragment;
      if (mayCut && request.call === "napi_alloc_skb" && padded <= rooms.slice)
        return { allocator: "page_frag", bytes: sliceBytes, triedOrder: 0, holds };
      return mayCut && padded > rooms.kmalloc
        ? {
            allocator: "page_frag",
            bytes: whole,
            triedOrder: largerFragment(release.version, at.pageSize),
            holds,
          }
        : headFrom(whole, holds, release, at);
    }
  }
}

/** NETDEV_FRAG_PAGE_MAX_SIZE, PAGE_FRAG_CACHE_MAX_SIZE and SKB_FRAG_PAGE_ORDER: 32 KiB are tried before a single page. */
const fragmentBlock = 32768;
const largerFragments: readonly Fact<boolean>[] = [
  { since: [3, 5], value: false, source: "net/core/skbuff.c netdev_alloc_frag, 3.5 and 3.6: alloc_page()" },
  { since: [3, 7], value: true, source: "net/core/skbuff.c __netdev_alloc_frag, 3.10; commit 69b08f62e174" },
];

/** The order that a receive fragment's page is tried with before a single page; 0 where nothing larger is tried. */
export const largerFragment = (version: readonly number[], pageSize: number): number =>
  factAt(largerFragments, version)?.value === true ? orderOfBytes(fragmentBlock, pageSize) : 0;

/** SKB_DATA_ALIGN(data) + shared_info: what __alloc_skb asks kmalloc for. */
const headBytes = (data: number, at: RxMachine): number => alignUp(data, at.cacheLine) + at.sharedInfo;
