// What is wrong with a page, said twice: as the kernel says it (bad_page, only where and when the kernel looks) and as the sanitizer
// sees it at once. The kernel's report comes late: a page that was freed twice stays silent until a list is drained or refilled.
import { eventKind } from "../../kernel/events.ts";
import type { Journal } from "../journal.ts";
import type { Memory } from "./memory.ts";
import { record } from "./memory.ts";

export interface Trouble {
  /** bad_page(): the kernel drops the page for good. `reason` is the kernel's wording. */
  badPage(pfn: number, reason: string): void;
  /** The sanitizer's note, at the moment of the fault. */
  warn(text: string, pfn: number, detail: number): void;
}

export function createTrouble(memory: Memory, journal: Journal): Trouble {
  return {
    badPage(pfn, reason) {
      journal.emit(eventKind.bad_page, pfn, memory.page[pfn * 4 + record.word] as number, journal.textId(reason));
    },
    warn(text, pfn, detail) {
      journal.emit(eventKind.warning, journal.textId(text), pfn, detail);
    },
  };
}
