// Helpers on raw bytes that do not exist in the language: counting, searching backwards, comparing. No strings, no kernel.

/** The newline byte. */
export const NEWLINE = 10;

/** How often `byte` stands in bytes[from, to). */
export function countByte(bytes: Uint8Array, byte: number, from = 0, to = bytes.length): number {
  let count = 0;
  for (let i = from; i < to; i++) if (bytes[i] === byte) count++;
  return count;
}

/** Index of the first byte of the line that holds position `at`, not before `floor`. */
export function lineStart(bytes: Uint8Array, at: number, floor: number): number {
  let i = at;
  while (i > floor && bytes[i - 1] !== NEWLINE) i--;
  return i;
}

/** True when `pattern` stands in `bytes` at `at`. */
export function matchesAt(bytes: Uint8Array, at: number, pattern: Uint8Array): boolean {
  for (let i = 0; i < pattern.length; i++) if (bytes[at + i] !== pattern[i]) return false;
  return true;
}

/** UTF-8 bytes of a text. */
export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** True when `bytes` begins with the given numbers at `at`. */
export function startsWithBytes(bytes: Uint8Array, magic: readonly number[], at = 0): boolean {
  return bytes.length >= at + magic.length && magic.every((b, i) => bytes[at + i] === b);
}

/** The parts behind each other, as one piece. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((bytes, part) => bytes + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
