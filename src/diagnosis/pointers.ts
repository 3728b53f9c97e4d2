// What a wrong pointer looks like: poison values of the kernel, null with an offset, text, single bits.

export interface PointerSaid {
  readonly kind:
    | "null"
    | "slab poison"
    | "list poison"
    | "page_pool signature"
    | "text"
    | "single bit"
    | "user"
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
    /^dead0000000001[02]/,
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

/** Names a pointer, hex digits without 0x; `bits` is 32 or 64. */
export function namePointer(hex: string, bits: 32 | 64): PointerSaid {
  const text = hex.toLowerCase().padStart(bits / 4, "0");
  for (const [form, kind, sentence] of patterns) if (form.test(text)) return { kind, sentence };
  const value = BigInt(`0x${text}`);
  if (value < 4096n) return { kind: "null", sentence: `a null pointer, used at offset ${value}` };
  if ((value & (value - 1n)) === 0n)
    return {
      kind: "single bit",
      sentence: `a single bit (bit ${value.toString(2).length - 1}), no address: something wrote a flag word there`,
    };
  const bytes = text.match(/../g) ?? [];
  if (bytes.every((b) => /^[2-7][0-9a-e]$/.test(b)))
    return {
      kind: "text",
      sentence: `the letters "${String.fromCharCode(...bytes.map((b) => Number.parseInt(b, 16)))}": text was written over the pointer`,
    };
  const kernelFrom = bits === 32 ? 0x80000000n : 0x8000000000000000n;
  if (value < kernelFrom) return { kind: "user", sentence: "no address of the kernel" };
  return { kind: "other", sentence: "an address inside the kernel's range" };
}

/**
 * The register that held the bad pointer: its value plus a small offset is the faulting address, and it is not that address itself.
 * The smallest offset wins.
 */
export function baseRegister(
  registers: Readonly<Record<string, string>>,
  address: string,
): { name: string; value: string; offset: number } | undefined {
  const at = BigInt(`0x${address}`);
  let found: { name: string; value: string; offset: number } | undefined;
  for (const [name, text] of Object.entries(registers)) {
    if (!/^[0-9a-f]{8,16}$/i.test(text)) continue;
    const value = BigInt(`0x${text}`);
    const offset = at - value;
    if (value === 0n || offset <= 0n || offset >= 4096n) continue;
    if (found === undefined || Number(offset) < found.offset) found = { name, value: text, offset: Number(offset) };
  }
  return found;
}
