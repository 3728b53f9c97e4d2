// Bytes that can be read anywhere, synchronously: a file by its descriptor, a File in a worker (FileReaderSync), or memory.
// An image is too large to hold, and lists in it are followed by hand: waiting at each step would cost more than the reading.
import { BadInput } from "../../base/bad_input.ts";

/** A random-access source with a name. */
export interface RandomBytes {
  readonly name: string;
  readonly size: number;
  /** Fills `into` from byte `at`; how many bytes were there (fewer at the end only). Throws BadInput when reading fails. */
  read(at: number, into: Uint8Array): number;
}

/** A source over bytes in memory. */
export function randomBytesOf(name: string, bytes: Uint8Array): RandomBytes {
  return {
    name,
    size: bytes.length,
    read(at, into) {
      if (at < 0 || at >= bytes.length) return 0;
      const part = bytes.subarray(at, at + into.length);
      into.set(part);
      return part.length;
    },
  };
}

/** Bytes at `at`, all of them; BadInput when the source ends before. */
export function readExactly(source: RandomBytes, at: number, length: number, what: string): Uint8Array {
  if (!(at >= 0 && length >= 0 && at + length <= source.size))
    throw new BadInput(
      `The ${what} should reach from byte ${at} to byte ${at + length}, but the image has ${source.size} bytes.`,
      { file: source.name },
      "The file is cut off or damaged; copy it again, whole.",
    );
  const into = new Uint8Array(length);
  const got = source.read(at, into);
  if (got !== length)
    throw new BadInput(`The ${what} could not be read: ${got} of ${length} bytes.`, { file: source.name });
  return into;
}

const blockBytes = 1 << 16;
const mostBlocks = 512;

/** Reads through blocks of 64 KiB and keeps the last 32 MiB of them. Parts that are handed out stay valid. */
export class BlockCache {
  private readonly source: RandomBytes;
  private readonly blocks = new Map<number, Uint8Array>();
  private lastIndex = -1;
  private last: Uint8Array = new Uint8Array(0);

  constructor(source: RandomBytes) {
    this.source = source;
  }

  private block(index: number): Uint8Array {
    if (index === this.lastIndex) return this.last;
    let found = this.blocks.get(index);
    if (found === undefined) {
      const into = new Uint8Array(Math.max(0, Math.min(blockBytes, this.source.size - index * blockBytes)));
      found = into.subarray(0, into.length === 0 ? 0 : this.source.read(index * blockBytes, into));
      if (this.blocks.size >= mostBlocks) this.blocks.delete(this.blocks.keys().next().value as number);
      this.blocks.set(index, found);
    }
    this.lastIndex = index;
    this.last = found;
    return found;
  }

  /** `length` bytes at `at`; undefined when the source ends before. A view where they lie in one block. */
  part(at: number, length: number): Uint8Array | undefined {
    if (!(at >= 0 && at + length <= this.source.size)) return undefined;
    const offset = at % blockBytes;
    const first = this.block((at - offset) / blockBytes);
    if (offset + length <= first.length) return first.subarray(offset, offset + length);
    const whole = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const from = (at + done) % blockBytes;
      const block = this.block((at + done - from) / blockBytes);
      const piece = block.subarray(from, from + length - done);
      if (piece.length === 0) return undefined;
      whole.set(piece, done);
      done += piece.length;
    }
    return whole;
  }
}
