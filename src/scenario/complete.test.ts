// Completion by the published schema: every key and fixed value of the shipped scenarios is offered at its own place, and only what may stand there.
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isPair, isScalar, parseDocument, visit } from "yaml";
import type { Schema } from "./complete.ts";
import { completionsAt } from "./complete.ts";

const root = new URL("../../", import.meta.url);
const schema = JSON.parse(readFileSync(new URL("schemas/scenario.schema.json", root), "utf8")) as Schema;
const names = readdirSync(new URL("scenarios/", root)).filter((n) => n.endsWith(".yaml"));
const labels = (text: string): readonly string[] => {
  const caret = text.indexOf("¦");
  return completionsAt(schema, text.replace("¦", ""), caret).items.map((i) => i.label);
};

test.each(names)("%s: each of its keys is offered where it stands", (name) => {
  const text = readFileSync(new URL(`scenarios/${name}`, root), "utf8");
  let keys = 0;
  const missing: string[] = [];
  const freeMaps = ["set", "settings", "sysctl"];
  visit(parseDocument(text), {
    Pair(_, pair, path) {
      const { key } = pair;
      if (!isScalar(key) || key.range == null || typeof key.value !== "string") return;
      // Below these the names are paths, a driver's own settings or sysctls: free in the schema.
      if (path.some((p) => isPair(p) && isScalar(p.key) && freeMaps.includes(String(p.key.value)))) return;
      keys++;
      const at = key.range[0];
      const written = text.slice(0, at) + text.slice(at + key.value.length).replace(/^[^\n,}]*/, "");
      const offered = completionsAt(schema, written, at).items.map((i) => i.label);
      if (!offered.includes(key.value)) missing.push(key.value);
    },
  });
  expect(keys).toBeGreaterThan(2);
  expect(missing).toEqual([]);
});

test("an empty file offers its kind first, and kinds offer their names", () => {
  expect(labels("¦")).toContain("kind");
  expect(labels("kind: ¦")).toContain("machine");
  expect(labels("kind: mach¦")).toEqual(["machine"]);
});

test("keys that are written are not offered again; what begins otherwise is not offered", () => {
  const text = "kind: machine\nrelease: 6.1-x86_64\n¦\nmillis: 5\n";
  expect(labels(text)).toContain("nics");
  expect(labels(text)).not.toContain("release");
  expect(labels(text)).not.toContain("millis");
  expect(labels("kind: machine\nmem¦")).toEqual(["memoryMb"]);
});

test("at the end of each shipped scenario no key that stands at its left margin is offered again", () => {
  for (const name of names) {
    const text = readFileSync(new URL(`scenarios/${name}`, root), "utf8").trimEnd();
    const written = [...text.matchAll(/^([\w-]+):/gm)].map((m) => m[1]);
    const offered = labels(`${text}\n\n¦`);
    expect(offered.length, name).toBeGreaterThan(0);
    expect(
      offered.filter((l) => written.includes(l)),
      name,
    ).toEqual([]);
  }
});

test("within lists and brackets it is the item's own keys", () => {
  const keys = ["driver", "mtu"];
  for (const text of [
    "kind: machine\nnics:\n  - ¦",
    "kind: machine\nnics:\n- ¦",
    "kind: machine\nnics: [{ ¦",
    "kind: machine\nnics:\n  - { ¦",
  ])
    expect(labels(text), text).toEqual(expect.arrayContaining(keys));
  expect(labels("kind: machine\nnics:\n  - driver: tg3\n    ¦")).not.toContain("driver");
  expect(labels("kind: machine\nnics: [{ driver: tg3, ¦")).not.toContain("driver");
  expect(labels("kind: machine\nnics:\n  - driver: tg3\n  - ¦")).toContain("driver");
});

test("nothing is offered in a comment, and no text stops it", () => {
  expect(labels("kind: machine\n# nics¦")).toEqual([]);
  for (const text of ["¦", "{¦", "[[[{¦", "- - - ¦", "a: b: c: ¦", ":¦", "kind: nothing\nx:\n  y¦"])
    expect(Array.isArray(labels(text))).toBe(true);
});
