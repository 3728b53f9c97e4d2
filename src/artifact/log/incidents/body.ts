// The middle of every report: process line, stack, registers, modules, Mem-Info. Each kind of report reads its own lines first and leaves
// the rest to this; a foreign line in between (another CPU, another subsystem) is stepped over, a new headline ends the report.
import type { CallTrace, RegisterDump } from "../../../kernel/readings/call_trace.ts";
import type { MemInfo } from "../../../kernel/readings/mem_info.ts";
import type { ProcessLine } from "../../../kernel/readings/process_line.ts";
import type { ReportBuilder, Stretch } from "./builder.ts";
import { textOf } from "./builder.ts";
import {
  isHexRow,
  isRegisterLine,
  isStackWords,
  isTornFrame,
  readRegisters,
  readTraceLine,
  TraceBuilder,
} from "./call_trace.ts";
import { headlineKind } from "./headline.ts";
import { MemInfoBuilder } from "./mem_info_read.ts";
import { processOfRegisters, readProcessExtra, readProcessLine } from "./process_line.ts";

/**
 * What a kind's own reader did with a line: took it, left it, knows that the report ended before it, or that it belongs to another report
 * which was printed in the midst of this one.
 */
export type OwnAnswer = "taken" | "left" | "end" | "another's";

export interface Body {
  readonly process?: ProcessLine;
  readonly trace?: CallTrace;
  /** The register block before the stack. */
  readonly registers?: RegisterDump;
  readonly modules?: string;
  readonly code?: string;
  readonly memInfo?: MemInfo;
  /** `Disabling lock debugging due to kernel taint` followed. */
  readonly firstTaint: boolean;
  /** Index of the first line after the report. */
  readonly end: number;
}

/** Foreign lines in a row after which a report is over. */
const patience = 12;
/** Seconds between two lines of one report; a slow console makes a line wait for some tenths. */
export const longestPause = 3;

export class BodyReader {
  private readonly stretch: Stretch;
  private readonly report: ReportBuilder;
  private readonly mem = new MemInfoBuilder();
  private trace = new TraceBuilder();
  private process: ProcessLine | undefined;
  private dump: string[] = [];
  private modules: string | undefined;
  private code: string | undefined;
  private readonly own: (text: string, index: number) => OwnAnswer;
  private inDump = false;
  private inCode = false;
  private inModules = false;
  private traceOver = false;
  private firstTaint = false;

  constructor(stretch: Stretch, report: ReportBuilder, own: (text: string, index: number) => OwnAnswer) {
    this.stretch = stretch;
    this.report = report;
    this.own = own;
  }

  /** Reads from line `start` to the end of the report. */
  read(start: number): Body {
    const { lines, taken } = this.stretch;
    let gap = 0;
    let index = start;
    let end = start;
    let before = lines[start - 1]?.seconds;
    for (; index < lines.length && gap <= patience; index++) {
      const line = lines[index];
      if (line === undefined || taken[index] === 1) continue;
      const text = textOf(line);
      if (text.trim() === "") continue;
      // One report is printed in one go: what stands seconds later is the rest of another one.
      if (line.seconds !== undefined && before !== undefined && line.seconds - before > longestPause) break;
      const answer = this.own(text, index);
      if (answer === "end") break;
      if (answer === "another's") continue;
      if (answer === "left") {
        if (headlineKind(text) !== undefined || this.beginsAnother(text)) break;
        if (!this.takeCommon(text, index)) {
          gap++;
          continue;
        }
      }
      gap = 0;
      before = line.seconds ?? before;
      end = index + 1;
    }
    return this.result(end);
  }

  private result(end: number): Body {
    this.process = { ...processOfRegisters(this.dump), ...this.process };
    if (Object.keys(this.process).length === 0) this.process = undefined;
    const memInfo = this.mem.finish();
    const trace = this.trace.finish();
    return {
      ...(this.process === undefined ? {} : { process: this.process }),
      ...(trace === undefined ? {} : { trace }),
      ...(this.dump.length === 0 ? {} : { registers: readRegisters(this.dump) }),
      ...(this.modules === undefined ? {} : { modules: this.modules }),
      ...(this.code === undefined ? {} : { code: this.code }),
      ...(memInfo === undefined ? {} : { memInfo }),
      firstTaint: this.firstTaint,
      end,
    };
  }

  /** A second head of something that a report has once: the headline of the next report is lost. */
  private beginsAnother(text: string): boolean {
    if (text.startsWith("------------[ cut here ]") || this.mem.repeats(text)) return true;
    return (
      (this.trace.frames > 0 || this.mem.started) && this.process !== undefined && readProcessLine(text) !== undefined
    );
  }

  private takeCommon(text: string, index: number): boolean {
    return (
      this.takeProcess(text, index) ||
      this.takeRegisters(text, index) ||
      this.takeStackWords(text, index) ||
      this.takeTrace(text, index) ||
      this.takeMemInfo(text, index)
    );
  }

  private takeProcess(text: string, index: number): boolean {
    const process = this.process?.pid === undefined ? readProcessLine(text) : undefined;
    if (process !== undefined) {
      this.process = { ...process, ...this.process };
      this.report.take(index, "process");
      this.inDump = false;
      return true;
    }
    const extra = readProcessExtra(text);
    if (extra !== undefined) {
      this.process = { ...this.process, ...extra };
      this.report.take(index, "workqueue" in extra ? "workqueue" : "hardware" in extra ? "hardware" : "taint");
      return true;
    }
    return this.takeModules(text, index);
  }

  /** The list of modules breaks where a printk record is full; the next line is nothing but more names. */
  private takeModules(text: string, index: number): boolean {
    const continues = this.inModules && /^ {1,2}[\w()+-]+(?: [\w()+-]+)*(?: \[last unloaded: [^\]]*\])?\s*$/.test(text);
    if (continues) this.modules = `${this.modules ?? ""} ${text.trim()}`;
    else if (text.startsWith("Modules linked in:")) this.modules ??= text.slice("Modules linked in:".length).trim();
    else {
      this.inModules = false;
      return false;
    }
    this.inModules = true;
    this.report.take(index, "modules");
    return true;
  }

  private takeRegisters(text: string, index: number): boolean {
    const continues = this.inDump && isHexRow(text);
    if (!continues && !isRegisterLine(text)) {
      this.inDump = false;
      return false;
    }
    this.inDump = true;
    const code = /^\s*(?:Code|Instruction dump):/.test(text);
    // powerpc dumps its instructions behind the stack, a word or more per line.
    this.inCode = text.startsWith("Instruction dump:") || (continues && this.inCode);
    if (this.inCode) this.code = this.code === undefined ? text.trim() : `${this.code} ${text.trim()}`;
    else if (this.trace.started && !this.traceOver) this.trace.addRegisters(text);
    else if (!this.traceOver) {
      if (code) this.code ??= text.trim();
      this.dump.push(text);
    }
    // After the stack the first fault's registers are printed again: they are the report's, and say nothing new.
    this.report.take(index, code || this.inCode ? "code" : "registers");
    return true;
  }

  private takeStackWords(text: string, index: number): boolean {
    if (this.trace.frames > 0 || !isStackWords(text)) return false;
    this.report.take(index, "stack_words");
    return true;
  }

  private takeTrace(text: string, index: number): boolean {
    const line = this.traceOver ? undefined : readTraceLine(text);
    if (line === undefined) {
      if (!this.traceOver && this.trace.started && !this.mem.started && isTornFrame(text)) this.trace.tear();
      if (!/^\s*(?:---\[ end trace|Disabling lock debugging|RIP\s+\[<)/.test(text)) return false;
      this.traceOver = true;
      if (text.startsWith("Disabling lock")) this.firstTaint = true;
      this.report.take(index, "end");
      return true;
    }
    if (line.kind === "heading") {
      // Frames above the first heading stand where a line says (`Preemption disabled at:`), or are the end of another stack.
      if (this.trace.frames > 0 && !this.trace.restart()) return false;
      this.report.forgetFrames();
      this.trace.setHeading(line.text);
      this.report.take(index, "trace");
      return true;
    }
    const frames = line.items.filter((i) => i.kind === "frame").length;
    for (let i = 0; i < frames; i++) this.report.alsoCarries(index, `frame:${this.trace.frames + i}`);
    this.trace.add(line.items, line.form);
    this.report.take(index, "trace");
    if (line.rest !== "")
      this.report.note(
        index,
        `Text behind the stack frame is not the kernel's and was skipped: "${line.rest.slice(0, 60)}".`,
      );
    return true;
  }

  private takeMemInfo(text: string, index: number): boolean {
    const part = this.mem.take(text);
    if (part === undefined) return false;
    this.report.take(index, part);
    return true;
  }
}
