// Seed 000's question over TCP: what a larger MTU costs a card that takes one piece of memory a packet, once memory is fragmented.
import { expect, test } from "vitest";
import { parseRelease } from "../kernel/release.ts";
import { createMachine } from "./machine.ts";
import { createInet } from "./net/path/inet.ts";
import { createLink } from "./net/path/wire.ts";
import { createTcpPeer } from "./net/tcp/tcp_peer.ts";
import { createWorkloads } from "./workload/workloads.ts";

/** Eight streams into an EMAC whose reader comes every 20 ms; Mbit/s that were read in 200 ms. */
function goodput(mtu: number, loaded: boolean): number {
  const machine = createMachine({
    release: parseRelease("2.6.29-x86_64"),
    memoryMb: 128,
    nics: [{ driver: "ibm_emac", mtu }],
  });
  const { clock, frames, random } = machine;
  const device = machine.devices[0]!;
  const wire = { bitsPerSecond: 1e9, delayNanos: 20_000, loss: 0 };
  const inet = createInet(machine, { freePages: 25_000 });
  const down = createLink(clock, frames, wire, random.fork("down"), (f) => device.driver.frameArrived(f));
  const peer = createTcpPeer(clock, frames, down.send);
  device.link = createLink(clock, frames, wire, random.fork("up"), peer.frameArrived);
  machine.up(device);
  const workloads = createWorkloads(machine, {
    loads: [
      { kind: "page-cache", pagesPerMilli: 300, dropShare: 0.3 },
      { kind: "slab", objectsPerMilli: 600, maxObjects: 60_000, freeShare: 0.3 },
      { kind: "processes", jobs: 12, pagesPerMilli: 200, pagesMax: 2000 },
      { kind: "pinned", pages: 3000, pagesPerMilli: 20 },
    ],
  });
  if (loaded) {
    workloads.warmUp(400);
    workloads.start();
  }
  const connections: number[] = [];
  for (let k = 1; k <= 8; k++) {
    const p = peer.connect({ flowIn: 100 + k, flowOut: k, mss: mtu - 52 });
    connections.push(inet.connect(device, { flowIn: k, flowOut: 100 + k, rcvbufBytes: 4e6 }));
    peer.send(p, 1e9);
  }
  let read = 0;
  const reader = clock.handler(() => {
    for (const c of connections) read += inet.tcp.recv(c, 1e9);
    clock.after(20e6, reader);
  });
  clock.after(1e6, reader);
  const start = clock.now();
  expect(clock.run(start + 200e6, 5e6)).toBe("time");
  return (read * 8e3) / (clock.now() - start);
}

test("fragmented memory costs nothing at MTU 1500, most of the throughput at 4000 and nearly all at 9000", () => {
  for (const mtu of [1500, 9000]) expect(goodput(mtu, false)).toBeGreaterThan(700);
  expect(goodput(1500, true)).toBeGreaterThan(700);
  const middle = goodput(4000, true);
  const large = goodput(9000, true);
  expect(middle).toBeLessThan(600);
  expect(large).toBeLessThan(middle);
  expect(large).toBeLessThan(200);
});
