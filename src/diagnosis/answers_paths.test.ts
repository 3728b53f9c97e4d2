// The answer to failed requests by who asked: masks in every context, offloads and MTUs beside a path, the lines of a cache, and parts that are lost.
import { each, keptAnswers, log, shortLines, type Texts, words } from "./answers_kept.testkit.ts";
import { type Memory, memory, type Zone } from "./rules/memory.testkit.ts";
import {
  allocFailure,
  bySlab,
  bySoftirq,
  bySyscall,
  copiedBy,
  memInfo as realMemInfo,
  refilling,
  sending,
  slubFailure,
  slubLines,
  type Told,
} from "./rules/report.testkit.ts";

const one = (zone: Zone, told: Told = {}, more: Memory = {}): Texts[string] => ({
  "kern.log": allocFailure({ memInfo: memory([zone], more), frames: refilling, ...told }),
});
const atomic = "0xa20(GFP_ATOMIC)";
const kernel = "0xcc0(GFP_KERNEL)";
const comp = "0x40a20(GFP_ATOMIC|__GFP_COMP)";

const irq = (context: string): readonly string[] => [
  "foo_alloc+0x1/0x2 [foo]",
  "foo_handler+0x1/0x2 [foo]",
  "__handle_irq_event_percpu+0x1/0x2",
  "handle_irq_event+0x1/0x2",
  "asm_common_interrupt+0x22/0x40",
  `</${context}>`,
  "<TASK>",
  ...bySyscall,
];
const contexts: Readonly<Record<string, readonly string[]>> = {
  softirq: ["foo_alloc+0x1/0x2 [foo]", ...bySoftirq],
  irq: irq("IRQ"),
  nmi: irq("NMI"),
  task: ["foo_alloc+0x1/0x2 [foo]", ...bySyscall],
  "task that may not sleep": [
    "foo_alloc+0x1/0x2 [foo]",
    "dev_queue_xmit+0x1/0x2",
    "ip_finish_output2+0x1/0x2",
    ...bySyscall,
  ],
  opening: [
    "__netdev_alloc_skb+0x1/0x2",
    "e1000_alloc_rx_buffers+0x12/0x34",
    "e1000_configure+0x2c2/0x300",
    "e1000_open+0x1/0x2",
    "__dev_open+0x1/0x2",
    "dev_open+0x1/0x2",
    ...bySyscall,
  ],
  "opening through a probe": [
    "__netdev_alloc_skb+0x1/0x2",
    "e1000_alloc_rx_buffers+0x12/0x34",
    "0xffffffffc0a1b2c3",
    "e1000_open+0x1/0x2",
    "__dev_open+0x1/0x2",
    ...bySyscall,
  ],
  reclaim: ["foo_alloc+0x1/0x2 [foo]", "shrink_slab+0x1/0x2", "try_to_free_pages+0x1/0x2", ...bySyscall],
  cut: ["foo_alloc+0x1/0x2 [foo]"],
};
const masks: Readonly<Record<string, string>> = {
  atomic,
  kernel,
  nowait: "0x800(GFP_NOWAIT)",
  optional: "0x2a20(GFP_ATOMIC|__GFP_NOWARN)",
  light: "0x52a00(GFP_NOWAIT|__GFP_NOWARN|__GFP_NORETRY|__GFP_COMP)",
};
const contextTexts: Texts = {
  ...Object.fromEntries(
    Object.entries(contexts).flatMap(([where, frames]) =>
      Object.entries(masks).map(([name, mask]) => [`${name} in ${where}`, one({}, { frames, mask, memInfo: [] })]),
    ),
  ),
  ...Object.fromEntries(
    [0, 1, 3, 4].flatMap((order) =>
      [atomic, kernel].map((mask) => [
        `order ${order} when opening, ${mask}`,
        one({}, { frames: contexts.opening ?? [], mask, order, memInfo: [] }),
      ]),
    ),
  ),
  ...Object.fromEntries(
    words("kswapd0 kswapdx xkswapd0").map((comm) => [
      `by ${comm}`,
      one(
        {},
        {
          comm,
          frames: ["foo_alloc+0x1/0x2 [foo]", "kthread+0x1/0x2", "ret_from_fork+0x1/0x2"],
          mask: kernel,
          memInfo: [],
        },
      ),
    ]),
  ),
  "nothing of the trace": one({}, { frames: [], memInfo: [] }),
};

const features = (name: string, value: string): Readonly<Record<string, string>> => ({
  "ethtool-k.txt": `Features for eth0:\nrx-checksumming: on\n${name}: ${value}\n`,
});
const offloadNames = words(
  "tcp-segmentation-offload generic-segmentation-offload scatter-gather large-receive-offload generic-receive-offload",
);
const ixgbe: readonly string[] = [
  "__alloc_pages_bulk+0x1/0x2",
  "ixgbe_alloc_rx_buffers+0x12/0x34 [ixgbe]",
  "ixgbe_poll+0x1/0x2 [ixgbe]",
  ...bySoftirq,
];
const offloads: Texts = {
  ...Object.fromEntries(
    offloadNames.flatMap((name) =>
      ["on", "off"].flatMap((value) => [
        [`${name} ${value}, refill`, { ...one({}, { frames: refilling, memInfo: [] }), ...features(name, value) }],
        [
          `${name} ${value}, sending`,
          { ...one({}, { frames: sending, order: 1, mask: comp, memInfo: [] }), ...features(name, value) },
        ],
        [
          `${name} ${value}, ixgbe`,
          {
            ...one({}, { frames: ixgbe, order: value === "on" ? 1 : 0, mask: comp, memInfo: [] }),
            ...features(name, value),
          },
        ],
      ]),
    ),
  ),
  ...Object.fromEntries(
    words(
      "skb_copy skb_copy_expand __skb_linearize skb_linearize __pskb_pull_tail pskb_expand_head tg3_tso_bug skb_realloc_headroom skb_copy_bits my_copy pskb_expand_head.part.0",
    ).map((c) => [`copied by ${c}`, one({}, { frames: copiedBy(c), order: 2, mask: comp, memInfo: [] })]),
  ),
  "copied, LRO on of order 0": {
    ...one({}, { frames: ixgbe, memInfo: [] }),
    ...features("large-receive-offload", "on"),
  },
};

const link = (mtu: number): Readonly<Record<string, string>> => ({
  "ip-link.txt": [
    `2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu ${mtu} qdisc mq state UP mode DEFAULT group default qlen 1000`,
    "    link/ether 52:54:00:12:34:56 brd ff:ff:ff:ff:ff:ff promiscuity 0 minmtu 46 maxmtu 16110 numtxqueues 1 numrxqueues 1",
    "",
  ].join("\n"),
});
const mtus: Texts = {
  ...Object.fromEntries(
    [46, 1500, 1501, 3000, 9000].map((mtu) => [
      `e1000 with an MTU of ${mtu}`,
      { ...one({}, { frames: refilling, memInfo: [] }), ...link(mtu) },
    ]),
  ),
  ...Object.fromEntries(
    [0, 1, 2, 3, 4, 5].map((order) => [
      `buffer of order ${order} of nobody`,
      one(
        {},
        {
          frames: [
            ...bySlab,
            "__alloc_skb+0x1/0x2",
            "__netdev_alloc_skb+0x1/0x2",
            "foo_refill+0x1/0x2 [foo]",
            ...bySoftirq,
          ],
          order,
          mask: comp,
          memInfo: [],
        },
      ),
    ]),
  ),
  ...Object.fromEntries(
    [0, 1, 2, 3].map((order) => [
      `tg3 of order ${order}`,
      one(
        {},
        {
          frames: [
            ...bySlab,
            "__alloc_skb+0x1/0x2",
            "__netdev_alloc_skb+0x1/0x2",
            "tg3_alloc_rx_data+0x1/0x2 [tg3]",
            "tg3_rx+0x1/0x2 [tg3]",
            ...bySoftirq,
          ],
          order,
          mask: comp,
          memInfo: [],
        },
      ),
    ]),
  ),
};

const debugged = (object: number, buffer: number, min: number, word = "slub_debug=O"): readonly string[] => [
  "SLUB: Unable to allocate memory on node -1, gfp=0xa20(GFP_ATOMIC)",
  `  cache: kmalloc-x, object size: ${object}, buffer size: ${buffer}, default order: 3, min order: ${min}`,
  `  kmalloc-x debugging increased min order, use ${word} to disable.`,
  "  node 0: slabs: 71, objs: 497, free: 0",
];
const gib = 2 ** 20;
const caches: Texts = {
  ...each(
    [
      [4096, 4568, 1],
      [4096, 4568, 0],
      [4097, 4568, 1],
      [8192, 24_576, 3],
      [8192, 9000, 1],
      [64, 128, 0],
    ] as const,
    (d) => `debugging ${d.join(" ")}`,
    ([object, buffer, min]) => debugged(object, buffer, min),
  ),
  ...each(
    words("slub_debug=O slab_debug=O nothing"),
    (w) => `debugging switched off by ${w}`,
    (w) => debugged(4096, 4568, 1, w),
  ),
  ...each(
    words("6.8.0 6.9.0"),
    (r) => `debugging of ${r}`,
    (r) => [`Linux version ${r} (gcc)`, ...debugged(4096, 4568, 1, "nothing")],
  ),
  "debugging, sizes cut": log(debugged(4096, 4568, 1)[0] ?? "", debugged(4096, 4568, 1)[2] ?? ""),
  ...Object.fromEntries(
    [gib / 4 - 1, gib / 4, gib / 4 + 1].map((slabs) => [
      `cache of ${slabs} slabs`,
      { "kern.log": slubFailure("kmalloc-192", slabs) },
    ]),
  ),
  ...Object.fromEntries(
    [2033, 2034, 2035, 2036].map((slabs) => [
      `cache of ${slabs} slabs of the machine`,
      { "kern.log": allocFailure({ frames: sending, behind: slubLines("kmalloc-192", slabs), memInfo: realMemInfo }) },
    ]),
  ),
  ...Object.fromEntries(
    [0, 1].map((free) => [`full cache, ${free} free`, { "kern.log": slubFailure("kmalloc-192", gib, free) }]),
  ),
  ...Object.fromEntries(
    words("kmalloc-192 kmalloc-192(77:my_unit) dentry(9:other) skbuff_head_cache").map((c) => [
      `cache ${c}`,
      { "kern.log": slubFailure(c, 10) },
    ]),
  ),
  ...Object.fromEntries(
    words("kmalloc-192 kmalloc-192(77:my_unit)").map((c) => [
      `cache ${c} in a failure`,
      { "kern.log": allocFailure({ frames: sending, behind: slubLines(c, 10), memInfo: [] }) },
    ]),
  ),
  ...Object.fromEntries(
    words("2.6.24 2.6.26 2.6.34 2.6.35 3.10.0 6.1.0").flatMap((release) =>
      [1, 3].map((order) => [
        `slab of order ${order}, ${release}`,
        one({}, { release, order, mask: "0x4020", frames: sending, memInfo: [] }),
      ]),
    ),
  ),
};

const parts: Texts = {
  "first line lost": { "kern.log": allocFailure({ frames: refilling }).split("\n").slice(1).join("\n") },
  "process line lost": { "kern.log": allocFailure({ frames: refilling }).split("\n").toSpliced(1, 1).join("\n") },
  "trace lost": {
    "kern.log": allocFailure({ frames: refilling })
      .split("\n")
      .filter((l) => !/\+0x|Call Trace|TASK|IRQ/.test(l))
      .join("\n"),
  },
  "tail lost": { "kern.log": allocFailure({ frames: refilling, memInfo: memory([{ blocks: [20] }]).slice(0, -6) }) },
  "totals lost": {
    "kern.log": allocFailure({
      frames: refilling,
      memInfo: memory([{ blocks: [20] }]).filter(
        (l) => !/_anon:\d+ |_file:\d+ |unevictable:\d+ |slab_re|mapped:\d+ |bounce:\d+$|misc|free:\d+ f/.test(l),
      ),
    }),
  },
  "one zone of two lost": {
    "kern.log": allocFailure({
      frames: refilling,
      memInfo: memory([
        { name: "DMA32", reserve: [0, 90, 90], blocks: [100], managed: 40_000 },
        { blocks: [20], reserve: [0, 0, 0] },
      ]).filter((l) => !/Normal/.test(l)),
    }),
  },
  "many lost": {
    "kern.log": allocFailure({
      frames: [],
      memInfo: memory([{ blocks: [20] }])
        .filter((l) => !/lowmem|Node 0 Normal:/.test(l))
        .slice(0, -8),
    })
      .split("\n")
      .filter((l) => !/PID/.test(l))
      .join("\n"),
  },
  "mask cut": { "kern.log": allocFailure({ frames: refilling, mask: "0xa20(GFP_ATO" }) },
};

keptAnswers(
  { "requests by context": { ...contextTexts, ...parts }, "requests by path": { ...offloads, ...mtus, ...caches } },
  shortLines,
);
