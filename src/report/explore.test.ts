import { expect, test } from "vitest";
import { replayLltx } from "../explore/stories/lltx.ts";
import { replayDocument } from "./explore.ts";
import { lanesSvg } from "./explore_svg.ts";
import { renderMarkdown } from "./markdown.ts";
import { renderText } from "./text.ts";

const { replay } = replayLltx("original", "0000111001");

test("swim lanes have a column for each task that moves, a number for each step, and what the step changed", () => {
  const text = renderText(replayDocument("t", replay), { colour: false, width: 120 });
  expect(text).toMatch(/^step +0 CPU0 +1 CPU1 +after the step$/m);
  for (let i = 1; i <= 10; i++) expect(text).toMatch(new RegExp(`^ *${i}  `, "m"));
  expect(text).toContain("xoff: 0 → 1");
  expect(text).toContain("! race: transmit was called");
  expect(text).toContain("sch_generic.c:netif_queue_stopped");
});

test.each([40, 80, 120])("a schedule of any number of lanes fits into %i columns", (width) => {
  const steps = Array.from({ length: 6 }, (_, task) => ({ ...replay.steps[task]!, task }));
  for (const r of [replay, { ...replay, tasks: steps.map((s) => `task ${s.task}`), steps }])
    for (const ascii of [false, true]) {
      const lines = renderText(replayDocument("t", r), { colour: false, width, ascii }).split("\n");
      expect(lines.filter((l) => l.length > width)).toEqual([]);
    }
});

test("the picture has a box for each step and is inert whatever the names are", () => {
  const hostile = { ...replay, tasks: ["<script>alert(1)</script>", '"&'], end: "]]><x/>" };
  const svg = lanesSvg("<b>", hostile);
  expect(svg.match(/<rect x=/g)?.length).toBe(10);
  expect(svg).not.toContain("<script");
  expect(svg).not.toContain("<x/>");
  expect(svg).toContain("&#60;b&#62;");
});

test("nothing in the picture is cut: long steps and changes are broken into lines that their places have room for", () => {
  const svg = lanesSvg("original", replay);
  const drawn = [...svg.matchAll(/<text x="(\d+)" y="\d+"[^>]*>([^<]*)/g)].map(([, x, text]) => ({ x, text: text! }));
  const words = drawn.map((t) => t.text).join(" ");
  expect(words).not.toContain("…");
  for (const s of replay.steps) for (const word of s.changes.join(" ").split(/[ ,>&]+/)) expect(words).toContain(word);
  for (const x of [...new Set(drawn.map((t) => t.x))].filter((at) => at !== "8")) {
    const longest = Math.max(...drawn.filter((t) => t.x === x).map((t) => t.text.replace(/&#\d+;/g, "_").length));
    expect(longest, `at ${x}`).toBeLessThanOrEqual(55);
  }
});

test("a replay is drawn as text and as Markdown", () => {
  const doc = replayDocument("t", replay);
  expect(renderText(doc, { colour: false, width: 100 })).toContain("at the end");
  expect(renderMarkdown(doc)).toContain("race");
});
