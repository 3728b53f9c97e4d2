// Layouts side by side, members by name and type, and pahole's view: against what pahole 1.24 printed of the same BTF.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readBtf } from "../../artifact/btf/btf.ts";
import { paholeText } from "../../report/layout_pahole.ts";
import { declaredStructs } from "../facts/structs.ts";
import { parseRelease } from "../release.ts";
import { compareLayouts, findMembers, placesOf } from "./compare.ts";
import type { StructLayout } from "./layout.ts";

const fixtures = join(import.meta.dirname, "../../../fixtures/btf");
const small = readBtf(readFileSync(join(fixtures, "small.btf")), "small.btf");
const of = (name: string, release: string): StructLayout =>
  declaredStructs(parseRelease(release)).layout(name) as StructLayout;

describe("two kernels", () => {
  test("skb_shared_info of 6.1 and 6.12: what came", () => {
    const difference = compareLayouts(of("skb_shared_info", "6.1"), of("skb_shared_info", "6.12"));
    expect([difference.beforeBytes, difference.afterBytes]).toEqual([320, 320]);
    const added = difference.members.filter((m) => m.change === "added").map((m) => m.after?.path);
    expect(added).toEqual(["xsk_meta"]);
  });

  test("a type that a compiler spells otherwise is no other type; another one is", () => {
    const one = (type: string): StructLayout => ({
      name: "s",
      kind: "struct",
      sizeBytes: 8,
      alignBytes: 8,
      members: [{ name: "m", type, offsetBits: 0, sizeBytes: 8 }],
    });
    const change = (a: string, b: string) => compareLayouts(one(a), one(b)).members[0]?.change;
    for (const [a, b] of [
      ["long unsigned int", "unsigned long"],
      ["short unsigned int", "unsigned short"],
      ["long long unsigned int *", "unsigned long long *"],
      ["__u8", "u8"],
      ["__u32[3]", "u32[3]"],
      ["void (*)(struct sk_buff *)", "(*)()"],
    ] as const) {
      expect([a, change(a, b)]).toEqual([a, "same"]);
      expect([b, change(b, a)]).toEqual([b, "same"]);
    }
    for (const [a, b] of [
      ["long unsigned int", "long int"],
      ["__u16", "__s16"],
      ["__be16", "u16"],
      ["struct page *", "struct net_iov *"],
      ["void *", "(*)()"],
    ] as const)
      expect([a, change(a, b)]).toEqual([a, "other type"]);
  });

  test("every member of both is told once, with its own places; turned round, what came is gone", () => {
    for (const struct of ["sk_buff", "skb_shared_info", "page"])
      for (const [a, b] of [
        ["2.6.24-x86_64", "6.12-x86_64"],
        ["6.1-x86_64", "6.1-i386"],
        ["5.10-x86_64", "6.1-x86_64"],
      ] as const) {
        const [before, after] = [of(struct, a), of(struct, b)];
        const there = compareLayouts(before, after).members;
        const back = compareLayouts(after, before).members;
        const paths = (m: typeof there) => m.map((d) => (d.after ?? d.before)?.path).sort();
        const union = [...new Set([...placesOf(before), ...placesOf(after)].map((p) => p.path))].sort();
        expect(paths(there)).toEqual(union);
        expect(paths(back)).toEqual(union);
        const count = (m: typeof there, change: string) => m.filter((d) => d.change === change).length;
        expect(count(there, "added")).toBe(count(back, "removed"));
        expect(count(there, "removed")).toBe(count(back, "added"));
        expect(count(there, "moved")).toBe(count(back, "moved"));
      }
  });

  test("a struct beside itself is the same", () => {
    const all = compareLayouts(of("sk_buff", "6.1"), of("sk_buff", "6.1")).members;
    expect(all.length).toBeGreaterThan(80);
    expect(new Set(all.map((m) => m.change))).toEqual(new Set(["same"]));
  });
});

describe("members by name and type", () => {
  const look = (wanted: { member?: string; type?: string }) =>
    findMembers(small, wanted, 100).found.map(({ struct, member }) => `${struct}.${member.path}`);
  test("a name, with * for any letters, through anonymous members", () => {
    expect(look({ member: "start" })).toEqual(["outer.start"]);
    expect(look({ member: "x" })).toEqual(["outer.pairs.x"]);
    expect(look({ member: "*ff*t" })).toEqual(["outer.offset"]);
    expect(look({ member: "nobody" })).toEqual([]);
  });
  test("a type as C writes it, or a word of it", () => {
    expect(look({ type: "struct outer *" })).toEqual(["outer.next"]);
    expect(look({ type: "struct outer*" })).toEqual(["outer.next"]);
    expect(look({ type: "inner" })).toEqual(["holds.in"]);
    expect(look({ type: "inner_t" })).toEqual(["outer.three"]);
    expect(look({ member: "f", type: "struct forward *" })).toEqual(["holds.f"]);
  });
  test("what is shown is bounded, what is counted is not", () => {
    const all = findMembers(small, { member: "*" }, 1000);
    const few = findMembers(small, { member: "*" }, 2);
    expect(few.found).toEqual(all.found.slice(0, 2));
    expect(few.total).toBe(all.found.length);
  });
});

describe("pahole's view", () => {
  const printed = readFileSync(join(fixtures, "small.pahole.txt"), "utf8");
  /** Comments of a struct, spaces folded; those that this view does not have are left out. */
  const comments = (text: string): string[] =>
    [...text.matchAll(/\/\*[^*]*\*\//g)].map(([c]) => c.replace(/\s+/g, " ")).filter((c) => !/Force/.test(c));
  test.each(["inner", "outer"])("struct %s: offsets, sizes, holes, cache lines and sums are pahole's", (name) => {
    const from = printed.indexOf(`struct ${name} {`);
    const pahole = comments(printed.slice(from, printed.indexOf("\n};\n", from)));
    expect(pahole.length).toBeGreaterThan(5);
    expect(comments(paholeText(small.layout(name) as StructLayout, 64))).toEqual(pahole);
  });
  test("of declared structs the boundary of a line stands where a member crosses it", () => {
    const text = paholeText(of("sk_buff", "6.1"), 64);
    expect(text).toContain("--- cacheline 1 boundary (64 bytes) was 24 bytes ago ---");
    expect(text).toContain("--- cacheline 3 boundary (192 bytes) ---");
    expect(text).toMatch(/size: 232, cachelines: 4, members: \d+/);
  });
});
