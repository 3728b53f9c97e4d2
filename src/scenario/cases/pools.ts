// The cases of page pools: pages that shall find home although sk_buffs are cloned and joined.

import type { DesignResult } from "../../lab/page_pool_run.ts";
import { designNames } from "../../lab/page_pool_run.ts";
import { pagePoolKinds } from "../page_pool_kinds.ts";
import type { CaseProgress, Claim } from "./case.ts";
import { judge, judgeIf, percent, withKnobs } from "./case.ts";
import type { KnobValues } from "./knobs.ts";
import { numberKnob } from "./knobs.ts";

/** Runs a page pool procedure under every design. */
function poolRun(kind: string, set: KnobValues, progress: CaseProgress): readonly DesignResult[] {
  const found = pagePoolKinds.find((k) => k.kind === kind);
  return designNames.flatMap((design, i) => {
    progress(i / designNames.length, design);
    return (found?.run(found.schema.parse({ ...set, designs: [design] })) ?? []) as readonly DesignResult[];
  });
}

const poolBars = (rows: readonly DesignResult[]): { label: string; value: number }[] =>
  rows.map((r) => ({ label: r.design, value: r.leaked + r.corrupted }));

function designClaim(rows: readonly DesignResult[], design: string, id: string, claim: string): Claim {
  const r = rows.find((x) => x.design === design);
  return {
    id,
    claim,
    answer: judgeIf(r !== undefined, (r?.leaked ?? 1) + (r?.corrupted ?? 1) + (r?.dmaFaults ?? 1) === 0),
    measured: {
      leaked: r?.leaked ?? 0,
      corrupted: r?.corrupted ?? 0,
      recycled: r?.recycled ?? 0,
      released: r?.released ?? 0,
      packets: r?.packets ?? 0,
    },
  };
}

const poolMulticastKnobs = {
  packets: numberKnob("packets", "", 2000, 10, 20_000),
  frameBytes: numberKnob("length of a frame", "bytes", 1514, 70, 3000),
  ringSize: numberKnob("slots of the receive ring", "", 128, 4, 1024),
  sockets: numberKnob("listening sockets", "", 4, 1, 64),
  slowest: numberKnob("packets that the slowest one leaves queued", "", 16, 0, 1000),
};

export const poolMulticast = withKnobs(poolMulticastKnobs, {
  id: "page-pool-multicast",
  seed: "004",
  story:
    "A driver's pages come from a page pool and should return to it when the packet is freed, through a hook where sk_buffs are freed. The developers' notes, from 2018 on, list every path that could return a page to the wrong place. Multicast is one of their two tests: several sockets listen, and each gets a clone that shares the same page.",
  question: "Are the pages of a pool safe when packets are cloned to several sockets?",
  run: "2000 datagrams to four sockets of different speed, for six designs of the return hook; every page is accounted for at the end.",
  wouldChange: "A path that copies the recycle mark to memory outside the pool, as skb_copy did in the first branches.",
  answer(progress, set) {
    const rows = poolRun("page-pool-multicast", set, progress);
    const bad = rows.filter((r) => r.leaked + r.corrupted > 0).map((r) => r.design);
    const main = rows.find((r) => r.design === "pp-recycle");
    return {
      id: "page-pool-multicast",
      answer: `${bad.length === 0 ? "Yes, under every design tried" : `Not under ${bad.join(", ")}`}. With mainline's design, the pages of ${main?.recycled} of ${main?.packets} packets return to the pool and ${main?.leaked} leak.`,
      claims: [
        designClaim(
          rows,
          "pp-recycle",
          "mainline-safe",
          "With mainline's pp_recycle bit, clones to several sockets neither leak nor corrupt a page.",
        ),
        designClaim(
          rows,
          "after-head-frag",
          "mem-info-safe",
          "With mem_info behind head_frag, clones to several sockets neither leak nor corrupt a page.",
        ),
        {
          id: "recycles",
          claim: "Pages return to the pool although several sockets held them.",
          answer: judge((main?.recycled ?? 0) > 0),
          measured: { recycled: main?.recycled ?? 0, packets: main?.packets ?? 0 },
        },
      ],
      picture: { title: "pages leaked or corrupted", unit: "", bars: poolBars(rows) },
    };
  },
});

const poolTcpKnobs = {
  packets: numberKnob("packets", "", 2000, 10, 20_000),
  frameBytes: numberKnob("length of a frame", "bytes", 1514, 70, 3000),
  ringSize: numberKnob("slots of the receive ring", "", 128, 4, 1024),
  readEvery: numberKnob("segments between two reads", "", 32, 1, 1000),
  ackEvery: numberKnob("segments per acknowledgment", "", 2, 0, 1000),
};

export const poolTcp = withKnobs(poolTcpKnobs, {
  id: "page-pool-tcp",
  seed: "004",
  story:
    "The same hook, the other test: a file copied over TCP. The receive queue coalesces small packets by turning the head of one into a fragment of another, and the information that this page belongs to a pool is lost. The notes give three solutions in order of preference: take the page out of the pool, chain the packets instead, or refuse to coalesce them.",
  question: "What must skb_try_coalesce do with the pages of a pool?",
  run: "2000 segments of bulk TCP in both directions, for six designs: coalescing that knows nothing of pools, the three solutions of the notes, and mainline's.",
  wouldChange: "A receive queue that never coalesces; a driver whose heads are not the pool's.",
  answer(progress, set) {
    const rows = poolRun("page-pool-tcp", set, progress);
    const of = (d: string): DesignResult | undefined => rows.find((r) => r.design === d);
    const safe = rows.filter((r) => r.leaked + r.corrupted + r.dmaFaults === 0).map((r) => r.design);
    const perPacket = (d: string): number => of(d)?.memoryPerPacket ?? 0;
    return {
      id: "page-pool-tcp",
      answer: `Safe: ${safe.join(", ") || "none"}. A queued packet takes ${perPacket("coalesce-refuse")} bytes when coalescing is refused, ${perPacket("coalesce-release")} when the page is released, ${perPacket("pp-recycle")} as mainline does it. When coalesced pages are released, the pages of ${percent((of("coalesce-release")?.recycled ?? 0) / Math.max(1, of("coalesce-release")?.packets ?? 1))} of the packets still return to the pool.`,
      claims: [
        designClaim(
          rows,
          "after-head-frag",
          "unaware-safe",
          "skb_try_coalesce may ignore that the page belongs to a pool.",
        ),
        designClaim(
          rows,
          "coalesce-release",
          "release-safe",
          "Releasing the page from the pool when coalescing is safe.",
        ),
        designClaim(rows, "coalesce-frag-list", "frag-list-safe", "Chaining the packet on frag_list instead is safe."),
        designClaim(rows, "coalesce-refuse", "refuse-safe", "Refusing to coalesce is safe."),
        designClaim(rows, "pp-recycle", "mainline-safe", "Mainline's rule (equal marks coalesce) is safe."),
        {
          id: "release-recycles-less",
          claim: "Releasing pages when coalescing costs the pool most of its recycling.",
          answer: judge((of("coalesce-release")?.recycled ?? 0) < (of("coalesce-refuse")?.recycled ?? 0) / 2),
          measured: {
            recycledReleasing: of("coalesce-release")?.recycled ?? 0,
            recycledRefusing: of("coalesce-refuse")?.recycled ?? 0,
          },
        },
      ],
      picture: { title: "pages leaked or corrupted", unit: "", bars: poolBars(rows) },
    };
  },
});
