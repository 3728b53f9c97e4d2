// A replayed schedule as a picture: one lane for each task, time downwards, the state that a step changed at the right.
import type { Replay } from "../explore/replay.ts";
import { escapeHtml } from "./escape.ts";

const laneWidth = 230;
const rowHeight = 46;
const left = 44;
const top = 64;

/** SVG text; every string in it is escaped. */
export function lanesSvg(title: string, r: Replay): string {
  const lanes = [...new Set(r.steps.map((s) => s.task))].sort((a, b) => a - b);
  const changesAt = left + lanes.length * laneWidth + 10;
  const width = changesAt + 380;
  const height = top + r.steps.length * rowHeight + 40 + r.findings.length * 18;
  const parts: string[] = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="ui-monospace, monospace" font-size="11" role="img">`,
    `<title>${escapeHtml(title)}</title>`,
    `<desc>${escapeHtml(`${r.steps.length} steps; ${r.findings.map((f) => `${f.finding}: ${f.text}`).join("; ")}; at the end: ${r.end}`)}</desc>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="8" y="20" font-size="14" font-weight="bold">${escapeHtml(title)}</text>`,
  ];
  lanes.forEach((task, i) => {
    const x = left + i * laneWidth;
    parts.push(
      `<text x="${x + 6}" y="${top - 16}" font-weight="bold">${task} ${escapeHtml(r.tasks[task] ?? "")}</text>`,
      `<line x1="${x}" y1="${top - 8}" x2="${x}" y2="${top + r.steps.length * rowHeight}" stroke="#999999" stroke-dasharray="2 3"/>`,
    );
  });
  r.steps.forEach((s, i) => {
    const x = left + lanes.indexOf(s.task) * laneWidth;
    const y = top + i * rowHeight;
    const bad = s.remarks.length > 0;
    const fill = bad ? "#fde0dd" : s.moved ? "#e8f0fa" : "#eeeeee";
    const stroke = bad ? "#b30000" : "#4a6fa5";
    const [first = "", second = ""] = halves(s.does, 34);
    parts.push(
      `<text x="${left - 8}" y="${y + 20}" text-anchor="end" fill="#555555">${i + 1}</text>`,
      `<rect x="${x + 3}" y="${y + 2}" width="${laneWidth - 8}" height="${rowHeight - 6}" rx="3" fill="${fill}" stroke="${stroke}"/>`,
      `<text x="${x + 8}" y="${y + 13}" fill="#333333" font-size="9">${escapeHtml(s.at)}</text>`,
      `<text x="${x + 8}" y="${y + 24}">${escapeHtml(first)}</text>`,
      `<text x="${x + 8}" y="${y + 35}">${escapeHtml(second)}</text>`,
      `<text x="${changesAt}" y="${y + 16}" fill="#333333">${escapeHtml(cut(s.changes.join(", "), 62))}</text>`,
      ...s.remarks
        .slice(0, 1)
        .map(
          (m) =>
            `<text x="${changesAt}" y="${y + 32}" fill="#b30000">${escapeHtml(cut(`${m.finding}: ${m.text}`, 62))}</text>`,
        ),
    );
  });
  let y = top + r.steps.length * rowHeight + 20;
  for (const f of r.findings) {
    parts.push(`<text x="8" y="${y}" fill="#b30000">${escapeHtml(`${f.finding}: ${f.text}`)}</text>`);
    y += 18;
  }
  parts.push(`<text x="8" y="${y}">${escapeHtml(`at the end: ${r.end}`)}</text>`, "</svg>");
  return `${parts.join("\n")}\n`;
}

const cut = (text: string, most: number): string => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);

/** Two lines at a word boundary; the rest is cut. */
function halves(text: string, most: number): [string, string] {
  if (text.length <= most) return [text, ""];
  const at = text.lastIndexOf(" ", most);
  const split = at <= 0 ? most : at;
  return [text.slice(0, split), cut(text.slice(split).trim(), most)];
}
