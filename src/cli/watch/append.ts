// A file that lines are appended to, each whole or not at all. What a full disk refuses is kept and written when there is room again; the file is
// opened anew each time, so that whoever rotates it needs to tell nobody.
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, statSync, writeSync } from "node:fs";
import { BadInput } from "../../base/bad_input.ts";
import { cannotWrite, refuseForeignLink } from "../output.ts";

export interface Appender {
  /** Takes a line (without its end) and writes what waits; a sentence when that failed for the first time, or works again. */
  add(line: string): string | undefined;
  /** Tries again what waits. */
  retry(): string | undefined;
  /** Lines that are not in the file yet. */
  readonly waiting: number;
}

/** Lines kept for a disk that is full; the oldest go first, and are counted. */
const mostWaiting = 1000;

export function createAppender(path: string): Appender {
  const waiting: string[] = [];
  let failing = false;
  let dropped = 0;
  const retry = (): string | undefined => {
    while (waiting.length > 0) {
      try {
        appendLine(path, waiting[0] as string);
      } catch (error) {
        const first = !failing;
        failing = true;
        const why = error instanceof BadInput ? error : cannotWrite(path, error);
        return first ? `${why.sentence()} Its lines are kept, and written when that works again.` : undefined;
      }
      waiting.shift();
    }
    if (!failing) return undefined;
    failing = false;
    const lost = dropped === 0 ? "" : ` ${dropped} lines did not fit and were dropped.`;
    dropped = 0;
    return `${path} can be written again, and has what was kept.${lost}`;
  };
  return {
    add(line) {
      waiting.push(line);
      if (waiting.length > mostWaiting) {
        waiting.shift();
        dropped++;
      }
      return retry();
    },
    retry,
    get waiting() {
      return waiting.length;
    },
  };
}

function appendLine(path: string, line: string): void {
  refuseForeignLink(path);
  // A FIFO that nobody reads from is no place to write: ENXIO, instead of a wait without end.
  const isFifo = statSync(path, { throwIfNoEntry: false })?.isFIFO() === true;
  const fd = openSync(path, isFifo ? constants.O_WRONLY | constants.O_NONBLOCK : "a+");
  try {
    const stats = fstatSync(fd);
    // A line that a killed process left unfinished is ended first: what follows must be a line of its own.
    const last = Buffer.alloc(1);
    const torn = stats.isFile() && stats.size > 0 && readSync(fd, last, 0, 1, stats.size - 1) === 1 && last[0] !== 10;
    const bytes = Buffer.from(`${torn ? "\n" : ""}${line}\n`);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    } catch (error) {
      // What a full disk took of the line is taken back.
      if (stats.isFile()) ftruncateSync(fd, stats.size);
      throw error;
    }
  } finally {
    closeSync(fd);
  }
}
