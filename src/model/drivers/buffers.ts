// From what a driver asks for (kernel/facts/drivers) to memory: one receive buffer made, made into an skb, or freed. The facts say which
// call a driver makes for an MTU at a release; this file makes the call on the model, with the driver's own function as call site.
import { ModelBug, some } from "../../base/assert.ts";
import type { BufferRequest, RxMachine } from "../../kernel/facts/drivers/driver.ts";
import { sharedInfoRoom } from "../net/skb/skb_config.ts";
import type { Skbs } from "../net/skb/skbs.ts";
import type { DriverParts } from "./driver.ts";

/** The numbers of this machine that the facts compute with. */
export function rxMachineOf(parts: DriverParts): RxMachine {
  const { config } = parts.skbs;
  return {
    pageSize: config.pageSize,
    cacheLine: config.cacheLineBytes,
    netSkbPad: config.netSkbPad,
    netIpAlign: config.netIpAlign,
    sharedInfo: sharedInfoRoom(config),
  };
}

/** What a buffer number stands for. */
export type BufferKind =
  /** An skb with its headroom reserved. */
  | "skb"
  /** The address of a kmalloc object, or of a piece of a page. */
  | "kmalloc"
  | "frag"
  /** The first pfn of a block of pages, plus one. */
  | "pages";

/** Makes and frees the buffers of one request. */
export interface BufferMaker {
  readonly kind: BufferKind;
  readonly request: BufferRequest;
  /** A buffer, or 0 without memory. */
  make(gfp: number): number;
  free(buffer: number): void;
  /** build_skb() around an address, `pad` bytes reserved: 0 without memory (the buffer is still the driver's). Not for skbs and pages. */
  build(buffer: number, pad: number, napi: boolean): number;
}

/** The maker for a request of the facts. page_pool requests are the driver's own (mvneta.ts). */
export function bufferMaker(parts: DriverParts, request: BufferRequest): BufferMaker {
  const { skbs, heap, pages } = parts;
  const { bytes } = request;
  const freeSkb = (skb: number): void => skbs.kfreeSkb(skb);
  const refusedIn = parts.journal.textId("netdev_alloc_frag");
  const noBuild = (): number => {
    throw new ModelBug(`build_skb around a buffer of ${request.call}`);
  };
  switch (request.call) {
    case "netdev_alloc_skb":
    case "netdev_alloc_skb sleeping": {
      // The facts count NET_IP_ALIGN in; the reserve behind it is the driver's.
      return { kind: "skb", request, make: (gfp) => skbs.netdevAllocSkb(bytes, gfp), free: freeSkb, build: noBuild };
    }
    case "napi_alloc_skb":
      return { kind: "skb", request, make: (gfp) => skbs.napiAllocSkb(bytes, gfp), free: freeSkb, build: noBuild };
    case "alloc_skb":
      return { kind: "skb", request, make: (gfp) => skbs.allocSkb(bytes, gfp), free: freeSkb, build: noBuild };
    case "kmalloc":
      return {
        kind: "kmalloc",
        request,
        make: (gfp) => Math.max(0, heap.kmalloc(bytes, gfp)),
        free: (address) => heap.kfree(address),
        build: (address, pad, napi) => built(parts, skbs.buildSkb(address, 0, napi), pad),
      };
    case "netdev_alloc_frag":
    case "skb_page_frag_refill":
      return {
        kind: "frag",
        request,
        make(gfp) {
          const { frags } = some(parts.caches[parts.cpus.current()], "receive caches");
          const address = frags.alloc(bytes, gfp, -1);
          if (address < 0) parts.journal.refused(refusedIn);
          return Math.max(0, address);
        },
        free: (address) => pages.putPage(Math.floor(address / skbs.config.pageSize)),
        build: (address, pad, napi) => built(parts, skbs.buildSkb(address, bytes, napi), pad),
      };
    case "alloc_pages":
    case "page_pool": {
      const order = request.order ?? 0;
      return {
        kind: "pages",
        request,
        make: (gfp) => pages.allocPages(gfp, order) + 1,
        free: (page) => pages.putPage(page - 1),
        build: noBuild,
      };
    }
  }
}

function built(parts: DriverParts, skb: number, pad: number): number {
  if (skb !== 0) parts.skbs.skbReserve(skb, pad);
  return skb;
}

/** Where a frame lies in blocks of a pool: the first is the packet's head, the others its fragments. All in bytes. */
export interface BlocksOfFrame {
  /** Of a block. */
  readonly block: number;
  /** Of the frame in each block but the last. */
  readonly piece: number;
  /** Before the frame in the head, and in each fragment. */
  readonly headroom: number;
  readonly fragmentAt: number;
}

/** The frame's bytes as linear data and fragments of `skb`, whose head is the first of `blocks` (numbers one more than the pfn). */
export function fillFromBlocks(
  skbs: Skbs,
  skb: number,
  { block, piece, headroom, fragmentAt }: BlocksOfFrame,
  blocks: Float64Array,
  count: number,
  bytes: number,
): void {
  skbs.skbReserve(skb, headroom);
  let left = bytes - Math.min(bytes, piece);
  skbs.skbPut(skb, bytes - left);
  for (let i = 1; i < count; i++) {
    const part = Math.min(left, piece);
    skbs.skbAddRxFrag(skb, i - 1, (blocks[i] as number) - 1, fragmentAt, part, block);
    left -= part;
  }
}
