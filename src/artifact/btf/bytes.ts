// Numbers out of bytes, in either order, with an end: what lies beyond it is bad input that names the place.
import { BadInput } from "../../base/bad_input.ts";

export interface ByteReader {
  readonly bytes: Uint8Array;
  readonly file: string;
  readonly littleEndian: boolean;
  u8(at: number): number;
  u16(at: number): number;
  u32(at: number): number;
  /** A 64-bit number as a JavaScript number; offsets and sizes in files stay below 2^53. */
  u64(at: number): number;
  /** A part of the bytes; BadInput when it does not lie within. */
  part(at: number, length: number, what: string): Uint8Array;
  /** The text from `at` up to its NUL. */
  text(at: number, end: number): string;
}

const utf8 = new TextDecoder();

export function byteReader(bytes: Uint8Array, file: string, littleEndian: boolean): ByteReader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const within = (at: number, length: number): void => {
    if (at < 0 || at + length > bytes.length)
      throw new BadInput(
        `It ends at byte ${bytes.length}, in the middle of something that reaches to byte ${at + length}.`,
        { file },
        "The file is cut off or damaged; copy it again, whole.",
      );
  };
  const u32 = (at: number): number => {
    within(at, 4);
    return view.getUint32(at, littleEndian);
  };
  return {
    bytes,
    file,
    littleEndian,
    u8(at) {
      within(at, 1);
      return bytes[at] as number;
    },
    u16(at) {
      within(at, 2);
      return view.getUint16(at, littleEndian);
    },
    u32,
    u64: (at) => (littleEndian ? u32(at) + u32(at + 4) * 2 ** 32 : u32(at + 4) + u32(at) * 2 ** 32),
    part(at, length, what) {
      if (at + length > bytes.length)
        throw new BadInput(
          `The ${what} should reach from byte ${at} to byte ${at + length}, but the file has ${bytes.length}.`,
          { file },
          "The file is cut off or damaged; copy it again, whole.",
        );
      return bytes.subarray(at, at + length);
    },
    text(at, end) {
      let stop = at;
      while (stop < end && bytes[stop] !== 0) stop++;
      return utf8.decode(bytes.subarray(at, stop));
    },
  };
}
