import { describe, expect, test } from "vitest";
import { BadInput } from "../base/bad_input.ts";
import { parseRelease } from "../kernel/release.ts";
import type { Machine } from "./machine.ts";
import { createMachine } from "./machine.ts";
import { createLink, frameField, frameKind } from "./net/path/wire.ts";
import { skbField } from "./net/skb/skb_columns.ts";

/** Frames of `bytes` payload, one every `gapNanos`, into a device from the far end of a wire. */
function flood(machine: Machine, count: number, bytes: number, gapNanos: number, loss = 0): void {
  const { clock, frames } = machine;
  const device = machine.devices[0]!;
  const link = createLink(
    clock,
    frames,
    { bitsPerSecond: 1e9, delayNanos: 1000, loss },
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

/** Everything that a run announced, as text. */
function story(seed: number, loss: number): { lines: string[]; came: number } {
  const machine = createMachine({
    release: parseRelease("6.1.192-x86_64"),
    memoryMb: 128,
    seed,
    nics: [{ driver: "virtio_net" }],
  });
  const lines: string[] = [];
  machine.journal.listen((...event) => void lines.push(event.join(" ")));
  const device = machine.devices[0]!;
  machine.up(device);
  let came = 0;
  machine.receive.protocol(frameKind.udp, (skb) => {
    came++;
    machine.skbs.consumeSkb(skb);
  });
  flood(machine, 500, 900, 9_000, loss);
  machine.clock.run(1e10, 1e6);
  machine.down(device);
  return { lines, came };
}

test("the same scenario and seed tell the same story to the last event; another seed loses other frames", () => {
  const first = story(7, 0.1);
  expect(first.lines.length).toBeGreaterThan(1000);
  expect(story(7, 0.1).lines).toEqual(first.lines);
  expect(story(8, 0.1).lines).not.toEqual(first.lines);
  expect(first.came).toBeGreaterThan(400);
  expect(first.came).toBeLessThan(490);
  expect(story(7, 0).came).toBe(500);
});

test("a run that never ends is ended by its limit of events, and one that is stopped says so", () => {
  const machine = createMachine({ release: parseRelease("6.1-x86_64"), memoryMb: 64 });
  const again = machine.clock.handler(() => void machine.clock.after(10, again));
  machine.clock.after(0, again);
  expect(machine.clock.run(Number.POSITIVE_INFINITY, 1000)).toBe("events");
  expect(machine.clock.run(machine.clock.now() + 500, 1e9)).toBe("time");
});

describe("buffers that the driver hands to the stack and puts back into its ring (the idea of seed 000)", () => {
  const preallocated = (owned?: Parameters<typeof createMachine>[0]["owned"]): Machine => {
    const machine = createMachine({
      release: parseRelease("2.6.29-ppc32"),
      memoryMb: 64,
      nics: [{ driver: "ringnic", settings: { buffers: "preallocated", rx_ring: 8 } }],
      ...(owned === undefined ? {} : { owned }),
    });
    machine.up(machine.devices[0]!);
    machine.receive.protocol(frameKind.udp, (skb) => machine.skbs.consumeSkb(skb));
    return machine;
  };

  test("are freed by the stack: the second packet in the same slot is written into memory that belongs to nobody, and the checker names both", () => {
    const faults: string[] = [];
    const machine = preallocated({ onFault: (fault) => void faults.push(fault.kind) });
    flood(machine, 9, 800, 20_000);
    machine.clock.run(1e9, 1e6);
    expect(faults[0]).toBe("use after free");
  });

  test("without the checker the run goes on, as a kernel would for a while; the ring's eight buffers are then the stack's to reuse", () => {
    const machine = preallocated();
    flood(machine, 8, 800, 20_000);
    machine.clock.run(1e9, 1e6);
    expect(machine.skbs.columns.skbsLive()).toBe(0);
    expect(machine.devices[0]!.driver.ringFill().filled).toBe(8);
  });
});

test("the ring in the notation of the tests: filled, arrived, empty", () => {
  const machine = createMachine({
    release: parseRelease("6.1-x86_64"),
    memoryMb: 64,
    nics: [{ driver: "e1000", settings: { rx_ring: 8 } }],
  });
  const device = machine.devices[0]!;
  const { frames } = machine;
  machine.up(device);
  expect(device.driver.draw?.()).toBe("[FFFFFFF.]");
  for (let i = 0; i < 2; i++) {
    const f = frames.take();
    frames.W[f + frameField.LEN] = 1000;
    device.driver.frameArrived(f);
  }
  expect(device.driver.draw?.()).toBe("[PPFFFFF.]");
  machine.clock.run(1e8, 1e5);
  // Two went up and the ring moved on by two: the slot behind the last one posted waits for its turn.
  expect(device.driver.draw?.()).toBe("[FUFFFFFF]");
});

test("the pools of a machine are its release's: mvneta's first buffer costs one page in 5.12, and from 5.13 on a batch of 64", () => {
  const pagesFor = (release: string): number => {
    const machine = createMachine({
      release: parseRelease(release),
      memoryMb: 64,
      nics: [{ driver: "mvneta", settings: { rx_ring: 2 } }],
    });
    expect(machine.up(machine.devices[0]!)).toBe(true);
    return machine.pools().pools.holdCount(0);
  };
  expect([pagesFor("5.12-arm64"), pagesFor("5.13-arm64")]).toEqual([2, 64]);
});

describe("numbers that no machine can have are told in one sentence", () => {
  const at = (more: object) => () => createMachine({ release: parseRelease("6.1-x86_64"), memoryMb: 64, ...more });
  test.each([
    [{ memoryMb: 0 }, /^memoryMb is 0; it must be a number above 0/],
    [{ memoryMb: Number.NaN }, /^memoryMb is NaN/],
    [{ memoryMb: 65_537 }, /65536 at most/],
    [{ cpus: 0 }, /^cpus is 0; it must be a whole number 1 \.\. 64\.$/],
    [{ cpus: 65 }, /^cpus is 65/],
    [{ seed: 1.5 }, /^seed is 1\.5/],
    [
      { nics: [{ driver: "ringnic", queues: 0 }] },
      /^nics\[0\]\.queues \(ringnic\) is 0; it must be a whole number 1 \.\. 64/,
    ],
    [{ nics: [{ driver: "tg3", queues: 2 }] }, /^nics\[0\]\.queues \(tg3\) is 2; it must be a whole number 1 \.\. 1/],
    [{ nics: [{ driver: "ringnic", irqCpu: 1 }] }, /the CPU of an interrupt is 1; it must be a whole number 0 \.\. 0/],
    [{ nics: [{ driver: "ringnic", mtu: -5 }] }, /^nics\[0\]\.mtu is -5/],
    [{ nics: [{ driver: "ringnic", queues: 2, rss: { key: new Uint8Array(3) } }] }, /has 3 bytes; it must have 40/],
    [{ nics: [{ driver: "ringnic", queues: 2, rss: { indirection: [2] } }] }, /a queue is 2/],
  ])("%j", (more, sentence) => {
    expect(at(more)).toThrow(sentence);
    expect(at(more)).toThrow(BadInput);
  });
  test("the least and the most are machines", () => {
    expect(
      at({
        cpus: 64,
        nics: [{ driver: "ringnic", queues: 64, irqCpus: new Array(64).fill(63), settings: { rx_ring: 4 } }],
      })().devices[0]?.queues,
    ).toHaveLength(64);
    expect(at({ seed: -1 })().devices).toEqual([]);
  });
});
