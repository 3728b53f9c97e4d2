// The model in the state of an image: it must agree with it before it may answer.

import { describe, expect, test } from "vitest";
import { oneIn } from "../base/size.testkit.ts";
import type { ProveInput } from "../diagnosis/machine_told.ts";
import { oracleImage, oracleNames, oracleTruth, whyNoOracle } from "../image/image.testkit.ts";
import { isMovable, pinsOf } from "../image/mm/pins.ts";
import { imageBuddyinfo, imagePagetypeinfo, imageSlabinfo, imageZoneinfo } from "../image/readings.ts";
import { zoneProtection, zoneValue } from "../kernel/readings/zoneinfo.ts";
import { observeBuddyinfo, observePagetypeinfo, observeZoneinfo } from "../model/mm/observe.ts";
import { askAgain, askerOf, askOrders, bootFromImage } from "./image_machine.ts";

const why = whyNoOracle();
if (why !== undefined) console.warn(`SKIPPED: the model booted from images: ${why}`);

describe.skipIf(why !== undefined).each(oneIn(3, oracleNames))("%s", (name) => {
  const image = why === undefined ? oracleImage(name) : undefined;
  const whole = (): NonNullable<typeof image> => {
    if (image === undefined) throw new Error("no image");
    return image;
  };

  test("the model that booted from it prints the same buddyinfo, pagetypeinfo and marks", () => {
    const { machine } = bootFromImage(whole());
    expect(observeBuddyinfo(machine)).toEqual(imageBuddyinfo(whole()));
    const [said, modelled] = [imagePagetypeinfo(whole()), observePagetypeinfo(machine)];
    expect(modelled.free.map((r) => r.free)).toEqual(said.free.map((r) => r.free));
    // A block that lies in two zones, or has no pages, is counted by the model and not by the kernel.
    expect(said.types.length).toBe(modelled.types.length);
    const marks = (info: ReturnType<typeof imageZoneinfo>): unknown =>
      info.zones.map((z) => [
        ...["free", "min", "low", "high", "managed", "start_pfn"].map((n) => zoneValue(z, n)),
        zoneProtection(z)?.slice(0, 4),
      ]);
    expect(marks(observeZoneinfo(machine))).toEqual(marks(imageZoneinfo(whole())));
  });

  test("what is granted falls with the order, and whoever may wait is never worse off", () => {
    const { orders } = askOrders(whole());
    expect(orders).toHaveLength(11);
    for (const [i, o] of orders.entries()) {
      expect(o.afterCompaction || !o.kernel).toBe(true);
      const smaller = orders[i - 1];
      if (smaller !== undefined) expect(smaller.kernel || !o.kernel, `order ${i}`).toBe(true);
    }
    // Order 0 is free in masses in these guests; and a block is granted at once only where the lists hold one.
    expect(orders[0]).toEqual({ order: 0, atomic: true, kernel: true, afterCompaction: true });
    const largest = Math.max(...whole().zones.zones.flatMap((z) => z.lists.map((l) => l.order)));
    expect(orders.filter((o) => o.order > largest && o.kernel)).toEqual([]);
  });

  test("a request that the log says failed is made again with its own flags, each once", () => {
    const asker = askerOf(whole());
    const { gfp } = asker.booted.machine.rules;
    const { orders } = askOrders(whole(), asker);
    const mask = (bits: number): string => `0x${(bits >>> 0).toString(16)}`;
    const request = (order: number | null, bits: number | null): ProveInput =>
      ({
        kind: "alloc_failure",
        title: "a failure",
        order,
        gfp: bits === null ? null : { mask: mask(bits), names: ["SOME"] },
      }) as unknown as ProveInput;
    const atomic = gfp.high | gfp.atomic | gfp.kswapdReclaim;
    const kernel = gfp.directReclaim | gfp.kswapdReclaim | gfp.io | gfp.fs;
    const again = askAgain(asker, [
      request(10, atomic),
      request(10, atomic),
      request(0, kernel),
      request(null, atomic),
      request(3, null),
    ]);
    expect(again.map((r) => [r.order, r.mask])).toEqual([
      [10, mask(atomic)],
      [0, mask(kernel)],
    ]);
    expect(again[0]).toMatchObject({ now: orders[10]?.atomic, afterCompaction: null });
    expect(again[0]?.largestNow).toBe(orders.findLast((o) => o.atomic)?.order);
    expect(again[1]).toMatchObject({ now: true, afterCompaction: true });
  });

  test("blocks are free, movable or pinned, and the pages of the truth's module pin what they lie in", () => {
    const pins = pinsOf(whole(), 3);
    expect(pins.free + pins.movable + pins.pinned).toBe(pins.blocks);
    expect(pins.owners.every((o) => o.alone <= o.blocks && o.blocks <= pins.pinned && o.pages >= o.blocks)).toBe(true);
    const held = oracleTruth(name).find((r) => r.t === "held_pages")?.runs as number[];
    expect(held.filter((pfn) => isMovable(whole(), pfn))).toEqual([]);
    expect(pins.owners.some((o) => o.owner.startsWith("slab cache "))).toBe(true);
  });

  test("slabinfo counts what the kernel would print", () => {
    const caches = new Map(imageSlabinfo(whole()).caches.map((c) => [c.name, c]));
    for (const r of oracleTruth(name).filter((t) => t.t === "cache"))
      expect(caches.get(r.name as string)?.activeObjects, r.name as string).toBe(r.slabinfo_active);
  });
});
