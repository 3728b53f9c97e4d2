// Reports of memory with two owners: the mistake that fits them, run where every buffer is followed, and the same driver without the mistake.
// Where the report is the EMAC's, the EMAC runs, and its kernel speaks as 2.6.29 does; elsewhere a plain card does.
import { mean } from "../analysis/statistics.ts";
import type { Advised, Change, ProveInput } from "../diagnosis/machine_told.ts";
import type { BoardOptions, Cause } from "../scenario/cases/board.ts";
import { badPageText, oopsText } from "../scenario/cases/kernel_words.ts";
import { receiveKept } from "../scenario/cases/preallocated.ts";
import type { Batch, Job, Outcome, Steps } from "./batch.ts";
import { advised, whyNot } from "./changes.ts";
import type { Assumption, Proof, ProofRow, ProveProgress } from "./proof.ts";
import { refuse } from "./proof.ts";
import { receiveWatched } from "./watched_receive.ts";

const exactly = (n: number): ProofRow["before"] => ({ estimate: n, low: n, high: n });

const rowOf = (name: string, { change, action }: Advised, was: number, is: number): ProofRow => ({
  name,
  change,
  advised: true,
  advice: action,
  provided: "the driver reuses its buffers after handing them up",
  note: null,
  measure: null,
  before: exactly(was),
  after: exactly(is),
  difference: exactly(is - was),
  verdict: is < was ? "lowers" : is > was ? "raises" : "no clear difference",
  lostBefore: 0,
  lostAfter: 0,
});

type Tested = Pick<Proof, "assumptions" | "measure" | "rows"> & Partial<Pick<Proof, "standsFor">>;

/** What a proof says beside what was run. */
interface Told {
  readonly advice: Advised;
  readonly untested: Proof["untested"];
}

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
  const told: Told = { advice, untested };
  const board = input.driver === "ibm_emac" || (input.driver === null && /-ppc32$/.test(input.machine.release.value));
  if (board && input.direction?.startsWith("tx") === true) return yield* onSendingBoard(input, told);
  return whole(input, told, (board ? onEmac : onPlainCard)(input, advice, progress), 1, 1);
}

const whole = (
  input: ProveInput,
  { untested }: Told,
  tested: Tested,
  seeds: number,
  seedsPlanned: number = boardSeeds.length,
): Proof => ({
  title: input.title,
  refused: null,
  standsFor:
    "The cause that is tested fits the report, and the report does not prove it: a driver hands its buffers to the stack, keeps its pointers to them and lets the card write into them again.",
  ...tested,
  likeness: [],
  curve: null,
  seeds,
  seedsPlanned,
  untested,
  experiment: null,
});

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

function onEmac(input: ProveInput, advice: Advised, progress: ProveProgress): Tested {
  const wrong = (o: ReturnType<typeof receiveKept>): number =>
    o.reused + o.badPages.length + o.oopses.length + (o.lostTrack === undefined ? 0 : 1);
  const run = (use: "hand-up" | "fresh" | "copy" | "destructor", slowest: number): ReturnType<typeof receiveKept> =>
    receiveKept({ use, frames, pool: kept, slowest, others: "pages" });
  progress(0.05, "buffers that are reused");
  const before = run("hand-up", 0);
  progress(0.25, "buffers that are reused, packets read late");
  const late = run("hand-up", slow);
  const ways = [
    ["fresh", "a fresh buffer for each one handed up"],
    ["copy", "a copy of each frame in single pages"],
    ["destructor", "fragments whose destructor tells when the stack has finished"],
  ] as const;
  const rows = ways.map(([use, name], i) => {
    progress(0.45 + i * 0.1, name);
    return rowOf(name, advice, wrong(late), wrong(run(use, slow)));
  });
  return {
    assumptions: [
      ...emacAssumptions(input, `ibm_emac, a ring of 128 and ${kept} kept buffers for MTU 9000`),
      assumed("others", "ask for single pages and give them back", "somebody has to take what was freed too early"),
      {
        what: "the kernel's message",
        value: words(before),
        from: "computed",
        because: `printed after ${before.framesAtWord} frames, or "${words(late)}" after ${late.framesAtWord} when the application reads late: a test of the first ${kept} frames passes`,
        evidence: [],
      },
    ],
    measure: `buffers reused after the stack had freed them, bad pages and faults, in ${frames.toLocaleString("en-US")} frames, packets read late`,
    rows,
  };
}

/** What may be wrong with a board that sends, and what would be right; the first two are those that somebody who reads the trace suspects. */
const suspects: Readonly<Record<"bad_page" | "oops", readonly { readonly cause: Cause; readonly right: string }[]>> = {
  bad_page: [
    { cause: "last page freed apart", right: "each sent block freed once, and whole" },
    { cause: "stray bit in a struct page", right: "nothing sets bits in a struct page that it does not own" },
    { cause: "buffer freed twice", right: "no DMA buffer freed twice" },
  ],
  oops: [
    { cause: "stray word in tx_skb", right: "only the driver writes into tx_skb[]" },
    { cause: "stray bit in tx_skb", right: "no other code sets a bit in tx_skb[]" },
    { cause: "packet freed twice", right: "each sent packet freed once" },
  ],
};

const boardSeeds = [1, 2, 3] as const;
/** What every report from the side that sends is tried with, beside its own suspects. */
const always = ["nothing", "receive buffers reused", "fragmentation"] as const;

/** A report from the side that sends: which mistakes of a sending board give this very report, and which do not. */
function* onSendingBoard(input: ProveInput, about: Told): Steps<Proof> {
  const kind = input.kind === "bad_page" ? "bad_page" : "oops";
  const causes: readonly Cause[] = [...always, ...suspects[kind].map((s) => s.cause)];
  const ran = causes.map((): Ran => ({ like: [], all: [] }));
  const small: Ran = { like: [], all: [] };
  const keep = (into: Ran, outcome: Outcome | undefined): void => {
    const m = outcome?.measures[0] ?? {};
    into.like.push(m[kind === "bad_page" ? "firstTraces" : "secondTraces"] ?? 0);
    into.all.push((m.badPages ?? 0) + (m.oopses ?? 0));
  };
  let soFar: Proof | undefined;
  const batch = (jobs: readonly BoardOptions[], what: string, from: number, to: number): Batch => ({
    jobs: jobs.map((settings): Job => ({ kind: "board", settings })),
    what,
    from: from * boardsShare,
    to: to * boardsShare,
    ...(soFar === undefined ? {} : { soFar }),
  });
  for (const [i, seed] of boardSeeds.entries()) {
    const measured: readonly Outcome[] = yield batch(
      causes.map((cause) => ({ cause, mtu: 9000, seed })),
      "boards with one bug each",
      i / boardSeeds.length,
      (i + 1) / boardSeeds.length,
    );
    for (const [k, r] of ran.entries()) keep(r, measured[k]);
    soFar = whole(input, about, onBoards(input, about.advice, kind, ran, small), i + 1);
  }
  const fits = suspects[kind].find((_, i) => ran[always.length + i]?.like.some((n) => n > 0));
  if (fits === undefined) return soFar as Proof;
  const measured = yield batch(
    boardSeeds.map((seed) => ({ cause: fits.cause, mtu: 1500, seed })),
    "the same at MTU 1500",
    1,
    1 / boardsShare,
  );
  for (const outcome of measured) keep(small, outcome);
  return whole(input, about, onBoards(input, about.advice, kind, ran, small), boardSeeds.length);
}

/** Of the whole proof; the rest is MTU 1500. */
const boardsShare = 0.9;

/** What boards say that ran with each cause, in the order of `always` and the suspects; `small`: with the first that fits, at MTU 1500. */
function onBoards(
  input: ProveInput,
  advice: Advised,
  kind: "bad_page" | "oops",
  ran: readonly Ran[],
  small: Ran,
): Tested {
  const [right, kept, fragmented, ...suspected] = ran as readonly [Ran, Ran, Ran, ...Ran[]];
  const row = (
    name: string,
    what: { readonly change: Change; readonly advice?: string },
    note: string | null,
    was: Ran,
    is: Ran,
  ): ProofRow => {
    const difference = range(is.like.map((n, i) => n - (was.like[i] ?? 0)));
    return {
      name,
      change: what.change,
      advised: what.advice !== undefined || what.change.kind === "code",
      advice: what.advice ?? null,
      provided: null,
      note,
      measure: null,
      before: range(was.like),
      after: range(is.like),
      difference,
      verdict: verdictOf(was, is, right),
      lostBefore: 0,
      lostAfter: 0,
    };
  };
  const tried = suspects[kind].map((s, i) => ({ ...s, was: suspected[i] as Ran }));
  const fits = tried.filter((s) => s.was.like.some((n) => n > 0));
  /** Only where the run did not show the report; where it did, the row's numbers say so. */
  const gives = (what: string, r: Ran): string | null =>
    r.like.some((n) => n > 0) ? null : `${what} alone: no report like it, ${sum(r.all)} others`;
  const others = (r: Ran): string => `other reports: ${sum(r.all) - sum(r.like)}`;
  return {
    standsFor: `${fits.length === 0 ? "None of the bugs that were tried gives" : `${list(fits.map((s) => `"${s.cause}"`))} ${fits.length === 1 ? "gives" : "give"}`} a report like it on a board that sends; ${list(
      [...tried, { cause: "receive buffers reused", was: kept }, { cause: "fragmentation", was: fragmented }]
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
    measure: `reports like this one in 400 ms of sending, ${right.like.length} seeds: mean, smallest and largest`,
    rows: [
      ...tried.map((s) =>
        row(s.right, { change: { kind: "code" } }, s.was.like.some((n) => n > 0) ? null : others(s.was), s.was, right),
      ),
      row(
        "a fresh buffer for each one handed up",
        { change: advice.change, advice: advice.action },
        gives("kept receive buffers", kept),
        kept,
        right,
      ),
      row(
        "memory in large blocks",
        { change: { kind: "compact_memory" } },
        gives("fragmentation", fragmented),
        fragmented,
        right,
      ),
      ...(small.like.length === 0 || fits[0] === undefined
        ? []
        : [
            row(
              "MTU 1500, not 9000; the bug stays",
              { change: { kind: "mtu", mtu: 1500 } },
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
  readonly like: number[];
  readonly all: number[];
}

/**
 * With a mistake left in (`is` is not the board without one) every seed has to say the same. Without it one report among the others is enough: the same
 * board, seed by seed, has nothing else that could have made it.
 */
function verdictOf(was: Ran, is: Ran, right: Ran): ProofRow["verdict"] {
  const each = is.like.map((n, i) => n - (was.like[i] ?? 0));
  if (each.every((d) => d < 0) || (is === right && sum(is.like) === 0 && sum(was.like) > 0)) return "lowers";
  return each.every((d) => d > 0) ? "raises" : "no clear difference";
}

const sum = (all: readonly number[]): number => all.reduce((n, x) => n + x, 0);
const list = (names: readonly string[]): string =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
const range = (all: readonly number[]): ProofRow["before"] => ({
  estimate: mean(all),
  low: Math.min(...all),
  high: Math.max(...all),
});

function onPlainCard(input: ProveInput, advice: Advised, progress: ProveProgress): Tested {
  progress(0.1, "buffers that are reused");
  const before = receiveWatched("preallocated", 0);
  progress(0.4, "buffers that are reused, packets read late");
  const late = receiveWatched("preallocated", slow);
  progress(0.7, "fresh buffers");
  const after = receiveWatched("fresh", 0);
  const afterLate = receiveWatched("fresh", slow);
  return {
    assumptions: [
      assumed(
        "driver",
        `a plain card with ${kept} buffers for frames of MTU 9000`,
        input.driver === null ? "the report names no driver" : `no ${input.driver} that keeps its buffers is modeled`,
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
      rowOf("a fresh buffer for each one handed up", advice, before.faults, after.faults),
      rowOf("the same, where the application reads late", advice, late.faults, afterLate.faults),
    ],
  };
}
