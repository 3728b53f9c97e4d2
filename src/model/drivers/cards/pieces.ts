// Pieces of 2 KiB, each of which becomes the head of a packet, or a fragment of one that is longer.
//   until 6.2   cut from a page of the queue's own (page_frag_alloc(), order 3 where it can be had)
//   since 6.3   fragments of a page_pool of single pages (page_pool_dev_alloc_frag())
// mt76_dma_rx_fill(), mt76_dma_rx_process(), mt76_add_fragment() of wireless/mediatek/mt76/dma.c, 6.1.192 and 6.12.117; the release between them
// in which it changed is from the project's history, not read.

import { defaultPoolParams } from "../../net/pool/page_pool.ts";
import { skbMarkForRecycle } from "../../net/pool/page_pool_hook.ts";
import type { PoolContext } from "../../net/pool/pool_context.ts";
import type { SlotBuffers, SlotsFor } from "./slots.ts";

/** MT_RX_BUF_SIZE, and the pool_size of a data queue. */
const pieceBytes = 2048;
const poolSize = 256;

interface PieceSource {
  open(): boolean;
  /** An address with a reference, or -1. */
  cut(gfp: number): number;
  free(address: number): void;
  /** After build_skb(): the packet's memory goes home. */
  mark(skb: number): void;
  close(): void;
  pool(): number;
  readonly context?: PoolContext;
}

function ownPage({ parts, at }: SlotsFor): PieceSource {
  const frags = parts.pageFrag();
  return {
    open: () => true,
    cut: (gfp) => frags.alloc(pieceBytes, gfp, -1),
    free: (address) => parts.pages.putPage(Math.floor(address / at.pageSize)),
    mark: () => undefined,
    close: () => frags.drain(),
    pool: () => -1,
  };
}

function fragmentPool({ parts, at }: SlotsFor): PieceSource {
  const { pools, context } = parts.pools();
  let pool = -1;
  return {
    open() {
      pool = pools.create({ ...defaultPoolParams, poolSize, flags: pools.fragmentFlag });
      return pool >= 0;
    },
    cut(gfp) {
      const pfn = pools.allocFrag(pool, pieceBytes, gfp);
      return pfn < 0 ? -1 : pfn * at.pageSize + pools.lastFragOffset();
    },
    free: (address) => pools.putFullPage(pool, Math.floor(address / at.pageSize), true),
    mark: (skb) => skbMarkForRecycle(parts.skbs, skb),
    close() {
      if (pool >= 0) pools.destroy(pool);
      pool = -1;
    },
    pool: () => pool,
    context,
  };
}

/** `pooled`: pieces of a page_pool. */
export function pieceSlots(of: SlotsFor, pooled: boolean): SlotBuffers {
  const { parts, at, size } = of;
  const { skbs } = parts;
  const source = pooled ? fragmentPool(of) : ownPage(of);
  /** Addresses plus one; 0: none. */
  const piece = new Float64Array(size);
  const room = pieceBytes - at.sharedInfo;
  const next = (slot: number): number => (slot + 1 === size ? 0 : slot + 1);
  const free = (slot: number): void => {
    if (piece[slot] !== 0) source.free(piece[slot]! - 1);
    piece[slot] = 0;
  };
  return {
    counters: {},
    open: () => source.open(),
    close() {
      for (let slot = 0; slot < size; slot++) free(slot);
      source.close();
    },
    together: () => 1,
    post(slot, gfp) {
      if (piece[slot] === 0) piece[slot] = source.cut(gfp) + 1;
      return piece[slot] !== 0;
    },
    slotsOf: (bytes) => Math.max(1, Math.ceil(bytes / room)),
    packet(begin, slots, bytes) {
      const skb = skbs.buildSkb(piece[begin]! - 1, pieceBytes, pooled);
      if (skb === 0) {
        // The pieces are given back, and the frame with them.
        for (let i = 0, slot = begin; i < slots; i++, slot = next(slot)) free(slot);
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
        skbs.skbAddRxFrag(skb, i - 1, pfn, address - pfn * at.pageSize, part, pieceBytes);
      }
      return skb;
    },
    unused: () => undefined,
    done: () => undefined,
    pool: () => source.pool(),
    ...(source.context === undefined ? {} : { context: source.context }),
  };
}
