// Bytes that skb_shared_info takes at the end of every packet buffer.

import { cacheLineOf } from "../kernel/facts/drivers/rx_path.ts";
import type { Release } from "../kernel/release.ts";
import { atLeast } from "../kernel/release.ts";

/** sizeof(struct skb_shared_info), rounded up to whole cache lines where __alloc_skb does so (3.2 and later). */
export function sharedInfoBytes(release: Release, _pageSize: number): number {
  const wide = !["i386", "ppc32", "arm", "mips"].includes(release.arch);
  const bytes = wide ? (atLeast(release, [3, 2]) ? 320 : 312) : 336;
  const line = cacheLineOf(release.arch);
  return atLeast(release, [3, 2]) ? Math.ceil(bytes / line) * line : bytes;
}
