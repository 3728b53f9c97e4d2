// What an answer says, without its words: kinds, answers with their lines, numbers, the names it gives, how many sentences it takes. A sentence that
// is put better leaves it as it is; a rule that answers otherwise does not.
import type { Diagnosis, Finding } from "./finding.ts";

/** Of a sentence its numbers (those of lines are the evidence's) and its names: functions, files, counters, commands. */
const tellingIn = (text: string): string =>
  text
    .split(/[^\w.,/()-]/)
    .flatMap((word) => {
      let from = word.search(/[\d_/(]/);
      if (from < 0) return [];
      while (from > 0 && /[A-Za-z_./-]/.test(word[from - 1] as string)) from--;
      let to = word.length;
      while (to > from && ".,)".includes(word[to - 1] as string)) to--;
      return [word.slice(from, to)];
    })
    .join(" ");
/** One that begins or falls away is another answer, however it is put. */
const sentencesIn = (text: string): number => (text.match(/[.:;](?= |$)/g) ?? []).length;

/** Members that are words for people; of others the text itself is held. */
const words: ReadonlySet<string> = new Set([
  "title",
  "cause",
  "claim",
  "question",
  "clears",
  "because",
  "action",
  "changes",
  "costs",
  "sentence",
  "said",
  "note",
  "why",
  "wanted",
  "summary",
  "assumes",
  "holds",
  "open",
]);

/** What tells of a sentence, and how many it has. */
export const said = (text: string): string => {
  const telling = tellingIn(text);
  const sentences = sentencesIn(text);
  return `${telling}${sentences < 2 ? "" : ` /${sentences}`}`.trim();
};

const isQuote = (value: object): value is { readonly line: number } =>
  "line" in value && "text" in value && "input" in value && typeof value.line === "number";

/** Anything of an answer in one line: objects by member, of words what tells, of a quote its line; what is null, empty or false is left out. */
function bare(value: unknown, key = ""): string {
  if (value === null || value === undefined || value === false || value === "") return "";
  if (typeof value === "string") return words.has(key) ? said(value) : value;
  if (Array.isArray(value)) {
    const each = value.map((v) => bare(v, key)).filter((v) => v !== "");
    return each.length === 0 ? "" : `[${each.join(", ")}]`;
  }
  if (typeof value !== "object") return String(value);
  if (isQuote(value)) return `@${value.line}`;
  const members = Object.entries(value)
    .map(([k, v]) => [k, bare(v, k)] as const)
    .filter(([, v]) => v !== "");
  return members.length === 0 ? "" : `{${members.map(([k, v]) => `${k} ${v}`).join("; ")}}`;
}

/** `id answer @ lines # what the claim tells`, the rest and the advice behind it. */
function findingLine({ id, answer, evidence, claim, advice, silent: _words, ...rest }: Finding): string {
  const lines = evidence.map((e) => e.line).join(" ");
  const telling = said(claim);
  const more = [bare(rest), bare(advice)].filter((x) => x !== "").join(" ");
  return `  ${id} ${answer}${lines === "" ? "" : ` @ ${lines}`}${telling === "" ? "" : ` # ${telling}`}${more === "" ? "" : ` ${more}`}`;
}

/** The lines of an answer. */
export function answerLines(d: Diagnosis): readonly string[] {
  const { inputs, incidents, ...rest } = d;
  return [
    ...inputs.map((i) => `input ${bare(i)}`),
    ...incidents.flatMap(({ findings, ...incident }) => [
      "incident",
      // What the advice of all findings is stands beside each of them.
      ...Object.entries({ ...incident, advice: incident.advice.length })
        .map(([key, value]) => [key, bare(value, key)] as const)
        .filter(([, value]) => value !== "")
        .map(([key, value]) => ` ${key} ${value}`),
      ...findings.map(findingLine),
    ]),
    ...Object.entries(rest)
      .filter(([key]) => key !== "schema")
      .flatMap(([key, value]) =>
        Array.isArray(value) ? value.flatMap((v) => stateLines(key, v)) : [`${key} ${bare(value, key)}`],
      ),
  ];
}

/** A state member by member, and of its lists one line each. */
const stateLines = (key: string, value: unknown): readonly string[] =>
  typeof value !== "object" || value === null
    ? [`${key} ${bare(value, key)}`]
    : [
        key,
        ...Object.entries(value).flatMap(([k, v]) =>
          Array.isArray(v) ? v.map((one) => ` ${k} ${bare(one, k)}`) : bare(v, k) === "" ? [] : [` ${k} ${bare(v, k)}`],
        ),
      ];

/** Of an answer what a lost line may change: what each incident is, how bad, and what is answered with which lines. */
export const briefLines = (d: Diagnosis): readonly string[] =>
  d.incidents.flatMap((i) => [
    `${i.kind} ${i.severity} x${i.count} ${[i.driver, i.direction, i.order, i.gfp?.mask, i.kernel.release].map((v) => v ?? "-").join(" ")} # ${said(i.title)}; ${said(i.cause)}`,
    ...i.findings.map(
      (f) =>
        `  ${f.id} ${f.answer} @ ${f.evidence.map((e) => e.line).join(" ")} # ${said(f.claim)} !${f.advice.length}`,
    ),
  ]);

/** Of an answer to a fault one line: how bad it is, what it is said to be, and which questions are answered how. */
export const wordOf = (d: Diagnosis): readonly string[] =>
  d.incidents.map((i) => `${i.severity} ${said(i.cause)}: ${i.findings.map((f) => `${f.id} ${f.answer}`).join(", ")}`);
