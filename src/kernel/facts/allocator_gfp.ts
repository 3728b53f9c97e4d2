// The gfp bits that allocators read, derived from the one table of the mask's layouts (gfp_eras.ts): what the decoder names is what the model does.
import { assert } from "../../base/assert.ts";
import { gfpEraAt, gfpMask } from "./gfp.ts";

/** The gfp bits that the page allocator reads; 0 where a release has no such bit. */
export interface AllocatorGfp {
  readonly dma: number;
  readonly highmem: number;
  readonly dma32: number;
  readonly movable: number;
  readonly reclaimable: number;
  readonly high: number;
  readonly atomic: number;
  /** __GFP_DIRECT_RECLAIM, or __GFP_WAIT before 4.4. */
  readonly directReclaim: number;
  /** __GFP_KSWAPD_RECLAIM; 0 before 4.4, when every allocation wakes kswapd. */
  readonly kswapdReclaim: number;
  readonly nowarn: number;
  /** __GFP_RETRY_MAYFAIL, or __GFP_REPEAT before 4.13. */
  readonly retryMayfail: number;
  readonly nofail: number;
  readonly noretry: number;
  readonly memalloc: number;
  readonly comp: number;
  readonly nomemalloc: number;
  readonly thisnode: number;
  readonly io: number;
  readonly fs: number;
}

/** Which names of the table stand for a field, the first that a release has. */
export const allocatorGfpNames: Readonly<Record<keyof AllocatorGfp, readonly string[]>> = {
  dma: ["DMA"],
  highmem: ["HIGHMEM"],
  dma32: ["DMA32"],
  movable: ["MOVABLE"],
  reclaimable: ["RECLAIMABLE"],
  high: ["HIGH"],
  atomic: ["ATOMIC"],
  directReclaim: ["DIRECT_RECLAIM", "WAIT"],
  kswapdReclaim: ["KSWAPD_RECLAIM"],
  nowarn: ["NOWARN"],
  retryMayfail: ["RETRY_MAYFAIL", "REPEAT"],
  nofail: ["NOFAIL"],
  noretry: ["NORETRY"],
  memalloc: ["MEMALLOC"],
  comp: ["COMP"],
  nomemalloc: ["NOMEMALLOC"],
  thisnode: ["THISNODE"],
  io: ["IO"],
  fs: ["FS"],
};

/** The bits of a version; undefined before 2.4, of which no layout is known. */
export function allocatorGfpAt(version: readonly number[]): AllocatorGfp | undefined {
  const era = gfpEraAt(version);
  if (era === undefined) return undefined;
  const bit = (field: keyof AllocatorGfp): number =>
    allocatorGfpNames[field].reduce((found, name) => found || (gfpMask(name, era) ?? 0), 0);
  return {
    dma: bit("dma"),
    highmem: bit("highmem"),
    dma32: bit("dma32"),
    movable: bit("movable"),
    reclaimable: bit("reclaimable"),
    high: bit("high"),
    atomic: bit("atomic"),
    directReclaim: bit("directReclaim"),
    kswapdReclaim: bit("kswapdReclaim"),
    nowarn: bit("nowarn"),
    retryMayfail: bit("retryMayfail"),
    nofail: bit("nofail"),
    noretry: bit("noretry"),
    memalloc: bit("memalloc"),
    comp: bit("comp"),
    nomemalloc: bit("nomemalloc"),
    thisnode: bit("thisnode"),
    io: bit("io"),
    fs: bit("fs"),
  };
}

/** {@link allocatorGfpAt} for a release that the model can run: 2.4 or newer. */
export function allocatorGfpOf(version: readonly number[]): AllocatorGfp {
  const bits = allocatorGfpAt(version);
  assert(bits !== undefined, () => `no layout of the gfp mask is known for ${version.join(".")}`);
  return bits;
}
