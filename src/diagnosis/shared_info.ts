// Bytes that skb_shared_info takes at the end of every packet buffer, from the structs of that release.
import { cacheLineOf } from "../kernel/facts/drivers/rx_path.ts";
import { declaredStructs, sharedInfoAligned } from "../kernel/facts/structs.ts";
import type { Release } from "../kernel/release.ts";
import { askedMemo, factAt } from "../kernel/release.ts";

const known = askedMemo<number>(1000);

/** sizeof(struct skb_shared_info), rounded up to whole cache lines where that release's __alloc_skb does so. */
export const sharedInfoBytes = (release: Release): number =>
  known(`${release.version.join(".")}-${release.arch}`, release.version, (version) => bytesOf({ ...release, version }));

function bytesOf(release: Release): number {
  const bytes = declaredStructs(release).layout("skb_shared_info")?.sizeBytes ?? 320;
  const line = cacheLineOf(release.arch);
  return factAt(sharedInfoAligned, release.version)?.value === true ? Math.ceil(bytes / line) * line : bytes;
}
