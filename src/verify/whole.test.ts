// A transcript that was cut between two lines looks like a shorter one: it must be refused, whatever its kind, and so must a recorder's own cut.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { BadInput } from "../base/bad_input.ts";
import { replayTranscript } from "./verify.ts";

const fixtures = join(import.meta.dirname, "../../fixtures");
const one = (area: string, start: string): string => {
  const folder = join(fixtures, area);
  return join(folder, readdirSync(folder).find((f) => f.startsWith(start) && f.includes(".ndjson")) as string);
};

describe("a transcript without its end", () => {
  test.each([
    ["buddy", one("buddy", "buddyL")],
    ["slub", one("slub", "objects_sz")],
    ["page_pool", one("page_pool", "frag")],
    ["skb fuzz", one("skb", "fuzz")],
    ["skb segment", one("skb", "segment")],
    ["skb tables", one("skb", "tables")],
    ["page_frag", one("page_frag", "page_frag")],
  ])("%s: is refused at its last line, and with a recorder that ran out of room too", (_kind, path) => {
    const lines = gunzipSync(readFileSync(path)).toString("utf8").trimEnd().split("\n");
    const refused = (kept: readonly string[]): BadInput => {
      try {
        replayTranscript({ path, lines: kept });
      } catch (error) {
        if (error instanceof BadInput) return error;
        throw error;
      }
      throw new Error("accepted");
    };
    const half = lines.length >> 1;
    const cut = refused(lines.slice(0, half));
    expect(cut.sentence()).toContain("cut off");
    expect(cut.sentence()).toContain(`:${half}:`);
    // A line that stands twice, and in a recording of this project's own one that is missing.
    if (lines[half]?.includes('"i":'))
      expect(refused(lines.toSpliced(half, 0, lines[half] as string)).sentence()).toMatch(
        /Step \d+ stands behind|without its step/,
      );
    const full = refused(lines.with(-1, (lines.at(-1) as string).replace('truncated":0', 'truncated":1')));
    expect(full.message).toContain("ran out of room");
  });
});
