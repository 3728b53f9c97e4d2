// TCP through a whole machine: driver, GRO, qdisc, and a remote host on the wire; and both ends in one machine, over a cable.
import { describe, expect, test } from "vitest";
import { parseRelease } from "../kernel/release.ts";
import type { Failing } from "./failing.ts";
import { failing } from "./failing.ts";
import type { Machine } from "./machine.ts";
import { createMachine } from "./machine.ts";
import type { Inet } from "./net/path/inet.ts";
import { createInet } from "./net/path/inet.ts";
import { createLink } from "./net/path/wire.ts";
import type { TcpPeer } from "./net/tcp/tcp_peer.ts";
import { createTcpPeer } from "./net/tcp/tcp_peer.ts";

interface Lab {
  readonly machine: Machine;
  readonly inet: Inet;
  readonly peer: TcpPeer;
}

/** A machine with one card, and a peer at the far end. */
function withPeer(o: {
  driver?: string;
  release?: string;
  mtu?: number;
  loss?: number;
  seed?: number;
  fails?: Failing;
  owned?: boolean;
}): Lab {
  const machine = createMachine({
    release: parseRelease(o.release ?? "6.1.192-x86_64"),
    memoryMb: 128,
    seed: o.seed ?? 1,
    nics: [
      o.driver === undefined
        ? { driver: "ringnic", mtu: o.mtu ?? 1500, settings: { rx_ring: 128, tx_ring: 128 } }
        : { driver: o.driver, mtu: o.mtu ?? 1500 },
    ],
    ...(o.fails === undefined ? {} : { failing: o.fails }),
    ...(o.owned === true ? { owned: {} } : {}),
  });
  const { clock, frames, random } = machine;
  const device = machine.devices[0]!;
  const wire = { bitsPerSecond: 1e9, delayNanos: 50_000, loss: o.loss ?? 0 };
  const inet = createInet(machine, { freePages: 20_000 });
  const down = createLink(clock, frames, wire, random.fork("down"), (f) => device.driver.frameArrived(f));
  const peer = createTcpPeer(clock, frames, down.send);
  device.link = createLink(clock, frames, wire, random.fork("up"), peer.frameArrived);
  expect(machine.up(device)).toBe(true);
  return { machine, inet, peer };
}

/** Nothing is left once connections are closed and the device is down. */
function expectEmpty({ machine, inet }: Pick<Lab, "machine" | "inet">, connections: readonly number[]): void {
  const { skbs } = machine;
  for (const c of connections) {
    const sk = inet.tcp.sock(c);
    inet.tcp.close(c);
    expect([c, skbs.socks.wmemQueued[sk], skbs.socks.rmemAlloc[sk]]).toEqual([c, 0, 0]);
  }
  inet.tcp.exit();
  for (const device of machine.devices) machine.down(device);
  machine.clock.run(machine.clock.now() + 1e9, 1e6);
  for (const c of connections) expect(skbs.socks.wmemAlloc[inet.tcp.sock(c)]).toBe(0);
  expect([skbs.columns.skbsLive(), skbs.columns.headsLive(), machine.frames.alive()]).toEqual([0, 0, 0]);
  expect(inet.tcpMem.allocatedPages()).toBeLessThanOrEqual(connections.length);
}

/** Sends both ways between machine and peer; how much arrived. */
function exchange(
  lab: Lab,
  out: number,
  into: number,
): { readonly sent: number; readonly read: number; readonly c: number } {
  const { machine, inet, peer } = lab;
  const p = peer.connect({ flowIn: 2, flowOut: 1, mss: machine.devices[0]!.mtu - 52 });
  let written = 0;
  let read = 0;
  const write = (c: number): void => {
    while (written < out) {
      const took = inet.tcp.sendmsg(c, Math.min(30_000, out - written));
      written += took;
      if (took === 0) return;
    }
  };
  const c = inet.connect(
    machine.devices[0]!,
    { flowIn: 1, flowOut: 2 },
    {
      writable: write,
      readable: (of) => {
        read += inet.tcp.recv(of, 1 << 30);
      },
    },
  );
  write(c);
  peer.send(p, into);
  machine.clock.run(120e9, 4e6);
  return { sent: peer.received(p), read, c };
}

describe("TCP through a machine", () => {
  for (const release of ["6.1.192-x86_64", "2.6.24-x86_64", "3.13-x86_64"])
    for (const mtu of [1500, 9000])
      test(`${release}, MTU ${mtu}: both ways, in order and complete, and nothing stays`, () => {
        const lab = withPeer({ release, mtu });
        const { sent, read, c } = exchange(lab, 1_000_000, 1_000_000);
        expect([sent, read]).toEqual([1_000_000, 1_000_000]);
        expectEmpty(lab, [c]);
      });

  for (const [driver, release, mtu] of [
    ["tg3", "2.6.24-x86_64", 1500],
    ["tg3", "6.1-x86_64", 9000],
    ["e1000", "6.1.192-x86_64", 1500],
    ["e1000", "6.1.192-x86_64", 9000],
    ["e1000e", "6.1.192-x86_64", 1500],
    ["e1000e", "6.1.192-x86_64", 9000],
    ["virtio_net", "6.1.192-x86_64", 1500],
    ["mvneta", "6.1-x86_64", 1500],
    ["ibm_emac", "2.6.29-x86_64", 4000],
  ] as const)
    test(`over ${driver} of ${release}, MTU ${mtu}, with loss: complete, and nothing stays`, () => {
      const lab = withPeer({ driver, release, mtu, loss: 0.01 });
      const { sent, read, c } = exchange(lab, 300_000, 300_000);
      expect([sent, read]).toEqual([300_000, 300_000]);
      expectEmpty(lab, [c]);
    });

  for (const seed of [1, 2, 3])
    test(`2 % of frames are lost on each wire (seed ${seed})`, () => {
      const lab = withPeer({ seed, loss: 0.02 });
      const { sent, read, c } = exchange(lab, 400_000, 400_000);
      expect([sent, read]).toEqual([400_000, 400_000]);
      expect(lab.inet.tcp.counters.retransSegs + lab.peer.counters.retransmitted).toBeGreaterThan(0);
      expect(lab.inet.tcp.counters.ofoQueue + lab.peer.counters.early).toBeGreaterThan(0);
      expectEmpty(lab, [c]);
    });

  test("the ownership checker finds nothing wrong with it", () => {
    const lab = withPeer({ loss: 0.02, owned: true });
    const { sent, read, c } = exchange(lab, 60_000, 60_000);
    expect([sent, read]).toEqual([60_000, 60_000]);
    expectEmpty(lab, [c]);
  });

  test("every allocation of a short exchange may fail: it completes, and nothing leaks", () => {
    const counting = failing({ nth: 0 });
    exchange(withPeer({ fails: counting }), 40_000, 40_000);
    const total = counting.asked();
    expect(total).toBeGreaterThan(100);
    const step = Math.ceil(total / 60);
    // The ring is filled before; failures there keep the device down, which is the drivers' tests.
    const ring = 256;
    for (let nth = 1; nth <= total - ring; nth += step) {
      const fails = failing({ nth: 0 });
      const lab = withPeer({ fails });
      fails.arm(nth);
      const { sent, read, c } = exchange(lab, 40_000, 40_000);
      expect([nth, fails.refused(), sent, read]).toEqual([nth, 1, 40_000, 40_000]);
      expectEmpty(lab, [c]);
    }
  });

  test("both ends in one machine, two cards and a cable: one memory holds the write queue and the receive queue", () => {
    const machine = createMachine({
      release: parseRelease("6.1.192-x86_64"),
      memoryMb: 128,
      nics: [{ driver: "ringnic" }, { driver: "ringnic" }],
    });
    const { clock, frames, random } = machine;
    const inet = createInet(machine, { freePages: 20_000 });
    const [a, b] = machine.devices;
    const wire = { bitsPerSecond: 1e9, delayNanos: 20_000, loss: 0.005 };
    a!.link = createLink(clock, frames, wire, random.fork("ab"), (f) => b!.driver.frameArrived(f));
    b!.link = createLink(clock, frames, wire, random.fork("ba"), (f) => a!.driver.frameArrived(f));
    for (const d of machine.devices) expect(machine.up(d)).toBe(true);
    let read = 0;
    let sent = 0;
    const write = (c: number): void => {
      while (sent < 500_000) {
        const took = inet.tcp.sendmsg(c, Math.min(10_000, 500_000 - sent));
        sent += took;
        if (took === 0) return;
      }
    };
    const sender = inet.connect(a!, { flowIn: 1, flowOut: 2 }, { writable: write });
    const reader = inet.connect(
      b!,
      { flowIn: 2, flowOut: 1 },
      {
        readable: (c) => {
          read += inet.tcp.recv(c, 1e9);
        },
      },
    );
    write(sender);
    clock.run(60e9, 2e6);
    expect([sent, read]).toEqual([500_000, 500_000]);
    expectEmpty({ machine, inet }, [sender, reader]);
  });

  test("datagrams go out by the device their flow is routed to, and the same seed gives the same run", () => {
    const run = (): unknown => {
      const lab = withPeer({ loss: 0.01, seed: 4 });
      const { machine, inet } = lab;
      const sock = inet.udp.bind(5);
      inet.route(6, machine.devices[0]!);
      for (let i = 0; i < 10; i++) expect(inet.udp.send(sock, 6, 1000)).toBe(1000);
      const { sent, read } = exchange(lab, 100_000, 100_000);
      expect(machine.devices[0]!.stats.txPackets).toBeGreaterThan(10);
      expect(machine.skbs.socks.wmemAlloc[sock]).toBe(0);
      return [sent, read, machine.clock.events(), machine.clock.now(), inet.tcp.counters, lab.peer.counters];
    };
    expect(run()).toEqual(run());
  });
});
