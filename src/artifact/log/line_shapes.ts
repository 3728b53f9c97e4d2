// Which lines are the same but for their stamp and their numbers, found on the bytes, without a string a line: a storm of reports is read once
// and then counted (report_sieve.ts). Only lines are told apart that repair (lines.ts) leaves alone, and of their numbers only those are left
// out that no reader tells reports apart by: amounts, process ids, addresses. Letters, offsets, masks and orders are compared one by one.
import type { PlainLine } from "./plain_line.ts";
import { plainLine } from "./plain_line.ts";
import { stripPrefix } from "./prefix.ts";

/** What stands before the kernel's words on the lines of one transport: bytes as they stand, 0 where any digit may. */
interface Form {
  readonly bytes: Uint8Array;
  /** `[   12.345678] ` follows. */
  readonly stamp: boolean;
  readonly host: string | undefined;
  /** Where the wall clock stands in it, where it has one. */
  readonly wall: readonly [from: number, to: number] | undefined;
}

/** A longer line is no line of a storm. */
const longest = 2000;
/** A log with more of them is no storm: everything is forgotten then. */
const mostShapes = 20_000;
const mostForms = 12;

const [DIGIT, HEX, WORD, BAD] = [1, 2, 4, 8];
/** What each byte is: a digit; a digit or a letter from a to f; any part of a word; nothing that a plain line has. */
const kinds = Uint8Array.from({ length: 256 }, (_, b) => {
  const c = String.fromCharCode(b);
  if (c >= "0" && c <= "9") return DIGIT | HEX | WORD;
  if (c >= "a" && c <= "f") return HEX | WORD;
  if ((c >= "g" && c <= "z") || (c >= "A" && c <= "Z") || c === "_") return WORD;
  return b < 32 || b > 126 ? BAD : 0;
});
// A tab is plain.
kinds[9] = 0;

const code = (c: string): number => c.charCodeAt(0);
const [SLASH, DOT, COLON, EQUALS, BLANK, MINUS] = [code("/"), code("."), code(":"), code("="), code(" "), code("-")];
const [OPEN, CLOSE, LOWER_K, UPPER_K] = [code("["), code("]"), code("k"), code("K")];
const [UPPER_B, LOWER_X, ZERO, LOWER_R, RETURN] = [code("B"), code("x"), code("0"), code("r"), code("\r")];
/** What stands for a number that is left out: control characters, which no plain line has. Eight digits may be of an address or an amount. */
const [AMOUNT, EIGHT, SIXTEEN, FRAME_NUMBER, SMALL_KB, LARGE_KB, PREFIXED, FRAME_HEX] = [1, 2, 3, 4, 5, 6, 7, 8];
/** Patterns bound what they take for an amount at nine digits. */
const LONG_AMOUNT = 14;

/** Lines of a scan as shapes. {@link read} leaves its answers in the fields: nothing is allocated for a line that is known. */
export class LineShapes {
  /** Number of the shape of the line read last; -1: a line that may need repair. */
  shape = -1;
  /** Its time since boot; NaN where it has none. */
  seconds = Number.NaN;
  /** Number of its transport: lines of one name one host, or none. */
  form = -1;
  /** Where it ends without its carriage returns. */
  end = 0;
  /** Changes when all shapes are forgotten. */
  generation = 0;
  private readonly forms: Form[] = [];
  private plain: (PlainLine | undefined)[] = [];
  private arena = new Uint8Array(1 << 16);
  private arenaEnd = 0;
  private starts: Int32Array = new Int32Array(1024);
  private ends: Int32Array = new Int32Array(1024);
  private readonly table = new Int32Array(1 << 16);
  private readonly scratch = new Uint8Array(longest + 8);
  private readonly decoder = new TextDecoder("latin1");

  /** What repair and readers have to know of a shape; undefined where repair may touch such a line. */
  of(shape: number): PlainLine | undefined {
    return this.plain[shape];
  }

  hostOf(form: number): string | undefined {
    return this.forms[form]?.host;
  }

  /** Where the wall clock stands in lines of a transport. */
  wallOf(form: number): readonly [from: number, to: number] | undefined {
    return this.forms[form]?.wall;
  }

  /** Forgets everything where there is too much of it; only between two windows. True when it did: the numbers mean nothing any more. */
  prune(): boolean {
    if (this.plain.length < mostShapes) return false;
    this.generation++;
    this.plain = [];
    this.arenaEnd = 0;
    this.table.fill(0);
    return true;
  }

  /** Reads the line in bytes[from, to). */
  read(bytes: Uint8Array, from: number, lineEnd: number): void {
    let to = lineEnd;
    while (to > from && bytes[to - 1] === RETURN) to--;
    this.end = to;
    this.shape = -1;
    if (to - from > longest || this.plain.length >= mostShapes) return;
    let at = this.takePrefix(bytes, from, to);
    if (at < 0) {
      if (!this.learnForm(bytes, from, to)) return;
      at = this.takePrefix(bytes, from, to);
      if (at < 0) return;
    }
    this.shape = this.shapeOf(bytes, at, to);
  }

  /** Where the kernel's words begin, or -1. */
  private takePrefix(bytes: Uint8Array, from: number, to: number): number {
    const { forms } = this;
    next: for (let f = 0; f < forms.length; f++) {
      const form = forms[f]!;
      const own = form.bytes;
      let at = from + own.length;
      if (at > to) continue;
      for (let i = 0; i < own.length; i++) {
        const b = bytes[from + i]!;
        const wanted = own[i]!;
        if (wanted === 0 ? (kinds[b]! & DIGIT) === 0 : wanted !== b) continue next;
      }
      this.form = f;
      this.seconds = Number.NaN;
      if (!form.stamp) return at;
      if (bytes[at] !== OPEN) continue;
      at++;
      for (let n = 0; n < 8 && bytes[at] === BLANK; n++) at++;
      let seconds = 0;
      const first = at;
      while ((kinds[bytes[at]!]! & DIGIT) !== 0 && at - first < 9) seconds = seconds * 10 + bytes[at++]! - ZERO;
      if (at === first || at - first > 8 || bytes[at] !== DOT || at + 8 > to) continue;
      at++;
      let micros = 0;
      for (let n = 0; n < 6; n++) {
        if ((kinds[bytes[at]!]! & DIGIT) === 0) continue next;
        micros = micros * 10 + bytes[at++]! - ZERO;
      }
      if (bytes[at++] !== CLOSE) continue;
      if (at < to && bytes[at++] !== BLANK) continue;
      // One division of whole numbers gives the same as reading the decimals.
      this.seconds = (seconds * 1e6 + micros) / 1e6;
      return at;
    }
    return -1;
  }

  /** Takes the prefix of a line as another form, where prefix.ts knows all of it. */
  private learnForm(bytes: Uint8Array, from: number, to: number): boolean {
    if (this.forms.length >= mostForms) return false;
    const line = this.decoder.decode(bytes.subarray(from, to));
    if (!/^[[<\w]/.test(line) || /[^\x20-\x7e]/.test(line)) return false;
    const { text, seconds, wallClock, host, level: _, ...other } = stripPrefix(line);
    const prefix = line.slice(0, line.length - text.length);
    if (prefix === "" || !line.endsWith(text) || Object.keys(other).length > 0) return false;
    const stamp = /\[ {0,8}\d{1,8}\.\d{6}\] ?$/.exec(prefix);
    if ((stamp === null) === (seconds !== undefined)) return false;
    const base = stamp === null ? prefix : prefix.slice(0, stamp.index);
    const wall = wallClock === undefined ? 0 : base.indexOf(wallClock);
    if (wall < 0 || (stamp === null && wallClock === undefined)) return false;
    const end = wall + (wallClock?.length ?? 0);
    const own = Uint8Array.from(base, (c, i) => (i >= wall && i < end && /\d/.test(c) ? 0 : code(c)));
    this.forms.push({
      bytes: own,
      stamp: stamp !== null,
      host,
      wall: wallClock === undefined ? undefined : [wall, end],
    });
    return true;
  }

  private shapeOf(bytes: Uint8Array, from: number, to: number): number {
    const { scratch } = this;
    let n = 0;
    let hash = 0x811c9dc5 | 0;
    let i = from;
    while (i < to) {
      const b = bytes[i]!;
      const kind = kinds[b]!;
      if ((kind & WORD) === 0) {
        if (kind === BAD) return -1;
        scratch[n++] = b;
        hash = Math.imul(hash ^ b, 0x01000193);
        i++;
        continue;
      }
      const start = i;
      const before = hash;
      const n0 = n;
      let all = WORD | HEX | DIGIT;
      let any = 0;
      let c = b;
      let k = kind;
      do {
        all &= k;
        any |= k;
        scratch[n++] = c;
        hash = Math.imul(hash ^ c, 0x01000193);
        c = ++i < to ? bytes[i]! : 0;
        k = kinds[c]!;
      } while ((k & WORD) !== 0);
      if (((any & DIGIT) | (all & HEX)) === 0) continue;
      const symbol = symbolOf(bytes, from, start, i, to, all);
      if (symbol === 0) continue;
      n = n0;
      scratch[n++] = symbol;
      hash = Math.imul(before ^ symbol, 0x01000193);
    }
    return this.numberOf(hash, n, bytes, from, to);
  }

  /** The shape whose bytes are in the scratch room. */
  private numberOf(hash: number, length: number, bytes: Uint8Array, from: number, to: number): number {
    const { table, arena, starts, ends, scratch } = this;
    const mask = table.length - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    search: for (; ; slot = (slot + 1) & mask) {
      const found = table[slot]!;
      if (found === 0) break;
      const start = starts[found - 1]!;
      if (ends[found - 1]! - start !== length) continue;
      for (let i = 0; i < length; i++) if (arena[start + i] !== scratch[i]) continue search;
      return this.plain[found - 1] === undefined ? -1 : found - 1;
    }
    const own = this.plain.length;
    table[slot] = own + 1;
    this.plain.push(plainLine(this.decoder.decode(bytes.subarray(from, to))));
    if (own === starts.length) {
      this.starts = grown(starts);
      this.ends = grown(ends);
    }
    if (this.arenaEnd + length > arena.length) {
      this.arena = new Uint8Array(2 * arena.length + length);
      this.arena.set(arena);
    }
    this.arena.set(scratch.subarray(0, length), this.arenaEnd);
    this.starts[own] = this.arenaEnd;
    this.arenaEnd += length;
    this.ends[own] = this.arenaEnd;
    return this.plain[own] === undefined ? -1 : own;
  }
}

function grown(column: Int32Array): Int32Array {
  const larger = new Int32Array(2 * column.length);
  larger.set(column);
  return larger;
}

const isHex = (bytes: Uint8Array, from: number, to: number): boolean => {
  for (let i = from; i < to; i++) if ((kinds[bytes[i]!]! & HEX) === 0) return false;
  return true;
};

const orderBytes = [..."order"].map(code);

/** `order` stands before a number: order:1, order=1, order 1, order: 1. */
function afterOrder(bytes: Uint8Array, from: number, start: number): boolean {
  let i = start - 1;
  for (let n = 0; n < 2 && i > from && (bytes[i] === COLON || bytes[i] === EQUALS || bytes[i] === BLANK); n++) i--;
  if (i === start - 1 || i - 4 < from || bytes[i] !== LOWER_R) return false;
  for (let k = 0; k < 5; k++) if (bytes[i - 4 + k] !== orderBytes[k]) return false;
  return true;
}

/** `-order` stands behind it, as 2.4 has it. */
function beforeOrder(bytes: Uint8Array, end: number, to: number): boolean {
  if (bytes[end] !== MINUS || end + 6 > to) return false;
  for (let k = 0; k < 5; k++) if (bytes[end + 1 + k] !== orderBytes[k]) return false;
  return true;
}

/** `pfn:` or `index:` stands before it. */
function afterFrameName(bytes: Uint8Array, from: number, start: number): boolean {
  if (start - 4 < from || bytes[start - 1] !== COLON) return false;
  const [x, y, z] = [bytes[start - 4], bytes[start - 3], bytes[start - 2]];
  return (x === 112 && y === 102 && z === 110) || (x === 100 && y === 101 && z === 120);
}

/** What stands for the word bytes[start, end) of a line that begins at `from`, where it is a number that may be another one; else 0. */
function symbolOf(bytes: Uint8Array, from: number, start: number, end: number, to: number, all: number): number {
  const length = end - start;
  if (afterFrameName(bytes, from, start)) {
    if ((all & HEX) !== 0) return length <= 16 ? FRAME_NUMBER : 0;
    const hex = bytes[start] === ZERO && bytes[start + 1] === LOWER_X && isHex(bytes, start + 2, end);
    return hex && length > 2 && length <= 18 ? FRAME_HEX : 0;
  }
  if ((kinds[bytes[start]!]! & DIGIT) !== 0) {
    if ((all & DIGIT) !== 0) {
      if (length > 16) return 0;
      const before = start > from ? bytes[start - 1]! : 0;
      // Releases, and the number of a name's CPU.
      if (before === DOT || bytes[end] === DOT) return 0;
      if (before === SLASH && start - 2 >= from && (kinds[bytes[start - 2]!]! & (WORD | DIGIT)) === WORD) return 0;
      if (afterOrder(bytes, from, start) || beforeOrder(bytes, end, to)) return 0;
      return length === 8 ? EIGHT : length === 16 ? SIXTEEN : length > 9 ? LONG_AMOUNT : AMOUNT;
    }
    const k = bytes[end - 2]!;
    if (length > 2 && length <= 15 && bytes[end - 1] === UPPER_B && (k === LOWER_K || k === UPPER_K)) {
      for (let i = start; i < end - 2; i++) if ((kinds[bytes[i]!]! & DIGIT) === 0) return 0;
      return k === LOWER_K ? SMALL_KB : LARGE_KB;
    }
    if (length === 18 && bytes[start] === ZERO && bytes[start + 1] === LOWER_X && isHex(bytes, start + 2, end))
      return PREFIXED;
  }
  if ((all & HEX) === 0) return 0;
  return length === 8 ? EIGHT : length === 16 ? SIXTEEN : 0;
}
