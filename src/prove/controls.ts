// What people turn although nobody advised it here: what has a mechanism for this very refusal is run beside the advice; what no machine of the
// model takes is named with the reason, so that nobody takes silence for an answer.
import type { FindingId } from "../diagnosis/asked.ts";
import { answerOf } from "../diagnosis/asked.ts";
import type { Answer } from "../diagnosis/finding.ts";
import type { Change, ProveInput } from "../diagnosis/machine_told.ts";
import { atLeast, parseRelease } from "../kernel/release.ts";
import { drivers } from "../model/drivers/drivers.ts";
import { fragmentationIndex } from "../model/mm/fragmentation.ts";
import type { Made, Trial } from "./changes.ts";
import { maySleep, settingsOf } from "./changes.ts";
import type { Built } from "./machine.ts";
import type { Proof } from "./proof.ts";

const inFrames = "counted in frames lost";
const usualNote = "often tried, not advised here";
const sends = [{ writesPerSecond: 1000 }];
/** sysctl_extfrag_threshold, mm/compaction.c, 6.1. */
const extfragUsual = 500;
/** PAGE_ALLOC_COSTLY_ORDER: above it CPUs keep no lists of their own, huge pages apart, and the fragmentation index decides about compaction. */
const costly = 3;
/** sysctl_lowmem_reserve_ratio, mm/page_alloc.c, 6.1. */
const reserveRatio: Readonly<Record<string, number>> = { DMA: 256, DMA32: 256, Normal: 32 };
/** Drivers with a copybreak of their own to set: a module parameter. */
const withCopybreak: readonly string[] = ["e1000", "e1000e"];
/** A frame that is copied whole must fit the largest buffer of one page with its pads. */
const copiedWhole = 2048;

/** Runs beside the advice; what was advised, `done`, is not run twice. */
export function controls(input: ProveInput, built: Built, done: readonly Trial[]): readonly Trial[] {
  const found: Trial[] = [];
  const add: Add = (name, change, note = usualNote, more = {}) => {
    const made = settingsOf(change, built, input);
    if (typeof made === "string" || done.some((t) => t.change.kind === change.kind)) return;
    found.push({ name, change, advised: false, advice: null, note, frames: 1, ...made, ...more });
  };
  ofReserves(input, built, done, add);
  ofLargeBlocks(input, built, add);
  ofCard(input, built, add);
  return found;
}

type Add = (name: string, change: Change, note?: string, more?: Partial<Made>) => void;

function ofReserves(input: ProveInput, built: Built, done: readonly Trial[], add: Add): void {
  const release = parseRelease(built.release);
  const huge = Math.min(built.minFreeKb * 4, Math.floor(built.lowmemKb / 20));
  const doubled = done.some((t) => t.change.kind === "min_free_times");
  if (huge > built.minFreeKb * 1.5 && !doubled)
    add(`vm.min_free_kbytes ${huge} instead of ${built.minFreeKb}`, { kind: "min_free_kbytes", kb: huge });
  if (atLeast(release, [4, 6])) add("vm.watermark_scale_factor 100", { kind: "watermark_scale_factor", value: 100 });
  if (reserveHolds(input))
    add("vm.lowmem_reserve_ratio four times the default: a quarter of what low zones keep back", {
      kind: "lowmem_reserve_ratio",
      values: built.stateUnder({}, 0).zoneTypes.map((zone) => 4 * (reserveRatio[zone] ?? 0)),
    });
  if (onOtherCpus(input) > 0 && built.order <= costly && atLeast(release, [5, 14]))
    add("vm.percpu_pagelist_high_fraction 1000: CPUs' lists keep a thousandth of a zone at most", {
      kind: "percpu_pagelist_high_fraction",
      value: 1000,
    });
  if (built.order === 0)
    add(
      "twice the memory, used as this is",
      { kind: "more_memory", times: 2 },
      "what is added is held by cache and programs as the rest is; marks grow as the kernel computes them",
    );
}

function ofLargeBlocks(input: ProveInput, built: Built, add: Add): void {
  const release = parseRelease(built.release);
  const { order } = built;
  if (atLeast(release, [5, 0])) add("vm.watermark_boost_factor 0", { kind: "watermark_boost_factor", value: 0 });
  // More of it: kswapd works on longer each time the lists of one type were robbed for another.
  if (order > 0 && atLeast(release, [5, 0]))
    add("vm.watermark_boost_factor 60000", { kind: "watermark_boost_factor", value: 60_000 });
  if (order > 0 && atLeast(release, [2, 6, 35])) add("compact memory right before", { kind: "compact_memory" });
  if (order > 0 && atLeast(release, [5, 9]))
    add("vm.compaction_proactiveness 60", { kind: "compaction_proactiveness", value: 60 });
  if (order > 0 && atLeast(release, [6, 15]))
    add(
      "vm.defrag_mode 1",
      { kind: "defrag_mode" },
      "switched on now, and kcompactd has run once since; what it would have kept together since boot is not modeled",
    );
  if (extfragDecides(input, built) === "yes")
    add("vm.extfrag_threshold 0", { kind: "extfrag_threshold", value: 0 }, "compaction also where memory looks short");
  if (atLeast(release, [2, 6, 16]))
    add(`drop caches${atLeast(release, [2, 6, 35]) ? " and compact" : ""} right before`, { kind: "drop_caches" });
  add("half of the CMA area", { kind: "cma" });
  const mtu = input.mtuTable?.orderZeroUpTo ?? null;
  if (order > 0 && mtu !== null && mtu > 1500)
    add(`MTU ${mtu}, the largest that stays at order 0`, { kind: "mtu", mtu });
}

function ofCard(input: ProveInput, built: Built, add: Add): void {
  const { asker } = built;
  if (asker.kind !== "driver") return;
  const answer = (id: FindingId): Answer | undefined => answerOf(input.findings, id);
  const ruledOut = "the diagnosis says that it cannot help";
  if (answer("offload.tso") === "no" && input.machine.tso?.value !== false)
    add("TSO off, while 1,000 writes/s of 32 KB are sent", { kind: "offload", name: "tso" }, ruledOut, {
      against: { sends },
      set: { sends, "nics.0.tso": false },
    });
  if (answer("offload.gro") === "no" && input.machine.gro?.value !== false)
    add("GRO off", { kind: "offload", name: "gro" }, ruledOut);
  if (built.rxRing > 0) {
    add(
      `a receive ring of ${built.rxRing * 4} instead of ${built.rxRing}`,
      { kind: "rx_ring", entries: built.rxRing * 4 },
      `often tried, not advised here; ${inFrames}`,
    );
    add("interrupts after 100 µs instead of 10 (rx-usecs)", { kind: "coalescing", micros: 100 }, inFrames);
  }
  const card = drivers.find((d) => d.name === asker.name);
  const queues = Math.min(4, card?.queuesMost ?? 1);
  if (built.order > 0 && splitsHeaders(asker.name))
    add("headers in buffers of their own", { kind: "header_split" }, inFrames);
  if (queues > built.queues)
    add(
      `${queues} queues instead of ${built.queues === 1 ? "one" : built.queues}, 64 flows`,
      { kind: "queues", count: queues },
      inFrames,
    );
  if (withCopybreak.includes(asker.name) && asker.mtu <= 1500)
    add(`copybreak ${copiedWhole}: every frame is copied`, { kind: "copybreak", bytes: copiedWhole }, inFrames);
  if (asker.mtu > 1500) add("MTU 1500", { kind: "mtu", mtu: 1500 });
  const standsFor = `a plain card stands for such a driver; ${inFrames}`;
  if (built.order > 0)
    add("a driver whose buffers are single pages", { kind: "driver_policy", buffers: "single pages" }, standsFor);
  else
    add(
      "a driver that takes a new buffer before a packet goes up, not after",
      { kind: "driver_policy", buffers: "taken first" },
      `plain cards stand for such a driver and for the other; ${inFrames}`,
    );
}

const splitsHeaders = (driver: string): boolean =>
  Object.hasOwn(drivers.find((d) => d.name === driver)?.settings ?? {}, "header_split");

/** A zone that the request may use has blocks that are large enough, and keeps a reserve against requests that could go higher. */
const reserveHolds = ({ memory, machine, order }: ProveInput): boolean =>
  (memory?.zones ?? []).some(
    (z) =>
      z.eligible &&
      z.orders.some((o, at) => at >= (order ?? 0) && o.blocks > 0) &&
      machine.zones.some((m) => m.zone === z.zone && (m.lowmemReserve ?? []).some((pages) => pages > 0)),
  );

/** kB on the lists of CPUs other than the one that was refused. */
const onOtherCpus = ({ machine }: ProveInput): number =>
  machine.zones.reduce((kb, z) => kb + Math.max(0, (z.pcpKb ?? 0) - (z.localPcpKb ?? z.pcpKb ?? 0)), 0);

/**
 * Does the fragmentation index keep compaction from a zone that the request may use? compaction_suitable(), mm/compaction.c, 6.1: for orders above
 * 3 (before 4.9 for all), an index from 0 up to the threshold means that memory is short; below 0 a block is large enough.
 */
function extfragDecides(input: ProveInput, built: Built): "yes" | "no" | "not asked" | "not printed" {
  const release = parseRelease(built.release);
  if (built.order <= (atLeast(release, [4, 9]) ? costly : 0) || !atLeast(release, [2, 6, 35])) return "not asked";
  const zones = (input.memory?.zones ?? []).filter((z) => z.eligible && z.orders.length > 0);
  if (zones.length === 0) return "not printed";
  const decides = zones.some((z) => {
    const index = fragmentationIndex(
      z.orders.map((o) => o.blocks),
      built.order,
    );
    return index >= 0 && index <= extfragUsual;
  });
  return decides ? "yes" : "no";
}

/** Why no other threshold is run. */
const extfragNot = {
  no: `in no zone is the fragmentation index from 0 to ${extfragUsual}: memory is compacted as it is`,
  "not asked": "this kernel asks the fragmentation index for orders above 3 only",
  "not printed": "the report does not print its free lists, so their fragmentation index is not known",
} as const;

type Untested = Proof["untested"];

/** What the field also turns, with a mechanism for this very refusal, and no machine here has. */
export function neverRun(input: ProveInput, built: Built): Untested {
  return [...neverOfMemory(input, built), ...neverOfCard(input, built)];
}

function neverOfMemory(input: ProveInput, built: Built): Untested {
  const release = parseRelease(built.release);
  const { order } = built;
  const found: { action: string; why: string }[] = [];
  const add = (action: string, why: string): void => void found.push({ action, why });
  if (order > 0 && !atLeast(release, [6, 15]))
    add("vm.defrag_mode=1", "this kernel has no such mode: it came with 6.15");
  if (order > 0 && maySleep(input) && atLeast(release, [2, 6, 35])) {
    const decides = extfragDecides(input, built);
    if (decides !== "yes") add("vm.extfrag_threshold", extfragNot[decides]);
  }
  const elsewhere = onOtherCpus(input);
  if (elsewhere > 0 && order <= costly && !atLeast(release, [5, 14]))
    add(
      "vm.percpu_pagelist_fraction",
      `${elsewhere} kB lay on lists of other CPUs; the model has the setting of 5.14 and later only`,
    );
  const huge = input.machine.held.anonHugeKb ?? 0;
  if (order > 0 && huge > 0)
    add(
      "transparent_hugepage=never",
      `programs held ${huge} kB in huge pages; the model has no faults for huge pages, so it cannot tell what they take from large blocks and what they leave`,
    );
  const more = settingsOf({ kind: "more_memory", times: 2 }, built, input);
  if (order === 0 && typeof more === "string") add("more memory", more);
  return found;
}

function neverOfCard(input: ProveInput, { asker, order }: Built): Untested {
  if (asker.kind !== "driver") return [];
  const found: { action: string; why: string }[] = [];
  const add = (action: string, why: string): void => void found.push({ action, why });
  const spared = "it saves buffers for short packets only, and the report does not say how long the packets were";
  if (order > 0 && (!withCopybreak.includes(asker.name) || asker.mtu > 1500)) add("copybreak", spared);
  if ((drivers.find((d) => d.name === asker.name)?.queuesMost ?? 1) === 1)
    add("more receive queues", `${asker.name} has one`);
  if (order > 0 && !splitsHeaders(asker.name))
    add(
      "header split",
      `the model's ${asker.name} does not split headers; a driver whose buffers are single pages comes nearest`,
    );
  if (input.mtuTable?.allocators?.includes("page_pool") === true)
    add("a larger page_pool", "while nobody reads, no page comes back to a pool: its size decides nothing in a burst");
  return found;
}
