// The bits of an entry of /proc/kpageflags: one word of 64 bits a page frame. The lower ones are stable for user space
// (include/uapi/linux/kernel-page-flags.h), those from 32 on are for kernel developers and may change (include/linux/kernel-page-flags.h).
// Read in Linux 6.1.192, 6.12.117 and 7.2.13 (fs/proc/page.c sets them); 3.10 has the first 23 of them with the same numbers.

/** Bit numbers below 32, by the name that the kernel gives them without `KPF_`. */
export const kpf = {
  LOCKED: 0,
  ERROR: 1,
  REFERENCED: 2,
  UPTODATE: 3,
  DIRTY: 4,
  LRU: 5,
  ACTIVE: 6,
  SLAB: 7,
  WRITEBACK: 8,
  RECLAIM: 9,
  BUDDY: 10,
  MMAP: 11,
  ANON: 12,
  SWAPCACHE: 13,
  SWAPBACKED: 14,
  COMPOUND_HEAD: 15,
  COMPOUND_TAIL: 16,
  HUGE: 17,
  UNEVICTABLE: 18,
  HWPOISON: 19,
  NOPAGE: 20,
  KSM: 21,
  THP: 22,
  OFFLINE: 23,
  ZERO_PAGE: 24,
  IDLE: 25,
  PGTABLE: 26,
} as const;

/** Bits of the upper word: number minus 32. */
export const kpfHigh = {
  RESERVED: 0,
  MLOCKED: 1,
  OWNER_2: 2,
  PRIVATE: 3,
  PRIVATE_2: 4,
  OWNER_PRIVATE: 5,
  ARCH: 6,
  UNCACHED: 7,
  SOFTDIRTY: 8,
  ARCH_2: 9,
  ARCH_3: 10,
} as const;
