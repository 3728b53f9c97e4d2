// What of a case may be changed, by the page and by `skblab cases ID --set key=value`. A knob is a whole number with its unit and bounds, or one of
// a few words. Texts are read here and nowhere else, so both faces refuse the same things with the same sentences.
import { BadInput } from "../../base/bad_input.ts";
import { suggest } from "../../base/suggest.ts";

export interface NumberKnob {
  readonly kind: "number";
  readonly says: string;
  /** "" for a plain count. */
  readonly unit: string;
  readonly default: number;
  readonly min: number;
  readonly max: number;
}

export interface ChoiceKnob {
  readonly kind: "choice";
  readonly says: string;
  readonly default: string;
  readonly choices: readonly string[];
}

export type Knob = NumberKnob | ChoiceKnob;
export type Knobs = Readonly<Record<string, Knob>>;
export type KnobValues = Readonly<Record<string, number | string>>;
/** One value for each knob of `K`. */
export type ValuesOf<K extends Knobs> = { readonly [P in keyof K]: K[P] extends NumberKnob ? number : string };

/** A whole number from `min` to `max`. */
export const numberKnob = (says: string, unit: string, byDefault: number, min: number, max: number): NumberKnob => ({
  kind: "number",
  says,
  unit,
  default: byDefault,
  min,
  max,
});

export const choiceKnob = (says: string, byDefault: string, choices: readonly string[]): ChoiceKnob => ({
  kind: "choice",
  says,
  default: byDefault,
  choices,
});

/** The given values, and the default of every knob that is not given. */
export function valuesOf<K extends Knobs>(knobs: K, given: KnobValues): ValuesOf<K> {
  const all = Object.fromEntries(Object.entries(knobs).map(([key, knob]) => [key, given[key] ?? knob.default]));
  return all as ValuesOf<K>;
}

/** Reads what was written for each key; BadInput for a key that is none, a value that is none, or one out of bounds. */
export function readKnobs(
  owner: { readonly id: string; readonly knobs?: Knobs },
  written: readonly (readonly [key: string, value: string])[],
): KnobValues {
  const knobs = owner.knobs ?? {};
  return Object.fromEntries(written.map(([key, value]) => [key, readKnob(owner.id, knobs, key, value)]));
}

function readKnob(id: string, knobs: Knobs, key: string, value: string): number | string {
  const knob = Object.hasOwn(knobs, key) ? knobs[key] : undefined;
  if (knob === undefined) {
    const keys = Object.keys(knobs);
    throw new BadInput(
      `The case ${id} has no knob "${key}".`,
      undefined,
      keys.length === 0 ? "It has none." : suggest(key, keys),
    );
  }
  if (knob.kind === "choice") {
    if (knob.choices.includes(value)) return value;
    throw new BadInput(`"${key}" of ${id} cannot be "${value}".`, undefined, suggest(value, knob.choices));
  }
  const number = value.trim() === "" ? Number.NaN : Number(value);
  if (Number.isSafeInteger(number) && number >= knob.min && number <= knob.max) return number;
  throw new BadInput(
    `"${key}" of ${id} cannot be "${value}".`,
    undefined,
    `Write a whole number from ${knob.min} to ${knob.max}${knob.unit === "" ? "" : ` (${knob.unit})`}.`,
  );
}

/** `mtu 8000 bytes`: a knob's value as a person reads it. */
export function knobText(knobs: Knobs, key: string, value: number | string): string {
  const knob = knobs[key];
  const unit = knob?.kind === "number" && knob.unit !== "" ? ` ${knob.unit}` : "";
  return `${key} ${value}${unit}`;
}
