// The answer of an experiment: a row for each variant, what differs from the first and how surely, and a chart of the main measure.
import { deltaWord } from "../analysis/statistics.ts";
import type { ExperimentResult, MetricCell } from "../scenario/experiment.ts";
import type { Block, Document, Text } from "./document.ts";
import { heading, paragraph, span, table } from "./document.ts";

/** Three significant digits. */
export function brief(n: number): string {
  if (!Number.isFinite(n)) return "-";
  if (n === 0) return "0";
  return Math.abs(n) >= 100 ? Math.round(n).toLocaleString("en-US") : Number(n.toPrecision(3)).toString();
}

const range = (low: number, high: number): string => `[${brief(low)}, ${brief(high)}]`;

const medianText = (c: MetricCell): Text => [
  span(brief(c.median.estimate), "strong"),
  span(`  ${range(c.median.low, c.median.high)}`, "dim"),
];

function againstText(c: MetricCell): Text {
  if (c.against === undefined) return "";
  const { shift, delta } = c.against;
  const sure = shift.low > 0 || shift.high < 0;
  const sign = shift.estimate > 0 ? "+" : "";
  return [
    span(`${sign}${brief(shift.estimate)}`, sure ? "strong" : "plain"),
    span(`  ${range(shift.low, shift.high)}`, "dim"),
    span(sure ? `  ${deltaWord(delta)}` : "  not sure", sure ? "plain" : "dim"),
  ];
}

export function experimentDocument(file: string, r: ExperimentResult): Document {
  const blocks: Block[] = [heading(1, `experiment: ${file}`)];
  if (r.question !== "") blocks.push(paragraph(r.question));
  blocks.push(
    paragraph(
      `${r.rows.length} variants, ${r.seeds} seeds each, the same for all. Medians with 95 % bootstrap intervals; differences from the first row are ` +
        "paired by seed (Hodges-Lehmann, with their interval), and the word is the effect size (Cliff's delta). A difference whose interval contains 0 is not certain.",
    ),
  );
  for (const metric of r.metrics) {
    const cell = (row: ExperimentResult["rows"][number]): MetricCell => row.metrics[metric] as MetricCell;
    blocks.push(
      table(
        [r.mode === "sweep" ? r.axes.join(", ") : "variant", ">median", ">against the first"],
        r.rows.map((row) => [
          r.mode === "sweep" ? (row.at ?? []).map(String).join(", ") : row.name,
          medianText(cell(row)),
          againstText(cell(row)),
        ]),
        metric,
      ),
    );
  }
  const [main] = r.metrics;
  if (main !== undefined) blocks.push(chart(r, main));
  return blocks;
}

function chart(r: ExperimentResult, metric: string): Block {
  const of = (row: ExperimentResult["rows"][number]): number | null => row.metrics[metric]?.median.estimate ?? null;
  const numeric = r.axes.length === 1 && r.rows.every((row) => typeof row.at?.[0] === "number");
  if (numeric && r.rows.length > 2)
    return {
      kind: "lines",
      title: `${metric}, median`,
      xTitle: r.axes[0] ?? "",
      yTitle: metric,
      x: r.rows.map((row) => row.at?.[0] as number),
      series: [
        { name: "median", values: r.rows.map(of) },
        { name: "95 % interval, upper", values: r.rows.map((row) => row.metrics[metric]?.median.high ?? null) },
        { name: "lower", values: r.rows.map((row) => row.metrics[metric]?.median.low ?? null) },
      ],
    };
  return {
    kind: "bars",
    title: `${metric}, median`,
    unit: "",
    bars: r.rows.flatMap((row) => {
      const value = of(row);
      return value === null ? [] : [{ label: row.name, value }];
    }),
  };
}
