// Pieces that the schemas of scenario files share: every key with what it means, its unit and its default.
import { z } from "zod";
import { factAt, namedRelease } from "../kernel/release.ts";

/** A whole number in a range. */
export const whole = (least: number, most: number, says: string): z.ZodNumber =>
  z.number().int().min(least).max(most).describe(says);

export const share = (says: string): z.ZodNumber => z.number().min(0).max(1).describe(`${says} (share, 0 to 1)`);

/** A kernel release with its architecture, as text. */
export const release = z
  .string()
  .refine(isRelease, "must be a release and an architecture, such as 2.6.24-x86_64 or 6.1-x86_64")
  .describe("kernel release and architecture, for example 2.6.24-i386 or 6.1-x86_64");

function isRelease(text: string): boolean {
  try {
    return factAt([{ since: [2, 6, 9], value: true, source: "" }], namedRelease(text).version)?.value === true;
  } catch {
    return false;
  }
}

/** The compile-like load of workload/thrash.ts. */
export const thrashShape = {
  jobs: whole(1, 1000, "processes alive at once").default(24),
  kilopages: whole(1, 100_000, "page requests in all, in thousands of pages").default(600),
  jobPagesMin: whole(1, 1_000_000, "fewest pages that a process asks for before it exits").default(200),
  jobPagesMax: whole(1, 1_000_000, "most pages that a process asks for; log-uniform in between").default(6000),
  cacheShare: share(
    "requests for the page cache: files read and written; the pages stay when the process exits",
  ).default(0.35),
  slabShare: share("requests for reclaimable slab pages: inodes, dentries").default(0.04),
  kernelShare: share("requests for kernel pages that live as long as the process").default(0.02),
  pinnedShare: share("requests for kernel pages that are never freed").default(0.0005),
  busyShare: share("chance that a user page is locked or recently used when reclaim looks at it").default(0.02),
  slabShrink: share("part of a slab cache's shrinking that frees whole pages").default(0.5),
} as const;

export const thrashSchema = z
  .strictObject(thrashShape)
  .refine((l) => l.jobPagesMin <= l.jobPagesMax, {
    message: "jobPagesMin is more than jobPagesMax",
    path: ["jobPagesMin"],
  })
  .refine((l) => l.cacheShare + l.slabShare + l.kernelShare + l.pinnedShare <= 1, {
    message: "the shares add up to more than 1",
    path: ["cacheShare"],
  });
