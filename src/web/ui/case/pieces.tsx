// One bar of free memory by size of piece: how much was free where the request may look, and how little of it was large enough.
import type { JSX } from "preact";
import { size } from "../../../diagnosis/words.ts";
import { formatNumber } from "../../../report/text.ts";
import { Picture } from "../figure.tsx";
import type { Pieces } from "./case_view.ts";

const width = 640;
const barTop = 26;
const barHeight = 34;

export function PieceBar({ pieces }: { pieces: Pieces }): JSX.Element {
  const { byOrder, order } = pieces;
  const all = Math.max(
    1,
    byOrder.reduce((n, o) => n + o.bytes, 0),
  );
  const small = byOrder.slice(0, order).reduce((n, o) => n + o.bytes, 0);
  const large = all - small;
  // What is large enough is what is looked for: however little it is, it can be seen.
  const largeWidth = large === 0 || all === 0 ? 0 : Math.max(4, (large / all) * width);
  const smallWidth = width - largeWidth;
  const placed = byOrder.filter((o) => o.blocks > 0);
  let x = 0;
  const parts = placed.map((o) => {
    const own =
      o.order < order ? (o.bytes / Math.max(1, small)) * smallWidth : (o.bytes / Math.max(1, large)) * largeWidth;
    const part = { ...o, x, width: own };
    x += own;
    return part;
  });
  const title = pieces.sentence;
  const says = `${pieces.sentence}. ${placed.map((o) => `${formatNumber(o.blocks)} blocks of order ${o.order}`).join(", ")}`;
  return (
    <Picture title={title} width={width} height={104} says={says}>
      {small > 0 ? (
        <text x="0" y="16">
          {size(small)} in blocks too small
        </text>
      ) : null}
      <text x={width} y="16" text-anchor="end" class={large === 0 ? "verdict-bad" : "name"}>
        {large === 0 ? `nothing of ${size(pieces.wantedBytes)} or more` : `${size(large)} large enough`}
      </text>
      {parts.map((p) => (
        <g key={p.order}>
          <rect
            class={`${p.order < order ? "piece-small" : "piece-large"}${p.order % 2 === 1 ? " odd-order" : ""}`}
            x={p.x}
            y={barTop}
            width={Math.max(1, p.width - 1.5)}
            height={barHeight}
          >
            <title>{`${formatNumber(p.blocks)} blocks of ${size(pieceBytes(pieces, p.order))} (order ${p.order}): ${size(p.bytes)}`}</title>
          </rect>
          {p.width > 54 ? (
            <text x={p.x + p.width / 2} y={barTop + barHeight + 15} text-anchor="middle">
              {formatNumber(p.blocks)} × {size(pieceBytes(pieces, p.order))}
            </text>
          ) : null}
        </g>
      ))}
      <line class="refused" x1={smallWidth} x2={smallWidth} y1={barTop - 5} y2={barTop + barHeight + 5} />
      <text x={Math.min(width - 4, smallWidth)} y={barTop + barHeight + 34} text-anchor="end" class="name">
        requested: one block of {size(pieces.wantedBytes)}
      </text>
    </Picture>
  );
}

const pieceBytes = (pieces: Pieces, order: number): number => (pieces.wantedBytes / 2 ** pieces.order) * 2 ** order;
