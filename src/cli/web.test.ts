// The page in a real Chromium, driven as a person would: what it shows is what the command line prints, nothing is requested from
// elsewhere, hostile text stays text, and axe finds no barrier. Debian's package is used: apt-get install chromium.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { isLong } from "../base/size.testkit.ts";
import {
  barriers,
  type Canvas,
  chromiumForTests,
  chromiumHere,
  dist,
  eventually,
  mapOf,
  printed,
  root,
  sizes,
} from "./web.testkit.ts";

describe.runIf(chromiumHere)(`the web page in Chromium${chromiumHere ? "" : " (no Chromium here: not run)"}`, () => {
  const { visit, address, newPage } = chromiumForTests();

  test("the server refuses a foreign Host and what is not its own", async () => {
    const { request } = await import("node:http");
    const status = (path: string, host: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const r = request({ host: "127.0.0.1", port: new URL(address()).port, path, headers: { host } }, (res) => {
          res.resume();
          resolve(res.statusCode);
        });
        r.on("error", reject);
        r.end();
      });
    expect(await status("/", "127.0.0.1")).toBe(200);
    expect(await status("/", "evil.example")).toBe(421);
    expect(await status("/../../package.json", "127.0.0.1")).toBe(404);
    expect(await status("/..%2f..%2fpackage.json", "localhost")).toBe(404);
  });

  test("every answer of the server carries the strict policy, which lets no style, script or frame in", async () => {
    for (const path of ["", "skblab.html", "nothing"]) {
      const policy = (await fetch(address() + path)).headers.get("content-security-policy") ?? "";
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain("unsafe-inline");
      expect(policy).not.toContain("'unsafe-eval'");
    }
    const html = await (await fetch(address())).text();
    const script = await fetch(address() + (/src="\.\/([^"]+)"/.exec(html)?.[1] ?? ""));
    expect(script.headers.get("content-security-policy")).toContain("script-src 'self' 'wasm-unsafe-eval'");
  });

  test("the first view takes less than 100 KB compressed", async () => {
    const page = await newPage();
    const bodies: Promise<Buffer>[] = [];
    page.on("response", (r) => r.url().startsWith(address()) && bodies.push(r.body()));
    await page.goto(address());
    await page.waitForSelector("#log");
    const bytes = (await Promise.all(bodies)).reduce((n, b) => n + gzipSync(b).length, 0);
    expect(bodies.length).toBeGreaterThan(2);
    expect(bytes).toBeLessThan(100_000);
    await page.close();
  });

  test.each(sizes("desk"))(
    "%s census: a real dump of 6.1 gives the command line's table, its map and its flame graph",
    async (_, size) => {
      const page = await visit("#/census", size);
      await page.setInputFiles("input[type=file]", join(root, "fixtures/page_owner/6.1-loaded.txt.gz"));
      await page.waitForSelector(".answer table");
      const first = await page.textContent(".answer tbody tr");
      expect(first).toContain("shmem_alloc_folio");
      expect(await barriers(page)).toEqual([]);
      // Views are linked: a row that is chosen lights its symbol in the table, the flame graph and the map.
      await page.click(".answer tbody tr >> nth=0");
      const symbol = await page.inputValue("[data-search]");
      expect(first).toContain(symbol);
      expect(await page.locator("tr.lit").count()).toBeGreaterThan(0);
      await page.selectOption("text=View >> select", "flame graph");
      await page.waitForSelector("svg.flame g.lit");
      expect(await page.textContent(".picture figcaption")).toContain(`have ${symbol.toLowerCase()}`);
      await page.check("label.toggle:has-text('callers') input");
      await page.waitForSelector("svg.flame g.lit");
      await page.selectOption("text=View >> select", "map");
      await page.waitForSelector(`.legend button[aria-pressed=true]:has-text("${symbol}")`);
      await page.fill("[data-search]", "");
      const map = await mapOf(page);
      await map.press("+");
      await map.press("Enter");
      await page.waitForSelector(".answer h2:has-text('What pins the block of order 9')");
      expect(new URL(page.url()).hash).toMatch(/block=\d+/);
      await eventually(() => new URL(page.url()).hash).toContain("window=");
      expect(await barriers(page)).toEqual([]);
      await page.selectOption("text=View >> select", "flame graph");
      await page.waitForSelector("svg.flame");
      expect(await barriers(page)).toEqual([]);
    },
  );

  test.runIf(isLong)(
    "census: a damaged file is named, several dumps have a verdict, and two that came in the wrong order are swapped",
    async () => {
      const page = await visit("#/census");
      const read = (path: string): Buffer => readFileSync(join(root, "fixtures", path));
      const give = (...files: (readonly [name: string, buffer: Buffer])[]): Promise<void> =>
        page.setInputFiles(
          "input[type=file]",
          files.map(([name, buffer]) => ({ name, buffer, mimeType: "text/plain" })),
        );
      const [before, after] = [read("page_owner/6.1-before-load.txt.gz"), read("page_owner/6.1-loaded.txt.gz")];
      await give(["cut.gz", after.subarray(0, 9000)]);
      await page.waitForSelector(".error:has-text('cut.gz: The compressed data is damaged or cut')");
      await give(["1", before], ["2", before], ["3", before]);
      await page.waitForSelector(".story:has-text('3 dumps cannot tell a leak from chance')");
      // One stack that grows from dump to dump, one that goes up and down.
      const dump = (leak: number, cache: number): Buffer =>
        Buffer.from(
          [...Array<string>(leak).fill("leaky_alloc"), ...Array<string>(cache).fill("cached_alloc")]
            .map((f) => `Page allocated via order 0, mask 0xcc0(GFP_KERNEL)\n ${f}+0x1/0x2\n\n`)
            .join(""),
        );
      const caches = [3, 9, 2, 8, 4, 9];
      await give(...caches.map((cache, i) => [`dump${i}`, dump(10 * (i + 1), cache)] as const));
      await page.waitForSelector(".story:has-text('1 group grows like a leak over 6 dumps: leaky_alloc')");
      expect(await page.textContent(".story")).toContain("10 pages per dump");
      await give(["a.gz", after], ["b.gz", before]);
      await page.waitForSelector(".answer:has-text('11,256 pages before, 5,983 after')");
      await page.click("text=b.gz is the older");
      await page.waitForSelector(".answer:has-text('5,983 pages before, 11,256 after')");
      await page.waitForSelector(".story:has-text('5,273 more. Most changed:')");
      await page.selectOption("text=View >> select", "flame graph");
      expect(await page.textContent(".picture figcaption")).toContain("red has grown, blue has shrunk");
    },
  );

  test("interleavings: the table is the command line's, a cell opens its schedule, and the stepper steps to its end", async () => {
    const page = await visit("#/interleavings");
    // The table that comes with the page is the one that a full search finds, and its schedules play at once.
    await page.waitForSelector("table .found");
    expect(await page.textContent(".answer .story")).toBe(
      "plain and modern are safe in every order that was tried; original, silenced, irq-xmit-lock and final are not.",
    );
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=JSON")]);
    const shown = JSON.parse(readFileSync(await download.path(), "utf8"));
    // What comes with the page is held to a search by src/cli/web_shipped.test.ts.
    expect(shown.schemes).toEqual(JSON.parse(readFileSync(join(root, "src/web/shipped_lltx.json"), "utf8")).rows);
    await page.click("table .found");
    await page.waitForSelector(".lanes tr.here");
    expect(await page.locator(".lanes td.racing").count()).toBe(2);
    expect(await page.locator(".lanes .lock").count()).toBeGreaterThan(3);
    expect(await barriers(page)).toEqual([]);
    const saved = async (label: string): Promise<string> => {
      const [file] = await Promise.all([
        page.waitForEvent("download"),
        page.getByLabel(label, { exact: true }).click(),
      ]);
      return readFileSync(await file.path(), "latin1");
    };
    expect(await saved("CSV of locking schemes")).toMatch(/^scheme,states,complete,race,.*\r\nplain,\d+,yes,none,/);
    const table = JSON.parse(await saved("JSON of locking schemes"));
    expect(table.map((r: { scheme: string }) => r.scheme)).toEqual(shown.schemes.map((r: { id: string }) => r.id));
    const lanes = (await page.textContent("section[aria-label^=Schedule] h2")) ?? "";
    expect((await saved(`SVG of ${lanes}`)).slice(0, 4)).toBe("<svg");
    expect((await saved(`PNG of ${lanes}`)).slice(1, 4)).toBe("PNG");
    expect(await saved(`CSV of ${lanes}`)).toMatch(/^step,task,at,does,/);
    const next = page.locator("button:has-text('Next')");
    while (await next.isEnabled()) await next.click();
    expect(await page.textContent(".stepper")).toContain("At the end:");
    expect(new URL(page.url()).hash).toContain("schedule=");
  });

  test.each(sizes("phone"))(
    "%s memory: two policies run side by side and the map scrubs through the run; a real pagetypeinfo is read",
    async (_, size) => {
      const page = await visit("#/memory?mb=64", size);
      await page.getByRole("button", { name: "Run", exact: true }).click();
      await page.waitForSelector("#moment");
      await page.waitForSelector("canvas.map");
      const pictureOf = (): Promise<string> => page.evaluate("document.querySelector('canvas.map').toDataURL()");
      const first = await pictureOf();
      // It opens at the end; Play goes through it from the beginning.
      expect(await page.inputValue("#moment")).toBe(await page.getAttribute("#moment", "max"));
      await page.getByRole("button", { name: "Play" }).click();
      await eventually(async () => Number(await page.inputValue("#moment"))).toBeGreaterThan(1);
      await page.getByRole("button", { name: "Pause" }).click();
      // The curve is a scrubber; the wheel alone scrolls the page and leaves the map as it is.
      const curve = await page.locator(".curve svg").boundingBox();
      await page.mouse.click((curve?.x ?? 0) + 1, (curve?.y ?? 0) + 20);
      await eventually(() => page.inputValue("#moment")).toBe("0");
      await page.hover("canvas.map >> nth=0");
      await page.mouse.wheel(0, 200);
      await eventually(() => page.evaluate("scrollY")).toBeGreaterThan(0);
      expect(await page.textContent(".scale")).toContain("A page is");
      // A legend's entry isolates its kind.
      const all = await pictureOf();
      await page.click(".legend button >> nth=1");
      await eventually(pictureOf).not.toBe(all);
      await page.click(".legend button >> nth=1");
      await eventually(pictureOf).toBe(all);
      await page.locator("#moment").fill("30");
      await eventually(pictureOf).not.toBe(first);
      expect(new URL(page.url()).hash).toContain("at=30");
      const legend = (text: string): Promise<unknown> => page.waitForSelector(`.legend:has-text("${text}")`);
      for (const [by, text] of [
        ["block", "this policy keeps no types"],
        ["owner", "do_anonymous_page < handle_mm_fault"],
        ["state", "on a CPU's own list"],
        ["age", "longer ago"],
        ["order", "taken, orders 1 and 2"],
      ] as const) {
        const before = await pictureOf();
        await page.getByLabel("Colour by").selectOption(by);
        await legend(text);
        await eventually(pictureOf, by).not.toBe(before);
      }
      const shown = await pictureOf();
      await page.reload();
      await legend("taken, orders 1 and 2");
      await eventually(pictureOf).toBe(shown);
      const canvas = await mapOf(page, 1);
      await canvas.press("+");
      await eventually(() => page.locator(".pointed").nth(1).textContent()).toMatch(/pfn \d+ .*of order 10.*picture/);
      await canvas.press("Enter");
      await page.waitForSelector(".answer:has-text('Its life up to this picture')");
      await page.waitForSelector(".answer h2:has-text('What pins the block of order 10')");
      expect(await barriers(page)).toEqual([]);
      await page.setInputFiles("input[type=file]", join(root, "fixtures/proc/buddyinfo-6.1"));
      await page.waitForSelector(".answer:has-text('Free memory by order')");
      await (await mapOf(page)).press("Home");
      await eventually(() => page.locator(".pointed").first().textContent()).toMatch(/free blocks of order \d+/);
      expect(await barriers(page)).toEqual([]);
      await page.setInputFiles("input[type=file]", join(root, "fixtures/page_owner/6.1-loaded.txt.gz"));
      await page.getByLabel("Color pages by").waitFor();
      await (await mapOf(page)).press("Enter");
      await page.waitForSelector(".answer h2:has-text('What pins the block of order 9')");
      expect(await barriers(page)).toEqual([]);
    },
  );

  // Sixteen million cells are counted and drawn: in the long run only.
  test.runIf(isLong)(
    "maps: near enough a page is a square of whole pixels; what the page itself does for a map does not grow with memory",
    async () => {
      const steps: number[] = [];
      for (const pages of [1 << 20, 1 << 24]) {
        const page = await visit("#/census?view=map");
        const profiler = await page.context().newCDPSession(page);
        await profiler.send("Profiler.enable");
        await profiler.send("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
        const records = Array.from({ length: 64 }, (_, i) => (i * pages) / 64).concat(pages - 512);
        const dump = records
          .map(
            (pfn, i) =>
              `Page allocated via order 9, mask 0x0(), pid 1, tgid 1 (a), ts 1 ns, free_ts 0 ns\nPFN ${pfn} type Movable Block ${pfn >> 9} type Movable Flags 0x0()\n owner_${i % 2}+0x1/0x2\n caller+0x1/0x2\n\n`,
          )
          .join("");
        await page.setInputFiles("input[type=file]", {
          name: "d.txt",
          mimeType: "text/plain",
          buffer: Buffer.from(dump),
        });
        const canvas = await mapOf(page);
        expect(await canvas.getAttribute("aria-label")).toContain(`${pages.toLocaleString("en-US")} cells of 1 pages`);
        for (const key of ["ArrowRight", "ArrowDown", "+", "Home"]) await canvas.press(key);
        const { result } = await profiler.send("Profiler.takePreciseCoverage");
        const counts = result.flatMap((s) => s.functions.flatMap((f) => f.ranges.map((r) => r.count)));
        steps.push(counts.reduce((n, count) => n + count, 0));
        while (!/A page is 32 by 32 pixels/.test((await page.textContent(".scale")) ?? "")) await canvas.press("+");
        const squares = await canvas.evaluate((c) => {
          const { width, height, getContext } = c as unknown as Canvas;
          const drawn = getContext.call(c, "2d").getImageData(0, 0, width, height);
          const point = new Uint32Array(drawn.data.buffer);
          const edges = new Set<number>();
          for (let y = 0; y < height; y++)
            for (let x = 1; x < width; x++) if (point[y * width + x] !== point[y * width + x - 1]) edges.add(x % 32);
          return edges.size;
        });
        // The frames of blocks are a point wide.
        expect(squares).toBeLessThanOrEqual(2);
      }
      expect(steps[0]).toBeGreaterThan(1 << 20);
      expect(steps[1]! / steps[0]!).toBeLessThan(1.2);
    },
  );

  test("packet: the double free of 2009 is shown in red with its history; seed 002's table comes out; a BTF file is read", async () => {
    const page = await visit("#/packet");
    await page.getByLabel("Story").selectOption("double-free");
    const next = page.getByRole("button", { name: "Next" });
    await eventually(() => page.textContent(".bar")).toContain("step 1 of");
    while (await next.isEnabled()) await next.click();
    await page.waitForSelector(".error:has-text('double free')");
    expect(await barriers(page)).toEqual([]);
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await page.waitForSelector("svg[aria-label*='344 to 488 bytes']");
    const text = await page.textContent("main");
    for (const figure of ["344", "488", "168", "24"]) expect(text).toContain(figure);
    await page.setInputFiles("input[type=file]", join(root, "fixtures/btf/small.btf"));
    await page.waitForSelector(".rail:has-text('kernel types')");
    await page.waitForSelector(
      "section[aria-label='Struct layouts'] .error:has-text('no struct skb_shared_info in small.btf')",
    );
    await page.getByRole("combobox", { name: "Struct" }).fill("outer");
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await page.waitForSelector("svg[aria-label*='Bytes of outer']");
    expect(await barriers(page)).toEqual([]);
    await page.getByRole("combobox", { name: "Struct" }).fill("sk_buff");
    await page.getByRole("button", { name: "Without this file" }).click();
    await page.waitForSelector("svg[aria-label*='Bytes of sk_buff']");
  });

  test.runIf(isLong)(
    "cases: with its knobs a question is answered as the command line answers it, and the address brings the answer back",
    async () => {
      const line = printed("cases", "page-pool-tcp", "--set", "readEvery=1");
      const page = await visit("#/cases");
      await page.click(".cases button:has-text('skb_try_coalesce')");
      await page.waitForSelector("section[aria-label='Case page-pool-tcp'] .story");
      await page.getByLabel("segments between two reads").fill("1");
      await page.keyboard.press("Tab");
      expect(new URL(page.url()).hash).toContain("k.readEvery=1");
      await page.getByRole("button", { name: "Run again here" }).click();
      await page.waitForSelector("text=The answer of a run in this browser");
      const json = async (): Promise<unknown> => {
        const [file] = await Promise.all([page.waitForEvent("download"), page.click(".answer-tools >> text=JSON")]);
        return JSON.parse(readFileSync(await file.path(), "utf8"));
      };
      const said = await line;
      expect(said.set).toEqual({ readEvery: 1 });
      expect(await json()).toEqual(said);
      expect(await barriers(page)).toEqual([]);
      await page.reload();
      await page.waitForSelector("text=The answer of a run in this browser");
      expect(await json()).toEqual(said);
    },
  );

  test("cases: a run is cancelled; a knob out of its bounds is refused with a sentence", async () => {
    const page = await visit("#/cases?id=page-owner&ran=yes&k.dumps=20&k.requestsBetween=200000");
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.waitForSelector("text=Canceled");
    expect(await page.$(".answer")).toBeNull();
    await page.goto(`${address()}#/cases?id=emac-jumbo&ran=yes&k.mtu=9`);
    await page.waitForSelector(".error:has-text('Write a whole number from 1600 to 8900')");
  });

  test("scenarios: a setting is changed and run, and hostile settings stay text", async () => {
    const page = await visit("#/scenarios");
    await page.locator("section[aria-label=Scenarios] select").selectOption("page-pool-skb-copy.yaml");
    await eventually(() => page.inputValue("textarea")).toContain("kind: page-pool-skb-copy");
    await page.getByRole("button", { name: "Run the scenario" }).click();
    await page.waitForSelector(".answer h2:has-text('page-pool-skb-copy')");
    expect(await barriers(page)).toEqual([]);
    await page.fill("textarea", "kind: <img src=x onerror=alert(1)>\n");
    await page.getByRole("button", { name: "Run the scenario" }).click();
    await page.waitForSelector(".error:has-text('There is no kind of scenario')");
    expect(await page.$("main img")).toBeNull();
  });

  test("hostile names stay text wherever a page shows what it was given", async () => {
    const hostile = '<img src=x onerror=alert(1)>"><script>alert(2)</script>';
    const page = await visit("#/census");
    const record = `Page allocated via order 0, mask 0x0(), pid 1, tgid 1 (${hostile}), ts 1 ns, free_ts 0 ns\nPFN 4096 type Movable Block 8 type Movable Flags 0x0()\n ${hostile}+0x1/0x2\n a+0x1/0x2\n\n`;
    const give = (name: string, text: string): Promise<void> =>
      page.setInputFiles("input[type=file]", { name, mimeType: "text/plain", buffer: Buffer.from(text) });
    await give(`${hostile}.txt`, record);
    await page.waitForSelector(".answer table");
    for (const view of ["flame graph", "map", "pins"]) await page.selectOption("text=View >> select", view);
    await page.goto(`${address()}#/memory`);
    await give(
      `${hostile}.txt`,
      `Node 0, zone ${hostile} 1 2 3\nNode 0, zone   Normal      1      2      3      4      5      6      7      8      9     10     11\n`,
    );
    await page.waitForSelector(".answer, .error");
    for (const hash of [
      `#/packet?steps=${encodeURIComponent(hostile)}&struct=${encodeURIComponent(hostile)}&shown=yes`,
      `#/interleavings?scheme=${encodeURIComponent(hostile)}&schedule=${encodeURIComponent(hostile)}`,
      `#/memory?left=${encodeURIComponent(hostile)}&mb=${encodeURIComponent(hostile)}&window=${encodeURIComponent(hostile)}`,
      `#/decode?value=${encodeURIComponent(hostile)}&kernel=${encodeURIComponent(hostile)}`,
      `#/scenarios?scenario=${encodeURIComponent(hostile)}&settings=${encodeURIComponent(hostile)}`,
      `#/diagnose?example=${encodeURIComponent(hostile)}&at=${encodeURIComponent(hostile)}&part=${encodeURIComponent(hostile)}&log=${encodeURIComponent(hostile)}&line=1`,
      `#/cases?id=${encodeURIComponent(hostile)}&k.${encodeURIComponent(hostile)}=1`,
      `#/cases?id=lltx&ran=yes&k.${encodeURIComponent(hostile)}=${encodeURIComponent(hostile)}`,
      `#/${encodeURIComponent(hostile)}`,
    ]) {
      await page.goto(address() + hash);
      await page.waitForSelector("main h1");
      await page.waitForSelector(".work progress", { state: "detached" });
      expect(await page.$("main img[src=x], main script")).toBeNull();
    }
  });

  test.runIf(isLong)("the single file works from file:// without a network", async () => {
    const page = await visit(`file://${join(dist, "web/skblab.html")}#/census`);
    await page.context().setOffline(true);
    await page.setInputFiles("input[type=file]", join(root, "fixtures/page_owner/6.1-loaded.txt.gz"));
    await page.waitForSelector(".answer table");
  });
});
