// Walks a tar archive as it streams by: ustar, GNU and pax names (POSIX.1-2001 pax; GNU tar manual, "Basic Tar Format"). Names are only
// shown, never used as paths, so a hostile one can do nothing.
import type { ByteSource } from "../base/byte_source.ts";
import { readFully } from "../base/byte_source.ts";

const BLOCK = 512;
/** Longer names and pax records are not read: a hostile header must not fill memory. */
const LONGEST_RECORD = 65_536;

/** One regular file of an archive; it must be read, or left, before the next one is asked for. */
export interface TarMember {
  readonly name: string;
  readonly size: number;
  readonly source: ByteSource;
}

/** True when this looks like the first block of a tar archive: its checksum holds. */
export function isTar(head: Uint8Array): boolean {
  return head.length >= BLOCK && checksumHolds(head.subarray(0, BLOCK));
}

/** The regular files of an archive in order. Ends quietly at the end mark; `onProblem` hears one sentence when it is cut off or damaged. */
export async function* tarMembers(
  archive: ByteSource,
  onProblem: (sentence: string) => void,
): AsyncGenerator<TarMember> {
  const header = new Uint8Array(BLOCK);
  let longName: string | undefined;
  let longSize: number | undefined;
  for (;;) {
    const got = await readFully(archive, header);
    if (got === 0 || header.every((b) => b === 0)) return;
    if (got < BLOCK) return onProblem("The archive ends inside a header.");
    if (!checksumHolds(header))
      return onProblem("The archive is damaged: a header's checksum is wrong. What follows was not read.");
    const type = String.fromCharCode(header[156]!);
    const size = longSize ?? numberOf(header.subarray(124, 136));
    if (type === "L" || type === "x") {
      const record = await readRecord(archive, size);
      if (record === undefined) return onProblem("The archive ends inside a name, or a name is longer than 64 KiB.");
      if (type === "L") longName = textOf(record);
      else {
        const pax = paxFields(record);
        longName = pax.get("path") ?? longName;
        if (pax.has("size")) longSize = Number(pax.get("size"));
      }
      continue;
    }
    const name = longName ?? nameOf(header);
    longName = undefined;
    longSize = undefined;
    if (!Number.isSafeInteger(size) || size < 0) return onProblem("The archive is damaged: a size is not a number.");
    let left = type === "1" || type === "2" || type === "5" ? 0 : size;
    const padding = (BLOCK - (left % BLOCK)) % BLOCK;
    const source: ByteSource = {
      name: `${archive.name}:${name}`,
      read(into) {
        if (left === 0) return 0;
        const taken = (n: number): number => {
          left -= n;
          if (n === 0) left = 0;
          return n;
        };
        const n = archive.read(into.subarray(0, Math.min(into.length, left)));
        return typeof n === "number" ? taken(n) : n.then(taken);
      },
    };
    if ((type === "0" || type === "\0" || type === "7") && !name.endsWith("/")) yield { name, size, source };
    if (!(await skip(archive, left)) || !(await skip(archive, padding)))
      return onProblem(`The archive ends inside ${name}.`);
  }
}

function checksumHolds(header: Uint8Array): boolean {
  let [sum, signed] = [0, 0];
  for (let i = 0; i < BLOCK; i++) {
    const byte = i >= 148 && i < 156 ? 32 : header[i]!;
    sum += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  const said = numberOf(header.subarray(148, 156));
  return said === sum || said === signed;
}

/** Octal digits, or GNU's base 256 when the first bit is set; NaN for anything else. */
function numberOf(field: Uint8Array): number {
  if ((field[0]! & 0x80) !== 0) {
    let value = field[0]! & 0x7f;
    for (const b of field.subarray(1)) value = value * 256 + b;
    return value;
  }
  const digits = textOf(field).trim();
  return /^[0-7]*$/.test(digits) ? Number.parseInt(digits === "" ? "0" : digits, 8) : Number.NaN;
}

function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function nameOf(header: Uint8Array): string {
  const name = textOf(header.subarray(0, 100));
  const prefix =
    textOf(header.subarray(257, 262)) === "ustar" && header[263] === 0x30 ? textOf(header.subarray(345, 500)) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

async function readRecord(archive: ByteSource, size: number): Promise<Uint8Array | undefined> {
  if (!(size >= 0 && size <= LONGEST_RECORD)) return undefined;
  const padded = new Uint8Array(Math.ceil(size / BLOCK) * BLOCK);
  return (await readFully(archive, padded)) < padded.length ? undefined : padded.subarray(0, size);
}

/** `27 path=some/long/name\n` records. */
function paxFields(record: Uint8Array): Map<string, string> {
  const fields = new Map<string, string>();
  for (let at = 0; at < record.length; ) {
    const space = record.indexOf(32, at);
    const length = Number(new TextDecoder().decode(record.subarray(at, space)));
    if (space < 0 || !(length > space - at + 1) || at + length > record.length) break;
    const [name, ...value] = new TextDecoder().decode(record.subarray(space + 1, at + length - 1)).split("=");
    fields.set(name!, value.join("="));
    at += length;
  }
  return fields;
}

async function skip(archive: ByteSource, bytes: number): Promise<boolean> {
  const scratch = new Uint8Array(Math.min(bytes, 65_536));
  let left = bytes;
  while (left > 0) {
    const n = await archive.read(scratch.subarray(0, Math.min(left, scratch.length)));
    if (n === 0) return false;
    left -= n;
  }
  return true;
}
