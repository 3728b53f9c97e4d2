// A network card put into a machine: interrupt, NAPI, GRO and transmit queue around a driver, or around each queue pair of it.
import { BadInput } from "../base/bad_input.ts";
import type { Release } from "../kernel/release.ts";
import { formatRelease } from "../kernel/release.ts";
import type { DriverMaker, DriverParts, Guard } from "./drivers/driver.ts";
import { settingsOf } from "./drivers/driver.ts";
import { driverNamed } from "./drivers/drivers.ts";
import { driverExists } from "./kernels/card_rules.ts";
import type { GroOfHosts } from "./net/path/gro.ts";
import { driverOfQueues, queueDevice } from "./net/path/multiqueue.ts";
import type { Napi } from "./net/path/napi.ts";
import type { Driver, DriverHost, NetDevice } from "./net/path/netdevice.ts";
import { feature } from "./net/path/netdevice.ts";
import type { RssOptions } from "./net/path/rss.ts";
import { createRss } from "./net/path/rss.ts";
import type { Xmit } from "./net/path/xmit.ts";
import { skbField } from "./net/skb/skb_columns.ts";

/** A network card to plug in. */
export interface NicOptions {
  /** eth0, eth1 … when left out. */
  readonly name?: string;
  /** A driver of drivers.ts by name, or one of your own. */
  readonly driver: string | DriverMaker;
  readonly mtu?: number;
  readonly txQueueLen?: number;
  readonly irqCpu?: number;
  /** Queue pairs; 1 when left out. */
  readonly queues?: number;
  /** The CPU of each pair's interrupt; left out: pair after pair over the CPUs. */
  readonly irqCpus?: readonly number[];
  readonly xps?: boolean;
  /** How long received packets are gathered before an interrupt, nanoseconds; left out: 10 µs. */
  readonly coalesceNanos?: number;
  /** Key of the hash, indirection table and rules of a card with several pairs. */
  readonly rss?: Omit<RssOptions, "queues" | "ports">;
  /** What the driver itself takes (ring sizes, policies). */
  readonly settings?: Readonly<Record<string, number | string | boolean>>;
}

export const makerOf = (nic: NicOptions): DriverMaker =>
  typeof nic.driver === "string" ? driverNamed(nic.driver) : nic.driver;

/** The guard of the first driver that has one: each of them watches all that runs. */
export const guardOf = (nics: readonly NicOptions[]): Guard | undefined =>
  nics.map((nic) => makerOf(nic).guard).find((guard) => guard !== undefined);

/** What is to be said of cards whose drivers nobody read on this release. */
export const unreadDrivers = (nics: readonly NicOptions[], release: Release): readonly string[] => [
  ...new Set(nics.flatMap((nic) => makerOf(nic).unread?.(release) ?? [])),
];

/** The machine as cards see it. */
export interface NicParts extends DriverParts {
  readonly napi: Napi;
  readonly gro: GroOfHosts;
  readonly xmit: Xmit;
}

/** The card of that number among `cards`. */
export function plugIn(parts: NicParts, nic: NicOptions, index: number, cards: number): NetDevice {
  const maker = makerOf(nic);
  driverExists(maker, parts.release);
  const settings = settingsOf(maker, nic.settings ?? {}, parts.release);
  const pairs = nic.queues ?? 1;
  const cpuOf = (queue: number): number =>
    nic.irqCpus?.[queue] ?? (pairs === 1 ? (nic.irqCpu ?? 0) : queue % parts.cpus.count);
  let device: NetDevice | undefined;
  const self = (): NetDevice => device as NetDevice;
  const common = {
    name: nic.name ?? `eth${index}`,
    txQueueLen: nic.txQueueLen ?? 1000,
    stats: { rxPackets: 0, rxBytes: 0, rxDropped: 0, rxMissed: 0, txPackets: 0, txBytes: 0, txDropped: 0 },
  };
  const card = (driver: Driver, more: Pick<NetDevice, "queues" | "rss" | "xps" | "napi">): NetDevice => ({
    ...common,
    ...more,
    index,
    mtu: nic.mtu ?? 1500,
    features: maker.features,
    txStopped: false,
    running: false,
    driver,
    link: undefined,
    irqCpu: cpuOf(0),
  });
  if (pairs === 1) {
    const { host, napi } = hostOf(parts, self, cpuOf(0), nic.coalesceNanos);
    device = card(maker.make(parts, host, settings), { napi });
    parts.xmit.attach(device);
    takesMtu(parts, device, nic.mtu);
    return device;
  }
  const queues: NetDevice[] = [];
  const drivers: Driver[] = [];
  for (let q = 0; q < pairs; q++) {
    // Numbers behind those of the cards.
    const { host, napi } = hostOf(parts, () => queues[q] as NetDevice, cpuOf(q), nic.coalesceNanos);
    const own = { ...common, index: cards + index * queuesMost + q, irqCpu: cpuOf(q), napi };
    queues.push(queueDevice(self, () => drivers[q] as Driver, own));
    drivers.push(maker.make(parts, host, settings));
    parts.xmit.attach(queues[q] as NetDevice);
  }
  const rss = createRss({ ...nic.rss, queues: pairs, ports: parts.frames.ports }, parts.random.fork(`rss key`));
  const { xps = false } = nic;
  device = card(driverOfQueues(self, drivers, rss, parts.frames), { queues, rss, xps });
  takesMtu(parts, device, nic.mtu);
  return device;
}

/** BadInput, in the driver's words, for an MTU that it refuses. */
function takesMtu({ release }: NicParts, { index, driver }: NetDevice, mtu: number | undefined): void {
  const said = mtu === undefined ? "ok" : driver.changeMtu(mtu);
  if (said !== "ok")
    throw new BadInput(`nics[${index}].mtu: ${driver.name} of ${formatRelease(release)} refuses it: ${said}.`);
}

/** Queue pairs that a card can have here. */
export const queuesMost = 64;

/** What a driver, or the driver of a queue pair, is given to build on. */
function hostOf(
  parts: NicParts,
  self: () => NetDevice,
  irqCpu: number,
  coalesceNanos: number | undefined,
): { readonly host: DriverHost; readonly napi: number } {
  const { cpus, journal, napi, gro, xmit } = parts;
  /** Text of a driver's call chain → text of the stack's, called from the same poll function. */
  const stackOf: number[] = [];
  /** What asks for memory from here on is the stack, not the driver: the driver's chain is returned, to be set again afterwards. */
  const enterStack = (): number => {
    const driver = journal.caller;
    journal.device = self().index;
    journal.caller = stackOf[driver] ??= journal.textId(
      ["netif_receive_skb", ...journal.text(driver).split(" < ").slice(-1)].filter((f) => f !== "").join(" < "),
    );
    return driver;
  };
  const goesUp = (skb: number): number => {
    const { stats } = self();
    stats.rxPackets++;
    stats.rxBytes += parts.skbs.columns.S[skb + skbField.LEN]!;
    return enterStack();
  };
  const id = napi.add(
    (budget) => self().driver.poll(budget),
    () => {
      const driver = enterStack();
      gro.flush(groId);
      journal.caller = driver;
    },
  );
  const groId = gro.add();
  let irqRaised = false;
  const irq = cpus.register(() => {
    irqRaised = false;
    napi.schedule(id);
  });
  const host: DriverHost = {
    cpus,
    frames: parts.frames,
    coalesceNanos,
    device: self,
    napiSchedule: () => void napi.schedule(id),
    receive(skb) {
      const driver = goesUp(skb);
      if ((self().features & feature.gro) !== 0) gro.receive(groId, skb);
      else parts.receive.netifReceive(skb);
      journal.caller = driver;
    },
    getFrags: () => gro.getFrags(groId),
    receiveFrags() {
      const driver = goesUp(gro.getFrags(groId));
      gro.receiveFrags(groId, (self().features & feature.gro) === 0);
      journal.caller = driver;
    },
    wakeQueue: () => xmit.wake(self()),
    stopQueue() {
      self().txStopped = true;
    },
    raiseInterrupt() {
      // One interrupt waits at most: a device's line is either raised or not.
      if (irqRaised || napi.scheduled(id)) return;
      irqRaised = true;
      cpus.interrupt(irqCpu, irq);
    },
  };
  return { host, napi: id };
}
