import { expect, test } from "vitest";
import type { Advice } from "../diagnosis/finding.ts";
import { measuredAdvice } from "./measured.ts";
import type { Proof, ProofRow } from "./proof.ts";

const advice = (action: string, kb: number): Advice => ({
  change: { kind: "min_free_kbytes", kb },
  action,
  changes: "x",
  costs: "y",
  command: `sysctl ${kb}`,
});
const interval = (estimate: number): ProofRow["before"] => ({ estimate, low: estimate - 1, high: estimate + 1 });
const row = (name: string, kb: number, after: number, verdict: ProofRow["verdict"]): ProofRow => ({
  name,
  change: { kind: "min_free_kbytes", kb },
  advised: true,
  advice: name,
  provided: null,
  note: null,
  measure: null,
  before: interval(100),
  after: interval(after),
  difference: interval(after - 100),
  verdict,
  lostBefore: 0,
  lostAfter: 0,
});

test("what helps most comes first, what was not run behind it, what made it worse last and without a command to copy", () => {
  const all = [advice("worse", 1), advice("same", 2), advice("never ran", 3), advice("some", 4), advice("most", 5)];
  const rows = [
    row("worse", 1, 217, "raises"),
    row("same", 2, 101, "no clear difference"),
    row("some", 4, 60, "lowers"),
    row("most", 5, 0, "lowers"),
  ];
  const proof = {
    rows,
    seeds: 5,
    refused: null,
    untested: [{ action: "never ran", why: "no such machine" }],
  } as unknown as Proof;
  const ranked = measuredAdvice(all, proof);
  expect(ranked.map((a) => [a.action, a.measured.outcome, a.command !== undefined])).toEqual([
    ["most", "lowers", true],
    ["some", "lowers", true],
    ["never ran", "not run", true],
    ["same", "no difference", true],
    ["worse", "worse", false],
  ]);
  expect(ranked[0]?.measured).toEqual({
    outcome: "lowers",
    before: 100,
    after: 0,
    interval: [-101, -99],
    runs: 5,
    why: null,
    provided: null,
  });
  expect(ranked[2]?.measured.why).toBe("no such machine");
});

test("a proof that ran nothing says of each advice why, and leaves the order", () => {
  const all = [advice("b", 2), advice("a", 1)];
  const proof = { rows: [], seeds: 0, refused: "the request could wait", untested: [] } as unknown as Proof;
  expect(measuredAdvice(all, proof).map((a) => [a.action, a.measured.why])).toEqual([
    ["b", "the request could wait"],
    ["a", "the request could wait"],
  ]);
});
