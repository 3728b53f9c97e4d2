// sk_buff alloc, replace and clone beside a C twin with the same rules, rows and heap: same checksum, interleaved, medians of 7 rounds.
// Processor time on both sides, so that a busy machine matters less; counts the garbage collections in the measured loops.
// node bench/skb/bench.mjs [rounds]   (npm run build first; needs cc)
import { raceTable } from "../harness.mjs";

const cases = [
  ["alloc", 3_000_000, "alloc + put + free, one at a time"],
  ["4096", 3_000_000, "replace at random, 4096 live"],
  ["32768", 2_000_000, "replace at random, 32768 live"],
  ["clone", 3_000_000, "clone + free"],
];
await raceTable(import.meta.dirname, cases, Number(process.argv[2] ?? 7), { aim: 1.8 });
