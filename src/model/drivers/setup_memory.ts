// What a driver takes beside its buffers when it opens: the array of its own bookkeeping (vzalloc) and the descriptors that the hardware
// reads (dma_alloc_coherent). mm/vmalloc.c and kernel/dma/direct.c, 6.1: two small objects and single pages; one block of pages.
import { vmapAreaBytes, vmStructBytes } from "../../kernel/facts/vmalloc.ts";
import { factAt } from "../../kernel/release.ts";
import type { DriverParts } from "./driver.ts";
import { gfpOf } from "./driver.ts";

/** A mapped array; null object where there was no memory. */
export interface Mapped {
  readonly area: number;
  readonly range: number;
  readonly array: number;
  readonly pfns: Int32Array;
}

export interface SetupMemory {
  /** vzalloc(); undefined without memory, and then nothing is kept. */
  vzalloc(bytes: number): Mapped | undefined;
  vfree(mapped: Mapped): void;
  /** dma_alloc_coherent(): first pfn, or -1. `dma32`: the device reaches 4 GiB only. */
  dmaAlloc(bytes: number, dma32: boolean): number;
  dmaFree(pfn: number, bytes: number): void;
  /** kcalloc(GFP_KERNEL) or kcalloc(GFP_ATOMIC): address or -1. */
  kcalloc(bytes: number, atomic: boolean): number;
}

export function createSetupMemory(parts: DriverParts): SetupMemory {
  const { heap, pages, release, skbs } = parts;
  const { pageSize } = skbs.config;
  const pointer = release.arch === "i386" || release.arch === "ppc32" || release.arch === "arm" ? 4 : 8;
  const kernel = gfpOf(release, "GFP_KERNEL");
  const zeroed = gfpOf(release, "GFP_KERNEL", "ZERO");
  const atomicZeroed = gfpOf(release, "GFP_ATOMIC", "ZERO");
  const mapped = gfpOf(release, "GFP_KERNEL", "HIGHMEM", "NOWARN", "ZERO");
  const low = gfpOf(release, "GFP_KERNEL", "DMA32");
  const areaBytes = factAt(vmStructBytes, release.version)?.value ?? 64;
  const ranges = heap.cacheCreate("vmap_area", factAt(vmapAreaBytes, release.version)?.value ?? 64, 0);
  const refusedIn = { vmalloc: parts.journal.textId("vzalloc"), dma: parts.journal.textId("dma_alloc_coherent") };
  const orderFor = (bytes: number): number => {
    let order = 0;
    while (pageSize << order < bytes) order++;
    return order;
  };
  const undo = (area: number, range: number, array: number, pfns: Int32Array): void => {
    for (const pfn of pfns) if (pfn >= 0) pages.freePages(pfn, 0);
    if (array >= 0) heap.kfree(array);
    if (range >= 0) heap.cacheFree(ranges, range);
    if (area >= 0) heap.kfree(area);
  };
  return {
    vzalloc(bytes) {
      const pfns = new Int32Array(Math.ceil(bytes / pageSize)).fill(-1);
      const area = heap.kmalloc(areaBytes, zeroed);
      const range = area < 0 ? -1 : heap.cacheAlloc(ranges, kernel);
      const array = range < 0 ? -1 : heap.kmalloc(pfns.length * pointer, zeroed);
      let got = array >= 0;
      for (let i = 0; got && i < pfns.length; i++) {
        pfns[i] = pages.allocPages(mapped, 0);
        got = pfns[i]! >= 0;
      }
      if (got) return { area, range, array, pfns };
      parts.journal.refused(refusedIn.vmalloc);
      undo(area, range, array, pfns);
      return undefined;
    },
    vfree: ({ area, range, array, pfns }) => undo(area, range, array, pfns),
    dmaAlloc(bytes, dma32) {
      const pfn = pages.allocPages(dma32 ? low : kernel, orderFor(bytes));
      if (pfn < 0) parts.journal.refused(refusedIn.dma);
      return pfn;
    },
    dmaFree: (pfn, bytes) => pages.freePages(pfn, orderFor(bytes)),
    kcalloc: (bytes, atomic) => heap.kmalloc(bytes, atomic ? atomicZeroed : zeroed),
  };
}

/** The bookkeeping array and the descriptors of one ring, as Intel's drivers take them. */
export interface RingMemory {
  take(caller: number): boolean;
  /** The array alone. */
  takeArray(caller: number): boolean;
  give(): void;
}

/** `arrayBytes` of vzalloc, then `descriptorBytes` that the device reads. */
export function ringMemory(
  parts: DriverParts,
  setup: SetupMemory,
  arrayBytes: number,
  descriptorBytes: number,
  dma32: boolean,
): RingMemory {
  let array: Mapped | undefined;
  let descriptors = -1;
  const takeArray = (caller: number): boolean => {
    parts.journal.caller = caller;
    array = setup.vzalloc(arrayBytes);
    return array !== undefined;
  };
  return {
    takeArray,
    take(caller) {
      if (!takeArray(caller)) return false;
      descriptors = setup.dmaAlloc(descriptorBytes, dma32);
      if (descriptors >= 0) return true;
      if (array !== undefined) setup.vfree(array);
      array = undefined;
      return false;
    },
    give() {
      if (array !== undefined) setup.vfree(array);
      if (descriptors >= 0) setup.dmaFree(descriptors, descriptorBytes);
      array = undefined;
      descriptors = -1;
    },
  };
}
