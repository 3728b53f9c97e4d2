// The flag bits of struct page by era, and what a flags word says. The word's upper end is no flags: it names the page's section, node, zone
// and last CPU, in a layout that depends on the configuration.
import { assert } from "../../base/assert.ts";
import { BadInput, versionGiven } from "../../base/bad_input.ts";
import { compareVersions } from "../release.ts";
import type { FloatingBit } from "./floating_bits.ts";
import { floatingPlaces } from "./floating_bits.ts";
import { previousRelease } from "./gfp.ts";

/** One layout; it holds from `since` until the next row. */
export interface PageFlagEra {
  readonly id: string;
  readonly since: readonly number[];
  /** False when the first release of the layout is known from history, not read in a header. */
  readonly sinceIsRead: boolean;
  /** Names from bit 0 upwards (without `PG_`), separated by blanks; `.` is a bit without a meaning. */
  readonly bits: string;
  /** The same for kernels without CONFIG_PAGEFLAGS_EXTENDED (32-bit with SPARSEMEM), where one `compound` bit marks head and tail. */
  readonly compactBits?: string;
  /** Bits after the fixed ones, in order, each there only with its option. */
  readonly tail: readonly FloatingBit[];
  /** PAGE_FLAGS_CHECK_AT_FREE: a page being freed must have none of them. */
  readonly checkedAtFree: string;
  /** How a tail page of a compound is marked: by `tail`, by compound and reclaim together, or not in its flags at all (4.4 and later). */
  readonly tailMark: "tail" | "compound+reclaim" | "none";
  readonly source: string;
}

const uncached = { name: "uncached", option: "CONFIG_ARCH_USES_PG_UNCACHED" };
const hwpoison = { name: "hwpoison", option: "CONFIG_MEMORY_FAILURE" };
const compoundLock = { name: "compound_lock", option: "CONFIG_TRANSPARENT_HUGEPAGE" };
const young = { name: "young", option: "CONFIG_IDLE_PAGE_TRACKING" };
const idle = { name: "idle", option: "CONFIG_IDLE_PAGE_TRACKING" };
const arch2 = { name: "arch_2", option: "64-bit" };
const arch3 = { name: "arch_3", option: "64-bit" };
const skipPoison = { name: "skip_kasan_poison", option: "CONFIG_KASAN_HW_TAGS" };

const low = "locked error referenced uptodate dirty lru active";
const checked26 = "lru private locked buddy writeback reserved slab swapcache active";
const checked3 = "lru locked private private_2 writeback reserved slab swapcache active unevictable mlocked";
const checked4 = "lru locked private private_2 writeback reserved slab active unevictable mlocked";

/** In order of `since`. */
export const pageFlagEras: readonly PageFlagEra[] = [
  {
    id: "P0",
    since: [2, 6],
    sinceIsRead: false,
    bits: `${low} slab highmem checked arch_1 reserved private writeback nosave compound swapcache mappedtodisk reclaim nosave_free`,
    tail: [],
    checkedAtFree: "lru private locked active reclaim slab swapcache writeback",
    tailMark: "none",
    source: "include/linux/page-flags.h, 2.6.9 and 2.6.11",
  },
  {
    id: "P1",
    since: [2, 6, 15],
    sinceIsRead: false,
    bits: `${low} slab checked arch_1 reserved private writeback nosave compound swapcache mappedtodisk reclaim nosave_free buddy`,
    tail: [],
    checkedAtFree: checked26,
    tailMark: "none",
    source: "include/linux/page-flags.h, 2.6.18",
  },
  {
    id: "P2",
    since: [2, 6, 22],
    sinceIsRead: false,
    bits: `${low} slab owner_priv_1 arch_1 reserved private writeback . compound swapcache mappedtodisk reclaim . buddy`,
    tail: [],
    checkedAtFree: checked26,
    tailMark: "compound+reclaim",
    source: "include/linux/page-flags.h, 2.6.24",
  },
  {
    id: "P3",
    since: [2, 6, 26],
    sinceIsRead: false,
    bits: `${low} slab owner_priv_1 arch_1 reserved private writeback head tail swapcache mappedtodisk reclaim buddy swapbacked unevictable mlocked`,
    compactBits: `${low} slab owner_priv_1 arch_1 reserved private writeback compound swapcache mappedtodisk reclaim buddy swapbacked unevictable mlocked`,
    tail: [uncached],
    checkedAtFree: `${checked26} unevictable mlocked`,
    tailMark: "tail",
    source: "include/linux/page-flags.h, 2.6.29",
  },
  {
    id: "P4",
    since: [2, 6, 30],
    sinceIsRead: true,
    bits: `${low} slab owner_priv_1 arch_1 reserved private private_2 writeback head tail swapcache mappedtodisk reclaim buddy swapbacked unevictable mlocked`,
    compactBits: `${low} slab owner_priv_1 arch_1 reserved private private_2 writeback compound swapcache mappedtodisk reclaim buddy swapbacked unevictable mlocked`,
    tail: [uncached, hwpoison],
    checkedAtFree: `${checked3} buddy hwpoison`,
    tailMark: "tail",
    source: "include/linux/page-flags.h, 2.6.31 and 2.6.32.67",
  },
  {
    id: "P5",
    since: [2, 6, 38],
    sinceIsRead: false,
    bits: `${low} slab owner_priv_1 arch_1 reserved private private_2 writeback head tail swapcache mappedtodisk reclaim swapbacked unevictable mlocked`,
    compactBits: `${low} slab owner_priv_1 arch_1 reserved private private_2 writeback compound swapcache mappedtodisk reclaim swapbacked unevictable mlocked`,
    tail: [uncached, hwpoison, compoundLock],
    checkedAtFree: `${checked3} hwpoison compound_lock`,
    tailMark: "tail",
    source: "include/linux/page-flags.h, 3.0.1, 3.10.99 and 3.13",
  },
  {
    id: "P6",
    since: [4, 4],
    sinceIsRead: false,
    bits: `${low} slab owner_priv_1 arch_1 reserved private private_2 writeback head swapcache mappedtodisk reclaim swapbacked unevictable mlocked`,
    tail: [uncached, hwpoison, young, idle],
    checkedAtFree: checked3,
    tailMark: "none",
    source: "history: commit 1d798ca3f164 moved the mark of a tail page into compound_head",
  },
  {
    id: "P7",
    since: [4, 10],
    sinceIsRead: false,
    bits: `${low} waiters slab owner_priv_1 arch_1 reserved private private_2 writeback head mappedtodisk reclaim swapbacked unevictable mlocked`,
    tail: [uncached, hwpoison, young, idle],
    checkedAtFree: checked4,
    tailMark: "none",
    source: "include/linux/page-flags.h, 4.14 and 4.19",
  },
  {
    id: "P8",
    since: [4, 20],
    sinceIsRead: false,
    bits: "locked referenced uptodate dirty lru active workingset waiters error slab owner_priv_1 arch_1 reserved private private_2 writeback head mappedtodisk reclaim swapbacked unevictable mlocked",
    tail: [uncached, hwpoison, young, idle, arch2, skipPoison],
    checkedAtFree: checked4,
    tailMark: "none",
    source: "include/linux/page-flags.h, 5.10.13 and 6.1.192",
  },
  {
    id: "P9",
    since: [6, 7],
    sinceIsRead: false,
    bits: "locked writeback referenced uptodate dirty lru head waiters active workingset error slab owner_priv_1 arch_1 reserved private private_2 mappedtodisk reclaim swapbacked unevictable mlocked",
    tail: [uncached, hwpoison, young, idle, arch2, arch3],
    checkedAtFree: checked4,
    tailMark: "none",
    source: "the patch that puts PG_head into bit 6 (folio_end_read series, 2023)",
  },
  {
    id: "P10",
    since: [6, 11],
    sinceIsRead: false,
    bits: "locked writeback referenced uptodate dirty lru head waiters active workingset error owner_priv_1 arch_1 reserved private private_2 mappedtodisk reclaim swapbacked unevictable mlocked",
    tail: [uncached, hwpoison, young, idle, arch2, arch3],
    checkedAtFree: "lru locked private private_2 writeback reserved active unevictable mlocked",
    tailMark: "none",
    source: "history: slab became a page type",
  },
  {
    id: "P11",
    since: [6, 12],
    sinceIsRead: false,
    bits: "locked writeback referenced uptodate dirty lru head waiters active workingset owner_priv_1 owner_2 arch_1 reserved private private_2 reclaim swapbacked unevictable mlocked",
    tail: [uncached, hwpoison, young, idle, arch2, arch3],
    checkedAtFree: "lru locked private private_2 writeback reserved active unevictable mlocked",
    tailMark: "none",
    source: "history: error and mappedtodisk gone, owner_2 new",
  },
  {
    id: "P12",
    since: [6, 14],
    sinceIsRead: false,
    bits: "locked writeback referenced uptodate dirty lru head waiters active workingset owner_priv_1 owner_2 arch_1 reserved private private_2 reclaim swapbacked unevictable dropbehind mlocked",
    tail: [hwpoison, young, idle, arch2, arch3],
    checkedAtFree: "lru locked private private_2 writeback reserved active unevictable mlocked",
    tailMark: "none",
    source: "include/linux/page-flags.h at 01c69ef (with the names of include/trace/events/mmflags.h)",
  },
];

/** A bit that is set and is no fixed flag of the era. */
export interface UnknownPageFlag {
  readonly bit: number;
  /** Which names can stand there, depending on the configuration. */
  readonly hint?: string;
}

export interface PageFlagsDecoded {
  readonly era: PageFlagEra;
  /** Names of the set bits by rising bit. */
  readonly names: readonly string[];
  readonly bits: readonly { readonly bit: number; readonly name: string }[];
  readonly unknown: readonly UnknownPageFlag[];
  /** What stands above every flag of the era: section, node, zone, last CPU. */
  readonly place: bigint;
  /** The set flags that a page being freed must not have. */
  readonly badAtFree: readonly string[];
  /** `tail|buddy`; unknown bits as `bit 18?`. */
  readonly text: string;
}

/** The layout that a version uses. */
export function pageFlagEraAt(version: readonly number[]): PageFlagEra {
  let found = pageFlagEras[0];
  for (const era of pageFlagEras) if (compareVersions(era.since, version) <= 0) found = era;
  assert(found !== undefined, "the table of page flags is empty");
  return found;
}

const wordEnd = 1n << 64n;
function flagsGiven(flags: unknown): void {
  if (typeof flags !== "bigint" || flags < 0n || flags >= wordEnd)
    throw new BadInput(`The flags are ${String(flags)}; they must be a bigint of 64 bits, such as 0x4000n.`);
}

/** Decodes a flags word (BadInput for what is none) with the layout of a version; `compact` for a kernel without CONFIG_PAGEFLAGS_EXTENDED. */
export function decodePageFlags(flags: bigint, version: readonly number[], compact = false): PageFlagsDecoded {
  flagsGiven(flags);
  versionGiven(version);
  const era = pageFlagEraAt(version);
  const names = ((compact ? era.compactBits : undefined) ?? era.bits).split(" ");
  const tail = floatingPlaces(era.tail);
  const known: { bit: number; name: string }[] = [];
  const unknown: UnknownPageFlag[] = [];
  const limit = names.length + tail.length;
  for (let bit = 0; bit < limit; bit++) {
    if (((flags >> BigInt(bit)) & 1n) === 0n) continue;
    const name = names[bit];
    if (name !== undefined && name !== ".") known.push({ bit, name });
    else if (name === ".") unknown.push({ bit });
    else unknown.push({ bit, hint: `depends on the configuration: ${(tail[bit - names.length] ?? []).join(" or ")}` });
  }
  const checked = new Set(era.checkedAtFree.split(" "));
  const bad = known.filter((k) => checked.has(k.name)).map((k) => k.name);
  return {
    era,
    names: known.map((k) => k.name),
    bits: known,
    unknown,
    place: (flags >> BigInt(limit)) << BigInt(limit),
    badAtFree: bad,
    text: [...known.map((k) => k.name), ...unknown.map((u) => `bit ${u.bit}?`)].join("|"),
  };
}

/** Neighbouring eras that read a flags word the same. */
export interface PageFlagRange extends PageFlagsDecoded {
  readonly since: readonly number[];
  readonly before?: readonly number[];
  /** `2.6.26 to 2.6.29` */
  readonly kernels: string;
}

/** Every era's reading of a flags word, oldest first, neighbours with the same names merged. */
export function pageFlagReadings(flags: bigint): PageFlagRange[] {
  flagsGiven(flags);
  const ranges: PageFlagRange[] = [];
  for (const [i, era] of pageFlagEras.entries()) {
    const decoded = decodePageFlags(flags, era.since);
    const before = pageFlagEras[i + 1]?.since;
    const last = ranges.at(-1);
    const merges = last !== undefined && last.text === decoded.text;
    const since = merges ? last.since : era.since;
    if (merges) ranges.pop();
    const until = before === undefined ? undefined : previousRelease(before);
    const from = since.join(".");
    const kernels = until === undefined ? `${from} and later` : from === until ? from : `${from} to ${until}`;
    ranges.push({ ...decoded, since, ...(before === undefined ? {} : { before }), kernels });
  }
  return ranges;
}

/** The block of `2^order` pages that contains a page, as pfns [first, last]. */
export function blockOf(pfn: number, order: number): readonly [first: number, last: number] {
  const size = 2 ** order;
  const first = pfn - (pfn % size);
  return [first, first + size - 1];
}

/** The largest order (up to `most`) of a compound whose head can have this pfn: a block of 2^order pages starts at a multiple of its size. */
export function largestHeadOrder(pfn: number, most = 10): number {
  let order = 0;
  while (order < most && pfn % 2 ** (order + 1) === 0) order++;
  return order;
}
