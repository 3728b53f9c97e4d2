import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { repairText } from "../lines.ts";
import { inferRelease, readBanner, versionOf } from "./infer_release.ts";
import { plainLines } from "./plain_lines.ts";
import { readIncidents } from "./read_incidents.ts";

const fixture = (name: string): string =>
  readFileSync(join(import.meta.dirname, "../../../../fixtures/logs", name), "utf8");
const verdictOf = (text: string): ReturnType<typeof inferRelease> =>
  inferRelease(readIncidents(repairText(text)).incidents);

describe("the release of a log", () => {
  test("is taken from the process line, and the form of the report agrees", () => {
    const verdict = verdictOf(fixture("tg3_gentoo_2009.txt"));
    expect(verdict).toMatchObject({
      certainty: "stated",
      release: "2.6.24-gentoo-r8_64-08.19.08",
      version: [2, 6, 24],
    });
    expect(verdict.backport).toBeUndefined();
    expect(verdict.because[0]?.lines[0]?.line).toBe(2);
  });

  test("with that line gone, the mask, the punctuation and the stack bound it: 2.6.22 to 2.6.25 (SLUB is on it)", () => {
    const text = fixture("tg3_gentoo_2009.txt").replace(/.*Pid: 0, comm.*\n/, "");
    expect(verdictOf(text)).toMatchObject({ certainty: "inferred", since: [2, 6, 22], until: [2, 6, 25] });
  });

  test("2.6.29 is inferred from a bad page: headline, index and what the flags can mean on that page frame", () => {
    const verdict = verdictOf(fixture("ppc405ex_emac_2009.txt"));
    expect(verdict).toMatchObject({ certainty: "inferred", release: "2.6.29", version: [2, 6, 29] });
    const flags = verdict.because.find((r) => r.sentence.includes("00044000"));
    expect(flags?.sentence).toMatch(/tail\|buddy in 2\.6\.26 to 2\.6\.29/);
    expect(flags?.sentence).toMatch(/head\|reclaim \(2\.6\.30 to 4\.3\) is impossible/);
    expect(flags?.lines[0]?.line).toBe(2);
  });

  test("6.1 to 6.2 is what a report of 6.1.192 allows when nothing states it", () => {
    const text = fixture("failures_6.1.txt").replaceAll(/ 6\.1\.192-oracle #1 /g, " ");
    const incidents = readIncidents(repairText(text)).incidents.slice(0, 1);
    expect(inferRelease(incidents)).toMatchObject({ certainty: "inferred", since: [6, 1], until: [6, 2] });
  });

  test("a report that does not look like its release is a vendor backport, with what was seen", () => {
    const text = fixture("failures_6.1.txt").replaceAll("6.1.192-oracle", "4.18.0-553.el8_10.x86_64");
    const verdict = verdictOf(text);
    expect(verdict).toMatchObject({ certainty: "stated", version: [4, 18, 0] });
    expect(verdict.backport?.sentence).toMatch(/0x40a20/);
    expect(verdict.backport?.lines.length).toBeGreaterThan(0);
  });

  test("a boot banner states it for a log whose reports do not", () => {
    const banner = plainLines(
      "[    0.000000] Linux version 5.10.0-28-amd64 (debian-kernel@lists.debian.org) (gcc-10)",
    ).map(readBanner)[0];
    expect(banner?.text).toBe("5.10.0-28-amd64");
    const verdict = inferRelease([], banner);
    expect(verdict).toMatchObject({ certainty: "stated", release: "5.10.0-28-amd64", version: [5, 10, 0] });
    expect(versionOf("banana")).toBeUndefined();
  });

  test("nothing at all gives no release", () => {
    expect(inferRelease([])).toEqual({ release: "", certainty: "unknown", because: [] });
  });
});
