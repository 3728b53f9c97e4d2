// The placement policy of January 2005 (LWN, "Yet another approach to memory fragmentation"): three allocation types with lists of their
// own, fed from one global list of maximal blocks. Merged blocks stay with their type until they are whole; then they go back.
//
//   global  [........][........]      user  uuuu....  0..2@4       kernel  k.......  0@1 1@2 2@4
//
// The patch of 2005-01-16 against 2.6.11-rc1 was read for what the article leaves out: when a type and the global list are both empty, the
// other types' lists are searched in a fixed order, smallest sufficient block first, and the block keeps its type; only user pages are
// taken from per-CPU lists. One thing is not followed: that patch keeps one type for two neighbouring maximal blocks (its index shifts
// by MAX_ORDER, one too many); here every block has its own, as the article and the patch's own words have it.
import type { FreeArea } from "./free_area.ts";
import type { Placement } from "./placement.ts";

/** The list of whole blocks that belong to no type. */
export const globalList = 3;

/** `topOrder` is the highest order; pageblocks must have that order, so that a block's type is one entry. */
export function createPlacement2005(
  area: FreeArea,
  topOrder: number,
  fallbacks: readonly (readonly [number, number])[],
): Placement {
  const { rmqueueSmallest, firstOf, take, blockTypeOf, setBlockType } = area;
  const others = Int32Array.from(fallbacks.flat());
  const rmqueue = (z: number, order: number, type: number): number => {
    const own = rmqueueSmallest(z, order, type);
    if (own >= 0) return own;
    const whole = firstOf(z, topOrder, globalList);
    if (whole >= 0) {
      setBlockType(whole, type);
      take(whole, z, order, topOrder, type);
      return whole;
    }
    const second = rmqueueSmallest(z, order, others[type * 2]!);
    return second >= 0 ? second : rmqueueSmallest(z, order, others[type * 2 + 1]!);
  };
  return {
    bootType: 0,
    rmqueue,
    rmqueueMore: rmqueue,
    freeType: blockTypeOf,
    reserveHighatomic() {},
    unreserveHighatomic: () => false,
  };
}
