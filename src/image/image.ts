// A memory image, read: the order is header, bitmap, kallsyms and BTF, zones, the memory map once, then caches, pools, packets.
import { ifThere } from "./address_space.ts";
import type { PhysicalMemory } from "./container/physical.ts";
import { Findings } from "./findings.ts";
import { type Kernel, openKernel } from "./kernel.ts";
import { type KernelLog, readKernelLog } from "./kernel_log.ts";
import { type MemMap, readMemMap } from "./mm/mem_map.ts";
import { endOfZones, readZones, type Zones, zoneHeaders } from "./mm/zones.ts";
import { type Device, readDevices, readSoftnet, type Softnet } from "./net/devices.ts";
import { checkSkbs, type Holders, indexHolders } from "./net/holders.ts";
import { type HeldPage, heldPages, ownPlaces, type PagePool, type PoolHolder, readPools } from "./net/page_pools.ts";
import { scanPointers } from "./net/pointer_scan.ts";
import { skbCaches } from "./net/skb_caches.ts";
import { readSkbs, type Skbs } from "./net/skbs.ts";
import { readSockets, type Sockets } from "./net/sockets.ts";
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
  readonly net: NetState;
  readonly log: KernelLog;
}

/** Packets and those who hold them. */
export interface NetState {
  readonly skbs: Skbs;
  readonly sockets: Sockets;
  readonly devices: readonly Device[];
  readonly softnet: readonly Softnet[];
  readonly holders: Holders;
  readonly pools: readonly PagePool[];
  /** Pages of each pool, by its address, with those who hold them. */
  readonly held: ReadonlyMap<bigint, readonly HeldPage[]>;
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
  progress("sockets and packets", undefined);
  const net = readNet(kernel, map, caches, findings, progress);
  return {
    log: readKernelLog(kernel),
    net,
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

function readNet(
  kernel: Kernel,
  map: MemMap,
  caches: readonly SlabCache[],
  findings: Findings,
  progress: (what: string, done: number | undefined) => void,
): NetState {
  const reader = new SlabReader(kernel);
  const skbs = readSkbs(kernel, map, caches, reader);
  const sockets = readSockets(kernel, caches, reader, findings);
  const devices = readDevices(kernel);
  const softnet = readSoftnet(kernel);
  const holders = indexHolders(kernel, map, skbs, sockets, devices, softnet);
  checkSkbs(kernel, map, holders, findings);
  const pools = readPools(kernel, map, findings);
  const byQueues = new Map(pools.map((p) => [p.address, heldPages(p, holders)] as const));
  const held = withPointers(kernel, map, caches, reader, pools, byQueues, holders, progress);
  return { skbs, sockets, devices, softnet, holders, pools, held };
}

/** Adds pointers in memory to the pages that nothing else holds. */
function withPointers(
  kernel: Kernel,
  map: MemMap,
  caches: readonly SlabCache[],
  reader: SlabReader,
  pools: readonly PagePool[],
  held: ReadonlyMap<bigint, readonly HeldPage[]>,
  holders: Holders,
  progress: (what: string, done: number | undefined) => void,
): ReadonlyMap<bigint, readonly HeldPage[]> {
  const isOpen = (h: HeldPage): boolean => h.holders.length === 0 || h.unexplained > 0;
  const wanted = new Set(
    [...held.values()]
      .flat()
      .filter(isOpen)
      .map((h) => h.pfn),
  );
  const shared = BigInt(kernel.types.struct("skb_shared_info").sizeBytes);
  const excluded = [
    ...pools.flatMap((p) => ownPlaces(kernel, p)),
    ...holders.live.map((s) => ({ from: s.head, to: s.head + BigInt(s.end) + shared })),
  ];
  const found = scanPointers(kernel, map, caches, reader, { wanted, excluded }, (done) =>
    progress("pointers to pages in flight", done),
  );
  const perOwner = new Map<bigint, number>();
  for (const f of found) perOwner.set(f.owner, (perOwner.get(f.owner) ?? 0) + 1);
  const byPfn = new Map<number, PoolHolder[]>();
  for (const f of found)
    byPfn.set(f.pfn, [
      ...(byPfn.get(f.pfn) ?? []),
      { kind: "pointer", at: f.at, what: f.what, neighbours: (perOwner.get(f.owner) ?? 1) - 1 },
    ]);
  return new Map(
    [...held].map(([pool, pages]) => [
      pool,
      pages.map((h) =>
        isOpen(h) ? { ...h, holders: [...h.holders, ...(byPfn.get(h.pfn) ?? [{ kind: "none found" } as const])] } : h,
      ),
    ]),
  );
}
