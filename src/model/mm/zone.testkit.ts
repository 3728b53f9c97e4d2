// One zone for tests of the allocator's parts: nothing is free, every pageblock is movable, marks and lists are the test's to set.
import type { Release } from "../../kernel/release.ts";
import { parseRelease } from "../../kernel/release.ts";
import { createJournal } from "../journal.ts";
import { partsFor } from "../kernels/parts_for.ts";
import { oneZone } from "./boot.ts";
import type { MachineMemory } from "./machine_memory.ts";
import { createMachineMemory } from "./machine_memory.ts";
import { pcpField, zoneField } from "./memory.ts";
import type { MmRules, RuleChoices } from "./rules.ts";

export interface ZoneOptions {
  /** "6.1.192" when left out. */
  readonly release?: string;
  readonly choices?: RuleChoices;
  /** In the place of the release's own. */
  readonly rules?: MmRules;
  readonly pages?: number;
  readonly startPfn?: number;
  /** min, low and high. */
  readonly marks?: readonly [number, number, number];
  /** high and batch of the per-CPU lists. */
  readonly pcp?: readonly [high: number, batch: number];
}

/** MIGRATE_MOVABLE of every release that has types. */
const MOVABLE = 1;

export function zoneOf(options: ZoneOptions = {}): MachineMemory {
  const { pages = 4096, startPfn = 0, marks, pcp } = options;
  const release: Release = parseRelease(options.release ?? "6.1.192");
  const parts = partsFor(release).parts.mm;
  const { maxOrder, huge } = parts.pcp;
  const { spec } = oneZone({ pages, startPfn, cpus: 1, pcpMaxOrder: maxOrder, pcpHugeOrder: huge ? 9 : -1 });
  const rules = options.rules ?? parts.rules(options.choices);
  const machine = createMachineMemory({ spec, journal: createJournal(), parts, rules });
  const { memory } = machine;
  if (rules.policy === "mobility") memory.blockType.fill(MOVABLE);
  memory.zone[zoneField.managed] = pages;
  marks?.forEach((mark, i) => {
    memory.zone[zoneField.min + i] = mark;
  });
  if (pcp !== undefined) [memory.pcp[pcpField.high], memory.pcp[pcpField.batch]] = [...pcp];
  return machine;
}
