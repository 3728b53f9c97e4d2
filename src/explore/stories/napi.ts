// Receiving by NAPI on one or two queues: can a packet lie in a ring for ever? The device writes a frame and interrupts; the handler turns the
// interrupt off and asks for a poll; the poll takes packets, says that it is done and turns the interrupt on again (net/core/dev.c:
// napi_schedule_prep(), napi_complete_done(), 6.1). What drivers and kernels do differently is an option, so that each can be taken away.
//
//   device     frame ─▶ ring, then interrupt if it is on              a frame behind a masked interrupt: lost word (edge) or kept (level)
//   poll       take … nothing left ─▶ done ─▶ interrupt on ─▶ look again
import { BadInput, wholeGiven } from "../../base/bad_input.ts";
import type { Cell, Code, Goto } from "../../model/sync/effect.ts";
import { add, enter, joined, read, test, testAndClear, testAndSet, to, write } from "../../model/sync/effect.ts";
import { defineStory, type Story } from "../story.ts";

export interface NapiOptions {
  /** Queues, each polled on a CPU of its own; with 2 they share one interrupt. */
  readonly queues?: 1 | 2;
  /** Frames that come to each queue. */
  readonly frames?: number;
  /** An interrupt that was off when a frame came is gone ("edge"), or comes when it is turned on ("level"). */
  readonly interrupts?: "edge" | "level";
  /** The poll looks into the ring once more after it has turned the interrupt on. */
  readonly looksAgain?: boolean;
  /** The interrupt is turned on before the poll says that it is done. */
  readonly interruptFirst?: boolean;
  /** NAPI_STATE_MISSED (since 4.11): who asks for a poll that is asked for already is remembered. */
  readonly remembersMissed?: boolean;
  /** With two queues: the handler forgets the second one. */
  readonly forgetsSecond?: boolean;
}

/** More would be searched for days. */
const framesMost = 8;

interface Queue {
  readonly ring: Cell;
  readonly asked: Cell;
  readonly missed: Cell;
}

/** napi_schedule_prep() and __napi_schedule(). */
function* schedule({ asked, missed }: Queue, remembers: boolean): Code {
  const was = yield testAndSet(asked, "dev.c:napi_schedule_prep");
  if (was === 1 && remembers) yield write(missed, 1, "dev.c:NAPI_STATE_MISSED");
}

/** napi_complete_done(): one step, as its cmpxchg is. */
function* complete({ asked, missed }: Queue, remembers: boolean): Code {
  if (remembers && (yield joined(testAndClear(missed, "dev.c:napi_complete_done"))) === 1) {
    // Asked again meanwhile: the poll stays on the list.
    yield read(asked, "dev.c:__napi_schedule");
    return;
  }
  yield write(asked, 0, "dev.c:napi_complete_done");
}

/** A story of your own starts here: give the options that your driver has. BadInput for what they cannot be. */
export function napiStory(name: string, options: NapiOptions = {}): Story {
  const { queues = 1, frames = 2, interrupts = "edge", looksAgain = true } = options;
  wholeGiven("queues of a NAPI story", queues, 1, 2);
  wholeGiven("frames of a NAPI story", frames, 1, framesMost);
  if (interrupts !== "edge" && interrupts !== "level")
    throw new BadInput(`interrupts of a NAPI story is ${JSON.stringify(interrupts)}; it must be edge or level.`);
  const { interruptFirst = false, remembersMissed = true, forgetsSecond = false } = options;
  return defineStory(name, (s) => {
    const on = s.cell("interrupt_on", 1, 1);
    const raised = s.cell("interrupt_raised");
    const all: Queue[] = Array.from({ length: queues }, (_, q) => ({
      ring: s.cell(`ring${q}`, frames),
      asked: s.cell(`poll_asked${q}`),
      missed: s.cell(`missed${q}`),
    }));
    all.forEach((queue, q) => {
      const { ring, asked } = queue;
      s.task({
        name: `frames${q}`,
        context: "device",
        start: "frame",
        args: [frames],
        sections: {
          *frame(left: number): Code<Goto> {
            yield add(ring, 1, "device: descriptor written");
            if ((yield joined(test(on, "==", 1, "device: interrupt on?"))) === 1)
              yield write(raised, 1, "device: interrupt");
            else yield read(raised, "device: interrupt is off");
            return left > 1 ? to("frame", left - 1) : to("");
          },
        },
      });
      s.task({
        name: `poll${q}`,
        context: "softirq",
        cpu: q,
        start: "poll",
        sections: {
          *poll(): Code<Goto> {
            yield enter(asked, "==", 1, "dev.c:napi_poll");
            return to("take");
          },
          *take(): Code<Goto> {
            if ((yield joined(test(ring, ">=", 1, "driver: descriptor done?"))) === 1) {
              yield add(ring, -1, "driver: packet up");
              return to("take");
            }
            yield read(ring, "driver: nothing left");
            if (interruptFirst) yield* turnOn();
            yield* complete(queue, remembersMissed);
            if (!interruptFirst) yield* turnOn();
            if (looksAgain && (yield test(ring, ">=", 1, "driver: look again")) === 1)
              yield* schedule(queue, remembersMissed);
            return to("poll");
          },
        },
      });
    });
    function* turnOn(): Code {
      if (interrupts === "edge") {
        yield write(on, 1, "driver: interrupt on");
        return;
      }
      // What lies in a ring raises the interrupt as soon as it may.
      yield joined(write(on, 1, "driver: interrupt on"));
      for (const [i, { ring }] of all.entries()) {
        const waits = yield joined(test(ring, ">=", 1, "device: level"));
        if (waits === 1) yield joined(write(raised, 1));
        if (i === all.length - 1) yield read(on, "device: level");
      }
    }
    s.task({
      name: "irq",
      context: "hardirq",
      cpu: 0,
      start: "irq",
      sections: {
        *irq(): Code<Goto> {
          yield enter(raised, "==", 1, "driver: interrupt handler");
          yield joined(write(raised, 0));
          yield write(on, 0, "driver: interrupt off");
          for (const [q, queue] of all.entries())
            if (q === 0 || !forgetsSecond) yield* schedule(queue, remembersMissed);
          return to("irq");
        },
      },
    });
    all.forEach(({ ring }, q) => {
      s.atEnd({
        finding: "packetWaits",
        text: `a packet lies in the ring of queue ${q}, and nobody will look`,
        when: [{ on: ring, compare: ">=", value: 1 }],
      });
    });
  });
}

/**
 * A ring whose refill found no memory: memory comes back, and who posts a buffer then? `timer`: something looks at an empty ring from time to time,
 * as ena_timer_service() does; without it the driver refills only when a frame came, and no frame can come.
 */
export function refillStory(name: string, timer: boolean): Story {
  return defineStory(name, (s) => {
    const buffers = s.cell("buffers", 1, 1);
    const memory = s.cell("memory");
    const raised = s.cell("interrupt_raised");
    const refill = function* (): Code {
      if ((yield joined(test(memory, "==", 1, "page_alloc.c:alloc_pages"))) === 1)
        yield write(buffers, 1, "driver: refill");
      else yield read(buffers, "driver: refill failed");
    };
    s.task({
      name: "frames",
      context: "device",
      start: "frame",
      args: [2],
      sections: {
        *frame(left: number): Code<Goto> {
          if ((yield joined(testAndClear(buffers, "device: buffer?"))) === 1)
            yield write(raised, 1, "device: frame, interrupt");
          else yield read(buffers, "device: frame lost");
          return left > 1 ? to("frame", left - 1) : to("");
        },
      },
    });
    s.task({
      name: "poll",
      context: "softirq",
      cpu: 0,
      start: "poll",
      sections: {
        *poll(): Code<Goto> {
          yield enter(raised, "==", 1, "driver: poll");
          yield joined(write(raised, 0));
          yield* refill();
          return to("poll");
        },
      },
    });
    s.task({
      name: "reclaim",
      context: "process",
      cpu: 1,
      start: "free",
      sections: {
        *free(): Code {
          yield write(memory, 1, "vmscan.c: pages free again");
        },
      },
    });
    if (timer)
      s.task({
        name: "timer",
        context: "softirq",
        cpu: 1,
        start: "look",
        sections: {
          *look(): Code<Goto> {
            yield enter(buffers, "==", 0, "driver: timer");
            yield* refill();
            return to("look");
          },
        },
      });
    s.atEnd({
      finding: "ringStaysEmpty",
      text: "the ring is empty, memory is there, and nothing will ever refill it",
      when: [
        { on: buffers, compare: "==", value: 0 },
        { on: memory, compare: "==", value: 1 },
      ],
    });
  });
}
