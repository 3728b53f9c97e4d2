// Functions that stand alone, at their bounds and beyond: what a pointer is, how a size is said, what a record of a page shows, what pools' counters
// say. Kept in fixtures/answers/functions.txt; what a bound means is claimed here.
//   ANSWERS=write npx vitest run src/diagnosis/small_functions.test.ts    writes it anew
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { CounterSnapshot } from "../artifact/page_pool/shape.ts";
import { prng } from "../base/prng.ts";
import { poolCounters } from "../kernel/facts/pool_counters.ts";
import type { BadPage } from "../kernel/readings/bad_page.ts";
import { architectureOf, pageSizeOf } from "./architecture.ts";
import { loneBit, poolSignature, repeatedWords } from "./page_records.ts";
import { namePointer } from "./pointers.ts";
import { judgeCounters } from "./pools_counters.ts";
import type { Question } from "./question.ts";
import { rules } from "./rules/index.ts";
import { afterBoot, capital, count, duration, listing, size } from "./words.ts";
import { operandOf } from "./x86_operand.ts";

const said: string[] = [];
const say = (line: string): void => {
  said.push(line);
};

describe("pointers", () => {
  const kinds = (bits: 32 | 64, ...values: readonly string[]): readonly string[] =>
    values.map((v) => namePointer(v, bits).kind);
  test("null up to a page, almost null up to 64 KiB, an error down to -4095", () => {
    expect(kinds(64, "0", "fff", "1000", "ffff", "10001")).toEqual([
      "null",
      "null",
      "almost null",
      "almost null",
      "user",
    ]);
    expect(kinds(64, "fffffffffffff001", "fffffffffffff000")).toEqual(["error", "other"]);
    expect(kinds(32, "fffff001", "fffff000")).toEqual(["error", "other"]);
    expect(namePointer("fffffffffffffff2", 64).sentence).toMatch(/^minus 14:/);
    expect(namePointer("dffffc0000000001", 64).sentence).toMatch(/offset 8 to 15$/);
    expect(namePointer("dffffc000000002a", 64).sentence).toMatch(/offset 336 to 343$/);
  });
  test("poison of slabs and lists, one bit, letters, what nobody has", () => {
    expect(kinds(64, "6b6b6b6b6b6b6b6b", "5a5a5a5a5a5a5a5a", "dead000000000100", "dead000000000122")).toEqual([
      "slab poison",
      "slab poison",
      "list poison",
      "list poison",
    ]);
    expect(kinds(32, "00100100", "00200200", "00300300")).toEqual(["list poison", "list poison", "user"]);
    expect(kinds(64, "dead000000000040", "0000000100000000", "6c6c6568206f7265", "7f6c656820657265")).toEqual([
      "page_pool signature",
      "single bit",
      "text",
      "non-canonical",
    ]);
    expect(namePointer("100000000", 64).sentence).toMatch(/bit 32/);
    expect(kinds(64, "00007fffffffffff", "0000800000000001", "7fffffffffffffff", "ffff800000000001")).toEqual([
      "user",
      "non-canonical",
      "non-canonical",
      "other",
    ]);
    expect(kinds(32, "7ffffff1", "80000001")).toEqual(["user", "other"]);
  });
});

test("sizes, counts and times change their unit at its bound", () => {
  expect(
    [1, 1023, 1024, 1536, 1024 ** 2 - 1, 1024 ** 2, 10.5 * 1024 ** 2, 1024 ** 4, 5000 * 1024 ** 4].map(size),
  ).toEqual(["1 byte", "1,023 bytes", "1 KiB", "1.50 KiB", "1024.0 KiB", "1 MiB", "10.5 MiB", "1 TiB", "5000 TiB"]);
  expect([0.0004, 0.9994, 1, 119.4, 120, 7199, 7200, 172_799, 172_800].map(duration)).toEqual([
    "0 ms",
    "999 ms",
    "1 s",
    "119 s",
    "2.0 min",
    "120.0 min",
    "2.0 h",
    "48.0 h",
    "2.0 d",
  ]);
  expect([afterBoot(172_799.5), afterBoot(172_800, 0), afterBoot(260_000, 1)]).toEqual([
    "172799.500 s after boot",
    "2 days after boot (172800 s)",
    "3 days after boot (260000.0 s)",
  ]);
  expect([count(0, "page"), count(1, "page"), count(1234, "box", "boxes")]).toEqual([
    "0 pages",
    "1 page",
    "1,234 boxes",
  ]);
  expect([listing([]), listing(["a"]), listing(["a", "b"]), listing(["a", "b", "c"], "or")]).toEqual([
    "",
    "a",
    "a and b",
    "a, b or c",
  ]);
  expect(
    ["kswapd wakes", "kmalloc-2048 is full", "a page", "skb_put() fails", "large-block then"].map(capital),
  ).toEqual(["kswapd wakes", "kmalloc-2048 is full", "A page", "skb_put() fails", "Large-block then"]);
});

test("ranks go from 1 on without a hole: who puts one in looks at all", () => {
  const ranks = new Set(rules.flatMap((r) => Object.values<Question>(r.questions)).flatMap((q) => q.rank ?? []));
  expect([...ranks].sort((a, b) => a - b)).toEqual(Array.from({ length: ranks.size }, (_, i) => i + 1));
});

test("a release's name tells the architecture, and the size of pages where it has one", () => {
  const arch = (name: string): string => {
    const found = architectureOf(name, undefined, undefined);
    const pages = pageSizeOf(found, undefined, undefined, name);
    return `${found.known ? found.arch : "?"} ${pages.kb}${pages.shown ? "" : "?"}`;
  };
  expect(
    Object.fromEntries(
      [
        ...[
          "6.1.0-18-amd64",
          "5.4.0-150-generic",
          "3.10.0-1160.el7.x86_64",
          "4.4.0-i386",
          "2.6.32-686-pae",
          "6.6.20-v8+",
        ],
        ...["6.1.0-rpi7-rpi-v7l+", "4.19.0-armmp", "5.10.0-arm64", "4.18.0-80.el8.aarch64", "4.18.0-80.el9.aarch64"],
        ...["5.14.0-503.el9.aarch64+64k", "5.10.0-ppc64le", "5.10.0-powerpc64le-64k", "5.10.0-s390x", "6.1.0-riscv64"],
        ...["6.12-16k+", "4.9.0-sparc64", "4.9.140-tegra", "6.1.0-mips"],
      ].map((name) => [name, arch(name)]),
    ),
  ).toEqual({
    "6.1.0-18-amd64": "x86_64 4",
    "5.4.0-150-generic": "? 4?",
    "3.10.0-1160.el7.x86_64": "x86_64 4",
    "4.4.0-i386": "i386 4",
    "2.6.32-686-pae": "i386 4",
    "6.6.20-v8+": "arm64 4",
    "6.1.0-rpi7-rpi-v7l+": "arm 4",
    "4.19.0-armmp": "arm 4",
    "5.10.0-arm64": "arm64 4?",
    "4.18.0-80.el8.aarch64": "arm64 64",
    "4.18.0-80.el9.aarch64": "arm64 4?",
    "5.14.0-503.el9.aarch64+64k": "arm64 64",
    "5.10.0-ppc64le": "ppc64 64",
    "5.10.0-powerpc64le-64k": "ppc64 64",
    "5.10.0-s390x": "s390x 4",
    "6.1.0-riscv64": "riscv64 4?",
    "6.12-16k+": "? 16",
    "4.9.0-sparc64": "? 8",
    "4.9.140-tegra": "arm64 4?",
    "6.1.0-mips": "mips 4?",
  });
});

describe("records of pages", () => {
  const page = (more: Partial<BadPage>): BadPage => ({ raw: [], ...more }) as BadPage;
  test("bytes that are all alike are a sign, zeros and ones are none, nor is a half word", () => {
    const fields = (p: BadPage): readonly string[] => repeatedWords(p).map((w) => w.field);
    expect(fields(page({ flags: "6b6b6b6b", mapping: "00000000", memcg: "ffffffff" }))).toEqual(["flags"]);
    expect(fields(page({ flags: "5a5a", mapping: "5a5a5a", raw: ["a5a5a5a5a5a5a5a5", "a5a5a5a5a5a5a5a4"] }))).toEqual([
      "raw word 0",
    ]);
    expect(fields(page({ refcount: 0x5a5a5a5a, mapcount: 0 }))).toEqual(["count"]);
    expect(fields(page({ refcount: 1, mapcount: 0x5a5a5a5b }))).toEqual(["mapcount"]);
  });
  test("one bit alone in a pointer, but for the lowest two of a mapping", () => {
    expect(loneBit(page({ mapping: "0000000000000002" }))).toBeUndefined();
    expect(loneBit(page({ mapping: "0000000000000004" }))).toEqual({
      field: "mapping",
      hex: "0000000000000004",
      bit: 2,
    });
    expect(loneBit(page({ mapping: "0000000000000005", memcg: "0000000000800000" }))?.field).toBe("mem_cgroup");
    expect(loneBit(page({ refcount: 255 }))).toBeUndefined();
    expect(loneBit(page({ refcount: 256 }))).toEqual({ field: "count", hex: "100", bit: 8 });
    expect(loneBit(page({ refcount: 128 }))).toBeUndefined();
  });
  test("a pool's mark is that of its architecture", () => {
    const second = (word: string): boolean | undefined =>
      poolSignature(page({ flags: word.replace(/./g, "1"), raw: [word.replace(/./g, "1"), word] }));
    expect(
      ["dead000000000040", "dead000000000043", "dead000000000044", "00000040", "00000043", "00000044"].map(second),
    ).toEqual([true, true, false, true, true, false]);
    expect(poolSignature(page({}))).toBeUndefined();
  });
});

test("what counters of a pool say, in small worlds", () => {
  const seed = 2612;
  const random = prng(seed);
  const numbers = [0, 0, 1, 5, 50, 63, 64, 65, 95, 100, 1000, 5000, 20_000];
  for (let i = 0; i < 400; i++) {
    const lacks = random.chance(0.15) ? random.pick(poolCounters) : undefined;
    let before: CounterSnapshot["counters"] = {};
    const list = Array.from({ length: 1 + random.below(4) }, (_, moment): CounterSnapshot => {
      before = Object.fromEntries(
        poolCounters
          .filter((c) => c !== lacks)
          .map((c, line) => {
            const was = before[c]?.value ?? 0;
            return [c, { value: random.chance(0.02) ? 0 : was + random.pick(numbers), line }];
          }),
      );
      return { input: "a", name: "rx", moment, line: 1, counters: before };
    });
    const v = judgeCounters("rx", list, (input, line) => ({ input, line, text: "" }));
    say(
      `pool ${seed}.${i}: ${v.pattern} ${v.certainty} ${v.summary} ${v.reasons.map((r) => r.evidence.length)} ${v.mayHold.length} ${v.next.length} ${JSON.stringify(v.rates)}`,
    );
  }
});

test("where an instruction of x86-64 takes its address from, by its bytes", () => {
  const hex = (n: number): string => n.toString(16).padStart(2, "0");
  const all = Array.from({ length: 256 }, (_, n) => hex(n));
  const of = (bytes: string): string => {
    const o = operandOf(bytes);
    return o === undefined ? "-" : `${o.base ?? ""}+${o.index ?? ""}*${o.scale}+${o.displacement}`;
  };
  const tail = "12 34 56 f8 9a";
  const opcodes = (before: string): string => all.filter((b) => operandOf(`${before} ${b} 43 ${tail}`)).join(" ");
  say(`operands behind one byte: ${all.filter((b) => operandOf(`<${b}> 43 ${tail}`)).join(" ")}`);
  for (const before of ["<48>", "<0f>", "<66>", "<2e>", "<36>", "<3e>", "<26>", "<f0>", "<f2>", "<f3>", "<64>", "<65>"])
    say(`operands behind ${before}: ${opcodes(before)}`);
  for (const rex of ["40", "41", "42", "43"])
    say(`operands with ${rex}, by the byte behind 8b: ${all.map((m) => of(`<${rex}> 8b ${m} ${tail}`)).join(" ")}`);
  for (const mod of ["04", "44", "84"])
    say(`operands with ${mod}, by their second byte: ${all.map((s) => of(`<42> 8b ${mod} ${s} ${tail}`)).join(" ")}`);
  for (const cut of [
    "<48>",
    "<48> 8b",
    "<48> 8b 43",
    "<48> 8b 83 01 02 03",
    "<48> 8b 44",
    "<48> 8b 44 24",
    "<0f>",
    "48 8b 43 08",
  ])
    say(`operand of ${cut}: ${of(cut)}`);
  for (const b of ["00", "7f", "80", "ff"]) say(`at ${b}: ${of(`<8b> 43 ${b}`)} ${of(`<8b> 83 00 00 00 ${b}`)}`);
  expect(of("<48> 8b 43 08")).toBe("RBX+*1+8");
});

test("and all of it is as kept", () => {
  const kept = join(import.meta.dirname, "../../fixtures/answers/functions.txt");
  if (process.env.ANSWERS === "write") writeFileSync(kept, `${said.join("\n")}\n`);
  expect(said).toEqual(readFileSync(kept, "utf8").trimEnd().split("\n"));
});
