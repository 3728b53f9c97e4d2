// Whether an OOM report is about the machine or about the zones that its request may use: low memory can run out on a machine with plenty above
// it, as on 32-bit kernels with HighMem, or for a driver that asks below 16 MiB or 4 GiB (gfp_zone(), include/linux/gfp.h).

import { allocatorGfpAt } from "../kernel/facts/allocator_gfp.ts";
import type { MemZone } from "../kernel/readings/mem_info.ts";
import { closedOf, every } from "../kernel/readings/part.ts";
import type { Case } from "./case.ts";
import { highestZoneOf, rebuild, zoneTypesOf } from "./rebuild.ts";
import { listing, size } from "./words.ts";

export interface Confined {
  /** The zones that it may use, as a reader calls them: `DMA and Normal, low memory`. */
  readonly zones: string;
  /** What the others had free, with their names; undefined where the text does not say. */
  readonly elsewhere: string | undefined;
  /** Slab in the zones that it may use, in kB, and how much of them it is; undefined where a zone's line lacks it. */
  readonly slab: { readonly kb: number; readonly share: number } | undefined;
}

const narrowArchitectures: readonly string[] = ["i386", "ppc32", "arm", "mips"];

/** Zones without pages of this name are not printed; most machines have none. */
const seldom: readonly string[] = ["Movable", "Device"];

/** Undefined where the request may use every zone, where the others were short too, or where the mask is not known. */
export function confinedTo(c: Case): Confined | undefined {
  const bits = allocatorGfpAt(c.release.version);
  if (c.gfp === undefined || bits === undefined) return undefined;
  const { mask } = c.gfp;
  const printed = c.memInfo?.zones ?? [];
  if (printed.length === 0 || c.memInfo === undefined) {
    // Without zones a 32-bit machine may have high memory or not.
    const narrow =
      c.arch.known && narrowArchitectures.includes(c.arch.arch) && (mask & bits.highmem) === 0
        ? "low memory"
        : undefined;
    const low = (mask & bits.dma) !== 0 ? "DMA" : (mask & bits.dma32) !== 0 ? "DMA32" : narrow;
    return low === undefined ? undefined : { zones: low, elsewhere: undefined, slab: undefined };
  }
  const types = zoneTypesOf(c.memInfo, c.arch.arch);
  const highest = highestZoneOf(mask, bits, types);
  const isOpen = (name: string): boolean => types.indexOf(name) <= highest;
  const shut = printed.filter((z) => !isOpen(z.name));
  const whole = closedOf(c.zones) !== undefined;
  const unseen = whole ? [] : types.filter((t) => !isOpen(t) && !seldom.includes(t));
  if (shut.length === 0 && unseen.length === 0) return undefined;
  const free = whole ? freeOf(shut) : undefined;
  if (free === "short") return undefined;
  const open = printed.filter((z) => isOpen(z.name));
  const names = [...new Set(open.map((z) => z.name))];
  const isLow = [...shut.map((z) => z.name), ...unseen].includes("HighMem");
  return {
    zones: `${names.length === 0 ? "those below" : listing(names)}${isLow ? ", low memory" : ""}`,
    elsewhere:
      free === undefined
        ? undefined
        : `${size(free * 1024)} were free in ${listing([...new Set(shut.map((z) => z.name))])}`,
    slab: slabOf(open),
  };
}

/**
 * Whether only blocks of several pages were lacking, when the killer ran for one (__alloc_pages_may_oom() runs it up to order 3): a single page
 * would have been served. Undefined where the text does not tell, and where one page was asked for.
 */
export function onlyBlocks(c: Case): { readonly order: number; readonly is: boolean | undefined } | undefined {
  if (c.incident.kind !== "oom" || c.order === undefined || c.order <= 0) return undefined;
  const refused = rebuild(c)?.singleRefused;
  return { order: c.order, is: refused === undefined ? undefined : !refused };
}

/**
 * Whether the report does not tell for which zones and blocks the killer ran, its first line being lost, and does not show either that nobody would
 * have got a page: zones that stand above their high marks, and above what is kept there for others, are not short for everybody. A panic says it
 * in words.
 */
export function untoldRequest(c: Case): boolean {
  if (c.incident.kind !== "oom" || c.incident.reading.outcome === "panic") return false;
  if (c.gfp !== undefined && c.order !== undefined) return false;
  const isShort = ({ kb, lowmemReserve = [] }: MemZone): boolean =>
    kb.free !== undefined && kb.high !== undefined && kb.free <= kb.high + Math.max(0, ...lowmemReserve) * c.pageKb;
  return every(c.zones, isShort) === undefined;
}

/** Free kB of zones of which at least one stands above its high mark; `short` where none does, undefined where a number is missing. */
function freeOf(zones: readonly MemZone[]): number | "short" | undefined {
  let sum = 0;
  let plenty = false;
  for (const { kb } of zones) {
    if (kb.free === undefined || kb.high === undefined) return undefined;
    sum += kb.free;
    plenty ||= kb.free > kb.high;
  }
  return plenty ? sum : "short";
}

function slabOf(zones: readonly MemZone[]): { kb: number; share: number } | undefined {
  let kb = 0;
  let all = 0;
  for (const z of zones) {
    const { slab_reclaimable: reclaimable, slab_unreclaimable: unreclaimable } = z.kb;
    const pages = z.kb.managed ?? z.kb.present;
    if (reclaimable === undefined || unreclaimable === undefined || pages === undefined) return undefined;
    kb += reclaimable + unreclaimable;
    all += pages;
  }
  return all === 0 ? undefined : { kb, share: kb / all };
}
