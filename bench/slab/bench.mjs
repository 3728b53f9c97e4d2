// SLUB objects of each recorded kernel: alloc and free beside a C twin with the same rules and checks, same checksum over the addresses, interleaved, medians.
// Processor time on both sides; counts the garbage collections in the measured loops.
// node bench/slab/bench.mjs [rounds]   (npm run build first; needs cc)
import { raceTable } from "../harness.mjs";

const works = [
  ["pair", 10_000_000, "alloc + free, one at a time"],
  ["4096", 5_000_000, "replace at random, 4096 live"],
  ["32768", 4_000_000, "replace at random, 32768 live"],
];
const kinds = [
  ["frozen", "6.1"],
  ["objects", "5.10"],
  ["plain", "6.12"],
  ["sheaves", "7.2"],
];
const cases = kinds.flatMap(([kind, release]) =>
  works.map(([work, ops, title]) => [[work, ops, kind], `${release}: ${title}`]),
);
await raceTable(import.meta.dirname, cases, Number(process.argv[2] ?? 7));
