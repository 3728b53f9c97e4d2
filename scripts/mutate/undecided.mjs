// Lists what no test decides: comparisons whose sides were never equal, conditions joined by && or || that || or && would have joined as well,
// alternatives of patterns that never made a difference, some() that every() would have answered, numbers that were never more than 0. A change there
// cannot be noticed, whatever the tests look at (by_tests.mjs asks whether they look). One run of the tests, in less than a minute.
//   npm run mutate:undecided                          src/diagnosis, by its own tests
//   npm run mutate:undecided -- src/kernel/facts src/kernel src/diagnosis     a room, and the rooms whose tests are run
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAst } from "vite";
import { layOut } from "./lay_out.mjs";
import { alternatives, noRule } from "./source_edits.mjs";

const [room = "src/diagnosis", ...testRooms] = process.argv.slice(2);
const work = mkdtempSync(join(tmpdir(), "skblab-undecided-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
layOut(work);

/** Places in the source: what stands there, how often it was reached and how often a change would have made a difference. */
const places = [];
const isTest = (f) => /\.(?:test|testkit|fuzz)\.js$/.test(f);
const codeOf = (folder) =>
  readdirSync(join(work, folder), { recursive: true })
    .map((f) => `${folder}/${f.replaceAll("\\", "/")}`)
    .filter((f) => f.endsWith(".js"));

/** The text of a file in which each such expression asks `undecided` for its value. */
function instrumented(file, text) {
  const lines = text.split("\n");
  const place = (kind, node, at = node.start) => {
    const line = text.slice(0, at).split("\n").length;
    if (noRule.test(lines[line - 1])) return undefined;
    const expression = text.slice(node.start, node.end).replace(/\s+/g, " ");
    return places.push({ kind, file, line, expression, reached: 0, decided: 0 }) - 1;
  };
  const childrenOf = (node) =>
    Object.values(node)
      .flat()
      .filter((x) => typeof x?.type === "string" && typeof x.start === "number")
      .sort((a, b) => a.start - b.start || b.end - a.end)
      // `{ a }` is one text for a name and its value.
      .filter((x, i, all) => i === 0 || x.start >= all[i - 1].end);
  const waits = (node) => /\b(?:await|yield)\b/.test(text.slice(node.start, node.end));
  const asked = (node) => {
    const { type, operator, left, right, callee } = node;
    const call = (name, id, ...args) =>
      id === undefined ? undefined : `undecided.${name}(${[id, ...args].join(", ")})`;
    if (type === "BinaryExpression" && /^[<>]=?$/.test(operator))
      return call("compared", place("comparison", node), turned(left), turned(right), `"${operator}"`);
    const isText = (x) => typeof x.value === "string" || x.type === "TemplateLiteral";
    if (type === "BinaryExpression" && /^[-+*]$/.test(operator) && !isText(left) && !isText(right))
      return call("computed", place("arithmetic", node), turned(left), turned(right), `"${operator}"`);
    if (type === "LogicalExpression" && operator !== "??" && !waits(node))
      return call(
        "joined",
        place("condition", node, left.end),
        `"${operator}"`,
        `() => (${turned(left)})`,
        `() => (${turned(right)})`,
      );
    const path = callee === undefined ? "" : text.slice(callee.start, callee.end);
    if (
      type === "CallExpression" &&
      /^[^?]*\.(?:some|every)$/s.test(path) &&
      node.arguments.length === 1 &&
      !waits(node)
    )
      return call(
        "quantified",
        place("some or every", node),
        turned(callee.object),
        `"${callee.property.name}"`,
        turned(node.arguments[0]),
      );
    if (type === "CallExpression" && /^Math\.(?:max|min)$/.test(path))
      return call("bounded", place("bound", node), `"${callee.property.name}"`, ...node.arguments.map(turned));
    if (type !== "Literal" || node.regex === undefined) return undefined;
    const raw = text.slice(node.start, node.end);
    const without = alternatives(raw).map(({ index, text: arm }) => [
      place(`alternative ${arm.slice(1)}`, node),
      raw.slice(0, index) + raw.slice(index + arm.length),
    ]);
    const known = without.filter(([id]) => id !== undefined);
    return known.length === 0
      ? undefined
      : `undecided.pattern(${raw}, [${known.map(([id, less]) => `[${id}, ${less}]`).join(", ")}])`;
  };
  const turned = (node) => {
    const own = asked(node);
    if (own !== undefined) return own;
    let out = "";
    let at = node.start;
    for (const child of childrenOf(node)) {
      out += text.slice(at, child.start) + turned(child);
      at = child.end;
    }
    return out + text.slice(at, node.end);
  };
  const program = parseAst(text);
  return text.slice(0, program.start) + turned(program) + text.slice(program.end);
}

/** Something that is only tried: what it meets is not counted, and what it throws is a difference. */
let trying = false;
function tried(work, isOther) {
  trying = true;
  try {
    return isOther(work());
  } catch {
    return true;
  } finally {
    trying = false;
  }
}
function met(id, isOther) {
  if (trying) return;
  places[id].reached++;
  if (places[id].decided === 0 && isOther()) places[id].decided++;
}
const compare = { "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b };
const compute = { "+": (a, b) => a + b, "-": (a, b) => a - b, "*": (a, b) => a * b };
globalThis.undecided = {
  compared(id, a, b, operator) {
    met(id, () => !(a < b) && !(a > b));
    return compare[operator](a, b);
  },
  computed(id, a, b, operator) {
    const value = compute[operator](a, b);
    met(id, () => typeof value === "string" || Number(b) !== (operator === "*" ? 1 : 0));
    return value;
  },
  joined(id, operator, left, right) {
    const first = left();
    const goesOn = operator === "&&" ? Boolean(first) : !first;
    const value = goesOn ? right() : first;
    met(id, () => (goesOn ? Boolean(value) !== Boolean(first) : tried(right, (v) => Boolean(v) !== Boolean(first))));
    return value;
  },
  quantified(id, list, name, test) {
    const value = list[name](test);
    met(id, () =>
      tried(
        () => list[name === "some" ? "every" : "some"](test),
        (v) => v !== value,
      ),
    );
    return value;
  },
  bounded(id, name, ...numbers) {
    met(id, () => Math.max(...numbers) !== Math.min(...numbers));
    return Math[name](...numbers);
  },
  pattern(own, without) {
    const said = (m) => (m === null ? "" : JSON.stringify([m.index, ...m]));
    own.exec = function (text) {
      const from = this.lastIndex;
      const found = RegExp.prototype.exec.call(this, text);
      for (const [id, less] of without) {
        less.lastIndex = from;
        met(id, () => said(less.exec(text)) !== said(found));
      }
      return found;
    };
    return own;
  },
};

for (const file of codeOf(room).filter((f) => !isTest(f))) {
  const path = join(work, file);
  writeFileSync(path, instrumented(file, readFileSync(path, "utf8")));
}
process.chdir(work);
const { runFile } = await import(join(work, "node_modules/vitest/index.mjs"));
const { giveFunctionIndexFile } = await import(join(work, "src/cli/function_index.js"));
giveFunctionIndexFile();
for (const file of [room, ...testRooms].flatMap(codeOf).filter((f) => f.endsWith(".test.js")))
  await runFile(file).catch((error) =>
    console.error(`failed: ${file}: ${String(error?.message ?? error).slice(0, 200)}`),
  );
const open = places.filter((p) => p.decided === 0);
for (const { kind, file, line, expression, reached } of open)
  console.log(`${file}:${line} ${kind}${reached === 0 ? ", never reached" : ""}: ${expression.slice(0, 160)}`);
console.log(`${open.length} of ${places.length} places of ${room} are decided by no test.`);
process.exit(0);
