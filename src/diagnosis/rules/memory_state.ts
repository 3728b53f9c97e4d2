// A state of memory that belongs to no report: how each zone stands to its marks, and the largest block it could give.
import type { MemZone } from "../../kernel/readings/mem_info.ts";
import { quote } from "../case.ts";
import { defineQuestions } from "../question.ts";
import { defineRule } from "../rule.ts";
import { size } from "../words.ts";

const { questions, answering } = defineQuestions({
  "state.zone.": {},
});

export const memoryState = defineRule({
  id: "state",
  asks: "How do the zones stand to their marks, and how large is the largest free block?",
  questions,
  kinds: ["mem_info"],
  answer: (c) =>
    (c.memInfo?.zones ?? []).map((z) => {
      const { free, min, low, high } = z.kb;
      const at = `${z.node}:${z.name}`;
      const kb = (n: number | undefined): string =>
        n === undefined ? "an amount that is not in the text" : size(n * 1024);
      const amount = free === undefined ? "The text does not say how much is free" : `${kb(free)} free`;
      const mark =
        free === undefined || min === undefined
          ? free !== undefined
            ? "its marks are not in the text"
            : min === undefined
              ? "nor what its marks are"
              : "so it is not compared with its marks"
          : free < min
            ? `below its min mark of ${kb(min)}: only requests with access to the reserve succeed`
            : free < (low ?? min)
              ? `between min (${kb(min)}) and low (${kb(low)}): kswapd is at work`
              : free < (high ?? min)
                ? `between low (${kb(low)}) and high (${kb(high)})`
                : `above its high mark of ${kb(high)}`;
      return answering(free === undefined || min === undefined ? "unknown" : free < min ? "no" : "yes")(
        `state.zone.${z.node}.${z.name}`,
        `Does zone ${z.name} of node ${z.node} have enough? ${amount}, ${mark}; ${largestBlock(z, c.pageKb)}.`,
        [...quote(c, `zone:${at}`, 1), ...quote(c, `free_lists:${at}`, 1)],
      );
    }),
});

/** The largest free block; of a buddy line that is cut only what is there: its blocks have to add up to the sum behind it. */
function largestBlock({ freeLists }: MemZone, pageKb: number): string {
  if (freeLists === undefined) return "its buddy line is not in the text";
  const blocks = freeLists.blocks.filter((b) => b.count > 0);
  const whole = blocks.reduce((n, b) => n + b.count * pageKb * 2 ** b.order, 0) === freeLists.totalKb;
  const largest = blocks.at(-1);
  if (largest === undefined) return whole ? "no block is free" : "its buddy line is cut before the first free block";
  const lists = largest.types === undefined ? "" : `, lists ${largest.types}`;
  const which = `order ${largest.order} (${size(pageKb * 1024 * 2 ** largest.order)}, ${largest.count} of them${lists})`;
  return whole
    ? `the largest free block has ${which}`
    : `its buddy line is cut: the largest block that it still shows has ${which}`;
}
