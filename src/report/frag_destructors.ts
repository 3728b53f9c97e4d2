// Draws the two scenarios of seed 002: what fragment destructors cost, and what their absence corrupts.
import type { CostResult } from "../lab/frag_destructor_cost.ts";
import type { NfsResult } from "../lab/nfs_retransmit.ts";
import type { Block, Document } from "./document.ts";
import { heading, list, paragraph, span, table } from "./document.ts";

const round = (n: number): string => String(Math.round(n));
const percent = (n: number): string => `${(n * 100).toFixed(1)} %`;

/** Layouts, cost of each frame size, and the mix. */
export function drawFragDestructorCost(result: unknown): Document {
  const { release, packets, pressurePackets, designs } = result as CostResult;
  const frames = designs[0]?.frames.map((f) => f.bytes) ?? [];
  const blocks: Block[] = [
    table(
      ["design", ">frag", ">shared info", ">sk_buff", ">destructor", ">bucket", ">linear room left"],
      designs.map((d) => [
        d.design,
        String(d.layout.fragBytes),
        String(d.layout.sharedInfoBytes),
        String(d.layout.skBuffBytes),
        String(d.layout.destructorBytes),
        String(d.room.bucket),
        String(d.room.left),
      ]),
      `Structs of ${release} in bytes; room beside the bare shared info in its bucket`,
    ),
  ];
  for (const bytes of frames)
    blocks.push(
      table(
        ["design", ">head object", ">truesize", ">memory a packet", ">allocations", ">pages touched", ">failed"],
        designs.map((d) => {
          const f = d.frames.find((c) => c.bytes === bytes);
          return [
            d.design,
            String(f?.headBytes ?? ""),
            String(f?.truesize ?? ""),
            f === undefined ? "" : round(f.memoryPerPacket),
            f === undefined ? "" : round(f.allocations),
            f?.pagesTouched.toFixed(2) ?? "",
            f === undefined ? "" : `${f.failures} of ${pressurePackets}`,
          ];
        }),
        `${bytes} bytes of linear data, ${packets} packets alive; failed: with GFP_ATOMIC under pressure`,
      ),
    );
  blocks.push(
    {
      kind: "bars",
      title: "Memory per packet over the mix of frames",
      unit: "bytes",
      bars: designs.map((d) => ({
        label: d.design,
        value: Math.round(d.memoryPerPacket),
        note: `${percent(d.failureRate)} fail under pressure`,
      })),
    },
    {
      kind: "lines",
      title: "Memory per packet by frame size",
      xTitle: "linear bytes",
      yTitle: "bytes",
      x: frames,
      series: designs.map((d) => ({ name: d.design, values: d.frames.map((f) => f.memoryPerPacket) })),
    },
    heading(2, "What each design is, and what it cannot express"),
    list(designs.flatMap((d) => [[span(d.design, "strong"), span(`: ${d.says}. ${d.limits.join("; ")}.`)]])),
  );
  return blocks;
}

/** One row a design and loss rate, and the verdict in a sentence. */
export function drawNfsRetransmit(result: unknown): Document {
  const { designs, seeds } = result as NfsResult;
  const rows = designs.flatMap((d) =>
    d.runs.map((r) => [
      d.design,
      percent(r.lossRate),
      String(r.calls),
      String(r.callsSentAgain),
      String(r.framesSent),
      [span(String(r.framesCorrupted), r.framesCorrupted > 0 ? ("bad" as const) : ("good" as const))],
      [span(String(r.filesCorrupted), r.filesCorrupted > 0 ? ("bad" as const) : ("good" as const))],
      `${r.runsWithCorruption} of ${r.runs}`,
      r.reuseWaitTicks.toFixed(1),
    ]),
  );
  const sum = (d: NfsResult["designs"][number]): number =>
    d.runs.reduce((n, r) => n + r.framesCorrupted + r.filesCorrupted, 0);
  return [
    table(
      [
        "design",
        ">loss",
        ">calls",
        ">sent again",
        ">frames",
        ">frames corrupted",
        ">files corrupted",
        ">runs with corruption",
        ">wait for reuse (ticks)",
      ],
      rows,
      `Sums over ${seeds} seeds; a frame is corrupted when its pages held other data as it left than when it was handed over`,
    ),
    list(
      designs.map((d) => {
        const found = sum(d);
        return [
          span(d.design, "strong"),
          span(
            found > 0
              ? `: pages were reused under the stack, and ${d.runs.reduce((n, r) => n + r.filesCorrupted, 0)} files hold data that was never written to them.`
              : ": no frame and no file was ever corrupted.",
            found > 0 ? "bad" : "good",
          ),
        ];
      }),
    ),
    paragraph("The server here keeps no cache of replies: a second copy of a call is executed again."),
    ...unfinishedNote(designs),
  ];
}

/** What was cut short: on a wire that loses much, TCP waits twice as long after each loss. */
function unfinishedNote(designs: NfsResult["designs"]): Block[] {
  const cut = designs.flatMap((d) => d.runs).filter((r) => r.runsUnfinished > 0);
  if (cut.length === 0) return [];
  const sum = (pick: "runsUnfinished" | "runs" | "callsUnanswered"): number => cut.reduce((n, r) => n + r[pick], 0);
  const rates = [...new Set(cut.map((r) => percent(r.lossRate)))].join(", ");
  return [
    paragraph(
      `At a loss of ${rates}, ${sum("runsUnfinished")} of ${sum("runs")} runs were ended by their limit of events before every call had its reply ` +
        "(what is sent again may be lost again, and each wait is twice as long as the one before). " +
        `${sum("callsUnanswered")} calls have no reply there, and their files are not judged.`,
    ),
  ];
}
