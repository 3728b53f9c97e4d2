// The members of a zip archive, by the directory at its end (PKWARE APPNOTE 6.3.10, 4.3 and 4.5.3). It unpacks nothing: a face cuts
// `packedBytes` at `dataAt` out of the file and inflates them. Names are only shown, never used as paths.
import { BadInput } from "../base/bad_input.ts";
import { startsWithBytes } from "../base/bytes.ts";

/** One file of an archive. Method 0 is stored, 8 is deflate without a wrapper. */
export interface ZipMember {
  readonly name: string;
  readonly method: number;
  readonly packedBytes: number;
  readonly bytes: number;
  /** CRC-32 of the unpacked bytes. */
  readonly crc: number;
  /** Offset of the packed data in the file. */
  readonly dataAt: number;
}

/** Reads bytes `from` up to `to` of the file. */
export type ZipRead = (from: number, to: number) => Promise<Uint8Array>;

const END = 22;
const COMMENT_MAX = 65_535;
const RECORD = 46;
const LOCAL = 30;
const DIRECTORY_MAX = 64 << 20;
const FILLED_32 = 0xffff_ffff;

export const isZip = (head: Uint8Array): boolean =>
  startsWithBytes(head, [0x50, 0x4b, 3, 4], 0) || startsWithBytes(head, [0x50, 0x4b, 5, 6], 0);

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The files of an archive of `size` bytes; directories and members that cannot be read are left out, `onProblem` hears of the latter. */
export async function zipMembers(
  size: number,
  read: ZipRead,
  onProblem: (sentence: string) => void,
): Promise<readonly ZipMember[]> {
  const { at, bytes, entries } = await directoryOf(size, read);
  const all = await read(at, at + bytes);
  const view = viewOf(all);
  const members: ZipMember[] = [];
  let p = 0;
  for (let i = 0; i < entries; i++) {
    if (p + RECORD > all.length || view.getUint32(p, true) !== 0x02014b50) {
      onProblem(`The archive's directory is damaged behind ${i} of ${entries} files.`);
      break;
    }
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((o) => view.getUint16(p + o, true));
    const end = p + RECORD + nameBytes! + extraBytes! + commentBytes!;
    const name = new TextDecoder().decode(all.subarray(p + RECORD, p + RECORD + nameBytes!));
    const method = view.getUint16(p + 10, true);
    const [packedBytes, plainBytes, local] = [20, 24, 42].map((o) => view.getUint32(p + o, true));
    const crc = view.getUint32(p + 16, true);
    const encrypted = (view.getUint16(p + 8, true) & 1) !== 0;
    p = end;
    if (name.endsWith("/")) continue;
    const why = encrypted
      ? "it is encrypted"
      : method !== 0 && method !== 8
        ? `it is packed by method ${method}`
        : packedBytes === FILLED_32 || plainBytes === FILLED_32 || local === FILLED_32
          ? "it is larger than 4 GiB (zip64)"
          : undefined;
    if (why !== undefined) {
      onProblem(`${name} was not read: ${why}.`);
      continue;
    }
    const header = await read(local!, local! + LOCAL);
    if (header.length < LOCAL || viewOf(header).getUint32(0, true) !== 0x04034b50) {
      onProblem(`${name} was not read: its place in the archive holds something else.`);
      continue;
    }
    const dataAt = local! + LOCAL + viewOf(header).getUint16(26, true) + viewOf(header).getUint16(28, true);
    members.push({ name, method, packedBytes: packedBytes!, bytes: plainBytes!, crc, dataAt });
  }
  return members;
}

/** The end record stands in the last bytes, before a comment of any length. */
async function directoryOf(size: number, read: ZipRead): Promise<{ at: number; bytes: number; entries: number }> {
  const tail = await read(Math.max(0, size - END - COMMENT_MAX), size);
  const view = viewOf(tail);
  for (let p = tail.length - END; p >= 0; p--) {
    if (view.getUint32(p, true) !== 0x06054b50) continue;
    const entries = view.getUint16(p + 10, true);
    const bytes = view.getUint32(p + 12, true);
    const at = view.getUint32(p + 16, true);
    if (at === FILLED_32 || entries === 0xffff)
      throw new BadInput("This is a zip64 archive.", undefined, "Unpack it first.");
    if (at + bytes > size || bytes > DIRECTORY_MAX) continue;
    return { at, bytes, entries };
  }
  throw new BadInput(
    "The zip archive is cut: it has no directory at its end.",
    undefined,
    "Copy it again, or unpack what is left of it.",
  );
}
