// Where struct page keeps the DMA address of a pool's page, and how much of the address fits there: page->private (before 5.1), a field of
// its own, or a page number (6.7 and newer on 32-bit machines with 64-bit addresses). kernel/facts/page_pool.ts has the sources.
import type { DmaAddressHome, PagePoolOptions } from "./page_pool_params.ts";

export interface DmaAddresses {
  set(pfn: number, address: number): void;
  /** What comes back, which need not be what was set. */
  get(pfn: number): number;
  /** 64-bit addresses on a machine with 32-bit words. */
  readonly wideOnNarrow: boolean;
  readonly home: DmaAddressHome;
}

export function createDmaAddresses(options: PagePoolOptions): DmaAddresses {
  const { pfnMax, pageSize = 4096, wordBits = 64, dmaBits = 64, dmaAddressHome: home = "field" } = options;
  const low = new Uint32Array(pfnMax);
  const high = new Uint32Array(pfnMax);
  const wideOnNarrow = dmaBits > wordBits;
  const asPageNumber = wideOnNarrow && home === "page number";
  // page->private, and the page number, are one unsigned long; the field is a dma_addr_t (in two words where a word is too narrow).
  const oneWord = dmaBits === 32 || (home !== "field" && wordBits === 32);
  return {
    wideOnNarrow,
    home,
    set(pfn, address) {
      const kept = asPageNumber ? Math.floor(address / pageSize) : address;
      low[pfn] = kept % 4294967296;
      high[pfn] = oneWord ? 0 : Math.floor(kept / 4294967296);
    },
    get(pfn) {
      const kept = (high[pfn] as number) * 4294967296 + (low[pfn] as number);
      return asPageNumber ? kept * pageSize : kept;
    },
  };
}
