// sk_buff alloc, replace and clone beside a C twin with the same rules, rows and heap: same checksum, interleaved, medians of 7 rounds.
// Processor time on both sides, so that a busy machine matters less; counts the garbage collections in the measured loops.
// SKBLAB_KERNEL=5.10|6.1|6.12|7.2|7.3 runs the sk_buffs of that kernel (6.1 otherwise).
// node bench/skb/bench.mjs [rounds]   (npm run build first; needs cc)
import { kernelAsked, raceTable } from "../harness.mjs";

const cases = [
  ["alloc", 3_000_000, "alloc + put + free, one at a time"],
  ["4096", 3_000_000, "replace at random, 4096 live"],
  ["32768", 2_000_000, "replace at random, 32768 live"],
  ["clone", 3_000_000, "clone + free"],
];
const { branch, name } = kernelAsked();
console.log(`sk_buffs of ${name}`);
await raceTable(
  import.meta.dirname,
  cases.map(([what, ops, title]) => [[what, ops, branch], title]),
  Number(process.argv[2] ?? 7),
  { aim: 1.8 },
);
