// A buffer small enough for one page that still needed a block of several: because its slab is that large and may not be smaller.
import { slubMayFallBack } from "../../kernel/facts/slab.ts";
import { quoteFrames } from "../case.ts";
import { defineQuestions } from "../question.ts";
import { defineRule } from "../rule.ts";
import { machineOf, wantedOf } from "../wanted.ts";
import { orderWords } from "../words.ts";

const { questions, yes } = defineQuestions({
  slab_order: { question: "Is it the slab that needs the block, not the object?", clears: "the slab's own order" },
});

export const slabOrder = defineRule({
  id: "slab_order",
  asks: "Does the slab, and not the object, need a block of several pages?",
  questions,
  kinds: ["alloc_failure", "slab_failure"],
  answer: (c) => {
    const slab = wantedOf(c)?.piece?.slab;
    const machine = machineOf(c);
    if (slab?.kind !== "slab" || machine?.allocator !== "slub" || slab.order === 0 || slab.mayFallBack) return [];
    if (slab.usable > machine.rx.pageSize) return [];
    return [
      yes(
        "slab_order",
        `The object would fit one page: ${slab.bucket} has ${slab.usable} bytes. It is the slab that takes ${orderWords(slab.order, c.pageKb)}, and SLUB of this release asks for that block only.`,
        quoteFrames(c, [c.stack.pathFrame, c.stack.objectFrame]),
        [
          {
            change: { kind: "slub_max_order", order: 0 },
            action: "Let SLUB make slabs of single pages: slub_max_order=0",
            changes: `${slab.bucket} and the other caches of small objects no longer need blocks of several pages`,
            costs: "a reboot; fewer objects a slab, so its lock is taken more often, and some memory is wasted",
            command: "slub_max_order=0 on the kernel command line",
          },
          // This release does not: the one that began to is later.
          ...slubMayFallBack
            .filter((f) => f.value)
            .map(({ since }) => ({
              change: { kind: "release" as const, version: since.join(".") },
              action: `Run ${since.join(".")} or later`,
              changes:
                "SLUB asks for the larger block quietly, and takes the smallest that holds one object when it is refused",
              costs: "an upgrade of the kernel",
            })),
        ],
      ),
    ];
  },
});
