// Cuts the interesting stretches out of a log of any size, in one pass and bounded memory: anchors are searched in the raw bytes
// (base/bytes_search.ts); only the lines around them ever become strings. Repair of those lines is lines.ts.
import type { ByteSource } from "../../base/byte_source.ts";
import { lineStart, NEWLINE, utf8 } from "../../base/bytes.ts";
import type { ByteSearch, Filter, Place } from "../../base/bytes_search.ts";
import { byteSearch } from "../../base/bytes_search.ts";
import type { LogNote } from "../../kernel/readings/log_line.ts";
import { anchorPlaces } from "./anchor_places.ts";
import { type Anchor, anchors } from "./anchors.ts";
import type { LineShapes } from "./line_shapes.ts";
import type { RawLine, RawLines } from "./raw_lines.ts";
import { TakenLines } from "./taken_lines.ts";

/** Raw lines around anchors; those of a log full of reports are made when they are asked for. */
export interface RawWindow extends RawLines {
  /** Of a log full of reports: which of the lines are alike. */
  readonly taken?: TakenLines;
}

/** What holds for the whole input. */
export interface ScanSummary {
  readonly bytes: number;
  readonly lines: number;
  readonly windows: number;
  readonly notes: readonly LogNote[];
}

/** Bounds of one scan; memory is about chunkBytes + lineBytes + keepBytes plus the open window. */
export interface ScanLimits {
  /** Bytes read at once. */
  readonly chunkBytes: number;
  /** Bytes kept for the lines above an anchor. */
  readonly keepBytes: number;
  /** A longer line is cut, with a note. */
  readonly lineBytes: number;
  /** From here on a window ends before the next report's first line. */
  readonly softLines: number;
  /** Here a window ends in any case, with a note. */
  readonly windowLines: number;
  readonly windowChars: number;
}

const scanLimits: ScanLimits = {
  chunkBytes: 1 << 18,
  keepBytes: 1 << 15,
  lineBytes: 1 << 18,
  softLines: 4000,
  windowLines: 20_000,
  windowChars: 8_000_000,
};

export interface ScanOptions {
  readonly limits?: Partial<ScanLimits>;
  readonly filter?: Filter;
  /** True when this line, taken into a window, promises that the next one belongs to it too (a table of /proc goes on). */
  readonly follow?: (text: string) => boolean;
  /** Asked for when a log turns out to be full of reports: windows have `taken` from then on. */
  readonly shapes?: () => LineShapes;
  /** Called now and then with the bytes seen so far. */
  readonly progress?: (bytes: number) => void;
}

interface OpenWindow {
  readonly lines: RawLine[];
  /** Instead of `lines`. */
  readonly taken: TakenLines | undefined;
  readonly anchors: { readonly name: string; readonly line: number }[];
  /** Where the anchors of the last one's line begin in the list: each counts once a line. */
  named: number;
  chars: number;
  /** Last line that belongs to it. */
  until: number;
}

/** Lines in windows after which a log is taken for full of reports. */
const manyLines = 2000;

const emptyWindow = (until: number, shapes: LineShapes | undefined): OpenWindow => ({
  lines: [],
  taken: shapes === undefined ? undefined : new TakenLines(shapes),
  anchors: [],
  named: 0,
  chars: 0,
  until,
});

const linesIn = ({ lines, taken }: OpenWindow): number => taken?.count ?? lines.length;

/** Scans to the end of the source. Windows come in order and do not overlap. */
export async function scanLog(
  source: ByteSource,
  onWindow: (window: RawWindow) => void,
  options: ScanOptions = {},
): Promise<ScanSummary> {
  const scanner = new Scanner(onWindow, options);
  for (;;) {
    const got = source.read(scanner.room());
    const n = typeof got === "number" ? got : await got;
    if (n === 0) return scanner.finish();
    scanner.take(n);
    options.progress?.(scanner.bytes);
  }
}

const patterns = anchors.map((a) => utf8(a.text));
/** As the build worked them out. */
const places = anchorPlaces
  ?.match(/.{3}/g)
  ?.map((p): Place => [Number.parseInt(p.slice(0, 2), 36), Number.parseInt(p.slice(2), 36)]);
const decoder = new TextDecoder("utf-8");

/** A search that no scan uses: an engine gives each WebAssembly memory much address space, so one serves input after input. */
let spare: ByteSearch | undefined;

function borrowSearch(capacity: number, filter: Filter): ByteSearch {
  const found = spare;
  spare = undefined;
  const fits = found !== undefined && filter === "auto" && found.capacity >= capacity;
  const search = fits ? found : byteSearch(patterns, capacity, filter, places);
  search.reset();
  return search;
}

class Scanner {
  private readonly limits: ScanLimits;
  private readonly search: ByteSearch;
  private readonly memory: Uint8Array;
  private readonly onWindow: (window: RawWindow) => void;
  private readonly follow: ((text: string) => boolean) | undefined;
  private readonly shapes: (() => LineShapes) | undefined;
  private readonly notes: LogNote[] = [];
  private windows = 0;
  private open: OpenWindow | undefined;
  /** memory[floor, end) is valid; [floor, scanned) was searched. */
  private floor: number;
  private scanned: number;
  private end: number;
  /** First byte and number of the first line that no window has. While `inside` is set the line's head was already taken or lost. */
  private next: number;
  private nextLine = 1;
  private inside = false;
  /** No newline stands in memory[next, searchedTo): a long line full of anchors is not searched again for each of them. */
  private searchedTo = 0;
  private lastByte = NEWLINE;
  private longNotes = 0;
  /** Lines that windows took so far. */
  private pushed = 0;
  /** The line taken last promised another one. */
  private following = false;
  bytes = 0;

  constructor(onWindow: (window: RawWindow) => void, options: ScanOptions) {
    this.limits = { ...scanLimits, ...options.limits };
    const { chunkBytes, keepBytes, lineBytes } = this.limits;
    this.search = borrowSearch(chunkBytes + keepBytes + lineBytes + 1024, options.filter ?? "auto");
    this.memory = this.search.memory;
    this.onWindow = onWindow;
    this.follow = options.follow;
    this.shapes = options.shapes;
    this.floor = this.search.base;
    this.scanned = this.floor;
    this.end = this.floor;
    this.next = this.floor;
  }

  /** Where the next bytes go. */
  room(): Uint8Array {
    return this.memory.subarray(this.end, this.end + this.limits.chunkBytes);
  }

  /** `n` bytes were put into the room. */
  take(n: number): void {
    this.bytes += n;
    this.end += n;
    this.lastByte = this.memory[this.end - 1]!;
    // A search for the end of the last line stops here.
    this.memory[this.end] = NEWLINE;
    this.scanTo(this.end - this.search.longest);
    this.shift();
  }

  finish(): ScanSummary {
    // Zeros behind the end let the last whole block reach it; they are neither newlines nor part of an anchor.
    this.memory.fill(0, this.end, this.end + this.search.longest + 64);
    if (this.lastByte !== NEWLINE) {
      this.memory[this.end] = NEWLINE;
      this.end++;
    }
    this.scanTo(this.end + 32);
    this.takeLines(this.end);
    this.close(false);
    spare = this.search;
    return { bytes: this.bytes, lines: this.search.newlines(), windows: this.windows, notes: this.notes };
  }

  private scanTo(to: number): void {
    this.scanned = this.search.scan(this.scanned, to, (pattern, at, newlines) =>
      this.hit(anchors[pattern]!, at, newlines + 1),
    );
    if (this.open !== undefined) this.takeLines(Math.min(this.scanned, this.end));
  }

  private hit(anchor: Anchor, at: number, line: number): void {
    if (this.open !== undefined) this.takeLines(at);
    const first = anchor.role === "shortage" || anchor.role === "fault";
    if (this.open !== undefined && first && linesIn(this.open) > this.limits.softLines) this.close(false);
    if (this.open === undefined) this.openAt(at, line, anchor.before);
    const open = this.open as OpenWindow | undefined;
    if (open === undefined) return;
    open.until = Math.max(open.until, line + anchor.after);
    if (open.anchors[open.named]?.line !== line) open.named = open.anchors.length;
    for (let i = open.named; i < open.anchors.length; i++) if (open.anchors[i]?.name === anchor.name) return;
    open.anchors.push({ name: anchor.name, line });
  }

  private openAt(at: number, line: number, before: number): void {
    // The line that a window was cut in is not begun again.
    if (!(this.inside && line === this.nextLine)) {
      const floor = this.nextLine > 1 || this.inside ? Math.max(this.floor, this.next) : this.floor;
      let start = lineStart(this.memory, at, floor);
      let first = line;
      while (line - first < before && start > floor) {
        start = lineStart(this.memory, start - 1, floor);
        first--;
      }
      this.inside = start === this.floor && !this.floorIsLineStart;
      if (this.inside && first < line) {
        // A torn first line of context is worth nothing: begin with the next one.
        start = this.memory.indexOf(NEWLINE, start) + 1;
        first++;
        this.inside = false;
      } else if (this.inside) this.tornLine = true;
      this.next = start;
      this.nextLine = first;
      this.searchedTo = 0;
    }
    this.open = this.emptyWindow(line);
  }
  private floorIsLineStart = true;
  /** The line at `next` lost its head. */
  private tornLine = false;

  /** Takes the lines of the open window that end before `limit`. */
  private takeLines(limit: number): void {
    while (this.open !== undefined && this.nextLine <= this.open.until) {
      const from = Math.max(this.next, this.searchedTo);
      if (from >= this.end) return;
      const newline = this.memory.indexOf(NEWLINE, from);
      if (newline < 0 || newline >= limit) {
        this.searchedTo = newline < 0 ? this.end : Math.min(newline, this.end);
        return;
      }
      this.push(this.next, newline);
      this.next = newline + 1;
      this.nextLine++;
      this.inside = false;
      this.tornLine = false;
      if (linesIn(this.open) >= this.limits.windowLines || this.open.chars >= this.limits.windowChars) this.cutHere();
    }
    if (this.open !== undefined && this.nextLine > this.open.until) this.close(false);
  }

  private push(from: number, to: number): void {
    const open = this.open!;
    if (this.inside && !this.tornLine) return; // the rest of a line whose head was taken already
    const { lineBytes } = this.limits;
    const cutBytes = Math.max(0, to - from - lineBytes) + (this.tornLine ? 1 : 0);
    const end = Math.min(to, from + lineBytes);
    if (cutBytes > 0) this.longLine(this.nextLine);
    this.pushed++;
    const { taken } = open;
    if (taken?.take(this.memory, from, end, this.nextLine, cutBytes) === true && !this.following) {
      open.chars += end - from;
      return;
    }
    const text = decoder.decode(this.memory.subarray(from, end));
    if (taken === undefined) open.lines.push({ line: this.nextLine, text, cutBytes });
    open.chars += text.length;
    this.following = this.follow?.(text) === true;
    if (this.following) open.until = Math.max(open.until, this.nextLine + 1);
  }

  private longLine(line: number): void {
    if (++this.longNotes > 20) return;
    this.notes.push({
      line,
      sentence: `This line is longer than ${this.limits.lineBytes} bytes: only a part of it was read.`,
    });
  }

  private cutHere(): void {
    const { until } = this.open!;
    this.notes.push({
      line: this.nextLine,
      sentence: `A stretch of ${linesIn(this.open!)} lines full of reports was split before this line: a report that stands across it may be read in two parts.`,
    });
    this.close(true);
    if (until >= this.nextLine) this.open = this.emptyWindow(until);
  }

  private close(cut: boolean): void {
    const { open } = this;
    this.open = undefined;
    if (open === undefined || linesIn(open) === 0) return;
    open.taken?.copy(this.memory);
    this.windows++;
    const { lines, taken, anchors } = open;
    if (taken === undefined) this.onWindow({ lines, anchors, cut });
    else
      this.onWindow({
        get lines() {
          return taken.lines;
        },
        anchors,
        cut,
        taken,
      });
  }

  private emptyWindow(until: number): OpenWindow {
    const many = this.pushed > manyLines;
    return emptyWindow(until, many ? this.shapes?.() : undefined);
  }

  /** Makes room for the next chunk: moves what is still needed to the front. */
  private shift(): void {
    const { base, longest } = this.search;
    const { keepBytes, lineBytes } = this.limits;
    if (this.open !== undefined && this.end - this.next > lineBytes) this.takeLongHead();
    const passing = this.inside && !this.tornLine;
    const wanted = this.open === undefined || passing ? this.end - keepBytes : this.next;
    const from = Math.max(this.floor, Math.min(wanted, this.scanned - longest - 32));
    const shift = from - base;
    if (shift <= 0) return;
    this.open?.taken?.copy(this.memory);
    if (from > this.floor) this.floorIsLineStart = this.memory[from - 1] === NEWLINE;
    this.memory.copyWithin(base - 32, from - 32, this.end);
    this.floor = base;
    this.scanned -= shift;
    this.searchedTo -= shift;
    this.end -= shift;
    this.next = Math.max(base, this.next - shift);
  }

  /** The line at `next` does not fit: its head is taken now, the rest is passed over. */
  private takeLongHead(): void {
    if (!this.inside || this.tornLine) {
      this.push(this.next, this.next + this.limits.lineBytes);
      if (!this.tornLine) {
        const { lines, taken } = this.open!;
        if (taken !== undefined) taken.cutLast();
        else lines.push({ ...lines.pop()!, cutBytes: 1 });
        this.longLine(this.nextLine);
      }
    }
    this.inside = true;
    this.tornLine = false;
    this.next = Math.max(this.next, this.scanned - this.search.longest - 32);
  }
}
