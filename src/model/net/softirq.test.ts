// How long one run of the network's softirqs goes on: net_rx_action(), net/core/dev.c, and __qdisc_run(), net/sched/sch_generic.c, 6.1.
import { expect, test } from "vitest";
import { parseRelease } from "../../kernel/release.ts";
import { createJournal } from "../journal.ts";
import { createMachine } from "../machine.ts";
import { createClock } from "../sync/clock.ts";
import { createCpus } from "../sync/cpu.ts";
import { createNapi } from "./napi.ts";

/** A NAPI that always has work, at so many nanoseconds a packet; polls before the first squeeze. */
function pollsUntilSqueezed(nanosPerPacket: number): number {
  const journal = createJournal();
  const clock = createClock(journal);
  const cpus = createCpus(clock, journal, 1);
  const napi = createNapi(cpus, journal);
  let polls = 0;
  const id = napi.add(
    (budget) => {
      if (napi.squeezed(0) > 0) return 0;
      polls++;
      cpus.spend(budget * nanosPerPacket);
      return budget;
    },
    () => undefined,
  );
  const interrupt = cpus.register(() => void napi.schedule(id));
  cpus.interrupt(0, interrupt);
  clock.run(1e9, 1e4);
  return polls;
}

test("net_rx_action() stops after 300 packets (netdev_budget) or 8 ms (netdev_budget_usecs), whichever is first", () => {
  // 64 a poll: the fifth poll passes 300.
  expect(pollsUntilSqueezed(1000)).toBe(5);
  // 3.2 ms a poll: the third passes 8 ms.
  expect(pollsUntilSqueezed(50_000)).toBe(3);
});

test("a queue that is woken sends 64 packets (dev_tx_weight), then makes room for other work and goes on", () => {
  const machine = createMachine({
    release: parseRelease("6.1.192-x86_64"),
    memoryMb: 64,
    nics: [{ driver: "ringnic", settings: { tx_ring: 256 } }],
  });
  const device = machine.devices[0]!;
  expect(machine.up(device)).toBe(true);
  device.txStopped = true;
  for (let i = 0; i < 100; i++) {
    const skb = machine.skbs.allocSkb(200, machine.skbs.config.gfp.atomic);
    machine.skbs.skbPut(skb, 100);
    expect(machine.xmit.queue(device, skb)).toBe(true);
  }
  const sent = [0, 0];
  let runs = 0;
  const { driver } = device;
  const startXmit = (skb: number): number => {
    sent[runs]!++;
    return driver.startXmit(skb);
  };
  Object.assign(device, { driver: { ...driver, startXmit } });
  const rx = machine.napi.add(
    () => {
      runs++;
      return 0;
    },
    () => undefined,
  );
  // Receive work that comes with the wake is done between the two halves.
  machine.xmit.wake(device);
  machine.napi.schedule(rx);
  machine.clock.run(1e9, 1e5);
  expect(sent).toEqual([64, 36]);
});
