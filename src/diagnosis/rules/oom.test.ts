// The kernel's own memory is the reason above 30 % of the machine (rules/oom.ts); the rest of an OOM report in numbers.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findingOf } from "../asked.ts";
import { diagnoseTexts } from "../field.testkit.ts";

const log = readFileSync(join(import.meta.dirname, "../../../fixtures/logs/slab_oom_6.1.txt"), "utf8");
const oomOf = async (text: string) => (await diagnoseTexts({ log: text })).incidents.find((i) => i.kind === "oom");

/** Without the kernel's own table of slabs, which answers by name (oom_slabs.ts). */
const untabled = log.replace(/^.*(?:Unreclaimable slab info|Name +Used +Total|KB +\d+KB)\s*\n/gm, "");

/** The report with so many pages of unreclaimable slab, of 10,000. */
const holding = (slab: number): string =>
  untabled
    .replace(/slab_unreclaimable:\d+/g, `slab_unreclaimable:${slab}`)
    .replace(/\d+ pages RAM/g, "10000 pages RAM");

test("unreclaimable slab is the reason above 30 %, not at 30 %", async () => {
  const at = async (slab: number) => findingOf((await oomOf(holding(slab)))?.findings ?? [], "oom.kernel_memory");
  expect(await at(3000)).toMatchObject({
    answer: "no",
    claim: expect.stringContaining("30 % of the machine: not the reason"),
  });
  expect(await at(3001)).toMatchObject({
    answer: "yes",
    claim: expect.stringContaining("30 % of the machine: look there"),
  });
  expect((await at(3001))?.advice).toMatchObject([{ command: "slabtop -o -s c | head -20" }]);
  expect((await at(3000))?.advice).toEqual([]);
});

test("without the machine's pages the share is not said", async () => {
  const text = log.replace(/^.*pages RAM\s*\n/gm, "");
  expect(findingOf((await oomOf(text))?.findings ?? [], "oom.kernel_memory")).toBeUndefined();
});

test("the scope is a yes only where a line says the machine", async () => {
  const incident = await oomOf(untabled);
  expect(findingOf(incident?.findings ?? [], "oom.scope")).toMatchObject({
    answer: "yes",
    claim: expect.stringContaining("The machine was really out of memory"),
    advice: [{ change: { kind: "memory" } }],
  });
  expect(incident?.severity).toBe("act");
});

test("slab alone does not clear the kernel's own memory: pages that no counter has may be a driver's", async () => {
  const told = async (ram: number) =>
    findingOf(
      (await oomOf(untabled.replace(/\d+ pages RAM/g, `${ram} pages RAM`)))?.findings ?? [],
      "oom.kernel_memory",
    );
  const real = Number(/(\d+) pages RAM/.exec(log)?.[1]);
  const lost = await told(real * 8);
  expect(lost).toMatchObject({
    answer: "unknown",
    claim: expect.stringMatching(/[\d.]+ MiB, 9\d % of the machine, are in none of the counters/),
    advice: [{ command: expect.stringContaining("page_owner") }],
  });
  const uncounted = (await oomOf(untabled.replace(/^.*active_file:\d+ inactive_file.*\n/gm, "")))?.findings ?? [];
  expect(findingOf(uncounted, "oom.kernel_memory")?.answer).not.toBe("no");
});
