// Pages that were freed by themselves although they lie in somebody's block. In a real kernel such a page stands on a list of its own while its
// block stands on another; the allocator's columns hold one place a page, so these few are kept here, at the depth where the lists would have them.
//
//   per-CPU list   head ─▶ h h h [apart] h h ─▶ tail     `above`: freed later and not taken yet · `behind`: drained before it
//   free list      head ─▶ f f [apart] f f               `below`: blocks of one page that lay behind it
//
// free_hot_cold_page(), buffered_rmqueue(), free_pages_bulk(), mm/page_alloc.c, 2.6.29. Not here: that such a page merges with its buddy.

interface Waiting {
  readonly pfn: number;
  above: number;
  behind: number;
}

export interface ApartPages {
  /** On the free list, with the buddy mark. */
  isFree: (pfn: number) => boolean;
  add(pfn: number): void;
  /** The page leaves the free list without being handed out from it. */
  drop(pfn: number): void;
  /** An ordinary page was freed to the per-CPU list. */
  freed(): void;
  /** An ordinary page went from the per-CPU list's tail to the free lists. */
  drain(): void;
  /** Somebody wants one page: the apart page whose turn it is, or -1. */
  take(): number;
}

/** `singles`: free blocks of one page; `hot`: pages on the per-CPU list; `drained` hears of a page that reaches the free list. */
export function createApartPages(
  singles: () => number,
  hot: () => number,
  drained: (pfn: number) => boolean,
): ApartPages {
  let waiting: Waiting[] = [];
  let free: { readonly pfn: number; readonly below: number }[] = [];
  return {
    isFree: (pfn: number): boolean => free.some((f) => f.pfn === pfn),
    add(pfn: number): void {
      for (const w of waiting) w.above++;
      waiting.push({ pfn, above: 0, behind: hot() });
    },
    drop(pfn: number): void {
      if (free.length > 0) free = free.filter((f) => f.pfn !== pfn);
    },
    freed(): void {
      for (const w of waiting) w.above++;
    },
    drain(): void {
      if (waiting.length === 0) return;
      for (const w of waiting) w.behind--;
      const gone = waiting.filter((w) => w.behind < 0);
      if (gone.length === 0) return;
      waiting = waiting.filter((w) => w.behind >= 0);
      for (const { pfn } of gone) if (drained(pfn)) free.push({ pfn, below: singles() });
    },
    take(): number {
      const top = waiting.find((w) => w.above === 0);
      if (top !== undefined) {
        waiting = waiting.filter((w) => w !== top);
        return top.pfn;
      }
      for (const w of waiting) w.above--;
      if (hot() > 0) return -1;
      const next = free.find((f) => singles() <= f.below);
      if (next === undefined) return -1;
      free = free.filter((f) => f !== next);
      return next.pfn;
    },
  };
}
