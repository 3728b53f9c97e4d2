// Which release prints which line and which field in its memory reports, as dated facts: the printers write by these tables, and the
// inference of an unstated release asks them which releases can have written what was read.
// Field lists are names separated by blanks, in printed order; `?` marks a field that depends on the configuration. Boundaries marked
// "history" were not read in a tree; the others were (2.6.9, 2.6.18, 2.6.24, 2.6.29, 2.6.32, 3.0, 3.10, 3.13, 4.14, 4.19, 5.10, 5.15, 6.1).
import type { Fact } from "../release.ts";

/** Lines of the totals block; a line after the first begins with a blank (show_free_areas: mm/page_alloc.c in 6.1, mm/show_mem.c in 6.12). */
export const totalsLines: readonly Fact<readonly string[]>[] = [
  {
    since: [2, 6],
    value: ["active inactive dirty writeback unstable free slab mapped pagetables"],
    source: "2.6.9, 2.6.18",
  },
  {
    since: [2, 6, 20],
    value: ["active inactive dirty writeback unstable", "free slab mapped pagetables bounce"],
    source: "2.6.24; first release from history",
  },
  {
    since: [2, 6, 28],
    value: [
      "active_anon active_file inactive_anon",
      "inactive_file unevictable dirty writeback unstable",
      "free slab mapped pagetables bounce",
    ],
    source: "2.6.29; first release from history",
  },
  {
    since: [2, 6, 32],
    value: [
      "active_anon inactive_anon isolated_anon",
      "active_file inactive_file isolated_file",
      "unevictable dirty writeback unstable",
      "free slab_reclaimable slab_unreclaimable",
      "mapped shmem pagetables bounce",
    ],
    source: "2.6.32.67, 3.0.1; isolated counters: commit a731286de622",
  },
  {
    since: [3, 7],
    value: [
      "active_anon inactive_anon isolated_anon",
      "active_file inactive_file isolated_file",
      "unevictable dirty writeback unstable",
      "free slab_reclaimable slab_unreclaimable",
      "mapped shmem pagetables bounce",
      "free_cma",
    ],
    source: "3.10.99, 3.13; first release from history",
  },
  {
    since: [4, 1],
    value: [
      "active_anon inactive_anon isolated_anon",
      "active_file inactive_file isolated_file",
      "unevictable dirty writeback unstable",
      "slab_reclaimable slab_unreclaimable",
      "mapped shmem pagetables bounce",
      "free free_pcp free_cma",
    ],
    source: "4.14, 4.19; free_pcp: commit d1bfcdb8ce0e",
  },
  {
    since: [5, 8],
    value: [
      "active_anon inactive_anon isolated_anon",
      "active_file inactive_file isolated_file",
      "unevictable dirty writeback",
      "slab_reclaimable slab_unreclaimable",
      "mapped shmem pagetables bounce",
      "free free_pcp free_cma",
    ],
    source: "5.10.13; unstable removed: commit 8d92890bd6b8",
  },
  {
    since: [5, 15],
    value: [
      "active_anon inactive_anon isolated_anon",
      "active_file inactive_file isolated_file",
      "unevictable dirty writeback",
      "slab_reclaimable slab_unreclaimable",
      "mapped shmem pagetables bounce",
      "kernel_misc_reclaimable",
      "free free_pcp free_cma",
    ],
    source: "5.15.0; commit eb2169cee36f",
  },
  {
    since: [6, 1],
    value: [
      "active_anon inactive_anon isolated_anon",
      "active_file inactive_file isolated_file",
      "unevictable dirty writeback",
      "slab_reclaimable slab_unreclaimable",
      "mapped shmem pagetables",
      "sec_pagetables bounce",
      "kernel_misc_reclaimable",
      "free free_pcp free_cma",
    ],
    source: "6.1.192, 6.12.117, 7.2.12",
  },
];

/** The first word of the totals had a capital letter. */
export const totalsCapital: readonly Fact<boolean>[] = [
  { since: [2, 6], value: true, source: "2.6.9 to 2.6.29" },
  { since: [2, 6, 32], value: false, source: "2.6.32.67" },
];

const nodeHead =
  "active_anon inactive_anon active_file inactive_file unevictable isolated(anon) isolated(file) mapped dirty writeback shmem shmem_thp? shmem_pmdmapped? anon_thp?";

/** The node line (LRU lists per node, 4.8, commit 599d0c954f91); `all_unreclaimable?` ends it, but for `behindUnreclaimable`. */
export const nodeFields: readonly Fact<string>[] = [
  { since: [4, 8], value: `${nodeHead} writeback_tmp unstable pages_scanned`, source: "history" },
  { since: [4, 12], value: `${nodeHead} writeback_tmp unstable`, source: "4.14, 4.19; first release from history" },
  { since: [5, 8], value: `${nodeHead} writeback_tmp`, source: "commit 8d92890bd6b8" },
  {
    since: [5, 10],
    value: `${nodeHead} writeback_tmp kernel_stack shadow_call_stack?`,
    source: "5.10.13; commit 991e7673859e",
  },
  {
    since: [5, 11],
    value: `${nodeHead} writeback_tmp kernel_stack shadow_call_stack? pagetables`,
    source: "5.15.0; first release from history",
  },
  {
    since: [6, 1],
    value: `${nodeHead} writeback_tmp kernel_stack shadow_call_stack? pagetables sec_pagetables`,
    source: "6.1.192, 6.12.117",
  },
  {
    since: [6, 16],
    value: `${nodeHead} writeback_tmp? kernel_stack shadow_call_stack? pagetables sec_pagetables Balloon?`,
    source:
      "between 6.12.117 and 6.19.11 (a report); Balloon: a patch of March 2025, first release from history; where writeback_tmp ended is not known",
  },
  {
    since: [6, 19],
    value: `${nodeHead} kernel_stack shadow_call_stack? pagetables sec_pagetables Balloon`,
    source: "reports of 6.19.11 and 7.0-rc4",
  },
  {
    since: [7, 1],
    value: `${nodeHead} kernel_stack shadow_call_stack? pagetables sec_pagetables Balloon gpu_active? gpu_reclaim?`,
    source: "between 7.0-rc4 (a report) and 7.2.12; whether 7.1 has the GPU counters is not known",
  },
  {
    since: [7, 2],
    value: `${nodeHead} kernel_stack shadow_call_stack? pagetables sec_pagetables Balloon gpu_active gpu_reclaim`,
    source: "mm/show_mem.c show_free_areas, 7.2.12",
    read: "tree",
  },
];

/** Fields of the node line that stand behind `all_unreclaimable?`. */
export const behindUnreclaimable: ReadonlySet<string> = new Set(["Balloon", "gpu_active", "gpu_reclaim"]);

const zone4 = "active_anon inactive_anon active_file inactive_file unevictable";

/** The zone line; `pages_scanned` and `all_unreclaimable` are no sizes and end it. */
export const zoneFields: readonly Fact<string>[] = [
  { since: [2, 6], value: "free min low high active inactive present", source: "2.6.9" },
  {
    since: [2, 6, 11],
    value: "free min low high active inactive present pages_scanned all_unreclaimable",
    source: "2.6.18, 2.6.24; first release from history",
  },
  {
    since: [2, 6, 28],
    value: `free min low high ${zone4} present pages_scanned all_unreclaimable`,
    source: "2.6.29; first release from history",
  },
  {
    since: [2, 6, 32],
    value: `free min low high ${zone4} isolated(anon) isolated(file) present mlocked dirty writeback mapped shmem slab_reclaimable slab_unreclaimable kernel_stack pagetables unstable bounce writeback_tmp pages_scanned all_unreclaimable`,
    source: "2.6.32.67, 3.0.1",
  },
  {
    since: [3, 7],
    value: `free min low high ${zone4} isolated(anon) isolated(file) present mlocked dirty writeback mapped shmem slab_reclaimable slab_unreclaimable kernel_stack pagetables unstable bounce free_cma writeback_tmp pages_scanned all_unreclaimable`,
    source: "history",
  },
  {
    since: [3, 8],
    value: `free min low high ${zone4} isolated(anon) isolated(file) present managed mlocked dirty writeback mapped shmem slab_reclaimable slab_unreclaimable kernel_stack pagetables unstable bounce free_cma writeback_tmp pages_scanned all_unreclaimable`,
    source: "3.10.99, 3.13; managed: commit 9feedc9d831e",
  },
  {
    since: [4, 1],
    value: `free min low high ${zone4} isolated(anon) isolated(file) present managed mlocked dirty writeback mapped shmem slab_reclaimable slab_unreclaimable kernel_stack pagetables unstable bounce free_pcp local_pcp free_cma writeback_tmp pages_scanned all_unreclaimable`,
    source: "commit d1bfcdb8ce0e",
  },
  {
    since: [4, 8],
    value: `free min low high ${zone4} writepending present managed mlocked slab_reclaimable slab_unreclaimable kernel_stack pagetables bounce free_pcp local_pcp free_cma`,
    source: "history",
  },
  {
    since: [4, 13],
    value: `free min low high ${zone4} writepending present managed mlocked kernel_stack pagetables bounce free_pcp local_pcp free_cma`,
    source: "4.14, 4.19; first release from history",
  },
  {
    since: [5, 5],
    value: `free min low high reserved_highatomic ${zone4} writepending present managed mlocked kernel_stack pagetables bounce free_pcp local_pcp free_cma`,
    source: "commit e47b346aba08",
  },
  {
    since: [5, 10],
    value: `free min low high reserved_highatomic ${zone4} writepending present managed mlocked pagetables bounce free_pcp local_pcp free_cma`,
    source: "5.10.13",
  },
  {
    since: [5, 11],
    value: `free min low high reserved_highatomic ${zone4} writepending present managed mlocked bounce free_pcp local_pcp free_cma`,
    source: "5.15.0; first release from history",
  },
  {
    since: [5, 16],
    value: `free boost min low high reserved_highatomic ${zone4} writepending present managed mlocked bounce free_pcp local_pcp free_cma`,
    source: "6.1.192; commit a6ea8b5b9f1c",
  },
  {
    since: [6, 13],
    value: `free boost min low high reserved_highatomic free_highatomic ${zone4} writepending present managed mlocked bounce free_pcp local_pcp free_cma`,
    source: "history",
  },
  {
    since: [6, 18],
    value: `free boost min low high reserved_highatomic free_highatomic ${zone4} writepending zspages present managed mlocked bounce free_pcp local_pcp free_cma`,
    source: "7.2.12; the patch that shows zspages (September 2025); first release from history",
  },
];

/** Fields that the kernel prints with a capital unit, `0KB`. */
export const capitalUnit: ReadonlySet<string> = new Set(["reserved_highatomic", "free_highatomic"]);

/**
 * The three THP fields of the node line had a blank behind the colon, `shmem_thp: 0kB`, until a patch of 2023 deleted it.
 * (4.8 and 4.9 also gave the four values from `shmem` on in the wrong order: `shmem` got the first THP counter, `anon_thp` got shmem.)
 */
export const blankBeforeThp: readonly Fact<boolean>[] = [
  { since: [4, 8], value: true, source: "4.14, 4.19, 5.10.13, 5.15.0, 6.1.192" },
  { since: [6, 7], value: false, source: "mm/show_mem.c at 044d659 (6.10); first release from history" },
];

/** The node's THP fields. */
export const thpFields: ReadonlySet<string> = new Set(["shmem_thp", "shmem_pmdmapped", "anon_thp"]);

/** How the per-CPU page lists are printed; gone with 4.1. */
export type CpuPagesForm = "low high batch" | "hot cold used" | "Hot Cold" | "one list" | "none";
export const cpuPagesForms: readonly Fact<CpuPagesForm>[] = [
  { since: [2, 6], value: "low high batch", source: "2.6.9" },
  { since: [2, 6, 15], value: "hot cold used", source: "2.6.18; first release from history" },
  { since: [2, 6, 20], value: "Hot Cold", source: "2.6.24; first release from history" },
  { since: [2, 6, 25], value: "one list", source: "2.6.29, 2.6.32, 3.13; first release from history" },
  { since: [4, 1], value: "none", source: "commit d1bfcdb8ce0e" },
];

/** Letters of the migratetypes behind a free-list count (commit 377e4f167664). */
export const freeListLetters: readonly Fact<boolean>[] = [
  { since: [2, 6], value: false, source: "2.6.9 to 3.0" },
  { since: [3, 8], value: true, source: "3.10.99, 3.13" },
];

/** The name of the reserve line. */
export const reserveLine: readonly Fact<string>[] = [
  { since: [2, 6], value: "protections", source: "2.6.9" },
  { since: [2, 6, 11], value: "lowmem_reserve", source: "2.6.18" },
];

/** The heading of the body. */
export const memInfoHeading: readonly Fact<string>[] = [
  { since: [2, 6], value: "Mem-info:", source: "arch show_mem up to 2.6.27 (lower case i), x86" },
  { since: [2, 6, 28], value: "Mem-Info:", source: "lib/show_mem.c, 2.6.29" },
];

/** Page counts of the tail by their words, in printed order; each is printed where the configuration has it. */
export const tailWords: readonly string[] = [
  "pages of RAM",
  "pages of HIGHMEM",
  "free pages",
  "reserved pages",
  "slab pages",
  "pages RAM",
  "pages HighMem",
  "pages HighMem/MovableOnly",
  "pages reserved",
  "pages cma reserved",
  "pages shared",
  "pages swap cached",
  "pages non-shared",
  "pages in pagetable cache",
  "pages hwpoisoned",
];

/** How the swap lines look (mm/swap_state.c). */
export type SwapForm = "race" | "pages and stats" | "pages";
export const swapForms: readonly Fact<SwapForm>[] = [
  { since: [2, 6], value: "race", source: "2.6.9, 2.6.18, 2.6.24" },
  { since: [2, 6, 28], value: "pages and stats", source: "2.6.29 to 5.15" },
  { since: [5, 19], value: "pages", source: "6.1.192; first release from history" },
];

/** The first line of an allocation failure. */
export type FailureLineForm = "full stop" | "colon" | "names" | "nodemask" | "one line";
export const failureLineForms: readonly Fact<FailureLineForm>[] = [
  { since: [2, 6], value: "full stop", source: "2.6.9, 2.6.18, 2.6.24, 2.6.29, 2.6.32" },
  { since: [3, 0], value: "colon", source: "3.0.1, 3.10.99, 3.13" },
  { since: [4, 6], value: "names", source: "commit edf14cdbf9a0" },
  { since: [4, 11], value: "nodemask", source: "4.14, 4.19" },
  { since: [5, 0], value: "one line", source: "5.10.13, 6.1.192" },
];

/** The line `SLUB: Unable to allocate memory …`. */
export const slabFailureForms: readonly Fact<"parentheses" | "comma">[] = [
  { since: [2, 6, 31], value: "parentheses", source: "2.6.32.67, 3.13" },
  { since: [4, 6], value: "comma", source: "4.14, 6.1.192; first release with the gfp names" },
];

/** The page line of a bad page report. */
export type BadPageForm = "count last" | "count first" | "dump_page" | "dump_page refcount" | "dump_page pfn";
export const badPageForms: readonly Fact<BadPageForm>[] = [
  { since: [2, 6], value: "count last", source: "2.6.18, 2.6.24" },
  { since: [2, 6, 29], value: "count first", source: "2.6.29" },
  { since: [2, 6, 34], value: "dump_page", source: "3.0.1, 3.13, 4.19; first release from history" },
  { since: [5, 0], value: "dump_page refcount", source: "history" },
  { since: [5, 7], value: "dump_page pfn", source: "5.10.13, 6.1.192; first release from history" },
];

/** A tainted kernel names its flags in a line of their own, `Tainted: [B]=BAD_PAGE, [O]=OOT_MODULE`. */
export const taintNamesLine: readonly Fact<boolean>[] = [
  { since: [2, 6], value: false, source: "reports of 5.10.223 and 6.1.192" },
  { since: [6, 11], value: true, source: "reports of 6.12.117, 6.19.11 and 7.2.12; first release from history" },
];

/** `Memory cgroup min protection 0kB -- low protection 0kB` behind the body of a failure or an OOM report, with cgroup v2. */
export const protectionLine: readonly Fact<boolean>[] = [
  { since: [2, 6], value: false, source: "mm/page_alloc.c warn_alloc_show_mem, 6.12.117" },
  {
    since: [6, 19],
    value: true,
    source: "mm/memcontrol.c mem_cgroup_show_protected_memory, 7.2.12; a report of 6.19.11; commit bc8e51c05ad5",
  },
];

/** Kernel functions that date a stack: present from `since` up to `until` (the last release that has them). */
export const datedSymbols: readonly {
  readonly name: string;
  readonly since?: readonly number[];
  readonly until?: readonly number[];
  readonly source: string;
}[] = [
  { name: "__slab_alloc", since: [2, 6, 22], source: "mm/slub.c, 2.6.24; SLUB came with 2.6.22" },
  { name: "new_slab", since: [2, 6, 22], source: "mm/slub.c, 2.6.24; SLUB came with 2.6.22" },
  { name: "__alloc_pages_internal", since: [2, 6, 26], until: [2, 6, 30], source: "2.6.29; bounds from history" },
  { name: "__alloc_pages_nodemask", since: [2, 6, 31], until: [5, 12], source: "2.6.32 to 5.10; bounds from history" },
  { name: "__alloc_pages_noprof", since: [6, 10], source: "history" },
  { name: "warn_alloc_failed", since: [3, 0], until: [4, 8], source: "3.0.1, 3.10.99, 3.13; bounds from history" },
  { name: "warn_alloc", since: [4, 9], source: "4.14, 4.19, 5.10, 6.1; bound from history" },
];
