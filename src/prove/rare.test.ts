// A failure that comes in one burst of some fifty: what a proof makes of a few long bursts is what a long plain run of the same machine gives.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { mean } from "../analysis/statistics.ts";
import { drawLengths, meansOf } from "../analysis/tail.ts";
import { prng } from "../base/prng.ts";
import { explain } from "../diagnosis/explain.ts";
import { jobOf, measureJob } from "./batch.ts";
import { burstSettings } from "./episode.ts";
import { buildMachine } from "./machine.ts";

const longest = 900;
const machines = [1, 2, 3];

test("importance sampling over bursts is unbiased against a long plain run of the machine of a bundled report", {
  timeout: 60_000,
}, async () => {
  const log = new URL("../../fixtures/logs/failures_6.1.txt", import.meta.url);
  const incident = (await explain({ log: readFileSync(log, "utf8") })).incidents[6];
  const built = incident === undefined ? "no incident" : buildMachine(incident, 0, true);
  if (typeof built === "string") throw new Error(built);
  const everyLength = Array.from({ length: longest }, (_, i) => i + 1);
  // Failures of every length, on machines whose blocks lie elsewhere.
  const failures = machines.map((seed) =>
    measureJob(jobOf(burstSettings(built, 0, longest, {}), seed, everyLength)).measures.map(
      (m) => m.printedFailures ?? 0,
    ),
  );
  const of = (machine: number, length: number): number =>
    failures[machine % machines.length]?.[Math.min(longest, Math.max(1, Math.round(length))) - 1] ?? 0;
  const first = Math.min(...failures.map((f) => f.findIndex((n) => n > 0) + 1));
  expect(first).toBeGreaterThan(20);

  const seed = 20_261_130;
  const random = prng(seed);
  const m = first / 4;
  const plain = Array.from({ length: 1_000_000 }, (_, i) => of(i, -m * Math.log(1 - random.unit())));
  const rare = plain.filter((n) => n > 0).length / plain.length;
  expect(rare, `seed ${seed}`).toBeLessThan(1 / 40);
  expect(rare * plain.length).toBeGreaterThan(500);

  const lengths = drawLengths(first / 6, Math.min(longest, first * 6), 24, 1200, prng(seed).fork("bursts"));
  const sampled = meansOf(
    lengths,
    m,
    lengths.sets.map((set, s) => set.map((length) => of(s, length))),
  );
  const errorOf = (values: readonly number[]): number => {
    const centre = mean(values);
    return Math.sqrt(mean(values.map((x) => (x - centre) ** 2)) / values.length);
  };
  const [a, b] = [mean(plain), mean(sampled)];
  expect(Math.abs(a - b), `seed ${seed}: plain ${a}, sampled ${b}`).toBeLessThan(
    4 * Math.hypot(errorOf(plain), errorOf(sampled)),
  );
  // And the test is sharp enough to find a bias of a tenth.
  expect(4 * Math.hypot(errorOf(plain), errorOf(sampled))).toBeLessThan(a / 10);
});
