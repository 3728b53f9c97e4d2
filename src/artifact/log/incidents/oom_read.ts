// Reads the OOM killer's report, of the machine and of a memory cgroup, from 2.6.9's line to today's.
import type { CallTrace } from "../../../kernel/readings/call_trace.ts";
import type { Incident } from "../../../kernel/readings/incident.ts";
import type { Memcg, Oom, OomTask, OomVictim } from "../../../kernel/readings/oom.ts";
import { gfpText } from "./alloc_failure_read.ts";
import type { OwnAnswer } from "./body.ts";
import { BodyReader } from "./body.ts";
import type { Stretch } from "./builder.ts";
import { decimal, field, ReportBuilder, textOf } from "./builder.ts";

const headLine =
  /^(?:(?:(.*?) )?invoked )?oom-killer:(?: gfp_mask=0x([0-9a-f]{1,8})(?:\(([^)]*)\))?)?(?:, nodemask=(\([^)]*\)|\d[\d-]*(?:,\d[\d-]*)*|))?(?:, {1,2}order=(-?\d{1,2}(?=\D|$)))?(?:, oom(?:killadj|_adj|_score_adj)=(-?\d+))?/;
const cpusetLine = /^(.{0,80}?) ?cpuset=(\S+) mems_allowed=([\d,-]+)\s*$/;
const killLine =
  /(?:(Out of [Mm]emory|Memory cgroup out of memory)[^:]{0,80}: )?(Kill|Killed|kill) process (\d{1,10})(?:,? UID \d{1,10},)?,? \(([^)]{0,64})\)(.{0,1000})/;
const usageLine = /^(memory|swap|memory\+swap|kmem): usage (\d+)kB, limit (\d+)kB, failcnt (\d+)/;
const tasksHead = /^\[ *pid *\] +uid +tgid .*name\s*$/;
const taskLine = /^\[ *(\d+) *\] +(\S.*)$/;

/** A line of the state of memory, or what one begins with (lib/show_mem.c and mm/page_alloc.c show_free_areas() in 6.1, mm/show_mem.c in 6.12). */
const memoryLine =
  /^(?:Mem-Info:|active_anon:|Node \d{1,4} |lowmem_reserve\[\]|(?:DMA|DMA32|Normal|HighMem|Movable)[: ]|\d{1,12} (?:total pagecache pages|pages RAM)|(?:Free|Total) swap )/;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Reads the report that begins at `index`; without its first line, `found` is the line that told it. */
export function readOom(
  stretch: Stretch,
  index: number,
  found?: number,
): { readonly incident: Incident; readonly next: number } {
  const report = new ReportBuilder(stretch);
  const line = stretch.lines[index];
  const oom = new OomBuilder();
  const text = line === undefined ? "" : textOf(line);
  if (found === undefined) {
    report.take(index, "headline");
    oom.takeHead(text);
  } else report.missing.push("headline");
  const body = new BodyReader(stretch, report, (t, at): OwnAnswer => {
    if (oom.over || oom.isAnothers(t)) return "end";
    const part = oom.take(t);
    if (part === undefined) return "left";
    report.take(at, part);
    return "taken";
  }).read(found === undefined ? index + 1 : index);
  if (found !== undefined) report.alsoCarries(found, "headline");
  const told = oom.finish();
  const reading: Oom = {
    ...told,
    scope: told.scope === "unknown" ? callerOf(body.trace, told.cpuset) : told.scope,
    ...field("process", body.process),
    ...field("trace", body.trace),
    ...field("memInfo", body.memInfo),
  };
  if (reading.gfp === undefined) report.missing.push("gfp mask");
  if (reading.memInfo === undefined && reading.scope !== "memcg") report.missing.push("mem_info");
  if (reading.victim === undefined && reading.outcome === "unknown") report.missing.push("victim");
  return { incident: report.finish("oom", reading), next: index + 1 };
}

/**
 * Who called the killer: a cgroup at its limit has functions of its own, which call it for nothing else (mm/memcontrol.c of 5.10, 6.1 and 7.3).
 * The page allocator itself calls it for the machine; of a task in a cpuset of its own it may have been that set's memory alone.
 */
function callerOf(trace: CallTrace | undefined, cpuset: string | undefined): Oom["scope"] {
  const names = (trace?.items ?? []).flatMap((i) =>
    i.kind === "frame" && i.reliable ? [i.function, i.from?.function ?? ""] : [],
  );
  const isCgroups = (n: string): boolean => /^mem_cgroup_(?:out_of_memory|oom_synchronize|handle_oom)(?:\.|$)/.test(n);
  const killer = names.findIndex((n) => /^out_of_memory(?:\.|$)/.test(n));
  const behind = names.slice(killer + 1, killer + 4);
  if ((killer < 0 ? names : behind).some(isCgroups)) return "memcg";
  return killer >= 0 && (cpuset ?? "/") === "/" && behind.some((n) => /^__alloc_(?:frozen_)?pages/.test(n))
    ? "machine"
    : "unknown";
}

class OomBuilder {
  private readonly oom: Mutable<Oom> = { tasks: [], scope: "unknown", outcome: "unknown" };
  private readonly tasks: OomTask[] = [];
  private readonly usage: Memcg["usage"][number][] = [];
  private memcg: Mutable<Memcg> | undefined;
  private slabs: { name: string; usedKb: number; totalKb: number }[] | undefined;
  private columns: string[] | undefined;
  /** The lines of a cgroup's memory.stat stand here. */
  private inStats = false;
  /** The killer said what it did: what follows (reaper, the next report) is another matter. */
  over = false;

  takeHead(text: string): void {
    const m = headLine.exec(text);
    if (m !== null && text.includes("oom-killer:")) {
      Object.assign(this.oom, {
        ...field("comm", m[1]),
        ...field("gfp", gfpText(m[2], m[3])),
        ...field("nodemask", m[4] === "" ? undefined : m[4]),
        ...field("order", decimal(m[5])),
        ...field("scoreAdj", decimal(m[6])),
      });
    } else if (this.takeEnd(text) === undefined && this.takeSummary(text) === undefined) this.takeKill(text);
  }

  /** The tables come last: no stack and no other state of memory of this report stands behind them. */
  isAnothers(text: string): boolean {
    // The summary comes last, behind the memory and the tasks (mm/oom_kill.c: dump_header() of 5.10 and 6.1, dump_oom_victim() called behind
    // it in 6.12): only the kill follows.
    if (this.oom.summary !== undefined && this.oom.panic === undefined && memoryLine.test(text)) return true;
    if (this.slabs === undefined && this.tasks.length === 0) return false;
    return /^(?:Call [Tt]race:|Mem-[Ii]nfo:)/.test(text) && this.oom.panic === undefined;
  }

  take(text: string): string | undefined {
    return (
      this.takeCpuset(text) ??
      this.takeTable(text) ??
      this.takeSummary(text) ??
      this.takeKill(text) ??
      this.takeEnd(text) ??
      this.takeMemcg(text)
    );
  }

  private takeCpuset(text: string): string | undefined {
    const m = text.includes("cpuset=") && !text.startsWith("oom-kill:") ? cpusetLine.exec(text) : null;
    if (m?.[2] === undefined || m[3] === undefined) return undefined;
    this.oom.cpuset = m[2];
    this.oom.memsAllowed = m[3];
    return "cpuset";
  }

  private takeTable(text: string): string | undefined {
    if (/^Tasks state \(memory values in pages\):/.test(text)) return "tasks";
    if (tasksHead.test(text)) {
      this.columns = text.replace(/[[\]]/g, " ").trim().split(/\s+/);
      return "tasks";
    }
    const task = this.columns === undefined ? null : taskLine.exec(text);
    if (task?.[1] !== undefined && task[2] !== undefined) return this.takeTask(Number(task[1]), task[2]);
    if (/^Unreclaimable slab info:/.test(text)) {
      this.slabs = [];
      return "slabs";
    }
    if (this.slabs === undefined) return undefined;
    const slab = /^(\S+) +(\d+)KB +(\d+)KB\s*$/.exec(text);
    if (slab?.[1] !== undefined) {
      this.slabs.push({ name: slab[1], usedKb: Number(slab[2]), totalKb: Number(slab[3]) });
      return "slabs";
    }
    return /^Name +Used +Total/.test(text) ? "slabs" : undefined;
  }

  private takeTask(pid: number, rest: string): string {
    // All columns but the last are numbers; a name may hold blanks.
    const columns: Record<string, number> = {};
    let text = rest;
    for (const name of (this.columns ?? []).slice(1, -1)) {
      const m = /^(-?\d{1,15})\s*/.exec(text);
      if (m?.[1] === undefined) break;
      columns[name] = Number(m[1]);
      text = text.slice(m[0].length);
    }
    this.tasks.push({ pid, columns, name: text.trimEnd() });
    return "tasks";
  }

  private takeSummary(text: string): string | undefined {
    if (!text.startsWith("oom-kill:")) return undefined;
    const summary: Record<string, string> = {};
    // A nodemask holds commas itself: a key begins after a comma and ends before =.
    for (const m of text.slice(9).matchAll(/(?:^|,)([a-z_]+)=((?:(?!,[a-z_]+=).)*)/g)) {
      if (m[1] !== undefined) summary[m[1]] = m[2] ?? "";
    }
    // The user's number ends the line (5.0 and later); what ends a line that is cut may lack its end.
    const last = Object.keys(summary).at(-1);
    if (last !== undefined && last !== "uid") delete summary[last];
    if (summary.uid === "") delete summary.uid;
    this.oom.summary = summary;
    const scopes: Readonly<Record<string, Oom["scope"]>> = {
      CONSTRAINT_NONE: "machine",
      CONSTRAINT_MEMCG: "memcg",
      CONSTRAINT_CPUSET: "cpuset",
      CONSTRAINT_MEMORY_POLICY: "cpuset",
    };
    this.oom.scope = scopes[summary.constraint ?? ""] ?? "unknown";
    if (summary.oom_memcg !== undefined) {
      this.memcg = {
        usage: this.usage,
        ...this.memcg,
        limitOf: summary.oom_memcg,
        ...field("task", summary.task_memcg),
      };
    }
    return "summary";
  }

  private takeKill(text: string): string | undefined {
    const m = /[Kk]ill(?:ed)? process /.test(text) ? killLine.exec(text) : null;
    if (m?.[3] === undefined || m[4] === undefined) return undefined;
    const kb: Record<string, number> = {};
    for (const size of (m[5] ?? "").matchAll(/([a-z-]{2,20}):(\d{1,15})kB/g))
      if (size[1] !== undefined) kb[size[1]] = Number(size[2]);
    const victim: OomVictim = { pid: Number(m[3]), comm: m[4], kb, text: text.trim() };
    if (m[1]?.startsWith("Memory cgroup")) this.oom.scope = "memcg";
    else if (m[1] !== undefined && this.oom.scope === "unknown") this.oom.scope = "machine";
    this.oom.victim = victim;
    this.oom.outcome = "killed";
    // Until 5.0 `Kill process … or sacrifice child` comes first and the sizes follow.
    if (m[2] === "Killed") this.over = true;
    return "victim";
  }

  private takeEnd(text: string): string | undefined {
    if (/^Out of memory and no killable processes/.test(text)) {
      this.oom.outcome = "nothing to kill";
      if (this.oom.scope === "unknown") this.oom.scope = "machine";
      return "victim";
    }
    if (!/^Kernel panic - not syncing: .*(?:[Mm]emory)/.test(text)) return undefined;
    this.oom.panic = text.trim();
    this.oom.outcome = "panic";
    if (this.oom.scope === "unknown") this.oom.scope = "machine";
    // Its own process line and stack follow: they are the report's where it has none yet, as on a console that lost the rest.
    return "panic";
  }

  private takeMemcg(text: string): string | undefined {
    const counter = this.inStats ? /^([a-z][a-z_0-9]{2,39}) (\d{1,18})\s*$/.exec(text) : null;
    if (counter?.[1] !== undefined && this.memcg !== undefined) {
      this.memcg.statBytes = { ...this.memcg.statBytes, [counter[1]]: Number(counter[2]) };
      return "memcg_stats";
    }
    this.inStats = false;
    const task = /^Task in (\S+) killed as a result of limit of (\S+)/.exec(text);
    const usage = usageLine.exec(text);
    const stats = /^Memory cgroup stats(?: for (\S{0,400}?))?:(.*)$/.exec(text);
    const reached = /^Memory limit reached of cgroup (\S+)/.exec(text);
    if (task === null && usage === null && stats === null && reached === null) return undefined;
    this.memcg ??= { usage: this.usage };
    this.oom.scope = "memcg";
    if (task !== null) Object.assign(this.memcg, { ...field("task", task[1]), ...field("limitOf", task[2]) });
    if (reached !== null) Object.assign(this.memcg, field("limitOf", reached[1]));
    if (usage !== null) {
      const [usageKb, limitKb, failcnt] = usage.slice(2, 5).map(Number) as [number, number, number];
      this.usage.push({ what: usage[1] ?? "memory", usageKb, limitKb, failcnt });
    }
    if (stats !== null && stats[2]?.trim() === "") this.inStats = true;
    else if (stats !== null) {
      const counters: Record<string, number> = { ...this.memcg.stats };
      for (const m of (stats[2] ?? "").matchAll(/([a-z_]{2,40}):(\d{1,15})KB/g))
        if (m[1] !== undefined) counters[m[1]] = Number(m[2]);
      this.memcg.stats = counters;
    }
    return "memcg";
  }

  finish(): Oom {
    return {
      ...this.oom,
      tasks: this.tasks,
      ...field("taskColumns", this.columns),
      ...field("slabs", this.slabs),
      ...field("memcg", this.memcg),
    };
  }
}
