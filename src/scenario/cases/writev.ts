// The other side of seed 000: the board that sends by writev, and the two crashes of its log. Each suspected cause runs on the board (board.ts);
// whether it gives a trace is decided by comparing what the model's kernel then printed with what the trace says, field by field.
import { mean } from "../../analysis/statistics.ts";
import type { BadPageSeen } from "../../model/mm/struct_page.ts";
import type { BoardOutcome, Cause, OopsSeen } from "./board.ts";
import { runBoard } from "./board.ts";
import type { Claim } from "./case.ts";
import { judge, judgeIf, withKnobs } from "./case.ts";
import { badPageText, oopsText } from "./kernel_words.ts";
import { numberKnob } from "./knobs.ts";

/** What the first trace says of its page: flags 00044000, count 0, mapcount 0, and who was freeing. */
const firstTrace = {
  flags: 0x44000,
  count: 0,
  mapcount: 0,
  path: "__free_pages_ok < put_compound_page < kfree < skb_release_data < __kfree_skb < tcp_ack",
  /** pfn 080db: the last page of four. */
  pageInBlock: 0x080db & 3,
};
/** The second: DEAR 0004009c, NIP kfree_skb, LR emac_poll_tx. */
const secondTrace = { address: 0x0004009c, path: "kfree_skb < emac_poll_tx" };

/** The very report of the thread, field by field. */
export const isFirstTrace = (s: BadPageSeen): boolean =>
  s.flags === firstTrace.flags &&
  s.count === firstTrace.count &&
  s.mapcount === firstTrace.mapcount &&
  s.path.startsWith(firstTrace.path);
export const isSecondTrace = (o: OopsSeen): boolean =>
  o.address === secondTrace.address && o.path.startsWith(secondTrace.path);

interface Suspect {
  readonly cause: Cause;
  readonly id: string;
  readonly claim: string;
}

/** In the order in which the thread and its readers would ask. */
const suspects: readonly Suspect[] = [
  {
    cause: "fragmentation",
    id: "fragmentation",
    claim: "Fragmented memory, with every fifth block refused as well, gives one of the two traces.",
  },
  {
    cause: "packet freed twice",
    id: "packet-freed-twice",
    claim: "emac_poll_tx freeing a sent packet twice while TCP still holds it gives one of the two traces.",
  },
  {
    cause: "no lock around the ring",
    id: "no-lock",
    claim: "emac_poll_tx running while hard_start_xmit fills the ring gives one of the two traces.",
  },
  {
    cause: "receive buffers reused",
    id: "receive-buffers-reused",
    claim: "Receive buffers that are handed up and kept give one of the two traces on a board that only sends.",
  },
  {
    cause: "buffer freed twice",
    id: "buffer-freed-twice",
    claim: "A DMA buffer that the board's module frees twice gives one of the two traces.",
  },
  {
    cause: "last page freed apart",
    id: "overlapping-free",
    claim: "A DMA buffer freed as a block after its last page was freed by itself gives the first trace.",
  },
  {
    cause: "stray word in a struct page",
    id: "stray-word-page",
    claim: "The word 00040000 written over a struct page gives the first trace.",
  },
  {
    cause: "stray bit in a struct page",
    id: "stray-bit-page",
    claim: "Bit 18 set in a struct page that is not the writer's gives the first trace.",
  },
  {
    cause: "stray word in tx_skb",
    id: "stray-word-ring",
    claim: "The word 00040000 written over tx_skb[] gives the second trace.",
  },
  {
    cause: "stray bit in tx_skb",
    id: "stray-bit-ring",
    claim: "Bit 18 set in tx_skb[] by somebody else gives the second trace.",
  },
  {
    cause: "overrun into the driver",
    id: "overrun",
    claim: "A DMA transfer that runs over the driver's fields and tx_skb[] gives the second trace.",
  },
];

/** What a cause did, over its seeds. */
interface Seen {
  readonly runs: readonly BoardOutcome[];
  readonly first: number;
  readonly second: number;
}
const seenOf = (runs: readonly BoardOutcome[]): Seen => ({
  runs,
  first: runs.filter((r) => r.badPages.some(isFirstTrace)).length,
  second: runs.filter((r) => r.oopses.some(isSecondTrace)).length,
});
const total = (s: Seen, pick: (r: BoardOutcome) => number): number => s.runs.reduce((n, r) => n + pick(r), 0);

/** The commonest thing that the kernel said and neither trace says. */
function otherwise(s: Seen): string {
  const counts = new Map<string, number>();
  const add = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
  for (const r of s.runs) {
    for (const b of r.badPages)
      if (!isFirstTrace(b))
        add(
          `Bad page flags ${b.flags.toString(16)} count ${b.count} in ${b.path.split(" < ").slice(0, 3).join(" < ")}`,
        );
    for (const o of r.oopses)
      if (!isSecondTrace(o))
        add(`${o.text.replace("Unable to handle kernel paging request for data", "fault")} in ${o.path}`);
    if (r.lostTrack !== undefined) add(r.lostTrack);
  }
  const [top] = [...counts].sort((a, b) => b[1] - a[1]);
  return top === undefined ? "nothing" : top[0];
}

function claimOf(suspect: Suspect, s: Seen): Claim {
  return {
    id: suspect.id,
    claim: suspect.claim,
    answer: judge(s.first + s.second > 0),
    measured: {
      runs: s.runs.length,
      runsWithTheFirstTrace: s.first,
      runsWithTheSecondTrace: s.second,
      badPages: total(s, (r) => r.badPages.length),
      oopses: total(s, (r) => r.oopses.length),
      otherwiseMost: otherwise(s),
      objectsFreedTwice: total(s, (r) => r.objectsFreedTwice),
      failedRequests: total(s, (r) => r.noMemory),
      sentMb: Math.round(total(s, (r) => r.sentMb)),
    },
  };
}

const mtus = [1500, 4000, 9000] as const;

const knobs = {
  seeds: numberKnob("runs of each cause", "", 3, 1, 10),
  millis: numberKnob("simulated time of a run", "ms", 250, 50, 2000),
};

export const emacWritev = withKnobs(knobs, {
  id: "emac-writev",
  seed: "000",
  story:
    "Seven boards collect lines of data by DMA and send them with writev in 9000-byte frames. Now and then one prints `Bad page state` for a page that tcp_ack frees, and goes on; more rarely, one dies in kfree_skb, called by emac_poll_tx with the pointer 00040000. Their engineer asks whether this is the fragmentation that affects a receiving board, and whether an MTU of 1500 avoids it. The reply: it is another problem, but yes, it would.",
  question:
    "Which bug explains the two crashes of the sending board, is it fragmentation, and does MTU 1500 avoid them?",
  run: "ibm_emac of 2.6.29 on a 405EX without TAH, a TCP whose writev copies a header and two DMA buffers into linear heads, connection after connection; each suspected bug is carried out for real, and struct page is checked where that kernel checks it.",
  wouldChange:
    "A trace with more of its fields (the neighbors of the page, tx_skb[] around the slot), or the source of the board's modules ds3b2, ds3b3 and dma.",
  answer(progress, set) {
    const seeds = Array.from({ length: set.seeds }, (_, i) => i + 1);
    const steps = 1 + suspects.length + 3 * (mtus.length - 1);
    let step = 0;
    const runs = (cause: Cause, mtu = 9000): Seen => {
      progress(step++ / steps, mtu === 9000 ? cause : `${cause}, MTU ${mtu}`);
      return seenOf(seeds.map((seed) => runBoard({ cause, mtu, seed, millis: set.millis })));
    };
    const healthy = runs("nothing");
    const seen = suspects.map((suspect) => ({ suspect, s: runs(suspect.cause) }));
    const of = (cause: Cause): Seen => seen.find((x) => x.suspect.cause === cause)?.s ?? seenOf([]);
    const apart = mtus.map((mtu) => (mtu === 9000 ? of("last page freed apart") : runs("last page freed apart", mtu)));
    const bit = mtus.map((mtu) => (mtu === 9000 ? of("stray bit in tx_skb") : runs("stray bit in tx_skb", mtu)));
    const short = mtus.map((mtu) => (mtu === 9000 ? of("fragmentation") : runs("fragmentation", mtu)));
    const fitting = (n: "first" | "second"): string =>
      seen
        .filter((x) => x.s[n] > 0)
        .map((x) => x.suspect.cause)
        .join(", ") || "none";
    const pages = apart[2]?.runs.flatMap((r) => r.badPages.filter(isFirstTrace)) ?? [];
    const both = of("stray bit in a struct page").first > 0 && of("stray bit in tx_skb").second > 0;
    const small = apart[0] as Seen;
    const damage = (s: Seen | undefined): number =>
      s === undefined ? 0 : total(s, (r) => r.badPages.length + r.oopses.length);
    const fragments = of("fragmentation");
    const firstLog = of("last page freed apart").runs.flatMap((r) => r.badPages.filter(isFirstTrace))[0];
    const secondLog = of("stray bit in tx_skb").runs.flatMap((r) => r.oopses.filter(isSecondTrace))[0];
    return {
      id: "emac-writev",
      answer:
        `${damage(fragments) > 0 ? "Fragmentation may be the cause" : `It is not fragmentation: ${total(fragments, (r) => r.noMemory)} allocations for packets fail, but no page goes bad and nothing oopses`}. ` +
        `The first trace comes from: ${fitting("first")}; the second from: ${fitting("second")}. ` +
        `${both ? "One cause gives both: bit 18 set in words that are not the writer's own" : "No single cause gives both"}. ` +
        `MTU 1500 ${damage(small) > 0 ? "does not avoid it" : "avoids it"}: the overlapping free then prints ${damage(small)} reports (MTU 9000: ${damage(apart[2])}), ${small.first === 0 ? "none of them" : "some of them"} the first trace.`,
      claims: [
        {
          id: "healthy",
          claim: "A board without a bug prints nothing.",
          answer: judge(damage(healthy) === 0),
          measured: {
            sentMb: Math.round(total(healthy, (r) => r.sentMb)),
            connections: total(healthy, (r) => r.connections),
            writevCalls: total(healthy, (r) => r.writevCalls),
            orderOfAHead: healthy.runs[0]?.headOrder ?? -1,
            badPages: total(healthy, (r) => r.badPages.length),
          },
        },
        ...seen.map((x) => claimOf(x.suspect, x.s)),
        {
          id: "last-of-four",
          claim: "The page of the first trace is the last of its block of four, as pfn 080db is.",
          answer: judgeIf(
            pages.length > 0,
            pages.every((p) => (p.pfn & 3) === firstTrace.pageInBlock),
          ),
          measured: {
            reports: pages.length,
            lastOfFour: pages.filter((p) => (p.pfn & 3) === firstTrace.pageInBlock).length,
          },
        },
        {
          id: "goes-on",
          claim: "After the first trace the board goes on, as the seven did: only the block is lost.",
          answer: judgeIf(
            of("last page freed apart").first > 0,
            total(of("last page freed apart"), (r) => r.oopses.length) === 0 &&
              total(of("last page freed apart"), (r) => r.sentMb) > 0.9 * total(healthy, (r) => r.sentMb),
          ),
          measured: {
            sentMb: Math.round(total(of("last page freed apart"), (r) => r.sentMb)),
            sentMbWithoutTheMistake: Math.round(total(healthy, (r) => r.sentMb)),
            oopses: total(of("last page freed apart"), (r) => r.oopses.length),
          },
        },
        {
          id: "one-cause",
          claim: "One cause gives both traces: a stray bit 18, in a struct page or in tx_skb[].",
          answer: judge(both),
          measured: {
            runsWithTheFirstTrace: of("stray bit in a struct page").first,
            runsWithTheSecondTrace: of("stray bit in tx_skb").second,
            wordInsteadOfBitFirst: of("stray word in a struct page").first,
            wordInsteadOfBitSecond: of("stray word in tx_skb").second,
          },
        },
        {
          id: "mtu-1500-avoids-failures",
          claim: "At MTU 1500 requests for packets no longer fail on the same fragmented memory.",
          answer: judge(
            short[0] !== undefined && total(short[0], (r) => r.noMemory) < total(fragments, (r) => r.noMemory) / 10,
          ),
          measured: Object.fromEntries(
            mtus.map((m, i) => [`failedRequests${m}`, total(short[i] as Seen, (r) => r.noMemory)]),
          ),
        },
        {
          id: "mtu-1500-avoids-trace",
          claim: "At MTU 1500 the first trace is no longer printed.",
          answer: judge(small.first === 0),
          measured: Object.fromEntries(mtus.map((m, i) => [`runsWithTheFirstTrace${m}`, (apart[i] as Seen).first])),
        },
        {
          id: "mtu-1500-avoids-damage",
          claim: "At MTU 1500 neither an overlapping free nor a stray bit does damage any more.",
          answer: judge(damage(small) + damage(bit[0]) === 0),
          measured: {
            ...Object.fromEntries(mtus.map((m, i) => [`reports${m}`, damage(apart[i])])),
            mostOfThemAtMtu1500: otherwise(small),
            ...Object.fromEntries(mtus.map((m, i) => [`oopsesOfTheStrayBit${m}`, damage(bit[i])])),
          },
        },
        {
          id: "pointer-needs-split-frames",
          claim:
            "A stray bit in tx_skb[] gives the bare pointer 00040000 only with frames of several descriptors, whose first slots are NULL in flight.",
          answer: judgeIf((bit[2]?.second ?? 0) > 0, (bit[0]?.second ?? 0) + (bit[1]?.second ?? 0) === 0),
          measured: Object.fromEntries(mtus.map((m, i) => [`runsWithTheSecondTrace${m}`, (bit[i] as Seen).second])),
        },
      ],
      picture: {
        title: "share of runs with one of the two traces",
        unit: "%",
        bars: seen.map((x) => ({
          label: x.suspect.cause,
          value: Math.round(
            100 * mean(x.s.runs.map((r) => (r.badPages.some(isFirstTrace) || r.oopses.some(isSecondTrace) ? 1 : 0))),
          ),
        })),
      },
      ...(firstLog === undefined && secondLog === undefined
        ? {}
        : {
            log: [
              firstLog === undefined ? "" : badPageText(firstLog),
              secondLog === undefined ? "" : oopsText(secondLog),
            ]
              .filter((t) => t !== "")
              .join("\n\n"),
          }),
    };
  },
});
