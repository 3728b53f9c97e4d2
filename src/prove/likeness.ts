// Is the machine like the report where the question is? Judged at its first failure: free memory, what of it lies in blocks of the requested order
// and above, on which lists, and how often it fails.

import type { ProveInput } from "../diagnosis/machine_told.ts";
import type { AllocFailure } from "../kernel/readings/alloc_failure.ts";
import type { Likeness } from "./proof.ts";

/** Free memory may differ so many times: what it stands at moves within a burst. */
const factor = 3;
/** Pages that make no difference to anybody. */
const fewPages = 512;
/** Shares of free memory that are alike. */
const shareApart = 0.1;

/** Rows of a comparison; empty where the report does not show its free lists. */
export function likenessOf(input: ProveInput, report: AllocFailure | undefined): Likeness[] {
  const { order } = input;
  const zones = (input.memory?.zones ?? []).filter((z) => z.eligible && z.orders.length > 0);
  const own = (report?.memInfo?.zones ?? []).filter((z) => z.freeLists !== undefined);
  if (order === null || zones.length === 0 || own.length === 0) return [];
  const eligible = new Set(zones.map((z) => z.zone));
  const real = addUp(zones.map((z) => z.orders.map((o) => o.blocks)));
  const model = addUp(
    own.filter((z) => eligible.has(z.name)).map((z) => (z.freeLists?.blocks ?? []).map((b) => b.count)),
  );
  const [a, b] = [pagesFrom(real, 0), pagesFrom(model, 0)];
  const rows: Likeness[] = [
    {
      what: "free pages in zones it may use",
      report: a,
      machine: b,
      matters: order === 0,
      alike: near(a, b),
    },
  ];
  for (let o = order; order > 0 && o <= order + 1 && o < 11; o++) {
    const [x, y] = [share(real, o), share(model, o)];
    rows.push({
      what: `share of them in blocks of order ${o} and above`,
      report: x,
      machine: y,
      matters: true,
      alike: Math.abs(x - y) <= shareApart,
    });
  }
  return rows;
}

const near = (a: number, b: number): boolean => Math.abs(a - b) <= fewPages || (a <= b * factor && b <= a * factor);

const share = (blocks: readonly number[], order: number): number =>
  pagesFrom(blocks, order) / Math.max(1, pagesFrom(blocks, 0));

const pagesFrom = (blocks: readonly number[], from: number): number =>
  blocks.reduce((n, count, order) => n + (order >= from ? count * 2 ** order : 0), 0);

function addUp(zones: readonly (readonly number[])[]): number[] {
  const sum: number[] = [];
  for (const zone of zones) for (const [order, blocks] of zone.entries()) sum[order] = (sum[order] ?? 0) + blocks;
  return sum;
}
