// How much TCP may have on its way, and how long it waits: slow start, additive increase, halving on loss, and the retransmission timer.
// NewReno without SACK (RFC 5681, 6582, 6298; net/ipv4/tcp_cong.c tcp_reno_*, tcp_rtt_estimator() of tcp_input.c, 6.1.192).
// Not here: CUBIC (6.1's default), SACK, RACK and tail loss probes, ECN: recovery takes a round trip for each lost segment.
//
//   open ──3 duplicates──▶ recovery ──all acknowledged that was out──▶ open
//     └────timer────▶ loss (window 1, everything again) ──────────────────┘

/** States of a sender. */
export const congState = { open: 0, recovery: 1, loss: 2 } as const;
const { open: OPEN, recovery: RECOVERY, loss: LOSS } = congState;

/** TCP_INIT_CWND (10 since 2.6.39), TCP_RTO_MIN and TCP_RTO_MAX in nanoseconds, and the timeout before the first sample. */
export const initialWindow = 10;
export const rtoMinNanos = 200e6;
export const rtoMaxNanos = 120e9;
export const rtoInitialNanos = 1e9;
const duplicates = 3;

export interface CongOptions {
  readonly initialWindow?: number;
  readonly rtoMinNanos?: number;
  /** The timeout before the first round trip was measured. */
  readonly rtoInitialNanos?: number;
}

/** Rows, one a connection; windows in segments. */
export interface TcpCong {
  readonly cwnd: Int32Array;
  readonly ssthresh: Int32Array;
  readonly state: Uint8Array;
  /** Duplicate acknowledgements in a row: segments that have left the network. */
  readonly dupacks: Int32Array;
  /** What was sent when recovery or loss began. */
  readonly highSeq: Int32Array;
  readonly srttNanos: Float64Array;
  reset(c: number): void;
  /** A round trip of a segment that was sent once. */
  sample(c: number, nanos: number): void;
  /** New data is acknowledged: true when recovery goes on and the first segment must be sent again. */
  acked(c: number, una: number, segments: number, limited: boolean): boolean;
  /** A duplicate: true when recovery begins and the first segment must be sent again. */
  duplicate(c: number, sndNxt: number): boolean;
  /** The timer ran out. */
  timeout(c: number, sndNxt: number): void;
  rtoNanos(c: number): number;
}

export function createTcpCong(rows: number, options: CongOptions = {}): TcpCong {
  const { rtoMinNanos: rtoMin = rtoMinNanos, rtoInitialNanos: rtoInitial = rtoInitialNanos } = options;
  const start = options.initialWindow ?? initialWindow;
  const cwnd = new Int32Array(rows);
  const credit = new Int32Array(rows);
  const ssthresh = new Int32Array(rows);
  const state = new Uint8Array(rows);
  const dupacks = new Int32Array(rows);
  const highSeq = new Int32Array(rows);
  const srttNanos = new Float64Array(rows);
  const deviation = new Float64Array(rows);
  const backoff = new Uint8Array(rows);

  const half = (c: number): number => Math.max(cwnd[c]! >> 1, 2);

  /** tcp_slow_start() and tcp_cong_avoid_ai() */
  const grow = (c: number, segments: number): void => {
    let left = segments;
    if (cwnd[c]! < ssthresh[c]!) {
      const step = Math.min(left, ssthresh[c]! - cwnd[c]!);
      cwnd[c]! += step;
      left -= step;
    }
    credit[c]! += left;
    while (credit[c]! >= cwnd[c]!) {
      credit[c]! -= cwnd[c]!;
      cwnd[c]!++;
    }
  };

  return {
    cwnd,
    ssthresh,
    state,
    dupacks,
    highSeq,
    srttNanos,
    reset(c) {
      cwnd[c] = start;
      ssthresh[c] = 0x7fffffff;
      state[c] = OPEN;
      credit[c] = dupacks[c] = highSeq[c] = backoff[c] = 0;
      srttNanos[c] = deviation[c] = 0;
    },
    sample(c, nanos) {
      backoff[c] = 0;
      if (srttNanos[c] === 0) {
        srttNanos[c] = nanos;
        deviation[c] = nanos / 2;
        return;
      }
      const error = nanos - srttNanos[c]!;
      srttNanos[c]! += error / 8;
      deviation[c]! += (Math.abs(error) - deviation[c]!) / 4;
    },
    acked(c, una, segments, limited) {
      if (state[c] !== OPEN && ((una - highSeq[c]!) | 0) >= 0) {
        // tcp_try_undo is not modelled: leaving recovery keeps the halved window.
        if (state[c] === RECOVERY) cwnd[c] = ssthresh[c]!;
        state[c] = OPEN;
      }
      if (state[c] === RECOVERY) {
        dupacks[c] = Math.max(0, dupacks[c]! - Math.max(0, segments - 1));
        return true;
      }
      dupacks[c] = 0;
      if (limited || state[c] === LOSS) grow(c, segments);
      return false;
    },
    duplicate(c, sndNxt) {
      dupacks[c]!++;
      if (state[c] !== OPEN || dupacks[c] !== duplicates) return false;
      state[c] = RECOVERY;
      highSeq[c] = sndNxt;
      ssthresh[c] = cwnd[c] = half(c);
      return true;
    },
    timeout(c, sndNxt) {
      if (state[c] !== LOSS) ssthresh[c] = half(c);
      state[c] = LOSS;
      highSeq[c] = sndNxt;
      cwnd[c] = 1;
      dupacks[c] = credit[c] = 0;
      if (backoff[c]! < 15) backoff[c]!++;
    },
    rtoNanos(c) {
      const base = srttNanos[c] === 0 ? rtoInitial : srttNanos[c]! + Math.max(4 * deviation[c]!, rtoMin);
      return Math.min(base * 2 ** backoff[c]!, rtoMaxNanos);
    },
  };
}
