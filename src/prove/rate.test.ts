import { expect, test } from "vitest";
import type { ProveInput } from "../diagnosis/machine_told.ts";
import { rateOf } from "./rate.ts";

const of = (count: number, occurrences: NonNullable<ProveInput["occurrences"]>) =>
  rateOf({ count, occurrences } as ProveInput);

test("a count, with what the rate limit left out, in the time since boot", () => {
  expect(of(212, [{ seconds: 100 }, { seconds: 4_262_686.8 }])).toEqual({
    perSecond: 212 / 4_262_686.8,
    words: "212 in 49 days after boot",
  });
  expect(of(1, [{ seconds: 12.03 }])?.words).toBe("1 in 12 s after boot");
});

test("each boot and each machine has its own clock", () => {
  const two = [{ seconds: 1000 }, { seconds: 900, boot: 2 }, { seconds: 600, boot: 2 }];
  expect(of(3, two)).toEqual({ perSecond: 3 / 1900, words: "3 in 1,900 s of 2 boots" });
  expect(
    of(2, [
      { seconds: 500, host: "a" },
      { seconds: 500, host: "b" },
    ])?.perSecond,
  ).toBe(2 / 1000);
});

test("dates where no line has a boot's clock: what lies between the first and the last", () => {
  const weekly = ["Jun  3 04:00:01", "Jun 10 04:00:01", "Jun 17 04:00:01"].map((wallClock) => ({ wallClock }));
  expect(of(3, weekly)).toEqual({ perSecond: 2 / (14 * 86_400), words: "2 in 14 days from the first to the last" });
});

test("nothing says it: no time, one date, no count", () => {
  expect(of(5, [{}])).toBeUndefined();
  expect(of(1, [{ wallClock: "Jun  3 04:00:01" }])).toBeUndefined();
  expect(of(2, [{ wallClock: "Jun  3 04:00:01" }, { wallClock: "Jun  3 04:00:01" }])).toBeUndefined();
  expect(rateOf({ occurrences: [{ seconds: 10 }] } as unknown as ProveInput)).toBeUndefined();
});
