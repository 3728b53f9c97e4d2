// Cuts a page_owner dump into blocks at the speed of memory: the bytes go straight into a small WebAssembly kernel (kernel.c), which
// finds the blocks, reads the usual header and PFN line and gives equal stack texts equal ids. What it hands over is columns, one row a
// block, valid during the callback only. This file knows nothing of meaning: read.ts and analysis/page_owner do.
import { assert } from "../../base/assert.ts";
import { BadInput } from "../../base/bad_input.ts";
import { kernelWasm } from "./kernel_wasm.ts";

/** Why a block needs a second look; kernel.c has the same numbers. */
export const blockFlag = { oddHeader: 1, oddPfn: 2, saysSlab: 4, saysCma: 8, hasPfn: 16, moved: 32 } as const;

const columnNames = [
  "stack",
  "order",
  "mask",
  "pid",
  "tgid",
  "comm",
  "header",
  "headerLength",
  "ext",
  "extLength",
  "flags",
  "block",
  "types",
  "length",
  "headerId",
  "ts",
  "freeTs",
  "pfn",
] as const;

/** Rows 0 .. count-1. Numbers that a block lacks are -1 (0xffffffff in pairs). Addresses index `memory`. */
export interface BlockBatch {
  count: number;
  memory: Uint8Array;
  /** Ids of interned texts: the stack (everything behind header and PFN line), the process name, the header line if kept
   *  (lines that hold a time are kept one by one, so equal ones may have several ids). */
  stack: Int32Array;
  comm: Int32Array;
  headerId: Int32Array;
  order: Int32Array;
  /** gfp mask as printed. */
  mask: Int32Array;
  pid: Int32Array;
  tgid: Int32Array;
  /** Address and bytes of the header line without its newline, and of the PFN line with it. */
  header: Int32Array;
  headerLength: Int32Array;
  ext: Int32Array;
  extLength: Int32Array;
  flags: Int32Array;
  /** Pageblock number; migrate type letters: page in bits 0..7, pageblock in bits 8..15. */
  block: Int32Array;
  types: Int32Array;
  /** Bytes of header, newline and stack text. */
  length: Int32Array;
  /** Nanoseconds as pairs (low 32 bits, high 32 bits). */
  ts: Uint32Array;
  freeTs: Uint32Array;
  pfn: Float64Array;
}

export interface ScanEnd {
  /** Bytes seen in all. */
  readonly bytes: number;
  /** Bytes behind the last empty line: the dump was cut there. */
  readonly unfinishedBytes: number;
  /** Blocks too long for the buffer (1 MiB), skipped. */
  readonly oversized: number;
}

/** Hands all of `bytes` to a scanner, in pieces that fit. */
export function feed(scanner: Pick<PageOwnerScanner, "room" | "push">, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    const room = scanner.room();
    const n = Math.min(room.length, bytes.length - at);
    room.set(bytes.subarray(at, at + n));
    scanner.push(n);
    at += n;
  }
}

export interface PageOwnerScanner {
  /** Where the next bytes go: fill it from the start (at least 64 KiB) and say how many with `push`. */
  room(): Uint8Array;
  push(bytes: number): void;
  /** The end of the input. With `keepTail`, a last block without its empty line is still handed over. */
  end(keepTail: boolean): ScanEnd;
  stackCount(): number;
  /** Copies of interned texts. */
  stackText(id: number): Uint8Array;
  commText(id: number): Uint8Array;
  headerText(id: number): Uint8Array;
  /** A rank for each kept header line, in the order of strcmp; equal lines have equal ranks. Call when all is read. */
  headerRanks(): Int32Array;
  /** Texts "prefix, header line, newline, stack, newline" put together beside the interned texts. */
  writer(): RecordWriter;
  /** Bytes of memory the kernel holds. */
  memoryBytes(): number;
}

/** Puts records together without making strings of them. */
export interface RecordWriter {
  /** A prefix to use again and again (latin-1 characters); returns its number. */
  prefix(text: string): number;
  /** Appends a record of interned texts; true when `take` should be called. */
  record(prefix: number, header: number, stack: number): boolean;
  /** What was appended since the last take; a view that is good until the next record. */
  take(): Uint8Array;
}

interface Kernel {
  readonly memory: { readonly buffer: ArrayBuffer };
  scan(from: number, length: number): number;
  consumed(): number;
  want(pidOrTgid: number, value: number): number;
  buffer_at(): number;
  buffer_size(): number;
  records_max(): number;
  column(which: number): number;
  keep_header_lines(): void;
  text_count(table: number): number;
  text_at(table: number, id: number): number;
  text_len(table: number, id: number): number;
  header_ranks(): number;
  keep(bytes: number): number;
  out_at(): number;
  emit(prefix: number, prefixLength: number, header: number, stack: number): number;
}

export interface ScanOptions {
  /** Whole header lines are kept too: memory then grows with the dump. */
  readonly keepHeaders?: boolean;
  /** Leaves out plain records of other pids or thread groups before anything is kept of them. Unusual records still come: judge them. */
  readonly pids?: readonly number[] | undefined;
  readonly tgids?: readonly number[] | undefined;
}

const wantedMax = 64;

function want(kernel: Kernel, which: 0 | 1, values: readonly number[] | undefined): void {
  if (values === undefined || values.length === 0 || values.length > wantedMax) return;
  for (const value of values) kernel.want(which, value);
}

/** A scanner that calls `onBatch` with rows in the order of the dump. */
export function createPageOwnerScanner(
  onBatch: (batch: BlockBatch) => void,
  options: ScanOptions = {},
): PageOwnerScanner {
  const kernel = instantiate();
  if (options.keepHeaders === true) kernel.keep_header_lines();
  want(kernel, 0, options.pids);
  want(kernel, 1, options.tgids);
  const base = kernel.buffer_at();
  const size = kernel.buffer_size();
  let batch = viewsOf(kernel);
  let filled = 0;
  let seen = 0;
  let oversized = 0;
  let skipping = false;

  const scanAll = (): void => {
    let from = 0;
    for (;;) {
      const count = kernel.scan(from, filled) >>> 0;
      if (count === 0xffffffff) {
        throw new BadInput(
          "This dump has more distinct stacks than fit in 4 GiB of memory.",
          undefined,
          "Filter it first, or leave out the sort by text.",
        );
      }
      if (batch.memory.buffer !== kernel.memory.buffer) batch = viewsOf(kernel);
      from = kernel.consumed();
      if (count === 0) break;
      batch.count = count;
      onBatch(batch);
    }
    batch.memory.copyWithin(base, base + from, base + filled);
    filled -= from;
  };

  // A block longer than the buffer: drop it up to its empty line.
  const skip = (): void => {
    const text = batch.memory.subarray(base, base + filled);
    for (let at = text.indexOf(10); at >= 0 && at + 1 < filled; at = text.indexOf(10, at + 1)) {
      if (text[at + 1] !== 10) continue;
      text.copyWithin(0, at + 2);
      filled -= at + 2;
      skipping = false;
      return;
    }
    if (filled > 1) {
      text.copyWithin(0, filled - 1);
      filled = 1;
    }
  };

  return {
    room: () => batch.memory.subarray(base + filled, base + size),
    push(bytes) {
      assert(bytes >= 0 && filled + bytes <= size, () => `${bytes} bytes pushed into ${size - filled}`);
      seen += bytes;
      filled += bytes;
      if (skipping) skip();
      if (!skipping) scanAll();
      if (filled > size - 65536) {
        oversized++;
        skipping = true;
        skip();
      }
    },
    end(keepTail) {
      const unfinished = filled;
      if (keepTail && filled > 0 && !skipping) {
        const memory = batch.memory;
        if (memory[base + filled - 1] !== 10) memory[base + filled++] = 10;
        memory[base + filled++] = 10;
        scanAll();
      }
      return { bytes: seen, unfinishedBytes: unfinished, oversized };
    },
    stackCount: () => kernel.text_count(0),
    stackText: (id) => textOf(kernel, 0, id),
    commText: (id) => textOf(kernel, 1, id),
    headerText: (id) => textOf(kernel, 2, id),
    headerRanks() {
      const count = kernel.text_count(2);
      const at = kernel.header_ranks() >>> 0;
      assert(at !== 0 || count === 0, "no memory left to sort header lines");
      return new Int32Array(kernel.memory.buffer, at, count).slice();
    },
    writer: () => createWriter(kernel),
    memoryBytes: () => kernel.memory.buffer.byteLength,
  };
}

const writeBytes = 1 << 20;

function createWriter(kernel: Kernel): RecordWriter {
  const prefixes: { at: number; length: number }[] = [];
  let start = kernel.out_at() >>> 0;
  let used = 0;
  return {
    prefix(text) {
      const at = kernel.keep(text.length) >>> 0;
      assert(at !== 0 && start !== 0, "no memory left to write records");
      const bytes = new Uint8Array(kernel.memory.buffer, at, text.length);
      for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
      return prefixes.push({ at, length: text.length }) - 1;
    },
    record(prefix, header, stack) {
      const p = prefixes[prefix]!;
      used = kernel.emit(p.at, p.length, header, stack);
      return used >= writeBytes;
    },
    take() {
      const piece = new Uint8Array(kernel.memory.buffer, start, used);
      start = kernel.out_at() >>> 0;
      used = 0;
      return piece;
    },
  };
}

function textOf(kernel: Kernel, table: number, id: number): Uint8Array {
  assert(id >= 0 && id < kernel.text_count(table), () => `text ${id} of ${kernel.text_count(table)} in table ${table}`);
  const at = kernel.text_at(table, id);
  return new Uint8Array(kernel.memory.buffer, at, kernel.text_len(table, id)).slice();
}

function viewsOf(kernel: Kernel): BlockBatch {
  const { buffer } = kernel.memory;
  const rows = kernel.records_max();
  const at = (name: (typeof columnNames)[number]): number => kernel.column(columnNames.indexOf(name));
  const ints = (name: (typeof columnNames)[number]): Int32Array => new Int32Array(buffer, at(name), rows);
  return {
    count: 0,
    memory: new Uint8Array(buffer),
    stack: ints("stack"),
    comm: ints("comm"),
    headerId: ints("headerId"),
    order: ints("order"),
    mask: ints("mask"),
    pid: ints("pid"),
    tgid: ints("tgid"),
    header: ints("header"),
    headerLength: ints("headerLength"),
    ext: ints("ext"),
    extLength: ints("extLength"),
    flags: ints("flags"),
    block: ints("block"),
    types: ints("types"),
    length: ints("length"),
    ts: new Uint32Array(buffer, at("ts"), rows * 2),
    freeTs: new Uint32Array(buffer, at("freeTs"), rows * 2),
    pfn: new Float64Array(buffer, at("pfn"), rows),
  };
}

// WebAssembly is in Node and in browsers, but in no library that the rooms above the faces are typed with.
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

let compiled: object | undefined;

function instantiate(): Kernel {
  compiled ??= new WebAssembly.Module(Uint8Array.from(atob(kernelWasm), (c) => c.charCodeAt(0)));
  return new WebAssembly.Instance(compiled).exports as unknown as Kernel;
}
