// skblab run: runs scenario files on the model.
import { join } from "node:path";
import { BadInput } from "../../base/bad_input.ts";
import { suggest } from "../../base/suggest.ts";
import { eventShapes } from "../../kernel/events.ts";
import type { Parts } from "../../lab/parts.ts";
import type { KernelFile } from "../../observe/kernel_files.ts";
import { fileText, logText } from "../../report/kernel_log.ts";
import { scenarioDocument } from "../../report/scenarios.ts";
import { experimentKind } from "../../scenario/experiment.ts";
import { scenarioJsonSchema } from "../../scenario/json_schema.ts";
import type { ScenarioKind } from "../../scenario/kind.ts";
import { scenarioKinds } from "../../scenario/kinds.ts";
import type { Onlooker, Sample } from "../../scenario/machine_run.ts";
import type { Scenario } from "../../scenario/read.ts";
import { standsFor } from "../../scenario/stands_for.ts";
import type { CommandSpec, Io } from "../command.ts";
import { excludes } from "../modes.ts";
import { writeOutputs } from "../output.ts";
import { openScenario } from "../own_drivers.ts";
import type { EventFilter, JournalForm } from "../parallel/journal_file.ts";
import { journalFile } from "../parallel/journal_file.ts";
import { runPool } from "../parallel/pool.ts";

export const command: CommandSpec = {
  name: "run",
  examples: [
    {
      line: "skblab run scenarios/page-pool-skb-copy.yaml",
      does: "the wrong recycle of the first branches, and its absence after the fix",
    },
    {
      line: "skblab run scenarios/high-order-after-thrash.yaml",
      does: "120 machines: large blocks after a compile, by placement policy",
    },
    {
      line: "skblab run scenarios/jumbo-under-pressure.yaml",
      does: "one machine, jumbo frames, a compile-like load: counters, timeline, the failure report",
    },
    { line: "skblab run scenarios/page-pool-tcp.yaml", does: "three ways to coalesce pages of a pool, side by side" },
  ],
  configure(cmd, io) {
    cmd
      .argument("[files...]", "scenario files (YAML), - for standard input")
      .option("--jobs <n>", "threads for scenarios of many machines (default: one per core)")
      .option("--journal <file>", "write every event of the run to a file: NDJSON")
      .option("--ftrace <file>", "the tracepoints among them as /sys/kernel/tracing/trace of the release prints them")
      .option("--perfetto <file>", "the same as a Perfetto trace, with counters (ui.perfetto.dev)")
      .option(
        "--pcapng <file>",
        "the frames on the wire, headers only, with a comment on those that were lost or missed",
      )
      .option("--events <list>", "write only these events: names, separated by commas")
      .option("--between <from-to>", "write only events of this time, milliseconds since boot: 10-12.5")
      .option("--most-mb <n>", "write at most this many MB to each of these files (default: 1024); the rest is counted")
      .option("--log <file>", "write what the kernel would have logged, for skblab diagnose")
      .option("--proc <dir>", "write /proc and ethtool -S as they would read at the end, for skblab diagnose")
      .option(
        "--schema",
        "print the JSON Schema of scenario files, with the settings of the drivers that the named files bring",
      )
      .action((files: string[], options: RunOptions) => {
        excludes(cmd, "--schema", [
          ...["--journal", "--ftrace", "--perfetto", "--pcapng"],
          ...["--events", "--between", "--most-mb", "--log", "--proc", "--jobs", "--format"],
        ]);
        return run(files, options, io);
      });
  },
};

interface RunOptions
  extends Readonly<
    Partial<Record<JournalForm | "journal" | "jobs" | "log" | "proc" | "events" | "between" | "mostMb", string>>
  > {
  readonly schema?: boolean;
}

async function run(files: readonly string[], options: RunOptions, io: Io): Promise<void> {
  if (options.schema === true) {
    const own = [];
    for (const file of files) own.push(...(await openScenario(file, everyKind)).drivers);
    return io.write(`${JSON.stringify(scenarioJsonSchema(own), null, 2)}\n`);
  }
  if (files.length === 0) throw new BadInput("No scenario was named.", undefined, "Try: skblab run scenarios/*.yaml");
  // All are read before the first one runs: a mistake in the last file costs nothing.
  const scenarios: Scenario[] = [];
  for (const file of files) scenarios.push(await openScenario(file, scenarioKinds));
  const jobs = threadsOf(options.jobs);
  const exports = exportsOf(options, scenarios);
  const traces = tracesOf(options, scenarios);
  const only = filterOf(options);
  const runs = [];
  for (const { file, kind, settings } of scenarios)
    runs.push({ file, kind, settings, result: await runKind(kind, settings, jobs, io, exports, traces, only) });
  await io.answer({
    document: runs.flatMap((r) =>
      scenarioDocument(r.file, r.kind.kind, r.kind.summary, r.result, standsFor(r.settings)),
    ),
    json: {
      schema: "skblab.run/1",
      runs: runs.map((r) => ({
        file: r.file,
        kind: r.kind.kind,
        settings: r.settings,
        standsFor: standsFor(r.settings),
        result: r.result,
      })),
    },
    exit: 0,
  });
}

type Export = readonly [form: JournalForm, path: string];

function exportsOf(options: RunOptions, scenarios: readonly Scenario[]): Export[] {
  const asked = (
    [
      ["ndjson", options.journal],
      ["ftrace", options.ftrace],
      ["perfetto", options.perfetto],
      ["pcapng", options.pcapng],
    ] as const
  ).flatMap(([form, path]): Export[] => (path === undefined ? [] : [[form, path]]));
  if (asked.length === 0) return asked;
  const [only, another] = scenarios;
  if (another !== undefined) throw new BadInput("A journal belongs to one scenario: name one file.");
  if (only?.kind.watch === undefined)
    throw new BadInput(`A scenario of kind ${only?.kind.kind} has no journal to write: it is not one machine.`);
  return asked;
}

/** `--events` and `--between`. */
function filterOf({ events, between, mostMb, journal, ftrace, perfetto, pcapng }: RunOptions): EventFilter {
  if (events === undefined && between === undefined && mostMb === undefined) return {};
  const frames = (between ?? mostMb) === undefined ? undefined : pcapng;
  if ((journal ?? ftrace ?? perfetto ?? frames) === undefined)
    throw new BadInput(
      `${events !== undefined ? "--events" : between !== undefined ? "--between" : "--most-mb"} says what is written to a file, and none is named.`,
      undefined,
      "Add --journal, --ftrace or --perfetto; without --events, --pcapng is enough.",
    );
  if (mostMb !== undefined && !/^[1-9]\d{0,6}$/.test(mostMb))
    throw new BadInput(`--most-mb ${mostMb} is not a size.`, undefined, "Write whole megabytes: 100");
  const names = eventShapes.map((shape) => shape.name);
  const asked = events?.split(",").map((name) => {
    const found = names.find((known) => known === name);
    if (found === undefined)
      throw new BadInput(`--events: there is no event "${name}".`, undefined, suggest(name, names));
    return found;
  });
  const [, from, to] = /^(\d{1,9}(?:\.\d{1,6})?)-(\d{1,9}(?:\.\d{1,6})?)$/.exec(between ?? "0-0") ?? [];
  if (from === undefined || to === undefined || Number(from) > Number(to))
    throw new BadInput(`--between ${between} is not a time.`, undefined, "Write milliseconds since boot: 10-12.5");
  return {
    ...(asked === undefined ? {} : { events: asked }),
    ...(mostMb === undefined ? {} : { bytes: Number(mostMb) * 1e6 }),
    ...(between === undefined ? {} : { between: [Number(from) * 1e6, Number(to) * 1e6] }),
  };
}

/** What `--log` and `--proc` want of a run, kept until it is written; undefined when neither was given. */
function tracesOf(options: RunOptions, scenarios: readonly Scenario[]): Traces | undefined {
  const { log, proc } = options;
  if (log === undefined && proc === undefined) return undefined;
  const [only, another] = scenarios;
  if (another !== undefined) throw new BadInput("A log and files are those of one machine: name one scenario.");
  if (only?.kind.watch === undefined)
    throw new BadInput(
      `A scenario of kind ${only?.kind.kind} has no log and no files to write: it is not one machine.`,
    );
  const { release } = only.settings as { release: string };
  let text = "";
  let files: readonly KernelFile[] = [];
  const end: Traces["end"] = (logged, filesNow) => {
    if (log !== undefined) text = logText(logged, release);
    if (proc !== undefined) files = filesNow();
  };
  return {
    end,
    files: () => [
      ...(log === undefined ? [] : [[log, text] as const]),
      ...files.map(({ path, reading }) => [join(proc ?? "", path), fileText(reading)] as const),
    ],
    note: () => (files.length === 0 ? undefined : `${files.length} files written below ${proc}`),
  };
}

interface Traces {
  readonly end: NonNullable<Onlooker["end"]>;
  /** After the end: what is to be written, and a sentence on it. */
  files(): (readonly [path: string, text: string])[];
  note(): string | undefined;
}

const everyKind = [...scenarioKinds, experimentKind];

/** `--jobs`: a whole number of threads; undefined when it was left out. */
export function threadsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,2}$/.test(text))
    throw new BadInput(`--jobs ${text} is not a number of threads.`, undefined, "Write a whole number from 1 to 999.");
  return Number(text);
}

/** Runs a scenario: its parts, when it has them, on all cores; a single machine here, with whoever wants to look on. */
async function runKind(
  kind: ScenarioKind,
  settings: unknown,
  jobs: number | undefined,
  io: Io,
  exports: readonly Export[] = [],
  traces: Traces | undefined = undefined,
  only: EventFilter = {},
): Promise<unknown> {
  const { parts } = kind;
  if (parts !== undefined) return runAllParts(kind, parts, settings, jobs, io);
  if (kind.watch === undefined) return kind.run(settings);
  const { cpus = 1 } = settings as { cpus?: number };
  const writers = exports.map(([form, path]) => journalFile(path, form, cpus, only));
  try {
    return watched(kind, settings, writers, exports, io, traces);
  } finally {
    for (const w of writers) w.discard();
  }
}

function watched(
  kind: ScenarioKind,
  settings: unknown,
  writers: readonly ReturnType<typeof journalFile>[],
  exports: readonly Export[],
  io: Io,
  traces: Traces | undefined,
): unknown {
  const result = kind.watch?.(settings, {
    ...(traces === undefined ? {} : { end: traces.end }),
    begin(journal, machine) {
      for (const w of writers) w.begin?.(journal, machine);
    },
    // Who listens costs time: only when somebody does.
    ...(writers.some((w) => w.wire !== undefined)
      ? {
          wire(frame) {
            for (const w of writers) w.wire?.(frame);
          },
        }
      : {}),
    sample(sample, done) {
      for (const w of writers) w.sample?.(sample, done);
      io.progress(
        kind.kind,
        done,
        `${sample.millis} ms, ${came(sample)}, ${sample.failures} failed, ${sample.freePages} pages free`,
      );
    },
  });
  for (const w of writers) w.flush();
  writeOutputs(traces?.files() ?? [], { parents: true, also: writers.map((w) => w.output) });
  writers.forEach((w, i) => {
    const left = w.leftOut();
    io.note(
      `${w.events()} events written to ${exports[i]?.[1]}${left === 0 ? "" : `; ${left} more had no room in it (--most-mb, --events, --between)`}`,
    );
  });
  const note = traces?.note();
  if (note !== undefined) io.note(note);
  return result;
}

/** What has come so far: datagrams, or what TCP carried both ways. */
const came = ({ received, tcp }: Sample): string =>
  tcp === undefined
    ? `${received} received`
    : `${(tcp.bytes / 1e6).toFixed(1)} MB by TCP, ${tcp.retransmitted} segments retransmitted`;

async function runAllParts(
  kind: ScenarioKind,
  parts: Parts,
  settings: unknown,
  jobs: number | undefined,
  io: Io,
): Promise<unknown> {
  const list = parts.list(settings);
  io.progress(kind.kind, 0, `0 of ${list.length} machines`);
  const results = await runPool(
    list.map((part) => ({ kind: kind.kind, settings, part })),
    {
      ...(jobs === undefined ? {} : { jobs }),
      done: (index, _result, finished) =>
        io.progress(kind.kind, finished / list.length, `${finished} of ${list.length}: ${parts.label(list[index])}`),
    },
  );
  return parts.join(settings, results);
}
