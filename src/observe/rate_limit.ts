// Holds back messages as the kernel does (kernel/facts/rate_limits.ts).
import type { RateLimit } from "../kernel/facts/rate_limits.ts";

export interface RateLimiter {
  /** True when a message may be printed now; `missed` then says how many were kept back before it. */
  allows(nanos: number): boolean;
  missed(): number;
}

/** No limit lets everything through. */
export function createRateLimiter(limit: RateLimit | "none" | undefined): RateLimiter {
  if (limit === undefined || limit === "none") return { allows: () => true, missed: () => 0 };
  return limit.kind === "tokens" ? tokens(limit) : window(limit);
}

/** Time is money: a bucket of `burst` intervals. */
function tokens({ seconds, burst }: RateLimit): RateLimiter {
  const cost = seconds * 1e9;
  let saved = cost * burst;
  let last = 0;
  let kept = 0;
  let missed = 0;
  return {
    allows(nanos) {
      saved = Math.min(cost * burst, saved + nanos - last);
      last = nanos;
      if (saved < cost) {
        kept++;
        return false;
      }
      saved -= cost;
      missed = kept;
      kept = 0;
      return true;
    },
    missed: () => missed,
  };
}

function window({ seconds, burst }: RateLimit): RateLimiter {
  let begin = -1;
  let printed = 0;
  let kept = 0;
  let missed = 0;
  return {
    allows(nanos) {
      missed = 0;
      if (begin < 0) begin = nanos;
      if (nanos - begin > seconds * 1e9) {
        missed = kept;
        begin = nanos;
        printed = 0;
        kept = 0;
      }
      if (printed < burst) {
        printed++;
        return true;
      }
      kept++;
      return false;
    },
    missed: () => missed,
  };
}
