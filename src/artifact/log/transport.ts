// Finds what a transport put round the kernel's lines, whatever it is: where the kernel's own words are known (known_words.ts), the text
// before them in the same shape is transport, and what has that shape on the lines around is transport too. prefix.ts knows the common
// forms and what their parts mean; this finds the others. Nothing is learned from one line alone.
import { frameStart, isKernelLine, kernelStart } from "./known_words.ts";
import { stripPrefix } from "./prefix.ts";

/** A shape of prefix that was found. */
export interface LearnedShape {
  /** As it stood on the first line that showed it. */
  readonly example: string;
  /** Lines by whose kernel words it was found. */
  readonly lines: number;
}

/** What was found about the lines of one stretch. */
export interface Transport {
  readonly shapes: readonly LearnedShape[];
  /** What ends every line: a backtick, `<br>`, a quote. */
  readonly suffix: string;
  /** Length of the learned prefix of a line; 0 where it has none. */
  prefixLength(line: string): number;
}

const nothing: Transport = { shapes: [], suffix: "", prefixLength: () => 0 };

/** Lines that are looked at; a longer stretch repeats itself. */
const MOST_LINES = 3000;
const MOST_SHAPES = 12;
const LONGEST_PREFIX = 200;

/** Learns from lines from which the known prefixes are already taken off. */
export function learnTransport(texts: readonly string[]): Transport {
  const prefixes = new Map<string, string[]>();
  const add = (prefix: string): void => {
    if (prefix.trim() === "" || prefix.length > LONGEST_PREFIX) return;
    const key = shapeOf(prefix);
    const list = prefixes.get(key);
    if (list === undefined) prefixes.set(key, [prefix]);
    else list.push(prefix);
  };
  const step = Math.max(1, Math.floor(texts.length / MOST_LINES));
  const frames: string[] = [];
  let bare = 0;
  for (let i = 0; i < texts.length; i += step) {
    const text = texts[i]!;
    if (text.length < 4) continue;
    if (isKernelLine(text)) {
      bare++;
      continue;
    }
    const at = kernelStart(text);
    if (at > 0) add(text.slice(0, at));
    else if (at < 0 && frames.length < 400) frames.push(text);
  }
  // Only frames are left of the report. Words alone before one ("PC is at") are the kernel's.
  if (prefixes.size === 0 && bare === 0)
    for (const text of frames) {
      const at = frameStart(text);
      if (at > 0 && /\d|kernel: {0,3}$|^[^\s\w=]{1,3} {0,8}$/.test(text.slice(0, at))) add(text.slice(0, at).trimEnd());
    }
  const suffix = suffixOf(texts);
  if (prefixes.size === 0) return suffix === "" ? nothing : { ...nothing, suffix };
  const found = [...prefixes.values()]
    .sort((a, b) => b.length - a.length)
    .slice(0, MOST_SHAPES)
    .map((list) => ({ list, pattern: new RegExp(patternOf(list)) }))
    .filter(({ list, pattern }) => list.length * 20 > bare && (list.length > 1 || repeats(pattern, texts)));
  const outer = outerLength(
    found.map(({ list }) => list),
    texts,
  );
  return {
    shapes: found.map(({ list }) => ({ example: list[0]!, lines: list.length })),
    suffix,
    prefixLength: (line) => {
      for (const { pattern } of found) {
        const m = pattern.exec(line);
        if (m !== null) return m[0].length;
      }
      return outer(line);
    },
  };
}

/** A transport round another one, of which a part of the lines has no more: the console's prefix round a syslog in which `uname` stands too.
 *  What is left of such a line must be the kernel's, have a prefix of its own or have been padded, unless nearly all lines begin so. */
function outerLength(lists: readonly (readonly string[])[], texts: readonly string[]): (line: string) => number {
  const patterns = lists.flatMap((list) => {
    const parts = tokensOf(list[0]!);
    const n = outerTokens(parts);
    if (n === undefined) return [];
    const pattern = new RegExp(patternOf(list.slice(0, 500).map((p) => tokensOf(p).slice(0, n).join(""))));
    const alike = texts.reduce((count, t) => count + (t === "" || pattern.test(t) ? 1 : 0), 0);
    return [{ pattern, everywhere: alike * 10 >= texts.length * 9 }];
  });
  return (line) => {
    for (const { pattern, everywhere } of patterns) {
      const m = pattern.exec(line);
      if (m === null) continue;
      const rest = line.slice(m[0].length);
      if (everywhere || /^(?: {8}|$)/.test(rest) || isKernelLine(rest) || stripPrefix(rest).text.length < rest.length)
        return m[0].length;
    }
    return 0;
  };
}

/** How many tokens of a prefix lie round a prefix that the lists know; the word before a `;` may look like a part of that one. */
function outerTokens(parts: readonly string[]): number | undefined {
  let found: number | undefined;
  for (let n = 1; n < parts.length; n++) {
    const blank = /^\s/.test(parts[n - 1]!);
    if (!(blank && found === undefined) && !/^[;|>,]/.test(parts[n - 1]!)) continue;
    if (stripPrefix(parts.slice(n).join("")).text.trim() !== "") continue;
    found = n;
    if (blank) break;
  }
  return found;
}

/** The kernel's own stamp, or what a syslog writes before its lines. */
const kernelStamp =
  /[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S{1,64} kernel: |\[ {0,4}\d{1,8}\.\d{6}\](?:\[ {0,8}[TC]\d{1,7}\])?(?: |$)/;

/** What stands before the kernel's own stamp on most lines of a stretch, or on some where most begin like these; a stamp that only few lines
 *  have inside begins a second record. */
export function learnBeforeStamps(texts: readonly string[]): (line: string) => number {
  const prefixes = new Map<string, string[]>();
  let [found, filled] = [0, 0];
  const step = Math.max(1, Math.floor(texts.length / MOST_LINES));
  for (let i = 0; i < texts.length; i += step) {
    const text = texts[i]!;
    if (text === "") continue;
    filled++;
    const at = text.slice(0, LONGEST_PREFIX).search(kernelStamp);
    if (at <= 0) continue;
    found++;
    const key = shapeOf(text.slice(0, at));
    const list = prefixes.get(key);
    if (list === undefined) prefixes.set(key, [text.slice(0, at)]);
    else list.push(text.slice(0, at));
  }
  if (found < 3) return () => 0;
  const lists = [...prefixes.values()]
    .filter((list) => list.length > 1)
    .sort((a, b) => b.length - a.length)
    .slice(0, MOST_SHAPES);
  // What a tool padded, and empty lines, have the prefix without a stamp behind it.
  const patterns = lists.flatMap((list) => {
    const pattern = new RegExp(patternOf(list));
    const alike = texts.reduce((n, t) => n + (pattern.test(t) ? 1 : 0), 0);
    if (alike * 2 >= filled) return [pattern];
    // Where lines were broken, fewer than half of them have the stamp.
    return found * 2 >= filled || list.length * 10 >= found * 8
      ? [new RegExp(`${pattern.source}(?=\\[|[A-Z][a-z]{2} [ \\d]\\d \\d\\d:)`)]
      : [];
  });
  const outer = outerLength(lists, texts);
  return (line) => {
    for (const pattern of patterns) {
      const m = pattern.exec(line);
      if (m !== null) return m[0].length;
    }
    return outer(line);
  };
}

/** A shape that one kernel line shows must be on another line as well. */
function repeats(pattern: RegExp, texts: readonly string[]): boolean {
  let seen = 0;
  for (const text of texts) if (pattern.test(text) && ++seen > 1) return true;
  return false;
}

const token = /\[[^\]]{0,100}\]|\([^)]{0,100}\)|<[^>]{0,60}>|\d+|[A-Za-z\u00c0-\uffef]+|\s+|[\s\S]/gu;

const tokensOf = (prefix: string): string[] => prefix.match(token) ?? [];

function kindOf(text: string): string {
  if (/^\s/.test(text)) return " ";
  if (/^\d/.test(text)) return "9";
  if (text.length > 1 && /^[[(<]/.test(text)) return text[0]!;
  return /^[A-Za-z\u00c0-\uffef]/.test(text) ? "a" : `=${text}`;
}

const shapeOf = (prefix: string): string => tokensOf(prefix).map(kindOf).join("");

const dateWord = /^(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|Mon|Tue|Wed|Thu|Fri|Sat|Sun)$/;

/** A pattern for all prefixes of one shape: numbers may be others, words only where the examples differ. */
function patternOf(prefixes: readonly string[]): string {
  const rows = prefixes.slice(0, 500).map(tokensOf);
  const first = rows[0]!;
  const parts = first.map((text, i) => {
    const all = new Set(rows.map((r) => r[i]!));
    switch (kindOf(text)) {
      case "9":
        return "\\d{1,20}";
      case " ":
        return blanks(
          [...all].map((t) => t.length),
          i === first.length - 1,
          text,
          /^\d/.test(first[i + 1] ?? ""),
        );
      case "[":
        return "\\[[^\\]]{0,100}\\]";
      case "(":
        return "\\([^)]{0,100}\\)";
      case "<":
        return "<[^>]{0,60}>";
      case "a":
        return all.size === 1 && !dateWord.test(text) ? escaped(text) : "[^\\s\\d\\[\\]()<>]{1,40}";
      default:
        return escaped(text);
    }
  });
  // A number at the margin is filled up with blanks until it has all its digits.
  const [lead] = first.map(kindOf);
  if (lead === " ") parts[0] = "\\s{0,24}";
  return `^${lead === "9" ? "\\s{0,8}" : ""}${parts.join("")}`;
}

/** `number`: a number follows, which is filled up with blanks until it has all its digits. */
function blanks(lengths: readonly number[], last: boolean, text: string, number: boolean): string {
  const least = lengths.reduce((a, b) => Math.min(a, b));
  const most = lengths.reduce((a, b) => Math.max(a, b));
  if (number && least === most && most > 1 && !text.includes("\t")) return ` {1,${most + 8}}`;
  if (last || least === most) return text.includes("\t") ? `\\s{${least}}` : ` {${least}}`;
  return `\\s{1,${most + 8}}`;
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");

const lastWords =
  /(?:Call [Tt]race:|Mem-[Ii]nfo:|\+0x[0-9a-f]{1,6}\/0x[0-9a-f]{1,6}|total pagecache pages|(?:min order|free): \d{1,9})( ?\||[^\w\s[()][^\s]{0,11})$/;

/** What follows words that end their line. */
export const endsInTransport = (text: string): boolean => lastWords.test(text);

/** What follows words that end their line; found on two lines at least. */
function suffixOf(texts: readonly string[]): string {
  const seen = new Map<string, number>();
  for (const text of texts.slice(0, MOST_LINES)) {
    const end = lastWords.exec(text)?.[1];
    if (end !== undefined) seen.set(end, (seen.get(end) ?? 0) + 1);
  }
  const [best] = [...seen].sort((a, b) => b[1] - a[1]);
  return best !== undefined && best[1] >= 2 ? best[0] : "";
}

/** The blanks that a stretch of lines was shifted by: for each line the indent of the nearest line whose kernel words begin behind blanks. */
export function indents(lines: readonly string[], starts: (trimmed: string) => boolean): readonly string[] {
  const at: number[] = [];
  const indent: string[] = [];
  lines.forEach((line, i) => {
    const trimmed = line.trimStart();
    if (trimmed === "" || !starts(trimmed)) return;
    at.push(i);
    indent.push(line.slice(0, line.length - trimmed.length));
  });
  if (!indent.some((t) => t !== "")) return at.length > 0 ? lines.map(() => "") : commonIndent(lines);
  let next = 0;
  const all = commonIndent(lines);
  return lines.map((line, i) => {
    while (next < at.length - 1 && Math.abs(at[next + 1]! - i) <= Math.abs(at[next]! - i)) next++;
    const own = indent[next]!;
    return line.startsWith(own) ? own : line.startsWith(all[i]!) ? all[i]! : "";
  });
}

/** Where nothing is known: the blanks that every line begins with. */
function commonIndent(lines: readonly string[]): readonly string[] {
  const filled = lines.filter((l) => l.trim() !== "");
  const first = filled[0] ?? "";
  let common = first.slice(0, first.length - first.trimStart().length);
  for (const line of filled) while (!line.startsWith(common)) common = common.slice(0, -1);
  if (filled.length < 2) common = "";
  return lines.map((l) => (l.startsWith(common) ? common : ""));
}
