// How much memory one cache holds: SLUB's and SLAB's node lines count slabs and objects, and nobody multiplies them.

import type { Part } from "../../kernel/readings/part.ts";
import { cut, every, isKnown, seenOf, whole } from "../../kernel/readings/part.ts";
import type { SlabFailure } from "../../kernel/readings/slab_failure.ts";
import { slabNodesPart } from "../../kernel/readings/slab_failure.ts";
import type { Case } from "../case.ts";
import { quote } from "../case.ts";
import { defineQuestions } from "../question.ts";
import { defineRule } from "../rule.ts";
import { size } from "../words.ts";

const { questions, yes } = defineQuestions({
  slab_holds: { question: "Does one cache hold the machine's memory?" },
});

/** From here on it is worth a word whatever the machine has. */
const muchKb = 1 << 20;

/** kB that a cache holds at least, or undefined where the lines do not tell. */
export function heldKb(s: SlabFailure, pageKb: number): number | undefined {
  if (s.nodes.length === 0) return undefined;
  const slabs = s.nodes.reduce((n, node) => n + (node.slabsTotal ?? node.slabs), 0);
  const objects = s.nodes.reduce((n, node) => n + (node.objectsTotal ?? node.objects), 0);
  // Slabs of SLUB may be of any order from the smallest on: with the smallest the product is a lower bound.
  const order = s.allocator === "SLAB" ? s.order : s.minOrder;
  const bySlabs = order === undefined ? undefined : slabs * pageKb * 2 ** order;
  const byObjects = s.bufferSize === undefined ? undefined : (objects * s.bufferSize) / 1024;
  const known = [bySlabs, byObjects].filter((n) => n !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

/** True when the cache itself is the trouble: a GiB, or a tenth of the machine. */
export function holdsMuch(c: Case): boolean {
  const kb = c.slab === undefined ? undefined : heldKb(c.slab, c.pageKb);
  if (kb === undefined) return false;
  const pages = c.memInfo?.tail["pages RAM"];
  const ram = c.around.memTotalKb?.value ?? (pages === undefined ? undefined : pages * c.pageKb);
  return kb >= muchKb || isKnown(ram, (n) => n > 0 && kb * 10 >= n);
}

/** The machine's nodes, as far as its zones are there. */
function nodesOf(c: Case): Part<readonly number[]> {
  const nodes = [...new Set((seenOf(c.zones) ?? []).map((z) => z.node))];
  return c.zones.state === "whole" ? whole(nodes, c.zones.because) : cut(nodes, "the zones of Mem-Info");
}

export const slabHolds = defineRule({
  id: "slab_holds",
  asks: "How much memory does the cache hold that could not grow?",
  questions,
  kinds: ["alloc_failure", "slab_failure"],
  answer: (c) => {
    if (c.slab === undefined || !holdsMuch(c)) return [];
    const kb = heldKb(c.slab, c.pageKb) as number;
    const isFull = (n: SlabFailure["nodes"][number]): boolean =>
      n.free === 0 || (n.objectsTotal !== undefined && n.objects === n.objectsTotal);
    const full =
      every(slabNodesPart(c.slab, nodesOf(c)), isFull) !== undefined
        ? ", and not one of its objects is free"
        : c.slab.nodes.every(isFull)
          ? ", and not one of its objects is free on the nodes that the text has"
          : "";
    const lines = [...quote(c, "slab", 20), ...quote(c, "headline")].filter((q) => /slabs:|cache:/.test(q.text));
    return [
      yes(
        "slab_holds",
        `The cache ${c.slab.cache ?? "itself"} holds at least ${size(kb * 1024)}${full}: it grows and gives nothing back, however much memory was free this time.`,
        lines,
        [
          {
            change: { kind: "code" },
            action: `Find who allocates from ${c.slab.cache ?? "the cache"} and does not free`,
            changes: "the memory comes back",
            costs: "work in the source; slab debugging names the callers",
            command: `cat /sys/kernel/debug/slab/${c.slab.cache?.replace(/[^\w-]/g, "") ?? "CACHE"}/alloc_traces   # slub_debug=U at boot`,
          },
        ],
      ),
    ];
  },
});
