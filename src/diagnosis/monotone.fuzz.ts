// Monotone under loss: whatever part of a log is missing, an answer may become unknown or vanish. It never turns round and nothing appears
// that the whole text does not carry. Every log of the fixtures is cut in seeded ways; MONOTONE_CUTS=20000 makes a long run of it,
// MONOTONE_FOLDER=dir cuts the texts of that folder instead, MONOTONE_OUT=file takes what was found, one line each.
import { appendFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { faultsUnderLoss } from "./monotone.testkit.ts";

const fixtures = join(import.meta.dirname, "../../fixtures");
const { MONOTONE_FOLDER: folder, MONOTONE_OUT: out, MONOTONE_ONLY: only = "" } = process.env;
const seed = Number(process.env.MONOTONE_SEED ?? 20261129);
const cuts = Number(process.env.MONOTONE_CUTS ?? 400);

const logsIn = (path: string): string[] =>
  readdirSync(path)
    .filter((n) => /\.(txt|log)$/.test(n) && n.includes(only))
    .map((n) => join(path, n));

const logs =
  folder === undefined
    ? [
        ...["logs", "field", "reports", "diagnosis"].flatMap((d) => logsIn(join(fixtures, d))),
        ...["page_pool/stall_dmesg.log", "input/report.log"].map((f) => join(fixtures, f)),
      ]
    : logsIn(folder);

describe.skipIf(process.env.MONOTONE_CUTS === undefined)(
  `monotone under loss: ${cuts} cuts of ${logs.length} logs, seed ${seed}`,
  () => {
    // Each log has its share of the cuts; where there are fewer cuts than logs, a seeded few are cut.
    const share = (i: number): number =>
      Math.floor(((i + 1) * cuts) / logs.length) - Math.floor((i * cuts) / logs.length);
    test.each(logs.map((path, i) => [path.split("/").at(-1) as string, path, i] as const))(
      "%s",
      { timeout: 3_600_000 },
      async (name, path, i) => {
        const bad = await faultsUnderLoss(readFileSync(path, "utf8"), share(i), seed + i);
        if (out !== undefined) for (const b of bad) appendFileSync(out, `${name} ${b}\n`);
        expect(bad).toEqual([]);
      },
    );
  },
);
