// Ways through the page in a real Chromium, at 1440 by 900 and as a phone: inputs that follow each other, one incident from its verdict to the pages that
// it leads to, and what a hand does on a map or a packet.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { ifLong } from "../base/size.testkit.ts";
import type { Diagnosis } from "../diagnosis/finding.ts";
import type { CaseResult } from "../scenario/cases/index.ts";
import { chromiumForTests, chromiumHere, eventually, mapOf, phone, printed, root, sizes } from "./web.testkit.ts";

const textOf = (name: string): string => readFileSync(join(root, "fixtures/logs", name), "latin1");
const give = (page: Page, name: string): Promise<void> =>
  page.setInputFiles("input[type=file]", join(root, "fixtures/logs", name));
/** A file that a hand lets fall beside every zone, or a text that it pastes, where the page has it. */
const hand = (page: Page, on: string, how: "drop" | "paste", text: string): Promise<void> =>
  page.evaluate(`{
    const data = new DataTransfer();
    const at = document.querySelector(${JSON.stringify(on)});
    const more = { bubbles: true, cancelable: true };
    if (${how === "drop"}) {
      data.items.add(new File([${JSON.stringify(text)}], "dropped.log"));
      for (const kind of ["dragover", "drop"]) at.dispatchEvent(new DragEvent(kind, { ...more, dataTransfer: data }));
    } else {
      data.setData("text/plain", ${JSON.stringify(text)});
      at.dispatchEvent(new ClipboardEvent("paste", { ...more, clipboardData: data }));
    }
  }`);
const titleOf = (page: Page): Promise<string | null> => page.getAttribute(".incident", "aria-label");

describe.runIf(chromiumHere)(`ways in Chromium${chromiumHere ? "" : " (no Chromium here: not run)"}`, () => {
  const { visit } = chromiumForTests();

  test.each(ifLong(sizes("desk")))(
    "%s another input is another step: Back, the rail and a reload come to the input, the incident and the answer that were left",
    async (_, size) => {
      const page = await visit("", size);
      await page.waitForSelector("#log");
      await hand(page, "footer", "drop", textOf("failures_6.1.txt"));
      await page.waitForSelector(".rail:has-text('dropped.log')");
      await page.click(".pick >> nth=3");
      const left = await titleOf(page);
      await give(page, "tg3_gentoo_2009.txt");
      await eventually(() => titleOf(page)).toContain("tg3");
      expect(new URL(page.url()).hash).not.toContain("at=");
      const other = await titleOf(page);
      await page.goBack();
      await eventually(() => titleOf(page)).toBe(left);
      await page.goForward();
      await eventually(() => titleOf(page)).toBe(other);
      await page.reload();
      await page.waitForSelector(".verdict");
      expect(await page.textContent(".incidents h2")).toBe("1 report, 1 cause");
      await page.click(".rail li:has-text('dropped.log') >> text=incidents");
      await eventually(() => titleOf(page)).toBe(left);
      await page.click("[aria-label='Remove dropped.log']");
      await page.click("text=Forget");
      await page.waitForSelector("#log");
      // A large text never enters the field that it is pasted into.
      await hand(page, "#log", "paste", textOf("failures_6.1.txt"));
      await page.waitForSelector(".verdict");
    },
  );

  test.each(ifLong(sizes("phone")))(
    "%s the newer input is answered, and the older is no longer worked at",
    async (_, size) => {
      const page = await visit("#/diagnose", size);
      await page.waitForSelector("#log");
      const filler = "[    1.000000] usb 1-1: new high-speed USB device number 2 using xhci_hcd\n".repeat(400_000);
      await page.setInputFiles("input[type=file]", {
        name: "old.log",
        mimeType: "text/plain",
        buffer: Buffer.from(filler + textOf("failures_6.1.txt")),
      });
      await page.waitForSelector(".work .working:has-text('Reading')");
      await give(page, "tg3_gentoo_2009.txt");
      await eventually(() => titleOf(page)).toContain("tg3");
      expect(await page.locator(".working").count()).toBe(0);
      expect(await page.textContent(".incidents h2")).toBe("1 report, 1 cause");
    },
  );

  test.each(ifLong(sizes("desk")))(
    "%s with the keyboard alone: from the first key to a log, its command in the clipboard, the keys, a term and the search",
    async (_, size) => {
      const page = await visit("", size);
      await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
      await page.waitForSelector("#log");
      const tabTo = async (name: RegExp): Promise<void> => {
        for (let left = 80; left > 0; left--) {
          await page.keyboard.press("Tab");
          const at = await page.evaluate<string>(
            "document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText ?? ''",
          );
          if (name.test(at)) return;
        }
        throw new Error(`no Tab leads to ${name}`);
      };
      await tabTo(/^6\.1: failures of several orders/);
      await page.keyboard.press("Enter");
      await page.waitForSelector(".verdict .command");
      await tabTo(/^Copy: /);
      await page.keyboard.press("Enter");
      expect(await page.evaluate("navigator.clipboard.readText()")).toBe(
        await page.textContent(".verdict .command code"),
      );
      await page.keyboard.press("?");
      await page.waitForSelector("dialog[open]");
      await page.keyboard.press("Escape");
      await page.waitForSelector("dialog[open]", { state: "detached" });
      await tabTo(/^Page allocation failure of order 3/);
      await page.keyboard.press("Enter");
      await eventually(() => titleOf(page)).toContain("order 3");
      await page.locator(".incident button.term").first().focus();
      await page.waitForSelector("#definition");
      await page.keyboard.press("Escape");
      await page.waitForSelector("#definition", { state: "detached" });
      await page.locator(".incident .place").first().press("Enter");
      await page.waitForSelector(".log .here");
      await page.keyboard.press("/");
      await page.keyboard.type("warn_alloc");
      await eventually(() => page.locator(".log li.hit").count()).toBeGreaterThan(0);
      await page.keyboard.press("Enter");
      await eventually(() => page.textContent(".log .here mark")).toBe("warn_alloc");
      await page.keyboard.press("Escape");
      await page.locator("aside .toggle input").press("Space");
      await eventually(() =>
        page.evaluate("(() => { const l = document.querySelector('.log'); return l.scrollWidth - l.clientWidth; })()"),
      ).toBe(0);
    },
  );

  test.each(sizes("phone"))(
    "%s the verdict, the order of incidents, the time axis and an OOM's pictures are the diagnosis'; each way on leads there and Back",
    async (_, size) => {
      const said = printed("diagnose", "failures_6.1.txt");
      const page = await visit("#/diagnose?example=failures_6.1.txt", size);
      await page.waitForSelector(".verdict");
      const { incidents } = (await said) as Diagnosis;
      const worst = incidents.find((i) => i.severity === "act")!;
      const bad = worst.findings.find((f) => f.id === "judgement.harmless")!;
      expect(await page.textContent(".verdict .how-bad")).toBe(bad.claim);
      for (const href of await page
        .locator(".verdict .suspect")
        .evaluateAll((all: { getAttribute(n: string): string | null }[]) => all.map((a) => a.getAttribute("href")))) {
        const cleared = worst.findings.find((f) => href === `#claim-${f.id}`);
        expect(cleared?.answer, `${href}`).toBe("no");
      }
      expect(await page.locator(".verdict .suspect").count()).toBeGreaterThan(0);
      expect(await page.locator(".axis a").count()).toBe(incidents.reduce((n, i) => n + i.occurrences.length, 0));
      // Worst first; what belongs to one moment is in one frame.
      const listed = await page.locator(".pick .title").allInnerTexts();
      expect(listed.length).toBe(incidents.length);
      expect(listed[0]).toBe(worst.title);
      expect(await page.locator(".episode.several .pick").count()).toBe(
        incidents.filter((i) => i.findings.some((f) => f.id === "episode.together")).length,
      );
      await page.click(".pick >> nth=0");
      const oom = worst.oom!;
      const parts = await page.locator("#claim-oom\\.scope svg[aria-label]").first().getAttribute("aria-label");
      for (const p of oom.parts) expect(parts).toContain(`${p.what} `);
      const rows = page.locator(".processes tbody tr");
      const names = (): Promise<string[]> => rows.locator("td:nth-child(1)").allInnerTexts();
      const resident = oom.processes.toSorted((a, b) => (b.rssBytes ?? -1) - (a.rssBytes ?? -1));
      expect((await names()).map((n) => n.replace(/ killed$/, ""))).toEqual(resident.slice(0, 50).map((p) => p.name));
      await page.click(".processes th:has-text('pid') button");
      await page.click(".processes th:has-text('pid') button");
      const pids = await rows.locator("td:nth-child(2)").allInnerTexts();
      expect(pids.map((t) => Number(t.replaceAll(",", "")))).toEqual(
        oom.processes
          .map((p) => p.pid)
          .toSorted((a, b) => a - b)
          .slice(0, 50),
      );
      await page.goBack();
      await page.locator(".pick", { hasText: "order 3" }).click();
      const left = await titleOf(page);
      const at = new URL(page.url()).hash;
      const answer = await page.textContent(".incidents h2");
      await page.click(".ways >> text=in Memory");
      await page.waitForSelector(".answer:has-text('Free memory by order')");
      await page.goBack();
      // What was made of the report for Memory is no evidence about it.
      await eventually(() => titleOf(page)).toBe(left);
      expect(new URL(page.url()).hash).toBe(at);
      expect(await page.textContent(".incidents h2")).toBe(answer);
      for (const [way, there] of [
        ["among the cases", ".answer table"],
        ["The mask", "main.page-decode .answer"],
      ] as const) {
        await page.click(`.ways >> text=${way}`);
        await page.waitForSelector(there);
        await page.goBack();
        await eventually(() => titleOf(page)).toBe(left);
      }
      await page.goto(page.url().replace(/#.*/, "#/diagnose?example=bad_pages_6.1.txt&at=1&part=incident"));
      await page.click(".ways >> text=Such a fault");
      await page.waitForSelector("main.page-packet .steps");
    },
  );

  test.each(ifLong(sizes("desk")))("%s a case's own log opens in Diagnose", async (_, size) => {
    const { log } = JSON.parse(readFileSync(join(root, "src/web/shipped/emac-writev.json"), "utf8")) as CaseResult;
    const page = await visit("#/cases?id=emac-writev", size);
    await page.click("text=Its log in Diagnose");
    await page.waitForSelector(".verdict");
    const first = log!.split("\n").find((l) => l.trim() !== "")!;
    expect(await page.textContent(".log")).toContain(first.trim());
  });

  test.each(ifLong(sizes("desk")))(
    "%s a map: blocks in frames, the overlay, the tip at the pointer, Ctrl and the wheel, and no way to lose it",
    async (_, size) => {
      const page = await visit("#/memory?mb=64", size);
      await page.getByRole("button", { name: "Run", exact: true }).click();
      const map = await mapOf(page, 1);
      const picture = (): Promise<string> => map.evaluate((c) => (c as unknown as { toDataURL(): string }).toDataURL());
      const before = await picture();
      const overlay = page.locator("label.toggle", { hasText: "free but for 1 to 8 pages" }).nth(1);
      expect(await overlay.innerText()).toMatch(/frame the [1-9]\d* blocks/);
      await overlay.locator("input").check();
      await eventually(picture).not.toBe(before);
      await overlay.locator("input").uncheck();
      await eventually(picture).toBe(before);
      if (size === phone) {
        // A finger that begins on a map which is seen whole scrolls the page.
        await map.scrollIntoViewIfNeeded();
        const at = await map.boundingBox();
        const from = await page.evaluate<number>("scrollY");
        const finger = await page.context().newCDPSession(page);
        const [x, y] = [(at?.x ?? 0) + 100, (at?.y ?? 0) + 250];
        await finger.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [{ x, y }] });
        for (let d = 20; d <= 200; d += 20)
          await finger.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: [{ x, y: y - d }] });
        await finger.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
        await eventually(() => page.evaluate<number>("scrollY")).toBeGreaterThan(from + 50);
      }
      await map.hover({ position: { x: 60, y: 60 } });
      const [tip, at] = [await page.locator(".tip").boundingBox(), await map.boundingBox()];
      expect(Math.abs((tip?.x ?? 0) - (at?.x ?? 0) - 60)).toBeLessThan(300);
      expect(Math.abs((tip?.y ?? 0) - (at?.y ?? 0) - 60)).toBeLessThan(110);
      expect(await page.locator(".tip").innerText()).toMatch(/^pfn \d+/);
      const scrolled = await page.evaluate("scrollY");
      await page.keyboard.down("Control");
      await page.mouse.wheel(0, -240);
      await page.keyboard.up("Control");
      await eventually(() => page.url()).toContain("window=");
      expect(await page.evaluate("scrollY")).toBe(scrolled);
      // Its edge comes to the middle and no farther.
      for (let i = 0; i < 120; i++) await map.press("ArrowRight");
      const window = (): number[] =>
        (new URLSearchParams(new URL(page.url()).hash.split("?")[1]).get("window") ?? "").split(",").map(Number);
      await eventually(() => (window()[0] ?? 0) + (window()[2] ?? 0) / 2).toBeGreaterThan(120);
      expect((window()[0] ?? 0) + (window()[2] ?? 0) / 2).toBeLessThanOrEqual(129);
      // The film and a machine of one's own are two things.
      await page.click("text=Your machine");
      await eventually(() => page.locator("canvas.map").count()).toBe(0);
      await page.goBack();
      await eventually(() => page.locator("canvas.map").count()).toBe(2);
    },
  );

  test.each(sizes("phone"))(
    "%s a clone is two cards on one strip; what a step changed is marked and told; a fault shows the ghost and who had the buffer",
    async (_, size) => {
      const page = await visit("#/packet?story=clone", size);
      const next = page.getByRole("button", { name: "Next" });
      const cards = (): Promise<number[]> =>
        Promise.all([page.locator(".stepper .card").count(), page.locator(".stepper rect.strip").count()]);
      await page.waitForSelector(".stepper .card");
      const told = new Set<string>();
      for (let step = 1; ; step++) {
        await eventually(() => page.textContent(".bar")).toContain(`step ${step} of 8`);
        const outcome = (await page.textContent(".outcome")) ?? "";
        expect(outcome).toMatch(/^(alloc_skb|p?skb_\w+|kfree_skb)\(\d*\) on slot \d /);
        told.add(outcome);
        if (step === 3) {
          expect(outcome).toContain("tail 64 to 464");
          expect(await page.locator(".stepper .ticked").allTextContents()).toContain("tail 464");
        }
        if (step === 4) expect(await cards()).toEqual([2, 1]);
        if (step === 5) expect(await cards()).toEqual([2, 2]);
        if (step === 8) break;
        await next.click();
      }
      expect(told.size).toBe(8);
      await page.getByLabel("Story").selectOption("write-in-clone");
      await eventually(() => page.textContent(".bar")).toContain("step 1 of 4");
      while (await next.isEnabled()) await next.click();
      await page.waitForSelector(".error:has-text('write to shared data')");
      expect(await page.locator(".owners h3").allInnerTexts()).toEqual(["Path of slot 1", "Path of slot 0"]);
      await page.getByLabel("Story").selectOption("double-free");
      await eventually(() => page.textContent(".outcome")).toContain("netdev_alloc_skb(1500)");
      while (await next.isEnabled()) await next.click();
      await page.waitForSelector(".error:has-text('double free')");
      expect(await page.textContent(".outcome")).toContain("it was free already");
      expect(await page.locator(".stepper .ghost .card").count()).toBe(1);
    },
  );
});
