// The rest of a report whose beginning is not in the text: frames of a stack, registers of a fault, rows of the OOM killer's table. Nothing in
// them says what the report was of, so nobody may say either that there was none.
import type { LogLine } from "../../kernel/readings/log_line.ts";
import { isRegisterLine, readTraceLine } from "./incidents/call_trace.ts";

/** What is left of a report, and its first line. */
export interface Remains {
  readonly line: number;
  readonly sentence: string;
}

/** So many lines of one kind are no chance; of some kinds one is enough, for nothing else is printed so. */
const fewest = 2;

const isFrame = (text: string): boolean => {
  const line = readTraceLine(text);
  return (
    line?.kind === "items" &&
    line.items.some((i) => i.kind === "frame" && (i.offset ?? i.from?.offset ?? i.stackPointer) !== undefined)
  );
};

/** `[  201]     0   201    10019        1      14       0     1798          -999 ndm` (mm/oom_kill.c dump_tasks()). */
const isTaskRow = (text: string): boolean => /^\[ {0,6}\d{1,10}\](?: {1,20}-?\d{1,12}){6,9} \S/.test(text);

/** `Redzone ffff888003c40000: bb bb bb bb` (mm/slub.c print_section()). */
const slubRow = /^(?:Bytes b4|Object|Redzone|Padding) {1,4}(?:0x)?[0-9a-f]{8,16}: (?:[0-9a-f]{2} ){4}/;

const kinds: readonly (readonly [is: (text: string) => boolean, what: string, fewest?: number])[] = [
  [isFrame, "frames of a call trace"],
  [isTaskRow, "rows of the OOM killer's table of tasks"],
  [
    (text) =>
      /^\s{0,8}(?:RIP|RSP|RAX|RDX|CR2|EIP|EAX|PC is at|LR is at|pc :|sp :|r10:|epc|NIP)/.test(text) &&
      isRegisterLine(text),
    "registers of a fault",
  ],
  [(text) => slubRow.test(text), "rows of SLUB's dump of an object"],
  // mm/slub.c slab_fix()
  [(text) => /^FIX [\w:.-]{1,100}: [A-Z]/.test(text), "what SLUB did about a damaged object", 1],
  [(text) => /^RIP: [0-9a-f]{4}:(?:\[<[0-9a-f]{16}>\] )?\[?[\w.]{1,200}\+0x/.test(text), "the place of a fault", 1],
  [(text) => /^---\[ end (?:trace [0-9a-f]{16}|Kernel panic - not syncing)/.test(text), "the last line of a report", 1],
  [
    (text) => /^\s{0,8}CPU: \d{1,5} (?:UID: \d{1,10} )?PID: \d{1,10} Comm: /.test(text),
    "the process line of a report",
    1,
  ],
];

/** What a text without a report in it holds of one; undefined where it holds nothing of the kind. */
export function remainsOf(lines: readonly LogLine[]): Remains | undefined {
  for (const [is, what, least = fewest] of kinds) {
    const like = lines.filter((l) => is(l.text));
    const [first] = like;
    if (first !== undefined && like.length >= least)
      return {
        line: first.line,
        sentence: `${beginning} ${what}, and no line before them opens a report that skblab reads. What they belong to is not known here.`,
      };
  }
  return undefined;
}

const beginning = "It holds what may be part of a report:";

/** The sentence of remains, however it came here. */
export const isRemains = (sentence: string): boolean => sentence.startsWith(beginning);
