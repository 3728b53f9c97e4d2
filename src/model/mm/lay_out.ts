// Puts a machine's memory into the state that a report prints: of each zone so many free blocks of each order on lists of each type, and the
// rest in use, cache and programs where pageblocks are movable, the kernel's own elsewhere. Where a block lies is not printed: it is drawn.
//
//   1@3 2@8, two free blocks:   ....  ab..  AAAA AAAA      every free block has a page in use in its buddy, or it would have merged
//
// Not restored: which pages the lists held first, what the asking CPU's own lists held, which used page belongs to whom.
import type { Prng } from "../../base/prng.ts";
import type { BootedMemory } from "./booted.ts";
import { record, word, zoneField, zoneStride } from "./memory.ts";

/** What a page in use is for. */
export type PageUse = "file" | "anon" | "slab" | "kernel";

/** Free blocks of one order on the lists of one type (a number of the kernel's MigrateTypes). */
export interface FreeGiven {
  readonly order: number;
  readonly type: number;
  readonly count: number;
}

/** Where pages in use lie, from the zone's first page. */
export interface HeldGiven {
  /** undefined: not known, or free. `user`: page cache or programs'. */
  readonly use: readonly ("user" | "slab" | "kernel" | undefined)[];
  /** Type of each pageblock; negative: not known. */
  readonly blockTypes: readonly number[];
}

/** One zone's state; pages. What `file`, `anon` and `slab` leave of it is the kernel's and stays where it is. */
export interface ZoneState {
  readonly free: readonly FreeGiven[];
  readonly file: number;
  readonly anon: number;
  readonly slab: number;
  /** How its pageblocks are shared among the types, where that was printed; left out: as what is free and in use needs. */
  readonly ground?: readonly { readonly type: number; readonly share: number }[];
  /** Where its pages in use lie, where that is known: free blocks are placed on the rest only. */
  readonly held?: HeldGiven;
}

export interface LaidOut {
  /** Blocks that found no place as one piece: they lie there in halves, or smaller. */
  readonly broken: number;
  /** Pages that found none at all. */
  readonly missing: number;
}

/** Lays out the zone of a row: everything that is free now is its ground. `use` hears of every page in use. */
export function layOutZone(
  machine: BootedMemory,
  row: number,
  state: ZoneState,
  random: Prng,
  use: (pfn: number, what: PageUse) => void,
): LaidOut {
  machine.reclaim.drainAll();
  const { types } = machine.rules;
  const typed = machine.rules.policy === "mobility";
  const grounds = shuffled(takeAll(machine, row), random);
  const demand = demandOf(
    state,
    types,
    typed,
    grounds.reduce((n, g) => n + (1 << g.order), 0),
  );
  const pools =
    state.held === undefined
      ? assign(machine, grounds, demand, typed)
      : assignAround(machine, row, grounds, demand, state.held, typed);
  let broken = 0;
  let missing = 0;
  const blocks: { pfn: number; order: number }[] = [];
  const wanted = [...state.free].sort((a, b) => b.order - a.order || a.type - b.type);
  for (const { order, type, count } of wanted)
    for (let left = count; left > 0; left--) {
      const own = pools.get(typed ? type : 0) as Pool | undefined;
      const got = placeWhole(own, [...pools.values()], order, random);
      if (got >= 0) {
        blocks.push({ pfn: got, order });
        continue;
      }
      broken++;
      const pieces = placeBroken([...pools.values()], order, random);
      for (const p of pieces) blocks.push(p);
      missing += (1 << order) - pieces.reduce((n, p) => n + (1 << p.order), 0);
    }
  for (const { pfn, order } of blocks) machine.area.freeOnePage(pfn, row, order, machine.placement.freeType(pfn), true);
  // Movable ground first; what finds no room there lies among the kernel's pages, as it does when movable requests fall back.
  const rank = (type: number): number => (type === types.movable ? 0 : 1 + type);
  for (const [type, pool] of [...pools].sort((a, b) => rank(a[0]) - rank(b[0])))
    fillUsed(machine, row, type, pool, demand, random, use);
  return { broken, missing };
}

/** Ground of one type: pieces that may become free blocks as they stand (their buddies are in use), by order; and single pages in use. */
interface Pool {
  readonly pieces: number[][];
  readonly used: number[];
  /** Pages of which it is known who has them. */
  readonly held: { readonly pfn: number; readonly what: "user" | "slab" | "kernel" }[];
  pages: number;
  /** Pages that have to stay in use for what is still to be placed to fit. */
  wantFree: number;
}

function takeAll(machine: BootedMemory, row: number): { pfn: number; order: number }[] {
  const { memory, area } = machine;
  const { page, spec } = memory;
  const found: { pfn: number; order: number }[] = [];
  for (let order = 0; order < spec.orders; order++)
    for (let type = 0; type < 8; type++)
      for (let pfn = area.firstOf(row, order, type); pfn >= 0; pfn = area.firstOf(row, order, type)) {
        area.take(pfn, row, order, order, type);
        area.account.handedOut(row, order, type);
        page[pfn * 4 + record.word] = 0;
        found.push({ pfn, order });
      }
  // Lists come in an order of their own; the drawing starts from one that only the addresses decide.
  return found.sort((a, b) => a.pfn - b.pfn);
}

interface Demand {
  /** Pages of each type, free and in use. */
  readonly pages: Map<number, number>;
  readonly free: Map<number, number>;
  readonly left: { file: number; anon: number; slab: number };
}

function demandOf(
  state: ZoneState,
  types: BootedMemory["rules"]["types"],
  typed: boolean,
  groundPages: number,
): Demand {
  const pages = new Map<number, number>();
  const free = new Map<number, number>();
  const add = (to: Map<number, number>, type: number, n: number): void =>
    void to.set(typed ? type : 0, (to.get(typed ? type : 0) ?? 0) + n);
  const blocks = new Map<number, number>();
  for (const { order, type, count } of state.free) {
    add(free, type, count * 2 ** order);
    add(blocks, type, count);
  }
  const used = new Map<number, number>();
  add(used, types.movable, state.file + state.anon);
  add(used, types.reclaimable, state.slab);
  // A free block keeps a page in use beside it, or it would merge.
  for (const type of new Set([...free.keys(), ...used.keys(), typed ? types.unmovable : 0]))
    pages.set(type, (free.get(type) ?? 0) + Math.max(used.get(type) ?? 0, 2 * (blocks.get(type) ?? 0)));
  for (const { type, share } of typed ? (state.ground ?? []) : [])
    pages.set(type, Math.max(pages.get(type) ?? 0, Math.round(share * groundPages)));
  return { pages, free, left: { file: state.file, anon: state.anon, slab: state.slab } };
}

/** Gives each ground a type: large ones first to whoever lacks most. What is left over is the kernel's own. */
function assign(
  machine: BootedMemory,
  grounds: readonly { pfn: number; order: number }[],
  demand: Demand,
  typed: boolean,
): Map<number, Pool> {
  const { area, memory, rules } = machine;
  const { pageblockOrder } = memory.spec;
  const pools = new Map<number, Pool>();
  const lacks = new Map(demand.pages);
  for (const [type, wantFree] of demand.free) poolOf(pools, type).wantFree = wantFree;
  const give = (type: number, pfn: number, order: number): void => {
    const pool = poolOf(pools, type);
    pool.pieces[order]?.push(pfn);
    pool.pages += 1 << order;
    lacks.set(type, (lacks.get(type) ?? 0) - (1 << order));
  };
  for (const { pfn, order } of grounds) {
    if (!typed) {
      give(0, pfn, order);
      continue;
    }
    if (order < pageblockOrder) {
      give(area.blockTypeOf(pfn), pfn, order);
      continue;
    }
    const [type] = [...lacks].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0] as [number, number];
    const to = (lacks.get(type) ?? 0) > 0 ? type : rules.types.unmovable;
    area.setBlockTypes(pfn, order, to);
    give(to, pfn, order);
  }
  return pools;
}

/** What page_owner lists is in use where it lies; the ground is what it does not list, in pieces as large as their place allows. */
function assignAround(
  machine: BootedMemory,
  row: number,
  grounds: readonly { pfn: number; order: number }[],
  demand: Demand,
  { use, blockTypes }: HeldGiven,
  typed: boolean,
): Map<number, Pool> {
  const { area, memory } = machine;
  const { pageblockOrder, zones, orders } = memory.spec;
  const first = zones[row]?.startPfn ?? 0;
  const pools = new Map<number, Pool>();
  for (const [type, wantFree] of demand.free) poolOf(pools, type).wantFree = wantFree;
  for (const { pfn, order } of grounds) {
    for (
      let block = pfn;
      typed && order >= pageblockOrder && block < pfn + (1 << order);
      block += 1 << pageblockOrder
    ) {
      const type = blockTypes[(block - first) >> pageblockOrder] ?? -1;
      area.setBlockTypes(block, pageblockOrder, type >= 0 ? type : machine.rules.types.movable);
    }
    for (let p = pfn; p < pfn + (1 << order); ) {
      const pool = poolOf(pools, typed ? area.blockTypeOf(p) : 0);
      const what = use[p - first];
      let size = 0;
      const fits = (o: number): boolean => {
        if (p % (1 << o) !== 0 || p + (1 << o) > pfn + (1 << order) || o >= orders) return false;
        for (let q = p + (1 << (o - 1)); q < p + (1 << o); q++) if (use[q - first] !== undefined) return false;
        return true;
      };
      if (what === undefined) while (fits(size + 1)) size++;
      if (what === undefined) pool.pieces[size]?.push(p);
      else pool.held.push({ pfn: p, what });
      pool.pages += 1 << size;
      p += 1 << size;
    }
  }
  return pools;
}

function poolOf(pools: Map<number, Pool>, type: number): Pool {
  const pool = pools.get(type) ?? {
    pieces: Array.from({ length: 16 }, () => []),
    used: [],
    held: [],
    pages: 0,
    wantFree: 0,
  };
  pools.set(type, pool);
  return pool;
}

/** A block as one piece: from its own type's ground, else from anybody's; -1 when nowhere. */
function placeWhole(own: Pool | undefined, all: readonly Pool[], order: number, random: Prng): number {
  const first = own === undefined ? -1 : place(own, order, random);
  if (first >= 0) return first;
  for (const pool of all) {
    const got = pool === own ? -1 : place(pool, order, random);
    if (got >= 0) return got;
  }
  return -1;
}

function place(pool: Pool, order: number, random: Prng): number {
  // Where pages in use are plenty the blocks are spread over all of it; where they are few, they are packed.
  const roomy = pool.pages - pool.used.length > pool.wantFree * 2 + 64;
  const from = roomy ? largest(pool, order) : smallest(pool, order);
  if (from < 0) return -1;
  const list = pool.pieces[from] as number[];
  const at = random.below(list.length);
  const pfn = list[at] as number;
  list[at] = list[list.length - 1] as number;
  list.pop();
  pool.wantFree -= 1 << order;
  if (from === order) return pfn;
  // One page of it stays in use: the pieces between are safe, for each has that page, or another piece's rest, in its buddy.
  const stays = pfn + random.below(1 << from);
  pool.used.push(stays);
  let got = -1;
  for (let low = pfn, o = from; o > 0; ) {
    o--;
    const half = low + (1 << o);
    const other = stays >= half ? low : half;
    low = stays >= half ? half : low;
    if (o === order) got = other;
    else pool.pieces[o]?.push(other);
  }
  return got;
}

function largest(pool: Pool, order: number): number {
  for (let o = 15; o >= order; o--) if ((pool.pieces[o]?.length ?? 0) > 0) return o;
  return -1;
}

function smallest(pool: Pool, order: number): number {
  for (let o = order; o < 16; o++) if ((pool.pieces[o]?.length ?? 0) > 0) return o;
  return -1;
}

/** The same pages in smaller pieces. */
function placeBroken(pools: readonly Pool[], order: number, random: Prng): { pfn: number; order: number }[] {
  const out: { pfn: number; order: number }[] = [];
  let left = 1 << order;
  for (let o = order - 1; o >= 0 && left > 0; o--)
    while (left >= 1 << o) {
      const got = placeWhole(undefined, pools, o, random);
      if (got < 0) break;
      out.push({ pfn: got, order: o });
      left -= 1 << o;
    }
  return out;
}

/** Every page that is not free becomes somebody's. */
function fillUsed(
  machine: BootedMemory,
  row: number,
  type: number,
  pool: Pool,
  demand: Demand,
  random: Prng,
  use: (pfn: number, what: PageUse) => void,
): void {
  const { types } = machine.rules;
  const pages = [...pool.used];
  pool.pieces.forEach((list, order) => {
    for (const pfn of list) for (let p = pfn; p < pfn + (1 << order); p++) pages.push(p);
  });
  const { left } = demand;
  for (const { pfn, what } of pool.held) {
    const own =
      what !== "user" ? what : left.file > 0 && random.below(left.file + left.anon) < left.file ? "file" : "anon";
    if (own !== "kernel") {
      left[own] = Math.max(0, left[own] - 1);
      take(machine, row, pfn, own !== "slab");
    }
    use(pfn, own);
  }
  const typed = machine.rules.policy === "mobility";
  for (const pfn of shuffled(pages, random)) {
    const what = useOf(left, typed && type === types.reclaimable, random);
    if (what !== "kernel") {
      left[what]--;
      take(machine, row, pfn, what !== "slab");
    }
    use(pfn, what);
  }
}

function useOf(left: Demand["left"], slabsFirst: boolean, random: Prng): PageUse {
  const user = left.file + left.anon;
  if (left.slab > 0 && (slabsFirst || user === 0)) return "slab";
  if (user === 0) return "kernel";
  return random.below(user) < left.file ? "file" : "anon";
}

/** A page in use as the allocator knows it: taken, one reference; what programs and the cache hold is on the LRU. */
function take(machine: BootedMemory, row: number, pfn: number, user: boolean): void {
  const { memory, lru } = machine;
  const { page } = memory;
  const type = machine.placement.freeType(pfn);
  page[pfn * 4 + record.word] = (type << word.typeShift) | (row << word.zoneShift) | word.taken;
  page[pfn * 4 + record.references] = 1;
  if (user) lru.add(pfn);
}

/** A page that nobody holds any more, on the list that a CPU keeps of its zone: what its lists may not keep goes back to the free lists at once. */
export function putOnCpusList(machine: BootedMemory, row: number, pfn: number, cpu: number): void {
  const { journal, pages } = machine;
  const was = journal.cpu;
  journal.cpu = cpu;
  take(machine, row, pfn, false);
  pages.freePages(pfn, 0);
  journal.cpu = was;
}

function shuffled<T>(list: readonly T[], random: Prng): T[] {
  const out = [...list];
  for (let i = out.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const x = out[i] as T;
    out[i] = out[j] as T;
    out[j] = x;
  }
  return out;
}

/** The marks of a zone line, the boost in them; pages. */
export interface MarksGiven {
  readonly min: number;
  readonly low: number;
  readonly high: number;
  readonly boost: number;
}

export function setMarks(machine: BootedMemory, row: number, marks: MarksGiven): void {
  const { zone } = machine.memory;
  const at = row * zoneStride;
  zone[at + zoneField.min] = marks.min - marks.boost;
  zone[at + zoneField.low] = marks.low - marks.boost;
  zone[at + zoneField.high] = marks.high - marks.boost;
  zone[at + zoneField.boost] = marks.boost;
}

/** reserved_highatomic, and lowmem_reserve[] by zone type where it is known; pages. */
export function setReserves(
  machine: BootedMemory,
  row: number,
  highatomic: number,
  lowmem: readonly number[] | undefined,
): void {
  const { zone } = machine.memory;
  const at = row * zoneStride;
  zone[at + zoneField.reservedHighatomic] = highatomic;
  lowmem?.slice(0, 8).forEach((pages, type) => {
    zone[at + zoneField.lowmemReserve + type] = pages;
  });
}
