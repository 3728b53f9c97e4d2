// The bytes are those of public reports; what they mean was read with objdump -d.
import { describe, expect, test } from "vitest";
import { operandOf } from "./x86_operand.ts";

describe("the register that a faulting x86-64 instruction used", () => {
  test.each([
    ["mov %eax,0xc(%rbp)", "Code: 8b 04 24 <89> 45 0c 41 8b 4f", { base: "RBP", scale: 1, displacement: 12 }],
    ["mov 0x8(%rdx),%rax", "Code: 85 d2 74 24 <48> 8b 42 08 48", { base: "RDX", scale: 1, displacement: 8 }],
    ["mov (%r12),%rdi", "Code: 00 <49> 8b 3c 24 e8", { base: "R12", scale: 1, displacement: 0 }],
    [
      "mov 0x10(%rax,%r14,8),%rdx",
      "Code: <4a> 8b 54 f0 10 83",
      { base: "RAX", index: "R14", scale: 8, displacement: 16 },
    ],
    ["lock xadd %eax,0x20(%rbx)", "Code: <f0> 0f c1 43 20 83", { base: "RBX", scale: 1, displacement: 32 }],
    ["movzbl -0x1(%rdi),%eax", "Code: <0f> b6 47 ff 90", { base: "RDI", scale: 1, displacement: -1 }],
    ["mov 0x12345678(%rsi),%eax", "Code: <8b> 86 78 56 34 12", { base: "RSI", scale: 1, displacement: 0x12345678 }],
  ])("%s", (_, code, operand) => {
    expect(operandOf(code)).toEqual(operand);
  });

  test.each([
    ["ud2", "Code: 0f 0b <0f> 0b 0f 0b"],
    ["idiv %ecx: a register, no memory", "Code: 89 f8 99 <f7> f9 0f af"],
    ["mov %gs:0x14(%rax): the segment's base is not printed", "Code: <65> 8b 40 14"],
    ["a push has no ModRM byte", "Code: <55> 48 89 e5"],
    ["the line ends inside the displacement", "Code: 00 <8b> 86 78 56"],
    ["nothing is marked", "Code: 8b 86 78 56 34 12"],
  ])("%s gives none", (_, code) => {
    expect(operandOf(code)).toBeUndefined();
  });
});

/**
 * Opcodes behind which objdump (binutils 2.40, 64-bit code) reads a ModRM byte: each was followed by 43 10 and taken apart; those whose instruction then
 * used 0x10(%rbx).
 */
const withModRm =
  "00 01 02 03 08 09 0a 0b 10 11 12 13 18 19 1a 1b 20 21 22 23 28 29 2a 2b 30 31 32 33 38 39 3a 3b 63 69 6b 80 81 83 84 85 86 87 88 89 8a 8b 8c 8d 8e 8f c0 c1 c6 c7 d0 d1 d2 d3 d8 d9 da db dc dd de df f6 f7 fe ff";
const withModRmBehind0f =
  "00 01 02 03 0d 0f 10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f 28 29 2a 2b 2c 2d 2e 2f 40 41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f 51 52 53 54 55 56 57 58 59 5a 5b 5c 5d 5e 5f 60 61 62 63 64 65 66 67 68 69 6a 6b 6e 6f 70 74 75 76 78 79 7e 7f 90 91 92 93 94 95 96 97 98 99 9a 9b 9c 9d 9e 9f a3 a4 a5 ab ac ad ae af b0 b1 b2 b3 b4 b5 b6 b7 b9 bb bc bd be bf c0 c1 c2 c3 c4 c6 d1 d2 d3 d4 d5 d8 d9 da db dc dd de df e0 e1 e2 e3 e4 e5 e7 e8 e9 ea eb ec ed ee ef f1 f2 f3 f4 f5 f6 f8 f9 fa fb fc fd fe ff";

describe("every opcode against a disassembler", () => {
  const hex = (n: number): string => n.toString(16).padStart(2, "0");
  const all = Array.from({ length: 256 }, (_, n) => hex(n));
  const usesIt = (code: string): boolean => {
    const operand = operandOf(`Code: ${code} 43 10 90 90 90 90 90 90 90`);
    return operand?.base === "RBX" && operand.displacement === 16;
  };
  test("one byte: what objdump reads so is read so; the numbers of the old coprocessor are left out, 82 is none in 64-bit code", () => {
    const left = all.filter((op) => /^d[89a-f]$/.test(op));
    const objdump = withModRm.split(" ").filter((op) => !left.includes(op));
    expect(all.filter((op) => usesIt(`<${op}>`) && op !== "82")).toEqual(objdump);
  });
  test("two bytes: all that objdump reads so; nothing where it reads an instruction without an operand in memory", () => {
    const found = all.filter((op) => usesIt(`<0f> ${op}`));
    expect(withModRmBehind0f.split(" ").filter((op) => !found.includes(op))).toEqual([]);
    for (const op of [
      "05",
      "06",
      "08",
      "09",
      "0b",
      "30",
      "31",
      "32",
      "34",
      "35",
      "38",
      "3a",
      "77",
      "80",
      "8f",
      "a0",
      "a1",
      "a2",
      "a8",
      "a9",
      "aa",
      "c8",
      "cf",
    ])
      expect(found, op).not.toContain(op);
  });
});

test("an operand that is written down is read back: every base, index, scale and width", () => {
  const names = [
    "RAX",
    "RCX",
    "RDX",
    "RBX",
    "RSP",
    "RBP",
    "RSI",
    "RDI",
    "R08",
    "R09",
    "R10",
    "R11",
    "R12",
    "R13",
    "R14",
    "R15",
  ];
  const hex = (n: number): string => n.toString(16).padStart(2, "0");
  const bytesOf = (n: number, width: number): string[] =>
    Array.from({ length: width }, (_, i) => hex(Math.floor((n < 0 ? n + 256 ** width : n) / 256 ** i) % 256));
  for (const [base, name] of names.entries())
    for (const [index, other] of names.entries())
      for (const [mod, displacement] of [
        [1, 127],
        [1, -128],
        [2, 128],
        [2, -129],
        [2, 0x12345678],
      ] as const) {
        const scale = (base + index) % 4;
        const rex = 0x48 | (base >> 3) | ((index >> 3) << 1);
        // RSP is no index: its number says that there is none.
        const sib = hex((scale << 6) | ((index & 7) << 3) | (base & 7));
        const code = [`<${hex(rex)}>`, "8b", hex((mod << 6) | 4), sib, ...bytesOf(displacement, mod === 1 ? 1 : 4)];
        expect(operandOf(`Code: ${code.join(" ")}`), code.join(" ")).toEqual({
          base: name,
          ...(index === 4 ? {} : { index: other }),
          scale: 2 ** scale,
          displacement,
        });
      }
});
