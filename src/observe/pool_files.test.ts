// A machine's page pools as ethtool and the netdev netlink family print them, read back by the readers of real machines.
import { expect, test } from "vitest";
import { readPools } from "../artifact/page_pool/read.ts";
import { ethtoolNames } from "../kernel/facts/drivers/ethtool_names.ts";
import { factAt, parseRelease } from "../kernel/release.ts";
import type { DriverSettings } from "../model/drivers/driver.ts";
import { drivers } from "../model/drivers/drivers.ts";
import type { Machine } from "../model/machine.ts";
import { createMachine } from "../model/machine.ts";
import { frameField, frameKind } from "../model/net/path/wire.ts";
import { kernelFiles } from "./kernel_files.ts";
import { poolStatistics } from "./pool_files.ts";

/** A card that has received a little. */
function received(driver: string, release: string, queues = 1): Machine {
  const machine = createMachine({
    release: parseRelease(release),
    memoryMb: 128,
    cpus: queues,
    nics: [{ driver, queues, settings: { rx_ring: 64 } }],
  });
  const device = machine.devices[0]!;
  machine.up(device);
  for (let i = 0; i < 300; i++) {
    const f = machine.frames.take();
    machine.frames.W[f + frameField.LEN] = 1400;
    machine.frames.W[f + frameField.KIND] = frameKind.udp;
    machine.frames.W[f + frameField.FLOW] = i % 16;
    device.driver.frameArrived(f);
    if (i % 10 === 9) machine.clock.run(machine.clock.now() + 1e5, 1e5);
  }
  return machine;
}

test("ynl's answers, read back, are the pools: counters and pages out, pool by pool", () => {
  const machine = received("mlx5_core", "6.12.117-x86_64", 2);
  const { pools } = machine.pools();
  const text = kernelFiles(machine).find(({ path }) => path === "page-pools.json")?.reading;
  const read = readPools("page-pools.json", String(text));
  expect(read.states).toHaveLength(2);
  for (const [queue, { driver }] of (machine.devices[0]?.queues ?? []).entries()) {
    const pool = driver.poolNumber?.() ?? -1;
    const stats = pools.stats(pool);
    expect(stats.fast).toBeGreaterThan(50);
    expect(read.states[queue]).toMatchObject({ id: pool + 1, ifindex: 2, inflight: pools.inflight(pool) });
    expect(read.counters[queue]?.counters).toMatchObject({
      "alloc-fast": { value: stats.fast },
      "alloc-slow": { value: stats.slow },
      "recycle-released-refcnt": { value: stats.releasedRefcnt },
    });
  }
  // Before 6.8 nobody could ask.
  expect(kernelFiles(received("mlx5_core", "6.1.192-x86_64")).some(({ path }) => path === "page-pools.json")).toBe(
    false,
  );
});

test("ethtool -S has the sum of a card's pools where its driver prints it", () => {
  const machine = received("mvneta", "6.1-arm64");
  const [pool] = [machine.devices[0]?.driver.poolNumber?.() ?? -1];
  const file = kernelFiles(machine).find(({ path }) => path === "ethtool-S-eth0.txt");
  expect(file?.reading).toMatchObject({
    counters: expect.arrayContaining([["rx_pp_alloc_fast", machine.pools().pools.stats(pool).fast]]),
  });
});

/** Settings under which a card keeps counters that it has not otherwise. */
const otherForms: Readonly<Record<string, readonly DriverSettings[]>> = {
  gve: [
    { format: "DQO", header_split: true },
    { format: "DQO", addressing: "queue page list" },
  ],
};

test("every name that ethtool -S prints of a driver is of a counter that it has", () => {
  for (const { name, since } of drivers) {
    const facts = ethtoolNames[name];
    if (facts === undefined || name === "ibm_emac") continue;
    for (const text of ["2.6.24-x86_64", "4.19-x86_64", "6.1.192-x86_64", "6.12.117-x86_64"]) {
      const release = parseRelease(text);
      const printed = factAt(facts, release.version)?.value;
      if (printed === undefined || (since !== undefined && text < "6")) continue;
      if (name === "mvneta" && text < "3") continue;
      const countersOf = (settings: DriverSettings): string[] => {
        const machine = createMachine({ release, memoryMb: 128, nics: [{ driver: name, settings }] });
        const device = machine.devices[0]!;
        expect(machine.up(device)).toBe(true);
        return [
          ...Object.keys(device.stats),
          ...Object.keys(device.driver.counters),
          ...poolStatistics(machine, device).map(([counter]) => counter),
        ];
      };
      const without = (has: readonly string[], wanted: readonly string[]) => wanted.filter((c) => !has.includes(c));
      // Counters of an XDP program are there while one runs.
      const wanted = printed.map(([, counter]) => counter).filter((c) => !c.startsWith("rx_xdp_"));
      const usual = without(countersOf({}), wanted);
      const missing = usual.length === 0 ? [] : without((otherForms[name] ?? []).flatMap(countersOf), usual);
      expect([name, text, missing]).toEqual([name, text, []]);
    }
  }
});
