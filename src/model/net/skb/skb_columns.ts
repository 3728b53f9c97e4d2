// Where skbs live: rows of typed arrays, no objects. A handle is the row's first index, 0 is NULL; so a field is S[skb + LEN].
//
//   S  one row a sk_buff          H  one row a head (the data area)        F  fragsMax slots a head
//   +------+------+-----+---+     +---------+---------+-----------+---+    +-----+--------+------+------------+ x 17
//   | head | data | len | …|---->| dataref | nr_frags| frag_list | … |    | pfn | offset | size | destructor |
//   +------+------+-----+---+     +---------+---------+-----------+---+    +-----+--------+------+------------+
//
// data, tail and end are offsets from the head. Several sk_buffs (clones) point to one head; dataref says how many.
import { assert } from "../../../base/assert.ts";

/** Ints in a row of S; handles of skbs are multiples of it. */
export const skbInts = 32;
/** Ints in a row of H; handles of heads are multiples of it. */
export const headInts = 16;
/** Ints of one fragment. */
export const fragInts = 4;

/** Indices into a fragment of F: F[f] itself is the pfn of its page, bytes are counted from that page's start. */
export const fragField = { OFFSET: 1, SIZE: 2, DESTRUCTOR: 3 } as const;

/** Indices into a row of S. Offsets and lengths are bytes; `mac net trans` are u16 offsets from the head, 65535 is unset. */
export const skbField = {
  HEAD: 0,
  DATA: 1,
  TAIL: 2,
  END: 3,
  LEN: 4,
  DATA_LEN: 5,
  TRUESIZE: 6,
  USERS: 7,
  /** Bits: {@link skbBit}. */
  BITS: 8,
  HDR_LEN: 9,
  MAC: 10,
  NET: 11,
  TRANS: 12,
  MAC_LEN: 13,
  NEXT: 14,
  PREV: 15,
  SK: 16,
  DESTRUCTOR: 17,
  DEV: 18,
  /** The other sk_buff of a fast-clone pair; 0 when not of a pair. */
  PARTNER: 19,
  /** fclone_ref, kept in the pair's first row. */
  FCLONE_REF: 20,
  /** Low two bits: 0 free · 1 alive · 2 reserved (the unused or freed half of a pair); above them the row's tenant number. */
  STATE: 21,
  PROTOCOL: 22,
  QUEUE: 23,
  CSUM_START: 24,
  /** skb->cb: whatever the layer that owns the skb keeps there. */
  CB0: 25,
  CB1: 26,
  CB2: 27,
  CB3: 28,
  CB4: 29,
  MARK: 30,
  HASH: 31,
} as const;

/** Bits of S[skb + BITS]. */
export const skbBit = {
  cloned: 1,
  nohdr: 2,
  headFrag: 4,
  ppRecycle: 8,
  pfmemalloc: 16,
  /** fclone: 0 unavailable, 1 orig, 2 clone. */
  fcloneShift: 5,
  fcloneMask: 3 << 5,
  /** ip_summed: 0 none, 1 unnecessary, 2 complete, 3 partial. */
  summedShift: 7,
  summedMask: 3 << 7,
} as const;

/** Indices into a row of H. */
export const headField = {
  /** Low 16 bits: references; high 16: payload-only references. */
  DATAREF: 0,
  NR_FRAGS: 1,
  /** skb_shared_info.flags (SKBFL_*). */
  FLAGS: 2,
  TX_FLAGS: 3,
  GSO_SIZE: 4,
  GSO_SEGS: 5,
  GSO_TYPE: 6,
  FRAG_LIST: 7,
  /** destructor_arg as the ubuf_info it points to; 0 none. */
  UARG: 8,
  /** pfn of the first byte of a head that is a page fragment. */
  PFN: 9,
  /** Bytes from the head to the end of its object, shared info included. */
  BYTES: 10,
  /** Bumped each time the row is handed out, so that histories can tell tenants apart. */
  TENANT: 12,
} as const;

/** SKBFL_* of include/linux/skbuff.h, 6.1. */
export const sharedFlag = {
  zerocopyEnable: 1,
  sharedFrag: 2,
  pureZerocopy: 4,
  dontOrphan: 8,
  managedFragRefs: 16,
  zerocopyFrag: 3,
  allZerocopy: 31,
} as const;

/** SKB_GSO_* bits that the model tells apart. */
export const gsoType = { tcpv4: 1, dodgy: 2, partial: 1 << 13, fraglist: 1 << 18 } as const;

export interface SkbColumns {
  readonly S: Int32Array;
  readonly H: Int32Array;
  readonly F: Int32Array;
  /** Address of the sk_buff object by row number (handle / skbInts). */
  readonly skbAddress: Float64Array;
  /** Address of the head's first byte by row number (handle / headInts). */
  readonly headAddress: Float64Array;
  readonly fragsMax: number;
  /** Index in F of the head's first fragment. */
  fragBase(head: number): number;
  /** A row of S, not cleared. */
  takeSkb(): number;
  giveSkb(skb: number): void;
  /** A row of H, not cleared. */
  takeHead(): number;
  giveHead(head: number): void;
  /** Rows in use, for leak checks and statistics. */
  skbsLive(): number;
  headsLive(): number;
}

/**
 * Columns for up to `skbsMax` sk_buffs; memory is only touched for rows that were ever used at the same time. With `quarantineRows` a
 * freed row is handed out again only when that many others wait: a stale handle then finds a dead row, not another packet.
 */
export function createSkbColumns(skbsMax: number, fragsMax: number, quarantineRows = 0): SkbColumns {
  const rows = skbsMax + 1;
  const S = new Int32Array(rows * skbInts);
  const H = new Int32Array(rows * headInts);
  const F = new Int32Array(rows * fragsMax * fragInts);
  const skbAddress = new Float64Array(rows);
  const headAddress = new Float64Array(rows);
  const fragRow = fragsMax * fragInts;
  const freeSkbs = new Int32Array(rows);
  const freeHeads = new Int32Array(rows);
  let freeSkbCount = 0;
  let freeHeadCount = 0;
  let freshSkb = 1;
  let freshHead = 1;
  const full = (what: string): string =>
    `all ${skbsMax} ${what} rows are in use: create the skbs with a larger skbsMax, or find who keeps them`;

  // Out of line, so that taking a row stays small enough to be inlined everywhere.
  const newSkbRow = (): number => {
    assert(freshSkb < rows, () => full("sk_buff"));
    return freshSkb++ * skbInts;
  };
  const newHeadRow = (): number => {
    assert(freshHead < rows, () => full("head"));
    return freshHead++ * headInts;
  };

  const columns: SkbColumns = {
    S,
    H,
    F,
    skbAddress,
    headAddress,
    fragsMax,
    fragBase: (head) => (head >> 4) * fragRow,
    takeSkb() {
      return freeSkbCount > 0 ? freeSkbs[--freeSkbCount]! : newSkbRow();
    },
    giveSkb(skb) {
      freeSkbs[freeSkbCount++] = skb;
    },
    takeHead() {
      return freeHeadCount > 0 ? freeHeads[--freeHeadCount]! : newHeadRow();
    },
    giveHead(head) {
      freeHeads[freeHeadCount++] = head;
    },
    skbsLive: () => freshSkb - 1 - freeSkbCount,
    headsLive: () => freshHead - 1 - freeHeadCount,
  };
  if (quarantineRows > 0) {
    const skbs: number[] = [];
    const heads: number[] = [];
    const { takeSkb, takeHead } = columns;
    const oldest = (waiting: number[], fresh: () => number): number =>
      waiting.length > quarantineRows ? (waiting.shift() ?? fresh()) : fresh();
    return {
      ...columns,
      takeSkb: () => oldest(skbs, takeSkb),
      giveSkb: (skb) => void skbs.push(skb),
      takeHead: () => oldest(heads, takeHead),
      giveHead: (head) => void heads.push(head),
      skbsLive: () => columns.skbsLive() - skbs.length,
      headsLive: () => columns.headsLive() - heads.length,
    };
  }
  return columns;
}
