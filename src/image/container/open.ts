// From files to physical memory: which container it is, by its first bytes.
import { BadInput } from "../../base/bad_input.ts";
import { isElfCore, openElfCore } from "./elf_core.ts";
import { isFlattened, unflatten } from "./flattened.ts";
import { isKdump, openKdump } from "./kdump.ts";
import type { PhysicalMemory } from "./physical.ts";
import type { RandomBytes } from "./random_bytes.ts";

/** Bytes that looksLikeImage looks at. */
export const imageHeadBytes = 18;

/** True when the first bytes (`imageHeadBytes` of them) are those of a memory image that is read here. */
export function looksLikeImage(head: Uint8Array): boolean {
  return isFlattened(head) || isKdump(head) || (isElfCore(head) && head[4] === 2 && head[16] === 4);
}

/**
 * Opens an image: one file, or all parts of a split kdump. `live` says that it is /proc/kcore, which changes while it is read.
 * Throws BadInput when it is no image that is read here, or its headers are damaged.
 */
export function openImage(sources: readonly RandomBytes[], live = false): PhysicalMemory {
  const opened = sources.map((source) => {
    const head = new Uint8Array(16);
    source.read(0, head);
    if (!isFlattened(head)) return { source, head, cut: false };
    const inner = unflatten(source);
    inner.read(0, head.fill(0));
    return { source: inner, head, cut: inner.cut };
  });
  const [first] = opened;
  if (first === undefined) throw new BadInput("No image is given.");
  const cut = opened.find((o) => o.cut);
  const withNote = (m: PhysicalMemory): PhysicalMemory =>
    cut === undefined
      ? m
      : {
          ...m,
          facts: {
            ...m.facts,
            incomplete: true,
            notes: [
              ...m.facts.notes,
              `${cut.source.name}: the flattened file ends before its end mark: it is cut off.`,
            ],
          },
        };
  if (opened.every((o) => isKdump(o.head))) return withNote(openKdump(opened.map((o) => o.source)));
  if (opened.length > 1)
    throw new BadInput(
      `${opened.length} files are given, and not all of them are parts of a kdump-compressed dump.`,
      { file: first.source.name },
      "Give one image, or all parts of a split one.",
    );
  if (isElfCore(first.head)) return withNote(openElfCore(first.source, live));
  throw new BadInput(
    "It is not a memory image that skblab reads.",
    { file: first.source.name },
    "Give an ELF core (qemu's dump-guest-memory, virsh dump --memory-only, /proc/vmcore) or a kdump-compressed file (makedumpfile).",
  );
}
