// The table of `skblab explore lltx`: every scheme in every world that can be searched to its end in a short time, one shortest
// schedule for each kind of trouble. A schedule says its world when that is not 2 CPUs and a ring of 1: `3x2+faulty:0012…`.
import { BadInput } from "../../base/bad_input.ts";
import { compile } from "../compile.ts";
import type { Program } from "../program.ts";
import { randomRuns } from "../random.ts";
import { type Replay, readSchedule, replay, scheduleText } from "../replay.ts";
import { type SearchOptions, type SearchResult, search } from "../search.ts";
import { type Scheme, schemeLines, schemes, transmitStory, type Variant, variants, type World } from "./transmit.ts";

/** A schedule that shows something, and how long it is. */
export interface Shown {
  readonly schedule: string;
  readonly steps: number;
}

/** One scheme; each of the last five is null where a complete search found nothing. */
export interface SchemeRow {
  readonly id: string;
  /** Over all worlds. */
  readonly states: number;
  /** True when every world was searched to its end. */
  readonly complete: boolean;
  readonly race: Shown | null;
  readonly deadlock: Shown | null;
  readonly ruleBroken: Shown | null;
  readonly lostWakeup: Shown | null;
  readonly messageHidden: Shown | null;
}

/** What else was seen of a scheme. */
export interface SchemeDetail {
  readonly id: string;
  readonly title: string;
  readonly source: string;
  /** The few lines that make the scheme, in a shorthand ({@link schemeLines}). */
  readonly code: readonly string[];
  /** The message appeared although nothing was wrong. */
  readonly falseAlarm: Shown | null;
  readonly messagePrinted: Shown | null;
  readonly reordered: Shown | null;
  readonly lost: Shown | null;
  readonly livelock: Shown | null;
  readonly assertion: Shown | null;
  readonly worlds: readonly WorldResult[];
}

export interface WorldResult {
  readonly world: string;
  readonly result: SearchResult;
}

export interface LltxTable {
  readonly rows: readonly SchemeRow[];
  readonly details: readonly SchemeDetail[];
}

export interface LltxOptions {
  /** Only this scheme. */
  readonly scheme?: string;
  /** Only this number of CPUs, 2 .. 4, and this ring, 1 .. 4. */
  readonly cpus?: number;
  readonly ring?: number;
  /** Fixes to take away, in every world. */
  readonly without?: readonly Variant[];
  /** Most states of one world. */
  readonly states?: number;
  readonly reduce?: boolean;
  readonly preemptions?: number;
  readonly progress?: (scheme: string, world: string, states: number, done: number) => void;
}

/** Enough packets to fill the ring and have one too many, and one at least for each CPU. */
export const worldOf = (cpus: number, ring: number, vs: readonly Variant[] = []): World => ({
  cpus,
  ring,
  packets: Math.max(cpus, ring + 1),
  variants: vs,
});

/** Worlds of the default table, smallest first. */
const standardWorlds: readonly (readonly [cpus: number, ring: number])[] = [
  [2, 1],
  [2, 2],
  [3, 1],
];

/** Mistakes of drivers that the scheme of 2.6.11-rc2 made dangerous (the article names all three). */
const rc2Habits: readonly Variant[] = ["relock", "unlock-irq", "kfree-skb"];

/** A fault that must never go unreported is planted in one world of each scheme. */
const planted: Variant = "faulty";

export const worldText = (w: World): string => [`${w.cpus}x${w.ring}`, ...w.variants].join("+");

/** Reads `CPUSxRING+variant+…`. */
export function readWorld(text: string): World {
  const [size = "", ...vs] = text.split("+");
  const m = /^([2-4])x([1-4])$/.exec(size);
  if (m === null)
    throw new BadInput(
      `World ${text}: "${size}" is not CPUs x ring.`,
      undefined,
      "For example 2x1: 2 CPUs (2 to 4) and a ring of 1 (1 to 4).",
    );
  return worldOf(Number(m[1]), Number(m[2]), readVariants(vs));
}

/** Names of variants, checked. */
export function readVariants(names: readonly string[]): Variant[] {
  return names.map((v) => {
    if (!Object.hasOwn(variants, v))
      throw new BadInput(`There is no variant "${v}".`, undefined, `Known: ${Object.keys(variants).join(", ")}.`);
    return v as Variant;
  });
}

/** The scheme with this id. */
export function schemeOf(id: string): Scheme {
  const scheme = schemes.find((s) => s.id === id);
  if (scheme === undefined)
    throw new BadInput(`There is no scheme "${id}".`, undefined, `Schemes: ${schemes.map((s) => s.id).join(", ")}.`);
  return scheme;
}

/** `world:digits`, or digits alone for 2 CPUs and a ring of 1. */
export function showSchedule(world: World, path: readonly number[]): string {
  const name = worldText(world);
  return name === "2x1" ? scheduleText(path) : `${name}:${scheduleText(path)}`;
}

/** Splits a schedule into its world and its digits; `world` stands in when the text names none. */
export function splitSchedule(text: string, world: World): { readonly world: World; readonly digits: string } {
  const colon = text.indexOf(":");
  return colon < 0
    ? { world, digits: text }
    : { world: readWorld(text.slice(0, colon)), digits: text.slice(colon + 1) };
}

export const lltxProgram = (scheme: string, world: World, preemptions = false): Program =>
  compile(transmitStory(schemeOf(scheme), world), { preemptions });

/** Plays a schedule of the table. */
export function replayLltx(
  scheme: string,
  text: string,
  world: World = worldOf(2, 1),
): { readonly world: World; readonly replay: Replay } {
  const { world: where, digits } = splitSchedule(text, world);
  const p = lltxProgram(scheme, where);
  return { world: where, replay: replay(p, readSchedule(digits, p)) };
}

/** The worlds a scheme is searched in. */
export function worldsOf(scheme: Scheme, options: LltxOptions): World[] {
  const extra = options.without ?? [];
  const sizes: readonly (readonly [number, number])[] =
    options.cpus !== undefined || options.ring !== undefined
      ? [[options.cpus ?? 2, options.ring ?? 1]]
      : standardWorlds;
  const small = sizes[0] as readonly [number, number];
  const worlds = sizes.map(([c, r]) => worldOf(c, r, extra));
  const habits: Variant[] = scheme.serialize === "core-irq" ? [planted, ...rc2Habits] : [planted];
  for (const h of habits) if (!extra.includes(h)) worlds.push(worldOf(small[0], small[1], [...extra, h]));
  return worlds;
}

const columns = ["race", "deadlock", "ruleBroken", "lostWakeup", "messageHidden"] as const;
const more = ["falseAlarm", "messagePrinted", "reordered", "lost", "livelock", "assertion"] as const;

/** Searches every scheme and fills the table. */
export function lltxTable(options: LltxOptions = {}): LltxTable {
  const chosen = options.scheme === undefined ? schemes : [schemeOf(options.scheme)];
  const rows: SchemeRow[] = [];
  const details: SchemeDetail[] = [];
  const jobs = chosen.flatMap((scheme) => worldsOf(scheme, options).map((world) => ({ scheme, world })));
  chosen.forEach((scheme) => {
    const worlds: WorldResult[] = [];
    const shown = new Map<string, Shown>();
    for (const world of worldsOf(scheme, options)) {
      const name = worldText(world);
      const done = jobs.findIndex((j) => j.scheme === scheme && worldText(j.world) === name) / jobs.length;
      options.progress?.(scheme.id, name, 0, done);
      const result = search(
        lltxProgram(scheme.id, world, options.preemptions !== undefined),
        searchOptions(options, (n) => options.progress?.(scheme.id, name, n, done)),
      );
      worlds.push({ world: name, result });
      for (const f of result.findings) {
        const keep = counts(f.finding, world, options);
        const best = shown.get(f.finding);
        if (keep && (best === undefined || best.steps > f.path.length))
          shown.set(f.finding, { schedule: showSchedule(world, f.path), steps: f.path.length });
      }
    }
    const cells = Object.fromEntries(columns.map((c) => [c, shown.get(c) ?? null])) as Record<
      (typeof columns)[number],
      Shown | null
    >;
    const others = Object.fromEntries(more.map((c) => [c, shown.get(c) ?? null])) as Record<
      (typeof more)[number],
      Shown | null
    >;
    rows.push({
      id: scheme.id,
      states: worlds.reduce((n, w) => n + w.result.states, 0),
      complete: worlds.every((w) => w.result.complete),
      ...cells,
    });
    details.push({
      id: scheme.id,
      title: scheme.title,
      source: scheme.source,
      code: schemeLines(scheme),
      ...others,
      worlds,
    });
  });
  return { rows, details };
}

function searchOptions(options: LltxOptions, progress: (n: number) => void): SearchOptions {
  return {
    progress,
    ...(options.states === undefined ? {} : { states: options.states }),
    ...(options.reduce === undefined ? {} : { reduce: options.reduce }),
    ...(options.preemptions === undefined ? {} : { preemptions: options.preemptions }),
  };
}

/** A planted fault says only whether it is reported; the rest of its world is the fault's doing, not the scheme's. */
function counts(finding: string, world: World, options: LltxOptions): boolean {
  const isPlanted = world.variants.includes(planted) && !(options.without ?? []).includes(planted);
  return isPlanted ? finding === "messageHidden" : true;
}

/** Random schedules in a large world, for what a search cannot end. */
export function lltxRandom(scheme: string, world: World, seed: number, runs: number): ReturnType<typeof randomRuns> {
  return randomRuns(lltxProgram(scheme, world), { seed, runs });
}
