// Which page frames a page_owner dump lists: where memory that is in use lies, page for page. Free pages, and those that were handed out before
// page_owner started, are not listed.

export interface OwnedPages {
  /** The page frame that `runs` begins with, a multiple of a pageblock. */
  readonly firstPfn: number;
  /**
   * Runs of pages, `12U40.3M`: so many pages in use of a type (U unmovable, M movable, E reclaimable), or not listed (.). Null where the dump lists
   * no types, or pages over more than `ownedPagesMost`.
   */
  readonly runs: string | null;
  /** The letter of each pageblock's own type from `firstPfn`, `.` where no page of it is listed; pageblocks of 512 pages. */
  readonly blocks: string;
  readonly listed: number;
}

/** 512 MB: a machine that is run from the places of its pages is built many times. */
export const ownedPagesMost = 131_072;
export const ownedBlockPages = 512;
