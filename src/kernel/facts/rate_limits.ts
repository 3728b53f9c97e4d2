// How often a kernel says the same thing: what holds back its reports of failed allocations and bad pages, and what it says of those it kept.
import type { Fact } from "../release.ts";

export interface RateLimit {
  /** `tokens`: every message costs an interval, which grows back with time; `window`: so many messages in an interval, then silence. */
  readonly kind: "tokens" | "window";
  readonly seconds: number;
  readonly burst: number;
  /** What precedes the next report when some were kept back; `%d` is their number. */
  readonly suppressed: string;
}

/** Of the page allocator's failure reports. */
export const failureLimits: readonly Fact<RateLimit>[] = [
  {
    since: [2, 6],
    value: { kind: "tokens", seconds: 5, burst: 10, suppressed: "printk: %d messages suppressed." },
    source: "kernel/printk.c __printk_ratelimit, 2.6.24",
  },
  {
    since: [2, 6, 27],
    value: { kind: "window", seconds: 5, burst: 10, suppressed: "__ratelimit: %d callbacks suppressed" },
    source: "lib/ratelimit.c, 2.6.32; first release from history",
  },
  {
    since: [2, 6, 33],
    value: { kind: "window", seconds: 5, burst: 10, suppressed: "__alloc_pages_slowpath: %d callbacks suppressed" },
    source: "include/linux/ratelimit.h and printk.h, 3.0: the caller's name; first release from history",
  },
  {
    since: [3, 0],
    value: { kind: "window", seconds: 5, burst: 10, suppressed: "warn_alloc_failed: %d callbacks suppressed" },
    source: "mm/page_alloc.c nopage_rs, 3.0; a report of 3.2",
  },
  {
    since: [4, 9],
    value: { kind: "window", seconds: 5, burst: 10, suppressed: "warn_alloc: %d callbacks suppressed" },
    source: "mm/page_alloc.c warn_alloc, 4.9",
  },
  {
    since: [5, 4],
    value: { kind: "window", seconds: 10, burst: 1, suppressed: "warn_alloc: %d callbacks suppressed" },
    source: "mm/page_alloc.c warn_alloc, 5.4 and 6.1",
  },
];

/** Of the state of memory in such a report: from 4.11 to 5.3 it was printed once a second at most (mm/page_alloc.c show_mem_rs). */
export const memInfoLimits: readonly Fact<RateLimit | "none">[] = [
  { since: [2, 6], value: "none", source: "mm/page_alloc.c 2.6.24" },
  { since: [4, 11], value: { kind: "window", seconds: 1, burst: 1, suppressed: "" }, source: "commit aa187507ef8b" },
  { since: [5, 4], value: "none", source: "mm/page_alloc.c 5.4" },
];

/** Of bad_page(): sixty in a minute. */
export const badPageLimits: readonly Fact<RateLimit | "none">[] = [
  { since: [2, 6], value: "none", source: "mm/page_alloc.c bad_page, 2.6.24" },
  {
    since: [2, 6, 29],
    value: { kind: "window", seconds: 60, burst: 60, suppressed: "BUG: Bad page state: %d messages suppressed" },
    source: "mm/page_alloc.c bad_page, 2.6.29 and 6.1",
  },
];

/** Of SLUB's own lines. */
export const slabLimit: RateLimit = { kind: "window", seconds: 5, burst: 10, suppressed: "" };
