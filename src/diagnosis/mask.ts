// The gfp mask of a case, decoded for its release.
import { decodeGfp, gfpEraAt, gfpMask, hex, sameNames } from "../kernel/facts/gfp.ts";
import type { Case } from "./case.ts";
import { perCase } from "./per_case.ts";

export interface Mask {
  readonly value: number;
  /** `0x4020` */
  readonly hex: string;
  readonly names: readonly string[];
  /** The kernel's own names where it printed them, ours otherwise. */
  readonly text: string;
  readonly maySleep: boolean;
  /** __GFP_HIGH: may use half of the reserve. */
  readonly high: boolean;
  readonly nowarn: boolean;
  readonly compound: boolean;
  /** The caller can do without: it may not wait and asks for no reserve (GFP_NOWAIT), or it gives up early on purpose. */
  readonly optional: boolean;
  /** What the printed names say against the number, if they do. */
  readonly disagrees?: string;
}

/** The mask of a case; undefined when the report has none. */
export const maskOf = perCase((c: Case): Mask | undefined => {
  if (c.gfp === undefined) return undefined;
  const value = c.gfp.mask;
  const era = gfpEraAt(c.release.version);
  if (era === undefined) return undefined;
  const decoded = decodeGfp(value, c.release.version);
  const names =
    c.gfp.names === undefined
      ? [...decoded.names.map((n) => n.name), ...decoded.unknown.map((u) => hex(u.mask))]
      : c.gfp.names.split("|").filter((name) => name !== "");
  const has = (flag: string): boolean => {
    const bit = gfpMask(flag, era);
    return bit !== undefined && bit !== 0 && (value & bit) >>> 0 === bit;
  };
  const split = gfpMask("DIRECT_RECLAIM", era) !== undefined;
  const maySleep = has(split ? "DIRECT_RECLAIM" : "WAIT");
  const disagrees =
    c.gfp.names !== undefined && !sameNames(c.gfp.names, decoded.text)
      ? `the kernel calls it ${c.gfp.names}, the layout of ${c.release.version.join(".")} reads ${decoded.text}`
      : undefined;
  return {
    value,
    hex: hex(value),
    names,
    text: value === 0 ? "no flag at all" : names.length === 0 ? hex(value) : names.join("|"),
    maySleep,
    high: has("HIGH"),
    nowarn: has("NOWARN"),
    compound: has("COMP"),
    // A mask without a flag is no GFP_NOWAIT, which wakes kswapd: its caller passed none.
    optional: (value !== 0 && !maySleep && !has("HIGH")) || has("NORETRY") || has("RETRY_MAYFAIL"),
    ...(disagrees === undefined ? {} : { disagrees }),
  };
});
