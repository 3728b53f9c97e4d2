// What a bad page's record says beside the kernel's first complaint.
import { describe, expect, test } from "vitest";
import { explain } from "../explain.ts";
import type { DiagnosedIncident, Finding } from "../finding.ts";
import { blockEndingAt } from "./bad_page.ts";

const one = async (text: string): Promise<DiagnosedIncident> => {
  const d = await explain({ log: text });
  expect(d.incidents).toHaveLength(1);
  return d.incidents[0] as DiagnosedIncident;
};
const answer = (i: DiagnosedIncident, id: string): Finding["answer"] | undefined =>
  i.findings.find((f) => f.id === id)?.answer;
const claim = (i: DiagnosedIncident, id: string): string => i.findings.find((f) => f.id === id)?.claim ?? "";

const page = (fields: string, raw: string, reason: string, rest = ""): string =>
  `BUG: Bad page state in process nginx  pfn:1a2b3c\npage:ffffea00068acf00 ${fields} index:0x0 pfn:0x1a2b3c\nflags: 0x17ffffc0000000()\n${raw}page dumped because: ${reason}\n${rest}CPU: 3 PID: 8810 Comm: nginx Not tainted 6.8.0 #1\n`;
const sound = "refcount:0 mapcount:0 mapping:0000000000000000";
const words = (second: string): string =>
  `raw: 0017ffffc0000000 ${second} ffff88810d23c000 0000000000000000\nraw: 0000000000000000 0000000000000001 00000000ffffffff 0000000000000000\n`;

describe("the sign of a count", () => {
  test.each([
    ["refcount:-1 mapcount:0", /below zero: the page was released once too often/],
    ["refcount:-3 mapcount:0", /released 3 times too often/],
    ["refcount:1 mapcount:0", /a reference is still held/],
    ["refcount:2 mapcount:0", /2 references are still held/],
  ])("%s", async (counts, said) => {
    const i = await one(page(`${counts} mapping:0000000000000000`, "", "nonzero _refcount"));
    expect(claim(i, "bad_page.reason")).toMatch(said);
    expect(i.severity).toBe("corruption");
  });
  test("a mapcount below zero is no mapping that is left", async () => {
    expect(
      claim(
        await one(page("refcount:0 mapcount:-1 mapping:0000000000000000", "", "nonzero mapcount")),
        "bad_page.reason",
      ),
    ).toMatch(/unmapped too often/);
  });
  test("mapcount -127 is the old mark of a free page: a double free", async () => {
    expect(
      answer(
        await one(page("refcount:0 mapcount:-127 mapping:0000000000000000", "", "nonzero mapcount")),
        "bad_page.double_free",
      ),
    ).toBe("yes");
  });
});

test("the size of struct page puts its table on the start of a page", async () => {
  const said = async (size: number, off = 0): Promise<string> => {
    const address = (0xc1000000 + off + 0x1a2b * size).toString(16);
    return claim(
      await one(
        `BUG: Bad page state in process nginx  pfn:1a2b\npage:${address} count:-1 mapcount:0 mapping:(null) index:0x0\nflags: 0x40000000()\nCPU: 3 PID: 8810 Comm: nginx Not tainted 4.9.0-4-686 #1\n`,
      ),
      "bad_page.struct_page",
    );
  };
  for (const size of [28, 32, 36, 40])
    expect(await said(size)).toMatch(new RegExp(`minus pfn × ${size} bytes is 0xc1000000, the start of a page`));
  for (const size of [24, 27, 29, 33, 37, 41, 44]) expect(await said(size)).toBe("");
  expect(await said(32, 1)).toBe("");
  expect(await said(32, 4095)).toBe("");
});

test("a block ends where its last page has as many ones, up to the largest that there is", () => {
  expect([0, 1, 3, 5, 7, 0x3ff, 0x7ff, 0xfff].map((pfn) => blockEndingAt(pfn))).toEqual([
    { order: 0, first: 0 },
    { order: 1, first: 0 },
    { order: 2, first: 0 },
    { order: 1, first: 4 },
    { order: 3, first: 0 },
    { order: 10, first: 0 },
    { order: 10, first: 0x400 },
    { order: 10, first: 0xc00 },
  ]);
});

test("a page of a block is no sign of two owners where the stack gives back the whole block", async () => {
  const stack = (...names: readonly string[]): string =>
    `Call Trace:\n <TASK>\n${["dump_stack_lvl", "bad_page", ...names, "my_free"].map((n) => ` ${n}+0x12/0x340\n`).join("")} </TASK>\n`;
  const freed = async (...names: readonly string[]): Promise<string> =>
    claim(
      await one(
        page(sound, "", "nonzero mapcount").replace("0x17ffffc0000000()", "0x17ffffc0000000(tail)") + stack(...names),
      ),
      "bad_page.double_free",
    );
  for (const name of ["__free_pages_ok", "free_compound_page", "destroy_large_folio"])
    expect(await freed("free_pages_prepare", name), name).toMatch(/each of its pages is checked/);
  expect(await freed("free_pages_prepare", "free_unref_page")).toMatch(/whether the block or the page alone was freed/);
});

describe("the record was written over", () => {
  test("two words of one byte repeated are; one is not, and 00 and ff never are", async () => {
    const over = await one(
      page(
        "refcount:-117901064 mapcount:0 mapping:00000000f8f8f8f8",
        words("e3e3e3e3e3e3e3e3"),
        "page still charged to cgroup",
      ),
    );
    expect(answer(over, "bad_page.overwritten")).toBe("yes");
    // What the kernel complains of first says nothing of the whole.
    expect(claim(over, "bad_page.reason")).toBe('The kernel\'s reason is "page still charged to cgroup".');
    const single = await one(page(sound, words("e3e3e3e3e3e3e3e3"), "non-NULL mapping"));
    expect(answer(single, "bad_page.overwritten")).toBeUndefined();
    const honest = await one(page(sound, words("ffffffffffffffff"), "nonzero mapcount"));
    expect(answer(honest, "bad_page.overwritten")).toBeUndefined();
  });
  test("one bit in a pointer is a flipped bit; the two lowest bits of mapping are flags of its own", async () => {
    const bit = await one(page("refcount:0 mapcount:0 mapping:0000000000800000", "", "non-NULL mapping"));
    expect(bit.cause).toMatch(/exactly one bit is set \(bit 23\)/);
    const flag = await one(page("refcount:0 mapcount:0 mapping:0000000000000001", "", "non-NULL mapping"));
    expect(answer(flag, "bad_page.overwritten")).toBeUndefined();
    expect(answer(flag, "bad_page.reason")).toBe("yes");
  });
});

describe("a page_pool's mark", () => {
  const leak = page(sound, words("dead000000000040"), "page_pool leak", "Modules linked in: l7fw(OE) xt_conntrack\n");
  const freed = (frame: string): string =>
    `Call Trace:\n <TASK>\n dump_stack_lvl+0x36/0x50\n bad_page+0x70/0xf0\n free_unref_page+0x38/0x120\n ${frame}+0x15f/0x200\n`;
  const end = " kthread+0xd7/0x100\n ret_from_fork+0x34/0x50\n ret_from_fork_asm+0x1b/0x30\n </TASK>\n";
  test("with it the pool leaks: serious, and no corruption where the whole stack shows that no packet was released", async () => {
    const i = await one(leak + freed("esp_ssg_unref") + end);
    expect(answer(i, "bad_page.page_pool")).toBe("yes");
    expect(i).toMatchObject({
      severity: "act",
      cause: "A page of a page_pool was freed past its pool: the pool leaks.",
    });
    expect(claim(i, "taint.foreign")).toMatch(/l7fw/);
    expect(answer(i, "taint.first")).toBeUndefined();
  });
  test.each([
    ["no stack", leak, "unknown"],
    ["its beginning only", leak + freed("esp_ssg_unref"), "unknown"],
    ["a packet's release, however much is missing", leak + freed("skb_release_data"), "corruption"],
    ["no reason, which may have been the leak", leak.replace(/page dumped because.*\n/, ""), "unknown"],
    ["a reason that was cut", leak.replace("page_pool leak", "page_pool le"), "unknown"],
    ["another reason", leak.replace("page_pool leak", "nonzero mapcount"), "corruption"],
    ["no raw words, which hold the mark", leak.replace(/raw: .*\n/g, ""), "unknown"],
  ])("%s", async (_, text, severity) => {
    expect((await one(text)).severity).toBe(severity);
  });
  test("without it no pool had the page, whatever the reason says", async () => {
    const i = await one(page(sound, words("00000000118022c0"), "page_pool leak"));
    expect(answer(i, "bad_page.page_pool")).toBe("no");
    expect(i.severity).toBe("watch");
  });
});

test("names that the kernel printed go before any table", async () => {
  const i = await one(
    "BUG: Bad page state in process worker  pfn:cb1a8\npage:ffffea00032c6a00 count:0 mapcount:0 mapping:          (null) index:0x0\npage flags: 0x100000000004080(slab|head)\n",
  );
  expect(claim(i, "bad_page.flags")).toBe("flags 100000000004080 mean slab|head, by the kernel's own words.");
});

test("a slab page freed as a fragment: the head was kmalloced, no ring is to blame", async () => {
  const i = await one(`BUG: Bad page state in process swapper/0  pfn:104300
page:00000000ce81ba6f refcount:0 mapcount:0 mapping:0000000000000000 index:0x0 pfn:0x104300
flags: 0x2ffff00000010200(slab|head|node=0|zone=2|lastcpupid=0xffff)
page dumped because: PAGE_FLAGS_CHECK_AT_FREE flag(s) set
CPU: 0 PID: 0 Comm: swapper/0 Not tainted 5.15.0 #468
Call trace:
 bad_page+0x12c/0x170
 page_frag_free+0xcc/0xe0
 skb_free_head+0x6c/0x94
 skb_release_data+0x110/0x160
`);
  expect(i.cause).toMatch(/freed as a page fragment/);
  expect(answer(i, "bad_page.packet_memory")).toBe("yes");
  expect(
    i.findings
      .flatMap((f) => f.advice)
      .map((a) => a.action)
      .join(),
  ).toMatch(/build_skb\(data, 0\)/);
});

test("page_owner with [inline] frames names the hand, and its frames are not the stack's", async () => {
  const i = await one(`BUG: Bad page state in process test_progs  pfn:346a0
page: refcount:0 mapcount:0 mapping:0000000000000000 index:0x0 pfn:0x346a0
flags: 0xfff00000000000(node=0|zone=1|lastcpupid=0x7ff)
page dumped because: nonzero _refcount
page_owner tracks the page as allocated
page last allocated via order 0, migratetype Unmovable, gfp_mask 0x2820(GFP_ATOMIC|__GFP_NOWARN), pid 5947, tgid 5942 (test_progs), ts 50555560392, free_ts 50198891047
 set_page_owner include/linux/page_owner.h:32 [inline]
 post_alloc_hook+0x2d1/0x350 mm/page_alloc.c:1537
 get_page_from_freelist+0x101e/0x3070 mm/page_alloc.c:3457
 __page_pool_alloc_pages_slow+0x18f/0x770 net/core/page_pool.c:538
CPU: 3 UID: 0 PID: 5947 Comm: test_progs Not tainted 6.12.0-rc5 #0
Call Trace:
 bad_page+0xb3/0x1f0 mm/page_alloc.c:501
 free_unref_page+0x657/0xdc0 mm/page_alloc.c:2638
 skb_free_head+0xa0/0x1d0 net/core/skbuff.c:1096
`);
  expect(claim(i, "bad_page.owner")).toMatch(/allocated by __page_pool_alloc_pages_slow/);
  expect(answer(i, "bad_page.process_guilty")).toBeUndefined();
});

test("a report without its first line is found by its body and said to be headless", async () => {
  const i = await one(`[55113.058016] page:cffa34e0 count:-1 mapcount:0 mapping:  (null) index:0x0
[55113.064811] flags: 0x0()
[55113.067398] page dumped because: nonzero _count
[55113.073011] CPU: 0 PID: 0 Comm: swapper/0 Not tainted 4.4.14 #5
[55113.075811] [<c0236a38>] (dump_stack) from [<c0092f0c>] (bad_page+0xd8/0x118)
`);
  expect(i).toMatchObject({ kind: "bad_page", severity: "corruption" });
  expect(claim(i, "missing.parts")).toMatch(/first line/);
});

test("two pages at once: flags and raw words go to the one that waits for them", async () => {
  const d = await explain({
    log: `BUG: Bad page state in process swapper/18  pfn:208818e
page: refcount:0 mapcount:0 mapping:0000000000000000 index:0x208818e000 pfn:0x208818e
BUG: Bad page state in process swapper/54  pfn:208a430
flags: 0x57ffffc0000000(node=1|zone=2|lastcpupid=0x1fffff)
raw: 0057ffffc0000000 dead000000000040 ffff9c30e2f97800 0000000000000000
`,
  });
  expect(d.incidents).toMatchObject([{ title: "Bad page state of pfn 0x208818e", count: 2 }]);
  expect(answer(d.incidents[0] as DiagnosedIncident, "bad_page.page_pool")).toBe("yes");
});

/** Two reports of 6.1, the first of which ends behind its page's own line. */
const cutPage = (apart: number): string => {
  const stamp = (i: number, at = 1000 + apart) => `[ ${(at + i / 10_000).toFixed(6)}]`;
  return `${stamp(1, 1000)} BUG: Bad page state in process ksoftirqd/1  pfn:12345
${stamp(2, 1000)} page:ffffea0000491d40 refcount:-1 mapcount:0 mapping:0000000000000000 index:0x0 pfn:0x12345
${stamp(3)} BUG: Bad page state in process swapper/0  pfn:54321
${stamp(4)} page:ffffea00015094c0 refcount:0 mapcount:0 mapping:dead000000000400 index:0x1 pfn:0x54321
${stamp(5)} flags: 0xfffffc0000000(node=0|zone=1|lastcpupid=0x1fffff)
${stamp(6)} page dumped because: non-NULL mapping
${stamp(7)} CPU: 0 PID: 0 Comm: swapper/0 Not tainted 6.1.0 #1
${stamp(8)} Call Trace:
${stamp(9)}  bad_page.cold+0x63/0x94
${stamp(10)}  free_pcppages_bulk+0x1a4/0x390
${stamp(11)}  page_frag_free+0x62/0x70
${stamp(12)}  skb_release_data+0x12e/0x1d0
`;
};

/** What a report says that only stands below the second page. */
const saysOfSecond = (i: DiagnosedIncident | undefined): boolean[] => [
  /non-NULL mapping/.test(i === undefined ? "" : claim(i, "bad_page.reason")),
  i !== undefined && answer(i, "bad_page.flags") === "no",
];

test("a page's report that was cut off is not told the flags, the reason and the stack of the next one a second later", async () => {
  const d = await explain({ log: cutPage(1) });
  const [first, second] = d.incidents as readonly DiagnosedIncident[];
  expect(d.incidents).toHaveLength(2);
  expect(first).toMatchObject({ title: "Bad page state of pfn 0x12345" });
  expect(saysOfSecond(first)).toEqual([false, false]);
  expect(answer(first!, "bad_page.packet_memory")).not.toBe("yes");
  expect(second).toMatchObject({ title: "Bad page state of pfn 0x54321" });
  expect(saysOfSecond(second)).toEqual([true, true]);
  expect(answer(second!, "bad_page.packet_memory")).toBe("yes");
});

test("two pages at once, and flags of one: whose they are is not known", async () => {
  const d = await explain({ log: cutPage(0) });
  expect(d.incidents).toHaveLength(2);
  for (const i of d.incidents as readonly DiagnosedIncident[]) expect(saysOfSecond(i)).toEqual([false, false]);
});
