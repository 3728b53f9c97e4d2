// A plain card whose buffers are kept or fresh, with every sk_buff and page watched by the sanitizer: what is touched by two owners, and when.
// The same mistake on the EMAC, in the kernel's own words, is cases/preallocated.ts.
import { parseRelease } from "../kernel/release.ts";
import { createMachine } from "../model/machine.ts";
import { createLink, frameField, frameKind } from "../model/net/path/wire.ts";
import type { OwnershipFault } from "../model/net/skb/ownership.ts";

interface Outcome {
  readonly faults: number;
  readonly first: OwnershipFault | undefined;
  /** Frames that had gone up when the first fault was seen, and when that was. */
  readonly firstAfterFrames: number;
  readonly firstAtMicros: number;
  readonly received: number;
}

const frames = 1000;
const ring = 256;

/** Frames of MTU 9000 into a plain card on a 405EX's kernel, with every sk_buff watched. `slowest` packets wait in the socket. */
export function receiveWatched(buffers: "preallocated" | "fresh", slowest: number): Outcome {
  const faults: OwnershipFault[] = [];
  let firstAfterFrames = 0;
  let firstAtMicros = 0;
  let received = 0;
  const machine = createMachine({
    release: parseRelease("2.6.31-ppc32"),
    memoryMb: 128,
    seed: 1,
    nics: [{ driver: "ringnic", mtu: 9000, settings: { buffers, rx_ring: ring } }],
    owned: {
      onFault(fault) {
        if (faults.push(fault) > 1) return;
        firstAfterFrames = received;
        firstAtMicros = Math.round(machine.clock.now() / 1000);
      },
    },
  });
  const [device] = machine.devices;
  if (device === undefined || !machine.up(device))
    return { faults: 0, first: undefined, firstAfterFrames, firstAtMicros, received };
  const queue: number[] = [];
  machine.receive.protocol(frameKind.udp, (skb) => {
    received++;
    queue.push(skb);
    if (queue.length > slowest) machine.skbs.consumeSkb(queue.shift() as number);
  });
  const link = createLink(
    machine.clock,
    machine.frames,
    { bitsPerSecond: 1e9, delayNanos: 1000, loss: 0 },
    machine.random.fork("wire"),
    (f) => device.driver.frameArrived(f),
  );
  const send = machine.clock.handler((i) => {
    const f = machine.frames.take();
    machine.frames.W[f + frameField.LEN] = 8900;
    machine.frames.W[f + frameField.KIND] = frameKind.udp;
    machine.frames.W[f + frameField.SEQ] = i;
    link.send(f);
    if (i + 1 < frames) machine.clock.after(100_000, send, i + 1);
  });
  machine.clock.after(0, send, 0);
  machine.clock.run(1e9, 1e6);
  return { faults: faults.length, first: faults[0], firstAfterFrames, firstAtMicros, received };
}
