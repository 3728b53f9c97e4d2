// A page a slot, in two halves: one goes up with a packet, the other is posted meanwhile; a half is posted again when nobody but the driver had
// the page as its frame was taken out of the ring.
//
//   [ frame ─▶ stack |   posted  ]  ──flip──▶  [   posted   | frame ─▶ stack ]       both halves up there: the page is let go
//
// ice_alloc_mapped_page(), ice_can_reuse_rx_page(), ice_build_skb() of ice_txrx.c (5.10.223, 6.1.192, 6.12.117) and their likes in i40e_txrx.c
// (these and 7.2.12, 7.3.4); gve_rx() of gve_rx.c (5.10.223), gve_rx_raw_addressing(), gve_rx_qpl(), gve_rx_refill_buffers() (later ones). The real
// ones take 65535 references at once and keep count of theirs: one of them stands for that here. Pages of 8 KiB and more are not flipped but cut
// further on, as there.
import type { RxMachine } from "../../../kernel/facts/drivers/driver.ts";
import { alignUp } from "../../../kernel/facts/drivers/driver.ts";
import { gfpOf } from "../driver.ts";
import { createCopyPool } from "./copy_pool.ts";
import type { SlotBuffers, SlotsFor } from "./slots.ts";
import { fragmentHead, pageIsReusable, slotPages } from "./slots.ts";

export interface FlippedSpec {
  /** Bytes of a frame that a slot takes, and what lies before them; the same with an XDP program. */
  readonly bytes: (mtu: number, at: RxMachine) => number;
  readonly headroom: (at: RxMachine) => number;
  /** A packet is built around the first half, or has only fragments behind headers that are pulled out. */
  readonly packet: "build_skb" | "fragments";
  /** When a page is looked at: as its frame is taken out, or again as the slot is refilled. */
  readonly looksAgain: boolean;
  /** The pages are registered with the device and stay for ever: what finds no free half is copied, a whole frame or buffer by buffer. */
  readonly registered?: "copies frames" | "copies buffers";
  readonly counters: {
    readonly reused: string;
    readonly busy: string;
    readonly waived: string;
    readonly copied: string;
  };
}

export function flippedSlots(of: SlotsFor, spec: FlippedSpec): SlotBuffers {
  const { parts, at, size } = of;
  const { pages, skbs, release } = parts;
  const { pageSize } = at;
  const own = slotPages(of);
  const { page, offset } = own;
  /** What the slot's page is when it is posted again: as it lies, on its other half, or to be looked at. */
  const flips = new Uint8Array(size);
  const { reused, busy, waived, copied } = spec.counters;
  const counters: Record<string, number> = { [reused]: 0, [busy]: 0, [waived]: 0, [copied]: 0 };
  const kernel = gfpOf(release, "GFP_KERNEL");
  const registered = spec.registered !== undefined;
  const copies = spec.registered === "copies buffers" ? createCopyPool(of, 2 * size) : undefined;
  const flipping = pageSize < 8192;
  let bytes = 0;
  let headroom = 0;
  let order = 0;
  let half = 0;
  const count = (name: string): void => {
    counters[name] = counters[name]! + 1;
  };
  const next = (slot: number): number => (slot + 1 === size ? 0 : slot + 1);
  const letGo = (slot: number): void => {
    pages.putPage(page[slot]! - 1);
    page[slot] = 0;
  };
  const mayStay = (pfn: number): boolean => {
    if (pages.pageCount(pfn) !== 1) count(busy);
    else if (!pageIsReusable(parts, pfn)) count(waived);
    else return true;
    return false;
  };
  /** The half that went up is not the one that is posted next. */
  const moveOn = (slot: number, part: number): boolean => {
    offset[slot] = flipping
      ? offset[slot]! ^ half
      : offset[slot]! + alignUp(part + headroom + at.sharedInfo, at.cacheLine);
    return flipping || offset[slot]! <= pageSize - half;
  };
  const dataAt = (slot: number): number => offset[slot]! + headroom;

  const truesizeOf = (part: number): number =>
    flipping ? half : alignUp(part + headroom + at.sharedInfo, at.cacheLine);
  const built = (slot: number, part: number): number => {
    pages.getPage(page[slot]! - 1);
    const skb = skbs.buildSkb((page[slot]! - 1) * pageSize + offset[slot]!, truesizeOf(part), true);
    if (skb === 0) {
      pages.putPage(page[slot]! - 1);
      return 0;
    }
    skbs.skbReserve(skb, headroom);
    skbs.skbPut(skb, part);
    return skb;
  };
  /** Behind the last slot that was posted: where the next page that is kept waits (next_to_alloc). */
  let keepAt = 0;
  /** The driver's side of a half that went up: kept for the next post, or let go. */
  const after = (slot: number, stays: boolean, part: number): void => {
    if (spec.looksAgain) flips[slot] = stays ? 1 : 0;
    else if (!stays || !moveOn(slot, part)) {
      letGo(slot);
      return;
    } else keep(slot);
    if (stays) count(reused);
  };
  function keep(slot: number): void {
    const [pfn, place] = [page[slot]!, offset[slot]!];
    page[slot] = 0;
    page[keepAt] = pfn;
    offset[keepAt] = place;
    keepAt = next(keepAt);
  }
  /** A frame whose pages cannot leave, as one linear packet. */
  const copyOut = (length: number): number => {
    const skb = skbs.napiAllocSkb(length);
    if (skb !== 0) skbs.skbPut(skb, length);
    return skb;
  };
  /** A buffer's fragment of pages kept for copies; false without memory. */
  const addCopy = (skb: number, i: number, part: number): boolean => {
    const copy = copies?.take();
    if (copy === undefined) return false;
    count(copied);
    skbs.skbAddRxFrag(skb, i, copy.pfn, copy.offset + headroom, part, copy.truesize);
    return true;
  };

  return {
    counters,
    open(mtu) {
      bytes = spec.bytes(mtu, at);
      headroom = spec.headroom(at);
      order = flipping && headroom + bytes + (spec.packet === "fragments" ? 0 : at.sharedInfo) > pageSize / 2 ? 1 : 0;
      keepAt = 0;
      half = flipping ? (pageSize << order) / 2 : alignUp(headroom + bytes + at.sharedInfo, at.cacheLine);
      if (!registered) return true;
      for (let slot = 0; slot < size; slot++) {
        page[slot] = pages.allocPages(kernel, 0) + 1;
        offset[slot] = 0;
        if (page[slot] !== 0) continue;
        own.drop();
        return false;
      }
      if (copies === undefined || copies.open()) return true;
      own.drop();
      return false;
    },
    close() {
      own.drop();
      copies?.close();
    },
    together: () => 1,
    post(slot, gfp) {
      if (page[slot] !== 0 && spec.looksAgain && !registered) {
        if (flips[slot] === 1) moveOn(slot, bytes);
        else if (pages.pageCount(page[slot]! - 1) !== 1) letGo(slot);
        flips[slot] = 0;
      }
      if (page[slot] !== 0) {
        keepAt = next(slot);
        return true;
      }
      page[slot] = pages.allocPages(gfp, order) + 1;
      offset[slot] = 0;
      if (page[slot] !== 0) keepAt = next(slot);
      return page[slot] !== 0;
    },
    slotsOf: (length) => Math.max(1, Math.ceil(length / bytes)),
    packet(begin, slots, length) {
      const stay: boolean[] = [];
      for (let i = 0, slot = begin; i < slots; i++, slot = next(slot)) stay.push(mayStay(page[slot]! - 1));
      if (spec.registered === "copies frames" && stay.includes(false)) {
        count(copied);
        return copyOut(length);
      }
      const fragments = spec.packet === "fragments";
      let skb = fragments ? skbs.napiAllocSkb(fragmentHead) : 0;
      if (fragments && skb === 0) return 0;
      let left = length;
      for (let i = 0, slot = begin; i < slots; i++, slot = next(slot)) {
        const part = Math.min(left, bytes);
        const frag = fragments ? i : i - 1;
        left -= part;
        if (registered && stay[i] === false) {
          if (addCopy(skb, frag, part)) continue;
          skbs.kfreeSkb(skb);
          return 0;
        }
        if (frag < 0) {
          skb = built(slot, part);
          if (skb === 0) return 0;
        } else {
          pages.getPage(page[slot]! - 1);
          skbs.skbAddRxFrag(skb, frag, page[slot]! - 1, dataAt(slot), part, fragments ? half : truesizeOf(part));
        }
        if (registered) {
          moveOn(slot, part);
          count(reused);
        } else after(slot, stay[i]!, part);
      }
      return skb;
    },
    unused(begin, slots) {
      for (let i = 0, slot = begin; i < slots; i++, slot = next(slot)) {
        flips[slot] = 0;
        if (!spec.looksAgain) keep(slot);
      }
    },
    lend(begin, slots) {
      const lent: number[] = [];
      for (let i = 0, slot = begin; i < slots; i++, slot = next(slot)) {
        const pfn = page[slot]! - 1;
        const stays = mayStay(pfn);
        pages.getPage(pfn);
        lent.push(pfn);
        after(slot, stays, bytes);
      }
      return lent;
    },
    takeBack: own.takeBack,
    done: () => undefined,
    pool: () => -1,
  };
}
