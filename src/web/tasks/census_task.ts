// A page_owner dump, two to compare, or a series, read in the worker as a stream: the file is never in memory as a whole.

import type { LevelledMap } from "../../analysis/map_levels.ts";
import { withLevels } from "../../analysis/map_levels.ts";
import type { TiledMap } from "../../analysis/map_tiles.ts";
import { tiled } from "../../analysis/map_tiles.ts";
import { mapOf } from "../../analysis/page_map.ts";
import { blockOwners } from "../../analysis/page_owner/block.ts";
import type { Census, CensusOptions } from "../../analysis/page_owner/census.ts";
import { createCensus } from "../../analysis/page_owner/census.ts";
import type { Trend } from "../../analysis/page_owner/compare.ts";
import { diffCensus, seriesOf } from "../../analysis/page_owner/compare.ts";
import type { GroupKey } from "../../analysis/page_owner/group_by.ts";
import { groupCensus, typeName } from "../../analysis/page_owner/group_by.ts";
import { isStackKey, pinsOf } from "../../analysis/page_owner/pins.ts";
import { readSortedText } from "../../analysis/page_owner/sorted_text.ts";
import { dumpForm, readStackTables } from "../../analysis/page_owner/stack_tables.ts";
import { feed } from "../../artifact/page_owner/scan.ts";
import { frameName } from "../../artifact/page_owner/stack.ts";
import { BadInput } from "../../base/bad_input.ts";
import type { WeightedStack } from "../../report/exports/stacks.ts";
import {
  blockDocument,
  censusDocument,
  censusJson,
  diffDocument,
  pinsDocument,
  seriesDocument,
  weightedStacks,
} from "../../report/page_owner.ts";
import { moving } from "./moving.ts";
import type { Progress, Shown } from "./protocol.ts";
import { chunksOf } from "./streams.ts";

export interface CensusInput {
  readonly files: readonly { readonly name: string; readonly blob: Blob }[];
  readonly by: readonly GroupKey[];
  readonly top: number;
  readonly pageSize: number;
  /** Order of the blocks whose owners are asked for; undefined for none. */
  readonly pins: number | undefined;
}

export interface CensusOutput {
  readonly shown: Shown;
  readonly pins: Shown | undefined;
  readonly map: (LevelledMap & TiledMap) | undefined;
  readonly stacks: readonly WeightedStack[];
  /** Of the older dump; empty where there is one. */
  readonly older: readonly WeightedStack[];
  /** What the comparison of two or more comes to, in a sentence; "" for one. */
  readonly verdict: string;
}

/** The last census taken here, for questions about one block of it. */
let kept: { readonly census: Census; readonly by: GroupKey; readonly pageSize: number } | undefined;

export interface BlockInput {
  readonly pfn: number;
  readonly order: number;
}

/** Who holds pages in the block around a page of the map that is shown. */
export async function blockTask({ pfn, order }: BlockInput): Promise<Shown> {
  if (kept?.census.places === undefined)
    throw new BadInput("The dump is no longer in memory.", undefined, "Read it again, then choose a block.");
  const report = blockOwners(kept.census, pfn, order, kept.by, { depth: 3 });
  return {
    document: blockDocument(report, kept),
    json: { schema: "skblab.page-owner-block/1", by: kept.by, pageSize: kept.pageSize, ...report },
  };
}

export async function censusTask(input: CensusInput, progress: Progress): Promise<CensusOutput> {
  const options: CensusOptions = { byPid: input.by.includes("pid") || input.by.includes("tgid"), places: true };
  const taken: Census[] = [];
  for (const file of input.files) taken.push(await take(file, options, progress));
  const [first, second] = taken;
  if (first === undefined) throw new BadInput("No file was given.");
  const grouping = { by: input.by, depth: 3 };
  const view = {
    name: input.files.map((f) => f.name).join(", "),
    by: input.by,
    top: input.top,
    pageSize: input.pageSize,
  };
  const key = input.by[0] ?? "symbol";
  const census = taken.at(-1) ?? first;
  kept = { census, by: isStackKey(key) ? key : "symbol", pageSize: input.pageSize };
  const hasPlaces = (census.places?.count ?? 0) > 0;
  let shown: Shown;
  let verdict = "";
  const names = input.files.map((f) => f.name);
  if (taken.length > 2) {
    const trends = seriesOf(taken, grouping);
    verdict = seriesVerdict(trends, taken.length);
    shown = {
      document: seriesDocument(trends, names, view),
      json: { schema: "skblab.page-owner-series/1", inputs: names, by: input.by, pageSize: input.pageSize, trends },
    };
  } else if (second === undefined) {
    const groups = groupCensus(first, grouping);
    shown = { document: censusDocument(first, groups, view), json: censusJson(first, groups, view) };
  } else {
    const changes = diffCensus(first, second, grouping);
    verdict = verdictOf(first, second, grouping);
    shown = {
      document: diffDocument(changes, first, second, view),
      json: {
        schema: "skblab.page-owner-diff/1",
        inputs: names,
        by: input.by,
        pageSize: input.pageSize,
        before: first.pages,
        after: second.pages,
        changes,
      },
    };
  }
  // Of each page's place no process or mask is kept: those groups are seen by function on the map.
  const owner = isStackKey(key) ? key : "symbol";
  const mapKey = key === "type" || key === "block-type" || key === "order" ? key : owner;
  let pins: Shown | undefined;
  if (input.pins !== undefined && hasPlaces) {
    const report = pinsOf(census, input.pins, owner, grouping);
    pins = { document: pinsDocument(report, { ...view, by: [owner] }), json: report };
  }
  // A page that is not listed is free, or was handed out before page_owner started.
  const blockOrder = input.pins ?? 9;
  const map = hasPlaces
    ? withLevels(tiled(mapOf(census, mapKey, grouping, 1 << 24), blockOrder, (kind) => kind === 0))
    : undefined;
  return moving(
    {
      shown,
      pins,
      map,
      stacks: weightedStacks(census, false),
      older: second === undefined ? [] : weightedStacks(first, false),
      verdict,
    },
    map === undefined ? [] : [map.cells, ...map.levels],
  );
}

/** Which groups grow as a leak does, by how much a dump. */
function seriesVerdict(trends: readonly Trend[], dumps: number): string {
  if (dumps < 4) return `${dumps} dumps cannot tell a leak from chance: take at least four, some minutes apart.`;
  const leaks = trends.filter((t) => t.verdict === "leak-like");
  const [worst] = leaks;
  const rate = (t: Trend): string =>
    `${t.labels.join(", ")}, ${Math.round(t.slope).toLocaleString("en-US")} pages per dump`;
  if (worst === undefined) return `No group grows like a leak over these ${dumps} dumps.`;
  return `${leaks.length} ${leaks.length === 1 ? "group grows" : "groups grow"} like a leak over ${dumps} dumps: ${rate(worst)}${leaks.length > 1 ? ", most" : ""}.`;
}

/** How much grew, and who has most of it. */
function verdictOf(first: Census, second: Census, grouping: Parameters<typeof diffCensus>[2]): string {
  const grown = second.pages - first.pages;
  const count = (n: number): string => n.toLocaleString("en-US");
  const all = `${count(first.pages)} pages before, ${count(second.pages)} after: ${grown === 0 ? "no change" : `${count(Math.abs(grown))} ${grown > 0 ? "more" : "fewer"}`}.`;
  const most = [...diffCensus(first, second, grouping)].sort((a, b) => Math.abs(b.delta) - Math.abs(a.delta))[0];
  if (most === undefined || most.delta === 0) return `${all} No group has changed.`;
  return `${all} Most changed: ${most.labels.join(", ")}, ${count(Math.abs(most.delta))} pages ${most.delta > 0 ? "more" : "fewer"}.`;
}

/** What the dump says of one page. */
export interface OwnedPage {
  readonly pfn: number;
  /** False: free, or handed out before page_owner started. */
  readonly listed: boolean;
  readonly order: number;
  /** Migrate types of the page and of its pageblock; "" where the dump does not print them. */
  readonly type: string;
  readonly blockType: string;
  /** Innermost function first. */
  readonly stack: readonly string[];
}

/** Who holds a page of the dump read last. */
export async function ownerPageTask({ pfn }: { readonly pfn: number }): Promise<OwnedPage> {
  const places = kept?.census.places;
  if (kept === undefined || places === undefined)
    throw new BadInput("The dump is no longer in memory.", undefined, "Read it again.");
  for (let i = 0; i < places.count; i++) {
    const first = places.pfn[i]!;
    if (pfn < first || pfn >= first + 2 ** places.order[i]!) continue;
    const types = places.types[i]!;
    const name = (code: number): string => (code === 0 ? "" : typeName(String.fromCharCode(code)));
    const frames = kept.census.stacks[places.stack[i]!]?.frames ?? [];
    return {
      pfn,
      listed: true,
      order: places.order[i]!,
      type: name(types & 255),
      blockType: name(types >> 8),
      stack: frames.map(frameName),
    };
  }
  return { pfn, listed: false, order: 0, type: "", blockType: "", stack: [] };
}

async function take(
  file: { readonly name: string; readonly blob: Blob },
  options: CensusOptions,
  progress: Progress,
): Promise<Census> {
  const taker = createCensus(options);
  const decoder = new TextDecoder("latin1");
  let form: ReturnType<typeof dumpForm> | undefined;
  let text = "";
  for await (const chunk of chunksOf(file.name, file.blob, (done, note) => progress(done, `${file.name}: ${note}`))) {
    form ??= dumpForm(decoder.decode(chunk.subarray(0, 65536)));
    if (form === "unknown") {
      throw new BadInput(
        "This is not a page_owner dump.",
        { file: file.name },
        'A dump begins with "Page allocated via order …".',
      );
    }
    if (form !== "records") {
      text += decoder.decode(chunk);
      continue;
    }
    feed(taker.scanner, chunk);
  }
  if (form === undefined) throw new BadInput("The dump is empty.", { file: file.name });
  if (form === "sorted") return readSortedText(text, file.name);
  return form === "records" ? taker.finish() : readStackTables(text, file.name);
}
