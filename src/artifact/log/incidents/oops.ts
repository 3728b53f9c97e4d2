// Faults and assertions: oops, BUG, general protection fault, WARNING, panic, lockups and sanitizers, on x86, powerpc, arm and mips.
import type { CodePlace } from "../../../kernel/readings/call_trace.ts";
import type { Incident } from "../../../kernel/readings/incident.ts";
import type { Oops } from "../../../kernel/readings/oops.ts";
import type { Body, OwnAnswer } from "./body.ts";
import { BodyReader } from "./body.ts";
import type { Stretch } from "./builder.ts";
import { decimal, field, ReportBuilder, textOf } from "./builder.ts";
import { codePlaceAfter, isRegisterLine, readTraceLine } from "./call_trace.ts";
import { headlineKind, isOopsHeadline } from "./headline.ts";
import { isStall, StallBuilder } from "./rcu_stall.ts";
import { SanitizerBuilder } from "./sanitizer.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const dieLine =
  /^(?:Oops|Kernel bug detected|general protection fault|invalid opcode|divide error|Internal error|stack segment|double fault|Kernel BUG)\b/;
const sourceLine =
  /(?:sleeping function called from invalid context at |kernel BUG at |Kernel BUG at |WARNING: (?:CPU: \d+ PID: \d+ )?at |WARNING: |Badness (?:at|in) )([\w./-]+):(\d+)(?=\D)/;
/** What only says what a check found; the WARNING or BUG that it belongs to follows, where it is not lost. */
const messageHead = /^(?:refcount_t: |(?:[\w.]{1,40}: )?list_(?:(?:add|del) corruption\b|add double add: ))/;
export const isCheckMessage = (text: string): boolean => messageHead.test(text);
/** The line of WARN() and BUG() that tells where they stand. */
const checkLine = /^(?:WARNING: |[Kk]ernel BUG at |Kernel bug detected|Badness (?:at|in) )/;

/** Of a WARN() some architectures print the message behind that line; of a BUG() it stands before it. */
const warnLine = /^(?:WARNING: |Badness (?:at|in) )/;
/** `l7fw(OE)`: a piece of the list of modules. */
const marksModule = /\w\([A-Z+-]{1,8}\)(?:\s|$)/;

/** Gathers the fault's own lines; used alone and behind skb_over_panic. */
export class OopsBuilder {
  private readonly oops: Mutable<Partial<Oops>> & { headline: string };
  private readonly sanitizer: SanitizerBuilder | undefined;
  private readonly stall: StallBuilder | undefined;
  private headlines = 1;
  private disabledAt = false;

  constructor(headline: string, message?: string) {
    const own = messageHead.test(headline) ? headline.trim() : undefined;
    this.oops = { headline: headline.trim(), ...opening(headline), ...field("message", message ?? own) };
    this.sanitizer = SanitizerBuilder.of(headline);
    this.stall = isStall.test(headline) ? new StallBuilder(headline) : undefined;
    if (dieLine.test(headline)) this.oops.oops = headline.trim();
    this.takeCommon(headline);
  }

  /** What follows is of another CPU or task. */
  ends(text: string): boolean {
    return this.stall?.ends(text) === true;
  }

  /** Lines of the fault outside registers and stack; the part, or undefined. */
  take(text: string): string | undefined {
    const { oops } = this;
    if (this.stall?.take(text) === true) return "headline";
    const part = this.sanitizer?.take(text);
    if (part !== undefined) return part;
    if (/^Kernel panic - not syncing/.test(text)) {
      oops.panic = text.trim();
      return "panic";
    }
    if (oops.class === "sleep" && this.takeAtomic(text)) return "headline";
    if (/^(?:Rebooting in |---\[ end Kernel panic|Kernel Offset: )/.test(text)) return "panic";
    if (/^---\[ end trace/.test(text)) {
      oops.endTrace = text.trim();
      return "end";
    }
    if (dieLine.test(text) && oops.oops === undefined && this.headlines < 3) {
      this.headlines++;
      oops.oops = text.trim();
      if (oops.class === undefined) Object.assign(oops, opening(text));
      this.takeCommon(text);
      return "headline";
    }
    if (
      /^(?:PGD|P4D |PUD |PMD |\*?pgd|IP:|PREEMPT|SMP|user pgtable|swapper pgtable| {4}Not tainted| {2}[A-Z][A-Za-z0-9 ]{1,8} = |BE PAGE_SIZE|LE PAGE_SIZE|#PF: |Mem abort info| {1,2}ESR| {1,2}EC|Data abort|\[[0-9a-f]+\] (?:\*?pgd|user))/.test(
        text,
      )
    ) {
      const walked = /^\[([0-9a-f]{8,16})\] \*?p[gu4m]d=/.exec(text)?.[1];
      if (walked !== undefined) oops.address ??= walked;
      const at = codePlaceAfter(text, /^IP:\s*/);
      if (at !== undefined) oops.at ??= at;
      return "headline";
    }
    // The crash utility's bt, where the kernel prints registers.
    const excepted = /^\s{0,8}\[exception RIP: ([\w.]{1,120})\+(0x[0-9a-f]{1,6}|\d{1,7})\]/.exec(text);
    if (excepted?.[1] !== undefined) {
      oops.at ??= { function: excepted[1], offset: Number(excepted[2]) };
      return "headline";
    }
    return this.takeFaultAddress(text);
  }

  /** What __might_sleep() says of the place; where preemption was disabled is a place of its own, no caller. */
  private takeAtomic(text: string): boolean {
    const place = this.disabledAt;
    this.disabledAt = text.startsWith("Preemption disabled at:");
    return (
      this.disabledAt ||
      /^(?:in_atomic\(\): \d|preempt_count: |RCU nest depth: |INFO: lockdep is turned off|\d{1,2} locks? held by | #\d: )/.test(
        text,
      ) ||
      (place && readTraceLine(text)?.kind === "items")
    );
  }

  /** A wrapped headline (`… for data at address` / `0x0004009c`) and the faulting instruction of powerpc. */
  private takeFaultAddress(text: string): string | undefined {
    const { oops } = this;
    // powerpc puts 0x before it; a bare word there is a register's.
    const alone = (
      /virtual address\s*$/.test(oops.headline) ? /^([0-9a-f]{8,16})\s*$/ : /^0x([0-9a-f]{8,16})\s*$/
    ).exec(text)?.[1];
    if (alone !== undefined && oops.address === undefined && /at (?:virtual )?address\s*$/.test(oops.headline)) {
      oops.address = alone;
      return "headline";
    }
    // s390 names the page alone.
    const failing = /^Failing address: ([0-9a-f]{16})\b/.exec(text)?.[1];
    if (failing !== undefined) {
      if (/^0+$/.test(failing)) oops.class = "null dereference";
      else oops.address ??= failing;
      return "headline";
    }
    const faulting = /^Faulting instruction address: 0x([0-9a-f]+)/.exec(text)?.[1];
    if (faulting === undefined) return undefined;
    oops.at ??= { address: faulting };
    return "headline";
  }

  private takeCommon(text: string): void {
    const { oops } = this;
    const source = sourceLine.exec(text);
    if (source?.[1] !== undefined) oops.source = { file: source[1], line: Number(source[2]) };
    const die = decimal(/\[#(\d{1,6})\]/.exec(text)?.[1]);
    if (die !== undefined) oops.dieCounter = die;
    const address =
      /(?:address:? (?:0x)?|at (?:virtual )?(?:address )?|at addr |non-canonical address 0x)([0-9a-f]{16}|[0-9a-f]{8})(?![0-9a-f])/.exec(
        text,
      )?.[1];
    if (address !== undefined) oops.address ??= address;
  }

  /** Eight digits of an address in a report of 64 bits lost the others; with 0x before it powerpc prints no more of a small one. */
  private isCutAddress(address: string, body: Body, at: CodePlace | undefined): boolean {
    return isWide(body, at ?? this.oops.at) && !this.oops.headline.includes(`0x${address}`);
  }

  finish(body: Body): Oops {
    const { oops } = this;
    // Where another CPU's stack began first, the registers stand behind its frames.
    const behind = body.trace?.items.find((i) => i.kind === "registers" && i.text.some((t) => /^RIP: 0010:/.test(t)));
    const registerText = body.registers?.text ?? (behind?.kind === "registers" ? behind.text : []);
    const link = firstPlace(registerText, /^\s*(?:LR \[|LR is at |lr : |ra *: |ra is at |RPC: <|RP\(r2\): )/);
    const ip = body.registers?.at;
    const warned = codePlaceAfter(oops.headline, /:\d+ (?=[A-Za-z_])/);
    const at =
      ip?.function !== undefined
        ? ip
        : (firstPlace(
            registerText,
            /^\s*(?:NIP \[|RIP: |RIP +|EIP is at |[Pp][Cc] is at |pc : |epc *: |Krnl PSW : |ERA *: |TPC: <|IAOQ\[0\]: )/,
          ) ??
          warned ??
          oops.at ??
          ip);
    const { address = unprinted(oops.headline, body), ...rest } = oops;
    if (ofAnother(oops.headline, body)) return { ...rest, ...field("address", address), class: oops.class ?? "other" };
    return {
      ...rest,
      ...field("address", address?.length === 8 && this.isCutAddress(address, body, at) ? undefined : address),
      class: oops.class ?? "other",
      ...field("at", at),
      ...field("link", link),
      ...field("registers", body.registers),
      ...field("modules", body.modules),
      ...field("process", body.process),
      ...field("trace", body.trace),
      ...field("code", body.code),
      ...field("sanitizer", this.sanitizer?.finish()),
      ...field("stalled", this.stall?.finish()),
    };
  }
}

/** mips names the address of an unaligned access among the registers alone. */
const unprinted = (headline: string, body: Body): string | undefined =>
  /kernel unaligned access/.test(headline) ? body.registers?.values.BadVA : undefined;

/** mips prints the place in the first line as well: registers with another one are of the report of another CPU. */
function ofAnother(headline: string, body: Body): boolean {
  const said = /\bepc == ([0-9a-f]{8,16})\b/.exec(headline)?.[1];
  const printed = body.registers?.values.epc;
  return said !== undefined && printed !== undefined && said !== printed;
}

/** Whether a report shows an address of 64 bits. */
const isWide = (body: Body, at: CodePlace | undefined): boolean =>
  [
    at?.address,
    ...Object.values(body.registers?.values ?? {}),
    ...(body.trace?.items ?? []).map((i) => (i.kind === "frame" ? i.address : undefined)),
  ].some((word) => word?.length === 16);

/** The first line of a block whose place names a function. */
function firstPlace(lines: readonly string[], before: RegExp): CodePlace | undefined {
  for (const line of lines) {
    if (!before.test(line)) continue;
    const start = before.source.includes("\\[") ? line.replace(/^(\s*(?:NIP|LR) )\[/, "$1[") : line;
    const place = codePlaceAfter(
      start,
      /^\s*(?:NIP|LR is at|LR|lr :|RIP:|RIP|EIP is at|[Pp][Cc] is at|pc :|epc *:|ra *:|ra is at|Krnl PSW : [0-9a-f]{8,16}|ERA *:|TPC:|RPC:|IAOQ\[0\]:|RP\(r2\):)\s*/,
    );
    if (place?.function !== undefined) return place;
  }
  return undefined;
}

function opening(text: string): { readonly class?: Oops["class"] } {
  const found = classOf(text);
  return found === undefined ? {} : { class: found };
}

const classes: readonly (readonly [form: RegExp, kind: Oops["class"]])[] = [
  [/^BUG: K(?:ASAN|FENCE|MSAN): |^(?:Allocated|Freed) by task /, "sanitizer"],
  [/sleeping function called from invalid context|scheduling while atomic/, "sleep"],
  [/soft lockup|^(?:NMI )?watchdog: .{0,40}hard LOCKUP/, "lockup"],
  [isStall, "rcu stall"],
  [/^WARNING|^Badness/, "warning"],
  [/^Kernel panic/, "panic"],
  [/NULL pointer dereference/, "null dereference"],
  [
    /paging request|kernel unaligned access|handle page fault|^Kernel Fault: |^Bad Address |kernel pointer dereference|data access|instruction fetch|access of bad area|access to user memory/,
    "paging request",
  ],
  [/general protection/, "general protection"],
  [/BUG at |Oops - BUG|[Kk]ernel bug detected|Kernel BUG\b/, "bug"],
  [/[Ss]plit lock/, "split lock"],
  [/divide error/, "divide error"],
  [/stack segment/, "stack segment"],
  [/double fault/, "double fault"],
  [/invalid opcode|undefined instruction/, "invalid opcode"],
  [/[Mm]achine check/, "machine check"],
];

function classOf(text: string): Oops["class"] | undefined {
  return classes.find(([form]) => form.test(text))?.[1];
}

/** Own lines of an oops for a BodyReader; a second fault's headline ends the report. */
export function oopsOwn(builder: OopsBuilder, report: ReportBuilder): (text: string, index: number) => OwnAnswer {
  let seen = 0;
  return (text, index) => {
    if (builder.ends(text)) return "end";
    const part = builder.take(text);
    if (part !== undefined) {
      report.take(index, part);
      seen++;
      return "taken";
    }
    if (isOopsHeadline(text) && seen > 0) return "end";
    return "left";
  };
}

/** Reads the report that begins at `index`; `message` are the lines above its headline that belong to it, by index. */
export function readOops(
  stretch: Stretch,
  index: number,
  message: readonly number[] = [],
): { readonly incident: Incident; readonly next: number } {
  const report = new ReportBuilder(stretch);
  const textAt = (i: number): string => {
    const line = stretch.lines[i];
    return line === undefined ? "" : textOf(line);
  };
  const headline = textAt(index);
  takeCutHere(stretch, report, message[0] ?? index);
  for (const i of message) report.take(i, "message");
  const dumped = message.length === 0 ? dumpAbove(stretch, index) : [];
  for (const i of dumped) report.take(i, dumpReason.test(textAt(i)) ? "message" : "page");
  const walked = tableAbove(stretch, index);
  for (const i of walked) report.take(i, "headline");
  report.take(index, "headline");
  const behind = warnLine.test(headline) && message.length === 0 ? messageBehind(stretch, index) : [];
  for (const i of behind) report.take(i, "message");
  const reasons = dumped.flatMap((i) => dumpReason.exec(textAt(i))?.[1] ?? []);
  const words = [...reasons, ...[...message, ...behind].map((i) => textAt(i).trim())].join(" ");
  const builder = new OopsBuilder(headline, words === "" ? undefined : words);
  for (const i of walked) builder.take(textAt(i));
  const body = new BodyReader(stretch, report, oopsOwn(builder, report)).read(index + 1);
  const reading = builder.finish(body);
  if (reading.trace === undefined && reading.class !== "lockup" && reading.class !== "rcu stall")
    report.missing.push("trace");
  return { incident: report.finish("oops", reading), next: index + 1 };
}

/** What VM_BUG_ON_PAGE() and its like print before they stop: the page, and which check it failed (include/linux/mmdebug.h, mm/debug.c; 3.14 and later). */
const dumpReason = /^\s{0,8}page dumped because: (VM_(?:BUG|WARN)_ON_\w{1,20}\(.{1,300})$/;
const dumpLine =
  /^\s{0,8}(?:page: ?|(?:(?:anon|ksm) |page )?flags: 0x|raw: [0-9a-f]|head: ?|page_type: |aops:|memcg:|page->mem_cgroup:|pc:[0-9a-f])/;

/** The lines of such a dump above a check's headline, by index; none where its reason does not stand there. */
function dumpAbove(stretch: Stretch, index: number): readonly number[] {
  const found: number[] = [];
  for (let i = index - 1; i >= Math.max(0, index - mostDump); i--) {
    const line = stretch.lines[i];
    if (line === undefined || (stretch.taken[i] === 1 && !line.text.includes("[ cut here ]"))) break;
    const text = textOf(line);
    if (text.trim() === "" || text.includes("[ cut here ]")) continue;
    if (found.length === 0 ? !dumpReason.test(text) : !dumpLine.test(text)) break;
    found.unshift(i);
  }
  return found;
}

const mostDump = 14;

/** The walk through the page tables that arm and arm64 print between `Unable to handle …` and `Internal error:`, when the former is lost. */
function tableAbove(stretch: Stretch, index: number): readonly number[] {
  const found: number[] = [];
  for (let i = index - 1; i >= Math.max(0, index - 3); i--) {
    const line = stretch.lines[i];
    if (line === undefined || stretch.taken[i] === 1) break;
    if (!/^(?:pgd = |\[[0-9a-f]{8,16}\] \*?p[gu4m]d=)/.test(textOf(line))) break;
    found.unshift(i);
  }
  return found;
}

/** Lines of a WARN()'s message that stand behind its headline: up to the line that the printer prints next. */
function messageBehind(stretch: Stretch, index: number): number[] {
  const found: number[] = [];
  for (let i = index + 1; i < Math.min(index + 6, stretch.lines.length); i++) {
    const line = stretch.lines[i];
    if (line === undefined || stretch.taken[i] === 1) return [];
    const text = textOf(line);
    // The printer's lines have stamps, or none: what differs in that is somebody else's.
    if (text.trim() !== "" && (line.seconds === undefined) !== (stretch.lines[index]?.seconds === undefined)) return [];
    if (text.trim().length > 3 && "Modules linked in:".startsWith(text.trim())) return found;
    if (/^(?:Modules linked|CPU: |Pid: |Call [Tt]race:|-{3,12}\[)/.test(text)) return found;
    if (/^(?:Hardware name|Workqueue): /.test(text)) continue;
    if (
      text.trim() === "" ||
      dieLine.test(text) ||
      marksModule.test(text) ||
      isRegisterLine(text) ||
      readTraceLine(text) !== undefined
    )
      return found;
    // Another report's headline is no message; the messages that are a row of their own are.
    const kind = headlineKind(text);
    if (kind !== undefined && kind !== "driver_line" && !messageHead.test(text)) return [];
    found.push(i);
  }
  return [];
}

/** How many lines a message before WARNING or BUG may have. */
const mostMessage = 4;

/**
 * A WARN() or BUG() whose own words stand before its headline: the headline's index and the lines of the message, for a line `index` that is
 * `cut here` or such a message itself; undefined when no headline follows at once.
 */
export function checkAhead(
  stretch: Stretch,
  index: number,
): { readonly headline: number; readonly message: readonly number[] } | undefined {
  const first = stretch.lines[index]?.text ?? "";
  const message: number[] = first.includes("[ cut here ]") ? [] : [index];
  for (let i = index + 1; i < Math.min(index + 2 + mostMessage, stretch.lines.length); i++) {
    const line = stretch.lines[i];
    if (line === undefined || stretch.taken[i] === 1) return undefined;
    const text = textOf(line);
    if (checkLine.test(text)) return message.length === 0 ? undefined : { headline: i, message };
    if (text.includes("[ cut here ]")) continue;
    const kind = headlineKind(text);
    if (kind !== undefined && kind !== "driver_line" && !messageHead.test(text)) return undefined;
    if (message.length > 0 && message[0] === index) {
      // A message found by its own words goes on over no foreign line.
      return undefined;
    }
    message.push(i);
  }
  return undefined;
}

/** The line `------------[ cut here ]------------` belongs to the report that follows it. */
export function takeCutHere(stretch: Stretch, report: ReportBuilder, index: number): void {
  for (let i = index - 1; i >= Math.max(0, index - 2); i--) {
    if (stretch.lines[i]?.text.includes("[ cut here ]") === true && stretch.taken[i] === 0) report.take(i);
  }
}
