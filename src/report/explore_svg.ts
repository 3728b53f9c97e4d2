// A replayed schedule as a picture: one lane for each task, time downwards, the state that a step changed at the right.
import type { Replay } from "../explore/replay.ts";
import { escapeHtml } from "./escape.ts";

const laneWidth = 230;
const rowLeast = 46;
const line = 11;
/** Letters of 11 points that a lane's box, and the column beside the lanes, have room for. */
const laneLetters = 31;
const sideLetters = 55;
const left = 44;
const top = 64;

/** SVG text; every string in it is escaped. */
export function lanesSvg(title: string, r: Replay): string {
  const lanes = [...new Set(r.steps.map((s) => s.task))].sort((a, b) => a - b);
  const changesAt = left + lanes.length * laneWidth + 10;
  const width = changesAt + 380;
  const rows = r.steps.map((s) => {
    const does = wrapped(s.does, laneLetters);
    const changes = wrapped(s.changes.join(", "), sideLetters);
    const remarks = s.remarks.flatMap((m) => wrapped(`${m.finding}: ${m.text}`, sideLetters));
    const lines = Math.max(does.length + 1, changes.length + remarks.length);
    return { does, changes, remarks, height: Math.max(rowLeast, lines * line + 15) };
  });
  const bottom = rows.reduce((y, row) => y + row.height, top);
  const height = bottom + 40 + r.findings.length * 18;
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
      `<line x1="${x}" y1="${top - 8}" x2="${x}" y2="${bottom}" stroke="#999999" stroke-dasharray="2 3"/>`,
    );
  });
  let y = top;
  r.steps.forEach((s, i) => {
    const { does, changes, remarks, height: tall } = rows[i]!;
    const x = left + lanes.indexOf(s.task) * laneWidth;
    const bad = s.remarks.length > 0;
    const fill = bad ? "#fde0dd" : s.moved ? "#e8f0fa" : "#eeeeee";
    const stroke = bad ? "#b30000" : "#4a6fa5";
    const text = (at: number, row: number, said: string, rest = ""): string =>
      `<text x="${at}" y="${y + 13 + row * line}"${rest}>${escapeHtml(said)}</text>`;
    parts.push(
      `<text x="${left - 8}" y="${y + 20}" text-anchor="end" fill="#555555">${i + 1}</text>`,
      `<rect x="${x + 3}" y="${y + 2}" width="${laneWidth - 8}" height="${tall - 6}" rx="3" fill="${fill}" stroke="${stroke}"/>`,
      text(x + 8, 0, s.at, ' fill="#333333" font-size="9"'),
      ...does.map((said, n) => text(x + 8, n + 1, said)),
      ...changes.map((said, n) => text(changesAt, n, said, ' fill="#333333"')),
      ...remarks.map((said, n) => text(changesAt, changes.length + n, said, ' fill="#b30000"')),
    );
    y += tall;
  });
  y = bottom + 20;
  for (const f of r.findings) {
    parts.push(`<text x="8" y="${y}" fill="#b30000">${escapeHtml(`${f.finding}: ${f.text}`)}</text>`);
    y += 18;
  }
  parts.push(`<text x="8" y="${y}">${escapeHtml(`at the end: ${r.end}`)}</text>`, "</svg>");
  return `${parts.join("\n")}\n`;
}

/** Lines of at most `most` letters, broken between words where there are words. */
function wrapped(text: string, most: number): string[] {
  const lines: string[] = [];
  let rest = text.trim();
  while (rest.length > most) {
    const at = rest.lastIndexOf(" ", most);
    const end = at <= 0 ? most : at;
    lines.push(rest.slice(0, end));
    rest = rest.slice(end).trim();
  }
  return rest === "" ? lines : [...lines, rest];
}
