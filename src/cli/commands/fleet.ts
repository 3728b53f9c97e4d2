// skblab fleet PATH…: many hosts' logs as causes: how many hosts, since when, which kernels and drivers, and where to start.
import { BadInput } from "../../base/bad_input.ts";
import type { FleetAnswer } from "../../fleet/fleet.ts";
import { createFleet } from "../../fleet/fleet.ts";
import type { HostRecord } from "../../fleet/host_record.ts";
import type { ExportColumn } from "../../report/exports/tables.ts";
import { toCsv, toParquet } from "../../report/exports/tables.ts";
import { fleetDocument, incidentRow } from "../../report/fleet.ts";
import type { Answer, CommandSpec, Io } from "../command.ts";
import { jobsOf } from "../fleet/jobs.ts";
import { runJobs } from "../fleet/pool.ts";
import { openFleetShard } from "../fleet/shard.ts";
import { openOutput, writeOutput } from "../output.ts";
import { shardOf } from "./experiment.ts";
import { threadsOf } from "./run.ts";

interface Options {
  readonly hostFrom?: string;
  readonly jobs?: string;
  readonly shard?: string;
  readonly out?: string;
  readonly export?: string;
  readonly year?: string;
}

export const command: CommandSpec = {
  name: "fleet",
  examples: [
    { line: "skblab fleet fixtures/logs", does: "one file or folder a host: causes across hosts, worst first" },
    {
      line: "skblab fleet /var/log/remote --host-from 'remote/([^/]+)/'",
      does: "the host is what the expression finds in the path; a line that names its host goes before",
    },
    {
      line: "skblab fleet fixtures/logs --export incidents.parquet",
      does: "a row an incident for DuckDB (.csv and .ndjson too)",
    },
    {
      line: "skblab fleet fixtures/logs --shard 1/4 --out parts",
      does: "a quarter of it on this host; then: skblab merge parts",
    },
  ],
  configure(cmd, io) {
    cmd
      .argument("<paths...>", "directories with a file or folder a host, archives, logs that name their hosts, or -")
      .option("--host-from <regex>", "take the host from the path: the first group, or the whole match")
      .option("--jobs <n>", "threads (default: one a core)")
      .option("--shard <i/n>", "read only the i-th of n parts (needs --out)")
      .option("--out <dir>", "keep the records there; what was interrupted goes on from them")
      .option("--export <file>", "write a row an incident: .csv, .parquet or .ndjson")
      .option("--year <year>", "the year of dates that have none (default: this year)")
      .action((paths: string[], options: Options) => fleet(paths, options, io));
  },
};

async function fleet(paths: readonly string[], options: Options, io: Io): Promise<void> {
  const { hostFrom } = options;
  const [index, of] = shardOf(options);
  const year = yearOf(options.year);
  checkRegex(hostFrom);
  const rows = options.export === undefined ? undefined : exporter(options.export);
  const jobs = jobsOf(paths);
  if (jobs.length === 0) throw new BadInput("There is no file in it.", { file: paths.join(", ") });
  const kept =
    options.out === undefined
      ? undefined
      : openFleetShard(options.out, { shard: [index, of], paths, jobs: jobs.length });
  const own = jobs.map((job, j) => ({ job, j })).filter(({ j }) => j % of === index - 1);
  const all = createFleet();
  const take = (records: readonly HostRecord[]): void => {
    for (const record of records) {
      all.add(record);
      for (const i of record.incidents) rows?.add(incidentRow(record.host, record.facts, i));
    }
  };
  for (const records of kept?.done.values() ?? []) take(records);
  const todo = own.filter(({ j }) => kept?.done.has(j) !== true);
  if (todo.length < own.length)
    io.note(`${own.length - todo.length} of ${own.length} were read before; going on with the rest.`);
  const total = todo.reduce((n, { job }) => n + job.bytes, 0);
  let bytes = 0;
  const began = performance.now();
  await runJobs(
    todo.map(({ job }) => job),
    { hostFrom, year },
    threadsOf(options.jobs),
    (job, n, records) => {
      take(records);
      kept?.put((todo[n] as (typeof todo)[number]).j, records);
      bytes += job.bytes;
      const rate = bytes / Math.max(0.001, (performance.now() - began) / 1000);
      const left = rate === 0 ? "" : `, ${Math.ceil((total - bytes) / rate)} s left`;
      io.progress(
        "reading",
        (n + 1) / todo.length,
        `${n + 1} of ${todo.length}, ${Math.round(rate / 1e6)} MB/s${left}`,
      );
    },
  );
  rows?.end();
  if (of > 1)
    return io.answer({
      document: [
        {
          kind: "text",
          text: `Part ${index} of ${of} is done: ${own.length} of ${jobs.length} hosts' files, in ${options.out}.`,
        },
      ],
      json: { schema: "skblab.fleet-part-done/1", shard: index, of, files: own.length, out: options.out },
      exit: 0,
    });
  await io.answer(fleetAnswer(all.answer()));
}

/** The answer, wherever its records were made. */
export const fleetAnswer = (answer: FleetAnswer): Answer => ({
  document: fleetDocument(answer),
  json: answer,
  exit: 0,
});

function yearOf(text: string | undefined): number {
  if (text === undefined) return new Date().getFullYear();
  if (!/^(19|20)\d\d$/.test(text)) throw new BadInput(`--year ${text} is no year.`, undefined, "Write four digits.");
  return Number(text);
}

function checkRegex(text: string | undefined): void {
  if (text === undefined) return;
  try {
    new RegExp(text);
  } catch (error) {
    throw new BadInput(`--host-from ${text} is no regular expression: ${(error as Error).message}.`);
  }
}

type Row = Readonly<Record<string, string | number>>;

/** Rows as they come: NDJSON streams, CSV and Parquet are columns and are written at the end. */
function exporter(path: string): { add(row: Row): void; end(): void } {
  if (/\.ndjson$/i.test(path)) {
    const output = openOutput(path);
    return { add: (row) => output.write(`${JSON.stringify(row)}\n`), end: () => output.commit() };
  }
  if (!/\.(csv|parquet)$/i.test(path))
    throw new BadInput(`--export writes .csv, .parquet or .ndjson files, not "${path}".`);
  const columns = new Map<string, (string | number)[]>();
  return {
    add(row) {
      for (const [name, value] of Object.entries(row)) {
        const column = columns.get(name);
        if (column === undefined) columns.set(name, [value]);
        else column.push(value);
      }
    },
    end() {
      const table: ExportColumn[] = [...columns].map(([name, values]) => ({ name, values }));
      writeOutput(path, /\.csv$/i.test(path) ? toCsv(table) : toParquet(table));
    },
  };
}
