// How page_owner dumps come in: plain files and pipes straight into the scanner's memory, compressed ones through their decompressors.
// The live debugfs file is read like a pipe (its size is 0), which is what the kernel's own tools of 2005 and today cannot do.
import { closeSync, constants, fstatSync, openSync, statSync } from "node:fs";
import type { Census, CensusOptions } from "../../analysis/page_owner/census.ts";
import { createCensus } from "../../analysis/page_owner/census.ts";
import { readSortedText } from "../../analysis/page_owner/sorted_text.ts";
import { dumpForm, readStackTables } from "../../analysis/page_owner/stack_tables.ts";
import { HEAD_BYTES, identify } from "../../artifact/identify.ts";
import type { PageOwnerScanner } from "../../artifact/page_owner/scan.ts";
import { feed } from "../../artifact/page_owner/scan.ts";
import { BadInput } from "../../base/bad_input.ts";
import type { ByteSource } from "../../base/byte_source.ts";
import { withHead } from "../../base/byte_source.ts";
import type { Io } from "../command.ts";
import { cannotRead } from "./cannot_read.ts";
import type { Compression } from "./decompress.ts";
import { compressionOf, decompress } from "./decompress.ts";
import { inputLimits } from "./limits.ts";
import { patientReader } from "./whole.ts";

const headBytes = 65536;
/** A table of stacks is held as text: each stack stands in it once. */
const tableBytesMax = 256 << 20;

interface Opened {
  readonly fd: number;
  readonly read: (into: Uint8Array) => number;
  readonly size: number;
  readonly head: Uint8Array;
}

/** Feeds a whole dump; progress by bytes where the size is known. Throws BadInput for what cannot be read. */
export async function fillScanner(scanner: PageOwnerScanner, path: string, io: Io): Promise<void> {
  const opened = open(path);
  try {
    await pour(opened, path, (chunk) => feed(scanner, chunk), io, scanner);
  } finally {
    if (opened.fd !== 0) closeSync(opened.fd);
  }
}

/** The census of one dump of any form. */
export async function takeCensus(
  path: string,
  options: CensusOptions,
  io: Io,
  stacksPath: string | undefined,
): Promise<Census> {
  const opened = open(path);
  try {
    const taker = createCensus(options);
    let form: ReturnType<typeof dumpForm> | undefined;
    let text = "";
    let head = "";
    const decoder = new TextDecoder("latin1");
    await pour(
      opened,
      path,
      (chunk) => {
        if (form === undefined || form === "unknown") {
          head += decoder.decode(chunk.subarray(0, headBytes));
          form = dumpForm(head);
          if (form === "unknown" && head.length >= headBytes) throw notADump(head, path);
        }
        if (form === "records" || form === "unknown") feed(taker.scanner, chunk);
        else {
          text += decoder.decode(chunk);
          if (text.length > tableBytesMax)
            throw new BadInput("A sorted dump or a table of stacks longer than 256 MiB is not read.", { file: path });
        }
      },
      io,
    );
    if (stacksPath !== undefined && (form === "records" || form === "sorted"))
      throw new BadInput("Its stacks are in it: it is not show_handles.", { file: path }, "Leave --stacks out.");
    if (form === "sorted") return readSortedText(text, path);
    if (form === "stack-table" || form === "handles") {
      return readStackTables(text, path, stacksPath === undefined ? undefined : await readText(stacksPath, io));
    }
    if (form !== "records") throw notADump(head, path);
    return taker.finish();
  } finally {
    if (opened.fd !== 0) closeSync(opened.fd);
  }
}

async function readText(path: string, io: Io): Promise<string> {
  const opened = open(path);
  const decoder = new TextDecoder("latin1");
  let text = "";
  try {
    await pour(
      opened,
      path,
      (chunk) => {
        text += decoder.decode(chunk);
      },
      io,
    );
  } finally {
    if (opened.fd !== 0) closeSync(opened.fd);
  }
  return text;
}

function open(path: string): Opened {
  let fd: number;
  try {
    const fifo = path !== "-" && statSync(path).isFIFO();
    fd = path === "-" ? 0 : openSync(path, constants.O_RDONLY | (fifo ? constants.O_NONBLOCK : 0));
  } catch (error) {
    throw unreadable(path, error as NodeJS.ErrnoException);
  }
  const read = patientReader(path, fd);
  const stat = fstatSync(fd);
  if (stat.isDirectory()) throw new BadInput("This is a directory, not a page_owner dump.", { file: path });
  const head = Buffer.alloc(headBytes);
  let got = 0;
  // Enough for magic bytes; a pipe may give little at a time.
  while (got < 6) {
    const n = read(head.subarray(got));
    if (n === 0) break;
    got += n;
  }
  return { fd, read, size: stat.isFile() ? stat.size : 0, head: head.subarray(0, got) };
}

function unreadable(path: string, error: NodeJS.ErrnoException): BadInput {
  const debugfs = path.startsWith("/sys/kernel/debug");
  if (error.code === "EACCES" || error.code === "EPERM") {
    return new BadInput(
      "Permission denied.",
      { file: path },
      debugfs ? `Only root can read debugfs: sudo cat ${path} | skblab page-owner -` : "Read it as a user who may.",
    );
  }
  if (error.code === "ENOENT" && debugfs) {
    return new BadInput(
      "There is no such file: page_owner is not enabled, or debugfs is not mounted.",
      { file: path },
      "Boot with page_owner=on (the kernel needs CONFIG_PAGE_OWNER), then: mount -t debugfs none /sys/kernel/debug",
    );
  }
  return cannotRead(path, error);
}

function notADump(head: string, path: string): BadInput {
  if (head.length === 0) {
    return new BadInput(
      "The dump is empty.",
      { file: path },
      path.startsWith("/sys/kernel/debug")
        ? "page_owner is built in but not enabled: boot with page_owner=on."
        : "An empty file has no owners.",
    );
  }
  const [looks] = identify(Buffer.from(head.slice(0, HEAD_BYTES), "latin1"));
  const first = head.split("\n").find((l) => l.trim() !== "") ?? "";
  const isLike =
    looks === undefined || looks.kind === "text" || looks.kind === "page_owner" ? "" : ` It looks like: ${looks.kind}.`;
  return new BadInput(
    looks?.kind === "binary"
      ? `This is a binary file, not a page_owner dump. ${looks.because}`
      : `This is not a page_owner dump; it begins "${first.slice(0, 80)}".${isLike}`,
    { file: path, line: 1 },
    looks?.kind === "kernel log"
      ? `For a kernel log: skblab diagnose ${path}`
      : 'A dump begins with "Page allocated via order …".',
  );
}

async function pour(
  opened: Opened,
  path: string,
  take: (chunk: Uint8Array) => void,
  io: Io,
  scanner?: PageOwnerScanner,
): Promise<void> {
  const { fd, size, head } = opened;
  const kind = compressionOf(head);
  let read = head.length;
  const started = process.hrtime.bigint();
  const progress = (): void => {
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    const rate = read / 1048576 / Math.max(seconds, 0.001);
    const left =
      size > 0 && read < size ? `, ${Math.ceil((size - read) / 1048576 / Math.max(rate, 0.001))} s left` : "";
    io.progress(
      path,
      size > 0 ? Math.min(0.999, read / size) : undefined,
      `${Math.round(read / 1048576)} MiB, ${Math.round(rate)} MiB/s${left}`,
    );
  };
  if (kind !== undefined) {
    await unpack(kind, opened, path, take, (n) => {
      read += n;
      progress();
    });
  } else {
    take(head);
    const buffer = scanner === undefined ? Buffer.allocUnsafe(1 << 19) : undefined;
    for (;;) {
      // Plain bytes go straight into the scanner's own memory.
      const n = opened.read(buffer ?? scanner!.room());
      if (n === 0) break;
      if (buffer === undefined) scanner!.push(n);
      else take(buffer.subarray(0, n));
      read += n;
      progress();
    }
  }
  io.progress(path, 1);
  // A file that lost bytes behind our back would give a census that looks whole.
  const now = size > 0 && read < size ? fstatSync(fd).size : size;
  if (now < size)
    throw new BadInput(
      `The file shrank while it was read: it had ${size} bytes, and ${read} could be read.`,
      { file: path },
      "Something rewrote it: read it again when that is done, or read the live file through a pipe.",
    );
}

/** Unpacks with the same streams as every other input; a damaged or cut file is an error here, for a census of a part misleads. */
async function unpack(
  kind: Compression,
  opened: Opened,
  path: string,
  take: (chunk: Uint8Array) => void,
  count: (bytes: number) => void,
): Promise<void> {
  const rest: ByteSource = {
    name: path,
    read(into) {
      const n = opened.read(into);
      count(n);
      return n;
    },
  };
  const packed = withHead(opened.head, rest);
  const { source } = decompress(packed, kind, { limits: inputLimits, unpacked: 0, files: 0 });
  const buffer = new Uint8Array(1 << 18);
  for (;;) {
    const n = await source.read(buffer);
    if (n === 0) break;
    take(buffer.subarray(0, n));
  }
  const problem = source.problem?.();
  if (problem !== undefined)
    throw new BadInput(problem, { file: path }, "Unpack it by hand to see how much can be recovered.");
}
