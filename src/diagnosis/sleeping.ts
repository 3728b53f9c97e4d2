// Waiting where it is forbidden: a check that found a call that may wait, or a task that did go to sleep.
import type { Oops } from "../kernel/readings/oops.ts";
import type { Case } from "./case.ts";
import type { Fault } from "./fault.ts";

/** A request for memory that may wait, or any other call that may, where waiting is forbidden (kernel/sched/core.c __might_sleep()). */
export function sleep(c: Case, o: Oops): Fault {
  if (o.headline.includes("scheduling while atomic")) return slept(c);
  const { caller, frames, path } = c.stack;
  const who = frames[caller ?? -1]?.function;
  const memory = path !== "unknown" || c.stack.object === "skb data" || c.stack.object === "skb head" || asksSlab(c);
  const at = o.source === undefined ? "" : ` (the check is in ${o.source.file}:${o.source.line})`;
  return {
    key: `sleep:${memory ? (who ?? "") : ""}`,
    title: "Sleeping call in atomic context",
    cause: memory
      ? `${who ?? "A function"} allocated memory with a mask that may wait, where waiting is forbidden${at}: it needs GFP_ATOMIC there, or has to allocate before it takes the lock.`
      : `A function that may sleep was called where sleeping is forbidden${at}.`,
    severity: "watch",
    consequence: "The kernel went on. When memory is short it sleeps there, and a deadlock may follow.",
    memory: "none",
    reason: `This is not a shortage of memory: nothing was refused; a check found a call that may wait.`,
  };
}

/** What stands between the check and who went to sleep (kernel/sched/core.c __schedule_bug(), 5.10 and 6.1). */
const sleeping =
  /^(?:dump_stack|show_stack|unwind_backtrace|dump_backtrace|(?:__|io_|preempt_)?schedule|wait_for_(?:common|completion)|_{0,2}cond_resched|__might_resched)/;
const asking =
  /^(?:kmem_cache_|_{0,2}kmalloc|kzalloc|_{0,2}alloc_(?:frozen_)?pages|__get_free_pages|_{0,2}vmalloc|slab_alloc)/;

/** A task gave the processor away where that is forbidden: the first function behind the scheduler says whether it was for memory. */
function slept(c: Case): Fault {
  const guesses = !c.stack.frames.some((f) => f.reliable);
  const names = c.stack.frames.filter((f) => guesses || f.reliable).map((f) => f.function);
  const first = names.findIndex((n) => !sleeping.test(n));
  const memory = asking.test(names[first] ?? "");
  const who = memory ? names.find((n, i) => i > first && !asking.test(n)) : names[first];
  return {
    key: `slept:${who ?? ""}`,
    title: "Scheduling while atomic",
    cause: memory
      ? `${who ?? "A function"} allocated memory with a mask that may wait, where waiting is forbidden, and the kernel did wait: it needs GFP_ATOMIC there, or has to allocate before it takes the lock.`
      : `A task went to sleep where sleeping is forbidden${who === undefined ? "" : ` (${who})`}: a spinlock was held, bottom halves were off, or an interrupt ran.`,
    severity: "act",
    consequence: "Act on it: the kernel went on, but whoever waits for that lock may wait forever.",
    memory: "none",
    reason: `This is not a shortage of memory: nothing was refused; a task slept where it may not.`,
  };
}

const asksSlab = (c: Case): boolean =>
  c.stack.frames.some((f) => f.reliable && /^(?:kmem_cache_alloc|__kmalloc|kmalloc)/.test(f.function));
