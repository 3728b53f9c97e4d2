// Films of memory as Documents: free blocks over a run for each policy, and what is known of one page.
import type { PageStory } from "../lab/film_pictures.ts";
import type { FilmSummary } from "../lab/film_settings.ts";
import type { Document } from "./document.ts";
import { facts, heading, list, paragraph } from "./document.ts";
import { formatNumber } from "./text.ts";

/** Whole blocks of the largest order that are free, over the films. */
export function filmDocument(films: readonly FilmSummary[]): Document {
  const top = (films[0]?.moments[0]?.freeBlocks.length ?? 1) - 1;
  const series = films.map((f, i) => ({
    name: films.some((g, k) => k !== i && g.policy === f.policy) ? `${f.policy} (${i + 1})` : f.policy,
    values: f.moments.map((x) => x.freeBlocks[top] ?? 0),
  }));
  return [
    {
      kind: "lines",
      title: `Free blocks of order ${top}`,
      xTitle: "picture",
      yTitle: "blocks",
      x: films[0]?.moments.map((_, i) => i) ?? [],
      series,
    },
    {
      kind: "table",
      title: "Free blocks by order, last pictures",
      columns: [
        { title: "policy", align: "left" },
        { title: "moment", align: "left" },
        ...Array.from({ length: top + 1 }, (_, o) => ({ title: `${o}`, align: "right" as const })),
      ],
      rows: films.flatMap((f) =>
        f.moments.slice(-3).map((x) => [f.policy, x.what, ...x.freeBlocks.map((b) => formatNumber(b))]),
      ),
    },
  ];
}

/** One page at a moment, with its life so far. */
export function pageStoryDocument(story: PageStory): Document {
  return [
    heading(1, `Page ${story.pfn}`),
    facts([
      ["pfn", `${story.pfn} (0x${story.pfn.toString(16)})`],
      ["pageblock", `${story.block}${story.blockType === "" ? "" : `, of type ${story.blockType}`}`],
      ["state", `${story.state}, order ${story.order}`],
      ...(story.stack.length === 0 ? [] : ([["owner", story.stack.join(" < ")]] as [string, string][])),
      ...(story.process === 0 ? [] : ([["process", `${story.process}`]] as [string, string][])),
    ]),
    heading(2, "Its life up to this picture"),
    story.history.length === 0
      ? paragraph("Nothing has happened to it since the load began.")
      : list(story.history.map((h) => `picture ${h.picture}: ${h.text}`)),
  ];
}
