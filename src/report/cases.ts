// Cases as a person reads them: the list, and one answered.
import type { Case, CaseResult } from "../scenario/cases/index.ts";
import type { Knob } from "../scenario/cases/knobs.ts";
import { knobText } from "../scenario/cases/knobs.ts";
import type { Block, Document, Tone } from "./document.ts";
import { facts, heading, paragraph, span, table } from "./document.ts";

const tones: Readonly<Record<string, Tone>> = { yes: "strong", no: "strong", unknown: "warn" };

export function casesDocument(cases: readonly Case[]): Document {
  return [
    heading(1, "Questions that people asked, answered by running"),
    table(
      ["case", "seed", "question"],
      cases.map((c) => [[span(c.id, "code")], c.seed, c.question]),
    ),
    paragraph("skblab cases ID runs one of them; skblab cases ID --knobs lists its knobs."),
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
    paragraph(`skblab cases ${c.id} --set key=value sets one; --set may be repeated.`),
  ];
}

const number = (v: number | string): string =>
  typeof v === "string" ? v : Number.isInteger(v) ? v.toLocaleString("en-US") : Number(v.toPrecision(4)).toString();

const between = (range: readonly [number, number] | undefined): string =>
  range === undefined || range[0] === range[1] ? "" : ` (${number(range[0])} to ${number(range[1])})`;

/** Names that stand as they are within a key; a key is `failuresWithoutTso`. */
const spelled: Readonly<Record<string, string>> = {
  tso: "TSO",
  mtu: "MTU",
  mbit: "Mbit/s",
  kb: "kB",
  rpc: "RPC",
  tcp: "TCP",
};

/** `failures without TSO`: a key of `measured` as a person reads it. */
export const inWords = (key: string): string =>
  key
    .replace(/([a-z])([A-Z0-9])/g, "$1 $2")
    .replace(/([0-9])([A-Z])/g, "$1 $2")
    .split(" ")
    .map((w) => spelled[w.toLowerCase()] ?? w.toLowerCase())
    .join(" ");

/** A claim's numbers with the runs that they are means of, drawn where there are two to compare. */
function intervals({ claim, measured, ranges = {} }: CaseResult["claims"][number]): Block[] {
  const bars = Object.entries(ranges).map(([key, range]) => ({
    label: inWords(key),
    value: Number(measured[key]),
    range,
  }));
  return bars.length < 2 ? [] : [{ kind: "bars", title: claim, unit: "", bars }];
}

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
          .map(([name, value]) => `${inWords(name)}: ${number(value)}${between(k.ranges?.[name])}`)
          .join("; "),
      ]),
    ),
    ...r.claims.flatMap(intervals),
    { kind: "bars", ...r.picture },
    ...(r.log === undefined ? [] : [paragraph("What the kernel prints:"), { kind: "code" as const, text: r.log }]),
    facts([["what would change it", c.wouldChange]]),
  ];
}
