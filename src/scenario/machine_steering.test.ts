// Where flows come to by rules, and readers that poll their card themselves.
import { describe, expect, test } from "vitest";
import { BadInput } from "../base/bad_input.ts";
import { drawMachine } from "../report/scenario_machine.ts";
import { renderText } from "../report/text.ts";
import { runMachine } from "./machine_run.ts";
import { machineSchema } from "./machine_settings.ts";
import type { WireFrame } from "./wire_tap.ts";

const run = (more: object, wire?: (frame: WireFrame) => void) =>
  runMachine(machineSchema.parse({ memoryMb: 128, cpus: 4, millis: 10, ...more }), wire === undefined ? {} : { wire });
const card = { driver: "ringnic", queues: 4, mbitPerSecond: 10_000 };
const text = (r: ReturnType<typeof run>): string => renderText(drawMachine(r), { colour: false, width: 120 });
const perQueue = (r: ReturnType<typeof run>): number[] =>
  r.devices[0]?.queues?.map((q) => q.counters["rx_packets"] ?? -1) ?? [];

describe("rules of flow steering", () => {
  const reader = { rcvbufKb: 100_000 };
  test("the first rule that fits decides, by port and by address; -1 drops, and the rest goes by its hash", () => {
    const rules = [
      { flowType: "udp4", dstPort: 53, action: 3 },
      // Flow 1 and its like of the second stream: numbers 2, 66, 130, …, of which the first lies in 198.18.0.0/26.
      { flowType: "udp4", srcIp: "198.18.0.0/26", action: -1 },
      { flowType: "udp4", dstPort: 53, action: 0 },
    ];
    const traffic = [
      { port: 53, flows: 8, framesPerSecond: 50_000 },
      { flows: 4, framesPerSecond: 50_000 },
    ];
    const said: string[] = [];
    const r = run({ nics: [{ ...card, rules }], traffic, reader }, (f) => void said.push(f.said));
    const filtered = r.devices[0]?.filtered ?? 0;
    // A quarter of the second stream.
    expect(filtered).toBeGreaterThan(100);
    expect(Math.abs(filtered - r.sent / 8)).toBeLessThan(12);
    expect(said.filter((s) => s === "dropped by a rule of eth0")).toHaveLength(filtered);
    expect(perQueue(r)[3]).toBeGreaterThanOrEqual(Math.floor(r.sent / 2) - 20);
    // Twin without rules: nothing is dropped, and port 53 is spread.
    const plain = run({ nics: [card], traffic, reader });
    expect(plain.devices[0]?.filtered).toBeUndefined();
    const row = new RegExp(`dropped by flow rules of eth0 +${filtered.toLocaleString("en-US")} frames`);
    expect(text(r)).toMatch(row);
    expect(text(plain)).not.toContain("flow rules");
    expect(Math.max(...perQueue(plain))).toBeLessThan(perQueue(r)[3] ?? 0);
  });
  test("connections are placed by the port of this machine's end", () => {
    const rules = [
      { flowType: "tcp4", dstPort: 5001, action: 1 },
      { flowType: "tcp4", dstPort: 443, action: 2 },
    ];
    const counts = perQueue(run({ nics: [{ ...card, rules }], tcp: [{}, { port: 443 }] }));
    expect([counts[0], counts[3]]).toEqual([0, 0]);
    for (const queue of [1, 2]) expect(counts[queue]).toBeGreaterThan(500);
  });
  test.each([
    [
      { nics: [{ driver: "ena", queues: 2, rules: [{ flowType: "udp4", action: 0 }] }] },
      /ena of 6\.1-x86_64 takes no rules/,
    ],
    [
      { release: "6.1-x86_64", nics: [{ driver: "gve", queues: 2 }], traffic: [{ queue: 1 }] },
      /traffic\[0\]\.queue: gve of 6\.1-x86_64 takes no rules/,
    ],
    [{ nics: [{ ...card, rules: [{ flowType: "udp4", action: 4 }] }] }, /rules\[0\]\.action: there is no queue 4/],
    [{ nics: [{ driver: "ringnic", rules: [] }] }, /rules are for a card with several queues/],
  ])("%j is refused", (settings, said) => {
    expect(() => run(settings)).toThrow(BadInput);
    expect(() => run(settings)).toThrow(said);
  });
  test.each(["1.2.3.400", "1.2.3", "1.2.3.4/33", "host"])("%s is no address", (srcIp) => {
    expect(() => run({ nics: [{ ...card, rules: [{ flowType: "udp4", srcIp, action: 0 }] }] })).toThrow("IPv4 address");
  });
  test("gve takes rules since 6.11", () => {
    const nics = [{ driver: "gve", queues: 2, rules: [{ flowType: "udp4", action: 1 }] }];
    expect(perQueue(run({ release: "6.12-x86_64", nics, traffic: [{ flows: 16 }] }))[0]).toBe(0);
  });
});

describe("busy polling", () => {
  const busy = (release: string, busyPollMicros?: number) =>
    run({
      release,
      nics: [{ driver: "ringnic", irqCpus: [1], settings: { buffers: "page_pool", rx_ring: 64 } }],
      traffic: [{ framesPerSecond: 50_000 }],
      reader: { everyMicros: 200, rcvbufKb: 4000, ...(busyPollMicros === undefined ? {} : { busyPollMicros }) },
    });
  test("the reader's polls take the packets: none waits for an interrupt or for the reader's next turn", () => {
    const [off, on] = [busy("6.1-x86_64"), busy("6.1-x86_64", 500)];
    expect(off.busyPolled).toBeUndefined();
    expect(on.received).toBeGreaterThan(450);
    expect(on.busyPolled).toBeGreaterThan(0.9 * on.received);
    expect(on.socketDrops).toBe(0);
    expect(text(on)).toMatch(new RegExp(`taken by the reader's busy polls +${on.busyPolled} packets`));
    expect(text(off)).not.toContain("busy polls");
    // What lies in the queue lies there in single packets: the ring of the pool never fills up.
    expect(off.devices[0]?.pool?.ringFull).toBeGreaterThan(0);
    expect(on.devices[0]?.pool?.ringFull).toBe(0);
  });
  test("frames that come between the loop's end and the next are not forgotten, at any length of it", () => {
    for (const micros of [1, 7, 20, 100]) {
      const r = busy("6.12-x86_64", micros);
      expect(r.sent - r.received, `${micros}`).toBeLessThan(15);
      expect(r.devices[0]?.stats.rxMissed).toBe(0);
    }
  });
  test("a card of several queues: the loop gives back the queue it began with, and no queue stands still", () => {
    const r = run({
      nics: [{ ...card, driver: "ice", settings: { rx_ring: 64 } }],
      traffic: [{ framesPerSecond: 100_000, flows: 64 }],
      reader: { everyMicros: 100, rcvbufKb: 4000, busyPollMicros: 60 },
      millis: 20,
    });
    expect(r.busyPolled).toBeGreaterThan(50);
    expect(r.sent - r.received).toBeLessThan(30);
    expect(r.devices[0]?.stats.rxMissed).toBe(0);
  });
  test("a release before 4.5 had another busy poll", () => {
    expect(() => busy("4.4-x86_64", 10)).toThrow("reader.busyPollMicros does not exist in 4.4-x86_64");
  });
});
