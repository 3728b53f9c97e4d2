// What is said of one fault, whatever kind it is.
import type { Severity } from "./finding.ts";

export interface Fault {
  /** Names the verdict; reports with the same one in the same place are the same trouble. */
  readonly key: string;
  /** Words for a title: `Kernel assertion`, `NULL pointer`. */
  readonly title: string;
  readonly cause: string;
  readonly severity: Severity;
  /** What it means for the machine, one sentence. */
  readonly consequence: string;
  /** What it has to do with a lack of memory: `none` is a "no" that the kind of the fault proves. */
  readonly memory: "shortage" | "corruption" | "none" | "not said";
  /** Why it is no shortage, or what else there is to say about memory. */
  readonly reason: string;
}
