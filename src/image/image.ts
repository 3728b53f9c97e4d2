// A memory image, read: the order is header, bitmap, kallsyms and BTF, zones, the memory map once, then caches, pools, packets.
import { ifThere } from "./address_space.ts";
import type { PhysicalMemory } from "./container/physical.ts";
import { Findings } from "./findings.ts";
import { type Kernel, openKernel } from "./kernel.ts";
import { type MemMap, readMemMap } from "./mm/mem_map.ts";
import { endOfZones, readZones, type Zones, zoneHeaders } from "./mm/zones.ts";
import { skbCaches } from "./net_caches.ts";
import { type CacheTotals, readCaches, type SlabCache, SlabReader, totalsOf } from "./slab/caches.ts";

export interface Image {
  readonly kernel: Kernel;
  readonly zones: Zones;
  readonly map: MemMap;
  readonly findings: Findings;
  readonly zeroPfn: number | undefined;
  readonly caches: readonly SlabCache[];
  readonly totals: ReadonlyMap<bigint, CacheTotals>;
  /** Address of the cache of sk_buff pairs. */
  readonly fcloneCache: bigint | undefined;
}

export interface ReadOptions {
  /** The kernel, where it has been opened already. */
  readonly kernel?: Kernel;
  readonly progress?: (what: string, done: number | undefined) => void;
}

/** Reads everything. Throws BadInput when the image cannot be read at all. */
export function readImage(memory: PhysicalMemory, options: ReadOptions = {}): Image {
  const progress = options.progress ?? (() => undefined);
  progress("symbols and types", undefined);
  const kernel = options.kernel ?? openKernel(memory);
  const findings = new Findings();
  const headers = zoneHeaders(kernel);
  const map = readMemMap(kernel, endOfZones(headers), (done) => progress("memory map", done));
  progress("free lists", undefined);
  const zones = readZones(kernel, headers, map, findings);
  progress("slab caches", undefined);
  const caches = readCaches(kernel, map, findings);
  const slabReader = new SlabReader(kernel, findings);
  const totals = new Map(caches.map((c) => [c.address, totalsOf(c, slabReader)] as const));
  return {
    kernel,
    zones,
    map,
    findings,
    zeroPfn: zeroPfnOf(kernel),
    caches,
    totals,
    fcloneCache: skbCaches(kernel).fclone,
  };
}

function zeroPfnOf(kernel: Kernel): number | undefined {
  const at = kernel.symbols.address("empty_zero_page");
  const physical = at === undefined ? undefined : ifThere(() => kernel.space.translate(at));
  return physical === undefined ? undefined : Math.floor(physical / 4096);
}
