// Buffers of a page_pool by way of the kernel's common Ethernet library: pieces of single pages, a power of two each, as long as a standard frame
// needs with headroom and shared_info; with headers apart, small pieces of a second pool for them and payload buffers without any room beside.
//
//   together  [ headroom | frame | shared_info ]                                         MTU 1500: 2 KiB, two a page; 9000: three pages a frame
//   apart     [ headroom | headers | shared_info ]  +  [ payload ][ payload ] …          1 KiB of the header pool; 2 KiB up to MTU 2048, else pages
//
// ice since 6.19: ice_rxq_pp_create() of ice_base.c, ice_alloc_rx_bufs(), ice_clean_rx_irq() of ice_txrx.c, libeth_rx_fq_create() of
// libeth/rx.c, xdp_build_skb_from_buff() of net/core/xdp.c, 7.2.12 and 7.3.4. The card chains five buffers at most, so a frame never comes to
// MAX_SKB_FRAGS (where libeth would leave out what finds no room).
import { alignUp } from "../../../kernel/facts/drivers/driver.ts";
import type { PieceSource } from "./pieces.ts";
import { poolPieces } from "./pieces.ts";
import type { SlotBuffers, SlotsFor } from "./slots.ts";
import { xdpHeadroom } from "./xdp.ts";

/** LIBETH_RX_LL_LEN: Ethernet header, two VLAN tags, checksum. LIBETH_MAX_HEAD. LIBETH_RX_BUF_STRIDE. */
const linkBytes = 14 + 2 * 4 + 4;
const headerBuffer = 256;
const stride = 128;

const powerOfTwo = (n: number): number => 2 ** Math.ceil(Math.log2(n));
const alignDown = (n: number, to: number): number => n - (n % to);

export interface LibethLayout {
  /** Bytes of a frame (of its payload, with headers apart) that a buffer takes, and what it takes of a page. */
  readonly bytes: number;
  readonly truesize: number;
  readonly headroom: number;
  /** What a buffer for headers takes of a page. */
  readonly headerTruesize: number;
}

export function libethLayout(mtu: number, split: boolean, xdp: boolean, at: SlotsFor["at"]): LibethLayout {
  const headroom = (xdp ? xdpHeadroom : at.netSkbPad) + at.netIpAlign;
  const whole = (bytes: number): number => powerOfTwo(alignUp(headroom + bytes, at.cacheLine) + at.sharedInfo);
  const headerTruesize = whole(headerBuffer);
  if (split) {
    const bytes = Math.min(Math.max(powerOfTwo(mtu), stride), at.pageSize);
    return { bytes, truesize: bytes, headroom, headerTruesize };
  }
  const most = alignDown(at.pageSize - headroom - at.sharedInfo, stride);
  const bytes = Math.min(alignUp(mtu + linkBytes, stride), most);
  return { bytes, truesize: whole(bytes), headroom, headerTruesize };
}

/** `rx`: slots of the ring, which a pool keeps as many pages for. */
export function libethSlots(of: SlotsFor, rx: number, split: boolean): SlotBuffers {
  const { parts, at, size } = of;
  const { skbs, pages } = parts;
  const data = poolPieces(of);
  const heads = split ? poolPieces(of) : undefined;
  /** Addresses plus one; 0: none. */
  const piece = new Float64Array(size);
  const header = new Float64Array(size);
  let layout = libethLayout(1500, split, false, at);
  const next = (slot: number): number => (slot + 1 === size ? 0 : slot + 1);
  const back = (source: PieceSource | undefined, where: Float64Array, slot: number, inPoll: boolean): void => {
    if (where[slot] !== 0) source?.free(where[slot]! - 1, inPoll);
    where[slot] = 0;
  };
  const allBack = (begin: number, slots: number, inPoll: boolean): void => {
    for (let i = 0, slot = begin; i < slots; i++, slot = next(slot)) {
      back(data, piece, slot, inPoll);
      back(heads, header, slot, inPoll);
    }
  };
  const take = (where: Float64Array, slot: number): number => {
    const address = where[slot]! - 1;
    where[slot] = 0;
    return address;
  };

  return {
    counters: {},
    ...(data.context === undefined ? {} : { context: data.context }),
    open(mtu, xdp) {
      layout = libethLayout(mtu, split, xdp, at);
      if (!data.open(layout.truesize, rx)) return false;
      if (heads === undefined || heads.open(layout.headerTruesize, rx)) return true;
      data.close();
      return false;
    },
    close() {
      allBack(0, size, false);
      data.close();
      heads?.close();
    },
    together: () => 1,
    post(slot, gfp) {
      if (piece[slot] === 0) piece[slot] = data.cut(gfp) + 1;
      if (piece[slot] === 0) return false;
      if (heads === undefined || header[slot] !== 0) return true;
      header[slot] = heads.cut(gfp) + 1;
      if (header[slot] !== 0) return true;
      back(data, piece, slot, false);
      return false;
    },
    slotsOf: (bytes, _from, headers) => Math.max(1, Math.ceil((split ? bytes - headers : bytes) / layout.bytes)),
    packet(begin, slots, bytes, headers) {
      const { headroom, truesize, headerTruesize } = layout;
      const first = Math.min(bytes, split ? headers : layout.bytes);
      const skb = skbs.buildSkb((split ? header : piece)[begin]! - 1, split ? headerTruesize : truesize, true);
      if (skb === 0) {
        allBack(begin, slots, false);
        return 0;
      }
      take(split ? header : piece, begin);
      data.mark(skb);
      skbs.skbReserve(skb, headroom);
      skbs.skbPut(skb, first);
      let left = bytes - first;
      let frag = 0;
      for (let i = split ? 0 : 1, slot = split ? begin : next(begin); i < slots && left > 0; i++, slot = next(slot)) {
        const part = Math.min(left, layout.bytes);
        const address = take(piece, slot);
        const pfn = pages.compoundHead(Math.floor(address / at.pageSize));
        const offset = address - pfn * at.pageSize + (split ? 0 : headroom);
        skbs.skbAddRxFrag(skb, frag++, pfn, offset, part, truesize);
        left -= part;
      }
      // Buffers that nothing was written to: the payload's of a frame of headers, the headers' behind the first slot.
      allBack(begin, slots, false);
      return skb;
    },
    unused: (begin, slots) => allBack(begin, slots, true),
    lend(begin, slots) {
      const lent: number[] = [];
      for (let i = 0, slot = begin; i < slots; i++, slot = next(slot)) lent.push(take(piece, slot));
      return lent;
    },
    takeBack(lent, inPoll) {
      for (const address of lent) data.free(address, inPoll);
    },
    done: () => undefined,
    pool: () => data.pool(),
  };
}
