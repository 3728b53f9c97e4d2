import { describe, expect, test } from "vitest";
import { BadInput } from "../../base/bad_input.ts";
import { declaredStructs, structDeclarations } from "../facts/structs.ts";
import type { Release } from "../release.ts";
import { architectures, parseRelease } from "../release.ts";
import { abiOf } from "./abi.ts";
import { layoutOf } from "./engine.ts";
import { holesOf, memberNames, memberOf, nearestNames } from "./layout.ts";
import { parseFields } from "./notation.ts";

const sizes = (text: string, ...names: string[]): number[] =>
  names.map((n) => declaredStructs(parseRelease(text)).layout(n)?.sizeBytes ?? -1);

describe("sizes that a kernel or an author printed", () => {
  test("seed 002: 3.2 has frags of 16 and 8 bytes, shared info 344 and 188, sk_buff 240 and 192", () => {
    const names = ["skb_frag_struct", "skb_shared_info", "sk_buff"];
    expect(sizes("3.2-x86_64", ...names)).toEqual([16, 344, 240]);
    expect(sizes("3.2-i386", ...names)).toEqual([8, 188, 192]);
  });

  test("2.6.24 amd64 has shared info of 312 bytes (seed 001's 1976-byte buffer)", () => {
    expect(sizes("2.6.24-x86_64", "skb_shared_info")).toEqual([312]);
  });

  test("2.6.32 ppc32: shared info ends at 340 and is padded to 344", () => {
    const layout = declaredStructs(parseRelease("2.6.32-ppc32")).layout("skb_shared_info");
    expect(layout?.sizeBytes).toBe(344);
    expect(memberOf(layout as never, "destructor_arg")?.offsetBits).toBe(336 * 8);
  });

  test("6.1: shared info 320, frag 16, page 64; sk_buff 232 at a distribution, 224 without SECMARK", () => {
    expect(sizes("6.1", "skb_shared_info", "skb_frag_t", "page", "sk_buff")).toEqual([320, 16, 64, 232]);
    const oracle = declaredStructs(parseRelease("6.1"), new Map([["NETWORK_SECMARK", false]]));
    expect(oracle.layout("sk_buff")?.sizeBytes).toBe(224);
  });

  test("struct page is 56 bytes in 2.6.24 and 2.6.32 on amd64, 32 on 32-bit, 64 since 3.1 with double-word exchange", () => {
    expect(
      [sizes("2.6.24", "page"), sizes("2.6.32", "page"), sizes("3.2", "page"), sizes("4.19", "page")].flat(),
    ).toEqual([56, 56, 64, 64]);
    expect([sizes("2.6.24-i386", "page"), sizes("2.6.29-ppc32", "page"), sizes("3.2-i386", "page")].flat()).toEqual([
      32, 32, 32,
    ]);
  });
});

test("offsets of 6.1.192 are those that the running kernel printed (offsetof, oracle build)", () => {
  const structs = declaredStructs(parseRelease("6.1.192"), new Map([["NETWORK_SECMARK", false]]));
  const offsets = (struct: string, names: readonly string[]): Record<string, number> => {
    const layout = structs.layout(struct) as NonNullable<ReturnType<typeof structs.layout>>;
    return Object.fromEntries(names.map((n) => [n, (memberOf(layout, n)?.offsetBits ?? -8) / 8]));
  };
  // The "const" line of the recorded tables of sk_buff sizes.
  const skb = {
    next: 0,
    prev: 8,
    dev: 16,
    sk: 24,
    cb: 40,
    len: 112,
    data_len: 116,
    mac_len: 120,
    hdr_len: 122,
    queue_mapping: 124,
    priority: 140,
    mark: 164,
    protocol: 176,
    transport_header: 178,
    network_header: 180,
    mac_header: 182,
    tail: 184,
    end: 188,
    head: 192,
    data: 200,
    truesize: 208,
    users: 212,
  };
  const shinfo = {
    flags: 0,
    meta_len: 1,
    nr_frags: 2,
    tx_flags: 3,
    gso_size: 4,
    gso_segs: 6,
    frag_list: 8,
    hwtstamps: 16,
    gso_type: 24,
    tskey: 28,
    dataref: 32,
    xdp_frags_size: 36,
    destructor_arg: 40,
    frags: 48,
  };
  expect(offsets("sk_buff", Object.keys(skb))).toEqual(skb);
  expect(offsets("skb_shared_info", Object.keys(shinfo))).toEqual(shinfo);
});

describe.each([
  [
    "5.10.223",
    224,
    {
      len: 112,
      queue_mapping: 124,
      priority: 140,
      mark: 164,
      protocol: 176,
      tail: 184,
      head: 192,
      data: 200,
      users: 212,
    },
    { meta_len: 1, gso_type: 24, dataref: 32, destructor_arg: 40, frags: 48 },
  ],
  [
    "6.12.117",
    232,
    {
      len: 112,
      queue_mapping: 124,
      priority: 144,
      mark: 168,
      protocol: 180,
      tail: 188,
      head: 200,
      data: 208,
      users: 220,
    },
    { flags: 0, hwtstamps: 16, dataref: 32, xdp_frags_size: 36, destructor_arg: 40, frags: 48 },
  ],
  [
    "7.2.12",
    232,
    {
      len: 112,
      queue_mapping: 124,
      priority: 144,
      mark: 168,
      protocol: 180,
      tail: 188,
      head: 200,
      data: 208,
      users: 220,
    },
    { flags: 0, hwtstamps: 16, dataref: 32, xdp_frags_size: 40, destructor_arg: 40, frags: 48 },
  ],
] as const)("%s: sizes and offsets are those that Debian's kernel printed", (release, skbBytes, skb, shinfo) => {
  const structs = declaredStructs(parseRelease(release));
  test("sk_buff, skb_shared_info, skb_frag_t, page", () => {
    expect(sizes(release, "sk_buff", "skb_shared_info", "skb_frag_t", "page")).toEqual([skbBytes, 320, 16, 64]);
  });
  test.each([
    ["sk_buff", skb],
    ["skb_shared_info", shinfo],
  ] as const)("%s member by member", (struct, expected: Readonly<Record<string, number>>) => {
    const layout = structs.layout(struct) as NonNullable<ReturnType<typeof structs.layout>>;
    const mine = Object.keys(expected).map((n) => [n, (memberOf(layout, n)?.offsetBits ?? -8) / 8]);
    expect(Object.fromEntries(mine)).toEqual(expected);
  });
});

test("every declared struct has a layout in every release and architecture that it is declared for", () => {
  for (const [name, facts] of Object.entries(structDeclarations))
    for (const { since } of facts)
      for (const arch of architectures) {
        const release: Release = { version: since, arch };
        const layout = declaredStructs(release).layout(name);
        expect(layout?.sizeBytes, `${name} ${since.join(".")}-${arch}`).toBeGreaterThan(0);
        expect((layout?.sizeBytes ?? 0) % (layout?.alignBytes ?? 1)).toBe(0);
        expect(new Set(memberNames(layout as never)).size).toBe(memberNames(layout as never).length);
      }
});

describe("C's rules", () => {
  const of = (text: string, arch: Release["arch"] = "x86_64") =>
    layoutOf(
      "t",
      { fields: (n) => (n === "t" ? parseFields(text) : undefined), alias: (n) => n, option: () => true },
      abiOf(arch),
    );
  const places = (text: string, arch?: Release["arch"]): number[] =>
    (of(text, arch)?.members ?? []).map((m) => m.offsetBits);

  test("an 8-byte integer is aligned to 4 on i386 and to 8 on ppc32", () => {
    expect(places("a:u32 b:u64", "i386")).toEqual([0, 32]);
    expect(places("a:u32 b:u64", "ppc32")).toEqual([0, 64]);
  });

  test("a bit-field shares its unit and does not cross it", () => {
    expect(places("a:u8/3 b:u8/5 c:u8/1")).toEqual([0, 3, 8]);
    expect(places("a:u8/7 b:u8/2")).toEqual([0, 8]);
    expect(places("a:u8 b:uint/16 c:uint/8 d:uint/1")).toEqual([0, 8, 24, 32]);
  });

  test("a union is as large as its largest member, and holes are named by what is before them", () => {
    const layout = of("a:u8 union{ b:u64 c:u16 } d:u16") as NonNullable<ReturnType<typeof of>>;
    expect(layout.sizeBytes).toBe(24);
    expect(holesOf(layout)).toEqual([
      { after: "a", offsetBits: 8, bits: 56, depth: 0 },
      { after: "d", offsetBits: 144, bits: 48, depth: 0 },
    ]);
    expect(memberOf(layout, "c")?.offsetBits).toBe(64);
  });

  test("a zero-length array takes no room and no hole", () => {
    expect(places("a:u8/1 m:u8[0] b:u8")).toEqual([0, 8, 8]);
    expect(holesOf(of("m:u32[0] b:u32") as never)).toEqual([]);
  });
});

test("an option that no struct depends on is named, with those that matter", () => {
  expect(() => declaredStructs(parseRelease("3.2"), new Map([["SECMARK", true]]))).toThrow(BadInput);
  expect(() => declaredStructs(parseRelease("3.2"), new Map([["SECMARK", true]]))).toThrow(/CONFIG_SECMARK/);
});

test("a mistyped name gets its neighbours, a hopeless one none", () => {
  expect(nearestNames("sk_bufff", Object.keys(structDeclarations))).toEqual(["sk_buff"]);
  expect(nearestNames("shared_info", Object.keys(structDeclarations))).toContain("skb_shared_info");
  expect(nearestNames("zzzzzzzz", Object.keys(structDeclarations))).toEqual([]);
});
