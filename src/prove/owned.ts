// Where a zone's memory in use lies, from what page_owner lists: the part of its pages that is this zone's, as a state takes it.
import type { OwnedSaid, ZoneSaid } from "../diagnosis/machine_told.ts";
import { ownedBlockPages } from "../kernel/readings/owned_pages.ts";
import type { Release } from "../kernel/release.ts";
import type { StateGiven } from "../scenario/machine_state_settings.ts";

type Held = NonNullable<StateGiven["zones"][number]["held"]>;

/** The largest block: a zone begins at a multiple of it, so that blocks fit as they do there. */
const mostAligned = 1024;
/** MAX_DMA_PFN and MAX_DMA32_PFN, arch/x86/include/asm/dma.h, 6.1. */
const x86Starts: Readonly<Record<string, number>> = { DMA: 0, DMA32: 4096, Normal: 1_048_576 };

/** The first page frame of a zone, a multiple of the largest block; undefined where nothing says it. */
function startOf(owned: OwnedSaid, { node, zone }: ZoneSaid, { arch }: Release): number | undefined {
  const said = owned.starts.find((s) => s.node === node && s.zone === zone)?.startPfn;
  const pfn = said ?? (arch === "x86_64" && node === 0 ? x86Starts[zone] : undefined);
  return pfn === undefined ? undefined : pfn - (pfn % mostAligned);
}

/** Pages that the model holds of the zone, and where those in use lie; a sentence where the dump cannot be used for all of these zones. */
export function heldOf(
  owned: OwnedSaid,
  zones: readonly ZoneSaid[],
  release: Release,
): ReadonlyMap<ZoneSaid, { readonly pages: number; readonly held: Held }> | string {
  if (owned.runs === null) return "it lists pages over more than 512 MB, or no types of pages";
  const letters = lettersOf(owned.runs);
  const starts = zones.map((z) => startOf(owned, z, release));
  if (starts.includes(undefined)) return "the inputs do not say where zones begin (/proc/zoneinfo does)";
  const out = new Map<ZoneSaid, { readonly pages: number; readonly held: Held }>();
  for (const [i, zone] of zones.entries()) {
    const start = starts[i] as number;
    const next = Math.min(...starts.filter((s): s is number => s !== undefined && s > start), Number.POSITIVE_INFINITY);
    const present = Math.ceil((zone.presentKb ?? zone.managedKb ?? 0) / 4);
    const listedTo = owned.firstPfn + letters.length;
    const end = Math.min(next, Math.max(start + present, listedTo));
    const at = (pfn: number): string => letters[pfn - owned.firstPfn] ?? ".";
    const own = Array.from({ length: end - start }, (_, p) => at(start + p));
    const listed = own.reduce((n, letter) => n + (letter === "." ? 0 : 1), 0);
    if (listed > (zone.managedKb ?? zone.presentKb ?? 0) / 4)
      return `it lists ${listed.toLocaleString("en-US")} pages of zone ${zone.zone}, more than the report's machine has there`;
    const blockAt = (pfn: number): string => owned.blocks[(pfn - owned.firstPfn) / ownedBlockPages] ?? ".";
    const blocks = Array.from({ length: Math.ceil(own.length / ownedBlockPages) }, (_, b) =>
      blockAt(start + b * ownedBlockPages),
    );
    if (end > start) out.set(zone, { pages: end - start, held: { runs: runsOf(own), blocks: blocks.join("") } });
  }
  return out;
}

const lettersOf = (runs: string): readonly string[] =>
  [...runs.matchAll(/(\d{1,7})([A-Z.])/g)].flatMap(([, n, letter]) =>
    Array.from({ length: Number(n) }, () => letter ?? "."),
  );

function runsOf(letters: readonly string[]): string {
  let out = "";
  for (let at = 0; at < letters.length; ) {
    let to = at + 1;
    while (letters[to] === letters[at]) to++;
    out += `${to - at}${letters[at]}`;
    at = to;
  }
  return out;
}
