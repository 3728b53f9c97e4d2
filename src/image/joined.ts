// What the log says about a page or a packet, joined with what the memory shows of it: whose the page is now, where the packet hangs.
import type { Image } from "./image.ts";
import { pfnOfAddress } from "./kernel.ts";
import { pageKind, pageKindNames } from "./mm/page_kinds.ts";
import { ownerNames } from "./mm/pins.ts";
import type { Skb } from "./net/skbs.ts";

export interface Joined {
  /** The line, as it stands in the log. */
  readonly line: string;
  /** `pfn 4711`, or a register or member with its value: `RDI ffff…`. */
  readonly subject: string;
  readonly pfn: number;
  /** What it is in the image, and whose. */
  readonly now: string;
}

const mostJoined = 50;
/** `BUG: Bad page state in process X  pfn:1f2e3`, `page:… refcount:0 mapcount:0 … pfn:0x1f2e3` (mm/page_alloc.c, mm/debug.c of 2.6.29 to 7.2). */
const frameInLine =
  /(?:Bad page (?:state|map|cache) in process|^page: ?(?:\S{1,20} )?refcount:).{0,200}?\bpfn:(?:0x)?([0-9a-f]{1,12})\b/;
/** Registers of an oops (`RDI: ffff…`, arch/x86/kernel/process_64.c) and the pointers of skb_panic() (`head:ffff… data:ffff…`, net/core/skbuff.c). */
const addressInLine = /\b(R[A-Z0-9]{2}|head|data): ?(?:0x)?([0-9a-f]{16})\b/g;

/** Pages and packets that the log names; each once, at its first line. */
export function joinLog(image: Image): readonly Joined[] {
  const out: Joined[] = [];
  const seen = new Set<string>();
  const nameOf = ownerNames(image);
  const packets = new Packets(image);
  const add = (line: string, subject: string, pfn: number, now: string | undefined): void => {
    const key = subject.slice(subject.indexOf(" "));
    if (now === undefined || out.length >= mostJoined || seen.has(key)) return;
    seen.add(key);
    out.push({ line: line.slice(0, 300), subject, pfn, now });
  };
  for (const record of image.log.records)
    for (const line of record.text.slice(0, 4000).split("\n")) {
      const frame = frameInLine.exec(line);
      if (frame !== null) {
        const pfn = Number.parseInt(frame[1] as string, 16);
        add(line, `pfn ${pfn}`, pfn, pageNow(image, pfn, nameOf));
      }
      for (const [, name, text] of line.matchAll(addressInLine)) {
        const address = BigInt(`0x${text}`);
        const pfn = pfnOfAddress(image.kernel, address);
        if (pfn !== undefined && pfn < image.map.endPfn) add(line, `${name} ${text}`, pfn, packets.at(address, pfn));
      }
    }
  return out;
}

function pageNow(image: Image, pfn: number, nameOf: (pfn: number) => string): string {
  const kind = image.map.kind[pfn];
  if (kind === undefined || kind === pageKind.none) return "a frame without a struct page";
  if (kind === pageKind.unseen) return "its struct page is not in the image";
  if (kind === pageKind.perCpu) return "now on a per-CPU list";
  if (kind === pageKind.buddy || kind === pageKind.freeTail) return "now free";
  return `now ${pageKindNames[kind]}: ${nameOf(pfn)}`;
}

/** sk_buffs by their address and by their data. */
class Packets {
  private readonly image: Image;
  private readonly bySkb: ReadonlyMap<bigint, Skb>;
  private readonly unused: ReadonlySet<bigint>;
  private readonly slabs: ReadonlySet<number>;
  private readonly stride: bigint;

  constructor(image: Image) {
    const { net, kernel } = image;
    this.image = image;
    this.bySkb = new Map(net.holders.live.map((s) => [s.address, s]));
    this.unused = new Set(net.skbs.unused.map((u) => u.address));
    const names = image.caches.filter((c) => c.address === image.fcloneCache || /^skbuff_(head_)?cache$/.test(c.name));
    this.slabs = new Set(names.flatMap((c) => c.slabs));
    this.stride = BigInt(kernel.types.find("sk_buff")?.sizeBytes ?? 0);
  }

  /** What an address is, when it has to do with a packet; undefined for anything else. */
  at(address: bigint, pfn: number): string | undefined {
    const own = this.bySkb.get(address);
    if (own !== undefined) return `a live sk_buff of ${own.len} bytes, ${this.place(own)}`;
    if (this.unused.has(address)) return "an sk_buff that is free for the network, and not for its slab";
    for (const { skb, as } of this.image.net.holders.skbsIn(pfn)) {
      const end = skb.head + BigInt(skb.end) + 4096n;
      if (as === "frag" || (address >= skb.head && address < end))
        return `${as === "frag" ? "in a page with a fragment" : "in the data"} of sk_buff ${skb.address.toString(16)}, ${this.place(skb)}`;
    }
    const base = this.image.kernel.pageOffset + (BigInt(pfn) << 12n);
    if (this.slabs.has(pfn) && this.stride > 0n && (address - base) % 64n === 0n)
      return "in a slab of sk_buffs, but not a live sk_buff: it was freed, or belongs to another";
    return undefined;
  }

  private place(skb: Skb): string {
    const [place] = this.image.net.holders.placesOf(skb.address);
    return place === undefined ? "which is on no known queue" : `which is in ${place.text}`;
  }
}
