// What each scheme of the LLTX story does wrong with two CPUs and a ring of one, searched to the end.
import type { LltxTable } from "./stories/lltx.ts";

/** The columns of the table that say what went wrong. */
export const faultColumns = ["race", "deadlock", "ruleBroken", "lostWakeup", "messageHidden"] as const;

/** [scheme, searched to the end, what was found …], a row a scheme. */
export const faultsOf = ({ rows }: Pick<LltxTable, "rows">): readonly (readonly (string | boolean)[])[] =>
  rows.map((r) => [r.id, r.complete, ...faultColumns.filter((c) => r[c] !== null)]);

export const knownFaults = [
  ["plain", true],
  ["original", true, "race"],
  ["silenced", true, "race", "messageHidden"],
  ["irq-xmit-lock", true, "deadlock", "ruleBroken"],
  ["final", true, "race"],
  ["modern", true],
];
