// A storm of reports: thousands of one kind, alike but for their stamps and amounts. Those that would only be counted are taken out of a window
// before anything is read, and the answer stays the same to the byte. That is so because
// - only a window is sifted in which repair has nothing to do (plain_line.ts), with the copies and without them;
// - a copy is a run of lines whose every shape (line_shapes.ts) is that of a report which was read before, in which nothing else was found: no
//   note, no setting, no table; its stamps do not pause longer than one report's do;
// - each report that is left stands between neighbours beside which it, or its like, was read before. What is not known is left, with the
//   reports on both sides of it.
import type { IncidentKind } from "../../kernel/readings/incident.ts";
import type { LogLine } from "../../kernel/readings/log_line.ts";
import { longestPause } from "./incidents/body.ts";
import { LineShapes } from "./line_shapes.ts";
import { beginsReport } from "./lines.ts";
import { fallsBack } from "./order.ts";
import type { RawWindow } from "./scan.ts";
import type { TakenLines } from "./taken_lines.ts";

/** Lines that hold one report, or several that run into each other, and those below up to the next one; they stand for others of their shapes. */
interface Kind {
  readonly id: number;
  readonly shapes: readonly number[];
  readonly reports: readonly {
    readonly kind: IncidentKind;
    /** What reports that look alike have in common, but for their host. */
    readonly look: string;
    /** Its first and last line, counted from the first of all. */
    readonly first: number;
    readonly last: number;
  }[];
}

/** A report that was taken out of a window. */
export interface Copy {
  readonly look: string;
  readonly firstLine: number;
  readonly lastLine: number;
  /** Its first line as it stood, and what that says of when and where it was. */
  readonly head: string;
  readonly seconds?: number;
  readonly wallClock?: string;
  readonly host?: string;
}

export interface Sifted {
  /** What is left to read; may have no line. */
  readonly rest: RawWindow;
  readonly copies: readonly Copy[];
}

/** What was made of the lines that were left. */
export interface WindowRead {
  readonly lines: readonly LogLine[];
  readonly incidents: readonly {
    readonly kind: IncidentKind;
    readonly firstLine: number;
    readonly lastLine: number;
    readonly suppressedBefore?: number;
    /** Undefined where it holds a number that is left out of shapes. */
    readonly look: string | undefined;
  }[];
  /** Lines that a note is about, or that say something by themselves. */
  readonly marked: ReadonlySet<number>;
}

/** From a line that begins a report to before the next: places in a list of indexes of lines. */
interface Piece {
  readonly from: number;
  readonly to: number;
  readonly known: Kind | undefined;
  /** Stamps of its first and its last line. */
  readonly begins: number;
  readonly ends: number;
}

/** Lines of a stretch that transport.ts looks at without leaving any out. */
const mostLines = 5999;
const mostKinds = 4000;
/** Kinds that begin with the same line. */
const mostAlike = 256;
const mostPairs = 200_000;
/** Reports that are read for nothing but to keep others apart. */
const mostBridged = 8;
/** What stands above the first report of a window, and below its last. */
const edge = -1;

/** Kinds that a rate limit's line counts (read_incidents.ts). */
const limited: readonly IncidentKind[] = ["alloc_failure", "slab_failure", "bad_page", "oom"];

export class ReportSieve {
  readonly shapes = new LineShapes();
  private starters = new Set<number>();
  /** By their first line, the longest first. */
  private byFirst = new Map<number, Kind[]>();
  private kinds = 0;
  private pairs = new Set<number>();
  private pending: { readonly taken: TakenLines; readonly kept: readonly number[] } | undefined;

  /** Takes out what `counted` says is only counted; what is made of the rest is to be given to {@link learn}. */
  sift(window: RawWindow, counted: (look: string, host: string | undefined) => boolean): Sifted {
    const { taken } = window;
    this.pending = undefined;
    if (taken === undefined || taken.generation !== this.shapes.generation) return { rest: window, copies: [] };
    const all = Array.from({ length: taken.count }, (_, i) => i);
    if (!isPlain(taken, all)) return { rest: window, copies: [] };
    const host = this.shapes.hostOf(taken.form[0]!);
    const pieces = this.cut(taken, all);
    const keep = this.kept(pieces, (k) => k.reports.every(({ look }) => counted(look, host)));
    const left = pieces.filter((_, i) => keep[i]);
    const kept = left.flatMap(({ from, to }) => all.slice(from, to));
    if (kept.length === all.length || (kept.length > 0 && !isPlain(taken, kept))) {
      this.pending = { taken, kept: all };
      return { rest: window, copies: [] };
    }
    if (kept.length > 0) this.pending = { taken, kept };
    const indexes = new Set(kept);
    const lines = kept.length === 0 ? [] : taken.pick((i) => indexes.has(i));
    const numbers = new Set(lines.map((l) => l.line));
    const copies = pieces.flatMap(({ from, known }, i) => (keep[i] ? [] : copiesOf(taken, from, known!)));
    return {
      rest: { lines, anchors: window.anchors.filter((a) => numbers.has(a.line)), cut: window.cut },
      copies,
    };
  }

  /** Learns from a window that was read as {@link sift} left it. */
  learn(read: WindowRead): void {
    const { pending } = this;
    this.pending = undefined;
    if (pending !== undefined) this.learnFrom(pending.taken, pending.kept, read);
    if (this.shapes.prune() || this.kinds > mostKinds || this.pairs.size > mostPairs) this.forget();
  }

  private learnFrom(taken: TakenLines, kept: readonly number[], read: WindowRead): void {
    if (!kept.every((at, i) => read.lines[i]?.line === taken.lineOf(at) && read.lines[i]?.repairs === undefined))
      return;
    if (read.lines.length !== kept.length) return;
    let before: number | undefined = edge;
    let seconds = Number.NaN;
    for (const { from, to, inside } of split(taken, kept, read)) {
      const kind = this.kindOf(
        taken,
        kept.slice(from, to),
        inside,
        read.lines.slice(from, to),
        read.marked,
        to === kept.length,
      );
      if (kind !== undefined && before !== undefined) {
        const pause = taken.seconds[kept[from]!]! - seconds > longestPause;
        this.pairs.add(pairOf(before, kind.id, pause));
      }
      before = kind?.id;
      seconds = taken.seconds[kept[to - 1]!]!;
    }
    if (before !== undefined && before !== edge) this.pairs.add(pairOf(before, edge, false));
  }

  private forget(): void {
    this.starters = new Set();
    this.byFirst = new Map();
    this.pairs = new Set();
    this.kinds = 0;
  }

  /** The lines at `indexes`, cut before each that begins a report. */
  private cut(taken: TakenLines, indexes: readonly number[]): Piece[] {
    const pieces: Piece[] = [];
    const begins = (i: number): boolean => i >= indexes.length || this.starters.has(taken.shape[indexes[i]!]!);
    for (let from = 0; from < indexes.length; ) {
      const candidates = this.byFirst.get(taken.shape[indexes[from]!]!);
      const known = candidates?.find(
        (k) =>
          begins(from + k.shapes.length) &&
          isOf(k.shapes, taken, indexes, from) &&
          !pausesIn(taken, indexes, from, k.shapes.length),
      );
      let to = from + (known?.shapes.length ?? 1);
      if (known === undefined) while (!begins(to)) to++;
      const [begin, end] = [taken.seconds[indexes[from]!]!, taken.seconds[indexes[to - 1]!]!];
      pieces.push({ from, to, known, begins: begin, ends: end });
      from = to;
    }
    return pieces;
  }

  /** Which pieces have to be read. */
  private kept(pieces: readonly Piece[], counted: (kind: Kind) => boolean): boolean[] {
    const judged = new Map<Kind, boolean>();
    const only = (kind: Kind): boolean => {
      const known = judged.get(kind) ?? counted(kind);
      judged.set(kind, known);
      return known;
    };
    const id = (i: number): number | undefined => (i < 0 || i === pieces.length ? edge : pieces[i]!.known?.id);
    /** Whether piece `a` is known to stand above piece `b`; the edges are pieces too. */
    const goes = (a: number, b: number): boolean => {
      const [above, below] = [id(a), id(b)];
      const pause = (pieces[b]?.begins ?? Number.NaN) - (pieces[a]?.ends ?? Number.NaN) > longestPause;
      return above !== undefined && below !== undefined && this.pairs.has(pairOf(above, below, pause));
    };
    const keep = pieces.map((p) => p.known === undefined || !only(p.known));
    let owed: readonly IncidentKind[] = [];
    pieces.forEach(({ known }, i) => {
      if (i > 0 && !goes(i - 1, i)) keep[i - 1] = keep[i] = true;
      // What is not known may be a rate limit's line, whose number belongs to the next report of its kind.
      if (known === undefined) owed = limited;
      else if (known.reports.some((k) => owed.includes(k.kind))) {
        keep[i] = true;
        owed = owed.filter((k) => known.reports.every((own) => own.kind !== k));
      }
    });
    /** Of the pieces between two that are kept, keeps so many more that those which become neighbours are known as such. */
    const bridge = (above: number, below: number): void => {
      for (let more = 0; more <= mostBridged; more++)
        for (let p = above; p <= above + more; p++) {
          const q = below - (above + more - p);
          if (p + 1 < q && !goes(p, q)) continue;
          for (let i = above + 1; i <= Math.min(p, below - 1); i++) keep[i] = true;
          for (let i = Math.max(q, above + 1); i < below; i++) keep[i] = true;
          return;
        }
      keep.fill(true, above + 1, below);
    };
    const last = pieces.length - 1;
    if (!goes(-1, 0)) keep[0] = true;
    if (!goes(last, last + 1)) keep[last] = true;
    let above = -1;
    for (let i = 0; i <= pieces.length; i++) {
      if (i < pieces.length && !keep[i]) continue;
      if (above < i - 1 && (above >= 0 || i < pieces.length)) bridge(above, i);
      above = i;
    }
    return keep;
  }

  /** What lines that were read stand for, with the incidents in them; undefined where there is something else in them. */
  private kindOf(
    taken: TakenLines,
    indexes: readonly number[],
    inside: WindowRead["incidents"],
    lines: readonly LogLine[],
    marked: ReadonlySet<number>,
    last: boolean,
  ): Kind | undefined {
    const first = lines[0]!.line;
    // Gaps between lines: copies were taken out of the midst.
    if (inside.length === 0 || lines.at(-1)!.line - first !== lines.length - 1) return undefined;
    if (lines.some((l) => marked.has(l.line)) || pausesIn(taken, indexes, 0, indexes.length)) return undefined;
    // Two first lines within three lines are said to be mixed (lines.ts).
    const heads = lines.flatMap((l, i) => (beginsReport(l.text) ? [i] : []));
    if (heads.length > 1 || (heads[0] !== undefined && lines.length - heads[0] < 4)) return undefined;
    const reports: Kind["reports"][number][] = [];
    for (const { kind, look, suppressedBefore, firstLine, lastLine } of inside) {
      if (look === undefined || kind === "suppressed" || suppressedBefore !== undefined) return undefined;
      if (firstLine < first || lastLine > first + lines.length - 1) return undefined;
      reports.push({ kind, look, first: firstLine - first, last: lastLine - first });
    }
    const shapes = indexes.map((i) => taken.shape[i]!);
    const start = shapes[0]!;
    const alike = this.byFirst.get(start) ?? [];
    const known = alike.find((k) => k.shapes.length === shapes.length && k.shapes.every((s, i) => s === shapes[i]));
    if (known !== undefined) return JSON.stringify(known.reports) === JSON.stringify(reports) ? known : undefined;
    // The end of a window may be in the midst of a report.
    if (last || alike.length >= mostAlike) return undefined;
    const made: Kind = { id: this.kinds++, shapes, reports };
    this.starters.add(start);
    this.byFirst.set(
      start,
      [...alike, made].sort((a, b) => b.shapes.length - a.shapes.length),
    );
    return made;
  }
}

interface ReadPiece {
  readonly from: number;
  readonly to: number;
  readonly inside: WindowRead["incidents"];
}

/** The lines that were read, from each incident that does not begin inside another one to before the next. */
function split(taken: TakenLines, kept: readonly number[], { incidents }: WindowRead): ReadPiece[] {
  const at = new Map(kept.map((index, i) => [taken.lineOf(index), i]));
  const groups: { readonly from: number; readonly inside: WindowRead["incidents"][number][] }[] = [];
  let end = 0;
  for (const incident of incidents.toSorted((a, b) => a.firstLine - b.firstLine)) {
    const from = at.get(incident.firstLine) ?? 0;
    const group = groups.at(-1);
    if (group !== undefined && incident.firstLine <= end) group.inside.push(incident);
    else groups.push({ from, inside: [incident] });
    end = Math.max(end, incident.lastLine);
  }
  const lead: ReadPiece[] = (groups[0]?.from ?? 0) > 0 ? [{ from: 0, to: groups[0]!.from, inside: [] }] : [];
  return [...lead, ...groups.map(({ from, inside }, i) => ({ from, to: groups[i + 1]?.from ?? kept.length, inside }))];
}

/** `pause`: more time is between the two than within a report. */
const pairOf = (a: number, b: number, pause: boolean): number => 2 * ((a + 1) * 65_536 + b + 1) + (pause ? 1 : 0);

function isOf(shapes: readonly number[], taken: TakenLines, indexes: readonly number[], from: number): boolean {
  if (from + shapes.length > indexes.length) return false;
  for (let i = 0; i < shapes.length; i++) if (taken.shape[indexes[from + i]!] !== shapes[i]) return false;
  return true;
}

/** A pause between two of the `length` lines from place `from` on that one report does not make. */
function pausesIn(taken: TakenLines, indexes: readonly number[], from: number, length: number): boolean {
  for (let i = from + 1; i < from + length; i++)
    if (taken.seconds[indexes[i]!]! - taken.seconds[indexes[i - 1]!]! > longestPause) return true;
  return false;
}

const copiesOf = (taken: TakenLines, from: number, { reports }: Kind): Copy[] =>
  reports.map(({ look, first, last }) => {
    const at = from + first;
    const head = taken.textOf(at);
    const seconds = taken.seconds[at]!;
    const wall = taken.shapes.wallOf(taken.form[at]!);
    const host = taken.shapes.hostOf(taken.form[at]!);
    return {
      look,
      firstLine: taken.lineOf(at),
      lastLine: taken.lineOf(from + last),
      head,
      ...(Number.isNaN(seconds) ? {} : { seconds }),
      ...(wall === undefined ? {} : { wallClock: head.slice(wall[0], wall[1]) }),
      ...(host === undefined ? {} : { host }),
    };
  });

/** True when repair leaves the lines at `indexes` alone, taken for a window of their own. */
function isPlain(taken: TakenLines, indexes: readonly number[]): boolean {
  const { shapes, shape, form, seconds, width, column } = taken;
  if (taken.shapeless > 0 || indexes.length > mostLines) return false;
  const host = shapes.hostOf(form[indexes[0]!]!);
  let [widest, fullest] = [0, 0];
  for (const i of indexes) {
    const line = shapes.of(shape[i]!);
    if (line === undefined || shapes.hostOf(form[i]!) !== host) return false;
    widest = Math.max(widest, width[i]!);
    fullest = Math.max(fullest, column[i]! - line.blanks);
  }
  // Where a terminal's columns end.
  if (widest === 79 || widest === 80) return false;
  let [kernel, framed] = [false, false];
  for (const i of indexes) {
    const line = shapes.of(shape[i]!)!;
    if (column[i]! - line.blanks >= fullest - 1 && (line.losesEnd || line.masked)) return false;
    kernel ||= line.kernel;
    framed ||= line.framed;
  }
  if (!kernel && framed) return false;
  return !fallsBack(
    indexes.length,
    (i) => {
      const s = seconds[indexes[i]!]!;
      return Number.isNaN(s) ? undefined : s;
    },
    (i) => shapes.of(shape[indexes[i]!]!)!.rank,
  );
}
