import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Ran } from "./command.testkit.ts";
import { runCommand } from "./command.testkit.ts";
import { command } from "./explore.ts";

const run = (...args: string[]): Promise<Ran> => runCommand(command, args);

test("the JSON of the table has the promised shape, and each cell's schedule is accepted by --replay", async () => {
  const { json, exit } = await run("lltx", "--cpus", "2", "--ring", "1");
  expect(exit).toBe(0);
  const { schema, schemes } = json as { schema: string; schemes: Record<string, unknown>[] };
  expect(schema).toBe("skblab.explore/1");
  expect(schemes.map((s) => s["id"])).toEqual(["plain", "original", "silenced", "irq-xmit-lock", "final", "modern"]);
  const cells = ["race", "deadlock", "ruleBroken", "lostWakeup", "messageHidden"];
  for (const s of schemes) {
    expect(Object.keys(s)).toEqual(["id", "states", "complete", ...cells]);
    for (const c of cells) {
      const cell = s[c] as { schedule: string; steps: number } | null;
      if (cell === null) continue;
      const played = await run("lltx", "--scheme", String(s["id"]), "--replay", cell.schedule);
      expect((played.json as { findings: { finding: string }[] }).findings.map((f) => f.finding)).toContain(c);
    }
  }
});

test("a story that breaks leaves with 1 and draws its picture; one that holds leaves with 0", async () => {
  const dir = mkdtempSync(join(tmpdir(), "skblab-explore-"));
  try {
    const svg = join(dir, "race.svg");
    expect((await run("page_pool-before-6.16", "--svg", svg)).exit).toBe(1);
    expect(readFileSync(svg, "utf8")).toContain("</svg>");
    expect((await run("page_pool")).exit).toBe(0);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test("what cannot be is said in one sentence", async () => {
  await expect(run("lltx", "--replay", "00")).rejects.toThrow("--replay plays a schedule of one scheme.");
  await expect(run("lltx", "--scheme", "nope")).rejects.toThrow('There is no scheme "nope".');
  await expect(run("lltx", "--cpus", "9")).rejects.toThrow('--cpus is "9"; it must be a whole number 2 .. 4.');
  await expect(run("no-such")).rejects.toThrow("There is no story no-such.");
  await expect(run("lltx", "--scheme", "plain", "--replay", "0x")).rejects.toThrow('step 2 is "x"');
  await expect(run("skb_refs", "--cpus", "3")).rejects.toThrow("--cpus is for lltx: the story skb_refs says");
});
