// Layouts that machines come in: nodes, HighMem, 64 KiB pages, holes; and what boot computes from them.
import { describe, expect, test } from "vitest";
import { parseRelease } from "../../kernel/release.ts";
import { createJournal } from "../journal.ts";
import { createBootedMemory } from "../kernels/booted.ts";
import { partsFor } from "../kernels/parts_for.ts";
import type { BootLayout } from "./boot.ts";
import { bootMemory, oneZone, pc64 } from "./boot.ts";
import { memoryProblems } from "./invariants.ts";
import type { MachineMemory } from "./machine_memory.ts";
import { createMachineMemory } from "./machine_memory.ts";
import { ownPcpField, pcpField, pcpStride, zoneField, zoneOf, zoneStride } from "./memory.ts";
import { observeBuddyinfo } from "./observe.ts";
import { setupMarks } from "./watermark_setup.ts";

const now = parseRelease("6.1.192");
const parts61 = partsFor(now).parts.mm;
const nowait = 0x2800;

function boot(layout: BootLayout, nodeOfCpu?: readonly number[]): MachineMemory {
  const machine = createMachineMemory({
    spec: layout.spec,
    journal: createJournal(),
    parts: parts61,
    ...(nodeOfCpu === undefined ? {} : { nodeOfCpu }),
  });
  bootMemory(machine, layout);
  return machine;
}

const zoneName = (machine: MachineMemory, pfn: number): string => {
  const zone = machine.memory.spec.zones[zoneOf(machine.memory, pfn)];
  return `${zone?.node}:${zone?.name}`;
};

describe("zones and nodes", () => {
  test("each CPU's pages come from its own node, then from the other; __GFP_THISNODE stays", () => {
    const machine = boot(pc64({ memoryMb: 8192, cpus: 2, nodes: 2 }), [0, 1]);
    machine.journal.cpu = 1;
    expect(zoneName(machine, machine.pages.allocPages(nowait, 0))).toBe("1:Normal");
    const mustStay = nowait | 0x200000;
    let last = 0;
    while (last >= 0) last = machine.pages.allocPages(mustStay, 10);
    expect(machine.pages.allocPages(mustStay, 10)).toBe(-1);
    expect(zoneName(machine, machine.pages.allocPages(nowait, 10))).toBe("0:Normal");
    expect(machine.pages.nodeOf(machine.pages.allocPages(nowait, 9))).toBe(0);
    expect(memoryProblems(machine)).toEqual([]);
  });

  test("low zones are asked last and keep their lowmem_reserve", () => {
    const machine = boot(pc64({ memoryMb: 4096, cpus: 1 }));
    const seen: string[] = [];
    for (let pfn = machine.pages.allocPages(nowait, 10); pfn >= 0; pfn = machine.pages.allocPages(nowait, 10)) {
      const name = zoneName(machine, pfn);
      if (seen.at(-1) !== name) seen.push(name);
    }
    // 1 GiB above 4 GiB reserves all of the 16 MB zone; only who asks for DMA gets it.
    expect(seen).toEqual(["0:Normal", "0:DMA32"]);
    expect(zoneName(machine, machine.pages.allocPages(nowait | 1, 4))).toBe("0:DMA");
  });

  test("i386: __GFP_HIGHMEM takes HighMem first, GFP_KERNEL never", () => {
    const machine = createBootedMemory({ release: parseRelease("2.6.18-i386"), memoryMb: 1536 });
    expect(zoneName(machine, machine.pages.allocPages(0xd2, 0))).toBe("0:HighMem");
    expect(zoneName(machine, machine.pages.allocPages(0xd0, 0))).toBe("0:Normal");
    const [, normal, high] = machine.memory.spec.zones;
    // HighMem begins inside a maximal block of Normal: 896 MB less what vmalloc needs is not aligned.
    expect((high?.startPfn ?? 0) % 1024).not.toBe(0);
    expect((normal?.startPfn ?? 0) + (normal?.spannedPages ?? 0)).toBe(high?.startPfn);
    expect(memoryProblems(machine)).toEqual([]);
  });
});

describe("pages of 64 KiB", () => {
  test("arm64 with 14 orders: one block is 512 MB, min_free_kbytes counts kB, not pages", () => {
    const layout = oneZone({ pages: 65536, cpus: 2, orders: 14, pageblockOrder: 13, pageShift: 16 });
    const machine = boot(layout);
    expect(observeBuddyinfo(machine).zones[0]?.free).toEqual([...Array<number>(13).fill(0), 8]);
    const pfn = machine.pages.allocPages(nowait, 13);
    expect(pfn % 8192).toBe(0);
    machine.pages.freePages(pfn, 13);
    // 4 GiB of low memory: sqrt(16 * 4194304) = 8192 kB = 128 pages of 64 KiB.
    expect(machine.memory.zone[zoneField.min]).toBe(128);
    expect(memoryProblems(machine)).toEqual([]);
  });
});

describe("holes", () => {
  test("blocks never reach across a hole or a zone's end", () => {
    const whole = oneZone({ pages: 4096, cpus: 1 });
    const layout: BootLayout = {
      ...whole,
      freeRanges: [
        [
          [3, 1000],
          [1500, 2999],
        ],
      ],
    };
    const machine = boot(layout);
    const expected = 997 + 1499;
    const free = observeBuddyinfo(machine).zones[0]?.free.reduce((n, blocks, order) => n + blocks * 2 ** order, 0);
    expect(free).toBe(expected);
    expect(memoryProblems(machine)).toEqual([]);
    const held: number[] = [];
    for (let pfn = machine.pages.allocPages(nowait, 0); pfn >= 0; pfn = machine.pages.allocPages(nowait, 0)) {
      expect((pfn >= 3 && pfn < 1000) || (pfn >= 1500 && pfn < 2999)).toBe(true);
      held.push(pfn);
    }
    for (const pfn of held) machine.pages.freePages(pfn, 0);
    machine.pcp.drainZone(0, 0);
    expect(memoryProblems(machine)).toEqual([]);
  });
});

describe("what boot computes", () => {
  test("watermarks of the three formulas from one min_free_kbytes", () => {
    const marks = (version: string): number[] => {
      const machine = createBootedMemory({ release: parseRelease(version), memoryMb: 512, marks: { minFreeKb: 4096 } });
      const row = machine.memory.spec.zones.findIndex((z) => z.name === "DMA32" || z.name === "Normal");
      return [zoneField.min, zoneField.low, zoneField.high].map(
        (f) => machine.memory.zone[row * zoneStride + f] as number,
      );
    };
    const [min = 0, low, high] = marks("2.6.9-i386");
    expect([low, high]).toEqual([2 * min, 3 * min]);
    const [min24 = 0, low24, high24] = marks("2.6.24");
    expect([low24, high24]).toEqual([min24 + (min24 >> 2), min24 + (min24 >> 1)]);
    const [min61 = 0, low61 = 0, high61] = marks("6.1.192");
    expect(high61).toBe(low61 + (low61 - min61));
    expect(min61).toBe(min24);
  });

  test("huge pages raise min_free_kbytes to 67584 kB on a PC, but never above 5 % of low memory", () => {
    const minFreeKb = (memoryMb: number): number => {
      const machine = createBootedMemory({ release: now, memoryMb });
      return setupMarks(machine, { hugePages: true });
    };
    // Two pageblocks of 2 MB for each of three types and their fallbacks, 11 in all, in DMA, DMA32 and Normal.
    expect(minFreeKb(8192)).toBe(512 * 3 * 11 * 4);
    const managed = createBootedMemory({ release: now, memoryMb: 512 }).memory.spec.zones;
    const lowmem = managed.reduce((n, z) => n + z.managedPages, 0);
    expect(minFreeKb(512)).toBe(Math.floor(lowmem / 20) * 4);
  });

  test("per-CPU lists hold four batches at least; a CPU's counter runs at most 125 pages away (zone_highsize, mm/vmstat.c)", () => {
    const firstCpu = (pages: number, cpus: number): number[] => {
      const { pcp } = boot(oneZone({ pages, cpus })).memory;
      return [pcp[pcpField.batch] as number, pcp[pcpField.high] as number, pcp[pcpField.statThreshold] as number];
    };
    // 64 MB: batch (4 + 2 rounded down to 4) - 1; 2 × fls(64) × 1.
    expect(firstCpu(16384, 64)).toEqual([3, 12, 14]);
    // 4 GB: 2 × fls(512) × (1 + fls(32)) would be 140.
    expect(firstCpu(1 << 20, 512)).toEqual([63, 252, 125]);
  });

  test("2.6.24 to 4.3 set whole pageblocks aside, others none", () => {
    const reserved = (version: string): number => {
      const machine = createBootedMemory({ release: parseRelease(version), memoryMb: 256 });
      const { reserve } = machine.rules.types;
      return reserve < 0 ? 0 : machine.memory.blockType.filter((t) => (t & 7) === reserve).length;
    };
    expect([reserved("2.6.18-x86_64"), reserved("4.19"), reserved("6.1.192")]).toEqual([0, 0, 0]);
    expect(reserved("2.6.24")).toBeGreaterThan(1);
    expect(reserved("3.13")).toBeGreaterThan(1);
    expect(reserved("3.13")).toBeLessThanOrEqual(4);
  });

  test("grouping can be off: every page is unmovable", () => {
    const layout = oneZone({ pages: 4096, cpus: 1 });
    const machine = createMachineMemory({
      spec: layout.spec,
      journal: createJournal(),
      parts: parts61,
      rules: parts61.rules({ groupingDisabled: true }),
    });
    bootMemory(machine, layout);
    expect(machine.pages.allocPages(nowait | 8, 0)).toBeGreaterThanOrEqual(0);
    expect(machine.area.isEmpty(0, 9, 1)).toBe(true);
    expect(memoryProblems(machine)).toEqual([]);
  });
});

describe("vm.percpu_pagelist_high_fraction (zone_highsize(), mm/page_alloc.c, 6.1.192 and 7.2.12)", () => {
  /** What one of two CPUs may keep of DMA32, and at most where lists tune themselves. */
  const highs = (release: string, pcpHighFraction?: number): { low: number; managed: number; highs: number[] } => {
    const m = createBootedMemory({
      release: parseRelease(release),
      memoryMb: 1024,
      cpus: 2,
      marks: { minFreeKb: 8192, ...(pcpHighFraction === undefined ? {} : { pcpHighFraction }) },
    });
    const row = m.memory.spec.zones.findIndex((z) => z.name === "DMA32");
    const at = row * m.memory.spec.cpus * pcpStride;
    const fields = release.startsWith("6.1-") ? [pcpField.high] : [ownPcpField, ownPcpField + 1];
    return {
      low: m.memory.zone[row * zoneStride + zoneField.low] as number,
      managed: m.memory.spec.zones[row]?.managedPages ?? 0,
      highs: fields.map((field) => m.memory.pcp[at + field] as number),
    };
  };

  test("left out, both CPUs share the low mark; set, that fraction of the zone", () => {
    const usual = highs("6.1-x86_64");
    expect(usual.highs).toEqual([Math.floor(usual.low / 2)]);
    const set = highs("6.1-x86_64", 20);
    expect(set.highs).toEqual([Math.floor(Math.floor(set.managed / 20) / 2)]);
    expect(set.highs[0]).not.toBe(usual.highs[0]);
  });

  test("where lists tune themselves it ends the tuning; left out, an eighth of the zone is the most", () => {
    const usual = highs("7.2-x86_64");
    expect(usual.highs).toEqual([Math.floor(usual.low / 2), Math.floor(Math.floor(usual.managed / 8) / 2)]);
    const set = highs("7.2-x86_64", 20);
    expect(set.highs[0]).toBe(Math.floor(Math.floor(set.managed / 20) / 2));
    expect(set.highs[1]).toBe(set.highs[0]);
  });
});
