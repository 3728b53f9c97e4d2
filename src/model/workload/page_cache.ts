// Page cache growth and writeback: pages that come with every file read, stay until somebody needs the memory, and cannot go while dirty.

import { zoneField, zoneStride } from "../mm/memory.ts";
import { pageUse } from "./user_pages.ts";
import type { PageCacheSettings, Workload, WorkloadHost, WritebackSettings } from "./workload.ts";
import { carry, nanosPerMilli } from "./workload.ts";

/** struct bio and what the block layer takes for a request, bytes: one object a few pages. */
const bioBytes = 256;
const pagesPerBio = 8;

const managedPages = ({ memory }: WorkloadHost["memory"]): number => {
  let pages = 0;
  for (let z = 0; z < memory.spec.zones.length; z++) pages += memory.zone[z * zoneStride + zoneField.managed]!;
  return pages;
};

export function createPageCache(host: WorkloadHost, s: PageCacheSettings): Workload {
  const { user, random } = host;
  const { dirtyShare = 0, hitShare = 0, dropShare = 0, maxPages = 0x7fffffff, dirtyRatio = 0.2 } = s;
  const dirtyMax = Math.floor(dirtyRatio * managedPages(host.memory));
  const holder = user.holder();
  const steps = carry(s.pagesPerMilli);
  let refused = 0;

  const dropOne = (): void => {
    const count = user.held(holder);
    if (count === 0) return;
    const pfn = user.at(holder, random.below(count));
    if (user.use[pfn] !== pageUse.writeback && !user.pinned(pfn)) user.give(pfn);
  };

  return {
    kind: "page-cache",
    tick() {
      for (let left = steps(); left > 0; left--) {
        const count = user.held(holder);
        if (count > 0 && random.chance(hitShare)) {
          const pfn = user.at(holder, random.below(count));
          user.touch(pfn);
          const room = user.uses[pageUse.dirty]! + user.uses[pageUse.writeback]! < dirtyMax;
          if (room && user.use[pfn] === pageUse.clean && random.chance(dirtyShare)) user.setUse(pfn, pageUse.dirty);
          continue;
        }
        if (count >= maxPages) dropOne();
        const write = random.chance(dirtyShare);
        // balance_dirty_pages(): a writer sleeps while too much waits to be written.
        if (write && user.uses[pageUse.dirty]! + user.uses[pageUse.writeback]! >= dirtyMax) continue;
        if (user.take(holder, write ? pageUse.dirty : pageUse.clean) < 0) refused++;
        if (random.chance(dropShare)) dropOne();
      }
    },
    drain() {
      for (let i = user.held(holder) - 1; i >= 0; i--) {
        const pfn = user.at(holder, i);
        if (user.use[pfn] !== pageUse.writeback && !user.pinned(pfn)) user.give(pfn);
      }
    },
    held: () => user.held(holder),
    refused: () => refused,
  };
}

export function createWriteback(host: WorkloadHost, s: WritebackSettings): Workload {
  const { user, clock, heap, memory, random } = host;
  const { ioMillis = 5 } = s;
  const steps = carry(s.pagesPerMilli);
  const bios = heap.cacheCreate("bio-0", bioBytes, 64);
  // GFP_NOIO: writeback must not wait for writeback.
  const { gfp } = memory.rules;
  const noIo = gfp.directReclaim | gfp.kswapdReclaim | gfp.nowarn;
  /** Dirty pages that reclaim met: they go first. */
  const asked = new Int32Array(1024);
  let askedCount = 0;
  let inFlight = 0;
  let refused = 0;
  let cursor = 0;
  user.onDirty((pfn) => {
    if (askedCount < asked.length) asked[askedCount++] = pfn;
  });

  const done = clock.handler((pfn, bio) => {
    if (bio >= 0) heap.cacheFree(bios, bio);
    user.unpin(pfn);
    user.setUse(pfn, pageUse.clean);
    inFlight--;
  });

  const submit = (pfn: number, bio: number): void => {
    user.setUse(pfn, pageUse.writeback);
    // I/O holds the page: a reference keeps reclaim and compaction away.
    user.pin(pfn);
    inFlight++;
    clock.after(ioMillis * nanosPerMilli * (0.5 + random.unit()), done, pfn, bio);
  };

  const nextDirty = (): number => {
    while (askedCount > 0) {
      const pfn = asked[--askedCount]!;
      if (user.use[pfn] === pageUse.dirty) return pfn;
    }
    if (user.uses[pageUse.dirty] === 0) return -1;
    const { use } = user;
    for (let i = 0; i < use.length; i++) {
      cursor = cursor + 1 === use.length ? 0 : cursor + 1;
      if (use[cursor] === pageUse.dirty) return cursor;
    }
    return -1;
  };

  return {
    kind: "writeback",
    tick() {
      let bio = -1;
      for (let left = steps(), i = 0; left > 0; left--, i++) {
        const pfn = nextDirty();
        if (pfn < 0) return;
        bio = -1;
        if (i % pagesPerBio === 0) {
          bio = heap.cacheAlloc(bios, noIo);
          // The kernel has a mempool for this; without a bio the rest waits for the next turn.
          if (bio < 0) {
            refused++;
            return;
          }
        }
        submit(pfn, bio);
      }
    },
    drain: () => undefined,
    held: () => inFlight,
    refused: () => refused,
  };
}
