import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findReadings } from "../artifact/embedded.ts";
import type { BuddyInfo } from "../kernel/readings/buddyinfo.ts";
import type { PageTypeInfo } from "../kernel/readings/pagetypeinfo.ts";
import type { ZoneInfo } from "../kernel/readings/zoneinfo.ts";
import { parseRelease } from "../kernel/release.ts";
import type { OrderState, WatermarkRequest, ZoneState } from "../model/mm/watermark.ts";
import { zoneWatermarkOk } from "../model/mm/watermark.ts";
import { grantsOf, liveZones, roomOf } from "./room.ts";

const atomic = (order: number): WatermarkRequest => ({
  order,
  mark: "min",
  highestZone: 0,
  high: true,
  harder: true,
  oom: false,
  cma: false,
  highatomic: order > 0,
});

/** The same by doing it: one grant after the other, each from the smallest block, its upper halves back on their lists. */
function naive(zone: ZoneState, order: number, ask: (z: ZoneState) => boolean): number {
  const orders = zone.orders!.map((o) => o.blocks);
  let free = zone.free;
  for (let granted = 0; ; granted++) {
    const state = {
      ...zone,
      free,
      orders: orders.map((blocks): OrderState => ({ blocks, letters: blocks > 0 ? "U" : "" })),
    };
    if (!ask(state)) return granted;
    let o = order;
    while (o < orders.length && orders[o] === 0) o++;
    if (o === orders.length) return granted;
    orders[o]!--;
    while (o > order) orders[--o]!++;
    free -= 2 ** order;
  }
}

test("room is what granting one request after the other gives, in every generation of the test", () => {
  const seed = 20261129;
  const zones = fc.record({
    blocks: fc.array(fc.nat(6), { minLength: 5, maxLength: 5 }),
    min: fc.nat(60),
    reserve: fc.nat(30),
    extra: fc.nat(20),
  });
  fc.assert(
    fc.property(zones, fc.nat(4), fc.constantFrom(0, 1, 2, 3), ({ blocks, min, reserve, extra }, order, generation) => {
      const orders = blocks.map((n): OrderState => ({ blocks: n, letters: n > 0 ? "U" : "" }));
      const free = blocks.reduce((n, b, o) => n + b * 2 ** o, 0) + extra;
      const zone: ZoneState = {
        free,
        min,
        low: min,
        high: min,
        boost: 0,
        lowmemReserve: [reserve],
        orders,
        freeCma: 0,
        reservedHighatomic: 0,
      };
      const supply = blocks.slice(order).reduce((n, b, o) => n + b * 2 ** o, 0);
      const ask = (z: ZoneState) => zoneWatermarkOk(generation as 0 | 1 | 2 | 3, z, atomic(order));
      expect(grantsOf(zone, order, supply, ask).requests).toBe(naive(zone, order, (z) => ask(z).ok === true));
    }),
    { seed, numRuns: 2000 },
  );
});

describe("a running machine's files", () => {
  const fixtures = join(import.meta.dirname, "../../fixtures/proc");
  const read = <T>(file: string): T => {
    const lines = readFileSync(join(fixtures, file), "utf8").trimEnd().split("\n");
    return findReadings(lines.map((text, i) => ({ line: i + 1, text })))[0]!.reading as T;
  };
  const rooms = roomOf(
    parseRelease("6.1.192-x86_64"),
    liveZones(read<ZoneInfo>("zoneinfo-6.1"), read<BuddyInfo>("buddyinfo-6.1"), read<PageTypeInfo>("pagetypeinfo-6.1")),
    11,
  );
  const of = (zone: string, context: string): (number | undefined)[] =>
    rooms.filter((r) => r.zone === zone && r.context === context).map((r) => r.requests);

  test("room falls with the order, and an atomic request has at least the room of one that may wait", () => {
    for (const zone of ["DMA", "DMA32"]) {
      for (const context of ["atomic", "may wait"]) {
        const row = of(zone, context) as number[];
        expect(row.length).toBe(11);
        row.forEach((n, o) => {
          if (o > 0) expect(n, `${zone} ${context} order ${o}`).toBeLessThanOrEqual(row[o - 1]!);
        });
      }
      of(zone, "atomic").forEach((n, o) => {
        expect(n).toBeGreaterThanOrEqual(of(zone, "may wait")[o]!);
      });
    }
  });
  test("without buddyinfo the room of every order is unknown, and the file is named", () => {
    const blind = roomOf(
      parseRelease("6.1.192-x86_64"),
      liveZones(read<ZoneInfo>("zoneinfo-6.1"), undefined, undefined),
      11,
    );
    expect(blind.length).toBe(rooms.length);
    expect(blind.every((r) => r.requests === undefined && r.missing === "/proc/buddyinfo")).toBe(true);
  });
});

test.skipIf(!existsSync("/proc/zoneinfo"))("this machine's own files give a room for each zone that has memory", () => {
  const here = <T>(file: string): T | undefined => {
    if (!existsSync(`/proc/${file}`)) return undefined;
    const lines = readFileSync(`/proc/${file}`, "utf8").trimEnd().split("\n");
    return findReadings(lines.map((text, i) => ({ line: i + 1, text })))[0]?.reading as T | undefined;
  };
  const zoneinfo = here<ZoneInfo>("zoneinfo");
  if (zoneinfo === undefined) return;
  const zones = liveZones(zoneinfo, here<BuddyInfo>("buddyinfo"), here<PageTypeInfo>("pagetypeinfo"));
  const rooms = roomOf(parseRelease("6.12.0-x86_64"), zones, 11);
  for (const z of zones.filter((z) => z.managed > 0))
    expect(rooms.some((r) => r.zone === z.name && r.node === z.node && (r.requests ?? 0) >= 0)).toBe(true);
});
