// The designs of the page_pool return hook, side by side.
import type { DesignResult } from "../lab/page_pool_run.ts";
import type { Block, Document, Text } from "./document.ts";
import { heading, list, paragraph, span, table } from "./document.ts";

const bad = (n: number): Text => [span(String(n), n > 0 ? "bad" : "good")];

/** One row a design, then what was wrong with each. */
export function drawDesigns(result: unknown): Document {
  const results = result as readonly DesignResult[];
  const blocks: Block[] = [
    table(
      [
        "design",
        ">packets",
        ">recycled",
        ">released",
        ">leaked",
        ">corrupt",
        ">merged",
        ">B/packet",
        ">dropped",
        ">DMA",
        ">in flight",
      ],
      results.map((r) => [
        r.design,
        String(r.packets),
        String(r.recycled),
        String(r.released),
        bad(r.leaked),
        bad(r.corrupted),
        String(r.coalesced),
        String(r.memoryPerPacket),
        String(r.dropped),
        bad(r.dmaFaults),
        bad(r.inFlightAtEnd),
      ]),
    ),
    paragraph(
      "Pages: recycled ones returned to the pool, released ones left it unmapped, leaked ones were freed while mapped and counted as in flight. Corrupt: times that memory went where it does not belong. Merged: packets coalesced into another. B/packet: memory in the receive queues at their fullest. DMA: accesses out of turn. In flight: two minutes after the driver went down.",
    ),
    list(results.map((r) => [span(r.design, "strong"), span(`: ${r.says}`)])),
  ];
  for (const r of results) {
    if (r.wrong.length + r.said.length === 0) continue;
    blocks.push(heading(2, `${r.design}: what went wrong`));
    if (r.wrong.length > 0) blocks.push(list(r.wrong));
    if (r.said.length > 0)
      blocks.push(paragraph("The kernel would have said:"), { kind: "code", text: r.said.join("\n") });
  }
  return blocks;
}
