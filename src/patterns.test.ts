// Logs are hostile: every regular expression in src/ must fail in linear time (base/regex_cost.ts says which do), and no line made of the
// project's own words may cost more than a bound. Patterns are taken out of the source text; those that are put together from pieces are
// taken while their modules load.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { sourceOf } from "./base/byte_source.ts";
import { prng } from "./base/prng.ts";
import { regexCost } from "./base/regex_cost.ts";

const src = import.meta.dirname;

interface Pattern {
  readonly source: string;
  readonly flags: string;
  readonly at: string;
}

/** The regular expression literals of a TypeScript text. A slash begins one where no value stands before it. */
function literals(text: string, file: string): Pattern[] {
  const out: Pattern[] = [];
  const braces: string[] = [];
  let before = "";
  const skip = (from: number, quote: string): number => {
    let at = from;
    while (at < text.length && text[at] !== quote) at += text[at] === "\\" ? 2 : 1;
    return at + 1;
  };
  const template = (from: number): number => {
    let at = from;
    while (at < text.length && text[at] !== "`" && text.slice(at, at + 2) !== "${") at += text[at] === "\\" ? 2 : 1;
    if (text[at] === "`") {
      before = "`";
      return at + 1;
    }
    braces.push("`");
    before = "{";
    return at + 2;
  };
  for (let i = 0; i < text.length; ) {
    const c = text[i]!;
    if (text.startsWith("//", i) || text.startsWith("#!", i)) i = text.indexOf("\n", i);
    else if (text.startsWith("/*", i)) i = text.indexOf("*/", i) + 2;
    else if (c === '"' || c === "'") {
      i = skip(i + 1, c);
      before = '"';
    } else if (c === "`" || (c === "}" && braces.at(-1) === "`")) {
      if (c === "}") braces.pop();
      i = template(i + 1);
    } else if (c === "/" && !/[\w$)\]"`}]$/.test(before)) {
      const end = regexEnd(text, i);
      const flags = /^[a-z]*/.exec(text.slice(end + 1, end + 9))![0];
      out.push({ source: text.slice(i + 1, end), flags, at: `${file}:${text.slice(0, i).split("\n").length}` });
      i = end + 1 + flags.length;
      before = '"';
    } else if (/[\w$]/.test(c)) {
      const word = /^[\w$]+/.exec(text.slice(i, i + 200))![0];
      before = ["return", "case", "typeof", "of", "in"].includes(word) ? "" : word;
      i += word.length;
    } else {
      if (c === "{") braces.push(c);
      if (c === "}") braces.pop();
      // A value stays one behind `!` and `++`.
      const postfix = /[\w$)\]"`}]$/.test(before) && (text.startsWith("++", i) || /^!(?!=)/.test(text.slice(i, i + 2)));
      if (!/\s/.test(c) && !postfix) before = c;
      i += postfix && c === "+" ? 2 : 1;
    }
    if (i < 0) break;
  }
  return out;
}

function regexEnd(text: string, from: number): number {
  let inClass = false;
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === "[") inClass = true;
    else if (text[at] === "]") inClass = false;
    else if ((text[at] === "/" && !inClass) || text[at] === "\n") return at;
  }
  return text.length;
}

const files = readdirSync(src, { withFileTypes: true, recursive: true })
  .filter((f) => f.isFile() && /\.ts$/.test(f.name) && !/\.(?:test|fuzz|d)\.ts$/.test(f.name))
  .map((f) => join(f.parentPath, f.name))
  .sort();

function costOf(source: string, flags: string): string {
  try {
    return regexCost(source, flags);
  } catch (error) {
    return `cannot be judged (${String(error).slice(0, 80)})`;
  }
}

/** What is not linear among them, with its cost. */
function slow(patterns: readonly Pattern[]): string[] {
  const costs = new Map<string, string>();
  return patterns.flatMap(({ source, flags, at }) => {
    const key = `/${source}/${flags}`;
    if (!costs.has(key)) costs.set(key, costOf(source, flags));
    return costs.get(key) === "linear" ? [] : [`${at} ${costs.get(key)} ${key}`];
  });
}

test("every regular expression literal is linear", () => {
  const patterns = files.flatMap((f) => literals(readFileSync(f, "utf8"), relative(src, f)));
  expect(patterns.length).toBeGreaterThan(400);
  expect(slow(patterns)).toEqual([]);
});

test("every regular expression that is put together from pieces is linear", async () => {
  const made: Pattern[] = [];
  const Original = globalThis.RegExp;
  const homes = files.filter(
    (f) => /new RegExp\(/.test(readFileSync(f, "utf8")) && /\/src\/(?:artifact|analysis|diagnosis|kernel)\//.test(f),
  );
  globalThis.RegExp = new Proxy(Original, {
    construct(target, [source, flags]: [string | RegExp, string?]) {
      const regex = new target(source, flags);
      made.push({ source: regex.source, flags: regex.flags, at: "made" });
      return regex;
    },
  });
  try {
    // Another test of this process may have loaded them: by another name they are loaded anew.
    for (const home of homes) await import(`${home}?anew`);
  } finally {
    globalThis.RegExp = Original;
  }
  expect(homes.length).toBeGreaterThan(2);
  expect(made.length).toBeGreaterThan(12);
  expect(slow(made)).toEqual([]);
});

test("canary: what doubles or squares is seen, and what only looks like it is not", () => {
  const bad = {
    "^(a+)+$": "exponential",
    "(a|a)*b": "exponential",
    "^(?:\\s+>?\\s*\\d+)+\\s*$": "exponential",
    "^(?:[0-9a-f]{8,16} ?)+$": "exponential",
    "\\s+$": "polynomial",
    "^.*a.*b": "polynomial",
    "(\\w+)=": "polynomial",
    "a(?=.*b)": "polynomial",
  };
  for (const [source, cost] of Object.entries(bad)) expect(regexCost(source), source).toBe(cost);
  for (const source of ["^(?:[0-9a-f]{8} ?)+$", "\\d+", "^\\s*(\\d+)\\s*$", "^[^:]*:", "^(?:a?b?)*c", "^(?:(?:a?)?)*$"])
    expect(regexCost(source), source).toBe("linear");
  const found = literals(
    `const a = b / c / d; return /(x+)+$/; // /y/
const s = \`\${/z\\/[/]/.test("/")}/\`;`,
    "canary",
  );
  expect(found.map((p) => p.source)).toEqual(["(x+)+$", "z\\/[/]"]);
});

test("a line of 64 KiB of repeated words of real reports is read within a bound (seed 1)", async () => {
  const { gather } = await import("./artifact/gather.ts");
  const { readIncidents } = await import("./artifact/log/incidents/read_incidents.ts");
  const logs = join(src, "../fixtures/logs");
  const words = readdirSync(logs).flatMap((f) => readFileSync(join(logs, f), "utf8").split(/(?<=[\s:,()[\]]) ?/));
  const distinct = [...new Set(words)].filter((w) => w !== "");
  const p = prng(1);
  const read = async (text: string): Promise<number> => {
    const begin = performance.now();
    const { windows } = await gather([{ source: sourceOf("x", text), named: true }]);
    for (const { window } of windows) readIncidents(window.lines);
    return performance.now() - begin;
  };
  const head = "swapper/0: page allocation failure: order:0, mode:0x20\n";
  await read(head);
  let worst = { ms: 0, words: "" };
  for (let i = 0; i < 150; i++) {
    const unit = Array.from({ length: 1 + p.below(3) }, () => distinct[p.below(distinct.length)]!).join("");
    const line = unit
      .repeat(Math.ceil(65_536 / unit.length))
      .slice(0, 65_536)
      .replaceAll("\n", " ");
    const start = p.chance(0.5) ? "" : distinct[p.below(distinct.length)]!.replaceAll("\n", " ");
    // On a busy machine a reading may have waited: only one that is slow each time is slow.
    let ms = Number.POSITIVE_INFINITY;
    for (let again = 0; again < 4 && ms > 400; again++)
      ms = Math.min(ms, await read(`${head}${start}${line}\nMem-Info:\n`));
    if (ms > worst.ms) worst = { ms, words: JSON.stringify(start + unit) };
  }
  // A bare scan takes less than 1 ms; the bound is wide because the machine that runs this is busy with other tests.
  expect(worst.ms, worst.words).toBeLessThan(400);
});
