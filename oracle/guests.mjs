// The machines that are recorded, and what each is asked to do (the lines of /plan, see guest/init). A new scenario is a line here.

const buddy = (scenarios, seeds, first = 100, more = "") =>
  scenarios.flatMap((scenario) =>
    seeds.map((seed) => [scenario, seed]),
  ).map(([scenario, seed], i) => `record ${first + i}_${scenario}_s${seed}.ndjson skblab_buddy scenario=${scenario} seed=${seed}${more}`);

const everything = [
  "mixed", "mid", "high", "pcp", "tune", "seqfree", "bulk", "fillfrag", "fillhole", "nokswapd", "atomic", "bigatomic", "zones",
];
const whenLoaded = ["mixed", "mid", "high", "pcp", "tune", "bulk", "fillfrag", "atomic", "bigatomic", "zones"];

const frags = [1, 2, 3].map((seed) => `record page_frag_s${seed}.ndjson skblab_frag seed=${seed}`);

/** Pools by what they differ in: [name, parameters]. */
const pools = [
  ["plain_s1", "pool_size=256 seed=1"],
  ["small_s2", "pool_size=64 seed=2"],
  ["overflow_s3", "pool_size=5 seed=3"],
  ["odd_s4", "pool_size=100 seed=4"],
  ["default_s5", "pool_size=0 seed=5"],
  ["huge_s6", "pool_size=40000 seed=6 steps=400"],
  ["order1_s7", "order=1 pool_size=128 seed=7"],
  ["order2_dma_s8", "order=2 flags=1 pool_size=64 seed=8"],
  ["dma_s9", "flags=1 pool_size=128 seed=9"],
  ["dma_sync_s10", "flags=3 pool_size=128 seed=10"],
  ["sync_without_map", "flags=2 seed=11"],
  ["unknown_flag", "flags=1024 seed=12"],
  ["no_skbs_s13", "skbs=0 pool_size=64 seed=13"],
  ["skbs_s14", "skbs=70 pool_size=64 seed=14"],
  ["skbs_s15", "skbs=70 pool_size=512 seed=15"],
  ["frags_s16", "frags=1 skbs=0 pool_size=128 seed=16"],
  ["frags_skbs_s17", "frags=1 skbs=40 pool_size=128 seed=17"],
  ["frags_order1_s18", "frags=1 order=1 skbs=30 pool_size=128 seed=18"],
  ["napi_s19", "kind=1 pool_size=64 seed=19"],
  ["napi_skbs_s20", "kind=1 skbs=60 pool_size=128 seed=20"],
  ["percpu_s21", "kind=2 pool_size=64 seed=21"],
  ["napi_idle_s22", "kind=3 pool_size=64 seed=22"],
].map(([name, parameters]) => `record pool_${name}.ndjson skblab_pp ${parameters}`);

const packets = [
  ...[1, 2, 3, 4, 5, 6, 7, 8].map((seed) => `record fuzz_s${seed}.ndjson skblab_skb seed=${seed}`),
  "record tables.ndjson skblab_skb mode=1",
];

/** Slab caches of these object sizes, from a seed on: by single calls, in bulk too, with a constructor. */
const caches = (sizes, seed) => [
  ...sizes.map((size, i) => `record sz${size}_s${seed + i}.ndjson skblab_slub size=${size} seed=${seed + i}`),
  ...[256, 2048].map((size, i) => `record sz${size}_bulk_s${seed + 50 + i}.ndjson skblab_slub size=${size} bulk=40 seed=${seed + 50 + i}`),
  `record ctor512_s${seed + 90}.ndjson skblab_slub size=512 with_ctor=1 seed=${seed + 90}`,
];

/** eth0 to eth2. Each is in a network of its own, 10.0.N.0/24, where the host answers at .100. */
const cards = ["virtio-net-pci", "e1000", "e1000e"];
const names = ["virtio_net", "e1000", "e1000e"];

/** Every card brought up, then for each MTU changed to it and sent 200 KB twice. */
const rings = [
  "modules",
  ...names.map((name, i) => `traced ${name}_up.txt up eth${i} 10.0.${i + 2}.15`),
  ...[1500, 9000, 3000, 1500].flatMap((mtu, round) =>
    names.flatMap((name, i) => [
      ...(round === 0 || i === 0 ? [] : [`traced ${round}_${name}_mtu${mtu}.txt mtu eth${i} ${mtu}`]),
      ...[1, 2].map((time) => `traced ${round}_${name}_mtu${i === 0 ? 1500 : mtu}_receive${time}.txt receive eth${i} 7`),
    ]),
  ),
  ...names.map((name, i) => `traced ${name}_down.txt down eth${i}`),
];

/** name → { memory (MB), cpus, below4g (MB: where the Normal zone begins), cpu (qemu's), cards and their modules, since (the first release), plan } */
export const guests = {
  // DMA and DMA32, one or two CPUs.
  "buddy/128": { memory: 128, cpus: 2, plan: ["texts", ...buddy(everything, [1, 2])] },
  "buddy/up": { memory: 128, cpus: 1, plan: buddy(everything, [3]) },
  // With a Normal zone: ALLOC_NOFRAGMENT.
  "buddy/normal": { memory: 224, cpus: 2, below4g: 112, plan: buddy(everything, [4, 5]) },
  // Memory that files hold; zones large enough for the high-order atomic reserve.
  "buddy/loaded": { memory: 512, cpus: 2, plan: ["load 60", ...buddy(whenLoaded, [6], 200)] },
  "buddy/loaded_normal": { memory: 768, cpus: 4, below4g: 256, plan: ["load 70", ...buddy(whenLoaded, [7], 200)] },
  // Nearly nothing free in a zone that is large enough for the high-order atomic reserve: requests come to the min watermark.
  "buddy/highatomic": {
    memory: 512,
    cpus: 2,
    plan: ["hold 40", ...buddy(["bigatomic", "atomic"], [11, 12, 13], 500, " most=12000"), ...buddy(["mid"], [14], 506, " most=12000")],
  },
  // A batch of 63, lists that grow far.
  "buddy/2g": { memory: 2048, cpus: 2, plan: buddy(["mixed", "pcp", "tune", "bulk", "zones"], [8], 300, " steps=12000") },
  // Without a shared cache the per-CPU lists keep less (PCPF_FREE_HIGH_BATCH); with a fraction set they are not tuned.
  "buddy/nol3": { memory: 1024, cpus: 2, cpu: "qemu64,l3-cache=off", plan: buddy(["pcp", "tune"], [9], 400, " steps=12000") },
  "buddy/fraction": {
    memory: 512,
    cpus: 2,
    plan: ["sysctl percpu_pagelist_high_fraction 16", ...buddy(["pcp", "tune", "mixed"], [10], 400)],
  },
  // What lies above the page allocator. Private caches, so one machine does for all of them; slabs have another order with one CPU.
  net: { memory: 512, cpus: 2, plan: [...frags, ...pools, ...packets] },
  slub: { memory: 512, cpus: 2, plan: caches([256, 1024, 192, 232, 2048, 4096, 8192, 64], 1) },
  // Before 6.1 objects of a node were announced by events of their own.
  rings: { memory: 256, cpus: 1, since: [6, 1], cards, modules: ["virtio_pci", ...names], plan: ["texts", ...rings] },
  "slub/up": { memory: 512, cpus: 1, plan: ["texts", ...caches([512, 1024, 700, 4096], 21)] },
};
