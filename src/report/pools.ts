// The answer of `skblab pools`: a document for people, a value for programs (schema skblab.pools/1).
import type { PoolReading } from "../artifact/page_pool/shape.ts";
import type { PoolRates, PoolVerdict } from "../diagnosis/pools.ts";
import type { Block, Document, Span, Tone } from "./document.ts";
import { facts, heading, list, paragraph, span, table } from "./document.ts";

const tones: Readonly<Record<PoolVerdict["pattern"], Tone>> = {
  leak: "bad",
  "kernel bug": "bad",
  "bad parameters": "bad",
  "slow consumer": "warn",
  "small ring": "warn",
  "shared pages": "warn",
  "wrong node": "warn",
  healthy: "good",
  "does not say": "dim",
};

/** One heading a pool, its verdict, rates, the lines it rests on. */
export function poolsDocument(verdicts: readonly PoolVerdict[], readings: readonly PoolReading[]): Document {
  const blocks: Block[] = [heading(1, "Page pools")];
  blocks.push(
    table(
      ["pool", "pattern", "certainty", ">in flight", ">out", ">hit rate"],
      verdicts.map((v) => [
        v.subject,
        [span(v.pattern, tones[v.pattern])],
        v.certainty,
        v.inFlight === undefined ? "" : String(v.inFlight),
        v.rates?.out === undefined ? "" : String(v.rates.out),
        v.rates === undefined ? "" : percent(v.rates.hit),
      ]),
    ),
  );
  for (const v of verdicts) blocks.push(...verdictBlocks(v));
  const notes = readings.flatMap((r) => r.notes);
  if (notes.length > 0) blocks.push(heading(2, "Not understood"), list(notes));
  return blocks;
}

function verdictBlocks(v: PoolVerdict): Block[] {
  const head: Span[] = [span(v.pattern, tones[v.pattern]), span(` (${v.certainty}): ${v.summary}`)];
  const blocks: Block[] = [heading(2, v.subject), paragraph(head)];
  if (v.rates !== undefined) blocks.push(facts(rateRows(v.rates)));
  for (const reason of v.reasons) {
    blocks.push(paragraph(reason.text));
    if (reason.evidence.length > 0) blocks.push({ kind: "quote", lines: reason.evidence });
  }
  if (v.mayHold.length > 0) blocks.push(paragraph("Who may hold the pages:"), list(v.mayHold));
  if (v.next.length > 0) blocks.push(paragraph("Next:"), list(v.next));
  return blocks;
}

const notTold = "the counters that are there do not say";

function rateRows(r: PoolRates): (readonly [string, string])[] {
  return [
    ["counted", r.interval ? "between first and last snapshot" : "since the pool was made"],
    [
      "allocations",
      r.allocations === undefined
        ? notTold
        : `${r.allocations}: ${percent(r.hit)} from recycled pages, ${percent(r.fresh)} from new pages of the page allocator`,
    ],
    [
      "returns",
      r.returns === undefined
        ? notTold
        : `${r.returns}: kept ${percent(r.recycled)}, ring full ${percent(r.ringFull)}, referenced elsewhere ${percent(r.released)}`,
    ],
    ["out now", r.out === undefined ? notTold : `${r.out} pages with driver or stack, by the counters`],
  ];
}

const percent = (x: number | undefined): string =>
  x === undefined ? "-" : `${(x * 100).toFixed(x > 0 && x < 0.01 ? 2 : 1)} %`;

/** The same content as data. */
export function poolsJson(verdicts: readonly PoolVerdict[], readings: readonly PoolReading[]): unknown {
  return {
    schema: "skblab.pools/1",
    inputs: readings.map((r) => ({
      input: r.input,
      counterSnapshots: r.counters.length,
      netlinkPools: r.states.length,
      tracedPools: r.traces.length,
      warnings: r.warnings.length,
      notes: r.notes,
    })),
    verdicts: verdicts.map((v) => ({ ...v, rates: v.rates ?? null, inFlight: v.inFlight ?? null })),
  };
}
