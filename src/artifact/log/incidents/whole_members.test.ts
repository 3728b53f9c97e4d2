// What a Reading holds is whole: of a log whose lines were all cut at a column each member is as the whole log has it, or is not there. A number
// that lost digits, a name that lost letters would be taken for another. WHOLE_CUTS=200 makes a long run of it.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { prng } from "../../../base/prng.ts";
import type { Incident } from "../../../kernel/readings/incident.ts";
import { repairText } from "../lines.ts";
import { readIncidents } from "./read_incidents.ts";

const fixtures = join(import.meta.dirname, "../../../../fixtures");
const cuts = Number(process.env.WHOLE_CUTS ?? 3);
const seed = Number(process.env.WHOLE_SEED ?? 20261201);

/** Members that are a line as it was printed, or a part of one that ends with it: these end where the line was cut. */
const asPrinted =
  /\.(?:headline|text|message|oops|panic|code|modules|hardware|workqueue|reason|rangeLine|endTrace|allocated|freed|absent|heading|place|build|packageId|taintNames|aops|pageType|bug|what|problem)(?:\.\d+)?$/;

/**
 * Members whose extent is told apart from them: frames (diagnosis/stack_gaps.ts takes none without its offset), registers (register_extent.ts), the
 * reserves of a zone (mem_info_extent.ts). The first line that is left may be the second of a fault. Lists of modules and bytes of code are joined
 * from lines, and what ends a line by its form has nothing behind it that would prove its end.
 */
const elsewhere =
  /\.(?:trace|registers|frames|allocatedBy|freedBy|headline|at|link|lowmemReserve|modules|code|sanitizer|index|dev|address|reason|message|fixes|class|addresses|namesNodes|pagesScanned|totals|swapCache|perCpu|bytes|pfn)\b|\.memInfo\.tail\./;

/** Words for what is not known, or for less of it. */
const unknown: readonly unknown[] = ["not said", "unknown", "other", "nothing to kill"];

/** What `cut` has that `whole` has not, by its path; undefined where there is nothing. */
function differs(whole: unknown, cut: unknown, path: string): string | undefined {
  if (cut === undefined || cut === whole || unknown.includes(cut) || elsewhere.test(path)) return undefined;
  if (Array.isArray(cut)) {
    const all: readonly unknown[] = Array.isArray(whole) ? whole : [];
    for (const [i, member] of cut.entries())
      if (!all.some((w) => differs(w, member, path) === undefined)) return `${path}[${i}] is ${JSON.stringify(member)}`;
    return undefined;
  }
  if (typeof cut === "object" && cut !== null) {
    if (typeof whole !== "object" || whole === null) return `${path} is ${JSON.stringify(cut)}`;
    for (const [key, member] of Object.entries(cut)) {
      const found = differs((whole as Record<string, unknown>)[key], member, `${path}.${key}`);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (typeof cut === "string" && typeof whole === "string" && asPrinted.test(path) && whole.startsWith(cut.trimEnd()))
    return undefined;
  return `${path} is ${JSON.stringify(cut)}, was ${JSON.stringify(whole)}`;
}

const logs = ["logs", "field"].flatMap((folder) =>
  readdirSync(join(fixtures, folder))
    .filter((name) => /\.(?:txt|log)$/.test(name))
    .map((name) => join(fixtures, folder, name)),
);

const read = (text: string): readonly Incident[] => readIncidents(repairText(text)).incidents;

test(`every log, cut at ${cuts} columns (seed ${seed})`, { timeout: 3_600_000 }, () => {
  expect(logs.length).toBeGreaterThan(300);
  const bad: string[] = [];
  for (const [n, path] of logs.entries()) {
    const lines = readFileSync(path, "utf8").split(/\r?\n/).slice(0, 400);
    // What a column cuts of a log that was wrapped before is the end of a line's first half.
    if (repairText(lines.join("\n")).some((l) => l.repairs?.includes("rejoined") === true)) continue;
    const whole = read(lines.join("\n"));
    const widest = Math.max(...lines.map((l) => l.length));
    const p = prng(seed + n);
    for (let round = 0; round < cuts; round++) {
      const column = 30 + p.below(Math.max(1, widest - 30));
      for (const i of read(lines.map((l) => l.slice(0, column)).join("\n"))) {
        const same = whole.filter((w) => w.kind === i.kind && w.firstLine <= i.lastLine && w.lastLine >= i.firstLine);
        if (same.length === 0 || same.some((w) => differs(w.reading, i.reading, i.kind) === undefined)) continue;
        bad.push(
          `${path.split("/").at(-1)} at column ${column}: ${differs(same[0]?.reading, i.reading, i.kind)?.slice(0, 200)}`,
        );
      }
    }
  }
  expect(bad).toEqual([]);
});
