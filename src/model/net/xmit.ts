// From the stack down: a first-in first-out queue discipline in front of the driver, run until the driver stops its queue.
// dev_queue_xmit(), qdisc_run(), sch_direct_xmit(), net/core/dev.c and net/sched/sch_generic.c, 6.1.
import { eventKind } from "../../kernel/events.ts";
import type { Journal } from "../journal.ts";
import type { Cpus } from "../sync/cpu.ts";
import { softirq } from "../sync/cpu.ts";
import type { NetDevice } from "./netdevice.ts";
import { netdevTx } from "./netdevice.ts";
import { skbField } from "./skb_columns.ts";
import type { Skbs } from "./skbs.ts";
import { dropReason } from "./skbuff.ts";

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
}

interface Fifo {
  readonly ring: Int32Array;
  head: number;
  count: number;
  running: boolean;
  readonly device: NetDevice;
}

/** dev_tx_weight: packets a run of a queue sends before it makes room for others. */
const quota = 64;

export function createXmit(skbs: Skbs, cpus: Cpus, journal: Journal): Xmit {
  const queues: Fifo[] = [];
  const { S } = skbs.columns;
  const LEN = skbField.LEN;
  const queueKind = eventKind.net_dev_queue;
  const xmitKind = eventKind.net_dev_xmit;

  const runQueue = (q: Fifo): void => {
    // Whoever runs the queue sends for all: a second CPU leaves its packet and goes.
    if (q.running) return;
    q.running = true;
    const { device } = q;
    let left = quota;
    while (q.count > 0 && !device.txStopped && device.running) {
      if (left-- === 0) {
        cpus.raise(cpus.current(), softirq.netTx);
        break;
      }
      const skb = q.ring[q.head]!;
      const bytes = S[skb + LEN]!;
      q.head = (q.head + 1) % q.ring.length;
      q.count--;
      const rc = device.driver.startXmit(skb);
      if (journal.heard) journal.emit(xmitKind, skb, bytes, rc);
      if (rc === netdevTx.ok) {
        device.stats.txPackets++;
        device.stats.txBytes += bytes;
        continue;
      }
      // NETDEV_TX_BUSY: the packet goes back to the front.
      q.head = (q.head + q.ring.length - 1) % q.ring.length;
      q.ring[q.head] = skb;
      q.count++;
      break;
    }
    q.running = false;
  };

  cpus.openSoftirq(softirq.netTx, () => {
    for (const q of queues) if (q !== undefined && q.count > 0) runQueue(q);
  });

  return {
    attach(device) {
      queues[device.index] = {
        ring: new Int32Array(Math.max(1, device.txQueueLen)),
        head: 0,
        count: 0,
        running: false,
        device,
      };
    },
    queue(device, skb) {
      const q = queues[device.index] as Fifo;
      if (q.count === q.ring.length || !device.running) {
        device.stats.txDropped++;
        skbs.kfreeSkb(skb, dropReason.notSpecified);
        return false;
      }
      q.ring[(q.head + q.count++) % q.ring.length] = skb;
      if (journal.heard) journal.emit(queueKind, skb, S[skb + LEN]!);
      runQueue(q);
      return true;
    },
    wake(device) {
      device.txStopped = false;
      cpus.raise(cpus.current(), softirq.netTx);
    },
    queued: (device) => (queues[device.index] as Fifo).count,
    purge(device) {
      const q = queues[device.index] as Fifo;
      while (q.count > 0) {
        skbs.kfreeSkb(q.ring[q.head]!, dropReason.notSpecified);
        q.head = (q.head + 1) % q.ring.length;
        q.count--;
      }
    },
  };
}
