// How page_owner_sort prints its records: whole texts, or the culled keys (main() in tools/vm/page_owner_sort.c, 6.1).

import type { PageOwnerScanner } from "../../artifact/page_owner/scan.ts";
import { some } from "../../base/assert.ts";
import { allocatorBit } from "./allocators.ts";
import type { SortToolOptions } from "./sort_options.ts";
import type { SortRows } from "./sort_rows.ts";

/** "N times, M pages, allocated by …:" and the whole text. */
export function* printTexts(order: Int32Array, rows: SortRows, scanner: PageOwnerScanner): Generator<Uint8Array> {
  const writer = scanner.writer();
  const prefixes = new Map<string, number>();
  // Most records have few pages and are alone: their first line is made once.
  const common = new Int32Array(64 * 32).fill(-1);
  const prefixOf = (num: number, pages: number, allocator: number): number => {
    const text = `${num} times, ${pages} pages, ${allocatorText(allocator)}:\n`;
    let id = prefixes.get(text);
    if (id === undefined) {
      id = writer.prefix(text);
      prefixes.set(text, id);
    }
    return id;
  };
  for (let i = 0; i < order.length; i++) {
    const row = order[i]!;
    const num = rows.num[row]!;
    const pages = rows.pages[row]!;
    const allocator = rows.allocator[row]!;
    let prefix: number;
    if (num === 1 && pages >= 0 && pages < 64) {
      const at = pages * 32 + allocator;
      prefix = common[at]!;
      if (prefix < 0) {
        prefix = prefixOf(num, pages, allocator);
        common[at] = prefix;
      }
    } else {
      prefix = prefixOf(num, pages, allocator);
    }
    if (writer.record(prefix, rows.header[row]!, rows.stack[row]!)) yield writer.take();
  }
  yield writer.take();
}

/** One line of keys per group, and the stack where it is a key. */
export function* printCulled(
  order: Int32Array,
  rows: SortRows,
  options: SortToolOptions,
  commNames: readonly string[],
  scanner: PageOwnerScanner,
): Generator<Uint8Array> {
  const out = createPieces();
  const { cull } = options;
  for (const row of order) {
    out.text(`${rows.num[row]} times, ${rows.pages[row]} pages`);
    if (cull.has("pid") || options.pids !== undefined) out.text(`, PID ${rows.pid[row]}`);
    if (cull.has("tgid") || options.tgids !== undefined) out.text(`, TGID ${rows.tgid[row]}`);
    if (cull.has("name") || options.names !== undefined) {
      out.text(`, task_comm_name: ${some(commNames[rows.comm[row]!], "comm")}`);
    }
    if (cull.has("allocator")) out.text(`, ${allocatorText(rows.allocator[row]!)}`);
    if (cull.has("free")) out.text(rows.freed(row) ? " (UNRELEASED)" : " (RELEASED)");
    if (cull.has("stacktrace")) {
      out.text(":\n");
      out.bytes(scanner.stackText(rows.stack[row]!));
    }
    out.text("\n");
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
