// The slow path: nobody is above the low watermark. kswapd is woken, the request's own rights are tried at the min watermark, and whoever may
// sleep reclaims and compacts before giving up. Follows __alloc_pages_slowpath(), mm/page_alloc.c, 6.1.192.

import { eventKind } from "../../kernel/events.ts";
import type { Journal } from "../journal.ts";
import { allocFlag } from "./alloc_flags.ts";
import type { PageAlloc, Request, SlowPath } from "./page_alloc.ts";
import type { TaskContext } from "./rights.ts";
import { reserveFlags, slowPathFlags } from "./rights.ts";
import type { MmRules } from "./rules.ts";

export type CompactResult =
  | "skipped"
  | "deferred"
  | "no_suitable_page"
  | "continue"
  | "complete"
  | "success"
  | "contended";

/** Reclaim and compaction as the slow path uses them; reclaim.ts and compaction.ts. */
export interface Rescue {
  /** try_to_free_pages(): pages reclaimed from the request's zones. */
  directReclaim(request: Request): number;
  /** try_to_compact_pages(); priority 2 async, 1 sync light, 0 sync full. */
  directCompact(request: Request, allocFlags: number, priority: number): CompactResult;
  /** should_reclaim_retry(): whether reclaiming everything reclaimable would let the request through. */
  reclaimWouldHelp(request: Request, allocFlags: number): boolean;
  /** compaction_zonelist_suitable(). */
  compactionSuitable(request: Request, allocFlags: number): boolean;
  /** drain_all_pages(). */
  drainAll(): void;
  unreserveHighatomic(request: Request, force: boolean): boolean;
  /** out_of_memory(): true when something was killed. */
  outOfMemory(request: Request): boolean;
}

/** A slow path, without helpers until setRescue. */
export interface SlowPathMachine {
  readonly path: SlowPath;
  setRescue(to: Rescue): void;
}

const { noFragment } = allocFlag;
const costlyOrder = 3;
const maxReclaimRetries = 16;
const maxCompactRetries = 16;
/** The kernel kills as long as there is somebody to kill; the model stops here. */
const maxKills = 64;

export function createSlowPath(alloc: PageAlloc, journal: Journal, rules: MmRules, task: TaskContext): SlowPathMachine {
  const { gfp: bits, types } = rules;
  /** What the reserve's flags do not replace. */
  const keptRights = allocFlag.cma | (rules.secondTryKeepsKswapd ? allocFlag.kswapd : 0);
  let rescue: Rescue | undefined;

  const attempt = (request: Request, allocFlags: number): number =>
    alloc.getPageFromFreelist(
      request.gfp,
      request.order,
      allocFlags,
      request.highest,
      request.migratetype,
      request.zonelist,
    );

  const fail = (request: Request): number => {
    journal.unwinding = journal.heard && (request.gfp & bits.nowarn) === 0;
    if (journal.unwinding) journal.emit(eventKind.page_allocation_failure, request.order, request.gfp, request.highest);
    return -1;
  };

  /** __alloc_pages_direct_compact(). */
  const compact = (request: Request, allocFlags: number, priority: number): { pfn: number; result: CompactResult } => {
    if (rescue === undefined || request.order === 0) return { pfn: -1, result: "skipped" };
    const result = rescue.directCompact(request, allocFlags, priority);
    return { pfn: result === "skipped" ? -1 : attempt(request, allocFlags), result };
  };

  /** __alloc_pages_direct_reclaim(): after progress, one try, then per-CPU lists and the atomic reserve are emptied for another. */
  const reclaim = (request: Request, allocFlags: number): { pfn: number; progress: number } => {
    const progress = rescue === undefined ? 0 : rescue.directReclaim(request);
    if (rescue === undefined || progress === 0) return { pfn: -1, progress };
    const pfn = attempt(request, allocFlags);
    if (pfn >= 0) return { pfn, progress };
    rescue.unreserveHighatomic(request, false);
    rescue.drainAll();
    return { pfn: attempt(request, allocFlags), progress };
  };

  /** The part for those who may sleep. */
  const rescueLoop = (request: Request, given: number, firstPriority: number): number => {
    const { gfp, order } = request;
    let rights = given;
    const costly = order > costlyOrder;
    const canCompact = order > 0 && (gfp & bits.io) !== 0;
    let priority = firstPriority;
    let compactions = 0;
    let noProgress = 0;
    for (let kills = 0; ; ) {
      let allocFlags = rights;
      const reserve = reserveFlags(rules, gfp, task);
      if (reserve !== 0) allocFlags = reserve | (rights & keptRights);
      let pfn = attempt(request, allocFlags);
      if (pfn >= 0) return pfn;
      if (task.memalloc || rescue === undefined) return -1;
      const reclaimed = reclaim(request, allocFlags);
      if (reclaimed.pfn >= 0) return reclaimed.pfn;
      const compacted = compact(request, allocFlags, priority);
      if (compacted.pfn >= 0) return compacted.pfn;
      if ((gfp & bits.noretry) !== 0) return -1;
      if (costly && (!canCompact || (gfp & bits.retryMayfail) === 0)) return -1;
      noProgress = reclaimed.progress > 0 && !costly ? 0 : noProgress + 1;
      if (noProgress <= maxReclaimRetries && rescue.reclaimWouldHelp(request, allocFlags)) continue;
      if (rescue.unreserveHighatomic(request, true)) continue;
      if (reclaimed.progress > 0 && canCompact) {
        const verdict = compactAgain(request, allocFlags, compacted.result, priority, compactions);
        priority = verdict.priority;
        compactions = verdict.compactions;
        if (verdict.again) continue;
      }
      // In defrag mode reclaim and compaction have failed to spare other types' pageblocks: now they may be taken from.
      if (rules.defragMode && (rights & noFragment) !== 0) {
        rights &= ~noFragment;
        continue;
      }
      pfn = attempt(request, allocFlag.wmarkHigh | allocFlag.cpuset);
      if (pfn >= 0) return pfn;
      if (costly || (gfp & bits.retryMayfail) !== 0 || kills >= maxKills || !rescue.outOfMemory(request)) return -1;
      kills++;
      noProgress = 0;
    }
  };

  /** should_compact_retry(). */
  const compactAgain = (
    request: Request,
    allocFlags: number,
    result: CompactResult,
    priority: number,
    compactions: number,
  ): { again: boolean; priority: number; compactions: number } => {
    const costly = request.order > costlyOrder;
    const tries = result === "success" ? compactions + 1 : compactions;
    const raise = (): { again: boolean; priority: number; compactions: number } =>
      priority > (costly ? 1 : 0)
        ? { again: true, priority: priority - 1, compactions: 0 }
        : { again: false, priority, compactions: tries };
    if (result === "complete") return raise();
    if (result === "skipped")
      return { again: rescue?.compactionSuitable(request, allocFlags) ?? false, priority, compactions: tries };
    if (result === "deferred" || result === "contended") return raise();
    if (tries <= (costly ? maxCompactRetries / 4 : maxCompactRetries))
      return { again: true, priority, compactions: tries };
    return raise();
  };

  const path: SlowPath = (asked) => {
    // Reclaim may allocate itself: the caller's record is not safe to keep.
    const request = { ...asked };
    const { gfp, order } = request;
    const rights = slowPathFlags(rules, gfp, order, task) | (rules.defragMode ? noFragment : 0);
    const canWait = (gfp & bits.directReclaim) !== 0;
    if ((rights & allocFlag.kswapd) !== 0) alloc.wakeAllKswapds(request);
    let pfn = attempt(request, rights);
    if (pfn >= 0) return pfn;
    if (!canWait) {
      const reserve = reserveFlags(rules, gfp, task);
      // Since 6.19 or so only who now has other rights, or need not mind cpusets any more, is tried again; it wakes kswapd again, too.
      const again = rules.secondTry === "always" || reserve !== 0 || (rights & allocFlag.cpuset) === 0;
      if (again) pfn = attempt(request, reserve !== 0 ? reserve | (rights & keptRights) : rights);
      if (pfn < 0 && rules.defragMode && rules.defragSparesAtomic && (rights & allocFlag.kswapd) !== 0) {
        alloc.wakeAllKswapds(request);
        pfn = attempt(request, (reserve !== 0 ? reserve | (rights & keptRights) : rights) & ~noFragment);
      }
      return pfn >= 0 ? pfn : fail(request);
    }
    let priority = 1;
    const costly = order > costlyOrder;
    if (
      order > 0 &&
      (gfp & bits.io) !== 0 &&
      (costly || request.migratetype !== types.movable) &&
      reserveFlags(rules, gfp, task) === 0
    ) {
      const first = compact(request, rights, 2);
      if (first.pfn >= 0) return first.pfn;
      if (costly && (gfp & bits.noretry) !== 0) {
        if (first.result === "skipped" || first.result === "deferred" || (gfp & bits.thisnode) !== 0)
          return fail(request);
        priority = 2;
      }
    }
    pfn = rescueLoop(request, rights, priority);
    if (pfn < 0 && (gfp & bits.nofail) !== 0) pfn = attempt(request, allocFlag.minReserve);
    return pfn >= 0 ? pfn : fail(request);
  };
  return {
    path,
    setRescue(to) {
      rescue = to;
    },
  };
}
