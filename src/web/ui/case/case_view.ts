// What the case page shows of a diagnosis, worked out from its JSON alone: episodes worst first, the verdict, the suspects that are ruled out, what
// to collect next. Words and numbers are the diagnosis'; only their choice and order are made here.
import type { FindingId } from "../../../diagnosis/asked.ts";
import { answerOf, findingOf } from "../../../diagnosis/asked.ts";
import type { Advice, DiagnosedIncident, Diagnosis, Finding, Quote, Severity } from "../../../diagnosis/finding.ts";
import { bySeverity } from "../../../diagnosis/finding.ts";
import { afterBoot, size } from "../../../diagnosis/words.ts";

/** An incident and its place in the diagnosis, from 0. */
export interface Listed {
  readonly incident: DiagnosedIncident;
  readonly index: number;
}

export interface Episode {
  readonly severity: Severity;
  readonly incidents: readonly Listed[];
}

/** What each severity means for a person, in two words. */
export const severityWord: Readonly<Record<Severity, string>> = {
  corruption: "memory corrupted",
  unknown: "not said",
  act: "act now",
  watch: "keep watch",
  harmless: "harmless",
};

/** Worst first; of equals the earlier in the log. */
export function episodesOf(d: Diagnosis): readonly Episode[] {
  const episodes: Listed[][] = [];
  d.incidents.forEach((incident, index) => {
    const own =
      incident.episode === null ? undefined : episodes.find((e) => e[0]?.incident.episode === incident.episode);
    if (own === undefined) episodes.push([{ incident, index }]);
    else own.push({ incident, index });
  });
  const first = (e: readonly Listed[]): number =>
    Math.min(...e.flatMap((x) => x.incident.occurrences.map((o) => o.firstLine)));
  return episodes
    .map((e) => [...e].sort((a, b) => bySeverity(a.incident.severity, b.incident.severity)))
    .map((incidents) => ({ severity: incidents[0]?.incident.severity ?? "harmless", incidents }))
    .sort((a, b) => bySeverity(a.severity, b.severity) || first(a.incidents) - first(b.incidents));
}

/** What the report itself rules out, with the finding that does. */
export function ruledOut(i: DiagnosedIncident): readonly { readonly suspect: string; readonly finding: Finding }[] {
  return i.findings.flatMap((finding) =>
    finding.answer === "no" && finding.clears !== undefined ? [{ suspect: finding.clears, finding }] : [],
  );
}

/** The first thing to do that has a command; without one, the first thing to do. */
export function firstAction<A extends Advice>(advice: readonly A[]): A | undefined {
  return advice.find((a) => a.command !== undefined && a.change.kind !== "evidence") ?? advice[0];
}

/** How bad it is, as the diagnosis says it. */
export const howBad = (i: DiagnosedIncident): string =>
  findingOf(i.findings, "judgement.harmless")?.claim ?? severityWord[i.severity];

/** Advice that asks for more of the machine's own words. */
export const toCollect = (i: DiagnosedIncident): readonly Advice[] =>
  i.advice.filter((a) => a.change.kind === "evidence" && a.command !== undefined);

/** When and where an incident was seen, in order. */
export const timeOf = (o: DiagnosedIncident["occurrences"][number]): string =>
  o.wallClock ?? (o.seconds === undefined ? `line ${o.firstLine}` : afterBoot(o.seconds));

/** Every line that the claims of an incident rest on, with the claims that do. */
export function evidenceLines(i: DiagnosedIncident, input: string): ReadonlyMap<number, readonly string[]> {
  const lines = new Map<number, string[]>();
  for (const f of i.findings)
    for (const q of f.evidence) if (q.input === input) lines.set(q.line, [...(lines.get(q.line) ?? []), f.id]);
  return lines;
}

/** The findings whose claim holds a text that is searched for. */
export const claimsWith = (i: DiagnosedIncident, text: string): readonly string[] =>
  text.trim() === ""
    ? []
    : i.findings.filter((f) => f.claim.toLowerCase().includes(text.trim().toLowerCase())).map((f) => f.id);

export const sameLine = (q: Quote, input: string, line: number): boolean => q.input === input && q.line === line;

/** The free memory that the request could look at, and how much of it lies in pieces large enough; bytes. */
export interface Pieces {
  readonly order: number;
  readonly wantedBytes: number;
  readonly freeBytes: number;
  readonly largeBytes: number;
  /** By order, from 0; zones that the request may not use are not in it. */
  readonly byOrder: readonly { readonly order: number; readonly blocks: number; readonly bytes: number }[];
  readonly sentence: string;
}

/** Undefined when the report prints no free lists. */
export function piecesOf(i: DiagnosedIncident): Pieces | undefined {
  const { memory } = i;
  if (memory === null) return undefined;
  const zones = memory.zones.filter((z) => z.eligible);
  const orders = Math.max(0, ...zones.map((z) => z.orders.length));
  if (orders === 0) return undefined;
  const pageBytes = memory.pageKb * 1024;
  const byOrder = Array.from({ length: orders }, (_, order) => {
    const blocks = zones.reduce((n, z) => n + (z.orders[order]?.blocks ?? 0), 0);
    return { order, blocks, bytes: blocks * 2 ** order * pageBytes };
  });
  const largeBytes = byOrder.slice(memory.order).reduce((n, o) => n + o.bytes, 0);
  const freeBytes = zones.reduce((n, z) => n + z.free, 0) * pageBytes;
  const wantedBytes = pageBytes * 2 ** memory.order;
  const sentence = `${size(freeBytes)} free where it may look; ${largeBytes === 0 ? "none" : size(largeBytes)} of it in blocks of ${size(wantedBytes)} or more`;
  return { order: memory.order, wantedBytes, freeBytes, largeBytes, byOrder, sentence };
}

/** The comparison that decided a zone: within the report's own error where the answer rests on that. */
export function decidingOf(z: NonNullable<DiagnosedIncident["memory"]>["zones"][number]): {
  readonly comparisons: (typeof z)["comparisons"];
  readonly deciding: (typeof z)["comparisons"][number] | undefined;
  readonly refuses: boolean | undefined;
} {
  const comparisons = z.within?.comparisons ?? z.comparisons;
  // A test that was made again counts as it ended.
  const failed = comparisons.findLast((c) => c.passed === false);
  const deciding = comparisons.at(-1)?.passed === true ? comparisons.at(-1) : (failed ?? comparisons.at(-1));
  return {
    comparisons,
    deciding,
    refuses: z.within !== null ? true : z.answer === "unknown" ? undefined : z.answer === "no",
  };
}

/** `/proc/buddyinfo` as the report's free lists would have it; undefined without them. */
export function buddyinfoOf(i: DiagnosedIncident): string | undefined {
  const zones = (i.memory?.zones ?? []).filter((z) => z.orders.length > 0);
  if (zones.length === 0) return undefined;
  return zones
    .map(
      (z) =>
        `Node ${z.node}, zone ${z.zone.padStart(8)} ${z.orders.map((o) => String(o.blocks).padStart(6)).join(" ")}\n`,
    )
    .join("");
}

/** The shipped case that asks this incident's question; undefined when none does. */
export function caseFor(i: DiagnosedIncident): string | undefined {
  const driver = i.driver ?? "";
  if (i.kind === "page_pool_stall") return "page-pool-tcp";
  if (/^tg3$/.test(driver) && i.order === 1) return "tg3-order1";
  if (/emac/.test(driver)) return "emac-jumbo";
  return i.kind === "alloc_failure" && (i.order ?? 0) > 0 ? "anti-fragmentation" : undefined;
}

/** The story of the packet lab that plays this fault; undefined when none does. */
export function storyFor(i: DiagnosedIncident): string | undefined {
  const says = (id: FindingId): boolean => answerOf(i.findings, id) === "yes";
  if (says("bad_page.double_free") || says("slab.double_free")) return "double-free";
  return says("oops.use_after_free") || says("slab.use_after_free") || i.kind === "bad_page"
    ? "double-free"
    : undefined;
}
