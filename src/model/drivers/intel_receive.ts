// What e1000 and e1000e share: 256 descriptors of which one stays free, refilled sixteen at a time and at the end of each poll.
// drivers/net/ethernet/intel/e1000 and e1000e, 6.1.
import type { RxRing } from "./rx_ring.ts";

/** E1000_RX_BUFFER_WRITE: slots dealt with before some are posted again. */
const rxBufferWrite = 16;
/** copybreak's default: packets up to so many bytes are copied, and their buffer stays. */
export const copybreakDefault = 256;
/** Frame check sequence. */
export const fcsBytes = 4;

/**
 * Posts buffers in up to `count` slots from `use` on; slots that still have theirs are only posted again. Stops at the first slot that
 * gets none: `make` gives 0 for no memory.
 */
export function refill(ring: RxRing, count: number, make: (slot: number) => number): void {
  for (let left = count; left > 0; left--) {
    if (ring.buffer[ring.use] === 0) {
      const buffer = make(ring.use);
      if (buffer === 0) return;
      ring.set(ring.use, buffer);
    }
    ring.use = ring.use + 1 === ring.size ? 0 : ring.use + 1;
  }
}

/**
 * One poll's receiving: `one` deals with the frame at ring.clean and gives how many slots it used up, or 0 when it has to be tried again
 * for want of memory. `post(n)` refills.
 */
export function receivePoll(
  ring: RxRing,
  budget: number,
  one: (frame: number) => number,
  post: (n: number) => void,
): number {
  let work = 0;
  let cleaned = 0;
  while (work < budget) {
    const frame = ring.frame[ring.clean]!;
    if (frame === 0) break;
    const slots = one(frame);
    if (slots === 0) break;
    work++;
    cleaned += slots;
    if (cleaned >= rxBufferWrite) {
      post(cleaned);
      cleaned = 0;
    }
  }
  const unused = ring.unused();
  if (unused > 0) post(unused);
  return work;
}
