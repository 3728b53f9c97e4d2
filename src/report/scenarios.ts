// Draws what scenarios gave: one drawer for each kind.
import type { Document } from "./document.ts";
import { heading, paragraph, span } from "./document.ts";
import { drawFragDestructorCost, drawNfsRetransmit } from "./frag_destructors.ts";
import { drawDesigns } from "./pools_scenario.ts";
import { drawHighOrder } from "./scenario_high_order.ts";
import { drawMachine } from "./scenario_machine.ts";

/** Result (as the kind's run() gave it) → blocks. */
export type ScenarioDrawer = (result: unknown) => Document;

const drawers: Readonly<Record<string, ScenarioDrawer>> = {
  "page-pool-skb-copy": drawDesigns,
  "page-pool-multicast": drawDesigns,
  "page-pool-tcp": drawDesigns,
  "frag-destructor-cost": drawFragDestructorCost,
  "nfs-retransmit-corruption": drawNfsRetransmit,
  "high-order-after-thrash": drawHighOrder,
  machine: drawMachine,
};

/** A scenario's document: what was run, for which kernel it stands (`standsFor`, in sentences), then what came out. */
export function scenarioDocument(
  file: string,
  kind: string,
  summary: string,
  result: unknown,
  standsFor: readonly string[] = [],
): Document {
  const drawer = drawers[kind];
  return [
    heading(1, `${kind}: ${file}`),
    paragraph(summary),
    ...standsFor.map((sentence) => paragraph([span(sentence, "warn")])),
    ...(drawer?.(result) ?? [{ kind: "code" as const, text: JSON.stringify(result, null, 2) }]),
  ];
}
