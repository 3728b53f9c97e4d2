// A watch that serves the page: the feed over HTTP by the rules of `serve`, and in a real Chromium the room, the incident and the map of a machine.
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { barriers, eventually, mapOf } from "./web.testkit.ts";

const root = join(import.meta.dirname, "../..");
const main = join(root, "dist/cli/main.js");
const folder = mkdtempSync(join(tmpdir(), "skblab-serve-"));
const proc = join(folder, "proc");
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);

/** /proc of a machine of 6.1 with a refill that failed, and 8192 pages: free, slab, and a hole. */
function machine(): void {
  mkdirSync(proc, { recursive: true });
  for (const name of ["zoneinfo", "buddyinfo", "pagetypeinfo", "vmstat"])
    writeFileSync(join(proc, name), readFileSync(join(root, "fixtures/proc", `${name}-6.1`)));
  writeFileSync(join(proc, "version"), "Linux version 6.1.192-<b>x</b> (x) #1 SMP\n");
  writeFileSync(join(proc, "uptime"), "100.5 3\n");
  const words = BigUint64Array.from({ length: 8192 }, (_, i) => (i < 4096 ? 1024n : i < 6000 ? 128n : 1n << 20n));
  writeFileSync(join(proc, "kpageflags"), Buffer.from(words.buffer));
  const log = readFileSync(join(root, "fixtures/logs/e1000_refill_6.1.txt"), "utf8").trimEnd().split("\n");
  writeFileSync(join(folder, "kmsg"), log.map((l, i) => `4,${i},${i},-;${l.replace(/^\[ *[\d.]+\] /, "")}\n`).join(""));
}

describe("watch --serve", () => {
  let watch: ChildProcess;
  let base = "";
  let ended: Promise<number | null>;
  beforeAll(async () => {
    machine();
    const words = `watch --serve 127.0.0.1:0 --map --interval 1 --proc ${proc} --kmsg ${join(folder, "kmsg")} --state ${join(folder, "state")}`;
    watch = spawn(process.execPath, [main, ...words.split(" ")], { stdio: ["ignore", "ignore", "pipe"] });
    ended = new Promise((resolve) => watch.once("exit", resolve));
    base = await new Promise<string>((resolve, reject) => {
      let said = "";
      watch.stderr!.on("data", (d: Buffer) => {
        said += d.toString();
        const url = /http:\/\/127\.0\.0\.1:\d+\//.exec(said)?.[0];
        if (url !== undefined) resolve(url);
      });
      watch.once("exit", () => reject(new Error(`the watch ended; was the project built? It said: ${said}`)));
    });
  }, 30_000);
  afterAll(async () => {
    watch.kill("SIGTERM");
    await ended;
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
        await page.getByText("Linux 6.1.192-<b>x</b>").waitFor({ timeout: 30_000 });
        await page.getByText("Room: requests that would be granted now").first().waitFor();
        await page.getByText(/e1000/).first().waitFor({ timeout: 30_000 });
        await mapOf(page);
        const legend = await page.locator("ul.legend").first().innerText();
        expect(legend).toMatch(/free: 4,096/);
        expect(legend).toMatch(/slab: 1,904/);
        expect(await barriers(page)).toEqual([]);
        expect(faults).toEqual([]);
        watch.kill("SIGTERM");
        expect(await ended).toBe(0);
        await page.getByText(/The watch does not answer/).waitFor({ timeout: 30_000 });
      } finally {
        await browser.close();
      }
    },
    120_000,
  );
});
