// A gfp mask as a report prints it.

/** The number, and the names behind it where the release prints them. */
export interface GfpText {
  readonly mask: number;
  /** The names in parentheses (4.6 and later), as printed: `GFP_ATOMIC|__GFP_COMP`. */
  readonly names?: string;
}
