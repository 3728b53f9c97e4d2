// Draws struct layouts and what-if answers: offsets, holes, cache lines, and what a change costs in slabs.
import type { Hole, Member, StructLayout, StructSource } from "../kernel/layout/layout.ts";
import { holesOf } from "../kernel/layout/layout.ts";
import { formatRelease } from "../kernel/release.ts";
import type { HeadPlace, WhatIf } from "../lab/layout_what_if.ts";
import { hasSmallHeadCache, leastLinearBytes } from "../lab/layout_what_if.ts";
import type { Block, Document, Text } from "./document.ts";
import { facts, heading, list, paragraph, span, table } from "./document.ts";

/** Bytes of a cache line that lines are drawn for. */
export interface LayoutView {
  readonly cacheLine: number;
  /** Where the layout comes from, in words; the declaration's source among them. */
  readonly origin: string;
  /** What the reader must know before relying on it. */
  readonly caution?: string;
}

const bytesAndBits = (bits: number): string => {
  const whole = Math.floor(bits / 8);
  const rest = bits % 8;
  return [
    whole > 0 ? `${whole} ${whole === 1 ? "byte" : "bytes"}` : "",
    rest > 0 ? `${rest} ${rest === 1 ? "bit" : "bits"}` : "",
  ]
    .filter((t) => t !== "")
    .join(" ");
};

/** 26, or 26:3 for a bit-field. */
const offsetText = (m: Member): string => {
  const byte = Math.floor(m.offsetBits / 8);
  return m.bits === undefined ? `${byte}` : `${byte}:${m.offsetBits % 8}`;
};

interface Row {
  readonly at: number;
  readonly cells: readonly Text[];
}

function memberRows(members: readonly Member[], depth: number): Row[] {
  return members.flatMap((m) => {
    const indent = "  ".repeat(depth);
    const name = m.name === "" ? `(${m.kind ?? "unnamed"})` : m.name;
    const row: Row = {
      at: m.offsetBits,
      cells: [
        offsetText(m),
        m.bits === undefined ? `${m.sizeBytes}` : `${m.bits}b`,
        `${indent}${name}`,
        m.name === "" ? "" : m.type,
      ],
    };
    const open = m.members !== undefined && /^(?:const |volatile )*(?:struct|union)(?:\[|$)/.test(m.type);
    return [row, ...(open ? memberRows(m.members ?? [], depth + 1) : [])];
  });
}

/** Rows with their holes and cache lines put in where they are; only those of the outermost level are drawn. */
function rows(layout: StructLayout, cacheLine: number): readonly (readonly Text[])[] {
  const drawn: (readonly Text[])[] = [];
  const holes: Hole[] = holesOf(layout).filter((h) => h.depth === 0);
  let line = cacheLine;
  const before = (bits: number): void => {
    while (holes.length > 0 && (holes[0] as Hole).offsetBits < bits) {
      const h = holes.shift() as Hole;
      drawn.push([
        [span(`${Math.floor(h.offsetBits / 8)}`, "dim")],
        "",
        [span("hole", "warn")],
        [span(bytesAndBits(h.bits), "warn")],
      ]);
    }
    const first = line;
    for (; line * 8 <= bits && line < layout.sizeBytes; line += cacheLine);
    if (line === first) return;
    const from = first / cacheLine;
    const to = line / cacheLine - 1;
    const into = bits === Number.POSITIVE_INFINITY ? 0 : bits / 8 - (line - cacheLine);
    const where =
      bits === Number.POSITIVE_INFINITY
        ? " (in the last member)"
        : into > 0
          ? ` (${bytesAndBits(into * 8)} before)`
          : "";
    const text = from === to ? `---- cache line ${from}${where}` : `---- cache lines ${from} to ${to}${where}`;
    drawn.push([[span(`${first}`, "dim")], "", [span(text, "dim")], ""]);
  };
  for (const row of memberRows(layout.members, 0)) {
    if (layout.kind === "struct") before(row.at);
    drawn.push(row.cells);
  }
  if (layout.kind === "struct") before(Number.POSITIVE_INFINITY);
  return drawn;
}

/** A struct from its first byte to its last. */
export function layoutDocument(layout: StructLayout, view: LayoutView): Document {
  const holes = holesOf(layout);
  const inside = holes.filter((h) => h.offsetBits + h.bits < layout.sizeBytes * 8);
  const end = holes.find((h) => h.offsetBits + h.bits === layout.sizeBytes * 8 && h.depth === 0);
  const sum = inside.reduce((n, h) => n + h.bits, 0);
  const lines = Math.ceil(layout.sizeBytes / view.cacheLine);
  const last = layout.sizeBytes % view.cacheLine;
  return [
    heading(1, `${layout.kind} ${layout.name}`),
    ...(view.caution === undefined ? [] : [paragraph([span(view.caution, "warn")])]),
    facts([
      ["size", `${layout.sizeBytes} bytes`],
      ["cache lines", `${lines} of ${view.cacheLine} bytes${last === 0 ? "" : `, ${last} bytes in the last`}`],
      ["holes", inside.length === 0 ? "none" : `${inside.length}, ${bytesAndBits(sum)} in all`],
      ["padding at the end", end === undefined ? "none" : bytesAndBits(end.bits)],
      ["from", view.origin],
    ]),
    table([">offset", ">size", "member", "type"], rows(layout, view.cacheLine)),
  ];
}

/** One member: where it is. */
export function memberDocument(layout: StructLayout, path: string, m: Member, view: LayoutView): Document {
  const byte = Math.floor(m.offsetBits / 8);
  return [
    heading(1, `${layout.name}.${path}`),
    ...(view.caution === undefined ? [] : [paragraph([span(view.caution, "warn")])]),
    facts([
      ["type", m.type],
      ["offset", m.bits === undefined ? `${byte}` : `byte ${byte}, bit ${m.offsetBits % 8}`],
      ["size", m.bits === undefined ? `${m.sizeBytes} bytes` : `${m.bits} bits`],
      ["cache line", `${Math.floor(byte / view.cacheLine)}`],
      ["from", view.origin],
    ]),
  ];
}

/** Which structs there are, with their sizes; for BTF only those of packet memory, and how many more. */
export function namesDocument(source: StructSource, wanted: readonly string[], total: number): Document {
  const found = wanted.flatMap((name) => {
    const layout = source.layout(name);
    return layout === undefined ? [] : [[name, `${layout.sizeBytes}`]];
  });
  return [
    heading(1, "Structs of packet memory"),
    facts([
      ["from", source.name],
      ["structs and typedefs in all", `${total}`],
    ]),
    table(["struct", ">bytes"], found),
  ];
}

/** Plain data of a layout, for --format json. */
export function layoutJson(layout: StructLayout, origin: string): unknown {
  const member = (m: Member): unknown => ({
    name: m.name,
    type: m.type,
    offsetBytes: Math.floor(m.offsetBits / 8),
    ...(m.bits === undefined ? {} : { bitOffset: m.offsetBits % 8, bits: m.bits }),
    sizeBytes: m.sizeBytes,
    ...(m.members === undefined ? {} : { kind: m.kind, members: m.members.map(member) }),
  });
  return {
    schema: "skblab.layout/1",
    from: origin,
    name: layout.name,
    kind: layout.kind,
    sizeBytes: layout.sizeBytes,
    members: layout.members.map(member),
    holes: holesOf(layout).map((h) => ({ ...h, offsetBytes: h.offsetBits / 8 })),
  };
}

const changeText = (before: number, after: number): Text =>
  before === after ? `${after}` : [span(`${before} → `), span(`${after}`, after > before ? "bad" : "good")];

const place = ({ answer }: HeadPlace): string => (answer.kind === "slab" ? answer.bucket : "page allocator");

const orders = ({ answer }: HeadPlace): string =>
  answer.mayFallBack ? `${answer.order} or ${answer.minOrder}` : `${answer.order}`;

/** What an edit moves: sizes, the room for linear data, heads of packets, and which frames pay. */
export function whatIfDocument(answer: WhatIf): Document {
  const release = formatRelease(answer.release);
  const all = [...answer.changes, ...answer.unchanged];
  const blocks: Block[] = [
    heading(1, `What if: ${answer.edits.map((e) => e.text).join("; ")}`),
    facts([
      ["kernel", `${release}, ${answer.from}`],
      ["allocator", `${answer.allocator.toUpperCase()}, ${answer.cpus} CPUs`],
    ]),
    table(
      ["sizeof", ">before", ">after"],
      all.map(({ struct, before, after }) => [
        struct,
        `${before.sizeBytes}`,
        changeText(before.sizeBytes, after.sizeBytes),
      ]),
    ),
  ];
  if (answer.room !== undefined) {
    const { before, after } = answer.room;
    blocks.push(
      heading(2, "Room for linear data beside the shared info"),
      table(
        ["", ">before", ">after"],
        [
          ["skb_shared_info falls into", before.bucket, after.bucket],
          ["bytes left for linear data", `${before.left}`, changeText(before.left, after.left)],
        ],
      ),
      paragraph(
        `The bucket is the smallest in which ${leastLinearBytes} bytes, an Ethernet header, fit beside the bare struct.`,
      ),
    );
  }
  if (answer.heads.length > 0)
    blocks.push(
      heading(2, "Heads of packets: alloc_skb of a whole frame"),
      table(
        [">frame", "", ">asked", "bucket", ">wasted", ">heads per page", ">order"],
        answer.heads.flatMap(({ frame, before, after }): Text[][] => [
          [`${frame}`, "before", ...headCells(before)],
          [
            "",
            "after",
            ...headCells(after).map(
              (cell, i): Text => (i === 1 && place(before) !== place(after) ? [span(cell, "bad")] : cell),
            ),
          ],
        ]),
      ),
      paragraph("Asked and wasted are bytes; an order with “or” may fall back to the smaller one."),
    );
  if (answer.heads.length > 0 && hasSmallHeadCache(answer.release))
    blocks.push(
      paragraph([
        span(
          "Since 6.3 small heads (a few hundred bytes) come from a cache of their own, skbuff_small_head, before kmalloc is asked; the rows of small frames do not show it.",
          "warn",
        ),
      ]),
    );
  blocks.push(heading(2, "Which frames cost more"));
  if (answer.moved.length === 0)
    blocks.push(paragraph([span("None: every frame up to 9000 bytes keeps its bucket.", "good")]));
  else
    blocks.push(
      list(answer.moved.map((m) => `${m.from} to ${m.to} bytes of linear data: ${m.before} → ${m.after}`)),
      paragraph("All other frames up to 9000 bytes keep their bucket."),
    );
  return blocks;
}

const headCells = (p: HeadPlace): string[] => [
  `${p.asked}`,
  place(p),
  `${p.wasted}`,
  p.objectsPerPage >= 1 ? `${Math.floor(p.objectsPerPage * 10) / 10}` : `1/${Math.round(1 / p.objectsPerPage)}`,
  orders(p),
];

export function whatIfJson(answer: WhatIf): unknown {
  const head = (p: HeadPlace): unknown => ({
    askedBytes: p.asked,
    bucket: p.answer.bucket,
    usableBytes: p.answer.usable,
    wastedBytes: p.wasted,
    objectsPerPage: p.objectsPerPage,
    order: p.answer.order,
    minOrder: p.answer.minOrder,
    mayFallBack: p.answer.mayFallBack,
  });
  return {
    schema: "skblab.layout-what-if/1",
    kernel: formatRelease(answer.release),
    from: answer.from,
    allocator: answer.allocator,
    cpus: answer.cpus,
    edits: answer.edits.map((e) => e.text),
    sizes: [...answer.changes, ...answer.unchanged].map((c) => ({
      struct: c.struct,
      beforeBytes: c.before.sizeBytes,
      afterBytes: c.after.sizeBytes,
    })),
    room: answer.room ?? null,
    heads: answer.heads.map((h) => ({ frameBytes: h.frame, before: head(h.before), after: head(h.after) })),
    moved: answer.moved,
  };
}
