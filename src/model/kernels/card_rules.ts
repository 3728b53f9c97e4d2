// What a release picks of the cards that are put together from parts (model/drivers/cards), and whether it has a driver at all.
import { BadInput } from "../../base/bad_input.ts";
import {
  i40eAlwaysLarge,
  intelSeveralBuffers,
  mlx5CutsPages,
  mt76Pool,
  r8152WholePackets,
} from "../../kernel/facts/drivers/cards.ts";
import type { Fact, Release } from "../../kernel/release.ts";
import { atLeast, factAt } from "../../kernel/release.ts";

export interface CardRules {
  readonly intelSeveralBuffers: boolean;
  readonly i40eAlwaysLarge: boolean;
  readonly mlx5CutsPages: boolean;
  readonly mt76Pool: boolean;
  readonly r8152WholePackets: boolean;
}

export function cardRulesOf({ version }: Release): CardRules {
  const at = (facts: readonly Fact<boolean>[]): boolean => factAt(facts, version)?.value ?? false;
  return {
    intelSeveralBuffers: at(intelSeveralBuffers),
    i40eAlwaysLarge: at(i40eAlwaysLarge),
    mlx5CutsPages: at(mlx5CutsPages),
    mt76Pool: at(mt76Pool),
    r8152WholePackets: at(r8152WholePackets),
  };
}

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
