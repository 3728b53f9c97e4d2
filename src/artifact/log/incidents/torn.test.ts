// The end of a line that all lines were cut at.
import { expect, test } from "vitest";
import { repairText } from "../lines.ts";
import { readIncidents } from "./read_incidents.ts";

const request = (text: string): readonly [order: number | undefined, mask: number | undefined] => {
  const [incident] = readIncidents(repairText(text)).incidents;
  return incident?.kind === "alloc_failure"
    ? [incident.reading.order, incident.reading.gfp?.mask]
    : [undefined, undefined];
};
const head = "swapper: page allocation failure. order:1, mode:0x20";
const frame = (length: number): string => ` [<c014b5d1>] ${"a".repeat(length - 14 - 11)}+0x10/0x200`;

test.each([
  ["alone", head, 0x20],
  ["with a longer line", `${head}\n${frame(head.length + 1)}`, 0x20],
  ["as the longest line", `${head}\n${frame(head.length - 1)}`, 0x20],
  ["as long as another line whose end is open", `${head}\n${frame(head.length)}`, undefined],
  ["as long as another line that has an end", `${head}\n${frame(head.length - 7)} [tg3a]`, 0x20],
  ["as long as others of its own form", `${head}\n${head}\n`, 0x20],
  [
    "as the longest line, of a form that nobody asks with",
    `${head.replace("0x20", "0x40")}\n${frame(20 + 24)}`,
    undefined,
  ],
  ["with the names that close it", `${head}(GFP_ATOMIC)\n${frame(head.length + 12)}`, 0x20],
  [
    "without the names that its release prints",
    `${head}\nCPU: 0 PID: 1 Comm: swapper Not tainted 5.10.0-20-amd64 #1 x`,
    undefined,
  ],
  ["of a release that prints no names", `${head}\nCPU: 0 PID: 1 Comm: swapper Not tainted 3.10.0-20-amd64 #1 x`, 0x20],
])("a mask %s", (_, text, mask) => {
  expect(request(text)).toEqual([1, mask]);
});

test("an order without what stands behind it may lack a digit", () => {
  expect(request("swapper: page allocation failure. order:1")[0]).toBeUndefined();
  expect(request("swapper: page allocation failure. order:1,")[0]).toBe(1);
});

test("a frame at the column of the cut lacks its module; one before it does not", () => {
  const lines = [
    "e1000_alloc_rx_buffers+0x45/0x2b2 [e1000]",
    "e1000_clean_rx_irq+0x3a7/0x3f2 [e1000]",
    "net_rx_action+0xae/0x160",
  ];
  const frames = (column: number): readonly string[] => {
    const [incident] = readIncidents(
      repairText(
        ["sh: page allocation failure: order:0, mode:0x20(GFP_ATOMIC)", "Call Trace:", ...lines.map((l) => ` ${l}`)]
          .map((l) => l.slice(0, column))
          .join("\n"),
      ),
    ).incidents;
    const trace = incident?.kind === "alloc_failure" ? incident.reading.trace : undefined;
    return (trace?.items ?? []).flatMap((i) =>
      i.kind === "frame" && i.offset !== undefined ? [`${i.function} ${i.module ?? ""}`] : [],
    );
  };
  expect(frames(90)).toEqual(["e1000_alloc_rx_buffers e1000", "e1000_clean_rx_irq e1000", "net_rx_action "]);
  expect(frames(38)).toEqual(["net_rx_action "]);
});
