// Kernel memory: slab objects that leave holes, processes with stacks and page tables, pinned user pages, bursts in interrupt context.
import type { Prng } from "../../base/prng.ts";
import { gfpCombination } from "../../kernel/facts/gfp.ts";
import { pageUse } from "./user_pages.ts";
import type {
  AtomicSettings,
  PinnedSettings,
  ProcessesSettings,
  SlabSettings,
  Workload,
  WorkloadHost,
} from "./workload.ts";
import { carry, exponential, nanosPerMilli } from "./workload.ts";

/** Pages that one page of a page table maps. */
const pagesPerTable = 512;

export function createSlabGrowth(host: WorkloadHost, s: SlabSettings): Workload {
  const { heap, random, user } = host;
  const { bytes = 192, maxObjects = 1 << 20, freeShare = 0 } = s;
  const cache = heap.cacheCreate(s.cache ?? "dentry", bytes, 0);
  const steps = carry(s.objectsPerMilli);
  let objects = new Float64Array(1024);
  let count = 0;
  let refused = 0;

  const freeAt = (i: number): void => {
    heap.cacheFree(cache, objects[i]!);
    objects[i] = objects[--count]!;
  };

  return {
    kind: "slab",
    tick() {
      for (let left = steps(); left > 0; left--) {
        if (count >= maxObjects) freeAt(random.below(count));
        const object = heap.cacheAlloc(cache, user.gfpReclaimable);
        if (object < 0) {
          refused++;
          continue;
        }
        if (count === objects.length) {
          const wide = new Float64Array(objects.length * 2);
          wide.set(objects);
          objects = wide;
        }
        objects[count++] = object;
        if (random.chance(freeShare)) freeAt(random.below(count));
      }
    },
    drain() {
      while (count > 0) freeAt(count - 1);
    },
    held: () => count,
    refused: () => refused,
  };
}

interface Job {
  readonly holder: number;
  left: number;
  stack: number;
  readonly tables: number[];
  faults: number;
}

export function createProcesses(host: WorkloadHost, s: ProcessesSettings): Workload {
  const { user, pages, random } = host;
  const { pagesMin = 32, pagesMax = 4096, stackOrder = 1 } = s;
  const steps = carry(s.pagesPerMilli);
  const jobs: Job[] = Array.from({ length: s.jobs }, () => ({
    holder: user.holder(),
    left: 0,
    stack: -1,
    tables: [],
    faults: 0,
  }));
  let refused = 0;
  let kernelPages = 0;

  const exit = (job: Job): void => {
    for (let i = user.held(job.holder) - 1; i >= 0; i--) {
      const pfn = user.at(job.holder, i);
      if (!user.pinned(pfn)) user.give(pfn);
    }
    for (const pfn of job.tables) pages.freePages(pfn, 0);
    kernelPages -= job.tables.length;
    job.tables.length = 0;
    if (job.stack >= 0) {
      pages.freePages(job.stack, stackOrder);
      kernelPages -= 1 << stackOrder;
    }
    job.stack = -1;
    job.left = 0;
  };

  /** A stack and the first page table: fork() fails without them. */
  const fork = (job: Job): void => {
    const stack = pages.allocPages(user.gfpKernel, stackOrder);
    if (stack < 0) {
      refused++;
      return;
    }
    job.stack = stack;
    kernelPages += 1 << stackOrder;
    job.left = logUniform(random, pagesMin, pagesMax);
    job.faults = 0;
  };

  const fault = (job: Job): boolean => {
    if (job.faults++ % pagesPerTable === 0) {
      const table = pages.allocPages(user.gfpKernel, 0);
      if (table < 0) return false;
      job.tables.push(table);
      kernelPages++;
    }
    return user.take(job.holder, pageUse.anonymous) >= 0;
  };

  return {
    kind: "processes",
    tick() {
      for (let left = steps(); left > 0; left--) {
        const job = jobs[random.below(jobs.length)]!;
        if (job.stack < 0) fork(job);
        else if (job.left-- <= 0) exit(job);
        else if (!fault(job)) {
          // No swap here: who gets no memory is killed.
          refused++;
          exit(job);
        }
      }
    },
    drain() {
      for (const job of jobs) exit(job);
    },
    held: () => jobs.reduce((n, job) => n + user.held(job.holder), kernelPages),
    refused: () => refused,
  };
}

const logUniform = (random: Prng, low: number, high: number): number =>
  Math.round(low * Math.exp(random.unit() * Math.log(high / low)));

export function createPinned(host: WorkloadHost, s: PinnedSettings): Workload {
  const { user, clock, random } = host;
  const { holdMillis = 0, pagesPerMilli = s.pages } = s;
  const steps = carry(pagesPerMilli);
  const holder = user.holder();
  let refused = 0;
  const release = clock.handler((pfn) => {
    user.unpin(pfn);
    user.give(pfn);
  });
  return {
    kind: "pinned",
    tick() {
      for (let left = steps(); left > 0 && user.held(holder) < s.pages; left--) {
        const pfn = user.take(holder, pageUse.anonymous);
        if (pfn < 0) {
          refused++;
          return;
        }
        user.pin(pfn);
        if (holdMillis > 0) clock.after(exponential(random, holdMillis) * nanosPerMilli, release, pfn);
      }
    },
    drain() {
      // With a hold time the timers give them back.
      for (let i = user.held(holder) - 1; holdMillis === 0 && i >= 0; i--) {
        const pfn = user.at(holder, i);
        user.unpin(pfn);
        user.give(pfn);
      }
    },
    held: () => user.held(holder),
    refused: () => refused,
  };
}

export function createAtomicBursts(host: WorkloadHost, s: AtomicSettings): Workload {
  const { pages, clock, random, release } = host;
  const { order = 0 } = s;
  const { nowarn } = host.memory.rules.gfp;
  const mask = (gfpCombination("GFP_ATOMIC", release.version) ?? 0) | nowarn;
  let nextMillis = exponential(random, s.everyMillis);
  let now = 0;
  let held = 0;
  let refused = 0;
  const give = clock.handler((pfn) => {
    pages.freePages(pfn, order);
    held -= 1 << order;
  });
  return {
    kind: "atomic",
    tick() {
      now++;
      for (; nextMillis <= now; nextMillis += exponential(random, s.everyMillis)) {
        for (let i = 0; i < s.blocks; i++) {
          const pfn = pages.allocPages(mask, order);
          if (pfn < 0) {
            refused++;
            continue;
          }
          held += 1 << order;
          clock.after(s.holdMillis * nanosPerMilli, give, pfn);
        }
      }
    },
    drain: () => undefined,
    held: () => held,
    refused: () => refused,
  };
}
