// Draws an sk_buff: its head with what is used of it, who shares it, its fragments and its frag_list; as text for errors and docs, as SVG.
//
//   skb 3 (users 1) len 1844 = 50 linear + 1794 paged, truesize 4864
//     head 7, kmalloc, dataref 2: shared
//     0       64   114            192
//     |-------|####|..............|info|
//     [0] pfn 18485 +1920, 1794 bytes, count 2
import type { FragPicture, SkbPicture } from "../kernel/skb_picture.ts";

const barWidth = 56;

/** The drawing as lines; members of the frag_list are indented below. */
export function drawSkbAscii(picture: SkbPicture): string {
  return lines(picture).join("\n");
}

function lines(p: SkbPicture): string[] {
  const out = [
    `skb ${p.skb} (${owners(p)}) len ${p.len} = ${p.len - p.dataLen} linear + ${p.dataLen} paged, truesize ${p.truesize}`,
  ];
  out.push(`  head ${p.head}, ${headKind(p)}, dataref ${datarefWords(p)}`);
  const stops = [0, p.data, p.tail, p.end];
  const at = columns(stops, p.end);
  out.push(`  ${ruler(stops, at)}`);
  out.push(`  |${fill("-", at, 0)}|${fill("#", at, 1)}|${fill(".", at, 2)}|info|`);
  for (const [i, frag] of p.frags.entries()) out.push(`  [${i}] ${fragWords(frag)}`);
  for (const member of p.fragList)
    out.push(...lines(member).map((line, i) => (i === 0 ? `  -> ${line}` : `     ${line}`)));
  return out;
}

const owners = (p: SkbPicture): string =>
  [`users ${p.users}`, ...(p.fclone > 0 ? [p.fclone === 1 ? "fclone orig" : "fclone clone"] : [])].join(", ");

const headKind = (p: SkbPicture): string =>
  [
    p.headFrag ? "page fragment" : "kmalloc",
    ...(p.ppRecycle ? ["recycles to a page pool"] : []),
    ...(p.pfmemalloc ? ["from the reserve"] : []),
  ].join(", ");

function datarefWords(p: SkbPicture): string {
  const refs = p.dataref & 0xffff;
  const payloadOnly = p.dataref >>> 16;
  return `${refs}${payloadOnly > 0 ? ` (${payloadOnly} payload only)` : ""}${refs > 1 ? ": shared" : ""}`;
}

const fragWords = (f: FragPicture): string =>
  `pfn ${f.pfn} +${f.offset}, ${f.size} bytes, count ${f.count}${f.destructor > 0 ? `, destructor ${f.destructor}` : ""}`;

/** Where each stop stands in the bar: to scale, but never closer than its label needs. */
function columns(stops: readonly number[], end: number): number[] {
  const at: number[] = [];
  for (const [i, stop] of stops.entries()) {
    const scaled = end === 0 ? 0 : Math.round((stop / end) * barWidth);
    const before = at[i - 1];
    const label = String(stops[i - 1] ?? 0).length + 1;
    at.push(before === undefined ? 0 : Math.max(scaled, before + (stops[i - 1] === stop ? 1 : label)));
  }
  return at;
}

const fill = (mark: string, at: readonly number[], i: number): string =>
  mark.repeat(Math.max(0, (at[i + 1] ?? 0) - (at[i] ?? 0) - 1));

function ruler(stops: readonly number[], at: readonly number[]): string {
  let line = "";
  for (const [i, stop] of stops.entries()) {
    // Of stops at one place the last is labelled.
    if (stops[i + 1] === stop) continue;
    line = line.padEnd(at[i] ?? 0) + stop;
  }
  return line;
}

// --- SVG --------------------------------------------------------------------------------------------------------------------

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly fill: string;
  readonly text: string;
}

const rowHeight = 26;
const svgWidth = 640;
const ink = "#1f2937";
const colours = { room: "#eef1f5", data: "#9cc5e8", info: "#f3d9a4", page: "#bfe3c0", shared: "#f2b8b5" } as const;

/** The drawing as one SVG element; a shared head and pages with more than one reference are tinted. */
export function drawSkbSvg(picture: SkbPicture): string {
  const boxes: Box[] = [];
  const labels: Box[] = [];
  const height = place(picture, 10, boxes, labels) + 10;
  const rects = boxes.map(
    (b) =>
      `<rect x="${b.x}" y="${b.y}" width="${b.width}" height="${b.height}" fill="${b.fill}" stroke="${ink}"/>` +
      `<text x="${b.x + 4}" y="${b.y + 16}">${escapeXml(fitted(b))}</text>`,
  );
  const texts = labels.map((l) => `<text x="${l.x}" y="${l.y + 16}">${escapeXml(l.text)}</text>`);
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${svgWidth} ${height}" width="${svgWidth}" height="${height}" ` +
    `role="img" aria-label="${escapeXml(`sk_buff of ${picture.len} bytes with ${picture.frags.length} fragments`)}" ` +
    `font-family="ui-monospace, monospace" font-size="11" fill="${ink}">${rects.join("")}${texts.join("")}</svg>`
  );
}

/** The words of a box as far as they fit into it: a character of the font is about 6.7 wide. */
function fitted({ text, width }: Box): string {
  const most = Math.floor((width - 6) / 6.7);
  if (text.length <= most) return text;
  return most < 3 ? "" : `${text.slice(0, most - 1)}…`;
}

/** Places one skb from `top` on; the y below it. */
function place(p: SkbPicture, top: number, boxes: Box[], labels: Box[]): number {
  const text = (y: number, words: string): void =>
    void labels.push({ x: 10, y, width: 0, height: 0, fill: "", text: words });
  let y = top;
  text(
    y,
    `skb ${p.skb} (${owners(p)}) len ${p.len}, truesize ${p.truesize}; ${headKind(p)}, dataref ${datarefWords(p)}`,
  );
  y += rowHeight;
  const scale = (svgWidth - 104) / Math.max(1, p.end);
  const shared = (p.dataref & 0xffff) > 1;
  const parts: readonly (readonly [from: number, to: number, fill: string, text: string])[] = [
    [0, p.data, colours.room, `headroom ${p.data}`],
    [p.data, p.tail, shared ? colours.shared : colours.data, `data ${p.tail - p.data}`],
    [p.tail, p.end, colours.room, `tailroom ${p.end - p.tail}`],
  ];
  for (const [from, to, colour, words] of parts)
    if (to > from)
      boxes.push({ x: 10 + from * scale, y, width: (to - from) * scale, height: 22, fill: colour, text: words });
  boxes.push({ x: 10 + p.end * scale, y, width: 84, height: 22, fill: colours.info, text: "shared info" });
  y += rowHeight;
  for (const [i, frag] of p.frags.entries()) {
    const colour = frag.count > 1 ? colours.shared : colours.page;
    boxes.push({ x: 30, y, width: svgWidth - 60, height: 22, fill: colour, text: `[${i}] ${fragWords(frag)}` });
    y += rowHeight;
  }
  for (const member of p.fragList) y = place(member, y, boxes, labels);
  return y;
}

const escapeXml = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
