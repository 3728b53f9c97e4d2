// What stands in a slot of ringnic's receive ring, and how a packet is made of it: an sk_buff of its own, or pages of a page_pool.
import { orderOfBytes } from "../../kernel/facts/drivers/driver.ts";
import { defaultPoolParams } from "../net/pool/page_pool.ts";
import { givePagesUp } from "../net/pool/page_pool_hook.ts";
import { type BlocksOfFrame, fillFromBlocks, rxMachineOf } from "./buffers.ts";
import type { DriverParts, PoolsOfMachine } from "./driver.ts";

export interface Buffers {
  /** Before the ring is filled: what a buffer must hold. False without memory. */
  open(bytes: number): boolean;
  /** After the ring was emptied. */
  close(): void;
  /** A buffer, 0 without memory. */
  make(gfp: number): number;
  free(buffer: number): void;
  /** Buffers that a frame takes. */
  pieces(bytes: number): number;
  /** A packet of the first `count` buffers, whose they then are; 0 without memory for it, and then the buffers were given back. */
  packet(buffers: Float64Array, count: number, bytes: number): number;
  /** The page pool's number, -1: none. */
  pool(): number;
}

export function freshBuffers({ skbs }: DriverParts): Buffers {
  let holds = 0;
  return {
    open(bytes) {
      holds = bytes;
      return true;
    },
    close() {},
    make: (gfp) => skbs.netdevAllocSkb(holds, gfp),
    free: (skb) => skbs.kfreeSkb(skb),
    pieces: () => 1,
    packet(buffers, _count, bytes) {
      const skb = buffers[0]!;
      skbs.skbPut(skb, bytes);
      return skb;
    },
    pool: () => -1,
  };
}

/** Blocks of the smallest order that holds a frame with NET_SKB_PAD before and skb_shared_info behind it, at most `orderMost`. */
export function poolBuffers(
  parts: DriverParts,
  { pools }: PoolsOfMachine,
  { orderMost, poolSize }: { readonly orderMost: number; readonly poolSize: number },
): Buffers {
  const { skbs } = parts;
  const { pageSize, netSkbPad, sharedInfo } = rxMachineOf(parts);
  let pool = -1;
  let layout: BlocksOfFrame = { block: pageSize, piece: 1, headroom: netSkbPad, fragmentAt: netSkbPad };
  const free = (buffer: number): void => pools.putFullPage(pool, buffer - 1, true);
  return {
    open(bytes) {
      const order = Math.min(orderMost, orderOfBytes(bytes + netSkbPad + sharedInfo, pageSize));
      const block = pageSize << order;
      layout = { ...layout, block, piece: block - netSkbPad - sharedInfo };
      pool = pools.create({ ...defaultPoolParams, order, poolSize });
      return pool >= 0;
    },
    close() {
      if (pool >= 0) pools.destroy(pool);
      pool = -1;
    },
    make: (gfp) => pools.allocPages(pool, gfp) + 1,
    free,
    pieces: (bytes) => Math.max(1, Math.ceil(bytes / layout.piece)),
    packet(buffers, count, bytes) {
      const skb = skbs.buildSkb((buffers[0]! - 1) * pageSize, layout.block);
      if (skb === 0) {
        for (let i = 0; i < count; i++) free(buffers[i]!);
        return 0;
      }
      givePagesUp(skbs, pools, pool, skb, buffers, count);
      fillFromBlocks(skbs, skb, layout, buffers, count, bytes);
      return skb;
    },
    pool: () => pool,
  };
}
