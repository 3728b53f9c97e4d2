import { expect, test } from "vitest";
import { prng } from "../../base/prng.ts";
import { createJournal } from "../journal.ts";
import { createClock } from "./clock.ts";

test("equal times run in the order they were asked for", () => {
  const clock = createClock(createJournal());
  const seen: number[] = [];
  const note = clock.handler((a) => seen.push(a));
  for (let i = 0; i < 50; i++) clock.after(5, note, i);
  expect(clock.run(10, 1000)).toBe("idle");
  expect(seen).toEqual(Array.from({ length: 50 }, (_, i) => i));
});

test("a seeded history of timers, of cancellations and of lines of events runs as a sorted list does (seed 11)", () => {
  const p = prng(11);
  const clock = createClock(createJournal());
  const seen: [number, number][] = [];
  let twin: { at: number; order: number; id: number }[] = [];
  const expected: [number, number][] = [];
  const timers = new Map<number, number>();
  const note = clock.handler((id) => seen.push([clock.now(), id]));
  // A line is a faster place for events that are asked for in the order of their times; those out of order find theirs all the same.
  const lines = [1, 2].map(() => ({ line: clock.line((id) => seen.push([clock.now(), id])), last: 0 }));
  for (let i = 0; i < 20_000; i++) {
    const choice = p.below(14);
    if (choice >= 10) {
      const own = p.pick(lines);
      const delay = p.chance(0.1) ? p.below(50) : Math.max(0, own.last - clock.now()) + p.below(4);
      own.last = clock.now() + delay;
      clock.inLine(own.line, delay, i);
      twin.push({ at: clock.now() + delay, order: i, id: i });
    } else if (choice < 6) {
      const delay = p.below(50);
      timers.set(i, clock.after(delay, note, i));
      twin.push({ at: clock.now() + delay, order: i, id: i });
    } else if (choice < 8 && timers.size > 0) {
      const [id, timer] = p.pick([...timers]);
      timers.delete(id);
      expect(clock.cancel(timer)).toBe(twin.some((t) => t.id === id));
      twin = twin.filter((t) => t.id !== id);
    } else {
      const until = clock.now() + p.below(30);
      clock.run(until, 1e9);
      const due = twin.filter((t) => t.at <= until).sort((a, b) => a.at - b.at || a.order - b.order);
      for (const t of due) expected.push([t.at, t.id]);
      twin = twin.filter((t) => t.at > until);
    }
  }
  expect(seen).toEqual(expected);
  expect(clock.pending()).toBe(twin.length);
});

test("a line that outgrows its room, in the middle of it, keeps its order", () => {
  const clock = createClock(createJournal());
  const seen: number[] = [];
  const line = clock.line((a) => seen.push(a));
  let asked = 0;
  const ask = (count: number): void => {
    for (let i = 0; i < count; i++, asked++) clock.inLine(line, asked + 1 - clock.now(), asked);
  };
  ask(60);
  clock.run(40, 1e9);
  ask(500);
  expect(clock.pending()).toBe(520);
  clock.run(1e9, 1e9);
  expect(seen).toEqual(Array.from({ length: 560 }, (_, i) => i));
  expect(clock.pending()).toBe(0);
});

test("limits end a run that would not end by itself", () => {
  const clock = createClock(createJournal());
  const again = clock.handler(() => void clock.after(1, again));
  clock.after(0, again);
  expect(clock.run(1e18, 1000)).toBe("events");
  expect(clock.run(5000, 1e9)).toBe("time");
  expect(clock.now()).toBe(5000);
});
