// Which slab parts a release has: a dated list, as facts are, whose values are parts. The parts themselves read no release.
import { gfpEraAt, gfpMask } from "../../kernel/facts/gfp.ts";
import {
  pageFragBigNeverSleeps,
  slubAlwaysCompound,
  slubEmptySlack,
  slubMayFallBack,
} from "../../kernel/facts/slab.ts";
import type { Fact, Release } from "../../kernel/release.ts";
import { factAt } from "../../kernel/release.ts";
import type { PageFragRules } from "../slab/page_frag.ts";
import { pageFragDown, pageFragUp } from "../slab/page_frag.ts";
import type { SlabParts } from "../slab/parts.ts";
import type { SlabGfp } from "../slab/slab_gfp.ts";
import { passedNames } from "../slab/slab_gfp.ts";
import { freeDetached, freeDetachedMarking } from "../slab/slub/bulk.ts";
import { countObjects, countSlabs } from "../slab/slub/chain_count.ts";
import {
  cpuSlabs,
  giveBackReversed,
  giveBackSpliced,
  toTailAfterRemoteFrees,
  toTailWhenEmpty,
} from "../slab/slub/cpu_slab.ts";
import { listsFrozen } from "../slab/slub/lists_frozen.ts";
import { listsNone } from "../slab/slub/lists_none.ts";
import { listsPlain } from "../slab/slub/lists_plain.ts";
import type { SlubMaker } from "../slab/slub/shape.ts";
import { sheaves } from "../slab/slub/sheaves.ts";

const toTail = toTailAfterRemoteFrees;

/** SLUB by release. */
export const slubParts: readonly Fact<SlubMaker>[] = [
  {
    since: [2, 6, 22],
    value: cpuSlabs({
      giveBack: giveBackReversed,
      toTail: toTailWhenEmpty,
      lists: listsNone(false),
      bulkReversed: false,
      freeDetached: freeDetachedMarking,
    }),
    source: "mm/slub.c deactivate_slab(), unfreeze_slab(), __slab_free(), 2.6.24",
    read: "tree",
  },
  {
    since: [2, 6, 25],
    value: cpuSlabs({
      giveBack: giveBackReversed,
      toTail,
      lists: listsNone(false),
      bulkReversed: false,
      freeDetached: freeDetachedMarking,
    }),
    source: "mm/slub.c deactivate_slab(), unfreeze_slab(), 2.6.29, 2.6.32",
    read: "tree",
  },
  {
    since: [3, 1],
    value: cpuSlabs({
      giveBack: giveBackReversed,
      toTail,
      lists: listsNone(true),
      bulkReversed: false,
      freeDetached: freeDetachedMarking,
    }),
    source: "mm/slub.c of 3.1: not read in a tree",
    read: "history",
  },
  {
    since: [3, 2],
    value: cpuSlabs({
      giveBack: giveBackReversed,
      toTail,
      lists: listsFrozen(countObjects),
      bulkReversed: false,
      freeDetached: freeDetachedMarking,
    }),
    source: "mm/slub.c deactivate_slab(), put_cpu_partial(), __slab_free(), 3.13, 4.19",
    read: "tree",
  },
  {
    since: [5, 3],
    value: cpuSlabs({
      giveBack: giveBackReversed,
      toTail,
      lists: listsFrozen(countObjects),
      bulkReversed: true,
      freeDetached: freeDetachedMarking,
    }),
    source:
      "mm/slub.c slab_free_freelist_hook(): builds every list anew, whatever the configuration, 5.10.265; the first release is from the history",
    read: "history",
  },
  {
    since: [5, 12],
    value: cpuSlabs({
      giveBack: giveBackSpliced,
      toTail,
      lists: listsFrozen(countObjects),
      bulkReversed: true,
      freeDetached: freeDetachedMarking,
    }),
    source:
      "mm/slub.c deactivate_slab(): reversed in 5.10.223, spliced in 6.1.192; the release between is from the history",
    read: "history",
  },
  {
    since: [5, 16],
    value: cpuSlabs({
      giveBack: giveBackSpliced,
      toTail,
      lists: listsFrozen(countSlabs),
      bulkReversed: true,
      freeDetached: freeDetachedMarking,
    }),
    source: "mm/slub.c put_cpu_partial(), get_partial_node(), 6.1.192",
    read: "tree",
  },
  {
    since: [6, 0],
    value: cpuSlabs({
      giveBack: giveBackSpliced,
      toTail,
      lists: listsFrozen(countSlabs),
      bulkReversed: true,
      freeDetached,
    }),
    source:
      "mm/slub.c build_detached_freelist(): marks what it takes in 5.10.265, swaps it in 6.1.192; mails of 2022 change it, after 5.17 made struct slab",
    read: "history",
  },
  {
    since: [6, 8],
    value: cpuSlabs({ giveBack: giveBackSpliced, toTail, lists: listsPlain, bulkReversed: true, freeDetached }),
    source: "mm/slub.c __slab_free(), __put_partials(), get_partial_node(), 6.12.117",
    read: "tree",
  },
  {
    since: [7, 0],
    value: sheaves,
    source:
      "mm/slub.c alloc_from_pcs(), free_to_pcs(), refill_objects(), 7.2.12; the first release is from the history",
    read: "tree",
  },
];

/** page_frag by release. */
export const pageFragParts: readonly Fact<(rules: PageFragRules) => SlabParts["pageFrag"]>[] = [
  {
    since: [2, 6],
    value: pageFragDown,
    source: "mm/page_alloc.c page_frag_alloc(), 5.10.223, 6.1.192, 6.12.117",
    read: "tree",
  },
  { since: [6, 13], value: pageFragUp, source: "mm/page_frag_cache.c __page_frag_alloc_align(), 7.2.12", read: "tree" },
];

/** Bits of one release that slab code tests or sets; 0 where the release has no such bit. */
export function slabGfp(release: Release): SlabGfp {
  const era = gfpEraAt(release.version);
  const bit = (name: string): number => (era === undefined ? 0 : (gfpMask(name, era) ?? 0));
  return {
    comp: bit("COMP"),
    dma: bit("DMA"),
    reclaimable: bit("RECLAIMABLE"),
    memalloc: bit("MEMALLOC"),
    silent: bit("NOWARN") | bit("NORETRY"),
    nowarn: bit("NOWARN"),
    noFail: bit("NOFAIL"),
    mayReclaim: bit("DIRECT_RECLAIM") || bit("WAIT"),
    reclaim: bit("RECLAIM"),
    noMemalloc: bit("NOMEMALLOC"),
    passed: passedNames.split(" ").reduce((mask, name) => mask | bit(name), 0),
  };
}

/** The slab parts of a release, exact or by facts. */
export function slabPartsOf(release: Release): SlabParts {
  const { version } = release;
  const gfp = slabGfp(release);
  const fact = <T>(facts: readonly Fact<T>[], otherwise: T): T => factAt(facts, version)?.value ?? otherwise;
  return {
    slub: factAt(slubParts, version)?.value,
    rules: {
      gfp,
      mayFallBack: fact(slubMayFallBack, false),
      alwaysCompound: fact(slubAlwaysCompound, false),
      emptySlack: fact(slubEmptySlack, 0),
    },
    pageFrag: fact(pageFragParts, pageFragDown)({ gfp, bigNeverSleeps: fact(pageFragBigNeverSleeps, false) }),
  };
}
