// What the log says about a page, joined with what the memory shows of it: whose it is now.
import type { Image } from "./image.ts";
import { pageKind, pageKindNames } from "./mm/page_kinds.ts";
import { ownerNames } from "./mm/pins.ts";

export interface JoinedPage {
  /** The line, as it stands in the log. */
  readonly line: string;
  readonly pfn: number;
  /** What the frame is in the image, and whose. */
  readonly now: string;
}

const mostJoined = 50;
/** `BUG: Bad page state in process X  pfn:1f2e3`, `page:… refcount:0 mapcount:0 … pfn:0x1f2e3` (mm/page_alloc.c, mm/debug.c of 2.6.29 to 7.2). */
const frameInLine =
  /(?:Bad page (?:state|map|cache) in process|^page: ?(?:\S{1,20} )?refcount:).{0,200}?\bpfn:(?:0x)?([0-9a-f]{1,12})\b/;

/** Pages that the log complains about. */
export function joinPages(image: Image): readonly JoinedPage[] {
  const out: JoinedPage[] = [];
  const nameOf = ownerNames(image);
  for (const record of image.log.records)
    for (const line of record.text.slice(0, 4000).split("\n")) {
      const found = frameInLine.exec(line);
      if (found === null || out.length >= mostJoined) continue;
      const pfn = Number.parseInt(found[1] as string, 16);
      const kind = image.map.kind[pfn];
      const now =
        kind === undefined || kind === pageKind.none
          ? "a frame without a struct page"
          : kind === pageKind.unseen
            ? "its struct page is not in the image"
            : kind === pageKind.buddy || kind === pageKind.freeTail || kind === pageKind.perCpu
              ? `now ${kind === pageKind.perCpu ? "on a per-CPU list" : "free"}`
              : `now ${pageKindNames[kind]}: ${nameOf(pfn)}`;
      out.push({ line: line.slice(0, 300), pfn, now });
    }
  return out;
}
