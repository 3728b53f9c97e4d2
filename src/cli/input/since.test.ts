import { expect, test } from "vitest";
import { momentOf, parseSince } from "./since.ts";

const now = new Date(2026, 10, 29, 23, 0, 0);
const local = (year: number, month: number, ...rest: number[]): number => new Date(year, month, ...rest).getTime();

test("a time as a user writes it, told back", () => {
  expect(parseSince("2026-11-29 22:00", now).text).toBe("2026-11-29 22:00:00");
  expect(parseSince("2026-11-29", now).text).toBe("2026-11-29 00:00:00");
  expect(parseSince("22:00", now).text).toBe("2026-11-29 22:00:00");
  expect(parseSince("2h", now).text).toBe("2026-11-29 21:00:00");
  expect(parseSince("90min", now).text).toBe("2026-11-29 21:30:00");
  expect(parseSince("3d", now).text).toBe("2026-11-26 23:00:00");
  expect(parseSince("boot+3600", now).text).toBe("3600 s after boot");
  for (const bad of ["soon", "", "2026-13-01", "2026-02-30", "25h1", "-3h", "boot+", "2026-11-29 25:00"])
    expect(() => parseSince(bad, now), bad).toThrow(/is not a time\./);
});

test.each([
  ["2026-11-29T20:35:16.123456+00:00", Date.UTC(2026, 10, 29, 20, 35, 16, 123)],
  ["2026-11-29T20:35:16,5-0330", Date.UTC(2026, 10, 30, 0, 5, 16, 500)],
  ["2009-10-28 02:33:35", local(2009, 9, 28, 2, 33, 35)],
  ["Fri Nov 20 20:35:16 2026", local(2026, 10, 20, 20, 35, 16)],
  ["Jun  5 03:14:07", local(2026, 5, 5, 3, 14, 7)],
  // December has not come yet: last year's.
  ["Dec 24 18:00:00.123456", local(2025, 11, 24, 18, 0, 0)],
  ["Nov20 20:35", local(2026, 10, 20, 20, 35)],
  ["11-20 20:35:16.123", local(2026, 10, 20, 20, 35, 16)],
])("%s", (text, moment) => {
  expect(Math.floor(momentOf(text, now)! / 1000)).toBe(Math.floor(moment / 1000));
});

test("a time that cannot be compared is undefined, never old: other languages' months, other clocks", () => {
  expect(momentOf("juin 25 03:14:07", now)).toBeUndefined();
  const since = parseSince("2h", now);
  expect(since.before({ seconds: 5 })).toBeUndefined();
  expect(since.before({})).toBeUndefined();
  expect(since.before({ wallClock: "Nov 29 20:59:59" })).toBe(true);
  expect(since.before({ wallClock: "Nov 29 21:00:00" })).toBe(false);
  const boot = parseSince("boot+100");
  expect([
    boot.before({ seconds: 99.9 }),
    boot.before({ seconds: 100 }),
    boot.before({ wallClock: "Nov 29 21:00:00" }),
  ]).toEqual([true, false, undefined]);
});
