// The watch itself: takes lines and samples as they come, tells each incident once with the minutes before it. The clock and the files are the
// caller's, so that a recorded hour is watched as a live one is.
import { gather } from "../../artifact/gather.ts";
import { sourceOf } from "../../base/byte_source.ts";
import { createCollector } from "../../diagnosis/collect.ts";
import { diagnose } from "../../diagnosis/diagnose.ts";
import type { Diagnosis } from "../../diagnosis/finding.ts";
import type { Release } from "../../kernel/release.ts";
import type { History, Rise } from "../../live/history.ts";
import { createHistory } from "../../live/history.ts";
import type { WatchCounts } from "../../live/openmetrics.ts";
import type { Sample, SampleTexts } from "../../live/sample.ts";
import { sampleOf } from "../../live/sample.ts";
import { giveFunctionIndexFile } from "../function_index.ts";
import type { KernelLine } from "./kmsg.ts";

/** What is told of some lines of the log. */
export interface Told {
  readonly schema: "skblab.watch/1";
  readonly boot: string;
  /** Seconds since boot when it was told; undefined before the first sample. */
  readonly seconds: number | undefined;
  readonly diagnosis: Diagnosis;
  readonly before: {
    readonly spanSeconds: number;
    readonly rises: readonly Rise[];
    readonly rooms: readonly {
      readonly node: number;
      readonly zone: string;
      readonly order: number;
      readonly context: string;
      readonly requests: number | null;
      readonly earlier: number | null;
    }[];
  };
}

export interface WatcherOptions {
  readonly release: Release;
  readonly boot: string;
  /** /proc/version and what else stands for evidence of this machine: name and text. */
  readonly around: readonly (readonly [name: string, text: string])[];
  readonly told: (told: Told, last: number | undefined) => void;
  /** A report is taken for whole when this long nothing came behind it. */
  readonly quietMillis?: number;
  readonly beforeSeconds?: number;
  readonly mostSamples?: number;
}

export interface Watcher {
  readonly history: History;
  readonly counts: WatchCounts;
  sample(texts: SampleTexts, seconds: number): Sample;
  /** Lines as they came, at `millis` of the caller's clock. */
  lines(lines: readonly KernelLine[], millis: number): void;
  /** Tells what is whole by now; with `all`, what is there. */
  turn(millis: number, all?: boolean): Promise<void>;
}

/** Lines that are kept until a report is whole; a log that never rests is told in pieces of this size. */
const mostLines = 4000;

export function createWatcher(options: WatcherOptions): Watcher {
  const history = createHistory(options.mostSamples);
  const incidents = new Map<string, { kind: string; severity: string; count: number }>();
  const quiet = options.quietMillis ?? 1500;
  let pending: KernelLine[] = [];
  let lastCame = 0;
  const before = (): Told["before"] => {
    const span = options.beforeSeconds ?? 300;
    const last = history.samples.at(-1);
    const first = last === undefined ? undefined : history.samples.find((s) => s.seconds >= last.seconds - span);
    return {
      spanSeconds: last === undefined || first === undefined ? 0 : last.seconds - first.seconds,
      rises: history.rises(span),
      rooms: (last?.rooms ?? []).map((r) => ({
        node: r.node,
        zone: r.zone,
        order: r.order,
        context: r.context,
        requests: r.requests ?? null,
        earlier:
          first?.rooms.find(
            (b) => b.node === r.node && b.zone === r.zone && b.order === r.order && b.context === r.context,
          )?.requests ?? null,
      })),
    };
  };
  return {
    history,
    get counts() {
      return { incidents: [...incidents.values()] };
    },
    sample(texts, seconds) {
      const sample = sampleOf(options.release, texts, seconds);
      history.add(sample);
      return sample;
    },
    lines(lines, millis) {
      if (lines.length === 0) return;
      pending.push(...lines);
      lastCame = millis;
    },
    async turn(millis, all = false) {
      if (pending.length === 0 || (!all && millis - lastCame < quiet && pending.length < mostLines)) return;
      const lines = pending;
      pending = [];
      const last = lines.findLast((l) => l.sequence !== undefined)?.sequence;
      const diagnosis = await diagnosisOf(lines, options.around);
      for (const i of diagnosis.incidents) {
        const key = `${i.kind} ${i.severity}`;
        const known = incidents.get(key) ?? { kind: i.kind, severity: i.severity, count: 0 };
        known.count += i.count;
        incidents.set(key, known);
      }
      options.told(
        {
          schema: "skblab.watch/1",
          boot: options.boot,
          seconds: history.samples.at(-1)?.seconds,
          diagnosis,
          before: before(),
        },
        last,
      );
    },
  };
}

/** What diagnose says of the lines, with the machine's own texts beside them. */
async function diagnosisOf(lines: readonly KernelLine[], around: WatcherOptions["around"]): Promise<Diagnosis> {
  giveFunctionIndexFile();
  const collector = createCollector();
  const log = `${lines.map((l) => l.text).join("\n")}\n`;
  async function* inputs() {
    yield { source: sourceOf("kernel log", log), named: true };
    for (const [name, text] of around) yield { source: sourceOf(name, text), named: false };
  }
  return diagnose(collector.finish(await gather(inputs(), { onWindow: collector.onWindow })));
}
