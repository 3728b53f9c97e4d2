// The advice of an incident in the order in which it is shown: what follows from answered questions before what only gathers evidence, each once.
import type { Advice, DiagnosedIncident, Finding } from "./finding.ts";

/** Advice of all findings, those of answered questions first, each once. */
export function rankedAdvice(i: Pick<DiagnosedIncident, "findings">): readonly Advice[] {
  const weight = (f: Finding): number =>
    f.id.startsWith("min_free")
      ? -1
      : f.id.startsWith("missing")
        ? 3
        : f.answer === "unknown"
          ? 2
          : f.id === "ring.slot_lost"
            ? 1
            : 0;
  const seen = new Set<string>();
  const out: Advice[] = [];
  for (const f of [...i.findings].sort((a, b) => weight(a) - weight(b)))
    for (const a of f.advice) {
      const key = a.command ?? a.action;
      if (seen.has(key)) continue;
      seen.add(key);
      out.push(a);
    }
  return out;
}
