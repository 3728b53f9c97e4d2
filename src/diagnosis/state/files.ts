// The files of one machine that were given without a report: what each says, and the line that says it.
import type { SourceLine } from "../../artifact/reader.ts";
import type { ProcKind, ProcReading } from "../../kernel/readings/proc.ts";
import type { Quote } from "../finding.ts";

/** A reading with the lines it was read from. */
export interface StateFile {
  readonly input: string;
  readonly reading: ProcReading;
  readonly firstLine: number;
  readonly lines: readonly SourceLine[];
  readonly host?: string;
  /** It is the input, not a part of a log. */
  readonly whole: boolean;
}

/**
 * What a file of each kind is here. `tells`: a state of memory can be told from it; `tells once` where one machine has one such file only (the
 * counters of /proc/net/snmp and netstat are told apart by their protocols). `sets`: what is told is told with it. A kind without a role does not
 * compile: what is read is used, or named as not looked at.
 */
const roles: Readonly<Record<ProcKind, "tells once" | "tells" | "sets" | "not looked at">> = {
  zoneinfo: "tells once",
  buddyinfo: "tells once",
  pagetypeinfo: "tells once",
  meminfo: "tells once",
  vmstat: "tells once",
  slabinfo: "tells once",
  softnet_stat: "tells once",
  sockstat: "tells",
  "net/netstat": "tells",
  nstat: "tells",
  "net/dev": "tells",
  "ethtool -S": "tells",
  "page pools": "tells",
  pressure: "tells",
  sysctl: "sets",
  "sample times": "sets",
  "ethtool -k": "sets",
  "ethtool -g": "sets",
  "ethtool -l": "sets",
  "ethtool -i": "sets",
  // The room that the model works out from the zones says the same, and for a request.
  extfrag: "not looked at",
};

const once = (kind: ProcKind): boolean => roles[kind] === "tells once";
const telling = (kind: ProcKind): boolean => once(kind) || roles[kind] === "tells";
export const isNotLookedAt = (kind: ProcKind): boolean => roles[kind] === "not looked at";

/** One machine at one moment. */
export class MachineFiles {
  readonly all: readonly StateFile[];

  constructor(all: readonly StateFile[]) {
    this.all = all;
  }

  get tells(): boolean {
    return this.all.some((f) => telling(f.reading.kind));
  }

  has = (kind: ProcKind): boolean => this.all.some((f) => f.reading.kind === kind);

  /** The readings of a kind, in the order given. */
  each<K extends ProcKind>(kind: K): readonly (StateFile & { readonly reading: Extract<ProcReading, { kind: K }> })[] {
    const is = (f: StateFile): f is StateFile & { readonly reading: Extract<ProcReading, { kind: K }> } =>
      f.reading.kind === kind;
    return this.all.filter(is);
  }

  one<K extends ProcKind>(kind: K): Extract<ProcReading, { kind: K }> | undefined {
    return this.each(kind)[0]?.reading;
  }

  /** Lines of files of a kind that hold a text. */
  quote(kind: ProcKind, holds: string, most = 2): readonly Quote[] {
    return this.each(kind)
      .flatMap((f) => quotesIn(f, (text) => text.includes(holds)))
      .slice(0, most);
  }
}

/** Lines of a file that are wanted. */
export const quotesIn = (f: StateFile, wanted: (text: string) => boolean): readonly Quote[] =>
  f.lines.flatMap((l) => (wanted(l.text) ? [{ input: f.input, line: l.line, text: l.text }] : []));

const keyOf = ({ reading }: StateFile): string | undefined =>
  once(reading.kind)
    ? reading.kind
    : reading.kind === "net/netstat" || reading.kind === "sockstat"
      ? `${reading.kind} ${reading.protocols[0]?.name}`
      : undefined;

const repeats = (files: readonly StateFile[]): boolean => {
  const keys = files.flatMap((f) => keyOf(f) ?? []);
  return new Set(keys).size < keys.length;
};

const folderOf = (name: string): string => name.slice(0, Math.max(name.lastIndexOf("/"), name.lastIndexOf(":")) + 1);

/**
 * Which files are of one machine at one moment: those of one host, unless a file stands there twice. Then those of one folder; and where it does
 * even there, each input by itself, of which the last of several samples is taken.
 */
export function machinesOf(files: readonly StateFile[]): MachineFiles[] {
  const split = (some: readonly StateFile[], by: (f: StateFile) => string): (readonly StateFile[])[] => {
    const groups = new Map<string, StateFile[]>();
    for (const f of some) groups.set(by(f), [...(groups.get(by(f)) ?? []), f]);
    return [...groups.values()];
  };
  return split(laterSamples(files), (f) => f.host ?? "")
    .flatMap((own) => (repeats(own) ? split(own, (f) => folderOf(f.input)) : [own]))
    .flatMap((own) => (repeats(own) ? split(own, (f) => f.input) : [own]))
    .map((own) => new MachineFiles(newest(own)))
    .filter((m) => m.tells || m.all.some((f) => f.whole));
}

/** `skblab collect` takes some files twice, the second time below sample2/: what was first is left to be compared (two_samples.ts). */
function laterSamples(files: readonly StateFile[]): readonly StateFile[] {
  const later = new Set(files.flatMap((f) => (f.input.includes("sample2/") ? [f.input.replace("sample2/", "")] : [])));
  return later.size === 0 ? files : files.filter((f) => !later.has(f.input));
}

/** The last sample of a text that has several; what a machine has once is taken from behind. */
function newest(files: readonly StateFile[]): readonly StateFile[] {
  const seen = new Set<string>();
  return [...files]
    .reverse()
    .filter((f) => {
      const key = keyOf(f);
      if (key === undefined) return true;
      const known = seen.has(key);
      seen.add(key);
      return !known;
    })
    .reverse();
}
