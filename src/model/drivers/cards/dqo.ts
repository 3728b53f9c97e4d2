// gve in the DQO format: buffers of 2 KiB that a queue of their own posts, in whatever order pages come free; headers apart on demand.
//
//   until 6.12   pages of the driver: recycled (next half at once) ─▶ used (both halves away: five are looked at before a new page is taken),
//                four times as many as the ring has slots at most, then the oldest is given up
//   since 6.13   pieces of a page_pool, whose packets are marked
//   page list    twice as many pages as slots, registered with the device at open; short of them, buffers are copied into single pages
//   split        headers into a block of 128 bytes a buffer, taken in one piece at open; the packet's head gets a copy, the payload buffers of 4 KiB
//
// gve_rx_post_buffers_dqo(), gve_get_recycled_buf_state(), gve_try_recycle_buf(), gve_rx_dqo(), gve_rx_append_frags() of gve_rx_dqo.c, 6.1.192 and
// 6.12.117; gve_buffer_mgmt_dqo.c, 7.2.12 and 7.3.4. A frame that gets no memory half way is dropped whole here; the real driver takes what is left of
// it for a packet of its own. Which frames the device splits its driver does not say: all that have a payload, here.
import { gfpOf } from "../driver.ts";
import { fragmentChain } from "../fragment_chain.ts";
import { createSetupMemory } from "../setup_memory.ts";
import { poolPieces } from "./pieces.ts";
import type { SlotBuffers, SlotsFor } from "./slots.ts";
import { fragmentHead, singlePages } from "./slots.ts";

/** GVE_DEFAULT_RX_BUFFER_SIZE, GVE_MAX_RX_BUFFER_SIZE, GVE_DEFAULT_HEADER_BUFFER_SIZE, GVE_PAGE_POOL_SIZE_MULTIPLIER and num_buf_states by slots. */
const bufferBytes = 2048;
const splitBytes = 4096;
const headerBuffer = 128;
const pagesBySlots = 4;
const listBySlots = 2;
/** GVE_DQO_QPL_ONDEMAND_ALLOC_THRESHOLD: so few pages of the list are left when buffers begin to be copied. */
const copiesBelow = 96;
/** Used pages that are looked at for one that everybody has given back. */
const looks = 5;

export interface DqoOptions {
  /** Buffers of a page_pool. */
  readonly pooled: boolean;
  readonly split: boolean;
  /** Pages of a list that the device was given once. */
  readonly registered: boolean;
}

/** What lies in the slots. */
interface Buffers {
  open(bytes: number): boolean;
  close(): void;
  post(slot: number, gfp: number): boolean;
  /** The slot's buffer as a fragment, with a reference for the packet; undefined without memory for a copy. */
  give(slot: number): { readonly pfn: number; readonly offset: number; readonly truesize: number } | undefined;
  /** The slot's buffer was not needed. */
  keep(slot: number): void;
  /** The packet's memory goes home. */
  mark(skb: number): void;
  pool(): number;
}

export function dqoSlots(of: SlotsFor, options: DqoOptions): SlotBuffers {
  const { parts, size } = of;
  const { skbs } = parts;
  const setup = createSetupMemory(parts);
  const counters: Record<string, number> = options.split ? { rx_hsplit_pkt: 0 } : {};
  const pooled = options.pooled && !options.registered;
  const buffers = pooled ? pooledBuffers(of) : ownBuffers(of, options.registered, counters);
  const bytes = options.split ? splitBytes : bufferBytes;
  const headersBytes = headerBuffer * size * pagesBySlots;
  let headers = -1;
  const next = (slot: number): number => (slot + 1 === size ? 0 : slot + 1);
  const splits = (length: number, of: number): boolean => options.split && length > of;

  return {
    counters,
    ...(pooled ? { context: parts.pools().context } : {}),
    open() {
      if (options.split) {
        headers = setup.dmaAlloc(headersBytes, false);
        if (headers < 0) return false;
      }
      if (buffers.open(bytes)) return true;
      if (headers >= 0) setup.dmaFree(headers, headersBytes);
      headers = -1;
      return false;
    },
    close() {
      buffers.close();
      if (headers >= 0) setup.dmaFree(headers, headersBytes);
      headers = -1;
    },
    together: () => 1,
    post: buffers.post,
    slotsOf: (length, _from, headersOf) =>
      Math.max(1, Math.ceil((splits(length, headersOf) ? length - headersOf : length) / bytes)),
    packet(begin, slots, length, headersOf) {
      const split = splits(length, headersOf);
      const skb = skbs.napiAllocSkb(split ? headersOf : fragmentHead);
      if (skb === 0) return 0;
      buffers.mark(skb);
      if (split) {
        skbs.skbPut(skb, headersOf);
        counters["rx_hsplit_pkt"] = counters["rx_hsplit_pkt"]! + 1;
      }
      const further = (): number => {
        const more = skbs.napiAllocSkb(0);
        if (more !== 0) buffers.mark(more);
        return more;
      };
      const chain = fragmentChain(skbs, skb, further, false);
      let left = split ? length - headersOf : length;
      for (let i = 0, slot = begin; i < slots; i++, slot = next(slot)) {
        const to = chain.room();
        const buffer = to === 0 ? undefined : buffers.give(slot);
        if (buffer === undefined) {
          skbs.kfreeSkb(skb);
          return 0;
        }
        const part = Math.min(left, bytes);
        left -= part;
        skbs.skbAddRxFrag(to, chain.count(), buffer.pfn, buffer.offset, part, buffer.truesize);
        chain.added(part, bytes);
      }
      return skb;
    },
    unused(begin, slots) {
      for (let i = 0, slot = begin; i < slots; i++, slot = next(slot)) buffers.keep(slot);
    },
    done: () => undefined,
    pool: buffers.pool,
  };
}

function pooledBuffers(of: SlotsFor): Buffers {
  const { parts, at, size } = of;
  const source = poolPieces(of);
  /** Addresses plus one; 0: none. */
  const piece = new Float64Array(size);
  let truesize = 0;
  const back = (slot: number, inPoll: boolean): void => {
    if (piece[slot] !== 0) source.free(piece[slot]! - 1, inPoll);
    piece[slot] = 0;
  };
  return {
    open(bytes) {
      truesize = bytes;
      return source.open(bytes, pagesBySlots * size);
    },
    close() {
      for (let slot = 0; slot < size; slot++) back(slot, false);
      source.close();
    },
    post(slot, gfp) {
      if (piece[slot] === 0) piece[slot] = source.cut(gfp) + 1;
      return piece[slot] !== 0;
    },
    give(slot) {
      const address = piece[slot]! - 1;
      piece[slot] = 0;
      const pfn = parts.pages.compoundHead(Math.floor(address / at.pageSize));
      return { pfn, offset: address - pfn * at.pageSize, truesize };
    },
    keep: (slot) => back(slot, true),
    mark: source.mark,
    pool: source.pool,
  };
}

/** A page of the driver (struct gve_rx_buf_state_dqo). */
interface Page {
  pfn: number;
  offset: number;
  /** Where its next half began when one reference beside the driver's was left: from there on all is known to be free. */
  lastSingle: number;
}

function ownBuffers(of: SlotsFor, registered: boolean, counters: Record<string, number>): Buffers {
  const { parts, at, size } = of;
  const { pages, release } = parts;
  const { pageSize } = at;
  const kernel = gfpOf(release, "GFP_KERNEL");
  const atomic = gfpOf(release, "GFP_ATOMIC");
  const pagesMost = (registered ? listBySlots : pagesBySlots) * size;
  const posted: (Page | undefined)[] = new Array(size).fill(undefined);
  let recycled: Page[] = [];
  let used: Page[] = [];
  /** Pages there are, posted, recycled and used. */
  let owned = 0;
  /** Registered pages that were not posted yet. */
  let list: number[] = [];
  let truesize = 0;
  if (registered) counters["rx_frag_alloc_cnt"] = 0;

  const aPage = (pfn: number): Page => ({ pfn, offset: 0, lastSingle: 0 });
  const free = ({ pfn }: Page): boolean => pages.pageCount(pfn) === 1;
  /** gve_get_recycled_buf_state() */
  const known = (): Page | undefined => {
    const ready = recycled.shift();
    if (ready !== undefined) return ready;
    for (let i = 0; i < looks; i++) {
      const oldest = used.shift();
      if (oldest === undefined) return undefined;
      if (free(oldest)) return oldest;
      used.push(oldest);
    }
    if (registered || owned < pagesMost) return undefined;
    const given = used.shift();
    if (given === undefined || free(given)) return given;
    pages.putPage(given.pfn);
    owned--;
    return undefined;
  };
  const fresh = (gfp: number): Page | undefined => {
    if (registered) {
      const pfn = list.shift();
      return pfn === undefined ? undefined : aPage(pfn);
    }
    if (owned >= pagesMost) return undefined;
    const pfn = pages.allocPages(gfp, 0);
    if (pfn < 0) return undefined;
    owned++;
    return aPage(pfn);
  };
  /** gve_try_recycle_buf(): the page's next buffer, or none that is known to be free. */
  const goOn = (page: Page): void => {
    if (truesize * 2 <= pageSize) {
      // The driver's reference and that of the packet that this buffer went to.
      if (pages.pageCount(page.pfn) === 2) page.lastSingle = page.offset;
      page.offset = (page.offset + truesize) % pageSize;
      if (page.offset !== page.lastSingle) {
        recycled.push(page);
        return;
      }
    }
    used.push(page);
  };
  const dropAll = (): void => {
    for (const page of [...posted, ...recycled, ...used]) if (page !== undefined) pages.putPage(page.pfn);
    for (const pfn of list) pages.putPage(pfn);
    posted.fill(undefined);
    recycled = [];
    used = [];
    list = [];
    owned = 0;
  };

  return {
    open(bytes) {
      truesize = bytes;
      if (!registered) return true;
      const taken = singlePages(parts, pagesMost, kernel);
      list = taken ?? [];
      return taken !== undefined;
    },
    close: dropAll,
    post(slot, gfp) {
      posted[slot] ??= known() ?? fresh(gfp);
      return posted[slot] !== undefined;
    },
    give(slot) {
      const page = posted[slot]!;
      if (registered && used.length >= pagesMost - copiesBelow) {
        const copy = pages.allocPages(atomic, 0);
        if (copy < 0) return undefined;
        counters["rx_frag_alloc_cnt"] = counters["rx_frag_alloc_cnt"]! + 1;
        posted[slot] = undefined;
        recycled.push(page);
        return { pfn: copy, offset: 0, truesize: pageSize };
      }
      posted[slot] = undefined;
      pages.getPage(page.pfn);
      const { pfn, offset } = page;
      goOn(page);
      return { pfn, offset, truesize };
    },
    keep(slot) {
      const page = posted[slot];
      posted[slot] = undefined;
      if (page !== undefined) recycled.push(page);
    },
    mark: () => undefined,
    pool: () => -1,
  };
}
