// Receive side coalescing in the card: segments of one TCP flow that follow each other become one frame of up to 64 KiB before any memory of the
// driver is used for them (`ethtool -K lro on`). gve in the DQO format: NETIF_F_LRO, gve_rx_complete_rsc() of gve_rx_dqo.c, 6.1.192 to 7.3.4.
//
//   segment ─▶ held ── the next one follows ─▶ longer ── 64 KiB, a gap, a short segment, or 50 µs ─▶ one frame

import { frameField, frameKind, headerBytes } from "../../net/path/wire.ts";
import { headField, skbField } from "../../net/skb/skb_columns.ts";
import type { DriverParts } from "../driver.ts";

/** What an IPv4 packet is long at most, without the Ethernet header. */
const packetMost = 65_535;
/** How long the card waits for the next segment, a round figure. */
const waitNanos = 50_000;

export interface Rsc {
  /** The card owns the frame; `deliver` gets it later, alone or with others. */
  arrived(frame: number): void;
  /** What a packet made of a frame says to TCP: the segments' size, when it has several. */
  describe(skb: number, frame: number): void;
  /** Nothing more comes: what is held goes back to the wire's rows. */
  reset(): void;
}

export function createRsc(parts: DriverParts, deliver: (frame: number) => void): Rsc {
  const { frames, clock } = parts;
  const { LEN, FLOW, SEQ, KIND, ACK, AUX } = frameField;
  /** By flow: the frame that is held, its segments' size. */
  const held = new Map<number, { readonly frame: number; readonly mss: number; segments: number }>();
  /** Segment sizes of frames that were made of several, until their packet is made. */
  const merged = new Map<number, number>();
  const release = (flow: number): void => {
    const one = held.get(flow);
    if (one === undefined) return;
    held.delete(flow);
    if (one.segments > 1) merged.set(one.frame, one.mss);
    deliver(one.frame);
    // Lost for lack of a buffer: the row may stand for another frame by now.
    if (frames.W[one.frame + frameField.STATE] === 0) merged.delete(one.frame);
  };
  const timer = clock.handler((frame) => {
    for (const [flow, one] of held) if (one.frame === frame) release(flow);
  });
  return {
    arrived(frame) {
      const { W } = frames;
      const flow = W[frame + FLOW]!;
      const bytes = W[frame + LEN]!;
      const one = held.get(flow);
      if (one !== undefined) {
        const to = one.frame;
        const follows =
          W[to + SEQ]! + W[to + LEN]! === W[frame + SEQ] &&
          W[to + KIND] === W[frame + KIND] &&
          W[to + ACK] === W[frame + ACK] &&
          bytes <= one.mss &&
          W[to + LEN]! + bytes + headerBytes[frameKind.tcp] - headerBytes[frameKind.raw] <= packetMost;
        if (follows && bytes > 0) {
          W[to + LEN] = W[to + LEN]! + bytes;
          W[to + AUX] = W[frame + AUX]!;
          one.segments++;
          frames.give(frame);
          if (bytes < one.mss) release(flow);
          return;
        }
        release(flow);
      }
      if ((W[frame + KIND]! & 255) !== frameKind.tcp || bytes === 0) {
        deliver(frame);
        return;
      }
      held.set(flow, { frame, mss: bytes, segments: 1 });
      clock.after(waitNanos, timer, frame);
    },
    describe(skb, frame) {
      const mss = merged.get(frame);
      if (mss === undefined) return;
      merged.delete(frame);
      const { S, H } = parts.skbs.columns;
      const head = S[skb + skbField.HEAD]!;
      H[head + headField.GSO_SIZE] = mss;
      H[head + headField.GSO_TYPE] = 1;
    },
    reset() {
      for (const { frame } of held.values()) frames.give(frame);
      held.clear();
      merged.clear();
    },
  };
}
