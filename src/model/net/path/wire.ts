// What travels between machines: frames as rows of a column, and links with rate, delay and loss. No bytes: a frame knows its length, its
// flow, where in the flow it stands, and a tag that stands for its content (so that changed content is seen at the far end).
import { assert } from "../../../base/assert.ts";
import { BadInput, numberGiven } from "../../../base/bad_input.ts";
import type { Prng } from "../../../base/prng.ts";
import type { Clock } from "../../sync/clock.ts";

/** Ints in a frame's row; handles are multiples of it, 0 is no frame. */
const frameInts = 8;
/** Indices into a row. */
export const frameField = {
  /** Bytes of payload behind the headers. */
  LEN: 0,
  /** Connection or multicast group; chosen by whoever sets up the scenario. */
  FLOW: 1,
  /** Byte position (TCP) or number (others) in the flow. */
  SEQ: 2,
  /** Stands for the content. */
  TAG: 3,
  /** {@link frameKind}, and flags of the protocol above bit 8. */
  KIND: 4,
  /** Acknowledged byte position (TCP). */
  ACK: 5,
  /** Receive window, or whatever the protocol keeps here. */
  AUX: 6,
  /** State: 0 free, 1 alive; links free rows. */
  STATE: 7,
} as const;

/** What a frame carries: decides the headers' size and who takes it. */
export const frameKind = { raw: 0, udp: 1, tcp: 2 } as const;

/** Bytes of Ethernet, IPv4 and transport headers before the payload. */
export const headerBytes = [14, 42, 66] as const;
/** Preamble, frame check sequence and gap: what the wire spends on a frame beside its bytes. */
const wireExtra = 24;
const { LEN, FLOW, SEQ, TAG, KIND, ACK, AUX, STATE } = frameField;

export interface Frames {
  /** Columns: W[frame + frameField.X]. Re-read after take(): it may grow. */
  W: Int32Array;
  /** Destination ports of flows that go elsewhere than to the usual one (rss.ts). */
  readonly ports: Map<number, number>;
  take(): number;
  give(frame: number): void;
  alive(): number;
}

export function createFrames(framesMax = 1 << 20): Frames {
  let capacity = 1024;
  let freeHead = 0;
  let next = frameInts;
  let live = 0;
  const frames: Frames = {
    W: new Int32Array(capacity * frameInts),
    ports: new Map(),
    take() {
      let frame = freeHead;
      if (frame !== 0) freeHead = frames.W[frame + LEN]!;
      else {
        if (next >= capacity * frameInts) {
          assert(capacity < framesMax, () => `${live} frames alive: nobody takes them off the wire`);
          capacity *= 2;
          const wider = new Int32Array(capacity * frameInts);
          wider.set(frames.W);
          frames.W = wider;
        }
        frame = next;
        next += frameInts;
      }
      // Written out: a call of fill() for eight words takes longer than all the rest here.
      const { W } = frames;
      W[frame + LEN] = 0;
      W[frame + FLOW] = 0;
      W[frame + SEQ] = 0;
      W[frame + TAG] = 0;
      W[frame + KIND] = 0;
      W[frame + ACK] = 0;
      W[frame + AUX] = 0;
      W[frame + STATE] = 1;
      live++;
      return frame;
    },
    give(frame) {
      assert(frames.W[frame + STATE] === 1, () => `frame ${frame} given back twice`);
      frames.W[frame + STATE] = 0;
      frames.W[frame + LEN] = freeHead;
      freeHead = frame;
      live--;
    },
    alive: () => live,
  };
  return frames;
}

/** Bytes of the whole frame as a driver sees it (headers and payload). */
export function frameBytes(frames: Frames, frame: number): number {
  return headerBytes[(frames.W[frame + KIND]! & 255) as 0 | 1 | 2] + frames.W[frame + LEN]!;
}

export interface LinkOptions {
  readonly bitsPerSecond: number;
  readonly delayNanos: number;
  /** Part of frames that are lost, 0..1. */
  readonly loss: number;
}

/** One direction of a link. The sender gives its frame away; the receiver's `arrive` owns it then, or the link frees it as lost. */
export interface Link {
  send(frame: number): void;
  /** When the wire is free again. */
  freeAtNanos(): number;
  sent(): number;
  lost(): number;
}

/** A terabit per second, a day, in the units of LinkOptions. */
const rateMost = 1e12;
const delayMost = 86_400e9;

/** A direction that ends in `arrive`; loss is drawn from `random` and from nothing else. BadInput for what no wire is. */
export function createLink(
  clock: Clock,
  frames: Frames,
  options: LinkOptions,
  random: Prng,
  arrive: (frame: number) => void,
): Link {
  numberGiven("bitsPerSecond of a link", options.bitsPerSecond, 0, rateMost);
  if (!(options.delayNanos >= 0 && options.delayNanos <= delayMost))
    throw new BadInput(`delayNanos of a link is ${options.delayNanos}; it must be 0 .. ${delayMost}.`);
  if (!(options.loss >= 0 && options.loss <= 1))
    throw new BadInput(`loss of a link is ${options.loss}; it is the part of frames that are lost, 0 .. 1.`);
  const nanosPerByte = 8e9 / options.bitsPerSecond;
  const arrival = clock.line(arrive);
  const { loss, delayNanos } = options;
  /** When the wire is free; in an array, so that a change makes no garbage. */
  const free = new Float64Array(1);
  let sent = 0;
  let lost = 0;
  return {
    send(frame) {
      const now = clock.now();
      const start = free[0]! > now ? free[0]! : now;
      free[0] = start + (frameBytes(frames, frame) + wireExtra) * nanosPerByte;
      sent++;
      if (loss > 0 && random.unit() < loss) {
        lost++;
        frames.give(frame);
        return;
      }
      clock.inLine(arrival, free[0]! + delayNanos - now, frame);
    },
    freeAtNanos: () => free[0]!,
    sent: () => sent,
    lost: () => lost,
  };
}
