// Sums over an image that every face shows: pages by kind, packets by holder, pages of pools by holder. Figures only, no words for people.
import type { Image } from "./image.ts";
import { pageKind, pageKindNames } from "./mm/page_kinds.ts";
import { inflightOf, type PagePool } from "./net/page_pools.ts";
import { qdiscName } from "./net/qdiscs.ts";
import type { Skb } from "./net/skbs.ts";
import { longName, type QueueName, type Socket } from "./net/sockets.ts";

export interface KindSum {
  readonly kind: string;
  readonly pages: number;
}

/** Pages of the memory map by what they are, largest first; holes are left out. */
export function pagesByKind(image: Image): readonly KindSum[] {
  const sums = new Array<number>(pageKindNames.length).fill(0);
  for (const kind of image.map.kind) sums[kind] = (sums[kind] ?? 0) + 1;
  sums[pageKind.buddy] = (sums[pageKind.buddy] ?? 0) + (sums[pageKind.freeTail] ?? 0);
  sums[pageKind.freeTail] = 0;
  sums[pageKind.none] = 0;
  return sums
    .map((pages, kind) => ({ kind: pageKindNames[kind] ?? "?", pages }))
    .filter((s) => s.pages > 0)
    .sort((a, b) => b.pages - a.pages);
}

export interface PacketSum {
  /** Process and descriptor, device, or what else holds them. */
  readonly holder: string;
  readonly queue: string;
  readonly skbs: number;
  readonly truesize: number;
  /** Pages of page pools among their heads and fragments. */
  readonly poolPages: number;
}

/** All live sk_buffs by what they hang in, largest truesize first. An sk_buff that hangs in two places counts at the first. */
export function packetsByHolder(image: Image): readonly PacketSum[] {
  const { net } = image;
  const socketOf = new Map(net.sockets.sockets.map((s) => [s.address, s] as const));
  const poolPages = new Map<bigint, number>();
  for (const pages of net.held.values())
    for (const page of pages)
      for (const skb of new Set(page.holders.flatMap((h) => (h.kind === "skb" ? [h.skb] : []))))
        poolPages.set(skb, (poolPages.get(skb) ?? 0) + 1);
  const sums = new Map<string, { holder: string; queue: string; skbs: number; truesize: number; poolPages: number }>();
  for (const skb of net.holders.live) {
    const [holder, queue] = holderOf(image, skb, socketOf);
    const key = `${holder}\n${queue}`;
    const sum = sums.get(key) ?? { holder, queue, skbs: 0, truesize: 0, poolPages: 0 };
    sum.skbs++;
    sum.truesize += skb.truesize;
    sum.poolPages += poolPages.get(skb.address) ?? 0;
    sums.set(key, sum);
  }
  return [...sums.values()].sort((a, b) => b.truesize - a.truesize || (a.holder < b.holder ? -1 : 1));
}

function holderOf(image: Image, skb: Skb, socketOf: ReadonlyMap<bigint, Socket>): readonly [string, string] {
  const [place] = image.net.holders.placesOf(skb.address);
  if (place === undefined) return ["no holder found", "on no known queue"];
  if (place.kind !== "socket") return [place.text, place.queue];
  const socket = socketOf.get(place.of);
  return [socket === undefined ? place.text : socketName(socket), longName[place.queue as QueueName]];
}

const familyNames: Readonly<Record<number, string>> = {
  1: "unix",
  2: "inet",
  10: "inet6",
  16: "netlink",
  17: "packet",
};

const bracketed = (ip: string): string => (ip.includes(":") ? `[${ip}]` : ip);

/** `holder[385] fd 4, UDP 127.0.0.1:5001` */
export function socketName(s: Socket): string {
  const [owner] = s.owners;
  const who =
    owner === undefined
      ? s.how === "kernel"
        ? "the kernel"
        : s.label === "orphan"
          ? "closed by its owner"
          : "not yet accepted"
      : `${owner.command}[${owner.pid}] fd ${owner.fd}${s.owners.length > 1 ? ` and ${s.owners.length - 1} more` : ""}`;
  const remote = s.remotePort === 0 ? "" : ` → ${bracketed(s.remoteAddress ?? "?")}:${s.remotePort}`;
  const where =
    s.localAddress === undefined
      ? (familyNames[s.family] ?? `family ${s.family}`)
      : `${bracketed(s.localAddress)}:${s.localPort}${remote}`;
  return `${who}, ${s.prot} ${where}`;
}

export interface PoolSum {
  readonly pool: PagePool;
  readonly inflight: number;
  readonly inCache: number;
  readonly inRing: number;
  readonly fragmentSource: number;
  readonly withPackets: number;
  readonly pointedTo: number;
  /** Pages with a reference that neither packets nor words in memory explain, and those of them that packets or words refer to as well. */
  readonly noReference: number;
  readonly noReferenceInPart: number;
  /** Where the pages are that are with packets or pointed to: text and pages, most first. */
  readonly holders: readonly { readonly text: string; readonly pages: number }[];
}

/** Pages of each pool by what holds them; a page with several holders (fragments of it) counts at each. */
export function poolSums(image: Image): readonly PoolSum[] {
  const socketOf = new Map(image.net.sockets.sockets.map((s) => [s.address, s] as const));
  return image.net.pools.map((pool) => {
    const pages = image.net.held.get(pool.address) ?? [];
    const count = (kind: string): number => pages.filter((p) => p.holders.some((h) => h.kind === kind)).length;
    const holders = new Map<string, number>();
    for (const p of pages) {
      const texts = new Set(
        p.holders.flatMap((h) => {
          if (h.kind === "pointer") return [h.what];
          if (h.kind !== "skb") return [];
          const [place] = image.net.holders.placesOf(h.skb);
          const socket = place?.kind === "socket" ? socketOf.get(place.of) : undefined;
          if (socket !== undefined && place !== undefined)
            return [`${socketName(socket)}, ${longName[place.queue as QueueName]}`];
          return [place?.text ?? "sk_buffs on no known queue"];
        }),
      );
      for (const t of texts) holders.set(t, (holders.get(t) ?? 0) + 1);
    }
    return {
      pool,
      inflight: inflightOf(pool),
      inCache: count("cache"),
      inRing: count("ring"),
      fragmentSource: count("fragment source"),
      withPackets: count("skb"),
      pointedTo: count("pointer"),
      noReference: count("none found"),
      noReferenceInPart: pages.filter((p) => p.holders.length > 1 && p.holders.some((h) => h.kind === "none found"))
        .length,
      holders: [...holders].map(([text, n]) => ({ text, pages: n })).sort((a, b) => b.pages - a.pages),
    };
  });
}

/** What this image could not show, in sentences. */
export function notSeen(image: Image): readonly string[] {
  const out: string[] = [...image.memory.facts.notes];
  if (image.memory.facts.incomplete) out.push("The file is not whole: pages at its end may be missing.");
  const { map, net, log } = image;
  if (image.zones.unseen > 0) out.push(`${image.zones.unseen} zones are not in the image.`);
  if (map.unseen > 0) out.push(`${map.unseen} of ${map.unseen + map.seen} struct pages are not in the image.`);
  const slabs = [...image.totals.values()].reduce((n, t) => n + t.unseen, 0);
  if (slabs > 0) out.push(`${slabs} slabs are not in the image: their objects are not counted.`);
  if (net.skbs.unseen > 0) out.push(`${net.skbs.unseen} sk_buffs or their data are not in the image.`);
  if (net.sockets.unseen > 0) out.push(`${net.sockets.unseen} descriptors or sockets are not in the image.`);
  const unread = net.devices.flatMap((d) => d.qdiscs.filter((q) => q.unread > 0).map((q) => [d, q] as const));
  if (unread.length > 0) {
    const places = unread.slice(0, 8).map(([d, q]) => `${q.unread} in ${qdiscName(q)} of ${d.name}`);
    const more = unread.length > places.length ? `, and more in ${unread.length - places.length} others` : "";
    out.push(
      `Packets of queueing disciplines that count more than was found in them: ${places.join(", ")}${more}. Such packets are listed without a holder.`,
    );
  }
  const open = [...net.held.values()].flat().filter((h) => h.holders.length === 0 || h.unexplained > 0).length;
  if (!net.searched && open > 0)
    out.push(
      `Memory was not searched for pointers: who holds ${open} pages of page pools that no packet explains is not known.`,
    );
  if (image.lru === undefined)
    out.push(`The LRU lists, of ${map.lruPages} pages, were not checked: there are too many for a first answer.`);
  if (log.problem !== undefined) out.push(`The kernel log cannot be read: ${log.problem}.`);
  if (log.lost > 0) out.push(`${log.lost} records of the kernel log are not whole.`);
  for (const u of image.unread) out.push(`Not read: ${u.what}: ${u.why}.`);
  return out;
}
