// Pages beside the registered ones that buffers are copied into, half by half, the one longest in use next; where that one is still held, a page
// of its own is taken for the copy. gve_rx_copy_to_pool(), gve_rx_prefill_pages() of gve_rx.c, 6.12.117, 7.2.12, 7.3.4.
import { gfpOf } from "../driver.ts";
import type { SlotsFor } from "./slots.ts";
import { singlePages } from "./slots.ts";

export interface Copy {
  readonly pfn: number;
  /** Where the half begins. */
  readonly offset: number;
  readonly truesize: number;
}

export interface CopyPool {
  /** Takes all pages; false without memory, and then none is held. */
  open(): boolean;
  /** Room for one buffer, with a reference for its packet; undefined without memory. */
  take(): Copy | undefined;
  close(): void;
}

export function createCopyPool({ parts, at }: SlotsFor, count: number): CopyPool {
  const { pages, release } = parts;
  const kernel = gfpOf(release, "GFP_KERNEL");
  const atomic = gfpOf(release, "GFP_ATOMIC");
  const half = at.pageSize / 2;
  let pfns: readonly number[] = [];
  const offsets = new Int32Array(count);
  /** The other half of this one was just given away. */
  const halfUsed = new Uint8Array(count);
  let head = 0;
  const close = (): void => {
    for (const pfn of pfns) pages.putPage(pfn);
    pfns = [];
    offsets.fill(0);
    halfUsed.fill(0);
    head = 0;
  };
  return {
    open() {
      const taken = singlePages(parts, count, kernel);
      pfns = taken ?? [];
      return taken !== undefined;
    },
    take() {
      const i = head % count;
      const pfn = pfns[i]!;
      if (halfUsed[i] === 0 && pages.pageCount(pfn) !== 1) {
        head++;
        const own = pages.allocPages(atomic, 0);
        return own < 0 ? undefined : { pfn: own, offset: 0, truesize: at.pageSize };
      }
      pages.getPage(pfn);
      const offset = offsets[i]!;
      offsets[i] = offset ^ half;
      if (halfUsed[i] === 1) head++;
      halfUsed[i] = 1 - halfUsed[i]!;
      return { pfn, offset, truesize: half };
    },
    close,
  };
}
