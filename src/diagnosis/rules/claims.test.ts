// What a claim says where only a word or two depend on the report: each row is a report and what must, or must not, stand in the answer to one question.
// Kept answers (fixtures/answers) hold the rest, and leave words out.
import { describe, expect, test } from "vitest";
import { log } from "../answers_kept.testkit.ts";
import { diagnoseTexts } from "../field.testkit.ts";
import { buddyinfo, zoneinfo } from "../state/zone_files.testkit.ts";
import { killed } from "./killed.testkit.ts";
import { memory } from "./memory.testkit.ts";
import { allocFailure, bySoftirq, bySyscall, refilling, slubFailure } from "./report.testkit.ts";

/** Every claim to a question, of all incidents of a text. */
async function claims(text: Readonly<Record<string, string>>, id: string): Promise<string> {
  const { incidents, states = [] } = await diagnoseTexts(text);
  return [...incidents.flatMap((i) => i.findings), ...states.flatMap((s) => s.findings)]
    .filter((f) => f.id === id)
    .map((f) => f.claim)
    .join("\n");
}
type Row = readonly [name: string, text: Readonly<Record<string, string>>, says: RegExp, not: RegExp];
const says = (id: string, rows: readonly Row[]): void => {
  describe(id, () => {
    test.each(rows)("%s", async (_name, text, wanted, other) => {
      const claim = await claims(text, id);
      expect(claim).toMatch(wanted);
      expect(claim).not.toMatch(other);
    });
  });
};

const comp = "0x40a20(GFP_ATOMIC|__GFP_COMP)";
const request = (told: Parameters<typeof allocFailure>[0]): Readonly<Record<string, string>> => ({
  "kern.log": allocFailure({ frames: refilling, ...told }),
});
const stalled = (told: Parameters<typeof allocFailure>[0]): Readonly<Record<string, string>> => ({
  "kern.log": allocFailure({ frames: refilling, release: "4.12.0", mask: "0x14000c0(GFP_KERNEL)", ...told }).replace(
    "page allocation failure:",
    "page allocation stalls for 10004ms,",
  ),
});
const one = (blocks: readonly (number | string)[]) => memory([{ blocks }]);
const unmarked = (lines: readonly string[]): readonly string[] =>
  lines.map((l) => l.replace(/min:\d+kB low:\d+kB high:\d+kB /, ""));
const reserve = { name: "DMA32", reserve: [0, 90, 90], blocks: [200], managed: 40_000 };

says("why.refused", [
  [
    "a single page needs a mark",
    request({ memInfo: [] }),
    /Its zone lines \(free, min\) would show which mark/,
    /fragmentation|2\.6\.18/,
  ],
  [
    "blocks need lists",
    request({ order: 2, mask: comp, memInfo: [] }),
    /and buddy lines would tell a shortage from fragmentation/,
    /which mark/,
  ],
  [
    "old kernels print none",
    request({ release: "2.6.16", mask: "0x20", memInfo: [] }),
    /which kernels before 2\.6\.18 did not print/,
    /undefined/,
  ],
  [
    "zone lines lost",
    request({ memInfo: one([20]).filter((l) => !/Normal|lowmem/.test(l)) }),
    /its zone lines are missing/,
    /is not known/,
  ],
  ["one node", request({ memInfo: one([20]) }), /every zone the request may use refuses it/, /of a node/],
  [
    "served by now",
    request({ memInfo: one([500]) }),
    /would serve the request from Normal\. .*memory had come back by then/,
    /neither a shortage nor a race/,
  ],
  ["far too much", request({ memInfo: one([20_000]) }), /neither a shortage nor a race explains it/, /had come back/],
]);
says("why.waits", [
  ["nothing there", stalled({ memInfo: [] }), /what it waited for: it has no Mem-Info/, /is not known/],
  [
    "zone lines lost",
    stalled({ memInfo: one([20]).filter((l) => !/Normal|lowmem/.test(l)) }),
    /its zone lines are missing/,
    /no Mem-Info/,
  ],
  ["still refused", stalled({ memInfo: one([50]) }), /every zone it may use still refused it/, /would serve/],
  [
    "over",
    stalled({
      memInfo: memory([
        { ...reserve, blocks: [20] },
        { blocks: [5000], reserve: [0, 0, 0] },
      ]),
    }),
    /would serve the request from Normal: the wait was over/,
    /DMA32/,
  ],
  ["marks lost", stalled({ memInfo: unmarked(one([50])) }), /does not say enough to repeat/, /would serve/],
]);
says("why.free_unusable", [
  [
    "one block that small",
    request({ order: 2, mask: comp, memInfo: memory([{ blocks: [20, 0, 1], reserve: [0, 0] }]) }),
    /1 block of order 2 or more in Normal was there, but the zone as a whole was at its mark/,
    /were there|of that time/,
  ],
  [
    "two blocks",
    request({ order: 2, mask: comp, memInfo: memory([{ blocks: [20, 0, 2], reserve: [0, 0] }]) }),
    /2 blocks of order 2 or more in Normal were there/,
    /was there/,
  ],
  [
    "a part for others",
    request({
      mask: "0xcc0(GFP_KERNEL)",
      memInfo: memory([
        { ...reserve, blocks: [130] },
        { blocks: [20], reserve: [0, 0, 0] },
      ]),
    }),
    /free in zones it may use, a part was not available/,
    /that the text has/,
  ],
  [
    "a zone lost",
    request({
      mask: "0xcc0(GFP_KERNEL)",
      memInfo: memory([
        { ...reserve, blocks: [130] },
        { blocks: [20], reserve: [0, 0, 0] },
      ]).filter((l) => !/ Normal/.test(l)),
    }),
    /free in the zones that the text has, a part/,
    /zones it may use/,
  ],
  ["nothing for others", request({ memInfo: one([20]) }), /it was too little\.$/, /blocks that were too small/],
  [
    "nothing for others, and too small",
    request({ order: 2, mask: comp, memInfo: one([200]) }),
    /it was too little or in blocks that were too small/,
    /undefined/,
  ],
]);

const irq = (context: string): readonly string[] => [
  "foo_alloc+0x1/0x2 [foo]",
  "handle_irq_event+0x1/0x2",
  "asm_common_interrupt+0x22/0x40",
  `</${context}>`,
  "<TASK>",
  ...bySyscall,
];
const handler = (frames: readonly string[], mask = "0xa20(GFP_ATOMIC)", context = "IRQ") => ({
  "kern.log": allocFailure({ frames, mask, memInfo: [] }).replace("  <TASK>", `  <${context}>`),
});
/** As kernels before x86 printed the marks. */
const unmarkedTrace = (text: Readonly<Record<string, string>>): Readonly<Record<string, string>> => ({
  "kern.log": (text["kern.log"] ?? "").replace(/^.*<\/?(?:IRQ|TASK)>\n/gm, ""),
});
const unnamed = (context: string): readonly string[] => [
  "foo_alloc+0x1/0x2 [foo]",
  "foo_step+0x1/0x2 [foo]",
  `</${context}>`,
  "<TASK>",
  ...bySyscall,
];
const kernel = "0xcc0(GFP_KERNEL)";
says("context.atomic_needlessly", [
  ["a softirq by name", request({ memInfo: [] }), /it ran in a softirq \(net_rx_action\)/, /an interrupt/],
  [
    "an interrupt by name",
    unmarkedTrace(handler(irq("IRQ"))),
    /it ran in an interrupt \(handle_irq_event\)/,
    /softirq/,
  ],
  [
    "an interrupt by its mark",
    handler(unnamed("IRQ")),
    /it ran in an interrupt or a softirq \(<IRQ> in the call trace\)/,
    /NMI/,
  ],
  [
    "an NMI by its mark",
    handler(unnamed("NMI"), undefined, "NMI"),
    /it ran in an interrupt \(<NMI> in the call trace\)/,
    /softirq|<IRQ>/,
  ],
  [
    "a sleeper in an interrupt by its mark",
    handler(unnamed("IRQ"), kernel),
    /was made in an interrupt or a softirq \(<IRQ>/,
    /NMI/,
  ],
  [
    "a sleeper in an NMI by its mark",
    handler(unnamed("NMI"), kernel, "NMI"),
    /was made in an interrupt \(<NMI>/,
    /softirq/,
  ],
  [
    "a sleeper",
    request({ frames: ["foo_alloc+0x1/0x2 [foo]", ...bySyscall], mask: kernel, memInfo: [] }),
    /could reclaim memory for it before it gave up\.$/,
    /all the while|above order 3/,
  ],
  [
    "a sleeper for a large block",
    request({ frames: ["foo_alloc+0x1/0x2 [foo]", ...bySyscall], mask: kernel, order: 4, memInfo: [] }),
    /though for blocks above order 3 it does not try for long/,
    /all the while/,
  ],
  [
    "one that stalls",
    stalled({ frames: ["foo_alloc+0x1/0x2 [foo]", ...bySyscall], memInfo: [] }),
    /was reclaiming memory for it all the while/,
    /before it gave up/,
  ],
  [
    "a task that frees memory",
    request({
      comm: "kswapd0",
      frames: ["foo_alloc+0x1/0x2 [foo]", "kthread+0x1/0x2", "ret_from_fork+0x1/0x2"],
      mask: kernel,
      memInfo: [],
    }),
    /freeing memory itself \(kswapd0\)/,
    /undefined/,
  ],
]);

const nodes = [{ blocks: [20] }, { node: 1, blocks: [20] }];
const cgroup = (constraint: boolean) =>
  killed({
    memcg: ["memory: usage 100000kB, limit 100000kB, failcnt 37"],
    ...(constraint ? { constraint: "CONSTRAINT_MEMCG" } : {}),
    end: ["Memory cgroup out of memory: Killed process 77 (server) total-vm:4000kB, anon-rss:2000kB, file-rss:0kB"],
  });
const waiting = "0x40cc0(GFP_KERNEL|__GFP_COMP)";
says("oom.scope", [
  [
    "a cgroup by name",
    cgroup(true),
    /a cgroup reached its limit \(\/my\), 97\.7 MiB of 97\.7 MiB, limit hit 37 times/,
    /undefined/,
  ],
  ["a cgroup without its name", cgroup(false), /a cgroup reached its limit, 97\.7 MiB/, /undefined|\/my/],
  [
    "the machine",
    killed({ constraint: "CONSTRAINT_NONE" }),
    /The machine was really out of memory\. .*server only happened to allocate/,
    /nodes/,
  ],
  [
    "nodes of a cpuset",
    killed({ constraint: "CONSTRAINT_CPUSET" }),
    /The nodes that a cpuset or a memory policy allows were out of memory/,
    /really/,
  ],
  [
    "the constraint lost",
    killed({ zones: nodes, release: "4.4.0" }),
    /the machine, or the nodes that a cpuset allows, had no memory left/,
    /really/,
  ],
  [
    "before cpusets were printed",
    killed({ zones: nodes, release: "2.6.28" }),
    /really out of memory/,
    /that a cpuset allows/,
  ],
  ["since they are", killed({ zones: nodes, release: "2.6.29" }), /that a cpuset allows/, /really/],
  [
    "a block",
    killed({ order: 2, mask: waiting, zones: [{ blocks: [5000] }], constraint: "CONSTRAINT_NONE" }),
    /a single page would have been served\. .* server only happened to ask for such a block/,
    /does not say/,
  ],
  [
    "file cache left",
    killed({
      constraint: "CONSTRAINT_NONE",
      zones: [{ blocks: [20], managed: 40_000 }],
      more: { totals: { active_file: 480, inactive_file: 20 } },
    }),
    / 1\.95 MiB of file cache was there\./,
    /Only/,
  ],
  [
    "little of it left",
    killed({
      constraint: "CONSTRAINT_NONE",
      zones: [{ blocks: [20], managed: 40_000 }],
      more: { totals: { active_file: 479, inactive_file: 20 } },
    }),
    /Only 1\.95 MiB of file cache was left to reclaim\./,
    /was there/,
  ],
  [
    "what was in use",
    killed({
      constraint: "CONSTRAINT_NONE",
      more: {
        totals: {
          active_anon: 0,
          inactive_anon: 0,
          shmem: 20,
          slab_unreclaimable: 30,
          pagetables: 10,
          unevictable: 40,
        },
      },
    }),
    /In use were 160 KiB unevictable, 120 KiB unreclaimable slab and 80 KiB shared memory\./,
    /anonymous|page tables/,
  ],
]);
says("oom.largest", [
  [
    "one process",
    killed({ tasks: { server: 5 } }),
    /^The 1 process that the report lists: server \[77\] 20 KiB\.$/,
    /largest/,
  ],
  [
    "two",
    killed({ tasks: { server: 5, other: 9 } }),
    /^The largest of the 2 processes that the report lists: other \[78\] 36 KiB and/,
    /The 1/,
  ],
]);
says("oom.panic", [
  [
    "by order",
    killed({ end: ["Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled"] }),
    /vm\.panic_on_oom made the machine go down/,
    /Nothing was left/,
  ],
  [
    "for lack of tasks",
    killed({ end: ["Kernel panic - not syncing: System is deadlocked on memory"] }),
    /Nothing was left to kill/,
    /panic_on_oom made/,
  ],
]);
const rows = (...slabs: readonly (readonly [string, number])[]) => killed({ constraint: "CONSTRAINT_NONE", slabs });
says("oom.slabs", [
  [
    "packets among others",
    rows(["dentry", 3000], ["skbuff_head_cache", 2000]),
    /skbuff_head_cache 1\.95 MiB \(heads of packets\)\. Packets that nobody reads or frees/,
    /undefined/,
  ],
  ["no packets", rows(["dentry", 3000], ["TCP", 2000]), /TCP 1\.95 MiB \(sockets\)\.$/, /Packets that nobody/],
]);

const gone = (change: (text: string) => string) => ({
  "kern.log": change(allocFailure({ frames: refilling, memInfo: one([20]) })),
});
says("missing.parts", [
  [
    "one part",
    gone((t) => t.replace(/^.*PID: .*\n/m, "")),
    /its process line \(release, CPU, command\) is missing/,
    /are missing/,
  ],
  [
    "two parts",
    gone((t) => t.replace(/^.*PID: .*\n/m, "").replace(/^.*lowmem_reserve.*\n/gm, "")),
    / and .* are missing/,
    /is missing/,
  ],
]);

const wild = "BUG: unable to handle page fault for address: 6b6b6b6b6b6b6b83";
const fault = (taint: string, modules: string, frames: readonly string[], head = wild) =>
  log(
    head,
    `CPU: 1 PID: 77 Comm: server ${taint} 6.1.0-18-amd64 #1`,
    "RIP: 0010:some_function+0x6d/0x190",
    "Call Trace:",
    " <TASK>",
    ...[...frames, ...bySyscall].map((f) => ` ${f}`),
    " </TASK>",
    `Modules linked in: ${modules}`,
  );
says("oops.packet_memory", [
  [
    "its line lost",
    log(...["Call Trace:", " <TASK>", ...["my_step+0x1/0x2", ...bySyscall].map((f) => ` ${f}`)].toSpliced(0, 0, wild)),
    /the line that names where it stopped is missing/,
    /panic/,
  ],
]);
const page = (flags: string, ...more: readonly string[]) =>
  log(
    "BUG: Bad page state in process server  pfn:02d33",
    `page:00000000f1c2d3e4 refcount:0 mapcount:0 mapping:${"0".repeat(16)} index:0x0 pfn:0x2d33`,
    `flags: ${flags}`,
    "page dumped because: nonzero mapcount",
    ...more,
  );
says("bad_page.flags", [
  [
    "bits that are no flags",
    page("0x4000000000000000()"),
    /\(0x?4000000000000000, which are its node, its zone|4000000000000000, which are its node/,
    /undefined/,
  ],
  ["no bit at all", page("0x0()"), /No flag of the page is set \((?:0x)?0\)/, /its node/],
  ["its zone by name", page("0x4000000000000000(zone=1)"), /: zone=1\)/, /its node/],
]);
const poisoned = (range: string) =>
  log(
    "=============================================================================",
    "BUG kmalloc-512 (Not tainted): Poison overwritten",
    "-----------------------------------------------------------------------------",
    `${range} @offset=6036. First byte 0x6a instead of 0x6b`,
    "Slab 0xffffea00000b4c00 objects=21 used=12 fp=0xffff888002d30dc0 flags=0x4000000000010200(slab|head|zone=1)",
  );
says("slab.use_after_free", [
  ["one byte", poisoned("0xffff888002d31794-0xffff888002d31794"), /\(1 byte, 0x6b became 0x6a\)/, /bytes/],
  ["two bytes", poisoned("0xffff888002d31794-0xffff888002d31795"), /\(2 bytes, 0x6b became 0x6a\)/, /byte,/],
]);
says("taint.foreign", [
  [
    "one on the stack",
    fault("Tainted: G           O", "a(O) b(O)", ["f+0x1/0x2 [a]"]),
    / a is on this very stack\./,
    / are on/,
  ],
  [
    "two on the stack",
    fault("Tainted: G           O", "a(O) b(O)", ["f+0x1/0x2 [a]", "g+0x1/0x2 [b]"]),
    / a and b are on this very stack\./,
    / is on/,
  ],
  [
    "none on the stack",
    fault("Tainted: G           O", "a(O) b", ["f+0x1/0x2 [b]"]),
    /None of its functions is on this stack, which does not clear it/,
    /very stack/,
  ],
  [
    "one whose name is lost",
    fault("Tainted: G           O", "b", ["f+0x1/0x2 [b]"]),
    /does not say which; b is on this stack\./,
    /very stack/,
  ],
  ["proprietary", fault("Tainted: P           O", "a(PO)", []), /some of it proprietary/, /undefined/],
]);

says("state.room", [
  [
    "none of order 1",
    { zoneinfo: zoneinfo(4000), buddyinfo: buddyinfo([4000]) },
    /^No atomic request of order 1 or more would/,
    /undefined/,
  ],
  [
    "none of the last order",
    { zoneinfo: zoneinfo(4004), buddyinfo: buddyinfo([4000, 0, 1]) },
    /^No atomic request of order 3 would/,
    /or more/,
  ],
]);
says("state.blocks", [
  ["none of order 2", { buddyinfo: buddyinfo([5, 1]) }, /there is no free block of order 2 or more:/, /undefined/],
  ["none of the last order", { buddyinfo: buddyinfo([5, 1, 1]) }, /there is no free block of order 3:/, /or more/],
]);
says("slab_holds", [
  ["full", { "kern.log": slubFailure("kmalloc-192", 2 ** 20) }, /not one of its objects is free/, /undefined/],
  ["not full", { "kern.log": slubFailure("kmalloc-192", 2 ** 20, 1) }, /holds at least/, /not one of/],
]);

test("a counter of a ring that is tried again shows whether it ran empty; of one that drops, how often", async () => {
  const advice = async (frames: readonly string[]): Promise<string> =>
    (await diagnoseTexts({ "kern.log": allocFailure({ frames: [...frames, ...bySoftirq], memInfo: [] }) })).incidents
      .flatMap((i) => i.findings)
      .filter((f) => f.id === "ring.slot_lost")
      .flatMap((f) => f.advice.map((a) => a.changes))
      .join();
  expect(await advice(["e1000_alloc_rx_buffers+0x12/0x34 [e1000]", "e1000_clean_rx_irq+0x1/0x2 [e1000]"])).toMatch(
    /ran empty/,
  );
  expect(
    await advice(["__netdev_alloc_skb+0x1/0x2", "tg3_alloc_rx_data+0x1/0x2 [tg3]", "tg3_rx+0x1/0x2 [tg3]"]),
  ).toMatch(/dropped/);
});
