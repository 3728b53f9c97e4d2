// May the caller sleep, and did it ask as if it might not?
import { isKnown, nothingMissing } from "../../kernel/readings/part.ts";
import { frameName, quote, quoteFrames } from "../case.ts";
import { shown } from "../finding.ts";
import { maskOf } from "../mask.ts";
import { defineQuestions } from "../question.ts";
import { defineRule } from "../rule.ts";
import { ringIsBeingMade } from "../stack.ts";
import { stalls } from "../stall.ts";

const { questions, no, unknown, yes } = defineQuestions({
  "context.atomic_needlessly": {
    question: "Was the request atomic without need?",
    clears: "an atomic request without need",
  },
});

export const context = defineRule({
  id: "context",
  asks: "Could the caller have waited, and did it ask as if it could not?",
  questions,
  kinds: ["alloc_failure"],
  answer: (c) => {
    const mask = maskOf(c);
    const memalloc = c.incident.kind === "alloc_failure" ? c.incident.reading.memalloc : undefined;
    if (memalloc !== undefined && memalloc !== 0)
      return [
        no(
          "context.atomic_needlessly",
          "The task that asked was itself freeing memory (PF_MEMALLOC, the digit after the mask): the kernel does not reclaim for it again, and it may use the whole reserve.",
          shown(memalloc, quote(c, "headline", 1)),
        ),
      ];
    if (mask === undefined || c.stack.frames.length === 0) return [];
    // A frame is named only where its name says so; else the trace's own mark does.
    const frame = c.stack.frames[c.stack.contextFrame ?? -1];
    const marked = c.stack.context === "interrupt" && frame !== undefined && frame.context !== "task";
    const where = marked
      ? `${frame.context === "nmi" ? "<NMI>" : "<IRQ>"} in the call trace`
      : frameName(c, c.stack.contextFrame);
    const evidence = [...quote(c, "headline", 1), ...quoteFrames(c, [c.stack.contextFrame])];
    const reclaimer =
      c.stack.reclaimFrame ??
      (/^kswapd\d/.test(c.process?.comm ?? "") &&
      c.stack.asked &&
      c.stack.context !== "softirq" &&
      c.stack.context !== "interrupt"
        ? -1
        : undefined);
    if (mask.maySleep && c.stack.context === "interrupt" && frame !== undefined)
      return [
        unknown(
          "context.atomic_needlessly",
          `The request was allowed to wait (${mask.text}) although it was made in ${marked && frame.context === "irq" ? "an interrupt or a softirq" : "an interrupt"} (${where}), where waiting is not allowed: a bug in the function that asked. The kernel does not reclaim for it there.`,
          evidence,
        ),
      ];
    if (mask.maySleep && reclaimer !== undefined)
      return [
        no(
          "context.atomic_needlessly",
          `The request was allowed to wait (${mask.text}), but the task was freeing memory itself (${frameName(c, reclaimer) ?? c.process?.comm}): for such a task the kernel does not reclaim again, and reclaim goes on without what was refused.`,
          shown(mask.text, [...evidence, ...quoteFrames(c, [c.stack.reclaimFrame])]),
        ),
      ];
    if (mask.maySleep) {
      const waits = `The request was allowed to wait (${mask.text}): the kernel ${stalls(c) ? "was reclaiming memory for it all the while" : "could reclaim memory for it before it gave up"}${isKnown(c.order, (n) => n > 3) ? ", though for blocks above order 3 it does not try for long" : ""}.`;
      // Without the frames of an interrupt, which may be those that are missing.
      const inTask = c.stack.context === "process" || nothingMissing(c.stack.trace) !== undefined;
      return [
        inTask
          ? no("context.atomic_needlessly", waits, shown(mask.text, evidence))
          : unknown("context.atomic_needlessly", waits, evidence),
      ];
    }
    if (mask.optional)
      return [
        no(
          "context.atomic_needlessly",
          `The request could not wait and asked for no reserve (${mask.text}): its caller can do without the memory, or asks again later.`,
          shown(mask.text, evidence),
        ),
      ];
    const noSleep = frameName(c, c.stack.noSleepFrame);
    if (c.stack.context === "process" && noSleep !== undefined)
      return [
        no(
          "context.atomic_needlessly",
          `The request could not wait, and rightly so (${mask.text}): a task was running, but under ${noSleep}, where nobody may sleep.`,
          shown(noSleep, [...evidence, ...quoteFrames(c, [c.stack.noSleepFrame])]),
        ),
      ];
    // Only what brings an interface up is known to run where its caller may wait: elsewhere a frame where nobody may sleep may be missing, or
    // stand in code without a name (a probe's trampoline).
    const told = c.stack.direction === "setup" || ringIsBeingMade(c.stack);
    const seen = !c.stack.frames.some((f) => f.function.startsWith("0x"));
    switch (c.stack.context === "process" && !(told && seen) ? "unknown" : c.stack.context) {
      case "softirq":
      case "interrupt":
        return [
          no(
            "context.atomic_needlessly",
            `The request could not wait, and rightly so (${mask.text}): it ran in ${c.stack.context === "softirq" ? "a softirq" : marked && frame.context === "irq" ? "an interrupt or a softirq" : "an interrupt"} (${where}).`,
            shown(mask.text, evidence),
          ),
        ];
      case "process":
        return [
          yes(
            "context.atomic_needlessly",
            `The caller ran in process context (${where}) but asked with ${mask.text}, which may not wait for memory. Unless it holds a spinlock, which a stack does not show, ${isKnown(c.order, (n) => n > 3) ? "it could have asked with a mask that may sleep; for a block of that order this helps little" : "with a mask that may sleep the kernel would have reclaimed memory for it"}.`,
            evidence,
            [
              {
                change: { kind: "code" },
                action: `Report it to the maintainers of ${c.stack.driver?.driver.name ?? frameName(c, c.stack.caller) ?? "the caller"}: GFP_KERNEL where the caller may sleep`,
                changes: "the request reclaims and compacts memory instead of failing",
                costs: "a driver change; until then, retry with more memory free",
              },
              {
                change: { kind: "drop_caches" },
                action: "Free memory just before the operation and repeat it",
                changes: "the atomic request then finds free memory",
                costs: "a pause while caches are dropped and refilled",
                command: `sync; echo 1 > /proc/sys/vm/drop_caches${isKnown(c.order, (n) => n > 0) ? "; echo 1 > /proc/sys/vm/compact_memory" : ""}`,
              },
            ],
          ),
        ];
      default:
        return [
          unknown(
            "context.atomic_needlessly",
            `The request could not wait (${mask.text}); the stack does not say whether its caller could have.`,
            evidence,
          ),
        ];
    }
  },
});
