// One JS run of the page allocator bench: the model in dist/, one live instance in the process, the workload of twin.c.
// node worker.mjs machine MB CPUS | mixed MB CPUS SLOTBITS OPS WARM | owned … (page_owner listens) | pair … | boot MB
import { createJournal } from "../../dist/model/journal.js";
import { partsFor } from "../../dist/model/kernels/parts_for.js";
import { bootMemory, pc64 } from "../../dist/model/mm/boot.js";
import { createMachineMemory } from "../../dist/model/mm/machine_memory.js";
import { pcpField, pcpStride, zoneField, zoneStride } from "../../dist/model/mm/memory.js";
import { createPageOwner } from "../../dist/model/mm/page_owner.js";
import { answer, processorNanos } from "../harness.mjs";

// The twin has the rules of 6.1.192; BENCH_KERNEL runs the same requests on another kernel's.
const release = { version: (process.env.BENCH_KERNEL ?? "6.1.192").split(".").map(Number), arch: "x86_64" };
const parts = partsFor(release).parts.mm;
const [what, mb, cpus, ...rest] = process.argv.slice(2);
const begin = performance.now();
const { maxOrder, huge } = parts.pcp;
const layout = pc64({
  memoryMb: Number(mb),
  cpus: Number(cpus),
  pcpMaxOrder: maxOrder,
  pcpHugeOrder: huge ? 9 : -1,
});
const machine = createMachineMemory({ spec: layout.spec, journal: createJournal(), parts });
bootMemory(machine, layout);
const bootMillis = performance.now() - begin;

if (what === "machine") printMachine();
else if (what === "boot") {
  const peakKb = process.resourceUsage().maxRSS;
  const { memory } = machine;
  const bytes =
    memory.page.byteLength +
    memory.blockType.byteLength +
    memory.zone.byteLength +
    memory.pcp.byteLength +
    memory.nrFree.byteLength;
  console.log(
    JSON.stringify({
      bootMillis,
      peakKb,
      bytesPerPage: bytes / memory.pages,
      pages: memory.pages,
      columnsMb: bytes / 2 ** 20,
    }),
  );
} else {
  if (what === "owned")
    createPageOwner(machine, release.version).within([{ symbol: "bench", offset: 1, size: 2 }], () => run(true));
  else run(what === "mixed");
}

/** The booted machine as the numbers that twin.c reads. */
function printMachine() {
  const { memory } = machine;
  const { spec, zone, pcp } = memory;
  const out = [spec.zones.length, spec.cpus, memory.pages, spec.zoneTypes.indexOf("Normal")];
  for (let highest = 0; highest < 3; highest++) {
    const rows = [];
    for (let k = memory.zonelistStart[highest]; memory.zonelists[k] >= 0; k++) rows.push(memory.zonelists[k]);
    out.push(rows.length, ...rows);
  }
  layout.freeRanges.forEach((ranges, row) => {
    const f = (field) => zone[row * zoneStride + field];
    out.push(
      f(zoneField.start),
      f(zoneField.end),
      f(zoneField.type),
      f(zoneField.managed),
      ranges.length,
      ...ranges.flat(),
    );
    out.push(f(zoneField.min), f(zoneField.low), f(zoneField.high));
    for (let i = 0; i < 4; i++) out.push(f(zoneField.lowmemReserve + i));
    for (let cpu = 0; cpu < spec.cpus; cpu++) {
      const at = (row * spec.cpus + cpu) * pcpStride;
      out.push(pcp[at + pcpField.high], pcp[at + pcpField.batch], pcp[at + pcpField.statThreshold]);
    }
  });
  console.log(out.join(" "));
}

function run(mixed) {
  const [slotBits, ops, warm] = rest.map(Number);
  const { allocPages, freePages } = machine.pages;
  const mask = (1 << slotBits) - 1;
  const live = new Int32Array(mask + 1).fill(-1);
  const gfps = Int32Array.of(10240, 10248, 10256, 10248);
  const orders = Int8Array.from({ length: 1024 }, (_, i) => (i < 717 ? 0 : 1 + Math.floor(((i - 717) * 5) / 307)));
  const state = Int32Array.of(2463534242 | 0, 0, 0);
  const mixedOps = (n) => {
    let rng = state[0];
    let sum = state[1];
    for (let i = 0; i < n; i++) {
      rng ^= rng << 13;
      rng ^= rng >>> 17;
      rng ^= rng << 5;
      const slot = (rng >>> 4) & mask;
      const held = live[slot];
      if (held >= 0) {
        freePages(held >> 3, held & 7);
        live[slot] = -1;
      } else {
        rng ^= rng << 13;
        rng ^= rng >>> 17;
        rng ^= rng << 5;
        const order = orders[(rng >>> 8) & 1023];
        const pfn = allocPages(gfps[rng >>> 30], order);
        if (pfn < 0) state[2]++;
        else {
          live[slot] = (pfn << 3) | order;
          sum = (Math.imul(sum, 31) + pfn) | 0;
        }
      }
    }
    state[0] = rng;
    state[1] = sum;
  };
  const pairOps = (n) => {
    let rng = state[0];
    let sum = state[1];
    for (let i = 0; i < n; i++) {
      rng ^= rng << 13;
      rng ^= rng >>> 17;
      rng ^= rng << 5;
      const slot = (rng >>> 4) & mask;
      const held = live[slot];
      if (held >= 0) freePages(held >> 3, 0);
      const pfn = allocPages(10240, 0);
      live[slot] = pfn << 3;
      sum = (Math.imul(sum, 31) + pfn) | 0;
    }
    state[0] = rng;
    state[1] = sum;
  };
  const work = mixed ? mixedOps : pairOps;
  work(warm);
  const nanos = processorNanos(ops, () => work(ops));
  answer(nanos, state[1], state[2]);
}
