// What a release picks of the cards that are put together from parts (model/drivers/cards), and whether it has a driver at all.
import { BadInput } from "../../base/bad_input.ts";
import { cardFacts } from "../../kernel/facts/drivers/cards.ts";
import type { Release } from "../../kernel/release.ts";
import { atLeast, factAt } from "../../kernel/release.ts";

export type CardRules = Readonly<Record<keyof typeof cardFacts, boolean>>;

/** What holds at a release, by the names of cardFacts. */
export const cardRulesOf = ({ version }: Release): CardRules =>
  Object.fromEntries(
    Object.entries(cardFacts).map(([name, facts]) => [name, factAt(facts, version)?.value ?? false]),
  ) as CardRules;

/** The first release of which a rule holds, as people write it. */
export const cameWith = (rule: keyof CardRules): string => cardFacts[rule].find(({ value }) => value)!.since.join(".");

/** Throws BadInput for a card on a release that has no driver for it. */
export function driverExists(
  { name, since }: { readonly name: string; readonly since?: readonly number[] },
  release: Release,
): void {
  if (since === undefined || atLeast(release, since)) return;
  throw new BadInput(
    `Linux ${release.version.join(".")} has no ${name}.`,
    undefined,
    `It came with ${since.join(".")}.`,
  );
}
