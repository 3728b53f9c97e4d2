// What a film of memory is asked for and told by: settings, summary, what pages can be coloured by. Runs nothing and knows no model, so that a page
// can import it.
import type { PolicyName } from "../model/mm/rules.ts";
import type { ThrashSettings } from "./workload/thrash.ts";

export const filmPolicies = ["classic", "placement-2005", "mobility"] as const satisfies readonly PolicyName[];

export interface FilmSettings {
  readonly release: string;
  readonly memoryMb: number;
  readonly policies: readonly PolicyName[];
  readonly seed: number;
  /** Pictures of the loading; two more show memory after the processes have exited and after the files are deleted. */
  readonly pictures: number;
  readonly load: ThrashSettings;
}

/** What is told of a picture without drawing it. */
export interface FilmMoment {
  readonly what: string;
  /** Free blocks by order. */
  readonly freeBlocks: readonly number[];
}

/** A film as the page hears of it. */
export interface FilmSummary {
  readonly policy: PolicyName;
  readonly firstPfn: number;
  readonly pages: number;
  /** Pages of a block whose pages the policy keeps of one type, as an order. */
  readonly blockOrder: number;
  /** Migrate types that pageblocks can have, by number; a single one where the policy knows none. */
  readonly typeNames: readonly string[];
  readonly moments: readonly FilmMoment[];
}

/** The load of the article's experiment, on a machine small enough to look at. */
export const filmDefaults: FilmSettings = {
  release: "2.6.34-i386",
  memoryMb: 256,
  policies: ["classic", "mobility"],
  seed: 1,
  pictures: 60,
  load: {
    jobs: 12,
    kilopages: 150,
    jobPagesMin: 100,
    jobPagesMax: 3000,
    cacheShare: 0.35,
    slabShare: 0.04,
    kernelShare: 0.02,
    pinnedShare: 0.0005,
    busyShare: 0.02,
    slabShrink: 0.5,
  },
};

/** The default load for a machine of another size: as many requests and processes for each page of it. */
export function filmSettings(memoryMb: number, seed: number, policies: readonly PolicyName[]): FilmSettings {
  const scale = memoryMb / filmDefaults.memoryMb;
  const { load } = filmDefaults;
  return {
    ...filmDefaults,
    memoryMb,
    seed,
    policies,
    load: {
      ...load,
      kilopages: Math.max(1, Math.round(load.kilopages * scale)),
      jobs: Math.max(4, Math.round(load.jobs * scale)),
    },
  };
}

/** What pages can be coloured by, with a title each. */
export const colourings = {
  type: "migrate type of the page",
  block: "migrate type of its block",
  owner: "owner",
  order: "order",
  state: "state",
  age: "age",
} as const;
export type Colouring = keyof typeof colourings;
