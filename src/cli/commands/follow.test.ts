// A log that is written while it is read: nothing is told twice, and nothing that was written is lost, however the file is rotated.
import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { prng } from "../../base/prng.ts";
import { logFixture, startCommand } from "../process.testkit.ts";
import { followFile } from "../watch/follow_file.ts";
import { createTeller, cutAt } from "../watch/teller.ts";

const folder = mkdtempSync(join(tmpdir(), "skblab-follow-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("a followed file", () => {
  test("pieces of lines, rotation, a cut and a gap: every line once, in order", () => {
    const seed = 12;
    const random = prng(seed);
    for (let round = 0; round < 40; round++) {
      const path = join(folder, `r${round}.log`);
      writeFileSync(path, "");
      const file = followFile(path);
      const got: string[] = [];
      const take = (all?: boolean): void => void got.push(...file.read(all).map((l) => l.text));
      const want: string[] = [];
      let half = "";
      for (let step = 0; step < 60; step++) {
        const what = random.below(10);
        if (what < 6) {
          const text = `${half}line ${want.length} ${"x".repeat(random.below(40))}`;
          const cut = half === "" && random.chance(0.3) ? random.below(text.length) + 1 : text.length;
          if (half === "") appendFileSync(path, text.slice(0, cut));
          half = "";
          appendFileSync(path, `${text.slice(cut)}\n`);
          want.push(text);
        } else if (what < 8) take();
        else if (what === 8) {
          renameSync(path, `${path}.1`);
          if (random.chance(0.5)) take();
          writeFileSync(path, "");
        } else {
          // A file that is cut after it was read loses nothing.
          take();
          truncateSync(path);
          take();
        }
        // Two rotations between two looks would lose the file between: a watch looks four times a second.
        take();
      }
      take(true);
      expect(got, `seed ${seed}, round ${round}`).toEqual(want);
      file.close();
    }
  });
  test("a file that vanishes is waited for, with a sentence; a last line without an end is told at the end", () => {
    const path = join(folder, "gone.log");
    writeFileSync(path, "one\ntw");
    const file = followFile(path);
    expect(file.read()).toEqual([{ line: 1, text: "one" }]);
    rmSync(path);
    expect(file.read()).toEqual([]);
    expect(file.read()).toEqual([]);
    expect(file.remarks()).toEqual([`${path} is gone: waiting for it to come back.`]);
    writeFileSync(path, "three\nfour");
    expect(file.read()).toEqual([
      { line: 2, text: "tw" },
      { line: 1, text: "three" },
    ]);
    expect(file.remarks()).toEqual([`${path} is back: reading it from its start.`]);
    expect(file.read(true)).toEqual([{ line: 2, text: "four" }]);
    file.close();
  });
});

test("a log that never rests is cut between reports, where its own stamps lie farthest apart", async () => {
  const line = (seconds: number, text: string) => ({ sequence: undefined, text: `[ ${seconds.toFixed(6)}] ${text}` });
  const report = logFixture("e1000_refill_6.1.txt").trimEnd().split("\n");
  const lines: { sequence: undefined; text: string }[] = [];
  for (let i = 0; lines.length < 4100; i++) {
    const at = 1000 + i * 10;
    for (const text of report)
      lines.push(line(at + 0.000001 * (lines.length % 1000), text.replace(/^\[ *[\d.]+\] /, "")));
  }
  const cut = cutAt(lines);
  expect([cut % report.length, cut > 2000, cut <= 4000]).toEqual([0, true, true]);
  let told = 0;
  const teller = createTeller({
    name: "log",
    around: [],
    told: (d) => {
      told += d.incidents.reduce((n, i) => n + i.count, 0);
    },
  });
  teller.lines(lines, 0);
  await teller.turn(1);
  await teller.turn(2, true);
  expect(told).toBe(lines.length / report.length);
});

test("diagnose --follow: what is there, then what comes, then how many; --fail-on counts both", async () => {
  const path = join(folder, "kern.log");
  const report = logFixture("e1000_refill_6.1.txt");
  const other = logFixture("ppc405ex_emac_2009.txt");
  writeFileSync(path, report);
  const running = startCommand(["diagnose", "--follow", path, "--brief", "--fail-on", "corruption"]);
  await running.says(/e1000[\s\S]*Following/);
  // What comes later stands at its own line of the file, and each incident is one line of the answer.
  const before = report.split("\n").length - 1;
  appendFileSync(path, `[  100.0] eth0: link is up\n${logFixture("page_pool_stall_6.1.txt")}`);
  await running.says(/stalled/i);
  const lines = running.out().trimEnd().split("\n");
  expect(lines.filter((l) => !/^(corruption|unknown|act|watch|harmless): .*kern\.log:\d+$/.test(l))).toEqual([]);
  expect(Math.min(...lines.slice(1).map((l) => Number(/:(\d+)$/.exec(l)?.[1])))).toBeGreaterThan(before + 1);
  renameSync(path, `${path}.1`);
  writeFileSync(path, other);
  await running.says(/corruption: /);
  expect(await running.stop()).toBe(1);
  expect(running.err()).toContain("was replaced: reading it from its start.");
  expect(running.out()).toMatch(/\d+ incidents reported\./);
  expect(running.out().match(/e1000/g)).toHaveLength(1);
});
