// From a file to its BTF: raw BTF, an ELF vmlinux or module, a bzImage, any of them packed. Unpacking is handed in.
import { BadInput } from "../../base/bad_input.ts";
import type { Packing } from "./boot_image.ts";
import { bootPayload, isBootImage, packingOf } from "./boot_image.ts";
import type { Btf } from "./btf.ts";
import { findBtf, isBtf, readBtf } from "./btf.ts";
import { elfSection, isElf } from "./elf.ts";

/** Unpacks all of `packed`; BadInput when it cannot. */
export type Unpack = (packing: Packing, packed: Uint8Array) => Promise<Uint8Array>;

/** Reads the BTF of a kernel file. Throws BadInput when there is none. */
export async function readKernelFile(bytes: Uint8Array, file: string, unpack: Unpack, base?: Btf): Promise<Btf> {
  if (bytes.length === 0) throw new BadInput("The file is empty.", { file });
  const { found, pointerBytes } = await btfBytes(bytes, file, unpack, 0);
  return readBtf(found, file, base, pointerBytes);
}

/** The raw BTF within a kernel file, as bytes. */
export async function rawBtf(bytes: Uint8Array, file: string, unpack: Unpack): Promise<Uint8Array> {
  return (await btfBytes(bytes, file, unpack, 0)).found;
}

interface Found {
  readonly found: Uint8Array;
  /** What the ELF class says, where there is one. */
  readonly pointerBytes?: 4 | 8;
}

async function btfBytes(bytes: Uint8Array, file: string, unpack: Unpack, depth: number): Promise<Found> {
  if (isBtf(bytes)) return { found: bytes };
  if (isElf(bytes)) {
    const section = elfSection(bytes, ".BTF", file);
    if (section === undefined)
      throw new BadInput(
        "This ELF file has no .BTF section.",
        { file },
        "The kernel was built without CONFIG_DEBUG_INFO_BTF; `pahole -J` adds it to a file with DWARF.",
      );
    return { found: section, pointerBytes: bytes[4] === 1 ? 4 : 8 };
  }
  if (isBootImage(bytes) && depth < 2) {
    const { packing, packed } = bootPayload(bytes, file);
    return btfBytes(await unpack(packing, packed), file, unpack, depth + 1);
  }
  const packing = packingOf(bytes);
  if (packing !== undefined && depth < 2) return btfBytes(await unpack(packing, bytes), file, unpack, depth + 1);
  const found = findBtf(bytes);
  if (found !== undefined) return { found };
  throw new BadInput(
    "It is neither BTF nor a file that holds it.",
    { file },
    "Give /sys/kernel/btf/vmlinux, a vmlinux, a vmlinuz or a module.",
  );
}
