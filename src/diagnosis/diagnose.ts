// The diagnosis: every incident becomes a case, every rule is asked, alike cases are grouped and counted.

import type { InputKind } from "../artifact/identify.ts";
import { ourFault } from "../base/assert.ts";
import type { Incident, Place } from "../kernel/readings/incident.ts";
import { hostOf, linesOf, oneClock, placeOf } from "../kernel/readings/incident.ts";
import type { LogNote } from "../kernel/readings/log_line.ts";
import type { ReleaseVerdict } from "../kernel/readings/release_verdict.ts";
import { compareVersions } from "../kernel/release.ts";
import { rankedAdvice, withMechanism } from "./advice.ts";
import type { Case } from "./case.ts";
import { buildCase, quotesOf } from "./case.ts";
import { conclude, severityWords } from "./conclude.ts";
import type { Conclusion } from "./conclusion.ts";
import { linesBesides, poolGroups, withEpisodes } from "./episodes.ts";
import type { DiagnosedIncident, Diagnosis, Finding, MtuTable, Occurrence, Severity } from "./finding.ts";
import { driverSaysToo, judgement, poolTrend } from "./group.ts";
import { machineSaid } from "./machine_said.ts";
import { maskOf } from "./mask.ts";
import { memoryPicture } from "./memory_picture.ts";
import { distinct } from "./one_event.ts";
import { oomPicture } from "./oom_picture.ts";
import { askOverRange } from "./release_range.ts";
import type { Rule } from "./rule.ts";
import { rules } from "./rules/index.ts";
import { tableOf } from "./rules/wanted.ts";
import { driverNameOf } from "./stack.ts";
import type { StateFile } from "./state/files.ts";
import { statesOf } from "./state/state.ts";
import type { Surroundings } from "./surroundings.ts";
import { mergeSurroundings, nothingAround } from "./surroundings.ts";
import { subjectOf, titleOf } from "./title.ts";
import type { SampledInput } from "./two_samples.ts";
import { compareSamples } from "./two_samples.ts";
import { wantedOf } from "./wanted.ts";

/** Reports that look like kept ones and were only counted. */
export interface MoreAlike {
  readonly look: string;
  readonly count: number;
  /** Where the last of them stands. */
  readonly last: Place;
  /** Reports by day, the day as the log writes a time, at 00:00:00; only where the log has dates. */
  readonly days?: ReadonlyMap<string, number>;
}

/** One input as it was read. */
export interface InputRead extends SampledInput {
  readonly bytes?: number;
  readonly lines?: number;
  readonly incidents: readonly {
    readonly incident: Incident;
    readonly verdict: ReleaseVerdict;
    readonly look?: string;
  }[];
  readonly more?: readonly MoreAlike[];
  readonly notes: readonly LogNote[];
  readonly around: Surroundings;
  /** What it was, by its beginning. */
  readonly kind?: InputKind;
  /** Texts of /proc and ethtool in it. */
  readonly files?: readonly StateFile[];
  /** Releases that boot lines and `uname -a` state, as printed. */
  readonly releases?: ReadonlySet<string>;
}

/** One report with its answers, before reports of one cause are put together. */
export interface JudgedReport {
  readonly c: Case;
  readonly findings: readonly Finding[];
  readonly conclusion: Conclusion;
}

interface Judged extends JudgedReport {
  readonly look: string;
}

/** Every report by itself, in the order of the inputs; for checks of single answers. */
export function judgeAll(inputs: readonly InputRead[]): readonly JudgedReport[] {
  return inputs.flatMap((input) =>
    input.incidents.flatMap(({ incident, verdict }) => {
      const known = verdict.certainty === "stated" ? verdict : borrowed(input, verdict, incident);
      return incident.kind === "suppressed" ? [] : [judge(buildCase(incident, input.name, known, input.around))];
    }),
  );
}

/** Reads nothing and asks everything: pure over what was read. */
export function diagnose(inputs: readonly InputRead[]): Diagnosis {
  const groups = new Map<string, Judged[]>();
  const loose = new Map<string, number>();
  const hosts = new Set(inputs.flatMap((i) => [...hostsOf(i)]));
  const broken = new Broken();
  /** Drivers' own lines about a failure whose report is there. */
  const saidToo = new Map<Incident, { readonly input: string; readonly incident: Incident }[]>();
  for (const input of inputs) {
    const around = aroundOf(input, inputs);
    const all = input.incidents.map((i) => i.incident);
    const besides = linesBesides(all);
    const pools = poolGroups(all);
    const panics = all.filter(isPanic);
    for (const { incident, verdict: own, look = "" } of input.incidents) {
      const failure = besides.get(incident);
      if (failure !== undefined) {
        saidToo.set(failure, [...(saidToo.get(failure) ?? []), { input: input.name, incident }]);
        continue;
      }
      const verdict = own.certainty === "stated" ? own : borrowed(input, own, incident);
      if (incident.kind === "suppressed") {
        // The reader has added the number to the next report of that kind, where there is one.
        if (incident.reading.addedTo !== undefined) continue;
        const kind = suppressedKind(incident.reading.what);
        if (kind !== undefined && input.incidents.some((i) => i.incident.kind === kind)) {
          loose.set(kind, (loose.get(kind) ?? 0) + incident.reading.count);
          continue;
        }
      }
      const judged = broken.guard(input.name, incident, () =>
        judge(
          buildCase(
            incident,
            input.name,
            verdict,
            isAfterPanic(incident, panics) ? { ...around, afterPanic: true } : around,
          ),
        ),
      );
      if (judged === undefined) continue;
      // With one host in all inputs a text that names none is of that host too: dmesg beside its syslog.
      const host = hosts.size > 1 ? hostOf(incident) : undefined;
      const key = `${pools.get(incident) ?? judged.conclusion.key}|${judged.c.said.release}|${host ?? ""}`;
      const group = groups.get(key) ?? [];
      group.push({ ...judged, look });
      groups.set(key, group);
    }
  }
  const incidents = [...groups.values()].flatMap((group) => {
    const { c } = group[0] as Judged;
    return broken.guard(c.input, c.incident, () => groupOf(withLines(group, saidToo), inputs, hosts.size > 1)) ?? [];
  });
  const samples = compareSamples(inputs);
  const states = statesOf(
    inputs.flatMap((i) => i.files ?? []),
    inputs.flatMap((i) => [...(i.releases ?? [])]),
    incidents.length > 0,
  );
  return {
    schema: "skblab.diagnosis/1",
    inputs: inputs.map((i) => inputOf(i, broken.notes(i.name))),
    incidents: withEpisodes(withLoose(incidents, loose)),
    ...(samples.length === 0 ? {} : { samples }),
    ...(states.length === 0 ? {} : { states }),
  };
}

/** A machine that has panicked prints no more than this many lines. */
const lastWords = 400;

const isPanic = (i: Incident): boolean =>
  i.kind === "oops" && (i.reading.class === "panic" || i.reading.panic !== undefined);

function isAfterPanic(incident: Incident, panics: readonly Incident[]): boolean {
  return panics.some(
    (p) =>
      p.lastLine < incident.firstLine &&
      incident.firstLine - p.lastLine < lastWords &&
      oneClock(p, incident) &&
      (p.seconds === undefined || incident.seconds === undefined || p.seconds <= incident.seconds),
  );
}

const hostsOf = (input: InputRead): ReadonlySet<string> =>
  new Set(input.incidents.flatMap((i) => hostOf(i.incident) ?? []));

/** The host that an input's reports are of, where there is one and no more. */
function onlyHost(input: InputRead): string | undefined {
  const [host, ...others] = hostsOf(input);
  return others.length === 0 ? host : undefined;
}

/**
 * What the inputs tell about the machine of an input's reports. With reports of several hosts a setting is used for that host alone whose
 * log it stands in; what no host can be given belongs to none.
 */
function aroundOf(input: InputRead, inputs: readonly InputRead[]): Surroundings {
  const all = new Set(inputs.flatMap((i) => [...hostsOf(i)]));
  if (all.size < 2) return mergeSurroundings([input.around, ...inputs.filter((i) => i !== input).map((i) => i.around)]);
  const own = onlyHost(input);
  if (own === undefined) return nothingAround;
  const others = inputs.filter((i) => i !== input && onlyHost(i) === own);
  return mergeSurroundings([input.around, ...others.map((i) => i.around)]);
}

/** The drivers' lines beside a group's reports become answers of those reports. */
function withLines(
  group: readonly Judged[],
  saidToo: ReadonlyMap<Incident, readonly { readonly input: string; readonly incident: Incident }[]>,
): readonly Judged[] {
  const lines = group.flatMap((g) => saidToo.get(g.c.incident) ?? []);
  const [first] = lines;
  if (first?.incident.kind !== "driver_line") return group;
  const quotes = lines.slice(0, 2).flatMap((l) => quotesOf(l.input, linesOf(l.incident, "headline")));
  const beside = driverSaysToo(first.incident.reading.text, lines.length, quotes);
  return group.map((g) => ({ ...g, findings: [...g.findings, beside] }));
}

/** What stands where a rule broke. */
const broken = (r: Rule, error: unknown): Finding => ({
  id: `${r.id}.broken`,
  claim: ourFault(`This question was not answered: ${r.asks}`, error),
  answer: "unknown",
  evidence: [],
  advice: [],
});

/** Asks every rule; one that breaks costs its own answer. */
function judge(c: Case): JudgedReport {
  const findings = rules
    .filter((r) => r.kinds.includes(c.incident.kind))
    .flatMap((r) => {
      try {
        return askOverRange(c, (x) => r.answer(x));
      } catch (error) {
        return [broken(r, error)];
      }
    });
  return { c, findings, conclusion: conclude(c, findings) };
}

/** Begins the note of a report that was found and that a fault of ours kept from being judged. */
const notJudged = "The report in lines ";
export const isNotJudged = (sentence: string): boolean =>
  sentence.startsWith(notJudged) && sentence.includes(" could not be judged");

/** Keeps a fault of ours to the incident it happened in, and says it in a note. */
class Broken {
  private readonly all: { readonly input: string; readonly note: LogNote }[] = [];

  guard<T>(input: string, incident: Incident, work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      const what = `${notJudged}${incident.firstLine} to ${incident.lastLine} could not be judged`;
      this.all.push({ input, note: { line: incident.firstLine, sentence: ourFault(what, error) } });
      return undefined;
    }
  }

  notes = (input: string): readonly LogNote[] => this.all.filter((b) => b.input === input).map((b) => b.note);
}

const allows = (own: ReleaseVerdict, version: readonly number[]): boolean =>
  (own.since === undefined || compareVersions(version, own.since) >= 0) &&
  (own.until === undefined || compareVersions(version, own.until) <= 0 || startsAs(version, own.until));

/** 4.9.65 is of 4.9. */
const startsAs = (version: readonly number[], series: readonly number[]): boolean =>
  series.every((n, i) => version[i] === n);

/** A report that does not tell its release comes from the kernel that the other reports of its machine in the same input tell. */
function borrowed(input: InputRead, own: ReleaseVerdict, of: Incident): ReleaseVerdict {
  // With one host in the input a report that names none is of that host too.
  const here =
    hostsOf(input).size < 2 ? input.incidents : input.incidents.filter((i) => hostOf(i.incident) === hostOf(of));
  const stated = here.filter((i) => i.verdict.certainty === "stated" && i.verdict.version !== undefined);
  const [only] = stated;
  const alone = stated.every((i) => i.verdict.release === only?.verdict.release);
  const told =
    (alone && only !== undefined && allows(own, only.verdict.version ?? []) ? only : undefined) ??
    (own.version === undefined ? (only ?? here.find((i) => i.verdict.version !== undefined)) : undefined);
  if (told === undefined) return own;
  const { verdict, incident } = told;
  const sentence = `the report at line ${incident.firstLine} of the same input is from ${verdict.release}`;
  return {
    ...verdict,
    certainty: "inferred",
    because: [{ sentence, lines: [] }, ...(verdict.certainty === "stated" ? [] : verdict.because)],
  };
}

const inputOf = (i: InputRead, more: readonly LogNote[]): Diagnosis["inputs"][number] => ({
  name: i.name,
  ...(i.kind === undefined ? {} : { kind: i.kind }),
  bytes: i.bytes ?? null,
  lines: i.lines ?? null,
  notes: [...i.notes, ...more].map((n) => ({ line: n.line > 0 ? n.line : null, sentence: n.sentence })),
});

/** Which kind of incident a rate-limit line stands for. */
function suppressedKind(what: string): Incident["kind"] | undefined {
  if (/warn_alloc|page allocation|__alloc_pages_slowpath/.test(what)) return "alloc_failure";
  if (/slab_out_of_memory|SLUB|SLAB/.test(what)) return "slab_failure";
  if (/Bad page/.test(what)) return "bad_page";
  return undefined;
}

/** Rate-limit lines that no report followed are added to the latest group of their kind. */
function withLoose(incidents: DiagnosedIncident[], loose: ReadonlyMap<string, number>): DiagnosedIncident[] {
  for (const [kind, n] of loose) {
    const at = incidents.findLastIndex((i) => i.kind === kind);
    const found = incidents[at];
    if (found !== undefined) incidents[at] = { ...found, count: found.count + n, suppressed: found.suppressed + n };
  }
  return incidents;
}

/** The case of a group that tells most: fewest missing parts, then the first. */
function fullest(group: readonly Judged[]): Judged {
  let best = group[0] as Judged;
  for (const g of group)
    if (
      g.c.incident.missing.length < best.c.incident.missing.length ||
      (best.c.memInfo === undefined && g.c.memInfo !== undefined)
    )
      best = g;
  return best;
}

/** A dropped packet is nothing; this many are a machine that runs too low all the time. */
const many = 20;

/** What a conclusion says of its own severity; where the number of reports makes it another, what that one means. */
function howBad([first]: readonly Judged[], severity: Severity, count: number): string {
  const { c, conclusion } = first as Judged;
  return (severity === conclusion.severity ? conclusion.consequence : undefined) ?? severityWords(severity, c, count);
}

function groupOf(group: readonly Judged[], inputs: readonly InputRead[], severalHosts: boolean): DiagnosedIncident {
  const { c, findings, conclusion } = fullest(group);
  const more = onlyCounted(group, inputs);
  const mask = maskOf(c);
  const events = distinct(group, ({ c }) => ({ input: c.input, incident: c.incident }));
  const suppressed = events.reduce((n, g) => n + (g.c.incident.suppressedBefore ?? 0), 0);
  const orderBytes = c.order === undefined ? undefined : c.pageKb * 1024 * 2 ** c.order;
  const reading = c.incident.reading;
  const bytes = orderBytes ?? ("bytes" in reading ? reading.bytes : undefined);
  const table: MtuTable | undefined = ["alloc_failure", "slab_failure", "oops"].includes(c.incident.kind)
    ? tableOf(c)
    : undefined;
  const count = events.length + suppressed + more.reduce((n, m) => n + m.count, 0);
  const severity = conclusion.severity === "harmless" && count > many ? "watch" : conclusion.severity;
  const occurrences = [...group.map((g) => occurrenceOf(g.c)), ...more.map((m) => m.last)];
  const machine = machineSaid(c, table);
  const answered = withMechanism(
    [...findings, ...poolTrend(group), judgement(group, severity, howBad(group, severity, count), count, occurrences)],
    c.order ?? null,
    machine,
  );
  return {
    kind: c.incident.kind,
    title: severalHosts && hostOf(c.incident) !== undefined ? `${titleOf(c)} on ${hostOf(c.incident)}` : titleOf(c),
    subject: subjectOf(c),
    kernel: c.said,
    order: c.order ?? null,
    // A damaged line may name an order that is none.
    bytes: bytes === undefined || !Number.isFinite(bytes) ? null : bytes,
    gfp: mask === undefined ? null : { mask: mask.hex, names: mask.names },
    driver: driverNameOf(c.stack) ?? null,
    direction: c.stack.direction ?? null,
    wanted: wantedOf(c)?.sentence ?? null,
    cause: conclusion.cause,
    severity,
    findings: answered,
    advice: rankedAdvice({ findings: answered }),
    count,
    suppressed,
    occurrences,
    episode: null,
    mtuTable: table ?? null,
    machine,
    memory: memoryPicture(c) ?? null,
    oom: oomPicture(c) ?? null,
  };
}

/** Reports that were only counted belong to the group that holds the last kept one of their look. */
function onlyCounted(group: readonly Judged[], inputs: readonly InputRead[]): { count: number; last: Occurrence }[] {
  const out: { count: number; last: Occurrence }[] = [];
  for (const input of inputs)
    for (const m of input.more ?? []) {
      const last = input.incidents.findLast((i) => i.look === m.look)?.incident;
      if (last !== undefined && group.some((g) => g.c.incident === last))
        out.push({ count: m.count, last: { input: input.name, ...m.last } });
    }
  return out;
}

function occurrenceOf(c: Case): Occurrence {
  return { input: c.input, ...placeOf(c.incident) };
}
