// A report of the OOM killer made of the parts that a test is about, as 6.1 prints it (mm/oom_kill.c, dump_header()).
import { type Lines, log } from "../answers_kept.testkit.ts";
import { type Memory, memory, type Zone } from "./memory.testkit.ts";
import { bySyscall } from "./report.testkit.ts";

export interface Killed {
  readonly order?: number;
  readonly mask?: string;
  readonly release?: string;
  readonly cpuset?: string;
  readonly memcg?: Lines;
  readonly zones?: readonly Zone[];
  readonly more?: Memory;
  readonly slabs?: readonly (readonly [name: string, kb: number])[];
  /** Pages of each task that is listed. */
  readonly tasks?: Readonly<Record<string, number>>;
  readonly constraint?: string;
  readonly end?: Lines;
}
export const kill =
  "Out of memory: Killed process 77 (server) total-vm:400000kB, anon-rss:200000kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:44kB oom_score_adj:0";
export function killed(k: Killed): Readonly<Record<string, string>> {
  const order = k.order ?? 0;
  return log(
    `server invoked oom-killer: gfp_mask=${k.mask ?? "0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP)"}, order=${order}, oom_score_adj=0`,
    ...(k.cpuset === undefined ? [] : [k.cpuset]),
    `CPU: 0 PID: 77 Comm: server Not tainted ${k.release ?? "6.1.192"} #1 `,
    "Call Trace:",
    " <TASK>",
    ...[
      "dump_stack_lvl+0x3a/0x4c",
      "dump_header+0x4a/0x1ff",
      "oom_kill_process.cold+0xb/0x34",
      "out_of_memory+0x10e/0x130",
    ].map((f) => ` ${f}`),
    ...bySyscall.map((f) => ` ${f}`),
    " </TASK>",
    ...(k.memcg ?? memory(k.zones ?? [{ blocks: [20] }], k.more)),
    ...(k.slabs === undefined
      ? []
      : [
          "Unreclaimable slab info:",
          "Name                      Used          Total",
          ...k.slabs.map(([n, kb]) => `${n.padEnd(18)} ${String(kb).padStart(10)}KB ${String(kb).padStart(10)}KB`),
        ]),
    ...(k.tasks === undefined
      ? []
      : [
          "Tasks state (memory values in pages):",
          "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
          ...Object.entries(k.tasks).map(
            ([name, rss], i) =>
              `[${String(77 + i).padStart(7)}]     0 ${String(77 + i).padStart(5)} ${String(rss * 2).padStart(8)} ${String(rss).padStart(8)}    45056        0             0 ${name}`,
          ),
        ]),
    ...(k.constraint === undefined
      ? []
      : [
          `oom-kill:constraint=${k.constraint},nodemask=(null),cpuset=/,mems_allowed=0${k.constraint === "CONSTRAINT_MEMCG" ? ",oom_memcg=/my,task_memcg=/my" : ",global_oom,task_memcg=/"},task=server,pid=77,uid=0`,
        ]),
    ...(k.end ?? [kill]),
  );
}
