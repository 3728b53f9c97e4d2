// A stack of which any run of lines is lost says less, never something else: runs of every stack of the fixtures are taken out, a seeded few of
// them; STACK_ALL=1 takes each.
// STACK_FOLDER=dir takes the texts of that folder instead.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { prng } from "../base/prng.ts";
import { sized } from "../base/size.testkit.ts";
import type { CallTrace } from "../kernel/readings/call_trace.ts";
import { judgeText } from "./monotone.testkit.ts";
import type { StackView } from "./stack.ts";
import { driverNameOf, viewStack } from "./stack.ts";

const fixtures = join(import.meta.dirname, "../../fixtures");
const folders =
  process.env.STACK_FOLDER === undefined
    ? ["logs", "field", "reports", "diagnosis"].map((d) => join(fixtures, d))
    : [process.env.STACK_FOLDER];
const logs = folders.flatMap((d) =>
  readdirSync(d)
    .filter((n) => n.endsWith(".txt") && n.includes(process.env.STACK_ONLY ?? ""))
    .map((n) => join(d, n)),
);

const seed = Number(process.env.STACK_SEED ?? 20261129);
const share = process.env.STACK_ALL === undefined ? sized(0.04, 0.1) : 1;

/** What a view claims; undefined where it claims nothing. */
const claims: Readonly<Record<string, (v: StackView) => string | undefined>> = {
  direction: (v) => v.direction,
  driver: driverNameOf,
  // In a softirq or in an interrupt: nobody may sleep in either.
  process: (v) => (v.context === "unknown" ? undefined : v.context === "process" ? "yes" : "no"),
};

/** Only the stack of a refused request says who asked. */
const requests = ["alloc_failure", "slab_failure"];

function without(trace: CallTrace, from: number, to: number): CallTrace {
  return { ...trace, items: trace.items.filter((_, i) => i < from || i >= to) };
}

test(`no run of lines that is lost makes a stack say something else (seed ${seed})`, { timeout: 600_000 }, async () => {
  const p = prng(seed);
  const bad: string[] = [];
  const seen = new Set<string>();
  for (const path of logs) {
    for (const { c } of await judgeText(readFileSync(path, "utf8"))) {
      const trace = "trace" in c.incident.reading ? c.incident.reading.trace : undefined;
      if (trace === undefined || !requests.includes(c.incident.kind)) continue;
      const look = trace.items.map((i) => (i.kind === "frame" ? i.function : "")).join();
      if (seen.has(look)) continue;
      seen.add(look);
      const whole = viewStack(trace, [], true);
      const n = trace.items.length;
      for (let from = 0; from < n; from++)
        for (let to = from + 1; to <= n; to++) {
          if (!p.chance(share)) continue;
          const view = viewStack(without(trace, from, to), [], true);
          for (const [name, of] of Object.entries(claims)) {
            const now = of(view);
            if (now !== undefined && now !== of(whole)) {
              const at = (i: number): string => {
                const item = trace.items[i];
                return item?.kind === "frame" ? item.function : (item?.kind ?? "-");
              };
              bad.push(
                `${path.split("/").at(-1)} line ${c.incident.firstLine}: ${name} was ${of(whole)}, is ${now}: ${at(from - 1)} [${at(from)} to ${at(to - 1)}] ${at(to)}`,
              );
            }
          }
        }
    }
  }
  if (process.env.STACK_OUT !== undefined) writeFileSync(process.env.STACK_OUT, bad.join("\n"));
  expect(bad).toEqual([]);
});
