// Free lists against the request, zone by zone, and the orders that an MTU needs. Drawn from the diagnosis JSON; nothing is computed here but lengths.
import type { JSX } from "preact";
import type { MemoryPicture, MtuTable, ZonePicture } from "../../diagnosis/finding.ts";
import { inertLine } from "../../report/escape.ts";
import { formatNumber } from "../../report/text.ts";
import { Picture } from "./figure.tsx";

const zoneName = (z: ZonePicture, all: readonly ZonePicture[]): string =>
  all.some((o) => o.node !== z.node) ? `node ${z.node} ${z.zone}` : z.zone;

const listNames: Readonly<Record<string, string>> = {
  U: "unmovable",
  M: "movable",
  E: "reclaimable",
  C: "CMA",
  H: "reserved for high-order atomic",
  I: "isolated",
  R: "reserve",
};

/** Blocks by order, one row a zone; a bar's height is the logarithm of the number, since singles outnumber large blocks by thousands. */
export function FreeLists({ memory }: { memory: MemoryPicture }): JSX.Element {
  const zones = memory.zones.filter((z) => z.orders.length > 0);
  const orders = Math.max(0, ...zones.map((z) => z.orders.length));
  if (orders === 0) return <p class="empty">The report prints no free lists; its buddy lines are missing.</p>;
  const most = Math.max(1, ...zones.flatMap((z) => z.orders.map((o) => o.blocks)));
  const left = 130;
  const cell = 50;
  const row = 84;
  const width = left + orders * cell + 8;
  const letters = [...new Set(zones.flatMap((z) => z.orders.flatMap((o) => [...o.lists])))];
  const title = `Free blocks by order; the request was order ${memory.order} (${memory.pageKb * 2 ** memory.order} KiB)`;
  const says = zones
    .map((z) => `${zoneName(z, memory.zones)}: ${z.orders.map((o, i) => `${o.blocks} of order ${i}`).join(", ")}`)
    .join(". ");
  return (
    <Picture
      title={title}
      width={width}
      height={zones.length * row + 34}
      says={`${title}. ${says}`}
      below={
        <ul class="legend">
          <li>
            <Swatch class="fits" /> large enough
          </li>
          <li>
            <Swatch class="small" /> too small
          </li>
          <li>
            <Swatch class="barred" /> in a zone that the mask does not allow
          </li>
          {letters.map((l) => (
            <li key={l}>
              <strong>{inertLine(l)}</strong> {listNames[l] ?? "other"}
            </li>
          ))}
        </ul>
      }
    >
      <rect
        class="asked"
        x={left + memory.order * cell}
        y="0"
        width={width - left - memory.order * cell}
        height="100%"
      />
      {zones.map((z, at) => {
        const base = at * row + row - 20;
        return (
          <g key={`${z.node} ${z.zone}`}>
            <text x={left - 8} y={base - 22} text-anchor="end" class="name">
              {inertLine(zoneName(z, memory.zones))}
            </text>
            <text x={left - 8} y={base - 6} text-anchor="end">
              {formatNumber(z.free)} pages
            </text>
            <line class="grid" x1={left} x2={width} y1={base} y2={base} />
            {z.orders.map((o, order) => {
              const height = o.blocks === 0 ? 0 : 4 + (Math.log1p(o.blocks) / Math.log1p(most)) * (row - 52);
              const kind = z.eligible ? (order >= memory.order ? "fits" : "small") : "barred";
              return (
                <g key={`${order}`}>
                  <rect class={kind} x={left + order * cell + 6} y={base - height} width={cell - 12} height={height} />
                  <text x={left + (order + 0.5) * cell} y={base - height - 4} text-anchor="middle">
                    {formatNumber(o.blocks)}
                  </text>
                  <text x={left + (order + 0.5) * cell} y={base + 13} text-anchor="middle" class="lists">
                    {inertLine(o.lists)}
                  </text>
                </g>
              );
            })}
          </g>
        );
      })}
      {Array.from({ length: orders }, (_, order) => (
        <text
          key={`${order}`}
          x={left + (order + 0.5) * cell}
          y={zones.length * row + 14}
          text-anchor="middle"
          class={order === memory.order ? "name" : undefined}
        >
          {order}
        </text>
      ))}
      <text x={left - 8} y={zones.length * row + 14} text-anchor="end">
        order
      </text>
      <text x={left + (memory.order + 0.1) * cell} y={zones.length * row + 29} class="name">
        asked for, and larger →
      </text>
    </Picture>
  );
}

const Swatch = ({ class: name }: { class: string }): JSX.Element => (
  <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true" class="drawn">
    <rect class={name} width="12" height="12" />
  </svg>
);

/** The order that one receive buffer needs, over the MTU: steps. */
export function MtuSteps({ table }: { table: MtuTable }): JSX.Element {
  const { rows, driver } = table;
  const width = 720;
  const left = 90;
  const from = rows[0]?.from ?? 0;
  const to = rows.at(-1)?.to ?? 1;
  const top = Math.max(1, ...rows.map((r) => r.order));
  const rise = 38;
  const height = top * rise + 74;
  const x = (mtu: number): number => left + ((mtu - from) / Math.max(1, to + 1 - from)) * (width - left - 20);
  const y = (order: number): number => 20 + (top - order) * rise;
  const title = `Page order that one receive buffer of ${driver} needs, by MTU`;
  const path = rows
    .map((r, i) => `${i === 0 ? "M" : "V"}${i === 0 ? `${x(r.from)} ` : ""}${y(r.order)}H${x(r.to + 1)}`)
    .join("");
  let lastLabel = -100;
  return (
    <Picture
      title={title}
      width={width}
      height={height}
      says={`${title}: ${rows.map((r) => `order ${r.order} from ${r.from} to ${r.to}`).join(", ")}`}
    >
      {Array.from({ length: top + 1 }, (_, order) => (
        <g key={`${order}`}>
          <line class="grid" x1={left} x2={width - 20} y1={y(order)} y2={y(order)} />
          <text x={left - 8} y={y(order) + 4} text-anchor="end">
            order {order}
          </text>
        </g>
      ))}
      {rows.map((r) => (
        <rect
          key={`${r.from}`}
          class={r.order === 0 ? "step-good" : "step-bad"}
          x={x(r.from)}
          y={y(r.order)}
          width={x(r.to + 1) - x(r.from)}
          height={y(0) - y(r.order) + 8}
        >
          <title>{inertLine(`MTU ${r.from} to ${r.to}: order ${r.order}; ${r.needs.join("; ")}`)}</title>
        </rect>
      ))}
      <path class="step" fill="none" d={path} />
      {rows.map((r, i) => {
        const at = x(r.to);
        if (at - lastLabel < 44 && i < rows.length - 1) return null;
        lastLabel = at;
        return (
          <g key={`${r.to}`}>
            <line class="mark" x1={at} x2={at} y1={y(0) + 8} y2={y(0) + 14} />
            <text x={at} y={y(0) + 27} text-anchor={i === rows.length - 1 ? "end" : "middle"}>
              {r.to}
            </text>
          </g>
        );
      })}
      <text x={left} y={y(0) + 46}>
        MTU in bytes
      </text>
    </Picture>
  );
}
