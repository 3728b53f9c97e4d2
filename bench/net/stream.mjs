// One measured run of TCP: a remote host and the machine send each other a stream over a 10 Gbit/s wire, one way at a time. What a packet is
// here: a frame with data. With it come wire, driver, GRO, coalescing, socket memory, a reader, and the acknowledgements the other way.
//   node bench/net/stream.mjs DRIVER MTU PACKETS in|out
// Prints nanoseconds of CPU a data packet, bytes that arrived (a checksum), frames both ways, packets that GRO joined, segments sent again,
// garbage collections and MiB resident at both ends of the loop.
import { parseRelease } from "../../dist/kernel/release.js";
import { createMachine } from "../../dist/model/machine.js";
import { createInet } from "../../dist/model/net/path/inet.js";
import { createLink } from "../../dist/model/net/path/wire.js";
import { createTcpPeer } from "../../dist/model/net/tcp/tcp_peer.js";
import { answer, nanosAndCollections } from "../harness.mjs";

const [driver = "e1000e", mtuText = "1500", countText = "1000000", direction = "in"] = process.argv.slice(2);
const mtu = Number(mtuText);
const packets = Number(countText);
const mss = mtu - 52;
const machine = createMachine({
  release: parseRelease("6.1.192-x86_64"),
  memoryMb: 512,
  nics: [{ driver, mtu, settings: { rx_ring: 1024 } }],
});
const { clock, cpus, frames, random } = machine;
const device = machine.devices[0];
const wire = { bitsPerSecond: 10e9, delayNanos: 20_000, loss: 0 };
const inet = createInet(machine, { freePages: 120_000 });
const down = createLink(clock, frames, wire, random.fork("down"), device.driver.frameArrived);
const peer = createTcpPeer(clock, frames, down.send);
device.link = createLink(clock, frames, wire, random.fork("up"), peer.frameArrived);
if (!machine.up(device)) throw new Error("the device did not come up");

let read = 0;
let woken = false;
const reading = cpus.register((c) => {
  woken = false;
  read += inet.tcp.recv(c, 2 ** 30);
});
const readable = (c) => {
  if (woken) return;
  woken = true;
  cpus.work(0, 20_000, reading, c);
};
let owed = 0;
const writable = (c) => {
  for (let took = 1; owed > 0 && took > 0; owed -= took) took = inet.tcp.sendmsg(c, Math.min(owed, 65_536));
};
const here = inet.connect(device, { flowIn: 1, flowOut: 2, rcvbufBytes: 1 << 20 }, { readable, writable });
const there = peer.connect({ flowIn: 2, flowOut: 1, mss, windowBytes: 1 << 20 });
const writing = cpus.register(writable);
const arrived = () => (direction === "in" ? read : peer.received(there));

const run = (bytes) => {
  // Sequence numbers wrap at 2^32 and compare over half of it: in parts.
  for (let left = bytes; left > 0; ) {
    const part = Math.min(left, 2 ** 28);
    left -= part;
    const until = arrived() + part;
    if (direction === "in") peer.send(there, part);
    else {
      owed += part;
      cpus.work(0, 0, writing, here);
    }
    while (arrived() < until) {
      const before = arrived();
      clock.run(clock.now() + 1e8, Number.POSITIVE_INFINITY);
      if (arrived() === before) throw new Error(`the stream stands still after ${before} bytes`);
    }
  }
};

run(200_000 * mss);
const rss = process.memoryUsage().rss;
const sentBefore = down.sent() + device.link.sent();
const start = arrived();
const { nanos, collections } = await nanosAndCollections(packets, () => run(packets * mss));
const again = peer.counters.retransmitted + inet.tcp.counters.retransSegs;
answer(
  nanos,
  (arrived() - start) % 2 ** 32,
  down.sent() + device.link.sent() - sentBefore,
  machine.gro.merged(),
  again,
  collections,
  Math.round(rss / 2 ** 20),
  Math.round(process.memoryUsage().rss / 2 ** 20),
);
