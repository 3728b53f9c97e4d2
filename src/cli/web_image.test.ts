// A memory image in the page: dropped, read where it lies, drawn page by page, and cancelled. In Chromium, on a made-up kernel.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { elfCore } from "../image/container/container.testkit.ts";
import { tinyFrames, tinyKernel } from "../image/tiny.testkit.ts";
import { barriers, eventually, mapOf } from "./web.testkit.ts";

const root = join(import.meta.dirname, "../..");
const main = join(process.env["SKBLAB_DIST"] ?? join(root, "dist"), "cli/main.js");
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);

describe.runIf(executablePath !== undefined)("memory images in Chromium", () => {
  const folder = mkdtempSync(join(tmpdir(), "skblab-web-image-"));
  let browser: Browser;
  let stop: () => void;
  let base = "";
  beforeAll(async () => {
    const server = spawn(process.execPath, [main, "serve", "--no-open"], { stdio: ["ignore", "pipe", "ignore"] });
    stop = () => server.kill("SIGTERM");
    base = await new Promise<string>((resolve) => {
      server.stdout.once("data", (data: Buffer) => resolve(data.toString().trim()));
      server.once("exit", () => resolve(""));
    });
    if (base === "") throw new Error("skblab serve ended; was the project built?");
    browser = await chromium.launch({
      ...(executablePath === undefined ? {} : { executablePath }),
      args: ["--no-sandbox", "--disable-dev-shm-usage"],
    });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    stop?.();
    rmSync(folder, { recursive: true });
  });

  test("its answer, its exact map, and whose a page is; what is no image is told in one sentence", async () => {
    const tiny = tinyKernel(5);
    const pages = new Map(
      Array.from({ length: tinyFrames }, (_, pfn) => [pfn, tiny.bytes.subarray(pfn * 4096, (pfn + 1) * 4096)] as const),
    );
    const file = join(folder, "tiny.elf");
    writeFileSync(file, elfCore(pages, { note: tiny.vmcoreinfo }));
    const page = await browser.newPage();
    const faults: string[] = [];
    page.on("pageerror", (e) => faults.push(e.message));
    await page.goto(`${base}#/image`);
    const input = page.locator('section[aria-label="Memory image"] input[type="file"]');
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
    writeFileSync(wrong, "this is no memory image, however long it is");
    await input.setInputFiles(wrong);
    await eventually(() => page.locator("body").innerText()).toMatch(/It is no memory image that is read here/);
    expect(faults).toEqual([]);
    await page.close();
  }, 120_000);
});
