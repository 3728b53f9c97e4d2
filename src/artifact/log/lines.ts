// Raw lines around anchors → what the kernel printed: prefixes off, damage undone where it is evident, and a note for each repair.
// Nothing is guessed: a rule that joins two lines names both of their shapes. Kinds of damage seen in real reports are listed in the tests.
import type { LineRepair, LogLine, LogNote, LogWindow } from "../../kernel/readings/log_line.ts";
import { wholeSecond } from "../../kernel/readings/log_line.ts";
import { joined, joinRule } from "./continuation.ts";
import type { Draft } from "./draft.ts";
import { sortFirstLines } from "./interleaved.ts";
import type { JsonLine } from "./json_line.ts";
import { unwrapJson } from "./json_line.ts";
import type { Layered } from "./layers.ts";
import { innerLayer, unwrap, withoutReturns } from "./layers.ts";
import { inOrder } from "./order.ts";
import type { Prefix } from "./prefix.ts";
import { readLearned, stripPrefix } from "./prefix.ts";
import type { RawLine, RawLines } from "./raw_lines.ts";
import { learnBeforeStamps, learnTransport } from "./transport.ts";
import { daemon, hardWidth, stamped, wrapTest } from "./wraps.ts";

/** One window, or one for each printk caller where the reports of several callers run into each other. */
export interface Repaired {
  readonly windows: readonly LogWindow[];
  /** All lines of the window, each once. */
  readonly lines: readonly LogLine[];
  readonly notes: readonly LogNote[];
}

/** Repairs the lines of a window. */
export function repairWindow(raw: RawLines): Repaired {
  const lines = markTruncated(repaired(raw.lines));
  const window: LogWindow = {
    firstLine: raw.lines[0]?.line ?? 1,
    lastLine: raw.lines.at(-1)?.line ?? 1,
    lines: withoutDaemons(lines),
    anchors: raw.anchors,
    cut: raw.cut,
  };
  return { windows: lanes(window), lines, notes: [...repairNotes(lines), ...mixedNotes(lines)] };
}

/** Repairs a whole text that is known to be small: lines count from 1, or are numbered by `lineOf`. */
export function repairText(text: string, lineOf: (n: number) => number = (n) => n): readonly LogLine[] {
  const raw = text.split("\n");
  if (raw.at(-1) === "") raw.pop();
  return repaired(raw.map((t, i): RawLine => ({ line: lineOf(i + 1), text: t, cutBytes: 0 })));
}

/** What was repaired last: a small text is repaired to know what it is, and the same lines are read again then. */
let last: { readonly raw: readonly RawLine[]; readonly lines: readonly LogLine[] } | undefined;

/** More lines than these are not kept, nor compared. */
const mostKept = 2000;

const sameRaw = (a: RawLine, b: RawLine): boolean =>
  a.line === b.line && a.cutBytes === b.cutBytes && a.text === b.text;

function repaired(raw: readonly RawLine[]): readonly LogLine[] {
  if (raw.length > mostKept) return repair(raw).map(finished);
  const known = last;
  if (known !== undefined && known.raw.length === raw.length && raw.every((r, i) => sameRaw(r, known.raw[i]!)))
    return known.lines;
  const lines = repair(raw).map(finished);
  last = { raw, lines };
  return lines;
}

function repair(raw: readonly RawLine[]): Draft[] {
  const layered = unwrap(raw);
  beforeStamps(layered);
  const rows = withoutTransport(layered.flatMap(rowsOf));
  // What was quoted or indented before it was delivered is so within each line.
  for (let round = 0; round < mostLayers && peelInner(rows); round++) withoutTransport(rows);
  withoutRelays(rows);
  withoutOuterClocks(rows);
  const machines = byHost(rows.map(draftOf));
  const mended = machines.map((drafts) => inOrder(sortFirstLines(joinPieces(drafts))));
  return mended.length === 1 ? (mended[0] as Draft[]) : mended.flat().sort((a, b) => a.line - b.line);
}

/** Lines that a collector put its name before tell no machine of their own where others name theirs inside it. */
function withoutRelays(rows: readonly Row[]): void {
  const relays = new Set(rows.flatMap((r) => r.prefix.relay ?? []));
  if (relays.size === 0) return;
  for (const r of rows) {
    const { relay, host, ...said } = r.prefix;
    const kept = relay === undefined && host !== undefined && relays.has(host) ? undefined : host;
    r.prefix = kept === undefined ? said : { ...said, host: kept };
  }
}

/** Where most lines have a stamp within a stamp, one that has only the outer has none of the kernel's. */
function withoutOuterClocks(rows: readonly Row[]): void {
  const twice = rows.filter((r) => r.prefix.twice === true).length;
  if (twice === 0) return;
  for (const r of rows) {
    const { twice: both, seconds, ...said } = r.prefix;
    r.prefix = seconds === undefined || (both !== true && twice * 2 > rows.length) ? said : { ...said, seconds };
  }
}

/** The lines of each machine: those of two are never joined, nor is their order compared. One that names none goes with the line above it. */
function byHost(drafts: Draft[]): Draft[][] {
  const machines = new Map<string, Draft[]>();
  let last = "";
  for (const draft of drafts) {
    last = draft.host ?? last;
    const own = machines.get(last);
    if (own === undefined) machines.set(last, [draft]);
    else own.push(draft);
  }
  return machines.size === 0 ? [drafts] : [...machines.values()];
}

function finished(draft: Draft): LogLine {
  const { repairs, columns: _columns, prefixed: _prefixed, ...line } = draft;
  const width = widthOf(draft);
  const own = width === undefined ? line : { ...line, width };
  return repairs.length === 0 ? own : { ...own, repairs: [...new Set(repairs)] };
}

/** Characters of the last input line that the kernel or its logger wrote, where a transport put something behind or between them. */
function widthOf({ raw, text, columns }: Draft): number | undefined {
  if (columns === raw.length) return undefined;
  const trimmed = text.trimEnd();
  const own = columns - (text.length - trimmed.length);
  const end = raw.length - raw.lastIndexOf("\n") - 1;
  if (columns === end || raw.trimEnd().length - raw.lastIndexOf("\n") - 1 === own) return undefined;
  return own;
}

// --- one input line -------------------------------------------------------------------------------------------------------

/** One record of an input line with its prefix apart. */
interface Row {
  readonly layered: Layered;
  /** What a record of several lines inherits from its first one. */
  readonly first: Row | undefined;
  readonly envelope: JsonLine | undefined;
  readonly split: boolean;
  /** Characters of the record, prefix and all; those of the input line where that holds several. */
  readonly columns: number;
  prefix: Prefix;
  /** Characters that stood before the text. */
  width: number;
}

/** Something stands before a kernel's stamp or a syslog's. */
const beforeOne =
  /\S\s{0,3}(?:\[ {0,4}\d{1,8}\.\d{6}\](?:[ []|$)|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S{1,64} kernel: )/;

/** Takes off what stands before the kernel's own stamps, so that those do not look like a second record on the line. */
function beforeStamps(layered: readonly Layered[]): void {
  if (!layered.some((l) => l.text[0] !== "{" && beforeOne.test(l.text))) return;
  const texts = layered.map((l) => stripPrefix(l.text).text);
  const lengthOf = learnBeforeStamps(texts);
  layered.forEach((l, i) => {
    const length = lengthOf(texts[i]!);
    if (length === 0) return;
    l.learned = l.text.slice(0, l.text.length - texts[i]!.length + length);
    l.text = texts[i]!.slice(length);
  });
}

/** What stands behind something that is no record: its own prefix tells more than the outer one. */
function behind(outer: Prefix, piece: string): Prefix {
  const own = stripPrefix(piece);
  const twice = outer.seconds !== undefined && own.seconds !== undefined ? { twice: true as const } : {};
  return { ...outer, ...own, ...twice };
}

/** A line's number, blanks, or a logger's prefix in a form that no list knows: no record of its own. */
const beforeRecord =
  /^(?:\s{0,9}\d{1,7}(?:[:.)|]\s{0,4}|\s{1,4})|\s{1,24}|\d[\d.:/+TZ-]{3,40}(?: [\d:.,]{5,16})? (?:\S{1,100} )?kernel(?:\[\d{1,8}\])?:)$/;

/** The records of a line: of an envelope, or separated by newlines that a transport had escaped. */
function rowsOf(layered: Layered): Row[] {
  const envelope = layered.text.startsWith("{") ? unwrapJson(layered.text) : undefined;
  const text = envelope === undefined ? layered.text : envelope.text;
  const rows: Row[] = [];
  for (const record of text.includes("\n") ? text.split("\n") : [text]) {
    const { learned } = layered;
    const inner = stripPrefix(record);
    // A record behind the first one of its line inherits from that one.
    const prefix = learned === undefined || rows.length > 0 ? inner : { ...readLearned(learned), ...inner };
    const glued = splitGlued(prefix.text);
    // A number before the stamp is the line's (cat -n, an editor), and no record of its own.
    const number = glued.length > 1 && beforeRecord.test(glued[0] ?? "") ? (glued[0] ?? "") : "";
    const pieces = number === "" ? glued : glued.slice(1);
    pieces.forEach((piece, i) => {
      const own = i > 0 ? stripPrefix(piece) : number === "" ? { ...prefix, text: piece } : behind(prefix, piece);
      const width =
        i === 0
          ? (learned?.length ?? 0) + record.length - prefix.text.length + number.length + piece.length - own.text.length
          : piece.length - own.text.length;
      // A prefix of which the kernel's stamp was cut off.
      if (i > 0 && own.text === "" && i < pieces.length - 1) return;
      const alone = record.length === text.length && pieces.length === 1;
      const columns = alone ? (envelope === undefined ? layered.columns : record.length) : layered.raw.length;
      rows.push({ layered, first: rows[0], envelope, split: pieces.length > 1, columns, prefix: own, width });
    });
  }
  return rows;
}

/** Transports lie within one another; more than this no log has. */
const mostLayers = 3;

/** Takes off what no list knows (transport.ts), and gives lines that a tool padded to the width of the record above back to that record. */
function withoutTransport(rows: Row[]): Row[] {
  for (let round = 0; round < mostLayers && takeLearned(rows); round++);
  let above: Row | undefined;
  for (const r of rows) {
    if (r.prefix.text.startsWith("  ")) takePadding(r, above);
    else if (r.width > 0) above = r;
    else if (r.prefix.text !== "") above = undefined;
  }
  return rows;
}

/** True when something came off. */
function takeLearned(rows: readonly Row[]): boolean {
  const learned = learnTransport(rows.map((r) => r.prefix.text));
  if (learned.suffix !== "")
    for (const r of rows)
      if (r.prefix.text.endsWith(learned.suffix))
        r.prefix = { ...r.prefix, text: r.prefix.text.slice(0, -learned.suffix.length) };
  if (learned.shapes.length === 0) return false;
  let some = false;
  for (const r of rows) {
    const { text } = r.prefix;
    const length = learned.prefixLength(text);
    if (length === 0) continue;
    some = true;
    takeFrom(r, text.slice(length), readLearned(text.slice(0, length)));
  }
  return some;
}

/** `inner` is left of the row's text, behind a prefix that told `said`. */
function takeFrom(row: Row, inner: string, said: Omit<Prefix, "text"> = {}): void {
  const { text: rest, ...more } = stripPrefix(inner);
  const { host: outer } = row.prefix;
  const host = more.host ?? said.host;
  const inside = host === undefined ? {} : { host };
  const relay = outer !== undefined && host !== undefined && host !== outer ? { relay: outer } : {};
  row.width += row.prefix.text.length - rest.length;
  row.prefix = { ...said, ...row.prefix, ...more, ...inside, ...relay, text: rest };
}

/** Takes off what lies round all lines inside their prefixes; true when there was something. */
function peelInner(rows: readonly Row[]): boolean {
  const found = innerLayer(rows.map((r) => r.prefix.text));
  if (found === undefined) return false;
  rows.forEach((r, i) => {
    const inner = found.texts[i]!;
    if (inner === r.prefix.text) return;
    if (found.repair !== undefined && !r.layered.repairs.includes(found.repair)) r.layered.repairs.push(found.repair);
    takeFrom(r, inner);
  });
  return true;
}

const pairsOnly = /^\s+(?:[a-z_]{2,30}:\d{1,15}\s*)+$/;

/** No stamp is narrower: less is a number's width or the kernel's own blanks. */
const narrowestPadding = 8;

/** util-linux and journald print a record's prefix once and indent its other lines by as many blanks; one blank more is the kernel's. Whoever
 *  passed such a log on may have put a prefix of its own before each line. */
function takePadding(row: Row, above: Row | undefined): void {
  const { text } = row.prefix;
  const blanks = text.length - text.trimStart().length;
  const padding = above === undefined ? 0 : above.width - row.width;
  const whole = padding >= (row.width > 0 ? narrowestPadding : 1) && blanks >= padding;
  if (!whole && !pairsOnly.test(text)) return;
  const own = whole ? text.slice(padding) : ` ${text.trimStart()}`;
  if (above === undefined || (!whole && row.width > 0)) {
    row.prefix = { ...row.prefix, text: own };
    return;
  }
  const { text: _, ...said } = above.prefix;
  row.prefix = { ...said, text: own };
  row.width = above.width;
}

function draftOf({ layered, envelope, first, split, columns, prefix, width }: Row): Draft {
  const own: Draft = {
    line: layered.line,
    raw: layered.raw,
    ...prefix,
    text: withoutReturns(prefix.text),
    repairs: [...layered.repairs],
    columns,
    prefixed: width > 0,
  };
  if (envelope !== undefined) inherit(own, envelope);
  if (first !== undefined) inherit(own, first.prefix);
  if (split) own.repairs.push("split");
  return own;
}

/** A record without a prefix of its own was printed with the one before it. */
function inherit(own: Draft, first: Omit<JsonLine, "text">): void {
  if (own.seconds === undefined && first.seconds !== undefined) own.seconds = first.seconds;
  if (own.wallClock === undefined && first.wallClock !== undefined) own.wallClock = first.wallClock;
  if (own.host === undefined && first.host !== undefined) own.host = first.host;
  if (own.level === undefined && first.level !== undefined) own.level = first.level;
}

/** Places where a second record begins on the same line: its own timestamp or priority, or prose after a stack frame or a sysctl value. */
const glued: readonly { readonly sign: RegExp; readonly at: RegExp }[] = [
  // rsyslog's forward format, caught as a stream.
  { sign: /\S<\d{1,3}>\d{4}-\d\d-\d\dT/, at: /(?<=[\s\S])(?=<\d{1,3}>\d{4}-\d\d-\d\dT\d\d:)/ },
  { sign: /[\s\S]<[0-7]>\[/, at: /(?<=[\s\S])(?=<[0-7]>\[ *\d{1,8}\.\d{6}\])/ },
  { sign: /[\s\S]\[ {0,4}\d{1,8}\.\d{6}\]/, at: /(?<=[\s\S])(?<!<[0-7]>)(?=\[ {0,4}\d{1,8}\.\d{6}\] )/ },
  // A page took the line ends of a syslog away.
  {
    sign: /\S [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S{1,64} kernel: /,
    at: /(?<=\S) (?=[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S{1,64} kernel: )/,
  },
  { sign: /\+0x[0-9a-f]/, at: /(?<=\+0x[0-9a-f]{1,6}\/0x[0-9a-f]{1,6})(?=[A-Z][a-z])/ },
  { sign: /^(?:vm|net|kernel)\./, at: /(?<=^[\w.]{1,80} = \d{1,20})(?=[A-Z])/ },
];

/** The records on one line; one where nothing is glued. */
export function splitGlued(text: string): string[] {
  let pieces = [text];
  for (const place of glued) if (place.sign.test(text)) pieces = pieces.flatMap((p) => p.split(place.at));
  return pieces;
}

// --- several lines --------------------------------------------------------------------------------------------------------

/** Joins what a mailer, a terminal or KERN_CONT broke. */
function joinPieces(drafts: readonly Draft[]): Draft[] {
  const wraps = wrapTest(drafts);
  const hard = hardWidth(drafts);
  const out: Draft[] = [];
  let above: Draft | undefined;
  let previous: Draft | undefined;
  // Where the kernel tells who prints, the pieces of one printer are one line, whatever stands between them.
  const lastOf = new Map<string, Draft>();
  for (const next of drafts) {
    if (next.caller !== undefined) previous = lastOf.get(next.caller) ?? previous;
    const glue = previous === undefined ? undefined : wraps(previous, above!, next);
    const rule = previous === undefined || glue !== undefined ? undefined : joinRule(previous.text, next.text);
    if (previous !== undefined && (rule !== undefined || glue !== undefined)) {
      const midWord = hard !== undefined && above?.raw.length === hard && /^\S/.test(next.text);
      previous.text =
        rule === undefined || midWord
          ? previous.text + (previous.text === "" && !above?.raw.endsWith(" ") ? "" : (glue ?? "")) + next.text
          : joined(previous.text, next.text, rule);
      if (next.line !== previous.line) previous.raw += `\n${next.raw}`;
      previous.columns = next.columns;
      previous.repairs.push(...next.repairs, rule?.broken === "printk" && stamped(next) ? "continued" : "rejoined");
    } else {
      out.push(next);
      // What a program wrote between two pieces ends neither.
      if (next.host !== undefined || !daemon.test(next.text)) previous = next;
      if (next.caller !== undefined) lastOf.set(next.caller, next);
    }
    // `raw` of what was joined grows: the width of the line above is that of its own raw line.
    above = { ...next, raw: next.raw };
  }
  return out;
}

/** Three lines or more that end exactly at column 80, and none beyond: a terminal has cut them. */
function markTruncated(lines: readonly LogLine[]): readonly LogLine[] {
  const widest = lines.reduce((a, l) => Math.max(a, l.raw.length), 0);
  if (widest !== 80 && widest !== 79) return lines;
  const full = lines.reduce((n, l) => n + (l.raw.length === widest ? 1 : 0), 0);
  if (full < 3) return lines;
  return lines.map((l) =>
    l.raw.length === widest ? { ...l, repairs: [...(l.repairs ?? []), "may be truncated" as const] } : l,
  );
}

/** In a log whose kernel lines are named as the kernel's, what a program wrote between them is no part of a report. */
function withoutDaemons(lines: readonly LogLine[]): readonly LogLine[] {
  const named = lines.filter((l) => l.host !== undefined).length;
  if (named < 3 || named * 2 < lines.length || named === lines.length) return lines;
  return lines.filter((l) => l.host !== undefined || l.wallClock !== undefined || !daemon.test(l.text));
}

// --- printk callers -------------------------------------------------------------------------------------------------------

/** Where the reports of two hosts or of two printk callers overlap, each one's lines become a window of their own. */
function lanes(window: LogWindow): LogWindow[] {
  return apart(window, (l) => l.host).flatMap((w) => apart(w, (l) => l.caller));
}

/** A window for each origin; lines that tell none go to all. */
function apart(window: LogWindow, originOf: (line: LogLine) => string | undefined): LogWindow[] {
  const callerAt = new Map(window.lines.map((l) => [l.line, originOf(l)]));
  const spans = new Map<string, [first: number, last: number]>();
  for (const { line } of window.anchors) {
    const caller = callerAt.get(line);
    if (caller === undefined) continue;
    const span = spans.get(caller);
    spans.set(caller, span === undefined ? [line, line] : [span[0], line]);
  }
  const list = [...spans.values()];
  const overlap = list.some((a, i) => list.some((b, j) => i < j && a[0] <= b[1] && b[0] <= a[1]));
  if (!overlap) return [withoutOthers(window, originOf, spans)];
  return [...spans.keys()].map((caller) => ({
    ...window,
    lines: window.lines.filter((l) => (originOf(l) ?? caller) === caller),
    anchors: window.anchors.filter((a) => (callerAt.get(a.line) ?? caller) === caller),
  }));
}

/** Within the lines of the one origin that reports, what another one printed is no part of the report. */
function withoutOthers(
  window: LogWindow,
  originOf: (line: LogLine) => string | undefined,
  spans: ReadonlyMap<string, readonly [first: number, last: number]>,
): LogWindow {
  const only = spans.size === 1 ? [...spans.keys()][0] : undefined;
  if (only === undefined) return window;
  const own = window.lines.filter((l) => originOf(l) === only);
  const [from, to] = [own[0]?.line ?? 0, own.at(-1)?.line ?? 0];
  const others = (l: LogLine): boolean => (originOf(l) ?? only) !== only && l.line > from && l.line < to;
  return window.lines.some(others) ? { ...window, lines: window.lines.filter((l) => !others(l)) } : window;
}

const headline = /page allocation failure[:.] order:\d|invoked oom-killer:/;

/** The first line of a report that may be mixed with another one's. */
export const beginsReport = (text: string): boolean => headline.test(text);

/** Seconds between two first lines that may have been printed at once. */
const atOnce = 1;

function sameMoment(a: LogLine, b: LogLine): boolean {
  if (a.seconds !== undefined && b.seconds !== undefined) return Math.abs(a.seconds - b.seconds) <= atOnce;
  return wholeSecond(a.wallClock) === wholeSecond(b.wallClock);
}

/** Two reports that begin at once without caller ids: their stacks cannot be told apart, which is said. */
function mixedNotes(lines: readonly LogLine[]): LogNote[] {
  const notes: LogNote[] = [];
  let before: LogLine | undefined;
  for (const [i, line] of lines.entries()) {
    if (/^(?:CPU: |Pid: |Call [Tt]race|\[<|Stack pointer is garbage)/.test(line.text)) before = undefined;
    else if (headline.test(line.text)) {
      const near = before !== undefined && line.line - before.line <= 3 && line.caller === before.caller;
      if (before !== undefined && near && sameMoment(before, line) && goesOn(lines, i)) {
        const sentence = `Lines ${before.line} and ${line.line}: two reports begin at once; the lines below them may be mixed.`;
        notes.push({ line: line.line, sentence });
      }
      before = line;
    }
  }
  return notes;
}

/** Something of a report follows the first line at `index`: without, nothing can be mixed. */
const goesOn = (lines: readonly LogLine[], index: number): boolean =>
  lines.slice(index + 1, index + 9).some((l) => l.text.trim() !== "" && !headline.test(l.text));

// --- notes ----------------------------------------------------------------------------------------------------------------

const sentences: Readonly<Record<LineRepair, string>> = {
  unquoted: "mail quoting was removed",
  rejoined: "a line that was broken in transit was joined again",
  continued: "pieces of one message, printed as lines of their own, were joined",
  unescaped: "escaped characters (#012, &lt;, =3D) were decoded",
  "newest first": "the newest line came first; the order of the lines was reversed",
  "times sign": "a multiplication sign was turned back into the x of 0x",
  "nul bytes": "NUL bytes were dropped",
  "terminal codes": "terminal control sequences were dropped",
  "invalid utf-8": "bytes that are not UTF-8 were replaced",
  cut: "the line was too long and only a part of it was read",
  split: "several records stood on one line and were separated",
  "may be truncated": "lines end at a terminal's last column: what stood behind it is lost",
  deinterleaved: "reports printed at the same time by several CPUs were separated",
};

/** One note for each run of lines with the same repair; gaps of up to ten lines do not end a run. */
export function repairNotes(lines: readonly LogLine[]): LogNote[] {
  const runs = new Map<LineRepair, [first: number, last: number][]>();
  for (const { line, repairs } of lines) {
    for (const repair of repairs ?? []) {
      if (repair === "cut") continue; // the scanner has said so
      const list = runs.get(repair) ?? [];
      const last = list.at(-1);
      if (last !== undefined && line - last[1] <= 10) last[1] = line;
      else list.push([line, line]);
      runs.set(repair, list);
    }
  }
  const notes: LogNote[] = [];
  for (const [repair, list] of runs) {
    for (const [first, last] of list) {
      const where = first === last ? `Line ${first}` : `Lines ${first} to ${last}`;
      notes.push({ line: first, sentence: `${where}: ${sentences[repair]}.` });
    }
  }
  return notes.sort((a, b) => a.line - b.line);
}
