// A memory image in the page: dropped, read where it lies, drawn page by page, and cancelled. In Chromium, on a made-up kernel.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { elfCore } from "../image/container/container.testkit.ts";
import { oracleBytes, whyNoOracle } from "../image/image.testkit.ts";
import { tinyFrames, tinyKernel } from "../image/tiny.testkit.ts";
import { barriers, chromiumForTests, chromiumHere, eventually, mapOf, printed } from "./web.testkit.ts";

describe.runIf(chromiumHere)("memory images in Chromium", () => {
  const folder = mkdtempSync(join(tmpdir(), "skblab-web-image-"));
  const { visit } = chromiumForTests();
  afterAll(() => rmSync(folder, { recursive: true }));

  test("its answer, its exact map, and whose a page is; what is no image is told in one sentence", async () => {
    const tiny = tinyKernel(5);
    const pages = new Map(
      Array.from({ length: tinyFrames }, (_, pfn) => [pfn, tiny.bytes.subarray(pfn * 4096, (pfn + 1) * 4096)] as const),
    );
    const file = join(folder, "tiny.elf");
    writeFileSync(file, elfCore(pages, { note: tiny.vmcoreinfo }));
    const page = await visit("");
    const input = page.locator('input[type="file"]');
    // What it is decides the page.
    await input.setInputFiles(file);
    const answer = page.getByLabel("Answer: memory image");
    await answer.waitFor();
    expect(await answer.innerText()).toMatch(/9\.9\.9-tiny/);
    expect(await answer.innerText()).toMatch(/No finding/);
    const map = await mapOf(page);
    await map.hover({ position: { x: 6, y: 6 } });
    await eventually(() => answer.innerText()).toMatch(/pfn \d+ \(0x[0-9a-f]+\)/);
    expect(await barriers(page)).toEqual([]);
    const wrong = join(folder, "wrong.elf");
    writeFileSync(wrong, Buffer.concat([Buffer.from("KDUMP   "), Buffer.alloc(400, 7)]));
    await input.setInputFiles(wrong);
    await page.waitForSelector("main .error");
  });

  test.runIf(whyNoOracle() === undefined)(
    "a search that is cancelled leaves the answer and the image; made again, it says what the command says; so does reading cancelled",
    async () => {
      const file = join(folder, "7.2.elf");
      writeFileSync(file, oracleBytes("7.2-elf"));
      const page = await visit("");
      const input = page.locator('input[type="file"]');
      /** Presses Cancel of what says `label`, in the moment in which it is shown. */
      const cancelled = (label: string): Promise<void> =>
        page.evaluate(`new Promise((resolve) => {
          const watch = new MutationObserver(() => {
            const shown = [...document.querySelectorAll(".working")].find((w) => w.textContent.includes(${JSON.stringify(label)}));
            if (shown === undefined) return;
            watch.disconnect();
            shown.querySelector("button").click();
            resolve();
          });
          watch.observe(document.body, { childList: true, subtree: true, characterData: true });
        })`);
      const nothingRuns = (): Promise<void> => eventually(() => page.locator(".working").count()).toBe(0);
      const readingStopped = cancelled("Reading the image");
      await input.setInputFiles(file);
      await readingStopped;
      await nothingRuns();
      expect(await page.getByLabel("Answer: memory image").count()).toBe(0);
      await input.setInputFiles(file);
      const answer = page.getByLabel("Answer: memory image");
      await answer.waitFor();
      const search = page.getByRole("button", { name: /Search all memory/ });
      const searchStopped = cancelled("Searching all memory");
      await search.click();
      await searchStopped;
      await nothingRuns();
      expect(await search.count()).toBe(1);
      // The image is still at hand: whose a page is comes from its worker.
      const map = await mapOf(page);
      await map.hover({ position: { x: 6, y: 6 } });
      await eventually(() => answer.innerText()).toMatch(/refcount \d+/);
      await search.click();
      await search.waitFor({ state: "detached" });
      const command = (await printed("image", file)) as {
        readonly pools: readonly { readonly holders: readonly { readonly text: string }[] }[];
      };
      const texts = command.pools.flatMap((p) => p.holders.map((h) => h.text));
      expect(texts.some((t) => t.includes("to which module vmc: dring points"))).toBe(true);
      const said = (await answer.innerText()).replace(/\s+/g, " ");
      for (const text of texts.slice(0, 12)) expect(said).toContain(text);
    },
  );
});
