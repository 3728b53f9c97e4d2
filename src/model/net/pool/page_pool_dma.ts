// Who may touch a page: the DMA side of a pool, cache line by cache line (Documentation/core-api/dma-api.rst, 6.1).
// A pool maps with DMA_ATTR_SKIP_CPU_SYNC, so mapping moves no line: each line changes hands only by a sync.
//
//    cpu owns ──dma_sync_for_device──▶ device owns ──dma_sync_for_cpu──▶ cpu owns
//        └ reads and writes                └ the device writes; a CPU read here may see the old bytes from its cache
//
// Coherent machines (x86) need no syncs: there only the mapping itself can be wrong. Reports are values, never exceptions.
import type { DmaDirection, DmaMapper } from "./page_pool.ts";

export type DmaFault =
  | "device without a mapping"
  | "device out of turn"
  | "cpu read out of turn"
  | "cpu write out of turn"
  | "unmap of an unknown address"
  | "sync of an unknown address"
  | "wrong direction"
  | "address lost";

/** One access out of turn. Offset and size in bytes within the mapping; pfn -1 when the address names no page. */
export interface DmaReport {
  readonly fault: DmaFault;
  readonly pfn: number;
  readonly address: number;
  readonly offset: number;
  readonly size: number;
  readonly text: string;
}

export interface DmaOptions {
  readonly pfnMax: number;
  readonly pageSize?: number;
  readonly cacheLine?: number;
  /** Syncs are not needed, as on x86. */
  readonly coherent?: boolean;
  /** Bus address of pfn 0: an IOMMU or a bus offset can lie far above the physical addresses. */
  readonly busBase?: number;
}

interface Mapping {
  readonly pfn: number;
  readonly bytes: number;
  readonly direction: DmaDirection;
}

export interface DmaChecker extends DmaMapper {
  /** dma_sync_single_range_for_cpu(): before the CPU reads what the device wrote. */
  syncForCpu(address: number, offset: number, size: number): void;
  /** The device writes `size` bytes at a bus address. */
  deviceWrite(address: number, offset: number, size: number): void;
  /** The device reads, as for XDP_TX. */
  deviceRead(address: number, offset: number, size: number): void;
  cpuRead(pfn: number, offset: number, size: number): void;
  cpuWrite(pfn: number, offset: number, size: number): void;
  /** The driver tells the device an address it read from struct page; false when it is not what map() gave for the page. */
  addressIsWhole(pfn: number, address: number): boolean;
  mappings(): number;
  readonly reports: readonly DmaReport[];
}

/** The checker, which is itself the DMA API that a pool uses. */
export function createDmaChecker(options: DmaOptions): DmaChecker {
  const pageSize = options.pageSize ?? 4096;
  const line = options.cacheLine ?? 64;
  const coherent = options.coherent ?? false;
  const busBase = options.busBase ?? 0x100000;
  const words = Math.ceil(pageSize / line / 32);
  /** One bit a line: set while the device owns it. */
  const device = new Uint32Array(options.pfnMax * words);
  const mapped = new Map<number, Mapping>();
  const reports: DmaReport[] = [];

  const report = (fault: DmaFault, address: number, offset: number, size: number, text: string): void => {
    const pfn = mapped.get(address)?.pfn ?? -1;
    reports.push({ fault, pfn, address, offset, size, text });
  };

  /** Lines of `offset .. offset+size-1` counted from the start of page `pfn`. */
  const lines = (pfn: number, offset: number, size: number, each: (word: number, bit: number) => void): void => {
    if (size <= 0) return;
    for (let l = Math.floor(offset / line); l <= Math.floor((offset + size - 1) / line); l++) {
      const page = pfn + Math.floor((l * line) / pageSize);
      const inPage = l % (pageSize / line);
      const word = page * words + (inPage >>> 5);
      if (word < device.length) each(word, 1 << (inPage & 31));
    }
  };

  const set = (pfn: number, offset: number, size: number): void =>
    lines(pfn, offset, size, (word, bit) => {
      device[word] = (device[word] as number) | bit;
    });
  const clear = (pfn: number, offset: number, size: number): void =>
    lines(pfn, offset, size, (word, bit) => {
      device[word] = (device[word] as number) & ~bit;
    });
  const hasMapped = (pfn: number, offset: number, size: number, owned: boolean): boolean => {
    let found = false;
    lines(pfn, offset, size, (word, bit) => {
      if ((((device[word] as number) & bit) !== 0) === owned) found = true;
    });
    return found;
  };

  const isDevicesPage = (pfn: number): boolean => {
    for (const m of mapped.values()) if (pfn >= m.pfn && pfn < m.pfn + m.bytes / pageSize) return true;
    return false;
  };

  const deviceAccess = (address: number, offset: number, size: number, writes: boolean): void => {
    const m = mapped.get(address);
    if (m === undefined || offset + size > m.bytes) {
      report("device without a mapping", address, offset, size, "the device uses an address that is not mapped");
      return;
    }
    if (writes && m.direction === "to_device")
      report("wrong direction", address, offset, size, "the device writes into a mapping that is only for reading");
    if (!writes && m.direction === "from_device")
      report("wrong direction", address, offset, size, "the device reads from a mapping that is only for writing");
    if (!coherent && hasMapped(m.pfn, offset, size, false))
      report("device out of turn", address, offset, size, "no dma_sync_for_device since the CPU had these bytes");
  };

  const sync = (call: string, address: number, offset: number, size: number, mark: typeof set): void => {
    const m = mapped.get(address);
    if (m !== undefined) mark(m.pfn, offset, size);
    else report("sync of an unknown address", address, offset, size, `${call} of an address that is not mapped`);
  };

  return {
    map(pfn, order, direction) {
      const address = busBase + pfn * pageSize;
      const bytes = pageSize << order;
      mapped.set(address, { pfn, bytes, direction });
      clear(pfn, 0, bytes);
      return address;
    },
    unmap(address) {
      if (!mapped.has(address))
        report("unmap of an unknown address", address, 0, 0, "this address was never mapped, or was unmapped before");
      mapped.delete(address);
    },
    syncForDevice: (address, offset, size) => sync("dma_sync_for_device", address, offset, size, set),
    syncForCpu: (address, offset, size) => sync("dma_sync_for_cpu", address, offset, size, clear),
    deviceWrite: (address, offset, size) => deviceAccess(address, offset, size, true),
    deviceRead: (address, offset, size) => deviceAccess(address, offset, size, false),
    cpuRead(pfn, offset, size) {
      if (coherent || !hasMapped(pfn, offset, size, true)) return;
      const text = "no dma_sync_for_cpu since the device had these bytes: the cache may hold older ones";
      reports.push({ fault: "cpu read out of turn", pfn, address: busBase + pfn * pageSize, offset, size, text });
    },
    cpuWrite(pfn, offset, size) {
      if (!coherent && hasMapped(pfn, offset, size, true)) {
        if (isDevicesPage(pfn)) {
          const text = "the CPU writes bytes that are the device's: its cache line can overwrite received data";
          reports.push({ fault: "cpu write out of turn", pfn, address: busBase + pfn * pageSize, offset, size, text });
        }
      }
      clear(pfn, offset, size);
    },
    addressIsWhole(pfn, address) {
      if (address === busBase + pfn * pageSize) return true;
      const text = `struct page holds ${address.toString(16)}, the mapping is at ${(busBase + pfn * pageSize).toString(16)}`;
      reports.push({ fault: "address lost", pfn, address, offset: 0, size: 0, text });
      return false;
    },
    mappings: () => mapped.size,
    reports,
  };
}

/** A DMA API whose `nth` mapping fails (from 1; 0: none). */
export function failingMap<T extends DmaMapper>(dma: T, nth: number): T {
  let n = 0;
  return { ...dma, map: (pfn, order, direction) => (++n === nth ? -1 : dma.map(pfn, order, direction)) };
}
