// The lists of free pages, walked from both ends with bounds, and what must be true of the pages on them. One broken thing gives one finding: a
// list that breaks off silences what follows from it.
import { ifThere } from "../address_space.ts";
import type { Findings } from "../findings.ts";
import { type Kernel, pfnOfPage } from "../kernel.ts";
import { isTail, type MemMap, mappingAnon, mappingMovable, mappingSet, orderOf } from "./mem_map.ts";
import { isType, pageKind } from "./page_kinds.ts";

export interface FreeList {
  readonly order: number;
  readonly migrateType: number;
  /** Heads of blocks, head of the list first. */
  readonly pfns: readonly number[];
  /** True when the list breaks off and the rest was found from its other end, or not at all. */
  readonly broken: boolean;
}

/** What the lists of a zone are compared with: see ZoneState. */
interface ListedZone {
  readonly name: string;
  readonly start: number;
  readonly spanned: number;
  readonly present: number;
  readonly free: number;
  readonly diffFree: readonly number[];
  readonly isDiffKnown: boolean;
  readonly nrFree: readonly number[];
  readonly vmStat: readonly number[];
  readonly lists: readonly FreeList[];
}

/** A zone's name and frames. */
export interface ZonePlace {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Flags that a page has lost when it is freed (PAGE_FLAGS_CHECK_AT_FREE, include/linux/page-flags.h of 6.1 to 7.2). */
const flagsOfUse = [
  "locked",
  "lru",
  "active",
  "slab",
  "reserved",
  "private",
  "private_2",
  "writeback",
  "unevictable",
  "mlocked",
];

interface Walk {
  readonly pfns: number[];
  readonly broken: boolean;
}

/** Walks lists of struct pages. Remembers every page that it met: a page on two lists, or twice on one, ends a walk. */
export class ListWalker {
  private readonly kernel: Kernel;
  private readonly map: MemMap;
  private readonly findings: Findings;
  private readonly met: Uint8Array;
  private readonly linkBytes: bigint;
  /** Low word of flags that no free page has, with the bit of each. */
  private readonly usedFlags: ReadonlyMap<string, number>;
  private readonly usedMask: number;

  constructor(kernel: Kernel, map: MemMap, findings: Findings) {
    this.kernel = kernel;
    this.map = map;
    this.findings = findings;
    this.met = new Uint8Array(map.endPfn);
    this.linkBytes = BigInt(map.marks.words.link * 4);
    const bits = flagsOfUse.map((name) => [name, map.marks.flag.get(name) ?? -1] as const);
    this.usedFlags = new Map(bits.filter(([, bit]) => bit >= 0 && bit < 32));
    this.usedMask = [...this.usedFlags.values()].reduce((mask, bit) => mask | (1 << bit), 0);
  }

  freeList(head: bigint, zone: ZonePlace, order: number, migrateType: number): FreeList {
    const where = { kind: "free list", zone: zone.name, order, migrateType } as const;
    const name = `free list ${zone.name} order ${order} migratetype ${migrateType}`;
    const { types } = this.map.marks;
    const isOurs = (pfn: number): boolean =>
      isType(types, this.map.mapcount[pfn] as number, types.buddy) && orderOf(this.map, pfn) === order;
    const { pfns, broken } = this.walk(head, zone, isOurs, (text, pfn) =>
      this.findings.add({ ...where, text: `${name}${text}`, ...(pfn === undefined ? {} : { pfn }) }),
    );
    for (const pfn of pfns) this.checkFree(pfn, order, zone);
    return { order, migrateType, pfns, broken };
  }

  cpuList(head: bigint, zone: ZonePlace, cpu: number, list: number): Walk {
    const isOurs = (pfn: number): boolean =>
      this.map.refcount[pfn] === 0 && this.map.kind[pfn] === pageKind.unknown && this.flagOfUse(pfn) === undefined;
    const walk = this.walk(head, zone, isOurs, (text, pfn) =>
      this.findings.add({
        kind: "per-cpu list",
        text: `per-CPU list ${list} of zone ${zone.name} cpu ${cpu}${text}`,
        zone: zone.name,
        cpu,
        ...(pfn === undefined ? {} : { pfn }),
      }),
    );
    for (const pfn of walk.pfns) {
      const wrong = this.map.kind[pfn] === pageKind.unseen ? undefined : this.wrongInFree(pfn);
      this.map.kind[pfn] = pageKind.perCpu;
      if (wrong !== undefined)
        this.findings.add({
          kind: "per-cpu list",
          text: `pfn ${pfn} on a per-CPU list of zone ${zone.name} cpu ${cpu} has ${wrong}`,
          zone: zone.name,
          cpu,
          pfn,
        });
    }
    return walk;
  }

  /** One finding at most for each page: the first thing that cannot be. */
  private checkFree(pfn: number, order: number, zone: ZonePlace): void {
    const { map } = this;
    const what = `pfn ${pfn} on a free list (${zone.name} order ${order})`;
    const { types } = map.marks;
    const wrong = this.wrongOfUse(pfn);
    const text =
      map.kind[pfn] === pageKind.unseen
        ? undefined
        : !isType(types, map.mapcount[pfn] as number, types.buddy)
          ? `${what} is not marked buddy`
          : orderOf(map, pfn) !== order
            ? `pfn ${pfn} is on the order ${order} list of zone ${zone.name}, but its page says order ${orderOf(map, pfn)}`
            : pfn % 2 ** order !== 0
              ? `pfn ${pfn} on a free list (${zone.name}) is not aligned to its order ${order}`
              : wrong !== undefined
                ? `${what} has ${wrong}`
                : this.wrongTails(pfn, order, what);
    if (text !== undefined) this.findings.add({ kind: "free page", text, zone: zone.name, order, pfn });
    map.kind[pfn] = pageKind.buddy;
    map.shape[pfn] = (map.shape[pfn] as number) & ~isTail;
    map.link[pfn] = order;
  }

  /** What only pages in use have: references, flags, a mapping. */
  private wrongOfUse(pfn: number): string | undefined {
    const refs = this.map.refcount[pfn] as number;
    if (refs !== 0) return `refcount ${refs}`;
    const flag = this.flagOfUse(pfn);
    if (flag !== undefined) return flag;
    const mapping = (this.map.shape[pfn] as number) & (mappingSet | mappingAnon | mappingMovable);
    return mapping === 0 ? undefined : "a mapping, as pages in use have";
  }

  /** The same of a free page that is no head of a block: it has no page type either. */
  private wrongInFree(pfn: number): string | undefined {
    const word = this.map.mapcount[pfn] as number;
    const { types } = this.map.marks;
    if (isType(types, word, types.buddy)) return "the buddy mark of blocks on free lists";
    return this.wrongOfUse(pfn) ?? (word === -1 ? undefined : `_mapcount or page type 0x${(word >>> 0).toString(16)}`);
  }

  /** A block that was freed is free in all its pages. */
  private wrongTails(pfn: number, order: number, what: string): string | undefined {
    const { refcount, mapcount, flags, shape } = this.map;
    const end = Math.min(this.map.endPfn, pfn + 2 ** order);
    let first = -1;
    let more = 0;
    for (let p = pfn + 1; p < end; p++) {
      if (refcount[p] === 0 && mapcount[p] === -1 && ((flags[p] as number) & this.usedMask) === 0 && shape[p] === 0)
        continue;
      if (this.map.kind[p] === pageKind.unseen || this.wrongInFree(p) === undefined) continue;
      if (first < 0) first = p;
      else more++;
    }
    if (first < 0) return undefined;
    const others = more === 0 ? "" : `, and ${more} more of its pages are in use`;
    return `${what} holds pfn ${first}, which has ${this.wrongInFree(first)}${others}`;
  }

  /** A flag that only pages in use have. */
  private flagOfUse(pfn: number): string | undefined {
    const flags = (this.map.flags[pfn] as number) & this.usedMask;
    if (flags === 0) return undefined;
    const names = [...this.usedFlags].filter(([, bit]) => (flags & (1 << bit)) !== 0).map(([name]) => name);
    return `the flag ${names.join(", ")} of pages in use`;
  }

  private next(entry: bigint, offset: bigint): bigint | undefined {
    return ifThere(() => this.kernel.space.u64(entry + offset));
  }

  /** Frame of a list entry inside the zone; undefined for anything else. */
  private pfnOf(entry: bigint, zone: ZonePlace): number | undefined {
    const pfn = pfnOfPage(this.kernel, entry - this.linkBytes);
    return pfn === undefined || pfn < zone.start || pfn >= Math.min(zone.end, this.map.endPfn) ? undefined : pfn;
  }

  private walk(
    head: bigint,
    zone: ZonePlace,
    isOurs: (pfn: number) => boolean,
    report: (text: string, pfn?: number) => void,
  ): Walk {
    const pfns: number[] = [];
    let before = head;
    let broken = false;
    for (let at = this.next(head, 0n); at !== head; at = this.next(before, 0n)) {
      // What is not in the image breaks nothing: what is left of the list is found from its end.
      if (at === undefined) return this.fromTheEnd(head, zone, pfns, () => undefined);
      const pfn = this.pfnOf(at, zone);
      if (pfn === undefined) return this.fromTheEnd(head, zone, pfns, report);
      if (this.met[pfn] === 1) {
        report(`: pfn ${pfn} is reached a second time`, pfn);
        return { pfns, broken: true };
      }
      const back = this.next(at, 8n);
      if (back !== undefined && back !== before) {
        // One of two words is wrong. What does not come round to this list's head was reached by a wrong next.
        // (Once is enough: what comes behind lies on the same way.)
        if (!isOurs(pfn) || (!broken && !this.comesRound(at, head, zone)))
          return this.fromTheEnd(head, zone, pfns, report);
        const from = pfns.at(-1);
        report(`: prev of pfn ${pfn} does not point to ${from === undefined ? "the head" : `pfn ${from}`}`, pfn);
        broken = true;
      }
      this.met[pfn] = 1;
      pfns.push(pfn);
      before = at;
    }
    const last = this.next(head, 8n);
    if (last === undefined || last === before || this.kernel.memory.live) return { pfns, broken };
    if (before === head) return this.fromTheEnd(head, zone, pfns, report);
    if (!broken) report(`: prev of the head does not point to pfn ${pfns.at(-1)}, the last`, pfns.at(-1));
    return { pfns, broken: true };
  }

  private comesRound(from: bigint, head: bigint, zone: ZonePlace): boolean {
    let at: bigint | undefined = from;
    for (let n = 0; n <= this.map.endPfn; n++) {
      // Where the image ends, nobody knows.
      if (at === head || at === undefined) return true;
      if (this.pfnOf(at, zone) === undefined) return false;
      at = this.next(at, 0n);
    }
    return false;
  }

  /** A list that breaks off: what is left is found by going backwards from its end. */
  private fromTheEnd(
    head: bigint,
    zone: ZonePlace,
    pfns: number[],
    report: (text: string, pfn?: number) => void,
  ): Walk {
    const reached = pfns.length;
    const rest: number[] = [];
    for (let at = this.next(head, 8n); at !== undefined && at !== head; at = this.next(at, 8n)) {
      const pfn = this.pfnOf(at, zone);
      if (pfn === undefined || this.met[pfn] === 1) break;
      this.met[pfn] = 1;
      rest.push(pfn);
    }
    const last = pfns.at(-1);
    if (last === undefined && rest.length === 0) {
      report(": its head points to no page of the zone");
      return { pfns, broken: true };
    }
    report(
      ` breaks off after ${last === undefined ? "its head" : `pfn ${last}`}: ${reached} of ${reached + rest.length} blocks reachable from the head`,
      last,
    );
    pfns.push(...rest.reverse());
    return { pfns, broken: true };
  }

  /** What all lists together say: counts against blocks, and pages that are marked free and stand on no list. */
  finish(zones: readonly ListedZone[]): void {
    const { map } = this;
    for (const z of zones)
      for (const list of z.lists)
        for (const pfn of list.pfns)
          map.kind.fill(pageKind.freeTail, pfn + 1, Math.min(map.endPfn, pfn + 2 ** list.order));
    // A page that stands on no list may have stood on one that breaks off, whatever its zone.
    const isWhole = !zones.some((z) => z.lists.some((l) => l.broken));
    for (const z of zones) this.checkCounts(z, isWhole ? this.straysOf(z) : new Map());
  }

  /** By order. */
  private straysOf(z: ListedZone): Map<number, number[]> {
    const { map } = this;
    const strays = new Map<number, number[]>();
    for (let pfn = z.start; pfn < Math.min(z.start + z.spanned, map.endPfn); pfn++)
      if (map.kind[pfn] === pageKind.buddy && this.met[pfn] === 0) {
        const order = orderOf(map, pfn);
        strays.set(order, [...(strays.get(order) ?? []), pfn]);
      }
    return strays;
  }

  private checkCounts(z: ListedZone, strays: ReadonlyMap<number, readonly number[]>): void {
    const zone = z.name;
    for (const [order, said] of z.nrFree.entries()) {
      const own = z.lists.filter((l) => l.order === order);
      if (own.some((l) => l.broken)) continue;
      const found = own.reduce((sum, l) => sum + l.pfns.length, 0);
      const lost = strays.get(order) ?? [];
      const where = { zone, order } as const;
      if (said === found + lost.length && lost.length > 1) {
        this.findings.add({
          kind: "free count",
          text: `zone ${zone} order ${order}: nr_free says ${said}, ${found} blocks are on the lists; ${lost.length} are marked buddy and are on none, as if a list had been emptied: pfn ${lost.slice(0, 8).join(", ")}${lost.length > 8 ? " and more" : ""}`,
          ...where,
        });
        continue;
      }
      if (said !== found && !(lost.length === 1 && said === found + 1))
        this.findings.add({
          kind: "free count",
          text: `zone ${zone} order ${order}: nr_free says ${said}, ${found} blocks are on the lists`,
          ...where,
        });
      for (const pfn of lost) this.stray(zone, pfn, order);
    }
    for (const [order, lost] of strays)
      if (order >= z.nrFree.length) for (const pfn of lost) this.stray(zone, pfn, order);
  }

  private stray(zone: string, pfn: number, order: number): void {
    const text = `pfn ${pfn} is marked buddy, order ${order}, but is on no free list`;
    this.findings.add({ kind: "free page", text, zone, order, pfn });
  }
}

/**
 * NR_FREE_PAGES of each zone against the blocks on its lists; isolated ones are not counted (account_freepages, mm/page_alloc.c), memory that was
 * not accepted yet is.
 */
export function checkFreePages(
  kernel: Kernel,
  zones: readonly ListedZone[],
  migrateTypes: readonly string[],
  findings: Findings,
): void {
  const isolate = migrateTypes.indexOf("ISOLATE");
  const unaccepted = kernel.types.constant("zone_stat_item", "NR_UNACCEPTED");
  for (const z of zones) {
    if (z.present === 0 || !z.isDiffKnown || z.lists.some((l) => l.broken)) continue;
    const listed = (o: number): number => z.lists.reduce((n, l) => n + (l.order === o ? l.pfns.length : 0), 0);
    if (z.nrFree.some((said, order) => said !== listed(order))) continue;
    const found =
      z.lists.reduce((n, l) => n + (l.migrateType === isolate ? 0 : l.pfns.length * 2 ** l.order), 0) +
      (unaccepted === undefined ? 0 : (z.vmStat[unaccepted] ?? 0));
    const said = z.free + z.diffFree.reduce((a, b) => a + b, 0);
    if (said !== found)
      findings.add({
        kind: "free count",
        text: `zone ${z.name}: NR_FREE_PAGES says ${said} with what CPUs hold back, ${found} pages are on the lists`,
        zone: z.name,
      });
  }
}

/** No page in use has fewer than no references. Struct pages that were never set up are all ones (page_init_poison, mm/debug.c). */
export function checkReferences(map: MemMap, findings: Findings): void {
  const { refcount, kind, flags } = map;
  for (let pfn = 0; pfn < map.endPfn; pfn++) {
    if ((refcount[pfn] as number) >= 0 || flags[pfn] === 0xffffffff) continue;
    const what = kind[pfn];
    if (what === pageKind.buddy || what === pageKind.freeTail || what === pageKind.perCpu) continue;
    findings.add({ kind: "page", text: `pfn ${pfn} has refcount ${refcount[pfn]}`, pfn });
  }
}
