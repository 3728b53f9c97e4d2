// From inputs to what diagnosis works on: what each input is, the windows of its log, the /proc texts found in it, and every note. The
// inputs come as byte sources (cli/input opens them); nothing here touches a file. Memory is bounded whatever the inputs are.
import type { ByteSource } from "../base/byte_source.ts";
import { readFully, readHead, withHead } from "../base/byte_source.ts";
import { callable, given, made, object, type Shape, text } from "../base/given.ts";
import type { LogNote, LogWindow } from "../kernel/readings/log_line.ts";
import type { OwnedPages } from "../kernel/readings/owned_pages.ts";
import { findReadings, tableFollower } from "./embedded.ts";
import type { Certainty, Identification, InputKind } from "./identify.ts";
import { HEAD_BYTES, identify } from "./identify.ts";
import { headlineKind } from "./log/incidents/headline.ts";
import { readIncidents } from "./log/incidents/read_incidents.ts";
import type { LineShapes } from "./log/line_shapes.ts";
import { repairNotes, repairText, repairWindow } from "./log/lines.ts";
import { remainsOf } from "./log/remains.ts";
import type { RawWindow, ScanLimits } from "./log/scan.ts";
import { scanLog } from "./log/scan.ts";
import { createOwnedPages } from "./page_owner/owned.ts";
import type { FoundReading } from "./reader.ts";
import { textReaders } from "./readers.ts";
import type { Transcoded } from "./transcode.ts";
import { transcode } from "./transcode.ts";

/** An input, or a sentence about one that could not be opened. */
export type InputItem =
  | {
      readonly source: ByteSource;
      /** True when the user named it; false for members of a directory or an archive, whose emptiness is not worth a note. */
      readonly named: boolean;
    }
  | { readonly name: string; readonly sentence: string };

/** What an input was. */
export interface GatheredInput {
  readonly name: string;
  readonly kind: InputKind;
  readonly certainty: Certainty;
  readonly because: string;
  /** Other kinds that its beginning allows. */
  readonly alternatives: readonly Identification[];
  readonly bytes: number;
  readonly lines: number;
  /** Of a page_owner dump: which pages it lists. */
  readonly owned?: OwnedPages;
}

/** A window and the input it is from. */
export interface GatheredWindow {
  readonly input: string;
  readonly window: LogWindow;
}

export interface GatheredReading extends FoundReading {
  readonly input: string;
}

/** A note about an input; without a line it is about all of it. */
export interface InputNote {
  readonly input: string;
  readonly line?: number;
  readonly sentence: string;
  /** The input, or what follows in it, was not read: what it holds is not known. */
  readonly unread?: true;
}

export interface Gathered {
  readonly inputs: readonly GatheredInput[];
  /** Empty when the caller took them as they came (onWindow). */
  readonly windows: readonly GatheredWindow[];
  readonly readings: readonly GatheredReading[];
  readonly notes: readonly InputNote[];
}

export interface GatherOptions {
  /** Takes each window as it is found, so that a log full of reports needs no memory. Without it windows are kept, up to `keptChars`. */
  readonly onWindow?: (found: GatheredWindow) => void;
  /** Takes out of a window what need not be read (log/report_sieve.ts), and the sieve's shapes; asked for only where windows are many. */
  readonly sieve?: {
    readonly shapes: () => LineShapes;
    readonly sift: (input: string, window: RawWindow) => RawWindow;
  };
  /** Characters of log kept when there is no onWindow. */
  readonly keptChars?: number;
  readonly limits?: Partial<ScanLimits>;
  /** Called now and then with the input's name and the bytes of it that were seen. */
  readonly progress?: (input: string, bytes: number) => void;
}

const KEPT_CHARS = 40_000_000;
const MOST_READINGS = 20_000;
/** What is noted of an input without a byte. */
export const emptySentence = "It is empty.";
/** What is noted of a text in which nothing looks like a kernel's. */
export const foreignSentence =
  "No line of it has a log's time stamp or begins like a line that a kernel prints: nothing was read from it.";
export const forbiddenSentence =
  "dmesg was not allowed to read the kernel's log. Run it as root (sudo dmesg | skblab diagnose -), or take journalctl -k.";
/** Readings whose lines are kept. */
const QUOTED_READINGS = 2000;
const MOST_NOTES = 10_000;
/** Text of a known kind up to this size is read as a whole. */
const WHOLE_BYTES = 1 << 18;

const readable: Shape<ByteSource> = made("sourceOf()", { name: text, read: callable() });

/** Reads every input to its end. */
export async function gather(
  items: AsyncIterable<InputItem> | Iterable<InputItem>,
  options: GatherOptions = {},
): Promise<Gathered> {
  const gatherer = new Gatherer(options);
  for await (const item of items) {
    given("gather(): an item", item, object());
    if ("source" in item) {
      given("gather(): the source of an item", item.source, readable);
      await gatherer.take(item.source, item.named);
    } else gatherer.note(item.name, { sentence: item.sentence, unread: true });
  }
  return gatherer.result();
}

/** Room for a head that nobody uses: of a hundred thousand small files each would leave its own behind. */
let spareHead: Uint8Array | undefined;

/** The number in its file of the nth line that was read. */
type LineOf = (n: number) => number;

/** Where lines are not numbered from 1 as they are read: a text that was transcoded, the later part of a file. */
function lineOfInput({ linesBefore = 0 }: ByteSource, other: Transcoded | undefined): LineOf | undefined {
  if (other !== undefined) return (n) => linesBefore + other.lineOf(n);
  return linesBefore === 0 ? undefined : (n) => linesBefore + n;
}

/** The same source; `hears` is given every byte that is read of it. */
const heard = (source: ByteSource, hears: (bytes: Uint8Array) => void): ByteSource => ({
  ...source,
  async read(into) {
    const n = await source.read(into);
    hears(into.subarray(0, n));
    return n;
  },
});

/** A window with the line numbers of its file. */
const renumbered = (raw: RawWindow, lineOf: LineOf): RawWindow => ({
  ...raw,
  lines: raw.lines.map((l) => ({ ...l, line: lineOf(l.line) })),
  anchors: raw.anchors.map((a) => ({ ...a, line: lineOf(a.line) })),
});

class Gatherer {
  private readonly options: GatherOptions;
  private readonly inputs: GatheredInput[] = [];
  private readonly windows: GatheredWindow[] = [];
  private readonly readings: GatheredReading[] = [];
  private readonly notes: InputNote[] = [];
  private kept = 0;
  private dropped = 0;

  constructor(options: GatherOptions) {
    this.options = options;
  }

  note(input: string, note: Omit<InputNote, "input">): void {
    if (this.notes.length < MOST_NOTES) this.notes.push({ input, ...note });
    else if (this.notes.length === MOST_NOTES)
      this.notes.push({ input, sentence: "More notes than these were left out." });
  }

  async take(source: ByteSource, named: boolean): Promise<void> {
    const room = spareHead ?? new Uint8Array(HEAD_BYTES);
    spareHead = undefined;
    await this.takeBy(room, source, named);
    spareHead = room;
  }

  private async takeBy(room: Uint8Array, source: ByteSource, named: boolean): Promise<void> {
    const packed = room.subarray(0, await readFully(source, room));
    const other = transcode(packed, withHead(packed, source));
    const beginning = other === undefined ? packed : await readHead(other.source, HEAD_BYTES);
    const [what, ...alternatives] = identify(beginning);
    const { kind, certainty, because } = what!;
    const known = textReaders.some((r) => r.kind === kind);
    const owned = kind === "page_owner" ? createOwnedPages() : undefined;
    const all = withHead(beginning, other?.source ?? source);
    const whole = owned === undefined ? all : heard(all, owned.push);
    const lineOf = lineOfInput(source, other);
    const head = known && beginning.length === HEAD_BYTES ? await readHead(whole, WHOLE_BYTES) : beginning;
    let [bytes, lines] = [head.length, 0];
    if (kind === "empty" || kind === "binary") {
      // Nothing came out of a damaged pack: that is said below, and it is not an empty file.
      const empty = kind === "empty" && source.problem?.() === undefined ? emptySentence : undefined;
      const sentence = kind === "empty" ? empty : `It is not text: ${because}`;
      if (named && sentence !== undefined)
        this.note(source.name, { sentence, ...(kind === "binary" ? { unread: true } : {}) });
      bytes += kind === "binary" ? await this.drain(source) : 0;
    } else if (known && certainty !== "possible" && head.length < WHOLE_BYTES) {
      lines = this.readWhole(source.name, new TextDecoder().decode(head), lineOf);
    } else {
      const small = beginning.length < HEAD_BYTES;
      const summary = await this.scan(head === beginning ? whole : withHead(head, whole), lineOf, other?.form, small);
      ({ bytes, lines } = summary);
      // Where a report was found in a log's windows the rest of it is no remains of one.
      const found =
        small &&
        ((summary.report && kind !== "text") ||
          this.lookThrough(source.name, new TextDecoder().decode(beginning), kind, summary.windows, lineOf));
      if (kind === "text" && named && !found && bytes < HEAD_BYTES && source.problem?.() === undefined) {
        const start = new TextDecoder().decode(head.subarray(0, 200));
        const forbidden = /^dmesg: .{0,40}(?:read kernel buffer failed|klogctl)/.test(start);
        this.note(
          source.name,
          forbidden ? { sentence: forbiddenSentence, unread: true } : { sentence: foreignSentence },
        );
      }
    }
    const problem = source.problem?.();
    if (problem !== undefined) this.note(source.name, { sentence: problem, unread: true });
    this.inputs.push({
      name: source.name,
      kind,
      certainty,
      because,
      alternatives,
      bytes,
      lines,
      ...(owned === undefined ? {} : { owned: owned.finish() }),
    });
  }

  result(): Gathered {
    if (this.dropped > 0) {
      this.note(this.windows.at(-1)?.input ?? "", {
        sentence: `${this.dropped} stretches of log after the first ${this.windows.length} were found but not kept.`,
      });
    }
    return { inputs: this.inputs, windows: this.windows, readings: this.readings, notes: this.notes };
  }

  /** The rest of an input nobody reads: only so much that a pipe's writer is not cut off at once. */
  private async drain(source: ByteSource): Promise<number> {
    const scratch = new Uint8Array(65_536);
    let total = 0;
    while (total < 1 << 20) {
      const n = await source.read(scratch);
      if (n === 0) break;
      total += n;
    }
    return total;
  }

  private readWhole(input: string, text: string, lineOf: LineOf | undefined): number {
    const lines = repairText(text, lineOf);
    for (const note of repairNotes(lines)) this.note(input, note);
    this.found(input, findReadings(lines));
    return lines.at(-1)?.line ?? 0;
  }

  private async scan(
    source: ByteSource,
    lineOf: LineOf | undefined,
    form: string | undefined,
    small: boolean,
  ): Promise<{ bytes: number; lines: number; windows: number; report: boolean }> {
    let report = false;
    const input = source.name;
    const { limits, progress } = this.options;
    // Lines that count otherwise are not told apart by where they stand.
    const sieve = lineOf === undefined ? this.options.sieve : undefined;
    const summary = await scanLog(
      source,
      (found) => {
        const read = sieve === undefined ? found : sieve.sift(input, found);
        if (read.taken === undefined && read.lines.length === 0) return;
        const raw = lineOf === undefined ? read : renumbered(read, lineOf);
        const { windows, lines, notes } = repairWindow(raw);
        for (const note of notes) this.note(input, note);
        for (const window of windows) this.window(input, window);
        this.found(input, findReadings(lines));
        report ||= small && lines.some((l) => headlineKind(l.text) !== undefined);
      },
      {
        follow: tableFollower(),
        ...(sieve === undefined ? {} : { shapes: sieve.shapes }),
        ...(limits === undefined ? {} : { limits }),
        ...(progress === undefined ? {} : { progress: (bytes) => progress(input, bytes) }),
      },
    );
    for (const note of summary.notes)
      this.note(input, lineOf === undefined ? note : { ...note, line: lineOf(note.line) });
    if (form !== undefined) this.note(input, { sentence: `It is ${form}: it was read as plain lines.` });
    return { ...summary, report };
  }

  /**
   * Looks through a small text line by line, in which `windows` were found by words: not every table has such a word, a break may go through
   * it, and of a report only the rest may be there. False where nothing was found.
   */
  private lookThrough(
    input: string,
    text: string,
    kind: InputKind,
    windows: number,
    lineOf: LineOf = (n) => n,
  ): boolean {
    const told = (): boolean => this.readings.some((r) => r.input === input);
    if (windows > 0 && told()) return true;
    const raw = text.split("\n").map((t, i) => ({ line: lineOf(i + 1), text: t, cutBytes: 0 }));
    if (raw.at(-1)?.text === "") raw.pop();
    const small = repairWindow({ lines: raw, anchors: [], cut: false });
    const report =
      small.lines.some((l) => headlineKind(l.text) !== undefined) ||
      small.windows.some((w) => readIncidents(w.lines).incidents.length > 0);
    // Words of a report were found, and none can be read: a panic's last line, or registers without what they are of.
    const remains = report ? undefined : remainsOf(small.lines);
    if (windows > 0 && kind !== "text") {
      if (remains !== undefined) this.note(input, remains);
      return true;
    }
    const mended = windows === 0 && small.lines.some((l) => l.repairs?.includes("rejoined") === true);
    if (mended) {
      for (const note of small.notes) this.note(input, note);
      for (const window of small.windows) this.window(input, window);
    }
    if (kind === "text" && !told()) this.found(input, findReadings(small.lines));
    if (told() || (mended && report)) return true;
    if (remains !== undefined) this.note(input, remains);
    return remains !== undefined;
  }

  private window(input: string, window: LogWindow): void {
    if (this.options.onWindow !== undefined) {
      this.options.onWindow({ input, window });
      return;
    }
    const chars = window.lines.reduce((sum, l) => sum + l.raw.length + l.text.length, 0);
    if (this.kept + chars > (this.options.keptChars ?? KEPT_CHARS)) {
      this.dropped++;
      return;
    }
    this.kept += chars;
    this.windows.push({ input, window });
  }

  private found(input: string, readings: readonly FoundReading[]): void {
    for (const reading of readings) {
      if (this.readings.length < MOST_READINGS) {
        this.readings.push({ input, ...reading });
        // Of a log that repeats its tables every few seconds the last ones are judged, and quoted.
        const old = this.readings.length - 1 - QUOTED_READINGS;
        if (old >= 0) this.readings[old] = { ...this.readings[old]!, lines: [] };
      }
      for (const note of reading.notes as readonly LogNote[]) this.note(input, note);
    }
  }
}
