// What the tests of the page wait for and look at: states instead of times, maps that have a size, and what axe finds.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Locator, Page } from "playwright-core";
import { expect } from "vitest";

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
export const eventually = <T>(what: () => T, message = "") => expect.poll(what, { timeout: 30_000, message });

/** The map of this place on the page, once it has a size to draw in: before that it does not hear keys. */
export async function mapOf(page: Page, place = 0): Promise<Locator> {
  const map = page.locator("canvas.map").nth(place);
  await eventually(() => map.getAttribute("aria-busy")).toBe("false");
  return map;
}

/** What axe finds, in light and in dark. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const all: string[] = [];
  for (const colorScheme of ["dark", "light"] as const) {
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
