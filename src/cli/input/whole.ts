// Files that a command reads whole (scenarios, BTF), and what every reader of a named file needs: no wait for a FIFO that nobody writes to, no end
// to memory for a device that never ends. Logs and dumps are streamed (open.ts).
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";
import { BadInput } from "../../base/bad_input.ts";
import { cannotRead, isSystemError } from "./cannot_read.ts";

/** How long a FIFO may stay without a writer, in ms. */
export const writerWait = 10_000;
/** A vmlinux with debug information has a gigabyte. */
const mostBytes = 2 ** 31;

export const nobodyWrites = (path: string, wait = writerWait): BadInput =>
  new BadInput(`It is a FIFO, and for ${wait / 1000} s nobody wrote to it.`, { file: path });

/** A descriptor for reading; a FIFO's does not wait for its writer: read it with `patientReader`. */
export function openToRead(path: string): number {
  if (path === "-") return 0;
  try {
    const fifo = statSync(path).isFIFO();
    return openSync(path, constants.O_RDONLY | (fifo ? constants.O_NONBLOCK : 0));
  } catch (error) {
    throw cannotRead(path, error);
  }
}

/** Reads on, waiting where a pipe is empty for the moment; 0 at the end. BadInput when nobody writes to a FIFO for `writerWait`. */
export function patientReader(path: string, fd: number): (into: Uint8Array) => number {
  const nap = new Int32Array(new SharedArrayBuffer(4));
  const until = Date.now() + writerWait;
  let written = !(path !== "-" && fstatSync(fd).isFIFO());
  return (into) => {
    for (;;) {
      try {
        const n = readSync(fd, into);
        if (n > 0 || written) {
          written = true;
          return n;
        }
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "EOF") return 0;
        if (code !== "EAGAIN") throw isSystemError(error) ? cannotRead(path, error) : error;
        written = true;
      }
      if (!written && Date.now() > until) throw nobodyWrites(path);
      Atomics.wait(nap, 0, 0, 10);
    }
  };
}

/** The bytes of a file; standard input for "-". */
export function wholeFile(path: string): Buffer {
  const fd = openToRead(path);
  try {
    const read = patientReader(path, fd);
    const parts: Uint8Array[] = [];
    for (let total = 0; ; ) {
      // The whole of a regular file at once; a pipe or a file of /proc piece by piece.
      const chunk = new Uint8Array(Math.max(1 << 16, total === 0 ? Math.min(fstatSync(fd).size + 1, mostBytes) : 0));
      const n = read(chunk);
      if (n === 0) return Buffer.concat(parts);
      total += n;
      if (total > mostBytes || (total > 1 << 26 && !fstatSync(fd).isFile()))
        throw new BadInput("It does not end where such a file would.", { file: path }, "Name a file of that kind.");
      parts.push(chunk.subarray(0, n));
    }
  } finally {
    if (fd > 2) closeSync(fd);
  }
}

/** The same as text. */
export const wholeText = (path: string): string => wholeFile(path).toString("utf8");

/** BadInput for a FIFO: `what` is read here and there, not from front to back. */
export function refusePipe(path: string, what: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isFIFO() === true)
    throw new BadInput(`It is a FIFO, and ${what} is read more than once.`, { file: path }, "Save it to a file first.");
}
