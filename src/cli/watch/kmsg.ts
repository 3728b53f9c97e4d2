// /dev/kmsg as the kernel documents it (Documentation/ABI/testing/dev-kmsg): one record a read, `prefix;text`, lines that continue with a
// blank. Where it may not be opened, `dmesg -w` and the journal give the same lines without sequence numbers.
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { closeSync, constants, openSync, readSync, statSync } from "node:fs";
import type { FollowedLine } from "./follow_file.ts";
import { followFile } from "./follow_file.ts";
import type { SequenceOf } from "./told.ts";

/** A line of the kernel's log. */
export interface KernelLine {
  /** Rises with the lines: see SequenceOf. Undefined for lines before the first that has a stamp. */
  readonly sequence: number | undefined;
  /** As dmesg prints it: `[    1.234567] text`. */
  readonly text: string;
  /** Its number in a file that is followed. */
  readonly line?: number;
}

export interface KernelLog {
  readonly source: string;
  /** What has come since the last call; `lost` records were overwritten before they could be read. */
  read(): {
    readonly lines: readonly KernelLine[];
    readonly lost: number;
    /** Sentences about the source itself: it is gone, it was replaced. */
    readonly remarks?: readonly string[];
  };
  close(): void;
}

const mostBytes = 16_384;

/** One record as lines; undefined when it has not the form of a record. */
export function recordLines(record: string): KernelLine[] | undefined {
  const semicolon = record.indexOf(";");
  const fields = semicolon < 0 ? [] : record.slice(0, semicolon).split(",");
  const [priority, sequence, micros] = fields.map(Number);
  if (fields.length < 3 || ![priority, sequence, micros].every(Number.isSafeInteger)) return undefined;
  // User space writes to kmsg too (facility above 0); only the kernel's own words count.
  if ((priority as number) >> 3 !== 0) return [];
  const [first = ""] = record
    .slice(semicolon + 1)
    .replace(/\n$/, "")
    .split("\n");
  const stamp = `[${((micros as number) / 1e6).toFixed(6).padStart(12)}] `;
  // Lines that begin with a blank are the record's dictionary; a line break in a text is written as \x0a.
  const text = first.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return text.split("\n").map((t) => ({ sequence: sequence as number, text: stamp + t }));
}

/** What a read of /dev/kmsg gave: bytes of one record; "overwritten": the one to be read is gone; undefined: no more for now. */
export type OneRecord = Buffer | "overwritten" | undefined;

/** Records from `readOne` as lines; those up to number `after` are known already. */
export function recordReader(
  readOne: () => OneRecord,
  after: number | undefined,
): () => { lines: KernelLine[]; lost: number } {
  let next = after === undefined ? undefined : after + 1;
  return () => {
    const lines: KernelLine[] = [];
    let lost = 0;
    for (let records = 0; records < 100_000; records++) {
      const record = readOne();
      // The next read gives the oldest that is left, and its number tells how many are gone.
      if (record === "overwritten") continue;
      if (record === undefined) break;
      const found = recordLines(record.toString("utf8"));
      if (found === undefined) continue;
      const sequence = Number(record.toString("latin1", 0, 64).split(",")[1]);
      if (next !== undefined && sequence < next) continue;
      if (next !== undefined) lost += sequence - next;
      next = sequence + 1;
      lines.push(...found);
    }
    return { lines, lost };
  };
}

export interface OpenedLog {
  readonly log: KernelLog;
  readonly of: SequenceOf;
}

/** Opens the log from behind what was told, or from the start of this boot's. Throws the system's error when there is no way. */
export function openKernelLog(told: (of: SequenceOf) => number | undefined, path = "/dev/kmsg"): OpenedLog {
  if (!statSync(path).isCharacterDevice()) return recordedLog(told, path);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const buffer = Buffer.alloc(mostBytes);
  const read = recordReader(() => {
    try {
      const n = readSync(fd, buffer, 0, buffer.length, null);
      return n === 0 ? undefined : buffer.subarray(0, n);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === "EPIPE" ? "overwritten" : undefined;
    }
  }, told("records"));
  return { of: "records", log: { source: path, read, close: () => closeSync(fd) } };
}

/** A file that holds records as /dev/kmsg gives them, one behind the other, or lines as dmesg prints them; it may grow. */
function recordedLog(told: (of: SequenceOf) => number | undefined, path: string): OpenedLog {
  const file = followFile(path);
  const first = textsOf(file.read());
  const records = first.some((line) => recordLines(line) !== undefined);
  const of: SequenceOf = records ? "records" : "microseconds";
  const take = records ? recordsOf(told(of)) : stampedLines(told(of));
  let waiting: readonly string[] = first;
  return {
    of,
    log: {
      source: path,
      read() {
        const lines = take([...waiting, ...textsOf(file.read())]);
        waiting = [];
        return { lines, lost: 0, remarks: file.remarks() };
      },
      close: () => file.close(),
    },
  };
}

const textsOf = (lines: readonly FollowedLine[]): string[] => lines.map((l) => l.text);

const recordsOf =
  (after: number | undefined) =>
  (lines: readonly string[]): KernelLine[] =>
    lines.flatMap((line) => (recordLines(line) ?? []).filter((l) => after === undefined || (l.sequence ?? 0) > after));

/** Lines with the stamp of `[  12.345678]` as their number; a line without one has that of the line before. */
function stampedLines(after: number | undefined): (lines: readonly string[]) => KernelLine[] {
  let stamp: number | undefined;
  return (lines) =>
    lines.flatMap((text): KernelLine[] => {
      const found = /^(?:<\d{1,3}>)?\[ {0,8}(\d{1,12}\.\d{1,9})\] /.exec(text)?.[1];
      if (found !== undefined) stamp = Math.round(Number(found) * 1e6);
      return after !== undefined && stamp !== undefined && stamp <= after ? [] : [{ sequence: stamp, text }];
    });
}

/** `dmesg -w` or the journal, for a user who may not open /dev/kmsg: the first of the commands that writes a line is kept. */
export function followCommands(
  commands: readonly (readonly [string, ...string[]])[],
  told: (of: SequenceOf) => number | undefined,
): OpenedLog {
  const take = stampedLines(told("microseconds"));
  const pending: string[] = [];
  const tried: string[] = [];
  let child: ChildProcess | undefined;
  let source = "";
  let rest = "";
  let wrote = false;
  let over = false;
  const start = (at: number): void => {
    const command = commands[at];
    if (command === undefined || over) {
      over = true;
      return;
    }
    const [program, ...words] = command;
    source = command.join(" ");
    tried.push(source);
    let ended = false;
    const end = (): void => {
      if (ended) return;
      ended = true;
      if (wrote) over = true;
      else start(at + 1);
    };
    const running = spawn(program, words, { stdio: ["ignore", "pipe", "ignore"] });
    child = running;
    running.on("error", end);
    running.on("close", end);
    running.stdout.on("data", (chunk: Buffer) => {
      wrote = true;
      const parts = (rest + chunk.toString("utf8")).split("\n");
      rest = (parts.pop() ?? "").slice(0, mostBytes);
      for (const text of parts) if (pending.length < 100_000) pending.push(text);
    });
  };
  start(0);
  return {
    of: "microseconds",
    log: {
      get source() {
        return source;
      },
      read() {
        const lines = take(pending.splice(0));
        if (over && lines.length === 0) throw new Error(`${tried.join(", ")}: ended`);
        return { lines, lost: 0 };
      },
      close: () => {
        over = true;
        child?.kill();
      },
    },
  };
}
