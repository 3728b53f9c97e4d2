// page_pool tracepoints in ftrace text (include/trace/events/page_pool.h): hold, release, and the end of a pool.
import type { TracedPage, TracedPool } from "./shape.ts";

const line =
  /^\s*(\S.{0,40}?)-(\d{1,10})\s{1,20}(?:\(\s*[\w-]+\)\s+)?\[(\d+)\]\s+(?:\S+\s+)?(\d+\.\d+): page_pool_(state_hold|state_release|release): (.*)$/;

interface Open {
  readonly pool: string;
  holds: number;
  releases: number;
  unknownReleases: number;
  readonly out: Map<number, TracedPage>;
  readonly firstLine: number;
  lastLine: number;
  ended?: { readonly inflight: number; readonly line: number };
}

/** The pools of a trace. Where pointers are hidden ("____ptrval____", "0000000000000000") all events count as one pool. */
export function readTrace(input: string, lines: readonly string[], notes: string[]): TracedPool[] {
  const pools = new Map<string, Open>();
  lines.forEach((text, i) => {
    if (!text.includes("page_pool_")) return;
    const match = line.exec(text);
    if (match === null) {
      if (/: page_pool_(state_hold|state_release|release):/.test(text))
        notes.push(`${input}:${i + 1}: this page_pool event has a form that skblab does not know.`);
      return;
    }
    const [, task = "", pid = "", , seconds = "", event = "", rest = ""] = match;
    const fields = new Map([...rest.matchAll(/(\w{1,32})=(\S+)/g)].map((m) => [m[1] as string, m[2] as string]));
    const pointer = fields.get("page_pool") ?? "";
    const name = /ptrval|^\(?0+\)?$/.test(pointer) || pointer === "" ? "one pool" : pointer.replace(/[()]/g, "");
    let pool = pools.get(name);
    if (pool === undefined) {
      pool = {
        pool: name,
        holds: 0,
        releases: 0,
        unknownReleases: 0,
        out: new Map(),
        firstLine: i + 1,
        lastLine: i + 1,
      };
      pools.set(name, pool);
    }
    pool.lastLine = i + 1;
    const pfn = Number(fields.get("pfn") ?? Number.NaN);
    if (event === "state_hold") {
      pool.holds++;
      pool.out.set(pfn, { pfn, line: i + 1, seconds: Number(seconds), task: `${task.trim()}-${pid}` });
    } else if (event === "state_release") {
      pool.releases++;
      if (!pool.out.delete(pfn)) pool.unknownReleases++;
    } else pool.ended = { inflight: Number(fields.get("inflight")), line: i + 1 };
  });
  return [...pools.values()].map((p) => ({ input, ...p, out: [...p.out.values()] }));
}
