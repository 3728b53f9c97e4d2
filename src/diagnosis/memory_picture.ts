// The zones of a report as numbers to draw: what the rules judged, with the comparisons of the model's own watermark test.
import type { WatermarkVerdict } from "../model/mm/watermark.ts";
import type { Case } from "./case.ts";
import type { MarkComparison, MemoryPicture, ZonePicture } from "./finding.ts";
import type { Rebuilt } from "./rebuild.ts";
import { rebuild } from "./rebuild.ts";
import { shortages } from "./rule.ts";

/** Undefined when the report has no zones, mask or order, or when its trouble is no shortage. */
export function memoryPicture(c: Case): MemoryPicture | undefined {
  if (!shortages.includes(c.incident.kind)) return undefined;
  if (c.incident.kind === "oom" && c.incident.reading.scope === "memcg") return undefined;
  const rebuilt = rebuild(c);
  if (rebuilt === undefined) return undefined;
  return {
    pageKb: c.pageKb,
    order: rebuilt.request.order,
    zones: rebuilt.zones.map(({ node, name, state, eligible, verdict }) => ({
      node,
      zone: name,
      eligible,
      answer: verdict.answer,
      free: state.free,
      min: state.min,
      low: state.low,
      high: state.high,
      orders: (state.orders ?? []).map((o) => ({ blocks: o.blocks, lists: o.letters ?? "" })),
      comparisons: comparisonsOf(verdict),
      within: withinOf(rebuilt, node, name),
    })),
  };
}

const comparisonsOf = (verdict: WatermarkVerdict): readonly MarkComparison[] =>
  verdict.because.map((s) => ({
    text: s.text,
    passed: s.passed ?? null,
    usable: s.compared?.usable ?? null,
    limit: s.compared?.limit ?? null,
    ladder: s.compared?.ladder ?? null,
  }));

/** Only where the answer itself rests on it: every zone that would serve as printed refuses within the error. */
function withinOf(rebuilt: Rebuilt, node: number, name: string): ZonePicture["within"] {
  const found = rebuilt.within?.find((w) => w.zone.node === node && w.zone.name === name);
  return found === undefined
    ? null
    : { taken: found.taken, error: found.error, comparisons: comparisonsOf(found.verdict) };
}
