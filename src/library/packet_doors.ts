// The doors of a machine's packets: sk_buffs, sockets, buffers of user space, frames.
import { boolean, callable, members, type Shape, whole } from "../base/given.ts";
import type { Frames } from "../model/net/path/wire.ts";
import type { FragDestructors } from "../model/net/skb/frag_destructors.ts";
import { headField, skbField } from "../model/net/skb/skb_columns.ts";
import type { SkbConfig } from "../model/net/skb/skb_config.ts";
import type { SegmentFeatures } from "../model/net/skb/skb_segment.ts";
import type { Skbs as ModelSkbs } from "../model/net/skb/skbs.ts";
import type { Ubufs } from "../model/net/skb/ubuf_info.ts";
import { zeroSizeAddress } from "../model/slab/kmalloc.ts";
import { handOut } from "./hand_out.ts";
import {
  anyNumber,
  bytes,
  createHolds,
  type Holds,
  known,
  type MemoryHolds,
  mask,
  type ObjectHolds,
  type PacketHolds,
  upTo,
} from "./holds.ts";

const { HEAD, TAIL, END, LEN, NEXT, MAC, DATA, USERS } = skbField;
const { NR_FRAGS, FRAG_LIST, DATAREF, GSO_SIZE } = headField;

/** What only the skb code itself calls. */
const skbsOwn = [
  "memory",
  "pages",
  "heap",
  "journal",
  "heads",
  "spares",
  "bug",
  "warn",
  "refused",
  "newHead",
  "fragRef",
  "fragRefCounted",
  "fragUnref",
  "copySkbHeader",
  "cloneShared",
  "zcopyClear",
  "freeHead",
  "releaseData",
  "releaseHeadState",
  "setPoolReturn",
  "setPoolShare",
  "copyFrag",
  "setFrag",
  "lenAdd",
  "headersMove",
  "downgradeManaged",
  "zerocopyClone",
] as const;
const columnsOwn = ["takeSkb", "giveSkb", "takeHead", "giveHead"] as const;
const configOwn = ["heads", "spares"] as const;

export type Skbs = Omit<
  ModelSkbs,
  | "memory"
  | "pages"
  | "heap"
  | "journal"
  | "heads"
  | "spares"
  | "bug"
  | "warn"
  | "refused"
  | "newHead"
  | "fragRef"
  | "fragRefCounted"
  | "fragUnref"
  | "copySkbHeader"
  | "cloneShared"
  | "zcopyClear"
  | "freeHead"
  | "releaseData"
  | "releaseHeadState"
  | "setPoolReturn"
  | "setPoolShare"
  | "copyFrag"
  | "setFrag"
  | "lenAdd"
  | "headersMove"
  | "downgradeManaged"
  | "zerocopyClone"
  | "columns"
  | "config"
> & {
  readonly columns: Omit<ModelSkbs["columns"], "takeSkb" | "giveSkb" | "takeHead" | "giveHead">;
  readonly config: Omit<SkbConfig, "heads" | "spares">;
};

type Visit = Parameters<ModelSkbs["walk"]>[3];
const index = upTo(2 ** 16, "a fragment's number");
const flags = upTo(7, "allocFlag bits");
const features = members<SegmentFeatures>({ sg: boolean, csum: boolean, "tso?": boolean });

export function handSkbs(skbs: ModelSkbs, packets: PacketHolds, memory: MemoryHolds, objects: ObjectHolds): Skbs {
  const { skb, sock, ubuf, destructor } = packets;
  const { S, H, fragBase } = skbs.columns;
  const { pageSize, fragsMax } = skbs.config;
  const held = packets.packets;
  /** By packet: skb_try_coalesce() took its bytes, and whether its head too. */
  const merged = new Map<number, boolean>();
  const heldUbufs = createHolds();
  const heldDestructors = createHolds();
  const one = [["skb", skb]] as const;
  const masked = [...one, ["mask", mask]] as const;
  const sized = [...one, ["n", bytes]] as const;
  const upToLen = [...one, ["len", bytes]] as const;
  const roomed = [...one, ["headroom", bytes]] as const;
  const got = held.got;
  const gives = (of: number): void => held.add(of, -1);
  const head = (of: number): number => S[of + HEAD]!;
  const nrFrags = (of: number): number => H[head(of) + NR_FRAGS]!;
  const same = (a: number, b: number, names: string): string | undefined =>
    a === b ? `${names} are one packet` : undefined;
  const noFrag = (of: number, i: number): string | undefined =>
    i < nrFrags(of) ? undefined : `packet ${of} has ${nrFrags(of)} fragments, and i is ${i}`;
  const outside = (pfn: number, offset: number, size: number): string | undefined =>
    offset + size <= memory.room(pfn, pageSize)
      ? undefined
      : `${size} bytes at ${offset} do not lie in the block of page ${pfn}`;
  /** The model refuses one that has no room (MAX_SKB_FRAGS) in its own words. */
  const notNext = (of: number, i: number): string | undefined =>
    i === nrFrags(of) || i >= fragsMax ? undefined : `the next fragment of packet ${of} is ${nrFrags(of)}, not ${i}`;
  const fragment = [
    ["skb", skb],
    ["i", index],
    ["pfn", memory.heldPage],
    ["offset", bytes],
    ["size", bytes],
  ] as const;
  const addsFragment = (of: number, i: number, pfn: number, offset: number, size: number): string | undefined =>
    notNext(of, i) ?? outside(pfn, offset, size);
  /** The page's reference is the packet's from then on. */
  const pageTaken = (_result: unknown, _skb: number, _i: number, pfn: number): void => memory.pages.add(pfn, -1);
  const kept = handOut(
    "skbs.",
    skbs,
    skbsOwn,
    {
      registerDestructor: [["run", callable()]],
      skbOrphan: one,
      skbSetOwnerW: [...one, ["sk", sock]],
      skbSetOwnerR: [...one, ["sk", sock]],
      isWmem: one,
      skbReserve: {
        takes: sized,
        unless: (of, n) =>
          n <= S[of + END]! - S[of + TAIL]!
            ? undefined
            : `packet ${of} has ${S[of + END]! - S[of + TAIL]!} bytes of room`,
      },
      skbPut: sized,
      skbPush: sized,
      skbPull: sized,
      skbTrim: upToLen,
      headlen: one,
      tailroom: one,
      isCloned: one,
      isHeaderCloned: one,
      headerRelease: {
        takes: one,
        unless: (of) => (H[head(of) + DATAREF] === 1 ? undefined : `packet ${of} shares its data`),
      },
      allocSkb: {
        takes: [
          ["size", bytes],
          ["mask", mask],
          ["flags?", flags],
        ],
        after: got,
      },
      buildSkb: {
        takes: [
          ["address", known("an address", () => true)],
          ["fragBytes", bytes],
          ["napi?", boolean],
        ],
        unless(address, fragBytes) {
          const room = skbs.infoRoom;
          if (fragBytes === 0) {
            if (address === zeroSizeAddress || objects.cacheOf.get(address) !== -1)
              return "address is not an object that kmalloc() gave this program";
            return skbs.heap.ksize(address) > room
              ? undefined
              : `the object has no room for skb_shared_info, ${room} bytes`;
          }
          const pfn = Math.floor(address / pageSize);
          if (!memory.heldPage.is(pfn)) return "address is not in a page that this program holds";
          if (fragBytes <= room) return `fragBytes leaves no room for skb_shared_info, ${room} bytes`;
          return outside(pfn, address - pfn * pageSize, fragBytes);
        },
        after(made, address, fragBytes) {
          got(made);
          if (made === 0) return;
          if (fragBytes === 0) objects.cacheOf.delete(address);
          else memory.pages.add(Math.floor(address / pageSize), -1);
        },
      },
      recycles: one,
      skbGet: { takes: one, after: got },
      zcopy: one,
      kfreeSkbList: {
        takes: [
          ["first", { must: "a packet that this program holds, or 0", is: (v) => v === 0 || skb.is(v) }],
          ["reason", upTo(255, "a reason")],
        ],
        unless(first) {
          const seen = new Set<number>();
          for (let at = first; at !== 0; at = S[at + NEXT]!) {
            if (!skb.is(at)) return `packet ${at} of the list is not this program's`;
            if (seen.has(at)) return "the list runs in a circle";
            seen.add(at);
          }
          return undefined;
        },
        before(first) {
          for (let at = first; at !== 0; at = S[at + NEXT]!) gives(at);
        },
      },
      kfreeSkb: { takes: [...one, ["reason?", upTo(255, "a reason")]], before: gives },
      consumeSkb: { takes: one, before: gives },
      napiConsumeSkb: { takes: [...one, ["budget", bytes]], before: gives },
      kfreeSkbPartial: {
        takes: [
          ["skb", known("a packet whose bytes skbTryCoalesce() took", (v) => merged.has(v))],
          ["headStolen", boolean],
        ],
        unless: (of, stolen) =>
          merged.get(of) === stolen ? undefined : `headStolen is ${stolen}, and skbTryCoalesce() said ${!stolen}`,
        before: (of) => void merged.delete(of),
      },
      netdevAllocSkb: {
        takes: [
          ["length", bytes],
          ["mask", mask],
        ],
        after: got,
      },
      napiAllocSkb: {
        takes: [
          ["length", bytes],
          ["mask?", mask],
        ],
        after: got,
      },
      walk: [...one, ["offset", whole], ["length", bytes], ["visit", callable<Visit>()]],
      copyBits: [...one, ["offset", whole], ["to", anyNumber], ["length", bytes]],
      dataAddress: one,
      zcopySet: {
        takes: [...one, ["ubuf", ubuf], ["haveRef?", boolean]],
        unless(packet, of, haveRef) {
          // The kernel would go round in circles: skb_copy_ubufs() unshares, and pskb_expand_head() copies first (net/core/skbuff.c, 6.1.192).
          if (skbs.isCloned(packet)) return `packet ${packet} shares its data`;
          return haveRef === true && heldUbufs.of(of) === 0
            ? `this program holds no reference of ubuf ${of}`
            : undefined;
        },
        before(of, buffer, haveRef) {
          if (haveRef === true && skbs.zcopy(of) === 0) heldUbufs.add(buffer, -1);
        },
      },
      orphanFrags: masked,
      copyUbufs: masked,
      pskbExpandHead: [...one, ["nhead", bytes], ["ntail", bytes], ["mask", mask]],
      skbUnclone: masked,
      skbHeaderUnclone: masked,
      uncloneKeepTruesize: masked,
      skbCow: roomed,
      skbCowHead: roomed,
      skbClone: { takes: masked, after: got },
      skbCopy: { takes: masked, after: got },
      skbCopyExpand: { takes: [...one, ["newHeadroom", bytes], ["newTailroom", bytes], ["mask", mask]], after: got },
      pskbCopyFclone: { takes: [...roomed, ["mask", mask], ["fclone", boolean]], after: got },
      pskbCopy: { takes: masked, after: got },
      skbReallocHeadroom: { takes: roomed, after: got },
      skbExpandHead: { takes: roomed, before: gives, after: got },
      skbShareCheck: { takes: masked, before: gives, after: got },
      truesize: [["end", bytes]],
      nrFrags: one,
      fragAt: [...one, ["i", upTo(fragsMax - 1, "a fragment's number")]],
      fillPageDesc: { takes: fragment, unless: addsFragment, after: pageTaken },
      fragSetDestructor: {
        takes: [...one, ["i", index], ["destructor", destructor]],
        unless: noFrag,
      },
      skbAddRxFrag: { takes: [...fragment, ["truesize", bytes]], unless: addsFragment, after: pageTaken },
      skbCoalesceRxFrag: {
        takes: [...one, ["i", index], ["size", bytes], ["truesize", bytes]],
        unless(of, i, size) {
          const f = fragBase(head(of)) + i * 4;
          const { F } = skbs.columns;
          return noFrag(of, i) ?? outside(F[f]!, F[f + 1]!, F[f + 2]! + size);
        },
      },
      skbAppendPagefrags: {
        takes: [
          ["skb", skb],
          ["pfn", memory.page],
          ["offset", bytes],
          ["size", bytes],
          ["destructor?", { must: `${destructor.must}, or 0`, is: (v) => v === 0 || destructor.is(v) }],
        ],
        unless: (_skb, pfn, offset, size) => outside(pfn, offset, size),
      },
      fragListAppend: {
        takes: [
          ["parent", skb],
          ["skb", skb],
        ],
        unless(parent, of) {
          if (head(parent) === head(of)) return "parent and skb have the same data";
          if (H[head(of) + FRAG_LIST] !== 0) return `packet ${of} has a frag_list of its own`;
          if (S[of + USERS] !== 1) return `packet ${of} has ${S[of + USERS]} users`;
          return S[of + NEXT] === 0 ? undefined : `packet ${of} is in a list`;
        },
        before: (_parent, of) => gives(of),
      },
      pskbPullTail: [...one, ["delta", bytes]],
      pskbMayPull: upToLen,
      pskbPull: upToLen,
      skbLinearize: one,
      skbCondense: one,
      pskbTrim: upToLen,
      skbSplit: {
        takes: [
          ["skb", skb],
          ["rest", skb],
          ["len", bytes],
        ],
        unless(of, rest, len) {
          if (len > S[of + LEN]!) return `len is ${len}, and packet ${of} has ${S[of + LEN]} bytes`;
          if (S[rest + LEN] !== 0 || nrFrags(rest) !== 0 || H[head(rest) + FRAG_LIST] !== 0) return "rest is not empty";
          if (H[head(of) + FRAG_LIST] !== 0) return `packet ${of} has a frag_list`;
          return H[head(rest) + DATAREF] === 1 ? same(of, rest, "skb and rest") : "rest shares its data";
        },
      },
      skbShift: {
        takes: [
          ["target", skb],
          ["skb", skb],
          ["bytes", bytes],
        ],
        unless(target, of, n) {
          if (n > S[of + LEN]!) return `bytes is ${n}, and packet ${of} has ${S[of + LEN]}`;
          if (H[head(of) + FRAG_LIST] !== 0) return `packet ${of} has a frag_list`;
          return head(target) === head(of) ? "target and skb have the same data" : undefined;
        },
      },
      skbTryCoalesce: {
        takes: [
          ["to", skb],
          ["from", skb],
        ],
        unless: (to, from) => (head(to) === head(from) ? "to and from have the same data" : undefined),
        after(done, _to, from) {
          if (!done.merged) return undefined;
          gives(from);
          merged.set(from, done.headStolen);
          return { ...done };
        },
      },
      skbSegment: {
        takes: [...one, ["wanted", features]],
        unless(of) {
          if (H[head(of) + GSO_SIZE]! <= 0) return `packet ${of} has no gso_size to be cut by`;
          if (S[of + MAC]! > S[of + DATA]!) return `packet ${of} has no mac header`;
          return undefined;
        },
        after(first) {
          for (let at = first; at !== 0; at = S[at + NEXT]!) got(at);
        },
      },
    },
    {
      columns: (columns) =>
        handOut("skbs.columns.", columns, columnsOwn, { fragBase: [["head", bytes]], skbsLive: [], headsLive: [] }),
      config: (config) => handOut("skbs.config.", config, configOwn, {}),
      socks: (socks) =>
        handOut("skbs.socks.", socks, [], {
          create: {
            takes: [
              ["sndbufBytes", bytes],
              ["rcvbufBytes", bytes],
            ],
            unless: () =>
              socks.count() >= socks.sndbuf.length - 1 ? `there are ${socks.count()} sockets already` : undefined,
          },
          count: [],
          onWriteSpace: [["listener", callable()]],
          writeSpace: [["sock", sock]],
        }),
      ubufs: (all) => handUbufs(all, ubuf, heldUbufs),
      fragDestructors: (all) => handDestructors(all, destructor, heldDestructors),
    },
  );
  return kept as Skbs;
}

const handUbufs = (all: Ubufs, ubuf: Shape<number>, held: Holds): Ubufs =>
  handOut("skbs.ubufs.", all, [], {
    create: { takes: [["callback", callable()]], after: held.got },
    get: { takes: [["ubuf", ubuf]], after: (_, of) => held.add(of) },
    put: {
      takes: [
        ["ubuf", known("a ubuf that this program holds", (v) => held.of(v) > 0)],
        ["untouched", boolean],
      ],
      before: (of) => held.add(of, -1),
    },
    refs: [["ubuf", known("a ubuf", () => true)]],
    live: [],
  });

const handDestructors = (all: FragDestructors, destructor: Shape<number>, held: Holds): FragDestructors =>
  handOut("skbs.fragDestructors.", all, [], {
    create: { takes: [["callback", callable()]], after: held.got },
    get: { takes: [["destructor", destructor]], after: (_, of) => held.add(of) },
    put: {
      takes: [["destructor", known("a fragment destructor that this program holds", (v) => held.of(v) > 0)]],
      before: (of) => held.add(of, -1),
    },
    refs: [["destructor", known("a fragment destructor", () => true)]],
    live: [],
  });

export const handFrames = (frames: Frames, packets: PacketHolds): Frames =>
  handOut("frames.", frames, [], {
    take: {
      takes: [],
      unless: () => (frames.alive() >= framesMost ? `${framesMost} frames are on the wire already` : undefined),
      after: packets.frames.got,
    },
    give: { takes: [["frame", packets.frame]], before: (frame) => packets.frames.add(frame, -1) },
    alive: [],
  });
const framesMost = 1_000_000;
