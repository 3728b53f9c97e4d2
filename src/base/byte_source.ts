// Where bytes come from, as the rooms above the faces see it: something to pull from. Files, pipes and archives live in cli/input.
import { BadInput } from "./bad_input.ts";

/** A stream of bytes with a name. */
export interface ByteSource {
  /** As the user would recognise it: a path, `-`, or `bundle.tar:var/log/messages`. */
  readonly name: string;
  /** Writes up to into.length bytes at the start of `into`; how many, 0 at the end. Throws BadInput when the source is unusable. */
  read(into: Uint8Array): number | Promise<number>;
  /** Lines of the file in front of the first one that this gives; absent: none. */
  readonly linesBefore?: number;
  /** What went wrong on the way, one sentence, known when read() has given 0: the bytes before it are good. */
  problem?(): string | undefined;
}

/** A Uint8Array, of this program's realm or of another. */
export const isBytes = (value: unknown): value is Uint8Array =>
  Object.prototype.toString.call(value) === "[object Uint8Array]";

/** A source over chunks that are already there or arrive one after another (a string is its UTF-8 bytes). */
export function sourceOf(name: string, chunks: string | Iterable<Uint8Array> | AsyncIterable<Uint8Array>): ByteSource {
  const from = typeof chunks === "string" ? [new TextEncoder().encode(chunks)] : chunks;
  const iterator: Iterator<Uint8Array> | AsyncIterator<Uint8Array> =
    Symbol.asyncIterator in from ? from[Symbol.asyncIterator]() : from[Symbol.iterator]();
  let rest = new Uint8Array(0);
  return {
    name,
    async read(into) {
      while (rest.length === 0) {
        const next = await iterator.next();
        if (next.done === true) return 0;
        if (!isBytes(next.value)) throw new BadInput(`A part of ${name} is not a Uint8Array.`);
        rest = next.value as Uint8Array<ArrayBuffer>;
      }
      const n = Math.min(rest.length, into.length);
      into.set(rest.subarray(0, n));
      rest = rest.subarray(n);
      return n;
    },
  };
}

/** The same bytes in chunks of at most `size`: what tests use to show that chunk borders do not matter. */
export function inChunks(source: ByteSource, size: number): ByteSource {
  return { ...source, read: (into) => source.read(into.subarray(0, size)) };
}

/** A source that gives `head` first and then what is left of `source`. */
export function withHead(head: Uint8Array, source: ByteSource): ByteSource {
  let used = 0;
  return {
    ...source,
    read(into) {
      if (used === head.length) return source.read(into);
      const n = Math.min(head.length - used, into.length);
      into.set(head.subarray(used, used + n));
      used += n;
      return n;
    },
  };
}

/** Reads until `limit` bytes are there or the source ends. */
export async function readHead(source: ByteSource, limit: number): Promise<Uint8Array> {
  const head = new Uint8Array(limit);
  return head.subarray(0, await readFully(source, head));
}

/** Reads exactly `into.length` bytes, fewer only at the end; how many. */
export async function readFully(source: ByteSource, into: Uint8Array): Promise<number> {
  let filled = 0;
  while (filled < into.length) {
    const n = await source.read(into.subarray(filled));
    if (n === 0) break;
    filled += n;
  }
  return filled;
}
