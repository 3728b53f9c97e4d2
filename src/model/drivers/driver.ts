// What a driver is made from and how it is made. Drivers are registered in drivers.ts; each allocates and frees as its release does.
//
// A receive ring in the notation of the tests: one character a slot, the hardware's next slot at `^`:
//   [FFFP.U...]   F filled, P packet arrived, U handed up and not refilled yet, . empty
import { assert } from "../../base/assert.ts";
import { BadInput } from "../../base/bad_input.ts";
import type { Prng } from "../../base/prng.ts";
import { gfpCombination, gfpEraAt, gfpMask, isGfpName } from "../../kernel/facts/gfp.ts";
import type { Release } from "../../kernel/release.ts";
import { formatRelease } from "../../kernel/release.ts";
import type { Journal } from "../journal.ts";
import type { BootedMemory } from "../mm/booted.ts";
import type { PageAllocator } from "../mm/pages.ts";
import type { Driver, DriverHost } from "../net/path/netdevice.ts";
import type { Receive } from "../net/path/receive.ts";
import type { Frames } from "../net/path/wire.ts";
import type { PagePools } from "../net/pool/page_pool.ts";
import type { PoolContext } from "../net/pool/pool_context.ts";
import type { ReceiveCaches } from "../net/skb/napi_alloc_cache.ts";
import type { Skbs } from "../net/skb/skbs.ts";
import type { SlabHeap } from "../slab/kmalloc.ts";
import type { PageFragCache } from "../slab/page_frag.ts";
import type { Clock } from "../sync/clock.ts";
import type { Cpus } from "../sync/cpu.ts";

/** The machine as a driver sees it. */
export interface DriverParts {
  readonly release: Release;
  readonly random: Prng;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly cpus: Cpus;
  readonly memory: BootedMemory;
  readonly heap: SlabHeap;
  readonly skbs: Skbs;
  readonly frames: Frames;
  readonly receive: Receive;
  /** The page allocator as drivers see it: what pages they take, they give back here. */
  readonly pages: PageAllocator;
  /** napi_alloc_cache of each CPU: page fragments for netdev_alloc_frag(). */
  readonly caches: readonly ReceiveCaches[];
  /** A page_frag_cache of the driver's own, empty. */
  pageFrag(): PageFragCache;
  /** The page pools of this machine, made when the first driver wants one; the skb code then sends marked pages home. */
  pools(): PoolsOfMachine;
}

export interface PoolsOfMachine {
  readonly pools: PagePools;
  /** Who asks: drivers say when they are in a poll. */
  readonly context: PoolContext;
}

/** Settings from the scenario: ring sizes, policies, deliberate mistakes. */
export type DriverSettings = Readonly<Record<string, number | string | boolean>>;

/** What may be set in a driver, with what it is when nobody sets it. */
export type SettingSpec =
  | { readonly does: string; readonly otherwise: number; readonly least: number; readonly most: number }
  | { readonly does: string; readonly otherwise: boolean }
  /** One of these words; the first when nobody says. */
  | { readonly does: string; readonly words: readonly [string, ...string[]] }
  /** A gfp mask by the kernel's names, joined by `|`; this one when nobody says. */
  | { readonly does: string; readonly mask: string };

/** Runs a stretch of the machine; throws when it does not come back. */
export type Guard = (call: () => void) => void;

/** One row of the registry. */
export interface DriverMaker {
  /** What it takes, by name. A driver of your own may leave this out: its settings then reach it as they are. */
  readonly settings?: Readonly<Record<string, SettingSpec>>;
  /** What a setting is on a release when nobody sets it, where that is not what `settings` says. */
  readonly defaults?: (release: Release) => DriverSettings;
  readonly name: string;
  /** The first release that has it; on an earlier one no card of it can be plugged in. */
  readonly since?: readonly number[];
  /** In words, when nobody read the driver's source of that release: as which one it behaves here. */
  readonly unread?: (release: Release) => string | undefined;
  /** Feature bits it starts with (netdevice.ts). */
  readonly features: number;
  /** Why its card takes no rules of flow steering on a release, in words. */
  readonly steersNot?: (release: Release) => string | undefined;
  /** Queue pairs that a card may have, 1 when left out. make() is called for each, with rings, interrupt and NAPI of its own. */
  readonly queuesMost?: number;
  make(parts: DriverParts, host: DriverHost, settings: DriverSettings): Driver;
  /** Of a driver that somebody wrote: the machine runs through it, so that a loop without an end is noticed. */
  readonly guard?: Guard;
}

/**
 * A gfp combination of this release, by the kernel's name ("GFP_ATOMIC"), with further bits by their names without the underscores. What this
 * release lacks adds nothing; BadInput for a name that no release has.
 */
export function gfpOf(release: Release, combination: string, ...bits: readonly string[]): number {
  for (const name of [combination, ...bits.map((bit) => `__GFP_${bit}`)])
    if (name !== "" && !isGfpName(name)) throw new BadInput(`No kernel has a gfp mask ${name}.`);
  const era = gfpEraAt(release.version);
  let mask = gfpCombination(combination, release.version) ?? 0;
  for (const bit of bits) mask |= era === undefined ? 0 : (gfpMask(bit, era) ?? 0);
  return mask;
}

/** A mask in the kernel's names, as `GFP_ATOMIC | __GFP_NOWARN`; a text says which name this release does not have. */
export function maskOf(release: Release, text: string): number | string {
  const era = gfpEraAt(release.version);
  let mask = 0;
  for (const name of text.split("|").map((part) => part.trim())) {
    const bits = name.startsWith("__GFP_")
      ? era && gfpMask(name.slice("__GFP_".length), era)
      : gfpCombination(name, release.version);
    if (bits === undefined) return name;
    mask |= bits;
  }
  return mask;
}

/** A ring's setting: a number of descriptors. */
export const ringSetting = (does: string, otherwise: number, least = 2): SettingSpec => ({
  does: `${does}, descriptors`,
  otherwise,
  least,
  most: 65536,
});

/** What a setting is when nobody sets it. */
export const defaultOf = (spec: SettingSpec): number | string | boolean =>
  "words" in spec ? spec.words[0] : "mask" in spec ? spec.mask : spec.otherwise;

/** Why a value cannot be set, as the end of a sentence; undefined when it can. */
export function settingProblem(spec: SettingSpec, value: unknown, release: Release): string | undefined {
  if ("words" in spec)
    return typeof value === "string" && spec.words.includes(value) ? undefined : `must be ${spec.words.join(" or ")}`;
  if ("mask" in spec) {
    if (typeof value !== "string") return `must be a gfp mask in the kernel's names, such as "${spec.mask}"`;
    const mask = maskOf(release, value);
    return typeof mask === "number" ? undefined : `names ${mask}, which ${formatRelease(release)} does not have`;
  }
  if (typeof spec.otherwise === "boolean") return typeof value === "boolean" ? undefined : "must be true or false";
  const fits =
    typeof value === "number" &&
    Number.isInteger(value) &&
    "least" in spec &&
    value >= spec.least &&
    value <= spec.most;
  return fits || !("least" in spec) ? undefined : `must be a whole number ${spec.least} .. ${spec.most}`;
}

/** All settings of a driver, the given ones checked. BadInput for a name it does not have or a value it cannot take. */
export function settingsOf(maker: DriverMaker, given: DriverSettings, release: Release): DriverSettings {
  const specs = maker.settings;
  if (specs === undefined) return given;
  for (const [name, value] of Object.entries(given)) {
    const spec = specs[name];
    const problem = spec === undefined ? undefined : settingProblem(spec, value, release);
    if (spec === undefined)
      throw new BadInput(
        `${maker.name} has no setting ${name}.`,
        undefined,
        `It has ${Object.keys(specs).join(", ")}.`,
      );
    if (problem !== undefined) throw new BadInput(`${maker.name}: ${name} is ${JSON.stringify(value)}; it ${problem}.`);
  }
  const all = Object.entries(specs).map(([name, spec]) => [name, defaultOf(spec)]);
  return { ...Object.fromEntries(all), ...maker.defaults?.(release), ...given };
}

/** A number among checked settings. */
export function numberSetting(settings: DriverSettings, name: string): number {
  const value = settings[name];
  assert(typeof value === "number", () => `${name} is not a number setting of this driver`);
  return value;
}

/** A word among checked settings. */
export function wordSetting<W extends string>(settings: DriverSettings, name: string, words: readonly [W, ...W[]]): W {
  const value = words.find((w) => w === settings[name]);
  assert(value !== undefined, () => `${name} is not a setting with these words: ${words.join(", ")}`);
  return value;
}

/** A mask among checked settings, as bits of this release. */
export function maskSetting(release: Release, settings: DriverSettings, name: string): number {
  const mask = maskOf(release, String(settings[name]));
  assert(typeof mask === "number", () => `${name} is not a mask of ${formatRelease(release)}`);
  return mask;
}
