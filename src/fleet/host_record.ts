// What one host's inputs come to: its facts and its incidents, small enough that a hundred thousand of them stream through a program or a file.
// Nothing of one host is used for another; uptimes are not compared across hosts.
import type { InputRead } from "../diagnosis/diagnose.ts";
import { diagnose, hostOf } from "../diagnosis/diagnose.ts";
import type { DiagnosedIncident, Severity } from "../diagnosis/finding.ts";
import { nothingAround } from "../diagnosis/surroundings.ts";

/** A number or a word about a host, by name; only what its inputs state. */
export type HostFacts = Readonly<Record<string, string | number>>;

export interface HostIncident {
  /** The fingerprint: the same for the same cause on every host. */
  readonly cause: string;
  readonly title: string;
  readonly kind: string;
  readonly severity: Severity;
  readonly count: number;
  /** ISO 8601, where the log has a date; null where it has only uptimes. */
  readonly first: string | null;
  readonly last: string | null;
  readonly release: string | null;
  readonly driver: string | null;
  readonly input: string;
  readonly line: number;
}

/** A line of `fleet --format ndjson` and of a shard. */
export interface HostRecord {
  readonly schema: "skblab.fleet-host/1";
  readonly host: string;
  readonly facts: HostFacts;
  readonly incidents: readonly HostIncident[];
  /** Inputs that were read, and sentences about those that were not. */
  readonly inputs: number;
  readonly notes: readonly string[];
}

/** Numbers that make two reports of one cause differ: sizes, addresses, counts. */
const withoutNumbers = (text: string): string => text.replace(/0x[0-9a-f]+|\d[\d.,]*/gi, "N");

/**
 * The cause of an incident as a word: kind, order, what it was for, driver, direction and the answers that tell one refusal from another.
 * Numbers, hosts and releases are left out: the releases of a cause are counted beside it.
 */
export function fingerprint(i: DiagnosedIncident): string {
  const deciding = [
    "why.refused",
    "fragmentation",
    "why.free_unusable",
    "pool.leak",
    "oops.packet_memory",
    "context.atomic_needlessly",
  ];
  const answers = deciding.flatMap((id) => {
    const answer = i.findings.find((f) => f.id === id)?.answer;
    return answer === undefined || answer === "unknown" ? [] : [`${id}=${answer}`];
  });
  const title = i.driver === null && i.direction === null ? withoutNumbers(i.title) : "";
  return [i.kind, i.order === null ? "" : `order ${i.order}`, i.driver ?? "", i.direction ?? "", title, ...answers]
    .filter((p) => p !== "")
    .join("|");
}

/** Everything of one input or of one host's files, host by host: `hostOfInput` for lines that name none. `year` completes dates of syslog. */
export function hostRecords(
  inputs: readonly InputRead[],
  hostOfInput: (input: string) => string,
  year: number,
): HostRecord[] {
  const hosts = new Map<string, InputRead[]>();
  for (const input of inputs) {
    const byHost = new Map<string, InputRead["incidents"][number][]>();
    for (const i of input.incidents) {
      const host = hostOf(i.incident) ?? hostOfInput(input.name);
      byHost.set(host, [...(byHost.get(host) ?? []), i]);
    }
    if (byHost.size === 0) byHost.set(hostOfInput(input.name), []);
    for (const [host, incidents] of byHost) {
      // In a log of several hosts nobody knows whose a setting is.
      const around = byHost.size > 1 ? nothingAround : input.around;
      const { more: _more, ...rest } = input;
      const kept = byHost.size > 1 ? rest : input;
      hosts.set(host, [...(hosts.get(host) ?? []), { ...kept, incidents, around }]);
    }
  }
  return [...hosts].map(([host, own]) => recordOf(host, own, year));
}

function recordOf(host: string, inputs: readonly InputRead[], year: number): HostRecord {
  const { incidents, inputs: told } = diagnose(inputs);
  const facts: Record<string, string | number> = {};
  const releases = new Set(incidents.map((i) => i.kernel.release).filter((r) => r !== "" && /^\d/.test(r)));
  const [release] = releases;
  if (release !== undefined && releases.size === 1) facts["release"] = release;
  for (const { around } of inputs) {
    const minFree = Number(around.sysctls.get("vm.min_free_kbytes")?.value ?? Number.NaN);
    if (Number.isFinite(minFree)) facts["min_free_kbytes"] ??= minFree;
    if (around.memTotalKb !== undefined) facts["memory_mb"] ??= Math.round(around.memTotalKb.value / 1024);
    if (around.driver !== undefined) facts["driver"] ??= around.driver.value;
    const mtus = [...around.mtus.values()].map((m) => m.value);
    if (mtus.length > 0) facts["mtu"] ??= Math.max(...mtus);
  }
  return {
    schema: "skblab.fleet-host/1",
    host,
    facts,
    incidents: incidents.map((i): HostIncident => {
      const times = i.occurrences
        .flatMap((o) => (o.wallClock === undefined ? [] : [dateOf(o.wallClock, year)]))
        .filter((t) => t !== null)
        .sort();
      const [at] = i.occurrences;
      return {
        cause: fingerprint(i),
        title: i.title.replace(/ of pfn 0x[0-9a-f]+/i, ""),
        kind: i.kind,
        severity: i.severity,
        count: i.count,
        first: times[0] ?? null,
        last: times.at(-1) ?? null,
        release: i.kernel.release === "" ? null : i.kernel.release,
        driver: i.driver,
        input: at?.input ?? "",
        line: at?.firstLine ?? 0,
      };
    }),
    inputs: told.length,
    notes: [],
  };
}

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/** A log's date as ISO 8601 in UTC as far as the text says a zone; syslog's has no year and gets `year`. Null for what is no date. */
export function dateOf(text: string, year: number): string | null {
  const iso = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:[.,]\d+)?\s?(Z|[+-]\d{2}:?\d{2})?/.exec(text);
  if (iso !== null) return checked(`${iso[1]}T${iso[2]}${(iso[3] ?? "Z").replace(/^([+-]\d{2})(\d{2})$/, "$1:$2")}`);
  const old = /^(?:[A-Z][a-z]{2} )?([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d{2}:\d{2}:\d{2})(?:\.\d+)?(?: (\d{4}))?/.exec(
    text,
  );
  const month = months.indexOf((old?.[1] ?? "").toLowerCase());
  if (old === null || month < 0) return null;
  return checked(
    `${old[4] ?? year}-${String(month + 1).padStart(2, "0")}-${(old[2] ?? "").padStart(2, "0")}T${old[3]}Z`,
  );
}

function checked(iso: string): string | null {
  const time = Date.parse(iso);
  return Number.isNaN(time) ? null : new Date(time).toISOString().replace(".000Z", "Z");
}
