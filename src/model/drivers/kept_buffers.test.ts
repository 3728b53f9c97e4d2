import { describe, expect, test } from "vitest";
import { parseRelease } from "../../kernel/release.ts";
import { checkDriver } from "../driver_check.ts";

const release = parseRelease("2.6.29-ppc32");
const check = (use: string, mtu: number) =>
  checkDriver({ driver: "ibm_emac", release, mtu, settings: { pool: 40, pool_use: use } });

describe("receive buffers that an EMAC keeps", () => {
  for (const use of ["copy", "destructor"])
    for (const mtu of [1500, 9000])
      test(`${use}, MTU ${mtu}: frames come up, nothing is touched by two owners, and no refused request leaks`, () => {
        const found = check(use, mtu);
        expect(found.received).toBeGreaterThan(0);
        expect(found.lives).toBeGreaterThan(5);
        expect(found.faults).toEqual([]);
        expect(found.leaks).toEqual([]);
        expect(found.recovered).toBe(true);
      });
});
