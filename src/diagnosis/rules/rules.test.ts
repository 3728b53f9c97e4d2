// The list of rules, and the questions that no test of a single rule puts: each with a text that answers it.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Part } from "../../kernel/readings/part.ts";
import { cut, none, nothingMissing, whole } from "../../kernel/readings/part.ts";
import type { FindingId } from "../asked.ts";
import { findingOf } from "../asked.ts";
import { episodeQuestions } from "../episodes.ts";
import { diagnoseTexts } from "../field.testkit.ts";
import type { Answer, Finding } from "../finding.ts";
import { missed, shown } from "../finding.ts";
import { groupQuestions } from "../group.ts";
import type { Question } from "../question.ts";
import { defineQuestions } from "../question.ts";
import { rules } from "./index.ts";

const src = join(import.meta.dirname, "../..");
const fixture = (name: string): string => readFileSync(join(src, "../fixtures", name), "utf8");

const declared: readonly (readonly [id: string, question: Question])[] = [
  ...rules.flatMap((r) => Object.entries<Question>(r.questions)),
  ...Object.entries<Question>(groupQuestions),
  ...Object.entries<Question>(episodeQuestions),
];

describe("the list of rules", () => {
  test("an id is declared once; what several rules answer is the same question", () => {
    const words = new Map<string, Question>();
    for (const [id, question] of declared) {
      expect(words.get(id) ?? question).toBe(question);
      words.set(id, question);
    }
    expect(words.size).toBeGreaterThan(70);
  });

  test("no two questions have the same rank", () => {
    const ranks = new Map(declared.flatMap(([id, q]) => (q.rank === undefined ? [] : [[id, q.rank] as const])));
    expect(new Set(ranks.values()).size).toBe(ranks.size);
    expect(ranks.size).toBeGreaterThan(8);
  });

  test("rules have names of their own, and one question at least", () => {
    expect(new Set(rules.map((r) => r.id)).size).toBe(rules.length);
    expect(rules.filter((r) => Object.keys(r.questions).length === 0)).toEqual([]);
  });

  test("every id is claimed in a test", () => {
    const tests = (readdirSync(src, { recursive: true }) as string[]).filter((f) =>
      /\.(?:test|testkit)\.[jt]s$/.test(f),
    );
    const text = tests.map((f) => readFileSync(join(src, f), "utf8")).join("\n");
    const claims = (id: string): string => (id.endsWith(".") ? `"${id}` : `"${id}"`);
    expect(declared.map(([id]) => id).filter((id) => !text.includes(claims(id)))).toEqual([]);
  });

  test("a misspelt id does not compile", () => {
    const { yes } = defineQuestions({ "ring.empty": {}, "ring.slot.": {} });
    const said: readonly Finding[] = [
      yes("ring.empty", "It is.", []),
      yes("ring.slot.4", "It is.", []),
      // @ts-expect-error: no such question is declared.
      yes("ring.emtpy", "It is.", []),
    ];
    expect(said).toHaveLength(3);
    // @ts-expect-error: the pools' question is page_pool.leak.
    expect(findingOf(said, "pool.leak")).toBeUndefined();
  });

  test("an answer that no line carries is none; a question's words go with its answer", () => {
    const { yes, no, unknown } = defineQuestions({
      "ring.empty": { question: "Is it empty?", rank: 3, clears: "the ring" },
    });
    expect(yes("ring.empty", "It is.", [])).toMatchObject({ answer: "unknown", question: "Is it empty?", rank: 3 });
    const line = { input: "a", line: 1, text: "x" };
    expect(no("ring.empty", "It is not.", shown(line.text, [line]))).toMatchObject({
      answer: "no",
      clears: "the ring",
      evidence: [line],
    });
    expect(unknown("ring.empty", { lacks: "its line" }).claim).toBe("The report does not say: it lacks its line.");
  });
});

describe("a no takes what lines say, or the proof that nothing is missing: nothing else compiles", () => {
  const { yes, no } = defineQuestions({
    "ring.empty": {},
    "ring.first": { absence: "yes" },
    "ring.slot.": { absence: "yes" },
  });
  const line = { input: "a", line: 1, text: "CPU: 0 PID: 7" };
  const name: string | undefined = [line.text].find((text) => text.includes("tg3"));
  const frames: Part<readonly string[]> = cut(["tg3_poll"], "the end of the call trace");
  const perhaps = none(frames, (f) => f === "tg3");

  test("lines alone are no ground, nor is a value that may be missing, the truth of a search, or a word of our own", () => {
    const said = (): readonly Finding[] => [
      // @ts-expect-error: that lines are near does not say what they say.
      no("ring.empty", "Nobody of it is here.", [line]),
      // @ts-expect-error: the name may be missing.
      no("ring.empty", "Nobody of it is here.", shown(name, [line])),
      // @ts-expect-error: that a search found nothing is no proof.
      no("ring.empty", "Nobody of it is here.", shown(name === undefined, [line])),
      // @ts-expect-error: nor is a word that no line has.
      no("ring.empty", "Nobody of it is here.", shown("nobody", [line])),
      // @ts-expect-error: a list is not closed by being empty.
      no("ring.empty", "Nobody of it is here.", { absent: [], near: [line] }),
      // @ts-expect-error: nobody but the extent of a part makes a proof.
      no("ring.empty", "Nobody of it is here.", { absent: { because: "it is so" }, near: [line] }),
      // @ts-expect-error: a part may be cut.
      no("ring.empty", "Nobody of it is here.", missed(perhaps, [line])),
      // @ts-expect-error: this yes says that nothing was there before.
      yes("ring.first", "It is the first.", [line]),
      // @ts-expect-error: and so says this one, of each slot.
      yes("ring.slot.4", "It is the first.", shown(line.text, [line])),
    ];
    expect(said).toBeTypeOf("function");
  });

  test("a whole part gives the proof, a cut one none", () => {
    const found = (part: Part<readonly string[]>): Finding | undefined => {
      const nobody = none(part, (f) => f === "tg3");
      return nobody === undefined ? undefined : no("ring.empty", "Nobody of it is here.", missed(nobody, [line]));
    };
    expect(found(frames)).toBeUndefined();
    expect(found(whole(["tg3"], "it has an end"))).toBeUndefined();
    expect(found(whole(["cpu_idle"], "it has an end"))?.answer).toBe("no");
    const first = nothingMissing(whole([], "it has an end"));
    expect(first && yes("ring.first", "It is.", missed(first, [line])).answer).toBe("yes");
  });
});

/** A report of SLUB's debugging, 6.1. */
const slub = (what: string, ...lines: string[]): string =>
  [
    "=============================================================================",
    `BUG ${what}`,
    "-----------------------------------------------------------------------------",
    "",
    ...lines,
    "Allocated in __alloc_skb+0x88/0x190 age=12 cpu=0 pid=77",
    "Slab 0xffffea00000f1000 objects=14 used=1 fp=0xffff888003c41000 flags=0x100000000010200(slab|head|node=0|zone=1)",
    "Object 0xffff888003c40000 @offset=0 fp=0x0000000000000000",
  ]
    .map((line, i) => `[  100.0000${10 + i}] ${line}`)
    .join("\n");

const offloads = "Features for eth0:\ngeneric-receive-offload: on\nlarge-receive-offload: on\n";

const cases: readonly (readonly [
  id: FindingId,
  answer: Answer,
  says: RegExp,
  texts: Readonly<Record<string, string>>,
])[] = [
  ["bad_page.whole_block", "yes", /one block of several pages/, { log: fixture("logs/ppc405ex_emac_2009.txt") }],
  ["kernel.backport", "yes", /does not fit the stated release/, { log: fixture("field/b_zones_lost_el8.txt") }],
  ["missing.interface", "unknown", /which MTU, ring size/, { log: fixture("logs/tg3_gentoo_2009.txt") }],
  ["offload.gso", "no", /tg3_alloc_rx_skb makes a buffer/, { log: fixture("logs/tg3_gentoo_2009.txt") }],
  ["offload.sg", "no", /changes packets that are sent/, { log: fixture("logs/tg3_gentoo_2009.txt") }],
  ["offload.gso", "unknown", /pskb_expand_head copies a whole packet/, { log: fixture("field/c_xmit.txt") }],
  ["offload.sg", "unknown", /^Without scatter-gather a packet/, { log: fixture("field/c_xmit.txt") }],
  ["offload.gro", "no", /allocates no ring buffers/, { log: fixture("logs/tg3_gentoo_2009.txt"), k: offloads }],
  ["offload.lro", "unknown", /is on; some drivers/, { log: fixture("logs/tg3_gentoo_2009.txt"), k: offloads }],
  ["oom.kernel_memory", "no", /3\.03 MiB, 5 % of the machine/, { log: fixture("logs/failures_6.1.txt") }],
  ["oom.largest", "yes", /dd \[82\] 1\.98 MiB/, { log: fixture("logs/failures_6.1.txt") }],
  ["oom.victim", "yes", /killed dd \[82\]/, { log: fixture("logs/failures_6.1.txt") }],
  ["oom.panic", "yes", /deadlocked on memory/, { log: fixture("logs/slab_oom_6.1.txt") }],
  [
    "slab.before",
    "yes",
    /in front of an object of kmalloc-512/,
    { log: fixture("field/p_kmalloc512_redzone_arm.txt") },
  ],
  ["slab.broken", "unknown", /the report's first line/, { log: fixture("field/p_natflow_poison.txt") }],
  ["slab.packet_memory", "yes", /a packet or its buffer/, { log: fixture("logs/slub_debug_6.1.txt") }],
  ["slab.packet_memory", "unknown", /serves many callers/, { log: fixture("field/p_kmalloc512_redzone_arm.txt") }],
  ["slab.state", "unknown", /pattern of a free object/, { log: fixture("field/p_head_redzone_mips.txt") }],
  [
    "slab.out_of_bounds",
    "yes",
    /behind an object of kmalloc-2k \(4 bytes\)/,
    {
      log: slub(
        "kmalloc-2k (Not tainted): Right Redzone overwritten",
        "0xffff888003c40800-0xffff888003c40803 @offset=2048. First byte 0x41 instead of 0xcc",
      ),
    },
  ],
  ["slab.double_free", "yes", /freed twice/, { log: slub("skbuff_head_cache (Not tainted): Object already free") }],
  ["wanted.request", "yes", /0xa20 = GFP_ATOMIC: it may not wait/, { log: fixture("logs/e1000_refill_6.1.txt") }],
  ["why.vmalloc", "yes", /A size of 0 is refused at once/, { log: fixture("field/a_vmalloc_zero_1.txt") }],
  ["state.zone.0.Normal", "no", /below its min mark of 12\.9 MiB/, { log: fixture("field/a_orphan_meminfo_2.txt") }],
  ["state.zone.0.DMA", "unknown", /nor what its marks are/, { log: fixture("field/a_orphan_meminfo_2.txt") }],
  ["state.zone.0.DMA", "yes", /above its high mark/, { log: fixture("field/a_orphan_meminfo_1_ok.txt") }],
];

test.each(cases)("%s: %s", async (id, answer, says, texts) => {
  const found = (await diagnoseTexts(texts)).incidents.flatMap((i) => i.findings.filter((f) => f.id === id));
  expect(found.map((f) => f.answer)).toContain(answer);
  expect(found.find((f) => f.answer === answer && says.test(f.claim))).toBeDefined();
});
