import { describe, expect, test } from "vitest";
import { isLong, oneIn } from "../base/size.testkit.ts";
import { formatRelease, parseRelease } from "../kernel/release.ts";
import { checkDriver } from "./driver_check.ts";
import type { DriverMaker, DriverParts } from "./drivers/driver.ts";
import { driverNamed } from "./drivers/drivers.ts";
import { exactKernels } from "./kernels/parts_for.ts";
import type { Driver } from "./net/path/netdevice.ts";
import { netdevTx } from "./net/path/netdevice.ts";

type Case = [driver: string, release: string, mtu: number, settings?: Record<string, string | number>];
const cases: readonly Case[] = [
  // A driver without, and one with page fragments, on every recorded kernel.
  ...exactKernels.map(({ release }): Case => ["ringnic", formatRelease(release), 4000]),
  ...exactKernels.map(({ release }): Case => ["virtio_net", formatRelease(release), 1500]),
  ["ringnic", "2.6.24-x86_64", 4000, { refill: "after", copybreak: 200 }],
  ["e1000", "6.1.192-x86_64", 9000],
  ["e1000", "2.6.24-x86_64", 9000],
  ["e1000e", "6.1.192-x86_64", 9000],
  ["virtio_net", "6.1.192-x86_64", 9000],
  ["e1000e", "6.12.117-x86_64", 9000],
  ["e1000", "7.2.12-x86_64", 9000],
  ["virtio_net", "6.1.192-x86_64", 1500, { mode: "small" }],
  ["virtio_net", "6.1.192-x86_64", 9000, { mode: "big" }],
  ["tg3", "2.6.24-x86_64", 9000],
  ["tg3", "6.1.192-x86_64", 9000],
  ["ibm_emac", "2.6.29-ppc32", 9000],
  ["mvneta", "3.10-arm", 4000],
  ["mvneta", "4.14-arm", 4000],
  ["mvneta", "4.19-arm64", 1500],
  ["mvneta", "6.1-arm64", 9000],
  // Before 5.14 a page leaves its pool when it goes up.
  ["mvneta", "5.10-arm64", 9000],
  ["ringnic", "5.10.223-x86_64", 4000, { buffers: "page_pool" }],
  ["virtio_net", "6.1.192-x86_64", 1500, { xdp: "pass" }],
  ["virtio_net", "6.12.117-x86_64", 1500, { xdp: "tx", mode: "small" }],
  ["virtio_net", "6.12.117-x86_64", 1500, { xdp: "redirect" }],
  ["virtio_net", "7.2.12-x86_64", 9000],
  ["virtio_net", "7.2.12-x86_64", 1500, { mode: "small" }],
  ["virtio_net", "7.3.4-x86_64", 9000, { mode: "big" }],
  ["virtio_net", "7.2.12-x86_64", 1500, { xdp: "tx" }],
  ["virtio_net", "7.3.4-x86_64", 1500, { xdp: "redirect", mode: "small" }],
  ["ice", "6.1.192-x86_64", 9000],
  ["ice", "6.12.117-x86_64", 1500, { xdp: "tx" }],
  ["i40e", "6.12.117-x86_64", 9000],
  ["i40e", "6.1.192-x86_64", 1500, { xdp: "redirect" }],
  ["ena", "6.1.192-x86_64", 9000],
  ["ena", "6.12.117-x86_64", 1500, { xdp: "pass" }],
  ["gve", "6.1.192-x86_64", 4000],
  ["gve", "6.12.117-x86_64", 1500, { addressing: "queue page list" }],
  ["mlx5_core", "6.1.192-x86_64", 9000],
  ["mlx5_core", "6.1.192-x86_64", 1500, { xdp: "redirect" }],
  ["mlx5_core", "6.12.117-x86_64", 9000],
  ["mlx5_core", "6.12.117-x86_64", 1500, { xdp: "tx" }],
  ["mt76", "6.1.192-arm64", 1500],
  ["mt76", "6.12.117-arm64", 2304],
  ["usbnet", "6.1.192-x86_64", 1500],
  ["r8152", "6.1.192-x86_64", 9000],
  ["r8152", "6.12.117-x86_64", 1500],
];

/** Whose pages come 64 at a time, so that there are few requests to refuse. */
const takes64AtOnce = new Set(["mlx5_core", "mt76"]);

/** Every other driver once; in the long run each on every kernel and with every setting. */
const tried = isLong ? cases : oneIn(2, [...new Map([...cases].reverse().map((c) => [c[0], c])).values()]);

describe("every allocation of every driver path fails once, and nothing stays behind", () => {
  for (const [driver, release, mtu, settings = {}] of tried)
    test(`${driver} of ${release} ${JSON.stringify(settings)}`, () => {
      const check = checkDriver({ driver, release: parseRelease(release), mtu, settings });
      expect(check).toMatchObject({ leaks: [], faults: [], recovered: true });
      // With a program that takes every frame nothing comes up.
      expect(check.received + check.taken).toBeGreaterThan(20);
      if ("xdp" in settings && settings["xdp"] !== "pass") expect(check.received).toBe(0);
      expect(check.lives).toBeGreaterThan(takes64AtOnce.has(driver) || "xdp" in settings ? 15 : 40);
    });
});

describe("canaries: mistakes that drivers make", () => {
  const base = driverNamed("ringnic");
  const release = parseRelease("6.1.192-x86_64");
  /** ringnic with one function of its own. */
  const wrong = (change: (driver: Driver, parts: DriverParts) => Partial<Driver>): DriverMaker => ({
    ...base,
    name: "wrongnic",
    make(parts, host, settings) {
      const driver = base.make(parts, host, settings);
      return Object.assign(driver, change({ ...driver }, parts));
    },
  });

  test("an open() that forgets what it had when memory ends leaks only where a request was refused, and the request is named", () => {
    const leaky = wrong((driver, parts) => ({
      open() {
        // Its own table, taken first and forgotten on the error path.
        const table = parts.heap.kmalloc(512, parts.skbs.config.gfp.kernel);
        if (table < 0) return false;
        if (driver.open()) {
          tables.push(table);
          return true;
        }
        return false;
      },
      stop() {
        driver.stop();
        for (const table of tables.splice(0)) parts.heap.kfree(table);
      },
    }));
    const tables: number[] = [];
    const check = checkDriver({ driver: leaky, release, mtu: 4000 });
    expect(check.faults).toEqual([]);
    expect(check.leaks.length).toBeGreaterThan(5);
    for (const leak of check.leaks)
      expect(leak).toMatchObject({
        kmallocs: 1,
        skbs: 0,
        refused: expect.stringMatching(/for ringnic_(?:refill|receive) < /),
      });
    expect(check.leaks.some((l) => l.nth === 0)).toBe(false);
  });

  test("a sent packet that is freed twice is a fault of the life in which nothing was refused", () => {
    const twice = wrong((driver, parts) => ({
      startXmit(skb) {
        const rc = driver.startXmit(skb);
        if (rc === netdevTx.ok) parts.skbs.kfreeSkb(skb);
        return rc;
      },
    }));
    const [first] = checkDriver({ driver: twice, release, mtu: 4000 }).faults;
    expect(first).toMatchObject({ nth: 0, fault: { kind: expect.stringMatching(/double free|use after free/) } });
  });

  test("buffers that are handed up and kept are a fault", () => {
    const check = checkDriver({ driver: "ringnic", release, mtu: 4000, settings: { buffers: "preallocated" } });
    expect(check.faults[0]).toMatchObject({
      nth: 0,
      fault: { kind: expect.stringMatching(/double free|use after free/) },
    });
  });
});
