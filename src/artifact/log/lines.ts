// Raw lines around anchors → what the kernel printed: prefixes off, damage undone where it is evident, and a note for each repair.
// Nothing is guessed: a rule that joins two lines names both of their shapes. Kinds of damage seen in real reports are listed in the tests.
import type { LineRepair, LogLine, LogNote, LogWindow } from "../../kernel/readings/log_line.ts";
import { joined, joinRule } from "./continuation.ts";
import type { Draft } from "./draft.ts";
import { sortFirstLines } from "./interleaved.ts";
import type { JsonLine } from "./json_line.ts";
import { unwrapJson } from "./json_line.ts";
import { stripPrefix } from "./prefix.ts";
import type { RawLine, RawWindow } from "./scan.ts";

/** One window, or one for each printk caller where the reports of several callers run into each other. */
export interface Repaired {
  readonly windows: readonly LogWindow[];
  /** All lines of the window, each once. */
  readonly lines: readonly LogLine[];
  readonly notes: readonly LogNote[];
}

/** Repairs the lines of a window. */
export function repairWindow(raw: RawWindow): Repaired {
  const drafts = sortFirstLines(joinPieces(raw.lines.flatMap(draftsOf)));
  markTruncated(drafts);
  const lines = drafts.map(finished);
  const window: LogWindow = {
    firstLine: raw.lines[0]?.line ?? 1,
    lastLine: raw.lines.at(-1)?.line ?? 1,
    lines,
    anchors: raw.anchors,
    cut: raw.cut,
  };
  return { windows: lanes(window), lines, notes: [...repairNotes(lines), ...mixedNotes(lines)] };
}

/** Repairs a whole text that is known to be small: lines count from 1. */
export function repairText(text: string): readonly LogLine[] {
  const raw = text.split("\n");
  if (raw.at(-1) === "") raw.pop();
  const lines = raw.map((t, i): RawLine => ({ line: i + 1, text: t, cutBytes: 0 }));
  return sortFirstLines(joinPieces(lines.flatMap(draftsOf))).map(finished);
}

function finished(draft: Draft): LogLine {
  const { repairs, ...line } = draft;
  return repairs.length === 0 ? line : { ...line, repairs: [...new Set(repairs)] };
}

// --- one input line -------------------------------------------------------------------------------------------------------

const escapeSequence = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_c])/g;

/** The records that stand on one input line, prefix off. */
function draftsOf(raw: RawLine): Draft[] {
  const repairs: LineRepair[] = [];
  let text = raw.text;
  const fix = (repair: LineRepair, changed: string): void => {
    if (changed !== text) repairs.push(repair);
    text = changed;
  };
  text = withoutReturns(text);
  if (raw.cutBytes > 0) repairs.push("cut");
  if (text.includes("\u0000")) fix("nul bytes", text.replaceAll("\u0000", ""));
  if (text.includes("\u001b")) fix("terminal codes", text.replace(escapeSequence, ""));
  if (text.includes("\ufffd")) repairs.push("invalid utf-8");
  if (text.includes("\u00d7")) fix("times sign", text.replace(/0\u00d7(?=[0-9a-fA-F]|$)/g, "0x"));
  if (text.includes("#01")) fix("unescaped", unescapeOctal(text));
  const envelope = text.startsWith("{") ? unwrapJson(text) : undefined;
  if (envelope !== undefined) text = envelope.text;
  const drafts: Draft[] = [];
  for (const record of text.split("\n")) {
    const { quoted, ...prefix } = stripPrefix(record);
    const pieces = splitGlued(prefix.text);
    pieces.forEach((piece, i) => {
      const own: Draft = {
        line: raw.line,
        raw: raw.text,
        ...(i === 0 ? prefix : stripPrefix(piece)),
        repairs: [...repairs],
      };
      if (i === 0) own.text = piece;
      own.text = withoutReturns(own.text);
      const first = drafts[0];
      if (envelope !== undefined) inherit(own, envelope);
      if (first !== undefined) inherit(own, first);
      if (quoted === true) own.repairs.push("unquoted");
      if (pieces.length > 1) own.repairs.push("split");
      drafts.push(own);
    });
  }
  return drafts;
}

/** A carriage return at the end of a line is the transport's. */
function withoutReturns(text: string): string {
  let end = text.length;
  while (text[end - 1] === "\r") end--;
  return end === text.length ? text : text.slice(0, end);
}

/** A record without a prefix of its own was printed with the one before it. */
function inherit(own: Draft, first: Omit<JsonLine, "text">): void {
  if (own.seconds === undefined && first.seconds !== undefined) own.seconds = first.seconds;
  if (own.wallClock === undefined && first.wallClock !== undefined) own.wallClock = first.wallClock;
  if (own.host === undefined && first.host !== undefined) own.host = first.host;
  if (own.level === undefined && first.level !== undefined) own.level = first.level;
}

/** rsyslog writes control characters as # and three octal digits. A number like "bug #0123" looks the same: a digit behind #012 is taken
 *  for the next line's beginning ("#0124194174 pages RAM") only in a line that has several undoubted #012. */
function unescapeOctal(text: string): string {
  const sure = (text.match(/#012(?!\d)/g)?.length ?? 0) >= 2;
  return text.replace(sure ? /#0(1[0-7]|33)/g : /#0(1[0-7]|33)(?!\d)/g, (_, code: string) =>
    code === "12" ? "\n" : code === "11" ? "\t" : "",
  );
}

/** Places where a second record begins on the same line: its own timestamp or priority, or prose after a stack frame or a sysctl value. */
const glued: readonly { readonly sign: RegExp; readonly at: RegExp }[] = [
  { sign: /[\s\S]<[0-7]>\[/, at: /(?<=[\s\S])(?=<[0-7]>\[ *\d{1,8}\.\d{6}\])/ },
  { sign: /[\s\S]\[ {0,4}\d{1,8}\.\d{6}\]/, at: /(?<=[\s\S])(?<!<[0-7]>)(?=\[ {0,4}\d{1,8}\.\d{6}\] )/ },
  { sign: /\+0x[0-9a-f]/, at: /(?<=\+0x[0-9a-f]{1,6}\/0x[0-9a-f]{1,6})(?=[A-Z][a-z])/ },
  { sign: /^(?:vm|net|kernel)\./, at: /(?<=^[\w.]{1,80} = \d{1,20})(?=[A-Z])/ },
];

function splitGlued(text: string): string[] {
  let pieces = [text];
  for (const place of glued) if (place.sign.test(text)) pieces = pieces.flatMap((p) => p.split(place.at));
  return pieces;
}

// --- several lines --------------------------------------------------------------------------------------------------------

const stamped = (l: Draft): boolean =>
  l.seconds !== undefined || l.deltaSeconds !== undefined || l.wallClock !== undefined;

/** Joins what a mailer, a terminal or KERN_CONT broke. */
function joinPieces(drafts: readonly Draft[]): Draft[] {
  const wraps = wrapTest(drafts);
  const out: Draft[] = [];
  let above: Draft | undefined;
  for (const next of drafts) {
    const previous = out.at(-1);
    const rule = previous === undefined ? undefined : joinRule(previous.text, next.text);
    const glue = previous === undefined || rule !== undefined ? undefined : wraps(previous, above!, next);
    if (previous !== undefined && (rule !== undefined || glue !== undefined)) {
      previous.text = rule === undefined ? previous.text + glue + next.text : joined(previous.text, next.text, rule);
      if (next.line !== previous.line) previous.raw += `\n${next.raw}`;
      previous.repairs.push(...next.repairs, rule?.broken === "printk" && stamped(next) ? "continued" : "rejoined");
    } else out.push(next);
    // `raw` of what was joined grows: the width of the line above is that of its own raw line.
    above = { ...next, raw: next.raw };
  }
  return out;
}

/** A line without a time stamp goes on with the stamped line above it when that one is as full as a broken line is. A terminal of 80
 *  columns breaks anywhere, and nothing is wider; a mailer breaks quoted lines at blanks, where the next word would have been too much. */
function wrapTest(drafts: readonly Draft[]): (previous: Draft, above: Draft, next: Draft) => "" | " " | undefined {
  const stamps = drafts.filter(stamped).length;
  if (stamps * 2 < drafts.length || stamps === drafts.length) return () => undefined;
  const columns = (d: Draft): number => (d.raw.endsWith("\r") ? d.raw.length - 1 : d.raw.length);
  const widest = drafts.reduce((w, d) => Math.max(w, columns(d)), 0);
  // A word that fills half a line cannot be broken: such lines say nothing about where the mailer breaks.
  const breakable = (d: Draft): boolean => d.raw.length <= 140 && d.raw.lastIndexOf(" ") >= 40;
  const mailWidth = drafts.reduce((w, d) => (breakable(d) ? Math.max(w, columns(d)) : w), 0);
  return (previous, above, next) => {
    if (!stamped(previous) || stamped(next) || next.text === "" || next.line !== above.line + 1) return undefined;
    if (widest === 80 && columns(above) === 80) return "";
    if (!above.repairs.includes("unquoted") || !next.repairs.includes("unquoted") || mailWidth < 60 || mailWidth > 132)
      return undefined;
    const word = /^\S+/.exec(next.text)?.[0].length ?? 0;
    return word > 0 && columns(above) + 1 + word > mailWidth ? " " : undefined;
  };
}

/** Three lines or more that end exactly at column 80, and none beyond: a terminal has cut them. */
function markTruncated(drafts: readonly Draft[]): void {
  const lengths = drafts.map((d) => d.raw.length);
  const widest = lengths.reduce((a, b) => Math.max(a, b), 0);
  if (widest !== 80 && widest !== 79) return;
  const full = drafts.filter((_, i) => lengths[i] === widest);
  if (full.length >= 3) for (const d of full) d.repairs.push("may be truncated");
}

// --- printk callers -------------------------------------------------------------------------------------------------------

/** Where the reports of two callers overlap, each caller's lines become a window of their own; lines without a caller go to all. */
function lanes(window: LogWindow): LogWindow[] {
  const callerAt = new Map(window.lines.map((l) => [l.line, l.caller]));
  const spans = new Map<string, [first: number, last: number]>();
  for (const { line } of window.anchors) {
    const caller = callerAt.get(line);
    if (caller === undefined) continue;
    const span = spans.get(caller);
    spans.set(caller, span === undefined ? [line, line] : [span[0], line]);
  }
  const list = [...spans.values()];
  const overlap = list.some((a, i) => list.some((b, j) => i < j && a[0] <= b[1] && b[0] <= a[1]));
  if (!overlap) return [window];
  return [...spans.keys()].map((caller) => ({
    ...window,
    lines: window.lines.filter((l) => l.caller === undefined || l.caller === caller),
    anchors: window.anchors.filter((a) => (callerAt.get(a.line) ?? caller) === caller),
  }));
}

const headline = /page allocation failure[:.] order:\d|invoked oom-killer:/;

/** Two reports that begin at once without caller ids: their stacks cannot be told apart, which is said. */
function mixedNotes(lines: readonly LogLine[]): LogNote[] {
  const notes: LogNote[] = [];
  let before: LogLine | undefined;
  for (const line of lines) {
    if (/^(?:CPU: |Pid: |Call [Tt]race|\[<)/.test(line.text)) before = undefined;
    else if (headline.test(line.text)) {
      if (before !== undefined && line.line - before.line <= 3 && line.caller === before.caller) {
        const sentence = `Lines ${before.line} and ${line.line}: two reports begin at once; the lines below them may be mixed.`;
        notes.push({ line: line.line, sentence });
      }
      before = line;
    }
  }
  return notes;
}

// --- notes ----------------------------------------------------------------------------------------------------------------

const sentences: Readonly<Record<LineRepair, string>> = {
  unquoted: "mail quoting was removed",
  rejoined: "a line that was broken on its way was joined again",
  continued: "pieces of one message, printed as lines of their own, were joined",
  unescaped: "#012 and #011 were turned back into newlines and tabs",
  "times sign": "a times sign was turned back into the x of 0x",
  "nul bytes": "NUL bytes were dropped",
  "terminal codes": "terminal control sequences were dropped",
  "invalid utf-8": "bytes that are not UTF-8 were replaced",
  cut: "the line was too long and only a part of it was read",
  split: "several records stood on one line and were separated",
  "may be truncated": "lines end at a terminal's last column: what stood behind it is lost",
  deinterleaved: "reports printed at the same time by several CPUs were sorted apart",
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
