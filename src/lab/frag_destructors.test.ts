import { describe, expect, test } from "vitest";
import { scenarioDocument } from "../report/scenarios.ts";
import { renderText } from "../report/text.ts";
import { skbKinds } from "../scenario/skb_kinds.ts";
import { costDefaults, runFragDestructorCost } from "./frag_destructor_cost.ts";
import { nfsDefaults, runNfsRetransmit } from "./nfs_retransmit.ts";

describe("what fragment destructors cost on 3.2", () => {
  const settings = {
    ...costDefaults,
    frames: [60, 100, 160, 600, 1514].map((bytes) => ({ bytes, weight: 1 })),
    packets: 200,
    memoryMb: 32,
    pressurePackets: 1500,
  };
  const result = runFragDestructorCost(settings);
  const of = (name: string) => result.designs.find((d) => d.design === name);
  const frame = (name: string, bytes: number) => of(name)?.frames.find((f) => f.bytes === bytes);

  test("the pointer takes the room in the 512-byte bucket from 168 to 24 bytes", () => {
    expect(of("none")?.room).toEqual({ bucket: 512, left: 168 });
    expect(of("plain-pointer")?.room).toEqual({ bucket: 512, left: 24 });
  });

  test("a frame of 24 < size < 168 moves to the next bucket with the plain pointer, and with nothing else", () => {
    expect(frame("none", 100)?.headBytes).toBe(512);
    expect(frame("plain-pointer", 100)?.headBytes).toBe(1024);
    for (const name of ["stolen-bit", "bitmap", "compressed-pointer", "ubuf-per-skb"])
      expect(frame(name, 100)).toEqual(frame("none", 100));
  });

  test("a larger bucket is more memory a packet and more failures under pressure", () => {
    expect(frame("plain-pointer", 60)!.memoryPerPacket).toBeGreaterThan(1.5 * frame("none", 60)!.memoryPerPacket);
    expect(frame("plain-pointer", 60)!.failures).toBeGreaterThan(frame("none", 60)!.failures);
  });

  test("a split head is three allocations on three pages; fitting caches lie between", () => {
    expect(frame("split-info", 60)).toMatchObject({ allocations: 3, pagesTouched: 3 });
    expect(frame("fitting-caches", 60)!.memoryPerPacket).toBeLessThan(frame("plain-pointer", 60)!.memoryPerPacket);
    expect(frame("fitting-caches", 60)!.memoryPerPacket).toBeGreaterThan(frame("none", 60)!.memoryPerPacket);
  });

  test("the same settings give the same result", () => {
    const once = { ...settings, designs: ["plain-pointer" as const], frames: [{ bytes: 60, weight: 1 }] };
    expect(runFragDestructorCost(once)).toEqual(runFragDestructorCost(once));
  });
});

describe("pages reused while a retransmission holds them", () => {
  const settings = { ...nfsDefaults, lossRates: [0, 0.03], seeds: 4, rpcs: 40 };
  const result = runNfsRetransmit({ ...settings, designs: ["none", "plain-pointer", "bitmap", "ubuf-per-skb"] });

  test("without destructors data that was changed goes out, and the server writes it", () => {
    const [calm, lossy] = result.designs[0]!.runs;
    expect(calm).toMatchObject({ framesCorrupted: 0, filesCorrupted: 0 });
    expect(lossy!.framesCorrupted).toBeGreaterThan(0);
    expect(lossy!.filesCorrupted).toBeGreaterThan(0);
  });

  test("with destructors it never does, at the price of a wait", () => {
    for (const design of result.designs.slice(1)) {
      for (const run of design.runs) expect(run).toMatchObject({ framesCorrupted: 0, filesCorrupted: 0 });
      expect(design.runs[1]!.reuseWaitTicks).toBeGreaterThan(0);
    }
  });

  test("a destructor a fragment changes no packet, only what the pages hold; an owner a packet makes more of them", () => {
    const frames = result.designs.map((d) => d.runs.map((r) => [r.calls, r.callsSentAgain, r.framesSent]));
    const [none, pointer, bitmap, ubuf] = frames;
    expect(pointer).toEqual(none);
    expect(bitmap).toEqual(none);
    // The header of the next call cannot ride with pages that belong to another owner.
    expect(ubuf![0]![2]).toBeGreaterThan(none![0]![2] as number);
  });
});

test("a socket that is full when a message begins does not move the messages behind it: an owner a packet protects there too", () => {
  const settings = { ...nfsDefaults, designs: ["ubuf-per-skb" as const], lossRates: [0], seeds: 1 };
  const result = runNfsRetransmit({ ...settings, outstanding: 24, pagesPerRpc: 16 });
  const [run] = result.designs[0]!.runs;
  expect(run!.callsSentAgain).toBeGreaterThan(100);
  expect(run).toMatchObject({ framesCorrupted: 0, filesCorrupted: 0 });
});

test("a wire that loses nearly every second frame gives a result, not a fault of ours: it says which runs were cut short", () => {
  const settings = { ...nfsDefaults, designs: ["none" as const], lossRates: [0.2, 0.4], seeds: 1, rpcs: 60 };
  const result = runNfsRetransmit(settings);
  const [much, more] = result.designs[0]!.runs;
  expect(much).toMatchObject({ calls: 60, callsUnanswered: 0, runsUnfinished: 0 });
  expect(more!.runsUnfinished).toBe(1);
  expect(more!.callsUnanswered).toBeGreaterThan(0);
  expect(more!.filesCorrupted).toBeLessThanOrEqual(more!.calls - more!.callsUnanswered);
  const { kind, summary } = skbKinds[1]!;
  const text = renderText(scenarioDocument("x.yaml", kind, summary, result), { colour: false, width: 120 });
  expect(text).toContain("At a loss of 40.0 %, 1 of 1 runs were ended by their limit of events");
});

test("both scenarios are drawn", () => {
  const settings = [
    { ...costDefaults, frames: [{ bytes: 60, weight: 1 }], packets: 20, memoryMb: 32, pressurePackets: 50 },
    { ...nfsDefaults, lossRates: [0.05], seeds: 1, rpcs: 10 },
  ];
  skbKinds.forEach((kind, i) => {
    const parsed = kind.schema.parse(settings[i]);
    const document = scenarioDocument("x.yaml", kind.kind, kind.summary, kind.run(parsed));
    const text = renderText(document, { colour: false, width: 120 });
    expect(text).toContain("plain-pointer");
    expect(text).not.toContain("undefined");
  });
});
