// What must be true of slab caches beside the free lists inside their slabs: whose each slab is, how many there are, the lists that they stand on.
import type { Findings } from "../findings.ts";
import { frameAddress, type Kernel } from "../kernel.ts";
import type { MemMap, SlabHead } from "../mm/mem_map.ts";
import type { SlabCache } from "./cache.ts";

/**
 * Slabs against their caches, caches against their counters and lists; `known` are the addresses of all. One broken thing gives one finding. Slabs that point
 * to a cache and are another's are given back: what they hold fits the other.
 */
export function checkOwners(
  kernel: Kernel,
  map: MemMap,
  slabs: readonly SlabHead[],
  known: ReadonlySet<bigint>,
  caches: readonly SlabCache[],
  findings: Findings,
): ReadonlySet<number> {
  let astray = 0;
  for (const { pfn, cache } of slabs)
    if (!known.has(cache)) {
      astray++;
      findings.add({
        kind: "slab",
        text: `slab page pfn ${pfn} does not point to a cache (slab_cache is ${cache.toString(16)})`,
        pfn,
        address: frameAddress(kernel, pfn),
      });
    }
  if (kernel.memory.live) return new Set();
  checkReferences(map, slabs, findings);
  for (const c of caches) checkLists(c, findings);
  return astray === 0 && map.unseen === 0 ? checkNumbers(caches, findings) : new Set();
}

/** A slab has as many references as all slabs have: one up to 6.19, none since (frozen pages); a page that is looked at may have more. */
function checkReferences(map: MemMap, slabs: readonly SlabHead[], findings: Findings): void {
  const without = slabs.filter(({ pfn }) => map.refcount[pfn] === 0);
  if (without.length * 2 > slabs.length) return;
  for (const { pfn } of without)
    findings.add({ kind: "slab", text: `slab page pfn ${pfn} has refcount 0, as if it were free`, pfn });
}

/** The lists of slabs with free objects, and of the free objects of each CPU. */
function checkLists(c: SlabCache, findings: Findings): void {
  const add = (text: string): void =>
    findings.add({ kind: "slab", text: `cache ${c.name}: ${text}`, cache: c.name, address: c.address });
  for (const n of c.nodes)
    if (n.isCut) continue;
    else if (n.problem !== undefined) add(`the list of partial slabs ${n.problem}`);
    else if (n.nrPartial !== n.partial.length)
      add(`nr_partial says ${n.nrPartial}, ${n.partial.length} slabs are on the list`);
  for (const cpu of c.cpus)
    if (cpu.kind === "slab" && cpu.astray !== undefined)
      add(
        `the free list of cpu ${cpu.cpu} leads out of its slab, pfn ${cpu.slab}, after ${cpu.free.length} objects (to ${cpu.astray.toString(16)})`,
      );
}

/** How many slabs each cache says it has. One that points to another cache is missed by one and too many for the other. */
function checkNumbers(caches: readonly SlabCache[], findings: Findings): ReadonlySet<number> {
  const saidOf = (c: SlabCache): number => c.nodes.reduce((sum, n) => sum + n.nrSlabs, 0);
  const wrong = caches.filter((c) => c.nodes.length > 0 && saidOf(c) !== c.slabs.length);
  const [a, b] = wrong;
  if (a !== undefined && b !== undefined && wrong.length === 2) {
    const [lacks, has] = saidOf(a) > a.slabs.length ? [a, b] : [b, a];
    const moved = saidOf(lacks) - lacks.slabs.length;
    if (moved > 0 && moved === has.slabs.length - saidOf(has)) {
      const kept = [
        ...lacks.nodes.flatMap((n) => n.partial),
        ...lacks.cpus.map((c) => (c.kind === "slab" ? c.slab : -1)),
      ];
      const foreign = new Set(has.slabs.filter((pfn) => kept.includes(pfn)));
      const which = foreign.size === 0 ? "" : `, pfn ${[...foreign].join(", ")}`;
      findings.add({
        kind: "slab",
        text: `cache ${lacks.name}: nr_slabs says ${saidOf(lacks)}, ${lacks.slabs.length} slab pages point to it; ${moved} too many ${moved === 1 ? "points" : "point"} to cache ${has.name}${which}`,
        cache: lacks.name,
        address: lacks.address,
      });
      return foreign;
    }
  }
  for (const c of wrong)
    findings.add({
      kind: "slab",
      text: `cache ${c.name}: nr_slabs says ${saidOf(c)}, ${c.slabs.length} slab pages point to it`,
      cache: c.name,
      address: c.address,
    });
  return new Set();
}
