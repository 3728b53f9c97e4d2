// What CONFIG_DMA_API_DEBUG complains of, by its own words (kernel/dma/debug.c, 6.1): which rule a driver broke, or that the checker gave up.
import type { MessageSaid, Severity } from "./finding.ts";

interface Complaint {
  readonly words: RegExp;
  readonly meaning: string;
  readonly severity: Severity;
  /** The line is about the checker, not about a driver. */
  readonly own?: true;
}

const complaints: readonly Complaint[] = [
  {
    words: /out of memory(?: error)? - disabl|ENOMEM, dma-debug disabled|dma_debug_add_bus: out of memory/,
    meaning:
      "The checker ran out of entries of its own and switched itself off: nothing is said of a driver, and from here on nothing is checked.",
    severity: "harmless",
    own: true,
  },
  {
    words: /tries to free (?:DMA memory it has not allocated|an invalid DMA memory)/,
    meaning:
      "An address was unmapped that is not mapped: it was unmapped twice, or never mapped. An IOMMU or bounce buffer that somebody else uses may have been released.",
    severity: "act",
  },
  {
    words: /frees DMA memory with different size|frees DMA memory with different CPU address/,
    meaning: "What was unmapped is not what was mapped: part of the old mapping stays, or part of another's goes.",
    severity: "act",
  },
  {
    words: /with wrong function|with different direction/,
    meaning:
      "Mapped one way and unmapped another: without an IOMMU or bounce buffers nothing comes of it; with them data may not be copied.",
    severity: "watch",
  },
  {
    words: /failed to check map error/,
    meaning: "A mapping that failed and was not checked lets the device write to a wrong address.",
    severity: "watch",
  },
  {
    words: /maps memory from (?:stack|kernel text)/,
    meaning:
      "A device was told to write where a stack or the kernel's text lies: the memory may be another's by the time it does.",
    severity: "act",
  },
  {
    words: /overlapping mappings|cpu touching an active dma mapped cacheline/,
    meaning:
      "One piece of memory is mapped several times at once, as pages that are sent again while the first send is under way: harmless for what is read, wrong for what a device writes.",
    severity: "watch",
  },
  {
    words: /pending DMA allocations while released/,
    meaning: "Mappings that are never undone hold their memory, bounce buffers and IOMMU space for ever.",
    severity: "act",
  },
  {
    words: /to sync DMA memory it has not allocated|syncs\s+(?:DMA|device)/,
    meaning: "Data was handed over between CPU and device for an address or range that is not mapped so.",
    severity: "watch",
  },
];

const unlisted: Omit<Complaint, "words"> = {
  meaning: "The rule that was broken stands in the line; whether it did harm on this machine it does not say.",
  severity: "watch",
};
const complaintOf = (text: string): Omit<Complaint, "words"> => complaints.find((c) => c.words.test(text)) ?? unlisted;

const wordsOf = (text: string): string => text.replace(/^.{0,120}?DMA-API: /, "").slice(0, 140);
const harm: Readonly<Record<"own" | "driver", string>> = {
  own: "Harmless: only the checking has ended.",
  driver: "The kernel went on. Whether a device wrote where it must not the text does not say.",
};
const causeOf = (text: string, own: boolean): string =>
  own
    ? `The checker of DMA mappings gave up: "${wordsOf(text)}".`
    : `CONFIG_DMA_API_DEBUG found a driver breaking the rules of DMA mappings: "${wordsOf(text)}".`;

/** What a complaint says, for a line by itself and for a warning with its stack; `source` is who the line says printed it. */
export function dmaComplaint(text: string, source: string | undefined): Omit<MessageSaid, "memory"> {
  const { meaning, severity, own } = complaintOf(text);
  const driver = source === undefined || source === "DMA-API" ? "a driver" : source;
  return {
    key: `dma debug:${driver}:${wordsOf(text)
      .replace(/0x[0-9a-f]+|\d+/g, "N")
      .slice(0, 90)}`,
    title: own ? "DMA debugging switched itself off" : `DMA debugging complains about ${driver}`,
    cause: causeOf(text, own === true),
    meaning,
    severity,
    consequence: harm[own ? "own" : "driver"],
    advice: own
      ? [
          {
            change: { kind: "setting", name: "dma_debug_entries", value: "" },
            action: "Give it more entries where its checks are wanted",
            changes: "it goes on checking",
            costs: "memory for the entries",
            command: "dma_debug_entries=262144 on the kernel command line",
          },
        ]
      : [
          {
            change: { kind: "code" },
            action: "Report it to the driver's maintainers with the whole line and stack",
            changes: "the driver maps and unmaps as it must",
            costs: "a fix of the driver",
          },
        ],
  };
}
