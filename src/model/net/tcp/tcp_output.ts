// The sending half of TCP: packets of the write queue go out as clones, again when they are lost, and stay until they are acknowledged.
// net/ipv4/tcp_output.c, tcp_input.c (tcp_ack), tcp_timer.c, 6.1.192. tcp_write.ts fills the queue.
//
//   write queue   [A A A A]─[B B B B]─[C C]        each an sk_buff of a fast-clone pair, payload in page fragments
//   device             └clone A'  └clone B'        same head and pages; A' goes at completion, A when acknowledged
//
// So a page written by sendfile has a reference for each packet in the queue and is held by its clones too, until the device is done,
// however long ago the peer had it. A retransmission never clones a packet whose clone still waits in a queue (skb_still_in_host_queue).

import { eventKind } from "../../../kernel/events.ts";
import { packetField } from "../path/receive.ts";
import { frameKind, headerBytes } from "../path/wire.ts";
import { fragField, fragInts, headField, skbBit, skbField } from "../skb/skb_columns.ts";
import { congState } from "./tcp_cong.ts";
import type { TcpQueue } from "./tcp_queue.ts";
import { maxTcpHeader } from "./tcp_queue.ts";
import type { TcpShared } from "./tcp_state.ts";
import { before, connFlag, connState } from "./tcp_state.ts";

const { OFFSET: FRAG_OFFSET, SIZE: FRAG_SIZE } = fragField;
const FRAG_INTS = fragInts;

const { LEN, DATA_LEN, TRUESIZE, BITS, NEXT, SK, DESTRUCTOR, HEAD, MARK, HASH, FCLONE_REF, CB4 } = skbField;
const { NR_FRAGS } = headField;
const { FLOW, SEQ, TAG, ACK, AUX, KIND } = packetField;
const headers = headerBytes[frameKind.tcp];
/** net.ipv4.tcp_limit_output_bytes */
const limitOutputBytes = 1048576;
/** tcp_wmem[2] */
const wmemMaxBytes = 4194304;

export interface TcpOutput {
  /** tcp_send_ack(): a packet without data; without memory the delayed-acknowledgement timer tries again. */
  sendAck: (c: number, seq?: number) => boolean;
  /** tcp_write_xmit(): everything that windows and queues allow. */
  push: (c: number, once: boolean) => void;
  /** tcp_ack(): what an incoming packet says about our data. `pure`: it carries none of its own. */
  acknowledged: (c: number, ack: number, window: number, pure: boolean) => void;
  bind(c: number): void;
  /** tcp_write_queue_purge() */
  purge(c: number): void;
}

export function createTcpOutput(shared: TcpShared, queue: TcpQueue, selectWindow: (c: number) => number): TcpOutput {
  const { parts, t, cong, counters } = shared;
  const { skbs, clock, cpus, mem } = parts;
  const { S, H, F, fragBase } = skbs.columns;
  const { socks, config } = skbs;
  const { wmemAlloc, wmemQueued, sndbuf, sndbufLocked } = socks;
  const { gfp } = config;
  const { fcloneMask, fcloneShift } = skbBit;
  const { queueCharge, freeQueued, streamAlloc, setSegments } = queue;

  // --- sending ---------------------------------------------------------------------------------------------------------------

  const wfree = skbs.registerDestructor((skb) => {
    const sk = S[skb + SK]!;
    wmemAlloc[sk]! -= S[skb + TRUESIZE]!;
    const c = connectionOf[sk]!;
    if ((t.flags[c]! & connFlag.throttled) === 0) return;
    t.flags[c]! &= ~connFlag.throttled;
    cpus.work(t.cpu[c]!, 0, tasklet, c);
  });
  const connectionOf = new Int32Array(socks.wmemAlloc.length);
  const tasklet = cpus.register((c) => {
    if (t.state[c] !== connState.closed) push(c, false);
  });

  /** __tcp_transmit_skb(): headers onto a packet that is ours to give away. */
  const sendOut = (c: number, skb: number, seq: number, destructorTruesize: boolean): void => {
    if (!destructorTruesize) S[skb + TRUESIZE] = 2;
    S[skb + SK] = t.sock[c]!;
    S[skb + DESTRUCTOR] = wfree;
    wmemAlloc[t.sock[c]!]! += S[skb + TRUESIZE]!;
    skbs.skbPush(skb, headers);
    S[skb + FLOW] = t.flowOut[c]!;
    S[skb + SEQ] = seq;
    S[skb + ACK] = t.rcvNxt[c]!;
    S[skb + AUX] = selectWindow(c);
    S[skb + KIND] = frameKind.tcp;
    t.delackAt[c] = 0;
    if (t.quick[c]! > 0) t.quick[c]!--;
    counters.segmentsOut++;
    parts.output(c, skb);
  };

  const refusedIn = skbs.journal?.textId("tcp_transmit_skb") ?? 0;
  const retransmitKind = eventKind.tcp_retransmit_skb;
  /** tcp_transmit_skb() with a clone: false when there was no memory for one. */
  const transmit = (c: number, skb: number): boolean => {
    // A clone of this data waits somewhere with its own headers in the shared head: this one needs its own head.
    const n = skbs.isCloned(skb) ? skbs.pskbCopy(skb, gfp.atomic) : skbs.skbClone(skb, gfp.atomic);
    if (n === 0) {
      counters.sendNoMemory++;
      skbs.refused(refusedIn);
      return false;
    }
    S[skb + HASH] = Math.floor(clock.now() / 1000) | 0;
    sendOut(c, n, S[skb + SEQ]!, true);
    return true;
  };

  const sendAck = (c: number, seq = t.nxt[c]!): boolean => {
    const skb = skbs.allocSkb(maxTcpHeader, gfp.atomic | gfp.nowarn);
    if (skb === 0) {
      counters.ackNoMemory++;
      return false;
    }
    skbs.skbReserve(skb, maxTcpHeader);
    S[skb + TAG] = 0;
    sendOut(c, skb, seq, false);
    return true;
  };

  /** tcp_fragment(): cuts a queued packet behind `len` bytes; false without memory. */
  const fragment = (c: number, skb: number, len: number): boolean => {
    if (skbs.uncloneKeepTruesize(skb, gfp.atomic) !== 0) return false;
    const rest = streamAlloc(c, Math.max(0, skbs.headlen(skb) - len), gfp.atomic, true);
    if (rest === 0) return false;
    queueCharge(c, S[rest + TRUESIZE]!);
    const moved = S[skb + LEN]! - len;
    skbs.skbSplit(skb, rest, len);
    S[rest + TRUESIZE]! += moved;
    S[skb + TRUESIZE]! -= moved;
    S[rest + SEQ] = (S[skb + SEQ]! + len) | 0;
    S[rest + TAG] = S[skb + TAG]!;
    S[rest + HASH] = S[skb + HASH]!;
    S[rest + CB4] = S[skb + CB4]!;
    S[rest + NEXT] = S[skb + NEXT]!;
    S[skb + NEXT] = rest;
    if (t.last[c] === skb) t.last[c] = rest;
    const had = S[skb + MARK]!;
    setSegments(c, skb);
    setSegments(c, rest);
    // A packet that was sent and did not end on a segment may count one more now.
    if (S[skb + CB4] !== 0 && before(S[skb + SEQ]!, t.nxt[c]!))
      t.packetsOut[c]! += S[skb + MARK]! + S[rest + MARK]! - had;
    return true;
  };

  /** tcp_update_pacing_rate(), bytes a millisecond; what TSO sizes and small queues follow. */
  const perMilli = (c: number): number => {
    const rtt = cong.srttNanos[c]!;
    if (rtt === 0) return limitOutputBytes;
    const factor = cong.cwnd[c]! < cong.ssthresh[c]! / 2 ? 2 : 1.2;
    return (factor * Math.max(cong.cwnd[c]!, t.packetsOut[c]!) * t.mss[c]! * 1e6) / rtt;
  };

  const inFlight = (c: number): number =>
    cong.state[c] === congState.loss && t.again[c] !== 0
      ? t.againOut[c]!
      : Math.max(0, t.packetsOut[c]! - Math.min(cong.dupacks[c]!, t.packetsOut[c]!));

  /** tcp_small_queue_check(): true when enough of this connection waits in queues and rings already. */
  const throttled = (c: number, skb: number): boolean => {
    const limit = Math.min(Math.max(2 * S[skb + TRUESIZE]!, perMilli(c)), limitOutputBytes);
    const first = t.first[c]!;
    if (wmemAlloc[t.sock[c]!]! <= limit || skb === first || S[first + NEXT] === skb) return false;
    t.flags[c]! |= connFlag.throttled;
    counters.smallQueue++;
    return true;
  };

  /** tcp_nagle_test(): a small last packet waits for what was sent before it. */
  const nagle = (c: number, skb: number): boolean =>
    S[skb + LEN]! < t.mss[c]! &&
    (t.flags[c]! & connFlag.noDelay) === 0 &&
    t.packetsOut[c]! > 0 &&
    S[skb + NEXT] === 0 &&
    before(t.una[c]!, t.smallEnd[c]!);

  /** How many bytes of a packet may go now: whole segments, or its end. 0: none. */
  const sendable = (c: number, skb: number): number => {
    const mss = t.mss[c]!;
    const quota = cong.cwnd[c]! - inFlight(c);
    if (quota <= 0) return 0;
    const len = S[skb + LEN]!;
    const window = (t.una[c]! + t.wnd[c]! - S[skb + SEQ]!) | 0;
    if (window < Math.min(len, mss)) return 0;
    const auto = Math.max(2, Math.floor(perMilli(c) / mss));
    const limit = Math.min(quota * mss, window, auto * mss);
    if (len <= limit) return len;
    return limit - (limit % mss);
  };

  const push = (c: number, once: boolean): void => {
    if (t.again[c] !== 0) sendAgain(c);
    for (let skb = t.unsent[c]!; skb !== 0; skb = t.unsent[c]!) {
      if (t.again[c] !== 0 && cong.state[c] === congState.loss) break;
      const bytes = sendable(c, skb);
      if (bytes === 0 || nagle(c, skb) || S[skb + LEN] === 0) break;
      if (throttled(c, skb)) break;
      if (bytes < S[skb + LEN]! && !fragment(c, skb, bytes)) break;
      if (!transmit(c, skb)) break;
      S[skb + CB4] = 1;
      t.unsent[c] = S[skb + NEXT]!;
      t.nxt[c] = (S[skb + SEQ]! + S[skb + LEN]!) | 0;
      if (S[skb + LEN]! < t.mss[c]!) t.smallEnd[c] = t.nxt[c]!;
      if (t.packetsOut[c] === 0) armTimer(c);
      t.packetsOut[c]! += S[skb + MARK]!;
      if (once) break;
    }
    // Nothing is out and something waits: only a probe can find the window open again, or memory there.
    if (t.packetsOut[c] === 0 && t.unsent[c] !== 0 && t.rtoAt[c] === 0) armTimer(c);
  };

  // --- sending again ---------------------------------------------------------------------------------------------------------

  /** skb_still_in_host_queue(): the clone of this packet has not been given back by the device. */
  const inHostQueue = (skb: number): boolean =>
    (S[skb + BITS]! & fcloneMask) >> fcloneShift === 1 && S[skb + FCLONE_REF]! > 1;

  /** __tcp_retransmit_skb(): at most `segments` of a packet; how many went, 0 when it could not. */
  const retransmit = (c: number, skb: number, segments: number): number => {
    if (inHostQueue(skb)) {
      counters.hostQueueBusy++;
      return 0;
    }
    const most = segments * t.mss[c]!;
    if (S[skb + LEN]! > most && !fragment(c, skb, most)) return 0;
    if (!transmit(c, skb)) return 0;
    S[skb + CB4]!++;
    counters.retransSegs += S[skb + MARK]!;
    if (skbs.journal?.heard === true) skbs.journal.emit(retransmitKind, skb, S[skb + SEQ]!, S[skb + MARK]!);
    return S[skb + MARK]!;
  };

  /** tcp_xmit_retransmit_queue() after a timeout: from the first packet on, as far as the window goes. */
  const sendAgain = (c: number): void => {
    while (t.again[c] !== 0 && t.again[c] !== t.unsent[c]) {
      const quota = cong.cwnd[c]! - t.againOut[c]!;
      if (quota <= 0) return;
      const skb = t.again[c]!;
      const went = retransmit(c, skb, quota);
      if (went === 0) return;
      t.againOut[c]! += went;
      t.again[c] = S[skb + NEXT]!;
    }
    t.again[c] = 0;
  };

  const retransmitFirst = (c: number): void => {
    if (t.first[c] !== 0 && t.first[c] !== t.unsent[c]) retransmit(c, t.first[c]!, 1);
  };

  // --- the retransmission timer ----------------------------------------------------------------------------------------------

  const RTO = 1;
  const armTimer = (c: number): void => {
    t.rtoAt[c] = clock.now() + cong.rtoNanos(c);
    if ((t.timers[c]! & RTO) !== 0) return;
    t.timers[c]! |= RTO;
    cpus.work(t.cpu[c]!, cong.rtoNanos(c), timerWork, c);
  };

  /** tcp_write_wakeup(): asks for the window with a byte that was acknowledged before, or sends what it now may. */
  const probe = (c: number): void => {
    if (t.unsent[c] === 0) return;
    push(c, false);
    if (t.packetsOut[c] !== 0) return;
    sendAck(c, (t.una[c]! - 1) | 0);
    armTimer(c);
  };

  const timerWork = cpus.register((c) => {
    t.timers[c]! &= ~RTO;
    if (t.state[c] === connState.closed || t.rtoAt[c] === 0) return;
    const left = t.rtoAt[c]! - clock.now();
    if (left > 0) {
      t.timers[c]! |= RTO;
      cpus.work(t.cpu[c]!, left, timerWork, c);
      return;
    }
    t.rtoAt[c] = 0;
    if (t.packetsOut[c] === 0) {
      probe(c);
      return;
    }
    counters.timeouts++;
    cong.timeout(c, t.nxt[c]!);
    t.again[c] = t.first[c]!;
    t.againOut[c] = 0;
    sendAgain(c);
    armTimer(c);
  });

  // --- what is acknowledged --------------------------------------------------------------------------------------------------

  /** __pskb_trim_head(): the first `bytes` of a queued packet are done with. Pages that hold nothing else are let go. */
  const trimHead = (c: number, skb: number, bytes: number): boolean => {
    if (skbs.uncloneKeepTruesize(skb, gfp.atomic) !== 0) return false;
    let eat = bytes;
    const linear = Math.min(eat, skbs.headlen(skb));
    if (linear > 0) skbs.skbPull(skb, linear);
    eat -= linear;
    const head = S[skb + HEAD]!;
    const base = fragBase(head);
    const count = H[head + NR_FRAGS]!;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const f = base + i * FRAG_INTS;
      if (F[f + FRAG_SIZE]! <= eat) {
        eat -= F[f + FRAG_SIZE]!;
        skbs.fragUnref(f, skbs.recycles(skb));
        continue;
      }
      skbs.copyFrag(base + kept * FRAG_INTS, f);
      F[base + kept * FRAG_INTS + FRAG_OFFSET]! += eat;
      F[base + kept * FRAG_INTS + FRAG_SIZE]! -= eat;
      eat = 0;
      kept++;
    }
    H[head + NR_FRAGS] = kept;
    const paged = bytes - linear;
    S[skb + LEN]! -= paged;
    S[skb + DATA_LEN]! -= paged;
    S[skb + SEQ] = (S[skb + SEQ]! + bytes) | 0;
    S[skb + TRUESIZE]! -= bytes;
    queueCharge(c, -bytes);
    return true;
  };

  /** Who frees acknowledged packets, by who called the stack. */
  const acking: number[] = [];
  const ackedBy = (caller: number): number =>
    (acking[caller] ??=
      skbs.journal?.textId(
        ["skb_release_data < __kfree_skb < tcp_ack < tcp_rcv_established < tcp_v4_do_rcv < tcp_v4_rcv < ip_rcv"]
          .concat(caller === 0 ? [] : [skbs.journal.text(caller)])
          .join(" < "),
      ) ?? 0);

  /** tcp_clean_rtx_queue(): packets below `ack` go; segments that were acknowledged. */
  const clean = (c: number, ack: number): number => {
    const { journal } = skbs;
    if (journal === undefined) return cleanQueue(c, ack);
    const { caller } = journal;
    journal.caller = ackedBy(caller);
    const segments = cleanQueue(c, ack);
    journal.caller = caller;
    return segments;
  };
  const cleanQueue = (c: number, ack: number): number => {
    const were = t.packetsOut[c]!;
    let rttFrom = -1;
    for (let skb = t.first[c]!; skb !== 0 && skb !== t.unsent[c]; skb = t.first[c]!) {
      const end = (S[skb + SEQ]! + S[skb + LEN]!) | 0;
      const sent = S[skb + CB4]!;
      if (before(ack, end)) {
        if (!before(S[skb + SEQ]!, ack)) break;
        const segments = S[skb + MARK]!;
        if (trimHead(c, skb, (ack - S[skb + SEQ]!) | 0)) {
          setSegments(c, skb);
          t.packetsOut[c]! -= segments - S[skb + MARK]!;
          if (sent > 1) t.againOut[c] = Math.max(0, t.againOut[c]! - (segments - S[skb + MARK]!));
        }
        break;
      }
      if (sent === 1) rttFrom = S[skb + HASH]!;
      else t.againOut[c] = Math.max(0, t.againOut[c]! - S[skb + MARK]!);
      t.packetsOut[c]! -= S[skb + MARK]!;
      if (t.again[c] === skb) t.again[c] = S[skb + NEXT]! === t.unsent[c] ? 0 : S[skb + NEXT]!;
      t.first[c] = S[skb + NEXT]!;
      if (t.last[c] === skb) t.last[c] = 0;
      freeQueued(c, skb);
    }
    if (rttFrom !== -1) cong.sample(c, Math.max(1, (Math.floor(clock.now() / 1000) - rttFrom) | 0) * 1000);
    return were - t.packetsOut[c]!;
  };

  /** tcp_sndbuf_expand(): room for twice the window, packets counted as kmalloc gives them. */
  const expandSndbuf = (c: number): void => {
    if (sndbufLocked[t.sock[c]!] !== 0) return;
    const want = t.mss[c]! + maxTcpHeader + skbs.infoRoom;
    const each = 2 ** Math.ceil(Math.log2(want)) + ((config.skBuffBytes + 63) & ~63);
    const bytes = Math.min(2 * Math.max(10, cong.cwnd[c]!) * each, wmemMaxBytes);
    if (sndbuf[t.sock[c]!]! < bytes && !mem.underPressure()) sndbuf[t.sock[c]!] = bytes;
  };

  /** sk_stream_write_space(): the writer is woken when a third of the buffer is free. */
  const wakeWriter = (c: number): void => {
    if ((t.flags[c]! & connFlag.noSpace) === 0) return;
    const sk = t.sock[c]!;
    if (sndbuf[sk]! - wmemQueued[sk]! < wmemQueued[sk]! >> 1) return;
    t.flags[c]! &= ~connFlag.noSpace;
    shared.writable(c);
  };

  const acknowledged = (c: number, ack: number, window: number, pure: boolean): void => {
    if (before(t.nxt[c]!, ack) || before(ack, t.una[c]!)) return;
    const opened = t.wnd[c] !== window;
    const old = t.una[c]!;
    t.wnd[c] = window;
    if (window > t.maxWnd[c]!) t.maxWnd[c] = window;
    if (ack !== old) {
      const limited = inFlight(c) + 1 >= cong.cwnd[c]! || t.packetsOut[c]! >= cong.cwnd[c]! >> 1;
      t.una[c] = ack;
      const segments = clean(c, ack);
      if (cong.acked(c, ack, segments, limited)) retransmitFirst(c);
      if (cong.state[c] !== congState.loss) t.again[c] = t.againOut[c] = 0;
      t.rtoAt[c] = 0;
      if (t.packetsOut[c]! > 0) armTimer(c);
      expandSndbuf(c);
    } else if (pure && !opened && t.packetsOut[c]! > 0 && cong.duplicate(c, t.nxt[c]!)) {
      counters.fastRetrans++;
      retransmitFirst(c);
    }
    push(c, false);
    wakeWriter(c);
  };

  return {
    sendAck,
    push,
    acknowledged,
    bind(c: number): void {
      connectionOf[t.sock[c]!] = c;
    },
    purge(c: number): void {
      for (let skb = t.first[c]!; skb !== 0; skb = t.first[c]!) {
        t.first[c] = S[skb + NEXT]!;
        freeQueued(c, skb);
      }
      t.last[c] = t.unsent[c] = t.again[c] = t.packetsOut[c] = 0;
    },
  };
}
