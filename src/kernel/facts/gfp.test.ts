import { describe, expect, test } from "vitest";
import { parseRelease } from "../release.ts";
import {
  decodeGfp,
  gfpCombination,
  gfpEraAt,
  gfpMask,
  gfpReadings,
  isCommonMask,
  previousRelease,
  sameNames,
} from "./gfp.ts";
import { gfpCombinations, gfpEras } from "./gfp_eras.ts";

const names = (mask: number, release: string): string => decodeGfp(mask, parseRelease(release).version).text;

describe("gfp masks of real reports decode to what the reporter's kernel meant", () => {
  // Each row: where the report was published, its kernel, the printed mask, the flags. Names are compared as a set: the kernel's
  // print order is a claim of its own below.
  const rows: readonly (readonly [where: string, release: string, mask: number, flags: string])[] = [
    ["gentoo blog, June 2009", "2.6.24", 0x4020, "GFP_ATOMIC|__GFP_COMP"],
    ["wl500g #189", "2.6.22", 0x4020, "GFP_ATOMIC|__GFP_COMP"],
    ["ppc kswapd0", "2.6.31", 0x4020, "GFP_ATOMIC|__GFP_COMP"],
    ["RHEL 6", "2.6.32", 0x20, "GFP_ATOMIC"],
    ["cks", "2.6.32", 0xc0d0, "GFP_KERNEL|__GFP_COMP|__GFP_ZERO"],
    ["EL7", "3.10", 0x2040d0, "GFP_KERNEL|__GFP_COMP|__GFP_NOTRACK"],
    ["dm-writeboost", "3.18", 0x204010, "GFP_NOIO|__GFP_COMP|__GFP_NOTRACK"],
    ["netmap", "3.19", 0x8020, "GFP_ATOMIC|__GFP_ZERO"],
    ["coreos", "4.3.3", 0x20, "GFP_ATOMIC"],
    ["QAT_Engine #84", "4.4", 0x24000c0, "GFP_KERNEL"],
    ["coreos", "4.9", 0x2084120, "GFP_ATOMIC|__GFP_COLD|__GFP_COMP"],
    ["dCache #3787", "4.9", 0x2080020, "GFP_ATOMIC"],
    ["csky", "4.9", 0x2084020, "GFP_ATOMIC|__GFP_COMP"],
    ["Banana Pi", "4.14", 0x1080120, "GFP_ATOMIC|__GFP_COLD"],
    ["lede #2453", "4.14", 0x1080020, "GFP_ATOMIC"],
    ["EL8", "4.18", 0x484020, "GFP_ATOMIC|__GFP_COMP"],
    ["patchew", "4.19", 0x480020, "GFP_ATOMIC"],
    ["spdk", "5.4", 0x40dc0, "GFP_KERNEL|__GFP_ZERO|__GFP_COMP"],
    ["earlyoom", "5.9", 0x800, "GFP_NOWAIT"],
    ["tempesta", "5.10", 0xb20, "GFP_ATOMIC|__GFP_ZERO"],
    ["strfry", "6.2", 0x40dc0, "GFP_KERNEL|__GFP_ZERO|__GFP_COMP"],
    ["AQC107", "6.5", 0x40d00, "GFP_NOIO|__GFP_ZERO|__GFP_COMP"],
    ["xtensa", "6.8", 0x820, "GFP_ATOMIC"],
    ["sof", "6.9", 0xdc0, "GFP_KERNEL|__GFP_ZERO"],
    ["node_exporter #2990", "2.6.32", 0xd0, "GFP_KERNEL"],
    ["e1000 provoked failure", "6.1", 0x40a20, "GFP_ATOMIC|__GFP_COMP"],
    ["dentry allocation", "6.1", 0x40cd0, "GFP_KERNEL|__GFP_COMP|__GFP_RECLAIMABLE"],
    ["page fault", "6.1", 0x140cca, "GFP_HIGHUSER_MOVABLE|__GFP_COMP"],
  ];
  test.each(rows)("%s (%s)", (_where, release, mask, flags) => {
    expect(names(mask, release).split("|").sort()).toEqual(flags.split("|").sort());
  });

  test("tempesta's 0xb20 is GFP_ATOMIC with __GFP_ZERO and nothing else", () => {
    const decoded = decodeGfp(0xb20, [5, 10]);
    expect(decoded.names.map((n) => n.mask)).toEqual([0xa20, 0x100]);
    expect(decoded.unknown).toEqual([]);
  });
});

describe("names come in the kernel's own order", () => {
  test("up to 6.14 COMP stands before ZERO, from 6.15 bits rise (include/trace/events/mmflags.h)", () => {
    expect(names(0x40dc0, "5.4")).toBe("GFP_KERNEL|__GFP_COMP|__GFP_ZERO");
    expect(names(0x40dc0, "6.12")).toBe("GFP_KERNEL|__GFP_COMP|__GFP_ZERO");
    expect(names(0x40dc0, "6.16")).toBe("GFP_KERNEL|__GFP_ZERO|__GFP_COMP");
    expect(names(0x40cd0, "6.1")).toBe("GFP_KERNEL|__GFP_COMP|__GFP_RECLAIMABLE");
  });

  test("a combination with more bits takes them before a smaller one can", () => {
    expect(names(0x140cca, "6.1")).toBe("GFP_HIGHUSER_MOVABLE|__GFP_COMP");
    expect(names(0x100cc0, "6.1")).toBe("GFP_USER");
    expect(names(0x400cc0, "6.1")).toBe("GFP_KERNEL_ACCOUNT");
    expect(names(0x4200ca | 0x90000 | 0x2400000, "4.9")).toMatch(/^GFP_HIGHUSER_MOVABLE\|/);
  });
});

describe("GFP_ATOMIC and GFP_KERNEL are fingerprints of the kernel", () => {
  test.each([
    [0x20, "2.6.24", 0xd0],
    [0x2080020, "4.9", 0x24000c0],
    [0x1080020, "4.14", 0x14000c0],
    [0x480020, "4.19", 0x6000c0],
    [0xa20, "5.15", 0xcc0],
    [0x820, "6.8", 0xcc0],
  ])("%i is GFP_ATOMIC at %s", (atomic, release, kernel) => {
    expect(gfpCombination("GFP_ATOMIC", parseRelease(release).version)).toBe(atomic);
    expect(gfpCombination("GFP_KERNEL", parseRelease(release).version)).toBe(kernel);
  });

  test("a mask without a release: the likely era first, the impossible ones named with the reason", () => {
    const readings = gfpReadings(0x820);
    expect(readings[0]).toMatchObject({ kernels: "6.3 and later", text: "GFP_ATOMIC", score: 3 });
    expect(readings.find((r) => r.kernels === "2.6 to 4.3")).toMatchObject({ score: 1 });
    expect(gfpReadings(0x4020)[0]).toMatchObject({ kernels: "2.6.9 to 4.3", text: "GFP_ATOMIC|__GFP_COMP" });
    expect(gfpReadings(0xd0)[0]).toMatchObject({ kernels: "2.6 to 4.3", text: "GFP_KERNEL" });
    // 2.4 had a bit more: high I/O at 0x80, FS at 0x100.
    expect(gfpReadings(0x1f0)[0]).toMatchObject({ kernels: "up to 2.5", text: "GFP_KERNEL" });
    expect(gfpReadings(0x1d2)[0]).toMatchObject({ kernels: "up to 2.5", text: "GFP_HIGHUSER" });
    expect(gfpReadings(0xf0)[0]).toMatchObject({ kernels: "up to 2.5", text: "GFP_NOFS" });
    expect(gfpReadings(0xd0).find((r) => r.kernels === "4.4 to 6.14")?.because).toMatch(/without __GFP_DIRECT_RECLAIM/);
    for (const [mask, era] of [
      [0x2080020, "4.4 to 4.9"],
      [0x1080020, "4.10 to 4.17"],
      [0x480020, "4.18 to 5.0"],
      [0xa20, "5.1 to 6.2"],
      [0x20, "up to 4.3"],
    ] as const) {
      expect(gfpReadings(mask)[0]).toMatchObject({ kernels: era, text: "GFP_ATOMIC", score: 3 });
    }
  });
});

describe("bits that are not simply there", () => {
  test("an unknown bit is shown, with what a vendor uses it for where that is known", () => {
    const tegra = decodeGfp(0x24000c0 + 0x4000000, [4, 9]);
    expect(tegra.text).toBe("GFP_KERNEL|0x4000000");
    expect(tegra.unknown).toEqual([{ mask: 0x4000000, hint: "HIGHUSER_MOVABLE without CMA on NVIDIA Tegra 4.9" }]);
    expect(decodeGfp(0x80000000, [5, 4]).unknown).toEqual([{ mask: 0x80000000 }]);
  });

  test("from 6.10 a bit above ZEROTAGS is named only conditionally", () => {
    const decoded = decodeGfp(0x1000cc0, [6, 12]);
    expect(decoded.names.map((n) => n.name)).toEqual(["GFP_KERNEL"]);
    expect(decoded.unknown[0]?.hint).toBe(
      "depends on the configuration: __GFP_SKIP_ZERO or __GFP_NOLOCKDEP or __GFP_NO_OBJ_EXT",
    );
  });

  test("DMA32 says on which machines it exists", () => {
    expect(decodeGfp(0x24, [2, 6, 24]).names.find((n) => n.name === "GFP_DMA32")?.when).toMatch(/64-bit/);
    expect(decodeGfp(0xcc4, [6, 1]).names.find((n) => n.name === "GFP_DMA32")?.when).toBeUndefined();
  });

  test("0x400 is REPEAT, then RETRY_MAYFAIL, then DIRECT_RECLAIM; 0x2000 and 0x100 change as often", () => {
    expect(["3.10", "4.12", "4.13", "5.0", "5.1"].map((r) => names(0x400, r))).toEqual([
      "__GFP_REPEAT",
      "__GFP_REPEAT",
      "__GFP_RETRY_MAYFAIL",
      "__GFP_RETRY_MAYFAIL",
      "__GFP_DIRECT_RECLAIM",
    ]);
    expect(["2.6.22", "2.6.29", "3.6", "5.1"].map((r) => names(0x2000, r))).toEqual([
      "__GFP_NO_GROW",
      "0x2000",
      "__GFP_MEMALLOC",
      "__GFP_NOWARN",
    ]);
    expect(["4.14", "4.15", "4.18", "5.1"].map((r) => names(0x100, r))).toEqual([
      "__GFP_COLD",
      "0x100",
      "__GFP_WRITE",
      "__GFP_ZERO",
    ]);
    expect(["2.6.30", "2.6.31"].map((r) => names(8, r))).toEqual(["0x8", "__GFP_MOVABLE"]);
  });
});

describe("the table is whole", () => {
  test("decoding loses no bit, in any era, for any single bit or pair", () => {
    for (const era of gfpEras) {
      for (let a = 0; a < 32; a++) {
        for (let b = a; b < 32; b++) {
          const mask = ((2 ** a) | (2 ** b)) >>> 0;
          const decoded = decodeGfp(mask, era.since);
          const back = [...decoded.names, ...decoded.unknown].reduce((sum, n) => sum + n.mask, 0);
          expect(back).toBe(mask);
        }
      }
    }
  });

  test("every combination can be computed at its first release", () => {
    for (const combination of gfpCombinations) {
      const era = gfpEraAt(combination.since);
      expect(era === undefined ? undefined : gfpMask(combination.flags, era), combination.name).toBeTypeOf("number");
    }
  });

  test("the release before a new major is the last of the old one", () => {
    expect(
      [
        [3, 0],
        [4, 4],
        [5, 0],
        [2, 6, 31],
      ].map(previousRelease),
    ).toEqual(["2.6.39", "4.3", "4.20", "2.6.30"]);
  });
});

test("two texts name the same flags in any order; one name that differs, or one more, makes them others", () => {
  const same = (a: string, b: string): boolean => sameNames(a, b);
  expect([same("A|B", "B|A"), same("A|B", "A|C"), same("A|B", "A"), same("A", "A|B"), same("A|C", "B|D")]).toEqual([
    true,
    false,
    false,
    false,
    false,
  ]);
});

test("a mask without names that stands for itself has a flag above those of GFP_ATOMIC and GFP_KERNEL, and was met before masks had names", () => {
  expect([0xfff, 0x1000, 0x4020, 0x40d0, 0x20, 0xd0].map((m) => isCommonMask(m))).toEqual([
    false,
    false,
    true,
    true,
    false,
    false,
  ]);
});
