// What a program holds of its machine: packets, pages, objects, frames. A machine trusts its callers as a kernel does, so that whoever gives back
// what is not its own breaks it at some later place. At the doors each hand-over is counted, and only what is held can be given away.
import type { Shape } from "../base/given.ts";
import type { BootedMemory } from "../model/mm/booted.ts";
import type { Frames } from "../model/net/path/wire.ts";
import { skbField, skbInts } from "../model/net/skb/skb_columns.ts";
import type { Skbs } from "../model/net/skb/skbs.ts";
import { type SlabHeap, zeroSizeAddress } from "../model/slab/kmalloc.ts";

/** How many of each thing are held, by its number. */
export interface Holds {
  of(thing: number): number;
  /** `n` more, or fewer. */
  add(thing: number, n?: number): void;
  /** What a function gave: held, unless it is one of the numbers that stand for no memory (0, -1, …). */
  got(thing: number): void;
}

const isNumber = (v: unknown): v is number => typeof v === "number";
const shape = (must: string, is: (value: number) => boolean): Shape<number> => ({
  must,
  is: (v) => isNumber(v) && is(v),
});

export function createHolds(): Holds {
  const held = new Map<number, number>();
  const holds: Holds = {
    of: (thing) => held.get(thing) ?? 0,
    add(thing, n = 1) {
      const now = holds.of(thing) + n;
      if (now > 0) held.set(thing, now);
      else held.delete(thing);
    },
    got(thing) {
      if (thing > 0) holds.add(thing);
    },
  };
  return holds;
}

/** Bytes of one request, and numbers of that size. */
const bytesMost = 2 ** 30;
export const bytes: Shape<number> = shape(
  `a whole number 0 .. ${bytesMost}`,
  (v) => Number.isInteger(v) && v >= 0 && v <= bytesMost,
);
export const mask: Shape<number> = shape(
  "a gfp mask, as gfpOf() gives it",
  (v) => Number.isInteger(v) && v >= 0 && v < 2 ** 32,
);
/** What goes through the machine as it is. */
export const anyNumber: Shape<number> = shape("a number", (v) => Number.isFinite(v));
/** Eleven days: what is tried once a second is tried a million times by then. */
const nanosMost = 1e15;
export const nanos: Shape<number> = shape(`nanoseconds: a number 0 .. ${nanosMost}`, (v) => v >= 0 && v <= nanosMost);
export const upTo = (most: number, of: string): Shape<number> =>
  shape(`${of}: a whole number 0 .. ${most}`, (v) => Number.isInteger(v) && v >= 0 && v <= most);
/** A number that a function of the machine gave. */
export const known = (of: string, is: (value: number) => boolean): Shape<number> =>
  shape(of, (v) => Number.isInteger(v) && v >= 0 && is(v));

/** The things of one machine's memory, and what of them a program holds. */
export interface MemoryHolds {
  /** By the first page of a block: references. */
  readonly pages: Holds;
  inMachine(pfn: number): boolean;
  readonly anyPfn: Shape<number>;
  readonly page: Shape<number>;
  readonly heldPage: Shape<number>;
  /** Bytes from a page to the end of its block. */
  room(pfn: number, pageSize: number): number;
  readonly userPage: Shape<number>;
  readonly zone: Shape<number>;
  readonly node: Shape<number>;
  readonly order: Shape<number>;
}

export function createMemoryHolds(memory: BootedMemory): MemoryHolds {
  const { pages } = memory;
  const { zones } = memory.layout.spec;
  const held = createHolds();
  const inMachine = (pfn: number): boolean =>
    Number.isInteger(pfn) && zones.some((z) => pfn >= z.startPfn && pfn < z.startPfn + z.spannedPages);
  const allocated = (pfn: number): boolean => inMachine(pfn) && pages.pageCount(pfn) > 0;
  const head = (pfn: number): number => pages.compoundHead(pfn);
  return {
    pages: {
      of: (pfn: number): number => held.of(head(pfn)),
      add: (pfn: number, n?: number): void => held.add(head(pfn), n),
      got: (pfn: number): void => {
        if (pfn > 0) held.add(head(pfn));
      },
    },
    inMachine,
    anyPfn: shape("a page of this machine", inMachine),
    page: shape("a page that is allocated", allocated),
    heldPage: shape("a page that this program holds", (pfn) => allocated(pfn) && held.of(head(pfn)) > 0),
    room(pfn, pageSize) {
      const first = head(pfn);
      return (first + (1 << pages.compoundOrder(first)) - pfn) * pageSize;
    },
    userPage: shape("a page that allocUser() gave", (pfn) => inMachine(pfn) && memory.lru.isLru(pfn)),
    zone: known("a zone's number", (z) => z < zones.length),
    node: upTo(memory.layout.spec.nodes - 1, "a node"),
    order: upTo(memory.layout.spec.orders - 1, "an order"),
  };
}

/** Objects of the slab allocator that a program holds: by address, with the cache they were asked of (-1: kmalloc). */
export interface ObjectHolds {
  readonly cacheOf: Map<number, number>;
  got(address: number, cache: number): void;
  readonly address: Shape<number>;
  readonly cache: Shape<number>;
}

export function createObjectHolds(heap: SlabHeap): ObjectHolds {
  const cacheOf = new Map<number, number>();
  return {
    cacheOf,
    got(address, cache) {
      if (address >= 0 && address !== zeroSizeAddress) cacheOf.set(address, cache);
    },
    address: shape("an object that this program got and did not free", (v) => cacheOf.has(v) || v === zeroSizeAddress),
    cache: known("a cache, as cacheCreate() gives it", (c) => c < heap.caches().length),
  };
}

/** Packets, frames and what hangs on packets, and what of them a program holds. */
export interface PacketHolds {
  readonly packets: Holds;
  readonly frames: Holds;
  readonly skb: Shape<number>;
  readonly frame: Shape<number>;
  readonly anyFrame: Shape<number>;
  readonly sock: Shape<number>;
  readonly ubuf: Shape<number>;
  readonly destructor: Shape<number>;
}

export function createPacketHolds(skbs: Skbs, frames: Frames): PacketHolds {
  const { S } = skbs.columns;
  const { STATE } = skbField;
  const packets = createHolds();
  const onWire = createHolds();
  const alive = (skb: number): boolean =>
    Number.isInteger(skb) && skb > 0 && skb % skbInts === 0 && skb < S.length && (S[skb + STATE]! & 3) === 1;
  return {
    packets,
    frames: onWire,
    skb: shape("a packet that this program holds", (v) => alive(v) && packets.of(v) > 0),
    frame: shape("a frame that this program holds", (v) => onWire.of(v) > 0),
    anyFrame: known("a frame", (v) => v < frames.W.length),
    sock: known("a socket, as socks.create() gives it", (v) => v >= 1 && v <= skbs.socks.count()),
    ubuf: known("a ubuf that is alive", (v) => v > 0 && skbs.ubufs.refs(v) > 0),
    destructor: known("a fragment destructor that is alive", (v) => v > 0 && skbs.fragDestructors.refs(v) > 0),
  };
}
