// page_pool per element, fast, ring and slow path, beside a C twin with the same rules and checksum, interleaved in one run.
// Needs `npm run build` and a C compiler. Loops as in the kernel's bench_page_pool_simple: take a page, give it back.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createJournal } from "../../dist/model/journal.js";
import { createPagePools, defaultPoolParams } from "../../dist/model/net/page_pool.js";

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
const context = { inSoftirq: true, node: 0 };
const pools = createPagePools({ pages, journal: createJournal(), context, pfnMax: PAGES, poolsMax: 64 });
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
  return { nanos, checksum };
}

const median = (xs) => [...xs].sort((a, b) => a - b)[Math.floor(xs.length / 2)];

/** Rounds of twin and model in turn over the given paths; gives the samples of each. */
function measure(twin, paths) {
  const c = Object.fromEntries(paths.map((p) => [p, []]));
  const js = Object.fromEntries(paths.map((p) => [p, []]));
  for (let i = 0; i < 3; i++) for (const path of paths) run(path, loops[path]);
  for (let round = 0; round < rounds; round++) {
    for (const path of paths) {
      const [nanos, checksum] = execFileSync(twin, [path, String(loops[path])])
        .toString()
        .trim()
        .split(" ")
        .map(Number);
      const mine = run(path, loops[path]);
      if (mine.checksum !== checksum) throw new Error(`${path}: checksum ${mine.checksum}, the twin's ${checksum}`);
      c[path].push(nanos);
      js[path].push(mine.nanos);
    }
  }
  return { c, js };
}

const paths = Object.keys(loops);
if (process.argv[3] !== undefined) {
  // A child: one path, or all of them in one process.
  const only = process.argv[4].split(",");
  console.log(JSON.stringify(measure(process.argv[3], only)));
} else {
  const dir = mkdtempSync(join(tmpdir(), "skblab-bench-"));
  try {
    const twin = join(dir, "twin");
    execFileSync("cc", ["-O2", "-o", twin, join(import.meta.dirname, "twin.c")]);
    const child = (only) =>
      JSON.parse(execFileSync(process.execPath, [process.argv[1], String(rounds), twin, only.join(",")]).toString());
    const alone = paths.map((p) => child([p]));
    const mixed = child(paths);
    const f = (v, w, d = 2) => v.toFixed(d).padStart(w);
    console.log(
      `page_pool, ns per element (take a page, give it back), ${rounds} interleaved rounds; ns and ratio are of the best rounds, (median) of the paired ones`,
    );
    console.log("path   C twin   model  model/C  (median)  mixed  (median)   x fast: C  model  kernel   kernel ns");
    const best = (xs) => Math.min(...xs);
    const base = { c: best(alone[0].c.fast), js: best(alone[0].js.fast) };
    const bestRatio = (m, p) => best(m.js[p]) / best(m.c[p]);
    paths.forEach((p, i) => {
      const { c, js } = alone[i];
      const ratio = (m) => median(m.js[p].map((v, k) => v / m.c[p][k]));
      console.log(
        p.padEnd(5) +
          f(best(c[p]), 8) +
          f(best(js[p]), 8) +
          f(bestRatio(alone[i], p), 9) +
          f(ratio(alone[i]), 10) +
          f(bestRatio(mixed, p), 7) +
          f(ratio(mixed), 10) +
          f(best(c[p]) / base.c, 12) +
          f(best(js[p]) / base.js, 7) +
          f(published[p] / published.fast, 8) +
          f(published[p], 12, 1),
      );
    });
    console.log("same checksum in every round; mixed: the three paths in turn in one process");
  } finally {
    rmSync(dir, { recursive: true });
  }
}
