// The answer to reports of the OOM killer by what they list: a cgroup's counters, tasks, the table of slabs, totals, zones that the request may not use,
// and how it ended. And to pools that wait for pages and messages of one line. The lines are as 6.1 prints them (mm/oom_kill.c, mm/memcontrol.c).
import { each, keptAnswers, log, shortLines, type Texts, words } from "./answers_kept.testkit.ts";
import { type Killed, kill, killed } from "./rules/killed.testkit.ts";
import { memory, type Zone } from "./rules/memory.testkit.ts";

const none = "CONSTRAINT_NONE";
const small: readonly Zone[] = [{ blocks: [20], managed: 40_000 }];
const totals = (all: Readonly<Record<string, number>>): Killed => ({
  zones: small,
  constraint: none,
  more: {
    totals: { active_anon: 5000, inactive_anon: 600, shmem: 0, slab_unreclaimable: 100, pagetables: 15, ...all },
  },
});

const cgroup = (
  stat: Readonly<Record<string, number>>,
  usage = "memory: usage 100000kB, limit 100000kB, failcnt 37",
): Killed => ({
  memcg: [
    ...(usage === "" ? [] : [usage, "swap: usage 0kB, limit 0kB, failcnt 0"]),
    ...(Object.keys(stat).length === 0
      ? []
      : ["Memory cgroup stats for /my:", ...Object.entries(stat).map(([n, v]) => `${n} ${v}`)]),
  ],
  constraint: "CONSTRAINT_MEMCG",
  tasks: { server: 500 },
  end: [`Memory cgroup ${kill.replace("Out", "out")}`],
});
const used = {
  anon: 50_000_000,
  file: 9_000_000,
  kernel: 7_000_000,
  shmem: 4_000_000,
  sock: 10_239_999,
  slab: 3_000_000,
};
const cgroups: Texts = {
  "cgroup's counters": killed(cgroup(used)),
  ...Object.fromEntries(
    [10_239_999, 10_240_000, 10_240_001, 0].map((sock) => [
      `cgroup, ${sock} in sockets`,
      killed(cgroup({ ...used, sock })),
    ]),
  ),
  ...Object.fromEntries(
    Object.keys(used).map((lost) => [
      `cgroup without ${lost}`,
      killed(cgroup(Object.fromEntries(Object.entries(used).filter(([n]) => n !== lost)))),
    ]),
  ),
  "cgroup, more shared than file": killed(cgroup({ ...used, file: 3_000_000 })),
  "cgroup, usage lost": killed(cgroup({ ...used, sock: 90_000_000 }, "")),
  "cgroup, no counters": killed(cgroup({})),
};

const scopes: Texts = {
  ...Object.fromEntries(
    words("CONSTRAINT_NONE CONSTRAINT_CPUSET CONSTRAINT_MEMORY_POLICY CONSTRAINT_MEMCG").map((constraint) => [
      `by ${constraint}`,
      killed({ constraint, tasks: { server: 500 } }),
    ]),
  ),
  "constraint lost": killed({ tasks: { server: 500 } }),
  "constraint lost, cpuset named": killed({ cpuset: "server cpuset=/ mems_allowed=0", release: "4.4.0" }),
  "constraint lost, two nodes": killed({ zones: [{ blocks: [20] }, { node: 1, blocks: [20] }], release: "4.4.0" }),
  ...Object.fromEntries(
    words("2.6.28 2.6.29").map((release) => [
      `constraint lost, two nodes of ${release}`,
      killed({ zones: [{ blocks: [20] }, { node: 1, blocks: [20] }], release }),
    ]),
  ),
  "the killer's first and last lines alone": log(
    "server invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
    kill,
  ),
  "the killer without its memory": killed({ memcg: [], mask: "0xcc0(GFP_KERNEL)" }),
  "the killer of 2.6.28 without its memory": killed({ memcg: [], mask: "0xcc0(GFP_KERNEL)", release: "2.6.28" }),
  "no victim": killed({ constraint: none, end: [] }),
  ...Object.fromEntries(
    [
      "Out of memory: compulsory panic_on_oom is enabled",
      "System is deadlocked on memory",
      "Out of memory: system-wide panic_on_oom is enabled",
    ].map((why) => [`panic, ${why}`, killed({ constraint: none, end: [`Kernel panic - not syncing: ${why}`] })]),
  ),
  "victim without its memory": killed({ constraint: none, end: ["Out of memory: Killed process 77 (server)"] }),
  ...Object.fromEntries(
    [0, 1, 2, 3].map((order) => [
      `killer for order ${order}`,
      killed({ order, mask: "0x40cc0(GFP_KERNEL|__GFP_COMP)", zones: [{ blocks: [5000] }], constraint: none }),
    ]),
  ),
  ...Object.fromEntries(
    [0, 2].map((order) => [
      `killer for order ${order}, short`,
      killed({ order, mask: "0x40cc0(GFP_KERNEL|__GFP_COMP)", zones: [{ blocks: [50] }], constraint: none }),
    ]),
  ),
  "killer for order 2, constraint lost": killed({
    order: 2,
    mask: "0x40cc0(GFP_KERNEL|__GFP_COMP)",
    zones: [{ blocks: [5000] }],
  }),
  ...Object.fromEntries(
    [20, 5000, 200_000].map((n) => [
      `killer of low memory, ${n} above`,
      killed({
        mask: "0xcc0(GFP_KERNEL)",
        zones: [
          { blocks: [20], managed: 40_000, reserve: [0, 900] },
          { name: "HighMem", blocks: [n], managed: 900_000 },
        ],
        constraint: none,
        more: { totals: { slab_unreclaimable: 9000 } },
      }),
    ]),
  ),
};

const amounts: Texts = {
  ...Object.fromEntries(
    [0, 499, 500, 501].map((n) => [`file cache of ${n}`, killed(totals({ active_file: n, inactive_file: 0 }))]),
  ),
  ...Object.fromEntries(
    [2999, 3000, 3001, 9000].map((n) => [
      `slab of ${n}`,
      killed(totals({ slab_unreclaimable: n, active_anon: 10_000 - n, inactive_anon: 0 })),
    ]),
  ),
  ...Object.fromEntries(
    [1400, 2380, 6000].map((n) => [`anonymous of ${n}`, killed(totals({ active_anon: n, inactive_anon: 4500 }))]),
  ),
  "nothing of it": killed(totals({ active_anon: 0, inactive_anon: 0, pagetables: 0, slab_unreclaimable: 0 })),
  "all of it": killed(totals({ shmem: 900, unevictable: 800, pagetables: 700, slab_unreclaimable: 600 })),
  "a total lost": killed({ memcg: memory(small).filter((l) => !/_file:\d+ /.test(l)), constraint: none }),
  "another total lost": killed({ memcg: memory(small).filter((l) => !/slab_reclaimable/.test(l)), constraint: none }),
  "pages lost": killed({ memcg: memory(small).filter((l) => !/pages RAM/.test(l)), constraint: none }),
  "huge pages lost": killed({
    ...totals({ active_anon: 100, inactive_anon: 0 }),
    memcg: memory(small).filter((l) => !/hugepages/.test(l)),
  }),
  "swap there": killed({
    memcg: memory(small).map((l) => l.replace("Total swap = 0kB", "Total swap = 900kB")),
    constraint: none,
  }),
  tasks: killed({ constraint: none, tasks: { server: 500, other: 4000, third: 0, fourth: 4000, fifth: 7, sixth: 9 } }),
  "tasks of nothing": killed({ constraint: none, tasks: { server: 0 } }),
};

const slabs: Texts = {
  ...Object.fromEntries(
    words(
      "skbuff_head_cache skbuff_fclone_cache skbuff_small_head skbuff_ext_cache skbuff_other TCP TCPv6 UDP UDPv6 sock_inode_cache request_sock_TCP tw_sock_TCP RAW UNIX nf_conntrack ip_dst_cache rt6_info arp_cache fib_trie xfrm_state dentry my(x)",
    ).map((name) => [`slabs of ${name}`, killed({ constraint: none, slabs: [[name, 5000]], tasks: { server: 5 } })]),
  ),
  ...Object.fromEntries(
    [1023, 1024, 1025].map((kb) => [
      `slabs of ${kb} kB`,
      killed({ constraint: none, slabs: [["dentry", kb]], tasks: { server: 5 } }),
    ]),
  ),
  ...Object.fromEntries(
    [499, 500, 501].map((pages) => [
      `slabs beside a task of ${pages}`,
      killed({ constraint: none, slabs: [["dentry", 2000]], tasks: { server: pages, other: 5 } }),
    ]),
  ),
  ...Object.fromEntries(
    [99, 100, 101].map((kb) => [
      `slabs and one of ${kb} kB`,
      killed({
        constraint: none,
        slabs: [
          ["dentry", 2000 - kb],
          ["TCP", kb],
        ],
      }),
    ]),
  ),
  "slabs of five": killed({
    constraint: none,
    slabs: [
      ["a", 900],
      ["b", 1000],
      ["c", 800],
      ["d", 700],
      ["e", 20],
    ],
  }),
  "slabs of all that is unreclaimable": killed({
    ...totals({ slab_unreclaimable: 1000 }),
    slabs: [
      ["dentry", 3000],
      ["TCP", 1000],
    ],
  }),
  "slabs of a part": killed({
    ...totals({ slab_unreclaimable: 9000 }),
    slabs: [
      ["dentry", 3000],
      ["TCP", 1000],
    ],
  }),
};

const pools: Texts = each(
  [
    "page_pool_release_retry() stalled pool shutdown 1 inflight 60 sec",
    "page_pool_release_retry() stalled pool shutdown: id 39, 1 inflight 1 sec",
    "page_pool_release_retry() stalled pool shutdown: id 39, 5 inflight 121 sec",
    "page_pool_release_retry() stalled pool shutdown 77 inflight 241 sec",
  ],
  (l) => l,
  (l) => [l],
);
/** Sizes that drivers name when a buffer is refused, on machines of either width and kernels before and after fragments and small heads. */
const sizes: Texts = Object.fromEntries(
  [
    ...words("0 100 300 600 1536 3500 4000 9000 17000").flatMap((bytes) =>
      words("2.6.32-5-amd64 3.4.0 3.5.0 6.1.0-18-amd64 6.3.0 6.12.0").map((release) => [bytes, release]),
    ),
    ["600", ""],
  ].map(([bytes, release]) => [
    `buffer of ${bytes} in ${release}`,
    log(
      ...(release === "" ? [] : [`Linux version ${release} (builder@host1) (gcc version 7.3.0) #1 SMP`]),
      `ath: skbuff alloc of size ${bytes} failed`,
    ),
  ]),
);

keptAnswers(
  { "killer scope": { ...cgroups, ...scopes }, "killer table": { ...amounts, ...slabs, ...pools, ...sizes } },
  shortLines,
);
