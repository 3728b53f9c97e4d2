// The OOM killer's report, of the machine or of a memory cgroup. It shares the Mem-Info body with allocation failures: a machine without any
// memory can be told apart by it, where only memory of one shape is missing.

import type { CallTrace } from "./call_trace.ts";
import type { GfpText } from "./gfp_text.ts";
import type { Counters, MemInfo } from "./mem_info.ts";
import type { Part } from "./part.ts";
import { cut, lost, whole } from "./part.ts";
import type { ProcessLine } from "./process_line.ts";

/** One row of the task table; columns as that release prints them, `name` last. */
export interface OomTask {
  readonly pid: number;
  readonly columns: Counters;
  readonly name: string;
}

/** `Killed process 82 (dd) total-vm:3280kB, anon-rss:1008kB, …`, sizes in kB by their printed names. */
export interface OomVictim {
  readonly pid: number;
  readonly comm: string;
  readonly kb: Counters;
  /** The whole line as printed. */
  readonly text: string;
}

export interface Memcg {
  /** `Task in A killed as a result of limit of B` (until 4.x), or oom_memcg= and task_memcg= (4.19 and later). */
  readonly task?: string;
  readonly limitOf?: string;
  /** `memory`, `swap`, `memory+swap`, `kmem`: usage and limit in kB and how often the limit was hit. */
  readonly usage: readonly {
    readonly what: string;
    readonly usageKb: number;
    readonly limitKb: number;
    readonly failcnt: number;
  }[];
  /** `Memory cgroup stats for …` counters as printed, kB: one line for each cgroup below, the last of which is kept (up to 5.1). */
  readonly stats?: Counters;
  /** The lines of memory.stat behind it, bytes; `file` has `shmem` in it (mm/memcontrol.c memory_stats[] of 5.10, 6.1 and 7.3). */
  readonly statBytes?: Counters;
}

export interface Oom {
  /** Who ran when memory ended; not the culprit by itself. */
  readonly comm?: string;
  readonly gfp?: GfpText;
  readonly order?: number;
  /** oom_score_adj, or oomkilladj/oom_adj in old releases. */
  readonly scoreAdj?: number;
  readonly nodemask?: string;
  readonly cpuset?: string;
  readonly memsAllowed?: string;
  readonly process?: ProcessLine;
  readonly trace?: CallTrace;
  readonly memcg?: Memcg;
  readonly memInfo?: MemInfo;
  /** `Unreclaimable slab info:` (4.15 and later), printed when slab holds more than user memory does. */
  readonly slabs?: readonly { readonly name: string; readonly usedKb: number; readonly totalKb: number }[];
  readonly taskColumns?: readonly string[];
  readonly tasks: readonly OomTask[];
  /** `oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),…` by key (5.0 and later). */
  readonly summary?: Readonly<Record<string, string>>;
  /** `CONSTRAINT_MEMCG`, …; `memcg` also when only the older lines say so. */
  readonly scope: "machine" | "memcg" | "cpuset" | "unknown";
  readonly victim?: OomVictim;
  readonly outcome: "killed" | "nothing to kill" | "panic" | "unknown";
  readonly panic?: string;
}

/**
 * The rows of the slab table, in no order: enough of them to name the largest where what the totals count beside them is less than the largest row.
 */
export function slabRowsPart({ slabs = [], memInfo }: Oom, pageKb: number): Part<NonNullable<Oom["slabs"]>> {
  if (slabs.length === 0) return lost("the rows of the slab table");
  const pages = memInfo?.totals.slab_unreclaimable;
  if (pages === undefined) return cut(slabs, "slab_unreclaimable in the totals, which tells whether rows are missing");
  const listed = slabs.reduce((kb, row) => kb + row.totalKb, 0);
  return pages * pageKb - listed < Math.max(...slabs.map((row) => row.totalKb))
    ? whole(slabs, "what no row counts is less than the largest row")
    : cut(slabs, "rows of the slab table");
}
