// A watch that serves the page: the feed over HTTP by the rules of `serve`, and in a real Chromium the room, the incident and the map of a machine.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Running } from "./process.testkit.ts";
import { asRecords, logFixture, procFixture, startCommand, writeMachine } from "./process.testkit.ts";
import { barriers, eventually, mapOf } from "./web.testkit.ts";

const folder = mkdtempSync(join(tmpdir(), "skblab-serve-"));
const proc = join(folder, "proc");
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);

/** /proc of a machine of 6.1 with a refill that failed, and 8192 pages: free, slab, and a hole. */
function machine(): void {
  const names = ["zoneinfo", "buddyinfo", "pagetypeinfo", "vmstat"];
  writeMachine(proc, {
    ...Object.fromEntries(names.map((n) => [n, procFixture(`${n}-6.1`)])),
    version: "Linux version 6.1.192-<b>x</b> (x) #1 SMP\n",
  });
  const words = BigUint64Array.from({ length: 8192 }, (_, i) => (i < 4096 ? 1024n : i < 6000 ? 128n : 1n << 20n));
  writeFileSync(join(proc, "kpageflags"), Buffer.from(words.buffer));
  writeFileSync(join(folder, "kmsg"), asRecords(logFixture("e1000_refill_6.1.txt")));
}

describe("watch --serve", () => {
  let watch: Running;
  let base = "";
  beforeAll(async () => {
    machine();
    const words = `watch --serve 127.0.0.1:0 --map --interval 1 --proc ${proc} --kmsg ${join(folder, "kmsg")} --state ${join(folder, "state")}`;
    watch = startCommand(words.split(" "));
    [base] = await watch.says(/http:\/\/127\.0\.0\.1:\d+\//);
  });
  afterAll(async () => {
    await watch.stop();
    rmSync(folder, { recursive: true });
  });

  const status = (path: string, host: string, method = "GET"): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      request({ host: "127.0.0.1", port: new URL(base).port, path, method, headers: { host } }, (r) =>
        resolve(r.resume().statusCode),
      )
        .on("error", reject)
        .end();
    });

  test("the feed is for this machine only, is only read, and a path that is none does not end the watch", async () => {
    expect(await status("/live/state.json", "127.0.0.1")).toBe(200);
    expect(await status("/live/state.json", "evil.example")).toBe(421);
    expect(await status("/live/state.json", "localhost", "POST")).toBe(405);
    expect(await status("//", "localhost")).toBe(404);
    expect(await status("/live/../../../etc/passwd", "localhost")).toBe(404);
    expect(await status("/live/constructor", "localhost")).toBe(404);
    const answer = await fetch(`${base}live/state.json`);
    expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
    const state = (await answer.json()) as { schema: string; release: string; intervalSeconds: number };
    expect([state.schema, state.release, state.intervalSeconds]).toEqual(["skblab.live/1", "6.1.192-<b>x</b>", 1]);
    await eventually(async () => (await fetch(`${base}live/map.json`)).status).toBe(200);
  });

  test.skipIf(executablePath === undefined)(
    "the page shows room, the incident and the map, without a barrier, and says when the watch has ended",
    async () => {
      const browser = await chromium.launch({
        executablePath: executablePath!,
        args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run"],
      });
      try {
        const page = await browser.newPage();
        const faults: string[] = [];
        page.on("pageerror", (e) => faults.push(`error: ${e.message}`));
        page.on("request", (r) => {
          if (!/^(blob|data):/.test(r.url()) && !r.url().startsWith(base)) faults.push(`request: ${r.url()}`);
        });
        await page.goto(`${base}#/memory`);
        await page.getByText("Linux 6.1.192-<b>x</b>").waitFor();
        await page.getByText("Room: requests that would be granted now").first().waitFor();
        await page.getByText(/e1000/).first().waitFor();
        await mapOf(page);
        const legend = await page.locator("ul.legend").first().innerText();
        expect(legend).toMatch(/free: 4,096/);
        expect(legend).toMatch(/slab: 1,904/);
        expect(await barriers(page)).toEqual([]);
        expect(faults).toEqual([]);
        expect(await watch.stop()).toBe(0);
        await page.getByText(/The watch does not answer/).waitFor();
      } finally {
        await browser.close();
      }
    },
  );
});
