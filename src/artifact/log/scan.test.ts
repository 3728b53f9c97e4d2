import { describe, expect, test } from "vitest";
import { inChunks, sourceOf } from "../../base/byte_source.ts";
import { prng } from "../../base/prng.ts";
import { anchors } from "./anchors.ts";
import type { RawWindow, ScanOptions, ScanSummary } from "./scan.ts";
import { scanLog } from "./scan.ts";

async function scan(
  text: string,
  options: ScanOptions = {},
  chunk = 1 << 18,
): Promise<{ windows: RawWindow[]; summary: ScanSummary }> {
  const windows: RawWindow[] = [];
  const summary = await scanLog(inChunks(sourceOf("t", text), chunk), (w) => windows.push(w), options);
  return { windows, summary };
}

/**
 * Which lines a scan without limits must take, worked out line by line: around each anchor what it wants, but never back behind a stretch that
 * was taken before. A scan streams: what lies between two stretches is gone when the second one begins.
 */
function naive(text: string): number[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const taken: number[] = [];
  let until = -1;
  let next = 0;
  lines.forEach((l, i) => {
    const found = anchors.filter((a) => l.includes(a.text)).sort((a, b) => l.indexOf(a.text) - l.indexOf(b.text));
    const [first] = found;
    if (first !== undefined && i > until) {
      next = Math.max(next, i - first.before);
      until = i;
    }
    for (const a of found) until = Math.max(until, i + a.after);
    if (i <= until) {
      for (; next <= i; next++) taken.push(next + 1);
    }
  });
  return taken;
}

function randomLog(seed: number): string {
  const p = prng(seed);
  const lines = Array.from({ length: p.below(1500) }, (_, i) =>
    p.chance(0.003)
      ? `[${i}.000001] ${p.pick(anchors).text} x`
      : `[${i}.000000] ${"filler ".repeat(p.below(9))}${p.u32().toString(36)}`,
  );
  return lines.join("\n") + (p.chance(0.5) ? "\n" : "");
}

test("each anchor, alone on a line, opens a window that carries its name", async () => {
  for (const a of anchors) {
    const { windows } = await scan(`one\ntwo ${a.text} three\nfour\n`);
    expect(
      windows.flatMap((w) => w.anchors).map((x) => x.name),
      a.text,
    ).toContain(a.name);
    expect(windows[0]?.lines.map((l) => l.text)).toContain(`two ${a.text} three`);
  }
});

test("takes the lines that a naive reader takes, once each, in any chunk size (seeds 1..30)", async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const text = randomLog(seed);
    const lines = text.split("\n");
    for (const chunk of [1 << 18, 100, 4096]) {
      const { windows, summary } = await scan(text, {}, chunk);
      const got = windows.flatMap((w) => w.lines);
      expect(
        got.map((l) => l.line),
        `seed ${seed} chunk ${chunk}`,
      ).toEqual(naive(text));
      expect(got.every((l) => l.text === lines[l.line - 1])).toBe(true);
      expect(summary.lines).toBe(lines.length - (lines.at(-1) === "" ? 1 : 0));
    }
  }
});

describe("bounded memory", () => {
  const limits = { lineBytes: 4096, keepBytes: 2048, chunkBytes: 4096 };

  test("an 8 MB line without an anchor passes; the line after it is number 3", async () => {
    const { windows, summary } = await scan(`one\n${"x".repeat(8 << 20)}\nOops: here\n`, { limits });
    expect(windows.flatMap((w) => w.lines).find((l) => l.text === "Oops: here")?.line).toBe(3);
    expect(summary.lines).toBe(3);
  });

  test("an 8 MB line with an anchor at its head is cut, and a note says so", async () => {
    const { windows, summary } = await scan(`one\nOops ${"x".repeat(8 << 20)}\nnext\n`, { limits });
    const lines = windows.flatMap((w) => w.lines);
    expect(lines.map((l) => [l.line, l.text.length, l.cutBytes > 0])).toEqual([
      [1, 3, false],
      [2, 4096, true],
      [3, 4, false],
    ]);
    expect(summary.notes).toMatchObject([{ line: 2, sentence: expect.stringMatching(/longer than 4096 bytes/) }]);
  });

  test("an anchor in the middle of an 8 MB line keeps what stands around it", async () => {
    const { windows, summary } = await scan(`one\n${"x".repeat(4 << 20)} Oops ${"y".repeat(4 << 20)}\nnext\n`, {
      limits,
    });
    const lines = windows.flatMap((w) => w.lines);
    expect(lines.map((l) => l.line)).toEqual([2, 3]);
    expect(lines[0]?.text).toContain("x Oops y");
    expect(lines[1]?.text).toBe("next");
    expect(summary.notes).toHaveLength(1);
  });

  test("an 8 MB line made of anchors costs no more than its length, and names each anchor once", async () => {
    const { windows } = await scan(`one\n${"Oops BUG: ".repeat(800_000)}\nnext\n`);
    expect(windows.map((w) => w.anchors)).toEqual([
      [
        { name: "Oops", line: 2 },
        { name: "BUG: ", line: 2 },
      ],
    ]);
    expect(windows[0]?.lines.map((l) => l.line)).toEqual([1, 2, 3]);
  });

  test("a log that is all reports is split at a report, not in one, and loses no line", async () => {
    const report = `a: page allocation failure. order:1\n${"stack\n".repeat(20)}`;
    const { windows } = await scan(report.repeat(500), { limits: { softLines: 100 } });
    expect(windows.length).toBeGreaterThan(50);
    expect(windows.every((w) => w.lines[0]?.text.startsWith("a: page"))).toBe(true);
    expect(windows.flatMap((w) => w.lines).map((l) => l.line)).toEqual(
      Array.from({ length: 500 * 21 }, (_, i) => i + 1),
    );
  });

  test("one report longer than a window may be is split with a note and loses no line", async () => {
    const text = `Oops\n${"Oops again\n".repeat(999)}`;
    const { windows, summary } = await scan(text, { limits: { softLines: 5000, windowLines: 300 } });
    expect(windows.map((w) => [w.lines.length, w.cut])).toEqual([
      [300, true],
      [300, true],
      [300, true],
      [100, false],
    ]);
    expect(summary.notes.map((n) => n.line)).toEqual([301, 601, 901]);
  });
});

test("a table that is followed goes on as long as its lines do", async () => {
  const rows = Array.from({ length: 50 }, (_, i) => `row ${i}\n`).join("");
  const { windows } = await scan(`MemTotal: 1 kB\n${rows}end\n${"x\n".repeat(50)}`, {
    follow: (t) => /^row/.test(t) || t.startsWith("MemTotal"),
  });
  expect(windows[0]?.lines.map((l) => l.text)).toContain("row 49");
  expect(windows[0]?.lines.length).toBeLessThan(60);
});

test("an empty log and a log without an anchor have no window", async () => {
  expect(await scan("")).toMatchObject({ windows: [], summary: { bytes: 0, lines: 0 } });
  expect(await scan("nothing\nhere")).toMatchObject({ windows: [], summary: { bytes: 12, lines: 2 } });
});
