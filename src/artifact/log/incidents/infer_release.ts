// Which kernel wrote a log: stated where a line says so, else inferred from what the reports look like and from what their numbers can
// mean, with a reason for every bound. Reports that contradict a stated release are a vendor backport.
import type { Incident } from "../../../kernel/readings/incident.ts";
import { linesOf } from "../../../kernel/readings/incident.ts";
import type { LogLine } from "../../../kernel/readings/log_line.ts";
import type { ReleaseReason, ReleaseVerdict } from "../../../kernel/readings/release_verdict.ts";
import { compareVersions } from "../../../kernel/release.ts";
import { textOf } from "./builder.ts";
import { reasonsOf } from "./release_reasons.ts";

/** A release that a line states. */
export interface StatedRelease {
  /** As printed: `2.6.24-gentoo-r8_64-08.19.08`. */
  readonly text: string;
  readonly line: LogLine;
  /** The host that the line is about, where it says so. */
  readonly host?: string;
}

/** The release in a boot banner (`Linux version 6.1.0-56-amd64 (…)`) or in the output of `uname -a`, or undefined. */
export function readBanner(line: LogLine): StatedRelease | undefined {
  const all = textOf(line);
  const text = /(?:^|\s)Linux version (\d{1,4}\.\d{1,5}\S{0,100})(?=\s)/.exec(all)?.[1];
  if (text !== undefined) return { text, line, ...(line.host === undefined ? {} : { host: line.host }) };
  // Linux host1 3.6.11+ #362 PREEMPT Tue Jan 22 14:52:21 GMT 2013 armv6l GNU/Linux
  const uname =
    /^(?:\S{0,60}[$#] uname -a\s+)?Linux (\S{1,64}) (\d{1,4}\.\d{1,5}\.?\S{0,100}) #\S{1,40} .{10,200}$/.exec(all);
  return uname?.[2] === undefined ? undefined : { text: uname[2], line, host: uname[1]! };
}

/** The statement that holds for a report: of its own host, above it if there is one; else the only one of an input with one host. */
export function bannerFor(
  banners: readonly StatedRelease[],
  host: string | undefined,
  firstLine: number,
  hosts: ReadonlySet<string>,
): StatedRelease | undefined {
  const own = banners.filter((b) => b.host === host);
  const found = own.findLast((b) => b.line.line <= firstLine) ?? own[0];
  if (found !== undefined || hosts.size > 1) return found;
  // Pasted from two places: one release in all of the text, and no second host in it.
  const all = new Set(banners.map((b) => b.text));
  const named = new Set(banners.flatMap((b) => (b.host === undefined ? [] : [b.host])));
  return all.size === 1 && (host === undefined ? named.size < 2 : named.size === 0) ? banners[0] : undefined;
}

/** The numbers at the head of a release text; undefined when there are none. */
export function versionOf(text: string): readonly number[] | undefined {
  const digits = /^\D{0,2}(\d{1,4}(?:\.\d{1,5}){1,3})/.exec(text)?.[1];
  return digits?.split(".").map(Number);
}

/** The release stated by the reports themselves. */
function statedIn(incidents: readonly Incident[]): StatedRelease | undefined {
  for (const incident of incidents) {
    const release = processOf(incident)?.release;
    const line =
      linesOf(incident, "process")[0] ?? linesOf(incident, "registers").find((l) => l.text.includes(release ?? "\n"));
    if (release !== undefined && line !== undefined) return { text: release, line };
  }
  return undefined;
}

/** Whether a report states its release itself. */
export const statesRelease = (incident: Incident): boolean => statedIn([incident]) !== undefined;

function processOf(incident: Incident): { readonly release?: string } | undefined {
  switch (incident.kind) {
    case "alloc_failure":
    case "bad_page":
    case "oom":
    case "oops":
    case "slab_corruption":
      return incident.reading.process;
    case "skb_panic":
      return incident.reading.oops?.process;
    default:
      return undefined;
  }
}

/** Not newer than `until`, where 4.3.3 counts as 4.3. */
const within = (version: readonly number[], reason: ReleaseReason): boolean =>
  (reason.since === undefined || compareVersions(version, reason.since) >= 0) &&
  (reason.until === undefined || compareVersions(version.slice(0, reason.until.length), reason.until) <= 0);

/**
 * The verdict on the kernel behind incidents of one log (pass one incident for a verdict on it alone). `banner` is a release that the log
 * states outside of the reports.
 */
export function inferRelease(incidents: readonly Incident[], banner?: StatedRelease): ReleaseVerdict {
  const reasons = incidents.flatMap(reasonsOf);
  const stated = statedIn(incidents) ?? banner;
  if (stated !== undefined) return statedVerdict(stated, reasons);
  return inferred(reasons);
}

function statedVerdict(stated: StatedRelease, reasons: readonly ReleaseReason[]): ReleaseVerdict {
  const version = versionOf(stated.text);
  const own: ReleaseReason = {
    sentence: `The log states ${stated.text}.`,
    ...(version === undefined ? {} : { since: version, until: version }),
    lines: [stated.line],
  };
  const against = version === undefined ? [] : unique(reasons).filter((r) => r.soft !== true && !within(version, r));
  return {
    release: stated.text,
    certainty: "stated",
    ...(version === undefined ? {} : { since: version, until: version, version }),
    because: [own, ...(version === undefined ? [] : unique(reasons).filter((r) => within(version, r)))],
    ...(against.length === 0
      ? {}
      : {
          backport: {
            sentence: `The reports do not look like ${version?.join(".") ?? stated.text}: ${against.map((r) => r.sentence).join(" ")} Its vendor has moved code between releases.`,
            lines: against.flatMap((r) => r.lines),
          },
        }),
  };
}

interface Bounds {
  since: readonly number[] | undefined;
  until: readonly number[] | undefined;
}

function inferred(all: readonly ReleaseReason[]): ReleaseVerdict {
  const bounding = unique(all).filter((r) => r.since !== undefined || r.until !== undefined);
  const reasons = [...bounding.filter((r) => r.soft !== true), ...bounding.filter((r) => r.soft === true)];
  const bounds: Bounds = { since: undefined, until: undefined };
  const because: ReleaseReason[] = [];
  const against: ReleaseReason[] = [];
  for (const reason of reasons) {
    const since = later(bounds.since, reason.since);
    const until = earlier(bounds.until, reason.until);
    if (since !== undefined && until !== undefined && compareVersions(since, until) > 0) {
      if (reason.soft !== true) against.push(reason);
      continue;
    }
    bounds.since = since;
    bounds.until = until;
    because.push(reason);
  }
  if (because.length === 0) return { release: "", certainty: "unknown", because: [] };
  const version = likeliest(bounds);
  return {
    release: rangeText(bounds),
    certainty: "inferred",
    ...(bounds.since === undefined ? {} : { since: bounds.since }),
    ...(bounds.until === undefined ? {} : { until: bounds.until }),
    ...(version === undefined ? {} : { version }),
    because,
    ...(against.length === 0
      ? {}
      : {
          backport: {
            sentence: `Not everything fits one release: ${against.map((r) => r.sentence).join(" ")}`,
            lines: against.flatMap((r) => r.lines),
          },
        }),
  };
}

/** One reason per sentence; several reports give the same. */
function unique(reasons: readonly ReleaseReason[]): ReleaseReason[] {
  const seen = new Map<string, ReleaseReason>();
  for (const r of reasons) if (!seen.has(r.sentence)) seen.set(r.sentence, r);
  return [...seen.values()];
}

const later = (a: Bounds["since"], b: Bounds["since"]): Bounds["since"] =>
  a === undefined ? b : b === undefined || compareVersions(a, b) >= 0 ? a : b;
const earlier = (a: Bounds["until"], b: Bounds["until"]): Bounds["until"] =>
  a === undefined ? b : b === undefined || compareVersions(a, b) <= 0 ? a : b;

function rangeText({ since, until }: Bounds): string {
  if (since === undefined) return until === undefined ? "" : `up to ${until.join(".")}`;
  if (until === undefined) return `${since.join(".")} or later`;
  return compareVersions(since, until) === 0 ? since.join(".") : `${since.join(".")} to ${until.join(".")}`;
}

/** Long-term releases: machines that run for years run these. */
const longTerm: readonly (readonly number[])[] = [
  [2, 6, 32],
  [3, 10],
  [3, 16],
  [4, 4],
  [4, 9],
  [4, 14],
  [4, 19],
  [5, 4],
  [5, 10],
  [5, 15],
  [6, 1],
  [6, 6],
  [6, 12],
];

function likeliest(bounds: Bounds): readonly number[] | undefined {
  const inside = longTerm.filter((v) =>
    within(v, {
      sentence: "",
      lines: [],
      ...(bounds.since && { since: bounds.since }),
      ...(bounds.until && { until: bounds.until }),
    }),
  );
  return inside.at(-1) ?? bounds.since ?? bounds.until;
}
