// SLUB's debugging report: `BUG skbuff_head_cache (Tainted: …): Poison overwritten`, with who allocated and who freed the object.
import type { CallTrace, Frame } from "./call_trace.ts";
import type { Part } from "./part.ts";
import { cut, lost, whole } from "./part.ts";
import type { ProcessLine } from "./process_line.ts";

/** `Allocated in __alloc_skb+0x123/0x160 age=134 cpu=0 pid=48` and the stack below it. Age in jiffies. */
export interface ObjectTrack {
  readonly function: string;
  readonly offset?: number;
  readonly size?: number;
  readonly age?: number;
  readonly cpu?: number;
  readonly pid?: number;
  readonly frames: readonly Frame[];
}

export interface SlabCorruption {
  readonly cache: string;
  readonly taint?: string;
  /** `Poison overwritten`, `Right Redzone overwritten`, `Object already free`, … */
  readonly problem: string;
  /** The first wrong byte and what should have stood there. */
  readonly overwritten?: {
    readonly from: string;
    readonly to: string;
    readonly offset?: number;
    readonly found: number;
    readonly expected: number;
  };
  readonly allocated?: ObjectTrack;
  readonly freed?: ObjectTrack;
  /** `Slab 0xffffea… objects=21 used=12 fp=0x… flags=0x…(…)`. */
  readonly slab?: {
    readonly address: string;
    readonly objects: number;
    readonly used: number;
    readonly fp: string;
    readonly flags: string;
    readonly flagNames?: string;
  };
  readonly object?: { readonly address: string; readonly offset: number; readonly fp: string };
  /** The hexdump around the object, as printed; `Redzone`, `Object`, `Padding` by address. */
  readonly dump: readonly { readonly area: string; readonly address: string; readonly bytes: readonly number[] }[];
  readonly process?: ProcessLine;
  readonly trace?: CallTrace;
  /** What SLUB did about it: `FIX skbuff_head_cache: Marking all objects used`. */
  readonly fixes: readonly string[];
}

const address = (text: string | undefined): bigint | undefined =>
  text !== undefined && /^(?:0x)?[0-9a-f]{1,16}$/i.test(text) ? BigInt(`0x${text.replace(/^0x/i, "")}`) : undefined;

/** Addresses of the first and of the last byte that is not what it should be; undefined where the report has none. */
export function changedBytes({
  overwritten,
}: SlabCorruption): { readonly from: bigint; readonly to: bigint } | undefined {
  const [from, to] = [address(overwritten?.from), address(overwritten?.to)];
  return from === undefined || to === undefined || to < from ? undefined : { from, to };
}

/** The bytes of the guard zones: whole where the rows of the dump hold each of those that changed. */
export function redzonePart(s: SlabCorruption): Part<readonly number[]> {
  const rows = s.dump.filter((d) => /redzone/i.test(d.area));
  const bytes = rows.flatMap((d) => d.bytes);
  if (bytes.length === 0) return lost("the dump of the guard zone");
  const changed = changedBytes(s);
  if (changed === undefined) return cut(bytes, "the addresses of the bytes that changed");
  let at = changed.from;
  for (;;) {
    const row = rows.find((d) => {
      const begin = address(d.address);
      return begin !== undefined && begin <= at && at < begin + BigInt(d.bytes.length);
    });
    if (row === undefined) return cut(bytes, "rows of the dump of the guard zone");
    at = (address(row.address) as bigint) + BigInt(row.bytes.length);
    if (at > changed.to) return whole(bytes, "its rows hold every byte that changed");
  }
}
