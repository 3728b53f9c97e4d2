import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { diagnosisSchema } from "../../report/diagnosis_schema.ts";
import type { Ran } from "./command.testkit.ts";
import { refusal, runCommand } from "./command.testkit.ts";
import { command } from "./diagnose.ts";

const folder = mkdtempSync(join(tmpdir(), "skblab-diagnose-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const fixture = (name: string): string => fileURLToPath(new URL(`../../../fixtures/${name}`, import.meta.url));

const run = (...files: string[]): Promise<Ran> => runCommand(command, files);

test("several files make one answer, packed or not, that validates; finding trouble is no error", async () => {
  const packed = file(
    "kern.log.gz",
    gzipSync("[   62.809163] page_pool_release_retry() stalled pool shutdown 7 inflight 60 sec\n"),
  );
  const answer = await run(fixture("diagnosis/tg3_with_settings.txt"), packed);
  expect(answer.exit).toBe(0);
  const d = diagnosisSchema.parse(JSON.parse(JSON.stringify(answer.json)));
  expect(d.incidents.map((i) => i.kind)).toEqual(["alloc_failure", "page_pool_stall"]);
  expect(answer.text).toMatch(/2 reports of memory trouble, 2 causes, in 2 inputs/);
});

test("--brief is a line an incident, worst first; --fail-on gives 1 at that severity and above, 0 below", async () => {
  const log = fixture("logs/ppc405ex_emac_2009.txt");
  const harmless = fixture("logs/tg3_gentoo_2009.txt");
  const brief = await run(log, harmless, "--brief");
  const lines = brief.text.split("\n").filter((l) => /^(corruption|act|watch|harmless): /.test(l));
  expect(lines.length).toBe((brief.json as { incidents: unknown[] }).incidents.length);
  expect(lines[0]).toMatch(/^corruption: /);
  expect(brief.exit).toBe(0);
  expect((await run(log, "--fail-on", "corruption")).exit).toBe(1);
  expect((await run(log, "--fail-on", "watch")).exit).toBe(1);
  const worst = (await run(harmless)).json as { incidents: { severity: string }[] };
  expect(worst.incidents.every((i) => i.severity !== "corruption")).toBe(true);
  expect((await run(harmless, "--fail-on", "corruption")).exit).toBe(0);
});

test("--since leaves out what is older and says how many; what has no such time stays and is counted", async () => {
  const report = readFileSync(fixture("logs/e1000_refill_6.1.txt"), "utf8");
  const dated = report.replace(/^/gm, "2026-11-29T20:00:00+00:00 h kernel: ");
  const log = file("dated.log", dated);
  const boot = file("boot.log", report);
  expect((await run(log, "--since", "2026-11-29 12:00:00Z")).json).toMatchObject({ incidents: [{ count: 1 }] });
  const late = await run(log, boot, "--since", "2026-12-01 00:00:00Z");
  expect(
    (late.json as { incidents: { occurrences: { input: string }[] }[] }).incidents.flatMap((i) =>
      i.occurrences.map((o) => o.input),
    ),
  ).toEqual([boot]);
  expect(late.text).toMatch(/1 report before 2026-1[12]-\d\d [\d:]+ left out/);
  expect(late.text).toMatch(/1 report without a time to compare with/);
  const none = await run(boot, "--since", "boot+900000000");
  expect(none.text).toMatch(/no allocation failure, [\s\S]* since 900000000 s after boot/);
  diagnosisSchema.parse(JSON.parse(JSON.stringify(none.json)));
  await expect(run(boot, "--since", "soon")).rejects.toThrow('--since "soon" is not a time.');
});

test("--sarif and --junit write beside the answer; --follow goes with neither", async () => {
  const [sarif, junit] = [join(folder, "a.sarif"), join(folder, "a.xml")];
  const log = fixture("logs/ppc405ex_emac_2009.txt");
  await run(log, "--sarif", sarif, "--junit", junit, "--fail-on", "corruption");
  const { runs } = JSON.parse(readFileSync(sarif, "utf8")) as { runs: { results: { level: string }[] }[] };
  expect(runs[0]!.results.map((r) => r.level)).toContain("error");
  expect(readFileSync(junit, "utf8")).toMatch(/<failure type="[a-z_]+" message="/);
  await expect(run("--follow", log, "--sarif", sarif)).rejects.toThrow(/--sarif does not go with --follow/);
  await expect(run()).rejects.toThrow(/No file is named/);
});

test("an empty file and a log without incidents each get a sentence", async () => {
  expect((await run(file("empty.log", ""))).text).toMatch(/empty\.log is empty/);
  expect((await run(file("quiet.log", "[    1.000000] all is well\n"))).text).toMatch(
    /quiet\.log \(1 line\): no allocation failure/,
  );
});

test("a binary file alone is unreadable input; beside a log it is a note", async () => {
  const binary = file("a.bin", new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2, 3, 0, 0, 0, 0]));
  await expect(run(binary)).rejects.toThrow(/It is not text: It begins like an ELF file/);
  const both = (await run(binary, file("quiet.log", "[    1.000000] all is well\n"))).text;
  expect(both).toMatch(/a\.bin was not read\. It is not text/);
  expect(both).toMatch(/quiet\.log \(1 line\): no allocation failure/);
});

test("what lies too deep or is missing is never said to be free of trouble", async () => {
  let packed: Uint8Array = new TextEncoder().encode("x\n");
  for (let i = 0; i < 8; i++) packed = gzipSync(packed);
  await expect(run(file("deep.gz", packed))).rejects.toThrow(/packed more than 6 layers deep/);
});

test("a file that is not there is the user's input, not our fault", async () => {
  await refusal(run(join(folder, "missing.log")));
});

test("the examples of the help page run from a clone", async () => {
  const repo = fileURLToPath(new URL("../../../", import.meta.url));
  const runnable = command.examples.filter(
    (e) => e.line.startsWith("skblab diagnose ") && !e.line.includes("--follow"),
  );
  expect(runnable.length).toBeGreaterThan(3);
  for (const e of runnable) {
    const files = e.line
      .split(" ")
      .slice(2)
      .filter((w) => w.startsWith("fixtures/"));
    expect(files.length, e.line).toBeGreaterThan(0);
    const d = diagnosisSchema.parse(JSON.parse(JSON.stringify((await run(...files.map((f) => join(repo, f)))).json)));
    expect(d.incidents.length, e.line).toBeGreaterThan(0);
  }
});

describe("a directory of files that hold nothing", () => {
  const many = mkdtempSync(join(tmpdir(), "skblab-many-"));
  const put = (name: string, data: string | Uint8Array): void => writeFileSync(join(many, name), data);
  afterAll(() => rmSync(many, { recursive: true }));
  const noise = Uint8Array.from({ length: 300 }, (_, i) => (i * 167) % 256);

  test("none of them was searched, and none is said to report nothing", async () => {
    for (let i = 0; i < 4; i++) put(`noise${i}`, noise);
    await expect(run(many)).rejects.toThrow("It is not text.");
    for (let i = 0; i < 4; i++) put(`empty${i}`, "");
    const { text } = await run(many);
    expect(text).not.toContain("no allocation failure");
    expect(text).toMatch(/^Empty: 4 inputs \(\S*empty0, \S*empty1,\s\S*empty2 and 1 more\)\.$/m);
    expect(text).toMatch(/^Not read: 4 inputs \(\S*noise0/m);
  });
  test("beside a log they are named once", async () => {
    put("kern.log", readFileSync(fixture("logs/tg3_gentoo_2009.txt")));
    const { text } = await run(many);
    expect(text).toContain("Page allocation failure of order 1");
    expect(text.match(/It is not text/g)).toHaveLength(1);
    expect(text).toMatch(/noise0 and 3 more +It is not text\./);
  });
});
