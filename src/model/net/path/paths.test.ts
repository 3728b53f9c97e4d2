import { describe, expect, test } from "vitest";
import { parseRelease } from "../../../kernel/release.ts";
import type { Machine, NicOptions } from "../../machine.ts";
import { createMachine } from "../../machine.ts";
import { headField, skbField } from "../skb/skb_columns.ts";
import { feature } from "./netdevice.ts";
import { createLink, frameField, frameKind, headerBytes } from "./wire.ts";

const { LEN, DATA_LEN, HEAD, TRUESIZE, CB0, CB1, CB2, PROTOCOL } = skbField;
const { NR_FRAGS, GSO_SIZE, GSO_SEGS, FRAG_LIST } = headField;
const tcp = frameKind.tcp;

function machineWith(nic: NicOptions, release = "6.1.192-x86_64"): Machine {
  const machine = createMachine({ release: parseRelease(release), memoryMb: 128, nics: [nic], owned: {} });
  expect(machine.up(machine.devices[0]!)).toBe(true);
  return machine;
}

/** Segments of a stream arrive at once, so that one poll sees them. */
function burst(machine: Machine, segments: readonly (readonly [flow: number, seq: number, bytes: number])[]): void {
  const { frames } = machine;
  for (const [flow, seq, bytes] of segments) {
    const f = frames.take();
    frames.W[f + frameField.KIND] = tcp;
    frames.W[f + frameField.FLOW] = flow;
    frames.W[f + frameField.SEQ] = seq;
    frames.W[f + frameField.LEN] = bytes;
    machine.devices[0]!.driver.frameArrived(f);
  }
  machine.clock.run(machine.clock.now() + 1e8, 1e6);
}

interface Seen {
  readonly flow: number;
  readonly seq: number;
  readonly payload: number;
  readonly frags: number;
  readonly listed: boolean;
  readonly gso: readonly [number, number];
}

function collect(machine: Machine): Seen[] {
  const seen: Seen[] = [];
  const { S, H } = machine.skbs.columns;
  machine.receive.protocol(tcp, (skb) => {
    const head = S[skb + HEAD]!;
    seen.push({
      flow: S[skb + CB0]!,
      seq: S[skb + CB1]!,
      payload: S[skb + LEN]! - headerBytes[tcp],
      frags: H[head + NR_FRAGS]!,
      listed: H[head + FRAG_LIST] !== 0,
      gso: [H[head + GSO_SIZE]!, H[head + GSO_SEGS]!],
    });
    machine.skbs.consumeSkb(skb);
  });
  return seen;
}

const run = (n: number, bytes: number, flow = 1): [number, number, number][] =>
  Array.from({ length: n }, (_, i) => [flow, i * bytes, bytes]);

function ends(machine: Machine): void {
  machine.down(machine.devices[0]!);
  // What is on the wire arrives, at a closed door or at the far end.
  machine.clock.run(machine.clock.now() + 1e9, 1e6);
  expect([machine.skbs.columns.skbsLive(), machine.skbs.columns.headsLive(), machine.frames.alive()]).toEqual([
    0, 0, 0,
  ]);
}

describe("GRO merges what follows in one stream (skb_gro_receive(), 6.1)", () => {
  test("heads from page fragments become fragments of the first packet", () => {
    const machine = machineWith({ driver: "e1000" });
    const seen = collect(machine);
    burst(machine, run(8, 1448));
    expect(seen).toEqual([{ flow: 1, seq: 0, payload: 8 * 1448, frags: 7, listed: false, gso: [1448, 8] }]);
    ends(machine);
  });

  test("heads from kmalloc hang on the frag_list", () => {
    const machine = machineWith({ driver: "ringnic", settings: { rx_ring: 64 } }, "2.6.32-x86_64");
    const seen = collect(machine);
    burst(machine, run(5, 1448));
    expect(seen).toEqual([{ flow: 1, seq: 0, payload: 5 * 1448, frags: 0, listed: true, gso: [1448, 5] }]);
    ends(machine);
  });

  test("behind 17 fragments the list begins", () => {
    const machine = machineWith({ driver: "e1000" });
    const seen = collect(machine);
    burst(machine, run(24, 1448));
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ payload: 24 * 1448, frags: 17, listed: true });
    ends(machine);
  });

  test("payload that lies in pages moves over (packet split)", () => {
    const machine = machineWith({ driver: "e1000e", mtu: 9000 });
    const seen = collect(machine);
    burst(machine, run(4, 8000));
    expect(seen).toEqual([{ flow: 1, seq: 0, payload: 32000, frags: 8, listed: false, gso: [8000, 4] }]);
    ends(machine);
  });

  test("a short segment ends a packet, a hole begins another, flows stay apart, an empty segment stays alone", () => {
    const machine = machineWith({ driver: "e1000" });
    const seen = collect(machine);
    burst(machine, [
      [1, 0, 1448],
      [2, 0, 1448],
      [1, 1448, 700],
      [1, 2148, 1448],
      [1, 9000, 1448],
      [2, 1448, 1448],
      [2, 2896, 0],
    ]);
    expect(seen.map((s) => [s.flow, s.seq, s.payload])).toEqual([
      [1, 0, 2148],
      [1, 2148, 1448],
      [2, 0, 2896],
      [2, 2896, 0],
      [1, 9000, 1448],
    ]);
    ends(machine);
  });

  test("no packet exceeds 64 KiB", () => {
    const machine = machineWith({ driver: "e1000e", mtu: 9000, settings: { rx_ring: 64 } });
    const seen = collect(machine);
    burst(machine, run(20, 8900));
    expect(seen.reduce((n, s) => n + s.payload, 0)).toBe(20 * 8900);
    expect(Math.max(...seen.map((s) => s.payload + headerBytes[tcp]))).toBeLessThan(65536);
    ends(machine);
  });

  test("with GRO off every segment comes alone", () => {
    const machine = machineWith({ driver: "e1000" });
    machine.devices[0]!.features &= ~feature.gro;
    const seen = collect(machine);
    burst(machine, run(8, 1448));
    expect(seen).toHaveLength(8);
    ends(machine);
  });
});

/** A stream packet of `payload` bytes in `pages` fragments, with gso_size 1448. */
function streamPacket(machine: Machine, payload: number, mss: number): number {
  const { skbs } = machine;
  const { S, H } = skbs.columns;
  const skb = skbs.allocSkb(256, skbs.config.gfp.kernel);
  skbs.skbReserve(skb, 128);
  skbs.skbPut(skb, headerBytes[tcp]);
  for (let i = 0, left = payload; left > 0; i++, left -= 4096) {
    const pfn = machine.pages.allocPages(skbs.config.gfp.kernel, 0);
    skbs.skbAddRxFrag(skb, i, pfn, 0, Math.min(left, 4096), 4096);
  }
  S[skb + PROTOCOL] = tcp;
  S[skb + CB0] = 7;
  S[skb + CB1] = 1000;
  S[skb + CB2] = 99;
  H[S[skb + HEAD]! + GSO_SIZE] = mss;
  H[S[skb + HEAD]! + GSO_SEGS] = Math.ceil(payload / mss);
  H[S[skb + HEAD]! + 6] = 1;
  return skb;
}

function cable(machine: Machine, bitsPerSecond = 1e9): [flow: number, seq: number, bytes: number, tag: number][] {
  const got: [number, number, number, number][] = [];
  const { frames } = machine;
  machine.devices[0]!.link = createLink(
    machine.clock,
    frames,
    { bitsPerSecond, delayNanos: 100, loss: 0 },
    machine.random.fork("cable"),
    (f) => {
      const { W } = frames;
      got.push([W[f + frameField.FLOW]!, W[f + frameField.SEQ]!, W[f + frameField.LEN]!, W[f + frameField.TAG]!]);
      frames.give(f);
    },
  );
  return got;
}
const expected = (payload: number, mss: number): [number, number, number, number][] =>
  Array.from({ length: Math.ceil(payload / mss) }, (_, i) => [7, 1000 + i * mss, Math.min(mss, payload - i * mss), 99]);

describe("a large packet leaves as the same frames whoever cuts it", () => {
  for (const [title, off, helped] of [
    ["TSO: the card", 0, { segmented: 0, linearized: 0 }],
    ["GSO: the stack, pages shared", feature.tso, { segmented: 1, segments: 12 }],
    ["GSO without scatter-gather: the stack, bytes copied", feature.tso | feature.sg, { segmented: 1, segments: 12 }],
  ] as const)
    test(title, () => {
      const machine = machineWith({ driver: "e1000" });
      const device = machine.devices[0]!;
      device.features &= ~off;
      const got = cable(machine);
      machine.xmit.queue(device, streamPacket(machine, 16384, 1448));
      machine.clock.run(1e9, 1e6);
      expect(got).toEqual(expected(16384, 1448));
      expect(machine.xmit.helped).toMatchObject(helped);
      ends(machine);
    });

  test("without scatter-gather a packet in pages is made linear first", () => {
    const machine = machineWith({ driver: "ringnic" });
    const device = machine.devices[0]!;
    device.features &= ~feature.sg;
    const got = cable(machine);
    machine.xmit.queue(device, streamPacket(machine, 1400, 0));
    machine.clock.run(1e9, 1e6);
    expect(machine.xmit.helped.linearized).toBe(1);
    expect(got).toEqual([[7, 1000, 1400, 99]]);
    ends(machine);
  });
});

test("a full transmit ring stops the queue, completions wake it, and no packet is lost or out of order", () => {
  const machine = machineWith({ driver: "ringnic", settings: { tx_ring: 32 } });
  const device = machine.devices[0]!;
  const got = cable(machine, 1e8);
  for (let i = 0; i < 200; i++) {
    const skb = machine.skbs.allocSkb(600, machine.skbs.config.gfp.atomic);
    machine.skbs.skbPut(skb, 500);
    machine.skbs.columns.S[skb + CB1] = i;
    machine.skbs.columns.S[skb + PROTOCOL] = frameKind.udp;
    expect(machine.xmit.queue(device, skb)).toBe(true);
  }
  expect(device.txStopped).toBe(true);
  expect(machine.xmit.queued(device)).toBeGreaterThan(100);
  machine.clock.run(1e9, 1e6);
  expect(got.map(([, seq]) => seq)).toEqual(Array.from({ length: 200 }, (_, i) => i));
  expect([device.txStopped, device.stats.txPackets]).toEqual([false, 200]);
  ends(machine);
});

test("a queue of full length drops, and says so", () => {
  const machine = machineWith({ driver: "ringnic", txQueueLen: 10, settings: { tx_ring: 32 } });
  const device = machine.devices[0]!;
  cable(machine, 1e6);
  let dropped = 0;
  for (let i = 0; i < 60; i++) {
    const skb = machine.skbs.allocSkb(200, machine.skbs.config.gfp.atomic);
    machine.skbs.skbPut(skb, 100);
    if (!machine.xmit.queue(device, skb)) dropped++;
  }
  expect([dropped, device.stats.txDropped]).toEqual([dropped, dropped]);
  expect(dropped).toBeGreaterThan(20);
  ends(machine);
});

test("jumbo frames: pages of e1000, headers of e1000e, chains of virtio_net carry what came, and charge whole buffers", () => {
  for (const [driver, settings] of [
    ["e1000", {}],
    ["e1000e", {}],
    ["virtio_net", {}],
    ["virtio_net", { mode: "big" }],
    ["tg3", {}],
  ] as const) {
    const machine = machineWith({ driver, mtu: 9000, settings });
    const { S } = machine.skbs.columns;
    const seen: number[] = [];
    machine.receive.protocol(tcp, (skb) => {
      seen.push(S[skb + LEN]!);
      expect(S[skb + TRUESIZE]!).toBeGreaterThan(S[skb + LEN]!);
      expect(S[skb + LEN]! - S[skb + DATA_LEN]!).toBeGreaterThanOrEqual(headerBytes[tcp]);
      machine.skbs.consumeSkb(skb);
    });
    burst(machine, [
      [1, 0, 8934],
      [2, 0, 4000],
      [3, 0, 10],
      [4, 0, 200],
      [5, 0, 5000],
    ]);
    expect(
      seen.toSorted((a, b) => a - b),
      driver,
    ).toEqual([76, 266, 4066, 5066, 9000]);
    ends(machine);
  }
});
