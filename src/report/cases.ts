// Cases as a person reads them: the list, and one answered.
import type { Case, CaseResult } from "../scenario/cases/index.ts";
import type { Document, Tone } from "./document.ts";
import { facts, heading, paragraph, span, table } from "./document.ts";

const tones: Readonly<Record<string, Tone>> = { yes: "good", no: "bad", unknown: "warn" };

export function casesDocument(cases: readonly Case[]): Document {
  return [
    heading(1, "Questions that people asked, answered by running"),
    table(
      ["case", "seed", "question"],
      cases.map((c) => [[span(c.id, "code")], c.seed, c.question]),
    ),
    paragraph("skblab cases ID runs one of them."),
  ];
}

const number = (v: number | string): string =>
  typeof v === "string" ? v : Number.isInteger(v) ? v.toLocaleString("en-US") : Number(v.toPrecision(4)).toString();

/** `what would change it` stands last, as on the case's page in docs/cases. */
export function caseDocument(c: Case, r: CaseResult): Document {
  return [
    heading(1, c.id),
    facts([
      ["question", c.question],
      ["run", c.run],
      ["answer", [span(r.answer, "strong")]],
    ]),
    table(
      ["answer", "claim", "measured"],
      r.claims.map((k) => [
        [span(k.answer, tones[k.answer] ?? "plain")],
        k.claim,
        Object.entries(k.measured)
          .map(([name, value]) => `${name} ${number(value)}`)
          .join(", "),
      ]),
    ),
    { kind: "bars", ...r.picture },
    facts([["what would change it", c.wouldChange]]),
  ];
}
