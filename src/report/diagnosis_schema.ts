// The shape of `skblab diagnose --format json`, as a schema that can be run; schemas/diagnosis.schema.json is printed from it.
import { z } from "zod";
import { severities } from "../diagnosis/finding.ts";

const quote = z
  .strictObject({
    input: z.string().describe("Name of the input as it was given."),
    line: z.int().min(1).describe("Line in that input, counted from 1."),
    text: z.string().describe("The line as it stands there. Untrusted text."),
  })
  .describe("A line that carries a claim.");

const change = z
  .discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("min_free_kbytes"), kb: z.number() }),
    z
      .strictObject({ kind: z.literal("min_free_times"), times: z.number() })
      .describe("The factor for vm.min_free_kbytes, where the report does not give its value."),
    z.strictObject({ kind: z.literal("watermark_scale_factor"), value: z.number() }),
    z.strictObject({ kind: z.literal("watermark_boost_factor"), value: z.number() }),
    z.strictObject({ kind: z.literal("compaction_proactiveness"), value: z.number() }),
    z.strictObject({ kind: z.literal("lowmem_reserve_ratio"), values: z.array(z.number()) }),
    z.strictObject({ kind: z.literal("extfrag_threshold"), value: z.number() }),
    z.strictObject({ kind: z.literal("percpu_pagelist_high_fraction"), value: z.number() }),
    z.strictObject({ kind: z.literal("queues"), count: z.int() }).describe("Queue pairs of the card (ethtool -L)."),
    z
      .strictObject({ kind: z.literal("coalescing"), micros: z.number() })
      .describe("Microseconds for which received packets are collected before an interrupt (ethtool -C rx-usecs)."),
    z
      .strictObject({ kind: z.literal("copybreak"), bytes: z.int() })
      .describe("Packets up to this many bytes are copied, and their buffer stays in the ring."),
    z
      .strictObject({ kind: z.literal("driver_policy"), buffers: z.enum(["single pages", "taken first"]) })
      .describe("A card whose driver makes its buffers of single pages, or takes a new one before a packet goes up."),
    z
      .strictObject({ kind: z.literal("smaller_buffers"), order: z.int(), each: z.int() })
      .describe(
        "A setting of the driver makes its receive buffers smaller: their order then, and how many carry what one did.",
      ),
    z
      .strictObject({ kind: z.literal("more_memory"), times: z.number() })
      .describe("The factor for the machine's memory; the added part is used as the rest is."),
    z
      .strictObject({ kind: z.literal("setting"), name: z.string(), value: z.string() })
      .describe("A sysctl or a boot parameter that the model does not have."),
    z.strictObject({ kind: z.literal("mtu"), mtu: z.int() }),
    z.strictObject({
      kind: z.literal("offload"),
      name: z.string().describe("As `ethtool -K` takes it: it is switched off."),
    }),
    z.strictObject({ kind: z.literal("rx_ring"), entries: z.int() }),
    z.strictObject({ kind: z.literal("slub_max_order"), order: z.int() }),
    z.strictObject({ kind: z.literal("release"), version: z.string().describe("That kernel or a later one.") }),
    ...(
      [
        ["compact_memory", "1 is written to compact_memory."],
        ["drop_caches", "Caches are dropped, then memory is compacted."],
        ["fresh_buffers", "A driver no longer puts buffers into its ring that it has handed up."],
        ["drain_sockets", "Unread sockets are read or closed."],
        ["cma", "The CMA area becomes smaller."],
        ["memory", "More memory, or less use of it."],
        ["limit", "A container's limit changes."],
        ["driver_setting", "A module parameter or a private flag of the driver is set."],
        ["code", "Somebody changes source code."],
        ["reboot", "The machine is booted again."],
        ["defrag_mode", "vm.defrag_mode becomes 1."],
        ["header_split", "Headers get buffers of their own (ethtool -G tcp-data-split)."],
        ["evidence", "Nothing changes: something is looked at."],
      ] as const
    ).map(([kind, says]) => z.strictObject({ kind: z.literal(kind).describe(says) })),
  ])
  .describe("What the advice does to a machine, for a program.");

const advice = z
  .strictObject({
    change,
    action: z.string(),
    changes: z.string().describe("What becomes different."),
    costs: z.string().describe("What it takes away or risks."),
    command: z.string().optional().describe("The exact command, where there is one."),
  })
  .describe("Something to do; best first within a finding.");

const measured = z
  .strictObject({
    outcome: z.enum(["lowers", "no difference", "worse", "not run"]),
    before: z.number().nullable(),
    after: z.number().nullable(),
    interval: z.tuple([z.number(), z.number()]).nullable().describe("95 % interval of the difference."),
    runs: z.int().min(0),
    why: z.string().nullable().describe("Why it was not run."),
    provided: z
      .string()
      .nullable()
      .describe("What has to be so on the report's machine for this to be its answer; null: nothing beside `assumed`."),
  })
  .describe("With --prove: what came of running it. What made it worse stands last and has no command.");

const finding = z.strictObject({
  id: z.string().describe("Stable name of the question."),
  question: z.string().optional().describe("As a person would put it; absent where the claim asks by itself."),
  open: z.literal(true).optional().describe("What, who, where: the claim is the answer, a yes before it says nothing."),
  silent: z.literal(true).optional().describe("The claim says by itself that the report does not say."),
  rank: z
    .int()
    .optional()
    .describe("Of an incident's findings the one with the lowest rank tells most about why; absent: nothing of that."),
  clears: z.string().optional().describe("What a no clears, as people name the suspect: TSO."),
  claim: z.string(),
  answer: z.enum(["yes", "no", "unknown"]).describe("unknown: the report does not say."),
  evidence: z.array(quote),
  advice: z.array(advice),
});

const occurrence = z.strictObject({
  input: z.string(),
  firstLine: z.int(),
  lastLine: z.int(),
  seconds: z.number().optional().describe("Seconds since boot."),
  wallClock: z.string().optional().describe("As the transport printed it: without a zone, often without a year."),
  host: z.string().optional().describe("The machine that its lines name."),
  boot: z
    .int()
    .min(2)
    .optional()
    .describe(
      "Which boot of its machine, as far as the input shows: seconds of two boots do not compare. Absent for the first.",
    ),
});

const mtuTable = z.strictObject({
  driver: z.string(),
  orderZeroUpTo: z.int().nullable().describe("The largest MTU that stays at order 0; null when none does."),
  rows: z.array(
    z.strictObject({
      from: z.int(),
      to: z.int(),
      order: z.int().describe("The highest page order that one receive buffer can fail with."),
      needs: z.array(z.string()),
    }),
  ),
  allocators: z
    .array(z.enum(["kmalloc", "page_frag", "pages", "page_pool"]))
    .describe("Where its buffers come from, at any MTU."),
  assumes: z.array(z.string()),
});

const rungs = z.array(z.strictObject({ what: z.string(), pages: z.number() }));
const comparisons = z.array(
  z.strictObject({
    text: z.string(),
    passed: z.boolean().nullable(),
    usable: z.number().nullable().describe("Pages that had to exceed `limit`."),
    limit: z.number().nullable(),
    ladder: z
      .strictObject({ free: rungs, mark: rungs })
      .nullable()
      .describe("How both numbers came about: the last of free is usable, the last of mark is limit."),
  }),
);

const zonePicture = z
  .strictObject({
    node: z.int(),
    zone: z.string(),
    eligible: z.boolean().describe("The request may use this zone at all."),
    answer: z
      .enum(["yes", "no", "unknown"])
      .describe("May the zone serve the request, by the kernel's watermark test?"),
    free: z.number(),
    min: z.number(),
    low: z.number(),
    high: z.number(),
    orders: z
      .array(z.strictObject({ blocks: z.number(), lists: z.string() }))
      .describe("Free blocks by order, from 0; lists holds the letters of the migrate types, where they are printed."),
    comparisons,
    within: z
      .strictObject({ taken: z.number(), error: z.number(), comparisons })
      .nullable()
      .describe(
        "It would grant the request as printed, and refuse it within the report's own error: without `taken` pages of `error`.",
      ),
  })
  .describe("A zone as it was judged; amounts in pages.");

const memory = z.strictObject({ pageKb: z.number(), order: z.int(), zones: z.array(zonePicture) });

const bytes = z.number().nullable();
const oomPicture = z.strictObject({
  parts: z.array(z.strictObject({ what: z.string(), bytes: z.number(), reclaimable: z.boolean() })),
  totalBytes: bytes,
  processes: z.array(
    z.strictObject({
      pid: z.int(),
      name: z.string(),
      rssBytes: bytes,
      swapBytes: bytes,
      pageTablesBytes: bytes,
      scoreAdj: z.number().nullable(),
      killed: z.boolean(),
    }),
  ),
});

const told = (value: z.ZodType): z.ZodType =>
  z.strictObject({ value, because: z.string(), evidence: z.array(quote) }).nullable();

const listed = z.strictObject({ count: z.number(), types: z.string() });

const zoneSaid = z.strictObject({
  node: z.int(),
  zone: z.string(),
  presentKb: z.number().nullable(),
  managedKb: z.number().nullable(),
  freeKb: z.number().nullable(),
  minKb: z.number().nullable().describe("As printed, boost included; so are low and high."),
  lowKb: z.number().nullable(),
  highKb: z.number().nullable(),
  boostKb: z.number().nullable(),
  highatomicKb: z.number().nullable(),
  fileKb: z.number().nullable(),
  anonKb: z.number().nullable(),
  pcpKb: z.number().nullable().describe("On lists of all CPUs."),
  localPcpKb: z.number().nullable().describe("On lists of the CPU that was refused."),
  lowmemReserve: z.array(z.number()).nullable().describe("lowmem_reserve[], pages."),
  blocks: z
    .array(listed)
    .nullable()
    .describe("Free blocks by order from 0, with the letters of their lists; null where the line is missing or cut."),
  lists: z
    .array(z.array(listed))
    .nullable()
    .describe("The same with each list's blocks apart, where they were printed so.")
    .optional(),
});

const machine = z
  .strictObject({
    release: z
      .strictObject({ value: z.string(), because: z.string(), evidence: z.array(quote) })
      .describe("What was computed with: version and architecture."),
    pageKb: z.number(),
    memoryKb: told(z.number()).describe("All memory, kB."),
    zones: z.array(zoneSaid).describe("Zones of Mem-Info; null where it does not say."),
    zonesOfFiles: told(z.array(zoneSaid)).describe(
      "Zones as /proc/zoneinfo, pagetypeinfo and buddyinfo print them, at another moment than the report.",
    ),
    pageblocks: told(z.array(z.strictObject({ node: z.int(), zone: z.string(), blocks: z.array(listed) }))).describe(
      "Pageblocks by the letter of their type: /proc/pagetypeinfo.",
    ),
    ownedPages: told(
      z.strictObject({
        firstPfn: z.int(),
        runs: z
          .string()
          .nullable()
          .describe("12U40.3M: runs of pages in use of a type, or not listed (.); null where they cannot be used."),
        blocks: z.string().describe("The letter of each pageblock's type."),
        listed: z.int(),
        starts: z.array(z.strictObject({ node: z.int(), zone: z.string(), startPfn: z.int() })),
      }),
    ).describe("Where memory in use lies, page for page: page_owner."),
    held: z
      .strictObject({
        fileKb: z.number().nullable(),
        anonKb: z.number().nullable(),
        slabReclaimableKb: z.number().nullable(),
        slabUnreclaimableKb: z.number().nullable(),
        freeSwapKb: z.number().nullable(),
        anonHugeKb: z.number().nullable().describe("Of the programs' pages, those in transparent huge pages."),
      })
      .describe("Who held memory, over all zones."),
    buffers: told(z.string()).describe("The function on the stack that fills receive buffers of a kind of their own."),
    cpus: told(z.int()),
    minFreeKb: told(z.number()).describe("vm.min_free_kbytes, or what the zones' min marks add up to."),
    scaleFactor: told(z.number()).describe("vm.watermark_scale_factor."),
    mtu: told(z.int()).describe("MTU of the interface, where there is only one it can be."),
    rings: told(
      z.strictObject({ rx: z.number().nullable(), rxJumbo: z.number().nullable(), tx: z.number().nullable() }),
    ),
    queues: told(z.int()).describe("Queues that receive."),
    tso: told(z.boolean()).describe("TCP segmentation offload."),
    gro: told(z.boolean()).describe("Generic receive offload."),
    poolPages: told(z.int()).describe("Pages that a destroyed page_pool waits for."),
  })
  .describe("What the inputs say of the machine; null: they do not say.");

const incident = z.strictObject({
  kind: z.enum([
    "alloc_failure",
    "slab_failure",
    "bad_page",
    "oops",
    "skb_panic",
    "slab_corruption",
    "page_pool_stall",
    "oom",
    "mem_info",
    "suppressed",
    "driver_line",
  ]),
  title: z.string(),
  subject: z
    .strictObject({
      title: z.string(),
      asker: z
        .strictObject({ function: z.string(), module: z.string().nullable() })
        .nullable()
        .describe("The function that asked for memory, and its module; null where the report does not show it."),
      which: z
        .string()
        .nullable()
        .describe(
          "Which of its kind: a request that was refused (page, vmalloc, 2.4) or waits (stall), the field of a bad page, the scope of the OOM killer, the cache that could not grow; null where the report does not say.",
        ),
    })
    .describe(
      "What the report is about, without what is its own (pages, processes, hosts): alike on every machine that has the same trouble.",
    ),
  kernel: z.strictObject({
    release: z.string(),
    certainty: z.enum(["stated", "inferred"]),
    because: z.array(z.string()),
  }),
  order: z.int().nullable(),
  bytes: z.number().nullable(),
  gfp: z.strictObject({ mask: z.string().regex(/^0x[0-9a-f]+$/), names: z.array(z.string()) }).nullable(),
  driver: z.string().nullable(),
  direction: z.enum(["rx refill", "rx", "tx", "tx completion", "setup", "neither"]).nullable(),
  wanted: z.string().nullable(),
  cause: z.string(),
  severity: z
    .enum(severities)
    .describe("Worst first; unknown: the text is cut where it would have said whether memory was corrupted."),
  findings: z.array(finding),
  advice: z
    .array(advice.extend({ measured: measured.optional() }))
    .describe("The advice of all findings in the order shown, each once; after --prove ranked by what was measured."),
  count: z.int().min(1).describe("Reports of this cause, those included that the kernel's rate limit did not print."),
  suppressed: z.int().describe("How many of count were only counted by a rate-limit line."),
  occurrences: z.array(occurrence),
  episode: z
    .int()
    .nullable()
    .describe("Causes of one moment have the same number; null where nothing else happened then."),
  mtuTable: mtuTable.nullable(),
  machine,
  memory: memory.nullable().describe("The zones as rebuilt from the report; null without Mem-Info, mask and order."),
  oom: oomPicture.nullable().describe("What filled memory; null but for reports of the OOM killer."),
});

const interval = z.strictObject({ estimate: z.number(), low: z.number(), high: z.number() });

const proof = z
  .strictObject({
    title: z.string(),
    refused: z.string().nullable().describe("Why nothing was run; null when something was."),
    standsFor: z
      .string()
      .nullable()
      .describe("What replaces a part that the model does not have, or a cause that the report does not prove."),
    assumptions: z
      .array(
        z.strictObject({
          what: z.string(),
          value: z.string(),
          from: z
            .enum(["report", "computed", "scaled", "tuned", "assumed", "given"])
            .describe(
              "report: a line says so. computed: from lines. scaled: smaller, in proportion. tuned: tried until it failed as the report did. assumed: nothing says so. given: a person said so for this proof.",
            ),
          because: z.string(),
          evidence: z.array(quote),
        }),
      )
      .describe("The machine that was built."),
    assumed: z
      .array(z.strictObject({ what: z.string(), value: z.string(), because: z.string() }))
      .optional()
      .describe("What of the machine no line of the inputs says."),
    likeness: z
      .array(
        z.strictObject({
          what: z.string(),
          report: z.number(),
          machine: z.number(),
          matters: z.boolean().describe("A machine that differs here proves nothing about this report."),
          alike: z.boolean(),
        }),
      )
      .describe(
        "The report beside the machine at its first failure; empty where the report shows nothing to compare with.",
      ),
    curve: z
      .strictObject({
        what: z.string(),
        points: z.array(z.strictObject({ value: z.number(), rate: interval })),
        helps: z.boolean().describe("Some value lowers the failures."),
        knee: z
          .number()
          .nullable()
          .describe("The smallest value that gives nine tenths of the largest reduction seen."),
      })
      .nullable()
      .describe("How much is enough: failures against the value of one setting."),
    measure: z.string().describe("What the rates count."),
    seeds: z.int().describe("Sets of runs that were measured."),
    seedsPlanned: z.int().describe("Sets that were to be measured: more than `seeds` where the proof was stopped."),
    rows: z
      .array(
        z.strictObject({
          name: z.string(),
          change,
          advised: z.boolean().describe("False: no advice, tried beside it; note says why."),
          advice: z
            .string()
            .nullable()
            .describe("The action of the advice that this is; null: a mistake taken away, or tried beside."),
          provided: z
            .string()
            .nullable()
            .describe("What has to be so on the report's machine for this row to be its answer."),
          note: z.string().nullable(),
          measure: z.string().nullable().describe("What is counted here, where that is not the proof's measure."),
          before: interval,
          after: interval,
          difference: interval.describe("After minus before, set by set; 95 % interval (Student's t)."),
          verdict: z.enum(["lowers", "raises", "no clear difference"]),
          lostBefore: z.number().describe("Frames that the card lost, in the same unit of time."),
          lostAfter: z.number(),
        }),
      )
      .describe("Best first, then what was not advised."),
    untested: z.array(z.strictObject({ action: z.string(), why: z.string() })).describe("Advice that cannot be run."),
    experiment: z
      .record(z.string(), z.unknown())
      .nullable()
      .describe("The same as an experiment's file for `skblab experiment`."),
  })
  .describe("A cause's advice, tested by running (`--prove`).");

const ease = z.enum(["harmless", "watch", "act"]);
const state = z
  .strictObject({
    host: z.string().nullable(),
    inputs: z.array(z.string()),
    summary: z.string().describe("The worst statement, or that these files show no shortage."),
    severity: ease,
    findings: z.array(
      z.strictObject({
        id: z.string(),
        claim: z.string(),
        severity: ease,
        evidence: z.array(quote),
        advice: z.array(advice),
      }),
    ),
    room: z
      .array(
        z.strictObject({
          node: z.int(),
          zone: z.string(),
          context: z.enum(["atomic", "may wait", "movable"]).describe("Who asks."),
          orders: z.array(z.strictObject({ least: z.number().nullable(), most: z.number().nullable() })),
          kept: z.boolean().describe("The zone is kept for requests that can use no other."),
        }),
      )
      .describe("Requests that would be granted one after the other, by order from 0; null: the files do not say."),
    computedFor: z.string().nullable(),
    open: z.array(z.string()).describe("What these files leave open, with the file that would answer."),
  })
  .describe("A machine's memory by its files, without any report of trouble.");

export const diagnosisSchema = z
  .strictObject({
    schema: z.literal("skblab.diagnosis/1"),
    inputs: z.array(
      z.strictObject({
        name: z.string(),
        kind: z.string().optional().describe("What it was taken for, by its beginning."),
        bytes: z.number().nullable(),
        lines: z.number().nullable(),
        notes: z
          .array(z.strictObject({ line: z.int().nullable(), sentence: z.string() }))
          .describe("What was skipped, cut or repaired while reading."),
      }),
    ),
    incidents: z.array(incident),
    states: z
      .array(state)
      .optional()
      .describe("What /proc and its like say of each machine; absent without such a file."),
    since: z.string().optional().describe("With --since: reports before this moment were left out."),
    samples: z
      .array(
        z.strictObject({
          of: z.string().describe("What both samples' names begin with."),
          from: z.number().nullable().describe("Seconds since boot at which the first sample was whole."),
          to: z.number().nullable().describe("The same for the second."),
          moved: z
            .array(z.strictObject({ counter: z.string(), by: z.number(), input: z.string() }))
            .describe("Counters that rose between the samples, most first."),
          restarted: z
            .array(z.strictObject({ counter: z.string(), before: z.number(), after: z.number() }))
            .describe("Counters that fell: what they counted between is not known."),
          pools: z
            .array(
              z.strictObject({
                pool: z.int(),
                ifindex: z.int().nullable(),
                before: z.number(),
                after: z.number(),
              }),
            )
            .describe("Page pools whose pages in flight are another number in the second sample."),
          still: z.int().describe("Counters of trouble with the same value in both samples."),
          alone: z
            .array(z.string())
            .describe("Texts with such counters that only one of the samples has: they cannot be compared."),
        }),
      )
      .optional()
      .describe("What moved between the two samples of each machine that `skblab collect` was run on."),
    proofs: z.array(proof).optional().describe("With --prove: one for each incident, in the same order."),
  })
  .describe("What skblab diagnose found.");

/** The published JSON Schema (draft 2020-12), as text. */
export function diagnosisJsonSchema(): string {
  const schema = z.toJSONSchema(diagnosisSchema);
  return `${JSON.stringify({ $id: "skblab.diagnosis/1", title: "skblab diagnosis", ...schema }, null, 2)}\n`;
}
