// What is concluded from the findings on one report: one cause, how bad it is, and what that means.
import type { Severity } from "./finding.ts";

export interface Conclusion {
  /** Reports with the same key are the same trouble. */
  readonly key: string;
  readonly cause: string;
  readonly severity: Severity;
  /** What the severity means for this one; without it the words of its severity are said. */
  readonly consequence?: string;
}
