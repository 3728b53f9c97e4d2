// How sure a verdict is, and on which kernel it was reached: the same words in a terminal and on the page.
import { findingOf, isA } from "../diagnosis/asked.ts";
import type { DiagnosedIncident } from "../diagnosis/finding.ts";

/** The finding that tells most about why, in the report's own numbers. */
export function whyText(i: DiagnosedIncident): string | undefined {
  const said = i.findings.filter((f) => f.answer !== "unknown");
  const refused = findingOf(said, "why.refused") ?? findingOf(said, "why.waits");
  if (i.order === 0 && i.kind !== "oom" && refused !== undefined) return refused.claim;
  // A fault answers the question of fragmentation only to clear it: that does not tell why.
  const fault = i.severity === "corruption" || i.kind === "page_pool_stall";
  const [most] = said
    .flatMap((f) => (f.rank === undefined || (fault && isA(f, "fragmentation")) ? [] : [{ ...f, rank: f.rank }]))
    .sort((a, b) => a.rank - b.rank);
  return (most ?? refused)?.claim;
}

/** `High: every check could be made from this log`: of the verdict, whether what decides it stands in the report, not of how much was asked. */
export function confidence(i: DiagnosedIncident): string {
  const lacking = i.findings.filter((f) => f.answer === "unknown").length;
  const undecided = i.severity === "unknown" || (whyText(i) === undefined && lacking > 0);
  const verdict = undecided ? "Limited" : "High";
  return lacking === 0
    ? `${verdict}: every check could be made from this log`
    : `${verdict}: ${lacking} of ${i.findings.length} checks ${lacking === 1 ? "needs" : "need"} what this log does not have`;
}

/** `kernel 6.1.192, as the report states`, or what the release was inferred from. */
export function kernelText({ kernel: { release, certainty, because } }: DiagnosedIncident): string {
  if (certainty === "stated") return `kernel ${release}, as the report states`;
  if (release === "unknown") return "the kernel's release is not known";
  const from = because.slice(0, 4).map((b) => uncapital(b.replace(/\.$/, "")));
  return `kernel ${release}, inferred${from.length === 0 ? "" : ` (${from.join("; ")})`}`;
}

/** A sentence within another: "The …" becomes "the …", names in capitals stay. */
const uncapital = (text: string): string =>
  /^[A-Z][a-z]* /.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
