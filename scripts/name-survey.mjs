// Looks up, in trees of the kernel's source, the names that kernel/facts has of functions and counters: which trees define a function, which define
// longer ones that begin with it, which functions a function's body names, and what counters of a driver are called there. Names and places: facts. The
// answer is fixtures/kernel_names/; tests hold the tables against it. Run it by hand when a table has a new name.
//
//   npm run build && node scripts/name-survey.mjs [--keep DIRECTORY] RELEASE=PLACE…
//
// PLACE is a directory, a git repository whose HEAD holds the tree, or a package linux-source-*.deb of Debian. Needs git, dpkg-deb, tar and xz.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readFile } from "./name-survey/definitions.mjs";
import { tablesOf } from "./name-survey/tables.mjs";
import { readTar } from "./name-survey/tar.mjs";
import { opened } from "./name-survey/trees.mjs";
import { beginnings, counterFiles, wholeNames } from "./name-survey/wanted.mjs";

const root = join(import.meta.dirname, "..");
const { values, positionals } = parseArgs({ allowPositionals: true, options: { keep: { type: "string" } } });

const rooms = [
  ...["arch", "fs", "include", "init", "kernel", "lib", "mm", "net"],
  ...[
    "base",
    "net",
    "usb",
    "vhost",
    "infiniband/ulp",
    "pci",
    "acpi",
    "idle",
    "cpuidle",
    "iommu",
    "irqchip",
    "tty",
    "char",
  ].map((d) => `drivers/${d}`),
];

async function survey(place) {
  const defined = new Set();
  const longer = new Map();
  const calls = new Map();
  const counters = new Map();
  await readTar(
    opened(place, rooms),
    (name) => {
      const path = name.replace(/^\.?\/?(linux-source-[^/]+\/)?/, "");
      return /\.[chS]$/.test(path) && rooms.some((r) => path.startsWith(`${r}/`)) ? path : undefined;
    },
    (path, text) => {
      for (const { name, body } of readFile(path, text)) {
        if (wholeNames.has(name)) {
          defined.add(name);
          const known = calls.get(name) ?? new Set();
          for (const [word] of (body ?? "").matchAll(/\b[A-Za-z_]\w*/g))
            if (word !== name && wholeNames.has(word)) known.add(word);
          calls.set(name, known);
        }
        for (const one of beginnings)
          if (name.length > one.length && name.startsWith(one)) {
            const some = longer.get(one) ?? new Set();
            some.add(name);
            longer.set(one, some);
          }
      }
      for (const [driver, { files, words }] of counterFiles)
        if (files.test(path)) {
          const known = counters.get(driver) ?? new Set();
          for (const [word] of text.matchAll(/\w+/g)) if (words.has(word)) known.add(word);
          counters.set(driver, known);
        }
    },
  );
  const sorted = (map) =>
    Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, [...v].sort()]));
  return { defined: [...defined].sort(), longer: sorted(longer), calls: sorted(calls), counters: sorted(counters) };
}

const all = [];
for (const one of positionals) {
  const at = one.indexOf("=");
  const [release, place] = [one.slice(0, at), one.slice(at + 1)];
  const cache = values.keep === undefined ? undefined : join(values.keep, `${release}.json`);
  let found;
  if (cache !== undefined && existsSync(cache)) found = JSON.parse(readFileSync(cache, "utf8"));
  else {
    found = await survey(place);
    if (cache !== undefined) {
      mkdirSync(values.keep, { recursive: true });
      writeFileSync(cache, JSON.stringify(found));
    }
  }
  console.error(`${release}: ${found.defined.length} of ${wholeNames.size} names defined`);
  all.push({ release, ...found });
}

const { inTrees, write } = tablesOf(all, join(root, "fixtures/kernel_names"));
const pairs = (map) => Object.entries(map).flatMap(([key, values]) => values.map((v) => `${key} ${v}`));
write(
  "defined",
  "functions, macros and symbols of assembler that a tree defines",
  inTrees((t) => t.defined),
);
/** Of the longer names behind a beginning the three that most trees have stand for all. */
const samples = new Map();
for (const [beginning, names] of all.flatMap((t) => Object.entries(t.longer))) {
  const counts = samples.get(beginning) ?? new Map();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  samples.set(beginning, counts);
}
for (const [beginning, counts] of samples)
  samples.set(
    beginning,
    new Set(
      [...counts]
        .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
        .slice(0, 3)
        .map(([name]) => name),
    ),
  );
write(
  "longer",
  "a beginning, and one of the longer names that a tree defines",
  inTrees((t) => pairs(t.longer).filter((pair) => samples.get(pair.split(" ")[0]).has(pair.split(" ")[1]))),
);
write(
  "calls",
  "a function, and a name that its body has",
  inTrees((t) => pairs(t.calls)),
);
write(
  "counters",
  "a driver, and a word of its files",
  inTrees((t) => pairs(t.counters)),
);
