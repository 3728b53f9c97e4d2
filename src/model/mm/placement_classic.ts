// Plain buddy lists, as every kernel up to 2.6.23 has them: one list an order, whoever asks. Follows __rmqueue(), mm/page_alloc.c, 2.6.9.
import type { FreeArea } from "./free_area.ts";
import type { Placement } from "./placement.ts";

export function createClassic(area: FreeArea): Placement {
  const { rmqueueSmallest } = area;
  return {
    bootType: 0,
    rmqueue: (z, order) => rmqueueSmallest(z, order, 0),
    rmqueueMore: (z, order) => rmqueueSmallest(z, order, 0),
    freeType: () => 0,
    reserveHighatomic() {},
    unreserveHighatomic: () => false,
  };
}
