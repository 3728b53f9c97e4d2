// What a mask does in a running machine is what the decoder says of it, on both sides of every change of the mask's layout:
// who may not sleep never reclaims, every mask that any part of the model asks with is one that its release has, and kswapd wakes.
import { expect, test } from "vitest";
import { allocatorGfpOf } from "../kernel/facts/allocator_gfp.ts";
import { decodeGfp } from "../kernel/facts/gfp.ts";
import { gfpEras } from "../kernel/facts/gfp_eras.ts";
import { compareVersions } from "../kernel/release.ts";
import { createMachine } from "./machine.ts";
import { createWorkloads } from "./workload/workloads.ts";

const oldest = [2, 6, 9];
const releases = [
  ...gfpEras.map((era) => era.since).filter((since) => compareVersions(since, oldest) >= 0),
  [4, 14],
  [4, 19],
  [5, 10, 223],
  [6, 1, 192],
  [6, 12, 117],
  [7, 2, 12],
];

test.each(releases.map((version) => [version.join("."), version] as const))("%s", (_name, version) => {
  const m = createMachine({ release: { version, arch: "x86_64" }, memoryMb: 32, seed: 3, nics: [{ driver: "e1000" }] });
  const bits = allocatorGfpOf(version);
  const masks = new Map<number, number>();
  let asked = 0;
  const slept: number[] = [];
  let woken = 0;
  let reclaimed = false;
  m.journal.listen((_kind, _nanos, _cpu, _pfn, _order, gfp) => {
    masks.set(gfp, (masks.get(gfp) ?? 0) + 1);
    // The request whose reclaim has just ended is the next that is answered.
    if (reclaimed) slept.push(gfp);
    reclaimed = false;
  }, "mm_page_alloc");
  m.journal.listen(() => void woken++, "mm_vmscan_kswapd_wake");
  m.journal.listen(() => {
    reclaimed = true;
  }, "mm_vmscan_direct_reclaim_end");
  const device = m.devices[0];
  expect(device === undefined ? false : m.up(device)).toBe(true);
  const load = createWorkloads(m, {
    loads: [
      { kind: "page-cache", pagesPerMilli: 200 },
      { kind: "slab", objectsPerMilli: 50, maxObjects: 4000 },
      { kind: "atomic", blocks: 30, everyMillis: 2, holdMillis: 2 },
    ],
  });
  load.start();
  m.clock.run(150e6, 1e6);
  for (const [gfp, times] of masks) {
    const decoded = decodeGfp(gfp, version);
    expect(decoded.unknown, decoded.text).toEqual([]);
    asked += times;
  }
  expect(asked).toBeGreaterThan(1000);
  const atomic = [...masks.keys()].filter((gfp) => decodeGfp(gfp, version).names.some((n) => n.name === "GFP_ATOMIC"));
  expect(atomic.length).toBeGreaterThan(0);
  for (const gfp of slept) expect(gfp & bits.directReclaim).not.toBe(0);
  for (const gfp of slept) expect(atomic).not.toContain(gfp);
  expect(woken).toBeGreaterThan(0);
  expect(slept.length).toBeGreaterThan(0);
});
