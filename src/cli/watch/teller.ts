// Lines of a log as they come, and what diagnose says of them once a report is whole: told once, in the order in which they came.
import { gather } from "../../artifact/gather.ts";
import { sourceOf } from "../../base/byte_source.ts";
import type { LeaveOut } from "../../diagnosis/collect.ts";
import { createCollector } from "../../diagnosis/collect.ts";
import { diagnose } from "../../diagnosis/diagnose.ts";
import type { Diagnosis } from "../../diagnosis/finding.ts";
import { giveFunctionIndexFile } from "../function_index.ts";
import type { KernelLine } from "./kmsg.ts";

export interface TellerOptions {
  /** What the lines are called in evidence. */
  readonly name: string;
  /** /proc/version and what else stands for evidence of this machine: name and text. */
  readonly around: readonly (readonly [name: string, text: string])[];
  /** `last` is the number of the last line that has one. */
  readonly told: (diagnosis: Diagnosis, last: number | undefined) => void;
  /** A report is taken for whole when this long nothing came behind it. */
  readonly quietMillis?: number;
  readonly leaveOut?: LeaveOut | undefined;
}

export interface Teller {
  /** Lines as they came, at `millis` of the caller's clock. */
  lines(lines: readonly KernelLine[], millis: number): void;
  /** Tells what is whole by now; with `all`, what is there. */
  turn(millis: number, all?: boolean): Promise<void>;
}

/** Lines that are kept until a report is whole; a log that never rests is told in pieces of about this size. */
const mostLines = 4000;

export function createTeller({ name, around, told, quietMillis = 1500, leaveOut }: TellerOptions): Teller {
  const pending: KernelLine[] = [];
  let lastCame = 0;
  const tell = async (lines: readonly KernelLine[]): Promise<void> => {
    const last = lines.findLast((l) => l.sequence !== undefined)?.sequence;
    giveFunctionIndexFile();
    const collector = createCollector({ leaveOut });
    async function* inputs() {
      const source = sourceOf(name, `${lines.map((l) => l.text).join("\n")}\n`);
      yield { source: { ...source, linesBefore: (lines[0]?.line ?? 1) - 1 }, named: true };
      for (const [file, text] of around) yield { source: sourceOf(file, text), named: false };
    }
    const diagnosis = diagnose(collector.finish(await gather(inputs(), { onWindow: collector.onWindow })));
    told(leaveOut === undefined ? diagnosis : { ...diagnosis, since: leaveOut.text }, last);
  };
  return {
    lines(lines, millis) {
      if (lines.length === 0) return;
      // Not push(...lines): a whole log may come at once.
      for (const line of lines) pending.push(line);
      lastCame = millis;
    },
    async turn(millis, all = false) {
      while (pending.length > mostLines && !all) await tell(pending.splice(0, cutAt(pending)));
      if (pending.length === 0 || (!all && millis - lastCame < quietMillis)) return;
      await tell(pending.splice(0));
    },
  };
}

/**
 * Where a log that never rests is cut: between the two lines in the second half of a piece that lie farthest apart in time, since a report's own lines
 * come within microseconds. Without stamps, at the piece's end.
 */
export function cutAt(lines: readonly KernelLine[], most = mostLines): number {
  let widest = 0;
  let cut = most;
  let before = stampOf(lines[most / 2 - 1]);
  for (let i = most / 2; i < most; i++) {
    const now = stampOf(lines[i]);
    if (now !== undefined && before !== undefined && now - before > widest) {
      widest = now - before;
      cut = i;
    }
    before = now ?? before;
  }
  return cut;
}

const stampOf = (line: KernelLine | undefined): number | undefined => {
  const text = /\[ {0,8}(\d{1,12}\.\d{1,9})\] /.exec(line?.text.slice(0, 120) ?? "")?.[1];
  return text === undefined ? undefined : Number(text);
};
