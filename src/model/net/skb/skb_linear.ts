// The linear part of an skb: where data begins and ends in its head (include/linux/skbuff.h, net/core/skbuff.c, 6.1.192).
//
//      |headroom |  linear data  |      tailroom      |        reserve ->>  push <<- data  tail ->> put  <<- trim
import type { SkbColumns } from "./skb_columns.ts";
import { headField, skbBit, skbField } from "./skb_columns.ts";

const { HEAD, DATA, TAIL, END, LEN, DATA_LEN, BITS } = skbField;
const { DATAREF } = headField;
const { cloned: CLONED, nohdr: NOHDR } = skbBit;
const PAYLOAD_ONLY = (1 << 16) + 1;

export interface SkbLinear {
  /** skb_reserve(): moves data and tail of an empty skb up by `n`. */
  skbReserve: (skb: number, n: number) => void;
  /** skb_put(): `n` more bytes at the tail of a linear skb; the offset of the first, or -1 after skb_over_panic. */
  skbPut: (skb: number, n: number) => number;
  /** skb_push(): `n` more bytes in front; the new data offset, or -1 after skb_under_panic. */
  skbPush: (skb: number, n: number) => number;
  /** skb_pull(): `n` bytes less in front; the new data offset, or -1 (NULL) when the skb is shorter. */
  skbPull: (skb: number, n: number) => number;
  /** skb_trim(): cuts a linear skb to `len` bytes; a shorter one stays. */
  skbTrim: (skb: number, len: number) => void;
  headlen: (skb: number) => number;
  tailroom: (skb: number) => number;
  /** skb_cloned(): others look at the same data. */
  isCloned: (skb: number) => boolean;
  /** skb_header_cloned(): others look at the same header bytes. */
  isHeaderCloned: (skb: number) => boolean;
  /** __skb_header_release(): later clones may use the headroom. */
  headerRelease: (skb: number) => void;
}

/** `bug` and `warn` announce what the kernel would have said. */
export function createSkbLinear(
  columns: SkbColumns,
  bug: (what: string, skb: number, n: number) => void,
  warn: (what: string, a: number, b: number) => void,
): SkbLinear {
  const { S, H } = columns;

  function skbReserve(skb: number, n: number): void {
    S[skb + DATA]! += n;
    S[skb + TAIL]! += n;
  }

  function skbPut(skb: number, n: number): number {
    const tail = S[skb + TAIL]!;
    if (S[skb + DATA_LEN] !== 0 || tail + n > S[skb + END]!) {
      bug(S[skb + DATA_LEN] !== 0 ? "kernel BUG: skb_put on a non-linear skb" : "skb_over_panic", skb, n);
      return -1;
    }
    S[skb + TAIL] = tail + n;
    S[skb + LEN]! += n;
    return tail;
  }

  function skbPush(skb: number, n: number): number {
    const data = S[skb + DATA]! - n;
    if (data < 0) {
      bug("skb_under_panic", skb, n);
      return -1;
    }
    S[skb + DATA] = data;
    S[skb + LEN]! += n;
    return data;
  }

  function skbPull(skb: number, n: number): number {
    const len = S[skb + LEN]!;
    if (n > len) return -1;
    if (len - n < S[skb + DATA_LEN]!) {
      bug("kernel BUG: __skb_pull beyond the linear part", skb, n);
      return -1;
    }
    S[skb + LEN] = len - n;
    S[skb + DATA]! += n;
    return S[skb + DATA]!;
  }

  function skbTrim(skb: number, len: number): void {
    if (S[skb + LEN]! <= len) return;
    if (S[skb + DATA_LEN] !== 0) {
      warn("skb_trim on a non-linear skb", skb, len);
      return;
    }
    S[skb + LEN] = len;
    S[skb + TAIL] = S[skb + DATA]! + len;
  }

  const headlen = (skb: number): number => S[skb + LEN]! - S[skb + DATA_LEN]!;
  const tailroom = (skb: number): number => (S[skb + DATA_LEN] !== 0 ? 0 : S[skb + END]! - S[skb + TAIL]!);
  const isCloned = (skb: number): boolean =>
    (S[skb + BITS]! & CLONED) !== 0 && (H[S[skb + HEAD]! + DATAREF]! & 0xffff) !== 1;
  function isHeaderCloned(skb: number): boolean {
    if ((S[skb + BITS]! & CLONED) === 0) return false;
    const ref = H[S[skb + HEAD]! + DATAREF]!;
    return (ref & 0xffff) - (ref >>> 16) !== 1;
  }
  function headerRelease(skb: number): void {
    S[skb + BITS]! |= NOHDR;
    H[S[skb + HEAD]! + DATAREF] = PAYLOAD_ONLY;
  }

  return {
    skbReserve,
    skbPut,
    skbPush,
    skbPull,
    skbTrim,
    headlen,
    tailroom,
    isCloned,
    isHeaderCloned,
    headerRelease,
  };
}
