// How often a request that may sleep tries, and what it asks for in which order, before it gives up (__alloc_pages_slowpath(),
// should_reclaim_retry(), __alloc_pages_direct_reclaim(), mm/page_alloc.c, 6.1.192). The zone has nothing; the helpers only take notes.
import { describe, expect, test } from "vitest";
import type { CompactResult } from "./slow_path.ts";
import { zoneOf } from "./zone.testkit.ts";

const GFP_KERNEL = 0xcc0;
const RETRY_MAYFAIL = 0x4000;

interface Helpers {
  readonly progress: number;
  readonly wouldHelp: boolean;
  readonly compacts?: CompactResult;
}

/** What a failing request called, in order. */
function calls(gfp: number, order: number, { progress, wouldHelp, compacts = "skipped" }: Helpers): string[] {
  const m = zoneOf({ marks: [100, 120, 140], pcp: [100, 7] });
  const noted: string[] = [];
  m.setRescue({
    directReclaim: () => {
      noted.push("reclaim");
      return progress;
    },
    directCompact: (_request, _flags, priority) => {
      noted.push(`compact ${priority}`);
      return compacts;
    },
    reclaimWouldHelp: () => wouldHelp,
    compactionSuitable: () => false,
    drainAll: () => void noted.push("drain"),
    unreserveHighatomic: (_request, force) => {
      noted.push(force ? "unreserve all" : "unreserve");
      return false;
    },
    outOfMemory: () => {
      noted.push("kill");
      return false;
    },
  });
  expect(m.pages.allocPages(gfp, order)).toBe(-1);
  return noted;
}

const count = (noted: readonly string[], what: string): number => noted.filter((n) => n === what).length;

describe("a request that may sleep and finds nothing", () => {
  test("reclaims 16 times more without progress (MAX_RECLAIM_RETRIES), then wants the atomic reserve, then a victim", () => {
    const noted = calls(GFP_KERNEL, 0, { progress: 0, wouldHelp: true });
    expect(noted).toEqual([...Array<string>(17).fill("reclaim"), "unreserve all", "kill"]);
  });

  test("after progress gives up the atomic reserve but for one pageblock, and the per-CPU lists, and tries once more", () => {
    const noted = calls(GFP_KERNEL, 0, { progress: 32, wouldHelp: false });
    expect(noted).toEqual(["reclaim", "unreserve", "drain", "unreserve all", "kill"]);
  });

  test("above order 3 progress does not count, and nothing is killed", () => {
    const noted = calls(GFP_KERNEL | RETRY_MAYFAIL, 4, { progress: 32, wouldHelp: true });
    expect(count(noted, "reclaim")).toBe(17);
    expect(count(noted, "kill")).toBe(0);
  });

  test("above order 3 without __GFP_RETRY_MAYFAIL one round is all", () => {
    const noted = calls(GFP_KERNEL, 4, { progress: 32, wouldHelp: true });
    expect(noted).toEqual(["compact 2", "reclaim", "unreserve", "drain", "compact 1"]);
  });

  test("compaction that ran to its end in vain is tried harder: from light to full, once each", () => {
    const noted = calls(GFP_KERNEL, 2, { progress: 32, wouldHelp: false, compacts: "complete" });
    expect(noted.filter((n) => n.startsWith("compact"))).toEqual(["compact 2", "compact 1", "compact 0"]);
  });
});
