// A mask means in the model what the decoder says: at every release where the layout changes, bit by bit.
import { describe, expect, test } from "vitest";
import type { AllocatorGfp } from "./allocator_gfp.ts";
import { allocatorGfpAt, allocatorGfpNames, allocatorGfpOf } from "./allocator_gfp.ts";
import { decodeGfp, gfpCombination } from "./gfp.ts";
import { gfpEras } from "./gfp_eras.ts";

describe.each(gfpEras.map((era) => [era.since.join("."), era] as const))(
  "since %s",
  (_name, { since, bits: layout }) => {
    const bits = allocatorGfpOf(since);

    test("each bit that the allocator reads is the one that the decoder names, and none that the layout has is missed", () => {
      for (const field of Object.keys(allocatorGfpNames) as (keyof AllocatorGfp)[]) {
        const there = allocatorGfpNames[field].filter((name) => layout.split(" ").includes(name));
        if (bits[field] === 0) expect(there, field).toEqual([]);
        else
          expect(
            there.map((name) => (name === "DMA32" ? "GFP_DMA32" : name === "DMA" ? "GFP_DMA" : `__GFP_${name}`)),
          ).toContain(
            decodeGfp(bits[field], since).names[0]?.name.replace(/^GFP_(NOIO|NOWAIT|ATOMIC)$/, (whole) =>
              whole === "GFP_NOIO" ? "__GFP_WAIT" : whole === "GFP_ATOMIC" ? "__GFP_HIGH" : "__GFP_KSWAPD_RECLAIM",
            ),
          );
      }
    });

    test("GFP_ATOMIC may not sleep and may use the reserve; since 4.4 it says that it wakes kswapd", () => {
      const atomic = gfpCombination("GFP_ATOMIC", since) ?? 0;
      expect(atomic & bits.directReclaim).toBe(0);
      expect(atomic & bits.high).toBe(bits.high);
      expect(atomic & bits.kswapdReclaim).toBe(bits.kswapdReclaim);
      expect(bits.kswapdReclaim !== 0).toBe((since[0] as number) > 4 || (since[0] === 4 && (since[1] as number) >= 4));
    });

    test("GFP_KERNEL sleeps, starts I/O and enters file systems", () => {
      const kernel = gfpCombination("GFP_KERNEL", since) ?? 0;
      for (const field of ["directReclaim", "kswapdReclaim", "io", "fs"] as const)
        expect(kernel & bits[field], field).toBe(bits[field]);
    });
  },
);

test("no layout is known before 2.4", () => {
  expect(allocatorGfpAt([2, 2])).toBeUndefined();
});
