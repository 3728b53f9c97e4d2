// From an advice to settings of the machine that tests it, or to the reason why no machine can.

import { answerOf } from "../diagnosis/asked.ts";
import type { Advised, Change, ProveInput } from "../diagnosis/machine_told.ts";
import { defaultMinFreeKb } from "../kernel/facts/min_free.ts";
import { atLeast, parseRelease } from "../kernel/release.ts";
import type { Measure } from "./batch.ts";
import type { Built } from "./machine.ts";

/** A change as it is run. */
export interface Trial {
  readonly name: string;
  readonly change: Change;
  readonly advised: boolean;
  /** The action of the advice that it is. */
  readonly advice: string | null;
  readonly note: string | null;
  /** Where the change makes a difference only to a machine that does more: settings of that machine, with and without the change. */
  readonly against?: Readonly<Record<string, unknown>>;
  /** Settings by their path. */
  readonly set: Readonly<Record<string, unknown>>;
  /** Frames, or blocks, for each of the machine as it was: the bytes of a burst stay the same. */
  readonly frames: number;
  /** Of what is asked for, where it is another order than the report's. */
  readonly order?: number;
  /** What is counted, where that is something else: a driver that asks less often has fewer failures, and the same frames are lost. */
  readonly counts?: Measure;
}

/** Every advice of an incident, each once. */
export function advised(input: ProveInput): readonly Advised[] {
  const seen = new Set<string>();
  return input.findings
    .flatMap((f) => f.advice)
    .filter((a) => {
      const key = a.command ?? a.action;
      return !seen.has(key) && seen.add(key) !== undefined;
    });
}

/** Why no machine of the model can be changed so. */
export function whyNot(change: Change): string | undefined {
  switch (change.kind) {
    case "evidence":
      return "it changes nothing on the machine, it gathers evidence";
    case "code":
      return "it is a change of the driver's source; the model's drivers ask as the real ones do";
    case "driver_setting":
      return "the model's drivers have no such setting";
    case "reboot":
      return "it ends the damage, not its cause";
    case "limit":
      return "the model has no memory cgroups";
    case "memory":
      return "the report does not say what would fill more memory, so any answer would be made up";
    case "setting":
      return `the model does not have ${change.name}`;
    case "fresh_buffers":
    case "drain_sockets":
      return "it concerns who holds memory, not requests that fail";
    default:
      return undefined;
  }
}

export type Made = Pick<Trial, "set"> & Partial<Pick<Trial, "against" | "frames" | "order" | "counts">>;

/** The report's own request, made smaller: so many for each of them. */
const asked = (order: number, frames: number): Made => ({ set: { "state.asks.order": order }, frames, order });

/** Settings for a change on a built machine, or the reason why there are none. */
export function settingsOf(change: Change, built: Built, input: ProveInput): Made | string {
  const why = whyNot(change);
  if (why !== undefined) return why;
  const { asker } = built;
  const release = parseRelease(built.release);
  switch (change.kind) {
    case "min_free_kbytes": {
      const kb = Math.max(128, Math.round((change.kb * partKb(built)) / built.minFreeKb));
      if (change.kb > built.lowmemKb / 2) return `${change.kb} kB are more than half of the machine's memory`;
      return { set: { "sysctl.min_free_kbytes": kb } };
    }
    case "min_free_times":
      return settingsOf({ kind: "min_free_kbytes", kb: built.minFreeKb * change.times }, built, input);
    case "watermark_scale_factor":
      return { set: { "sysctl.watermark_scale_factor": change.value } };
    case "watermark_boost_factor":
      return { set: { "sysctl.watermark_boost_factor": change.value } };
    case "lowmem_reserve_ratio":
      return { set: { "sysctl.lowmem_reserve_ratio": change.values } };
    case "compaction_proactiveness":
      // kcompactd looks every 500 ms: the burst comes after it has, with the change and without.
      return { against: settled, set: { ...settled, "sysctl.compaction_proactiveness": change.value } };
    case "defrag_mode":
      // kswapd and kcompactd work for whole pageblocks once they are woken.
      return { against: settled, set: { ...settled, "sysctl.defrag_mode": true } };
    case "extfrag_threshold":
      return { set: { "sysctl.extfrag_threshold": change.value } };
    case "percpu_pagelist_high_fraction":
      return { set: { "sysctl.percpu_pagelist_high_fraction": change.value } };
    case "more_memory":
      return moreMemory(change.times, built, input);
    case "compact_memory":
      return { set: { "sysctl.compact_memory": true } };
    case "drop_caches":
      return {
        set: {
          "sysctl.drop_caches": true,
          ...(atLeast(release, [2, 6, 35]) ? { "sysctl.compact_memory": true } : {}),
        },
      };
    case "cma":
      if (!built.stateUnder({}, 0).zones.some((z) => z.free.some((b) => (b.types ?? "").includes("C"))))
        return "the report shows no free block of CMA";
      return { set: { "state.cmaKept": 0.5 } };
    case "slub_max_order":
      if (asker.kind === "request")
        return answerOf(input.findings, "slab_order") === "yes"
          ? asked(change.order, 2 ** (built.order - change.order))
          : "the report's own request is made, and the report does not show that it was for a slab of smaller objects";
      return { set: { slubMaxOrder: change.order } };
    case "release":
      if (asker.kind === "request")
        return "the report's own request is made, and another kernel might ask for something else";
      return { set: { release: `${change.version}-${release.arch}` } };
    case "rx_ring":
      if (asker.kind === "request") return "the report's own request is made, without the ring that it was for";
      return { set: { "nics.0.settings.rx_ring": change.entries }, counts: "framesLost" };
    case "offload":
      if (asker.kind === "request") return "the report's own request is made, without a card";
      if (change.name !== "tso" && change.name !== "gro")
        return `the model's cards cannot have ${change.name} switched off`;
      return { set: { [`nics.0.${change.name}`]: false } };
    case "header_split":
    case "queues":
    case "coalescing":
    case "copybreak":
    case "driver_policy":
      return asker.kind === "request"
        ? "the report's own request is made, without a card"
        : ofCard(change, built, asker.mtu);
    case "smaller_buffers":
      // The report's own request, as the driver makes it then: so many for each of them.
      if (asker.kind === "driver") return `the model's ${asker.name} has no such setting`;
      return asked(change.order, change.each);
    case "mtu":
      if (asker.kind === "request") {
        const rows = input.mtuTable?.rows ?? [];
        const was = Math.max(0, ...rows.filter((r) => r.order === built.order).map((r) => r.to));
        const is = rows.find((r) => r.from <= change.mtu && change.mtu <= r.to);
        if (was === 0 || is === undefined)
          return "the report's own request is made, and its size does not follow from an MTU here";
        return asked(is.order, Math.max(1, Math.min(usualJumbo, was) / change.mtu));
      }
      return { set: { "nics.0.mtu": change.mtu }, frames: asker.mtu / change.mtu };
    default:
      return "the model has no such setting";
  }
}

/** Two milliseconds of the machine's own work before the burst. */
const settled = { "state.settleMillis": 2 };

type OfCard = Extract<
  Change,
  { readonly kind: "header_split" | "queues" | "coalescing" | "copybreak" | "driver_policy" }
>;

function ofCard(change: OfCard, built: Built, mtu: number): Made | string {
  switch (change.kind) {
    case "header_split":
      return { set: { "nics.0.settings.header_split": true, ...roomFor(built, 1) }, counts: "framesLost" };
    case "coalescing":
      return { set: { "nics.0.rxUsecs": change.micros }, counts: "framesLost" };
    case "copybreak":
      return { set: { "nics.0.settings.copybreak": change.bytes }, counts: "framesLost" };
    case "queues": {
      const flows = { "traffic.0.flows": 64 };
      return {
        against: flows,
        set: { ...flows, ...roomFor(built, change.count - built.queues), "nics.0.queues": change.count },
        counts: "framesLost",
      };
    }
    case "driver_policy": {
      const plain = (more: object): object => ({ "nics.0.driver": "ringnic", "nics.0.settings": more });
      const ring = { rx_ring: built.rxRing > 0 ? built.rxRing : 256 };
      if (!atLeast(parseRelease(built.release), [4, 18])) return "such drivers use a page_pool, which came with 4.18";
      if (mtu > singlePagesMost) return `a frame of MTU ${mtu} has more pages than a packet may have pieces`;
      const pages = { ...ring, buffers: "page_pool", order_most: 0 };
      const room = roomFor(built, 2);
      return change.buffers === "single pages"
        ? { set: { ...plain(pages), ...room }, counts: "framesLost" }
        : {
            against: { ...plain({ ...pages, refill: "after" }), ...room },
            set: { ...plain({ ...pages, refill: "before" }), ...room },
            counts: "framesLost",
          };
    }
  }
}

/** MAX_SKB_FRAGS pages beside the first, include/linux/skbuff.h. */
const singlePagesMost = 17 * 4096;

/** Pages on top in the zone that rings come from, for so many rings more. */
function roomFor(built: Built, rings: number): Readonly<Record<string, unknown>> {
  const zones = built.stateUnder({}, 0).zones;
  const row = zones.findLastIndex((z) => z.zone !== "HighMem" && z.zone !== "Movable");
  const zone = zones[row];
  return zone === undefined
    ? {}
    : { [`state.zones.${row}.pages`]: zone.pages + Math.ceil((rings * built.ringPages) / built.queues) };
}

/** So many times the memory in the highest zone: all of what is added is in use, and the marks are those that the kernel computes for it. */
function moreMemory(times: number, built: Built, input: ProveInput): Made | string {
  if (!built.printed) return "the report does not print its memory, so what would fill more of it is not known";
  const zones = built.stateUnder({}, 0).zones;
  if (zones.some((z) => z.zone === "HighMem"))
    return "more memory would lie in HighMem, where the kernel's own requests find none";
  if (answerOf(input.findings, "min_free.default") !== "yes")
    return "vm.min_free_kbytes is not known to be the kernel's own choice, so what it would be is not known";
  const { version } = parseRelease(built.release);
  const all = zones.reduce((n, z) => n + z.managed, 0);
  const row = zones.findLastIndex((z) => z.zone !== "Movable");
  const grown = zones.map(({ marks: _marks, ...z }, i) =>
    i === row ? { ...z, managed: z.managed + (times - 1) * all } : z,
  );
  const kbOf = (pages: number): number => defaultMinFreeKb(pages * 4, version);
  const minFreeKb = Math.round((built.minFreeKb * kbOf(times * all)) / kbOf(all));
  return { set: { "state.zones": grown, "sysctl.min_free_kbytes": minFreeKb } };
}

/** The machine's own vm.min_free_kbytes: where memory is scaled, so is it. */
const partKb = ({ settings }: Built): number => (settings.sysctl as { min_free_kbytes: number }).min_free_kbytes;

/** The largest MTU that is in use; tables go on to what the card can do. */
const usualJumbo = 9000;

/** GFP_KERNEL and its like: the kernel reclaims before it gives up. */
export const maySleep = (input: ProveInput): boolean =>
  input.gfp?.names.some((n) =>
    /^(GFP_(KERNEL|NOFS|NOIO|USER|HIGHUSER|TEMPORARY)|__GFP_(WAIT|DIRECT_RECLAIM|RECLAIM)\b)/.test(n),
  ) === true;
