// A destroyed page_pool that waits for its pages: is it unread packets, and does reading them help? Two causes, the same question.

import type { ProveInput } from "../diagnosis/machine_told.ts";
import { createLab } from "../model/net/pool/page_pool_lab.ts";
import { advised, whyNot } from "./changes.ts";
import type { Proof, ProofRow, ProveProgress } from "./proof.ts";
import { refuse } from "./proof.ts";

/** Seconds after the queue was torn down, and again after the sockets were read. */
const waits = { before: 130, after: 60 } as const;
const frameBytes = 1514;

interface Stalled {
  readonly before: number;
  readonly after: number;
}

/** `held` packets wait in a socket, `lost` pages were freed past the pool; the queue goes down, then the socket is read. */
function stall(held: number, lost: number): Stalled {
  const lab = createLab({ ringSize: 128, pagesMax: 8192 });
  const socket: number[] = [];
  for (let i = 0; i < held; i++) {
    const skb = lab.receive(frameBytes);
    if (skb !== 0) socket.push(skb);
  }
  for (let i = 0; i < lost; i++) lab.receiveForXdp(frameBytes);
  const before = lab.shutdown(waits.before);
  for (const skb of socket) lab.skbs.kfreeSkb(skb);
  lab.pools.runDelayed((waits.before + waits.after) * 1e9);
  return { before, after: lab.pools.isLive(lab.pool) ? lab.pools.inflight(lab.pool) : 0 };
}

export function provePool(input: ProveInput, progress: ProveProgress): Proof {
  const told = input.machine.poolPages;
  const all = advised(input);
  const advice = all.find((a) => a.change.kind === "drain_sockets");
  const untested = all
    .filter((a) => a !== advice)
    .map(({ action, change }) => ({ action, why: whyNot(change) ?? "it does not bear on pages that are held" }));
  if (told === null || advice === undefined)
    return refuse(input, "the report does not say how many pages are held", { untested });
  const pages = Math.max(1, Math.min(told.value, 4000));
  progress(0.2, "unread packets hold the pages");
  const unread = stall(pages, 0);
  progress(0.6, "the pages were freed past the pool");
  const leaked = stall(0, pages);
  const exactly = (n: number): ProofRow["before"] => ({ estimate: n, low: n, high: n });
  const row = (provided: string, { before, after }: Stalled): ProofRow => ({
    name: `sockets are read or closed, if ${provided}`,
    change: advice.change,
    advised: true,
    advice: advice.action,
    provided,
    note: null,
    measure: null,
    before: exactly(before),
    after: exactly(after),
    difference: exactly(after - before),
    verdict: after < before ? "lowers" : after > before ? "raises" : "no clear difference",
    lostBefore: 0,
    lostAfter: 0,
  });
  return {
    title: input.title,
    refused: null,
    standsFor: "The report does not say who holds the pages: both answers are run.",
    assumptions: [
      { what: "pages in flight", value: String(pages), from: "report", because: told.because, evidence: told.evidence },
      {
        what: "pool",
        value: "one receive queue of 128 descriptors, pool of 6.1",
        from: "assumed",
        because: "nothing in the report says",
        evidence: [],
      },
    ],
    likeness: [],
    curve: null,
    measure: `pages in flight, ${waits.before} s after the receive queue was torn down and ${waits.after} s after the sockets were read`,
    seeds: 1,
    seedsPlanned: 1,
    rows: [row("unread packets hold the pages", unread), row("the pages were freed past the pool (a leak)", leaked)],
    untested,
    experiment: null,
  };
}
