// skblab fleet PATH…: many hosts' logs as causes: how many hosts, since when, which kernels and drivers, and where to start.
import { BadInput } from "../../base/bad_input.ts";
import type { DiagnosedIncident } from "../../diagnosis/finding.ts";
import type { Cause, FleetAnswer } from "../../fleet/fleet.ts";
import { createExampleFilter, createFleet } from "../../fleet/fleet.ts";
import type { HostRecord } from "../../fleet/host_record.ts";
import type { Year } from "../../kernel/readings/date.ts";
import { fleetDocument } from "../../report/fleet.ts";
import { proofsDocument } from "../../report/prove.ts";
import type { Answer, CommandSpec, Io } from "../command.ts";
import { openExport } from "../fleet/export.ts";
import type { Job } from "../fleet/jobs.ts";
import { digestOf, jobsOf } from "../fleet/jobs.ts";
import { runJobs } from "../fleet/pool.ts";
import type { ExampleProof, FleetShard } from "../fleet/shard.ts";
import { openFleetShard } from "../fleet/shard.ts";
import { shardOf } from "./experiment.ts";
import { threadsOf } from "./run.ts";

interface Options {
  readonly hostFrom?: string;
  readonly jobs?: string;
  readonly shard?: string;
  readonly out?: string;
  readonly export?: string;
  readonly year?: string;
  readonly prove?: boolean;
}

export const command: CommandSpec = {
  name: "fleet",
  examples: [
    { line: "skblab fleet fixtures/logs", does: "one file or folder per host: causes across hosts, worst first" },
    {
      line: "skblab fleet /var/log/remote --host-from 'remote/([^/]+)/'",
      does: "the host is what the expression finds in the path; a host that a line names wins",
    },
    {
      line: "skblab fleet fixtures/logs --export incidents.parquet",
      does: "one row per incident for DuckDB (.csv and .ndjson too)",
    },
    {
      line: "skblab fleet fixtures/logs --shard 1/4 --out parts",
      does: "a quarter of it on this host; then: skblab merge parts",
    },
  ],
  configure(cmd, io) {
    cmd
      .argument(
        "<paths...>",
        "directories with one file or folder per host, archives, logs that name their hosts, or -",
      )
      .option("--host-from <regex>", "take the host from the path: the first group, or the whole match")
      .option("--jobs <n>", "threads (default: one per core)")
      .option("--shard <i/n>", "read only the i-th of n parts (needs --out)")
      .option("--out <dir>", "keep the records there; an interrupted run continues from them")
      .option("--prove", "test the advice for each cause's example by running it; each part tests its own")
      .option("--export <file>", "write one row per incident: .csv, .parquet or .ndjson")
      .option("--year <year>", "the year of dates that have none (default: this year)")
      .action((paths: string[], options: Options) => fleet(paths, options, io));
  },
};

async function fleet(paths: readonly string[], options: Options, io: Io): Promise<void> {
  const { hostFrom, out } = options;
  const [index, of] = shardOf(options);
  const from = regexOf(hostFrom);
  const year = yearOf(options.year);
  const jobs = jobsOf(paths, from);
  if (jobs.length === 0) throw new BadInput("There is no file in it.", { file: paths.join(", ") });
  const all = createFleet();
  const keep = createExampleFilter();
  const rows = options.export === undefined ? undefined : openExport(options.export);
  try {
    const take = (record: HostRecord): HostRecord => {
      const kept = keep(record);
      all.add(kept);
      rows?.add(kept);
      return kept;
    };
    const shard =
      out === undefined
        ? undefined
        : openFleetShard(
            out,
            {
              shard: [index, of],
              jobs: jobs.length,
              digest: digestOf(jobs),
              options: {
                ...(hostFrom === undefined ? {} : { hostFrom }),
                ...(options.year === undefined ? {} : { year: options.year }),
                ...(options.prove === true ? { prove: "yes" } : {}),
              },
            },
            (records) => records.forEach(take),
          );
    const own = jobs.map((job, j) => ({ job, j })).filter(({ j }) => j % of === index - 1);
    const todo = own.filter(({ j }) => shard?.done.has(j) !== true);
    if (todo.length < own.length)
      io.note(`${own.length - todo.length} of ${own.length} were read before; continuing with the rest.`);
    await readAll(todo, { hostFrom, year }, { threads: threadsOf(options.jobs), shard, out, io, take });
    rows?.end();
    if (of > 1) {
      if (options.prove === true) for (const p of await provedExamples(all.examples(), io)) shard?.putProof(p);
      return await io.answer({
        document: [
          {
            kind: "text",
            text: `Part ${index} of ${of} is done: ${own.length} of ${jobs.length} hosts' files, in ${out}.`,
          },
        ],
        json: { schema: "skblab.fleet-part-done/1", shard: index, of, files: own.length, out },
        exit: 0,
      });
    }
    const answer = all.answer();
    const examples = answer.causes.map((c) => c.example);
    await io.answer(fleetAnswer(answer, options.prove === true ? await provedExamples(examples, io) : undefined));
  } finally {
    rows?.discard();
  }
}

interface Reading {
  readonly threads: number | undefined;
  readonly shard: FleetShard | undefined;
  readonly out: string | undefined;
  readonly io: Io;
  take(record: HostRecord): HostRecord;
}

/** Reads the jobs that are left, keeps their records, and tells how far it is. */
async function readAll(
  todo: readonly { readonly job: Job; readonly j: number }[],
  options: { readonly hostFrom: string | undefined; readonly year: Year },
  { threads, shard, out, io, take }: Reading,
): Promise<void> {
  const total = todo.reduce((n, { job }) => n + job.bytes, 0);
  const began = performance.now();
  const within = new Map<Job, number>();
  let [bytes, done] = [0, 0];
  const tell = (): void => {
    const read = bytes + [...within.values()].reduce((a, b) => a + b, 0);
    const seconds = Math.max(0.001, (performance.now() - began) / 1000);
    const rate = read / seconds;
    // Folders do not say how large they are: then the number of hosts has to do.
    const share = total > 0 ? Math.min(1, read / total) : done / todo.length;
    const left = share === 0 ? "" : `, ${Math.ceil((seconds / share) * (1 - share))} s left`;
    io.progress("reading", done / todo.length, `${done} of ${todo.length}, ${Math.round(rate / 1e6)} MB/s${left}`);
  };
  const stopped = (): void => {
    io.note(
      out === undefined
        ? "Stopped. With --out DIR the next run continues where this one stopped."
        : `Stopped after ${done} of ${todo.length}: the same command continues from there.`,
    );
    process.exit(130);
  };
  process.once("SIGINT", stopped);
  try {
    await runJobs(
      todo.map(({ job }) => job),
      options,
      threads,
      {
        records(n, records, last) {
          const { job, j } = todo[n] as (typeof todo)[number];
          const kept = records.map(take);
          if (kept.length > 0 || last) shard?.put(j, kept, last);
          if (!last) return;
          within.delete(job);
          bytes += job.bytes;
          done++;
          tell();
        },
        bytes(job, read) {
          within.set(job, read);
          tell();
        },
      },
    );
  } finally {
    process.off("SIGINT", stopped);
  }
}

const seedsOfEach = 5;

/** Runs the advice for each example, all with the same number of seeds: in whichever part it is run, the figures are the same. */
async function provedExamples(examples: readonly Cause["example"][], io: Io): Promise<ExampleProof[]> {
  const { prove } = await import("../../prove/prove.ts");
  const known = examples.filter((e) => e.diagnosis !== null);
  const proofs = known.map(({ input, line, diagnosis }, i) => ({
    input,
    line,
    proof: prove(
      diagnosis as DiagnosedIncident,
      (done, what) => io.progress("testing the advice", (i + done) / known.length, what),
      seedsOfEach,
    ),
  }));
  io.progress("testing the advice", 1);
  return proofs;
}

/** The answer, wherever its records and proofs were made. */
export function fleetAnswer(answer: FleetAnswer, proofs?: readonly ExampleProof[]): Answer {
  const own = answer.causes.map((c) => {
    const { input, line } = c.example;
    return proofs?.find((p) => p.input === input && p.line === line)?.proof ?? null;
  });
  return {
    document: [...fleetDocument(answer), ...proofsDocument(own.filter((p) => p !== null))],
    json: proofs === undefined ? answer : { ...answer, proofs: own },
    exit: answer.hosts > 0 && answer.hostsUnread === answer.hosts ? 2 : 0,
  };
}

/** The year that --year names; else this one, and no date may lie in the future: those are of last year. */
function yearOf(text: string | undefined): Year {
  if (text === undefined) {
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
    return { year: Number(tomorrow.slice(0, 4)), latest: tomorrow };
  }
  if (!/^(19|20)\d\d$/.test(text)) throw new BadInput(`--year ${text} is not a year.`, undefined, "Write four digits.");
  return { year: Number(text) };
}

function regexOf(text: string | undefined): RegExp | undefined {
  try {
    return text === undefined ? undefined : new RegExp(text);
  } catch (error) {
    throw new BadInput(`--host-from ${text} is not a regular expression: ${(error as Error).message}.`);
  }
}
