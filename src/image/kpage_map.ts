// The running machine without /proc/kcore: /proc/kpageflags, kpagecount and kpagecgroup give a coarser map. What they do not have is said:
// no order and no migrate type of free blocks, no lists, no slab cache, no holder.
import { BadInput } from "../base/bad_input.ts";
import type { RandomBytes } from "./container/random_bytes.ts";
import { kpf } from "./mm/kpageflags.ts";

export interface KpageSources {
  readonly flags: RandomBytes;
  readonly counts: RandomBytes | undefined;
  readonly cgroups: RandomBytes | undefined;
}

export interface KpageMap {
  /** Pages by what their flags say, most first; frames without a page are left out. */
  readonly kinds: readonly { readonly kind: string; readonly pages: number }[];
  readonly frames: number;
  /** Pages that are mapped at least once; undefined without kpagecount. */
  readonly mapped: number | undefined;
  /** Pages charged to control groups, by the inode of the group, most first; undefined without kpagecgroup. */
  readonly cgroups: readonly { readonly inode: number; readonly pages: number }[] | undefined;
  /** What this way of looking cannot show. */
  readonly missing: readonly string[];
}

const chunkFrames = 1 << 15;
const mostFrames = 2 ** 32;

/** First that holds. The names of the image's own map where they mean the same. */
const kindsByFlag: readonly (readonly [string, bigint])[] = [
  ["no struct page", 1n << BigInt(kpf.NOPAGE)],
  ["poisoned by hardware", 1n << BigInt(kpf.HWPOISON)],
  ["free", 1n << BigInt(kpf.BUDDY)],
  ["offline", 1n << BigInt(kpf.OFFLINE)],
  ["slab", 1n << BigInt(kpf.SLAB)],
  ["page table", 1n << BigInt(kpf.PGTABLE)],
  ["huge page (hugetlb)", 1n << BigInt(kpf.HUGE)],
  ["anonymous", 1n << BigInt(kpf.ANON)],
  ["page cache", (1n << BigInt(kpf.LRU)) | (1n << BigInt(kpf.MMAP))],
  ["reserved", 1n << BigInt(kpf.RESERVED)],
  ["compound", (1n << BigInt(kpf.COMPOUND_HEAD)) | (1n << BigInt(kpf.COMPOUND_TAIL))],
];
const unknown = "unknown owner or per-CPU list";

/** Reads all frames once. Throws BadInput when kpageflags gives nothing. */
export function readKpageMap(sources: KpageSources, progress: (frames: number) => void = () => undefined): KpageMap {
  const sums = new Map<string, number>();
  const perGroup = new Map<number, number>();
  let frames = 0;
  let mapped = 0;
  for (let at = 0; at < mostFrames; at += chunkFrames) {
    const flags = words(sources.flags, at);
    if (flags.length === 0) break;
    const counts = sources.counts === undefined ? undefined : words(sources.counts, at);
    const groups = sources.cgroups === undefined ? undefined : words(sources.cgroups, at);
    for (let i = 0; i < flags.length; i++) {
      const word = flags[i] as bigint;
      const kind = kindsByFlag.find(([, mask]) => (word & mask) !== 0n)?.[0] ?? unknown;
      sums.set(kind, (sums.get(kind) ?? 0) + 1);
      if (kind === "no struct page") continue;
      frames++;
      if ((counts?.[i] ?? 0n) > 0n) mapped++;
      const group = Number(groups?.[i] ?? 0n);
      if (group !== 0) perGroup.set(group, (perGroup.get(group) ?? 0) + 1);
    }
    progress(at + flags.length);
    if (flags.length < chunkFrames) break;
  }
  sums.delete("no struct page");
  if (sums.size === 0)
    throw new BadInput("It gives no pages.", { file: sources.flags.name }, "Reading it needs root (CAP_SYS_ADMIN).");
  return {
    kinds: [...sums].map(([kind, pages]) => ({ kind, pages })).sort((a, b) => b.pages - a.pages),
    frames,
    mapped: sources.counts === undefined ? undefined : mapped,
    cgroups:
      sources.cgroups === undefined
        ? undefined
        : [...perGroup].map(([inode, pages]) => ({ inode, pages })).sort((a, b) => b.pages - a.pages),
    missing: [
      "orders and migrate types of free blocks, free lists, per-CPU lists and watermarks",
      "which slab cache or page pool a page belongs to, and who holds it",
      "sockets, packets, and anything about integrity",
    ],
  };
}

/** The 64-bit words of frames from `first` on, at most a chunk. */
function words(source: RandomBytes, first: number): BigUint64Array {
  const bytes = new Uint8Array(chunkFrames * 8);
  const got = source.read(first * 8, bytes);
  return new BigUint64Array(bytes.buffer, 0, Math.floor(got / 8));
}
