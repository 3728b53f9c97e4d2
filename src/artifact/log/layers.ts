// What lies round a stretch of lines as a whole, undone from the outside in: quoted-printable, HTML entities, mail quotes, wrappers such as
// backticks, the blanks of an indented block. What stands before each line is prefix.ts and transport.ts.
import type { LineRepair } from "../../kernel/readings/log_line.ts";
import { isKernelLine } from "./known_words.ts";
import { stripPrefix, stripQuote } from "./prefix.ts";
import type { RawLine } from "./raw_lines.ts";
import { indents } from "./transport.ts";

/** A line on its way from what stood in the input to what the kernel printed. */
export interface Layered {
  readonly line: number;
  readonly raw: string;
  text: string;
  readonly repairs: LineRepair[];
  /** Characters of the text with the layers off. */
  columns: number;
  /** A prefix that was found before the kernel's own stamp, and taken off. */
  learned?: string;
}

/** Lines with every layer off that lies round all of them. */
export function unwrap(raw: readonly RawLine[]): Layered[] {
  let lines = raw.map(cleaned);
  if (isQuotedPrintable(lines) && !eachPrefixed(lines)) lines = undoQuotedPrintable(lines);
  else if (keepsEscapes(lines)) for (const l of lines) fix(l, "unescaped", l.text.replaceAll("=3D", "="));
  if (lines.some((l) => l.text.includes("&"))) for (const l of lines) fix(l, "unescaped", entities(l.text));
  // journalctl -o json-sse
  for (const l of lines) if (l.text.startsWith('data: {"')) l.text = l.text.slice(6);
  for (const l of lines) {
    const inner = stripQuote(l.text);
    if (inner !== undefined) fix(l, "unquoted", inner);
  }
  undoBackticks(lines);
  undoIndent(lines);
  for (const l of lines) l.columns = l.text.length;
  return lines;
}

function fix(line: Layered, repair: LineRepair, text: string): void {
  if (text === line.text) return;
  line.text = text;
  if (!line.repairs.includes(repair)) line.repairs.push(repair);
}

// --- one line alone ---------------------------------------------------------------------------------------------------------------

const escapeSequence = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_c])/g;

function cleaned(raw: RawLine): Layered {
  const line: Layered = { line: raw.line, raw: raw.text, text: withoutReturns(raw.text), columns: 0, repairs: [] };
  if (raw.cutBytes > 0) line.repairs.push("cut");
  const { text } = line;
  if (text.includes("\u0000")) fix(line, "nul bytes", text.replaceAll("\u0000", ""));
  if (text.includes("\u001b")) fix(line, "terminal codes", line.text.replace(escapeSequence, ""));
  if (text.includes("\ufffd")) line.repairs.push("invalid utf-8");
  if (text.includes("\u00d7")) fix(line, "times sign", line.text.replace(/0\u00d7(?=[0-9a-fA-F]|$)/g, "0x"));
  if (text.includes("#01")) fix(line, "unescaped", unescapeOctal(line.text));
  // Pages that set code as prose part what belongs together: func + 0x18/0x38.
  if (text.includes(" + 0x"))
    fix(line, "unescaped", line.text.replace(/(?<=\w) \+ (?=0x[0-9a-f]{1,6}\/0x[0-9a-f])/g, "+"));
  // The crash utility's summary quotes the last words of the kernel.
  if (text.includes(' PANIC: "')) line.text = line.text.replace(/^ {0,20}PANIC: "([^"]{1,400})".*$/, "$1");
  if (text.charCodeAt(0) === 0xfeff || text.charCodeAt(0) === 0x1e) line.text = line.text.slice(1);
  return line;
}

/** A carriage return at the end of a line is the transport's. */
export function withoutReturns(text: string): string {
  let end = text.length;
  while (text[end - 1] === "\r") end--;
  return end === text.length ? text : text.slice(0, end);
}

/** rsyslog writes control characters as # and three octal digits. A number like "bug #0123" looks the same: a digit behind #012 is taken
 *  for the next line's beginning ("#0124194174 pages RAM") only in a line that has several undoubted #012. */
function unescapeOctal(text: string): string {
  const sure = (text.match(/#012(?!\d)/g)?.length ?? 0) >= 2;
  return text.replace(sure ? /#0(1[0-7]|33)/g : /#0(1[0-7]|33)(?!\d)/g, (_, code: string) =>
    code === "12" ? "\n" : code === "11" ? "\t" : "",
  );
}

const named: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " ", amp: "&" };

/** `&lt;IRQ&gt;` as a page's source has it, also escaped twice. */
function entities(text: string): string {
  if (!text.includes(";")) return text;
  let out = text;
  for (let round = 0; round < 2 && out.includes("&"); round++) {
    out = out.replace(/&(?:(lt|gt|quot|apos|nbsp|amp)|#(\d{1,6})|#[xX]([0-9a-fA-F]{1,5}));/g, (all, name, ten, hex) => {
      if (name !== undefined) return named[name as string] ?? all;
      const code = ten === undefined ? Number.parseInt(hex as string, 16) : Number(ten);
      return code >= 32 && code < 0x110000 && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : "";
    });
  }
  return out;
}

// --- all lines together -------------------------------------------------------------------------------------------------------------

/** `=` ends many lines and `=3D` stands for it: a mail's quoted-printable. */
function isQuotedPrintable(lines: readonly { readonly text: string }[]): boolean {
  let [soft, codes] = [0, 0];
  for (const { text } of lines) {
    if (text.endsWith("=")) soft++;
    if (text.includes("=3D")) codes++;
    if (soft > 0 && codes > 0 && soft + codes > 3) return true;
  }
  return false;
}

/** Where soft breaks stood, the next line begins like the one before: both have a prefix, and the breaks are older than that. */
function eachPrefixed(lines: readonly Layered[]): boolean {
  let [alike, soft] = [0, 0];
  const begin = (l: Layered): string => l.text.slice(0, 8).replace(/\d/g, "0");
  lines.forEach((line, i) => {
    const next = lines[i + 1];
    if (next === undefined || !line.text.endsWith("=")) return;
    soft++;
    if (begin(line) === begin(next) && begin(line).trim() !== "") alike++;
  });
  return soft > 0 && alike * 5 >= soft * 4;
}

const pair = /\b(?:gfp|gfp_mask|nodemask|cpuset|mems_allowed|order|oom_score_adj|constraint)=(?:(3D)|(?=\S))/g;

/** The line ends were mended on the way and `=3D` was left: none of the kernel's pairs has a plain `=`. */
function keepsEscapes(lines: readonly Layered[]): boolean {
  let escaped = 0;
  for (const { text } of lines) {
    if (!text.includes("=")) continue;
    for (const m of text.matchAll(pair)) {
      if (m[1] === undefined) return false;
      escaped++;
    }
  }
  return escaped >= 2;
}

function undoQuotedPrintable(lines: readonly Layered[]): Layered[] {
  const out: Layered[] = [];
  let open: Layered | undefined;
  for (const line of lines) {
    const soft = line.text.endsWith("=");
    const text = soft ? line.text.slice(0, -1) : line.text;
    if (open === undefined) {
      open = { ...line, text, repairs: [...line.repairs] };
      out.push(open);
    } else {
      out[out.length - 1] = open = {
        ...open,
        raw: `${open.raw}\n${line.raw}`,
        text: open.text + text,
        repairs: [...new Set([...open.repairs, ...line.repairs, "rejoined" as const])],
      };
    }
    if (!soft) open = undefined;
  }
  for (const line of out) fix(line, "unescaped", decodedQuotedPrintable(line.text));
  return out;
}

const bytesToText = new TextDecoder();

const decodedQuotedPrintable = (text: string): string =>
  text.replace(/(?:=[0-9A-F]{2})+/g, (codes) =>
    bytesToText.decode(Uint8Array.from(codes.slice(1).split("="), (c) => Number.parseInt(c, 16))),
  );

/** Markdown: each line in backticks of its own. */
function undoBackticks(lines: readonly Layered[]): void {
  const own = lines.filter((l) => /^\s{0,8}`[^`]+`[\s\\]{0,4}$/.test(l.text));
  if ((own.length < 2 && lines.length > 1) || own.length * 2 < lines.length) undoFence(lines);
  else for (const l of own) l.text = l.text.slice(l.text.indexOf("`") + 1, l.text.lastIndexOf("`"));
}

/** Markdown: a kernel's line, or a run of lines, between a pair of backticks that stand on the lines themselves. */
function undoFence(lines: readonly Layered[]): void {
  let fence = "";
  let left = 0;
  for (const l of lines) {
    const opens = /^\s{0,8}(`{1,3})(?=[^`\s])/.exec(l.text);
    const inside = opens === null ? "" : l.text.slice(opens[0].length);
    if (opens?.[1] !== undefined && (isKernelLine(inside) || hasStamp(inside))) {
      [fence, left] = [opens[1], longestFence];
      l.text = inside;
    }
    if (fence === "") continue;
    const closes = /[^`](`{1,3})[\s\\]{0,4}$/.exec(l.text);
    if (closes?.[1] === fence) l.text = l.text.slice(0, closes.index + 1);
    if (closes?.[1] === fence || l.text.trim() === fence || left-- === 0) fence = "";
  }
}

/** Lines of the longest report that somebody puts between backticks. */
const longestFence = 2000;

const hasStamp = (text: string): boolean => stripPrefix(text).text.length < text.length;

function undoIndent(lines: readonly Layered[]): void {
  const begins = (trimmed: string): boolean => isKernelLine(trimmed) || hasStamp(trimmed) || trimmed.startsWith('{"');
  if (!lines.some((l) => /^\s/.test(l.text))) return;
  const own = indents(
    lines.map((l) => l.text),
    begins,
  );
  lines.forEach((l, i) => {
    const indent = own[i]!;
    if (indent !== "") l.text = l.text.slice(indent.length);
  });
}

/** A layer round most of the lines, under prefixes that are off already; undefined when there is none. */
export function innerLayer(
  texts: readonly string[],
): { readonly texts: readonly string[]; readonly repair?: LineRepair } | undefined {
  const filled = texts.filter((t) => t !== "").length;
  const most = (n: number): boolean => n > 1 && n * 2 >= filled;
  const quoted = texts.filter((t) => t[0] === ">" || t[0] === "|");
  if (most(quoted.length) && most(quoted.filter((t) => stripQuote(t) !== undefined).length))
    return { texts: texts.map((t) => stripQuote(t) ?? t), repair: "unquoted" };
  const own = (t: string): string | undefined => (t[0] === ">" ? stripQuote(t) : undefined);
  if (quoted.some((t) => isKernelLine(own(t) ?? "")))
    return { texts: texts.map((t) => (isKernelLine(own(t) ?? "") ? own(t)! : t)), repair: "unquoted" };
  if (isQuotedPrintable(texts.map((text) => ({ text }))))
    return {
      texts: texts.map((t) => decodedQuotedPrintable(t.endsWith("=") ? t.slice(0, -1) : t)),
      repair: "unescaped",
    };
  if (!texts.some((t) => (t[0] === " " || t[0] === "\t") && isKernelLine(t.trimStart()))) return undefined;
  const blanks = indents(texts, isKernelLine);
  return { texts: texts.map((t, i) => t.slice(blanks[i]!.length)) };
}
