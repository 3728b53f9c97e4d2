// A story: what tasks share, and the tasks. Authors write it with `defineStory`; compile.ts turns it into tables.
import { BadInput } from "../base/bad_input.ts";
import type { Context } from "../model/sync/context.ts";
import type { Cell, Code, Comparison, Fifo, Goto, Lock } from "../model/sync/effect.ts";

/** A section of a task: runs from its first effect to its end or to the next section; only `args` survive a `to()`. */
export type Section = (...args: number[]) => Code<Goto> | Code;

export interface TaskSpec {
  readonly name: string;
  readonly context: Context;
  /** The CPU it runs on; left out for a device. */
  readonly cpu?: number;
  /** The first section and the numbers it starts with. */
  readonly start: string;
  readonly args?: readonly number[];
  readonly sections: Readonly<Record<string, Section>>;
}

/** What must not be true where everything has come to rest. */
export interface EndRule {
  readonly finding: string;
  readonly text: string;
  /** All of these hold, and nobody can move: then `finding` is found. */
  readonly when: readonly { readonly on: Cell | Fifo; readonly compare: Comparison; readonly value: number }[];
}

export interface Story {
  readonly name: string;
  readonly shared: readonly (Lock | Cell | Fifo)[];
  readonly tasks: readonly TaskSpec[];
  readonly ends: readonly EndRule[];
}

/** What an author builds a story with. */
export interface StoryBuilder {
  lock(name: string): Lock;
  /** A shared number 0 .. max. */
  cell(name: string, max?: number, initial?: number): Cell;
  fifo(name: string, max: number, capacity: number): Fifo;
  task(spec: TaskSpec): void;
  atEnd(rule: EndRule): void;
}

/** Collects a story. Mistakes in names and ranges are BadInput that says which. */
export function defineStory(name: string, build: (s: StoryBuilder) => void): Story {
  const shared: (Lock | Cell | Fifo)[] = [];
  const tasks: TaskSpec[] = [];
  const ends: EndRule[] = [];
  const keep = <T extends Lock | Cell | Fifo>(thing: T): T => {
    if (shared.some((s) => s.name === thing.name))
      throw new BadInput(`Story ${name}: two shared things are called ${thing.name}.`);
    shared.push(thing);
    return thing;
  };
  const whole = (what: string, n: number, most: number): void => {
    if (!Number.isInteger(n) || n < 1 || n > most)
      throw new BadInput(`Story ${name}: ${what} is ${n}; it must be a whole number 1 .. ${most}.`);
  };
  build({
    lock: (lockName) => keep({ kind: "lock", name: lockName }),
    cell(cellName, max = 1, initial = 0) {
      whole(`max of ${cellName}`, max, 65535);
      if (!Number.isInteger(initial) || initial < 0 || initial > max)
        throw new BadInput(`Story ${name}: ${cellName} starts at ${initial}, outside 0 .. ${max}.`);
      return keep({ kind: "cell", name: cellName, max, initial });
    },
    fifo(fifoName, max, capacity) {
      whole(`max of ${fifoName}`, max, 255);
      whole(`capacity of ${fifoName}`, capacity, 32);
      return keep({ kind: "fifo", name: fifoName, max, capacity });
    },
    task(spec) {
      if (tasks.some((t) => t.name === spec.name))
        throw new BadInput(`Story ${name}: two tasks are called ${spec.name}.`);
      if (tasks.length === 15) throw new BadInput(`Story ${name} has more than 15 tasks.`);
      if ((spec.context === "device") !== (spec.cpu === undefined))
        throw new BadInput(`Story ${name}: task ${spec.name} (${spec.context}) needs a CPU, a device must have none.`);
      if (spec.sections[spec.start] === undefined)
        throw new BadInput(`Story ${name}: task ${spec.name} starts at section ${spec.start}, which it does not have.`);
      tasks.push(spec);
    },
    atEnd: (rule) => void ends.push(rule),
  });
  if (tasks.length === 0) throw new BadInput(`Story ${name} has no task.`);
  return { name, shared, tasks, ends };
}
