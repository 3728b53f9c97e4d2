// The sending half of TCP: user data into packets, packets out as clones, and what happens to them until they are acknowledged.
// net/ipv4/tcp.c (tcp_sendmsg, tcp_sendpage), net/ipv4/tcp_output.c, 6.1.192.
//
//   write queue   [A A A A]─[B B B B]─[C C]        each an sk_buff of a fast-clone pair, payload in page fragments
//   device             └clone A'  └clone B'        same head and pages; A' goes at completion, A when acknowledged
//
// So a page written by sendfile has a reference for each packet in the queue and is held by its clones too, until the device is done,
// however long ago the peer had it. A retransmission never clones a packet whose clone still waits in a queue (skb_still_in_host_queue).

import { packetField } from "./receive.ts";
import { headField, sharedFlag, skbBit, skbField } from "./skb_columns.ts";
import { memKind } from "./sock_mem.ts";
import { congState } from "./tcp_cong.ts";
import type { TcpShared } from "./tcp_state.ts";
import { before, connFlag, connState } from "./tcp_state.ts";
import { frameKind, headerBytes } from "./wire.ts";

const { LEN, DATA_LEN, TRUESIZE, BITS, NEXT, SK, DESTRUCTOR, HEAD, MARK, HASH, FCLONE_REF, CB4 } = skbField;
const { NR_FRAGS, FLAGS, GSO_SIZE, GSO_SEGS, GSO_TYPE } = headField;
const { FLOW, SEQ, TAG, ACK, AUX, KIND } = packetField;
const headers = headerBytes[frameKind.tcp];
/** MAX_TCP_HEADER with the usual options: room for all headers, 64-byte aligned. */
export const maxTcpHeader = 320;
/** sk_page_frag: SKB_FRAG_PAGE_ORDER of 4 KiB pages. */
const fragPageBytes = 32768;
/** net.ipv4.tcp_limit_output_bytes */
const limitOutputBytes = 1048576;
/** tcp_wmem[2] */
const wmemMaxBytes = 4194304;

/** Who is told when the stack is done with a page that sendpage() was given. */
export interface SendpageOptions {
  readonly tag?: number;
  /** Of frag_destructors.ts: the fragment's reference is on it. */
  readonly destructor?: number;
  /** Of ubuf_info.ts: every packet with such pages has a reference on it, and no pages of others. */
  readonly ubuf?: number;
}

export type TcpOutput = ReturnType<typeof createTcpOutput>;

export function createTcpOutput(shared: TcpShared, selectWindow: (c: number) => number) {
  const { parts, t, cong, counters } = shared;
  const { skbs, clock, cpus, mem, pages } = parts;
  const { S, H, F, fragBase } = skbs.columns;
  const { socks, config } = skbs;
  const { wmemAlloc, wmemQueued, sndbuf } = socks;
  const { gfp, pageSize } = config;
  const { summedMask, fcloneMask, fcloneShift } = skbBit;
  let bigOrder = 0;
  while (pageSize << bigOrder < fragPageBytes) bigOrder++;
  const bigGfp = (gfp.kernel & ~gfp.directReclaim) | gfp.comp | gfp.nowarn;
  let fragPfn = -1;
  let fragBytes = 0;
  let fragOffset = 0;

  // --- memory ----------------------------------------------------------------------------------------------------------------

  const queueCharge = (c: number, bytes: number): void => {
    wmemQueued[t.sock[c]!]! += bytes;
    if (bytes >= 0) mem.charge(t.sock[c]!, bytes);
    else mem.uncharge(t.sock[c]!, -bytes);
  };

  /** sk_wmem_free_skb() */
  const freeQueued = (c: number, skb: number): void => {
    queueCharge(c, -S[skb + TRUESIZE]!);
    S[skb + NEXT] = 0;
    skbs.consumeSkb(skb);
  };

  /** tcp_stream_alloc_skb(): an empty packet with room for headers and `linear` bytes, charged to nobody yet; 0 without memory. */
  const streamAlloc = (c: number, linear: number, mask: number, force: boolean): number => {
    const skb = skbs.allocSkb(maxTcpHeader + ((linear + 3) & ~3), mask, 1);
    if (skb === 0) {
      counters.sendNoMemory++;
      mem.moderate(t.sock[c]!);
      return 0;
    }
    if (!mem.schedule(t.sock[c]!, S[skb + TRUESIZE]!, memKind.send) && !force) {
      counters.sendNoMemory++;
      skbs.consumeSkb(skb);
      return 0;
    }
    skbs.skbReserve(skb, maxTcpHeader);
    skbs.headerRelease(skb);
    S[skb + BITS]! |= summedMask;
    return skb;
  };

  /** skb_page_frag_refill(): a page with at least one byte of room, of which one reference is ours. */
  const refillFrag = (): boolean => {
    if (fragPfn >= 0) {
      if (pages.pageCount(fragPfn) === 1) fragOffset = 0;
      if (fragOffset < fragBytes) return true;
      pages.putPage(fragPfn);
      fragPfn = -1;
    }
    fragPfn = bigOrder > 0 ? pages.allocPages(bigGfp, bigOrder) : -1;
    fragBytes = fragPageBytes;
    if (fragPfn < 0) {
      fragPfn = pages.allocPages(gfp.kernel, 0);
      fragBytes = pageSize;
    }
    fragOffset = 0;
    return fragPfn >= 0;
  };

  // --- writing ---------------------------------------------------------------------------------------------------------------

  const setSegments = (c: number, skb: number): void => {
    const head = S[skb + HEAD]!;
    const len = S[skb + LEN]!;
    const mss = t.mss[c]!;
    const segments = len <= mss ? 1 : Math.ceil(len / mss);
    S[skb + MARK] = segments;
    H[head + GSO_SIZE] = segments > 1 ? mss : 0;
    H[head + GSO_SEGS] = segments > 1 ? segments : 0;
    H[head + GSO_TYPE] = segments > 1 ? 1 : 0;
  };

  /** tcp_skb_entail(): a new packet at the end of the write queue. */
  const entail = (c: number, linear: number, tag: number): number => {
    const skb = streamAlloc(c, linear, gfp.kernel, false);
    if (skb === 0) return 0;
    S[skb + SEQ] = t.write[c]!;
    S[skb + TAG] = tag;
    S[skb + CB4] = 0;
    queueCharge(c, S[skb + TRUESIZE]!);
    if (t.last[c] === 0) t.first[c] = skb;
    else S[t.last[c]! + NEXT] = skb;
    t.last[c] = skb;
    if (t.unsent[c] === 0) t.unsent[c] = skb;
    return skb;
  };

  /** How many bytes the last packet still takes; none when its pages belong to another owner (ubuf_info). */
  const room = (c: number, skb: number, ubuf: number): number =>
    t.unsent[c] === 0 || skb === 0 || skbs.zcopy(skb) !== ubuf ? 0 : Math.max(0, t.goal[c]! - S[skb + LEN]!);

  /** A packet that got no byte does not stay in the queue. */
  const dropEmpty = (c: number): void => {
    const skb = t.last[c]!;
    if (skb === 0 || S[skb + LEN] !== 0) return;
    let previous = 0;
    for (let at = t.first[c]!; at !== skb; at = S[at + NEXT]!) previous = at;
    if (previous === 0) t.first[c] = 0;
    else S[previous + NEXT] = 0;
    t.last[c] = previous;
    if (t.unsent[c] === skb) t.unsent[c] = 0;
    freeQueued(c, skb);
  };

  const wrote = (c: number, skb: number, bytes: number): void => {
    t.write[c] = (t.write[c]! + bytes) | 0;
    setSegments(c, skb);
  };

  /** skb_can_coalesce(): the bytes follow those of the packet's last fragment. */
  const follows = (skb: number, pfn: number, offset: number, destructor: number): boolean => {
    const head = S[skb + HEAD]!;
    const count = H[head + NR_FRAGS]!;
    if (count === 0 || skbs.zcopy(skb) !== 0) return false;
    const f = fragBase(head) + (count - 1) * 4;
    return F[f] === pfn && F[f + 3] === destructor && F[f + 1]! + F[f + 2]! === offset;
  };

  /** Copies into the page fragment of the writing process; bytes that went in, 0 without memory. */
  const copyToFrag = (c: number, skb: number, want: number, from: number): number => {
    if (!refillFrag()) return 0;
    const head = S[skb + HEAD]!;
    const bytes = Math.min(want, fragBytes - fragOffset);
    const pfn = fragPfn;
    const count = H[head + NR_FRAGS]!;
    if (count === skbs.columns.fragsMax && !follows(skb, pfn, fragOffset, 0)) return -1;
    if (!mem.schedule(t.sock[c]!, bytes, memKind.send)) return 0;
    skbs.skbAppendPagefrags(skb, pfn, fragOffset, bytes);
    if (from >= 0) skbs.memory?.copy(pfn * pageSize + fragOffset, from, bytes);
    fragOffset += bytes;
    skbs.lenAdd(skb, bytes);
    queueCharge(c, bytes);
    return bytes;
  };

  const copyLinear = (skb: number, want: number, from: number): number => {
    const bytes = Math.min(want, skbs.tailroom(skb));
    const at = skbs.skbPut(skb, bytes);
    if (from >= 0) skbs.memory?.copy(skbs.columns.headAddress[S[skb + HEAD]! >> 4]! + at, from, bytes);
    return bytes;
  };

  const full = (c: number): boolean => wmemQueued[t.sock[c]!]! >= sndbuf[t.sock[c]!]!;

  /**
   * tcp_sendmsg(): copies user data into the write queue; bytes taken, fewer when the send buffer is full or memory is short. `from` is the
   * address of the data where a run moves bytes, -1 elsewhere.
   */
  const sendmsg = (c: number, bytes: number, tag = 0, from = -1): number => {
    const paged = (t.flags[c]! & connFlag.scatterGather) !== 0;
    let done = 0;
    while (done < bytes) {
      let skb = t.last[c]!;
      let space = room(c, skb, 0);
      if (space === 0) {
        if (full(c)) break;
        if (t.unsent[c] !== 0) push(c, t.packetsOut[c] === 0);
        skb = entail(c, paged ? 0 : t.goal[c]!, tag);
        if (skb === 0) break;
        space = t.goal[c]!;
      }
      const want = Math.min(space, bytes - done);
      const at = from < 0 ? -1 : from + done;
      let got = paged ? copyToFrag(c, skb, want, at) : copyLinear(skb, want, at);
      if (got < 0) {
        // All fragment slots are taken: the packet is as large as it can be.
        if (full(c)) break;
        push(c, true);
        skb = entail(c, 0, tag);
        if (skb === 0) break;
        got = copyToFrag(c, skb, Math.min(t.goal[c]!, bytes - done), at);
      }
      if (got === 0) break;
      wrote(c, skb, got);
      done += got;
    }
    finish(c, done < bytes);
    return done;
  };

  /** The end of a write: an empty packet goes, the rest is pushed, and who could not write everything is remembered. */
  const finish = (c: number, short: boolean): void => {
    dropEmpty(c);
    if (short) {
      t.flags[c]! |= connFlag.noSpace;
      // sk_stream_wait_memory(): with room in the buffer it was memory that lacked, and the writer tries again.
      if (!full(c)) waitMemory(c);
    }
    push(c, false);
  };

  const retryWrite = cpus.register((c) => {
    if (t.state[c] === connState.closed || (t.flags[c]! & connFlag.noSpace) === 0) return;
    t.flags[c]! &= ~connFlag.noSpace;
    shared.writable(c);
  });
  /** HZ/10: about the mean of what the kernel waits. */
  const waitMemory = (c: number): void => cpus.work(t.cpu[c]!, 100e6, retryWrite, c);

  /**
   * do_tcp_sendpages(): puts `bytes` at `offset` of a page into the write queue by reference; the queue holds the page until the data is
   * acknowledged and no clone is left. With a destructor (frag_destructors.ts) the fragment counts on that instead; with a ubuf the packet
   * takes a reference on it (MSG_ZEROCOPY). Bytes taken.
   */
  const sendpage = (c: number, pfn: number, offset: number, bytes: number, options: SendpageOptions = {}): number => {
    const { tag = 0, destructor = 0, ubuf = 0 } = options;
    let done = 0;
    while (done < bytes) {
      let skb = t.last[c]!;
      let space = room(c, skb, ubuf);
      const from = offset + done;
      const count = space === 0 ? 0 : H[S[skb + HEAD]! + NR_FRAGS]!;
      const joins = space !== 0 && follows(skb, pfn, from, destructor);
      if (space === 0 || (!joins && count >= skbs.columns.fragsMax)) {
        if (full(c)) break;
        if (t.unsent[c] !== 0) push(c, t.packetsOut[c] === 0);
        skb = entail(c, 0, tag);
        if (skb === 0) break;
        if (ubuf !== 0) {
          skbs.zcopySet(skb, ubuf);
          H[S[skb + HEAD]! + FLAGS]! |= sharedFlag.dontOrphan;
        }
        space = t.goal[c]!;
      }
      const got = Math.min(space, bytes - done);
      if (!mem.schedule(t.sock[c]!, got, memKind.send)) break;
      skbs.skbAppendPagefrags(skb, pfn, from, got, destructor);
      skbs.lenAdd(skb, got);
      queueCharge(c, got);
      wrote(c, skb, got);
      done += got;
    }
    finish(c, done < bytes);
    return done;
  };

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

  /** tcp_transmit_skb() with a clone: false when there was no memory for one. */
  const transmit = (c: number, skb: number): boolean => {
    // A clone of this data waits somewhere with its own headers in the shared head: this one needs its own head.
    const n = skbs.isCloned(skb) ? skbs.pskbCopy(skb, gfp.atomic) : skbs.skbClone(skb, gfp.atomic);
    if (n === 0) {
      counters.sendNoMemory++;
      return false;
    }
    S[skb + HASH] = Math.floor(clock.now() / 1000) | 0;
    sendOut(c, n, S[skb + SEQ]!, true);
    return true;
  };

  /** tcp_send_ack(): a packet without data; without memory the delayed-acknowledgement timer tries again. */
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

  /** tcp_write_xmit(): everything that windows and queues allow. */
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
      const f = base + i * 4;
      if (F[f + 2]! <= eat) {
        eat -= F[f + 2]!;
        skbs.fragUnref(f, skbs.recycles(skb));
        continue;
      }
      skbs.copyFrag(base + kept * 4, f);
      F[base + kept * 4 + 1]! += eat;
      F[base + kept * 4 + 2]! -= eat;
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

  /** tcp_clean_rtx_queue(): packets below `ack` go; segments that were acknowledged. */
  const clean = (c: number, ack: number): number => {
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

  /** tcp_ack(): what an incoming packet says about our data. `pure`: it carries none of its own. */
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
    sendmsg,
    sendpage,
    sendAck,
    push,
    acknowledged,
    full,
    bind(c: number): void {
      connectionOf[t.sock[c]!] = c;
    },
    /** tcp_write_queue_purge() */
    purge(c: number): void {
      for (let skb = t.first[c]!; skb !== 0; skb = t.first[c]!) {
        t.first[c] = S[skb + NEXT]!;
        freeQueued(c, skb);
      }
      t.last[c] = t.unsent[c] = t.again[c] = t.packetsOut[c] = 0;
    },
    /** The writing process exits: its page fragment goes. */
    dropFrag(): void {
      if (fragPfn >= 0) pages.putPage(fragPfn);
      fragPfn = -1;
    },
  };
}
