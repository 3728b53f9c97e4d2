// A diagnosis as a Document: per group of incidents what happened, why, how sure, what to do; then the questions and their answers; then
// the lines themselves. Written for somebody who reads it at three in the morning.

import { emptySentence, forbiddenSentence, foreignSentence } from "../artifact/gather.ts";
import { isRemains } from "../artifact/log/remains.ts";
import { grouped } from "../base/grouped.ts";
import { findingOf, isA, isOf } from "../diagnosis/asked.ts";
import { isNotJudged } from "../diagnosis/diagnose.ts";
import type {
  Advice,
  Answer,
  DiagnosedIncident,
  Diagnosis,
  Finding,
  MtuTable,
  Occurrence,
  Quote,
  Severity,
} from "../diagnosis/finding.ts";
import { bySeverity } from "../diagnosis/finding.ts";
import { afterBoot, capital } from "../diagnosis/words.ts";
import type { MeasuredAdvice } from "../prove/measured.ts";
import { confidence, kernelText, whyText } from "./confidence.ts";
import type { Block, Document, QuotedLine, Span, Text, Tone } from "./document.ts";
import { facts, heading, list, oneLine, paragraph, span, table } from "./document.ts";
import { brief } from "./experiment.ts";
import { briefStates, statesDocument } from "./machine_state.ts";
import { samplesBlocks } from "./samples.ts";

const tones: Readonly<Record<Severity, Tone>> = {
  corruption: "bad",
  unknown: "bad",
  act: "bad",
  watch: "warn",
  harmless: "good",
};
const answers: Readonly<Record<Answer, Span>> = {
  // Green and red are kept for what is good and bad for the person.
  yes: span("Yes. ", "strong"),
  no: span("No. ", "strong"),
  unknown: span("The report does not say. ", "warn"),
};

/** Draws a diagnosis; an empty one says so in a sentence. */
export function diagnosisDocument(d: Diagnosis, measured?: readonly (readonly MeasuredAdvice[])[]): Document {
  const blocks: Block[] = [];
  if (d.incidents.length === 0) blocks.push(...nothingFound(d));
  else {
    const reports = d.incidents.reduce((n, i) => n + i.count, 0);
    const head = `${grouped(reports)} ${reports === 1 ? "report" : "reports"} of memory trouble, ${d.incidents.length} ${d.incidents.length === 1 ? "cause" : "causes"}, in ${d.inputs.length === 1 ? d.inputs[0]?.name : `${d.inputs.length} inputs`}`;
    blocks.push(heading(1, head));
    if (d.incidents.length > 1) blocks.push(overview(d.incidents, d.inputs.length === 1));
    d.incidents.forEach((incident, i) => {
      const number = d.incidents.length > 1 ? i + 1 : undefined;
      blocks.push(...incidentBlocks(incident, number, measured?.[i] ?? incident.advice));
    });
  }
  blocks.push(...samplesBlocks(d.samples ?? []));
  blocks.push(...statesDocument(d.states ?? []));
  blocks.push(...noteBlocks(d));
  return blocks;
}

/** One line an incident, worst first: for cron's mail and for a list of many machines. */
export function briefDocument(d: Diagnosis): Document {
  if (d.incidents.length === 0) {
    const told = briefStates(d.states ?? []);
    return told.length > 0 ? told : nothingFound(d);
  }
  const incidents = [...d.incidents]
    .sort((a, b) => bySeverity(a.severity, b.severity))
    .map((i) =>
      oneLine([
        span(`${i.severity}: `, tones[i.severity]),
        span(`${i.title}, ${i.count} ${i.count === 1 ? "time" : "times"}, ${firstSeen(i, false)}`),
      ]),
    );
  return [...incidents, ...briefStates(d.states ?? [])];
}

/** Why an input could not be read at all; undefined when it was read, or was empty. */
export function whyUnread(i: Diagnosis["inputs"][number]): string | undefined {
  const [note] = i.notes;
  if (note?.sentence === forbiddenSentence) return forbiddenSentence;
  // In a directory or an archive such files are usual, and carry no note of their own.
  if (note === undefined && i.kind === "binary") return "It is not text.";
  return (i.lines ?? 0) === 0 && note?.sentence !== emptySentence ? note?.sentence : undefined;
}

const isForeign = (i: Diagnosis["inputs"][number]): boolean => i.notes.some((n) => n.sentence === foreignSentence);

/** An input that is a file of /proc and nothing else. */
const isState = (d: Diagnosis, i: Diagnosis["inputs"][number]): boolean =>
  i.kind !== undefined &&
  !["kernel log", "text", "json lines", "binary", "empty", "page_owner", "ftrace"].includes(i.kind) &&
  (d.states ?? []).some((s) => s.inputs.includes(i.name));

/** What another command answers: it was recognised, and not looked at here. */
function answeredBy(i: Diagnosis["inputs"][number]): string | undefined {
  if (i.kind === "page_owner")
    return `It is a page_owner dump, which was not examined here. To see who holds memory: skblab page-owner ${i.name}`;
  if (i.kind === "ftrace")
    return `It is a trace, searched here for reports of trouble only. To see what page pools did: skblab pools ${i.name}`;
  return undefined;
}

function nothingFound(d: Diagnosis): Block[] {
  const unjudged = d.inputs.flatMap((i) => i.notes).filter((n) => isNotJudged(n.sentence)).length;
  if (unjudged > 0)
    return [
      paragraph(
        `${unjudged} ${unjudged === 1 ? "report" : "reports"} of memory trouble could not be judged because of a fault in skblab: this does not mean that there is none. The notes say what went wrong (--format json has all of them).`,
      ),
    ];
  const searched = `no allocation failure, OOM kill, bad page, fault in packet code, slab corruption or stalled page_pool${d.since === undefined ? "" : ` since ${d.since}`}`;
  // A file of /proc is answered below: that it holds no report is no news.
  const logs = d.inputs.filter((i) => !isState(d, i));
  const several = logs.length > 4 ? manySay(logs, searched) : undefined;
  const lines =
    several ??
    logs.map((i) => {
      const size = i.lines === null ? "" : ` (${grouped(i.lines)} ${i.lines === 1 ? "line" : "lines"})`;
      const name = i.name === "-" ? "Standard input" : i.name;
      const unread = whyUnread(i);
      if (unread !== undefined) return `${name} was not read. ${unread}`;
      if (i.bytes === 0) return i.name === "-" ? "Standard input is empty: nothing was piped in." : `${name} is empty.`;
      const elsewhere = answeredBy(i);
      if (elsewhere !== undefined) return `${name}${size}: ${elsewhere}`;
      if (isForeign(i)) return `${name}${size}: ${foreignSentence}`;
      const rest = i.notes.find((n) => isRemains(n.sentence))?.sentence;
      if (rest !== undefined) return `${name}${size}: ${rest}`;
      return `${name}${size}: ${searched}.`;
    });
  return [
    ...lines.map((l) => paragraph(l)),
    ...(several === undefined ? [] : logs.flatMap((i) => answeredBy(i) ?? [])).slice(0, 1).map((l) => paragraph(l)),
    ...(logs.every((i) => i.bytes === 0 || (i.lines ?? 0) === 0 || isForeign(i) || answeredBy(i) !== undefined)
      ? []
      : [
          paragraph(
            "If the trouble is not in this text, the log may have wrapped. Get all of it with: journalctl -k --no-pager, or look for packets dropped without a report in: ip -s link; ethtool -S IFACE; nstat -az TcpExtTCPMemoryPressures",
          ),
        ]),
  ];
}

/** Many inputs in a sentence for each kind of answer: only those that were searched are said to report nothing. */
function manySay(logs: Diagnosis["inputs"], searched: string): string[] {
  const answerOf = (i: Diagnosis["inputs"][number]): string =>
    i.bytes === 0
      ? "Empty"
      : whyUnread(i) !== undefined
        ? "Not read"
        : isForeign(i)
          ? "Of no form that skblab reads"
          : answeredBy(i) !== undefined
            ? "For another command"
            : "";
  const read = logs.filter((i) => answerOf(i) === "");
  const lines = read.reduce((n, i) => n + (i.lines ?? 0), 0);
  const others = [...new Set(logs.map(answerOf))].filter((answer) => answer !== "");
  return [
    ...(read.length === 0
      ? []
      : [`${counted(read.length)} (${grouped(lines)} ${lines === 1 ? "line" : "lines"}): ${searched}.`]),
    ...others.map((answer) => {
      const of = logs.filter((i) => answerOf(i) === answer);
      const more = of.length > 3 ? ` and ${of.length - 3} more` : "";
      const named = of.slice(0, 3).map((i) => i.name);
      return `${answer}: ${counted(of.length)} (${named.join(", ")}${more}).`;
    }),
  ];
}

const counted = (n: number): string => `${n} ${n === 1 ? "input" : "inputs"}`;

function overview(incidents: readonly DiagnosedIncident[], oneInput: boolean): Block {
  return table(
    [">", ">times", "what", "how bad", "first seen"],
    incidents.map((i, n) => [
      `${n + 1}`,
      grouped(i.count),
      i.title,
      [span(i.severity, tones[i.severity])],
      firstSeen(i, oneInput),
    ]),
  );
}

const firstSeen = (i: DiagnosedIncident, oneInput: boolean): string => {
  const o = i.occurrences[0];
  const place = oneInput ? `line ${o?.firstLine}` : `${o?.input}:${o?.firstLine}`;
  return o === undefined ? "" : `${time(o)}${time(o) === "" ? "" : "  "}${place}`;
};

const time = (o: Occurrence): string => o.wallClock ?? (o.seconds === undefined ? "" : afterBoot(o.seconds));

function incidentBlocks(
  i: DiagnosedIncident,
  number: number | undefined,
  advice: readonly (Advice | MeasuredAdvice)[],
): Block[] {
  const blocks: Block[] = [heading(2, `${number === undefined ? "" : `${number}. `}${i.title}`)];
  const rows: [string, Text][] = [
    ["What", [span(i.cause, "strong")]],
    ...(i.wanted === null ? [] : ([["Wanted", `${capital(i.wanted)}.`]] as [string, Text][])),
    ...(whyText(i) === undefined ? [] : ([["Why", whyText(i) as string]] as [string, Text][])),
    ["How bad", [span(howBad(i), tones[i.severity])]],
    ["Confidence", `${confidence(i)}; ${kernelText(i)}.`],
    ["Seen", seenText(i)],
  ];
  blocks.push(facts(rows));
  blocks.push(...adviceBlocks(advice));
  blocks.push(...answersBlocks(i));
  if (i.mtuTable !== null) blocks.push(...mtuBlocks(i.mtuTable));
  const lines = evidenceOf(i.findings);
  if (lines.length > 0) blocks.push(paragraph([span("The lines that say so", "strong")]), { kind: "quote", lines });
  return blocks;
}

const howBad = (i: DiagnosedIncident): string => findingOf(i.findings, "judgement.harmless")?.claim ?? i.severity;

function seenText(i: DiagnosedIncident): string {
  const first = i.occurrences[0];
  const last = i.occurrences.at(-1);
  const places = first === undefined ? "" : `${first.input}:${first.firstLine}-${first.lastLine}`;
  const when = first === undefined ? "" : time(first);
  const more =
    i.occurrences.length > 1 && last !== undefined
      ? `, last ${time(last) === "" ? `at ${last.input}:${last.firstLine}` : `${time(last)} (${last.input}:${last.firstLine})`}`
      : "";
  const hidden = i.suppressed > 0 ? `; ${grouped(i.suppressed)} of them only counted by the kernel's rate limit` : "";
  return `${grouped(i.count)} ${i.count === 1 ? "time" : "times"}: ${i.count > 1 ? "first " : ""}${when}${when === "" ? places : ` (${places})`}${more}${hidden}.`;
}

function adviceBlocks(advice: readonly (Advice | MeasuredAdvice)[]): Block[] {
  if (advice.length === 0) return [];
  const run = advice.some((a) => "measured" in a && a.measured.outcome !== "not run");
  return [
    paragraph([
      span(
        run ? "What to do, best first, as measured (of what: see the proof below)" : "What to do, best first",
        "strong",
      ),
    ]),
    list(
      advice.map(
        (a): Text => [
          span(`${a.action}. `, "strong"),
          ...("measured" in a ? stamp(a.measured) : []),
          span(`${capital(a.changes)}. Cost: ${a.costs}.`),
          ...(a.command === undefined ? [] : [span(" "), span(a.command, "code")]),
        ],
      ),
    ),
  ];
}

/** What came of running an advice, before anything else that is said of it. */
function stamp({ outcome, before, after, interval, runs, why, provided }: MeasuredAdvice["measured"]): readonly Span[] {
  if (before === null || after === null || interval === null) return [span(`Not run: ${why}. `, "dim")];
  const figures = `${provided === null ? "" : `if ${provided}, `}${brief(before)} to ${brief(after)}, difference ${brief(interval[0])} to ${brief(interval[1])} in ${runs} runs`;
  if (outcome === "lowers") return [span(`Lowers the failures: ${figures}. `, "good")];
  if (outcome === "worse") return [span(`Makes it worse: ${figures}. `, "bad")];
  return [span(`These runs show no difference: ${figures}. `, "warn")];
}

/** Findings as lines: zone by zone only where the sum of them does not say it, offloads with the same answer in one line. */
function answersBlocks(i: DiagnosedIncident): Block[] {
  const home = i.occurrences[0]?.input;
  const refused = i.findings.some((f) => isA(f, "why.refused", "why.waits") && f.answer === "yes");
  const shown = i.findings.filter(
    // The summary above says two of them already.
    (f) => !isA(f, "wanted.object", "judgement.harmless") && !(refused && isOf(f, "why.zone.")) && !isMissing(f),
  );
  if (shown.length === 0) return [];
  const items: Text[] = [];
  for (const f of shown) {
    const alike = shown.filter(
      (g) => offloadName(g) !== undefined && offloadName(f) !== undefined && g.answer === f.answer,
    );
    if (alike.length > 1 && alike[0] !== f) continue;
    const same = alike.length > 1 ? ` The same holds for ${alike.slice(1).map(offloadName).join(", ")}.` : "";
    const evidence = alike.length > 1 ? alike.flatMap((g) => g.evidence) : f.evidence;
    items.push([...questionSpans(f), span(claimAfterQuestion(f) + same), ...whereSpans(evidence, home)]);
  }
  for (const f of i.findings.filter(isMissing))
    items.push([span("Missing. ", "warn"), span(f.claim), ...whereSpans(f.evidence, home)]);
  return [paragraph([span("Questions and answers", "strong")]), list(items)];
}

/** Where a claim asks by itself, its question ends here. */
const ownQuestion = (f: Finding): number => (f.question === undefined ? f.claim.indexOf("? ") + 1 : 0);
const claimAfterQuestion = (f: Finding): string => f.claim.slice(ownQuestion(f)).trimStart();

const isMissing = (f: Finding): boolean => isA(f, "missing.parts", "missing.interface");

/** The question and the word that answers it. */
function questionSpans(f: Finding): readonly Span[] {
  const text = f.question ?? f.claim.slice(0, ownQuestion(f));
  const asked = text === "" ? [] : [span(`${text} `, "strong")];
  return f.silent === true || (f.open === true && f.answer === "yes") ? asked : [...asked, answers[f.answer]];
}

const offloadName = (f: Finding): string | undefined =>
  isA(f, "offload.tso", "offload.gso", "offload.sg", "offload.gro", "offload.lro") ? f.clears : undefined;

function whereSpans(evidence: readonly Quote[], input: string | undefined): readonly Span[] {
  if (evidence.length === 0) return [];
  const own = [...new Set(evidence.filter((q) => q.input === input).map((q) => q.line))].sort((x, y) => x - y);
  const other = [...new Set(evidence.filter((q) => q.input !== input).map((q) => `${q.input}:${q.line}`))];
  const places = [...own.map(String), ...other];
  const shown = places.slice(0, 6).join(", ");
  return [span(`  [${own.length > 0 ? "line " : ""}${shown}${places.length > 6 ? ", …" : ""}]`, "dim")];
}

function mtuBlocks(t: MtuTable): Block[] {
  return [
    table(
      [">MTU from", ">to", ">order", "one receive buffer needs"],
      t.rows.map((r) => [
        `${r.from}`,
        `${r.to}`,
        [span(`${r.order}`, r.order === 0 ? "good" : "warn")],
        r.needs.join("; "),
      ]),
      `MTU and memory of ${t.driver}: ${t.orderZeroUpTo === null ? "no MTU stays at order 0" : `order 0 up to ${t.orderZeroUpTo}`}`,
    ),
    paragraph([span(`Computed for ${t.assumes.join("; ")}.`, "dim")]),
  ];
}

/** Every quoted line once, in the order of the inputs. */
export function evidenceOf(findings: readonly Finding[]): QuotedLine[] {
  const seen = new Map<string, QuotedLine>();
  for (const f of findings) for (const q of f.evidence) seen.set(`${q.input}\u0000${q.line}`, q);
  return [...seen.values()]
    .sort((a, b) => (a.input === b.input ? a.line - b.line : a.input < b.input ? -1 : 1))
    .slice(0, 60);
}

function noteBlocks(d: Diagnosis): Block[] {
  const said = d.inputs
    .filter((i) => (i.bytes !== 0 && i.lines !== 0 && !isForeign(i)) || d.incidents.length > 0)
    .flatMap((i) =>
      i.notes.length === 0 && (i.bytes === 0 || i.kind === "binary")
        ? [{ at: i.name, sentence: i.bytes === 0 ? emptySentence : (whyUnread(i) ?? "") }]
        : i.notes.map((n) => ({ at: `${i.name}${n.line === null ? "" : `:${n.line}`}`, sentence: n.sentence })),
    );
  // What is said of many files is said once.
  const places = new Map<string, string[]>();
  for (const { at, sentence } of said) places.set(sentence, [...(places.get(sentence) ?? []), at]);
  const notes = [...places].flatMap(([sentence, of]) =>
    of.length > 3 ? [`${of[0]} and ${of.length - 1} more  ${sentence}`] : of.map((at) => `${at}  ${sentence}`),
  );
  if (notes.length === 0) return [];
  const shown = notes.slice(0, 12);
  return [
    heading(2, "Skipped, cut or repaired while reading"),
    list([
      ...shown,
      ...(notes.length > shown.length
        ? [`… and ${notes.length - shown.length} more (--format json has all of them)`]
        : []),
    ]),
  ];
}
