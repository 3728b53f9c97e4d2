// A message of one line: what it means, and what a size that it names means for the page allocator.
import { memoryOf } from "../../kernel/facts/drivers/rx_path.ts";
import { messageOf } from "../../kernel/facts/messages.ts";
import type { Oops } from "../../kernel/readings/oops.ts";
import type { Case } from "../case.ts";
import { quote } from "../case.ts";
import type { Advice, Finding } from "../finding.ts";
import { shown } from "../finding.ts";
import { logCommand } from "../log_command.ts";
import { failureSearch, messageSaid } from "../messages.ts";
import { defineQuestions } from "../question.ts";
import { defineRule } from "../rule.ts";
import { machineOf } from "../wanted.ts";
import { orderWords, size } from "../words.ts";

const { questions, no, unknown, yes } = defineQuestions({
  "driver_line.meaning": { question: "What does it say?", open: true },
  "driver_line.memory": { question: "Is it about memory?" },
  "driver_line.size": { question: "Does its size say what was wanted?" },
});

export const driverLine = defineRule({
  id: "driver_line",
  asks: "What does the message mean, and what does its size mean for the page allocator?",
  questions,
  kinds: ["driver_line", "oops"],
  answer: (c) => {
    if (c.incident.kind === "oops") return ofCheck(c, c.incident.reading);
    if (c.incident.kind !== "driver_line") return [];
    const line = quote(c, "headline");
    const said = messageSaid(c.incident.reading);
    const advice = said.advice.map((a) =>
      a === failureSearch ? { ...a, command: `${logCommand(c)} | grep -B2 -A60 'allocation fail'` } : a,
    );
    const meaning = yes("driver_line.meaning", said.meaning, line, advice);
    if (said.memory === "none")
      return [meaning, no("driver_line.memory", said.cause, shown(c.incident.reading.text, line))];
    if (c.incident.reading.message !== "buffer") return [meaning];
    return [meaning, ...sizeSays(c, c.incident.reading.bytes, advice)];
  },
});

/** Some of these messages are the words of a WARN(); on other kernels, or where its line is lost, they stand alone. */
function ofCheck(c: Case, o: Oops): readonly Finding[] {
  const text = o.message ?? o.headline;
  const known = messageOf(text);
  if (known === undefined) return [];
  const said = messageSaid({ message: known.id, text });
  const lines = [...quote(c, "message"), ...quote(c, "headline", 1)].filter((q) => q.text.includes(text.slice(0, 40)));
  return [
    yes("driver_line.meaning", said.meaning, lines, said.advice),
    ...(said.memory === "none" ? [no("driver_line.memory", said.cause, shown(text, lines))] : []),
  ];
}

function sizeSays(c: Case, bytes: number | undefined, advice: readonly Advice[]): readonly Finding[] {
  const line = quote(c, "headline");
  if (bytes === undefined)
    return [unknown("driver_line.size", "The line does not say how much memory was requested.", line, advice)];
  const way =
    "Up to 3.4 such a buffer comes from a kmalloc cache; since 3.5 one that fits a page is cut from a page fragment";
  if (c.verdict.version === undefined)
    return [
      unknown(
        "driver_line.size",
        `The report does not say from which allocator ${size(bytes)} came: neither release nor machine is in the text. ${way}.`,
        line,
      ),
    ];
  const m = machineOf(c);
  if (m === undefined) return [];
  const request = memoryOf({ call: "netdev_alloc_skb", bytes, holds: "a packet" }, c.release, m.rx, false);
  const release = c.release.version.join(".");
  if (request.allocator === "page_frag")
    return [
      yes(
        "driver_line.size",
        `A packet buffer of ${size(bytes)} takes ${request.bytes} bytes with pads and skb_shared_info; ${release} cuts it from a page fragment (__netdev_alloc_skb(), net/core/skbuff.c). No slab cache is involved; the last resort is ${orderWords(0, c.pageKb)}.`,
        line,
      ),
    ];
  if (!c.arch.known)
    return [
      unknown(
        "driver_line.size",
        `A packet buffer of ${size(bytes)} comes from kmalloc in ${release}; the report does not say from which cache, because the machine is not in the text.`,
        line,
      ),
    ];
  if (request.allocator === "kmalloc" && request.smallHead !== undefined)
    return [
      yes(
        "driver_line.size",
        `A packet buffer of ${size(bytes)} takes ${request.bytes} bytes with pads and skb_shared_info; ${release} takes a skbuff_small_head object (${request.smallHead} bytes) instead of a kmalloc bucket (kmalloc_reserve(), net/core/skbuff.c). It fails when ${orderWords(0, c.pageKb)} cannot be had.`,
        line,
      ),
    ];
  const answer = m.kmalloc.forSize(request.bytes);
  return [
    yes(
      "driver_line.size",
      `A packet buffer of ${size(bytes)} takes ${request.bytes} bytes with pads and skb_shared_info. ${answer.because} It fails when ${orderWords(answer.minOrder, c.pageKb)} cannot be had.`,
      line,
    ),
  ];
}
