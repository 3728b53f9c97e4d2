// What is known of some reports from elsewhere, beside what a proof says of them; docs/diagnose.md shows the table that is made of it.
import type { Change } from "../diagnosis/machine_told.ts";
import type { Case } from "../scenario/cases/case.ts";
import type { Proof, ProofRow } from "./proof.ts";

type Kind = Change["kind"];

export interface KnownCase {
  readonly what: string;
  readonly log: string;
  /** Which of the log's incidents. */
  readonly at: number;
  /** What the field found, or what follows from the report. */
  readonly known: string;
  /** Changes that must lower the failures for the proof to agree, and changes that must not. */
  readonly lowers: readonly Kind[];
  readonly not: readonly Kind[];
  /** Changes that made it worse. */
  readonly worse?: readonly Kind[];
}

export const knownCases: readonly KnownCase[] = [
  {
    what: "seed 000, the bad page",
    log: "fixtures/logs/ppc405ex_emac_2009.txt",
    at: 0,
    known: "a block freed twice or in part, or a stray bit; not the receive buffers, and not fragmentation",
    lowers: ["code"],
    not: ["fresh_buffers", "compact_memory"],
  },
  {
    what: "seed 000, the fault",
    log: "fixtures/logs/ppc405ex_emac_2009.txt",
    at: 1,
    known: "a stray word or bit; a smaller MTU leaves it",
    lowers: ["code"],
    not: ["fresh_buffers", "compact_memory", "mtu"],
  },
  {
    what: "seed 001; SLUB before and after 2.6.26",
    log: "fixtures/logs/tg3_gentoo_2009.txt",
    at: 0,
    known: "the reserve or the slab's order, and 2.6.26, which falls back to a smaller slab; not TSO",
    lowers: ["min_free_times", "slub_max_order", "release"],
    not: ["offload"],
  },
  {
    what: "order 3, GFP_ATOMIC from a work item, 3.10",
    log: "fixtures/field/c_worker.txt",
    at: 0,
    known: "the mask, not the machine: a work item may wait for memory",
    lowers: [],
    not: [],
  },
  {
    what: "order 3, GFP_ATOMIC, 6.1",
    log: "fixtures/logs/failures_6.1.txt",
    at: 2,
    known: "kernel pages hold memory: nothing can be moved or dropped",
    lowers: [],
    not: ["min_free_kbytes", "compact_memory", "drop_caches", "watermark_boost_factor"],
  },
  {
    // Recorded: a guest of 112 MB, a process with every other page given back, a work item that asks until it is refused (6.1.192, one CPU).
    what: "order 3, GFP_ATOMIC from a work item, 6.1, tried on the kernel itself",
    log: "fixtures/diagnosis/order3_worker_6.1.txt",
    at: 0,
    known:
      "blocks that the kernel gave before it refused one: 182; compacted before 192 and 358, boost off 188, four times the reserve 158",
    lowers: ["compact_memory", "watermark_boost_factor"],
    not: ["watermark_scale_factor"],
    worse: ["min_free_kbytes"],
  },
  {
    what: "order 4, GFP_ATOMIC from a work item, 6.1",
    log: "fixtures/logs/failures_6.1.txt",
    at: 3,
    known: "the mask: a work item may wait; beside it kernel pages hold memory, and nothing can be moved or dropped",
    lowers: [],
    not: ["min_free_kbytes", "compact_memory", "drop_caches", "watermark_boost_factor"],
  },
  {
    what: "order 1 among single pages, 6.1",
    log: "fixtures/logs/failures_6.1.txt",
    at: 0,
    known: "compaction mends it, a reserve does not",
    lowers: ["compact_memory"],
    not: ["min_free_kbytes"],
  },
  {
    what: "order 0, a burst, 6.1",
    log: "fixtures/logs/failures_6.1.txt",
    at: 6,
    known: "the reserve",
    lowers: ["min_free_kbytes"],
    not: ["drop_caches"],
  },
  {
    what: "order 0, ixgbe at 10 GbE, 6.1",
    log: "fixtures/field/f_retry_61.txt",
    at: 0,
    known: "the reserve",
    lowers: ["min_free_kbytes"],
    not: [],
  },
  {
    what: "CMA, order 10",
    log: "fixtures/field/a_cma_default_1.txt",
    at: 0,
    known: "a smaller CMA area helps, a reserve does not",
    lowers: ["cma"],
    not: ["min_free_kbytes"],
  },
  {
    what: "jumbo frames on e1000",
    log: "fixtures/logs/e1000_refill_6.1.txt",
    at: 0,
    known: "single pages: the reserve; neither TSO nor a smaller MTU",
    lowers: ["min_free_kbytes"],
    not: ["offload", "mtu"],
  },
  {
    // Printed by the model: ibm_emac of 2.6.31 on 128 MB, MTU 9000, 15,000 frames a second beside a compile-like load; the first of its reports.
    what: "jumbo frames on ibm_emac, a report of the model's own",
    log: "fixtures/diagnosis/emac_jumbo_2.6.31.txt",
    at: 0,
    known:
      "each buffer is a block of order 2 at MTU 9000 and none at 1500; a reserve makes no blocks, TSO is for packets that are sent",
    lowers: ["mtu"],
    not: ["min_free_kbytes", "offload"],
  },
  {
    what: "usbnet with `turbo_mode`",
    log: "fixtures/field/a_turbo_1.txt",
    at: 0,
    known: "receive buffers of 18.5 KB: `turbo_mode=N` makes them 2 KB",
    lowers: ["smaller_buffers"],
    not: [],
  },
];

/** What of a proof contradicts what is known: nothing, where they agree. */
export function contradictions({ lowers, not, worse = [] }: KnownCase, proof: Proof): string[] {
  const is = (kind: Kind, verdict: ProofRow["verdict"]): boolean =>
    proof.rows.some((r) => r.change.kind === kind && r.verdict === verdict);
  const useless = [...not, ...worse];
  return [
    ...lowers.filter((kind) => !is(kind, "lowers")).map((kind) => `${kind} does not lower the failures`),
    ...useless.filter((kind) => is(kind, "lowers")).map((kind) => `${kind} lowers the failures`),
    ...worse.filter((kind) => !is(kind, "raises")).map((kind) => `${kind} does not make it worse`),
    ...(useless.includes("min_free_kbytes") && proof.curve?.helps === true ? ["some reserve lowers the failures"] : []),
  ];
}

const cell = (text: string): string => text.replace(/\|/g, "\\|");
const share = ({ before, after }: ProofRow): string =>
  before.estimate === 0
    ? ""
    : ` (${after.estimate < before.estimate ? "-" : "+"}${Math.abs(Math.round((after.estimate / before.estimate - 1) * 100))} %)`;

/** What a proof says, in a cell. */
function told(proof: Proof): string {
  if (proof.refused !== null) return `not run: ${proof.refused}`;
  const groups = (["lowers", "raises", "no clear difference"] as const).flatMap((verdict) => {
    const rows = proof.rows.filter((r) => r.verdict === verdict);
    const names = rows.map((r) => `${r.name}${verdict === "no clear difference" ? "" : share(r)}`);
    return names.length === 0 ? [] : [`**${verdict}**: ${names.join("; ")}`];
  });
  const { curve } = proof;
  const enough =
    curve?.knee === null || curve === null ? [] : [`enough: ${curve.what} ${curve.knee.toLocaleString("en-US")}`];
  return [...groups, ...enough].join(". ");
}

const row = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;

export function knownRow(known: KnownCase, proof: Proof): string {
  const against = contradictions(known, proof);
  const verdict =
    proof.refused !== null || known.lowers.length + known.not.length === 0
      ? "not comparable"
      : against.length === 0
        ? "agree"
        : `differ: ${against.join(", ")}`;
  const name = known.log.replace("fixtures/", "");
  return row([
    `${known.what}, \`${name}\`${known.at === 0 ? "" : `, incident ${known.at + 1}`}`,
    known.known,
    told(proof),
    verdict,
  ]);
}

/** A case of the laboratory, where no report is bundled. */
export const caseRow = (what: string, known: string, id: string, { claims }: ReturnType<Case["answer"]>): string =>
  row([
    `${what}, \`skblab cases ${id}\``,
    known,
    claims.map((c) => `**${c.answer}**: ${c.claim}`).join(" "),
    "a claim each",
  ]);

export const tableHead = ["| case | what is known | what the proof says | compared |", "|---|---|---|---|"];
