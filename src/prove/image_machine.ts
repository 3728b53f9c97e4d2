// The model boots from a memory image: the very zones, free lists, per-CPU lists, pageblocks and movable pages of that machine. Then it
// answers by running: would a block of order N be had now, and after compaction. What the model does not know is in use and stays where it is.

import { BadInput } from "../base/bad_input.ts";
import type { ProveInput } from "../diagnosis/machine_told.ts";
import { ifThere } from "../image/address_space.ts";
import type { Image } from "../image/image.ts";
import { isMovable } from "../image/mm/pins.ts";
import type { CpuPages, ZoneState } from "../image/mm/zones.ts";
import type { Release } from "../kernel/release.ts";
import { parseRelease } from "../kernel/release.ts";
import { createJournal } from "../model/journal.ts";
import { partsFor } from "../model/kernels/parts_for.ts";
import { memoryProblems, restoreMemory, snapshotMemory } from "../model/mm/invariants.ts";
import { createLru, type Lru } from "../model/mm/lru.ts";
import { createMachineMemory, type MachineMemory } from "../model/mm/machine_memory.ts";
import { pcpField, pcpStride, record, word, type ZoneName, zoneField, zoneStride } from "../model/mm/memory.ts";
import { createReclaim } from "../model/mm/reclaim.ts";
import { plainTask } from "../model/mm/rights.ts";

const zoneTypes: readonly ZoneName[] = ["DMA", "DMA32", "Normal", "Movable"];

/** A machine in the state of an image. */
export interface ImageMachine {
  readonly machine: MachineMemory;
  readonly lru: Lru;
  readonly release: Release;
  /** How near the model is to this kernel, in sentences. */
  readonly holes: readonly string[];
  /** Pages of user space and page cache that may move. */
  readonly movable: number;
}

/** Whether one request would be granted in the state of the image. */
export interface OrderAnswer {
  readonly order: number;
  /** At once, by a request that may not wait (GFP_ATOMIC). */
  readonly atomic: boolean;
  /** At once, by a request that may wait (GFP_KERNEL), without reclaim or compaction. */
  readonly kernel: boolean;
  /** GFP_KERNEL after compaction alone, nothing reclaimed. */
  readonly afterCompaction: boolean;
}

export interface ImageAnswer {
  readonly holes: readonly string[];
  readonly movablePages: number;
  readonly orders: readonly OrderAnswer[];
}

/** Debian's `uname -r` names an ABI; the point release stands in `uname -v` (`… Debian 6.1.192-2 (…)`). */
function releaseOf(image: Image): Release {
  const stated = parseRelease(`${/^\d+\.\d+(?:\.\d+)?/.exec(image.kernel.info.release)?.[0] ?? "0"}-x86_64`);
  const debian = /\bDebian (\d{1,3}\.\d{1,3}\.\d{1,5})-/.exec(image.kernel.version)?.[1];
  return debian === undefined ? stated : { ...stated, version: parseRelease(debian).version };
}

/** Boots; throws BadInput with the reason when the model cannot stand for this machine. */
export function bootFromImage(image: Image): ImageMachine {
  const { zones } = image;
  const populated = zones.zones.filter((z) => z.managed > 0);
  const file = image.memory.name;
  const strange = populated.find((z) => zoneTypes[z.index] !== z.name);
  if (populated.length === 0 || strange !== undefined)
    throw new BadInput(`The model has no zone ${strange?.name ?? "at all"} like this machine's.`, { file });
  if (image.findings.list.some((f) => f.kind === "free list" || f.kind === "free page" || f.kind === "per-cpu list"))
    throw new BadInput("Its free lists are damaged: a model of them would be another machine.", { file });
  const release = releaseOf(image);
  const choice = partsFor(release);
  const parts = choice.parts.mm;
  const lists = populated.flatMap((z) => z.pcp).map((p) => p.lists.length);
  const pcpLists = lists[0] ?? 0;
  const cpus = Math.max(0, ...image.kernel.onlineCpus) + 1;
  const machine = createMachineMemory({
    journal: createJournal(),
    parts,
    task: plainTask(),
    rules: parts.rules({ cma: zones.migrateTypes.includes("CMA") }),
    spec: {
      zoneTypes,
      zones: populated.map((z) => ({
        name: z.name as ZoneName,
        node: z.node,
        startPfn: z.start,
        spannedPages: z.spanned,
        presentPages: z.present,
        managedPages: z.managed,
      })),
      nodes: Math.max(...populated.map((z) => z.node)) + 1,
      cpus,
      pageShift: 12,
      orders: zones.orders,
      pageblockOrder: zones.pageblockOrder,
      pcpMaxOrder: parts.pcp.maxOrder,
      pcpHugeOrder: parts.pcp.huge && pcpLists > 12 ? zones.pageblockOrder : -1,
    },
  });
  if (machine.memory.pcpLists !== pcpLists)
    throw new BadInput(
      `Its CPUs have ${pcpLists} lists per zone; ${choice.nearest.name} as the model knows it has ${machine.memory.pcpLists}.`,
      { file },
    );
  for (const [row, zone] of populated.entries()) loadZone(image, machine, zone, row);
  const lru = createLru(machine);
  const movable = loadMovable(image, machine, lru);
  const problems = memoryProblems(machine);
  if (problems.length > 0)
    throw new BadInput(`The model does not hold this state: ${problems[0]}.`, { file }, "This is a gap of the model.");
  return { machine, lru, release, holes: choice.holes, movable };
}

function loadZone(image: Image, machine: MachineMemory, from: ZoneState, row: number): void {
  const { memory, area } = machine;
  const { zone } = memory;
  const at = row * zoneStride;
  zone[at + zoneField.free] = from.free;
  zone[at + zoneField.driftMark] = from.driftMark;
  zone[at + zoneField.min] = from.watermarks[0];
  zone[at + zoneField.low] = from.watermarks[1];
  zone[at + zoneField.high] = from.watermarks[2];
  zone[at + zoneField.boost] = from.boost;
  zone[at + zoneField.reservedHighatomic] = from.highatomic;
  zone[at + zoneField.freeHighatomic] = from.freeHighatomic;
  zone[at + zoneField.flags] = from.flags;
  for (const [i, pages] of from.lowmemReserve.slice(0, 8).entries()) zone[at + zoneField.lowmemReserve + i] = pages;
  const { blocks } = from;
  if (blocks !== undefined)
    for (const [i, type] of blocks.types.entries())
      if (type < 8) memory.blockType[Math.floor(blocks.first / blocks.framesPerBlock) + i] = type;
  for (const list of from.lists) for (const pfn of list.pfns) area.addTail(pfn, row, list.order, list.migrateType);
  for (const p of from.pcp) loadCpu(image, machine, p, row, from.diffFree[image.kernel.onlineCpus.indexOf(p.cpu)] ?? 0);
}

function loadCpu(image: Image, machine: MachineMemory, from: CpuPages, row: number, freeDiff: number): void {
  const { memory, area } = machine;
  const { page, pcp } = memory;
  const base = (row * memory.spec.cpus + from.cpu) * pcpStride;
  const struct = image.kernel.types.struct("per_cpu_pages");
  for (const [name, field] of Object.entries(machine.pcp.fields)) {
    const member = struct.find(name);
    if (member === undefined) continue;
    const bytes = ifThere(() => image.kernel.space.bytes(from.address + member.at, member.sizeBytes));
    if (bytes !== undefined) pcp[base + field] = bytes.reduce((n, b, i) => n + b * 2 ** (8 * i), 0) | 0;
  }
  pcp[base + pcpField.statThreshold] = from.statThreshold;
  pcp[base + pcpField.freeDiff] = freeDiff;
  for (const [list, pfns] of from.lists.entries()) {
    const sentinel = memory.pcpListBase + (row * memory.spec.cpus + from.cpu) * memory.pcpLists + list;
    const order = machine.pcp.orderOfList[list] as number;
    for (const pfn of pfns) {
      area.insertAfter(page[sentinel * 4 + record.prev] as number, pfn);
      // Up to 6.9 a page remembers its type apart from its block's; the list of it says which of the three it is.
      const type = list < 12 ? list % 3 : area.blockTypeOf(pfn);
      page[pfn * 4 + record.word] = (type << word.typeShift) | (row << word.zoneShift) | word.taken | order;
    }
  }
}

/** Single pages of user space and page cache: what compaction may move. Mapped pages move too; what holds another reference does not. */
function loadMovable(image: Image, machine: MachineMemory, lru: Lru): number {
  const { map } = image;
  const { page, spec } = machine.memory;
  let count = 0;
  for (const [row, z] of spec.zones.entries())
    for (let pfn = z.startPfn; pfn < Math.min(z.startPfn + z.spannedPages, map.endPfn); pfn++) {
      if (!isMovable(image, pfn)) continue;
      page[pfn * 4 + record.word] = (row << word.zoneShift) | word.taken | word.movable;
      page[pfn * 4 + record.references] = 1;
      lru.add(pfn);
      count++;
    }
  return count;
}

/** The model in the state of an image, to be asked: each question starts from that state. */
export interface ImageAsker {
  readonly booted: ImageMachine;
  /** Whether a request would be granted at once, without reclaim or compaction. */
  now(mask: number, order: number): boolean;
  /** Whether it would be granted after compaction alone, nothing reclaimed; for a mask that may wait. */
  afterCompaction(mask: number, order: number): boolean;
}

/** Throws BadInput with the reason when the model cannot stand for this machine. */
export function askerOf(image: Image): ImageAsker {
  const plain = bootFromImage(image);
  const start = snapshotMemory(plain.machine.memory);
  let helped: ImageMachine | undefined;
  const ask = ({ machine }: ImageMachine, mask: number, order: number): boolean => {
    restoreMemory(machine.memory, start);
    const { gfp } = machine.rules;
    const granted = machine.pages.allocPages(mask | gfp.nowarn | (order > 0 ? gfp.comp : 0), order) >= 0;
    restoreMemory(machine.memory, start);
    return granted;
  };
  return {
    booted: plain,
    now: (mask, order) => ask(plain, mask, order),
    afterCompaction(mask, order) {
      if (helped === undefined) {
        // Another machine: from here on a request that may wait has compaction to help it, and nothing else.
        helped = bootFromImage(image);
        helped.lru.setOwner({ evict: () => false, migrate: () => true });
        createReclaim(helped.machine, helped.lru, { compaction: true, activeFreeing: false });
      }
      return ask(helped, mask, order);
    },
  };
}

/** Asks for every order in the state of the image. */
export function askOrders(image: Image, asker: ImageAsker = askerOf(image)): ImageAnswer {
  const { booted } = asker;
  const { gfp } = booted.machine.rules;
  const atomic = gfp.high | gfp.atomic | gfp.kswapdReclaim;
  const kernel = gfp.directReclaim | gfp.kswapdReclaim | gfp.io | gfp.fs;
  const orders = Array.from({ length: booted.machine.memory.spec.orders }, (_, order) => {
    const now = asker.now(kernel, order);
    return {
      order,
      atomic: asker.now(atomic, order),
      kernel: now,
      afterCompaction: now || asker.afterCompaction(kernel | gfp.retryMayfail, order),
    };
  });
  return { holes: booted.holes, movablePages: booted.movable, orders };
}

/** A request that the log says failed, made again in the state of the image. */
export interface RequestAgain {
  readonly title: string;
  readonly order: number;
  /** As the log prints it, and the names of its bits. */
  readonly mask: string;
  readonly names: readonly string[];
  readonly now: boolean;
  /** null: the request may not wait, so compaction is not for it. */
  readonly afterCompaction: boolean | null;
  /** The largest order that the same mask is granted at once; null when not even a page is. */
  readonly largestNow: number | null;
}

const mostRequests = 64;

/** The failed requests of a diagnosis of the image's own log. The image is of a later moment than the failure: `now` is that moment. */
export function askAgain(asker: ImageAsker, incidents: readonly ProveInput[]): readonly RequestAgain[] {
  const { gfp } = asker.booted.machine.rules;
  const seen = new Set<string>();
  return incidents.flatMap((incident): RequestAgain[] => {
    const { order, gfp: said, title } = incident;
    const mask = said === null ? Number.NaN : Number(said.mask.startsWith("0x") ? said.mask : `0x${said.mask}`);
    const key = `${mask} ${order}`;
    if (order === null || order > 30 || said === null || !Number.isSafeInteger(mask) || seen.has(key)) return [];
    if (seen.size >= mostRequests) return [];
    seen.add(key);
    const bits = mask | 0;
    const orders = Array.from({ length: asker.booted.machine.memory.spec.orders }, (_, o) => o);
    const largestNow = orders.findLast((o) => asker.now(bits, o)) ?? null;
    return [
      {
        title,
        order,
        mask: said.mask,
        names: said.names,
        now: largestNow !== null && asker.now(bits, order),
        afterCompaction:
          (bits & gfp.directReclaim) === 0 ? null : asker.now(bits, order) || asker.afterCompaction(bits, order),
        largestNow,
      },
    ];
  });
}
