// docs/architecture.md names functions and where they stand: each must be there.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const text = readFileSync(join(import.meta.dirname, "../docs/architecture.md"), "utf8");
const walks = text.slice(text.indexOf("## Five walks"), text.indexOf("## Where does a change land?"));

/** `name()` or `name`, perhaps several, then the file in brackets or behind a comma. */
const named = /`(\w+)(?:\(\))?`(?: and `(\w+)\(\)`)?,?\s+\(?`([\w/]+\.tsx?)[`,]/g;

const places = [...walks.matchAll(named)].flatMap(([, one, two, file]) =>
  [one, two].flatMap((name) => (name === undefined ? [] : [{ name, file: file as string }])),
);

/** Declared there: a function, a constant, or a method of a literal. */
const declares = (source: string, name: string): boolean =>
  new RegExp(`(?:function\\*?|const|class)\\s+${name}\\b|^\\s+${name}\\(`, "m").test(source);

test("every function of the five walks stands in the file that the page names", () => {
  expect(places.length).toBeGreaterThan(35);
  const lost = places.filter(({ name, file }) => {
    const path = join(import.meta.dirname, file);
    return !existsSync(path) || !declares(readFileSync(path, "utf8"), name);
  });
  expect(lost).toEqual([]);
});

test("a function that is named without a file was named with one before", () => {
  const known = new Set(places.map((p) => p.name));
  const calls = [...walks.matchAll(/`(\w+)\(\)`/g)].map((m) => m[1] as string);
  expect(calls.filter((name) => !known.has(name))).toEqual([]);
});

test("what is said of absence names functions of the readings and of the diagnosis", () => {
  const section = text.slice(text.indexOf("## What is not there"));
  const names = [...section.matchAll(/`(\w+)\(/g)].map((m) => m[1] as string).filter((name) => !name.includes("_"));
  expect(names.length).toBeGreaterThan(12);
  const sources = ["kernel/readings", "diagnosis"].flatMap((room) =>
    readdirSync(join(import.meta.dirname, room))
      .filter((file) => /\.ts$/.test(file) && !/\.(?:test|fuzz|testkit)\.ts$/.test(file))
      .map((file) => readFileSync(join(import.meta.dirname, room, file), "utf8")),
  );
  expect(names.filter((name) => !sources.some((source) => declares(source, name)))).toEqual([]);
});

test("files and folders of the table of changes are there", () => {
  const table = text.slice(text.indexOf("## Where does a change land?"), text.indexOf("## Four changes"));
  const paths = [...table.matchAll(/`((?:kernel|artifact|diagnosis|model|cli|scenario|report|fixtures)\/[\w/.]*)`/g)];
  expect(paths.length).toBeGreaterThan(12);
  const root = (path: string): string => (path.startsWith("fixtures/") ? ".." : ".");
  expect(
    paths.map((m) => m[1] as string).filter((path) => !existsSync(join(import.meta.dirname, root(path), path))),
  ).toEqual([]);
});

test("canary: a name that is nowhere is found out", () => {
  expect(declares("export function allocPages(x) {}", "allocPage")).toBe(false);
  expect(declares("  reserve(size, mask) {", "reserve")).toBe(true);
});
