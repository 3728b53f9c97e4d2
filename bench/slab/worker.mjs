// One measured loop over the SLUB of a kernel: node --expose-gc worker.mjs WORK OPS KIND → nanoseconds, checksum, garbage collections.
// KIND is twin.c's; sheaves cost no memory here, as in the twin.
import { parseRelease } from "../../dist/kernel/release.js";
import { createJournal } from "../../dist/model/journal.js";
import { slabPartsOf } from "../../dist/model/kernels/slab_parts.js";
import { createNaivePages } from "../../dist/model/mm/pages.js";
import { cacheGeometry } from "../../dist/model/slab/geometry.js";
import { answer, nanosAndCollections } from "../harness.mjs";

const [what, opsText, kind] = process.argv.slice(2);
const ops = Number(opsText);
const live = what === "pair" ? 0 : Number(what);
const release = parseRelease({ objects: "5.10.223", frozen: "6.1.192", plain: "6.12.117", sheaves: "7.2.12" }[kind]);
const { slub, rules } = slabPartsOf(release);
const pages = createNaivePages(1 << 17, 64);
const heap = slub({ ...rules, pages, journal: createJournal(), cpus: 1 });
const geometry = (objectSize) => cacheGeometry({ release, allocator: "slub", cpus: 1 }, { objectSize });
// As many caches as kmalloc has before the first named one.
for (let i = 0; i < 26; i++) heap.addCache(geometry(8 << (i & 3)), 0);
const cache = heap.addCache(geometry(256), 0);

function pairs(n) {
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const o = heap.alloc(cache, 0);
    sum = (Math.imul(sum, 31) + (o >>> 8)) | 0;
    heap.free(cache, o);
  }
  return sum;
}

function replace(n, held, seed) {
  let sum = 0;
  let x = seed;
  for (let i = 0; i < n; i++) {
    x = (Math.imul(x, 1103515245) + 12345) | 0;
    const k = (x >>> 8) % held.length;
    heap.free(cache, held[k]);
    const o = heap.alloc(cache, 0);
    held[k] = o;
    sum = (Math.imul(sum, 31) + (o >>> 8)) | 0;
  }
  return sum;
}

// No warm-up: it would leave other pages in the allocator than the twin has. Millions of operations make it small.
const held = new Int32Array(live);
for (let i = 0; i < live; i++) held[i] = heap.alloc(cache, 0);
let sum = 0;
const { nanos, collections } = await nanosAndCollections(ops, () => {
  sum = live === 0 ? pairs(ops) : replace(ops, held, 12345);
});
answer(nanos, sum, collections);
