// Every kind of scenario: what its file may say, and how it runs. One line each; the drawing is in report/scenarios.ts.
import { highOrderKind } from "./high_order_kind.ts";
import type { ScenarioKind } from "./kind.ts";
import { machineKind } from "./machine_kind.ts";
import { pagePoolKinds } from "./page_pool_kinds.ts";
import { skbKinds } from "./skb_kinds.ts";

export const scenarioKinds: readonly ScenarioKind[] = [...pagePoolKinds, ...skbKinds, highOrderKind, machineKind];

/** The kind of that name, or undefined. */
export function kindNamed(name: string): ScenarioKind | undefined {
  return scenarioKinds.find((k) => k.kind === name);
}
