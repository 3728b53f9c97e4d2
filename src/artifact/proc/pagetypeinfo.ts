// /proc/pagetypeinfo: two sections, three with page_owner (mm/vmstat.c pagetypeinfo_show and below, 2.6.24 to 6.x).
import type { LogNote } from "../../kernel/readings/log_line.ts";
import type { BlockCounts, FreeCount, PageTypeInfo, PageTypeRow } from "../../kernel/readings/pagetypeinfo.ts";
import type { TextReader } from "../reader.ts";
import { asText, skipped } from "../reader.ts";
import { zoneHead } from "./buddyinfo.ts";

const order = /^Page block order:\s*(\d+)\s*$/;
const pages = /^Pages per block:\s*(\d+)\s*$/;
const freeHead = /^Free pages count per migrate type at order((?:\s+\d+)+)\s*$/;
const freeRow = /^Node\s+(\d+), zone\s+(\S+), type\s+(\S+)((?:\s+(?:>\s*)?\d+)+)\s*$/;
const blockRow = /^Node\s+(\d+), zone\s+(\S+)((?:\s+-?\d+)+)\s*$/;

const words = (text: string): string[] => text.trim().split(/\s+/);

export const pagetypeinfo: TextReader<PageTypeInfo> = {
  kind: "pagetypeinfo",
  title: "/proc/pagetypeinfo",
  starts: (text) =>
    order.test(text) || freeHead.test(text) || /^Number of blocks type\s/.test(text) || freeRow.test(text),
  continues: (text) =>
    text === "" ||
    /^(?:Page block order|Pages per block):|^Free pages count per|^Number of (?:mixed )?blocks/.test(text) ||
    freeRow.test(text) ||
    blockRow.test(text),
  read(lines) {
    const notes: LogNote[] = [];
    const free: PageTypeRow[] = [];
    const blocks: BlockCounts[] = [];
    const mixed: BlockCounts[] = [];
    const head: { pageBlockOrder?: number; pagesPerBlock?: number } = {};
    let [orders, types, hasMixed, section] = [0, [] as string[], false, blocks];
    const heading = (into: BlockCounts[]) => (m: RegExpExecArray) => {
      types = words(m[1]!);
      section = into;
      hasMixed ||= into === mixed;
    };
    const forms: readonly (readonly [RegExp, (m: RegExpExecArray) => void])[] = [
      [/^$/, () => {}],
      [order, (m) => Object.assign(head, { pageBlockOrder: Number(m[1]) })],
      [pages, (m) => Object.assign(head, { pagesPerBlock: Number(m[1]) })],
      [
        freeHead,
        (m) => {
          orders = words(m[1]!).length;
        },
      ],
      [freeRow, (m) => free.push({ node: Number(m[1]), zone: m[2]!, type: m[3]!, free: counts(m[4]!) })],
      [/^Number of blocks type\s+(\S.*)$/, heading(blocks)],
      [/^Number of mixed blocks\s+(\S.*)$/, heading(mixed)],
      [blockRow, (m) => section.push({ node: Number(m[1]), zone: m[2]!, blocks: words(m[3]!).map(Number) })],
    ];
    for (const source of lines) {
      const fitting = forms.find(([form]) => form.test(source.text));
      if (fitting === undefined) notes.push(skipped(source, this.title));
      else fitting[1](fitting[0].exec(source.text)!);
    }
    if (orders === 0) orders = free[0]?.free.length ?? 0;
    return {
      reading: { kind: "pagetypeinfo", ...head, orders, free, types, blocks, ...(hasMixed ? { mixed } : {}) },
      notes,
    };
  },
  print(info) {
    const out: string[] = [];
    if (info.pageBlockOrder !== undefined) out.push(`Page block order: ${info.pageBlockOrder}`);
    if (info.pagesPerBlock !== undefined) out.push(`Pages per block:  ${info.pagesPerBlock}`);
    if (info.free.length > 0) {
      const heading = Array.from({ length: info.orders }, (_, o) => `${String(o).padStart(6)} `).join("");
      out.push("", `${"Free pages count per migrate type at order".padEnd(44)}${heading}`, ...info.free.map(freeLine));
    }
    if (info.blocks.length > 0) out.push("", ...blockLines("Number of blocks type", info.types, info.blocks));
    if (info.mixed !== undefined) out.push("", ...blockLines("Number of mixed blocks", info.types, info.mixed));
    return asText(out[0] === "" ? out.slice(1) : out);
  },
};

function counts(text: string): FreeCount[] {
  return [...text.matchAll(/(?:(>)\s*)?(\d+)/g)].map((m) => ({ blocks: Number(m[2]), more: m[1] === ">" }));
}

function freeLine(r: PageTypeRow): string {
  const head = `Node ${String(r.node).padStart(4)}, zone ${r.zone.padStart(8)}, type ${r.type.padStart(12)} `;
  return head + r.free.map((c) => `${c.more ? ">" : ""}${String(c.blocks).padStart(6)} `).join("");
}

function blockLines(title: string, types: readonly string[], rows: readonly BlockCounts[]): string[] {
  return [
    `${title.padEnd(23)}${types.map((t) => `${t.padStart(12)} `).join("")}`,
    ...rows.map((r) => `${zoneHead(r.node, r.zone)} ${r.blocks.map((n) => `${String(n).padStart(12)} `).join("")}`),
  ];
}
