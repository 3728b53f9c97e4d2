// Monotone under loss: whatever part of a log is missing, an answer may become unknown or vanish. It never turns round and nothing appears
// that the whole text does not carry. Every log of fixtures/logs is cut in seeded ways; MONOTONE_CUTS=20000 makes a long run of it.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { prng } from "../base/prng.ts";
import { judgeText, loseSome, newClaims } from "./monotone.testkit.ts";

const root = new URL("../../fixtures/logs/", import.meta.url);
const seed = Number(process.env.MONOTONE_SEED ?? 20261129);
const names = readdirSync(root).filter((n) => n.endsWith(".txt") || n.endsWith(".log"));
const each = Math.ceil(Number(process.env.MONOTONE_CUTS ?? 400) / names.length);
/** A stretch of a long log is enough to be cut. */
const stretch = 260;

describe.skipIf(process.env.MONOTONE_CUTS === undefined)(
  `monotone under loss (seed ${seed}, ${each} cuts a log)`,
  () => {
    test.each(names)("%s", { timeout: 3_600_000 }, async (name) => {
      const p = prng(seed + names.indexOf(name));
      const all = readFileSync(new URL(name, root), "utf8").split(/\r?\n/);
      const bad: string[] = [];
      let first = -1;
      let lines: readonly string[] = [];
      let whole: Awaited<ReturnType<typeof judgeText>> = [];
      for (let round = 0; round < each; round++) {
        if (round % 20 === 0) {
          first = p.below(Math.max(1, all.length - stretch));
          lines = all.slice(first, first + stretch);
          whole = await judgeText(lines.map((l) => `${l}\n`).join(""));
        }
        const cut = loseSome(lines, p);
        for (const report of await judgeText(cut.text))
          bad.push(...newClaims(cut, whole, report).map((b) => `line ${first + 1}: ${b}`));
      }
      expect(bad).toEqual([]);
    });
  },
);
