// Who was running: `Pid: 0, comm: swapper Not tainted 2.6.24 #1`, `CPU: 1 PID: 17 Comm: ksoftirqd/1 …` and the lines that go with it.

import type { Part } from "./part.ts";
import { lost, whole } from "./part.ts";

/** The process line with `Workqueue:` and `Hardware name:`; whatever a release does not print is absent. */
export interface ProcessLine {
  readonly cpu?: number;
  /** Since 6.11. */
  readonly uid?: number;
  readonly pid?: number;
  readonly comm?: string;
  /** Before 6.11 on kernels with kexec loaded: `Kdump: loaded` stood here. */
  readonly kdump?: boolean;
  /** `Not tainted`, or `Tainted: G    B      O      ` with its blanks, which stand for flags that are not set. */
  readonly taint?: string;
  /** The release as the kernel names itself, `2.6.24-gentoo-r8_64-08.19.08`. */
  readonly release?: string;
  /** `#1`, `#50-Ubuntu`. */
  readonly build?: string;
  /** 40 hex digits, with CONFIG_STACKTRACE_BUILD_ID (5.14 and later). */
  readonly buildId?: string;
  /** What Debian's kernels put behind the build, ` Debian 6.1.76-1` with its own blank; empty in one built from Debian's source by hand. */
  readonly packageId?: string;
  /** The names of the flags as printed, `[O]=OOT_MODULE, [E]=UNSIGNED_MODULE`: a line of its own since 6.11. */
  readonly taintNames?: string;
  readonly workqueue?: string;
  readonly hardware?: string;
}

/** The taint letters that are set, `G` and `P` included: `["G", "O"]`. Empty for an untainted kernel or when nothing was printed. */
export function taintLetters({ taint = "" }: ProcessLine): string[] {
  return taint.startsWith("Tainted: ") ? [...taint.slice(9).replace(/=\w+/g, "")].filter((c) => /[A-Z]/.test(c)) : [];
}

/** The taint letters as far as they are there: readers take them with the release, the bracket or the line's end behind them alone. */
export const taintPart = ({ taint }: ProcessLine): Part<readonly string[]> =>
  taint === undefined
    ? lost("the taint letters")
    : whole(taintLetters({ taint }), "the kernel's release, or a bracket, stands behind them");
