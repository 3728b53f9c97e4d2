// The memory of a running machine, page for page: what each entry of /proc/kpageflags (and /proc/kpagecount) says a page is, and which blocks
// a few pages that cannot be moved keep from being free in one piece. Entries are handed in as they are read; nothing here touches a file.
import { kpf, kpfHigh } from "../kernel/facts/kpageflags.ts";

/** What a page is, in the order of the numbers in a map; 0 is no page (a hole, a device). */
export const pageKinds = [
  { name: "no page", movable: true },
  { name: "free", movable: true },
  { name: "anonymous (LRU)", movable: true },
  { name: "file cache (LRU)", movable: true },
  { name: "unevictable or locked (LRU)", movable: true },
  { name: "hugetlb", movable: true },
  { name: "slab", movable: false },
  { name: "page table", movable: false },
  { name: "mapped by a driver", movable: false },
  { name: "pinned candidate", movable: false },
  { name: "kernel, no flag", movable: false },
  { name: "reserved", movable: false },
  { name: "offline or poisoned", movable: false },
] as const;
export type PageKind = (typeof pageKinds)[number]["name"];

const codeOf = Object.fromEntries(pageKinds.map((k, i) => [k.name, i])) as Readonly<Record<PageKind, number>>;
const [noPage, free] = [codeOf["no page"], codeOf["free"]];
const noFlag = codeOf["kernel, no flag"];
const movable = Uint8Array.from(pageKinds, (k) => (k.movable ? 1 : 0));

/** Blocks of pageblock order, by what lies in them. */
export interface BlockCensus {
  readonly order: number;
  /** Blocks with a page in them. */
  readonly all: number;
  readonly free: number;
  /** Free and movable pages only: compaction could make them whole. */
  readonly clear: number;
  /** Pages that cannot be moved, and free or movable ones: `atMost[i]` blocks have no more than `pages` of the first (each counted once). */
  readonly pinned: readonly { readonly pages: number; readonly blocks: number }[];
  /** No page that is free or could be moved. */
  readonly fixed: number;
}

export interface LiveMap {
  /** Page frames, holes included; the first is 0. */
  readonly frames: number;
  /** Frames that one cell of `cells` stands for: a power of 2. */
  readonly framesPerCell: number;
  /** Number in `pageKinds` by cell: of most of its pages. */
  readonly cells: Uint8Array;
  /** Pages by number in `pageKinds`. */
  readonly pages: readonly number[];
  readonly blocks: BlockCensus;
  /** First frames of blocks that few pages pin (at most `fewPages`), and the pinning pages of each; at most `mostListed` blocks. */
  readonly fewPinned: readonly { readonly first: number; readonly pages: readonly number[] }[];
  /** Pages of compound pages on the LRU lists: large folios, of any size. */
  readonly largeFolioPages: number;
  /** False: this kernel flags only the first page of a free block, and the rest stands under "kernel, no flag". */
  readonly tailsOfFreeFlagged: boolean;
  /** /proc/kpagecount was read as well; without it there are no pinned candidates among anonymous pages. */
  readonly counted: boolean;
}

export interface LiveMapTaker {
  /**
   * Entries of the next frames: two 32-bit words each, the lower first, as a little-endian machine reads them; `counts` alike, or undefined where
   * /proc/kpagecount cannot be read.
   */
  add(flags: Uint32Array, counts: Uint32Array | undefined, frames: number): void;
  finish(): LiveMap;
}

/** A block is pinned by few when it could be whole but for this many pages or fewer. */
export const fewPages = 8;
const mostListed = 4096;
const classes = [1, fewPages, 64, Number.POSITIVE_INFINITY];

const bit = (n: number): number => (1 << n) >>> 0;
const lru = bit(kpf.LRU);
const dead = bit(kpf.HWPOISON) | bit(kpf.OFFLINE);
const mapped = bit(kpf.MMAP);
const anonymous = bit(kpf.ANON);
const compound = bit(kpf.COMPOUND_HEAD) | bit(kpf.COMPOUND_TAIL);
const notAlone = compound | bit(kpf.SWAPCACHE);

/**
 * What one page is. `before` is what the page before it was: a tail of a compound page is what its head is where the kernel flags only the head.
 * `count` is how often it is mapped (-1: not read). A slab page of 6.18 shows ANON and KSM too, since its `mapping` holds something else: slab first.
 */
export function kindOfPage(low: number, high: number, count: number, before: number): number {
  if (low & bit(kpf.NOPAGE)) return noPage;
  if (low & dead) return codeOf["offline or poisoned"];
  if (low & bit(kpf.BUDDY)) return free;
  if (low & bit(kpf.SLAB)) return codeOf["slab"];
  if (low & bit(kpf.HUGE)) return codeOf["hugetlb"];
  if (low & bit(kpf.PGTABLE)) return codeOf["page table"];
  if (high & bit(kpfHigh.RESERVED) || low & bit(kpf.ZERO_PAGE)) return codeOf["reserved"];
  // An anonymous page that nobody maps and that is not on its way to the swap is there because somebody holds a reference: a pin, or a page that
  // is just going. Of a large folio single pages may be unmapped while the others keep it.
  if (low & anonymous && count === 0 && !(low & notAlone)) return codeOf["pinned candidate"];
  if (low & lru) {
    if (low & bit(kpf.UNEVICTABLE) || high & bit(kpfHigh.MLOCKED)) return codeOf["unevictable or locked (LRU)"];
    return low & anonymous ? codeOf["anonymous (LRU)"] : codeOf["file cache (LRU)"];
  }
  // Taken off its list for the moment, or not yet on it.
  if (low & anonymous) return codeOf["anonymous (LRU)"];
  if (low & bit(kpf.SWAPBACKED) || low & bit(kpf.UPTODATE)) return codeOf["file cache (LRU)"];
  if (low & mapped || count > 0) return codeOf["mapped by a driver"];
  if (low & bit(kpf.COMPOUND_TAIL) && before === codeOf["slab"]) return before;
  return noFlag;
}

/** A range of page frames, `to` excluded. */
export interface FrameRange {
  readonly from: number;
  readonly to: number;
}

/** The frames of RAM that /proc/iomem names; undefined when it hides its addresses (not root) or names none. */
export function ramOf(iomem: string, pageShift = 12): FrameRange[] | undefined {
  const ranges = [...iomem.matchAll(/^ {0,8}([0-9a-f]{1,16})-([0-9a-f]{1,16}) : System RAM/gm)].map((m) => ({
    from: Math.floor(Number.parseInt(m[1]!, 16) / 2 ** pageShift),
    to: Math.ceil((Number.parseInt(m[2]!, 16) + 1) / 2 ** pageShift),
  }));
  const known = ranges.filter((r) => r.to > r.from + 1);
  return known.length === 0 ? undefined : known.sort((a, b) => a.from - b.from);
}

export interface LiveMapOptions {
  /** All that will be handed in. */
  readonly frames: number;
  /** The kernel's pageblock order (/proc/pagetypeinfo). */
  readonly blockOrder: number;
  /** Frames of RAM in order: an entry without a flag beyond them is a hole whose page frames the kernel made up (a section is filled whole). */
  readonly ram?: readonly FrameRange[] | undefined;
  readonly cellsMax?: number;
}

export function createLiveMap({ frames, blockOrder, ram, cellsMax = 16_000_000 }: LiveMapOptions): LiveMapTaker {
  let perCell = 1;
  while (frames / perCell > cellsMax) perCell *= 2;
  const cells = new Uint8Array(Math.ceil(frames / perCell));
  const pages = new Array<number>(pageKinds.length).fill(0);
  const inCell = new Uint32Array(pageKinds.length);
  const blockSize = 2 ** blockOrder;
  const pinnedBy = classes.map(() => 0);
  const fewPinned: { first: number; pages: number[] }[] = [];
  let [all, freeBlocks, clear, fixed] = [0, 0, 0, 0];
  let at = 0;
  let before = noPage;
  let largeFolioPages = 0;
  let tailsOfFreeFlagged = false;
  let counted = false;
  let range = 0;
  const isRam = (frame: number): boolean => {
    if (ram === undefined) return true;
    while (range < ram.length && frame >= ram[range]!.to) range++;
    return range < ram.length && frame >= ram[range]!.from;
  };
  // The block that is being read.
  let [held, freeHere, stuck] = [0, 0, 0];
  let pins: number[] = [];

  const endBlock = (first: number): void => {
    if (held === 0) return;
    all++;
    if (freeHere === held && held === blockSize) freeBlocks++;
    else if (stuck === 0) clear++;
    else if (stuck === held) fixed++;
    else {
      pinnedBy[classes.findIndex((most) => stuck <= most)]!++;
      if (stuck <= fewPages && fewPinned.length < mostListed) fewPinned.push({ first, pages: pins });
    }
    [held, freeHere, stuck] = [0, 0, 0];
    pins = [];
  };
  const endCell = (cell: number): void => {
    let best = noPage;
    for (let k = 1; k < inCell.length; k++) if (inCell[k]! > (best === noPage ? 0 : inCell[best]!)) best = k;
    cells[cell] = best;
    inCell.fill(0);
  };

  return {
    add(flags, counts, n) {
      counted ||= counts !== undefined && n > 0;
      for (let i = 0; i < n && at < frames; i++, at++) {
        const low = flags[2 * i]!;
        let kind = kindOfPage(low, flags[2 * i + 1]!, counts === undefined ? -1 : counts[2 * i]!, before);
        if (kind === noFlag && !isRam(at)) kind = noPage;
        if (perCell === 1) cells[at] = kind;
        else {
          inCell[kind]!++;
          if ((at + 1) % perCell === 0) endCell((at / perCell) | 0);
        }
        pages[kind]!++;
        // Two free blocks of order 0 that are buddies would have become one: both are flagged only where tails are.
        if (kind === free && before === free && at % 2 === 1) tailsOfFreeFlagged = true;
        if (low & lru && low & compound) largeFolioPages++;
        before = kind;
        if (kind !== noPage) {
          held++;
          if (kind === free) freeHere++;
          else if (movable[kind] === 0) {
            stuck++;
            if (stuck <= fewPages) pins.push(at);
          }
        }
        if ((at + 1) % blockSize === 0) endBlock(at + 1 - blockSize);
      }
    },
    finish() {
      endBlock(at - (at % blockSize));
      if (perCell > 1 && at % perCell !== 0) endCell(Math.floor(at / perCell));
      return {
        frames: at,
        framesPerCell: perCell,
        cells: cells.subarray(0, Math.ceil(at / perCell)),
        pages,
        blocks: {
          order: blockOrder,
          all,
          free: freeBlocks,
          clear,
          pinned: classes.map((most, i) => ({ pages: Math.min(most, blockSize - 1), blocks: pinnedBy[i]! })),
          fixed,
        },
        fewPinned,
        largeFolioPages,
        tailsOfFreeFlagged: tailsOfFreeFlagged || pages[free] === 0,
        counted,
      };
    },
  };
}
