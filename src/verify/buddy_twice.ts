// What a recording of the page allocator says twice: zones before and after the run, totals of the first line, masks and their names.

import { gfpCombination, gfpEraAt, gfpMask } from "../kernel/facts/gfp.ts";
import type { GfpEra } from "../kernel/facts/gfp_eras.ts";
import type { BuddyHeader, BuddyTranscript, BuddyZone } from "./buddy_transcript.ts";
import type { TranscriptInput } from "./replayer.ts";
import { requireSame, requireSameWhere } from "./said_twice.ts";

type Row = Readonly<Record<string, unknown>>;

/** What no step changes of a zone: the recorders hold nothing back but pages, and nobody else ran. */
const fixed: readonly (readonly [what: string, of: (z: BuddyZone) => unknown])[] = [
  ["name", (z) => z.name],
  ["idx", (z) => z.index],
  ["start_pfn", (z) => z.start],
  ["spanned", (z) => z.spanned],
  ["present", (z) => z.present],
  ["managed", (z) => z.managed],
  ["watermark", (z) => z.watermark.join(" ")],
  ["percpu_drift_mark", (z) => z.driftMark],
  ["lowmem_reserve", (z) => z.lowmemReserve.join(" ")],
  ["lru_or_movable_ranges", (z) => z.lruRanges.join(" ")],
  ["cpu of each pcp", (z) => z.pcp.map((p) => p.cpu).join(" ")],
  ["stat_threshold", (z) => z.pcp.map((p) => p.statThreshold).join(" ")],
  ["expire", (z) => z.pcp.map((p) => p.expire).join(" ")],
];

/** BadInput where the first line and the zones contradict themselves or each other. `line1` is the first line as it stands. */
export function requireConsistent(input: TranscriptInput, line1: Row, transcript: BuddyTranscript): void {
  const { header, before, after } = transcript;
  for (const [i, zone] of before.entries())
    for (const [what, of] of fixed) {
      const later = after[i] as BuddyZone;
      requireSame(input, later.line, `"${what}" of zone ${zone.name}`, of(later), of(zone));
    }
  for (const zone of before) {
    const cpus = zone.pcp.map((p) => p.cpu).join(" ");
    requireSame(input, zone.line, "The CPUs of the per-CPU lists", cpus, zone.pcp.map((_, i) => i).join(" "));
    requireSameWhere(input, line1, "nr_cpus_online", zone.pcp.length);
  }
  for (const zone of [...before, ...after]) requireCounted(input, zone, header);
  requireSameWhere(
    input,
    line1,
    "totalram_pages",
    before.reduce((n, z) => n + z.managed, 0),
  );
  requireSameWhere(input, line1, "max_page_order", header.orders - 1);
  requireSame(input, 1, '"page_shift"', header.pageShift, 12, "The model is held to x86_64 alone.");
}

/** What a zone counts and also lists. */
function requireCounted(input: TranscriptInput, zone: BuddyZone, header: BuddyHeader): void {
  const pages = (wanted: (order: number, type: number) => boolean): number =>
    [...zone.lists].reduce((n, [key, pfns]) => n + (wanted(key >> 3, key & 7) ? pfns.length << (key >> 3) : 0), 0);
  if (zone.freeInBlocks !== undefined) {
    const listed = pages((order) => order >= header.pageblockOrder);
    requireSame(input, zone.line, '"vm_stat_nr_free_pages_blocks"', zone.freeInBlocks, listed);
  }
  if (zone.freeCma !== undefined)
    requireSame(
      input,
      zone.line,
      '"nr_free_cma"',
      zone.freeCma,
      pages((_order, type) => type === 4),
    );
}

/** Flags behind the names that recorders give their masks; ATOMIC is the kernel's own GFP_ATOMIC. */
const masks: Readonly<Record<string, string>> = {
  NOWAIT_UNMOVABLE: "KSWAPD_RECLAIM NOWARN",
  NOWAIT_MOVABLE: "KSWAPD_RECLAIM NOWARN MOVABLE",
  NOWAIT_RECLAIMABLE: "KSWAPD_RECLAIM NOWARN RECLAIMABLE",
  ATOMIC: "NOWARN",
  ATOMIC_MOVABLE: "NOWARN MOVABLE",
  DMA_NOWAIT: "DMA KSWAPD_RECLAIM NOWARN",
  NOKSWAPD_UNMOVABLE: "NOWARN",
  NOKSWAPD_MOVABLE: "NOWARN MOVABLE",
  NOKSWAPD_RECLAIMABLE: "NOWARN RECLAIMABLE",
  MEMALLOC_UNMOVABLE: "MEMALLOC KSWAPD_RECLAIM NOWARN",
  HIGH_NOMEMALLOC: "HIGH NOMEMALLOC KSWAPD_RECLAIM NOWARN",
};

/** BadInput where a mask is not what its name means on that kernel. A name that is none of the recorders' is believed. */
export function requireMasks(
  input: TranscriptInput,
  line1: Row,
  header: BuddyHeader,
  version: readonly number[],
): void {
  const era = gfpEraAt(version) as GfpEra;
  for (const [name, mask] of header.gfps) {
    const flags = masks[name];
    if (flags === undefined) continue;
    const atomic = name.startsWith("ATOMIC") ? (gfpCombination("GFP_ATOMIC", version) ?? 0) : 0;
    requireSame(input, 1, `The gfp mask of ${name}`, mask, (gfpMask(flags, era) ?? 0) | atomic);
  }
  const bits = line1.gfp_bits;
  if (typeof bits !== "object" || bits === null) return;
  for (const [name, mask] of Object.entries(bits))
    requireSame(input, 1, `The bit of __GFP_${name}`, mask, gfpMask(name, era));
}
