import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetReadObjects } from "hyparquet";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { FleetAnswer } from "../../fleet/fleet.ts";
import { runCommand } from "./command.testkit.ts";
import { command as fleet } from "./fleet.ts";
import { command as merge } from "./merge.ts";

const logs = join(import.meta.dirname, "../../../fixtures/logs");
const folder = mkdtempSync(join(tmpdir(), "skblab-fleet-"));
const hosts = join(folder, "hosts");
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(() => {
  for (let h = 0; h < 6; h++) {
    mkdirSync(join(hosts, `web${h}`), { recursive: true });
    copyFileSync(
      join(logs, h % 2 === 0 ? "e1000_refill_6.1.txt" : "tg3_gentoo_2009.txt"),
      join(hosts, `web${h}/dmesg.txt`),
    );
  }
  writeFileSync(join(hosts, "web0/sysctl.txt"), "vm.min_free_kbytes = 12345\n");
  writeFileSync(join(hosts, "broken.gz"), "no gzip");
});
const run = async (...args: string[]) => runCommand(fleet, [...args, "--jobs", "1"]);

test("a folder with a folder a host: hosts are counted, worst first, a broken file costs that file", async () => {
  const { json, text } = await run(hosts);
  const a = json as FleetAnswer;
  expect([a.hosts, a.hostsWithTrouble]).toEqual([7, 6]);
  const e1000 = a.causes.find((c) => c.drivers[0]?.name === "e1000");
  expect(e1000).toMatchObject({ hosts: 3, example: { host: "web0" } });
  expect(text).toMatch(/7 hosts, 6 with trouble/);
});

test("parts joined are the whole, byte for byte; a missing part and an interrupted line are seen", async () => {
  const whole = JSON.stringify((await run(hosts)).json);
  const out = join(folder, "parts");
  await run(hosts, "--shard", "1/2", "--out", out);
  await expect(runCommand(merge, [out])).rejects.toThrow(/of part 2 of 2/);
  await run(hosts, "--shard", "2/2", "--out", out);
  expect(JSON.stringify((await runCommand(merge, [out])).json)).toBe(whole);
  const file = join(out, "fleet-2-of-2.ndjson");
  const lines = readFileSync(file, "utf8");
  writeFileSync(file, lines.slice(0, -40));
  await expect(runCommand(merge, [out])).rejects.toThrow(/1 of 7 hosts' files are missing/);
  const { notes } = await run(hosts, "--shard", "2/2", "--out", out);
  expect(notes.join()).toMatch(/2 of 3 were read before/);
  expect(JSON.stringify((await runCommand(merge, [out])).json)).toBe(whole);
});

test("rows an incident: NDJSON, CSV and Parquet hold the same", async () => {
  for (const form of ["ndjson", "csv", "parquet"]) await run(hosts, "--export", join(folder, `rows.${form}`));
  const ndjson = readFileSync(join(folder, "rows.ndjson"), "utf8")
    .trimEnd()
    .split("\n")
    .map((l) => JSON.parse(l) as { host: string; cause: string });
  const bytes = readFileSync(join(folder, "rows.parquet"));
  const parquet = (await parquetReadObjects({
    file: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer,
  })) as { host: string; cause: string }[];
  expect(parquet.map((r) => [r.host, r.cause])).toEqual(ndjson.map((r) => [r.host, r.cause]));
  expect(readFileSync(join(folder, "rows.csv"), "utf8").trimEnd().split("\r\n").length).toBe(ndjson.length + 1);
});

test("a wrong expression, year or ending is one sentence", async () => {
  await expect(run(hosts, "--host-from", "(")).rejects.toThrow(/not a regular expression/);
  await expect(run(hosts, "--year", "26")).rejects.toThrow(/not a year/);
  await expect(run(hosts, "--export", "x.doc")).rejects.toThrow(/writes \.csv/);
  await expect(run(join(folder, "none"))).rejects.toThrow(/no such file/);
});

test("--prove in parts: each tests the examples of its part, and what is joined is what one run says", async () => {
  const few = join(folder, "few");
  for (const [host, log] of [
    ["a", "page_pool_stall_6.1.txt"],
    ["b", "slub_debug_6.1.txt"],
    ["c", "page_pool_stall_6.1.txt"],
  ] as const) {
    mkdirSync(join(few, host), { recursive: true });
    copyFileSync(join(logs, log), join(few, host, "dmesg.txt"));
  }
  const whole = (await run(few, "--prove")).json as { proofs: unknown[]; causes: unknown[] };
  expect(whole.proofs.length).toBe(whole.causes.length);
  expect(whole.proofs.every((p) => p !== null)).toBe(true);
  const out = join(folder, "proved");
  for (const i of [1, 2]) await run(few, "--prove", "--shard", `${i}/2`, "--out", out);
  expect(JSON.stringify((await runCommand(merge, [out])).json)).toBe(JSON.stringify(whole));
});
