// A diagnosis after its proofs, as data: the same on the command line and on the page.
import type { Diagnosis } from "../diagnosis/finding.ts";
import { measuredAdvice } from "./measured.ts";
import type { Proof } from "./proof.ts";
import { assumedOf } from "./proof.ts";

/** Advice in the order of what was measured, and each proof with what no line of the inputs says of its machine; null: not known yet. */
export function provedDiagnosis(diagnosis: Diagnosis, proofs: readonly (Proof | undefined)[]) {
  return {
    ...diagnosis,
    incidents: diagnosis.incidents.map((incident, i) => {
      const proof = proofs[i];
      return { ...incident, advice: proof === undefined ? incident.advice : measuredAdvice(incident.advice, proof) };
    }),
    proofs: proofs.map((p) =>
      p === undefined
        ? null
        : { ...p, assumed: assumedOf(p).map(({ what, value, because }) => ({ what, value, because })) },
    ),
  };
}
