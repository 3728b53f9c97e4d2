// The questions of docs/fleet.md, asked to DuckDB itself over Parquet files as `--export` writes them.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { HostIncident } from "../../fleet/host_record.ts";
import { dayOf } from "../../kernel/readings/date.ts";
import { openExport } from "./export.ts";

const duckdb = await import("@duckdb/node-api").catch(() => undefined);
if (duckdb === undefined)
  console.warn("The questions to DuckDB are not asked: @duckdb/node-api has no build for this machine.");
const root = join(import.meta.dirname, "../../..");
const folder = mkdtempSync(join(tmpdir(), "skblab-duckdb-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The SQL of the page, by its comments. */
const page = readFileSync(join(root, "docs/fleet.md"), "utf8");
const questions = (page.split("```sql\n")[1]?.split("```")[0] ?? "")
  .split("-- ")
  .slice(1)
  .map((block) => {
    const [what = "", ...sql] = block.split("\n");
    return { what, sql: sql.join("\n").replaceAll("'nights/", `'${folder}/nights/`) };
  });

interface Told {
  readonly host: string;
  readonly cause: string;
  readonly day: string;
  readonly count?: number;
  readonly release: string;
  readonly driver: string;
}

function night(name: string, rows: readonly Told[]): void {
  mkdirSync(join(folder, "nights"), { recursive: true });
  const out = openExport(join(folder, `nights/${name}.parquet`));
  for (const { host, cause, day, count = 1, release, driver } of rows) {
    const at = `${day}T03:14:07Z`;
    const incident: HostIncident = {
      print: [cause, "", "", "", "", "", ""],
      title: cause,
      severity: cause === "leak" ? "corruption" : "watch",
      count,
      first: at,
      last: at,
      days: [[dayOf(at), count]],
      release,
      stated: true,
      driver: driver === "" ? null : driver,
      input: "x",
      line: 1,
    };
    out.add({
      schema: "skblab.fleet-host/2",
      host,
      facts: { mtu: 1500 },
      incidents: [incident],
      inputs: 1,
      unread: false,
      notes: [],
    });
  }
  out.end();
}

test.skipIf(duckdb === undefined)("five questions, each with the answer that the rows hold", async () => {
  const old = { cause: "refill", release: "6.1.80", driver: "e1000e" };
  for (const day of ["2026-11-25", "2026-11-26", "2026-11-27", "2026-11-28"])
    night(day, [
      { ...old, host: "web1", day, count: 5 },
      ...(day > "2026-11-26" ? [{ ...old, host: "web2", day }] : []),
    ]);
  night("2026-11-29", [
    { ...old, host: "web1", day: "2026-11-29" },
    { host: "web3", cause: "leak", day: "2026-11-29", count: 2, release: "6.1.90", driver: "mlx5_core" },
    { host: "web4", cause: "leak", day: "2026-11-29", release: "6.1.90", driver: "mlx5_core" },
    { host: "web5", cause: "oom", day: "2026-11-29", release: "6.1.90", driver: "" },
  ]);
  const connection = await (await duckdb!.DuckDBInstance.create(":memory:")).connect();
  const answers = [];
  for (const { sql } of questions) answers.push((await connection.runAndReadAll(sql)).getRowsJson());
  expect(questions.map((q) => q.what)).toEqual([
    "Which causes affect the most hosts?",
    "What is new since yesterday?",
    "Which release has the most reports per host?",
    "Which hosts report it night after night?",
    "Which causes has only a single driver?",
  ]);
  expect(answers).toEqual([
    [
      ["refill", "watch", "2", "23"],
      ["leak", "corruption", "2", "3"],
      ["oom", "watch", "1", "1"],
    ],
    [
      ["leak", "2"],
      ["oom", "1"],
    ],
    [
      ["6.1.80", "2", 11.5],
      ["6.1.90", "3", 4 / 3],
    ],
    [["refill", "web1", "5"]],
    [
      ["leak", "mlx5_core"],
      ["refill", "e1000e"],
    ],
  ]);
  connection.closeSync();
});
