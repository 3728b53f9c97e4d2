// Whether a dump of registers holds all that its architecture prints: only then can it be said that no register held something.
import type { RegisterDump } from "./call_trace.ts";
import type { Part } from "./part.ts";
import { cut, lost, whole } from "./part.ts";

const numbered = (before: string, from: number, to: number, digits = 1): readonly string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => `${before}${String(from + i).padStart(digits, "0")}`);

/** General registers by architecture, as show_regs() of arch/* prints them. */
const sets: readonly (readonly string[])[] = [
  ["RAX", "RBX", "RCX", "RDX", "RSI", "RDI", "RBP", ...numbered("R", 8, 15, 2)],
  ["EAX", "EBX", "ECX", "EDX", "ESI", "EDI", "EBP"],
  numbered("GPR", 0, 31, 2),
  numbered("x", 0, 29),
  numbered("r", 0, 10),
];

/** A register of 32 or 64 bits is printed with all its digits. */
const isWhole = (value: string | undefined): boolean =>
  value !== undefined && (value.length === 8 || value.length === 16);

/** The values of a dump by name. */
export function registersPart(dump: RegisterDump | undefined): Part<RegisterDump["values"]> {
  if (dump === undefined) return lost("the registers");
  const { values } = dump;
  const set = sets.find((names) => names.some((n) => n in values));
  if (set === undefined) return cut(values, "the general registers");
  const missing = set.find((n) => !isWhole(values[n]));
  return missing === undefined
    ? whole(values, `${set[0]} to ${set.at(-1)} are there`)
    : cut(values, `the line of the register ${missing}`);
}
