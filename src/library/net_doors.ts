// The doors of a machine's network: receive path, GRO, NAPI, transmit queues, cards and wires.

import { BadInput } from "../base/bad_input.ts";
import { callable, oneOf, type Shape } from "../base/given.ts";
import type { Gro } from "../model/net/path/gro.ts";
import type { Napi } from "../model/net/path/napi.ts";
import type { NetDevice as ModelDevice, Driver as ModelDriver, TxSlots } from "../model/net/path/netdevice.ts";
import type { Receive } from "../model/net/path/receive.ts";
import type { Rss } from "../model/net/path/rss.ts";
import type { Link } from "../model/net/path/wire.ts";
import type { Xmit } from "../model/net/path/xmit.ts";
import type { Cpus } from "../model/sync/cpu.ts";
import { handOut } from "./hand_out.ts";
import { anyNumber, bytes, known, type PacketHolds, upTo } from "./holds.ts";

/** What the machine calls: up() and down(), the clock and transmit queues do. */
const driverOwn = ["open", "stop", "poll", "startXmit", "cutBefore"] as const;
/** A card as a program has it. */
export type Card = Omit<ModelDevice, "driver" | "queues"> & {
  readonly driver: Omit<ModelDriver, "open" | "stop" | "poll" | "startXmit" | "cutBefore">;
  readonly queues?: readonly Card[];
};

export const handReceive = (receive: Receive, { skb, frame, packets }: PacketHolds): Receive =>
  handOut("receive.", receive, [], {
    describe: [
      ["skb", skb],
      ["frame", frame],
    ],
    netifReceive: { takes: [["skb", skb]], before: (of) => packets.add(of, -1) },
    protocol: {
      takes: [
        ["kind", upTo(255, "a kind of frame")],
        ["take", callable()],
      ],
      becomes: (kind, take) => [
        kind,
        (of: number) => {
          packets.got(of);
          take(of);
        },
      ],
    },
    unwanted: [],
    reserveDrops: [],
  });

export const handGro = (gro: Gro, { skb, packets }: PacketHolds): Gro => {
  const place = known("what gro.add() gave", (n) => gro.held(n) !== undefined);
  return handOut("gro.", gro, [], {
    add: [],
    receive: {
      takes: [
        ["napi", place],
        ["skb", skb],
      ],
      before: (_napi, of) => packets.add(of, -1),
    },
    flush: [["napi", place]],
    held: [["napi", place]],
    merged: [],
  });
};

export const handNapi = (napi: Napi, cpus: Cpus): Napi => {
  const of = known("what napi.add() gave, or a card's `napi`", (n) => napi.scheduled(n) !== undefined);
  return handOut("napi.", napi, [], {
    add: {
      takes: [
        ["poll", callable()],
        ["flush", callable()],
        ["weight?", known("a weight, 1 .. 300", (n) => n >= 1 && n <= 300)],
      ],
      becomes: (poll, flush, weight) => [pollOf(poll), flush, weight],
    },
    schedule: [["napi", of]],
    scheduled: [["napi", of]],
    busyPoll: [["napi", of]],
    busyStop: [["napi", of]],
    pollsBusily: [],
    squeezed: [["cpu", upTo(cpus.count - 1, "a CPU")]],
  });
};

/** A poll that a program wrote: it must give the packets it handled. */
const pollOf =
  (poll: (budget: number) => number) =>
  (budget: number): number => {
    const work: unknown = poll(budget);
    if (typeof work !== "number" || !Number.isInteger(work) || work < 0 || work > budget)
      throw new BadInput(`napi.add(): poll gave ${String(work)}; it must give the packets it handled, 0 .. ${budget}.`);
    return work;
  };

const deviceShape = (devices: readonly ModelDevice[]): Shape<ModelDevice> => ({
  must: "one of the machine's devices",
  is: (v) => devices.some((d) => d === v || (d.queues?.some((q) => q === v) ?? false)),
});

export const handXmit = (xmit: Xmit, devices: readonly ModelDevice[], { skb, packets }: PacketHolds) => {
  const device = deviceShape(devices);
  return handOut("xmit.", xmit, ["attach"], {
    queue: {
      takes: [
        ["device", device],
        ["skb", skb],
      ],
      before: (_device, of) => packets.add(of, -1),
    },
    wake: [["device", device]],
    queued: [["device", device]],
    purge: [["device", device]],
  });
};

const handRss = (rss: Rss): Rss =>
  handOut("rss.", rss, [], {
    queueOf: [
      ["flow", bytes],
      ["kind?", upTo(255, "a kind of frame")],
    ],
    hashOf: [["flow", bytes]],
    steer: [
      ["flow", bytes],
      ["queue", anyNumber],
    ],
  });

const handSlots = (slots: TxSlots): TxSlots => {
  const slot = known("a slot of the ring", (n) => n < slots.size);
  return handOut("txSlots.", slots, [], {
    inFlight: [["slot", slot]],
    isNull: [["slot", slot]],
    strike: [
      ["slot", slot],
      ["bits", upTo(2 ** 32 - 1, "a number of 32 bits")],
      ["how", oneOf("store", "or")],
    ],
    strikeIndex: [["address", known("an address", () => true)]],
  });
};

const handDriver = (driver: ModelDriver, device: ModelDevice, packets: PacketHolds): Card["driver"] =>
  handOut(
    "driver.",
    driver,
    driverOwn,
    {
      changeMtu: [["mtu", { must: "a number", is: (v) => typeof v === "number" }]],
      frameArrived: {
        takes: [["frame", packets.frame]],
        unless: () => (device.running ? undefined : "the card is not up"),
        before: (frame) => packets.frames.add(frame, -1),
      },
      ringFill: [],
      poolNumber: [],
      draw: [["slots?", known("a number of slots, 1 .. 65536", (n) => n >= 1 && n <= 65_536)]],
      setRxMode: {
        takes: [["multicasts?", upTo(65_535, "a number of addresses")]],
        unless: () => (device.running ? undefined : "the card is not up"),
      },
    },
    { txSlots: handSlots },
  );

export function handDevice(device: ModelDevice, packets: PacketHolds): Card {
  const queues = device.queues?.map((q) => (q === device ? undefined : handDevice(q, packets)));
  return handOut(
    "device.",
    device,
    [],
    {},
    {
      driver: (driver) => handDriver(driver, device, packets),
      queues: () => queues?.map((q) => q ?? handDevice(device, packets)),
      rss: handRss,
      link: (link) => handLink(link, packets),
    },
  ) as unknown as Card;
}

export const handLink = (link: Link, packets: PacketHolds): Link =>
  handOut("link.", link, [], {
    send: { takes: [["frame", packets.frame]], before: (frame) => packets.frames.add(frame, -1) },
    freeAtNanos: [],
    sent: [],
    lost: [],
  });

/** dev_open() and dev_stop() of a card that is down, or up. */
export const upAndDown = (devices: readonly ModelDevice[]) => {
  const device = deviceShape(devices);
  return {
    up: {
      takes: [["device", device]],
      unless: (of: ModelDevice) => (of.running ? `${of.name} is up already` : undefined),
    },
    down: {
      takes: [["device", device]],
      unless: (of: ModelDevice) => (of.running ? undefined : `${of.name} is not up`),
    },
  } as const;
};
