// What the tests of the page have in common: one server and one Chromium for a file of tests, states to wait for instead of times, maps that have a
// size, and what axe finds.
import { execFile, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { chromium } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { ifLong, isLong } from "../base/size.testkit.ts";

export const root = join(import.meta.dirname, "../..");
/** A build elsewhere can be tested too. */
export const dist = process.env["SKBLAB_DIST"] ?? join(root, "dist");
const main = join(dist, "cli/main.js");
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
export const chromiumHere = executablePath !== undefined;

/** How long a state is waited for: it guards against one that never comes, and not against a machine that is busy. */
const patienceMillis = 240_000;

/** What the command line prints as JSON about the logs of fixtures/logs; it works while the page does. */
export const printed = async (...args: string[]): Promise<ReturnType<typeof JSON.parse>> =>
  JSON.parse(
    (
      await promisify(execFile)(process.execPath, [main, ...args, "--format", "json"], {
        cwd: join(root, "fixtures/logs"),
        maxBuffer: 1 << 26,
      })
    ).stdout,
  );

/** The two sizes that what the page promises is held at. */
export const desk = { viewport: { width: 1440, height: 900 } };
export const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
const both = [
  ["at 1440 by 900", desk],
  ["on a phone", phone],
] as const;
/** The size that a test is made at; in the long run it is made at both. */
export const sizes = (usual: "desk" | "phone"): readonly (typeof both)[number][] =>
  isLong ? both : [both[usual === "desk" ? 0 : 1]];

/** The server and the browser of a file of tests: started before the first, ended behind the last. */
export function chromiumForTests() {
  let browser: Browser;
  let stop: () => void;
  let base = "";
  const pages: Page[] = [];
  const faults: string[] = [];
  afterEach(async () => {
    const told = [...faults];
    for (const page of pages.splice(0)) await page.close();
    faults.length = 0;
    expect(told).toEqual([]);
  });
  beforeAll(async () => {
    base = await serve();
    browser = await chromium.launch({
      ...(executablePath === undefined ? {} : { executablePath }),
      args: [
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
        "--ignore-gpu-blocklist",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--disable-quic",
      ],
    });
  });
  afterAll(async () => {
    await browser?.close();
    stop?.();
  });

  /** Starts the server; one that came while the page was being built anew is started again. */
  async function serve(): Promise<string> {
    for (let left = 20; ; left--) {
      const server = spawn(process.execPath, [main, "serve", "--no-open"], { stdio: ["ignore", "pipe", "ignore"] });
      stop = () => server.kill("SIGTERM");
      const said = await new Promise<string>((resolve) => {
        server.stdout.once("data", (data: Buffer) => resolve(data.toString().trim()));
        server.once("exit", () => resolve(""));
      });
      if (said !== "") return said;
      if (left === 0) throw new Error("skblab serve ended; was the project built?");
      await wait(1000);
    }
  }

  /** A new page at an address. It is closed behind the test, and nothing may have gone wrong in it. */
  async function visit(address: string, options: BrowserContextOptions = {}): Promise<Page> {
    const page = await browser.newPage(options);
    page.setDefaultTimeout(patienceMillis);
    pages.push(page);
    page.on("pageerror", (e) => faults.push(`error: ${e.message}`));
    page.on("console", (m) => m.type() === "error" && faults.push(`console: ${m.text()}`));
    page.on("request", (r) => {
      if (!/^(blob|data|file):/.test(r.url()) && !r.url().startsWith(base)) faults.push(`request: ${r.url()}`);
    });
    page.on("dialog", (d) => {
      faults.push(`dialog: ${d.message()}`);
      void d.dismiss();
    });
    await page.goto(address.startsWith("file:") ? address : base + address);
    return page;
  }
  return { visit, address: () => base, newPage: () => browser.newPage() };
}

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What is used of a canvas in the page. */
export interface Canvas {
  readonly width: number;
  readonly height: number;
  getContext(kind: "2d"): {
    getImageData(x: number, y: number, w: number, h: number): { readonly data: Uint8ClampedArray };
  };
}

/** What must come true, in however long it takes a machine that does other things too. */
export const eventually = <T>(what: () => T, message = "") => expect.poll(what, { timeout: patienceMillis, message });

/** The map of this place on the page, once it has a size to draw in: before that it does not hear keys. */
export async function mapOf(page: Page, place = 0): Promise<Locator> {
  const map = page.locator("canvas.map").nth(place);
  await eventually(() => map.getAttribute("aria-busy")).toBe("false");
  return map;
}

/** What axe finds: in light, and in the long run in dark too. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const all: string[] = [];
  for (const colorScheme of [...ifLong(["dark"] as const), "light"] as const) {
    await page.emulateMedia({ colorScheme });
    all.push(...(await barriersNow(page, colorScheme === "dark")).map((b) => `${colorScheme}: ${b}`));
  }
  return all;
}

/** Colours are all that differ between light and dark. */
async function barriersNow(page: Page, coloursOnly: boolean): Promise<string[]> {
  return page.evaluate(async (only) => {
    const { axe } = globalThis as unknown as {
      axe: { run(options: unknown): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await axe.run({
      // Only what is wrong is told in full: what passes is most of a large page.
      resultTypes: ["violations"],
      preload: false,
      ...(only ? { runOnly: ["color-contrast"] } : {}),
    });
    return violations.map((v) => `${v.id}: ${v.nodes[0]?.html ?? ""}`);
  }, coloursOnly);
}
