// As much of vitest as the tests of rules and facts use, in the process that loads them: mutants are many, and a worker for each costs more than the
// tests. It is found under vitest's name by what by_tests.mjs lays out, and tells the first failure by leaving with exit code 1.
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  chai,
  customMatchers,
  GLOBAL_EXPECT,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
} from "@vitest/expect";

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);
chai.use(({ Assertion }) => {
  // Files are compared, never written.
  Assertion.addMethod("toMatchFileSnapshot", function (path) {
    const kept = readFileSync(resolve(dirname(file), path), "utf8");
    new Assertion(typeof this._obj === "string" ? this._obj : JSON.stringify(this._obj, null, 2)).to.equal(kept);
    return Promise.resolve();
  });
});
export const expect = (value, message) => chai.expect(value, message);
Object.assign(expect, chai.expect);
Object.assign(expect, globalThis[ASYMMETRIC_MATCHERS_OBJECT] ?? {});
expect.extend = (matchers) => chai.expect.extend(expect, matchers);
Object.defineProperty(globalThis, GLOBAL_EXPECT, { value: expect, writable: true, configurable: true });
expect.setState = () => {};
expect.getState = () => ({});
expect.extend(customMatchers);

let file = "";
let scope;
const newScope = (parent) => ({ parent, befores: [], afters: [], eachBefore: [], eachAfter: [], items: [] });

const rowsOf = (table) => table.map((row) => (Array.isArray(row) ? row : [row]));
const titled = (name, row) => {
  let at = 0;
  return String(name).replace(/%[sdij]/g, () => String(row[at++]));
};
const optionsLast = (a, b) => (typeof a === "function" ? a : b);

export const describe = (_name, a, b) => {
  const own = newScope(scope);
  scope.items.push({ suite: own });
  const outer = scope;
  scope = own;
  optionsLast(a, b)();
  scope = outer;
};
describe.each = (table) => (name, work) => {
  for (const row of rowsOf(table)) describe(titled(name, row), () => work(...row));
};
const nothing = () => {};
nothing.each = () => nothing;
describe.skip = nothing;
describe.skipIf = (skip) => (skip ? nothing : describe);
describe.runIf = (run) => (run ? describe : nothing);

export const test = (name, a, b) => scope.items.push({ name: String(name), work: optionsLast(a, b) });
test.each = (table) => (name, a, b) => {
  for (const row of rowsOf(table)) test(titled(name, row), () => optionsLast(a, b)(...row));
};
test.skip = nothing;
test.todo = nothing;
test.skipIf = (skip) => (skip ? nothing : test);
test.runIf = (run) => (run ? test : nothing);
export const it = test;
export const beforeAll = (work) => scope.befores.push(work);
export const afterAll = (work) => scope.afters.push(work);
export const beforeEach = (work) => scope.eachBefore.push(work);
export const afterEach = (work) => scope.eachAfter.push(work);

const around = (own, which) => (own === undefined ? [] : [...around(own.parent, which), ...own[which]]);

async function runScope(own, seen) {
  for (const work of own.befores) await work();
  for (const item of own.items)
    if (item.suite !== undefined) await runScope(item.suite, seen);
    else {
      for (const work of around(own, "eachBefore")) await work();
      try {
        await item.work({});
      } catch (error) {
        throw new Error(`${file}: ${item.name}: ${error?.message ?? error}`);
      }
      for (const work of around(own, "eachAfter")) await work();
      seen.tests++;
    }
  for (const work of own.afters) await work();
}

/** Loads and runs a file of tests; throws at the first that fails. The number of tests. */
export async function runFile(path) {
  file = path;
  scope = newScope(undefined);
  const own = scope;
  await import(pathToFileURL(resolve(path)));
  const seen = { tests: 0 };
  await runScope(own, seen);
  return seen.tests;
}
