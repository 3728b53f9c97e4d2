// From the driver up: netif_receive_skb() hands a packet to the protocol that its kind names; nobody there means it is freed as a drop.
// Packets carry what the frame said in skb->cb: flow, position, content tag, acknowledgement and window.
import { eventKind } from "../../../kernel/events.ts";
import type { Journal } from "../../journal.ts";
import { dropReason } from "../skb/drop_reason.ts";
import { skbBit, skbField } from "../skb/skb_columns.ts";
import type { Skbs } from "../skb/skbs.ts";
import type { Frames } from "./wire.ts";
import { frameField } from "./wire.ts";

/** Where a packet keeps what its frame said, while the network layers own it. */
export const packetField = {
  FLOW: skbField.CB0,
  SEQ: skbField.CB1,
  TAG: skbField.CB2,
  ACK: skbField.CB3,
  AUX: skbField.CB4,
  KIND: skbField.PROTOCOL,
} as const;

export interface Receive {
  /** Copies what a frame says into a packet's control block. */
  describe(skb: number, frame: number): void;
  /** netif_receive_skb(): the stack owns the packet from here. */
  netifReceive(skb: number): void;
  /** dev_add_pack(): who takes packets of a kind (frameKind, low eight bits); it owns them. */
  protocol(kind: number, take: (skb: number) => void): void;
  /** Packets that no protocol wanted. */
  unwanted(): number;
  /** Packets in memory of the emergency reserve, which no socket here may have (PFMemallocDrop). */
  reserveDrops(): number;
}

export function createReceive(skbs: Skbs, frames: Frames, journal: Journal): Receive {
  const protocols: (((skb: number) => void) | undefined)[] = [];
  const { S } = skbs.columns;
  const { FLOW, SEQ, TAG, ACK, AUX, KIND } = packetField;
  const LEN = skbField.LEN;
  const kind = eventKind.netif_receive_skb;
  let unwanted = 0;
  let reserveDrops = 0;
  const refuses = skbs.config.reserveRefused;
  return {
    describe(skb, frame) {
      const { W } = frames;
      S[skb + FLOW] = W[frame + frameField.FLOW]!;
      S[skb + SEQ] = W[frame + frameField.SEQ]!;
      S[skb + TAG] = W[frame + frameField.TAG]!;
      S[skb + ACK] = W[frame + frameField.ACK]!;
      S[skb + AUX] = W[frame + frameField.AUX]!;
      S[skb + KIND] = W[frame + frameField.KIND]!;
    },
    netifReceive(skb) {
      if (journal.heard) journal.emit(kind, skb, S[skb + LEN]!, journal.device);
      // sk_filter_trim_cap(): only a socket that helps to free memory (swap over the network) may have the reserve's.
      if (refuses && (S[skb + skbField.BITS]! & skbBit.pfmemalloc) !== 0) {
        reserveDrops++;
        skbs.kfreeSkb(skb, dropReason.socketFilter);
        return;
      }
      const take = protocols[S[skb + KIND]! & 255];
      if (take === undefined) {
        unwanted++;
        skbs.kfreeSkb(skb, dropReason.noSocket);
      } else take(skb);
    },
    protocol(of, take) {
      protocols[of] = take;
    },
    unwanted: () => unwanted,
    reserveDrops: () => reserveDrops,
  };
}
