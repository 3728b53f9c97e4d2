// What the model shows of itself, in the kernel's forms, and the kernel's fragmentation numbers against what a real 6.1.192 printed.
import { describe, expect, test } from "vitest";
import { printAllocFailure } from "../../artifact/log/incidents/alloc_failure_print.ts";
import { completeMemInfo } from "../../artifact/log/incidents/complete_mem_info.ts";
import { readIncidents } from "../../artifact/log/incidents/read_incidents.ts";
import { repairText } from "../../artifact/log/lines.ts";
import { buddyinfo } from "../../artifact/proc/buddyinfo.ts";
import { pagetypeinfo } from "../../artifact/proc/pagetypeinfo.ts";
import { zoneinfo } from "../../artifact/proc/zoneinfo.ts";
import type { AllocFailure } from "../../kernel/readings/alloc_failure.ts";
import type { MemInfo } from "../../kernel/readings/mem_info.ts";
import { zoneValue } from "../../kernel/readings/zoneinfo.ts";
import { parseRelease } from "../../kernel/release.ts";
import { createBootedMemory } from "../kernels/booted.ts";
import { fragmentationIndex, unusableIndex } from "./fragmentation.ts";
import { observeBuddyinfo, observeExtfrag, observePagetypeinfo, observeZoneinfo } from "./observe.ts";
import { observeAllocFailure, observeMemZones } from "./observe_failure.ts";
import { zoneStateFromReport, zoneWatermarkOk } from "./watermark.ts";

const asLines = (text: string): { line: number; text: string }[] =>
  text
    .split("\n")
    .filter((t, i, all) => t !== "" || i < all.length - 1)
    .map((line, i) => ({ line: i + 1, text: line }));

describe("fragmentation numbers of a real machine", () => {
  // buddyinfo, extfrag_index and extfrag_unusable_index of the captures' text/, where the zone stood still between the three reads.
  const all = (free: readonly number[], index: (free: readonly number[], order: number) => number): number[] =>
    free.map((_, order) => index(free, order));

  test("extfrag_index: text128/3_loaded DMA32, text128/5_released DMA32", () => {
    const released = [1287, 53, 36, 12, 5, 2, 0, 1, 0, 3, 0];
    expect(all(released, fragmentationIndex)).toEqual([...Array<number>(10).fill(-1000), 997]);
    const dma32 = [200, 371, 194, 102, 62, 8, 3, 1, 1, 1, 0];
    expect(all(dma32, fragmentationIndex)).toEqual([...Array<number>(10).fill(-1000), 994]);
  });

  test("unusable_index: text128/5_released DMA, and an idle boot", () => {
    const released = [143, 0, 2, 0, 1, 0, 0, 0, 1, 0, 1];
    expect(all(released, unusableIndex)).toEqual([0, 98, 98, 104, 104, 115, 115, 115, 115, 292, 292]);
    expect(all([0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 3], unusableIndex)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 66, 200]);
  });
});

describe("a booted machine as /proc shows it", () => {
  const machine = createBootedMemory({
    release: parseRelease("6.1.192"),
    memoryMb: 8192,
    cpus: 4,
    marks: { hugePages: true },
  });
  for (let i = 0; i < 5000; i++) machine.pages.allocPages(i % 3 === 0 ? 0xcc0 : 0x100cca, i % 5);

  test("prints and reads back equal", () => {
    const buddy = observeBuddyinfo(machine);
    expect(buddyinfo.read(asLines(buddyinfo.print(buddy))).reading).toEqual(buddy);
    const types = observePagetypeinfo(machine);
    expect(pagetypeinfo.read(asLines(pagetypeinfo.print(types))).reading).toEqual(types);
    const zones = observeZoneinfo(machine);
    expect(zoneinfo.read(asLines(zoneinfo.print(zones))).reading).toEqual(zones);
  });

  test("the blocks of pagetypeinfo add up to buddyinfo", () => {
    const types = observePagetypeinfo(machine);
    for (const zone of observeBuddyinfo(machine).zones)
      zone.free.forEach((blocks, order) => {
        const rows = types.free.filter((r) => r.zone === zone.zone);
        expect(rows.reduce((n, r) => n + (r.free[order]?.blocks ?? 0), 0)).toBe(blocks);
      });
    expect(observeExtfrag(machine, "index").zones[0]?.thousandths.length).toBe(11);
  });

  test("watermarks, batches and thresholds are those of a real 8 GiB guest with 4 CPUs, up to what its image kept", () => {
    // boot-state/mem8192M_cpus4 of the captures: batch 63, thresholds 6, 36 and 42, min_free_kbytes 67584, min 6305 and 10558.
    const [dma, dma32, normal] = observeZoneinfo(machine).zones;
    expect(machine.minFreeKb).toBe(67584);
    const threshold = (zone: typeof dma): number | undefined => zone && zoneValue(zone, "vm stats threshold");
    expect([threshold(dma), threshold(dma32), threshold(normal)]).toEqual([6, 36, 42]);
    const batch = normal?.fields.find((f) => f.group === "pageset" && f.name === "batch");
    expect(batch).toEqual({ group: "pageset", name: "batch", value: 63 });
    expect(Math.abs((zoneValue(dma32!, "min") ?? 0) / 6305 - 1)).toBeLessThan(0.02);
    expect(Math.abs((zoneValue(normal!, "min") ?? 0) / 10558 - 1)).toBeLessThan(0.02);
  });

  test("a zone of its failure report is judged as the allocator judges it", () => {
    const zone = observeMemZones(machine)[2];
    const state = zoneStateFromReport({
      pageKb: 4,
      freeKb: zone?.kb.free ?? 0,
      minKb: zone?.kb.min ?? 0,
      lowKb: zone?.kb.low ?? 0,
      highKb: zone?.kb.high ?? 0,
      lowmemReserve: zone?.lowmemReserve,
      orders: zone?.freeLists?.blocks.map((b) => ({ blocks: b.count, letters: b.types })),
    });
    const request = {
      order: 3,
      mark: "low" as const,
      highestZone: 2,
      high: false,
      harder: false,
      oom: false,
      cma: false,
      highatomic: false,
    };
    const { watermarks } = machine;
    expect(zoneWatermarkOk(3, state, request).ok).toBe(watermarks.zoneOk(2, 3, watermarks.markOf(2, 1), 2, 1, 0));
  });
});

describe("a failed allocation as the kernel would report it", () => {
  test.each(["2.6.18", "2.6.24", "3.13", "4.19", "6.1.192"])("%s: printed, read back, zones equal", (text) => {
    const release = parseRelease(text);
    const machine = createBootedMemory({ release, memoryMb: 64, cpus: 2 });
    const { gfp } = machine.rules;
    const reports: AllocFailure[] = [];
    machine.journal.listen((_k, _n, _c, order, mask) => {
      reports.push(observeAllocFailure(machine, release, { comm: "swapper", pid: 0, order, gfp: mask }));
    }, "page_allocation_failure");
    const mask = gfp.high | gfp.kswapdReclaim | gfp.atomic | gfp.comp;
    for (let i = 0; i < 5000 && reports.length === 0; i++) machine.pages.allocPages(mask, 3);
    const report = reports[0] as AllocFailure;
    expect([report.order, report.gfp?.mask]).toEqual([3, mask]);
    const memInfo = completeMemInfo(report.memInfo as MemInfo, release.version);
    const printed = printAllocFailure({ ...report, memInfo }, release.version);
    const lines = repairText(printed.join("\n"));
    const [incident] = readIncidents(lines).incidents;
    expect(incident?.kind).toBe("alloc_failure");
    const back = (incident?.reading as AllocFailure | undefined)?.memInfo;
    expect(back?.zones).toEqual(memInfo.zones);
    expect(back?.zones.map((z) => z.kb.free)).toEqual(report.memInfo?.zones.map((z) => z.kb.free));
  });
});
