// Cases whose engines are scenarios of their own: placement policies, fragment destructors, page pools, and the explorer.
import { lltxTable } from "../../explore/stories/lltx.ts";
import { costDefaults, runFragDestructorCost } from "../frag_destructor_cost.ts";
import type { HighOrderResult, Moment } from "../high_order.ts";
import { highOrderParts } from "../high_order.ts";
import { highOrderKind } from "../high_order_kind.ts";
import { nfsDefaults, runNfsRetransmit } from "../nfs_retransmit.ts";
import { pagePoolKinds } from "../page_pool_kinds.ts";
import type { DesignResult } from "../page_pool_run.ts";
import type { Case, Claim } from "./case.ts";
import { judge, judgeIf, percent } from "./case.ts";

export const antiFragmentation: Case = {
  id: "anti-fragmentation",
  seed: "003",
  question:
    "How much does it help large allocations to split free areas by allocation type, and what would active freeing add?",
  run: "A 1 GB machine thrashed by a compile-like load, then 160 requests of order 10; three policies, with and without active freeing, 3 seeds each (scenarios/high-order-after-thrash.yaml runs 20).",
  wouldChange:
    "A workload whose pinned pages come in bursts, or memory so short that every type falls back into the others' blocks.",
  answer(progress) {
    const settings = highOrderKind.schema.parse({ seeds: 3 });
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
          claim: "Splitting free areas by allocation type lets more order-10 requests succeed after the load has gone.",
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
        title: "order-10 blocks granted, median",
        unit: `of ${requests}`,
        bars: cells.map((c) => ({
          label: `${c.policy}${c.activeFreeing ? " + active freeing" : ""}, at rest`,
          value: c.granted.deleted.estimate,
        })),
      },
    };
  },
};

export const lltx: Case = {
  id: "lltx",
  seed: "003",
  question: "Which locking makes NETIF_F_LLTX safe?",
  run: "Every interleaving of two and three CPUs that transmit on one device, for each locking scheme, in worlds searched to their end.",
  wouldChange:
    "A driver that never stops its queue, or one whose transmit routine takes no lock that its caller may hold.",
  answer(progress) {
    const { rows } = lltxTable({ progress: (scheme, _world, _states, done) => progress(done, scheme) });
    const row = (id: string): (typeof rows)[number] | undefined => rows.find((r) => r.id === id);
    const steps = (shown: { readonly steps: number } | null | undefined): number => shown?.steps ?? 0;
    const safe = rows.filter(
      (r) =>
        r.complete && r.deadlock === null && r.ruleBroken === null && r.lostWakeup === null && r.messageHidden === null,
    );
    const claim = (
      id: string,
      text: string,
      scheme: string,
      column: "race" | "deadlock" | "ruleBroken" | "messageHidden",
    ): Claim => {
      const r = row(scheme);
      return {
        id,
        claim: text,
        answer: r?.[column] != null ? "yes" : judgeIf(r?.complete === true, false),
        measured: {
          shortestScheduleSteps: steps(r?.[column]),
          schedule: r?.[column]?.schedule ?? "none",
          states: r?.states ?? 0,
        },
      };
    };
    return {
      id: "lltx",
      answer: `Without deadlock, broken rule, lost wakeup or hidden error: ${safe.map((r) => r.id).join(", ")}. The original scheme races after ${steps(row("original")?.race)} steps; the lock with interrupts off deadlocks after ${steps(row("irq-xmit-lock")?.deadlock)}.`,
      claims: [
        claim(
          "original-races",
          "With the original LLTX a transmit can arrive while the queue is stopped.",
          "original",
          "race",
        ),
        claim(
          "irq-lock-deadlocks",
          "xmit_lock with interrupts off can deadlock with a driver that takes its lock again.",
          "irq-xmit-lock",
          "deadlock",
        ),
        claim(
          "irq-lock-kfree",
          "dev_kfree_skb is called where it is not allowed under xmit_lock with interrupts off.",
          "irq-xmit-lock",
          "ruleBroken",
        ),
        claim("silencing-hides", "Just silencing the message hides a real error.", "silenced", "messageHidden"),
        claim("final-hides", "The final scheme hides a real error too.", "final", "messageHidden"),
        claim("final-deadlocks", "The final scheme can deadlock.", "final", "deadlock"),
      ],
      picture: {
        title: "states searched",
        unit: "",
        bars: rows.map((r) => ({ label: r.id, value: r.states })),
      },
    };
  },
};

export const fragDestructors: Case = {
  id: "frag-destructors",
  seed: "002",
  question: "What does one pointer for each fragment cost, and which of the designs is cheapest?",
  run: "Structs of 3.2 on amd64 laid out under each design; heads allocated with that release's slab, 1000 packets alive and 4000 asked for under pressure.",
  wouldChange:
    "A mix of frames whose heads lie in other buckets; a 32-bit machine, where the pointer takes half as much.",
  answer(progress) {
    progress(0, "structs and heads");
    const { designs } = runFragDestructorCost(costDefaults);
    const of = (name: string): (typeof designs)[number] | undefined => designs.find((d) => d.design === name);
    const none = of("none");
    const plain = of("plain-pointer");
    const perFrag = designs.filter((d) => d.design !== "none" && d.design !== "ubuf-per-skb");
    const cheapest = perFrag.reduce((a, b) => (b.memoryPerPacket < a.memoryPerPacket ? b : a));
    const worst = perFrag.reduce((a, b) => (b.memoryPerPacket > a.memoryPerPacket ? b : a));
    return {
      id: "frag-destructors",
      answer:
        `A pointer grows a fragment from ${none?.layout.fragBytes} to ${plain?.layout.fragBytes} bytes and the shared info from ${none?.layout.sharedInfoBytes} to ` +
        `${plain?.layout.sharedInfoBytes}; in the 512-byte bucket ${plain?.room.left} of ${none?.room.left} bytes are left. Cheapest in memory: ${cheapest.design} (${cheapest.memoryPerPacket.toFixed(0)} bytes a packet); dearest: ${worst.design} (${worst.memoryPerPacket.toFixed(0)}).`,
      claims: [
        {
          id: "shared-info-grows",
          claim: "One pointer a fragment makes skb_shared_info grow from 344 to 488 bytes on amd64.",
          answer: judge(none?.layout.sharedInfoBytes === 344 && plain?.layout.sharedInfoBytes === 488),
          measured: { before: none?.layout.sharedInfoBytes ?? 0, after: plain?.layout.sharedInfoBytes ?? 0 },
        },
        {
          id: "room-left",
          claim:
            "A small packet's headers still fit the 512-byte bucket with a pointer a fragment (24 bytes are enough).",
          answer: judge((plain?.room.left ?? 0) >= 14 + 40),
          measured: { left: plain?.room.left ?? 0, leftBefore: none?.room.left ?? 0, ethernetIpTcp: 54 },
        },
        {
          id: "some-design-is-free",
          claim: "There is a design for each fragment that costs no more memory a packet than having none.",
          answer: judge(cheapest.memoryPerPacket <= (none?.memoryPerPacket ?? 0)),
          measured: {
            cheapestBytes: cheapest.memoryPerPacket,
            noneBytes: none?.memoryPerPacket ?? 0,
            design: cheapest.design,
          },
        },
      ],
      picture: {
        title: "memory a packet over the mix of frames",
        unit: "bytes",
        bars: designs.map((d) => ({ label: d.design, value: Math.round(d.memoryPerPacket) })),
      },
    };
  },
};

export const nfsRetransmit: Case = {
  id: "nfs-retransmit",
  seed: "002",
  question:
    "Does an RPC client that reuses its pages while a retransmission holds them corrupt files, and do destructors stop it?",
  run: "An RPC client over a lossy link, 5 loss rates, 20 seeds each, under four designs; every page carries a tag that is read when its frame leaves.",
  wouldChange:
    "A client that copies its pages, or a link that loses nothing and never delays a reply beyond the RPC timeout.",
  answer(progress) {
    const designs = nfsDefaults.designs.map((design, i) => {
      progress(i / nfsDefaults.designs.length, design);
      return runNfsRetransmit({ ...nfsDefaults, designs: [design] }).designs[0];
    });
    const sum = (
      name: string,
      pick: "filesCorrupted" | "framesCorrupted" | "calls" | "callsSentAgain",
      lossy?: boolean,
    ): number =>
      designs
        .find((d) => d?.design === name)
        ?.runs.filter((r) => lossy === undefined || r.lossRate > 0 === lossy)
        .reduce((n, r) => n + r[pick], 0) ?? 0;
    const guarded = nfsDefaults.designs.filter((d) => d !== "none");
    const guardedCorrupted = guarded.reduce((n, d) => n + sum(d, "filesCorrupted") + sum(d, "framesCorrupted"), 0);
    return {
      id: "nfs-retransmit",
      answer: `Without destructors ${sum("none", "framesCorrupted")} frames leave with other data and ${sum("none", "filesCorrupted")} of ${sum("none", "calls")} calls end in a corrupted file; with any of the designs ${guardedCorrupted}.`,
      claims: [
        {
          id: "corrupts",
          claim: "Without a destructor, files on the server are corrupted when frames are lost.",
          answer: judge(sum("none", "filesCorrupted", true) > 0),
          measured: {
            files: sum("none", "filesCorrupted", true),
            calls: sum("none", "calls", true),
            sentAgain: sum("none", "callsSentAgain", true),
          },
        },
        {
          id: "needs-loss",
          claim: "It happens on a link that loses nothing as well.",
          answer: judge(sum("none", "framesCorrupted", false) > 0),
          measured: {
            framesCorrupted: sum("none", "framesCorrupted", false),
            callsSentAgain: sum("none", "callsSentAgain", false),
          },
        },
        {
          id: "destructors-stop-it",
          claim: "Every design of destructors stops it.",
          answer: judgeIf(sum("none", "framesCorrupted") > 0, guardedCorrupted === 0),
          measured: Object.fromEntries(guarded.map((d) => [d, sum(d, "filesCorrupted")])),
        },
      ],
      picture: {
        title: "corrupted files",
        unit: "",
        bars: nfsDefaults.designs.map((d) => ({ label: d, value: sum(d, "filesCorrupted") })),
      },
    };
  },
};

/** Runs a page pool procedure under every design. */
function poolRun(kind: string): readonly DesignResult[] {
  const found = pagePoolKinds.find((k) => k.kind === kind);
  return (found?.run(found.schema.parse({})) ?? []) as readonly DesignResult[];
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

export const poolMulticast: Case = {
  id: "page-pool-multicast",
  seed: "004",
  question: "Do pages of a pool survive clones to several sockets?",
  run: "2000 datagrams to four sockets of different speed under six designs of the return hook, with every page accounted for at the end.",
  wouldChange: "A path that copies the mark to memory that is not the pool's, as skb_copy did in the first branches.",
  answer(progress) {
    progress(0, "multicast under six designs");
    const rows = poolRun("page-pool-multicast");
    const bad = rows.filter((r) => r.leaked + r.corrupted > 0).map((r) => r.design);
    const main = rows.find((r) => r.design === "pp-recycle");
    return {
      id: "page-pool-multicast",
      answer: `${bad.length === 0 ? "Yes, under every design tried" : `Not under ${bad.join(", ")}`}. As mainline does it ${main?.recycled} of ${main?.packets} packets' pages come home to the pool and ${main?.leaked} leak.`,
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
          claim: "Pages come home to the pool although several sockets held them.",
          answer: judge((main?.recycled ?? 0) > 0),
          measured: { recycled: main?.recycled ?? 0, packets: main?.packets ?? 0 },
        },
      ],
      picture: { title: "pages leaked or corrupted", unit: "", bars: poolBars(rows) },
    };
  },
};

export const poolTcp: Case = {
  id: "page-pool-tcp",
  seed: "004",
  question: "What must skb_try_coalesce do with the pages of a pool?",
  run: "2000 segments of bulk TCP both ways under six designs: knowing nothing, the three solutions of the notes, and mainline's.",
  wouldChange: "A receive queue that never coalesces; a driver whose heads are not the pool's.",
  answer(progress) {
    progress(0, "bulk TCP under six designs");
    const rows = poolRun("page-pool-tcp");
    const of = (d: string): DesignResult | undefined => rows.find((r) => r.design === d);
    const safe = rows.filter((r) => r.leaked + r.corrupted + r.dmaFaults === 0).map((r) => r.design);
    const perPacket = (d: string): number => of(d)?.memoryPerPacket ?? 0;
    return {
      id: "page-pool-tcp",
      answer: `Safe are ${safe.join(", ") || "none"}. Refusing keeps ${perPacket("coalesce-refuse")} bytes a queued packet, releasing ${perPacket("coalesce-release")}, mainline ${perPacket("pp-recycle")}; ${percent((of("coalesce-release")?.recycled ?? 0) / Math.max(1, of("coalesce-release")?.packets ?? 1))} of the packets still come home when coalesced pages are released.`,
      claims: [
        designClaim(rows, "after-head-frag", "unaware-safe", "skb_try_coalesce may ignore that the page is a pool's."),
        designClaim(
          rows,
          "coalesce-release",
          "release-safe",
          "Releasing the page from the pool when coalescing is safe.",
        ),
        designClaim(rows, "coalesce-frag-list", "frag-list-safe", "Hanging the packet on frag_list instead is safe."),
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
};
