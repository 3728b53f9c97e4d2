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
      "The checker ran out of its own entries and turned itself off. This says nothing about a driver; from here on nothing is checked.",
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
      "Mapped one way and unmapped another: harmless without an IOMMU or bounce buffers; with them, data may not be copied.",
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
      "A device was given an address on a stack or in the kernel's text: by the time it writes, that memory may belong to something else.",
    severity: "act",
  },
  {
    words: /overlapping mappings|cpu touching an active dma mapped cacheline/,
    meaning:
      "The same memory is mapped several times at once, as when pages are retransmitted while the first transmission is in flight: harmless where the device reads, wrong where it writes.",
    severity: "watch",
  },
  {
    words: /pending DMA allocations while released/,
    meaning: "Mappings that are never unmapped keep their memory, bounce buffers and IOMMU space.",
    severity: "act",
  },
  {
    words: /to sync DMA memory it has not allocated|syncs\s+(?:DMA|device)/,
    meaning: "A sync between CPU and device was for an address or range that is not mapped that way.",
    severity: "watch",
  },
];

const unlisted: Omit<Complaint, "words"> = {
  meaning: "The line names the broken rule; it does not say whether that did harm on this machine.",
  severity: "watch",
};
const complaintOf = (text: string): Omit<Complaint, "words"> => complaints.find((c) => c.words.test(text)) ?? unlisted;

const wordsOf = (text: string): string => text.replace(/^.{0,120}?DMA-API: /, "").slice(0, 200);
const harm: Readonly<Record<"own" | "driver", string>> = {
  own: "Harmless: only the checks have stopped.",
  driver: "The kernel continued. The text does not say whether a device wrote where it must not.",
};
const causeOf = (text: string, own: boolean): string =>
  own
    ? `The checker of DMA mappings turned itself off: "${wordsOf(text)}".`
    : `CONFIG_DMA_API_DEBUG caught a driver breaking the rules of DMA mappings: "${wordsOf(text)}".`;

/** What a complaint says, for a line by itself and for a warning with its stack; `source` is who the line says printed it. */
export function dmaComplaint(text: string, source: string | undefined): Omit<MessageSaid, "memory"> {
  const { meaning, severity, own } = complaintOf(text);
  const driver = source === undefined || source === "DMA-API" ? "a driver" : source.replace(/:$/, "");
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
            action: "Give it more entries if you want its checks",
            changes: "it goes on checking",
            costs: "memory for the entries",
            command: "dma_debug_entries=262144 on the kernel command line",
          },
        ]
      : [
          {
            change: { kind: "code" },
            action: "Report it to the driver's maintainers with the whole line and stack",
            changes: "the driver maps and unmaps correctly",
            costs: "a fix of the driver",
          },
        ],
  };
}
