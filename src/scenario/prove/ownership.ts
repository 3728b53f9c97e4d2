// Reports of memory with two owners: the mistake that fits them, run where every buffer is followed, and the same driver without the mistake.
// Where the report is the EMAC's, the EMAC runs, and its kernel speaks as 2.6.29 does; elsewhere a plain card does.
import { mean } from "../../analysis/statistics.ts";
import { runBoard } from "../cases/board.ts";
import { badPageText, oopsText } from "../cases/kernel_words.ts";
import { receiveKept } from "../cases/preallocated.ts";
import { receiveWatched } from "../watched_receive.ts";
import { advised, whyNot } from "./changes.ts";
import type { Change, ProveInput } from "./input.ts";
import type { Assumption, Proof, ProofRow, ProveProgress } from "./proof.ts";
import { refuse } from "./proof.ts";

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

type Tested = Pick<Proof, "assumptions" | "measure" | "rows">;

export function proveOwnership(input: ProveInput, progress: ProveProgress): Proof {
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
  const tested = board ? onEmac(input, advice.change, progress) : onPlainCard(input, advice.change, progress);
  return {
    ...tested,
    title: input.title,
    refused: null,
    standsFor:
      "The cause that is tested fits the report, and the report does not prove it: a driver hands its buffers to the stack, keeps its pointers to them and lets the card write into them again.",
    likeness: null,
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

function onEmac(input: ProveInput, change: Change, progress: ProveProgress): Tested {
  const wrong = (o: ReturnType<typeof receiveKept>): number =>
    o.reused + o.badPages.length + o.oopses.length + (o.lostTrack === undefined ? 0 : 1);
  const run = (use: "hand-up" | "fresh" | "copy" | "destructor", slowest: number): ReturnType<typeof receiveKept> =>
    receiveKept({ use, frames, pool: kept, slowest, others: "pages" });
  const sent = input.kind === "bad_page" && input.direction?.startsWith("tx") === true;
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
      {
        what: "driver",
        value: `ibm_emac, a ring of 128 and ${kept} kept buffers for MTU 9000`,
        from: input.driver === null ? "assumed" : "report",
        because:
          input.driver === null ? "the report names no driver; its machine is a 32-bit PowerPC" : "the call trace",
        evidence: [],
      },
      assumed(
        "kernel",
        "2.6.29-ppc32, 128 MB",
        `the report: ${input.machine.release.value}; the case is built for that kernel`,
      ),
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
    rows: sent ? [...rows, sentBlocks(progress)] : rows,
  };
}

/** The other cause that fits, on the side that sends: a block whose last page is given back by itself. People lower the MTU then. */
function sentBlocks(progress: ProveProgress): ProofRow {
  const seeds = [1, 2, 3];
  const faults = (mtu: number, from: number): number[] =>
    seeds.map((seed) => {
      progress(from + seed * 0.03, `blocks to be sent, MTU ${mtu}, seed ${seed}`);
      const { badPages, oopses } = runBoard({ cause: "last page freed apart", mtu, seed });
      return badPages.length + oopses.length;
    });
  const [before, after] = [faults(9000, 0.8), faults(1500, 0.9)];
  const range = (all: readonly number[]): ProofRow["before"] => ({
    estimate: mean(all),
    low: Math.min(...all),
    high: Math.max(...all),
  });
  const difference = range(after.map((n, i) => n - (before[i] ?? 0)));
  return {
    name: "MTU 1500, not 9000, if a sent block's last page is freed apart",
    change: { kind: "mtu", mtu: 1500 },
    advised: false,
    note: after.every((n) => n > 0)
      ? "another cause that fits, 3 seeds of 400 ms; the mistake stays"
      : "another cause that fits, 3 seeds of 400 ms",
    before: range(before),
    after: range(after),
    difference,
    verdict: difference.high < 0 ? "lowers" : difference.low > 0 ? "raises" : "no clear difference",
    lostBefore: 0,
    lostAfter: 0,
  };
}

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
