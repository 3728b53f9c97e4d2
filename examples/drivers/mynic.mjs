// A driver of your own, put to the test: run  skblab driver examples/drivers/mynic.mjs
// One buffer a packet. The buffer is refilled before the packet goes up; without memory the packet is dropped and its buffer stays.
import { createRxRing, createTxRing, feature, frameBytes, gfpOf, napiStory } from "skblab";

export const driver = {
  name: "mynic",
  features: feature.sg | feature.csum | feature.gro,
  settings: { rx_ring: { does: "receive ring, descriptors", otherwise: 256, least: 2, most: 4096 } },
  make(parts, host, settings) {
    const { skbs, frames, receive, journal } = parts;
    const rx = createRxRing(parts, host, settings.rx_ring);
    const tx = createTxRing(parts, host, { size: 64, stopRoom: 18, wakeRoom: 32 });
    const atomic = gfpOf(parts.release, "GFP_ATOMIC");
    const kernel = gfpOf(parts.release, "GFP_KERNEL");
    const counters = { rx_dropped: 0 };
    let bytes = 0; // of a receive buffer

    const mynic = {
      name: "mynic",
      counters,

      // ndo_open: all buffers, or none and no memory kept.
      open() {
        journal.caller = journal.textId("mynic_alloc_rx < mynic_open");
        bytes = host.device().mtu + 18 + 4;
        for (let slot = 0; slot < rx.size; slot++) {
          const skb = skbs.netdevAllocSkb(bytes, kernel);
          if (skb === 0) {
            mynic.stop(); // take this line out and run again: open() leaks what it had
            return false;
          }
          rx.set(slot, skb);
        }
        return true;
      },

      // ndo_stop
      stop() {
        rx.reset((skb) => skbs.kfreeSkb(skb));
        tx.reset();
      },

      changeMtu(mtu) {
        if (mtu < 68 || mtu > 9000) return `mtu ${mtu} is not between 68 and 9000`;
        const device = host.device();
        const up = device.running;
        if (up) mynic.stop();
        device.mtu = mtu;
        return !up || mynic.open() ? "ok" : "no memory";
      },

      startXmit: (skb) => tx.xmit(skb),

      // NAPI poll: at most `budget` packets.
      poll(budget) {
        tx.clean(budget);
        journal.caller = journal.textId("mynic_alloc_rx < mynic_poll");
        let done = 0;
        while (done < budget) {
          const frame = rx.arrived();
          if (frame === 0) break;
          const slot = rx.clean;
          const skb = rx.buffer[slot];
          const fresh = skbs.netdevAllocSkb(bytes, atomic);
          if (fresh !== 0) rx.set(slot, fresh);
          rx.advance();
          if (fresh === 0) {
            counters.rx_dropped++;
            frames.give(frame);
          } else {
            skbs.skbPut(skb, frameBytes(frames, frame));
            receive.describe(skb, frame);
            frames.give(frame);
            host.receive(skb); // the stack's from here on
          }
          done++;
        }
        return done;
      },

      // The hardware's side: a frame is written into the next buffer, or lost.
      frameArrived(frame) {
        if (host.device().running && rx.arrive(frame, 1)) return;
        host.device().stats.rxMissed++;
        frames.give(frame);
      },

      ringFill: () => ({ filled: rx.filled(), size: rx.size }),
    };
    return mynic;
  },
};

// How it receives, for  skblab explore examples/drivers/mynic.mjs : its interrupt is lost while it is off, so the poll looks again.
// Say false, and a packet can lie in the ring for ever.
export const story = napiStory("mynic", { interrupts: "edge", looksAgain: true });
