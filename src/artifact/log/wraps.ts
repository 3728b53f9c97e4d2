// Lines that were broken on their way: by a mailer at a blank, by a terminal wherever its last column is. What a line has before its text, and
// how full the line above is, tell; the shapes of broken lines are continuation.ts.
import type { Draft } from "./draft.ts";

export const stamped = (l: Draft): boolean =>
  l.seconds !== undefined || l.deltaSeconds !== undefined || l.wallClock !== undefined;

/** `Nov 20 20:35:16 web1 sshd[811]: `: a program's line between the kernel's. */
export const daemon = /^.{0,40}\d\d:\d\d:\d\d\S{0,20} \S{1,100} [\w./@-]{1,60}(?:\[\d{1,8}\])?: /;

/** What stood between a line and the one that goes on with it; undefined where it does not. */
export type WrapTest = (previous: Draft, above: Draft, next: Draft) => "" | " " | undefined;

/** So many lines of one width, and none wider: something broke them at that column, in the midst of a word too. */
const hardBroken = 3;

/** Quoted-printable marks the end of each line that it breaks. Where no mark is left the ends of the lines are gone, and what stood there. */
function lostMarks(drafts: readonly Draft[]): boolean {
  return drafts.some((d) => d.raw.includes("=3D")) && !drafts.some((d) => /=(?:\r?\n|\r?$)/.test(d.raw));
}

/** Lines of one form are of one length without being broken. */
const formOf = (d: Draft): string => d.text.replace(/[0-9a-f]+/g, "0");

/** Lines are broken at columns from here on; what is narrower is no log's. */
const narrowest = 60;

export function hardWidth(drafts: readonly Draft[]): number | undefined {
  if (drafts.some((d) => d.raw.includes("=3D"))) return undefined;
  const widest = drafts.reduce((w, d) => Math.max(w, d.raw.length), 0);
  const forms = new Set(drafts.filter((d) => d.raw.length === widest).map(formOf));
  return widest >= narrowest && forms.size >= hardBroken ? widest : undefined;
}

/** How the lines of a stretch were broken. */
export function wrapTest(drafts: readonly Draft[]): WrapTest {
  return lostMarks(drafts) ? () => undefined : (byPrefixes(drafts) ?? byStamps(drafts));
}

/** Most lines that begin a record have a prefix, and nearly each line without one goes on where the line above was full. */
function byPrefixes(drafts: readonly Draft[]): WrapTest | undefined {
  const goesOn: (readonly [above: Draft, next: Draft])[] = [];
  let begun = 0;
  let open = false;
  drafts.forEach((next, i) => {
    const above = drafts[i - 1];
    const on = open && isRest(next, above);
    if (on) goesOn.push([above!, next]);
    else if (next.prefixed) begun++;
    open = on || next.prefixed;
  });
  if (goesOn.length === 0 || begun < 3) return undefined;
  // A line of prose or a fence may stand below the last of them.
  const most = (fits: (above: Draft, next: Draft) => boolean): boolean => {
    const others = goesOn.reduce((n, [above, next]) => n + (fits(above, next) ? 0 : 1), 0);
    return others * 10 <= goesOn.length || (others === 1 && goesOn.length > 3);
  };
  const widest = drafts.reduce((w, d) => Math.max(w, d.columns), 0);
  const full = (above: Draft): boolean => above.columns === widest;
  const forms = new Set(goesOn.flatMap(([above]) => (full(above) ? [formOf(above)] : [])));
  if (widest >= narrowest && (forms.size > 1 || widest === 80) && goesOn.length > 1 && most(full))
    return (_, above, next) => (isRest(next, above) && full(above) ? "" : undefined);
  // A line of one word cannot be broken: it says nothing about where the mailer breaks.
  const broken = drafts.reduce((w, d) => (d.prefixed || /\S\s+\S/.test(d.text) ? Math.max(w, d.columns) : w), 0);
  const tooMuch = (above: Draft, next: Draft): boolean =>
    above.columns + 1 + (/^\S+/.exec(next.text)?.[0].length ?? 0) > broken;
  if (broken < narrowest || goesOn.length < 2 || !most(tooMuch)) return undefined;
  return (_, above, next) => (isRest(next, above) && tooMuch(above, next) ? " " : undefined);
}

/** Nothing stands before its text, it is the next line of the input and no program's own. */
const isRest = (next: Draft, above: Draft | undefined): boolean =>
  !next.prefixed && next.text !== "" && next.line - (above?.line ?? next.line) === 1 && !daemon.test(next.text);

/** A line without a time stamp goes on with the stamped line above it when that one is as full as a broken line is. A terminal of 80
 *  columns breaks anywhere, and nothing is wider; a mailer breaks quoted lines at blanks, where the next word would have been too much. */
function byStamps(drafts: readonly Draft[]): WrapTest {
  const stamps = drafts.filter(stamped).length;
  if (stamps * 2 < drafts.length || stamps === drafts.length) return () => undefined;
  const columns = (d: Draft): number => (d.raw.endsWith("\r") ? d.raw.length - 1 : d.raw.length);
  const widest = drafts.reduce((w, d) => Math.max(w, columns(d)), 0);
  // A word that fills half a line cannot be broken: such lines say nothing about where the mailer breaks.
  const breakable = (d: Draft): boolean => d.raw.length <= 140 && d.raw.lastIndexOf(" ") >= 40;
  const mailWidth = drafts.reduce((w, d) => (breakable(d) ? Math.max(w, columns(d)) : w), 0);
  return (previous, above, next) => {
    if (!stamped(previous) || stamped(next) || next.prefixed || next.text === "") return undefined;
    if (next.line !== above.line + 1) return undefined;
    if (daemon.test(next.text)) return undefined;
    if (widest === 80 && columns(above) === 80) return "";
    const narrow = widest >= narrowest && widest <= 80;
    const quoted = above.repairs.includes("unquoted") && next.repairs.includes("unquoted");
    if ((!quoted && !narrow) || mailWidth < narrowest || mailWidth > 132) return undefined;
    const word = /^\S+/.exec(next.text)?.[0].length ?? 0;
    return word > 0 && columns(above) + 1 + word > mailWidth ? " " : undefined;
  };
}
