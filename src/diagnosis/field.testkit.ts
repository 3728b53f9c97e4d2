// Holds an answer to what is right: what must be found, what must never be said, what must be said. The keys are those of fixtures/field/*.json.
import { gather } from "../artifact/gather.ts";
import { sourceOf } from "../base/byte_source.ts";
import { diagnosisDocument } from "../report/diagnosis.ts";
import { renderText } from "../report/text.ts";
import { createCollector } from "./collect.ts";
import { diagnose } from "./diagnose.ts";
import type { DiagnosedIncident, Diagnosis } from "./finding.ts";

/** What is right about one input. */
export interface Wanted {
  /** The kind of mistake that the input stands for, and what is right, with its source. */
  readonly kind?: string;
  readonly why?: string;
  /** The command it is for; `diagnose` where it is left out. */
  readonly command?: readonly string[];
  readonly incidents?: { readonly min?: number; readonly max?: number };
  readonly fields?: readonly (Readonly<Record<string, unknown>> & {
    readonly where?: number | "any";
    readonly release?: string;
    readonly severityNot?: readonly string[];
  })[];
  /** Finding id, or its beginning with a star: the answers that are right, in every incident. */
  readonly answers?: Readonly<Record<string, string | readonly string[]>>;
  /** Regular expressions over the text, white space folded, in any case. */
  readonly never?: readonly string[];
  readonly says?: readonly string[];
}

const list = <T>(v: T | readonly T[]): readonly T[] => (Array.isArray(v) ? (v as readonly T[]) : [v as T]);

/** Diagnoses texts by name, without a file or a process. */
export async function diagnoseTexts(texts: Readonly<Record<string, string | Uint8Array>>): Promise<Diagnosis> {
  const collector = createCollector();
  const items = Object.entries(texts).map(([name, text]) => ({
    source: sourceOf(name, typeof text === "string" ? text : [text]),
    named: true,
  }));
  return diagnose(collector.finish(await gather(items, { onWindow: collector.onWindow })));
}

/** What of an answer is not as wanted, in words; empty when all is right. */
export function faultsOf(d: Diagnosis, want: Wanted): readonly string[] {
  const said = renderText(diagnosisDocument(d), { colour: false, width: 200 }).replace(/\s+/g, " ");
  const faults: string[] = [];
  for (const r of want.never ?? []) {
    const m = new RegExp(`.{0,60}(?:${r}).{0,60}`, "i").exec(said);
    if (m !== null) faults.push(`says what is wrong: …${m[0]}…`);
  }
  for (const r of want.says ?? []) if (!new RegExp(r, "i").test(said)) faults.push(`does not say /${r}/`);
  const { min = 0, max = Number.POSITIVE_INFINITY } = want.incidents ?? {};
  if (d.incidents.length < min || d.incidents.length > max)
    faults.push(
      `${d.incidents.length} incidents, wanted ${min} to ${max}: ${d.incidents.map((i) => i.kind).join(", ")}`,
    );
  for (const f of want.fields ?? []) faults.push(...fieldFaults(d.incidents, f));
  for (const [id, allowed] of Object.entries(want.answers ?? {}))
    for (const x of d.incidents.flatMap((i) => i.findings))
      if ((id.endsWith("*") ? x.id.startsWith(id.slice(0, -1)) : x.id === id) && !list(allowed).includes(x.answer))
        faults.push(`${x.id} is answered ${x.answer}: ${x.claim.slice(0, 110)}`);
  return faults;
}

function fieldFaults(all: readonly DiagnosedIncident[], f: NonNullable<Wanted["fields"]>[number]): readonly string[] {
  const { where = "any", release, severityNot = [], ...rest } = f;
  const bad = (i: DiagnosedIncident): string[] => {
    const values = i as unknown as Readonly<Record<string, unknown>>;
    const out = Object.entries(rest)
      .filter(([k, v]) => !list(v).some((x) => JSON.stringify(x) === JSON.stringify(values[k] ?? null)))
      .map(([k, v]) => `${k} is ${JSON.stringify(values[k])}, not ${JSON.stringify(v)}`);
    if (release !== undefined && !new RegExp(release).test(i.kernel.release))
      out.push(`release is ${JSON.stringify(i.kernel.release)}, not /${release}/`);
    if (severityNot.includes(i.severity)) out.push(`severity is ${i.severity}`);
    return out;
  };
  const tried = where === "any" ? all : all.slice(where, where + 1);
  const bads = tried.map(bad).sort((a, b) => a.length - b.length);
  if (bads[0] === undefined) return ["no such incident"];
  return bads[0].length === 0 ? [] : [bads[0].join("; ")];
}
