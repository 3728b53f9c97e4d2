// What the kernel's own tools/vm/page_owner_sort does (6.1), same meaning and same bytes: `skblab page-owner --compat`. Its quirks are
// kept on purpose: a text repeated in a row counts as one record whatever its PFN line says; a time comparison never calls two equal;
// "UNRELEASED" is printed for blocks with a free time; reading stops at a block of 128 KiB.
// Different from the tool: no limit on the number of records, and the input may be a pipe or the live debugfs file.

import type { BlockBatch, PageOwnerScanner } from "../../artifact/page_owner/scan.ts";
import { blockFlag, createPageOwnerScanner } from "../../artifact/page_owner/scan.ts";
import { some } from "../../base/assert.ts";
import { BadInput } from "../../base/bad_input.ts";
import type { Column } from "./groups.ts";
import { createColumn, createGroupTable, mergeSort } from "./groups.ts";

/** What to sort and cull by; the words are the tool's. */
export type SortKey =
  | "pid"
  | "tgid"
  | "name"
  | "stacktrace"
  | "alloc_ts"
  | "free_ts"
  | "txt"
  | "allocator"
  | "num"
  | "page_num";
export type CullKey = "pid" | "tgid" | "name" | "stacktrace" | "free" | "allocator";

export interface SortToolOptions {
  readonly sort: readonly { readonly key: SortKey; readonly sign: 1 | -1 }[];
  readonly cull: ReadonlySet<CullKey>;
  readonly unreleasedOnly: boolean;
  readonly pids: readonly number[] | undefined;
  readonly tgids: readonly number[] | undefined;
  readonly names: readonly string[] | undefined;
}

const words: Readonly<Record<string, SortKey | "free">> = {
  pid: "pid",
  p: "pid",
  tgid: "tgid",
  tg: "tgid",
  name: "name",
  n: "name",
  stacktrace: "stacktrace",
  st: "stacktrace",
  free: "free",
  f: "free",
  txt: "txt",
  T: "txt",
  free_ts: "free_ts",
  ft: "free_ts",
  alloc_ts: "alloc_ts",
  at: "alloc_ts",
  allocator: "allocator",
  ator: "allocator",
};

const letters: Readonly<Record<string, { readonly key: SortKey; readonly sign: 1 | -1 }>> = {
  a: { key: "alloc_ts", sign: 1 },
  m: { key: "page_num", sign: -1 },
  p: { key: "pid", sign: 1 },
  r: { key: "free_ts", sign: 1 },
  s: { key: "stacktrace", sign: 1 },
  t: { key: "num", sign: -1 },
  P: { key: "tgid", sign: 1 },
  n: { key: "name", sign: 1 },
};

const longNames = ["pid", "tgid", "name", "cull", "sort"] as const;

/** Reads the tool's own command line (short letters may stand together, long names may be cut short); the rest are the inputs. */
export function parseSortToolOptions(args: readonly string[]): { options: SortToolOptions; inputs: readonly string[] } {
  let sort: { key: SortKey; sign: 1 | -1 }[] = [];
  const cull = new Set<CullKey>();
  let unreleasedOnly = false;
  let pids: number[] | undefined;
  let tgids: number[] | undefined;
  let names: string[] | undefined;
  const inputs: string[] = [];

  const numbers = (what: string, text: string): number[] =>
    text.split(",").map((n) => {
      if (!/^[ \t\n\v\f\r]*[+-]?\d+$/.test(n))
        throw new BadInput(`wrong/invalid ${what} in from the command line:${text}`);
      return Number(n);
    });
  const long = (name: (typeof longNames)[number], value: string): void => {
    if (name === "pid") pids = numbers("pid", value);
    else if (name === "tgid") tgids = numbers("tgid", value);
    else if (name === "name") names = value.split(",");
    else if (name === "cull") {
      for (const word of value.split(",")) {
        const key = words[word];
        if (
          key === undefined ||
          key === "txt" ||
          key === "free_ts" ||
          key === "alloc_ts" ||
          key === "num" ||
          key === "page_num"
        ) {
          throw new BadInput(
            `wrong argument after --cull option:${value}`,
            undefined,
            "Keys: pid, tgid, name, stacktrace, free, allocator.",
          );
        }
        cull.add(key);
      }
      if (sort.length === 0) sort = [{ key: "num", sign: -1 }];
    } else {
      sort = value.split(",").map((word) => {
        const sign = word.startsWith("-") ? -1 : 1;
        const key = words[word.replace(/^[+-]/, "")];
        if (key === undefined || key === "free") {
          throw new BadInput(
            `wrong argument after --sort option:${value}`,
            undefined,
            "Keys: pid, tgid, name, stacktrace, txt, free_ts, alloc_ts, allocator, each with + or - before it.",
          );
        }
        return { key, sign };
      });
    }
  };

  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    if (arg === "--") {
      inputs.push(...args.slice(i + 1));
      break;
    }
    if (arg.startsWith("--")) {
      const [word = "", given] = splitOnce(arg.slice(2), "=");
      const found = longNames.filter((n) => n === word || n.startsWith(word));
      const name = longNames.find((n) => n === word) ?? (found.length === 1 ? found[0] : undefined);
      const value = given ?? args[++i];
      if (name === undefined || value === undefined)
        throw new BadInput(`page_owner_sort has no option ${arg}, or it lacks its value.`);
      long(name, value);
    } else if (arg.startsWith("-") && arg !== "-") {
      for (const letter of arg.slice(1)) {
        const single = letters[letter];
        if (single !== undefined) sort = [single];
        else if (letter === "f") unreleasedOnly = true;
        else if (letter !== "d") throw new BadInput(`page_owner_sort has no option -${letter}.`);
      }
    } else inputs.push(arg);
  }
  return { options: { sort, cull, unreleasedOnly, pids, tgids, names }, inputs };
}

function splitOnce(text: string, by: string): [string, string | undefined] {
  const at = text.indexOf(by);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** The tool at work: fill `scanner.room()`, push, then `finish`. */
export interface SortTool {
  readonly scanner: PageOwnerScanner;
  /** Records kept ("loaded" in the tool's words). */
  loaded(): number;
  /** The answer, in pieces; call once. */
  finish(): Generator<Uint8Array>;
}

const allocatorBit = { cma: 2, slab: 4, vmalloc: 8, others: 16 } as const;
const blockBytesMax = 128 * 1024 - 1;

/** One record's values as the tool's expressions find them. */
interface Fields {
  pages: number;
  pid: number;
  tgid: number;
  /** Id in `names`. */
  comm: number;
  tsLo: number;
  tsHi: number;
  freeLo: number;
  freeHi: number;
}

export function createSortTool(options: SortToolOptions): SortTool {
  const byText = options.cull.size === 0;
  const needHeader = byText || options.sort.some((s) => s.key === "txt");
  const groups = createGroupTable();
  const columns = Object.fromEntries(
    ["num", "pages", "pid", "tgid", "comm", "tsLo", "tsHi", "freeLo", "freeHi", "allocator", "header", "stack"].map(
      (n) => [n, createColumn()],
    ),
  ) as Record<
    | "num"
    | "pages"
    | "pid"
    | "tgid"
    | "comm"
    | "tsLo"
    | "tsHi"
    | "freeLo"
    | "freeHi"
    | "allocator"
    | "header"
    | "stack",
    Column
  >;
  const commNames: string[] = [];
  const commIds = new Map<string, number>();
  const commOfKernel: number[] = [];
  const vmallocOfStack: (boolean | undefined)[] = [];
  let stopped = false;
  let loaded = 0;
  let extBits = 0;
  // The text of the record kept last, to see it repeated; its row takes the repetition whatever else differs.
  let lastHeader = new Uint8Array(256);
  let lastHeaderLength = -1;
  let lastStack = -1;
  let lastRow = -1;
  const f: Fields = { pages: 0, pid: -1, tgid: -1, comm: 0, tsLo: 0, tsHi: 0, freeLo: 0, freeHi: 0 };

  const commId = (name: string): number => {
    let id = commIds.get(name);
    if (id === undefined) {
      id = commNames.push(name) - 1;
      commIds.set(name, id);
    }
    return id;
  };

  const isVmalloc = (batch: BlockBatch, i: number): boolean => {
    const stack = batch.stack[i]!;
    let known = vmallocOfStack[stack];
    if (known === undefined) {
      const header = latin1(batch.memory.subarray(batch.header[i]!, batch.header[i]! + batch.headerLength[i]!));
      known = allocatedByVmalloc(`${header}\n${latin1(scanner.stackText(stack))}`);
      vmallocOfStack[stack] = known;
    }
    return known;
  };

  const fields = (batch: BlockBatch, i: number): void => {
    if ((batch.flags[i]! & blockFlag.oddHeader) !== 0) {
      oddFields(batch, i, f);
      return;
    }
    f.pages = (2 ** batch.order[i]!) | 0;
    f.pid = batch.pid[i]!;
    f.tgid = batch.tgid[i]!;
    const kernelId = batch.comm[i]!;
    let id = commOfKernel[kernelId];
    if (id === undefined) {
      id = commId(latin1(scanner.commText(kernelId)));
      commOfKernel[kernelId] = id;
    }
    f.comm = id;
    f.tsLo = batch.ts[2 * i]!;
    f.tsHi = batch.ts[2 * i + 1]!;
    f.freeLo = batch.freeTs[2 * i]!;
    f.freeHi = batch.freeTs[2 * i + 1]!;
  };

  const oddFields = (batch: BlockBatch, i: number, into: Fields): void => {
    const header = latin1(batch.memory.subarray(batch.header[i]!, batch.header[i]! + batch.headerLength[i]!));
    const text = batch.length[i] === 0 ? "" : `${header}\n${latin1(scanner.stackText(batch.stack[i]!))}`;
    const order = /order[ \t-\r]*(\d*),/.exec(text)?.[1] ?? "";
    into.pages = order !== "" && Number(order) <= 64 ? 1 << Number(order) : 0;
    into.pid = numberOr(/pid[ \t-\r]*(\d*),/.exec(text)?.[1], -1);
    into.tgid = numberOr(/tgid[ \t-\r]*(\d*) /.exec(text)?.[1], -1);
    into.comm = commId(/tgid[ \t-\r]*\d*[ \t-\r]*\((.*)\),[ \t-\r]*ts/.exec(text)?.[1] ?? "");
    const ts = BigInt.asUintN(64, bigOr(/ts[ \t-\r]*(\d*)[ \t-\r]*ns,/.exec(text)?.[1]));
    const free = BigInt.asUintN(64, bigOr(/free_ts[ \t-\r]*(\d*)[ \t-\r]*ns/.exec(text)?.[1]));
    into.tsLo = Number(ts & 0xffffffffn);
    into.tsHi = Number(ts >> 32n);
    into.freeLo = Number(free & 0xffffffffn);
    into.freeHi = Number(free >> 32n);
  };

  const wanted = (): boolean => {
    const freed = f.freeLo !== 0 || f.freeHi !== 0;
    if (options.unreleasedOnly && freed && (f.tsHi < f.freeHi || (f.tsHi === f.freeHi && f.tsLo < f.freeLo)))
      return false;
    if (options.pids !== undefined && !options.pids.includes(f.pid)) return false;
    if (options.tgids !== undefined && !options.tgids.includes(f.tgid)) return false;
    return options.names === undefined || options.names.includes(commNames[f.comm] as string);
  };

  const sameAsLast = (batch: BlockBatch, i: number): boolean => {
    if (batch.stack[i] !== lastStack || batch.headerLength[i] !== lastHeaderLength) return false;
    const at = batch.header[i]!;
    const { memory } = batch;
    // Times stand at the end of a header: looking from there ends soonest.
    for (let k = lastHeaderLength - 1; k >= 0; k--) if (memory[at + k] !== lastHeader[k]) return false;
    return true;
  };

  const remember = (batch: BlockBatch, i: number, row: number): void => {
    const length = batch.headerLength[i]!;
    if (length > lastHeader.length) lastHeader = new Uint8Array(length * 2);
    lastHeader.set(batch.memory.subarray(batch.header[i]!, batch.header[i]! + length));
    lastHeaderLength = length;
    lastStack = batch.stack[i]!;
    lastRow = row;
  };

  const { cull } = options;
  const [cStack, cPid, cTgid, cName, cFree, cAllocator] = (
    ["stacktrace", "pid", "tgid", "name", "free", "allocator"] as const
  ).map((k) => cull.has(k)) as [boolean, boolean, boolean, boolean, boolean, boolean];
  const needAllocator = byText || cAllocator || options.sort.some((s) => s.key === "allocator");

  const take = (batch: BlockBatch): void => {
    for (let i = 0; i < batch.count && !stopped; i++) {
      if (batch.length[i]! >= blockBytesMax) {
        stopped = true;
        return;
      }
      const flags = batch.flags[i]!;
      if ((flags & blockFlag.hasPfn) !== 0) extBits = flags;
      if (lastRow >= 0 && sameAsLast(batch, i)) {
        fields(batch, i);
        columns.num.add(lastRow, 1);
        columns.pages.add(lastRow, f.pages);
        continue;
      }
      fields(batch, i);
      if (!wanted()) continue;
      loaded++;
      let allocator = 0;
      if (needAllocator) {
        if ((extBits & blockFlag.saysCma) !== 0) allocator |= allocatorBit.cma;
        if ((extBits & blockFlag.saysSlab) !== 0) allocator |= allocatorBit.slab;
        if (isVmalloc(batch, i)) allocator |= allocatorBit.vmalloc;
        if (allocator === 0) allocator = allocatorBit.others;
      }
      const stack = batch.stack[i]!;
      const before = groups.size;
      const row = byText
        ? groups.row(batch.headerId[i]!, stack, 0, 0, 0, 0)
        : groups.row(
            cStack ? stack : 0,
            cPid ? f.pid : 0,
            cTgid ? f.tgid : 0,
            cName ? f.comm : 0,
            cFree && (f.freeLo !== 0 || f.freeHi !== 0) ? 1 : 0,
            cAllocator ? allocator : 0,
          );
      if (row === before) {
        columns.pid.set(row, f.pid);
        columns.tgid.set(row, f.tgid);
        columns.comm.set(row, f.comm);
        columns.tsLo.set(row, f.tsLo);
        columns.tsHi.set(row, f.tsHi);
        columns.freeLo.set(row, f.freeLo);
        columns.freeHi.set(row, f.freeHi);
        columns.allocator.set(row, allocator);
        columns.stack.set(row, stack);
        if (needHeader) columns.header.set(row, batch.headerId[i]!);
      }
      columns.num.add(row, 1);
      columns.pages.add(row, f.pages);
      remember(batch, i, row);
    }
  };

  const scanner = createPageOwnerScanner(take, { keepHeaders: needHeader });

  function* finish(): Generator<Uint8Array> {
    scanner.end(false);
    const rows = Int32Array.from({ length: groups.size }, (_, i) => i);
    const texts = createTextOrder(scanner, commNames);
    const c = columns;
    const by: Record<SortKey | "free", (a: number, b: number) => number> = {
      num: (a, b) => (c.num.get(a) - c.num.get(b)) | 0,
      page_num: (a, b) => ((c.pages.get(a) | 0) - (c.pages.get(b) | 0)) | 0,
      pid: (a, b) => c.pid.get(a) - c.pid.get(b),
      tgid: (a, b) => c.tgid.get(a) - c.tgid.get(b),
      allocator: (a, b) => c.allocator.get(a) - c.allocator.get(b),
      name: (a, b) => texts.comms(c.comm.get(a), c.comm.get(b)),
      stacktrace: (a, b) => texts.stacks(c.stack.get(a), c.stack.get(b)),
      txt: (a, b) => texts.headers(c.header.get(a), c.header.get(b)) || texts.stacks(c.stack.get(a), c.stack.get(b)),
      alloc_ts: (a, b) => (less(c.tsHi, c.tsLo, a, b) ? -1 : 1),
      free_ts: (a, b) => (less(c.freeHi, c.freeLo, a, b) ? -1 : 1),
      free: (a, b) => Number(released(a)) - Number(released(b)),
    };
    const released = (row: number): boolean => c.freeLo.get(row) !== 0 || c.freeHi.get(row) !== 0;
    const cullOrder = (["stacktrace", "pid", "tgid", "name", "free", "allocator"] as const).filter((k) => cull.has(k));
    mergeSort(rows, byText ? by.txt : (a, b) => firstDifference(cullOrder, (k) => by[k](a, b)));
    mergeSort(rows, (a, b) => firstDifference(options.sort, (s) => s.sign * by[s.key](a, b)));
    yield* print(rows, options, c, commNames, scanner, byText);
  }

  return { scanner, loaded: () => loaded, finish };
}

function less(hi: Column, lo: Column, a: number, b: number): boolean {
  return hi.get(a) < hi.get(b) || (hi.get(a) === hi.get(b) && lo.get(a) < lo.get(b));
}

function firstDifference<T>(keys: readonly T[], compare: (key: T) => number): number {
  for (const key of keys) {
    const d = compare(key);
    if (d !== 0) return d;
  }
  return 0;
}

function* print(
  rows: Int32Array,
  options: SortToolOptions,
  c: Readonly<
    Record<"num" | "pages" | "pid" | "tgid" | "comm" | "freeLo" | "freeHi" | "allocator" | "header" | "stack", Column>
  >,
  commNames: readonly string[],
  scanner: PageOwnerScanner,
  byText: boolean,
): Generator<Uint8Array> {
  const out = createPieces();
  const { cull } = options;
  const memory = scanner.memory();
  const copy = (kind: "stack" | "header", id: number): void => {
    const { at, length } = scanner.textPlace(kind, id);
    out.bytes(memory.subarray(at, at + length));
  };
  for (const row of rows) {
    const counted = `${c.num.get(row)} times, ${c.pages.get(row) | 0} pages`;
    if (byText) {
      out.text(`${counted}, ${allocatorText(c.allocator.get(row))}:\n`);
      copy("header", c.header.get(row));
      // Only the empty record has an empty header line, and it has no newline either.
      if (scanner.textPlace("header", c.header.get(row)).length > 0) out.text("\n");
      copy("stack", c.stack.get(row));
      out.text("\n");
    } else {
      out.text(counted);
      if (cull.has("pid") || options.pids !== undefined) out.text(`, PID ${c.pid.get(row)}`);
      if (cull.has("tgid") || options.tgids !== undefined) out.text(`, TGID ${c.tgid.get(row)}`);
      if (cull.has("name") || options.names !== undefined)
        out.text(`, task_comm_name: ${some(commNames[c.comm.get(row)], "comm")}`);
      if (cull.has("allocator")) out.text(`, ${allocatorText(c.allocator.get(row))}`);
      if (cull.has("free"))
        out.text(c.freeLo.get(row) !== 0 || c.freeHi.get(row) !== 0 ? " (UNRELEASED)" : " (RELEASED)");
      if (cull.has("stacktrace")) {
        out.text(":\n");
        copy("stack", c.stack.get(row));
      }
      out.text("\n");
    }
    if (out.full()) yield out.take();
  }
  yield out.take();
}

function allocatorText(bits: number): string {
  const names = [
    [allocatorBit.cma, "CMA "],
    [allocatorBit.slab, "SLAB "],
    [allocatorBit.vmalloc, "VMALLOC "],
    [allocatorBit.others, "OTHERS "],
  ] as const;
  return `allocated by ${names.map(([bit, name]) => ((bits & bit) !== 0 ? name : "")).join("")}`;
}

/** Whether __vmalloc_node_range stands in the text with alloc_pages in the line before it. */
function allocatedByVmalloc(text: string): boolean {
  const at = text.indexOf("__vmalloc_node_range");
  if (at < 0) return false;
  const lineStart = text.lastIndexOf("\n", at);
  const previous = text.lastIndexOf("\n", lineStart - 1) + 1;
  const found = text.indexOf("alloc_pages", previous);
  return found >= 0 && found < at;
}

/** Orders of interned texts as strcmp has them. Ranks are made on first use: few texts, many comparisons. */
function createTextOrder(
  scanner: PageOwnerScanner,
  commNames: readonly string[],
): Record<"stacks" | "headers" | "comms", (a: number, b: number) => number> {
  let stackRank: Int32Array | undefined;
  let headerRank: Int32Array | undefined;
  const ranks = (order: Int32Array): Int32Array => {
    const rank = new Int32Array(order.length);
    for (let at = 0; at < order.length; at++) rank[order[at]!] = at;
    return rank;
  };
  const rankStacks = (): Int32Array => {
    const texts = Array.from({ length: scanner.stackCount() }, (_, id) => scanner.stackText(id));
    const order = Int32Array.from(texts, (_, id) => id);
    mergeSort(order, (a, b) => compareBytes(texts[a]!, texts[b]!));
    return ranks(order);
  };
  return {
    stacks(a, b) {
      stackRank ??= rankStacks();
      return stackRank[a]! - stackRank[b]!;
    },
    headers(a, b) {
      headerRank ??= ranks(scanner.sortedHeaders());
      return headerRank[a]! - headerRank[b]!;
    },
    comms: (a, b) => {
      const x = commNames[a] as string;
      const y = commNames[b] as string;
      return x < y ? -1 : x > y ? 1 : 0;
    },
  };
}

/** strcmp() of two lines that a newline ends. */
function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    const d = a[i]! - b[i]!;
    if (d !== 0) return d;
  }
  return (a.length > n ? a[n]! : 10) - (b.length > n ? b[n]! : 10);
}

function numberOr(text: string | undefined, otherwise: number): number {
  return text === undefined || text === "" ? otherwise : Number(text) | 0;
}

function bigOr(text: string | undefined): bigint {
  return text === undefined || text === "" ? -1n : BigInt(text);
}

const pieceBytes = 1 << 20;

/** Output gathered into pieces of about a mebibyte. Texts are bytes as latin-1: what came in goes out. */
function createPieces(): { text(t: string): void; bytes(b: Uint8Array): void; full(): boolean; take(): Uint8Array } {
  let piece = new Uint8Array(pieceBytes * 2);
  let used = 0;
  const reach = (n: number): void => {
    if (used + n <= piece.length) return;
    const wider = new Uint8Array(Math.max(piece.length * 2, used + n));
    wider.set(piece.subarray(0, used));
    piece = wider;
  };
  return {
    text(t) {
      reach(t.length);
      for (let i = 0; i < t.length; i++) piece[used++] = t.charCodeAt(i);
    },
    bytes(b) {
      reach(b.length);
      piece.set(b, used);
      used += b.length;
    },
    full: () => used >= pieceBytes,
    take() {
      const done = piece.slice(0, used);
      used = 0;
      return done;
    },
  };
}

/** Bytes as characters 0..255. */
function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return text;
}
