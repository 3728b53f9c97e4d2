// The doors of a machine's journal, clock, CPUs and chance.
import { array, callable, number, type Shape, text } from "../base/given.ts";
import type { Prng } from "../base/prng.ts";
import { type EventName, eventKind, eventShapes } from "../kernel/events.ts";
import type { Journal } from "../model/journal.ts";
import type { Clock } from "../model/sync/clock.ts";
import type { Cpus } from "../model/sync/cpu.ts";
import { softirq } from "../model/sync/cpu.ts";
import { handOut } from "./hand_out.ts";
import { anyNumber, createHolds, known, nanos, upTo } from "./holds.ts";

const eventName: Shape<EventName> = {
  must: "an event's name, such as mm_page_alloc",
  is: (v) => typeof v === "string" && Object.hasOwn(eventKind, v),
};
const textId = known("the number of a text", () => true);

export const handJournal = (journal: Journal): Journal =>
  handOut("journal.", journal, [], {
    refused: [
      ["site", textId],
      ["cache?", anyNumber],
      ["gfp?", anyNumber],
    ],
    emit: [
      ["kind", upTo(eventShapes.length - 1, "an event's number")],
      ["a?", anyNumber],
      ["b?", anyNumber],
      ["c?", anyNumber],
      ["d?", anyNumber],
      ["e?", anyNumber],
      ["f?", anyNumber],
    ],
    listen: [
      ["listener", callable()],
      ["...names", eventName],
    ],
    textId: [["text", text]],
    text: [["id", textId]],
  });

export const handPrng = (random: Prng): Prng =>
  handOut("random.", random, [], {
    u32: [],
    below: [["bound", number]],
    unit: [],
    chance: [["probability", anyNumber]],
    pick: {
      takes: [["items", array()]],
      unless: (items) => (items.length === 0 ? "there is nothing to pick from" : undefined),
    },
    fork: { takes: [["label", text]], after: handPrng },
  });

/** What a program asked for: more of them is a loop that only adds. */
const timersMost = 1 << 20;

export function handClock(clock: Clock): Clock {
  const handlers = createHolds();
  const lines = createHolds();
  return handOut("clock.", clock, [], {
    now: [],
    handler: { takes: [["run", callable()]], after: (id) => handlers.add(id) },
    after: {
      takes: [
        ["nanos", nanos],
        ["handler", known("what handler() gave", (h) => handlers.of(h) > 0)],
        ["a?", anyNumber],
        ["b?", anyNumber],
      ],
      unless: () => (clock.pending() >= timersMost ? `${timersMost} timers wait already` : undefined),
    },
    line: { takes: [["run", callable()]], after: (id) => lines.add(id) },
    inLine: {
      takes: [
        ["line", known("what line() gave", (l) => lines.of(l) > 0)],
        ["nanos", nanos],
        ["a?", anyNumber],
      ],
      unless: () => (clock.pending() >= timersMost ? `${timersMost} timers wait already` : undefined),
    },
    cancel: [["timer", known("what after() gave", () => true)]],
    run: {
      takes: [
        ["untilNanos", number],
        ["eventsMax", known("a whole number from 0 on", () => true)],
      ],
      unless: (until) =>
        until >= clock.now() ? undefined : `untilNanos is ${until}, and it is ${clock.now()} already`,
    },
    stop: [],
    pending: [],
    events: [],
  });
}

const worksMost = 1024;
/** open_softirq() of those that the machine does not run itself. */
const ownSoftirqs: readonly number[] = [softirq.netTx, softirq.netRx];

export function handCpus(cpus: Cpus): Cpus {
  const works = createHolds();
  let registered = 0;
  const cpu = upTo(cpus.count - 1, "a CPU");
  const work = known("what register() gave", (w) => works.of(w) > 0);
  const word = upTo(2 ** 32 - 1, "a number of 32 bits");
  return handOut("cpus.", cpus, [], {
    register: {
      takes: [
        ["run", callable()],
        ["task?", text],
      ],
      unless: () => (registered >= worksMost ? `${worksMost} kinds of work are registered already` : undefined),
      after(id) {
        works.add(id);
        registered++;
      },
    },
    interrupt: [
      ["cpu", cpu],
      ["work", work],
      ["a?", word],
      ["b?", anyNumber],
    ],
    work: [
      ["cpu", cpu],
      ["delayNanos", nanos],
      ["work", work],
      ["a?", word],
      ["b?", anyNumber],
    ],
    openSoftirq: {
      takes: [
        ["nr", upTo(9, "a softirq")],
        ["run", callable()],
      ],
      unless: (nr) => (ownSoftirqs.includes(nr) ? `softirq ${nr} is the network's` : undefined),
    },
    raise: [
      ["cpu", cpu],
      ["nr", upTo(9, "a softirq")],
    ],
    current: [],
    spend: [["nanos", nanos]],
    busyNanos: [["cpu", cpu]],
  });
}
