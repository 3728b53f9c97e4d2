import { describe, expect, test } from "vitest";
import { facts, heading, list, paragraph, span, table } from "./document.ts";
import { renderMarkdown } from "./markdown.ts";
import { renderText } from "./text.ts";

const hostile = 'x\u001b[31m<script>alert(1)</script>\u202e`"|';

describe("drawers make hostile text inert", () => {
  const doc = [
    heading(1, hostile),
    paragraph(hostile),
    list([hostile]),
    facts([[hostile, hostile]]),
    table(["a"], [[hostile]]),
    { kind: "quote" as const, lines: [{ input: hostile, line: 1, text: hostile }] },
    { kind: "code" as const, text: hostile },
    { kind: "bars" as const, title: hostile, unit: "B", bars: [{ label: hostile, value: 1, note: hostile }] },
  ];
  test("text holds no control character but the newline", () => {
    expect(renderText(doc, { colour: false, width: 80 })).not.toMatch(
      /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/,
    );
  });
  test("Markdown holds no tag and no control character", () => {
    const md = renderMarkdown(doc).replace(/^```[\s\S]*?^```/gm, "");
    expect(md).not.toMatch(/<script|[\u0000-\u0009\u000b-\u001f\u202e]/);
  });
});

test("colour only adds escapes: the characters are the same without them", () => {
  const doc = [
    heading(2, "Why"),
    paragraph([span("order 1", "bad"), span(" of 8 KiB")]),
    table(
      [">n", "name"],
      [
        ["12", "a"],
        ["3", "bc"],
      ],
    ),
  ];
  const coloured = renderText(doc, { colour: true, width: 60 });
  expect(coloured).toContain("\u001b[31m");
  expect(coloured.replace(/\u001b\[[0-9;]*m/g, "")).toBe(renderText(doc, { colour: false, width: 60 }));
});

test("a table's numbers stand right", () => {
  expect(
    renderText(
      [
        table(
          [">n", "name"],
          [
            ["12", "a"],
            ["3", "bc"],
          ],
        ),
      ],
      { colour: false, width: 60 },
    ),
  ).toBe(" n  name\n--  ----\n12  a\n 3  bc\n");
});
