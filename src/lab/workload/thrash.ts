// A compile-like load on memory: processes that fork, read, write and exit, each step one page or one small block. What makes fragmentation is
// the mix of lifetimes: a process's pages go together, cached pages go when memory is short, slab pages go late, pinned ones never.
//
//   process:  fork (kernel stack, page tables) ─▶ faults and reads, interleaved with the others' ─▶ exit (all its pages at once)
//
// Knows no policy: the same calls with the same seed reach every allocator. While it runs the journal's caller names the part that it plays,
// as a call chain that such pages have in kernels of these years; what the chain names does not run here.
import type { Prng } from "../../base/prng.ts";
import type { BootedMemory } from "../../model/mm/booted.ts";

/** The load's parameters; scenario files name them alike. Shares are of all page requests and need not add up to 1: the rest is anonymous. */
export interface ThrashSettings {
  /** Processes alive at once. */
  readonly jobs: number;
  /** Page requests in all, in thousands of pages. */
  readonly kilopages: number;
  /** Anonymous and cached pages that one process asks for before it exits: between these, log-uniform. */
  readonly jobPagesMin: number;
  readonly jobPagesMax: number;
  /** Share of requests for the page cache (stays behind when the process exits). */
  readonly cacheShare: number;
  /** Share of requests for reclaimable slab (inodes, dentries). */
  readonly slabShare: number;
  /** Share of requests for kernel pages that live as long as their owner. */
  readonly kernelShare: number;
  /** Share of requests for kernel pages that are never given back. */
  readonly pinnedShare: number;
  /** Chance that a page of user space is locked, under I/O or just used again when reclaim looks at it. */
  readonly busyShare: number;
  /** Slab caches are shrunk by the same fraction as the LRU lists (shrink_slab()); this part of their pages comes free by it. */
  readonly slabShrink: number;
}

export interface Thrash {
  /** Goes on for `pages` page requests; returns how many were refused. `kswapd` false: it has no time to run in between. */
  run(pages: number, kswapd?: boolean): number;
  /** Every process exits; cache, slab and pinned pages stay. */
  exitAll(): void;
  /** Files are deleted: this share of the cached pages, drawn page by page, goes at once. */
  deleteCache(share: number): void;
  /** Pages held now. */
  held(): {
    readonly anonymous: number;
    readonly cache: number;
    readonly slab: number;
    readonly kernel: number;
    readonly pinned: number;
  };
  /** Lets kswapd run if it was woken, with the slab caches shrunk beside it. */
  background(): void;
  /** Process that asks or gives back now, a number from 2 on; 0 when it is none of them. */
  who(): number;
}

interface Job {
  readonly id: number;
  readonly user: number[];
  readonly kernel: number[];
  left: number;
}

/** Pages that page tables of a process take: one for every so many of its pages. */
const pagesPerTable = 512;
const owners = { none: 0, cache: 1, firstJob: 2 } as const;

/** Who takes pages and who gives them back, innermost function first. */
const chains = {
  anonymous: "do_anonymous_page < handle_mm_fault",
  cache: "__do_page_cache_readahead < do_generic_file_read",
  slab: "new_slab < kmem_cache_alloc < ext3_alloc_inode",
  stack: "dup_task_struct < copy_process < do_fork",
  table: "pte_alloc_one < handle_mm_fault",
  kernel: "pipe_write < do_sync_write",
  pinned: "__vmalloc_area_node < module_alloc < load_module",
  exit: "exit_mmap < mmput < do_exit",
  kswapd: "balance_pgdat < kswapd",
  truncate: "truncate_inode_pages < vfs_unlink",
} as const;

/** `luck` decides what reclaim meets. Kept apart from `random` the requests stay the same whatever a policy reclaims and when. */
export function createThrash(
  memory: BootedMemory,
  settings: ThrashSettings,
  random: Prng,
  luck: Prng = random,
): Thrash {
  const { gfp } = memory.rules;
  const { pages, lru, journal } = memory;
  const site = Object.fromEntries(Object.entries(chains).map(([part, chain]) => [part, journal.textId(chain)])) as {
    readonly [P in keyof typeof chains]: number;
  };
  let present = 0;
  const kernelGfp = gfp.directReclaim | gfp.kswapdReclaim | gfp.io | gfp.fs | gfp.nowarn;
  const userGfp = kernelGfp | gfp.highmem | gfp.movable;
  const slabGfp = kernelGfp | gfp.reclaimable;
  const owner = new Int32Array(memory.memory.pages);
  const slab: number[] = [];
  const jobs: Job[] = [];
  const count = { anonymous: 0, cache: 0, kernel: 0, pinned: 0 };
  let nextJob: number = owners.firstJob;
  let refused = 0;

  const gone = (pfn: number): void => {
    if (owner[pfn] === owners.cache) count.cache--;
    else count.anonymous--;
    owner[pfn] = owners.none;
  };

  lru.setOwner({
    evict(pfn) {
      if (luck.chance(settings.busyShare)) return false;
      gone(pfn);
      return true;
    },
    migrate(from, to) {
      if (luck.chance(settings.busyShare)) return false;
      const who = owner[from]!;
      owner[to] = who;
      owner[from] = owners.none;
      if (who >= owners.firstJob) jobs.find((j) => j.id === who)?.user.push(to);
      return true;
    },
  });

  const fork = (): Job => {
    const ratio = settings.jobPagesMax / settings.jobPagesMin;
    const left = Math.round(settings.jobPagesMin * ratio ** random.unit());
    const job: Job = { id: nextJob++, user: [], kernel: [], left };
    present = job.id;
    journal.caller = site.stack;
    const stack = pages.allocPages(kernelGfp | gfp.comp, 1);
    if (stack < 0) refused++;
    else job.kernel.push(stack * 2 + 1);
    count.kernel += stack < 0 ? 0 : 2;
    return job;
  };

  const exit = (job: Job): void => {
    present = job.id;
    journal.caller = site.exit;
    for (const pfn of job.user) {
      // Evicted pages belong to somebody else by now, or to nobody.
      if (owner[pfn] !== job.id) continue;
      gone(pfn);
      memory.freeUser(pfn);
    }
    for (const block of job.kernel) {
      pages.freePages(block >> 1, block & 1);
      count.kernel -= 1 << (block & 1);
    }
  };

  let slabDebt = 0;
  /** `freed` pages came off the LRU lists, `left` are on them. */
  const shrinkSlab = (freed: number, left: number): void => {
    slabDebt += (slab.length * settings.slabShrink * freed) / Math.max(1, freed + left);
    for (; slabDebt >= 1 && slab.length > 0; slabDebt--) {
      const at = luck.below(slab.length);
      const pfn = slab[at]!;
      slab[at] = slab[slab.length - 1]!;
      slab.pop();
      pages.freePages(pfn, 0);
    }
  };

  const background = (): void => {
    if (memory.reclaim.woken().length === 0) return;
    const before = journal.caller;
    present = 0;
    journal.caller = site.kswapd;
    const freed = memory.reclaim.runKswapd();
    shrinkSlab(freed, count.anonymous + count.cache);
    journal.caller = before;
  };

  const ask = (mask: number): number => {
    const pfn = pages.allocPages(mask, 0);
    if (pfn < 0) refused++;
    return pfn;
  };

  const { cacheShare, slabShare, kernelShare, pinnedShare } = settings;
  const slabTo = cacheShare + slabShare;
  const kernelTo = slabTo + kernelShare;
  const pinnedTo = kernelTo + pinnedShare;

  const user = (who: number, job: Job): void => {
    journal.caller = who === owners.cache ? site.cache : site.anonymous;
    const pfn = memory.allocUser(userGfp);
    if (pfn < 0) {
      refused++;
      return;
    }
    owner[pfn] = who;
    if (who === owners.cache) count.cache++;
    else {
      count.anonymous++;
      if (job.user.push(pfn) % pagesPerTable === 1) kernelPage(job, site.table);
    }
  };

  const kernelPage = (job: Job, caller: number): void => {
    journal.caller = caller;
    const pfn = ask(kernelGfp);
    if (pfn < 0) return;
    job.kernel.push(pfn * 2);
    count.kernel++;
  };

  const step = (job: Job): void => {
    present = job.id;
    const dice = random.unit();
    if (dice < cacheShare) user(owners.cache, job);
    else if (dice < slabTo) {
      journal.caller = site.slab;
      const pfn = ask(slabGfp);
      if (pfn >= 0) slab.push(pfn);
    } else if (dice < kernelTo) kernelPage(job, site.kernel);
    else if (dice < pinnedTo) {
      journal.caller = site.pinned;
      if (ask(kernelGfp) >= 0) count.pinned++;
    } else user(job.id, job);
  };

  return {
    run(wanted, kswapd = true) {
      const before = refused;
      const caller = journal.caller;
      for (let n = 0; n < wanted; n++) {
        while (jobs.length < settings.jobs) jobs.push(fork());
        const at = random.below(jobs.length);
        const job = jobs[at]!;
        step(job);
        if (--job.left <= 0) {
          exit(job);
          jobs[at] = jobs[jobs.length - 1]!;
          jobs.pop();
        }
        if (kswapd && (n & 63) === 63) background();
      }
      journal.caller = caller;
      present = 0;
      return refused - before;
    },
    exitAll() {
      const caller = journal.caller;
      for (const job of jobs) exit(job);
      jobs.length = 0;
      journal.caller = caller;
      present = 0;
    },
    deleteCache(share) {
      const caller = journal.caller;
      journal.caller = site.truncate;
      for (let pfn = 0; pfn < owner.length; pfn++) {
        if (owner[pfn] !== owners.cache || !random.chance(share)) continue;
        gone(pfn);
        memory.freeUser(pfn);
      }
      journal.caller = caller;
    },
    held: () => ({ ...count, slab: slab.length }),
    background,
    who: () => present,
  };
}
