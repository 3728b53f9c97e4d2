// What every incident reader shares: which lines are taken, which part each one carries, and what has to be said about the rest.
import type { Carried, Incident, IncidentKind, IncidentReadings, PartName } from "../../../kernel/readings/incident.ts";
import type { LogLine, LogNote } from "../../../kernel/readings/log_line.ts";

/** A stretch of a log under reading: its lines, and which of them some incident owns already. */
export interface Stretch {
  readonly lines: readonly LogLine[];
  /** 1 where an incident owns the line. */
  readonly taken: Uint8Array;
  readonly notes: LogNote[];
}

/** Longest text that is looked at: no line of a report is longer, and a hostile one must not cost. */
const longest = 8192;

/** The kernel's text of a line with the one damage undone that breaks numbers: U+00D7 for x (`0×4020`). */
export function textOf(line: LogLine): string {
  const text = line.text.length > longest ? line.text.slice(0, longest) : line.text;
  return text.includes("\u00d7") ? text.replace(/(\d)\u00d7/g, "$1x") : text;
}

/** Collects one incident. */
export class ReportBuilder {
  private readonly stretch: Stretch;
  private readonly parts = new Map<PartName, LogLine[]>();
  private readonly mine: number[] = [];
  /** Parts that a report of this kind should have and has not. */
  readonly missing: PartName[] = [];

  constructor(stretch: Stretch) {
    this.stretch = stretch;
  }

  /** Takes line `index` for the incident; `part` says what it carries (none for lines that only frame the report). */
  take(index: number, part?: PartName): void {
    const line = this.stretch.lines[index];
    if (line === undefined) return;
    this.stretch.taken[index] = 1;
    this.mine.push(index);
    if (part === undefined) return;
    const list = this.parts.get(part);
    if (list === undefined) this.parts.set(part, [line]);
    else list.push(line);
  }

  /** Says that a part carries this line too. */
  alsoCarries(index: number, part: PartName): void {
    const line = this.stretch.lines[index];
    if (line === undefined) return;
    const list = this.parts.get(part) ?? [];
    if (!list.includes(line)) this.parts.set(part, [...list, line]);
  }

  /** Frames that were read are not of this report's stack. */
  forgetFrames(): void {
    for (const part of [...this.parts.keys()]) if (part.startsWith("frame:")) this.parts.delete(part);
  }

  note(index: number, sentence: string): void {
    const line = this.stretch.lines[index];
    this.stretch.notes.push({ line: line?.line ?? 0, sentence });
  }

  /** The incident; lines that stand inside it and are not its own are said. */
  finish<K extends IncidentKind>(kind: K, reading: IncidentReadings[K]): Incident {
    const { lines, taken, notes } = this.stretch;
    const order = this.mine.sort((a, b) => a - b);
    // A report whose lines were all another's is where the line stands that told it.
    const told = order.length === 0 ? [...this.parts.values()][0]?.[0] : undefined;
    const first = told ?? lines[order[0] ?? 0];
    const last = told ?? lines[order.at(-1) ?? 0];
    const foreign: LogLine[] = [];
    for (let i = order[0] ?? 0; i < (order.at(-1) ?? 0); i++) {
      const line = lines[i];
      if (taken[i] === 0 && line !== undefined && !saysNothing.test(line.text)) foreign.push(line);
    }
    if (foreign.length > 0) notes.push({ line: foreign[0]?.line ?? 0, sentence: foreignSentence(foreign) });
    const carried: Carried[] = [...this.parts].map(([part, list]) => ({ part, lines: list }));
    const incident = {
      kind,
      reading,
      firstLine: first?.line ?? 0,
      lastLine: last?.line ?? 0,
      ...(first?.seconds === undefined ? {} : { seconds: first.seconds }),
      ...(first?.wallClock === undefined ? {} : { wallClock: first.wallClock }),
      carried,
      missing: this.missing,
    };
    return incident as unknown as Incident;
  }
}

/** What the kernel prints with a report and says nothing by: nobody misses it (kernel/panic.c, kernel/trace/trace.c ftrace_dump(), 6.1). */
const saysNothing = /^\s{0,80}(?:$|-{4,20}\[ cut here \]|Dumping ftrace buffer:|\(ftrace buffer empty\)|\.\.\.\s*$)/;

function foreignSentence(foreign: readonly LogLine[]): string {
  const numbers = foreign.map((l) => l.line);
  const shown = numbers.slice(0, 6).join(", ");
  const more = numbers.length > 6 ? ` and ${numbers.length - 6} more` : "";
  return numbers.length === 1
    ? `A line inside the report was not used (line ${shown}): it is another's, or nothing is read from it.`
    : `${numbers.length} lines inside the report were not used (lines ${shown}${more}): they are another's, or nothing is read from them.`;
}

/** A decimal number, or undefined. */
export const decimal = (text: string | undefined): number | undefined =>
  text === undefined || !/^-?\d{1,15}$/.test(text) ? undefined : Number(text);

/** Spread helper: `...field("order", n)` adds the field only when there is a value (exactOptionalPropertyTypes). */
export function field<K extends string, V>(name: K, value: V | undefined): { readonly [P in K]?: V } {
  return (value === undefined ? {} : { [name]: value }) as { readonly [P in K]?: V };
}
