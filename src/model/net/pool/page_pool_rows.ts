// The columns of a pool in page_pool.ts: one row of 32 numbers a pool.

// Fields of a pool's row; the stat counters (from FAST on) are u64 in the kernel and doubles in a row of their own.
export const LIVE = 0;
export const FLAGS = 1;
export const ORDER = 2;
export const NID = 3;
export const USERS = 4;
export const DESTROYS = 5;
export const CACHED_PAGES = 6;
export const HOLD = 7;
export const RELEASED = 8;
export const FRAG_PAGE = 9;
export const FRAG_OFFSET = 10;
export const FRAG_USERS = 11;
export const FAST = 12;
export const SLOW = 13;
export const SLOW_HIGH_ORDER = 14;
export const EMPTY = 15;
export const REFILL = 16;
export const WAIVE = 17;
export const CACHED = 18;
export const CACHE_FULL = 19;
export const RING = 20;
export const RING_FULL = 21;
export const RELEASED_REFCNT = 22;
/** The pool counts the users of its pages: fragments, or every page from 6.8 on. */
export const COUNTS_USERS = 23;
/** Not 0 when a page that comes back needs more than the plain way: fragments to count, pages to unmap, bytes to sync. */
export const SPECIAL = 24;
/** A row is 32 fields, a cache 128 pages: shifts, because a product would be checked for overflow. */
export const ROW_SHIFT = 5;
export const CACHE_SHIFT = 7;
