// From an advice to settings of the machine that tests it, or to the reason why no machine can; and what the field often tries beside.

import type { Advised, Change, ProveInput } from "../diagnosis/machine_told.ts";
import { atLeast, parseRelease } from "../kernel/release.ts";
import type { Built } from "./machine.ts";
import type { Proof } from "./proof.ts";

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

type Made = Pick<Trial, "set"> & Partial<Pick<Trial, "against" | "frames" | "order">>;

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
      return {
        against: { "state.settleMillis": 2 },
        set: { "state.settleMillis": 2, "sysctl.compaction_proactiveness": change.value },
      };
    case "compact_memory":
      return { set: { "sysctl.compact_memory": true } };
    case "drop_caches":
      return { set: { "sysctl.drop_caches": true, "sysctl.compact_memory": true } };
    case "cma":
      if (!built.statesUnder({}).some((s) => s.zones.some((z) => z.free.some((b) => (b.types ?? "").includes("C")))))
        return "the report shows no free block of CMA";
      return { set: { "state.cmaKept": 0.5 } };
    case "slub_max_order":
      if (asker.kind === "request")
        return input.findings.some((f) => f.id === "slab_order" && f.answer === "yes")
          ? asked(change.order, 2 ** (built.order - change.order))
          : "the report's own request is made, and the report does not show that it was for a slab of smaller objects";
      return { set: { slubMaxOrder: change.order } };
    case "release":
      if (asker.kind === "request")
        return "the report's own request is made, and another kernel might ask for something else";
      return { set: { release: `${change.version}-${release.arch}` } };
    case "rx_ring":
      if (asker.kind === "request") return "the report's own request is made, without the ring that it was for";
      return { set: { "nics.0.settings.rx_ring": change.entries } };
    case "offload":
      if (asker.kind === "request") return "the report's own request is made, without a card";
      if (change.name !== "tso") return `the model's cards cannot have ${change.name} switched off`;
      return { set: { "nics.0.tso": false } };
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

/** The machine's own vm.min_free_kbytes: where memory is scaled, so is it. */
const partKb = ({ settings }: Built): number => (settings.sysctl as { min_free_kbytes: number }).min_free_kbytes;

/** The largest MTU that is in use; tables go on to what the card can do. */
const usualJumbo = 9000;
const sends = [{ writesPerSecond: 1000 }];

/** sysctl_lowmem_reserve_ratio, mm/page_alloc.c, 6.1. */
const reserveRatio: Readonly<Record<string, number>> = { DMA: 256, DMA32: 256, Normal: 32 };

/** What people try although nobody advised it here: it is run beside the advice, and shown as such. */
export function controls(input: ProveInput, built: Built, done: readonly Trial[]): readonly Trial[] {
  const release = parseRelease(built.release);
  const found: Trial[] = [];
  const add = (
    name: string,
    change: Change,
    note = "often tried, not advised here",
    more: Partial<Made> = {},
  ): void => {
    const made = settingsOf(change, built, input);
    if (typeof made === "string" || done.some((t) => t.change.kind === change.kind)) return;
    found.push({ name, change, advised: false, advice: null, note, frames: 1, ...made, ...more });
  };
  const huge = Math.min(built.minFreeKb * 4, Math.floor(built.lowmemKb / 20));
  const doubled = done.some((t) => t.change.kind === "min_free_times");
  if (huge > built.minFreeKb * 1.5 && !doubled)
    add(`vm.min_free_kbytes ${huge} instead of ${built.minFreeKb}`, { kind: "min_free_kbytes", kb: huge });
  if (atLeast(release, [4, 6])) add("vm.watermark_scale_factor 100", { kind: "watermark_scale_factor", value: 100 });
  if (atLeast(release, [5, 0])) add("vm.watermark_boost_factor 0", { kind: "watermark_boost_factor", value: 0 });
  // More of it: kswapd works on longer each time the lists of one type were robbed for another.
  if (built.order > 0 && atLeast(release, [5, 0]))
    add("vm.watermark_boost_factor 60000", { kind: "watermark_boost_factor", value: 60_000 });
  if (reserveHolds(input))
    add("vm.lowmem_reserve_ratio four times the default: a quarter of what low zones keep back", {
      kind: "lowmem_reserve_ratio",
      values: (built.statesUnder({})[0]?.zoneTypes ?? []).map((zone) => 4 * (reserveRatio[zone] ?? 0)),
    });
  if (built.order > 0 && atLeast(release, [2, 6, 35])) add("compact memory right before", { kind: "compact_memory" });
  if (built.order > 0 && atLeast(release, [5, 9]))
    add("vm.compaction_proactiveness 60", { kind: "compaction_proactiveness", value: 60 });
  if (atLeast(release, [2, 6, 35])) add("drop caches and compact right before", { kind: "drop_caches" });
  add("half of the CMA area", { kind: "cma" });
  const tso = input.findings.find((f) => f.id === "offload.tso");
  if (tso?.answer === "no" && input.machine.tso?.value !== false && built.asker.kind === "driver")
    add(
      "TSO off, while 1,000 writes/s of 32 KB are sent",
      { kind: "offload", name: "tso" },
      "the diagnosis says that it cannot help",
      { against: { sends }, set: { sends, "nics.0.tso": false } },
    );
  const mtu = input.mtuTable?.orderZeroUpTo ?? null;
  if (built.order > 0 && mtu !== null && mtu > 1500)
    add(`MTU ${mtu}, the largest that stays at order 0`, { kind: "mtu", mtu });
  if (built.asker.kind === "driver") {
    if (built.rxRing > 0)
      add(`a receive ring of ${built.rxRing * 4} instead of ${built.rxRing}`, {
        kind: "rx_ring",
        entries: built.rxRing * 4,
      });
    if (built.asker.mtu > 1500) add("MTU 1500", { kind: "mtu", mtu: 1500 });
  }
  return found;
}

/** A zone that the request may use has blocks that are large enough, and keeps a reserve against requests that could go higher. */
const reserveHolds = ({ memory, machine, order }: ProveInput): boolean =>
  (memory?.zones ?? []).some(
    (z) =>
      z.eligible &&
      z.orders.some((o, at) => at >= (order ?? 0) && o.blocks > 0) &&
      machine.zones.some((m) => m.zone === z.zone && (m.lowmemReserve ?? []).some((pages) => pages > 0)),
  );

/** PAGE_ALLOC_COSTLY_ORDER: above it CPUs keep no lists of their own, huge pages apart (mm/page_alloc.c, 6.1, which has the setting). */
const costly = 3;

/** What the field also turns, with a mechanism for this very refusal, and no machine here has: named, so that nobody takes silence for an answer. */
export function neverRun(input: ProveInput, built: Built, maySleep: boolean): Proof["untested"] {
  const release = parseRelease(built.release);
  const zones = input.machine.zones;
  const elsewhere = zones.reduce((kb, z) => kb + Math.max(0, (z.pcpKb ?? 0) - (z.localPcpKb ?? z.pcpKb ?? 0)), 0);
  const { asker, order } = built;
  return [
    ...(order > 0 && maySleep && atLeast(release, [2, 6, 35])
      ? [
          {
            action: "vm.extfrag_threshold",
            why: "the model reclaims and compacts, without weighing one against the other",
          },
        ]
      : []),
    ...(order > 0
      ? [
          {
            action: "vm.defrag_mode=1",
            why: atLeast(release, [6, 15])
              ? "the model has no such mode"
              : "this kernel has no such mode: it came with 6.15",
          },
        ]
      : []),
    ...(elsewhere > 0 && order <= costly && atLeast(release, [6, 1])
      ? [
          {
            action: "vm.percpu_pagelist_high_fraction",
            why: `${elsewhere} kB lay on lists of other CPUs, out of reach; machines of the model begin with empty lists`,
          },
        ]
      : []),
    ...(asker.kind === "driver" && order > 0 && ["e1000", "e1000e"].includes(asker.name)
      ? [
          {
            action: "copybreak",
            why: "it saves buffers for short packets only, and the report does not say how long the packets were",
          },
        ]
      : []),
  ];
}
