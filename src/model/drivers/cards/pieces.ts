// Pieces of pages that packets are built in, and where they come from; and the card that lays every frame into pieces of 2 KiB.
//
//   of the queue's own page    page_frag_alloc(), order 3 where it can be had
//   of a page_pool             fragments of single pages, or whole pages where a piece is more than half of one (page_pool_alloc(), since 6.7)
//
// mt76 has the first until 6.2 and the second since: mt76_dma_rx_fill(), mt76_dma_rx_process(), mt76_add_fragment() of
// wireless/mediatek/mt76/dma.c, 5.10.223, 6.1.192, 6.12.117, 7.2.12 and 7.3.4. A frame of more pieces than MAX_SKB_FRAGS is dropped there; none of
// its MTUs comes to that.

import type { PoolContext } from "../../net/pool/pool_context.ts";
import { createPoolHome } from "../pool_home.ts";
import type { SlotBuffers, SlotsFor } from "./slots.ts";

export interface PieceSource {
  /** Pieces of so many bytes from now on; a pool keeps so many pages at home. False without memory. */
  open(bytes: number, poolSize: number): boolean;
  /** An address with a reference, or -1. */
  cut(gfp: number): number;
  free(address: number, inPoll: boolean): void;
  /** The packet's memory goes home when it is freed. */
  mark(skb: number): void;
  close(): void;
  pool(): number;
  readonly context?: PoolContext;
}

export function ownPagePieces({ parts, at }: SlotsFor): PieceSource {
  const frags = parts.pageFrag();
  let piece = 0;
  return {
    open(bytes) {
      piece = bytes;
      return true;
    },
    cut: (gfp) => frags.alloc(piece, gfp, -1),
    free: (address) => parts.pages.putPage(Math.floor(address / at.pageSize)),
    mark: () => undefined,
    close: () => frags.drain(),
    pool: () => -1,
  };
}

export function poolPieces({ parts, at }: SlotsFor): PieceSource {
  const home = createPoolHome(parts);
  const { pools } = home;
  let piece = 0;
  return {
    ...home,
    open(bytes, poolSize) {
      piece = bytes;
      return home.open(poolSize);
    },
    cut(gfp) {
      if (piece * 2 > at.pageSize) {
        const pfn = pools.allocPages(home.pool(), gfp);
        return pfn < 0 ? -1 : pfn * at.pageSize;
      }
      const pfn = pools.allocFrag(home.pool(), piece, gfp);
      return pfn < 0 ? -1 : pfn * at.pageSize + pools.lastFragOffset();
    },
  };
}

/** MT_RX_BUF_SIZE, and the pool_size of a data queue. */
const mt76Bytes = 2048;
const mt76PoolSize = 256;

/** `pooled`: pieces of a page_pool. */
export function pieceSlots(of: SlotsFor, pooled: boolean): SlotBuffers {
  const { parts, at, size } = of;
  const { skbs } = parts;
  const source = pooled ? poolPieces(of) : ownPagePieces(of);
  /** Addresses plus one; 0: none. */
  const piece = new Float64Array(size);
  const room = mt76Bytes - at.sharedInfo;
  const next = (slot: number): number => (slot + 1 === size ? 0 : slot + 1);
  const free = (slot: number, inPoll: boolean): void => {
    if (piece[slot] !== 0) source.free(piece[slot]! - 1, inPoll);
    piece[slot] = 0;
  };
  return {
    counters: {},
    open: () => source.open(mt76Bytes, mt76PoolSize),
    close() {
      for (let slot = 0; slot < size; slot++) free(slot, false);
      source.close();
    },
    together: () => 1,
    post(slot, gfp) {
      if (piece[slot] === 0) piece[slot] = source.cut(gfp) + 1;
      return piece[slot] !== 0;
    },
    slotsOf: (bytes) => Math.max(1, Math.ceil(bytes / room)),
    packet(begin, slots, bytes) {
      const skb = skbs.buildSkb(piece[begin]! - 1, mt76Bytes, pooled);
      if (skb === 0) {
        // The pieces are given back, and the frame with them.
        for (let i = 0, slot = begin; i < slots; i++, slot = next(slot)) free(slot, true);
        return 0;
      }
      source.mark(skb);
      let left = bytes;
      for (let i = 0, slot = begin; i < slots; i++, slot = next(slot)) {
        const part = Math.min(left, room);
        const address = piece[slot]! - 1;
        left -= part;
        piece[slot] = 0;
        if (i === 0) {
          skbs.skbPut(skb, part);
          continue;
        }
        const pfn = parts.pages.compoundHead(Math.floor(address / at.pageSize));
        skbs.skbAddRxFrag(skb, i - 1, pfn, address - pfn * at.pageSize, part, mt76Bytes);
      }
      return skb;
    },
    unused: () => undefined,
    done: () => undefined,
    pool: () => source.pool(),
    ...(source.context === undefined ? {} : { context: source.context }),
  };
}
