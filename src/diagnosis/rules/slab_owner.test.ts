// Whose object a slab report is about: SLUB keeps the record of the last free while the object is in use again.
import { describe, expect, test } from "vitest";
import { explain } from "../explain.ts";
import type { DiagnosedIncident } from "../finding.ts";

const owner = async (allocated: number, freed: number): Promise<string | undefined> => {
  const log = [
    "BUG skbuff_head_cache (Not tainted): Redzone overwritten",
    "-----------------------------------------------------------------------------",
    "",
    "INFO: 0x84c40000-0x84c4001f. First byte 0xbb instead of 0xcc",
    `INFO: Allocated in rx_take+0x4c/0xd0 age=${allocated} cpu=0 pid=7`,
    `INFO: Freed in tx_unmap+0xd4/0xec age=${freed} cpu=0 pid=7`,
    "INFO: Slab 0x8109b800 objects=16 used=10 fp=0x84c40120 flags=0x0101",
  ]
    .map((l, i) => `[  873.68357${i}] ${l}`)
    .join("\n");
  const d = await explain({ log });
  return (d.incidents[0] as DiagnosedIncident).findings.find((f) => f.id === "slab.owner")?.claim;
};

describe("the object's last owner", () => {
  test("who took it after the last free has it now", async () => {
    expect(await owner(0, 2)).toBe(
      "The object's last owner: allocated by rx_take, 0 jiffies before the report; before that it was freed by tx_unmap, 2 jiffies before the report.",
    );
  });
  test.each([
    [2, 2],
    [3, 2],
  ])("taken %i and freed %i jiffies before: freed last, as far as the ages tell", async (allocated, freed) => {
    expect(await owner(allocated, freed)).toBe(
      `The object's last owner: allocated by rx_take, freed by tx_unmap, ${freed} jiffies before the report.`,
    );
  });
});
