// Writing to a TCP connection: user data is copied into page fragments, or pages are taken by reference. net/ipv4/tcp.c (tcp_sendmsg,
// do_tcp_sendpages), net/core/sock.c (sk_page_frag), 6.1.192; the page of a socket and select_size(): 2.6.29.
//
//   writev     |..iov 0..|..iov 1..|  ──copy──▶  32 KiB page [aaaabbbb....]   frags of packets point into it, a reference each
//                                    (2.6.x:)   room behind the head, then a 4 KiB page that the socket keeps from call to call
//                                    (no NETIF_F_SG:)   a linear packet of one segment, however many pages that takes in one block
//   sendpage   [your page]  ──reference──▶  frag of the packet

import { packetField } from "../path/receive.ts";
import { fragField, fragInts, headField, sharedFlag, skbField } from "../skb/skb_columns.ts";
import { memKind } from "./sock_mem.ts";
import type { TcpOutput } from "./tcp_output.ts";
import type { TcpQueue } from "./tcp_queue.ts";
import { maxTcpHeader } from "./tcp_queue.ts";
import type { TcpShared } from "./tcp_state.ts";
import { connFlag, connState } from "./tcp_state.ts";

const { OFFSET: FRAG_OFFSET, SIZE: FRAG_SIZE, DESTRUCTOR: FRAG_DESTRUCTOR } = fragField;
const FRAG_INTS = fragInts;

const { LEN, NEXT, HEAD, CB4, TRUESIZE } = skbField;
const { NR_FRAGS, FLAGS } = headField;
const { SEQ, TAG } = packetField;
/** sk_page_frag: SKB_FRAG_PAGE_ORDER of 4 KiB pages. */
const fragPageBytes = 32768;

/** Who is told when the stack is done with a page that sendpage() was given. */
export interface SendpageOptions {
  readonly tag?: number;
  /** Of frag_destructors.ts: the fragment's reference is on it. */
  readonly destructor?: number;
  /** Of ubuf_info.ts: every packet with such pages has a reference on it, and no pages of others. */
  readonly ubuf?: number;
}

export interface TcpWrite {
  writev: (c: number, lengths: readonly number[], tag?: number, from?: readonly number[]) => number;
  sendmsg: (c: number, bytes: number, tag?: number, from?: number) => number;
  sendpage: (c: number, pfn: number, offset: number, bytes: number, options?: SendpageOptions) => number;
  full: (c: number) => boolean;
  /** The connection goes: so does the page that it kept. */
  closeConnection(c: number): void;
  /** The writing process exits: its page fragment goes. */
  dropFrag(): void;
}

export function createTcpWrite(shared: TcpShared, queue: TcpQueue, output: TcpOutput): TcpWrite {
  const { parts, t } = shared;
  const { skbs, cpus, mem, pages } = parts;
  const { S, H, F, fragBase } = skbs.columns;
  const { wmemQueued, sndbuf } = skbs.socks;
  const { gfp, pageSize } = skbs.config;
  const { queueCharge, freeQueued, streamAlloc, setSegments } = queue;
  const { push } = output;
  let bigOrder = 0;
  while (pageSize << bigOrder < fragPageBytes) bigOrder++;
  const bigGfp = (gfp.kernel & ~gfp.directReclaim) | gfp.comp | gfp.nowarn;
  const refusedIn = skbs.journal?.textId("sk_page_frag_refill") ?? 0;
  /** sk_page_frag_refill(), sk_stream_alloc_page() without a page: the sender's buffer shrinks. */
  const noPage = (c: number): 0 => {
    mem.moderate(t.sock[c]!);
    return skbs.refused(refusedIn);
  };
  const ownPage = shared.sendPage === "a page a socket";
  let fragPfn = -1;
  let fragBytes = 0;
  let fragOffset = 0;
  /** sk_sndmsg_page and sk_sndmsg_off of each connection, plus one; 0 none. */
  const pageOf = new Int32Array(ownPage ? t.connectionsMax + 1 : 0);
  const offsetOf = new Int32Array(ownPage ? t.connectionsMax + 1 : 0);

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
    const f = fragBase(head) + (count - 1) * FRAG_INTS;
    return F[f] === pfn && F[f + FRAG_DESTRUCTOR] === destructor && F[f + FRAG_OFFSET]! + F[f + FRAG_SIZE]! === offset;
  };

  /** Copies into the page fragment of the writing process; bytes that went in, 0 without memory. */
  const copyToFrag = (c: number, skb: number, want: number, from: number): number => {
    if (!refillFrag()) return noPage(c);
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

  /**
   * The page of the socket, as 2.6 fills it: a new one is kept when the copy leaves room in it, and let go when the next copy finds it full.
   * Bytes, 0 or -1 as above.
   */
  const copyToOwnPage = (c: number, skb: number, want: number, from: number): number => {
    const head = S[skb + HEAD]!;
    const count = H[head + NR_FRAGS]!;
    let pfn = pageOf[c]! - 1;
    let offset = pfn < 0 ? 0 : offsetOf[c]!;
    const joins = pfn >= 0 && offset < pageSize && follows(skb, pfn, offset, 0);
    if (!joins && (count === skbs.columns.fragsMax || (count === 0 && !paged(c)))) return -1;
    if (pfn >= 0 && offset === pageSize) {
      pages.putPage(pfn);
      pageOf[c] = 0;
      pfn = -1;
      offset = 0;
    }
    const bytes = Math.min(want, pageSize - offset);
    if (!mem.schedule(t.sock[c]!, bytes, memKind.send)) return 0;
    const fresh = pfn < 0;
    if (fresh) pfn = pages.allocPages(gfp.kernel, 0);
    if (pfn < 0) return noPage(c);
    skbs.skbAppendPagefrags(skb, pfn, offset, bytes);
    // What is full at once is the packet's alone.
    if (fresh && bytes === pageSize) pages.putPage(pfn);
    else pageOf[c] = pfn + 1;
    if (from >= 0) skbs.memory?.copy(pfn * pageSize + offset, from, bytes);
    offsetOf[c] = offset + bytes;
    skbs.lenAdd(skb, bytes);
    queueCharge(c, bytes);
    return bytes;
  };

  const paged = (c: number): boolean => (t.flags[c]! & connFlag.scatterGather) !== 0;
  const full = (c: number): boolean => wmemQueued[t.sock[c]!]! >= sndbuf[t.sock[c]!]!;

  /** select_size(): the linear room of a new packet. Nothing with scatter-gather and GSO; without scatter-gather a whole segment. */
  const linearOf = (c: number): number => {
    if (!paged(c)) return t.goal[c]!;
    if (!ownPage || (t.flags[c]! & connFlag.gso) !== 0) return 0;
    const pageRoom = pageSize - maxTcpHeader - skbs.infoRoom;
    const most = pageRoom + (skbs.columns.fragsMax - 1) * pageSize;
    return t.mss[c]! >= pageRoom && t.mss[c]! <= most ? pageRoom : t.mss[c]!;
  };

  /** Where the next bytes go: behind the packet's linear data, or into pages. */
  const copyInto = (c: number, skb: number, want: number, from: number): number => {
    if (!ownPage) return paged(c) ? copyToFrag(c, skb, want, from) : copyLinear(skb, want, from);
    return skbs.tailroom(skb) > 0 ? copyLinear(skb, want, from) : copyToOwnPage(c, skb, want, from);
  };

  /** One piece of what the caller writes; false when no more goes in now. `done.bytes` counts over all pieces. */
  const copyPiece = (c: number, bytes: number, from: number, tag: number, done: { bytes: number }): boolean => {
    for (let at = 0; at < bytes; ) {
      let skb = t.last[c]!;
      let space = room(c, skb, 0);
      let got = -1;
      const source = from < 0 ? -1 : from + at;
      if (space > 0) got = copyInto(c, skb, Math.min(space, bytes - at), source);
      if (got < 0) {
        // new_segment: the last packet is as large as it may be, or has no slot left.
        if (full(c)) return false;
        if (t.unsent[c] !== 0) push(c, space > 0 || t.packetsOut[c] === 0);
        skb = entail(c, linearOf(c), tag);
        if (skb === 0) return false;
        space = t.goal[c]!;
        got = copyInto(c, skb, Math.min(space, bytes - at), source);
      }
      if (got <= 0) return false;
      wrote(c, skb, got);
      at += got;
      done.bytes += got;
    }
    return true;
  };

  /**
   * tcp_sendmsg() with an iovec: one call, piece after piece, each copied to the end of the write queue; a packet takes the end of one piece
   * and the beginning of the next. `from[i]` is the address of piece i where a run moves bytes. Bytes taken; fewer when the send buffer is
   * full or memory is short, and the user's writable() is called when it is worth to go on.
   */
  const writev = (c: number, lengths: readonly number[], tag = 0, from?: readonly number[]): number => {
    const done = { bytes: 0 };
    const all = lengths.every((bytes, i) => copyPiece(c, bytes, from?.[i] ?? -1, tag, done));
    finish(c, !all);
    return done.bytes;
  };

  /**
   * tcp_sendmsg(): copies user data into the write queue; bytes taken, fewer when the send buffer is full or memory is short. `from` is the
   * address of the data where a run moves bytes, -1 elsewhere.
   */
  const sendmsg = (c: number, bytes: number, tag = 0, from = -1): number => {
    const done = { bytes: 0 };
    finish(c, !copyPiece(c, bytes, from, tag, done));
    return done.bytes;
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

  return {
    writev,
    sendmsg,
    sendpage,
    full,
    closeConnection(c: number): void {
      if (!ownPage || pageOf[c] === 0) return;
      pages.putPage(pageOf[c]! - 1);
      pageOf[c] = offsetOf[c] = 0;
    },
    dropFrag(): void {
      if (fragPfn >= 0) pages.putPage(fragPfn);
      fragPfn = -1;
    },
  };
}
