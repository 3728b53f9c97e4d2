// What a wrong pointer looks like: poison values of the kernel, null with an offset, text, single bits; and which pointer a fault was on.
import type { Oops } from "../kernel/readings/oops.ts";
import type { Part } from "../kernel/readings/part.ts";
import { seenOf } from "../kernel/readings/part.ts";
import { registersPart } from "../kernel/readings/register_extent.ts";
import { operandOf } from "./x86_operand.ts";

export interface PointerSaid {
  readonly kind:
    | "null"
    /** Near enough to zero to be a member or an element of a null pointer. */
    | "almost null"
    /** -1 to -4095: what a function returns for an error, or a null pointer less a member's offset. */
    | "error"
    | "slab poison"
    | "list poison"
    | "page_pool signature"
    | "text"
    | "single bit"
    | "user"
    | "non-canonical"
    | "other";
  readonly sentence: string;
}

const patterns: readonly (readonly [RegExp, PointerSaid["kind"], string])[] = [
  [
    /^(6b){3,}/,
    "slab poison",
    "0x6b is what SLUB writes over freed objects (include/linux/poison.h): the memory was used after it was freed",
  ],
  [
    /^(5a){3,}/,
    "slab poison",
    "0x5a is what SLUB writes into new objects (include/linux/poison.h): the field was never set",
  ],
  [
    /^dead0000000001[012]/,
    "list poison",
    "this is the value that list_del leaves behind: the entry was removed from its list before",
  ],
  [
    /^0*0010010[0-9a-f]$|^0*002002[0-9a-f]{2}$/,
    "list poison",
    "this is the value that list_del leaves behind: the entry was removed from its list before",
  ],
  [/^dead00000000004[0-9a-f]/, "page_pool signature", "this is the mark that page_pool puts on its pages"],
];

/**
 * KASAN's inline checks read the shadow of an address before the address itself: a null pointer faults at KASAN_SHADOW_OFFSET
 * (arch/x86/Kconfig 0xdffffc0000000000, arch/arm64/Kconfig 0xdfff800000000000 and its like) plus the offset divided by eight.
 */
const nullShadow = /^dfff[0-9a-f]{2}0000000([0-9a-f]{3})$/;

const notCanonical: PointerSaid = {
  kind: "non-canonical",
  sentence: "an invalid address, which neither user space nor the kernel has",
};

/** Names a pointer, hex digits without 0x; `bits` is 32 or 64. */
export function namePointer(hex: string, bits: 32 | 64): PointerSaid {
  const text = hex.toLowerCase().padStart(bits / 4, "0");
  for (const [form, kind, sentence] of patterns) if (form.test(text)) return { kind, sentence };
  const shadow = nullShadow.exec(text)?.[1];
  if (shadow !== undefined) {
    const from = Number.parseInt(shadow, 16) * 8;
    return {
      kind: "null",
      sentence: `KASAN's shadow of a null pointer that was used at offset ${from} to ${from + 7}`,
    };
  }
  const value = BigInt(`0x${text}`);
  if (value < 4096n) return { kind: "null", sentence: `a null pointer, used at offset ${value}` };
  if (value < 0x10000n)
    return {
      kind: "almost null",
      sentence: `as good as a null pointer, used at offset ${value}: no process and no kernel has memory there`,
    };
  const below = (bits === 32 ? 0x100000000n : 0x10000000000000000n) - value;
  if (below <= 4095n)
    return {
      kind: "error",
      sentence: `minus ${below}: an error code that was used as a pointer, or a null pointer minus a member's offset`,
    };
  if ((value & (value - 1n)) === 0n)
    return {
      kind: "single bit",
      sentence: `a single bit (bit ${value.toString(2).length - 1}), which looks like a flag and is not an address`,
    };
  const bytes = text.match(/../g) ?? [];
  if (bytes.every((b) => /^(?:[2-6][0-9a-f]|7[0-9a-e])$/.test(b)))
    return {
      kind: "text",
      sentence: `the letters "${String.fromCharCode(...bytes.map((b) => Number.parseInt(b, 16)))}": text was written over the pointer`,
    };
  if (value >> BigInt(bits - 1) === 1n) return { kind: "other", sentence: "an address inside the kernel's range" };
  return value >> 47n === 0n ? { kind: "user", sentence: "no address of the kernel" } : notCanonical;
}

/** The words of x86 for a pointer that is no address (arch/x86/kernel/traps.c since 5.6): the upper half holds such values too. */
const noAddress = /\bnon-canonical address\b/;

/** KASAN_SHADOW_OFFSET of x86-64 (arch/x86/Kconfig): the shadow of an address lies at this plus an eighth of it, so in 2^61 bytes. */
const shadowOffset = 0xdffffc0000000000n;

/** The address whose shadow KASAN's inline check read when it faulted, hex digits; undefined where the fault was on no such shadow. */
function shadowed(o: Oops): string | undefined {
  if (!noAddress.test(o.headline) || !o.headline.includes("KASAN") || o.address?.length !== 16) return undefined;
  const at = BigInt(`0x${o.address}`) - shadowOffset;
  return at >> 61n === 0n ? (at * 8n).toString(16).padStart(16, "0") : undefined;
}

function nameFault(hex: string, bits: 32 | 64, o: Oops): PointerSaid {
  const said = namePointer(hex, bits);
  return said.kind === "other" && noAddress.test(o.headline) ? notCanonical : said;
}

/** The pointer that a fault was on. */
export interface FaultPointer {
  /** Hex digits. */
  readonly value: string;
  readonly said: PointerSaid;
  /** The register that held it, and the offset in bytes at which it was used. */
  readonly base?: { readonly name: string; readonly value: string; readonly offset: number };
}

/** The pointer of a fault; undefined where the report has no address. */
export function pointerOf(o: Oops): FaultPointer | undefined {
  if (o.address === undefined || o.class === "warning") return undefined;
  const bits = o.address.length > 8 ? 64 : 32;
  const own = nameFault(o.address, bits, o);
  const behind = own.kind === "null" ? undefined : shadowed(o);
  if (behind !== undefined) {
    const is = nameFault(behind, bits, o);
    const sentence = `KASAN's shadow of 0x${behind.replace(/^0+(?=.)/, "")} (${is.sentence})`;
    return { value: behind, said: { kind: is.kind, sentence } };
  }
  const registers = registersPart(o.registers);
  const base = baseRegister(registers, o.address, o.code);
  // An address that says by itself what the pointer was needs no register to say it otherwise.
  const value = base === undefined || own.kind === "null" ? o.address : base.value;
  const other = own.kind === "null" ? errorInRegister(o, bits) : undefined;
  if (other !== undefined)
    return {
      value: o.address,
      said: { kind: "error", sentence: `${own.sentence}; or ${other}` },
    };
  return { value, said: nameFault(value, bits, o), ...(base === undefined ? {} : { base }) };
}

/**
 * A field at an odd place of a null pointer is rare; a register that holds a small negative number from which the same address is reached at an
 * even one may have been the pointer as well.
 */
function errorInRegister(o: Oops, bits: 32 | 64): string | undefined {
  const at = BigInt(`0x${o.address ?? "0"}`);
  if (at % 2n === 0n || o.registers === undefined) return undefined;
  for (const [name, text] of Object.entries(o.registers.values)) {
    if (text.length !== bits / 4 || !/^[0-9a-f]+$/i.test(text) || notPointers.test(name)) continue;
    const below = (1n << BigInt(bits)) - BigInt(`0x${text}`);
    const offset = at + below;
    if (offset % 2n === 0n && offset < 4096n)
      return `register ${name}, which held minus ${below} (an error code or a mark), used at offset ${offset}`;
  }
  return undefined;
}

/**
 * The register that held the bad pointer. The instruction names it, where its bytes are there (x86-64) and its value fits the address;
 * else it is the only one of all registers whose value plus a small offset is the faulting address. Where several would fit none is named.
 */
export function baseRegister(
  registers: Part<Readonly<Record<string, string>>>,
  address: string,
  code?: string,
): { name: string; value: string; offset: number } | undefined {
  const at = BigInt(`0x${address}`);
  const named = code === undefined ? undefined : byInstruction(seenOf(registers) ?? {}, at, code);
  if (named !== undefined || registers.state !== "whole") return named;
  const found: { name: string; value: string; offset: number }[] = [];
  for (const [name, text] of Object.entries(registers.value)) {
    if (!/^[0-9a-f]{8,16}$/i.test(text) || notPointers.test(name)) continue;
    const offset = at - BigInt(`0x${text}`);
    // The address itself is no base: CR2, DAR and BadVA hold it, and so may a register after the fact.
    if (offset > 0n && offset < 4096n) found.push({ name, value: text, offset: Number(offset) });
  }
  const values = new Set(found.map((f) => f.value));
  return values.size === 1 ? found[0] : undefined;
}

/** Registers that no instruction takes an address from. */
const notPointers =
  /^(?:EFLAGS|CR\d|DR\d|CS|DS|ES|FS|GS|FSGS|ORIG_RAX|PKRU|MSR|CR|XER|DAR|DEAR|DSISR|CTR|Status|Cause|BadVA|PrId|psr|pstate)$/;

function byInstruction(
  registers: Readonly<Record<string, string>>,
  at: bigint,
  code: string,
): { name: string; value: string; offset: number } | undefined {
  const operand = operandOf(code);
  const value = operand?.base === undefined ? undefined : registers[operand.base];
  if (operand?.base === undefined || value === undefined || !/^[0-9a-f]{16}$/i.test(value)) return undefined;
  const index = operand.index === undefined ? "0" : registers[operand.index];
  if (index === undefined) return undefined;
  const sum = BigInt(`0x${value}`) + BigInt(`0x${index}`) * BigInt(operand.scale) + BigInt(operand.displacement);
  if (BigInt.asUintN(64, sum) !== at) return undefined;
  // KASAN reads the shadow of an address: the address divided by eight, plus a constant in the other register.
  if (/^dfff[0-9a-f]{2}0{7}/i.test(index)) return undefined;
  return { name: operand.base, value, offset: Number(BigInt.asIntN(64, at - BigInt(`0x${value}`))) };
}
