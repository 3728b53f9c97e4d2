// The files of a zip archive as byte sources: its directory stands at its end, so a file on disk is read here and there, anything else as a whole.
import { readSync } from "node:fs";
import { crc32 } from "node:zlib";
import type { ZipMember, ZipRead } from "../../artifact/zip.ts";
import { zipMembers } from "../../artifact/zip.ts";
import { BadInput } from "../../base/bad_input.ts";
import type { ByteSource } from "../../base/byte_source.ts";
import { readHead } from "../../base/byte_source.ts";
import type { Unpacking } from "./decompress.ts";
import { decompress } from "./decompress.ts";
import type { Budget } from "./limits.ts";

/** An archive of which any part can be read. */
export interface Seekable {
  readonly size: number;
  readonly read: ZipRead;
}

/** A regular file. */
export const seekableFile = (fd: number, size: number): Seekable => ({
  size,
  async read(from, to) {
    const bytes = new Uint8Array(Math.max(0, to - from));
    let filled = 0;
    while (filled < bytes.length) {
      const n = readSync(fd, bytes, filled, bytes.length - filled, from + filled);
      if (n === 0) break;
      filled += n;
    }
    return bytes.subarray(0, filled);
  },
});

/** An archive that streams by (from a pipe or within another archive) is held in memory. */
const heldBytes = 256 << 20;

/** A whole stream held in memory; a sentence where it is too long for that. */
export async function seekableStream(source: ByteSource): Promise<Seekable | string> {
  const all = await readHead(source, heldBytes);
  if (all.length === heldBytes)
    return "A zip archive of 256 MiB and more is read from a file only: save it, then name it.";
  // What was cut off may be the archive's directory: the source's own problem says more than ours.
  return { size: all.length, read: async (from, to) => all.subarray(from, to) };
}

/** Members with what is in them, one after the other; read (or left) before the next is asked for. */
export async function* unzipped(
  name: string,
  archive: Seekable,
  budget: Budget,
  onProblem: (sentence: string) => void,
): AsyncGenerator<Unpacking> {
  let members: readonly ZipMember[];
  try {
    members = await zipMembers(archive.size, archive.read, onProblem);
  } catch (error) {
    if (!(error instanceof BadInput)) throw error;
    onProblem(error.sentence());
    return;
  }
  for (const member of members) {
    const packed = partOf(`${name}:${member.name}`, archive, member);
    const { source, close } =
      member.method === 0 ? { source: packed, close: () => undefined } : decompress(packed, "deflate", budget);
    yield { source: checked(source, member), close };
  }
}

/** Deflate has no checksum of its own: damage may unpack to something. */
function checked(source: ByteSource, { crc, bytes }: ZipMember): ByteSource {
  let sum = 0;
  let total = 0;
  let problem: string | undefined;
  return {
    ...source,
    async read(into) {
      const n = await source.read(into);
      sum = crc32(into.subarray(0, n), sum);
      total += n;
      if (n === 0 && into.length > 0 && (sum !== crc || total !== bytes))
        problem = `It does not have the checksum that its archive gives: what was read of it (${total} of ${bytes} bytes) may be damaged.`;
      return n;
    },
    problem: () => source.problem?.() ?? problem,
  };
}

function partOf(name: string, archive: Seekable, { dataAt, packedBytes }: ZipMember): ByteSource {
  let at = dataAt;
  const end = dataAt + packedBytes;
  return {
    name,
    async read(into) {
      const piece = await archive.read(at, Math.min(end, at + into.length));
      into.set(piece);
      at += piece.length;
      return piece.length;
    },
    problem: () => (at < end ? "The archive ends before it does: the rest was not read." : undefined),
  };
}
