// Which register a faulting x86-64 instruction took its address from. The `Code:` line of an oops marks the instruction's first byte with
// angle brackets; prefixes, opcode, ModRM, SIB and displacement are decoded as the Intel manual (volume 2, chapter 2) lays them out.
// Nothing else of the instruction is understood: an opcode without a ModRM byte gives nothing.

/** The memory operand of an instruction. */
export interface Operand {
  /** `RBP`, as an oops names its registers; absent for an operand without a base. */
  readonly base?: string;
  readonly index?: string;
  readonly scale: number;
  /** Bytes, signed. */
  readonly displacement: number;
}

const registers = ["RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI"] as const;
const nameOf = (number: number): string => registers[number] ?? `R${String(number).padStart(2, "0")}`;

/** One-byte opcodes that no ModRM byte follows, by their first eight values and by ranges. */
function hasModRm(opcode: number): boolean {
  if (opcode < 0x40) return (opcode & 7) < 4;
  // 0x62 begins EVEX.
  if (opcode < 0x63) return false;
  if (opcode === 0x63 || opcode === 0x69 || opcode === 0x6b) return true;
  if (opcode < 0x80) return false;
  if (opcode < 0x90) return true;
  if (opcode < 0xc0) return false;
  return [0xc0, 0xc1, 0xc6, 0xc7, 0xd0, 0xd1, 0xd2, 0xd3, 0xf6, 0xf7, 0xfe, 0xff].includes(opcode);
}

/** Opcodes behind 0F without a ModRM byte: ud2, system and branch instructions, push of a segment, bswap; 38 and 3A have a third byte. */
function withoutModRm(second: number): boolean {
  if ([0x38, 0x3a, 0x77, 0xa0, 0xa1, 0xa2, 0xa8, 0xa9, 0xaa].includes(second)) return true;
  const ranges: readonly (readonly [number, number])[] = [
    [0x04, 0x0c],
    [0x30, 0x37],
    [0x80, 0x8f],
    [0xc8, 0xcf],
  ];
  return ranges.some(([from, to]) => second >= from && second <= to);
}

/** The memory operand of the marked instruction in a `Code:` line; undefined where there is none or the bytes are cut. */
export function operandOf(code: string): Operand | undefined {
  const marked = /<([0-9a-f]{2})>((?: [0-9a-f]{2}){0,14})/.exec(code);
  if (marked?.[1] === undefined) return undefined;
  const bytes = `${marked[1]}${marked[2] ?? ""}`.split(" ").map((b) => Number.parseInt(b, 16));
  let at = 0;
  const next = (): number | undefined => bytes[at++];
  while ([0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65].includes(bytes[at] ?? -1)) {
    // A segment base or a short address would have to be added: that is not in the registers of the report.
    if ([0x64, 0x65, 0x67].includes(bytes[at] as number)) return undefined;
    at++;
  }
  const rex = ((bytes[at] ?? 0) & 0xf0) === 0x40 ? (next() as number) : 0;
  const opcode = next();
  if (opcode === undefined) return undefined;
  if (opcode === 0x0f) {
    const second = next();
    if (second === undefined || withoutModRm(second)) return undefined;
  } else if (!hasModRm(opcode)) return undefined;
  return memoryOperand(next(), rex, bytes, at);
}

function memoryOperand(
  modRm: number | undefined,
  rex: number,
  bytes: readonly number[],
  from: number,
): Operand | undefined {
  if (modRm === undefined || modRm >> 6 === 3) return undefined;
  const mod = modRm >> 6;
  let at = from;
  let base: number | undefined = (modRm & 7) | ((rex & 1) << 3);
  let index: number | undefined;
  let scale = 1;
  if ((modRm & 7) === 4) {
    const sib = bytes[at++];
    if (sib === undefined) return undefined;
    scale = 2 ** (sib >> 6);
    index = ((sib >> 3) & 7) | ((rex & 2) << 2);
    if (index === 4) index = undefined;
    base = mod === 0 && (sib & 7) === 5 ? undefined : (sib & 7) | ((rex & 1) << 3);
  } else if (mod === 0 && (modRm & 7) === 5) return undefined;
  const displacement = displacementAt(bytes, at, base === undefined ? 4 : ([0, 1, 4][mod] as number));
  if (displacement === undefined) return undefined;
  return {
    ...(base === undefined ? {} : { base: nameOf(base) }),
    ...(index === undefined ? {} : { index: nameOf(index) }),
    scale,
    displacement,
  };
}

/** A signed little-endian displacement of 0, 1 or 4 bytes. */
function displacementAt(bytes: readonly number[], at: number, width: number): number | undefined {
  const own = bytes.slice(at, at + width);
  if (own.length < width) return undefined;
  let value = 0;
  own.forEach((b, i) => {
    value += b * 256 ** i;
  });
  const limit = 256 ** width;
  return width > 0 && value >= limit / 2 ? value - limit : value;
}
