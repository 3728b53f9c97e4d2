// What uses memory beside the network, as parts that can be combined: each takes and gives pages or objects through the machine's own
// allocators on clock events, every simulated millisecond, from a seed of its own. workloads.ts makes them from their settings.
//
//   page-cache  writeback  slab  processes  pinned  atomic          one row of settings each, any number of each
//        └───── user_pages.ts: one owner of the LRU ─────┘          kswapd runs some microseconds after it was woken
//
// They are models of effect: what a page's lifetime and mobility are, not what the bytes mean.
import type { Prng } from "../../base/prng.ts";
import type { Release } from "../../kernel/release.ts";
import type { Journal } from "../journal.ts";
import type { BootedMemory } from "../mm/booted.ts";
import type { PageAllocator } from "../mm/pages.ts";
import type { Heap } from "../slab/heap.ts";
import type { Clock } from "../sync/clock.ts";
import type { Cpus } from "../sync/cpu.ts";
import type { UserPages } from "./user_pages.ts";

/** The parts of a machine that workloads need; a Machine has them all. */
export interface WorkloadParts {
  readonly release: Release;
  readonly clock: Clock;
  readonly cpus: Cpus;
  readonly journal: Journal;
  readonly memory: BootedMemory;
  readonly heap: Heap;
  readonly pages: PageAllocator;
  readonly random: Prng;
}

/** What one workload is built on. */
export interface WorkloadHost extends WorkloadParts {
  readonly user: UserPages;
}

/** Files are read and written: the cache grows until reclaim or a limit stops it. */
export interface PageCacheSettings {
  readonly kind: "page-cache";
  /** Pages read or written per millisecond. */
  readonly pagesPerMilli: number;
  /** Pages at most; the oldest files go beyond it. Default: no limit but memory. */
  readonly maxPages?: number;
  /** Share of pages that are written to, and dirty then. */
  readonly dirtyShare?: number;
  /** vm.dirty_ratio: share of all memory that may be dirty or under I/O before writers wait. */
  readonly dirtyRatio?: number;
  /** Share of accesses that hit what is cached already and make it young again. */
  readonly hitShare?: number;
  /** Share of page takes after which some cached page at random is dropped (a file is deleted or truncated). */
  readonly dropShare?: number;
}

/** Dirty pages are written to disk: they cannot be evicted or moved until the I/O is done, and each I/O takes small kernel objects. */
export interface WritebackSettings {
  readonly kind: "writeback";
  /** Pages submitted per millisecond. */
  readonly pagesPerMilli: number;
  /** Time of an I/O, milliseconds. */
  readonly ioMillis?: number;
}

/** Kernel objects: dentries, inodes, whatever a cache holds. */
export interface SlabSettings {
  readonly kind: "slab";
  /** Name of the cache; "dentry" when left out. */
  readonly cache?: string;
  /** Bytes of an object. */
  readonly bytes?: number;
  readonly objectsPerMilli: number;
  /** Objects at most; from there on each new one replaces one at random. */
  readonly maxObjects?: number;
  /** Share of new objects after which one at random is freed: holes in slabs. */
  readonly freeShare?: number;
}

/** Processes are born, fault in memory and exit. */
export interface ProcessesSettings {
  readonly kind: "processes";
  /** Processes alive at once. */
  readonly jobs: number;
  /** Pages faulted in per millisecond, over all processes. */
  readonly pagesPerMilli: number;
  /** Pages of a process, log-uniform between these, after which it exits. */
  readonly pagesMin?: number;
  readonly pagesMax?: number;
  /** Order of a kernel stack: 1 on x86 before 3.15, 2 since. */
  readonly stackOrder?: number;
}

/** User pages pinned for I/O (O_DIRECT, RDMA): neither evicted nor moved. */
export interface PinnedSettings {
  readonly kind: "pinned";
  readonly pages: number;
  /** How long one stays pinned, milliseconds, exponential around this mean; 0: for ever. */
  readonly holdMillis?: number;
  /** Pages newly pinned per millisecond until there are `pages`. */
  readonly pagesPerMilli?: number;
}

/** Bursts of GFP_ATOMIC requests from interrupts: another card, a block layer, crypto. They eat the reserve below the minimum mark. */
export interface AtomicSettings {
  readonly kind: "atomic";
  /** Blocks of a burst and their order. */
  readonly blocks: number;
  readonly order?: number;
  /** From one burst to the next, milliseconds, exponential around this mean. */
  readonly everyMillis: number;
  /** How long the blocks are held, milliseconds. */
  readonly holdMillis: number;
}

export type WorkloadSettings =
  | PageCacheSettings
  | WritebackSettings
  | SlabSettings
  | ProcessesSettings
  | PinnedSettings
  | AtomicSettings;

export interface Workload {
  readonly kind: WorkloadSettings["kind"];
  /** A millisecond has passed. */
  tick(): void;
  /** Gives everything back that can be: what is under I/O goes when it is done. */
  drain(): void;
  /** Pages held, or objects for slabs. */
  held(): number;
  /** Requests that were refused. */
  refused(): number;
}

export const nanosPerMilli = 1e6;

/** A rate per millisecond as whole steps a tick: what is left over is carried. */
export function carry(perMilli: number): () => number {
  let owed = 0;
  return () => {
    owed += perMilli;
    const whole = Math.floor(owed);
    owed -= whole;
    return whole;
  };
}

/** Exponentially distributed around a mean. */
export const exponential = (random: Prng, mean: number): number => -Math.log(1 - random.unit()) * mean;
