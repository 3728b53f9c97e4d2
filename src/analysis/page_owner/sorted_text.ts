// What page_owner_sort (tools/mm in the kernel's tree) leaves of a dump: each block once, with how often it was there. Its first line is
// `N times:` (4.2), `N times, M pages:` (5.8), then also `, allocated by …` and with --cull the keys in place of the record. Read into a Census.

import { BadInput } from "../../base/bad_input.ts";
import type { Census, CensusNote, CensusRow } from "./census.ts";
import { countedCensus } from "./census.ts";
import { readOddHeader } from "./odd_header.ts";

/** The line that begins a block. */
const counted = /^(\d{1,15}) times?(?:, (\d{1,15}) pages?(?:[,: ].*)?|:)$/;

/** Whether a text begins as that tool writes. */
export const isSortedText = (head: string): boolean =>
  counted.test(head.trimStart().split("\n", 1)[0]?.trimEnd() ?? "");

/** A census of the tool's output. Records that say neither pages nor order are noted and not counted. */
export function readSortedText(text: string, file: string): Census {
  const rows: CensusRow[] = [];
  const stackTexts: string[] = [];
  const stackIds = new Map<string, number>();
  let strange = 0;
  let firstStrange = "";
  let noOrder = 0;
  for (const block of text.replaceAll("\r\n", "\n").split(/\n(?:[ \t]*\n)+|\n(?=\d{1,15} times?[,:])/)) {
    const [first = "", ...rest] = block.split("\n").filter((l) => l.trim() !== "");
    if (first === "") continue;
    const head = counted.exec(first.trimEnd());
    if (head === null) {
      strange++;
      if (firstStrange === "") firstStrange = first.slice(0, 120);
      continue;
    }
    const record = readOddHeader(rest[0] ?? "");
    const stack = rest
      .slice(record === undefined ? 0 : 1)
      .filter((l) => !l.startsWith("PFN "))
      .map((l) => `${l}\n`)
      .join("");
    const times = Number(head[1]);
    const order = record === undefined || record.order < 0 ? undefined : record.order;
    const pages = head[2] === undefined ? (order === undefined ? undefined : times * 2 ** order) : Number(head[2]);
    if (pages === undefined) {
      noOrder += times;
      continue;
    }
    const known = stackIds.get(stack);
    const id = known ?? stackTexts.push(stack) - 1;
    if (known === undefined) stackIds.set(stack, id);
    const { comm, pid, tgid } = record ?? keysOf(first);
    rows.push({
      stack: id,
      order: order ?? 0,
      mask: record?.mask ?? 0,
      type: "",
      blockType: "",
      comm,
      pid,
      tgid,
      allocator: 0,
      records: times,
      pages,
    });
  }
  if (rows.length === 0)
    throw new BadInput("No record with a count of pages was found.", { file }, "Give the dump itself, unsorted.");
  const notes: CensusNote[] = [];
  if (noOrder > 0)
    notes.push({ kind: "no-order", count: noOrder, text: `${noOrder} records have no order and are not counted` });
  if (strange > 0)
    notes.push({
      kind: "not-a-record",
      count: strange,
      text: `${strange} blocks do not begin with "N times" and are not counted; the first begins "${firstStrange}"`,
    });
  return countedCensus(text.length, rows, stackTexts, notes);
}

/** The keys that --cull prints on the counting line. */
function keysOf(line: string): { readonly comm: string; readonly pid: number; readonly tgid: number } {
  const number = (pattern: RegExp): number => Number(pattern.exec(line)?.[1] ?? -1);
  return {
    comm: /, task_comm_name: ([^,:]{0,64})/.exec(line)?.[1] ?? "",
    pid: number(/, PID (\d{1,10})/),
    tgid: number(/, TGID (\d{1,10})/),
  };
}
