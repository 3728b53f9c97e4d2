// skblab explore: every interleaving of a story; the table of transmit locking schemes; a schedule played step by step.
import type { Command as Commander } from "commander";
import { BadInput } from "../../base/bad_input.ts";
import {
  compile,
  type Program,
  type Replay,
  randomRuns,
  readSchedule,
  replay,
  type SearchResult,
  type Story,
  scheduleText,
  search,
} from "../../explore/index.ts";
import { promelaText } from "../../explore/promela.ts";
import { stories } from "../../explore/stories/index.ts";
import type { LltxOptions, LltxTable } from "../../explore/stories/lltx.ts";
import {
  lltxProgram,
  lltxRandom,
  lltxTable,
  readVariants,
  replayLltx,
  schemeOf,
  showSchedule,
  worldOf,
  worldText,
} from "../../explore/stories/lltx.ts";
import { schemes, type Variant, variants } from "../../explore/stories/transmit.ts";
import { facts, heading, list, paragraph, table } from "../../report/document.ts";
import { lltxDocument, replayDocument, searchDocument } from "../../report/explore.ts";
import { lanesSvg } from "../../report/explore_svg.ts";
import { isAuthorFile, loadAuthorFile, runAuthors } from "../author_file.ts";
import type { CommandSpec, Io } from "../command.ts";
import { excludes, goesWith, refuse } from "../modes.ts";
import { writeOutput } from "../output.ts";

interface Options {
  readonly scheme?: string;
  readonly cpus?: number;
  readonly ring?: number;
  readonly without?: string;
  readonly replay?: string;
  readonly states?: number;
  readonly preemptions?: number;
  readonly random?: number;
  readonly seed: number;
  readonly reduce?: boolean;
  readonly svg?: string;
  readonly promela?: string;
}

const schema = "skblab.explore/1";

const whole =
  (name: string, least: number, most: number) =>
  (text: string): number => {
    const n = Number(text);
    if (!/^\d+$/.test(text) || n < least || n > most)
      throw new BadInput(`--${name} is "${text}"; it must be a whole number ${least} .. ${most}.`);
    return n;
  };

export const command: CommandSpec = {
  name: "explore",
  examples: [
    {
      line: "skblab explore lltx",
      does: "six ways of locking transmit: what each allows, and a shortest schedule for each problem",
    },
    {
      line: "skblab explore lltx --scheme original --replay 0000111001",
      does: "plays the race of NETIF_F_LLTX, step by step",
    },
    {
      line: "skblab explore lltx --scheme modern --without no-recheck",
      does: "removes a fix and shows what breaks",
    },
    { line: "skblab explore page_pool-before-6.16 --svg race.svg", does: "finds the use after free and draws it" },
    { line: "skblab explore examples/stories/story.ts", does: "explores a transmit path of your own" },
  ],
  configure(cmd: Commander, io: Io) {
    cmd
      .argument("[story]", "lltx, a story that comes with skblab, or a file (.ts, .mjs, .js) that exports `story`")
      .option("--scheme <id>", "lltx: only this way of locking")
      .option("--cpus <n>", "lltx: 2 .. 4 CPUs that send", whole("cpus", 2, 4))
      .option("--ring <n>", "lltx: a ring of 1 .. 4 descriptors", whole("ring", 1, 4))
      .option(
        "--without <list>",
        `lltx: remove fixes or plant bugs, separated by commas: ${Object.keys(variants).join(", ")}`,
      )
      .option("--replay <schedule>", "play this schedule and show every step")
      .option("--states <n>", "stop after that many states (of one world)", whole("states", 1, 60_000_000))
      .option("--preemptions <n>", "only schedules with at most n preemptions, 0 .. 14", whole("preemptions", 0, 14))
      .option(
        "--random <runs>",
        "instead of searching, play that many random schedules",
        whole("random", 1, 10_000_000),
      )
      .option("--seed <n>", "seed of the random schedules", whole("seed", 0, Number.MAX_SAFE_INTEGER), 1)
      .option("--reduce", "partial-order reduction: fewer states, the same findings")
      .option("--svg <file>", "also draw the schedule (of --replay, or the shortest found) into this file")
      .option("--promela <file>", "write the story as a Promela model, for spin")
      .action(async (name: string | undefined) => {
        const o = cmd.opts<Options>();
        if (name === undefined)
          refuse(
            cmd,
            cmd.options.flatMap((x) => x.long ?? []).filter((x) => x !== "--format"),
            "is for a story, and none is named",
          );
        const searched = ["--states", "--preemptions", "--reduce"];
        excludes(cmd, "--replay", [...searched, "--random", "--seed", "--promela"]);
        excludes(cmd, "--random", [...searched, "--svg"]);
        if (name !== "lltx" || o.scheme !== undefined || o.cpus !== undefined || o.ring !== undefined)
          goesWith(cmd, ["--seed"], "--random");
        if (name === undefined) return listStories(io);
        if (name === "lltx") return lltx(o, io);
        return oneStory(name, o, io);
      });
  },
};

async function listStories(io: Io): Promise<void> {
  const rows = [
    { id: "lltx", title: "six ways of locking transmit: NETIF_F_LLTX and what came before and after" },
    ...stories.map(({ id, title }) => ({ id, title })),
  ];
  await io.answer({
    document: [
      heading(1, "Stories that can be explored"),
      table(
        ["story", "what"],
        rows.map((r) => [r.id, r.title]),
      ),
      paragraph("Or a file of your own that exports `story`: see docs/explore.md."),
      heading(2, "What --without removes or plants (lltx)"),
      facts(Object.entries(variants)),
    ],
    json: { schema, stories: rows },
    exit: 0,
  });
}

async function lltx(o: Options, io: Io): Promise<void> {
  const without: readonly Variant[] = readVariants(
    o.without === undefined ? [] : o.without.split(",").map((s) => s.trim()),
  );
  const world = worldOf(o.cpus ?? 2, o.ring ?? 1, without);
  if (o.replay !== undefined) {
    if (o.scheme === undefined)
      throw new BadInput("--replay plays a schedule of one scheme.", undefined, "Say which: --scheme original.");
    const played = replayLltx(o.scheme, o.replay, world);
    const title = `lltx, ${o.scheme}, ${worldText(played.world)}: ${o.replay}`;
    if (o.svg !== undefined) writeOutput(o.svg, lanesSvg(title, played.replay));
    return io.answer({
      document: replayDocument(title, played.replay),
      json: { schema, scheme: o.scheme, world: worldText(played.world), schedule: o.replay, ...played.replay },
      exit: 0,
    });
  }
  if (o.promela !== undefined || o.random !== undefined || o.svg !== undefined) {
    const scheme = schemeOf(o.scheme ?? "original");
    const p = lltxProgram(scheme.id, world);
    return report(
      `lltx ${scheme.id} ${worldText(world)}`,
      p.story,
      o,
      io,
      (path) => `skblab explore lltx --scheme ${scheme.id} --replay ${showSchedule(world, path)}`,
    );
  }
  const options: LltxOptions = {
    without,
    ...(o.cpus === undefined ? {} : { cpus: o.cpus }),
    ...(o.ring === undefined ? {} : { ring: o.ring }),
    ...(o.states === undefined ? {} : { states: o.states }),
    ...(o.reduce === undefined ? {} : { reduce: o.reduce }),
    ...(o.preemptions === undefined ? {} : { preemptions: o.preemptions }),
  };
  const answer =
    o.scheme === undefined
      ? await tableOnAllCores(options, io)
      : lltxTable({
          ...options,
          scheme: o.scheme,
          progress: (scheme, where, states, done) =>
            io.progress(`${scheme} ${where}`, done, `${states.toLocaleString("en-US")} states`),
        });
  // What is too large to be searched here is at least sampled, with a seed.
  const whole4 = o.scheme === undefined && o.cpus === undefined && o.ring === undefined && o.preemptions === undefined;
  const sampled = whole4 ? answer.rows.map((r) => sample(r.id, without, o.seed)) : [];
  io.progress("done", 1);
  await io.answer({
    document: lltxDocument(
      answer,
      sampled.map(
        (x) =>
          `${x.scheme}, ${x.world}: ${x.runs} random schedules (seed ${x.seed}): ${x.findings.length === 0 ? "nothing" : x.findings.map((f) => f.finding).join(", ")}`,
      ),
    ),
    json: {
      schema,
      schemes: answer.rows,
      details: answer.details.map((d) => ({
        ...d,
        worlds: d.worlds.map((w) => ({ world: w.world, ...plainResult(w.result) })),
      })),
      sampled,
    },
    exit: 0,
  });
}

/** A scheme a thread; the largest worlds of each take about as long. */
async function tableOnAllCores(options: LltxOptions, io: Io): Promise<LltxTable> {
  const { openPool } = await import("../parallel/pool.ts");
  const pool = openPool();
  try {
    io.progress("schemes", 0, `0 of ${schemes.length}`);
    const tables = (await pool.run(
      schemes.map(({ id }) => ({ lltx: { ...options, scheme: id } })),
      (_index, _result, finished) =>
        io.progress("schemes", finished / schemes.length, `${finished} of ${schemes.length}`),
    )) as readonly LltxTable[];
    return { rows: tables.flatMap((t) => t.rows), details: tables.flatMap((t) => t.details) };
  } finally {
    await pool.close();
  }
}

interface Sample {
  readonly scheme: string;
  readonly world: string;
  readonly seed: number;
  readonly runs: number;
  readonly findings: readonly { readonly finding: string; readonly schedule: string; readonly steps: number }[];
}

/** Random schedules of the largest world. */
function sample(scheme: string, without: readonly Variant[], seed: number): Sample {
  const world = worldOf(4, 4, without);
  const r = lltxRandom(scheme, world, seed, 200);
  return {
    scheme,
    world: worldText(world),
    seed,
    runs: r.runs,
    findings: r.findings.map((f) => ({
      finding: f.finding,
      schedule: showSchedule(world, f.path),
      steps: f.path.length,
    })),
  };
}

async function oneStory(name: string, o: Options, io: Io): Promise<void> {
  for (const option of ["scheme", "cpus", "ring", "without"] as const)
    if (o[option] !== undefined)
      throw new BadInput(`--${option} is for lltx: the story ${name} says who takes part.`, undefined, "Leave it out.");
  const known = stories.find((s) => s.id === name);
  const story = known === undefined ? await storyFrom(name) : known.make();
  const playWith = (path: readonly number[]): string => `skblab explore ${name} --replay ${scheduleText(path)}`;
  await report(story.name, story, o, io, playWith, known === undefined ? name : undefined);
}

/** Searches, plays at random, replays or exports one story, as asked; `file`: its author's. */
async function report(
  name: string,
  story: Story,
  o: Options,
  io: Io,
  playWith: (path: readonly number[]) => string,
  file?: string,
): Promise<void> {
  const compiled = (): Program => compile(story, { preemptions: o.preemptions !== undefined });
  const p = file === undefined ? compiled() : runAuthors(file, "the story", compiled);
  if (o.promela !== undefined) {
    writeOutput(o.promela, promelaText(p));
    io.note(`wrote ${o.promela}: spin -a ${o.promela} && cc -O2 -DSAFETY -DNOREDUCE -o pan pan.c && ./pan -m1000000`);
  }
  const draw = (r: Replay): void => {
    if (o.svg !== undefined) writeOutput(o.svg, lanesSvg(name, r));
  };
  if (o.replay !== undefined) {
    const played = replay(p, readSchedule(o.replay, p));
    draw(played);
    return io.answer({
      document: replayDocument(`${name}: ${o.replay}`, played),
      json: { schema, story: name, schedule: o.replay, ...played },
      exit: 0,
    });
  }
  if (o.random !== undefined) {
    const r = randomRuns(p, { seed: o.seed, runs: o.random });
    return io.answer({
      document: [
        heading(1, `Random schedules of ${name}`),
        facts([
          ["seed", String(r.seed)],
          [
            "schedules",
            `${r.runs.toLocaleString("en-US")}, of which ${r.unfinished.toLocaleString("en-US")} were cut off before they ended`,
          ],
          ["steps", r.steps.toLocaleString("en-US")],
        ]),
        paragraph("Random schedules can find trouble; if they find none, that proves nothing."),
        list(r.findings.map((f) => `${f.finding}: ${f.text}. ${playWith(f.path)}`)),
      ],
      json: {
        schema,
        story: name,
        ...r,
        findings: r.findings.map((f) => ({
          finding: f.finding,
          text: f.text,
          schedule: scheduleText(f.path),
          steps: f.path.length,
        })),
      },
      exit: troubled(r.findings),
    });
  }
  const r = search(p, {
    progress: (states) => io.progress(name, undefined, `${states.toLocaleString("en-US")} states`),
    ...(o.states === undefined ? {} : { states: o.states }),
    ...(o.preemptions === undefined ? {} : { preemptions: o.preemptions }),
    ...(o.reduce === undefined ? {} : { reduce: o.reduce }),
  });
  io.progress(name, 1);
  const shortest = [...r.findings].sort((a, b) => a.path.length - b.path.length)[0];
  const played = shortest === undefined ? undefined : replay(p, shortest.path);
  if (played !== undefined) draw(played);
  else if (o.svg !== undefined) io.note(`nothing was found, so ${o.svg} was not written`);
  await io.answer({
    document: searchDocument(name, r, shortest === undefined ? "" : playWith(shortest.path), played),
    json: { schema, story: name, bits: p.bits, ...plainResult(r) },
    exit: troubled(r.findings),
  });
}

/** Remarks of these names are worth knowing and no fault. */
const harmless = new Set(["messagePrinted", "reordered"]);
const troubled = (findings: readonly { readonly finding: string }[]): 0 | 1 =>
  findings.some((f) => !harmless.has(f.finding)) ? 1 : 0;

function plainResult(r: SearchResult): Record<string, unknown> {
  return {
    ...r,
    schedules: r.schedules?.toString() ?? null,
    findings: r.findings.map((f) => ({
      finding: f.finding,
      text: f.text,
      schedule: scheduleText(f.path),
      steps: f.path.length,
    })),
  };
}

/** Loads an author's file. */
async function storyFrom(file: string): Promise<Story> {
  if (!isAuthorFile(file))
    throw new BadInput(
      `There is no story ${file}.`,
      undefined,
      `Stories: lltx, ${stories.map((s) => s.id).join(", ")}; or a file that ends in .ts, .mjs or .js.`,
    );
  const { story } = await loadAuthorFile(file, "Leave annotations out (inside defineStory the types are inferred), ");
  if (!isStory(story))
    throw new BadInput(
      `it does not export a story.`,
      { file },
      'Write: export const story = defineStory("name", (s) => { … }).',
    );
  return story;
}

function isStory(x: unknown): x is Story {
  return typeof x === "object" && x !== null && Array.isArray((x as Story).tasks) && Array.isArray((x as Story).shared);
}
