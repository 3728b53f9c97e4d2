// How big sk_buffs are on a release and architecture, and how many fragments one may have (MAX_SKB_FRAGS): from the declared structs.
import { BadInput, wholeGiven } from "../../base/bad_input.ts";
import { cacheLineOf, padsOf } from "../../kernel/facts/drivers/rx_path.ts";
import { declaredStructs } from "../../kernel/facts/structs.ts";
import type { Release } from "../../kernel/release.ts";
import { atLeast, formatRelease } from "../../kernel/release.ts";
import type { SkbMachineSizes } from "../net/skb/skb_config.ts";

/** CONFIG_MAX_SKB_FRAGS, net/Kconfig of 6.12.117 and 7.2.12: a number of this range; not there in 6.1.192 and 6.2, there in 6.4. */
export const fragsRange = { least: 17, most: 45, since: [6, 4] } as const;

/** By release: structs are laid out once, whoever makes how many machines. */
const known = new Map<string, Partial<SkbMachineSizes>>();

/** `maxSkbFrags`: CONFIG_MAX_SKB_FRAGS; BadInput where the release has no such setting, or not of that number. */
export function skbSizesOf(release: Release, maxSkbFrags?: number): Partial<SkbMachineSizes> {
  if (maxSkbFrags !== undefined) checkFrags(release, maxSkbFrags);
  const key = `${formatRelease(release)} ${maxSkbFrags ?? ""}`;
  const sizes = known.get(key) ?? declaredSizes(release, maxSkbFrags);
  known.set(key, sizes);
  return sizes;
}

function checkFrags(release: Release, frags: number): void {
  const { least, most, since } = fragsRange;
  if (!atLeast(release, since))
    throw new BadInput(
      `maxSkbFrags: ${formatRelease(release)} has a fixed MAX_SKB_FRAGS.`,
      undefined,
      `CONFIG_MAX_SKB_FRAGS came with ${since.join(".")}.`,
    );
  wholeGiven("maxSkbFrags", frags, least, most);
}

function declaredSizes(release: Release, maxSkbFrags: number | undefined): Partial<SkbMachineSizes> {
  const structs = declaredStructs(release);
  const skBuff = structs.layout("sk_buff")?.sizeBytes;
  const shared = structs.layout("skb_shared_info");
  const frag = structs.layout("skb_frag_t")?.sizeBytes;
  const array = shared?.members.find((m) => m.name === "frags")?.sizeBytes;
  return {
    ...padsOf(release),
    cacheLineBytes: cacheLineOf(release.arch),
    ...(skBuff === undefined ? {} : { skBuffBytes: skBuff, fclonesBytes: 2 * skBuff + 8 }),
    ...(shared === undefined ? {} : { sharedInfoBytes: shared.sizeBytes }),
    ...(shared === undefined || frag === undefined || array === undefined
      ? {}
      : fragsOf(shared.sizeBytes, array / frag, frag, maxSkbFrags)),
  };
}

/** The array grows or shrinks with the number; what stands before it does not. */
const fragsOf = (sharedBytes: number, declared: number, fragBytes: number, wanted = declared) => ({
  fragsMax: wanted,
  sharedInfoBytes: sharedBytes + (wanted - declared) * fragBytes,
});
