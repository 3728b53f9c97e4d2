// A receive ring: which slots hold a buffer, which of those the hardware has written, where hardware and driver stand.
//
//   [FFFP.U...]   F filled: the hardware may write · P a packet (or a piece of one) arrived · U handed up, not refilled · . empty
//       ^ clean: the driver reads here next
//
// What a buffer is (skb, address, pfn) is the driver's business; 0 is none. A frame may take several slots: the first holds it.
import { wholeGiven } from "../../base/bad_input.ts";
import type { DriverHost } from "../net/path/netdevice.ts";
import type { DriverParts } from "./driver.ts";

/** Simulated cost of handling a packet in the driver and the stack above it, a plausible figure for one CPU. */
export const rxPacketNanos = 600;
/** How long the hardware gathers packets before it interrupts, where nobody says. */
const coalesceUsual = 10_000;

/** Slots of a ring at most. */
export const ringMost = 65_536;

export interface RxRing {
  readonly size: number;
  /** What the driver posted, by slot. */
  readonly buffer: Float64Array;
  /** The frame that begins in a slot, 0 for none. */
  readonly frame: Int32Array;
  /** Slots that the frame beginning here takes; 0 in the slots behind its first. */
  readonly pieces: Int32Array;
  /** Where the driver reads next, and where it posts next. */
  clean: number;
  use: number;
  /** Posts a buffer in a slot, or takes it out (0). */
  set(slot: number, buffer: number): void;
  /** The hardware's side: a frame that needs `pieces` slots; false when they are not there (the frame is still the caller's). */
  arrive(frame: number, pieces: number): boolean;
  /** Where the hardware writes next. */
  hardware(): number;
  /** Takes the frame out of the slot at `clean`; 0 when none has arrived there. `clean` stays. */
  arrived(): number;
  /** The slot at `clean` was dealt with. */
  advance(): void;
  /** A poll ends although a frame lies at `clean`: the next frame interrupts again, as it does on every card whose interrupts are on. */
  leave(): void;
  /** Only the first `slots` are gone round from now on: a driver that got fewer buffers posts on where it stands, and a slot may not lie empty. */
  shorten(slots: number): void;
  /** Slots that may be posted so that one always stays free between tail and head, as Intel's rings want it. */
  unused(): number;
  filled(): number;
  /** Empties the ring: frames go back to the wire's rows, `free` gets every buffer. */
  reset(free: (buffer: number) => void): void;
  /** The notation above; at most `slots` of it. */
  draw(slots?: number): string;
}

/** BadInput for a size that no ring has. */
export function createRxRing(parts: DriverParts, host: DriverHost, size: number): RxRing {
  wholeGiven("The size of a receive ring", size, 2, ringMost);
  const { clock, frames } = parts;
  const buffer = new Float64Array(size);
  const frame = new Int32Array(size);
  const pieces = new Int32Array(size);
  /** 0 nothing, 1 written, 2 handed up. */
  const state = new Uint8Array(size);
  let end = size;
  let hardware = 0;
  let filled = 0;
  let waiting = 0;
  let left = false;
  const interrupt = clock.handler(() => host.raiseInterrupt());
  const { coalesceNanos = coalesceUsual } = host;
  const next = (slot: number): number => (slot + 1 === end ? 0 : slot + 1);
  const ring: RxRing = {
    size,
    buffer,
    frame,
    pieces,
    clean: 0,
    use: 0,
    set(slot, what) {
      filled += (what !== 0 ? 1 : 0) - (buffer[slot] !== 0 ? 1 : 0);
      buffer[slot] = what;
      if (what !== 0 && state[slot] === 2) state[slot] = 0;
    },
    arrive(f, count) {
      if (count > filled) return false;
      let slot = hardware;
      for (let i = 0; i < count; i++) {
        if (buffer[slot] === 0 || state[slot] !== 0) return false;
        slot = next(slot);
      }
      frame[hardware] = f;
      pieces[hardware] = count;
      for (slot = hardware; count > 0; count--) {
        state[slot] = 1;
        slot = next(slot);
      }
      hardware = slot;
      // Frames behind one that waits are found by the poll that it will get.
      if (waiting++ === 0 || left) clock.after(coalesceNanos, interrupt);
      left = false;
      return true;
    },
    hardware: () => hardware,
    arrived() {
      const slot = ring.clean;
      const f = frame[slot]!;
      if (f === 0) return 0;
      frame[slot] = 0;
      waiting--;
      return f;
    },
    advance() {
      const slot = ring.clean;
      state[slot] = buffer[slot] === 0 ? 2 : 0;
      pieces[slot] = 0;
      ring.clean = next(slot);
    },
    leave() {
      left = true;
    },
    shorten(slots) {
      end = slots;
    },
    unused: () => (ring.clean > ring.use ? 0 : size) + ring.clean - ring.use - 1,
    filled: () => filled,
    reset(free) {
      for (let slot = 0; slot < size; slot++) {
        if (frame[slot] !== 0) frames.give(frame[slot]!);
        if (buffer[slot] !== 0) free(buffer[slot]!);
      }
      buffer.fill(0);
      frame.fill(0);
      pieces.fill(0);
      state.fill(0);
      end = size;
      hardware = ring.clean = ring.use = filled = waiting = 0;
      left = false;
    },
    draw(slots = size) {
      let out = "";
      for (let i = 0; i < Math.min(slots, size); i++)
        out += state[i] === 1 ? "P" : state[i] === 2 ? "U" : buffer[i] !== 0 ? "F" : ".";
      return `[${out}]`;
    },
  };
  return ring;
}
