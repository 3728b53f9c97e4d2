// Where each sk_buff hangs, and what each page of packets belongs to: one index over queues of sockets, queueing disciplines, NAPI,
// softnet and fragment lists.
import { type Kernel, pfnOfAddress } from "../kernel.ts";
import { isTail, type MemMap } from "../mm/mem_map.ts";
import type { Device, Softnet } from "./devices.ts";
import { qdiscName } from "./qdiscs.ts";
import type { Skb, Skbs } from "./skbs.ts";
import type { Sockets } from "./sockets.ts";

/** One place at which an sk_buff hangs. */
export interface SkbPlace {
  readonly kind: "socket" | "qdisc" | "napi" | "softnet" | "frag_list";
  /** Address of the socket, Qdisc, device or sk_buff; 0 for softnet. */
  readonly of: bigint;
  /** Queue of a socket, kind of a discipline, queue of softnet. */
  readonly queue: string;
  /** In plain words. */
  readonly text: string;
}

export interface Holders {
  /** Places of an sk_buff; none when nothing that is known holds it. */
  placesOf(skb: bigint): readonly SkbPlace[];
  /** sk_buffs whose head or fragment lies in a frame (of a compound page: in any frame of it, asked by its head). */
  skbsIn(pfn: number): readonly SkbUse[];
  /** sk_buffs that are alive: of a pair of which one is free, the one that hangs somewhere. */
  readonly live: readonly Skb[];
}

export interface SkbUse {
  readonly skb: Skb;
  readonly as: "head" | "frag";
}

/** Builds the index. */
export function indexHolders(
  kernel: Kernel,
  map: MemMap,
  skbs: Skbs,
  sockets: Sockets,
  devices: readonly Device[],
  softnet: readonly Softnet[],
): Holders {
  const places = new Map<bigint, SkbPlace[]>();
  const add = (skb: bigint, place: SkbPlace): void => {
    const own = places.get(skb);
    if (own === undefined) places.set(skb, [place]);
    else own.push(place);
  };
  for (const s of sockets.sockets)
    for (const q of s.queues)
      for (const skb of q.skbs)
        add(skb, {
          kind: "socket",
          of: s.address,
          queue: q.name,
          text: `${s.prot} socket ${s.address.toString(16)}, ${q.name}`,
        });
  for (const d of devices) {
    for (const q of d.qdiscs)
      for (const skb of q.skbs)
        add(skb, {
          kind: "qdisc",
          of: q.address,
          queue: q.kind,
          text: `${qdiscName(q)} of ${d.name}, transmit queue ${q.txqs[0] ?? "?"}`,
        });
    for (const skb of d.napi) add(skb, { kind: "napi", of: d.address, queue: "napi", text: `NAPI of ${d.name}` });
  }
  for (const s of softnet)
    for (const skb of s.skbs)
      add(skb, { kind: "softnet", of: 0n, queue: s.queue, text: `softnet of cpu ${s.cpu}, ${s.queue}` });
  for (const s of skbs.skbs)
    for (const part of s.fragList)
      add(part, {
        kind: "frag_list",
        of: s.address,
        queue: "frag_list",
        text: `frag_list of sk_buff ${s.address.toString(16)}`,
      });
  const live = skbs.skbs.filter((s) => !s.isHalf || places.has(s.address));
  const uses = new Map<number, SkbUse[]>();
  const use = (pfn: number | undefined, skb: Skb, as: SkbUse["as"]): void => {
    if (pfn === undefined || pfn >= map.endPfn) return;
    const head = headFrame(map, pfn);
    const own = uses.get(head);
    if (own === undefined) uses.set(head, [{ skb, as }]);
    else own.push({ skb, as });
  };
  for (const skb of live) {
    use(pfnOfAddress(kernel, skb.head), skb, "head");
    for (const f of skb.frags) use(f.pfn, skb, "frag");
  }
  return { placesOf: (skb) => places.get(skb) ?? [], skbsIn: (pfn) => uses.get(headFrame(map, pfn)) ?? [], live };
}

/** The first frame of the compound page that a frame is a part of; the frame itself for others. */
export function headFrame(map: MemMap, pfn: number): number {
  if (((map.shape[pfn] as number) & isTail) === 0) return pfn;
  const head = (map.link[pfn] as number) - 1;
  return head >= 0 && head < pfn ? head : pfn;
}
