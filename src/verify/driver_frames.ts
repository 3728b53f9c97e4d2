// Which frames came, where a record shows only what a driver asked for meanwhile. Chosen so that they explain the record: what a frame of a length
// does to a ring, a page of pieces and a page of slices is followed here by counting, and the driver of the model then gets those frames. That
// it asks for the same, with the same masks from the same functions, is what the replay compares.
import { BadInput } from "../base/bad_input.ts";
import type { Allocation, DriverName } from "./kmem_trace.ts";

/** Payload bytes behind 66 of headers: copied by every driver; built around by virtio_net in any piece; built around only with room behind it. */
export const frameLengths = { short: 20, middle: 600, long: 1448 } as const;
export type FrameLength = keyof typeof frameLengths;

/** A frame, and whether it follows the last one of its flow, which GRO merges; or the end of a poll. */
export type Step = { readonly frame: FrameLength; readonly flow?: number } | "poll";

/** Frames that were received before the record, to bring a ring into the state that it was in. */
export interface Before {
  /** Frames whose slots were filled again, and frames whose slots are empty still. */
  readonly refilled: number;
  readonly empty: number;
  /** Slices of NAPI that its page has left, 0 to 3. */
  readonly slices: number;
  /** Pieces cut from the page that netdev_alloc_frag() cuts from, where that was used up. */
  readonly pieces: number;
  /** The last of them was short: its slot kept its page. */
  readonly short: boolean;
}

export interface Plan {
  readonly before: Before;
  /** By group of the record. */
  readonly steps: readonly (readonly Step[])[];
}

/** A ring that the record shows being filled; one beside a card that had pieces before, of the page that both cut from; or nothing is known of it. */
export type RingState = "opened" | "shared" | "unknown";

/** Slices in a page: napi_alloc_skb() takes one of 1 KiB for each small head. */
export const slicesPerPage = 4;
const untouched: Before = { refilled: 0, empty: 0, slices: 0, pieces: 0, short: false };
const isPage = (a: Allocation): boolean => a.event === "mm_page_alloc";

// --- virtio_net ---------------------------------------------------------------------------------------------------------------------------

/** Pieces of 1536 bytes in an order-3 page: the last has the rest of the page behind it. Slots of the ring, and how many a poll leaves empty. */
const piecesPerPage = 21;
const virtioRing = 256;
const leftEmpty = 32;
/** Slots that are empty when a poll of 64 frames ends that began with `leftEmpty`. */
const emptyMost = leftEmpty + 64;

type VirtioEvent =
  | { readonly kind: "slice" }
  | { readonly kind: "built" }
  | { readonly kind: "refill"; readonly pages: number };

function virtioEvents(recorded: readonly Allocation[]): VirtioEvent[] {
  const events: VirtioEvent[] = [];
  let refilling = false;
  for (const a of recorded) {
    const fills = a.chain.some((f) => /add_recvbuf|try_fill/.test(f));
    const last = events.at(-1);
    if (fills && refilling && last?.kind === "refill")
      events[events.length - 1] = { kind: "refill", pages: last.pages + 1 };
    else events.push(fills ? { kind: "refill", pages: 1 } : { kind: isPage(a) ? "slice" : "built" });
    refilling = fills;
  }
  return events;
}

/**
 * A state of the ring as one number: the piece at hand (0 to 20 of its page), empty slots, slices left. A frame takes the piece at hand; copied, a
 * slice as well. Long frames are copied where the piece has no room behind them, short ones always, middle ones never.
 */
const stateOf = (piece: number, empty: number, slices: number): number =>
  (piece * (emptyMost + 1) + empty) * slicesPerPage + slices;
const states = stateOf(piecesPerPage, 0, 0);
function partsOf(state: number): { piece: number; empty: number; slices: number } {
  const slices = state % slicesPerPage;
  const empty = ((state - slices) / slicesPerPage) % (emptyMost + 1);
  return { piece: Math.floor(state / slicesPerPage / (emptyMost + 1)), empty, slices };
}

/** The frames that lead from a state over one event, the least unusual ones, and the state behind it. */
function* virtioMoves(state: number, event: VirtioEvent): Generator<{ frames: Step[]; unusual: number; to: number }> {
  let { piece, empty, slices } = partsOf(state);
  const frames: Step[] = [];
  let unusual = 0;
  const frame = (copied: boolean): void => {
    const roomy = piece === piecesPerPage - 1;
    const length: FrameLength = copied ? (roomy ? "short" : "long") : roomy ? "long" : "middle";
    if (length !== "long") unusual++;
    frames.push({ frame: length });
    piece = (piece + 1) % piecesPerPage;
    empty++;
  };
  for (; empty < emptyMost; slices--) {
    // What the frames up to here asked for was nothing new.
    if (event.kind === "refill") {
      const room = (piecesPerPage * emptyMost - piece - (virtioRing - empty)) % piecesPerPage;
      if (empty > leftEmpty && Math.ceil((empty - room) / piecesPerPage) === event.pages)
        yield { frames: [...frames, "poll"], unusual, to: stateOf(piece, 0, slices) };
    } else if (event.kind === "built" || slices === 0) {
      const was = { piece, empty, unusual };
      frame(event.kind === "slice");
      yield {
        frames: [...frames],
        unusual,
        to: stateOf(piece, empty, event.kind === "slice" ? slicesPerPage - 1 : slices),
      };
      frames.pop();
      ({ piece, empty, unusual } = was);
    }
    if (slices === 0) return;
    frame(true);
  }
}

/** Where nothing is known of the ring; and behind its opening, with whatever slices. */
function* virtioStates(opened: boolean): Generator<number> {
  for (let slices = 0; slices < slicesPerPage; slices++)
    if (opened) yield stateOf(0, 0, slices);
    else
      for (let piece = 0; piece < piecesPerPage; piece++)
        for (let empty = 0; empty <= leftEmpty; empty++) yield stateOf(piece, empty, slices);
}

/** Each takes 16 KiB and a pass over all states. */
const eventsMost = 5000;
/** No state leads here. */
const nowhere = -1;

/** The fewest unusual frames that explain the events, over every state that the ring may have been in. */
function planVirtio(groups: readonly (readonly Allocation[])[], opened: boolean): Plan {
  const events = groups.map(virtioEvents);
  const all = events.flat();
  if (all.length > eventsMost)
    throw new BadInput(
      `The trace has ${all.length} requests of virtio_net's polls; frames are found for ${eventsMost}.`,
      undefined,
      "Record a shorter time, or less data.",
    );
  /** By event and state behind it: the state before it. */
  const cameFrom: Int16Array[] = [];
  let cost = new Float64Array(states).fill(Number.POSITIVE_INFINITY);
  for (const state of virtioStates(opened)) cost[state] = 0;
  for (const event of all) {
    const next = new Float64Array(states).fill(Number.POSITIVE_INFINITY);
    const from = new Int16Array(states).fill(nowhere);
    for (let state = 0; state < states; state++)
      if (cost[state]! < Number.POSITIVE_INFINITY)
        for (const { unusual, to } of virtioMoves(state, event))
          if (cost[state]! + unusual < next[to]!) {
            next[to] = cost[state]! + unusual;
            from[to] = state;
          }
    // No frames explain this event: the replay shows it as the first difference.
    if (from.every((state) => state === nowhere)) break;
    cameFrom.push(from);
    cost = next;
  }
  let at = cost.reduce((best, c, state) => (c < cost[best]! ? state : best), 0);
  const perEvent: (readonly Step[])[] = [];
  for (let i = cameFrom.length - 1; i >= 0; i--) {
    const to = at;
    at = cameFrom[i]![to]!;
    const moves = [...virtioMoves(at, all[i]!)].filter((move) => move.to === to);
    perEvent.unshift(moves.reduce((a, b) => (b.unusual < a.unusual ? b : a)).frames);
  }
  const { piece, empty, slices } = partsOf(at);
  const turned = (piece - empty + piecesPerPage * 2) % piecesPerPage;
  let i = 0;
  return {
    // A poll fills the ring again only where more than `leftEmpty` slots are empty.
    before: { ...untouched, refilled: turned === 0 ? 0 : turned + 2 * piecesPerPage, empty, slices },
    steps: events.map((group) => group.flatMap(() => perEvent[i++] ?? [{ frame: "long" as const }])),
  };
}

// --- e1000 and e1000e ---------------------------------------------------------------------------------------------------------------------

/** Pieces in an order-3 page at MTU 1500, for both drivers; all of the last page are used when the ring is full. */
const buffersPerPage = 17;
/** MAX_SKB_FRAGS: so many frames of a flow are one packet. */
const framesMerged = 17;
const refills = (a: Allocation): boolean => a.chain.some((f) => /alloc_(jumbo_)?rx_buffers/.test(f));

/** What the frames of one or more polls ask for, then what the refill behind them asks for. */
function* polls(recorded: readonly Allocation[]): Generator<{ asked: Allocation[]; refilled: Allocation[] }> {
  for (let i = 0; i < recorded.length; ) {
    let split = i;
    while (split < recorded.length && !refills(recorded[split] as Allocation)) split++;
    let end = split;
    while (end < recorded.length && refills(recorded[end] as Allocation)) end++;
    yield { asked: recorded.slice(i, split), refilled: recorded.slice(split, end) };
    i = end;
  }
}

/**
 * e1000 above MTU 1500. Each long frame has a page of its own replaced; a short one takes a slice and leaves its page in the ring. A long one takes a
 * slice for its sk_buff, but where the one before it was merged into another packet and left its own. From page of slices to page of slices there
 * are four takers.
 */
function planPages(groups: readonly (readonly Allocation[])[]): Plan {
  const all = groups.map((recorded) => [...polls(recorded)]);
  const [first] = all.flat();
  let slices = first?.asked.length === 0 ? Math.min(first.refilled.length, slicesPerPage - 1) : 0;
  const before: Before = { ...untouched, slices };
  let flow = 0;
  /** Frames of that flow, and whether a sk_buff was left. */
  let frames = 0;
  let kept = false;

  /** Frames of one poll: `takers` in order, where a fitting one is long as long as there are pages, of which `longs` were replaced. */
  const framesFor = (takers: readonly (FrameLength | "fitting")[], longs: number): Step[] => {
    const steps: Step[] = [];
    const alone = (): void => {
      steps.push({ frame: "long", flow: ++flow });
      frames = 1;
      kept = false;
      longs--;
    };
    const follow = (): void => {
      steps.push({ frame: "long", flow });
      frames++;
      kept = true;
      longs--;
    };
    let forced = takers.filter((taker) => taker === "long").length;
    takers.forEach((taker, i) => {
      const behind = takers.length - i - 1;
      if (taker === "long") forced--;
      if (taker === "short" || (taker === "fitting" && longs <= forced)) {
        steps.push({ frame: "short", flow: ++flow });
        frames = framesMerged;
        return;
      }
      if (kept && longs > 1) alone();
      if (longs <= behind + 1 || frames === 0 || frames >= framesMerged) alone();
      else follow();
      // Those that follow now take nothing; one of them is for the taker that will find the sk_buff left.
      const others = behind === 0 ? 0 : behind + 1;
      while (kept && longs > others && frames < framesMerged) follow();
    });
    while (longs > 0) alone();
    return steps;
  };

  const steps = all.map((ofGroup) =>
    ofGroup.flatMap(({ asked, refilled }): Step[] => {
      const pages = refilled.length;
      const fitting = (count: number) => new Array<"fitting">(count).fill("fitting");
      const takers: (FrameLength | "fitting")[] = fitting(slices);
      asked.forEach((a, i) => {
        takers.push(a.wholePage ? "long" : "short");
        if (i + 1 < asked.length) takers.push(...fitting(slicesPerPage - 1));
      });
      const paged = takers.filter((taker) => taker !== "short").length;
      const behind = asked.length === 0 ? 0 : Math.max(0, Math.min(slicesPerPage - 1, pages - paged));
      takers.push(...fitting(behind));
      slices = asked.length === 0 ? 0 : slicesPerPage - 1 - behind;
      return [...framesFor(takers, pages), "poll"];
    }),
  );
  return { before, steps };
}

/** Short frames that begin a page of slices each, where the first finds none left. */
const copied = (asked: readonly Allocation[]): Step[] =>
  new Array<Step>(Math.max(0, asked.length * slicesPerPage - (slicesPerPage - 1))).fill({ frame: "short" });

/**
 * e1000 up to MTU 1500: a piece for each long frame, seen only where a page of them is begun. One slot stays free, so what is refilled is the slot
 * of the frame before.
 */
function planPieces(groups: readonly (readonly Allocation[])[], ring: RingState): Plan {
  // One piece less than a page: the slot that is free can be filled without a new one.
  let left = ring === "opened" ? 0 : buffersPerPage - 1;
  const before: Before = { ...untouched, pieces: ring === "unknown" ? 1 : 0 };
  let open = true;
  let slices = 0;
  const steps = groups.map((recorded) =>
    [...polls(recorded)].flatMap(({ asked, refilled }): Step[] => {
      const shorts = copied(asked).length + (asked.length > 0 ? slices : 0);
      if (asked.length > 0) slices = slicesPerPage - 1;
      const pages = refilled.length;
      const filled = pages === 0 ? Number(open) : left + buffersPerPage * (pages - 1) + 1;
      const longs = pages === 0 ? 0 : filled - Number(open) + 1;
      left += buffersPerPage * pages - filled;
      open = longs > 0;
      return [
        ...new Array<Step>(shorts).fill({ frame: "short" }),
        ...new Array<Step>(longs).fill({ frame: "long" }),
        "poll",
      ];
    }),
  );
  return { before, steps };
}

/** e1000e: a sk_buff for each frame that is not copied; with packet split, a short frame leaves the pages of its slot. */
function planBuffers(groups: readonly (readonly Allocation[])[], ring: RingState): Plan {
  const all = groups.flat();
  // Its head is an object as well since 6.3; the sk_buff comes first.
  const isObject = (a: Allocation): boolean => a.event === "kmem_cache_alloc" && refills(a);
  const skBuff = all.find(isObject)?.a;
  const isBuffer = (a: Allocation): boolean => isObject(a) && a.a === skBuff;
  const split = (a: Allocation | undefined): boolean => a?.chain.includes("e1000_alloc_rx_buffers_ps") === true;
  const page = all.findIndex((a) => isPage(a) && a.a > 0);
  const sooner = all.slice(0, page < 0 ? all.length : page).filter(isBuffer).length % buffersPerPage;
  const steps = groups.map((recorded) =>
    [...polls(recorded)].flatMap(({ asked, refilled }): Step[] => {
      const buffers = refilled.flatMap((a, i) => (isBuffer(a) ? [i] : []));
      const others = buffers.map((at, n): Step => {
        // A refill fills the slot of the frame before: the pages that it asks for tell that frame's length.
        const next = refilled.slice(at + 1, buffers[n + 1] ?? at);
        const short = n + 1 < buffers.length && split(refilled[at]) && !next.some(isPage);
        return { frame: short ? "short" : "long" };
      });
      // Nothing tells where a poll ended: after each frame, where none of them was copied.
      return [
        ...asked.flatMap(() => new Array<Step>(slicesPerPage).fill({ frame: "short" })),
        ...(asked.length > 0 ? others : others.flatMap((step): Step[] => [step, "poll"])),
        "poll",
      ];
    }),
  );
  const [first] = all;
  return {
    before: {
      ...untouched,
      pieces: ring === "unknown" && sooner > 0 ? buffersPerPage - sooner : 0,
      // A first refill that asks for no page found one in its slot.
      short: first !== undefined && isBuffer(first) && split(first),
    },
    steps,
  };
}

/** Frames for what the polls of a card show. */
export function planOf(driver: DriverName, polled: readonly (readonly Allocation[])[], ring: RingState): Plan {
  if (driver === "virtio_net") return planVirtio(polled, ring === "opened");
  if (driver === "e1000e") return planBuffers(polled, ring);
  const jumbo = polled.flat().some((a) => a.chain.some((f) => f.includes("jumbo")));
  return jumbo ? planPages(polled) : planPieces(polled, ring);
}
