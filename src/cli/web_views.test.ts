// Pictures and editors of the other views in a real Chromium, at 1440 by 900 and as a phone: what moved in a struct is joined, racing steps are joined
// by an arrow, a scheme shows its lines, a claim its interval, and a scenario is completed by the published schema with the keyboard alone.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { isLong } from "../base/size.testkit.ts";
import { schemeLines, schemes } from "../explore/stories/transmit.ts";
import type { CaseResult } from "../scenario/cases/index.ts";
import { chromiumForTests, chromiumHere, desk, eventually, root, sizes } from "./web.testkit.ts";

const wider = (page: Page): Promise<number> =>
  page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");

describe.runIf(chromiumHere)(`views in Chromium${chromiumHere ? "" : " (no Chromium here: not run)"}`, () => {
  const { visit } = chromiumForTests();

  test.each(sizes("desk"))(
    "%s a struct before and after a change: what is new is marked, what moved is joined",
    async (_, at) => {
      const edit = encodeURIComponent("skb_frag_struct:+void *destructor first");
      const page = await visit(`#/packet?kernel=3.2-x86_64&struct=skb_frag_struct&edit=${edit}&shown=yes`, at);
      await page.waitForSelector("line.moved");
      const said = await page.locator("figure:has(line.moved) .note").first().innerText();
      expect(said).toContain("16 to 24 bytes; new: destructor; moved: ");
      const moved = /moved: (.*)\./.exec(said)?.[1]?.split(", ") ?? [];
      expect(moved.every((m) => /^\w+ (\d+) to (\d+)$/.test(m))).toBe(true);
      expect(await page.locator("figure:has(line.moved)").first().locator("line.moved").count()).toBe(moved.length);
      expect(await page.locator(".new-field").count()).toBeGreaterThan(0);
      expect(await wider(page)).toBeLessThanOrEqual(0);
      // Labels of one card that point to one place share it: none covers another.
      const covered = await page.evaluate<number>(`{
      const boxes = [...document.querySelectorAll(".drawn .card")][0].parentElement.querySelectorAll("g > text");
      const rects = [...boxes].map((t) => t.getBoundingClientRect());
      rects.filter((a, i) => rects.some((b, j) => j > i && a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3)).length;
    }`);
      expect(covered).toBe(0);
    },
  );

  test.each(sizes("phone"))("%s racing steps are joined by an arrow, and each scheme has its lines", async (_, at) => {
    const page = await visit("#/interleavings", at);
    await page.waitForSelector("td .found");
    const shown = await page
      .locator(".scheme-says pre")
      .evaluateAll((all) => all.map((pre) => [...pre.children].map((d) => d.textContent)));
    expect(shown).toEqual(schemes.map(schemeLines));
    await page.locator("tr", { hasText: "final" }).locator("button.found").first().click();
    await page.waitForSelector(".race-arrow line");
    const hits = await page.evaluate<boolean>(`{
      const line = document.querySelector(".race-arrow line");
      const frame = document.querySelector(".lanes-frame").getBoundingClientRect();
      const [from, to] = [...document.querySelectorAll("td.racing")].map((td) => td.getBoundingClientRect());
      const end = (name) => Number(line.getAttribute(name));
      const inside = (x, y, r) => x >= r.left - 1 && x <= r.right + 1 && y >= r.top - 1 && y <= r.bottom + 1;
      inside(frame.left + end("x1"), frame.top + end("y1"), from) && inside(frame.left + end("x2"), frame.top + end("y2"), to);
    }`);
    expect(hits).toBe(true);
    expect(await wider(page)).toBeLessThanOrEqual(0);
  });

  test.each(sizes("desk"))("%s a claim of several runs has its interval drawn", async (_, at) => {
    const shipped = JSON.parse(readFileSync(join(root, "src/web/shipped/tg3-order1.json"), "utf8")) as CaseResult;
    const page = await visit("#/cases?id=tg3-order1", at);
    await page.waitForSelector(".whisker");
    const drawn = shipped.claims.map((c) => Object.keys(c.ranges ?? {}).length).filter((n) => n > 1);
    expect(drawn.length).toBeGreaterThan(2);
    expect(await page.locator(".whisker").count()).toBe(
      drawn.reduce((a, b) => a + b) + shipped.picture.bars.filter((b) => b.range !== undefined).length,
    );
    expect(await wider(page)).toBeLessThanOrEqual(0);
  });

  test.each(sizes("phone"))("%s a scenario is completed by the schema, with the keyboard alone", async (_, at) => {
    const page = await visit("#/scenarios?scenario=mtu-sweep.yaml", at);
    await page.waitForSelector(".may-stand button");
    const area = page.locator("textarea");
    await area.fill("kind: machine\nrelease: 6.1-x86_64\nmem");
    await eventually(async () => (await page.locator(".may-stand li code").allInnerTexts()).join()).toBe("memoryMb");
    await area.press("Control+Space");
    await page.keyboard.press("Enter");
    await eventually(() => area.inputValue()).toBe("kind: machine\nrelease: 6.1-x86_64\nmemoryMb: ");
    await area.fill("kind: mach");
    await eventually(async () => (await page.locator(".may-stand li code").allInnerTexts()).join()).toBe("machine");
    expect(await wider(page)).toBeLessThanOrEqual(0);
  });

  test.runIf(isLong)("what a proof assumed is changed where it stands, and the proof says what was given", async () => {
    const page = await visit("#/diagnose?example=tg3_gentoo_2009.txt", desk);
    await page.click("text=Prove it");
    await page.waitForSelector('.advice button:enabled:has-text("Test again")');
    await page.click(".advice summary:has-text('The machine that was built')");
    const ring = page.getByLabel(/^receive ring instead of/);
    await ring.fill("100");
    await page.click("text=Prove it with these values");
    await page.waitForSelector(".advice dd:has-text('(given) given for this proof')");
    expect(await page.locator(".advice dd", { hasText: "(given)" }).innerText()).toMatch(/^100 \(given\)/);
    // What the report says offers no other value.
    expect(await page.locator(".advice dt:has-text('kernel') + dd input").count()).toBe(0);
  });
});
