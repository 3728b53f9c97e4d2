// The short forms of page_owner (/sys/kernel/debug/page_owner_stacks/): every stack once with its base pages ("nr_base_pages: N" since
// 6.10, "stack_count: N" in 6.9), or a number instead of the stack (show_handles) and the numbers' stacks (show_stacks_handles, 6.19).
// Read into a Census like the long form; orders, types and processes are not said there.

import { BadInput } from "../../base/bad_input.ts";
import type { Census, CensusNote, CensusRow } from "./census.ts";
import { countedCensus } from "./census.ts";
import { isSortedText } from "./sorted_text.ts";

/** What the beginning of a file shows it to be. */
export type DumpForm = "records" | "sorted" | "stack-table" | "handles" | "unknown";

/** Looks at the first bytes; 64 KiB are plenty. */
export function dumpForm(head: string): DumpForm {
  if (isSortedText(head)) return "sorted";
  if (/^(?:Page|Block) allocated via order/m.test(head)) return "records";
  const counted = /^(?:nr_base_pages|stack_count): \d+$/m.test(head);
  const frames = /^\s{0,8}[^\s+]{1,256}\+0x[0-9a-f]{1,16}\/0x/m.test(head);
  if (/^handle: \d+$/m.test(head)) return frames || !counted ? "stack-table" : "handles";
  return counted && frames ? "stack-table" : "unknown";
}

interface Entry {
  readonly handle: number | undefined;
  readonly pages: number | undefined;
  readonly stack: string;
}

function entriesOf(text: string): Entry[] {
  return text
    .split(/\n(?:[ \t]*\n)+/)
    .filter((block) => block.trim() !== "")
    .map((block) => {
      const handle = /^handle: (\d+)$/m.exec(block)?.[1];
      const pages = /^(?:nr_base_pages|stack_count): (\d+)$/m.exec(block)?.[1];
      const stack = block
        .split("\n")
        .filter((l) => l !== "" && !/^(handle|nr_base_pages|stack_count): /.test(l))
        .map((l) => `${l}\n`)
        .join("");
      return {
        handle: handle === undefined ? undefined : Number(handle),
        pages: pages === undefined ? undefined : Number(pages),
        stack,
      };
    });
}

/** A census from show_stacks, or from show_handles with the stacks of show_stacks_handles (`stacksText`). Throws BadInput where pages or stacks are missing. */
export function readStackTables(text: string, file: string, stacksText?: string): Census {
  const byHandle = new Map<number, string>();
  for (const e of stacksText === undefined ? [] : entriesOf(stacksText))
    if (e.handle !== undefined) byHandle.set(e.handle, e.stack);
  const rows: CensusRow[] = [];
  const stackTexts: string[] = [];
  let noPages = 0;
  let noStack = 0;
  for (const e of entriesOf(text)) {
    if (e.pages === undefined) {
      noPages++;
      continue;
    }
    let stack = e.stack;
    if (stack === "" && e.handle !== undefined) {
      stack = byHandle.get(e.handle) ?? ` handle_${e.handle}+0x0/0x0\n`;
      if (!byHandle.has(e.handle)) noStack++;
    }
    const id = stackTexts.push(stack) - 1;
    rows.push({
      stack: id,
      order: 0,
      mask: 0,
      type: "",
      blockType: "",
      comm: "",
      pid: -1,
      tgid: -1,
      allocator: 0,
      records: 1,
      pages: e.pages,
    });
  }
  if (rows.length === 0) {
    throw new BadInput(
      noPages > 0
        ? "This is a table of stacks without their pages (show_stacks_handles)."
        : "No stack with a count of pages was found.",
      { file },
      noPages > 0
        ? "Give show_handles as the dump and this file with --stacks."
        : "Read /sys/kernel/debug/page_owner_stacks/show_stacks.",
    );
  }
  const notes: CensusNote[] = [];
  if (noPages > 0)
    notes.push({
      kind: "no-order",
      count: noPages,
      text: `${noPages} entries have no count of pages; the last may have been cut`,
    });
  if (noStack > 0) {
    notes.push({
      kind: "not-a-record",
      count: noStack,
      text: `${noStack} handles have no stack here; give the file show_stacks_handles with --stacks`,
    });
  }
  return countedCensus(text.length, rows, stackTexts, notes);
}
