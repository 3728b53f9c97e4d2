// A state of memory that belongs to no report: how each zone stands to its marks, and the largest block it could give.
import type { MemInfo, MemZone } from "../../kernel/readings/mem_info.ts";
import { blocksPart } from "../../kernel/readings/mem_info_extent.ts";
import { nothingMissing, seenOf } from "../../kernel/readings/part.ts";
import type { Case } from "../case.ts";
import { quote } from "../case.ts";
import type { Finding } from "../finding.ts";
import { shown } from "../finding.ts";
import { defineQuestions } from "../question.ts";
import { defineRule } from "../rule.ts";
import { size } from "../words.ts";

const { questions, no, unknown, yes } = defineQuestions({
  "state.zone.": {},
});

export const memoryState = defineRule({
  id: "state",
  asks: "How do the zones stand to their marks, and how large is the largest free block?",
  questions,
  kinds: ["mem_info"],
  answer: (c) => {
    const { memInfo } = c;
    return memInfo === undefined ? [] : memInfo.zones.map((z) => zoneSays(c, memInfo, z));
  },
});

function zoneSays(c: Case, m: MemInfo, z: MemZone): Finding {
  const { free, min, low, high } = z.kb;
  const at = `${z.node}:${z.name}`;
  const kb = (n: number | undefined): string =>
    n === undefined ? "an amount that is not in the text" : size(n * 1024);
  const asks = `Does zone ${z.name} of node ${z.node} have enough?`;
  const block = largestBlock(m, z, c.pageKb);
  const lines = [...quote(c, `zone:${at}`), ...quote(c, `free_lists:${at}`)];
  if (free === undefined || min === undefined) {
    const said =
      free !== undefined
        ? `${kb(free)} free, its marks are not in the text`
        : `The text does not say how much is free, ${min === undefined ? "nor what its marks are" : "so it is not compared with its marks"}`;
    return unknown(`state.zone.${z.node}.${z.name}`, `${asks} ${said}; ${block}.`, lines);
  }
  if (free < min)
    return no(
      `state.zone.${z.node}.${z.name}`,
      `${asks} ${kb(free)} free, below its min mark of ${kb(min)}: only requests with access to the reserve succeed; ${block}.`,
      shown(free, lines),
    );
  const mark =
    free < (low ?? min)
      ? `between min (${kb(min)}) and low (${kb(low)}): kswapd is at work`
      : low === undefined || high === undefined
        ? `above its min mark of ${kb(min)}; its other marks are not in the text`
        : free < high
          ? `between low (${kb(low)}) and high (${kb(high)})`
          : `above its high mark of ${kb(high)}`;
  return yes(`state.zone.${z.node}.${z.name}`, `${asks} ${kb(free)} free, ${mark}; ${block}.`, lines);
}

/** The largest free block; of a buddy line that is cut only what is there. */
function largestBlock(m: MemInfo, z: MemZone, pageKb: number): string {
  const part = blocksPart(m, z, pageKb);
  if (part.state === "lost") return "its buddy line is not in the text";
  const largest = seenOf(part)
    ?.filter((b) => b.count > 0)
    .at(-1);
  const whole = nothingMissing(part) !== undefined;
  if (largest === undefined) return whole ? "no block is free" : "its buddy line is cut before the first free block";
  const lists = largest.types === undefined ? "" : `, lists ${largest.types}`;
  const which = `order ${largest.order} (${size(pageKb * 1024 * 2 ** largest.order)}, ${largest.count} of them${lists})`;
  return whole
    ? `the largest free block has ${which}`
    : `its buddy line is cut: the largest block that it still shows has ${which}`;
}
