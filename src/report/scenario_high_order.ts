// The article's experiment as a table and a chart.
import type { HighOrderCell, HighOrderResult, Moment } from "../lab/high_order.ts";
import type { Document, Text } from "./document.ts";
import { paragraph, span, table } from "./document.ts";

const number = (n: number): string => (Number.isInteger(n) ? String(n) : n.toFixed(1));

const nameOf = (c: HighOrderCell): string => `${c.policy}${c.activeFreeing ? " + active freeing" : ""}`;

function cellText(c: HighOrderCell, moment: Moment): Text {
  const { estimate, low, high } = c.granted[moment];
  return [span(number(estimate), "strong"), span(`  [${number(low)}, ${number(high)}]`, "dim")];
}

export function drawHighOrder(result: unknown): Document {
  const r = result as HighOrderResult;
  const seeds = r.cells[0]?.granted.loaded.all.length ?? 0;
  const told = (c: HighOrderCell): string =>
    r.requests !== r.article.requests || r.order !== 10 || c.activeFreeing
      ? ""
      : c.policy === "classic"
        ? String(r.article.before)
        : c.policy === "placement-2005"
          ? String(r.article.after)
          : "";
  return [
    table(
      ["policy", ">under load", ">processes exited", ">files deleted too", ">the article"],
      r.cells.map((c) => [nameOf(c), cellText(c, "loaded"), cellText(c, "idle"), cellText(c, "deleted"), told(c)]),
      `Order-${r.order} blocks granted of ${r.requests}: median and 95 % bootstrap interval over ${seeds} seeds`,
    ),
    {
      kind: "bars",
      title: "median, files deleted too",
      unit: `of ${r.requests}`,
      bars: r.cells.map((c) => ({ label: nameOf(c), value: c.granted.deleted.estimate })),
    },
    {
      kind: "bars",
      title: "median, under load",
      unit: `of ${r.requests}`,
      bars: r.cells.map((c) => ({ label: nameOf(c), value: c.granted.loaded.estimate })),
    },
    paragraph(
      "The article gives 3 of 160 for the kernel of its day and 81 of 160 for the patch, and says neither how the test loaded the machine nor " +
        "when it asked; the workload here is described in the scenario file and is the same for every policy.",
    ),
  ];
}
