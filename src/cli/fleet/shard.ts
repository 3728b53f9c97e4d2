// Records of a fleet on disk: one line a job, written as it ends, under a head that says which part of which fleet it is. What was interrupted goes
// on where it stopped; `skblab merge` joins the parts and says which are missing.
import { appendFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BadInput } from "../../base/bad_input.ts";
import type { HostRecord } from "../../fleet/host_record.ts";
import { cannotWrite, writeOutput } from "../output.ts";

interface Head {
  readonly schema: "skblab.fleet-shard/1";
  readonly shard: readonly [index: number, of: number];
  /** The named paths and how many jobs they came to: the same for all parts. */
  readonly paths: readonly string[];
  readonly jobs: number;
}

interface Row {
  readonly job: number;
  readonly records: readonly HostRecord[];
}

export interface FleetShard {
  readonly done: ReadonlyMap<number, readonly HostRecord[]>;
  put(job: number, records: readonly HostRecord[]): void;
}

const nameOf = ([index, of]: Head["shard"]): string => `fleet-${index}-of-${of}.ndjson`;

export function openFleetShard(directory: string, head: Omit<Head, "schema">): FleetShard {
  const path = join(directory, nameOf(head.shard));
  const whole: Head = { schema: "skblab.fleet-shard/1", ...head };
  const done = new Map<number, readonly HostRecord[]>();
  if (existsSync(path)) {
    const kept = read(path);
    if (JSON.stringify(kept.head) !== JSON.stringify(whole))
      throw new BadInput(
        "It holds another fleet or another part.",
        { file: path },
        "Name another --out, or remove it.",
      );
    for (const row of kept.rows) done.set(row.job, row.records);
  }
  writeOutput(
    path,
    [whole, ...[...done].map(([job, records]) => ({ job, records }))].map((l) => `${JSON.stringify(l)}\n`).join(""),
    { parents: true },
  );
  return {
    done,
    put(job, records) {
      try {
        appendFileSync(path, `${JSON.stringify({ job, records })}\n`);
      } catch (error) {
        throw cannotWrite(path, error);
      }
    },
  };
}

/** Whether a directory holds parts of a fleet. */
export const hasFleetShards = (directory: string): boolean =>
  existsSync(directory) && readdirSync(directory).some((n) => /^fleet-\d+-of-\d+\.ndjson$/.test(n));

/** All records of a directory's parts, in the order of the jobs. Throws BadInput when a part is missing or unfinished. */
export function joinFleetShards(directory: string): HostRecord[] {
  const parts = readdirSync(directory)
    .filter((n) => /^fleet-\d+-of-\d+\.ndjson$/.test(n))
    .sort()
    .map((n) => read(join(directory, n)));
  const [first] = parts as [(typeof parts)[number]];
  const { jobs, paths } = first.head;
  const [, of] = first.head.shard;
  if (
    parts.some(
      (p) => p.head.jobs !== jobs || p.head.shard[1] !== of || JSON.stringify(p.head.paths) !== JSON.stringify(paths),
    )
  )
    throw new BadInput(
      "It holds parts of different fleets.",
      { file: directory },
      "Keep each in a directory of its own.",
    );
  const rows = new Map(parts.flatMap((p) => p.rows.map((r) => [r.job, r.records] as const)));
  const missing = Array.from({ length: jobs }, (_, j) => j).filter((j) => !rows.has(j));
  if (missing.length > 0) {
    const shards = [...new Set(missing.map((j) => (j % of) + 1))].sort((a, b) => a - b);
    throw new BadInput(
      `${missing.length} of ${jobs} hosts' files are missing, of part ${shards.join(", ")} of ${of}.`,
      { file: directory },
      "Run these parts again with the same --out: they go on where they stopped.",
    );
  }
  return [...rows].sort(([a], [b]) => a - b).flatMap(([, records]) => records);
}

function read(path: string): { readonly head: Head; readonly rows: readonly Row[] } {
  const [first = "", ...rest] = readFileSync(path, "utf8").split("\n");
  const head = parse(first) as Partial<Head> | undefined;
  if (head?.schema !== "skblab.fleet-shard/1")
    throw new BadInput("This is no part of a fleet's records.", { file: path, line: 1 });
  const rows: Row[] = [];
  rest.forEach((text, i) => {
    if (text === "") return;
    const row = parse(text) as Partial<Row> | undefined;
    // The last line may have been interrupted.
    if (row === undefined && i >= rest.length - 2) return;
    if (typeof row?.job !== "number" || !Array.isArray(row.records))
      throw new BadInput("This line is no host's record.", { file: path, line: i + 2 });
    rows.push(row as Row);
  });
  return { head: head as Head, rows };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
