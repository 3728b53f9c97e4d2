// A report whose first line is lost is found by its body. Only what nothing else prints counts: warn_alloc() is called where an allocation
// failed (in 4.10 to 4.14 also where one stalls), bad_page() for a bad page, oom_kill_process() for an OOM kill (mm/page_alloc.c, mm/oom_kill.c).
import type { IncidentKind } from "../../../kernel/readings/incident.ts";
import type { Stretch } from "./builder.ts";
import { textOf } from "./builder.ts";
import { isStackWords, readTraceLine } from "./call_trace.ts";
import { headlineKind } from "./headline.ts";
import { readProcessExtra, readProcessLine } from "./process_line.ts";

/** A report without its head: what it is, and where what is left of it begins. */
export interface Headless {
  readonly kind: Extract<IncidentKind, "alloc_failure" | "bad_page" | "oom" | "slab_corruption">;
  readonly start: number;
}

const reporters: readonly (readonly [name: RegExp, kind: Headless["kind"]])[] = [
  [/^(?:warn_alloc|warn_alloc_failed|nopage)(?:\.|$)/, "alloc_failure"],
  [/^bad_page(?:\.|$)/, "bad_page"],
  [/^oom_kill_process(?:\.|$)/, "oom"],
  // mm/slub.c: what the checks of SLUB's debugging print with.
  [/^(?:print_trailer|object_err|slab_err|check_bytes_and_report|slab_pad_check)(?:\.|$)/, "slab_corruption"],
];

/** Words of which each telling line has one. */
const hint =
  /warn_alloc|bad_page|oom_kill_process|page dumped because|print_trailer|object_err|slab_err|check_bytes_and_report|slab_pad_check|count:-\d|Unreclaimable slab info:|Memory cgroup stats|failcnt \d|Tasks state \(memory/;

/** No page in order has a count below zero, whoever dumps it. */
const negativeCount = /^\s{0,8}page:\S{1,30} (?:ref)?count:-\d/;

/** Reasons that bad_page() alone gives; dump_page() serves other reporters too. */
const pageReason =
  /^\s{0,8}page dumped because: (?:nonzero |non-NULL mapping|PAGE_FLAGS_CHECK|page still charged|page_pool leak|corrupted mapping in tail|TAIL_MAPPING|bad nr|compound_head)/;

/** dump_header() prints these for the OOM killer alone (mm/oom_kill.c, mm/memcontrol.c, 5.10 and 6.1). */
const ofOom =
  /^\s{0,8}(?:Unreclaimable slab info:|Memory cgroup stats(?: for \S{0,400})?:|memory: usage \d{1,15}kB, limit \d{1,19}kB, failcnt \d|Tasks state \(memory values in pages\))/;

/** The dump of a check (VM_BUG_ON_PAGE) is that of the BUG behind it (incidents/oops.ts). */
const isChecked = (stretch: Stretch, index: number): boolean =>
  stretch.lines.slice(index + 1, index + 10).some((l) => /^\s{0,8}page dumped because: VM_/.test(l.text));

/** How far up the parts of a report may stand above the line that tells it. */
const reach = 40;

/** What line `index` proves, when no headline does. */
export function headlessAt(stretch: Stretch, index: number, text: string): Headless | undefined {
  if (!hint.test(text)) return undefined;
  const kind =
    pageReason.test(text) || (negativeCount.test(text) && !isChecked(stretch, index))
      ? "bad_page"
      : ofOom.test(text)
        ? "oom"
        : isLeftover(stretch, index, text)
          ? undefined
          : reporterIn(text);
  if (kind === undefined || (kind === "slab_corruption" && slabAbove(stretch, index))) return undefined;
  return { kind, start: startOf(stretch, index) };
}

/** SLUB prints its stack behind its dumps: so far above it its first line may stand. */
const slabReach = 400;

const slabAbove = (stretch: Stretch, index: number): boolean =>
  stretch.lines
    .slice(Math.max(0, index - slabReach), index)
    .some((l) => /^BUG [\w:.()-]{1,100} ?\(|^FIX /.test(l.text));

/** Reliable frames this near show that the stack was unwound: there a guess is what an older call left behind. */
const near = 3;

function isLeftover(stretch: Stretch, index: number, text: string): boolean {
  const sure = (line: string, is: boolean): boolean => {
    const read = readTraceLine(line);
    return read?.kind === "items" && read.items.some((i) => i.kind === "frame" && i.reliable === is);
  };
  return (
    sure(text, false) &&
    stretch.lines.slice(Math.max(0, index - near), index + near + 1).some((l) => sure(textOf(l), true))
  );
}

function reporterIn(text: string): Headless["kind"] | undefined {
  const line = readTraceLine(text);
  if (line?.kind !== "items") return undefined;
  for (const item of line.items) {
    if (item.kind !== "frame") continue;
    for (const name of [item.function, item.from?.function ?? ""]) {
      const kind = reporters.find(([form]) => form.test(name))?.[1];
      if (kind !== undefined) return kind;
    }
  }
  return undefined;
}

/** A line that a report has above its telling frame. */
const belongs = (text: string): boolean =>
  text.trim() === "" ||
  /^\s{0,8}(?:page:|flags: |page flags: |raw: |head:|Modules linked in:|bad because of|page_type: |aops:|page->|page_owner |page last |cpuset=)/.test(
    text,
  ) ||
  isStackWords(text) ||
  readProcessLine(text) !== undefined ||
  readProcessExtra(text) !== undefined ||
  readTraceLine(text) !== undefined;

function startOf(stretch: Stretch, index: number): number {
  let start = index;
  let headed = false;
  for (let i = index - 1; i >= Math.max(0, index - reach); i--) {
    const line = stretch.lines[i];
    if (line === undefined || stretch.taken[i] === 1) break;
    const text = textOf(line);
    if (headlineKind(text) !== undefined || !belongs(text)) break;
    // Without the heading the stack of who had the page runs into the report's own, which begins where it is printed.
    if (!headed && /^page (?:last |allocated)/.test(text)) {
      const own = stretch.lines.slice(start, index).findIndex((l) => printsStack.test(textOf(l)));
      return own < 0 ? index : start + own;
    }
    // What stands above the heading of the stack is another stack: who had the page.
    const kind = readTraceLine(text)?.kind;
    if (headed && kind === "items") break;
    headed ||= kind === "heading";
    start = i;
    // A report has one process line, and nothing of it but the page's own lines stands above.
    if (readProcessLine(text) !== undefined && !pageAbove(stretch, i)) break;
  }
  return start;
}

const printsStack = /\b(?:dump_stack|show_stack|unwind_backtrace|dump_backtrace)/;

const pageAbove = (stretch: Stretch, index: number): boolean =>
  /^\s{0,8}(?:page|flags|raw|Modules|Hardware|page_type)/.test(stretch.lines[index - 1]?.text ?? "");

/** Frames directly above a Mem-Info: with the slow path among them a request was refused, and its head is lost. */
export function framesAbove(stretch: Stretch, memInfo: number): Headless | undefined {
  let slow = false;
  let frames = 0;
  for (let i = memInfo - 1; i >= Math.max(0, memInfo - reach); i--) {
    const line = stretch.lines[i];
    if (line === undefined || stretch.taken[i] === 1) break;
    const text = textOf(line);
    if (readTraceLine(text)?.kind === "items") frames++;
    else if (!belongs(text)) break;
    // The slow path called the OOM killer, which prints that state too.
    if (text.includes("out_of_memory")) return undefined;
    if (text.includes("__alloc_pages_slowpath")) slow = true;
  }
  return slow && frames > 2 ? { kind: "alloc_failure", start: startOf(stretch, memInfo) } : undefined;
}
