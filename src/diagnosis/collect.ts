// Collects what diagnosis works on from the stream of windows and readings that artifact/gather.ts finds: incidents with their release,
// and what the surroundings say, each with the line that says it.
import type { CounterName } from "../analysis/counters.ts";
import { countersOf } from "../analysis/counters.ts";
import { findReadings } from "../artifact/embedded.ts";
import type { Gathered, GatheredWindow, GatherOptions } from "../artifact/gather.ts";
import { tieConsequences, withoutDoubles } from "../artifact/log/incidents/consequences.ts";
import {
  bannerFor,
  inferRelease,
  readBanner,
  type StatedRelease,
  statesRelease,
} from "../artifact/log/incidents/infer_release.ts";
import { readIncidents } from "../artifact/log/incidents/read_incidents.ts";
import type { Copy, WindowRead } from "../artifact/log/report_sieve.ts";
import { ReportSieve } from "../artifact/log/report_sieve.ts";
import type { FoundReading } from "../artifact/reader.ts";
import { featureName } from "../kernel/readings/ethtool.ts";
import type { Incident, IncidentKind } from "../kernel/readings/incident.ts";
import { hostOf, placeOf } from "../kernel/readings/incident.ts";
import type { LogLine, LogNote } from "../kernel/readings/log_line.ts";
import type { OwnedPages } from "../kernel/readings/owned_pages.ts";
import type { ProcReading } from "../kernel/readings/proc.ts";
import type { ReleaseVerdict } from "../kernel/readings/release_verdict.ts";
import type { InputRead } from "./diagnose.ts";
import type { Quote } from "./finding.ts";
import type { StateFile } from "./state/files.ts";
import type { MemoryFiles, Surroundings, Told } from "./surroundings.ts";

export interface CollectOptions {
  /** Of reports that look alike (same kind, order, mask, same functions on top) so many are explained; the others are counted and dated. */
  readonly keepAlike?: number;
  readonly leaveOut?: LeaveOut | undefined;
}

const mostAlike = 20;
/** Looks that are told apart, and devices whose drivers are remembered; a log with more of them is somebody's fuzzing. */
const mostLooks = 1000;
/** So many days, boots, hosts and notes no log has either. */
const mostOfAll = 10_000;
const timeOfDay = /\d{1,2}:\d\d:\d\d(?:[.,]\d{1,9})?/;

/** What makes reports look alike before anything is asked, but for their host. */
interface Likeness {
  readonly kind: IncidentKind;
  /** Order and mask. */
  readonly request: string;
  readonly reason: string;
  /** What a driver's line says, as it stands. */
  readonly line: string | undefined;
  /** Of the innermost frames. */
  readonly functions: readonly string[];
}

function likenessOf(incident: Incident): Likeness {
  const { kind, reading } = incident;
  const part = (value: string | number | undefined): string => (value === undefined ? "" : String(value));
  const trace = "trace" in reading ? reading.trace : undefined;
  const line = kind === "driver_line" ? reading.text : undefined;
  const reason = "problem" in reading ? reading.problem : "reason" in reading ? reading.reason : undefined;
  return {
    kind,
    request: "order" in reading ? `${part(reading.order)} ${"gfp" in reading ? part(reading.gfp?.mask) : ""}` : "",
    reason: part(reason ?? line?.replace(/\d+/g, "N")),
    line,
    functions: (trace?.items ?? []).flatMap((i) => (i.kind === "frame" ? [i.function] : [])).slice(0, 14),
  };
}

const lookOf = ({ kind, request, reason, functions }: Likeness): string =>
  [kind, request, reason, ...functions].join("|");

const hostLook = (host: string | undefined, look: string): string => `${host ?? ""}|${look}`;

/** Whether copies whose numbers are others look alike too: no function is a bare address, and no reason holds a number. */
const isSure = ({ line, reason, functions }: Likeness): boolean =>
  !functions.some((name) => /^(?:\d|(?:[0-9a-f]{8}){1,2}$)/.test(name)) &&
  (line === undefined ? !/\d/.test(reason) : !/(?:pfn|index):/.test(line) && !line.split(/\W+/).some(isHexNumber));

/** A number with letters in it, of which a shape (log/line_shapes.ts) may leave out what the look keeps; `e1000` is a name. */
const isHexNumber = (word: string): boolean =>
  /^(?:0x)?[0-9a-f]{2,20}$/.test(word) &&
  /[a-f]/.test(word) &&
  (/^\d/.test(word) || (word.length > 7 && /\d/.test(word)));

type Changing<T> = { -readonly [K in keyof T]: T[K] };

/** Sets a key that is there, or that there is room for among so many. */
function setWithin<K, V>(map: Map<K, V>, most: number, key: K, value: V): void {
  if (map.size < most || map.has(key)) map.set(key, value);
}

/** A stamp may be this much older than one above it: several processors print, and a console's copy is late. */
const outOfOrder = 1;

/** Numbers the boots of each machine of an input: a kernel's first lines begin one, and so does an uptime that falls back. */
class Boots {
  private readonly began: { readonly line: number; readonly host: string | undefined }[] = [];
  private readonly last = new Map<string, { readonly boot: number; readonly line: number; readonly seconds: number }>();

  line({ text, seconds, line, host }: LogLine): void {
    if (seconds !== undefined && seconds < 1 && text.startsWith("Linux version ") && this.began.length < mostOfAll)
      this.began.push({ line, host });
  }

  numbered<T extends Placed>(incident: T): T {
    const host = hostOf(incident);
    const { firstLine, seconds } = incident;
    const known = this.last.get(host ?? "");
    const anew =
      known !== undefined &&
      ((seconds ?? known.seconds) < known.seconds - outOfOrder ||
        this.began.some((b) => b.host === host && b.line > known.line && b.line <= firstLine));
    const boot = (known?.boot ?? 1) + (anew ? 1 : 0);
    const clock = seconds ?? (anew ? Number.NEGATIVE_INFINITY : (known?.seconds ?? Number.NEGATIVE_INFINITY));
    setWithin(this.last, mostOfAll, host ?? "", { boot, line: firstLine, seconds: clock });
    return boot === 1 ? incident : { ...incident, boot };
  }
}

/** What places an incident. */
type Placed = Pick<Incident, "firstLine" | "lastLine" | "seconds" | "wallClock" | "boot" | "carried">;

/** Reports that look alike: how many are kept, how many more there were, where the last of those stands and on which days they were. */
interface Look {
  kept: number;
  more: number;
  last?: Placed;
  days?: Map<string, number>;
}

/** Counts a report that is not kept; `times`: with those that a rate limit left out before it. */
function count(look: Look, found: Placed, times: number): void {
  look.more += times;
  look.last = found;
  const day = found.wallClock?.replace(timeOfDay, "00:00:00");
  if (day === undefined) return;
  look.days ??= new Map();
  setWithin(look.days, mostOfAll, day, (look.days.get(day) ?? 0) + times);
}

/** Words without which a line says nothing to {@link InputCollection}, but of a device. */
const sayings = /\bmtu |CPUs=|changing MTU|renamed from|Linux /i;

/** Everything collected from one input. */
class InputCollection {
  readonly name: string;
  private incidents: Incident[] = [];
  readonly notes: LogNote[] = [];
  readonly files: StateFile[] = [];
  private readonly looks = new Map<string, Look>();
  private readonly sysctls = new Map<string, Told<string>>();
  private readonly offloads = new Map<string, Told<"on" | "off">>();
  private readonly mtus = new Map<string, Told<number>>();
  private readonly devices = new Map<string, Told<string>>();
  private readonly single: Changing<
    Pick<Surroundings, "offloadDevice" | "driver" | "memTotalKb" | "cpus" | "rings" | "queues">
  > = {};
  private readonly netDrivers = new Set<string>();
  private memoryFiles: MemoryFiles = {};
  private readonly banners: StatedRelease[] = [];
  private readonly counters = new Map<CounterName, number>();
  private readonly inflight = new Map<number, { readonly pages: number; readonly ifindex: number | undefined }>();
  private uptimes: readonly number[] | undefined;
  private readonly boots = new Boots();
  /** First lines of the readings that a window showed, so that they are not taken twice. */
  private readonly absorbed = new Set<number>();

  private readonly keepAlike: number;
  private readonly leaveOut: LeaveOut | undefined;
  private readonly left = { before: 0, undated: 0 };

  get kept(): number {
    return this.incidents.length;
  }

  constructor(name: string, { keepAlike = mostAlike, leaveOut }: CollectOptions) {
    this.name = name;
    this.keepAlike = keepAlike;
    this.leaveOut = leaveOut;
  }

  /** Whether a report came before what was asked for; one without a time that can be compared stays. */
  private isLeftOut(incident: Placed): boolean {
    if (this.leaveOut === undefined) return false;
    const before = this.leaveOut.before(incident);
    if (before === undefined) this.left.undated++;
    if (before === true) this.left.before++;
    return before === true;
  }

  /** Whether reports that look so are only counted from now on. */
  onlyCounts = (look: string, host: string | undefined): boolean =>
    (this.looks.get(hostLook(host, look))?.kept ?? 0) >= this.keepAlike;

  /** `copies` were taken out of the window: reports that are only counted. What was found is told, for the next ones. */
  window(lines: readonly LogLine[], copies: readonly Copy[] = []): WindowRead {
    const marked = new Set<number>();
    for (const line of lines) if (this.lineSays(line)) marked.add(line.line);
    const read = readIncidents(lines);
    for (const note of read.notes) {
      marked.add(note.line);
      this.note(note);
    }
    const incidents: WindowRead["incidents"][number][] = [];
    let next = 0;
    const countBefore = (line: number): void => {
      for (let c = copies[next]; c !== undefined && c.firstLine < line; c = copies[++next]) this.countCopy(c);
    };
    for (const found of read.incidents) {
      countBefore(found.firstLine);
      const likeness = likenessOf(found);
      const look = lookOf(likeness);
      this.take(found, look);
      const { kind, firstLine, lastLine, suppressedBefore } = found;
      const before = suppressedBefore === undefined ? {} : { suppressedBefore };
      incidents.push({ kind, firstLine, lastLine, ...before, look: isSure(likeness) ? look : undefined });
    }
    countBefore(Number.POSITIVE_INFINITY);
    for (const found of findReadings(lines)) {
      this.reading(found, lines);
      for (let n = found.firstLine; n <= found.lastLine; n++) marked.add(n);
    }
    return { lines, marked, incidents };
  }

  note(note: LogNote): void {
    if (this.notes.length < mostOfAll) this.notes.push(note);
    else if (this.notes.length === mostOfAll)
      this.notes.push({ line: 0, sentence: "More notes than these were left out." });
  }

  /** A report of which no more is known than that it looks like others. */
  private countCopy({ look, firstLine, lastLine, head, seconds, wallClock, host }: Copy): void {
    const found = {
      firstLine,
      lastLine,
      ...(seconds === undefined ? {} : { seconds }),
      ...(wallClock === undefined ? {} : { wallClock }),
      carried: [
        {
          part: "headline",
          lines: [{ line: firstLine, raw: head, text: "", ...(host === undefined ? {} : { host }) }],
        },
      ],
    };
    if (this.isLeftOut(found)) return;
    const known = this.looks.get(hostLook(host, look));
    if (known !== undefined) count(known, this.boots.numbered(found), 1);
  }

  private take(found: Incident, itsLook: string): void {
    if (this.isLeftOut(found)) return;
    const incident = this.boots.numbered(found);
    const look = hostLook(hostOf(incident), itsLook);
    const known = this.looks.get(look) ?? { kept: 0, more: 0 };
    setWithin(this.looks, mostLooks, look, known);
    if (known.kept < this.keepAlike && this.looks.has(look)) {
      known.kept++;
      this.incidents.push(incident);
    } else count(known, incident, 1 + (incident.suppressedBefore ?? 0));
  }

  /** `lines` are those around the reading where they are at hand; without them a quote says what was read in the tool's own form. */
  reading(found: FoundReading, lines: readonly LogLine[]): void {
    if (this.absorbed.has(found.firstLine)) return;
    this.absorbed.add(found.firstLine);
    const { reading, firstLine, lastLine } = found;
    const own = lines.filter((l) => l.line >= firstLine && l.line <= lastLine);
    const quote = (start: string, otherwise: string, index: number): Quote => {
      const at = own.find((l) => l.text.trimStart().startsWith(start));
      return { input: this.name, line: at?.line ?? firstLine + index, text: at?.raw ?? otherwise };
    };
    switch (reading.kind) {
      case "sysctl":
        reading.settings.forEach((s, i) => {
          if (!this.sysctls.has(s.key))
            this.sysctls.set(s.key, { value: s.value.trim(), quote: quote(s.key, `${s.key} = ${s.value}`, i) });
        });
        return;
      case "ethtool -k":
        this.single.offloadDevice ??= reading.device;
        reading.features.forEach((f, i) => {
          const key = featureName(f.name);
          const value = f.on ? "on" : "off";
          if (!this.offloads.has(key))
            this.offloads.set(key, { value, quote: quote(`${f.name}:`, `${f.name}: ${value}`, i + 1) });
        });
        return;
      case "ethtool -i": {
        const at = reading.fields.findIndex(([name]) => name === "driver");
        const value = reading.fields[at]?.[1];
        if (value === undefined) return;
        this.single.driver ??= { value, quote: quote("driver:", `driver: ${value}`, at) };
        this.drives(value);
        return;
      }
      case "ethtool -g": {
        const at = (name: string): number | null => reading.current.find((r) => r.name === name)?.value ?? null;
        const line = quote("Current hardware settings", `RX: ${at("RX") ?? "n/a"}`, 1 + reading.maximums.length);
        this.single.rings ??= {
          value: { rx: at("RX"), rxJumbo: at("RX Jumbo"), tx: at("TX") },
          quote: line,
        };
        return;
      }
      case "ethtool -l": {
        const receiving = reading.current.filter((r) => r.name === "RX" || r.name === "Combined");
        const numbers = receiving.flatMap((r) => (r.value === undefined ? [] : [r.value]));
        const value = numbers.reduce((sum, n) => sum + n, 0);
        if (value > 0)
          this.single.queues ??= {
            value,
            quote: quote("Current hardware settings", `queues: ${value}`, 1 + reading.maximums.length),
          };
        return;
      }
      case "meminfo": {
        const value = reading.fields.find((f) => f.name === "MemTotal")?.value;
        if (value !== undefined)
          this.single.memTotalKb ??= { value, quote: quote("MemTotal:", `MemTotal: ${value} kB`, 0) };
        return;
      }
      case "zoneinfo":
      case "buddyinfo":
      case "pagetypeinfo":
        this.memoryFiles = {
          [reading.kind]: { value: reading, quote: quote("", reading.kind, 0) },
          ...this.memoryFiles,
        };
        this.counts(reading);
        return;
      case "sample times":
        this.uptimes ??= reading.uptimes.map(([seconds]) => seconds);
        return;
      default:
        this.counts(reading);
    }
  }

  owned(pages: OwnedPages): void {
    const quote: Quote = { input: this.name, line: 1, text: "page_owner" };
    this.memoryFiles = { owned: { value: pages, quote }, ...this.memoryFiles };
  }

  /** The first text of a kind counts: a later one in the same input is of another moment. */
  private counts(reading: ProcReading): void {
    const device = /(?:^|[/:])ethtool-S-([\w.@-]+)\.txt$/.exec(this.name)?.[1];
    for (const [name, value] of countersOf(reading, device))
      if (!this.counters.has(name)) this.counters.set(name, value);
    if (reading.kind !== "page pools") return;
    for (const { id, ifindex, inflight } of reading.pools)
      if (inflight !== undefined && !this.inflight.has(id)) this.inflight.set(id, { pages: inflight, ifindex });
  }

  /** Settings that stand on a line of their own; true where there is one, or might be with other numbers. */
  private lineSays(l: LogLine): boolean {
    const quote = (): Quote => ({ input: this.name, line: l.line, text: l.raw });
    const mtu =
      /^(?:\d+: )?([\w.@-]+):? .*\bmtu (\d{2,5})\b/.exec(l.text) ??
      /(?:^|\s)([\w.-]+): changing MTU from \d+ to (\d+)/i.exec(l.text);
    if (mtu?.[1] !== undefined && mtu[2] !== undefined && mtu[1] !== "lo")
      this.mtus.set(mtu[1], { value: Number(mtu[2]), quote: quote() });
    const cpus = /SLUB: .{0,120}\bCPUs=(\d{1,5})/.exec(l.text)?.[1];
    if (cpus !== undefined) this.single.cpus ??= { value: Number(cpus), quote: quote() };
    // A driver's line about a USB device, or its first words (`smsc95xx v1.0.4`): the device is there.
    const device = /^([a-z]\w{2,30}) (?:\d{1,3}-[\d.]{1,20}:\d{1,3}\.\d{1,3}\b|v\d)/.exec(l.text)?.[1];
    if (device !== undefined && !this.devices.has(device))
      setWithin(this.devices, mostLooks, device, { value: device, quote: quote() });
    // dev_change_name() in net/core/dev.c, through netdev_info(): driver, place on its bus, new name.
    const driver = / renamed from /.test(l.text)
      ? /^([\w-]{2,30}) \S{1,60} \S{1,15}: renamed from /.exec(l.text)?.[1]
      : undefined;
    if (driver !== undefined) this.drives(driver);
    this.boots.line(l);
    const banner = readBanner(l);
    if (banner !== undefined) this.banners.push(banner);
    return device !== undefined || sayings.test(l.text);
  }

  private drives(driver: string): void {
    if (this.netDrivers.size < mostLooks) this.netDrivers.add(driver);
  }

  /** A report that states its release stands for itself; the others of an input are taken together, with the boot line above them. */
  private verdicts(): ReleaseVerdict[] {
    const silent = new Set(this.incidents.filter((i) => !statesRelease(i)));
    const together = new Map<string, ReleaseVerdict>();
    const hosts = new Set(this.incidents.flatMap((i) => hostOf(i) ?? []));
    return this.incidents.map((incident) => {
      const host = hostOf(incident);
      const banner = bannerFor(this.banners, host, incident.firstLine, hosts);
      const like = `${host ?? ""} ${banner?.line.line ?? ""}`;
      if (!silent.has(incident)) return inferRelease([incident], banner);
      const known =
        together.get(like) ?? inferRelease([...silent].filter((i) => hostOf(i) === host).slice(0, 50), banner);
      together.set(like, known);
      return known;
    });
  }

  private leftNotes(): LogNote[] {
    const { before, undated } = this.left;
    const reports = (n: number): string => `${n} ${n === 1 ? "report" : "reports"}`;
    const since = this.leaveOut?.text ?? "";
    return [
      ...(before === 0 ? [] : [{ line: 0, sentence: `${reports(before)} before ${since} left out.` }]),
      ...(undated === 0
        ? []
        : [{ line: 0, sentence: `${reports(undated)} without a time to compare with ${since}: not left out.` }]),
    ];
  }

  finish(size: Pick<InputRead, "bytes" | "lines" | "kind">): InputRead {
    const more = [...this.looks].flatMap(([look, { more: count, last, days }]) =>
      last === undefined ? [] : [{ look, count, last: placeOf(last), ...(days === undefined ? {} : { days }) }],
    );
    const around: Surroundings = {
      sysctls: this.sysctls,
      offloads: this.offloads,
      mtus: this.mtus,
      devices: this.devices,
      ...(this.netDrivers.size === 0 ? {} : { netDrivers: this.netDrivers }),
      ...(Object.keys(this.memoryFiles).length === 0 ? {} : { memoryFiles: this.memoryFiles }),
      ...this.single,
    };
    this.incidents = [...tieConsequences(withoutDoubles(this.incidents))];
    const releases = new Set(this.banners.map((b) => b.text));
    const verdicts = this.verdicts();
    const incidents = this.incidents.map((incident, i) => ({
      incident,
      verdict: verdicts[i] as ReleaseVerdict,
      look: hostLook(hostOf(incident), lookOf(likenessOf(incident))),
    }));
    const stated = releases.size === 0 ? {} : { releases };
    return {
      name: this.name,
      ...size,
      incidents,
      more,
      notes: [...this.notes, ...this.leftNotes()],
      around,
      ...(this.files.length === 0 ? {} : { files: this.files }),
      ...stated,
      ...(this.counters.size + this.inflight.size === 0
        ? {}
        : { counted: { counters: this.counters, inflight: this.inflight } }),
      ...(this.uptimes === undefined ? {} : { uptimes: this.uptimes }),
    };
  }
}

/** Reports that are not to be judged, and what is said of that. */
export interface LeaveOut {
  /** "2026-11-29 22:00:00" */
  readonly text: string;
  /** True: before it. Undefined: no time that can be compared. */
  before(incident: Pick<Incident, "seconds" | "wallClock">): boolean | undefined;
}

/** Takes windows as they come (GatherOptions.onWindow), then everything else when all inputs were read. */
export interface Collector {
  onWindow(found: GatheredWindow): void;
  /** Reports that are held. */
  kept(): number;
  finish(gathered: Gathered): InputRead[];
}

export function createCollector(options: CollectOptions = {}): Collector {
  return createSievingCollector(options);
}

/** A collector for {@link gather} with a sieve: reports that are only counted are not read where that makes no difference. */
export function createSievingCollector(
  options: CollectOptions = {},
): Collector & { readonly sieve: NonNullable<GatherOptions["sieve"]> } {
  const inputs = new Map<string, InputCollection>();
  const of = (name: string): InputCollection => {
    const known = inputs.get(name) ?? new InputCollection(name, options);
    inputs.set(name, known);
    return known;
  };
  let reports: ReportSieve | undefined;
  const sieve = (): ReportSieve => {
    reports ??= new ReportSieve();
    return reports;
  };
  /** Copies in the window that comes next. */
  let copies: readonly Copy[] = [];
  return {
    onWindow({ input, window }) {
      const read = of(input).window(window.lines, copies);
      copies = [];
      reports?.learn(read);
    },
    sieve: {
      shapes: () => sieve().shapes,
      sift(input, window) {
        if (window.taken === undefined) return window;
        const sifted = sieve().sift(window, of(input).onlyCounts);
        copies = sifted.copies;
        if (sifted.rest.taken === undefined && sifted.rest.lines.length === 0) {
          of(input).window([], copies);
          copies = [];
        }
        return sifted.rest;
      },
    },
    kept: () => [...inputs.values()].reduce((n, i) => n + i.kept, 0),
    finish(gathered) {
      for (const { name, owned } of gathered.inputs) {
        const input = of(name);
        if (owned !== undefined) input.owned(owned);
      }
      for (const { input, window } of gathered.windows) of(input).window(window.lines);
      for (const { input, ...found } of gathered.readings) {
        of(input).reading(found, []);
        const whole = gathered.inputs.some((i) => i.name === input && i.kind === found.reading.kind);
        of(input).files.push({ input, ...found, whole });
      }
      for (const { input, line, sentence } of gathered.notes) of(input).note({ line: line ?? 0, sentence });
      return [...inputs.values()].map((c) => {
        const told = gathered.inputs.find((i) => i.name === c.name);
        if (told === undefined) return c.finish({});
        return c.finish({ bytes: told.bytes, lines: told.lines, kind: told.kind });
      });
    },
  };
}
