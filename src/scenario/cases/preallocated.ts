// The case of the 256 preallocated buffers on the EMAC: handed to the stack and put into the ring again as if they were still the driver's;
// beside it the ways in which a driver may keep its buffers. The kernel's own words come from struct page as 2.6.29 looks at it.
import { ModelBug } from "../../base/assert.ts";
import { parseRelease } from "../../kernel/release.ts";
import type { DesignResult } from "../../lab/page_pool_run.ts";
import type { Machine } from "../../model/machine.ts";
import { createMachine } from "../../model/machine.ts";
import type { BadPageSeen } from "../../model/mm/struct_page.ts";
import { createLink, frameField, frameKind } from "../../model/net/path/wire.ts";
import { trusting } from "../../model/trusting.ts";
import { pagePoolKinds } from "../page_pool_kinds.ts";
import type { OopsSeen } from "./board.ts";
import { kfreeBug } from "./board.ts";
import { judge, judgeIf, withKnobs } from "./case.ts";
import { badPageText, oopsText } from "./kernel_words.ts";
import { numberKnob } from "./knobs.ts";

/** What the driver does with its buffers: as ibm_emac does it, or kept in one of three ways. */
type Use = "fresh" | "hand-up" | "copy" | "destructor";

interface Outcome {
  readonly received: number;
  readonly dropped: number;
  /** Buffers that went up although the stack had freed them. */
  readonly reused: number;
  readonly badPages: readonly BadPageSeen[];
  readonly oopses: readonly OopsSeen[];
  readonly lostTrack: string | undefined;
  /** Frames that had gone up at the first reuse, and at the first word of the kernel; -1 when there was none. */
  readonly framesAtReuse: number;
  readonly framesAtWord: number;
  readonly microsAtWord: number;
  /** Rows of packets and destructors that are left when everything was read and the card is down; -1 when the kernel stopped before. */
  readonly left: number;
}

interface Settings {
  readonly use: Use;
  readonly frames: number;
  readonly pool: number;
  /** Packets that wait in the socket before the application reads one. */
  readonly slowest: number;
  /** What other users of memory ask for meanwhile: single pages, or blocks as large as the buffers. */
  readonly others: "nobody" | "pages" | "blocks";
}

const release = parseRelease("2.6.29-ppc32");
const payloadBytes = 8900;
const gapNanos = 100_000;

/** Frames of MTU 9000 into an EMAC until all have come or the kernel stops. */
export function receiveKept(s: Settings): Outcome {
  const badPages: BadPageSeen[] = [];
  const oopses: OopsSeen[] = [];
  let received = 0;
  let framesAtReuse = -1;
  let framesAtWord = -1;
  let microsAtWord = -1;
  const trust = trusting({
    release,
    onBadPage(seen) {
      badPages.push(seen);
      word();
    },
    onBug(where, address) {
      const { journal, clock } = machine;
      const path = `${where} < ${journal.text(journal.caller)}`;
      oopses.push({ address, text: kfreeBug, path, nanos: clock.now() });
      word();
      clock.stop();
    },
  });
  const word = (): void => {
    if (framesAtWord >= 0) return;
    framesAtWord = received;
    microsAtWord = Math.round(machine.clock.now() / 1000);
  };
  const machine: Machine = createMachine({
    release,
    memoryMb: 128,
    seed: 1,
    failing: trust,
    nics: [
      {
        driver: "ibm_emac",
        mtu: 9000,
        settings: { tah: false, ...(s.use === "fresh" ? {} : { pool: s.pool, pool_use: s.use }) },
      },
    ],
  });
  const pages = trust.attach(machine);
  const { clock, cpus, frames, journal, skbs } = machine;
  const device = machine.devices[0] as Machine["devices"][0];
  const counters = device.driver.counters;
  const reading = journal.textId("skb_release_data < __kfree_skb < skb_free_datagram < udp_recvmsg < sys_recvfrom");
  const writing = journal.textId("writer_release < sys_write");
  const queue: number[] = [];
  const read = (): void => {
    const { caller } = journal;
    journal.caller = reading;
    skbs.consumeSkb(queue.shift() as number);
    journal.caller = caller;
  };
  machine.receive.protocol(frameKind.udp, (skb) => {
    received++;
    if (framesAtReuse < 0 && (counters["pool_reused"] ?? 0) > 0) framesAtReuse = received;
    queue.push(skb);
    if (queue.length > s.slowest) read();
  });
  const link = createLink(
    clock,
    frames,
    { bitsPerSecond: 1e9, delayNanos: 1000, loss: 0 },
    machine.random.fork("wire"),
    (f) => device.driver.frameArrived(f),
  );
  const send = clock.handler((i) => {
    const f = frames.take();
    frames.W[f + frameField.LEN] = payloadBytes;
    frames.W[f + frameField.KIND] = frameKind.udp;
    frames.W[f + frameField.SEQ] = i;
    link.send(f);
    if (i + 1 < s.frames) clock.after(gapNanos, send, i + 1);
  });
  const random = machine.random.fork("others");
  const single: number[] = [];
  const blocks: number[] = [];
  const { kernel } = skbs.config.gfp;
  const othersWork = cpus.register(() => {
    if (clock.now() > s.frames * gapNanos) return;
    journal.caller = writing;
    if (s.others === "blocks") {
      // Their number grows to some 300, and then they come and go.
      for (let i = 0; i < 4; i++)
        if (random.below(300) >= blocks.length) blocks.push(machine.heap.kmalloc(9500, kernel));
        else machine.heap.kfree(blocks.splice(random.below(blocks.length), 1)[0] as number);
    } else {
      for (let i = random.below(24); i > 0; i--) single.push(pages.allocPages(kernel, 0));
      for (let i = random.below(24); i > 0 && single.length > 0; i--)
        pages.freePages(single.splice(random.below(single.length), 1)[0] as number, 0);
    }
    cpus.work(0, 200_000, othersWork);
  }, "writer");

  let left = -1;
  let lostTrack: string | undefined;
  try {
    if (!machine.up(device)) lostTrack = "the ring could not be filled";
    else {
      clock.after(0, send, 0);
      if (s.others !== "nobody") cpus.work(0, 0, othersWork);
      const end = clock.run(s.frames * gapNanos + 1e8, 4e6);
      if (end !== "stopped") {
        while (queue.length > 0) read();
        machine.down(device);
        left = skbs.columns.skbsLive() + skbs.fragDestructors.live();
      }
    }
  } catch (error) {
    if (!(error instanceof ModelBug)) throw error;
    lostTrack = error.message;
  }
  return {
    received,
    dropped: device.stats.rxDropped + device.stats.rxMissed,
    reused: counters["pool_reused"] ?? 0,
    badPages,
    oopses,
    lostTrack,
    framesAtReuse,
    framesAtWord,
    microsAtWord,
    left,
  };
}

const words = (o: Outcome): number => o.badPages.length + o.oopses.length + (o.lostTrack === undefined ? 0 : 1);
const safe = (o: Outcome): boolean => words(o) === 0 && o.reused === 0 && o.left === 0 && o.received > 0;
const measuredOf = (o: Outcome): Record<string, number> => ({
  received: o.received,
  dropped: o.dropped,
  buffersReusedAfterTheirFree: o.reused,
  badPages: o.badPages.length,
  oopses: o.oopses.length,
  packetsLeft: o.left,
});
/** The kernel's first words of a run, as it prints them; a report of each kind. */
function logOf(o: Outcome): string {
  const [bad] = o.badPages;
  const [oops] = o.oopses;
  const texts = [
    ...(bad === undefined ? [] : [{ at: bad.nanos, text: badPageText(bad) }]),
    ...(oops === undefined ? [] : [{ at: oops.nanos, text: oopsText(oops) }]),
  ];
  return texts
    .sort((a, b) => a.at - b.at)
    .map((t) => t.text)
    .join("\n\n");
}
const firstWords = (o: Outcome): string =>
  logOf(o)
    .split("\n")
    .find((l) => l.startsWith("BUG:") || l.startsWith("kernel BUG")) ?? "nothing";

const knobs = {
  pool: numberKnob("buffers that the driver keeps", "", 256, 128, 512),
  frames: numberKnob("arriving frames", "", 1000, 200, 5000),
  late: numberKnob("packets that wait before the slow application reads one", "", 64, 1, 200),
};

export const emacPreallocated = withKnobs(knobs, {
  id: "emac-preallocated",
  seed: "000",
  story:
    "To avoid order-2 allocations while packets arrive, an engineer allocates 256 such buffers once and lets the driver replace each buffer that it hands up by one of them. The stack frees what it is given; when the driver uses the buffer again, the kernel panics. He gives up the idea and lowers the MTU.",
  question: "Can a driver keep 256 preallocated buffers of four pages, hand them to the stack and reuse them?",
  run: "ibm_emac of 2.6.29, MTU 9000, a ring of 128 and a pool of 256 buffers, 1000 frames while other code uses memory: buffers handed up and reused, read at once or late. For comparison: fresh buffers as the driver allocates them, a copy into single pages, a fragment with a destructor, and a page pool.",
  wouldChange:
    "A stack that gives the buffer back to the driver instead of freeing it: a page pool, a destructor for the fragment, or a copy.",
  answer(progress, set) {
    const base = { frames: set.frames, pool: set.pool, slowest: 0, others: "pages" as const };
    let step = 0;
    const run = (what: string, s: Partial<Settings> & { use: Use }): Outcome => {
      progress(step++ / 8, what);
      return receiveKept({ ...base, ...s });
    };
    const kept = run("kept buffers, read at once", { use: "hand-up" });
    const late = run("kept buffers, read late", { use: "hand-up", slowest: set.late });
    const alone = run("kept buffers, nobody else", { use: "hand-up", others: "nobody" });
    const innocent = run("kept buffers, others take blocks", { use: "hand-up", others: "blocks" });
    const fresh = run("fresh buffers", { use: "fresh", slowest: set.late });
    const copy = run("a copy", { use: "copy", slowest: set.late });
    const destructor = run("a destructor", { use: "destructor", slowest: set.late });
    progress(7 / 8, "a page pool");
    const kind = pagePoolKinds.find((k) => k.kind === "page-pool-multicast");
    const pools = kind?.run(kind.schema.parse({ designs: ["pp-recycle"] })) as readonly DesignResult[] | undefined;
    const pool = pools?.[0];
    const reuseSafe = [kept, late, alone, innocent].every(safe);
    const reached = [kept, late, alone, innocent].some((o) => o.reused > 0);
    const poolFaults = (pool?.leaked ?? 0) + (pool?.corrupted ?? 0);
    return {
      id: "emac-preallocated",
      answer: reuseSafe
        ? reached
          ? "Yes: buffers were reused, and the kernel printed nothing."
          : `Not shown: ${set.frames} frames do not use each of the ${set.pool} buffers once, and a test that short finds nothing.`
        : `No: the first ${set.pool} frames go well; frame ${kept.framesAtReuse} arrives in a buffer that the stack has freed. After ${kept.framesAtWord} frames (${kept.microsAtWord} µs) the kernel prints "${firstWords(kept)}"; when packets are read late, after ${late.framesAtWord} frames: "${firstWords(late)}". ` +
          `Fresh buffers, a copy and a destructor: ${words(fresh) + words(copy) + words(destructor)} such messages.`,
      claims: [
        {
          id: "reuse-safe",
          claim: "Buffers that were handed to the stack may be put back into the ring as they are.",
          answer: judgeIf(reached || !reuseSafe, reuseSafe),
          measured: {
            ...measuredOf(kept),
            firstWords: firstWords(kept),
            firstWordsWhenReadLate: firstWords(late),
            firstWordsWithNobodyElse: firstWords(alone),
            firstWordsWhenOthersTakeBlocks: firstWords(innocent),
          },
        },
        {
          id: "first-lap-fine",
          claim: "Nothing goes wrong until each buffer has been used once: a short test passes.",
          answer: judgeIf(
            kept.framesAtReuse > 0,
            kept.framesAtReuse > set.pool - 128 && kept.framesAtWord >= kept.framesAtReuse - 1,
          ),
          measured: {
            framesAtTheFirstReuse: kept.framesAtReuse,
            framesAtTheFirstWord: kept.framesAtWord,
            pool: set.pool,
          },
        },
        {
          id: "innocent",
          claim: "When other code uses blocks of that size, the kernel crashes there and not in packet code.",
          answer: judgeIf(
            innocent.oopses.length > 0,
            innocent.oopses.every((o) => o.path.includes("writer_release")),
          ),
          measured: { ...measuredOf(innocent), stopsIn: innocent.oopses[0]?.path ?? "nothing" },
        },
        {
          id: "fresh-safe",
          claim: "With a fresh buffer for each one handed up, no buffer has two owners.",
          answer: judge(safe(fresh)),
          measured: measuredOf(fresh),
        },
        {
          id: "copy-safe",
          claim: "The driver may keep its buffers when it copies each frame into single pages.",
          answer: judge(safe(copy)),
          measured: measuredOf(copy),
        },
        {
          id: "destructor-safe",
          claim:
            "The driver may lend its buffers when a destructor of the fragment tells it that the stack has finished.",
          answer: judge(safe(destructor)),
          measured: measuredOf(destructor),
        },
        {
          id: "pool-safe",
          claim: "Buffers may be reused when the stack returns them to a page pool.",
          answer: judgeIf(pool !== undefined, poolFaults === 0 && (pool?.recycled ?? 0) > 0),
          measured: { recycled: pool?.recycled ?? 0, leaked: pool?.leaked ?? 0, corrupted: pool?.corrupted ?? 0 },
        },
      ],
      picture: {
        title: `frames received before the kernel's first message, of ${set.frames}`,
        unit: "",
        bars: [
          ["kept, read at once", kept] as const,
          ["kept, read late", late] as const,
          ["kept, nobody else", alone] as const,
          ["kept, others take blocks", innocent] as const,
          ["fresh buffers", fresh] as const,
          ["copy", copy] as const,
          ["destructor", destructor] as const,
        ].map(([label, o]) => ({ label, value: o.framesAtWord < 0 ? o.received : o.framesAtWord })),
      },
      ...(reuseSafe ? {} : { log: [kept, innocent].map(logOf).join("\n\n") }),
    };
  },
});
