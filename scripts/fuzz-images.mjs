// Changes memory images in many places and reads them: words of the kernel's own data (pointers, counts, links) in whatever container they lie,
// bytes of the container, and files that are cut off. No crash, no reading that takes longer than ten times the whole image's, no message
// that is none.
//   npm run build && node scripts/fuzz-images.mjs IMAGE [IMAGE …] [--rounds 20] [--seed 1]
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "dist");
const load = (path) => import(join(root, path));
const args = process.argv.slice(2);
const option = (name, fallback) => {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(args.splice(at, 2)[1]);
};
const rounds = option("rounds", 20);
const seed = option("seed", 1);
if (args.length === 0 || !Number.isSafeInteger(rounds) || !Number.isSafeInteger(seed)) {
  console.error("Write it like: node scripts/fuzz-images.mjs IMAGE --rounds 20 --seed 1");
  process.exit(2);
}
const [
  { prng },
  { BadInput },
  { openImage },
  { readImage },
  { imageRecords },
  { notSeen },
  { imageJson },
  { joinLog },
] = await Promise.all(
  [
    "base/prng.js",
    "base/bad_input.js",
    "image/container/open.js",
    "image/image.js",
    "image/records.js",
    "image/summary.js",
    "report/image.js",
    "image/joined.js",
  ].map(load),
);

const sourceOf = (name, bytes) => ({
  name,
  size: bytes.length,
  read(at, into) {
    const part = bytes.subarray(at, at + into.length);
    into.set(part);
    return part.length;
  },
});

/** What came of reading it: an answer (with how many findings), or a sentence. `changed` holds pages that are other than in the file, by frame. */
function read(name, bytes, changed = new Map()) {
  const start = performance.now();
  try {
    const image = readImage(withPages(openImage([sourceOf(name, bytes)]), changed));
    let length = 0;
    for (const r of imageRecords(image)) length += JSON.stringify(r).length;
    const text = JSON.stringify([imageJson(image), notSeen(image), joinLog(image)]);
    if (/NaN|\[object|undefined/.test(text)) throw new Error("an answer with undefined or NaN in it");
    return { answer: image.findings.list.length + image.findings.more, length, millis: performance.now() - start };
  } catch (error) {
    if (!(error instanceof BadInput)) throw error;
    return { sentence: error.sentence(), millis: performance.now() - start };
  }
}

function withPages(memory, changed) {
  if (changed.size === 0) return memory;
  const { copy: _, ...rest } = memory;
  return { ...rest, page: (pfn) => changed.get(pfn) ?? memory.page(pfn), has: (pfn) => memory.has(pfn) };
}

/** Frames whose page has pointers of the kernel in it: its data. */
function dataFrames(memory) {
  const frames = [];
  for (let pfn = 1; pfn < memory.endPfn; pfn++) {
    const page = memory.page(pfn);
    if (page === undefined) continue;
    let pointers = 0;
    for (let w = 0; w < 4096; w += 64) if (page[w + 6] === 0xff && page[w + 7] === 0xff) pointers++;
    if (pointers > 3) frames.push(pfn);
  }
  return frames;
}

/** Changes words of a copy of a page. */
class Changes {
  pages = new Map();

  constructor(memory) {
    this.memory = memory;
  }

  view(pfn) {
    let page = this.pages.get(pfn);
    if (page === undefined) {
      page = this.memory.page(pfn).slice();
      this.pages.set(pfn, page);
    }
    return new DataView(page.buffer);
  }

  word(pfn, at) {
    const page = this.pages.get(pfn) ?? this.memory.page(pfn);
    return new DataView(page.buffer, page.byteOffset, 4096).getBigUint64(at, true);
  }
}

for (const file of args) {
  // A copy: the slice() of a Buffer is a view.
  const bytes = new Uint8Array(readFileSync(file));
  const whole = read(file, bytes);
  console.log(
    `${file}: whole ${whole.sentence ?? `${whole.answer} findings`} in ${whole.millis.toFixed(0)} ms; seed ${seed}`,
  );
  const limit = Math.max(20_000, whole.millis * 10);
  const memory = openImage([sourceOf(file, bytes)]);
  const frames = dataFrames(memory);
  const random = prng(seed);
  const sentences = new Map();
  const tally = { answers: 0, sentences: 0, findings: 0, slowest: 0 };
  for (let round = 0; round < rounds; round++) {
    const kind = random.below(10);
    const changes = new Changes(memory);
    let given = bytes;
    if (kind === 0) given = bytes.subarray(0, random.below(bytes.length));
    else if (kind === 1) {
      given = bytes.slice();
      const reach = random.chance(0.5) ? 16384 : bytes.length;
      for (let n = 1 + random.below(16); n > 0; n--)
        given[random.below(Math.min(bytes.length, reach))] = random.below(256);
    } else
      for (let n = [8, 64, 512, 4096][random.below(4)]; n > 0; n--) {
        const pfn = random.pick(frames);
        const at = random.below(512) * 8;
        const now = changes.word(pfn, at);
        const value = random.pick([
          0n,
          2n ** 64n - 1n,
          now ^ (1n << BigInt(random.below(64))),
          changes.word(random.pick(frames), random.below(512) * 8),
          now + 64n,
          BigInt(random.u32()),
        ]);
        changes.view(pfn).setBigUint64(at, value, true);
      }
    let result;
    try {
      result = read(file, given, changes.pages);
    } catch (error) {
      console.error(`seed ${seed}, round ${round}: ${error.stack}`);
      process.exitCode = 1;
      result = { sentence: "crash", millis: 0 };
    }
    if (result.sentence === undefined) tally.answers++;
    else {
      tally.sentences++;
      const form = result.sentence.replace(/[0-9a-f]{6,}|\d+/g, "N").slice(-90);
      sentences.set(form, (sentences.get(form) ?? 0) + 1);
    }
    tally.findings += result.answer ?? 0;
    tally.slowest = Math.max(tally.slowest, result.millis);
    if (result.millis > limit) {
      console.error(`seed ${seed}, round ${round}: ${result.millis.toFixed(0)} ms, the limit is ${limit.toFixed(0)}`);
      process.exitCode = 1;
    }
  }
  console.log(
    `  ${rounds} rounds: ${tally.answers} answers with ${tally.findings} findings, ${tally.sentences} sentences, slowest ${tally.slowest.toFixed(0)} ms`,
  );
  for (const [form, n] of sentences) console.log(`    ${n}: …${form}`);
}
