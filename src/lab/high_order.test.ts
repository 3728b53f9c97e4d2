import { expect, test } from "vitest";
import { highOrderKind } from "../scenario/high_order_kind.ts";
import type { HighOrderResult } from "./high_order.ts";

const settings = (given: object): unknown => highOrderKind.schema.parse(given);
const small = { memoryMb: 256, seeds: 3, requests: 40, load: { kilopages: 150, jobs: 12 } };

test("grouping keeps large blocks whole where the plain buddy scatters kernel pages, and active freeing finds them under load", () => {
  const { cells } = highOrderKind.run(settings(small)) as HighOrderResult;
  const of = (policy: string, activeFreeing: boolean): number[] => {
    const cell = cells.find((c) => c.policy === policy && c.activeFreeing === activeFreeing);
    return [cell?.granted.loaded.estimate ?? -1, cell?.granted.deleted.estimate ?? -1];
  };
  for (const policy of ["placement-2005", "mobility"]) {
    expect(of(policy, false)[1]).toBeGreaterThan((of("classic", false)[1] as number) + 20);
    expect(of(policy, true)[0]).toBeGreaterThan((of("classic", true)[0] as number) + 10);
  }
});

test("the same file gives the same bytes, and every part alone gives what it gives among the others", () => {
  const s = settings({ ...small, policies: ["mobility"], activeFreeing: [false], seeds: 2 });
  const whole = highOrderKind.run(s) as HighOrderResult;
  expect(JSON.stringify(highOrderKind.run(s))).toBe(JSON.stringify(whole));
  const parts = highOrderKind.parts;
  const last = parts?.list(s).at(-1);
  expect(parts?.run(s, last)).toEqual(whole.runs.at(-1));
});

test("shares that add up to more than one are refused", () => {
  const bad = highOrderKind.schema.safeParse({ load: { cacheShare: 0.9, slabShare: 0.2 } });
  expect(bad.error?.issues[0]?.message).toMatch(/add up to more than 1/);
});
