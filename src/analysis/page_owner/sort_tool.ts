// What the kernel's own tools/vm/page_owner_sort does (6.1), same meaning and same bytes: `skblab page-owner --compat`. Its quirks are
// kept on purpose: a text repeated in a row counts as one record whatever its PFN line says; a time comparison never calls two equal;
// "UNRELEASED" is printed for blocks with a free time; reading stops at a block of 128 KiB.
// Different from the tool: no limit on the number of records, and the input may be a pipe or the live debugfs file.

import type { BlockBatch, PageOwnerScanner } from "../../artifact/page_owner/scan.ts";
import { blockFlag, createPageOwnerScanner } from "../../artifact/page_owner/scan.ts";
import { allocatedByVmalloc, allocatorBit } from "./allocators.ts";
import { createGroupTable, mergeSort, radixSort } from "./groups.ts";
import type { SortKey, SortToolOptions } from "./sort_options.ts";
import { printCulled, printTexts } from "./sort_print.ts";
import type { SortRows } from "./sort_rows.ts";
import { createSortRows } from "./sort_rows.ts";

/** The tool at work: fill `scanner.room()`, push, then `finish`. */
export interface SortTool {
  readonly scanner: PageOwnerScanner;
  /** Records kept ("loaded" in the tool's words). */
  loaded(): number;
  /** The answer, in pieces, each good until the next is asked for; call once. */
  finish(): Generator<Uint8Array>;
}

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
  const rows = createSortRows();
  const commNames: string[] = [];
  const commIds = new Map<string, number>();
  const commOfKernel: number[] = [];
  /** Rows of texts whose header another text has too, by their place in `groups`. */
  const laterRows: number[] = [];
  const vmallocOfStack: (boolean | undefined)[] = [];
  let stopped = false;
  let loaded = 0;
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
    into.comm = commId(/tgid[ \t-\r]{0,40}\d{0,20}[ \t-\r]{0,40}\((.{0,200})\),[ \t-\r]{0,40}ts/.exec(text)?.[1] ?? "");
    const ts = BigInt.asUintN(64, bigOr(/ts[ \t-\r]{0,40}(\d{0,40})[ \t-\r]{0,40}ns,/.exec(text)?.[1]));
    const free = BigInt.asUintN(64, bigOr(/free_ts[ \t-\r]{0,40}(\d{0,40})[ \t-\r]{0,40}ns/.exec(text)?.[1]));
    into.tsLo = Number(ts & 0xffffffffn);
    into.tsHi = Number(ts >> 32n);
    into.freeLo = Number(free & 0xffffffffn);
    into.freeHi = Number(free >> 32n);
  };

  // Most headers are distinct (they hold a time): the first row of each is found without the table.
  let rowOfHeader = new Int32Array(1024).fill(-1);
  const rowOfText = (header: number, stack: number): number => {
    if (header >= rowOfHeader.length) {
      const wider = new Int32Array(Math.max(header + 1, rowOfHeader.length * 2)).fill(-1);
      wider.set(rowOfHeader);
      rowOfHeader = wider;
    }
    const first = rowOfHeader[header]!;
    if (first >= 0 && rows.stack[first] === stack) return first;
    if (first < 0) {
      rowOfHeader[header] = rows.size;
      return rows.add();
    }
    const at = groups.row(header, stack, 0, 0, 0, 0);
    if (at === laterRows.length) laterRows.push(rows.add());
    return laterRows[at] as number;
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
      if (needAllocator && lastRow >= 0 && sameAsLast(batch, i)) {
        fields(batch, i);
        rows.num[lastRow]! += 1;
        rows.pages[lastRow]! += f.pages;
        continue;
      }
      fields(batch, i);
      if (!wanted()) continue;
      loaded++;
      let allocator = 0;
      if (needAllocator) {
        if ((flags & blockFlag.saysCma) !== 0) allocator |= allocatorBit.cma;
        if ((flags & blockFlag.saysSlab) !== 0) allocator |= allocatorBit.slab;
        if (isVmalloc(batch, i)) allocator |= allocatorBit.vmalloc;
        if (allocator === 0) allocator = allocatorBit.others;
      }
      const stack = batch.stack[i]!;
      let row: number;
      if (byText) {
        row = rowOfText(batch.headerId[i]!, stack);
      } else {
        row = groups.row(
          cStack ? stack : 0,
          cPid ? f.pid : 0,
          cTgid ? f.tgid : 0,
          cName ? f.comm : 0,
          cFree && (f.freeLo !== 0 || f.freeHi !== 0) ? 1 : 0,
          cAllocator ? allocator : 0,
        );
        if (row === rows.size) rows.add();
      }
      if (rows.num[row] === 0) {
        rows.pid[row] = f.pid;
        rows.tgid[row] = f.tgid;
        rows.comm[row] = f.comm;
        rows.ts[2 * row] = f.tsLo;
        rows.ts[2 * row + 1] = f.tsHi;
        rows.freeTs[2 * row] = f.freeLo;
        rows.freeTs[2 * row + 1] = f.freeHi;
        rows.allocator[row] = allocator;
        rows.stack[row] = stack;
        if (needHeader) rows.header[row] = batch.headerId[i]!;
      }
      rows.num[row]! += 1;
      rows.pages[row]! += f.pages;
      // Only the allocator can differ between equal texts.
      if (needAllocator) remember(batch, i, row);
    }
  };

  const scanner = createPageOwnerScanner(take, { keepHeaders: needHeader, pids: options.pids, tgids: options.tgids });

  function* finish(): Generator<Uint8Array> {
    scanner.end(false);
    const texts = createTextOrder(scanner, commNames);
    const { num, pages, pid, tgid, comm, allocator, header, stack } = rows;
    const by: Record<SortKey | "free", (a: number, b: number) => number> = {
      num: (a, b) => (num[a]! - num[b]!) | 0,
      page_num: (a, b) => (pages[a]! - pages[b]!) | 0,
      pid: (a, b) => (pid[a]! - pid[b]!) | 0,
      tgid: (a, b) => (tgid[a]! - tgid[b]!) | 0,
      allocator: (a, b) => allocator[a]! - allocator[b]!,
      name: (a, b) => texts.comms(comm[a]!, comm[b]!),
      stacktrace: (a, b) => texts.stacks(stack[a]!, stack[b]!),
      txt: (a, b) => texts.headers(header[a]!, header[b]!) || texts.stacks(stack[a]!, stack[b]!),
      alloc_ts: (a, b) => (earlier(rows.ts, a, b) ? -1 : 1),
      free_ts: (a, b) => (earlier(rows.freeTs, a, b) ? -1 : 1),
      free: (a, b) => Number(rows.freed(a)) - Number(rows.freed(b)),
    };
    const cullOrder = (["stacktrace", "pid", "tgid", "name", "free", "allocator"] as const).filter((k) => cull.has(k));
    const compare = (
      keys: readonly { readonly key: SortKey | "free"; readonly sign: 1 | -1 }[],
    ): ((a: number, b: number) => number) => {
      const [first, ...rest] = keys.map(({ key, sign }) =>
        sign === 1 ? by[key] : (a: number, b: number) => -by[key](a, b),
      );
      if (first === undefined) return () => 0;
      return rest.length === 0 ? first : (a, b) => first(a, b) || firstDifference(rest, (f) => f(a, b));
    };
    let order: Int32Array;
    if (byText) order = mergeEqualTexts(rows, texts);
    else {
      order = Int32Array.from({ length: rows.size }, (_, i) => i);
      mergeSort(order, compare(cullOrder.map((key) => ({ key, sign: 1 }))));
    }
    const [only, more] = options.sort;
    const whole =
      only === undefined || more !== undefined
        ? undefined
        : { num, page_num: pages, pid, tgid, allocator }[only.key as string];
    if (only !== undefined && whole !== undefined) radixSort(order, (row) => only.sign * whole[row]!);
    else mergeSort(order, compare(options.sort));
    yield* byText ? printTexts(order, rows, scanner) : printCulled(order, rows, options, commNames, scanner);
  }

  return { scanner, loaded: () => loaded, finish };
}

function earlier(pairs: Uint32Array, a: number, b: number): boolean {
  const x = pairs[2 * a + 1]!;
  const y = pairs[2 * b + 1]!;
  return x < y || (x === y && pairs[2 * a]! < pairs[2 * b]!);
}

function firstDifference<T>(keys: readonly T[], compare: (key: T) => number): number {
  for (const key of keys) {
    const d = compare(key);
    if (d !== 0) return d;
  }
  return 0;
}

interface TextOrder {
  stacks(a: number, b: number): number;
  headers(a: number, b: number): number;
  comms(a: number, b: number): number;
  headerRanks(): Int32Array;
}

/** Rows in the order of their texts; rows of equal text become one, the first. */
function mergeEqualTexts(rows: SortRows, texts: TextOrder): Int32Array {
  const rank = texts.headerRanks();
  const { header, stack, num, pages } = rows;
  const order = Int32Array.from({ length: rows.size }, (_, i) => i);
  radixSort(order, (row) => rank[header[row]!]!);
  let kept = 0;
  for (let from = 0; from < order.length; ) {
    const r = rank[header[order[from]!]!]!;
    let to = from + 1;
    while (to < order.length && rank[header[order[to]!]!] === r) to++;
    if (to - from > 1) mergeSort(order.subarray(from, to), (a, b) => texts.stacks(stack[a]!, stack[b]!));
    for (let i = from; i < to; i++) {
      const row = order[i]!;
      const last = i > from ? order[kept - 1]! : -1;
      if (last >= 0 && stack[last] === stack[row]) {
        num[last]! += num[row]!;
        pages[last]! += pages[row]!;
      } else order[kept++] = row;
    }
    from = to;
  }
  return order.subarray(0, kept);
}

/** Orders of interned texts as strcmp has them. Ranks are made on first use: few texts, many comparisons. */
function createTextOrder(scanner: PageOwnerScanner, commNames: readonly string[]): TextOrder {
  let stackRank: Int32Array | undefined;
  let headerRank: Int32Array | undefined;
  const headerRanks = (): Int32Array => {
    headerRank ??= scanner.headerRanks();
    return headerRank;
  };
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
    headers: (a, b) => headerRanks()[a]! - headerRanks()[b]!,
    headerRanks,
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

/** Bytes as characters 0..255. */
function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return text;
}
