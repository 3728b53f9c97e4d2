// The watch itself: takes lines and samples as they come, tells each incident once with the minutes before it. The clock and the files are the
// caller's, so that a recorded hour is watched as a live one is.
import type { Diagnosis } from "../../diagnosis/finding.ts";
import type { Release } from "../../kernel/release.ts";
import type { History, PoolGrowth, Rise } from "../../live/history.ts";
import { createHistory } from "../../live/history.ts";
import type { WatchCounts } from "../../live/openmetrics.ts";
import { remarksOf } from "../../live/remarks.ts";
import type { Sample, SampleTexts } from "../../live/sample.ts";
import { sampleOf } from "../../live/sample.ts";
import type { KernelLine } from "./kmsg.ts";
import { createTeller } from "./teller.ts";
import type { SequenceOf } from "./told.ts";

/** What is told of some lines of the log. */
export interface Told {
  readonly schema: "skblab.watch/1";
  readonly boot: string;
  /** Of the last line of the log that this tells, where lines have numbers. */
  readonly sequence?: number;
  readonly of?: SequenceOf;
  /** Seconds since boot when it was told; undefined before the first sample. */
  readonly seconds: number | undefined;
  readonly diagnosis: Diagnosis;
  readonly before: {
    readonly spanSeconds: number;
    readonly rises: readonly Rise[];
    /** Page pools that hold more pages than before. */
    readonly pools: readonly PoolGrowth[];
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
  /** Told what changed beside the numbers, a sentence each. */
  readonly remark?: (sentence: string) => void;
  readonly intervalSeconds?: number;
  /** What the numbers of its lines count. */
  readonly sequenceOf?: SequenceOf;
  readonly beforeSeconds?: number;
  readonly mostSamples?: number;
}

export interface Watcher {
  readonly history: History;
  readonly counts: WatchCounts;
  sample(texts: SampleTexts, seconds: number, pools?: Sample["pools"]): Sample;
  /** Lines as they came, at `millis` of the caller's clock. */
  lines(lines: readonly KernelLine[], millis: number): void;
  /** Tells what is whole by now; with `all`, what is there. */
  turn(millis: number, all?: boolean): Promise<void>;
}

export function createWatcher(options: WatcherOptions): Watcher {
  const history = createHistory(options.mostSamples);
  const incidents = new Map<string, { kind: string; severity: string; count: number }>();
  const before = (): Told["before"] => {
    const span = options.beforeSeconds ?? 300;
    const last = history.samples.at(-1);
    const first = last === undefined ? undefined : history.samples.find((s) => s.seconds >= last.seconds - span);
    return {
      spanSeconds: last === undefined || first === undefined ? 0 : last.seconds - first.seconds,
      rises: history.rises(span),
      pools: history.poolGrowth(span),
      rooms: (last?.rooms ?? []).map((r) => ({
        node: r.node,
        zone: r.zone,
        order: r.order,
        context: r.context,
        requests: r.requests ?? null,
        earlier: history.roomBefore(r, span) ?? null,
      })),
    };
  };
  const teller = createTeller({
    name: "kernel log",
    around: options.around,
    quietMillis: options.quietMillis ?? 1500,
    told(diagnosis, last) {
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
          ...(last === undefined ? {} : { sequence: last, of: options.sequenceOf ?? "records" }),
          seconds: history.samples.at(-1)?.seconds,
          diagnosis,
          before: before(),
        },
        last,
      );
    },
  });
  return {
    history,
    get counts() {
      return { incidents: [...incidents.values()] };
    },
    sample(texts, seconds, pools) {
      const sample = sampleOf(options.release, texts, seconds, { pools });
      const before = history.samples.at(-1);
      for (const remark of remarksOf(before, sample, options.intervalSeconds ?? 5)) options.remark?.(remark);
      history.add(sample);
      return sample;
    },
    lines: teller.lines,
    turn: teller.turn,
  };
}
