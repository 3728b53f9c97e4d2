// Bytes that skb_shared_info takes at the end of every packet buffer, from the structs of that release.
import { cacheLineOf } from "../kernel/facts/drivers/rx_path.ts";
import { declaredStructs, sharedInfoAligned } from "../kernel/facts/structs.ts";
import type { Release } from "../kernel/release.ts";
import { factAt } from "../kernel/release.ts";

const known = new Map<string, number>();

/** sizeof(struct skb_shared_info), rounded up to whole cache lines where that release's __alloc_skb does so. */
export function sharedInfoBytes(release: Release): number {
  const key = `${release.version.join(".")}-${release.arch}`;
  const found = known.get(key);
  if (found !== undefined) return found;
  const bytes = declaredStructs(release).layout("skb_shared_info")?.sizeBytes ?? 320;
  const line = cacheLineOf(release.arch);
  const whole = factAt(sharedInfoAligned, release.version)?.value === true ? Math.ceil(bytes / line) * line : bytes;
  known.set(key, whole);
  return whole;
}
