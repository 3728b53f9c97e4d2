// Cases as a person reads them: the list, and one answered.
import type { Case, CaseResult } from "../scenario/cases/index.ts";
import type { Knob } from "../scenario/cases/knobs.ts";
import { knobText } from "../scenario/cases/knobs.ts";
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
    paragraph("skblab cases ID runs one of them; skblab cases ID --knobs lists what may be changed in it."),
  ];
}

const bounds = (k: Knob): string => (k.kind === "choice" ? k.choices.join(" | ") : `${k.min} to ${k.max}`);

/** What may be changed in a case, each with its unit, its default and its bounds. */
export function knobsDocument(c: Case): Document {
  const knobs = Object.entries(c.knobs ?? {});
  return [
    heading(1, `Knobs of ${c.id}`),
    knobs.length === 0
      ? paragraph("This case has none.")
      : table(
          ["knob", ">default", "unit", "may be", "what it is"],
          knobs.map(([key, k]) => [
            [span(key, "code")],
            String(k.default),
            k.kind === "number" ? k.unit : "",
            bounds(k),
            k.says,
          ]),
        ),
    paragraph(`skblab cases ${c.id} --set key=value turns one; --set may be repeated.`),
  ];
}

const number = (v: number | string): string =>
  typeof v === "string" ? v : Number.isInteger(v) ? v.toLocaleString("en-US") : Number(v.toPrecision(4)).toString();

/** `what would change it` stands last, as on the case's page in docs/cases. */
export function caseDocument(c: Case, r: CaseResult): Document {
  const set = Object.entries(r.set ?? {})
    .map(([key, value]) => knobText(c.knobs ?? {}, key, value))
    .join(", ");
  return [
    heading(1, c.id),
    facts([
      ["question", c.question],
      ["story", c.story],
      ["run", c.run],
      ...(set === "" ? [] : [["changed", [span(set, "warn")]] as const]),
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
    ...(r.log === undefined ? [] : [paragraph("What the kernel prints:"), { kind: "code" as const, text: r.log }]),
    facts([["what would change it", c.wouldChange]]),
  ];
}
