// A queue's own page that buffers are cut from upwards: struct page_frag and skb_page_frag_refill(), net/core/sock.c, 6.1.
//
//   order-3 page   |<- 1536 ->|<- 1536 ->|…|<- 1536 + what is left ->|     each piece holds a reference, the queue one more
import type { DriverParts } from "./driver.ts";
import { gfpOf } from "./driver.ts";

export interface PageFrag {
  /** The address of `bytes` bytes with a page reference, or -1. `stretch`: the last piece of a page takes what is left. */
  cut(bytes: number, gfp: number, stretch: boolean): number;
  /** What the last piece was long. */
  bytes(): number;
  /** The queue lets go of its page. */
  drop(): void;
}

export function createPageFrag(parts: DriverParts): PageFrag {
  const { pages, release, skbs } = parts;
  const { pageSize } = skbs.config;
  const sleeps = gfpOf(release, "", "DIRECT_RECLAIM") || gfpOf(release, "", "WAIT");
  const quick = gfpOf(release, "", "COMP", "NOWARN", "NORETRY");
  const bigOrder = 3;
  const refusedIn = parts.journal.textId("skb_page_frag_refill");
  let pfn = -1;
  let offset = 0;
  let size = 0;
  let last = 0;
  const refill = (bytes: number, gfp: number): boolean => {
    if (pfn >= 0) {
      if (pages.pageCount(pfn) === 1) {
        offset = 0;
        return true;
      }
      if (offset + bytes <= size) return true;
      pages.putPage(pfn);
    }
    offset = 0;
    size = pageSize << bigOrder;
    pfn = pages.allocPages((gfp & ~sleeps) | quick, bigOrder);
    if (pfn >= 0) return true;
    size = pageSize;
    pfn = pages.allocPages(gfp, 0);
    if (pfn < 0) parts.journal.refused(refusedIn);
    return pfn >= 0;
  };
  return {
    cut(bytes, gfp, stretch) {
      if (!refill(bytes, gfp)) return -1;
      const address = pfn * pageSize + offset;
      pages.getPage(pfn);
      last = bytes;
      offset += bytes;
      const hole = size - offset;
      if (stretch && hole < bytes) {
        last += hole;
        offset += hole;
      }
      return address;
    },
    bytes: () => last,
    drop() {
      if (pfn >= 0) pages.putPage(pfn);
      pfn = -1;
    },
  };
}
