// An sk_buff and an URB a slot: what usbnet posts. rx_submit(), rx_alloc_submit() of drivers/net/usb/usbnet.c, 6.1.192 and 6.12.117.
import type { SlotBuffers, SlotsFor } from "./slots.ts";

/** struct urb of 64 bits in its kmalloc cache. */
const urbBytes = 192;
const ethHeader = 14;

export function wholeSkbSlots({ parts, at, size }: SlotsFor): SlotBuffers {
  const { skbs, heap } = parts;
  const skbOf = new Int32Array(size);
  const urbOf = new Float64Array(size).fill(-1);
  let bytes = 0;
  const free = (slot: number): void => {
    if (skbOf[slot] !== 0) skbs.kfreeSkb(skbOf[slot]!);
    if (urbOf[slot]! >= 0) heap.kfree(urbOf[slot]!);
    skbOf[slot] = 0;
    urbOf[slot] = -1;
  };
  return {
    counters: {},
    open(mtu) {
      bytes = mtu + ethHeader;
      return true;
    },
    close() {
      for (let slot = 0; slot < size; slot++) free(slot);
    },
    together: () => 1,
    post(slot, gfp) {
      if (skbOf[slot] !== 0) return true;
      urbOf[slot] = heap.kmalloc(urbBytes, gfp);
      if (urbOf[slot]! < 0) return false;
      skbOf[slot] = skbs.netdevAllocSkb(bytes + at.netIpAlign, gfp);
      if (skbOf[slot] === 0) free(slot);
      else skbs.skbReserve(skbOf[slot]!, at.netIpAlign);
      return skbOf[slot] !== 0;
    },
    slotsOf: (length) => (length <= bytes ? 1 : size + 1),
    packet(slot, _count, length) {
      const skb = skbOf[slot]!;
      skbOf[slot] = 0;
      free(slot);
      skbs.skbPut(skb, length);
      return skb;
    },
    unused: () => undefined,
    done: () => undefined,
    pool: () => -1,
  };
}
