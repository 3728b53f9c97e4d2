// alloc_flags: what a request may do while it looks for a page. Values as mm/internal.h of 6.1.192; other releases' rules are
// expressed in the same bits.

export const allocFlag = {
  /** Bits 0-1: which watermark (0 min, 1 low, 2 high). */
  wmarkMask: 3,
  wmarkMin: 0,
  wmarkLow: 1,
  wmarkHigh: 2,
  noWatermarks: 0x04,
  oom: 0x08,
  /** ALLOC_HARDER before 6.1.y's rename: cannot wait, or a real-time task. */
  nonBlock: 0x10,
  /** ALLOC_HIGH before: __GFP_HIGH. */
  minReserve: 0x20,
  cpuset: 0x40,
  cma: 0x80,
  noFragment: 0x100,
  highatomic: 0x200,
  kswapd: 0x800,
  /** Any right to the reserves below the min watermark. */
  reserves: 0x10 | 0x20 | 0x200 | 0x08,
} as const;
