// /proc/zoneinfo of every era (mm/vmstat.c zoneinfo_show_print; 2.6.24, 3.13, 4.19, 6.1 compared). Each line stays a line: eras differ
// in which lines there are and where `protection` stands, not in how a line is written.
import type { LogNote } from "../../kernel/readings/log_line.ts";
import type { ZoneField, ZoneInfo, ZoneInfoZone } from "../../kernel/readings/zoneinfo.ts";
import type { TextReader } from "../reader.ts";
import { asText, rounded } from "../reader.ts";
import { zoneHead } from "./buddyinfo.ts";

const head = /^Node (\d+), zone\s+(\S+)\s*$/;
const pagesFree = /^ {2}pages free\s+(\d+)$/;
const pagesLine = /^ {8}([a-z]+)\s+(\d+)(?: (\([a-z:\d ]+\)))?$/;
const numa = /^ {12}([a-z_]+):\s+(\d+)$/;
const protection = /^ {8}protection: \(([\d, ]*)\)$/;
const statLine = /^( {4}| {6})([a-z]\w*)\s+(\d+)$/;
const cpu = /^ {4}cpu: (\d+)(?: pcp: (\d+))?$/;
const pageset = /^ {14}([a-z_]+):\s+(-?\d+)$/;
const zoneLine = /^ {2}([a-z][\w ]*):\s+(-?\d+)$/;
const heading = /^ {2}(per-node stats|pagesets)$/;

export const zoneinfo: TextReader<ZoneInfo> = {
  kind: "zoneinfo",
  title: "/proc/zoneinfo",
  starts: (text, next) => head.test(text) && (next === undefined || pagesFree.test(next) || heading.test(next)),
  continues: (text) => /^ {2,14}\S/.test(text) || head.test(text),
  read(lines) {
    const notes: LogNote[] = [];
    const zones: { node: number; zone: string; fields: ZoneField[] }[] = [];
    let statIndent = 6;
    let perNode = false;
    for (const { line, text } of lines) {
      const match = head.exec(text);
      if (match !== null) {
        zones.push({ node: Number(match[1]), zone: match[2]!, fields: [] });
        perNode = false;
        continue;
      }
      const field = fieldOf(text, perNode);
      notes.push(...rounded({ line, text }));
      if (field.group === "heading") perNode = field.name === "per-node stats";
      else if (field.group === "pages") perNode = false;
      else if (field.group === "stat" || field.group === "node stat") statIndent = /^ */.exec(text)![0].length;
      else if (field.group === "other")
        notes.push({
          line,
          sentence: `Line ${line}: "${text.trim().slice(0, 60)}" of /proc/zoneinfo is kept but not understood.`,
        });
      zones.at(-1)?.fields.push(field);
    }
    return { reading: { kind: "zoneinfo", statIndent, zones }, notes };
  },
  print: ({ zones, statIndent }) => asText(zones.flatMap((z) => zoneLines(z, statIndent))),
};

/** How each form of line is understood; the first that fits counts. */
const forms: readonly (readonly [RegExp, (m: RegExpExecArray) => ZoneField])[] = [
  [statLine, (m) => ({ group: "stat", name: m[2]!, value: Number(m[3]) })],
  [pageset, (m) => ({ group: "pageset", name: m[1]!, value: Number(m[2]) })],
  [cpu, (m) => ({ group: "cpu", cpu: Number(m[1]), ...(m[2] === undefined ? {} : { pcp: Number(m[2]) }) })],
  [pagesFree, (m) => ({ group: "pages", name: "free", value: Number(m[1]) })],
  [
    pagesLine,
    (m) => ({ group: "pages", name: m[1]!, value: Number(m[2]), ...(m[3] === undefined ? {} : { detail: m[3] }) }),
  ],
  [numa, (m) => ({ group: "numa", name: m[1]!, value: Number(m[2]) })],
  [protection, (m) => ({ group: "protection", pages: m[1]!.trim() === "" ? [] : m[1]!.split(",").map(Number) })],
  [heading, (m) => ({ group: "heading", name: m[1]! })],
  [zoneLine, (m) => ({ group: "zone", name: m[1]!, value: Number(m[2]) })],
];

function fieldOf(text: string, perNode: boolean): ZoneField {
  for (const [form, understood] of forms) {
    const match = form.exec(text);
    if (match === null) continue;
    const field = understood(match);
    return perNode && field.group === "stat" ? { ...field, group: "node stat" } : field;
  }
  return { group: "other", text };
}

function zoneLines(zone: ZoneInfoZone, statIndent: number): string[] {
  const widths = { stat: statIndent, tail: tailWidth(zone.fields), pageset: pagesetWidth(zone.fields) };
  return [zoneHead(zone.node, zone.zone), ...zone.fields.map((f) => fieldLine(f, widths))];
}

/** Columns of `name:` in the last lines of a zone: that of the longest, which was all_unreclaimable before 4.8 and is node_unreclaimable since. */
const tailWidth = (fields: readonly ZoneField[]): number =>
  fields.some((f) => f.group === "zone" && f.name === "all_unreclaimable") ? 18 : 20;

/** Columns of `name:` in a CPU's lines: that of the longest, which is count until high_min and high_max are printed too (seen in 7.2). */
const pagesetWidth = (fields: readonly ZoneField[]): number =>
  Math.max(0, ...fields.map((f) => (f.group === "pageset" ? f.name.length + 1 : 0)));

interface Widths {
  readonly stat: number;
  readonly tail: number;
  readonly pageset: number;
}

function fieldLine(field: ZoneField, { stat, tail, pageset }: Widths): string {
  switch (field.group) {
    case "heading":
      return `  ${field.name}`;
    case "node stat":
    case "stat":
      return `${" ".repeat(stat)}${field.name.padEnd(12)} ${field.value}`;
    case "pages":
      if (field.name === "free") return `  pages free     ${field.value}`;
      return `        ${field.name.padEnd(8)} ${field.value}${field.detail === undefined ? "" : ` ${field.detail}`}`;
    case "numa":
      return `            ${`${field.name}:`.padEnd(15)} ${field.value}`;
    case "protection":
      return `        protection: (${field.pages.join(", ")})`;
    case "cpu":
      return `    cpu: ${field.cpu}${field.pcp === undefined ? "" : ` pcp: ${field.pcp}`}`;
    case "pageset":
      return `              ${`${field.name}:`.padEnd(pageset)} ${field.value}`;
    case "zone":
      return `  ${`${field.name}:`.padEnd(field.name === "vm stats threshold" ? 0 : tail)} ${field.value}`;
    case "other":
      return field.text;
  }
}
