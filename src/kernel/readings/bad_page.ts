// `BUG: Bad page state`: a page whose fields contradict that it is free, or about to be. Hex fields are digits as printed, without 0x.
import type { CallTrace, Frame } from "./call_trace.ts";
import type { Part } from "./part.ts";
import { cut, lost, notPrinted, whole } from "./part.ts";
import type { ProcessLine } from "./process_line.ts";

/** What page_owner added (`page last allocated via order 0, migratetype Unmovable, gfp_mask 0xcc0(GFP_KERNEL), pid 44 …`). */
export interface PageOwnerNote {
  /** `page_owner tracks the page as freed` or `allocated`. */
  readonly state?: "freed" | "allocated";
  readonly allocated?: string;
  readonly allocatedBy: readonly Frame[];
  readonly freedBy: readonly Frame[];
  /** `page last free pid 44 tgid 44 stack trace:` (6.6 and later carries the pids). */
  readonly freed?: string;
  /** Lines that say why page_owner knows nothing: `page_owner info is not present (never set?)`. */
  readonly absent?: string;
}

/** The compound head line of 4.x and later: `head:… order:2 entire_mapcount:0 …`. */
export interface CompoundNote {
  readonly head?: string;
  readonly order?: number;
  /** The rest as printed: mapcounts and pincount changed their names several times. */
  readonly text: string;
}

export interface BadPage {
  readonly comm?: string;
  readonly pfn?: number;
  /** struct page's address as printed; newer kernels hash it or print `(____ptrval____)`. */
  readonly page?: string;
  /** page->flags as printed. */
  readonly flags?: string;
  /** The flags stand on the line of the page, as up to 3.x: those kernels print no reason. */
  readonly flagsOnPageLine?: true;
  /** The names behind the flags, `head|tail|zone=1`, where the release prints them. */
  readonly flagNames?: string;
  /** `count` until 4.20, `refcount` from 5.0. */
  readonly refcount?: number;
  readonly mapcount?: number;
  /** As printed: `(null)`, `0000000000000000`, `dead000000000400`. */
  readonly mapping?: string;
  readonly invalidMapping?: string;
  /** `index` with its own prefix, as printed: `3718`, `0x0`. */
  readonly index?: string;
  readonly compound?: CompoundNote;
  /** The words of struct page (`raw:`), eight on 64-bit; word 0 is flags, 1 and 2 lru or page_pool's signature and pointer. */
  readonly raw: readonly string[];
  /** `page dumped because: …`. */
  readonly reason?: string;
  /** `bad because of flags: 0x…(…)`, 3.12 to 5.x. */
  readonly badFlags?: { readonly flags: string; readonly names?: string };
  /** `page->mem_cgroup:`, hex digits as printed. */
  readonly memcg?: string;
  /** `page_type:` of 6.6 and later, as printed. */
  readonly pageType?: string;
  readonly aops?: string;
  readonly owner?: PageOwnerNote;
  readonly modules?: string;
  readonly process?: ProcessLine;
  readonly trace?: CallTrace;
  /** `Disabling lock debugging due to kernel taint` followed: until then this kernel was untainted by anything of that weight. */
  readonly firstTaint?: boolean;
  /** The lines of 2.6.9 to 2.6.28 that ask for a reboot. */
  readonly triesToFix?: boolean;
}

/** Reasons that are not of a damaged record (mm/page_alloc.c page_bad_reason()). */
export const poolLeak = "page_pool leak";
export const hardwareError = "HWPoisoned (hardware-corrupted)";

/** The reason, as far as it is there. */
export function reasonPart(page: BadPage): Part<string> {
  const { reason } = page;
  if (reason === undefined)
    return page.flagsOnPageLine === true
      ? notPrinted("a page line with count behind its flags (mm/page_alloc.c bad_page(), up to 3.x)")
      : lost('the line "page dumped because"');
  return [poolLeak, hardwareError].some((r) => r !== reason && r.startsWith(reason))
    ? cut(reason, 'the end of the line "page dumped because"')
    : whole(reason, "its words are none of the beginnings of another");
}

/**
 * Word `i` of struct page; undefined unless it is known which words the raw lines hold: the first one is the flags, or all of them are there.
 */
export function rawWord(page: BadPage, i: number): string | undefined {
  const [first] = page.raw;
  if (first === undefined) return undefined;
  const value = (hex: string): string => hex.replace(/^0+/, "");
  const fromStart =
    page.flags === undefined ? first.length === 16 && page.raw.length >= 8 : value(page.flags) === value(first);
  return fromStart ? page.raw[i] : undefined;
}
