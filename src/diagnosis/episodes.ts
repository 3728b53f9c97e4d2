// Reports that are one event: a driver's own line beside the failure that it complains about, the pools of one restart, and what happened
// within the same second on the same machine. One event has one story, told worst first.
import type { Incident } from "../kernel/readings/incident.ts";
import { oneClock } from "../kernel/readings/incident.ts";
import { wholeSecond } from "../kernel/readings/log_line.ts";
import type { DiagnosedIncident, Finding, Quote } from "./finding.ts";
import { bySeverity } from "./finding.ts";
import { messageSaid } from "./messages.ts";
import { defineQuestions } from "./question.ts";

const { questions, yes } = defineQuestions({
  "episode.together": { question: "What else happened at that time?", open: true },
});
export const episodeQuestions = questions;

/** Reports of one moment: so far apart at most, by the kernel's clock in seconds, or in lines where there is none. */
const moment = { seconds: 1, lines: 3 };

const apart = (a: Incident, b: Incident): number =>
  a.firstLine > b.lastLine ? a.firstLine - b.lastLine : b.firstLine - a.lastLine;

function together(a: Incident, b: Incident): boolean {
  if (!oneClock(a, b)) return false;
  if (a.seconds !== undefined && b.seconds !== undefined) return Math.abs(a.seconds - b.seconds) <= moment.seconds;
  return apart(a, b) <= moment.lines;
}

/**
 * The failures that drivers' lines belong to: by the line's incident. Only lines that say that memory was refused have one, and only in a
 * report of the same moment.
 */
export function linesBesides(incidents: readonly Incident[]): ReadonlyMap<Incident, Incident> {
  const failures = incidents.filter((i) => i.kind === "alloc_failure" || i.kind === "slab_failure");
  const found = new Map<Incident, Incident>();
  for (const incident of incidents) {
    if (incident.kind !== "driver_line" || messageSaid(incident.reading).memory !== "refused") continue;
    if (incident.reading.message !== "buffer" && incident.reading.message !== "kevent") continue;
    const near = failures
      .filter((f) => together(f, incident))
      .sort((a, b) => apart(a, incident) - apart(b, incident))[0];
    if (near !== undefined) found.set(incident, near);
  }
  return found;
}

/**
 * Pools that died together, by their stalls: the same number of pages after the same time, or a pool that was one of such before. The value
 * names the group; a pool alone keeps its own name.
 */
export function poolGroups(incidents: readonly Incident[]): ReadonlyMap<Incident, string> {
  const groups: { name: string; of: Incident; ids: Set<number>; inflight: number; seconds: number | undefined }[] = [];
  const found = new Map<Incident, string>();
  for (const incident of incidents) {
    if (incident.kind !== "page_pool_stall" || incident.reading.poolId === undefined) continue;
    const { poolId, inflight, seconds } = incident.reading;
    const here = groups.filter((g) => oneClock(g.of, incident));
    const own = here.find((g) => g.ids.has(poolId));
    const like = own ?? here.find((g) => g.inflight === inflight && near(g.seconds, seconds));
    const boot = incident.boot === undefined ? "" : ` of boot ${incident.boot}`;
    const group = like ?? { name: `page_pool:${poolId}${boot}`, of: incident, ids: new Set(), inflight, seconds };
    if (like === undefined) groups.push(group);
    group.ids.add(poolId);
    Object.assign(group, { inflight, seconds });
    found.set(incident, group.name);
  }
  return found;
}

/** Pools of one restart warn with the same age, but for the seconds that it took. */
const near = (a = Number.NaN, b = Number.NaN): boolean => Math.abs(a - b) <= 2;

/** Two causes with reports of the same moment in the same input. */
function oneEvent(a: DiagnosedIncident, b: DiagnosedIncident): boolean {
  return a.occurrences.some((x) =>
    b.occurrences.some((y) => {
      if (x.input !== y.input || x.host !== y.host || x.boot !== y.boot) return false;
      if (x.seconds !== undefined && y.seconds !== undefined) return Math.abs(x.seconds - y.seconds) <= moment.seconds;
      if (x.wallClock === undefined || wholeSecond(x.wallClock) !== wholeSecond(y.wallClock)) return false;
      return Math.abs(x.firstLine - y.firstLine) < 400;
    }),
  );
}

/** How many causes one moment may tie together; more are a flood, not a story. */
const mostTied = 8;

/**
 * Ties causes of one moment: each of them says what else happened then, and they stand together, the worst first. Reports that were only
 * counted (a rate limit's line) tie nothing. Linear in the number of causes but for those of one moment.
 */
export function withEpisodes(incidents: readonly DiagnosedIncident[]): DiagnosedIncident[] {
  const episodes: DiagnosedIncident[][] = [];
  for (const incident of incidents) {
    const own =
      incident.kind === "suppressed"
        ? undefined
        : episodes.find((e) => e.length < mostTied && e.some((i) => i.kind !== "suppressed" && oneEvent(i, incident)));
    if (own === undefined) episodes.push([incident]);
    else own.push(incident);
  }
  return episodes.flatMap((tied, number) => {
    const episode = oneRequest(tied);
    if (episode.length === 1) return episode;
    const sorted = [...episode].sort((a, b) => bySeverity(a.severity, b.severity));
    return sorted.map((i) => ({
      ...i,
      episode: number,
      findings: [...i.findings.filter((f) => f.id !== "episode.together"), story(i, sorted)],
    }));
  });
}

/** So many orders of one request in one moment are one request that was tried with ever smaller blocks. */
const fewestOrders = 3;

/**
 * A refill that asks for a large block and then for smaller ones down to a page fails once for each: one cause, told by the smallest block that
 * was refused; the larger ones are its earlier tries.
 */
function oneRequest(episode: readonly DiagnosedIncident[]): readonly DiagnosedIncident[] {
  const whose = (i: DiagnosedIncident): string => `${i.driver} ${i.direction} ${i.subject.which}`;
  const families = new Map<string, DiagnosedIncident[]>();
  for (const i of episode)
    if (i.kind === "alloc_failure" && i.order !== null && i.direction !== null)
      families.set(whose(i), [...(families.get(whose(i)) ?? []), i]);
  const folded = new Map<DiagnosedIncident, DiagnosedIncident | undefined>();
  for (const family of families.values()) {
    const orders = [...new Set(family.flatMap((i) => i.order ?? []))].sort((a, b) => b - a);
    if (orders.length < fewestOrders) continue;
    const least = family.reduce((a, b) => (Number(b.order) < Number(a.order) ? b : a));
    const occurrences = family.flatMap((i) => i.occurrences).sort((a, b) => a.firstLine - b.firstLine);
    const tries = yes(
      "episode.together",
      `The same request was tried at orders ${orders.join(", ")} within one moment and refused each time: this is one event, and the smallest order decides what was lost.`,
      family.flatMap((i) => firstLine(i)).slice(0, 4),
    );
    for (const i of family) folded.set(i, undefined);
    const count = family.reduce((n, i) => n + i.count, 0);
    const suppressed = family.reduce((n, i) => n + i.suppressed, 0);
    folded.set(least, { ...least, count, suppressed, occurrences, findings: [...least.findings, tries] });
  }
  return episode.flatMap((i) => (folded.has(i) ? (folded.get(i) ?? []) : [i]));
}

function story(own: DiagnosedIncident, episode: readonly DiagnosedIncident[]): Finding {
  const others = episode.filter((i) => i !== own);
  const lines = [own, ...others].flatMap((i) => firstLine(i)).slice(0, 4);
  return yes(
    "episode.together",
    `In the same moment: ${others.map((i) => i.title).join("; ")}. ${
      episode.some((i) => i.kind === "mem_info")
        ? "The text does not say whether it is one event: the report that the state of memory belongs to is not in it."
        : "Treat them as one event."
    }`,
    lines,
  );
}

/** The line by which an incident was found, as one of its findings quotes it. */
function firstLine(incident: DiagnosedIncident): readonly Quote[] {
  const at = incident.occurrences[0];
  const quoted = incident.findings
    .flatMap((f) => f.evidence)
    .find((q) => q.input === at?.input && q.line === at?.firstLine);
  return quoted === undefined ? incident.findings.flatMap((f) => f.evidence).slice(0, 1) : [quoted];
}
