// What trees of the kernel's source say, as scripts/name-survey.mjs and scripts/mark-survey.mjs have looked it up: fixtures/kernel_names/. Each row has
// a mask with one bit a tree, the oldest the lowest.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const room = join(import.meta.dirname, "../../../fixtures/kernel_names");

export interface Tree {
  readonly release: string;
  readonly version: readonly number[];
}

/** The trees, and by key those that have it. */
export interface Survey {
  readonly trees: readonly Tree[];
  readonly keys: readonly string[];
  /** Whether a tree has the key. */
  has(key: string, tree: Tree): boolean;
  /** The trees that have the key, oldest first. */
  treesOf(key: string): readonly Tree[];
}

/** Reads one of the files; a row has its mask in front. */
export function surveyOf(
  name: "defined" | "longer" | "calls" | "counters" | "marks" | "gfp" | "members" | "kpageflags" | "places",
): Survey {
  const [, second = "", ...rows] = readFileSync(join(room, `${name}.txt`), "utf8")
    .trimEnd()
    .split("\n");
  const trees: readonly Tree[] = second
    .slice(2)
    .split(" ")
    .map((release) => ({ release, version: release.split(".").map(Number) }));
  const masks = new Map(
    rows.map((row) => {
      const at = row.indexOf(" ");
      return [row.slice(at + 1), BigInt(`0x${row.slice(0, at)}`)] as const;
    }),
  );
  const has = (key: string, tree: Tree): boolean =>
    (((masks.get(key) ?? 0n) >> BigInt(trees.indexOf(tree))) & 1n) === 1n;
  return { trees, keys: [...masks.keys()], has, treesOf: (key) => trees.filter((t) => has(key, t)) };
}
