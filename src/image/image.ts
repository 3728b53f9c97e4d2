// A memory image, read: the order is header, bitmap, kallsyms and BTF, zones, the memory map once, then caches, pools, packets.
import { BadInput } from "../base/bad_input.ts";
import { Absent, ifThere } from "./address_space.ts";
import type { PhysicalMemory } from "./container/physical.ts";
import { Findings } from "./findings.ts";
import { type Kernel, openKernel } from "./kernel.ts";
import { type KernelLog, readKernelLog } from "./kernel_log.ts";
import { type LruList, readLru } from "./mm/lru.ts";
import { type MemMap, scanMemMap } from "./mm/mem_map.ts";
import { pageMarksOf } from "./mm/page_kinds.ts";
import { endOfZones, readZones, type ZoneHeader, type Zones, zoneHeaders } from "./mm/zones.ts";
import { addModuleTypes, readModules } from "./modules.ts";
import { type Device, readDevices, readSoftnet, type Softnet } from "./net/devices.ts";
import { type Holders, indexHolders } from "./net/holders.ts";
import { type HeldPage, heldPages, ownPlaces, type PagePool, type PoolHolder, readPools } from "./net/page_pools.ts";
import { namesOfPointed } from "./net/pointed_by.ts";
import {
  explainPointers,
  type PointerHits,
  type PointerPlan,
  planPointers,
  searchPointers,
} from "./net/pointer_scan.ts";
import { skbCaches } from "./net/skb_caches.ts";
import { checkSkbs } from "./net/skb_checks.ts";
import { readSkbs, type Skbs } from "./net/skbs.ts";
import { readSockets, type Sockets } from "./net/sockets.ts";
import type { SlabCache } from "./slab/cache.ts";
import { type CacheTotals, readCaches, SlabReader, totalsOf } from "./slab/caches.ts";
import { LayoutUnknown } from "./types.ts";

export interface Image {
  readonly memory: PhysicalMemory;
  /** Parts that could not be read, and why. */
  readonly unread: readonly Unread[];
  readonly kernel: Kernel;
  readonly zones: Zones;
  readonly map: MemMap;
  readonly findings: Findings;
  /** LRU lists of the root control group; undefined when there are so many pages that only the records walk them. */
  readonly lru: readonly LruList[] | undefined;
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
  /** True when memory was searched for pointers to the pages that nothing else explains. */
  readonly searched: boolean;
}

export interface ReadOptions {
  /** False: memory is not searched for words that point to pages in flight. */
  readonly pointers?: boolean;
  /** The kernel, where it has been opened already. */
  readonly kernel?: Kernel;
  readonly progress?: (what: string, done: number | undefined) => void;
}

/** Reads everything. Throws BadInput when the image cannot be read at all; a part that cannot be read is said in `unread`. */
export function readImage(memory: PhysicalMemory, options: ReadOptions = {}): Image {
  const progress = options.progress ?? (() => undefined);
  progress("symbols and types", undefined);
  const kernel = options.kernel ?? openKernel(memory);
  if (kernel.types.modulesRead === 0) addModuleTypes(kernel, kernel.types);
  const findings = new Findings();
  const parts = new Parts();
  const { headers, missing } = parts.read("zones", () => zoneHeaders(kernel), { headers: [], missing: 1 });
  const seen = readMemMap(kernel, parts, headers, progress);
  // Of a zone that is not in the image it is not known how many pages it has: at least one is not seen.
  const map = { ...seen, unseen: seen.unseen + missing };
  progress("free lists", undefined);
  const zones = parts.read("zones and free lists", () => readZones(kernel, headers, map, findings), noZones);
  const lru = map.lruPages > mostLruPages ? undefined : parts.read("LRU lists", () => readLru(kernel, findings), []);
  progress("slab caches", undefined);
  const caches = parts.read("slab caches", () => readCaches(kernel, map, findings), []);
  const totals = parts.read(
    "slabs",
    () => {
      const reader = new SlabReader(kernel, findings);
      return new Map(caches.map((c) => [c.address, totalsOf(c, reader)] as const));
    },
    new Map<bigint, CacheTotals>(),
  );
  progress("sockets and packets", undefined);
  const net = readNet(kernel, map, caches, findings, parts);
  const image: Image = {
    memory,
    log: readKernelLog(kernel),
    net,
    kernel,
    zones,
    map,
    lru,
    findings,
    zeroPfn: zeroPfnOf(kernel),
    caches,
    totals,
    fcloneCache: skbCaches(kernel).fclone,
    unread: parts.unread,
  };
  if (options.pointers === false) return image;
  const plan = pointerPlan(image);
  const said = (pfn: number): void => progress("pointers to pages in flight", pfn / Math.max(1, plan.endPfn));
  return withPointers(image, plan.wantedCount === 0 ? [] : searchPointers(memory, plan, 0, plan.endPfn, said));
}

/** LRU pages up to which their lists are walked and checked for the first answer. */
const mostLruPages = 1 << 20;

/** A part of the answer that this image or kernel does not allow. */
export interface Unread {
  readonly what: string;
  readonly why: string;
}

/** Reads part by part: what one part lacks does not take the others away. */
class Parts {
  readonly unread: Unread[] = [];

  read<T>(what: string, read: () => T, otherwise: T): T {
    try {
      return read();
    } catch (error) {
      const why =
        error instanceof LayoutUnknown || error instanceof BadInput
          ? error.message
          : error instanceof Absent
            ? `the image does not hold the memory at ${error.address.toString(16)}`
            : undefined;
      if (why === undefined) throw error;
      this.unread.push({ what, why });
      return otherwise;
    }
  }
}

const noZones: Zones = { zones: [], unseen: 0, endPfn: 0, orders: 0, migrateTypes: [], pageblockOrder: 9 };

function readMemMap(
  kernel: Kernel,
  parts: Parts,
  headers: readonly ZoneHeader[],
  progress: (what: string, done: number | undefined) => void,
): MemMap {
  // Zones of a damaged image may span anything: frames far beyond the image's last page have nothing to say.
  const end = Math.min(
    endOfZones(headers),
    kernel.memory.live ? Number.MAX_SAFE_INTEGER : kernel.memory.endPfn + 2 ** 18,
  );
  const marks = parts.read("pages", () => pageMarksOf(kernel), undefined);
  if (marks === undefined) throw new BadInput("Its BTF does not describe struct page.", { file: kernel.memory.name });
  return scanMemMap(kernel, end, marks, (done) => progress("memory map", done));
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
  parts: Parts,
): NetState {
  const reader = new SlabReader(kernel);
  const skbs = parts.read<Skbs>("sk_buffs", () => readSkbs(kernel, map, caches, reader), noSkbs);
  const sockets = parts.read<Sockets>("sockets", () => readSockets(kernel, caches, reader, findings), noSockets);
  const devices = parts.read("network devices", () => readDevices(kernel), []);
  const softnet = parts.read("softnet", () => readSoftnet(kernel), []);
  const holders = indexHolders(kernel, map, skbs, sockets, devices, softnet);
  checkSkbs(kernel, map, skbs, sockets, devices, holders, findings);
  const pools = parts.read("page pools", () => readPools(kernel, map, findings), []);
  const held = new Map(pools.map((p) => [p.address, heldPages(p, holders)] as const));
  return { skbs, sockets, devices, softnet, holders, pools, held, searched: false };
}

const noSkbs: Skbs = {
  skbs: [],
  halves: [],
  unused: [],
  odd: [],
  others: [],
  unseen: 0,
  isCacheKnown: false,
  caches: [],
};
const noSockets: Sockets = { sockets: [], mini: [], unseen: 0, processes: 0 };

/** Pages of pools that nothing that is known holds, or not with all references that are counted. */
const isOpen = (h: HeldPage): boolean => h.holders.length === 0 || h.unexplained > 0;

/** The search for pointers to pages in flight that nothing else explains: what to look for and where. */
export function pointerPlan(image: Image): PointerPlan {
  const { kernel, map, caches, net } = image;
  const open = [...net.held.values()].flat().filter(isOpen);
  return planPointers(kernel, map, caches, new SlabReader(kernel), new Set(open.map((h) => h.pfn)));
}

/** The image with what the search has found: each open page of a pool gets its pointers, or that there are none. */
export function withPointers(image: Image, hits: PointerHits): Image {
  const { kernel, map, caches, net } = image;
  const shared = BigInt(kernel.types.find("skb_shared_info")?.sizeBytes ?? 0);
  const excluded = [
    ...net.pools.flatMap((p) => ownPlaces(kernel, p)),
    ...net.holders.live.map((s) => ({ from: s.head, to: s.head + BigInt(s.end) + shared })),
  ];
  const found = explainPointers(kernel, map, caches, new SlabReader(kernel), hits, excluded);
  const pointedBy = namesOfPointed(kernel, readModules(kernel), net.devices, new Set(found.map((f) => f.owner)));
  const perOwner = new Map<bigint, number>();
  for (const f of found) perOwner.set(f.owner, (perOwner.get(f.owner) ?? 0) + 1);
  const byPfn = new Map<number, PoolHolder[]>();
  for (const f of found)
    byPfn.set(f.pfn, [
      ...(byPfn.get(f.pfn) ?? []),
      {
        kind: "pointer",
        at: f.at,
        what: [f.what, ...(pointedBy.has(f.owner) ? [`to which ${pointedBy.get(f.owner)} points`] : [])].join(", "),
        neighbours: (perOwner.get(f.owner) ?? 1) - 1,
      },
    ]);
  const held = new Map(
    [...net.held].map(([pool, pages]) => [
      pool,
      pages.map((h) =>
        isOpen(h) ? { ...h, holders: [...h.holders, ...(byPfn.get(h.pfn) ?? [{ kind: "none found" } as const])] } : h,
      ),
    ]),
  );
  return { ...image, net: { ...net, held, searched: true } };
}
