// Which kernel a scenario really runs: a release that no recording holds runs by dated facts or as a neighbour, and its results say so.
import { parseRelease } from "../kernel/release.ts";
import { findDriver } from "../model/drivers/drivers.ts";
import { partsFor } from "../model/kernels/parts_for.ts";

/**
 * What the results of a scenario with these settings owe to a recorded kernel, in sentences: nothing for a release that is one and lacks nothing.
 * Settings name releases in `release` or `releases`.
 */
export function standsFor(settings: unknown): readonly string[] {
  const { release, releases, nics } = (settings ?? {}) as {
    readonly release?: unknown;
    readonly releases?: unknown;
    readonly nics?: readonly { readonly driver?: unknown }[];
  };
  const cards = (Array.isArray(nics) ? nics : []).flatMap(({ driver }) => findDriver(String(driver)) ?? []);
  const named = [release, ...(Array.isArray(releases) ? releases : [])].filter(
    (r): r is string => typeof r === "string",
  );
  return [
    ...new Set(
      named.flatMap((text) => {
        const at = parseRelease(text);
        return [...partsFor(at).holes, ...cards.flatMap((card) => card.unread?.(at) ?? [])];
      }),
    ),
  ];
}
