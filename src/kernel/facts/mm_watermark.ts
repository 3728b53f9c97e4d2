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

/** Marks contain a boost that fragmentation raised (5.0); the zone line prints it since 5.16. */
export const boostSince: readonly number[] = [5, 0];
export const boostPrintedSince: readonly number[] = [5, 16];

const boostRetries: readonly Fact<boolean>[] = [
  { since: [2, 6], value: false, source: "zone_watermark_fast(), mm/page_alloc.c, 5.4.26" },
  { since: [5, 9], value: true, source: "commit f80b08fc4453", read: "history" },
];

/** Whether zone_watermark_fast() tries an atomic request for one page at the min mark again without the boost. */
export const boostRetryAt = (release: Release): boolean => factAt(boostRetries, release.version)?.value ?? false;

const singleFromHighatomic: readonly Fact<boolean>[] = [
  {
    since: [2, 6],
    value: false,
    source: "rmqueue(): the atomic reserve only for orders above 0; mm/page_alloc.c, 4.19, 5.10",
  },
  {
    since: [6, 12],
    stable: { "6.11": 7, "6.6": 60, "6.1": 116, "5.15": 171 },
    value: true,
    source: "commit 281dd25c1a01 and the stable trees of November 2024",
    read: "history",
  },
];

/** Whether an atomic request for one page may at last take it from the reserve of high-order atomic requests. */
export const singleFromHighatomicAt = (release: Release): boolean =>
  factAt(singleFromHighatomic, release.version)?.value ?? false;

/** The generation of a release; W0 for anything older than the table. */
export function watermarkGenerationOf(release: Release): WatermarkGeneration {
  return factAt(watermarkGenerations, release.version)?.value ?? 0;
}
