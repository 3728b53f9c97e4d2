// /dev/kmsg as the kernel documents it (Documentation/ABI/testing/dev-kmsg): one record a read, `prefix;text`, lines that continue with a
// blank. Where it may not be opened, `dmesg -w` and the journal give the same lines without sequence numbers.
import { spawn } from "node:child_process";
import { closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { followFile } from "./follow_file.ts";

/** A line of the kernel's log. */
export interface KernelLine {
  /** Of /dev/kmsg; undefined from other sources. */
  readonly sequence: number | undefined;
  /** As dmesg prints it: `[    1.234567] text`. */
  readonly text: string;
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

/** Opens the log from the record behind `after`, or from the start of this boot's. Throws the system's error when there is no way. */
export function openKernelLog(after: number | undefined, path = "/dev/kmsg"): KernelLog {
  if (!statSync(path).isCharacterDevice()) return recordedLog(after, path);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const buffer = Buffer.alloc(mostBytes);
  let next = after === undefined ? undefined : after + 1;
  return {
    source: path,
    read() {
      const lines: KernelLine[] = [];
      let lost = 0;
      for (let records = 0; records < 100_000; records++) {
        let n: number;
        try {
          n = readSync(fd, buffer, 0, buffer.length, null);
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException;
          // EPIPE: the record to read was overwritten; the next read gives the oldest that is left, and its number tells how many are gone.
          if (code === "EPIPE") continue;
          break;
        }
        if (n === 0) break;
        const found = recordLines(buffer.toString("utf8", 0, n)) ?? [];
        const sequence = Number(buffer.toString("latin1", 0, 64).split(",")[1]);
        if (next !== undefined && sequence < next) continue;
        if (next !== undefined && sequence > next) lost += sequence - next;
        if (Number.isSafeInteger(sequence)) next = sequence + 1;
        lines.push(...found);
      }
      return { lines, lost };
    },
    close: () => closeSync(fd),
  };
}

/** A file that holds records as /dev/kmsg gives them, one behind the other, or lines as dmesg prints them; it may grow. */
function recordedLog(after: number | undefined, path: string): KernelLog {
  const file = followFile(path);
  return {
    source: path,
    read() {
      const lines = file.read().flatMap((line): readonly KernelLine[] => {
        const record = recordLines(line);
        if (record !== undefined) return record.filter((l) => after === undefined || (l.sequence ?? 0) > after);
        // A blank begins a line of a record's dictionary.
        return line.startsWith(" ") || line === "" ? [] : [{ sequence: undefined, text: line }];
      });
      return { lines, lost: 0, remarks: file.remarks() };
    },
    close: () => file.close(),
  };
}

/** `dmesg -w`, or the journal: for a user who may not open /dev/kmsg. */
export function followCommand(command: readonly [string, ...string[]]): KernelLog {
  const [program, ...words] = command;
  const child = spawn(program, words, { stdio: ["ignore", "pipe", "ignore"] });
  const pending: KernelLine[] = [];
  let rest = "";
  let ended = false;
  child.on("error", () => {
    ended = true;
  });
  child.on("close", () => {
    ended = true;
  });
  child.stdout.on("data", (chunk: Buffer) => {
    const parts = (rest + chunk.toString("utf8")).split("\n");
    rest = (parts.pop() ?? "").slice(0, mostBytes);
    for (const text of parts) if (pending.length < 100_000) pending.push({ sequence: undefined, text });
  });
  return {
    source: command.join(" "),
    read() {
      const lines = pending.splice(0);
      if (ended && lines.length === 0)
        throw Object.assign(new Error(`${command.join(" ")} has ended`), { code: "ENDED" });
      return { lines, lost: 0 };
    },
    close: () => void child.kill(),
  };
}
