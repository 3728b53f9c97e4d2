// How long one run of the network's softirqs goes on: net_rx_action(), net/core/dev.c, and __qdisc_run(), net/sched/sch_generic.c, 6.1;
// and what the transmit side does with a packet that the driver refuses or the card cannot cut.
import { expect, test } from "vitest";
import { parseRelease } from "../../../kernel/release.ts";
import { createJournal } from "../../journal.ts";
import type { Machine } from "../../machine.ts";
import { createMachine } from "../../machine.ts";
import { createClock } from "../../sync/clock.ts";
import { createCpus } from "../../sync/cpu.ts";
import { headField, skbField } from "../skb/skb_columns.ts";
import { createNapi } from "./napi.ts";
import type { Driver, NetDevice } from "./netdevice.ts";
import { netdevTx } from "./netdevice.ts";
import { packetField } from "./receive.ts";
import { frameKind, headerBytes } from "./wire.ts";

/** A NAPI that always has work, at so many nanoseconds a packet; polls before the first squeeze. */
function pollsUntilSqueezed(nanosPerPacket: number, release = "6.1.192-x86_64"): number {
  const journal = createJournal();
  const clock = createClock(journal);
  const cpus = createCpus(clock, journal, 1);
  const napi = createNapi(cpus, journal, parseRelease(release));
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

test("from 4.12 to 5.7 netdev_budget_usecs is 2 ms, in 2.6.24 one jiffy", () => {
  // 1.28 ms a poll.
  const polls = (release: string) => pollsUntilSqueezed(20_000, release);
  expect(["2.6.24-x86_64", "3.10-x86_64", "4.19-x86_64", "5.10-x86_64"].map(polls)).toEqual([4, 5, 2, 5]);
});

interface Line {
  readonly machine: Machine;
  readonly device: NetDevice;
  /** Queues a TCP packet of `payload` bytes in its head, cut at `mss` (0: not at all), with `listed` bytes more on its frag_list. */
  send(payload: number, mss?: number, listed?: number): void;
}

/** A device whose ndo_start_xmit is `startXmit` around the driver's own. */
function line(driver: string, startXmit: (skb: number, driver: Driver) => number): Line {
  const machine = createMachine({
    release: parseRelease("6.1.192-x86_64"),
    memoryMb: 64,
    nics: [{ driver, settings: { tx_ring: 256 } }],
  });
  const { skbs } = machine;
  const { S, H } = skbs.columns;
  const device = machine.devices[0]!;
  expect(machine.up(device)).toBe(true);
  const own = device.driver;
  Object.assign(device, { driver: { ...own, startXmit: (skb: number) => startXmit(skb, own) } });
  const { atomic } = skbs.config.gfp;
  const room = headerBytes[frameKind.tcp];
  return {
    machine,
    device,
    send(payload, mss = 0, listed = 0) {
      const skb = skbs.allocSkb(room + payload, atomic);
      skbs.skbPut(skb, room + payload);
      if (listed > 0) {
        const more = skbs.allocSkb(listed, atomic);
        skbs.skbPut(more, listed);
        skbs.fragListAppend(skb, more);
      }
      S[skb + packetField.KIND] = frameKind.tcp;
      H[S[skb + skbField.HEAD]! + headField.GSO_SIZE] = mss;
      expect(machine.xmit.queue(device, skb)).toBe(true);
    },
  };
}

test("a queue that is woken sends 64 packets (dev_tx_weight), then makes room for other work and goes on", () => {
  const sent = [0, 0];
  let runs = 0;
  const { machine, device, send } = line("ringnic", (skb, driver) => {
    sent[runs]!++;
    return driver.startXmit(skb);
  });
  device.txStopped = true;
  for (let i = 0; i < 100; i++) send(100);
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

test("a segment that the driver refuses (NETDEV_TX_BUSY) stays in front, and those behind it are not lost: dev_hard_start_xmit()", () => {
  const lengths: number[] = [];
  let calls = 0;
  const { machine, device, send } = line("ringnic", (skb, driver) => {
    if (++calls === 2) return netdevTx.busy;
    lengths.push(machine.skbs.columns.S[skb + skbField.LEN]!);
    return driver.startXmit(skb);
  });
  send(3000, 1000);
  expect([lengths, machine.xmit.queued(device)]).toEqual([[1066], 1]);
  machine.xmit.wake(device);
  machine.clock.run(1e9, 1e5);
  expect(lengths).toEqual([1066, 1066, 1066]);
  machine.down(device);
  expect(machine.skbs.columns.skbsLive()).toBe(0);
});

test("a card with TSO cuts no packet that has a frag_list: netif_needs_gso() cuts it before (6.1)", () => {
  const ask = (listed: number): number => {
    const { machine, send } = line("e1000", (skb, driver) => driver.startXmit(skb));
    send(2000, 1000, listed);
    return machine.xmit.helped.segmented;
  };
  expect([ask(0), ask(1000)]).toEqual([0, 1]);
});
