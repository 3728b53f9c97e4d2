// Prints an OOM report in the form of a given release (mm/oom_kill.c dump_header, oom_kill_process).
import type { Oom } from "../../../kernel/readings/oom.ts";
import { compareVersions } from "../../../kernel/release.ts";
import { printGfp } from "./alloc_failure_print.ts";
import { printTrace } from "./call_trace.ts";
import { printMemInfo, printProtection } from "./mem_info_print.ts";
import { printProcess } from "./process_line.ts";

type Version = readonly number[];
const since = (version: Version, date: Version): boolean => compareVersions(version, date) >= 0;

/** The report as lines, in the order of its release. */
export function printOom(oom: Oom, version: Version, pageKb = 4): string[] {
  return [
    ...printHead(oom, version),
    ...(oom.process === undefined ? [] : printProcess(oom.process, version)),
    ...(oom.trace === undefined ? [] : printTrace(oom.trace)),
    ...printMemcg(oom),
    ...(oom.memInfo === undefined ? [] : printMemInfo(oom.memInfo, version, pageKb)),
    ...printSlabs(oom),
    ...(oom.memInfo === undefined ? [] : printProtection(oom.memInfo)),
    ...printTasks(oom, version),
    ...(oom.summary === undefined
      ? []
      : [
          `oom-kill:${Object.entries(oom.summary)
            .map(([k, v]) => `${k}=${v}`)
            .join(",")}`,
        ]),
    ...(oom.victim === undefined ? [] : [oom.victim.text]),
    ...(oom.outcome === "nothing to kill" || (oom.outcome === "panic" && oom.victim === undefined)
      ? ["Out of memory and no killable processes..."]
      : []),
    ...(oom.panic === undefined ? [] : [oom.panic]),
  ];
}

function printHead(oom: Oom, version: Version): string[] {
  const mask = since(version, [4, 6]) ? printGfp(oom.gfp, version) : `0x${(oom.gfp?.mask ?? 0).toString(16)}`;
  // 4.14 has two blanks behind the nodemask, 4.19 one.
  const blanks = since(version, [4, 19]) ? " " : "  ";
  const named = since(version, [4, 11]) && !since(version, [5, 0]);
  const nodemask = named ? `, nodemask=${oom.nodemask ?? "(null)"},${blanks}` : ", ";
  const adj = since(version, [2, 6, 36]) ? "oom_score_adj" : since(version, [2, 6, 31]) ? "oom_adj" : "oomkilladj";
  const lines = [
    `${oom.comm ?? ""} invoked oom-killer: gfp_mask=${mask}${nodemask}order=${oom.order ?? 0}, ${adj}=${oom.scoreAdj ?? 0}`,
  ];
  if (oom.cpuset !== undefined && !since(version, [5, 0])) {
    lines.push(`${oom.comm ?? ""} cpuset=${oom.cpuset} mems_allowed=${oom.memsAllowed ?? ""}`);
  }
  return lines;
}

function printMemcg(oom: Oom): string[] {
  const { memcg } = oom;
  if (memcg === undefined) return [];
  const task =
    memcg.task === undefined || oom.summary !== undefined
      ? []
      : [`Task in ${memcg.task} killed as a result of limit of ${memcg.limitOf ?? ""}`];
  const usage = memcg.usage.map((u) => `${u.what}: usage ${u.usageKb}kB, limit ${u.limitKb}kB, failcnt ${u.failcnt}`);
  const stats =
    memcg.stats === undefined
      ? []
      : [
          `Memory cgroup stats for ${memcg.limitOf ?? ""}:${Object.entries(memcg.stats)
            .map(([k, v]) => ` ${k}:${v}KB`)
            .join("")}`,
        ];
  const bytes = Object.entries(memcg.statBytes ?? {}).map(([name, value]) => `${name} ${value}`);
  const lines = bytes.length === 0 ? [] : [`Memory cgroup stats for ${memcg.limitOf ?? ""}:`, ...bytes];
  return [...task, ...usage, ...stats, ...lines];
}

function printSlabs(oom: Oom): string[] {
  if (oom.slabs === undefined) return [];
  return [
    "Unreclaimable slab info:",
    "Name                      Used          Total",
    ...oom.slabs.map((s) => `${s.name.padEnd(17)} ${`${s.usedKb}`.padStart(10)}KB ${`${s.totalKb}`.padStart(10)}KB`),
  ];
}

/** Width of each column by its name; pid stands in brackets. */
const widths: Readonly<Record<string, number>> = {
  uid: 5,
  tgid: 5,
  total_vm: 8,
  rss: 8,
  rss_anon: 8,
  rss_file: 8,
  rss_shmem: 9,
  nr_ptes: 7,
  nr_pmds: 7,
  pgtables_bytes: 8,
  swapents: 8,
  cpu: 3,
  oom_adj: 7,
  oom_score_adj: 13,
};

function printTasks(oom: Oom, version: Version): string[] {
  const columns = oom.taskColumns;
  if (columns === undefined) return [];
  const modern = since(version, [4, 19]);
  const middle = columns.slice(1, -1);
  // Newer kernels split rss into rss_anon, rss_file and rss_shmem (reports of 6.12.117 and 7.2.12): the reading knows its columns.
  const head = modern
    ? `[  pid  ] ${middle.map((c) => c.padStart(widths[c] ?? 8)).join(" ")} name`
    : `[ pid ]   uid  tgid total_vm      rss ${middle.slice(4).join(" ")} name`;
  const row = (pid: number, values: readonly (number | undefined)[], name: string): string => {
    const cells = middle.map((c, i) => String(values[i] ?? 0).padStart(widths[c] ?? 8));
    return `[${String(pid).padStart(modern ? 7 : 5)}] ${cells.join(" ")} ${name}`;
  };
  return [
    ...(modern ? ["Tasks state (memory values in pages):"] : []),
    head,
    ...oom.tasks.map((t) =>
      row(
        t.pid,
        middle.map((c) => t.columns[c]),
        t.name,
      ),
    ),
  ];
}
