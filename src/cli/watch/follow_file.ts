// A log file that somebody appends to, read as `tail -F` reads it: what is there, then what comes; a file that was rotated, cut or taken away is
// opened anew when it is there again, and its lines are told from the start.
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { BadInput } from "../../base/bad_input.ts";

/** A line, and its number in the file that stood at the path when it was read. */
export interface FollowedLine {
  readonly line: number;
  readonly text: string;
}

export interface FollowedFile {
  /** Whole lines that have come since the last call; with `all`, a line that has no end yet as well. */
  read(all?: boolean): readonly FollowedLine[];
  /** How many whole lines stand before `position`, when that is known; to be said before the first read. */
  behind(lines: number): void;
  /** What happened to the file since it was last asked, one sentence each. */
  remarks(): readonly string[];
  close(): void;
}

/** Bytes that one call reads at most, so that a large file does not hold up a watch. */
const mostBytes = 4 << 20;
/** A line is cut here: no line of a kernel is longer. */
const longestLine = 65_536;

/** Throws the system's error when the file cannot be opened at first. Bytes before `position` are left out. */
export function followFile(path: string, position = 0): FollowedFile {
  let line = 0;
  let fd: number | undefined = openSync(path, "r");
  if (fstatSync(fd).isDirectory()) {
    closeSync(fd);
    throw new BadInput("It is a directory, not a log.", { file: path });
  }
  let rest = "";
  let gone = false;
  const decoder = new TextDecoder();
  const buffer = Buffer.alloc(1 << 16);
  const remarks: string[] = [];

  const drop = (): void => {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
    position = 0;
    line = 0;
  };
  /** Opens what stands at the path now where that is another file than the one that is open, or the same one cut. */
  const renew = (): void => {
    let stats: ReturnType<typeof statSync>;
    try {
      stats = statSync(path);
    } catch {
      if (!gone) remarks.push(`${path} is gone: waiting for it to come back.`);
      gone = true;
      return;
    }
    const open = fd === undefined ? undefined : fstatSync(fd);
    const same = open !== undefined && open.ino === stats!.ino && open.dev === stats!.dev;
    if (same && stats!.size >= position) {
      gone = false;
      return;
    }
    const why = same ? "was cut" : gone ? "is back" : "was replaced";
    try {
      const next = openSync(path, "r");
      drop();
      fd = next;
      remarks.push(`${path} ${why}: reading it from its start.`);
      gone = false;
    } catch {
      if (!gone) remarks.push(`${path} ${why}, but may not be opened: waiting.`);
      gone = true;
    }
  };
  const next = (text: string): FollowedLine => {
    line++;
    return { line, text };
  };
  const take = (lines: FollowedLine[]): void => {
    for (let bytes = 0; fd !== undefined && bytes < mostBytes; ) {
      let n: number;
      try {
        n = readSync(fd, buffer, 0, buffer.length, position);
      } catch (error) {
        remarks.push(`${path} cannot be read for now: ${(error as Error).message}.`);
        return;
      }
      if (n === 0) return;
      position += n;
      bytes += n;
      const parts = (rest + decoder.decode(buffer.subarray(0, n), { stream: true })).split("\n");
      rest = (parts.pop() ?? "").slice(0, longestLine);
      for (const text of parts) lines.push(next(text.slice(0, longestLine)));
    }
  };
  return {
    read(all = false) {
      const lines: FollowedLine[] = [];
      // What was appended to a file before it was rotated away comes first.
      take(lines);
      const before = fd;
      const left = { line: line + 1, text: rest };
      renew();
      if (fd !== before) {
        if (left.text !== "") lines.push(left);
        rest = "";
        take(lines);
      }
      if (all && rest !== "") {
        lines.push(next(rest));
        rest = "";
      }
      return lines;
    },
    behind(lines) {
      line = lines;
    },
    remarks: () => remarks.splice(0),
    close: drop,
  };
}
