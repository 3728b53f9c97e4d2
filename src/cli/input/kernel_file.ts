// A kernel file from the disk (vmlinuz, vmlinux, a module, raw BTF), unpacked as far as its BTF.
import type { Packing } from "../../artifact/btf/boot_image.ts";
import type { Btf } from "../../artifact/btf/btf.ts";
import { readKernelFile } from "../../artifact/btf/kernel_file.ts";
import { BadInput } from "../../base/bad_input.ts";
import { sourceOf } from "../../base/byte_source.ts";
import { joinBytes } from "../../base/bytes.ts";
import { decompress } from "./decompress.ts";
import { inputLimits } from "./limits.ts";
import { wholeFile } from "./whole.ts";

/** The BTF of the file at `path`; `base` is the kernel's own where the file is a module. BadInput when there is none. */
export const readKernelAt = (path: string, base?: Btf): Promise<Btf> =>
  readKernelFile(new Uint8Array(wholeFile(path)), path, (packing, packed) => unpack(packing, packed, path), base);

/** All of a packed kernel; it is some tens of megabytes. */
async function unpack(packing: Packing, packed: Uint8Array, file: string): Promise<Uint8Array> {
  if (packing === "lzma" || packing === "lz4" || packing === "lzo")
    throw new BadInput(
      `Its kernel is packed with ${packing}, which is not read here.`,
      { file },
      "Unpack it with the kernel's scripts/extract-vmlinux.",
    );
  const limits = { ...inputLimits, unpackedBytes: 4 * 2 ** 30 };
  const { source, close } = decompress(sourceOf(file, [packed]), packing, { limits, unpacked: 0, files: 0 });
  try {
    const parts: Uint8Array[] = [];
    let total = 0;
    for (;;) {
      const into = new Uint8Array(1 << 22);
      const n = await source.read(into);
      if (n === 0) break;
      parts.push(into.subarray(0, n));
      total += n;
    }
    const problem = source.problem?.();
    if (total === 0 && problem !== undefined)
      throw new BadInput(
        problem,
        { file },
        packing === "xz"
          ? "If the file is whole: kernel images use an xz filter that only the xz tool undoes; install xz, or unpack it with the kernel's scripts/extract-vmlinux."
          : "Unpack it with the kernel's scripts/extract-vmlinux.",
      );
    return joinBytes(parts);
  } finally {
    close();
  }
}
