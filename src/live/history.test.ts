import { describe, expect, test } from "vitest";
import { prng } from "../base/prng.ts";
import { createHistory } from "./history.ts";
import type { Sample } from "./sample.ts";

const key = { node: 0, zone: "Normal", order: 2, context: "atomic" as const };
const sample = (
  seconds: number,
  requests: number | undefined,
  counters: Readonly<Record<string, number>> = {},
): Sample => ({
  seconds,
  rooms: [{ ...key, requests, short: false }],
  zones: [],
  pageBlockOrder: undefined,
  unmanagedPages: undefined,
  counters: new Map(Object.entries(counters)),
  caches: [],
  sockets: [],
  pools: undefined,
  missing: [],
});

describe("forecast", () => {
  test("a room that falls by 10 a minute from 100 is gone in ten minutes, whatever the noise: the true time lies in the interval nearly always", () => {
    const seed = 7;
    const random = prng(seed);
    let inside = 0;
    for (let round = 0; round < 100; round++) {
      const history = createHistory();
      let left = 0;
      for (let i = 0; i <= 60; i++) {
        left = 200 - (i * 10) / 6;
        history.add(sample(i * 10, Math.max(0, Math.round(left + (random.unit() - 0.5) * 20))));
      }
      const f = history.forecast(key);
      expect(f.trend, `seed ${seed}`).toBe("falling");
      if (f.trend === "falling" && f.from <= 60 * 10 * 1.1 && f.to >= 60 * 10 * 0.9) inside++;
    }
    expect(inside, `seed ${seed}`).toBeGreaterThan(90);
  });
  test("noise without a trend is not called falling more often than one time in twenty", () => {
    const random = prng(11);
    let falling = 0;
    for (let round = 0; round < 200; round++) {
      const history = createHistory();
      for (let i = 0; i < 40; i++) history.add(sample(i, Math.floor(random.unit() * 100) + 50));
      if (history.forecast(key).trend === "falling") falling++;
    }
    expect(falling).toBeLessThan(20);
  });
  test("gone, too few samples and unknown are said as such", () => {
    const history = createHistory();
    expect(history.forecast(key)).toEqual({ trend: "unknown", why: "no sample says this room" });
    history.add(sample(1, 5));
    expect(history.forecast(key)).toEqual({ trend: "unknown", why: "1 of 5 samples so far" });
    history.add(sample(2, undefined));
    history.add(sample(3, 0));
    expect(history.forecast(key)).toEqual({ trend: "gone" });
  });
});

describe("counters", () => {
  test("a counter that begins anew counts from 0; one that vanishes and comes back is not counted across the gap", () => {
    const history = createHistory();
    history.add(sample(0, 1, { drops: 100, gone: 50 }));
    history.add(sample(10, 1, { drops: 130 }));
    history.add(sample(20, 1, { drops: 5, gone: 900 }));
    history.add(sample(30, 1, { drops: 6, gone: 901 }));
    expect(history.rises(60)).toEqual([
      { name: "drops", by: 36, rate: 1.2 },
      { name: "gone", by: 1, rate: 1 / 30 },
    ]);
  });
  test("only the asked seconds count, and a clock that runs backwards begins anew", () => {
    const history = createHistory();
    for (let i = 0; i < 10; i++) history.add(sample(i * 10, 1, { drops: i }));
    expect(history.rises(20)).toEqual([{ name: "drops", by: 2, rate: 0.1 }]);
    history.add(sample(5, 1, { drops: 3 }));
    expect([history.samples.length, history.rises(60)]).toEqual([1, []]);
  });
  test("no more samples are kept than wanted", () => {
    const history = createHistory(3);
    for (let i = 0; i < 10; i++) history.add(sample(i, i));
    expect(history.samples.map((s) => s.seconds)).toEqual([7, 8, 9]);
  });
});
