// What makes the trouble of two hosts one cause: kind, who asked, order, driver, direction, the test that refused, the family of the release.
// Numbers, hosts and times are left out. What a report does not say (its stack is cut, its release unknown) is null and fits every value.
import { answerOf, isA } from "../diagnosis/asked.ts";
import type { DiagnosedIncident } from "../diagnosis/finding.ts";
import { isFunctionOf } from "../kernel/facts/drivers/index.ts";
import { handingOnFrames, has } from "../kernel/facts/functions/known.ts";

/** `[kind, what, order, driver, direction, refusing test, release family]`; null: the report does not say; "" has no meaning for this kind. */
export type Fingerprint = readonly (string | null)[];

/** Numbers that stand alone; those that belong to a name (`kmalloc-64`, `tcp_v4_rcv`) stay. */
const withoutNumbers = (text: string): string =>
  text.replace(/(?<![\w-])(?:0x[0-9a-f]{1,16}|-?\d{1,20}(?:[.,]\d{1,20}){0,6})(?!\w)/gi, "N");

/** `6.1.90-amd64` → 6.1; of 2.6 the third number is the release. A range has no family. */
export function familyOf(release: string): string | null {
  if (/ (?:or|to) |^up to/.test(release)) return null;
  const m = /^(\d{1,4}\.\d{1,5})(\.\d{1,5})?/.exec(release);
  if (m === null) return null;
  return m[1] === "2.6" || m[1] === "2.4" ? `${m[1]}${m[2] ?? ""}` : (m[1] as string);
}

const shortages = ["alloc_failure", "slab_failure", "oom"];

export function fingerprintOf(i: DiagnosedIncident): Fingerprint {
  const short = shortages.includes(i.kind);
  return [
    i.kind,
    whatOf(i),
    i.kind === "alloc_failure" ? (i.order === null ? null : `order ${i.order}`) : "",
    // A line of a driver, or a stack that was read: no driver in it is an answer too. But a ring is always some driver's.
    i.driver ?? (short && (i.direction === null || i.direction === "rx refill") ? null : ""),
    short ? i.direction : i.direction === "neither" ? "" : (i.direction ?? ""),
    short ? refusing(i) : "",
    familyOf(i.kernel.release),
  ];
}

/** What it was: the function or cache that asked, where no driver says it better; for faults what was found and where. */
function whatOf(i: DiagnosedIncident): string | null {
  switch (i.kind) {
    case "alloc_failure":
      return i.driver !== null ? "" : askerOf(i);
    case "slab_failure":
    case "oom":
    case "bad_page":
      return i.subject.which;
    case "page_pool_stall": {
      const leak = answerOf(i.findings, "page_pool.leak");
      return leak === undefined || leak === "unknown" ? null : `leak ${leak}`;
    }
    default:
      return withoutNumbers(i.subject.title);
  }
}

/**
 * The module whose function asked, as a driver stands for its functions (the line of the innermost may be lost), else the function. Where one
 * is left that only runs others, the asker's line is lost.
 */
function askerOf({ subject: { asker } }: DiagnosedIncident): string | null {
  if (asker === null || asker.module !== null) return asker?.module ?? null;
  return has(handingOnFrames, asker.function) === undefined ? asker.function : null;
}

/** Which of the allocator's tests refused; null where the report does not show it, or shows memory that had come back. */
function refusing(i: DiagnosedIncident): string | null {
  if (answerOf(i.findings, "container.limit") === "yes") return "container";
  if (answerOf(i.findings, "fragmentation") === "yes") return "fragmented";
  return i.findings.some((f) => isA(f, "why.refused", "why.waits") && f.answer === "yes") ? "short" : null;
}

/** The name of a cause: its parts, `?` for what is not known. */
export const nameOf = (print: Fingerprint): string =>
  print
    .map((p) => p ?? "?")
    .filter((p) => p !== "")
    .join("|");

export const unknownsOf = (print: Fingerprint): number => print.filter((p) => p === null).length;

/** Whether `fuller` says all that `print` says, and more. A function of the driver that `fuller` names says no more than the driver. */
export const fits = (print: Fingerprint, fuller: Fingerprint): boolean =>
  print.every((p, i) => p === null || p === fuller[i] || (i === 1 && print[3] === null && isOwnFunction(p, fuller))) &&
  unknownsOf(fuller) < unknownsOf(print);

const isOwnFunction = (asker: string, [, what, , driver]: Fingerprint): boolean =>
  what === "" && typeof driver === "string" && isFunctionOf(driver, asker);
