// page_pool counters in `ethtool -S`: page_pool_ethtool_stats_get_strings() (5.18 and newer), and drivers that put the queue into the name.
import type { Counted, CounterSnapshot, PoolCounter } from "./shape.ts";

const names: Readonly<Record<string, PoolCounter>> = {
  alloc_fast: "alloc-fast",
  alloc_slow: "alloc-slow",
  alloc_slow_ho: "alloc-slow-high-order",
  alloc_slow_high_order: "alloc-slow-high-order",
  alloc_empty: "alloc-empty",
  alloc_refill: "alloc-refill",
  alloc_waive: "alloc-waive",
  recycle_cached: "recycle-cached",
  recycle_cache_full: "recycle-cache-full",
  recycle_ring: "recycle-ring",
  recycle_ring_full: "recycle-ring-full",
  recycle_released_ref: "recycle-released-refcnt",
  recycle_released_refcnt: "recycle-released-refcnt",
};

const row = /^\s*([\w.[\]-]{0,64}?)_?pp_((?:alloc|recycle)_\w{1,64})\s*:\s*(\d+)\s*$/;

/** Snapshots in the order of the text: `NIC statistics:` or a name that comes again begins the next one. */
export function readEthtool(input: string, lines: readonly string[], notes: string[]): CounterSnapshot[] {
  const found: { name: string; moment: number; line: number; counters: Partial<Record<PoolCounter, Counted>> }[] = [];
  const open = new Map<string, (typeof found)[number]>();
  const moments = new Map<string, number>();
  lines.forEach((text, i) => {
    if (/^\s*NIC statistics:/.test(text)) open.clear();
    const match = row.exec(text);
    if (match === null) return;
    const [, prefix = "", stat = "", digits = ""] = match;
    const counter = names[stat];
    const name = prefix === "" ? "rx" : prefix;
    if (counter === undefined) {
      notes.push(`${input}:${i + 1}: "${stat}" is not a page_pool counter that skblab knows.`);
      return;
    }
    let snapshot = open.get(name);
    if (snapshot === undefined || snapshot.counters[counter] !== undefined) {
      const moment = moments.get(name) ?? 0;
      moments.set(name, moment + 1);
      snapshot = { name, moment, line: i + 1, counters: {} };
      open.set(name, snapshot);
      found.push(snapshot);
    }
    snapshot.counters[counter] = { value: Number(digits), line: i + 1 };
  });
  return found.map((s) => ({ input, ...s }));
}

/** What `ethtool -S` prints of one snapshot: the names of page_pool_ethtool_stats_get_strings(), right-aligned as ethtool does with five spaces. */
export function printEthtool(name: string, counters: Readonly<Partial<Record<PoolCounter, number>>>): string {
  const printed = new Map<PoolCounter, string>();
  for (const [text, counter] of Object.entries(names)) if (!printed.has(counter)) printed.set(counter, text);
  const rows = [...printed].flatMap(([counter, text]) => {
    const value = counters[counter];
    return value === undefined ? [] : [`     ${name}_pp_${text}: ${value}\n`];
  });
  return `NIC statistics:\n${rows.join("")}`;
}
