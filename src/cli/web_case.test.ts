// The case file in a real Chromium, at 1440 by 900 and as a phone: what is given is never lost, everything recognised has an answer, claims, lines
// and pictures agree with the JSON that the command line prints, and whoever has a log in the clipboard has a command two actions later.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { zipOf } from "../artifact/zip.testkit.ts";
import { ifLong, isLong, oneIn } from "../base/size.testkit.ts";
import {
  barriers,
  chromiumForTests,
  chromiumHere,
  desk,
  dist,
  eventually,
  phone,
  printed,
  root,
  sizes,
} from "./web.testkit.ts";

const logs = join(root, "fixtures/logs");

/** Files as the page is given them. */
const give = (page: Page, ...files: (readonly [name: string, data: string | Buffer])[]): Promise<void> =>
  page.setInputFiles(
    "input[type=file]",
    files.map(([name, data]) => ({ name, mimeType: "application/octet-stream", buffer: Buffer.from(data) })),
  );
const given = (page: Page, name: string): Promise<void> =>
  give(page, [name, readFileSync(join(root, "fixtures", name.includes("/") ? name : `logs/${name}`))]);
const saved = async (page: Page, button: string): Promise<ReturnType<typeof JSON.parse>> => {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click(button)]);
  return JSON.parse(readFileSync(await download.path(), "utf8"));
};
/** What is pasted, as a person's Ctrl+V brings it. */
const paste = (page: Page, text: string): Promise<void> =>
  page.evaluate(`{
    const data = new DataTransfer();
    data.setData("text/plain", ${JSON.stringify(text)});
    document.dispatchEvent(new ClipboardEvent("paste", { bubbles: true, cancelable: true, clipboardData: data }));
  }`);
const goTo = (page: Page, hash: string): Promise<void> =>
  page.evaluate(`location.hash = ${JSON.stringify(hash)}; undefined`);
const wider = (page: Page): Promise<number> =>
  page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");

describe.runIf(chromiumHere)(`the case file in Chromium${chromiumHere ? "" : " (no Chromium here: not run)"}`, () => {
  const { visit, address } = chromiumForTests();

  test("from a log in the clipboard to the first command: Ctrl+V and Copy; the answer is there within a second", async () => {
    const page = await visit("", desk);
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.waitForSelector("#log");
    // The first answer also loads what it needs; a person's second log does not.
    await paste(page, readFileSync(join(logs, "e1000_refill_6.1.txt"), "utf8"));
    await page.waitForSelector(".verdict");
    const took = page.evaluate<number>(`new Promise((resolve) => {
      const from = performance.now();
      new MutationObserver(() => {
        if (document.querySelector(".verdict .sentence")?.textContent?.includes("out of memory"))
          resolve(performance.now() - from);
      }).observe(document.body, { subtree: true, childList: true, characterData: true });
    })`);
    await paste(page, readFileSync(join(logs, "failures_6.1.txt"), "utf8"));
    expect(await took).toBeLessThan(3000);
    const { incidents } = await printed("diagnose", "failures_6.1.txt");
    const worst = incidents.find((i: { severity: string }) => i.severity === "act");
    await page.click(".verdict .command button");
    const command: string = worst.advice.find((a: { command?: string }) => a.command !== undefined).command;
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe(command);
    expect(await page.textContent(".verdict .sentence")).toContain(worst.cause);
  });

  test.each(sizes("desk"))(
    "%s for bundled logs the page's JSON is the command line's; every claim, its lines and its pictures are the JSON's",
    async (_, size) => {
      const names = oneIn(
        3,
        readdirSync(logs).filter((n) => n.endsWith(".txt")),
      );
      const lines = names.map((name) => printed("diagnose", name));
      const page = await visit("#/diagnose", size);
      for (const [n, name] of names.entries()) {
        await given(page, name);
        await page.waitForSelector(`.case aside:has-text("${name}")`, { state: "attached" });
        const json = await lines[n];
        expect(await saved(page, ".answer-tools >> text=JSON")).toEqual(json);
        for (const [i, incident] of json.incidents.entries()) {
          await goTo(page, `#/diagnose?at=${i + 1}`);
          await page.waitForSelector(`.pick[aria-current] >> nth=0`);
          await eventually(() => page.getAttribute(".incident", "aria-label")).toBe(`Incident: ${incident.title}`);
          const told = await page.evaluate<{
            claims: string[];
            tinted: number[];
            lines: number[];
            pieces: string[];
            ladders: string[];
          }>(`({
          claims: [...document.querySelectorAll(".claim")].map((c) => c.textContent),
          tinted: [...document.querySelectorAll(".log .evidence")].map((l) => Number(l.dataset.line)),
          pieces: [...document.querySelectorAll(".claim .piece-small title, .claim .piece-large title")].map((t) => t.textContent),
          lines: [...document.querySelectorAll(".log li")].map((l) => Number(l.dataset.line)),
          ladders: [...document.querySelectorAll(".claim svg[aria-label^='Watermark test']")].map((s) => s.getAttribute("aria-label")),
        })`);
          for (const f of incident.findings) {
            if (f.id === "wanted.object" || f.id === "judgement.harmless" || f.id.startsWith("why.zone.")) continue;
            const claim = f.claim.slice(f.claim.indexOf("? ") < 0 ? 0 : f.claim.indexOf("? ") + 2);
            expect(told.claims.join("\n"), `${name}: ${f.id}`).toContain(claim);
          }
          const own = incident.occurrences[0].input;
          const shown = new Set(told.tinted);
          const evidence = new Set(
            incident.findings
              .flatMap((f: { evidence: { input: string; line: number }[] }) => f.evidence)
              .filter((q: { input: string }) => q.input === own)
              .map((q: { line: number }) => q.line),
          );
          expect([...shown].every((l) => evidence.has(l))).toBe(true);
          expect([...evidence].filter((l) => told.lines.includes(l as number)).length, name).toBe(shown.size);
          const zones = (incident.memory?.zones ?? []).filter((z: { eligible: boolean }) => z.eligible);
          expect(told.ladders.length).toBe(
            incident.findings.some((f: { id: string }) => f.id === "why.refused") ? zones.length : 0,
          );
          for (const [at, said] of told.ladders.entries()) {
            const z = zones[at];
            // The picture's word is the sentence's: refused where every zone refuses, also within the report's own error.
            const refuses = z.within !== null || z.answer === "no";
            expect(said.includes(": refused"), `${name} ${z.zone}`).toBe(refuses);
            const ladder = (z.within?.comparisons ?? z.comparisons).findLast(
              (c: { ladder: unknown }) => c.ladder !== null,
            )?.ladder;
            for (const r of ladder === undefined ? [] : [...ladder.mark, ...ladder.free])
              expect(said).toContain(`${r.what} ${r.pages}`);
          }
          const blocks = told.pieces
            .map((t) => Number(/^[\d,]+/.exec(t)?.[0].replaceAll(",", "")))
            .reduce((a, b) => a + b, 0);
          if (told.pieces.length > 0)
            expect(blocks).toBe(
              zones
                .flatMap((z: { orders: { blocks: number }[] }) => z.orders)
                .reduce((sum: number, o: { blocks: number }) => sum + o.blocks, 0),
            );
        }
      }
    },
  );

  test("a claim lights its lines and a line its claims; a line goes to its place in the log; search, minimap and wrap work by keyboard", async () => {
    const page = await visit("#/diagnose?example=failures_6.1.txt&at=3", desk);
    await page.waitForSelector("#claim-fragmentation");
    await page.hover("#claim-fragmentation p");
    await eventually(() => page.locator(".log .evidence.lit").count()).toBeGreaterThan(2);
    await page.hover(".log .evidence >> nth=0");
    await eventually(() => page.locator(".claim.lit").count()).toBeGreaterThan(0);
    await page.locator("#claim-fragmentation .place").first().click();
    const line = await page.getAttribute(".log .here", "data-line");
    expect(new URL(page.url()).hash).toContain(`line=${line}`);
    expect(await page.locator(".log .here").isVisible()).toBe(true);
    await page.locator(".incident h2").click();
    await page.keyboard.press("/");
    await page.keyboard.type("killed process");
    await page.waitForSelector(".bar:has-text('1 line')");
    await page.keyboard.press("Enter");
    await eventually(() => page.textContent(".log .here mark")).toMatch(/killed process/i);
    // The same word is found in what the answer says.
    await page.fill("[data-search]", "the request");
    await page.waitForSelector(".bar:has-text('claim')");
    expect(await page.locator(".claim.hit").count()).toBeGreaterThan(0);
    expect(await page.locator(".claim.hit").first().innerText()).toMatch(/the request/i);
    await page.keyboard.press("Escape");
    expect(await page.locator(".claim.hit").count()).toBe(0);
    expect(await barriers(page)).toEqual([]);
    const box = await page.locator(".minimap").boundingBox();
    await page.mouse.click((box?.x ?? 0) + 7, (box?.y ?? 0) + 3);
    await eventually(async () => Number(await page.getAttribute(".log .here", "data-line"))).toBeLessThan(12);
    // j and k go through the incidents; Back comes to where one was.
    await page.locator(".incident h2").click();
    const title = (): Promise<string | null> => page.getAttribute(".incident", "aria-label");
    const before = await title();
    await page.keyboard.press("j");
    await eventually(title).not.toBe(before);
    await page.goBack();
    await eventually(title).toBe(before);
    await page.keyboard.press("?");
    await page.waitForSelector("dialog[open]:has-text('the next and the previous incident')");
    await page.keyboard.press("Escape");
    await page.waitForSelector("dialog[open]", { state: "detached" });
    await page.focus("button.term >> nth=0");
    await page.waitForSelector("#definition");
    const glossary = readFileSync(join(root, "docs/glossary.md"), "utf8");
    const means = (await page.textContent("#definition"))?.replace(/^.*? {1,2}/, "") ?? "";
    expect(glossary.replaceAll("`", "")).toContain(means.slice(-40));
  });

  test.each(ifLong(sizes("phone")))(
    "%s nothing is lost: not by another page, Back, a reload, or a picture that was dropped by mistake; Forget forgets",
    async (_, size) => {
      const page = await visit("#/diagnose", size);
      await given(page, "failures_6.1.txt");
      await page.waitForSelector(".verdict");
      const sentence = await page.textContent(".verdict .sentence");
      await page.click("nav >> text=Cases");
      await page.waitForSelector(".cases");
      await page.goBack();
      expect(await page.textContent(".verdict .sentence")).toBe(sentence);
      await give(page, ["screen.png", Buffer.from("89504e470d0a1a0a0000000d", "hex")]);
      await page.waitForSelector(".error:has-text('screen.png was not taken. It begins like a PNG image')");
      expect(await page.textContent(".verdict .sentence")).toBe(sentence);
      await page.click(".error >> text=Close");
      await page.click(".pick >> nth=3");
      const title = await page.getAttribute(".incident", "aria-label");
      await page.reload();
      await page.waitForSelector(".verdict");
      expect(await page.getAttribute(".incident", "aria-label")).toBe(title);
      // Larger than the tab's store: only by consent.
      const large = Buffer.from(`${"[    1.000000] nothing of interest happens in this line\n".repeat(40_000)}`);
      await give(page, ["large.log", Buffer.concat([large, readFileSync(join(logs, "tg3_gentoo_2009.txt"))])]);
      await page.waitForSelector(".intake:has-text('A reload would lose large.log')");
      await page.check("text=keep in this browser");
      await page.waitForSelector(".intake:has-text('A reload would lose')", { state: "detached" });
      await page.reload();
      await page.waitForSelector(".rail:has-text('large.log')");
      await page.waitForSelector(".verdict");
      await page.click("text=Forget");
      await page.waitForSelector("#log");
      await page.reload();
      await page.waitForSelector("#log");
      expect(await page.locator(".rail").count()).toBe(0);
      expect(await page.evaluate("[sessionStorage['skblab.case'] ?? '[]', localStorage.length].join()")).toBe("[],0");
    },
  );

  test.each(sizes("desk"))(
    "%s what is given decides the page; nothing that is recognised ends in an all-clear; zip and UTF-16 are read",
    async (_, size) => {
      const page = await visit("#/diagnose", size);
      await given(page, "page_pool/netlink_leak.txt");
      await page.waitForSelector("main.page-pools .answer:has-text('leak')");
      expect(await barriers(page)).toEqual([]);
      expect(await page.textContent("main")).not.toContain("no allocation failure");
      await page.click("nav >> text=Diagnose");
      await given(page, "proc/buddyinfo-6.1");
      await page.waitForSelector("text=What these files say of the machine");
      await page.waitForSelector("text=Left open by these files");
      await page.click("main >> text=Open it in Memory");
      await page.waitForSelector(".answer:has-text('Free memory by order')");
      const log = readFileSync(join(logs, "tg3_gentoo_2009.txt"));
      await give(page, [
        "bundle.zip",
        zipOf([
          ["var/log/messages", log, 8],
          ["proc/buddyinfo", readFileSync(join(root, "fixtures/proc/buddyinfo-6.1")), 0],
        ]),
      ]);
      await page.click(".rail li:has-text('bundle.zip') >> text=incidents");
      await page.waitForSelector(".log .here", { state: "attached" });
      expect(await page.getAttribute(".case aside", "aria-label")).toBe("The log bundle.zip:var/log/messages");
      const wide = Buffer.from(`\ufeff${log.toString()}`, "utf16le");
      await give(page, ["powershell.log", wide]);
      await page.waitForSelector(".case aside:has-text('powershell.log')", { state: "attached" });
      expect(await page.textContent(".log .here")).toContain("page allocation failure");
      await paste(page, "0x4020");
      await page.waitForSelector("main.page-decode .answer:has-text('GFP_ATOMIC')");
      expect(await barriers(page)).toEqual([]);
      const shown = await saved(page, ".answer-tools >> text=JSON");
      expect(shown).toEqual(await printed("decode", "gfp", "0x4020"));
    },
  );

  test.each(ifLong(sizes("phone")))(
    "%s a question is answered while a run goes on; a newer input ends the older; a double click runs once; a left page keeps what ran",
    async (_, size) => {
      const page = await visit("#/cases?id=page-owner&ran=yes&k.dumps=20&k.requestsBetween=200000", size);
      await page.waitForSelector(".work progress");
      await page.click("nav >> text=Diagnose");
      await paste(page, "[1.0] swapper: page allocation failure. order:1, mode:0x20\n");
      await page.waitForSelector(".verdict");
      expect(await page.locator(".work .working:has-text('Running page-owner')").count()).toBe(1);
      await page.click(".work >> text=Cancel");
      await page.waitForSelector(".work .working", { state: "detached" });
      await page.click("nav >> text=Scenarios");
      await page.locator("section[aria-label=Scenarios] select").selectOption("page-pool-skb-copy.yaml");
      await eventually(() => page.inputValue("textarea")).toContain("kind:");
      const asked = page.evaluate<number>(`new Promise((resolve) => {
      let most = 0;
      new MutationObserver(() => {
        most = Math.max(most, document.querySelectorAll(".work .working").length);
        if (document.querySelector(".answer h2") !== null) resolve(most);
      }).observe(document.body, { subtree: true, childList: true });
    })`);
      await page.dblclick("text=Run the scenario");
      expect(await asked).toBe(1);
      await page.click("nav >> text=Diagnose");
      await page.click("nav >> text=Scenarios");
      await page.waitForSelector(".answer h2");
      expect(await page.locator(".work .working").count()).toBe(0);
    },
  );

  test.runIf(isLong)("a log however large: its lines are read from the file, and searched there", async () => {
    const page = await visit("#/diagnose", desk);
    const filler =
      "[    1.000000] usb 1-1: new high-speed USB device number 2 using xhci_hcd, and so on and so forth\n".repeat(
        60_000,
      );
    const log = readFileSync(join(logs, "tg3_gentoo_2009.txt"), "latin1");
    await give(page, ["large.log", filler + log]);
    await page.waitForSelector(".log .here");
    expect(await page.getAttribute(".log .here", "data-line")).toBe("60001");
    expect(await page.textContent(".log .here")).toContain("page allocation failure");
    await page.fill("[data-search]", "net_rx_action");
    await page.waitForSelector(".bar:has-text('1 line')");
    await page.press("[data-search]", "Enter");
    await eventually(() => page.textContent(".log .here")).toContain("net_rx_action");
  });

  // The draws of bursts go through logarithms and exponentials, which each engine computes for itself.
  test.each(ifLong(["tg3_gentoo_2009.txt", "ppc405ex_emac_2009.txt"]))(
    "%s: prove it runs the advice, says what --prove says, byte for byte; each item has its stamp, each run its figures",
    async (log) => {
      const line = printed("diagnose", log, "--prove");
      const page = await visit(`#/diagnose?example=${log}&at=1`, desk);
      await page.dblclick("text=Prove it");
      // There is an answer before the last run has ended, and a way to stop there.
      await page.waitForSelector(".advice .proof");
      expect(await page.locator(".advice >> text=Stop here").count()).toBe(1);
      expect(await page.textContent(".advice .proof")).toMatch(/so far [1-7] of [38] sets/);
      await page.waitForSelector('.advice button:enabled:has-text("Test again")');
      const { proofs, incidents } = await saved(page, ".answer-tools >> text=JSON");
      expect(JSON.stringify({ proofs, incidents })).toBe(
        JSON.stringify({ proofs: (await line).proofs, incidents: (await line).incidents }),
      );
      // Which advice was measured by which row is held by src/prove/measured.test.ts.
      const items = await page.locator(".advice ol > li").count();
      expect(items).toBeGreaterThan(0);
      expect(await page.locator(".advice ol .stamped").count()).toBe(items);
      const dots = await page.locator(".advice svg.dots").count();
      expect(dots).toBe(proofs[0].rows.length);
      const [first] = proofs[0].rows;
      expect(await page.getAttribute(".tried svg.dots", "aria-label")).toContain(first.measure ?? proofs[0].measure);
      expect(await barriers(page)).toEqual([]);
    },
  );

  test.each(ifLong(["tg3_gentoo_2009.txt", "e1000_refill_6.1.txt"]))(
    "%s: machines and bursts give the same bytes in Chromium and in Node",
    async (log) => {
      const line = printed("diagnose", log, "--prove");
      const page = await visit(`#/diagnose?example=${log}`, desk);
      await page.click("text=Prove it");
      await page.waitForSelector('.advice button:enabled:has-text("Test again")');
      const { proofs, incidents } = await saved(page, ".answer-tools >> text=JSON");
      expect(proofs[0].rows.length).toBeGreaterThan(5);
      expect(proofs[0].seeds).toBe(proofs[0].seedsPlanned);
      const inNode = await line;
      expect(JSON.stringify({ proofs, incidents })).toBe(
        JSON.stringify({ proofs: inNode.proofs, incidents: inNode.incidents }),
      );
    },
  );

  test("on a phone: the verdict first, list and incident as two steps, the log over them, one column on every page", async () => {
    const page = await visit("#/diagnose?example=failures_6.1.txt", phone);
    await page.waitForSelector(".verdict");
    expect((await page.locator(".verdict").boundingBox())?.y).toBeLessThan(300);
    expect(await page.locator(".incident").isVisible()).toBe(false);
    expect(await wider(page)).toBe(0);
    await page.tap(".pick >> nth=2");
    await page.waitForSelector(".incident");
    expect(await page.locator(".incidents").isVisible()).toBe(false);
    expect(await wider(page)).toBe(0);
    expect(await barriers(page)).toEqual([]);
    await page.tap("button.term >> nth=0");
    await page.waitForSelector("#definition");
    await page.tap(".incident h2");
    await page.tap(".claim .place >> nth=0");
    await page.waitForSelector(".log .here");
    expect(await barriers(page)).toEqual([]);
    await page.tap("aside .close");
    await page.goBack();
    await page.goBack();
    await page.tap(".back");
    await page.waitForSelector(".incidents");
    for (const [hash, shown] of [
      ["memory", "h1"],
      ["pools", "h1"],
      ["packet?shown=yes", "svg[aria-label*='344 to 488 bytes']"],
      ["interleavings?scheme=original&schedule=0000111001", ".lanes"],
      ["census", "h1"],
      ["cases?id=page-pool-tcp", ".answer table"],
      ["scenarios", "h1"],
      ["decode?value=0x4020", ".answer"],
    ] as const) {
      await page.goto(`${address()}#/${hash}`);
      await page.waitForSelector(`main ${shown}`);
      expect(await wider(page), hash).toBe(0);
    }
  });

  test("hostile text stays text: in the rail, the verdict, the claims and the log", async () => {
    const page = await visit("#/diagnose", desk);
    const hostile = '<img src=x onerror=alert(1)>"><script>alert(2)</script>\u001b[2J\u202e';
    await give(page, [
      `${hostile.slice(0, 60)}.txt`,
      `[1.0] ${hostile}: page allocation failure: order:1, mode:0x20\n[1.1] Pid: 0, comm: ${hostile} Not tainted 3.2.0\n[1.2] Call Trace:\n[1.3]  [<ffffffff802555f9>] ${hostile}+0x1/0x2\n`,
    ]);
    await page.waitForSelector(".verdict");
    await page.fill("[data-search]", hostile.slice(0, 20));
    expect(await page.$("main img, main script, .rail img")).toBeNull();
  });

  test("from file:// the single file keeps a case over a reload, and copies", async () => {
    const page = await visit(`file://${join(dist, "web/skblab.html")}`, desk);
    await page.context().setOffline(true);
    await page.waitForSelector("#log");
    await given(page, "failures_6.1.txt");
    await page.waitForSelector(".verdict");
    await page.click(".verdict .command button");
    await page.waitForSelector(".verdict .command:has-text('Copied')");
  });
});
