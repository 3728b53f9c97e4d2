// From the stack down: a first-in first-out queue discipline in front of the driver, run until the driver stops its queue.
// dev_queue_xmit(), validate_xmit_skb(), qdisc_run(), sch_direct_xmit(), net/core/dev.c and net/sched/sch_generic.c, 6.1.
//
// What a device cannot do is done before it sees the packet: GSO packets are cut into segments (TSO missing), fragments are copied into the
// head (scatter-gather missing), checksums are computed (checksum missing).
import { eventKind } from "../../../kernel/events.ts";
import type { Journal } from "../../journal.ts";
import type { Cpus } from "../../sync/cpu.ts";
import { softirq } from "../../sync/cpu.ts";
import { dropReason } from "../skb/drop_reason.ts";
import { headField, skbBit, skbField } from "../skb/skb_columns.ts";
import type { Skbs } from "../skb/skbs.ts";
import type { NetDevice } from "./netdevice.ts";
import { feature, netdevTx } from "./netdevice.ts";
import { packetField } from "./receive.ts";
import { headerBytes } from "./wire.ts";

export interface Xmit {
  /** A device's queue; call when the device is registered. */
  attach(device: NetDevice): void;
  /** dev_queue_xmit(): owns the packet; true when it was queued or sent, false when it was dropped. */
  queue(device: NetDevice, skb: number): boolean;
  /** netif_wake_queue(): the driver has room again. */
  wake(device: NetDevice): void;
  queued(device: NetDevice): number;
  /** Frees what is queued: the device goes down. */
  purge(device: NetDevice): void;
  /** What the software did in the device's place since boot, over all devices. */
  readonly helped: { segmented: number; segments: number; linearized: number; checksummed: number; failed: number };
}

interface Fifo {
  readonly ring: Int32Array;
  head: number;
  count: number;
  /** Packets that validate_xmit_skb() has let through and the driver has not taken: a chain by NEXT (gso_skb). */
  ready: number;
  running: boolean;
  readonly device: NetDevice;
}

const { LEN, DATA, DATA_LEN, MAC, NEXT, BITS, HEAD } = skbField;
const { GSO_SIZE, FRAG_LIST } = headField;
/** dev_tx_weight: packets a run of a queue sends before it makes room for others. */
const quota = 64;
/** Simulated nanoseconds of software work: per segment cut, and per byte copied or summed; plausible figures for one CPU. */
const segmentNanos = 300;
const byteNanos = 0.25;

export function createXmit(skbs: Skbs, cpus: Cpus, journal: Journal): Xmit {
  const queues: Fifo[] = [];
  const { S, H } = skbs.columns;
  const queueKind = eventKind.net_dev_queue;
  const xmitKind = eventKind.net_dev_xmit;
  const helped = { segmented: 0, segments: 0, linearized: 0, checksummed: 0, failed: 0 };
  // A feature set is few bits: one object for each, made once.
  const segmentFeatures = Array.from({ length: 4 }, (_, bits) => ({ sg: (bits & 1) !== 0, csum: (bits & 2) !== 0 }));

  const dropped = (device: NetDevice, skb: number): number => {
    helped.failed++;
    device.stats.txDropped++;
    skbs.kfreeSkb(skb, dropReason.nomem);
    return 0;
  };

  /** skb_gso_segment(): the chain of segments; 0 after freeing the packet when there was no memory. */
  const segment = (device: NetDevice, skb: number): number => {
    const headers = headerBytes[(S[skb + packetField.KIND]! & 255) as 0 | 1 | 2];
    const mss = H[S[skb + HEAD]! + GSO_SIZE]!;
    S[skb + MAC] = S[skb + DATA]!;
    if (skbs.pskbPull(skb, headers) < 0) return dropped(device, skb);
    const first = skbs.skbSegment(skb, segmentFeatures[device.features & 3]!);
    if (first === 0) return dropped(device, skb);
    let seq = S[skb + packetField.SEQ]!;
    helped.segmented++;
    for (let s = first; s !== 0; s = S[s + NEXT]!) {
      for (let field = packetField.FLOW; field <= packetField.AUX; field++) S[s + field] = S[skb + field]!;
      S[s + packetField.KIND] = S[skb + packetField.KIND]!;
      S[s + packetField.SEQ] = seq;
      seq += mss;
      helped.segments++;
      cpus.spend(segmentNanos);
    }
    skbs.consumeSkb(skb);
    return first;
  };

  /** validate_xmit_skb(): what the driver is given for a packet, a chain by NEXT; 0 when it had to be dropped. */
  const validate = (device: NetDevice, skb: number): number => {
    const { features, driver } = device;
    const head = S[skb + HEAD]!;
    const large = H[head + GSO_SIZE] !== 0;
    if (large && ((features & feature.tso) === 0 || H[head + FRAG_LIST] !== 0 || driver.cutBefore?.(skb) === true))
      return segment(device, skb);
    if (S[skb + DATA_LEN] !== 0 && ((features & feature.sg) === 0 || H[head + FRAG_LIST] !== 0)) {
      cpus.spend(S[skb + DATA_LEN]! * byteNanos);
      if (skbs.skbLinearize(skb) !== 0) return dropped(device, skb);
      helped.linearized++;
    }
    if ((S[skb + BITS]! & skbBit.summedMask) === skbBit.summedMask && (features & feature.csum) === 0) {
      cpus.spend(S[skb + LEN]! * byteNanos);
      S[skb + BITS]! &= ~skbBit.summedMask;
      helped.checksummed++;
    }
    return skb;
  };

  /** dev_hard_start_xmit() of the ready chain; false when the driver refused one, which then stays in front. */
  const sendReady = (q: Fifo): boolean => {
    const { device } = q;
    while (q.ready !== 0) {
      if (device.txStopped) return false;
      const skb = q.ready;
      const bytes = S[skb + LEN]!;
      const next = S[skb + NEXT]!;
      S[skb + NEXT] = 0;
      const rc = device.driver.startXmit(skb);
      if (journal.heard) journal.emit(xmitKind, skb, bytes, rc, device.index);
      if (rc !== netdevTx.ok) {
        // NETDEV_TX_BUSY: the packet goes back to the front.
        S[skb + NEXT] = next;
        return false;
      }
      q.ready = next;
      device.stats.txPackets++;
      device.stats.txBytes += bytes;
    }
    return true;
  };

  const runQueue = (q: Fifo): void => {
    // Whoever runs the queue sends for all: a second CPU leaves its packet and goes.
    if (q.running) return;
    q.running = true;
    const { device } = q;
    let left = quota;
    while ((q.ready !== 0 || q.count > 0) && !device.txStopped && device.running) {
      if (left-- === 0) {
        cpus.raise(cpus.current(), softirq.netTx);
        break;
      }
      if (q.ready === 0) {
        const skb = q.ring[q.head]!;
        q.head = (q.head + 1) % q.ring.length;
        q.count--;
        q.ready = validate(device, skb);
      }
      if (!sendReady(q)) break;
    }
    q.running = false;
  };

  cpus.openSoftirq(softirq.netTx, () => {
    for (const q of queues) if (q !== undefined && (q.ready !== 0 || q.count > 0)) runQueue(q);
  });

  /** netdev_pick_tx(): the queue of a card that has several. */
  const pickOf = (device: NetDevice, skb: number): NetDevice => {
    const { queues: pairs, rss } = device;
    if (pairs === undefined || rss === undefined) return device;
    const cpu = cpus.current();
    const own = device.xps === true ? pairs.find((pair) => pair.irqCpu === cpu) : undefined;
    return own ?? pairs[Math.floor((rss.hashOf(S[skb + packetField.FLOW]!) / 2 ** 32) * pairs.length)]!;
  };
  const all = (device: NetDevice): readonly Fifo[] =>
    (device.queues ?? [device]).map((pair) => queues[pair.index] as Fifo);

  return {
    helped,
    attach(device) {
      queues[device.index] = {
        ring: new Int32Array(Math.max(1, device.txQueueLen)),
        head: 0,
        count: 0,
        ready: 0,
        running: false,
        device,
      };
    },
    queue(card, skb) {
      const device = card.queues === undefined ? card : pickOf(card, skb);
      const q = queues[device.index] as Fifo;
      if (q.count === q.ring.length || !device.running) {
        device.stats.txDropped++;
        skbs.kfreeSkb(skb, dropReason.notSpecified);
        return false;
      }
      q.ring[(q.head + q.count++) % q.ring.length] = skb;
      if (journal.heard) journal.emit(queueKind, skb, S[skb + LEN]!, device.index);
      runQueue(q);
      return true;
    },
    wake(device) {
      device.txStopped = false;
      cpus.raise(cpus.current(), softirq.netTx);
    },
    queued: (device) => all(device).reduce((n, q) => n + q.count + (q.ready !== 0 ? 1 : 0), 0),
    purge(device) {
      for (const q of all(device)) {
        skbs.kfreeSkbList(q.ready, dropReason.notSpecified);
        q.ready = 0;
        for (; q.count > 0; q.count--) {
          skbs.kfreeSkb(q.ring[q.head]!, dropReason.notSpecified);
          q.head = (q.head + 1) % q.ring.length;
        }
        q.device.txStopped = false;
      }
    },
  };
}
