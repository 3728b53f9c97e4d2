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
  const modelZones = own.filter((z) => eligible.has(z.name)).map((z) => z.freeLists?.blocks ?? []);
  const real = addUp(zones.map((z) => z.orders.map((o) => o.blocks)));
  const model = addUp(modelZones.map((blocks) => blocks.map((b) => b.count)));
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
  // By list: what only others may take is as good as not there. One order may lie on several lists; a report without letters does not say.
  const typed = input.machine.zones.flatMap((z) => (eligible.has(z.zone) && z.blocks !== null ? [z.blocks] : []));
  if (!typed.some((blocks) => blocks.some((b) => b.types !== ""))) return rows;
  const machines = modelZones.map((blocks) => blocks.map((b) => ({ count: b.count, types: b.types ?? "" })));
  for (const [letters, whose] of lists) {
    const x = shareOn(typed, order, letters);
    const y = shareOn(machines, order, letters);
    if (x === 0 && y === 0) continue;
    rows.push({
      what: `share of all that is free in blocks of order ${order} and above on lists of ${whose} alone`,
      report: x,
      machine: y,
      matters: true,
      alike: Math.abs(x - y) <= shareApart,
    });
  }
  for (const [letter, whose] of types) {
    const x = shareOfType(typed, order, letter);
    const y = shareOfType(machines, order, letter);
    if (x === 0 && y === 0) continue;
    rows.push({
      what: `share of all that is free in blocks of order ${order} and above on ${whose} lists`,
      report: x,
      machine: y,
      // A single page is taken from whichever of these lists has one.
      matters: order > 0,
      alike: Math.abs(x - y) <= shareApart,
    });
  }
  return rows;
}

/** Lists that fall back to each other: who has to rob another type leaves its mark there (fallbacks[], mm/page_alloc.c). */
const types: readonly (readonly [letter: string, whose: string])[] = [
  ["U", "unmovable"],
  ["E", "reclaimable"],
  ["M", "movable"],
];

/** Of the free pages, those in blocks that are large enough and lie on this list; a line that names several lists is shared evenly. */
function shareOfType(
  zones: readonly (readonly { readonly count: number; readonly types: string }[])[],
  from: number,
  letter: string,
): number {
  const part = (types: string): number => (types.includes(letter) ? 1 / types.length : 0);
  const wanted = addUp(zones.map((blocks) => blocks.map((b) => b.count * part(b.types))));
  const all = addUp(zones.map((blocks) => blocks.map((b) => b.count)));
  return pagesFrom(wanted, from) / Math.max(1, pagesFrom(all, 0));
}

/** Lists by who may take from them, as reports spell them: C cma, H highatomic, I isolate. */
const lists: readonly (readonly [letters: string, whose: string])[] = [
  ["C", "CMA"],
  ["HI", "the atomic reserve"],
];

/** Of the free pages, those in blocks that are large enough and lie on these lists alone. */
function shareOn(
  zones: readonly (readonly { readonly count: number; readonly types: string }[])[],
  from: number,
  letters: string,
): number {
  const only = (types: string): boolean => types !== "" && [...types].every((t) => letters.includes(t));
  const wanted = addUp(zones.map((blocks) => blocks.map((b) => (only(b.types) ? b.count : 0))));
  const all = addUp(zones.map((blocks) => blocks.map((b) => b.count)));
  return pagesFrom(wanted, from) / Math.max(1, pagesFrom(all, 0));
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
