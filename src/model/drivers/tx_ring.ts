// A transmit ring: packets in descriptors, the wire behind it, completions that free. Shared by the drivers; how many descriptors a packet
// takes and where the queue stops is theirs to say. A TSO packet leaves as frames of gso_size bytes, cut here as the hardware would.
import type { DriverHost } from "../net/netdevice.ts";
import { netdevTx } from "../net/netdevice.ts";
import { packetField } from "../net/receive.ts";
import { headField, skbField } from "../net/skb_columns.ts";
import { frameField, headerBytes } from "../net/wire.ts";
import type { DriverParts } from "./driver.ts";

/** Simulated cost of queueing a packet in a driver, a plausible figure for one CPU. */
const txPacketNanos = 500;
const { LEN, HEAD } = skbField;
const { GSO_SIZE, NR_FRAGS } = headField;
const { KIND, FLOW, SEQ, TAG, ACK, AUX } = packetField;

export interface TxRingOptions {
  readonly size: number;
  /** Descriptors of a packet; one and its fragments when left out. */
  readonly descriptors?: (skb: number) => number;
  /** The queue stops when fewer descriptors than this are free, and wakes at `wakeRoom`. */
  readonly stopRoom: number;
  readonly wakeRoom: number;
}

export interface TxRing {
  /** ndo_start_xmit(): netdevTx.busy leaves the packet with the caller. */
  xmit(skb: number): number;
  /** Frees what the hardware has sent; with a NAPI budget of 0 outside a poll. Returns how many packets. */
  clean(budget: number): number;
  /** Frees everything; the device goes down. */
  reset(): void;
  /** Packets that the hardware or the driver still has. */
  pending(): number;
  readonly counters: { packets: number; busy: number };
}

export function createTxRing(parts: DriverParts, host: DriverHost, options: TxRingOptions): TxRing {
  const { skbs, clock, cpus, frames } = parts;
  const { S, H } = skbs.columns;
  const { size, stopRoom, wakeRoom } = options;
  const descriptors = options.descriptors ?? ((skb: number): number => 1 + H[S[skb + HEAD]! + NR_FRAGS]!);
  const ring = new Int32Array(size);
  const room = new Int32Array(size);
  let head = 0;
  let packets = 0;
  let used = 0;
  let done = 0;
  const counters = { packets: 0, busy: 0 };
  let epoch = 0;

  const completed = clock.handler((of) => {
    if (of !== epoch) return;
    done++;
    host.raiseInterrupt();
  });

  const sendFrame = (skb: number, payload: number, seq: number): void => {
    const { link } = host.device();
    if (link === undefined) return;
    const frame = frames.take();
    const { W } = frames;
    W[frame + frameField.KIND] = S[skb + KIND]!;
    W[frame + frameField.LEN] = payload > 0 ? payload : 0;
    W[frame + frameField.FLOW] = S[skb + FLOW]!;
    W[frame + frameField.SEQ] = seq;
    W[frame + frameField.TAG] = S[skb + TAG]!;
    W[frame + frameField.ACK] = S[skb + ACK]!;
    W[frame + frameField.AUX] = S[skb + AUX]!;
    link.send(frame);
  };

  const send = (skb: number): void => {
    const all = S[skb + LEN]! - headerBytes[(S[skb + KIND]! & 255) as 0 | 1 | 2];
    const mss = H[S[skb + HEAD]! + GSO_SIZE]!;
    const seq = S[skb + SEQ]!;
    if (mss === 0 || all <= mss) sendFrame(skb, all, seq);
    else for (let at = 0; at < all; at += mss) sendFrame(skb, Math.min(mss, all - at), seq + at);
  };

  const freeOne = (budget: number): void => {
    const at = (head + size - packets) % size;
    const skb = ring[at]!;
    ring[at] = 0;
    packets--;
    used -= room[at]!;
    counters.packets++;
    skbs.napiConsumeSkb(skb, budget);
  };

  return {
    counters,
    xmit(skb) {
      const need = descriptors(skb);
      if (used + need > size) {
        counters.busy++;
        host.stopQueue();
        return netdevTx.busy;
      }
      ring[head] = skb;
      room[head] = need;
      head = (head + 1) % size;
      packets++;
      used += need;
      cpus.spend(txPacketNanos);
      const { link } = host.device();
      send(skb);
      if (link === undefined) {
        done++;
        host.raiseInterrupt();
      } else clock.after(Math.max(0, link.freeAtNanos() - clock.now()), completed, epoch);
      if (size - used < stopRoom) host.stopQueue();
      return netdevTx.ok;
    },
    clean(budget) {
      const cleaned = done;
      while (done > 0) {
        done--;
        freeOne(budget);
      }
      if (cleaned > 0 && host.device().txStopped && size - used >= wakeRoom) host.wakeQueue();
      return cleaned;
    },
    reset() {
      epoch++;
      done = 0;
      while (packets > 0) freeOne(0);
      head = used = 0;
    },
    pending: () => packets,
  };
}
