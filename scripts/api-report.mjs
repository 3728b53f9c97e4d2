// Prints what `import … from "skblab"` gives: every name with its declaration, comments left out, as TypeScript writes it into dist/*.d.ts.
//   node scripts/api-report.mjs          prints; into schemas/library.api.txt by hand where the same shape is only written otherwise
//   node scripts/api-report.mjs write    writes schemas/library.api.txt; what is gone or changed needs a higher version in package.json first
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const root = join(import.meta.dirname, "..");

/** The text without comments; strings stay. */
const bare = (text) =>
  text.replace(/"(?:[^"\\\n]|\\.)*"|`[^`]*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, (m) => (m.startsWith("/") ? "" : m));

/** The statements of a declaration file, whitespace folded: split where a `;` or `}` ends one at depth 0. */
function statements(text) {
  const all = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '"' || c === "`") i = text.indexOf(c, i + 1);
    else if ("{([".includes(c)) depth++;
    else if ("})]".includes(c)) depth--;
    const block =
      c === "}" &&
      depth === 0 &&
      /^\s*export (?:declare (?:class|namespace)|interface)/.test(text.slice(from, from + 60));
    if ((c === ";" && depth === 0) || block) {
      all.push(
        text
          .slice(from, i + 1)
          .replace(/\s+/g, " ")
          .trim(),
      );
      from = i + 1;
    }
  }
  return all;
}

const files = new Map();
const statementsOf = (file) => {
  if (!files.has(file)) files.set(file, statements(bare(readFileSync(file, "utf8"))));
  return files.get(file);
};
const target = (file, from) => join(dirname(file), from.replace(/\.ts$/, ".d.ts"));
const reExport = /^export (?:type )?(\*|\{[^}]*\}) from "([^"]+)";$/;
const ownName = /^export (?:declare )?(?:abstract )?(?:const|let|function|class|interface|type) ([A-Za-z_$][\w$]*)/;

/** Names of `{ a, type b as c }`: pairs of [there, here]. */
const namesIn = (braces) =>
  braces
    .slice(1, -1)
    .split(",")
    .map((part) => part.trim().replace(/^type /, ""))
    .filter((part) => part !== "")
    .map((part) => (part.includes(" as ") ? part.split(" as ") : [part, part]));

/** Declarations of `name` in a file, or where it passes it on from. */
function declarationsOf(file, name) {
  const found = [];
  const byStar = [];
  for (const statement of statementsOf(file)) {
    if (ownName.exec(statement)?.[1] === name) found.push(statement);
    const [, what, from] = reExport.exec(statement) ?? [];
    if (from === undefined) continue;
    if (what === "*") byStar.push(...declarationsOf(target(file, from), name));
    else
      for (const [there, here] of namesIn(what))
        if (here === name) found.push(...declarationsOf(target(file, from), there));
  }
  // What a file names itself hides what comes by a star.
  return found.length > 0 ? found : byStar;
}

function namesOf(file) {
  const names = new Set();
  for (const statement of statementsOf(file)) {
    const own = ownName.exec(statement)?.[1];
    if (own !== undefined) names.add(own);
    const [, what, from] = reExport.exec(statement) ?? [];
    if (from === undefined) continue;
    for (const name of what === "*" ? namesOf(target(file, from)) : namesIn(what).map(([, here]) => here))
      names.add(name);
  }
  return names;
}

/** The report: the version, and a line for each declaration, sorted by name. */
export function apiReport() {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const index = join(root, "dist/index.d.ts");
  const lines = [...namesOf(index)].sort().flatMap((name) => {
    const found = declarationsOf(index, name);
    if (found.length === 0) throw new Error(`${name} is exported and declared nowhere`);
    return found.map((d) => `${name}: ${d.replace(/^export (?:declare )?/, "")}`);
  });
  return `skblab ${version}\n\n${lines.join("\n")}\n`;
}

/** What an interface's line promises: its head and each member; of anything else the line itself. */
function promisesOf(line) {
  const [, head, body] = /^(\S+: interface [^{]*)\{(.*)\}$/.exec(line) ?? [];
  if (body === undefined) return [line];
  const members = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i < body.length; i++) {
    if ("{([<".includes(body[i])) depth++;
    else if ("})]".includes(body[i]) || (body[i] === ">" && body[i - 1] !== "=")) depth--;
    else if (body[i] === ";" && depth === 0) {
      members.push(`${head.trim()} { ${body.slice(from, i).trim()} }`);
      from = i + 1;
    }
  }
  return [`${head.trim()}`, ...members];
}

const tokens = (text) => text.match(/\w+|[^\w\s]/g) ?? [];

/** Whether a promise is there; of a `type` or a constant (a schema), whether nothing was taken out of it: it may get further members and cases. */
function kept(promise, left, byName) {
  if (left.has(promise)) return true;
  const [name, what] = /^(\S+: (?:type|const)) (.*)$/.exec(promise)?.slice(1) ?? [];
  if (name !== undefined && !promise.includes("=>"))
    return (byName.get(name) ?? []).some((line) => {
      const now = tokens(line);
      let at = 0;
      for (const word of tokens(`${name} ${what}`)) {
        at = now.indexOf(word, at) + 1;
        if (at === 0) return false;
      }
      return true;
    });
  return false;
}

/** Why a report may not take the place of another: the first thing that a program may rest on and that is not there any more. */
export function breaks(before, after) {
  const [head, , ...was] = before.split("\n");
  const [headNow, , ...now] = after.split("\n");
  const minor = (line) =>
    line
      .replace(/^skblab /, "")
      .split(".")
      .slice(0, 2)
      .map(Number);
  const [major = 0, feature = 0] = minor(head);
  const [majorNow = 0, featureNow = 0] = minor(headNow);
  // Below 1.0 the second number is the one that may break.
  if (majorNow > major || (major === 0 && featureNow > feature)) return undefined;
  const left = new Set(now.flatMap(promisesOf));
  const byName = new Map(now.map((line) => [/^\S+: \w+/.exec(line)?.[0] ?? "", [line]]));
  return was.flatMap(promisesOf).find((promise) => promise !== "" && !kept(promise, left, byName));
}

if (process.argv[1] === import.meta.filename) {
  const report = apiReport();
  if (process.argv[2] !== "write") process.stdout.write(report);
  else {
    const file = join(root, "schemas/library.api.txt");
    const before = existsSync(file) ? readFileSync(file, "utf8") : report;
    const broken = breaks(before, report);
    if (broken !== undefined) {
      console.error(`A program may rest on this line: raise the version in package.json first.\n${broken}`);
      process.exitCode = 1;
    } else writeFileSync(file, report);
  }
}
