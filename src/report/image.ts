// The answer of `skblab image`: a document for people, a value for programs (schema skblab.image/1).
import { hex } from "../image/address_space.ts";
import type { Image } from "../image/image.ts";
import type { Joined } from "../image/joined.ts";
import type { BlockPins } from "../image/mm/pins.ts";
import type { ZoneState } from "../image/mm/zones.ts";
import { notSeen, type PoolSum, packetsByHolder, pagesByKind, poolSums, socketName } from "../image/summary.ts";
import type { LiveMap } from "../live/page_map.ts";
import type { ImageAnswer, RequestAgain } from "../prove/image_machine.ts";
import type { Block, Document, Text } from "./document.ts";
import { facts, heading, list, paragraph, span, table } from "./document.ts";
import { liveMapDocument, type MapCost } from "./live_map.ts";

const mostRows = 25;
const mebibytes = (pages: number): string => `${((pages * 4096) / 2 ** 20).toFixed(1)} MiB`;
const kibibytes = (bytes: number): string => `${Math.round(bytes / 1024)} KiB`;

/** The whole answer but the log's incidents, which `diagnose` writes. */
export function imageDocument(image: Image): Document {
  return [
    heading(1, "Memory image"),
    ...headFacts(image),
    ...unseenBlocks(image),
    ...findingBlocks(image),
    ...memoryBlocks(image),
    ...poolBlocks(image),
    ...packetBlocks(image),
    ...slabBlocks(image),
  ];
}

function headFacts(image: Image): Block[] {
  const { kernel, memory, map } = image;
  const level = memory.facts.dumpLevel;
  return [
    facts([
      ["file", memory.name],
      ["container", `${memory.facts.kind}${level === undefined ? "" : `, dump level ${level}`}`],
      ["kernel", `${kernel.info.release} ${kernel.version}`.trim()],
      ["CPUs online", String(kernel.onlineCpus.length)],
      ["struct pages", `${map.seen} read, ${map.unseen} not in the image`],
      ["page tables", `${kernel.space.levels} levels`],
    ]),
  ];
}

function unseenBlocks(image: Image): Block[] {
  const missing = notSeen(image);
  return missing.length === 0 ? [] : [heading(2, "What the image does not show"), list(missing)];
}

function findingBlocks(image: Image): Block[] {
  const { list: found, more } = image.findings;
  if (found.length === 0)
    return [
      heading(2, "Integrity"),
      paragraph([
        span("No finding", "good"),
        span(
          image.unread.length > 0
            ? " in what was read."
            : ": free lists, per-CPU lists, slabs, socket queues, packets and page pools that are in the image agree with one another.",
        ),
      ]),
    ];
  if (image.memory.live)
    return [
      heading(2, "Integrity"),
      paragraph(
        `The machine kept running while it was read. In ${found.length + more} places the parts do not fit together; for a running machine that proves nothing, so they are listed in --format json only.`,
      ),
    ];
  return [
    heading(2, "Integrity"),
    paragraph([
      span(`${found.length + more} findings`, "bad"),
      span(": the kernel's own structures contradict one another."),
    ]),
    list(found.slice(0, mostRows).map((f) => `${f.kind}: ${f.text}`)),
    ...(found.length + more > mostRows
      ? [paragraph(`${found.length + more - mostRows} more are in --format json.`)]
      : []),
  ];
}

const freePages = (z: ZoneState): number => z.lists.reduce((n, l) => n + l.pfns.length * 2 ** l.order, 0);
const largestFree = (z: ZoneState): number => z.lists.reduce((n, l) => Math.max(n, l.order), -1);

function memoryBlocks(image: Image): Block[] {
  const kinds = pagesByKind(image);
  return [
    heading(2, "Memory"),
    table(
      ["pages that are", ">pages", ">size"],
      kinds.map((k) => [k.kind, String(k.pages), mebibytes(k.pages)]),
    ),
    table(
      ["node", "zone", ">managed", ">free", ">on CPUs", ">min", ">low", ">high", ">largest free order"],
      image.zones.zones
        .filter((z) => z.managed > 0)
        .map((z) => [
          String(z.node),
          z.name,
          String(z.managed),
          String(freePages(z)),
          String(z.pcp.reduce((n, p) => n + p.count, 0)),
          ...z.watermarks.map((w) => String(w + z.boost)),
          largestFree(z) < 0 ? "none" : String(largestFree(z)),
        ]),
      "Zones, in pages; marks with boost",
    ),
  ];
}

function poolBlocks(image: Image): Block[] {
  const sums = poolSums(image);
  if (sums.length === 0) return [];
  return [
    heading(2, "Page pools"),
    table(
      ["pool", ">in flight", ">cache", ">ring", ">with packets", ">pointed to", ">no reference found", "state"],
      sums
        .slice(0, mostRows)
        .map((s) => [
          hex(s.pool.address),
          String(s.inflight),
          String(s.inCache),
          String(s.inRing),
          String(s.withPackets),
          String(s.pointedTo),
          s.noReference === 0 ? "0" : [span(String(s.noReference), "warn")],
          s.pool.isDestroyed ? [span("destroyed, waits for its pages", "warn")] : "",
        ]),
    ),
    ...sums
      .filter((s) => s.pool.isDestroyed || s.noReference > 0)
      .slice(0, 8)
      .flatMap(poolExplained),
  ];
}

const pages = (n: number): string => (n === 1 ? "1 page" : `${n} pages`);

function poolExplained(s: PoolSum): Block[] {
  const out = s.inflight - s.inCache - s.inRing;
  const head = s.pool.isDestroyed
    ? `${pages(out)} keep the destroyed pool ${hex(s.pool.address)} alive.`
    : `Of pool ${hex(s.pool.address)}, ${pages(out)} lie neither in its cache nor in its ring.`;
  const alone = s.noReference - s.noReferenceInPart;
  const rest = [
    ...(alone > 0
      ? [
          `${pages(alone)}: no packet holds them and no word in the memory of this image points to them: leaked, or known to their holder by another address only (DMA, data).`,
        ]
      : []),
    ...(s.noReferenceInPart > 0
      ? [
          `Of ${pages(s.noReferenceInPart)} only some fragments are accounted for: the others are leaked, or known to their holder by another address only (DMA, data).`,
        ]
      : []),
  ];
  return [paragraph(head), list([...s.holders.slice(0, 12).map((h) => `${pages(h.pages)}: ${h.text}`), ...rest])];
}

function packetBlocks(image: Image): Block[] {
  const sums = packetsByHolder(image);
  const truesize = sums.reduce((n, s) => n + s.truesize, 0);
  const skbs = sums.reduce((n, s) => n + s.skbs, 0);
  return [
    heading(2, "Packets"),
    paragraph(
      `${skbs} live sk_buffs, ${kibibytes(truesize)} of truesize, ${image.net.sockets.sockets.length} sockets of ${image.net.sockets.processes} processes and the kernel.`,
    ),
    ...(sums.length === 0
      ? []
      : [
          table(
            ["held by", "queue", ">sk_buffs", ">truesize", ">pool pages"],
            sums
              .slice(0, mostRows)
              .map((s) => [s.holder, s.queue, String(s.skbs), kibibytes(s.truesize), String(s.poolPages)]),
          ),
        ]),
    ...(sums.length > mostRows ? [paragraph(`${sums.length - mostRows} more holders are in --format json.`)] : []),
  ];
}

function slabBlocks(image: Image): Block[] {
  const rows = image.caches
    .map((c) => ({ c, t: image.totals.get(c.address), pages: c.slabs.length * 2 ** c.order }))
    .sort((a, b) => b.pages - a.pages)
    .slice(0, 12);
  if (rows.length === 0) return [];
  return [
    heading(2, "Slab caches"),
    table(
      ["cache", ">pages", ">slabs", ">objects", ">allocated", ">object size", "merged"],
      rows.map(({ c, t, pages }) => [
        c.name,
        String(pages),
        String(c.slabs.length),
        t === undefined ? "not read" : String(t.objects),
        t === undefined ? "not read" : String(t.allocated),
        String(c.objectSize),
        c.refcount > 1 ? `${c.refcount} users under this name` : "",
      ]),
      "The largest; pages by the order of new slabs",
    ),
    ...awaitingBlocks(image),
  ];
}

function awaitingBlocks(image: Image): Block[] {
  const waiting = image.caches.filter((c) => c.awaitingRcu.length > 0);
  if (waiting.length === 0) return [];
  const shown = waiting.slice(0, 8).map((c) => `${c.awaitingRcu.length} of ${c.name}`);
  return [
    paragraph(
      `Given back by kfree_rcu() and allocated until their RCU grace period ends: ${shown.join(", ")}${waiting.length > shown.length ? `, and some of ${waiting.length - shown.length} other caches` : ""}.`,
    ),
  ];
}

/** The same content as data. Addresses are hexadecimal strings, sizes bytes or pages as named. */
export function imageJson(image: Image): Record<string, unknown> {
  const { kernel, memory, map, net } = image;
  return {
    schema: "skblab.image/1",
    file: memory.name,
    container: {
      kind: memory.facts.kind,
      dumpLevel: memory.facts.dumpLevel ?? null,
      incomplete: memory.facts.incomplete,
    },
    kernel: {
      release: kernel.info.release,
      version: kernel.version,
      cpus: kernel.onlineCpus.length,
      pageTableLevels: kernel.space.levels,
      pageOffset: hex(kernel.pageOffset),
    },
    structPages: { read: map.seen, notInImage: map.unseen },
    notShown: notSeen(image),
    findings: image.findings.list.map((f) => ({
      ...f,
      ...(f.address === undefined ? {} : { address: hex(f.address) }),
    })),
    findingsBeyondBound: image.findings.more,
    pages: pagesByKind(image),
    zones: image.zones.zones.map((z) => ({
      node: z.node,
      name: z.name,
      startPfn: z.start,
      spannedPages: z.spanned,
      presentPages: z.present,
      managedPages: z.managed,
      freePages: freePages(z),
      watermarks: { min: z.watermarks[0], low: z.watermarks[1], high: z.watermarks[2], boost: z.boost },
      highatomicPages: z.highatomic,
      freeBlocks: z.nrFree,
      perCpuPages: z.pcp.map((p) => ({ cpu: p.cpu, count: p.count, high: p.high, batch: p.batch })),
    })),
    caches: image.caches.map((c) => ({
      name: c.name,
      objectBytes: c.objectSize,
      sizeBytes: c.size,
      users: c.refcount,
      slabs: c.slabs.length,
      ...image.totals.get(c.address),
      awaitingRcu: c.awaitingRcu.length,
    })),
    pools: poolSums(image).map((s) => ({
      address: hex(s.pool.address),
      destroyed: s.pool.isDestroyed,
      ifindex: s.pool.ifindex ?? null,
      order: s.pool.order,
      poolSize: s.pool.poolSize,
      inFlight: s.inflight,
      pages: {
        cache: s.inCache,
        ring: s.inRing,
        fragmentSource: s.fragmentSource,
        withPackets: s.withPackets,
        pointedTo: s.pointedTo,
        noReferenceFound: s.noReference,
      },
      holders: s.holders,
    })),
    packets: packetsByHolder(image),
    sockets: net.sockets.sockets.map((s) => ({
      address: hex(s.address),
      name: socketName(s),
      how: s.how,
      owners: s.owners,
      state: s.state,
      receiveBytes: s.rmem,
      writeBytes: s.wmem,
      queues: Object.fromEntries(s.queues.filter((q) => q.skbs.length > 0).map((q) => [q.name, q.skbs.length])),
    })),
    devices: net.devices.map((d) => ({
      name: d.name,
      ifindex: d.ifindex,
      mtu: d.mtu,
      txStopped: d.txStopped,
      qdiscs: d.qdiscs.map((q) => ({
        txqs: q.txqs,
        kind: q.kind,
        handle: q.handle,
        parent: q.parent ?? null,
        qlen: q.qlen,
        skbs: q.skbs.length,
        unread: q.unread,
      })),
    })),
    log: { records: image.log.records.length, notWhole: image.log.lost, problem: image.log.problem ?? null },
  };
}

/** Pages and packets that the log names, and what they are now. */
export function joinedDocument(joined: readonly Joined[]): Document {
  if (joined.length === 0) return [];
  return [
    heading(2, "Pages and packets that the log names"),
    table(
      ["in the log", "in this image", "line of the log"],
      joined.map((j) => [j.subject, j.now, j.line]),
    ),
  ];
}

/** What no file of /proc tells about pages. */
export const notInCoarseMap: readonly string[] = [
  "orders and migrate types of free blocks, free lists, per-CPU lists and watermarks",
  "which slab cache or page pool a page belongs to, and who holds it",
  "sockets, packets, and anything about integrity",
];

/** The answer for a running machine without /proc/kcore. */
export function coarseDocument(
  map: LiveMap,
  cost: MapCost,
  groups: readonly { readonly inode: number; readonly pages: number }[] | undefined,
): Document {
  return [
    heading(1, "Memory of the running machine"),
    paragraph("/proc/kcore cannot be read here; this is what /proc/kpageflags says, and no more."),
    ...liveMapDocument(map, { cost }),
    ...(groups === undefined || groups.length === 0
      ? []
      : [
          table(
            ["control group, by inode", ">pages", ">size"],
            groups.slice(0, 10).map((g) => [String(g.inode), String(g.pages), mebibytes(g.pages)]),
          ),
        ]),
    heading(2, "What it does not show"),
    list(notInCoarseMap),
  ];
}

const yes = (granted: boolean): readonly [ReturnType<typeof span>] => [
  granted ? span("yes", "good") : span("no", "bad"),
];

/** What the model says in the state of the image, and who pins the blocks of an order. */
export function imageProofDocument(
  answer: ImageAnswer | string,
  pins: BlockPins,
  again: readonly RequestAgain[] = [],
): Document {
  const asked: Block[] =
    typeof answer === "string"
      ? [paragraph(`The model cannot stand for this machine: ${answer}`)]
      : [
          paragraph(
            "The model was given the very zones, free lists, per-CPU lists and movable pages of this image, and each request was run in it.",
          ),
          table(
            [">order", "GFP_ATOMIC now", "GFP_KERNEL now", "GFP_KERNEL after compaction, nothing reclaimed"],
            answer.orders.map((o) => [String(o.order), yes(o.atomic), yes(o.kernel), yes(o.afterCompaction)]),
          ),
          ...(answer.holes.length === 0 ? [] : [paragraph("Where the model is not this kernel:"), list(answer.holes)]),
        ];
  const answerOf = (granted: boolean | null): Text => (granted === null ? "may not wait" : yes(granted));
  return [
    heading(2, "Would it be granted?"),
    ...asked,
    ...(again.length === 0
      ? []
      : [
          paragraph("The requests that the log says failed, made again in the state of this image:"),
          table(
            ["failed in the log", ">order", "mask", "now", "after compaction", ">largest order now"],
            again.map((r) => [
              r.title,
              String(r.order),
              `${r.mask} (${r.names.join("|")})`,
              answerOf(r.now),
              answerOf(r.afterCompaction),
              r.largestNow === null ? "none" : String(r.largestNow),
            ]),
          ),
        ]),
    heading(2, `What pins blocks of order ${pins.order}`),
    paragraph(
      `Of ${pins.blocks} aligned blocks ${pins.free} are free, ${pins.movable} hold only pages that can move, ${pins.pinned} hold at least one page that stays.`,
    ),
    ...(pins.owners.length === 0
      ? []
      : [
          table(
            ["whose pages stay", ">in blocks", ">pinned by them alone", ">pages"],
            pins.owners.slice(0, 15).map((o) => [o.owner, String(o.blocks), String(o.alone), String(o.pages)]),
          ),
        ]),
  ];
}
