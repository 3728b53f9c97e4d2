// Records of a fleet on disk: lines for each job, written as it ends, under a head that says which part of which fleet it is. What was interrupted
// goes on where it stopped; `skblab merge` joins the parts and says which are missing. Files are read line by line: they may be larger than memory.
import { appendFileSync, closeSync, existsSync, openSync, readdirSync, readSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { BadInput } from "../../base/bad_input.ts";
import type { HostRecord } from "../../fleet/host_record.ts";
import type { Proof } from "../../prove/proof.ts";
import { cannotWrite, refuseForeignLink, writeOutputs } from "../output.ts";

interface Head {
  readonly schema: "skblab.fleet-shard/2";
  readonly shard: readonly [index: number, of: number];
  /** How many jobs all parts have together, and a digest of their list: the same for all parts. */
  readonly jobs: number;
  readonly digest: string;
  /** What else decides what a record says. */
  readonly options: Readonly<Record<string, string>>;
}

interface Row {
  readonly job: number;
  readonly records: readonly HostRecord[];
  /** Further lines of the same job follow. */
  readonly more?: true;
}

/** With --prove: what running the advice for an example of this part has shown; these lines stand behind those of the jobs. */
export interface ExampleProof {
  readonly input: string;
  readonly line: number;
  readonly proof: Proof;
}

export interface FleetShard {
  /** Jobs that an earlier, interrupted run has done. */
  readonly done: ReadonlySet<number>;
  put(job: number, records: readonly HostRecord[], done: boolean): void;
  putProof(proof: ExampleProof): void;
}

const nameOf = ([index, of]: Head["shard"]): string => `fleet-${index}-of-${of}.ndjson`;
const shardName = /^fleet-\d+-of-\d+\.ndjson$/;

/** `kept` hears the records of the jobs that are done. */
export function openFleetShard(
  directory: string,
  head: Omit<Head, "schema">,
  kept: (records: readonly HostRecord[]) => void,
): FleetShard {
  const path = join(directory, nameOf(head.shard));
  const whole: Head = { schema: "skblab.fleet-shard/2", ...head };
  const done = new Set<number>();
  refuseForeignLink(path);
  if (!existsSync(path)) writeOutputs([[path, `${JSON.stringify(whole)}\n`]], { parents: true });
  else {
    const reader = open(path);
    if (JSON.stringify(reader.head) !== JSON.stringify(whole))
      throw new BadInput(
        "It holds another fleet, another part, or the same with other options.",
        { file: path },
        "Name another --out, or remove it.",
      );
    let end = reader.end();
    for (const { job, records } of reader.jobs()) {
      done.add(job);
      kept(records);
      end = reader.end();
    }
    // What was interrupted inside a job is read again.
    truncateSync(path, end);
  }
  const append = (row: Row | ExampleProof): void => {
    try {
      appendFileSync(path, `${JSON.stringify(row)}\n`);
    } catch (error) {
      throw cannotWrite(path, error);
    }
  };
  return {
    done,
    put: (job, records, last) => append({ job, records, ...(last ? {} : { more: true }) }),
    putProof: append,
  };
}

/** Whether a directory holds parts of a fleet. */
export const hasFleetShards = (directory: string): boolean =>
  existsSync(directory) && readdirSync(directory).some((n) => shardName.test(n));

/** All records of a directory's parts, in the order of the jobs; `onProof` hears what was proved. Throws BadInput when a part is missing or unfinished. */
export function* joinFleetShards(directory: string, onProof: (proof: ExampleProof) => void): Generator<HostRecord> {
  const parts = readdirSync(directory)
    .filter((n) => shardName.test(n))
    .sort()
    .map((n) => open(join(directory, n)));
  const [first] = parts as [Reader];
  const { jobs, shard } = first.head;
  const likeness = (h: Head): string => JSON.stringify([h.jobs, h.digest, h.options, h.shard[1]]);
  if (parts.some((p) => likeness(p.head) !== likeness(first.head)))
    throw new BadInput(
      "It holds parts of different fleets.",
      { file: directory },
      "Keep each in a directory of its own; the parts of one fleet come from one list of files, with the same options.",
    );
  const [, of] = shard;
  const rows = new Map(parts.map((p) => [p.head.shard[0], p.jobs(onProof)]));
  const ahead = new Map<number, JobRows | undefined>();
  const missing = new Set<number>();
  let lost = 0;
  for (let job = 0; job < jobs; job++) {
    const part = (job % of) + 1;
    const own = rows.get(part);
    if (own !== undefined && !ahead.has(part)) ahead.set(part, nextOf(own));
    const row = ahead.get(part);
    if (row?.job === job) {
      ahead.delete(part);
      yield* row.records;
    } else {
      lost++;
      missing.add(part);
    }
  }
  // What stands behind a part's last job.
  for (const own of rows.values()) for (const _ of own);
  if (lost > 0)
    throw new BadInput(
      `${lost} of ${jobs} hosts' files are missing, of part ${[...missing].sort((a, b) => a - b).join(", ")} of ${of}.`,
      { file: directory },
      "Run these parts again with the same --out: they continue where they stopped.",
    );
}

interface JobRows {
  readonly job: number;
  readonly records: readonly HostRecord[];
}

function nextOf(rows: Generator<JobRows>): JobRows | undefined {
  const next = rows.next();
  return next.done === true ? undefined : next.value;
}

interface Reader {
  readonly head: Head;
  /** Jobs whose lines are all there, in the order of the file. */
  jobs(onProof?: (proof: ExampleProof) => void): Generator<JobRows>;
  /** Where the lines of the last job end, in bytes; before the first that of the head. */
  end(): number;
}

function open(path: string): Reader {
  const lines = linesOf(path);
  const first = lines.next();
  const head = (first.done === true ? undefined : parse(first.value.text)) as Partial<Head> | undefined;
  if (head?.schema !== "skblab.fleet-shard/2")
    throw new BadInput("This is not a part of a fleet's records.", { file: path, line: 1 });
  let end = first.done === true ? 0 : first.value.end;
  return {
    head: head as Head,
    end: () => end,
    *jobs(onProof) {
      let line = 1;
      let records: HostRecord[] = [];
      let job = -1;
      for (const { text, end: after, whole } of lines) {
        line++;
        const row = parse(text) as Partial<Row & ExampleProof> | undefined;
        // The last line may have been interrupted.
        if (!whole) return;
        if (row?.proof !== undefined) {
          onProof?.(row as ExampleProof);
          continue;
        }
        if (typeof row?.job !== "number" || !Array.isArray(row.records))
          throw new BadInput("This line is not a host's record.", { file: path, line });
        if (row.job !== job) [job, records] = [row.job, []];
        records.push(...row.records);
        if (row.more === true) continue;
        end = after;
        yield { job, records };
        job = -1;
      }
    },
  };
}

interface Line {
  readonly text: string;
  /** Offset behind it, in bytes. */
  readonly end: number;
  /** It ends with a newline. */
  readonly whole: boolean;
}

function* linesOf(path: string): Generator<Line> {
  const fd = openSync(path, "r");
  try {
    const chunk = Buffer.alloc(1 << 20);
    let rest: Buffer = Buffer.alloc(0);
    let at = 0;
    for (;;) {
      const n = readSync(fd, chunk);
      if (n === 0) break;
      let from = 0;
      const bytes = Buffer.concat([rest, chunk.subarray(0, n)]);
      for (let to = bytes.indexOf(10, rest.length); to >= 0; to = bytes.indexOf(10, from)) {
        yield { text: bytes.toString("utf8", from, to), end: at + to + 1, whole: true };
        from = to + 1;
      }
      at += from;
      rest = bytes.subarray(from);
    }
    if (rest.length > 0) yield { text: rest.toString("utf8"), end: at + rest.length, whole: false };
  } finally {
    closeSync(fd);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
