// skbs for received packets: netdev_alloc_skb and napi_alloc_skb (net/core/skbuff.c, 6.1.192), which cut heads from page fragments
// where the size fits and take kmalloc where it does not.
import { receiveRooms, sliceBytes } from "../../../kernel/facts/skb_heads.ts";
import type { ReceiveCaches } from "./napi_alloc_cache.ts";
import { skbBit, skbField } from "./skb_columns.ts";
import { dataAlign } from "./skb_config.ts";
import type { Skbuff } from "./skbuff.ts";
import { allocFlag } from "./skbuff.ts";

const { rx: ALLOC_RX, napi: ALLOC_NAPI } = allocFlag;

export interface SkbReceive {
  /** __netdev_alloc_skb(): for a received packet of up to `length` bytes, with NET_SKB_PAD of headroom. */
  netdevAllocSkb: (length: number, mask: number) => number;
  /** __napi_alloc_skb(): the same inside a NAPI poll; small heads are slices, the sk_buff comes from the spares. */
  napiAllocSkb: (length: number, mask?: number) => number;
}

/** `caches`: one entry a CPU; without them heads come from kmalloc. */
export function createSkbReceive(
  core: Skbuff,
  caches: readonly ReceiveCaches[] | undefined,
  memallocSocks: boolean,
): SkbReceive {
  const { config, journal, infoRoom, allocSkb, buildSkb, skbReserve } = core;
  const { S } = core.columns;
  const { gfp, pageSize, netSkbPad, netIpAlign } = config;
  const rooms = receiveRooms(config.receiveHeads, config.smallHeadBytes, infoRoom, pageSize);
  const { slice: sliceRoom, kmalloc: kmallocRoom, fragment: fitsPage } = rooms;
  const refusedIn = {
    netdev: journal?.textId("__netdev_alloc_skb") ?? 0,
    napi: journal?.textId("__napi_alloc_skb") ?? 0,
  };
  const cpuNow = (): number => journal?.cpu ?? 0;

  function netdevAllocSkb(length: number, mask: number): number {
    const room = length + netSkbPad;
    const here = caches?.[cpuNow()];
    if (here === undefined || room <= kmallocRoom || room > fitsPage || (mask & (gfp.directReclaim | gfp.dma)) !== 0)
      return padded(allocSkb(room, mask, ALLOC_RX), netSkbPad, refusedIn.netdev);
    const bytes = dataAlign(config, room) + infoRoom;
    const gfpMask = memallocSocks ? mask | gfp.memalloc : mask;
    return wrapFragment(here, here.frags.alloc(bytes, gfpMask, ~0), bytes, here.frags.pfmemalloc(), false, netSkbPad);
  }

  function napiAllocSkb(length: number, mask: number = config.receiveGfp): number {
    const pad = netSkbPad + netIpAlign;
    const room = length + pad;
    const here = caches?.[cpuNow()];
    const sliced = room <= sliceRoom;
    if (
      here === undefined ||
      (!sliced && room <= kmallocRoom) ||
      room > fitsPage ||
      (mask & (gfp.directReclaim | gfp.dma)) !== 0
    )
      return padded(allocSkb(room, mask, ALLOC_RX | ALLOC_NAPI), pad, refusedIn.napi);
    const gfpMask = memallocSocks ? mask | gfp.memalloc : mask;
    if (sliced) return wrapFragment(here, here.slices.alloc(gfpMask), sliceBytes, here.slices.pfmemalloc(), true, pad);
    const bytes = dataAlign(config, room) + infoRoom;
    return wrapFragment(here, here.frags.alloc(bytes, gfpMask, ~0), bytes, here.frags.pfmemalloc(), true, pad);
  }

  function wrapFragment(
    cache: ReceiveCaches,
    address: number,
    bytes: number,
    pfmemalloc: boolean,
    napi: boolean,
    pad: number,
  ): number {
    if (address < 0) return core.refused(napi ? refusedIn.napi : refusedIn.netdev);
    const skb = buildSkb(address, bytes, napi);
    if (skb === 0) {
      cache.free(address);
      return core.refused(napi ? refusedIn.napi : refusedIn.netdev);
    }
    if (pfmemalloc) S[skb + skbField.BITS]! |= skbBit.pfmemalloc;
    return padded(skb, pad);
  }

  function padded(skb: number, pad: number, site = 0): number {
    if (skb === 0) return core.refused(site);
    skbReserve(skb, pad);
    return skb;
  }

  return { netdevAllocSkb, napiAllocSkb };
}
