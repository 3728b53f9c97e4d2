// Where all lines of a text were cut at one column, the last word of a line that reaches it may lack its end. The lines' widths tell how sure
// the end of a line is.
import type { LogLine } from "../../../kernel/readings/log_line.ts";
import { readTraceLine } from "./call_trace.ts";

/** `sure`: a longer line is there, so nothing was cut here. `cut`: lines of several forms end at this column. `open`: it is the longest one. */
export type LineEnd = "sure" | "open" | "cut";

/** A terminal's copy pads lines with blanks: those are not part of it. A line that was joined has several pieces. */
const widthsOf = (line: LogLine): readonly number[] =>
  line.width === undefined ? line.raw.split("\n").map((piece) => piece.trimEnd().length) : [line.width];

/** Which piece of a line that was sorted out of two reports is its end is not known: the widest may be. */
const lastWidth = (line: LogLine): number =>
  line.repairs?.includes("deinterleaved") === true ? Math.max(...widthsOf(line)) : (widthsOf(line).at(-1) ?? 0);

interface Widest {
  readonly column: number;
  /** Lines of that width whose ends are open and differ in more than numbers: lines of one form are of one length without being cut. */
  readonly forms: number;
}

/** So many pieces that fill the column and go on: whoever broke them there cut none off at it. */
const broken = 3;

/** A stretch may hold thousands of reports: its widths are counted once. */
const known = new WeakMap<readonly LogLine[], Widest>();

/** What a word, a number or an unfinished mark ends with; a bracket, a full stop and the like end what they stand behind. */
const isOpen = (text: string): boolean => /[\w[(|/+,:=-]$/.test(text.trimEnd());

const endForm = (text: string): string =>
  text
    .trimEnd()
    .slice(-16)
    .replace(/[0-9a-f]+/g, "0");

function widestOf(lines: readonly LogLine[]): Widest {
  const before = known.get(lines);
  if (before !== undefined) return before;
  let column = 0;
  let forms = new Set<string>();
  let last = -1;
  // Records that stood on one line (#012) share it.
  for (const l of lines) {
    const widest = Math.max(...widthsOf(l));
    if (widest > column) [column, forms, last] = [widest, new Set(), -1];
    const ends = lastWidth(l) === column;
    if (ends && l.line !== last && isOpen(l.text)) forms.add(endForm(l.text));
    if (ends) last = l.line;
  }
  // Broken at this very column most ends stand on the next line; where more forms end there without going on, they were cut all the same. How
  // wide a piece was round which a transport put something is not known.
  const goesOn = (l: LogLine): boolean =>
    l.repairs?.includes("rejoined") === true &&
    (l.width !== undefined ||
      l.raw.split("\n").some((piece, n, all) => n < all.length - 1 && piece.trimEnd().length >= column - 1));
  const goOn = lines.filter(goesOn).length;
  const found =
    goOn >= broken && forms.size <= goOn
      ? { column: Number.POSITIVE_INFINITY, forms: 0 }
      : { column, forms: forms.size };
  known.set(lines, found);
  return found;
}

/** How sure the end of a line is. */
export function endOf(lines: readonly LogLine[], line: LogLine): LineEnd {
  const { column, forms } = widestOf(lines);
  if (lastWidth(line) < column) return "sure";
  return forms > 1 ? "cut" : "open";
}

/** So many forms of lines that end at one column are no chance. */
const cutAlike = 3;

/** Takes a number without an end away, and from a frame the offset behind a name: what stood behind it, the module above all, is not there. */
const withoutEnd = (text: string): string =>
  readTraceLine(text) === undefined
    ? text.replace(/(?:[:=] ?|\b0x)(?:0x)?[0-9a-f]{1,20}$/, "")
    : text.replace(/\+0x[0-9a-f]{1,8}\/0x[0-9a-f]{1,8}(?: \[[\w-]{0,64})?$/, "");

const wholeOffset = /\+0x[0-9a-f]{1,8}\/0x[0-9a-f]{1,8} ?$/;

/** Whether a line at the column at which lines were cut, or one short of it, would lose its last word. */
export const losesEnd = (text: string): boolean => isOpen(text) && withoutEnd(text.trimEnd()) !== text;

/** The lines of a text without the last words that may lack their end. */
export function withoutTorn(lines: readonly LogLine[]): readonly LogLine[] {
  const { column, forms } = widestOf(lines);
  if (forms < cutAlike) return lines;
  return lines.map((l) => {
    const left = column - lastWidth(l);
    // A blank stood before the module's bracket.
    const torn = left === 0 || (left === 1 && wholeOffset.test(l.text));
    return torn && isOpen(l.text) ? { ...l, text: withoutEnd(l.text.trimEnd()) } : l;
  });
}
