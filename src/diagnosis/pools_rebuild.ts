// Asks the model: a pool destroyed with so many pages out, given back as the log shows it; what does the kernel say, and when?
import { createJournal } from "../model/journal.ts";
import { createNaivePages } from "../model/mm/pages.ts";
import { createPagePools, defaultPoolParams } from "../model/net/pool/page_pool.ts";
import { poolContext, softirqState } from "../model/net/pool/pool_context.ts";

/** One warning of the log: pages in flight, seconds since the destroy. */
export interface StallWarning {
  readonly inflight: number;
  readonly seconds: number;
}

export interface StallReplay {
  /** Warnings of the model until the last one of the log. */
  readonly warnings: readonly StallWarning[];
  /** Seconds after the last page was given back, right behind the last warning, until the pool was gone. */
  readonly endsAfter: number;
}

const PAGES_MAX = 1 << 16;
/** A slow allocation takes so many at once. */
const pages = PAGES_MAX + 64;

/** Replays a stall; undefined when the numbers are none that a pool can have. */
export function replayStall(log: readonly StallWarning[]): StallReplay | undefined {
  const [first] = log;
  if (first === undefined) return undefined;
  const last = log.at(-1) ?? first;
  if (first.inflight < 1 || first.inflight > PAGES_MAX || last.seconds < 60 || last.seconds > 1e6) return undefined;
  const journal = createJournal();
  const warnings: StallWarning[] = [];
  journal.listen((_kind, _nanos, _cpu, text, inflight, seconds) => {
    if (journal.text(text).includes("stalled pool shutdown")) warnings.push({ inflight, seconds });
  }, "warning");
  const pools = createPagePools({
    pages: createNaivePages(pages),
    journal,
    context: poolContext(softirqState.running),
    pfnMax: pages,
    poolsMax: 1,
  });
  const pool = pools.create(defaultPoolParams);
  const out = Array.from({ length: first.inflight }, () => pools.allocPages(pool, 0));
  pools.destroy(pool);
  let at = 0;
  for (const warning of log) {
    // Given back just before the warning that no longer counts them.
    advance(warning.seconds - 1);
    while (out.length > Math.max(0, warning.inflight)) pools.putFullPage(pool, out.pop() as number, false);
    advance(warning.seconds);
  }
  for (const pfn of out) pools.putFullPage(pool, pfn, false);
  const given = at;
  while (pools.isLive(pool) && at < given + 10) advance(at + 1);
  return { warnings, endsAfter: at - given };

  function advance(seconds: number): void {
    for (; at < seconds; at++) {
      journal.nanos = (at + 1) * 1e9;
      pools.runDelayed(journal.nanos);
    }
  }
}
