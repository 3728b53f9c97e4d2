// A verdict from /proc alone: right by what a kernel printed, by a twin that grants one request after the other, and on both sides of each mark.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { gather } from "../../artifact/gather.ts";
import { sourceOf } from "../../base/byte_source.ts";
import { diagnosisSchema } from "../../report/diagnosis_schema.ts";
import { createCollector } from "../collect.ts";
import { diagnose } from "../diagnose.ts";
import type { Diagnosis, MachineState } from "../finding.ts";
import { buddyinfo, zoneinfo } from "./zone_files.testkit.ts";

const root = join(import.meta.dirname, "../../../fixtures");
const text = (path: string): string => readFileSync(join(root, path), "utf8");

async function told(files: Readonly<Record<string, string>>): Promise<Diagnosis> {
  const collector = createCollector();
  const items = Object.entries(files).map(([name, body]) => ({ source: sourceOf(name, body), named: true }));
  const d = diagnose(collector.finish(await gather(items, { onWindow: collector.onWindow })));
  diagnosisSchema.parse(JSON.parse(JSON.stringify(d)));
  return d;
}

async function state(files: Readonly<Record<string, string>>): Promise<MachineState> {
  const { states = [] } = await told(files);
  expect(states).toHaveLength(1);
  return states[0] as MachineState;
}

const claims = (s: MachineState, id: string): string[] => s.findings.filter((f) => f.id === id).map((f) => f.claim);

describe("what a running 6.1 printed", () => {
  test("room, marks and holders are told, each with its lines, and nothing is called an all-clear", async () => {
    const names = ["zoneinfo", "buddyinfo", "vmstat", "slabinfo", "meminfo", "softnet_stat"];
    const s = await state(Object.fromEntries(names.map((n) => [n, text(`proc/${n}-6.1`)])));
    expect(s.severity).toBe("harmless");
    expect(s.summary).toContain("What they leave open");
    expect(s.open.join()).toContain("ethtool -S");
    expect(s.room.filter((r) => r.context === "atomic").map((r) => r.zone)).toEqual(["DMA", "DMA32"]);
    expect(claims(s, "state.allocstall")[0]).toMatch(/allocstall is 0/);
    for (const f of s.findings) expect(f.evidence.length, f.id).toBeGreaterThan(0);
    const lines = new Map(names.map((n) => [n, text(`proc/${n}-6.1`).split("\n")]));
    for (const q of s.findings.flatMap((f) => f.evidence)) expect(lines.get(q.input)?.[q.line - 1]).toBe(q.text);
  });

  test("each file alone gives an answer or says that it has none", async () => {
    const alone = ["buddyinfo-6.1", "zoneinfo-6.1", "pagetypeinfo-6.1", "vmstat-6.1", "meminfo-6.1", "slabinfo-6.1"];
    const small = ["softnet_stat-6.1", "sockstat-6.1", "netstat-6.1", "snmp-6.1", "net_dev-6.1", "ethtool-S"];
    for (const name of [...alone, ...small]) {
      const s = await state({ [name]: text(`proc/${name}`) });
      expect(s.findings.length + s.open.length, name).toBeGreaterThan(0);
      expect(s.open.length, name).toBeGreaterThan(3);
    }
  });

  test("a file that is recognised and not judged is named", async () => {
    const s = await state({ a: text("proc/buddyinfo-6.1"), b: text("proc/extfrag_index-6.1") });
    expect(s.open.at(-1)).toMatch(/not looked at here: extfrag/);
  });
});

describe("what is cut is not 0", () => {
  test("a buddyinfo whose lines end before the last order does not say that larger blocks are gone", async () => {
    const whole = await state({ buddyinfo: buddyinfo([400, 20, 3]) });
    expect(claims(whole, "state.blocks")[0]).toMatch(/^In the zones that were read there is no free block of order 3/);
    const cut = await state({
      buddyinfo: buddyinfo([400, 20, 3, 0, 0, 0, 0, 0, 0, 0, 2]).replace(/(?: +\d+){6} \n/, "\n"),
    });
    expect(claims(cut, "state.blocks")[0]).toMatch(
      /^The free lists hold at least this much, for the text lacks the columns/,
    );
    expect(cut.severity).toBe("harmless");
  });

  test("nor does a pagetypeinfo of which rows are lost, or the section that names its types", async () => {
    const all = text("proc/pagetypeinfo-6.1");
    expect(claims(await state({ p: all }), "state.blocks")[0]).not.toMatch(/at least this much/);
    const cut = await state({ p: all.replace(/.*type +Movable.*\n/, "") });
    expect(claims(cut, "state.blocks")[0]).toMatch(/at least this much, for the text lacks rows of zone/);
    expect(cut.severity).toBe("harmless");
    const headless = await state({ p: all.slice(0, all.indexOf("Number of blocks")) });
    expect(claims(headless, "state.blocks")[0]).toMatch(/lacks the section of page blocks/);
  });

  test("allocstall of some zones does not say that no task reclaimed", async () => {
    const all = text("proc/vmstat-6.1");
    const cut = await state({ v: all.replace(/allocstall_normal.*\n/, "") });
    expect(claims(cut, "state.allocstall")[0]).toMatch(/does not say whether a task has had to reclaim/);
    const last = await state({ v: all.slice(0, all.indexOf("allocstall_movable")) });
    expect(claims(last, "state.allocstall")[0]).toMatch(/does not say whether a task has had to reclaim/);
  });
});

describe("on both sides", () => {
  const room = async (blocks: readonly number[], min = 100): Promise<MachineState> => {
    const free = blocks.reduce((n, b, o) => n + b * 2 ** o, 0);
    return state({ zoneinfo: zoneinfo(free, min), buddyinfo: buddyinfo(blocks) });
  };
  test("of the last block of an order", async () => {
    const one = await room([4000, 0, 0, 1]);
    expect(one.severity).toBe("harmless");
    expect(claims(one, "state.room")[0]).toMatch(/order 3: 1\./);
    const none = await room([4000, 0, 1, 0]);
    expect(none.severity).toBe("watch");
    expect(none.summary).toMatch(/^No atomic request of order 3 would be granted in the zones that were read/);
    const lower = await room([4000]);
    expect(lower.summary).toMatch(/^No atomic request of order 1 or more would/);
  });
  test("of the mark that an atomic request may go down to", async () => {
    // 6.3 and later: half of the mark for __GFP_HIGH and a quarter of that for who cannot wait: 100 - 50 - 12 = 38 must be exceeded.
    const s = await room([60]);
    const [least, most] = [s.room[0]?.orders[0]?.least, s.room[0]?.orders[0]?.most];
    expect(least).toBe(60 - 38);
    expect(most).toBeGreaterThanOrEqual(60 - 38);
    expect((await room([38])).summary).toMatch(/^No atomic request of order 0/);
    expect((await room([39])).room[0]?.orders[0]?.most).toBe(1);
  });
  test.each([
    [99, /1 page below its min mark/],
    [100, /25 pages below its low mark/],
    [124, /1 page below its low mark/],
    [125, /0 pages above its low mark/],
  ])("of a zone's marks: %i free", async (free, says) => {
    expect(claims(await state({ zoneinfo: zoneinfo(free) }), "state.marks")[0]).toMatch(says);
  });
  test("of udp_mem and tcp_mem", async () => {
    const at = (pages: number) =>
      state({
        sockstat: `sockets: used 9\nTCP: inuse 1 orphan 0 tw 0 alloc 1 mem 3\nUDP: inuse 1 mem ${pages}\n`,
        sysctl: "net.ipv4.udp_mem = 100 200\t300\nnet.ipv4.tcp_mem = 10 20 30\n",
      });
    expect((await at(200)).severity).toBe("harmless");
    expect((await at(201)).severity).toBe("watch");
    expect((await at(300)).severity).toBe("watch");
    const over = await at(301);
    expect(over.severity).toBe("act");
    expect(over.summary).toMatch(/UDP sockets hold 301 pages, above the most/);
  });
  test.each([
    [0, "harmless"],
    [1, "watch"],
  ])("of datagrams that udp_mem refused: %i", async (n, severity) => {
    const s = await state({
      nstat: `#kernel\nUdpInErrors                     7                  0.0\nUdpMemErrors                    ${n}                  0.0\n`,
    });
    expect(s.severity).toBe(severity);
    expect(s.summary.includes("all that udp_mem allows")).toBe(n > 0);
    const proc = await state({ snmp: `Udp: InDatagrams MemErrors\nUdp: 7 ${n}\n` });
    expect(proc.severity).toBe(severity);
  });
  test("of a cache's share", async () => {
    const at = (objects: number) =>
      state({
        meminfo: "MemTotal:        1000000 kB\nMemFree:          500000 kB\n",
        slabinfo: `slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\nskbuff_head_cache ${objects} ${objects} 256 16 1 : tunables 0 0 0 : slabdata ${objects / 16} ${objects / 16} 0\n`,
      });
    expect((await at(400_000)).severity).toBe("harmless");
    const much = await at(400_016);
    expect(much.severity).toBe("watch");
    expect(much.summary).toContain("One snapshot does not tell a leak from load");
  });
});

test("without a stated release every test that fits is asked; a stated one is one number", async () => {
  const files = { zoneinfo: zoneinfo(300), buddyinfo: buddyinfo([20, 20, 20, 20]) };
  const open = await state(files);
  expect(open.computedFor).toMatch(/do not state their release/);
  const stated = await state({ ...files, uname: "Linux host 6.12.0 #1 SMP PREEMPT_DYNAMIC Debian x86_64 GNU/Linux\n" });
  expect(stated.computedFor).toBe("6.12.0-x86_64");
  for (const r of stated.room)
    for (const [order, o] of r.orders.entries()) {
      expect(o.least).toBe(o.most);
      const wide = open.room.find((x) => x.zone === r.zone && x.context === r.context)?.orders[order];
      expect(wide?.least).toBeLessThanOrEqual(o.least ?? 0);
      expect(wide?.most).toBeGreaterThanOrEqual(o.most ?? 0);
    }
});

test("beside a report the files are of a moment of their own, and say so; alone they do not", async () => {
  const files = { zoneinfo: zoneinfo(5000), buddyinfo: buddyinfo([5000]) };
  expect((await state(files)).summary).not.toMatch(/printed stands in the report/);
  const log = text("logs/e1000_refill_6.1.txt");
  expect((await state({ ...files, "dmesg.log": log })).summary).toMatch(
    /They show the moment at which they were read: what memory was like when a report was printed stands in the report alone/,
  );
});

test("of a zone that lacks a line which another zone has nothing is computed", async () => {
  const two = zoneinfo(5000) + zoneinfo(4000).replaceAll("Node 0", "Node 1");
  const buddies = buddyinfo([5000]) + buddyinfo([4000]).replace("Node 0", "Node 1");
  const rooms = async (zones: string) => (await state({ zoneinfo: zones, buddyinfo: buddies })).room;
  expect(new Set((await rooms(two)).map((r) => r.node))).toEqual(new Set([0, 1]));
  const at = two.lastIndexOf("      nr_free_cma");
  const torn = two.slice(0, at) + two.slice(two.indexOf("\n", at) + 1);
  expect((await rooms(torn)).some((r) => r.node === 1)).toBe(false);
});

test("a zoneinfo that lacks zones is not judged as if it were the machine", async () => {
  // The one zone that is left is kept for others: that says nothing of the zones above it.
  const s = await state({ zoneinfo: text("proc/zoneinfo-3.13") });
  expect(s.severity).toBe("harmless");
  expect(claims(s, "state.room")[0]).toMatch(
    /does not say how much room there is: in its .proc.zoneinfo, zones that have memory or their marks are missing/,
  );
  const whole = await state({ zoneinfo: text("proc/zoneinfo-6.1") });
  expect(claims(whole, "state.room")[0]).toMatch(/order 0: [1-9]/);
});

test("pasted below prompts, indented, with Windows line ends, it says what the files say", async () => {
  const names = [
    "buddyinfo-6.1",
    "zoneinfo-6.1",
    "vmstat-6.1",
    "meminfo-6.1",
    "slabinfo-6.1",
    "softnet_stat-6.1",
    "ethtool-S",
  ];
  const paste = names.map((n) => `root@box:~# cat ${n}\n${text(`proc/${n}`)}`).join("");
  const said = async (files: Readonly<Record<string, string>>): Promise<string[]> =>
    (await state(files)).findings.map((f) => f.claim.replace(/^\S+ says/, "It says")).sort();
  const whole = await said(Object.fromEntries(names.map((n) => [n, text(`proc/${n}`)])));
  expect(whole.length).toBeGreaterThan(8);
  const changed = (by: (line: string) => string): string => paste.split("\n").map(by).join("\n");
  expect(await said({ paste })).toEqual(whole);
  expect(await said({ paste: changed((l) => `    ${l}\r`) })).toEqual(whole);
  expect(await said({ paste: changed((l) => `> ${l}`) })).toEqual(whole);
  const d = await told({ "note.md": `Here it is:\n\n\`\`\`\n${text("proc/softnet_stat-6.1")}\`\`\`\n` });
  expect(d.inputs[0]?.notes).toEqual([]);
  expect(d.states).toHaveLength(1);
});

test("settings alone are named, and are no all-clear; in a log they are surroundings", async () => {
  const s = await state({ "sysctl.txt": text("proc/sysctl-6.1") });
  expect(s.summary).toMatch(/hold nothing from which a shortage could be told/);
  expect(claims(s, "state.settings")[0]).toContain("vm.min_free_kbytes = 2506");
  const log = await told({
    "x.log": `[    1.000000] something else\nvm.min_free_kbytes = 2506\n[    2.000000] more\n`,
  });
  expect(log.states).toBeUndefined();
});

test("where the kernel stopped counting, the lists hold at least so much", async () => {
  const s = await state({ p: text("proc/pagetypeinfo-5.10") });
  expect(claims(s, "state.blocks")[0]).toMatch(/at least this much/);
});

test("files of two machines are never put together", async () => {
  const two = {
    "a/proc/zoneinfo": zoneinfo(99),
    "a/proc/buddyinfo": buddyinfo([99]),
    "b/proc/zoneinfo": zoneinfo(5000),
    "b/proc/buddyinfo": buddyinfo([5000]),
  };
  const { states = [] } = await told(two);
  expect(states.map((s) => [s.inputs, claims(s, "state.marks").length])).toEqual([
    [["a/proc/zoneinfo", "a/proc/buddyinfo"], 1],
    [["b/proc/zoneinfo", "b/proc/buddyinfo"], 1],
  ]);
  const loose = await told({ x1: zoneinfo(99), x2: buddyinfo([9]), x3: zoneinfo(5000) });
  expect(loose.states?.map((s) => s.inputs)).toEqual([["x1"], ["x2"], ["x3"]]);
});

test("of several samples in one text the last is judged", async () => {
  const s = await state({ "watch.txt": `${zoneinfo(5000)}\n-- later --\n${zoneinfo(90)}` });
  expect(claims(s, "state.marks")).toHaveLength(1);
  expect(s.summary).toContain("below its min mark");
});

test("a page pool that leaks by its counters is told as skblab pools tells it", async () => {
  const s = await state({ "ethtool-S": text("page_pool/ethtool_small_ring.txt") });
  expect(claims(s, "state.pool").length).toBeGreaterThan(0);
});
