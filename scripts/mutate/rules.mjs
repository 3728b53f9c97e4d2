// One rule of a kernel put otherwise, by name: each is a function from the kernel's own parts of the page allocator to changed ones.
// `says` names the test that holds a rule which no recording can decide.
import { byBatch } from "../../dist/model/mm/account/by_batch.js";
import { byBlock } from "../../dist/model/mm/account/by_block.js";
import { claimThenSteal } from "../../dist/model/mm/fallback/claim.js";
import { steal } from "../../dist/model/mm/fallback/steal.js";
import { atLeastOne } from "../../dist/model/mm/highatomic/at_least_one.js";
import { onePercentFromFreeLists, onePercentOfZone } from "../../dist/model/mm/highatomic/one_percent.js";
import { freeFactorLists } from "../../dist/model/mm/pcp/free_factor.js";
import { orderZero } from "../../dist/model/mm/pcp/order_zero.js";
import { tuned } from "../../dist/model/mm/pcp/tuned.js";

const rule = (name, change) => ({
  name,
  change: (own) => ({ ...own, rules: (choices) => ({ ...own.rules(choices), ...change(own.rules(choices)) }) }),
});
const part = (slot, sibling) => ({ name: `${slot}: ${sibling.name}`, change: (own) => ({ ...own, [slot]: sibling }) });

/** Rules of the one search only (fallback/steal.ts). */
const ofSteal = new Set([
  "ALLOC_NOFRAGMENT and large requests the other way",
  "compatible pages do not count",
  "movable requests take the largest block",
]);

/** Rules that every kernel since 2.6.24 has, each with another value than the kernel's. */
const common = [
  rule("nobody may ignore the boost", () => ({ boostExempt: "nobody" })),
  rule("whoever may use the reserve ignores the boost, or only __GFP_ATOMIC", (r) => ({
    boostExempt: r.boostExempt === "atomic" ? "min reserve" : "atomic",
  })),
  ...["anybody", "who gets a page", "who wakes kswapd"].map((who) =>
    rule(`the boost's mark is taken by ${who}`, () => ({ boostSeenBy: who })),
  ),
  rule("no ALLOC_NOFRAGMENT", () => ({ avoidFragmenting: false })),
  rule("ALLOC_NOFRAGMENT and large requests the other way", (r) => ({ noFragmentAnyOrder: !r.noFragmentAnyOrder })),
  rule("no tail insertion before a merge", () => ({ mergeLikelyToTail: false })),
  rule("pageblocks merge whatever their type", () => ({ unmergeable: "none" })),
  rule("only isolated pageblocks stay apart, or the reserves too", (r) => ({
    unmergeable: r.unmergeable === "reserves" ? "isolate" : "reserves",
  })),
  rule("lists and pageblocks the other way", (r) => ({ blocksFollowLists: !r.blocksFollowLists })),
  rule("the other type in mm_page_alloc_zone_locked", (r) => ({ lockedNamesRequest: !r.lockedNamesRequest })),
  rule("unmovable requests do not steal pageblocks", () => ({ unmovableSteals: false })),
  rule("compatible pages do not count", () => ({ splitSmallestAfterSteal: false })),
  rule("movable requests take the largest block", () => ({ smallestForMovable: false })),
  rule("the other share of the atomic reserve is left alone", (r) => ({
    leavesFreeHighatomic: !r.leavesFreeHighatomic,
  })),
  rule("the high mark is watched, or not", (r) => ({ watchesHighMark: !r.watchesHighMark })),
  rule("the atomic reserve as the last resort, or not", (r) => ({ lastResort: !r.lastResort })),
  rule("a second try for others", (r) => ({ secondTry: r.secondTry === "always" ? "with more rights" : "always" })),
  rule("the second try and kswapd the other way", (r) => ({ secondTryKeepsKswapd: !r.secondTryKeepsKswapd })),
  rule("the other generation of the watermark test", (r) => ({ generation: r.generation === 3 ? 2 : 3 })),
  rule("the first fallback type second", (r) => ({ fallbacks: r.fallbacks.map(([a, b]) => [b, a]) })),
];

const sized = { batch: () => 1 };
const tunedAs = (name, own) => ({ ...part("pcp", tuned(name, { ...sized, ...own })), name });
const own612 = { minShare: 0, portions: false, atomicRefills: true };
const own72 = { minShare: 0.5, portions: true, atomicRefills: false };

/** Parts by kernel: the siblings, and single rules of the part's own. */
const parts = {
  "5.10.223": [
    part("fallback", claimThenSteal),
    part("account", byBlock),
    part("highatomic", onePercentOfZone),
    {
      name: "an order-0 request goes on to the free lists and the reserve",
      change: (own) => ({
        ...own,
        pcp: orderZero("order 0 only, then the free lists", false),
        rules: (choices) => ({ ...own.rules(choices), lastResort: true }),
      }),
    },
  ],
  "6.1.192": [
    part("fallback", claimThenSteal),
    part("account", byBlock),
    part("highatomic", onePercentOfZone),
    part("pcp", tuned("tuned", { ...sized, ...own612 })),
  ],
  "6.12.117": [
    part("fallback", steal),
    part("account", byBatch),
    part("highatomic", atLeastOne),
    part("highatomic", onePercentFromFreeLists),
    part("pcp", freeFactorLists),
    tunedAs("free_high wants half of high_min too", { ...own612, minShare: 0.5 }),
    tunedAs("drained in portions", { ...own612, portions: true }),
    tunedAs("atomic high orders do not refill", { ...own612, atomicRefills: false }),
  ],
  "7.2.12": [
    part("fallback", steal),
    part("account", byBatch),
    part("highatomic", atLeastOne),
    part("highatomic", onePercentOfZone),
    part("pcp", freeFactorLists),
    tunedAs("free_high wants a batch alone", { ...own72, minShare: 0 }),
    tunedAs("drained at once", { ...own72, portions: false }),
    tunedAs("atomic high orders refill", { ...own72, atomicRefills: true }),
  ],
};

/** What a changed rule must differ in to be a change at all: some have no second value for a kernel. */
const isChange = (own, { change }) => {
  const text = (p) =>
    JSON.stringify({ ...p.rules(), parts: [p.pcp.name, p.fallback.name, p.account.name, p.highatomic.name] });
  return text(change(own)) !== text(own);
};

/** The mutants of a kernel. */
export const mutantsOf = (kernel) =>
  [...common, ...(parts[kernel.release.version.join(".")] ?? [])].filter(
    (m) => isChange(kernel.parts.mm, m) && (kernel.parts.mm.fallback.name === "steal" || !ofSteal.has(m.name)),
  );
