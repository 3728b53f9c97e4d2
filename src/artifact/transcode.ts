// Texts whose lines are not lines of a log yet: UTF-16 (PowerShell writes it), mail in base64, and records of several lines (journalctl -o
// export, verbose, json-pretty; dmesg --json; rsyslog's RSYSLOG_DebugFormat). Each record becomes one JSON line as journalctl -o json writes it
// (log/json_line.ts reads that), and it is known which input line it came from.
import type { ByteSource } from "../base/byte_source.ts";
import { sourceOf } from "../base/byte_source.ts";
import { Base64Lines, isBase64Mail } from "./mail_base64.ts";

/** A source turned into plain UTF-8 lines. */
export interface Transcoded {
  readonly source: ByteSource;
  /** What it was, for people. */
  readonly form: string;
  /** The input line that line `n` of the new source begins at; both count from 1. */
  lineOf(n: number): number;
}

/** A source of another form than plain lines as plain lines; undefined for plain ones. `head` is its beginning, `whole` begins with it. */
export function transcode(head: Uint8Array, whole: ByteSource): Transcoded | undefined {
  const wide = utf16Of(head);
  if (wide !== undefined) {
    const text = new TextDecoder(wide, { fatal: false });
    const inner = recoded(whole, text);
    return {
      source: inner,
      form: wide === "utf-16le" ? "UTF-16 (little endian)" : "UTF-16 (big endian)",
      lineOf: (n) => n,
    };
  }
  const beginning = new TextDecoder().decode(head.subarray(0, 16_384));
  if (isBase64Mail(beginning)) return unpackedMail(whole, beginning);
  const form = mayBeBlocks(head) ? blockFormOf(beginning) : undefined;
  return form === undefined ? undefined : joinedRecords(whole, form);
}

// --- UTF-16 -----------------------------------------------------------------------------------------------------------------------

function utf16Of(head: Uint8Array): "utf-16le" | "utf-16be" | undefined {
  if (head[0] === 0xff && head[1] === 0xfe) return "utf-16le";
  if (head[0] === 0xfe && head[1] === 0xff) return "utf-16be";
  const n = Math.min(head.length, 2000) & ~1;
  if (n < 32) return undefined;
  let [even, odd] = [0, 0];
  for (let i = 0; i < n; i += 2) {
    if (head[i] === 0) even++;
    if (head[i + 1] === 0) odd++;
  }
  // Nearly every second byte of such a text is 0, and no other byte is.
  if (odd * 2 > n * 0.9 && even === 0) return "utf-16le";
  return even * 2 > n * 0.9 && odd === 0 ? "utf-16be" : undefined;
}

function recoded(source: ByteSource, decoder: InstanceType<typeof TextDecoder>): ByteSource {
  const encoder = new TextEncoder();
  async function* chunks(): AsyncGenerator<Uint8Array> {
    const buffer = new Uint8Array(65_536);
    for (;;) {
      const n = await source.read(buffer);
      const text = n === 0 ? decoder.decode() : decoder.decode(buffer.subarray(0, n), { stream: true });
      if (text !== "") yield encoder.encode(text);
      if (n === 0) return;
    }
  }
  return { ...source, ...sourceOf(source.name, chunks()) };
}

// --- records of several lines -------------------------------------------------------------------------------------------------------

type BlockForm = "journal export" | "journal verbose" | "JSON over several lines" | "rsyslog's debug format";

const verboseHead = /^\w{3} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ [\w+:-]{1,9} \[s=[0-9a-f]+;/;

const debugHead = "Debug line with all properties:";

/** The first byte that is no blank can begin such a record: `_`, `{`, `[`, a weekday or rsyslog's `Debug line`. */
function mayBeBlocks(head: Uint8Array): boolean {
  const at = head.findIndex((b) => b !== 32 && b !== 10 && b !== 13 && b !== 9);
  const byte = head[at] ?? 0;
  if (byte === 0x5f || byte === 0x7b || byte === 0x5b || byte === 0xef) return true;
  // `Wed 2026-…`: a letter's word of three, a blank and a digit.
  const digit = head[at + 4] ?? 0;
  return (head[at + 3] === 32 && digit >= 48 && digit <= 57) || byte === 0x44;
}

function blockFormOf(text: string): BlockForm | undefined {
  const lines = text.split("\n", 200).map((l) => (l.endsWith("\r") ? l.slice(0, -1) : l));
  const first = lines.find((l) => l.trim() !== "") ?? "";
  if (/^__(?:CURSOR|REALTIME_TIMESTAMP)=/.test(first)) return "journal export";
  if (first === debugHead) return "rsyslog's debug format";
  if (verboseHead.test(first) && lines.some((l) => /^ {4}[A-Z_]+=/.test(l))) return "journal verbose";
  const opened = /^\s*(?:\[\s*)?\{\s*$/.test(first) || first.trim() === "[";
  return opened && lines.some((l) => /^\s*"(?:MESSAGE|msg|message|log|textPayload)"\s*:/.test(l))
    ? "JSON over several lines"
    : undefined;
}

/** Longest line and longest record that are kept. */
const MOST = 1 << 18;

/** Input lines at which the lines of a new source begin. */
class Origins {
  private starts = new Uint32Array(1024);
  private count = 0;

  add(line: number): void {
    if (this.count === this.starts.length) {
      const wider = new Uint32Array(this.starts.length * 2);
      wider.set(this.starts);
      this.starts = wider;
    }
    this.starts[this.count++] = line;
  }

  readonly lineOf = (n: number): number => this.starts[Math.max(0, Math.min(n, this.count) - 1)] ?? n;
}

function readerOf(form: BlockForm): JsonRecords | FieldRecords | DebugRecords {
  if (form === "JSON over several lines") return new JsonRecords();
  return form === "rsyslog's debug format" ? new DebugRecords() : new FieldRecords(form === "journal verbose");
}

function joinedRecords(source: ByteSource, form: BlockForm): Transcoded {
  const origins = new Origins();
  const encoder = new TextEncoder();
  const emit = ({ fields, line }: FoundRecord): Uint8Array => {
    origins.add(line);
    return encoder.encode(`${JSON.stringify(fields)}\n`);
  };
  async function* chunks(): AsyncGenerator<Uint8Array> {
    const reader = readerOf(form);
    let number = 0;
    for await (const line of linesOf(source)) {
      number++;
      const record = reader.take(line, number);
      if (record !== undefined) yield emit(record);
    }
    const last = reader.finish();
    if (last !== undefined) yield emit(last);
  }
  return { source: { ...source, ...sourceOf(source.name, chunks()) }, form, lineOf: origins.lineOf };
}

function unpackedMail(source: ByteSource, head: string): Transcoded {
  const origins = new Origins();
  const encoder = new TextEncoder();
  async function* chunks(): AsyncGenerator<Uint8Array> {
    const reader = new Base64Lines(head);
    let number = 0;
    const emit = ({ text, line }: { readonly text: string; readonly line: number }): Uint8Array => {
      origins.add(line);
      return encoder.encode(`${text}\n`);
    };
    for await (const line of linesOf(source)) for (const out of reader.take(line, ++number)) yield emit(out);
    for (const out of reader.finish()) yield emit(out);
  }
  return {
    source: { ...source, ...sourceOf(source.name, chunks()) },
    form: "mail packed in base64",
    lineOf: origins.lineOf,
  };
}

async function* linesOf(source: ByteSource): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65_536);
  let rest = "";
  for (;;) {
    const n = await source.read(buffer);
    const text = rest + (n === 0 ? decoder.decode() : decoder.decode(buffer.subarray(0, n), { stream: true }));
    const lines = text.split("\n");
    rest = (lines.pop() ?? "").slice(0, MOST);
    for (const line of lines) yield line.endsWith("\r") ? line.slice(0, -1) : line;
    if (n > 0) continue;
    if (rest !== "") yield rest;
    return;
  }
}

interface FoundRecord {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly line: number;
}

/** `KEY=value`, one a line; a record ends at an empty line (export) or where the next head stands (verbose). */
class FieldRecords {
  private readonly verbose: boolean;
  private fields: Record<string, string> = {};
  private line = 0;
  /** The key whose value goes on over further lines. */
  private open: string | undefined;

  constructor(verbose: boolean) {
    this.verbose = verbose;
  }

  take(line: string, number: number): FoundRecord | undefined {
    const head = this.verbose ? verboseHead.test(line) : line === "";
    const done = head ? this.finish() : undefined;
    if (head) {
      if (this.verbose) this.fields.time = line.slice(0, line.indexOf(" ["));
      this.line = number;
      return done;
    }
    const field = (this.verbose ? /^ {4}([A-Z_0-9]{1,64})=(.*)$/ : /^([A-Z_0-9]{1,64})=(.*)$/).exec(line);
    if (this.line === 0) this.line = number;
    if (field?.[1] !== undefined) {
      this.open = field[1];
      this.fields[field[1]] = field[2] ?? "";
      // The line of the message itself is the one to show.
      if (field[1] === "MESSAGE") this.line = number;
    } else if (this.open !== undefined && (this.fields[this.open]?.length ?? 0) < MOST)
      this.fields[this.open] += `\n${this.verbose ? line.trimStart() : line}`;
    return undefined;
  }

  finish(): FoundRecord | undefined {
    const { fields, line } = this;
    this.fields = {};
    this.open = undefined;
    this.line = 0;
    return fields.MESSAGE === undefined ? undefined : { fields, line };
  }
}

/** What rsyslog's RSYSLOG_DebugFormat (rsyslog 8.2302) writes of each message: all properties, several a line. */
class DebugRecords {
  private fields: Record<string, string> = {};
  private line = 0;
  private inMessage = false;

  take(line: string, number: number): FoundRecord | undefined {
    if (line === debugHead) return this.finish();
    if (line.startsWith("msg: '")) {
      this.line = number;
      this.inMessage = true;
      this.fields.MESSAGE = line.slice(6);
    } else if (line.startsWith("escaped msg: '")) this.inMessage = false;
    else if (this.inMessage) {
      if ((this.fields.MESSAGE?.length ?? 0) < MOST) this.fields.MESSAGE += `\n${line}`;
    } else this.takeProperties(line);
    return undefined;
  }

  private takeProperties(line: string): void {
    const host = /(?:^|, )HOSTNAME: '([^']{1,255})'/.exec(line)?.[1];
    if (host !== undefined) this.fields._HOSTNAME = host;
    const pri = /, PRI: (\d{1,3}),$/.exec(line)?.[1];
    if (pri !== undefined) this.fields.PRIORITY = String(Number(pri) & 7);
    const name = /, programname: '([^']{1,255})'/.exec(line)?.[1];
    if (name !== undefined) this.fields.SYSLOG_IDENTIFIER = name;
    const time = /^TIMESTAMP: '([^']{1,64})'/.exec(line)?.[1];
    if (time !== undefined) this.fields.time = time;
  }

  finish(): FoundRecord | undefined {
    const { fields, line } = this;
    this.fields = {};
    this.line = 0;
    this.inMessage = false;
    const said = fields.MESSAGE;
    if (said === undefined) return undefined;
    // The blank behind the tag's colon is part of rsyslog's msg.
    const text = said.endsWith("'") ? said.slice(0, -1) : said;
    return { fields: { ...fields, MESSAGE: text.startsWith(" ") ? text.slice(1) : text }, line };
  }
}

/** dmesg -J of a file whose lines have priorities (-F; util-linux 2.38.1): each message runs on to the end of the file, the next ones in it. */
const withoutNext = (fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
  const { msg, pri } = fields;
  const next = typeof msg === "string" && pri !== undefined ? msg.search(/\n<\d{1,3}>(?:\[|$)/) : -1;
  return next < 0 ? fields : { ...fields, msg: (msg as string).slice(0, next) };
};

/** Objects whose members stand on lines of their own; what they stand in does not matter. */
class JsonRecords {
  private fields: Record<string, unknown> = {};
  private line = 0;
  private list: number[] | undefined;

  take(line: string, number: number): FoundRecord | undefined {
    const text = line.trim();
    // A list of numbers is a message with bytes that are no text; a list of anything else holds the records (dmesg --json).
    if (this.list?.length === 0 && !/^[\d,\s]+$|^\]/.test(text)) this.list = undefined;
    if (this.list !== undefined) {
      for (const n of text.match(/\d{1,3}/g) ?? []) if (this.list.length < MOST) this.list.push(Number(n));
      if (text.startsWith("]")) this.list = undefined;
      return undefined;
    }
    const member = /^"([\w@]{1,64})"\s*:\s*(\S.*)$/.exec(text);
    if (member?.[1] !== undefined) {
      const value = member[2]!.endsWith(",") ? member[2]!.slice(0, -1) : member[2]!;
      if (value === "[") {
        this.list = [];
        this.fields[member[1]] = this.list;
      } else this.fields[member[1]] = jsonValue(value);
      if (/^(?:MESSAGE|msg|message|log|textPayload)$/.test(member[1])) this.line = number;
      return undefined;
    }
    return text.startsWith("}") ? this.finish() : undefined;
  }

  finish(): FoundRecord | undefined {
    const { fields, line } = this;
    this.fields = {};
    this.line = 0;
    return line === 0 ? undefined : { fields: withoutNext(fields), line };
  }
}

function jsonValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
