// Which line begins a report, and of which kind. A cheap test comes first: nearly every line of a log begins nothing.
import type { IncidentKind } from "../../../kernel/readings/incident.ts";

/** Words of which every headline has one; the lines without them cost one scan. */
const hint =
  /allocation|nable to |oom-killer|emory: |Bad page|skb_|skput|BUG|bug detected|stalled pool|protection fault|Oops|nternal error|WARNING|suppressed|panic|error: |skbuff|may have been|out of |not freed|lab corruption|divide|opcode/;

/** The kind of report that a text begins, or undefined. */
export function headlineKind(text: string): IncidentKind | undefined {
  if (!hint.test(text)) return undefined;
  if (text.includes("page allocation failure") || text.includes("page allocation stalls for")) return "alloc_failure";
  if (/__alloc_pages: \d+-order allocation failed/.test(text)) return "alloc_failure";
  if (/vmalloc: allocation failure|vmalloc error: size|vmap allocation for size \d+ failed/.test(text))
    return "alloc_failure";
  if (/SL[AU]B: Unable to allocate memory on/.test(text)) return "slab_failure";
  if (text.includes("invoked oom-killer") || /^oom-killer: gfp_mask=/.test(text)) return "oom";
  if (
    /(?:^|: )(?:Memory cgroup o|O)ut of [Mm]emory(?: \(oom_kill_allocating_task\))?: Kill(?:ed)? process \d+/.test(text)
  )
    return "oom";
  if (/Bad page state(?:: \d+ messages suppressed)/.test(text)) return "suppressed";
  if (text.includes("Bad page state")) return "bad_page";
  if (/skb_(?:over|under)_panic: ?text:/.test(text) || /skput:(?:over|under)/.test(text)) return "skb_panic";
  if (/page_pool_release_retry\(\)/.test(text) && text.includes("stalled pool shutdown")) return "page_pool_stall";
  if (/^BUG [\w:.()-]+ ?(?:\((?:Not tainted|Tainted: [^)]*)\))?: \S/.test(text)) return "slab_corruption";
  if (/callbacks suppressed$|messages suppressed\.?$/.test(text.trimEnd())) return "suppressed";
  if (isOopsHeadline(text)) return "oops";
  if (isDriverLine(text)) return "driver_line";
  return undefined;
}

const oopsLine =
  /^(?:Unable to handle kernel |BUG: [Uu]nable to handle |BUG: kernel NULL pointer|general protection fault|kernel BUG at |Kernel BUG at |Kernel bug detected|Oops: |Internal error: |WARNING: (?:at |CPU: )|divide error: |invalid opcode: |Kernel panic - not syncing|stack segment: |double fault: |BUG: soft lockup|Badness at )/;

/** A fault, an assertion or a panic. */
export const isOopsHeadline = (text: string): boolean => oopsLine.test(text);

const driverLine =
  /skbuff alloc of size \d+ failed|kevent \d+ may have been dropped|falling back to vmalloc|failed to unshare skbuff|llocation of RX skb failed|[Uu]nable to allocate (?:rx |tx |new )?(?:skb|skbuff)|[Ff]ailed to allocate (?:rx |tx |new )?(?:skb|skbuff|RX buffer)|[Mm]emory squeeze|ut of socket memory|[Cc]an(?:'t|not) alloc(?:ate)? (?:rx )?skb|no memory for (?:rx )?(?:skb|buffer)/;

/** One-line complaints of drivers and protocols. */
const isDriverLine = (text: string): boolean => driverLine.test(text);
