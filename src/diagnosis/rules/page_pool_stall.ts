// A page_pool that was destroyed and still waits for pages it handed out.
import type { Case } from "../case.ts";
import { quote } from "../case.ts";
import type { Advice } from "../finding.ts";
import { shown } from "../finding.ts";
import { defineQuestions } from "../question.ts";
import { defineRule } from "../rule.ts";
import { count } from "../words.ts";
import { ofFragmentation } from "./fragmentation.ts";

const { questions, no, unknown, yes } = defineQuestions({
  "page_pool.stalled": { question: "What does it wait for?", open: true, rank: 12 },
  "page_pool.leak": { question: "Is it a leak?", clears: "a leak" },
  ...ofFragmentation,
});

const listPools: Advice = {
  change: { kind: "evidence" },
  action: "List the pools that still exist",
  changes: "names the interface and how long each pool has been detached (6.8 and later)",
  costs: "nothing",
  command: "ynltool page-pool stats    # or: tools/net/ynl/pyynl/cli.py --spec netdev.yaml --dump page-pool-get",
};

export const pagePoolStall = defineRule({
  id: "page_pool",
  asks: "What does the stalled pool wait for, and who can hold it?",
  questions,
  kinds: ["page_pool_stall"],
  answer: (c: Case) => {
    if (c.incident.kind !== "page_pool_stall") return [];
    const { inflight, seconds, poolId } = c.incident.reading;
    const line = quote(c, "headline");
    return [
      yes(
        "page_pool.stalled",
        `The pool${poolId === undefined ? "" : ` (id ${poolId})`} was destroyed${seconds === undefined ? "" : ` ${count(seconds, "second")} before`}, and ${count(inflight, "page")} of it ${inflight === 1 ? "has" : "have"} not come back. The pool and its device's DMA mappings stay until they do.`,
        line,
        [
          {
            change: { kind: "drain_sockets" },
            action: "See which sockets sit on unread data, and close or drain them",
            changes: "packets in a receive queue hold their pages; reading them gives the pages back",
            costs: "nothing for idle sockets",
            command: "ss -tumpn | awk '$2 > 0'; ss -xn | awk '$3 > 0'",
          },
          // The form with an id (6.8 and later) is printed only for pools that have lost their interface: a dump by interface cannot list them.
          ...(poolId === undefined ? [listPools] : []),
        ],
      ),
      unknown(
        "page_pool.leak",
        `The report does not say who holds the ${count(inflight, "page")}. A number that falls from line to line is a slow holder (an unread socket, a reassembly queue, a bridge or NIC that keeps packets); one that stays the same is a leak (code that freed a page past its pool) or a holder that sleeps.`,
        line,
        [
          {
            change: { kind: "evidence" },
            action: "Search a live kernel for the holders",
            changes: "finds the packets that hold pages of detached pools",
            costs: "root, debug symbols and a few minutes",
            command: "drgn contrib/pp_leak/ls_pp_leaks.py; drgn contrib/pp_leak/guess_leaky_skbs.py",
          },
        ],
      ),
      no("fragmentation", "This is not a shortage of memory: pages are held, not missing.", shown(inflight, line)),
    ];
  },
});
