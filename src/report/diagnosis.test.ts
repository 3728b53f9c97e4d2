import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { explain } from "../diagnosis/explain.ts";
import type { Diagnosis } from "../diagnosis/finding.ts";
import { diagnosisDocument } from "./diagnosis.ts";
import { diagnosisJsonSchema, diagnosisSchema } from "./diagnosis_schema.ts";
import { renderMarkdown } from "./markdown.ts";
import { renderText } from "./text.ts";

const root = new URL("../../", import.meta.url);
const logs = [
  "tg3_gentoo_2009.txt",
  "ppc405ex_emac_2009.txt",
  "failures_6.1.txt",
  "slub_debug_6.1.txt",
  "bad_pages_6.1.txt",
  "slab_oom_6.1.txt",
  "warning_6.1.txt",
  "page_pool_stall_6.1.txt",
];

const diagnosisOf = (name: string, text: string): Promise<Diagnosis> => explain({ [name]: text });
const read = (name: string): string => readFileSync(new URL(`fixtures/logs/${name}`, root), "utf8");

test("the published JSON Schema is the one that the program's schema prints (vitest -u writes it anew)", async () => {
  await expect(diagnosisJsonSchema()).toMatchFileSnapshot("../../schemas/diagnosis.schema.json");
});

test.each(logs)("the diagnosis of %s validates, also after a trip through JSON", async (name) => {
  const d = await diagnosisOf(name, read(name));
  expect(d.incidents.length).toBeGreaterThan(0);
  expect(diagnosisSchema.parse(JSON.parse(JSON.stringify(d)))).toEqual(JSON.parse(JSON.stringify(d)));
});

test("canary: the schema bites", () => {
  expect(() =>
    diagnosisSchema.parse({ schema: "skblab.diagnosis/1", inputs: [], incidents: [{ kind: "banana" }] }),
  ).toThrow();
  expect(() => diagnosisSchema.parse({ schema: "skblab.diagnosis/1", inputs: [], incidents: [], more: 1 })).toThrow();
});

test("a person gets what, why, how sure and what to do in the first lines, and the carrying lines at the end", async () => {
  const text = renderText(
    diagnosisDocument(await diagnosisOf("kern.log", read("../diagnosis/tg3_with_settings.txt"))),
    {
      colour: false,
      width: 100,
    },
  );
  const head = text.split("\n").slice(0, 24).join("\n");
  for (const word of [
    "tg3",
    "What",
    "Wanted",
    "How bad",
    "Confidence",
    "Seen",
    "What to do, best first",
    "vm.min_free_kbytes=45980",
  ])
    expect(head).toContain(word);
  expect(text).toMatch(/kern\.log:\d+ +\[4262686\.822339\] swapper: page allocation failure/);
  expect(text).toMatch(/Can TSO be the cause\? No\. TCP segmentation offload/);
});

test("a log with terminal escapes and HTML prints inert, in text and in Markdown", async () => {
  const evil = "\u001b]0;pwned\u0007<script>alert(1)</script>`|";
  const text = read("e1000_refill_6.1.txt")
    .replaceAll("Comm: sh", `Comm: ${evil}`)
    .replaceAll("sh: page allocation", `${evil}: page allocation`);
  const d = await diagnosisOf(`x${evil}.log`, text);
  expect(d.incidents.length).toBeGreaterThan(0);
  const drawn = renderText(diagnosisDocument(d), { colour: false, width: 100 });
  expect(drawn).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  const md = renderMarkdown(diagnosisDocument(d)).replace(/^```[\s\S]*?^```/gm, "");
  expect(md).not.toMatch(/<script|\u001b/);
});

test("nothing found is a sentence, not silence", async () => {
  const draw = async (text: string): Promise<string> =>
    renderText(diagnosisDocument(await diagnosisOf("a.log", text)), { colour: false, width: 100 });
  expect(await draw("")).toMatch(/a\.log is empty/);
  expect(await draw("hello\n")).toMatch(/nothing\s+was\s+read\s+from\s+it/);
  expect(await draw("[    1.000000] eth0: link up\n")).toMatch(/no allocation failure/);
});

test("every finding has a question behind it, or asks by itself", async () => {
  const without = new Set<string>();
  for (const name of logs)
    for (const i of (await diagnosisOf(name, read(name))).incidents)
      for (const f of i.findings)
        if (f.question === undefined && !f.claim.includes("?") && !/^(missing\.|wanted\.object|judgement\.)/.test(f.id))
          without.add(f.id);
  // A zone that the mask forbids plays no part: nothing is asked of it.
  expect([...without].filter((id) => !id.startsWith("why.zone."))).toEqual([]);
});
