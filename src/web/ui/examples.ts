// Logs and files of real machines that come with the page; each is fetched from the page's own files when it is asked for.

export interface Example {
  readonly title: string;
  load(): Promise<{ readonly default: string }>;
}

export const examples: Readonly<Record<string, Example>> = {
  "failures_6.1.txt": {
    title: "6.1: failures of several orders, and an OOM kill",
    load: () => import("../../../fixtures/logs/failures_6.1.txt?raw"),
  },
  "tg3_gentoo_2009.txt": {
    title: "tg3 on 2.6.24: order 1, no Mem-Info",
    load: () => import("../../../fixtures/logs/tg3_gentoo_2009.txt?raw"),
  },
  "ppc405ex_emac_2009.txt": {
    title: "PPC405EX of 2009: a bad page, and jumbo frames that find no block",
    load: () => import("../../../fixtures/logs/ppc405ex_emac_2009.txt?raw"),
  },
  "e1000_refill_6.1.txt": {
    title: "6.1: a receive ring that cannot be refilled",
    load: () => import("../../../fixtures/logs/e1000_refill_6.1.txt?raw"),
  },
  "bad_pages_6.1.txt": {
    title: "6.1: bad pages",
    load: () => import("../../../fixtures/logs/bad_pages_6.1.txt?raw"),
  },
  "slab_oom_6.1.txt": {
    title: "6.1: the kernel's own caches fill memory",
    load: () => import("../../../fixtures/logs/slab_oom_6.1.txt?raw"),
  },
  "slub_debug_6.1.txt": {
    title: "6.1: slab corruption",
    load: () => import("../../../fixtures/logs/slub_debug_6.1.txt?raw"),
  },
  "page_pool_stall_6.1.txt": {
    title: "6.1: a page pool that waits for its pages",
    load: () => import("../../../fixtures/logs/page_pool_stall_6.1.txt?raw"),
  },
  "ethtool_small_ring.txt": {
    title: "Counters of page pools: a ring that is too small",
    load: () => import("../../../fixtures/page_pool/ethtool_small_ring.txt?raw"),
  },
  "netlink_stall.json": {
    title: "Pools of the netdev family: one that leaks",
    load: () => import("../../../fixtures/page_pool/netlink_stall.json?raw"),
  },
  "buddyinfo-6.1": {
    title: "/proc/buddyinfo of 6.1",
    load: () => import("../../../fixtures/proc/buddyinfo-6.1?raw"),
  },
};
