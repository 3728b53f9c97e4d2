// Results of an experiment on disk: one line a run, written as it ends. What was interrupted goes on where it stopped, and files of several
// hosts are joined. The first line says which experiment, so that nothing is mixed up.
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BadInput } from "../../base/bad_input.ts";
import type { Plan } from "../../scenario/experiment.ts";
import { cannotWrite, refuseForeignLink, writeOutputs } from "../output.ts";

export type Measures = Readonly<Record<string, number>>;

interface Head {
  readonly schema: "skblab.shard/1";
  readonly fingerprint: string;
  readonly shard: readonly [index: number, of: number];
  readonly file: string;
  readonly plan: Plan;
}

/** The same for the same experiment, whatever its file is called. */
export const fingerprintOf = (plan: Plan): string =>
  createHash("sha256").update(JSON.stringify(plan)).digest("hex").slice(0, 16);

/** A file of results that grows. */
export interface ShardFile {
  /** Runs that an earlier, interrupted start has done already, by unit. */
  readonly done: ReadonlyMap<number, Measures>;
  put(unit: number, measures: Measures): void;
}

/** Opens or goes on with a file. A file of another experiment is refused, not overwritten. */
export function openShard(path: string, plan: Plan, file: string, shard: readonly [number, number]): ShardFile {
  const fingerprint = fingerprintOf(plan);
  const done = new Map<number, Measures>();
  refuseForeignLink(path);
  if (existsSync(path)) {
    const { head, lines } = readShard(path);
    if (head.fingerprint !== fingerprint || head.shard[0] !== shard[0] || head.shard[1] !== shard[1])
      throw new BadInput(
        `${path} holds results of another experiment or shard.`,
        undefined,
        "Name another --out, or remove it.",
      );
    for (const [unit, measures] of lines) done.set(unit, measures);
    // An interrupted line at the end is dropped by writing the whole ones anew.
    writeOutputs([[path, `${[JSON.stringify(head), ...[...lines].map(lineOf)].join("\n")}\n`]]);
  } else {
    const head: Head = { schema: "skblab.shard/1", fingerprint, shard, file, plan };
    writeOutputs([[path, `${JSON.stringify(head)}\n`]], { parents: true });
  }
  return {
    done,
    put(unit, measures) {
      try {
        appendFileSync(path, `${lineOf([unit, measures])}\n`);
      } catch (error) {
        throw cannotWrite(path, error);
      }
    },
  };
}

const lineOf = ([unit, measures]: readonly [number, Measures]): string => JSON.stringify({ unit, measures });

function readShard(path: string): { head: Head; lines: Map<number, Measures> } {
  const [first = "", ...rest] = readFileSync(path, "utf8").split("\n");
  const head = parse(first) as Partial<Head> | undefined;
  if (head?.schema !== "skblab.shard/1" || head.plan === undefined || head.fingerprint === undefined)
    throw new BadInput("This is not a file of an experiment's results.", { file: path, line: 1 });
  const lines = new Map<number, Measures>();
  rest.forEach((text, i) => {
    if (text === "") return;
    const row = parse(text) as { unit?: unknown; measures?: unknown } | undefined;
    if (row === undefined && i >= rest.length - 2) return;
    if (typeof row?.unit !== "number" || typeof row.measures !== "object")
      throw new BadInput("This line is not the result of a run.", { file: path, line: i + 2 });
    lines.set(row.unit, row.measures as Measures);
  });
  return { head: head as Head, lines };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** All shards of a directory as one: the plan and every unit's measures. What is missing is said. */
export function joinShards(directory: string): { plan: Plan; file: string; measured: readonly Measures[] } {
  if (!existsSync(directory)) throw new BadInput(`There is no directory ${directory}.`);
  const paths = readdirSync(directory)
    .filter((n) => n.endsWith(".ndjson"))
    .sort()
    .map((n) => join(directory, n));
  if (paths.length === 0)
    throw new BadInput(`${directory} has no results.`, undefined, "Run: skblab experiment FILE --shard i/N --out DIR");
  const shards = paths.map((path) => ({ path, ...readShard(path) }));
  const [first] = shards as [(typeof shards)[number]];
  const other = shards.find((s) => s.head.fingerprint !== first.head.fingerprint);
  if (other !== undefined)
    throw new BadInput(
      `${other.path} and ${first.path} hold results of different experiments.`,
      undefined,
      "Keep each in a directory of its own.",
    );
  const { plan } = first.head;
  const all = new Map(shards.flatMap((s) => [...s.lines]));
  const units = plan.variants.length * plan.seeds;
  const missing = Array.from({ length: units }, (_, u) => u).filter((u) => !all.has(u));
  if (missing.length > 0) {
    const [, of] = first.head.shard;
    const shardsMissing = [...new Set(missing.map((u) => (u % of) + 1))];
    throw new BadInput(
      `${missing.length} of ${units} runs are missing, of shard ${shardsMissing.join(", ")} of ${of}.`,
      undefined,
      "Run these shards again with the same --out: they continue where they stopped.",
    );
  }
  return { plan, file: first.head.file, measured: Array.from({ length: units }, (_, u) => all.get(u) as Measures) };
}
