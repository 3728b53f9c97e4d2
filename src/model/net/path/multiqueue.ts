// A card with several queue pairs. Each pair is a device of its own to its driver and to the layers around it: rings, interrupt, NAPI, GRO,
// page pool and transmit queue are its own; name, MTU, features, counters and cable are the card's.
//
//   frame ── RSS or a steering rule ──▶ queue 0 … n-1 ──▶ its interrupt, its CPU, its poll
//   packet ── XPS (the CPU's own queue) or its hash ──▶ queue 0 … n-1 ──▶ its fifo, its ring
import type { Counters, Driver, NetDevice } from "./netdevice.ts";
import type { Rss } from "./rss.ts";
import { dropped } from "./steering.ts";
import type { Frames } from "./wire.ts";
import { frameField } from "./wire.ts";

/** One pair as a device. `driver` is there once it was made. */
export function queueDevice(
  card: () => NetDevice,
  driver: () => Driver,
  own: Pick<NetDevice, "index" | "irqCpu" | "napi" | "name" | "txQueueLen" | "stats">,
): NetDevice {
  return {
    ...own,
    txStopped: false,
    get driver() {
      return driver();
    },
    get mtu() {
      return card().mtu;
    },
    set mtu(mtu) {
      card().mtu = mtu;
    },
    get features() {
      return card().features;
    },
    set features(features) {
      card().features = features;
    },
    get running() {
      return card().running;
    },
    set running(running) {
      card().running = running;
    },
    get link() {
      return card().link;
    },
    set link(link) {
      card().link = link;
    },
  };
}

/** The drivers of all pairs as the card's one driver. */
export function driverOfQueues(card: () => NetDevice, drivers: readonly Driver[], rss: Rss, frames: Frames): Driver {
  const [first] = drivers as [Driver];
  let up = false;
  const openAll = (): boolean => {
    for (const [i, driver] of drivers.entries()) {
      if (driver.open()) continue;
      // What the others got is given back, the last one first.
      for (const opened of drivers.slice(0, i).reverse()) opened.stop();
      return false;
    }
    return true;
  };
  const stopAll = (): void => {
    for (const driver of drivers) driver.stop();
  };
  return {
    name: first.name,
    get counters() {
      const sum: Counters = {};
      for (const { counters } of drivers)
        for (const [name, n] of Object.entries(counters)) sum[name] = (sum[name] ?? 0) + n;
      return sum;
    },
    open() {
      up = openAll();
      return up;
    },
    stop() {
      if (up) stopAll();
      up = false;
    },
    /** All rings are given back before the first is filled anew. An MTU that is refused takes them down as well: nothing here does that. */
    changeMtu(mtu) {
      const was = up;
      const before = card().mtu;
      if (was) stopAll();
      const said = drivers.map((driver) => driver.changeMtu(mtu)).find((answer) => answer !== "ok") ?? "ok";
      if (said !== "ok") card().mtu = before;
      if (was) up = openAll();
      return was && !up ? "no memory" : said;
    },
    startXmit: (skb) => first.startXmit(skb),
    poll: () => 0,
    frameArrived(frame) {
      const { W } = frames;
      const queue = rss.queueOf(W[frame + frameField.FLOW]!, W[frame + frameField.KIND]! & 255);
      if (queue !== dropped) drivers[queue]!.frameArrived(frame);
      else {
        const device = card();
        device.filtered = (device.filtered ?? 0) + 1;
        frames.give(frame);
      }
    },
    ringFill() {
      let filled = 0;
      let size = 0;
      for (const driver of drivers) {
        const ring = driver.ringFill();
        filled += ring.filled;
        size += ring.size;
      }
      return { filled, size };
    },
    draw: (slots) => drivers.map((driver) => driver.draw?.(slots) ?? "").join(" "),
  };
}
