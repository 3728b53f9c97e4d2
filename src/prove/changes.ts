// From an advice to settings of the machine that tests it, or to the reason why no machine can; and what the field often tries beside.

import type { Advised, Change, ProveInput } from "../diagnosis/machine_told.ts";
import { atLeast, parseRelease } from "../kernel/release.ts";
import type { Built } from "./machine.ts";

/** A change as it is run. */
export interface Trial {
  readonly name: string;
  readonly change: Change;
  readonly advised: boolean;
  readonly note: string | null;
  /** Where the change makes a difference only to a machine that does more: settings of that machine, with and without the change. */
  readonly against?: Readonly<Record<string, unknown>>;
  /** Settings by their path. */
  readonly set: Readonly<Record<string, unknown>>;
  /** Frames for each frame of the machine as it was: the bytes of a burst stay the same. */
  readonly frames: number;
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
      return "it is a change of somebody's source; the model's drivers ask as the real ones do";
    case "driver_setting":
      return "the model's drivers have no such setting";
    case "reboot":
      return "it ends the damage that was done, not its cause";
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

type Made = Pick<Trial, "set"> & Partial<Pick<Trial, "against" | "frames">>;

/** Settings for a change on a built machine, or the reason why there are none. */
export function settingsOf(change: Change, built: Built): Made | string {
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
      if (asker.kind === "request") return "the report's own request is made, whatever slab it was for";
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
      if (asker.kind === "request")
        return "the report's own request is made, and its size does not follow from an MTU here";
      return { set: { "nics.0.mtu": change.mtu }, frames: asker.mtu / change.mtu };
    default:
      return "the model has no such setting";
  }
}

/** The machine's own vm.min_free_kbytes: where memory is scaled, so is it. */
const partKb = ({ settings }: Built): number => (settings.sysctl as { min_free_kbytes: number }).min_free_kbytes;

const sends = [{ writesPerSecond: 1000 }];

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
    const made = settingsOf(change, built);
    if (typeof made === "string" || done.some((t) => t.change.kind === change.kind)) return;
    found.push({ name, change, advised: false, note, frames: 1, ...made, ...more });
  };
  const huge = Math.min(built.minFreeKb * 4, Math.floor(built.lowmemKb / 20));
  if (huge > built.minFreeKb * 1.5)
    add(`vm.min_free_kbytes ${huge} instead of ${built.minFreeKb}`, { kind: "min_free_kbytes", kb: huge });
  if (atLeast(release, [4, 6])) add("vm.watermark_scale_factor 100", { kind: "watermark_scale_factor", value: 100 });
  if (atLeast(release, [5, 0])) add("vm.watermark_boost_factor 0", { kind: "watermark_boost_factor", value: 0 });
  if (built.order > 0 && atLeast(release, [2, 6, 35])) add("compact memory just before", { kind: "compact_memory" });
  if (built.order > 0 && atLeast(release, [5, 9]))
    add("vm.compaction_proactiveness 60", { kind: "compaction_proactiveness", value: 60 });
  if (atLeast(release, [2, 6, 35])) add("drop caches and compact just before", { kind: "drop_caches" });
  add("half of the CMA area", { kind: "cma" });
  const tso = input.findings.find((f) => f.id === "offload.tso");
  if (tso?.answer === "no" && input.machine.tso?.value !== false && built.asker.kind === "driver")
    add(
      "TSO off, while 1,000 writes/s of 32 KB are sent",
      { kind: "offload", name: "tso" },
      "the diagnosis says that it cannot help",
      { against: { sends }, set: { sends, "nics.0.tso": false } },
    );
  if (built.asker.kind === "driver") {
    add(`a receive ring of ${built.rxRing * 4} instead of ${built.rxRing}`, {
      kind: "rx_ring",
      entries: built.rxRing * 4,
    });
    if (built.asker.mtu > 1500) add("MTU 1500", { kind: "mtu", mtu: 1500 });
  }
  return found;
}

/** What the field also turns and no machine here has: named, so that nobody takes silence for an answer. */
export const neverRun: readonly { readonly action: string; readonly why: string }[] = [
  ["vm.extfrag_threshold", "it decides between reclaim and compaction for those who may wait; the model tries both"],
  ["vm.defrag_mode", "the model has no such mode"],
  ["vm.percpu_pagelist_high_fraction", "the model sizes per-CPU lists as the kernel does by itself"],
  ["transparent huge pages", "the model's programs use single pages"],
  [
    "queues, interrupt coalescing, GRO and LRO, header split, page_pool sizes",
    "the model's cards do not take these settings",
  ],
].map(([action, why]) => ({ action: action as string, why: why as string }));
