// Does the machine's memory lie in pieces as the report's did? Shares of free memory in blocks of at least each order, side by side.

import type { ProveInput } from "../diagnosis/machine_told.ts";
import type { MachineResult } from "../scenario/machine_run.ts";
import type { Likeness } from "./proof.ts";

/** Null when the report does not show its free lists, or when any single page would have done. */
export function likenessOf(input: ProveInput, run: MachineResult): Likeness | null {
  const zones = (input.memory?.zones ?? []).filter((z) => z.eligible && z.orders.length > 0);
  const [report] = run.reports;
  if (zones.length === 0 || input.order === 0) return null;
  const real = addUp(zones.map((z) => z.orders.map((o) => o.blocks)));
  const own = addUp(
    report?.memInfo === undefined
      ? run.buddyinfo.zones.map((z) => [...z.free])
      : report.memInfo.zones
          .filter((z) => z.name !== "HighMem")
          .map((z) => (z.freeLists?.blocks ?? []).map((b) => b.count)),
  );
  const [a, b] = [sharesFrom(real), sharesFrom(own)];
  const orders = a.slice(1).map((share, i) => ({ order: i + 1, report: share, machine: b[i + 1] ?? 0 }));
  return { orders, distance: orders.reduce((n, o) => n + Math.abs(o.report - o.machine), 0) / orders.length };
}

const ordersShown = 6;

function addUp(zones: readonly (readonly number[])[]): number[] {
  const sum: number[] = [];
  for (const zone of zones) for (const [order, blocks] of zone.entries()) sum[order] = (sum[order] ?? 0) + blocks;
  return sum;
}

/** For each order up to 5: the share of free pages that lies in blocks of at least that order. */
function sharesFrom(blocks: readonly number[]): number[] {
  const pages = (from: number): number => blocks.reduce((n, b, order) => n + (order >= from ? b * 2 ** order : 0), 0);
  const all = Math.max(1, pages(0));
  return Array.from({ length: ordersShown }, (_, order) => pages(order) / all);
}
