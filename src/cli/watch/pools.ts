// Page pools of the running kernel (6.8 and later) by its netlink interface, through the kernel's own tool `ynl`: asked once a minute, beside the samples,
// since the tool takes longer to start than a sample to read. Without it pools are not known, and nothing is said of them.
import { execFile } from "node:child_process";
import { readNetlink } from "../../artifact/page_pool/netlink.ts";
import type { PoolState } from "../../artifact/page_pool/shape.ts";

export interface PoolKeeper {
  /** Pools as they were told last; undefined while nobody has told. */
  readonly latest: readonly PoolState[] | undefined;
  /** Asks when the last answer is old enough; does not wait for it. */
  ask(millis: number): void;
}

export const ynlCommand = "ynl --family netdev --dump page-pool-get --output-json";
const askEveryMillis = 60_000;

/** `command` is run by sh. One that is missing or fails is not asked again. */
export function createPoolKeeper(command: string, every = askEveryMillis): PoolKeeper {
  let latest: readonly PoolState[] | undefined;
  let next = 0;
  let busy = false;
  return {
    get latest() {
      return latest;
    },
    ask(millis) {
      if (busy || millis < next) return;
      busy = true;
      next = millis + every;
      execFile("sh", ["-c", command], { timeout: 20_000, maxBuffer: 16 << 20 }, (error, stdout) => {
        busy = false;
        if (error !== null) {
          // What was told once is old by now.
          latest = undefined;
          next = Number.POSITIVE_INFINITY;
          return;
        }
        latest = readNetlink("page-pool-get", stdout.split("\n"), []).states;
      });
    },
  };
}
