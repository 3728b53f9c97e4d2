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
