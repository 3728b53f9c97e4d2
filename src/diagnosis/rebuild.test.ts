import { expect, test } from "vitest";
import { readIncidents } from "../artifact/log/incidents/read_incidents.ts";
import { repairText } from "../artifact/log/lines.ts";
import { buildCase } from "./case.ts";
import { hiddenBoostKb, nodesOf, rebuild, zoneTypesOf } from "./rebuild.ts";
import { nothingAround } from "./surroundings.ts";

test("lists of nodes", () => {
  expect([...(nodesOf("0-1,3") ?? [])]).toEqual([0, 1, 3]);
  expect(nodesOf("(null)")).toBeUndefined();
  expect(nodesOf(undefined)).toBeUndefined();
});

const numa = (
  mask: string,
  tail: string,
  freeOf1: number,
): string => `[   10.000000] foo: page allocation failure: order:0, mode:${mask}, nodemask=${tail}
[   10.000001] CPU: 1 PID: 9 Comm: foo Not tainted 6.1.192-x86_64 #1
[   10.000001] Call Trace:
[   10.000001]  dump_stack+0x10/0x12
[   10.000001]  warn_alloc+0x10e/0x130
[   10.000001]  __alloc_pages+0x203/0x220
[   10.000001]  foo_read+0x10/0x20
[   10.000001]  ksys_read+0x10/0x20
[   10.000001] Mem-Info:
[   10.000001] active_anon:461 inactive_anon:60 isolated_anon:0
[   10.000001]  free:${50 + freeOf1 / 4} free_pcp:220 free_cma:0
[   10.000001] Node 0 Normal free:200kB boost:0kB min:2760kB low:2936kB high:3112kB reserved_highatomic:0KB present:65396kB managed:49292kB free_cma:0kB
[   10.000001] lowmem_reserve[]: 0 0 0 0
[   10.000001] Node 1 Normal free:${freeOf1}kB boost:0kB min:2760kB low:2936kB high:3112kB reserved_highatomic:0KB present:65396kB managed:49292kB free_cma:0kB
[   10.000001] lowmem_reserve[]: 0 0 0 0
[   10.000001] Node 0 Normal: 50*4kB (UM) 0*8kB 0*16kB 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB 0*2048kB 0*4096kB = 200kB
[   10.000001] Node 1 Normal: ${freeOf1 / 4}*4kB (UM) 0*8kB 0*16kB 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB 0*2048kB 0*4096kB = ${freeOf1}kB
`;
const rebuilt = (text: string) => {
  const incident = readIncidents(repairText(text)).incidents[0];
  if (incident === undefined) throw new Error("no incident");
  return rebuild(
    buildCase(
      incident,
      "log",
      { release: "6.1.192", certainty: "stated", version: [6, 1, 192], because: [] },
      nothingAround,
    ),
  );
};

test("with free memory on node 1 a request that may go there would be served; one held to node 0 by nodemask, cpuset or THISNODE is refused", () => {
  expect(rebuilt(numa("0xcc0(GFP_KERNEL)", "(null),cpuset=/,mems_allowed=0-1", 8000))?.refused).toBe(false);
  expect(rebuilt(numa("0xcc0(GFP_KERNEL)", "0,cpuset=/,mems_allowed=0-1", 8000))?.refused).toBe(true);
  expect(rebuilt(numa("0xcc0(GFP_KERNEL)", "(null),cpuset=/a,mems_allowed=0", 8000))?.refused).toBe(true);
  const bound = rebuilt(numa("0x200cc0(GFP_KERNEL|__GFP_THISNODE)", "(null),cpuset=/,mems_allowed=0-1", 8000));
  expect([bound?.oneNode, bound?.refused]).toEqual([true, true]);
  expect(rebuilt(numa("0xcc0(GFP_KERNEL)", "(null),cpuset=/,mems_allowed=0-1", 200))?.refused).toBe(true);
});

test("zone types fill up to the length of lowmem_reserve[]: DMA and DMA32 printed, four entries, make Normal and Movable", () => {
  const zone = (name: string) => ({ node: 0, name, kb: {}, lowmemReserve: [0, 42, 42, 42] });
  const info = {
    namesNodes: false,
    perCpu: [],
    totals: {},
    nodes: [],
    zones: [zone("DMA"), zone("DMA32")],
    hugePages: [],
    tail: {},
  };
  expect(zoneTypesOf(info, "x86_64")).toEqual(["DMA", "DMA32", "Normal", "Movable"]);
});

const order1 = (zoneKb: number, singles: number, pairs: number) =>
  rebuilt(
    numa("0xa20(GFP_ATOMIC)", "(null)", 200)
      .replace("order:0", "order:1")
      .replace(/.*Node 1.*\n/g, "")
      .replace("Node 0 Normal free:200kB", `Node 0 Normal free:${zoneKb}kB`)
      .replace(/ free:\d+ /, ` free:${zoneKb / 4} `)
      .replace("= 200kB", `= ${singles * 4 + pairs * 8}kB`)
      .replace(/50\*4kB \(UM\) 0\*8kB/, `${singles}*4kB (UM) ${pairs}*8kB${pairs === 0 ? "" : " (U)"}`),
  );

test("a print is taken as no more exact than its two counts of the same pages agree, and no less", () => {
  // 8000 kB are 2000 pages; min is 2760 kB, cut to less than half of that for an atomic request.
  expect(order1(8000, 2000, 0)).toMatchObject({ refused: true, within: undefined });
  expect(order1(8000, 1998, 1)).toMatchObject({ refused: false, within: undefined });
  expect(order1(8000, 1997, 1)).toMatchObject({ refused: false, within: undefined });
  expect(order1(8000, 1996, 1)?.within).toMatchObject([{ error: 2, taken: 2, verdict: { ok: false } }]);
  expect(order1(8000, 2004, 1)?.within).toMatchObject([{ error: 6, taken: 2 }]);
  expect(order1(8000, 1994, 3)).toMatchObject({ refused: false, within: undefined });
  expect(order1(8000, 1988, 3)?.within).toMatchObject([{ error: 6, taken: 6 }]);
  // What lies further apart than 16,384 pages is no race: the numbers were changed on the way.
  expect(order1(8000, 2000 + 16382, 1)?.within).toMatchObject([{ error: 16384, taken: 2 }]);
  expect(order1(8000, 2000 + 16383, 1)?.within).toBeUndefined();
});

test("a boost that is not printed is what min lies above anything that low allows", () => {
  const hidden = (min: number, kb: Readonly<Record<string, number>>) =>
    hiddenBoostKb({ node: 0, name: "Normal", kb } as unknown as Parameters<typeof hiddenBoostKb>[0], min);
  expect(hidden(400, { low: 500, managed: 90_000 })).toBe(0);
  // low - min is a quarter of the unboosted mark: 4 * 25 = 100, and 64 more are rounding.
  expect([hidden(164, { low: 189 }), hidden(165, { low: 190 })]).toEqual([0, 65]);
  expect([hidden(64, { low: 64 }), hidden(65, { low: 65 })]).toEqual([0, 65]);
  // What was joined from the halves of a broken line is no mark.
  expect([hidden(400, {}), hidden(400, { low: 399 }), hidden(400, { low: 900, managed: 899 })]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  expect([hidden(400, { low: 900, managed: 900 }), hidden(400, { low: 900, present: 899 })]).toEqual([0, undefined]);
});
