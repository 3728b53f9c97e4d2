// The USB adapter's side of receiving: it writes frames one behind the other into the buffer of a transfer (URB), and hands the transfer back when
// the next frame does not fit, or when nothing has come for a while.
//
//   posted  [ urb ][ urb ][ urb ]      filling  [ head frame | head frame | …      ]      done  [ urb: 14 frames ] ─▶ interrupt
import type { DriverHost } from "../../net/path/netdevice.ts";
import { frameBytes } from "../../net/path/wire.ts";
import type { DriverParts } from "../driver.ts";

export interface TransferOptions {
  /** Of a transfer's buffer; before and behind each frame, bytes; where the next one begins. */
  readonly bytes: number;
  readonly head: number;
  readonly tail: number;
  readonly align: number;
  /** A transfer with fewer frames than fit is handed back so long after the first. */
  readonly gatherNanos: number;
}

export interface Transfer<B> {
  readonly buffer: B;
  readonly frames: number[];
  /** Bytes in use. */
  used: number;
}

export interface Transfers<B> {
  /** The hardware may write here. */
  post(buffer: B): void;
  /** False when no transfer is posted, or the frame is longer than one; the frame is the caller's then. */
  arrive(frame: number): boolean;
  /** The oldest transfer that came back. */
  take(): Transfer<B> | undefined;
  waiting(): number;
  posted(): number;
  /** Everything goes: frames to the wire's rows, buffers to `free`. */
  reset(free: (buffer: B) => void): void;
}

export function createTransfers<B>(parts: DriverParts, host: DriverHost, options: TransferOptions): Transfers<B> {
  const { clock, frames } = parts;
  const { bytes, head, tail, align, gatherNanos } = options;
  const posted: B[] = [];
  const done: Transfer<B>[] = [];
  let filling: Transfer<B> | undefined;
  /** Each transfer that begins to fill; a timer of an earlier one does nothing. */
  let serial = 0;
  const finish = (): void => {
    if (filling === undefined) return;
    done.push(filling);
    filling = undefined;
    host.raiseInterrupt();
  };
  const timer = clock.handler((of) => {
    if (of === serial) finish();
  });
  return {
    post: (buffer) => void posted.push(buffer),
    arrive(frame) {
      const needs = head + frameBytes(frames, frame) + tail;
      if (needs > bytes) return false;
      if (filling !== undefined && filling.used + needs > bytes) finish();
      if (filling === undefined) {
        const buffer = posted.shift();
        if (buffer === undefined) return false;
        filling = { buffer, frames: [], used: 0 };
        clock.after(gatherNanos, timer, ++serial);
      }
      filling.frames.push(frame);
      filling.used = Math.ceil((filling.used + needs) / align) * align;
      return true;
    },
    take: () => done.shift(),
    waiting: () => done.length,
    posted: () => posted.length + (filling === undefined ? 0 : 1),
    reset(free) {
      serial++;
      for (const { buffer, frames: all } of [...done, ...(filling === undefined ? [] : [filling])]) {
        for (const frame of all) frames.give(frame);
        free(buffer);
      }
      for (const buffer of posted) free(buffer);
      posted.length = done.length = 0;
      filling = undefined;
    },
  };
}
