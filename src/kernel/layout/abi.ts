// Sizes and alignments of C's types on the architectures: the System V ABIs as gcc follows them for the kernel.
import type { Architecture } from "../release.ts";

export interface Abi {
  readonly arch: Architecture;
  readonly pointerBytes: 4 | 8;
  /** Alignment of 8-byte integers: 4 on i386, 8 elsewhere. */
  readonly longLongAlign: 4 | 8;
  readonly bigEndian: boolean;
}

const narrow: ReadonlySet<Architecture> = new Set(["i386", "ppc32", "arm", "mips"]);
const big: ReadonlySet<Architecture> = new Set(["ppc32", "ppc64", "s390x", "mips"]);

export function abiOf(arch: Architecture): Abi {
  return {
    arch,
    pointerBytes: narrow.has(arch) ? 4 : 8,
    longLongAlign: arch === "i386" ? 4 : 8,
    bigEndian: big.has(arch),
  };
}

/** A type without members. */
export interface Scalar {
  readonly sizeBytes: number;
  readonly alignBytes: number;
  /** The C name. */
  readonly text: string;
}

const fixed: Readonly<Record<string, readonly [bytes: number, text: string]>> = {
  u8: [1, "u8"],
  s8: [1, "s8"],
  char: [1, "char"],
  uchar: [1, "unsigned char"],
  bool: [1, "bool"],
  u16: [2, "u16"],
  s16: [2, "s16"],
  be16: [2, "__be16"],
  short: [2, "short"],
  ushort: [2, "unsigned short"],
  u32: [4, "u32"],
  s32: [4, "s32"],
  be32: [4, "__be32"],
  wsum: [4, "__wsum"],
  int: [4, "int"],
  uint: [4, "unsigned int"],
  atomic: [4, "atomic_t"],
  refcount: [4, "refcount_t"],
  gfp: [4, "gfp_t"],
  dma_cookie: [4, "dma_cookie_t"],
};

/** The scalar called `name` in our notation (notation.ts); undefined when it is none. */
export function scalarOf(name: string, abi: Abi): Scalar | undefined {
  const known = Object.hasOwn(fixed, name) ? fixed[name] : undefined;
  if (known !== undefined) return { sizeBytes: known[0], alignBytes: known[0], text: known[1] };
  const word = abi.pointerBytes;
  const eight = (text: string): Scalar => ({ sizeBytes: 8, alignBytes: abi.longLongAlign, text });
  const words = (text: string): Scalar => ({ sizeBytes: word, alignBytes: word, text });
  switch (name) {
    case "ptr":
      return words("void *");
    case "ulong":
      return words("unsigned long");
    case "long":
      return words("long");
    case "size_t":
      return words("size_t");
    case "pgoff":
      return words("pgoff_t");
    case "dma_addr":
      return words("dma_addr_t");
    case "atomic_long":
      return words("atomic_long_t");
    case "u64":
      return eight("u64");
    case "s64":
      return eight("s64");
    // A 64-bit count of nanoseconds; before 4.10 a union around one, with the same size and alignment.
    case "ktime":
      return eight("ktime_t");
    // NET_SKBUFF_DATA_USES_OFFSET: 32-bit offsets where pointers are wide.
    case "sk_buff_data":
      return word === 8 ? { sizeBytes: 4, alignBytes: 4, text: "sk_buff_data_t" } : words("sk_buff_data_t");
    default:
      return undefined;
  }
}
