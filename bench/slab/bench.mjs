// SLUB objects: alloc and free beside a C twin with the same rules and checks, same checksum over the addresses, interleaved, medians.
// Processor time on both sides; counts the garbage collections in the measured loops.
// node bench/slab/bench.mjs [rounds]   (npm run build first; needs cc)
import { raceTable } from "../harness.mjs";

const cases = [
  ["pair", 10_000_000, "alloc + free, one at a time"],
  ["4096", 5_000_000, "replace at random, 4096 live"],
  ["32768", 4_000_000, "replace at random, 32768 live"],
];
await raceTable(import.meta.dirname, cases, Number(process.argv[2] ?? 7));
