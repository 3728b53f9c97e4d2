// The answer to requests for memory that were refused: askers of every kind with masks and orders of several eras, over a state of memory made up from
// a seed whose zone lines and buddy lines count the same pages, or nearly. Kept in fixtures/answers/requests.txt.
//   ANSWERS=write npx vitest run src/diagnosis/kept_requests.test.ts    writes it anew

import type { Prng } from "../base/prng.ts";
import { prng } from "../base/prng.ts";
import { answerLines, said } from "./answers.testkit.ts";
import { type Files, keptAnswers, logOf } from "./answers_kept.testkit.ts";
import type { Diagnosis } from "./finding.ts";

/** What a kernel prints of itself in a report, by era. */
interface Era {
  readonly release: string;
  readonly masks: readonly string[];
  readonly reporters: readonly string[];
  readonly pages: readonly string[];
  readonly slab: readonly string[];
  readonly fields: readonly ("boost" | "reserved_highatomic" | "managed" | "free_cma")[];
  readonly letters: boolean;
  readonly marks: boolean;
}
const eras: readonly Era[] = [
  {
    release: "6.1.0-18-amd64",
    masks: [
      ...[
        "0xa20(GFP_ATOMIC)",
        "0xcc0(GFP_KERNEL)",
        "0x40a20(GFP_ATOMIC|__GFP_COMP)",
        "0x52a20(GFP_ATOMIC|__GFP_NOWARN|__GFP_NORETRY|__GFP_COMP)",
      ],
      ...[
        "0x40cc0(GFP_KERNEL|__GFP_COMP)",
        "0x2dc2(GFP_KERNEL|__GFP_HIGHMEM|__GFP_ZERO|__GFP_NOWARN)",
        "0x820(GFP_ATOMIC)",
        "0xa21(GFP_ATOMIC|GFP_DMA)",
      ],
      ...[
        "0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_ZERO|__GFP_COMP)",
        "0x240a20(GFP_ATOMIC|__GFP_COMP|__GFP_THISNODE)",
        "0x60820(GFP_ATOMIC|__GFP_NOMEMALLOC)",
      ],
    ],
    reporters: ["dump_stack_lvl", "warn_alloc"],
    pages: ["__alloc_pages_slowpath", "__alloc_pages"],
    slab: [
      "allocate_slab",
      "___slab_alloc",
      "__kmem_cache_alloc_node",
      "__kmalloc_node_track_caller",
      "kmalloc_reserve",
      "__alloc_skb",
    ],
    fields: ["boost", "reserved_highatomic", "managed", "free_cma"],
    letters: true,
    marks: true,
  },
  {
    release: "5.4.0-150-generic",
    masks: [
      "0xa20(GFP_ATOMIC)",
      "0xcc0(GFP_KERNEL)",
      "0x40a20(GFP_ATOMIC|__GFP_COMP)",
      "0x42a20(GFP_ATOMIC|__GFP_NOWARN|__GFP_COMP)",
    ],
    reporters: ["dump_stack", "warn_alloc.cold"],
    pages: ["__alloc_pages_slowpath", "__alloc_pages_nodemask"],
    slab: [
      "alloc_slab_page",
      "allocate_slab",
      "___slab_alloc",
      "__slab_alloc",
      "__kmalloc_node_track_caller",
      "__kmalloc_reserve",
      "__alloc_skb",
    ],
    fields: ["managed", "free_cma"],
    letters: true,
    marks: false,
  },
  {
    release: "3.10.0-1160.el7.x86_64",
    masks: ["0x20", "0xd0", "0x204020", "0x2040d0", "0x4020"],
    reporters: ["dump_stack", "warn_alloc_failed"],
    pages: ["__alloc_pages_slowpath", "__alloc_pages_nodemask", "alloc_pages_current"],
    slab: [
      "new_slab",
      "___slab_alloc",
      "__slab_alloc",
      "__kmalloc_node_track_caller",
      "__kmalloc_reserve",
      "__alloc_skb",
    ],
    fields: ["managed", "free_cma"],
    letters: true,
    marks: false,
  },
  {
    release: "2.6.32-71.el6.x86_64",
    masks: ["0x20", "0xd0", "0x4020", "0x40d0", "0x200d2"],
    reporters: [],
    pages: ["__alloc_pages_nodemask"],
    slab: [
      "kmem_getpages",
      "fallback_alloc",
      "____cache_alloc_node",
      "kmem_cache_alloc_node_notrace",
      "__kmalloc_node",
      "__alloc_skb",
    ],
    fields: [],
    letters: false,
    marks: false,
  },
];

const bySyscall = ["sock_write_iter", "vfs_write", "ksys_write", "do_syscall_64", "entry_SYSCALL_64_after_hwframe"];
const bySoftirq = [
  "__napi_poll",
  "net_rx_action",
  "__do_softirq",
  "irq_exit_rcu",
  "</IRQ>",
  "<TASK>",
  "asm_common_interrupt",
  "default_idle",
  "do_idle",
  "cpu_startup_entry",
  "start_kernel",
];
const byThread = ["kthread", "ret_from_fork"];
/** Who asks; `slab` and `pages` stand for the allocators of the era. */
const askers: readonly (readonly string[])[] = [
  [
    "slab",
    "__netdev_alloc_skb",
    "e1000_alloc_rx_buffers [e1000]",
    "e1000_clean_rx_irq [e1000]",
    "e1000_clean [e1000]",
    ...bySoftirq,
  ],
  ["pages", "page_frag_alloc", "__netdev_alloc_skb", "e1000e_alloc_rx [e1000e]", "e1000e_poll [e1000e]", ...bySoftirq],
  ["pages", "igb_alloc_rx_buffers [igb]", "igb_poll [igb]", ...bySoftirq],
  ["pages", "ixgbe_alloc_rx_buffers [ixgbe]", "ixgbe_poll [ixgbe]", ...bySoftirq],
  ["slab", "__netdev_alloc_skb", "tg3_alloc_rx_data [tg3]", "tg3_rx [tg3]", "tg3_poll [tg3]", ...bySoftirq],
  ["pages", "page_pool_alloc_pages", "mvneta_rx_refill [mvneta]", "mvneta_poll [mvneta]", ...bySoftirq],
  ["pages", "page_pool_dev_alloc_pages", "my_refill [my_driver]", "my_poll [my_driver]", ...bySoftirq],
  [
    "slab",
    "__netdev_alloc_skb",
    "rtl8169_rx_fill [r8169]",
    "rtl_open [r8169]",
    "__dev_open",
    "__dev_change_flags",
    "dev_ioctl",
    "sock_do_ioctl",
    ...bySyscall.slice(3),
  ],
  [
    "slab",
    "rx_submit [usbnet]",
    "rx_alloc_submit [usbnet]",
    "usbnet_bh [usbnet]",
    "tasklet_action_common",
    "__do_softirq",
    "run_ksoftirqd",
    "smpboot_thread_fn",
    ...byThread,
  ],
  ["slab", "tcp_stream_alloc_skb", "tcp_sendmsg_locked", "tcp_sendmsg", ...bySyscall],
  ["slab", "sk_stream_alloc_skb", "tcp_sendmsg_locked", "tcp_sendmsg", ...bySyscall],
  ["pages", "skb_page_frag_refill", "sk_page_frag_refill", "tcp_sendmsg_locked", "tcp_sendmsg", ...bySyscall],
  ["slab", "alloc_skb_with_frags", "sock_alloc_send_pskb", "unix_stream_sendmsg", ...bySyscall],
  [
    "slab",
    "skb_copy",
    "tg3_start_xmit [tg3]",
    "dev_hard_start_xmit",
    "sch_direct_xmit",
    "__dev_queue_xmit",
    "ip_finish_output2",
    "ip_output",
    "__tcp_transmit_skb",
    "tcp_write_xmit",
    "tcp_sendmsg",
    ...bySyscall,
  ],
  [
    "slab",
    "tcp_make_synack",
    "tcp_v4_send_synack",
    "tcp_conn_request",
    "tcp_v4_do_rcv",
    "tcp_v4_rcv",
    "ip_local_deliver_finish",
    "__netif_receive_skb_core",
    "process_backlog",
    ...bySoftirq,
  ],
  [
    "pages",
    "kmalloc_large_node",
    "__kmalloc_node_track_caller",
    "__alloc_skb",
    "netlink_alloc_large_skb",
    "netlink_sendmsg",
    ...bySyscall,
  ],
  [
    "pages",
    "dma_direct_alloc",
    "dma_alloc_attrs",
    "e1000_setup_rx_resources [e1000]",
    "e1000_open [e1000]",
    "__dev_open",
    ...bySyscall.slice(3),
  ],
  ["pages", "__vmalloc_node_range", "vzalloc", "my_setup [my_driver]", ...bySyscall.slice(3)],
  ["pages", "my_own_work", "process_one_work", "worker_thread", ...byThread],
  ["pages", "shrink_page_list", "shrink_inactive_list", "shrink_node", "balance_pgdat", "kswapd", ...byThread],
  ["pages", "do_anonymous_page", "handle_mm_fault", "do_user_addr_fault", "exc_page_fault", "asm_exc_page_fault"],
  ["pages"],
  ["slab", "my_own [my_driver]"],
  ["pages", "page_frag_alloc_1k", "__napi_alloc_skb", "my_poll [my_driver]", ...bySoftirq],
  ...["kmemdup", "kstrdup", "krealloc", "kvmalloc_node", "kzalloc"].map((name) => [
    "slab",
    name,
    "my_setup [my_driver]",
    ...bySyscall.slice(3),
  ]),
];

/** Functions of each part of the network's own code, and some of nobody's: a packet was to be had on the receive side. */
const parts = [
  ...[
    "tcp_make_synack",
    "ip_frag_reasm",
    "ip6_frag_queue",
    "inet_frag_find",
    "inet6_csk_xmit",
    "udp_queue_rcv_skb",
    "sk_clone_lock",
    "skb_copy",
  ],
  ...[
    "sock_omalloc",
    "netlink_ack",
    "nf_ct_ext_add",
    "br_handle_frame",
    "napi_get_frags",
    "netif_receive_skb",
    "neigh_alloc",
    "icmp_send",
  ],
  ...[
    "igmp_newpack",
    "arp_create",
    "unix_attach_fds",
    "packet_rcv",
    "dev_forward_skb",
    "my_own",
    "__tcp_send_ack",
    "tipc_buf_acquire",
  ],
];

interface Zone {
  readonly name: string;
  readonly text: readonly string[];
  readonly pages: number;
  readonly cma: number;
}

/** A zone with its blocks, its marks around what is free, and what else its line says; now and then the two lines differ or lack something. */
function zoneOf(random: Prng, era: Era, node: string, name: string, reserves: readonly number[]): Zone {
  const rich = random.chance(0.3);
  const blocks = Array.from({ length: 11 }, (_, order) =>
    order > random.below(11) ? 0 : random.pick([0, 1, 3, rich ? 4000 >> order : 20 >> order]),
  );
  const letters = blocks.map(() => random.pick(["U", "M", "UM", "UME", "E", "H", "C", "UMEC", "MH"]));
  const listed = blocks.reduce((n, b, order) => n + b * 2 ** order, 0);
  const free = listed + random.pick([0, 0, 0, 1, -1, 30, -30, 20_000]);
  const kb = Math.max(0, free) * 4;
  const least = Math.max(8, Math.floor(kb * random.pick([0.1, 0.5, 0.9, 1, 1.1, 2, 4])));
  const boost = era.fields.includes("boost") ? random.pick([0, 0, 2048]) : random.pick([0, 0, 0, 4096]);
  const [low, high] = [Math.floor(least * 1.25), Math.floor(least * 1.5)];
  const own = least + boost;
  const cma = letters.some((l, i) => l.includes("C") && (blocks[i] ?? 0) > 0) ? Math.floor(listed / 4) : 0;
  const more: Readonly<Record<string, string>> = {
    boost: `boost:${boost}kB `,
    reserved_highatomic: `reserved_highatomic:${random.pick([0, 0, 2048])}KB `,
    managed: `managed:${kb + 400_000}kB `,
    free_cma: `free_cma:${cma * 4}kB `,
  };
  const has = (f: Era["fields"][number]): string => (era.fields.includes(f) ? (more[f] ?? "") : "");
  const line = `${node}${name} free:${kb}kB ${has("boost")}min:${own}kB low:${low + own - least}kB high:${high + own - least}kB ${has("reserved_highatomic")}active_anon:0kB inactive_anon:0kB active_file:0kB inactive_file:8kB unevictable:0kB present:${kb + 420_000}kB ${has("managed")}mlocked:0kB slab_reclaimable:0kB slab_unreclaimable:0kB kernel_stack:464kB pagetables:60kB bounce:0kB ${has("free_cma")}all_unreclaimable? yes`;
  const buddy = `${node}${name}: ${blocks.map((b, o) => `${b}*${4 << o}kB${era.letters && b > 0 ? ` (${letters[o]})` : ""}`).join(" ")} = ${listed * 4}kB`;
  const lost = random.below(14);
  return {
    name,
    pages: Math.max(0, free),
    cma,
    text: [
      lost === 0 ? line.slice(0, line.indexOf("low:")) : lost === 1 ? line.slice(0, line.indexOf("active_anon")) : line,
      lost === 2 ? "" : `lowmem_reserve[]: ${reserves.join(" ")}`,
      lost === 3 ? "" : lost === 4 ? buddy.slice(0, buddy.indexOf("128kB")) : buddy,
    ],
  };
}

function memInfoOf(random: Prng, era: Era): readonly string[] {
  const nodes = random.pick([1, 1, 2]);
  const zones = Array.from({ length: nodes }, (_, node) => {
    const prefix = `Node ${node} `;
    const few = random.chance(0.2);
    return node > 0
      ? [zoneOf(random, era, prefix, "Normal", [0, 0, 0, 0])]
      : [
          zoneOf(random, era, prefix, "DMA", few ? [0, 42, 42, 42] : [0, 1900, 3900, 3900]),
          zoneOf(random, era, prefix, "DMA32", few ? [0, 0, 0, 0] : [0, 0, 2000, 2000]),
          ...(few ? [] : [zoneOf(random, era, prefix, "Normal", [0, 0, 0, 0])]),
        ];
  }).flat();
  const free = zones.reduce((n, z) => n + z.pages, 0);
  return [
    "Mem-Info:",
    "active_anon:461 inactive_anon:60 isolated_anon:0",
    " active_file:1 inactive_file:2 isolated_file:0",
    " unevictable:0 dirty:0 writeback:0 unstable:0",
    ` free:${free} slab_reclaimable:${random.pick([575, 80_000])} slab_unreclaimable:${random.pick([700, 90_000, 400_000])}`,
    ` mapped:416 shmem:490 pagetables:15 bounce:0${era.fields.includes("free_cma") ? ` free_cma:${zones.reduce((n, z) => n + z.cma, 0)}` : ""}`,
    ...zones.flatMap((z) => [z.text[0] ?? "", ...(z.text[1] === "" ? [] : [z.text[1] ?? ""])]),
    ...zones.flatMap((z) => (z.text[2] === "" ? [] : [z.text[2] ?? ""])),
    "493 total pagecache pages",
    "0 pages in swap cache",
    `Free swap  = ${random.pick([0, 0, 524_284])}kB`,
    `Total swap = ${random.pick([0, 1_048_572])}kB`,
    `${free + random.pick([100_000, 500_000])} pages RAM`,
    "0 pages HighMem/MovableOnly",
    "4184 pages reserved",
  ];
}

const stackOf = (names: readonly string[]): readonly string[] => {
  const soft = names.includes("</IRQ>");
  return [
    "Call Trace:",
    soft ? " <IRQ>" : " <TASK>",
    ...names.map((n) => (n.startsWith("<") ? ` ${n}` : ` ${n.replace(/^\S+/, "$&+0x12/0x340")}`)),
    " </TASK>",
  ];
};

const asSlub = (random: Prng, order: number, mask: string): readonly string[] => {
  const size = random.pick([192, 512, 640, 2048, 4096, 8192]);
  const slabs = random.pick([3, 40, 200_000]);
  return [
    `SLUB: Unable to allocate memory on node -1, gfp=${mask}`,
    `  cache: ${random.pick(["kmalloc-512", "kmalloc-2k", "skbuff_head_cache", "TCP", "kmalloc-8k(1:docker)"])}, object size: ${size}, buffer size: ${size}, default order: ${order + random.below(2)}, min order: ${order}`,
    `  node 0: slabs: ${slabs}, objs: ${slabs * 16}, free: ${random.pick([0, 0, 7])}`,
  ];
};

/** One report of a request. */
function requestOf(random: Prng): Files {
  const era = random.pick(eras);
  const order = random.pick([0, 0, 0, 1, 2, 3, 4, 5, 9]);
  const mask = random.pick(era.masks);
  const comm = random.pick(["swapper/1", "server", "kswapd0", "ksoftirqd/1", "kworker/0:1"]);
  const told = random.pick(askers);
  const frames = told.flatMap((n) =>
    n === "slab"
      ? [...era.reporters, ...era.pages, ...era.slab]
      : n === "pages"
        ? [...era.reporters, ...era.pages]
        : [n],
  );
  const cut = random.chance(0.12) ? random.below(frames.length) : frames.length;
  const cpu = `CPU: 1 PID: 38 Comm: ${comm} Not tainted ${era.release} #1`;
  const stack = stackOf(frames.slice(0, cut));
  const memory = random.chance(0.85) ? memInfoOf(random, era) : [];
  const kind = random.below(10);
  const nodemask = era.marks
    ? `, nodemask=${random.pick(["(null)", "0", "0-1"])},cpuset=/,mems_allowed=${random.pick(["0", "0-1"])}`
    : "";
  const lines =
    kind === 0
      ? [
          `server invoked oom-killer: gfp_mask=${mask}, order=${order}, oom_score_adj=0`,
          cpu,
          ...stack,
          ...memory,
          "Out of memory: Killed process 1234 (server) total-vm:123456kB, anon-rss:2345kB, file-rss:12kB, shmem-rss:0kB",
        ]
      : kind === 1
        ? [...(random.chance(0.5) ? ["sysrq: Show Memory"] : []), ...memory]
        : kind === 2
          ? asSlub(random, order, mask)
          : kind === 3 && era.marks
            ? [
                `server: vmalloc error: size ${4096 << order}, ${random.pick(["page order 0, failed to allocate pages", "vm_struct allocation failed", "exceeds total pages"])}, mode:${mask}, nodemask=(null)`,
                cpu,
                ...stack,
                ...memory,
              ]
            : [
                `${comm}: page allocation failure${era.release.startsWith("2.6") ? "." : ":"} order:${order}, mode:${mask}${nodemask}`,
                cpu,
                ...stack,
                ...(random.chance(0.15) ? asSlub(random, order, mask) : []),
                ...memory,
              ];
  const times = random.pick([1, 1, 1, 1, 21]);
  const all = Array.from({ length: times }, () => lines).flat();
  const mtu = random.pick([0, 1500, 4000, 9000]);
  return {
    ...logOf(all, era.release),
    ...(mtu === 0
      ? {}
      : {
          "ip-link.txt": `2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu ${mtu} qdisc mq state UP mode DEFAULT group default qlen 1000\n    link/ether 52:54:00:12:34:56 brd ff:ff:ff:ff:ff:ff\n`,
          "sysctl.txt": `vm.min_free_kbytes = ${random.pick([1024, 16_384, 67_584, 2_000_000])}\nvm.watermark_scale_factor = ${random.pick([10, 200])}\n`,
        }),
  };
}

/** Of a request what the machine, the memory and the advice are too. */
const brief = (d: Diagnosis): readonly string[] =>
  answerLines(d)
    .filter(
      (l) =>
        /^ (?:title|order|bytes|direction|driver|wanted|cause|severity|machine|memory|oom|count)/.test(l) ||
        /^ {2}/.test(l) ||
        l === "incident",
    )
    .map((l) =>
      l.startsWith("  ")
        ? (/^ {2}\S+ \S+(?: @[ \d]*)?(?: # [^{[]*)?/.exec(l)?.[0] ?? l)
        : l.length > 600
          ? `${l.slice(0, 600)} ${said(l.slice(600)).length}`
          : l,
    );

const byParts: Readonly<Record<string, Files>> = Object.fromEntries(
  parts.flatMap((name, i) => {
    const era = eras[i % 2 === 0 ? 0 : 2] as Era;
    const frames = [
      ...era.reporters,
      ...era.pages,
      ...era.slab,
      name,
      "dev_hard_start_xmit",
      "__dev_queue_xmit",
      "ip_finish_output2",
      "ip_output",
      "tcp_retransmit_timer",
      "call_timer_fn",
      "run_timer_softirq",
      ...bySoftirq,
    ];
    const head = `server: page allocation failure: order:${i % 4}, mode:${era.masks[i % 3 === 0 ? 2 : 0]}`;
    return [
      [
        `${name} asks`,
        logOf([head, `CPU: 1 PID: 38 Comm: server Not tainted ${era.release} #1`, ...stackOf(frames)], era.release),
      ],
    ];
  }),
);

const seed = 612;
keptAnswers(
  {
    requests: {
      ...byParts,
      ...Object.fromEntries(
        Array.from({ length: 90 }, (_, i) => [`request ${seed}.${i}`, requestOf(prng(seed * 1000 + i))]),
      ),
    },
  },
  brief,
);
