// Rules that recordings cannot decide, or not in every kernel, each in the smallest situation that tells one value from the other. The kernels'
// own values were read in mm/page_alloc.c of 5.10.223, 6.1.192, 6.12.117, 7.2.12 and 7.3.4; the function is named with each.
import { describe, expect, test } from "vitest";
import { eventKind } from "../../kernel/events.ts";
import { createJournal } from "../journal.ts";
import { exactKernels } from "../kernels/parts_for.ts";
import { allocFlag } from "./alloc_flags.ts";
import { oneZone } from "./boot.ts";
import type { MachineMemory } from "./machine_memory.ts";
import { createMachineMemory } from "./machine_memory.ts";
import { record, zoneField, zoneFlag } from "./memory.ts";
import type { PageAlloc, Request } from "./page_alloc.ts";
import type { MmParts } from "./parts.ts";
import type { TaskContext } from "./rights.ts";
import { plainTask } from "./rights.ts";
import { createSlowPath } from "./slow_path.ts";

const MOVABLE = 1;
const HIGHATOMIC = 3;
const [k5, k61, k612, k72, k73] = exactKernels.map((k) => k.parts.mm) as [MmParts, MmParts, MmParts, MmParts, MmParts];
const kernels = exactKernels.map((k) => [k.name, k.parts.mm] as const);

/** One zone with nothing free, every pageblock movable. */
function zone(parts: MmParts, pages = 65536, task: Partial<TaskContext> = {}): MachineMemory {
  const { maxOrder, huge } = parts.pcp;
  const { spec } = oneZone({ pages, cpus: 1, pcpMaxOrder: maxOrder, pcpHugeOrder: huge ? 9 : -1 });
  const m = createMachineMemory({ spec, journal: createJournal(), parts, task: { ...plainTask(), ...task } });
  m.memory.blockType.fill(MOVABLE);
  return m;
}
/** Free blocks that the counters know of. */
function give(m: MachineMemory, type: number, order: number, ...pfns: readonly number[]): void {
  for (const pfn of pfns) {
    m.area.setBlockTypes(pfn & -512, Math.max(order, 9), type);
    m.area.addTail(pfn, 0, order, type);
    m.memory.zone[zoneField.free] = (m.memory.zone[zoneField.free] as number) + (1 << order);
  }
}
const flags = (m: MachineMemory): number => m.memory.zone[zoneField.flags] as number;
const boosted = (m: MachineMemory): boolean => (flags(m) & zoneFlag.boostedWatermark) !== 0;

describe("ZONE_BOOSTED_WATERMARK (rmqueue())", () => {
  /** After a request: does the zone still carry the mark? */
  const marked = (
    parts: MmParts,
    gfp: (g: MachineMemory["rules"]["gfp"]) => number,
    order: number,
    free: boolean,
  ): boolean => {
    const m = zone(parts);
    if (free) give(m, MOVABLE, 10, 1024);
    m.memory.zone[zoneField.flags] = flags(m) | zoneFlag.boostedWatermark;
    m.pages.allocPages(gfp(m.rules.gfp) | m.rules.gfp.movable, order);
    return boosted(m);
  };
  test.each(kernels)("%s: a request that may wake kswapd and gets a page takes it away", (_name, parts) => {
    expect(marked(parts, (g) => g.kswapdReclaim, 4, true)).toBe(false);
  });
  test("a request that may not wake kswapd takes it away up to 6.1", () => {
    expect([k5, k61, k612, k72].map((k) => marked(k, () => 0, 4, true))).toEqual([false, false, true, true]);
  });
  test("a high-order request that gets nothing leaves it in 5.10 only", () => {
    const reserves = (g: MachineMemory["rules"]["gfp"]): number => g.kswapdReclaim | g.memalloc;
    expect([k5, k61, k612, k72].map((k) => marked(k, reserves, 4, false))).toEqual([true, false, false, false]);
  });
});

test("ALLOC_NOFRAGMENT and a request of two pageblocks: 5.10 takes one over before it fails, 6.1 leaves it (__rmqueue_fallback())", () => {
  const types = [k5, k61].map((parts) => {
    const m = zone(parts);
    give(m, MOVABLE, 9, 512);
    expect(m.placement.rmqueue(0, 10, 0, allocFlag.noFragment)).toBe(-1);
    return m.area.blockTypeOf(512);
  });
  expect(types).toEqual([0, MOVABLE]);
});

describe("pageblocks that do not merge (__free_one_page())", () => {
  /** Order of the block that stands where two pageblocks were freed, the first of `type`. */
  const merged = (parts: MmParts, type: number): boolean => {
    const m = zone(parts);
    m.area.setBlockType(1024, type);
    m.area.addTail(1024, 0, 9, type);
    m.area.freeOnePage(1536, 0, 9, MOVABLE, false);
    return m.area.firstOf(0, 10, MOVABLE) === 1024;
  };
  test("the atomic reserve stays apart since 5.18", () => {
    expect([k5, k61, k612, k72].map((k) => merged(k, HIGHATOMIC))).toEqual([true, false, false, false]);
  });
  test.each(kernels)("%s: isolated ones always, ordinary ones never", (_name, parts) => {
    expect(merged(parts, parts.rules().types.isolate)).toBe(false);
    expect(merged(parts, 2)).toBe(true);
  });
});

describe("the atomic reserve", () => {
  test("an OOM victim takes from it at last, but not in 5.10 (rmqueue_buddy())", () => {
    const got = [k5, k61, k612, k72].map((parts) => {
      const m = zone(parts, 65536, { oomVictim: true });
      give(m, HIGHATOMIC, 10, 1024);
      const { gfp } = m.rules;
      return m.pages.allocPages(gfp.directReclaim | gfp.nowarn, 4) >= 0;
    });
    expect(got).toEqual([false, true, true, true]);
  });

  test("a single page for who cannot wait comes from it since 6.1's time, never in 5.10 (__rmqueue_pcplist(), rmqueue_buddy())", () => {
    const got = [k5, k61, k612, k72].map((parts) => {
      const m = zone(parts);
      give(m, HIGHATOMIC, 10, 1024);
      const { gfp } = m.rules;
      return m.pages.allocPages(gfp.high | gfp.atomic | gfp.nowarn, 0) >= 0;
    });
    expect(got).toEqual([false, true, true, true]);
  });

  test("who has no rights leaves its pageblocks alone up to 6.1, what is free in them since (__zone_watermark_unusable_free())", () => {
    const left = [k5, k61, k612, k72].map((parts) => {
      const m = zone(parts);
      give(m, MOVABLE, 10, 1024);
      m.memory.zone[zoneField.reservedHighatomic] = 1024;
      return m.watermarks.zoneOk(0, 0, 10, 0, allocFlag.wmarkLow, 0);
    });
    expect(left).toEqual([false, false, true, true]);
  });

  test("a page from a per-CPU list makes a reserve up to 6.12 (get_page_from_freelist(), rmqueue_buddy())", () => {
    const reserved = [k61, k612, k72].map((parts) => {
      const m = zone(parts);
      give(m, MOVABLE, 10, 1024, 2048);
      const { gfp } = m.rules;
      const asked = gfp.high | gfp.atomic | gfp.kswapdReclaim | gfp.movable;
      // A page of that order lies ready on the list.
      m.pages.freePages(m.pages.allocPages(asked & ~gfp.high & ~gfp.atomic, 1), 1);
      m.memory.zone.set([1e5, 1e5, 1e5], zoneField.min);
      m.memory.zone[zoneField.min] = 0;
      expect(m.pages.allocPages(asked, 1)).toBeGreaterThanOrEqual(0);
      return m.memory.zone[zoneField.reservedHighatomic];
    });
    expect(reserved).toEqual([512, 512, 0]);
  });

  test("an atomic request above order 0 comes from it while memory is plenty since 7.3, and adds nothing then (alloc_flags_nonblocking(), rmqueue_buddy())", () => {
    const from = [k61, k612, k72, k73].map((parts) => {
      const m = zone(parts);
      give(m, MOVABLE, 10, 2048, 4096);
      give(m, HIGHATOMIC, 10, 1024);
      const { gfp } = m.rules;
      const ask = (mask: number): number =>
        m.area.blockTypeOf(m.pages.allocPages(mask | gfp.kswapdReclaim | gfp.nowarn | gfp.movable, 4));
      const types = [ask(gfp.high | gfp.atomic), ask(gfp.high | gfp.atomic | gfp.nomemalloc), ask(0)];
      expect(m.memory.zone[zoneField.reservedHighatomic]).toBe(0);
      return types;
    });
    const ordinary = [MOVABLE, MOVABLE, MOVABLE];
    expect(from).toEqual([ordinary, ordinary, ordinary, [HIGHATOMIC, MOVABLE, MOVABLE]]);
  });

  test("mm_page_alloc_zone_locked names the list since 5.19, before the request (__rmqueue(), __rmqueue_smallest())", () => {
    const named = [k5, k61, k612, k72].map((parts) => {
      const m = zone(parts);
      give(m, HIGHATOMIC, 10, 1024);
      const types: number[] = [];
      m.journal.listen((_kind, _nanos, _cpu, _pfn, _order, type) => void types.push(type), "mm_page_alloc_zone_locked");
      m.area.rmqueueSmallest(0, 4, HIGHATOMIC, 0);
      return types;
    });
    expect(named).toEqual([[0], [HIGHATOMIC], [HIGHATOMIC], [HIGHATOMIC]]);
    expect(eventKind.mm_page_alloc_zone_locked).toBeGreaterThan(0);
  });
});

describe("tries of a request that cannot reclaim (__alloc_pages_slowpath())", () => {
  /** The alloc flags of each try. */
  const tries = (parts: MmParts, gfp: (g: MachineMemory["rules"]["gfp"]) => number): number[] => {
    const seen: number[] = [];
    const rules = parts.rules();
    const alloc = {
      getPageFromFreelist: (_gfp: number, _order: number, allocFlags: number) => {
        seen.push(allocFlags);
        return -1;
      },
      wakeAllKswapds: () => undefined,
    } as unknown as PageAlloc;
    const request: Request = { gfp: gfp(rules.gfp), order: 0, highest: 0, migratetype: 0, zonelist: 0 };
    expect(createSlowPath(alloc, createJournal(), rules, plainTask()).path(request)).toBe(-1);
    return seen;
  };
  test("NOWAIT is tried twice up to 6.12, once in 7.2; whoever has more rights then is tried again everywhere", () => {
    expect([k5, k61, k612, k72].map((k) => tries(k, (g) => g.kswapdReclaim).length)).toEqual([2, 2, 2, 1]);
    expect([k5, k61, k612, k72].map((k) => tries(k, (g) => g.kswapdReclaim | g.high | g.atomic).length)).toEqual([
      2, 2, 2, 2,
    ]);
    expect([k5, k61, k612, k72].map((k) => tries(k, (g) => g.kswapdReclaim | g.memalloc).length)).toEqual([2, 2, 2, 2]);
  });
  test("the second try of __GFP_MEMALLOC may wake kswapd, but not in 5.10", () => {
    const kept = [k5, k61, k612, k72].map(
      (k) => (tries(k, (g) => g.kswapdReclaim | g.memalloc)[1] as number) & allocFlag.kswapd,
    );
    expect(kept).toEqual([0, allocFlag.kswapd, allocFlag.kswapd, allocFlag.kswapd]);
  });
});

test("a freed block of two pageblocks returns by the types of both since 6.10 (split_large_buddy())", () => {
  const lists = [k61, k612, k72].map((parts) => {
    const m = zone(parts);
    give(m, MOVABLE, 10, 1024);
    const pfn = m.pages.allocPages(m.rules.gfp.movable, 10);
    expect(pfn).toBe(1024);
    m.area.setBlockType(1536, HIGHATOMIC);
    m.pages.freePages(pfn, 10);
    return [m.area.firstOf(0, 10, MOVABLE), m.area.firstOf(0, 9, MOVABLE), m.area.firstOf(0, 9, HIGHATOMIC)];
  });
  expect(lists).toEqual([
    [1024, -1, -1],
    [-1, 1024, 1536],
    [-1, 1024, 1536],
  ]);
});

test("a claim refused for the zone's border raises the watermarks all the same (try_to_claim_block())", () => {
  for (const parts of [k612, k72]) {
    const { maxOrder } = parts.pcp;
    const { spec } = oneZone({ pages: 65536, startPfn: 1, cpus: 1, pcpMaxOrder: maxOrder, pcpHugeOrder: 9 });
    const m = createMachineMemory({ spec, journal: createJournal(), parts });
    m.memory.blockType.fill(MOVABLE);
    m.memory.zone[zoneField.high] = 1000;
    give(m, MOVABLE, 8, 256);
    const pfn = m.placement.rmqueue(0, 8, 0, 0);
    // It is stolen instead, from where it lies: the pageblock keeps its type.
    expect([pfn, m.area.blockTypeOf(256)]).toEqual([256, MOVABLE]);
    expect(m.memory.zone[zoneField.boost]).toBe(512);
    expect(m.memory.page[pfn * 4 + record.references]).toBe(0);
  }
});
