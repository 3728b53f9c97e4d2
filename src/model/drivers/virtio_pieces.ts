// Where virtio_net's buffers (mergeable, small) come from, and where they go when a packet does not need them.
//
//   until 7.0   one big page of the queue, cut upwards: skb_page_frag_refill(); a piece is a reference of its page
//   since 7.1   a page_pool of single pages: page_pool_alloc_va() cuts pieces, gives a whole page where half of one is too little, and the last
//               piece of a page gets what is left; packets are marked, so their pieces go home
//
// virtnet_create_page_pools(), add_recvbuf_mergeable(), add_recvbuf_small(), virtnet_rq_free_buf() of drivers/net/virtio_net.c, 6.1.192, 6.12.117,
// 7.2.12 and 7.3.4. The kernel makes the pool when the device is found and keeps it, with the buffers, while the link is down; here both go with
// stop(), as everything of a driver does.
import type { PoolContext } from "../net/pool/pool_context.ts";
import type { DriverParts } from "./driver.ts";
import { createPageFrag } from "./page_frag_refill.ts";
import { createPoolHome } from "./pool_home.ts";

export interface VirtioPieces {
  /** False without memory for a pool. */
  open(): boolean;
  /** The address of `bytes` bytes with a reference, or -1. `stretch`: the last piece of a page takes what is left; a pool does so always. */
  cut(bytes: number, gfp: number, stretch: boolean): number;
  /** What the last piece was long. */
  bytes(): number;
  free(address: number, inPoll: boolean): void;
  /** The packet's pieces go home when it is freed. */
  mark(skb: number): void;
  close(): void;
  pool(): number;
  readonly context?: PoolContext;
}

export function ownPieces(parts: DriverParts): VirtioPieces {
  const { pageSize } = parts.skbs.config;
  const frag = createPageFrag(parts);
  return {
    open: () => true,
    cut: frag.cut,
    bytes: frag.bytes,
    free: (address) => parts.pages.putPage(Math.floor(address / pageSize)),
    mark: () => undefined,
    close: frag.drop,
    pool: () => -1,
  };
}

/** `slots`: of the ring, which is how many pages the pool keeps at home. */
export function pooledPieces(parts: DriverParts, slots: number): VirtioPieces {
  const home = createPoolHome(parts);
  const { pools } = home;
  const { pageSize } = parts.skbs.config;
  return {
    ...home,
    open: () => home.open(slots),
    cut(bytes, gfp) {
      const pfn = pools.allocSized(home.pool(), bytes, gfp);
      return pfn < 0 ? -1 : pfn * pageSize + pools.lastFragOffset();
    },
    bytes: () => pools.lastFragBytes(),
  };
}
