// Receive buffers that a driver makes once and thinks are its own for ever: what seed 000 tried with 256 buffers of four pages, and two ways
// in which it can be done. For runs that ask; the real ibm_emac makes a fresh buffer for each that goes up.
//
//   hand-up      ring ─ buffer ─▶ stack, which frees it · a lap later the same buffer is in the ring again, whoever has its pages now
//   copy         ring ─ bytes ─▶ single pages ─▶ stack · the buffer never leaves
//   destructor   ring ─ buffer ─▶ stack ─ last reference ─▶ back in the pool (frag_destructors.ts)
import { assert } from "../../base/assert.ts";
import { headField, headInts, skbField, skbInts } from "../net/skb/skb_columns.ts";
import type { BufferMaker } from "./buffers.ts";
import type { DriverParts } from "./driver.ts";
import { gfpOf } from "./driver.ts";

export const keptModes = ["hand-up", "copy", "destructor"] as const;
export type KeptMode = (typeof keptModes)[number];

export interface KeptBuffers {
  /** Makes all of them; false without memory, and then there are none. */
  fill(maker: BufferMaker): boolean;
  /** A buffer for a ring slot, or 0. */
  next(): number;
  /** A packet of a frame that the hardware wrote into `buffer`; 0 without memory for one, and the buffer stays as it was. */
  packet(buffer: number, bytes: number): number;
  /** What the slot holds after packet() gave one. */
  after(): number;
  /** A buffer leaves its slot unused. */
  giveBack(buffer: number): void;
  /** The ring is gone: what nobody else has is given back, the rest when it returns. */
  close(): void;
  /** Buffers that went up again after the stack had freed them. */
  reused(): number;
  /** Buffers with the driver now. */
  free(): number;
}

interface Kept {
  used: boolean;
  readonly skb: number;
  /** What stood in the sk_buff when it was new, and where it and its head lie. */
  readonly row: Int32Array;
  readonly object: number;
  readonly address: number;
  readonly bytes: number;
}

const { HEAD, STATE } = skbField;
/** What a packet in pages has in its head: headers, as copy-break drivers pull them. */
const headRoom = 128;
const copyNanosPerByte = 1;

export function createKeptBuffers(parts: DriverParts, mode: KeptMode, count: number, reserve: number): KeptBuffers {
  return mode === "hand-up" ? handUp(parts, count, reserve) : ownPages(parts, mode, count);
}

/** The mistake: an sk_buff and its head are used again as if nobody had freed them. */
function handUp({ skbs, release }: DriverParts, count: number, reserve: number): KeptBuffers {
  const { S, H, skbAddress, headAddress, takeSkb } = skbs.columns;
  const kernel = gfpOf(release, "GFP_KERNEL");
  let pool: Kept[] = [];
  let at = 0;
  let after = 0;
  let reused = 0;
  const next = (): number => {
    at = (at % pool.length) + 1;
    return at;
  };
  const remember = (skb: number): Kept => {
    const head = S[skb + HEAD]!;
    return {
      used: false,
      skb,
      row: S.slice(skb, skb + skbInts),
      object: skbAddress[skb / skbInts]!,
      address: headAddress[head / headInts]!,
      bytes: H[head + headField.BYTES]!,
    };
  };
  /** The row is new, the memory is not: what the driver writes there and what the stack frees are the old addresses. */
  const again = (kept: Kept): number => {
    reused++;
    const skb = takeSkb();
    const state = S[skb + STATE]!;
    S.set(kept.row, skb);
    S[skb + STATE] = (state & ~3) | 1;
    S[skb + HEAD] = skbs.newHead(kept.address, kept.bytes);
    skbAddress[skb / skbInts] = kept.object;
    return skb;
  };
  return {
    fill(maker) {
      while (pool.length < count) {
        const skb = maker.make(kernel);
        if (skb === 0) {
          for (const kept of pool) skbs.kfreeSkb(kept.skb);
          pool = [];
          return false;
        }
        skbs.skbReserve(skb, reserve);
        pool.push(remember(skb));
      }
      return true;
    },
    next,
    packet(buffer, bytes) {
      const kept = pool[buffer - 1];
      assert(kept !== undefined, () => `buffer ${buffer} is none of the pool's ${pool.length}`);
      const skb = kept.used ? again(kept) : kept.skb;
      kept.used = true;
      skbs.skbPut(skb, bytes);
      after = next();
      return skb;
    },
    after: () => after,
    // A hand-up buffer is in the pool wherever it is.
    giveBack: () => undefined,
    close() {
      for (const kept of pool) if (!kept.used) skbs.kfreeSkb(kept.skb);
      pool = [];
      at = 0;
    },
    reused: () => reused,
    free: () => pool.filter((k) => !k.used).length,
  };
}

/** Blocks of pages that stay the driver's: the stack gets a copy, or a fragment that says when it is done. */
function ownPages(parts: DriverParts, mode: KeptMode, count: number): KeptBuffers {
  const { skbs, pages, cpus, release } = parts;
  const { pageSize } = skbs.config;
  const kernel = gfpOf(release, "GFP_KERNEL", "COMP");
  const atomic = gfpOf(release, "GFP_ATOMIC");
  const blocks: number[] = [];
  let order = 0;
  let after = 0;
  /** Each filling of the pool; a buffer that returns from an earlier one is of no use any more. */
  let filling = 0;
  let closed = false;

  const giveBack = (block: number): void => void blocks.push(block);
  const copied = (bytes: number): number => {
    const skb = skbs.netdevAllocSkb(headRoom, atomic);
    if (skb === 0) return 0;
    for (let left = bytes, i = 0; left > 0; i++, left -= pageSize) {
      const pfn = pages.allocPages(atomic, 0);
      if (pfn < 0) {
        skbs.kfreeSkb(skb);
        return 0;
      }
      skbs.skbAddRxFrag(skb, i, pfn, 0, Math.min(left, pageSize), pageSize);
    }
    cpus.spend(bytes * copyNanosPerByte);
    return skb;
  };
  const lent = (block: number, bytes: number): number => {
    const skb = skbs.netdevAllocSkb(headRoom, atomic);
    if (skb === 0) return 0;
    const [mine, myOrder] = [filling, order];
    const destructor = skbs.fragDestructors.create(() => {
      if (closed || mine !== filling) pages.freePages(block - 1, myOrder);
      else giveBack(block);
    });
    skbs.skbAppendPagefrags(skb, block - 1, 0, bytes, destructor);
    skbs.lenAdd(skb, bytes);
    skbs.fragDestructors.put(destructor);
    return skb;
  };

  return {
    fill(maker) {
      closed = false;
      filling++;
      order = 0;
      while (pageSize << order < maker.request.bytes) order++;
      while (blocks.length < count) {
        const pfn = pages.allocPages(kernel, order);
        if (pfn < 0) {
          for (const block of blocks.splice(0)) pages.freePages(block - 1, order);
          return false;
        }
        blocks.push(pfn + 1);
      }
      return true;
    },
    next: () => blocks.shift() ?? 0,
    packet(buffer, bytes) {
      after = buffer;
      if (mode === "copy") return copied(bytes);
      // Without another buffer for the slot this one cannot go.
      if (blocks.length === 0) return 0;
      const skb = lent(buffer, bytes);
      if (skb !== 0) after = blocks.shift() as number;
      return skb;
    },
    after: () => after,
    giveBack,
    close() {
      closed = true;
      for (const block of blocks.splice(0)) pages.freePages(block - 1, order);
    },
    reused: () => 0,
    free: () => blocks.length,
  };
}
