// The memory that a report prints, or files of /proc beside it, as the state a machine starts from: free lists by order and type, marks and reserves
// exactly; of what is in use as much as a run can touch.

import type { ProveInput, SaidLine, ZoneSaid } from "../diagnosis/machine_told.ts";
import type { Release } from "../kernel/release.ts";
import { bootPages } from "../scenario/filled_state.ts";
import type { StateGiven } from "../scenario/machine_state_settings.ts";
import { heldOf } from "./owned.ts";

type ZoneGiven = StateGiven["zones"][number];
type ZoneName = ZoneGiven["zone"];

const kbPerPage = 4;
const names: readonly ZoneName[] = ["DMA", "DMA32", "Normal", "HighMem", "Movable"];
const isName = (name: string): name is ZoneName => (names as readonly string[]).includes(name);
/** Pages in use that the model keeps of a zone, at least: more than a run reclaims or moves. */
const usedLeast = 12_288;

/** Zones that a kernel of that architecture is built with. */
function zoneTypesOf(release: Release, zones: readonly { readonly zone: string }[]): StateGiven["zoneTypes"] {
  const narrow = ["i386", "ppc32", "arm", "mips"].includes(release.arch) && !zones.some((z) => z.zone === "DMA32");
  return narrow ? ["DMA", "Normal", "HighMem", "Movable"] : ["DMA", "DMA32", "Normal", "Movable"];
}

/** Memory to start from, and what printed it. */
export interface Printed {
  readonly state: StateGiven;
  readonly from: string;
  readonly evidence: readonly SaidLine[];
  /** The report itself printed it: what was left at the failure. */
  readonly atFailure: boolean;
  /** How pageblocks are shared among the types is known. */
  readonly pageblocks: boolean;
  /** Pages in use lie where page_owner says; a sentence: why not; undefined: there is no dump. */
  readonly places: true | string | undefined;
}

/** What is missing for a state, in words; or the state. `ringPages` come on top, in the highest zone that the kernel itself may use. */
export function printedState(input: ProveInput, release: Release, ringPages: number): Printed | string {
  const { machine } = input;
  const { zonesOfFiles: files, pageblocks } = machine;
  const why = gapOf(input);
  if (why !== undefined && (files === null || machine.minFreeKb === null)) return why;
  const zones = withMemory(why === undefined || files === null ? machine.zones : files.value);
  const owned = machine.ownedPages;
  const held = owned === null ? undefined : heldOf(owned.value, zones, release);
  const shared = {
    state: stateOf(input, release, zones, typeof held === "string" ? undefined : held, ringPages),
    pageblocks: pageblocks !== null,
    places: held === undefined || typeof held === "string" ? held : (true as const),
  };
  return why === undefined || files === null
    ? { ...shared, from: "Mem-Info", evidence: [], atFailure: true }
    : { ...shared, from: `${why}: ${files.because}`, evidence: files.evidence, atFailure: false };
}

const withMemory = (zones: readonly ZoneSaid[]): readonly ZoneSaid[] =>
  zones.filter((z) => isName(z.zone) && (z.managedKb ?? z.presentKb ?? 0) > 0);

/** What the report's own zones lack for a state; undefined: nothing. */
function gapOf({ machine }: ProveInput): string | undefined {
  const zones = withMemory(machine.zones);
  if (zones.length === 0) return "the report prints no zones";
  // Marks are told of a whole list only: what min_free_kbytes is shared over is not known otherwise.
  if (machine.minFreeKb === null) return "the report's list of zones is cut";
  const gap = zones.find((z) => z.blocks === null || z.minKb === null || z.lowKb === null || z.highKb === null);
  return gap === undefined ? undefined : `the report's lines of zone ${gap.zone} are missing or cut`;
}

function stateOf(
  input: ProveInput,
  release: Release,
  zones: readonly ZoneSaid[],
  places: Exclude<ReturnType<typeof heldOf>, string> | undefined,
  ringPages: number,
): StateGiven {
  const { machine } = input;
  const totalKb = zones.reduce((n, z) => n + managedKb(z), 0);
  const own = zones.filter((z) => z.zone !== "HighMem" && z.zone !== "Movable");
  const { held } = machine;
  const groundOf = (z: ZoneSaid): ZoneGiven["ground"] =>
    machine.pageblocks?.value.find((p) => p.node === z.node && p.zone === z.zone)?.blocks.map((b) => ({ ...b }));
  return {
    zoneTypes: zoneTypesOf(release, zones),
    cma: zones.some((z) => z.blocks?.some((b) => b.types.includes("C")) === true),
    rest: "high",
    swapPages: Math.floor((held.freeSwapKb ?? 0) / kbPerPage),
    under: {
      ...(machine.minFreeKb === null ? {} : { min_free_kbytes: machine.minFreeKb.value }),
      ...(machine.scaleFactor === null ? {} : { watermark_scale_factor: machine.scaleFactor.value }),
    },
    zones: zones.map((z) => {
      const ground = groundOf(z);
      const extra = z === own.at(-1) ? ringPages + bootPages : 0;
      const given = zoneGiven(z, held, managedKb(z) / totalKb, extra);
      const place = places?.get(z);
      return {
        ...given,
        ...(ground === undefined ? {} : { ground }),
        ...(place === undefined ? {} : { held: place.held, pages: place.pages + extra }),
      };
    }),
  };
}

const managedKb = (z: ZoneSaid): number => z.managedKb ?? z.presentKb ?? 0;

function zoneGiven(z: ZoneSaid, held: ProveInput["machine"]["held"], share: number, extra: number): ZoneGiven {
  const pages = (kb: number | null): number => Math.round((kb ?? 0) / kbPerPage);
  const blocks = z.blocks ?? [];
  const free = blocks.reduce((n, b, order) => n + b.count * 2 ** order, 0);
  const count = blocks.reduce((n, b) => n + b.count, 0);
  const managed = pages(managedKb(z));
  const inUse = Math.max(0, managed - free);
  // A free block needs a page in use beside it; the high mark may need as many again.
  const kept = Math.min(inUse, Math.max(usedLeast, 3 * count + 2 * pages(z.highKb)));
  const part = inUse === 0 ? 0 : kept / inUse;
  const own = (kb: number | null, all: number | null): number =>
    Math.min(kept, Math.round(part * (kb === null ? pages(all) * share : pages(kb))));
  const file = own(z.fileKb, held.fileKb);
  const anon = Math.min(kept - file, own(z.anonKb, held.anonKb));
  const slab = Math.min(kept - file - anon, own(null, held.slabReclaimableKb));
  const onOtherCpus = pages(z.pcpKb === null || z.localPcpKb === null ? 0 : Math.max(0, z.pcpKb - z.localPcpKb));
  return {
    zone: z.zone as ZoneName,
    node: z.node,
    managed,
    pages: free + kept + extra + onOtherCpus,
    free: (z.lists ?? blocks.map((b) => [b])).flatMap((lists, order) =>
      lists.flatMap((b) => (b.count === 0 ? [] : [{ order, count: b.count, types: b.types }])),
    ),
    file,
    anon,
    slab,
    onOtherCpus,
    marks: {
      min: pages(z.minKb),
      low: pages(z.lowKb),
      high: pages(z.highKb),
      boost: pages(z.boostKb),
      highatomic: pages(z.highatomicKb),
      ...(z.lowmemReserve === null ? {} : { reserve: z.lowmemReserve.slice(0, 8) }),
    },
  };
}
