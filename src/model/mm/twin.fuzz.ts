// The allocator against a dumb twin (arrays, linear searches) on every sequence of up to six operations on eight pages, and on long seeded
// runs, for all three policies and for the fallback that claims first; after each operation the invariants are checked. The twin follows the same sources as placement*.ts.

import { describe, expect, test } from "vitest";
import type { Prng } from "../../base/prng.ts";
import { prng } from "../../base/prng.ts";
import { sized } from "../../base/size.testkit.ts";
import { createJournal } from "../journal.ts";
import type { ExactKernel } from "../kernels/kernel.ts";
import { linux_6_1 } from "../kernels/linux_6_1.ts";
import { linux_7_2 } from "../kernels/linux_7_2.ts";
import { bootMemory, oneZone } from "./boot.ts";
import { memoryProblems, restoreMemory, snapshotMemory } from "./invariants.ts";
import type { MachineMemory } from "./machine_memory.ts";
import { createMachineMemory } from "./machine_memory.ts";
import { hotColdLists } from "./pcp/hot_cold.ts";
import type { MmRules, PolicyName } from "./rules.ts";

/** A policy on 6.1.192, or mobility as 7.2.12 has it. */
type TwinName = PolicyName | "claim then steal";
const policies: readonly TwinName[] = ["classic", "placement-2005", "mobility", "claim then steal"];
const policyOf = (name: TwinName): PolicyName => (name === "claim then steal" ? "mobility" : name);
const kernelOf = (name: TwinName): ExactKernel => (name === "claim then steal" ? linux_7_2 : linux_6_1);

interface World {
  readonly pages: number;
  readonly orders: number;
  readonly blockOrder: number;
}

function rulesFor(name: TwinName): MmRules {
  const policy = policyOf(name);
  const rules = kernelOf(name).parts.mm.rules({ policy });
  // No per-CPU lists, no per-CPU counters and no boost: the twin is about lists and types only.
  const bits = policy === "placement-2005" ? { movable: 8, reclaimable: 16 } : {};
  return {
    ...rules,
    boostFactor: 0,
    vmStatFree: false,
    avoidFragmenting: false,
    gfp: { ...rules.gfp, ...bits },
  };
}

function build(policy: TwinName, world: World): MachineMemory {
  const layout = oneZone({
    pages: world.pages,
    cpus: 1,
    orders: world.orders,
    pageblockOrder: policy === "placement-2005" ? world.orders - 1 : world.blockOrder,
    pcpMaxOrder: -1,
    pcpHugeOrder: -1,
  });
  const machine = createMachineMemory({
    spec: layout.spec,
    journal: createJournal(),
    parts: { ...kernelOf(policy).parts.mm, pcp: hotColdLists },
    rules: rulesFor(policy),
  });
  bootMemory(machine, layout, { minFreeKb: 0, scaleFactor: 0 });
  return machine;
}

/** Free lists as arrays of pfns, head first; lists[order][type]. */
class Twin {
  readonly policy: PolicyName;
  readonly claims: boolean;
  readonly world: World;
  readonly blockOrder: number;
  lists: number[][][];
  types: number[];

  constructor(name: TwinName, world: World) {
    const policy = policyOf(name);
    this.policy = policy;
    this.claims = name === "claim then steal";
    this.world = world;
    this.blockOrder = policy === "placement-2005" ? world.orders - 1 : world.blockOrder;
    this.lists = Array.from({ length: world.orders }, () => [[], [], [], [], []]);
    this.types = Array.from({ length: world.pages >> this.blockOrder }, () => (policy === "mobility" ? 1 : 0));
    const top = world.orders - 1;
    for (let pfn = 0; pfn < world.pages; pfn += 1 << top) this.list(top, this.bootList()).push(pfn);
  }

  bootList(): number {
    return this.policy === "mobility" ? 1 : this.policy === "classic" ? 0 : 3;
  }

  list(order: number, type: number): number[] {
    return (this.lists[order] as number[][])[type] as number[];
  }

  split(pfn: number, from: number, order: number, type: number): number {
    for (let o = from - 1; o >= order; o--) this.list(o, type).unshift(pfn + (1 << o));
    return pfn;
  }

  smallest(order: number, type: number): number {
    for (let o = order; o < this.world.orders; o++) {
      const pfn = this.list(o, type).shift();
      if (pfn !== undefined) return this.split(pfn, o, order, type);
    }
    return -1;
  }

  alloc(order: number, type: number): number {
    if (this.policy === "classic") return this.smallest(order, 0);
    const own = this.smallest(order, type);
    if (own >= 0) return own;
    if (this.policy === "placement-2005") return this.alloc2005(order, type);
    return this.claims ? this.allocClaim(order, type) : this.allocMobility(order, type);
  }

  alloc2005(order: number, type: number): number {
    const top = this.world.orders - 1;
    const whole = this.list(top, 3).shift();
    if (whole !== undefined) {
      this.types[whole >> top] = type;
      return this.split(whole, top, order, type);
    }
    for (const other of this.others(type)) {
      const pfn = this.smallest(order, other);
      if (pfn >= 0) return pfn;
    }
    return -1;
  }

  others(type: number): readonly number[] {
    const table =
      this.policy === "placement-2005"
        ? [
            [1, 2],
            [0, 2],
            [0, 1],
          ]
        : [
            [2, 1],
            [2, 0],
            [0, 1],
          ];
    return table[type] as readonly number[];
  }

  allocMobility(order: number, type: number): number {
    const top = this.world.orders - 1;
    const find = (o: number): number => this.others(type).find((t) => this.list(o, t).length > 0) ?? -1;
    let from = top;
    while (from >= order && find(from) < 0) from--;
    if (from < order) return -1;
    const whole = (o: number): boolean => o >= this.blockOrder >> 1 || type !== 1;
    if (!whole(from) && from > order) for (from = order; find(from) < 0; ) from++;
    const pfn = this.list(from, find(from))[0] as number;
    if (from >= this.blockOrder || !whole(from)) {
      if (from >= this.blockOrder)
        for (let p = pfn; p < pfn + (1 << from); p += 1 << this.blockOrder) this.types[p >> this.blockOrder] = type;
      this.move(pfn, from, type);
      return this.smallest(order, type);
    }
    const start = pfn & -(1 << this.blockOrder);
    const old = this.types[start >> this.blockOrder];
    let free = 0;
    for (let p = start; p < start + (1 << this.blockOrder); ) {
      const o = this.lists.findIndex((byType) => byType.some((l) => l.includes(p)));
      if (o >= 0) this.move(p, o, type);
      free += o >= 0 ? 1 << o : 0;
      p += o >= 0 ? 1 << o : 1;
    }
    const alike = type !== 1 && old === 1 ? (1 << this.blockOrder) - free : 0;
    if (free + alike >= 1 << (this.blockOrder - 1)) this.types[start >> this.blockOrder] = type;
    return this.smallest(order, type);
  }

  allocClaim(order: number, type: number): number {
    const top = this.world.orders - 1;
    const find = (o: number): number => this.others(type).find((t) => this.list(o, t).length > 0) ?? -1;
    for (let from = top; from >= order && (from >= this.blockOrder >> 1 || type !== 1); from--) {
      const other = find(from);
      if (other < 0) continue;
      const pfn = this.list(from, other)[0] as number;
      if (from >= this.blockOrder) {
        this.remove(pfn, from);
        this.setTypes(pfn, from, type);
        return this.split(pfn, from, order, type);
      }
      const start = pfn & -(1 << this.blockOrder);
      const blocks = this.freeIn(start);
      const free = blocks.reduce((n, [, o]) => n + (1 << o), 0);
      const alike = type !== 1 && other === 1 ? (1 << this.blockOrder) - free : 0;
      if (free + alike < 1 << (this.blockOrder - 1)) continue;
      for (const [p, o] of blocks) this.move(p, o, type);
      this.types[start >> this.blockOrder] = type;
      return this.smallest(order, type);
    }
    for (let o = order; o <= top; o++) {
      const other = find(o);
      if (other >= 0) return this.split(this.list(o, other).shift() as number, o, order, other);
    }
    return -1;
  }

  /** Free blocks of a pageblock, rising. */
  freeIn(start: number): (readonly [pfn: number, order: number])[] {
    const found: [number, number][] = [];
    this.lists.forEach((byType, o) => {
      for (const list of byType)
        for (const pfn of list) if (pfn >= start && pfn < start + (1 << this.blockOrder)) found.push([pfn, o]);
    });
    return found.sort(([a], [b]) => a - b);
  }

  setTypes(pfn: number, order: number, type: number): void {
    for (let p = pfn; p < pfn + (1 << order); p += 1 << this.blockOrder) this.types[p >> this.blockOrder] = type;
  }

  move(pfn: number, order: number, type: number): void {
    this.remove(pfn, order);
    this.list(order, type).push(pfn);
  }

  remove(pfn: number, order: number): boolean {
    for (const list of this.lists[order] as number[][]) {
      const at = list.indexOf(pfn);
      if (at >= 0) return list.splice(at, 1).length > 0;
    }
    return false;
  }

  isFree(pfn: number, order: number): boolean {
    return (this.lists[order] ?? []).some((l) => l.includes(pfn));
  }

  free(freed: number, freedOrder: number): void {
    if (!this.claims || freedOrder <= this.blockOrder) this.freeOne(freed, freedOrder);
    else for (let p = freed; p < freed + (1 << freedOrder); p += 1 << this.blockOrder) this.freeOne(p, this.blockOrder);
  }

  freeOne(freed: number, freedOrder: number): void {
    let pfn = freed;
    let order = freedOrder;
    const top = this.world.orders - 1;
    const type = this.policy === "classic" ? 0 : (this.types[freed >> this.blockOrder] as number);
    while (order < top && this.remove(pfn ^ (1 << order), order)) {
      if (this.claims && order >= this.blockOrder) this.setTypes(pfn ^ (1 << order), order, type);
      pfn &= ~(1 << order++);
    }
    const list = this.list(order, this.policy === "placement-2005" && order === top ? 3 : type);
    // The pair around the block: if its own buddy is free, the block will soon merge twice, so it goes to the tail.
    const parent = pfn & ~(1 << order);
    if (order < top - 1 && this.isFree(parent ^ (2 << order), order + 1)) list.push(pfn);
    else list.unshift(pfn);
  }
}

interface Held {
  readonly pfn: number;
  readonly order: number;
}

/** The gfp mask that asks for a type: the policies number them differently. */
const gfpFor = (machine: MachineMemory, type: number): number =>
  [0, 8, 16].find((gfp) => machine.alloc.migratetypeOf(gfp) === type) ?? 0;

function compareLists(machine: MachineMemory, twin: Twin, where: () => string): void {
  const problems = memoryProblems(machine);
  if (problems.length > 0) throw new Error(`${where()}: ${problems.join("; ")}`);
  for (let order = 0; order < twin.world.orders; order++) {
    for (let type = 0; type < 5; type++) {
      let at = machine.area.firstOf(0, order, type);
      for (const pfn of twin.list(order, type)) {
        if (at !== pfn) throw new Error(`${where()}: list ${order}/${type}: the twin has ${pfn}, the model ${at}`);
        at = machine.memory.page[at * 4] as number;
        if (at >= machine.memory.pages) at = -1;
      }
      if (at >= 0) throw new Error(`${where()}: list ${order}/${type}: the model has ${at} more`);
    }
  }
}

/** One step on both; throws with the history where they differ. */
function allocBoth(
  machine: MachineMemory,
  twin: Twin,
  order: number,
  type: number,
  where: () => string,
): Held | undefined {
  const pfn = machine.pages.allocPages(gfpFor(machine, type), order);
  const expected = twin.alloc(order, type);
  if (pfn !== expected)
    throw new Error(`${where()}: alloc order ${order} type ${type}: the twin ${expected}, the model ${pfn}`);
  return pfn < 0 ? undefined : { pfn, order };
}

/** Operations of a sequence: six in the long run. */
const most = sized(5, 6);

describe.each(policies)("%s", (policy) => {
  test(`every sequence of up to ${most} operations on eight pages: same pages, same lists, invariants`, () => {
    const world: World = { pages: 8, orders: 3, blockOrder: 1 };
    const machine = build(policy, world);
    const twin = new Twin(policy, world);
    let sequences = 0;
    const path: string[] = [];
    const where = (): string => path.join(", ");
    const visit = (depth: number, held: readonly Held[]): void => {
      compareLists(machine, twin, where);
      sequences++;
      if (depth === most) return;
      const memory = snapshotMemory(machine.memory);
      const { lists, types } = twin;
      const enter = (name: string, step: () => readonly Held[]): void => {
        path.push(name);
        twin.lists = lists.map((byType) => byType.map((l) => [...l]));
        twin.types = [...types];
        visit(depth + 1, step());
        restoreMemory(machine.memory, memory);
        path.pop();
      };
      for (const order of [0, 1, 2])
        for (const type of [0, 1])
          enter(`alloc ${order}/${type}`, () => {
            const got = allocBoth(machine, twin, order, type, where);
            return got === undefined ? held : [...held, got];
          });
      held.forEach((h, i) => {
        enter(`free ${h.pfn}`, () => {
          machine.pages.freePages(h.pfn, h.order);
          twin.free(h.pfn, h.order);
          return held.filter((_, k) => k !== i);
        });
      });
      twin.lists = lists;
      twin.types = types;
    };
    visit(0, []);
    expect(sequences).toBeGreaterThan(sized(20_000, 100_000));
  });

  test("long seeded runs on 512 pages, all three types", () => {
    for (const seed of [1, 2, 3, 4]) {
      const random: Prng = prng(seed);
      const world: World = { pages: 512, orders: 7, blockOrder: 5 };
      const machine = build(policy, world);
      const twin = new Twin(policy, world);
      const held: Held[] = [];
      for (let step = 0; step < 1500; step++) {
        const where = (): string => `seed ${seed} step ${step}`;
        if (held.length > 0 && random.chance(held.length > 90 ? 0.6 : 0.4)) {
          const [h] = held.splice(random.below(held.length), 1) as [Held];
          machine.pages.freePages(h.pfn, h.order);
          twin.free(h.pfn, h.order);
        } else {
          const got = allocBoth(machine, twin, random.chance(0.6) ? 0 : random.below(6), random.below(3), where);
          if (got !== undefined) held.push(got);
        }
        if (step % 4 === 0) compareLists(machine, twin, where);
      }
      for (const h of held) {
        machine.pages.freePages(h.pfn, h.order);
        twin.free(h.pfn, h.order);
      }
      compareLists(machine, twin, () => `seed ${seed} end`);
    }
  });
});
