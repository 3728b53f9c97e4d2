// The case of the split free areas: three placement policies after a thrash, with active freeing and without.
import type { HighOrderResult, Moment } from "../../lab/high_order.ts";
import { highOrderParts } from "../../lab/high_order.ts";
import { highOrderKind } from "../high_order_kind.ts";
import { judge, withKnobs } from "./case.ts";
import { numberKnob } from "./knobs.ts";

const antiFragmentationKnobs = {
  memoryMb: numberKnob("memory", "MB", 1024, 256, 2048),
  order: numberKnob("order of the requested blocks", "", 10, 1, 10),
  requests: numberKnob("blocks requested", "", 160, 1, 1000),
  kilopages: numberKnob("page requests of the load", "thousands", 600, 50, 2000),
  jobs: numberKnob("processes alive at once", "", 24, 1, 100),
  pinnedPerMillion: numberKnob("requests whose pages are never freed", "per million", 500, 0, 20_000),
  seeds: numberKnob("runs per policy", "", 3, 1, 20),
};

export const antiFragmentation = withKnobs(antiFragmentationKnobs, {
  id: "anti-fragmentation",
  seed: "003",
  story:
    "Early in 2005 a patch splits the lists of free areas by how easily their pages can be reclaimed, so that one page that cannot be freed no longer spoils a large block whose other pages can. Its author thrashes a machine and requests 160 of the largest blocks: 3 were available before, 81 after. The test itself is not described.",
  question:
    "How much does splitting free areas by allocation type help large allocations, and what would active freeing add?",
  run: "A 1 GB machine thrashed by a compile-like load, then 160 requests of order 10; three policies, with and without active freeing, 3 seeds each (scenarios/high-order-after-thrash.yaml runs 20).",
  wouldChange:
    "A workload whose pinned pages come in bursts, or memory so short that every type falls back into the others' blocks.",
  answer(progress, set) {
    const settings = highOrderKind.schema.parse({
      seeds: set.seeds,
      memoryMb: set.memoryMb,
      order: set.order,
      requests: set.requests,
      load: { kilopages: set.kilopages, jobs: set.jobs, pinnedShare: set.pinnedPerMillion / 1e6 },
    });
    const parts = highOrderParts.list(settings);
    const results = parts.map((part, i) => {
      progress(i / parts.length, highOrderParts.label(part));
      return highOrderParts.run(settings, part);
    });
    const { cells, requests, article } = highOrderParts.join(settings, results) as HighOrderResult;
    const of = (policy: string, active: boolean, moment: Moment): number =>
      cells.find((c) => c.policy === policy && c.activeFreeing === active)?.granted[moment].estimate ?? 0;
    const plain = of("classic", false, "deleted");
    const split = of("placement-2005", false, "deleted");
    const active = of("placement-2005", true, "loaded");
    const passive = of("placement-2005", false, "loaded");
    const told = article.after - article.before;
    return {
      id: "anti-fragmentation",
      answer:
        `At rest ${split} of ${requests} requests succeed with areas split by type, ${plain} without. Under load: ` +
        `${passive}, with active freeing ${active}.`,
      claims: [
        {
          id: "splitting-helps",
          claim: `Splitting free areas by allocation type lets more order-${set.order} requests succeed after the load has gone.`,
          answer: judge(split > plain),
          measured: { classic: plain, placement2005: split, requests },
        },
        {
          id: "as-much-as-told",
          claim: `The gain is at least the article's (${article.before} to ${article.after} of ${article.requests}).`,
          answer: judge(split - plain >= told),
          measured: { gain: split - plain, gainInTheArticle: told },
        },
        {
          id: "active-freeing-helps",
          claim: "Active freeing lets more requests succeed while memory is full.",
          answer: judge(active > passive),
          measured: { withActiveFreeing: active, without: passive },
        },
        {
          id: "active-freeing-alone",
          claim: "Active freeing helps the plain buddy lists as much, without splitting.",
          answer: judge(of("classic", true, "loaded") >= active),
          measured: { classicWithActiveFreeing: of("classic", true, "loaded"), splitWithActiveFreeing: active },
        },
        {
          id: "mainline-keeps-it",
          claim: "Mainline's grouping by mobility does at least as well as the patch of 2005.",
          answer: judge(of("mobility", false, "deleted") >= split && of("mobility", true, "loaded") >= active),
          measured: {
            mobilityAtRest: of("mobility", false, "deleted"),
            mobilityUnderLoad: of("mobility", true, "loaded"),
          },
        },
      ],
      picture: {
        title: `order-${set.order} blocks granted, median`,
        unit: `of ${requests}`,
        bars: cells.map((c) => ({
          label: `${c.policy}${c.activeFreeing ? " + active freeing" : ""}, at rest`,
          value: c.granted.deleted.estimate,
        })),
      },
    };
  },
});
