// A state of memory that belongs to no report: how each zone stands to its marks, and the largest block it could give.
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
      const largest = (z.freeLists?.blocks ?? []).filter((b) => b.count > 0).at(-1);
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
      const block =
        largest === undefined
          ? "no free block is listed"
          : `the largest free block has order ${largest.order} (${size(c.pageKb * 1024 * 2 ** largest.order)}, ${largest.count} of them${largest.types === undefined ? "" : `, lists ${largest.types}`})`;
      return answering(free === undefined || min === undefined ? "unknown" : free < min ? "no" : "yes")(
        `state.zone.${z.node}.${z.name}`,
        `Does zone ${z.name} of node ${z.node} have enough? ${amount}, ${mark}; ${block}.`,
        [...quote(c, `zone:${at}`, 1), ...quote(c, `free_lists:${at}`, 1)],
      );
    }),
});
