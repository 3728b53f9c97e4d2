// However a log was delivered, it says the same: for every log fixture and seeded random transports the answers equal those of the bare text,
// and so for texts as people post them (cut, indented, with a transport of their own) that are delivered once more.
// TRANSPORTS=2000 makes the long run of it. What a transport destroys is not asked for: deliver.ts says what it does not draw.

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { prng } from "../base/prng.ts";
import { oneIn, sized } from "../base/size.testkit.ts";
import { deliver } from "../observe/deliver.ts";
import { judgeText } from "./monotone.testkit.ts";

const root = new URL("../../fixtures/logs/", import.meta.url);
const seed = Number(process.env.TRANSPORT_SEED ?? 20261129);
const names = readdirSync(root).filter((n) => n.endsWith(".txt"));
const each = Number(process.env.TRANSPORTS ?? sized(2, 6));
const stretch = 220;
const posted = new URL("../../fixtures/field/", import.meta.url);

/** The kernel's own lines of a fixture: what scripts wrote between them has nothing to be known by. */
function kernelLines(name: string, from = root): string[] {
  const all = readFileSync(new URL(name, from), "utf8").split("\n");
  const stamped = all.filter((l) => /^\[ *\d+\.\d+\] /.test(l));
  return (stamped.length * 2 > all.length ? stamped : all).slice(0, stretch).filter((l) => l.trim() !== "");
}

/** What the answers say, in an order of its own (reports without a time stamp are ranked otherwise), without line numbers and times, which a transport changes. */
const said = async (text: string): Promise<string[]> =>
  (await judgeText(`${text}\n`))
    .map(({ c, findings }) =>
      JSON.stringify([c.incident.kind, c.order, c.gfp, c.said.release, findings.map((f) => [f.id, f.answer])]),
    )
    .sort();

describe(`${each} transports of each log (seed ${seed})`, () => {
  test.each(names)("%s says the same", { timeout: 600_000 }, async (name) => {
    const lines = kernelLines(name);
    const whole = await said(lines.join("\n"));
    expect(whole.length).toBeGreaterThan(0);
    const p = prng(seed + names.indexOf(name));
    const bad: string[] = [];
    for (let round = 0; round < each; round++) {
      const { how, text } = deliver(lines, p);
      const found = await said(text);
      const at = found.findIndex((f, i) => f !== whole[i]);
      if (at >= 0 || found.length !== whole.length)
        bad.push(
          `${how}: ${found.length} reports of ${whole.length}; ${found[at]?.slice(0, 600)} for ${whole[at]?.slice(0, 600)}`,
        );
    }
    expect(bad).toEqual([]);
  });
});

/** A break may take a blank that the kernel wrote, part a stamp, or leave the first word of a line alone: what of that can be known is undone
 *  (wraps.ts). Where a line's end may as well have been cut, less is said; how often, this bounds. */
const leastWhole = 0.85;

type Said = readonly [
  kind: string,
  order: number | null,
  gfp: { readonly mask: number } | null,
  release: string,
  answers: readonly [id: string, answer: string][],
];

/** What a report tells for sure: its order, its mask, and each yes or no. That something is missing may be new in a broken text. */
function told(report: string): string[] {
  const [kind, order, gfp, , answers] = JSON.parse(report) as Said;
  return [
    ...(order === null ? [] : [`${kind} order ${order}`]),
    ...(gfp === null ? [] : [`mask ${gfp.mask}`]),
    ...answers.flatMap(([id, answer]) =>
      answer === "unknown" || id.startsWith("missing.") ? [] : [`${kind} ${id} ${answer}`],
    ),
  ];
}

/** What reports of the broken text tell and no report of the whole one does. */
function newlyTold(found: readonly string[], whole: readonly string[]): string[] {
  const known = new Set(whole.flatMap(told));
  return found.flatMap((f) => told(f).filter((t) => !known.has(t)));
}

describe(`${each} transports of each log, broken at a column (seed ${seed})`, () => {
  test("nearly all say the same, the others less and nothing else", { timeout: 600_000 }, async () => {
    let [same, all] = [0, 0];
    const bad: string[] = [];
    for (const name of names) {
      const lines = kernelLines(name);
      const whole = await said(lines.join("\n"));
      const p = prng(seed + names.indexOf(name));
      for (let round = 0; round < each; round++) {
        const { how, text } = deliver(lines, p, { breaks: true });
        if (!how.includes("wrapped at")) continue;
        all++;
        const found = await said(text);
        if (found.length === whole.length && found.every((f, i) => f === whole[i])) same++;
        else bad.push(...newlyTold(found, whole).map((a) => `${name}: ${how}: ${a}`));
      }
    }
    expect(bad).toEqual([]);
    expect(all).toBeGreaterThan((names.length * each) / 6);
    expect(same / all).toBeGreaterThan(leastWhole);
  });
});

/** Posted texts that a transport may change, and what is lost. */
const lossy: Readonly<Record<string, string>> = {
  "a_empty_release_1.txt": "a single line: nothing is learned from one line alone",
  "a_empty_release_1_ok.txt": "a single line",
  "a_null_deref_1.txt": "a single line",
  "a_over_panic_1.txt": "half of its lines have stamps, and a debugger's letters stand before the others",
  "a_release_5.txt": "half of its lines have stamps, and a debugger's letters stand before the others",
  "p_irati_count.txt": "three transports by turns; a fourth hides which lines belong together",
};

describe(`${Math.ceil(each / 6)} transports of each posted text (seed ${seed})`, () => {
  const texts = readdirSync(posted).filter((n) => n.endsWith(".txt") && lossy[n] === undefined);
  test("all say the same", { timeout: 600_000 }, async () => {
    const bad: string[] = [];
    for (const name of oneIn(3, texts)) {
      const lines = kernelLines(name, posted);
      if (lines.length === 0) continue;
      const whole = await said(lines.join("\n"));
      const p = prng(seed + texts.indexOf(name));
      for (let round = 0; round < Math.ceil(each / 6); round++) {
        const { how, text } = deliver(lines, p);
        const found = await said(text);
        if (found.length !== whole.length || found.some((f, i) => f !== whole[i])) bad.push(`${name}: ${how}`);
      }
    }
    expect(texts.length).toBeGreaterThan(400);
    expect(bad).toEqual([]);
  });
});
