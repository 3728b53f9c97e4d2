// A few sk_buffs under the eye: a list of steps is played on the model with its ownership checker, and after each step every packet is
// pictured. For teaching and for trying what an operation does; the step that breaks a rule says which rule, with the history.
import { BadInput } from "../base/bad_input.ts";
import { parseRelease } from "../kernel/release.ts";
import type { SkbPicture } from "../kernel/skb_picture.ts";
import { slabPartsOf } from "../model/kernels/slab_parts.ts";
import { createNaivePages } from "../model/mm/pages.ts";
import { createNaiveHeap } from "../model/net/skb/naive_heap.ts";
import { createReceiveCaches } from "../model/net/skb/napi_alloc_cache.ts";
import type { OwnedSkbs } from "../model/net/skb/ownership.ts";
import { createOwnedSkbs } from "../model/net/skb/ownership.ts";
import { skbConfig61 } from "../model/net/skb/skb_config61.ts";
import { viewSkb } from "../model/net/skb/skb_view.ts";

/** The operations that can be played: the call, what it is for, what its number means, and whether it makes a packet. */
export const packetOps = [
  {
    op: "alloc",
    says: "alloc_skb(bytes)",
    does: "allocates a sk_buff and a head for that many bytes",
    number: "bytes",
    result: true,
  },
  {
    op: "netdev_alloc",
    says: "netdev_alloc_skb(bytes)",
    does: "allocates a receive buffer, its head cut from a page fragment where it fits",
    number: "bytes",
    result: true,
  },
  {
    op: "reserve",
    says: "skb_reserve(bytes)",
    does: "moves data and tail up to leave headroom",
    number: "bytes",
    result: false,
  },
  { op: "put", says: "skb_put(bytes)", does: "appends bytes at the tail", number: "bytes", result: false },
  { op: "push", says: "skb_push(bytes)", does: "puts a header in front of the data", number: "bytes", result: false },
  { op: "pull", says: "skb_pull(bytes)", does: "takes bytes off the front", number: "bytes", result: false },
  {
    op: "add_frag",
    says: "skb_add_rx_frag(new page, bytes)",
    does: "adds a page as a fragment",
    number: "bytes",
    result: false,
  },
  { op: "clone", says: "skb_clone()", does: "makes a second sk_buff that shares the head", number: "", result: true },
  { op: "copy", says: "skb_copy()", does: "copies sk_buff and data into one linear buffer", number: "", result: true },
  {
    op: "pskb_copy",
    says: "pskb_copy()",
    does: "copies sk_buff and head, and shares the fragments",
    number: "",
    result: true,
  },
  {
    op: "expand_head",
    says: "pskb_expand_head(bytes of headroom)",
    does: "gives the packet a new, private head",
    number: "bytes",
    result: false,
  },
  {
    op: "pull_tail",
    says: "__pskb_pull_tail(bytes)",
    does: "moves bytes from the fragments into the head",
    number: "bytes",
    result: false,
  },
  { op: "linearize", says: "skb_linearize()", does: "moves all bytes into the head", number: "", result: false },
  {
    op: "split",
    says: "skb_split(bytes kept)",
    does: "moves what is behind that many bytes into a second packet",
    number: "bytes",
    result: true,
  },
  {
    op: "coalesce",
    says: "skb_try_coalesce(into slot)",
    does: "appends the packet's data to another without copying, where that is allowed",
    number: "into slot",
    result: false,
  },
  { op: "get", says: "skb_get()", does: "takes a reference", number: "", result: false },
  { op: "free", says: "kfree_skb()", does: "drops a reference and frees at the last one", number: "", result: false },
] as const;

export type PacketOp = (typeof packetOps)[number]["op"];

export interface PacketStep {
  readonly op: PacketOp;
  /** Slot it works on, 0 .. 7; for operations that make a packet: the slot it goes to. */
  readonly slot: number;
  /** Bytes, or the other slot. */
  readonly n: number;
}

export interface PlayedPacketStep {
  readonly step: PacketStep;
  /** What the operation gave back, in words. */
  readonly outcome: string;
  /** The rule that this step broke, with the history of the object; undefined when it broke none. */
  readonly fault: { readonly kind: string; readonly sentence: string; readonly history: readonly string[] } | undefined;
  /** Packets by slot after the step. */
  readonly slots: readonly { readonly slot: number; readonly picture: SkbPicture }[];
}

export const packetSlots = 8;
const stepsMax = 200;

/** Plays the steps on fresh memory. BadInput for a step that names an empty slot it needs or a number it cannot take. */
export function playPackets(steps: readonly PacketStep[]): PlayedPacketStep[] {
  if (steps.length > stepsMax) throw new BadInput(`${steps.length} steps are more than the ${stepsMax} that fit.`);
  const faults: PlayedPacketStep["fault"][] = [];
  const pages = createNaivePages(1 << 16, 16);
  const skbs = createOwnedSkbs(
    {
      pages,
      heap: createNaiveHeap({ pages }),
      receive: (view) => createReceiveCaches(slabPartsOf(parseRelease("6.1.192")).pageFrag, view, 1),
      skbsMax: 1024,
    },
    { onFault: (f) => void faults.push({ kind: f.kind, sentence: f.sentence, history: f.history }) },
  );
  const slots: number[] = new Array<number>(packetSlots).fill(0);
  const dead = new Set<number>();
  return steps.map((step, i) => {
    faults.length = 0;
    const outcome = play(skbs, slots, dead, step, i + 1);
    return {
      step,
      outcome,
      fault: faults[0],
      slots: slots.flatMap((skb, slot) => (skb === 0 || dead.has(slot) ? [] : [{ slot, picture: viewSkb(skbs, skb) }])),
    };
  });
}

/** How one of those who had the memory of a fault came to it: its slot, and the numbers of the steps that made or touched it, from 1. */
export interface OwnerPath {
  readonly slot: number;
  readonly steps: readonly number[];
}

/** Everybody who had the buffer that a step's fault is about, the one at fault first: packets with the same head, alive or freed before. */
export function ownerPaths(played: readonly PlayedPacketStep[], at: number): readonly OwnerPath[] {
  const asked = played[at]?.step.slot;
  if (asked === undefined) return [];
  /** Head of the packet that a slot last held before the step. */
  const headOf = (slot: number): number | undefined => {
    for (let i = at - 1; i >= 0; i--) {
      const found = played[i]?.slots.find((s) => s.slot === slot);
      if (found !== undefined) return found.picture.head;
    }
    return undefined;
  };
  const head = headOf(asked);
  const others = Array.from({ length: packetSlots }, (_, s) => s).filter((s) => s !== asked && headOf(s) === head);
  return [asked, ...(head === undefined ? [] : others)].map((slot) => {
    const made = (i: number): boolean => played[i]?.outcome === `packet in slot ${slot}`;
    let from = at;
    while (from > 0 && !made(from)) from--;
    const steps = Array.from({ length: at - from + 1 }, (_, i) => from + i);
    return { slot, steps: steps.filter((i) => made(i) || played[i]?.step.slot === slot).map((i) => i + 1) };
  });
}

function play(skbs: OwnedSkbs, slots: number[], dead: Set<number>, step: PacketStep, number: number): string {
  const { atomic } = skbConfig61.gfp;
  const { op, n } = step;
  if (!Number.isInteger(step.slot) || step.slot < 0 || step.slot >= packetSlots) {
    throw new BadInput(`Step ${number} (${op}): slot ${step.slot} is not one of 0 to ${packetSlots - 1}.`);
  }
  if (!Number.isInteger(n) || n < 0 || n > 65536)
    throw new BadInput(`Step ${number} (${op}): ${n} is not a number from 0 to 65536.`);
  const skb = slots[step.slot]!;
  const make = (made: number): string => {
    slots[step.slot] = made;
    dead.delete(step.slot);
    return made === 0 ? "no memory" : `packet in slot ${step.slot}`;
  };
  if (op === "alloc") return make(skbs.allocSkb(n, atomic));
  if (op === "netdev_alloc") return make(skbs.netdevAllocSkb(n, atomic));
  if (skb === 0)
    throw new BadInput(
      `Step ${number} (${op}): slot ${step.slot} is empty.`,
      undefined,
      "Put a packet there with alloc first.",
    );
  const beside = (made: number): string => {
    const to = slots.findIndex((s, i) => s === 0 || (dead.has(i) && i !== step.slot));
    if (to < 0)
      throw new BadInput(
        `Step ${number} (${op}): all ${packetSlots} slots hold packets.`,
        undefined,
        "Free one first.",
      );
    slots[to] = made;
    dead.delete(to);
    return made === 0 ? "no memory" : `packet in slot ${to}`;
  };
  const status = (rc: number): string => (rc === 0 ? "done" : `refused (${rc})`);
  switch (op) {
    case "reserve":
      skbs.skbReserve(skb, n);
      return "done";
    case "put":
      skbs.skbPut(skb, n);
      return "done";
    case "push":
      skbs.skbPush(skb, n);
      return "done";
    case "pull":
      skbs.skbPull(skb, n);
      return "done";
    case "add_frag": {
      const bytes = Math.max(1, Math.min(n, 4096));
      const frags = viewSkb(skbs, skb).frags.length;
      if (frags >= skbConfig61.fragsMax) return `refused: ${frags} fragments are there already`;
      const pfn = skbs.outside.allocPages(atomic, 0);
      skbs.skbAddRxFrag(skb, frags, pfn, 0, bytes, 4096);
      return `page ${pfn}`;
    }
    case "clone":
      return beside(skbs.skbClone(skb, atomic));
    case "copy":
      return beside(skbs.skbCopy(skb, atomic));
    case "pskb_copy":
      return beside(skbs.pskbCopy(skb, atomic));
    case "expand_head":
      return status(skbs.pskbExpandHead(skb, n, 0, atomic));
    case "pull_tail": {
      const { len, dataLen } = viewSkb(skbs, skb);
      if (n > dataLen) return `refused: only ${dataLen} of ${len} bytes lie in fragments`;
      return skbs.pskbPullTail(skb, n) === 0 ? "no memory" : "done";
    }
    case "linearize":
      return status(skbs.skbLinearize(skb));
    case "split": {
      const { len } = viewSkb(skbs, skb);
      if (n >= len) return `refused: the packet has only ${len} bytes`;
      const rest = skbs.allocSkb(Math.max(64, len - n), atomic);
      const outcome = beside(rest);
      if (rest !== 0) skbs.skbSplit(skb, rest, n);
      return outcome;
    }
    case "coalesce": {
      const to = slots[n] ?? 0;
      if (to === 0 || to === skb) throw new BadInput(`Step ${number} (coalesce): slot ${n} holds no other packet.`);
      const joined = skbs.skbTryCoalesce(to, skb);
      if (!joined.merged) return "refused";
      skbs.kfreeSkbPartial(skb, joined.headStolen);
      dead.add(step.slot);
      return joined.headStolen ? "joined; the head became a fragment" : "joined";
    }
    case "get":
      skbs.skbGet(skb);
      return "one more user";
    case "free": {
      if (dead.has(step.slot)) {
        skbs.kfreeSkb(skb);
        return "it was free already";
      }
      const { users } = viewSkb(skbs, skb);
      skbs.kfreeSkb(skb);
      if (users <= 1) dead.add(step.slot);
      return users <= 1 ? "freed" : `${users - 1} user(s) left`;
    }
  }
}

/** Step lists that show something, for the page and the docs. */
export const packetStories: readonly {
  readonly id: string;
  readonly title: string;
  readonly steps: readonly PacketStep[];
}[] = [
  {
    id: "clone",
    title: "A clone shares its data; expanding the head makes it private",
    steps: [
      { op: "alloc", slot: 0, n: 1500 },
      { op: "reserve", slot: 0, n: 64 },
      { op: "put", slot: 0, n: 400 },
      { op: "clone", slot: 0, n: 0 },
      { op: "expand_head", slot: 1, n: 64 },
      { op: "push", slot: 1, n: 14 },
      { op: "free", slot: 0, n: 0 },
      { op: "free", slot: 1, n: 0 },
    ],
  },
  {
    id: "write-in-clone",
    title: "Adding data to a packet that has a clone breaks a rule",
    steps: [
      { op: "alloc", slot: 0, n: 500 },
      { op: "put", slot: 0, n: 100 },
      { op: "clone", slot: 0, n: 0 },
      { op: "put", slot: 1, n: 20 },
    ],
  },
  {
    id: "double-free",
    title: "A driver's ring keeps a packet that the stack frees: the double free of 2009",
    steps: [
      { op: "netdev_alloc", slot: 0, n: 1500 },
      { op: "put", slot: 0, n: 1500 },
      { op: "free", slot: 0, n: 0 },
      { op: "free", slot: 0, n: 0 },
    ],
  },
  {
    id: "coalesce",
    title: "Two received packets become one: the second's head turns into a fragment",
    steps: [
      { op: "netdev_alloc", slot: 0, n: 1500 },
      { op: "put", slot: 0, n: 1400 },
      { op: "netdev_alloc", slot: 1, n: 1500 },
      { op: "put", slot: 1, n: 1400 },
      { op: "coalesce", slot: 1, n: 0 },
      { op: "pull_tail", slot: 0, n: 64 },
      { op: "free", slot: 0, n: 0 },
    ],
  },
];
