// makedumpfile's flattened format: the same file as a stream of records (offset, length, bytes), so that it can go through a pipe.
// Records may go backwards (qemu 7.2 writes the header again at the end): what came last counts. makedumpfile.h of 1.7.2.
import { BadInput } from "../../base/bad_input.ts";
import type { RandomBytes } from "./random_bytes.ts";

const headerBytes = 4096;
const mostRecords = 1 << 23;

export function isFlattened(head: Uint8Array): boolean {
  return new TextDecoder("latin1").decode(head.subarray(0, 12)) === "makedumpfile" && head[12] === 0;
}

/** One record: bytes [start, end) of the file that it stands for lie at `at`. */
interface Piece {
  readonly start: number;
  readonly end: number;
  readonly at: number;
}

/** The file that a flattened one stands for. Reading bytes that no record brought gives zeros, as the sparse file would. */
export function unflatten(source: RandomBytes): RandomBytes & { readonly cut: boolean } {
  const { pieces, cut } = recordsOf(source);
  const whole = lastWins(pieces);
  const size = whole.at(-1)?.end ?? 0;
  const starts = Float64Array.from(whole, (p) => p.start);
  return {
    name: source.name,
    size,
    cut,
    read(at, into) {
      const wanted = Math.max(0, Math.min(into.length, size - at));
      if (at < 0 || wanted === 0) return 0;
      into.fill(0, 0, wanted);
      for (let i = Math.max(0, upperBound(starts, at) - 1); i < whole.length; i++) {
        const p = whole[i] as Piece;
        if (p.start >= at + wanted) break;
        const from = Math.max(at, p.start);
        const to = Math.min(at + wanted, p.end);
        if (from < to) source.read(p.at + (from - p.start), into.subarray(from - at, to - at));
      }
      return wanted;
    },
  };
}

/** Index of the first start above `value`. */
function upperBound(starts: Float64Array, value: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((starts[middle] as number) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

function recordsOf(source: RandomBytes): { readonly pieces: Piece[]; readonly cut: boolean } {
  const pieces: Piece[] = [];
  const record = new Uint8Array(16);
  const view = new DataView(record.buffer);
  let at = headerBytes;
  while (source.read(at, record) === 16) {
    const offset = Number(view.getBigInt64(0));
    const length = Number(view.getBigInt64(8));
    if (offset === -1 && length === -1) return { pieces, cut: false };
    if (offset < 0 || length < 0 || offset + length > Number.MAX_SAFE_INTEGER || pieces.length >= mostRecords)
      throw new BadInput(
        `The record at byte ${at} of the flattened file says offset ${offset}, length ${length}.`,
        { file: source.name },
        "The file is damaged; copy it again, in binary.",
      );
    const there = Math.min(length, Math.max(0, source.size - at - 16));
    if (there > 0) pieces.push({ start: offset, end: offset + there, at: at + 16 });
    if (there < length) return { pieces, cut: true };
    at += 16 + length;
  }
  return { pieces, cut: true };
}

/** Pieces in order without overlaps; where two overlap the later record counts. */
function lastWins(pieces: readonly Piece[]): readonly Piece[] {
  if (pieces.every((p, i) => i === 0 || p.start >= (pieces[i - 1] as Piece).end)) return pieces;
  const order = pieces
    .map((_, i) => i)
    .sort((a, b) => (pieces[a] as Piece).start - (pieces[b] as Piece).start || a - b);
  const out: Piece[] = [];
  const open = heap();
  let at = 0;
  for (let next = 0; next < order.length || open.size() > 0; ) {
    const upcoming = next < order.length ? pieces[order[next] as number] : undefined;
    const top = open.top();
    const piece = top === undefined ? undefined : (pieces[top] as Piece);
    if (piece !== undefined && piece.end <= at) {
      open.pop();
      continue;
    }
    if (piece === undefined || (upcoming !== undefined && upcoming.start <= at)) {
      if (upcoming === undefined) break;
      at = Math.max(at, upcoming.start);
      open.push(order[next++] as number);
      continue;
    }
    const stop = Math.min(piece.end, upcoming?.start ?? Number.POSITIVE_INFINITY);
    out.push({ start: at, end: stop, at: piece.at + (at - piece.start) });
    at = stop;
  }
  return out;
}

/** The greatest number on top. */
function heap(): { push(n: number): void; pop(): void; top(): number | undefined; size(): number } {
  const items: number[] = [];
  const swap = (a: number, b: number): void => {
    const held = items[a] as number;
    items[a] = items[b] as number;
    items[b] = held;
  };
  return {
    size: () => items.length,
    top: () => items[0],
    push(n) {
      items.push(n);
      for (let i = items.length - 1; i > 0; ) {
        const parent = (i - 1) >> 1;
        if ((items[parent] as number) >= (items[i] as number)) break;
        swap(i, parent);
        i = parent;
      }
    },
    pop() {
      const last = items.pop();
      if (items.length === 0 || last === undefined) return;
      items[0] = last;
      for (let i = 0; ; ) {
        let child = 2 * i + 1;
        if (child >= items.length) break;
        if (child + 1 < items.length && (items[child + 1] as number) > (items[child] as number)) child++;
        if ((items[i] as number) >= (items[child] as number)) break;
        swap(i, child);
        i = child;
      }
    },
  };
}
