// Whole machines of every era under random requests: several CPUs and nodes, per-CPU lists, reserves, reclaim, compaction. After every
// few operations all of memory is walked; at the end everything is given back and every page must be free.
import { describe, expect, test } from "vitest";
import type { Prng } from "../../base/prng.ts";
import { prng } from "../../base/prng.ts";
import { parseRelease } from "../../kernel/release.ts";
import { createBootedMemory } from "../kernels/booted.ts";
import { exactKernels } from "../kernels/parts_for.ts";
import type { BootedMemory, BootedOptions } from "./booted.ts";
import { memoryProblems } from "./invariants.ts";

interface Case {
  readonly name: string;
  readonly options: Omit<BootedOptions, "memoryMb">;
}

const cases: readonly Case[] = [
  { name: "2.6.9-i386", options: { release: parseRelease("2.6.9-i386"), cpus: 2 } },
  {
    name: "2.6.11-i386 with the 2005 patch",
    options: { release: parseRelease("2.6.11-i386"), policy: "placement-2005", activeFreeing: true },
  },
  { name: "2.6.18-x86_64", options: { release: parseRelease("2.6.18-x86_64"), cpus: 2 } },
  { name: "2.6.24-x86_64", options: { release: parseRelease("2.6.24-x86_64"), cpus: 2 } },
  { name: "2.6.34-x86_64", options: { release: parseRelease("2.6.34-x86_64"), cpus: 4 } },
  { name: "3.13-x86_64", options: { release: parseRelease("3.13-x86_64"), cpus: 2 } },
  { name: "4.19-x86_64", options: { release: parseRelease("4.19-x86_64"), cpus: 2 } },
  ...exactKernels.map(({ name, release }) => ({ name, options: { release, cpus: 4 } })),
  { name: "6.6-x86_64", options: { release: parseRelease("6.6-x86_64"), cpus: 2 } },
];

const freeCount = (machine: BootedMemory): number => {
  const { nrFree, spec } = machine.memory;
  let pages = 0;
  for (let z = 0; z < spec.zones.length; z++)
    for (let o = 0; o < spec.orders; o++) pages += (nrFree[z * 16 + o] as number) << o;
  return pages;
};

function randomGfp(random: Prng, machine: BootedMemory): number {
  const { gfp: g } = machine.rules;
  let mask = g.nowarn;
  if (random.chance(0.4)) mask |= g.movable;
  else if (random.chance(0.3)) mask |= g.reclaimable;
  if (random.chance(0.1)) mask |= g.dma;
  if (random.chance(0.3)) mask |= g.highmem;
  if (random.chance(0.3)) mask |= g.high;
  if (random.chance(0.1)) mask |= g.nomemalloc;
  if (random.chance(0.02)) mask |= g.memalloc;
  if (random.chance(0.8)) mask |= g.kswapdReclaim;
  if (random.chance(0.3)) mask |= g.directReclaim | g.io | g.fs;
  if (random.chance(0.3)) mask |= g.noretry;
  if (random.chance(0.5)) mask |= g.comp;
  return mask;
}

describe.each(cases)("$name", ({ options }) => {
  test("no page is lost, doubled or miscounted", () => {
    for (const seed of [11, 12]) {
      const random = prng(seed);
      const machine = createBootedMemory({ ...options, memoryMb: 40 });
      const user = new Set<number>();
      machine.lru.setOwner({
        evict: (pfn) => random.chance(0.8) && user.delete(pfn),
        migrate: (from, to) => random.chance(0.9) && user.delete(from) && user.add(to) !== undefined,
      });
      const free = freeCount(machine);
      const held: { pfn: number; order: number }[] = [];
      const cpus = options.cpus ?? 1;
      let failed = 0;
      for (let step = 0; step < 6000; step++) {
        machine.journal.cpu = random.below(cpus);
        const filling = step % 3000 < 2000;
        const dice = random.unit();
        if (dice < (filling ? 0.45 : 0.2)) {
          const order = random.chance(0.6) ? 0 : random.below(10);
          const pfn = machine.pages.allocPages(randomGfp(random, machine), order);
          if (pfn >= 0) held.push({ pfn, order });
          else failed++;
        } else if (dice < (filling ? 0.75 : 0.3)) {
          const pfn = machine.allocUser(randomGfp(random, machine));
          if (pfn >= 0) user.add(pfn);
        } else if (held.length > 0 && dice < 0.9) {
          const [h] = held.splice(random.below(held.length), 1);
          if (h !== undefined) machine.pages.freePages(h.pfn, h.order);
        } else if (user.size > 0) {
          const pfn = user.values().next().value as number;
          user.delete(pfn);
          machine.freeUser(pfn);
        }
        if (step % 500 === 499) machine.reclaim.runKswapd();
        if (step % 400 === 0) expect(memoryProblems(machine), `seed ${seed} step ${step}`).toEqual([]);
      }
      expect(failed, `seed ${seed}: memory was never short`).toBeGreaterThan(20);
      for (const { pfn, order } of held) machine.pages.freePages(pfn, order);
      for (const pfn of user) machine.freeUser(pfn);
      machine.reclaim.drainAll();
      expect(memoryProblems(machine), `seed ${seed} end`).toEqual([]);
      expect(freeCount(machine), `seed ${seed} end`).toBe(free);
    }
  });
});
