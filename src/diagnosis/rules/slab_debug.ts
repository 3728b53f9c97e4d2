// SLUB says itself that debugging made its objects so large that a slab needs a block of more pages (mm/slub.c slab_out_of_memory()).
import { atLeast } from "../../kernel/release.ts";
import { quote } from "../case.ts";
import { defineQuestions } from "../question.ts";
import { defineRule } from "../rule.ts";
import { orderWords } from "../words.ts";

const { questions, yes } = defineQuestions({
  "slab_debug.raised_order": { question: "Did slab debugging raise the order?", clears: "slab debugging" },
});

export const slabDebug = defineRule({
  id: "slab_debug",
  asks: "Did slab debugging raise the order that was asked for?",
  questions,
  kinds: ["alloc_failure", "slab_failure"],
  answer: (c) => {
    if (c.slab?.debuggingRaisedOrder !== true) return [];
    const { objectSize, bufferSize, minOrder } = c.slab;
    const lines = [...quote(c, "slab", 8), ...quote(c, "headline")].filter((q) => /debugging|object size/.test(q.text));
    const pageBytes = c.pageKb * 1024;
    const bare = objectSize === undefined ? undefined : Math.max(0, Math.ceil(Math.log2(objectSize / pageBytes)));
    const takes =
      objectSize === undefined || bufferSize === undefined
        ? "each object takes more than its own size"
        : `each object of ${objectSize} bytes takes ${bufferSize}`;
    const orders =
      minOrder === undefined
        ? ""
        : ` The smallest slab is of ${orderWords(minOrder, c.pageKb)}${bare === undefined || bare >= minOrder ? "" : `; without debugging ${orderWords(bare, c.pageKb)} would hold one`}.`;
    // 6.9 renamed the parameter; the line names the word of its kernel.
    const printed = /sl[au]b_debug=O/.exec(lines.map((q) => q.text).join(" "))?.[0];
    const word = printed ?? (atLeast(c.release, [6, 9]) ? "slab_debug=O" : "slub_debug=O");
    return [
      yes("slab_debug.raised_order", `Slab debugging raised the order: ${takes}.${orders}`, lines, [
        {
          change: { kind: "code" },
          action: `Boot with ${word}, which leaves debugging off where it raises the order, or without slab debugging`,
          changes: "the request is of the smaller order again",
          costs: "a reboot; these caches are no longer checked",
          command: `${word} on the kernel command line`,
        },
      ]),
    ];
  },
});
