// One JavaScript measurement: `node --expose-gc worker.mjs WHAT OPS` prints nanoseconds an operation, the checksum, and how many garbage
// collections began in the measured loop.
import { createNaivePages } from "../../dist/model/mm/pages.js";
import { skbConfigOf } from "../../dist/model/net/skb/skb_config.js";
import { skbSizes61 } from "../../dist/model/net/skb/skb_config61.js";
import { createSkbs } from "../../dist/model/net/skb/skbs.js";
import { answer, kernelAsked, nanosAndCollections } from "../harness.mjs";

const [what, opsText] = process.argv.slice(2);
const ops = Number(opsText);

// The flat heap of twin.c: one stack of free addresses a class; the class of a page by its pfn.
const sizes = Int32Array.of(256, 512, 1024, 2048, 4096, 8192);
const classOf = new Uint8Array(1 << 20);
const classFor = new Uint8Array(8192 / 8 + 1);
for (let s = 0; s <= 8192 / 8; s++) classFor[s] = sizes.findIndex((size) => size >= s * 8);
const counts = new Int32Array(6);
const stacks = [];
let at = 4096 * 16;
for (let c = 0; c < 6; c++) {
  const n = c < 4 ? 40000 : 64;
  const stack = new Float64Array(n + 1);
  for (let i = 0; i < n; i++) {
    stack[i] = at;
    for (let p = at; p < at + sizes[c]; p += 4096) classOf[Math.floor(p / 4096)] = c;
    at += sizes[c];
  }
  stacks.push(stack);
  counts[c] = n;
  at = 4096 * Math.floor((at + 4095) / 4096);
}
const take = (c) => (counts[c] > 0 ? stacks[c][--counts[c]] : -1);
const give = (address) => {
  const c = classOf[Math.floor(address / 4096)];
  stacks[c][counts[c]++] = address;
};
const heap = {
  pageSize: 4096,
  kmalloc: (bytes) => take(classFor[(bytes + 7) >> 3]),
  kfree: give,
  ksize: (address) => sizes[classOf[Math.floor(address / 4096)]],
  kmallocSizeRoundup: (bytes) => sizes[classFor[(bytes + 7) >> 3]],
  cacheCreate: (_name, size) => classFor[(size + 7) >> 3],
  cacheAlloc: take,
  cacheFree: (_cache, address) => give(address),
};

const config = skbConfigOf(kernelAsked().parts.net.skb, skbSizes61);
const skbs = createSkbs({ pages: createNaivePages(16), heap, config });
const { allocSkb, skbPut, kfreeSkb, skbClone, columns } = skbs;
const { S } = columns;
const TRUESIZE = 6;
const LEN = 4;
const atomic = 0xa20;
const mix = Int32Array.of(100, 600, 1500, 64, 1400, 300, 1500, 200);
let sum = 0;
const fold = (skb) => {
  sum = (Math.imul(sum, 31) + skb + S[skb + TRUESIZE] + S[skb + LEN]) | 0;
};

function allocFree(n) {
  for (let i = 0; i < n; i++) {
    const skb = allocSkb(mix[i & 7], atomic);
    skbPut(skb, 60);
    fold(skb);
    kfreeSkb(skb);
  }
}

const live = new Int32Array(65537);
function replace(n, count) {
  let x = 12345;
  for (let i = 0; i < count; i++) live[i] = allocSkb(mix[i & 7], atomic);
  for (let i = 0; i < n; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) | 0;
    const slot = (x >>> 8) & (count - 1);
    kfreeSkb(live[slot]);
    live[slot] = allocSkb(mix[i & 7], atomic);
    fold(live[slot]);
  }
  for (let i = 0; i < count; i++) kfreeSkb(live[i]);
}

function cloneFree(n) {
  const skb = allocSkb(1500, atomic);
  skbPut(skb, 1000);
  for (let i = 0; i < n; i++) {
    const clone = skbClone(skb, atomic);
    fold(clone);
    kfreeSkb(clone);
  }
  kfreeSkb(skb);
}

const run = what === "alloc" ? allocFree : what === "clone" ? cloneFree : (n) => replace(n, Number(what));
run(ops);
run(ops);
sum = 0;
const { nanos, collections } = await nanosAndCollections(ops, () => run(ops));
answer(nanos, sum, collections);
