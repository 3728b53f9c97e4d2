// Mutates the log fixtures and reads them: by bytes, lines, splices, tokens and transports. No crash, no input that takes more than two
// seconds of CPU time, no `undefined` or `NaN` in an answer. Says how many inputs it tried; the seed and the mutation's number give an input
// again. Several processes (--jobs) take the inputs in turn: the same ones are tried, only sooner.
//   npm run build && npm run fuzz -- --minutes 5 [--seed 1] [--from 0] [--jobs 1] [--inputs N] [--keep DIRECTORY]
import { fork } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const option = (name, fallback) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : process.argv[at + 1];
};
const minutes = Number(option("minutes", "1"));
const seed = Number(option("seed", "1"));
const keep = option("keep", undefined);
const jobs = Number(option("jobs", "1"));
const most = Number(option("inputs", "Infinity"));
const part = Number(option("part", "0"));
if (!(jobs >= 1 && jobs <= 256) || !Number.isFinite(minutes) || minutes <= 0 || !Number.isSafeInteger(seed)) {
  console.error("Write it like: npm run fuzz -- --minutes 5 --seed 1");
  process.exit(2);
}
if (jobs > 1 && !process.argv.includes("--part")) {
  const children = Array.from({ length: jobs }, (_, k) =>
    fork(import.meta.filename, [...process.argv.slice(2), "--part", String(k)]),
  );
  const codes = await Promise.all(children.map((c) => new Promise((done) => c.on("exit", done))));
  process.exit(codes.some((c) => c !== 0) ? 1 : 0);
}
const dist = (path) => import(join(root, "dist", path)).catch(() => undefined);
const modules = await Promise.all(
  [
    "artifact/gather.js",
    "base/byte_source.js",
    "base/prng.js",
    "diagnosis/collect.js",
    "diagnosis/diagnose.js",
    "report/diagnosis.js",
    "report/text.js",
    "observe/deliver.js",
  ].map(dist),
);
const [{ gather } = {}, { sourceOf } = {}, { prng } = {}, { createCollector } = {}, { diagnose } = {}, report] =
  modules;
const transport = modules[7];
if (gather === undefined || diagnose === undefined) {
  console.error("The fuzzer reads dist/: run `npm run build` first.");
  process.exit(2);
}

const whole = ["fixtures/logs", "fixtures/input", "fixtures/proc", "fixtures/diagnosis", "fixtures/field"].flatMap(
  (folder) =>
    readdirSync(join(root, folder), { withFileTypes: true })
      .filter((f) => f.isFile() && /\.(?:txt|log)$/.test(f.name))
      .map((f) => readFileSync(join(root, folder, f.name), "utf8")),
);
const texts = whole.map((t) => t.split("\n"));
const tokens = [...new Set(whole.flatMap((t) => t.split(/(?<=[\s:,()[\]=])/)).filter((t) => t.length < 40))];
const pick = (from, p) => from[p.below(from.length)];

/** A stretch of a fixture: what is mutated is small, so that many are tried. */
function stretch(p) {
  const lines = pick(texts, p);
  const first = p.below(Math.max(1, lines.length - 20));
  // A short text breaks as a long one does, and many more of them are tried in the same time.
  return lines.slice(first, first + 3 + p.below(p.chance(0.25) ? 90 : 18));
}

const byLines = [
  (l, p) => l.filter(() => !p.chance(0.1)),
  (l, p) => l.flatMap((t) => (p.chance(0.05) ? [t, t] : [t])),
  (l, p) => (p.chance(0.5) ? [...l].reverse() : l.map((t) => t.slice(0, 10 + p.below(90)))),
  (l, p) => l.flatMap((t) => (p.chance(0.1) ? [t, pick(stretch(p), p)] : [t])),
  (l, p) => l.map((t, i) => (p.chance(0.1) ? t + (l[i + 1] ?? "") : t)),
  (l, p) => l.map((t) => (p.chance(0.05) ? pick(tokens, p).repeat(1 + p.below(400)) + t : t)),
  (l, p) =>
    l.map((t) =>
      t.replace(/\d+/g, (n) => (p.chance(0.05) ? pick(["0", "-1", "4294967295", "99999999999999999999", ""], p) : n)),
    ),
  (l, p) =>
    l.map((t) =>
      t
        .split(" ")
        .map((w) => (p.chance(0.02) ? pick(tokens, p) : w))
        .join(" "),
    ),
  (l, p) => (transport === undefined || l.length === 0 ? l : transport.deliver(l, p).text.split("\n")),
];

/** The bytes of input number `n`. */
function input(n) {
  const p = prng((seed * 1_000_003 + n) >>> 0);
  let lines = stretch(p);
  for (let i = 1 + p.below(3); i > 0; i--) lines = pick(byLines, p)(lines, p);
  const bytes = Buffer.from(lines.join("\n").slice(0, 200_000));
  if (p.chance(0.4))
    for (let i = p.below(30); i > 0 && bytes.length > 0; i--) bytes[p.below(bytes.length)] = p.below(256);
  return bytes;
}

/** What the input itself says is no word of ours. */
const quoted = new Set(["raw", "text", "quote", "lines", "evidence"]);
const nonsense = /\bundefined\b|\bNaN\b/;

/** The first string of an answer that `isWrong`, or of a number that is none. */
function search(value, isWrong) {
  if (typeof value === "string") return isWrong(value) ? value : undefined;
  if (typeof value === "number") return Number.isFinite(value) || !isWrong("NaN") ? undefined : "NaN";
  if (value === null || typeof value !== "object") return undefined;
  if (Array.isArray(value)) {
    for (const inner of value) {
      const found = search(inner, isWrong);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  for (const key in value) {
    if (quoted.has(key)) continue;
    const found = search(value[key], isWrong);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What is wrong with the answer to an input, or undefined. */
async function judge(bytes) {
  const begin = performance.now();
  const answer = await answerTo(bytes);
  // Other processes on a busy machine are no fault of the input's: what took long is asked once more, on the processor's clock.
  if (performance.now() - begin > 1000) {
    const used = process.cpuUsage();
    await answerTo(bytes);
    const { user, system } = process.cpuUsage(used);
    const ms = (user + system) / 1000;
    if (ms > 2000) return `took ${Math.round(ms)} ms`;
  }
  return wrongIn(bytes, answer);
}

async function answerTo(bytes) {
  const collector = createCollector();
  const gathered = await gather([{ source: sourceOf("fuzz.log", [bytes]), named: true }], {
    onWindow: collector.onWindow,
  });
  const diagnosis = diagnose(collector.finish(gathered));
  return { diagnosis, document: report?.diagnosisDocument?.(diagnosis) };
}

const isFault = (s) => s.includes("(our fault)");
const isNonsense = (s) => (s.includes("undefined") || s.includes("NaN") ? nonsense.test(s) : false);
const isEither = (s) => isNonsense(s) || isFault(s);

function wrongIn(bytes, { diagnosis, document }) {
  // What the input says may be repeated.
  const own = bytes.includes("undefined") || bytes.includes("NaN");
  const isWrong = own ? isFault : isEither;
  const words = search(diagnosis, isWrong) ?? search(document, isWrong);
  return words === undefined ? undefined : `says "${words.slice(0, 200)}"`;
}

const until = Date.now() + minutes * 60_000;
/** A long run says now and then how far it is. */
const often = 10 * 60_000;
let next = Date.now() + often;
let n = Number(option("from", "0")) + part;
let tried = 0;
const found = new Map();
for (; Date.now() < until && tried < most; n += jobs, tried++) {
  if (Date.now() > next) {
    console.log(`${tried} inputs so far.`);
    next += often;
  }
  const bytes = input(n);
  let wrong;
  try {
    wrong = await judge(bytes);
  } catch (error) {
    wrong = `crashes: ${error instanceof Error ? error.stack.split("\n").slice(0, 3).join(" | ") : error}`;
  }
  if (wrong === undefined) continue;
  const kind = wrong.replace(/\d+/g, "#").slice(0, 120);
  found.set(kind, (found.get(kind) ?? 0) + 1);
  if (found.get(kind) > 1) continue;
  console.log(`input ${n} (seed ${seed}): ${wrong}`);
  if (keep !== undefined) {
    mkdirSync(keep, { recursive: true });
    writeFileSync(join(keep, `seed${seed}-${n}.log`), bytes);
  }
}
const times = [...found.values()].reduce((a, b) => a + b, 0);
console.log(`${tried} inputs (seed ${seed}), ${times} wrong in ${found.size} kinds.`);
if (found.size > 0) process.exitCode = 1;
