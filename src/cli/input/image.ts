// Memory images as random-access bytes: a file by its descriptor, a packed one unpacked into memory, /proc/kcore page by page.
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { BadInput } from "../../base/bad_input.ts";
import { imageHeadBytes, looksLikeImage } from "../../image/container/open.ts";
import type { RandomBytes } from "../../image/container/random_bytes.ts";
import { cannotRead } from "./cannot_read.ts";
import { compressionOf } from "./decompress.ts";
import { openInputs } from "./open.ts";
import { refusePipe } from "./whole.ts";

/** Open images; close them when the answer is given. */
export interface OpenedImages {
  readonly sources: readonly RandomBytes[];
  /** The files, where they are read as they lie; undefined when one of them was unpacked into memory. */
  readonly files: readonly string[] | undefined;
  close(): void;
}

/** Opens every named file. Throws BadInput with the reason when one cannot be opened or unpacked. */
export async function openImageFiles(paths: readonly string[]): Promise<OpenedImages> {
  const descriptors: number[] = [];
  const close = (): void => {
    for (const fd of descriptors.splice(0)) closeSync(fd);
  };
  try {
    const sources: RandomBytes[] = [];
    let isDirect = true;
    for (const path of paths) {
      if (path === "-") throw new BadInput("An image is read from a file, not from standard input.");
      const fd = openFile(path);
      descriptors.push(fd);
      const direct = descriptorBytes(path, fd);
      const head = new Uint8Array(16);
      direct.read(0, head);
      const isPlain = path.startsWith("/proc/") || compressionOf(head) === undefined;
      isDirect &&= isPlain;
      sources.push(isPlain ? direct : await unpacked(path));
    }
    return { sources, files: isDirect ? paths : undefined, close };
  } catch (error) {
    close();
    throw error;
  }
}

function openFile(path: string): number {
  refusePipe(path, "a memory image");
  try {
    const fd = openSync(path, "r");
    if (!fstatSync(fd).isDirectory()) return fd;
    closeSync(fd);
  } catch (error) {
    const { code } = error as { readonly code?: string };
    throw cannotRead(path, error, code === "EPERM" || code === "EACCES" ? "Only root can read it." : undefined);
  }
  throw new BadInput("It is a directory.", { file: path }, "Give the image itself.");
}

function descriptorBytes(name: string, fd: number): RandomBytes {
  const stats = fstatSync(fd);
  return {
    name,
    // Files of /proc say a size that has nothing to do with what can be read.
    // Places in /proc/kcore are kernel addresses: with 5 levels of page tables they lie beyond 2^53, on borders of pages, which a number still tells.
    size: name.startsWith("/proc/") ? Number.POSITIVE_INFINITY : stats.size,
    read(at, into) {
      let done = 0;
      try {
        while (done < into.length) {
          const n = readSync(fd, into, done, into.length - done, BigInt(at) + BigInt(done));
          if (n === 0) break;
          done += n;
        }
      } catch {
        // Unreadable sectors and holes of /proc/kcore: what could not be read is absent.
      }
      return done;
    },
  };
}

const chunkBytes = 1 << 20;
/** A packed image is held in memory; stretches of zeros take none. */
const mostHeldBytes = 6 * 2 ** 30;

async function unpacked(path: string): Promise<RandomBytes> {
  for await (const item of openInputs([path], { limits: { ratio: 1000 } })) {
    if (!("source" in item)) throw new BadInput(item.sentence, { file: item.name });
    const chunks: (Uint8Array | undefined)[] = [];
    let size = 0;
    let held = 0;
    for (let chunk = new Uint8Array(chunkBytes); ; ) {
      const filled = await fill(item.source, chunk);
      size += filled;
      if (filled > 0) {
        const isZero = chunk.subarray(0, filled).every((b) => b === 0);
        chunks.push(isZero ? undefined : chunk);
        if (!isZero) {
          held += chunkBytes;
          if (held > mostHeldBytes)
            throw new BadInput("Unpacked it takes more than 6 GiB.", { file: path }, "Unpack it to a file first.");
          chunk = new Uint8Array(chunkBytes);
        }
      }
      if (filled < chunkBytes) break;
    }
    const problem = item.source.problem?.();
    if (problem !== undefined) throw new BadInput(problem, { file: path });
    return chunkedBytes(path, chunks, size);
  }
  throw new BadInput("There is nothing in it.", { file: path });
}

async function fill(source: { read(into: Uint8Array): number | Promise<number> }, into: Uint8Array): Promise<number> {
  let filled = 0;
  while (filled < into.length) {
    const n = await source.read(into.subarray(filled));
    if (n === 0) break;
    filled += n;
  }
  return filled;
}

function chunkedBytes(name: string, chunks: readonly (Uint8Array | undefined)[], size: number): RandomBytes {
  return {
    name,
    size,
    read(at, into) {
      const wanted = Math.max(0, Math.min(into.length, size - at));
      for (let done = 0; done < wanted; ) {
        const from = (at + done) % chunkBytes;
        const n = Math.min(chunkBytes - from, wanted - done);
        const chunk = chunks[Math.floor((at + done) / chunkBytes)];
        if (chunk === undefined) into.fill(0, done, done + n);
        else into.set(chunk.subarray(from, from + n), done);
        done += n;
      }
      return wanted;
    },
  };
}

/** True for a file that begins as a memory image does; packed ones are not looked into. */
export function isImageFile(path: string): boolean {
  let fd: number;
  try {
    // A FIFO is not opened twice: without a writer the first time would never end, and with one it would take the reader away from it.
    if (!statSync(path).isFile()) return false;
    fd = openSync(path, "r");
  } catch {
    return false;
  }
  try {
    const head = new Uint8Array(imageHeadBytes);
    return readSync(fd, head, 0, head.length, 0) === head.length && looksLikeImage(head);
  } finally {
    closeSync(fd);
  }
}
