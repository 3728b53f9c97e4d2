// page_pool per element, fast, ring and slow path, beside a C twin with the same rules and checksum, interleaved in one run.
// SKBLAB_KERNEL=5.10|6.1|6.12|7.2|7.3 runs the pools of that kernel (6.1 otherwise). Needs `npm run build` and a C compiler. Loops as in the kernel's bench_page_pool_simple: take a page, give it back.
import { execFileSync } from "node:child_process";
import { createJournal } from "../../dist/model/journal.js";
import { createPagePools, defaultPoolParams } from "../../dist/model/net/pool/page_pool.js";
import { poolContext, softirqState } from "../../dist/model/net/pool/pool_context.js";
import { kernelAsked, median, race, result, twinAt, withTwin } from "../harness.mjs";

const PAGES = 1 << 16;
const rounds = Number(process.argv[2] ?? 25);
const loops = { fast: 2_000_000, ring: 2_000_000, slow: 2_000_000 };
/** ns per element on a real kernel: T. Høiland-Jørgensen on netdev, 8 March 2025, <875xkj1t70.fsf@toke.dk>, baseline, in softirq. */
const published = { fast: 5.399, ring: 15.09, slow: 66.134 };

/** The twin's page allocator: a count for each page, freed ones on a stack. */
function flatPages() {
  const count = new Int32Array(PAGES);
  const spare = new Int32Array(PAGES);
  let spares = 0;
  for (let i = PAGES - 1; i >= 0; i--) spare[spares++] = i;
  const allocPages = () => {
    if (spares === 0) return -1;
    const p = spare[--spares];
    count[p] = 1;
    return p;
  };
  const putPage = (p) => {
    const left = (count[p] - 1) | 0;
    count[p] = left;
    if (left !== 0) return;
    spare[spares] = p;
    spares = (spares + 1) | 0;
  };
  const nid = new Int32Array(PAGES);
  const reserve = new Uint8Array(PAGES);
  return {
    /** All pages are free again, in the twin's order. */
    reset() {
      if (spares !== PAGES) throw new Error(`${PAGES - spares} pages are still out`);
      for (let i = 0; i < PAGES; i++) spare[i] = PAGES - 1 - i;
    },
    allocPages,
    putPage,
    freePages: putPage,
    getPage: (p) => {
      count[p] = (count[p] + 1) | 0;
    },
    addPageRefs: (p, n) => {
      count[p] = count[p] + n;
    },
    pageCount: (p) => count[p],
    compoundHead: (p) => p,
    compoundOrder: () => 0,
    allocPagesBulk(_gfp, want, into) {
      const got = Math.min(want, spares);
      let top = spares;
      for (let i = 0; i < got; i++) {
        top = (top - 1) | 0;
        const p = spare[top];
        count[p] = 1;
        into[i] = p;
      }
      spares = top;
      return got;
    },
    isPfmemalloc: (p) => reserve[p] !== 0,
    nodeOf: (p) => nid[p],
  };
}

const pages = flatPages();
const context = poolContext(softirqState.running);
const kernel = kernelAsked();
const pools = createPagePools({
  ...kernel.parts.net.pool,
  pages,
  journal: createJournal(),
  context,
  pfnMax: PAGES,
  poolsMax: 64,
});
pools.create({ ...defaultPoolParams });

const elements = {
  fast(pool, n) {
    let sum = 0;
    for (let i = 0; i < n; i++) {
      const pfn = pools.allocPages(pool, 0);
      sum = (Math.imul(sum, 31) + pfn) | 0;
      pools.putFullPage(pool, pfn, true);
    }
    return sum;
  },
  ring(pool, n) {
    let sum = 0;
    for (let i = 0; i < n; i++) {
      const pfn = pools.allocPages(pool, 0);
      sum = (Math.imul(sum, 31) + pfn) | 0;
      pools.putFullPage(pool, pfn, false);
    }
    return sum;
  },
  slow(pool, n) {
    let sum = 0;
    for (let i = 0; i < n; i++) {
      const pfn = pools.allocPages(pool, 0);
      sum = (Math.imul(sum, 31) + pfn) | 0;
      pages.getPage(pfn);
      pools.putFullPage(pool, pfn, true);
      pages.putPage(pfn);
    }
    return sum;
  },
};

/** One measured run on a new pool of its own; the pool is emptied afterwards so that every run starts from the same pages. */
function run(path, n) {
  const pool = pools.create({ ...defaultPoolParams });
  const out = Array.from({ length: 64 }, () => pools.allocPages(pool, 0));
  for (const pfn of out) pools.putFullPage(pool, pfn, false);
  const start = process.hrtime.bigint();
  const sum = elements[path](pool, n);
  const nanos = Number(process.hrtime.bigint() - start) / n;
  const s = pools.stats(pool);
  const stats = s.fast + s.slow * 3 + s.refill * 5 + s.cached * 7 + s.ring * 11 + s.releasedRefcnt * 13;
  const checksum = (sum ^ ((stats % 2 ** 32) | 0) ^ pools.holdCount(pool) ^ pools.releaseCount(pool)) >>> 0;
  pools.destroy(pool);
  pages.reset();
  return { nanos, checksum, rest: [] };
}

/** Rounds of twin and model in turn over the given paths; gives the race of each. */
function measure(twin, paths) {
  for (let i = 0; i < 3; i++) for (const path of paths) run(path, loops[path]);
  const races = Object.fromEntries(paths.map((p) => [p, { c: [], js: [] }]));
  for (let round = 0; round < rounds; round++) {
    for (const path of paths) {
      const one = race(
        path,
        1,
        () => twin([path, loops[path], kernel.branch]),
        () => run(path, loops[path]),
      );
      races[path].c.push(...one.c);
      races[path].js.push(...one.js);
    }
  }
  return races;
}

const best = (nanos) => Math.min(...nanos);
const bestRatio = ({ c, js }) => best(js) / best(c);
const pairRatio = ({ c, js }) => median(js.map((nanos, i) => nanos / c[i]));

function table(path) {
  const paths = Object.keys(loops);
  const child = (only) =>
    JSON.parse(execFileSync(process.execPath, [process.argv[1], String(rounds), path, only.join(",")]).toString());
  const alone = paths.map((p) => child([p])[p]);
  const mixed = child(paths);
  const f = (v, w, d = 2) => v.toFixed(d).padStart(w);
  console.log(
    `page_pool of ${kernel.name}, ns per element (take a page, give it back), ${rounds} interleaved rounds; ns and ratio are of the best rounds, (median) of the paired ones`,
  );
  console.log("path   C twin   model  model/C  (median)  mixed  (median)   x fast: C  model  kernel   kernel ns");
  const [fast] = alone;
  paths.forEach((p, i) => {
    const one = alone[i];
    console.log(
      p.padEnd(5) +
        f(best(one.c), 8) +
        f(best(one.js), 8) +
        f(bestRatio(one), 9) +
        f(pairRatio(one), 10) +
        f(bestRatio(mixed[p]), 7) +
        f(pairRatio(mixed[p]), 10) +
        f(best(one.c) / best(fast.c), 12) +
        f(best(one.js) / best(fast.js), 7) +
        f(published[p] / published.fast, 8) +
        f(published[p], 12, 1),
    );
    result(`${p} path, best rounds`, bestRatio(one), { aim: 1.5 });
  });
  console.log("same checksum in every round; mixed: the three paths in turn in one process");
}

// A child measures one path, or all of them in one process.
const [, , , compiled, only] = process.argv;
if (compiled === undefined) await withTwin(import.meta.dirname, (_twin, path) => table(path));
else console.log(JSON.stringify(measure(twinAt(compiled), only.split(","))));
