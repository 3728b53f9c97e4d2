// How to get a kernel log on a machine of that time: journald came with the systems of 2012 (Linux 3.x); before there was dmesg.
import { atLeast } from "../kernel/release.ts";
import type { Case } from "./case.ts";

/** The command that prints the kernel's log; ` | grep …` may follow. */
export const logCommand = (c: Case): string =>
  atLeast(c.release, [3, 0]) ? "journalctl -k -b -o short-monotonic --no-pager" : "dmesg";
