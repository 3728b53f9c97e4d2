// Seed 003's experiment: how many of 160 requests for order-10 blocks succeed after memory was thrashed, by placement policy. The article
// reports 3 with the kernel as it was and 81 with the patch; it does not describe the test, so this one is described in its file.
//
// Each machine is asked three times, and gives back what it got in between:
//   loaded    while the processes are alive and the page cache fills the rest
//   idle      when every process has exited
//   deleted   when the files of the compile are deleted too: only slab and pinned pages are left
import type { Interval } from "../analysis/statistics.ts";
import { medianInterval } from "../analysis/statistics.ts";
import { prng } from "../base/prng.ts";
import { parseRelease } from "../kernel/release.ts";
import { createBootedMemory } from "../model/kernels/booted.ts";
import type { BootedMemory } from "../model/mm/booted.ts";
import type { PolicyName } from "../model/mm/rules.ts";
import type { Parts } from "./parts.ts";
import type { ThrashSettings } from "./workload/thrash.ts";
import { createThrash } from "./workload/thrash.ts";

export const moments = ["loaded", "idle", "deleted"] as const;
export type Moment = (typeof moments)[number];
export const policyNames = ["classic", "placement-2005", "mobility"] as const satisfies readonly PolicyName[];

export interface HighOrderSettings {
  readonly release: string;
  readonly memoryMb: number;
  readonly policies: readonly PolicyName[];
  readonly activeFreeing: readonly boolean[];
  readonly seeds: number;
  readonly firstSeed: number;
  readonly requests: number;
  readonly order: number;
  readonly load: ThrashSettings;
}

export interface HighOrderPart {
  readonly policy: PolicyName;
  readonly activeFreeing: boolean;
  readonly seed: number;
}

/** What one machine answered. */
export interface HighOrderRun extends HighOrderPart {
  /** Requests granted, by moment. */
  readonly granted: Readonly<Record<Moment, number>>;
  /** Pages the load held when it was asked first. */
  readonly held: Readonly<Record<string, number>>;
  /** Single pages that the load was refused: it should be none. */
  readonly refused: number;
}

/** One policy, with or without active freeing, over all seeds. */
export interface HighOrderCell {
  readonly policy: PolicyName;
  readonly activeFreeing: boolean;
  readonly granted: Readonly<Record<Moment, Interval & { readonly all: readonly number[] }>>;
}

export interface HighOrderResult {
  readonly requests: number;
  readonly order: number;
  /** As the article tells it. */
  readonly article: { readonly before: number; readonly after: number; readonly requests: number };
  readonly cells: readonly HighOrderCell[];
  readonly runs: readonly HighOrderRun[];
}

/** Asks for the blocks as a module would (GFP_KERNEL), counts, and gives them back. */
function ask(memory: BootedMemory, settings: HighOrderSettings, background: () => void): number {
  const { gfp } = memory.rules;
  const mask = gfp.directReclaim | gfp.kswapdReclaim | gfp.io | gfp.fs | gfp.nowarn;
  const got: number[] = [];
  for (let i = 0; i < settings.requests; i++) {
    const pfn = memory.pages.allocPages(mask, settings.order);
    if (pfn >= 0) got.push(pfn);
    background();
  }
  for (const pfn of got) memory.pages.freePages(pfn, settings.order);
  return got.length;
}

function runPart(settings: HighOrderSettings, part: HighOrderPart): HighOrderRun {
  const memory = createBootedMemory({
    release: parseRelease(settings.release),
    memoryMb: settings.memoryMb,
    policy: part.policy,
    activeFreeing: part.activeFreeing,
  });
  const load = createThrash(memory, settings.load, prng(part.seed).fork("load"));
  const refused = load.run(settings.load.kilopages * 1000);
  const held = load.held();
  const loaded = ask(memory, settings, load.background);
  load.exitAll();
  const idle = ask(memory, settings, load.background);
  load.deleteCache(1);
  const deleted = ask(memory, settings, load.background);
  return { ...part, granted: { loaded, idle, deleted }, held, refused };
}

const cellsOf = (s: HighOrderSettings): { policy: PolicyName; activeFreeing: boolean }[] =>
  s.policies.flatMap((policy) => s.activeFreeing.map((activeFreeing) => ({ policy, activeFreeing })));

function join(settings: HighOrderSettings, runs: readonly HighOrderRun[]): HighOrderResult {
  const cells = cellsOf(settings).map(({ policy, activeFreeing }): HighOrderCell => {
    const own = runs.filter((r) => r.policy === policy && r.activeFreeing === activeFreeing);
    const of = (moment: Moment): HighOrderCell["granted"][Moment] => {
      const all = own.map((r) => r.granted[moment]);
      return { ...medianInterval(all), all };
    };
    return { policy, activeFreeing, granted: { loaded: of("loaded"), idle: of("idle"), deleted: of("deleted") } };
  });
  return {
    requests: settings.requests,
    order: settings.order,
    article: { before: 3, after: 81, requests: 160 },
    cells,
    runs,
  };
}

export const highOrderParts: Parts = {
  list: (settings) => {
    const s = settings as HighOrderSettings;
    return cellsOf(s).flatMap((cell) =>
      Array.from({ length: s.seeds }, (_, i) => ({ ...cell, seed: s.firstSeed + i })),
    );
  },
  label: (part) => {
    const p = part as HighOrderPart;
    return `${p.policy}${p.activeFreeing ? " + active freeing" : ""}, seed ${p.seed}`;
  },
  run: (settings, part) => runPart(settings as HighOrderSettings, part as HighOrderPart),
  join: (settings, results) => join(settings as HighOrderSettings, results as readonly HighOrderRun[]),
};
