import { expect, test } from "vitest";
import { prng } from "../base/prng.ts";
import { judge } from "./verdict.ts";

test("an interval on one side of zero is enough, from a tenth of the failures on", () => {
  expect(judge(100, [-50, -52, -48])).toEqual({ verdict: "lowers", note: null });
  expect(judge(100, [50, 52, 48])).toEqual({ verdict: "raises", note: null });
  expect(judge(1000, [-50, -52, -48]).verdict).toBe("no clear difference");
  expect(judge(0, [0, 0, 0, 0, 0, 0]).verdict).toBe("no clear difference");
});

test("where one set carries the mean, six that all agree are enough and five are not; the row says so", () => {
  const carried = [-900, -3, -1, -2, -4, -1];
  expect(judge(200, carried)).toEqual({
    verdict: "lowers",
    note: "fewer in each of the 6 sets; the interval of the mean includes no change",
  });
  expect(judge(200, carried.slice(0, 5))).toEqual({ verdict: "no clear difference", note: null });
  expect(judge(200, [-900, -3, -1, -2, -4, 1]).verdict).toBe("no clear difference");
  expect(judge(200, [-900, -3, -1, -2, -4, 0]).verdict).toBe("no clear difference");
  expect(
    judge(
      200,
      carried.map((d) => -d),
    ).note,
  ).toMatch(/^more in each of the 6 sets/);
});

test("a change that does nothing is said to do something in one case of twenty, hardly more for the sign test", () => {
  const random = prng(20_261_130);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random.unit())) * Math.cos(2 * Math.PI * random.unit());
  const cases = 20_000;
  for (const sets of [6, 8]) {
    let wrong = 0;
    for (let i = 0; i < cases; i++)
      if (judge(0, Array.from({ length: sets }, normal)).verdict !== "no clear difference") wrong++;
    expect(wrong / cases, `${sets} sets`).toBeGreaterThan(0.04);
    expect(wrong / cases, `${sets} sets`).toBeLessThan(0.06);
  }
});
