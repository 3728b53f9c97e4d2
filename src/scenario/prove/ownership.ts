// Reports of memory with two owners: the mistake that fits them, run with every packet and page watched, and the same card without the mistake.
import { drivers } from "../../model/drivers/drivers.ts";
import { receiveWatched } from "../watched_receive.ts";
import { advised, whyNot } from "./changes.ts";
import type { ProveInput } from "./input.ts";
import type { Proof, ProofRow, ProveProgress } from "./proof.ts";
import { refuse } from "./proof.ts";

const exactly = (n: number): ProofRow["before"] => ({ estimate: n, low: n, high: n });

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
      {
        untested,
      },
    );
  progress(0.1, "buffers that are used again");
  const before = receiveWatched("preallocated", 0);
  progress(0.4, "buffers that are used again, packets read late");
  const late = receiveWatched("preallocated", 64);
  progress(0.7, "fresh buffers");
  const after = receiveWatched("fresh", 0);
  const afterLate = receiveWatched("fresh", 64);
  const row = (name: string, was: number, is: number): ProofRow => ({
    name,
    change: advice.change,
    advised: true,
    note: null,
    before: exactly(was),
    after: exactly(is),
    difference: exactly(is - was),
    verdict: is < was ? "lowers" : is > was ? "raises" : "no clear difference",
    lostBefore: 0,
    lostAfter: 0,
  });
  const own = drivers.some((d) => d.name === input.driver);
  return {
    title: input.title,
    refused: null,
    standsFor:
      "The cause that is tested fits the report, and the report does not prove it: a driver hands its buffers to the stack, keeps its pointers to them and lets the card write into them again.",
    assumptions: [
      {
        what: "driver",
        value: "a plain card with 256 buffers for frames of MTU 9000",
        from: "assumed",
        because: own
          ? `the model's ${input.driver} does not make this mistake`
          : input.driver === null
            ? "the report names no driver"
            : `the model has no ${input.driver}`,
        evidence: [],
      },
      {
        what: "kernel",
        value: "2.6.31-ppc32, 128 MB",
        from: "assumed",
        because: "who owns a buffer does not depend on it",
        evidence: input.machine.release.evidence,
      },
      {
        what: "first sign",
        value: before.first === undefined ? "none" : `${before.first.kind}: ${before.first.sentence}`,
        from: "computed",
        because: `seen after ${before.firstAfterFrames} frames: a short test passes`,
        evidence: [],
      },
    ],
    likeness: null,
    measure: "times that memory was used or freed by somebody who did not own it, in 1,000 frames",
    seeds: 1,
    rows: [
      row("a fresh buffer for each that is handed up", before.faults, after.faults),
      row("the same, where the application reads late", late.faults, afterLate.faults),
    ],
    untested,
    experiment: null,
  };
}
