// A transmit ring: packets in descriptors, the wire behind it, completions that free. Shared by the drivers; how many descriptors a packet
// takes and where the queue stops is theirs to say. A TSO packet leaves as frames of gso_size bytes, cut here as the hardware would.
//
// A packet's pointer stands in the slot of its last descriptor, so that it is not freed too early; the slots before it are NULL. Completions
// free what the slots say: whoever writes into a slot has it freed (struck() below, the accident of a board whose hardware writes astray).
//   slots   [ 0 ][ 0 ][ A ][ 0 ][ 0 ][ B ][ . ][ . ]      ready: the hardware has not sent it yet
//     acked ─^                             ^─ head
import { wholeGiven } from "../../base/bad_input.ts";
import { eventKind } from "../../kernel/events.ts";
import type { DriverHost, TxSlots } from "../net/path/netdevice.ts";
import { netdevTx } from "../net/path/netdevice.ts";
import { packetField } from "../net/path/receive.ts";
import { frameField, headerBytes } from "../net/path/wire.ts";
import { headField, skbField } from "../net/skb/skb_columns.ts";
import type { DriverParts } from "./driver.ts";
import { ringMost } from "./rx_ring.ts";

/** Simulated cost of queueing a packet in a driver, a plausible figure for one CPU. */
const txPacketNanos = 500;
/** Where lowmem begins in a 32-bit kernel's addresses, and where users lies in an sk_buff of 2.6.29 on ppc32 (both as in seed 000's oops). */
const pageOffset = 0xc0000000;
const usersOffset = 0x9c;
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
  /** How a sent packet is freed; napi_consume_skb() when left out. */
  readonly free?: (skb: number, budget: number) => void;
  /** Called while a packet is half in the ring: another CPU's poll where nothing locks the two. */
  readonly unlocked?: () => void;
  /** The function that frees sent packets, for what the kernel says when it faults there. */
  readonly cleaner?: string;
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
  /** The slots as memory. */
  readonly slots: TxSlots;
  readonly counters: { packets: number; busy: number };
}

/** BadInput for a size, or room, that no ring has. */
export function createTxRing(parts: DriverParts, host: DriverHost, options: TxRingOptions): TxRing {
  const { skbs, clock, cpus, frames, journal } = parts;
  const { S, H, skbAddress } = skbs.columns;
  const { size, stopRoom, wakeRoom, unlocked } = options;
  wholeGiven("The size of a transmit ring", size, 2, ringMost);
  wholeGiven("stopRoom of a transmit ring", stopRoom, 0, size);
  wholeGiven("wakeRoom of a transmit ring", wakeRoom, 0, size);
  const free = options.free ?? ((skb: number, budget: number): void => skbs.napiConsumeSkb(skb, budget));
  const descriptors = options.descriptors ?? ((skb: number): number => 1 + H[S[skb + HEAD]! + NR_FRAGS]!);
  /** tx_skb[]: the packet, or 0. */
  const slots = new Int32Array(size);
  /** What a stray write left in a slot: the word that stands there now. */
  const struck = new Map<number, number>();
  const ready = new Uint8Array(size);
  /** Descriptors of the packet that begins in a slot. */
  const room = new Int32Array(size);
  let head = 0;
  let acked = 0;
  /** Where the hardware sends next. */
  let hardware = 0;
  let packets = 0;
  let used = 0;
  let indexStruck: number | undefined;
  const counters = { packets: 0, busy: 0 };
  let epoch = 0;
  const next = (slot: number): number => (slot + 1 === size ? 0 : slot + 1);

  const completed = clock.handler((of) => {
    if (of !== epoch) return;
    sent();
    host.raiseInterrupt();
  });

  /** The hardware is done with the oldest packet: its descriptors are no longer ready. */
  const sent = (): void => {
    for (let left = room[hardware]!; left > 0; left--) {
      ready[hardware] = 0;
      hardware = next(hardware);
    }
  };

  const oops = (address: number, inside: string): void => {
    const hex = (address >>> 0).toString(16).padStart(8, "0");
    const text = `Unable to handle kernel paging request for data at address 0x${hex}`;
    journal.emit(eventKind.oops, journal.textId(`${text} < ${inside}`), address, 0);
  };

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

  /** Frees what a slot says. A word that somebody else wrote is taken for a packet as well, and that is where the kernel stops. */
  const freeSlot = (slot: number, budget: number): void => {
    const word = struck.size > 0 ? struck.get(slot) : undefined;
    const skb = slots[slot]!;
    slots[slot] = 0;
    if (word !== undefined) struck.delete(slot);
    if (word !== undefined && word !== addressOf(skb)) {
      if (skb !== 0) packets--;
      if (word !== 0) oops(word + usersOffset, `kfree_skb < ${options.cleaner ?? "clean_tx"}`);
    } else if (skb !== 0) {
      packets--;
      counters.packets++;
      free(skb, budget);
    }
  };
  const addressOf = (skb: number): number => (skb === 0 ? 0 : (pageOffset + skbAddress[skb >> 5]!) | 0);

  /** emac_poll_tx() and its like: from the oldest descriptor on, until one that the hardware has not sent. */
  const clean = (budget: number): number => {
    if (indexStruck !== undefined) {
      oops(indexStruck, options.cleaner ?? "clean_tx");
      return 0;
    }
    const before = counters.packets;
    const usedBefore = used;
    while (used > 0 && ready[acked] === 0) {
      freeSlot(acked, budget);
      acked = next(acked);
      used--;
    }
    if (used < usedBefore && host.device().txStopped && size - used >= wakeRoom) host.wakeQueue();
    return counters.packets - before;
  };

  const fill = (skb: number, need: number): void => {
    const first = head;
    room[first] = need;
    for (let i = 0; i < need; i++, head = next(head)) {
      slots[head] = i === need - 1 ? skb : 0;
      if (struck.size > 0) struck.delete(head);
      if (i === 0) continue;
      // The descriptors behind the first are made ready, and counted, before the first one is.
      ready[head] = 1;
      used++;
    }
    unlocked?.();
    ready[first] = 1;
    used++;
    packets++;
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
      fill(skb, need);
      cpus.spend(txPacketNanos);
      const { link } = host.device();
      send(skb);
      if (link === undefined) {
        sent();
        host.raiseInterrupt();
      } else clock.after(Math.max(0, link.freeAtNanos() - clock.now()), completed, epoch);
      if (size - used < stopRoom) host.stopQueue();
      return netdevTx.ok;
    },
    clean,
    reset() {
      epoch++;
      indexStruck = undefined;
      for (let slot = 0; slot < size; slot++) freeSlot(slot, 0);
      ready.fill(0);
      packets = used = head = acked = hardware = 0;
    },
    pending: () => packets,
    slots: {
      size,
      inFlight: (slot) => (slot - acked + size) % size < used,
      isNull: (slot) => slots[slot] === 0,
      strike(slot, bits, how) {
        const now = struck.get(slot) ?? addressOf(slots[slot]!);
        struck.set(slot, (how === "or" ? now | bits : bits) | 0);
      },
      strikeIndex(value) {
        indexStruck = value;
      },
    },
  };
}
