// A small machine around one pool: watched pages, a DMA checker, a slab for skb heads, sk_buffs, and a receive loop like mvneta's.
// It serves experiments with the return hook, where pages may go astray: one queue, one CPU, one packet a descriptor.
//
//   device ─writes─▶ descriptor's page ─sync for cpu─▶ build_skb ─▶ stack;   refill: page_pool_dev_alloc_pages, else the packet is dropped
//
// Layout of a receive page (drivers/net/ethernet/marvell/mvneta.c, 6.1): headroom, frame, room, skb_shared_info at the end.
import { assert } from "../../../base/assert.ts";
import { createJournal } from "../../journal.ts";
import type { PageAllocator } from "../../mm/pages.ts";
import { createNaivePages } from "../../mm/pages.ts";
import type { Heap } from "../../slab/heap.ts";
import { fragField, fragInts, headField, skbBit, skbField } from "../skb/skb_columns.ts";
import type { SkbConfig } from "../skb/skb_config.ts";
import { sharedInfoRoom } from "../skb/skb_config.ts";
import { skbConfig61 } from "../skb/skb_config61.ts";
import type { Skbs } from "../skb/skbs.ts";
import type { PagePools, PoolParts } from "./page_pool.ts";
import { createPagePools, defaultPoolParams, PP_FLAG_DMA_MAP, PP_FLAG_DMA_SYNC_DEV } from "./page_pool.ts";
import type { Census, Holder, WatchedPages } from "./page_pool_census.ts";
import { headPage, skbHolders, takeCensus, watchPages } from "./page_pool_census.ts";
import type { DmaChecker } from "./page_pool_dma.ts";
import { createDmaChecker } from "./page_pool_dma.ts";
import type { PoolContext } from "./pool_context.ts";
import { poolContext, softirqState } from "./pool_context.ts";
import type { HookDesign, PooledSkbs } from "./recycle_designs.ts";
import { designedSkbs, kernelSkbs } from "./recycle_designs.ts";

const PAGE_SIZE = 4096;
/** Bytes before the frame: NET_SKB_PAD and the Marvell header. */
const RX_HEADROOM = 66;
const GFP_ATOMIC = 0xa20;
/** Where sk_buffs lie: behind all pages of the machine, one never where another was. */
const SKB_SLAB = 2 ** 44;
const SKB_BYTES = 256;

const { HEAD, LEN, DATA_LEN, BITS } = skbField;
const { NR_FRAGS } = headField;

export interface LabOptions {
  /** A design of 2018; left out: the kernel's own. */
  readonly design?: HookDesign;
  /** Whose pools and sk_buffs; 6.1's when left out. */
  readonly kernel?: { readonly pool: Partial<PoolParts>; readonly skb: SkbConfig };
  /** Descriptors of the receive ring. */
  readonly ringSize?: number;
  /** pool_size: slots of the pool's own ring; as many as descriptors when left out. */
  readonly poolSize?: number;
  readonly pagesMax?: number;
  /** sk_buffs that may be alive at once. */
  readonly skbsMax?: number;
  /** Pages after the first of a jumbo frame: out of the pool by unmapping (as every design of 2018 needs it), or still the pool's. */
  readonly jumbo?: "release" | "keep";
  /** The nth allocation of pages, of skb heads, or of sk_buffs fails (from 1; 0: none). */
  readonly failPage?: number;
  readonly failHead?: number;
  readonly failSkb?: number;
  readonly fragments?: boolean;
}

/** kmalloc for heads: objects share slab pages, so that a page that goes astray takes its neighbours along. sk_buffs lie elsewhere. */
interface LabHeap extends Heap {
  /** Heads that lie in a page which is no longer the slab's. */
  readonly overrun: { readonly pfn: number }[];
  outstanding(): number;
  failures(): number;
}

function labHeap(pages: WatchedPages, failHead: number, failSkb: number): LabHeap {
  const bytes = [512, 1024, 2048, 4096];
  const open = new Map<number, { pfn: number; next: number }>();
  const objects = new Map<number, number>();
  const overrun: { pfn: number }[] = [];
  const sizes = new Map<number, number>();
  /** Sizes of caches whose objects are heads; 0: sk_buffs. */
  const cacheBytes: number[] = [];
  let heads = 0;
  let structs = 0;
  const roundup = (size: number): number => bytes.find((b) => b >= size) ?? Math.ceil(size / PAGE_SIZE) * PAGE_SIZE;
  const heap: LabHeap = {
    pageSize: PAGE_SIZE,
    overrun,
    kmallocSizeRoundup: roundup,
    kmalloc(size) {
      if (++heads === failHead) return -1;
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
    cacheCreate: (name, size) => cacheBytes.push(name.includes("small_head") ? size : 0) - 1,
    cacheAlloc(cache, gfp) {
      const size = cacheBytes[cache] as number;
      if (size > 0) return heap.kmalloc(size, gfp);
      return ++structs === failSkb ? -1 : SKB_SLAB + structs * SKB_BYTES;
    },
    cacheFree() {},
    outstanding: () => sizes.size,
    failures: () => Number(failHead > 0 && heads >= failHead) + Number(failSkb > 0 && structs >= failSkb),
  };
  return heap;
}

export interface Lab {
  readonly pages: WatchedPages;
  readonly pools: PagePools;
  readonly pool: number;
  readonly skbs: Skbs;
  /** What the return hook's design decides of them. */
  readonly hook: PooledSkbs;
  readonly dma: DmaChecker;
  readonly heap: LabHeap;
  readonly context: PoolContext;
  /** The device writes a frame of `bytes`, the driver makes an skb of it; 0: dropped for lack of memory. */
  receive(bytes: number): number;
  /** XDP takes the frame instead of the stack: a page to send elsewhere; -1: dropped. */
  receiveForXdp(bytes: number): number;
  /** xdp_return_frame(): after the other device sent it. */
  returnFrame(pfn: number): void;
  /** skb_splice_bits(): page references for the pipe, one each. */
  splice(skb: number): number[];
  /** tcp_zerocopy_receive(): maps whole pages into user space; the others stay to be copied. */
  mapToUser(skb: number): number[];
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
  const { design, kernel } = options;
  const jumbo = options.jumbo ?? (design === undefined ? "keep" : "release");
  assert(design === undefined || jumbo === "release", () => "a design of 2018 does not bring fragments home");
  const config = kernel?.skb ?? skbConfig61;
  const pools = createPagePools({ ...kernel?.pool, pages, journal, context, pfnMax: pagesMax + 1, poolsMax: 2, dma });
  pages.ownedBy = pools.poolOf;
  const heap = labHeap(pages, options.failHead ?? 0, options.failSkb ?? 0);
  const maxLen = PAGE_SIZE - RX_HEADROOM - sharedInfoRoom(config);
  const pool = pools.create({
    ...defaultPoolParams,
    flags: PP_FLAG_DMA_MAP | PP_FLAG_DMA_SYNC_DEV | (options.fragments === true ? pools.fragmentFlag : 0),
    poolSize: options.poolSize ?? ringSize,
    offset: RX_HEADROOM,
    maxLen,
  });
  const skbOptions = { pages, heap, config, skbsMax: options.skbsMax ?? 4096 };
  const hook = design === undefined ? kernelSkbs(skbOptions, pools) : designedSkbs(skbOptions, pools, pool, design);
  const { skbs } = hook;
  const { S, H, F, fragBase } = skbs.columns;
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

  const grabbed = (skb: number, wholePagesOnly: boolean): number[] => {
    const pfns: number[] = [];
    const head = S[skb + HEAD] as number;
    const inHead = (S[skb + LEN] as number) > (S[skb + DATA_LEN] as number);
    if (!wholePagesOnly && inHead && ((S[skb + BITS] as number) & skbBit.headFrag) !== 0)
      pfns.push(headPage(skbs, skb));
    const base = fragBase(head);
    for (let f = base; f < base + (H[head + NR_FRAGS] as number) * fragInts; f += fragInts)
      if (!wholePagesOnly || (F[f + fragField.OFFSET] === 0 && F[f + fragField.SIZE] === PAGE_SIZE))
        pfns.push(F[f] as number);
    for (const pfn of pfns) pages.getPage(pfn);
    return pfns;
  };

  const lab: Lab = {
    pages,
    pools,
    pool,
    skbs,
    hook,
    dma,
    heap,
    context,
    receive(bytes) {
      const first = Math.min(bytes, maxLen);
      const pfn = takePage(first);
      if (pfn < 0) return drop();
      const skb = skbs.buildSkb(pfn * PAGE_SIZE, PAGE_SIZE);
      if (skb === 0) {
        pools.putFullPage(pool, pfn, false);
        return drop();
      }
      skbs.skbReserve(skb, RX_HEADROOM);
      skbs.skbPut(skb, first);
      hook.mark(skb);
      let i = 0;
      for (let left = bytes - maxLen; left > 0; left -= maxLen) {
        const size = Math.min(left, maxLen);
        const part = takePage(size);
        if (part < 0) {
          skbs.kfreeSkb(skb);
          return drop();
        }
        if (jumbo === "release") pools.releasePage(pool, part);
        skbs.skbAddRxFrag(skb, i++, part, RX_HEADROOM, size, PAGE_SIZE);
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
    splice: (skb) => grabbed(skb, false),
    mapToUser: (skb) => grabbed(skb, true),
    census: (...others) =>
      takeCensus(pools, pages, [{ name: "receive ring", pfns: ring }, ...skbHolders(skbs), ...others]),
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
  const drop = (): 0 => {
    drops++;
    return 0;
  };
  fill();
  return lab;
}
