// Real reports, damaged in every way a transport does, must say the same after repair. Seeds are printed with a failure.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { inChunks, sourceOf } from "../../base/byte_source.ts";
import type { Prng } from "../../base/prng.ts";
import { prng } from "../../base/prng.ts";
import { gather } from "../gather.ts";
import { repairText } from "./lines.ts";

const folder = join(import.meta.dirname, "../../../fixtures/logs");
const logs = readdirSync(folder).filter((f) => /6\.1\.txt$/.test(f));
/** The kernel's own lines: what a script wrote to the console between them has no time stamp to know it by. */
const linesOf = (file: string): string[] =>
  readFileSync(join(folder, file), "utf8")
    .split("\n")
    .filter((l) => l.startsWith("["));
/** What it says: an empty record leaves nothing to know it by. */
const said = (text: string): string[] =>
  repairText(text)
    .map((l) => l.text.trimEnd())
    .filter((l) => l !== "");

const bare = (line: string): string => line.replace(/^\[ *\d+\.\d+\] /, "");

/** Damage that must be undone without a trace. */
const transports: Readonly<Record<string, (lines: readonly string[], p: Prng) => string>> = {
  "mail quoting": (lines, p) => {
    const depth = "> ".repeat(1 + p.below(3));
    return lines.map((l) => depth + l).join("\n");
  },
  "carriage returns": (lines) => lines.join("\r\n"),
  syslog: (lines) => lines.map((l) => `Nov 20 20:35:16 web1 kernel: ${l}`).join("\n"),
  "syslog without the kernel's clock": (lines) =>
    lines.map((l) => `Nov 20 20:35:16 web1 kernel: ${bare(l)}`).join("\n"),
  "journald with an ISO time": (lines) =>
    lines.map((l) => `2026-11-20T20:35:16+0000 web1 kernel: ${bare(l)}`).join("\n"),
  priorities: (lines, p) => lines.map((l) => `<${p.below(8)}>${l}`).join("\n"),
  "dmesg -T": (lines) => lines.map((l) => `[Fri Nov 20 20:35:16 2026] ${bare(l)}`).join("\n"),
  "dmesg -d": (lines) => lines.map((l) => l.replace(/^\[( *\d+\.\d+)\] /, "[$1 <    0.000012>] ")).join("\n"),
  "printk callers": (lines) => lines.map((l) => l.replace(/^(\[ *\d+\.\d+\]) /, "$1[   T17] ")).join("\n"),
  colours: (lines) =>
    lines.map((l) => l.replace(/^(\[ *\d+\.\d+\]) (.*)$/, "\u001b[32m$1 \u001b[0m\u001b[33m$2\u001b[0m")).join("\n"),
  "NUL bytes": (lines, p) => lines.map((l) => (p.chance(0.2) ? `\u0000${l}\u0000\u0000` : l)).join("\n"),
  "times signs": (lines) => lines.join("\n").replaceAll("0x", "0×"),
  "one record a line": (lines) => `Nov 20 20:35:16 web1 kernel: ${lines.map(bare).join("#012")}`,
  "two records on a line": (lines, p) =>
    lines.reduce((text, l) => text + (text !== "" && !p.chance(0.1) ? "\n" : "") + l, ""),
  "buddy lines in pieces": (lines) =>
    lines
      .flatMap((l) => {
        const match = /^(\[ *\d+\.\d+\] )(.*\d\*4kB.*)$/.exec(l);
        return match === null
          ? [l]
          : match[2]!.split(/(?<=: )|(?<=kB) (?=\(|=)|(?<=kB) (?=\d+\*)|(?<=\)) /).map((piece) => match[1] + piece);
      })
      .join("\n"),
};

describe.each(logs)("%s", (file) => {
  const lines = linesOf(file);
  const clean = said(lines.join("\n"));
  test.each(Object.keys(transports))("says the same after: %s", (name) => {
    for (let seed = 1; seed <= 3; seed++) {
      expect(said(transports[name]!(lines, prng(seed))), `seed ${seed}`).toEqual(clean);
    }
  });

  test("wrapped at 72 columns and quoted, at most one line in fifteen stays broken", () => {
    const wrap = (line: string): string[] => {
      const at = line.length > 72 ? line.lastIndexOf(" ", 72) : -1;
      return at > 8 ? [line.slice(0, at), ...wrap(line.slice(at + 1))] : [line];
    };
    const got = new Set(
      said(
        lines
          .flatMap(wrap)
          .map((l) => `> ${l}`)
          .join("\n"),
      ),
    );
    const broken = clean.filter((l) => l !== "" && !got.has(l) && !/ {2,}\S/.test(l));
    expect(broken.length * 15, broken.join("\n")).toBeLessThanOrEqual(clean.length);
  });

  test("the same windows in chunks of 100 bytes as in one piece", async () => {
    const text = lines.join("\n");
    const whole = await gather([{ source: sourceOf("x", text), named: true }]);
    expect(await gather([{ source: inChunks(sourceOf("x", text), 100), named: true }])).toEqual(whole);
  });
});

test("random damage never throws and never makes a line from nothing (seeds 1..60)", () => {
  const all = logs.flatMap(linesOf);
  for (let seed = 1; seed <= 60; seed++) {
    const p = prng(seed);
    const start = p.below(all.length);
    const bytes = new TextEncoder().encode(all.slice(start, start + 120).join("\n"));
    for (let i = 0; i < 200; i++) bytes[p.below(bytes.length)] = p.below(256);
    const text = new TextDecoder().decode(bytes);
    const rows = text.split("\n").length;
    for (const line of repairText(text)) {
      expect(line.line, `seed ${seed}`).toBeGreaterThan(0);
      expect(line.line, `seed ${seed}`).toBeLessThanOrEqual(rows);
    }
  }
});
