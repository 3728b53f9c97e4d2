// Allocations a second in the model under each design of fragment destructors: the release's slab allocator, heads of 60 and 1514 bytes.
// These are costs of the model, not of a kernel: what counts is the number of allocations behind a packet, seen beside the others.
import { parseRelease } from "../../dist/kernel/release.js";
import { createJournal } from "../../dist/model/journal.js";
import { createBootedMemory } from "../../dist/model/kernels/booted.js";
import { slabPartsOf } from "../../dist/model/kernels/slab_parts.js";
import { fragDesigns } from "../../dist/model/net/skb/frag_designs.js";
import { skbConfigFor } from "../../dist/model/net/skb/skb_config.js";
import { createSkbs } from "../../dist/model/net/skb/skbs.js";
import { createHeap } from "../../dist/model/slab/kmalloc.js";
import { median } from "../harness.mjs";

const release = parseRelease("3.2-x86_64");
const atomic = 0x20;
const rounds = Number(process.argv[2] ?? 5);
const ops = 200_000;

function bench(design) {
  const journal = createJournal();
  const { pages } = createBootedMemory({ release, memoryMb: 256, cpus: 2, journal });
  const heap = createHeap({ release, pages, journal, cpus: 2, allocator: "slub", parts: slabPartsOf(release) });
  const { sharedInfoBytes, skBuffBytes } = design.layout(release);
  const skbs = createSkbs({
    pages,
    heap: design.heap(heap, release),
    config: skbConfigFor(release, { sharedInfoBytes, skBuffBytes, fclonesBytes: 2 * skBuffBytes + 8 }),
    skbsMax: 4096,
  });
  const live = new Int32Array(1024);
  return () => {
    const begin = process.hrtime.bigint();
    for (let i = 0; i < ops; i++) {
      const at = i & 1023;
      if (live[at] !== 0) skbs.kfreeSkb(live[at]);
      live[at] = skbs.allocSkb(i & 1 ? 1514 : 60, atomic);
    }
    return (ops / Number(process.hrtime.bigint() - begin)) * 1e3;
  };
}

const runs = fragDesigns.map((design) => ({ design, run: bench(design), rates: [] }));
for (let round = 0; round <= rounds; round++)
  for (const { run, rates } of runs) {
    const rate = run();
    if (round > 0) rates.push(rate);
  }
const plain = median(runs[0].rates);
for (const { design, rates } of runs) {
  const rate = median(rates);
  process.stdout.write(
    `${design.name.padEnd(20)} ${rate.toFixed(2).padStart(6)} M/s  ${(rate / plain).toFixed(2)} of none\n`,
  );
}
