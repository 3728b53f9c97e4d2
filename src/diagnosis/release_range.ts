// A release that is only inferred is a range. An answer is given when it is the same at every date inside the range that it asked about; the
// dates are not guessed: the version remembers what it was compared with while the rule ran.
import { AskedVersion, compareVersions } from "../kernel/release.ts";
import type { Case } from "./case.ts";
import type { Finding } from "./finding.ts";
import { caseAt } from "./per_case.ts";
import { shortages } from "./rule.ts";

/** What no kernel is older than, and where the known ones end. */
const oldest: readonly number[] = [2, 4];
const newest: readonly number[] = [7, 2];
/** Of more dates so many are asked, evenly spread. */
const mostDates = 16;

const within = (range: readonly [readonly number[], readonly number[]], date: readonly number[]): boolean =>
  compareVersions(date, range[0]) > 0 && compareVersions(date, range[1]) <= 0;

/** Puts a question to a case; where its release is a range, at every date of the range that matters to the question. */
export function askOverRange(c: Case, ask: (c: Case) => readonly Finding[]): readonly Finding[] {
  if (c.verdict.certainty === "stated") return ask(c);
  const asked = new AskedVersion(c.release.version);
  const found = ask(caseAt(c, asked));
  const range = [c.verdict.since ?? oldest, c.verdict.until ?? newest] as const;
  const dates = spread(unique([...new Set(asked.dates)].filter((d) => within(range, d))));
  // What is not known at one version is not asked of the others.
  if (dates.length === 0 || found.every((f) => f.answer === "unknown")) return found;
  const others = [range[0], ...dates].map((version) => ({ version, findings: ask(caseAt(c, version)) }));
  return found.map((f) => overRange(c, f, others));
}

function unique(dates: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const seen = new Map(dates.map((d) => [d.join("."), d] as const));
  return [...seen.values()].sort(compareVersions);
}

const spread = <T>(items: readonly T[]): readonly T[] =>
  items.length <= mostDates
    ? items
    : Array.from({ length: mostDates }, (_, i) => items[Math.round((i * (items.length - 1)) / (mostDates - 1))] as T);

function overRange(
  c: Case,
  f: Finding,
  others: readonly { readonly version: readonly number[]; readonly findings: readonly Finding[] }[],
): Finding {
  if (f.answer === "unknown") return f;
  const same = others.map((o) => ({ ...o, f: o.findings.find((x) => x.id === f.id) }));
  const advice = f.advice.filter((a) => same.every((o) => o.f?.advice.some((x) => x.action === a.action)));
  const differs = same.find((o) => o.f?.answer !== f.answer);
  const here = c.release.version.join(".");
  if (differs !== undefined)
    return {
      ...f,
      answer: "unknown",
      claim: `It depends on the release, which the report does not state. On ${here}: ${f.claim} On ${differs.version.join(".")} the answer would differ.`,
      advice,
    };
  // Faults name the layouts they read in their own words.
  const changes = shortages.includes(c.incident.kind) && same.some((o) => o.f?.claim !== f.claim);
  return {
    ...f,
    advice,
    claim: changes ? `${f.claim} (The details are for ${here}; the report does not state its release.)` : f.claim,
  };
}
