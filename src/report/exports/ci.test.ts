// What CI systems are given. The rules held are those of SARIF 2.1.0 (OASIS) and of XML 1.0.
import { expect, test } from "vitest";
import type { DiagnosedIncident, Diagnosis } from "../../diagnosis/finding.ts";
import { junitOf } from "./junit.ts";
import { sarifOf } from "./sarif.ts";

const hostile = "</failure>]]><script>&\u0000\u001b[31m\ud800\uffff\u202e\"'";
const incident = (over: Partial<DiagnosedIncident>): DiagnosedIncident => ({
  kind: "alloc_failure",
  title: "Page allocation failure of order 1",
  subject: { title: "Page allocation failure of order 1", asker: null, which: null },
  kernel: { release: "6.1.192", certainty: "stated", because: [] },
  order: 1,
  bytes: null,
  gfp: null,
  driver: "e1000",
  direction: null,
  wanted: null,
  cause: "No block.",
  severity: "act",
  findings: [],
  advice: [],
  count: 3,
  suppressed: 0,
  occurrences: [
    { input: "logs/kern 1.log", firstLine: 7, lastLine: 40 },
    { input: "C:\\x:y.log", firstLine: 0, lastLine: 0 },
  ],
  episode: null,
  mtuTable: null,
  machine: {} as DiagnosedIncident["machine"],
  memory: null,
  oom: null,
  ...over,
});
const input = (name: string, lines: number | null = 9, notes: Diagnosis["inputs"][number]["notes"] = []) => ({
  name,
  bytes: 100,
  lines,
  notes,
});
const diagnosis: Diagnosis = {
  schema: "skblab.diagnosis/1",
  inputs: [
    input("logs/kern 1.log"),
    input("quiet.log"),
    input("a.bin", null, [{ line: null, sentence: "It is not text." }]),
    input(hostile),
  ],
  incidents: [incident({}), incident({ severity: "harmless", title: hostile, cause: hostile, occurrences: [] })],
};

test("SARIF: levels, places from line 1, URIs without a scheme, counts, and a fingerprint that does not move with the line", () => {
  interface Place {
    readonly physicalLocation: {
      readonly artifactLocation: { readonly uri: string };
      readonly region: { readonly startLine: number; readonly endLine: number };
    };
  }
  interface Result {
    readonly ruleId: string;
    readonly ruleIndex: number;
    readonly level: string;
    readonly message: { readonly text: string };
    readonly occurrenceCount: number;
    readonly locations: readonly Place[];
    readonly relatedLocations: readonly Place[];
    readonly partialFingerprints: Readonly<Record<string, string>>;
  }
  const parsed = (d: Diagnosis) =>
    (
      JSON.parse(JSON.stringify(sarifOf(d, "1.2.3"))) as {
        version: string;
        runs: {
          tool: { driver: { rules: { id: string }[] } };
          results: Result[];
          artifacts: { location: { uri: string } }[];
        }[];
      }
    ).runs[0]!;
  const run = parsed(diagnosis);
  expect(run.results.map((r) => [r.level, r.occurrenceCount])).toEqual([
    ["error", 3],
    ["note", 3],
  ]);
  for (const r of run.results) {
    expect(run.tool.driver.rules[r.ruleIndex]!.id).toBe(r.ruleId);
    expect(r.message.text).not.toMatch(/[\u0000-\u0008\u001b\u202e]/);
    for (const { physicalLocation: p } of [...r.locations, ...r.relatedLocations]) {
      expect(p.region.startLine).toBeGreaterThanOrEqual(1);
      expect(p.region.endLine).toBeGreaterThanOrEqual(p.region.startLine);
      expect(p.artifactLocation.uri).toMatch(/^[A-Za-z0-9\-._~!*'()%/]+$/);
    }
  }
  expect(run.results[0]!.locations[0]!.physicalLocation.artifactLocation.uri).toBe("logs/kern%201.log");
  const moved = parsed({
    ...diagnosis,
    incidents: [incident({ occurrences: [{ input: "other", firstLine: 99, lastLine: 99 }] })],
  });
  expect(moved.results[0]!.partialFingerprints).toEqual(run.results[0]!.partialFingerprints);
});

/** The elements of a document, when it is well formed; throws where it is not. */
function elements(xml: string): string[] {
  const open: string[] = [];
  const seen: string[] = [];
  const body = xml.replace(/^<\?xml [^?]*\?>\n/, "");
  expect(body).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\uFFFE\uFFFF]|[\ud800-\udfff]/u);
  for (const m of body.matchAll(/<(\/?)([a-z-]+)((?: [a-z]+="[^"<&]*(?:&#\d+;[^"<&]*)*")*)(\/?)>|([^<]+)/g)) {
    if (m[5] !== undefined) expect(m[5].replace(/&#\d+;/g, "")).not.toContain("&");
    else if (m[1] === "/") expect(open.pop()).toBe(m[2]);
    else {
      seen.push(m[2]!);
      if (m[4] !== "/") open.push(m[2]!);
    }
  }
  expect(open).toEqual([]);
  // Nothing lies outside of what was matched.
  expect([...body.matchAll(/</g)].length).toBe([...body.matchAll(/<\/?[a-z-]+(?: [a-z]+="[^"<]*")*\/?>/g)].length);
  return seen;
}

test("JUnit: what is bad enough fails, a quiet input passes, an unread one is skipped; hostile text stays text", () => {
  const xml = junitOf(diagnosis);
  expect(elements(xml).filter((e) => e !== "testsuites" && e !== "testsuite")).toEqual([
    "testcase",
    "failure",
    "testcase",
    "system-out",
    "testcase",
    "testcase",
    "skipped",
    "testcase",
  ]);
  expect(xml).toContain('tests="5" failures="1" errors="0" skipped="1"');
  expect(junitOf(diagnosis, "corruption")).toContain('failures="0"');
  expect(junitOf(diagnosis, "harmless")).toContain('failures="2"');
});
