// The census of page_owner as Documents and JSON values; no counting here.

import type { BlockReport } from "../analysis/page_owner/block.ts";
import type { Census } from "../analysis/page_owner/census.ts";
import type { Change, Trend } from "../analysis/page_owner/compare.ts";
import type { Group, GroupKey } from "../analysis/page_owner/group_by.ts";
import { foldAllocator } from "../analysis/page_owner/owners.ts";
import type { PinReport } from "../analysis/page_owner/pins.ts";
import { frameName } from "../artifact/page_owner/stack.ts";
import type { Block, Document, Text } from "./document.ts";
import { facts, heading, list, paragraph, span, table } from "./document.ts";
import type { WeightedStack } from "./exports/stacks.ts";
import { formatNumber } from "./text.ts";

/** Bytes with a binary unit, three significant digits. */
function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = Math.abs(bytes);
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${bytes < 0 ? "-" : ""}${unit === 0 ? value : value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2)} ${units[unit]}`;
}

const shareBar = (share: number): string => "█".repeat(Math.round(share * 20)).padEnd(20, "·");

export interface CensusView {
  readonly name: string;
  readonly by: readonly GroupKey[];
  readonly top: number;
  readonly pageSize: number;
}

export function censusDocument(census: Census, groups: readonly Group[], view: CensusView): Document {
  const shown = groups.slice(0, view.top);
  const rest = groups.slice(view.top);
  const rows = shown.map((g): Text[] => [
    formatNumber(g.pages),
    formatBytes(g.pages * view.pageSize),
    `${((g.pages / Math.max(1, census.pages)) * 100).toFixed(1)} %`,
    shareBar(g.pages / Math.max(1, census.pages)),
    formatNumber(g.records),
    ...g.labels,
  ]);
  if (rest.length > 0) {
    const pages = rest.reduce((n, g) => n + g.pages, 0);
    rows.push([
      formatNumber(pages),
      formatBytes(pages * view.pageSize),
      `${((pages / Math.max(1, census.pages)) * 100).toFixed(1)} %`,
      shareBar(pages / Math.max(1, census.pages)),
      formatNumber(rest.reduce((n, g) => n + g.records, 0)),
      `${rest.length} more (--top ${groups.length} shows all)`,
    ]);
  }
  const blocks: Block[] = [
    heading(1, `Who holds memory in ${view.name}`),
    paragraph([
      span(`${formatNumber(census.records)} records, ${formatNumber(census.pages)} pages, `),
      span(formatBytes(census.pages * view.pageSize), "strong"),
      span(`, ${formatNumber(census.stacks.length)} distinct stacks.`),
    ]),
    table([">pages", ">size", ">share", "", ">blocks", ...view.by], rows),
  ];
  const first = shown[0];
  if (first !== undefined) {
    blocks.push(heading(2, `The stack that holds most of "${first.labels.join(", ")}"`));
    blocks.push({ kind: "code", text: census.stacks[first.stack]!.frames.map(frameName).join("\n") });
  }
  return [...blocks, ...noteBlocks(census)];
}

/** What was not counted, or counted with doubt. */
export function noteBlocks(census: Census): Block[] {
  return census.notes.length === 0 ? [] : [heading(2, "Not read as they stand"), list(census.notes.map((n) => n.text))];
}

export function censusJson(census: Census, groups: readonly Group[], view: CensusView): unknown {
  return {
    schema: "skblab.page-owner/1",
    input: view.name,
    pageSize: view.pageSize,
    records: census.records,
    pages: census.pages,
    bytes: census.pages * view.pageSize,
    stacks: census.stacks.length,
    by: view.by,
    groups: groups.map((g) => ({
      labels: Object.fromEntries(view.by.map((key, i) => [key, g.labels[i]])),
      pages: g.pages,
      bytes: g.pages * view.pageSize,
      records: g.records,
      stack: census.stacks[g.stack]!.frames.map(frameName),
    })),
    notes: census.notes,
  };
}

export function diffDocument(changes: readonly Change[], before: Census, after: Census, view: CensusView): Document {
  const grown = changes.filter((c) => c.delta > 0);
  const shrunk = changes.filter((c) => c.delta < 0).reverse();
  const rows = (list: readonly Change[]): Text[][] =>
    list
      .slice(0, view.top)
      .map((c) => [
        [span(`${c.delta > 0 ? "+" : ""}${formatNumber(c.delta)}`, c.delta > 0 ? "bad" : "good")],
        formatBytes(c.delta * view.pageSize),
        formatNumber(c.before),
        formatNumber(c.after),
        ...c.labels,
      ]);
  const titles = [">pages", ">size", ">before", ">after", ...view.by];
  const delta = after.pages - before.pages;
  return [
    heading(1, `What changed in ${view.name}`),
    paragraph(
      `${formatNumber(before.pages)} pages before, ${formatNumber(after.pages)} after: ${delta >= 0 ? "+" : ""}${formatNumber(delta)} pages, ${formatBytes(delta * view.pageSize)}. ` +
        `${grown.length} groups grew, ${shrunk.length} shrank.`,
    ),
    ...(grown.length > 0
      ? [
          table(
            titles,
            rows(grown),
            `Grew${grown.length > view.top ? ` (the first ${view.top} of ${grown.length})` : ""}`,
          ),
        ]
      : []),
    ...(shrunk.length > 0
      ? [
          table(
            titles,
            rows(shrunk),
            `Shrank${shrunk.length > view.top ? ` (the first ${view.top} of ${shrunk.length})` : ""}`,
          ),
        ]
      : []),
    ...noteBlocks(after),
  ];
}

export function seriesDocument(trends: readonly Trend[], names: readonly string[], view: CensusView): Document {
  const tone = (t: Trend) =>
    t.verdict === "leak-like" ? "bad" : t.verdict === "grew then levelled" ? "warn" : "plain";
  const shown = trends.filter((t) => t.verdict !== "no trend" || t.slope > 0).slice(0, view.top);
  return [
    heading(1, `Trends over ${names.length} dumps`),
    paragraph(
      names.length < 4
        ? "Fewer than four dumps cannot tell growth from chance (it is above 4 % at best): take more, some minutes apart."
        : 'A group is "leak-like" when chance alone would give such a rise in at most 5 % of cases (Mann-Kendall test) and the rise has not slowed down at the end; a cache rises and falls, or levels off.',
    ),
    table(
      [">pages per dump", ">chance", ">late share", "verdict", ...names.map((_, i) => `>${i + 1}`), ...view.by],
      shown.map((t) => [
        formatNumber(t.slope),
        t.p < 0.001 ? "<0.1 %" : `${(t.p * 100).toFixed(1)} %`,
        `${(t.lateShare * 100).toFixed(0)} %`,
        [span(t.verdict, tone(t))],
        ...t.pages.map(formatNumber),
        ...t.labels,
      ]),
    ),
    list(names.map((n, i) => `${i + 1}: ${n}`)),
  ];
}

export function pinsDocument(report: PinReport, view: CensusView): Document {
  const size = formatBytes(2 ** report.order * view.pageSize);
  return [
    heading(1, `What pins blocks of order ${report.order} (${size}) in ${view.name}`),
    facts([
      ["blocks with listed pages", formatNumber(report.blocksSeen)],
      ["held by unmovable pages", formatNumber(report.blocksUnmovable)],
      ["held by movable pages only", `${formatNumber(report.blocksMovableOnly)} (compaction may free them)`],
      [
        "unmovable pages in movable pageblocks",
        `${formatNumber(report.strayPages)} in ${formatNumber(report.strayBlocks)} blocks of this order`,
      ],
    ]),
    table(
      [">alone in", ">blocks in all", ">pages to move", ...view.by.slice(0, 1)],
      report.pinners
        .filter((p) => p.alone > 0)
        .slice(0, view.top)
        .map((p) => [formatNumber(p.alone), formatNumber(p.blocks), formatNumber(p.pagesAlone), p.label]),
      "Owners that alone keep a block: moving their pages frees it",
    ),
    ...(report.strays.length === 0
      ? []
      : [
          table(
            [">pages", ">blocks", ...view.by.slice(0, 1)],
            report.strays.slice(0, view.top).map((s) => [formatNumber(s.pages), formatNumber(s.blocks), s.label]),
            "Unmovable or reclaimable pages inside movable pageblocks",
          ),
        ]),
    paragraph(
      "A dump lists allocated pages only: a page it does not list is free, or was handed out before page_owner started.",
    ),
  ];
}

/** Who holds pages in one block, with the stack of each. */
export function blockDocument(report: BlockReport, view: Pick<CensusView, "pageSize">): Document {
  const pages = 2 ** report.order;
  const fixed = report.owners.filter((o) => o.type !== "" && o.type !== "Movable" && o.type !== "CMA");
  const [only] = report.owners;
  const says =
    only === undefined
      ? "The dump lists no page of it: it is free, or was handed out before page_owner started."
      : fixed.length > 0
        ? `It cannot be compacted: not all of its pages are movable (unmovable: ${formatNumber(fixed.reduce((n, o) => n + o.pages, 0))}).`
        : report.owners.every((o) => o.type !== "")
          ? "Only movable pages lie in it: compaction may free it."
          : "The dump does not say which of its pages are movable.";
  return [
    heading(1, `What pins the block of order ${report.order} at pfn ${report.firstPfn}`),
    paragraph([span(says, "strong")]),
    facts([
      ["pages", `${report.firstPfn} to ${report.firstPfn + pages - 1} (${formatBytes(pages * view.pageSize)})`],
      ["not listed", `${formatNumber(report.unlisted)}: free, or never tracked`],
      ...(report.blockType === "" ? [] : ([["type of the pageblock", report.blockType]] as [string, Text][])),
    ]),
    ...(only === undefined
      ? []
      : [
          table(
            [">pages", ">first pfn", "type", "owner", "stack, innermost first"],
            report.owners.map((o) => [
              formatNumber(o.pages),
              `${o.firstPfn}`,
              o.type,
              o.label,
              o.stack.slice(0, 12).join(" < "),
            ]),
            "Owners in this block",
          ),
        ]),
  ];
}

/** Distinct stacks with their weights, allocator frames kept; what the flame graph formats take. */
export function weightedStacks(census: Census, fold: boolean): WeightedStack[] {
  const byStack = new Map<number, { pages: number; records: number }>();
  for (const row of census.rows) {
    const sum = byStack.get(row.stack) ?? { pages: 0, records: 0 };
    sum.pages += row.pages;
    sum.records += row.records;
    byStack.set(row.stack, sum);
  }
  const merged = new Map<string, { frames: readonly string[]; pages: number; records: number }>();
  for (const [id, { pages, records }] of byStack) {
    const stack = census.stacks[id]!;
    const frames = (fold ? foldAllocator(stack.frames) : stack.frames).map(frameName);
    const key = frames.join("\n");
    const known = merged.get(key);
    if (known === undefined) merged.set(key, { frames: frames.length === 0 ? ["(no stack)"] : frames, pages, records });
    else {
      known.pages += pages;
      known.records += records;
    }
  }
  return [...merged.values()].sort((a, b) => b.pages - a.pages || (a.frames.join() < b.frames.join() ? -1 : 1));
}
