// The table of seed 003: what the article says of each scheme, found by search; and the checks can fail.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { oneIn } from "../base/size.testkit.ts";
import { faultsOf, knownFaults } from "./lltx.testkit.ts";
import { promelaText } from "./promela.ts";
import { scheduleText } from "./replay.ts";
import { search } from "./search.ts";
import { lltxProgram, lltxTable, readVariants, readWorld, replayLltx, worldOf } from "./stories/lltx.ts";
import { schemes, type Variant } from "./stories/transmit.ts";

const small = lltxTable({ cpus: 2, ring: 1 });
const found = (scheme: string, variant: Variant, cpus = 2, ring = 1): string[] =>
  search(lltxProgram(scheme, worldOf(cpus, ring, [variant]))).findings.map((f) => f.finding);

test("each scheme fails as the article tells, and in no other column (2 CPUs, ring 1, searched to the end)", () => {
  expect(faultsOf(small)).toEqual(knownFaults);
});

test("the message: the original prints it without cause, the first patch never, the final one only for a real error", () => {
  const printed = (id: string): readonly boolean[] => {
    const d = small.details.find((x) => x.id === id);
    return [d?.falseAlarm !== null, d?.messagePrinted !== null];
  };
  expect([printed("original"), printed("silenced"), printed("final")]).toEqual([
    [true, true],
    [false, false],
    [false, false],
  ]);
  expect(found("final", "faulty")).toContain("messagePrinted");
  expect(found("final", "faulty")).not.toContain("messageHidden");
  expect(found("silenced", "faulty")).toContain("messageHidden");
});

test("every cell's schedule replays to the same end", () => {
  let cells = 0;
  for (const row of small.rows)
    for (const column of ["race", "deadlock", "ruleBroken", "lostWakeup", "messageHidden"] as const) {
      const shown = row[column];
      if (shown === null) continue;
      cells++;
      const { replay } = replayLltx(row.id, shown.schedule);
      expect(replay.steps.length).toBe(shown.steps);
      expect(replay.findings.map((f) => f.finding)).toContain(column);
    }
  expect(cells).toBe(6);
});

test("canary: without its fix a good scheme fails", () => {
  expect(found("plain", "no-xmit-lock")).toContain("race");
  expect(found("final", "no-stopped-check")).toContain("falseAlarm");
  expect(found("modern", "no-recheck")).toContain("lostWakeup");
  expect(found("modern", "no-barrier")).toContain("lostWakeup");
  expect(found("original", "no-requeue-kick")).toContain("lostWakeup");
});

test("what 2.6.11-rc2 forbids to drivers is harmless under the plain xmit_lock", () => {
  expect(found("plain", "unlock-irq")).toEqual([]);
  expect(found("plain", "kfree-skb")).toEqual([]);
  expect(found("irq-xmit-lock", "relock")).toEqual(["deadlock"]);
  expect(found("irq-xmit-lock", "unlock-irq").sort()).toEqual(["deadlock", "ruleBroken"]);
  expect(found("irq-xmit-lock", "kfree-skb")).toEqual(["ruleBroken"]);
});

test("2.6.18 lets one CPU at a time run the qdisc: then even the original LLTX has no race and no reordering", () => {
  expect(found("original", "qdisc-running")).toEqual([]);
});

test("LLTX lets a younger packet overtake; the plain xmit_lock does not (2 CPUs, ring 2)", () => {
  const names = (scheme: string): string[] => search(lltxProgram(scheme, worldOf(2, 2))).findings.map((f) => f.finding);
  expect(names("original")).toContain("reordered");
  expect(names("plain")).toEqual([]);
});

test("one preemption is enough for the race of the original scheme", () => {
  const p = lltxProgram("original", worldOf(2, 1), true);
  expect(search(p, { preemptions: 0 }).findings.map((f) => f.finding)).not.toContain("race");
  expect(search(p, { preemptions: 1 }).findings.map((f) => f.finding)).toContain("race");
});

test("partial-order reduction changes no verdict of the table", () => {
  const reduced = lltxTable({ cpus: 2, ring: 1, reduce: true });
  const verdicts = (rows: typeof small.rows): unknown =>
    rows.map((r) => [
      r.id,
      r.race === null,
      r.deadlock === null,
      r.ruleBroken === null,
      r.lostWakeup === null,
      r.messageHidden === null,
    ]);
  expect(verdicts(reduced.rows)).toEqual(verdicts(small.rows));
});

test("the race is ten steps long and reads as the article tells it", () => {
  const row = small.rows.find((r) => r.id === "original");
  expect(row?.race).toEqual({ schedule: "0000111001", steps: 10 });
  const { replay } = replayLltx("original", "0000111001");
  expect(replay.steps.at(-1)?.state).toContainEqual(["xoff", "1"]);
  expect(replay.steps.at(-1)?.state).toContainEqual(["used", "1"]);
});

test("worlds and variants are read, and refused with advice", () => {
  expect(readWorld("3x2+faulty")).toEqual({ cpus: 3, ring: 2, packets: 3, variants: ["faulty"] });
  expect(() => readWorld("9x1")).toThrow(/"9x1" is not CPUs x ring/);
  expect(() => readVariants(["x"])).toThrow(/no variant "x"/);
});

test("every world of 2 to 4 CPUs and rings of 1 to 4 fits the state and starts", () => {
  for (const { id } of oneIn(3, schemes))
    for (const [cpus, ring] of [
      [2, 4],
      [3, 3],
      [4, 4],
    ] as const) {
      const r = search(lltxProgram(id, worldOf(cpus, ring)), { states: 500, livelock: false });
      expect(r.limits[0]).toMatch(/stopped at 500 states/);
    }
});

function spinHere(): boolean {
  try {
    execFileSync("sh", ["-c", "command -v spin && command -v cc"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

test.runIf(spinHere())("spin finds the same number of states", () => {
  const dir = mkdtempSync(join(tmpdir(), "skblab-spin-test-"));
  try {
    for (const id of oneIn(3, ["plain", "original", "modern"])) {
      const p = lltxProgram(id, worldOf(2, 1));
      writeFileSync(join(dir, "m.pml"), promelaText(p));
      execFileSync("spin", ["-a", "m.pml"], { cwd: dir, stdio: "ignore" });
      execFileSync("cc", ["-O0", "-w", "-DSAFETY", "-DNOREDUCE", "-o", "pan", "pan.c"], { cwd: dir, stdio: "ignore" });
      const out = execFileSync("./pan", ["-m100000", "-E"], { cwd: dir, encoding: "utf8" });
      expect(Number(/(\d+) states, stored/.exec(out)?.[1])).toBe(search(p).states);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test("a schedule that asks a waiting task to move is shown, not refused", () => {
  const { replay } = replayLltx("original", "00100111");
  expect(replay.steps.length).toBe(8);
  expect(scheduleText(replay.steps.map((s) => s.task))).toBe("00100111");
});
