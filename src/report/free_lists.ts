// Free lists as a Document: blocks by order, and what a request of each order could use.
import type { FreeRow } from "../analysis/free_lists.ts";
import type { Document } from "./document.ts";
import { heading, paragraph, table } from "./document.ts";
import { formatNumber } from "./text.ts";

export function freeListsDocument(name: string, rows: readonly FreeRow[]): Document {
  const orders = Math.max(0, ...rows.map((r) => r.blocks.length));
  const typed = rows.some((r) => r.type !== "");
  const head = ["node", "zone", ...(typed ? ["type"] : [])];
  const who = (r: FreeRow): string[] => [String(r.node), r.zone, ...(typed ? [r.type] : [])];
  const titles = Array.from({ length: orders }, (_, o) => `>${o}`);
  return [
    heading(1, `Free memory by order in ${name}`),
    table(
      [...head, ...titles, ">free pages"],
      rows.map((r) => [...who(r), ...r.blocks.map(formatNumber), `${formatNumber(r.pages)}${r.more ? "+" : ""}`]),
      "Free blocks of 2^order pages",
    ),
    table(
      [...head, ...titles],
      rows.map((r) => [...who(r), ...r.usable.map((u) => (r.pages === 0 ? "–" : `${Math.round(u * 100)} %`))]),
      "Part of the free memory that lies in blocks of this order or larger",
    ),
    paragraph(
      rows.some((r) => r.more)
        ? "The kernel stops counting a list at 100000 blocks: rows with + have more."
        : "A request may still be refused although blocks of its order exist: the watermarks and the migrate types decide too. skblab diagnose asks them.",
    ),
  ];
}
