// A small machine around one pool: watched pages, a DMA checker, a slab for skb heads, and a receive loop like mvneta's.
// It serves experiments with the return hook until a full driver stands in its place: one queue, one CPU, one packet a descriptor.
//
//   device ─writes─▶ descriptor's page ─sync for cpu─▶ build_skb ─▶ stack;   refill: page_pool_dev_alloc_pages, else the packet is dropped
//
// Layout of a receive page (drivers/net/ethernet/marvell/mvneta.c, 6.1): headroom, frame, room, skb_shared_info at the end.
import { createJournal } from "../../journal.ts";
import type { PageAllocator } from "../../mm/pages.ts";
import { createNaivePages } from "../../mm/pages.ts";
import type { Heap } from "../../slab/heap.ts";
import type { PagePools } from "./page_pool.ts";
import {
  createPagePools,
  defaultPoolParams,
  PP_FLAG_DMA_MAP,
  PP_FLAG_DMA_SYNC_DEV,
  PP_FLAG_PAGE_FRAG,
} from "./page_pool.ts";
import type { Census, Holder, WatchedPages } from "./page_pool_census.ts";
import { skbHolders, takeCensus, watchPages } from "./page_pool_census.ts";
import type { DmaChecker } from "./page_pool_dma.ts";
import { createDmaChecker } from "./page_pool_dma.ts";
import type { PoolSkb, PoolSkbs, RecyclePolicy } from "./page_pool_skb.ts";
import { createPoolSkbs, SHARED_INFO_BYTES } from "./page_pool_skb.ts";
import type { PoolContext } from "./pool_context.ts";
import { poolContext, softirqState } from "./pool_context.ts";

const PAGE_SIZE = 4096;
/** Bytes before the frame: NET_SKB_PAD and the Marvell header. */
const RX_HEADROOM = 66;
const GFP_ATOMIC = 0xa20;

export interface LabOptions {
  readonly policy: RecyclePolicy;
  /** Descriptors of the receive ring. */
  readonly ringSize?: number;
  /** pool_size: slots of the pool's own ring; as many as descriptors when left out. */
  readonly poolSize?: number;
  readonly pagesMax?: number;
  /** Pages after the first of a jumbo frame: out of the pool by unmapping (2018), or still the pool's. */
  readonly jumbo?: "release" | "keep";
  /** The nth allocation of pages, or of skb heads, fails (from 1; 0: none). */
  readonly failPage?: number;
  readonly failHead?: number;
  readonly fragments?: boolean;
}

/** kmalloc for heads: objects share slab pages, so that a page that goes astray takes its neighbours along. */
interface LabHeap extends Heap {
  /** Heads that lie in a page which is no longer the slab's. */
  readonly overrun: { readonly pfn: number }[];
  outstanding(): number;
  failures(): number;
}

function labHeap(pages: WatchedPages, failAt: number): LabHeap {
  const bytes = [512, 1024, 2048, 4096];
  const open = new Map<number, { pfn: number; next: number }>();
  const objects = new Map<number, number>();
  const overrun: { pfn: number }[] = [];
  const sizes = new Map<number, number>();
  let calls = 0;
  const roundup = (size: number): number => bytes.find((b) => b >= size) ?? Math.ceil(size / PAGE_SIZE) * PAGE_SIZE;
  const heap: LabHeap = {
    pageSize: PAGE_SIZE,
    overrun,
    kmallocSizeRoundup: roundup,
    kmalloc(size) {
      if (++calls === failAt) return -1;
      const unit = roundup(size);
      let slab = open.get(unit);
      if (slab === undefined || slab.next + unit > PAGE_SIZE) {
        const order = unit > PAGE_SIZE ? Math.ceil(Math.log2(unit / PAGE_SIZE)) : 0;
        const pfn = pages.allocPages(0, order);
        if (pfn < 0) return -1;
        slab = { pfn, next: 0 };
        open.set(unit, slab);
      }
      const at = slab.pfn * PAGE_SIZE + slab.next;
      slab.next += unit;
      objects.set(slab.pfn, (objects.get(slab.pfn) ?? 0) + 1);
      sizes.set(at, unit);
      return at;
    },
    kfree(address) {
      const pfn = Math.floor(address / PAGE_SIZE);
      const unit = sizes.get(address) ?? PAGE_SIZE;
      sizes.delete(address);
      const left = (objects.get(pfn) ?? 1) - 1;
      objects.set(pfn, left);
      if (left > 0 || open.get(unit)?.pfn === pfn) return;
      objects.delete(pfn);
      if (pages.allocated(pfn)) pages.putPage(pfn);
      else overrun.push({ pfn });
    },
    ksize: (address) => sizes.get(address) ?? 0,
    cacheCreate: () => 0,
    cacheAlloc: () => -1,
    cacheFree() {},
    outstanding: () => sizes.size,
    failures: () => (failAt > 0 && calls >= failAt ? 1 : 0),
  };
  return heap;
}

export interface Lab {
  readonly pages: WatchedPages;
  readonly pools: PagePools;
  readonly pool: number;
  readonly skbs: PoolSkbs;
  readonly dma: DmaChecker;
  readonly heap: LabHeap;
  readonly context: PoolContext;
  /** The device writes a frame of `bytes`, the driver makes an skb of it; undefined: dropped for lack of memory. */
  receive(bytes: number): PoolSkb | undefined;
  /** XDP takes the frame instead of the stack: a page to send elsewhere; -1: dropped. */
  receiveForXdp(bytes: number): number;
  /** xdp_return_frame(): after the other device sent it. */
  returnFrame(pfn: number): void;
  /** Takes the census with everybody who can hold pages. */
  census(...others: readonly Holder[]): Census;
  /** The driver goes down: empties its ring, destroys the pool, and time passes. Gives what is still in flight. */
  shutdown(seconds: number): number;
  /** The kernel's sentences so far. */
  readonly said: readonly string[];
  dropped(): number;
}

export function createLab(options: LabOptions, inner?: PageAllocator): Lab {
  const pagesMax = options.pagesMax ?? 4096;
  const ringSize = options.ringSize ?? 16;
  const pages = watchPages(inner ?? createNaivePages(pagesMax, 1), options.failPage ?? 0);
  const journal = createJournal();
  const said: string[] = [];
  journal.listen((_kind, _nanos, _cpu, text) => said.push(journal.text(text)), "warning");
  const context = poolContext(softirqState.running);
  const dma = createDmaChecker({ pfnMax: pagesMax + 1 });
  const pools = createPagePools({ pages, journal, context, pfnMax: pagesMax + 1, poolsMax: 2, dma });
  pages.ownedBy = pools.poolOf;
  const heap = labHeap(pages, options.failHead ?? 0);
  const skbs = createPoolSkbs({ pools, pages, heap, policy: options.policy });
  const maxLen = PAGE_SIZE - RX_HEADROOM - SHARED_INFO_BYTES;
  const pool = pools.create({
    ...defaultPoolParams,
    flags: PP_FLAG_DMA_MAP | PP_FLAG_DMA_SYNC_DEV | (options.fragments === true ? PP_FLAG_PAGE_FRAG : 0),
    poolSize: options.poolSize ?? ringSize,
    offset: RX_HEADROOM,
    maxLen,
  });
  const ring: number[] = [];
  let next = 0;
  let drops = 0;
  const fill = (): void => {
    while (ring.length < ringSize) {
      const pfn = pools.allocPages(pool, GFP_ATOMIC);
      if (pfn < 0) return;
      ring.push(pfn);
    }
  };
  /** Takes the filled page of one descriptor and puts a fresh one there; -1 drops the frame and keeps the page. */
  const takePage = (bytes: number): number => {
    if (ring.length < ringSize) fill();
    if (ring.length === 0) return -1;
    const slot = next++ % ring.length;
    const pfn = ring[slot] as number;
    const address = pools.dmaAddress(pfn);
    dma.deviceWrite(address, RX_HEADROOM, bytes);
    const fresh = pools.allocPages(pool, GFP_ATOMIC);
    if (fresh < 0) return -1;
    ring[slot] = fresh;
    dma.syncForCpu(address, RX_HEADROOM, bytes);
    dma.cpuRead(pfn, RX_HEADROOM, Math.min(bytes, 64));
    return pfn;
  };

  const lab: Lab = {
    pages,
    pools,
    pool,
    skbs,
    dma,
    heap,
    context,
    receive(bytes) {
      const pfn = takePage(Math.min(bytes, maxLen));
      if (pfn < 0) return drop();
      const skb = skbs.buildSkb(pfn, 0, RX_HEADROOM, Math.min(bytes, maxLen));
      skbs.markForRecycle(skb, pool);
      for (let left = bytes - maxLen; left > 0; left -= maxLen) {
        const size = Math.min(left, maxLen);
        const part = takePage(size);
        if (part < 0) {
          skbs.free(skb);
          return drop();
        }
        if (options.jumbo === "release") pools.releasePage(pool, part);
        skbs.addRxFrag(skb, part, RX_HEADROOM, size);
      }
      return skb;
    },
    receiveForXdp(bytes) {
      const pfn = takePage(Math.min(bytes, maxLen));
      if (pfn < 0) drop();
      return pfn;
    },
    returnFrame(pfn) {
      pools.putFullPage(pool, pfn, false);
    },
    census: (...others) =>
      takeCensus(pools, pages, [{ name: "receive ring", pfns: ring }, ...skbHolders(skbs, pages), ...others]),
    shutdown(seconds) {
      for (const pfn of ring.splice(0)) pools.putFullPage(pool, pfn, false);
      pools.destroy(pool);
      for (let s = 1; s <= seconds && pools.isLive(pool); s++) {
        journal.nanos = s * 1e9;
        pools.runDelayed(journal.nanos);
      }
      return pools.isLive(pool) ? pools.inflight(pool) : 0;
    },
    said,
    dropped: () => drops,
  };
  const drop = (): undefined => {
    drops++;
  };
  fill();
  return lab;
}
