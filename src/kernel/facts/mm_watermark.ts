// Dated facts of watermarks: which test decides whether a zone may serve a request.
import type { Fact, Release } from "../release.ts";
import { factAt } from "../release.ts";

/** W0 2.6.9 · W1 2.6.11 to 4.3 · W2 4.4 to 6.2 · W3 6.3, and late 6.1.y. The same buddy line may pass one and fail another. */
export type WatermarkGeneration = 0 | 1 | 2 | 3;

const watermarkGenerations: readonly Fact<WatermarkGeneration>[] = [
  { since: [2, 6, 9], value: 0, source: "__alloc_pages(), mm/page_alloc.c, 2.6.9" },
  { since: [2, 6, 11], value: 1, source: "zone_watermark_ok(), mm/page_alloc.c, 2.6.11, 2.6.24, 3.13" },
  { since: [4, 4], value: 2, source: "__zone_watermark_ok(), mm/page_alloc.c, 4.19" },
  {
    since: [6, 3],
    stable: { "6.1": 192 },
    value: 3,
    source:
      "__zone_watermark_ok(), mm/page_alloc.c, 6.1.192 (brought there by some earlier 6.1.y), 6.6.45, 6.12.117, 7.2.12",
    read: "tree",
  },
];

/** The generation of a release; W0 for anything older than the table. */
export function watermarkGenerationOf(release: Release): WatermarkGeneration {
  return factAt(watermarkGenerations, release.version)?.value ?? 0;
}
