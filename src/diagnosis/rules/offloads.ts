// Which offload can be on this path? Transmit offloads act on packets that leave; a receive buffer is made before a packet exists.
import { isKnown } from "../../kernel/readings/part.ts";
import type { Case } from "../case.ts";
import { frameName, quoteFrames } from "../case.ts";
import type { Finding, Quote } from "../finding.ts";
import { shown } from "../finding.ts";
import { defineQuestions } from "../question.ts";
import { defineRule } from "../rule.ts";

const { questions, no, unknown, yes } = defineQuestions({
  "offload.tso": { question: "Can TSO be the cause?", clears: "TSO" },
  "offload.gso": { question: "Can GSO be the cause?", clears: "GSO" },
  "offload.sg": { question: "Can scatter-gather be the cause?", clears: "scatter-gather" },
  "offload.lro": { question: "Can LRO be the cause?", clears: "LRO" },
  "offload.gro": { question: "Can GRO be the cause?", clears: "GRO" },
});

interface Offload {
  readonly id: "tso" | "gso" | "sg" | "lro" | "gro";
  readonly title: string;
  /** Names under which ethtool -k prints it. */
  readonly printed: readonly string[];
  readonly side: "tx" | "rx";
}

const offloads: readonly Offload[] = [
  { id: "tso", title: "TCP segmentation offload (TSO)", printed: ["tcp-segmentation-offload"], side: "tx" },
  { id: "gso", title: "Generic segmentation offload (GSO)", printed: ["generic-segmentation-offload"], side: "tx" },
  { id: "sg", title: "Scatter-gather", printed: ["scatter-gather"], side: "tx" },
  { id: "lro", title: "Large receive offload (LRO)", printed: ["large-receive-offload"], side: "rx" },
  { id: "gro", title: "Generic receive offload (GRO)", printed: ["generic-receive-offload"], side: "rx" },
];

export const offloadsOnPath = defineRule({
  id: "offload",
  asks: "Which offload can be on this path?",
  questions,
  kinds: ["alloc_failure", "slab_failure"],
  answer: (c) => {
    const { direction } = c.stack;
    if (direction === undefined || direction === "neither") return [];
    return offloads.flatMap((o) => judge(c, o));
  },
});

/** What copies or flattens a packet: its fragments then need one block. */
const copiers =
  /^(skb_copy(_expand)?|__?skb_linearize|__pskb_pull_tail|pskb_expand_head|tg3_tso_bug|skb_realloc_headroom)(\.|$)/;

function judge(c: Case, offload: Offload): readonly Finding[] {
  const told = offload.printed.map((p) => c.around.offloads.get(p)).find((t) => t !== undefined);
  const setting: readonly Quote[] = told === undefined ? [] : [told.quote];
  const where = quoteFrames(c, [c.stack.directionFrame]);
  const at = frameName(c, c.stack.directionFrame);
  // On which side the stack stands a frame says.
  if (at === undefined) return [];
  const receiving = c.stack.direction === "rx refill" || c.stack.direction === "rx";
  const says = (why: string): readonly Finding[] => [
    no(`offload.${offload.id}`, why, shown(at, [...where, ...setting])),
  ];
  const open = (why: string): readonly Finding[] => [unknown(`offload.${offload.id}`, why, [...where, ...setting])];
  if (offload.side === "tx") {
    if (c.stack.direction === "rx refill")
      return says(
        `${offload.title} is not the cause: it changes packets that are sent, and ${at} makes a buffer for a packet that has not been received yet. Its size comes from the MTU and the driver, whatever the offload is set to${told === undefined ? "" : ` (here: ${told.value})`}.`,
      );
    if (receiving)
      return says(
        `${offload.title} is not on this path: ${at} handles received packets, and this offload only changes packets that are sent.`,
      );
    if (c.stack.direction === "tx") {
      if (told?.value === "off") return says(`${offload.title} is off, so it cannot have made this request larger.`);
      if (offload.id === "sg")
        return open(
          "Without scatter-gather a packet to be sent must be contiguous, which needs blocks of several pages for large packets; the report does not say whether it is on.",
        );
      const copier = c.stack.frames.findIndex((f) => copiers.test(f.function));
      if (c.stack.frames[copier] !== undefined && isKnown(c.order, (n) => n > 0) && c.stack.object === "skb data")
        return [
          (told === undefined ? unknown : yes)(
            `offload.${offload.id}`,
            `${offload.title} may well be what makes this request so large: ${frameName(c, copier)} copies a whole packet into one block, and with the offload on a packet to be sent can have up to 64 KiB${told === undefined ? "; the report does not say whether it is on" : " (here: on)"}.`,
            [...quoteFrames(c, [copier, c.stack.directionFrame]), ...setting],
            [
              {
                change: { kind: "offload", name: offload.id },
                action: `Switch ${offload.id.toUpperCase()} off on that interface, as a test`,
                changes: "packets are copied into blocks no larger than the MTU needs",
                costs: "more CPU time for sending",
                command: `ethtool -K IFACE ${offload.id} off`,
              },
            ],
          ),
        ];
      return open(
        `${offload.title} can be on this path: with it one large packet goes down the stack instead of many small ones. Its payload lies in single pages, so it matters only where the packet is copied or linearized.`,
      );
    }
    return says(`${offload.title} is not on this path: no packet is being sent here.`);
  }
  if (told === undefined) return [];
  if (offload.id === "gro")
    return says(
      "Generic receive offload is not the cause: it joins packets after they were received and allocates no ring buffers.",
    );
  if (c.stack.direction !== "rx refill") return [];
  const sizes = c.stack.driver?.driver.name === "ixgbe";
  if (told.value === "off") return says("Large receive offload is off.");
  return sizes
    ? [
        yes(
          "offload.lro",
          "Large receive offload makes ixgbe use order-1 buffers at every MTU.",
          [...where, ...setting],
          isKnown(c.order, (n) => n > 0)
            ? [
                {
                  change: { kind: "offload", name: "lro" },
                  action: "Switch LRO off on that interface",
                  changes: "receive buffers become as small as the MTU allows",
                  costs: "more CPU time for receiving; GRO joins packets as well, later",
                  command: "ethtool -K IFACE lro off",
                },
              ]
            : [],
        ),
      ]
    : open("Large receive offload is on; some drivers size their receive buffers for it.");
}
