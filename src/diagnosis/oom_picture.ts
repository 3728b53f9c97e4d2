// What filled memory when the OOM killer ran: the totals of the report as parts that do not overlap, and its table of processes.
import type { MemInfo } from "../kernel/readings/mem_info.ts";
import type { OomTask } from "../kernel/readings/oom.ts";
import type { Case } from "./case.ts";
import type { OomPicture, OomProcess } from "./finding.ts";

/**
 * Parts of show_mem's totals (mm/show_mem.c in 6.12; mm/page_alloc.c in 6.1) that count different pages. Pages of shared memory lie on the
 * anonymous lists, kernel stacks and page tables on none; what a release does not print is left out.
 */
const parts: readonly (readonly [what: string, counters: readonly string[], reclaimable: boolean])[] = [
  ["anonymous and shared memory", ["active_anon", "inactive_anon"], false],
  ["file cache", ["active_file", "inactive_file"], true],
  ["unevictable", ["unevictable"], false],
  ["slab, reclaimable", ["slab_reclaimable"], true],
  ["slab, unreclaimable", ["slab_unreclaimable"], false],
  ["page tables", ["pagetables"], false],
  ["free", ["free"], true],
];

/** Huge pages: a line for each node and size, none where the kernel has no such pages or where the lines are lost. */
export const hugePagesAreTold = (m: MemInfo): boolean => m.hugePages.length > 0;

/**
 * Pages of the machine that none of the counters has, nor huge pages, nor what was reserved at boot: drivers and pools take such pages straight
 * from the page allocator, vmalloc and balloons too. Undefined where a counter is missing.
 */
export function uncountedPages(m: MemInfo, pageKb: number): number | undefined {
  let counted = 0;
  for (const name of parts.flatMap(([, counters]) => counters)) {
    const pages = m.totals[name];
    if (pages === undefined) return undefined;
    counted += pages;
  }
  const { "pages RAM": ram, "pages reserved": reserved } = m.tail;
  if (ram === undefined || reserved === undefined) return undefined;
  const huge = m.hugePages.reduce((n, h) => n + (h.total * h.sizeKb) / pageKb, 0);
  return Math.max(0, ram - reserved - huge - counted);
}

/** Undefined when the case is no report of the OOM killer. */
export function oomPicture(c: Case): OomPicture | undefined {
  if (c.incident.kind !== "oom") return undefined;
  const { memInfo, tasks, victim, scope } = c.incident.reading;
  const pageBytes = c.pageKb * 1024;
  const totals = scope === "memcg" ? undefined : memInfo?.totals;
  const known = parts.flatMap(([what, counters, reclaimable]) => {
    const pages = counters.flatMap((name) => totals?.[name] ?? []);
    const bytes = pages.reduce((a, b) => a + b, 0) * pageBytes;
    // A part of which a counter is missing is not drawn smaller than it is.
    return bytes === 0 || pages.length < counters.length ? [] : [{ what, bytes, reclaimable }];
  });
  const ram = scope === "memcg" ? undefined : memInfo?.tail["pages RAM"];
  const totalBytes = ram === undefined ? undefined : ram * pageBytes;
  const rest = totalBytes === undefined ? 0 : totalBytes - known.reduce((n, p) => n + p.bytes, 0);
  const other = { what: "not in these counters", bytes: rest, reclaimable: false };
  return {
    parts: rest > 0 && known.length > 0 ? [...known, other] : known,
    totalBytes: totalBytes ?? null,
    processes: tasks.map((t) => processOf(t, pageBytes, t.pid === victim?.pid)),
  };
}

/** Page tables were a number of tables (nr_ptes) until 4.14 and are bytes since (pgtables_bytes). */
function processOf({ pid, name, columns }: OomTask, pageBytes: number, killed: boolean): OomProcess {
  const inBytes = (pages: number | undefined): number | null => (pages === undefined ? null : pages * pageBytes);
  return {
    pid,
    name,
    rssBytes: inBytes(columns.rss),
    swapBytes: inBytes(columns.swapents),
    pageTablesBytes: columns.pgtables_bytes ?? inBytes(columns.nr_ptes),
    scoreAdj: columns.oom_score_adj ?? null,
    killed,
  };
}
