// What the inputs say of a report's machine where the report itself does not: from files of /proc beside it, from what is left of its totals, and from
// the interfaces that are there.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { explain } from "./explain.ts";
import type { MachineSaid } from "./machine_told.ts";
import { allocFailure, refilling } from "./rules/report.testkit.ts";
import { buddyinfo, pagetypeinfo, zoneinfo } from "./state/zone_files.testkit.ts";

const bare = allocFailure({ order: 1, frames: refilling, memInfo: [] });
const said = async (beside: Readonly<Record<string, string>>, log = bare): Promise<MachineSaid> => {
  const { incidents } = await explain({ "dmesg.txt": log, ...beside });
  const [incident] = incidents;
  if (incident === undefined) throw new Error("no incident");
  return incident.machine;
};
const lists = { "proc/buddyinfo": buddyinfo([1000]) };

test("min_free_kbytes by the marks of /proc/zoneinfo without their boost; none where they are 0", async () => {
  const kb = async (min: number, boost: number) =>
    (await said({ "proc/zoneinfo": zoneinfo(1000, min, min + 25, boost), ...lists })).minFreeKb?.value;
  expect([await kb(100, 0), await kb(100, 60), await kb(0, 0)]).toEqual([400, 160, undefined]);
});

test("free lists by type, but where the kernel stopped counting: then those of buddyinfo", async () => {
  const blocks = async (...rows: Parameters<typeof pagetypeinfo>[0]) =>
    (await said({ "proc/zoneinfo": zoneinfo(1000), ...lists, "proc/pagetypeinfo": pagetypeinfo(rows) })).zonesOfFiles
      ?.value[0]?.blocks?.[0];
  expect(await blocks(["Unmovable", 300], ["Movable", 700])).toEqual({ count: 1000, types: "UM" });
  expect(await blocks(["Unmovable", 300], ["Movable", ">100000"])).toEqual({ count: 1000, types: "" });
  expect(await blocks(["Unmovable", ">100000"], ["Movable", ">100000"])).toEqual({ count: 1000, types: "" });
  // Above MAX_ORDER of one row another may go on.
  const rows = pagetypeinfo([
    ["Unmovable", 300],
    ["Movable", 700, 5, 4],
  ]);
  const ragged = rows.replace(/(type +Unmovable +300).*/, "$1 ");
  const all = (await said({ "proc/zoneinfo": zoneinfo(1000), ...lists, "proc/pagetypeinfo": ragged })).zonesOfFiles
    ?.value[0]?.blocks;
  expect(all?.slice(0, 3)).toEqual([
    { count: 1000, types: "UM" },
    { count: 5, types: "M" },
    { count: 4, types: "M" },
  ]);
});

test("pageblocks by the letters of the types that are known, those that there are", async () => {
  const text = pagetypeinfo([["Unmovable", 1]], ["Unmovable", "Movable", "Unheard"]);
  const counts = async (line: string) =>
    (await said({ "proc/pagetypeinfo": text.replace(/^(Node 0, zone +Normal) [ 0-9]+\n$/m, `$1 ${line} \n`) }))
      .pageblocks?.value[0]?.blocks;
  expect(await counts("10 20 30")).toEqual([
    { types: "U", count: 10 },
    { types: "M", count: 20 },
  ]);
  expect(await counts("10 0 30")).toEqual([{ types: "U", count: 10 }]);
});

test("pages that page_owner lists lie in zones whose first page zoneinfo prints", async () => {
  const owned = [
    "Page allocated via order 0, mask 0x0, pid 1, tgid 1 (swapper/0), ts 100 ns, free_ts 0 ns",
    "PFN 5000 type Unmovable Block 9 type Unmovable Flags 0x100000000000000(node=0|zone=1)",
    " post_alloc_hook+0x1/0x2",
    " own+0x1/0x2",
    "",
  ].join("\n");
  const starts = async (zones: string) =>
    (await said({ "page_owner.txt": owned, "proc/zoneinfo": zones })).ownedPages?.value.starts;
  expect(await starts(zoneinfo(1000))).toEqual([{ node: 0, zone: "Normal", startPfn: 4096 }]);
  expect(await starts(zoneinfo(1000).replace(/.*start_pfn.*\n/, ""))).toEqual([]);
});

test("anonymous memory of kernels whose totals are active and inactive is what is not cache, and never less than none", async () => {
  const old = (cache: number): string =>
    allocFailure({
      order: 1,
      frames: refilling,
      release: "2.6.24",
      memInfo: [
        "Mem-info:",
        "Active:100 inactive:50 dirty:0 writeback:0 unstable:0",
        " free:300 slab:20 mapped:5 pagetables:3 bounce:0",
        `${cache} total pagecache pages`,
      ],
    });
  expect((await said({}, old(40))).held).toMatchObject({ fileKb: 160, anonKb: 440 });
  expect((await said({}, old(200))).held).toMatchObject({ fileKb: 800, anonKb: 0 });
});

test("of several interfaces the one whose MTU needs the order that failed; an MTU at either end of a row is in it", async () => {
  // tg3 asks for blocks of order 1 up to an MTU of 1500 and of order 2 above it.
  const log = readFileSync(join(import.meta.dirname, "../../fixtures/logs/tg3_gentoo_2009.txt"), "utf8");
  const mtu = async (...mtus: readonly number[]) => {
    const up = mtus.map((n, i) => `${i + 2}: eth${i}: <BROADCAST,UP> mtu ${n} qdisc mq state UP\n`).join("");
    return (await said({}, up + log)).mtu?.value;
  };
  expect([
    await mtu(68, 1501),
    await mtu(1500, 9000),
    await mtu(67, 1499),
    await mtu(68, 1500),
    await mtu(1501, 9000),
  ]).toEqual([68, 1500, 1499, undefined, undefined]);
  expect(await mtu(9000)).toBe(9000);
});
