// What stands in the slots of a card's receive ring: how memory comes into a slot, how a packet is made of it, and what of it stays. Each file
// beside this one is one way that real drivers do it; card.ts drives whichever it is given.
//
//   slot   .  ──post()──▶  F  ──frame──▶  P  ──packet()──▶  memory gone up, or kept for the next post() of this slot
import type { RxMachine } from "../../../kernel/facts/drivers/driver.ts";
import type { PoolContext } from "../../net/pool/pool_context.ts";
import type { DriverParts } from "../driver.ts";

export interface SlotBuffers {
  /** Before the first post(), for frames of an MTU; `xdp`: with the room that a program wants. False without memory, and then nothing is held. */
  open(mtu: number, xdp: boolean): boolean;
  /** Everything that still lies in a slot is given back. */
  close(): void;
  /** Slots that are posted together and come back together. */
  together(): number;
  /** Memory for the slot (with together() > 1: for it and those behind it), new or what was kept there; false without memory. */
  post(slot: number, gfp: number): boolean;
  /** Slots that a frame takes from `from` on, more than the ring has when it fits nowhere; `headers` of its bytes go before the payload. */
  slotsOf(bytes: number, from: number, headers: number): number;
  /** A packet of what lies in `count` slots from `first` on; 0 without memory for one. */
  packet(first: number, count: number, bytes: number, headers: number): number;
  /** The frame is gone and its memory was not needed (copied, dropped by a program): it may be used again as it is. */
  unused(first: number, count: number): void;
  /**
   * The memory of these slots goes away with an XDP frame: the pages, each with a reference that takeBack() drops. Left out: this card runs
   * no programs here.
   */
  lend?(first: number, count: number): readonly number[];
  /** `inPoll`: the card's own poll frees it. */
  takeBack?(pages: readonly number[], inPoll: boolean): void;
  /** The slots are off the hardware's list: with together() > 1 the whole group comes back with its last slot. */
  done(slot: number): void;
  pool(): number;
  /** Slots that are gone round, where the MTU says how many; left out: the whole ring. */
  slots?(): number;
  /** Of a card with page pools: who asks, for its polls to say. */
  readonly context?: PoolContext;
  /** What it counts, by the driver's own names. */
  readonly counters: Record<string, number>;
}

/** What every way of filling slots is given. */
export interface SlotsFor {
  readonly parts: DriverParts;
  readonly at: RxMachine;
  /** Slots of the ring. */
  readonly size: number;
}

/** Pages by slot, pfn plus one, with a place in each: what most ways keep. */
export interface SlotPages {
  readonly page: Int32Array;
  readonly offset: Int32Array;
  /** The driver's reference of every slot's page. */
  drop(): void;
  /** Of what was lent: one reference of each page. */
  takeBack(pages: readonly number[]): void;
}

export function slotPages({ parts, size }: SlotsFor): SlotPages {
  const page = new Int32Array(size);
  return {
    page,
    offset: new Int32Array(size),
    drop() {
      for (let slot = 0; slot < size; slot++) if (page[slot] !== 0) parts.pages.putPage(page[slot]! - 1);
      page.fill(0);
    },
    takeBack(lent) {
      for (const pfn of lent) parts.pages.putPage(pfn);
    },
  };
}

/** dev_page_is_reusable(): neither of the emergency reserve nor of another node (this machine has one). */
export const pageIsReusable = ({ pages }: DriverParts, pfn: number): boolean => !pages.isPfmemalloc(pfn);

/** So many single pages, each with a reference; undefined without memory, and then none is held. */
export function singlePages({ pages }: DriverParts, count: number, gfp: number): number[] | undefined {
  const pfns: number[] = [];
  while (pfns.length < count) {
    const pfn = pages.allocPages(gfp, 0);
    if (pfn < 0) {
      for (const got of pfns) pages.putPage(got);
      return undefined;
    }
    pfns.push(pfn);
  }
  return pfns;
}

/** What a packet of fragments has of linear room: GRO_MAX_HEAD, include/linux/netdevice.h, without tunnels. */
export const fragmentHead = 128 + 128;
