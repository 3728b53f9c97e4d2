// A table of what the trees have: a line a key, before it in which trees it stands, one bit a tree, the oldest the lowest.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** For trees oldest first: `inTrees` makes the lines of a table, `write` its file in `target`. */
export function tablesOf(all, target) {
  const inTrees = (keysOf) => {
    const bits = new Map();
    all.forEach((tree, i) => {
      for (const key of keysOf(tree)) bits.set(key, (bits.get(key) ?? 0n) | (1n << BigInt(i)));
    });
    return [...bits].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, mask]) => `${mask.toString(16)} ${key}`);
  };
  mkdirSync(target, { recursive: true });
  const write = (name, what, lines) =>
    writeFileSync(
      join(target, `${name}.txt`),
      `# ${what}; one bit of the mask for each tree, the first the lowest\n# ${all.map((t) => t.release).join(" ")}\n${lines.join("\n")}\n`,
    );
  return { inTrees, write };
}
