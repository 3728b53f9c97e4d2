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

test("a seeded history of timers and cancellations runs as a sorted list does (seed 11)", () => {
  const p = prng(11);
  const clock = createClock(createJournal());
  const seen: [number, number][] = [];
  let twin: { at: number; order: number; id: number }[] = [];
  const expected: [number, number][] = [];
  const timers = new Map<number, number>();
  const note = clock.handler((id) => seen.push([clock.now(), id]));
  for (let i = 0; i < 5000; i++) {
    const choice = p.below(10);
    if (choice < 6) {
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

test("limits end a run that would not end by itself", () => {
  const clock = createClock(createJournal());
  const again = clock.handler(() => void clock.after(1, again));
  clock.after(0, again);
  expect(clock.run(1e18, 1000)).toBe("events");
  expect(clock.run(5000, 1e9)).toBe("time");
  expect(clock.now()).toBe(5000);
});
