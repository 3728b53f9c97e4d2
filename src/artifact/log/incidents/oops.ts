// Faults and assertions: oops, BUG, general protection fault, WARNING, panic, on x86, powerpc and arm.
import type { CodePlace } from "../../../kernel/readings/call_trace.ts";
import type { Incident } from "../../../kernel/readings/incident.ts";
import type { Oops } from "../../../kernel/readings/oops.ts";
import type { Body, OwnAnswer } from "./body.ts";
import { BodyReader } from "./body.ts";
import type { Stretch } from "./builder.ts";
import { decimal, field, ReportBuilder, textOf } from "./builder.ts";
import { codePlaceAfter } from "./call_trace.ts";
import { isOopsHeadline } from "./headline.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const dieLine =
  /^(?:Oops|Kernel bug detected|general protection fault|invalid opcode|divide error|Internal error|stack segment|double fault|Kernel BUG)\b.*?(?:\[#(\d+)\]|$)/;
const sourceLine =
  /(?:kernel BUG at |Kernel BUG at |WARNING: (?:CPU: \d+ PID: \d+ )?at |Badness (?:at|in) )([\w./-]+):(\d+)/;

/** Gathers the fault's own lines; used alone and behind skb_over_panic. */
export class OopsBuilder {
  private readonly oops: Mutable<Partial<Oops>> & { headline: string };
  private headlines = 1;

  constructor(headline: string) {
    this.oops = { headline: headline.trim(), ...opening(headline) };
    if (dieLine.test(headline)) this.oops.oops = headline.trim();
    this.takeCommon(headline);
  }

  /** Lines of the fault outside registers and stack; the part, or undefined. */
  take(text: string): string | undefined {
    const { oops } = this;
    if (/^Kernel panic - not syncing/.test(text)) {
      oops.panic = text.trim();
      return "panic";
    }
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
      /^(?:PGD|\*?pgd|IP:|PREEMPT|SMP|user pgtable|swapper pgtable| {4}Not tainted| {2}[A-Z][A-Za-z0-9 ]{1,8} = |BE PAGE_SIZE|LE PAGE_SIZE|#PF: |Mem abort info| {1,2}ESR| {1,2}EC|Data abort|\[[0-9a-f]+\] (?:\*?pgd|user))/.test(
        text,
      )
    ) {
      const at = codePlaceAfter(text, /^IP:\s*/);
      if (at !== undefined) oops.at ??= at;
      return "headline";
    }
    return this.takeFaultAddress(text);
  }

  /** A wrapped headline (`… for data at address` / `0x0004009c`) and the faulting instruction of powerpc. */
  private takeFaultAddress(text: string): string | undefined {
    const { oops } = this;
    const alone = /^(?:0x)?([0-9a-f]{8,16})\s*$/.exec(text)?.[1];
    if (alone !== undefined && oops.address === undefined && /at (?:virtual )?address\s*$/.test(oops.headline)) {
      oops.address = alone;
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
      /(?:address:? (?:0x)?|at (?:virtual )?(?:address )?|non-canonical address 0x)([0-9a-f]{8,16})\b/.exec(text)?.[1];
    if (address !== undefined) oops.address ??= address;
  }

  finish(body: Body): Oops {
    const { oops } = this;
    const registerText = body.registers?.text ?? [];
    const link = firstPlace(registerText, /^\s*(?:LR \[|LR is at |lr : |ra *: )/);
    const ip = body.registers?.at;
    const warned = codePlaceAfter(oops.headline, /:\d+ (?=[A-Za-z_])/);
    const at =
      ip?.function !== undefined
        ? ip
        : (firstPlace(registerText, /^\s*(?:NIP \[|RIP: |RIP +|EIP is at |PC is at |pc : |epc *: )/) ??
          warned ??
          oops.at ??
          ip);
    return {
      ...oops,
      class: oops.class ?? "other",
      ...field("at", at),
      ...field("link", link),
      ...field("registers", body.registers),
      ...field("modules", body.modules),
      ...field("process", body.process),
      ...field("trace", body.trace),
      ...field("code", body.code),
    };
  }
}

/** The first line of a block whose place names a function. */
function firstPlace(lines: readonly string[], before: RegExp): CodePlace | undefined {
  for (const line of lines) {
    if (!before.test(line)) continue;
    const start = before.source.includes("\\[") ? line.replace(/^(\s*(?:NIP|LR) )\[/, "$1[") : line;
    const place = codePlaceAfter(
      start,
      /^\s*(?:NIP|LR is at|LR|lr :|RIP:|RIP|EIP is at|PC is at|pc :|epc *:|ra *:)\s*/,
    );
    if (place?.function !== undefined) return place;
  }
  return undefined;
}

function opening(text: string): { readonly class?: Oops["class"] } {
  const found = classOf(text);
  return found === undefined ? {} : { class: found };
}

function classOf(text: string): Oops["class"] | undefined {
  if (/NULL pointer dereference/.test(text)) return "null dereference";
  if (/paging request|handle page fault|data access|Kernel access of bad area/.test(text)) return "paging request";
  if (/general protection/.test(text)) return "general protection";
  if (/BUG at /.test(text)) return "bug";
  if (/^WARNING|^Badness/.test(text)) return "warning";
  if (/invalid opcode/.test(text)) return "invalid opcode";
  if (/[Mm]achine check/.test(text)) return "machine check";
  return undefined;
}

/** Own lines of an oops for a BodyReader; a second fault's headline ends the report. */
export function oopsOwn(builder: OopsBuilder, report: ReportBuilder): (text: string, index: number) => OwnAnswer {
  let seen = 0;
  return (text, index) => {
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

/** Reads the report that begins at `index`. */
export function readOops(stretch: Stretch, index: number): { readonly incident: Incident; readonly next: number } {
  const report = new ReportBuilder(stretch);
  const line = stretch.lines[index];
  const builder = new OopsBuilder(line === undefined ? "" : textOf(line));
  takeCutHere(stretch, report, index);
  report.take(index, "headline");
  const body = new BodyReader(stretch, report, oopsOwn(builder, report)).read(index + 1);
  const reading = builder.finish(body);
  if (reading.trace === undefined) report.missing.push("trace");
  return { incident: report.finish("oops", reading), next: index + 1 };
}

/** The line `------------[ cut here ]------------` belongs to the report that follows it. */
export function takeCutHere(stretch: Stretch, report: ReportBuilder, index: number): void {
  for (let i = index - 1; i >= Math.max(0, index - 2); i--) {
    if (stretch.lines[i]?.text.includes("[ cut here ]") === true && stretch.taken[i] === 0) report.take(i);
  }
}
