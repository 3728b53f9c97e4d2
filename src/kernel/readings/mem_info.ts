// The body that `show_mem` prints under `Mem-Info:`; allocation failures, OOM reports and SysRq-m share it.
// Counters keep the kernel's own names, so that a field of a vendor kernel is not lost; which release prints which one is
// kernel/facts/report_formats.ts. Totals are pages, zone and node values are kB, as printed.

/** Named counters in the kernel's spelling: `active_anon`, `isolated(anon)`, `reserved_highatomic`. */
export type Counters = Readonly<Record<string, number>>;

/** One CPU's page lists in one zone (printed up to 4.0). `low` only in 2.6.9. */
export interface CpuPages {
  readonly cpu: number;
  readonly hot: CpuList;
  /** Until 2.6.27 the cold list was separate. */
  readonly cold?: CpuList;
}
export interface CpuList {
  readonly low?: number;
  readonly high: number;
  readonly batch: number;
  readonly used?: number;
}
export interface CpuPagesOfZone {
  readonly node: number;
  readonly zone: string;
  readonly cpus: readonly CpuPages[];
}

/** The blocks of one order: `12*8kB (UE)`. */
export interface FreeBlocks {
  readonly order: number;
  readonly count: number;
  /** Letters of the migratetypes that hold them (3.8+): U unmovable, E reclaimable, M movable, R reserve, C CMA, H highatomic, I isolate. */
  readonly types?: string;
}

/** `DMA32: 1994*4kB (UM) … = 7984kB` */
export interface FreeLists {
  /** By rising order, from 0. */
  readonly blocks: readonly FreeBlocks[];
  /** The sum as printed; absent when the line is cut. */
  readonly totalKb?: number;
}

export interface MemZone {
  readonly node: number;
  readonly name: string;
  /** `free`, `boost`, `min`, `low`, `high`, `managed`, `present`, … in kB. `min` as printed already contains `boost`. */
  readonly kb: Counters;
  readonly pagesScanned?: number;
  readonly allUnreclaimable?: boolean;
  /** `lowmem_reserve[]` in pages, by zone index (2.6.9: `protections[]`). */
  readonly lowmemReserve?: readonly number[];
  readonly freeLists?: FreeLists;
}

/** The node line of 4.8 and later, in kB. */
export interface MemNode {
  readonly node: number;
  readonly kb: Counters;
  readonly allUnreclaimable?: boolean;
}

/** `Node 0 hugepages_total=0 hugepages_free=0 hugepages_surp=0 hugepages_size=2048kB` (3.9 and later). */
export interface HugePages {
  readonly node: number;
  readonly total: number;
  readonly free: number;
  readonly surplus: number;
  readonly sizeKb: number;
}

export interface MemInfo {
  /** Zones are introduced by `Node 0 `, as kernels built with NUMA do; all zones belong to node 0 when they are not. */
  readonly namesNodes: boolean;
  readonly perCpu: readonly CpuPagesOfZone[];
  /** The block of totals in pages: `free`, `free_pcp`, `slab_unreclaimable`, … (before 2.6.28 `active`, `inactive`). */
  readonly totals: Counters;
  /** `Free pages: 1234kB (0kB HighMem)` of 2.6.9 to 2.6.18. */
  readonly freePagesKb?: { readonly free: number; readonly highMem: number };
  readonly nodes: readonly MemNode[];
  /** In printed order. */
  readonly zones: readonly MemZone[];
  readonly hugePages: readonly HugePages[];
  /** Page counts of the tail by their words: `total pagecache pages`, `pages RAM`, `pages reserved`, … */
  readonly tail: Counters;
  /** `Swap cache stats: add 1, delete 2, find 3/4`. */
  readonly swapCache?: {
    readonly add: number;
    readonly delete: number;
    readonly find: number;
    readonly findTotal: number;
    /** 2.6.18 added `race a+b`. */
    readonly race?: readonly [number, number];
  };
  readonly freeSwapKb?: number;
  readonly totalSwapKb?: number;
  /** `Memory cgroup min protection 0kB -- low protection 0kB` (6.19 and later, cgroup v2): what the children of the control group keep. */
  readonly protectedKb?: { readonly min: number; readonly low: number };
  /** `Memory allocations (profiling is currently turned on):`, as 7.2 prints; absent where the heading does not say. */
  readonly allocationProfiling?: "on" | "off";
  /** `Memory allocations:` of 6.10 and later with CONFIG_MEM_ALLOC_PROFILING: bytes and calls per allocation place. */
  readonly allocations?: readonly { readonly size: string; readonly calls: number; readonly place: string }[];
}

/** Zone `name` of `node`, or undefined. */
export function zoneOf(info: MemInfo, node: number, name: string): MemZone | undefined {
  return info.zones.find((z) => z.node === node && z.name === name);
}
