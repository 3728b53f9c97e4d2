// Which kernel wrote a report: stated by the text, or inferred from its form, always with the reasons.
import type { LogLine } from "./log_line.ts";

/** One reason; `since` and `until` bound what it allows (both inclusive; absent = open). */
export interface ReleaseReason {
  readonly sentence: string;
  readonly since?: readonly number[];
  readonly until?: readonly number[];
  /** True when it rests on what is not there, which a lost line explains as well: it narrows a guess and accuses nobody. */
  readonly soft?: true;
  readonly lines: readonly LogLine[];
}

export interface ReleaseVerdict {
  /** The release as text: `2.6.24-gentoo-r8_64-08.19.08` when stated, `2.6.29` or `2.6.18 to 2.6.28` when inferred. */
  readonly release: string;
  readonly certainty: "stated" | "inferred" | "unknown";
  /** The releases that all reasons allow, inclusive; equal to the version when stated. */
  readonly since?: readonly number[];
  readonly until?: readonly number[];
  /** The version to compute with: the stated one, else the likeliest within the bounds. */
  readonly version?: readonly number[];
  readonly because: readonly ReleaseReason[];
  /** The form or the mask contradicts the stated release: a vendor backport, with what was seen. */
  readonly backport?: { readonly sentence: string; readonly lines: readonly LogLine[] };
}
