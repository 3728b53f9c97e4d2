// The advice of an incident in the order in which it is shown: what follows from answered questions before what only gathers evidence, each once.
import { isA } from "./asked.ts";
import type { Advice, DiagnosedIncident, Finding } from "./finding.ts";
import type { Change, MachineSaid } from "./machine_told.ts";

/**
 * Findings without the advice that has no mechanism for this very refusal: a higher mark where memory stood far above it already wakes nobody,
 * and dropping a cache that is empty frees nothing. Left alone where the report does not say what memory stood at.
 */
export function withMechanism(
  findings: readonly Finding[],
  order: number | null,
  machine: MachineSaid,
): readonly Finding[] {
  return findings.map((f) => {
    const advice = f.advice.filter((a) => !idle(a.change, order, machine));
    return advice.length === f.advice.length ? f : { ...f, advice };
  });
}

/** Page cache that is as good as none, kB. */
const noCacheKb = 1024;

function idle(change: Change, order: number | null, machine: MachineSaid): boolean {
  if (order === null) return false;
  switch (change.kind) {
    case "min_free_kbytes":
      return order > 0 && standsAbove(machine, change.kb, 0);
    case "watermark_scale_factor":
      return order > 0 && machine.minFreeKb !== null && standsAbove(machine, machine.minFreeKb.value, change.value);
    case "drop_caches":
      return order === 0 && machine.held.fileKb !== null && machine.held.fileKb < noCacheKb;
    default:
      return false;
  }
}

/** What kswapd would work up to is nowhere above this: three times the zone's share of the reserve, the widest spacing of any release, and twice the scaled part. */
function standsAbove({ zones }: MachineSaid, minFreeKb: number, scaleFactor: number): boolean {
  const low = zones.filter((z) => z.zone !== "HighMem" && z.zone !== "Movable" && z.zone !== "Device");
  const known = low.flatMap(({ managedKb, presentKb, freeKb }) => {
    const own = managedKb ?? presentKb;
    return own === null || freeKb === null ? [] : [{ own, freeKb }];
  });
  const all = known.reduce((n, z) => n + z.own, 0);
  return (
    all > 0 &&
    known.length === low.length &&
    known.every((z) => z.freeKb > 3 * ((minFreeKb * z.own) / all) + 2 * ((z.own * scaleFactor) / 10_000))
  );
}

/** Advice of all findings, those of answered questions first, each once. */
export function rankedAdvice(i: Pick<DiagnosedIncident, "findings">): readonly Advice[] {
  const weight = (f: Finding): number =>
    isA(f, "min_free.default")
      ? -1
      : isA(f, "missing.parts", "missing.interface")
        ? 3
        : f.answer === "unknown"
          ? 2
          : isA(f, "ring.slot_lost")
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
