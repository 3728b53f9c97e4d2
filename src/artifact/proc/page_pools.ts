// `ynl --family netdev --dump page-pool-get --output-json`, and page-pool-stats-get: one list on one line (tools/net/ynl/pyynl/cli.py, output()).

import { poolCounters } from "../../kernel/facts/pool_counters.ts";
import type { Json, PagePools } from "../../kernel/readings/page_pools.ts";
import { readNetlink } from "../page_pool/netlink.ts";
import type { TextReader } from "../reader.ts";

export const pagePools: TextReader<PagePools> = {
  kind: "page pools",
  title: "ynl page-pool-get or page-pool-stats-get",
  starts: (text) =>
    /^\[\{"/.test(text) &&
    /"(?:inflight(?:-mem)?|napi-id|detach-time|alloc-fast|alloc-slow)":/.test(text) &&
    parsed(text) !== undefined,
  continues: () => false,
  read([source]) {
    const { line, text } = source!;
    const { states, counters } = readNetlink("", [text], []);
    const pools: PagePools["pools"][number][] = states.map(({ id, ifindex, inflight }) => ({
      id,
      ...(ifindex === undefined ? {} : { ifindex }),
      ...(inflight === undefined ? {} : { inflight }),
      counters: [],
    }));
    for (const { name, counters: own } of counters) {
      const id = /^pool (\d+)$/.exec(name)?.[1];
      if (id !== undefined)
        pools.push({
          id: Number(id),
          counters: poolCounters.flatMap((c) => (own[c] === undefined ? [] : [[c, own[c].value] as const])),
        });
    }
    const answer = parsed(text) ?? [];
    const notes =
      pools.length === answer.length
        ? []
        : [
            {
              line,
              sentence: `Line ${line} has ${answer.length} answers, of which ${pools.length} describe a page pool.`,
            },
          ];
    return { reading: { kind: "page pools", answer, pools }, notes };
  },
  print: ({ answer }) => `${asPython(answer)}\n`,
};

function parsed(text: string): readonly Json[] | undefined {
  try {
    const value: Json = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** As Python's json.dumps() spaces it. */
function asPython(value: Json): string {
  if (Array.isArray(value)) return `[${value.map((v: Json) => asPython(v)).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, v]) => `${JSON.stringify(key)}: ${asPython(v)}`)
    .join(", ")}}`;
}
