// The OOM report's own table of unreclaimable slab (mm/slab_common.c dump_unreclaimable_slab(), 4.15 and later): which cache holds it.
import type { Oom } from "../../kernel/readings/oom.ts";
import { slabRowsPart } from "../../kernel/readings/oom.ts";
import { nothingMissing } from "../../kernel/readings/part.ts";
import { defineQuestions } from "../question.ts";
import { defineRule } from "../rule.ts";
import { listing, size } from "../words.ts";
import { linesWith } from "./lines.ts";

const { questions, yes } = defineQuestions({
  "oom.slabs": { question: "Which cache holds it?", open: true },
});

/** What objects of a cache are, where they have to do with packets. */
const meanings: readonly (readonly [cache: RegExp, what: string])[] = [
  [/^skbuff_(?:head_cache|fclone_cache|small_head|ext_cache)/, "heads of packets"],
  [/^(?:TCP|UDP|sock_inode_cache|request_sock_TCP|tw_sock_TCP|RAW|UNIX)/, "sockets"],
  [/^(?:nf_conntrack|ip_dst_cache|rt6|arp_cache|fib|xfrm)/, "state of connections and routes"],
];

/** Kilobytes of the table's largest rows when the kernel itself is the one who holds the machine; undefined when it is not. */
export function kernelHolds(
  o: Oom,
  pageKb: number,
): readonly { readonly name: string; readonly totalKb: number }[] | undefined {
  const rows = [...(o.slabs ?? [])].sort((a, b) => b.totalKb - a.totalKb);
  const totalKb = rows.reduce((n, r) => n + r.totalKb, 0);
  const largest = Math.max(0, ...o.tasks.flatMap((t) => (t.columns.rss === undefined ? [] : [t.columns.rss * pageKb])));
  // The kernel prints the table only when slab holds more than all of user memory does.
  if (rows.length === 0 || totalKb < 1024 || totalKb <= largest) return undefined;
  return rows.slice(0, 3).filter((r) => r.totalKb * 20 >= totalKb);
}

export const oomSlabs = defineRule({
  id: "oom.slabs",
  asks: "Which cache of the kernel holds the memory?",
  questions,
  kinds: ["oom"],
  answer: (c) => {
    if (c.incident.kind !== "oom") return [];
    const rows = kernelHolds(c.incident.reading, c.pageKb);
    if (rows === undefined) return [];
    const said = rows.map((r) => {
      const what = meanings.find(([form]) => form.test(r.name))?.[1];
      return `${r.name} ${size(r.totalKb * 1024)}${what === undefined ? "" : ` (${what})`}`;
    });
    const all = nothingMissing(slabRowsPart(c.incident.reading, c.pageKb)) !== undefined;
    const holders = all
      ? "The kernel printed who holds it"
      : "Of the caches whose rows are in the text these hold most";
    const packets = rows.some((r) => r.name.startsWith("skbuff"));
    const lines = linesWith(c, "slabs", (text) => rows.some((r) => text.split(/\s+/).includes(r.name)));
    return [
      yes(
        "oom.slabs",
        `${holders}: ${listing(said)}.${packets ? " Packets that nobody reads or frees: unread sockets, a queue without a bound, or a driver that does not free them." : ""}`,
        lines,
        [
          packets
            ? {
                change: { kind: "evidence" },
                action: "See which sockets sit on unread data, then which interface's packets are never freed",
                changes: "tells a slow reader from a leak",
                costs: "nothing",
                command: "ss -tumpn | awk '$2 > 0'; cat /proc/net/sockstat; grep skbuff /proc/slabinfo",
              }
            : {
                change: { kind: "code" },
                action: `Find who allocates from ${rows[0]?.name} and does not free`,
                changes: "the memory comes back",
                costs: "work in the source",
                command: `cat /sys/kernel/debug/slab/${rows[0]?.name.replace(/[^\w-]/g, "")}/alloc_traces   # slub_debug=U at boot`,
              },
        ],
      ),
    ];
  },
});
