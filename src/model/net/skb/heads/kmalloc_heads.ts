// kmalloc_reserve(): a head's object from kmalloc, first without the emergency reserve and without a report, then, for those who may, with
// both. What an object of a size really has is written down, so that the hot path asks kmalloc's tables once a size.
import { assert } from "../../../../base/assert.ts";
import type { Heap } from "../../../slab/heap.ts";
import type { HeadStore, ReservedHead, SkbConfig } from "../skb_config.ts";

/** Heads that are all kmalloc's; `objectBytes` says what an object for so many bytes, shared info included, really has. */
export function kmallocHeads(
  heap: Heap,
  config: SkbConfig,
  infoRoom: number,
  objectBytes: (wanted: number) => number,
): HeadStore {
  const { gfp, cacheLineBytes } = config;
  assert(
    cacheLineBytes > 0 && (cacheLineBytes & (cacheLineBytes - 1)) === 0,
    () => `a cache line of ${cacheLineBytes} bytes is no power of two`,
  );
  const lineMask = cacheLineBytes - 1;
  const lineShift = 31 - Math.clz32(cacheLineBytes);
  const quietGfp = gfp.nomemalloc | gfp.nowarn;
  /** Bytes of the object for heads of 0, 1, 2 … cache lines of room; 0 while nobody asked. */
  const known = new Int32Array(1024);
  const given: ReservedHead = { bytes: 0, fromReserve: false };

  function sizeObject(line: number): number {
    const bytes = objectBytes(line * cacheLineBytes + infoRoom);
    if (line < known.length) known[line] = bytes;
    return bytes;
  }

  return {
    reserve(size, mask) {
      const line = (size + lineMask) >> lineShift;
      const bytes = line < known.length && known[line] !== 0 ? known[line]! : sizeObject(line);
      given.bytes = bytes;
      given.fromReserve = false;
      const quiet = heap.kmalloc(bytes, mask | quietGfp);
      if (quiet >= 0 || (mask & gfp.memalloc) === 0 || (mask & gfp.nomemalloc) !== 0) return quiet;
      given.fromReserve = true;
      return heap.kmalloc(bytes, mask);
    },
    given,
  };
}
