// A single page a slot, used from its start: a packet takes what it is long, and the page is posted again as long as 2 KiB of it are left.
//
//   [ frame ─▶ stack | frame ─▶ stack | posted … ]       each packet with a reference of its own; the last one gets the driver's
//
// Or a page a frame, all of it, as a fragment behind headers that are pulled out: `reuses` false.
//
// ena_alloc_rx_page(), ena_rx_skb() of ena_netdev.c, 5.10.223; ena_alloc_rx_buffer(), ena_try_rx_buf_page_reuse(), ena_rx_skb(), 6.1.192, 6.12.117,
// 7.2.12 and 7.3.4. Better than the real one in one place:
// where build_skb() gets no sk_buff it has counted a reference more, and the page stays for ever; here the reference is given back.
import { alignUp } from "../../../kernel/facts/drivers/driver.ts";
import type { SlotBuffers, SlotsFor } from "./slots.ts";
import { fragmentHead, slotPages } from "./slots.ts";
import { xdpHeadroom } from "./xdp.ts";

/** ENA_MIN_RX_BUF_SIZE: what must be left of a page, bytes. */
const leastLeft = 2048;
/** ENA_PAGE_SIZE: pages of 64 KiB are used by the quarter. */
const mostOfPage = 16_384;

export function remainderSlots(of: SlotsFor, reuses: boolean): SlotBuffers {
  const { parts, at, size } = of;
  const { pages, skbs } = parts;
  const { pageSize, sharedInfo, cacheLine } = at;
  const own = slotPages(of);
  const { page, offset } = own;
  /** Bytes of a frame that the slot takes. */
  const room = new Int32Array(size);
  const counters = { page_reused: 0 };
  const used = Math.min(pageSize, mostOfPage);
  let headroom = 0;
  let program = false;
  const next = (slot: number): number => (slot + 1 === size ? 0 : slot + 1);
  /** The driver's side of a packet of `part` bytes: true when the page stays, with a reference for the packet. */
  const stays = (slot: number, part: number, taken: number): boolean => {
    if (!reuses || program || alignUp(part, cacheLine) + leastLeft > room[slot]!) return false;
    pages.getPage(page[slot]! - 1);
    offset[slot] = offset[slot]! + taken;
    room[slot] = room[slot]! - taken;
    counters.page_reused++;
    return true;
  };

  return {
    counters,
    open(_mtu, xdp) {
      program = xdp;
      headroom = xdp ? xdpHeadroom : reuses ? at.netSkbPad : 0;
      return true;
    },
    close: own.drop,
    together: () => 1,
    post(slot, gfp) {
      if (page[slot] !== 0) return true;
      page[slot] = pages.allocPages(gfp, 0) + 1;
      offset[slot] = 0;
      room[slot] = used - headroom - (reuses ? sharedInfo : 0);
      return page[slot] !== 0;
    },
    slotsOf(bytes, from) {
      let slots = 0;
      for (let left = bytes, slot = from; left > 0 && slots < size; slots++, slot = next(slot)) {
        if (page[slot] === 0) return size + 1;
        left -= room[slot]!;
      }
      return Math.max(1, slots);
    },
    packet(begin, slots, bytes) {
      let skb = reuses ? 0 : skbs.napiAllocSkb(fragmentHead);
      if (!reuses && skb === 0) return 0;
      let left = bytes;
      for (let i = 0, slot = begin; i < slots; i++, slot = next(slot)) {
        const part = Math.min(left, room[slot]!);
        const taken = alignUp(part + headroom + sharedInfo, cacheLine);
        const pfn = page[slot]! - 1;
        const start = offset[slot]!;
        left -= part;
        if (!reuses) skbs.skbAddRxFrag(skb, i, pfn, start + headroom, part, used);
        else if (i === 0) {
          skb = skbs.buildSkb(pfn * pageSize + start, taken, true);
          if (skb === 0) return 0;
          skbs.skbReserve(skb, headroom);
          skbs.skbPut(skb, part);
        } else skbs.skbAddRxFrag(skb, i - 1, pfn, start + headroom, part, taken);
        if (!stays(slot, part, taken)) page[slot] = 0;
      }
      return skb;
    },
    unused: () => undefined,
    lend(begin, slots) {
      const lent: number[] = [];
      for (let i = 0, slot = begin; i < slots; i++, slot = next(slot)) {
        lent.push(page[slot]! - 1);
        page[slot] = 0;
      }
      return lent;
    },
    takeBack: own.takeBack,
    done: () => undefined,
    pool: () => -1,
  };
}
