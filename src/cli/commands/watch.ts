// skblab watch: explains each incident of this machine as it happens, with the minutes before it, and says how much room is left.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BadInput } from "../../base/bad_input.ts";
import { briefDocument, diagnosisDocument } from "../../report/diagnosis.ts";
import type { Block, Document } from "../../report/document.ts";
import { plain } from "../../report/document.ts";
import { inertLine } from "../../report/escape.ts";
import { forecastText, minutesBefore, roomDocument } from "../../report/live.ts";
import type { CommandSpec, Io } from "../command.ts";
import { goesWith } from "../modes.ts";
import { checkPlace, writeOutput } from "../output.ts";
import { servePage } from "../page_server.ts";
import type { Appender } from "../watch/append.ts";
import { createAppender } from "../watch/append.ts";
import { loopback, metricsText, serveMetrics } from "../watch/exposition.ts";
import { createFeed } from "../watch/feed.ts";
import { releaseOf, releaseText, sampleTexts, textOf, uptimeOf } from "../watch/files.ts";
import type { KernelLog, OpenedLog } from "../watch/kmsg.ts";
import { followCommands, openKernelLog } from "../watch/kmsg.ts";
import type { MapKeeper } from "../watch/live_map.ts";
import { checkMapName, createMapKeeper, writeMap } from "../watch/live_map.ts";
import { createPoolKeeper, ynlCommand } from "../watch/pools.ts";
import type { SequenceOf } from "../watch/told.ts";
import { bootId, keepTold, stateFile, toldByLines, toldIn } from "../watch/told.ts";
import type { Told, Watcher } from "../watch/watcher.ts";
import { createWatcher } from "../watch/watcher.ts";

interface Options {
  readonly interval: string;
  readonly for?: string;
  readonly proc: string;
  readonly kmsg: string;
  readonly onIncident?: string;
  readonly out?: string;
  readonly metrics?: string;
  readonly serve?: string;
  readonly textfile?: string;
  readonly state?: string;
  readonly map?: boolean;
  readonly mapOut?: string;
  readonly pageOwner: string;
  readonly pools: string;
}

export const command: CommandSpec = {
  name: "watch",
  raw: true,
  examples: [
    { line: "skblab watch", does: "room for each order now and where it goes; each incident explained as it happens" },
    {
      line: "skblab watch --metrics 127.0.0.1:9417",
      does: "the same for Prometheus: skblab_room_requests is the number to alert on",
    },
    {
      line: "skblab watch --out incidents.ndjson --on-incident 'mail -s packet-memory root'",
      does: "keep each incident as a line of JSON, and hand it to a command on its standard input",
    },
    {
      line: "skblab watch --for 0 --map-out memory.png",
      does: "once: room now, what each page of this machine is, and what keeps blocks from being whole (root)",
    },
  ],
  configure(cmd, io) {
    cmd
      .option("--interval <seconds>", "time between two samples", "5")
      .option("--for <seconds>", "stop after that time (default: until Ctrl-C)")
      .option("--on-incident <command>", "run this by sh for each incident, its JSON on standard input")
      .option("--out <file>", "append each incident as a line of JSON; the file may be moved away at any time")
      .option("--metrics <address:port>", "serve OpenMetrics on the loopback interface")
      .option("--serve <address:port>", "show it on the web page, on the loopback interface (port 0 takes a free one)")
      .option("--textfile <dir>", "write skblab.prom there after each sample, for node_exporter")
      .option("--map", "read what each page of this machine is used for, now and every five minutes (root)")
      .option("--map-out <file>", "write that map as .json (the web page draws it), .png or .svg; implies --map")
      .option("--page-owner <file>", "name who holds blocks by it, where it is on", "/sys/kernel/debug/page_owner")
      .option("--pools <command>", "what prints the page pools, once a minute", ynlCommand)
      .option("--state <file>", "where to keep what was already reported (default: the user's cache directory)")
      .option("--proc <dir>", "read the samples from there", "/proc")
      .option(
        "--kmsg <file>",
        "read the log from there: the device, or a file of its records or of dmesg's lines",
        "/dev/kmsg",
      )
      .action((options: Options) => {
        goesWith(cmd, ["--page-owner"], "--map", "--map-out");
        return watch(options, io);
      });
  },
};

/** A number of seconds that a user wrote. */
function secondsOf(text: string, option: string, least: number): number {
  const seconds = Number(text);
  if (!/^\d{1,7}(\.\d{1,3})?$/.test(text) || seconds < least)
    throw new BadInput(`${option} ${text} is not a time.`, undefined, `Write seconds, ${least} or more.`);
  return seconds;
}

async function watch(options: Options, io: Io): Promise<void> {
  const interval = secondsOf(options.interval, "--interval", 0.1) * 1000;
  const limit = options.for === undefined ? Number.POSITIVE_INFINITY : secondsOf(options.for, "--for", 0) * 1000;
  if (options.mapOut !== undefined) checkMapName(options.mapOut);
  // A place that is not there now is a slip of the pen; one that goes away later ends nothing.
  for (const place of [options.out, options.mapOut, options.state]) if (place !== undefined) checkPlace(place);
  if (options.textfile !== undefined) checkPlace(join(options.textfile, "skblab.prom"));
  const address = options.metrics === undefined ? undefined : loopback(options.metrics);
  const pageAddress = options.serve === undefined ? undefined : loopback(options.serve);
  const release = releaseOf(options.proc, process.arch);
  if (release === undefined)
    throw new BadInput(
      "It is not a Linux release.",
      { file: join(options.proc, "version") },
      "watch runs on a Linux machine.",
    );
  const boot = bootId(options.proc);
  const state = options.state ?? stateFile();
  const { log, of } = openLog(
    options.kmsg,
    (kind) => {
      const byLines = options.out === undefined ? undefined : toldByLines(options.out, boot, kind);
      const kept = toldIn(state, boot, kind);
      return kept === undefined ? byLines : Math.max(kept, byLines ?? kept);
    },
    io,
  );
  const screen: Screen = { live: false, brief: [], held: [] };
  const keeper = createKeeper({ out: options.out, state, boot, of, io });
  const watcher = createWatcher({
    release,
    boot,
    around: aroundOf(options.proc),
    sequenceOf: of,
    intervalSeconds: interval / 1000,
    remark: (sentence) => io.note(inertLine(sentence)),
    told: (told, last) => {
      const document = tell(told, last, { options, io, watcher: () => watcher, keeper, screen });
      if (document !== undefined) feed?.told(document);
    },
  });
  const maps =
    options.map === true || options.mapOut !== undefined
      ? createMapKeeper({
          proc: options.proc,
          pageOwner: options.pageOwner,
          io,
          sample: () => watcher.history.samples.at(-1),
          taken: (map) => {
            if (options.mapOut !== undefined) writeMap(options.mapOut, map);
          },
        })
      : undefined;
  const feed =
    pageAddress === undefined
      ? undefined
      : createFeed({ release: releaseText(options.proc), boot, intervalSeconds: interval / 1000 }, () => watcher, maps);
  const page =
    pageAddress === undefined || feed === undefined
      ? undefined
      : await servePage(pageAddress.host, pageAddress.port, feed.feeds);
  if (page !== undefined) io.note(`${page.url}#/memory shows it.`);
  const server =
    address === undefined
      ? undefined
      : await serveMetrics(address, (form) => metricsText(watcher.history, watcher.counts, form));
  if (options.metrics !== undefined) io.note(`metrics at http://${options.metrics}/metrics`);
  const stop = new AbortController();
  const end = (): void => stop.abort();
  // Not once: output.ts ends a process that nobody else holds by sending the signal again, and what is pending has still to be told.
  process.on("SIGINT", end);
  process.on("SIGTERM", end);
  // The file for incidents is opened anew for each: a rotation needs no more than that the signal does not end the watch.
  const rotated = (): void => io.note("SIGHUP: files are reopened for each line");
  process.on("SIGHUP", rotated);
  try {
    await loop({ watcher, log, keeper, screen, maps, options, io, interval, limit, stop: stop.signal });
    // A watch goes on without its map; but who asked for a file and has none at the end must not read it as a success.
    if (options.mapOut !== undefined && maps?.failed !== undefined) process.exitCode = 2;
  } finally {
    process.removeListener("SIGHUP", rotated);
    process.removeListener("SIGINT", end);
    process.removeListener("SIGTERM", end);
    log.close();
    await page?.close();
    server?.closeAllConnections();
    server?.close();
  }
}

function openLog(path: string, told: (of: SequenceOf) => number | undefined, io: Io): OpenedLog {
  try {
    return openKernelLog(told, path);
  } catch (error) {
    if (path !== "/dev/kmsg") throw error;
    io.note("/dev/kmsg cannot be read (root can): following dmesg, or the journal, instead.");
    return followCommands(
      [
        ["dmesg", "-w"],
        ["journalctl", "-k", "-b", "-f", "-n", "all", "-o", "short-monotonic", "--no-hostname"],
      ],
      told,
    );
  }
}

const aroundOf = (proc: string): [string, string][] =>
  ["version", "meminfo"].flatMap((name) => {
    const text = textOf(join(proc, name));
    return text === undefined ? [] : [[`/proc/${name}`, text] as [string, string]];
  });

interface Running {
  readonly watcher: Watcher;
  readonly log: KernelLog;
  readonly keeper: Keeper;
  readonly screen: Screen;
  readonly maps: MapKeeper | undefined;
  readonly options: Options;
  readonly io: Io;
  readonly interval: number;
  readonly limit: number;
  readonly stop: AbortSignal;
}

/** Looks into the log twice a second and takes a sample at each interval; what was read is told before it ends. */
async function loop({
  watcher,
  log,
  keeper,
  screen,
  maps,
  options,
  io,
  interval,
  limit,
  stop,
}: Running): Promise<void> {
  const began = performance.now();
  const pools = createPoolKeeper(options.pools);
  let nextSample = 0;
  let nextLine = 60_000;
  let ended = false;
  let unwritten = false;
  for (;;) {
    const now = performance.now() - began;
    if (now >= nextSample) {
      nextSample = now + interval;
      const seconds = uptimeOf(options.proc) ?? now / 1000;
      watcher.sample(sampleTexts(options.proc), seconds, pools.latest);
      pools.ask(now);
      if (options.textfile !== undefined) unwritten = await textfile(watcher, options.textfile, unwritten, io);
      if (maps !== undefined) void maps.take(now);
      if (await io.live?.([...documentNow(watcher, maps), ...screen.brief])) {
        screen.live = true;
        nextLine = Number.POSITIVE_INFINITY;
      }
    }
    if (!ended)
      try {
        const { lines, lost, remarks = [] } = log.read();
        for (const remark of remarks) io.note(inertLine(remark));
        if (lost > 0) io.note(`${lost} records of the kernel's log were overwritten before they could be read.`);
        watcher.lines(lines, now);
      } catch (error) {
        ended = true;
        io.note(`The kernel's log can no longer be read: ${(error as Error).message}. Samples go on.`);
      }
    await watcher.turn(now);
    keeper.retry();
    if (now >= nextLine) {
      nextLine = now + 60_000;
      io.note(statusLine(watcher));
    }
    if (stop.aborted || now >= limit) break;
    await sleep(Math.min(500, interval), undefined, { signal: stop }).catch(() => {});
  }
  await watcher.turn(performance.now() - began, true);
  await maps?.take(Number.NEGATIVE_INFINITY);
  // The picture was drawn over what was told: now it is told in full.
  for (const document of screen.held) await io.show(document, "\n");
  await io.show(documentNow(watcher, maps));
}

/** Where a picture is drawn anew on a terminal: incidents stand below it in a line each, and in full when the watch ends. */
interface Screen {
  live: boolean;
  brief: Document;
  held: Document[];
}

/** A picture that is drawn over itself must know its lines: none is longer than the terminal is wide. */
const wrapped = (block: Block): Block => (block.kind === "text" ? { kind: "text", text: block.text } : block);

/** Incidents that a terminal shows below the picture, and that are told in full at the end. */
const [mostBrief, mostHeld] = [6, 50];

const documentNow = (watcher: Watcher, maps: MapKeeper | undefined): Document => [
  ...roomDocument(watcher.history),
  ...(maps?.latest?.document ?? []),
];

/** One line for where no terminal is: the tightest room. */
function statusLine(watcher: Watcher): string {
  const last = watcher.history.samples.at(-1);
  const tight = (last?.rooms ?? [])
    .filter((r) => r.context === "atomic" && r.kept !== true && r.order === 3 && r.requests !== undefined)
    .sort((a, b) => (a.requests ?? 0) - (b.requests ?? 0))[0];
  if (tight === undefined) return "room: not known";
  const forecast = plain(forecastText(watcher.history.forecast(tight)));
  return `room: ${tight.requests} atomic requests of order 3 in zone ${tight.zone} of node ${tight.node}; ${forecast}`;
}

/** A textfile that cannot be written is said once, and tried again at the next sample; returns whether it failed. */
async function textfile(watcher: Watcher, directory: string, failed: boolean, io: Io): Promise<boolean> {
  try {
    writeOutput(join(directory, "skblab.prom"), await metricsText(watcher.history, watcher.counts, "text"));
    return false;
  } catch (error) {
    if (!(error instanceof BadInput)) throw error;
    if (!failed) io.note(`${inertLine(error.sentence())} It is tried again at each sample.`);
    return true;
  }
}

/** Keeps incidents in a file of lines, and what was told only once it stands there: what a full disk or a kill takes is told again. */
interface Keeper {
  keep(json: string | undefined, last: number | undefined): void;
  retry(): void;
}

function createKeeper({
  out,
  state,
  boot,
  of,
  io,
}: {
  readonly out: string | undefined;
  readonly state: string;
  readonly boot: string;
  readonly of: SequenceOf;
  readonly io: Io;
}): Keeper {
  const lines: Appender | undefined = out === undefined ? undefined : createAppender(out);
  let last: number | undefined;
  let kept: number | undefined;
  const say = (sentence: string | undefined): void => {
    if (sentence !== undefined) io.note(inertLine(sentence));
  };
  const keepState = (): void => {
    if (last === undefined || last === kept || (lines?.waiting ?? 0) > 0) return;
    try {
      keepTold(state, { boot, sequence: last, of });
    } catch (error) {
      io.note(`${state}: ${inertLine((error as Error).message)} After a restart this is reported again.`);
    }
    // A state that cannot be kept is said once for each telling, not at every turn.
    kept = last;
  };
  return {
    keep(json, sequence) {
      if (json !== undefined) say(lines?.add(json));
      last = sequence ?? last;
      keepState();
    },
    retry() {
      say(lines?.retry());
      keepState();
    },
  };
}

interface Telling {
  readonly options: Options;
  readonly io: Io;
  readonly watcher: () => Watcher;
  readonly keeper: Keeper;
  readonly screen: Screen;
}

/** Prints, keeps and hands over what was told; the document when there was something. */
function tell(
  told: Told,
  last: number | undefined,
  { options, io, watcher, keeper, screen }: Telling,
): Document | undefined {
  let document: Document | undefined;
  if (told.diagnosis.incidents.length > 0) {
    document = [...diagnosisDocument(told.diagnosis), ...minutesBefore(watcher().history)];
    if (screen.live) {
      screen.brief = [...screen.brief, ...briefDocument(told.diagnosis)].slice(-mostBrief).map(wrapped);
      screen.held = [...screen.held, document].slice(-mostHeld);
    } else void io.show(document, "\n");
    const json = JSON.stringify(told);
    keeper.keep(json, last);
    if (options.onIncident !== undefined) handOver(options.onIncident, json, io);
  } else keeper.keep(undefined, last);
  return document;
}

function handOver(command: string, json: string, io: Io): void {
  const child = spawn("sh", ["-c", command], { stdio: ["pipe", "inherit", "inherit"] });
  child.on("error", (error) => io.note(`--on-incident: ${error.message}`));
  child.on("close", (code) => {
    if (code !== 0) io.note(`--on-incident ended with status ${code ?? "of a signal"}.`);
  });
  child.stdin.on("error", () => {});
  child.stdin.end(`${json}\n`);
}
