// The zones of a report as numbers to draw: what the rules judged, with the comparisons of the model's own watermark test.
import type { Case } from "./case.ts";
import type { MemoryPicture } from "./finding.ts";
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
      comparisons: verdict.because.map((s) => ({
        text: s.text,
        passed: s.passed ?? null,
        usable: s.compared?.usable ?? null,
        limit: s.compared?.limit ?? null,
      })),
    })),
  };
}
