// The page Fleet in a real Chromium: what `skblab fleet --format json` printed is opened, and shows what the command line prints. What is no such file,
// or has somebody's markup in it, is a sentence or stays text.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, describe, expect, test } from "vitest";
import { isLong } from "../base/size.testkit.ts";
import type { FleetAnswer } from "../fleet/fleet.ts";
import { barriers, chromiumForTests, chromiumHere, printed, root } from "./web.testkit.ts";

const folder = mkdtempSync(join(tmpdir(), "skblab-web-fleet-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function answerOf(logs: readonly string[]): Promise<FleetAnswer> {
  for (const [h, log] of logs.entries()) {
    mkdirSync(join(folder, `web${h}`), { recursive: true });
    copyFileSync(join(root, "fixtures/logs", log), join(folder, `web${h}/dmesg.txt`));
  }
  return (await printed("fleet", folder)) as FleetAnswer;
}
const open = (page: Page, text: string): Promise<void> =>
  page.setInputFiles("main input[type=file]", {
    name: "fleet.json",
    mimeType: "application/json",
    buffer: Buffer.from(text),
  });

describe.runIf(chromiumHere)(`a fleet in Chromium${chromiumHere ? "" : " (no Chromium here: not run)"}`, () => {
  const { visit } = chromiumForTests();

  test("each cause is there, worst first, with its numbers; the chosen one is told with its example's whole diagnosis", async () => {
    const answer = await answerOf(["e1000_refill_6.1.txt", "tg3_gentoo_2009.txt", "e1000_refill_6.1.txt"]);
    expect(answer.causes.length).toBeGreaterThan(1);
    const page = await visit("#/fleet");
    await open(page, JSON.stringify(answer));
    const rows = page.getByRole("table", { name: "Causes, worst first" }).locator("tbody tr");
    await rows.first().waitFor();
    const cells = await rows.evaluateAll((all: { children: Iterable<{ textContent: string | null }> }[]) =>
      all.map((tr) => [...tr.children].map((td) => td.textContent)),
    );
    expect(cells).toEqual(
      answer.causes.map((c) => [
        c.title,
        c.severity,
        `${c.hosts}`,
        `${c.incidents}`,
        c.first?.slice(0, 10) ?? "-",
        c.last?.slice(0, 10) ?? "-",
        c.trend,
      ]),
    );
    for (const cause of answer.causes) {
      await rows.filter({ hasText: cause.title }).getByRole("button").click();
      const chosen = page.getByRole("region", { name: "The chosen cause" });
      await chosen.getByText(cause.example.diagnosis!.title).first().waitFor();
      const told = (await chosen.innerText()).replace(/\s+/g, " ");
      expect(told).toContain(cause.example.diagnosis!.cause.replace(/\s+/g, " "));
      expect(told).toContain(cause.example.host);
    }
    expect(await barriers(page)).toEqual([]);
  });

  test.runIf(isLong)("what is no fleet's answer is a sentence; markup in a host's name stays text", async () => {
    const answer = await answerOf(["e1000_refill_6.1.txt"]);
    const page = await visit("#/fleet");
    await open(page, '{"schema":"skblab.diagnosis/1"}');
    await page.getByText(/^fleet\.json: /).waitFor();
    const [cause] = answer.causes;
    const hostile = { ...answer, causes: [{ ...cause!, title: "<img src=x onerror=alert(1)>" }] };
    await open(page, JSON.stringify(hostile));
    await page.getByRole("button", { name: "<img src=x onerror=alert(1)>" }).waitFor();
    expect(await page.locator("main img").count()).toBe(0);
  });
});
