// The machines that are recorded, and what each is asked to do (the lines of /plan, see guest/init). A new scenario is a line here.

const buddy = (scenarios, seeds, first = 100, more = "") =>
  scenarios.flatMap((scenario) =>
    seeds.map((seed) => [scenario, seed]),
  ).map(([scenario, seed], i) => `record ${first + i}_${scenario}_s${seed}.ndjson skblab_buddy scenario=${scenario} seed=${seed}${more}`);

const everything = [
  "mixed", "mid", "high", "pcp", "tune", "seqfree", "bulk", "fillfrag", "fillhole", "nokswapd", "atomic", "bigatomic", "zones",
];
const whenLoaded = ["mixed", "mid", "high", "pcp", "tune", "bulk", "fillfrag", "atomic", "bigatomic", "zones"];

/** name → { memory (MB), cpus, below4g (MB: where the Normal zone begins), cpu (qemu's), plan } */
export const guests = {
  // DMA and DMA32, one or two CPUs.
  "buddy/128": { memory: 128, cpus: 2, plan: ["texts", ...buddy(everything, [1, 2])] },
  "buddy/up": { memory: 128, cpus: 1, plan: buddy(everything, [3]) },
  // With a Normal zone: ALLOC_NOFRAGMENT.
  "buddy/normal": { memory: 224, cpus: 2, below4g: 112, plan: buddy(everything, [4, 5]) },
  // Memory that files hold; zones large enough for the high-order atomic reserve.
  "buddy/loaded": { memory: 512, cpus: 2, plan: ["load 60", ...buddy(whenLoaded, [6], 200)] },
  "buddy/loaded_normal": { memory: 768, cpus: 4, below4g: 256, plan: ["load 70", ...buddy(whenLoaded, [7], 200)] },
  // A batch of 63, lists that grow far.
  "buddy/2g": { memory: 2048, cpus: 2, plan: buddy(["mixed", "pcp", "tune", "bulk", "zones"], [8], 300, " steps=12000") },
  // Without a shared cache the per-CPU lists keep less (PCPF_FREE_HIGH_BATCH); with a fraction set they are not tuned.
  "buddy/nol3": { memory: 1024, cpus: 2, cpu: "qemu64,l3-cache=off", plan: buddy(["pcp", "tune"], [9], 400, " steps=12000") },
  "buddy/fraction": {
    memory: 512,
    cpus: 2,
    plan: ["sysctl percpu_pagelist_high_fraction 16", ...buddy(["pcp", "tune", "mixed"], [10], 400)],
  },
};
