// One measured run: a stream of frames over a 10 Gbit/s wire into a driver, through GRO, consumed by the protocol. Prints one line:
// nanoseconds of CPU a packet, checksum of what came up, RSS before and after in MiB, segments that GRO merged.
import { parseRelease } from "../../dist/kernel/release.js";
import { createMachine } from "../../dist/model/machine.js";
import { createLink, frameField, frameKind } from "../../dist/model/net/path/wire.js";
import { answer, processorNanos } from "../harness.mjs";

const [driver = "ringnic", mtu = "1500", count = "2000000", kind = "udp", release = "6.1.192", settings = "{}"] =
  process.argv.slice(2);
const machine = createMachine({
  release: parseRelease(`${release}-x86_64`),
  memoryMb: 256,
  nics: [{ driver, mtu: Number(mtu), settings: JSON.parse(settings) }],
});
const { clock, frames, skbs } = machine;
const device = machine.devices[0];
if (!machine.up(device)) throw new Error("the device did not come up");
const headers = kind === "tcp" ? 66 : 42;
const payload = Number(mtu) + 14 - headers;
const { S } = skbs.columns;
let bytes = 0;
let sum = 0;
machine.receive.protocol(frameKind[kind], (skb) => {
  bytes += S[skb + 4] - headers;
  sum = (Math.imul(sum, 31) + S[skb + 26]) | 0;
  skbs.consumeSkb(skb);
});
const link = createLink(
  clock,
  frames,
  { bitsPerSecond: 10e9, delayNanos: 1000, loss: 0 },
  machine.random.fork("wire"),
  (f) => device.driver.frameArrived(f),
);
const step = (1500 + 38) * 0.8 * (Number(mtu) / 1500) * 1.02;
let left = 0;
let seq = 0;
const send = clock.handler(() => {
  const f = frames.take();
  const { W } = frames;
  W[f + frameField.LEN] = payload;
  W[f + frameField.KIND] = frameKind[kind];
  W[f + frameField.SEQ] = seq;
  seq = (seq + payload) | 0;
  link.send(f);
  if (--left > 0) clock.after(step, send);
});
const run = (n) => {
  left = n;
  clock.after(0, send);
  clock.run(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
};
run(200_000);
const rss = process.memoryUsage().rss;
const before = bytes;
const nanos = processorNanos(Number(count), () => run(Number(count)));
const lost = device.stats.rxMissed + device.stats.rxDropped;
if (bytes - before !== Number(count) * payload)
  throw new Error(`${lost} packets were lost: the stream is faster than the driver`);
const mib = (b) => (b / 2 ** 20).toFixed(0);
answer(nanos, sum, mib(rss), mib(process.memoryUsage().rss), machine.gro.merged());
