// Reports of memory with two owners: the mistake that fits them, run where every buffer is followed, and the same driver without the mistake.
// Where the report is the EMAC's, the EMAC runs, and its kernel speaks as 2.6.29 does; elsewhere a plain card does.
import { mean } from "../analysis/statistics.ts";
import type { Change, ProveInput } from "../diagnosis/machine_told.ts";
import type { Cause } from "../scenario/cases/board.ts";
import { badPageText, oopsText } from "../scenario/cases/kernel_words.ts";
import { receiveKept } from "../scenario/cases/preallocated.ts";
import type { Job, Outcome, Steps } from "./batch.ts";
import { boardJob } from "./batch.ts";
import { advised, whyNot } from "./changes.ts";
import type { Assumption, Proof, ProofRow, ProveProgress } from "./proof.ts";
import { refuse } from "./proof.ts";
import { receiveWatched } from "./watched_receive.ts";

const exactly = (n: number): ProofRow["before"] => ({ estimate: n, low: n, high: n });

const rowOf = (name: string, change: Change, was: number, is: number): ProofRow => ({
  name,
  change,
  advised: true,
  note: null,
  before: exactly(was),
  after: exactly(is),
  difference: exactly(is - was),
  verdict: is < was ? "lowers" : is > was ? "raises" : "no clear difference",
  lostBefore: 0,
  lostAfter: 0,
});

type Tested = Pick<Proof, "assumptions" | "measure" | "rows"> & Partial<Pick<Proof, "standsFor">>;

export function* proveOwnership(input: ProveInput, progress: ProveProgress): Steps<Proof> {
  const all = advised(input);
  const advice = all.find((a) => a.change.kind === "fresh_buffers");
  const untested = all
    .filter((a) => a !== advice)
    .map(({ action, change }) => ({ action, why: whyNot(change) ?? "no request fails here that it could help" }));
  if (advice === undefined)
    return refuse(
      input,
      "the report does not show whose memory it was; the model can only test owners of packet memory",
      { untested },
    );
  const board = input.driver === "ibm_emac" || (input.driver === null && /-ppc32$/.test(input.machine.release.value));
  const sent = input.direction?.startsWith("tx") === true;
  const tested =
    board && sent
      ? yield* onSendingBoard(input, advice.change)
      : (board ? onEmac : onPlainCard)(input, advice.change, progress);
  return {
    title: input.title,
    refused: null,
    standsFor:
      "The cause that is tested fits the report, and the report does not prove it: a driver hands its buffers to the stack, keeps its pointers to them and lets the card write into them again.",
    ...tested,
    likeness: [],
    curve: null,
    seeds: 1,
    untested,
    experiment: null,
  };
}

const frames = 1000;
const kept = 256;
/** Packets that wait in the socket of a slow application. */
const slow = 64;
const assumed = (what: string, value: string, because: string): Assumption => ({
  what,
  value,
  from: "assumed",
  because,
  evidence: [],
});

/** What the kernel printed first when buffers were used again. */
function words({ badPages, oopses }: ReturnType<typeof receiveKept>): string {
  const [bad] = badPages;
  const [oops] = oopses;
  const text = bad !== undefined ? badPageText(bad) : oops !== undefined ? oopsText(oops) : "nothing";
  return text.split("\n").find((l) => /BUG|Oops|Unable/.test(l)) ?? text.split("\n")[0] ?? "nothing";
}

const emacAssumptions = (input: ProveInput, value: string): readonly Assumption[] => [
  {
    what: "driver",
    value,
    from: input.driver === null ? "assumed" : "report",
    because: input.driver === null ? "the report names no driver; its machine is a 32-bit PowerPC" : "the call trace",
    evidence: [],
  },
  assumed(
    "kernel",
    "2.6.29-ppc32, 128 MB",
    `the report: ${input.machine.release.value}; the case is built for that kernel`,
  ),
];

function onEmac(input: ProveInput, change: Change, progress: ProveProgress): Tested {
  const wrong = (o: ReturnType<typeof receiveKept>): number =>
    o.reused + o.badPages.length + o.oopses.length + (o.lostTrack === undefined ? 0 : 1);
  const run = (use: "hand-up" | "fresh" | "copy" | "destructor", slowest: number): ReturnType<typeof receiveKept> =>
    receiveKept({ use, frames, pool: kept, slowest, others: "pages" });
  progress(0.05, "buffers that are used again");
  const before = run("hand-up", 0);
  progress(0.25, "buffers that are used again, packets read late");
  const late = run("hand-up", slow);
  const ways = [
    ["fresh", "a fresh buffer for each that is handed up"],
    ["copy", "a copy of each frame in single pages"],
    ["destructor", "fragments whose destructor tells when the stack is done"],
  ] as const;
  const rows = ways.map(([use, name], i) => {
    progress(0.45 + i * 0.1, name);
    return rowOf(name, change, wrong(late), wrong(run(use, slow)));
  });
  return {
    assumptions: [
      ...emacAssumptions(input, `ibm_emac, a ring of 128 and ${kept} kept buffers for MTU 9000`),
      assumed("others", "ask for single pages and give them back", "somebody has to take what was freed too early"),
      {
        what: "the kernel's words",
        value: words(before),
        from: "computed",
        because: `printed after ${before.framesAtWord} frames, or "${words(late)}" after ${late.framesAtWord} when the application reads late: a test of the first ${kept} frames passes`,
        evidence: [],
      },
    ],
    measure: `buffers used again after the stack had freed them, bad pages and faults, in ${frames.toLocaleString("en-US")} frames, packets read late`,
    rows,
  };
}

/** What may be wrong with a board that sends, and what would be right; the first two are those that somebody who reads the trace suspects. */
const suspects: Readonly<Record<"bad_page" | "oops", readonly { readonly cause: Cause; readonly right: string }[]>> = {
  bad_page: [
    { cause: "last page freed apart", right: "each sent block freed once, and whole" },
    { cause: "stray bit in a struct page", right: "nobody sets a bit of a struct page that is not his" },
    { cause: "buffer freed twice", right: "no DMA buffer freed twice" },
  ],
  oops: [
    { cause: "stray word in tx_skb", right: "nobody writes into tx_skb[] but the driver" },
    { cause: "stray bit in tx_skb", right: "nobody sets a bit in tx_skb[]" },
    { cause: "packet freed twice", right: "each sent packet freed once" },
  ],
};

/** A report from the side that sends: which mistakes of a sending board give this very report, and which do not. */
function* onSendingBoard(input: ProveInput, change: Change): Steps<Tested> {
  const kind = input.kind === "bad_page" ? "bad_page" : "oops";
  const seeds = [1, 2, 3];
  const jobsOf = (cause: Cause, mtu = 9000): Job[] => seeds.map((seed) => boardJob({ cause, mtu, seed }));
  const ranOf = (outcomes: readonly Outcome[]): Ran => {
    const of = (name: string): number[] => outcomes.map((o) => o[0]?.[name] ?? 0);
    const [bad, oopses] = [of("badPages"), of("oopses")];
    return {
      like: of(kind === "bad_page" ? "firstTraces" : "secondTraces"),
      all: bad.map((n, i) => n + (oopses[i] ?? 0)),
    };
  };
  const row = (name: string, what: Change, advised: boolean, note: string | null, was: Ran, is: Ran): ProofRow => {
    const difference = range(is.like.map((n, i) => n - (was.like[i] ?? 0)));
    return {
      name,
      change: what,
      advised,
      note,
      before: range(was.like),
      after: range(is.like),
      difference,
      verdict: difference.high < 0 ? "lowers" : difference.low > 0 ? "raises" : "no clear difference",
      lostBefore: 0,
      lostAfter: 0,
    };
  };
  const causes: readonly Cause[] = [
    "nothing",
    "receive buffers reused",
    "fragmentation",
    ...suspects[kind].map((s) => s.cause),
  ];
  const measured = yield {
    jobs: causes.flatMap((c) => jobsOf(c)),
    what: "boards with a mistake each",
    from: 0,
    to: 0.9,
  };
  const [right, kept, fragmented, ...suspected] = causes.map((_, i) =>
    ranOf(measured.slice(i * seeds.length, (i + 1) * seeds.length)),
  ) as [Ran, Ran, Ran, ...Ran[]];
  const ran = suspects[kind].map((s, i) => ({ ...s, was: suspected[i] as Ran }));
  const fits = ran.filter((s) => s.was.like.some((n) => n > 0));
  const small =
    fits[0] === undefined
      ? undefined
      : ranOf(yield { jobs: jobsOf(fits[0].cause, 1500), what: "the same at MTU 1500", from: 0.9, to: 1 });
  /** Only where the run did not show the report; where it did, the row's numbers say so. */
  const gives = (what: string, ran: Ran): string | null =>
    ran.like.some((n) => n > 0) ? null : `${what} alone: no report like it, ${sum(ran.all)} others`;
  const others = (all: Ran): string => `other reports: ${sum(all.all) - sum(all.like)}`;
  return {
    standsFor: `${fits.length === 0 ? "None of the mistakes that were tried gives" : `${list(fits.map((s) => `"${s.cause}"`))} ${fits.length === 1 ? "gives" : "give"}`} a report like it on a board that sends; ${list(
      [...ran, { cause: "receive buffers reused", was: kept }, { cause: "fragmentation", was: fragmented }]
        .filter((s) => s.was.like.every((n) => n === 0))
        .map((s) => `"${s.cause}"`),
    )} do not. The report does not say which it was; \`skblab cases emac-writev\` runs eleven of them.`,
    assumptions: [
      ...emacAssumptions(input, "ibm_emac, jumbo frames of MTU 9000, lines sent with writev"),
      assumed(
        "a report like this one",
        kind === "bad_page"
          ? "flags 44000, count 0, in tcp_ack by way of put_compound_page"
          : "fault at 0004009c in kfree_skb, called by emac_poll_tx",
        "the thread's own, field by field",
      ),
    ],
    measure: "reports like this one, in 400 ms of sending, 3 seeds: mean, least and most",
    rows: [
      ...ran.map((s) =>
        row(s.right, { kind: "code" }, true, s.was.like.some((n) => n > 0) ? null : others(s.was), s.was, right),
      ),
      row("a fresh buffer for each that is handed up", change, true, gives("kept receive buffers", kept), kept, right),
      row(
        "memory in large pieces",
        { kind: "compact_memory" },
        false,
        gives("fragmentation", fragmented),
        fragmented,
        right,
      ),
      ...(small === undefined || fits[0] === undefined
        ? []
        : [
            row(
              "MTU 1500, not 9000; the mistake stays",
              { kind: "mtu", mtu: 1500 },
              false,
              others(small),
              fits[0].was,
              small,
            ),
          ]),
    ],
  };
}

interface Ran {
  /** Reports like the one that is to be explained, and all reports, by seed. */
  readonly like: readonly number[];
  readonly all: readonly number[];
}
const sum = (all: readonly number[]): number => all.reduce((n, x) => n + x, 0);
const list = (names: readonly string[]): string =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
const range = (all: readonly number[]): ProofRow["before"] => ({
  estimate: mean(all),
  low: Math.min(...all),
  high: Math.max(...all),
});

function onPlainCard(input: ProveInput, change: Change, progress: ProveProgress): Tested {
  progress(0.1, "buffers that are used again");
  const before = receiveWatched("preallocated", 0);
  progress(0.4, "buffers that are used again, packets read late");
  const late = receiveWatched("preallocated", slow);
  progress(0.7, "fresh buffers");
  const after = receiveWatched("fresh", 0);
  const afterLate = receiveWatched("fresh", slow);
  return {
    assumptions: [
      assumed(
        "driver",
        `a plain card with ${kept} buffers for frames of MTU 9000`,
        input.driver === null ? "the report names no driver" : `no ${input.driver} that keeps its buffers is modelled`,
      ),
      assumed("kernel", "2.6.31-ppc32, 128 MB", "who owns a buffer does not depend on it"),
      {
        what: "first sign",
        value: before.first === undefined ? "none" : `${before.first.kind}: ${before.first.sentence}`,
        from: "computed",
        because: `seen after ${before.firstAfterFrames} frames: a short test passes`,
        evidence: [],
      },
    ],
    measure: `times that memory was used or freed by somebody who did not own it, in ${frames.toLocaleString("en-US")} frames`,
    rows: [
      rowOf("a fresh buffer for each that is handed up", change, before.faults, after.faults),
      rowOf("the same, where the application reads late", change, late.faults, afterLate.faults),
    ],
  };
}
