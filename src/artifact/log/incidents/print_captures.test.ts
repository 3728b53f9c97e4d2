// What running kernels of 5.10, 6.12 and 7.2 printed is read and printed back, line by line. A report of 6.12 and one of 7.2 lie in fixtures/.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { Incident } from "../../../kernel/readings/incident.ts";
import { repairText } from "../lines.ts";
import { printAllocFailure } from "./alloc_failure_print.ts";
import { printBadPage } from "./bad_page.ts";
import { inferRelease } from "./infer_release.ts";
import { printOom } from "./oom_print.ts";
import { readIncidents } from "./read_incidents.ts";

const root = join(import.meta.dirname, "../../../..");
const captures = join(root, "../shared/captures");

const printed = (i: Incident, version: readonly number[]): string[] | undefined => {
  switch (i.kind) {
    case "alloc_failure":
      return printAllocFailure(i.reading, version);
    case "oom":
      return printOom(i.reading, version);
    case "bad_page":
      return printBadPage(i.reading, version);
    default:
      return undefined;
  }
};

/** Lines that no Reading holds: the bad mapping of 5.10 makes dump_page() look at it, and say that it could not. */
const notHeld = /^failed to read mapping contents, not a valid kernel address\?$/;

/** Prints every report of a log in the form of `version` and compares; how many there were of each kind. */
function printedBack(text: string, version: readonly number[]): Record<string, number> {
  const counts: Record<string, number> = {};
  const lines = text.split("\n").map((l) => l.replace(/^\[ *\d+\.\d{6}\] /, ""));
  for (const incident of readIncidents(repairText(text)).incidents) {
    const back = printed(incident, version);
    if (back === undefined) continue;
    const original = lines.slice(incident.firstLine - 1, incident.lastLine).filter((l) => !notHeld.test(l));
    expect(back, `line ${incident.firstLine}`).toEqual(original);
    counts[incident.kind] = (counts[incident.kind] ?? 0) + 1;
  }
  return counts;
}

const fixture = (release: string): string =>
  readFileSync(join(root, `fixtures/reports/alloc_failure_${release}.txt`), "utf8");

describe.each([
  ["6.12", [6, 12]],
  ["7.2", [7, 2]],
] as const)("one report of %s", (release, version) => {
  const text = fixture(release);
  const { incidents, notes } = readIncidents(repairText(text));
  test("is read to its last line and printed back", () => {
    expect(printedBack(text, version)).toEqual({ alloc_failure: 1 });
    expect(incidents[0]).toMatchObject({ firstLine: 1, lastLine: text.trimEnd().split("\n").length, missing: [] });
    expect(notes).toEqual([]);
  });

  test("the names of its taint flags are no part of the build", () => {
    expect(incidents[0]?.reading).toMatchObject({
      process: { taintNames: "[O]=OOT_MODULE, [E]=UNSIGNED_MODULE", build: "#1", uid: 0 },
    });
    expect(JSON.stringify(incidents[0]?.reading).match(/OOT_MODULE/g)?.length).toBe(1);
  });

  test("its form contains its release, also where the release is cut away and where a mailer broke the node line", () => {
    const unnamed = text.replace(/ Tainted: G .*/, "").replace(/\[ *\d+\.\d{6}\] Tainted: .*\n/, "");
    expect(unnamed).not.toContain(".117+");
    for (const wrapped of [unnamed, unnamed.replace(/(all_unreclaimable\? \w+) /, "$1\n")]) {
      const verdict = inferRelease(readIncidents(repairText(wrapped)).incidents);
      expect(verdict.certainty).toBe("inferred");
      expect(verdict.backport).toBeUndefined();
      // The GPU counters are known to no older release than 7.1; a UID is printed since 6.11, free_highatomic since 6.13.
      expect(verdict.release).toBe(release === "7.2" ? "7.1 or later" : "6.11 to 6.12");
    }
  });
});

test("a field that a release may lack at the end of the node line closes no range: 6.12's line may be of 6.18, 7.0's of 7.1", () => {
  const range = (text: string): string | undefined =>
    inferRelease(readIncidents(repairText(text)).incidents).because.find((b) => b.sentence.startsWith("The node line"))
      ?.sentence;
  expect(range(fixture("6.12"))).toBe("The node line has the fields of 6.1 to 6.18.");
  expect(range(fixture("7.2"))).toBe("The node line has the fields of 7.1 and later.");
  const of70 = fixture("7.2").replace(" gpu_active:0kB gpu_reclaim:0kB", "").replaceAll("7.2.12", "7.0.1");
  expect(range(of70)).toBe("The node line has the fields of 6.16 to 7.1.");
});

test("what control groups keep from reclaim, and what 7.2 counts behind all_unreclaimable", () => {
  const [i] = readIncidents(repairText(fixture("7.2"))).incidents;
  expect(i?.kind === "alloc_failure" ? i.reading.memInfo : undefined).toMatchObject({
    protectedKb: { min: 0, low: 0 },
    nodes: [{ allUnreclaimable: true, kb: { Balloon: 0, gpu_active: 0, gpu_reclaim: 0 } }],
  });
});

describe.skipIf(!existsSync(captures))(
  "every report of the captures prints as it was read (skipped without ../shared/captures)",
  () => {
    test.each([
      ["5.10/dmesg/fail128/dmesg.txt.gz", [5, 10], { alloc_failure: 10, bad_page: 5, oom: 1 }],
      ["6.12/dmesg/fail96/dmesg.txt.gz", [6, 12], { alloc_failure: 9, bad_page: 8, oom: 1 }],
      ["6.12/dmesg/drvfail_e1000/dmesg.txt", [6, 12], { alloc_failure: 3, oom: 1 }],
      ["6.12/dmesg/ppstall/dmesg.txt", [6, 12], { bad_page: 9 }],
      ["7.2/dmesg/fail128/dmesg.txt.gz", [7, 2], { alloc_failure: 8, bad_page: 8, oom: 1 }],
      ["7.2/page_pool/stall_badput_dmesg.txt", [7, 2], { bad_page: 1 }],
    ] as const)("%s", (file, version, counts) => {
      const bytes = readFileSync(join(captures, file));
      const text = (file.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
      expect(printedBack(text, version)).toEqual(counts);
    });
  },
);
