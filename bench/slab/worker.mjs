// One measured loop over the model's heap: node --expose-gc worker.mjs WORK OPS → nanoseconds, checksum, garbage collections.
import { parseRelease } from "../../dist/kernel/release.js";
import { createJournal } from "../../dist/model/journal.js";
import { createNaivePages } from "../../dist/model/mm/pages.js";
import { createHeap } from "../../dist/model/slab/kmalloc.js";
import { answer, nanosAndCollections } from "../harness.mjs";

const [what, opsText] = process.argv.slice(2);
const ops = Number(opsText);
const live = what === "pair" ? 0 : Number(what);
const heap = createHeap({
  release: parseRelease("6.1"),
  allocator: "slub",
  cpus: 1,
  pages: createNaivePages(1 << 17, 64),
  journal: createJournal(),
});
const cache = heap.cacheCreate("skbuff_head_cache", 224, 0);

function pairs(n) {
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const o = heap.cacheAlloc(cache, 0);
    sum = (Math.imul(sum, 31) + (o >>> 8)) | 0;
    heap.cacheFree(cache, o);
  }
  return sum;
}

function replace(n, held, seed) {
  let sum = 0;
  let x = seed;
  for (let i = 0; i < n; i++) {
    x = (Math.imul(x, 1103515245) + 12345) | 0;
    const k = (x >>> 8) % held.length;
    heap.cacheFree(cache, held[k]);
    const o = heap.cacheAlloc(cache, 0);
    held[k] = o;
    sum = (Math.imul(sum, 31) + (o >>> 8)) | 0;
  }
  return sum;
}

// No warm-up: it would leave other pages in the allocator than the twin has. Millions of operations make it small.
const held = new Int32Array(live);
for (let i = 0; i < live; i++) held[i] = heap.cacheAlloc(cache, 0);
let sum = 0;
const { nanos, collections } = await nanosAndCollections(ops, () => {
  sum = live === 0 ? pairs(ops) : replace(ops, held, 12345);
});
answer(nanos, sum, collections);
