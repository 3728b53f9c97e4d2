// Given files as their parts: a zip archive as its members, bytes as text in whatever encoding, the beginning of anything.
import { transcode } from "../../artifact/transcode.ts";
import { isZip, zipMembers } from "../../artifact/zip.ts";
import { BadInput } from "../../base/bad_input.ts";
import { sourceOf } from "../../base/byte_source.ts";
import { chunksOf, inflatedBy } from "./streams.ts";

export interface GivenFile {
  readonly name: string;
  readonly blob: Blob;
}

/** A member larger than this is no log that a page should hold. */
const memberBytesMax = 1 << 30;

/** The members of a zip archive as files of their own, unpacked; `onProblem` hears of those that cannot be. */
export async function zipFiles(file: GivenFile, onProblem: (sentence: string) => void): Promise<readonly GivenFile[]> {
  const { blob, name } = file;
  const read = async (from: number, to: number): Promise<Uint8Array> =>
    new Uint8Array(await blob.slice(from, to).arrayBuffer());
  const members = await zipMembers(blob.size, read, onProblem);
  const files: GivenFile[] = [];
  for (const m of members) {
    const packed = blob.slice(m.dataAt, m.dataAt + m.packedBytes);
    try {
      files.push({ name: `${name}:${m.name}`, blob: m.method === 0 ? packed : await inflated(packed) });
    } catch (error) {
      onProblem(`${m.name} was not read: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return files;
}

async function inflated(packed: Blob): Promise<Blob> {
  const stream = inflatedBy(packed.stream(), "deflate-raw");
  const parts: BlobPart[] = [];
  let bytes = 0;
  for (const reader = stream.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return new Blob(parts);
    bytes += value.length;
    if (bytes > memberBytesMax) throw new Error("it unpacks to more than 1 GiB.");
    parts.push(value);
  }
}

/** Each file, and of an archive each of its members. */
export async function* expanded(
  files: readonly GivenFile[],
  onProblem: (name: string, sentence: string) => void,
): AsyncGenerator<GivenFile & { readonly named: boolean }> {
  for (const file of files) {
    if (!isZip(new Uint8Array(await file.blob.slice(0, 4).arrayBuffer()))) {
      yield { ...file, named: true };
      continue;
    }
    for (const member of await zipFiles(file, (s) => onProblem(file.name, s))) yield { ...member, named: false };
  }
}

/** The first bytes, unpacked; what came before the damage of a damaged file. Throws when there is nothing before it. */
export async function headOf({ name, blob }: GivenFile, bytes: number): Promise<Uint8Array> {
  const head = new Uint8Array(bytes);
  let filled = 0;
  try {
    for await (const chunk of chunksOf(name, blob, () => undefined)) {
      const part = chunk.subarray(0, bytes - filled);
      head.set(part, filled);
      filled += part.length;
      if (filled === bytes) break;
    }
  } catch (error) {
    if (filled === 0 || !(error instanceof BadInput)) throw error;
  }
  return head.subarray(0, filled);
}

/** Bytes as text: UTF-16 in either order, or UTF-8. Undefined when the bytes are neither. */
export function plainText(bytes: Uint8Array): string | undefined {
  const wide = transcode(bytes, sourceOf("", [bytes]))?.form;
  if (wide?.startsWith("UTF-16") === true)
    return new TextDecoder(wide.includes("little") ? "utf-16le" : "utf-16be").decode(bytes);
  return bytes.subarray(0, 65_536).includes(0) && nulls(bytes) * 10 > bytes.length
    ? undefined
    : new TextDecoder().decode(bytes);
}

function nulls(bytes: Uint8Array): number {
  let n = 0;
  for (const b of bytes) if (b === 0) n++;
  return n;
}
