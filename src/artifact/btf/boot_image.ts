// A bzImage (vmlinuz): where its packed vmlinux lies, and how it is packed (Documentation/arch/x86/boot.rst, protocol 2.08 and later).
import { BadInput } from "../../base/bad_input.ts";
import { byteReader } from "./bytes.ts";

export type Packing = "gzip" | "xz" | "zstd" | "bzip2" | "lzma" | "lz4" | "lzo";

const magics: readonly (readonly [Packing, readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["lzma", [0x5d, 0x00, 0x00]],
  ["lz4", [0x02, 0x21, 0x4c, 0x18]],
  ["lzo", [0x89, 0x4c, 0x5a, 0x4f]],
];

/** How the bytes are packed, by their first ones. */
export function packingOf(bytes: Uint8Array): Packing | undefined {
  return magics.find(([, magic]) => magic.every((b, i) => bytes[i] === b))?.[0];
}

const headerMagic = 0x53726448; // "HdrS"

export function isBootImage(bytes: Uint8Array): boolean {
  return bytes.length > 0x250 && byteReader(bytes, "", true).u32(0x202) === headerMagic;
}

/** The packed kernel within a boot image. */
export function bootPayload(
  bytes: Uint8Array,
  file: string,
): { readonly packing: Packing; readonly packed: Uint8Array } {
  const r = byteReader(bytes, file, true);
  const version = r.u16(0x206);
  if (version < 0x0208)
    throw new BadInput(
      `Its boot protocol is ${version >> 8}.${String(version & 0xff).padStart(2, "0")}, which does not say where the kernel lies.`,
      { file },
      "Kernels before 2.6.26 cannot be looked into, and none of them has BTF.",
    );
  // A count of 0 means 4 (older boot loaders).
  const sectors = (r.u8(0x1f1) || 4) + 1;
  const packed = r.part(sectors * 512 + r.u32(0x248), r.u32(0x24c), "packed kernel");
  const packing = packingOf(packed);
  if (packing === undefined)
    throw new BadInput(
      "Its compressed kernel is in an unknown format.",
      { file },
      "Unpack it with the kernel's scripts/extract-vmlinux.",
    );
  // All formats but gzip are followed by four bytes with the unpacked size.
  return { packing, packed: packing === "gzip" ? packed : packed.subarray(0, packed.length - 4) };
}
