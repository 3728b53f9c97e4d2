import { expect, test } from "vitest";
import { parseRelease } from "../../kernel/release.ts";
import { failing } from "../failing.ts";
import { createMachine } from "../machine.ts";
import { frameField, frameKind } from "../net/path/wire.ts";

/** Frames of 1000 bytes into a ring of 16 while every request for memory is refused: what came up, was dropped, and is left to receive into. */
function starved(release: string): { up: number; dropped: number; filled: number } {
  const fail = failing({ nth: 0, every: 1 });
  const machine = createMachine({
    release: parseRelease(release),
    memoryMb: 64,
    failing: fail,
    nics: [{ driver: "mvneta", settings: { rx_ring: 16 } }],
  });
  const device = machine.devices[0]!;
  const { frames, clock } = machine;
  let up = 0;
  machine.receive.protocol(frameKind.udp, (skb) => {
    up++;
    machine.skbs.consumeSkb(skb);
  });
  machine.up(device);
  fail.arm(1);
  for (let n = 0; n < 8; n++) {
    const f = frames.take();
    frames.W[f + frameField.LEN] = 1000;
    frames.W[f + frameField.KIND] = frameKind.udp;
    device.driver.frameArrived(f);
  }
  clock.run(1e8, 1e5);
  return { up, dropped: device.stats.rxDropped, filled: device.driver.ringFill().filled };
}

// The skb of 3.10 is there already. For build_skb() of 4.14 the order decides: nothing to put in its place, so the frame goes.
test("before 4.2 a frame goes up although its slot stays empty; from 4.2 to 4.18 it is dropped and the ring stays full", () => {
  expect(starved("3.10-arm")).toEqual({ up: 8, dropped: 0, filled: 8 });
  expect(starved("4.14-arm")).toEqual({ up: 0, dropped: 8, filled: 16 });
});
