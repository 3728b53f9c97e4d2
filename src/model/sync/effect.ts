// What a task of the kernel can do to the world that other tasks see: the vocabulary of stories. A task is a generator that
// yields an effect before it is performed; whoever runs the task performs it and sends back what it gave. Nothing is done here.
//
//   const n = yield read(used)      announced: "read used"; performed by the explorer; n is what it gave
//
// Locks follow include/linux/spinlock.h, interrupt flags local_irq_save() and local_irq_restore(), as of 2.6.9 and later.

/** A spinlock. One task at most holds it; it knows its owner, as with CONFIG_DEBUG_SPINLOCK. */
export interface Lock {
  readonly kind: "lock";
  readonly name: string;
}

/** A whole number 0 .. max that tasks share: a flag, a counter, an index. */
export interface Cell {
  readonly kind: "cell";
  readonly name: string;
  readonly max: number;
  readonly initial: number;
}

/** A list of at most `capacity` items 1 .. max, as a qdisc holds packets. */
export interface Fifo {
  readonly kind: "fifo";
  readonly name: string;
  readonly max: number;
  readonly capacity: number;
}

export type Comparison = "==" | "!=" | "<" | ">=";

type Act =
  | { readonly does: "lock" | "trylock" | "unlock"; readonly on: Lock }
  | { readonly does: "irqOff" | "irqOn" | "irqSave" | "bhOff" | "bhOn" }
  | { readonly does: "irqRestore"; readonly value: number }
  | { readonly does: "read" | "testAndSet" | "testAndClear"; readonly on: Cell }
  | { readonly does: "write" | "add" | "addAndRead" | "addAndTest"; readonly on: Cell; readonly value: number }
  | { readonly does: "test"; readonly on: Cell; readonly compare: Comparison; readonly value: number }
  | {
      readonly does: "wait" | "enter";
      readonly on: Cell;
      readonly compare: Comparison;
      readonly value: number;
      readonly idle: boolean;
    }
  | { readonly does: "push" | "pushFront"; readonly on: Fifo; readonly value: number }
  | { readonly does: "pop"; readonly on: Fifo }
  | { readonly does: "require"; readonly what: "irqsOn" | "maySleep"; readonly call: string }
  | { readonly does: "step" };

/** One announced effect. `at` is a file-like place; `joined` means: no other task can run before the next effect. */
export type Effect = Act & { readonly at: string; readonly joined: boolean };

/** Not an effect: what an observer writes down about the step just made, or the end of the road for this schedule. */
export interface Remark {
  readonly does: "remark" | "fail";
  readonly finding: string;
  readonly text: string;
}

/** Where a task goes on when a section ends: another section, with the only locals that survive. */
export interface Goto {
  readonly goto: string;
  readonly args: readonly number[];
}

/** A task's code: yields effects and remarks, is sent what an effect gave (0 where it gives nothing). */
export type Code<R = void> = Generator<Effect | Remark, R, number>;

const effect = (act: Act, at: string): Effect => ({ ...act, at, joined: false });

/** spin_lock(): waits until the lock is free. */
export const lock = (on: Lock, at = ""): Effect => effect({ does: "lock", on }, at);
/** spin_trylock(): gives 1 and takes it, or 0. */
export const trylock = (on: Lock, at = ""): Effect => effect({ does: "trylock", on }, at);
/** spin_unlock(). Only the holder may. */
export const unlock = (on: Lock, at = ""): Effect => effect({ does: "unlock", on }, at);
/** local_irq_disable() */
export const irqOff = (at = ""): Effect => effect({ does: "irqOff" }, at);
/** local_irq_enable(), and what spin_unlock_irq() does whatever the flag was before. */
export const irqOn = (at = ""): Effect => effect({ does: "irqOn" }, at);
/** local_irq_save(): gives 1 if interrupts were off already. */
export const irqSave = (at = ""): Effect => effect({ does: "irqSave" }, at);
/** local_irq_restore() of what {@link irqSave} gave. */
export const irqRestore = (value: number, at = ""): Effect => effect({ does: "irqRestore", value }, at);
/** local_bh_disable(); nests up to 3 deep. */
export const bhOff = (at = ""): Effect => effect({ does: "bhOff" }, at);
/** local_bh_enable() */
export const bhOn = (at = ""): Effect => effect({ does: "bhOn" }, at);
/** Gives the value. */
export const read = (on: Cell, at = ""): Effect => effect({ does: "read", on }, at);
export const write = (on: Cell, value: number, at = ""): Effect => effect({ does: "write", on, value }, at);
/** Atomic addition that gives the new value. */
export const addAndRead = (on: Cell, value: number, at = ""): Effect => effect({ does: "addAndRead", on, value }, at);
/** Atomic addition; leaving 0 .. max is an error of the story. */
export const add = (on: Cell, value: number, at = ""): Effect => effect({ does: "add", on, value }, at);
/** Atomic addition that gives 1 when the result is zero: atomic_dec_and_test() with value -1. */
export const addAndTest = (on: Cell, value: number, at = ""): Effect => effect({ does: "addAndTest", on, value }, at);
/** Compares with a constant: gives 1 or 0. */
export const test = (on: Cell, compare: Comparison = "!=", value = 0, at = ""): Effect =>
  effect({ does: "test", on, compare, value }, at);
/** test_and_set_bit(): gives the old value, leaves 1. */
export const testAndSet = (on: Cell, at = ""): Effect => effect({ does: "testAndSet", on }, at);
/** test_and_clear_bit(): gives the old value, leaves 0. */
export const testAndClear = (on: Cell, at = ""): Effect => effect({ does: "testAndClear", on }, at);
/** Waits until the comparison holds. Nobody left to make it true is a lost wake-up. */
export const wait = (on: Cell, compare: Comparison, value: number, at = ""): Effect =>
  effect({ does: "wait", on, compare, value, idle: false }, at);
/** Waits for work; waiting here for ever is a fine end. */
export const idle = (on: Cell, compare: Comparison, value: number, at = ""): Effect =>
  effect({ does: "wait", on, compare, value, idle: true }, at);
/** An interrupt or a softirq begins when the comparison holds and its CPU lets it; the task below it on the CPU stands still
 * until the handler has come round to here again or ended. */
export const enter = (on: Cell, compare: Comparison, value: number, at = ""): Effect =>
  effect({ does: "enter", on, compare, value, idle: true }, at);
/** Appends an item 1 .. max. */
export const push = (on: Fifo, value: number, at = ""): Effect => effect({ does: "push", on, value }, at);
/** Puts an item first, as a qdisc's requeue does. */
export const pushFront = (on: Fifo, value: number, at = ""): Effect => effect({ does: "pushFront", on, value }, at);
/** Takes the first item; gives 0 when there is none. */
export const pop = (on: Fifo, at = ""): Effect => effect({ does: "pop", on }, at);
/** dev_kfree_skb(): not where interrupts are disabled or in an interrupt (net/core/dev.c; WARN_ON(in_irq()) since). */
export const freeSkb = (at = ""): Effect => effect({ does: "require", what: "irqsOn", call: "dev_kfree_skb" }, at);
/** A call that may sleep: process context only, nothing disabled, no spinlock held. */
export const sleep = (call: string, at = ""): Effect => effect({ does: "require", what: "maySleep", call }, at);
/** A moment at which others may run; touches nothing. */
export const step = (at = ""): Effect => effect({ does: "step" }, at);

/** The effect and the one after it are one step: only where a lock or a disabled interrupt makes that the truth. */
export const joined = (e: Effect): Effect => ({ ...e, joined: true });
/** Writes `finding` down for the step just made. */
export const remark = (finding: string, text: string): Remark => ({ does: "remark", finding, text });
/** An assertion failed at the step just made: this schedule ends here. */
export const fail = (text: string): Remark => ({ does: "fail", finding: "assertion", text });
/** `return to("section", local, …)`: the rest of the task depends on the section and these numbers only. */
export const to = (section: string, ...args: readonly number[]): Goto => ({ goto: section, args });

/** An effect in words, without its place. */
export function effectText(e: Effect): string {
  switch (e.does) {
    case "lock":
    case "trylock":
    case "unlock":
    case "read":
    case "testAndSet":
    case "testAndClear":
    case "pop":
      return `${e.does} ${e.on.name}`;
    case "write":
      return `${e.on.name} = ${e.value}`;
    case "add":
    case "addAndRead":
      return `${e.on.name} ${e.value < 0 ? "-" : "+"}= ${Math.abs(e.value)}`;
    case "addAndTest":
      return `${e.on.name} ${e.value < 0 ? "-" : "+"}= ${Math.abs(e.value)}, zero?`;
    case "test":
    case "wait":
    case "enter":
      return `${e.does === "enter" ? "runs: " : `${e.does} `}${e.on.name} ${e.compare} ${e.value}`;
    case "push":
    case "pushFront":
      return `${e.does} ${e.value} to ${e.on.name}`;
    case "require":
      return `${e.call}()`;
    case "irqRestore":
      return `irqRestore ${e.value === 0 ? "on" : "off"}`;
    case "irqOff":
    case "irqOn":
    case "irqSave":
    case "bhOff":
    case "bhOn":
    case "step":
      return e.does;
  }
}
