// `skblab page-owner`: who holds this machine's memory. `--compat` is the kernel's own page_owner_sort, same options, same bytes.
import type { Command as Commander } from "commander";
import { Option } from "commander";
import { mapOf, mapToPng, mapToSvg } from "../../analysis/page_map.ts";
import { allocatorBit, allocatorNames } from "../../analysis/page_owner/allocators.ts";
import type { Census, CensusOptions } from "../../analysis/page_owner/census.ts";
import { diffCensus, seriesOf } from "../../analysis/page_owner/compare.ts";
import type { Group, GroupKey, GroupOptions, GroupSort } from "../../analysis/page_owner/group_by.ts";
import { groupCensus, groupKeys, sortGroups } from "../../analysis/page_owner/group_by.ts";
import { pinsOf } from "../../analysis/page_owner/pins.ts";
import { parseSortToolOptions } from "../../analysis/page_owner/sort_options.ts";
import { createSortTool } from "../../analysis/page_owner/sort_tool.ts";
import { BadInput } from "../../base/bad_input.ts";
import { table } from "../../report/document.ts";
import { escapeHtml } from "../../report/escape.ts";
import { toFlameHtml } from "../../report/exports/flame_html.ts";
import { toFolded, toPprof, toSpeedscope } from "../../report/exports/stacks.ts";
import type { ExportColumn } from "../../report/exports/tables.ts";
import { toCsv, toParquet } from "../../report/exports/tables.ts";
import {
  censusDocument,
  censusJson,
  diffDocument,
  pinsDocument,
  seriesDocument,
  weightedStacks,
} from "../../report/page_owner.ts";
import { renderText } from "../../report/text.ts";
import type { CommandSpec, Io } from "../command.ts";
import { fillScanner, takeCensus } from "../input/page_owner.ts";
import { excludes, goesWith, refuse } from "../modes.ts";
import { writeOutputs } from "../output.ts";

const exportKinds = ["folded", "speedscope", "pprof", "flamegraph", "csv", "json", "parquet"] as const;

/** Kinds that hold every stack as it is: neither groups nor their order. */
const wholeStacks: ReadonlySet<string> = new Set(["folded", "speedscope", "pprof", "flamegraph"]);

interface Options {
  readonly by: string;
  readonly top: string;
  readonly depth: string;
  readonly ignore?: string;
  readonly pid?: string;
  readonly tgid?: string;
  readonly name?: string;
  readonly allocator?: string;
  readonly sort?: string;
  readonly pageSize: string;
  readonly diff?: boolean;
  readonly series?: boolean;
  readonly pins?: string;
  readonly map?: string;
  readonly export?: (typeof exportKinds)[number];
  readonly out?: string;
  readonly stacks?: string;
}

export const command: CommandSpec = {
  name: "page-owner",
  examples: [
    {
      line: "skblab page-owner fixtures/page_owner/6.1-loaded.txt.gz",
      does: "who holds memory, by the function that asked for it",
    },
    {
      line: "skblab page-owner --by subsystem,type fixtures/page_owner/6.1-loaded.txt.gz",
      does: "by part of the kernel and migrate type",
    },
    {
      line: "skblab page-owner --diff fixtures/page_owner/6.1-before-load.txt.gz fixtures/page_owner/6.1-loaded.txt.gz",
      does: "what grew between two dumps",
    },
    {
      line: "skblab page-owner --series fixtures/page_owner/6.1-before-load.txt.gz fixtures/page_owner/6.1-loaded.txt.gz fixtures/page_owner/6.1-nics128.txt.gz",
      does: "leak or cache: which stacks only ever grow",
    },
    {
      line: "skblab page-owner --pins 9 fixtures/page_owner/6.1-loaded.txt.gz",
      does: "who keeps 2 MiB blocks from being free",
    },
    {
      line: "skblab page-owner --map map.png --by type fixtures/page_owner/6.1-loaded.txt.gz",
      does: "physical memory as a picture",
    },
    {
      line: "skblab page-owner --export flamegraph --out owners.html fixtures/page_owner/6.1-loaded.txt.gz",
      does: "a flame graph in one HTML file",
    },
    {
      line: "skblab page-owner --compat --cull=stacktrace -m fixtures/page_owner/6.1-loaded.txt.gz",
      does: "what page_owner_sort would write, on standard output",
    },
    { line: "sudo skblab page-owner /sys/kernel/debug/page_owner", does: "straight from the running kernel" },
  ],
  configure(cmd, io) {
    cmd.argument("<dump...>", "page_owner dumps (also .gz, .xz, .zst); - for standard input");
    if (process.argv.includes("--compat")) {
      cmd.option("--compat").allowUnknownOption().helpOption(false);
      const own = process.argv.slice(process.argv.indexOf("page-owner") + 1).filter((a) => a !== "--compat");
      cmd.action(() => compat(own, io));
      return;
    }
    cmd
      .option("--compat", "behave as the kernel's page_owner_sort: its options, its output on standard output")
      .option("--by <keys>", `group by, separated by commas: ${groupKeys.join(", ")}`, "symbol")
      .option("--top <n>", "rows to show", "20")
      .option("--depth <n>", "callers that --by caller shows", "3")
      .option("--ignore <regex>", "more frames to fold away at the top of stacks, besides the allocators' own")
      .option("--pid <list>", "only records of these pids")
      .option("--tgid <list>", "only records of these thread groups")
      .option("--name <list>", "only records of these process names")
      .option("--allocator <list>", `only what these allocators asked for: ${allocatorNames.join(", ")}`)
      .option("--sort <keys>", "sort by pages, blocks or --by keys; - before a key: descending, +: ascending", "-pages")
      .addOption(new Option("--page-size <bytes>", "bytes in a page").choices(pageSizes).default("4096"))
      .option("--diff", "two dumps, old and new: what grew")
      .option("--series", "three or more dumps in order: leaks and caches told apart")
      .option("--pins <order>", "who pins blocks of this order")
      .option("--map <file>", "draw physical memory into a .png or .svg file, colored by the first --by key")
      .option("--stacks <file>", "show_stacks_handles, when the dump is show_handles")
      .option("--out <file>", "where --export writes; standard output otherwise")
      .addOption(new Option("--export <kind>", "write for another tool").choices([...exportKinds]))
      .addHelpText("after", () => `\n${compatHelp(io.width)}`);
    cmd.action((dumps: string[]) => run(dumps, cmd, io));
  },
};

/** The sort tool's options, and what says the same here. */
const compatRows: readonly (readonly [string, string])[] = [
  ["-m / -t (sort by memory / times)", "--sort -pages / --sort -blocks"],
  ["-p, -P, -n, -s; --sort=pid,-name", "--sort with --by: --by pid,name --sort pid,-name"],
  ["-a, -r; --sort=alloc_ts (times)", "--compat only: groups have no one time"],
  ["--cull=stacktrace", "--by stack"],
  ["--cull=pid,tgid,name", "--by pid,tgid,name"],
  ["--cull=allocator", "--by allocator (--by subsystem says more)"],
  ["--pid, --tgid, --name", "--pid, --tgid, --name; also --allocator"],
  ["-f (not released)", "--compat only: a dump lists only what is held"],
  ["any of them, byte for byte", "--compat and the option itself"],
];
const compatHelp = (width: number): string =>
  renderText([table(["page_owner_sort", "here"], compatRows)], { colour: false, width }).trimEnd();

async function compat(args: readonly string[], io: Io): Promise<void> {
  const { options, inputs } = parseSortToolOptions(args);
  const [input, ...more] = inputs;
  if (input === undefined || more.length > 0) {
    throw new BadInput(
      `--compat reads one dump; ${inputs.length} were named.`,
      undefined,
      "The answer goes to standard output.",
    );
  }
  const tool = createSortTool(options);
  await fillScanner(tool.scanner, input, io);
  for (const piece of tool.finish()) await io.write(piece);
}

async function run(dumps: readonly string[], cmd: Commander, io: Io): Promise<void> {
  const options = cmd.opts<Options>();
  const ofOneDump = ["--pins", "--map", "--export", "--out"];
  excludes(cmd, "--diff", ["--series", ...ofOneDump, "--sort"]);
  excludes(cmd, "--series", [...ofOneDump, "--sort"]);
  excludes(cmd, "--export", ["--pins", "--top", "--format"]);
  excludes(cmd, "--pins", ["--sort"]);
  goesWith(cmd, ["--out"], "--export");
  if (options.export !== undefined && wholeStacks.has(options.export)) {
    refuse(cmd, ["--sort"], `does not go with --export ${options.export}, which writes whole stacks`);
    if (options.map === undefined)
      refuse(cmd, ["--by", "--ignore"], `does not go with --export ${options.export}, which writes whole stacks`);
  }
  if (!options.by.split(",").some((key) => key.trim() === "caller")) refuse(cmd, ["--depth"], "goes with --by caller");
  const by = options.by.split(",").map((word) => {
    const key = groupKeys.find((k) => k === word.trim());
    if (key === undefined)
      throw new BadInput(`There is no key "${word}" to group by.`, undefined, `Keys: ${groupKeys.join(", ")}.`);
    return key;
  });
  if (options.map !== undefined && !/\.(png|svg)$/i.test(options.map))
    throw new BadInput(`--map writes .png or .svg files, not "${options.map}".`);
  const sorts = sortsOf(options.sort ?? "-pages", by);
  const top = wholeNumber(options.top, "--top", 1, 1e9);
  const pageSize = Number(options.pageSize);
  const grouping: GroupOptions = {
    by,
    depth: wholeNumber(options.depth, "--depth", 1, 1000),
    ...(options.ignore === undefined ? {} : { ignore: regex(options.ignore) }),
  };
  const taking: CensusOptions = {
    byPid: by.includes("pid") || by.includes("tgid"),
    byAllocator: by.includes("allocator"),
    places: options.pins !== undefined || options.map !== undefined,
    ...(options.pid === undefined ? {} : { pids: numbers(options.pid, "--pid") }),
    ...(options.tgid === undefined ? {} : { tgids: numbers(options.tgid, "--tgid") }),
    ...(options.name === undefined ? {} : { names: new Set(options.name.split(",")) }),
    ...(options.allocator === undefined ? {} : { allocators: allocatorBits(options.allocator) }),
  };
  const take = (path: string): Promise<Census> => takeCensus(path, taking, io, options.stacks);
  const view = { by, top, pageSize, name: dumps.join(", "), sorts };

  if (options.diff === true) {
    const [before, after] = await all(dumps, take, 2, 2, "--diff takes two dumps, the old one first");
    const changes = diffCensus(before!, after!, grouping);
    return io.answer({
      document: diffDocument(changes, before!, after!, view),
      json: {
        schema: "skblab.page-owner-diff/1",
        inputs: dumps,
        by,
        pageSize,
        before: before!.pages,
        after: after!.pages,
        changes,
      },
      exit: 0,
    });
  }
  if (options.series === true) {
    const series = await all(dumps, take, 3, 1000, "--series takes three or more dumps in the order they were taken");
    const trends = seriesOf(series, grouping);
    return io.answer({
      document: seriesDocument(trends, dumps, view),
      json: { schema: "skblab.page-owner-series/1", inputs: dumps, by, pageSize, trends },
      exit: 0,
    });
  }
  const [census] = await all(dumps, take, 1, 1, "one dump is read at a time (--diff and --series compare several)");
  await answerOne(census!, grouping, view, options, io);
}

async function answerOne(
  census: Census,
  grouping: GroupOptions,
  view: { by: readonly GroupKey[]; top: number; pageSize: number; name: string; sorts: readonly GroupSort[] },
  options: Options,
  io: Io,
): Promise<void> {
  const data = options.export === undefined ? undefined : exported(census, grouping, view, options.export);
  const toFile = data !== undefined && options.out !== undefined && options.out !== "-" ? options.out : undefined;
  const drawn = options.map === undefined ? undefined : drawMap(options.map, census, grouping, view);
  writeOutputs([
    ...(drawn === undefined ? [] : [drawn.file]),
    ...(toFile === undefined || data === undefined ? [] : [[toFile, data] as const]),
  ]);
  if (drawn !== undefined) io.note(drawn.note);
  if (toFile !== undefined) io.note(`${toFile}: written`);
  else if (data !== undefined) return io.write(data);
  if (data !== undefined) return;
  if (options.pins !== undefined) {
    const report = pinsOf(
      needPlaces(census, view.name, "--pins"),
      wholeNumber(options.pins, "--pins", 0, 20),
      view.by[0]!,
      grouping,
    );
    return io.answer({
      document: pinsDocument(report, view),
      json: {
        schema: "skblab.page-owner-pins/1",
        input: view.name,
        by: view.by[0],
        pageSize: view.pageSize,
        ...report,
      },
      exit: 0,
    });
  }
  const groups = sortedGroups(census, grouping, view.sorts);
  return io.answer({ document: censusDocument(census, groups, view), json: censusJson(census, groups, view), exit: 0 });
}

interface Drawn {
  readonly file: readonly [path: string, data: string | Uint8Array];
  readonly note: string;
}

function drawMap(
  path: string,
  census: Census,
  grouping: GroupOptions,
  view: { readonly by: readonly GroupKey[]; readonly name: string },
): Drawn {
  const map = mapOf(needPlaces(census, view.name, "--map"), view.by[0]!, grouping);
  const data = /\.png$/i.test(path) ? mapToPng(map) : mapToSvg(map, escapeHtml);
  const cell = map.pagesPerCell === 1 ? "1 page" : `${map.pagesPerCell} pages`;
  return {
    file: [path, data],
    note: `${path}: ${map.width} x ${map.height} cells of ${cell} from pfn ${map.firstPfn}`,
  };
}

const sortedGroups = (census: Census, grouping: GroupOptions, sorts: readonly GroupSort[]): Group[] =>
  sortGroups(groupCensus(census, grouping), grouping.by, sorts);

/** Numbers fall and labels rise where no sign says otherwise. */
function sortsOf(text: string, by: readonly GroupKey[]): GroupSort[] {
  return text.split(",").map((word) => {
    const name = word.trim().replace(/^[+-]/, "");
    const key = (["pages", "blocks", ...by] as const).find((k) => k === name);
    if (key === undefined)
      throw new BadInput(
        `There is nothing called "${name}" to sort by.`,
        undefined,
        `Here: pages, blocks, ${by.join(", ")} (what --by names).`,
      );
    const falls =
      word.trim().startsWith("-") || (!word.trim().startsWith("+") && (key === "pages" || key === "blocks"));
    return { key, sign: falls ? -1 : 1 };
  });
}

function allocatorBits(text: string): number {
  return text.split(",").reduce((bits, word) => {
    const name = allocatorNames.find((n) => n === word.trim());
    if (name === undefined)
      throw new BadInput(`There is no allocator "${word}".`, undefined, `Allocators: ${allocatorNames.join(", ")}.`);
    return bits | allocatorBit[name];
  }, 0);
}

function needPlaces(census: Census, file: string, option: string): Census {
  if ((census.places?.count ?? 0) > 0) return census;
  throw new BadInput(`${option} needs to know where pages lie, and this dump does not say (no PFN lines).`, { file });
}

function exported(
  census: Census,
  grouping: GroupOptions,
  view: { by: readonly GroupKey[]; pageSize: number; name: string; sorts: readonly GroupSort[] },
  kind: (typeof exportKinds)[number],
): string | Uint8Array {
  switch (kind) {
    case "folded":
      return toFolded(weightedStacks(census, false));
    case "speedscope":
      return toSpeedscope(weightedStacks(census, false), view.name, view.pageSize);
    case "pprof":
      return toPprof(weightedStacks(census, false), view.pageSize);
    case "flamegraph":
      return toFlameHtml(weightedStacks(census, false), `page_owner: ${view.name}`, view.pageSize);
    case "csv":
      return toCsv(tableOf(census, grouping, view));
    case "parquet":
      return toParquet(tableOf(census, grouping, view));
    case "json":
      return `${JSON.stringify(censusJson(census, sortedGroups(census, grouping, view.sorts), { ...view, top: Number.MAX_SAFE_INTEGER }))}\n`;
  }
}

function tableOf(
  census: Census,
  grouping: GroupOptions,
  view: { readonly pageSize: number; readonly sorts: readonly GroupSort[] },
): ExportColumn[] {
  const groups = sortedGroups(census, grouping, view.sorts);
  return [
    ...grouping.by.map((key, i) => ({ name: key, values: groups.map((g) => g.labels[i] ?? "") })),
    { name: "pages", values: groups.map((g) => g.pages) },
    { name: "bytes", values: groups.map((g) => g.pages * view.pageSize) },
    { name: "blocks", values: groups.map((g) => g.records) },
  ];
}

async function all(
  paths: readonly string[],
  take: (path: string) => Promise<Census>,
  least: number,
  most: number,
  sentence: string,
): Promise<Census[]> {
  if (paths.length < least || paths.length > most) throw new BadInput(`${sentence}; ${paths.length} were named.`);
  const taken: Census[] = [];
  for (const path of paths) taken.push(await take(path));
  return taken;
}

/** What Linux can be built with: 4 KiB everywhere, 8 KiB (alpha, sparc64), 16 and 64 KiB (arm64, mips, loongarch, ppc64), 32 KiB (mips), 256 KiB (ppc44x). */
const pageSizes = ["4096", "8192", "16384", "32768", "65536", "262144"];

function wholeNumber(text: string, option: string, least: number, most: number): number {
  const n = text.trim() === "" ? Number.NaN : Number(text);
  if (!Number.isInteger(n) || n < least || n > most)
    throw new BadInput(`${option} takes a whole number from ${least} to ${most}, not "${text}".`);
  return n;
}

function numbers(text: string, option: string): Set<number> {
  return new Set(text.split(",").map((n) => wholeNumber(n, option, 0, 2 ** 31 - 1)));
}

function regex(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw new BadInput(`--ignore takes a regular expression, and "${text}" is not one.`);
  }
}
