// What /proc says of a machine, as a Document: the verdict, room by zone and order, each statement with its lines, and what is left open.
import { grouped } from "../base/grouped.ts";
import type { MachineState, Severity, StateFinding, StateRoom } from "../diagnosis/finding.ts";
import type { Block, Document, Span, Text, Tone } from "./document.ts";
import { facts, heading, list, oneLine, paragraph, span, table } from "./document.ts";

const tones: Readonly<Record<StateFinding["severity"], Tone>> = { harmless: "good", watch: "warn", act: "bad" };
/** More machines than these are told in a line each. */
const mostInFull = 4;
const shownOrders = 6;

/** The states of all machines, worst first. */
export function statesDocument(states: readonly MachineState[]): Document {
  const order: readonly Severity[] = ["act", "watch", "harmless"];
  const sorted = [...states].sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
  if (states.length <= mostInFull) return sorted.flatMap(stateBlocks);
  return [
    heading(2, `Memory of ${states.length} machines or moments, by their files`),
    list(sorted.map((s): Text => [span(`${s.severity}: `, tones[s.severity]), span(`${nameOf(s)}. ${s.summary}`)])),
  ];
}

/** One line a machine, of those alone that are not harmless. */
export const briefStates = (states: readonly MachineState[]): Document =>
  states
    .filter((s) => s.severity !== "harmless")
    .map((s) => oneLine([span(`${s.severity}: `, tones[s.severity]), span(`${nameOf(s)}: ${s.summary}`)]));

const nameOf = (s: MachineState): string => {
  const more = s.inputs.length - 3;
  return `${s.host === null ? "" : `${s.host}: `}${s.inputs.slice(0, 3).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
};

function stateBlocks(s: MachineState): Block[] {
  const blocks: Block[] = [
    heading(2, `Memory of the machine${s.host === null ? "" : ` ${s.host}`}, by its files`),
    facts([
      ["What", [span(s.summary, "strong")]],
      ["How bad", [span(s.severity, tones[s.severity])]],
      ["Read", nameOf(s)],
      ...(s.computedFor === null ? [] : ([["Computed for", s.computedFor]] as [string, Text][])),
    ]),
  ];
  if (s.room.length > 0) blocks.push(roomTable(s.room));
  const shown = s.findings.map(
    (f): Text => [
      ...(f.severity === "harmless" ? [] : [span(`${f.severity}: `, tones[f.severity])]),
      span(f.claim),
      ...placesOf(f, s),
    ],
  );
  if (shown.length > 0) blocks.push(paragraph([span("What they say", "strong")]), list(shown));
  const advice = [...new Map(s.findings.flatMap((f) => f.advice).map((a) => [a.command ?? a.action, a])).values()];
  if (advice.length > 0)
    blocks.push(
      paragraph([span("What to do", "strong")]),
      list(
        advice.map(
          (a): Text => [
            span(`${a.action}. `, "strong"),
            span(`Changes: ${a.changes}. Cost: ${a.costs}.`),
            ...(a.command === undefined ? [] : [span(" "), span(a.command, "code")]),
          ],
        ),
      ),
    );
  if (s.open.length > 0) blocks.push(paragraph([span("Left open by these files", "strong")]), list(s.open));
  return blocks;
}

function roomTable(room: readonly StateRoom[]): Block {
  const orders = Math.min(shownOrders, Math.max(...room.map((r) => r.orders.length)));
  const cell = (r: StateRoom, order: number): Text => {
    const { least, most } = r.orders[order] ?? { least: null, most: null };
    if (least === null || most === null) return [span("?", "dim")];
    const text = least === most ? grouped(least) : `${grouped(least)}-${grouped(most)}`;
    return [span(text, most === 0 && !r.kept ? "bad" : "plain")];
  };
  return table(
    ["zone", "asked by", ...Array.from({ length: orders }, (_, o) => `>order ${o}`)],
    room.map((r) => [
      `${r.node} ${r.zone}`,
      r.kept ? `${r.context} (kept for others)` : r.context,
      ...Array.from({ length: orders }, (_, o) => cell(r, o)),
    ]),
    "Room: requests that would be granted one after the other, by the kernel's own watermark test on the model",
  );
}

function placesOf(f: StateFinding, s: MachineState): readonly Span[] {
  if (f.evidence.length === 0) return [];
  const places = new Map<string, number[]>();
  for (const q of f.evidence) places.set(q.input, [...(places.get(q.input) ?? []), q.line]);
  const told = [...places].map(([input, lines]) => {
    const shown = [...new Set(lines)].slice(0, 4).join(", ");
    return s.inputs.length === 1 ? `line ${shown}` : `${input}:${shown}`;
  });
  return [span(`  [${told.slice(0, 3).join("; ")}]`, "dim")];
}
