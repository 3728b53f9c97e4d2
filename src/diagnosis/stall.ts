// A request that waits, told as a failed one is: from 4.10 to 4.14 warn_alloc() also reports requests that reclaim for ten seconds without an end
// (__alloc_pages_slowpath(), mm/page_alloc.c: 63f53dea0c98 brought it, 400e22499dd9 took it out).
import { compareVersions } from "../kernel/release.ts";
import type { Case } from "./case.ts";

const first: readonly number[] = [4, 10];
const after: readonly number[] = [4, 15];

const variantOf = (c: Case): string | undefined =>
  c.incident.kind === "alloc_failure" ? c.incident.reading.variant : undefined;

/** The report says that the request waits, and is not refused. */
export const stalls = (c: Case): boolean => variantOf(c) === "stall";

/** The first line is lost, and the release is one, or may be one, that reports waiting requests with the same body. */
export function mayStall(c: Case): boolean {
  if (variantOf(c) !== "not said" || c.stack.frames.some((f) => f.function.startsWith("warn_alloc_failed")))
    return false;
  const stated = c.verdict.certainty === "stated";
  const since = stated ? c.release.version : (c.verdict.since ?? first);
  const until = stated ? c.release.version : (c.verdict.until ?? first);
  return compareVersions(since, after) < 0 && compareVersions(until, first) >= 0;
}
