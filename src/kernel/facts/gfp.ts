// What a gfp mask says: names in the order in which the kernel itself prints them, bits that no stock kernel of that era has, bits that
// depend on the configuration, and, when nobody says which kernel it was, every era in which the mask makes sense.
import { assert } from "../../base/assert.ts";
import { BadInput, versionGiven, wholeGiven } from "../../base/bad_input.ts";
import { compareVersions } from "../release.ts";
import { floatingPlaces } from "./floating_bits.ts";
import type { GfpEra } from "./gfp_eras.ts";
import {
  conditionalBits,
  floatingBits,
  gfpCombinations,
  gfpEras,
  namePrintOrder,
  namesByBitSince,
  vendorBits,
} from "./gfp_eras.ts";

/** One name of a decoded mask. */
export interface GfpName {
  /** `GFP_ATOMIC`, `__GFP_COMP`. */
  readonly name: string;
  readonly mask: number;
  /** When the name holds only under a condition: which one. */
  readonly when?: string;
}

/** A bit that the stock layout of the era does not have. */
export interface GfpUnknown {
  readonly mask: number;
  /** What some vendor uses it for, or which names could stand there. */
  readonly hint?: string;
}

export interface GfpDecoded {
  readonly mask: number;
  readonly era: GfpEra;
  readonly names: readonly GfpName[];
  readonly unknown: readonly GfpUnknown[];
  /** `GFP_ATOMIC|__GFP_COMP|0x4000000`, as the kernel's own printing would have it. */
  readonly text: string;
}

/** The layout that a version uses; undefined before 2.6. */
export function gfpEraAt(version: readonly number[]): GfpEra | undefined {
  let found: GfpEra | undefined;
  for (const era of gfpEras) if (compareVersions(era.since, version) <= 0) found = era;
  return found;
}

const bitsOf = new Map(
  gfpEras.map((era) => [
    era.id,
    new Map(era.bits.split(" ").flatMap((name, bit) => (name === "." ? [] : [[name, 2 ** bit] as const]))),
  ]),
);

function eraBits(era: GfpEra): ReadonlyMap<string, number> {
  const bits = bitsOf.get(era.id);
  assert(bits !== undefined, () => `no bits for era ${era.id}`);
  return bits;
}

/** The value of flags named as in the eras (`"HIGH KSWAPD_RECLAIM"`; `RECLAIM` is both reclaim bits); undefined when one does not exist then. */
export function gfpMask(flags: string, era: GfpEra): number | undefined {
  const bits = eraBits(era);
  if (flags !== "" && !flags.includes(" ")) return flagMask(flags, bits);
  let mask = 0;
  for (const flag of flags.split(" ")) {
    if (flag === "") continue;
    const value = flagMask(flag, bits);
    if (value === undefined) return undefined;
    mask = or(mask, value);
  }
  return mask;
}

function flagMask(flag: string, bits: ReadonlyMap<string, number>): number | undefined {
  if (flag !== "RECLAIM") return bits.get(flag);
  const [direct, kswapd] = [bits.get("DIRECT_RECLAIM"), bits.get("KSWAPD_RECLAIM")];
  return direct === undefined || kswapd === undefined ? undefined : direct + kswapd;
}

/** The value of a named combination (`GFP_ATOMIC`) at a version; undefined when that release has none. */
export function gfpCombination(name: string, version: readonly number[]): number | undefined {
  const era = gfpEraAt(version);
  if (era === undefined) return undefined;
  const found = gfpCombinations.find(
    (c) =>
      c.name === name &&
      compareVersions(c.since, version) <= 0 &&
      (c.until === undefined || compareVersions(version, c.until) < 0),
  );
  return found === undefined ? undefined : gfpMask(found.flags, era);
}

const everyName: ReadonlySet<string> = new Set([
  ...gfpCombinations.map((c) => c.name),
  "__GFP_RECLAIM",
  ...[...bitsOf.values()].flatMap((bits) => [...bits.keys()].map((flag) => `__GFP_${flag}`)),
]);

/** Whether some release has a combination (`GFP_ATOMIC`) or bit (`__GFP_COMP`) of that name. */
export const isGfpName = (name: string): boolean => everyName.has(name);

/** The version that stands for an era when only the era is known. */
const versionOf = (era: GfpEra): readonly number[] => era.since;

/**
 * Decodes a mask (a whole number from 0; BadInput for another) with the layout of a version, 2.4 or later. Greedy as the kernel's format_flags (lib/vsprintf.c): combinations with most
 * bits first, each taking its bits away.
 */
export function decodeGfp(mask: number, version: readonly number[]): GfpDecoded {
  maskGiven(mask);
  versionGiven(version);
  const era = gfpEraAt(version);
  if (era === undefined) throw new BadInput(`The masks of Linux ${version.join(".")} are not known; 2.4 is the first.`);
  return decodeInEra(mask, era, version);
}

const maskGiven = (mask: number): void => wholeGiven("The mask", mask, 0, Number.MAX_SAFE_INTEGER);

/** What decoding takes off a mask, with the values of one era; worked out when a mask of that era is first decoded. */
interface EraTable {
  /** In the order of the combinations; 0 where the era lacks a bit of one. */
  readonly combinations: readonly number[];
  /** Single flags in the order of printing, before {@link namesByBitSince} and from then on. */
  readonly byName: readonly SingleFlag[];
  readonly byBit: readonly SingleFlag[];
}

type SingleFlag = readonly [flag: string, name: string, value: number];

const eraTables = new Map<string, EraTable>();

function eraTable(era: GfpEra): EraTable {
  const known = eraTables.get(era.id);
  if (known !== undefined) return known;
  const bits = [...eraBits(era).keys()];
  const single = (flag: string): SingleFlag => [
    flag,
    flag === "DMA32" ? "GFP_DMA32" : `__GFP_${flag}`,
    gfpMask(flag, era) ?? 0,
  ];
  const made: EraTable = {
    combinations: gfpCombinations.map((c) => gfpMask(c.flags, era) ?? 0),
    byName: [...namePrintOrder, ...bits].map(single),
    byBit: ["DMA32", "RECLAIM", ...bits].map(single),
  };
  eraTables.set(era.id, made);
  return made;
}

function decodeInEra(mask: number, era: GfpEra, version: readonly number[]): GfpDecoded {
  const table = eraTable(era);
  const names: GfpName[] = [];
  let rest = mask;
  const take = (name: string, value: number, flag?: string): void => {
    if (value === 0 || and(rest, value) !== value) return;
    rest -= value;
    const when = flag === undefined ? undefined : conditionOf(era, flag);
    names.push({ name, mask: value, ...(when === undefined ? {} : { when }) });
  };
  gfpCombinations.forEach((combination, i) => {
    if (compareVersions(combination.since, version) > 0) return;
    if (combination.until !== undefined && compareVersions(version, combination.until) >= 0) return;
    take(combination.name, table.combinations[i]!);
  });
  const order = compareVersions(version, namesByBitSince) >= 0 ? table.byBit : table.byName;
  for (const [flag, name, value] of order) take(name, value, flag);
  const unknown = singleBits(rest).map((bit) => unknownBit(bit, era));
  const text = [...names.map((n) => n.name), ...(rest === 0 ? [] : [hex(rest)])].join("|");
  return { mask, era, names, unknown, text };
}

/** True when two texts of names name the same flags. The order says nothing: it changed in 6.15, and 6.12.y took the change over later. */
export function sameNames(a: string, b: string): boolean {
  const names = new Set(a.split("|"));
  const others = new Set(b.split("|"));
  return names.size === others.size && [...names].every((n) => others.has(n));
}

const isEnumEra = (era: GfpEra): boolean => era.id === "D1";

function conditionOf(era: GfpEra, flag: string): string | undefined {
  return conditionalBits.find((c) => c.name === flag && c.eras.includes(era.id))?.when;
}

function unknownBit(mask: number, era: GfpEra): GfpUnknown {
  const vendor = vendorBits.find((v) => v.mask === mask && v.eras.includes(era.id));
  if (vendor !== undefined) return { mask, hint: `${vendor.name} on ${vendor.vendor}` };
  const place = Math.log2(mask) - 24;
  if (isEnumEra(era) && place >= 0 && place < floatingBits.length) {
    const could = floatingPlaces(floatingBits)[place] ?? [];
    return { mask, hint: `depends on the configuration: ${could.map((c) => `__GFP_${c}`).join(" or ")}` };
  }
  return { mask };
}

/** How well a mask fits an era. */
export interface GfpFit extends GfpDecoded {
  /** 3: a named combination with modifiers; 2: legal; 1: needs a flag or pairing that no stock caller uses; 0: has bits the era lacks. */
  readonly score: 0 | 1 | 2 | 3;
  /** Why it is not a 3, or what makes it one. */
  readonly because: string;
}

/** Neighbouring eras in which a mask reads the same. */
export interface GfpReadingRange extends GfpFit {
  /** `up to 4.3`, `4.4 to 4.9`, `6.3 and later`. */
  readonly kernels: string;
  readonly since: readonly number[];
  /** First version that reads it differently; undefined for today. */
  readonly before?: readonly number[];
}

/** Every era's reading of a mask (BadInput for what is none), neighbours merged, the likeliest first. Implausible ones are in it, last, with the reason. */
export function gfpReadings(mask: number): GfpReadingRange[] {
  maskGiven(mask);
  const known = readingsOf.get(mask);
  if (known !== undefined) return [...known];
  const made = readInEveryEra(mask);
  if (readingsOf.size < 512) readingsOf.set(mask, made);
  return [...made];
}

/** A log has few masks and many reports: each mask is read once. */
const readingsOf = new Map<number, readonly GfpReadingRange[]>();

function readInEveryEra(mask: number): GfpReadingRange[] {
  const ranges: GfpReadingRange[] = [];
  for (const [since, before] of layoutSpans()) {
    const era = gfpEraAt(since);
    assert(era !== undefined, "an era starts before 2.6");
    const fit = judge(decodeInEra(mask, era, since));
    const last = ranges.at(-1);
    const same =
      last !== undefined && last.text === fit.text && last.score === fit.score && last.because === fit.because;
    const start = same ? last.since : since;
    if (same) ranges.pop();
    ranges.push({ ...fit, since: start, ...(before === undefined ? {} : { before }), kernels: span(start, before) });
  }
  // Fewer names explain more: GFP_ATOMIC is likelier than GFP_ATOMIC with three rare modifiers.
  return ranges.sort(
    (a, b) => b.score - a.score || a.names.length - b.names.length || compareVersions(b.since, a.since),
  );
}

/** Where the layout or the set of combinations changes: pairs of [since, before). */
function layoutSpans(): (readonly [readonly number[], readonly number[] | undefined])[] {
  const cuts = [
    ...gfpEras.map(versionOf),
    namesByBitSince,
    ...gfpCombinations.flatMap((c) => [c.since, ...(c.until === undefined ? [] : [c.until])]),
  ].sort(compareVersions);
  const unique = cuts.filter((cut, i) => i === 0 || compareVersions(cut, cuts[i - 1] as readonly number[]) !== 0);
  return unique.map((cut, i) => [cut, unique[i + 1]] as const);
}

const firstOfAll = [2, 4];

function span(since: readonly number[], before: readonly number[] | undefined): string {
  if (before === undefined) return `${since.join(".")} and later`;
  const last = previousRelease(before);
  if (compareVersions(since, firstOfAll) === 0) return `up to ${last}`;
  return since.join(".") === last ? last : `${since.join(".")} to ${last}`;
}

/** The mainline release before one that starts an era; 2.6.x and the majors that ended (3.19, 4.20, 5.19, 2.6.39) are known. */
export function previousRelease(version: readonly number[]): string {
  const ends: Readonly<Record<string, string>> = {
    "3.0": "2.6.39",
    "4.0": "3.19",
    "5.0": "4.20",
    "6.0": "5.19",
    "7.0": "6.19",
  };
  const text = version.join(".");
  const end = ends[text];
  if (end !== undefined) return end;
  return [...version.slice(0, -1), (version.at(-1) ?? 1) - 1].join(".");
}

/** Flags that callers add to a combination. */
const modifiers = new Set(
  "COLD NOWARN REPEAT RETRY_MAYFAIL NOFAIL NORETRY COMP ZERO NOMEMALLOC MEMALLOC HARDWALL THISNODE RECLAIMABLE MOVABLE ACCOUNT KMEMCG NOACCOUNT NOTRACK WRITE HIGHMEM DMA32 NOLOCKDEP ZEROTAGS SKIP_ZERO SKIP_KASAN SKIP_KASAN_POISON SKIP_KASAN_UNPOISON OTHER_NODE NO_KSWAPD HIGH NO_GROW".split(
    " ",
  ),
);

function judge(decoded: GfpDecoded): GfpFit {
  if (decoded.unknown.length > 0) {
    const bits = decoded.unknown.map((u) => hex(u.mask)).join(", ");
    const floating = isEnumEra(decoded.era) && decoded.unknown.every((u) => u.hint?.startsWith("depends"));
    if (!floating) return { ...decoded, score: 0, because: `${bits} has no meaning there` };
  }
  const objection = implausible(decoded);
  if (objection !== undefined) return { ...decoded, score: 1, because: objection };
  const combination = decoded.names.find(
    (n) => n.name.startsWith("GFP_") && n.name !== "GFP_DMA" && n.name !== "GFP_DMA32",
  );
  const others = decoded.names.filter((n) => n.name.startsWith("__GFP_")).map((n) => n.name.slice(6));
  if (combination !== undefined && others.every((o) => modifiers.has(o))) {
    return { ...decoded, score: 3, because: `${combination.name} is ${hex(combination.mask)} in these kernels` };
  }
  return { ...decoded, score: 2, because: "valid, but not based on any named combination" };
}

/** A pairing of flags that no stock caller makes, or undefined. */
function implausible(decoded: GfpDecoded): string | undefined {
  const has = (flags: string): boolean => {
    const value = gfpMask(flags, decoded.era);
    return value !== undefined && value !== 0 && and(decoded.mask, value) === value;
  };
  if (has("MOVABLE") && has("RECLAIMABLE")) return "__GFP_MOVABLE and __GFP_RECLAIMABLE exclude each other";
  if (has("DMA") && has("HIGHMEM")) return "a caller cannot ask for DMA and HIGHMEM memory at once";
  if (decoded.names.some((n) => n.name.startsWith("GFP_TRANSHUGE"))) return undefined;
  const split = gfpMask("DIRECT_RECLAIM", decoded.era) !== undefined;
  const sleeps = split ? has("DIRECT_RECLAIM") : has("WAIT");
  const sleep = split ? "__GFP_DIRECT_RECLAIM" : "__GFP_WAIT";
  if (split && has("HIGH") && !has("KSWAPD_RECLAIM") && !sleeps) {
    return "__GFP_HIGH without __GFP_KSWAPD_RECLAIM: since 4.4 GFP_ATOMIC carries both";
  }
  if (!sleeps && (has("IO") || has("FS")))
    return `__GFP_IO or __GFP_FS without ${sleep}: a caller that may not sleep cannot start I/O`;
  for (const flag of ["NOFAIL", "REPEAT", "RETRY_MAYFAIL"]) {
    if (has(flag) && !sleeps) return `__GFP_${flag} without ${sleep}: only a caller that may sleep can try again`;
  }
  if (has("NOFAIL") && (has("REPEAT") || has("RETRY_MAYFAIL") || has("NORETRY"))) {
    return "__GFP_NOFAIL contradicts the flag that lets the request fail";
  }
  if (has("ATOMIC") && !has("HIGH")) return "__GFP_ATOMIC without __GFP_HIGH: GFP_ATOMIC carries both";
  if (split && decoded.mask !== 0 && !sleeps && !has("KSWAPD_RECLAIM")) {
    return "neither reclaim bit: since 4.4 even GFP_NOWAIT wakes kswapd";
  }
  return undefined;
}

/** Zones that no mask names together (include/linux/gfp.h GFP_ZONE_BAD in 2.6.31.3, 2.6.32.67, 3.0.39): DMA 1, HIGHMEM 2, DMA32 4. */
const badZones: readonly number[] = [0x3, 0x5, 0x6, 0x7];

/** __GFP_NOWARN of 2.6.0 to 4.5: a request that carries it prints no failure (mm/page_alloc.c warn_alloc_failed()). */
const silent = 0x200;

/** Since this release names stand behind every mask (include/linux/mmflags.h %pGg, mm/page_alloc.c). */
export const gfpNamesSince: readonly number[] = [4, 6];

/**
 * Whether somebody asks so with a mask that has no names behind it: one that lost its last digits is often one that nobody makes, in any release
 * from 2.6 to 4.5. Zones alone ask for nothing.
 */
export function mayBeMask(mask: number): boolean {
  if (badZones.includes(mask & 0x7) || (mask & ~0xf) === 0 || (mask & silent) !== 0) return false;
  // Movable pages are of high memory, or of no zone by name. gfp.h allows the other zones beside __GFP_MOVABLE; no caller of 2.6.32.67 and 3.0.39
  // names one: GFP_HIGHUSER_MOVABLE, highmem.h __alloc_zeroed_user_highpage(), fs/buffer.c grow_dev_page() on GFP_USER of fs/block_dev.c bdget().
  if ((mask & 0x8) !== 0 && (mask & 0x5) !== 0) return false;
  return gfpReadings(mask).some(
    (r) => r.score >= 2 && compareVersions(r.since, gfpNamesSince) < 0 && compareVersions(r.before ?? [9], [2, 6]) > 0,
  );
}

/** A mask without names that is hardly the beginning of a longer one: GFP_ATOMIC, GFP_KERNEL and the like with a caller's flags above them. */
export const isCommonMask = (mask: number): boolean =>
  mask >= 0x1000 && gfpReadings(mask).some((r) => r.score >= 3 && compareVersions(r.since, gfpNamesSince) < 0);

/** Kernel-style hex, `0x4020`. */
export const hex = (n: number): string => `0x${n.toString(16)}`;

const and = (a: number, b: number): number => (a & b) >>> 0;
const or = (a: number, b: number): number => (a | b) >>> 0;

function singleBits(mask: number): number[] {
  const bits: number[] = [];
  for (let rest = mask >>> 0; rest !== 0; rest = (rest & (rest - 1)) >>> 0) bits.push((rest & -rest) >>> 0);
  return bits;
}
