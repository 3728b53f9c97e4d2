import { describe, expect, test } from "vitest";
import { prng } from "../base/prng.ts";
import { sized } from "../base/size.testkit.ts";
import { parseRelease } from "../kernel/release.ts";
import { checkDriver } from "../model/driver_check.ts";
import { createMachine } from "../model/machine.ts";
import { headerBytes } from "../model/net/path/wire.ts";
import { skbField } from "../model/net/skb/skb_columns.ts";
import { scenarioKinds } from "./kinds.ts";
import { runMachine } from "./machine_run.ts";
import { machineSchema } from "./machine_settings.ts";
import { readScenario } from "./read.ts";

const run = (nic: object, traffic: object, more: object = {}) =>
  runMachine(
    machineSchema.parse({
      memoryMb: 128,
      cpus: 4,
      nics: [{ driver: "ringnic", queues: 4, mbitPerSecond: 10_000, ...nic }],
      traffic: [{ framesPerSecond: 200_000, ...traffic }],
      reader: { rcvbufKb: 100_000 },
      millis: 10,
      ...more,
    }),
  );
const perQueue = (r: ReturnType<typeof run>): number[] =>
  r.devices[0]?.queues?.map((q) => q.counters["rx_packets"] ?? -1) ?? [];

describe("a card with four queue pairs", () => {
  test("flows are spread by their hash: each queue gets the frames of the flows that hash to it", () => {
    const r = run({}, { flows: 64 });
    const counts = perQueue(r);
    expect(counts.reduce((a, b) => a + b)).toBe(r.devices[0]?.stats.rxPackets);
    for (const n of counts) expect(n).toBeGreaterThan(100);
    // Twin: one flow goes to one queue.
    expect(perQueue(run({}, { flows: 1 })).filter((n) => n > 0)).toHaveLength(1);
  });

  test("a steering rule, or a table with one queue in it, sends all to one queue", () => {
    expect(perQueue(run({}, { flows: 64, queue: 2 })).map((n) => n > 0)).toEqual([false, false, true, false]);
    expect(perQueue(run({ rss: { indirection: [3] } }, { flows: 64 })).map((n) => n > 0)).toEqual([
      false,
      false,
      false,
      true,
    ]);
  });

  test("the same flows come to other queues under another key, and to the same under the same", () => {
    const keyed = (byte: string) => perQueue(run({ rss: { key: new Array(40).fill(byte).join(":") } }, { flows: 8 }));
    expect(keyed("6d")).toEqual(keyed("6d"));
    expect(perQueue(run({}, { flows: 8 }, { seed: 2 }))).not.toEqual(perQueue(run({}, { flows: 8 }, { seed: 3 })));
  });

  test("interrupts go where they are sent: all polls happen on those CPUs, and two CPUs carry what one does not", () => {
    const cpusOf = (irqCpus: readonly number[]) => {
      const machine = createMachine({
        release: parseRelease("6.1-x86_64"),
        memoryMb: 64,
        cpus: 4,
        nics: [{ driver: "ringnic", queues: 4, irqCpus, settings: { rx_ring: 64 } }],
      });
      const polled = new Set<number>();
      machine.journal.listen((_kind, _nanos, cpu) => void polled.add(cpu), "napi_poll");
      const device = machine.devices[0]!;
      machine.up(device);
      for (let flow = 1; flow <= 32; flow++) {
        const frame = machine.frames.take();
        machine.frames.W[frame] = 100;
        machine.frames.W[frame + 1] = flow;
        device.driver.frameArrived(frame);
      }
      machine.clock.run(1e9, 1e5);
      expect(device.stats.rxPackets).toBe(32);
      return [...polled].sort();
    };
    expect(cpusOf([0, 1, 2, 3])).toEqual([0, 1, 2, 3]);
    expect(cpusOf([2, 2, 2, 2])).toEqual([2]);
    const load = { flows: 64, framesPerSecond: 4e6, bytes: 64 };
    const [one, four] = [
      [0, 0, 0, 0],
      [0, 1, 2, 3],
    ].map((irqCpus) => run({ irqCpus }, load, { millis: 3 }));
    expect(one?.devices[0]?.stats.rxMissed).toBeGreaterThan(500);
    expect(four?.devices[0]?.stats.rxMissed).toBeLessThan((one?.devices[0]?.stats.rxMissed ?? 0) / 4);
  });

  test.each([{ xps: false }, { xps: true }])(
    "sends by the hash or by the CPU: %j; down, nothing stays behind",
    ({ xps }) => {
      const machine = createMachine({
        release: parseRelease("6.1-x86_64"),
        memoryMb: 64,
        cpus: 4,
        nics: [{ driver: "ringnic", queues: 4, xps, settings: { rx_ring: 16 } }],
      });
      const { skbs, xmit, cpus, clock } = machine;
      const device = machine.devices[0]!;
      machine.up(device);
      const send = cpus.register((flow) => {
        const skb = skbs.allocSkb(256, skbs.config.gfp.atomic);
        skbs.skbReserve(skb, 64);
        skbs.skbPut(skb, headerBytes[1] + 50);
        skbs.columns.S[skb + skbField.PROTOCOL] = 1;
        skbs.columns.S[skb + skbField.CB0] = flow;
        expect(xmit.queue(device, skb)).toBe(true);
      });
      for (let flow = 0; flow < 64; flow++) cpus.work(3, 0, send, flow);
      clock.run(1e9, 1e5);
      const sent = device.queues?.map((q) => q.driver.counters["tx_packets"]) ?? [];
      expect(sent.reduce((a, b) => (a ?? 0) + (b ?? 0))).toBe(64);
      if (xps) expect(sent).toEqual([0, 0, 0, 64]);
      else for (const n of sent) expect(n).toBeGreaterThan(0);
      machine.down(device);
      expect(xmit.queued(device)).toBe(0);
      expect(skbs.columns.skbsLive()).toBe(0);
    },
  );

  test("a page pool for each queue: what a queue hands up comes home to its own pool", () => {
    const r = run({ settings: { buffers: "page_pool", rx_ring: 64 } }, { flows: 64 });
    const queues = r.devices[0]?.queues ?? [];
    expect(queues).toHaveLength(4);
    for (const { pool, counters } of queues) {
      expect((pool?.fast ?? 0) + (pool?.slow ?? 0) + (pool?.refill ?? 0)).toBeGreaterThan(
        counters["rx_packets"] ?? Infinity,
      );
      expect((pool?.ring ?? 0) + (pool?.cached ?? 0)).toBeGreaterThan(50);
    }
  });
});

describe("every request of a card with queues fails once, and nothing stays behind", () => {
  test.each([
    [2, 1500, { buffers: "page_pool" }],
    [3, 9000, { buffers: "page_pool", order_most: 0, refill: "after" }],
    [2, 9000, { buffers: "page_pool", copybreak: 200 }],
    [3, 1500, { refill: "after", refill_least: 8 }],
  ] as const)("%i queues, MTU %i, %j", (queues, mtu, settings) => {
    const check = checkDriver({
      driver: "ringnic",
      release: parseRelease("6.1.192-x86_64"),
      mtu,
      queues,
      settings: { rx_ring: 16, ...settings },
    });
    expect(check).toMatchObject({ leaks: [], faults: [], complaints: [], recovered: true });
    expect(check.received).toBeGreaterThan(20);
  });
});

test("one queue is what it always was: a card that says so and one that does not give the same run, seed by seed", () => {
  const random = prng(77);
  for (let i = 0; i < sized(2, 20); i++) {
    const seed = random.below(1e6);
    const r = (nic: object) => ({ ...run(nic, {}, { seed, millis: 2 }), events: 0 });
    expect(r({ queues: 1 }), `seed ${seed}`).toEqual(r({ queues: 1, irqCpus: [0] }));
  }
});

describe("what does not go together is said with its place", () => {
  const complaint = (nic: string, traffic = "{}"): string => {
    try {
      readScenario("x.yaml", `kind: machine\ncpus: 2\nnics: [ ${nic} ]\ntraffic: [ ${traffic} ]\n`, scenarioKinds);
      return "";
    } catch (error) {
      return error instanceof Error ? error.message : "";
    }
  };
  test.each([
    ["{ driver: tg3, queues: 4 }", "{}", /tg3 has one queue pair here/],
    ["{ driver: ringnic, queues: 2, irqCpus: [0] }", "{}", /1 CPUs for 2 queue pairs/],
    ["{ driver: ringnic, queues: 2, irqCpus: [0, 2] }", "{}", /there is no CPU 2; the machine has 2/],
    ["{ driver: ringnic, rss: {} }", "{}", /rss is for a card with several queues/],
    ["{ driver: ringnic, queues: 2, rss: { indirection: [2] } }", "{}", /there is no queue 2; the card has 0 \.\. 1/],
    ["{ driver: ringnic, queues: 2 }", "{ queue: 2 }", /eth0 has queues 0 \.\. 1/],
    [
      "{ driver: ringnic, settings: { gfp_refill: GFP_SOON } }",
      "{}",
      /names GFP_SOON, which 6\.1-x86_64 does not have/,
    ],
    ["{ driver: ringnic, settings: { gfp_refill: 5 } }", "{}", /must be a gfp mask in the kernel's names/],
    [
      "{ driver: ringnic, queues: 2, irqCpus: [0, 1], rss: { indirection: [1, 0] }, settings: { gfp_refill: GFP_ATOMIC | __GFP_NOWARN } }",
      "{ queue: 1 }",
      /^$/,
    ],
  ])("%s %s", (nic, traffic, said) => {
    expect(complaint(nic, traffic)).toMatch(said);
  });
});
