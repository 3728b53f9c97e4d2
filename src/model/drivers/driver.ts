// What a driver is made from and how it is made. Drivers are registered in drivers.ts; each allocates and frees as its release does.
//
// A receive ring in the notation of the tests: one character a slot, the hardware's next slot at `^`:
//   [FFFP.U...]   F filled, P packet arrived, U handed up and not refilled yet, . empty
import type { Prng } from "../../base/prng.ts";
import { gfpCombination, gfpEraAt, gfpMask } from "../../kernel/facts/gfp.ts";
import type { Release } from "../../kernel/release.ts";
import type { Journal } from "../journal.ts";
import type { BootedMemory } from "../mm/booted.ts";
import type { PageAllocator } from "../mm/pages.ts";
import type { ReceiveCaches } from "../net/napi_alloc_cache.ts";
import type { Driver, DriverHost } from "../net/netdevice.ts";
import type { PagePools, PoolContext } from "../net/page_pool.ts";
import type { Receive } from "../net/receive.ts";
import type { Skbs } from "../net/skbs.ts";
import type { Frames } from "../net/wire.ts";
import type { SlabHeap } from "../slab/kmalloc.ts";
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

/** One row of the registry. */
export interface DriverMaker {
  readonly name: string;
  /** Feature bits it starts with (netdevice.ts). */
  readonly features: number;
  make(parts: DriverParts, host: DriverHost, settings: DriverSettings): Driver;
}

/** A gfp combination of this release, by the kernel's name ("GFP_ATOMIC"), with further bits by their names without the underscores. */
export function gfpOf(release: Release, combination: string, ...bits: readonly string[]): number {
  const era = gfpEraAt(release.version);
  let mask = gfpCombination(combination, release.version) ?? 0;
  for (const bit of bits) mask |= era === undefined ? 0 : (gfpMask(bit, era) ?? 0);
  return mask;
}

/** A whole number among the settings, or the default. */
export function numberSetting(settings: DriverSettings, name: string, otherwise: number): number {
  const value = settings[name];
  return typeof value === "number" ? value : otherwise;
}

/** A word among the settings, or the default (the first of `words`). */
export function wordSetting<W extends string>(settings: DriverSettings, name: string, words: readonly [W, ...W[]]): W {
  const value = settings[name];
  return words.find((w) => w === value) ?? words[0];
}
