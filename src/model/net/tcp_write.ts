// Writing to a TCP connection: user data is copied into page fragments, or pages are taken by reference. net/ipv4/tcp.c (tcp_sendmsg,
// do_tcp_sendpages), net/core/sock.c (sk_page_frag), 6.1.192.
//
//   sendmsg    |....user data....|  ──copy──▶  32 KiB page [aaaabbbb....]   frags of packets point into it, a reference each
//   sendpage   [your page]  ──reference──▶  frag of the packet

import { packetField } from "./receive.ts";
import { headField, sharedFlag, skbField } from "./skb_columns.ts";
import { memKind } from "./sock_mem.ts";
import type { TcpOutput } from "./tcp_output.ts";
import type { TcpQueue } from "./tcp_queue.ts";
import type { TcpShared } from "./tcp_state.ts";
import { connFlag, connState } from "./tcp_state.ts";

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

export type TcpWrite = ReturnType<typeof createTcpWrite>;

export function createTcpWrite(shared: TcpShared, queue: TcpQueue, output: TcpOutput) {
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
  let fragPfn = -1;
  let fragBytes = 0;
  let fragOffset = 0;

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
    if (fragPfn < 0) skbs.refused(refusedIn);
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

  return {
    sendmsg,
    sendpage,
    full,
    /** The writing process exits: its page fragment goes. */
    dropFrag(): void {
      if (fragPfn >= 0) pages.putPage(fragPfn);
      fragPfn = -1;
    },
  };
}
