// page_pool counters in `ethtool -S`: page_pool_ethtool_stats_get_strings() (5.18 and newer), and drivers that put the queue into the name.
import { type PoolCounter, poolCounterNamed, poolCounterRows } from "../../kernel/facts/pool_counters.ts";
import type { Counted, CounterSnapshot } from "./shape.ts";

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
    const counter = poolCounterNamed(stat);
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
  const rows = poolCounterRows.flatMap(({ netlink, ethtool }) => {
    const value = counters[netlink];
    return value === undefined ? [] : [`     ${name}_pp_${ethtool}: ${value}\n`];
  });
  return `NIC statistics:\n${rows.join("")}`;
}
