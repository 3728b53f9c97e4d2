// Physical memory as an image holds it, whatever the container. A page that is not in the image is absent, never zeros.

export const pageBytes = 4096;

/** Why pages are not there, as far as the container says. */
export interface ContainerFacts {
  /** `ELF core`, `kdump-compressed (lzo)`. */
  readonly kind: string;
  /** makedumpfile's dump level, where it is recorded: bits 1 zero pages, 2 cache, 4 private cache, 8 user, 16 free pages left out. */
  readonly dumpLevel: number | undefined;
  /** makedumpfile was stopped before it was done. */
  readonly incomplete: boolean;
  /** Things about the container that the answer should say. */
  readonly notes: readonly string[];
}

export interface PhysicalMemory {
  readonly name: string;
  readonly facts: ContainerFacts;
  /** No page at or above this frame number is in the image. */
  readonly endPfn: number;
  /** The text of the VMCOREINFO note, where the container has one. */
  readonly vmcoreinfo: string | undefined;
  /** Of kdump-compressed headers; vmcoreinfo's phys_base comes before it. */
  readonly physBase: bigint | undefined;
  /** Of ELF cores with virtual addresses (/proc/kcore, /proc/vmcore); not needed where vmcoreinfo is. */
  readonly live: boolean;
  /** The 4,096 bytes of a page frame, undefined when the image does not hold them. A view: do not write to it. */
  page(pfn: number): Uint8Array | undefined;
  /**
   * Fills `into` with memory from a physical address on, in one read; false when some of it is not in the image. Undefined where pages are
   * packed one by one.
   */
  readonly copy?: (physical: number, into: Uint8Array) => boolean;
  /** True when page() would give bytes; does not read them. */
  has(pfn: number): boolean;
}
