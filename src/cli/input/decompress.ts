// Unpacks gzip, deflate (a file of a zip archive), xz, zstd and bzip2 as a stream: the first two by Node itself, the others by the tool of that name where it is installed, else
// (xz, zstd) by a library. A bomb is stopped by its ratio or by the argument's budget; what was unpacked before stays good.
import { spawn } from "node:child_process";
import type { Transform } from "node:stream";
import { Readable } from "node:stream";
import { createGunzip, createInflateRaw } from "node:zlib";
import { Decompress as ZstdDecompress } from "fzstd";
import type { ByteSource } from "../../base/byte_source.ts";
import { sourceOf } from "../../base/byte_source.ts";
import { startsWithBytes } from "../../base/bytes.ts";
import type { Budget } from "./limits.ts";

export type Compression = "gzip" | "xz" | "zstd" | "bzip2";

const magics: readonly (readonly [Compression, readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b, 0x08]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["bzip2", [0x42, 0x5a, 0x68]],
];

/** How a stream can be packed; deflate has no mark of its own. */
type Packing = Compression | "deflate";

/** How these first bytes are packed, if they are. */
export function compressionOf(head: Uint8Array): Compression | undefined {
  const found = magics.find(([, magic]) => startsWithBytes(head, magic))?.[0];
  // BZh is also three letters: a digit and a block's first bytes must follow.
  if (found === "bzip2" && !startsWithBytes(head, [0x31, 0x41, 0x59, 0x26, 0x53, 0x59], 4)) return undefined;
  return found;
}

/** An unpacking source; close it when it was not read to its end. */
export interface Unpacking {
  readonly source: ByteSource;
  close(): void;
}

/** Where native tools may be looked for; tests turn them off. */
export interface DecompressOptions {
  readonly nativeTools: boolean;
}

/** Unpacks `packed`. Faults of the data are told by source.problem() at the end. */
export function decompress(
  packed: ByteSource,
  kind: Packing,
  budget: Budget,
  options: DecompressOptions = { nativeTools: true },
): Unpacking {
  const state: State = { packedBytes: 0, unpackedBytes: 0, problem: undefined, closers: [] };
  const chunks = bounded(unpack(kind, counted(packed, state), state, options), state, budget, kind);
  const source = sourceOf(packed.name, chunks);
  return {
    source: { ...source, problem: () => state.problem ?? packed.problem?.() },
    close: () => {
      for (const closer of state.closers) closer();
    },
  };
}

interface State {
  packedBytes: number;
  unpackedBytes: number;
  problem: string | undefined;
  readonly closers: (() => void)[];
}

async function* counted(source: ByteSource, state: State): AsyncGenerator<Uint8Array> {
  for (;;) {
    const chunk = new Uint8Array(65_536);
    const n = await source.read(chunk);
    if (n === 0) return;
    state.packedBytes += n;
    yield chunk.subarray(0, n);
  }
}

async function* bounded(
  chunks: AsyncIterable<Uint8Array>,
  state: State,
  budget: Budget,
  kind: Packing,
): AsyncGenerator<Uint8Array> {
  const { limits } = budget;
  try {
    for await (const chunk of chunks) {
      state.unpackedBytes += chunk.length;
      budget.unpacked += chunk.length;
      const bomb =
        state.unpackedBytes > limits.ratioAfterBytes && state.unpackedBytes > limits.ratio * state.packedBytes;
      if (bomb || budget.unpacked > limits.unpackedBytes) {
        state.problem = bomb
          ? `It unpacks to more than ${limits.ratio} times its size, like an archive bomb: reading stopped after ${state.unpackedBytes} bytes.`
          : `It unpacks to more than ${limits.unpackedBytes} bytes: the rest was not read.`;
        return;
      }
      yield chunk;
    }
  } catch (error) {
    state.problem ??= `Its ${kind} data is damaged or cut off (${reason(error)}): ${state.unpackedBytes} bytes could be unpacked.`;
  } finally {
    for (const closer of state.closers) closer();
  }
}

const reason = (error: unknown): string => (error instanceof Error ? error.message.split("\n")[0]! : String(error));

async function* unpack(
  kind: Packing,
  packed: AsyncGenerator<Uint8Array>,
  state: State,
  options: DecompressOptions,
): AsyncGenerator<Uint8Array> {
  if (kind === "gzip" || kind === "deflate")
    return yield* inflate(kind === "gzip" ? createGunzip() : createInflateRaw(), packed, state);
  // To start the tool takes longer than to unpack a small log.
  const head = kind === "zstd" ? await beginningOf(packed) : { chunks: [], whole: false };
  const all = again(head.chunks, packed);
  if (kind === "zstd" && head.whole) return yield* unzstd(all);
  const tool = options.nativeTools ? await startTool(kind, state) : undefined;
  if (tool !== undefined) return yield* throughTool(tool, all, state);
  if (kind === "xz") return yield* unxz(all);
  if (kind === "zstd") return yield* unzstd(all);
  state.problem = "It is packed with bzip2, and the tool bzip2 is not installed: unpack it first.";
}

const smallBytes = 1 << 17;

/** The first chunks, and whether they are all. */
async function beginningOf(packed: AsyncGenerator<Uint8Array>): Promise<{ chunks: Uint8Array[]; whole: boolean }> {
  const chunks: Uint8Array[] = [];
  for (let bytes = 0; bytes < smallBytes; ) {
    const next = await packed.next();
    if (next.done === true) return { chunks, whole: true };
    bytes += next.value.length;
    chunks.push(next.value);
  }
  return { chunks, whole: false };
}

async function* again(chunks: readonly Uint8Array[], rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* chunks;
  yield* rest;
}

/** Packed bytes given at once: a bomb makes at most a thousand times as many of them before it is seen. */
const gzipStep = 16_384;

/** Not a pipe: when one fails, what it has unpacked but not handed on is lost, and of a cut log that is nearly all. */
async function* inflate(
  stream: Transform,
  packed: AsyncGenerator<Uint8Array>,
  state: State,
): AsyncGenerator<Uint8Array> {
  state.closers.push(() => stream.destroy());
  const ready: Uint8Array[] = [];
  const end: { failed?: Error; reached: boolean; wake(): void } = { reached: false, wake: () => undefined };
  stream.on("data", (bytes: Uint8Array) => ready.push(bytes));
  stream.once("end", () => {
    end.reached = true;
    end.wake();
  });
  stream.once("error", (error) => {
    end.failed = error;
    end.wake();
  });
  const given = (bytes: Uint8Array): Promise<void> =>
    new Promise((resolve) => {
      end.wake = resolve;
      stream.write(bytes, () => resolve());
    });
  const over = (): boolean => end.reached || end.failed !== undefined;
  for await (const chunk of packed) {
    for (let at = 0; at < chunk.length && !over(); at += gzipStep) {
      await given(chunk.subarray(at, at + gzipStep));
      yield* ready.splice(0);
    }
    if (over()) break;
  }
  if (!over()) {
    await new Promise<void>((resolve) => {
      end.wake = resolve;
      stream.end();
    });
  }
  yield* ready.splice(0);
  if (end.failed !== undefined) throw end.failed;
}

async function* unxz(packed: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  const library = (await import("xz-decompress")) as unknown as XzLibrary & { readonly default?: XzLibrary };
  const Stream = library.XzReadableStream ?? library.default?.XzReadableStream;
  const web = Readable.toWeb(Readable.from(packed)) as unknown;
  yield* new Stream!(web) as AsyncIterable<Uint8Array>;
}

interface XzLibrary {
  readonly XzReadableStream?: new (stream: unknown) => unknown;
}

async function* unzstd(packed: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  const ready: Uint8Array[] = [];
  const stream = new ZstdDecompress((chunk) => {
    ready.push(chunk);
  });
  for await (const chunk of packed) {
    stream.push(chunk);
    yield* ready.splice(0);
  }
  stream.push(new Uint8Array(0), true);
  yield* ready.splice(0);
}

type Tool = ReturnType<typeof spawn>;

/** Bounds the memory of the tool too: a dictionary of a gigabyte is not worth a log. */
const toolArguments: Readonly<Record<Exclude<Compression, "gzip">, readonly string[]>> = {
  xz: ["-dc", "--memlimit-decompress=256MiB"],
  zstd: ["-dcq", "--memory=256MB"],
  bzip2: ["-dc"],
};

/** The running tool, or undefined when it is not installed. */
function startTool(kind: Exclude<Compression, "gzip">, state: State): Promise<Tool | undefined> {
  return new Promise((resolve) => {
    const child = spawn(kind, toolArguments[kind], { stdio: ["pipe", "pipe", "pipe"] });
    child.once("spawn", () => {
      state.closers.push(() => child.kill());
      resolve(child);
    });
    child.once("error", () => resolve(undefined));
  });
}

async function* throughTool(child: Tool, packed: AsyncGenerator<Uint8Array>, state: State): AsyncGenerator<Uint8Array> {
  let complaint = "";
  child.stderr!.on("data", (text: Buffer) => {
    if (complaint.length < 500) complaint += text.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  const input = Readable.from(packed, { objectMode: false });
  // The tool may stop early (damage, or we kill it): its pipe then closes under the writer, which is no error of ours.
  child.stdin!.on("error", () => input.destroy());
  input.on("error", () => child.stdin!.destroy());
  input.pipe(child.stdin!);
  yield* child.stdout! as AsyncIterable<Uint8Array>;
  const code = await ended;
  if (code !== 0 && state.problem === undefined) throw new Error(complaint.trim() || `exit code ${code}`);
}
