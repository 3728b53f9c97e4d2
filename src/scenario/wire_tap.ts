// Who listens at the cables of a machine: every frame with where it came from and what became of it.
import type { Machine } from "../model/machine.ts";
import type { NetDevice } from "../model/net/path/netdevice.ts";
import { flowTuple } from "../model/net/path/rss.ts";
import type { Link } from "../model/net/path/wire.ts";
import { frameField } from "../model/net/path/wire.ts";

/** A frame on the cable of a card. */
export interface WireFrame {
  readonly nanos: number;
  /** Number of the card, from 0. */
  readonly device: number;
  readonly inward: boolean;
  /** frameKind: raw, UDP, TCP. */
  readonly kind: 0 | 1 | 2;
  readonly payloadBytes: number;
  /** Source and destination address and port, 12 bytes. */
  readonly tuple: Uint8Array;
  /** TCP: byte position and acknowledged position, window in bytes. UDP: the datagram's number. */
  readonly seq: number;
  readonly ack: number;
  readonly window: number;
  /** What became of it where that was not what it should: "" for a frame that arrived. */
  readonly said: string;
}

export type WireTap = (frame: WireFrame) => void;

const { LEN, FLOW, SEQ, KIND, ACK, AUX } = frameField;

/** Source and destination change places. */
const turned = (tuple: Uint8Array): Uint8Array =>
  Uint8Array.of(...tuple.subarray(4, 8), ...tuple.subarray(0, 4), ...tuple.subarray(10), ...tuple.subarray(8, 10));

/** Listens at a wire: frames are told as they arrive, lost ones as they are sent. */
export interface Tapped {
  /** In front of createLink()'s `arrive`. */
  arrive(frame: number): void;
  /** Around the link. */
  link(link: Link): Link;
}

export function tapWire(
  machine: Machine,
  device: NetDevice,
  inward: boolean,
  tap: WireTap,
  arrive: (frame: number) => void,
): Tapped {
  const { clock, frames } = machine;
  const number = machine.devices.indexOf(device);
  const seen = (frame: number): Omit<WireFrame, "said"> => {
    const { W } = frames;
    const tuple = flowTuple(W[frame + FLOW]!, frames.ports.get(W[frame + FLOW]!));
    return {
      nanos: clock.now(),
      device: number,
      inward,
      kind: (W[frame + KIND]! & 255) as 0 | 1 | 2,
      payloadBytes: W[frame + LEN]!,
      tuple: inward ? tuple : turned(tuple),
      seq: W[frame + SEQ]!,
      ack: W[frame + ACK]!,
      window: W[frame + AUX]!,
    };
  };
  return {
    arrive(frame) {
      const what = seen(frame);
      const { rxMissed } = device.stats;
      const { filtered = 0 } = device;
      arrive(frame);
      const dropped = (device.filtered ?? 0) > filtered;
      tap({
        ...what,
        said:
          device.stats.rxMissed > rxMissed
            ? `missed: ${device.name} had no buffer for it`
            : dropped
              ? `dropped by a rule of ${device.name}`
              : "",
      });
    },
    link: (link) => ({
      ...link,
      send(frame) {
        const what = seen(frame);
        const lost = link.lost();
        link.send(frame);
        if (link.lost() > lost) tap({ ...what, said: "lost on the wire" });
      },
    }),
  };
}
