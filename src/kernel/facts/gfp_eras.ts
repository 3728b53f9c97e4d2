// The gfp mask's bits by era, 2.4 to today, as dated facts. A mask means nothing without one of these rows: 0x400 is REPEAT, RETRY_MAYFAIL
// or DIRECT_RECLAIM; 0x20 alone is GFP_ATOMIC only up to 4.3. What a mask says is gfp.ts; this file only knows which bit has which name.

/** One layout of the mask. It holds from `since` until the next row. */
export interface GfpEra {
  readonly id: string;
  readonly since: readonly number[];
  /** False when the first release of the layout is known from history, not read in a header. */
  readonly sinceIsRead: boolean;
  /** Names without `__GFP_`, from bit 0 upwards, separated by blanks; `.` is a bit without a meaning. */
  readonly bits: string;
  readonly source: string;
  readonly caution?: string;
}

/** In order of `since`. */
export const gfpEras: readonly GfpEra[] = [
  {
    id: "2.4",
    since: [2, 4],
    sinceIsRead: false,
    bits: "DMA HIGHMEM . . WAIT HIGH IO HIGHIO FS",
    source: "include/linux/mm.h, 2.4.18 and later 2.4",
    caution: "the first releases of 2.4 numbered the bits differently",
  },
  {
    id: "A0",
    since: [2, 6],
    sinceIsRead: true,
    bits: "DMA HIGHMEM . . WAIT HIGH IO FS COLD NOWARN REPEAT NOFAIL NORETRY NO_GROW",
    source: "include/linux/gfp.h, 2.6.0",
  },
  {
    id: "A1",
    since: [2, 6, 9],
    sinceIsRead: true,
    bits: "DMA HIGHMEM . . WAIT HIGH IO FS COLD NOWARN REPEAT NOFAIL NORETRY NO_GROW COMP",
    source: "include/linux/gfp.h, 2.6.9",
  },
  {
    id: "A2",
    since: [2, 6, 11],
    sinceIsRead: true,
    bits: "DMA HIGHMEM . . WAIT HIGH IO FS COLD NOWARN REPEAT NOFAIL NORETRY NO_GROW COMP ZERO",
    source: "include/linux/gfp.h, 2.6.11",
  },
  {
    id: "A3",
    since: [2, 6, 12],
    sinceIsRead: true,
    bits: "DMA HIGHMEM . . WAIT HIGH IO FS COLD NOWARN REPEAT NOFAIL NORETRY NO_GROW COMP ZERO NOMEMALLOC",
    source: "include/linux/gfp.h, 2.6.12.1",
    caution:
      "2.6.13 to 2.6.15 were not read: a NORECLAIM bit and an early HARDWALL stood there for a while, so 0x20000 and 0x40000 are ambiguous.",
  },
  {
    id: "A4",
    since: [2, 6, 16],
    sinceIsRead: false,
    bits: "DMA HIGHMEM DMA32 . WAIT HIGH IO FS COLD NOWARN REPEAT NOFAIL NORETRY NO_GROW COMP ZERO NOMEMALLOC HARDWALL",
    source: "include/linux/gfp.h, 2.6.18",
  },
  {
    id: "A5",
    since: [2, 6, 19],
    sinceIsRead: false,
    bits: "DMA HIGHMEM DMA32 . WAIT HIGH IO FS COLD NOWARN REPEAT NOFAIL NORETRY NO_GROW COMP ZERO NOMEMALLOC HARDWALL THISNODE",
    source: "include/linux/gfp.h, 2.6.20",
  },
  {
    id: "A6",
    since: [2, 6, 23],
    sinceIsRead: false,
    bits: "DMA HIGHMEM DMA32 . WAIT HIGH IO FS COLD NOWARN REPEAT NOFAIL NORETRY . COMP ZERO NOMEMALLOC HARDWALL THISNODE RECLAIMABLE MOVABLE",
    source: "include/linux/gfp.h, 2.6.24 and 2.6.29",
  },
  {
    id: "A7",
    since: [2, 6, 31],
    sinceIsRead: true,
    bits: "DMA HIGHMEM DMA32 MOVABLE WAIT HIGH IO FS COLD NOWARN REPEAT NOFAIL NORETRY . COMP ZERO NOMEMALLOC HARDWALL THISNODE RECLAIMABLE . NOTRACK",
    source: "include/linux/gfp.h, 2.6.31.3, 2.6.32.67 and 2.6.34",
  },
  {
    id: "A8",
    since: [2, 6, 38],
    sinceIsRead: false,
    bits: "DMA HIGHMEM DMA32 MOVABLE WAIT HIGH IO FS COLD NOWARN REPEAT NOFAIL NORETRY . COMP ZERO NOMEMALLOC HARDWALL THISNODE RECLAIMABLE . NOTRACK NO_KSWAPD OTHER_NODE",
    source: "commit 47118af and history (NO_KSWAPD came with THP)",
  },
  {
    id: "A9",
    since: [3, 3],
    sinceIsRead: false,
    bits: "DMA HIGHMEM DMA32 MOVABLE WAIT HIGH IO FS COLD NOWARN REPEAT NOFAIL NORETRY . COMP ZERO NOMEMALLOC HARDWALL THISNODE RECLAIMABLE . NOTRACK NO_KSWAPD OTHER_NODE WRITE",
    source: "history (WRITE 3.3)",
  },
  {
    id: "A10",
    since: [3, 6],
    sinceIsRead: false,
    bits: "DMA HIGHMEM DMA32 MOVABLE WAIT HIGH IO FS COLD NOWARN REPEAT NOFAIL NORETRY MEMALLOC COMP ZERO NOMEMALLOC HARDWALL THISNODE RECLAIMABLE . NOTRACK NO_KSWAPD OTHER_NODE WRITE",
    source: "history (MEMALLOC 3.6: bit 0x2000 was the slab NO_GROW up to 2.6.22)",
  },
  {
    id: "A11",
    since: [3, 8],
    sinceIsRead: true,
    bits: "DMA HIGHMEM DMA32 MOVABLE WAIT HIGH IO FS COLD NOWARN REPEAT NOFAIL NORETRY MEMALLOC COMP ZERO NOMEMALLOC HARDWALL THISNODE RECLAIMABLE KMEMCG NOTRACK NO_KSWAPD OTHER_NODE WRITE",
    source: "include/linux/gfp.h, 3.13 and 3.14.17",
  },
  {
    id: "A12",
    since: [3, 16],
    sinceIsRead: true,
    bits: "DMA HIGHMEM DMA32 MOVABLE WAIT HIGH IO FS COLD NOWARN REPEAT NOFAIL NORETRY MEMALLOC COMP ZERO NOMEMALLOC HARDWALL THISNODE RECLAIMABLE . NOTRACK NO_KSWAPD OTHER_NODE WRITE",
    source: "tables taken from tags 3.16 and 3.19",
  },
  {
    id: "A13",
    since: [4, 1],
    sinceIsRead: true,
    bits: "DMA HIGHMEM DMA32 MOVABLE WAIT HIGH IO FS COLD NOWARN REPEAT NOFAIL NORETRY MEMALLOC COMP ZERO NOMEMALLOC HARDWALL THISNODE RECLAIMABLE NOACCOUNT NOTRACK NO_KSWAPD OTHER_NODE WRITE",
    source: "table taken from tag 4.1",
  },
  {
    id: "B1",
    since: [4, 4],
    sinceIsRead: true,
    bits: "DMA HIGHMEM DMA32 MOVABLE RECLAIMABLE HIGH IO FS COLD NOWARN REPEAT NOFAIL NORETRY MEMALLOC COMP ZERO NOMEMALLOC HARDWALL THISNODE ATOMIC NOACCOUNT NOTRACK DIRECT_RECLAIM OTHER_NODE WRITE KSWAPD_RECLAIM",
    source: "commit d0164adc89f6 (4.4)",
  },
  {
    id: "B2",
    since: [4, 5],
    sinceIsRead: true,
    bits: "DMA HIGHMEM DMA32 MOVABLE RECLAIMABLE HIGH IO FS COLD NOWARN REPEAT NOFAIL NORETRY MEMALLOC COMP ZERO NOMEMALLOC HARDWALL THISNODE ATOMIC ACCOUNT NOTRACK DIRECT_RECLAIM OTHER_NODE WRITE KSWAPD_RECLAIM",
    source: "include/linux/gfp.h of a 4.9 tree; table of tag 4.5",
  },
  {
    id: "B3",
    since: [4, 10],
    sinceIsRead: true,
    bits: "DMA HIGHMEM DMA32 MOVABLE RECLAIMABLE HIGH IO FS COLD NOWARN REPEAT NOFAIL NORETRY MEMALLOC COMP ZERO NOMEMALLOC HARDWALL THISNODE ATOMIC ACCOUNT NOTRACK DIRECT_RECLAIM WRITE KSWAPD_RECLAIM NOLOCKDEP",
    source: "tables of tags 4.10 and 4.12; masks of real reports",
  },
  {
    id: "B4",
    since: [4, 13],
    sinceIsRead: true,
    bits: "DMA HIGHMEM DMA32 MOVABLE RECLAIMABLE HIGH IO FS COLD NOWARN RETRY_MAYFAIL NOFAIL NORETRY MEMALLOC COMP ZERO NOMEMALLOC HARDWALL THISNODE ATOMIC ACCOUNT NOTRACK DIRECT_RECLAIM WRITE KSWAPD_RECLAIM NOLOCKDEP",
    source: "tables of tags 4.13 and 4.14",
  },
  {
    id: "B5",
    since: [4, 15],
    sinceIsRead: true,
    bits: "DMA HIGHMEM DMA32 MOVABLE RECLAIMABLE HIGH IO FS . NOWARN RETRY_MAYFAIL NOFAIL NORETRY MEMALLOC COMP ZERO NOMEMALLOC HARDWALL THISNODE ATOMIC ACCOUNT . DIRECT_RECLAIM WRITE KSWAPD_RECLAIM NOLOCKDEP",
    source: "table of tag 4.15",
  },
  {
    id: "B6",
    since: [4, 18],
    sinceIsRead: true,
    bits: "DMA HIGHMEM DMA32 MOVABLE RECLAIMABLE HIGH IO FS WRITE NOWARN RETRY_MAYFAIL NOFAIL NORETRY MEMALLOC COMP ZERO NOMEMALLOC HARDWALL THISNODE ATOMIC ACCOUNT DIRECT_RECLAIM KSWAPD_RECLAIM NOLOCKDEP",
    source: "include/linux/gfp.h, 4.19",
  },
  {
    id: "C1",
    since: [5, 1],
    sinceIsRead: true,
    bits: "DMA HIGHMEM DMA32 MOVABLE RECLAIMABLE HIGH IO FS ZERO ATOMIC DIRECT_RECLAIM KSWAPD_RECLAIM WRITE NOWARN RETRY_MAYFAIL NOFAIL NORETRY MEMALLOC COMP NOMEMALLOC HARDWALL THISNODE ACCOUNT NOLOCKDEP",
    source: "table of tag 5.1",
  },
  {
    id: "C2",
    since: [5, 14],
    sinceIsRead: true,
    bits: "DMA HIGHMEM DMA32 MOVABLE RECLAIMABLE HIGH IO FS ZERO ATOMIC DIRECT_RECLAIM KSWAPD_RECLAIM WRITE NOWARN RETRY_MAYFAIL NOFAIL NORETRY MEMALLOC COMP NOMEMALLOC HARDWALL THISNODE ACCOUNT ZEROTAGS SKIP_KASAN_POISON NOLOCKDEP",
    source: "table of tag 5.14",
  },
  {
    id: "C3",
    since: [5, 18],
    sinceIsRead: true,
    bits: "DMA HIGHMEM DMA32 MOVABLE RECLAIMABLE HIGH IO FS ZERO ATOMIC DIRECT_RECLAIM KSWAPD_RECLAIM WRITE NOWARN RETRY_MAYFAIL NOFAIL NORETRY MEMALLOC COMP NOMEMALLOC HARDWALL THISNODE ACCOUNT ZEROTAGS SKIP_ZERO SKIP_KASAN_UNPOISON SKIP_KASAN_POISON NOLOCKDEP",
    source: "include/linux/gfp_types.h, 6.1.192; table of tag 5.18",
  },
  {
    id: "C4",
    since: [6, 3],
    sinceIsRead: true,
    bits: "DMA HIGHMEM DMA32 MOVABLE RECLAIMABLE HIGH IO FS ZERO . DIRECT_RECLAIM KSWAPD_RECLAIM WRITE NOWARN RETRY_MAYFAIL NOFAIL NORETRY MEMALLOC COMP NOMEMALLOC HARDWALL THISNODE ACCOUNT ZEROTAGS SKIP_ZERO SKIP_KASAN_UNPOISON SKIP_KASAN_POISON NOLOCKDEP",
    source: "table of tag 6.3",
  },
  {
    id: "C5",
    since: [6, 4],
    sinceIsRead: true,
    bits: "DMA HIGHMEM DMA32 MOVABLE RECLAIMABLE HIGH IO FS ZERO . DIRECT_RECLAIM KSWAPD_RECLAIM WRITE NOWARN RETRY_MAYFAIL NOFAIL NORETRY MEMALLOC COMP NOMEMALLOC HARDWALL THISNODE ACCOUNT ZEROTAGS SKIP_ZERO SKIP_KASAN NOLOCKDEP",
    source: "include/linux/gfp_types.h, 6.6.45",
  },
  {
    id: "C6",
    since: [6, 8],
    sinceIsRead: true,
    bits: "DMA HIGHMEM DMA32 MOVABLE RECLAIMABLE HIGH IO FS ZERO . DIRECT_RECLAIM KSWAPD_RECLAIM WRITE NOWARN RETRY_MAYFAIL NOFAIL NORETRY MEMALLOC COMP NOMEMALLOC HARDWALL THISNODE ACCOUNT ZEROTAGS SKIP_ZERO SKIP_KASAN NOLOCKDEP",
    source: "include/linux/gfp_types.h at 16f5dfb (6.8)",
  },
  {
    id: "D1",
    since: [6, 10],
    sinceIsRead: false,
    bits: "DMA HIGHMEM DMA32 MOVABLE RECLAIMABLE HIGH IO FS ZERO . DIRECT_RECLAIM KSWAPD_RECLAIM WRITE NOWARN RETRY_MAYFAIL NOFAIL NORETRY MEMALLOC COMP NOMEMALLOC HARDWALL THISNODE ACCOUNT ZEROTAGS",
    source: "include/linux/gfp_types.h at 594ce0b (enum of bits)",
  },
];

/** A bit whose existence depends on the kernel's configuration or on the point release, by era and name. */
export interface ConditionalBit {
  readonly eras: readonly string[];
  readonly name: string;
  readonly when: string;
}

export const conditionalBits: readonly ConditionalBit[] = [
  {
    eras: ["A4", "A5", "A6", "A7", "A8", "A9", "A10", "A11", "A12", "A13"],
    name: "DMA32",
    when: "on 64-bit machines with a DMA32 zone (ia64 maps it to 0x1, 32-bit has no such bit)",
  },
  { eras: ["A7"], name: "NOTRACK", when: "with CONFIG_KMEMCHECK (yet distributions printed it without)" },
  { eras: ["A8"], name: "OTHER_NODE", when: "from 2.6.39" },
  { eras: ["B3"], name: "NOLOCKDEP", when: "from 4.12, with CONFIG_LOCKDEP" },
  { eras: ["B4", "B5", "B6", "C1", "C2", "C3", "C4", "C5", "C6"], name: "NOLOCKDEP", when: "with CONFIG_LOCKDEP" },
  { eras: ["C2"], name: "SKIP_KASAN_POISON", when: "with CONFIG_KASAN_HW_TAGS" },
  { eras: ["C3", "C4"], name: "SKIP_ZERO", when: "with CONFIG_KASAN_HW_TAGS" },
  { eras: ["C3", "C4"], name: "SKIP_KASAN_UNPOISON", when: "with CONFIG_KASAN_HW_TAGS" },
  { eras: ["C3", "C4"], name: "SKIP_KASAN_POISON", when: "with CONFIG_KASAN_HW_TAGS" },
  { eras: ["C5", "C6"], name: "SKIP_ZERO", when: "with CONFIG_KASAN_HW_TAGS" },
  { eras: ["C5", "C6"], name: "SKIP_KASAN", when: "with CONFIG_KASAN_HW_TAGS" },
];

/**
 * Since the mask became an enum (6.10), bits above ZEROTAGS move with the configuration: each of these takes the next bit if its
 * option is on (include/linux/gfp_types.h at 594ce0b).
 */
export const floatingBits: readonly { readonly name: string; readonly option: string }[] = [
  { name: "SKIP_ZERO", option: "CONFIG_KASAN_HW_TAGS" },
  { name: "SKIP_KASAN", option: "CONFIG_KASAN_HW_TAGS" },
  { name: "NOLOCKDEP", option: "CONFIG_LOCKDEP" },
  { name: "NO_OBJ_EXT", option: "CONFIG_SLAB_OBJ_EXT" },
];

/** Bits that vendors added or moved, for a hint beside a bit that the stock layout does not have. */
export const vendorBits: readonly {
  readonly eras: readonly string[];
  readonly mask: number;
  readonly name: string;
  readonly vendor: string;
}[] = [
  { eras: ["A11"], mask: 0x100000, name: "ACCOUNT", vendor: "RHEL 7 (3.10)" },
  { eras: ["B2"], mask: 0x4000000, name: "HIGHUSER_MOVABLE without CMA", vendor: "NVIDIA Tegra 4.9" },
  { eras: ["B2"], mask: 0x8000000, name: "MOVABLE, try CMA first", vendor: "NVIDIA Tegra 4.9" },
  { eras: ["C2"], mask: 0x8000000, name: "CMA", vendor: "Android GKI 5.15" },
  { eras: ["C2"], mask: 0x10000000, name: "NOLOCKDEP", vendor: "Android GKI 5.15" },
];

/** A named combination: `flags` as in {@link GfpEra.bits}; from `since` to before `until`. */
export interface GfpCombination {
  readonly name: string;
  readonly flags: string;
  readonly since: readonly number[];
  readonly until?: readonly number[];
}

const transhuge = "IO FS HARDWALL HIGHMEM MOVABLE COMP NOMEMALLOC NOWARN";

/** Include/linux/gfp.h of the trees named above; the order is that of the kernel's own name table (include/trace/events/mmflags.h). */
export const gfpCombinations: readonly GfpCombination[] = [
  { name: "GFP_TRANSHUGE", flags: `WAIT ${transhuge} NORETRY NO_KSWAPD`, since: [2, 6, 38], until: [4, 4] },
  { name: "GFP_TRANSHUGE", flags: `DIRECT_RECLAIM ${transhuge} NORETRY`, since: [4, 4], until: [4, 8] },
  { name: "GFP_TRANSHUGE", flags: `DIRECT_RECLAIM ${transhuge}`, since: [4, 8], until: [5, 14] },
  { name: "GFP_TRANSHUGE", flags: `DIRECT_RECLAIM ${transhuge} SKIP_KASAN_POISON`, since: [5, 14], until: [5, 18] },
  { name: "GFP_TRANSHUGE", flags: `DIRECT_RECLAIM ${transhuge}`, since: [5, 18] },
  { name: "GFP_TRANSHUGE_LIGHT", flags: transhuge, since: [4, 8], until: [5, 14] },
  { name: "GFP_TRANSHUGE_LIGHT", flags: `${transhuge} SKIP_KASAN_POISON`, since: [5, 14], until: [5, 18] },
  { name: "GFP_TRANSHUGE_LIGHT", flags: transhuge, since: [5, 18] },
  { name: "GFP_HIGHUSER_MOVABLE", flags: "WAIT IO FS HARDWALL HIGHMEM MOVABLE", since: [2, 6, 23], until: [4, 4] },
  {
    name: "GFP_HIGHUSER_MOVABLE",
    flags: "RECLAIM IO FS HARDWALL HIGHMEM MOVABLE",
    since: [4, 4],
    until: [5, 14],
  },
  // c275c5c6d50a (5.14); since 5.18 the bit exists with CONFIG_KASAN_HW_TAGS only (f49d9c5bb15c), and is 0 without.
  {
    name: "GFP_HIGHUSER_MOVABLE",
    flags: "RECLAIM IO FS HARDWALL HIGHMEM MOVABLE SKIP_KASAN_POISON",
    since: [5, 14],
    until: [5, 18],
  },
  { name: "GFP_HIGHUSER_MOVABLE", flags: "RECLAIM IO FS HARDWALL HIGHMEM MOVABLE", since: [5, 18] },
  { name: "GFP_HIGHUSER", flags: "WAIT IO FS HIGHMEM", since: [2, 6], until: [2, 6, 16] },
  { name: "GFP_HIGHUSER", flags: "WAIT IO FS HARDWALL HIGHMEM", since: [2, 6, 16], until: [4, 4] },
  { name: "GFP_HIGHUSER", flags: "RECLAIM IO FS HARDWALL HIGHMEM", since: [4, 4] },
  { name: "GFP_USER", flags: "WAIT IO FS HARDWALL", since: [2, 6, 16], until: [4, 4] },
  { name: "GFP_USER", flags: "RECLAIM IO FS HARDWALL", since: [4, 4] },
  { name: "GFP_TEMPORARY", flags: "WAIT IO FS RECLAIMABLE", since: [2, 6, 23], until: [4, 4] },
  { name: "GFP_TEMPORARY", flags: "RECLAIM IO FS RECLAIMABLE", since: [4, 4], until: [4, 14] },
  { name: "GFP_KERNEL_ACCOUNT", flags: "RECLAIM IO FS ACCOUNT", since: [4, 5] },
  { name: "GFP_HIGHUSER", flags: "WAIT IO HIGHIO FS HIGHMEM", since: [2, 4], until: [2, 6] },
  { name: "GFP_KERNEL", flags: "WAIT HIGH IO HIGHIO FS", since: [2, 4], until: [2, 6] },
  { name: "GFP_USER", flags: "WAIT IO HIGHIO FS", since: [2, 4], until: [2, 6] },
  { name: "GFP_NOFS", flags: "WAIT HIGH IO HIGHIO", since: [2, 4], until: [2, 6] },
  { name: "GFP_NOIO", flags: "WAIT HIGH", since: [2, 4], until: [2, 6] },
  { name: "GFP_KERNEL", flags: "WAIT IO FS", since: [2, 6], until: [4, 4] },
  { name: "GFP_KERNEL", flags: "RECLAIM IO FS", since: [4, 4] },
  { name: "GFP_NOFS", flags: "WAIT IO", since: [2, 6], until: [4, 4] },
  { name: "GFP_NOFS", flags: "RECLAIM IO", since: [4, 4] },
  { name: "GFP_ATOMIC", flags: "HIGH", since: [2, 4], until: [4, 4] },
  { name: "GFP_ATOMIC", flags: "HIGH ATOMIC KSWAPD_RECLAIM", since: [4, 4], until: [6, 3] },
  { name: "GFP_ATOMIC", flags: "HIGH KSWAPD_RECLAIM", since: [6, 3] },
  { name: "GFP_NOIO", flags: "WAIT", since: [2, 6], until: [4, 4] },
  { name: "GFP_NOIO", flags: "RECLAIM", since: [4, 4] },
  { name: "GFP_NOWAIT", flags: "KSWAPD_RECLAIM", since: [4, 4], until: [6, 8] },
  { name: "GFP_NOWAIT", flags: "KSWAPD_RECLAIM NOWARN", since: [6, 8] },
  { name: "GFP_DMA", flags: "DMA", since: [2, 4] },
];

/**
 * The order in which the kernel prints what no combination has taken, up to 6.14 (include/trace/events/mmflags.h, 4.14, 4.19, 5.10, 6.1; flags of
 * releases that printed no names are put in beside their neighbours). Bits and names are two facts: the bits became an enum in 6.10, the list of
 * names kept its order until {@link namesByBitSince}.
 */
export const namePrintOrder =
  "HIGHMEM DMA32 HIGH ATOMIC WAIT IO FS COLD NOWARN REPEAT RETRY_MAYFAIL NOFAIL NORETRY COMP ZERO NOMEMALLOC MEMALLOC HARDWALL THISNODE RECLAIMABLE MOVABLE ACCOUNT KMEMCG NOACCOUNT NOTRACK NO_KSWAPD WRITE RECLAIM DIRECT_RECLAIM KSWAPD_RECLAIM OTHER_NODE ZEROTAGS SKIP_ZERO SKIP_KASAN_POISON SKIP_KASAN_UNPOISON SKIP_KASAN NO_GROW NOLOCKDEP".split(
    " ",
  );

/** Since then the list of names is made from the bits and has their order (ca29a0bf1221, 6.15; later releases of 6.12.y have it too). */
export const namesByBitSince: readonly number[] = [6, 15];
