// Document → Markdown, for issues and mails.
import type { Block, Document, Text } from "./document.ts";
import { escapeMarkdown, inertLine } from "./escape.ts";
import { barText, formatNumber } from "./text.ts";

export function renderMarkdown(document: Document): string {
  return `${document.map(drawBlock).join("\n\n")}\n`;
}

function drawBlock(block: Block): string {
  switch (block.kind) {
    case "heading":
      return `${"#".repeat(block.level + 1)} ${escapeMarkdown(block.text)}`;
    case "text":
      return drawText(block.text);
    case "list":
      return block.items.map((item) => `- ${drawText(item)}`).join("\n");
    case "facts":
      return drawTable(
        ["", ""],
        block.rows.map(([name, value]) => [escapeMarkdown(name), drawText(value)]),
      );
    case "table": {
      const title = block.title === undefined ? "" : `**${escapeMarkdown(block.title)}**\n\n`;
      const rows = block.rows.map((row) => row.map(drawText));
      return (
        title +
        drawTable(
          block.columns.map((c) => escapeMarkdown(c.title)),
          rows,
          block.columns.map((c) => c.align),
        )
      );
    }
    case "quote":
      return fence(block.lines.map((l) => inertLine(`${l.input}:${l.line}  ${l.text}`)).join("\n"));
    case "code":
      return fence(block.text);
    case "bars":
      return `**${escapeMarkdown(block.title)}**\n\n${drawTable(
        ["", block.unit],
        block.bars.map((b) => [escapeMarkdown(b.label), barText(b, "")]),
        ["left", "right"],
      )}`;
    case "lines":
      return `**${escapeMarkdown(block.title)}**\n\n${drawTable(
        [block.xTitle, ...block.series.map((s) => escapeMarkdown(s.name))],
        block.x.map((x, i) => [formatNumber(x), ...block.series.map((s) => formatNumber(s.values[i] ?? Number.NaN))]),
      )}`;
  }
}

function drawTable(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  align: readonly ("left" | "right")[] = [],
): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(titles), line(titles.map((_, i) => (align[i] === "right" ? "---:" : "---"))), ...rows.map(line)].join(
    "\n",
  );
}

function drawText(text: Text): string {
  if (typeof text === "string") return escapeMarkdown(text);
  return text
    .map((s) =>
      s.tone === "code"
        ? inlineCode(s.text)
        : s.tone === "strong" || s.tone === "bad"
          ? `**${escapeMarkdown(s.text.trim())}**${s.text.endsWith(" ") ? " " : ""}`
          : escapeMarkdown(s.text),
    )
    .join("");
}

function inlineCode(text: string): string {
  const safe = inertLine(text);
  return safe.includes("`") ? escapeMarkdown(safe) : `\`${safe}\``;
}

function fence(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map((m) => m[0].length));
  const bar = "`".repeat(longest + 1);
  return `${bar}\n${text.split("\n").map(inertLine).join("\n")}\n${bar}`;
}
