// The receiving half of TCP: what arrives in order joins the receive queue, what does not waits in the out-of-order queue, and both are
// charged by truesize, which is what a small payload in a large buffer costs. net/ipv4/tcp_input.c, tcp.c (tcp_recvmsg, tcp_read_sock),
// tcp_output.c (__tcp_select_window), 6.1.192.
//
//   in order      [A A A]─[B]        B joins A if skb_try_coalesce lets it: its pages move, its sk_buff goes
//   out of order  ..[D]..[F F]       sorted; neighbours join; dropped from the far end when memory runs out (prune)
//   over rcvbuf   collapse: payload is copied into small linear packets; then prune; then drop
//
// Not here: SACK blocks, PAWS, urgent data, receive buffer tuning (tcp_rcv_space_adjust).
import { packetField } from "../path/receive.ts";
import { frameKind, headerBytes } from "../path/wire.ts";
import { dropReason } from "../skb/drop_reason.ts";
import { fragField, fragInts, headField, skbField } from "../skb/skb_columns.ts";
import { memKind } from "./sock_mem.ts";
import type { TcpOutput } from "./tcp_output.ts";
import type { TcpShared } from "./tcp_state.ts";
import { before, connState } from "./tcp_state.ts";

const { OFFSET: FRAG_OFFSET, SIZE: FRAG_SIZE } = fragField;
const FRAG_INTS = fragInts;

const { LEN, TRUESIZE, NEXT, PREV, HEAD, DATA } = skbField;
const { NR_FRAGS, FRAG_LIST } = headField;
const { SEQ, ACK, AUX, FLOW, TAG, KIND } = packetField;
const headers = headerBytes[frameKind.tcp];
/** TCP_DELACK_MIN: 40 ms. */
const delackNanos = 40e6;
/** TCP_MAX_QUICKACKS */
const quickMax = 16;

export interface TcpInput {
  /** tcp_rcv_established(): owns the packet, whose headers are in front. */
  take(c: number, skb: number): void;
  /** tcp_recvmsg(): bytes read; to the address `to` where a run moves bytes. */
  recv(c: number, most: number, to?: number): number;
  /** tcp_splice_read(): `take` gets pages with a reference each. */
  splice: (c: number, most: number, take: (pfn: number, offset: number, bytes: number) => void) => number;
  /** tcp_zerocopy_receive(): `take` gets whole pages, mapped, with a reference each; stops where a fragment is not one. */
  mapPages: (c: number, most: number, take: (pfn: number) => void) => number;
  /** Bytes that wait to be read. */
  readableBytes: (c: number) => number;
  purge(c: number): void;
  flowOf: (skb: number) => number;
}

/** tcp_win_from_space() with tcp_adv_win_scale 1: half of the buffer is for payload. */
export const windowFromSpace = (bytes: number): number => bytes - (bytes >> 1);

/** __tcp_select_window(): bytes to offer now; nothing rather than little. */
export function createWindow(shared: TcpShared): { offer(c: number): number; wouldOffer(c: number): number } {
  const { t, parts } = shared;
  const { rmemAlloc, rcvbuf } = parts.skbs.socks;
  const wouldOffer = (c: number): number => {
    const sk = t.sock[c]!;
    const all = windowFromSpace(rcvbuf[sk]!);
    let free = windowFromSpace(rcvbuf[sk]! - rmemAlloc[sk]!);
    const mss = Math.min(t.mss[c]!, all);
    if (free < all >> 1) {
      t.quick[c] = 0;
      if (parts.mem.underPressure()) t.rcvSsthresh[c] = Math.min(t.rcvSsthresh[c]!, 4 * mss);
      if (free < all >> 4 || free < mss) return 0;
    }
    if (free > t.rcvSsthresh[c]!) free = t.rcvSsthresh[c]!;
    return Math.max(0, free);
  };
  return {
    wouldOffer,
    /** tcp_select_window(): what was offered is never taken back. */
    offer(c) {
      const standing = Math.max(0, (t.rcvWup[c]! + t.rcvWnd[c]! - t.rcvNxt[c]!) | 0);
      t.rcvWnd[c] = Math.max(standing, wouldOffer(c));
      t.rcvWup[c] = t.rcvNxt[c]!;
      return t.rcvWnd[c]!;
    },
  };
}

export function createTcpInput(shared: TcpShared, output: TcpOutput, wouldOffer: (c: number) => number): TcpInput {
  const { parts, t, counters } = shared;
  const { skbs, clock, cpus, mem, pages } = parts;
  const { S, H, F, fragBase, headAddress } = skbs.columns;
  const { socks, config } = skbs;
  const { rmemAlloc, rcvbuf, drops } = socks;
  const { pageSize, gfp } = config;
  /** SKB_MAX_ORDER(0, 0): payload of a head that fits one page. */
  const collapseBytes = pageSize - skbs.infoRoom;

  const endOf = (skb: number): number => (S[skb + SEQ]! + S[skb + LEN]!) | 0;

  const drop = (c: number, skb: number, reason: number): void => {
    drops[t.sock[c]!]!++;
    skbs.kfreeSkb(skb, reason);
  };

  // --- joining ---------------------------------------------------------------------------------------------------------------

  /** tcp_try_coalesce(): `from` becomes part of `to`, which is in a queue already. */
  const coalesce = (c: number, to: number, from: number): boolean => {
    if (endOf(to) !== S[from + SEQ]!) return false;
    const joined = skbs.skbTryCoalesce(to, from);
    if (!joined.merged) return false;
    rmemAlloc[t.sock[c]!]! += joined.deltaTruesize;
    mem.charge(t.sock[c]!, joined.deltaTruesize);
    skbs.kfreeSkbPartial(from, joined.headStolen);
    counters.rcvCoalesce++;
    return true;
  };

  /** tcp_queue_rcv(): in order, at the end of the receive queue. `owned`: it is charged already (it waited out of order). */
  const queueInOrder = (c: number, skb: number, owned: boolean): void => {
    t.rcvNxt[c] = endOf(skb);
    S[skb + NEXT] = S[skb + PREV] = 0;
    const last = t.readLast[c]!;
    if (last !== 0) {
      if (owned) skbs.skbOrphan(skb);
      if (coalesce(c, last, skb)) return;
      if (owned) mem.schedule(t.sock[c]!, S[skb + TRUESIZE]!, memKind.receive);
      S[last + NEXT] = skb;
    } else t.readFirst[c] = skb;
    if (!owned || last !== 0) mem.setOwnerR(skb, t.sock[c]!);
    t.readLast[c] = skb;
  };

  // --- out of order ----------------------------------------------------------------------------------------------------------

  const unlinkOfo = (c: number, skb: number): void => {
    const previous = S[skb + PREV]!;
    const next = S[skb + NEXT]!;
    if (previous === 0) t.ofoFirst[c] = next;
    else S[previous + NEXT] = next;
    if (next === 0) t.ofoLast[c] = previous;
    else S[next + PREV] = previous;
    S[skb + NEXT] = S[skb + PREV] = 0;
  };

  const linkOfo = (c: number, skb: number, previous: number): void => {
    const next = previous === 0 ? t.ofoFirst[c]! : S[previous + NEXT]!;
    S[skb + PREV] = previous;
    S[skb + NEXT] = next;
    if (previous === 0) t.ofoFirst[c] = skb;
    else S[previous + NEXT] = skb;
    if (next === 0) t.ofoLast[c] = skb;
    else S[next + PREV] = skb;
  };

  /** tcp_data_queue_ofo() */
  const queueOfo = (c: number, skb: number): void => {
    if (!scheduleReceive(c, S[skb + TRUESIZE]!)) {
      counters.ofoDrop++;
      drop(c, skb, dropReason.nomem);
      return;
    }
    counters.ofoQueue++;
    const end = endOf(skb);
    let previous = t.ofoLast[c]!;
    while (previous !== 0 && before(S[skb + SEQ]!, S[previous + SEQ]!)) previous = S[previous + PREV]!;
    if (previous !== 0 && !before(endOf(previous), end)) {
      // All of it is there.
      counters.ofoMerge++;
      drop(c, skb, dropReason.notSpecified);
      return;
    }
    if (previous !== 0 && coalesce(c, previous, skb)) {
      swallow(c, previous, end);
      return;
    }
    linkOfo(c, skb, previous);
    grow(c, skb);
    skbs.skbCondense(skb);
    mem.setOwnerR(skb, t.sock[c]!);
    swallow(c, skb, end);
  };

  /** What stands behind `skb` and ends before `end` is there twice. */
  const swallow = (c: number, skb: number, end: number): void => {
    for (let next = S[skb + NEXT]!; next !== 0 && !before(end, endOf(next)); next = S[skb + NEXT]!) {
      unlinkOfo(c, next);
      counters.ofoMerge++;
      drop(c, next, dropReason.notSpecified);
    }
  };

  /** tcp_ofo_queue(): what now is in order moves over. */
  const moveOfo = (c: number): void => {
    for (let skb = t.ofoFirst[c]!; skb !== 0 && !before(t.rcvNxt[c]!, S[skb + SEQ]!); skb = t.ofoFirst[c]!) {
      unlinkOfo(c, skb);
      if (before(t.rcvNxt[c]!, endOf(skb))) queueInOrder(c, skb, true);
      else skbs.kfreeSkb(skb);
    }
  };

  // --- memory ----------------------------------------------------------------------------------------------------------------

  /** tcp_try_rmem_schedule() */
  const scheduleReceive = (c: number, size: number): boolean => {
    const sk = t.sock[c]!;
    if (rmemAlloc[sk]! <= rcvbuf[sk]! && mem.schedule(sk, size, memKind.receive)) return true;
    if (!prune(c)) return false;
    while (!mem.schedule(sk, size, memKind.receive)) if (!pruneOfo(c)) return false;
    return true;
  };

  /** tcp_prune_queue(): room by copying payload out of bloated packets, then by throwing away what is out of order. */
  const prune = (c: number): boolean => {
    const sk = t.sock[c]!;
    if (rmemAlloc[sk]! >= rcvbuf[sk]!) t.rcvSsthresh[c] = Math.min(t.rcvSsthresh[c]!, 2 * t.mss[c]!);
    if (rmemAlloc[sk]! <= rcvbuf[sk]!) return true;
    collapse(c, true);
    collapse(c, false);
    if (rmemAlloc[sk]! <= rcvbuf[sk]!) return true;
    pruneOfo(c);
    if (rmemAlloc[sk]! <= rcvbuf[sk]!) return true;
    counters.rcvPruned++;
    return false;
  };

  /** tcp_prune_ofo_queue(): from the far end, an eighth of the buffer at a time. False when there was nothing. */
  const pruneOfo = (c: number): boolean => {
    const sk = t.sock[c]!;
    if (t.ofoLast[c] === 0) return false;
    counters.ofoPruned++;
    for (let goal = rcvbuf[sk]! >> 3, skb = t.ofoLast[c]!; skb !== 0; skb = t.ofoLast[c]!) {
      goal -= S[skb + TRUESIZE]!;
      unlinkOfo(c, skb);
      drop(c, skb, dropReason.nomem);
      if (goal > 0) continue;
      if (rmemAlloc[sk]! <= rcvbuf[sk]! && !mem.underPressure()) break;
      goal = rcvbuf[sk]! >> 3;
    }
    return true;
  };

  /** tcp_collapse(): runs of bloated packets of a queue are copied into linear heads of a page. */
  const collapse = (c: number, ofo: boolean): void => {
    let skb = ofo ? t.ofoFirst[c]! : t.readFirst[c]!;
    let previous = 0;
    while (skb !== 0) {
      if (windowFromSpace(S[skb + TRUESIZE]!) <= S[skb + LEN]!) {
        previous = skb;
        skb = S[skb + NEXT]!;
        continue;
      }
      const made = collapseRun(c, skb, previous, ofo);
      if (made === 0) return;
      previous = made;
      skb = S[made + NEXT]!;
    }
  };

  /** One linear packet in place of the packets from `skb` on that follow each other and fit; 0 without memory or gain. */
  const collapseRun = (c: number, skb: number, previous: number, ofo: boolean): number => {
    const start = !ofo && previous === 0 ? Math.max(0, (t.copied[c]! - S[skb + SEQ]!) | 0) : 0;
    const n = skbs.allocSkb(Math.min(collapseBytes, S[skb + LEN]! - start), gfp.atomic);
    if (n === 0) return 0;
    S[n + SEQ] = (S[skb + SEQ]! + start) | 0;
    S[n + TAG] = S[skb + TAG]!;
    S[n + KIND] = S[skb + KIND]!;
    let at = skb;
    let offset = start;
    let next = at;
    while (next !== 0) {
      const bytes = Math.min(skbs.tailroom(n), S[at + LEN]! - offset);
      const to = skbs.skbPut(n, bytes);
      skbs.copyBits(at, offset, headAddress[S[n + HEAD]! >> 4]! + to, bytes);
      if (offset + bytes < S[at + LEN]!) {
        // The rest stays where it is, shorter in front.
        if (skbs.pskbPull(at, offset + bytes) >= 0) S[at + SEQ] = (S[at + SEQ]! + offset + bytes) | 0;
        break;
      }
      next = S[at + NEXT]!;
      const follows = next !== 0 && S[next + SEQ] === endOf(at);
      S[at + NEXT] = 0;
      relink(c, previous, next, at, ofo);
      skbs.kfreeSkb(at);
      counters.rcvCollapsed++;
      offset = 0;
      at = next;
      if (!follows || skbs.tailroom(n) === 0) break;
    }
    mem.schedule(t.sock[c]!, S[n + TRUESIZE]!, memKind.receive);
    mem.setOwnerR(n, t.sock[c]!);
    insertAfter(c, n, previous, ofo);
    return n;
  };

  /** `gone` leaves its queue: `next` follows `previous`. */
  const relink = (c: number, previous: number, next: number, gone: number, ofo: boolean): void => {
    if (previous !== 0) S[previous + NEXT] = next;
    else if (ofo) t.ofoFirst[c] = next;
    else t.readFirst[c] = next;
    if (next !== 0) S[next + PREV] = ofo ? previous : 0;
    if (ofo && t.ofoLast[c] === gone) t.ofoLast[c] = previous;
    if (!ofo && t.readLast[c] === gone) t.readLast[c] = previous;
  };

  const insertAfter = (c: number, skb: number, previous: number, ofo: boolean): void => {
    if (ofo) {
      linkOfo(c, skb, previous);
      return;
    }
    S[skb + NEXT] = previous === 0 ? t.readFirst[c]! : S[previous + NEXT]!;
    if (previous === 0) t.readFirst[c] = skb;
    else S[previous + NEXT] = skb;
    if (t.readLast[c] === previous) t.readLast[c] = skb;
  };

  /** tcp_grow_window(): more is offered when packets are worth what they cost. */
  const grow = (c: number, skb: number): void => {
    const sk = t.sock[c]!;
    const room = windowFromSpace(rcvbuf[sk]! - rmemAlloc[sk]!) - t.rcvSsthresh[c]!;
    if (room <= 0 || mem.underPressure() || windowFromSpace(S[skb + TRUESIZE]!) > S[skb + LEN]!) return;
    t.rcvSsthresh[c]! += Math.min(room, Math.max(2 * t.mss[c]!, 2 * S[skb + LEN]!));
  };

  // --- acknowledging ---------------------------------------------------------------------------------------------------------

  const DELACK = 2;
  const delackWork = cpus.register((c) => {
    t.timers[c]! &= ~DELACK;
    if (t.state[c] === connState.closed || t.delackAt[c] === 0) return;
    const left = t.delackAt[c]! - clock.now();
    if (left <= 0) {
      counters.delayedAcks++;
      ackOrRetry(c);
    } else armDelack(c, left);
  });
  const armDelack = (c: number, nanos: number): void => {
    if ((t.timers[c]! & DELACK) !== 0) return;
    t.timers[c]! |= DELACK;
    cpus.work(t.cpu[c]!, nanos, delackWork, c);
  };
  const ackOrRetry = (c: number): void => {
    if (output.sendAck(c)) return;
    t.delackAt[c] = clock.now() + 5 * delackNanos;
    armDelack(c, 5 * delackNanos);
  };

  /** __tcp_ack_snd_check() */
  const maybeAck = (c: number): void => {
    const unacked = (t.rcvNxt[c]! - t.rcvWup[c]!) | 0;
    if (unacked <= 0 && t.ofoFirst[c] === 0) return;
    if (t.ofoFirst[c] !== 0 || t.quick[c]! > 0 || (unacked > t.mss[c]! && wouldOffer(c) >= t.rcvWnd[c]!)) {
      ackOrRetry(c);
      return;
    }
    if (t.delackAt[c] !== 0) return;
    t.delackAt[c] = clock.now() + delackNanos;
    armDelack(c, delackNanos);
  };

  // --- arriving --------------------------------------------------------------------------------------------------------------

  /** tcp_data_queue() */
  const data = (c: number, skb: number): void => {
    const window = Math.max(0, (t.rcvWup[c]! + t.rcvWnd[c]! - t.rcvNxt[c]!) | 0);
    const seq = S[skb + SEQ]!;
    const old = !before(t.rcvNxt[c]!, endOf(skb));
    if (old || !before(seq, (t.rcvNxt[c]! + window) | 0)) {
      if (!old) counters.zeroWindowDrop++;
      t.quick[c] = quickMax;
      drop(c, skb, dropReason.notSpecified);
      ackOrRetry(c);
      return;
    }
    if (before(t.rcvNxt[c]!, seq)) {
      queueOfo(c, skb);
      ackOrRetry(c);
      return;
    }
    const first = t.readFirst[c] === 0;
    if (first) mem.schedule(t.sock[c]!, S[skb + TRUESIZE]!, memKind.receive);
    else if (!scheduleReceive(c, S[skb + TRUESIZE]!)) {
      counters.rcvQDrop++;
      drop(c, skb, dropReason.nomem);
      shared.readable(c);
      return;
    }
    const hadHoles = t.ofoFirst[c] !== 0;
    grow(c, skb);
    queueInOrder(c, skb, false);
    if (hadHoles) moveOfo(c);
    if (hadHoles && t.ofoFirst[c] === 0) t.quick[c] = Math.max(1, t.quick[c]!);
    shared.readable(c);
    if (t.state[c] !== connState.closed) maybeAck(c);
  };

  // --- reading ---------------------------------------------------------------------------------------------------------------

  /** The first packet of the receive queue is read to its end. */
  const eatFirst = (c: number): void => {
    const skb = t.readFirst[c]!;
    t.readFirst[c] = S[skb + NEXT]!;
    if (t.readFirst[c] === 0) t.readLast[c] = 0;
    S[skb + NEXT] = 0;
    skbs.consumeSkb(skb);
  };

  /** Calls `use(skb, offset, bytes)` for what is there, up to `most` bytes; `use` says how many it took. Bytes read. */
  const readWith = (c: number, most: number, use: (skb: number, offset: number, bytes: number) => number): number => {
    let done = 0;
    while (done < most && t.readFirst[c] !== 0) {
      const skb = t.readFirst[c]!;
      const offset = (t.copied[c]! - S[skb + SEQ]!) | 0;
      const left = S[skb + LEN]! - offset;
      const took = left === 0 ? 0 : use(skb, offset, Math.min(left, most - done));
      t.copied[c] = (t.copied[c]! + took) | 0;
      done += took;
      if (took === left) eatFirst(c);
      else if (took === 0) break;
    }
    if (done > 0) cleanup(c);
    return done;
  };

  /** tcp_cleanup_rbuf(): the peer hears of the window when it has at least doubled, or was waiting for an acknowledgement. */
  const cleanup = (c: number): void => {
    const offered = Math.max(0, (t.rcvWup[c]! + t.rcvWnd[c]! - t.rcvNxt[c]!) | 0);
    const unacked = (t.rcvNxt[c]! - t.rcvWup[c]!) | 0;
    const opened = 2 * offered <= windowFromSpace(rcvbuf[t.sock[c]!]!) && wouldOffer(c) >= Math.max(1, 2 * offered);
    if (opened || (unacked > t.mss[c]! && t.readFirst[c] === 0)) ackOrRetry(c);
  };

  /** Bytes that nobody looks at. */
  const readAway = (_skb: number, _offset: number, bytes: number): number => bytes;

  /** Hands pages to `take` with a reference each; linear bytes are copied into a page of their own. Bytes handed over. */
  const spliceOne = (
    skb: number,
    from: number,
    most: number,
    take: (pfn: number, offset: number, bytes: number) => void,
  ): number => {
    const head = S[skb + HEAD]!;
    const linear = skbs.headlen(skb) - from;
    if (linear > 0) {
      const pfn = pages.allocPages(gfp.kernel, 0);
      if (pfn < 0) return 0;
      const bytes = Math.min(linear, most, pageSize);
      skbs.memory?.copy(pfn * pageSize, headAddress[head >> 4]! + S[skb + DATA]! + from, bytes);
      take(pfn, 0, bytes);
      return bytes;
    }
    let skip = -linear;
    const base = fragBase(head);
    for (let f = base; f < base + H[head + NR_FRAGS]! * FRAG_INTS; f += FRAG_INTS) {
      if (skip >= F[f + FRAG_SIZE]!) {
        skip -= F[f + FRAG_SIZE]!;
        continue;
      }
      const bytes = Math.min(F[f + FRAG_SIZE]! - skip, most);
      pages.getPage(F[f]!);
      take(F[f]!, F[f + FRAG_OFFSET]! + skip, bytes);
      return bytes;
    }
    // What hangs on a frag_list is copied like linear data.
    return H[head + FRAG_LIST] === 0 ? 0 : copyOut(skb, from, most, take);
  };

  const copyOut = (
    skb: number,
    from: number,
    most: number,
    take: (pfn: number, offset: number, bytes: number) => void,
  ): number => {
    const pfn = pages.allocPages(gfp.kernel, 0);
    if (pfn < 0) return 0;
    const bytes = Math.min(most, pageSize);
    skbs.copyBits(skb, from, pfn * pageSize, bytes);
    take(pfn, 0, bytes);
    return bytes;
  };

  /** Whole pages only (can_map_frag() of tcp_zerocopy_receive()): the next fragment if it is one and nothing of it was read; else 0. */
  const mapOne = (skb: number, from: number, most: number, take: (pfn: number) => void): number => {
    if (most < pageSize) return 0;
    const head = S[skb + HEAD]!;
    let skip = from - skbs.headlen(skb);
    if (skip < 0) return 0;
    const base = fragBase(head);
    for (let f = base; f < base + H[head + NR_FRAGS]! * FRAG_INTS; f += FRAG_INTS) {
      if (skip === 0) {
        if (F[f + FRAG_SIZE] !== pageSize || F[f + FRAG_OFFSET] !== 0) return 0;
        pages.getPage(F[f]!);
        take(F[f]!);
        return pageSize;
      }
      skip -= F[f + FRAG_SIZE]!;
      if (skip < 0) return 0;
    }
    return 0;
  };

  return {
    take(c: number, skb: number): void {
      if (skbs.pskbPull(skb, headers) < 0) {
        drop(c, skb, dropReason.pktTooSmall);
        return;
      }
      const payload = S[skb + LEN]!;
      const seq = S[skb + SEQ]!;
      output.acknowledged(c, S[skb + ACK]!, S[skb + AUX]!, payload === 0);
      if (payload > 0) {
        data(c, skb);
        return;
      }
      skbs.consumeSkb(skb);
      // A segment without data and from before the window asks for an acknowledgement: a window probe.
      if (before(seq, t.rcvNxt[c]!)) ackOrRetry(c);
    },
    recv(c: number, most: number, to = -1): number {
      if (to < 0) return readWith(c, most, readAway);
      let at = to;
      return readWith(c, most, (skb, offset, bytes) => {
        skbs.copyBits(skb, offset, at, bytes);
        at += bytes;
        return bytes;
      });
    },
    splice: (c: number, most: number, take: (pfn: number, offset: number, bytes: number) => void): number =>
      readWith(c, most, (skb, offset, bytes) => spliceOne(skb, offset, bytes, take)),
    mapPages: (c: number, most: number, take: (pfn: number) => void): number =>
      readWith(c, most, (skb, offset, bytes) => mapOne(skb, offset, bytes, take)),
    readableBytes: (c: number): number => (t.rcvNxt[c]! - t.copied[c]!) | 0,
    purge(c: number): void {
      while (t.readFirst[c] !== 0) eatFirst(c);
      for (let skb = t.ofoFirst[c]!; skb !== 0; skb = t.ofoFirst[c]!) {
        unlinkOfo(c, skb);
        skbs.kfreeSkb(skb);
      }
    },
    flowOf: (skb: number): number => S[skb + FLOW]!,
  };
}
