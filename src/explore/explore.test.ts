// The explorer against small known worlds, a naive twin, and bad stories.
import { describe, expect, test } from "vitest";
import { BadInput } from "../base/bad_input.ts";
import {
  add,
  type Code,
  compile,
  defineStory,
  type Effect,
  enter,
  fail,
  type Goto,
  irqOff,
  irqOn,
  joined,
  lock,
  type Program,
  randomRuns,
  read,
  readSchedule,
  replay,
  type Section,
  type Story,
  type StoryBuilder,
  scheduleText,
  search,
  sleep,
  step,
  to,
  unlock,
  wait,
  test as when,
  write,
} from "./index.ts";
import { blocked, step as stepOf } from "./program.ts";
import { stories } from "./stories/index.ts";

/** A story of process tasks, one to a CPU. */
const processes = (name: string, build: (s: StoryBuilder) => Section[]): Story =>
  defineStory(name, (s) => {
    build(s).forEach(
      (run, cpu) => void s.task({ name: `t${cpu}`, context: "process", cpu, start: "run", sections: { run } }),
    );
  });

const findingsOf = (story: Story): string[] => search(compile(story)).findings.map((f) => f.finding);

const lostUpdate = processes("lost update", (s) => {
  const n = s.cell("n", 2);
  const done = s.cell("done", 2);
  const run = function* (): Code {
    const seen = yield read(n);
    yield write(n, Math.min(seen + 1, 2));
    yield add(done, 1);
  };
  s.atEnd({
    finding: "lostUpdate",
    text: "two increments, one counted",
    when: [
      { on: n, compare: "==", value: 1 },
      { on: done, compare: "==", value: 2 },
    ],
  });
  return [run, run];
});

const abba = (second: "same" | "reversed"): Story =>
  processes("two locks", (s) => {
    const a = s.lock("a");
    const b = s.lock("b");
    const take = (x: typeof a, y: typeof a) =>
      function* (): Code {
        yield lock(x);
        yield lock(y);
        yield unlock(y);
        yield unlock(x);
      };
    return [take(a, b), second === "same" ? take(a, b) : take(b, a)];
  });

describe("what a search finds", () => {
  test("an update is lost in some schedules, and the first found is a shortest one", () => {
    const r = search(compile(lostUpdate));
    expect(r.complete).toBe(true);
    expect(r.findings.map((f) => [f.finding, f.path.length])).toEqual([["lostUpdate", 6]]);
    // Two tasks of three steps: 6! / (3! 3!) schedules.
    expect(r.schedules).toBe(20n);
  });

  test("two locks in both orders: the deadlock is found with its cycle, and the order is named", () => {
    const r = search(compile(abba("reversed")));
    const deadlock = r.findings.find((f) => f.finding === "deadlock");
    expect(scheduleText(deadlock?.path ?? [])).toBe("01");
    expect(deadlock?.text).toContain("t0 waits for b, that t1 holds; t1 waits for a, that t0 holds");
    expect(r.findings.find((f) => f.finding === "ruleBroken")?.text).toContain("order inversion");
    expect(findingsOf(abba("same"))).toEqual([]);
  });

  test("an order inversion is found even where a third lock keeps it from ever hanging", () => {
    const guarded = processes("guarded", (s) => {
      const [gate, a, b] = [s.lock("gate"), s.lock("a"), s.lock("b")];
      const take = (x: typeof a, y: typeof a) =>
        function* (): Code {
          yield lock(gate);
          yield lock(x);
          yield lock(y);
          yield unlock(y);
          yield unlock(x);
          yield unlock(gate);
        };
      return [take(a, b), take(b, a)];
    });
    expect(findingsOf(guarded)).toEqual(["ruleBroken"]);
  });

  test("a lock taken in an interrupt and also with interrupts on: the rule is broken, and the CPU can hang on itself", () => {
    const story = (safe: boolean): Story =>
      defineStory("irq lock", (s) => {
        const l = s.lock("l");
        const work = s.cell("work", 1, 1);
        s.task({
          name: "process",
          context: "process",
          cpu: 0,
          start: "run",
          sections: {
            *run(): Code {
              if (safe) yield irqOff();
              yield lock(l);
              yield unlock(l);
              if (safe) yield irqOn();
            },
          },
        });
        s.task({
          name: "irq",
          context: "hardirq",
          cpu: 0,
          start: "handler",
          sections: {
            *handler(): Code {
              yield enter(work, ">=", 1);
              yield lock(l);
              yield joined(unlock(l));
              yield write(work, 0);
            },
          },
        });
      });
    expect(findingsOf(story(false)).sort()).toEqual(["deadlock", "ruleBroken"]);
    expect(findingsOf(story(true))).toEqual([]);
  });

  test("a wait that nobody will end is a lost wake-up; one that is ended is none", () => {
    const story = (wakes: boolean): Story =>
      processes("wake", (s) => {
        const flag = s.cell("flag");
        return [
          function* (): Code {
            yield wait(flag, "==", 1);
          },
          function* (): Code {
            yield wakes ? write(flag, 1) : step();
          },
        ];
      });
    expect(findingsOf(story(false))).toEqual(["lostWakeup"]);
    expect(findingsOf(story(true))).toEqual([]);
  });

  test("two tasks that undo each other for ever are a livelock; a loop that can be left is none", () => {
    const story = (leaves: boolean): Story =>
      processes("polite", (s) => {
        const turn = s.cell("turn");
        return [
          function* (): Generator<Effect, ReturnType<typeof to>, number> {
            const mine = yield when(turn, "==", leaves ? 1 : 2);
            return mine === 1 ? to("") : to("run");
          },
          function* (): Code {
            yield write(turn, 1);
          },
        ];
      });
    // turn never becomes 2
    expect(findingsOf(story(true))).toEqual([]);
    expect(() => search(compile(story(false)))).not.toThrow();
    expect(findingsOf(story(false))).toEqual(["livelock"]);
  });

  test("sleeping under a spinlock, and unlocking what one does not hold, are broken rules", () => {
    const sleeper = processes("sleeper", (s) => {
      const l = s.lock("l");
      return [
        function* (): Code {
          yield sleep("msleep");
          yield lock(l);
          yield sleep("kmalloc(GFP_KERNEL)");
          yield unlock(l);
        },
      ];
    });
    const r = search(compile(sleeper));
    expect(r.findings.map((f) => [f.finding, f.path.length])).toEqual([["ruleBroken", 3]]);
    const stranger = processes("stranger", (s) => {
      const l = s.lock("l");
      return [
        function* (): Code {
          yield unlock(l);
        },
      ];
    });
    expect(findingsOf(stranger)).toEqual(["ruleBroken"]);
  });

  test("page pools, reference counts and NAPI: what the kernel does holds, what it did before or without atomics breaks", () => {
    const found = Object.fromEntries(stories.map((s) => [s.id, findingsOf(s.make())]));
    expect(found).toEqual({
      page_pool: [],
      "page_pool-before-6.16": ["assertion"],
      skb_refs: [],
      "skb_refs-plain": ["leak"],
      skb_clone: [],
      "skb_clone-plain": ["leak"],
      napi: [],
      "napi-no-look": ["packetWaits"],
      "napi-level": [],
      "napi-missed": [],
      "napi-before-4.11": ["packetWaits"],
      "napi-two-queues": [],
      "napi-two-queues-forgotten": ["packetWaits"],
      refill: [],
      "refill-no-timer": ["ringStaysEmpty"],
    });
  });
});

/** Depth first with strings: slow and plain. */
function naive(p: Program): { states: number; transitions: number } {
  const seen = new Set<string>();
  const todo = [Int32Array.from(p.initial)];
  seen.add(String(p.initial));
  let transitions = 0;
  for (let s = todo.pop(); s !== undefined; s = todo.pop())
    for (let t = 0; t < p.tasks; t++) {
      const next = Int32Array.from(s);
      if (stepOf(p, next, t) === blocked) continue;
      transitions++;
      if (!seen.has(String(next))) {
        seen.add(String(next));
        todo.push(next);
      }
    }
  return { states: seen.size, transitions };
}

describe("how it searches", () => {
  test("the hashed search and a naive one see the same states and transitions", () => {
    for (const story of [
      lostUpdate,
      abba("same"),
      abba("reversed"),
      ...stories.filter((s) => !s.id.includes("-")).map((s) => s.make()),
    ]) {
      const p = compile(story);
      const r = search(p);
      expect({ story: story.name, states: r.states, transitions: r.transitions }).toEqual({
        story: story.name,
        ...naive(p),
      });
    }
  });

  test("partial-order reduction finds what the plain search finds, in fewer states", () => {
    const story = processes("private work", (s) => {
      const n = s.cell("n", 2);
      const own = [s.cell("own0", 3), s.cell("own1", 3)];
      return [0, 1].map(
        (i) =>
          function* (): Code {
            for (let k = 0; k < 3; k++) yield add(own[i] ?? n, 1);
            const seen = yield read(n);
            yield write(n, Math.min(seen + 1, 2));
            if (seen > 0) yield fail("somebody was first");
          },
      );
    });
    const plain = search(compile(story));
    const reduced = search(compile(story), { reduce: true });
    expect(reduced.findings.map((f) => f.finding)).toEqual(plain.findings.map((f) => f.finding));
    expect(reduced.states).toBeLessThan(plain.states);
  });

  test("a bound on preemptions says that it was one, and counts them: the lost update needs one", () => {
    const p = compile(lostUpdate, { preemptions: true });
    const none = search(p, { preemptions: 0 });
    expect(none.findings).toEqual([]);
    expect(none.complete).toBe(false);
    expect(none.limits).toEqual(["only schedules with at most 0 preemptions"]);
    expect(search(p, { preemptions: 1 }).findings.map((f) => f.finding)).toEqual(["lostUpdate"]);
  });

  test("a limit on states stops the search and says what was covered", () => {
    const r = search(compile(lostUpdate), { states: 5 });
    expect(r.complete).toBe(false);
    expect(r.states).toBe(5);
    expect(r.limits[0]).toMatch(/stopped at 5 states; \d of them were followed/);
  });

  test("random schedules find the lost update (seed 1) and are the same again with the same seed", () => {
    const p = compile(lostUpdate);
    const runs = randomRuns(p, { seed: 1, runs: 50 });
    expect(runs.findings.map((f) => f.finding)).toEqual(["lostUpdate"]);
    expect(randomRuns(p, { seed: 1, runs: 50 })).toEqual(runs);
  });

  test("every schedule found replays to what was found; a step that must wait changes nothing", () => {
    for (const story of [lostUpdate, abba("reversed"), ...stories.map((s) => s.make())]) {
      const p = compile(story);
      for (const f of search(p).findings.filter((x) => x.also === undefined)) {
        const played = replay(p, readSchedule(scheduleText(f.path), p));
        expect(played.findings.map((x) => x.finding)).toContain(f.finding);
      }
    }
    const p = compile(abba("same"));
    const waited = replay(p, [0, 1, 0]);
    expect(waited.steps.map((x) => x.moved)).toEqual([true, false, true]);
    expect(waited.steps[1]?.changes).toEqual([]);
    expect(waited.end).toContain("t0");
  });
});

describe("bad stories get a sentence that names task and step", () => {
  const complaint = (build: (s: StoryBuilder) => Section[]): string => {
    try {
      search(compile(processes("bad", build)));
    } catch (error) {
      if (error instanceof BadInput) return error.sentence();
      throw error;
    }
    return "no complaint";
  };

  test("one that never ends", () => {
    expect(
      complaint((s) => {
        const n = s.cell("n");
        return [
          function* (): Code {
            while ((yield when(n, "==", 1, "spin.c:loop")) === 0);
          },
        ];
      }),
    ).toMatch(/task t0: the story never ends: run\(\), step \d+ .*spin\.c:loop/);
  });

  test("an effect that is not announced: a yield of something else, or a memory of its own", () => {
    expect(
      complaint(() => [
        function* (): Code {
          yield undefined as unknown as Effect;
        },
      ]),
    ).toMatch(/task t0: run\(\), step 1 announced no effect/);
    let hidden = 0;
    expect(
      complaint((s) => {
        const n = s.cell("n", 9);
        return [
          function* (): Code {
            yield when(n, "==", 0);
            yield write(n, hidden++ % 9);
            yield step();
          },
        ];
      }),
    ).toMatch(/did not announce everything: with the same answers it first announced n = \d and then announced n = \d/);
  });

  test("a value, a list, or a state that does not fit", () => {
    expect(
      complaint((s) => {
        const n = s.cell("n", 1);
        return [
          function* (): Code {
            yield add(n, 1, "x.c:up");
            yield add(n, 1, "x.c:up again");
          },
        ];
      }),
    ).toContain(
      'task t0: the state does not fit at the step "n += 1 at x.c:up again": the value would be 2, allowed is 0 .. 1.',
    );
    expect(
      complaint((s) => {
        const big = Array.from({ length: 9 }, (_, i) => s.cell(`big${i}`, 65535));
        return [
          function* (): Code {
            for (const b of big) yield write(b, 1);
          },
        ];
      }),
    ).toMatch(/the state does not fit: it needs \d+ bits, there are 127.*big0 16/);
    expect(
      complaint((s) => {
        const n = s.cell("n", 1);
        return [
          function* (): Code {
            yield write(n, 2);
          },
        ];
      }),
    ).toContain("step 1: the state does not fit: 2 in n, which holds 0 .. 1");
  });

  test("a step joined to one that may have to wait, a foreign cell, a schedule of nobody", () => {
    expect(
      complaint((s) => {
        const l = s.lock("l");
        return [
          function* (): Code {
            yield joined(step());
            yield lock(l);
          },
        ];
      }),
    ).toContain("is joined to the step before, but it may have to wait");
    expect(() => readSchedule("07", compile(lostUpdate))).toThrow(
      /step 2 is "7", but the tasks of this story are 0 to 1/,
    );
  });
});

describe("states are told apart by all of their bits", () => {
  // Tasks that only count are in one place all the time: states differ in nothing but the counters, wherever those lie in the state.
  test.each([0, 1, 2, 3, 4, 5])("with %i cells of 16 bits before the counters", (pads) => {
    const p = compile(
      defineStory("counters", (s) => {
        for (let i = 0; i < pads; i++) s.cell(`pad${i}`, 65535, 65535);
        for (let i = 0; i < 3; i++) {
          const n = s.cell(`n${i}`, 31);
          const run = function* (): Code<Goto> {
            if ((yield when(n, "==", 31)) === 1) return to("");
            yield joined(add(n, 1));
            return to("run");
          };
          s.task({ name: `t${i}`, context: "process", cpu: i, start: "run", sections: { run } });
        }
      }),
    );
    const { states, complete } = search(p, { livelock: false });
    const alone = search(
      compile(
        defineStory("one counter", (s) => {
          const n = s.cell("n", 31);
          const run = function* (): Code<Goto> {
            if ((yield when(n, "==", 31)) === 1) return to("");
            yield joined(add(n, 1));
            return to("run");
          };
          s.task({ name: "t", context: "process", cpu: 0, start: "run", sections: { run } });
        }),
      ),
    ).states;
    expect([complete, states]).toEqual([true, alone ** 3]);
  });
});
