// Who holds how many references of which page: a page allocator seen through, for the ownership checker (ownership.ts).
// Every view of it belongs to one holder; what a holder takes and gives through its view is written down with the operation at hand.
//
//   pfn 42:  count 3 = skbs 1 + page_frag cache 1 + outside 1
import type { PageAllocator } from "../../mm/pages.ts";

/** Whose references they are. */
export type PageHolder = "skbs" | "cache" | "outside";

export interface PageWatch {
  /** The allocator as seen by one holder. */
  view(holder: PageHolder): PageAllocator;
  /** References of the page's block that the holder has. */
  held(holder: PageHolder, pfn: number): number;
  /** `n` references pass from one holder to another without the allocator's knowing. */
  pass(from: PageHolder, to: PageHolder, pfn: number, n: number): void;
  /** The holder has `n` references more (or less) that are none of the page's count: pieces of a page that a page pool counts itself. */
  credit(holder: PageHolder, pfn: number, n: number): void;
  /** First pfns of all blocks that `holder` has references of. */
  blocksOf(holder: PageHolder): Iterable<number>;
  /** What happened to the page's references, oldest first. */
  history(pfn: number): readonly string[];
}

/** `operation` names what is being done, for the history; `onOverdraft` hears of a holder that gives back more than it has. */
export function watchPages(
  pages: PageAllocator,
  operation: () => string,
  onOverdraft: (holder: PageHolder, pfn: number) => void,
): PageWatch {
  const books: Record<PageHolder, Map<number, number>> = { skbs: new Map(), cache: new Map(), outside: new Map() };
  const stories = new Map<number, string[]>();

  const note = (pfn: number, text: string): void => {
    const story = stories.get(pfn) ?? [];
    stories.set(pfn, story);
    story.push(`${operation()}: ${text}`);
    if (story.length > 24) story.splice(4, 1);
  };
  /** False when the holder has not that many. */
  const book = (holder: PageHolder, head: number, n: number): boolean => {
    const now = (books[holder].get(head) ?? 0) + n;
    note(head, `${holder} ${n > 0 ? "takes" : "gives"} ${Math.abs(n)}, has ${now}`);
    if (now < 0) return false;
    if (now === 0) books[holder].delete(head);
    else books[holder].set(head, now);
    return true;
  };
  /** Block of every page ever seen; a freed page keeps its last one, so that its history is found. */
  const blocks = new Map<number, number>();
  const known = (pfn: number): number => blocks.get(pfn) ?? pfn;

  const view = (holder: PageHolder): PageAllocator => ({
    ...pages,
    allocPages(gfp, order) {
      const pfn = pages.allocPages(gfp, order);
      if (pfn >= 0) {
        stories.delete(pfn);
        for (let i = 0; i < 1 << order; i++) blocks.set(pfn + i, pfn);
        book(holder, pfn, 1);
      }
      return pfn;
    },
    freePages(pfn, order) {
      if (!book(holder, known(pfn), -1)) onOverdraft(holder, pfn);
      else pages.freePages(pfn, order);
    },
    getPage(pfn) {
      book(holder, known(pfn), 1);
      pages.getPage(pfn);
    },
    putPage(pfn) {
      if (!book(holder, known(pfn), -1)) onOverdraft(holder, pfn);
      else pages.putPage(pfn);
    },
    addPageRefs(pfn, n) {
      if (!book(holder, known(pfn), n)) onOverdraft(holder, pfn);
      else pages.addPageRefs(pfn, n);
    },
    allocPagesBulk(gfp, want, into) {
      const got = pages.allocPagesBulk(gfp, want, into);
      for (let i = 0; i < got; i++) {
        blocks.set(into[i]!, into[i]!);
        book(holder, into[i]!, 1);
      }
      return got;
    },
  });

  return {
    view,
    held: (holder, pfn) => books[holder].get(known(pfn)) ?? 0,
    pass(from, to, pfn, n) {
      const head = known(pfn);
      if (!book(from, head, -n)) onOverdraft(from, pfn);
      book(to, head, n);
    },
    credit(holder, pfn, n) {
      if (!book(holder, known(pfn), n)) onOverdraft(holder, pfn);
    },
    blocksOf: (holder) => books[holder].keys(),
    history: (pfn) => stories.get(known(pfn)) ?? [],
  };
}
