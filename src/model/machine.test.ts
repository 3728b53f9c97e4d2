import { expect, test } from "vitest";
import { parseRelease } from "../kernel/release.ts";
import type { Machine } from "./machine.ts";
import { createMachine } from "./machine.ts";
import { skbField } from "./net/skb_columns.ts";
import { createLink, frameField, frameKind } from "./net/wire.ts";

/** Frames of `bytes` payload, one every `gapNanos`, into a device from the far end of a wire. */
function flood(machine: Machine, count: number, bytes: number, gapNanos: number): void {
  const { clock, frames } = machine;
  const device = machine.devices[0]!;
  const link = createLink(
    clock,
    frames,
    { bitsPerSecond: 1e9, delayNanos: 1000, loss: 0 },
    machine.random.fork("wire"),
    (f) => device.driver.frameArrived(f),
  );
  const send = clock.handler((i) => {
    const f = frames.take();
    frames.W[f + frameField.LEN] = bytes;
    frames.W[f + frameField.KIND] = frameKind.udp;
    frames.W[f + frameField.SEQ] = i;
    link.send(f);
    if (i + 1 < count) clock.after(gapNanos, send, i + 1);
  });
  clock.after(0, send, 0);
}

for (const release of ["6.1.192-x86_64", "2.6.24-x86_64", "3.13-x86_64"]) {
  for (const settings of [{ refill: "before" }, { refill: "after" }]) {
    test(`${release}, refill ${settings.refill}: every frame comes up once and in order, and nothing stays behind when the device goes down`, () => {
      const machine = createMachine({
        release: parseRelease(release),
        memoryMb: 128,
        nics: [{ driver: "ringnic", settings: { ...settings, rx_ring: 64 } }],
      });
      const device = machine.devices[0]!;
      expect(machine.up(device)).toBe(true);
      let next = 0;
      machine.receive.protocol(frameKind.udp, (skb) => {
        expect(machine.skbs.columns.S[skb + skbField.CB1]).toBe(next++);
        machine.skbs.consumeSkb(skb);
      });
      flood(machine, 2000, 1400, 13_000);
      expect(machine.clock.run(1e10, 1e7)).toBe("idle");
      expect([next, device.stats.rxPackets, machine.frames.alive()]).toEqual([2000, 2000, 0]);
      machine.down(device);
      expect([machine.skbs.columns.skbsLive(), machine.skbs.columns.headsLive()]).toEqual([0, 0]);
    });
  }
}
