// How this kernel marks its pages: which word of struct page says what, asked of BTF. The few facts that are macros, and so in no
// BTF, stand here with the release they were read in.
import type { Kernel } from "../kernel.ts";
import { LayoutUnknown } from "../types.ts";

/** What a page is, as far as its struct page tells by itself. */
export const pageKind = {
  /** No struct page (a hole), or a struct page that the image does not hold. */
  none: 0,
  unseen: 1,
  /** Head of a free block of the buddy allocator. */
  buddy: 2,
  /** Inside a free block. */
  freeTail: 3,
  perCpu: 4,
  slab: 5,
  pagePool: 6,
  lru: 7,
  pageTable: 8,
  reserved: 9,
  compound: 10,
  /** A page type that skblab knows by name only (offline, guard, hugetlb …). */
  typed: 11,
  /** Allocated, and nothing in its struct page says by whom. */
  unknown: 12,
} as const;

export const pageKindNames: readonly string[] = [
  "no struct page",
  "not in the image",
  "free",
  "free",
  "per-CPU list",
  "slab",
  "page_pool",
  "page cache and anonymous",
  "page table",
  "reserved",
  "compound",
  "other type",
  "unknown owner",
];

/** A page type: before 6.11 bits that are cleared, since then the top byte (include/linux/page-flags.h of 6.1 and 6.12). */
export interface PageTypes {
  readonly isTopByte: boolean;
  readonly buddy: number;
  readonly table: number;
  readonly offline: number;
  /** undefined where slab is a page flag. */
  readonly slab: number | undefined;
  readonly hugetlb: number | undefined;
}

/** 32-bit words of struct page, by index. */
export interface PageWords {
  readonly flags: number;
  readonly link: number;
  readonly mapping: number;
  readonly private: number;
  readonly mapcount: number;
  readonly refcount: number;
  readonly compound: number;
  readonly poolMagic: number | undefined;
  readonly slabCache: number;
  /** Byte in the second struct page of a compound page that holds its order. */
  readonly orderByte: number;
  readonly words: number;
}

export interface PageMarks {
  readonly words: PageWords;
  readonly types: PageTypes;
  /** Bit number of a page flag, undefined when this kernel has no such flag. */
  readonly flag: ReadonlyMap<string, number>;
}

/** Throws LayoutUnknown when BTF does not say where a needed word lies. */
export function pageMarksOf(kernel: Kernel): PageMarks {
  const page = kernel.types.struct("page");
  const slab = kernel.types.struct("slab");
  const folio = kernel.types.find("folio");
  const word = (...names: readonly string[]): number => {
    const { off } = page.field(...names);
    if (off % 4 !== 0 || off + 4 > page.sizeBytes) throw new LayoutUnknown(`page.${names[0]} at byte ${off}`);
    return off / 4;
  };
  const order =
    page.find("compound_order")?.off ??
    orderInFolio(folio?.find("_flags_1")?.off ?? folio?.find("_folio_order")?.off, page.sizeBytes);
  if (order === undefined || order >= page.sizeBytes)
    throw new LayoutUnknown("nothing says where a compound page keeps its order");
  if (page.sizeBytes % 8 !== 0 || page.sizeBytes < 32 || page.sizeBytes > 256)
    throw new LayoutUnknown(`struct page has ${page.sizeBytes} bytes`);
  return {
    words: {
      flags: word("flags"),
      link: word("lru"),
      mapping: word("mapping"),
      private: word("private"),
      mapcount: word("_mapcount", "page_type"),
      refcount: word("_refcount"),
      compound: word("compound_head", "compound_info"),
      poolMagic: page.has("pp_magic") ? word("pp_magic") : undefined,
      slabCache: slab.off("slab_cache") / 4,
      orderByte: order,
      words: page.sizeBytes / 4,
    },
    types: pageTypesOf(kernel),
    flag: new Map(
      [...kernel.types.enumerators("pageflags")].map(([name, bit]) => [name.replace(/^PG_/, ""), bit] as const),
    ),
  };
}

const orderInFolio = (off: number | undefined, pageStructBytes: number): number | undefined =>
  off === undefined ? undefined : off - pageStructBytes;

function pageTypesOf(kernel: Kernel): PageTypes {
  const types = kernel.types.enumerators("pagetype");
  const buddy = types.get("PGTY_buddy");
  if (buddy !== undefined)
    return {
      isTopByte: true,
      buddy,
      table: types.get("PGTY_table") ?? -1,
      offline: types.get("PGTY_offline") ?? -1,
      slab: types.get("PGTY_slab"),
      hugetlb: types.get("PGTY_hugetlb"),
    };
  // Macros PG_buddy, PG_offline, PG_table of include/linux/page-flags.h, 5.2 to 6.10; buddy is also in VMCOREINFO as ~value.
  const said = kernel.info.number("PAGE_BUDDY_MAPCOUNT_VALUE");
  return {
    isTopByte: false,
    buddy: said === undefined ? 0x80 : Number(~said & 0xffffffffn),
    offline: 0x100,
    table: 0x200,
    slab: undefined,
    hugetlb: undefined,
  };
}

/** Base of the cleared-bit page types (PAGE_TYPE_BASE, 5.2 to 6.10). */
const typeBase = 0xf0000000 | 0;

/** True when the word that _mapcount and page_type share says that type. */
export function isType(types: PageTypes, word: number, type: number | undefined): boolean {
  if (type === undefined || type < 0) return false;
  return types.isTopByte ? word >>> 24 === type : (word & (typeBase | type)) === typeBase;
}

/** True when the word holds a page type and no count of mappings. */
export const hasType = (types: PageTypes, word: number): boolean =>
  types.isTopByte ? word >>> 24 >= 0xf0 && word >>> 24 < 0xff : (word & typeBase) === typeBase && word < -128;
