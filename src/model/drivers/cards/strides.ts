// Striding receive queue: 256 KiB of single pages of a page_pool are posted at once, and packets fill them stride by stride; when the last stride
// is used, what the packets do not hold goes home.
//
//   pages     [    0    |    1    |    2    | … 63 ]            one work queue element (WQE)
//   strides   [ A  |  B |  C |  D |  E | …                       MTU 1500: 2 KiB, a packet each, build_skb()
//             [AAAAAAAAAAAA|BBBBBBBBBBBB…                        MTU 9000: 256 bytes, first 256 of the packet copied, the rest by fragments
//
//   until 6.3  a packet holds its page by get_page(); pages come back into a cache of the queue (a FIFO whose first page must be free to be used),
//              and only what finds no room there goes to the pool, which lets go of a page that a packet still holds
//   since 6.4  pages are cut up for the pool (page_pool_fragment_page()), packets are marked, the pool has them back by itself
//
//              what packets do not hold of a used element goes home when that is posted anew
//   since 6.18 without memory for one, the other used ones are given up and it is tried once more; of a long frame its headers are copied
//
// mlx5e_post_rx_mpwqes(), mlx5e_alloc_rx_mpwqe(), mlx5e_free_rx_mpwqe(), mlx5e_rx_cache_get() and _put(), mlx5e_skb_from_cqe_mpwrq_linear() and
// _nonlinear() of mlx5/core/en_rx.c, en/params.c: 5.10.223, 6.1.192, 6.12.117, 7.2.12, 7.3.4; the releases between them in which it changed are from
// the project's history. Not here: SHAMPO, AF_XDP, the legacy queue, compressed completions.
import { alignUp } from "../../../kernel/facts/drivers/driver.ts";
import { defaultPoolParams } from "../../net/pool/page_pool.ts";
import { skbMarkForRecycle } from "../../net/pool/page_pool_hook.ts";
import type { SlotBuffers, SlotsFor } from "./slots.ts";
import { pageIsReusable } from "./slots.ts";
import { xdpHeadroom } from "./xdp.ts";

/** MLX5_MPWRQ_MAX_LOG_WQE_SZ; MLX5E_RX_MAX_HEAD, which is also the stride where a packet takes several. */
const wqeBytes = 1 << 18;
const smallStride = 256;
/** MLX5E_SW2HW_MTU(): Ethernet header, VLAN tag, checksum. */
const hardHeader = 14 + 4 + 4;
/** MLX5E_CACHE_SIZE: four times as many as pages of a WQE, a power of two. */
const cacheSlots = 4 * 64;
/** MLX5E_PARAMS_MINIMUM_LOG_RQ_SIZE_MPW */
const wqesLeast = 4;

/** How an MTU is laid out. */
export interface StrideLayout {
  readonly stride: number;
  readonly linear: boolean;
  readonly wqes: number;
  readonly headroom: number;
}

const powerOfTwo = (n: number): number => 2 ** Math.ceil(Math.log2(n));

/** `frames`: how many of the MTU shall find room (`ethtool -G rx`), a power of two. */
export function strideLayout(mtu: number, frames: number, xdp: boolean, at: SlotsFor["at"]): StrideLayout {
  const headroom = xdp ? xdpHeadroom : at.netSkbPad;
  const needs = alignUp(headroom + mtu + hardHeader, at.cacheLine) + at.sharedInfo;
  const linearStride = Math.max(powerOfTwo(needs), xdp ? at.pageSize : 0);
  const linear = needs <= at.pageSize;
  const perWqe = Math.max(1, wqeBytes / linearStride);
  return {
    stride: linear ? linearStride : smallStride,
    linear,
    wqes: Math.max(wqesLeast, Math.floor(frames / perWqe)),
    headroom: linear ? headroom : 0,
  };
}

/** Slots that a ring for any MTU must have. */
export const stridesMost = (frames: number): number =>
  Math.max(wqesLeast, Math.ceil(frames / 16)) * (wqeBytes / smallStride);

/** `cutUp`: pages are cut up for the pool. `reclaims`: used elements are given up for one that must be posted, and headers alone are copied. */
export function strideSlots(of: SlotsFor, frames: number, cutUp: boolean, reclaims: boolean): SlotBuffers {
  const { parts, at } = of;
  const { pages, skbs } = parts;
  const { pools, context } = parts.pools();
  const { pageSize } = at;
  const pagesPerWqe = wqeBytes / pageSize;
  let layout = strideLayout(1500, frames, false, at);
  let perWqe = 0;
  let pool = -1;
  /** Pages by WQE, pfn plus one, and the pieces of each that packets were given; strides used by WQE. */
  let page = new Int32Array(0);
  let given = new Int32Array(0);
  let usedStrides = new Int32Array(0);
  /** The queue's own cache, before the pool had fragments. */
  let cache: number[] = [];
  const counters = { rx_cache_reuse: 0, rx_cache_busy: 0, rx_cache_empty: 0, rx_cache_full: 0 };

  const takePage = (gfp: number): number => {
    if (!cutUp) {
      const oldest = cache[0];
      if (oldest === undefined) counters.rx_cache_empty++;
      else if (pages.pageCount(oldest) !== 1) counters.rx_cache_busy++;
      else {
        counters.rx_cache_reuse++;
        cache.shift();
        return oldest;
      }
    }
    const pfn = pools.allocPages(pool, gfp);
    if (pfn >= 0 && cutUp) pools.fragmentPage(pfn);
    return pfn;
  };
  const pageBack = (at: number): void => {
    const pfn = page[at]! - 1;
    page[at] = 0;
    if (pfn < 0) return;
    if (cutUp) pools.unrefFragments(pool, pfn, given[at]!, true);
    else if (cache.length < cacheSlots - 1 && pageIsReusable(parts, pfn)) cache.push(pfn);
    else {
      if (cache.length >= cacheSlots - 1) counters.rx_cache_full++;
      pools.recycleDirect(pool, pfn);
    }
    given[at] = 0;
  };
  /** Elements whose strides are used up and that still hold their pages. */
  const waiting = new Set<number>();
  const wqeBack = (wqe: number): void => {
    usedStrides[wqe] = 0;
    waiting.delete(wqe);
    for (let i = 0; i < pagesPerWqe; i++) pageBack(wqe * pagesPerWqe + i);
  };
  /** All pages of an element, or none. */
  const takeAll = (wqe: number, gfp: number): boolean => {
    for (let i = 0; i < pagesPerWqe; i++) {
      const at0 = wqe * pagesPerWqe + i;
      page[at0] = takePage(gfp) + 1;
      if (page[at0] !== 0) continue;
      for (let got = i - 1; got >= 0; got--) pageBack(wqe * pagesPerWqe + got);
      return false;
    }
    return true;
  };
  /** mlx5e_reclaim_mpwqe_pages(): true when there was something to give up. */
  const reclaim = (wqe: number): boolean => {
    const others = [...waiting].filter((other) => other !== wqe);
    for (const other of others) wqeBack(other);
    return others.length > 0;
  };
  /** A reference of the page for a packet. */
  const give = (at: number): number => {
    const pfn = page[at]! - 1;
    if (cutUp) {
      given[at] = given[at]! + 1;
      pools.pieceGiven(pfn);
    } else pages.getPage(pfn);
    return pfn;
  };
  const untake = (at: number): void => {
    if (cutUp) {
      given[at] = given[at]! - 1;
      pools.pieceKept(page[at]! - 1);
    } else pages.putPage(page[at]! - 1);
  };
  const mark = (skb: number): void => {
    if (cutUp) skbMarkForRecycle(skbs, skb);
  };
  const strides = (bytes: number): number => (layout.linear ? 1 : Math.ceil(bytes / layout.stride));
  /** Where a frame begins: in the next WQE when what is left of this one is too little; the strides between are skipped. */
  const beginOf = (first: number, count: number, bytes: number): number =>
    (first + count - strides(bytes)) % (layout.wqes * perWqe);
  const byteOf = (slot: number): readonly [wqe: number, byte: number] => [
    Math.floor(slot / perWqe),
    (slot % perWqe) * layout.stride,
  ];

  const linear = (slot: number, bytes: number): number => {
    const [wqe, byte] = byteOf(slot);
    const at0 = wqe * pagesPerWqe + Math.floor(byte / pageSize);
    const { headroom } = layout;
    const pfn = give(at0);
    const skb = skbs.buildSkb(
      pfn * pageSize + (byte % pageSize),
      alignUp(headroom + bytes, at.cacheLine) + at.sharedInfo,
      cutUp,
    );
    if (skb === 0) {
      untake(at0);
      return 0;
    }
    mark(skb);
    skbs.skbReserve(skb, headroom);
    skbs.skbPut(skb, bytes);
    return skb;
  };
  const paged = (slot: number, bytes: number, headers: number): number => {
    const skb = skbs.napiAllocSkb(smallStride);
    if (skb === 0) return 0;
    mark(skb);
    const head = Math.min(reclaims ? headers : smallStride, bytes);
    skbs.skbPut(skb, head);
    const [wqe, start] = byteOf(slot);
    let byte = start + head;
    for (let left = bytes - head, i = 0; left > 0; i++) {
      const at0 = wqe * pagesPerWqe + Math.floor(byte / pageSize);
      const part = Math.min(left, pageSize - (byte % pageSize));
      skbs.skbAddRxFrag(skb, i, give(at0), byte % pageSize, part, alignUp(part, layout.stride));
      byte += part;
      left -= part;
    }
    return skb;
  };

  return {
    counters,
    context,
    slots: () => layout.wqes * perWqe,
    open(mtu, xdp) {
      layout = strideLayout(mtu, frames, xdp, at);
      perWqe = wqeBytes / layout.stride;
      const flags = cutUp ? pools.fragmentFlag : 0;
      pool = pools.create({ ...defaultPoolParams, flags, poolSize: pagesPerWqe * layout.wqes });
      page = new Int32Array(pagesPerWqe * layout.wqes);
      given = new Int32Array(page.length);
      usedStrides = new Int32Array(layout.wqes);
      waiting.clear();
      return pool >= 0;
    },
    close() {
      for (let at = 0; at < page.length; at++) {
        const pfn = page[at]! - 1;
        if (pfn < 0) continue;
        if (cutUp) pools.unrefFragments(pool, pfn, given[at]!, false);
        else cache.push(pfn);
        page[at] = 0;
        given[at] = 0;
      }
      // As mlx5e_page_release_dynamic() without recycling: out of the pool, whoever else has it.
      for (const pfn of cache) {
        pools.releasePage(pool, pfn);
        pages.putPage(pfn);
      }
      cache = [];
      if (pool >= 0) pools.destroy(pool);
      pool = -1;
    },
    together: () => perWqe,
    post(slot, gfp) {
      const wqe = Math.floor(slot / perWqe);
      wqeBack(wqe);
      return takeAll(wqe, gfp) || (reclaims && reclaim(wqe) && takeAll(wqe, gfp));
    },
    slotsOf(bytes, from) {
      const count = strides(bytes);
      const left = perWqe - (from % perWqe);
      return count <= left ? count : left + count;
    },
    packet(first, count, bytes, headers) {
      const slot = beginOf(first, count, bytes);
      return layout.linear ? linear(slot, bytes) : paged(slot, bytes, headers);
    },
    unused: () => undefined,
    done(slot) {
      const wqe = Math.floor(slot / perWqe);
      usedStrides[wqe] = usedStrides[wqe]! + 1;
      if (usedStrides[wqe] !== perWqe) return;
      if (cutUp) waiting.add(wqe);
      else wqeBack(wqe);
    },
    pool: () => pool,
    // A stride is a page then.
    lend(first) {
      const [wqe, byte] = byteOf(first);
      const at0 = wqe * pagesPerWqe + Math.floor(byte / pageSize);
      if (cutUp) return [give(at0)];
      const pfn = page[at0]! - 1;
      page[at0] = 0;
      return [pfn];
    },
    takeBack(lent, inPoll) {
      for (const pfn of lent) pools.putFullPage(pools.poolOf(pfn), pfn, inPoll);
    },
  };
}
