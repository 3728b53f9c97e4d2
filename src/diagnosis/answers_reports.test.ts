// The answer to failed requests whose zones stand on either side of what was asked for, with the marks, lists and settings that decide. The lines are
// as 6.1 prints them where nothing else stands beside them.
import { each, keptAnswers, log, shortLines, type Texts, words } from "./answers_kept.testkit.ts";
import { type Memory, memory, type Zone } from "./rules/memory.testkit.ts";
import { allocFailure, bySyscall, refilling, type Told } from "./rules/report.testkit.ts";

const one = (zone: Zone, told: Told = {}, more: Memory = {}): Texts[string] => ({
  "kern.log": allocFailure({ memInfo: memory([zone], more), frames: refilling, ...told }),
});
const atomic = "0xa20(GFP_ATOMIC)";
const kernel = "0xcc0(GFP_KERNEL)";
const movable = "0x100cca(GFP_HIGHUSER_MOVABLE)";
const comp = "0x40a20(GFP_ATOMIC|__GFP_COMP)";

const refused: Texts = {
  ...Object.fromEntries(
    [0, 10, 36, 37, 38, 39, 50, 99, 100, 101, 5000].map((n) => [`single, ${n} free`, one({ blocks: [n] })]),
  ),
  ...Object.fromEntries(
    [99, 100, 101, 126].map((n) => [`single that waits, ${n} free`, one({ blocks: [n] }, { mask: kernel })]),
  ),
  ...Object.fromEntries(
    [[200], [200, 0, 1], [200, 0, 0, 1], [400, 1], [4000], [38, 0, 0, 0], [0, 0, 0, 50]].map((blocks) => [
      `order 2 of ${blocks.join(" ")}`,
      one({ blocks }, { order: 2, mask: comp }),
    ]),
  ),
  ...Object.fromEntries(
    [395, 396, 397, 400].map((n) => [`order 2, few of ${n}`, one({ blocks: [n, 0, 1] }, { order: 2, mask: comp })]),
  ),
  ...Object.fromEntries(
    ["H", "C", "M", "E", "UM", "I"].map((l) => [
      `lists ${l}`,
      one(
        {
          blocks: [`200${l}`, `20${l}`, `20${l}`],
          ...(l === "C" ? { cma: 1280 } : {}),
          ...(l === "H" ? { highatomic: 1280 } : {}),
        },
        { order: 2, mask: comp },
      ),
    ]),
  ),
  ...Object.fromEntries(
    ["H", "C", "M"].map((l) => [
      `single of lists ${l}`,
      one({ blocks: [`200${l}`], ...(l === "C" ? { cma: 800 } : {}), ...(l === "H" ? { highatomic: 800 } : {}) }),
    ]),
  ),
  ...Object.fromEntries(
    ["H", "C", "M"].map((l) => [
      `single of lists ${l}, waiting`,
      one(
        { blocks: [`200${l}`], ...(l === "C" ? { cma: 800 } : {}), ...(l === "H" ? { highatomic: 800 } : {}) },
        { mask: kernel },
      ),
    ]),
  ),
  "CMA for movable": one({ blocks: ["200C"], cma: 800 }, { mask: movable }),
  ...Object.fromEntries(
    words("6.14.0 6.15.0 7.1.0 7.2.0").map((release) => [
      `movable only of ${release}`,
      one({ blocks: ["2000M", "20M"] }, { release }),
    ]),
  ),
  ...Object.fromEntries(
    [atomic, kernel, movable].map((mask) => [
      `movable only with ${mask}`,
      one({ blocks: ["2000M", "20M"] }, { release: "6.18.0", mask }),
    ]),
  ),
  "movable of more names": one(
    { blocks: ["2000M", "20M"] },
    { release: "6.18.0", mask: "0xa28(GFP_ATOMIC|__GFP_MOVABLE)" },
  ),
  "printed a moment later": {
    "kern.log": allocFailure({ memInfo: memory([{ blocks: [500] }]), frames: refilling }).replace(
      /^\[ +24\.\d+\](?= Node 0 Normal: )/m,
      "[   24.700000]",
    ),
  },
  "CMA in a zone that refuses": one({ blocks: ["0", "0", "300C"], cma: 4800 }, { order: 2, mask: comp }),
  "CMA in one of two zones": {
    "kern.log": allocFailure({
      order: 2,
      mask: comp,
      memInfo: memory([
        { name: "DMA32", reserve: [0, 20, 20], blocks: ["0", "0", "300C"], cma: 4800, managed: 40_000 },
        { blocks: [20], reserve: [0, 0, 0] },
      ]),
      frames: refilling,
    }),
  },
  "CMA of the totals, zones cut": {
    "kern.log": allocFailure({
      memInfo: memory([{ blocks: ["20C"], cma: 80 }]).map((l) =>
        l.replace(/ free_cma:80kB$/, "").replace(/\(C\)/g, "("),
      ),
      frames: refilling,
    }),
  },
  "movable and others of 6.18": one({ blocks: ["2000UM"] }, { release: "6.18.0" }),
  "nothing free of 6.18": one({ blocks: [0] }, { release: "6.18.0" }),
  ...Object.fromEntries([16_483, 16_484, 16_485, 20_000].map((n) => [`plenty, ${n} pages`, one({ blocks: [n] })])),
  ...Object.fromEntries(
    [3, 4, 5].map((times) => [
      `plenty, ${times} times the mark`,
      one({ min: 100_000, low: 110_000, high: 120_000, blocks: [25_000 * times] }, { mask: kernel }),
    ]),
  ),
  ...Object.fromEntries(
    [0, 90, 300].map((pages) => [
      `reserve of ${pages}`,
      {
        "kern.log": allocFailure({
          mask: kernel,
          memInfo: memory([
            { name: "DMA32", reserve: [0, pages, pages], blocks: [200], managed: 40_000 },
            { blocks: [20], reserve: [0, 0, 0] },
          ]),
          frames: refilling,
        }),
      },
    ]),
  ),
  "free as min with a reserve": {
    "kern.log": allocFailure({
      memInfo: memory([
        { name: "DMA32", reserve: [0, 90, 90], blocks: [100], managed: 40_000 },
        { blocks: [20], reserve: [0, 0, 0] },
      ]),
      frames: refilling,
    }),
  },
  "two nodes": {
    "kern.log": allocFailure({ memInfo: memory([{ blocks: [20] }, { node: 1, blocks: [30] }]), frames: refilling }),
  },
  "lists that do not sum": one({ free: 250, blocks: [20] }),
  "by its own reclaim": one(
    { blocks: [20] },
    { frames: ["try_to_free_pages+0x1/0x2", "foo_alloc+0x1/0x2", ...bySyscall], mask: kernel },
  ),
  "without Mem-Info": one({}, { memInfo: [] }),
  "without Mem-Info, order 1": one({}, { memInfo: [], order: 1 }),
  "without zones": one({}, { memInfo: memory([{ blocks: [20] }]).filter((l) => !/free:\d+kB|lowmem/.test(l)) }),
  "without marks": one(
    {},
    { memInfo: memory([{ blocks: [20] }]).map((l) => l.replace(/min:\d+kB low:\d+kB high:\d+kB /, "")) },
  ),
  "without buddy lines": one(
    {},
    { order: 2, mask: comp, memInfo: memory([{ blocks: [200, 2, 1] }]).filter((l) => !/\*4kB/.test(l)) },
  ),
  ...Object.fromEntries(
    words("2.6.16 2.6.34 2.6.35 4.5.0 4.6.0").map((release) => [
      `order 2 of ${release}`,
      one(
        { blocks: [300] },
        { order: 2, mask: release.startsWith("2") ? "0x20" : "0x2084020(GFP_ATOMIC|__GFP_COMP)", release },
      ),
    ]),
  ),
};
/** A request that went on for long: its report is of its waiting (4.10 to 4.14). */
const stalled = (told: Told): string =>
  allocFailure({ release: "4.12.0", mask: "0x14000c0(GFP_KERNEL)", ...told }).replace(
    "page allocation failure:",
    "page allocation stalls for 10004ms,",
  );
const waits: Texts = {
  "stalls, still refused": { "kern.log": stalled({ memInfo: memory([{ blocks: [50] }]) }) },
  "stalls, served by now": { "kern.log": stalled({ memInfo: memory([{ blocks: [5000] }]) }) },
  "stalls, marks lost": {
    "kern.log": stalled({
      memInfo: memory([{ blocks: [50] }]).map((l) => l.replace(/min:\d+kB low:\d+kB high:\d+kB /, "")),
    }),
  },
  "stalls, nothing there": { "kern.log": stalled({ memInfo: [] }) },
  "stalls, order 2": { "kern.log": stalled({ order: 2, memInfo: memory([{ blocks: [500] }]) }) },
};

const vmallocs: Texts = each(
  words("0 4198400 allocated range pages"),
  (how) => `vmalloc ${how}`,
  (how) => [
    ...(how === "range" ? ["vmap allocation for size 4198400 failed: use vmalloc=<size> to increase size"] : []),
    `server: vmalloc ${how === "allocated" ? "error: size 7801806848, failed to allocate pages" : how === "pages" ? "error: size 8192, page order 0, failed to allocate pages" : `error: size ${how === "range" ? "4198400" : how}, vm_struct allocation failed`}, mode:0xcc2(GFP_KERNEL|__GFP_HIGHMEM), nodemask=(null)`,
    "CPU: 0 PID: 38 Comm: server Not tainted 6.1.192 #1 ",
    "Call Trace:",
    " <TASK>",
    " dump_stack_lvl+0x3a/0x4c",
    " warn_alloc+0x10e/0x130",
    " __vmalloc_node_range+0x1/0x2",
    " vmalloc+0x1/0x2",
    ...bySyscall.map((f) => ` ${f}`),
    " </TASK>",
  ],
);

const sysctl = (
  kb: number | string,
  more: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> => ({
  "sysctl.txt": `vm.min_free_kbytes = ${kb}\nvm.swappiness = 60\n`,
  ...more,
});
const meminfo = (kb: number): Readonly<Record<string, string>> => ({
  meminfo: `MemTotal:       ${kb} kB\nMemFree:         900 kB\n`,
});
/** min of a zone of 400,000 kB that the kernel would choose: 4 * sqrt(400000 * 16). */
const own = 2528;
const marks: Texts = {
  ...Object.fromEntries(
    [1000, 2272, 2275, 2276, 2280, 2528, 2776, 2780, 2784, 9000, 45_056, 67_584].map((min) => [
      `min ${min}`,
      one({ min, low: min + 100, high: min + 200, blocks: [20] }),
    ]),
  ),
  ...Object.fromEntries(
    [100, 127, 128, 129, 258].map((min) => [
      `min ${min} of a small machine`,
      one({ min, low: min + 10, high: min + 20, managed: 1200, blocks: [5] }),
    ]),
  ),
  ...Object.fromEntries(
    ["5.4.0", "5.10.0", "4.19.0", "2.6.18"].map((release) => [
      `min of ${release}`,
      one({ min: own, low: 3160, high: 3792, blocks: [20] }, { release }),
    ]),
  ),
  ...Object.fromEntries(
    [3160, 3100, 2600].map((low) => [
      `min of 5.4, low ${low}`,
      {
        "kern.log": allocFailure({
          release: "5.4.0",
          frames: refilling,
          memInfo: memory([{ min: own, low, high: 3792, blocks: [20] }]).map((l) => l.replace(/ boost:\d+kB/, "")),
        }),
      },
    ]),
  ),
  "min with a boost": one({ min: own + 2000, boost: 2000, low: 5160, high: 5792, blocks: [20] }),
  ...Object.fromEntries(
    (
      [
        ["min of low and high memory", "HighMem"],
        ["min of low memory and movable", "Movable"],
        ["min of low memory and a device's", "Device"],
      ] as const
    ).map(([name, zone]) => [
      name,
      {
        "kern.log": allocFailure({
          frames: refilling,
          memInfo: memory([
            { min: own, low: 3160, high: 3792, blocks: [20], reserve: [0, 500] },
            { name: zone, min: 512, low: 640, high: 768, managed: 90_000, blocks: [30] },
          ]),
        }),
      },
    ]),
  ),
  ...Object.fromEntries(
    ["0", "50000", ""].map((cma) => [
      `min lowered beside CMA ${cma}`,
      one(
        { min: 2380 - 128, low: 3160, high: 3792, blocks: [20], ...(cma === "50000" ? { cma: 40 } : {}) },
        { release: "5.4.0" },
        { tail: cma === "" ? [] : [`${cma} pages cma reserved`] },
      ),
    ]),
  ),
  ...Object.fromEntries(
    ["managed", "present", "both"].map((lost) => [
      `min, ${lost} lost`,
      {
        "kern.log": allocFailure({
          frames: refilling,
          release: lost === "managed" ? "3.2.0" : "6.1.192",
          memInfo: memory([{ min: own - 400, low: 3160, high: 3792, blocks: [20] }], { reserved: 9000 }).map((l) =>
            l.replace(
              lost === "present"
                ? / present:\d+kB/
                : lost === "managed"
                  ? / managed:\d+kB/
                  : / present:\d+kB managed:\d+kB/,
              "",
            ),
          ),
        }),
      },
    ]),
  ),
  "min, nothing managed is told nor reserved": {
    "kern.log": allocFailure({
      frames: refilling,
      release: "3.2.0",
      memInfo: memory([{ min: own - 400, low: 3160, high: 3792, blocks: [20] }])
        .filter((l) => !/reserved$/.test(l))
        .map((l) => l.replace(/ managed:\d+kB/, "")),
    }),
  },
  ...Object.fromEntries(
    [own, own + 50, own + 58, own + 59, own - 58, own - 60, 3000].map((kb) => [
      `sysctl ${kb} beside min ${own}`,
      { ...one({ min: own, low: 3160, high: 3792, blocks: [20] }), ...sysctl(kb) },
    ]),
  ),
  ...Object.fromEntries(
    ["0", "-1", "12.5", "many"].map((kb) => [
      `sysctl ${kb}`,
      { ...one({ min: own, low: 3160, high: 3792, blocks: [20] }), ...sysctl(kb) },
    ]),
  ),
  ...Object.fromEntries(
    [4096, 5793, 5800, 5824, 67_584, 90_112, 128, 65_536, 262_144].map((kb) => [
      `sysctl ${kb} alone`,
      { ...one({}, { memInfo: [] }), ...sysctl(kb) },
    ]),
  ),
  ...Object.fromEntries(
    [980_000, 989_200, 989_300, 1_048_576, 1_310_700, 1_310_800, 1_400_000].map((kb) => [
      `sysctl 4096 of ${kb} kB`,
      { ...one({}, { memInfo: [] }), ...sysctl(4096, meminfo(kb)) },
    ]),
  ),
  ...Object.fromEntries(
    [0, 1, 3, 4].map((order) => [
      `advice for order ${order}`,
      { ...one({}, { memInfo: [], order, mask: comp }), ...sysctl(4096, meminfo(1_048_576)) },
    ]),
  ),
};

const state = (zone: Zone, change: (line: string) => string = (l) => l): Texts[string] =>
  log("sysrq: Show Memory", ...memory([zone]).map(change), "last line");
const stateTexts: Texts = {
  ...Object.fromEntries([99, 100, 124, 125, 149, 150, 400].map((n) => [`state, ${n} free`, state({ blocks: [n] })])),
  ...Object.fromEntries(
    [[0], [120, 1], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3]].map((blocks) => [
      `state, blocks ${blocks.join(" ")}`,
      state({ blocks }),
    ]),
  ),
  ...Object.fromEntries(
    words("free min low high").map((lost) => [
      `state without ${lost}`,
      state({ blocks: [130] }, (l) => l.replace(new RegExp(`(?<=boost.*|Normal )${lost}:\\d+kB `), "")),
    ]),
  ),
  "state without buddy lines": state({ blocks: [130] }, (l) => (/\*4kB/.test(l) ? "" : l)),
  "state, buddy lines cut": state({ blocks: [130, 5] }, (l) => (/\*4kB/.test(l) ? l.slice(0, 40) : l)),
  "state, buddy lines cut before": state({ blocks: [0, 0, 5] }, (l) => (/\*4kB/.test(l) ? l.slice(0, 30) : l)),
};

keptAnswers(
  { "requests refused": { ...refused, ...waits, ...vmallocs }, "marks and states": { ...marks, ...stateTexts } },
  shortLines,
);
