// Sorts what a stream of inputs says by host before anything is asked: windows of a log that several machines share become each machine's own, and
// so do settings, releases and drivers. Memory is bounded: when many reports wait, they are diagnosed and handed on before the inputs end.
import { findReadings } from "../artifact/embedded.ts";
import type { Gathered, GatheredWindow } from "../artifact/gather.ts";
import { type Collector, createCollector } from "../diagnosis/collect.ts";
import type { InputRead } from "../diagnosis/diagnose.ts";
import type { Year } from "../kernel/readings/date.ts";
import type { LogLine } from "../kernel/readings/log_line.ts";
import { sameHost, statedHost } from "./host_name.ts";
import type { HostRecord } from "./host_record.ts";
import { recordOf } from "./host_record.ts";

/** Reports that wait at most before their hosts are diagnosed with what is known. */
const mostWaiting = 600;
/** Characters of a shared log whose reports are not over yet. */
const mostOpen = 16_000_000;
/** Reports that look alike on one host and are explained; the rest are counted. */
const keepAlike = 5;

/** What one input says of one host; `host` is undefined for lines that name none. */
interface Piece {
  readonly input: string;
  readonly host: string | undefined;
  readonly collector: Collector;
}

export interface HostCollector {
  onWindow(found: GatheredWindow): void;
  /** Records of hosts that could not wait. */
  early(): HostRecord[];
  finish(gathered: Gathered): HostRecord[];
}

/** `hostOfInput` names the host of lines that name none; `own`: the host that the inputs' files themselves state, once it is known. */
export function createHostCollector(
  hostOfInput: (input: string) => string,
  own: () => string | undefined,
  year: Year,
): HostCollector {
  let pieces = new Map<string, Piece>();
  const ready: HostRecord[] = [];
  const open: OpenLines = { input: "", end: 0, chars: 0, byHost: new Map() };
  const pieceOf = (input: string, host: string | undefined): Piece => {
    const key = `${host ?? ""}\n${input}`;
    const known = pieces.get(key) ?? { input, host, collector: createCollector({ keepAlike }) };
    pieces.set(key, known);
    return known;
  };
  const give = (input: string, host: string | undefined, lines: readonly LogLine[]): void => {
    const [first, last] = [lines[0], lines.at(-1)];
    if (first === undefined || last === undefined) return;
    const window = { firstLine: first.line, lastLine: last.line, lines, anchors: [], cut: false };
    pieceOf(input, host).collector.onWindow({ input, window });
  };
  const flush = (): void => {
    for (const [host, lines] of open.byHost) give(open.input, host === "" ? undefined : host, lines);
    Object.assign(open, { chars: 0, byHost: new Map() });
    if ([...pieces.values()].reduce((n, p) => n + p.collector.kept(), 0) <= mostWaiting) return;
    ready.push(...recordsOf([...pieces.values()], nothingGathered, { hostOfInput, own, year }));
    pieces = new Map();
  };
  return {
    onWindow({ input, window }) {
      const goesOn = open.byHost.size > 0 && input === open.input && window.firstLine <= open.end + 1;
      if (open.byHost.size > 0 && !goesOn) flush();
      const byHost = linesByHost(window.lines);
      if (!goesOn && byHost.size === 1) {
        for (const [host, lines] of byHost) give(input, host === "" ? undefined : host, lines);
        flush();
        return;
      }
      for (const [host, lines] of byHost) {
        const known = open.byHost.get(host);
        if (known === undefined) open.byHost.set(host, [...lines]);
        else for (const line of lines) known.push(line);
        for (const line of lines) open.chars += line.raw.length;
      }
      Object.assign(open, { input, end: window.lastLine });
      if (open.chars > mostOpen) flush();
    },
    early: () => ready.splice(0),
    finish(gathered) {
      flush();
      for (const { name } of gathered.inputs) pieceOf(name, undefined);
      const all = recordsOf([...pieces.values()], gathered, { hostOfInput, own, year });
      return [...ready.splice(0), ...all];
    },
  };
}

interface OpenLines {
  readonly input: string;
  /** Last line of the last window. */
  readonly end: number;
  chars: number;
  readonly byHost: Map<string, LogLine[]>;
}

const nothingGathered: Gathered = { inputs: [], windows: [], readings: [], notes: [] };

/** A window's lines by the host that they name. One that names none goes with the line above it, but for settings: they are nobody's ("") yet. */
function linesByHost(lines: readonly LogLine[]): Map<string, LogLine[]> {
  const named = lines.some((l) => statedHost(l.host) !== undefined);
  if (!named) return new Map([["", [...lines]]]);
  const settings = new Set<number>();
  if (lines.some((l) => l.host === undefined))
    for (const r of findReadings(lines))
      if (r.host === undefined) for (let n = r.firstLine; n <= r.lastLine; n++) settings.add(n);
  const out = new Map<string, LogLine[]>();
  let last = statedHost(lines.find((l) => statedHost(l.host) !== undefined)?.host) ?? "";
  for (const line of lines) {
    const host = line.host === undefined ? (settings.has(line.line) ? "" : last) : (statedHost(line.host) ?? "");
    if (line.host !== undefined) last = host;
    const own = out.get(host);
    if (own === undefined) out.set(host, [line]);
    else own.push(line);
  }
  return out;
}

/** The fuller of two names of one machine; the first where they are of two. */
const longer = (a: string, b: string): string => (sameHost(a, b) && b.length > a.length ? b : a);

interface Naming {
  readonly hostOfInput: (input: string) => string;
  readonly own: () => string | undefined;
  readonly year: Year;
}

function recordsOf(pieces: readonly Piece[], gathered: Gathered, { hostOfInput, own, year }: Naming): HostRecord[] {
  const named = new Map<string, Set<string>>();
  for (const { input, host } of pieces)
    if (host !== undefined) named.set(input, (named.get(input) ?? new Set<string>()).add(host));
  const stated = own();
  const all = new Set([...named.values()].flatMap((s) => [...s]));
  const [only] = all.size === 1 ? all : [];
  // Lines that name nobody are of the only machine that their input names; else of the machine that the bundle, or the path, says.
  const hostOf = ({ input, host }: Piece): string => {
    if (host !== undefined) return longer(host, stated ?? hostOfInput(input));
    const here = named.get(input);
    const [one] = here ?? [];
    if (here?.size === 1 && one !== undefined) return hostOf({ input, host: one } as Piece);
    if (stated !== undefined) return stated;
    const byPath = hostOfInput(input);
    return only === undefined ? byPath : longer(byPath, only);
  };
  const hosts = new Map<string, InputRead[]>();
  const counted = new Set<string>();
  const inputsOf = new Map<string, number>();
  for (const piece of pieces) {
    const { input, host, collector } = piece;
    const [read] = collector.finish({
      inputs: gathered.inputs.filter((i) => i.name === input),
      windows: [],
      readings: gathered.readings.filter((r) => r.input === input && statedHost(r.host) === host),
      notes: [],
    });
    if (read === undefined) continue;
    const nobodys = host === undefined && named.has(input) && read.incidents.length === 0;
    const name = hostOf(piece);
    if (nobodys && !hosts.has(name) && (named.get(input)?.size ?? 0) > 1) continue;
    hosts.set(name, [...(hosts.get(name) ?? []), read]);
    if (!counted.has(input)) inputsOf.set(name, (inputsOf.get(name) ?? 0) + 1);
    counted.add(input);
  }
  return [...hosts].map(([host, reads]) => ({ ...recordOf(host, reads, year), inputs: inputsOf.get(host) ?? 0 }));
}
