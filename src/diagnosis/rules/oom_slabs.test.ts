// The OOM report's own table of unreclaimable slab: who holds the machine.
import { expect, test } from "vitest";
import { explain } from "../explain.ts";

const report = (headKb: number, rss: number): string =>
  `prog invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), order=0, oom_score_adj=0
CPU: 3 UID: 1000 PID: 8123 Comm: prog Not tainted 6.12.57+deb13-amd64 #1  Debian 6.12.57-1
Call Trace:
 <TASK>
 dump_header+0x43/0x1aa
 </TASK>
Mem-Info:
Unreclaimable slab info:
Name                      Used          Total
skbuff_small_head   ${headKb}KB   ${headKb}KB
kmalloc-512             12KB       20KB
Tasks state (memory values in pages):
[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
[   8123]  1000  8123   351234    ${rss}   900000        0             0 prog
oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=prog,pid=8123,uid=1000
Out of memory: Killed process 8123 (prog) total-vm:1404936kB, anon-rss:80000kB, file-rss:492kB, shmem-rss:0kB, UID:1000 pgtables:878kB oom_score_adj:0
`;

test("who holds most is told of all caches where the totals leave no room for a larger one, else of the rows that are there", async () => {
  const claim = async (totals: string): Promise<string | undefined> => {
    const log = report(40_000, 1).replace("Mem-Info:\n", `Mem-Info:\n${totals}`);
    const [i] = (await explain({ log })).incidents;
    return i?.findings.find((f) => f.id === "oom.slabs")?.claim;
  };
  expect(await claim(" slab_reclaimable:575 slab_unreclaimable:20004\n")).toMatch(/^The kernel printed who holds it/);
  expect(await claim(" slab_reclaimable:575 slab_unreclaimable:20005\n")).toMatch(/^Of the caches whose rows are in/);
  expect(await claim("")).toMatch(/^Of the caches whose rows are in the text/);
});

test.each([
  // A table of 40,020 kB against a largest process of 4 kB pages.
  [40_000, 10_004, "yes"],
  [40_000, 10_005, undefined],
])("%i kB of heads, a process of %i pages: %s", async (kb, rss, answer) => {
  const [i] = (await explain({ log: report(kb, rss) })).incidents;
  const slabs = i?.findings.find((f) => f.id === "oom.slabs");
  expect(slabs?.answer).toBe(answer);
  if (answer === "yes") expect(slabs?.claim).toMatch(/skbuff_small_head 39\.1 MiB \(heads of packets\)/);
  const more = i?.findings.flatMap((f) => f.advice).some((a) => a.action.startsWith("Give the machine more memory"));
  expect(more).toBe(answer === undefined);
});
