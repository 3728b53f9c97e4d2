// The census of a page_owner dump: how many pages each stack holds, by order, migrate type, mask and process. Memory grows with the
// distinct combinations, not with the dump; where each page lies is kept only when asked for (pins, map), 13 bytes a block.
import type { BlockBatch, PageOwnerScanner } from "../../artifact/page_owner/scan.ts";
import { blockFlag, createPageOwnerScanner } from "../../artifact/page_owner/scan.ts";
import type { OwnerStack } from "../../artifact/page_owner/stack.ts";
import { readOwnerStack } from "../../artifact/page_owner/stack.ts";
import { allocatedByVmalloc, allocatorBit } from "./allocators.ts";
import { createGroupTable } from "./groups.ts";
import { readOddHeader } from "./odd_header.ts";

/** One distinct combination of what a record says. */
export interface CensusRow {
  /** Index into `stacks`. */
  readonly stack: number;
  readonly order: number;
  /** gfp mask as printed; 0 where the form has none. */
  readonly mask: number;
  /** First letters of the page's and the pageblock's migrate type ("U", "M", "R", "H", "C", "I"); "" where the form has none. */
  readonly type: string;
  readonly blockType: string;
  readonly comm: string;
  readonly pid: number;
  readonly tgid: number;
  /** allocatorBit; 0 when the census does not tell allocators apart. */
  readonly allocator: number;
  records: number;
  pages: number;
}

/** Something in the dump that could not be taken as it is. */
export interface CensusNote {
  readonly kind: "cut" | "oversized" | "no-order" | "unread-line" | "not-a-record";
  readonly count: number;
  readonly text: string;
}

export interface PagePlaces {
  readonly count: number;
  readonly pfn: Float64Array;
  readonly order: Uint8Array;
  /** Stack id of each block. */
  readonly stack: Int32Array;
  /** First letters of migrate types: page in bits 0..7, pageblock in bits 8..15. */
  readonly types: Uint16Array;
}

export interface Census {
  readonly bytes: number;
  readonly records: number;
  readonly pages: number;
  readonly rows: readonly CensusRow[];
  readonly stacks: readonly OwnerStack[];
  readonly stackTexts: readonly string[];
  readonly notes: readonly CensusNote[];
  readonly places: PagePlaces | undefined;
}

/** A census of a text that was counted before it was written, so that it says nothing of places. `bytes` is the text's length. */
export function countedCensus(
  bytes: number,
  rows: readonly CensusRow[],
  stackTexts: readonly string[],
  notes: readonly CensusNote[],
): Census {
  return {
    bytes,
    records: rows.reduce((n, r) => n + r.records, 0),
    pages: rows.reduce((n, r) => n + r.pages, 0),
    rows,
    stacks: stackTexts.map(readOwnerStack),
    stackTexts,
    notes,
    places: undefined,
  };
}

export interface CensusOptions {
  /** Keep pid and tgid apart (more rows). */
  readonly byPid?: boolean;
  /** Keep apart what the slab allocator, vmalloc, CMA and others asked for. */
  readonly byAllocator?: boolean;
  readonly places?: boolean;
  /** Records to take; all when absent. */
  readonly pids?: ReadonlySet<number>;
  readonly tgids?: ReadonlySet<number>;
  readonly names?: ReadonlySet<string>;
  /** allocatorBit values, any of which will do. */
  readonly allocators?: number;
}

export interface CensusTaker {
  readonly scanner: PageOwnerScanner;
  finish(): Census;
}

/** A census to be fed through `scanner.room()` and `scanner.push()`. */
export function createCensus(options: CensusOptions = {}): CensusTaker {
  const groups = createGroupTable();
  const records: number[] = [];
  const pages: number[] = [];
  const comms: string[] = [""];
  const commIds = new Map<string, number>([["", 0]]);
  const commOfKernel: number[] = [];
  const places = options.places === true ? createPlaces() : undefined;
  let taken = 0;
  let pagesTaken = 0;
  let noOrder = 0;
  let strange = 0;
  let firstStrange = "";

  const commId = (name: string): number => {
    let id = commIds.get(name);
    if (id === undefined) {
      id = comms.push(name) - 1;
      commIds.set(name, id);
    }
    return id;
  };

  const allocators = options.byAllocator === true || options.allocators !== undefined;
  const vmallocOfStack: (boolean | undefined)[] = [];
  const allocatorOf = (batch: BlockBatch, i: number): number => {
    const flags = batch.flags[i]!;
    const stack = batch.stack[i]!;
    vmallocOfStack[stack] ??= allocatedByVmalloc(latin1(scanner.stackText(stack)));
    const bits =
      ((flags & blockFlag.saysCma) !== 0 ? allocatorBit.cma : 0) |
      ((flags & blockFlag.saysSlab) !== 0 ? allocatorBit.slab : 0) |
      (vmallocOfStack[stack] ? allocatorBit.vmalloc : 0);
    return bits === 0 ? allocatorBit.others : bits;
  };

  const scanner = createPageOwnerScanner((batch) => {
    for (let i = 0; i < batch.count; i++) {
      if (batch.length[i] === 0) continue;
      let order = batch.order[i]!;
      let mask = batch.mask[i]!;
      let pid = batch.pid[i]!;
      let tgid = batch.tgid[i]!;
      let comm = 0;
      if ((batch.flags[i]! & blockFlag.oddHeader) !== 0) {
        const header = decode(batch.memory, batch.header[i]!, batch.headerLength[i]!);
        const odd = readOddHeader(header);
        if (odd === undefined) {
          strange++;
          if (firstStrange === "") firstStrange = header.slice(0, 120);
          continue;
        }
        ({ order, mask, pid, tgid } = odd);
        comm = commId(odd.comm);
        if (order < 0) {
          noOrder++;
          continue;
        }
      } else {
        const kernelId = batch.comm[i]!;
        const known = commOfKernel[kernelId];
        comm = known ?? commId(latin1(scanner.commText(kernelId)));
        if (known === undefined) commOfKernel[kernelId] = comm;
      }
      if (options.pids !== undefined && !options.pids.has(pid)) continue;
      if (options.tgids !== undefined && !options.tgids.has(tgid)) continue;
      if (options.names !== undefined && !options.names.has(comms[comm]!)) continue;
      const allocator = allocators ? allocatorOf(batch, i) : 0;
      if (options.allocators !== undefined && (allocator & options.allocators) === 0) continue;
      const { pfn, types } = placeOf(batch, i);
      const told = options.byAllocator === true ? allocator : 0;
      const meta = (order & 0xff) | ((types & 0xff) << 8) | ((types & 0xff00) << 8) | (told << 24);
      const row = groups.row(
        batch.stack[i]!,
        meta,
        mask,
        comm,
        options.byPid === true ? pid : 0,
        options.byPid === true ? tgid : 0,
      );
      const size = 2 ** order;
      if (row === records.length) {
        records.push(0);
        pages.push(0);
      }
      records[row]!++;
      pages[row]! += size;
      taken++;
      pagesTaken += size;
      if (places !== undefined && pfn >= 0) places.add(pfn, order, batch.stack[i]!, types);
    }
  });

  return {
    scanner,
    finish() {
      const end = scanner.end(true);
      const stackTexts = Array.from({ length: scanner.stackCount() }, (_, id) => latin1(scanner.stackText(id)));
      const stacks = stackTexts.map(readOwnerStack);
      const letter = (code: number): string => (code === 0 ? "" : String.fromCharCode(code));
      const rows = records.map((count, r): CensusRow => {
        const meta = groups.key(r, 1);
        return {
          stack: groups.key(r, 0),
          order: meta & 0xff,
          mask: groups.key(r, 2) >>> 0,
          type: letter((meta >> 8) & 0xff),
          blockType: letter((meta >> 16) & 0xff),
          comm: comms[groups.key(r, 3)] as string,
          pid: options.byPid === true ? groups.key(r, 4) : -1,
          tgid: options.byPid === true ? groups.key(r, 5) : -1,
          allocator: (meta >> 24) & 0xff,
          records: count,
          pages: pages[r] as number,
        };
      });
      const unread = stacks.reduce((n, s) => n + s.unread.length, 0);
      const notes: CensusNote[] = [];
      if (end.unfinishedBytes > 0) {
        notes.push({
          kind: "cut",
          count: 1,
          text: `the dump ends in the middle of a record; its last ${end.unfinishedBytes} bytes were taken as they are`,
        });
      }
      if (end.oversized > 0)
        notes.push({
          kind: "oversized",
          count: end.oversized,
          text: `${end.oversized} records longer than 1 MiB were skipped`,
        });
      if (noOrder > 0)
        notes.push({ kind: "no-order", count: noOrder, text: `${noOrder} records have no order and are not counted` });
      if (strange > 0) {
        notes.push({
          kind: "not-a-record",
          count: strange,
          text: `${strange} blocks are not page_owner records and are not counted; the first begins "${firstStrange}"`,
        });
      }
      if (unread > 0) {
        const first = stacks.find((s) => s.unread.length > 0)?.unread[0] ?? "";
        notes.push({
          kind: "unread-line",
          count: unread,
          text: `${unread} lines in distinct stacks are not frames; the first is "${first.slice(0, 120)}"`,
        });
      }
      return {
        bytes: end.bytes,
        records: taken,
        pages: pagesTaken,
        rows,
        stacks,
        stackTexts,
        notes,
        places: places?.done(),
      };
    },
  };
}

function placeOf(batch: BlockBatch, i: number): { pfn: number; types: number } {
  const flags = batch.flags[i]!;
  if ((flags & blockFlag.oddPfn) === 0) return { pfn: batch.pfn[i]!, types: batch.types[i]! };
  if ((flags & blockFlag.hasPfn) === 0) return { pfn: -1, types: 0 };
  // 3.19: "PFN 4097 Block 8 type 2 Flags …" has the pageblock's type as a number.
  const line = decode(batch.memory, batch.ext[i]!, batch.extLength[i]!);
  const m = /^PFN (0x[0-9a-f]+|\d+)(?: type (\w+))? Block \d+ type (\w+)/.exec(line);
  if (m === null) return { pfn: -1, types: 0 };
  const code = (text: string | undefined): number => {
    if (text === undefined) return 0;
    const name = /^\d+$/.test(text) ? (["Unmovable", "Reclaimable", "Movable"][Number(text)] ?? "") : text;
    return name === "" ? 0 : name.charCodeAt(0);
  };
  return { pfn: Number(m[1]), types: code(m[2]) | (code(m[3]) << 8) };
}

function createPlaces(): { add(pfn: number, order: number, stack: number, types: number): void; done(): PagePlaces } {
  let capacity = 1 << 16;
  let count = 0;
  let pfns = new Float64Array(capacity);
  let orders = new Uint8Array(capacity);
  let stacks = new Int32Array(capacity);
  let letters = new Uint16Array(capacity);
  const widen = (): void => {
    capacity *= 2;
    const p = new Float64Array(capacity);
    p.set(pfns);
    pfns = p;
    const o = new Uint8Array(capacity);
    o.set(orders);
    orders = o;
    const s = new Int32Array(capacity);
    s.set(stacks);
    stacks = s;
    const t = new Uint16Array(capacity);
    t.set(letters);
    letters = t;
  };
  return {
    add(pfn, order, stack, types) {
      if (count === capacity) widen();
      pfns[count] = pfn;
      orders[count] = order;
      stacks[count] = stack;
      letters[count++] = types;
    },
    done: () => ({
      count,
      pfn: pfns.subarray(0, count),
      order: orders.subarray(0, count),
      stack: stacks.subarray(0, count),
      types: letters.subarray(0, count),
    }),
  };
}

function decode(memory: Uint8Array, at: number, length: number): string {
  return latin1(memory.subarray(at, at + length));
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return text;
}
