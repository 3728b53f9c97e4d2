import { describe, expect, test } from "vitest";
import { formatRelease, parseRelease } from "../kernel/release.ts";
import { checkDriver } from "./driver_check.ts";
import { exactKernels } from "./kernels/parts_for.ts";
import type { Machine } from "./machine.ts";
import { createInet } from "./net/path/inet.ts";
import { createLink } from "./net/path/wire.ts";
import { createTcpPeer } from "./net/tcp/tcp_peer.ts";

const incoming = 14_000;
const copied = 9000;
const lent = 4096;

/** Connections with a remote host, in and out, copied and by reference, over a wire that loses some frames: bytes that arrived. */
function tcpLife(): (machine: Machine, mtu: number) => number {
  let made: ReturnType<typeof lab> | undefined;
  return (machine, mtu) => {
    made ??= lab(machine);
    return made(mtu);
  };
}

function lab(machine: Machine) {
  const { clock, cpus, frames, pages, skbs, random } = machine;
  const device = machine.devices[0]!;
  const most = 3000;
  const inet = createInet(machine, { freePages: 12_000, connectionsMax: most });
  const { tcp } = inet;
  const wire = { bitsPerSecond: 1e9, delayNanos: 10_000, loss: 0.02 };
  const down = createLink(clock, frames, wire, random.fork("down"), (f) => device.driver.frameArrived(f));
  const peer = createTcpPeer(clock, frames, down.send, { connectionsMax: most, rtoMinNanos: 20e6 });
  device.link = createLink(clock, frames, wire, random.fork("up"), peer.frameArrived);
  let flow = 0;

  const connect = (mss: number, user: { writable?: () => void; readable?: (c: number) => void }) => {
    const [flowIn, flowOut] = [++flow, flow + 65_536];
    const here = inet.connect(device, { flowIn, flowOut }, user);
    return { here, there: peer.connect({ flowIn: flowOut, flowOut: flowIn, mss }) };
  };

  return (mtu: number): number => {
    device.driver.changeMtu(mtu);
    const page = pages.allocPages(skbs.config.gfp.kernel, 0);
    if (page < 0 || !machine.up(device)) {
      if (page >= 0) pages.putPage(page);
      return incoming + copied + lent;
    }
    let read = 0;
    let left = copied;
    let leftOfPage = lent;
    const write = (): void => {
      for (let took = 1; left > 0 && took > 0; left -= took) took = tcp.sendmsg(out.here, left);
      for (let took = 1; left === 0 && leftOfPage > 0 && took > 0; leftOfPage -= took)
        took = tcp.sendpage(out.here, page, lent - leftOfPage, leftOfPage);
    };
    const reading = cpus.register((c) => {
      read += tcp.recv(c, 1 << 20);
    });
    const readable = (c: number): void => cpus.work(0, 50_000, reading, c);
    const out = connect(mtu - 52, { writable: write });
    const into = connect(mtu - 52, { readable });
    const writer = cpus.register(write);
    cpus.work(0, 0, writer);
    peer.send(into.there, incoming);
    const done = (): boolean => read === incoming && peer.received(out.there) === copied + lent;
    // The last acknowledgements are on their way when the last byte has arrived. A sender that got no memory with nothing under way hears of no
    // acknowledgement: it looks again after at most a fifth of a second (net/core/stream.c sk_stream_wait_memory).
    for (let i = 0; i < 400 && !(done() && tcp.unacknowledged(out.here) + peer.pending(into.there) === 0); i++) {
      clock.run(clock.now() + 50e6, 1e5);
      if (left > 0 || leftOfPage > 0) cpus.work(0, 0, writer);
    }
    const arrived = read + peer.received(out.there);
    tcp.close(out.here);
    tcp.close(into.here);
    tcp.exit();
    clock.run(clock.now() + 3e8, 1e5);
    machine.down(device);
    clock.run(clock.now() + 3e8, 1e5);
    pages.putPage(page);
    return arrived;
  };
}

const cases: readonly [driver: string, release: string, mtu: number][] = [
  ...exactKernels.map(({ release }): [string, string, number] => ["ringnic", formatRelease(release), 1500]),
  ["e1000", "2.6.24-x86_64", 1500],
  ["e1000e", "6.1.192-x86_64", 9000],
  ["virtio_net", "6.1.192-x86_64", 1500],
  ["e1000", "5.10.223-x86_64", 1500],
  ["virtio_net", "5.10.223-x86_64", 1500],
  ["virtio_net", "6.12.117-x86_64", 1500],
  ["e1000e", "7.2.12-x86_64", 9000],
  ["tg3", "3.2-x86_64", 9000],
  ["ibm_emac", "2.6.29-ppc32", 1500],
  ["mvneta", "3.10-arm", 1500],
  ["mvneta", "4.14-arm", 1500],
  ["mvneta", "4.19-arm64", 1500],
  ["mvneta", "6.1-arm64", 1500],
];

describe("with TCP running, every request for memory is refused once: all bytes arrive, and nothing stays behind", () => {
  for (const [driver, release, mtu] of cases)
    test(`${driver} of ${release}, MTU ${mtu}`, () => {
      const life = tcpLife();
      const lost: number[] = [];
      const check = checkDriver({
        driver,
        release: parseRelease(release),
        mtu,
        watched: false,
        life(machine, at) {
          const arrived = life(machine, at);
          if (arrived !== incoming + copied + lent) lost.push(arrived);
          return arrived;
        },
      });
      expect(check.leaks).toEqual([]);
      expect(lost).toEqual([]);
      expect(check.lives).toBeGreaterThan(20);
    });
});
