// A memory image in the page: dropped, read where it lies, drawn page by page, and cancelled. In Chromium, on a made-up kernel.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { elfCore } from "../image/container/container.testkit.ts";
import { tinyFrames, tinyKernel } from "../image/tiny.testkit.ts";
import { barriers, chromiumForTests, chromiumHere, eventually, mapOf } from "./web.testkit.ts";

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
    const { page, faults } = await visit("");
    const input = page.locator('input[type="file"]');
    // What it is decides the page.
    await input.setInputFiles(file);
    const answer = page.getByLabel("Answer: memory image");
    await answer.waitFor({ timeout: 30_000 });
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
    expect(faults).toEqual([]);
    await page.close();
  }, 120_000);
});
