// What comes with the page ready made is what a run gives: schedules play to the finding that they are shown for, and
// each case's answer is the one of its page in docs/cases.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { faultColumns, faultsOf, knownFaults } from "../explore/lltx.testkit.ts";
import type { LltxTable } from "../explore/stories/lltx.ts";
import { replayLltx } from "../explore/stories/lltx.ts";
import { schemeLines, schemes } from "../explore/stories/transmit.ts";
import { caseDocument } from "../report/cases.ts";
import { renderMarkdown } from "../report/markdown.ts";
import { type CaseResult, cases } from "../scenario/cases/index.ts";

const here = import.meta.dirname;
const json = <T>(path: string): T => JSON.parse(readFileSync(join(here, path), "utf8")) as T;

test("every shipped schedule plays to its finding in as many steps as the table says", () => {
  const shipped = json<LltxTable>("../web/shipped_lltx.json");
  for (const row of shipped.rows)
    for (const column of faultColumns) {
      const shown = row[column];
      if (shown === null) continue;
      const { replay } = replayLltx(row.id, shown.schedule);
      expect(replay.steps.length).toBe(shown.steps);
      expect(replay.findings.map((f) => f.finding)).toContain(column);
    }
  expect(shipped.details.map((d) => [d.id, d.title, d.source, d.code])).toEqual(
    schemes.map((s) => [s.id, s.title, s.source, schemeLines(s)]),
  );
  // src/explore/lltx.test.ts finds the same columns by search; the full one is scripts/write-schedules.mjs.
  expect(faultsOf(shipped)).toEqual(knownFaults);
});

test("every case has a shipped answer, and it is the one that its page in docs/cases prints", () => {
  const names = readdirSync(join(here, "../web/shipped")).map((n) => n.replace(/\.json$/, ""));
  expect(names.sort()).toEqual(cases.map((c) => c.id).sort());
  for (const c of cases) {
    const page = readFileSync(join(here, `../../docs/cases/${c.id}.md`), "utf8");
    expect(page).toContain(renderMarkdown(caseDocument(c, json<CaseResult>(`../web/shipped/${c.id}.json`))).trim());
  }
});
