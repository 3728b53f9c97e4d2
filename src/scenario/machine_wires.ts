// The cables of a machine's cards: one wire in and one out for each, whoever sends on it, and at the far end a remote host that speaks TCP.
import type { Machine } from "../model/machine.ts";
import { freeBlocks } from "../model/mm/observe.ts";
import type { NetDevice } from "../model/net/path/netdevice.ts";
import type { Link } from "../model/net/path/wire.ts";
import { createLink } from "../model/net/path/wire.ts";
import type { TcpPeer } from "../model/net/tcp/tcp_peer.ts";
import { createTcpPeer } from "../model/net/tcp/tcp_peer.ts";
import type { MachineSettings } from "./machine_settings.ts";
import type { WireTap } from "./wire_tap.ts";
import { tapWire } from "./wire_tap.ts";

export interface Wires {
  device(name: string): NetDevice;
  /** The card's wire to the machine. */
  into(device: NetDevice): Link;
  /** Connects the card's way out. What no remote host takes is gone. */
  out(device: NetDevice): void;
  /** The remote host at the card's cable. */
  peer(device: NetDevice): TcpPeer;
  readonly peers: readonly TcpPeer[];
}

/** `tap` hears every frame. */
export function createWires(machine: Machine, s: MachineSettings, tap?: WireTap): Wires {
  const { clock, frames, random, devices } = machine;
  const inward = new Map<NetDevice, Link>();
  const peerOf = new Map<NetDevice, TcpPeer>();
  const peers: TcpPeer[] = [];

  const link = (device: NetDevice, seed: "in" | "out", arrive: (frame: number) => void): Link => {
    const { mbitPerSecond, delayMicros, loss } = s.nics[devices.indexOf(device)]!;
    const options = { bitsPerSecond: mbitPerSecond * 1e6, delayNanos: delayMicros * 1000, loss };
    const chance = random.fork(`wire ${seed} ${device.name}`);
    if (tap === undefined) return createLink(clock, frames, options, chance, arrive);
    const tapped = tapWire(machine, device, seed === "in", tap, arrive);
    return tapped.link(createLink(clock, frames, options, chance, tapped.arrive));
  };
  const into = (device: NetDevice): Link => {
    const known = inward.get(device);
    if (known !== undefined) return known;
    const made = link(device, "in", (frame) => device.driver.frameArrived(frame));
    inward.set(device, made);
    return made;
  };
  const out = (device: NetDevice): void => {
    device.link ??= link(device, "out", (frame) => {
      const peer = peerOf.get(device);
      if (peer === undefined) frames.give(frame);
      else peer.frameArrived(frame);
    });
  };
  return {
    device: (name) => devices.find((d) => d.name === name)!,
    into,
    out,
    peer(device) {
      out(device);
      const known = peerOf.get(device);
      if (known !== undefined) return known;
      const peer = createTcpPeer(clock, frames, into(device).send, { connectionsMax: connectionsOf(s) });
      peerOf.set(device, peer);
      peers.push(peer);
      return peer;
    },
    peers,
  };
}

/** Pages in free blocks: what limits of protocols follow from at boot. */
export function freePagesOf({ memory }: Machine): number {
  let pages = 0;
  for (let z = 0; z < memory.memory.spec.zones.length; z++)
    freeBlocks(memory, z).forEach((count, order) => {
      pages += count << order;
    });
  return pages;
}

/** TCP connections of a machine, those of RPC clients included. */
export const connectionsOf = (s: MachineSettings): number =>
  s.tcp.reduce((n, t) => n + t.connections, 0) + s.rpc.length;
