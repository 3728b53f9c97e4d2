// A remote host at the other end of a wire: TCP as arithmetic on frames, with no memory to run short of. It sends what it is told to,
// takes what comes in order, and holds what comes early as ranges of sequence numbers; windows and loss recovery as in tcp_cong.ts.
//
//   machine under test ──frames──▶ peer: ranges [expected] .. [a,b) .. [c,d)      acknowledges each second segment, or after 40 ms
//                      ◀─frames── peer: una|....|nxt ... write
//
// The honest part: every segment is a frame on a link with rate, delay and loss, and every acknowledgement a frame the tested machine has
// to receive into a buffer. Not here: the peer's CPU, its memory, delayed reading (its window never closes).
import { assert } from "../../../base/assert.ts";
import type { Clock } from "../../sync/clock.ts";
import type { Frames } from "../path/wire.ts";
import { frameField, frameKind } from "../path/wire.ts";
import type { CongOptions } from "./tcp_cong.ts";
import { congState, createTcpCong } from "./tcp_cong.ts";
import { before } from "./tcp_state.ts";

export interface PeerConnectionOptions {
  /** FLOW of frames that come to the peer, and of those it sends. */
  readonly flowIn: number;
  readonly flowOut: number;
  /** Payload of a segment, bytes. */
  readonly mss: number;
  /** What it offers, bytes; default 1 MiB. */
  readonly windowBytes?: number;
  readonly isn?: number;
  /** Told after data arrived in order: how many bytes in all. */
  readonly onData?: (bytes: number) => void;
  /** Told when everything sent so far is acknowledged. */
  readonly onDrained?: () => void;
  /** Content tag of the segment at a byte position. */
  readonly tagAt?: (position: number) => number;
  /** Looks at every data frame before it is taken. */
  readonly onFrame?: (frame: number) => void;
}

export interface TcpPeer {
  /** A connection, established. */
  connect(options: PeerConnectionOptions): number;
  /** Appends bytes to what is to be sent. */
  send(connection: number, bytes: number): void;
  /** A frame has arrived; the peer owns it. Frames of no connection are dropped. */
  frameArrived(frame: number): void;
  /** Bytes received in order, and bytes of ours acknowledged. */
  received(connection: number): number;
  delivered(connection: number): number;
  /** Written and not acknowledged. */
  pending(connection: number): number;
  readonly counters: { segments: number; retransmitted: number; timeouts: number; early: number };
}

const delackNanos = 40e6;
/** Ranges of early data that a connection keeps; more is dropped and comes again. */
const rangesMax = 256;
/** Connections of one peer, unless somebody says otherwise. */
const defaultRows = 64;

interface Row {
  readonly o: PeerConnectionOptions;
  una: number;
  nxt: number;
  write: number;
  wnd: number;
  highest: number;
  expected: number;
  ackedTo: number;
  unacked: number;
  received: number;
  delivered: number;
  /** Pairs [from, to), sorted. */
  readonly ranges: Int32Array;
  rangeCount: number;
  rtoAt: number;
  timerSet: boolean;
  delackAt: number;
  delackSet: boolean;
  sampleSeq: number;
  sampleAt: number;
}

/** `out` puts a frame on the wire to the machine and owns it. */
export function createTcpPeer(
  clock: Clock,
  frames: Frames,
  out: (frame: number) => void,
  options: CongOptions & { readonly connectionsMax?: number } = {},
): TcpPeer {
  const rows = options.connectionsMax ?? defaultRows;
  const cong = createTcpCong(rows, options);
  const conns: Row[] = [];
  const byFlow = new Map<number, number>();
  const counters = { segments: 0, retransmitted: 0, timeouts: 0, early: 0 };
  const { LEN, FLOW, SEQ, TAG, KIND, ACK, AUX } = frameField;

  const transmit = (c: number, seq: number, bytes: number): void => {
    const r = conns[c]!;
    const frame = frames.take();
    const { W } = frames;
    W[frame + LEN] = bytes;
    W[frame + FLOW] = r.o.flowOut;
    W[frame + SEQ] = seq;
    W[frame + TAG] = bytes > 0 ? (r.o.tagAt?.((seq - (r.o.isn ?? 0)) | 0) ?? 0) : 0;
    W[frame + KIND] = frameKind.tcp;
    W[frame + ACK] = r.expected;
    W[frame + AUX] = r.o.windowBytes ?? 1 << 20;
    r.ackedTo = r.expected;
    r.unacked = 0;
    r.delackAt = 0;
    counters.segments++;
    out(frame);
  };

  const packets = (r: Row, bytes: number): number => Math.ceil(bytes / r.o.mss);
  const inFlight = (c: number): number => {
    const r = conns[c]!;
    return Math.max(0, packets(r, (r.nxt - r.una) | 0) - cong.dupacks[c]!);
  };

  const push = (c: number): void => {
    const r = conns[c]!;
    while (before(r.nxt, r.write) && inFlight(c) < cong.cwnd[c]!) {
      const window = (r.una + r.wnd - r.nxt) | 0;
      const bytes = Math.min(r.o.mss, (r.write - r.nxt) | 0);
      if (window < bytes) break;
      const again = before(r.nxt, r.highest);
      if (again) counters.retransmitted++;
      else if (r.sampleAt < 0) {
        r.sampleSeq = (r.nxt + bytes) | 0;
        r.sampleAt = clock.now();
      }
      transmit(c, r.nxt, bytes);
      r.nxt = (r.nxt + bytes) | 0;
      if (before(r.highest, r.nxt)) r.highest = r.nxt;
    }
    if (r.rtoAt === 0 && r.una !== r.write) arm(c);
  };

  const resendFirst = (c: number): void => {
    const r = conns[c]!;
    const bytes = Math.min(r.o.mss, (r.nxt - r.una) | 0);
    if (bytes <= 0) return;
    counters.retransmitted++;
    r.sampleAt = -1;
    transmit(c, r.una, bytes);
  };

  const arm = (c: number): void => {
    const r = conns[c]!;
    r.rtoAt = clock.now() + cong.rtoNanos(c);
    if (r.timerSet) return;
    r.timerSet = true;
    clock.after(cong.rtoNanos(c), timer, c);
  };
  const timer = clock.handler((c) => {
    const r = conns[c]!;
    r.timerSet = false;
    if (r.rtoAt === 0) return;
    if (clock.now() < r.rtoAt) {
      r.timerSet = true;
      clock.after(r.rtoAt - clock.now(), timer, c);
      return;
    }
    r.rtoAt = 0;
    if (r.una === r.nxt) {
      // The window is closed: ask, with a byte from before.
      if (r.una !== r.write) {
        transmit(c, (r.una - 1) | 0, 0);
        arm(c);
      }
      return;
    }
    counters.timeouts++;
    cong.timeout(c, r.highest);
    r.nxt = r.una;
    r.sampleAt = -1;
    push(c);
    if (r.rtoAt === 0) arm(c);
  });

  const delack = clock.handler((c) => {
    const r = conns[c]!;
    r.delackSet = false;
    if (r.delackAt === 0) return;
    if (clock.now() >= r.delackAt) transmit(c, r.nxt, 0);
    else {
      r.delackSet = true;
      clock.after(r.delackAt - clock.now(), delack, c);
    }
  });

  const acknowledged = (c: number, ack: number, window: number, pure: boolean): void => {
    const r = conns[c]!;
    if (before(r.highest, ack) || before(ack, r.una)) return;
    const opened = r.wnd !== window;
    r.wnd = window;
    if (ack !== r.una) {
      const bytes = (ack - r.una) | 0;
      const limited = inFlight(c) + 1 >= cong.cwnd[c]!;
      r.delivered += bytes;
      r.una = ack;
      if (before(r.nxt, ack)) r.nxt = ack;
      if (r.sampleAt >= 0 && !before(ack, r.sampleSeq)) {
        cong.sample(c, Math.max(1, clock.now() - r.sampleAt));
        r.sampleAt = -1;
      }
      if (cong.acked(c, ack, packets(r, bytes), limited)) resendFirst(c);
      r.rtoAt = 0;
      if (r.una === r.write) r.o.onDrained?.();
    } else if (pure && !opened && r.una !== r.nxt && cong.state[c] !== congState.loss && cong.duplicate(c, r.nxt))
      resendFirst(c);
    push(c);
  };

  /** Puts [from, to) among the early ranges, joined with what it touches; false when there is no room for another. */
  const keepEarly = (r: Row, from: number, to: number): boolean => {
    const { ranges } = r;
    let i = 0;
    while (i < r.rangeCount && before(ranges[i * 2 + 1]!, from)) i++;
    let low = from;
    let high = to;
    let j = i;
    for (; j < r.rangeCount && !before(to, ranges[j * 2]!); j++) {
      if (before(ranges[j * 2]!, low)) low = ranges[j * 2]!;
      if (before(high, ranges[j * 2 + 1]!)) high = ranges[j * 2 + 1]!;
    }
    if (i === j && r.rangeCount === rangesMax) return false;
    ranges.copyWithin((i + 1) * 2, j * 2, r.rangeCount * 2);
    r.rangeCount += 1 - (j - i);
    ranges[i * 2] = low;
    ranges[i * 2 + 1] = high;
    return true;
  };

  const data = (c: number, seq: number, bytes: number): void => {
    const r = conns[c]!;
    const end = (seq + bytes) | 0;
    if (!before(r.expected, end)) {
      transmit(c, r.nxt, 0);
      return;
    }
    if (before(r.expected, seq)) {
      counters.early++;
      keepEarly(r, seq, end);
      transmit(c, r.nxt, 0);
      return;
    }
    const was = r.expected;
    r.expected = end;
    const holes = r.rangeCount > 0;
    while (r.rangeCount > 0 && !before(r.expected, r.ranges[0]!)) {
      if (before(r.expected, r.ranges[1]!)) r.expected = r.ranges[1]!;
      r.ranges.copyWithin(0, 2, r.rangeCount * 2);
      r.rangeCount--;
    }
    r.received += (r.expected - was) | 0;
    r.unacked++;
    const { ackedTo } = r;
    r.o.onData?.(r.received);
    // An answer sent just now has acknowledged it too.
    if (r.ackedTo !== ackedTo) return;
    if (holes || r.unacked >= 2) transmit(c, r.nxt, 0);
    else if (r.delackAt === 0) {
      r.delackAt = clock.now() + delackNanos;
      if (r.delackSet) return;
      r.delackSet = true;
      clock.after(delackNanos, delack, c);
    }
  };

  return {
    counters,
    connect(o) {
      assert(conns.length < rows, () => `the peer has ${rows} connections already`);
      const isn = o.isn ?? 0;
      const c = conns.length;
      conns.push({
        o,
        una: isn,
        nxt: isn,
        write: isn,
        wnd: 65535,
        highest: isn,
        expected: isn,
        ackedTo: isn,
        unacked: 0,
        received: 0,
        delivered: 0,
        ranges: new Int32Array((rangesMax + 1) * 2),
        rangeCount: 0,
        rtoAt: 0,
        timerSet: false,
        delackAt: 0,
        delackSet: false,
        sampleSeq: 0,
        sampleAt: -1,
      });
      cong.reset(c);
      byFlow.set(o.flowIn, c);
      return c;
    },
    send(c, bytes) {
      const r = conns[c]!;
      r.write = (r.write + bytes) | 0;
      push(c);
    },
    frameArrived(frame) {
      const { W } = frames;
      const c = byFlow.get(W[frame + FLOW]!);
      if (c === undefined || (W[frame + KIND]! & 255) !== frameKind.tcp) {
        frames.give(frame);
        return;
      }
      const seq = W[frame + SEQ]!;
      const bytes = W[frame + LEN]!;
      const ack = W[frame + ACK]!;
      const window = W[frame + AUX]!;
      if (bytes > 0) conns[c]!.o.onFrame?.(frame);
      frames.give(frame);
      acknowledged(c, ack, window, bytes === 0);
      if (bytes > 0) data(c, seq, bytes);
      else if (before(seq, conns[c]!.expected)) transmit(c, conns[c]!.nxt, 0);
    },
    received: (c) => conns[c]!.received,
    delivered: (c) => conns[c]!.delivered,
    pending: (c) => (conns[c]!.write - conns[c]!.una) | 0,
  };
}
