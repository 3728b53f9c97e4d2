// Every sequence of up to four operations (five in the long run) on eight pages, by the parts of each recorded kernel: all of memory is walked after each, and when
// everything is given back and the per-CPU lists are drained, the eight pages are one block again.

import { expect, test } from "vitest";
import { sized } from "../../base/size.testkit.ts";
import { formatRelease } from "../../kernel/release.ts";
import { exactKernels } from "../kernels/parts_for.ts";
import { memoryProblems, restoreMemory, snapshotMemory } from "./invariants.ts";
import { zoneField } from "./memory.ts";
import { zoneOf } from "./zone.testkit.ts";

const MOVABLE = 1;
const most = sized(4, 5);

interface Held {
  readonly pfn: number;
  readonly order: number;
}

test.each(exactKernels)("$name: no page is lost or doubled in any of them", ({ release }) => {
  const machine = zoneOf({ release: formatRelease(release), pages: 512, marks: [0, 0, 0], pcp: [4, 2] });
  const { memory, area, pages, rules, pcp } = machine;
  area.addTail(0, 0, 3, MOVABLE);
  memory.zone[zoneField.free] = 8;
  const { gfp: g } = rules;
  const plain = g.nowarn | g.kswapdReclaim;
  const asks: readonly (readonly [gfp: number, order: number])[] = [
    [plain | g.movable, 0],
    [plain | g.movable, 1],
    [plain | g.movable, 2],
    [plain, 0],
    [plain | g.high, 1],
  ];
  let sequences = 0;
  let refused = 0;
  const path: string[] = [];
  const check = (): void => {
    const problems = memoryProblems(machine);
    if (problems.length > 0) throw new Error(`${path.join(", ")}: ${problems[0]}`);
  };
  const settle = (held: readonly Held[]): void => {
    for (const { pfn, order } of held) pages.freePages(pfn, order);
    pcp.drainZone(0, 0);
    check();
    if (memory.nrFree[3] !== 1) throw new Error(`${path.join(", ")}: the eight pages are no block again`);
  };
  const visit = (held: readonly Held[]): void => {
    const before = snapshotMemory(memory);
    const perform = (name: string, step: () => readonly Held[]): void => {
      path.push(name);
      sequences++;
      const now = step();
      check();
      if (path.length < most) visit(now);
      else settle(now);
      restoreMemory(memory, before);
      path.pop();
    };
    for (const [gfp, order] of asks)
      perform(`alloc ${gfp.toString(16)} order ${order}`, () => {
        const pfn = pages.allocPages(gfp, order);
        if (pfn < 0) refused++;
        return pfn < 0 ? held : [...held, { pfn, order }];
      });
    for (const which of held.length > 1 ? [0, held.length - 1] : held.map((_, i) => i))
      perform(`free ${which}`, () => {
        const { pfn, order } = held[which] as Held;
        pages.freePages(pfn, order);
        return held.filter((_, i) => i !== which);
      });
  };
  visit([]);
  expect(sequences).toBeGreaterThan(sized(800, 5000));
  expect(refused, "eight pages were never too few").toBeGreaterThan(sized(10, 100));
});
