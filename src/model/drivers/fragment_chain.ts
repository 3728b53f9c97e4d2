// A packet of more fragments than MAX_SKB_FRAGS: those that find no room hang in further sk_buffs on frag_list.
//
//   head [ frags 0 … 16 ] ── frag_list ──▶ [ frags 0 … 16 ] ── next ──▶ [ … ]        bytes and truesize of all of them count in the head
//
// receive_mergeable() of virtio_net.c, 5.10.223 and 6.1.192 (virtnet_skb_append_frag() in 6.12.117); gve_rx_append_frags() of gve_rx_dqo.c.
import { headField, skbField } from "../net/skb/skb_columns.ts";
import type { Skbs } from "../net/skb/skbs.ts";

const { HEAD, LEN, DATA_LEN, TRUESIZE } = skbField;

export interface FragmentChain {
  /** The sk_buff that the next fragment goes to, with room for it; 0 without memory for one more. Fragments it has are `count()`. */
  room(): number;
  /** Fragments of that one. */
  count(): number;
  /** `bytes` were added to the one that room() gave, for which `truesize` is charged: counted in the head too. */
  added(bytes: number, truesize: number): void;
}

/** `further` makes one more sk_buff, empty; `charged`: its own truesize counts in the head as well. */
export function fragmentChain(skbs: Skbs, head: number, further: () => number, charged: boolean): FragmentChain {
  const { S, H, fragsMax } = skbs.columns;
  let tail = head;
  const count = (): number => H[S[tail + HEAD]! + headField.NR_FRAGS]!;
  return {
    count,
    room() {
      if (count() < fragsMax) return tail;
      const more = further();
      if (more === 0) return 0;
      skbs.fragListAppend(head, more);
      if (!charged) S[head + TRUESIZE] = S[head + TRUESIZE]! - S[more + TRUESIZE]!;
      tail = more;
      return tail;
    },
    added(bytes, truesize) {
      if (tail === head) return;
      S[head + LEN] = S[head + LEN]! + bytes;
      S[head + DATA_LEN] = S[head + DATA_LEN]! + bytes;
      S[head + TRUESIZE] = S[head + TRUESIZE]! + truesize;
    },
  };
}
